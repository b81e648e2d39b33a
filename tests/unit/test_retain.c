/* test_retain.c: what is no longer kept is gone, all else answers as before. Every log is also written down beside the
 * store, in a plain table that nothing is deleted from; what a report must say is asked of that table in SQL, where a
 * log counts as of the start of the finest bucket that is left of its time. */
#include "../fault/ledger.h"
#include "../recount.h"
#include "store_writer.h"
#include "when.h"

#include <check.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGIN INT64_C(1829606400) /* 2027-12-24: no period of 4 or 16 days begins with it */
#define BEGIN_DAY (BEGIN / WHEN_DAY)
#define DAYS 60
#define LATE (INT64_MAX / 4) /* later than every log */

static char folder[64], aside_path[96];
static sqlite3 *aside;
static unsigned long rng;

/* ---- a store, and the plain table ---- */

static void set_up(void)
{
    strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/test_retain.XXXXXX" : "/tmp/test_retain.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(aside_path, sizeof aside_path, "%s.aside", folder);
    ck_assert_int_eq(sqlite3_open(aside_path, &aside), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(aside,
                     "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE every_log (ts, user_id,"
                     " order_id, domain, error, count, sent, received, errors, most)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    rng = 1;
}

static void tear_down(void)
{
    sqlite3_close(aside);
    unlink(aside_path);
    ledger_remove_folder(folder);
}

static struct store_writer *open_writer(void)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    ck_assert_msg(store_writer_open(folder, &writer, &fault) == OK, "%s", fault.detail);
    return writer;
}

static struct store_reader *open_reader(void)
{
    struct store_reader *reader = NULL;
    struct fault fault;
    ck_assert_msg(store_reader_open(folder, &reader, &fault) == OK, "%s", fault.detail);
    return reader;
}

static void exec(sqlite3 *db, const char *sql)
{
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3 *open_plain(void)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    exec(db, "PRAGMA wal_autocheckpoint=0");
    return db;
}

static int64_t ask_store(const char *sql)
{
    sqlite3 *db = open_plain();
    int64_t value = recount_i64(db, sql);
    sqlite3_close(db);
    return value;
}

/* The store, with all logs there ever were as a temporary table raw_log that hides what is left of the real one. */
static sqlite3 *open_beside(void)
{
    char sql[256];
    sqlite3 *db = open_plain();
    snprintf(sql, sizeof sql, "ATTACH '%s' AS aside", aside_path);
    exec(db, sql);
    exec(db, "CREATE TEMP TABLE raw_log AS SELECT ts / 900 AS quarter, user_id, d.id AS domain, order_id, ts % 900 AS"
             " second, x.id AS error, count, sent AS bytes_sent, received AS bytes_received, errors AS error_count,"
             " most AS max_concurrency FROM aside.every_log JOIN main.name AS d ON d.text = domain"
             " JOIN main.name AS x ON x.text = error");
    return db;
}

/* ---- random logs ---- */

static int64_t pick(int64_t n)
{
    rng = rng * 6364136223846793005ul + 1442695040888963407ul;
    return (int64_t)((rng >> 33) % (unsigned long)n);
}

static uint32_t intern(struct batch *batch, const char *text)
{
    uint32_t index = 0;
    ck_assert_int_eq(batch_intern(batch, slice_of(text), &index), OK);
    return index;
}

static void add(struct batch *batch, struct log_record log, const char *domain, const char *error)
{
    log.name[NAME_DOMAIN] = intern(batch, domain);
    log.name[NAME_ERROR] = intern(batch, error);
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

static void write_aside(const struct batch *batch)
{
    sqlite3_stmt *insert = NULL;
    sqlite3_prepare_v2(aside, "INSERT INTO every_log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", -1, &insert, NULL);
    for (uint32_t i = 0; i < batch->log_count; i++) {
        const struct log_record *log = &batch->logs[i];
        struct slice domain = batch_name(batch, log->name[NAME_DOMAIN]),
                     error = batch_name(batch, log->name[NAME_ERROR]);
        const int64_t values[] = {log->count, log->bytes_sent, log->bytes_received, log->error_count,
                                  log->max_concurrency};
        sqlite3_bind_int64(insert, 1, log->ts);
        sqlite3_bind_int64(insert, 2, log->user_id);
        sqlite3_bind_int64(insert, 3, log->order_id);
        sqlite3_bind_text(insert, 4, domain.len ? domain.data : "", (int)domain.len, SQLITE_STATIC);
        sqlite3_bind_text(insert, 5, error.len ? error.data : "", (int)error.len, SQLITE_STATIC);
        for (int j = 0; j < 5; j++)
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

/* Days go by from step to step; one log in five is of any day before, one in twelve of long before all. */
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
                                .max_concurrency = pick(50)},
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
        " SELECT quarter * 900 + second FROM main.raw_log)",
        "SELECT (SELECT count(*) FROM aside.every_log WHERE ts / 86400 >= (SELECT raw_from FROM retention))"
        " - (SELECT count(*) FROM main.raw_log WHERE quarter / 96 >= (SELECT raw_from FROM retention))",
        "SELECT (SELECT count(*) FROM main.raw_log) + (SELECT logs FROM retention) - (SELECT count(*) FROM "
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

/* Once upkeep has nothing left to do, nothing is there that lies before a horizon. */
static void check_gone(void)
{
    ck_assert_int_eq(
        ask_store("SELECT (SELECT count(*) FROM raw_log, retention WHERE quarter < raw_from * 96)"
                  " + (SELECT count(*) FROM traffic_quarter, retention WHERE bucket < hour_from * 96)"
                  " + (SELECT count(*) FROM traffic_hour, retention WHERE bucket < hour_from * 24)"
                  " + (SELECT count(*) FROM traffic_day, retention WHERE bucket < day_from)"
                  " + (SELECT count(*) FROM rollup_chunk, retention WHERE tier = 1 AND bucket < hour_from * 24)"
                  " + (SELECT count(*) FROM rollup_chunk, retention WHERE tier = 2 AND bucket < day_from)"
                  " + (SELECT count(*) FROM rollup_chunk, retention WHERE tier = 3 AND bucket * 4 < day_from)"
                  " + (SELECT count(*) FROM rollup_chunk, retention WHERE tier = 4 AND bucket * 16 < day_from)"),
        0);
}

static void tell(void *ctx, const struct store_difference *difference)
{
    char *first = ctx;
    if (!*first)
        snprintf(first, 256, "%s, period %d from %" PRId64 ", user %" PRId64 ": %s", difference->table,
                 difference->period, difference->bucket, difference->user_id,
                 difference->words ? difference->words : "another value");
}

static void check_verify(const char *about)
{
    char first[256] = "";
    struct store_verified verified = {0};
    struct fault fault = {0};
    struct store_verify_options options = {.entries_at_once = 500};
    struct store_watch watch = {.ctx = first, .difference = tell};
    ck_assert_msg(store_verify(folder, &options, &watch, &verified, &fault) == OK, "%s: %s", about, fault.detail);
    ck_assert_msg(verified.differences == 0, "%s: %" PRId64 " differences: %s", about, verified.differences, first);
    ck_assert_int_eq(verified.pruned_until, ask_store("SELECT raw_from * 86400 FROM retention"));
}

static void rebuild(void)
{
    struct store_rebuilt rebuilt = {0};
    struct fault fault = {0};
    struct store_watch watch = {0};
    ck_assert_msg(store_rebuild(folder, LATE, &watch, &rebuilt, &fault) == OK, "%s", fault.detail);
}

/* ---- questions ---- */

struct question {
    struct report_filter filter;
    char domain[32];
    char where[320]; /* the same in SQL over every_log, `at` being when a log counts */
};

/* When a log counts: by the second, by the quarter (of an hour of charts that ask for neither order nor domain), by the
 * hour, by the day; NULL: not at all. */
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
}

/* SELECT `what` FROM the logs that count, GROUP BY and ORDER BY `rest`. */
static sqlite3_stmt *ask(sqlite3 *db, const struct question *question, const char *what, bool by_quarter,
                         const char *rest)
{
    char at[512], sql[2048];
    sqlite3_stmt *statement = NULL;
    snprintf(at, sizeof at, at_sql, by_quarter ? 900 : 3600);
    snprintf(sql, sizeof sql, "SELECT %s FROM (SELECT *, %s AS at FROM aside.every_log) WHERE %s %s", what, at,
             question->where, rest);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    return statement;
}

#define SUMS "sum(count), sum(sent), sum(received), sum(errors), max(most)"

static void check_sums(const struct totals *totals, sqlite3_stmt *expected, int column, const char *about)
{
    const int64_t there[] = {totals->count, totals->bytes_sent, totals->bytes_received, totals->errors,
                             totals->max_concurrency};
    for (int i = 0; i < 5; i++)
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
    sqlite3_stmt *expected = ask(db, question, charts[row].bucket,
                                 !question->filter.order_id && !question->filter.has_domain, "GROUP BY b ORDER BY b");
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
    struct domain_list list = {0};
    struct fault fault;
    sqlite3_stmt *expected = ask(db, question, "domain, " SUMS ", min(ts), max(ts)", false,
                                 "GROUP BY domain ORDER BY sum(count) DESC, domain");
    ck_assert_int_eq(store_domains(reader, &question->filter, DOMAIN_BY_COUNT, 0, 100, &list, &fault), OK);
    for (size_t i = 0; i < list.count; i++) {
        ck_assert_msg(sqlite3_step(expected) == SQLITE_ROW, "a domain too many: %s", question->where);
        ck_assert_str_eq(list.rows[i].domain, (const char *)sqlite3_column_text(expected, 0));
        check_sums(&list.rows[i].totals, expected, 1, question->where);
        ck_assert_int_eq(list.rows[i].totals.first, sqlite3_column_int64(expected, 6));
        ck_assert_int_eq(list.rows[i].totals.last, sqlite3_column_int64(expected, 7));
    }
    ck_assert_msg(sqlite3_step(expected) == SQLITE_DONE, "a domain too few: %s", question->where);
    sqlite3_finalize(expected);
    domain_list_release(&list);
}

static void check_errors(struct store_reader *reader, sqlite3 *db, const struct question *question)
{
    struct error_list list = {0};
    struct fault fault;
    sqlite3_stmt *expected = ask(db, question, "error, sum(errors), min(ts), max(ts)", false,
                                 "AND error <> '' GROUP BY error ORDER BY sum(errors) DESC, error");
    ck_assert_int_eq(store_errors(reader, &question->filter, 50, &list, &fault), OK);
    for (size_t i = 0; i < list.count; i++) {
        ck_assert_msg(sqlite3_step(expected) == SQLITE_ROW, "an error too many: %s", question->where);
        ck_assert_str_eq(list.rows[i].error, (const char *)sqlite3_column_text(expected, 0));
        ck_assert_int_eq(list.rows[i].total_errors, sqlite3_column_int64(expected, 1));
        ck_assert_int_eq(list.rows[i].first_seen, sqlite3_column_int64(expected, 2));
        ck_assert_int_eq(list.rows[i].last_seen, sqlite3_column_int64(expected, 3));
    }
    ck_assert_msg(sqlite3_step(expected) == SQLITE_DONE, "an error too few: %s", question->where);
    sqlite3_finalize(expected);
    error_list_release(&list);
}

/* The same reader all along: it keeps sums of closed hours. */
static void check_reports(struct store_reader *reader, int questions)
{
    sqlite3 *db = open_beside();
    for (int i = 0; i < questions; i++) {
        struct question question;
        random_question(&question);
        check_chart(reader, db, &question);
        check_domains(reader, db, &question);
        check_errors(reader, db, &question);
    }
    sqlite3_close(db);
}

/* ---- the random walk ---- */

/* Sometimes kept for ever, and longer than before: what is gone stays gone. */
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
    writer = open_writer();
    store_writer_set_slice(writer, 1);
    random_retention(writer);
    return writer;
}

START_TEST(reports_equal_a_recount)
{
    rng = (unsigned long)_i + 1;
    struct store_writer *writer = restart(open_writer());
    struct store_reader *reader = open_reader();
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
        check_reports(reader, 12);
        if (pick(3) == 0)
            check_verify(about);
    }
    store_writer_set_retention(writer, &(struct store_retention){5, 12, 33});
    store_writer_set_slice(writer, 1000);
    upkeep(writer, INT64_MAX);
    ck_assert_int_ge(horizons().day_from, BEGIN_DAY + DAYS - 1 - 33);
    check_gone();
    check_rollups("at the end");
    check_reports(reader, 60);
    check_verify("at the end");
    store_writer_close(writer);
    rebuild();
    check_gone();
    check_rollups("rebuilt");
    check_reports(reader, 60);
    check_verify("rebuilt");
    store_reader_close(reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retain");
    TCase *tcase = tcase_create("retain");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, reports_equal_a_recount, 0, 4);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
