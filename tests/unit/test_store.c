/* test_store.c: every report counts all logs in the store, from whichever tier it is answered. Expected values come
 * from plain SQL over the raw logs (SQLite's own date functions and GROUP BY), never from the store's code. */
#include "support/lists.h"
#include "support/recount.h"
#include "log/batch.h"
#include "store/sqlite/sqlite.h"
#include "support/fixture.h"
#include "support/parts.h"
#include "time/when.h"
#include "time/zone_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- a store in a folder of its own ---- */

static void add_log(struct batch *batch, struct log_record log, const char *domain, const char *error)
{
    log.name[NAME_DOMAIN] = intern(batch, domain);
    log.name[NAME_ERROR] = intern(batch, error);
    log.name[NAME_WORKER] = intern(batch, "worker-01");
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

static struct store_item write_one(struct store_writer *writer, const struct batch *batch, const char *key,
                                   unsigned char body)
{
    struct store_item item = {.batch = batch, .caller = "worker", .idempotency_key = key};
    struct store_times times;
    memset(item.body_hash, body, sizeof item.body_hash);
    store_write(writer, &item, 1, 1000, &times);
    return item;
}

/* ---- random logs: several users share orders, late and out of order, over month ends, a leap day and a year's end
 * ---- */

#define SPAN_BEGIN INT64_C(1829606400) /* 2027-12-24 00:00:00 */
#define SPAN_DAYS 75                   /* to 2028-03-08: 2028 has a 29 February */
static int64_t span_begin = SPAN_BEGIN;
#define USERS 5
#define ORDERS 7
#define DOMAINS 30

static int64_t random_counter(void)
{
    return pick(40) == 0 ? LIMIT_ID / 1000000 : pick(1000);
}

/* Half of the times are whole quarters of an hour, as workers send them. Logs come nearly in order. */
static int64_t random_ts(int step, int steps)
{
    int64_t newest = (int64_t)SPAN_DAYS * WHEN_DAY * (step + 1) / steps;
    int64_t back = pick(4) == 0 ? pick(newest) : pick(3 * WHEN_DAY);
    int64_t ts = span_begin + (back < newest ? newest - back - 1 : 0);
    return pick(2) ? ts - ts % WHEN_QUARTER : ts;
}

static void add_random_log(struct batch *batch, int step, int steps)
{
    static const char *const errors[] = {"timeout", "refused", "dns \"x\"", "tls"};
    char domain[32];
    struct log_record log = {.ts = random_ts(step, steps),
                             .user_id = 1 + pick(USERS),
                             .order_id = 1 + pick(ORDERS),
                             .count = random_counter(),
                             .bytes_sent = random_counter(),
                             .bytes_received = random_counter(),
                             .error_count = pick(4),
                             .duration_ms = random_counter(),
                             .max_concurrency = pick(50),
                             .port = (uint16_t)pick(65536)};
    snprintf(domain, sizeof domain, "d%d.example", (int)(pick(DOMAINS) * pick(DOMAINS) / DOMAINS));
    add_log(batch, log, domain, pick(5) ? "" : errors[pick(4)]);
}

#define STEPS 60

static void upkeep(struct store_writer *writer, int slices)
{
    bool more = true;
    struct fault fault;
    while (more && slices-- > 0)
        ck_assert_int_eq(store_maintain(writer, INT64_MAX / 4, 1000000, &more, &fault), OK);
}

static void write_some(struct store_writer *writer, int step, int most)
{
    struct batch batch;
    batch_init(&batch, NULL);
    for (int64_t i = 1 + pick(most); i > 0; i--)
        add_random_log(&batch, step, STEPS);
    ck_assert_int_eq(write_one(writer, &batch, NULL, 0).result, OK);
    batch_release(&batch);
}

static void write_step(struct store_writer *writer, int step)
{
    write_some(writer, step, 120);
}

/* Upkeep has the smallest slices, and too few of them: logs come while periods are half packed. At times the writer is
 * closed in the middle of its upkeep, and opened again. */
static struct store_writer *write_random_logs(void)
{
    struct store_writer *writer = open_writer(folder);
    for (int step = 0; step < STEPS; step++) {
        sqlite_set_slice(sqlite_writer_of(writer), 1);
        write_step(writer, step);
        upkeep(writer, (int)pick(80));
        if (pick(8) == 0) {
            store_writer_close(writer);
            writer = open_writer(folder);
        }
    }
    return writer;
}

/* ---- random questions ---- */

struct question {
    struct report_filter filter;
    char domain[32];
    char where[256]; /* the same in SQL over `logs` */
};

static int64_t random_edge(void)
{
    static const int64_t grids[] = {WHEN_DAY, WHEN_DAY, WHEN_HOUR, WHEN_QUARTER, 1, 1};
    int64_t at = span_begin - WHEN_DAY + pick((SPAN_DAYS + 2) * (int64_t)WHEN_DAY);
    return at - at % grids[pick(6)];
}

static void random_question(struct question *question)
{
    int64_t a = random_edge(), b = random_edge();
    *question = (struct question){.filter = {.from = a < b ? a : b, .to = a < b ? b : a}};
    struct report_filter *filter = &question->filter;
    int len = snprintf(question->where, sizeof question->where, "at >= %" PRId64 " AND at < %" PRId64, filter->from,
                       filter->to);
    if (pick(2)) {
        filter->user_id = 1 + pick(USERS + 1);
        len += snprintf(question->where + len, sizeof question->where - (size_t)len, " AND user_id = %" PRId64,
                        filter->user_id);
    }
    if (pick(3) == 0) {
        filter->order_id = 1 + pick(ORDERS + 1);
        len += snprintf(question->where + len, sizeof question->where - (size_t)len, " AND order_id = %" PRId64,
                        filter->order_id);
    }
    if (pick(3) == 0) {
        snprintf(question->domain, sizeof question->domain, "d%d.example", (int)pick(DOMAINS / 2));
        filter->has_domain = true;
        filter->domain = slice_of(question->domain);
        len += snprintf(question->where + len, sizeof question->where - (size_t)len, " AND domain = '%s'",
                        question->domain);
    }
    if (pick(4) == 0) {
        filter->has_error = true;
        filter->error = slice_of(pick(2) ? "timeout" : "dns \"x\"");
        snprintf(question->where + len, sizeof question->where - (size_t)len, " AND error = '%.*s'",
                 (int)filter->error.len, filter->error.data);
    }
}

/* What questions are asked of: all logs that are stored at this moment, as the view `log` shows them, with their time
 * in seconds as `at`. A table: the view would look up each name and write each time anew for every question. */
static void show_logs(sqlite3 *db)
{
    parts_show(db);
    plain_run(db, "DROP TABLE IF EXISTS temp.logs; CREATE TEMP TABLE logs AS SELECT *, unixepoch(ts) AS at FROM log");
}

/* Prepares `sql` with the question's condition for each {where}, and `extra` for each {extra}. */
static sqlite3_stmt *ask(sqlite3 *db, const char *sql, const struct question *question, const char *extra)
{
    char *text = NULL;
    size_t len = 0;
    sqlite3_stmt *statement = NULL;
    FILE *file = open_memstream(&text, &len);
    while (*sql) {
        bool where = !strncmp(sql, "{where}", 7), other = !strncmp(sql, "{extra}", 7);
        if (where || other)
            fputs(where ? question->where : extra, file);
        else
            fputc(*sql, file);
        sql += where || other ? 7 : 1;
    }
    fclose(file);
    ck_assert_msg(sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK, "%s: %s", text, sqlite3_errmsg(db));
    free(text);
    return statement;
}

static const struct {
    enum granularity granularity;
    const char *bucket; /* the same in SQLite's date functions */
} chart_rows[] = {
    {GRANULARITY_15M, "unixepoch(shown) / 900 * 900"},
    {GRANULARITY_HOUR, "unixepoch(strftime('%Y-%m-%d %H:00:00', shown))"},
    {GRANULARITY_DAY, "unixepoch(shown, 'start of day')"},
    {GRANULARITY_WEEK, "unixepoch(shown, 'start of day', '-6 days', 'weekday 1')"},
    {GRANULARITY_MONTH, "unixepoch(shown, 'start of month')"},
};

/* offset(at) for SQL: how far the C library's clocks are ahead of UTC, in the zone that TZ names. */
static void sql_offset(sqlite3_context *context, int count, sqlite3_value **values)
{
    time_t at = (time_t)sqlite3_value_int64(values[0]);
    struct tm tm;
    ck_assert_int_eq(count, 1);
    ck_assert_ptr_nonnull(localtime_r(&at, &tm));
    sqlite3_result_int64(context, tm.tm_gmtoff);
}

/* A quarter or an hour that the clocks show twice is two buckets. */
static void check_chart(struct store_reader *reader, sqlite3 *db, size_t row, const struct question *question)
{
    struct chart chart = {0};
    struct fault fault;
    char group[128];
    bool narrow = chart_rows[row].granularity <= GRANULARITY_HOUR;
    snprintf(group, sizeof group, "%s AS b, %s AS which", chart_rows[row].bucket, narrow ? "ahead" : "0");
    sqlite3_stmt *expected =
        ask(db,
            "SELECT b, sum(count), sum(bytes_sent), sum(bytes_received), sum(error_count), max(max_concurrency)"
            " FROM (SELECT *, {extra} FROM (SELECT *, datetime(at + ahead, 'unixepoch') AS shown FROM"
            " (SELECT *, offset(at) AS ahead FROM logs WHERE {where}))) GROUP BY b, which ORDER BY min(at)",
            question, group);
    ck_assert_int_eq(store_chart(reader, &question->filter, chart_rows[row].granularity, false, &chart, &fault), OK);
    for (size_t i = 0; i < chart.count; i++) {
        const struct chart_point *point = &chart.points[i];
        ck_assert_msg(sqlite3_step(expected) == SQLITE_ROW, "a bucket too many: %s", question->where);
        ck_assert_msg(point->bucket == sqlite3_column_int64(expected, 0), "bucket: %s", question->where);
        ck_assert_msg(point->totals.count == sqlite3_column_int64(expected, 1), "count: %s", question->where);
        ck_assert_msg(point->totals.bytes_sent == sqlite3_column_int64(expected, 2), "sent: %s", question->where);
        ck_assert_msg(point->totals.bytes_received == sqlite3_column_int64(expected, 3), "received: %s",
                      question->where);
        ck_assert_msg(point->totals.errors == sqlite3_column_int64(expected, 4), "errors: %s", question->where);
        ck_assert_msg(question->filter.sums_only || point->totals.max_concurrency == sqlite3_column_int64(expected, 5),
                      "max: %s", question->where);
    }
    ck_assert_msg(sqlite3_step(expected) == SQLITE_DONE, "a bucket too few: %s", question->where);
    sqlite3_finalize(expected);
    chart_release(&chart);
}

static void check_domains(struct store_reader *reader, sqlite3 *db, const struct question *question)
{
    static const char sql[] = "SELECT domain, sum(count) AS c, sum(bytes_sent) AS s, sum(bytes_received) AS r,"
                              " sum(error_count), min(at), max(at) FROM logs WHERE"
                              " {where} GROUP BY domain ORDER BY {extra} DESC, domain";
    enum list_order order = pick(2) ? ORDER_COUNT : ORDER_BYTES;
    uint64_t offset = (uint64_t)pick(3) * 4;
    size_t limit = 1 + (size_t)pick(12);
    struct list list = {0};
    struct fault fault;
    uint64_t total = 0;
    size_t compared = 0;
    ck_assert_int_eq(list_domains(reader, &question->filter, order, offset, limit, &list, &fault), OK);
    sqlite3_stmt *expected = ask(db, sql, question, order == ORDER_COUNT ? "c" : "s + r");
    for (; sqlite3_step(expected) == SQLITE_ROW; total++) {
        if (total < offset || total >= offset + limit)
            continue;
        ck_assert_msg(compared < list.count, "a domain too few: %s", question->where);
        const struct listed *row = &list.rows[compared++];
        ck_assert_str_eq(row->name, (const char *)sqlite3_column_text(expected, 0));
        ck_assert_int_eq(row->totals.count, sqlite3_column_int64(expected, 1));
        ck_assert_int_eq(row->totals.bytes_sent, sqlite3_column_int64(expected, 2));
        ck_assert_int_eq(row->totals.bytes_received, sqlite3_column_int64(expected, 3));
        ck_assert_int_eq(row->totals.errors, sqlite3_column_int64(expected, 4));
        ck_assert_int_eq(row->totals.first, sqlite3_column_int64(expected, 5));
        ck_assert_int_eq(row->totals.last, sqlite3_column_int64(expected, 6));
    }
    ck_assert_uint_eq(list.count, compared);
    ck_assert_uint_eq(list.total, total);
    sqlite3_finalize(expected);
    list_release(&list);
}

static void check_samples(sqlite3 *db, const struct question *question, const struct listed *row)
{
    char extra[64], *quoted = sqlite3_mprintf("%Q", row->name);
    snprintf(extra, sizeof extra, "%s", quoted);
    sqlite3_free(quoted);
    sqlite3_stmt *expected = ask(db,
                                 "SELECT domain FROM logs WHERE {where} AND error = {extra} GROUP BY domain"
                                 " ORDER BY sum(error_count) DESC, domain LIMIT 5",
                                 question, extra);
    for (size_t i = 0; i < row->sample_count; i++) {
        ck_assert_int_eq(sqlite3_step(expected), SQLITE_ROW);
        ck_assert_str_eq(row->samples[i], (const char *)sqlite3_column_text(expected, 0));
    }
    ck_assert_int_eq(sqlite3_step(expected), SQLITE_DONE);
    sqlite3_finalize(expected);
}

static void check_errors(struct store_reader *reader, sqlite3 *db, const struct question *question)
{
    struct list list = {0};
    struct fault fault;
    size_t limit = 1 + (size_t)pick(6);
    char extra[16];
    snprintf(extra, sizeof extra, "%zu", limit);
    ck_assert_int_eq(list_errors(reader, &question->filter, limit, &list, &fault), OK);
    sqlite3_stmt *expected = ask(db,
                                 "SELECT error, sum(error_count) AS n, min(at), max(at) FROM logs"
                                 " WHERE {where} AND error <> '' GROUP BY error ORDER BY n DESC, error LIMIT {extra}",
                                 question, extra);
    for (size_t i = 0; i < list.count; i++) {
        ck_assert_int_eq(sqlite3_step(expected), SQLITE_ROW);
        ck_assert_str_eq(list.rows[i].name, (const char *)sqlite3_column_text(expected, 0));
        ck_assert_int_eq(list.rows[i].totals.errors, sqlite3_column_int64(expected, 1));
        ck_assert_int_eq(list.rows[i].totals.first, sqlite3_column_int64(expected, 2));
        ck_assert_int_eq(list.rows[i].totals.last, sqlite3_column_int64(expected, 3));
        check_samples(db, question, &list.rows[i]);
    }
    ck_assert_int_eq(sqlite3_step(expected), SQLITE_DONE);
    sqlite3_finalize(expected);
    list_release(&list);
}

/* Writes a few logs or makes some upkeep, or both, or neither: then returns false. */
static bool change_some(struct store_writer *writer)
{
    bool is_late = pick(3) > 0, has_upkeep = pick(3) == 0;
    if (is_late)
        write_some(writer, STEPS - 1, 20);
    if (has_upkeep)
        upkeep(writer, (int)pick(80));
    return is_late || has_upkeep;
}

START_TEST(reports_equal_a_recount)
{
    struct question question;
    seed((uint64_t)_i + 1);
    struct store_writer *writer = write_random_logs();
    struct store_reader *reader = open_reader(folder);
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READONLY);
    setenv("TZ", "UTC0", 1);
    ck_assert_int_eq(sqlite3_create_function(db, "offset", 1, SQLITE_UTF8, NULL, sql_offset, NULL, NULL), SQLITE_OK);
    ck_assert_int_gt(recount_i64(db, "SELECT count(*) FROM log"), 1000);
    show_logs(db);
    int questions = rounds(150, 40, 250);
    for (int i = 0; i < questions; i++) {
        if (i == questions / 2) {
            upkeep(writer, INT_MAX);
            show_logs(db);
        }
        random_question(&question);
        check_chart(reader, db, (size_t)pick(5), &question);
        check_domains(reader, db, &question);
        check_errors(reader, db, &question);
        if (change_some(writer)) /* the reader may have kept sums of closed hours, and late logs have changed them */
            show_logs(db);
        check_domains(reader, db, &question);
        check_errors(reader, db, &question);
    }
    sqlite3_close(db);
    store_reader_close(reader);
    store_writer_close(writer);
}
END_TEST

/* Zones whose clocks change, each with the time at which the logs begin. */
static const struct {
    const char *zone;
    int64_t begin;
} zone_rows[] = {
    {"Etc/UTC", 1774310400},                                      /* 2026-03-24 */
    {"Europe/Kyiv", 1771545600},                                  /* 2026-02-20: to summer time */
    {"Europe/Kyiv", 1789862400},                                  /* 2026-09-20: and back */
    {"Asia/Kolkata", 1767225600},                                 /* 2026-01-01: +05:30 */
    {"Asia/Kathmandu", 502243200},                                /* 1985-12-01: +05:30 to +05:45 */
    {"Australia/Lord_Howe", 1772323200},                          /* 2026-03-01: half an hour back */
    {"Australia/Lord_Howe", 1788220800},                          /* 2026-09-01: and forth */
    {"America/Sao_Paulo", 1538352000},                            /* 2018-10-01: a day begins at 1:00 */
    {"America/Sao_Paulo", 1547510400},                            /* 2019-01-15: and another has 25 hours */
    {"Pacific/Apia", 1322697600},                                 /* 2011-12-01: a day is left out */
    {"Africa/Casablanca", 1768867200},                            /* 2026-01-20: Ramadan */
    {"Europe/Istanbul", 1472688000},                              /* 2016-09-01: summer time stays */
    {"Africa/Monrovia", 61171200},                                /* 1971-12-10: -0:44:30 to 0 */
    {"Antarctica/Troll", 1771977600},                             /* 2026-02-25: two hours */
    {"America/Havana", 1790812800},                               /* 2026-10-01: midnight comes twice */
    {"Asia/Pyongyang", 1438387200},                               /* 2015-08-01: +9 to +8:30 */
    {"America/Caracas", 1195084800},                              /* 2007-11-15: -4 to -4:30 */
    {"Europe/Kyiv", 4927996800},                                  /* 2126-03-01: beyond what the file lists */
    {"<-0030>0:30<+0030>-0:30,M3.5.0/12,M10.5.0/12", 1772323200}, /* 2026-03-01: a day from 0:30 to 23:30 UTC */
};

/* The zone of the last row, which no place has. */
static const struct zone narrow_zone = {
    .count = 1,
    .shifts = {{INT64_MIN, -1800}},
    .rule = {.is_there = true,
             .after = INT64_MIN,
             .standard = -1800,
             .summer = 1800,
             .begin = {ZONE_WEEKDAY, 3, 5, 0, 12 * WHEN_HOUR},
             .end = {ZONE_WEEKDAY, 10, 5, 0, 12 * WHEN_HOUR}},
};

/* Charts are answered from open hours first, then from periods that are half packed, then from rollups. */
static void check_zone_charts(struct store_writer *writer, const struct zone *zone)
{
    struct store_reader *reader = open_reader(folder);
    struct question question;
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READONLY);
    ck_assert_int_eq(sqlite3_create_function(db, "offset", 1, SQLITE_UTF8, NULL, sql_offset, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 60; i++) {
        if (i == 10 || i == 20)
            upkeep(writer, i == 10 ? (int)pick(20) : INT_MAX);
        if (i == 0 || i == 10 || i == 20)
            show_logs(db);
        random_question(&question);
        question.filter.zone = zone;
        question.filter.sums_only = pick(2);
        check_chart(reader, db, (size_t)pick(5), &question);
    }
    sqlite3_close(db);
    store_reader_close(reader);
}

START_TEST(charts_in_zones_equal_a_recount)
{
    struct zone zone = narrow_zone;
    struct fault fault;
    seed((uint64_t)_i + 200);
    span_begin = zone_rows[_i].begin;
    if (zone_rows[_i].zone[0] != '<')
        ck_assert_int_eq(zone_load(slice_of(zone_rows[_i].zone), &zone, &fault), OK);
    setenv("TZ", zone_rows[_i].zone, 1);
    tzset();
    struct store_writer *writer = open_writer(folder);
    for (int step = 0; step < STEPS; step++)
        write_step(writer, step);
    check_zone_charts(writer, &zone);
    store_writer_close(writer);
}
END_TEST

/* ---- what the rollups hold ---- */

START_TEST(rollups_hold_the_raw_logs_and_nothing_else)
{
    seed((uint64_t)_i + 100);
    struct store_writer *writer = write_random_logs();
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READONLY);
    ck_assert_int_gt(recount_i64(db, "SELECT closed_hour FROM closing"), SPAN_BEGIN / WHEN_HOUR);
    upkeep(writer, INT_MAX);
    ck_assert_int_gt(recount_i64(db, "SELECT closed_day FROM closing"), SPAN_BEGIN / WHEN_DAY + 32);
    parts_show(db);
    ck_assert_int_eq(recount_differences(db), 0);
    ck_assert_int_eq(recount_half_packed(db), 0);
    for (int tier = 1; tier <= 4; tier++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM packed WHERE t = %d AND e > 0 AND u %s 0", tier,
                 tier == 1 ? "=" : ">");
        ck_assert_int_gt(recount_i64(db, sql), 10);
    }
    sqlite3_close(db);
    store_writer_close(writer);
}
END_TEST

/* The first group of a run is longer than a chunk: nothing lies before it that it could be compared with. */
START_TEST(a_first_domain_of_many_orders)
{
    enum { ORDERS_OF_ONE = 3000 };
    struct store_writer *writer = open_writer(folder);
    struct batch batch;
    batch_init(&batch, NULL);
    for (int i = 0; i < 2 * ORDERS_OF_ONE; i++) {
        struct log_record log = {.ts = SPAN_BEGIN, .user_id = 1, .order_id = 1 + i % ORDERS_OF_ONE, .count = 1 + i};
        add_log(&batch, log, i < ORDERS_OF_ONE ? "first.example" : "second.example", "");
    }
    add_log(&batch, (struct log_record){.ts = SPAN_BEGIN + 3 * WHEN_DAY, .user_id = 1, .order_id = 1}, "later.example",
            "");
    ck_assert_int_eq(write_one(writer, &batch, NULL, 0).result, OK);
    upkeep(writer, INT_MAX);
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READONLY);
    ck_assert_int_ge(recount_i64(db, "SELECT closed_day FROM closing"), SPAN_BEGIN / WHEN_DAY + 2);
    parts_show(db);
    ck_assert_int_eq(recount_differences(db), 0);
    sqlite3_close(db);
    store_writer_close(writer);
    batch_release(&batch);
}
END_TEST

START_TEST(zero_filled_charts_have_every_bucket)
{
    struct store_writer *writer = open_writer(folder);
    struct store_reader *reader = open_reader(folder);
    struct report_filter filter = {.from = SPAN_BEGIN + 1, .to = SPAN_BEGIN + WHEN_DAY + 1};
    struct chart chart = {0};
    struct fault fault;
    ck_assert_int_eq(store_chart(reader, &filter, GRANULARITY_HOUR, true, &chart, &fault), OK);
    ck_assert_uint_eq(chart.count, 25);
    ck_assert_int_eq(chart.points[0].bucket, SPAN_BEGIN);
    ck_assert_int_eq(chart.points[24].bucket, SPAN_BEGIN + WHEN_DAY);
    ck_assert_int_eq(chart.points[7].totals.count, 0);
    chart_release(&chart);
    ck_assert_int_eq(store_chart(reader, &filter, GRANULARITY_HOUR, false, &chart, &fault), OK);
    ck_assert_uint_eq(chart.count, 0);
    chart_release(&chart);
    store_reader_close(reader);
    store_writer_close(writer);
}
END_TEST

/* ---- batches and keys ---- */

static void one_log_batch(struct batch *batch, int64_t count)
{
    batch_init(batch, NULL);
    add_log(batch, (struct log_record){.ts = SPAN_BEGIN, .user_id = 1, .order_id = 1, .count = count}, "a.example", "");
}

static void check_counts(int64_t batches, int64_t logs, int64_t sum)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READONLY);
    ck_assert_int_eq(recount_i64(db, "SELECT count(*) FROM batch"), batches);
    ck_assert_int_eq(recount_i64(db, "SELECT count(*) FROM raw_log"), logs);
    ck_assert_int_eq(recount_i64(db, "SELECT coalesce(sum(count), 0) FROM raw_log"), sum);
    ck_assert_int_eq(recount_i64(db, "SELECT coalesce(sum(count), 0) FROM traffic_quarter WHERE user_id = 0"), sum);
    sqlite3_close(db);
}

START_TEST(a_key_counts_once)
{
    struct batch batch;
    one_log_batch(&batch, 7);
    struct store_writer *writer = open_writer(folder);
    struct store_item first = write_one(writer, &batch, "k", 1), again = write_one(writer, &batch, "k", 1),
                      other = write_one(writer, &batch, "k", 2);
    ck_assert_int_eq(first.result, OK);
    ck_assert(!first.replayed);
    ck_assert_int_eq(again.result, OK);
    ck_assert(again.replayed);
    ck_assert_int_eq(other.result, ERR_IDEMPOTENCY_KEY_REUSED);
    check_counts(1, 1, 7);
    store_writer_close(writer); /* and after a restart */
    writer = open_writer(folder);
    again = write_one(writer, &batch, "k", 1);
    ck_assert(again.result == OK && again.replayed);
    check_counts(1, 1, 7);
    store_writer_close(writer);
    batch_release(&batch);
}
END_TEST

START_TEST(a_key_counts_once_within_a_group)
{
    struct batch batch;
    one_log_batch(&batch, 7);
    struct store_writer *writer = open_writer(folder);
    struct store_times times;
    struct store_item items[4];
    for (size_t i = 0; i < 4; i++) {
        items[i] = (struct store_item){.batch = &batch, .caller = i == 3 ? "other" : "worker", .idempotency_key = "k"};
        memset(items[i].body_hash, i == 2 ? 9 : 1, sizeof items[i].body_hash);
    }
    store_write(writer, items, 4, 1000, &times);
    ck_assert(items[0].result == OK && !items[0].replayed);
    ck_assert(items[1].result == OK && items[1].replayed);
    ck_assert_int_eq(items[2].result, ERR_IDEMPOTENCY_KEY_REUSED);
    ck_assert(items[3].result == OK && !items[3].replayed); /* a key belongs to its caller */
    check_counts(2, 2, 14);
    store_writer_close(writer);
    batch_release(&batch);
}
END_TEST

START_TEST(old_keys_are_forgotten)
{
    struct batch batch;
    bool more;
    struct fault fault;
    one_log_batch(&batch, 7);
    struct store_writer *writer = open_writer(folder);
    ck_assert_int_eq(write_one(writer, &batch, "k", 1).result, OK); /* at 1000 */
    ck_assert_int_eq(store_maintain(writer, 1100, 100, &more, &fault), OK);
    ck_assert(write_one(writer, &batch, "k", 1).replayed);
    ck_assert_int_eq(store_maintain(writer, 1101, 100, &more, &fault), OK);
    ck_assert(!write_one(writer, &batch, "k", 1).replayed);
    store_writer_close(writer);
    batch_release(&batch);
}
END_TEST

/* 2^53-1 a thousand times is 2^63 less a little: the sum of sent and received is what fills first. */
START_TEST(a_total_past_2_63_is_refused)
{
    struct batch half, one;
    batch_init(&half, NULL);
    for (int i = 0; i < 512; i++)
        add_log(
            &half,
            (struct log_record){
                .ts = SPAN_BEGIN + i, .user_id = 1, .order_id = 1, .bytes_sent = LIMIT_ID, .bytes_received = LIMIT_ID},
            "a.example", "");
    batch_init(&one, NULL);
    add_log(&one, (struct log_record){.ts = 0, .user_id = 2, .order_id = 2, .bytes_sent = 1024}, "b.example", "");
    struct store_writer *writer = open_writer(folder);
    ck_assert_int_eq(write_one(writer, &half, "a", 1).result, OK); /* 1024 * (2^53-1) = 2^63 - 1024 */
    ck_assert_int_eq(write_one(writer, &half, "b", 1).result, ERR_LOGS_INVALID);
    ck_assert_int_eq(write_one(writer, &one, "c", 1).result, ERR_LOGS_INVALID);
    one.logs[0].bytes_sent = 1023;
    store_writer_close(writer);
    writer = open_writer(folder); /* the totals are known after a restart too */
    ck_assert_int_eq(write_one(writer, &half, "b", 1).result, ERR_LOGS_INVALID);
    ck_assert_int_eq(write_one(writer, &one, "c", 1).result, OK);
    check_counts(2, 513, 0);
    store_writer_close(writer);
    batch_release(&half);
    batch_release(&one);
}
END_TEST

START_TEST(an_empty_batch_is_a_batch)
{
    struct batch batch;
    batch_init(&batch, NULL);
    struct store_writer *writer = open_writer(folder);
    ck_assert_int_eq(write_one(writer, &batch, "k", 1).result, OK);
    ck_assert(write_one(writer, &batch, "k", 1).replayed);
    check_counts(1, 0, 0);
    store_writer_close(writer);
}
END_TEST

/* ---- the file ---- */

START_TEST(only_one_writer)
{
    struct store_writer *writer = open_writer(folder), *second = NULL;
    struct fault fault = {0};
    ck_assert_int_eq(store_writer_open(store_in(folder), &second, &fault), ERR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fault.detail, "held by another process"));
    ck_assert_ptr_null(second);
    store_writer_close(writer);
    store_writer_close(open_writer(folder));
}
END_TEST

static void plain_exec(const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static const struct {
    const char *damage;
    const char *words;
} refused_files[] = {
    {"PRAGMA user_version = 999", "newer version"},
    {"PRAGMA application_id = 7", "not a file of this program"},
};

START_TEST(another_file_is_refused)
{
    struct store_writer *writer = NULL;
    struct store_reader *reader = NULL;
    struct fault fault = {0};
    ck_assert_int_eq(sqlite_create(folder, &fault), OK);
    ck_assert_int_eq(sqlite_create(folder, &fault), OK); /* twice is fine */
    plain_exec(refused_files[_i].damage);
    ck_assert_int_eq(store_writer_open(store_in(folder), &writer, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, refused_files[_i].words) != NULL, "%s", fault.detail);
    fault = (struct fault){0};
    ck_assert_int_eq(store_reader_open(store_in(folder), &reader, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, refused_files[_i].words) != NULL, "%s", fault.detail);
}
END_TEST

START_TEST(the_file_is_its_owners_alone)
{
    struct fault fault;
    struct stat st;
    char path[128];
    umask(0);
    ck_assert_int_eq(sqlite_create(folder, &fault), OK);
    struct store_writer *writer = open_writer(folder);
    static const char *const files[] = {"analytics.db", "analytics.db-wal", "lock"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_msg((st.st_mode & 0777) == 0600, "%s: %o", files[i], st.st_mode & 0777);
    }
    store_writer_close(writer);
}
END_TEST

START_TEST(a_long_report_is_ended)
{
    struct fault fault = {0};
    struct list list = {0};
    seed(1);
    struct store_writer *writer = write_random_logs();
    struct store_reader *reader = open_reader(folder);
    struct report_filter filter = {.from = 0, .to = INT64_C(32000000000), .user_id = 1};
    store_reader_set_timeout(reader, 1);
    ck_assert_int_eq(list_domains(reader, &filter, ORDER_BYTES, 0, 10, &list, &fault), ERR_QUERY_TIMEOUT);
    filter.from = SPAN_BEGIN;
    filter.to = SPAN_BEGIN + WHEN_QUARTER;
    store_reader_set_timeout(reader, 60000);
    ck_assert_int_eq(list_domains(reader, &filter, ORDER_BYTES, 0, 10, &list, &fault), OK); /* and serves on */
    list_release(&list);
    store_reader_close(reader);
    store_writer_close(writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = suite_case(suite, "store");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_loop_test(tcase, reports_equal_a_recount, 0, seed_runs(3));
    tcase_add_loop_test(tcase, rollups_hold_the_raw_logs_and_nothing_else, 0, seed_runs(3));
    tcase_add_test(tcase, a_first_domain_of_many_orders);
    tcase_add_test(tcase, zero_filled_charts_have_every_bucket);
    tcase_add_test(tcase, a_key_counts_once);
    tcase_add_test(tcase, a_key_counts_once_within_a_group);
    tcase_add_test(tcase, old_keys_are_forgotten);
    tcase_add_test(tcase, a_total_past_2_63_is_refused);
    tcase_add_test(tcase, an_empty_batch_is_a_batch);
    tcase_add_test(tcase, only_one_writer);
    tcase_add_loop_test(tcase, another_file_is_refused, 0, sizeof refused_files / sizeof *refused_files);
    tcase_add_test(tcase, the_file_is_its_owners_alone);
    tcase_add_test(tcase, a_long_report_is_ended);
    tcase = suite_case(suite, "zones");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    for (int i = 0; i < (int)(sizeof zone_rows / sizeof *zone_rows); i += rounds(1, 3, 1))
        tcase_add_loop_test(tcase, charts_in_zones_equal_a_recount, i, i + 1);
    return suite_run(suite);
}
