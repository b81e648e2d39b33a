/* test_import.c: analyticsctl import through the running service: each log is stored once, whatever happens meanwhile
 * to the service, to the import and to the file, and whether the next import uses the service or not. The count of each
 * log is its number, so a sum over all and the number of different counts show whether each is there once.
 *
 * Planted to see it fail, and found: marks that the service takes for ordinary keys; marks that are accepted although
 * they are written in another way than ours; no second try while nobody listens, and none after 429; logs reported as
 * stored that were there already. */
#include "support/engine.h"
#include "support/stack.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEEDS_THE_SERVICE "the engine clickhouse takes an import through the service alone"
#define COUNT 62345 /* 12 whole chunks and a part */

/* Writes logs `from` … `to` - 1 of a longer file. */
static void write_logs(const char *name, int from, int to)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", shared.dir, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = from; i < to; i++)
        fprintf(
            file,
            "{\"ts\":\"2026-03-%02d 10:%02d:00\",\"user_id\":%d,\"order_id\":%d,\"domain\":\"site%d.example\","
            "\"error\":\"a \\\"quoted\\\"\\n line\",\"worker\":\"<w&w>\",\"ip_out\":\"2001:db8::7\",\"count\":%d}\n",
            i / 2500 + 1, i / 100 % 60, i % 5 + 1, i % 7 + 1, i % 300, i);
    ck_assert_int_eq(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", shared.dir, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Starts an import. */
static FILE *begin(const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof command, "cd '%s' && exec '%s/analyticsctl' --data data import %s 2>&1", shared.dir,
             getenv("ANALYTICS_BUILDDIR"), arguments);
    FILE *import = popen(command, "r");
    ck_assert_ptr_nonnull(import);
    return import;
}

static void end(FILE *import, int status, const char *says)
{
    char text[4096];
    size_t len = fread(text, 1, sizeof text - 1, import);
    text[len] = '\0';
    int ended = pclose(import);
    ck_assert_msg(WIFEXITED(ended) && WEXITSTATUS(ended) == status, "status %x in place of %d: %s", (unsigned)ended,
                  status, text);
    ck_assert_msg(strstr(text, says) != NULL, "no '%s' in: %s", says, text);
    ck_assert_msg(!strstr(text, "fnp_"), "a key in: %s", text);
}

/* Starts an import through the service, with the worker's key. */
static FILE *begin_online(const char *arguments)
{
    char all[512];
    snprintf(all, sizeof all, "--url http://127.0.0.1:%d --key-file data/keys/worker.key %s", shared.port, arguments);
    return begin(all);
}

static void online(const char *arguments, int status, const char *says)
{
    end(begin_online(arguments), status, says);
}

/* The logs 0 … count - 1 are there, each once. */
static void expect_once(int64_t count)
{
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM raw_log"), count);
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(DISTINCT count) FROM raw_log"), count);
    ck_assert_int_eq(stack_i64(&shared, "SELECT sum(count) FROM raw_log"), count * (count - 1) / 2);
    ck_assert_int_eq(stack_i64(&shared, "SELECT count FROM total"), count * (count - 1) / 2);
    ck_assert_int_eq(stack_i64(&shared, "SELECT sum(logs) FROM batch"), count);
}

static void start(void)
{
    static const char *const keep_going[] = {KEEP_GOING, NULL};
    stack_start(&shared, keep_going);
    write_logs("all.ndjson", 0, COUNT);
}

static void stop(void)
{
    stack_stop(&shared);
}

START_TEST(a_file_counts_once)
{
    online("all.ndjson", 0, "62345 logs stored, 0 were there already");
    expect_once(COUNT);
    ck_assert_int_eq(stack_i64(&shared,
                               "SELECT count(*) FROM log WHERE error = 'a \"quoted\"' || char(10) || ' line' AND"
                               " worker = '<w&w>' AND ip_out = '20010DB8000000000000000000000007'"),
                     COUNT);
    online("all.ndjson", 0, "0 logs stored, 62345 were there already");
    online("--format ndjson --json - <all.ndjson", 0, "{\"ok\":true,\"stored\":0,\"already\":62345,\"skipped\":0");
    expect_once(COUNT);
}
END_TEST

/* The pieces go through the service (_i is 0), without it (1), or by turns (2), which alone is
 * not left to the long run. */
START_TEST(a_file_that_grows_by_either_way)
{
    static const int lengths[] = {3, 4999, 5000, 7000, 12345, 9999, 12345, 62345, 12345};
    char says[64];
    if (!is_long_run() && _i != 2)
        return;
    for (int i = 0; i < ROWS(lengths); i++) {
        write_logs("part.ndjson", 0, lengths[i]);
        bool offline = _i == 2 ? i % 2 : _i;
        if (offline)
            ONLY_SQLITE(NEEDS_THE_SERVICE);
        if (offline) {
            stack_end(&shared, SIGTERM);
            end(begin("part.ndjson"), 0, "logs stored");
            stack_launch(&shared, (const char *const[]){KEEP_GOING, NULL});
        } else {
            online("part.ndjson", 0, "logs stored");
        }
    }
    expect_once(COUNT); /* also after 9999: the file had lost logs at its end */
    snprintf(says, sizeof says, "0 logs stored, %d were there already", COUNT);
    online("all.ndjson", 0, says);
}
END_TEST

/* Pieces that overlap, through the service and without it; an overlap that is unclear; and a named source. */
START_TEST(pieces_of_one_source)
{
    static const char
        ends[] = "{\"ts\":\"2026-04-01 00:00:01\",\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":1}\n"
                 "{\"ts\":\"2026-04-01 00:00:02\",\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":1}\n",
        begins[] = "{\"ts\":\"2026-04-01 00:00:02\",\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":1}\n"
                   "{\"ts\":\"2026-04-01 00:00:02\",\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":1}\n"
                   "{\"ts\":\"2026-04-01 00:00:03\",\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":1}\n";
    write_logs("early.ndjson", 0, 7000);
    write_logs("late.ndjson", 6950, 12000);
    online("early.ndjson", 0, "7000 logs stored, 0 were there already");
    online("late.ndjson", 0, "5000 logs stored, 50 were there already");
    expect_once(12000);
    write_text("ends.ndjson", ends);
    write_text("begins.ndjson", begins);
    online("ends.ndjson", 0, "2 logs stored");
    online("begins.ndjson", 1,
           "begins.ndjson: of 2026-04-01 00:00:02 to 2026-04-01 00:00:02 this source has brought logs before");
    online("--overlap skip begins.ndjson", 0, "2 logs stored, 1 were there already");
    online("--source 'a node: \xc3\xa9' begins.ndjson", 0, "3 logs stored, 0 were there already");
    ONLY_SQLITE(NEEDS_THE_SERVICE);
    stack_end(&shared, SIGTERM);
    end(begin("begins.ndjson all.ndjson"), 0, "0 logs stored, 3 were there already");
    end(begin("--source 'a node: \xc3\xa9' begins.ndjson"), 0, "0 logs stored, 3 were there already");
    stack_launch(&shared, (const char *const[]){KEEP_GOING, NULL});
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM raw_log"), COUNT + 2 + 2 + 3);
}
END_TEST

START_TEST(two_at_once)
{
    FILE *first = begin_online("all.ndjson"), *second = begin_online("all.ndjson");
    end(first, 0, "logs stored");
    end(second, 0, "logs stored");
    expect_once(COUNT);
}
END_TEST

static void kill_ingest(void)
{
    pid_t pids[STACK_MAX_PROCESSES];
    stack_processes(&shared, "analytics-ingest", pids);
    for (pid_t *pid = pids; *pid; pid++)
        kill(*pid, SIGKILL);
}

/* Has it ended? Then nobody has its output any more. */
static bool has_ended(FILE *import)
{
    struct pollfd output = {.fd = fileno(import)};
    ck_assert_int_ge(poll(&output, 1, 0), 0);
    return output.revents & POLLHUP;
}

/* The logs that were taken so far, wherever they go from there. */
static int64_t taken(void)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s/data/analytics.db", shared.dir);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, HANG_MS);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT sum(logs) FROM batch", -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t logs = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return logs;
}

#define KILLS 5

/* Each kill comes when a part more of the file is stored. */
START_TEST(the_program_is_killed_meanwhile)
{
    FILE *import = begin_online("all.ndjson");
    int hits = 0;
    for (int i = 0; i < KILLS && !has_ended(import); i++) {
        while (taken() <= i * 10000 && !has_ended(import))
            stack_nap(5);
        kill_ingest();
        hits += !has_ended(import);
    }
    ck_assert_int_ge(hits, 1);
    end(import, 0, "62345 logs stored");
    expect_once(COUNT);
}
END_TEST

START_TEST(the_service_is_not_there_yet)
{
    stack_end(&shared, SIGTERM);
    FILE *import = begin_online("all.ndjson");
    stack_nap(400);
    stack_spawn(&shared, NULL);
    end(import, 0, "62345 logs stored, 0 were there already");
    expect_once(COUNT);
}
END_TEST

START_TEST(the_service_does_not_come)
{
    stack_end(&shared, SIGTERM);
    online("--retry-seconds 1 all.ndjson", 1, "all.ndjson: lines 1 to 2500: http://127.0.0.1:");
    FILE *import = begin_online("all.ndjson");
    stack_nap(300);
    pid_t pids[STACK_MAX_PROCESSES];
    stack_processes(&shared, "analyticsctl", pids);
    for (pid_t *pid = pids; *pid; pid++)
        kill(*pid, SIGINT);
    end(import, 130, "stopped; what is said to be stored is");
    stack_launch(&shared, NULL);
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM raw_log"), 0);
}
END_TEST

/* Sends batches until nginx refuses one: it accepts a burst of a thousand. */
static void use_up_the_rate(void)
{
    long status = 204;
    for (int i = 0; i < 3000 && status == 204; i++) {
        struct reply reply = stack_post(&shared, "{\"logs\":[]}", 11, NULL);
        status = reply.status;
        reply_release(&reply);
    }
    ck_assert_int_eq(status, 429);
}

/* The import is faster than the rate: it must wait and go on after each 429. */
START_TEST(the_rate_is_limited)
{
    static const char *const slow[] = {"--rate-ingest", "5", NULL};
    stack_restart(&shared, slow);
    use_up_the_rate();
    online("all.ndjson", 0, "62345 logs stored");
    expect_once(COUNT);
}
END_TEST

/* The status of a shell whose last command was killed. */
static bool was_killed(int status)
{
    return WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);
}

/* Each run has more time than the one before, until one comes to its end. */
START_TEST(an_import_is_killed_and_goes_on)
{
    char command[512];
    int kills = 0, status = -1;
    for (double seconds = 0.02; status != 0; seconds *= 1.5) {
        snprintf(
            command, sizeof command,
            "cd '%s' && timeout --foreground -s KILL %.3f '%s/analyticsctl' import --url http://127.0.0.1:%d --key-file"
            " data/keys/worker.key all.ndjson >/dev/null 2>&1",
            shared.dir, seconds, getenv("ANALYTICS_BUILDDIR"), shared.port);
        status = system(command);
        ck_assert_msg(status == 0 || was_killed(status), "status %x", (unsigned)status);
        kills += status != 0;
    }
    ck_assert_int_ge(kills, 1);
    online("all.ndjson", 0, " 0 logs stored, 62345 were there already");
    expect_once(COUNT);
}
END_TEST

/* The running service holds the lock. */
START_TEST(offline_needs_the_lock)
{
    ONLY_SQLITE(NEEDS_THE_SERVICE);
    end(begin("all.ndjson"), 1, "analytics-ingest) that writes this database; it must end first; or import through it");
}
END_TEST

START_TEST(who_may_not)
{
    char key[80], text[100];
    write_text("no.key", "fnp_0000000000000000000000000000000000000000000000000000000000000000\n");
    write_text("bad.key", "not a key\n");
    stack_key(&shared, "--role user --user-id 1", key);
    snprintf(text, sizeof text, "%s\n", key);
    write_text("user.key", text);
    char all[256];
    static const struct {
        const char *file, *says;
    } rows[] = {{"no.key", "answered 401: auth.unauthorized"},
                {"user.key", "answered 403: auth.forbidden"},
                {"bad.key", "bad.key: its first line is no API key"},
                {"/dev/null", "/dev/null: its first line is no API key"},
                {"missing.key", "can't open missing.key"}};
    for (int i = 0; i < ROWS(rows); i++) {
        snprintf(all, sizeof all, "--url http://127.0.0.1:%d/ --key-file %s all.ndjson", shared.port, rows[i].file);
        end(begin(all), 1, rows[i].says);
    }
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM raw_log"), 0);
}
END_TEST

/* A text that only looks like a mark is an ordinary key. */
START_TEST(keys_that_are_no_marks)
{
    static const char *const keys[] = {
        "Idempotency-Key: "
        "analyticsctl-import-1:0000000000000000:000000000000000000000000000000000000000000000000000000000000000",
        "Idempotency-Key: "
        "analyticsctl-import-1:0000000000000000:000000000000000000000000000000000000000000000000000000000000000G",
        "Idempotency-Key: "
        "analyticsctl-import-1:0000000000000000:000000000000000000000000000000000000000000000000000000000000000A",
        "Idempotency-Key: "
        "analyticsctl-import-1:9999999999999999:0000000000000000000000000000000000000000000000000000000000000000",
        "Idempotency-Key: "
        "analyticsctl-import-2:0000000000000000:0000000000000000000000000000000000000000000000000000000000000000",
        "Idempotency-Key: analyticsctl-import-1:0000000000000000 "
        "0000000000000000000000000000000000000000000000000000000000000000"};
    static const char one[] =
        "{\"logs\":[{\"ts\":\"2026-03-15\",\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":1}]}";
    for (int i = 0; i < ROWS(keys) - 1; i++) {
        const char *headers[] = {keys[i], NULL};
        struct reply reply = stack_post(&shared, one, sizeof one - 1, headers);
        ck_assert_int_eq(reply.status, 204);
        reply_release(&reply);
        reply = stack_post(&shared, "{\"logs\":[]}", 11, headers);
        check_error(&reply, 422, "analytics.idempotency_key_reused", "/analytics/ingest", NULL);
        reply_release(&reply);
    }
    const char *headers[] = {keys[ROWS(keys) - 1], NULL}; /* a blank is in no key */
    struct reply reply = stack_post(&shared, one, sizeof one - 1, headers);
    check_error(&reply, 400, "analytics.idempotency_key_invalid", "/analytics/ingest", NULL);
    reply_release(&reply);
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM raw_log"), ROWS(keys) - 1);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test, int times)
{
    TCase *tcase = suite_case(suite, name);
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_loop_test(tcase, test, 0, times);
}

int main(void)
{
    Suite *suite = suite_create("import");
    add_case(suite, "once", a_file_counts_once, 1);
    add_case(suite, "growing", a_file_that_grows_by_either_way, 3);
    add_case(suite, "pieces", pieces_of_one_source, 1);
    add_case(suite, "two at once", two_at_once, 1);
    add_case(suite, "killed service", the_program_is_killed_meanwhile, 1);
    add_case(suite, "late service", the_service_is_not_there_yet, 1);
    add_case(suite, "no service", the_service_does_not_come, 1);
    add_case(suite, "rate", the_rate_is_limited, 1);
    add_case(suite, "killed import", an_import_is_killed_and_goes_on, 1);
    add_case(suite, "lock", offline_needs_the_lock, 1);
    add_case(suite, "rights", who_may_not, 1);
    add_case(suite, "keys", keys_that_are_no_marks, 1);
    return suite_run(suite);
}
