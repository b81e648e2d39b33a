/* reader.c: asks ClickHouse, once it has everything that was acknowledged before. Knows where that is, and how to wait
 * for it. Knows no report. */
#include "store/clickhouse/reader.h"

#include "store/clickhouse/doorbell.h"
#include "store/clickhouse/mark.h"
#include "store/clickhouse/schema.h"
#include "store/sqlite/spool/spool.h"
#include "time/mono.h"
#include "time/when.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

const char *reader_table(const struct clickhouse_reader *reader)
{
    return reader->config->cluster[0] ? CLICKHOUSE_ALL_SHARDS : CLICKHOUSE_LOGS;
}

/* ---- the barrier ---- */

static enum err position(struct clickhouse_reader *reader, struct spool_position *ret_position, struct fault *fault)
{
    enum err err = spool_position(reader->spool, ret_position, fault);
    if (!err && ret_position->target.trouble[0])
        err = fault_set(fault, ERR_UNAVAILABLE, "%s", ret_position->target.trouble);
    return err;
}

/* Waits until everything that was acknowledged before this call is in ClickHouse: then whoever wrote through this node
 * reads what it wrote. */
static enum err wait_for_shipment(struct clickhouse_reader *reader, int64_t deadline_ms, struct spool_position *ret_now,
                                  struct fault *fault)
{
    uint32_t count = shipped_count(&reader->shipped);
    enum err err = position(reader, ret_now, fault);
    if (err)
        return err;
    int64_t wanted = ret_now->newest_batch;
    if (ret_now->shipped_until < wanted)
        doorbell_ring(reader->data_dir);
    while (!err && (ret_now->shipped_until < wanted || !ret_now->target.mark)) {
        if (mono_ms() >= deadline_ms)
            return fault_set(fault, ERR_QUERY_TIMEOUT, "ClickHouse has not taken yet what was acknowledged before");
        shipped_await(&reader->shipped, count);
        count = shipped_count(&reader->shipped);
        err = position(reader, ret_now, fault);
    }
    return err;
}

static const char *url_of(const struct clickhouse_reader *reader, const struct spool_position *position)
{
    size_t replica = position->target.replica[0];
    return reader->servers.shards[0].urls[replica < reader->servers.shards[0].replica_count ? replica : 0];
}

static int64_t left_ms(const struct clickhouse_reader *reader)
{
    int64_t left = reader->deadline_ms - mono_ms();
    return left > 1 ? left : 1;
}

static void start_clock(struct clickhouse_reader *reader)
{
    reader->deadline_ms = mono_ms() + (reader->timeout_ms ? reader->timeout_ms : reader->config->timeout_ms);
}

enum err reader_begin(struct clickhouse_reader *reader, struct buf **ret_sql, struct fault *fault)
{
    struct spool_position now;
    start_clock(reader);
    enum err err = wait_for_shipment(reader, reader->deadline_ms, &now, fault);
    if (err)
        return err;
    reader->url = url_of(reader, &now);
    reader->mark = now.target.mark;
    memcpy(reader->id, now.id, sizeof reader->id);
    kept_release(&reader->kept);
    err = kept_read(reader->client, reader->url, left_ms(reader), &reader->kept, fault);
    buf_clear(&reader->sql);
    *ret_sql = &reader->sql;
    return err;
}

enum err reader_clip(const struct clickhouse_reader *reader, const struct report_filter *filter, bool needs_logs,
                     struct report_filter *ret_kept, struct fault *fault)
{
    int64_t from = reader->kept.from_day * WHEN_DAY;
    *ret_kept = *filter;
    if (filter->from >= from)
        return OK;
    ret_kept->from = from < filter->to ? from : filter->to;
    return needs_logs ? filter_refuse(filter, from, fault) : OK;
}

struct cover_ask reader_cover(const struct clickhouse_reader *reader, const struct report_filter *filter)
{
    bool is_cluster = reader->config->cluster[0] != '\0';
    return (struct cover_ask){.filter = filter,
                              .kept = &reader->kept,
                              .logs = reader_table(reader),
                              .sums = is_cluster ? CLICKHOUSE_ALL_SUMS : CLICKHOUSE_SUMS};
}

static enum err ask_text(struct clickhouse_reader *reader, struct http_reply *ret_reply, struct fault *fault)
{
    buf_puts(&reader->sql, ROWS_FORMAT);
    const char *sql = buf_cstr(&reader->sql);
    if (!sql)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    struct http_statement statement = {.url = reader->url, .sql = sql, .timeout_ms = left_ms(reader)};
    return http_run(reader->client, &statement, ret_reply, fault);
}

/* A server that started again before it answered may lack logs. The answer stays, in its client. */
static enum err require_mark(struct clickhouse_reader *reader, struct fault *fault)
{
    bool has_mark = false;
    enum err err =
        mark_find(reader->mark_client, reader->url, reader->id, left_ms(reader), reader->mark, &has_mark, fault);
    if (err || has_mark)
        return err;
    doorbell_ring(reader->data_dir);
    return fault_set(fault, ERR_UNAVAILABLE,
                     "%s may lack what was acknowledged before: it is not known to have run since it had everything",
                     reader->url);
}

enum err reader_ask_text(struct clickhouse_reader *reader, struct http_reply *ret_reply, struct fault *fault)
{
    enum err err = ask_text(reader, ret_reply, fault);
    return err ? err : require_mark(reader, fault);
}

enum err reader_ask(struct clickhouse_reader *reader, size_t columns, struct rows *ret_rows, struct fault *fault)
{
    struct http_reply reply;
    enum err err = reader_ask_text(reader, &reply, fault);
    return err ? err : rows_parse(reply.body, reply.body_bytes, columns, ret_rows, fault);
}

enum err reader_totals(const struct rows *rows, size_t row, size_t column, struct totals *ret_totals,
                       struct fault *fault)
{
    int64_t *const measures[SQL_MEASURE_COUNT] = {
        &ret_totals->count,           &ret_totals->bytes_sent,  &ret_totals->bytes_received, &ret_totals->errors,
        &ret_totals->max_concurrency, &ret_totals->duration_ms, &ret_totals->first,          &ret_totals->last};
    enum err err = OK;
    for (size_t i = 0; !err && i < SQL_MEASURE_COUNT; i++)
        err = rows_i64(rows, row, column + i, measures[i], fault);
    return err;
}

/* ---- operations ---- */

static void close_reader(struct store_reader *base)
{
    struct clickhouse_reader *reader = clickhouse_reader_of(base);
    spool_reader_close(reader->spool);
    http_client_close(reader->client);
    http_client_close(reader->mark_client);
    buf_release(&reader->sql);
    kept_release(&reader->kept);
    shipped_close(&reader->shipped);
    free(reader);
}

static enum err open_reader(const struct store_place *place, struct store_reader **ret_reader, struct fault *fault)
{
    struct clickhouse_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    reader->base.engine = &store_engine_clickhouse;
    reader->config = place->clickhouse;
    reader->data_dir = place->data_dir;
    buf_init(&reader->sql, READER_SQL_BYTES);
    enum err err = servers_parse(reader->config->urls, &reader->servers, fault);
    if (!err)
        err = spool_reader_open(place->data_dir, &reader->spool, fault);
    shipped_open(place->data_dir, false, &reader->shipped);
    if (!err)
        err = http_client_open(reader->config, HTTP_REPORTS, &reader->client, fault);
    if (!err)
        err = http_client_open(reader->config, HTTP_REPORTS, &reader->mark_client, fault);
    if (err)
        close_reader(&reader->base);
    else
        *ret_reader = &reader->base;
    return err;
}

static bool is_stale(struct store_reader *reader)
{
    return spool_reader_is_stale(clickhouse_reader_of(reader)->spool);
}

static void set_timeout(struct store_reader *reader, int64_t milliseconds)
{
    clickhouse_reader_of(reader)->timeout_ms = milliseconds;
}

/* Other nodes write too, so no state is known to be the one of before: each is another. */
static enum err hold(struct store_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                     struct fault *fault)
{
    (void)reader;
    (void)filter;
    (void)fault;
    static uint64_t asked;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t parts[] = {now.tv_sec, now.tv_nsec, (int64_t)++asked};
    *ret_state = (struct store_state){0};
    memcpy(ret_state->bytes, parts, sizeof parts);
    return OK;
}

static void let_go(struct store_reader *reader)
{
    (void)reader;
}

/* Does not wait for what is not shipped: after an hour without ClickHouse that may take minutes, and all is well. */
static enum err health(struct store_reader *base, int *ret_schema_version, struct fault *fault)
{
    struct clickhouse_reader *reader = clickhouse_reader_of(base);
    struct spool_position now;
    start_clock(reader);
    enum err err = position(reader, &now, fault);
    if (err)
        return err;
    reader->url = url_of(reader, &now);
    buf_clear(&reader->sql);
    buf_puts(&reader->sql, CLICKHOUSE_VERSION_SQL);
    struct http_reply reply;
    struct rows rows;
    err = ask_text(reader, &reply, fault);
    if (!err)
        err = rows_parse(reply.body, reply.body_bytes, 1, &rows, fault);
    if (err)
        return err;
    int64_t version = 0;
    if (rows.count > 0)
        err = rows_i64(&rows, 0, 0, &version, fault);
    rows_release(&rows);
    if (!err && version < CLICKHOUSE_SCHEMA_VERSION)
        err =
            fault_set(fault, ERR_UNAVAILABLE,
                      "the tables at %s are not all made yet: analytics-ingest makes them when it starts", reader->url);
    *ret_schema_version = (int)version;
    return err;
}

const struct store_reader_ops clickhouse_reader_ops = {
    .open = open_reader,
    .close = close_reader,
    .is_stale = is_stale,
    .set_timeout = set_timeout,
    .hold = hold,
    .let_go = let_go,
    .chart = clickhouse_chart,
    .summary = clickhouse_summary,
    .list = clickhouse_list,
    .health = health,
};
