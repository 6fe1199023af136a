-- Keys, sessions, what was done by whom, retried requests, and erased persons.

-- Which database this is: a search index made from another one, or from before a restore, is not taken for its own.
CREATE TABLE identity (
    id TEXT NOT NULL PRIMARY KEY
) STRICT;
INSERT INTO identity (id) VALUES (lower(hex(randomblob(16))));

-- Keys of callers. The key itself is nowhere: only its hash.
CREATE TABLE api_key (
    key_id         TEXT NOT NULL PRIMARY KEY, -- the part of the key that may be shown
    workspace_id   INTEGER NOT NULL,
    role           TEXT NOT NULL,             -- admin, writer, rep, viewer
    name           TEXT NOT NULL,             -- what it is for
    team_member_id TEXT,                      -- who acts with it
    hash           TEXT NOT NULL UNIQUE,      -- SHA-256 of the whole key
    created_at     INTEGER NOT NULL,
    last_used_at   INTEGER,                    -- to the minute
    revoked_at     INTEGER
) STRICT;
CREATE INDEX api_key_by_workspace ON api_key (workspace_id, key_id);

-- Browsers that signed in with a key; they can do what the key can, as long as it can.
CREATE TABLE session (
    hash         TEXT NOT NULL PRIMARY KEY,   -- SHA-256 of the cookie's value
    workspace_id INTEGER NOT NULL,
    key_id       TEXT NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX session_by_key ON session (key_id);

-- What was done that changes who may do what, or takes data out or away. Each row holds the hash of the one before, so
-- that a changed or missing row shows.
CREATE TABLE audit (
    workspace_id INTEGER NOT NULL,
    number       INTEGER NOT NULL,             -- 1, 2, 3 … in each workspace
    at           INTEGER NOT NULL,
    actor        TEXT NOT NULL,               -- a key's id, or command line
    action       TEXT NOT NULL,
    subject      TEXT NOT NULL,               -- what it was done to; never an address or words
    hash         TEXT NOT NULL,
    PRIMARY KEY (workspace_id, number)
) STRICT;

-- Outcomes of requests that carried an Idempotency-Key, written in the transaction of their effect.
CREATE TABLE idempotency (
    workspace_id INTEGER NOT NULL,
    route        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request      TEXT NOT NULL,               -- hash of parameters and body: another request may not use the key
    outcome      TEXT NOT NULL,               -- JSON
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, route, key)
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Persons who were erased: when, how much went, and whether it is off the disks.
CREATE TABLE erasure (
    workspace_id INTEGER NOT NULL,
    erasure_id   TEXT NOT NULL,
    erased_at    INTEGER NOT NULL,
    receipt      TEXT NOT NULL,               -- JSON: counts
    sequence     INTEGER NOT NULL,             -- the last change that an index must have followed to be rid of the person
    purged_at    INTEGER,                      -- when no byte was left in this data directory
    PRIMARY KEY (workspace_id, erasure_id)
) STRICT;

-- Hashes of the ids and addresses of erased persons and of their mails, so that no import brings them back.
CREATE TABLE erased (
    workspace_id INTEGER NOT NULL,
    mark         TEXT NOT NULL,
    erasure_id   TEXT NOT NULL,
    erased_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mark)
) STRICT;

-- What the index of one workspace has still to follow.
CREATE INDEX change_by_workspace ON change (workspace_id, sequence);
