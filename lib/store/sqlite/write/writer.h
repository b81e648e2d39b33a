/* writer.h: the writing side: the part of each of its files, and the operations that it gives the engine. Private to
 * the SQLite engine. */
#ifndef STORE_SQLITE_WRITE_WRITER_H
#define STORE_SQLITE_WRITE_WRITER_H

#include "log/batch.h"
#include "store/engine.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/write/closed.h"
#include "store/sqlite/write/names.h"
#include "store/sqlite/write/pack.h"
#include "store/sqlite/write/slice.h"
#include "store/sqlite/write/sql.h"
#include "store/sqlite/write/wal.h"

/* One log on its way to disk: the raw table's key, and where the rest of it is. */
struct raw_row {
    int64_t quarter;
    int64_t user_id;
    int64_t domain;
    int64_t order_id;
    int64_t batch_id;
    uint32_t line;
    const struct log_record *log;
    size_t first_name; /* where its batch's ids begin in writer->names.ids: index in batch names → name.id */
};

/* write/rows.c: one group's logs; the memory is kept from group to group. */
struct writer_rows {
    struct raw_row *rows;
    size_t count, cap;
};

/* write/admit.c */
struct writer_admit {
    struct totals grand;        /* over everything that is stored: none may pass 2^63-1, so none of their parts can */
    int64_t keys_expired_until; /* of keys that are older, only marks of imports are left */
};

/* write/import_log.c: of the batch that is being let in; the memory is kept. */
struct writer_import {
    bool has_old;   /* versions without import_log imported before */
    int64_t source; /* name.id */
    bool *known;    /* of each log: it is stored already */
    struct import_line *lines;
    struct import_entry *now; /* of one second */
    int64_t *known_of;        /* of each of `now` */
    size_t cap;               /* of all four */

    struct import_entry *stored; /* of that second */
    size_t stored_cap;

    struct import_record *records; /* what is to be remembered */
    size_t record_count, record_cap;
};

/* write/compact.c */
struct writer_compact {
    int64_t done_until; /* no day before it has rows, but for late logs; -1: perhaps */
    bool has_moved;     /* rows, since the last time that none were left: their pages are free */
};

/* write/close.c: the slice that is being read, or that was. */
struct writer_closing {
    struct closing_slice slice;
    struct closing_thread *beside; /* NULL: each slice is read where it is written */
    bool is_read_beside;           /* the slice is the thread's */
    bool is_stale;                 /* a log came that it may have missed */
    int stale_in_a_row;
    int64_t day_end; /* hours before it are about to be closed: they have no logs */
};

/* write/retain.c */
#define RETAIN_TABLES 8 /* that have rows to delete */

/* Deleting what is no longer kept. */
struct writer_pruning {
    struct store_retention retention;
    int64_t before;              /* a day: everything older goes, whatever `retention` says; 0: none */
    bool give_back_all;          /* no free page is kept for what comes next */
    bool gives_back;             /* the file was made with auto_vacuum */
    bool has_user_hours;         /* of an older version; their logs are kept */
    bool pending;                /* there may be rows before the horizons, or pages to give back */
    bool vacuuming;              /* the rows are gone, the pages not */
    int64_t swept;               /* traffic_day has no rows before this day */
    int64_t user, order;         /* so far it was gone through */
    int64_t rows[RETAIN_TABLES]; /* that were deleted, since the start */
};

/* write/health.c */
struct writer_health {
    bool sync_failed;    /* for good */
    bool is_bad;         /* the last write failed */
    struct fault reason; /* of either */
};

struct sqlite_writer {
    struct store_writer base;
    struct db db;
    int lock;
    bool spools; /* logs go into the spool, and into no rollup: spool/spool.h */
    struct writer_admit admit;
    struct writer_names names;
    struct writer_rows rows;
    struct writer_import import;
    struct fold orders;         /* write/rollup.c: (order, user) pairs known to be in order_user */
    struct sums sums;           /* of late logs, or of what is made again */
    struct day_values values;   /* likewise */
    int64_t values_from;        /* no earlier day has rows in value_day: an older version closed hours of it */
    struct log_reading reading; /* of the writer's own connection */
    struct writer_pack pack;
    struct writer_closed closed;
    struct writer_closing closing;
    struct writer_compact compact;
    struct writer_pruning pruning;
    struct writer_wal wal;
    struct writer_health health;
};

/* store.h documents the functions of these names. */
enum err sqlite_writer_open(const char *data_dir, bool spools, struct sqlite_writer **ret_writer, struct fault *fault);
void sqlite_writer_close(struct sqlite_writer *writer);
void sqlite_write(struct sqlite_writer *writer, struct store_item *items, size_t count, int64_t now,
                  struct store_times *ret_times);
/* An idempotency time for sqlite_maintain that forgets no key. */
#define KEEP_KEYS (INT64_C(1) << 40)

/* Sets each item's result: nothing of the group is stored. */
void sqlite_refuse(struct store_item *items, size_t count, const struct fault *fault);

enum err sqlite_maintain(struct sqlite_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault);
void sqlite_set_retention(struct sqlite_writer *writer, const struct store_retention *retention);
enum err sqlite_writer_health(struct sqlite_writer *writer, struct fault *fault);
void sqlite_writer_probe(struct sqlite_writer *writer);

static inline struct totals log_totals(const struct log_record *log)
{
    return (struct totals){.count = log->count,
                           .bytes_sent = log->bytes_sent,
                           .bytes_received = log->bytes_received,
                           .errors = log->error_count,
                           .max_concurrency = log->max_concurrency,
                           .duration_ms = log->duration_ms,
                           .first = log->ts,
                           .last = log->ts};
}

#endif
