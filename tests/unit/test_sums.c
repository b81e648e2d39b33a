/* test_sums.c: summary, charts, domains and breakdowns of one range and filter add up to the same totals, over random
 * logs; and each is what plain SQL over raw_log says. The SQL reads a flat copy of raw_log and its names, and nothing
 * that is derived.
 *
 * Each of these was planted, and found:
 *   a user's hours also from the row that sums its orders         order: row 4, '0'
 *   IPv6 addresses known by their first half alone                ip_out: row 1, '2001:db8::'
 *   everyone not split into users where a domain is asked for     order: row 1, '0'
 *   `other` counts what is listed, too                            worker: sums
 *   the last log looked for in the first bucket                   summary: last 1832123661, not 1832189444
 *   a quarter's seconds taken from all orders                     summary: first 1831420800, not 1831419900
 *   packed entries not read order by order                        order: row 1, '0'
 *   a part of a quarter taken for all of it                       user: row 1, '3'
 *   a run of logs not cut at the range's ends                     worker: row 2, 'worker-01'
 *   "xa.example" below "a.example"                                summary: sums
 *   packed entries not read order by order for not_orderId        summary: sums
 *   an excluded order in the rows of orders                       order: row 5, '3'
 *   an excluded error in packed entries                           errors: row 1, 'a "quoted", one'
 *   sums of another not_domain taken from the cache               domains: sums
 *   everyone not split into users where one is excluded           summary: sums
 *   the first user's seconds of a quarter taken for all           summary: last 1830412694, not 1830412719 */
#include "log/batch.h"
#include "support/lists.h"
#include "support/parts.h"
#include "store/sqlite/sqlite.h"
#include "support/fixture.h"
#include "time/when.h"

#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- random logs ---- */

#define BEGIN INT64_C(1829606400) /* 2027-12-24: to 2028-03-08, over a year's end and a 29 February */
#define DAYS 75
#define USERS 4
#define ORDERS 6 /* several users share each */

static const char *const domains[] = {"a.example",  "b.example",     "c.example",  "d.example",      "",
                                      "\"q\",=1+1", "www.a.example", "xa.example", "x.www.a.example"};
static const char *const errors[] = {"", "", "", "timeout", "line\r\nbreak", "a \"quoted\", one"};
static const char *const workers[] = {"", "worker-01", "worker-02", "=HYPERLINK(\"x\")"};
static const char *const peers[] = {"", "peer-1", "peer-2", "peer,3", "p\xc3\xa9r"};
static const char *const protocols[] = {"", "HTTP", "HTTPS", "SOCKS5"};
static const uint16_t ports[] = {0, 80, 443, 8080, 65535};
/* An address as IPv4 and with the same bits as IPv6; none; all zeros; two with the same half. */
static const struct {
    const char *text;
    const char *hex;
} addresses[] = {
    {"", ""},
    {"1.2.3.4", "01020304"},
    {"4.3.2.1", "04030201"},
    {"0.0.0.0", "00000000"},
    {"::", "00000000000000000000000000000000"},
    {"::ffff:1.2.3.4", "00000000000000000000FFFF01020304"},
    {"2001:db8::1", "20010DB8000000000000000000000001"},
    {"2001:db8::2", "20010DB8000000000000000000000002"},
};

static int64_t counter(void)
{
    return pick(30) == 0 ? LIMIT_ID / 1000000 : pick(500);
}

/* A second in one of a few hours with many logs: most ranges that end there cut a quarter in two. */
static int64_t busy_second(void)
{
    static const int64_t days[] = {9, 10, 40, DAYS - 1};
    return BEGIN + days[pick((int64_t)ROWS(days))] * WHEN_DAY + 7 * WHEN_HOUR + pick(WHEN_HOUR);
}

/* Times come nearly in order, some late; a third are whole quarters of an hour, as workers send them. */
static int64_t stamp(int step, int steps)
{
    int64_t newest = DAYS * (int64_t)WHEN_DAY * (step + 1) / steps, busy = busy_second();
    int64_t ts = newest - 1 - pick(pick(5) ? 2 * WHEN_DAY : newest);
    if (busy < BEGIN + newest && pick(3) == 0)
        return busy;
    ts = BEGIN + (ts > 0 ? ts : 0);
    return pick(3) ? ts : ts - ts % WHEN_QUARTER;
}

static void add_log(struct batch *batch, int step, int steps)
{
    struct log_record log = {.ts = stamp(step, steps),
                             .user_id = 1 + pick(USERS),
                             .order_id = 1 + pick(ORDERS),
                             .port = ports[pick((int64_t)ROWS(ports))],
                             .count = counter(),
                             .bytes_sent = counter(),
                             .bytes_received = counter(),
                             .error_count = pick(3),
                             .duration_ms = pick(4) ? counter() : 0,
                             .max_concurrency = pick(12)}; /* few values: groups often share their greatest */
    log.name[NAME_DOMAIN] = intern(batch, domains[pick((int64_t)ROWS(domains))]);
    log.name[NAME_ERROR] = intern(batch, errors[pick((int64_t)ROWS(errors))]);
    log.name[NAME_WORKER] = intern(batch, workers[pick((int64_t)ROWS(workers))]);
    log.name[NAME_PEER] = intern(batch, peers[pick((int64_t)ROWS(peers))]);
    log.name[NAME_PROTOCOL] = intern(batch, protocols[pick((int64_t)ROWS(protocols))]);
    ck_assert(ip_parse(slice_of(addresses[pick((int64_t)ROWS(addresses))].text), &log.ip_out));
    ck_assert(ip_parse(slice_of(addresses[pick((int64_t)ROWS(addresses))].text), &log.ip_from));
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

/* ---- a store of its own, and a flat copy of its facts ---- */

static struct store_writer *writer;
static struct store_reader *reader;
static sqlite3 *db;

static void write_step(int step, int steps)
{
    struct batch batch;
    struct store_item item = {.batch = &batch, .caller = "worker"};
    struct store_times times;
    batch_init(&batch, NULL);
    for (int64_t i = 1 + pick(80); i > 0; i--)
        add_log(&batch, step, steps);
    store_write(writer, &item, 1, 1000, &times);
    ck_assert_msg(item.result == OK, "%s", item.fault.detail);
    batch_release(&batch);
}

static void upkeep(int64_t slices)
{
    bool more = true;
    struct fault fault;
    while (more && slices-- > 0)
        ck_assert_int_eq(store_maintain(writer, INT64_MAX / 4, 1000000, &more, &fault), OK);
}

static void run_sql(const char *sql)
{
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

static void copy_facts(void)
{
    parts_show(db);
    run_sql("DROP TABLE IF EXISTS temp.fact; CREATE TEMP TABLE fact AS"
            " SELECT quarter * 900 + second AS t, user_id, order_id, port, hex(ip_out) AS ip, hex(ip_from) AS ip_from, "
            "count AS c,"
            " bytes_sent AS s, bytes_received AS r, error_count AS x, max_concurrency AS m, duration_ms AS d,"
            " (SELECT text FROM name WHERE id = domain) AS domain, (SELECT text FROM name WHERE id = error) AS error,"
            " (SELECT text FROM name WHERE id = worker) AS worker, (SELECT text FROM name WHERE id = peer) AS peer,"
            " (SELECT text FROM name WHERE id = protocol) AS protocol FROM raw_log");
}

static void set_up(void)
{
    char path[128];
    struct fault fault;
    memcpy(folder, "/tmp/test_sums.XXXXXX", sizeof "/tmp/test_sums.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_msg(store_writer_open(store_in(folder), &writer, &fault) == OK, "%s", fault.detail);
    ck_assert_msg(store_reader_open(store_in(folder), &reader, &fault) == OK, "%s", fault.detail);
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
}

static void tear_down(void)
{
    static const char *const files[] = {"analytics.db", "analytics.db-wal", "analytics.db-shm", "lock"};
    char path[128];
    sqlite3_close(db);
    store_reader_close(reader);
    store_writer_close(writer);
    for (size_t i = 0; i < ROWS(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

/* ---- random questions ---- */

struct question {
    struct report_filter filter;
    char where[2048];
};

static int64_t edge(void)
{
    static const int64_t grids[] = {WHEN_DAY, WHEN_HOUR, WHEN_QUARTER, 1};
    int64_t at = BEGIN - WHEN_DAY + pick((DAYS + 2) * (int64_t)WHEN_DAY);
    if (pick(3) == 0)
        return busy_second();
    return at - at % grids[pick(4)];
}

/* Wide ranges and narrow ones: a day, an hour, a few seconds. */
static void pick_question(struct question *question)
{
    static const int64_t widths[] = {WHEN_DAY, WHEN_HOUR, 700};
    int64_t a = edge(), b = pick(2) ? edge() : a + widths[pick(3)];
    char *quoted;
    *question = (struct question){.filter = {.from = a < b ? a : b, .to = a < b ? b : a}};
    struct report_filter *filter = &question->filter;
    filter->user_id = pick(2) ? 0 : 1 + pick(USERS + 1);
    filter->order_id = pick(3) ? 0 : 1 + pick(ORDERS + 1);
    filter->durations = pick(2);
    const char *domain = pick(20) ? domains[pick((int64_t)ROWS(domains))] : "unknown.example";
    filter->has_domain = pick(3) == 0;
    filter->domain = slice_of(domain);
    const char *error = pick(10) ? errors[3 + pick((int64_t)ROWS(errors) - 3)] : pick(2) ? "unknown" : domains[0];
    filter->has_error = pick(3) == 0;
    filter->error = slice_of(error);
    quoted = sqlite3_mprintf("t >= %lld AND t < %lld AND (%lld IN (0, user_id)) AND (%lld IN (0, order_id))%s%Q%s%Q",
                             (long long)filter->from, (long long)filter->to, (long long)filter->user_id,
                             (long long)filter->order_id, filter->has_domain ? " AND domain = " : " AND 'x' <> ",
                             domain, filter->has_error ? " AND error = " : " AND 'x' <> ", error);
    snprintf(question->where, sizeof question->where, "%s", quoted);
    sqlite3_free(quoted);
}

static void add_where(struct question *question, const char *format, const char *text)
{
    size_t len = strlen(question->where);
    char *more = sqlite3_mprintf(format, text);
    snprintf(question->where + len, sizeof question->where - len, "%s", more);
    sqlite3_free(more);
}

static void add_name_term(struct question *question, enum dimension by, const char *format, const char *text)
{
    question->filter.terms[by] = (struct report_term){.is_set = true, .text = slice_of(text)};
    add_where(question, format, text);
}

static void add_ip_term(struct question *question, enum dimension by, const char *format)
{
    size_t i = (size_t)pick((int64_t)ROWS(addresses));
    struct report_term *term = &question->filter.terms[by];
    term->is_set = true;
    ck_assert(ip_parse(slice_of(addresses[i].text), &term->ip));
    add_where(question, format, addresses[i].hex);
}

/* A domain and those below it, by their texts. Below "" there would be only texts that end with a dot, so it matches
 * only itself. */
static void add_below(struct question *question, bool is_not, const char *domain)
{
    char *more = sqlite3_mprintf(" AND %s(domain = %Q OR substr(domain, -length('.' || %Q)) = '.' || %Q)",
                                 is_not ? "NOT " : "", domain, domain, domain);
    add_where(question, "%s", more);
    sqlite3_free(more);
}

/* A question with a range only. */
static void pick_everyone(struct question *question)
{
    *question = (struct question){.filter = {.from = question->filter.from, .to = question->filter.to}};
    snprintf(question->where, sizeof question->where, "t >= %lld AND t < %lld", (long long)question->filter.from,
             (long long)question->filter.to);
}

/* A question that the rows of single users can answer. */
static void pick_everyone_but(struct question *question)
{
    int64_t user = 1 + pick(USERS);
    *question = (struct question){
        .filter = {.from = question->filter.from, .to = question->filter.to, .durations = question->filter.durations}};
    question->filter.without[BY_USER] = (struct report_term){.is_set = true, .number = user};
    snprintf(question->where, sizeof question->where, "t >= %lld AND t < %lld AND user_id <> %d",
             (long long)question->filter.from, (long long)question->filter.to, (int)user);
}

/* Conditions for packed entries and logs: all below a domain, and exclusions. */
static void pick_conditions(struct question *question)
{
    static const char *const above[] = {"a.example", "example", "www.a.example", "unknown.example"};
    struct report_filter *filter = &question->filter;
    struct report_term *without = filter->without;
    char number[16];
    if (!filter->has_domain && pick(3) == 0) {
        const char *domain = above[pick((int64_t)ROWS(above))];
        filter->has_domain = filter->is_below = true;
        filter->domain = slice_of(domain);
        add_below(question, false, domain);
    }
    if (pick(3) == 0) {
        bool is_below = pick(2);
        const char *domain = is_below ? above[pick((int64_t)ROWS(above))] : domains[pick((int64_t)ROWS(domains))];
        without[BY_DOMAIN] = (struct report_term){true, is_below, .text = slice_of(domain)};
        if (is_below)
            add_below(question, true, domain);
        else
            add_where(question, " AND domain <> %Q", domain);
    }
    for (enum dimension by = BY_ORDER; by <= BY_USER; by++)
        if (pick(3) == 0) {
            without[by] = (struct report_term){.is_set = true, .number = 1 + pick(USERS)};
            snprintf(number, sizeof number, "%d", (int)without[by].number);
            add_where(question, by == BY_ORDER ? " AND order_id <> %s" : " AND user_id <> %s", number);
        }
}

/* Exclusions that only the logs can answer. A log without an error is among those that do not have this error. */
static void pick_exclusions(struct question *question)
{
    struct report_term *without = question->filter.without;
    const char *error = errors[3 + pick((int64_t)ROWS(errors) - 3)], *worker = workers[pick((int64_t)ROWS(workers))];
    size_t address = (size_t)pick((int64_t)ROWS(addresses));
    bool is_alone = pick(3) == 0;
    if (is_alone || pick(2)) {
        without[BY_ERROR] = (struct report_term){.is_set = true, .text = slice_of(error)};
        add_where(question, " AND error <> %Q", error);
    }
    if (is_alone)
        return;
    if (pick(3) == 0) {
        without[BY_WORKER] = (struct report_term){.is_set = true, .text = slice_of(worker)};
        add_where(question, " AND worker <> %Q", worker);
    }
    if (pick(3) == 0) {
        without[BY_PORT] = (struct report_term){.is_set = true, .number = 443};
        add_where(question, " AND port <> %s", "443");
    }
    if (pick(3) == 0) {
        without[BY_IP_FROM].is_set = true;
        ck_assert(ip_parse(slice_of(addresses[address].text), &without[BY_IP_FROM].ip));
        add_where(question, " AND ip_from <> %Q", addresses[address].hex);
    }
}

/* Filters that only the logs can answer: each by itself, and some together. */
static void pick_terms(struct question *question)
{
    char port[16];
    if (pick(2) == 0)
        add_name_term(question, BY_WORKER, " AND worker = %Q",
                      pick(8) ? workers[pick((int64_t)ROWS(workers))] : "unknown");
    if (pick(4) == 0)
        add_name_term(question, BY_PEER, " AND peer = %Q", peers[pick((int64_t)ROWS(peers))]);
    if (pick(4) == 0)
        add_name_term(question, BY_PROTOCOL, " AND protocol = %Q", protocols[pick((int64_t)ROWS(protocols))]);
    if (pick(4) == 0) {
        struct report_term *term = &question->filter.terms[BY_PORT];
        *term = (struct report_term){.is_set = true, .number = ports[pick((int64_t)ROWS(ports))]};
        snprintf(port, sizeof port, "%d", (int)term->number);
        add_where(question, " AND port = %s", port);
    }
    if (pick(4) == 0)
        add_ip_term(question, BY_IP_OUT, " AND ip = %Q");
    if (pick(4) == 0)
        add_ip_term(question, BY_IP_FROM, " AND ip_from = %Q");
}

#define SUMS                                                                                                           \
    "coalesce(sum(c), 0), coalesce(sum(x), 0), coalesce(sum(s), 0), coalesce(sum(r), 0), coalesce(max(m), 0),"         \
    " coalesce(sum(d), 0)"

static sqlite3_stmt *ask(const char *before, const struct question *question, const char *after)
{
    sqlite3_stmt *statement = NULL;
    char *sql = sqlite3_mprintf("%s FROM temp.fact WHERE %s %s", before, question->where, after);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_free(sql);
    return statement;
}

/* Are the six sums those in the columns from `first` on? The last one is compared if the question asks for it. */
static bool sums_are(const struct question *question, const struct totals *totals, sqlite3_stmt *row, int first)
{
    return totals->count == sqlite3_column_int64(row, first) &&
           totals->errors == sqlite3_column_int64(row, first + 1) &&
           totals->bytes_sent == sqlite3_column_int64(row, first + 2) &&
           totals->bytes_received == sqlite3_column_int64(row, first + 3) &&
           totals->max_concurrency == sqlite3_column_int64(row, first + 4) &&
           (!question->filter.durations || totals->duration_ms == sqlite3_column_int64(row, first + 5));
}

static void add_totals(struct totals *to, const struct totals *more)
{
    to->count += more->count;
    to->errors += more->errors;
    to->bytes_sent += more->bytes_sent;
    to->bytes_received += more->bytes_received;
    to->duration_ms += more->duration_ms;
    if (more->max_concurrency > to->max_concurrency)
        to->max_concurrency = more->max_concurrency;
}

static bool same_sums(const struct question *question, const struct totals *a, const struct totals *b)
{
    return a->count == b->count && a->errors == b->errors && a->bytes_sent == b->bytes_sent &&
           a->bytes_received == b->bytes_received && a->max_concurrency == b->max_concurrency &&
           (!question->filter.durations || a->duration_ms == b->duration_ms);
}

/* ---- each report, added up ---- */

static void check_summary(const struct question *question, struct totals *ret_summary)
{
    struct fault fault;
    sqlite3_stmt *row = ask("SELECT " SUMS ", count(*), min(t), max(t)", question, "");
    ck_assert_int_eq(store_summary(reader, &question->filter, ret_summary, &fault), OK);
    ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
    ck_assert_msg(sums_are(question, ret_summary, row, 0), "summary: sums: %s", question->where);
    bool none = sqlite3_column_int64(row, 6) == 0;
    int64_t first = none ? INT64_MAX : sqlite3_column_int64(row, 7);
    int64_t last = none ? INT64_MIN : sqlite3_column_int64(row, 8);
    ck_assert_msg(ret_summary->first == first, "summary: first %" PRId64 ", not %" PRId64 ": %s", ret_summary->first,
                  first, question->where);
    ck_assert_msg(ret_summary->last == last, "summary: last %" PRId64 ", not %" PRId64 ": %s", ret_summary->last, last,
                  question->where);
    sqlite3_finalize(row);
}

static void check_charts(const struct question *question, const struct totals *summary)
{
    struct fault fault;
    for (int granularity = GRANULARITY_15M; granularity <= GRANULARITY_MONTH; granularity++) {
        struct chart chart = {0};
        struct totals sum = {0};
        ck_assert_int_eq(store_chart(reader, &question->filter, (enum granularity)granularity, pick(2), &chart, &fault),
                         OK);
        for (size_t i = 0; i < chart.count; i++)
            add_totals(&sum, &chart.points[i].totals);
        ck_assert_msg(same_sums(question, &sum, summary), "chart %d: sums: %s", granularity, question->where);
        chart_release(&chart);
    }
}

/* Compares the domains page by page. */
static void check_domains(const struct question *question, const struct totals *summary)
{
    enum list_order order = pick(2) ? ORDER_BYTES : ORDER_COUNT;
    size_t limit = 1 + (size_t)pick(8);
    struct totals sum = {0};
    struct fault fault;
    for (uint64_t offset = 0, total = 1; offset < total; offset += limit) {
        struct list list = {0};
        ck_assert_int_eq(list_domains(reader, &question->filter, order, offset, limit, &list, &fault), OK);
        total = list.total;
        for (size_t i = 0; i < list.count; i++)
            add_totals(&sum, &list.rows[i].totals);
        list_release(&list);
    }
    ck_assert_msg(same_sums(question, &sum, summary), "domains: sums: %s", question->where);
}

static const struct {
    enum dimension by;
    const char *name;
    const char *value; /* in SQL, as text */
} breakdowns[] = {
    {BY_WORKER, "worker", "worker"},
    {BY_PEER, "peer", "peer"},
    {BY_PROTOCOL, "protocol", "protocol"},
    {BY_PORT, "port", "cast(port AS TEXT)"},
    {BY_IP_OUT, "ip_out", "(SELECT text FROM temp.address WHERE hex = ip)"},
    {BY_IP_FROM, "ip_from", "(SELECT text FROM temp.address WHERE hex = ip_from)"},
    {BY_ORDER, "order", "cast(order_id AS TEXT)"},
    {BY_USER, "user", "cast(user_id AS TEXT)"},
    {BY_ERROR, "error", "error"},
    {BY_DOMAIN, "domain", "domain"},
};

/* Do rollups have the dimension? Other breakdowns are read from the logs. */
static bool is_rolled_up(enum dimension by)
{
    return by == BY_ORDER || by == BY_USER || by == BY_DOMAIN;
}

static void know_addresses(void)
{
    run_sql("CREATE TEMP TABLE address (text TEXT, hex TEXT PRIMARY KEY)");
    for (size_t i = 0; i < ROWS(addresses); i++) {
        char *sql = sqlite3_mprintf("INSERT INTO temp.address VALUES (%Q, %Q)", addresses[i].text, addresses[i].hex);
        run_sql(sql);
        sqlite3_free(sql);
    }
}

/* Compares the rows in the order of SQL, the sums over rows and `other`, and the number of values. */
static void check_breakdown(const struct question *question, size_t dimension, const struct totals *summary)
{
    const char *name = breakdowns[dimension].name;
    static const char *const ranks[] = {[ORDER_BYTES] = "GROUP BY value ORDER BY sum(s) + sum(r) DESC, value",
                                        [ORDER_COUNT] = "GROUP BY value ORDER BY sum(c) DESC, value",
                                        [ORDER_ERRORS] = "GROUP BY value ORDER BY sum(x) DESC, value",
                                        [ORDER_ERROR_RATE] =
                                            ("GROUP BY value ORDER BY CASE sum(x) WHEN 0 THEN 0 ELSE"
                                             " coalesce(sum(x) * 1000000000 / sum(c), 9e18) END DESC, value"),
                                        [ORDER_DURATION] = "GROUP BY value ORDER BY CASE WHEN sum(c) > 0 THEN"
                                                           " sum(d) / sum(c) ELSE 0 END DESC, value"};
    enum list_order order = (enum list_order)pick(question->filter.durations ? ORDER_DURATION + 1 : ORDER_DURATION);
    size_t limit = pick(2) ? 100 : 1 + (size_t)pick(5), listed = 0;
    struct list breakdown = {0};
    struct totals sum = {0};
    struct fault fault;
    uint64_t total = 0;
    char *before = sqlite3_mprintf("SELECT %s AS value, " SUMS ", min(t), max(t)", breakdowns[dimension].value);
    sqlite3_stmt *row = ask(before, question, ranks[order]);
    ck_assert_msg(list_read(reader, &question->filter,
                            &(struct list_ask){.by = breakdowns[dimension].by, .order = order, .limit = limit},
                            &breakdown, &fault) == OK,
                  "%s: %s", name, fault.detail);
    for (; sqlite3_step(row) == SQLITE_ROW; total++) {
        if (total >= limit)
            continue;
        ck_assert_msg(listed < breakdown.count, "%s: a row too few: %s", name, question->where);
        const struct listed *got = &breakdown.rows[listed++];
        ck_assert_msg(!strcmp(got->name, (const char *)sqlite3_column_text(row, 0)) &&
                          sums_are(question, &got->totals, row, 1),
                      "%s: row %zu, '%s': %s", name, listed, got->name, question->where);
        ck_assert_msg(breakdowns[dimension].by != BY_DOMAIN || (got->totals.first == sqlite3_column_int64(row, 7) &&
                                                                got->totals.last == sqlite3_column_int64(row, 8)),
                      "%s: '%s': first and last: %s", name, got->name, question->where);
        add_totals(&sum, &got->totals);
    }
    add_totals(&sum, &breakdown.other);
    ck_assert_msg(breakdown.count == listed && breakdown.total == total, "%s: %zu rows: %s", name, breakdown.count,
                  question->where);
    ck_assert_msg(same_sums(question, &sum, summary), "%s: sums: %s", name, question->where);
    sqlite3_finalize(row);
    sqlite3_free(before);
    list_release(&breakdown);
}

/* Compares the most frequent errors, without samples. */
static void check_errors(const struct question *question)
{
    struct list list = {0};
    struct fault fault;
    size_t i = 0;
    sqlite3_stmt *row = ask("SELECT error, sum(x), min(t), max(t)", question,
                            "AND error <> '' GROUP BY error ORDER BY 2 DESC, 1 LIMIT 3");
    ck_assert_int_eq(list_errors(reader, &question->filter, 3, &list, &fault), OK);
    for (; sqlite3_step(row) == SQLITE_ROW; i++) {
        ck_assert_msg(i < list.count, "errors: a row too few: %s", question->where);
        const struct totals *totals = &list.rows[i].totals;
        ck_assert_msg(!strcmp(list.rows[i].name, (const char *)sqlite3_column_text(row, 0)) &&
                          totals->errors == sqlite3_column_int64(row, 1) &&
                          totals->first == sqlite3_column_int64(row, 2) && totals->last == sqlite3_column_int64(row, 3),
                      "errors: row %zu, '%s': %s", i, list.rows[i].name, question->where);
    }
    ck_assert_msg(i == list.count, "errors: %zu rows, not %zu: %s", list.count, i, question->where);
    sqlite3_finalize(row);
    list_release(&list);
}

/* The same range and filters, but another domain is excluded, or another user. */
static void check_other_exclusions(const struct question *question)
{
    for (enum dimension by = BY_USER; by <= BY_DOMAIN; by++) {
        struct question other = *question;
        struct report_term *without = &other.filter.without[by];
        struct totals summary;
        struct fault fault;
        if (by == BY_ERROR)
            continue; /* check_other_error */
        *without = (struct report_term){.is_set = true, .number = 1 + pick(USERS)};
        without->text = slice_of(domains[pick((int64_t)ROWS(domains))]);
        ck_assert_int_eq(store_summary(reader, &other.filter, &summary, &fault), OK);
        check_domains(&other, &summary);
    }
}

/* The same range and filters, but another error: sums that are kept of the one must not be used for the other. */
static void check_other_error(const struct question *question)
{
    struct question other = *question;
    struct totals summary;
    struct fault fault;
    if (!question->filter.has_error || question->filter.without[BY_ERROR].is_set)
        return;
    other.filter.error = slice_of(slice_equals(question->filter.error, errors[3]) ? errors[5] : errors[3]);
    ck_assert_int_eq(store_summary(reader, &other.filter, &summary, &fault), OK);
    check_domains(&other, &summary);
}

/* ---- after logs were pruned ---- */

static int64_t raw_from; /* logs before it are gone */

/* For everyone, sums of whole days have these values, too. */
static bool is_in_days(const struct question *question, enum dimension by)
{
    const struct report_filter *filter = &question->filter;
    bool is_of_all = !filter->user_id && !filter->order_id && !filter->has_domain && !filter->has_error;
    return is_of_all && !filter_has_conditions(filter) && by != BY_IP_FROM;
}

/* A question that only the logs can answer is refused if some of them are gone. */
static void check_refused(const struct question *question, size_t dimension)
{
    struct list breakdown = {0};
    struct fault fault = {0};
    char asked[WHEN_TEXT_BYTES], kept[WHEN_TEXT_BYTES], words[256];
    when_format(question->filter.from, asked);
    when_format(raw_from, kept);
    snprintf(
        words, sizeof words,
        "from must be %s UTC or later, but is %s UTC: only single logs answer this, and older ones are no longer kept",
        kept, asked);
    enum err err = list_read(reader, &question->filter,
                             &(struct list_ask){.by = breakdowns[dimension].by, .order = ORDER_BYTES, .limit = 5},
                             &breakdown, &fault);
    ck_assert_msg(err == ERR_LOGS_PRUNED && strcmp(fault.detail, words) == 0, "%s: %d %s: %s",
                  breakdowns[dimension].name, err, fault.detail, question->where);
}

/* Before raw_from, a range has whole days. The flat copy is older than the pruning, so it still has all logs. */
static void check_pruned_question(void)
{
    struct question question;
    struct totals summary;
    do {
        pick_question(&question);
        pick_conditions(&question);
        if (pick(2))
            pick_everyone(&question);
    } while (question.filter.from < raw_from &&
             (question.filter.from % WHEN_DAY || (question.filter.to < raw_from && question.filter.to % WHEN_DAY)));
    check_summary(&question, &summary);
    check_charts(&question, &summary);
    check_domains(&question, &summary);
    for (size_t i = 0; i < ROWS(breakdowns); i++)
        if (question.filter.from >= raw_from || is_rolled_up(breakdowns[i].by) ||
            is_in_days(&question, breakdowns[i].by))
            check_breakdown(&question, i, &summary);
        else
            check_refused(&question, i);
}

/* Compares a chart of up to a day, by one minute or by five. */
static void check_minutes(const struct question *question)
{
    struct question day = *question;
    struct chart chart = {0};
    struct fault fault;
    int minutes = pick(2) ? 1 : 5;
    size_t i = 0;
    if (day.filter.to - day.filter.from > WHEN_DAY)
        return;
    char *before = sqlite3_mprintf("SELECT t / %d * %d AS b, " SUMS, minutes * 60, minutes * 60);
    sqlite3_stmt *row = ask(before, &day, "GROUP BY b ORDER BY b");
    ck_assert_int_eq(
        store_chart(reader, &day.filter, minutes == 1 ? GRANULARITY_1M : GRANULARITY_5M, false, &chart, &fault), OK);
    for (; sqlite3_step(row) == SQLITE_ROW; i++)
        ck_assert_msg(i < chart.count && chart.points[i].bucket == sqlite3_column_int64(row, 0) &&
                          sums_are(&day, &chart.points[i].totals, row, 1),
                      "minutes: row %zu: %s", i, day.where);
    ck_assert_uint_eq(chart.count, i);
    sqlite3_finalize(row);
    sqlite3_free(before);
    chart_release(&chart);
}

static void check_question(bool has_terms)
{
    struct question question;
    struct totals summary;
    pick_question(&question);
    pick_conditions(&question);
    if (has_terms && pick(2))
        pick_terms(&question);
    if (has_terms)
        pick_exclusions(&question);
    else if (pick(4) == 0)
        pick_everyone_but(&question);
    else if (pick(3) == 0)
        pick_everyone(&question);
    check_minutes(&question);
    check_summary(&question, &summary);
    check_charts(&question, &summary);
    check_domains(&question, &summary);
    check_errors(&question);
    check_other_error(&question);
    check_other_exclusions(&question);
    for (size_t i = 0; i < ROWS(breakdowns); i++)
        check_breakdown(&question, i, &summary);
}

static void check_questions(int count)
{
    copy_facts();
    for (int i = 0; i < count; i++)
        check_question(i % 3 == 0);
}

#define STEPS 40
#define QUESTIONS 40

/* In turn: nothing is closed; some periods are closed, some half packed; all are closed; late logs in
 * closed periods. */
START_TEST(everything_adds_up)
{
    seed((uint64_t)_i + 1);
    know_addresses();
    for (int step = 0; step < STEPS; step++) {
        write_step(step, STEPS);
        sqlite_set_slice(sqlite_writer_of(writer), 1 + (size_t)pick(50));
        if (step == STEPS / 4)
            check_questions(QUESTIONS / 4);
        if (step >= STEPS / 4)
            upkeep(pick(60));
    }
    check_questions(QUESTIONS);
    upkeep(INT_MAX);
    check_questions(QUESTIONS);
    for (int i = 0; i < 4; i++)
        write_step(STEPS - 1, STEPS);
    check_questions(QUESTIONS);
}
END_TEST

START_TEST(what_is_kept_adds_up)
{
    struct store_retention retention = {.raw_days = 20, .hour_days = 40};
    sqlite3_stmt *row = NULL;
    seed((uint64_t)_i + 50);
    know_addresses();
    for (int step = 0; step < STEPS; step++)
        write_step(step, STEPS);
    upkeep(INT_MAX);
    copy_facts();
    store_writer_set_retention(writer, &retention);
    upkeep(INT_MAX);
    parts_show(db);
    sqlite3_prepare_v2(db, "SELECT raw_from * 86400, (SELECT min(quarter) * 900 FROM raw_log) FROM retention", -1, &row,
                       NULL);
    ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
    raw_from = sqlite3_column_int64(row, 0);
    ck_assert_int_gt(raw_from, BEGIN + 40 * WHEN_DAY);
    ck_assert_int_ge(sqlite3_column_int64(row, 1), raw_from);
    sqlite3_finalize(row);
    for (int i = 0; i < QUESTIONS; i++)
        check_pruned_question();
}
END_TEST

START_TEST(nothing_adds_up_to_nothing)
{
    seed(1);
    know_addresses();
    check_questions(QUESTIONS / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sums");
    TCase *tcase = suite_case(suite, "sums");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, everything_adds_up, 0, seed_runs(3));
    tcase_add_loop_test(tcase, what_is_kept_adds_up, 0, 2);
    tcase_add_test(tcase, nothing_adds_up_to_nothing);
    return suite_run(suite);
}
