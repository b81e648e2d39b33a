/* test_wal.c: readers that do not end, and reports without a gap between them, while batches come in: the write-ahead
 * log exceeds its limit (--wal-limit-mib) by one transaction at most. Beyond the limit batches are refused, with the
 * reason in the log, and later accepted again without a restart. ANALYTICS_LONG=1 goes on for minutes.
 *
 * Bugs that were planted to see it fail, and what it printed:
 *   make_room() always OK: "400,000 logs and no refusal: the WAL has 40.1 MiB", and "batch 2: 0, expected 17"
 *   a start takes an old WAL for a new one: "batch 2: 0, expected 17"
 *   a refusal that health is not told of: "'store_writer_health(writer, &fault) == ERR_UNAVAILABLE' failed"
 *   a new beginning that readers prevented is taken for one: "400,000 logs and no refusal: the WAL has 68.5 MiB" */
#include "crowd.h"
#include "store/store.h"
#include "wrap.h"

#include "support/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT_MIB 8
#define GROUP_MIB 16 /* more than one group of 4 batches, or one hour's closing, can add */
#define REPORT "/analytics/websites?from=2026-03-15&to=2026-05-14"
#define CHART "/analytics/traffic?from=2026-03-15&to=2026-05-14&granularity=15m&fill=zero"

static struct stack stack;

static int64_t wal_bytes(void)
{
    char path[128];
    struct stat file;
    snprintf(path, sizeof path, "%s/data/analytics.db-wal", stack.dir);
    return stat(path, &file) == 0 ? file.st_size : 0;
}

static double mib(int64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static sqlite3 *hold(void)
{
    sqlite3 *reader = stack_database(&stack);
    ck_assert_int_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM closing", NULL, NULL, NULL), SQLITE_OK);
    return reader;
}

/* Lets 4 clients post until a batch is refused, or all are sent. */
static struct crowd_result post_until_refused(struct book *book, int batches, int64_t *ret_wal)
{
    struct book_counts before = book_counts(book), now = before;
    struct crowd *crowd = crowd_start(&(struct crowd_plan){
        .stack = &stack, .clients = 4, .book = book, .logs = 1000, .pause = 60, .most = batches / 4});
    for (*ret_wal = 0; now.refused == before.refused && now.sent < before.sent + batches; now = book_counts(book)) {
        *ret_wal = wal_bytes() > *ret_wal ? wal_bytes() : *ret_wal;
        stack_nap(10);
    }
    return crowd_stop(crowd);
}

static void check_refusing(struct book *book)
{
    ck_assert_int_eq(book_post(book, &stack, 10, 60), 503);
    struct reply reply = stack_send(&stack, &(struct request_spec){.path = "/analytics/health"});
    check_error(&reply, 503, "analytics.unavailable", "/analytics/health", "can't be written");
    reply_release(&reply);
    char *log = stack_log(&stack);
    ck_assert_msg(strstr(log, "a program that reads analytics.db keeps a transaction open") != NULL,
                  "no reason in the log:\n%s", log);
    free(log);
    json_object_put(stack_get(&stack, REPORT)); /* reads go on */
}

/* Batches are accepted again, and health says so, without a restart. */
static void await_recovery(struct book *book)
{
    int64_t until = stack_now_ms() + HANG_MS;
    long status = 0;
    while (status != 204 && stack_now_ms() < until)
        status = book_post(book, &stack, 10, 60);
    ck_assert_msg(status == 204, "no recovery in 30 s");
    for (status = 0; status != 200 && stack_now_ms() < until; stack_nap(20)) {
        struct reply reply = stack_send(&stack, &(struct request_spec){.path = "/analytics/health"});
        status = reply.status;
        reply_release(&reply);
    }
    ck_assert_int_eq(status, 200);
}

static void begin(const char *options)
{
    stack = (struct stack){0};
    wrap_start(&stack, &(struct wrapping){.options = options});
}

static void finish(struct book *book, const char *about)
{
    book_check(book, &stack, about);
    book_close(book);
    stack_stop(&stack);
}

static void one_reader(struct book *book)
{
    int64_t seen = 0;
    sqlite3 *reader = hold();
    int refused = book_counts(book).refused;
    struct crowd_result result = post_until_refused(book, 400, &seen);
    int64_t wal = wal_bytes();
    crowd_print("ingest, a reader does not end", &result);
    ck_assert_msg(book_counts(book).refused > refused, "400,000 logs and no refusal: the WAL has %.1f MiB", mib(wal));
    ck_assert_msg(wal <= (int64_t)(LIMIT_MIB + GROUP_MIB) << 20, "the WAL has %.1f MiB", mib(wal));
    check_refusing(book);
    stack_nap(2500); /* time for probes and upkeep, which must not write either */
    check_refusing(book);
    ck_assert_int_eq(wal_bytes(), wal);
    sqlite3_close(reader);
    await_recovery(book);
    printf("WAL: %.1f MiB under a reader that does not end (ceiling %d MiB and one transaction)\n", mib(wal),
           LIMIT_MIB);
}

START_TEST(a_reader_that_does_not_end)
{
    struct book *book = book_open();
    int64_t seen = 0;
    begin("--wal-limit-mib 8");
    struct crowd_result result = post_until_refused(book, 40, &seen);
    crowd_print("ingest, no reader", &result);
    for (int i = 0; i < rounds(2, 1, 20); i++)
        one_reader(book);
    finish(book, "a reader that does not end");
}
END_TEST

/* Clients that ask for a megabyte and read nothing of it: nginx keeps the answer, and no read transaction
 * stays open. */
static void ask_and_stop(int *ret_fds, int count)
{
    char request[512];
    int len = snprintf(request, sizeof request, "GET " CHART " HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\n\r\n",
                       stack.admin_key);
    for (int i = 0; i < count; i++) {
        int little = 4096;
        ret_fds[i] = stack_connect(&stack, 30);
        setsockopt(ret_fds[i], SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        ck_assert_int_eq(send(ret_fds[i], request, (size_t)len, MSG_NOSIGNAL), len);
    }
}

START_TEST(clients_that_stop_reading)
{
    enum { STOPPED = 40 };
    struct book *book = book_open();
    int fds[STOPPED];
    int64_t wal = 0;
    begin("--wal-limit-mib 8");
    ask_and_stop(fds, STOPPED);
    struct crowd_result result = post_until_refused(book, is_long_run() ? 400 : 40, &wal);
    crowd_print("ingest, 40 clients have stopped reading", &result);
    ck_assert_int_eq(result.refused, 0);
    for (int i = 0; i < STOPPED; i++)
        close(fds[i]);
    finish(book, "clients that stop reading");
}
END_TEST

/* Overlapping reports: there is always a reader. The WAL must be restarted all the same. A batch may be refused only
 * where a report takes longer than the writer waits for it. */
START_TEST(reports_without_a_gap)
{
    struct book *book = book_open();
    int64_t wal = 0;
    int limit_mib = is_long_run() ? 128 : LIMIT_MIB;
    begin(is_long_run() ? "--wal-limit-mib 128" : "--wal-limit-mib 8");
    struct crowd *readers = crowd_start(&(struct crowd_plan){.stack = &stack, .clients = 8, .path = REPORT});
    struct crowd_result result = post_until_refused(book, is_long_run() ? 1000 : 160, &wal);
    struct crowd_result reads = crowd_stop(readers);
    crowd_print("ingest, reports without a gap", &result);
    crowd_print("those reports, of two months", &reads);
    printf("WAL: %.1f MiB at most under 8 readers (ceiling %d MiB)\n", mib(wal), limit_mib);
    ck_assert_msg(wal <= (int64_t)(limit_mib + GROUP_MIB) << 20, "the WAL has %.1f MiB", mib(wal));
    ck_assert_int_eq(reads.good, reads.requests);
    ck_assert_int_eq(result.good + result.refused, result.requests);
    finish(book, "reports without a gap");
}
END_TEST

/* ---- in the store ---- */

static void write_one(struct store_writer *writer, int n, enum err expected)
{
    struct batch batch;
    struct store_times times;
    struct log_record log = {.ts = 1773532800 + n, .user_id = 1, .order_id = 1, .count = 1};
    batch_init(&batch, NULL);
    ck_assert_int_eq(batch_add(&batch, &log), OK);
    struct store_item item = {.batch = &batch, .caller = "test"};
    store_write(writer, &item, 1, 1773532800, &times);
    ck_assert_msg(item.result == expected, "batch %d: %d, expected %d: %s", n, item.result, expected,
                  item.fault.detail);
    batch_release(&batch);
}

/* Nothing is appended to a WAL that is found at the start, even if a reader keeps it from being restarted: a power cut
 * may still take the WAL, and all that was appended to it. */
START_TEST(an_old_wal_under_a_reader)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    char data[80];
    stack = (struct stack){0};
    stack_folder(&stack);
    snprintf(data, sizeof data, "%s/data", stack.dir);
    ck_assert_int_eq(mkdir(data, 0700), 0);
    ck_assert_int_eq(store_writer_open(store_in(data), &writer, &fault), OK);
    write_one(writer, 1, OK);
    store_writer_close(writer);
    sqlite3 *reader = hold();
    int64_t before = wal_bytes();
    ck_assert_int_eq(store_writer_open(store_in(data), &writer, &fault), OK);
    write_one(writer, 2, ERR_UNAVAILABLE);
    ck_assert_int_eq(store_writer_health(writer, &fault), ERR_UNAVAILABLE);
    ck_assert_int_eq(wal_bytes(), before);
    sqlite3_close(reader);
    store_writer_probe(writer);
    ck_assert_int_eq(store_writer_health(writer, &fault), OK);
    write_one(writer, 3, OK);
    store_writer_close(writer);
    ck_assert_int_eq(stack_i64(&stack, "SELECT count(*) FROM raw_log"), 2);
    stack_remove(&stack);
}
END_TEST

int main(void)
{
    const struct attack attacks[] = {
        {"an_old_wal_under_a_reader", an_old_wal_under_a_reader, false},
        {"a_reader_that_does_not_end", a_reader_that_does_not_end, false},
        {"clients_that_stop_reading", clients_that_stop_reading, false},
        {"reports_without_a_gap", reports_without_a_gap, false},
    };
    return run_attacks("wal", attacks, sizeof attacks / sizeof *attacks);
}
