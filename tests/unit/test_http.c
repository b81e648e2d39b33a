/* test_http.c: CGI variables into requests, responses into header lines and error bodies, and the gates of the route
 * table: every route with every role and method. No store: nothing here gets past the gates. */
#include "http/cgi.h"
#include "http/http.h"
#include "endpoint/routes.h"
#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define NOW_MS INT64_C(1775044800123) /* 2026-04-01T12:00:00.123Z */

static struct cgi_room room;
static struct request request;
static struct response response;
static struct fault fault;

static void set_up(void)
{
    fault = (struct fault){0};
    response_init(&response);
}

static void tear_down(void)
{
    response_release(&response);
}

static void read_env(const char *const *env)
{
    cgi_request(env, &room, &request);
}

/* ---- who is asking ---- */

#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define BAD_ROLE(given) "ANALYTICS_ROLE must be worker, user or admin, but the web server gives " given
#define BAD_USER(given)                                                                                                \
    "for the role user ANALYTICS_USER_ID must be an integer from 1 to 9007199254740991, but the web server "           \
    "gives " given
#define BAD_CALLER(given) "ANALYTICS_CALLER must have at most 64 bytes and no control character, but has " given
#define TWICE(name) name " must be given once, but the web server gives it more often"

static const struct {
    const char *env[8];
    enum role role;
    int64_t user_id;
    const char *caller;
    const char *distrust; /* NULL: no fault */
} identities[] = {
    {{NULL}, ROLE_NONE, 0, "", NULL},
    {{"ANALYTICS_ROLE="}, ROLE_NONE, 0, "", NULL},
    {{"ANALYTICS_ROLE"}, ROLE_NONE, 0, "", NULL},
    {{"ANALYTICS_ROLE=Admin"}, ROLE_NONE, 0, "", BAD_ROLE("\"Admin\"")},
    {{"ANALYTICS_ROLE=admin "}, ROLE_NONE, 0, "", BAD_ROLE("\"admin \"")},
    {{"ANALYTICS_ROLE=root"}, ROLE_NONE, 0, "", BAD_ROLE("\"root\"")},
    {{"analytics_role=admin"}, ROLE_NONE, 0, "", NULL},
    {{"ANALYTICS_ROLE=USER", "ANALYTICS_USER_ID=7"}, ROLE_NONE, 0, "", BAD_ROLE("\"USER\"")},
    {{"ANALYTICS_ROLE=an_answer_of_more_than_60_bytes_is_cut_where_nobody_needs_it_any_more"},
     ROLE_NONE,
     0,
     "",
     BAD_ROLE("\"an_answer_of_more_than_60_bytes_is_cut_where_nobody_needs_it…\"")},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=alice"}, ROLE_NONE, 0, "", BAD_USER("\"alice\"")},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=007"}, ROLE_NONE, 0, "", BAD_USER("\"007\"")},
    {{"ANALYTICS_USER_ID=7"}, ROLE_NONE, 0, "", BAD_ROLE("none")},
    {{"ANALYTICS_ROLE=", "ANALYTICS_USER_ID=7"}, ROLE_NONE, 0, "", BAD_ROLE("none")},
    {{"ANALYTICS_CALLER=key:12"}, ROLE_NONE, 0, "", NULL},
    {{"HTTP_ANALYTICS_ROLE=admin"}, ROLE_NONE, 0, "", NULL},
    {{"HTTP_X_ANALYTICS_ROLE=admin", "X_ANALYTICS_ROLE=admin"}, ROLE_NONE, 0, "", NULL},
    {{"ANALYTICS_ROLE=admin", "ANALYTICS_ROLE=admin"}, ROLE_NONE, 0, "", TWICE("ANALYTICS_ROLE")},
    {{"ANALYTICS_ROLE=worker", "ANALYTICS_ROLE=admin"}, ROLE_NONE, 0, "", TWICE("ANALYTICS_ROLE")},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=1", "ANALYTICS_USER_ID=2"},
     ROLE_NONE,
     0,
     "",
     TWICE("ANALYTICS_USER_ID")},
    {{"ANALYTICS_ROLE=admin", "ANALYTICS_CALLER=a", "ANALYTICS_CALLER=b"}, ROLE_NONE, 0, "", TWICE("ANALYTICS_CALLER")},
    {{"ANALYTICS_ROLE=user"}, ROLE_NONE, 0, "", BAD_USER("none")},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID="}, ROLE_NONE, 0, "", BAD_USER("none")},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=0"}, ROLE_NONE, 0, "", BAD_USER("\"0\"")},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=-1"}, ROLE_NONE, 0, "", BAD_USER("\"-1\"")},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=1x"}, ROLE_NONE, 0, "", BAD_USER("\"1x\"")},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=9007199254740992"}, ROLE_NONE, 0, "", BAD_USER("\"9007199254740992\"")},
    {{"ANALYTICS_ROLE=admin", "ANALYTICS_CALLER=" LONG_64 "x"},
     ROLE_NONE,
     0,
     "",
     BAD_CALLER("65 bytes: \"012345678901234567890123456789012345678901234567890123456789…\"")},
    {{"ANALYTICS_ROLE=admin", "ANALYTICS_CALLER=a\nb"}, ROLE_NONE, 0, "", BAD_CALLER("3 bytes: \"a?b\"")},
    {{"ANALYTICS_ROLE=admin", "ANALYTICS_CALLER=" LONG_64}, ROLE_ADMIN, 0, LONG_64, NULL},
    {{"ANALYTICS_ROLE=admin"}, ROLE_ADMIN, 0, "admin", NULL},
    {{"ANALYTICS_ROLE=admin", "ANALYTICS_USER_ID=7", "ANALYTICS_CALLER="}, ROLE_ADMIN, 0, "admin", NULL},
    {{"ANALYTICS_ROLE=worker", "ANALYTICS_USER_ID=x"}, ROLE_WORKER, 0, "worker", NULL},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=7"}, ROLE_USER, 7, "user:7", NULL},
    {{"ANALYTICS_USER_ID=9007199254740991", "ANALYTICS_ROLE=user"},
     ROLE_USER,
     INT64_C(9007199254740991),
     "user:9007199254740991",
     NULL},
    {{"ANALYTICS_ROLE=user", "ANALYTICS_USER_ID=7", "ANALYTICS_CALLER=key:12"}, ROLE_USER, 7, "key:12", NULL},
};

START_TEST(reads_identity)
{
    read_env(identities[_i].env);
    ck_assert_int_eq(request.role, identities[_i].role);
    ck_assert_int_eq(request.user_id, identities[_i].user_id);
    ck_assert_str_eq(request.caller, identities[_i].caller);
    ck_assert_pstr_eq(request.distrust, identities[_i].distrust);
}
END_TEST

/* If the web server's identity of a caller is not understood, a key does not replace it. */
START_TEST(distrust_hides_the_key)
{
    const char *env[10] = {"ANALYTICS_API_KEY=a"};
    for (size_t i = 0; identities[_i].env[i]; i++)
        env[i + 1] = identities[_i].env[i];
    read_env(env);
    ck_assert_str_eq(request.api_key, identities[_i].distrust ? "" : "a");
}
END_TEST

START_TEST(doubtful_identity_hides_the_key)
{
    const char *env[] = {"ANALYTICS_API_KEY=a", "ANALYTICS_API_KEY=a", NULL};

    read_env(env);
    ck_assert_str_eq(request.api_key, "");
    ck_assert_str_eq(request.distrust, TWICE("ANALYTICS_API_KEY"));
}
END_TEST

/* ---- the rest of a request ---- */

START_TEST(reads_nothing)
{
    const char *env[] = {NULL};

    read_env(env);
    ck_assert_int_eq(request.method, HTTP_OTHER);
    ck_assert_str_eq(request.route, "");
    ck_assert_uint_eq(request.path.len, 0);
    ck_assert_str_eq(request.query_string, "");
    ck_assert_str_eq(request.content_type, "");
    ck_assert_ptr_null(request.idempotency_key);
    ck_assert_int_eq(request.content_length, -1);
}
END_TEST

START_TEST(reads_all)
{
    const char *env[] = {"REQUEST_METHOD=POST",
                         "DOCUMENT_URI=/analytics/ingest",
                         "REQUEST_URI=/a%6ealytics/ingest?x=1?2",
                         "QUERY_STRING=x=1?2",
                         "CONTENT_TYPE=application/json",
                         "CONTENT_LENGTH=17",
                         "HTTP_CONTENT_ENCODING=gzip",
                         "HTTP_IDEMPOTENCY_KEY=k=1",
                         "HTTP_ACCEPT=*/*",
                         NULL};

    read_env(env);
    ck_assert_int_eq(request.method, HTTP_POST);
    ck_assert_str_eq(request.route, "/analytics/ingest");
    ck_assert(slice_equals(request.path, "/a%6ealytics/ingest"));
    ck_assert_str_eq(request.query_string, "x=1?2");
    ck_assert_str_eq(request.content_type, "application/json");
    ck_assert_int_eq(request.content_length, 17);
    ck_assert_str_eq(request.content_encoding, "gzip");
    ck_assert_str_eq(request.idempotency_key, "k=1");
    ck_assert_str_eq(request.accept, "*/*");
}
END_TEST

/* nginx 1.22 passes on both of two equal headers. */
START_TEST(headers_given_twice_suit_nobody)
{
    const char *env[] = {"HTTP_IDEMPOTENCY_KEY=a",
                         "HTTP_IDEMPOTENCY_KEY=a",
                         "HTTP_CONTENT_ENCODING=gzip",
                         "HTTP_CONTENT_ENCODING=gzip",
                         "CONTENT_LENGTH=1",
                         "CONTENT_LENGTH=1",
                         NULL};

    read_env(env);
    ck_assert_str_eq(request.idempotency_key, ", ");
    ck_assert_str_eq(request.content_encoding, ", ");
    ck_assert_int_eq(request.content_length, -1);
}
END_TEST

static const struct {
    const char *entry;
    int64_t length;
} lengths[] = {
    {"CONTENT_LENGTH=", -1},   {"CONTENT_LENGTH=-1", -1},
    {"CONTENT_LENGTH=1x", -1}, {"CONTENT_LENGTH=99999999999999999999", -1},
    {"CONTENT_LENGTH=0", 0},   {"CONTENT_LENGTH=9223372036854775807", INT64_MAX},
};

START_TEST(reads_lengths)
{
    const char *env[] = {lengths[_i].entry, NULL};

    read_env(env);
    ck_assert_int_eq(request.content_length, lengths[_i].length);
}
END_TEST

/* ---- responses ---- */

static void ask(const char *path)
{
    request = (struct request){.method = HTTP_GET,
                               .route = path,
                               .path = slice_of(path),
                               .query_string = "",
                               .content_type = "",
                               .content_encoding = "",
                               .accept = "",
                               .content_length = -1,
                               .caller = "",
                               .api_key = "",
                               .now_ms = NOW_MS};
}

static void check_body(const char *expected)
{
    ck_assert_str_eq(buf_cstr(&response.body), expected);
}

START_TEST(writes_errors)
{
    ask("/analytics/\"<\xff");
    buf_puts(&response.body, "half an answer");
    response_header(&response, "X", "y");
    (void)fault_set_parameter(&fault, ERR_PARAMETER_INVALID, "order_id", "orderId must be \"good\"");
    response_error(&response, &request, &fault);
    ck_assert_int_eq(response.status, 400);
    check_body("{\"message\":\"analytics.order_id_invalid\",\"path\":\"/analytics/\\\"\\u003c\xef\xbf\xbd\","
               "\"timestamp\":\"2026-04-01T12:00:00.123Z\",\"detail\":\"orderId must be \\\"good\\\"\"}");
}
END_TEST

START_TEST(keeps_the_servers_troubles)
{
    ask("/x");
    (void)fault_set(&fault, ERR_UNAVAILABLE, "/var/lib/secret: disk full");
    response_error(&response, &request, &fault);
    ck_assert_int_eq(response.status, 503);
    check_body("{\"message\":\"analytics.unavailable\",\"path\":\"/x\",\"timestamp\":\"2026-04-01T12:00:00.123Z\"}");
    ck_assert_str_eq(response.fault_text, "/var/lib/secret: disk full");
}
END_TEST

START_TEST(writes_heads)
{
    struct buf head;

    ask("/x");
    buf_init(&head, 4096);
    (void)fault_set(&fault, ERR_UNAVAILABLE, "x");
    response_error(&response, &request, &fault);
    cgi_put_head(&response, true, &head);
    ck_assert_str_eq(buf_cstr(&head), "Status: 503 Service Unavailable\r\nCache-Control: no-store\r\nRetry-After: 1\r\n"
                                      "Content-Type: application/json\r\nContent-Length: 86\r\n\r\n");
    buf_clear(&head);
    response_release(&response);
    response_init(&response);
    response.status = 204;
    cgi_put_head(&response, true, &head);
    ck_assert_str_eq(buf_cstr(&head), "Status: 204 No Content\r\n\r\n");
    buf_release(&head);
}
END_TEST

START_TEST(every_error_has_a_reason_phrase)
{
    static const enum err errors[] = {
#define ERROR(name, key, status) name,
        ERR_LIST(ERROR)
#undef ERROR
    };

    for (size_t i = 0; i < ROWS(errors); i++)
        ck_assert_msg(strcmp(http_reason(err_status(errors[i])), "Unknown") != 0, "%s", err_key(errors[i]));
}
END_TEST

/* ---- the gates ---- */

static const char *header(const char *name)
{
    for (size_t i = 0; i < response.header_count; i++) {
        if (strcmp(response.headers[i].name, name) == 0)
            return response.headers[i].value;
    }
    return "";
}

static void answer(enum program program)
{
    struct service service;

    service_init(&service, program, store_in("/nonexistent"), 1000);
    response_release(&response);
    response_init(&response);
    routes_answer(&service, &request, &response);
    service_release(&service);
}

static const char *const unknown[] = {"",
                                      "/",
                                      "/analytics",
                                      "/analytics/",
                                      "/analytics/traffic/",
                                      "/analytics/Traffic",
                                      "/analytics//traffic",
                                      "/analytics/traffic\n",
                                      "/analytics/../analytics/traffic",
                                      "/analytics/ingest",
                                      "/_analytics/auth/"};

START_TEST(unknown_paths)
{
    ask(unknown[_i]);
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 401);
    request.role = ROLE_ADMIN;
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 404);
}
END_TEST

/* A fault in the web server's identity is in the answer and in the log. Routes that are open to all stay open. */
START_TEST(distrust_is_told)
{
    const char *env[] = {"DOCUMENT_URI=/analytics/traffic", "ANALYTICS_ROLE=Admin", "ANALYTICS_API_KEY=a", NULL};
    read_env(env);
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 401);
    ck_assert_str_eq(response.fault_text,
                     "ANALYTICS_ROLE must be worker, user or admin, but the web server gives \"Admin\"");
    ck_assert_ptr_nonnull(strstr(buf_cstr(&response.body), "but the web server gives \\\"Admin\\\"\"}"));
    request.route = "/analytics/openapi.json";
    request.method = HTTP_GET;
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 200);
}
END_TEST

static bool may(enum role role, enum right right)
{
    if (role == ROLE_ADMIN || right == RIGHT_NONE || (right == RIGHT_WHOAMI && role != ROLE_NONE))
        return true;
    return (role == ROLE_WORKER && right == RIGHT_INGEST) || (role == ROLE_USER && right == RIGHT_READ);
}

/* The gates check the role first, then the right, then the method. */
static void check_gates(const struct route *route, enum http_method method, enum role role)
{
    bool post = route->methods == METHODS_POST;
    bool fits = route->methods == METHODS_ANY || (post ? method == HTTP_POST : method <= HTTP_HEAD);

    ask(route->path);
    request.method = method;
    request.role = role;
    request.user_id = role == ROLE_USER ? 1 : 0;
    answer(route->program);
    if (route->right != RIGHT_NONE && role == ROLE_NONE) {
        ck_assert_int_eq(response.status, 401);
        ck_assert_str_eq(header("WWW-Authenticate"), "Bearer realm=\"analytics\"");
    } else if (!may(role, route->right)) {
        ck_assert_int_eq(response.status, 403);
    } else if (!fits) {
        ck_assert_int_eq(response.status, 405);
        ck_assert_str_eq(header("Allow"), post ? "POST" : "GET, HEAD");
    } else {
        ck_assert_int_ne(response.status, 405);
        if (route->right != RIGHT_SHARE) /* always refused here: the web server says who asks, so there is no key */
            ck_assert_int_ne(response.status, 403);
    }
}

START_TEST(every_route)
{
    size_t count;
    const struct route *routes = routes_table(&count);

    for (size_t i = 0; i < count; i++) {
        for (enum http_method method = HTTP_GET; method <= HTTP_OTHER; method++) {
            for (enum role role = ROLE_NONE; role <= ROLE_ADMIN; role++)
                check_gates(&routes[i], method, role);
        }
    }
}
END_TEST

/* A user without an id would be a user without bounds. */
START_TEST(user_without_id)
{
    ask("/analytics/traffic");
    request.role = ROLE_USER;
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 401);
}
END_TEST

/* The role is checked before the parameters, and the parameters before the database. */
START_TEST(order_of_checks)
{
    ask("/analytics/traffic");
    request.query_string = "from=x";
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 401);
    request.role = ROLE_ADMIN;
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 400);
    request.query_string = "from=2026-03-15&to=2026-03-15";
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 503);
    ck_assert_str_eq(header("Retry-After"), "1");
}
END_TEST

START_TEST(health_without_database)
{
    ask("/analytics/health");
    answer(PROGRAM_QUERY);
    ck_assert_int_eq(response.status, 503);
    check_body("{\"message\":\"analytics.unavailable\",\"path\":\"/analytics/health\","
               "\"timestamp\":\"2026-04-01T12:00:00.123Z\",\"detail\":\"the database can't be read\"}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *tcase = suite_case(suite, "http");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, reads_identity, 0, ROWS(identities));
    tcase_add_loop_test(tcase, distrust_hides_the_key, 0, ROWS(identities));
    tcase_add_test(tcase, doubtful_identity_hides_the_key);
    tcase_add_test(tcase, reads_nothing);
    tcase_add_test(tcase, reads_all);
    tcase_add_test(tcase, headers_given_twice_suit_nobody);
    tcase_add_loop_test(tcase, reads_lengths, 0, ROWS(lengths));
    tcase_add_test(tcase, writes_errors);
    tcase_add_test(tcase, keeps_the_servers_troubles);
    tcase_add_test(tcase, writes_heads);
    tcase_add_test(tcase, every_error_has_a_reason_phrase);
    tcase_add_loop_test(tcase, unknown_paths, 0, ROWS(unknown));
    tcase_add_test(tcase, distrust_is_told);
    tcase_add_test(tcase, every_route);
    tcase_add_test(tcase, user_without_id);
    tcase_add_test(tcase, order_of_checks);
    tcase_add_test(tcase, health_without_database);
    return suite_run_together(suite);
}
