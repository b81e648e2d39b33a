/* test_ctl_verify.c: analyticsctl verify and rebuild as an operator runs them: exit statuses, messages, JSON, progress
 * on a terminal, Ctrl-C and kill -9 at any moment, while a writer runs. Expected messages are made in plain SQL from
 * the raw logs; tests/support/recount.c shows whether the rollups are right.
 *
 * Seen to fail:
 *   verify without a read transaction -> "status 1: traffic_hour, hour from …: should not be there"
 *   rebuild without the lock -> "rebuild_refuses_beside_a_writer: status 0"
 *   progress without a terminal -> "err == \"reading the file: …\""
 *   status 1 for Ctrl-C -> "Assertion 'status == 130' failed: status == 1"
 */
#include "support/ctl_run.h"
#include "support/ledger.h"
#include "support/recount.h"
#include "support/tape.h"
#include "time/mono.h"
#include "support/fixture.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534

/* ---- a database ---- */

static void plain_exec(const char *sql)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    int before = sqlite3_total_changes(db);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    ck_assert_int_gt(sqlite3_total_changes(db), before);
    sqlite3_close(db);
}

/* One value as text, to be freed by the next call. */
static const char *plain_text(const char *sql)
{
    static char text[1024];
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    sqlite3_stmt *statement = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return text;
}

static int64_t recount(void)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    int64_t differences = recount_differences(db);
    sqlite3_close(db);
    return differences;
}

/* In 2024, so that all periods are over: analyticsctl uses the clock. */
#define BEGIN INT64_C(1704067200)

static void write_batches(int logs, int pause, int batches)
{
    struct ledger ledger = {.logs = logs, .pause = pause, .begin = BEGIN};
    struct store_writer *writer = NULL;
    struct fault fault;
    bool more = true;
    ck_assert_int_eq(store_writer_open(store_in(folder), &writer, &fault), OK);
    for (int i = 0; i < batches; i++)
        ck_assert_int_eq(ledger_write(writer, &ledger, i).result, OK);
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    store_writer_close(writer);
}

static struct image some; /* what most cases begin with */
static struct image much; /* so much that a signal comes in the middle of the work */

static void make_some(void)
{
    image_write(&some, folder);
}

static void make_much(void)
{
    image_write(&much, folder);
}

/* ---- statuses and words ---- */

START_TEST(all_is_well)
{
    char expected[128];
    make_some();
    snprintf(expected, sizeof expected, "All is well: the rollups hold what the %s logs say.\n",
             plain_text("SELECT count(*) FROM raw_log"));
    ck_status(0, "verify");
    ck_assert_str_eq(ctl_out, expected);
    ck_assert_str_eq(ctl_err, "");
    ck_status(0, "verify", "--skip-file-check");
    ck_assert_str_eq(ctl_out, expected);
}
END_TEST

/* A row of an order in the middle of the table. The expected figures come from the raw logs. */
#define DAY "(SELECT bucket FROM traffic_day WHERE order_id > 0 ORDER BY 1 LIMIT 1 OFFSET 6)"
#define OF_DAY(what)                                                                                                   \
    "(SELECT " what " FROM traffic_day WHERE order_id > 0 AND bucket = " DAY " ORDER BY user_id, order_id LIMIT 1)"

START_TEST(a_changed_row_in_words)
{
    make_some();
    char expected[1024];
    snprintf(expected, sizeof expected, "%s",
             plain_text(
                 "SELECT format('traffic_day, day from %s UTC, user %d, order %d: bytes_sent is %d, should be %d',"
                 " datetime(day * 86400, 'unixepoch'), u, o, n + 5, n) FROM (SELECT " DAY " AS day,"
                 " " OF_DAY("user_id") " AS u, " OF_DAY(
                     "order_id") " AS o, (SELECT sum(bytes_sent) FROM raw_log"
                                 " WHERE quarter / 96 = " DAY
                                 " AND user_id = " OF_DAY("user_id") " AND order_id = " OF_DAY("order_id") ") AS n)"));
    plain_exec("UPDATE traffic_day SET bytes_sent = bytes_sent + 5 WHERE (bucket, user_id, order_id) = "
               "(SELECT " DAY ", " OF_DAY("user_id") ", " OF_DAY("order_id") ")");
    ck_status(1, "verify");
    ck_has(ctl_out, expected);
    ck_has(ctl_out, "\n1 difference.\n");
    ck_has(ctl_out, "run analyticsctl rebuild");
    ck_assert_str_eq(ctl_err, "");
}
END_TEST

/* A chunk is gone that held one domain of one user, who had one order there. */
#define LONE                                                                                                           \
    "(SELECT user_id AS u, domain AS d, quarter / 96 AS day FROM raw_log WHERE day < (SELECT closed_day FROM closing)" \
    " GROUP BY day, user_id HAVING count(*) = 1 AND max(error) = 0 ORDER BY day LIMIT 1)"

START_TEST(a_missing_entry_in_words)
{
    write_batches(3, 8 * 3600, 40);
    char expected[1024];
    snprintf(
        expected, sizeof expected, "%s",
        plain_text(
            "SELECT format('rollup_chunk, day from %s UTC, user %d, order %d, domain %s: is missing; should be"
            " there with count %d, bytes_sent %d, bytes_received %d, errors %d, max_concurrency %d, duration_ms %d, "
            "first"
            " %s,"
            " last %s', datetime(day * 86400, 'unixepoch'), u, order_id, text, count, bytes_sent,"
            " bytes_received, error_count, max_concurrency, duration_ms, datetime(quarter * 900 + second, 'unixepoch'),"
            " datetime(quarter * 900 + second, 'unixepoch')) FROM " LONE " JOIN raw_log ON user_id = u AND"
            " domain = d AND quarter / 96 = day JOIN name ON name.id = domain"));
    plain_exec("DELETE FROM rollup_chunk WHERE (tier, bucket, user_id) = (SELECT 2, day, u FROM " LONE ")");
    ck_status(1, "verify");
    ck_has(ctl_out, expected);
    ck_has(ctl_out, "\n1 difference.\n");
}
END_TEST

START_TEST(many_differences_in_words)
{
    char expected[128];
    make_some();
    snprintf(expected, sizeof expected, "\n%s differences, of which the first 10 are told.\n",
             plain_text("SELECT count(*) FROM traffic_day"));
    plain_exec("UPDATE traffic_day SET errors = errors + 1");
    ck_status(1, "verify");
    ck_has(ctl_out, expected);
    int lines = 0;
    for (const char *at = ctl_out; (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_int_eq(lines, 12);
}
END_TEST

START_TEST(lost_logs_in_words)
{
    make_some();
    plain_exec("DELETE FROM main.raw_log WHERE line = 0 AND batch_id = (SELECT max(id) FROM batch)");
    ck_status(1, "verify");
    ck_has(ctl_out, "raw_log: of batch ");
    ck_has(ctl_out, "restore a backup");
    ck_assert_ptr_null(strstr(ctl_out, "run analyticsctl rebuild"));
}
END_TEST

/* In a file that another program made, a domain may have control characters for a terminal. */
START_TEST(names_do_not_act_on_the_terminal)
{
    make_some();
    plain_exec("UPDATE name SET text = char(27) || '[2J' || text");
    plain_exec("DELETE FROM rollup_chunk WHERE tier = 2 AND user_id = 0");
    ck_status(1, "verify");
    ck_has(ctl_out, "domain ?[2Jd");
    ck_assert_ptr_null(strchr(ctl_out, '\033'));
}
END_TEST

static json_object *parse(void)
{
    json_object *object = json_tokener_parse(ctl_out);
    ck_assert_msg(object != NULL, "not JSON: %s", ctl_out);
    ck_assert_ptr_eq(strchr(ctl_out, '\n'), ctl_out + strlen(ctl_out) - 1); /* one line */
    return object;
}

static json_object *member_of(json_object *object, const char *name)
{
    json_object *value = NULL;
    ck_assert_msg(json_object_object_get_ex(object, name, &value), "no member %s in %s", name, ctl_out);
    return value;
}

START_TEST(verify_in_json)
{
    make_some();
    ck_status(0, "verify", "--json");
    json_object *result = parse();
    ck_assert(json_object_get_boolean(member_of(result, "ok")));
    ck_assert_int_eq(json_object_get_int64(member_of(result, "differences")), 0);
    ck_assert_str_eq(json_object_get_string(member_of(result, "logs")), plain_text("SELECT count(*) FROM raw_log"));
    ck_assert_uint_eq(json_object_array_length(member_of(result, "first_differences")), 0);
    json_object_put(result);
    plain_exec("UPDATE traffic_quarter SET count = count + 1 WHERE user_id = 2");
    ck_status(1, "verify", "--json");
    result = parse();
    ck_assert(!json_object_get_boolean(member_of(result, "ok")));
    ck_assert(!json_object_get_boolean(member_of(result, "facts_differ")));
    ck_assert_str_eq(json_object_get_string(member_of(result, "differences")),
                     plain_text("SELECT count(*) FROM traffic_quarter WHERE user_id = 2"));
    ck_assert_uint_eq(json_object_array_length(member_of(result, "first_differences")), 10);
    json_object *first = json_object_array_get_idx(member_of(result, "first_differences"), 0);
    ck_assert_str_eq(json_object_get_string(member_of(first, "table")), "traffic_quarter");
    ck_assert_str_eq(json_object_get_string(member_of(first, "period")), "quarter of an hour");
    ck_assert_str_eq(json_object_get_string(member_of(first, "bucket")),
                     plain_text("SELECT datetime(min(quarter) * 900, 'unixepoch') FROM raw_log WHERE user_id = 2"));
    ck_assert_int_eq(json_object_get_int64(member_of(first, "user_id")), 2);
    int64_t there = json_object_get_int64(member_of(member_of(first, "there"), "count"));
    ck_assert_int_eq(json_object_get_int64(member_of(member_of(first, "due"), "count")), there - 1);
    ck_has(json_object_get_string(member_of(first, "message")), "traffic_quarter, quarter of an hour from ");
    json_object_put(result);
}
END_TEST

START_TEST(rebuild_mends)
{
    char expected[128];
    make_some();
    snprintf(expected, sizeof expected, "Made again from %s\n",
             plain_text("SELECT format('%d logs; closed until %s UTC.', (SELECT count(*) FROM raw_log),"
                        " datetime(closed_hour * 3600, 'unixepoch')) FROM closing"));
    plain_exec("UPDATE traffic_hour SET count = count + 1");
    plain_exec("DELETE FROM rollup_chunk WHERE tier = 2");
    ck_assert_int_gt(recount(), 0);
    ck_status(0, "rebuild");
    ck_assert_str_eq(ctl_out, expected);
    ck_assert_str_eq(ctl_err, "");
    ck_assert_int_eq(recount(), 0);
    ck_status(0, "verify");
    ck_status(0, "rebuild", "--json");
    json_object *result = parse();
    ck_assert(json_object_get_boolean(member_of(result, "ok")));
    ck_assert_str_eq(json_object_get_string(member_of(result, "logs")), plain_text("SELECT count(*) FROM raw_log"));
    ck_assert_str_eq(json_object_get_string(member_of(result, "closed_until")),
                     plain_text("SELECT datetime(closed_hour * 3600, 'unixepoch') FROM closing"));
    json_object_put(result);
}
END_TEST

/* ---- what can't be done ---- */

static void ck_one_line(const char *part)
{
    ck_assert_str_eq(ctl_out, "");
    ck_assert_ptr_eq(strchr(ctl_err, '\n'), ctl_err + strlen(ctl_err) - 1);
    ck_assert_ptr_eq(strstr(ctl_err, "analyticsctl: "), ctl_err);
    ck_has(ctl_err, part);
}

START_TEST(no_database)
{
    char path[128];
    ck_status(2, "verify");
    ck_one_line("analytics.db: No such file");
    ck_status(1, "rebuild");
    ck_one_line("analytics.db: No such file");
    snprintf(path, sizeof path, "%s/lock", folder);
    ck_assert_int_ne(access(path, F_OK), 0); /* nothing was made */
    ck_status(2, "verify", "--json");
    ck_one_line("analytics.db: No such file");
    ck_status(2, "verify", "all");
    ck_one_line("verify does not take 'all'");
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(
        fputs("nothing that SQLite knows, and more than a header of it, which has a hundred bytes and no more", file),
        0);
    fclose(file);
    ck_status(2, "verify");
    ck_one_line("file is not a database");
    ck_status(1, "rebuild");
    ck_one_line("file is not a database");
}
END_TEST

START_TEST(rebuild_refuses_beside_a_writer)
{
    char expected[64];
    struct store_writer *writer = NULL;
    struct fault fault;
    make_some();
    plain_exec("UPDATE traffic_hour SET count = count + 1");
    ck_assert_int_eq(store_writer_open(store_in(folder), &writer, &fault), OK);
    snprintf(expected, sizeof expected, "/lock: held by another process (pid %ld, ", (long)getpid());
    ck_status(1, "rebuild");
    ck_one_line(expected);
    ck_has(ctl_err, "test_ctl_verify)");
    ck_has(ctl_err, "it must end first");
    ck_assert_int_gt(recount(), 0); /* nothing was done */
    ck_status(1, "verify");         /* it needs no lock */
    store_writer_close(writer);
    ck_status(0, "rebuild");
}
END_TEST

START_TEST(root_leaves_no_files_of_its_own)
{
    static const char *const files[] = {"analytics.db", "analytics.db-wal", "analytics.db-shm", "lock"};
    char path[128];
    struct stat st;
    if (geteuid() != 0) {
        puts("skipped: verify and rebuild by root needs root");
        return;
    }
    write_batches(8, 3600, 60);
    ck_assert_int_eq(chown(folder, NOBODY, NOBODY), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        ck_assert_int_eq(i < 1 ? chown(path, NOBODY, NOBODY) : unlink(path), 0);
    }
    ck_assert_int_eq(chmod(folder, 0700), 0);
    ck_status(0, "verify");
    ck_status(0, "rebuild");
    ck_status(0, "verify");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        if (stat(path, &st) == 0)
            ck_assert_msg(st.st_uid == NOBODY, "%s is of user %u", path, st.st_uid);
    }
}
END_TEST

/* ---- a terminal, and signals ---- */

/* Waits for the first output on the terminal, which shows that the work has begun. */
static void wait_for_progress(const struct ctl_run *run, char *text, size_t size)
{
    ssize_t n = read(run->terminal, text, size - 1);
    ck_assert_msg(n > 0, "no progress: %s", strerror(errno));
    text[n] = '\0';
}

static void read_terminal(const struct ctl_run *run, char *text, size_t size)
{
    size_t len = strlen(text);
    ssize_t n;
    while (len < size - 1 && (n = read(run->terminal, text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
}

static const char *const commands[] = {"verify", "rebuild"};

START_TEST(progress_on_a_terminal)
{
    static const char *const steps[] = {"\radding up the logs: ", "\rclosing hours and days: "};
    char text[CTL_RUN_BYTES];
    make_much();
    struct ctl_run run = ctl_run_start(folder, true, (const char *const[]){commands[_i], NULL});
    wait_for_progress(&run, text, sizeof text);
    read_terminal(&run, text, sizeof text);
    ck_assert_int_eq(ctl_run_finish(&run), 0);
    ck_has(text, steps[_i]);
    ck_has(text, " %");
    ck_assert_ptr_null(strchr(text, '\n'));                         /* one line that is written again and again … */
    ck_assert_ptr_eq(strrchr(text, '\r'), text + strlen(text) - 1); /* … and is blank at the end */
}
END_TEST

START_TEST(ctrl_c_ends_it)
{
    static const int signals[] = {SIGINT, SIGTERM};
    char text[CTL_RUN_BYTES];
    make_much();
    for (size_t i = 0; i < 2; i++) {
        struct ctl_run run = ctl_run_start(folder, true, (const char *const[]){commands[_i], NULL});
        wait_for_progress(&run, text, sizeof text);
        kill(run.pid, signals[i]);
        read_terminal(&run, text, sizeof text);
        ck_assert_int_eq(ctl_run_finish(&run), 128 + signals[i]);
        ck_assert_str_eq(ctl_out, "");
        if (_i == 1)
            ck_has(text, "analyticsctl: stopped; reports stay right.");
        ck_assert_int_eq(recount(), 0);
        ck_status(0, "verify");
    }
    ck_status(0, "rebuild");
    ck_status(0, "verify");
}
END_TEST

static int64_t time_a_rebuild(void)
{
    int64_t start_us = mono_us();
    ck_status(0, "rebuild");
    return mono_us() - start_us;
}

static int kills(void)
{
    return rounds(20, 5, 100);
}

/* A rebuild is killed after one part of the time that it takes, after two parts, three …: the rollups are right each
 * time. */
START_TEST(killed_at_any_moment)
{
    int unfinished = 0;
    write_batches(40, 3600, 60);
    int64_t took_us = time_a_rebuild();
    for (int i = 1; i <= kills(); i++) {
        struct ctl_run run = ctl_run_start(folder, false, (const char *const[]){"rebuild", NULL});
        usleep((useconds_t)(took_us * i / kills()));
        kill(run.pid, SIGKILL);
        unfinished += ctl_run_finish(&run) != 0;
        ck_assert_msg(recount() == 0, "killed after %d of %d parts", i, kills());
        ck_status(0, "verify");
    }
    ck_assert_int_gt(unfinished, 0);
    ck_status(0, "rebuild");
    ck_assert_int_eq(recount(), 0);
    ck_status(0, "verify");
}
END_TEST

START_TEST(beside_a_writer_nothing_seems_wrong)
{
    static const struct ledger ledger = {.logs = 20, .pause = 1800};
    static const char sixteen_bytes[16];
    int pipe_end, status;
    pid_t writer = ledger_start_writer(&ledger, folder, &pipe_end);
    for (int i = 0; i < rounds(30, 8, 30); i++) {
        ck_assert_int_eq(write(pipe_end, sixteen_bytes, 16), 16);
        ck_status(0, "verify");
        ck_status(1, "rebuild");
    }
    close(pipe_end);
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(recount(), 0);
    ck_status(0, "verify");
}
END_TEST

/* ---- main ---- */

static void make_grounds(void)
{
    folder_make();
    write_batches(8, 3600, 60);
    image_read(&some, folder);
    folder_remove();
    folder_make();
    write_batches(150, 3600, rounds(100, 30, 100));
    image_read(&much, folder);
    folder_remove();
}

static void release_grounds(void)
{
    image_release(&some);
    image_release(&much);
}

int main(void)
{
    Suite *suite = suite_create("ctl_verify");
    TCase *tcase = suite_case(suite, "ctl_verify");
    tcase_add_unchecked_fixture(tcase, make_grounds, release_grounds);
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_test(tcase, all_is_well);
    tcase_add_test(tcase, a_changed_row_in_words);
    tcase_add_test(tcase, a_missing_entry_in_words);
    tcase_add_test(tcase, many_differences_in_words);
    tcase_add_test(tcase, lost_logs_in_words);
    tcase_add_test(tcase, names_do_not_act_on_the_terminal);
    tcase_add_test(tcase, verify_in_json);
    tcase_add_test(tcase, rebuild_mends);
    tcase_add_test(tcase, no_database);
    tcase_add_test(tcase, rebuild_refuses_beside_a_writer);
    tcase_add_test(tcase, root_leaves_no_files_of_its_own);
    tcase_add_loop_test(tcase, progress_on_a_terminal, 0, 2);
    tcase_add_loop_test(tcase, ctrl_c_ends_it, 0, 2);
    tcase_add_test(tcase, killed_at_any_moment);
    tcase_add_test(tcase, beside_a_writer_nothing_seems_wrong);
    return suite_run(suite);
}
