/* answers.c: each report computed again by one statement of plain SQL over raw_log, which writes the JSON. Knows
 * docs/api.md and the tables of facts. Knows no rollup. */
#include "answers.h"

#include "support/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE "from=2027-12-20&to=2028-02-19"

/* A filter as a report has it, and as SQL. */
static const struct {
    const char *query, *where;
} filters[] = {
    {"", "1"},
    {"&userId=2", "user_id = 2"},
    {"&orderId=4", "order_id = 4"},
    {"&domain=d3.example", "domain = 'd3.example'"},
    {"&userId=3&domain=d1.example", "user_id = 3 AND domain = 'd1.example'"},
};

static const struct {
    const char *name, *bucket;
} widths[] = {
    {"15m", "datetime(ts / 900 * 900, 'unixepoch')"},
    {"hour", "datetime(ts / 3600 * 3600, 'unixepoch')"},
    {"day", "datetime(ts, 'unixepoch', 'start of day')"},
    {"week", "datetime(ts, 'unixepoch', 'start of day', '-6 days', 'weekday 1')"},
    {"month", "datetime(ts, 'unixepoch', 'start of month')"},
};

/* SQL of one member: its name and what it sums up. */
#define TEXT(name, sql) "'" name "', CAST(" sql " AS TEXT)"
#define BYTES_SENT TEXT("total_bytes_sent", "sum(bytes_sent)")
#define BYTES_RECEIVED TEXT("total_bytes_received", "sum(bytes_received)")
#define BYTES TEXT("bytes_total", "sum(bytes_sent + bytes_received)")
#define COUNT TEXT("total_count", "sum(count)")
#define ERRORS TEXT("total_errors", "sum(error_count)")
#define DURATIONS                                                                                                      \
    TEXT("total_duration_ms", "sum(duration_ms)")                                                                      \
    ", " TEXT("avg_duration_ms", "CASE WHEN sum(count) > 0 THEN sum(duration_ms) / sum(count) END")

static const struct {
    const char *path, *members;
} charts[] = {
    {"traffic", BYTES_SENT ", " BYTES_RECEIVED ", " BYTES ", " COUNT ", " DURATIONS},
    {"requests", COUNT ", " ERRORS ", " DURATIONS},
    {"concurrency", TEXT("max_concurrency", "max(max_concurrency)") ", " COUNT ", " DURATIONS},
};

#define DOMAIN_MEMBERS                                                                                                 \
    "'domain', domain, " COUNT ", " BYTES ", " BYTES_SENT ", " BYTES_RECEIVED ", " ERRORS ", " DURATIONS
#define TIMES(first, last) "'" first "', datetime(min(ts), 'unixepoch'), '" last "', datetime(max(ts), 'unixepoch')"

static const struct {
    const char *query, *where, *members, *group, *order;
    int limit, skipped;
} lists[] = {
    {"domains?limit=100&durations=true", "1", DOMAIN_MEMBERS, "domain", "sum(bytes_sent + bytes_received)", 100, 0},
    {"domains?sortBy=count&limit=7&durations=true", "1", DOMAIN_MEMBERS, "domain", "sum(count)", 7, 0},
    {"errors?limit=100", "error <> ''",
     "'error', error, " ERRORS
     ", " TIMES("first_seen", "last_seen") ", 'sample_domains', (SELECT"
                                           " json_group_array(domain) FROM (SELECT domain FROM chosen AS c WHERE "
                                           "c.error = chosen.error GROUP BY domain ORDER BY"
                                           " sum(error_count) DESC, domain LIMIT 5))",
     "error", "sum(error_count)", 100, 0},
    {"websites?limit=100&page=2", "1", "'domain', domain, " COUNT ", " BYTES ", " TIMES("first_visit", "last_visit"),
     "domain", "sum(count)", 100, 100},
};

/* The logs that a filter leaves, with their names. */
#define CHOSEN                                                                                                         \
    "WITH named AS (SELECT user_id, order_id, count, bytes_sent, bytes_received, error_count, max_concurrency,"        \
    " duration_ms, quarter * 900 + second AS ts, (SELECT text FROM name WHERE id = raw_log.domain) AS domain,"         \
    " (SELECT text FROM name WHERE id = raw_log.error) AS error FROM raw_log),"                                        \
    " chosen AS MATERIALIZED (SELECT * FROM named WHERE %s) "

/* The one value of a statement; to be freed. */
static char *ask_sql(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    ck_assert_msg(sqlite3_step(statement) == SQLITE_ROW, "%s: %s", sql, sqlite3_errmsg(db));
    char *value = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return value;
}

static void expect_same(const char *path, const char *expected, const struct reply *reply)
{
    size_t same = 0;
    while (expected[same] && expected[same] == reply->body[same])
        same++;
    size_t shown = same > 60 ? same - 60 : 0;
    ck_assert_msg(reply->status == 200 && !expected[same] && !reply->body[same],
                  "%s: status %ld, differs at byte %zu: by SQL ...%.300s, by the service ...%.300s", path,
                  reply->status, same, expected + shown, reply->body + shown);
}

/* The answer must be {"data":, then what SQL says, then `after`. */
static void compare(const struct stack *stack, sqlite3 *db, const char *path, const char *sql, const char *after)
{
    struct reply reply = stack_send(stack, &(struct request_spec){.path = path, .key = stack->admin_key});
    char *data = ask_sql(db, sql);
    size_t len = strlen("{\"data\":") + strlen(data) + strlen(after);
    char *expected = malloc(len + 1);
    ck_assert_ptr_nonnull(expected);
    snprintf(expected, len + 1, "{\"data\":%s%s", data, after);
    expect_same(path, expected, &reply);
    free(expected);
    free(data);
    reply_release(&reply);
}

static void check_chart(const struct stack *stack, sqlite3 *db, int chart, int width, int filter)
{
    char path[256], sql[2048];
    snprintf(path, sizeof path, "/analytics/%s?durations=true&granularity=%s&" RANGE "%s", charts[chart].path,
             widths[width].name, filters[filter].query);
    snprintf(sql, sizeof sql,
             CHOSEN "SELECT json_group_array(json(line)) FROM (SELECT json_object('bucket', %s, %s) AS line FROM chosen"
                    " GROUP BY %s ORDER BY %s)",
             filters[filter].where, widths[width].bucket, charts[chart].members, widths[width].bucket,
             widths[width].bucket);
    compare(stack, db, path, sql, "}");
}

/* What follows the data of /websites, whose second page is asked for. */
static void put_pages(sqlite3 *db, int filter, char ret_after[128])
{
    char sql[2048];
    snprintf(sql, sizeof sql, CHOSEN "SELECT count(DISTINCT domain) FROM chosen", filters[filter].where);
    char *total = ask_sql(db, sql);
    snprintf(ret_after, 128, ",\"page\":2,\"limit\":100,\"total\":%s,\"totalPages\":%d}", total,
             (atoi(total) + 99) / 100);
    free(total);
}

static void check_list(const struct stack *stack, sqlite3 *db, int list, int filter)
{
    char path[256], sql[2048], after[128] = "}";
    snprintf(path, sizeof path, "/analytics/%s&" RANGE "%s", lists[list].query, filters[filter].query);
    snprintf(sql, sizeof sql,
             CHOSEN "SELECT json_group_array(json(line)) FROM (SELECT json_object(%s) AS line FROM chosen WHERE %s"
                    " GROUP BY %s ORDER BY %s DESC, %s LIMIT %d OFFSET %d)",
             filters[filter].where, lists[list].members, lists[list].where, lists[list].group, lists[list].order,
             lists[list].group, lists[list].limit, lists[list].skipped);
    if (lists[list].skipped)
        put_pages(db, filter, after);
    compare(stack, db, path, sql, after);
}

int answers_check(const struct stack *stack)
{
    sqlite3 *db = stack_database(stack);
    int compared = 0;
    for (int filter = 0; filter < ROWS(filters); filter++) {
        for (int chart = 0; chart < ROWS(charts) * ROWS(widths); chart++, compared++)
            check_chart(stack, db, chart % ROWS(charts), chart / ROWS(charts), filter);
        for (int list = 0; list < ROWS(lists); list++, compared++)
            check_list(stack, db, list, filter);
    }
    sqlite3_close(db);
    return compared;
}
