-- What the reader found in the words of each entry: made again when the words or the reader change.
CREATE TABLE reading (
    number       INTEGER PRIMARY KEY,          -- of the entry
    workspace_id INTEGER NOT NULL,
    score        REAL,                         -- the customer's attitude, -1 to 1; null where no customer said anything that can be scored
    reading      TEXT NOT NULL                 -- JSON
) STRICT;

-- Version of the reader that read it last, 0: its words wait to be read. The newest are read first.
ALTER TABLE entry ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;
CREATE INDEX entry_by_reader ON entry (workspace_id, reader, occurred_at) WHERE communication = 1;

-- Reading waits behind all other jobs, and is looked for by itself.
CREATE INDEX job_read ON job (state, run_at) WHERE kind = 'read';
