-- The log database (analytics.db). Facts first: name, batch, batch_key, raw_log, order_user. Everything after them is
-- derived from raw_log and can be thrown away and made again.
--
-- Times: *_at columns are Unix seconds. A bucket is a count of its tier's width since 1970-01-01 00:00 UTC:
--   tier 0  15 minutes      tier 2  1 day       tier 4  16 days
--   tier 1  1 hour          tier 3  4 days
-- Id 0 in a rollup means "all of them"; real user and order ids start at 1.

-- ---- facts ----

-- Every text of a log (domain, error, protocol, peer, worker) once. Id 0 is the empty text.
CREATE TABLE name (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO name (id, text) VALUES (0, '');

-- One row per accepted batch.
CREATE TABLE batch (
    id          INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    caller      INTEGER NOT NULL, -- name.id
    logs        INTEGER NOT NULL
) STRICT;

-- Idempotency keys, written in the batch's own transaction.
CREATE TABLE batch_key (
    caller      INTEGER NOT NULL, -- name.id: a key belongs to the caller who sent it
    key         TEXT NOT NULL,
    body_hash   BLOB NOT NULL,    -- BLAKE2b-256 of the inflated body
    received_at INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_key_by_age ON batch_key (received_at);

-- The logs as they came. The quarter of an hour leads the key, so a batch touches few pages, and within it user and
-- domain, so that one user's logs lie together.
CREATE TABLE raw_log (
    quarter         INTEGER NOT NULL, -- bucket of tier 0
    user_id         INTEGER NOT NULL,
    domain          INTEGER NOT NULL, -- name.id
    order_id        INTEGER NOT NULL,
    batch_id        INTEGER NOT NULL,
    line            INTEGER NOT NULL, -- index in the batch, from 0
    second          INTEGER NOT NULL, -- ts = quarter * 900 + second
    port            INTEGER NOT NULL,
    protocol        INTEGER NOT NULL, -- name.id
    ip_out          BLOB NOT NULL,    -- network order: 4 or 16 bytes, or empty
    ip_from         BLOB NOT NULL,
    peer            INTEGER NOT NULL, -- name.id
    worker          INTEGER NOT NULL, -- name.id
    error           INTEGER NOT NULL, -- name.id
    count           INTEGER NOT NULL,
    bytes_sent      INTEGER NOT NULL,
    bytes_received  INTEGER NOT NULL,
    error_count     INTEGER NOT NULL,
    duration_ms     INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    PRIMARY KEY (quarter, user_id, domain, order_id, batch_id, line)
) STRICT, WITHOUT ROWID;

-- Which users have logs under an order: several may share an order id.
CREATE TABLE order_user (
    order_id INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    PRIMARY KEY (order_id, user_id)
) STRICT, WITHOUT ROWID;

-- raw_log with its names, for people: SELECT * FROM log WHERE quarter = unixepoch('2026-03-15 10:15') / 900;
CREATE VIEW log AS
SELECT datetime(r.quarter * 900 + r.second, 'unixepoch') AS ts, r.user_id, r.order_id, d.text AS domain, r.port,
       p.text AS protocol, hex(r.ip_out) AS ip_out, hex(r.ip_from) AS ip_from, e.text AS peer_id, w.text AS worker,
       x.text AS error, r.count, r.bytes_sent, r.bytes_received, r.error_count, r.duration_ms, r.max_concurrency,
       r.quarter, r.batch_id, r.line
FROM raw_log AS r
JOIN name AS d ON d.id = r.domain
JOIN name AS p ON p.id = r.protocol
JOIN name AS e ON e.id = r.peer
JOIN name AS w ON w.id = r.worker
JOIN name AS x ON x.id = r.error;

-- ---- derived ----

-- The sums over everything that is stored. None of them, and not bytes_sent + bytes_received, may pass 2^63-1: then no
-- part of them can.
CREATE TABLE total (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    count          INTEGER NOT NULL,
    bytes_sent     INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    errors         INTEGER NOT NULL
) STRICT;
INSERT INTO total (id, count, bytes_sent, bytes_received, errors) VALUES (1, 0, 0, 0, 0);

-- Charts by the quarter of an hour, for everyone (user 0) and each user: the one rollup that is kept as logs come. From
-- when to when the quarter's logs are spares a range that begins or ends inside it a look at them: most workers stamp all
-- logs of a quarter alike.
CREATE TABLE traffic_quarter (
    bucket          INTEGER NOT NULL,
    user_id         INTEGER NOT NULL,
    count           INTEGER NOT NULL,
    bytes_sent      INTEGER NOT NULL,
    bytes_received  INTEGER NOT NULL,
    errors          INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    first_second    INTEGER NOT NULL, -- of the quarter, 0 … 899
    last_second     INTEGER NOT NULL,
    PRIMARY KEY (bucket, user_id)
) STRICT, WITHOUT ROWID;

-- Charts by the hour, of closed hours: everyone (0, 0), each user (user, 0) and each order (user, order).
CREATE TABLE traffic_hour (
    bucket          INTEGER NOT NULL,
    user_id         INTEGER NOT NULL,
    order_id        INTEGER NOT NULL,
    count           INTEGER NOT NULL,
    bytes_sent      INTEGER NOT NULL,
    bytes_received  INTEGER NOT NULL,
    errors          INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    PRIMARY KEY (bucket, user_id, order_id)
) STRICT, WITHOUT ROWID;

-- Charts by the day and wider, of closed days. Written once a day, so the bucket may come last in the key: then a chart is
-- one run of rows. (By the hour that would cost a page written for each row.)
CREATE TABLE traffic_day (
    user_id         INTEGER NOT NULL,
    order_id        INTEGER NOT NULL,
    bucket          INTEGER NOT NULL,
    count           INTEGER NOT NULL,
    bytes_sent      INTEGER NOT NULL,
    bytes_received  INTEGER NOT NULL,
    errors          INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    PRIMARY KEY (user_id, order_id, bucket)
) STRICT, WITHOUT ROWID;

-- Domains and errors, packed: each row is a run of entries (domain, error, order → sums; see lib/rollup/pack.h) of one bucket
-- and user. kind 0: every log, by domain and order. kind 1: logs that name an error, by domain, error and order. User 0
-- has the entries of everyone, without orders. A user's entries of several orders have their sum in front of them. Tiers 1 to 4, and only for closed periods.
CREATE TABLE rollup_chunk (
    tier    INTEGER NOT NULL,
    bucket  INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    domain  INTEGER NOT NULL, -- name.id of the first entry; a domain's entries are never split over two chunks
    entries BLOB NOT NULL,
    PRIMARY KEY (tier, bucket, user_id, kind, domain)
) STRICT, WITHOUT ROWID;

-- Hours before closed_hour are closed: in traffic_hour, and packed in tier 1. Days before closed_day are in traffic_day and
-- packed in tier 2, and the 4- and
-- 16-day periods that end at or before it in tiers 3 and 4. What is not closed is answered from raw_log. A log that
-- comes late is added to the packed entries in its batch's own transaction.
CREATE TABLE closing (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    closed_hour INTEGER NOT NULL, -- bucket of tier 1; 0: nothing is closed yet
    closed_day  INTEGER NOT NULL, -- bucket of tier 2
    changes     INTEGER NOT NULL  -- how often what a closed hour holds was changed: readers keep sums of closed hours
) STRICT;
INSERT INTO closing (id, closed_hour, closed_day, changes) VALUES (1, 0, 0, 0);
