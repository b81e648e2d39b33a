/* test_logs.c: what the service writes into its log: a line for each event that a program can read, whatever a client
 * sends. No key is ever in the log, or in another file. */
#include "support/log_lines.h"
#include "support/stack.h"

#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANGE "from=2026-03-15&to=2026-03-15"

static size_t log_begin; /* where the lines of this test begin */

static void note_log_begin(void)
{
    char *log = stack_log(&shared);
    log_begin = strlen(log);
    free(log);
}

/* Waits for a line. */
static bool log_has(const char *part)
{
    for (int i = 0; i < 500; i++) {
        char *log = stack_log(&shared);
        bool found = strstr(log + log_begin, part) != NULL;
        free(log);
        if (found)
            return true;
        stack_nap(20);
    }
    return false;
}

static void check_log(void)
{
    ck_assert(log_has("event=http")); /* nginx writes its lines once a second */
    char *log = stack_log(&shared);
    unsigned programs = 0, access = 0;
    for (char *line = log + log_begin, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        bool program = log_is_program_line(line), web = log_is_access_line(line);
        programs += program;
        access += web;
        ck_assert_msg(program || web || log_is_other_line(line), "not a log line: %.600s", line);
    }
    ck_assert_uint_gt(programs + access, 0);
    free(log);
}

/* ---- hostile text, in every place that may be logged. %A: the admin's key ---- */

static const struct {
    const char *request_line, *headers;
    const char *logged; /* how it is logged; NULL: not at all */
} hostile[] = {
    {"GET /analytics/a\"b\\c", "x-api-key: %A\r\n", "path=\"/analytics/a\\\"b\\\\c\""},
    {"GET /analytics/%0a2026-01-01T00:00:00.000Z%20error%20fake%20a=b", "x-api-key: %A\r\n",
     "route=\"/analytics/\\n2026-01-01T00:00:00.000Z error fake a=b\""},
    {"GET /analytics/%0d%1b[2J%7f%07", "x-api-key: %A\r\n", "route=\"/analytics/\\r\\u001b[2J"},
    {"GET /analytics/\xff\xc3\xa9", "x-api-key: %A\r\n", "path=\"/analytics/\xef\xbf\xbd\xc3\xa9\""},
    {"GET /analytics/%c2%9b%e2%80%aex", "x-api-key: %A\r\n", NULL},
    {"GET /analytics/=%20=\"\"", "x-api-key: %A\r\n", "route=\"/analytics/= =\\\"\\\"\""},
    {"GET /analytics/traffic", "x-api-key: a\"b\\c\x1b[2J\r\n", NULL},
    {"GET /analytics/traffic", "Authorization: Bearer \"\x1b\x07\r\n", NULL},
    {"GET /analytics/traffic?apikey=%0a\"%1b", "", NULL},
    {"GET /analytics/traffic?from=%0afake&to=\x80\xff", "x-api-key: %A\r\n", NULL},
    {"GET /analytics/traffic?" RANGE "&domain=%1b%0a", "x-api-key: %A\r\n", NULL},
    {"GET /analytics/traffic", "User-Agent: \x1b[31m\"\r\nReferer: \x1b]0;x\x07\"\\\r\nX: \x01\x02\r\n", NULL},
    {"POST /analytics/ingest", "x-api-key: %A\r\nContent-Type: \x1b\"\\\r\nContent-Length: 0\r\n", NULL},
    {"POST /analytics/ingest",
     "x-api-key: %A\r\nContent-Type: application/json\r\nContent-Encoding: \x1b\"\r\nContent-Length: 0\r\n", NULL},
    {"POST /analytics/ingest",
     "x-api-key: %A\r\nContent-Type: application/json\r\nIdempotency-Key: \x1b\"\r\nContent-Length: 0\r\n", NULL},
    /* nginx writes about these into its error log. */
    {"POST /analytics/ingest?\x80", "Referer: \x1b]0;x\x07\r\nContent-Length: 99999999\r\n", NULL},
    {"POST /analytics/\"ingest", "Referer: \x1b[31m\r\nContent-Length: 99999999\r\n", NULL},
    {"FAKE_METHOD /analytics/traffic", "x-api-key: %A\r\n", NULL},
};

static void send_raw(const char *request_line, const char *headers, const char *key)
{
    char *request = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&request, &len);
    fprintf(file, "%s HTTP/1.1\r\nHost: localhost\r\n", request_line);
    for (; *headers; headers++) {
        if (headers[0] == '%' && headers[1] == 'A')
            fputs(key, file);
        else
            fputc(*headers, file);
        headers += headers[0] == '%' && headers[1] == 'A';
    }
    fputs("\r\n", file);
    fclose(file);
    struct reply reply = stack_talk(&shared, request, len, 10);
    ck_assert_msg(reply.status >= 400, "%s: %ld", request, reply.status);
    reply_release(&reply);
    free(request);
}

START_TEST(hostile_text_is_escaped)
{
    send_raw(hostile[_i].request_line, hostile[_i].headers, shared.admin_key);
    if (hostile[_i].logged)
        ck_assert_msg(log_has(hostile[_i].logged), "not logged: %s", hostile[_i].logged);
    stack_nap(50); /* time for lines that must not come */
    check_log();
}
END_TEST

/* Texts of a batch get into details and into error messages. */
START_TEST(hostile_bodies_are_escaped)
{
    static const char *const bodies[] = {
        "{\"logs\":[{\"ts\":\"\\u001b[31m\\n\",\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":1}]}",
        "{\"logs\":[{\"\\u001b\\n\":1}]}",
        "{\"\x1b\n\":1}",
        "\x1b]0;x\x07",
    };
    for (int i = 0; i < ROWS(bodies); i++) {
        struct reply reply = stack_post(&shared, bodies[i], strlen(bodies[i]), NULL);
        ck_assert_int_eq(reply.status, 400);
        reply_release(&reply);
    }
    stack_nap(50);
    check_log();
}
END_TEST

/* Long texts do not break their own line, nor lines that other processes write at the same time. */
static const char *const long_lines[] = {"GET /analytics/%L", "%L /analytics/traffic"};

START_TEST(long_lines_stay_whole)
{
    char line[12000] = "";
    size_t before = strcspn(long_lines[_i], "%");
    memcpy(line, long_lines[_i], before);
    memset(line + before, 'X', 9000);
    strcpy(line + before + 9000, long_lines[_i] + before + 2);
    for (int i = 0; i < 50; i++)
        send_raw(line, "x-api-key: %A\r\n", shared.admin_key);
    stack_nap(100);
    check_log();
}
END_TEST

/* ---- a slow request is logged with the parts of its time ---- */

/* Sends a batch while the database is locked for so long. Returns its status. The writer waits a second at most. */
static int send_while_locked(int ms)
{
    static const char body[] =
        "{\"logs\":[{\"ts\":\"2026-03-15\",\"user_id\":1,\"order_id\":1,\"domain\":\"slow.example\","
        "\"count\":1}]}";
    char request[1024], answer[1024] = "";
    int len = snprintf(request, sizeof request,
                       "POST /analytics/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "Connection: close\r\nx-api-key: %s\r\nContent-Length: %zu\r\n\r\n%s",
                       shared.worker_key, strlen(body), body);
    sqlite3 *db = stack_lock_database(&shared);
    int fd = stack_connect(&shared, 60), status = 0;
    ck_assert_int_eq(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    stack_nap(ms);
    sqlite3_close(db);
    ck_assert_int_gt(recv(fd, answer, sizeof answer - 1, 0), 0);
    ck_assert_msg(sscanf(answer, "HTTP/1.1 %d ", &status) == 1 && (status == 204 || status == 503), "%s", answer);
    close(fd);
    return status;
}

/* A request of 500 ms or more is slow. On a busy machine a batch may come after the lock, or the lock may last longer
 * than the writer waits: then another one is sent. */
START_TEST(a_slow_request_says_why)
{
    static const char slow[] = " warn request method=POST path=\"/analytics/ingest\" status=204 ms=";
    bool is_slow = false;
    for (int i = 0; i < 60 && !is_slow; i++)
        is_slow = send_while_locked(750) == 204 && log_has(slow);
    ck_assert_msg(is_slow, "no line of a slow batch");
    char *log = stack_log(&shared);
    char *line = strstr(log + log_begin, slow);
    line[strcspn(line, "\n")] = '\0';
    static const char *const parts[] = {" read_ms=", " queue_ms=", " raw_ms=", " rollup_ms=", " commit_ms="};
    for (int i = 0; i < ROWS(parts); i++)
        ck_assert_msg(strstr(line, parts[i]) != NULL, "no%s in%s", parts[i], line);
    free(log);
    check_log();
}
END_TEST

/* A refusal is logged with its reason and the number of the key. */
START_TEST(a_refusal_is_logged_with_its_reason)
{
    struct reply reply =
        stack_send(&shared, &(struct request_spec){.path = "/analytics/traffic", .key = shared.admin_key});
    ck_assert_int_eq(reply.status, 400);
    reply_release(&reply);
    ck_assert(log_has(" info request method=GET path=\"/analytics/traffic\" status=400 ms="));
    ck_assert(log_has(" caller=\"key:1\" detail=\""));
    reply = stack_send(&shared, &(struct request_spec){.path = "/analytics/traffic"});
    reply_release(&reply);
    ck_assert(log_has("path=/analytics/traffic status=401 "));
}
END_TEST

/* ---- keys ---- */

/* The places of a key; %A is the key. */
static const struct {
    const char *query, *header;
} places[] = {
    {"", "x-api-key: %A\r\n"},
    {"", "Authorization: Bearer %A\r\n"},
    {"?apikey=%A", ""},
    {"?" RANGE "&apikey=%A&x=1", "Referer: http://localhost/x?apikey=%A\r\n"},
    {"%3fapikey=%A", "x-api-key: %A\r\n"}, /* in the path, by mistake */
    {"?x=%A", "x-api-key: %A\r\nAuthorization: Bearer %A\r\nCookie: %A\r\n"},
};

static const struct {
    const char *method, *path, *headers;
} requests[] = {
    {"GET", "/analytics/traffic", ""},
    {"GET", "/analytics/nothing", ""},
    {"GET", "/analytics/ingest", ""},
    {"GET", "/analytics", ""},
    {"GET", "/", ""},
    {"GET", "/_analytics/auth-read", ""},
    {"GET", "/analytics/health/x", ""},
    {"POST", "/analytics/ingest", "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"},
    {"POST", "/analytics/ingest", "Content-Length: 99999999\r\n"},
    {"POST", "/analytics/traffic", "Content-Length: 99999999\r\n"},
    {"GET", "/analytics/traffic", "Content-Length: x\r\n"},
    {"GET", "/analytics/traffic", "Host: again\r\n"},
    {"GET", "/analytics/%zz", ""},
    {"TRACE", "/analytics/traffic", ""},
    {"POST", "/analytics/ingest", "Transfer-Encoding: gzip\r\n"},
};

static void put_key(FILE *file, const char *template, const char *key)
{
    for (; *template; template ++) {
        if (template[0] == '%' && template[1] == 'A')
            fputs(key, file), template ++;
        else
            fputc(*template, file);
    }
}

static void send_key(int request, int place, const char *key, const char *more)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    fprintf(file, "%s %s", requests[request].method, requests[request].path);
    put_key(file, places[place].query, key);
    fputs(" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", file);
    put_key(file, places[place].header, key);
    fprintf(file, "%s%s\r\n", more, requests[request].headers);
    fclose(file);
    struct reply reply = stack_talk(&shared, text, len, 20);
    ck_assert_msg(reply.status >= 200, "no answer: %s", text);
    if (!strstr(places[place].query, "%3f")) /* an error names the path, to the client who sent it */
        ck_assert_ptr_null(strstr(reply.body, "fnp_"));
    ck_assert_ptr_null(strstr(reply.headers, "fnp_"));
    reply_release(&reply);
    free(text);
}

/* A header too large, and a request line too long, with the key in it. */
static void send_too_large(int place, const char *key)
{
    char *more = malloc(20010);
    memset(more, 'x', 20010);
    memcpy(more, "X-Long: ", 8);
    strcpy(more + 20000, "\r\n");
    send_key(0, place, key, more);
    free(more);
    char *line = malloc(20200);
    int len = sprintf(line, "GET /analytics/traffic?apikey=%s&", key);
    memset(line + len, 'x', 20000);
    line[len + 20000] = '\0';
    send_raw(line, "", key);
    free(line);
}

static void send_all(const char *key)
{
    for (int place = 0; place < ROWS(places); place++) {
        for (int request = 0; request < ROWS(requests); request++)
            send_key(request, place, key, "");
        send_too_large(place, key);
    }
}

static char wanted[16][80]; /* the digits of every key that was sent */

static void expect_no_key(const char *data, size_t len, const char *where)
{
    for (int i = 0; i < 16 && wanted[i][0]; i++)
        ck_assert_msg(!memmem(data, len, wanted[i], strlen(wanted[i])), "a key is in %s", where);
    const char *key = memmem(data, len, "fnp_", 4);
    for (; key; key = memmem(key + 1, len - (size_t)(key + 1 - data), "fnp_", 4))
        ck_assert_msg(key + 8 > data + len || !isxdigit((unsigned char)key[4]) || !isxdigit((unsigned char)key[5]),
                      "a key is in %s: %.80s", where, key);
}

/* nftw calls it for everything in the data folder. */
static int look_into(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)ftw;
    size_t len = 0;
    if (type != FTW_F || !S_ISREG(status->st_mode) || strstr(path, "/data/keys/"))
        return 0;
    char *data = stack_file(path, &len);
    expect_no_key(data, len, path);
    free(data);
    return 0;
}

static void expect_no_key_anywhere(void)
{
    char data[80];
    char *log = stack_log(&shared);
    snprintf(data, sizeof data, "%s/data", shared.dir);
    ck_assert_int_eq(nftw(data, look_into, 16, FTW_PHYS), 0);
    expect_no_key(log, strlen(log), "the log");
    free(log);
}

/* The keys of each role, a wrong one, and texts around keys that might confuse the masking. */
static void send_every_key(void)
{
    char user[80], wrong[80];
    stack_key(&shared, "--role user --user-id 1", user);
    snprintf(wrong, sizeof wrong, "%s", shared.admin_key);
    wrong[10] = wrong[10] == 'a' ? 'b' : 'a';
    const char *const keys[] = {shared.admin_key, shared.worker_key, user, wrong};
    for (int i = 0; i < ROWS(keys); i++) {
        snprintf(wanted[i], sizeof wanted[i], "%s", keys[i] + 4);
        send_all(keys[i]);
    }
}

START_TEST(no_key_is_written_anywhere)
{
    send_every_key();
    stack_move_socket(&shared, "query", true);
    send_all(shared.admin_key);
    stack_move_socket(&shared, "query", false);
    stack_move_socket(&shared, "ingest", true);
    send_all(shared.worker_key);
    stack_move_socket(&shared, "ingest", false);
    stack_nap(300);
    check_log();
    expect_no_key_anywhere();
}
END_TEST

/* While a batch that is too large for memory comes in, nginx keeps it in a file. The key is not in it. */
START_TEST(no_key_lies_beside_a_body)
{
    char request[512];
    char *body = malloc(4 << 20);
    memset(body, ' ', 4 << 20);
    snprintf(wanted[0], sizeof wanted[0], "%s", shared.worker_key + 4);
    int len = snprintf(request, sizeof request,
                       "POST /analytics/ingest?apikey=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n",
                       shared.worker_key, 8 << 20);
    int fd = stack_connect(&shared, 20);
    ck_assert_int_eq(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    ck_assert_int_eq(send(fd, body, 4 << 20, MSG_NOSIGNAL), 4 << 20);
    stack_nap(200);
    expect_no_key_anywhere();
    close(fd);
    free(body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("logs");
    TCase *tcase = suite_case(suite, "logs");
    tcase_add_unchecked_fixture(tcase, stack_start_shared, stack_stop_shared);
    tcase_add_checked_fixture(tcase, note_log_begin, NULL);
    tcase_add_loop_test(tcase, hostile_text_is_escaped, 0, ROWS(hostile));
    tcase_add_test(tcase, hostile_bodies_are_escaped);
    tcase_add_loop_test(tcase, long_lines_stay_whole, 0, ROWS(long_lines));
    tcase_add_test(tcase, a_slow_request_says_why);
    tcase_add_test(tcase, a_refusal_is_logged_with_its_reason);
    tcase_add_test(tcase, no_key_is_written_anywhere);
    tcase_add_test(tcase, no_key_lies_beside_a_body);
    return suite_run(suite);
}
