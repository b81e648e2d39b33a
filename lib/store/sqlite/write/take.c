/* take.c: deletes logs that are selected, some in each transaction, and makes right in the same one all that they were
 * counted in. Knows raw_log. Leaves rollups to write/redo.c, and sums of logs that are no longer kept to
 * write/take_sums.c. */
#include "store/sqlite/write/take.h"

#include "store/sqlite/write/admit.h"
#include "store/sqlite/write/compact.h"
#include "base/int64.h"
#include "store/sqlite/write/import_log.h"
#include "store/sqlite/write/redo.h"
#include "store/sqlite/write/upkeep.h"
#include "time/when.h"

#include "base/banned.h"

/* Ends a transaction, beside the end of a day. */
#define SLICE_LOGS 50000

/* Quarters of an hour that one transaction looks through. */
#define SLICE_QUARTERS 5000

void sqlite_selected_values(const struct selection *selection, int64_t quarter, int64_t ret_values[SELECTED_VALUES])
{
    int64_t start = quarter * WHEN_QUARTER;
    const int64_t values[SELECTED_VALUES] = {quarter,
                                             selection->from > start ? selection->from - start : 0,
                                             selection->to < start + WHEN_QUARTER ? selection->to - start
                                                                                  : WHEN_QUARTER,
                                             selection->users.from,
                                             selection->users.to,
                                             selection->orders.from,
                                             selection->orders.to,
                                             selection->batches.from,
                                             selection->batches.to,
                                             selection->domains.from,
                                             selection->domains.to,
                                             selection->workers.from,
                                             selection->workers.to,
                                             selection->by_import,
                                             selection->source};
    for (int i = 0; i < SELECTED_VALUES; i++)
        ret_values[i] = values[i];
}

/* One transaction's work. */
struct slice_of_logs {
    const struct selection *selection;
    int64_t quarter; /* all before it were looked through */
    struct taken taken;
    struct fold gone;     /* what write/redo.c wants to know */
    struct fold imported; /* by source, second and hash: user_id, bucket and domain; count: how many logs */
};

static enum err note_log(struct slice_of_logs *slice, sqlite3_stmt *statement)
{
    int64_t ts = slice->quarter * WHEN_QUARTER + sqlite3_column_int64(statement, 2);
    struct totals totals = {.count = sqlite3_column_int64(statement, 3),
                            .bytes_sent = sqlite3_column_int64(statement, 4),
                            .bytes_received = sqlite3_column_int64(statement, 5),
                            .errors = sqlite3_column_int64(statement, 6),
                            .duration_ms = sqlite3_column_int64(statement, 7),
                            .first = ts,
                            .last = ts};
    slice->taken.logs++;
    totals_add(&slice->taken.totals, &totals);
    return fold_add(&slice->gone,
                    &(struct fold_key){.tier = TIER_HOUR,
                                       .bucket = slice->quarter / 4,
                                       .user_id = sqlite3_column_int64(statement, 0),
                                       .order_id = sqlite3_column_int64(statement, 1)},
                    &TOTALS_NONE);
}

static enum err note_import(struct slice_of_logs *slice, sqlite3_stmt *statement)
{
    return fold_add(&slice->imported,
                    &(struct fold_key){.user_id = sqlite3_column_int64(statement, 0),
                                       .bucket = slice->quarter * WHEN_QUARTER + sqlite3_column_int64(statement, 1),
                                       .domain = sqlite3_column_int64(statement, 2)},
                    &(struct totals){.count = 1});
}

/* Each row of the statement, for as many selected logs of the quarter as the slice may take yet. */
static enum err run_each(struct sqlite_writer *writer, enum writer_statement which, struct slice_of_logs *slice,
                         int64_t most, enum err (*each)(struct slice_of_logs *, sqlite3_stmt *), struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, which);
    int64_t values[SELECTED_VALUES + 1];
    sqlite_selected_values(slice->selection, slice->quarter, values);
    values[SELECTED_VALUES] = most;
    bind_all(statement, values, SELECTED_VALUES + 1);
    bool row = true;
    enum err err = db_step(&writer->db, statement, "delete logs", &row, fault);
    while (!err && row) {
        if (each(slice, statement))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = db_step(&writer->db, statement, "delete logs", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* Those of the quarter's users whose packed logs are selected. */
static enum err list_packed(struct sqlite_writer *writer, const struct slice_of_logs *slice, struct fold *users,
                            struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_PACKED_USERS);
    int64_t values[SELECTED_VALUES];
    sqlite_selected_values(slice->selection, slice->quarter, values);
    bind_all(statement, values, SELECTED_VALUES);
    bool row = true;
    enum err err = db_step(&writer->db, statement, "look for logs in parts", &row, fault);
    while (!err && row) {
        struct fold_key user = {.user_id = sqlite3_column_int64(statement, 0)};
        if (fold_add(users, &user, &TOTALS_NONE))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = db_step(&writer->db, statement, "look for logs in parts", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* Logs in parts become rows before some of them are deleted. */
static enum err unpack_quarter(struct sqlite_writer *writer, const struct slice_of_logs *slice, struct fault *fault)
{
    struct fold users = {0};
    enum err err = list_packed(writer, slice, &users, fault);
    for (size_t i = 0; !err && i < users.count; i++)
        err = sqlite_uncompact(writer, slice->quarter / 96, users.entries[i].key.user_id, fault);
    fold_release(&users);
    return err;
}

/* What imports have stored stays known, so what an older version imported has to become known before it goes. Which
 * logs are taken is the same for both statements: the first ones in the order of the key. */
static enum err take_quarter(struct sqlite_writer *writer, struct slice_of_logs *slice, struct fault *fault)
{
    int64_t most = SLICE_LOGS - slice->taken.logs;
    enum err err = sqlite_import_take_over(writer, slice->quarter, fault);
    if (!err)
        err = unpack_quarter(writer, slice, fault);
    if (!err && slice->selection->forget_imports)
        err = run_each(writer, W_IMPORTED, slice, most, note_import, fault);
    return err ? err : run_each(writer, W_TAKE, slice, most, note_log, fault);
}

static enum err forget_imported(struct sqlite_writer *writer, const struct fold *imported, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < imported->count; i++) {
        const struct fold_entry *entry = &imported->entries[i];
        err = sqlite_import_forget(writer, entry->key.user_id, entry->key.bucket, entry->key.domain,
                                   entry->totals.count, fault);
    }
    return err;
}

/* The next quarter that has logs, from slice->quarter on; INT64_MAX when there is none that is selected. */
static enum err next_quarter(struct sqlite_writer *writer, const struct slice_of_logs *slice, int64_t *ret_quarter,
                             struct fault *fault)
{
    enum err err = sqlite_lookup(&writer->db, W_STORED_QUARTER, slice->quarter, INT64_MAX, ret_quarter, fault);
    if (!err && *ret_quarter != INT64_MAX && *ret_quarter * WHEN_QUARTER >= slice->selection->to)
        *ret_quarter = INT64_MAX;
    return err;
}

/* Until there is enough, or the day ends that has some. */
static enum err take_some(struct sqlite_writer *writer, struct slice_of_logs *slice, struct fault *fault)
{
    int64_t quarter = 0, day = -1;
    enum err err = OK;
    for (int i = 0; !err && i < SLICE_QUARTERS && slice->taken.logs < SLICE_LOGS; i++) {
        err = next_quarter(writer, slice, &quarter, fault);
        if (err)
            return err;
        slice->quarter = quarter;
        if (quarter == INT64_MAX || (slice->taken.logs && quarter / 96 != day))
            return OK;
        day = quarter / 96;
        err = take_quarter(writer, slice, fault);
        slice->quarter += slice->taken.logs < SLICE_LOGS; /* else there may be more in it */
    }
    return err;
}

static bool take_away(int64_t *sum, int64_t less)
{
    return !__builtin_sub_overflow(*sum, less, sum) && *sum >= 0;
}

enum err sqlite_take_total(struct sqlite_writer *writer, const struct totals *totals, struct fault *fault)
{
    struct totals *grand = &writer->admit.grand;
    if (!take_away(&grand->count, totals->count) || !take_away(&grand->bytes_sent, totals->bytes_sent) ||
        !take_away(&grand->bytes_received, totals->bytes_received) || !take_away(&grand->errors, totals->errors))
        return fault_set(fault, ERR_UNAVAILABLE,
                         "the table total holds less than the logs that are to be deleted: run analyticsctl verify");
    grand->duration_ms = max64(0, grand->duration_ms - totals->duration_ms); /* an older version did not add it */
    return sqlite_put_total(writer, grand, fault);
}

/* Logs that are gone count as those that are no longer kept: batches say how many came. */
static enum err count_taken(struct sqlite_writer *writer, const struct taken *taken, struct fault *fault)
{
    BIND_ALL(sql_of(&writer->db, W_GONE), taken->logs, 0, 0, 0, 0, 0);
    enum err err = db_run(&writer->db, sql_of(&writer->db, W_GONE), "count deleted logs", fault);
    return err ? err : sqlite_take_total(writer, &taken->totals, fault);
}

enum err sqlite_take_in_transaction(struct sqlite_writer *writer,
                                    enum err (*work)(struct sqlite_writer *writer, void *ctx, struct fault *fault),
                                    void *ctx, struct fault *fault)
{
    int64_t closed_hour = writer->closed.hour, closed_day = writer->closed.day;
    struct totals grand = writer->admit.grand;
    enum err err = sqlite_wal_make_room(&writer->wal, fault);
    if (!err)
        err = db_begin(&writer->db, fault);
    if (!err)
        err = work(writer, ctx, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (!err)
        return sqlite_checkpoint_is_due(writer) ? sqlite_wal_checkpoint(&writer->wal, fault) : OK;
    db_rollback(&writer->db);
    writer->closed.hour = closed_hour;
    writer->closed.day = closed_day;
    writer->admit.grand = grand;
    writer->closed.packing.clean = false;
    sqlite_sums_clear(&writer->sums);
    return err;
}

static enum err take(struct sqlite_writer *writer, void *ctx, struct fault *fault)
{
    struct slice_of_logs *slice = ctx;
    enum err err = take_some(writer, slice, fault);
    if (err || slice->taken.logs == 0)
        return err;
    err = sqlite_redo(writer, &slice->gone, fault);
    if (!err)
        err = forget_imported(writer, &slice->imported, fault);
    return err ? err : count_taken(writer, &slice->taken, fault);
}

enum err sqlite_take_logs(struct sqlite_writer *writer, const struct selection *selection, int64_t *quarter,
                          struct taken *taken, struct fault *fault)
{
    struct slice_of_logs slice = {.selection = selection, .quarter = *quarter, .taken.totals = TOTALS_NONE};
    enum err err = sqlite_take_in_transaction(writer, take, &slice, fault);
    fold_release(&slice.gone);
    fold_release(&slice.imported);
    if (err)
        return err;
    *quarter = slice.quarter;
    taken->logs += slice.taken.logs;
    totals_add(&taken->totals, &slice.taken.totals);
    return OK;
}
