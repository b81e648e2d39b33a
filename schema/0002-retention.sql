-- What is no longer kept. A horizon is a day (bucket of tier 2, 0: nothing is gone). What lies before it counts as gone from
-- the moment that the horizon stands here, in the same transaction for all of it; the rows are deleted afterwards, a slice
-- at a time. day_from <= hour_from <= raw_from <= closing.closed_day, and none ever goes back.
CREATE TABLE retention (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    raw_from       INTEGER NOT NULL, -- raw_log begins with this day
    hour_from      INTEGER NOT NULL, -- so do traffic_quarter, traffic_hour, and rollup_chunk of tier 1
    day_from       INTEGER NOT NULL, -- and traffic_day, and rollup_chunk of tiers 2 to 4: periods that begin with it or later
    days_swept     INTEGER NOT NULL, -- traffic_day has no row before this day
    batch_from     INTEGER NOT NULL, -- batches with lower ids are gone
    batch_logs     INTEGER NOT NULL, -- how many logs those had
    logs           INTEGER NOT NULL, -- logs that were deleted from raw_log, or came too late to be stored there
    count          INTEGER NOT NULL, -- sums over all logs before raw_from: with those over raw_log since, the table total
    bytes_sent     INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    errors         INTEGER NOT NULL
) STRICT;
INSERT INTO retention VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
