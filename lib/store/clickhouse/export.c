/* export.c: logs in order of time, a page in each statement. Knows where the next page begins. Knows no text format. */
#include "store/clickhouse/reader.h"

#include "base/int64.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define PAGE_LOGS 20000
#define PAGE_TIMEOUT_MS 60000
#define MOST_WINDOW (INT64_MAX / 4)

/* A page may end within a second, and within a block's logs of that second. A block never changes, so what counts there
 * is how many of them were given, in this order. */
#define ORDER                                                                                                          \
    "ts, block, user_id, domain, order_id, worker, peer_id, protocol, port, ip_out, ip_from, error, count,"            \
    " bytes_sent, bytes_received, error_count, duration_ms, max_concurrency"

enum { EXPORT_COLUMNS = 18, BLOCK_COLUMN = 17 };

struct clickhouse_export {
    struct store_export base;
    struct store_reader *reader;
    struct store_export_filter filter;
    int64_t second; /* all that is older was given */
    int64_t block;  /* and of that second the logs of blocks with lower numbers */
    int64_t given;  /* and so many of this one's */
    int64_t window; /* of a page, seconds: a server sorts all that it may give */
    int64_t until;  /* where the page ends at the latest */
};

static void close_export(struct store_export *base)
{
    struct clickhouse_export *export = (struct clickhouse_export *)base;
    store_reader_close(export->reader);
    free(export);
}

static enum err open_export(const struct store_place *place, const struct store_export_filter *filter,
                            struct store_export **ret_export, struct fault *fault)
{
    struct clickhouse_export *export = calloc(1, sizeof *export);
    if (!export)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    export->base.engine = &store_engine_clickhouse;
    export->filter = *filter;
    export->second = filter->from;
    export->window = WHEN_DAY;
    enum err err = store_reader_open(*place, &export->reader, fault);
    if (err) {
        close_export(&export->base);
        return err;
    }
    store_reader_set_timeout(export->reader, PAGE_TIMEOUT_MS);
    *ret_export = &export->base;
    return OK;
}

/* ---- one page ---- */

static void begin_window(struct clickhouse_export *export)
{
    int64_t begin = export->second - export->second % WHEN_DAY;
    export->until = export->filter.to - begin > export->window ? begin + export->window : export->filter.to;
}

/* All of the window was given. Where nothing was, the next is wider. */
static void end_window(struct clickhouse_export *export, bool was_empty)
{
    export->second = export->until;
    export->block = export->given = 0;
    export->window = was_empty && export->window < MOST_WINDOW ? 2 * export->window : WHEN_DAY;
}

static void put_page(const struct clickhouse_export *export, const struct clickhouse_reader *reader, struct buf *sql)
{
    struct report_filter filter = {.from = max64(export->second, reader->kept.from_day * WHEN_DAY),
                                   .to = export->until,
                                   .user_id = export->filter.user_id,
                                   .order_id = export->filter.order_id};
    buf_printf(sql,
               "SELECT domain, error, protocol, peer_id, worker, ts, user_id, order_id, port, ip_out, ip_from, count,"
               " bytes_sent, bytes_received, error_count, duration_ms, max_concurrency, block FROM %s",
               reader_table(reader));
    sql_put_where(sql, &filter);
    buf_printf(sql, " AND (ts > %" PRId64 " OR block >= %" PRId64 ") ORDER BY " ORDER " LIMIT %" PRId64 ", %d",
               export->second, export->block, export->given, PAGE_LOGS);
}

static enum err take_address(const struct rows *rows, size_t row, size_t column, struct ip *ret_ip, struct fault *fault)
{
    const char *text = NULL;
    enum err err = rows_text(rows, row, column, &text, fault);
    if (!err && !ip_parse(slice_of(text), ret_ip))
        err = fault_set(fault, ERR_UNAVAILABLE, "ClickHouse answered with an address that is none");
    return err;
}

static enum err take_log(const struct rows *rows, size_t row, struct log_record *ret_record, struct log_text *ret_log,
                         struct fault *fault)
{
    enum err err = OK;
    for (size_t field = 0; !err && field < NAME_FIELDS; field++) {
        const char *text = NULL;
        err = rows_text(rows, row, field, &text, fault);
        if (!err)
            ret_log->name[field] = slice_of(text);
    }
    if (!err)
        err = take_address(rows, row, 9, &ret_record->ip_out, fault);
    if (!err)
        err = take_address(rows, row, 10, &ret_record->ip_from, fault);
    int64_t port = 0;
    int64_t *const numbers[EXPORT_COLUMNS] = {[5] = &ret_record->ts,
                                              [6] = &ret_record->user_id,
                                              [7] = &ret_record->order_id,
                                              [8] = &port,
                                              [11] = &ret_record->count,
                                              [12] = &ret_record->bytes_sent,
                                              [13] = &ret_record->bytes_received,
                                              [14] = &ret_record->error_count,
                                              [15] = &ret_record->duration_ms,
                                              [16] = &ret_record->max_concurrency};
    for (size_t column = 0; !err && column < EXPORT_COLUMNS; column++)
        if (numbers[column])
            err = rows_i64(rows, row, column, numbers[column], fault);
    ret_record->port = (uint16_t)port;
    ret_log->record = ret_record;
    return err;
}

static void note_given(struct clickhouse_export *export, int64_t second, int64_t block)
{
    bool is_same = second == export->second && block == export->block;
    export->given = is_same ? export->given + 1 : 1;
    export->second = second;
    export->block = block;
}

static enum err give_rows(struct clickhouse_export *export, const struct rows *rows, store_log_sink sink, void *ctx,
                          bool *ret_wanted, struct fault *fault)
{
    enum err err = OK;
    *ret_wanted = true;
    for (size_t i = 0; !err && *ret_wanted && i < rows->count; i++) {
        struct log_record record = {0};
        struct log_text log;
        err = take_log(rows, i, &record, &log, fault);
        int64_t block = 0;
        if (!err)
            err = rows_i64(rows, i, BLOCK_COLUMN, &block, fault);
        if (err)
            break;
        note_given(export, record.ts, block);
        *ret_wanted = sink(ctx, &log);
    }
    return err;
}

static enum err give_next(struct store_export *base, store_log_sink sink, void *ctx, int64_t *ret_at,
                          struct fault *fault)
{
    struct clickhouse_export *export = (struct clickhouse_export *)base;
    struct clickhouse_reader *reader = clickhouse_reader_of(export->reader);
    struct buf *sql;
    enum err err = reader_begin(reader, &sql, fault);
    if (err)
        return err;
    begin_window(export);
    put_page(export, reader, sql);
    struct rows rows;
    err = reader_ask(reader, EXPORT_COLUMNS, &rows, fault);
    if (err)
        return err;
    bool wanted = true;
    err = give_rows(export, &rows, sink, ctx, &wanted, fault);
    if (!err && wanted && rows.count < PAGE_LOGS)
        end_window(export, rows.count == 0);
    else
        export->window = WHEN_DAY;
    rows_release(&rows);
    *ret_at = export->second;
    return err;
}

const struct store_export_ops clickhouse_export_ops = {.open = open_export, .close = close_export, .next = give_next};
