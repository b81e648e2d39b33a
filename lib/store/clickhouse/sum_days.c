/* sum_days.c: the logs of all shards by day and user, to be compared with those of another engine. */
#include "store/clickhouse/care.h"

#include "store/clickhouse/rows.h"
#include "store/clickhouse/schema.h"
#include "store/clickhouse/session.h"

#include "base/banned.h"

enum { DAY, USER, LOGS, COUNT, SENT, RECEIVED, ERRORS, DAY_COLUMNS };

#define QUESTION                                                                                                       \
    "SELECT toInt64(day) AS d, user_id, count(), sum(count), sum(bytes_sent), sum(bytes_received), sum(error_count)"   \
    " FROM " CLICKHOUSE_LOGS " GROUP BY d, user_id" ROWS_FORMAT

typedef void (*day_sink)(void *ctx, int64_t day, int64_t user_id, int64_t logs, const struct totals *totals);

static enum err give_row(const struct rows *rows, size_t row, day_sink take, void *ctx, struct fault *fault)
{
    int64_t value[DAY_COLUMNS] = {0};
    enum err err = OK;
    for (size_t column = 0; !err && column < DAY_COLUMNS; column++)
        err = rows_i64(rows, row, column, &value[column], fault);
    if (!err)
        take(ctx, value[DAY], value[USER], value[LOGS],
             &(struct totals){.count = value[COUNT],
                              .bytes_sent = value[SENT],
                              .bytes_received = value[RECEIVED],
                              .errors = value[ERRORS]});
    return err;
}

static enum err ask_shard(const struct session *session, size_t shard, day_sink take, void *ctx, struct fault *fault)
{
    struct http_statement statement = {.url = deleting_url(&session->deleting, shard), .sql = QUESTION};
    struct http_reply reply;
    struct rows rows;
    enum err err = http_run(session->client, &statement, &reply, fault);
    if (!err)
        err = rows_parse(reply.body, reply.body_bytes, DAY_COLUMNS, &rows, fault);
    if (err)
        return err;
    for (size_t row = 0; !err && row < rows.count; row++)
        err = give_row(&rows, row, take, ctx, fault);
    rows_release(&rows);
    return err;
}

enum err clickhouse_sum_days(const struct store_place *place, day_sink take, void *ctx, struct fault *fault)
{
    struct session session;
    enum err err = session_open(place, &session, fault);
    if (err)
        return err;
    for (size_t shard = 0; !err && shard < session.servers.shard_count; shard++)
        err = ask_shard(&session, shard, take, ctx, fault);
    session_close(&session);
    return err;
}
