/* test_reads.c: random logs are posted through the API, and random questions asked: every answer equals one that
 * SQLite's own date and JSON functions make from the raw logs. */
#include "support/engine.h"
#include "support/stack.h"
#include "support/fixture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define USERS 4
#define ORDERS 6
#define DOMAINS 25
#define BEGIN INT64_C(1767139200) /* 2025-12-31 00:00:00 */
#define DAYS 70                   /* to 2026-03-11, over a year's end and the end of February */
#define DAY INT64_C(86400)

static char user_key[USERS + 1][80];

/* ---- logs ---- */

static struct tm civil(int64_t at)
{
    time_t t = (time_t)at;
    struct tm tm;
    gmtime_r(&t, &tm);
    return tm;
}

static void print_time(FILE *file, int64_t at)
{
    static const char *const zones[] = {"", "Z", "+00:00", ".250", ".000Z"};
    char text[40];
    struct tm tm = civil(at);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    int64_t zone = pick(5);
    if (zone)
        text[10] = 'T';
    fprintf(file, "%s%s", text, zones[zone]);
}

static void print_domain(FILE *file, int64_t domain)
{
    static const char *const odd[] = {"<img src=x>", "=cmd()", "m\\u00fcnchen.example", "quote\\\"d",
                                      "a'b; DROP TABLE x"};
    static const char *const names[] = {"site", "SITE", "Site"}, *const tops[] = {".example", ".Example", ".EXAMPLE."};
    static const char *const below[] = {"", "", "www.", "x.www.", "x"};
    if (domain < ROWS(odd))
        fputs(odd[domain], file);
    else
        fprintf(file, "%s%s%d%s", below[pick(5)], names[pick(3)], (int)domain, tops[pick(3)]);
}

static int64_t counter(void)
{
    return pick(50) ? pick(5000) : INT64_C(9007199254740991) / 100000;
}

static void print_log(FILE *file, int step)
{
    static const char *const errors[] = {"", "", "", "timeout", "dns \\\"failure\\\", twice", "line\\r\\nbreak"};
    static const char *const ips[] = {"", "185.199.100.10", "2001:db8::10"};
    static const char *const workers[] = {"", "worker-01", "=1+1", "\\\"\\\"", "\\t,\\n"};
    static const char *const protocols[] = {"", "HTTP", "HTTPS"};
    int64_t newest = DAYS * DAY * (step + 1) / 40;
    int64_t at = BEGIN + (pick(3) ? newest - 1 - pick(newest < 2 * DAY ? newest : 2 * DAY) : pick(newest));
    fprintf(file, "{\"ts\":\"");
    print_time(file, pick(2) ? at - at % 900 : at);
    fprintf(file, "\",\"domain\":\"");
    print_domain(file, pick(DOMAINS) * pick(DOMAINS) / DOMAINS);
    fprintf(file, "\",\"user_id\":%d,\"order_id\":%d,\"error\":\"%s\",\"ip_out\":\"%s\",\"ip_from\":\"%s\",",
            (int)(1 + pick(USERS)), (int)(1 + pick(ORDERS)), errors[pick(6)], ips[pick(3)],
            pick(3) ? "78.100.50.12" : "2001:db8::7");
    fprintf(file,
            "\"count\":%" PRId64 ",\"bytes_sent\":%" PRId64 ",\"bytes_received\":%" PRId64
            ",\"error_count\":%d,\"duration_ms\":%" PRId64
            ",\"max_concurrency\":%d,\"worker\":\"%s\",\"peer_id\":\"p%d\",\"protocol\":\"%s\","
            "\"port\":%d}",
            counter(), counter(), counter(), (int)pick(5), pick(4) ? counter() : 0, (int)pick(90), workers[pick(5)],
            (int)pick(120), protocols[pick(3)], (int)pick(3) * 40);
}

static void post_step(int step)
{
    char *body = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&body, &len);
    fprintf(file, "{\"logs\":[");
    for (int64_t i = 1 + pick(150); i > 0; i--) {
        print_log(file, step);
        fputs(i > 1 ? "," : "]}", file);
    }
    fclose(file);
    struct reply reply = stack_post(&shared, body, len, NULL);
    ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    reply_release(&reply);
    free(body);
}

/* ---- questions ---- */

struct question {
    int64_t from, to;
    int user;         /* whose logs count; 0: everyone's */
    const char *key;  /* who asks */
    char query[1024]; /* from, to, filters */
    char where[1024]; /* the same in SQL over the view `log` */
};

/* Appends to a text; returns its new end. */
__attribute__((format(printf, 2, 3))) static char *add(char *end, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int len = vsprintf(end, format, values);
    va_end(values);
    return end + len;
}

static char *put_time(char *query, const char *name, int64_t at)
{
    char text[40];
    struct tm tm = civil(at);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (at % 2 == 0) { /* the other way to write a time; + is a space in a query */
        text[10] = '+';
        text[19] = '\0';
    }
    return add(query, "%s=%s", name, text);
}

static int64_t edge(void)
{
    static const int64_t grids[] = {DAY, DAY, 3600, 900, 1, 1};
    int64_t at = BEGIN - DAY + pick((DAYS + 2) * DAY);
    return at - at % grids[pick(6)];
}

static void pick_range(struct question *q)
{
    do {
        q->from = edge();
        q->to = edge();
    } while (q->to < q->from || q->to - q->from > 58 * DAY);
}

static void pick_question(struct question *q)
{
    pick_range(q);
    char *query = put_time(q->query, "from", q->from);
    query = put_time(query, "&to", q->to);
    char *where = add(q->where, "unixepoch(ts) >= %" PRId64, q->from);
    where = add(where, " AND unixepoch(ts) < %" PRId64, q->to);
    int asker = (int)pick(USERS + 1);
    q->key = asker ? user_key[asker] : shared.admin_key;
    q->user = asker ? asker : (int)pick(3) - 1;
    if (!asker && q->user > 0)
        query = add(query, "&userId=%d", q->user);
    else if (asker && pick(3) == 0)
        query = add(query, "&userId=%" PRId64, 1 + pick(USERS)); /* changes nothing: a user sees their own */
    if (q->user > 0)
        where = add(where, " AND user_id = %d", q->user);
    if (pick(3) == 0) {
        int64_t order = 1 + pick(ORDERS + 1);
        query = add(query, "&orderId=%" PRId64, order);
        where = add(where, " AND order_id = %" PRId64, order);
    }
    if (pick(3) == 0) {
        int64_t domain = 5 + pick(8);
        bool is_below = pick(2);
        query = add(query, "&domain=%s%s%" PRId64 ".%s", is_below ? "*." : "", pick(2) ? "site" : "SITE", domain,
                    pick(2) ? "example" : "Example.");
        where = add(where,
                    is_below ? " AND (domain = 'site%" PRId64 ".example'" : " AND (domain = 'site%" PRId64 ".example')",
                    domain);
        if (is_below)
            where = add(where, " OR domain GLOB '*.site%" PRId64 ".example')", domain);
    }
    if (pick(4) == 0) {
        static const char *const errors[][2] = {{"timeout", "'timeout'"},
                                                {"dns+%22failure%22,%20twice", "'dns \"failure\", twice'"},
                                                {"line%0D%0Abreak", "'line' || char(13, 10) || 'break'"},
                                                {"Timeout", "'Timeout'"}};
        size_t error = (size_t)pick(ROWS(errors));
        add(query, "&error=%s", errors[error][0]);
        add(where, " AND error = %s", errors[error][1]);
    }
}

static const struct {
    const char *query;
    const char *where; /* in SQL over the view `log` */
} terms[] = {
    {"&worker=worker-01", " AND worker = 'worker-01'"},
    {"&worker=%3D1%2B1", " AND worker = '=1+1'"},
    {"&worker=", " AND worker = ''"},
    {"&worker=unknown", " AND worker = 'unknown'"},
    {"&peer=p7", " AND peer_id = 'p7'"},
    {"&protocol=HTTPS", " AND protocol = 'HTTPS'"},
    {"&port=40", " AND port = 40"},
    {"&port=0&protocol=HTTP", " AND port = 0 AND protocol = 'HTTP'"},
    {"&ip_out=2001:DB8::10", " AND ip_out = '20010DB8000000000000000000000010'"},
    {"&ip_out=&worker=worker-01", " AND ip_out = '' AND worker = 'worker-01'"},
    {"&ip_from=78.100.50.12", " AND ip_from = '4E64320C'"},
    {"&ip_from=78.100.50.12&ip_out=185.199.100.10&port=40",
     " AND ip_from = '4E64320C' AND ip_out = 'B9C7640A' AND port = 40"},
    {"&not_worker=worker-01", " AND worker <> 'worker-01'"},
    {"&not_worker=&not_peer=p7", " AND worker <> '' AND peer_id <> 'p7'"},
    {"&not_protocol=HTTPS&not_port=40", " AND protocol <> 'HTTPS' AND port <> 40"},
    {"&not_ip_out=2001:DB8::10", " AND ip_out <> '20010DB8000000000000000000000010'"},
    {"&not_ip_from=78.100.50.12", " AND ip_from <> '4E64320C'"},
    {"&not_error=timeout", " AND error <> 'timeout'"},
    {"&not_error=dns+%22failure%22,%20twice&not_domain=*.example",
     " AND error <> 'dns \"failure\", twice' AND domain NOT GLOB '*.example' AND domain <> 'example'"},
    {"&not_domain=SITE7.example.", " AND domain <> 'site7.example'"},
    {"&not_domain=*.www.site9.example", " AND domain NOT IN ('www.site9.example', 'x.www.site9.example')"},
    {"&not_domain=%3Cimg+src%3Dx%3E", " AND domain <> '<img src=x>'"},
    {"&not_orderId=2", " AND order_id <> 2"},
    {"&not_userId=3", " AND user_id <> 3"},
    {"&not_userId=1&not_orderId=5&not_domain=site6.example",
     " AND user_id <> 1 AND order_id <> 5 AND domain <> 'site6.example'"},
};

/* Filters by fields that only the logs have. */
static void add_terms(struct question *q)
{
    size_t i = (size_t)pick(2 * ROWS(terms));
    if (i >= (size_t)ROWS(terms))
        return;
    strcat(q->query, terms[i].query);
    strcat(q->where, terms[i].where);
}

/* The answer of SQL. Nothing is written while questions are asked, so a test opens the logs once. */
static char *expect(const char *sql)
{
    static sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    if (!db)
        db = stack_database(&shared);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    ck_assert_msg(sqlite3_step(statement) == SQLITE_ROW, "%s: %s", sql, sqlite3_errmsg(db));
    char *text = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return text;
}

/* ---- CSV: the same rows as in JSON ---- */

/* One field, by the grammar of RFC 4180: *at moves behind it, to the comma or the line's end. To be freed. */
static char *take_field(const char **at)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    bool quoted = **at == '"';
    *at += quoted;
    while (quoted ? **at != '"' || (*at)[1] == '"' : **at && !strchr(",\r\n", **at)) {
        ck_assert_msg(**at && (quoted || **at != '"'), "a quote in a bare field, or none at its end");
        *at += quoted && **at == '"';
        fputc(*(*at)++, file);
    }
    *at += quoted;
    fclose(file);
    return text;
}

/* The next field is `expected`, and `end` follows. */
static void expect_field(const char **at, const char *expected, const char *end)
{
    char *field = take_field(at);
    ck_assert_msg(!strcmp(field, expected), "got '%s', expected '%s'", field, expected);
    ck_assert_msg(!strncmp(*at, end, strlen(end)), "'%s' is followed by '%.10s'", field, *at);
    *at += strlen(end);
    free(field);
}

/* A member as a field: null is empty, a list is joined by spaces. */
static void cell_text(json_object *value, char ret_text[2048])
{
    size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
    char *end = ret_text;
    *end = '\0';
    for (size_t i = 0; i < count; i++)
        end = add(end, "%s%s", i ? " " : "", json_object_get_string(json_object_array_get_idx(value, i)));
    if (json_object_is_type(value, json_type_string))
        add(end, "%s", json_object_get_string(value));
}

static void expect_line(const char **at, json_object *row, bool names)
{
    struct json_object_iterator member = json_object_iter_begin(row), last = json_object_iter_end(row);
    char text[2048];
    for (int left = json_object_object_length(row); !json_object_iter_equal(&member, &last);
         json_object_iter_next(&member)) {
        cell_text(json_object_iter_peek_value(&member), text);
        expect_field(at, names ? json_object_iter_peek_name(&member) : text, --left ? "," : "\r\n");
    }
}

/* `expected`: the answer in JSON. Without a row, the names of the columns are not compared. */
static void compare_csv(const char *path, const struct question *q, json_object *expected)
{
    static const char *const accept[] = {"Accept: application/json;q=0.5, text/csv", NULL};
    char csv_path[1300];
    json_object *data = json_object_object_get(expected, "data");
    bool by_header = pick(2), list = json_object_is_type(data, json_type_array);
    snprintf(csv_path, sizeof csv_path, "%s%s", path, by_header ? "" : "&format=csv");
    struct reply reply = stack_send(
        &shared, &(struct request_spec){.path = csv_path, .key = q->key, .headers = by_header ? accept : NULL});
    char *type = reply_header(&reply, "content-type");
    const char *at = reply.body;
    ck_assert_msg(reply.status == 200 && type && !strcmp(type, "text/csv; charset=utf-8; header=present"), "%s: %ld %s",
                  csv_path, reply.status, type);
    size_t count = list ? json_object_array_length(data) : 1;
    for (size_t i = 0; i < count; i++) {
        json_object *row = list ? json_object_array_get_idx(data, i) : data;
        if (i == 0)
            expect_line(&at, row, true);
        expect_line(&at, row, false);
    }
    if (count == 0)
        at = strstr(at, "\r\n") + 2;
    ck_assert_str_eq(at, "");
    free(type);
    reply_release(&reply);
}

static void compare(const char *path, const struct question *q, const char *sql)
{
    struct reply reply = stack_send(&shared, &(struct request_spec){.path = path, .key = q->key});
    char *expected_text = expect(sql);
    json_object *got = json_tokener_parse(reply.body), *expected = json_tokener_parse(expected_text);
    ck_assert_msg(reply.status == 200 && got && expected, "%s: %ld %s", path, reply.status, reply.body);
    ck_assert_msg(json_object_equal(got, expected), "%s\ngot      %s\nexpected %s", path, reply.body, expected_text);
    compare_csv(path, q, expected);
    json_object_put(got);
    json_object_put(expected);
    reply_release(&reply);
    free(expected_text);
}

static const struct {
    const char *name;
    const char *bucket;
    int64_t longest; /* the widest range that gets it by default; 0: only when asked for */
} granularities[] = {
    {"15m", "datetime(unixepoch(ts) / 900 * 900, 'unixepoch')", DAY},
    {"hour", "strftime('%Y-%m-%d %H:00:00', ts)", 7 * DAY},
    {"day", "strftime('%Y-%m-%d 00:00:00', ts)", 1000 * DAY},
    {"week", "datetime(ts, 'start of day', '-6 days', 'weekday 1')", 0},
    {"month", "datetime(ts, 'start of month')", 0},
};

#define SUM(column) "cast(sum(" column ") AS TEXT)"

static const struct {
    const char *path;
    const char *members;
} charts[] = {
    {"/analytics/traffic",
     "'total_bytes_sent', " SUM("bytes_sent") ", 'total_bytes_received', " SUM(
         "bytes_received") ", 'bytes_total', " SUM("bytes_sent + bytes_received") ", 'total_count', " SUM("count")},
    {"/analytics/requests", "'total_count', " SUM("count") ", 'total_errors', " SUM("error_count")},
    {"/analytics/concurrency", "'max_concurrency', cast(max(max_concurrency) AS TEXT), 'total_count', " SUM("count")},
};

/* Both measures of durations, from these sums in SQL. */
#define DURATIONS(duration, count)                                                                                     \
    ", 'total_duration_ms', cast(coalesce(" duration ", 0) AS TEXT), 'avg_duration_ms', CASE WHEN " count              \
    " > 0 THEN cast(" duration " / " count " AS TEXT) END"

/* Sometimes asks for durations. Returns the members that each row then has as well, in SQL. */
static const char *add_durations(struct question *q)
{
    bool is_asked = pick(2);
    add(q->query + strlen(q->query), "%s", is_asked ? "&durations=true" : pick(2) ? "&durations=false" : "");
    return is_asked ? DURATIONS("sum(duration_ms)", "sum(count)") : "";
}

static size_t default_granularity(const struct question *q)
{
    size_t i = 0;
    while (q->to - q->from > granularities[i].longest)
        i++;
    return i;
}

static void check_chart(struct question *q)
{
    char path[1200], sql[8192];
    size_t chart = (size_t)pick(3), row = (size_t)pick(6);
    const char *durations = add_durations(q);
    if (row == 5) {
        row = default_granularity(q);
        snprintf(path, sizeof path, "%s?%s", charts[chart].path, q->query);
    } else {
        snprintf(path, sizeof path, "%s?%s&granularity=%s", charts[chart].path, q->query, granularities[row].name);
    }
    snprintf(sql, sizeof sql,
             "SELECT json_object('data', json(coalesce((SELECT json_group_array(json(row)) FROM (SELECT"
             " json_object('bucket', %s, %s%s) AS row FROM log WHERE %s GROUP BY %s ORDER BY %s)), '[]')))",
             granularities[row].bucket, charts[chart].members, durations, q->where, granularities[row].bucket,
             granularities[row].bucket);
    compare(path, q, sql);
}

/* Sometimes asks only for values that contain a text, in small or capital letters. `value`: in SQL. */
static void add_search(struct question *q, const char *value)
{
    static const char *const parts[][2] = {{"site1", "site1"},     {"ITE", "ite"}, {"%3D", "="}, {"T", "t"},
                                           {"%C3%BC", "\xc3\xbc"}, {"1", "1"},     {"%0A", "\n"}};
    size_t i = (size_t)pick(2 * ROWS(parts));
    if (i >= (size_t)ROWS(parts))
        return;
    add(q->query + strlen(q->query), "&q=%s", parts[i][0]);
    add(q->where + strlen(q->where), " AND instr(lower(%s), '%s') > 0", value, parts[i][1]);
}

/* All domains, or a page of them. */
static void check_domains(struct question *q)
{
    char path[1200], sql[8192], beside[3072] = "";
    static const char *const orders[][2] = {{"", "sum(bytes_sent + bytes_received)"},
                                            {"&sortBy=count", "sum(count)"},
                                            {"&sortBy=duration", "CASE WHEN sum(count) > 0 THEN sum(duration_ms) /"
                                                                 " sum(count) ELSE 0 END"}};
    size_t order = (size_t)pick(ROWS(orders));
    const char *durations = add_durations(q);
    bool has_page = pick(2);
    int limit = 1 + (int)pick(40), page = has_page ? 1 + (int)pick(3) : 1;
    add_search(q, "domain");
    char *end = path + snprintf(path, sizeof path, "/analytics/domains?%s&limit=%d", q->query, limit);
    if (has_page) {
        end = add(end, "&page=%d", page);
        snprintf(beside, sizeof beside,
                 ", 'page', %d, 'limit', %d, 'total', (SELECT count(DISTINCT domain) FROM log WHERE %s), 'totalPages',"
                 " (SELECT (count(DISTINCT domain) + %d) / %d FROM log WHERE %s)",
                 page, limit, q->where, limit - 1, limit, q->where);
    }
    add(end, "%s", orders[order][0]);
    snprintf(sql, sizeof sql,
             "SELECT json_object('data', json(coalesce((SELECT json_group_array(json(row)) FROM (SELECT"
             " json_object('domain', domain, 'total_count', %s, 'bytes_total', %s, 'total_bytes_sent', %s,"
             " 'total_bytes_received', %s, 'total_errors', %s%s) AS row FROM log WHERE %s GROUP BY domain"
             " ORDER BY %s DESC, domain LIMIT %d OFFSET %d)), '[]'))%s)",
             SUM("count"), SUM("bytes_sent + bytes_received"), SUM("bytes_sent"), SUM("bytes_received"),
             SUM("error_count"), durations, q->where, orders[order][1], limit, limit * (page - 1), beside);
    compare(path, q, sql);
}

static void check_errors(struct question *q)
{
    char path[1200], sql[8192];
    const char *durations = add_durations(q);
    add_search(q, "error");
    snprintf(path, sizeof path, "/analytics/errors?%s", q->query);
    snprintf(sql, sizeof sql,
             "SELECT json_object('data', json(coalesce((SELECT json_group_array(json(row)) FROM (SELECT"
             " json_object('error', error, 'total_errors', %s, 'first_seen', min(ts), 'last_seen', max(ts),"
             " 'sample_domains', json((SELECT json_group_array(domain) FROM (SELECT domain FROM log AS s WHERE %s"
             " AND s.error = log.error GROUP BY domain ORDER BY sum(error_count) DESC, domain LIMIT 5)))%s) AS row"
             " FROM log WHERE %s AND error <> '' GROUP BY error ORDER BY sum(error_count) DESC, error LIMIT 50)),"
             " '[]')))",
             SUM("error_count"), q->where, durations, q->where);
    compare(path, q, sql);
}

static void check_websites(struct question *q)
{
    char path[1200], sql[8192];
    int limit = 1 + (int)pick(10), page = 1 + (int)pick(4);
    const char *durations = add_durations(q);
    add_search(q, "domain");
    snprintf(path, sizeof path, "/analytics/websites?%s&limit=%d&page=%d", q->query, limit, page);
    snprintf(sql, sizeof sql,
             "SELECT json_object('data', json(coalesce((SELECT json_group_array(json(row)) FROM (SELECT"
             " json_object('domain', domain, 'total_count', %s, 'bytes_total', %s, 'first_visit', min(ts),"
             " 'last_visit', max(ts)%s) AS row FROM log WHERE %s GROUP BY domain ORDER BY sum(count) DESC, domain"
             " LIMIT %d OFFSET %d)), '[]')), 'page', %d, 'limit', %d,"
             " 'total', (SELECT count(DISTINCT domain) FROM log WHERE %s),"
             " 'totalPages', (SELECT (count(DISTINCT domain) + %d) / %d FROM log WHERE %s))",
             SUM("count"), SUM("bytes_sent + bytes_received"), durations, q->where, limit, limit * (page - 1), page,
             limit, q->where, limit - 1, limit, q->where);
    compare(path, q, sql);
}

static void check_summary(struct question *q)
{
    char path[1200], sql[8192];
    snprintf(path, sizeof path, "/analytics/summary?%s", q->query);
    snprintf(sql, sizeof sql,
             "SELECT json_object('data', json_object('total_count', cast(coalesce(sum(count), 0) AS TEXT),"
             " 'total_errors', cast(coalesce(sum(error_count), 0) AS TEXT),"
             " 'total_bytes_sent', cast(coalesce(sum(bytes_sent), 0) AS TEXT),"
             " 'total_bytes_received', cast(coalesce(sum(bytes_received), 0) AS TEXT),"
             " 'bytes_total', cast(coalesce(sum(bytes_sent + bytes_received), 0) AS TEXT),"
             " 'max_concurrency', cast(coalesce(max(max_concurrency), 0) AS TEXT)%s,"
             " 'first_seen', min(ts), 'last_seen', max(ts))) FROM log WHERE %s",
             DURATIONS("sum(duration_ms)", "sum(count)"), q->where);
    compare(path, q, sql);
}

static const struct {
    const char *by;
    const char *value; /* in SQL */
} by_dimensions[] = {
    {"worker", "worker"},
    {"peer", "peer_id"},
    {"protocol", "protocol"},
    {"port", "cast(port AS TEXT)"},
    {"ip_out", "CASE ip_out WHEN '' THEN '' WHEN 'B9C7640A' THEN '185.199.100.10'"
               " WHEN '20010DB8000000000000000000000010' THEN '2001:db8::10' END"},
    {"ip_from", "CASE ip_from WHEN '4E64320C' THEN '78.100.50.12' ELSE '2001:db8::7' END"},
    {"order", "cast(order_id AS TEXT)"},
    {"user", "cast(user_id AS TEXT)"},
    {"error", "error"},
    {"domain", "domain"},
};

#define TEXT_OF(value) "cast(coalesce(" value ", 0) AS TEXT)"
#define COUNTS "'total_count', " TEXT_OF("sum(n)") ", 'total_errors', " TEXT_OF("sum(x)")
#define BYTES "'bytes_total', " TEXT_OF("sum(s + r)") ", " SENT ", " RECEIVED
#define SENT "'total_bytes_sent', " TEXT_OF("sum(s)")
#define RECEIVED "'total_bytes_received', " TEXT_OF("sum(r)")
#define HIGHEST "'max_concurrency', " TEXT_OF("max(m)")
#define MEASURES COUNTS ", " BYTES ", " HIGHEST DURATIONS("sum(d)", "sum(n)")

static void check_breakdown(struct question *q)
{
    char path[1200], sql[8192];
    size_t row = (size_t)pick(ROWS(by_dimensions));
    static const char *const orders[][2] = {{"", "s + r"},
                                            {"&sortBy=count", "n"},
                                            {"&sortBy=errors", "x"},
                                            {"&sortBy=error_rate", "CASE x WHEN 0 THEN 0 ELSE"
                                                                   " coalesce(x * 1000000000 / n, 9e18) END"},
                                            {"&sortBy=duration", "CASE WHEN n > 0 THEN d / n ELSE 0 END"}};
    size_t order = (size_t)pick(ROWS(orders));
    bool is_domain = strcmp(by_dimensions[row].by, "domain") == 0;
    const char *times = is_domain ? ", 'first_seen', min(a), 'last_seen', max(z)" : "";
    int limit = 1 + (int)pick(100), page = 1 + (int)pick(3), before = limit * (page - 1), end = limit * page;
    add_search(q, by_dimensions[row].value);
    snprintf(path, sizeof path, "/analytics/breakdown?%s&by=%s&limit=%d&page=%d%s", q->query, by_dimensions[row].by,
             limit, page, orders[order][0]);
    snprintf(sql, sizeof sql,
             "WITH sums AS (SELECT %s AS v, sum(count) AS n, sum(error_count) AS x, sum(bytes_sent) AS s,"
             " sum(bytes_received) AS r, max(max_concurrency) AS m, sum(duration_ms) AS d, min(ts) AS a, max(ts) AS z"
             " FROM log WHERE %s GROUP BY v),"
             " ranked AS (SELECT *, row_number() OVER (ORDER BY %s DESC, v) AS place FROM sums)"
             " SELECT json_object('data', json(coalesce((SELECT json_group_array(json(row)) FROM (SELECT"
             " json_object('value', v, " MEASURES
             "%s) AS row FROM ranked WHERE place > %d AND place <= %d GROUP BY place"
             " ORDER BY place)), '[]')), 'other', json((SELECT json_object(" MEASURES
             ") FROM ranked WHERE place <= %d OR place > %d)), 'page', %d, 'limit', %d,"
             " 'total', (SELECT count(*) FROM sums), 'totalPages', (SELECT (count(*) + %d) / %d FROM sums))",
             by_dimensions[row].value, q->where, orders[order][1], times, before, end, before, end, page, limit,
             limit - 1, limit);
    compare(path, q, sql);
}

#define QUESTIONS_PER_TEST 72
#define TESTS 8

START_TEST(answers_equal_a_recount)
{
    static void (*const checks[])(struct question *) = {check_chart,    check_domains, check_errors,
                                                        check_websites, check_summary, check_breakdown};
    struct question question;
    seed((uint64_t)_i * 7919 + 1);
    for (int i = 0; i < QUESTIONS_PER_TEST; i++) {
        pick_question(&question);
        add_terms(&question);
        checks[i % ROWS(checks)](&question);
    }
}
END_TEST

/* The random questions can find something: there are many logs, and orders with several users. Domains are stored in
 * small letters, without a dot at the end. */
START_TEST(the_page_is_full)
{
    ck_assert_int_gt(stack_i64(&shared, "SELECT count(*) FROM log"), 1500);
    ck_assert_int_gt(stack_i64(&shared, "SELECT count(*) FROM (SELECT 1 FROM log GROUP BY order_id"
                                        " HAVING count(DISTINCT user_id) > 1)"),
                     0);
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM log WHERE domain GLOB '*[A-Z]*' OR domain GLOB '*.'"), 0);
}
END_TEST

/* ---- parameters: each parsed whole, or refused ---- */

#define RANGE "from=2026-01-01&to=2026-02-01"

static const struct {
    const char *path;
    const char *message; /* NULL: 200 */
} parameters[] = {
    {"/analytics/traffic?to=2026-02-01", "analytics.from_required"},
    {"/analytics/traffic?from=2026-01-01", "analytics.to_required"},
    {"/analytics/traffic?from=&to=2026-02-01", "analytics.from_invalid"},
    {"/analytics/traffic?from=2026-02-30&to=2026-03-01", "analytics.from_invalid"},
    {"/analytics/traffic?from=2026-01-01x&to=2026-02-01", "analytics.from_invalid"},
    {"/analytics/traffic?from=2026-01-01&to=24:00", "analytics.to_invalid"},
    {"/analytics/traffic?from=2026-01-31&to=2026-03-31", NULL},
    {"/analytics/traffic?from=2026-01-31&to=2026-04-01", "analytics.range_too_long"},
    {"/analytics/traffic?from=2026-01-31T00:00:00Z&to=2026-03-31T00:00:00Z", NULL},
    {"/analytics/traffic?from=2026-01-31T00:00:00Z&to=2026-03-31T00:00:01Z", "analytics.range_too_long"},
    {"/analytics/traffic?from=2025-12-31&to=2026-02-28", NULL},
    {"/analytics/traffic?from=2025-12-31&to=2026-03-01", "analytics.range_too_long"},
    {"/analytics/traffic?from=2026-02-01&to=2026-01-01", "analytics.range_invalid"},
    {"/analytics/traffic?from=2026-01-01T10:00:00Z&to=2026-01-01T10:00:00Z", NULL},
    {"/analytics/traffic?from=2026-01-01T12:00:00Z&to=2026-01-01", NULL},
    {"/analytics/traffic?" RANGE "&orderId=abc", "analytics.order_id_invalid"},
    {"/analytics/traffic?" RANGE "&orderId=0", "analytics.order_id_invalid"},
    {"/analytics/traffic?" RANGE "&orderId=9007199254740992", "analytics.order_id_invalid"},
    {"/analytics/traffic?" RANGE "&orderId=1&orderId=1", "analytics.order_id_invalid"},
    {"/analytics/traffic?" RANGE "&userId=-1", "analytics.user_id_invalid"},
    {"/analytics/traffic?" RANGE "&granularity=year", "analytics.granularity_invalid"},
    {"/analytics/traffic?" RANGE "&granularity=DAY", "analytics.granularity_invalid"},
    {"/analytics/traffic?" RANGE "&fill=1", "analytics.fill_invalid"},
    {"/analytics/traffic?" RANGE "&domain=a%00b", "analytics.domain_invalid"},
    {"/analytics/traffic?" RANGE "&domain=%ff", "analytics.domain_invalid"},
    {"/analytics/traffic?" RANGE "&domain=a%zz", "analytics.domain_invalid"},
    {"/analytics/traffic?" RANGE "&error=", "analytics.error_invalid"},
    {"/analytics/breakdown?" RANGE "&by=order&error=a%00b", "analytics.error_invalid"},
    {"/analytics/errors?" RANGE "&error=nobody%27s", NULL},
    {"/analytics/traffic?" RANGE "&nonsense=%zz&nonsense=2", NULL},
    {"/analytics/domains?" RANGE "&limit=10x", "analytics.limit_invalid"},
    {"/analytics/domains?" RANGE "&limit=", "analytics.limit_invalid"},
    {"/analytics/domains?" RANGE "&limit=0", "analytics.limit_invalid"},
    {"/analytics/domains?" RANGE "&limit=101", "analytics.limit_invalid"},
    {"/analytics/domains?" RANGE "&limit=100", NULL},
    {"/analytics/domains?" RANGE "&limit=+10", "analytics.limit_invalid"},
    {"/analytics/domains?" RANGE "&limit=99999999999999999999", "analytics.limit_invalid"},
    {"/analytics/domains?" RANGE "&sortBy=Bytes", "analytics.sort_by_invalid"},
    {"/analytics/websites?" RANGE "&page=0", "analytics.page_invalid"},
    {"/analytics/websites?" RANGE "&page=1e1", "analytics.page_invalid"},
    {"/analytics/websites?" RANGE "&page=1000000", NULL},
    {"/analytics/errors?" RANGE "&limit=1", NULL},
    {"/analytics/traffic?" RANGE "&limit=10x", NULL}, /* unknown here */
    {"/analytics/traffic?" RANGE "&by=nothing", NULL},
    {"/analytics/traffic?" RANGE "&format=xml", "analytics.format_invalid"},
    {"/analytics/traffic?" RANGE "&format=", "analytics.format_invalid"},
    {"/analytics/websites?" RANGE "&format=CSV", "analytics.format_invalid"},
    {"/analytics/errors?" RANGE "&format=csv&format=csv", "analytics.format_invalid"},
    {"/analytics/domains?" RANGE "&format=csv&limit=0", "analytics.limit_invalid"}, /* in JSON */
    {"/analytics/summary?" RANGE "&limit=0&by=x&granularity=x", NULL},
    {"/analytics/summary?from=2026-01-01", "analytics.to_required"},
    {"/analytics/whoami", NULL}, /* has none */
    {"/analytics/breakdown?" RANGE, "analytics.by_required"},
    {"/analytics/breakdown?" RANGE "&by=", "analytics.by_invalid"},
    {"/analytics/breakdown?" RANGE "&by=colour", "analytics.by_invalid"},
    {"/analytics/summary?" RANGE "&port=65536", "analytics.port_invalid"},
    {"/analytics/summary?" RANGE "&port=", "analytics.port_invalid"},
    {"/analytics/summary?" RANGE "&ip_out=1.2.3", "analytics.ip_out_invalid"},
    {"/analytics/summary?" RANGE "&ip_from=x", "analytics.ip_from_invalid"},
    {"/analytics/summary?" RANGE "&protocol=123456789012345678901234567890123", "analytics.protocol_invalid"},
    {"/analytics/summary?" RANGE "&ipOut=1.2.3.4", "analytics.query_invalid"},
    {"/analytics/summary?" RANGE "&worker=a&worker=a", "analytics.worker_invalid"},
    {"/analytics/traffic?from=2026-01-01&to=2026-01-01&granularity=1m", NULL},
    {"/analytics/traffic?from=2026-01-01&to=2026-01-02&granularity=5m", "analytics.granularity_invalid"},
    {"/analytics/breakdown?" RANGE "&by=Worker", "analytics.by_invalid"},
    {"/analytics/breakdown?" RANGE "&by=worker,peer", "analytics.by_invalid"},
    {"/analytics/breakdown?" RANGE "&by=worker&by=peer", "analytics.by_invalid"},
    {"/analytics/breakdown?" RANGE "&by=worker&sortBy=value", "analytics.sort_by_invalid"},
    {"/analytics/breakdown?" RANGE "&by=worker&limit=1001", "analytics.limit_invalid"},
    {"/analytics/breakdown?" RANGE "&by=worker&limit=1000&page=9", NULL},
    {"/analytics/breakdown?" RANGE "&by=worker&page=0", "analytics.page_invalid"},
    {"/analytics/domains?" RANGE "&limit=1000&page=1", NULL},
    {"/analytics/domains?" RANGE "&limit=1001&page=1", "analytics.limit_invalid"},
    {"/analytics/errors?" RANGE "&limit=101&page=1", "analytics.limit_invalid"}, /* has no pages */
    {"/analytics/websites?" RANGE "&limit=101&page=1", "analytics.limit_invalid"},
    {"/analytics/breakdown?" RANGE "&by=ip_out&limit=100&sortBy=count&format=json", NULL},
};

START_TEST(parameters_are_checked)
{
    char path[64];
    snprintf(path, sizeof path, "%.*s", (int)strcspn(parameters[_i].path, "?"), parameters[_i].path);
    struct reply reply =
        stack_send(&shared, &(struct request_spec){.path = parameters[_i].path, .key = shared.admin_key});
    if (parameters[_i].message)
        check_error(&reply, 400, parameters[_i].message, path, "");
    else
        ck_assert_msg(reply.status == 200, "%s: %ld %s", parameters[_i].path, reply.status, reply.body);
    reply_release(&reply);
}
END_TEST

START_TEST(zero_filled_charts)
{
    json_object *body =
        stack_get(&shared, "/analytics/requests?from=2024-02-28&to=2024-03-01&fill=zero&granularity=day");
    const char *expected = "{\"data\":["
                           "{\"bucket\":\"2024-02-28 00:00:00\",\"total_count\":\"0\",\"total_errors\":\"0\"},"
                           "{\"bucket\":\"2024-02-29 00:00:00\",\"total_count\":\"0\",\"total_errors\":\"0\"},"
                           "{\"bucket\":\"2024-03-01 00:00:00\",\"total_count\":\"0\",\"total_errors\":\"0\"}]}";
    ck_assert_str_eq(json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN), expected);
    json_object_put(body);
}
END_TEST

static const char *const readable[] = {"/analytics/traffic", "/analytics/requests", "/analytics/concurrency",
                                       "/analytics/domains", "/analytics/errors",   "/analytics/websites",
                                       "/analytics/summary", "/analytics/breakdown"};

static void cut_line(char *text, const char *begin)
{
    char *line = strstr(text, begin);
    if (line)
        memmove(line, strchr(line, '\n') + 1, strlen(strchr(line, '\n')));
}

/* With ClickHouse, each answer has another tag. */
static char *lasting_headers(const struct reply *reply)
{
    char *text = strdup(reply->headers);
    cut_line(text, "date: ");
    if (engine_is_clickhouse())
        cut_line(text, "etag: ");
    return text;
}

/* In both formats: what a GET says of its body, HEAD says too. */
START_TEST(head_is_get_without_a_body)
{
    bool csv = _i >= ROWS(readable);
    char path[128];
    snprintf(path, sizeof path, "%s?" RANGE "&by=worker%s", readable[_i % ROWS(readable)], csv ? "&format=csv" : "");
    struct reply get = stack_send(&shared, &(struct request_spec){.path = path, .key = shared.admin_key});
    struct reply head =
        stack_send(&shared, &(struct request_spec){.method = "HEAD", .path = path, .key = shared.admin_key});
    char *type = reply_header(&head, "content-type"), *vary = reply_header(&head, "vary");
    char *of_get = lasting_headers(&get), *of_head = lasting_headers(&head);
    ck_assert_int_eq(get.status, 200);
    ck_assert_int_eq(head.status, 200);
    ck_assert_uint_eq(head.body_len, 0);
    ck_assert_uint_gt(get.body_len, 10);
    ck_assert_str_eq(of_head, of_get);
    ck_assert_str_eq(type, csv ? "text/csv; charset=utf-8; header=present" : "application/json");
    ck_assert(vary && strstr(vary, "Accept"));
    ck_assert((strstr(of_get, "content-disposition: attachment; filename=\"") != NULL) == csv);
    free(type);
    free(vary);
    free(of_get);
    free(of_head);
    reply_release(&get);
    reply_release(&head);
}
END_TEST

static void start(void)
{
    setenv("ANALYTICS_USERS_SEE_NETWORK", "yes", 1); /* so that users, too, ask by everything */
    stack_start(&shared, NULL);
    for (int user = 1; user <= USERS; user++) {
        char arguments[64];
        snprintf(arguments, sizeof arguments, "--role user --user-id %d", user);
        stack_key(&shared, arguments, user_key[user]);
    }
    for (int step = 0; step < 40; step++)
        post_step(step);
}

static void stop(void)
{
    stack_stop(&shared);
}

int main(void)
{
    Suite *suite = suite_create("reads");
    TCase *tcase = suite_case(suite, "reads");
    tcase_add_unchecked_fixture(tcase, start, stop);
    tcase_add_test(tcase, the_page_is_full);
    tcase_add_loop_test(tcase, answers_equal_a_recount, 0, TESTS);
    tcase_add_loop_test(tcase, parameters_are_checked, 0, ROWS(parameters));
    tcase_add_test(tcase, zero_filled_charts);
    tcase_add_loop_test(tcase, head_is_get_without_a_body, 0, 2 * ROWS(readable));
    return suite_run(suite);
}
