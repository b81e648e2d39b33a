/* writer.h: what the files of the writing side share. Private to the SQLite engine. */
#ifndef STORE_SQLITE_WRITE_WRITER_H
#define STORE_SQLITE_WRITE_WRITER_H

#include "log/batch.h"
#include "rollup/fold.h"
#include "log/import_mark.h"
#include "store/sqlite/name_cache.h"
#include "rollup/pack.h"
#include "store/engine.h"
#include "store/sqlite/sqlite.h"
#include "db/db.h"

/* What a horizon passes on its way to the day ?1; and some rows of a table, in key order. */
#define GONE_DAYS " FROM traffic_day WHERE user_id = 0 AND order_id = 0 AND bucket >= raw_from AND bucket < ?1"
#define PRUNE(table, key, which)                                                                                       \
    "DELETE FROM " table " WHERE (" key ") IN (SELECT " key " FROM " table " WHERE " which " ORDER BY " key " LIMIT "  \
    "?2)"
#define IMPORT_CALLER "(SELECT id FROM name WHERE text = '" STORE_IMPORT_CALLER "')"

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
    X(W_BATCH_ADD, "INSERT INTO batch (received_at, caller, logs) VALUES (?1, ?2, ?3)")                                \
    X(W_RAW_ADD,                                                                                                       \
      "INSERT INTO raw_log (quarter, user_id, domain, order_id, batch_id, line, second, port, protocol, ip_out,"       \
      " ip_from, peer, worker, error, count, bytes_sent, bytes_received, error_count, duration_ms, max_concurrency)"   \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)")           \
    X(W_ORDER_USER_ADD, "INSERT OR IGNORE INTO order_user (order_id, user_id) VALUES (?1, ?2)")                        \
    X(W_SET_TOTAL, "UPDATE total SET count = ?1, bytes_sent = ?2, bytes_received = ?3, errors = ?4 WHERE id = 1")      \
    X(W_QUARTER_ADD,                                                                                                   \
      "INSERT INTO traffic_quarter (bucket, user_id, count, bytes_sent, bytes_received, errors, max_concurrency,"      \
      " first_second, last_second) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                                        \
      " ON CONFLICT DO UPDATE SET count = count + ?3, bytes_sent = bytes_sent + ?4,"                                   \
      " bytes_received = bytes_received + ?5, errors = errors + ?6, max_concurrency = max(max_concurrency, ?7),"       \
      " first_second = min(first_second, ?8), last_second = max(last_second, ?9)")                                     \
    X(W_HOUR_ADD,                                                                                                      \
      "INSERT INTO traffic_hour (bucket, user_id, order_id, count, bytes_sent, bytes_received, errors,"                \
      " max_concurrency) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"                                                      \
      " ON CONFLICT DO UPDATE SET count = count + ?4, bytes_sent = bytes_sent + ?5,"                                   \
      " bytes_received = bytes_received + ?6, errors = errors + ?7, max_concurrency = max(max_concurrency, ?8)")       \
    X(W_DAY_ADD,                                                                                                       \
      "INSERT INTO traffic_day (bucket, user_id, order_id, count, bytes_sent, bytes_received, errors,"                 \
      " max_concurrency) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"                                                      \
      " ON CONFLICT DO UPDATE SET count = count + ?4, bytes_sent = bytes_sent + ?5,"                                   \
      " bytes_received = bytes_received + ?6, errors = errors + ?7, max_concurrency = max(max_concurrency, ?8)")       \
    X(W_CLOSE_TRAFFIC,                                                                                                 \
      "INSERT INTO traffic_day (user_id, order_id, bucket, count, bytes_sent, bytes_received, errors,"                 \
      " max_concurrency) SELECT user_id, order_id, ?1, sum(count), sum(bytes_sent), sum(bytes_received),"              \
      " sum(errors), max(max_concurrency) FROM traffic_hour WHERE bucket >= ?1 * 24 AND bucket < (?1 + 1) * 24"        \
      " GROUP BY user_id, order_id")                                                                                   \
    X(W_NEXT_HOUR, "SELECT bucket / 4 FROM traffic_quarter WHERE bucket >= ?1 * 4 ORDER BY bucket LIMIT 1")            \
    X(W_RAW_AFTER, "SELECT quarter FROM raw_log WHERE quarter > ?1 ORDER BY quarter LIMIT 1")                          \
    X(W_QUARTER_AFTER, "SELECT bucket FROM traffic_quarter WHERE bucket > ?1 ORDER BY bucket LIMIT 1")                 \
    X(W_QUARTER_DROP, "DELETE FROM traffic_quarter WHERE bucket = ?1")                                                 \
    X(W_NEWEST_QUARTER, "SELECT bucket FROM traffic_quarter ORDER BY bucket DESC LIMIT 1")                             \
    X(W_SET_CLOSED, "UPDATE closing SET closed_hour = ?1, closed_day = ?2 WHERE id = 1")                               \
    X(W_NOTE_CHANGE, "UPDATE closing SET changes = changes + 1 WHERE id = 1")                                          \
    X(W_RAW_QUARTER,                                                                                                   \
      "SELECT user_id, domain, error, order_id, count, bytes_sent, bytes_received, error_count, max_concurrency,"      \
      " quarter * 900 + second FROM raw_log WHERE quarter = ?1")                                                       \
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
      "), raw_from = ?1, hour_from = ?2, day_from = ?3 WHERE id = 1")                                                  \
    X(W_GONE, "UPDATE retention SET logs = logs + ?1, count = count + ?2, bytes_sent = bytes_sent + ?3,"               \
              " bytes_received = bytes_received + ?4, errors = errors + ?5 WHERE id = 1")                              \
    X(W_DAYS_SWEPT, "UPDATE retention SET days_swept = ?1 WHERE id = 1")                                               \
    X(W_RAW_PRUNE, PRUNE("raw_log", "quarter, user_id, domain, order_id, batch_id, line", "quarter < ?1"))             \
    X(W_QUARTER_PRUNE, PRUNE("traffic_quarter", "bucket, user_id", "bucket < ?1"))                                     \
    X(W_HOUR_PRUNE, PRUNE("traffic_hour", "bucket, user_id, order_id", "bucket < ?1"))                                 \
    X(W_CHUNK_PRUNE, PRUNE("rollup_chunk", "tier, bucket, user_id, kind, domain", "tier = ?3 AND bucket < ?1"))        \
    X(W_DAY_NEXT, "SELECT user_id, order_id FROM traffic_day WHERE (user_id, order_id) > (?1, ?2) ORDER BY user_id, "  \
                  "order_id LIMIT 1")                                                                                  \
    X(W_DAY_PRUNE, "DELETE FROM traffic_day WHERE user_id = ?1 AND order_id = ?2 AND bucket < ?3")                     \
    X(W_BATCH_FROM, "SELECT ifnull((SELECT min(id) FROM (SELECT id, received_at FROM batch ORDER BY id LIMIT ?2) "     \
                    "WHERE received_at >= ?1),"                                                                        \
                    " (SELECT max(id) FROM (SELECT id FROM batch ORDER BY id LIMIT ?2)))")                             \
    X(W_BATCH_GONE, "UPDATE retention SET batch_from = ?1, batch_logs = batch_logs"                                    \
                    " + (SELECT ifnull(sum(logs), 0) FROM batch WHERE id < ?1) WHERE id = 1")                          \
    X(W_BATCH_PRUNE, "DELETE FROM batch WHERE id < ?1")                                                                \
    X(W_FREE_PAGES, "PRAGMA freelist_count")                                                                           \
    X(W_PAGES, "PRAGMA page_count")

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

/* A day, or a wider period, that is being packed, some users in each transaction. */
struct packing {
    bool clean;  /* no half-packed period is in the table but this one */
    bool active; /* the rest is about a period */
    enum tier tier;
    int64_t bucket;
    int64_t *users; /* who has logs in it, ascending; users[next …] are still to be packed */
    size_t count, cap, next;
    size_t entries;       /* read in this slice */
    size_t slice_entries; /* as many end it */
};

/* What is no longer kept: the table retention. Days: buckets of tier 2. */
struct horizons {
    int64_t raw_from;
    int64_t hour_from;
    int64_t day_from;
};

#define RETAIN_TABLES 6 /* that have rows to delete */

/* Deleting what is no longer kept. */
struct pruning {
    struct store_retention retention;
    int64_t before;              /* a day: everything older goes, whatever `retention` says; 0: none */
    bool give_back_all;          /* no free page is kept for what comes next */
    bool gives_back;             /* the file was made with auto_vacuum */
    bool pending;                /* there may be rows before the horizons, or pages to give back */
    bool vacuuming;              /* the rows are gone, the pages not */
    int64_t swept;               /* traffic_day has no rows before this day */
    int64_t user, order;         /* so far it was gone through */
    int64_t rows[RETAIN_TABLES]; /* that were deleted, since the start */
};

struct sqlite_writer {
    struct store_writer base;
    struct db db;
    int lock;
    struct name_cache names;
    struct fold orders;  /* (order, user) pairs known to be in order_user */
    int64_t closed_hour; /* the table closing */
    int64_t closed_day;
    struct packing packing;
    struct horizons horizons;
    struct pruning pruning;

    /* The sums over everything that is stored: none of them may pass 2^63-1, so none of their parts can. */
    struct totals grand;

    /* One group's work; memory is kept from group to group. */
    struct raw_row *rows;
    size_t row_count, row_cap;
    int64_t *name_ids;
    size_t name_id_count, name_id_cap;
    struct fold traffic;
    struct fold packed;        /* entries on their way into rollup_chunk */
    struct fold chunk;         /* the entries of one chunk, merged */
    struct pack_writer packer; /* the chunk being written */

    int64_t keys_expired_until; /* of keys that are older, only marks of imports are left */

    int64_t logs_packed; /* raw logs read to close hours, since the start */

    int wal_pages;     /* in the WAL after the last commit, unless all of them are home */
    int checkpoint_at; /* so many are worth a checkpoint */
    int wal_length;    /* in the WAL, at home or not; 0 when the next commit begins it anew */
    bool wal_is_old;   /* it is of before this start: nothing may be appended to it */
    int64_t page_bytes;
    struct sqlite_wal_watch watch;
    int64_t wal_limit_bytes; /* over it, nothing is written until it has begun anew */
    bool sync_failed;        /* for good */
    bool unhealthy;          /* the last write failed */
    struct fault reason;     /* of either */
};

static inline sqlite3_stmt *writer_statement(struct sqlite_writer *writer, enum writer_statement which)
{
    return writer->db.statements[which];
}

/* write/write.c, write/retain.c: what store.h says of the functions of these names. */
enum err sqlite_writer_open(const char *data_dir, struct sqlite_writer **ret_writer, struct fault *fault);
void sqlite_writer_close(struct sqlite_writer *writer);
void sqlite_write(struct sqlite_writer *writer, struct store_item *items, size_t count, int64_t now,
                  struct store_times *ret_times);
/* An idempotency time for sqlite_maintain that forgets no key. */
#define KEEP_KEYS (INT64_C(1) << 40)

enum err sqlite_maintain(struct sqlite_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault);
void sqlite_set_retention(struct sqlite_writer *writer, const struct store_retention *retention);
enum err sqlite_writer_health(struct sqlite_writer *writer, struct fault *fault);
void sqlite_writer_probe(struct sqlite_writer *writer);

/* write/names.c: the ids of a batch's names, new ones stored. Appends batch->name_count ids to writer->name_ids. */
enum err sqlite_resolve_names(struct sqlite_writer *writer, const struct batch *batch, struct fault *fault);

/* The id of one text, stored when new. */
enum err sqlite_resolve_text(struct sqlite_writer *writer, struct slice text, int64_t *ret_id, struct fault *fault);

/* write/import.c: a chunk of an import, that begins at a mark: sets item->already, and *ret_end, its end's mark. */
enum err sqlite_import_find(struct sqlite_writer *writer, struct store_item *item, const struct import_mark *begin,
                            struct import_mark *ret_end, struct fault *fault);

/* write/import.c: what ends there is stored. */
enum err sqlite_import_mark(struct sqlite_writer *writer, const struct import_mark *end, int64_t now,
                            struct fault *fault);

/* write/rollup.c: adds writer->rows to the rollups; to those of closed hours only where a log is late. */
enum err sqlite_rollup(struct sqlite_writer *writer, struct fault *fault);

/* write/rollup.c: notes a log in writer->traffic, for its quarter of an hour: everyone, its user. */
enum err sqlite_quarter_add(struct sqlite_writer *writer, int64_t quarter, int64_t user_id,
                            const struct totals *totals);

/* write/rollup.c: notes a log of a closed hour (or one that is being closed) in writer->traffic: everyone, its user,
 * its order. */
enum err sqlite_traffic_add(struct sqlite_writer *writer, int64_t user_id, int64_t order_id,
                            const struct totals *totals);

/* write/rollup.c: adds writer->traffic to the tables, and forgets it. */
enum err sqlite_traffic_put(struct sqlite_writer *writer, struct fault *fault);

/* write/pack.c: adds the entries of writer->packed to rollup_chunk, and forgets them. `fresh`: none of their buckets
 * and users has chunks yet, so there is nothing to merge with. */
enum err sqlite_pack(struct sqlite_writer *writer, bool fresh, struct fault *fault);

/* write/close.c: closes the next hour or day when it is due at `now`, in a transaction of its own; *ret_more when
 * another may be due. */
enum err sqlite_close_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

/* write/retain.c: moves a horizon that is due at `now`, or deletes some of what lies before one, or gives some pages
 * back, in a transaction of its own; *ret_more when there may be more to do. */
enum err sqlite_retain_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

/* write/retain.c: the day that the newest log lies in, or `now` if that is earlier; -1: there are no logs. */
enum err sqlite_retain_today(struct sqlite_writer *writer, int64_t now, int64_t *ret_day, struct fault *fault);

/* Is this bucket not before its tier's horizon? Then it has rows, once it is closed. */
static inline bool sqlite_is_kept(const struct sqlite_writer *writer, enum tier tier, int64_t bucket)
{
    int64_t day = tier <= TIER_HOUR ? writer->horizons.hour_from : writer->horizons.day_from;
    return bucket * tier_width(tier) >= day * tier_width(TIER_DAY);
}

/* write/close.c: the first column of the first row, for one parameter or none. */
enum err sqlite_lookup(struct sqlite_writer *writer, enum writer_statement which, int64_t value, int64_t otherwise,
                       int64_t *ret_value, struct fault *fault);

/* write/close.c: the measures of a row of W_RAW_QUARTER. */
struct totals sqlite_raw_totals(sqlite3_stmt *statement);

/* write/close.c: are this user's entries of this bucket packed, so that a late log must be added to them? */
bool sqlite_is_packed(const struct sqlite_writer *writer, enum tier tier, int64_t bucket, int64_t user);

/* write/write.c. May another transaction go into the WAL? Not over the ceiling, which one may pass, and not into an old
 * WAL: if a sync failed before this start, the WAL as the system shows it may not be the one on the disk, and no later
 * sync would tell. Then it must begin anew first, and a reader may be in the way. */
enum err sqlite_make_room(struct sqlite_writer *writer, struct fault *fault);

/* write/write.c: moves the WAL's pages home, as far as readers let it; due when there are many. */
enum err sqlite_checkpoint(struct sqlite_writer *writer, struct fault *fault);

/* Deleting fills the WAL faster than batches do, so that each wait for a checkpoint would be felt: while a service
 * deletes, checkpoints come by so many pages earlier, and take a fourth of the time. */
#define EARLIER_PAGES 3000

static inline bool sqlite_checkpoint_is_due(const struct sqlite_writer *writer)
{
    bool deleting = writer->pruning.pending && !writer->pruning.give_back_all && writer->wal_pages > 0;
    return writer->wal_pages >= writer->checkpoint_at - (deleting ? EARLIER_PAGES : 0);
}

static inline struct totals log_totals(const struct log_record *log)
{
    return (struct totals){.count = log->count,
                           .bytes_sent = log->bytes_sent,
                           .bytes_received = log->bytes_received,
                           .errors = log->error_count,
                           .max_concurrency = log->max_concurrency,
                           .first = log->ts,
                           .last = log->ts};
}

/* Binds integers to parameters 1, 2, 3, … */
static inline void bind_all(sqlite3_stmt *statement, const int64_t *values, int count)
{
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(statement, i + 1, values[i]);
}
#define BIND_ALL(statement, ...)                                                                                       \
    bind_all(statement, (const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

#endif
