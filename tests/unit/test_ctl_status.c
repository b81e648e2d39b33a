/* test_ctl_status.c: analyticsctl status: every figure is compared with plain SQL or with the files, also while a
 * writer runs. */
#include "support/ctl_run.h"
#include "support/ledger.h"
#include "support/recount.h"
#include "support/fixture.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 60

static int64_t plain_i64(const char *sql)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    int64_t value = recount_i64(db, sql);
    sqlite3_close(db);
    return value;
}

static void plain_exec(const char *sql)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* Of the batches, 5 came in the last minute, 10 more in the last hour, 20 more in the last day, the others before. */
static void make_some(void)
{
    static const struct {
        int from, age;
    } ages[] = {{0, 3 * 86400}, {BATCHES - 35, 7200}, {BATCHES - 15, 1800}, {BATCHES - 5, 20}};
    struct ledger ledger = {.logs = 8, .pause = 3600};
    struct store_writer *writer = NULL;
    struct fault fault;
    bool more = true;
    ck_status(0, "init");
    ck_assert_int_eq(store_writer_open(store_in(folder), &writer, &fault), OK);
    for (int i = 0; i < BATCHES; i++)
        ck_assert_int_eq(ledger_write(writer, &ledger, i).result, OK);
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    store_writer_close(writer);
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "UPDATE batch SET received_at = %lld WHERE id > %d",
                 (long long)time(NULL) - ages[i].age, ages[i].from);
        plain_exec(sql);
    }
}

static json_object *status_json(void)
{
    ck_status(0, "status", "--json");
    ck_assert_str_eq(ctl_err, "");
    json_object *status = json_tokener_parse(ctl_out);
    ck_assert_msg(status != NULL, "%s", ctl_out);
    return status;
}

static json_object *member_of(json_object *object, const char *name)
{
    json_object *value = NULL;
    ck_assert_msg(json_object_object_get_ex(object, name, &value), "no %s", name);
    return value;
}

static int64_t number(json_object *object, const char *name)
{
    json_object *value = member_of(object, name);
    ck_assert_msg(json_object_is_type(value, json_type_int), "%s is no number", name);
    return json_object_get_int64(value);
}

/* SQLite's own date functions make the expected texts of times. */
static const struct {
    const char *name, *sql;
} times[] = {
    {"first_log", "SELECT %s = (SELECT datetime(min(quarter * 900 + second), 'unixepoch') FROM raw_log)"},
    {"last_log", "SELECT %s = (SELECT datetime(max(quarter * 900 + second), 'unixepoch') FROM raw_log)"},
    {"last_batch", "SELECT %s = (SELECT datetime(max(received_at), 'unixepoch') FROM batch)"},
    {"hours_closed_until", "SELECT %s = (SELECT datetime(closed_hour * 3600, 'unixepoch') FROM closing)"},
    {"days_closed_until", "SELECT %s = (SELECT datetime(closed_day * 86400, 'unixepoch') FROM closing)"},
};

static void check_times(json_object *status)
{
    char sql[256], quoted[64];
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        snprintf(quoted, sizeof quoted, "'%s'", json_object_get_string(member_of(status, times[i].name)));
        const char *at = strstr(times[i].sql, "%s");
        snprintf(sql, sizeof sql, "%.*s%s%s", (int)(at - times[i].sql), times[i].sql, quoted, at + 2);
        ck_assert_msg(plain_i64(sql) == 1, "%s is %s", times[i].name, quoted);
    }
}

static void check_tables(json_object *tables, int64_t file_bytes)
{
    size_t count = json_object_array_length(tables);
    int64_t sum = 0, last = INT64_MAX;
    ck_assert_uint_eq(count, (size_t)plain_i64("SELECT count(*) FROM sqlite_schema WHERE type = 'table'"));
    for (size_t i = 0; i < count; i++) {
        json_object *table = json_object_array_get_idx(tables, i);
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM main.%s", json_object_get_string(member_of(table, "name")));
        ck_assert_msg(number(table, "rows") == plain_i64(sql), "%s", sql);
        ck_assert_int_le(number(table, "bytes"), last);
        last = number(table, "bytes");
        sum += last;
    }
    ck_assert_int_le(sum, file_bytes);
    ck_assert_int_gt(sum, file_bytes / 2);
}

static void check_received(json_object *status)
{
    static const struct {
        const char *name;
        int batches;
    } spans[] = {{"minute", 5}, {"hour", 15}, {"day", 35}};
    json_object *received = member_of(status, "received");
    for (size_t i = 0; i < 3; i++) {
        char sql[128];
        json_object *span = member_of(received, spans[i].name);
        ck_assert_int_eq(number(span, "batches"), spans[i].batches);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM raw_log WHERE batch_id > %d", BATCHES - spans[i].batches);
        ck_assert_int_eq(number(span, "logs"), plain_i64(sql));
    }
}

START_TEST(every_figure)
{
    char path[128];
    struct stat st;
    make_some();
    ck_status(0, "key", "rotate", "2", "--grace", "0");
    json_object *status = status_json();
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(number(status, "database_bytes"), st.st_size);
    strcat(path, "-wal");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(number(status, "wal_bytes"), st.st_size);
    ck_assert_int_eq(number(status, "logs"), plain_i64("SELECT count(*) FROM raw_log"));
    ck_assert_int_eq(number(status, "schema_version"), plain_i64("PRAGMA user_version"));
    ck_assert(!json_object_get_boolean(member_of(status, "written")));
    check_times(status);
    check_tables(member_of(status, "tables"), number(status, "database_bytes") + number(status, "wal_bytes"));
    check_received(status);
    json_object *workers = member_of(member_of(status, "keys"), "worker");
    ck_assert_int_eq(number(workers, "active"), 1);
    ck_assert_int_eq(number(workers, "revoked"), 1);
    json_object_put(status);
}
END_TEST

START_TEST(in_words)
{
    make_some();
    ck_status(0, "status");
    ck_has(ctl_out, "Written by   nobody: analytics-ingest does not run\n");
    ck_has(ctl_out, "Last minute ");
    ck_has(ctl_out, " in 5 batches, ");
    ck_has(ctl_out, " in 35 batches, ");
    ck_has(ctl_out, "Keys admin   1 active, 0 expired, 0 revoked\n");
    ck_has(ctl_out, "\nraw_log ");
    ck_status(0, "status", "--sizes");
    ck_has(ctl_out, "\nraw_log ");
}
END_TEST

START_TEST(of_nothing)
{
    ck_status(1, "status");
    ck_has(ctl_err, "analytics.db: No such file");
    ck_status(0, "init");
    ck_status(0, "status");
    ck_has(ctl_out, "Logs         0\n");
    ck_has(ctl_out, "Closed       nothing yet\n");
    ck_has(ctl_out, "Last batch   none yet\n");
    json_object *status = status_json();
    ck_assert(member_of(status, "first_log") == NULL && member_of(status, "last_batch") == NULL);
    json_object_put(status);
}
END_TEST

/* status and a writer do not disturb each other, and status names the writer. */
START_TEST(beside_a_writer)
{
    static const struct ledger ledger = {.logs = 8, .pause = 3600};
    static const char bytes[16];
    int pipe_end, ended;
    ck_status(0, "init");
    pid_t writer = ledger_start_writer(&ledger, folder, &pipe_end);
    for (int64_t i = 1, before = 0; i <= 10; i++) {
        ck_assert_int_eq(write(pipe_end, bytes, sizeof bytes), sizeof bytes);
        json_object *status = status_json();
        ck_assert_int_ge(number(status, "logs"), before);
        before = number(status, "logs");
        if (json_object_get_boolean(member_of(status, "written")))
            ck_assert_int_eq(number(status, "writer_pid"), writer);
        json_object_put(status);
    }
    json_object *status = status_json();
    ck_assert(json_object_get_boolean(member_of(status, "written")));
    json_object_put(status);
    close(pipe_end);
    ck_assert_int_eq(waitpid(writer, &ended, 0), writer);
    ck_assert_int_eq(ended, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_status");
    TCase *tcase = suite_case(suite, "ctl_status");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_test(tcase, every_figure);
    tcase_add_test(tcase, in_words);
    tcase_add_test(tcase, of_nothing);
    tcase_add_test(tcase, beside_a_writer);
    return suite_run(suite);
}
