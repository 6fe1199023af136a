-- Stretches of the words that were read, with what each means as a vector: what search by meaning looks through.
ALTER TABLE reading ADD COLUMN stretches BYTEA;

-- What was read before has none: it is read again, and serves until then.
SET LOCAL rapport.workspace = '*';
UPDATE entry SET reader = 0 WHERE reader > 0;
