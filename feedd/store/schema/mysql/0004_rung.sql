-- events gains rung: whether its writer rings for the row after the COMMIT. Without a word it does not, and the ringer does.
-- No row is rewritten: a column at the end is added at once by any server that can. MySQL knows no ADD COLUMN IF NOT EXISTS, and this may be run again.

SET @add_rung = IF(EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'events' AND column_name = 'rung'),
    'DO 0', 'ALTER TABLE events ADD COLUMN rung TINYINT NOT NULL DEFAULT 0');

PREPARE add_rung FROM @add_rung;

EXECUTE add_rung;

DEALLOCATE PREPARE add_rung;
