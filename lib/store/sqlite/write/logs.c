/* logs.c: stored logs, from raw_log and log_part. Knows the columns of a log in both. Does not know why they are read.
 */
#include "store/sqlite/write/logs.h"

#include "store/sqlite/row.h"
#include "store/sqlite/write/sql.h"
#include "time/when.h"

#include "base/banned.h"

/* ---- rows ---- */

static struct stored_log log_of_row(sqlite3_stmt *row, int64_t quarter)
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

static enum err each_row(struct log_reading *reading, const struct log_range *range, int64_t quarter, log_sink sink,
                         void *ctx, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(reading->db, W_LOGS);
    BIND_ALL(statement, quarter, range->user_from, range->user_to);
    bool row = true;
    enum err err = db_step(reading->db, statement, "read logs", &row, fault);
    while (!err && row) {
        struct stored_log log = log_of_row(statement, quarter);
        if (sink(ctx, &log))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = db_step(reading->db, statement, "read logs", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* ---- parts ---- */

static struct stored_log log_of_part(const struct part *part, size_t index, int64_t day, int64_t user_id)
{
    int64_t quarter = day * WHEN_QUARTERS_OF_DAY + part_number(part, PART_QUARTER, index);
    int64_t ts = quarter * WHEN_QUARTER + part_number(part, PART_SECOND, index);
    return (struct stored_log){.key = {.tier = TIER_QUARTER,
                                       .bucket = quarter,
                                       .user_id = user_id,
                                       .domain = part_number(part, PART_DOMAIN, index),
                                       .error = part_number(part, PART_ERROR, index),
                                       .order_id = part_number(part, PART_ORDER, index)},
                               .totals = {.count = part_number(part, PART_COUNT, index),
                                          .bytes_sent = part_number(part, PART_SENT, index),
                                          .bytes_received = part_number(part, PART_RECEIVED, index),
                                          .errors = part_number(part, PART_ERRORS, index),
                                          .max_concurrency = part_number(part, PART_CONCURRENCY, index),
                                          .duration_ms = part_number(part, PART_DURATION, index),
                                          .first = ts,
                                          .last = ts},
                               .part = part,
                               .index = index};
}

/* The logs of the statement's row, a part, that are of the range's time. */
static enum err each_of_part(struct part *part, sqlite3_stmt *row, const struct log_range *range, int64_t day,
                             log_sink sink, void *ctx, struct fault *fault)
{
    if (!part_open(part, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1)))
        return fault_set(fault, ERR_UNAVAILABLE, "log_part is damaged: its row %lld",
                         (long long)sqlite3_column_int64(row, 2));
    for (size_t i = 0; i < part->logs; i++) {
        struct stored_log log = log_of_part(part, i, day, sqlite3_column_int64(row, 0));
        if (log.key.bucket < range->quarter || log.key.bucket >= range->quarter + range->quarters)
            continue;
        if (sink(ctx, &log))
            return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    }
    return OK;
}

/* Those of one day. */
static enum err each_packed(struct log_reading *reading, const struct log_range *range, int64_t day, log_sink sink,
                            void *ctx, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(reading->db, W_PARTS);
    int64_t from = (range->quarter - day * WHEN_QUARTERS_OF_DAY) * WHEN_QUARTER;
    BIND_ALL(statement, day, range->user_from, range->user_to, from, from + range->quarters * WHEN_QUARTER);
    bool row = true;
    enum err err = db_step(reading->db, statement, "read parts", &row, fault);
    while (!err && row) {
        err = each_of_part(&reading->part, statement, range, day, sink, ctx, fault);
        if (!err)
            err = db_step(reading->db, statement, "read parts", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* ---- both ---- */

enum err sqlite_each_log(struct log_reading *reading, const struct log_range *range, log_sink sink, void *ctx,
                         struct fault *fault)
{
    int64_t end = range->quarter + range->quarters;
    enum err err = OK;
    for (int64_t quarter = range->quarter; !err && quarter < end; quarter++)
        err = each_row(reading, range, quarter, sink, ctx, fault);
    for (int64_t day = range->quarter / WHEN_QUARTERS_OF_DAY; !err && day * WHEN_QUARTERS_OF_DAY < end; day++)
        err = each_packed(reading, range, day, sink, ctx, fault);
    return err;
}

struct fold_key sqlite_log_value(const struct stored_log *log, int dimension)
{
    static const enum part_column columns[VALUE_DIMENSIONS + 1] = {
        [VALUE_OF_WORKER] = PART_WORKER, [VALUE_OF_PEER] = PART_PEER,     [VALUE_OF_PROTOCOL] = PART_PROTOCOL,
        [VALUE_OF_PORT] = PART_PORT,     [VALUE_OF_IP_OUT] = PART_IP_OUT, [VALUE_OF_ERROR] = PART_ERROR,
    };
    if (log->row)
        return value_of_column(dimension, log->row, LOGS_BEFORE_VALUES + dimension);
    int64_t number = part_number(log->part, columns[dimension], log->index);
    if (dimension != VALUE_OF_IP_OUT)
        return value_key(dimension, number);
    struct ip ip = part_ip(log->part, number);
    return value_key_of_address(dimension, ip.bytes, ip.len);
}
