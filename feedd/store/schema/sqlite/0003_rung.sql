-- events gains rung: whether its writer rings for the row after the COMMIT. Without a word it does not, and the ringer does.

ALTER TABLE events ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;
