/* test_cache.c: entity tags, 304 and the headers that go with them, and reports in other time zones, through nginx. */
#include "support/engine.h"
#include "support/stack.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON "from=2026-03-15&to=2026-03-15T12:00:00Z"
#define NOON_HOUR (INT64_C(1773576000) / 3600)

#define NO_LASTING_TAGS "ClickHouse does not tell whether a report has changed, so each has another tag"

static char user_key[80], other_key[80];

static void post(const char *ts, int user, int count)
{
    char body[512];
    int len = snprintf(body, sizeof body,
                       "{\"logs\":[{\"ts\":\"%s\",\"user_id\":%d,\"order_id\":%d,\"domain\":\"a.example\",\"count\":%d,"
                       "\"error\":\"timeout\",\"error_count\":1}]}",
                       ts, user, user, count);
    struct reply reply = stack_post(&shared, body, (size_t)len, NULL);
    ck_assert_int_eq(reply.status, 204);
    reply_release(&reply);
}

static void start(void)
{
    stack_start(&shared, NULL);
    stack_key(&shared, "--role user --user-id 1", user_key);
    stack_key(&shared, "--role user --user-id 2", other_key);
    post("2026-03-15 10:15:00", 1, 12);
    post("2026-10-25T00:30:00Z", 1, 1); /* 3:30 in Kyiv */
    post("2026-10-25T01:30:00Z", 1, 2); /* 3:30 again */
    post("2026-10-25T21:59:59Z", 1, 4); /* the last second of that day */
    post("2026-10-25T22:00:00Z", 1, 8);
    if (!engine_is_clickhouse())
        stack_await_closed(&shared, NOON_HOUR); /* then a report has another tag */
}

static void stop(void)
{
    stack_stop(&shared);
}

/* Asks with up to two header lines. */
static struct reply ask(const char *method, const char *path, const char *key, const char *header, const char *more)
{
    const char *const headers[] = {header, more, NULL};
    return stack_send(&shared, &(struct request_spec){
                                   .method = method, .path = path, .key = key, .headers = header ? headers : NULL});
}

static char *tag_of(const struct reply *reply)
{
    char *tag = reply_header(reply, "etag");
    ck_assert_msg(tag && strlen(tag) == 34 && tag[0] == '"' && tag[33] == '"', "%s", reply->headers);
    return tag;
}

static char *tag_for(const char *path, const char *key)
{
    struct reply reply = ask("GET", path, key, NULL, NULL);
    ck_assert_msg(reply.status == 200, "%s: %ld %s", path, reply.status, reply.body);
    char *tag = tag_of(&reply);
    reply_release(&reply);
    return tag;
}

static void check_header(const struct reply *reply, const char *name, const char *expected)
{
    char *value = reply_header(reply, name);
    ck_assert_msg(value && !strcmp(value, expected), "%s: %s", name, value ? value : "none");
    free(value);
}

static void check_no_header(const struct reply *reply, const char *name)
{
    char *value = reply_header(reply, name);
    ck_assert_msg(!value, "%s: %s", name, value);
}

/* ---- 304 ---- */

static const char *const reads[] = {"/analytics/traffic?" NOON,
                                    "/analytics/requests?" NOON,
                                    "/analytics/concurrency?" NOON,
                                    "/analytics/domains?" NOON,
                                    "/analytics/errors?" NOON,
                                    "/analytics/websites?" NOON,
                                    "/analytics/traffic?" NOON "&timezone=Europe/Kyiv"};

static void check_not_modified(const char *method, const char *path, const char *condition, const char *tag)
{
    struct reply reply = ask(method, path, shared.admin_key, condition, NULL);
    ck_assert_msg(reply.status == 304, "%s: %ld", condition, reply.status);
    ck_assert_uint_eq(reply.body_len, 0);
    check_header(&reply, "etag", tag);
    check_header(&reply, "cache-control", "private, no-cache");
    check_header(&reply, "vary", "Accept");
    check_no_header(&reply, "content-type");
    reply_release(&reply);
}

START_TEST(every_read_has_a_tag)
{
    ONLY_SQLITE(NO_LASTING_TAGS);
    struct reply reply = ask("GET", reads[_i], shared.admin_key, NULL, NULL);
    char condition[128], *tag = tag_of(&reply);
    ck_assert_int_eq(reply.status, 200);
    check_header(&reply, "cache-control", "private, no-cache");
    check_header(&reply, "vary", "Accept");
    reply_release(&reply);
    snprintf(condition, sizeof condition, "If-None-Match: %s", tag);
    check_not_modified("GET", reads[_i], condition, tag);
    check_not_modified("HEAD", reads[_i], condition, tag);
    struct reply head = ask("HEAD", reads[_i], shared.admin_key, NULL, NULL);
    ck_assert_int_eq(head.status, 200);
    check_header(&head, "etag", tag);
    reply_release(&head);
    free(tag);
}
END_TEST

static const struct {
    const char *before, *after; /* the tag, unless `after` is NULL */
    long status;
} conditions[] = {
    {"If-None-Match: ", "", 304},
    {"if-none-match:", "", 304},
    {"If-None-Match: W/", "", 304},
    {"If-None-Match: *", NULL, 304},
    {"If-None-Match: \"x\", W/\"y\" , ", "", 304},
    {"If-None-Match: ", ", \"x\"", 304},
    {"If-None-Match: \"x\"", NULL, 200},
    {"If-None-Match: x", "", 200},
    {"If-None-Match: ", "\"", 200},
    {"If-None-Match;", NULL, 200}, /* libcurl sends an empty header */
    {"If-Match: \"x\"", NULL, 200},
    {"If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT", NULL, 200},
    {"If-None-Match: \"x\"\r\nIf-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT", NULL, 200},
    {"Range: bytes=0-3", NULL, 200},
};

START_TEST(conditions_are_read)
{
    if (conditions[_i].status == 304 && conditions[_i].after)
        ONLY_SQLITE(NO_LASTING_TAGS);
    char condition[256], *tag = tag_for(reads[0], shared.admin_key);
    const char *after = conditions[_i].after;
    snprintf(condition, sizeof condition, "%s%s%s", conditions[_i].before, after ? tag : "", after ? after : "");
    struct reply reply = ask("GET", reads[0], shared.admin_key, condition, NULL);
    ck_assert_msg(reply.status == conditions[_i].status, "%s: %ld", condition, reply.status);
    ck_assert((reply.status == 200) == (reply.body_len > 0));
    reply_release(&reply);
    free(tag);
}
END_TEST

/* nginx refuses a header that comes twice. */
START_TEST(conditions_given_twice)
{
    struct reply reply = ask("GET", reads[0], shared.admin_key, "If-None-Match: *", "If-None-Match: \"x\"");
    check_error(&reply, 400, "analytics.request_invalid", "/analytics/traffic", NULL);
    reply_release(&reply);
}
END_TEST

/* A request without the right, or with a fault, gets that error, even if its condition would be met. */
START_TEST(errors_come_first)
{
    struct reply reply = ask("GET", reads[0], NULL, "If-None-Match: *", NULL);
    check_error(&reply, 401, "auth.unauthorized", "/analytics/traffic", NULL);
    check_no_header(&reply, "etag");
    reply_release(&reply);
    reply = ask("GET", reads[0], shared.worker_key, "If-None-Match: *", NULL);
    check_error(&reply, 403, "auth.forbidden", "/analytics/traffic", NULL);
    check_no_header(&reply, "etag");
    reply_release(&reply);
    reply = ask("GET", "/analytics/traffic?from=2026-03-15", shared.admin_key, "If-None-Match: *", NULL);
    check_error(&reply, 400, "analytics.to_required", "/analytics/traffic", NULL);
    check_header(&reply, "cache-control", "no-store");
    check_no_header(&reply, "etag");
    reply_release(&reply);
}
END_TEST

/* The tag of one user does not work for another. */
START_TEST(tags_are_the_callers_own)
{
    char *user = tag_for(reads[0], user_key), *other = tag_for(reads[0], other_key);
    char *admin = tag_for(reads[0], shared.admin_key);
    ck_assert_str_ne(user, other);
    ck_assert_str_ne(user, admin);
    ck_assert_str_ne(other, admin);
    char condition[128];
    snprintf(condition, sizeof condition, "If-None-Match: %s", other);
    struct reply reply = ask("GET", reads[0], user_key, condition, NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_ptr_nonnull(strstr(reply.body, "\"12\""));
    reply_release(&reply);
    free(user);
    free(other);
    free(admin);
}
END_TEST

/* A 304 has no body: the next answer on the same connection is whole. After a batch, the tag is no longer valid. */
START_TEST(a_batch_changes_the_answer)
{
    ONLY_SQLITE(NO_LASTING_TAGS);
    char condition[128], *tag = tag_for("/analytics/requests?from=2027-01-01&to=2027-01-02", shared.admin_key);
    CURL *connection = curl_easy_init();
    snprintf(condition, sizeof condition, "If-None-Match: %s", tag);
    const char *const headers[] = {condition, NULL};
    struct request_spec spec = {.path = "/analytics/requests?from=2027-01-01&to=2027-01-02",
                                .key = shared.admin_key,
                                .headers = headers,
                                .connection = connection};
    for (int i = 0; i < 4; i++) {
        if (i == 2)
            post("2027-01-01 00:00:00", 2, 77);
        struct reply reply = stack_send(&shared, &spec);
        ck_assert_int_eq(reply.status, i < 2 ? 304 : 200);
        ck_assert(i == 0 || reply.reused);
        ck_assert(i < 2 || strstr(reply.body, "\"77\""));
        reply_release(&reply);
    }
    curl_easy_cleanup(connection);
    free(tag);
}
END_TEST

/* ---- time zones ---- */

#define KYIV_DAY "from=2026-10-25&to=2026-10-25&timezone=Europe/Kyiv"
#define ROW(bucket, count, errors)                                                                                     \
    "{\"bucket\":\"2026-10-25 " bucket "\",\"total_count\":\"" count "\",\"total_errors\":\"" errors "\"}"

static const struct {
    const char *path;
    const char *body;
} clocks[] = {
    {"/analytics/requests?" KYIV_DAY "&granularity=day", "{\"data\":[" ROW("00:00:00", "7", "3") "]}"},
    /* the hour after 3:00 comes twice */
    {"/analytics/requests?" KYIV_DAY "&granularity=hour",
     "{\"data\":[" ROW("03:00:00", "1", "1") "," ROW("03:00:00", "2", "1") "," ROW("23:00:00", "4", "1") "]}"},
    {"/analytics/requests?" KYIV_DAY,
     "{\"data\":[" ROW("03:30:00", "1", "1") "," ROW("03:30:00", "2", "1") "," ROW("23:45:00", "4", "1") "]}"},
    {"/analytics/requests?from=2026-10-25&to=2026-10-25&granularity=day",
     "{\"data\":[" ROW("00:00:00", "15", "4") "]}"},
    {"/analytics/requests?from=2026-10-25+02:00:00&to=2026-10-25T03:30:01&timezone=Europe%2FKyiv&granularity=day",
     "{\"data\":[" ROW("00:00:00", "1", "1") "]}"},
    {"/analytics/requests?from=2026-10-25T01:00:00Z&to=2026-10-25T02:00:00Z&timezone=Europe/Kyiv",
     "{\"data\":[" ROW("03:30:00", "2", "1") "]}"},
    {"/analytics/websites?from=2026-10-25&to=2026-10-25&timezone=Asia/Kolkata",
     "{\"data\":[{\"domain\":\"a.example\",\"total_count\":\"3\",\"bytes_total\":\"0\","
     "\"first_visit\":\"2026-10-25 06:00:00\",\"last_visit\":\"2026-10-25 07:00:00\"}],"
     "\"page\":1,\"limit\":25,\"total\":1,\"totalPages\":1}"},
    {"/analytics/errors?" KYIV_DAY,
     "{\"data\":[{\"error\":\"timeout\",\"total_errors\":\"3\",\"first_seen\":\"2026-10-25 03:30:00\","
     "\"last_seen\":\"2026-10-25 23:59:59\",\"sample_domains\":[\"a.example\"]}]}"},
};

START_TEST(clocks_of_other_places)
{
    struct reply reply = ask("GET", clocks[_i].path, user_key, NULL, NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body, clocks[_i].body);
    reply_release(&reply);
}
END_TEST

START_TEST(a_day_of_25_hours_has_100_quarters)
{
    json_object *data, *body = stack_get(&shared, "/analytics/traffic?" KYIV_DAY "&fill=zero");
    ck_assert(json_object_object_get_ex(body, "data", &data));
    ck_assert_uint_eq(json_object_array_length(data), 100);
    json_object_put(body);
    body = stack_get(
        &shared, "/analytics/traffic?from=2026-03-29&to=2026-03-29&timezone=Europe/Kyiv&fill=zero&granularity=hour");
    ck_assert(json_object_object_get_ex(body, "data", &data));
    ck_assert_uint_eq(json_object_array_length(data), 23);
    json_object_put(body);
}
END_TEST

static const char *const no_zones[] = {"",
                                       "Kyiv",
                                       "europe/kyiv",
                                       "..%2F..%2F..%2Fetc%2Fpasswd",
                                       "/etc/localtime",
                                       "posix/Europe/Kyiv",
                                       "right/Europe/Kyiv",
                                       "Europe/Kyiv%00",
                                       "Europe",
                                       "%2B02:00",
                                       "UTC&timezone=UTC"};

START_TEST(no_such_zone)
{
    char path[256];
    snprintf(path, sizeof path, "/analytics/errors?" NOON "&timezone=%s", no_zones[_i]);
    struct reply reply = ask("GET", path, shared.admin_key, NULL, NULL);
    check_error(&reply, 400, "analytics.timezone_invalid", "/analytics/errors", "timezone");
    reply_release(&reply);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache");
    TCase *tcase = stack_case(suite, "cache", start, stop);
    tcase_add_loop_test(tcase, every_read_has_a_tag, 0, ROWS(reads));
    tcase_add_loop_test(tcase, conditions_are_read, 0, ROWS(conditions));
    tcase_add_test(tcase, conditions_given_twice);
    tcase_add_test(tcase, errors_come_first);
    tcase_add_test(tcase, tags_are_the_callers_own);
    tcase_add_loop_test(tcase, clocks_of_other_places, 0, ROWS(clocks));
    tcase_add_test(tcase, a_day_of_25_hours_has_100_quarters);
    tcase_add_loop_test(tcase, no_such_zone, 0, ROWS(no_zones));
    tcase_add_test(tcase, a_batch_changes_the_answer);
    return suite_run(suite);
}
