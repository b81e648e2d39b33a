/* test_injection.c: texts that would do harm if they were not bound, quoted or escaped: SQL, JSON, CSV formulas, HTML,
 * header lines, log lines, formats, shells, terminals. They are tried in every text of a log, every parameter, every
 * header and the path. A valid text is stored and given back to the byte; any other is refused with a whole error. The
 * log keeps whole lines, and the schema does not change.
 *
 * Seen to fail:
 *   text.c: '"' not escaped -> "/analytics/domains?…: not JSON: {"data":[{"domain":""; delete from batch; --",…"
 *   text.c: a line feed not escaped -> "/analytics/errors?…: a raw control character: …", and "not a log line"
 *   cgi.c: a caller over 16 bytes gets another name -> "caller ''; DROP TABLE raw_log; --' is stored otherwise"
 *   batch.c: trailing dots kept -> "'UPPER.Example..' is stored otherwise" */
#include "support/auth_service.h"
#include "support/log_lines.h"
#include "support/stack.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RANGE "from=2026-05-01&to=2026-05-01"

static const char *const texts[] = {
    /* SQL */
    "'",
    "' OR '1'='1",
    "'; DROP TABLE raw_log; --",
    "\"; DELETE FROM batch; --",
    "1); ATTACH DATABASE '/tmp/x' AS y; --",
    "' UNION SELECT hash FROM api_key --",
    "%",
    "_",
    "*",
    "[a-z]*",
    "\\' OR 1=1 --",
    "?1",
    ":domain",
    "NULL",
    /* CSV */
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1:A9)",
    "\t=1+1",
    "a,b;c",
    "\"quoted\", twice",
    "a\"\r\n=1+1",
    /* JSON */
    "\"",
    "\\",
    "\",\"total_count\":\"999",
    "\"}],\"x\":[{",
    "\\u0022,\\u0000",
    "null",
    "1e999",
    "\xe2\x80\xa8 and \xe2\x80\xa9",
    /* lines: headers, logs, terminals */
    "a\r\nSet-Cookie: x=1",
    "a\n2026-01-01T00:00:00.000Z error fake a=b",
    "a\" status=200 b=\"",
    "a\r",
    "\x1b[31mred\x1b]0;title\x07",
    "a\x7f",
    "a\xc2\x85\xc2\x9b",
    /* what others expand */
    "%s%s%n%1000000d",
    "%00",
    "%0d%0aX: y",
    "$request_uri$http_x_api_key",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "$(id)`id`;id|id&id",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;&#x27;",
    /* letters */
    " leading and trailing ",
    "UPPER.Example..",
    "\xe2\x80\xaelive",
    "\xef\xbb\xbf\x62om",
    "\xf0\x9f\x92\xa9.example",
    "\xc3\x84\xc3\x96",
    "e\xcc\x81",
};

/* ---- the text that is stored ---- */

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* docs/api.md: lower case, ASCII only, without spaces around it and without trailing dots. */
static const char *as_domain(const char *text)
{
    static char domain[512];
    text += strspn(text, " ");
    size_t len = strlen(text);
    while (len && text[len - 1] == ' ')
        len--;
    while (len && text[len - 1] == '.')
        len--;
    for (size_t i = 0; i < len; i++)
        domain[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    domain[len] = '\0';
    return domain;
}

static const char *to_hex(const char *text)
{
    static char hex[4][1100];
    static int turn;
    char *to = hex[turn = (turn + 1) % 4];
    *to = '\0';
    for (; *text; text++)
        to += sprintf(to, "%02X", (unsigned char)*text);
    return hex[turn];
}

static void put_json(FILE *file, const char *name, const char *text)
{
    fprintf(file, ",\"%s\":\"", name);
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\')
            fprintf(file, "\\u%04x", (unsigned char)*text);
        else
            fputc(*text, file);
    fputc('"', file);
}

static void put_encoded(FILE *file, const char *text)
{
    for (; *text; text++)
        fprintf(file, isalnum((unsigned char)*text) ? "%c" : "%%%02X", (unsigned char)*text);
}

/* PATH?range&more=TEXT */
static char *make_path(const char *path, const char *query, const char *text)
{
    char *target = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&target, &len);
    fprintf(file, "%s%s", path, query);
    put_encoded(file, text);
    fclose(file);
    return target;
}

/* ---- answers: JSON by its own grammar, with no raw control character ---- */

static json_object *parse(const struct reply *reply, const char *what)
{
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    json_object *object = json_tokener_parse_ex(tokener, reply->body, (int)reply->body_len);
    ck_assert_msg(object && json_tokener_get_parse_end(tokener) == reply->body_len, "%s: not JSON: %s", what,
                  reply->body);
    for (size_t i = 0; i < reply->body_len; i++)
        ck_assert_msg((unsigned char)reply->body[i] >= 0x20, "%s: a raw control character: %s", what, reply->body);
    ck_assert_msg(!strstr(reply->headers, "set-cookie") && !strstr(reply->headers, "\nx:"), "%s: %s", what,
                  reply->headers);
    json_tokener_free(tokener);
    return object;
}

static json_object *get(const char *path, long status)
{
    struct reply reply = stack_send(&shared, &(struct request_spec){.path = path, .key = shared.admin_key});
    ck_assert_msg(reply.status == status, "%s: expected %ld, got %ld %s", path, status, reply.status, reply.body);
    json_object *object = parse(&reply, path);
    reply_release(&reply);
    return object;
}

static void expect_text(json_object *value, const char *text, const char *what)
{
    const char *got = json_object_get_string(value);
    ck_assert_msg((size_t)json_object_get_string_len(value) == strlen(text) && !strcmp(got, text),
                  "%s: expected %s, got %s", what, to_hex(text), to_hex(got));
}

/* data[0].NAME of a report on one user */
static json_object *first_row(const char *endpoint, int user, const char *name, json_object **ret_body)
{
    char path[256];
    snprintf(path, sizeof path, "/analytics/%s?" RANGE "&userId=%d", endpoint, user);
    *ret_body = get(path, 200);
    json_object *data = NULL, *value = NULL;
    json_object_object_get_ex(*ret_body, "data", &data);
    ck_assert_msg(json_object_array_length(data) == 1, "%s: %s", path, json_object_to_json_string(*ret_body));
    ck_assert(json_object_object_get_ex(json_object_array_get_idx(data, 0), name, &value));
    return value;
}

/* ---- in the texts of a log ---- */

static char *make_log(int user, const char *domain, const char *text, size_t *ret_len)
{
    char *body = NULL;
    FILE *file = open_memstream(&body, ret_len);
    fprintf(file,
            "{\"logs\":[{\"ts\":\"2026-05-01 10:00:00\",\"user_id\":%d,\"order_id\":1,\"count\":7,\"error_count\":1",
            user);
    put_json(file, "domain", domain);
    put_json(file, "error", text);
    put_json(file, "peer_id", text);
    put_json(file, "worker", text);
    put_json(file, "protocol", strlen(text) <= 32 ? text : "tcp");
    fputs("}]}", file);
    fclose(file);
    return body;
}

static void expect_stored(int user, const char *domain, const char *text)
{
    char sql[8192];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM log WHERE user_id = %d AND hex(domain) = '%s' AND hex(error) = '%s' AND"
             " hex(peer_id) = hex(error) AND hex(worker) = hex(error) AND hex(protocol) = '%s' AND count = 7",
             user, to_hex(domain), to_hex(text), to_hex(strlen(text) <= 32 ? text : "tcp"));
    ck_assert_msg(stack_i64(&shared, sql) == 1, "'%s' is stored otherwise", text);
}

static void expect_reported(int user, const char *domain, const char *text)
{
    json_object *body = NULL, *samples = NULL;
    expect_text(first_row("domains", user, "domain", &body), domain, "domains");
    json_object_put(body);
    expect_text(first_row("websites", user, "domain", &body), domain, "websites");
    json_object_put(body);
    expect_text(first_row("errors", user, "error", &body), text, "errors");
    json_object_put(body);
    samples = first_row("errors", user, "sample_domains", &body);
    expect_text(json_object_array_get_idx(samples, 0), domain, "sample_domains");
    json_object_put(body);
}

static void expect_found_by_domain(int user, const char *text)
{
    char query[128];
    snprintf(query, sizeof query, "?" RANGE "&userId=%d&domain=", user);
    char *path = make_path("/analytics/traffic", query, text);
    json_object *body = get(path, 200), *data = NULL;
    json_object_object_get_ex(body, "data", &data);
    ck_assert_msg(json_object_array_length(data) == 1 && strstr(json_object_to_json_string(body), "\"7\""),
                  "%s: expected one row, got %s", path, json_object_to_json_string(body));
    json_object_put(body);
    free(path);
}

START_TEST(text_is_given_back_exactly)
{
    size_t len = 0;
    int user = 1000 + _i;
    bool control = has_control(texts[_i]);
    const char *written = control ? "plain.example" : texts[_i]; /* domains have no control characters */
    char domain[512];
    strcpy(domain, as_domain(written));
    char *body = make_log(user, written, texts[_i], &len);
    struct reply reply = stack_post(&shared, body, len, NULL);
    ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    reply_release(&reply);
    free(body);
    expect_stored(user, domain, texts[_i]);
    expect_reported(user, domain, texts[_i]);
    expect_found_by_domain(user, written);
}
END_TEST

START_TEST(domains_have_no_control_characters)
{
    size_t len = 0;
    if (!has_control(texts[_i]))
        return;
    char *body = make_log(1, texts[_i], "", &len);
    struct reply reply = stack_post(&shared, body, len, NULL);
    check_error(&reply, 400, "analytics.logs_invalid", "/analytics/ingest", NULL);
    json_object_put(parse(&reply, body));
    reply_release(&reply);
    free(body);
}
END_TEST

/* Bytes and escapes in a JSON string that are not valid text. */
static const char *const not_text[] = {"\xff",     "\xc0\xaf",       "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "\xc3",     "\xe2\x80",       "\\u0000",      "\\ud800",
                                       "\\udc00x", "\\ud800\\u0041", "a\\u0000' --"};
static const char *const fields[] = {"domain", "error", "peer_id", "worker", "protocol", "ip_out", "ip_from", "ts"};

START_TEST(what_is_no_text_is_refused)
{
    for (int i = 0; i < ROWS(not_text); i++) {
        char body[512];
        int len =
            snprintf(body, sizeof body, "{\"logs\":[{%s\"user_id\":1,\"order_id\":1,%s\"count\":1,\"%s\":\"%s\"}]}",
                     strcmp(fields[_i], "ts") ? "\"ts\":\"2026-05-01\"," : "",
                     strcmp(fields[_i], "domain") ? "\"domain\":\"a\"," : "", fields[_i], not_text[i]);
        struct reply reply = stack_post(&shared, body, (size_t)len, NULL);
        ck_assert_msg(reply.status == 400, "%s %s: %ld %s", fields[_i], not_text[i], reply.status, reply.body);
        json_object_put(parse(&reply, body));
        reply_release(&reply);
    }
}
END_TEST

/* Fields with a form of their own refuse all of these. */
START_TEST(times_and_addresses_are_no_texts)
{
    for (int i = 5; i < 8; i++) {
        char *body = NULL;
        size_t len = 0;
        FILE *file = open_memstream(&body, &len);
        fprintf(file, "{\"logs\":[{\"user_id\":1,\"order_id\":1,\"domain\":\"a\",\"count\":1");
        if (i != 7)
            put_json(file, "ts", "2026-05-01");
        put_json(file, fields[i], texts[_i]);
        fputs("}]}", file);
        fclose(file);
        struct reply reply = stack_post(&shared, body, len, NULL);
        check_error(&reply, 400, "analytics.logs_invalid", "/analytics/ingest", NULL);
        json_object_put(parse(&reply, body));
        reply_release(&reply);
        free(body);
    }
}
END_TEST

/* ---- in a parameter, and as its name ---- */

static const struct {
    const char *name;
    const char *message; /* NULL: any text will do */
    const char *path;
} parameters[] = {
    {"from", "analytics.from_invalid", "/analytics/traffic"},
    {"to", "analytics.to_invalid", "/analytics/websites"},
    {"orderId", "analytics.order_id_invalid", "/analytics/requests"},
    {"userId", "analytics.user_id_invalid", "/analytics/errors"},
    {"granularity", "analytics.granularity_invalid", "/analytics/concurrency"},
    {"fill", "analytics.fill_invalid", "/analytics/traffic"},
    {"sortBy", "analytics.sort_by_invalid", "/analytics/domains"},
    {"limit", "analytics.limit_invalid", "/analytics/errors"},
    {"page", "analytics.page_invalid", "/analytics/websites"},
    {"format", "analytics.format_invalid", "/analytics/summary"},
    {"durations", "analytics.durations_invalid", "/analytics/errors"},
    {"by", "analytics.by_invalid", "/analytics/breakdown"},
    {"nothing", NULL, "/analytics/traffic"},
};

/* The range, without `name` if that is a part of it. */
static const char *range_beside(const char *name)
{
    return !strcmp(name, "from") ? "?to=2026-05-01" : !strcmp(name, "to") ? "?from=2026-05-01" : "?" RANGE;
}

START_TEST(no_parameter_takes_it)
{
    for (int i = 0; i < ROWS(parameters); i++) {
        char query[128];
        snprintf(query, sizeof query, "%s&%s=", range_beside(parameters[i].name), parameters[i].name);
        char *path = make_path(parameters[i].path, query, texts[_i]);
        json_object *body = get(path, parameters[i].message ? 400 : 200);
        if (parameters[i].message)
            ck_assert_msg(!strcmp(member(body, "message"), parameters[i].message), "%s: %s", path,
                          json_object_to_json_string(body));
        json_object_put(body);
        free(path);
    }
}
END_TEST

/* As a domain it finds no rows, and surely not those of others. As the name of a parameter it is ignored. */
START_TEST(as_a_domain_it_finds_nothing_else)
{
    bool control = has_control(texts[_i]);
    char *path = make_path("/analytics/domains", "?" RANGE "&userId=1&domain=", texts[_i]);
    json_object *body = get(path, control ? 400 : 200);
    if (control)
        ck_assert_str_eq(member(body, "message"), "analytics.domain_invalid");
    else
        ck_assert_str_eq(json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN), "{\"data\":[]}");
    json_object_put(body);
    free(path);
    path = make_path("/analytics/domains", "?" RANGE "&userId=1&", texts[_i]);
    json_object_put(get(path, 200));
    free(path);
}
END_TEST

/* An error names the path as the client wrote it. */
START_TEST(in_the_path_it_is_no_route)
{
    char *path = make_path("/analytics/traffic/", "", texts[_i]);
    json_object *body = get(path, 404);
    ck_assert_str_eq(member(body, "path"), path);
    json_object_put(body);
    free(path);
}
END_TEST

/* ---- in a header ---- */

static struct reply post_with(const char *name, const char *value)
{
    char request[2048];
    bool typed = strcmp(name, "Content-Type") != 0;
    int len = snprintf(request, sizeof request,
                       "POST /analytics/ingest HTTP/1.1\r\nHost: localhost\r\nx-api-key: %s\r\n%s%s: %s\r\n"
                       "Content-Length: 11\r\nConnection: close\r\n\r\n{\"logs\":[]}",
                       shared.worker_key, typed ? "Content-Type: application/json\r\n" : "", name, value);
    return stack_talk(&shared, request, (size_t)len, 30);
}

static bool is_visible(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p < 0x21 || *p > 0x7e)
            return false;
    return true;
}

static const struct {
    const char *name;
    long status; /* 0: by is_visible */
} headers[] = {
    {"Content-Type", 415},  {"Content-Encoding", 415}, {"Idempotency-Key", 0},   {"Accept", 204},
    {"If-None-Match", 204}, {"User-Agent", 204},       {"Referer", 204},         {"Cookie", 204},
    {"X-Request-Id", 204},  {"X-Forwarded-For", 204},  {"Accept-Language", 204}, {"Range", 204},
};

static void expect_key_stored(const char *key)
{
    char sql[2048];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM batch_key WHERE hex(key) = '%s'", to_hex(key));
    ck_assert_msg(stack_i64(&shared, sql) == 1, "idempotency key '%s' is stored otherwise", key);
}

START_TEST(a_header_is_only_a_header)
{
    if (strpbrk(texts[_i], "\r\n"))
        return; /* would be two headers: see test_access.c */
    for (int i = 0; i < ROWS(headers); i++) {
        bool visible = is_visible(texts[_i]);
        long status = headers[i].status ? headers[i].status : visible ? 204 : 400;
        for (int twice = 0; twice < (headers[i].status ? 1 : 2); twice++) {
            struct reply reply = post_with(headers[i].name, texts[_i]);
            ck_assert_msg(reply.status == status, "%s: %s: expected %ld, got %ld %s", headers[i].name, texts[_i],
                          status, reply.status, reply.body);
            if (status >= 400)
                json_object_put(parse(&reply, headers[i].name));
            reply_release(&reply);
        }
        if (!headers[i].status && visible)
            expect_key_stored(texts[_i]);
    }
}
END_TEST

/* ---- the name that an operator's own service gives a caller ---- */

START_TEST(a_caller_is_only_a_name)
{
    char script[512], key[64], sql[2048];
    const char *text = texts[_i];
    size_t len = strlen(text);
    if (has_control(text) || strchr(text, '|') || text[0] == ' ' || text[len - 1] == ' ' || len > 64)
        return; /* '|' divides the parts of a script; spaces around it are the header's */
    snprintf(script, sizeof script, "X-Script: 200|X-Analytics-Role: worker|X-Analytics-Caller: %s", text);
    snprintf(key, sizeof key, "Idempotency-Key: caller-%d", _i);
    const char *const more[] = {script, key, NULL};
    struct reply reply = stack_post(&shared, "{\"logs\":[]}", 11, more);
    ck_assert_msg(reply.status == 204, "%s: %ld %s", text, reply.status, reply.body);
    reply_release(&reply);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM batch_key AS k JOIN name AS n ON n.id = k.caller WHERE k.key = 'caller-%d' AND"
             " hex(n.text) = '%s'",
             _i, to_hex(text));
    ck_assert_msg(stack_i64(&shared, sql) == 1, "caller '%s' is stored otherwise", text);
}
END_TEST

/* ---- afterwards ---- */

static void expect_whole_log(void)
{
    char *log = stack_log(&shared);
    unsigned count = 0;
    for (char *line = log, *end; (end = strchr(line, '\n')); line = end + 1, count++) {
        *end = '\0';
        ck_assert_msg(log_is_program_line(line) || log_is_access_line(line) || log_is_other_line(line),
                      "not a log line: %.600s", line);
        ck_assert_msg(strncmp(line, "2026-01-01T", 11) != 0, "a forged line: %.600s", line);
    }
    printf("%u log lines, all whole\n", count);
    fflush(stdout);
    free(log);
}

START_TEST(everything_is_as_it_was)
{
    static const char *const tables[] = {"raw_log", "batch", "batch_key", "name", "total"};
    for (int i = 0; i < ROWS(tables); i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '%s'", tables[i]);
        ck_assert_int_eq(stack_i64(&shared, sql), 1);
    }
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
                     0);
    if (_i == 0) /* one log for each text, and no other */
        ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM log"), ROWS(texts));
    stack_nap(200);
    expect_whole_log();
}
END_TEST

/* ---- the services ---- */

static const char *const options[] = {"--rate-ingest", "1000000", "--rate-reads", "1000000", NULL};

static void start(void)
{
    stack_start(&shared, options);
}

static void start_own(void)
{
    char path[128];
    const char *arguments[8] = {"--auth", path};
    stack_folder(&shared);
    auth_service_start();
    auth_service_file(&shared, "", path);
    memcpy(arguments + 2, options, sizeof options);
    stack_start(&shared, arguments);
}

static void stop(void)
{
    stack_stop(&shared);
}

int main(void)
{
    Suite *suite = suite_create("injection");
    TCase *tcase = stack_case(suite, "texts", start, stop);
    tcase_add_loop_test(tcase, text_is_given_back_exactly, 0, ROWS(texts));
    tcase_add_loop_test(tcase, domains_have_no_control_characters, 0, ROWS(texts));
    tcase_add_loop_test(tcase, what_is_no_text_is_refused, 0, ROWS(fields));
    tcase_add_loop_test(tcase, times_and_addresses_are_no_texts, 0, ROWS(texts));
    tcase_add_loop_test(tcase, no_parameter_takes_it, 0, ROWS(texts));
    tcase_add_loop_test(tcase, as_a_domain_it_finds_nothing_else, 0, ROWS(texts));
    tcase_add_loop_test(tcase, in_the_path_it_is_no_route, 0, ROWS(texts));
    tcase_add_loop_test(tcase, a_header_is_only_a_header, 0, ROWS(texts));
    tcase_add_loop_test(tcase, everything_is_as_it_was, 0, 1);
    tcase = stack_case(suite, "own service", start_own, auth_service_stop_both);
    tcase_add_loop_test(tcase, a_caller_is_only_a_name, 0, ROWS(texts));
    tcase_add_loop_test(tcase, everything_is_as_it_was, 1, 2);
    printf("%d texts\n", ROWS(texts));
    return suite_run(suite);
}
