/* test_etag.c: entity tags: the header If-None-Match, by the grammar of RFC 9110, 8.8.3 and 13.1.2; what a tag depends
 * on; and when the tag of a report changes as logs come. */
#include "http/etag.h"
#include "endpoint/routes.h"
#include "store/sqlite/care/care.h"
#include "support/fixture.h"
#include "support/memory_store.h"
#include "time/zone_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define MAR_15 INT64_C(1773532800) /* 2026-03-15 00:00:00 */

/* ---- the header ---- */

#define TAG "\"abc\""

static const struct {
    const char *field;
    bool matches;
} fields[] = {
    {NULL, false},
    {"", false},
    {" ", false},
    {",", false},
    {TAG, true},
    {" " TAG "\t", true},
    {"W/" TAG, true},
    {"*", true},
    {" * ", true},
    {"\"x\", " TAG, true},
    {"\"x\"," TAG ",\"y\"", true},
    {"W/\"x\" , W/" TAG, true},
    {",, ," TAG ",,", true},
    {"\"\", " TAG, true},
    {"\"a,b\", " TAG, true}, /* a tag may have commas */
    {"\"\xc3\xa9\", " TAG, true},
    {"\"x\"", false},
    {"abc", false},
    {"\"abc", false},
    {"abc\"", false},
    {"\"ABC\"", false},
    {"\"ab\"", false},
    {"\"abcd\"", false},
    {"\" abc\"", false},
    {"w/" TAG, false},
    {"W/ " TAG, false},
    {"W/abc", false},
    {"W", false},
    {"W/", false},
    {"*, " TAG, false},
    {"**", false},
    {"\"*\"", false},
    {"\"x\" " TAG, false},
    {"x, " TAG, false}, /* not a list of tags, so it matches nothing */
    {"\"a b\", " TAG, false},
    {"\"a\x7f\", " TAG, false},
    {TAG "x", false},
    {"\"x\"; " TAG, false},
    {"'abc'", false},
};

START_TEST(the_header_names)
{
    ck_assert_msg(etag_matches(fields[_i].field, TAG) == fields[_i].matches, "%s", fields[_i].field);
}
END_TEST

/* ---- what a tag depends on ---- */

static struct zone kyiv, chisinau;

static const struct {
    const char *route, *query, *accept;
    int64_t user_id;
    const struct zone *zone;
    struct store_state state;
} inputs[] = {
    {"/a", "q", "", 0, NULL, {{0}}},      {"/b", "q", "", 0, NULL, {{0}}},
    {"/a", "r", "", 0, NULL, {{0}}},      {"/aq", "", "", 0, NULL, {{0}}},
    {"/a", "", "q", 0, NULL, {{0}}},      {"/a", "q", "text/csv", 0, NULL, {{0}}},
    {"/a", "q", "", 1, NULL, {{0}}},      {"/a", "q", "", 0, &kyiv, {{0}}},
    {"/a", "q", "", 0, &chisinau, {{0}}}, {"/a", "q", "", 0, NULL, {{1}}},
    {"/a", "q", "", 0, NULL, {{0, 1}}},   {"/a", "q", "", 0, NULL, {{[STORE_STATE_BYTES - 1] = 1}}},
};

static void make(int row, char ret_etag[ETAG_BYTES])
{
    struct request request = {
        .route = inputs[row].route, .query_string = inputs[row].query, .accept = inputs[row].accept};
    struct params params = {.filter = {.user_id = inputs[row].user_id, .zone = inputs[row].zone}};
    etag_make(&request, &params, &inputs[row].state, ret_etag);
}

START_TEST(every_input_counts)
{
    static char tags[ROWS(inputs)][ETAG_BYTES];
    char again[ETAG_BYTES];
    struct fault fault;
    ck_assert_int_eq(zone_load(slice_of("Europe/Kyiv"), &kyiv, &fault), OK);
    chisinau = kyiv; /* as if only its rules for the future were different */
    chisinau.rule.end.second += 3600;
    for (int i = 0; i < ROWS(inputs); i++) {
        make(i, tags[i]);
        make(i, again);
        ck_assert_str_eq(tags[i], again);
        ck_assert_uint_eq(strspn(tags[i] + 1, "0123456789abcdef"), 32);
        ck_assert(tags[i][0] == '"' && !strcmp(tags[i] + 33, "\""));
        for (int j = 0; j < i; j++)
            ck_assert_msg(strcmp(tags[i], tags[j]) != 0, "%d and %d", i, j);
    }
}
END_TEST

/* ---- as logs come ---- */

static struct store_place place;
static struct store_writer
    *writer; /* opened when first needed: it restarts the write-ahead log, for which there must be no reader */
static struct service service;
static struct response response;

static void need_writer(void)
{
    struct fault fault;
    if (!writer)
        ck_assert_msg(store_writer_open(place, &writer, &fault) == OK, "%s", fault.detail);
}

static void close_writer(void)
{
    store_writer_close(writer);
    writer = NULL;
}

static void add(int64_t ts, int64_t count)
{
    struct batch batch;
    struct store_item item = {.batch = &batch, .caller = "worker"};
    struct log_record log = {.ts = ts, .user_id = 1, .order_id = 1, .count = count};
    struct store_times times;
    batch_init(&batch, NULL);
    ck_assert_int_eq(batch_intern(&batch, slice_of("a.com"), &log.name[NAME_DOMAIN]), OK);
    ck_assert_int_eq(batch_add(&batch, &log), OK);
    need_writer();
    store_write(writer, &item, 1, MAR_15, &times);
    ck_assert_msg(item.result == OK, "%s", item.fault.detail);
    batch_release(&batch);
}

/* Closes hours up to half an hour before the newest log. */
static void upkeep(void)
{
    struct fault fault;
    bool more = true;
    while (more)
        ck_assert_int_eq(store_maintain(writer, INT64_MAX / 4, 1000000, &more, &fault), OK);
}

static void start(void)
{
    service_init(&service, PROGRAM_QUERY, place, 10000);
}

static void set_up_memory(void)
{
    place = memory_store_place();
    response_init(&response);
    start();
}

static void set_up_sqlite(void)
{
    folder_make();
    place = store_in(folder);
    response_init(&response);
    start();
}

static void tear_down(void)
{
    response_release(&response);
    service_release(&service);
    close_writer();
    memory_store_clear();
}

static void tear_down_sqlite(void)
{
    tear_down();
    folder_remove();
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < response.header_count; i++)
        if (strcmp(response.headers[i].name, name) == 0)
            return response.headers[i].value;
    return "";
}

/* Asks with this tag ("": none) as user 1. Returns the tag of the answer. */
static const char *ask(const char *query, const char *etag)
{
    static char tags[8][ETAG_BYTES];
    static int next;
    struct request request = {.method = HTTP_GET,
                              .route = "/analytics/traffic",
                              .path = slice_of("/analytics/traffic"),
                              .query_string = query,
                              .accept = "",
                              .if_none_match = etag,
                              .role = ROLE_USER,
                              .user_id = 1,
                              .caller = "",
                              .api_key = ""};
    response_release(&response);
    response_init(&response);
    routes_answer(&service, &request, &response);
    next = (next + 1) % 8;
    (void)snprintf(tags[next], ETAG_BYTES, "%s", header("ETag"));
    return tags[next];
}

static bool says(const char *part)
{
    return response.body.len > 0 && strstr(buf_cstr(&response.body), part) != NULL;
}

#define NOON "from=2026-03-15&to=2026-03-15T12:00:00&granularity=day"
#define TWO_DAYS "from=2026-03-15&to=2026-03-16&granularity=day"

START_TEST(not_modified)
{
    add(MAR_15, 1);
    const char *tag = ask(NOON, "");
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(header("Cache-Control"), "private, no-cache");
    ck_assert_str_eq(header("Vary"), "Accept");
    ck_assert_str_eq(ask(NOON, tag), tag);
    ck_assert_int_eq(response.status, 304);
    ck_assert_uint_eq(response.body.len, 0);
    ck_assert_ptr_null(response.content_type);
    ck_assert_str_eq(header("Cache-Control"), "private, no-cache");
    ck_assert_str_eq(header("Vary"), "Accept");
    ck_assert_uint_eq(response.header_count, 3);
    ck_assert_str_eq(ask(NOON, "*"), tag);
    ck_assert_int_eq(response.status, 304);
    ck_assert_str_eq(ask(NOON, "\"x\""), tag);
    ck_assert_int_eq(response.status, 200);
}
END_TEST

/* A refused request gets its error, whatever tag it has. */
START_TEST(errors_have_no_tag)
{
    ck_assert_str_eq(ask(NOON, "*"), "");
    ck_assert_int_eq(response.status, 503); /* no database */
    add(MAR_15, 1);
    ck_assert_str_eq(ask("from=2026-03-15", "*"), "");
    ck_assert_int_eq(response.status, 400);
    ck_assert_str_eq(header("Cache-Control"), "no-store");
    ck_assert_str_eq(ask(NOON "&timezone=x", "*"), "");
    ck_assert_int_eq(response.status, 400);
}
END_TEST

START_TEST(open_hours_change_with_every_batch)
{
    add(MAR_15, 1);
    const char *tag = ask(NOON, "");
    add(MAR_15 + 40 * 3600, 5);
    const char *next = ask(NOON, tag); /* the same answer, but only reading the logs would show it */
    ck_assert_str_ne(next, tag);
    ck_assert_int_eq(response.status, 200);
    ask(NOON, next);
    ck_assert_int_eq(response.status, 304);
}
END_TEST

START_TEST(closed_hours_change_with_late_logs_alone)
{
    add(MAR_15 + 60, 3);
    add(MAR_15 + 40 * 3600, 5);
    upkeep();
    const char *noon = ask(NOON, ""), *two_days = ask(TWO_DAYS, "");
    add(MAR_15 + 44 * 3600, 7);
    ask(NOON, noon);
    ck_assert_int_eq(response.status, 304);
    ask(TWO_DAYS, two_days);
    ck_assert_int_eq(response.status, 200);
    ck_assert(says("\"total_count\":\"12\""));
    upkeep(); /* closing hours does not change their answers */
    ask(NOON, noon);
    ck_assert_int_eq(response.status, 304);
    add(MAR_15 + 120, 11); /* late */
    const char *next = ask(NOON, noon);
    ck_assert_int_eq(response.status, 200);
    ck_assert(says("\"total_count\":\"14\""));
    ck_assert_str_ne(next, noon);
    ask(NOON, next);
    ck_assert_int_eq(response.status, 304);
}
END_TEST

static void delete_until(int64_t to)
{
    struct sqlite_deleted deleted;
    struct fault fault;
    struct sqlite_delete_options options = {.to = to};
    close_writer();
    ck_assert_int_eq(sqlite_delete(folder, &options, MAR_15, &(struct watch){0}, &deleted, &fault), OK);
}

/* Answers from closed and from open hours both change. */
START_TEST(hours_change_with_deleted_logs)
{
    add(MAR_15 + 60, 3);
    add(MAR_15 + 120, 5);
    add(MAR_15 + 40 * 3600, 7);
    upkeep();
    const char *noon = ask(NOON, ""), *two_days = ask(TWO_DAYS, "");
    ck_assert(says("\"total_count\":\"8\""));
    delete_until(MAR_15 + 61);
    ask(NOON, noon);
    ck_assert_int_eq(response.status, 200);
    ck_assert(says("\"total_count\":\"5\""));
    ask(TWO_DAYS, two_days);
    ck_assert_int_eq(response.status, 200);
    ck_assert(says("\"total_count\":\"5\""));
}
END_TEST

/* The last closed hour ends at 15:00: a range that is one second longer is open. */
START_TEST(closed_is_to_the_second)
{
    add(MAR_15 + 14 * 3600 + 60, 3);
    add(MAR_15 + 15 * 3600 + 1860, 5);
    upkeep();
    const char *closed = ask("from=2026-03-15&to=2026-03-15T15:00:00", "");
    const char *open = ask("from=2026-03-15&to=2026-03-15T15:00:01", "");
    add(MAR_15 + 15 * 3600, 7);
    ask("from=2026-03-15&to=2026-03-15T15:00:00", closed);
    ck_assert_int_eq(response.status, 304);
    ask("from=2026-03-15&to=2026-03-15T15:00:01", open);
    ck_assert_int_eq(response.status, 200);
    ck_assert(says("\"total_count\":\"7\""));
}
END_TEST

/* A new database can have the same numbers of batches and changes as an old one. */
START_TEST(another_file_has_other_tags)
{
    add(MAR_15, 1);
    const char *tag = ask(NOON, "");
    service_release(&service);
    close_writer();
    folder_remove();
    folder_make();
    place = store_in(folder);
    add(MAR_15, 2);
    start();
    ask(NOON, tag);
    ck_assert_int_eq(response.status, 200);
    ck_assert(says("\"total_count\":\"2\""));
}
END_TEST

static char zones[64]; /* a folder of time zones, in place of the system's */

static void install(const char *zone)
{
    char command[256];
    (void)snprintf(command, sizeof command, "cp /usr/share/zoneinfo/%s %s/Here", zone, zones);
    ck_assert_int_eq(system(command), 0);
}

/* tzdata is upgraded, and a zone has new rules: without a restart, the tag is another one. */
START_TEST(new_rules_have_other_tags)
{
    temporary_folder(zones);
    setenv("TZDIR", zones, 1);
    add(MAR_15 + 3600, 1);
    install("Europe/Kyiv");
    const char *tag = ask(NOON "&timezone=Here", "");
    ask(NOON "&timezone=Here", tag);
    ck_assert_int_eq(response.status, 304);
    install("Asia/Kolkata");
    ask(NOON "&timezone=Here", tag);
    ck_assert_int_eq(response.status, 200);
    unsetenv("TZDIR");
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", zones);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static int64_t count_now(struct store_reader *reader)
{
    struct report_filter filter = {.from = MAR_15, .to = MAR_15 + 86400};
    struct chart chart = {0};
    struct fault fault;
    ck_assert_int_eq(store_chart(reader, &filter, GRANULARITY_DAY, false, &chart, &fault), OK);
    int64_t count = chart.points[0].totals.count;
    chart_release(&chart);
    return count;
}

/* Logs that come between the tag and the report are not in the report. */
START_TEST(a_tag_and_its_report_are_of_one_moment)
{
    struct report_filter filter = {.from = MAR_15, .to = MAR_15 + 86400};
    struct store_reader *reader = NULL;
    struct store_state before, after;
    struct fault fault;
    add(MAR_15, 1);
    ck_assert_int_eq(store_reader_open(place, &reader, &fault), OK);
    ck_assert_int_eq(store_hold(reader, &filter, &before, &fault), OK);
    add(MAR_15, 10);
    ck_assert_int_eq(count_now(reader), 1);
    ck_assert_int_eq(count_now(reader), 1);
    ck_assert_int_eq(store_hold(reader, &filter, &after, &fault), OK);
    ck_assert_int_eq(count_now(reader), 11);
    ck_assert_mem_ne(before.bytes, after.bytes, sizeof before.bytes);
    add(MAR_15, 100);
    store_let_go(reader);
    store_let_go(reader);
    ck_assert_int_eq(count_now(reader), 111);
    store_reader_close(reader);
}
END_TEST

/* No read transaction is open once the answer is made: the write-ahead log would grow, and a starting writer would
 * wait. */
START_TEST(an_answer_lets_go)
{
    add(MAR_15, 1);
    const char *tag = ask(NOON, "");
    for (int i = 0; i < 3; i++) {
        static const char *const asked[] = {"*", "", "*"};
        ask(i == 2 ? "from=2026-03-15" : NOON, i == 0 ? tag : asked[i]);
        close_writer();
        add(MAR_15, 10);
        ask(NOON, "");
        ck_assert_int_eq(response.status, 200);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "\"total_count\":\"%d\"", 11 + 10 * i);
        ck_assert_msg(says(expected), "%s", buf_cstr(&response.body));
    }
}
END_TEST

/* Tests that every engine passes. */
static TCase *add_reports(Suite *suite, const char *behind, void (*begin)(void), void (*end)(void))
{
    TCase *tcase = suite_case(suite, behind);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, not_modified);
    tcase_add_test(tcase, open_hours_change_with_every_batch);
    tcase_add_test(tcase, new_rules_have_other_tags);
    tcase_add_test(tcase, an_answer_lets_go);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("etag");
    TCase *tcase = suite_case(suite, "etag");
    tcase_add_loop_test(tcase, the_header_names, 0, ROWS(fields));
    tcase_add_test(tcase, every_input_counts);
    add_reports(suite, "memory", set_up_memory, tear_down);
    tcase = add_reports(suite, "sqlite", set_up_sqlite, tear_down_sqlite);
    tcase_add_test(tcase, errors_have_no_tag);
    tcase_add_test(tcase, closed_hours_change_with_late_logs_alone);
    tcase_add_test(tcase, hours_change_with_deleted_logs);
    tcase_add_test(tcase, closed_is_to_the_second);
    tcase_add_test(tcase, another_file_has_other_tags);
    tcase_add_test(tcase, a_tag_and_its_report_are_of_one_moment);
    return suite_run_together(suite);
}
