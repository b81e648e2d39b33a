/* test_long_lists.c: lists with more rows than an answer in memory may have. As CSV, all of them arrive, in order, and
 * the memory of the program does not grow with the answer. Page by page, it is the same list. The figures of an order
 * are computed from its place in the list.
 *
 * Planted, and found: the whole answer kept in memory until its end (503 beyond 8 MiB; with a higher limit, the
 * memory); ties in the order in which their logs came. */
#include "support/engine.h"
#include "support/stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS 100000
#define BATCH 50000
#define RANGE "from=2026-03-15&to=2026-03-15"
#define STEP INT64_C(1000000000) /* long figures make a long answer */
#define BIG INT64_C(10000000000000)
#define ANSWER_AT_LEAST (8u << 20) /* the limit on an answer that is kept in memory */

/* The bytes of the order at a place of the list. Two neighbours have the same. */
static int64_t bytes_of(int64_t place)
{
    return (ORDERS - place / 2) * STEP;
}

/* The order at a place. Of two with equal bytes, the number that is first as text comes first: as all have six digits,
 * the lower one. They are posted in the reverse order. */
static int64_t order_at(int64_t place)
{
    return 100000 + place / 2 * 7919 % (ORDERS / 2) * 2 + place % 2;
}

/* Two milliseconds a request on average, rounded down: one millisecond is left over. */
static int64_t duration_of(int64_t place)
{
    return (BIG + place) * 2 + 1;
}

static void post_batch(int64_t first)
{
    char *body = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&body, &len);
    fprintf(file, "{\"logs\":[");
    for (int64_t place = first + BATCH - 1; place >= first; place--)
        fprintf(file,
                "{\"ts\":\"2026-03-15 10:15:00\",\"user_id\":1,\"order_id\":%" PRId64
                ",\"domain\":\"a.example\",\"count\":%" PRId64 ",\"bytes_sent\":%" PRId64 ",\"bytes_received\":%" PRId64
                ",\"error_count\":%" PRId64 ",\"max_concurrency\":%" PRId64 ",\"duration_ms\":%" PRId64 "}%s",
                order_at(place), BIG + place, bytes_of(place) - 1, (int64_t)1, BIG, BIG, duration_of(place),
                place > first ? "," : "]}");
    fclose(file);
    struct reply reply = stack_post(&shared, body, len, NULL);
    ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    reply_release(&reply);
    free(body);
}

static void expect_line(const char *line, int64_t place)
{
    char expected[256];
    snprintf(expected, sizeof expected,
             "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",1,%" PRId64 ",%" PRId64 ",2\r\n",
             order_at(place), BIG + place, BIG, bytes_of(place), bytes_of(place) - 1, BIG, duration_of(place));
    ck_assert_msg(!strncmp(line, expected, strlen(expected)), "at %" PRId64 ": %.100s, not %s", place, line, expected);
}

static struct reply get(const char *method, const char *path)
{
    return stack_send(&shared, &(struct request_spec){.method = method, .path = path, .key = shared.admin_key});
}

/* ---- memory: of the one program that answers reads ---- */

static pid_t query_program(void)
{
    pid_t pids[STACK_MAX_PROCESSES];
    ck_assert_uint_ge(stack_processes(&shared, "analytics-query", pids), 1);
    return pids[0];
}

/* The most memory that it has used since its start or `forget_peak`, in bytes. */
static size_t peak_memory(pid_t pid)
{
    char path[64];
    size_t len;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    char *text = stack_file(path, &len), *line = strstr(text, "VmHWM:");
    ck_assert_ptr_nonnull(line);
    size_t bytes = strtoul(line + strlen("VmHWM:"), NULL, 10) << 10;
    free(text);
    return bytes;
}

/* proc(5): clear_refs. */
static void forget_peak(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)pid);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("5", file);
    fclose(file);
}

/* A page of one row needs memory for the sums. All rows need memory to be sorted as well, 32 bytes a row, but none for
 * the text of the answer, 90 bytes a row. */
START_TEST(csv_has_all_rows)
{
    pid_t program = query_program();
    struct reply first = get("GET", "/analytics/breakdown?" RANGE "&by=order&limit=1");
    size_t before = peak_memory(program);
    reply_release(&first);
    forget_peak(program);
    struct reply reply = get("GET", "/analytics/breakdown?" RANGE "&by=order&format=csv");
    size_t after = peak_memory(program);
    char *total = reply_header(&reply, "x-total-count"), *length = reply_header(&reply, "content-length");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_gt(reply.body_len, ANSWER_AT_LEAST);
    ck_assert_str_eq(total, "100000");
    ck_assert_ptr_null(length);
    const char *line = strchr(reply.body, '\n') + 1;
    for (int64_t place = 0; place < ORDERS; place++, line = strchr(line, '\n') + 1)
        expect_line(line, place);
    ck_assert_str_eq(line, "");
    bool in_memory = engine_is_clickhouse(); /* up to 256 MiB: docs/scaling.md */
    ck_assert_msg(in_memory || is_sanitized() || after < before + reply.body_len * 3 / 4,
                  "%zu bytes of memory, %zu before", after, before);
    free(total);
    free(length);
    reply_release(&reply);
}
END_TEST

/* With page and limit, CSV has that page only. */
START_TEST(csv_has_the_page_that_is_asked_for)
{
    struct reply reply = get("GET", "/analytics/breakdown?" RANGE "&by=order&format=csv&limit=1000&page=100");
    char *pages = reply_header(&reply, "x-total-pages");
    ck_assert_str_eq(pages, "100");
    const char *line = strchr(reply.body, '\n') + 1;
    for (int64_t place = ORDERS - 1000; place < ORDERS; place++, line = strchr(line, '\n') + 1)
        expect_line(line, place);
    ck_assert_str_eq(line, "");
    free(pages);
    reply_release(&reply);
}
END_TEST

START_TEST(pages_are_the_same_list)
{
    int64_t place = 0;
    for (int page = 1; page <= 100; page += 33) {
        char path[128];
        snprintf(path, sizeof path, "/analytics/breakdown?" RANGE "&by=order&limit=1000&page=%d", page);
        json_object *body = stack_get(&shared, path), *rows = json_object_object_get(body, "data");
        ck_assert_int_eq(json_object_get_int64(json_object_object_get(body, "total")), ORDERS);
        ck_assert_int_eq(json_object_get_int64(json_object_object_get(body, "totalPages")), 100);
        ck_assert_uint_eq(json_object_array_length(rows), 1000);
        place = (page - 1) * INT64_C(1000);
        for (size_t i = 0; i < 1000; i++, place++)
            ck_assert_int_eq(atoll(member(json_object_array_get_idx(rows, i), "value")), order_at(place));
        json_object_put(body);
    }
    ck_assert_int_eq(place, ORDERS);
}
END_TEST

START_TEST(head_of_a_long_list)
{
    struct reply reply = get("HEAD", "/analytics/breakdown?" RANGE "&by=order&format=csv");
    char *total = reply_header(&reply, "x-total-count"), *etag = reply_header(&reply, "etag");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_eq(reply.body_len, 0);
    ck_assert_str_eq(total, "100000");
    ck_assert_ptr_nonnull(etag);
    free(total);
    free(etag);
    reply_release(&reply);
}
END_TEST

static void start(void)
{
    static const char *const arguments[] = {"--query-processes", "1", NULL};
    stack_start(&shared, arguments);
    for (int64_t first = 0; first < ORDERS; first += BATCH)
        post_batch(first);
}

int main(void)
{
    Suite *suite = suite_create("long_lists");
    TCase *tcase = stack_case(suite, "long_lists", start, stack_stop_shared);
    tcase_add_test(tcase, csv_has_all_rows);
    tcase_add_test(tcase, csv_has_the_page_that_is_asked_for);
    tcase_add_test(tcase, pages_are_the_same_list);
    tcase_add_test(tcase, head_of_a_long_list);
    return suite_run(suite);
}
