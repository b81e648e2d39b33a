/* remove.c: prune and delete. Knows in which order things have to go, so that reports are right at each moment: first
 * it is noted what no longer holds, then rows go. */
#include "store/clickhouse/care.h"

#include "store/clickhouse/ask.h"
#include "store/clickhouse/blocks.h"
#include "store/clickhouse/kept.h"
#include "store/clickhouse/schema.h"
#include "store/clickhouse/session.h"
#include "store/clickhouse/sql.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/banned.h"

#define SQL_BYTES ((size_t)64 << 10)
#define WHERE_BYTES 64
#define SETTLE_SECONDS 1 /* reports that have read what holds have asked by then */

/* Of every shard; the rows are given to `take`. */
typedef enum err (*row_sink)(void *ctx, const struct rows *rows, size_t row, struct fault *fault);

static enum err ask_all(const struct session *session, const char *sql, size_t columns, row_sink take, void *ctx,
                        struct fault *fault)
{
    enum err err = OK;
    for (size_t shard = 0; !err && shard < session->servers.shard_count; shard++) {
        struct http_statement statement = {.url = deleting_url(&session->deleting, shard), .sql = sql};
        struct rows rows;
        err = ask_rows(session->client, &statement, columns, &rows, fault);
        if (err)
            return err;
        for (size_t row = 0; !err && row < rows.count; row++)
            err = take(ctx, &rows, row, fault);
        rows_release(&rows);
    }
    return err;
}

/* ---- prune ---- */

static enum err add_number(void *ctx, const struct rows *rows, size_t row, struct fault *fault)
{
    int64_t number = 0, *sum = ctx;
    enum err err = rows_i64(rows, row, 0, &number, fault);
    *sum += number;
    return err;
}

static enum err count_before(const struct session *session, int64_t day, int64_t *ret_logs, struct fault *fault)
{
    char sql[128];
    *ret_logs = 0;
    snprintf(sql, sizeof sql, "SELECT count() FROM " CLICKHOUSE_LOGS " WHERE day < %" PRId64 ROWS_FORMAT, day);
    return ask_all(session, sql, 1, add_number, ret_logs, fault);
}

static enum err prune(const struct session *session, int64_t days, int64_t now, const struct watch *watch,
                      struct fault *fault)
{
    int64_t day = 0;
    enum err err = deleting_move(&session->deleting, days, now, &day, fault);
    if (!err)
        err = deleting_drop(&session->deleting, day, fault);
    char where[WHERE_BYTES];
    snprintf(where, sizeof where, "day < %" PRId64, day);
    if (!err)
        err = deleting_rows(&session->deleting, CLICKHOUSE_LOGS, where, watch, fault);
    return err ? err : deleting_rows(&session->deleting, CLICKHOUSE_SUMS, where, watch, fault);
}

enum err clickhouse_prune(const struct store_place *place, int64_t days, int64_t now, bool is_plan,
                          const struct watch *watch, struct clickhouse_pruned *ret_pruned, struct fault *fault)
{
    struct session session;
    struct clickhouse_pruned pruned = {0};
    int64_t from = 0, due = 0;
    enum err err = session_open(place, &session, fault);
    if (err)
        return err;
    err = deleting_find(&session.deleting, days, now, &from, &due, fault);
    if (!err && due > 0)
        err = count_before(&session, due, &pruned.logs, fault);
    if (pruned.logs > 0)
        pruned.before = due * WHEN_DAY;
    if (!err && !is_plan && due > 0)
        err = prune(&session, days, now, watch, fault);
    session_close(&session);
    if (!err)
        *ret_pruned = pruned;
    return err;
}

/* ---- delete ---- */

struct doomed {
    struct clickhouse_deleted found;
    int64_t *days;
    size_t room;
};

static enum err note_day(struct doomed *doomed, int64_t day, struct fault *fault)
{
    if ((size_t)doomed->found.days == doomed->room) {
        size_t room = doomed->room ? 2 * doomed->room : 64;
        int64_t *days = realloc(doomed->days, room * sizeof *days);
        if (!days)
            return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        doomed->days = days;
        doomed->room = room;
    }
    doomed->days[doomed->found.days++] = day;
    return OK;
}

enum { DAY, LOGS, COUNT, SENT, RECEIVED, ERRORS, FIRST, LAST, DOOMED_COLUMNS };

static enum err take_day(void *ctx, const struct rows *rows, size_t row, struct fault *fault)
{
    struct doomed *doomed = ctx;
    int64_t value[DOOMED_COLUMNS] = {0};
    enum err err = OK;
    for (size_t column = 0; !err && column < DOOMED_COLUMNS; column++)
        err = rows_i64(rows, row, column, &value[column], fault);
    if (err)
        return err;
    struct totals totals = {.count = value[COUNT],
                            .bytes_sent = value[SENT],
                            .bytes_received = value[RECEIVED],
                            .errors = value[ERRORS],
                            .first = value[FIRST],
                            .last = value[LAST]};
    doomed->found.logs += value[LOGS];
    totals_add(&doomed->found.totals, &totals);
    return note_day(doomed, value[DAY], fault);
}

static enum err find_doomed(const struct session *session, const char *where, struct doomed *doomed,
                            struct fault *fault)
{
    struct buf sql;
    buf_init(&sql, 2 * SQL_BYTES);
    buf_puts(&sql, "SELECT toInt64(day) AS d, count(), sum(count), sum(bytes_sent), sum(bytes_received),"
                   " sum(error_count), min(ts), max(ts) FROM " CLICKHOUSE_LOGS " WHERE ");
    buf_puts(&sql, where);
    buf_puts(&sql, " GROUP BY d ORDER BY d" ROWS_FORMAT);
    const char *text = buf_cstr(&sql);
    enum err err = text ? ask_all(session, text, DOOMED_COLUMNS, take_day, doomed, fault)
                        : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    buf_release(&sql);
    return err;
}

/* From now on reports of these days step through logs, on whatever replica. */
static enum err void_sums(const struct session *session, const struct doomed *doomed, int64_t now, struct fault *fault)
{
    enum err err = kept_note(session->client, deleting_url(&session->deleting, 0), KEPT_RAW, doomed->days,
                             (size_t)doomed->found.days, now, fault);
    for (size_t i = 0; !err && i < session->servers.shards[0].replica_count; i++) {
        const char *url = session->servers.shards[0].urls[i];
        bool hangs = false;
        if (!blocks_is_silent(session->client, url, &hangs))
            err = blocks_sync(session->client, session->deleting.config, url, session->deleting.config->timeout_ms,
                              fault);
    }
    if (!err)
        nanosleep(&(struct timespec){.tv_sec = SETTLE_SECONDS}, NULL);
    return err;
}

static enum err delete_where(const struct session *session, const char *where, int64_t now, bool is_plan,
                             const struct watch *watch, struct doomed *doomed, struct fault *fault)
{
    enum err err = find_doomed(session, where, doomed, fault);
    if (err || is_plan || doomed->found.logs == 0)
        return err;
    err = void_sums(session, doomed, now, fault);
    return err ? err : deleting_rows(&session->deleting, CLICKHOUSE_LOGS, where, watch, fault);
}

static enum err check_shipped(const struct session *session, struct fault *fault)
{
    if (session->position.waiting_logs == 0)
        return OK;
    return fault_set(fault, ERR_UNAVAILABLE,
                     "%lld logs wait in the spool, and perhaps some of these are meant: let analytics-ingest ship them"
                     " first",
                     (long long)session->position.waiting_logs);
}

enum err clickhouse_delete(const struct store_place *place, const struct report_filter *filter, int64_t now,
                           bool is_plan, const struct watch *watch, struct clickhouse_deleted *ret_deleted,
                           struct fault *fault)
{
    struct session session;
    struct doomed doomed = {.found = {.totals = TOTALS_NONE}};
    enum err err = session_open(place, &session, fault);
    if (err)
        return err;
    struct buf where;
    buf_init(&where, SQL_BYTES);
    sql_put_conditions(&where, filter);
    const char *text = buf_cstr(&where);
    if (!text)
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err && !is_plan)
        err = check_shipped(&session, fault);
    if (!err)
        err = delete_where(&session, text, now, is_plan, watch, &doomed, fault);
    buf_release(&where);
    session_close(&session);
    free(doomed.days);
    if (!err)
        *ret_deleted = doomed.found;
    return err;
}
