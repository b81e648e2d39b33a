/* pass.c: rows of the tables as rows of an answer. Knows the columns of each kind of row. Does not know which rows are
 * read, nor why. */
#include "store/sqlite/read/pass.h"

#include "rollup/pack.h"
#include "store/sqlite/row.h"
#include "time/when.h"

#include <string.h>

#include "base/banned.h"

static enum err give(const struct pass *pass, const struct scan_row *row)
{
    if (pass->sink(pass->ctx, row))
        return fault_set(pass->fault, ERR_UNAVAILABLE, "out of memory");
    return OK;
}

static void set_address(struct scan_row *row, const void *bytes, int len)
{
    struct ip ip = {0};
    if (len == sizeof ip.bytes)
        row->ip = (struct slice){bytes, sizeof ip.bytes};
    if (len == 4) {
        ip.len = 4;
        memcpy(ip.bytes, bytes, 4);
    }
    row->value = ip_number(&ip);
}

/* ---- the aggregate ---- */

static void add_value(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct sqlite_reader *reader = sqlite3_user_data(context);
    struct scan_row row = {.totals = {.count = sqlite3_value_int64(values[1]),
                                      .bytes_sent = sqlite3_value_int64(values[2]),
                                      .bytes_received = sqlite3_value_int64(values[3]),
                                      .errors = sqlite3_value_int64(values[4]),
                                      .max_concurrency = sqlite3_value_int64(values[5]),
                                      .duration_ms = sqlite3_value_int64(values[6])}};
    (void)count;
    if (dimensions[reader->pass->by].kind == VALUE_ADDRESS)
        set_address(&row, sqlite3_value_blob(values[0]), sqlite3_value_bytes(values[0]));
    else
        row.value = sqlite3_value_int64(values[0]);
    if (give(reader->pass, &row))
        sqlite3_result_error_nomem(context);
}

static void add_no_more(sqlite3_context *context)
{
    sqlite3_result_null(context);
}

enum err pass_make_aggregate(struct sqlite_reader *reader, struct fault *fault)
{
    int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;
    if (sqlite3_create_function_v2(reader->db.handle, "tally", 7, flags, reader, NULL, add_value, add_no_more, NULL))
        return db_fault(&reader->db, "tally", fault);
    return OK;
}

/* ---- rows ---- */

/* A row of traffic_quarter, traffic_hour or traffic_day. */
enum err pass_take_traffic(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    (void)start; /* it says itself when it is */
    struct scan_row row = {.at = sqlite3_column_int64(statement, 0), .totals = row_totals(statement, 1)};
    return give(pass, &row);
}

/* Does the log name an error, and the one that is asked for, if one is? */
static bool wanted_error(const struct scan *scan, int64_t error)
{
    return error != 0 && (scan->error == NAME_ANY || error == scan->error);
}

/* A row of raw_log. SCAN_ERRORS skips logs without one. */
enum err pass_take_raw(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    struct scan_row row = {.at = start + sqlite3_column_int64(statement, 8),
                           .error = sqlite3_column_int64(statement, 0),
                           .domain = sqlite3_column_int64(statement, 1)};
    if (pass->source == SCAN_ERRORS && !wanted_error(pass->scan, row.error))
        return OK;
    row.totals = row_totals_at(statement, 2, row.at);
    return give(pass, &row);
}

static void read_value(sqlite3_stmt *statement, int value, enum dimension by, struct scan_row *row)
{
    if (dimensions[by].kind == VALUE_ADDRESS)
        set_address(row, sqlite3_column_blob(statement, value), sqlite3_column_bytes(statement, value));
    else
        row->value = sqlite3_column_int64(statement, value);
}

/* A row of raw_log with all that it holds. */
enum err pass_take_log(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    struct scan_row row = {.at = sqlite3_column_int64(statement, 9) * WHEN_QUARTER + sqlite3_column_int64(statement, 8),
                           .error = sqlite3_column_int64(statement, 0),
                           .domain = sqlite3_column_int64(statement, 1)};
    (void)start;
    if (pass->source == SCAN_ERRORS && !wanted_error(pass->scan, row.error))
        return OK;
    bool passes = true;
    enum err err = OK;
    if (pass->scan->match)
        err = match_log(pass->reader, pass->scan->match, statement, LOG_FIRST_VALUE, &passes, pass->fault);
    if (err || !passes)
        return err;
    row.totals = row_totals_at(statement, 2, row.at);
    read_value(statement, LOG_FIRST_VALUE + (int)pass->by, pass->by, &row);
    return give(pass, &row);
}

/* A row of value_day. */
enum err pass_take_value(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    struct scan_row row = {.totals = row_totals(statement, 1)};
    (void)start;
    read_value(statement, 0, pass->by, &row);
    return give(pass, &row);
}

enum err pass_take_nothing(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    (void)pass;
    (void)statement;
    (void)start;
    return OK;
}

/* A row of a traffic table, of one user and order. */
enum err pass_take_owner(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    const struct report_term *without = pass->scan->filter->without;
    int64_t order = sqlite3_column_int64(statement, 1);
    (void)start;
    if (without[BY_ORDER].is_set && without[BY_ORDER].number == order)
        return OK;
    struct scan_row row = {.value = pass->by == BY_USER ? sqlite3_column_int64(statement, 0) : order,
                           .totals = row_totals(statement, 2)};
    return give(pass, &row);
}

static enum err is_wanted(const struct pass *pass, const struct fold_key *key, bool *ret_wanted)
{
    const struct scan *scan = pass->scan;
    int64_t order = scan->filter->order_id;
    *ret_wanted = (scan->domain == NAME_ANY || key->domain == scan->domain) &&
                  (scan->error == NAME_ANY || key->error == scan->error) && (!order || key->order_id == order);
    return *ret_wanted && scan->match ? match_entry(pass->reader, scan->match, key, ret_wanted, pass->fault) : OK;
}

/* Orders are told apart only where it matters. */
static bool is_by_order(const struct pass *pass)
{
    const struct report_filter *filter = pass->scan->filter;
    return filter->order_id || filter->without[BY_ORDER].is_set ||
           (pass->source == SCAN_VALUES && pass->by == BY_ORDER);
}

/* A row of rollup_chunk: many entries. */
enum err pass_take_chunk(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    struct pack_reader chunk;
    struct scan_row row = {.at = start};
    pack_open(&chunk, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0), start,
              is_by_order(pass));
    enum err err = OK;
    bool wanted;
    while (!err && pack_next(&chunk, &row.totals)) {
        row.error = chunk.key.error;
        row.domain = chunk.key.domain;
        row.value = pass->by == BY_USER ? pass->user : chunk.key.order_id;
        err = is_wanted(pass, &chunk.key, &wanted);
        if (!err && wanted)
            err = give(pass, &row);
    }
    return chunk.damaged ? fault_set(pass->fault, ERR_UNAVAILABLE, "rollup_chunk is damaged") : err;
}
