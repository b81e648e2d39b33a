/* test_reports_json.c: the answers as text, member by member, and who sees what. Figures were added up by hand:
 *
 *   ts                   user order domain  count sent received errors error     concurrency duration
 *   2026-03-15 00:00:00     1     3 b.com      10  100     1000      0                     5     1005
 *   2026-03-15 00:14:59     1     3 a.com       5   50      500      2 timeout             7      400
 *   2026-03-15 00:15:00     1     4 a.com       1    1        2      0                     1        7
 *   2026-03-15 23:59:59     2     3 "<x>        2   20       30      4 "reset"             2     3001
 *   2026-03-16 00:00:00     2     5 b.com       4    4        4      1 timeout             9        0   */
#include "endpoint/routes.h"
#include "support/exchanges.h"
#include "support/fixture.h"
#include "support/memory_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define MAR_15 INT64_C(1773532800)

static const char *engine; /* the name of this case's engine */
static struct service service;
static struct response response;
static struct fault fault;

static const struct {
    int64_t ts;
    int64_t user_id;
    int64_t order_id;
    const char *domain;
    int64_t count, sent, received, errors;
    const char *error;
    int64_t concurrency, duration;
} logs[] = {
    {MAR_15, 1, 3, "b.com", 10, 100, 1000, 0, "", 5, 1005},
    {MAR_15 + 899, 1, 3, "a.com", 5, 50, 500, 2, "timeout", 7, 400},
    {MAR_15 + 900, 1, 4, "a.com", 1, 1, 2, 0, "", 1, 7},
    {MAR_15 + 86399, 2, 3, "\"<x>", 2, 20, 30, 4, "\"reset\"", 2, 3001},
    {MAR_15 + 86400, 2, 5, "b.com", 4, 4, 4, 1, "timeout", 9, 0},
};

static void add_logs(struct batch *batch)
{
    for (size_t i = 0; i < ROWS(logs); i++) {
        struct log_record log = {.ts = logs[i].ts,
                                 .user_id = logs[i].user_id,
                                 .order_id = logs[i].order_id,
                                 .count = logs[i].count,
                                 .bytes_sent = logs[i].sent,
                                 .bytes_received = logs[i].received,
                                 .error_count = logs[i].errors,
                                 .max_concurrency = logs[i].concurrency,
                                 .duration_ms = logs[i].duration};

        ck_assert_int_eq(batch_intern(batch, slice_of(logs[i].domain), &log.name[NAME_DOMAIN]), OK);
        ck_assert_int_eq(batch_intern(batch, slice_of(logs[i].error), &log.name[NAME_ERROR]), OK);
        ck_assert_int_eq(batch_add(batch, &log), OK);
    }
}

static void write_logs(struct store_place place)
{
    struct store_writer *writer = NULL;
    struct batch batch;
    struct store_item item = {.batch = &batch, .caller = "worker"};
    struct store_times times;

    batch_init(&batch, NULL);
    add_logs(&batch);
    ck_assert_msg(store_writer_open(place, &writer, &fault) == OK, "%s", fault.detail);
    store_write(writer, &item, 1, MAR_15 + 90000, &times);
    ck_assert_msg(item.result == OK, "%s", item.fault.detail);
    store_writer_close(writer);
    batch_release(&batch);
}

static const char *accept; /* the Accept header of requests */

static void set_up(struct store_place place)
{
    accept = "";
    write_logs(place);
    service_init(&service, PROGRAM_QUERY, store_in(folder), 10000);
    service.place = place;
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
    response_release(&response);
    service_release(&service);
    memory_store_clear();
    folder_remove();
}

static void get(const char *path, const char *query, enum role role, int64_t user_id)
{
    struct request request = {.method = HTTP_GET,
                              .route = path,
                              .path = slice_of(path),
                              .query_string = query,
                              .content_type = "",
                              .content_encoding = "",
                              .accept = accept,
                              .content_length = -1,
                              .role = role,
                              .user_id = user_id,
                              .caller = "",
                              .api_key = "",
                              .now_ms = INT64_C(1775044800123)};

    response_release(&response);
    response_init(&response);
    routes_answer(&service, &request, &response);
    if (strcmp(path, "/analytics/health") != 0) /* nginx asks analytics-ingest for that */
        exchanges_note_behind(engine, &request, &response);
}

#define DAY "from=2026-03-15&to=2026-03-15"
#define BOTH "from=2026-03-15&to=2026-03-16"
#define POINT(bucket, sent, received, total, count)                                                                    \
    "{\"bucket\":\"" bucket "\",\"total_bytes_sent\":\"" sent "\",\"total_bytes_received\":\"" received                \
    "\",\"bytes_total\":\"" total "\",\"total_count\":\"" count "\"}"
#define MEASURES(count, errors, bytes, sent, received, concurrency, duration, avg)                                     \
    "\"total_count\":\"" count "\",\"total_errors\":\"" errors "\",\"bytes_total\":\"" bytes                           \
    "\",\"total_bytes_sent\":\"" sent "\",\"total_bytes_received\":\"" received                                        \
    "\",\"max_concurrency\":\"" concurrency "\"," DURATIONS(duration, avg)
#define DURATIONS(duration, avg) "\"total_duration_ms\":\"" duration "\",\"avg_duration_ms\":" avg
#define TIMES(first, last) "\"first_seen\":" first ",\"last_seen\":" last
#define IS(text) "\"" text "\""
#define VALUE(value, ...) "{\"value\":\"" value "\"," MEASURES(__VA_ARGS__) "}"
#define DOMAIN_VALUE(value, first, last, ...)                                                                          \
    "{\"value\":\"" value "\"," MEASURES(__VA_ARGS__) "," TIMES(IS(first), IS(last)) "}"
#define PAGES_OF(limit, total, pages) "\"page\":1,\"limit\":" limit ",\"total\":" total ",\"totalPages\":" pages "}"
#define OTHER(...) "\"other\":{" MEASURES(__VA_ARGS__) "}"
#define NO_OTHER OTHER("0", "0", "0", "0", "0", "0", "0", "null")
#define SUMMARY(count, errors, sent, received, bytes, concurrency, duration, avg, first, last)                         \
    "{\"data\":{\"total_count\":\"" count "\",\"total_errors\":\"" errors "\",\"total_bytes_sent\":\"" sent            \
    "\",\"total_bytes_received\":\"" received "\",\"bytes_total\":\"" bytes "\",\"max_concurrency\":\"" concurrency    \
    "\"," DURATIONS(duration, avg) "," TIMES(first, last) "}}"
#define ODD "\\\"\\u003cx\\u003e"

static const struct {
    const char *path;
    const char *query;
    enum role role;
    int64_t user_id;
    const char *body;
} answers[] = {
    /* who sees what */
    {"/analytics/traffic", DAY, ROLE_USER, 9, "{\"data\":[]}"},
    {"/analytics/traffic", DAY "&userId=1", ROLE_USER, 9, "{\"data\":[]}"},
    {"/analytics/traffic", DAY "&orderId=4", ROLE_USER, 2, "{\"data\":[]}"},
    {"/analytics/traffic", DAY "&orderId=99", ROLE_ADMIN, 0, "{\"data\":[]}"},
    {"/analytics/traffic", DAY "&userId=99", ROLE_ADMIN, 0, "{\"data\":[]}"},
    {"/analytics/traffic", DAY "&userId=1&granularity=day", ROLE_USER, 2,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "20", "30", "50", "2") "]}"},
    {"/analytics/traffic", DAY "&userId=1&granularity=day", ROLE_ADMIN, 0,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "151", "1502", "1653", "16") "]}"},
    {"/analytics/traffic", DAY "&orderId=3&granularity=day", ROLE_USER, 1,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "150", "1500", "1650", "15") "]}"},
    {"/analytics/traffic", DAY "&orderId=3&granularity=day", ROLE_ADMIN, 0,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "170", "1530", "1700", "17") "]}"},
    /* charts */
    {"/analytics/traffic", "from=2026-03-15&to=2026-03-15T00:00:00", ROLE_ADMIN, 0, "{\"data\":[]}"},
    {"/analytics/traffic", DAY, ROLE_ADMIN, 0,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "150", "1500", "1650", "15") "," POINT(
         "2026-03-15 00:15:00", "1", "2", "3", "1") "," POINT("2026-03-15 23:45:00", "20", "30", "50", "2") "]}"},
    {"/analytics/traffic", DAY "&domain=A.com.", ROLE_ADMIN, 0,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "50", "500", "550", "5") "," POINT("2026-03-15 00:15:00", "1", "2", "3",
                                                                                   "1") "]}"},
    {"/analytics/traffic", "from=2026-03-15T00:10:00&to=2026-03-15T00:30:00&fill=zero", ROLE_USER, 1,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "50", "500", "550", "5") "," POINT("2026-03-15 00:15:00", "1", "2", "3",
                                                                                   "1") "]}"},
    {"/analytics/traffic", "from=2026-03-15T01:00:00&to=2026-03-15T01:30:00&fill=zero", ROLE_USER, 1,
     "{\"data\":[" POINT("2026-03-15 01:00:00", "0", "0", "0", "0") "," POINT("2026-03-15 01:15:00", "0", "0", "0",
                                                                              "0") "]}"},
    {"/analytics/requests", BOTH "&granularity=day", ROLE_ADMIN, 0,
     "{\"data\":[{\"bucket\":\"2026-03-15 00:00:00\",\"total_count\":\"18\",\"total_errors\":\"6\"},"
     "{\"bucket\":\"2026-03-16 00:00:00\",\"total_count\":\"4\",\"total_errors\":\"1\"}]}"},
    {"/analytics/concurrency", BOTH "&granularity=day", ROLE_ADMIN, 0,
     "{\"data\":[{\"bucket\":\"2026-03-15 00:00:00\",\"max_concurrency\":\"7\",\"total_count\":\"18\"},"
     "{\"bucket\":\"2026-03-16 00:00:00\",\"max_concurrency\":\"9\",\"total_count\":\"4\"}]}"},
    /* lists */
    {"/analytics/domains", BOTH "&limit=2", ROLE_ADMIN, 0,
     "{\"data\":[{\"domain\":\"b.com\",\"total_count\":\"14\",\"bytes_total\":\"1108\",\"total_bytes_sent\":\"104\","
     "\"total_bytes_received\":\"1004\",\"total_errors\":\"1\"},"
     "{\"domain\":\"a.com\",\"total_count\":\"6\",\"bytes_total\":\"553\",\"total_bytes_sent\":\"51\","
     "\"total_bytes_received\":\"502\",\"total_errors\":\"2\"}]}"},
    {"/analytics/domains", BOTH "&sortBy=count", ROLE_USER, 2,
     "{\"data\":[{\"domain\":\"b.com\",\"total_count\":\"4\",\"bytes_total\":\"8\",\"total_bytes_sent\":\"4\","
     "\"total_bytes_received\":\"4\",\"total_errors\":\"1\"},"
     "{\"domain\":\"" ODD "\",\"total_count\":\"2\",\"bytes_total\":\"50\",\"total_bytes_sent\":\"20\","
     "\"total_bytes_received\":\"30\",\"total_errors\":\"4\"}]}"},
    {"/analytics/domains", BOTH "&limit=1&page=3", ROLE_ADMIN, 0,
     "{\"data\":[{\"domain\":\"" ODD "\",\"total_count\":\"2\",\"bytes_total\":\"50\",\"total_bytes_sent\":\"20\","
     "\"total_bytes_received\":\"30\",\"total_errors\":\"4\"}],\"page\":3,\"limit\":1,\"total\":3,\"totalPages\":3}"},
    {"/analytics/domains", BOTH "&page=2", ROLE_ADMIN, 0,
     "{\"data\":[],\"page\":2,\"limit\":30,\"total\":3,\"totalPages\":1}"},
    {"/analytics/errors", BOTH, ROLE_ADMIN, 0,
     "{\"data\":[{\"error\":\"\\\"reset\\\"\",\"total_errors\":\"4\",\"first_seen\":\"2026-03-15 23:59:59\","
     "\"last_seen\":\"2026-03-15 23:59:59\",\"sample_domains\":[\"" ODD "\"]},"
     "{\"error\":\"timeout\",\"total_errors\":\"3\",\"first_seen\":\"2026-03-15 00:14:59\","
     "\"last_seen\":\"2026-03-16 00:00:00\",\"sample_domains\":[\"a.com\",\"b.com\"]}]}"},
    {"/analytics/errors", DAY, ROLE_USER, 9, "{\"data\":[]}"},
    {"/analytics/websites", BOTH "&limit=2&page=2", ROLE_ADMIN, 0,
     "{\"data\":[{\"domain\":\"" ODD "\",\"total_count\":\"2\",\"bytes_total\":\"50\","
     "\"first_visit\":\"2026-03-15 23:59:59\",\"last_visit\":\"2026-03-15 23:59:59\"}],"
     "\"page\":2,\"limit\":2,\"total\":3,\"totalPages\":2}"},
    {"/analytics/websites", BOTH "&page=2147483648&limit=100", ROLE_ADMIN, 0,
     "{\"data\":[],\"page\":2147483648,\"limit\":100,\"total\":3,\"totalPages\":1}"},
    {"/analytics/websites", DAY, ROLE_USER, 9, "{\"data\":[],\"page\":1,\"limit\":25,\"total\":0,\"totalPages\":0}"},
    /* summary */
    {"/analytics/summary", BOTH, ROLE_ADMIN, 0,
     SUMMARY("22", "7", "175", "1536", "1711", "9", "4413", IS("200"), IS("2026-03-15 00:00:00"),
             IS("2026-03-16 00:00:00"))},
    {"/analytics/summary", DAY "&userId=1", ROLE_USER, 2,
     SUMMARY("2", "4", "20", "30", "50", "2", "3001", IS("1500"), IS("2026-03-15 23:59:59"),
             IS("2026-03-15 23:59:59"))},
    {"/analytics/summary", BOTH "&domain=a.com", ROLE_ADMIN, 0,
     SUMMARY("6", "2", "51", "502", "553", "7", "407", IS("67"), IS("2026-03-15 00:14:59"), IS("2026-03-15 00:15:00"))},
    {"/analytics/summary", BOTH "&orderId=5", ROLE_ADMIN, 0,
     SUMMARY("4", "1", "4", "4", "8", "9", "0", IS("0"), IS("2026-03-16 00:00:00"), IS("2026-03-16 00:00:00"))},
    {"/analytics/summary", BOTH, ROLE_USER, 9, SUMMARY("0", "0", "0", "0", "0", "0", "0", "null", "null", "null")},
    {"/analytics/summary", BOTH "&domain=x", ROLE_ADMIN, 0,
     SUMMARY("0", "0", "0", "0", "0", "0", "0", "null", "null", "null")},
    /* breakdowns */
    {"/analytics/breakdown", BOTH "&by=order", ROLE_ADMIN, 0,
     "{\"data\":[" VALUE("3", "17", "6", "1700", "170", "1530", "7", "4406", IS("259")) "," VALUE(
         "5", "4", "1", "8", "4", "4", "9", "0", IS("0")) "," VALUE("4", "1", "0", "3", "1", "2", "1", "7",
                                                                    IS("7")) "]," NO_OTHER
                                                                             "," PAGES_OF("30", "3", "1")},
    {"/analytics/breakdown", BOTH "&by=error&limit=1&sortBy=count", ROLE_ADMIN, 0,
     "{\"data\":[" VALUE("", "11", "0", "1103", "101", "1002", "5", "1012", IS("92")) "]," OTHER(
         "11", "7", "608", "74", "534", "9", "3401", IS("309")) "," PAGES_OF("1", "3", "3")},
    {"/analytics/breakdown", BOTH "&by=domain&limit=1&page=2", ROLE_ADMIN, 0,
     "{\"data\":[" DOMAIN_VALUE(
         "a.com", "2026-03-15 00:14:59", "2026-03-15 00:15:00", "6", "2", "553", "51", "502", "7", "407",
         IS("67")) "]," OTHER("16", "5", "1158", "124", "1034", "9", "4006",
                              IS("250")) ",\"page\":2,\"limit\":1,\"total\":3,\"totalPages\":3}"},
    {"/analytics/breakdown", BOTH "&by=domain&sortBy=duration&timezone=Europe/Kyiv", ROLE_ADMIN, 0,
     "{\"data\":[" DOMAIN_VALUE(
         ODD, "2026-03-16 01:59:59", "2026-03-16 01:59:59", "2", "4", "50", "20", "30", "2", "3001",
         IS("1500")) "," DOMAIN_VALUE("b.com", "2026-03-15 02:00:00", "2026-03-16 02:00:00", "14", "1", "1108", "104",
                                      "1004", "9", "1005",
                                      IS("71")) "," DOMAIN_VALUE("a.com", "2026-03-15 02:14:59", "2026-03-15 02:15:00",
                                                                 "6", "2", "553", "51", "502", "7", "407",
                                                                 IS("67")) "]," NO_OTHER "," PAGES_OF("30", "3", "1")},
    {"/analytics/breakdown", BOTH "&by=order&sortBy=duration&limit=1", ROLE_ADMIN, 0,
     "{\"data\":[" VALUE("3", "17", "6", "1700", "170", "1530", "7", "4406", IS("259")) "]," OTHER(
         "5", "1", "11", "5", "6", "9", "7", IS("1")) "," PAGES_OF("1", "3", "3")},
    {"/analytics/breakdown", BOTH "&by=user", ROLE_USER, 2,
     "{\"data\":[" VALUE("2", "6", "5", "58", "24", "34", "9", "3001", IS("500")) "]," NO_OTHER
                                                                                  "," PAGES_OF("30", "1", "1")},
    {"/analytics/breakdown", BOTH "&by=ip_out&userId=2", ROLE_ADMIN, 0,
     "{\"data\":[" VALUE("", "6", "5", "58", "24", "34", "9", "3001", IS("500")) "]," NO_OTHER
                                                                                 "," PAGES_OF("30", "1", "1")},
    {"/analytics/breakdown", BOTH "&by=port&userId=3", ROLE_ADMIN, 0,
     "{\"data\":[]," NO_OTHER "," PAGES_OF("30", "0", "0")},
    /* the vendor's answers, with durations if they are asked for */
    {"/analytics/traffic", BOTH "&granularity=day&durations=true", ROLE_ADMIN, 0,
     "{\"data\":[{\"bucket\":\"2026-03-15 "
     "00:00:00\",\"total_bytes_sent\":\"171\",\"total_bytes_received\":\"1532\",\"bytes_total\":\"1703\",\"total_"
     "count\":\"18\"," DURATIONS("4413", IS("245")) "},{\"bucket\":\"2026-03-16 "
                                                    "00:00:00\",\"total_bytes_sent\":\"4\",\"total_bytes_received\":"
                                                    "\"4\",\"bytes_total\":\"8\",\"total_count\":\"4\"," DURATIONS(
                                                        "0", IS("0")) "}]}"},
    {"/analytics/requests", "from=2026-03-15T00:10:00&to=2026-03-15T00:45:00&fill=zero&durations=true", ROLE_USER, 1,
     "{\"data\":[{\"bucket\":\"2026-03-15 00:00:00\",\"total_count\":\"5\",\"total_errors\":\"2\"," DURATIONS(
         "400", IS("80")) "},{\"bucket\":\"2026-03-15 "
                          "00:15:00\",\"total_count\":\"1\",\"total_errors\":\"0\"," DURATIONS(
                              "7", IS("7")) "},{\"bucket\":"
                                            "\"2026-03-15 "
                                            "00:30:00\","
                                            "\"total_"
                                            "count\":\"0\","
                                            "\"total_"
                                            "errors\":"
                                            "\"0\""
                                            "," DURATIONS("0", "null") "}]}"},
    {"/analytics/concurrency", DAY "&granularity=day&durations=true&worker=", ROLE_ADMIN, 0,
     "{\"data\":[{\"bucket\":\"2026-03-15 00:00:00\",\"max_concurrency\":\"7\",\"total_count\":\"18\"," DURATIONS(
         "4413", IS("245")) "}]}"},
    {"/analytics/domains", BOTH "&limit=1&sortBy=duration&durations=true", ROLE_ADMIN, 0,
     "{\"data\":[{\"domain\":\"" ODD "\",\"total_count\":\"2\",\"bytes_total\":\"50\",\"total_bytes_sent\":\"20\","
     "\"total_bytes_received\":\"30\",\"total_errors\":\"4\"," DURATIONS("3001", IS("1500")) "}]}"},
    {"/analytics/domains", BOTH "&limit=1&sortBy=duration&durations=false", ROLE_ADMIN, 0,
     "{\"data\":[{\"domain\":\"" ODD "\",\"total_count\":\"2\",\"bytes_total\":\"50\",\"total_bytes_sent\":\"20\","
     "\"total_bytes_received\":\"30\",\"total_errors\":\"4\"}]}"},
    {"/analytics/errors", BOTH "&limit=1&q=TIME&durations=true", ROLE_ADMIN, 0,
     "{\"data\":[{\"error\":\"timeout\",\"total_errors\":\"3\",\"first_seen\":\"2026-03-15 00:14:59\","
     "\"last_seen\":\"2026-03-16 00:00:00\",\"sample_domains\":[\"a.com\",\"b.com\"]," DURATIONS("400",
                                                                                                 IS("44")) "}]}"},
    {"/analytics/websites", BOTH "&limit=1&durations=true", ROLE_USER, 2,
     "{\"data\":[{\"domain\":\"b.com\",\"total_count\":\"4\",\"bytes_total\":\"8\","
     "\"first_visit\":\"2026-03-16 00:00:00\",\"last_visit\":\"2026-03-16 00:00:00\"," DURATIONS(
         "0", IS("0")) "}],"
                       "\"page\":1,\"limit\":1,\"total\":2,\"totalPages\":2}"},
    /* other time zones: Kyiv is two hours ahead, Kolkata five and a half */
    {"/analytics/traffic", DAY "&timezone=UTC&granularity=day", ROLE_ADMIN, 0,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "171", "1532", "1703", "18") "]}"},
    {"/analytics/traffic", DAY "&timezone=Europe/Kyiv&granularity=day", ROLE_ADMIN, 0,
     "{\"data\":[" POINT("2026-03-15 00:00:00", "151", "1502", "1653", "16") "]}"},
    {"/analytics/traffic", DAY "&timezone=Asia/Kolkata", ROLE_ADMIN, 0,
     "{\"data\":[" POINT("2026-03-15 05:30:00", "150", "1500", "1650", "15") "," POINT("2026-03-15 05:45:00", "1", "2",
                                                                                       "3", "1") "]}"},
    {"/analytics/requests", BOTH "&timezone=Asia/Kolkata&granularity=hour&fill=none", ROLE_ADMIN, 0,
     "{\"data\":[{\"bucket\":\"2026-03-15 05:00:00\",\"total_count\":\"16\",\"total_errors\":\"2\"},"
     "{\"bucket\":\"2026-03-16 05:00:00\",\"total_count\":\"6\",\"total_errors\":\"5\"}]}"},
    {"/analytics/concurrency", "from=2026-03-01&to=2026-03-31&timezone=America/New_York&granularity=week", ROLE_ADMIN,
     0, "{\"data\":[{\"bucket\":\"2026-03-09 00:00:00\",\"max_concurrency\":\"9\",\"total_count\":\"22\"}]}"},
    {"/analytics/errors", BOTH "&limit=1&timezone=Europe/Kyiv", ROLE_USER, 2,
     "{\"data\":[{\"error\":\"\\\"reset\\\"\",\"total_errors\":\"4\",\"first_seen\":\"2026-03-16 01:59:59\","
     "\"last_seen\":\"2026-03-16 01:59:59\",\"sample_domains\":[\"" ODD "\"]}]}"},
    {"/analytics/websites", BOTH "&limit=1&timezone=Asia/Kathmandu", ROLE_USER, 2,
     "{\"data\":[{\"domain\":\"b.com\",\"total_count\":\"4\",\"bytes_total\":\"8\","
     "\"first_visit\":\"2026-03-16 05:45:00\",\"last_visit\":\"2026-03-16 05:45:00\"}],"
     "\"page\":1,\"limit\":1,\"total\":2,\"totalPages\":2}"},
    {"/analytics/health", "", ROLE_NONE, 0, "{\"status\":\"ok\",\"read\":true,\"schema_version\":6}"},
};

START_TEST(answers_exactly)
{
    get(answers[_i].path, answers[_i].query, answers[_i].role, answers[_i].user_id);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(response.content_type, "application/json");
    ck_assert_str_eq(buf_cstr(&response.body), answers[_i].body);
}
END_TEST

/* Answers where durations are unknown. */
static const struct {
    const char *path;
    const char *query;
    const char *body;
} unknown[] = {
    {"/analytics/summary", BOTH "&format=csv",
     "total_count,total_errors,total_bytes_sent,total_bytes_received,bytes_total,max_concurrency,total_duration_ms,"
     "avg_duration_ms,first_seen,last_seen\r\n"
     "22,7,175,1536,1711,9,,,2026-03-15 00:00:00,2026-03-16 00:00:00\r\n"},
    {"/analytics/requests", BOTH "&granularity=month&durations=true",
     "{\"data\":[{\"bucket\":\"2026-03-01 00:00:00\",\"total_count\":\"22\",\"total_errors\":\"7\","
     "\"total_duration_ms\":null,\"avg_duration_ms\":null}]}"},
    {"/analytics/domains", BOTH "&limit=1&sortBy=duration&durations=true&format=csv",
     "domain,total_count,bytes_total,total_bytes_sent,total_bytes_received,total_errors,total_duration_ms,"
     "avg_duration_ms\r\n\"\"\"<x>\",2,50,20,30,4,,\r\n"},
    {"/analytics/breakdown", BOTH "&by=user&limit=1&page=3",
     "{\"data\":[],\"other\":{\"total_count\":\"22\",\"total_errors\":\"7\",\"bytes_total\":\"1711\","
     "\"total_bytes_sent\":\"175\",\"total_bytes_received\":\"1536\",\"max_concurrency\":\"9\","
     "\"total_duration_ms\":null,\"avg_duration_ms\":null},\"page\":3,\"limit\":1,\"total\":2,\"totalPages\":2}"},
};

START_TEST(unknown_durations_are_null)
{
    memory_store_knows_durations(false);
    get(unknown[_i].path, unknown[_i].query, ROLE_ADMIN, 0);
    memory_store_knows_durations(true);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(buf_cstr(&response.body), unknown[_i].body);
}
END_TEST

/* A chart of two months with every quarter of an hour fits into an answer. */
START_TEST(longest_answer_fits)
{
    get("/analytics/traffic", "from=2026-07-01&to=2026-09-01&granularity=15m&fill=zero", ROLE_ADMIN, 0);
    ck_assert_int_eq(response.status, 200);
    ck_assert_uint_gt(response.body.len, 500000);
    ck_assert_uint_lt(response.body.len, LIMIT_RESPONSE_BYTES / 4);
}
END_TEST

static const char *header(const char *name)
{
    for (size_t i = 0; i < response.header_count; i++) {
        if (strcmp(response.headers[i].name, name) == 0)
            return response.headers[i].value;
    }
    return "";
}

START_TEST(caches_privately)
{
    get("/analytics/traffic", DAY, ROLE_ADMIN, 0);
    ck_assert_str_eq(header("Cache-Control"), "private, no-cache");
    get("/analytics/traffic", "", ROLE_ADMIN, 0);
    ck_assert_str_eq(header("Cache-Control"), "no-store");
}
END_TEST

/* ---- CSV ---- */

static const struct {
    const char *path;
    const char *query;
    const char *accept;
    const char *file;
    const char *body;
} csv_answers[] = {
    {"/analytics/traffic", BOTH "&granularity=day&format=csv", "", "traffic_2026-03-15_2026-03-16.csv",
     "bucket,total_bytes_sent,total_bytes_received,bytes_total,total_count\r\n"
     "2026-03-15 00:00:00,171,1532,1703,18\r\n2026-03-16 00:00:00,4,4,8,4\r\n"},
    {"/analytics/requests", DAY "&granularity=day&format=csv", "application/json", "requests_2026-03-15_2026-03-15.csv",
     "bucket,total_count,total_errors\r\n2026-03-15 00:00:00,18,6\r\n"},
    {"/analytics/concurrency", DAY "&granularity=day", "text/csv", "concurrency_2026-03-15_2026-03-15.csv",
     "bucket,max_concurrency,total_count\r\n2026-03-15 00:00:00,7,18\r\n"},
    {"/analytics/domains", BOTH "&limit=2", "text/csv", "domains_2026-03-15_2026-03-16.csv",
     "domain,total_count,bytes_total,total_bytes_sent,total_bytes_received,total_errors\r\n"
     "b.com,14,1108,104,1004,1\r\na.com,6,553,51,502,2\r\n"},
    {"/analytics/errors", BOTH, "text/*", "errors_2026-03-15_2026-03-16.csv",
     "error,total_errors,first_seen,last_seen,sample_domains\r\n"
     "\"\"\"reset\"\"\",4,2026-03-15 23:59:59,2026-03-15 23:59:59,\"\"\"<x>\"\r\n"
     "timeout,3,2026-03-15 00:14:59,2026-03-16 00:00:00,a.com b.com\r\n"},
    {"/analytics/websites", BOTH "&limit=2&page=2", "text/csv", "websites_2026-03-15_2026-03-16.csv",
     "domain,total_count,bytes_total,first_visit,last_visit\r\n"
     "\"\"\"<x>\",2,50,2026-03-15 23:59:59,2026-03-15 23:59:59\r\n"},
    {"/analytics/summary", BOTH, "text/csv", "summary_2026-03-15_2026-03-16.csv",
     "total_count,total_errors,total_bytes_sent,total_bytes_received,bytes_total,max_concurrency,total_duration_ms,"
     "avg_duration_ms,first_seen,last_seen\r\n"
     "22,7,175,1536,1711,9,4413,200,2026-03-15 00:00:00,2026-03-16 00:00:00\r\n"},
    {"/analytics/breakdown", BOTH "&by=error&sortBy=count&limit=2", "text/csv", "breakdown_2026-03-15_2026-03-16.csv",
     "value,total_count,total_errors,bytes_total,total_bytes_sent,total_bytes_received,max_concurrency,"
     "total_duration_ms,avg_duration_ms\r\n"
     ",11,0,1103,101,1002,5,1012,92\r\ntimeout,9,3,558,54,504,9,400,44\r\n"},
    {"/analytics/breakdown", BOTH "&by=domain&limit=1", "text/csv", "breakdown_2026-03-15_2026-03-16.csv",
     "value,total_count,total_errors,bytes_total,total_bytes_sent,total_bytes_received,max_concurrency,"
     "total_duration_ms,avg_duration_ms,first_seen,last_seen\r\n"
     "b.com,14,1,1108,104,1004,9,1005,71,2026-03-15 00:00:00,2026-03-16 00:00:00\r\n"},
    {"/analytics/requests", DAY "&granularity=day&durations=true", "text/csv", "requests_2026-03-15_2026-03-15.csv",
     "bucket,total_count,total_errors,total_duration_ms,avg_duration_ms\r\n2026-03-15 00:00:00,18,6,4413,245\r\n"},
    {"/analytics/websites", BOTH "&limit=1&durations=true", "text/csv", "websites_2026-03-15_2026-03-16.csv",
     "domain,total_count,bytes_total,first_visit,last_visit,total_duration_ms,avg_duration_ms\r\n"
     "b.com,14,1108,2026-03-15 00:00:00,2026-03-16 00:00:00,1005,71\r\n"},
    /* nothing */
    {"/analytics/summary", BOTH "&userId=9", "text/csv", "summary_2026-03-15_2026-03-16.csv",
     "total_count,total_errors,total_bytes_sent,total_bytes_received,bytes_total,max_concurrency,total_duration_ms,"
     "avg_duration_ms,first_seen,last_seen\r\n"
     "0,0,0,0,0,0,0,,,\r\n"},
    {"/analytics/requests", "from=2026-03-15T10:00:00&to=2026-03-15T10:00:00", "text/csv",
     "requests_2026-03-15_2026-03-15.csv", "bucket,total_count,total_errors\r\n"},
    {"/analytics/requests", "from=2026-03-15T10:00:00&to=2026-03-16T00:00:00&orderId=99", "text/csv",
     "requests_2026-03-15_2026-03-15.csv", "bucket,total_count,total_errors\r\n"},
};

START_TEST(csv_exactly)
{
    char disposition[128];

    accept = csv_answers[_i].accept;
    get(csv_answers[_i].path, csv_answers[_i].query, ROLE_ADMIN, 0);
    (void)snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"", csv_answers[_i].file);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(response.content_type, "text/csv; charset=utf-8; header=present");
    ck_assert_str_eq(header("Content-Disposition"), disposition);
    ck_assert_str_eq(header("Vary"), "Accept");
    ck_assert_str_eq(buf_cstr(&response.body), csv_answers[_i].body);
}
END_TEST

START_TEST(format_wins_over_accept)
{
    accept = "text/csv";
    get("/analytics/traffic", DAY "&format=json", ROLE_ADMIN, 0);
    ck_assert_str_eq(response.content_type, "application/json");
    ck_assert_str_eq(header("Vary"), "Accept");
    ck_assert_str_eq(header("Content-Disposition"), "");
    get("/analytics/traffic", DAY "&format=csv&limit=0", ROLE_USER, 0); /* a user without an id; errors are JSON */
    ck_assert_int_eq(response.status, 401);
    ck_assert_str_eq(response.content_type, "application/json");
}
END_TEST

START_TEST(pages_of_csv_are_counted)
{
    get("/analytics/websites", BOTH "&limit=2&format=csv", ROLE_ADMIN, 0);
    ck_assert_str_eq(header("X-Total-Count"), "3");
    ck_assert_str_eq(header("X-Total-Pages"), "2");
    get("/analytics/websites", BOTH "&limit=2", ROLE_ADMIN, 0);
    ck_assert_str_eq(header("X-Total-Count"), "");
    get("/analytics/breakdown", BOTH "&by=order&format=csv", ROLE_ADMIN, 0); /* all of it: no pages */
    ck_assert_str_eq(header("X-Total-Count"), "3");
    ck_assert_str_eq(header("X-Total-Pages"), "");
}
END_TEST

/* ---- keys ---- */

static const struct {
    enum program program;
    const char *route;
    enum role role;
    int status;
} rights[] = {
    {PROGRAM_QUERY, "/analytics/traffic", ROLE_WORKER, 403}, {PROGRAM_QUERY, "/analytics/traffic", ROLE_USER, 200},
    {PROGRAM_QUERY, "/analytics/traffic", ROLE_ADMIN, 200},  {PROGRAM_QUERY, "/analytics/nothing", ROLE_USER, 404},
    {PROGRAM_INGEST, "/_analytics/auth", ROLE_WORKER, 204},  {PROGRAM_INGEST, "/_analytics/auth", ROLE_USER, 403},
    {PROGRAM_INGEST, "/_analytics/auth", ROLE_ADMIN, 204},   {PROGRAM_INGEST, "/_analytics/auth", ROLE_VIEWER, 403},
    {PROGRAM_QUERY, "/analytics/traffic", ROLE_VIEWER, 200}, {PROGRAM_QUERY, "/analytics/metrics", ROLE_VIEWER, 403},
};

static void add_key_until(enum role role, int64_t expires_at, char ret_text[KEY_TEXT_BYTES])
{
    struct key_store *keys = NULL;
    struct api_key key = {.role = role, .user_id = role == ROLE_USER ? 7 : 0, .name = "test", .expires_at = expires_at};

    ck_assert_msg(key_store_open(folder, true, &keys, &fault) == OK, "%s", fault.detail);
    ck_assert_int_eq(key_store_add(keys, &key, MAR_15, ret_text, &fault), OK);
    ck_assert_int_eq(key.id, 1);
    key_store_close(keys);
}

static void add_key(enum role role, char ret_text[KEY_TEXT_BYTES])
{
    add_key_until(role, 0, ret_text);
}

/* `role`: the role that the web server gives. */
static void ask_with_key(int row, const char *key, enum role role)
{
    struct request request = {.method = HTTP_GET,
                              .route = rights[row].route,
                              .path = slice_of("/analytics/x"),
                              .query_string = DAY,
                              .accept = "",
                              .caller = "",
                              .api_key = key,
                              .role = role,
                              .now_ms = INT64_C(1775044800123)};

    service.program = rights[row].program;
    response_release(&response);
    response_init(&response);
    routes_answer(&service, &request, &response);
    exchanges_note_behind(engine, &request, &response);
}

static void remove_keys(void)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/keys.db", folder);
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(authenticates)
{
    char key[KEY_TEXT_BYTES];

    ask_with_key(_i, "fnp_0", ROLE_NONE);
    ck_assert_int_eq(response.status, 503); /* no keys.db yet; it is opened once it is there */
    add_key(rights[_i].role, key);
    ask_with_key(_i, "", ROLE_NONE);
    ck_assert_int_eq(response.status, 401);
    ask_with_key(_i, "fnp_0", ROLE_NONE);
    ck_assert_int_eq(response.status, 401);
    ask_with_key(_i, key, ROLE_NONE);
    ck_assert_int_eq(response.status, rights[_i].status);
    ck_assert_ptr_null(strstr(response.fault_text, key));
    if (response.status == 204) {
        ck_assert_str_eq(header("X-Analytics-Role"), role_name(rights[_i].role));
        ck_assert_str_eq(header("X-Analytics-Caller"), "key:1");
    }
    remove_keys();
}
END_TEST

static const struct {
    enum role role;
    int64_t expires_at;
    const char *body;
} identities[] = {
    {ROLE_WORKER, 0,
     "{\"role\":\"worker\",\"user_id\":null,\"key\":{\"id\":1,\"name\":\"test\",\"expires\":null},\"filters\":null,"
     "\"dimensions\":[]}"},
    {ROLE_ADMIN, 0,
     "{\"role\":\"admin\",\"user_id\":null,\"key\":{\"id\":1,\"name\":\"test\",\"expires\":null},\"filters\":null,"
     "\"dimensions\":"
     "[\"worker\",\"peer\",\"protocol\",\"port\",\"ip_out\",\"ip_from\",\"order\",\"user\",\"error\",\"domain\"]}"},
    {ROLE_USER, INT64_C(1796256000),
     "{\"role\":\"user\",\"user_id\":7,\"key\":{\"id\":1,\"name\":\"test\",\"expires\":\"2026-12-03 00:00:00\"},"
     "\"filters\":null,\"dimensions\":[\"protocol\",\"port\",\"order\",\"user\",\"error\",\"domain\"]}"},
    {ROLE_VIEWER, 0,
     "{\"role\":\"viewer\",\"user_id\":null,\"key\":{\"id\":1,\"name\":\"test\",\"expires\":null},\"filters\":\"\","
     "\"dimensions\":[\"protocol\",\"port\",\"order\",\"user\",\"error\",\"domain\"]}"},
};

START_TEST(a_key_says_whose_it_is)
{
    char key[KEY_TEXT_BYTES];
    add_key_until(identities[_i].role, identities[_i].expires_at, key);
    struct request request = {.method = HTTP_GET,
                              .route = "/analytics/whoami",
                              .path = slice_of("/analytics/whoami"),
                              .query_string = "",
                              .accept = "",
                              .caller = "",
                              .api_key = key,
                              .now_ms = INT64_C(1775044800123)};
    response_release(&response);
    response_init(&response);
    routes_answer(&service, &request, &response);
    exchanges_note_behind(engine, &request, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(buf_cstr(&response.body), identities[_i].body);
    ck_assert_str_eq(header("Cache-Control"), "no-store");
    remove_keys();
    if (identities[_i].role == ROLE_VIEWER)
        return;                                           /* a web server gives no such role */
    get("/analytics/whoami", "", identities[_i].role, 7); /* the web server says who asks, so there is no key */
    ck_assert_msg(strstr(buf_cstr(&response.body), "\"key\":null,"), "%s", buf_cstr(&response.body));
    get("/analytics/whoami", "", ROLE_NONE, 0);
    ck_assert_int_eq(response.status, 401);
}
END_TEST

/* The dimensions of the operator, and two that everyone may use. */
static const struct {
    const char *query;
    bool is_kept;
} asked_by[] = {
    {"&worker=worker-01", true},   {"&peer=", true},        {"&ip_out=1.2.3.4", true}, {"&ip_from=::1", true},
    {"&protocol=HTTPS", false},    {"&port=0", false},      {"&by=worker", true},      {"&by=peer", true},
    {"&by=ip_out", true},          {"&by=ip_from", true},   {"&by=port", false},       {"&by=protocol&peer=x", true},
    {"&not_worker=x", true},       {"&not_ip_from=", true}, {"&not_port=1", false},    {"&not_domain=*.x", false},
    {"&by=order&domain=x", false}, {"&error=x", false},
};

/* Seen to fail: with a check of filters only, "&by=worker: 200". */
START_TEST(users_may_not_ask_by_everything)
{
    bool has_by = strstr(asked_by[_i].query, "by=") != NULL;
    const char *path = has_by ? "/analytics/breakdown" : "/analytics/traffic", *query = asked_by[_i].query;
    char whole[128];
    snprintf(whole, sizeof whole, DAY "%s", query);
    get(path, whole, ROLE_USER, 1);
    ck_assert_msg(response.status == (asked_by[_i].is_kept ? 403 : 200), "%s: %d", query, response.status);
    if (asked_by[_i].is_kept)
        ck_assert_msg(strstr(buf_cstr(&response.body), "\"message\":\"auth.forbidden\"") &&
                          strstr(response.fault_text, "the operator keeps"),
                      "%s: %s", query, buf_cstr(&response.body));
    get(path, whole, ROLE_ADMIN, 0);
    ck_assert_msg(response.status == 200, "an admin: %s: %d", query, response.status);
    service.users_see_network = true;
    get(path, whole, ROLE_USER, 1);
    ck_assert_msg(response.status == 200, "users see the network: %s: %d", query, response.status);
}
END_TEST

/* ---- shared views ---- */

static struct reply_text {
    int status;
    char body[1024], etag[64];
} reply;

static void ask(enum http_method method, const char *path, const char *query, const char *key)
{
    struct request request = {.method = method,
                              .route = path,
                              .path = slice_of(path),
                              .query_string = query,
                              .accept = "",
                              .caller = "",
                              .api_key = key,
                              .now_ms = INT64_C(1775044800123)};
    response_release(&response);
    response_init(&response);
    routes_answer(&service, &request, &response);
    exchanges_note_behind(engine, &request, &response);
    reply.status = response.status;
    snprintf(reply.body, sizeof reply.body, "%s", buf_cstr(&response.body));
    snprintf(reply.etag, sizeof reply.etag, "%s", header("ETag"));
}

/* The key that the answer of /analytics/shares shows. */
static void share(const char *query, const char *admin, char ret_key[KEY_TEXT_BYTES])
{
    service.program = PROGRAM_INGEST;
    ask(HTTP_POST, "/analytics/shares", query, admin);
    service.program = PROGRAM_QUERY;
    ck_assert_msg(reply.status == 200, "%s: %d %s", query, reply.status, reply.body);
    const char *key = strstr(reply.body, "\"key\":\"");
    ck_assert_ptr_nonnull(key);
    memcpy(ret_key, key + 7, KEY_TEXT_BYTES - 1);
    ret_key[KEY_TEXT_BYTES - 1] = '\0';
}

/* The filters that bind a viewer, the viewer's query, and the query of an admin that gets the same answer (NULL:
 * refused).
 * Seen to fail: bound filters put before the viewer's own -> 400; the viewer's own domain kept -> "&domain=b.com":
 * refused; dimensions looked at after binding -> "worker=": 403; scope() as for a user -> "": no rows. */
static const struct {
    const char *bound, *asked, *same;
} views[] = {
    {"", "", ""},
    {"", "&userId=1", "&userId=1"},
    {"&domain=a.com", "", "&domain=a.com"},
    {"&domain=a.com", "&domain=b.com", "&domain=a.com"},
    {"&domain=a.com", "&orderId=4", "&domain=a.com&orderId=4"},
    {"&domain=a.com", "&%64omain=b.com", NULL},
    {"&userId=1", "&userId=2", "&userId=1"},
    {"&userId=1", "&user%49d=2", NULL},
    {"&userId=1&orderId=3", "&domain=a.com", "&userId=1&orderId=3&domain=a.com"},
    {"&not_error=timeout", "&not_error=nothing", "&not_error=timeout"},
    {"&not_error=timeout&orderId=3", "&orderId=5&error=timeout", "&not_error=timeout&orderId=3&error=timeout"},
    {"&error=%22reset%22", "", "&error=%22reset%22"},
    {"&worker=", "", "&worker="},
    {"&worker=", "&peer=", NULL},
    {"", "&worker=", NULL},
};

START_TEST(a_viewer_is_bound)
{
    char admin[KEY_TEXT_BYTES], viewer[KEY_TEXT_BYTES], query[256];
    add_key(ROLE_ADMIN, admin);
    snprintf(query, sizeof query, "name=x&expires=2999-01-01%s", views[_i].bound);
    share(query, admin, viewer);
    snprintf(query, sizeof query, BOTH "%s", views[_i].asked);
    ask(HTTP_GET, "/analytics/traffic", query, viewer);
    if (!views[_i].same) {
        ck_assert_msg(reply.status == 400 || reply.status == 403, "%s: %d %s", query, reply.status, reply.body);
    } else {
        struct reply_text found = reply;
        snprintf(query, sizeof query, BOTH "%s", views[_i].same);
        ask(HTTP_GET, "/analytics/traffic", query, admin);
        ck_assert_msg(found.status == 200 && !strcmp(found.body, reply.body), "%s: %s, not %s", query, found.body,
                      reply.body);
    }
    remove_keys();
}
END_TEST

/* The tag of one view does not work for another. */
START_TEST(each_view_has_its_tags)
{
    char admin[KEY_TEXT_BYTES], one[KEY_TEXT_BYTES], two[KEY_TEXT_BYTES], tag[64];
    add_key(ROLE_ADMIN, admin);
    share("name=x&expires=2999-01-01&domain=a.com", admin, one);
    share("name=y&expires=2999-01-01&domain=b.com", admin, two);
    ask(HTTP_GET, "/analytics/traffic", BOTH, one);
    snprintf(tag, sizeof tag, "%s", reply.etag);
    ask(HTTP_GET, "/analytics/traffic", BOTH, two);
    ck_assert_str_ne(tag, reply.etag);
    remove_keys();
}
END_TEST

static const struct {
    const char *query, *message;
} bad_shares[] = {
    {"expires=2999-01-01", "analytics.name_required"},
    {"name=x", "analytics.expires_required"},
    {"name=&expires=2999-01-01", "analytics.name_invalid"},
    {"name=a%0Ab&expires=2999-01-01", "analytics.name_invalid"},
    {"name=x&expires=2026-03-15", "analytics.expires_invalid"}, /* it is 2026-04-01 */
    {"name=x&expires=tomorrow", "analytics.expires_invalid"},
    {"name=x&expires=2999-01-01&orderId=abc", "analytics.order_id_invalid"},
    {"name=x&expires=2999-01-01&domain=a&domain=b", "analytics.domain_invalid"},
    {"name=x&expires=2999-01-01&%64omain=a", "analytics.query_invalid"},
    {"name=x&expires=2999-01-01&order_id=3", "analytics.query_invalid"},
};

START_TEST(bad_shares_make_no_key)
{
    char admin[KEY_TEXT_BYTES];
    add_key(ROLE_ADMIN, admin);
    service.program = PROGRAM_INGEST;
    ask(HTTP_POST, "/analytics/shares", bad_shares[_i].query, admin);
    ck_assert_msg(reply.status == 400 && strstr(reply.body, bad_shares[_i].message), "%s: %d %s", bad_shares[_i].query,
                  reply.status, reply.body);
    ck_assert_ptr_null(strstr(reply.body, "fnp_"));
    char next[KEY_TEXT_BYTES];
    share("name=x&expires=2026-04-01", admin, next);
    ck_assert_msg(strstr(reply.body, "{\"id\":2,") && strstr(reply.body, "\"expires\":\"2026-04-02 00:00:00\""), "%s",
                  reply.body);
    remove_keys();
}
END_TEST

/* If the web server says who asks, a key is ignored. */
START_TEST(the_servers_word_counts)
{
    char key[KEY_TEXT_BYTES];

    add_key(ROLE_ADMIN, key);
    ask_with_key(0, key, ROLE_WORKER);
    ck_assert_int_eq(response.status, 403);
    ask_with_key(0, "fnp_0", ROLE_ADMIN);
    ck_assert_int_eq(response.status, 200);
    remove_keys();
}
END_TEST

/* A key of user 7 sees what user 7 sees. */
START_TEST(a_key_sees_its_own)
{
    char key[KEY_TEXT_BYTES];

    add_key(ROLE_USER, key);
    get("/analytics/traffic", DAY, ROLE_USER, 7);
    char *expected = strdup(buf_cstr(&response.body));
    ask_with_key(0, key, ROLE_NONE);
    ck_assert_str_eq(buf_cstr(&response.body), expected);
    get("/analytics/traffic", DAY, ROLE_ADMIN, 0);
    ck_assert_str_ne(buf_cstr(&response.body), expected);
    free(expected);
    remove_keys();
}
END_TEST

static TCase *add_reports(Suite *suite, const char *behind, void (*set_up_engine)(void))
{
    exchanges_begin_behind(behind);
    TCase *tcase = suite_case(suite, behind);
    tcase_set_tags(tcase, behind);
    tcase_add_checked_fixture(tcase, set_up_engine, tear_down);
    tcase_add_loop_test(tcase, answers_exactly, 0, ROWS(answers));
    tcase_add_loop_test(tcase, authenticates, 0, ROWS(rights));
    tcase_add_loop_test(tcase, a_key_says_whose_it_is, 0, ROWS(identities));
    tcase_add_loop_test(tcase, users_may_not_ask_by_everything, 0, ROWS(asked_by));
    tcase_add_loop_test(tcase, a_viewer_is_bound, 0, ROWS(views));
    tcase_add_test(tcase, each_view_has_its_tags);
    tcase_add_loop_test(tcase, bad_shares_make_no_key, 0, ROWS(bad_shares));
    tcase_add_test(tcase, the_servers_word_counts);
    tcase_add_test(tcase, a_key_sees_its_own);
    tcase_add_test(tcase, longest_answer_fits);
    tcase_add_test(tcase, caches_privately);
    tcase_add_loop_test(tcase, csv_exactly, 0, ROWS(csv_answers));
    tcase_add_test(tcase, format_wins_over_accept);
    tcase_add_test(tcase, pages_of_csv_are_counted);
    return tcase;
}

/* The endpoints give the same answers with each engine. */
int main(void)
{
    Suite *suite = suite_create("reports_json");
    add_reports(suite, "sqlite", set_up_sqlite);
    TCase *memory = add_reports(suite, "memory", set_up_memory);
    tcase_add_loop_test(memory, unknown_durations_are_null, 0, ROWS(unknown));
    return suite_run_together(suite);
}
