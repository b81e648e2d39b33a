/* test_fcgi.c: fcgi.c on a real socket, with a client that writes FastCGI byte by byte, without libfcgi. The server
 * runs in a process of its own, with a handler that answers with what it got. */
#include "http/fcgi.h"
#include "support/runner.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

#define THREADS 4
#define FCGI_BEGIN 1
#define FCGI_END 3
#define FCGI_PARAMS 4
#define FCGI_STDIN 5
#define FCGI_STDOUT 6

static char dir[64];
static char socket_path[96];
static pid_t server;

/* ---- the server ---- */

/* Sends an answer of two pieces; /broken fails after the first one. */
static void tell_in_pieces(const struct request *request, struct response *response)
{
    struct fault fault = {0};
    response->content_type = "text/plain";
    buf_puts(&response->body, "one, ");
    if (!response_flush(response))
        return;
    buf_puts(&response->body, "two");
    fault_set(&fault, ERR_UNAVAILABLE, "in the middle");
    if (strcmp(request->route, "/broken") == 0)
        response_error(response, request, &fault);
}

/* Answers "<route> <role> <bytes of body>"; -1 for a broken body. /unread does not read the body, /slow takes
 * 600 ms. */
static void tell(void *ctx, const struct request *request, struct response *response)
{
    char piece[1000];
    ptrdiff_t got = 1;
    int64_t bytes = 0;

    (void)ctx;
    if (strcmp(request->route, "/slow") == 0)
        (void)usleep(600000);
    while (got > 0 && strcmp(request->route, "/unread") != 0) {
        got = request->read_body(request->read_ctx, piece, sizeof piece);
        bytes = got < 0 ? -1 : bytes + got;
    }
    if (strcmp(request->route, "/pieces") == 0 || strcmp(request->route, "/broken") == 0) {
        tell_in_pieces(request, response);
        return;
    }
    response->content_type = "text/plain";
    buf_printf(&response->body, "%s %s %lld", request->route, role_name(request->role), (long long)bytes);
}

static int listen_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    return fd;
}

/* Runs the server. Returns the exit status of the program. */
static int serve_on(int fd)
{
    struct fault fault = {0};

    if (dup2(fd, 0) != 0 || fcgi_init(&fault) != OK)
        return 2;
    return fcgi_serve(tell, NULL, THREADS, &fault) == OK ? 0 : 1;
}

/* Signals are blocked at first: one that comes before the server handles it would run libcheck's handler, which the
 * child inherits, and which stops the whole group. */
static pid_t fork_deaf(void)
{
    sigset_t all, before;
    pid_t pid;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    pid = fork();
    if (pid != 0)
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static void set_up(void)
{
    int fd;

    memcpy(dir, "/tmp/test_fcgi.XXXXXX", sizeof "/tmp/test_fcgi.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(socket_path, sizeof socket_path, "%s/s", dir);
    fd = listen_unix();
    server = fork_deaf();
    if (server == 0)
        _exit(serve_on(fd));
    (void)close(fd);
}

/* Stops the server with this signal. Returns its exit status. */
static int stop_server(int signal_number)
{
    int status = -1;

    (void)kill(server, signal_number);
    ck_assert_int_eq(waitpid(server, &status, 0), server);
    server = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void tear_down(void)
{
    if (server != 0)
        ck_assert_int_eq(stop_server(SIGTERM), 0);
    (void)unlink(socket_path);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- the client ---- */

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void put_record(struct buf *out, int type, const void *data, size_t len)
{
    const char header[8] = {1, (char)type, 0, 1, (char)(len >> 8), (char)(len & 0xff), 0, 0};

    buf_put(out, header, sizeof header);
    buf_put(out, data, len);
}

static void put_begin(struct buf *out, char role, char keep)
{
    const char body[8] = {0, role, keep, 0, 0, 0, 0, 0};

    put_record(out, FCGI_BEGIN, body, sizeof body);
}

static void put_pair(struct buf *out, const char *name, const char *value)
{
    buf_putc(out, (char)strlen(name));
    buf_putc(out, (char)strlen(value));
    buf_puts(out, name);
    buf_puts(out, value);
}

static void put_params(struct buf *out, const char *route, const char *role, const char *second_role)
{
    struct buf pairs;

    buf_init(&pairs, 4096);
    put_pair(&pairs, "REQUEST_METHOD", route[1] == 'h' ? "HEAD" : "POST");
    put_pair(&pairs, "DOCUMENT_URI", route);
    put_pair(&pairs, "ANALYTICS_ROLE", role);
    if (second_role != NULL)
        put_pair(&pairs, "ANALYTICS_ROLE", second_role);
    put_record(out, FCGI_PARAMS, pairs.data, pairs.len);
    put_record(out, FCGI_PARAMS, "", 0);
    buf_release(&pairs);
}

static void put_body(struct buf *out, size_t len)
{
    static const char filler[32768];

    for (size_t sent = 0; sent < len;) {
        size_t n = len - sent < sizeof filler ? len - sent : sizeof filler;

        put_record(out, FCGI_STDIN, filler, n);
        sent += n;
    }
    put_record(out, FCGI_STDIN, "", 0);
}

static void send_all(int fd, struct buf *out)
{
    size_t sent = 0;

    while (sent < out->len) {
        ssize_t n = send(fd, out->data + sent, out->len - sent, MSG_NOSIGNAL);

        ck_assert_int_gt(n, 0);
        sent += (size_t)n;
    }
    buf_release(out);
}

/* All STDOUT bytes up to the end of the connection; *ret_ends counts END_REQUEST records. */
static void read_answer(int fd, struct buf *ret_text, int *ret_ends)
{
    unsigned char header[8];
    char content[65536 + 256];

    *ret_ends = 0;
    while (recv(fd, header, sizeof header, MSG_WAITALL) == sizeof header) {
        size_t len = ((size_t)header[4] << 8) + header[5];

        if (len + header[6] > 0)
            ck_assert_int_eq(recv(fd, content, len + header[6], MSG_WAITALL), (ssize_t)(len + header[6]));
        if (header[1] == FCGI_STDOUT)
            buf_put(ret_text, content, len);
        *ret_ends += header[1] == FCGI_END;
    }
    (void)close(fd);
}

static void check_answer(int fd, const char *head_start, const char *body)
{
    struct buf text;
    const char *blank;
    int ends;

    buf_init(&text, 1u << 20);
    read_answer(fd, &text, &ends);
    ck_assert_int_eq(ends, 1);
    ck_assert_msg(strncmp(buf_cstr(&text), head_start, strlen(head_start)) == 0, "%s", buf_cstr(&text));
    blank = strstr(buf_cstr(&text), "\r\n\r\n");
    ck_assert_ptr_nonnull(blank);
    ck_assert_str_eq(blank + 4, body);
    buf_release(&text);
}

/* Connects last: the program waits two seconds for the beginning of a request, and under valgrind a large body takes as
 * long to make. */
static int ask(const char *route, size_t body_len)
{
    struct buf out;

    buf_init(&out, 32u << 20);
    put_begin(&out, 1, 0);
    put_params(&out, route, "admin", NULL);
    put_body(&out, body_len);
    int fd = dial();
    send_all(fd, &out);
    return fd;
}

static void check_alive(void)
{
    for (int i = 0; i < 2 * THREADS; i++)
        check_answer(ask("/x", 3), "Status: 200 OK\r\n", "/x admin 3");
}

/* Sends bytes and hangs up. */
static void blurt(const void *data, size_t len)
{
    int fd = dial();

    if (len > 0)
        (void)send(fd, data, len, MSG_NOSIGNAL);
    (void)close(fd);
}

/* ---- broken peers ---- */

START_TEST(peers_that_hang_up)
{
    struct buf out;

    buf_init(&out, 4096);
    put_begin(&out, 1, 0);
    put_params(&out, "/x", "admin", NULL);
    put_record(&out, FCGI_STDIN, "abc", 3);
    for (size_t len = 0; len <= out.len; len++)
        blurt(out.data, len);
    buf_release(&out);
    check_alive();
}
END_TEST

START_TEST(garbage)
{
    unsigned char noise[600];
    unsigned seed = 1;

    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < sizeof noise; i++) {
            seed = seed * 1664525u + 1013904223u;
            noise[i] = (unsigned char)(seed >> 24);
        }
        noise[0] = round % 2 == 0 ? 1 : noise[0];
        blurt(noise, sizeof noise);
    }
    check_alive();
}
END_TEST

/* The body ends with the connection, not with its empty record. */
START_TEST(body_cut_short)
{
    struct buf out;
    int fd = dial();

    buf_init(&out, 4096);
    put_begin(&out, 1, 0);
    put_params(&out, "/x", "admin", NULL);
    put_record(&out, FCGI_STDIN, "abc", 3);
    send_all(fd, &out);
    (void)shutdown(fd, SHUT_WR);
    check_answer(fd, "Status: 200 OK\r\n", "/x admin -1");
    check_alive();
}
END_TEST

/* On a kept connection, libfcgi would take the unread rest of a body for the next request. There must be one answer. */
START_TEST(forged_second_request)
{
    struct buf inner, out;
    int fd = dial();

    buf_init(&inner, 4096);
    buf_init(&out, 8192);
    put_begin(&inner, 1, 1);
    put_params(&inner, "/forged", "admin", NULL);
    put_body(&inner, 0);
    put_begin(&out, 1, 1);
    put_params(&out, "/unread", "worker", NULL);
    put_record(&out, FCGI_STDIN, inner.data, inner.len);
    put_record(&out, FCGI_STDIN, "", 0);
    buf_put(&out, inner.data, inner.len);
    buf_release(&inner);
    send_all(fd, &out);
    check_answer(fd, "Status: 200 OK\r\n", "/unread worker 0");
    check_alive();
}
END_TEST

START_TEST(role_given_twice)
{
    struct buf out;
    int fd = dial();

    buf_init(&out, 4096);
    put_begin(&out, 1, 0);
    put_params(&out, "/x", "worker", "admin");
    put_body(&out, 0);
    send_all(fd, &out);
    check_answer(fd, "Status: 200 OK\r\n", "/x  0");
}
END_TEST

/* For another role (authorizer, filter), the connection ends without an answer. */
START_TEST(other_fastcgi_roles)
{
    struct buf out, text;
    int ends;
    int fd = dial();

    buf_init(&out, 4096);
    buf_init(&text, 4096);
    put_begin(&out, 2, 0);
    put_params(&out, "/x", "admin", NULL);
    put_body(&out, 0);
    send_all(fd, &out);
    read_answer(fd, &text, &ends);
    ck_assert_uint_eq(text.len, 0);
    check_alive();
}
END_TEST

/* ---- good peers ---- */

START_TEST(bodies)
{
    check_answer(ask("/x", 0), "Status: 200 OK\r\n", "/x admin 0");
    check_answer(ask("/x", 10000000), "Status: 200 OK\r\n", "/x admin 10000000");
    check_answer(ask("/unread", 10000000), "Status: 200 OK\r\n", "/unread admin 0");
    check_alive();
}
END_TEST

START_TEST(head_has_no_body)
{
    check_answer(ask("/head", 0), "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n", "");
}
END_TEST

/* ---- start and stop ---- */

/* The signals of process managers; multiwatch sends SIGUSR1 by default. */
static const int stop_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

/* Until the program has read all that was sent. */
static void await_reading(int fd)
{
    int unread = 1;

    while (unread > 0) {
        (void)usleep(1000);
        ck_assert_int_eq(ioctl(fd, SIOCOUTQ, &unread), 0);
    }
}

/* A stop while a request is under way: it is answered, then the program ends with 0. */
START_TEST(stop_answers_what_is_under_way)
{
    int fd = ask("/slow", 3);

    await_reading(fd);
    ck_assert_int_eq(stop_server(stop_signals[_i]), 0);
    check_answer(fd, "Status: 200 OK\r\n", "/slow admin 3");
}
END_TEST

START_TEST(stops_when_idle)
{
    check_alive();
    ck_assert_int_eq(stop_server(SIGTERM), 0);
}
END_TEST

#define POOL 4

/* Clears O_NONBLOCK again and again, as systemd does at times: the flag belongs to the socket, not to a process. */
static pid_t fork_clearer(int fd)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    for (;;) {
        int flags = fcntl(fd, F_GETFL);

        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
}

/* A pool on one socket that another process makes blocking again and again: each of its processes stops. Without
 * SO_RCVTIMEO on the socket, some threads stay in accept, and the test times out. */
START_TEST(stops_on_a_socket_made_blocking)
{
    pid_t pool[POOL];
    pid_t clearer;
    int fd;

    ck_assert_int_eq(unlink(socket_path), 0);
    fd = listen_unix();
    clearer = fork_clearer(fd);
    for (int i = 0; i < POOL; i++) {
        pool[i] = fork_deaf();
        if (pool[i] == 0)
            _exit(serve_on(fd));
    }
    for (int i = 0; i < POOL; i++)
        check_alive();
    for (int i = 0; i < POOL; i++) {
        int status = -1;

        (void)kill(pool[i], SIGTERM);
        ck_assert_int_eq(waitpid(pool[i], &status, 0), pool[i]);
        ck_assert_int_eq(status, 0);
    }
    (void)kill(clearer, SIGKILL);
    ck_assert_int_eq(waitpid(clearer, NULL, 0), clearer);
    (void)close(fd);
}
END_TEST

static void check_pieces(const char *route, int expected_ends, const char *expected)
{
    struct buf text;
    int ends;
    buf_init(&text, 1u << 20);
    read_answer(ask(route, 3), &text, &ends);
    ck_assert_int_eq(ends, expected_ends);
    ck_assert_str_eq(buf_cstr(&text), expected);
    buf_release(&text);
}

/* An answer in pieces has no length in its head. If it fails in the middle, the record that ends a request is not sent,
 * so that nobody takes it for whole. */
START_TEST(answers_in_pieces)
{
    check_pieces("/pieces", 1, "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\none, two");
    check_pieces("/broken", 0, "");
    check_alive();
}
END_TEST

static int start_with(int fd)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(serve_on(fd));
    (void)close(fd);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* FCGI_GET_VALUES overwrites libfcgi's stack, so network peers must not reach it: Unix sockets only. */
START_TEST(starts_on_unix_sockets_only)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int tcp = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(start_with(open("/dev/null", O_RDONLY)), 2);
    ck_assert_int_eq(start_with(socket(AF_UNIX, SOCK_STREAM, 0)), 2); /* does not listen */
    ck_assert_int_eq(bind(tcp, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(tcp, 1), 0);
    ck_assert_int_eq(start_with(tcp), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fcgi");
    TCase *tcase = suite_case(suite, "fcgi");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, peers_that_hang_up);
    tcase_add_test(tcase, garbage);
    tcase_add_test(tcase, body_cut_short);
    tcase_add_test(tcase, forged_second_request);
    tcase_add_test(tcase, role_given_twice);
    tcase_add_test(tcase, other_fastcgi_roles);
    tcase_add_test(tcase, bodies);
    tcase_add_test(tcase, head_has_no_body);
    tcase_add_test(tcase, answers_in_pieces);
    tcase_add_loop_test(tcase, stop_answers_what_is_under_way, 0, (int)(sizeof stop_signals / sizeof *stop_signals));
    tcase_add_test(tcase, stops_when_idle);
    tcase_add_test(tcase, stops_on_a_socket_made_blocking);
    tcase_add_test(tcase, starts_on_unix_sockets_only);
    return suite_run_together(suite);
}
