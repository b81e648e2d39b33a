/* verifier.h: the ground that the files of verify share: the database as they read it, and how they report a
 * difference. */
#ifndef STORE_SQLITE_CARE_VERIFIER_H
#define STORE_SQLITE_CARE_VERIFIER_H

#include "base/work.h"
#include "db/db.h"
#include "rollup/fold.h"
#include "rollup/tier.h"
#include "store/sqlite/care/care.h"
#include "store/sqlite/file.h"
#include "store/sqlite/log_hash.h"
#include "store/sqlite/packed_log.h"
#include "store/sqlite/value_day.h"

/* Sums of a traffic table as struct fold_entry: bucket, user, order, sums, first and last. */
#define TRAFFIC_ROWS(order, first, last)                                                                               \
    "SELECT bucket, user_id, " order                                                                                   \
    ", count, bytes_sent, bytes_received, errors, max_concurrency, duration_ms, " first ", " last " FROM "
#define OF_USERS " WHERE bucket >= ?1 AND bucket < ?2 AND user_id BETWEEN ?3 AND ?4 ORDER BY bucket, user_id"
#define SUMS(errors)                                                                                                   \
    "ifnull(sum(count), 0), ifnull(sum(bytes_sent), 0), ifnull(sum(bytes_received), 0), "                              \
    "ifnull(sum(" errors "), 0), 0, ifnull(sum(duration_ms), 0)"

#define VERIFY_SQL(X)                                                                                                  \
    X(V_BEGIN, "BEGIN")                                                                                                \
    X(V_END, "COMMIT")                                                                                                 \
    X(V_CLOSING, "SELECT closed_hour, closed_day, (SELECT durations_from FROM upgrade) FROM closing WHERE id = 1")     \
    X(V_RETENTION, "SELECT raw_from, hour_from, day_from, batch_from, batch_logs, logs FROM retention WHERE id = 1")   \
    X(V_NAME, "SELECT text FROM name WHERE id = ?1")                                                                   \
    X(V_RAW, "SELECT user_id, domain, error, order_id, count, bytes_sent, bytes_received, error_count,"                \
             " max_concurrency, duration_ms, quarter * 900 + second, quarter FROM " STORED_LOG                         \
             " WHERE quarter BETWEEN ?1 AND ?2 AND user_id BETWEEN ?3 AND ?4")                                         \
    X(V_QUARTERS,                                                                                                      \
      TRAFFIC_ROWS("0", "bucket * 900 + first_second", "bucket * 900 + last_second") "traffic_quarter" OF_USERS)       \
    X(V_HOURS, TRAFFIC_ROWS("order_id", "0", "0") "traffic_hour" OF_USERS ", order_id")                                \
    X(V_DAYS, TRAFFIC_ROWS("order_id", "0", "0") "traffic_day" OF_USERS ", order_id")                                  \
    X(V_CHUNKS, "SELECT user_id, kind, domain, entries FROM rollup_chunk WHERE tier = ?1 AND bucket = ?2"              \
                " AND user_id BETWEEN ?3 AND ?4 ORDER BY user_id, kind, domain")                                       \
    X(V_NEXT_RAW, NEXT_STORED_QUARTER("?1"))                                                                           \
    X(V_NEXT_QUARTER, "SELECT bucket FROM traffic_quarter WHERE bucket >= ?1 ORDER BY bucket LIMIT 1")                 \
    X(V_NEXT_HOUR, "SELECT bucket FROM traffic_hour WHERE bucket >= ?1 ORDER BY bucket LIMIT 1")                       \
    X(V_NEXT_DAY, "SELECT min(bucket) FROM traffic_day WHERE bucket >= ?1")                                            \
    X(V_NEXT_CHUNK, "SELECT bucket FROM rollup_chunk WHERE bucket >= ?1 AND tier = ?2 ORDER BY bucket LIMIT 1")        \
    X(V_NEWEST_RAW, NEWEST_STORED_QUARTER)                                                                             \
    X(V_RAW_VALUES, "SELECT count, bytes_sent, bytes_received, error_count, max_concurrency, duration_ms,"             \
                    " " VALUE_COLUMNS " FROM " STORED_LOG " WHERE quarter BETWEEN ?1 AND ?2")                          \
    X(V_VALUES, "SELECT count, bytes_sent, bytes_received, errors, max_concurrency, duration_ms, dimension, value"     \
                " FROM value_day WHERE dimension IN (1, 2, 3, 4, 5, 6) AND bucket = ?1")                               \
    X(V_GAPS, "SELECT dimension FROM value_gap WHERE dimension IN (1, 2, 3, 4, 5, 6) AND bucket = ?1")                 \
    X(V_NEXT_VALUE,                                                                                                    \
      "WITH RECURSIVE d (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM d WHERE n < 6) SELECT min(bucket)"                \
      " FROM (SELECT (SELECT min(bucket) FROM value_day WHERE dimension = n AND bucket >= ?1) AS bucket"               \
      " FROM d UNION ALL SELECT (SELECT min(bucket) FROM value_gap WHERE dimension = n AND bucket >= ?1)"              \
      " FROM d)")                                                                                                      \
    X(V_ORDER_USER, "SELECT 1 FROM order_user WHERE order_id = ?1 AND user_id = ?2")                                   \
    X(V_ORDER_USERS, "SELECT order_id, user_id FROM order_user")                                                       \
    X(V_TOTAL, "SELECT count, bytes_sent, bytes_received, errors, 0, duration_ms FROM total WHERE id = 1")             \
    X(V_TOTAL_OF_QUARTERS, "SELECT " SUMS("errors") " FROM traffic_quarter WHERE user_id = 0 AND bucket >= ?1 * 96")   \
    X(V_TOTAL_OF_RAW, "SELECT " SUMS("error_count") " FROM " STORED_LOG " WHERE quarter >= ?1 * 96")                   \
    X(V_TOTAL_GONE, "SELECT count, bytes_sent, bytes_received, errors, 0, duration_ms FROM retention WHERE id = 1")    \
    X(V_LOGS, "SELECT sum(logs) FROM batch WHERE id <= ?1")                                                            \
    X(V_NEWEST_BATCH, "SELECT max(id) FROM batch")                                                                     \
    X(V_BATCHES, "SELECT id, logs FROM batch WHERE id > ?1 AND id <= ?2 ORDER BY id")                                  \
    X(V_RAW_BATCHES, "SELECT batch_id FROM " STORED_LOG " WHERE quarter BETWEEN ?1 AND ?2")                            \
    X(V_PACKED_LOGS, "SELECT sum(logs) FROM log_part")                                                                 \
    X(V_PARTS, "SELECT id, day, user_id, first_second, last_second, logs, columns FROM log_part WHERE id > ?1"         \
               " ORDER BY id LIMIT ?2")                                                                                \
    X(V_ANY_IMPORT, "SELECT 1 FROM import_batch LIMIT 1")                                                              \
    X(V_IMPORTS_DAMAGED, "SELECT count(*) FROM import_log WHERE count < 1 OR edges NOT BETWEEN 0 AND 3"                \
                         " OR source NOT IN (SELECT id FROM name)")                                                    \
    X(V_NOT_KNOWN,                                                                                                     \
      "SELECT (SELECT text FROM name WHERE id = source), ts, sum(missing) FROM (SELECT source, ts, n - (SELECT"        \
      " ifnull(sum(count), 0) FROM import_log AS l WHERE l.source = i.source AND l.second = ts AND l.hash = i.hash)"   \
      " AS missing FROM (SELECT b.source AS source, r.quarter * 900 + r.second AS ts, " LOG_HASH " AS hash,"           \
      " count(*) AS n " IMPORTED_LOGS " AND (NOT b.is_old OR ?1 IN (SELECT quarter FROM import_read))"                 \
      " GROUP BY 1, 2, 3) AS i) WHERE missing > 0 GROUP BY source, ts")

enum verify_statement {
#define VERIFY_ENUM(name, sql) name,
    VERIFY_SQL(VERIFY_ENUM)
#undef VERIFY_ENUM
        VERIFY_STATEMENTS
};

/* A part of one period that is compared in one go: in one read transaction, within the memory allowed. */
struct share {
    enum tier tier;
    int64_t bucket;
    bool traffic;      /* of an hour, traffic_quarter and traffic_hour; of a day and of 16, traffic_day */
    bool entries;      /* rollup_chunk */
    int64_t user_from; /* users from … to; 0, everyone, among them */
    int64_t user_to;
    int64_t domain_from; /* of the entries */
    int64_t domain_to;
};

#define CHUNK_TABLE "rollup_chunk" /* the one whose rows are of domains and errors */

#define WINDOW_HOURS 384                /* hours in 16 days */
#define VERIFY_END INT64_C(32503680000) /* 3000-01-01: no log is later */

/* The table retention. */
struct retention_row {
    int64_t raw_from; /* days */
    int64_t hour_from;
    int64_t day_from;
    int64_t batch_from;
    int64_t batch_logs;
    int64_t logs;
};

/* The rows that a day whose logs are kept has in traffic_day. */
enum day_rows { NOT_SEEN, COMPARED, OVERLOOKED };

struct verifier {
    struct db db;
    const struct sqlite_verify_options *options;
    struct work work;
    struct sqlite_verified result;
    size_t max_entries;

    const char *data_dir; /* borrowed */
    int64_t wal_bytes;    /* a WAL of more is waited for */

    int64_t closed_hour; /* as of this read transaction */
    int64_t closed_day;
    int64_t durations_from;    /* hour; earlier sums do not know them */
    struct retention_row kept; /* likewise */

    /* What a share should hold: rows of the traffic tables, and packed entries. */
    struct fold traffic;
    struct fold entries;
    int64_t raw_rows;  /* logs they were added up from */
    bool too_many;     /* the share's do not fit */
    bool unknown;      /* its logs are gone, and what else would tell is wrong itself */
    struct fold pairs; /* (order, user), of an hour's logs */

    struct fold orders;                 /* (order, user) pairs; count: 0, not seen in raw_log yet */
    int64_t window;                     /* the 16 days under way */
    enum day_rows days[16];             /* of them */
    bool bad[TIER_COUNT][WINDOW_HOURS]; /* periods in them with a difference: nothing is derived from them */
    bool parts_bad;                     /* there is one in log_part */
    bool quarters_bad;                  /* there is a difference in traffic_quarter */
};

static inline sqlite3_stmt *verify_statement(const struct verifier *verifier, enum verify_statement which)
{
    return verifier->db.statements[which];
}

/* Binds integers to parameters 1, 2, 3, … */
static inline sqlite3_stmt *verify_bind(const struct verifier *verifier, enum verify_statement which, int count,
                                        const int64_t *values)
{
    sqlite3_stmt *statement = verify_statement(verifier, which);
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(statement, i + 1, values[i]);
    return statement;
}
#define VERIFY_BIND(verifier, which, ...)                                                                              \
    verify_bind(verifier, which, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

/* The first user of a share in a table. Rows of users below 1 should not exist; they are compared with the rows of
 * everyone (0). */
static inline int64_t first_user(const struct share *share)
{
    return share->user_from == 0 ? INT64_MIN : share->user_from;
}

/* Does the period begin before the day? Then it is older than what is kept from that day on. */
static inline bool begins_before(enum tier tier, int64_t bucket, int64_t day)
{
    return bucket * tier_width(tier) < day * tier_width(TIER_DAY);
}

/* Are traffic tables compared with it? Days whose logs are gone are compared sixteen at a time. */
static inline bool has_traffic(const struct verifier *verifier, const struct share *share)
{
    return share->traffic &&
           (share->tier != TIER_DAY || !begins_before(TIER_DAY, share->bucket, verifier->kept.raw_from));
}

/* Opens the database for reading. verifier_close after an error too; its options and watch are set already. */
enum err verifier_open(struct verifier *verifier, const char *data_dir, struct fault *fault);
void verifier_close(struct verifier *verifier);

/* A read transaction. Within it the database does not change, and closed_hour, closed_day and kept are what it says. */
enum err verify_begin(struct verifier *verifier, struct fault *fault);
void verify_end(struct verifier *verifier);

/* Steps a statement that was bound: a row, or none. */
enum err verify_step(struct verifier *verifier, sqlite3_stmt *statement, bool *ret_row, struct fault *fault);

/* The first column of the first row, which may be missing. */
enum err verify_i64(struct verifier *verifier, sqlite3_stmt *statement, int64_t otherwise, int64_t *ret_value,
                    struct fault *fault);

/* Begins a step of the progress, whose total is known or 0. */
void verify_next_step(struct verifier *verifier, const char *step, int64_t total);

/* To be called between read transactions. Gives the writer time for a checkpoint when the WAL has grown far.
 * ERR_UNAVAILABLE when the work is to stop. */
enum err verify_pause(struct verifier *verifier, struct fault *fault);

/* Do readers use this period's rows already? And may it be half packed, so that they do not? */
bool verify_is_closed(const struct verifier *verifier, enum tier tier, int64_t bucket);
bool verify_may_be_half_packed(const struct verifier *verifier, enum tier tier, int64_t bucket);

/* Counts a difference and, while there are few, reports it in words. `is_fact`: a rebuild cannot repair it. */
void verify_differs(struct verifier *verifier, const char *table, bool is_fact, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for the row or packed entry of `key`. `there` is NULL when the table does not have it, `due` when it should
 * not. */
void verify_differs_at(struct verifier *verifier, const char *table, const struct fold_key *key,
                       const struct totals *there, const struct totals *due, const char *words);

#endif
