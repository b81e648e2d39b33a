/* test_overload.c: ten times the clients that the service can serve at once, bodies that take all memory they can get,
 * and clients that are slow, stop in the middle of a request, or send nothing, on nginx's port and on the programs' own
 * sockets. Memory stays within the bounds of docs/performance.md, answers are 204 or 200, or 503 and 429 with
 * Retry-After, every accepted batch is there once, and other clients get all their answers. Nothing is asserted about
 * time: latencies are printed. ANALYTICS_LONG=1 keeps it up for a minute.
 *
 * Bugs that were planted to see it fail, and what it printed:
 *   batches without a memory budget: "bodies cut short: analytics-ingest took 493 MiB"
 *   batches beyond 40 in the queue are dropped and accepted: "batch 132, accepted: 0 of its 20 logs are stored"
 *   a head that was cut short is answered: "'answers(&slow) == 0' failed: answers(&slow) == 34"
 *   1,024 connections for each of nginx's workers (chance decides): "result->silent == 250, 0 == 0" */
#include "crowd.h"
#include "base/limit.h"
#include "wrap.h"

#include "support/check.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REPORT "/analytics/websites?from=2026-03-15&to=2026-05-14"
#define INGEST_THREADS 64 /* app/main/ingest.c: requests at once */
#define QUERY_PROCESSES 4
#define INGEST_MIB 256 /* docs/performance.md */
#define QUERY_MIB 48

static struct stack stack;
static struct book *book;

static void begin(void)
{
    stack = (struct stack){0};
    book = book_open();
    stack_start(&stack, (const char *[]){"--query-processes", "4", NULL});
}

static void finish(const char *about)
{
    book_check(book, &stack, about);
    book_close(book);
    stack_stop(&stack);
}

/* ---- memory ---- */

/* VmHWM or VmRSS of the greatest process of a program, MiB. */
static double memory(const char *program, const char *field)
{
    pid_t pids[STACK_MAX_PROCESSES];
    double most = 0;
    stack_processes(&stack, program, pids);
    for (pid_t *pid = pids; *pid; pid++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/status", (int)*pid);
        char *text = stack_file(path, NULL), *line = strstr(text, field);
        double mib = line ? strtod(line + strlen(field) + 1, NULL) / 1024 : 0;
        most = mib > most ? mib : most;
        free(text);
    }
    return most;
}

static void check_memory(const char *about)
{
    double ingest = memory("analytics-ingest", "VmHWM"), query = memory("analytics-query", "VmHWM");
    printf("%s: peak memory: ingest %.0f MiB, a query process %.0f MiB\n", about, ingest, query);
    if (is_sanitized())
        return; /* the sanitizers' own memory is several times that */
    ck_assert_msg(ingest <= INGEST_MIB, "%s: analytics-ingest took %.0f MiB", about, ingest);
    ck_assert_msg(query <= QUERY_MIB, "%s: analytics-query took %.0f MiB", about, query);
}

/* ---- ten times too many ---- */

static void check_at_once(void)
{
    int64_t start = stack_now_ms();
    ck_assert_int_eq(book_post(book, &stack, 1000, 0), 204);
    int64_t middle = stack_now_ms();
    json_object_put(stack_get(&stack, REPORT));
    printf("right after it: the first batch %lld ms, the first report %lld ms\n", (long long)(middle - start),
           (long long)(stack_now_ms() - middle));
}

static void check_answers(const char *about, const struct crowd_result *result)
{
    crowd_print(about, result);
    ck_assert_int_eq(result->bad, 0);
    ck_assert_int_eq(result->silent, 0);
    ck_assert_int_gt(result->good, 0);
}

START_TEST(ten_times_too_many)
{
    begin();
    struct crowd *writers = crowd_start(
        &(struct crowd_plan){.stack = &stack, .clients = 10 * INGEST_THREADS, .book = book, .logs = 20, .pause = 1});
    struct crowd *readers =
        crowd_start(&(struct crowd_plan){.stack = &stack, .clients = 10 * QUERY_PROCESSES, .path = REPORT});
    stack_nap(is_long_run() ? 60000 : 4000);
    struct crowd_result reads = crowd_stop(readers), writes = crowd_stop(writers);
    check_at_once();
    check_answers("640 writers", &writes);
    check_answers("40 readers beside them", &reads);
    check_memory("ten times too many");
    finish("ten times too many");
}
END_TEST

/* ---- bodies that take memory ---- */

/* One body that many threads send, all at once, and the answers. */
struct flood {
    const char *body;
    size_t len;
    pthread_mutex_t lock;
    int refused, invalid, other;
};

static void *send_flood(void *ctx)
{
    struct flood *flood = ctx;
    struct reply reply = stack_post(&stack, flood->body, flood->len, NULL);
    char *retry = reply_header(&reply, "retry-after");
    pthread_mutex_lock(&flood->lock);
    flood->refused += reply.status == 503 && retry;
    flood->invalid += reply.status == 400;
    flood->other += reply.status != 400 && !(reply.status == 503 && retry);
    pthread_mutex_unlock(&flood->lock);
    free(retry);
    reply_release(&reply);
    return NULL;
}

/* A body with `logs` good logs, each with texts of its own, that ends before its brackets are closed. */
static char *cut_body(int logs, size_t *ret_len)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_len);
    fputs("{\"logs\":[", file);
    for (int i = 0; i < logs; i++)
        fprintf(file,
                "{\"ts\":\"2026-03-15 10:15:00\",\"user_id\":1,\"order_id\":3,\"count\":1,\"domain\":\"d%d.example\","
                "\"peer_id\":\"peer-%d\",\"worker\":\"worker-%d-%064d\",\"error\":\"%0128d\"},",
                i, i, i, i, i);
    fputs("{", file);
    fclose(file);
    return text;
}

static void flood_at_once(struct flood *flood, int count)
{
    pthread_t threads[INGEST_THREADS];
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_flood, flood), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* All parsed batches together may take LIMIT_BATCH_MEMORY_BYTES; beyond that, the answer is 503. */
static void cut_bodies(int logs, int count)
{
    struct flood flood = {.lock = PTHREAD_MUTEX_INITIALIZER};
    double idle = memory("analytics-ingest", "VmRSS");
    char *body = cut_body(logs, &flood.len);
    flood.body = body;
    for (int i = 0; i < (is_long_run() ? 10 : 2); i++)
        flood_at_once(&flood, count);
    free(body);
    printf("%d bodies of %d logs at once, cut short, %.1f MiB each: %d invalid, %d refused; idle %.0f MiB before, %.0f"
           " MiB after, peak %.0f MiB\n",
           count, logs, (double)flood.len / (1 << 20), flood.invalid, flood.refused, idle,
           memory("analytics-ingest", "VmRSS"), memory("analytics-ingest", "VmHWM"));
    ck_assert_int_eq(flood.other, 0);
}

START_TEST(bodies_cut_short)
{
    begin();
    cut_bodies(40000, 32);
    if (is_long_run())
        cut_bodies(40000, INGEST_THREADS);
    check_at_once();
    check_memory("bodies cut short");
    finish("bodies cut short");
}
END_TEST

/* ---- an hour with more logs than any other ---- */

/* Closing it adds up all its logs in memory. */
START_TEST(a_busy_hour)
{
    int batches = is_long_run() ? 16 : 2;
    begin();
    for (int i = 0; i < batches; i++)
        ck_assert_int_eq(book_post(book, &stack, 50000, 0), 204);
    double before = memory("analytics-ingest", "VmHWM");
    int64_t hour = stack_i64(&stack, "SELECT max(quarter) / 4 FROM raw_log");
    ck_assert_int_eq(book_post(book, &stack, 10, 7200), 204);
    stack_await_closed(&stack, hour + 1);
    printf(
        "an hour of %d logs, all of other users, domains or orders: %.0f MiB to take them in, %.0f MiB to close it\n",
        batches * 50000, before, memory("analytics-ingest", "VmHWM"));
    check_memory("a busy hour");
    finish("a busy hour");
}
END_TEST

/* ---- slow, half, silent ---- */

/* Four writers and four readers: all their requests succeed, with the attack and without. */
static void others(const char *about, int requests)
{
    char text[128];
    struct crowd *writers = crowd_start(&(struct crowd_plan){
        .stack = &stack, .clients = 4, .book = book, .logs = 100, .pause = 1, .nap_ms = 5, .most = requests});
    struct crowd *readers =
        crowd_start(&(struct crowd_plan){.stack = &stack, .clients = 4, .path = REPORT, .nap_ms = 5, .most = requests});
    struct crowd_result writes = crowd_wait(writers), reads = crowd_wait(readers);
    snprintf(text, sizeof text, "%s: batches of others", about);
    crowd_print(text, &writes);
    snprintf(text, sizeof text, "%s: reports of others", about);
    crowd_print(text, &reads);
    ck_assert_int_eq(writes.good, writes.requests);
    ck_assert_int_eq(reads.good, reads.requests);
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Connections. Some send a text, a byte a second, and then blanks for ever; the others send nothing more. */
struct slow {
    int fds[2048];
    size_t count, trickling; /* the first `trickling` of them send */
    char text[512];
    size_t len, sent;
    pthread_t thread;
    pthread_mutex_t lock;
    bool stop;
};

static void *trickle(void *ctx)
{
    struct slow *slow = ctx;
    bool stop = false;
    while (!stop) {
        for (size_t i = 0; i < slow->trickling; i++)
            if (send(slow->fds[i], slow->sent < slow->len ? &slow->text[slow->sent] : " ", 1,
                     MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                continue; /* nginx has closed it for being slow, as it may */
        slow->sent++;
        stack_nap(1000);
        pthread_mutex_lock(&slow->lock);
        stop = slow->stop;
        pthread_mutex_unlock(&slow->lock);
    }
    return NULL;
}

static void slow_start(struct slow *slow)
{
    pthread_mutex_init(&slow->lock, NULL);
    ck_assert_int_eq(pthread_create(&slow->thread, NULL, trickle, slow), 0);
}

static void slow_stop(struct slow *slow)
{
    pthread_mutex_lock(&slow->lock);
    slow->stop = true;
    pthread_mutex_unlock(&slow->lock);
    pthread_join(slow->thread, NULL);
    for (size_t i = 0; i < slow->count; i++)
        close(slow->fds[i]);
    pthread_mutex_destroy(&slow->lock);
}

static void slow_add(struct slow *slow, int fd, const void *bytes, size_t len)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    slow->fds[slow->count++] = fd;
}

/* Connections to nginx's port: slow heads, slow bodies, half heads, half bodies, and 1,000 that send nothing. */
static void attack_port(struct slow *slow)
{
    char head[512], half[512];
    int len =
        snprintf(head, sizeof head,
                 "POST /analytics/ingest HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: 100000\r\n\r\n{\"logs\":[",
                 stack.worker_key);
    slow->len = (size_t)snprintf(slow->text, sizeof slow->text,
                                 "GET " REPORT " HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\n\r\n", stack.admin_key);
    for (int i = 0; i < 50; i++)
        slow_add(slow, stack_connect(&stack, 30), "", 0);
    for (int i = 0; i < 50; i++)
        slow_add(slow, stack_connect(&stack, 30), head, (size_t)len);
    slow->trickling = slow->count;
    snprintf(half, sizeof half, "GET " REPORT " HTTP/1.1\r\nHost: x\r\nx-api");
    for (int i = 0; i < 50; i++)
        slow_add(slow, stack_connect(&stack, 30), half, strlen(half));
    for (int i = 0; i < 50; i++)
        slow_add(slow, stack_connect(&stack, 30), head, (size_t)len);
    for (int i = 0; i < 1000; i++)
        slow_add(slow, stack_connect(&stack, 30), "", 0);
}

START_TEST(slow_clients)
{
    struct slow slow = {0};
    int requests = is_long_run() ? 1000 : 30;
    begin();
    allow_descriptors();
    others("nobody is slow", requests);
    attack_port(&slow);
    slow_start(&slow);
    others("200 slow or half requests and 1,000 idle connections", requests);
    slow_stop(&slow);
    others("nobody is slow any more", requests);
    check_at_once();
    check_memory("slow clients");
    finish("slow clients");
}
END_TEST

/* ---- the programs' own sockets ---- */

static int connect_unix(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/data/run/%s", stack.dir, name);
    ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "%s: %s", name, strerror(errno));
    return fd;
}

/* FastCGI specification, 3.3 and 5.1: the record that begins a request; nothing follows. */
static const unsigned char begin_record[] = {1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};

/* A head that was cut short is no request: nothing is answered. */
static int answers(const struct slow *slow)
{
    char byte;
    int count = 0;
    for (size_t i = 0; i < slow->count; i++)
        count += recv(slow->fds[i], &byte, 1, MSG_DONTWAIT) > 0;
    return count;
}

START_TEST(silent_peers)
{
    struct slow slow = {0};
    int requests = is_long_run() ? 200 : 25;
    begin();
    others("nobody is silent", requests);
    for (int round = 0; round < (is_long_run() ? 10 : 1); round++) {
        slow = (struct slow){0};
        for (int i = 0; i < INGEST_THREADS / 2; i++)
            slow_add(&slow, connect_unix("ingest.sock"), begin_record, sizeof begin_record);
        for (int i = 0; i < QUERY_PROCESSES * 2; i++)
            slow_add(&slow, connect_unix("query.sock"), begin_record, i % 2 ? sizeof begin_record : 0);
        slow_start(&slow);
        others("32 and 8 silent peers on the programs' sockets", requests);
        ck_assert_int_eq(answers(&slow), 0);
        slow_stop(&slow);
    }
    others("nobody is silent any more", requests);
    check_at_once();
    check_memory("silent peers");
    finish("silent peers");
}
END_TEST

int main(void)
{
    const struct attack attacks[] = {
        {"ten_times_too_many", ten_times_too_many, false},
        {"bodies_cut_short", bodies_cut_short, false},
        {"a_busy_hour", a_busy_hour, false},
        {"slow_clients", slow_clients, false},
        {"silent_peers", silent_peers, false},
    };
    return run_attacks("overload", attacks, sizeof attacks / sizeof *attacks);
}
