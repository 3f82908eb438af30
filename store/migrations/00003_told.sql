-- +goose Up
-- An answer is stored first and delivered then. What is not told yet is gone
-- on with after a crash, whether it was answered or not.

ALTER TABLE inbound ADD COLUMN told SMALLINT NOT NULL DEFAULT 0 CHECK (told IN (0, 1));
UPDATE inbound SET told = 1 WHERE done = 1;
DROP INDEX inbound_unfinished;
CREATE INDEX inbound_untold ON inbound (heard) WHERE told = 0;
