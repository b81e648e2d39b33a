/* rebuild.c: makes everything again that is derived from raw_log, and leaves alone what is older than the oldest log.
 * First the quarters of an hour, one by one; at every moment each is the old one or the new one. When all logs have
 * been read without a fault, one transaction empties the other rollups and says that nothing is closed, so that reports
 * are answered from the logs. Then all is closed again. Knows this order. Leaves closing to write/close.c. */
#include "store/sqlite/care/care.h"

#include "base/int64.h"
#include "base/work.h"
#include "store/sqlite/file.h"
#include "store/sqlite/row.h"
#include "store/sqlite/write/logs.h"
#include "store/sqlite/write/upkeep.h"

#include "base/banned.h"

/* Ends a transaction of the first part. */
#define SLICE_LOGS 50000
#define SLICE_QUARTERS 1000

/* Nobody waits for a batch: larger slices of days than a service takes. */
#define SLICE_ENTRIES 500000

struct rebuild {
    struct sqlite_writer *writer;
    struct work work;
    struct totals sums;
    bool overflows;     /* they would */
    struct fold orders; /* every (order, user) pair */
};

/* ---- quarters, sums and pairs ---- */

static enum err add_log(void *ctx, const struct stored_log *log)
{
    struct rebuild *rebuild = ctx;
    struct fold_key pair = {.user_id = log->key.user_id, .order_id = log->key.order_id};
    rebuild->overflows = !totals_add_within(&rebuild->sums, &log->totals);
    rebuild->work.progress.done++;
    if (rebuild->overflows)
        return ERR_UNAVAILABLE;
    enum err err = sqlite_quarter_add(&rebuild->writer->sums, log->key.bucket, log->key.user_id, &log->totals);
    return err ? err : fold_add(&rebuild->orders, &pair, &TOTALS_NONE);
}

static enum err add_logs(struct rebuild *rebuild, int64_t quarter, struct fault *fault)
{
    enum err err = sqlite_each_log(&rebuild->writer->reading, ALL_LOGS(quarter, 1), add_log, rebuild, fault);
    if (rebuild->overflows)
        return fault_set(fault, err, "raw_log is damaged: a total would pass 9223372036854775807");
    return err;
}

static enum err redo_quarter(struct rebuild *rebuild, int64_t quarter, struct fault *fault)
{
    struct sqlite_writer *writer = rebuild->writer;
    sqlite3_stmt *statement = sql_of(&writer->db, W_QUARTER_DROP);
    BIND_ALL(statement, quarter);
    enum err err = db_run(&writer->db, statement, "empty a quarter", fault);
    if (!err)
        err = add_logs(rebuild, quarter, fault);
    if (!err)
        err = sqlite_sums_put(&writer->pack, &writer->sums, true, fault);
    return err ? err : db_run(&writer->db, sql_of(&writer->db, W_NOTE_CHANGE), "note a change", fault);
}

/* The next quarter with logs, or with rows that may be wrong. INT64_MAX: none. */
static enum err next_quarter(struct rebuild *rebuild, int64_t after, int64_t *ret_quarter, struct fault *fault)
{
    int64_t raw = INT64_MAX, rolled_up = INT64_MAX;
    enum err err = sqlite_lookup(&rebuild->writer->db, W_STORED_QUARTER, after + 1, INT64_MAX, &raw, fault);
    if (!err)
        err = sqlite_lookup(&rebuild->writer->db, W_QUARTER_AFTER, after, INT64_MAX, &rolled_up, fault);
    *ret_quarter = raw < rolled_up ? raw : rolled_up;
    return err;
}

/* Some quarters after *quarter, which becomes the last of them; INT64_MAX when there are no more. */
static enum err redo_slice(struct rebuild *rebuild, int64_t *quarter, struct fault *fault)
{
    int64_t logs = rebuild->work.progress.done;
    enum err err = OK;
    for (int i = 0; !err && i < SLICE_QUARTERS && rebuild->work.progress.done < logs + SLICE_LOGS; i++) {
        err = next_quarter(rebuild, *quarter, quarter, fault);
        if (err || *quarter == INT64_MAX)
            return err;
        err = redo_quarter(rebuild, *quarter, fault);
    }
    return err;
}

/* In one transaction, with a checkpoint after it when one is due. */
static enum err in_transaction(struct rebuild *rebuild,
                               enum err (*work)(struct rebuild *rebuild, int64_t *at, struct fault *fault), int64_t *at,
                               struct fault *fault)
{
    struct sqlite_writer *writer = rebuild->writer;
    sqlite_sums_clear(&writer->sums);
    enum err err = sqlite_wal_make_room(&writer->wal, fault);
    if (!err)
        err = db_begin(&writer->db, fault);
    if (!err)
        err = work(rebuild, at, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (err)
        db_rollback(&writer->db);
    work_tell(&rebuild->work);
    return err || !sqlite_checkpoint_is_due(writer) ? err : sqlite_wal_checkpoint(&writer->wal, fault);
}

/* Logs before the horizon, if there are some yet, count as deleted. */
static enum err redo_quarters(struct rebuild *rebuild, struct fault *fault)
{
    int64_t from = rebuild->writer->closed.horizons.raw_from;
    int64_t quarter = from ? from * (tier_width(TIER_DAY) / tier_width(TIER_QUARTER)) - 1 : INT64_MIN;
    enum err err = OK;
    while (!err && quarter != INT64_MAX && !watch_is_stopped(rebuild->work.watch))
        err = in_transaction(rebuild, redo_slice, &quarter, fault);
    return err;
}

/* ---- the turn ---- */

/* Pairs whose logs are gone stay. */
static enum err put_orders(struct rebuild *rebuild, struct fault *fault)
{
    enum err err =
        db_exec(&rebuild->writer->db, "DELETE FROM order_user WHERE (SELECT raw_from FROM retention) = 0", fault);
    for (size_t i = 0; !err && i < rebuild->orders.count; i++) {
        const struct fold_key *pair = &rebuild->orders.entries[i].key;
        sqlite3_stmt *statement = sql_of(&rebuild->writer->db, W_ORDER_USER_ADD);
        BIND_ALL(statement, pair->order_id, pair->user_id);
        err = db_run(&rebuild->writer->db, statement, "add to order_user", fault);
    }
    return err;
}

/* SQLite empties a whole table without reading its rows, so the WAL grows little. */
static const char empty_all[] = "DELETE FROM traffic_hour; DELETE FROM traffic_day; DELETE FROM rollup_chunk;"
                                "DELETE FROM value_day; DELETE FROM value_gap";

/* Empties what the remaining logs can make again. A wide period that begins before them is made again from its days. */
static const char empty_since[] =
    "DELETE FROM traffic_hour WHERE bucket >= (SELECT raw_from * 24 FROM retention);"
    "DELETE FROM traffic_day WHERE bucket >= (SELECT raw_from FROM retention);"
    "DELETE FROM value_day WHERE bucket >= (SELECT raw_from FROM retention);"
    "DELETE FROM value_gap WHERE bucket >= (SELECT raw_from FROM retention);"
    "DELETE FROM rollup_chunk WHERE tier = 1 AND bucket >= (SELECT raw_from * 24 FROM retention);"
    "DELETE FROM rollup_chunk WHERE tier = 2 AND bucket >= (SELECT raw_from FROM retention);"
    "DELETE FROM rollup_chunk WHERE tier = 3 AND bucket >= (SELECT raw_from / 4 FROM retention);"
    "DELETE FROM rollup_chunk WHERE tier = 4 AND bucket >= (SELECT raw_from / 16 FROM retention)";

static enum err open_all(struct rebuild *rebuild, int64_t *at, struct fault *fault)
{
    (void)at;
    const struct totals *sums = &rebuild->sums;
    sqlite3_stmt *total = sql_of(&rebuild->writer->db, W_SET_TOTAL);
    enum err err = put_orders(rebuild, fault);
    if (!err)
        err = db_exec(&rebuild->writer->db, rebuild->writer->closed.horizons.raw_from ? empty_since : empty_all, fault);
    if (!err)
        err = db_exec(
            &rebuild->writer->db,
            "INSERT OR IGNORE INTO closing (id, closed_hour, closed_day, changes) VALUES (1, 0, 0, 0);"
            "UPDATE closing SET closed_hour = (SELECT raw_from * 24 FROM retention),"
            " closed_day = (SELECT raw_from FROM retention), changes = changes + 1;"
            "UPDATE upgrade SET durations_from = min(durations_from, (SELECT raw_from * 24 FROM retention));"
            "INSERT OR IGNORE INTO total (id, count, bytes_sent, bytes_received, errors) VALUES (1, 0, 0, 0, 0)",
            fault);
    BIND_ALL(total, sums->count, sums->bytes_sent, sums->bytes_received, sums->errors, sums->duration_ms);
    return err ? err : db_run(&rebuild->writer->db, total, "set the total", fault);
}

static enum err turn(struct rebuild *rebuild, struct fault *fault)
{
    struct sqlite_writer *writer = rebuild->writer;
    enum err err = in_transaction(rebuild, open_all, NULL, fault);
    if (err)
        return err;
    writer->admit.grand = rebuild->sums;
    writer->values_from = min64(writer->values_from, writer->closed.horizons.raw_from);
    sqlite_reopen(&writer->closed);
    return OK;
}

/* ---- closing again ---- */

static enum err close_all(struct rebuild *rebuild, int64_t now, struct fault *fault)
{
    sqlite_set_slice(rebuild->writer, SLICE_ENTRIES);
    bool more = true;
    enum err err = OK;
    while (!err && more && !watch_is_stopped(rebuild->work.watch)) {
        err = sqlite_maintain(rebuild->writer, now, KEEP_KEYS, &more, fault);
        rebuild->work.progress.done = rebuild->writer->closed.packing.logs;
        work_tell(&rebuild->work);
    }
    return err;
}

/* ---- the whole ---- */

/* All that is known of logs that are gone. */
static const char gone_sql[] = "SELECT count, bytes_sent, bytes_received, errors, 0, duration_ms FROM retention";

static enum err run(struct rebuild *rebuild, int64_t now, struct sqlite_rebuilt *ret_rebuilt, struct fault *fault)
{
    int64_t logs = 0;
    enum err err = db_get_i64(&rebuild->writer->db,
                              "SELECT (SELECT ifnull(sum(logs), 0) FROM batch) + batch_logs - logs FROM retention", 0,
                              &logs, fault);
    work_step(&rebuild->work, "adding up the logs", "logs", logs);
    if (!err)
        err = row_read_totals(&rebuild->writer->db, gone_sql, &rebuild->sums, fault);
    if (!err)
        err = redo_quarters(rebuild, fault);
    logs = rebuild->work.progress.done;
    if (!err && !watch_is_stopped(rebuild->work.watch))
        err = turn(rebuild, fault);
    work_step(&rebuild->work, "closing hours and days", "logs", logs);
    if (!err)
        err = close_all(rebuild, now, fault);
    if (!err && watch_is_stopped(rebuild->work.watch))
        err = fault_stopped(fault);
    if (err)
        return err;
    *ret_rebuilt =
        (struct sqlite_rebuilt){.logs = logs, .closed_until = rebuild->writer->closed.hour * tier_width(TIER_HOUR)};
    return OK;
}

enum err sqlite_rebuild(const char *data_dir, int64_t now, const struct watch *watch,
                        struct sqlite_rebuilt *ret_rebuilt, struct fault *fault)
{
    struct rebuild rebuild = {.work = {.watch = watch}};
    char path[STORE_PATH_BYTES];
    enum err err = sqlite_file_find(data_dir, path, fault); /* the writer would make it */
    if (!err)
        err = sqlite_writer_open(data_dir, false, &rebuild.writer, fault);
    if (err)
        return err;
    db_watch(&rebuild.writer->db, work_tick, &rebuild.work);
    err = run(&rebuild, now, ret_rebuilt, fault);
    if (err && watch_is_stopped(watch))
        err = fault_stopped(fault);
    db_unwatch(&rebuild.writer->db);
    sqlite_writer_close(rebuild.writer);
    fold_release(&rebuild.orders);
    return err;
}
