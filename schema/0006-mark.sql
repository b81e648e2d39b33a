-- The mark by which the first shard's replica, where reports are answered, is known to have all that was taken, and so to
-- have run since then: a number that it keeps in memory. 0: it is not known, or another shard's replica is not.
ALTER TABLE spool RENAME COLUMN is_synced TO mark;
UPDATE spool SET mark = 0;
