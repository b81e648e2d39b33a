/* delete.c: analyticsctl delete: which logs that would be; and deletes them, first where logs are kept, then out of the
 * sums of those that are not, then the names that are left over. Knows in which order, and how nothing of it stays in
 * the file. Leaves each transaction to write/take.c and write/take_sums.c. */
#include "store/sqlite/care/care.h"

#include "store/sqlite/care/forget.h"
#include "store/sqlite/care/selection.h"
#include "store/sqlite/file.h"
#include "store/sqlite/packed_log.h"
#include "store/sqlite/write/retain.h"
#include "store/sqlite/write/take_sums.h"
#include "time/when.h"

#include <stdio.h>

#include "base/banned.h"

/* Of more batches, a plan says nothing: 12 MB. */
#define MAX_BATCHES 100000u

/* ---- a plan ---- */

/* Nanoseconds of a core: every log is looked at for its names; and an hour that loses logs is read again, at worst
 * each. Measured with the traffic of analyticsctl demo; docs/operating.md has the figures. */
#define NS_PER_LOG 300
#define NS_PER_DELETED_LOG 15000
#define NS_PER_LOG_READ_AGAIN 2700

struct plan {
    struct db *db;
    struct work work;
    struct selection selection;
    struct sqlite_deleted deleted;
    struct fold batches; /* by id, as buckets; count: logs */
};

static enum err count_log(struct plan *plan, int64_t quarter, sqlite3_stmt *statement)
{
    int64_t ts = quarter * WHEN_QUARTER + sqlite3_column_int64(statement, 0);
    struct fold_key batch = {.bucket = sqlite3_column_int64(statement, 1)};
    struct totals totals = {.count = sqlite3_column_int64(statement, 2),
                            .bytes_sent = sqlite3_column_int64(statement, 3),
                            .bytes_received = sqlite3_column_int64(statement, 4),
                            .errors = sqlite3_column_int64(statement, 5),
                            .first = ts,
                            .last = ts};
    plan->deleted.logs++;
    plan->work.progress.done++;
    totals_add(&plan->deleted.totals, &totals);
    return plan->batches.count <= MAX_BATCHES ? fold_add(&plan->batches, &batch, &(struct totals){.count = 1}) : OK;
}

static enum err count_quarter(struct plan *plan, int64_t quarter, sqlite3_stmt *statement, struct fault *fault)
{
    int64_t values[SELECTED_VALUES];
    sqlite_selected_values(&plan->selection, quarter, values);
    bind_all(statement, values, SELECTED_VALUES);
    bool row = true;
    enum err err = db_step(plan->db, statement, "count logs", &row, fault);
    while (!err && row) {
        if (count_log(plan, quarter, statement))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = db_step(plan->db, statement, "count logs", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* The next quarter of an hour that has logs, from *quarter on; INT64_MAX at the end. */
static enum err next_quarter(struct plan *plan, sqlite3_stmt *statement, int64_t *quarter, struct fault *fault)
{
    sqlite3_bind_int64(statement, 1, *quarter);
    enum err err = db_step_i64(plan->db, statement, "look for logs", INT64_MAX, quarter, fault);
    if (*quarter != INT64_MAX && *quarter * WHEN_QUARTER >= plan->selection.to)
        *quarter = INT64_MAX;
    return err;
}

enum { P_NEXT_QUARTER, P_SELECTED, P_BATCH, PLAN_STATEMENTS };

static const char *const plan_sql[] = {
    [P_NEXT_QUARTER] = NEXT_STORED_QUARTER("?1"),
    [P_SELECTED] = "SELECT second, batch_id, count, bytes_sent, bytes_received, error_count FROM " STORED_LOG
                   " AS raw_log WHERE " SELECTED,
    [P_BATCH] = "SELECT received_at, text FROM batch JOIN name ON name.id = caller WHERE batch.id = ?1",
};

/* Logs before the horizon wait to be deleted anyway. */
static enum err count_logs(struct plan *plan, struct fault *fault)
{
    work_step(&plan->work, "counting logs", "logs", 0);
    int64_t quarter = 0;
    enum err err = db_get_i64(plan->db, "SELECT raw_from * 96 FROM retention", 0, &quarter, fault);
    if (quarter < plan->selection.from / WHEN_QUARTER)
        quarter = plan->selection.from / WHEN_QUARTER;
    while (!err && quarter != INT64_MAX) {
        err = next_quarter(plan, plan->db->statements[P_NEXT_QUARTER], &quarter, fault);
        if (err || quarter == INT64_MAX)
            break;
        err = count_quarter(plan, quarter, plan->db->statements[P_SELECTED], fault);
        quarter++;
    }
    return err;
}

static enum err tell_batch(struct plan *plan, const struct fold_entry *entry, struct sqlite_doomed_batch *batch,
                           struct fault *fault)
{
    sqlite3_stmt *statement = plan->db->statements[P_BATCH];
    *batch = (struct sqlite_doomed_batch){.id = entry->key.bucket, .logs = entry->totals.count};
    sqlite3_bind_int64(statement, 1, batch->id);
    bool row = false;
    enum err err = db_step(plan->db, statement, "look for a batch", &row, fault);
    const char *caller = !err && row ? (const char *)sqlite3_column_text(statement, 1) : NULL;
    batch->received_at = caller ? sqlite3_column_int64(statement, 0) : 0;
    snprintf(batch->caller, sizeof batch->caller, "%s", caller ? caller : "");
    sqlite3_reset(statement);
    return err;
}

static enum err tell_batches(struct plan *plan, struct fault *fault)
{
    plan->deleted.batches = plan->batches.count <= MAX_BATCHES ? (int64_t)plan->batches.count : -1;
    if (plan->deleted.batches < 0)
        return OK;
    fold_sort(&plan->batches);
    enum err err = OK;
    for (size_t i = 0; !err && i < plan->batches.count && i < DELETE_BATCHES_TOLD; i++)
        err = tell_batch(plan, &plan->batches.entries[i], &plan->deleted.batch[i], fault);
    return err;
}

static enum err guess_time(struct plan *plan, struct fault *fault)
{
    int64_t logs = 0;
    enum err err =
        db_get_i64(plan->db, "SELECT (SELECT ifnull(sum(logs), 0) FROM batch) + batch_logs - logs FROM retention", 0,
                   &logs, fault);
    double again = (double)logs * NS_PER_LOG_READ_AGAIN, deleting = (double)plan->deleted.logs * NS_PER_DELETED_LOG;
    double ns = (double)logs * NS_PER_LOG + (deleting < again ? deleting : again);
    plan->deleted.seconds = 1 + (int64_t)(ns / 1e9);
    return err;
}

/* A key stands for all of its batch, so it goes when nothing but batches is selected. */
static bool selects_batches_alone(const struct sqlite_delete_options *options)
{
    return options->first_batch && !options->user_id && !options->order_id && !options->domain && !options->worker &&
           !options->import && options->from == 0 && options->to == INT64_MAX;
}

static enum err make_plan(struct plan *plan, const struct sqlite_delete_options *options, struct fault *fault)
{
    plan->deleted.keys_stay = options->forget_keys && !selects_batches_alone(options);
    db_watch(plan->db, work_tick, &plan->work);
    enum err err = db_prepare(plan->db, plan_sql, PLAN_STATEMENTS, fault);
    if (!err)
        err = selection_find(plan->db, options, &plan->selection, fault);
    struct sums_span ignored;
    if (!err)
        err = selection_of_sums(plan->db, &plan->selection, &ignored, &plan->deleted, fault);
    if (!err)
        err = count_logs(plan, fault);
    if (!err)
        err = guess_time(plan, fault);
    return err ? err : tell_batches(plan, fault);
}

enum err sqlite_delete_plan(const char *data_dir, const struct sqlite_delete_options *options,
                            const struct watch *watch, struct sqlite_deleted *ret_deleted, struct fault *fault)
{
    struct db db = {0};
    struct plan plan = {.db = &db, .work.watch = watch, .deleted = {.totals = TOTALS_NONE, .sums = TOTALS_NONE}};
    enum err err = sqlite_file_open_logs(data_dir, &db, fault);
    if (err)
        return err;
    err = make_plan(&plan, options, fault);
    db_close(&db);
    fold_release(&plan.batches);
    if (!err)
        *ret_deleted = plan.deleted;
    else if (watch_is_stopped(watch))
        err = fault_stopped(fault);
    return err;
}

/* ---- deleting ---- */

struct deletion {
    struct sqlite_writer *writer;
    struct work work;
    const struct sqlite_delete_options *options;
    int64_t now;
    struct selection selection;
    struct sqlite_deleted deleted;
};

static enum err delete_logs(struct deletion *deletion, struct fault *fault)
{
    struct taken taken = {.totals = TOTALS_NONE};
    int64_t quarter = deletion->writer->closed.horizons.raw_from * 96;
    if (quarter < deletion->selection.from / WHEN_QUARTER)
        quarter = deletion->selection.from / WHEN_QUARTER;
    work_step(&deletion->work, "deleting", "logs", 0);
    enum err err = OK;
    while (!err && quarter != INT64_MAX) {
        err = sqlite_take_logs(deletion->writer, &deletion->selection, &quarter, &taken, fault);
        deletion->work.progress.done = taken.logs;
        if (!err)
            err = work_go_on(&deletion->work, fault);
    }
    deletion->deleted.logs = taken.logs;
    deletion->deleted.totals = taken.totals;
    return err;
}

static enum err delete_sums(struct deletion *deletion, struct fault *fault)
{
    struct sums_span span;
    enum err err = selection_of_sums(&deletion->writer->db, &deletion->selection, &span, &deletion->deleted, fault);
    if (err)
        return err;
    work_step(&deletion->work, "taking from sums of logs that are no longer kept", "days", span.to - span.from);
    for (int64_t day = span.from; !err && day < span.to; day++) {
        err = sqlite_take_sums(deletion->writer, &deletion->selection, day, &deletion->deleted.sums, fault);
        deletion->work.progress.done++;
        if (!err)
            err = work_go_on(&deletion->work, fault);
    }
    return err;
}

/* Which batch a key came with is known by caller and second alone. */
static enum err forget_keys(struct sqlite_writer *writer, void *ctx, struct fault *fault)
{
    struct deletion *deletion = ctx;
    const struct id_range *batches = &deletion->selection.batches;
    sqlite3_stmt *forget = sql_of(&writer->db, W_KEYS_FORGET), *shared = sql_of(&writer->db, W_KEYS_SHARED);
    bool row = false;
    BIND_ALL(forget, batches->from, batches->to);
    BIND_ALL(shared, batches->from, batches->to);
    enum err err = db_run(&writer->db, forget, "forget idempotency keys", fault);
    if (!err)
        err = db_step(&writer->db, shared, "count idempotency keys", &row, fault);
    deletion->deleted.keys_left = row ? sqlite3_column_int64(shared, 0) : 0;
    sqlite3_reset(shared);
    return err;
}

static enum err delete_keys(struct deletion *deletion, struct fault *fault)
{
    deletion->deleted.keys_stay = deletion->options->forget_keys && !selects_batches_alone(deletion->options);
    if (!deletion->options->forget_keys || deletion->deleted.keys_stay)
        return OK;
    return sqlite_take_in_transaction(deletion->writer, forget_keys, deletion, fault);
}

/* ---- no trace ---- */

/* Of other writers, pages were freed and rows moved without that. */
static enum err overwrite(struct deletion *deletion, struct fault *fault)
{
    return db_exec(&deletion->writer->db, "PRAGMA secure_delete=ON", fault);
}

/* What was due before a delete is done before it, and what it leaves after it: hours to be closed again, free pages. */
static enum err tend(struct deletion *deletion, const char *step, struct fault *fault)
{
    struct sqlite_writer *writer = deletion->writer;
    work_step(&deletion->work, step, "slices", 0);
    sqlite_retain_from(writer, 0); /* no day, but all free pages */
    enum err err = sqlite_tend(writer, deletion->now, deletion->work.watch, fault);
    return err ? err : work_go_on(&deletion->work, fault);
}

/* One transaction of SQLite's own, as large as the file. */
static enum err vacuum(struct deletion *deletion, struct fault *fault)
{
    if (!deletion->options->vacuum)
        return OK;
    work_step(&deletion->work, "writing the file anew", "s", 0);
    enum err err = sqlite_wal_make_room(&deletion->writer->wal, fault);
    return err ? err : db_exec(&deletion->writer->db, "PRAGMA temp_store=FILE; VACUUM", fault);
}

/* Every page goes home, and the WAL is cut to nothing, unless a reader is in it. */
static enum err empty_wal(struct deletion *deletion, struct fault *fault)
{
    struct db *db = &deletion->writer->db;
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    deletion->deleted.wal_is_empty = rc == SQLITE_OK;
    return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY ? OK : db_fault(db, "checkpoint", fault);
}

static enum err delete_all(struct deletion *deletion, struct fault *fault)
{
    enum err err = overwrite(deletion, fault);
    if (!err)
        err = tend(deletion, "finishing what is due", fault);
    if (!err)
        err = selection_find(&deletion->writer->db, deletion->options, &deletion->selection, fault);
    if (!err)
        err = delete_logs(deletion, fault);
    if (!err)
        err = delete_sums(deletion, fault);
    if (!err)
        err = delete_keys(deletion, fault);
    if (!err)
        err = forget_names(deletion->writer, &deletion->work, &deletion->deleted.names, fault);
    if (!err)
        err = tend(deletion, "giving space back", fault);
    if (!err)
        err = vacuum(deletion, fault);
    return err ? err : empty_wal(deletion, fault);
}

enum err sqlite_delete(const char *data_dir, const struct sqlite_delete_options *options, int64_t now,
                       const struct watch *watch, struct sqlite_deleted *ret_deleted, struct fault *fault)
{
    char path[STORE_PATH_BYTES];
    struct deletion deletion = {
        .work.watch = watch, .options = options, .now = now, .deleted = {.totals = TOTALS_NONE, .sums = TOTALS_NONE}};
    enum err err = sqlite_file_find(data_dir, path, fault); /* the writer would make it */
    if (!err)
        err = sqlite_writer_open(data_dir, false, &deletion.writer, fault);
    if (err)
        return err;
    db_watch(&deletion.writer->db, work_tick, &deletion.work);
    err = delete_all(&deletion, fault);
    db_unwatch(&deletion.writer->db);
    sqlite_writer_close(deletion.writer);
    if (err && watch_is_stopped(watch))
        err = fault_stopped(fault);
    if (!err)
        *ret_deleted = deletion.deleted;
    return err;
}
