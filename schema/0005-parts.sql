-- The logs of closed days, by column: lib/part/part.h has the bytes. Each log stands here or in raw_log. When its day is closed it moves
-- from there to here, and back again when logs of its user and day are to be deleted. A late log stays in raw_log until the next
-- day is closed.
CREATE TABLE log_part (
    id           INTEGER PRIMARY KEY,
    day          INTEGER NOT NULL, -- bucket of tier 2
    user_id      INTEGER NOT NULL,
    first_second INTEGER NOT NULL, -- of the day: of the earliest and the latest log
    last_second  INTEGER NOT NULL,
    logs         INTEGER NOT NULL,
    columns      BLOB NOT NULL
) STRICT;
-- With all but the columns, so that who looks for parts, or counts logs, reads no other page.
CREATE INDEX log_part_of_user ON log_part (day, user_id, first_second, last_second, logs);

-- When logs may begin to move, Unix seconds. Beside the program that upgrades a file, processes of an older version may answer
-- reports for a while, and they read rows alone.
CREATE TABLE packing (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    since INTEGER NOT NULL
) STRICT;
INSERT INTO packing SELECT 1, CASE WHEN EXISTS (SELECT 1 FROM raw_log) THEN unixepoch() + 120 ELSE 0 END;
