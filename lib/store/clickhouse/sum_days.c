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

/* Where days go. */
struct taking {
    day_sink take;
    void *ctx;
};

static enum err give_row(void *ctx, const struct rows *rows, struct fault *fault)
{
    const struct taking *taking = ctx;
    int64_t value[DAY_COLUMNS] = {0};
    enum err err = OK;
    for (size_t column = 0; !err && column < DAY_COLUMNS; column++)
        err = rows_i64(rows, 0, column, &value[column], fault);
    if (!err)
        taking->take(taking->ctx, value[DAY], value[USER], value[LOGS],
                     &(struct totals){.count = value[COUNT],
                                      .bytes_sent = value[SENT],
                                      .bytes_received = value[RECEIVED],
                                      .errors = value[ERRORS]});
    return err;
}

static enum err ask_shard(const struct session *session, size_t shard, struct taking *taking, struct fault *fault)
{
    struct http_statement statement = {.url = deleting_url(&session->deleting, shard), .sql = QUESTION};
    struct http_reply reply;
    enum err err = http_run(session->client, &statement, &reply, fault);
    return err ? err : rows_each(reply.body, reply.body_bytes, DAY_COLUMNS, give_row, taking, fault);
}

enum err clickhouse_sum_days(const struct store_place *place, day_sink take, void *ctx, struct fault *fault)
{
    struct session session;
    enum err err = session_open(place, &session, fault);
    if (err)
        return err;
    for (size_t shard = 0; !err && shard < session.servers.shard_count; shard++)
        err = ask_shard(&session, shard, &(struct taking){take, ctx}, fault);
    session_close(&session);
    return err;
}
