/* test_access.c: who may do what, as a matrix: every route of the program's own table, every role, every trick to be
 * somebody else, through nginx, with our keys and with an operator's own service. A new route without a row here fails.
 * The headers that a client might forge are read from nginx's files, so a new one is tried, too. test_identity.c has
 * the kinds of wrong keys, and the answers of a service.
 *
 * Seen to fail, each with a line or two changed:
 *   routes.c: /analytics/errors with RIGHT_NONE -> "/analytics/errors: the table has another right than the documents"
 *   routes.c: scope() keeps an id that was asked for -> "userId=2 by user: without its rows: …"4020"…"
 *   routes.c: no look at the role -> "naive service GET /analytics/traffic by worker: expected 403, got 200"
 *   analytics.conf: ANALYTICS_ROLE begins with $http_x_analytics_role -> no_header_makes_somebody_else, from
 *     "X_ANALYTICS_ROLE: admin" on
 *   analytics.conf: the ingest location without auth_request -> "POST /analytics/ingest by user: expected 403, got 204"
 *   analytics-http.conf: the bearer's key before x-api-key -> "pair 0: worker, then user: … expected 403, got 200"
 *   analytics-auth-own.conf.example: X-Analytics-Role left to the client -> "the service was told X-Analytics-Role";
 *     X-Analytics-Need left to it -> no_header_makes_somebody_else, "X-ANALYTICS-NEED: ingest" */
#include "support/auth_service.h"
#include "endpoint/routes.h"
#include "support/stack.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define RANGE "from=2026-03-15&to=2026-03-15&by=order&name=a&expires=2999-01-01" /* for routes that know them */

/* ---- what is stored: user 1 has 301 requests, user 2 has 4020, and both have order 30 ---- */

#define AT "\"ts\":\"2026-03-15 10:15:00\","
static const char stored[] =
    "{\"logs\":[{" AT "\"user_id\":1,\"order_id\":10,\"domain\":\"of-1.example\",\"count\":1,\"error\":\"e-1\"},"
    "{" AT "\"user_id\":2,\"order_id\":20,\"domain\":\"of-2.example\",\"count\":20,\"error\":\"e-2\"},"
    "{" AT "\"user_id\":1,\"order_id\":30,\"domain\":\"of-1.example\",\"count\":300},"
    "{" AT "\"user_id\":2,\"order_id\":30,\"domain\":\"of-2.example\",\"count\":4000}]}";

/* A batch that each role tries to send, in a month that no report here covers. Its worker has the name of the role. */
#define ATTEMPT                                                                                                        \
    "{\"logs\":[{\"ts\":\"2026-01-01\",\"user_id\":1,\"order_id\":1,\"domain\":\"x\",\"count\":1,\"worker\":\"%s\"}]}"

/* ---- the rows: docs/api.md, "Authentication" ---- */

static const struct row {
    const char *path;
    enum right right;
    const char *own; /* in the answer to user 1 */
    const char *all; /* in the answer to the admin, and in no other */
} rows[] = {
    {"/analytics/ingest", RIGHT_INGEST, NULL, NULL},
    {"/analytics/health", RIGHT_NONE, "\"ok\"", NULL},
    {"/analytics/openapi.json", RIGHT_NONE, "\"openapi\"", NULL},
    {"/analytics/metrics", RIGHT_METRICS, "", "analytics_batches_total "},
    {"/analytics/whoami", RIGHT_WHOAMI, "\"role\":", NULL},
    {"/analytics/shares", RIGHT_SHARE, "\"key\":\"fnp_", NULL},
    {"/analytics/traffic", RIGHT_READ, "\"301\"", "\"4321\""},
    {"/analytics/requests", RIGHT_READ, "\"301\"", "\"4321\""},
    {"/analytics/concurrency", RIGHT_READ, "\"301\"", "\"4321\""},
    {"/analytics/domains", RIGHT_READ, "of-1", "of-2"},
    {"/analytics/errors", RIGHT_READ, "e-1", "e-2"},
    {"/analytics/websites", RIGHT_READ, "of-1", "of-2"},
    {"/analytics/summary", RIGHT_READ, "\"301\"", "\"4321\""},
    {"/analytics/breakdown", RIGHT_READ, "\"10\"", "\"20\""},
};

static bool is_posted(const struct row *row)
{
    return row->right == RIGHT_INGEST || row->right == RIGHT_SHARE;
}

static const struct row *find_row(const char *path)
{
    for (int i = 0; i < ROWS(rows); i++)
        if (!strcmp(rows[i].path, path))
            return &rows[i];
    return NULL;
}

START_TEST(every_route_has_a_row)
{
    size_t count = 0;
    bool served[ROWS(rows)] = {false};
    const struct route *table = routes_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = find_row(table[i].path);
        if (!strncmp(table[i].path, "/_analytics/", 12))
            continue; /* nginx's own: no_path_leads_around asks for it */
        ck_assert_msg(row != NULL, "%s has no row in this test", table[i].path);
        ck_assert_msg(row->right == table[i].right, "%s: the table has another right than the documents", row->path);
        ck_assert_msg(table[i].methods == (is_posted(row) ? METHODS_POST : METHODS_READ),
                      "%s: the table has other methods than the documents", row->path);
        served[row - rows] = true;
    }
    for (int i = 0; i < ROWS(rows); i++)
        ck_assert_msg(served[i], "%s is not in the program's table", rows[i].path);
}
END_TEST

/* ---- who asks ---- */

enum { WORKER, USER, ADMIN, NOBODY, ROLES };

static const char *const role_words[ROLES] = {"worker", "user", "admin", "nobody"};
static char identity[ROLES][128]; /* the header line that gives a request this role */

static _Atomic unsigned *asked; /* requests of all tests: each test is a process */

/* has_two_rights: an operator's own service knows only two rights, to send batches and to read (all the rest). */
static bool has_two_rights, has_own_service;

static bool may(int role, enum right right)
{
    static const bool allowed[ROLES][RIGHTS] = {
        [WORKER] = {[RIGHT_INGEST] = true},
        [USER] = {[RIGHT_READ] = true},
        [ADMIN] = {[RIGHT_INGEST] = true, [RIGHT_READ] = true, [RIGHT_METRICS] = true, [RIGHT_SHARE] = true},
    };
    if (right == RIGHT_WHOAMI)
        return role != NOBODY && (role != WORKER || !has_two_rights);
    return right == RIGHT_NONE || allowed[role][right];
}

static bool has_method(const struct row *row, const char *method)
{
    if (is_posted(row))
        return !strcmp(method, "POST");
    return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

static long expected_status(const struct row *row, int role, const char *method)
{
    if (row->right != RIGHT_NONE && role == NOBODY)
        return 401;
    if (!may(role, row->right))
        return 403;
    if (!has_method(row, method))
        return 405;
    if (row->right == RIGHT_SHARE && has_own_service)
        return 403; /* a caller without a key of ours cannot share */
    return row->right == RIGHT_INGEST ? 204 : 200;
}

static const char *proper_method(const struct row *row)
{
    return is_posted(row) ? "POST" : "GET";
}

/* ---- asking ---- */

struct ask {
    const struct row *row;
    int role;
    const char *method;  /* NULL: the row's */
    const char *target;  /* NULL: the row's path */
    const char *query;   /* beside the range; NULL: none */
    const char *headers; /* whole lines; NULL: none */
    const char *as;      /* an identity header in place of the role's */
};

static char *write_request(const struct ask *ask, const char *method, size_t *ret_len)
{
    char *text = NULL, body[512] = "";
    FILE *file = open_memstream(&text, ret_len);
    if (!strcmp(method, "POST") || !strcmp(method, "PUT"))
        snprintf(body, sizeof body, ATTEMPT, role_words[ask->role]);
    fprintf(file, "%s %s?" RANGE "%s%s HTTP/1.1\r\nHost: localhost\r\n", method,
            ask->target ? ask->target : ask->row->path, ask->query ? "&" : "", ask->query ? ask->query : "");
    fprintf(file, "%s%s", ask->as ? ask->as : identity[ask->role], ask->headers ? ask->headers : "");
    fprintf(file, "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(body),
            body);
    fclose(file);
    return text;
}

/* The answer to HEAD has a length and no body, so it ends where the connection does. */
static struct reply talk(const char *request, size_t len, bool head)
{
    if (!head)
        return stack_talk(&shared, request, len, 30);
    char *text = stack_raw(&shared, request, len, 30);
    struct reply reply = {.headers = strdup(""), .body = strdup("")};
    if (!strncmp(text, "HTTP/1.1 ", 9))
        reply.status = strtol(text + 9, NULL, 10);
    ck_assert_msg(strstr(text, "\r\n\r\n") && !strstr(text, "\r\n\r\n")[4], "a body for HEAD: %s", text);
    free(text);
    return reply;
}

static struct reply send_ask(const struct ask *ask)
{
    size_t len = 0;
    const char *method = ask->method ? ask->method : proper_method(ask->row);
    char *request = write_request(ask, method, &len);
    struct reply reply = talk(request, len, !strcmp(method, "HEAD"));
    ++*asked;
    free(request);
    return reply;
}

static const char *message_of(long status)
{
    switch (status) {
    case 400:
        return "analytics.request_invalid";
    case 401:
        return "auth.unauthorized";
    case 403:
        return "auth.forbidden";
    case 404:
        return "analytics.not_found";
    case 405:
        return "analytics.method_not_allowed";
    default:
        return "";
    }
}

static void check_content(const struct ask *ask, const struct reply *reply, const char *what)
{
    const struct row *row = ask->row;
    if (row->own)
        ck_assert_msg(strstr(reply->body, ask->role == ADMIN && row->all ? row->all : row->own) != NULL,
                      "%s by %s: without its rows: %s", what, role_words[ask->role], reply->body);
    if (row->all && ask->role != ADMIN)
        ck_assert_msg(!strstr(reply->body, row->all) && !strstr(reply->body, "\"4020\""),
                      "%s by %s: of somebody else: %s", what, role_words[ask->role], reply->body);
}

/* Sends a request, and expects this status, a whole error body, and no rows of others. */
static void expect(const struct ask *ask, long status, const char *what)
{
    struct reply reply = send_ask(ask);
    bool head = ask->method && !strcmp(ask->method, "HEAD");
    ck_assert_msg(reply.status == status, "%s %s %s by %s: expected %ld, got %ld %s", what,
                  ask->method ? ask->method : proper_method(ask->row), ask->target ? ask->target : ask->row->path,
                  role_words[ask->role], status, reply.status, reply.body);
    if (status >= 400 && !head && !ask->target)
        check_error(&reply, status, message_of(status), ask->row->path, NULL);
    else if (status >= 400 && !head)
        ck_assert_msg(strstr(reply.body, message_of(status)) != NULL, "%s: %s", what, reply.body);
    else if (status == 200 && !head)
        check_content(ask, &reply, what);
    reply_release(&reply);
}

/* ---- headers: every name that nginx hands to the programs or to a service, in every spelling ---- */

#define MAX_NAMES 64
static char names[MAX_NAMES][48]; /* ANALYTICS_ROLE */
static int name_count;

static void add_name(const char *text, size_t len)
{
    char name[48] = "";
    for (size_t i = 0; i < len && i < sizeof name - 1; i++)
        name[i] = (char)(text[i] == '-' ? '_' : toupper((unsigned char)text[i]));
    if (!strncmp(name, "HTTP_", 5) || !strncmp(name, "CONTENT_", 8) || !strcmp(name, "HOST"))
        return; /* ordinary headers of a request */
    for (int i = 0; i < name_count; i++)
        if (!strcmp(names[i], name))
            return;
    ck_assert_int_lt(name_count, MAX_NAMES);
    strcpy(names[name_count++], name);
}

static void add_names_after(const char *text, const char *directive)
{
    for (const char *at = text; (at = strstr(at, directive));) {
        at += strlen(directive);
        add_name(at, strcspn(at, " ;"));
    }
}

static void read_names(void)
{
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/nginx/analytics*", getenv("ANALYTICS_SRCDIR"));
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    name_count = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *text = stack_file(found.gl_pathv[i], NULL);
        add_names_after(text, "fastcgi_param ");
        add_names_after(text, "proxy_set_header ");
        add_names_after(text, "$upstream_http_");
        free(text);
    }
    globfree(&found);
    ck_assert_int_ge(name_count, 14); /* the files were found and understood */
}

/* The value that would help a forger most. */
static const char *forged_value(const char *name)
{
    static const struct {
        const char *part, *value;
    } values[] = {
        {"ROLE", "admin"},        {"USER_ID", "2"},   {"CALLER", "key:1"},          {"API_KEY", NULL},
        {"NEED", "ingest"},       {"METHOD", "POST"}, {"URI", "/analytics/health"}, {"QUERY", RANGE "&userId=2"},
        {"AUTHENTICATE", "Basic"}};
    for (int i = 0; i < ROWS(values); i++)
        if (strstr(name, values[i].part))
            return values[i].value ? values[i].value : shared.admin_key;
    return "admin";
}

enum { SPELLINGS = 10 };

/* Writes a header in one spelling: "ANALYTICS_ROLE", "analytics_role", "ANALYTICS-ROLE", …; the last one twice. */
static void put_spelling(FILE *file, const char *name, int spelling)
{
    static const char *const prefixes[SPELLINGS] = {"", "", "", "", "X_", "X-", "HTTP_", "HTTP-", "HTTP_HTTP_", "X-"};
    static const char joints[SPELLINGS] = {'_', '_', '-', '.', '_', '-', '_', '-', '_', '-'};
    bool lower = spelling == 1 || spelling == 5;
    fputs(prefixes[spelling], file);
    for (const char *p = name; *p; p++)
        fputc(*p == '_' ? joints[spelling] : lower ? tolower((unsigned char)*p) : *p, file);
    fprintf(file, ": %s\r\n", forged_value(name));
    if (spelling == SPELLINGS - 1)
        put_spelling(file, name, 5);
}

static char *forge(const char *name, int spelling)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    for (int i = 0; i < SPELLINGS; i++)
        if (spelling < 0 || spelling == i) {
            put_spelling(file, name, i);
            if (!strcmp(name, "ANALYTICS_ROLE"))
                put_spelling(file, "ANALYTICS_USER_ID", i);
        }
    fclose(file);
    return text;
}

static void try_forged(const char *name, int spelling)
{
    char *headers = forge(name, spelling);
    for (int i = 0; i < ROWS(rows); i++)
        for (int role = 0; role < ROLES; role++)
            expect(&(struct ask){.row = &rows[i], .role = role, .headers = headers},
                   expected_status(&rows[i], role, proper_method(&rows[i])), headers);
    free(headers);
}

/* Names of an identity in one spelling at a time, so that none hides another; other names in all spellings at once. */
START_TEST(no_header_makes_somebody_else)
{
    read_names();
    for (int i = 0; i < name_count; i++) {
        bool alone = strstr(names[i], "ANALYTICS_") != NULL;
        for (int spelling = _i; alone && spelling < SPELLINGS; spelling += 5)
            try_forged(names[i], spelling);
        if (!alone && _i == 0)
            try_forged(names[i], -1);
    }
}
END_TEST

/* The service learns from nginx alone what is asked, and it hears of no role. */
START_TEST(the_service_is_not_deceived)
{
    static const char *const told[] = {"X-Analytics-Need", "X-Original-Method", "X-Original-URI"};
    static const char *const untold[] = {"X-Analytics-Role", "X-Analytics-User-Id", "X-Analytics-Caller"};
    char headers[1024] = "", *end = headers;
    for (int i = 0; i < 3; i++)
        end += sprintf(end, "%s: forged\r\n%s: forged\r\n%s: forged\r\n", told[i], untold[i], untold[i]);
    const struct row *row = &rows[_i];
    expect(&(struct ask){.row = row, .role = ADMIN, .headers = headers},
           expected_status(row, ADMIN, proper_method(row)), "");
    for (int i = 0; i < 3 && row->right != RIGHT_NONE; i++) {
        char line[64];
        snprintf(line, sizeof line, "\r\n%s: ", told[i]);
        const char *first = strcasestr(auth_seen->request, line);
        ck_assert_msg(first && !strcasestr(first + 2, line), "the service was told %s twice, or not: %s", told[i],
                      auth_seen->request);
        snprintf(line, sizeof line, "\r\n%s: ", untold[i]);
        ck_assert_msg(!strcasestr(auth_seen->request, line), "the service was told %s: %s", untold[i],
                      auth_seen->request);
    }
    if (row->right != RIGHT_NONE)
        ck_assert_ptr_null(strstr(auth_seen->request, ": forged"));
}
END_TEST

/* If a service permits everything, the programs still check the role. */
START_TEST(the_programs_check_the_role_again)
{
    has_two_rights = false;
    for (int role = 0; role < NOBODY; role++) {
        char as[128];
        snprintf(as, sizeof as, "X-Script: 200|X-Analytics-Role: %s%s\r\n", role_words[role],
                 role == USER ? "|X-Analytics-User-Id: 1" : "");
        expect(&(struct ask){.row = &rows[_i], .role = role, .as = as},
               expected_status(&rows[_i], role, proper_method(&rows[_i])), "naive service");
    }
}
END_TEST

/* ---- methods ---- */

static const char *const odd_methods[] = {"HEAD",   "POST",     "GET",       "PUT",   "DELETE", "PATCH", "OPTIONS",
                                          "SEARCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY",   "MOVE",  "LOCK",
                                          "UNLOCK", "PURGE",    "FOO_BAR",   "GET-X", "GETT",   "G"};

START_TEST(a_method_is_what_it_is)
{
    const struct row *row = &rows[_i];
    for (int role = 0; role < ROLES; role++) {
        for (int i = 0; i < ROWS(odd_methods); i++)
            expect(&(struct ask){.row = row, .role = role, .method = odd_methods[i]},
                   expected_status(row, role, odd_methods[i]), "");
        expect(&(struct ask){.row = row, .role = role, .method = "TRACE"}, 405, "");
        expect(&(struct ask){.row = row, .role = role, .method = "CONNECT", .target = row->path}, 405, "");
        expect(&(struct ask){.row = row, .role = role, .method = "get", .target = row->path}, 400, "");
        expect(&(struct ask){.row = row, .role = role, .method = "Post", .target = row->path}, 400, "");
    }
}
END_TEST

START_TEST(no_override_of_the_method)
{
    static const char *const others[] = {"GET", "POST", "HEAD", "PUT", "DELETE"};
    static const char *const sent[] = {"GET", "POST"};
    for (int i = 0; i < ROWS(others); i++) {
        char headers[512], query[64];
        snprintf(headers, sizeof headers,
                 "X-HTTP-Method-Override: %s\r\nX-HTTP-Method: %s\r\nX-Method-Override: %s\r\n"
                 "X_HTTP_Method_Override: %s\r\nMethod: %s\r\n",
                 others[i], others[i], others[i], others[i], others[i]);
        snprintf(query, sizeof query, "_method=%s&method=%s", others[i], others[i]);
        for (int role = 0; role < ROLES; role++)
            for (int k = 0; k < ROWS(sent); k++)
                expect(
                    &(struct ask){
                        .row = &rows[_i], .role = role, .method = sent[k], .headers = headers, .query = query},
                    expected_status(&rows[_i], role, sent[k]), headers);
    }
}
END_TEST

/* ---- paths. @: the route's last part; ^: the same with its first letter as %hh; !: in capitals ---- */

enum outcome { SAME, ELSEWHERE, OUTSIDE, BAD, DASHBOARD };

static const struct {
    const char *target;
    enum outcome outcome;
} paths[] = {
    {"/analytics/@", SAME},
    {"/analytics//@", SAME},
    {"//analytics///@", SAME},
    {"/analytics/./@", SAME},
    {"/analytics/x/../@", SAME},
    {"/x/../analytics/@", SAME},
    {"/analytics/health/../@", SAME},
    {"/analytics/ingest/../@", SAME},
    {"/_analytics/auth-read/../../analytics/@", SAME},
    {"/analytics/health/%2e%2e/@", SAME},
    {"/analytics/health/.%2E/@", SAME},
    {"/analytics/health%2f..%2f@", SAME},
    {"/analytics/ingest%2F%2e%2e%2F@", SAME},
    {"/analytics%2f@", SAME},
    {"/%61nalytics/^", SAME},
    {"/analytics/^", SAME},
    {"http://localhost/analytics/@", SAME},
    {"HTTP://other.example/analytics/@", SAME},
    {"http://localhost:8080//analytics/health/..//@", SAME},
    {"/analytics/@/", ELSEWHERE},
    {"/analytics/@.", ELSEWHERE},
    {"/analytics/@/.", ELSEWHERE},
    {"/analytics/@/..", DASHBOARD},
    {"/analytics/@//", ELSEWHERE},
    {"/analytics/@/x", ELSEWHERE},
    {"/analytics/x/@", ELSEWHERE},
    {"/analytics/analytics/@", ELSEWHERE},
    {"/analytics/@;x=1", ELSEWHERE},
    {"/analytics/;/@", ELSEWHERE},
    {"/analytics/health;/../@;", ELSEWHERE},
    {"/analytics/..;/analytics/@", ELSEWHERE},
    {"/analytics/@%3bx", ELSEWHERE},
    {"/analytics/@%3f", ELSEWHERE},
    {"/analytics/@%23", ELSEWHERE},
    {"/analytics/@%20", ELSEWHERE},
    {"/analytics/@%09", ELSEWHERE},
    {"/analytics/@%0d%0a", ELSEWHERE},
    {"/analytics/@%2500", ELSEWHERE},
    {"/analytics/@%252f", ELSEWHERE},
    {"/analytics/health/%252e%252e/@", ELSEWHERE},
    {"/analytics/%c0%ae%c0%ae/@", ELSEWHERE},
    {"/analytics/health%5c..%5c@", ELSEWHERE},
    {"/analytics/health\\..\\@", ELSEWHERE},
    {"/analytics/@\\", ELSEWHERE},
    {"/analytics/@.json", ELSEWHERE},
    {"/analytics/@,", ELSEWHERE},
    {"/analytics/!", ELSEWHERE},
    {"/ANALYTICS/@", OUTSIDE},
    {"/Analytics/@", OUTSIDE},
    {"/@", OUTSIDE},
    {"/analytics/../@", OUTSIDE},
    {"/analytics;/@", OUTSIDE},
    {"/analytics./@", OUTSIDE},
    {"/analytics%20/@", OUTSIDE},
    {"/_analytics/@", OUTSIDE},
    {"/_analytics/auth", OUTSIDE},
    {"/_analytics/auth-read", OUTSIDE},
    {"/_analytics/auth-ingest", OUTSIDE},
    {"/analytics/../_analytics/auth-read", OUTSIDE},
    {"/analytics/%2e%2e/_analytics/auth-ingest", OUTSIDE},
    {"/%5fanalytics%2fauth-read", OUTSIDE},
    {"/analytics/@%00", BAD},
    {"/analytics/%00@", BAD},
    {"/analytics%00/@", BAD},
    {"/analytics/@%", BAD},
    {"/analytics/@%0", BAD},
    {"/analytics/@%u002e", BAD},
    {"/../analytics/@", BAD},
    {"/analytics/../../analytics/@", BAD},
    {"/%2e%2e/analytics/@", BAD},
    {"/analytics/@ x", BAD},
    {"analytics/@", BAD},
};

static void expand_path(const char *template, const char *last, char ret_target[256])
{
    char *to = ret_target;
    for (; *template; template ++) {
        if (*template == '@')
            to += sprintf(to, "%s", last);
        else if (*template == '^')
            to += sprintf(to, "%%%02x%s", (unsigned)last[0], last + 1);
        else if (*template == '!')
            for (const char *p = last; *p; p++)
                *to++ = (char)toupper((unsigned char)*p);
        else
            *to++ = *template;
    }
    *to = '\0';
}

/* Everything below /analytics/ that is no route asks for the right to read. */
static long status_at(const struct row *row, int role, enum outcome outcome)
{
    switch (outcome) {
    case SAME:
        return expected_status(row, role, proper_method(row));
    case ELSEWHERE:
        return role == NOBODY ? 401 : role == WORKER ? 403 : 404;
    case OUTSIDE:
        return 404;
    case BAD:
        return 400;
    case DASHBOARD:
        return 308;
    }
    return 0;
}

START_TEST(no_path_leads_around)
{
    const struct row *row = &rows[_i];
    for (int i = 0; i < ROWS(paths); i++) {
        char target[256];
        expand_path(paths[i].target, strrchr(row->path, '/') + 1, target);
        for (int role = 0; role < ROLES; role++)
            expect(&(struct ask){.row = row, .role = role, .target = target}, status_at(row, role, paths[i].outcome),
                   "");
    }
}
END_TEST

/* ---- another user's id or order ---- */

static const struct {
    const char *query;
    enum { OWN, NOTHING, REFUSED } what;
} others[] = {
    {"userId=2", OWN},
    {"userId=1", OWN},
    {"user_id=2", REFUSED},
    {"USERID=2", REFUSED},
    {"userId[]=2", OWN},
    {"%75serId=2", OWN},
    {"ANALYTICS_USER_ID=2&ANALYTICS_ROLE=admin", OWN},
    {"HTTP_ANALYTICS_ROLE=admin", OWN},
    {"role=admin&user=2", OWN},
    {"orderId=20", NOTHING},
    {"orderId=20&userId=2", NOTHING},
    {"orderId=999999", NOTHING},
    {"domain=of-2.example", NOTHING},
    {"domain=of-2.example&userId=2&orderId=30", NOTHING},
    {"userId=2&userId=1", REFUSED},
    {"orderId=10&orderId=20", REFUSED},
    {"userId=0", REFUSED},
    {"userId=-2", REFUSED},
    {"userId=1%20OR%201=1", REFUSED},
    {"orderId=10%26userId=2", REFUSED},
    {"orderId=20%00", REFUSED},
};

/* The summary of no logs. */
static const char nothing[] = "{\"data\":{\"total_count\":\"0\",\"total_errors\":\"0\",\"total_bytes_sent\":\"0\","
                              "\"total_bytes_received\":\"0\",\"bytes_total\":\"0\",\"max_concurrency\":\"0\","
                              "\"total_duration_ms\":\"0\",\"avg_duration_ms\":null,"
                              "\"first_seen\":null,\"last_seen\":null}}";

static void ask_of_others(const struct row *row, int i)
{
    struct ask ask = {.row = row, .role = USER, .query = others[i].query};
    struct reply reply = send_ask(&ask);
    ck_assert_msg(reply.status == (others[i].what == REFUSED ? 400 : 200), "%s?%s: %ld %s", row->path, ask.query,
                  reply.status, reply.body);
    if (others[i].what == OWN)
        check_content(&ask, &reply, ask.query);
    if (others[i].what == NOTHING)
        ck_assert_msg(strstr(reply.body, "\"data\":[]") || strstr(reply.body, nothing), "%s?%s: %s", row->path,
                      ask.query, reply.body);
    reply_release(&reply);
}

START_TEST(a_user_sees_its_own)
{
    for (int i = 0; i < ROWS(others) && rows[_i].right == RIGHT_READ; i++)
        ask_of_others(&rows[_i], i);
}
END_TEST

/* ---- two keys in two places: the first place that has a key decides, whatever the second has ---- */

enum { IS_EXPIRED = NOBODY + 1, IS_REVOKED, IS_WRONG, IS_ABSENT, KEYS };

static const char *const key_words[KEYS] = {"worker", "user", "admin", NULL, "expired", "revoked", "wrong", "no key"};
static char keys[KEYS][80];

enum { IN_API_KEY, IN_AUTHORIZATION, IN_QUERY };

static const struct {
    int first, second;
} pairs[] = {{IN_API_KEY, IN_AUTHORIZATION}, {IN_API_KEY, IN_QUERY}, {IN_AUTHORIZATION, IN_QUERY}};

static void put_key(int place, int key, char headers[512], char query[128])
{
    if (key == IS_ABSENT)
        return;
    if (place == IN_QUERY)
        sprintf(query, "apikey=%s", keys[key]);
    else
        sprintf(headers + strlen(headers), "%s%s\r\n", place == IN_API_KEY ? "x-api-key: " : "Authorization: Bearer ",
                keys[key]);
}

static void ask_with_two(const struct row *row, int pair, int first, int second)
{
    char headers[512] = "", query[128] = "", what[128];
    int role = first == IS_ABSENT ? second : first;
    put_key(pairs[pair].first, first, headers, query);
    put_key(pairs[pair].second, second, headers, query);
    snprintf(what, sizeof what, "pair %d: %s, then %s:", pair, key_words[first], key_words[second]);
    role = role > ADMIN ? NOBODY : role;
    expect(&(struct ask){.row = row, .role = role, .as = headers, .query = *query ? query : NULL},
           expected_status(row, role, proper_method(row)), what);
}

START_TEST(the_first_place_decides)
{
    for (int pair = 0; pair < ROWS(pairs); pair++)
        for (int first = 0; first < KEYS; first++)
            for (int second = 0; second < KEYS; second++)
                if (first != NOBODY && second != NOBODY)
                    ask_with_two(&rows[_i], pair, first, second);
}
END_TEST

/* ---- the end: nothing is stored of roles that have no right to send ---- */

START_TEST(nothing_came_in_by_stealth)
{
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM log WHERE worker IN ('user', 'nobody')"), 0);
    ck_assert_int_gt(stack_i64(&shared, "SELECT count(*) FROM log WHERE worker IN ('worker', 'admin')"), 0);
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM log WHERE worker = ''"), 4);
}
END_TEST

/* ---- the services ---- */

static void post_stored(const char *as)
{
    const char *const headers[] = {as, NULL};
    struct reply reply = stack_post(&shared, stored, strlen(stored), headers);
    ck_assert_int_eq(reply.status, 204);
    reply_release(&reply);
}

static void revoke_last_key(void)
{
    char *list = stack_ctl(&shared, "key list"), arguments[64];
    char *last = strrchr(list, '\n');
    snprintf(arguments, sizeof arguments, "key revoke %d", atoi(last ? last + 1 : list));
    free(stack_ctl(&shared, arguments));
    free(list);
}

static void make_expired_key(void)
{
    char when[64];
    time_t at = time(NULL) + 2;
    struct tm tm;
    strftime(when, sizeof when, "--role admin --expires %Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
    stack_key(&shared, when, keys[IS_EXPIRED]);
    while (time(NULL) < at)
        stack_nap(50);
}

static void make_keys(void)
{
    make_expired_key();
    stack_key(&shared, "--role admin", keys[IS_REVOKED]);
    revoke_last_key();
    stack_key(&shared, "--role user --user-id 1", keys[USER]);
    strcpy(keys[WORKER], shared.worker_key);
    strcpy(keys[ADMIN], shared.admin_key);
    strcpy(keys[IS_WRONG], shared.admin_key);
    keys[IS_WRONG][67] = keys[IS_WRONG][67] == '0' ? '1' : '0';
    for (int role = 0; role < NOBODY; role++)
        snprintf(identity[role], sizeof identity[role], "x-api-key: %.68s\r\n", keys[role]);
    identity[NOBODY][0] = '\0';
}

static const char *const rates[] = {"--rate-ingest", "1000000", "--rate-reads", "1000000", NULL};

static void start(void)
{
    stack_start(&shared, rates);
    make_keys();
    post_stored(NULL);
}

#define LET_ALL_HEADERS_IN "underscores_in_headers on;\nignore_invalid_headers off;\n"

static void start_with(const char *auth_file)
{
    const char *arguments[8] = {"--auth", auth_file};
    memcpy(arguments + 2, rates, sizeof rates);
    stack_start(&shared, arguments);
}

static void start_lax(void)
{
    char path[128];
    stack_folder(&shared);
    stack_auth_file(&shared, "analytics-auth-keys.conf", LET_ALL_HEADERS_IN, (const char *const[]){NULL}, path);
    start_with(path);
    make_keys();
    post_stored(NULL);
}

static void start_own(void)
{
    char path[128];
    stack_folder(&shared);
    auth_service_start();
    auth_service_file(&shared, LET_ALL_HEADERS_IN, path);
    has_two_rights = has_own_service = true;
    start_with(path);
    for (int role = 0; role < NOBODY; role++)
        snprintf(identity[role], sizeof identity[role], "X-Script: role %s%s\r\n", role_words[role],
                 role == USER ? " 1" : "");
    identity[NOBODY][0] = '\0';
    post_stored("X-Script: role worker");
}

static void stop(void)
{
    stack_stop(&shared);
}

static void add_matrix(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_method_is_what_it_is, 0, ROWS(rows));
    tcase_add_loop_test(tcase, no_override_of_the_method, 0, ROWS(rows));
    tcase_add_loop_test(tcase, no_path_leads_around, 0, ROWS(rows));
    tcase_add_loop_test(tcase, a_user_sees_its_own, 0, ROWS(rows));
}

static void add_cases(Suite *suite)
{
    TCase *tcase = suite_case(suite, "table");
    tcase_add_test(tcase, every_route_has_a_row);
    tcase = stack_case(suite, "keys", start, stop);
    add_matrix(tcase);
    tcase_add_loop_test(tcase, the_first_place_decides, 0, ROWS(rows));
    tcase_add_test(tcase, nothing_came_in_by_stealth);
    tcase = stack_case(suite, "keys, all headers let in", start_lax, stop);
    tcase_add_loop_test(tcase, no_header_makes_somebody_else, 0, 5);
    tcase_add_test(tcase, nothing_came_in_by_stealth);
    tcase = stack_case(suite, "own service, all headers let in", start_own, auth_service_stop_both);
    add_matrix(tcase);
    tcase_add_loop_test(tcase, no_header_makes_somebody_else, 0, 5);
    tcase_add_loop_test(tcase, the_service_is_not_deceived, 0, ROWS(rows));
    tcase_add_loop_test(tcase, the_programs_check_the_role_again, 0, ROWS(rows));
    tcase_add_test(tcase, nothing_came_in_by_stealth);
}

int main(void)
{
    Suite *suite = suite_create("access");
    asked = mmap(NULL, sizeof *asked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    add_cases(suite);
    printf("%d routes, %d roles, %u requests\n", ROWS(rows), (int)ROLES, *asked);
    return suite_run(suite);
}
