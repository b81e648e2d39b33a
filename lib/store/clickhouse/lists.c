/* lists.c: lists of values: ranked by ClickHouse, a page at a time. Knows the column of each dimension. */
#include "store/clickhouse/reader.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

static const char *const value_of[DIMENSIONS] = {
    [BY_WORKER] = "worker",
    [BY_PEER] = "peer_id",
    [BY_PROTOCOL] = "protocol",
    [BY_PORT] = "toString(port)",
    [BY_IP_OUT] = "ip_out",
    [BY_IP_FROM] = "ip_from",
    [BY_ORDER] = "toString(order_id)",
    [BY_USER] = "toString(user_id)",
    [BY_ERROR] = "error",
    [BY_DOMAIN] = "domain",
};

static const char *measure_of(enum list_order order)
{
    switch (order) {
    case ORDER_BYTES:
        return "s + r";
    case ORDER_COUNT:
        return "c";
    case ORDER_ERRORS:
        return "e";
    case ORDER_ERROR_RATE: /* totals_error_rate, in 128 bits as versions without Int128 have them */
        return "(c <= 0 AND e > 0) DESC, toDecimal128(e * (c > 0), 0) * toDecimal128(1000000000, 0)"
               " / toDecimal128(greatest(c, toInt64(1)), 0)";
    case ORDER_DURATION: /* totals_avg_duration */
        return "if(c > 0, intDiv(d, greatest(c, toInt64(1))), toInt64(0))";
    }
    return "c";
}

/* ---- one statement ---- */

/* Only values that contain the text. Both sides in lower case, of ASCII letters alone. */
static void put_containing(struct buf *sql, const struct list_ask *ask)
{
    if (ask->containing.len == 0)
        return;
    buf_printf(sql, " AND position(lower(%s), lower(", value_of[ask->by]);
    sql_put_text(sql, ask->containing);
    buf_puts(sql, ")) > 0");
}

/* A group for each value: v, its measures, and p: its samples, or nothing. */
static void put_groups(struct buf *sql, const struct cover_ask *cover)
{
    buf_puts(sql, "SELECT *, emptyArrayString() AS p FROM (" SQL_ADDED_UP("v"));
    cover_put(sql, cover);
    buf_puts(sql, SQL_ADDED_UP_END("v") ")");
}

/* The same of logs that name an error, by way of groups for each error and domain. */
static void put_groups_with_samples(struct buf *sql, const struct cover_ask *cover)
{
    buf_printf(sql,
               "SELECT v, c2 AS c, s2 AS s, r2 AS r, e2 AS e, m2 AS m, d2 AS d, a2 AS a, z2 AS z, p FROM (SELECT v,"
               " sum(c) AS c2, sum(s) AS s2, sum(r) AS r2, sum(e) AS e2, max(m) AS m2, sum(d) AS d2, min(a) AS a2, "
               "max(z) AS z2,"
               " arrayMap(x -> x.2, arraySlice(arraySort(groupArray((-e, domain))), 1, %d)) AS p FROM (",
               LIMIT_SAMPLE_DOMAINS);
    buf_puts(sql, SQL_ADDED_UP("v, domain"));
    cover_put(sql, cover);
    buf_puts(sql, SQL_ADDED_UP_END("v, domain") ") GROUP BY v)");
}

/* The page, the sums of what is not on it, and how many values there are. Groups are numbered in their order (n); those
 * before the page become one row (-1), those after it another (the largest number). */
static void put_list(struct buf *sql, const struct cover_ask *cover, const struct list_ask *ask)
{
    uint64_t begin = ask->offset < INT64_MAX ? ask->offset : INT64_MAX;
    uint64_t end = ask->limit < INT64_MAX - begin ? begin + ask->limit : INT64_MAX;
    buf_printf(sql,
               "SELECT multiIf(n < %" PRIu64 ", toInt64(-1), n >= %" PRIu64 ", toInt64(%" PRId64
               "), toInt64(n)) AS g, count(), any(v), any(p),"
               " " SQL_MEASURES_OF_GROUPS " FROM (SELECT *, rowNumberInAllBlocks() AS n FROM (",
               begin, end, INT64_MAX);
    if (ask->samples)
        put_groups_with_samples(sql, cover);
    else
        put_groups(sql, cover);
    buf_printf(sql, " ORDER BY %s DESC, v)) GROUP BY g ORDER BY g", measure_of(ask->order));
}

enum { PLACE, VALUES, NAME, SAMPLES, MEASURES, LIST_COLUMNS = MEASURES + SQL_MEASURE_COUNT };

/* ---- its answer ---- */

/* Where its rows go. An answer may have a million of them, so each is parsed twice and none is kept: first they are
 * counted, which shows that the answer is whole, and then given. */
struct list_answer {
    const struct list_sink *sink;
    struct totals *other; /* of the rows that are not on the page */
    uint64_t total;       /* values, on the page and off it */
};

static enum err count_values(void *ctx, const struct rows *rows, struct fault *fault)
{
    struct list_answer *answer = ctx;
    int64_t values = 0;
    enum err err = rows_i64(rows, 0, VALUES, &values, fault);
    answer->total += (uint64_t)values;
    return err;
}

static enum err give_value(const struct list_answer *answer, const struct rows *rows, const struct totals *totals,
                           struct fault *fault)
{
    const char *samples[LIMIT_SAMPLE_DOMAINS];
    struct list_row row = {.totals = *totals, .samples = samples};
    enum err err = rows_text(rows, 0, NAME, &row.name, fault);
    size_t count = 0;
    if (!err)
        err = rows_list(rows, 0, SAMPLES, &count, fault);
    for (size_t at = 0; !err && at < count && at < LIMIT_SAMPLE_DOMAINS; at++, row.sample_count++)
        err = rows_list_text(rows, 0, SAMPLES, at, &samples[at], fault);
    return err ? err : answer->sink->row(answer->sink->ctx, &row, fault);
}

static enum err give_row(void *ctx, const struct rows *rows, struct fault *fault)
{
    const struct list_answer *answer = ctx;
    int64_t place = 0;
    enum err err = rows_i64(rows, 0, PLACE, &place, fault);
    struct totals totals;
    if (!err)
        err = reader_totals(rows, 0, MEASURES, &totals, fault);
    bool is_on_page = place >= 0 && place < INT64_MAX;
    if (!err && is_on_page)
        return give_value(answer, rows, &totals, fault);
    if (!err)
        totals_add(answer->other, &totals);
    return err;
}

static enum err give_list(const struct http_reply *reply, const struct list_sink *sink, struct totals *ret_other,
                          struct fault *fault)
{
    struct list_answer answer = {.sink = sink, .other = ret_other};
    enum err err = rows_each(reply->body, reply->body_bytes, LIST_COLUMNS, count_values, &answer, fault);
    if (!err)
        err = sink->begin(sink->ctx, answer.total, fault);
    return err ? err : rows_each(reply->body, reply->body_bytes, LIST_COLUMNS, give_row, &answer, fault);
}

#define VALUE_BYTES 64

#define CONDITION_BYTES ((size_t)64 << 10)

static void put_ask(const struct clickhouse_reader *reader, struct buf *sql, const struct report_filter *filter,
                    const struct list_ask *ask, const char *condition)
{
    char value[VALUE_BYTES];
    snprintf(value, sizeof value, "%s AS v%s", value_of[ask->by], ask->samples ? ", domain" : "");
    struct cover_ask cover = reader_cover(reader, filter);
    cover.by_logs = cover.by_sums = value;
    cover.group = ask->samples ? "v, domain" : "v";
    cover.by_domain = true;
    cover.with_error = ask->samples;
    cover.condition = condition;
    cover.raw_only = ask->by != BY_DOMAIN && ask->by != BY_ERROR;
    put_list(sql, &cover, ask);
}

static enum err ask_list(struct clickhouse_reader *reader, struct buf *sql, const struct report_filter *filter,
                         const struct list_ask *ask, struct http_reply *ret_reply, struct fault *fault)
{
    struct buf condition;
    buf_init(&condition, CONDITION_BYTES);
    put_containing(&condition, ask);
    const char *text = buf_cstr(&condition);
    enum err err = text ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err) {
        put_ask(reader, sql, filter, ask, text);
        err = reader_ask_text(reader, ret_reply, fault);
    }
    buf_release(&condition);
    return err;
}

enum err clickhouse_list(struct store_reader *base, const struct report_filter *filter, const struct list_ask *ask,
                         const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    struct clickhouse_reader *reader = clickhouse_reader_of(base);
    struct buf *sql;
    enum err err = reader_begin(reader, &sql, fault);
    struct report_filter kept;
    if (!err)
        err = reader_clip(reader, filter, list_needs_logs(filter, ask), &kept, fault);
    *ret_other = TOTALS_NONE;
    if (!err && kept.from >= kept.to)
        return sink->begin(sink->ctx, 0, fault);
    struct http_reply reply;
    if (!err)
        err = ask_list(reader, sql, &kept, ask, &reply, fault);
    return err ? err : give_list(&reply, sink, ret_other, fault);
}
