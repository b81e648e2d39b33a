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

-- How long the logs of each sum took. Sums of logs that an older version stored do not know it: upgrade.durations_from. To add it up
-- takes a second for a million logs, and meanwhile no batch is stored, so the logs tell until a rebuild.
ALTER TABLE total ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic_quarter ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic_hour ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic_day ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE retention ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;

-- Sums of everyone by the value of a dimension, by the day: of all logs in closed hours. They stay when the logs are gone.
-- dimension: 1 worker, 2 peer, 3 protocol, 4 port, 5 ip_out, 6 error. value: a name.id (0: none), a number, or an address' bytes.
CREATE TABLE value_day (
    dimension       INTEGER NOT NULL,
    bucket          INTEGER NOT NULL, -- day (bucket of tier 2)
    value           ANY NOT NULL,
    count           INTEGER NOT NULL,
    bytes_sent      INTEGER NOT NULL,
    bytes_received  INTEGER NOT NULL,
    errors          INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    duration_ms     INTEGER NOT NULL,
    PRIMARY KEY (dimension, bucket, value)
) STRICT, WITHOUT ROWID;

-- Days of which value_day has no rows of a dimension, though there were logs: they have over 1,000 different values, or logs were
-- taken out of sums that do not know their values.
CREATE TABLE value_gap (
    dimension INTEGER NOT NULL,
    bucket    INTEGER NOT NULL,
    PRIMARY KEY (dimension, bucket)
) STRICT, WITHOUT ROWID;

-- What an older version has left. Beside the program that upgrades a file, processes of that version may answer reports for a
-- while, and they read rows and chunks as they know them: until `since` (Unix seconds) nothing is closed, deleted or moved.
CREATE TABLE upgrade (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    since          INTEGER NOT NULL,
    -- Hour (bucket of tier 1): sums of earlier hours have durations of late logs alone, and days that begin before it have no rows in
    -- value_day. 0: all know them.
    durations_from INTEGER NOT NULL,
    -- Hours before this one have no users' sums any more, but for those whose logs are gone. 9223372036854775807: none has.
    user_hours_swept INTEGER NOT NULL
) STRICT;
INSERT INTO upgrade SELECT 1, CASE WHEN EXISTS (SELECT 1 FROM raw_log) THEN unixepoch() + 120 ELSE 0 END,
    max(closed_hour, (SELECT ifnull(min(max(quarter), unixepoch() / 900) / 4 + 1, 0) FROM raw_log)),
    CASE WHEN EXISTS (SELECT 1 FROM traffic_hour) THEN 0 ELSE 9223372036854775807 END FROM closing;

-- Logs of the future, by a wrong clock, are few. They do not move durations_from, so their sums are made to know it.
UPDATE traffic_quarter SET duration_ms = future.duration_ms FROM (
    SELECT quarter, user_id, sum(duration_ms) AS duration_ms FROM raw_log
    WHERE quarter >= (SELECT durations_from * 4 FROM upgrade) GROUP BY quarter, user_id
    UNION ALL
    SELECT quarter, 0, sum(duration_ms) FROM raw_log
    WHERE quarter >= (SELECT durations_from * 4 FROM upgrade) GROUP BY quarter) AS future
WHERE bucket = quarter AND traffic_quarter.user_id = future.user_id;
UPDATE total SET duration_ms = (SELECT ifnull(sum(duration_ms), 0) FROM traffic_quarter
    WHERE user_id = 0 AND bucket >= (SELECT durations_from * 4 FROM upgrade));

-- From this version on, hours of users (traffic_hour, and rollup_chunk of tier 1, with user_id > 0) are made when the user's logs are
-- about to be deleted; those of logs that are kept go, an hour at a time.
