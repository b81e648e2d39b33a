/* sql.h: the writer's statements. Knows the text of each, and what may be asked of any. Knows no state of the writer.
 */
#ifndef STORE_SQLITE_WRITE_SQL_H
#define STORE_SQLITE_WRITE_SQL_H

#include "db/db.h"
#include "report/report.h"
#include "store/sqlite/log_hash.h"
#include "store/sqlite/packed_log.h"
#include "store/sqlite/value_day.h"
#include "store/store.h"

/* The days that a horizon passes on its way to the day ?1; and the deletion of some rows of a table, in key order. */
#define GONE_DAYS " FROM traffic_day WHERE user_id = 0 AND order_id = 0 AND bucket >= raw_from AND bucket < ?1"
#define PRUNE(table, key, which)                                                                                       \
    "DELETE FROM " table " WHERE (" key ") IN (SELECT " key " FROM " table " WHERE " which " ORDER BY " key " LIMIT "  \
    "?2)"

#define RAW_COLUMNS                                                                                                    \
    "(quarter, user_id, domain, order_id, batch_id, line, second, port, protocol, ip_out, ip_from, peer, worker,"      \
    " error, count, bytes_sent, bytes_received, error_count, duration_ms, max_concurrency)"                            \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
#define PART_FIELDS                                                                                                    \
    "ip_out, ip_from, second, port, protocol, peer, worker, error, count, bytes_sent, bytes_received, error_count,"    \
    " duration_ms, max_concurrency, domain, order_id, batch_id, line"
#define IMPORT_CALLER "(SELECT id FROM name WHERE text = '" STORE_IMPORT_CALLER "')"

/* The hours of day ?1, so that each is one search in traffic_hour. */
#define HOURS_OF_DAY                                                                                                   \
    "WITH RECURSIVE hours (hour) AS (SELECT ?1 * 24 UNION ALL SELECT hour + 1 FROM hours WHERE hour < ?1 * 24 + 23) "

/* Logs of the quarter ?1 that are selected: sqlite_selected_values in write/take.h. */
#define SELECTED                                                                                                       \
    "quarter = ?1 AND second >= ?2 AND second < ?3 AND user_id BETWEEN ?4 AND ?5 AND order_id BETWEEN ?6 AND ?7"       \
    " AND batch_id BETWEEN ?8 AND ?9 AND domain BETWEEN ?10 AND ?11 AND worker BETWEEN ?12 AND ?13"                    \
    " AND (?14 = 0 OR EXISTS (SELECT 1 FROM import_batch AS i WHERE i.batch_id = raw_log.batch_id AND i.source = "     \
    "?15))"
#define LOG_KEY "quarter, user_id, domain, order_id, batch_id, line"

/* The column of W_LOGS before those of VALUE_COLUMNS. */
#define LOGS_BEFORE_VALUES 10

/* The writer's statements, prepared at start: W_NAME and its SQL. */
#define WRITER_SQL(X)                                                                                                  \
    X(W_NAME_FIND, "SELECT id FROM name WHERE text = ?1")                                                              \
    X(W_NAME_ADD, "INSERT INTO name (text) VALUES (?1)")                                                               \
    X(W_KEY_FIND, "SELECT body_hash FROM batch_key WHERE caller = ?1 AND key = ?2")                                    \
    X(W_KEY_ADD, "INSERT INTO batch_key (caller, key, body_hash, received_at) VALUES (?1, ?2, ?3, ?4)")                \
    X(W_KEY_EXPIRE,                                                                                                    \
      "DELETE FROM batch_key WHERE (caller, key) IN (SELECT caller, key FROM batch_key WHERE received_at >= ?2"        \
      " AND received_at < ?1 AND caller IS NOT " IMPORT_CALLER " ORDER BY received_at LIMIT 500)")                     \
    X(W_MARKS_FIND, "SELECT key FROM batch_key WHERE caller = " IMPORT_CALLER " AND key >= ?1 AND key < ?2"            \
                    " ORDER BY key")                                                                                   \
    X(W_IMPORT_FIND, "SELECT hash, edges, count FROM import_log WHERE source = ?1 AND second = ?2"                     \
                     " AND hash BETWEEN ?3 AND ?4 ORDER BY hash, edges")                                               \
    X(W_IMPORT_ADD, "INSERT INTO import_log (source, second, hash, edges, count) VALUES (?1, ?2, ?3, ?4, ?5)"          \
                    " ON CONFLICT DO UPDATE SET count = count + ?5")                                                   \
    X(W_IMPORT_DROP, "DELETE FROM import_log WHERE source = ?1 AND second = ?2 AND hash = ?3 AND edges = ?4"           \
                     " AND count <= 0")                                                                                \
    X(W_IMPORT_BATCH_ADD, "INSERT INTO import_batch (batch_id, source, is_old) VALUES (?1, ?2, 0)")                    \
    X(W_IMPORT_IS_READ, "SELECT 1 FROM import_read WHERE quarter = ?1")                                                \
    X(W_IMPORT_SET_READ, "INSERT INTO import_read (quarter) VALUES (?1)")                                              \
    X(W_IMPORT_READ,                                                                                                   \
      "INSERT INTO import_log (source, second, hash, edges, count) SELECT b.source, r.quarter * 900 + r.second,"       \
      " " LOG_HASH " AS hash, 0, count(*) " IMPORTED_LOGS " AND b.is_old GROUP BY 1, 2, 3"                             \
      " ON CONFLICT DO UPDATE SET count = count + excluded.count")                                                     \
    X(W_BATCH_ADD, "INSERT INTO batch (received_at, caller, logs) VALUES (?1, ?2, ?3)")                                \
    X(W_RAW_ADD, "INSERT INTO raw_log " RAW_COLUMNS)                                                                   \
    X(W_SPOOL_ADD, "INSERT INTO spool_log " RAW_COLUMNS)                                                               \
    X(W_SPOOL_BATCHES, "SELECT id, logs FROM batch WHERE id > (SELECT cut_until FROM spool) ORDER BY id LIMIT ?1")     \
    X(W_SPOOL_LOGS, "SELECT quarter, user_id, count, bytes_sent, bytes_received, error_count FROM spool_log WHERE "    \
                    "batch_id >= ?1 AND batch_id <= ?2")                                                               \
    X(W_SPOOL_CUT,                                                                                                     \
      "INSERT INTO spool_block (first_batch, last_batch, month, shard, shards, logs, count, bytes_sent, "              \
      "bytes_received, errors, state, settled_at, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, '')") \
    X(W_SPOOL_CUT_UNTIL, "UPDATE spool SET cut_until = ?1")                                                            \
    X(W_SPOOL_SETTLE,                                                                                                  \
      "UPDATE spool_block SET state = ?2, settled_at = ?3, detail = ?4 WHERE number = ?1 AND state = 0")               \
    X(W_SPOOL_RETRY, "UPDATE spool_block SET state = 0, settled_at = 0, detail = '' WHERE state = 2")                  \
    X(W_SPOOL_TARGET, "UPDATE spool SET replica = ?1, mark = ?2, trouble = ?3")                                        \
    X(W_SPOOL_AUDIT, "UPDATE spool SET audited_at = ?1, differing = ?2, difference = ?3")                              \
    X(W_SPOOL_OLD,                                                                                                     \
      "SELECT first_batch, last_batch FROM spool_block AS old WHERE state = 1 AND settled_at <= ?1 AND NOT EXISTS"     \
      " (SELECT 1 FROM spool_block WHERE first_batch = old.first_batch AND (state IN (0, 2) OR settled_at > ?1))"      \
      " ORDER BY settled_at LIMIT 1")                                                                                  \
    X(W_SPOOL_DROP, "DELETE FROM spool_log WHERE batch_id >= ?1 AND batch_id <= ?2")                                   \
    X(W_SPOOL_FORGOTTEN, "UPDATE spool_block SET state = 3 WHERE first_batch = ?1")                                    \
    X(W_SPOOL_BLOCKS_DROP, "DELETE FROM spool_block WHERE number IN (SELECT number FROM spool_block WHERE state = 3"   \
                           " AND settled_at < ?1 LIMIT 500)")                                                          \
    X(W_ORDER_USER_ADD, "INSERT OR IGNORE INTO order_user (order_id, user_id) VALUES (?1, ?2)")                        \
    X(W_SET_TOTAL, "UPDATE total SET count = ?1, bytes_sent = ?2, bytes_received = ?3, errors = ?4, duration_ms = ?5"  \
                   " WHERE id = 1")                                                                                    \
    X(W_QUARTER_ADD,                                                                                                   \
      "INSERT INTO traffic_quarter (bucket, user_id, count, bytes_sent, bytes_received, errors, max_concurrency,"      \
      " duration_ms, first_second, last_second) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"                      \
      " ON CONFLICT DO UPDATE SET count = count + ?3, bytes_sent = bytes_sent + ?4,"                                   \
      " bytes_received = bytes_received + ?5, errors = errors + ?6, max_concurrency = max(max_concurrency, ?7),"       \
      " duration_ms = duration_ms + ?8, first_second = min(first_second, ?9), last_second = max(last_second, ?10)")    \
    X(W_HOUR_ADD,                                                                                                      \
      "INSERT INTO traffic_hour (bucket, user_id, order_id, count, bytes_sent, bytes_received, errors,"                \
      " max_concurrency, duration_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                                     \
      " ON CONFLICT DO UPDATE SET count = count + ?4, bytes_sent = bytes_sent + ?5,"                                   \
      " bytes_received = bytes_received + ?6, errors = errors + ?7, max_concurrency = max(max_concurrency, ?8),"       \
      " duration_ms = duration_ms + ?9")                                                                               \
    X(W_DAY_ADD,                                                                                                       \
      "INSERT INTO traffic_day (bucket, user_id, order_id, count, bytes_sent, bytes_received, errors,"                 \
      " max_concurrency, duration_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                                     \
      " ON CONFLICT DO UPDATE SET count = count + ?4, bytes_sent = bytes_sent + ?5,"                                   \
      " bytes_received = bytes_received + ?6, errors = errors + ?7, max_concurrency = max(max_concurrency, ?8),"       \
      " duration_ms = duration_ms + ?9")                                                                               \
    X(W_NEXT_HOUR, "SELECT bucket / 4 FROM traffic_quarter WHERE bucket >= ?1 * 4 ORDER BY bucket LIMIT 1")            \
    X(W_STORED_QUARTER, NEXT_STORED_QUARTER("?1"))                                                                     \
    X(W_ROW_AFTER, "SELECT quarter FROM raw_log WHERE quarter > ?1 ORDER BY quarter LIMIT 1")                          \
    X(W_ROW_USER_AT, "SELECT user_id FROM raw_log WHERE quarter = ?1 ORDER BY user_id LIMIT 1 OFFSET ?2")              \
    X(W_ROWS_OF_USERS, "SELECT user_id, " PART_FIELDS " FROM raw_log WHERE quarter = ?1 AND user_id <= ?2")            \
    X(W_ROWS_DROP, "DELETE FROM raw_log WHERE quarter = ?1 AND user_id <= ?2")                                         \
    X(W_ROW_ADD_AGAIN, "INSERT INTO raw_log (quarter, user_id, " PART_FIELDS                                           \
                       ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,"    \
                       " ?19, ?20)")                                                                                   \
    X(W_PART_ADD, "INSERT INTO log_part (day, user_id, first_second, last_second, logs, columns)"                      \
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                                                  \
    X(W_PART_OF_USER, "SELECT id, columns FROM log_part WHERE day = ?1 AND user_id = ?2 AND logs < ?3 LIMIT 1")        \
    X(W_PART_DROP, "DELETE FROM log_part WHERE id = ?1")                                                               \
    X(W_QUARTER_AFTER, "SELECT bucket FROM traffic_quarter WHERE bucket > ?1 ORDER BY bucket LIMIT 1")                 \
    X(W_QUARTER_DROP, "DELETE FROM traffic_quarter WHERE bucket = ?1")                                                 \
    X(W_NEWEST_QUARTER, "SELECT bucket FROM traffic_quarter ORDER BY bucket DESC LIMIT 1")                             \
    X(W_SET_CLOSED, "UPDATE closing SET closed_hour = ?1, closed_day = ?2 WHERE id = 1")                               \
    X(W_NOTE_CHANGE, "UPDATE closing SET changes = changes + 1 WHERE id = 1")                                          \
    X(W_LOGS,                                                                                                          \
      "SELECT user_id, domain, error, order_id, count, bytes_sent, bytes_received, error_count, max_concurrency,"      \
      " duration_ms, quarter * 900 + second, " VALUE_COLUMNS                                                           \
      " FROM raw_log WHERE quarter = ?1 AND user_id BETWEEN ?2 AND ?3")                                                \
    X(W_PARTS, "SELECT user_id, columns, id FROM log_part WHERE day = ?1 AND user_id BETWEEN ?2 AND ?3"                \
               " AND last_second >= ?4 AND first_second < ?5")                                                         \
    X(W_PARTS_FROM, "SELECT user_id, logs FROM log_part WHERE day = ?1 AND user_id >= ?2 ORDER BY user_id")            \
    X(W_NEXT_USER,                                                                                                     \
      "SELECT user_id FROM rollup_chunk WHERE tier = ?1 AND bucket = ?2 AND user_id > ?3 ORDER BY user_id LIMIT 1")    \
    X(W_CHUNKS_OF_USER, "SELECT entries FROM rollup_chunk WHERE tier = ?1 AND bucket = ?2 AND user_id = ?3")           \
    X(W_CHUNKS_DROP_FROM, "DELETE FROM rollup_chunk WHERE tier = ?1 AND bucket >= ?2")                                 \
    X(W_CHUNK_AT,                                                                                                      \
      "SELECT domain, entries FROM rollup_chunk WHERE tier = ?1 AND bucket = ?2 AND user_id = ?3 AND kind = ?4"        \
      " AND domain <= ?5 ORDER BY domain DESC LIMIT 1")                                                                \
    X(W_CHUNK_AFTER, "SELECT domain FROM rollup_chunk WHERE tier = ?1 AND bucket = ?2 AND user_id = ?3 AND kind = ?4"  \
                     " AND domain > ?5 ORDER BY domain LIMIT 1")                                                       \
    X(W_CHUNK_PUT, "INSERT OR REPLACE INTO rollup_chunk (tier, bucket, user_id, kind, domain, entries)"                \
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                                                 \
    X(W_CHUNK_DROP,                                                                                                    \
      "DELETE FROM rollup_chunk WHERE tier = ?1 AND bucket = ?2 AND user_id = ?3 AND kind = ?4 AND domain = ?5")       \
    X(W_HORIZON,                                                                                                       \
      "UPDATE retention SET count = count + (SELECT ifnull(sum(count), 0)" GONE_DAYS "), bytes_sent = bytes_sent"      \
      " + (SELECT ifnull(sum(bytes_sent), 0)" GONE_DAYS "), bytes_received = bytes_received"                           \
      " + (SELECT ifnull(sum(bytes_received), 0)" GONE_DAYS                                                            \
      "), errors = errors + (SELECT ifnull(sum(errors), 0)" GONE_DAYS                                                  \
      "), duration_ms = duration_ms + (SELECT ifnull(sum(duration_ms), 0)" GONE_DAYS                                   \
      "), raw_from = ?1, hour_from = ?2, day_from = ?3 WHERE id = 1")                                                  \
    X(W_GONE, "UPDATE retention SET logs = logs + ?1, count = count + ?2, bytes_sent = bytes_sent + ?3,"               \
              " bytes_received = bytes_received + ?4, errors = errors + ?5, duration_ms = max(0, duration_ms + ?6)"    \
              " WHERE id = 1")                                                                                         \
    X(W_DAYS_SWEPT, "UPDATE retention SET days_swept = ?1 WHERE id = 1")                                               \
    X(W_RAW_PRUNE, PRUNE("raw_log", "quarter, user_id, domain, order_id, batch_id, line", "quarter < ?1"))             \
    X(W_QUARTER_PRUNE, PRUNE("traffic_quarter", "bucket, user_id", "bucket < ?1"))                                     \
    X(W_HOUR_PRUNE, PRUNE("traffic_hour", "bucket, user_id, order_id", "bucket < ?1"))                                 \
    X(W_CHUNK_PRUNE, PRUNE("rollup_chunk", "tier, bucket, user_id, kind, domain", "tier = ?3 AND bucket < ?1"))        \
    X(W_DAY_NEXT, "SELECT user_id, order_id FROM traffic_day WHERE (user_id, order_id) > (?1, ?2) ORDER BY user_id, "  \
                  "order_id LIMIT 1")                                                                                  \
    X(W_DAY_PRUNE, "DELETE FROM traffic_day WHERE user_id = ?1 AND order_id = ?2 AND bucket < ?3")                     \
    X(W_GAPS_OF_DAY, "SELECT dimension FROM value_gap WHERE dimension IN (1, 2, 3, 4, 5, 6) AND bucket = ?1")          \
    X(W_GAP_ADD, "INSERT OR IGNORE INTO value_gap (dimension, bucket) VALUES (?1, ?2)")                                \
    X(W_GAP_DROP, "DELETE FROM value_gap WHERE dimension = ?1 AND bucket = ?2")                                        \
    X(W_GAPS_PRUNE, "DELETE FROM value_gap WHERE bucket < ?1")                                                         \
    X(W_VALUE_ADD,                                                                                                     \
      "INSERT INTO value_day (dimension, bucket, value, count, bytes_sent, bytes_received, errors,"                    \
      " max_concurrency, duration_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                                     \
      " ON CONFLICT DO UPDATE SET count = count + ?4, bytes_sent = bytes_sent + ?5,"                                   \
      " bytes_received = bytes_received + ?6, errors = errors + ?7, max_concurrency = max(max_concurrency, ?8),"       \
      " duration_ms = duration_ms + ?9")                                                                               \
    X(W_VALUES_COUNT, "SELECT count(*) FROM value_day WHERE dimension = ?1 AND bucket = ?2")                           \
    X(W_VALUES_DROP, "DELETE FROM value_day WHERE dimension = ?1 AND bucket = ?2")                                     \
    X(W_VALUES_PRUNE, PRUNE("value_day", "dimension, bucket, value", "dimension = ?3 AND bucket < ?1"))                \
    X(W_BATCH_FROM, "SELECT ifnull((SELECT min(id) FROM (SELECT id, received_at FROM batch ORDER BY id LIMIT ?2) "     \
                    "WHERE received_at >= ?1),"                                                                        \
                    " (SELECT max(id) FROM (SELECT id FROM batch ORDER BY id LIMIT ?2)))")                             \
    X(W_BATCH_GONE, "UPDATE retention SET batch_from = ?1, batch_logs = batch_logs"                                    \
                    " + (SELECT ifnull(sum(logs), 0) FROM batch WHERE id < ?1) WHERE id = 1")                          \
    X(W_BATCH_PRUNE, "DELETE FROM batch WHERE id < ?1")                                                                \
    X(W_FREE_PAGES, "PRAGMA freelist_count")                                                                           \
    X(W_PAGES, "PRAGMA page_count")                                                                                    \
    X(W_QUARTERS_DROP, "DELETE FROM traffic_quarter WHERE user_id = ?1"                                                \
                       " AND bucket IN (?3 * 4, ?3 * 4 + 1, ?3 * 4 + 2, ?3 * 4 + 3)")                                  \
    X(W_HOUR_DROP, "DELETE FROM traffic_hour WHERE bucket = ?3 AND user_id = ?1 AND order_id = ?2")                    \
    X(W_DAY_DROP, "DELETE FROM traffic_day WHERE user_id = ?1 AND order_id = ?2 AND bucket = ?3")                      \
    X(W_USER_HOURS_DROP, "DELETE FROM traffic_hour WHERE bucket = ?1 AND user_id > 0")                                 \
    X(W_USER_HOUR_NEXT,                                                                                                \
      "SELECT bucket FROM traffic_hour, upgrade, retention WHERE bucket >= max(user_hours_swept, raw_from * 24)"       \
      " AND user_id > 0 ORDER BY bucket LIMIT 1")                                                                      \
    X(W_USER_HOURS_SWEPT, "UPDATE upgrade SET user_hours_swept = ?1")                                                  \
    X(W_USER_CHUNKS_DROP, "DELETE FROM rollup_chunk WHERE tier = 1 AND bucket = ?1 AND user_id > 0")                   \
    X(W_DAY_REDO, "INSERT OR REPLACE INTO traffic_day (user_id, order_id, bucket, count, bytes_sent, bytes_received,"  \
                  " errors, max_concurrency, duration_ms) " HOURS_OF_DAY "SELECT 0, 0, ?1, sum(count),"                \
                  " sum(bytes_sent), sum(bytes_received), sum(errors), max(max_concurrency), sum(duration_ms)"         \
                  " FROM hours CROSS JOIN traffic_hour WHERE bucket = hour AND user_id = 0 AND order_id = 0"           \
                  " HAVING count(*) > 0")                                                                              \
    X(W_DAY_IS_BEGUN, "SELECT 1 FROM rollup_chunk WHERE tier = 2 AND bucket >= ?1 LIMIT 1")                            \
    X(W_DAY_DROP_USER, "DELETE FROM traffic_day WHERE user_id = ?1 AND bucket = ?2")                                   \
    X(W_DAYS_DROP_FROM, "DELETE FROM traffic_day WHERE bucket >= ?1")                                                  \
    X(W_CHUNKS_DROP_USER, "DELETE FROM rollup_chunk WHERE tier = ?2 AND bucket = ?3 AND user_id = ?1")                 \
    X(W_PAIR_DROP,                                                                                                     \
      "DELETE FROM order_user WHERE user_id = ?1 AND order_id = ?2"                                                    \
      " AND NOT EXISTS (SELECT 1 FROM traffic_day AS d WHERE d.user_id = ?1 AND d.order_id = ?2)"                      \
      " AND NOT EXISTS (SELECT 1 FROM traffic_quarter AS q CROSS JOIN raw_log AS r ON r.quarter = q.bucket"            \
      " AND r.user_id = ?1 AND r.order_id = ?2 WHERE q.user_id = ?1"                                                   \
      " AND q.bucket >= (SELECT closed_day * 96 FROM closing))"                                                        \
      " AND NOT EXISTS (SELECT 1 FROM packed_log WHERE quarter >= (SELECT closed_day * 96 FROM closing)"               \
      " AND user_id = ?1 AND order_id = ?2)")                                                                          \
    X(W_NAME_DROP, "DELETE FROM name WHERE id = ?1")                                                                   \
    X(W_TAKE, "DELETE FROM raw_log WHERE (" LOG_KEY ") IN (SELECT " LOG_KEY " FROM raw_log WHERE " SELECTED            \
              " LIMIT ?16) RETURNING user_id, order_id, second, count, bytes_sent, bytes_received, error_count,"       \
              " duration_ms")                                                                                          \
    X(W_IMPORTED, "SELECT b.source, r.second, " LOG_HASH " FROM (SELECT * FROM raw_log WHERE " SELECTED                \
                  " LIMIT ?16) AS r JOIN import_batch AS b ON b.batch_id = r.batch_id")                                \
    X(W_PACKED_USERS, "SELECT DISTINCT user_id FROM packed_log AS raw_log WHERE " SELECTED)                            \
    X(W_PARTS_PRUNE, "DELETE FROM log_part WHERE id IN (SELECT id FROM log_part WHERE day < ?1 ORDER BY day LIMIT ?2)" \
                     " RETURNING logs")                                                                                \
    X(W_KEYS_FORGET,                                                                                                   \
      "DELETE FROM batch_key WHERE (caller, received_at) IN (SELECT caller, received_at FROM batch"                    \
      " WHERE id BETWEEN ?1 AND ?2 EXCEPT SELECT caller, received_at FROM batch WHERE id < ?1 OR id > ?2)")            \
    X(W_KEYS_SHARED,                                                                                                   \
      "SELECT count(*) FROM batch_key WHERE (caller, received_at) IN (SELECT caller, received_at FROM batch"           \
      " WHERE id BETWEEN ?1 AND ?2)")                                                                                  \
    X(W_CHUNKS_OF_BUCKET, "SELECT user_id, entries FROM rollup_chunk WHERE tier = ?1 AND bucket = ?2"                  \
                          " AND user_id BETWEEN ?3 AND ?4")                                                            \
    X(W_QUARTERS_OF_ALL,                                                                                               \
      "INSERT INTO traffic_quarter (bucket, user_id, count, bytes_sent, bytes_received, errors, max_concurrency,"      \
      " duration_ms, first_second, last_second) SELECT bucket, 0, sum(count), sum(bytes_sent), sum(bytes_received),"   \
      " sum(errors), max(max_concurrency), sum(duration_ms), min(first_second), max(last_second) FROM traffic_quarter" \
      " WHERE bucket >= ?1 * 4 AND bucket < ?1 * 4 + 4 AND user_id > 0 GROUP BY bucket")

enum writer_statement {
#define WRITER_ENUM(name, sql) name,
    WRITER_SQL(WRITER_ENUM)
#undef WRITER_ENUM
        WRITER_STATEMENTS
};

/* Prepares them all. */
enum err sqlite_writer_prepare(struct db *db, struct fault *fault);

static inline sqlite3_stmt *sql_of(const struct db *db, enum writer_statement which)
{
    return db->statements[which];
}

/* Binds integers to parameters 1, 2, 3, … */
static inline void bind_all(sqlite3_stmt *statement, const int64_t *values, int count)
{
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(statement, i + 1, values[i]);
}
#define BIND_ALL(statement, ...)                                                                                       \
    bind_all(statement, (const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

/* Runs one of the statements that have one parameter or none: the first column of the first row, or `otherwise`. */
enum err sqlite_lookup(struct db *db, enum writer_statement which, int64_t value, int64_t otherwise, int64_t *ret_value,
                       struct fault *fault);

#endif
