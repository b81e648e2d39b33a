-- Logs on their way to another engine. With the engine "sqlite" these tables stay as they are made here.

-- The logs of each batch as they came; columns as in raw_log. They leave in blocks.
CREATE TABLE spool_log (
    batch_id        INTEGER NOT NULL,
    line            INTEGER NOT NULL,
    quarter         INTEGER NOT NULL,
    second          INTEGER NOT NULL,
    user_id         INTEGER NOT NULL,
    domain          INTEGER NOT NULL, -- name.id, as in raw_log
    order_id        INTEGER NOT NULL,
    port            INTEGER NOT NULL,
    protocol        INTEGER NOT NULL,
    ip_out          BLOB NOT NULL,
    ip_from         BLOB NOT NULL,
    peer            INTEGER NOT NULL,
    worker          INTEGER NOT NULL,
    error           INTEGER NOT NULL,
    count           INTEGER NOT NULL,
    bytes_sent      INTEGER NOT NULL,
    bytes_received  INTEGER NOT NULL,
    error_count     INTEGER NOT NULL,
    duration_ms     INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    PRIMARY KEY (batch_id, line)
) STRICT, WITHOUT ROWID;

-- What is sent as one: the logs of the batches first_batch … last_batch that lie in one month and belong to one shard.
-- A number is never used twice: ClickHouse tells blocks apart by it.
CREATE TABLE spool_block (
    number         INTEGER PRIMARY KEY AUTOINCREMENT,
    first_batch    INTEGER NOT NULL,
    last_batch     INTEGER NOT NULL,
    month          INTEGER NOT NULL, -- 202603; 209912 is all that is later, too
    shard          INTEGER NOT NULL, -- user_id % shards
    shards         INTEGER NOT NULL,
    logs           INTEGER NOT NULL,
    count          INTEGER NOT NULL, -- the sums, to be compared with what ClickHouse has
    bytes_sent     INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    errors         INTEGER NOT NULL,
    state          INTEGER NOT NULL, -- 0 waits, 1 taken, 2 put aside, 3 taken and its logs forgotten here
    settled_at     INTEGER NOT NULL, -- when it was taken or put aside, Unix seconds; 0: it waits
    detail         TEXT NOT NULL     -- why it was put aside
) STRICT;
CREATE INDEX spool_block_waiting ON spool_block (number) WHERE state = 0;
CREATE INDEX spool_block_taken ON spool_block (settled_at) WHERE state = 1;
CREATE INDEX spool_block_aside ON spool_block (number) WHERE state = 2;
CREATE INDEX spool_block_batches ON spool_block (first_batch);

CREATE TABLE spool (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    node_id   TEXT NOT NULL,    -- random: no other data folder has it
    is_spool  INTEGER NOT NULL, -- 1: batches of this file go to another engine, and raw_log stays empty
    cut_until INTEGER NOT NULL, -- batches up to this one are cut into blocks
    replica   BLOB NOT NULL,    -- for each shard the replica where reports are answered
    is_synced INTEGER NOT NULL, -- 1: these have all that was taken
    trouble   TEXT NOT NULL,    -- what keeps the blocks from being taken; empty: nothing
    audited_at INTEGER NOT NULL, -- when blocks were last compared with what replicas have, Unix seconds; 0: never
    differing  INTEGER NOT NULL, -- so many differences were found since the start
    difference TEXT NOT NULL     -- the last of them
) STRICT;
INSERT INTO spool VALUES (1, lower(hex(randomblob(16))), 0, 0, zeroblob(32), 0, '', 0, 0, '');
