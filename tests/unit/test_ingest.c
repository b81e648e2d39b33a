/* test_ingest.c: the ingest endpoint through plain requests, with a real writer and two engines: SQLite in a folder of
 * its own, and the one that keeps all logs in memory. */
#include "endpoint/routes.h"
#include "service/writer.h"
#include "support/exchanges.h"
#include "support/fixture.h"
#include "support/memory_store.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/banned.h"

#define MIB (1u << 20)
#define LENGTH_RIGHT (-2) /* Content-Length is the body's */

#define LOG "{\"ts\":\"2026-03-15 10:15:00\",\"user_id\":1,\"order_id\":3,\"domain\":\"Google.com.\",\"count\":12}"
#define GOOD "{\"logs\":[" LOG "]}"

static const char *engine; /* the name of this case's engine */
static struct store_place place;
static struct service service;
static struct batch_budget budget;
static struct request request;
static struct response response;
static struct fault fault;

/* A body in memory, given out in pieces. */
struct body {
    const char *data;
    size_t len;
    size_t piece;
    bool breaks; /* ends with -1, as a broken connection */
};

static ptrdiff_t read_memory(void *ctx, char *ret_data, size_t size)
{
    struct body *body = ctx;
    size_t n = body->len < body->piece ? body->len : body->piece;

    if (n > size)
        n = size;
    if (n == 0)
        return body->breaks ? -1 : 0;
    memcpy(ret_data, body->data, n);
    body->data += n;
    body->len -= n;
    return (ptrdiff_t)n;
}

static void set_up(struct store_place at)
{
    struct writer_options options = {
        .queue_batches = 8, .group_logs = 20000, .wait_ms = 5000, .idempotency_seconds = 86400};
    struct store_writer *store = NULL;

    ck_assert_int_ge(sodium_init(), 0);
    place = at;
    service_init(&service, PROGRAM_INGEST, place, 10000);
    budget = (struct batch_budget){.max_bytes = LIMIT_BATCH_MEMORY_BYTES};
    service.budget = &budget;
    ck_assert_msg(store_writer_open(place, &store, &fault) == OK, "%s", fault.detail);
    ck_assert_int_eq(writer_start(store, &options, &service.writer, &fault), OK);
    response_init(&response);
}

static void set_up_sqlite(void)
{
    engine = "sqlite";
    folder_make();
    set_up(store_in(folder));
}

static void set_up_memory(void)
{
    engine = "memory";
    folder_make();
    set_up(memory_store_place());
}

static void tear_down(void)
{
    ck_assert_uint_eq(budget.used_bytes, 0);
    response_release(&response);
    writer_stop(service.writer);
    service_release(&service);
    memory_store_clear();
    folder_remove();
}

static void prepare(const char *content_type, const char *encoding, const char *key)
{
    request = (struct request){.method = HTTP_POST,
                               .route = "/analytics/ingest",
                               .path = slice_of("/analytics/ingest"),
                               .query_string = "",
                               .content_type = content_type,
                               .content_encoding = encoding,
                               .accept = "",
                               .idempotency_key = key,
                               .role = ROLE_WORKER,
                               .caller = "worker",
                               .api_key = "",
                               .now_ms = INT64_C(1775044800123),
                               .read_body = read_memory};
}

static int send_body(struct body body, int64_t content_length)
{
    request.content_length = content_length == LENGTH_RIGHT ? (int64_t)body.len : content_length;
    request.read_ctx = &body;
    response_release(&response);
    response_init(&response);
    routes_answer(&service, &request, &response);
    exchanges_note_behind(engine, &request, &response);
    return response.status;
}

static int post(const void *data, size_t len)
{
    return send_body((struct body){data, len, 65536, false}, LENGTH_RIGHT);
}

static int post_text(const char *text)
{
    return post(text, strlen(text));
}

/* The answer's `message`. */
static void check_message(const char *expected)
{
    char start[128];

    (void)snprintf(start, sizeof start, "{\"message\":\"%s\",\"path\":\"/analytics/ingest\",", expected);
    ck_assert_msg(strncmp(buf_cstr(&response.body), start, strlen(start)) == 0, "%s", buf_cstr(&response.body));
}

/* The sum of `count` over all stored logs. All logs here are of 2026; a chart of all time would take a second. */
static int64_t stored(void)
{
    struct report_filter filter = {.from = INT64_C(1767225600), .to = INT64_C(1798761600)};
    struct store_reader *reader = NULL;
    struct chart chart = {0};
    int64_t sum = 0;

    ck_assert_int_eq(store_reader_open(place, &reader, &fault), OK);
    ck_assert_int_eq(store_chart(reader, &filter, GRANULARITY_MONTH, false, &chart, &fault), OK);
    for (size_t i = 0; i < chart.count; i++)
        sum += chart.points[i].totals.count;
    chart_release(&chart);
    store_reader_close(reader);
    return sum;
}

/* ---- refused ---- */

static const struct {
    const char *body;
    const char *content_type;
    const char *encoding;
    const char *key;
    int64_t content_length;
    int status;
    const char *message;
} refused[] = {
    {"", "application/json", "", NULL, -2, 400, "analytics.body_invalid"},
    {"", "application/json", "", NULL, -1, 400, "analytics.body_invalid"},
    {"{", "application/json", "", NULL, -2, 400, "analytics.body_invalid"},
    {"[]", "application/json", "", NULL, -2, 400, "analytics.body_invalid"},
    {"{}", "application/json", "", NULL, -2, 400, "analytics.body_invalid"},
    {GOOD "x", "application/json", "", NULL, -2, 400, "analytics.body_invalid"},
    {GOOD, "application/json", "", NULL, 1, 400, "analytics.body_invalid"},
    {GOOD, "application/json", "", NULL, 0, 400, "analytics.body_invalid"},
    {GOOD, "application/json", "", NULL, 5000, 400, "analytics.body_invalid"},
    {GOOD, "application/json", "", NULL, 16777217, 413, "analytics.body_too_large"},
    {GOOD, "application/json", "", NULL, INT64_MAX, 413, "analytics.body_too_large"},
    {GOOD, "application/json", "gzip", NULL, -2, 400, "analytics.body_invalid"},
    {"", "application/json", "gzip", NULL, -2, 400, "analytics.body_invalid"},
    {"{\"logs\":[{}]}", "application/json", "", NULL, -2, 400, "analytics.logs_invalid"},
    {GOOD, "", "", NULL, -2, 415, "analytics.content_type_unsupported"},
    {GOOD, "text/plain", "", NULL, -2, 415, "analytics.content_type_unsupported"},
    {GOOD, "application/jsonx", "", NULL, -2, 415, "analytics.content_type_unsupported"},
    {GOOD, "application/json, text/plain", "", NULL, -2, 415, "analytics.content_type_unsupported"},
    {GOOD, " application/json", "", NULL, -2, 415, "analytics.content_type_unsupported"},
    {GOOD, "application/x-www-form-urlencoded", "", NULL, -2, 415, "analytics.content_type_unsupported"},
    {GOOD, "application/json", "br", NULL, -2, 415, "analytics.content_encoding_unsupported"},
    {GOOD, "application/json", "gzip, gzip", NULL, -2, 415, "analytics.content_encoding_unsupported"},
    {GOOD, "application/json", ", ", NULL, -2, 415, "analytics.content_encoding_unsupported"},
    {GOOD, "application/json", "x-gzip", NULL, -2, 400, "analytics.body_invalid"}, /* known, but the body is no gzip */
    {GOOD, "application/json", "deflate", NULL, -2, 415, "analytics.content_encoding_unsupported"},
    {GOOD, "application/json", "", "", -2, 400, "analytics.idempotency_key_invalid"},
    {GOOD, "application/json", "", " ", -2, 400, "analytics.idempotency_key_invalid"},
    {GOOD, "application/json", "", "a b", -2, 400, "analytics.idempotency_key_invalid"},
    {GOOD, "application/json", "", "a\x7f", -2, 400, "analytics.idempotency_key_invalid"},
    {GOOD, "application/json", "", "\xc3\xa4", -2, 400, "analytics.idempotency_key_invalid"},
    /* the order of checks */
    {GOOD, "", "br", "", INT64_MAX, 415, "analytics.content_type_unsupported"},
    {GOOD, "application/json", "br", "", INT64_MAX, 415, "analytics.content_encoding_unsupported"},
    {GOOD, "application/json", "", "", INT64_MAX, 400, "analytics.idempotency_key_invalid"},
};

START_TEST(refuses)
{
    struct body body = {refused[_i].body, strlen(refused[_i].body), 65536, false};

    prepare(refused[_i].content_type, refused[_i].encoding, refused[_i].key);
    ck_assert_int_eq(send_body(body, refused[_i].content_length), refused[_i].status);
    check_message(refused[_i].message);
    ck_assert_int_eq(stored(), 0);
}
END_TEST

START_TEST(refuses_broken_off)
{
    prepare("application/json", "", NULL);
    ck_assert_int_eq(send_body((struct body){GOOD, sizeof GOOD - 1, 7, true}, -1), 503);
    check_message("analytics.unavailable");
    ck_assert_int_eq(stored(), 0);
}
END_TEST

START_TEST(refuses_long_keys)
{
    char key[257];

    memset(key, 'k', sizeof key);
    key[256] = '\0';
    prepare("application/json", "", key);
    ck_assert_int_eq(post_text(GOOD), 400);
    key[255] = '\0';
    ck_assert_int_eq(post_text(GOOD), 204);
}
END_TEST

/* ---- sizes ---- */

/* GOOD and blanks, `len` bytes in all. */
static char *padded(size_t len)
{
    char *text = malloc(len);

    ck_assert_ptr_nonnull(text);
    memset(text, ' ', len);
    memcpy(text, GOOD, sizeof GOOD - 1);
    return text;
}

START_TEST(bounds_body)
{
    char *text = padded(16 * MIB + 1);

    prepare("application/json", "", NULL);
    ck_assert_int_eq(send_body((struct body){text, 16 * MIB + 1, 65536, false}, -1), 413);
    check_message("analytics.body_too_large");
    ck_assert_int_eq(stored(), 0);
    ck_assert_int_eq(send_body((struct body){text, 16 * MIB, 65536, false}, -1), 204);
    ck_assert_int_eq(stored(), 12);
    free(text);
}
END_TEST

/* {"logs":[…]} with `count` good logs. */
static void put_logs(struct buf *buf, unsigned count)
{
    buf_init(buf, 16 * MIB);
    buf_puts(buf, "{\"logs\":[");
    for (unsigned i = 0; i < count; i++) {
        buf_puts(buf, i > 0 ? "," LOG : LOG);
    }
    buf_puts(buf, "]}");
}

START_TEST(bounds_logs)
{
    struct buf body;

    prepare("application/json", "", NULL);
    put_logs(&body, LIMIT_LOGS + 1);
    ck_assert_int_eq(post(body.data, body.len), 413);
    check_message("analytics.body_too_large");
    ck_assert_int_eq(stored(), 0);
    buf_release(&body);
    put_logs(&body, LIMIT_LOGS);
    ck_assert_int_eq(post(body.data, body.len), 204);
    ck_assert_int_eq(stored(), INT64_C(12) * LIMIT_LOGS);
    buf_release(&body);
}
END_TEST

/* Batches share their memory: one that does not fit gets 503, and its memory is given back. */
START_TEST(bounds_memory)
{
    struct buf body;

    budget.max_bytes = 100000;
    prepare("application/json", "", NULL);
    put_logs(&body, 5000);
    ck_assert_int_eq(post(body.data, body.len), 503);
    check_message("analytics.unavailable");
    ck_assert_uint_eq(budget.used_bytes, 0);
    ck_assert_int_eq(post_text(GOOD), 204);
    buf_release(&body);
}
END_TEST

START_TEST(names_100_errors_and_counts_all)
{
    struct buf body;
    const char *text;

    prepare("application/json", "", NULL);
    buf_init(&body, MIB);
    buf_puts(&body, "{\"logs\":[");
    for (int i = 0; i < 150; i++)
        buf_puts(&body, i > 0 ? ",7" : "7");
    buf_puts(&body, "]}");
    ck_assert_int_eq(post(body.data, body.len), 400);
    check_message("analytics.logs_invalid");
    text = buf_cstr(&response.body);
    ck_assert_ptr_nonnull(strstr(text, "\"errors\":[{\"index\":0,\"field\":\"\",\"message\":\""));
    ck_assert_ptr_nonnull(strstr(text, "{\"index\":99,"));
    ck_assert_ptr_null(strstr(text, "{\"index\":100,"));
    ck_assert_ptr_nonnull(strstr(text, "],\"error_count\":150}"));
    buf_release(&body);
}
END_TEST

/* ---- accepted ---- */

static const struct {
    const char *content_type;
    const char *encoding;
    int64_t content_length;
    size_t piece;
} accepted[] = {
    {"application/json", "", -2, 65536},
    {"application/json", "", -1, 1},
    {"Application/JSON", "Identity", -2, 3},
    {"application/json;charset=utf-8", "", -2, 65536},
    {"application/json \t; charset=\"utf-8\"", "", -1, 65536},
};

START_TEST(accepts)
{
    prepare(accepted[_i].content_type, accepted[_i].encoding, NULL);
    ck_assert_int_eq(
        send_body((struct body){GOOD, sizeof GOOD - 1, accepted[_i].piece, false}, accepted[_i].content_length), 204);
    ck_assert_ptr_null(response.content_type);
    ck_assert_uint_eq(response.body.len, 0);
    ck_assert_int_eq(stored(), 12);
}
END_TEST

START_TEST(accepts_no_logs)
{
    prepare("application/json", "", NULL);
    ck_assert_int_eq(post_text("{\"logs\":[]}"), 204);
    ck_assert_int_eq(stored(), 0);
}
END_TEST

/* ---- gzip ---- */

/* One gzip member; the caller frees. */
static unsigned char *gzip(const void *data, size_t len, size_t *ret_len)
{
    z_stream stream = {0};
    unsigned char *out;
    size_t cap = len + 1024;

    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    out = malloc(cap);
    ck_assert_ptr_nonnull(out);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)len;
    stream.next_out = out;
    stream.avail_out = (uInt)cap;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *ret_len = cap - stream.avail_out;
    (void)deflateEnd(&stream);
    return out;
}

START_TEST(inflates)
{
    size_t len;
    unsigned char *body = gzip(GOOD, sizeof GOOD - 1, &len);

    prepare("application/json", "GZip", NULL);
    ck_assert_int_eq(send_body((struct body){(char *)body, len, 1, false}, (int64_t)len), 204);
    ck_assert_int_eq(stored(), 12);
    ck_assert_int_eq(post(body, len - 1), 400);
    check_message("analytics.body_invalid");
    body[len - 5] ^= 1; /* the checksum */
    ck_assert_int_eq(post(body, len), 400);
    ck_assert_int_eq(stored(), 12);
    free(body);
}
END_TEST

START_TEST(refuses_bombs)
{
    size_t len;
    char *text = padded(16 * MIB + 1);
    unsigned char *body = gzip(text, 16 * MIB + 1, &len);

    ck_assert_uint_lt(len, 100000);
    prepare("application/json", "gzip", NULL);
    ck_assert_int_eq(post(body, len), 413);
    check_message("analytics.body_too_large");
    ck_assert_int_eq(stored(), 0);
    free(body);
    free(text);
}
END_TEST

/* ---- idempotency ---- */

static bool was_replayed(void)
{
    for (size_t i = 0; i < response.header_count; i++) {
        if (strcmp(response.headers[i].name, "Idempotency-Replayed") == 0)
            return strcmp(response.headers[i].value, "true") == 0;
    }
    return false;
}

START_TEST(counts_a_key_once)
{
    size_t len;
    unsigned char *body = gzip(GOOD, sizeof GOOD - 1, &len);

    prepare("application/json", "", "k");
    ck_assert_int_eq(post_text(GOOD), 204);
    ck_assert(!was_replayed());
    ck_assert_int_eq(post_text(GOOD), 204);
    ck_assert(was_replayed());
    ck_assert_int_eq(post_text(GOOD " "), 422);
    check_message("analytics.idempotency_key_reused");
    prepare("application/json", "gzip", "k"); /* the same body, packed */
    ck_assert_int_eq(post(body, len), 204);
    ck_assert(was_replayed());
    ck_assert_int_eq(stored(), 12);
    prepare("application/json", "", "k"); /* another caller's key */
    request.caller = "key:2";
    ck_assert_int_eq(post_text(GOOD), 204);
    ck_assert(!was_replayed());
    ck_assert_int_eq(stored(), 24);
    free(body);
}
END_TEST

/* A refused batch does not use up its key. */
START_TEST(refusal_claims_no_key)
{
    prepare("application/json", "", "k");
    ck_assert_int_eq(post_text("{\"logs\":[{}]}"), 400);
    ck_assert_int_eq(post_text(GOOD), 204);
    ck_assert(!was_replayed());
}
END_TEST

/* ---- sums, health ---- */

#define HUGE_LOG                                                                                                       \
    "{\"ts\":\"2026-03-15\",\"user_id\":1,\"order_id\":3,\"domain\":\"a\",\"count\":0,\"bytes_sent\":"                 \
    "9007199254740991}"

/* 1,024 × (2^53-1) fits in 2^63-1, the next 1,024 do not. The answer is that of bad logs, but names none. */
START_TEST(refuses_sums_that_overflow)
{
    struct buf body;

    prepare("application/json", "", NULL);
    buf_init(&body, MIB);
    buf_puts(&body, "{\"logs\":[" HUGE_LOG);
    for (int i = 1; i < 1024; i++)
        buf_puts(&body, "," HUGE_LOG);
    buf_puts(&body, "]}");
    ck_assert_int_eq(post(body.data, body.len), 204);
    ck_assert_int_eq(post(body.data, body.len), 400);
    check_message("analytics.logs_invalid");
    ck_assert_ptr_nonnull(strstr(buf_cstr(&response.body), "\"errors\":[],\"error_count\":0}"));
    buf_release(&body);
}
END_TEST

START_TEST(tells_health)
{
    prepare("", "", NULL);
    request.method = HTTP_GET;
    request.route = "/analytics/health";
    request.role = ROLE_NONE;
    ck_assert_int_eq(post_text(""), 200);
    ck_assert_str_eq(buf_cstr(&response.body), "{\"status\":\"ok\",\"read\":true,\"write\":true,\"schema_version\":6}");
}
END_TEST

static TCase *add_case(Suite *suite, const char *behind, const char *tags, void (*set_up_engine)(void))
{
    TCase *tcase = suite_case(suite, behind);
    tcase_set_tags(tcase, tags);
    tcase_add_checked_fixture(tcase, set_up_engine, tear_down);
    return tcase;
}

/* Bodies of megabytes have a tag: tests/under.sh leaves them out. */
static TCase *add_ingest(Suite *suite, const char *behind, void (*set_up_engine)(void))
{
    exchanges_begin_behind(behind);
    TCase *large = add_case(suite, behind, "large", set_up_engine);
    tcase_add_test(large, bounds_body);
    tcase_add_test(large, bounds_logs);
    tcase_add_test(large, refuses_bombs);
    TCase *tcase = add_case(suite, behind, behind, set_up_engine);
    tcase_add_loop_test(tcase, refuses, 0, ROWS(refused));
    tcase_add_test(tcase, refuses_broken_off);
    tcase_add_test(tcase, refuses_long_keys);
    tcase_add_test(tcase, bounds_memory);
    tcase_add_test(tcase, refusal_claims_no_key);
    tcase_add_test(tcase, names_100_errors_and_counts_all);
    tcase_add_loop_test(tcase, accepts, 0, ROWS(accepted));
    tcase_add_test(tcase, accepts_no_logs);
    tcase_add_test(tcase, inflates);
    tcase_add_test(tcase, counts_a_key_once);
    tcase_add_test(tcase, tells_health);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("ingest");
    tcase_add_test(add_ingest(suite, "sqlite", set_up_sqlite), refuses_sums_that_overflow); /* memory has no totals */
    add_ingest(suite, "memory", set_up_memory);
    return suite_run_together(suite);
}
