-- Keys, sessions, what was done by whom, retried requests, and erased persons.

-- Which database this is: a search index made from another one, or from before a restore, is not taken for its own.
CREATE TABLE identity (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
INSERT INTO identity (id) VALUES (replace(gen_random_uuid()::text, '-', ''));

-- Keys of callers. The key itself is nowhere: only its hash.
CREATE TABLE api_key (
    key_id         TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- the part of the key that may be shown
    workspace_id   BIGINT NOT NULL,
    role           TEXT COLLATE "C" NOT NULL,             -- admin, writer, rep, viewer
    name           TEXT COLLATE "C" NOT NULL,             -- what it is for
    team_member_id TEXT COLLATE "C",                      -- who acts with it
    hash           TEXT COLLATE "C" NOT NULL UNIQUE,      -- SHA-256 of the whole key
    created_at     BIGINT NOT NULL,
    last_used_at   BIGINT,                    -- to the minute
    revoked_at     BIGINT
);
CREATE INDEX api_key_by_workspace ON api_key (workspace_id, key_id);

-- Browsers that signed in with a key; they can do what the key can, as long as it can.
CREATE TABLE session (
    hash         TEXT COLLATE "C" NOT NULL PRIMARY KEY,   -- SHA-256 of the cookie's value
    workspace_id BIGINT NOT NULL,
    key_id       TEXT COLLATE "C" NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX session_by_key ON session (key_id);

-- What was done that changes who may do what, or takes data out or away. Each row holds the hash of the one before, so
-- that a changed or missing row shows.
CREATE TABLE audit (
    workspace_id BIGINT NOT NULL,
    number       BIGINT NOT NULL,             -- 1, 2, 3 … in each workspace
    at           BIGINT NOT NULL,
    actor        TEXT COLLATE "C" NOT NULL,               -- a key's id, or command line
    action       TEXT COLLATE "C" NOT NULL,
    subject      TEXT COLLATE "C" NOT NULL,               -- what it was done to; never an address or words
    hash         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, number)
);

-- Outcomes of requests that carried an Idempotency-Key, written in the transaction of their effect.
CREATE TABLE idempotency (
    workspace_id BIGINT NOT NULL,
    route        TEXT COLLATE "C" NOT NULL,
    key          TEXT COLLATE "C" NOT NULL,
    request      TEXT COLLATE "C" NOT NULL,               -- hash of parameters and body: another request may not use the key
    outcome      TEXT COLLATE "C" NOT NULL,               -- JSON
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, route, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Persons who were erased: when, how much went, and whether it is off the disks.
CREATE TABLE erasure (
    workspace_id BIGINT NOT NULL,
    erasure_id   TEXT COLLATE "C" NOT NULL,
    erased_at    BIGINT NOT NULL,
    receipt      TEXT COLLATE "C" NOT NULL,               -- JSON: counts
    sequence     BIGINT NOT NULL,             -- the last change that an index must have followed to be rid of the person
    purged_at    BIGINT,                      -- when no byte was left in this data directory
    PRIMARY KEY (workspace_id, erasure_id)
);

-- Hashes of the ids and addresses of erased persons and of their mails, so that no import brings them back.
CREATE TABLE erased (
    workspace_id BIGINT NOT NULL,
    mark         TEXT COLLATE "C" NOT NULL,
    erasure_id   TEXT COLLATE "C" NOT NULL,
    erased_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mark)
);

-- What the index of one workspace has still to follow.
CREATE INDEX change_by_workspace ON change (workspace_id, sequence);

-- The second lock: PostgreSQL itself shows a transaction the rows of its own workspace only (`store::Scope`), or of all
-- when it does the work of the service. Without a setting there is nothing. FORCE: also to the owner of the tables. A
-- migration that changes rows has to set it first.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOR name IN SELECT c.table_name FROM information_schema.columns c
                WHERE c.table_schema = current_schema() AND c.column_name = 'workspace_id' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_workspace ON %I USING (current_setting(''rapport.workspace'', true) IN (''*'', workspace_id::text))', name);
    END LOOP;
END
$$;
