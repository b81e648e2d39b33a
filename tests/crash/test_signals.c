/* test_signals.c: both programs get a signal at each phase of a request: before its first byte, within each of its
 * records, while its batch waits for the writer or is written, while its answer is on the way. The request ends
 * properly or, if no process has accepted it yet, waits in the socket for the next one. No acknowledged batch is lost,
 * and no batch is stored in part.
 *
 * The programs are the real ones. The test is their process manager, which has the listening socket and starts the next
 * process when one has ended, and their web server, which speaks FastCGI byte by byte.
 *
 * Seen to fail on four bugs. Planted in app/http/fcgi.c:
 *
 *   A stop ends the process at once: "end_posts(calls, 90, 1) == 27, 90 == 90", and "stored == 93, times * 8 == 240"
 *
 *   A connection that is accepted while the process stops is closed: "stored == 130, times * 8 == 240"
 *
 * And two that the programs had. SIGUSR1, which multiwatch sends by default, was left to libfcgi, which does not stop:
 * "0 of 90 answers are missing", as the process went on for ever. A body whose reading was interrupted by SIGSTOP and
 * SIGCONT was answered as if its sender had cut it: "batch 1: answer 400". */
#include "fastcgi.h"
#include "support/runner.h"
#include "swarm.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 90       /* more than analytics-ingest has threads: the others wait in the socket */
#define THREADS "64"         /* of analytics-ingest */
#define IN_SOCKET 26         /* that no thread has accepted */
#define WRITER_WAITS_MS 1000 /* for a locked database */
#define QUEUE_WAITS_MS 10000 /* a batch for the writer */
#define REACT_MS 200 /* for the process to reach the phase to be hit; if it is too short, an earlier phase is hit */

static struct stack stack;
static struct ledger ledger;
static const char *program;
static int listening = -1;
static pid_t server;
static bool may_be_early; /* a signal may come before the process handles it: it dies, but has accepted nothing */

/* ---- the process manager ---- */

static void bind_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", stack.dir);
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listening, 1024), 0);
}

/* posix_spawn, because libcheck's signal handlers must not run in the child, not even before its exec. */
static void launch(void)
{
    char path[4096], data[128];
    char threads[] = "--threads=" THREADS;
    char *argv[] = {path, "--data", data, strcmp(program, "analytics-ingest") ? NULL : threads, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t all;
    snprintf(path, sizeof path, "%s/%s", getenv("ANALYTICS_BUILDDIR"), program);
    snprintf(data, sizeof data, "%s/data", stack.dir);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, listening, 0);
    posix_spawn_file_actions_addopen(&actions, 2, stack.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    ck_assert_int_eq(posix_spawn(&server, path, &actions, &attr, argv, environ), 0);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
}

static void expect_good_end(int status)
{
    char *log = stack_log(&stack);
    bool too_early = may_be_early && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    ck_assert_msg(too_early || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "%s ended with %d: %s", program, status,
                  log);
    free(log);
}

/* Has the process ended? It must have done so properly. */
static bool has_ended(void)
{
    int status = 0;
    if (waitpid(server, &status, WNOHANG) == 0)
        return false;
    server = 0;
    expect_good_end(status);
    return true;
}

static void await_end(void)
{
    int64_t until_ms = stack_now_ms() + HANG_MS;
    while (!has_ended()) {
        ck_assert_msg(stack_now_ms() < until_ms, "%s does not end", program);
        stack_nap(2);
    }
}

/* ---- the web server ---- */

struct call {
    int fd;
    int number; /* of its batch */
    char *bytes;
    size_t len, sent;
};

static void dial(struct call *call)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", stack.dir);
    call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(call->fd, (struct sockaddr *)&address, sizeof address), 0);
}

/* Sends up to byte `end`; the other side may have hung up. */
static void send_until(struct call *call, size_t end)
{
    while (call->sent < end) {
        ssize_t n = send(call->fd, call->bytes + call->sent, end - call->sent, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        call->sent += (size_t)n;
    }
}

static void send_rest(struct call *call)
{
    send_until(call, call->len);
}

/* A call that posts the ledger's next batch. Nothing is sent. */
static void begin_post(struct call *call)
{
    struct numbered batch;
    char length[16];
    *call = (struct call){.number = ledger.count++};
    numbered_make(&batch, &ledger, call->number);
    snprintf(length, sizeof length, "%zu", batch.len);
    const char *const params[] = {"REQUEST_METHOD",
                                  "POST",
                                  "DOCUMENT_URI",
                                  "/analytics/ingest",
                                  "ANALYTICS_ROLE",
                                  "worker",
                                  "CONTENT_TYPE",
                                  "application/json",
                                  "CONTENT_LENGTH",
                                  length,
                                  *batch.key ? "HTTP_IDEMPOTENCY_KEY" : NULL,
                                  batch.key,
                                  NULL};
    call->bytes = fastcgi_request(params, batch.json, batch.len, &call->len);
    numbered_release(&batch);
    dial(call);
}

/* The status; 0 for no answer. Half an answer fails the test. */
static int end_call(struct call *call, char **ret_text)
{
    int whole, status = 0;
    char *text = fastcgi_answer(call->fd, &whole);
    ck_assert_msg(whole || !*text, "batch %d: half an answer: %s", call->number, text);
    if (whole)
        status = sscanf(text, "Status: %d", &status) == 1 ? status : -1;
    close(call->fd);
    call->fd = -1;
    free(call->bytes);
    if (ret_text)
        *ret_text = text;
    else
        free(text);
    return status;
}

/* Notes in the ledger what must be stored: after 204 the whole batch, after 503 or no answer nothing. */
static int end_post(struct call *call)
{
    int status = end_call(call, NULL);
    ck_assert_msg(status == 204 || status == 503 || status == 0, "batch %d: answer %d", call->number, status);
    ledger.fate[call->number] = status == 204 ? WHOLE : ABSENT;
    return status;
}

static bool is_answered(const struct call *call)
{
    return poll(&(struct pollfd){.fd = call->fd, .events = POLLIN}, 1, 1) > 0;
}

/* Takes the answers. `stopped`: the process was told to stop, and the next one is started as soon as it has ended.
 * Returns how many batches were acknowledged. */
static int end_posts(struct call *calls, int count, bool stopped)
{
    int stored = 0, waiting = count;
    int64_t until_ms = stack_now_ms() + HANG_MS;
    while (waiting > 0 || stopped) {
        if (stopped && has_ended()) {
            stopped = false;
            launch();
        }
        for (int i = 0; i < count; i++) {
            if (calls[i].fd < 0 || !is_answered(&calls[i]))
                continue;
            stored += end_post(&calls[i]) == 204;
            waiting--;
        }
        ck_assert_msg(stack_now_ms() < until_ms, "%d of %d answers are missing", waiting, count);
    }
    return stored;
}

/* ---- around each test ---- */

/* Waits until the process answers: before that, a signal ends it at once. */
static void await_ready(void)
{
    static const char *const params[] = {"REQUEST_METHOD", "GET", "DOCUMENT_URI", "/analytics/health", NULL};
    struct call call = {0};
    call.bytes = fastcgi_request(params, "", 0, &call.len);
    dial(&call);
    send_rest(&call);
    ck_assert_int_eq(end_call(&call, NULL), 200);
}

static void start(void)
{
    launch();
    await_ready();
}

static void set_up(const char *wanted)
{
    char data[128];
    program = wanted;
    stack = (struct stack){0};
    ledger = (struct ledger){.logs = 20, .pause = 600};
    stack_folder(&stack);
    snprintf(data, sizeof data, "%s/data", stack.dir);
    ck_assert_int_eq(mkdir(data, 0700), 0);
    free(stack_ctl(&stack, "init 2>&1"));
    bind_socket();
    start();
}

static void set_up_ingest(void)
{
    set_up("analytics-ingest");
}

/* Two quarters have logs: 12 + 30 requests with 1 + 2 errors, and 7 requests. */
#define FIRST_AT "2027-12-20 10:15:00"
#define FIRST_SUMS "\"total_count\":\"42\",\"total_errors\":\"3\""
#define LAST_AT "2028-02-19 23:45:00"
#define LAST_SUMS "\"total_count\":\"7\",\"total_errors\":\"0\""

static void put_logs(void)
{
    static const char logs[] =
        "{\"ts\":\"2027-12-20 "
        "10:15:00\",\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":12,\"error_count\":1}\n"
        "{\"ts\":\"2027-12-20 "
        "10:29:59\",\"user_id\":2,\"order_id\":1,\"domain\":\"b\",\"count\":30,\"error_count\":2}\n"
        "{\"ts\":\"2028-02-19 23:59:59\",\"user_id\":1,\"order_id\":2,\"domain\":\"a\",\"count\":7}\n";
    char path[128], command[160];
    snprintf(path, sizeof path, "%s/logs.ndjson", stack.dir);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(logs, file);
    ck_assert_int_eq(fclose(file), 0);
    snprintf(command, sizeof command, "import %s", path);
    free(stack_ctl(&stack, command));
}

static void set_up_query(void)
{
    set_up("analytics-query");
    put_logs();
}

static void end_server(void)
{
    kill(server, SIGTERM);
    await_end();
    close(listening);
}

static void tear_down_ingest(void)
{
    char data[128];
    snprintf(data, sizeof data, "%s/data", stack.dir);
    end_server();
    ledger_check(&ledger, data, "in the end");
    stack_remove(&stack);
}

static void tear_down_query(void)
{
    end_server();
    stack_remove(&stack);
}

/* ---- analytics-ingest ---- */

static const int stop_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

/* One request is cut at its first byte, one behind its last one, the others in between. */
START_TEST(stopped_at_each_byte)
{
    struct call calls[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        begin_post(&calls[i]);
        send_until(&calls[i], calls[i].len * (size_t)(i * 37 % CONNECTIONS) / (CONNECTIONS - 1));
    }
    stack_nap(REACT_MS);
    kill(server, stop_signals[_i]);
    stack_nap(REACT_MS);
    for (int i = 0; i < CONNECTIONS; i++)
        send_rest(&calls[i]);
    ck_assert_int_eq(end_posts(calls, CONNECTIONS, true), CONNECTIONS);
    await_ready();
    printf("%s: %d requests, all answered 204\n", strsignal(stop_signals[_i]), CONNECTIONS);
}
END_TEST

/* One batch is being written, and waits for the database; the others wait for the writer. Where the database was locked
 * longer than the writer waits, on a slow machine, some may be refused; else none. */
START_TEST(stopped_while_batches_wait)
{
    struct call calls[CONNECTIONS];
    stack_nap(REACT_MS);
    int64_t since_ms = stack_now_ms();
    sqlite3 *db = stack_lock_database(&stack);
    for (int i = 0; i < CONNECTIONS; i++) {
        begin_post(&calls[i]);
        send_rest(&calls[i]);
    }
    stack_nap(REACT_MS);
    kill(server, SIGTERM);
    stack_nap(REACT_MS);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    bool too_long = stack_now_ms() - since_ms >= WRITER_WAITS_MS;
    int stored = end_posts(calls, CONNECTIONS, true);
    too_long |= stack_now_ms() - since_ms >= QUEUE_WAITS_MS;
    ck_assert_msg(too_long || stored == CONNECTIONS, "%d of %d answered 204", stored, CONNECTIONS);
    await_ready();
    printf("stopped while batches wait: %d of %d answered 204\n", stored, CONNECTIONS);
}
END_TEST

#define AT_ONCE 8
#define SWEEP_US 12000

static void nap_us(int64_t us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* At a random moment after the batches are sent: while they are read, queued, written, committed or answered. */
START_TEST(stopped_at_any_moment)
{
    int times = is_long_run() ? 400 : 30, stored = 0;
    uint64_t seed = numbered_seed();
    may_be_early = true;
    for (int i = 0; i < times; i++) {
        struct call calls[AT_ONCE];
        for (int j = 0; j < AT_ONCE; j++)
            begin_post(&calls[j]);
        nap_us(i % 2 * 30000); /* before or after it has started */
        for (int j = 0; j < AT_ONCE; j++)
            send_rest(&calls[j]);
        nap_us(numbered_dice(seed, i, 3, SWEEP_US));
        kill(server, SIGTERM);
        stored += end_posts(calls, AT_ONCE, true);
    }
    await_ready();
    may_be_early = false;
    ck_assert_int_eq(stored, times * AT_ONCE);
    printf("stopped at any moment: %d times, %d requests, all answered 204\n", times, stored);
}
END_TEST

/* A big batch takes long to write. */
START_TEST(stopped_while_it_writes)
{
    struct call call;
    ledger.logs = 5000;
    for (int i = 0; i < 6; i++) {
        begin_post(&call);
        send_rest(&call);
        nap_us(20000 * i);
        kill(server, SIGTERM);
        ck_assert_int_eq(end_posts(&call, 1, true), 1);
        await_ready();
    }
}
END_TEST

/* A process is stopped and continued, as under a debugger or in a frozen container: a sender may be asked to try again,
 * but is never told that its batch is wrong. */
START_TEST(frozen_at_each_byte)
{
    struct call calls[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        begin_post(&calls[i]);
        send_until(&calls[i], calls[i].len * (size_t)(i * 37 % CONNECTIONS) / (CONNECTIONS - 1));
    }
    stack_nap(REACT_MS);
    kill(server, SIGSTOP);
    stack_nap(REACT_MS);
    kill(server, SIGCONT);
    stack_nap(REACT_MS);
    for (int i = 0; i < CONNECTIONS; i++)
        send_rest(&calls[i]);
    int stored = end_posts(calls, CONNECTIONS, false);
    ck_assert_int_ge(stored, IN_SOCKET); /* of these, none had a byte read */
    printf("frozen: %d of %d answered 204, the others 503 or nothing\n", stored, CONNECTIONS);
}
END_TEST

/* ---- analytics-query ---- */

#define LONG_CHART "from=2027-12-20&to=2028-02-19&granularity=15m&fill=zero"

static void begin_get(struct call *call, const char *query)
{
    const char *const params[] = {"REQUEST_METHOD",
                                  "GET",
                                  "DOCUMENT_URI",
                                  "/analytics/requests",
                                  "ANALYTICS_ROLE",
                                  "admin",
                                  "QUERY_STRING",
                                  query,
                                  NULL};
    *call = (struct call){0};
    call->bytes = fastcgi_request(params, "", 0, &call->len);
    dial(call);
}

/* Takes the answer, which must have this body. */
static void end_get(struct call *call, const char *expected)
{
    char *text;
    ck_assert_int_eq(end_call(call, &text), 200);
    const char *body = strstr(text, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    body += 4;
    size_t same = 0;
    while (body[same] && body[same] == expected[same])
        same++;
    ck_assert_msg(body[same] == expected[same], "byte %zu: %.100s in place of %.100s", same, body + same,
                  expected + same);
    free(text);
}

#define CUTS 16
#define SHORT_CHART "from=2027-12-20&to=2027-12-21&granularity=15m"

START_TEST(a_read_stopped_at_each_byte)
{
    for (int i = 0; i <= CUTS; i++) {
        struct call call;
        begin_get(&call, SHORT_CHART);
        send_until(&call, call.len * (size_t)i / CUTS);
        stack_nap(REACT_MS / 4);
        kill(server, SIGTERM);
        stack_nap(REACT_MS / 4);
        send_rest(&call);
        end_get(&call, "{\"data\":[{\"bucket\":\"" FIRST_AT "\"," FIRST_SUMS "}]}");
        await_end();
        start();
    }
}
END_TEST

/* The body for LONG_CHART: each quarter of 62 days. To be freed. */
static char *long_chart(void)
{
    char *text = NULL, at[32];
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    ck_assert_ptr_nonnull(out);
    fputs("{\"data\":[", out);
    for (int i = 0; i < 62 * 96; i++) {
        time_t quarter = 1829260800 + i * 900; /* from 2027-12-20 on */
        strftime(at, sizeof at, "%Y-%m-%d %H:%M:%S", gmtime(&quarter));
        const char *sums = "\"total_count\":\"0\",\"total_errors\":\"0\"";
        sums = strcmp(at, FIRST_AT) ? strcmp(at, LAST_AT) ? sums : LAST_SUMS : FIRST_SUMS;
        fprintf(out, "%s{\"bucket\":\"%s\",%s}", i ? "," : "", at, sums);
    }
    fputs("]}", out);
    fclose(out);
    return text;
}

/* An answer that is larger than the buffer of the socket, and a slow reader. */
START_TEST(a_read_stopped_while_it_is_answered)
{
    struct call call;
    char *expected = long_chart();
    ck_assert_uint_gt(strlen(expected), 300000);
    begin_get(&call, LONG_CHART);
    send_rest(&call);
    stack_nap(REACT_MS);
    kill(server, SIGTERM);
    stack_nap(REACT_MS);
    end_get(&call, expected);
    await_end();
    start();
    free(expected);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*before)(void), void (*after)(void))
{
    TCase *tcase = suite_case(suite, name);
    tcase_add_checked_fixture(tcase, before, after);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("signals");
    TCase *ingest = add_case(suite, "ingest", set_up_ingest, tear_down_ingest);
    TCase *query = add_case(suite, "query", set_up_query, tear_down_query);
    tcase_add_loop_test(ingest, stopped_at_each_byte, 0, ROWS(stop_signals));
    tcase_add_test(ingest, stopped_while_batches_wait);
    tcase_add_test(ingest, stopped_at_any_moment);
    tcase_add_test(ingest, stopped_while_it_writes);
    tcase_add_test(ingest, frozen_at_each_byte);
    tcase_add_test(query, a_read_stopped_at_each_byte);
    tcase_add_test(query, a_read_stopped_while_it_is_answered);
    return suite_run(suite);
}
