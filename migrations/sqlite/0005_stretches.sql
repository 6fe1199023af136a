-- Stretches of the words that were read, with what each means as a vector: what search by meaning looks through.
ALTER TABLE reading ADD COLUMN stretches BLOB;

-- What was read before has none: it is read again, and serves until then.
UPDATE entry SET reader = 0 WHERE reader > 0;
