-- The truth of Rapport: what came in, whose it is, and the work it causes. Everything else is derived from here.
-- Times are microseconds since 1970 in UTC. Every table starts with the workspace it belongs to.
-- The PostgreSQL migration of the same number has the same tables and columns.

CREATE TABLE workspace (
    workspace_id INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    timezone     TEXT,
    created_at   INTEGER NOT NULL
) STRICT;

-- Domains that are ours. `source` says by whom (the workspace record or a team member), so that each can withdraw its own.
CREATE TABLE us_domain (
    workspace_id INTEGER NOT NULL,
    domain       TEXT NOT NULL,
    source       TEXT NOT NULL,
    PRIMARY KEY (workspace_id, domain, source)
) STRICT;

-- Records as sent, the newest version of each. Kinds differ only in their JSON; what is asked by has a column.
CREATE TABLE record (
    workspace_id INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    account_id   TEXT,
    body         TEXT NOT NULL,             -- empty for a tombstone
    words        TEXT NOT NULL,             -- its values in lower case, to find it by
    deleted      INTEGER NOT NULL,           -- 1: a tombstone, so that an older version cannot revive it
    updated_at   INTEGER,                    -- orders versions; unknown when the sender did not say
    received_at  INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, kind, id)
) STRICT;
CREATE INDEX record_by_account ON record (workspace_id, account_id, kind);

-- Every version of a record that causes entries, so that late versions tell the same story as punctual ones.
CREATE TABLE record_version (
    workspace_id INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    at           INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    body         TEXT NOT NULL,
    PRIMARY KEY (workspace_id, kind, id, at, content_hash)
) STRICT;

-- Accounts by number: the search index sorts by it. A row exists as soon as anything names the account.
CREATE TABLE account (
    number           INTEGER PRIMARY KEY,
    workspace_id     INTEGER NOT NULL,
    account_id       TEXT NOT NULL,         -- empty: what belongs to nobody yet
    known            INTEGER NOT NULL,       -- 1: its record has arrived
    name             TEXT NOT NULL,
    name_key         TEXT NOT NULL,         -- folded, to sort and find by on either database
    last_activity_at INTEGER,
    UNIQUE (workspace_id, account_id)
) STRICT;
CREATE INDEX account_by_name ON account (workspace_id, known, name_key, account_id);
CREATE INDEX account_by_activity ON account (workspace_id, known, last_activity_at, account_id);

CREATE TABLE account_domain (
    workspace_id INTEGER NOT NULL,
    domain       TEXT NOT NULL,
    account_id   TEXT NOT NULL,
    PRIMARY KEY (workspace_id, domain, account_id)
) STRICT;
CREATE INDEX account_domain_by_account ON account_domain (workspace_id, account_id, domain);

-- Addresses of contacts and team members.
CREATE TABLE person_address (
    workspace_id INTEGER NOT NULL,
    address      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    account_id   TEXT,
    PRIMARY KEY (workspace_id, address, kind, id)
) STRICT;
CREATE INDEX person_address_by_person ON person_address (workspace_id, id, kind, address, account_id);

-- The timeline.
CREATE TABLE entry (
    number           INTEGER PRIMARY KEY,   -- the sequence number that added it: never handed out again
    workspace_id     INTEGER NOT NULL,
    id               TEXT NOT NULL,
    account_id       TEXT,                  -- null: unmatched
    rule             TEXT,                  -- how the account was found: given, contact, domain, thread
    type             TEXT NOT NULL,
    occurred_at      INTEGER NOT NULL,
    subject          TEXT,
    body             TEXT NOT NULL,
    details          TEXT NOT NULL,         -- JSON: the entry's remaining fields
    spans            TEXT NOT NULL,         -- JSON: [kind, start, end] of the body
    flags            TEXT NOT NULL,         -- JSON list
    internal         INTEGER NOT NULL,       -- 1: feeds no summary, brief or highlight
    communication    INTEGER NOT NULL,       -- 1: someone said it, and it may be counted and cited
    thread_id        TEXT,
    deal_id          TEXT,
    origin           TEXT,                  -- `kind:id` of the record that caused it by itself
    unmatched_domain TEXT,                  -- the domain it waits under while it has no account
    updated_at       INTEGER,
    received_at      INTEGER NOT NULL,
    content_hash     TEXT NOT NULL,
    sequence         INTEGER NOT NULL,       -- of its last change
    UNIQUE (workspace_id, id)
) STRICT;
CREATE INDEX entry_by_account ON entry (workspace_id, account_id, occurred_at, number);
CREATE INDEX entry_by_type ON entry (workspace_id, account_id, type, occurred_at, number);
CREATE INDEX entry_by_sequence ON entry (workspace_id, account_id, sequence);
CREATE INDEX entry_by_communication ON entry (workspace_id, account_id, occurred_at) WHERE communication = 1;
CREATE INDEX entry_by_thread ON entry (workspace_id, thread_id);
CREATE INDEX entry_by_origin ON entry (workspace_id, origin) WHERE origin IS NOT NULL;
CREATE INDEX entry_unmatched ON entry (workspace_id, unmatched_domain, occurred_at) WHERE unmatched_domain IS NOT NULL;

-- How many entries an account has by type, so that no page counts its history.
CREATE TABLE entry_count (
    workspace_id INTEGER NOT NULL,
    account_id   TEXT NOT NULL,             -- empty: unmatched
    type         TEXT NOT NULL,
    count        INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, account_id, type)
) STRICT;

-- Who took part in an entry: an address, or `~name` of somebody without one.
CREATE TABLE participant (
    workspace_id INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    person       TEXT NOT NULL,
    domain       TEXT,                      -- the registrable one
    PRIMARY KEY (workspace_id, number, person)
) STRICT;
CREATE INDEX participant_by_person ON participant (workspace_id, person, number);
CREATE INDEX participant_by_domain ON participant (workspace_id, domain, number);

-- What only mails have.
CREATE TABLE mail (
    number       INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    message_id   TEXT,
    subject_key  TEXT,
    occurred_at  INTEGER NOT NULL,
    is_reply     INTEGER NOT NULL,           -- 1: a reply by its subject that names no mail: joins by subject
    author       TEXT,
    automatic    TEXT
) STRICT;
CREATE INDEX mail_by_message_id ON mail (workspace_id, message_id);
CREATE INDEX mail_by_subject ON mail (workspace_id, subject_key, occurred_at);

-- The mails a mail answers, nearest first.
CREATE TABLE mail_reference (
    workspace_id INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    message_id   TEXT NOT NULL,
    PRIMARY KEY (workspace_id, number, position)
) STRICT;
CREATE INDEX mail_reference_by_message_id ON mail_reference (workspace_id, message_id);

-- The conversation each Message-ID belongs to, also of mails that were only named.
CREATE TABLE thread_link (
    workspace_id INTEGER NOT NULL,
    message_id   TEXT NOT NULL,
    thread_id    TEXT NOT NULL,
    PRIMARY KEY (workspace_id, message_id)
) STRICT;
CREATE INDEX thread_link_by_thread ON thread_link (workspace_id, thread_id);

-- Where a mail was found: the same mail in three mailboxes is one entry with three of these.
CREATE TABLE provenance (
    workspace_id INTEGER NOT NULL,
    raw_hash     TEXT NOT NULL,             -- of the bytes as found
    source       TEXT NOT NULL,
    number       INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, raw_hash, source)
) STRICT;
CREATE INDEX provenance_by_entry ON provenance (number);

-- The first copy of each mail, lz4-packed: attachments are read from it, and everything can be read again.
CREATE TABLE raw_mail (
    number       INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    bytes        BLOB NOT NULL
) STRICT;

-- Every accepted change in order. The index follows it, and so do listeners.
CREATE TABLE change (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    what         TEXT NOT NULL,             -- entry, summary, or a kind of record
    id           TEXT NOT NULL,
    number       INTEGER,                   -- of the entry; null when this change added it
    account_id   TEXT,
    action       TEXT NOT NULL,             -- added, updated, deleted
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX change_by_account ON change (workspace_id, account_id, sequence);

-- Work to do, enqueued in the transaction of its cause.
CREATE TABLE job (
    job_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    key          TEXT NOT NULL,             -- queued once per key
    payload      TEXT NOT NULL,             -- JSON
    state        TEXT NOT NULL,             -- queued, running, failed (waits for its next try), dead
    queued_at    INTEGER NOT NULL,
    run_at       INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    lease_until  INTEGER,                    -- running longer than this: its worker died
    error        TEXT                       -- of the last attempt
) STRICT;
CREATE UNIQUE INDEX job_queued_once ON job (workspace_id, kind, key) WHERE state = 'queued';
CREATE INDEX job_due ON job (state, run_at);

-- Every version of every account's summary.
CREATE TABLE summary (
    workspace_id INTEGER NOT NULL,
    account_id   TEXT NOT NULL,
    version      INTEGER NOT NULL,
    generated_at INTEGER NOT NULL,
    cause        TEXT NOT NULL,             -- JSON
    draft        TEXT NOT NULL,             -- JSON: language, engine, coverage, paragraphs
    input_hash   TEXT NOT NULL,             -- equal input costs no new version
    sequence     INTEGER NOT NULL,           -- the last change it has seen
    PRIMARY KEY (workspace_id, account_id, version)
) STRICT;
