/* test_errors.c: the errors that nginx makes itself look like those of the programs: malformed requests, limits, rates,
 * and programs that are gone, stopped, or die in the middle of a request. */
#include "support/stack.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RANGE "from=2026-03-15&to=2026-03-15"
#define READ "/analytics/traffic?" RANGE

static const char empty_batch[] = "{\"logs\":[]}";

/* ---- malformed requests. %A: the admin's key; %L: 20,000 letters; "\r\n" are spelled out ---- */

#define HOST " HTTP/1.1\r\nHost: localhost\r\n"
#define KEY "x-api-key: %A\r\n"

static const struct {
    const char *request;
    long status;
    const char *message;
    const char *path; /* "/" if nginx does not know it, or if it would need escaping */
    const char *allow;
} raw_rows[] = {
    {"GET /analytics/traffic HTTP/1.1\r\n\r\n", 400, "analytics.request_invalid", "/analytics/traffic", NULL},
    {"GET /analytics/traffic HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "analytics.request_invalid",
     "/analytics/traffic", NULL},
    {"GET /analytics/traffic HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "analytics.request_invalid", "/analytics/traffic",
     NULL},
    {"get /analytics/traffic" HOST "\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03\r\n\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"GET /analytics/%%zz" HOST "\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"GET /analytics/a%%00" HOST "\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"GET /analytics/a b" HOST "\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"GET /analytics/a\x01" HOST "\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"GET /analytics/\x1b[31m" HOST "\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"GET /../x" HOST "\r\n", 400, "analytics.request_invalid", "/", NULL},
    {"GET " READ HOST KEY "X: %L\r\n\r\n", 400, "analytics.request_invalid", "/analytics/traffic", NULL},
    {"GET " READ HOST "Authorization: a\r\nAuthorization: b\r\n\r\n", 400, "analytics.request_invalid",
     "/analytics/traffic", NULL},
    {"POST /analytics/ingest" HOST KEY "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400,
     "analytics.request_invalid", "/analytics/ingest", NULL},
    {"POST /analytics/ingest" HOST KEY "Content-Length: 1x\r\n\r\n", 400, "analytics.request_invalid",
     "/analytics/ingest", NULL},
    {"POST /analytics/ingest" HOST KEY "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     "analytics.request_invalid", "/analytics/ingest", NULL},
    {"POST /analytics/ingest" HOST KEY "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "analytics.request_invalid",
     "/analytics/ingest", NULL},
    {"POST /analytics/ingest" HOST KEY "Transfer-Encoding: gzip\r\n\r\n", 501, "analytics.not_implemented",
     "/analytics/ingest", NULL},
    {"GET /analytics/traffic HTTP/9.9\r\nHost: localhost\r\n\r\n", 505, "analytics.http_version_unsupported", "/",
     NULL},
    {"TRACE /analytics/traffic" HOST "\r\n", 405, "analytics.method_not_allowed", "/analytics/traffic", "GET, HEAD"},
    {"TRACE /analytics/ingest" HOST "\r\n", 405, "analytics.method_not_allowed", "/analytics/ingest", "POST"},
    {"CONNECT /analytics/traffic" HOST "\r\n", 405, "analytics.method_not_allowed", "/analytics/traffic", "GET, HEAD"},
    {"GET /analytics/traffic?%L" HOST KEY "\r\n", 414, "analytics.uri_too_long", "/", NULL},
    {"GET /%L" HOST "\r\n", 414, "analytics.uri_too_long", "/", NULL},
    {"GET " READ HOST "\r\n", 401, "auth.unauthorized", "/analytics/traffic", NULL},
    {"GET http://localhost" READ HOST "\r\n", 401, "auth.unauthorized", "/analytics/traffic", NULL},
    {"GET /nothing" HOST "\r\n", 404, "analytics.not_found", "/nothing", NULL},
    {"POST /analytics" HOST "Content-Length: 0\r\n\r\n", 404, "analytics.not_found", "/analytics", NULL},
    {"GET /_analytics/auth-read?x" HOST "\r\n", 404, "analytics.not_found", "/_analytics/auth-read", NULL},
    {"POST /analytics/ingest" HOST KEY "Content-Length: 16777217\r\n\r\n{", 413, "analytics.body_too_large",
     "/analytics/ingest", NULL},
    {"POST /analytics/ingest" HOST "Content-Length: 16777217\r\n\r\n{", 413, "analytics.body_too_large",
     "/analytics/ingest", NULL},
    {"GET " READ HOST KEY "Content-Length: 16777217\r\n\r\n{", 413, "analytics.body_too_large", "/analytics/traffic",
     NULL},
    /* Paths that would break out of a JSON string, in errors of nginx. */
    {"GET /a\\u0022\"" HOST "\r\n", 404, "analytics.not_found", "/", NULL},
    {"GET /\xff\xc3\xa9" HOST "\r\n", 404, "analytics.not_found", "/", NULL},
    {"GET /<script>" HOST "\r\n", 404, "analytics.not_found", "/", NULL},
    {"GET /a%%22%%5c%%0a$request_uri" HOST "\r\n", 404, "analytics.not_found", "/a%22%5c%0a$request_uri", NULL},
    {"GET /a'(),;=@:+*!~" HOST "\r\n", 404, "analytics.not_found", "/a'(),;=@:+*!~", NULL},
    /* The same in errors of the programs. */
    {"GET /analytics/\",\"x\":\"" HOST "\r\n", 401, "auth.unauthorized", "/analytics/\",\"x\":\"", NULL},
    {"GET /analytics/a\\" HOST "\r\n", 401, "auth.unauthorized", "/analytics/a\\", NULL},
    {"GET /analytics/\",\"x\":\"" HOST KEY "\r\n", 404, "analytics.not_found", "/analytics/\",\"x\":\"", NULL},
    {"GET /analytics/a\\" HOST KEY "\r\n", 404, "analytics.not_found", "/analytics/a\\", NULL},
    {"GET /analytics/\xc3\xa9\xff" HOST KEY "\r\n", 404, "analytics.not_found", "/analytics/\xc3\xa9\xef\xbf\xbd",
     NULL},
    {"GET /analytics/%%22%%0a%%1b" HOST KEY "\r\n", 404, "analytics.not_found", "/analytics/%22%0a%1b", NULL},
};

static char *expand(const char *template, size_t *ret_len)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_len);
    for (; *template; template ++) {
        if (*template != '%')
            fputc(*template, file);
        else if (*++template == 'A')
            fputs(shared.admin_key, file);
        else if (*template == 'L')
            for (int i = 0; i < 20000; i++)
                fputc('a', file);
        else
            fputc(*template, file);
    }
    fclose(file);
    return text;
}

/* A 401 says how to authenticate, no cache may keep an error, and its timestamp is that of the Date header. */
static void check_headers(const struct reply *reply)
{
    struct tm tm = {0};
    char *challenge = reply_header(reply, "www-authenticate"), *cache = reply_header(reply, "cache-control");
    ck_assert_msg((challenge != NULL) == (reply->status == 401), "%s", reply->headers);
    ck_assert_msg(cache && !strcmp(cache, "no-store"), "%s", reply->headers);
    json_object *body = json_tokener_parse(reply->body);
    ck_assert_ptr_nonnull(strptime(member(body, "timestamp"), "%Y-%m-%dT%H:%M:%S.", &tm));
    double age = difftime(time(NULL), timegm(&tm));
    ck_assert_msg(age > -30 && age < 30, "%s", reply->body);
    json_object_put(body);
    free(challenge);
    free(cache);
}

START_TEST(malformed_requests)
{
    size_t len = 0;
    char *request = expand(raw_rows[_i].request, &len);
    struct reply reply = stack_talk(&shared, request, len, 10);
    check_error(&reply, raw_rows[_i].status, raw_rows[_i].message, raw_rows[_i].path, NULL);
    check_headers(&reply);
    char *allow = reply_header(&reply, "allow");
    ck_assert_msg(raw_rows[_i].allow ? allow && !strcmp(allow, raw_rows[_i].allow) : !allow, "%s", reply.headers);
    ck_assert_ptr_null(strstr(reply.headers, "nginx/"));
    ck_assert_ptr_null(strstr(reply.headers, "location:"));
    free(allow);
    reply_release(&reply);
    free(request);
}
END_TEST

/* A body that grows past the limit while it comes. */
START_TEST(a_chunked_body_too_large)
{
    static const size_t len = (16 << 20) + 1;
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    char *body = malloc(len);
    memset(body, ' ', len);
    struct request_spec spec = {.path = "/analytics/ingest",
                                .key = shared.worker_key,
                                .headers = headers,
                                .body = body,
                                .body_len = len,
                                .chunked = true};
    struct reply reply = stack_send(&shared, &spec);
    check_error(&reply, 413, "analytics.body_too_large", "/analytics/ingest", NULL);
    reply_release(&reply);
    free(body);
}
END_TEST

/* ---- HEAD: the same status and headers, no body ---- */

static const struct {
    const char *path;
    bool with_key;
    long status;
} heads[] = {
    {READ, false, 401},
    {"/analytics/ingest", false, 401},
    {"/analytics/ingest", true, 405},
    {"/analytics/nothing", true, 404},
    {"/nothing", false, 404},
    {"/analytics", false, 404},
    {"/_analytics/auth-read", false, 404},
    {"/analytics/traffic", true, 400},
};

START_TEST(head_of_an_error)
{
    struct request_spec spec = {.path = heads[_i].path, .key = heads[_i].with_key ? shared.admin_key : NULL};
    struct reply get = stack_send(&shared, &spec);
    spec.method = "HEAD";
    struct reply head = stack_send(&shared, &spec);
    char *get_length = reply_header(&get, "content-length"), *head_length = reply_header(&head, "content-length");
    char *type = reply_header(&head, "content-type");
    ck_assert_msg(head.status == heads[_i].status && get.status == head.status, "%ld %s", get.status, head.headers);
    ck_assert_uint_eq(head.body_len, 0);
    ck_assert_msg(get_length && head_length && !strcmp(get_length, head_length), "%s%s", get.headers, head.headers);
    ck_assert_msg(type && !strcmp(type, "application/json"), "%s", head.headers);
    free(type);
    free(get_length);
    free(head_length);
    reply_release(&get);
    reply_release(&head);
}
END_TEST

/* ---- rates: 1 a second after a burst of 200 reads or 1000 batches ---- */

static struct reply read_with(const char *key)
{
    return stack_send(&shared, &(struct request_spec){.path = READ, .key = key});
}

static struct reply send_with(const char *key)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    return stack_send(&shared, &(struct request_spec){.path = "/analytics/ingest",
                                                      .key = key,
                                                      .headers = headers,
                                                      .body = empty_batch,
                                                      .body_len = strlen(empty_batch)});
}

/* Asks until an answer is not `status`, and returns that one. */
static struct reply ask_too_much(struct reply (*ask)(const char *key), const char *key, long status)
{
    struct reply reply = ask(key);
    for (int i = 0; i < 5000 && reply.status == status; i++) {
        reply_release(&reply);
        reply = ask(key);
    }
    return reply;
}

START_TEST(too_many_reads)
{
    char other[80];
    stack_key(&shared, "--role user --user-id 1", other);
    struct reply reply = ask_too_much(read_with, shared.admin_key, 200);
    check_error(&reply, 429, "analytics.too_many_requests", "/analytics/traffic", NULL);
    reply_release(&reply);
    reply = stack_send(&shared, &(struct request_spec){.method = "HEAD", .path = READ, .key = shared.admin_key});
    ck_assert(reply.status == 429 || reply.status == 200); /* after a second, one more is permitted */
    reply_release(&reply);
    reply = read_with(other); /* each key has a rate of its own */
    ck_assert_int_eq(reply.status, 200);
    reply_release(&reply);
    reply = send_with(shared.admin_key); /* batches have theirs */
    ck_assert_int_eq(reply.status, 204);
    reply_release(&reply);
}
END_TEST

START_TEST(too_many_guesses)
{
    struct reply reply = ask_too_much(read_with, NULL, 401);
    check_error(&reply, 429, "analytics.too_many_requests", "/analytics/traffic", NULL);
    reply_release(&reply);
}
END_TEST

START_TEST(too_many_batches)
{
    struct reply reply = ask_too_much(send_with, shared.worker_key, 204);
    check_error(&reply, 429, "analytics.too_many_requests", "/analytics/ingest", NULL);
    reply_release(&reply);
}
END_TEST

/* ---- programs that are gone ---- */

enum { READING, SENDING, HEALTH, NAMELESS };

static struct reply (*const asks[])(const char *key) = {[READING] = read_with, [SENDING] = send_with};

static struct reply ask(int what)
{
    if (what == HEALTH)
        return stack_send(&shared, &(struct request_spec){.path = "/analytics/health"});
    return what == NAMELESS ? read_with(NULL) : asks[what](shared.admin_key);
}

static const char *const ask_paths[] = {[READING] = "/analytics/traffic",
                                        [SENDING] = "/analytics/ingest",
                                        [HEALTH] = "/analytics/health",
                                        [NAMELESS] = "/analytics/traffic"};

static void expect_unavailable(int what)
{
    struct reply reply = ask(what);
    check_error(&reply, 503, "analytics.unavailable", ask_paths[what], NULL);
    reply_release(&reply);
}

/* Health has this detail, also when nginx answers in the place of a program. */
static void expect_health(const char *detail)
{
    struct reply reply = ask(HEALTH);
    check_error(&reply, 503, "analytics.unavailable", ask_paths[HEALTH], detail);
    reply_release(&reply);
}

static void expect_service(void)
{
    static const long expected[] = {[READING] = 200, [SENDING] = 204, [HEALTH] = 200, [NAMELESS] = 401};
    int64_t until = stack_now_ms() + HANG_MS;
    for (int what = READING; what <= NAMELESS; what++) {
        struct reply reply = ask(what);
        ck_assert_msg(reply.status == expected[what] || stack_now_ms() < until, "%s: %ld %s", ask_paths[what],
                      reply.status, reply.body);
        what -= reply.status != expected[what]; /* asks again */
        reply_release(&reply);
    }
}

/* Batches are accepted, for which the query pool is not needed. */
static void expect_accepted(void)
{
    struct reply reply = ask(SENDING);
    ck_assert_int_eq(reply.status, 204);
    reply_release(&reply);
}

START_TEST(without_the_query_pool)
{
    stack_move_socket(&shared, "query", true);
    expect_unavailable(READING);
    expect_health("analytics-query does not answer, or cannot read the database: its log says why");
    expect_unavailable(NAMELESS);
    expect_accepted();
    stack_move_socket(&shared, "query", false);
    expect_service();
}
END_TEST

START_TEST(without_ingest)
{
    stack_move_socket(&shared, "ingest", true);
    expect_unavailable(SENDING);
    expect_health("analytics-ingest does not answer: its log says why");
    struct reply reply = ask(READING);
    ck_assert_int_eq(reply.status, 200);
    reply_release(&reply);
    stack_move_socket(&shared, "ingest", false);
    expect_service();
}
END_TEST

static void freeze(const char *program)
{
    pid_t pids[STACK_MAX_PROCESSES];
    ck_assert_uint_gt(stack_processes(&shared, program, pids), 0);
    stack_freeze(pids);
}

static void signal_all(const char *program, int signal)
{
    pid_t pids[STACK_MAX_PROCESSES];
    ck_assert_uint_gt(stack_processes(&shared, program, pids), 0);
    for (pid_t *pid = pids; *pid; pid++)
        kill(*pid, signal);
}

/* Reloads nginx with a shorter wait for the programs, so that the test does not take minutes. Afterwards, only the
 * master is left of the old processes. */
static void shorten_timeouts(void)
{
    char command[512];
    pid_t before[STACK_MAX_PROCESSES];
    ck_assert_uint_gt(stack_processes(&shared, "nginx", before), 1);
    snprintf(
        command, sizeof command,
        "cd '%s/data/run' && sed -i 's/fastcgi_read_timeout [0-9]*s/fastcgi_read_timeout 1s/' nginx/analytics.conf &&"
        " kill -HUP $(cat nginx.pid)",
        shared.dir);
    ck_assert_int_eq(system(command), 0);
    for (int i = 0; i < 3000 && stack_alive(before) > 1; i++)
        stack_nap(20);
    ck_assert_uint_eq(stack_alive(before), 1);
}

/* nginx's 504 becomes a 503 in each place: the authentication of batches, reads, and both parts of health. */
START_TEST(with_programs_that_hang)
{
    shorten_timeouts();
    freeze("analytics-ingest");
    expect_unavailable(SENDING);
    expect_health("analytics-ingest does not answer: its log says why");
    signal_all("analytics-ingest", SIGCONT);
    freeze("analytics-query");
    expect_unavailable(READING);
    expect_unavailable(NAMELESS);
    expect_health("analytics-query does not answer, or cannot read the database: its log says why");
    expect_accepted();
    signal_all("analytics-query", SIGCONT);
    expect_service();
}
END_TEST

/* Returns the connection. */
static int send_lost_batch(void)
{
    static const char body[] =
        "{\"logs\":[{\"ts\":\"2026-03-15\",\"user_id\":1,\"order_id\":1,\"domain\":\"lost.example\","
        "\"count\":1}]}";
    char request[1024];
    int len = snprintf(request, sizeof request,
                       "POST /analytics/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "x-api-key: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                       shared.worker_key, strlen(body), body);
    int fd = stack_connect(&shared, 20);
    ck_assert_int_eq(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    return fd;
}

static bool a_batch_is_queued(void)
{
    struct reply reply =
        stack_send(&shared, &(struct request_spec){.path = "/analytics/metrics", .key = shared.admin_key});
    const char *queued = strstr(reply.body, "\nanalytics_queue_batches ");
    ck_assert_msg(queued != NULL, "%s", reply.body);
    bool is_queued = atoi(strchr(queued, ' ')) > 0;
    reply_release(&reply);
    return is_queued;
}

static void take_refusal(int fd)
{
    char answer[4096] = "";
    ck_assert_int_gt(recv(fd, answer, sizeof answer - 1, MSG_WAITALL), 0);
    ck_assert_msg(!strncmp(answer, "HTTP/1.1 503 ", 13) && strstr(answer, "\r\nRetry-After: ") &&
                      strstr(answer, "\r\n\r\n{\"message\":\"analytics.unavailable\",\"path\":\"/analytics/ingest\","),
                  "%s", answer);
    close(fd);
}

/* How many groups of batches the program has refused so far: to its client nginx's answer looks the same. */
static int refused_groups(void)
{
    char *log = stack_log(&shared);
    int count = 0;
    for (const char *at = log; (at = strstr(at, " write_failed ")); at++)
        count++;
    free(log);
    return count;
}

#define LOST_MOST 100

/* Sends batches until one waits behind the one that waits for the database; then kills the program. Returns whether the
 * first one was still in it. */
static bool kill_in_the_middle(void)
{
    int fds[LOST_MOST], count = 0, before = refused_groups();
    sqlite3 *db = stack_lock_database(&shared);
    do {
        ck_assert_int_lt(count, LOST_MOST);
        fds[count++] = send_lost_batch();
    } while (!a_batch_is_queued());
    signal_all("analytics-ingest", SIGKILL);
    for (int i = 0; i < count; i++)
        take_refusal(fds[i]);
    bool in_the_middle = refused_groups() == before;
    sqlite3_close(db);
    expect_service();
    return in_the_middle;
}

/* The program dies while it waits for the database: nothing of the batch is stored, and nginx answers in its place. On
 * a slow machine the program may have refused it before, as the database is locked too long: then once more. */
START_TEST(a_program_that_dies_in_the_middle)
{
    int64_t until = stack_now_ms() + HANG_MS;
    while (!kill_in_the_middle())
        ck_assert_int_lt(stack_now_ms(), until);
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM log WHERE domain = 'lost.example'"), 0);
}
END_TEST

/* ---- services ---- */

static void start(void)
{
    setenv("TZ", "Asia/Tokyo", 1); /* times are UTC all the same */
    stack_start(&shared, NULL);
    unsetenv("TZ");
}

static void start_slow(void)
{
    stack_start(&shared, (const char *const[]){"--rate-reads", "1", "--rate-ingest", "1", NULL});
}

static void start_impatient(void)
{
    char path[128];
    stack_folder(&shared);
    stack_auth_file(&shared, "analytics-auth-keys.conf", "",
                    (const char *const[]){"fastcgi_read_timeout 30s", "fastcgi_read_timeout 1s", NULL}, path);
    stack_start(&shared, (const char *const[]){"--auth", path, NULL});
}

static void stop(void)
{
    stack_stop(&shared);
}

static TCase *add_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = suite_case(suite, name);
    tcase_add_unchecked_fixture(tcase, setup, stop);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("errors");
    TCase *tcase = add_case(suite, "requests", start);
    tcase_add_loop_test(tcase, malformed_requests, 0, ROWS(raw_rows));
    tcase_add_test(tcase, a_chunked_body_too_large);
    tcase_add_loop_test(tcase, head_of_an_error, 0, ROWS(heads));
    tcase = add_case(suite, "rates", start_slow);
    tcase_add_test(tcase, too_many_reads);
    tcase_add_test(tcase, too_many_guesses);
    tcase_add_test(tcase, too_many_batches);
    tcase = add_case(suite, "programs", start_impatient);
    tcase_add_test(tcase, without_the_query_pool);
    tcase_add_test(tcase, without_ingest);
    tcase_add_test(tcase, a_program_that_dies_in_the_middle);
    tcase_add_test(tcase, with_programs_that_hang);
    return suite_run(suite);
}
