/* rows.c: a group's logs as rows of raw_log, in key order. Knows the columns. Does not know which logs are let in. */
#include "store/sqlite/write/rows.h"

#include "base/int64.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

static enum err reserve_rows(struct sqlite_writer *writer, size_t more, struct fault *fault)
{
    size_t needed = writer->rows.count + more;
    if (needed <= writer->rows.cap)
        return OK;
    struct raw_row *rows = realloc(writer->rows.rows, needed * 2 * sizeof *rows);
    if (!rows)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    writer->rows.rows = rows;
    writer->rows.cap = needed * 2;
    return OK;
}

enum err sqlite_queue_rows(struct sqlite_writer *writer, const struct batch *batch, const bool *known, int64_t batch_id,
                           struct fault *fault)
{
    if (batch->log_count == 0)
        return OK;
    size_t first_name = writer->names.count;
    enum err err = reserve_rows(writer, batch->log_count, fault);
    if (!err)
        err = sqlite_resolve_names(&writer->names, batch, fault);
    if (err)
        return err;
    const int64_t *ids = writer->names.ids + first_name;
    uint32_t line = 0;
    for (uint32_t i = 0; i < batch->log_count; i++) {
        const struct log_record *log = &batch->logs[i];
        if (known && known[i])
            continue;
        writer->rows.rows[writer->rows.count++] = (struct raw_row){.quarter = tier_bucket(TIER_QUARTER, log->ts),
                                                                   .user_id = log->user_id,
                                                                   .domain = ids[log->name[NAME_DOMAIN]],
                                                                   .order_id = log->order_id,
                                                                   .batch_id = batch_id,
                                                                   .line = line++,
                                                                   .log = log,
                                                                   .first_name = first_name};
    }
    return OK;
}

static int compare_rows(const void *left, const void *right)
{
    const struct raw_row *a = left, *b = right;
    int order = compare64(a->quarter, b->quarter);
    order = order ? order : compare64(a->user_id, b->user_id);
    order = order ? order : compare64(a->domain, b->domain);
    order = order ? order : compare64(a->order_id, b->order_id);
    order = order ? order : compare64(a->batch_id, b->batch_id);
    return order ? order : compare64(a->line, b->line);
}

static void bind_ip(sqlite3_stmt *statement, int index, const struct ip *ip)
{
    sqlite3_bind_blob(statement, index, ip->bytes, ip->len, SQLITE_STATIC);
}

static void bind_ids(sqlite3_stmt *statement, const struct raw_row *row, const int64_t *ids)
{
    sqlite3_bind_int64(statement, 1, row->quarter);
    sqlite3_bind_int64(statement, 2, row->user_id);
    sqlite3_bind_int64(statement, 3, row->domain);
    sqlite3_bind_int64(statement, 4, row->order_id);
    sqlite3_bind_int64(statement, 5, row->batch_id);
    sqlite3_bind_int64(statement, 6, row->line);
    sqlite3_bind_int64(statement, 7, row->log->ts - row->quarter * WHEN_QUARTER);
    sqlite3_bind_int64(statement, 8, row->log->port);
    sqlite3_bind_int64(statement, 9, ids[row->log->name[NAME_PROTOCOL]]);
    bind_ip(statement, 10, &row->log->ip_out);
    bind_ip(statement, 11, &row->log->ip_from);
    sqlite3_bind_int64(statement, 12, ids[row->log->name[NAME_PEER]]);
    sqlite3_bind_int64(statement, 13, ids[row->log->name[NAME_WORKER]]);
    sqlite3_bind_int64(statement, 14, ids[row->log->name[NAME_ERROR]]);
}

static void bind_counters(sqlite3_stmt *statement, const struct log_record *log)
{
    sqlite3_bind_int64(statement, 15, log->count);
    sqlite3_bind_int64(statement, 16, log->bytes_sent);
    sqlite3_bind_int64(statement, 17, log->bytes_received);
    sqlite3_bind_int64(statement, 18, log->error_count);
    sqlite3_bind_int64(statement, 19, log->duration_ms);
    sqlite3_bind_int64(statement, 20, log->max_concurrency);
}

static bool is_gone(const struct sqlite_writer *writer, const struct raw_row *row)
{
    return row->quarter < writer->closed.horizons.raw_from * WHEN_QUARTERS_OF_DAY;
}

/* The first rows may be older than the logs that are kept: these are only counted. *ret_first is the first row after
 * them. */
static enum err count_gone(struct sqlite_writer *writer, size_t *ret_first, struct fault *fault)
{
    struct totals gone = {0};
    size_t i = 0;
    for (; i < writer->rows.count && is_gone(writer, &writer->rows.rows[i]); i++) {
        struct totals log = log_totals(writer->rows.rows[i].log);
        totals_add(&gone, &log);
    }
    *ret_first = i;
    if (i == 0)
        return OK;
    sqlite3_stmt *statement = sql_of(&writer->db, W_GONE);
    BIND_ALL(statement, (int64_t)i, gone.count, gone.bytes_sent, gone.bytes_received, gone.errors, gone.duration_ms);
    return db_run(&writer->db, statement, "count logs older than what is kept", fault);
}

static enum err put_row(struct sqlite_writer *writer, enum writer_statement which, const struct raw_row *row,
                        struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, which);
    bind_ids(statement, row, writer->names.ids + row->first_name);
    bind_counters(statement, row->log);
    return db_run(&writer->db, statement, "store a log", fault);
}

enum err sqlite_spool_rows(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < writer->rows.count; i++)
        err = put_row(writer, W_SPOOL_ADD, &writer->rows.rows[i], fault);
    return err;
}

/* Stores rows in key order, so that each page is visited once. */
enum err sqlite_put_rows(struct sqlite_writer *writer, struct fault *fault)
{
    if (writer->rows.count > 1)
        qsort(writer->rows.rows, writer->rows.count, sizeof *writer->rows.rows, compare_rows);
    size_t first = 0;
    enum err err = count_gone(writer, &first, fault);
    for (size_t i = first; !err && i < writer->rows.count; i++)
        err = put_row(writer, W_RAW_ADD, &writer->rows.rows[i], fault);
    return err;
}
