/* test_ingest.c: every kind of body, header and length that a client may send, through real nginx: the answer, and that
 * a refused batch leaves nothing behind. */
#include "support/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static int64_t stored_logs(void)
{
    return stack_i64(&shared, "SELECT count(*) FROM raw_log");
}

/* Nothing of a refused batch may show: not a batch, a log, a name, a key, or a rollup. Those of closed hours are made
 * whenever a thread comes to it, of the batches before. */
static int64_t stored_rows(void)
{
    return stack_i64(&shared, "SELECT (SELECT count(*) FROM batch) + (SELECT count(*) FROM raw_log)"
                              " + (SELECT count(*) FROM name) + (SELECT count(*) FROM batch_key)"
                              " + (SELECT count(*) FROM traffic_quarter) + (SELECT count(*) FROM order_user)");
}

#define TS "\"ts\":\"2026-03-15 10:15:00\""
#define IDS "\"user_id\":1,\"order_id\":3"
#define GOOD "{" TS "," IDS ",\"domain\":\"a.example\",\"count\":1}"
#define WITH(member) "{\"logs\":[{" TS "," IDS ",\"domain\":\"a.example\",\"count\":1," member "}]}"

static struct reply post(const char *body)
{
    return stack_post(&shared, body, strlen(body), NULL);
}

/* ---- accepted: what is stored of it ---- */

static const struct {
    const char *body;
    int logs;
    const char *check; /* SQL that gives 1 if it is stored correctly; NULL: no check */
} accepted[] = {
    {"{\"logs\":[]}", 0, NULL},
    {" {\"x\":[1,{\"y\":null}],\t\"logs\"\n:\r[ ] , \"z\":-1.5e-3 } ", 0, NULL},
    {"{\"logs\":[" GOOD "]}", 1, "SELECT count(*) FROM log WHERE ts = '2026-03-15 10:15:00' AND port = 0"},
    {"{\"logs\":[" GOOD "," GOOD "]}", 2, NULL},
    {"{\"logs\":[{" TS "," IDS ",\"domain\":\"B.EXAMPLE.\",\"count\":0}]}", 1,
     "SELECT count(*) FROM log WHERE domain = 'b.example' AND count = 0"},
    {WITH("\"unknown\":{\"a\":[1,2,{}]}"), 1, NULL},
    {WITH("\"error\":\"\\u00e9\\ud83d\\ude00\""), 1, "SELECT count(*) FROM log WHERE error = 'é😀'"},
    {WITH("\"bytes_sent\":9007199254740991"), 1, "SELECT count(*) FROM log WHERE bytes_sent = 9007199254740991"},
    {WITH("\"ip_out\":\"2001:DB8::1\",\"ip_from\":\"1.2.3.4\""), 1,
     "SELECT count(*) FROM log WHERE ip_out = '20010DB8000000000000000000000001' AND ip_from = '01020304'"},
    {"{\"logs\":[{\"ts\":\"2028-02-29T23:59:59.999+05:30\"," IDS ",\"domain\":\"leap.example\",\"count\":1}]}", 1,
     "SELECT count(*) FROM log WHERE domain = 'leap.example' AND ts = '2028-02-29 18:29:59'"},
    {"{\"logs\":[{\"ts\":\"2026-12-31\"," IDS ",\"domain\":\"date.example\",\"count\":1}]}", 1,
     "SELECT count(*) FROM log WHERE domain = 'date.example' AND ts = '2026-12-31 00:00:00'"},
    {WITH("\"port\":65535,\"protocol\":\"HTTPS\",\"peer_id\":\"p\",\"worker\":\"w\",\"max_concurrency\":5"), 1,
     "SELECT count(*) FROM log WHERE port = 65535 AND protocol = 'HTTPS' AND peer_id = 'p' AND worker = 'w'"
     " AND max_concurrency = 5"},
};

START_TEST(accepted_is_stored)
{
    int64_t before = stored_logs();
    struct reply reply = post(accepted[_i].body);
    ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    ck_assert_uint_eq(reply.body_len, 0);
    ck_assert_int_eq(stored_logs() - before, accepted[_i].logs);
    if (accepted[_i].check)
        ck_assert_int_eq(stack_i64(&shared, accepted[_i].check), 1);
    reply_release(&reply);
}
END_TEST

/* ---- refused bodies ---- */

static const struct {
    const char *body;
    const char *detail; /* NULL: only that there is one */
} invalid[] = {
    {"", "byte 0"},
    {" ", "byte 1"},
    {"[]", "byte 0"},
    {"null", "byte 0"},
    {"{}", NULL},
    {"{\"logs\":{}}", "byte 8"},
    {"{\"logs\":null}", "byte 8"},
    {"{\"logs\":[]", "byte 10"},
    {"{\"logs\":[]}x", "byte 11"},
    {"{\"logs\":[]}{}", "byte 11"},
    {"{\"logs\":[],\"logs\":[]}", NULL},
    {"{\"logs\":[],\"l\\u006fgs\":[]}", NULL},
    {"{\"logs\":[],}", "byte 11"},
    {"{\"logs\":[" GOOD ",]}", NULL},
    {"{\"logs\":[" GOOD " " GOOD "]}", NULL},
    {"{'logs':[]}", "byte 1"},
    {"{\"logs\":[]} // no", NULL},
    {"\xef\xbb\xbf{\"logs\":[}", "byte 12"},
    {"\xef\xbb{\"logs\":[]}", "byte 0"},
    {"{\"x\":NaN,\"logs\":[]}", "byte 5"},
    {"{\"x\":Infinity,\"logs\":[]}", "byte 5"},
    {"{\"x\":-Infinity,\"logs\":[]}", NULL},
    {"{\"x\":01,\"logs\":[]}", NULL},
    {"{\"x\":1.,\"logs\":[]}", NULL},
    {"{\"x\":+1,\"logs\":[]}", NULL},
    {"{\"x\":\"\\ud800\",\"logs\":[]}", NULL},
    {"{\"x\":\"\\udc00\\ud800\",\"logs\":[]}", NULL},
    {"{\"x\":\"\xc0\xaf\",\"logs\":[]}", NULL},
    {"{\"x\":\"\xed\xa0\x80\",\"logs\":[]}", NULL},
    {"{\"x\":\"\xff\",\"logs\":[]}", NULL},
    {"{\"x\":\"a\nb\",\"logs\":[]}", NULL},
    {"{\"x\":\"\\x\",\"logs\":[]}", NULL},
    {WITH("\"count2\":NaN"), NULL},
    {WITH("\"error\":\"\xc0\x80\""), NULL},
};

START_TEST(invalid_body_is_refused)
{
    int64_t before = stored_rows();
    struct reply reply = post(invalid[_i].body);
    check_error(&reply, 400, "analytics.body_invalid", "/analytics/ingest",
                invalid[_i].detail ? invalid[_i].detail : "byte");
    reply_release(&reply);
    ck_assert_int_eq(stored_rows(), before);
}
END_TEST

/* ---- refused records: which, and why ---- */

#define LOG(members) "{\"logs\":[" GOOD ",{" members "}]}"

static const struct {
    const char *body;
    const char *field;
} bad_records[] = {
    {"{\"logs\":[" GOOD ",1]}", ""},
    {"{\"logs\":[" GOOD ",[]]}", ""},
    {"{\"logs\":[" GOOD ",null]}", ""},
    {LOG(IDS ",\"domain\":\"a\",\"count\":1"), "ts"},
    {LOG(TS ",\"order_id\":3,\"domain\":\"a\",\"count\":1"), "user_id"},
    {LOG(TS ",\"user_id\":1,\"domain\":\"a\",\"count\":1"), "order_id"},
    {LOG(TS "," IDS ",\"count\":1"), "domain"},
    {LOG(TS "," IDS ",\"domain\":\"a\""), "count"},
    {LOG("\"ts\":\"2026-02-29 00:00:00\"," IDS ",\"domain\":\"a\",\"count\":1"), "ts"},
    {LOG("\"ts\":1773569700," IDS ",\"domain\":\"a\",\"count\":1"), "ts"},
    {LOG("\"ts\":\"\"," IDS ",\"domain\":\"a\",\"count\":1"), "ts"},
    {LOG(TS ",\"user_id\":0,\"order_id\":3,\"domain\":\"a\",\"count\":1"), "user_id"},
    {LOG(TS ",\"user_id\":-1,\"order_id\":3,\"domain\":\"a\",\"count\":1"), "user_id"},
    {LOG(TS ",\"user_id\":\"1\",\"order_id\":3,\"domain\":\"a\",\"count\":1"), "user_id"},
    {LOG(TS ",\"user_id\":9007199254740992,\"order_id\":3,\"domain\":\"a\",\"count\":1"), "user_id"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":-0"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1.0"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1e3"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1e400"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":9223372036854775808"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":99999999999999999999999999"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":null"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":true"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\\u0000b\",\"count\":1"), "domain"},
    {LOG(TS "," IDS ",\"domain\":\"a\\nb\",\"count\":1"), "domain"},
    {LOG(TS "," IDS ",\"domain\":[\"a\"],\"count\":1"), "domain"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1,\"port\":65536"), "port"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1,\"ip_out\":\"1.2.3\""), "ip_out"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1,\"ip_from\":\"fe80::1%eth0\""), "ip_from"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1,\"error\":null"), "error"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1,\"count\":2"), "count"},
    {LOG(TS "," IDS ",\"domain\":\"a\",\"count\":1,\"c\\u006funt\":2"), "count"},
};

static void check_first_fault(const struct reply *reply, int index, const char *field)
{
    json_object *body = json_tokener_parse(reply->body), *errors = NULL;
    ck_assert_ptr_nonnull(body);
    ck_assert(json_object_object_get_ex(body, "errors", &errors));
    ck_assert_uint_eq(json_object_array_length(errors), 1);
    json_object *first = json_object_array_get_idx(errors, 0);
    char expected[16];
    snprintf(expected, sizeof expected, "%d", index);
    ck_assert_str_eq(member(first, "index"), expected);
    ck_assert_msg(!strcmp(member(first, "field"), field), "expected field %s: %s", field, reply->body);
    ck_assert_uint_gt(strlen(member(first, "message")), 5);
    json_object_put(body);
}

START_TEST(bad_record_is_named)
{
    int64_t before = stored_rows();
    struct reply reply = post(bad_records[_i].body);
    check_error(&reply, 400, "analytics.logs_invalid", "/analytics/ingest", NULL);
    check_first_fault(&reply, 1, bad_records[_i].field);
    reply_release(&reply);
    ck_assert_int_eq(stored_rows(), before);
}
END_TEST

/* ---- headers ---- */

static const struct {
    const char *headers[4]; /* instead of the content type */
    const char *body;
    long status;
    const char *message;
} header_rows[] = {
    {{NULL}, "{\"logs\":[]}", 415, "analytics.content_type_unsupported"},
    {{"Content-Type: text/plain"}, "{\"logs\":[]}", 415, "analytics.content_type_unsupported"},
    {{"Content-Type: application/jsonx"}, "{\"logs\":[]}", 415, "analytics.content_type_unsupported"},
    {{"Content-Type: application/json; charset=utf-8"}, "{\"logs\":[]}", 204, NULL},
    {{"Content-Type: APPLICATION/JSON"}, "{\"logs\":[]}", 204, NULL},
    {{"Content-Type: application/json", "Content-Encoding: identity"}, "{\"logs\":[]}", 204, NULL},
    {{"Content-Type: application/json", "Content-Encoding: br"},
     "{\"logs\":[]}",
     415,
     "analytics.content_encoding_unsupported"},
    {{"Content-Type: application/json", "Content-Encoding: gzip, gzip"},
     "{\"logs\":[]}",
     415,
     "analytics.content_encoding_unsupported"},
    {{"Content-Type: application/json", "Content-Encoding: gzip"}, "{\"logs\":[]}", 400, "analytics.body_invalid"},
    {{"Content-Type: application/json", "Idempotency-Key: a b"},
     "{\"logs\":[]}",
     400,
     "analytics.idempotency_key_invalid"},
    {{"Content-Type: application/json", "Idempotency-Key: \xc3\xa9"},
     "{\"logs\":[]}",
     400,
     "analytics.idempotency_key_invalid"},
    {{"Content-Type: application/json", "Idempotency-Key;"},
     "{\"logs\":[]}",
     400,
     "analytics.idempotency_key_invalid"}, /* libcurl's way to send an empty header */
};

START_TEST(headers_decide)
{
    static const char *const untyped[] = {"Content-Type:", NULL}; /* libcurl's way to send none */
    const char *const *headers = header_rows[_i].headers[0] ? header_rows[_i].headers : untyped;
    struct request_spec spec = {.path = "/analytics/ingest",
                                .key = shared.worker_key,
                                .headers = headers,
                                .body = header_rows[_i].body,
                                .body_len = strlen(header_rows[_i].body)};
    int64_t before = stored_logs();
    struct reply reply = stack_send(&shared, &spec);
    if (header_rows[_i].message)
        check_error(&reply, header_rows[_i].status, header_rows[_i].message, "/analytics/ingest", NULL);
    else
        ck_assert_msg(reply.status == header_rows[_i].status, "%ld %s", reply.status, reply.body);
    reply_release(&reply);
    ck_assert_int_eq(stored_logs(), before);
}
END_TEST

/* ---- gzip ---- */

/* `members` gzip members of `text`; to be freed. */
static char *gzip(const char *text, size_t len, int members, size_t *ret_len)
{
    size_t cap = (compressBound(len) + 64) * (size_t)members, used = 0;
    char *out = malloc(cap);
    for (int i = 0; i < members; i++) {
        z_stream z = {0};
        size_t part = len / (size_t)members, from = part * (size_t)i, size = i == members - 1 ? len - from : part;
        ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (Bytef *)(uintptr_t)(text + from);
        z.avail_in = (uInt)size;
        z.next_out = (Bytef *)out + used;
        z.avail_out = (uInt)(cap - used);
        ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
        used += z.total_out;
        deflateEnd(&z);
    }
    *ret_len = used;
    return out;
}

static const char *const gzip_headers[] = {"Content-Encoding: gzip", NULL};

static const struct {
    int members;
    int cut;     /* bytes missing at the end */
    int extra;   /* bytes of junk after it */
    int corrupt; /* this byte from the end is changed; 0: none */
    long status;
} gzip_rows[] = {
    {1, 0, 0, 0, 204}, {3, 0, 0, 0, 204}, {1, 1, 0, 0, 400}, {1, 8, 0, 0, 400},
    {2, 4, 0, 0, 400}, {1, 0, 5, 0, 400}, {1, 0, 0, 6, 400}, {1, 0, 0, 2, 400},
};

START_TEST(gzip_bodies)
{
    static const char body[] = "{\"logs\":[" GOOD "]}";
    size_t len = 0;
    int64_t before = stored_logs();
    char *data = gzip(body, strlen(body), gzip_rows[_i].members, &len);
    data = realloc(data, len + 16);
    memset(data + len, 'x', 16);
    if (gzip_rows[_i].corrupt)
        data[len - (size_t)gzip_rows[_i].corrupt] ^= 1;
    struct reply reply =
        stack_post(&shared, data, len - (size_t)gzip_rows[_i].cut + (size_t)gzip_rows[_i].extra, gzip_headers);
    if (gzip_rows[_i].status == 204)
        ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    else
        check_error(&reply, 400, "analytics.body_invalid", "/analytics/ingest", NULL);
    ck_assert_int_eq(stored_logs() - before, gzip_rows[_i].status == 204);
    reply_release(&reply);
    free(data);
}
END_TEST

/* ---- large ones ---- */

struct text {
    char *data;
    size_t len;
    FILE *file;
};

static struct text *text_open(struct text *text)
{
    text->file = open_memstream(&text->data, &text->len);
    return text;
}

static void repeat(struct text *text, const char *piece, size_t times, const char *between)
{
    for (size_t i = 0; i < times; i++)
        fprintf(text->file, "%s%s", i ? between : "", piece);
}

/* Resident set of analytics-ingest's process of this service, kB. */
static long ingest_kb(void)
{
    char command[256];
    long kb = 0;
    snprintf(command, sizeof command,
             "for p in $(pgrep -f 'analytics-ingest --data %s'); do awk '/VmHWM/{print $2}' /proc/$p/status; done"
             " | sort -n | tail -1",
             shared.dir);
    FILE *pipe = popen(command, "r");
    if (fscanf(pipe, "%ld", &kb) != 1)
        kb = 0;
    pclose(pipe);
    return kb;
}

enum hostile { BRACKETS, EMPTY_OBJECTS, EMPTY_LOGS, KEYS, KEYS_IN_LOG, TOO_MANY_LOGS, TOO_LARGE, LONG_STRING, BOMB };

static const struct {
    enum hostile kind;
    long status;
    const char *message;
} hostile_rows[] = {
    {BRACKETS, 400, "analytics.body_invalid"},     {EMPTY_OBJECTS, 204, NULL},
    {EMPTY_LOGS, 413, "analytics.body_too_large"}, {KEYS, 204, NULL},
    {KEYS_IN_LOG, 400, "analytics.logs_invalid"},  {TOO_MANY_LOGS, 413, "analytics.body_too_large"},
    {TOO_LARGE, 413, "analytics.body_too_large"},  {LONG_STRING, 400, "analytics.logs_invalid"},
    {BOMB, 413, "analytics.body_too_large"},
};

static void write_hostile(struct text *text, enum hostile kind)
{
    FILE *f = text->file;
    switch (kind) {
    case BRACKETS:
        fprintf(f, "{\"x\":");
        repeat(text, "[", 100000, "");
        break;
    case EMPTY_OBJECTS:
        fprintf(f, "{\"logs\":[],\"x\":[");
        repeat(text, "{}", 2000000, ",");
        fprintf(f, "]}");
        break;
    case EMPTY_LOGS:
        fprintf(f, "{\"logs\":[");
        repeat(text, "{}", 2000000, ",");
        fprintf(f, "]}");
        break;
    case KEYS:
    case KEYS_IN_LOG:
        fprintf(f, kind == KEYS ? "{\"logs\":[],\"x\":{" : "{\"logs\":[{");
        for (int i = 0; i < 1000000; i++)
            fprintf(f, "%s\"k%d\":1", i ? "," : "", i);
        fprintf(f, kind == KEYS ? "}}" : "}]}");
        break;
    case TOO_MANY_LOGS:
        fprintf(f, "{\"logs\":[");
        repeat(text, GOOD, 50001, ",");
        fprintf(f, "]}");
        break;
    case TOO_LARGE:
    case BOMB:
        fprintf(f, "{\"logs\":[],\"x\":\"");
        repeat(text, "0123456789abcdef", kind == BOMB ? 8 << 20 : (1 << 20) + 1, "");
        fprintf(f, "\"}");
        break;
    case LONG_STRING:
        fprintf(f, "{\"logs\":[{" TS "," IDS ",\"count\":1,\"domain\":\"");
        repeat(text, "x", 10 << 20, "");
        fprintf(f, "\"}]}");
        break;
    }
}

START_TEST(hostile_bodies_are_refused_in_little_memory)
{
    struct text text;
    int64_t before = stored_logs();
    write_hostile(text_open(&text), hostile_rows[_i].kind);
    fclose(text.file);
    size_t len = text.len;
    char *body = text.data;
    bool bomb = hostile_rows[_i].kind == BOMB;
    if (bomb)
        body = gzip(text.data, text.len, 1, &len);
    struct reply reply = stack_post(&shared, body, len, bomb ? gzip_headers : NULL);
    if (hostile_rows[_i].message)
        check_error(&reply, hostile_rows[_i].status, hostile_rows[_i].message, "/analytics/ingest", NULL);
    else
        ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    ck_assert_int_eq(stored_logs(), before);
    reply_release(&reply);
    if (bomb)
        free(body);
    free(text.data);
}
END_TEST

/* Runs after the hostile bodies: the process that has read them all is still small, and serves. */
START_TEST(memory_stayed_flat)
{
    const char *sanitized = getenv("ANALYTICS_SANITIZED"); /* their shadow memory is not the program's */
    long kb = ingest_kb();
    ck_assert_int_gt(kb, 0);
    if (!sanitized || !*sanitized)
        ck_assert_msg(kb < 96 * 1024, "analytics-ingest took %ld kB", kb);
    struct reply reply = post("{\"logs\":[" GOOD "]}");
    ck_assert_int_eq(reply.status, 204);
    reply_release(&reply);
}
END_TEST

START_TEST(fifty_thousand_logs_are_one_batch)
{
    struct text text;
    int64_t before = stored_logs();
    fprintf(text_open(&text)->file, "{\"logs\":[");
    repeat(&text, GOOD, 50000, ",");
    fprintf(text.file, "]}");
    fclose(text.file);
    struct reply reply = stack_post(&shared, text.data, text.len, NULL);
    ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    ck_assert_int_eq(stored_logs() - before, 50000);
    reply_release(&reply);
    free(text.data);
}
END_TEST

START_TEST(a_hundred_errors_are_named_and_all_counted)
{
    struct text text;
    fprintf(text_open(&text)->file, "{\"logs\":[");
    repeat(&text, "{" TS "," IDS ",\"domain\":\"a\"}", 150, ",");
    fprintf(text.file, "]}");
    fclose(text.file);
    struct reply reply = stack_post(&shared, text.data, text.len, NULL);
    check_error(&reply, 400, "analytics.logs_invalid", "/analytics/ingest", "150");
    json_object *body = json_tokener_parse(reply.body), *errors = NULL;
    ck_assert(json_object_object_get_ex(body, "errors", &errors));
    ck_assert_uint_eq(json_object_array_length(errors), 100);
    ck_assert_str_eq(member(json_object_array_get_idx(errors, 99), "index"), "99");
    json_object_put(body);
    reply_release(&reply);
    free(text.data);
}
END_TEST

START_TEST(chunked_uploads_are_read)
{
    static const char body[] = "{\"logs\":[" GOOD "]}";
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    int64_t before = stored_logs();
    struct request_spec spec = {.path = "/analytics/ingest",
                                .key = shared.worker_key,
                                .headers = headers,
                                .body = body,
                                .body_len = strlen(body),
                                .chunked = true};
    struct reply reply = stack_send(&shared, &spec);
    ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    ck_assert_int_eq(stored_logs() - before, 1);
    reply_release(&reply);
}
END_TEST

/* ---- wrong lengths, as raw bytes ---- */

static const struct {
    const char *headers;
    const char *body;
    const char *status; /* NULL: any answer or none, but nothing stored */
} raw_rows[] = {
    {"Content-Length: 500\r\n", "{\"logs\":[" GOOD "]}", NULL}, /* and then silence */
    {"Content-Length: 10\r\n", "{\"logs\":[" GOOD "]}", "400"},
    {"Content-Length: 0\r\n", "", "400"},
    {"", "", "400"},
    {"Content-Length: -1\r\n", "{}", "400"},
    {"Content-Length: 99999999999999999999\r\n", "{}", "400"},
    {"Content-Length: 17179869184\r\n", "{}", "413"},
    {"Content-Length: 5\r\nContent-Length: 5\r\n", "{\"lo}", "400"},
    {"Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n", "400"},
};

START_TEST(untrue_lengths)
{
    char request[2048];
    int64_t before = stored_rows();
    int len = snprintf(request, sizeof request,
                       "POST /analytics/ingest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nx-api-key: %s\r\n"
                       "Content-Type: application/json\r\n%s\r\n%s",
                       shared.worker_key, raw_rows[_i].headers, raw_rows[_i].body);
    char *answer = stack_raw(&shared, request, (size_t)len, raw_rows[_i].status ? 10 : 2);
    if (raw_rows[_i].status)
        ck_assert_msg(!strncmp(answer, "HTTP/1.1 ", 9) && !strncmp(answer + 9, raw_rows[_i].status, 3), "%s", answer);
    ck_assert_ptr_null(strstr(answer, " 204 "));
    ck_assert_int_eq(stored_rows(), before);
    free(answer);
}
END_TEST

/* ---- idempotency ---- */

START_TEST(a_repeated_key_counts_once)
{
    static const char body[] = "{\"logs\":[" GOOD "]}", other[] = "{\"logs\":[" GOOD "," GOOD "]}";
    static const char *const headers[] = {"Idempotency-Key: batch-1", NULL};
    static const char *const gzipped[] = {"Idempotency-Key: batch-1", "Content-Encoding: gzip", NULL};
    int64_t before = stored_logs();
    for (int i = 0; i < 3; i++) {
        struct reply reply = stack_post(&shared, body, strlen(body), headers);
        char *replayed = reply_header(&reply, "idempotency-replayed");
        ck_assert_int_eq(reply.status, 204);
        ck_assert((replayed != NULL) == (i > 0));
        ck_assert(!replayed || !strcmp(replayed, "true"));
        free(replayed);
        reply_release(&reply);
    }
    size_t len = 0;
    char *data = gzip(body, strlen(body), 1, &len); /* the same body in another wrapping */
    struct reply reply = stack_post(&shared, data, len, gzipped);
    ck_assert_int_eq(reply.status, 204);
    reply_release(&reply);
    reply = stack_post(&shared, other, strlen(other), headers);
    check_error(&reply, 422, "analytics.idempotency_key_reused", "/analytics/ingest", NULL);
    reply_release(&reply);
    ck_assert_int_eq(stored_logs() - before, 1);
    free(data);
}
END_TEST

START_TEST(a_key_belongs_to_its_caller)
{
    static const char body[] = "{\"logs\":[" GOOD "]}";
    static const char *const headers[] = {"Content-Type: application/json", "Idempotency-Key: shared", NULL};
    char key[2][80];
    int64_t before = stored_logs();
    stack_key(&shared, "--role worker", key[0]);
    stack_key(&shared, "--role worker", key[1]);
    for (int i = 0; i < 4; i++) {
        struct request_spec spec = {
            .path = "/analytics/ingest", .key = key[i % 2], .headers = headers, .body = body, .body_len = strlen(body)};
        struct reply reply = stack_send(&shared, &spec);
        ck_assert_int_eq(reply.status, 204);
        reply_release(&reply);
    }
    ck_assert_int_eq(stored_logs() - before, 2);
}
END_TEST

/* Ids are never used twice, so this is the newest one. */
static int64_t key_count(void)
{
    char *list = stack_ctl(&shared, "key list --json");
    int64_t count = 0;
    for (const char *at = list; (at = strstr(at, "\"id\":")); at++)
        count++;
    free(list);
    return count;
}

/* Sends the same batch with this API key and the same Idempotency-Key. Was it a replay? */
static bool is_replay(const char *key)
{
    static const char body[] = "{\"logs\":[" GOOD "]}";
    static const char *const headers[] = {"Content-Type: application/json", "Idempotency-Key: across", NULL};
    struct reply reply = stack_send(
        &shared,
        &(struct request_spec){
            .path = "/analytics/ingest", .key = key, .headers = headers, .body = body, .body_len = strlen(body)});
    char *replayed = reply_header(&reply, "idempotency-replayed");
    bool was_there = replayed != NULL;
    ck_assert_int_eq(reply.status, 204);
    free(replayed);
    reply_release(&reply);
    return was_there;
}

/* A worker's answer was lost, then its key was rotated: it sends the batch again with the new one. */
START_TEST(a_rotated_key_is_the_same_caller)
{
    char first[80], key[80], arguments[64];
    int64_t before = stored_logs();
    stack_key(&shared, "--role worker", first);
    int64_t id = key_count();
    ck_assert(!is_replay(first));
    for (int i = 0; i < 3; i++) {
        snprintf(arguments, sizeof arguments, "key rotate %lld --grace %d", (long long)id + i, i);
        char *text = stack_ctl(&shared, arguments);
        snprintf(key, sizeof key, "%s", strrchr(text, '\n') + 1);
        free(text);
        ck_assert(is_replay(key));
    }
    struct reply refused =
        stack_send(&shared, &(struct request_spec){.path = "/analytics/ingest", .method = "POST", .key = first});
    check_error(&refused, 401, "auth.unauthorized", "/analytics/ingest", NULL); /* --grace 0 */
    reply_release(&refused);
    ck_assert_int_eq(stored_logs() - before, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ingest");
    TCase *tcase = suite_case(suite, "ingest");
    tcase_add_unchecked_fixture(tcase, stack_start_shared, stack_stop_shared);
    tcase_add_loop_test(tcase, accepted_is_stored, 0, ROWS(accepted));
    tcase_add_loop_test(tcase, invalid_body_is_refused, 0, ROWS(invalid));
    tcase_add_loop_test(tcase, bad_record_is_named, 0, ROWS(bad_records));
    tcase_add_loop_test(tcase, headers_decide, 0, ROWS(header_rows));
    tcase_add_loop_test(tcase, gzip_bodies, 0, ROWS(gzip_rows));
    tcase_add_loop_test(tcase, untrue_lengths, 0, ROWS(raw_rows));
    tcase_add_test(tcase, chunked_uploads_are_read);
    tcase_add_test(tcase, a_repeated_key_counts_once);
    tcase_add_test(tcase, a_key_belongs_to_its_caller);
    tcase_add_test(tcase, a_rotated_key_is_the_same_caller);
    tcase_add_test(tcase, a_hundred_errors_are_named_and_all_counted);
    tcase_add_loop_test(tcase, hostile_bodies_are_refused_in_little_memory, 0, ROWS(hostile_rows));
    tcase_add_test(tcase, memory_stayed_flat);
    tcase_add_test(tcase, fifty_thousand_logs_are_one_batch);
    return suite_run(suite);
}
