-- Calendars, attachments, hidden text, near-duplicates, and conversations split by hand.

-- The newest component of each calendar event: the series, and each occurrence that was moved or called off.
CREATE TABLE calendar_event (
    workspace_id BIGINT NOT NULL,
    uid          TEXT COLLATE "C" NOT NULL,
    recurrence   TEXT COLLATE "C" NOT NULL,             -- original time of the occurrence it replaces; empty for the series
    sequence     BIGINT NOT NULL,           -- with stamp: orders versions
    stamp        BIGINT NOT NULL,           -- seconds
    cancelled    BIGINT NOT NULL,
    account_id   TEXT COLLATE "C",                      -- given with the import; otherwise the people decide
    horizon      BIGINT,                   -- until when a series without end was followed; null when it is complete
    ics          TEXT COLLATE "C" NOT NULL,             -- a calendar of this event alone
    PRIMARY KEY (workspace_id, uid, recurrence)
);
CREATE INDEX calendar_event_by_horizon ON calendar_event (horizon) WHERE horizon IS NOT NULL;

-- Words that stand in a mail and that its reader does not see: JSON list.
ALTER TABLE mail ADD COLUMN hidden TEXT COLLATE "C" NOT NULL DEFAULT '[]';

-- Fingerprint of a mail's new words, by which near-equal mails of one author are told; null for a few words.
ALTER TABLE mail ADD COLUMN likeness BIGINT;
-- 1: says nearly the same as an earlier mail of its author's to the same account.
ALTER TABLE mail ADD COLUMN repeats BIGINT NOT NULL DEFAULT 0;
CREATE INDEX mail_by_author ON mail (workspace_id, author, occurred_at) WHERE likeness IS NOT NULL;

-- 1: passes another mail on, and begins a conversation of its own.
ALTER TABLE mail ADD COLUMN is_forward BIGINT NOT NULL DEFAULT 0;

-- The words of a mail's attachments, by their place in its list.
CREATE TABLE attachment_text (
    workspace_id BIGINT NOT NULL,
    number       BIGINT NOT NULL,             -- of the entry
    position     BIGINT NOT NULL,
    text         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, number, position)
);
