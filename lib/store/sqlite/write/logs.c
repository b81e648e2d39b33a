/* logs.c: stored logs into sums. Knows the columns of a log, and which sums one counts for. Does not know why they are
 * made. */
#include "store/sqlite/write/logs.h"

#include "store/sqlite/row.h"

#include "base/banned.h"

static struct stored_log read_log(sqlite3_stmt *row, int64_t quarter)
{
    return (struct stored_log){.key = {.tier = TIER_QUARTER,
                                       .bucket = quarter,
                                       .user_id = sqlite3_column_int64(row, 0),
                                       .domain = sqlite3_column_int64(row, 1),
                                       .error = sqlite3_column_int64(row, 2),
                                       .order_id = sqlite3_column_int64(row, 3)},
                               .totals = row_totals_at(row, 4, sqlite3_column_int64(row, 10)),
                               .row = row};
}

static enum err each_of_quarter(struct sqlite_writer *writer, const struct log_range *range, int64_t quarter,
                                log_sink sink, void *ctx, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_LOGS);
    BIND_ALL(statement, quarter, range->user_from, range->user_to);
    bool row = true;
    enum err err = db_step(&writer->db, statement, "read logs", &row, fault);
    while (!err && row) {
        struct stored_log log = read_log(statement, quarter);
        if (sink(ctx, &log))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = db_step(&writer->db, statement, "read logs", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

enum err sqlite_each_log(struct sqlite_writer *writer, const struct log_range *range, log_sink sink, void *ctx,
                         struct fault *fault)
{
    enum err err = OK;
    for (int64_t i = 0; !err && i < range->quarters; i++)
        err = each_of_quarter(writer, range, range->quarter + i, sink, ctx, fault);
    return err;
}

enum err sqlite_sums_add(struct sqlite_writer *writer, const struct fold_key *key, const struct totals *totals)
{
    struct fold_key all = *key;
    all.error = 0;
    enum err err = fold_add(&writer->pack.entries, &all, totals);
    if (!err && key->error)
        err = fold_add(&writer->pack.entries, key, totals);
    return err || key->tier > TIER_DAY ? err : sqlite_traffic_add(&writer->traffic, key, totals);
}
