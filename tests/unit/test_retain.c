/* test_retain.c: data that are no longer kept are gone, all others answer as before. Every log is also written to a
 * plain table beside the store, from which nothing is deleted. Expected reports are made from this table in SQL, where
 * the time of a log is the beginning of the finest bucket that is still kept of it.
 *
 * Planted to see it fail: ends of a range that are not moved ("sum 0 is 1155, not 1150"), a horizon that readers are
 * not told of (a domain that is gone is still listed), late logs stored as ever, a newest batch that goes too ("of
 * batch 1 there are 194 logs, but it had 53"), a day too many, a rebuild that empties all ("8881 differences"), age by
 * the clock alone. */
#include "support/lists.h"
#include "support/parts.h"
#include "support/ledger.h"
#include "support/recount.h"
#include "store/sqlite/write/writer.h"
#include "support/fixture.h"
#include "support/tape.h"
#include "time/when.h"
#include "store/sqlite/care/care.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEGIN INT64_C(1829606400) /* 2027-12-24: no period of 4 or 16 days begins with it */
#define BEGIN_DAY (BEGIN / WHEN_DAY)
#define DAYS 60
#define LATE (INT64_MAX / 4) /* later than every log */

static char aside_folder[64];
static sqlite3 *aside;

/* ---- a store, and the plain table ---- */

static void open_plain_table(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/analytics.db", aside_folder);
    ck_assert_int_eq(sqlite3_open(path, &aside), SQLITE_OK);
    plain_run(aside, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE IF NOT EXISTS every_log (ts,"
                     " user_id, order_id, domain, error, count, sent, received, errors, most, took, port)");
}

static void set_up(void)
{
    folder_make();
    temporary_folder(aside_folder);
    open_plain_table();
    seed(1);
}

static void tear_down(void)
{
    sqlite3_close(aside);
    ledger_remove_folder(aside_folder);
    folder_remove();
}

static int64_t ask_store(const char *sql)
{
    return ask_plain(folder, sql);
}

/* The store's tables, and every log that ever came as aside.every_log. */
static sqlite3 *open_aside(void)
{
    char sql[256];
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READWRITE);
    snprintf(sql, sizeof sql, "ATTACH '%s/analytics.db' AS aside", aside_folder);
    plain_run(db, sql);
    return db;
}

/* The same, with the logs of the store as `stored`, and a temporary table raw_log of all logs that ever came, which
 * hides the real one. */
static sqlite3 *open_beside(void)
{
    sqlite3 *db = open_aside();
    parts_show_as(db, "stored");
    plain_run(db,
              "CREATE TEMP TABLE raw_log AS SELECT ts / 900 AS quarter, user_id, d.id AS domain, order_id, ts % 900 AS"
              " second, x.id AS error, count, sent AS bytes_sent, received AS bytes_received, errors AS error_count,"
              " most AS max_concurrency, took AS duration_ms, port, 0 AS worker, 0 AS peer, 0 AS protocol, x'' AS "
              "ip_out FROM aside.every_log JOIN main.name AS d ON d.text = domain"
              " JOIN main.name AS x ON x.text = error");
    return db;
}

/* ---- random logs ---- */

static void add(struct batch *batch, struct log_record log, const char *domain, const char *error)
{
    log.name[NAME_DOMAIN] = intern(batch, domain);
    log.name[NAME_ERROR] = intern(batch, error);
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

static void write_aside(const struct batch *batch)
{
    sqlite3_stmt *insert = NULL;
    sqlite3_prepare_v2(aside, "INSERT INTO every_log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", -1, &insert, NULL);
    for (uint32_t i = 0; i < batch->log_count; i++) {
        const struct log_record *log = &batch->logs[i];
        struct slice domain = batch_name(batch, log->name[NAME_DOMAIN]),
                     error = batch_name(batch, log->name[NAME_ERROR]);
        const int64_t values[] = {log->count,       log->bytes_sent,      log->bytes_received,
                                  log->error_count, log->max_concurrency, log->duration_ms,
                                  log->port};
        sqlite3_bind_int64(insert, 1, log->ts);
        sqlite3_bind_int64(insert, 2, log->user_id);
        sqlite3_bind_int64(insert, 3, log->order_id);
        sqlite3_bind_text(insert, 4, domain.len ? domain.data : "", (int)domain.len, SQLITE_STATIC);
        sqlite3_bind_text(insert, 5, error.len ? error.data : "", (int)error.len, SQLITE_STATIC);
        for (int j = 0; j < 7; j++)
            sqlite3_bind_int64(insert, 6 + j, values[j]);
        ck_assert_int_eq(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
}

static struct store_item write_batch(struct store_writer *writer, const struct batch *batch, const char *key)
{
    struct store_item item = {.batch = batch, .caller = "worker", .idempotency_key = key};
    struct store_times times;
    store_write(writer, &item, 1, BEGIN, &times);
    ck_assert_int_eq(item.result, OK);
    if (!item.replayed)
        write_aside(batch);
    return item;
}

/* The days advance from step to step; one log in five belongs to any earlier day, one in twelve to a time
 * long before. */
#define STEPS 60

static int64_t random_ts(int step)
{
    int64_t newest = BEGIN + (int64_t)(step + 1) * DAYS * WHEN_DAY / STEPS;
    int64_t ts = newest - 1 - pick(pick(5) ? 2 * WHEN_DAY : newest - BEGIN);
    if (pick(12) == 0)
        ts = BEGIN - pick(40 * (int64_t)WHEN_DAY);
    return pick(2) ? ts - ts % WHEN_QUARTER : ts;
}

static void write_step(struct store_writer *writer, int step)
{
    static const char *const errors[] = {"", "", "", "", "timeout", "refused", "tls"};
    struct batch batch;
    batch_init(&batch, NULL);
    for (int64_t i = 1 + pick(60); i > 0; i--) {
        char domain[32];
        snprintf(domain, sizeof domain, "d%d.example", (int)pick(20));
        add(&batch,
            (struct log_record){.ts = random_ts(step),
                                .user_id = 1 + pick(4),
                                .order_id = 1 + pick(5),
                                .count = 1 + pick(9),
                                .bytes_sent = pick(100000),
                                .bytes_received = pick(100000),
                                .error_count = pick(4),
                                .duration_ms = pick(100000),
                                .max_concurrency = pick(50),
                                .port = (uint16_t)pick(5)},
            domain, errors[pick(7)]);
    }
    write_batch(writer, &batch, NULL);
    batch_release(&batch);
}

static void upkeep(struct store_writer *writer, int64_t slices)
{
    bool more = true;
    struct fault fault;
    while (more && slices-- > 0)
        ck_assert_msg(store_maintain(writer, LATE, LATE, &more, &fault) == OK, "%s", fault.detail);
}

/* ---- what must be there ---- */

static struct horizons horizons(void)
{
    return (struct horizons){.raw_from = ask_store("SELECT raw_from FROM retention"),
                             .hour_from = ask_store("SELECT hour_from FROM retention"),
                             .day_from = ask_store("SELECT day_from FROM retention")};
}

static void check_rollups(const char *about)
{
    sqlite3 *db = open_beside();
    int64_t differences = recount_differences(db);
    ck_assert_msg(differences == 0, "%s: %" PRId64 " differences", about, differences);
    static const char *const raw[] = {
        "SELECT count(*) FROM (SELECT ts FROM aside.every_log WHERE ts / 86400 >= (SELECT raw_from FROM retention) "
        "EXCEPT"
        " SELECT quarter * 900 + second FROM stored)",
        "SELECT (SELECT count(*) FROM aside.every_log WHERE ts / 86400 >= (SELECT raw_from FROM retention))"
        " - (SELECT count(*) FROM stored WHERE quarter / 96 >= (SELECT raw_from FROM retention))",
        "SELECT (SELECT count(*) FROM stored) + (SELECT logs FROM retention) - (SELECT count(*) FROM "
        "aside.every_log)",
        "SELECT (SELECT ifnull(sum(logs), 0) FROM batch) + (SELECT batch_logs FROM retention)"
        " - (SELECT count(*) FROM aside.every_log)",
        "SELECT (SELECT ifnull(sum(count), 0) FROM aside.every_log WHERE ts / 86400 < (SELECT raw_from FROM retention))"
        " - (SELECT count FROM retention)",
    };
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++)
        ck_assert_msg(recount_i64(db, raw[i]) == 0, "%s: %s is %" PRId64, about, raw[i], recount_i64(db, raw[i]));
    sqlite3_close(db);
}

/* Once upkeep is complete, no row before a horizon is left. */
static void check_gone(void)
{
    ck_assert_int_eq(
        ask_store("SELECT (SELECT count(*) FROM raw_log, retention WHERE quarter < raw_from * 96)"
                  " + (SELECT count(*) FROM traffic_quarter, retention WHERE bucket < hour_from * 96)"
                  " + (SELECT count(*) FROM traffic_hour, retention WHERE bucket < hour_from * 24)"
                  " + (SELECT count(*) FROM traffic_day, retention WHERE bucket < day_from)"
                  " + (SELECT count(*) FROM value_day, retention WHERE bucket < day_from)"
                  " + (SELECT count(*) FROM value_gap, retention WHERE bucket < day_from)"
                  " + (SELECT count(*) FROM rollup_chunk, retention WHERE tier = 1 AND bucket < hour_from * 24)"
                  " + (SELECT count(*) FROM rollup_chunk, retention WHERE tier = 2 AND bucket < day_from)"
                  " + (SELECT count(*) FROM rollup_chunk, retention WHERE tier = 3 AND bucket * 4 < day_from)"
                  " + (SELECT count(*) FROM rollup_chunk, retention WHERE tier = 4 AND bucket * 16 < day_from)"),
        0);
}

static void check_verify(const char *about)
{
    struct sqlite_verified verified = verify_clean(folder, 500, about);
    ck_assert_int_eq(verified.pruned_until, ask_store("SELECT raw_from * 86400 FROM retention"));
}

static void rebuild(void)
{
    struct sqlite_rebuilt rebuilt = {0};
    struct fault fault = {0};
    struct watch watch = {0};
    ck_assert_msg(sqlite_rebuild(folder, LATE, &watch, &rebuilt, &fault) == OK, "%s", fault.detail);
}

/* ---- questions ---- */

struct question {
    struct report_filter filter;
    char domain[32];
    char where[320]; /* the same in SQL over every_log; `at` is the time at which a log counts */
};

/* The time at which a log counts: its second; the beginning of its quarter of an hour (charts without order and domain)
 * or of its hour; the beginning of its day; NULL: it does not count. */
static const char at_sql[] =
    "(SELECT CASE WHEN ts >= raw_from * 86400 THEN ts WHEN ts >= hour_from * 86400 THEN ts - ts %% %d"
    " WHEN ts >= day_from * 86400 THEN ts - ts %% 86400 END FROM retention)";

static int64_t random_edge(void)
{
    static const int64_t grids[] = {WHEN_DAY, WHEN_DAY, WHEN_HOUR, WHEN_QUARTER, 1, 1};
    int64_t at = BEGIN - 42 * (int64_t)WHEN_DAY + pick((DAYS + 44) * (int64_t)WHEN_DAY);
    return at - at % grids[pick(6)];
}

static void add_condition(char where[320], const char *before, int64_t value, const char *after)
{
    size_t len = strlen(where);
    snprintf(where + len, 320 - len, "%s%" PRId64 "%s", before, value, after);
}

static void random_question(struct question *question)
{
    int64_t a = random_edge(), b = random_edge();
    *question = (struct question){.filter = {.from = a < b ? a : b, .to = a < b ? b : a}};
    struct report_filter *filter = &question->filter;
    add_condition(question->where, "at >= ", filter->from, "");
    add_condition(question->where, " AND at < ", filter->to, "");
    if (pick(2)) {
        filter->user_id = 1 + pick(5);
        add_condition(question->where, " AND user_id = ", filter->user_id, "");
    }
    if (pick(3) == 0) {
        filter->order_id = 1 + pick(6);
        add_condition(question->where, " AND order_id = ", filter->order_id, "");
    }
    if (pick(3) == 0) {
        int64_t domain = pick(21);
        snprintf(question->domain, sizeof question->domain, "d%d.example", (int)domain);
        filter->has_domain = true;
        filter->domain = slice_of(question->domain);
        add_condition(question->where, " AND domain = 'd", domain, ".example'");
    }
    if (pick(4) == 0) {
        filter->has_error = true;
        filter->error = slice_of("refused");
        size_t len = strlen(question->where);
        snprintf(question->where + len, sizeof question->where - len, " AND error = 'refused'");
    }
}

/* Questions for which quarters of an hour are known after the logs are gone. */
static bool is_plain(const struct report_filter *filter)
{
    return !filter->order_id && !filter->has_domain && !filter->has_error;
}

/* SELECT `what` FROM the logs that count, GROUP BY and ORDER BY `rest`. Between the horizons of logs and of hours a log
 * counts by `width` seconds. */
static sqlite3_stmt *ask_by(sqlite3 *db, const struct question *question, const char *what, int width, const char *rest)
{
    char at[512], sql[2048];
    sqlite3_stmt *statement = NULL;
    snprintf(at, sizeof at, at_sql, width);
    snprintf(sql, sizeof sql, "SELECT %s FROM (SELECT *, %s AS at FROM aside.every_log) WHERE %s %s", what, at,
             question->where, rest);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    return statement;
}

static sqlite3_stmt *ask(sqlite3 *db, const struct question *question, const char *what, bool by_quarter,
                         const char *rest)
{
    return ask_by(db, question, what, by_quarter ? 900 : 3600, rest);
}

#define SUMS "sum(count), sum(sent), sum(received), sum(errors), max(most), sum(took)"

static void check_sums(const struct totals *totals, sqlite3_stmt *expected, int column, const char *about)
{
    const int64_t there[] = {totals->count,  totals->bytes_sent,      totals->bytes_received,
                             totals->errors, totals->max_concurrency, totals->duration_ms};
    for (int i = 0; i < 6; i++)
        ck_assert_msg(there[i] == sqlite3_column_int64(expected, column + i), "sum %d is %" PRId64 ", not %lld: %s", i,
                      there[i], sqlite3_column_int64(expected, column + i), about);
}

static const struct {
    enum granularity granularity;
    const char *bucket;
} charts[] = {
    {GRANULARITY_15M, "at / 900 * 900 AS b, " SUMS},
    {GRANULARITY_HOUR, "at / 3600 * 3600 AS b, " SUMS},
    {GRANULARITY_DAY, "at / 86400 * 86400 AS b, " SUMS},
    {GRANULARITY_WEEK, "unixepoch(at, 'unixepoch', 'start of day', '-6 days', 'weekday 1') AS b, " SUMS},
    {GRANULARITY_MONTH, "unixepoch(at, 'unixepoch', 'start of month') AS b, " SUMS},
};

static void check_chart(struct store_reader *reader, sqlite3 *db, const struct question *question)
{
    size_t row = (size_t)pick(5);
    struct chart chart = {0};
    struct fault fault;
    sqlite3_stmt *expected =
        ask(db, question, charts[row].bucket, is_plain(&question->filter), "GROUP BY b ORDER BY b");
    ck_assert_int_eq(store_chart(reader, &question->filter, charts[row].granularity, false, &chart, &fault), OK);
    for (size_t i = 0; i < chart.count; i++) {
        ck_assert_msg(sqlite3_step(expected) == SQLITE_ROW, "a bucket too many: %s", question->where);
        ck_assert_msg(chart.points[i].bucket == sqlite3_column_int64(expected, 0), "bucket: %s", question->where);
        check_sums(&chart.points[i].totals, expected, 1, question->where);
    }
    ck_assert_msg(sqlite3_step(expected) == SQLITE_DONE, "a bucket too few: %s", question->where);
    sqlite3_finalize(expected);
    chart_release(&chart);
}

static void check_domains(struct store_reader *reader, sqlite3 *db, const struct question *question)
{
    struct list list = {0};
    struct fault fault;
    sqlite3_stmt *expected = ask(db, question, "domain, " SUMS ", min(ts), max(ts)", false,
                                 "GROUP BY domain ORDER BY sum(count) DESC, domain");
    ck_assert_int_eq(list_domains(reader, &question->filter, ORDER_COUNT, 0, 100, &list, &fault), OK);
    for (size_t i = 0; i < list.count; i++) {
        ck_assert_msg(sqlite3_step(expected) == SQLITE_ROW, "a domain too many: %s", question->where);
        ck_assert_str_eq(list.rows[i].name, (const char *)sqlite3_column_text(expected, 0));
        check_sums(&list.rows[i].totals, expected, 1, question->where);
        ck_assert_int_eq(list.rows[i].totals.first, sqlite3_column_int64(expected, 7));
        ck_assert_int_eq(list.rows[i].totals.last, sqlite3_column_int64(expected, 8));
    }
    ck_assert_msg(sqlite3_step(expected) == SQLITE_DONE, "a domain too few: %s", question->where);
    sqlite3_finalize(expected);
    list_release(&list);
}

/* The breakdown by port, of everyone: after the logs are gone, it is known by the day. */
static void check_ports(struct store_reader *reader, sqlite3 *db, const struct question *asked)
{
    struct question question = {.filter = {.from = asked->filter.from, .to = asked->filter.to}};
    struct list list = {0};
    struct fault fault;
    add_condition(question.where, "at >= ", question.filter.from, "");
    add_condition(question.where, " AND at < ", question.filter.to, "");
    sqlite3_stmt *expected =
        ask_by(db, &question, "port, " SUMS, WHEN_DAY, "GROUP BY port ORDER BY sum(count) DESC, port");
    enum err err = list_read(reader, &question.filter,
                             &(struct list_ask){.by = BY_PORT, .order = ORDER_COUNT, .limit = 100}, &list, &fault);
    ck_assert_msg(err == OK, "%s", fault.detail);
    for (size_t i = 0; i < list.count; i++) {
        ck_assert_msg(sqlite3_step(expected) == SQLITE_ROW, "a port too many: %s", question.where);
        ck_assert_str_eq(list.rows[i].name, (const char *)sqlite3_column_text(expected, 0));
        check_sums(&list.rows[i].totals, expected, 1, question.where);
    }
    ck_assert_msg(sqlite3_step(expected) == SQLITE_DONE, "a port too few: %s", question.where);
    sqlite3_finalize(expected);
    list_release(&list);
}

static void check_errors(struct store_reader *reader, sqlite3 *db, const struct question *question)
{
    struct list list = {0};
    struct fault fault;
    sqlite3_stmt *expected = ask(db, question, "error, sum(errors), min(ts), max(ts)", false,
                                 "AND error <> '' GROUP BY error ORDER BY sum(errors) DESC, error");
    ck_assert_int_eq(list_errors(reader, &question->filter, 50, &list, &fault), OK);
    for (size_t i = 0; i < list.count; i++) {
        ck_assert_msg(sqlite3_step(expected) == SQLITE_ROW, "an error too many: %s", question->where);
        ck_assert_str_eq(list.rows[i].name, (const char *)sqlite3_column_text(expected, 0));
        ck_assert_int_eq(list.rows[i].totals.errors, sqlite3_column_int64(expected, 1));
        ck_assert_int_eq(list.rows[i].totals.first, sqlite3_column_int64(expected, 2));
        ck_assert_int_eq(list.rows[i].totals.last, sqlite3_column_int64(expected, 3));
    }
    ck_assert_msg(sqlite3_step(expected) == SQLITE_DONE, "an error too few: %s", question->where);
    sqlite3_finalize(expected);
    list_release(&list);
}

static void check_summary(struct store_reader *reader, sqlite3 *db, const struct question *question)
{
    struct totals totals;
    struct fault fault;
    sqlite3_stmt *expected = ask(db, question, SUMS ", min(ts), max(ts)", is_plain(&question->filter), "");
    ck_assert_int_eq(store_summary(reader, &question->filter, &totals, &fault), OK);
    ck_assert_int_eq(sqlite3_step(expected), SQLITE_ROW);
    check_sums(&totals, expected, 0, question->where);
    bool none = sqlite3_column_type(expected, 6) == SQLITE_NULL;
    ck_assert_msg(totals.first == (none ? INT64_MAX : sqlite3_column_int64(expected, 6)), "first: %s", question->where);
    ck_assert_msg(totals.last == (none ? INT64_MIN : sqlite3_column_int64(expected, 7)), "last: %s", question->where);
    sqlite3_finalize(expected);
}

static bool count_log(void *ctx, const struct log_text *log)
{
    (void)log;
    ++*(int64_t *)ctx;
    return true;
}

/* Rows before the horizon that are not deleted yet are not exported. */
static void check_export(sqlite3 *db)
{
    struct store_export_filter filter = {.from = 0, .to = BEGIN + 10 * DAYS * (int64_t)WHEN_DAY};
    struct question all = {.where = "ts >= (SELECT raw_from * 86400 FROM retention)"};
    sqlite3_stmt *expected = ask(db, &all, "count(*)", false, "");
    struct store_export *export = NULL;
    struct fault fault;
    int64_t logs = 0, at = 0;
    ck_assert_int_eq(store_export_open(store_in(folder), &filter, &export, &fault), OK);
    while (at < filter.to)
        ck_assert_int_eq(store_export_next(export, count_log, &logs, &at, &fault), OK);
    store_export_close(export);
    ck_assert_int_eq(sqlite3_step(expected), SQLITE_ROW);
    ck_assert_int_eq(logs, sqlite3_column_int64(expected, 0));
    sqlite3_finalize(expected);
}

/* Uses the same reader all the time, which keeps sums of closed hours. So some questions are asked each time. */
static void check_reports(struct store_reader *reader, int questions)
{
    sqlite3 *db = open_aside();
    for (int days = 3; days <= 2 * DAYS; days *= 3) {
        struct question question = {
            .filter = {.from = BEGIN + (DAYS - days) * WHEN_DAY, .to = BEGIN + DAYS * WHEN_DAY}};
        add_condition(question.where, "at >= ", question.filter.from, "");
        add_condition(question.where, " AND at < ", question.filter.to, "");
        check_domains(reader, db, &question);
        check_errors(reader, db, &question);
    }
    for (int i = 0; i < questions; i++) {
        struct question question;
        random_question(&question);
        check_chart(reader, db, &question);
        check_domains(reader, db, &question);
        check_errors(reader, db, &question);
        check_ports(reader, db, &question);
        check_summary(reader, db, &question);
    }
    check_export(db);
    sqlite3_close(db);
}

/* ---- the random walk ---- */

/* Sometimes data are kept for ever, or longer than before: what is gone stays gone. */
static void random_retention(struct store_writer *writer)
{
    struct store_retention keep = {0};
    struct fault fault;
    if (pick(5)) {
        keep.raw_days = 1 + pick(25);
        keep.hour_days = pick(4) ? keep.raw_days + pick(20) : 0;
        keep.day_days = keep.hour_days && pick(4) ? keep.hour_days + pick(20) : 0;
    }
    ck_assert_int_eq(store_retention_check(&keep, &fault), OK);
    store_writer_set_retention(writer, &keep);
}

static struct store_writer *restart(struct store_writer *writer)
{
    store_writer_close(writer);
    writer = open_writer(folder);
    sqlite_set_slice(sqlite_writer_of(writer), 1);
    random_retention(writer);
    return writer;
}

START_TEST(reports_equal_a_recount)
{
    seed((uint64_t)_i + 1);
    struct store_writer *writer = restart(open_writer(folder));
    struct store_reader *reader = open_reader(folder);
    for (int step = 0; step < STEPS; step++) {
        char about[64];
        snprintf(about, sizeof about, "seed %d, step %d", _i, step);
        write_step(writer, step);
        upkeep(writer, pick(700));
        if (pick(6) == 0)
            random_retention(writer);
        if (pick(6) == 0)
            writer = restart(writer);
        if (pick(4))
            continue;
        check_rollups(about);
        check_reports(reader, rounds(12, 5, 12));
        if (pick(3) == 0)
            check_verify(about);
    }
    store_writer_set_retention(writer, &(struct store_retention){5, 12, 33});
    sqlite_set_slice(sqlite_writer_of(writer), 1000);
    upkeep(writer, INT64_MAX);
    ck_assert_int_ge(horizons().day_from, BEGIN_DAY + DAYS - 1 - 33);
    check_gone();
    check_rollups("at the end");
    check_reports(reader, rounds(40, 15, 60));
    check_verify("at the end");
    store_writer_close(writer);
    rebuild();
    check_gone();
    check_rollups("rebuilt");
    check_reports(reader, rounds(40, 15, 60));
    check_verify("rebuilt");
    store_reader_close(reader);
}
END_TEST

/* Writes one log an hour, for `days` days, each in a batch of its own that is received at the time of the log. */
static void write_days(struct store_writer *writer, int days)
{
    for (int64_t ts = BEGIN; ts < BEGIN + days * (int64_t)WHEN_DAY; ts += WHEN_HOUR) {
        struct batch batch;
        struct store_times times;
        batch_init(&batch, NULL);
        add(&batch, (struct log_record){.ts = ts, .user_id = 1 + ts % 7, .order_id = 1, .count = 1, .bytes_sent = 10},
            "a.example", "");
        struct store_item item = {.batch = &batch, .caller = "worker"};
        store_write(writer, &item, 1, ts, &times);
        ck_assert_int_eq(item.result, OK);
        write_aside(&batch);
        batch_release(&batch);
    }
    upkeep(writer, INT64_MAX);
}

/* ---- databases that many cases begin with: made once, before the first case ---- */

struct ground {
    struct image store, aside;
};
static struct ground ten_days;    /* as write_days makes them */
static struct ground random_days; /* random logs, nothing of them deleted */
static struct ground pruned_days; /* the same, with horizons at the days 30, 20 and 10 of 60 */

static void keep_ground(struct ground *ground)
{
    image_read(&ground->store, folder);
    image_read(&ground->aside, aside_folder);
}

/* The store, and the plain table beside it. */
static struct store_writer *open_ground(const struct ground *ground)
{
    sqlite3_close(aside);
    image_write(&ground->store, folder);
    image_write(&ground->aside, aside_folder);
    open_plain_table();
    return open_writer(folder);
}

static void make_grounds(void)
{
    set_up();
    struct store_writer *writer = open_writer(folder);
    write_days(writer, 10);
    store_writer_close(writer);
    keep_ground(&ten_days);
    tear_down();
    set_up();
    writer = open_writer(folder);
    for (int step = 0; step < STEPS; step++)
        write_step(writer, step);
    upkeep(writer, INT64_MAX);
    store_writer_close(writer);
    keep_ground(&random_days);
    writer = open_writer(folder);
    store_writer_set_retention(writer, &(struct store_retention){29, 39, 49});
    upkeep(writer, INT64_MAX);
    store_writer_close(writer);
    check_verify("before any damage");
    keep_ground(&pruned_days);
    tear_down();
}

static void release_grounds(void)
{
    struct ground *const grounds[] = {&ten_days, &random_days, &pruned_days};
    for (size_t i = 0; i < sizeof grounds / sizeof *grounds; i++) {
        image_release(&grounds[i]->store);
        image_release(&grounds[i]->aside);
    }
}

/* ---- single cases ---- */

static const struct {
    struct store_retention keep;
    const char *words; /* NULL: it makes sense */
} combinations[] = {
    {{0, 0, 0}, NULL},
    {{30, 0, 0}, NULL},
    {{30, 30, 30}, NULL},
    {{30, 90, 0}, NULL},
    {{1, 2, 36500}, NULL},
    {{0, 90, 0}, "hour_days is 90, so raw_days must be set as well, to 90 or less (finer data cannot outlive coarser)"},
    {{0, 0, 90}, "day_days is 90, so hour_days must be set as well, to 90 or less (finer data cannot outlive coarser)"},
    {{30, 0, 90},
     "day_days is 90, so hour_days must be set as well, to 90 or less (finer data cannot outlive coarser)"},
    {{30, 29, 0}, "hour_days must be at least raw_days, which is 30, but is 29 (finer data cannot outlive coarser)"},
    {{30, 90, 89}, "day_days must be at least hour_days, which is 90, but is 89 (finer data cannot outlive coarser)"},
};

START_TEST(a_combination_makes_sense_or_not)
{
    struct fault fault = {0};
    enum err err = store_retention_check(&combinations[_i].keep, &fault);
    ck_assert_int_eq(err, combinations[_i].words ? ERR_PARAMETER_INVALID : OK);
    if (combinations[_i].words)
        ck_assert_str_eq(fault.detail, combinations[_i].words);
}
END_TEST

/* Days are counted back from the day of the newest log, or from today if that is earlier. */
static const struct {
    int64_t now;
    struct store_retention keep;
    struct horizons due; /* days after BEGIN_DAY */
} clocks[] = {
    {BEGIN + 10 * WHEN_DAY, {3, 0, 0}, {6, 0, 0}},
    {LATE, {3, 0, 0}, {6, 0, 0}},                     /* the clock is far ahead */
    {BEGIN + 5 * WHEN_DAY + 1, {3, 0, 0}, {2, 0, 0}}, /* or behind */
    {BEGIN - 1, {1, 1, 1}, {0, 0, 0}},
    {0, {1, 1, 1}, {0, 0, 0}},
    {LATE, {30, 0, 0}, {0, 0, 0}},
    {LATE, {1, 2, 3}, {8, 7, 6}},
    {LATE, {9, 9, 9}, {0, 0, 0}},
    {LATE, {36500, 36500, 36500}, {0, 0, 0}},
    {LATE, {0, 0, 0}, {0, 0, 0}},
};

static int64_t days_after(int64_t day)
{
    return day > BEGIN_DAY ? day - BEGIN_DAY : 0;
}

START_TEST(age_is_counted_from_the_newest_log)
{
    bool more = true;
    struct fault fault;
    struct store_writer *writer = open_ground(&ten_days); /* the last log is of the tenth day, BEGIN_DAY + 9 */
    store_writer_set_retention(writer, &clocks[_i].keep);
    while (more)
        ck_assert_int_eq(store_maintain(writer, clocks[_i].now, LATE, &more, &fault), OK);
    store_writer_close(writer);
    struct horizons there = horizons(), due = clocks[_i].due;
    ck_assert_int_eq(days_after(there.raw_from), due.raw_from);
    ck_assert_int_eq(days_after(there.hour_from), due.hour_from);
    ck_assert_int_eq(days_after(there.day_from), due.day_from);
    ck_assert_int_eq(ask_store("SELECT min(quarter) / 96 FROM raw_log") - BEGIN_DAY, due.raw_from);
    ck_assert_int_eq(ask_store("SELECT min(bucket) / 96 FROM traffic_quarter") - BEGIN_DAY, due.hour_from);
    ck_assert_int_eq(ask_store("SELECT min(bucket) FROM traffic_day") - BEGIN_DAY, due.day_from);
    check_verify("clock");
}
END_TEST

/* A worker that was cut off for a long time sends its old logs: they are accepted once, and counted in all periods that
 * are still kept. */
START_TEST(a_log_older_than_all_that_is_kept)
{
    struct batch batch;
    struct store_writer *writer = open_ground(&ten_days);
    store_writer_set_retention(writer, &(struct store_retention){2, 4, 6});
    upkeep(writer, INT64_MAX);
    int64_t logs = ask_store("SELECT count(*) FROM raw_log"), id = ask_store("SELECT max(id) FROM batch");
    batch_init(&batch, NULL);
    for (int day = 0; day < 10; day++)
        add(&batch, (struct log_record){.ts = BEGIN + day * WHEN_DAY + 5, .user_id = 1, .order_id = 9, .count = 100},
            "late.example", "late");
    ck_assert(!write_batch(writer, &batch, "key").replayed);
    ck_assert(write_batch(writer, &batch, "key").replayed);
    check_gone(); /* at once: upkeep would not delete them before a restart */
    store_writer_close(writer);
    writer = open_writer(folder);
    ck_assert(write_batch(writer, &batch, "key").replayed);
    upkeep(writer, INT64_MAX);
    ck_assert_int_eq(ask_store("SELECT count FROM total"), 240 + 1000);
    ck_assert_int_eq(ask_store("SELECT max(id) FROM batch"), id + 1);
    ck_assert_int_eq(ask_store("SELECT count(*) FROM raw_log"), logs + 3); /* of the days 7, 8, 9 */
    ck_assert_int_eq(ask_store("SELECT count(*) FROM traffic_day WHERE order_id = 9"),
                     6); /* of 3 … 8; 9 is not closed */
    check_gone();
    check_rollups("late");
    check_verify("late");
    store_writer_close(writer);
    batch_release(&batch);
}
END_TEST

/* Days are closed, and periods of 4 and 16 days end, which begin before the horizon. In the second half, the horizon no
 * longer moves. */
START_TEST(a_day_is_all_that_is_kept)
{
    struct store_writer *writer = open_writer(folder);
    store_writer_set_retention(writer, &(struct store_retention){1, 1, 1});
    for (int step = 0; step < STEPS; step++) {
        write_step(writer, step);
        upkeep(writer, INT64_MAX);
        if (step == STEPS / 2)
            store_writer_set_retention(writer, &(struct store_retention){0});
    }
    store_writer_close(writer);
    for (int i = 0; i < 2; i++) {
        check_gone();
        check_rollups("a day");
        check_verify("a day");
        rebuild();
    }
    ck_assert_int_eq(horizons().day_from, BEGIN_DAY + STEPS / 2 - 1);
}
END_TEST

/* Old batches are deleted, but the newest stays, so that its number is not used again. */
START_TEST(a_number_of_a_batch_never_comes_again)
{
    struct store_writer *writer = open_ground(&ten_days);
    ck_assert_int_eq(ask_store("SELECT count(*) FROM batch"), 240);
    store_writer_set_retention(writer, &(struct store_retention){2, 2, 2});
    upkeep(writer, INT64_MAX);
    ck_assert_int_eq(ask_store("SELECT count(*) FROM batch"), 72);
    ck_assert_int_eq(ask_store("SELECT batch_from FROM retention"), ask_store("SELECT min(id) FROM batch"));
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READWRITE);
    plain_run(db, "UPDATE batch SET received_at = 0"); /* as for logs that are stamped ahead of their time */
    sqlite3_close(db);
    write_step(writer, 11); /* a batch received at BEGIN, of later logs */
    store_writer_set_retention(writer, &(struct store_retention){1, 1, 1});
    upkeep(writer, INT64_MAX);
    ck_assert_int_eq(ask_store("SELECT count(*) FROM batch"), 1);
    write_step(writer, 11);
    ck_assert_int_eq(ask_store("SELECT max(id) FROM batch"), 242);
    check_rollups("batches");
    store_writer_close(writer);
    check_verify("batches");
}
END_TEST

static int64_t file_bytes(void)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    ck_assert_int_eq(stat(path, &st), 0);
    return (int64_t)st.st_size;
}

/* A reader keeps the sums of closed hours, and no log comes that would make it read them again. */
START_TEST(a_reader_forgets_what_is_gone)
{
    struct store_writer *writer = open_ground(&random_days);
    struct store_reader *reader = open_reader(folder);
    check_reports(reader, 0);
    store_writer_set_retention(writer, &(struct store_retention){5, 10, 15});
    upkeep(writer, INT64_MAX);
    check_reports(reader, 0);
    store_reader_close(reader);
    store_writer_close(writer);
}
END_TEST

/* The service gives back the space that it will not need soon; the command gives back all. */
START_TEST(space_is_given_back)
{
    struct fault fault;
    struct sqlite_pruned pruned;
    struct store_writer *writer = open_ground(&random_days);
    int64_t pages = ask_store("PRAGMA page_count");
    store_writer_set_retention(writer, &(struct store_retention){10, 10, 10});
    upkeep(writer, INT64_MAX);
    ck_assert_int_lt(ask_store("PRAGMA page_count") * 2, pages);
    ck_assert_int_le(ask_store("PRAGMA freelist_count") * 8, ask_store("PRAGMA page_count"));
    store_writer_close(writer);
    ck_assert_int_eq(sqlite_prune(folder, LATE, 5, &(struct watch){0}, &pruned, &fault), OK);
    ck_assert_int_eq(ask_store("PRAGMA freelist_count"), 0);
    ck_assert_int_eq(pruned.file_bytes_after, ask_store("PRAGMA page_count") * 4096);
    ck_assert_int_lt(pruned.file_bytes_after, pruned.file_bytes_before);
    ck_assert_int_eq(file_bytes(), pruned.file_bytes_after);
    check_rollups("space");
    check_verify("space");
}
END_TEST

/* A file without auto_vacuum (made by VACUUM with the pragma off) keeps its size; all else is the same. */
START_TEST(a_file_that_can_not_shrink)
{
    struct fault fault;
    struct sqlite_pruned pruned;
    store_writer_close(open_ground(&random_days));
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READWRITE);
    plain_run(db, "PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=0; VACUUM");
    sqlite3_close(db);
    int64_t bytes = file_bytes();
    ck_assert_int_eq(sqlite_prune(folder, LATE, 5, &(struct watch){0}, &pruned, &fault), OK);
    ck_assert_int_eq(file_bytes(), bytes);
    ck_assert_int_gt(ask_store("PRAGMA freelist_count") * 2, ask_store("PRAGMA page_count"));
    check_gone();
    check_rollups("no auto_vacuum");
}
END_TEST

/* A plan is made while a writer runs, and changes nothing. The command then deletes exactly what the plan names. */
START_TEST(a_plan_is_what_is_deleted)
{
    struct fault fault;
    struct sqlite_pruned plan, pruned, rest;
    struct watch watch = {0};
    struct store_writer *writer = open_ground(&random_days);
    int64_t logs = ask_store("SELECT count(*) FROM raw_log"), all_bytes = 0;
    int64_t store_bytes = ask_store("PRAGMA page_count") * 4096;
    ck_assert_int_eq(sqlite_prune_plan(folder, LATE, 20, &watch, &plan, &fault), OK);
    ck_assert_int_eq(sqlite_prune(folder, LATE, 20, &watch, &pruned, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, "held by another process") != NULL, "%s", fault.detail);
    store_writer_close(writer);
    ck_assert_int_eq(ask_store("SELECT count(*) FROM raw_log"), logs);
    ck_assert_int_eq(horizons().raw_from, 0);
    ck_assert_int_eq(sqlite_prune(folder, LATE, 20, &watch, &pruned, &fault), OK);
    int64_t day = (int64_t)BEGIN_DAY + DAYS - 1 - 20;
    ck_assert_int_eq(plan.before, day * WHEN_DAY);
    ck_assert_int_eq(pruned.before, plan.before);
    ck_assert_int_eq(horizons().day_from, day);
    for (int i = 0; i < PRUNED_TABLES; i++) {
        ck_assert_str_eq(plan.tables[i].name, pruned.tables[i].name);
        ck_assert_msg(plan.tables[i].rows == pruned.tables[i].rows && (plan.tables[i].rows > 0 || i == 0),
                      "%s: %" PRId64 " rows", plan.tables[i].name, plan.tables[i].rows);
        ck_assert_int_ge(plan.tables[i].bytes, plan.tables[i].rows * 5);
        all_bytes += plan.tables[i].bytes;
    }
    /* 39 of 60 days are deleted. The bytes in the plan are half to one and a half times what the file has lost. */
    int64_t won = store_bytes - pruned.file_bytes_after;
    ck_assert_msg(all_bytes > won / 2 && all_bytes < won * 3 / 2, "%" PRId64 " bytes are said, %" PRId64 " were won",
                  all_bytes, won);
    ck_assert_int_eq(sqlite_prune_plan(folder, LATE, 20, &watch, &rest, &fault), OK);
    for (int i = 0; i < PRUNED_TABLES; i++)
        ck_assert_int_eq(rest.tables[i].rows, 0);
    check_gone();
    check_rollups("pruned");
    check_verify("pruned");
}
END_TEST

/* If a horizon cannot be written, nothing is deleted. */
START_TEST(nothing_is_pruned_without_a_horizon)
{
    bool more;
    struct fault fault = {0};
    struct store_writer *writer = open_ground(&random_days);
    int64_t logs = ask_store("SELECT count(*) FROM raw_log");
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READWRITE);
    plain_run(db, "DELETE FROM retention");
    sqlite3_close(db);
    store_writer_set_retention(writer, &(struct store_retention){1, 1, 1});
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(store_maintain(writer, LATE, LATE, &more, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, "retention is damaged") != NULL, "%s", fault.detail);
    ck_assert_int_eq(ask_store("SELECT count(*) FROM raw_log"), logs);
    store_writer_close(writer);
}
END_TEST

START_TEST(nothing_is_pruned_of_nothing)
{
    struct fault fault;
    struct sqlite_pruned pruned;
    struct watch watch = {0};
    ck_assert_int_eq(sqlite_prune(folder, LATE, 1, &watch, &pruned, &fault), ERR_UNAVAILABLE); /* no file */
    ck_assert_int_eq(sqlite_create(folder, &fault), OK);
    ck_assert_int_eq(sqlite_prune_plan(folder, LATE, 1, &watch, &pruned, &fault), OK);
    ck_assert_int_eq(pruned.before, 0);
    ck_assert_int_eq(sqlite_prune(folder, LATE, 1, &watch, &pruned, &fault), OK);
    ck_assert_int_eq(pruned.before, 0);
    struct store_writer *writer = open_writer(folder);
    store_writer_set_retention(writer, &(struct store_retention){1, 1, 1});
    upkeep(writer, INT64_MAX);
    store_writer_close(writer);
    check_verify("empty");
}
END_TEST

/* ---- verify ---- */

/* Damages to `pruned_days`. */
static const struct {
    const char *sql;
    const char *told;
} damages[] = {
    {"DELETE FROM main.raw_log WHERE quarter = (SELECT max(quarter) FROM main.raw_log)", "logs came"},
    {"DELETE FROM log_part WHERE id = (SELECT max(id) FROM log_part)", "logs came"},
    {"UPDATE log_part SET logs = logs + 1 WHERE id = (SELECT max(id) FROM log_part)", "log_part"},
    {"UPDATE retention SET count = count + 1", "total"},
    {"UPDATE retention SET logs = logs + 1", "logs came"},
    {"UPDATE retention SET raw_from = raw_from + 100", "retention"},
    {"UPDATE retention SET day_from = hour_from + 1", "retention"},
    {"DELETE FROM retention", "retention"},
    {"UPDATE total SET bytes_sent = bytes_sent - 1", "total"},
    {"UPDATE traffic_day SET count = count + 1 WHERE bucket = (SELECT raw_from - 1 FROM retention)", "traffic_day"},
    {"UPDATE traffic_day SET count = count + 1 WHERE bucket = (SELECT raw_from FROM retention)", "traffic_day"},
    {"UPDATE traffic_hour SET errors = 77 WHERE bucket / 24 = (SELECT hour_from FROM retention)", "traffic_day"},
    {"DELETE FROM rollup_chunk WHERE tier = 2 AND bucket = (SELECT hour_from FROM retention)", "rollup_chunk"},
    {"DELETE FROM rollup_chunk WHERE tier = 3 AND bucket = (SELECT day_from / 4 + 1 FROM retention)", "rollup_chunk"},
    {"DELETE FROM rollup_chunk WHERE tier = 4 AND bucket = (SELECT raw_from / 16 FROM retention)", "rollup_chunk"},
};

START_TEST(verify_sees_what_can_be_seen)
{
    char first[256] = "";
    struct sqlite_verified verified = {0};
    struct fault fault;
    struct sqlite_verify_options options = {.ctx = first, .difference = keep_first_difference};
    image_write(&pruned_days.store, folder);
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READWRITE);
    plain_run(db, damages[_i].sql);
    ck_assert_int_gt(sqlite3_changes(db), 0);
    sqlite3_close(db);
    ck_assert_int_eq(sqlite_verify(folder, &options, &(struct watch){0}, &verified, &fault), OK);
    ck_assert_msg(verified.differences > 0, "%s", damages[_i].sql);
    ck_assert_msg(strstr(first, damages[_i].told) != NULL, "%s: %s", damages[_i].sql, first);
}
END_TEST

/* verify finds no fault while another process deletes, row by row. */
START_TEST(verify_beside_pruning)
{
    struct store_writer *writer = open_ground(&random_days);
    sqlite_set_slice(sqlite_writer_of(writer), 1);
    store_writer_set_retention(writer, &(struct store_retention){9, 19, 29});
    upkeep(writer, 1);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        for (int i = 0; i < 8; i++)
            check_verify("beside"); /* ends the child with a failure */
        _exit(0);
    }
    int status = -1;
    for (int step = 0; waitpid(child, &status, WNOHANG) == 0; step++) {
        upkeep(writer, 20);
        if (step % 5 == 0)
            write_step(writer, STEPS - 1 + step / 1000);
    }
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    store_writer_close(writer);
    check_verify("afterwards");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retain");
    TCase *tcase = suite_case(suite, "retain");
    tcase_add_unchecked_fixture(tcase, make_grounds, release_grounds);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, reports_equal_a_recount, 0, seed_runs(3));
    tcase_add_loop_test(tcase, a_combination_makes_sense_or_not, 0, ROWS(combinations));
    tcase_add_loop_test(tcase, age_is_counted_from_the_newest_log, 0, ROWS(clocks));
    tcase_add_test(tcase, a_log_older_than_all_that_is_kept);
    tcase_add_test(tcase, a_day_is_all_that_is_kept);
    tcase_add_test(tcase, a_number_of_a_batch_never_comes_again);
    tcase_add_test(tcase, a_reader_forgets_what_is_gone);
    tcase_add_test(tcase, space_is_given_back);
    tcase_add_test(tcase, a_file_that_can_not_shrink);
    tcase_add_test(tcase, a_plan_is_what_is_deleted);
    tcase_add_test(tcase, nothing_is_pruned_of_nothing);
    tcase_add_test(tcase, nothing_is_pruned_without_a_horizon);
    tcase_add_loop_test(tcase, verify_sees_what_can_be_seen, 0, ROWS(damages));
    tcase_add_test(tcase, verify_beside_pruning);
    return suite_run(suite);
}
