-- How long the target of the relay took to answer, in milliseconds.
ALTER TABLE events ADD COLUMN answer_millis BIGINT;
