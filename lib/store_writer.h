/* store_writer.h: what the files of the writing side share. Private to lib/store_*.c. */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "batch.h"
#include "fold.h"
#include "name_cache.h"
#include "store.h"
#include "store_db.h"

/* The writer's statements, prepared at start: W_NAME and its SQL. */
#define WRITER_SQL(X)                                                                                                  \
    X(W_NAME_FIND, "SELECT id FROM name WHERE text = ?1")                                                              \
    X(W_NAME_ADD, "INSERT INTO name (text) VALUES (?1)")                                                               \
    X(W_KEY_FIND, "SELECT body_hash FROM batch_key WHERE caller = ?1 AND key = ?2")                                    \
    X(W_KEY_ADD, "INSERT INTO batch_key (caller, key, body_hash, received_at) VALUES (?1, ?2, ?3, ?4)")                \
    X(W_KEY_EXPIRE, "DELETE FROM batch_key WHERE (caller, key) IN"                                                     \
                    " (SELECT caller, key FROM batch_key WHERE received_at < ?1 ORDER BY received_at LIMIT 500)")      \
    X(W_BATCH_ADD, "INSERT INTO batch (received_at, caller, logs) VALUES (?1, ?2, ?3)")                                \
    X(W_RAW_ADD,                                                                                                       \
      "INSERT INTO raw_log (quarter, user_id, domain, order_id, batch_id, line, second, port, protocol, ip_out,"       \
      " ip_from, peer, worker, error, count, bytes_sent, bytes_received, error_count, duration_ms, max_concurrency)"   \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)")           \
    X(W_ORDER_USER_ADD, "INSERT OR IGNORE INTO order_user (order_id, user_id) VALUES (?1, ?2)")                        \
    X(W_TRAFFIC_ADD,                                                                                                   \
      "INSERT INTO traffic (tier, bucket, user_id, order_id, count, bytes_sent, bytes_received, errors,"               \
      " max_concurrency) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                                                  \
      " ON CONFLICT DO UPDATE SET count = count + ?5, bytes_sent = bytes_sent + ?6,"                                   \
      " bytes_received = bytes_received + ?7, errors = errors + ?8, max_concurrency = max(max_concurrency, ?9)")       \
    X(W_DOMAIN_ADD,                                                                                                    \
      "INSERT INTO domain_traffic (tier, bucket, user_id, domain, order_id, count, bytes_sent, bytes_received,"        \
      " errors, max_concurrency, first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"              \
      " ON CONFLICT DO UPDATE SET count = count + ?6, bytes_sent = bytes_sent + ?7,"                                   \
      " bytes_received = bytes_received + ?8, errors = errors + ?9, max_concurrency = max(max_concurrency, ?10),"      \
      " first = min(first, ?11), last = max(last, ?12)")                                                               \
    X(W_ERROR_ADD, "INSERT INTO error_traffic (tier, bucket, user_id, error, domain, order_id, errors, first, last)"   \
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                                                      \
                   " ON CONFLICT DO UPDATE SET errors = errors + ?7, first = min(first, ?8), last = max(last, ?9)")    \
    X(W_NEXT_DAY, "SELECT bucket FROM traffic WHERE tier = 2 AND bucket >= ?1 ORDER BY bucket LIMIT 1")                \
    X(W_NEWEST_QUARTER, "SELECT bucket FROM traffic WHERE tier = 0 ORDER BY bucket DESC LIMIT 1")                      \
    X(W_SET_CLOSED, "UPDATE closing SET closed_day = ?1 WHERE id = 1")                                                 \
    X(W_CLOSE_DOMAIN_USERS,                                                                                            \
      "INSERT INTO domain_traffic SELECT 2, ?1, user_id, domain, order_id, sum(count), sum(bytes_sent),"               \
      " sum(bytes_received), sum(error_count), max(max_concurrency), min(quarter * 900 + second),"                     \
      " max(quarter * 900 + second) FROM raw_log WHERE quarter >= ?1 * 96 AND quarter < (?1 + 1) * 96"                 \
      " GROUP BY user_id, domain, order_id")                                                                           \
    X(W_CLOSE_DOMAIN_ALL,                                                                                              \
      "INSERT INTO domain_traffic SELECT 2, ?1, 0, domain, 0, sum(count), sum(bytes_sent), sum(bytes_received),"       \
      " sum(errors), max(max_concurrency), min(first), max(last) FROM domain_traffic"                                  \
      " WHERE tier = 1 AND bucket >= ?1 * 24 AND bucket < (?1 + 1) * 24 GROUP BY domain")                              \
    X(W_CLOSE_ERROR_USERS,                                                                                             \
      "INSERT INTO error_traffic SELECT 2, ?1, user_id, error, domain, order_id, sum(error_count),"                    \
      " min(quarter * 900 + second), max(quarter * 900 + second) FROM raw_log"                                         \
      " WHERE quarter >= ?1 * 96 AND quarter < (?1 + 1) * 96 AND error <> 0"                                           \
      " GROUP BY user_id, error, domain, order_id")                                                                    \
    X(W_CLOSE_ERROR_ALL,                                                                                               \
      "INSERT INTO error_traffic SELECT 2, ?1, 0, error, domain, 0, sum(errors), min(first), max(last)"                \
      " FROM error_traffic WHERE tier = 1 AND bucket >= ?1 * 24 AND bucket < (?1 + 1) * 24 GROUP BY error, domain")    \
    X(W_WIDEN_DOMAIN, /* four buckets of tier ?1 - 1 become bucket ?2 of tier ?1 */                                    \
      "INSERT INTO domain_traffic SELECT ?1, ?2, user_id, domain, order_id, sum(count), sum(bytes_sent),"              \
      " sum(bytes_received), sum(errors), max(max_concurrency), min(first), max(last) FROM domain_traffic"             \
      " WHERE tier = ?1 - 1 AND bucket >= ?2 * 4 AND bucket < (?2 + 1) * 4 GROUP BY user_id, domain, order_id")        \
    X(W_WIDEN_ERROR,                                                                                                   \
      "INSERT INTO error_traffic SELECT ?1, ?2, user_id, error, domain, order_id, sum(errors), min(first), max(last)"  \
      " FROM error_traffic WHERE tier = ?1 - 1 AND bucket >= ?2 * 4 AND bucket < (?2 + 1) * 4"                         \
      " GROUP BY user_id, error, domain, order_id")

enum writer_statement {
#define WRITER_ENUM(name, sql) name,
    WRITER_SQL(WRITER_ENUM)
#undef WRITER_ENUM
        WRITER_STATEMENTS
};

/* One log on its way to disk: the raw table's key, and where the rest of it is. */
struct raw_row {
    int64_t quarter;
    int64_t user_id;
    int64_t domain;
    int64_t order_id;
    int64_t batch_id;
    uint32_t line;
    const struct log_record *log;
    size_t first_name; /* where its batch's ids begin in writer->name_ids: index in batch names → name.id */
};

struct store_writer {
    struct db db;
    int lock;
    struct name_cache names;
    struct fold orders; /* (order, user) pairs known to be in order_user */
    int64_t closed_day; /* closing.closed_day */

    /* The sums over everything that is stored: none of them may pass 2^63-1, so none of their parts can. */
    struct totals grand;

    /* One group's work; memory is kept from group to group. */
    struct raw_row *rows;
    size_t row_count, row_cap;
    int64_t *name_ids;
    size_t name_id_count, name_id_cap;
    struct fold traffic, domains, errors;

    int wal_pages;       /* in the WAL after the last commit */
    int checkpoint_at;   /* so many are worth a checkpoint */
    bool sync_failed;    /* for good */
    bool unhealthy;      /* the last write failed */
    struct fault reason; /* of either */
};

static inline sqlite3_stmt *writer_statement(struct store_writer *writer, enum writer_statement which)
{
    return writer->db.statements[which];
}

/* store_names.c: the ids of a batch's names, new ones stored. Appends batch->name_count ids to writer->name_ids. */
enum err store_resolve_names(struct store_writer *writer, const struct batch *batch, struct fault *fault);

/* The id of one text, stored when new. */
enum err store_resolve_text(struct store_writer *writer, struct slice text, int64_t *ret_id, struct fault *fault);

/* store_rollup.c: adds writer->rows to every rollup. */
enum err store_rollup(struct store_writer *writer, struct fault *fault);

/* Closes the next day when it is due at `now`, in a transaction of its own; *ret_more when another may be due. */
enum err store_close_day(struct store_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

#endif
