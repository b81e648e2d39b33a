/* test_params.c: query strings as rows, hostile ones first. Instants were worked out with date(1). */
#include "http/params.h"
#include "support/runner.h"
#include "time/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define RANGE "from=2026-03-15&to=2026-03-15"

#define MAR_15 INT64_C(1773532800)
#define MAR_16 INT64_C(1773619200)

static const struct param_set every = {
    .takes = {[PARAM_FROM] = true,
              [PARAM_TO] = true,
              [PARAM_GRANULARITY] = true,
              [PARAM_FILL] = true,
              [PARAM_SORT_BY] = true,
              [PARAM_LIMIT] = true,
              [PARAM_PAGE] = true,
              [PARAM_TIMEZONE] = true,
              [PARAM_Q] = true,
              [PARAM_DURATIONS] = true PARAM_TAKE_FILTERS},
    .default_limit = 30,
    .max_limit = 100,
    .max_limit_of_page = 1000,
};
static const struct param_set range_only = {.takes = {[PARAM_FROM] = true, [PARAM_TO] = true}};

static struct params params;
static struct fault fault;

/* ---- refused ---- */

static const struct {
    const char *query;
    enum err err;
    const char *parameter;
} refused[] = {
    {"", ERR_PARAMETER_REQUIRED, "from"},
    {"&&&", ERR_PARAMETER_REQUIRED, "from"},
    {"=", ERR_PARAMETER_REQUIRED, "from"},
    {"from", ERR_PARAMETER_INVALID, "from"},
    {"from=", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-15", ERR_PARAMETER_REQUIRED, "to"},
    {"to=2026-03-15", ERR_PARAMETER_REQUIRED, "from"},
    {"fromm=2026-03-15&to=2026-03-15", ERR_PARAMETER_REQUIRED, "from"},
    /* another spelling of a name */
    {"From=2026-03-15&to=2026-03-15", ERR_QUERY_INVALID, ""},
    {RANGE "&order_id=999", ERR_QUERY_INVALID, ""},
    {RANGE "&user_id=999", ERR_QUERY_INVALID, ""},
    {RANGE "&orderid=999", ERR_QUERY_INVALID, ""},
    {RANGE "&ORDERID=999", ERR_QUERY_INVALID, ""},
    {RANGE "&order-id=999", ERR_QUERY_INVALID, ""},
    {RANGE "&sort_by=count", ERR_QUERY_INVALID, ""},
    {RANGE "&sortby=count", ERR_QUERY_INVALID, ""},
    {RANGE "&time_zone=UTC", ERR_QUERY_INVALID, ""},
    {RANGE "&order%5Fid=999", ERR_QUERY_INVALID, ""},
    {RANGE "&_from=1", ERR_QUERY_INVALID, ""},
    {RANGE "&orderId=1&order_id=1", ERR_QUERY_INVALID, ""},
    {"from=2026-02-30&to=2026-03-15", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-15&to=2026-03-15T24:00:00Z", ERR_PARAMETER_INVALID, "to"},
    {"from=1773532800&to=2026-03-15", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-15T10:00:00+03:00&to=2026-03-16", ERR_PARAMETER_INVALID, "from"}, /* the + is a space */
    {"from=%2026-03-15&to=2026-03-15", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-15%&to=2026-03-15", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-15%0&to=2026-03-15", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-15%00&to=2026-03-15", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-15&from=2026-03-15&to=2026-03-15", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-15&fr%6fm=2026-03-15&to=2026-03-15", ERR_PARAMETER_INVALID, "from"},
    {RANGE "&domain=a&domain=a", ERR_PARAMETER_INVALID, "domain"},
    {RANGE "&domain=a%00b", ERR_PARAMETER_INVALID, "domain"},
    {RANGE "&domain=%ff", ERR_PARAMETER_INVALID, "domain"},
    {RANGE "&domain=\xff", ERR_PARAMETER_INVALID, "domain"},
    {RANGE "&domain=%c0%ae", ERR_PARAMETER_INVALID, "domain"},
    {RANGE "&domain=%ed%a0%80", ERR_PARAMETER_INVALID, "domain"},
    {RANGE "&domain=%zz", ERR_PARAMETER_INVALID, "domain"},
    {RANGE "&domain=a%0ab", ERR_PARAMETER_INVALID, "domain"},
    {RANGE "&orderId=", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=0", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=-1", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=+1", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=%201", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=abc", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=1.0", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=1e3", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=9007199254740992", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=18446744073709551617", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&orderId=3&orderId=3", ERR_PARAMETER_INVALID, "order_id"},
    {RANGE "&userId=0", ERR_PARAMETER_INVALID, "user_id"},
    {RANGE "&userId=1x", ERR_PARAMETER_INVALID, "user_id"},
    {RANGE "&granularity=15M", ERR_PARAMETER_INVALID, "granularity"},
    {RANGE "&granularity=", ERR_PARAMETER_INVALID, "granularity"},
    {RANGE "&granularity=days", ERR_PARAMETER_INVALID, "granularity"},
    {RANGE "&fill=1", ERR_PARAMETER_INVALID, "fill"},
    {RANGE "&fill", ERR_PARAMETER_INVALID, "fill"},
    {RANGE "&sortBy=Bytes", ERR_PARAMETER_INVALID, "sort_by"},
    {RANGE "&sortBy=avg_duration_ms", ERR_PARAMETER_INVALID, "sort_by"},
    {RANGE "&durations=", ERR_PARAMETER_INVALID, "durations"},
    {RANGE "&durations=1", ERR_PARAMETER_INVALID, "durations"},
    {RANGE "&durations=True", ERR_PARAMETER_INVALID, "durations"},
    {RANGE "&durations=true&durations=true", ERR_PARAMETER_INVALID, "durations"},
    {RANGE "&Durations=true", ERR_QUERY_INVALID, ""},
    {RANGE "&limit=", ERR_PARAMETER_INVALID, "limit"},
    {RANGE "&limit=0", ERR_PARAMETER_INVALID, "limit"},
    {RANGE "&limit=101", ERR_PARAMETER_INVALID, "limit"},
    {RANGE "&limit=1001&page=1", ERR_PARAMETER_INVALID, "limit"},
    {RANGE "&limit=99999999999999999999&page=1", ERR_PARAMETER_INVALID, "limit"},
    {RANGE "&limit=10x", ERR_PARAMETER_INVALID, "limit"},
    {RANGE "&limit=010", ERR_PARAMETER_INVALID, "limit"},
    {RANGE "&page=0", ERR_PARAMETER_INVALID, "page"},
    {RANGE "&page=2147483649", ERR_PARAMETER_INVALID, "page"},
    {RANGE "&timezone=", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=Kyiv", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=europe/kyiv", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=Europe/Kyiv%20", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=Europe/Kyiv%00", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=../../../etc/passwd", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=%2Fusr%2Fshare%2Fzoneinfo%2FUTC", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=posix/Europe/Kyiv", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=right/Europe/Kyiv", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=Etc/GMT+3", ERR_PARAMETER_INVALID, "timezone"}, /* the + is a space */
    {RANGE "&timezone=%2B03:00", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&timezone=UTC&timezone=UTC", ERR_PARAMETER_INVALID, "timezone"},
    {RANGE "&error=", ERR_PARAMETER_INVALID, "error"},
    {RANGE "&error", ERR_PARAMETER_INVALID, "error"},
    {RANGE "&error=a&error=a", ERR_PARAMETER_INVALID, "error"},
    {RANGE "&error=a%00b", ERR_PARAMETER_INVALID, "error"},
    {RANGE "&error=%ff", ERR_PARAMETER_INVALID, "error"},
    {RANGE "&q=", ERR_PARAMETER_INVALID, "q"},
    {RANGE "&q=a&q=a", ERR_PARAMETER_INVALID, "q"},
    {RANGE "&q=a%00", ERR_PARAMETER_INVALID, "q"},
    {RANGE "&q=%ff", ERR_PARAMETER_INVALID, "q"},
    /* exclusion: the same values, keys of its own */
    {RANGE "&not_orderId=", ERR_PARAMETER_INVALID, "not_order_id"},
    {RANGE "&not_orderId=0", ERR_PARAMETER_INVALID, "not_order_id"},
    {RANGE "&not_orderId=1&not_orderId=2", ERR_PARAMETER_INVALID, "not_order_id"},
    {RANGE "&not_userId=1x", ERR_PARAMETER_INVALID, "not_user_id"},
    {RANGE "&not_domain=a%0ab", ERR_PARAMETER_INVALID, "not_domain"},
    {RANGE "&not_error=", ERR_PARAMETER_INVALID, "not_error"},
    {RANGE "&not_port=65536", ERR_PARAMETER_INVALID, "not_port"},
    {RANGE "&not_port=", ERR_PARAMETER_INVALID, "not_port"},
    {RANGE "&not_ip_out=1.2.3", ERR_PARAMETER_INVALID, "not_ip_out"},
    {RANGE "&not_ip_from=%00", ERR_PARAMETER_INVALID, "not_ip_from"},
    {RANGE "&not_protocol=123456789012345678901234567890123", ERR_PARAMETER_INVALID, "not_protocol"},
    {RANGE "&notOrderId=1", ERR_QUERY_INVALID, ""},
    {RANGE "&not_order_id=1", ERR_QUERY_INVALID, ""},
    {RANGE "&not-domain=a", ERR_QUERY_INVALID, ""},
    {RANGE "&NOT_WORKER=a", ERR_QUERY_INVALID, ""},
    /* the first one in the table of parameters is named, in any order */
    {"timezone=x&limit=x&to=2026-03-15&from=2026-03-15", ERR_PARAMETER_INVALID, "limit"},
    {"limit=x&to=x&from=x", ERR_PARAMETER_INVALID, "from"},
    {"from=2026-03-16&to=2026-03-14", ERR_RANGE_INVALID, ""},
    {"from=2026-03-15T10:00:01&to=2026-03-15T10:00:00", ERR_RANGE_INVALID, ""},
    {"from=2026-03-15T10:00:00Z&to=2026-03-15T12:59:59%2B03:00", ERR_RANGE_INVALID, ""},
    {"from=2026-03-15T10:00:00.5&to=2026-03-15T10:00:00", ERR_RANGE_INVALID, ""},
    {"from=2999-12-31&to=1970-01-01", ERR_RANGE_INVALID, ""},
    {"from=2026-03-15&to=2026-03-14", ERR_RANGE_INVALID, ""}, /* although the 14th ends when the 15th begins */
    {"from=2026-03-15T00:00:00&to=2026-03-14", ERR_RANGE_INVALID, ""},
    {"from=2026-03-15T00:30:00%2B03:00&to=2026-03-14", ERR_RANGE_INVALID, ""}, /* its date is the 15th */
    {"from=2026-01-31&to=2026-04-01", ERR_RANGE_TOO_LONG, ""},
    {"from=2026-01-31&to=2026-03-31T00:00:01", ERR_RANGE_TOO_LONG, ""},
    {"from=2026-01-31&to=2026-03-31T00:00:00.1", ERR_RANGE_TOO_LONG, ""},
    {"from=2025-12-31&to=2026-03-01", ERR_RANGE_TOO_LONG, ""}, /* clamped to 28 February */
    {"from=2023-12-31&to=2024-03-01", ERR_RANGE_TOO_LONG, ""}, /* clamped to 29 February */
    {"from=2026-03-01&to=2026-05-02", ERR_RANGE_TOO_LONG, ""},
    {"from=1970-01-01&to=2999-12-31", ERR_RANGE_TOO_LONG, ""},
    {"from=2999-12-31&to=2999-12-31T00:00:00-13:00&fill=x", ERR_PARAMETER_INVALID, "fill"},
    /* 31 January on the clock of from: two months later is 31 March 23:30 there, 1 April 04:30 UTC */
    {"from=2026-01-31T23:30:00-05:00&to=2026-04-01T04:30:01Z", ERR_RANGE_TOO_LONG, ""},
    /* on Kyiv's clocks, which are an hour further on 29 March: as given, though an hour less has passed … */
    {"from=2026-02-15&to=2026-04-15T00:00:01&timezone=Europe/Kyiv", ERR_RANGE_TOO_LONG, ""},
    {"from=2026-02-15&to=2026-04-16&timezone=Europe/Kyiv", ERR_RANGE_TOO_LONG, ""},
    /* … and as instants where `to` says its own zone: 15 April 00:00 there is 14 April 21:00 UTC */
    {"from=2026-02-15&to=2026-04-14T21:00:01Z&timezone=Europe/Kyiv", ERR_RANGE_TOO_LONG, ""},
    {"from=2026-01-29T03:30:00&to=2026-03-29T03:30:01&timezone=Europe/Kyiv", ERR_RANGE_TOO_LONG, ""},
    {"from=2026-03-15T03:00:00&to=2026-03-15T00:59:59Z&timezone=Europe/Kyiv", ERR_RANGE_INVALID, ""},
    {"from=2026-03-15T02:00:00Z&to=2026-03-15T03:00:00&timezone=Europe/Kyiv", ERR_RANGE_INVALID, ""},
};

START_TEST(refuses)
{
    enum err err = params_parse(refused[_i].query, &every, &params, &fault);

    ck_assert_msg(err == refused[_i].err, "%s: %d, %s", refused[_i].query, (int)err, fault.detail);
    ck_assert_int_eq(fault.err, err);
    ck_assert_msg(strcmp(fault.parameter, refused[_i].parameter) == 0, "%s: %s", refused[_i].query, fault.parameter);
    ck_assert_msg(fault.detail[0] != '\0', "%s", refused[_i].query);
}
END_TEST

/* ---- accepted: the interval ---- */

static const struct {
    const char *query;
    int64_t from;
    int64_t to;
} ranges[] = {
    {RANGE, MAR_15, MAR_16},
    {"&&" RANGE "&", MAR_15, MAR_16},
    {"%66rom=2026-03-15&t%6F=2026%2D03-15", MAR_15, MAR_16},
    {"from=2026-03-15+00:00:00&to=2026-03-15%2000:00:00", MAR_15, MAR_15},
    {"from=2026-03-15T10:15:00&to=2026-03-15", 1773569700, MAR_16},
    {"from=2026-03-15T10:00:00%2B03:00&to=2026-03-15", 1773558000, MAR_16},
    {"from=2026-03-15T00:00:00.000Z&to=2026-03-15T10:15:00.000Z", MAR_15, 1773569700},
    {"from=2026-03-15T00:00:00.001Z&to=2026-03-15T10:14:59.999Z", MAR_15 + 1, 1773569700},
    {"from=2026-03-15T00:00:00.2&to=2026-03-15T00:00:00.7", MAR_15 + 1, MAR_15 + 1},
    {"from=2026-01-31&to=2026-03-31", 1769817600, 1775001600},
    {"from=2026-01-31&to=2026-03-31T00:00:00", 1769817600, 1774915200},
    {"from=2025-12-31&to=2026-02-28", 1767139200, 1772323200},
    {"from=2023-12-31&to=2024-02-29", 1703980800, 1709251200},
    {"from=2026-03-01&to=2026-05-01", 1772323200, 1777680000},
    {"from=2026-03-01T00:00:00.5&to=2026-05-01T00:00:00.5", 1772323201, 1777593601},
    {"from=2026-01-31T23:30:00-05:00&to=2026-04-01T04:30:00Z", 1769920200, 1775017800},
    {RANGE "&apikey=fnp_00&apikey=%zz&x&x&%=%", MAR_15, MAR_16},
};

START_TEST(reads_ranges)
{
    enum err err = params_parse(ranges[_i].query, &range_only, &params, &fault);

    ck_assert_msg(err == OK, "%s: %s", ranges[_i].query, fault.detail);
    ck_assert_msg(params.filter.from == ranges[_i].from, "%s: from %lld", ranges[_i].query,
                  (long long)params.filter.from);
    ck_assert_msg(params.filter.to == ranges[_i].to, "%s: to %lld", ranges[_i].query, (long long)params.filter.to);
}
END_TEST

#define KYIV "&timezone=Europe/Kyiv"

/* In zones. Kyiv is two hours ahead in winter and three in summer; see test_zone.c for the rest. */
static const struct {
    const char *query;
    const char *from, *to; /* UTC */
} zone_ranges[] = {
    {RANGE "&timezone=UTC", "2026-03-15 00:00:00", "2026-03-16 00:00:00"},
    {RANGE KYIV, "2026-03-14 22:00:00", "2026-03-15 22:00:00"},
    {"timezone=Europe%2FKyiv&" RANGE, "2026-03-14 22:00:00", "2026-03-15 22:00:00"},
    {RANGE "&timezone=Etc/GMT%2B3", "2026-03-15 03:00:00", "2026-03-16 03:00:00"},
    {"from=2026-03-15+10:15:00&to=2026-03-15T12:00" KYIV, "2026-03-15 08:15:00", "2026-03-15 10:00:00"},
    {"from=2026-03-15T10:15:00.5&to=2026-03-15T12:00:00.5" KYIV, "2026-03-15 08:15:01", "2026-03-15 10:00:01"},
    /* times with a zone of their own ignore the parameter */
    {"from=2026-03-15T10:15:00Z&to=2026-03-15T12:00:00-05:00" KYIV, "2026-03-15 10:15:00", "2026-03-15 17:00:00"},
    {"from=2026-03-15T00:00:00Z&to=2026-03-15" KYIV, "2026-03-15 00:00:00", "2026-03-15 22:00:00"},
    /* days of 23, 25 and 0 hours, and one that begins at 1:00 */
    {"from=2026-03-29&to=2026-03-29" KYIV, "2026-03-28 22:00:00", "2026-03-29 21:00:00"},
    {"from=2026-10-25&to=2026-10-25" KYIV, "2026-10-24 21:00:00", "2026-10-25 22:00:00"},
    {"from=2011-12-30&to=2011-12-30&timezone=Pacific/Apia", "2011-12-30 10:00:00", "2011-12-30 10:00:00"},
    {"from=2018-11-04&to=2018-11-04&timezone=America/Sao_Paulo", "2018-11-04 03:00:00", "2018-11-05 02:00:00"},
    {"from=2018-11-03&to=2018-11-03&timezone=America/Sao_Paulo", "2018-11-03 03:00:00", "2018-11-04 03:00:00"},
    /* 3:00 to 4:00 does not exist: the instant of the jump counts, for from and to */
    {"from=2026-03-29T03:10:00&to=2026-03-29T03:50:00" KYIV, "2026-03-29 01:00:00", "2026-03-29 01:00:00"},
    {"from=2026-03-29T03:10:00.5&to=2026-03-29T04:00:00.5" KYIV, "2026-03-29 01:00:00", "2026-03-29 01:00:01"},
    /* 3:00 to 4:00 comes twice: the first time counts, for from and to */
    {"from=2026-10-25T03:10:00&to=2026-10-25T03:50:00" KYIV, "2026-10-25 00:10:00", "2026-10-25 00:50:00"},
    {"from=2026-10-25T03:59:59.5&to=2026-10-25T04:00:00" KYIV, "2026-10-25 01:00:00", "2026-10-25 02:00:00"},
    /* two months on the clock: an hour less in fact, and an hour more */
    {"from=2026-02-15&to=2026-04-15T00:00:00" KYIV, "2026-02-14 22:00:00", "2026-04-14 21:00:00"},
    {"from=2026-09-15&to=2026-11-15T00:00:00" KYIV, "2026-09-14 21:00:00", "2026-11-14 22:00:00"},
    {"from=2026-09-15&to=2026-11-15" KYIV, "2026-09-14 21:00:00", "2026-11-15 22:00:00"},
    {"from=2026-02-15&to=2026-04-14T21:00:00Z" KYIV, "2026-02-14 22:00:00", "2026-04-14 21:00:00"},
    {"from=2026-01-31T23:30:00-05:00&to=2026-04-01T04:30:00Z" KYIV, "2026-02-01 04:30:00", "2026-04-01 04:30:00"},
    /* the ends of what is stored */
    {"from=1970-01-01&to=1970-01-01" KYIV, "1970-01-01 00:00:00", "1970-01-01 21:00:00"},
    {"from=2999-12-31&to=2999-12-31&timezone=Etc/GMT%2B12", "2999-12-31 12:00:00", "3000-01-01 12:00:00"},
};

START_TEST(reads_ranges_in_zones)
{
    char from[WHEN_TEXT_BYTES], to[WHEN_TEXT_BYTES];
    enum err err = params_parse(zone_ranges[_i].query, &every, &params, &fault);

    ck_assert_msg(err == OK, "%s: %s", zone_ranges[_i].query, fault.detail);
    when_format(params.filter.from, from);
    when_format(params.filter.to, to);
    ck_assert_str_eq(from, zone_ranges[_i].from);
    ck_assert_str_eq(to, zone_ranges[_i].to);
    ck_assert_ptr_eq(params.filter.zone, &params.zone);
}
END_TEST

/* ---- accepted: the rest ---- */

START_TEST(has_defaults)
{
    ck_assert_int_eq(params_parse(RANGE, &every, &params, &fault), OK);
    ck_assert(!params.filter.has_domain);
    ck_assert(!params.filter.has_error);
    ck_assert_int_eq(params.filter.order_id, 0);
    ck_assert_int_eq(params.filter.user_id, 0);
    ck_assert_int_eq(params.granularity, GRANULARITY_15M);
    ck_assert(!params.fill_zero);
    ck_assert_int_eq(params.sort, ORDER_BYTES);
    ck_assert_int_eq(params.limit, 30);
    ck_assert_int_eq(params.page, 1);
    ck_assert(!params.has_limit && !params.has_page);
    ck_assert_ptr_null(params.filter.zone);
}
END_TEST

START_TEST(reads_everything)
{
    ck_assert_int_eq(params_parse(RANGE "&domain=B%C3%BCcher.DE.&orderId=9007199254740991&userId=7&granularity=month"
                                        "&fill=zero&sortBy=count&limit=1000&page=2147483648"
                                        "&error=+TLS%0D%0AB%C3%BCcher.",
                                  &every, &params, &fault),
                     OK);
    ck_assert(params.filter.has_domain);
    ck_assert(slice_equals(params.filter.domain, "b\xc3\xbc"
                                                 "cher.de"));
    ck_assert(params.filter.has_error); /* as it is written, also where a domain would not be */
    ck_assert(slice_equals(params.filter.error, " TLS\r\nB\xc3\xbc"
                                                "cher."));
    ck_assert_int_eq(params.filter.order_id, INT64_C(9007199254740991));
    ck_assert_int_eq(params.filter.user_id, 7);
    ck_assert_int_eq(params.granularity, GRANULARITY_MONTH);
    ck_assert(params.fill_zero);
    ck_assert_int_eq(params.sort, ORDER_COUNT);
    ck_assert_int_eq(params.limit, 1000);
    ck_assert(params.has_limit && params.has_page);
    ck_assert_int_eq(params.page, INT64_C(2147483648));
    ck_assert(!params.durations && !params.filter.durations);
}
END_TEST

/* Durations are read if they are asked for, needed for the order, or always shown by the route. */
START_TEST(reads_durations)
{
    static const struct param_set shown = {.takes = {[PARAM_FROM] = true, [PARAM_TO] = true}, .durations = true};
    ck_assert_int_eq(params_parse(RANGE "&durations=true", &every, &params, &fault), OK);
    ck_assert(params.durations && params.filter.durations);
    ck_assert_int_eq(params_parse(RANGE "&durations=false", &every, &params, &fault), OK);
    ck_assert(!params.durations && !params.filter.durations);
    ck_assert_int_eq(params_parse(RANGE "&durations=false&sortBy=duration", &every, &params, &fault), OK);
    ck_assert(!params.durations && params.filter.durations);
    ck_assert_int_eq(params.sort, ORDER_DURATION);
    ck_assert_int_eq(params_parse(RANGE, &shown, &params, &fault), OK);
    ck_assert(!params.durations && params.filter.durations);
}
END_TEST

/* A filter and an exclusion of each kind. */
START_TEST(reads_exclusions)
{
    const struct report_filter *filter = &params.filter;
    ck_assert_int_eq(params_parse(RANGE "&domain=*.Example.COM.&not_domain=www.Example.com:443&worker=&not_worker=w%201"
                                        "&not_error=timeout&not_orderId=9007199254740991&not_userId=7&not_port=0"
                                        "&not_ip_out=2001:DB8::1&not_ip_from=",
                                  &every, &params, &fault),
                     OK);
    ck_assert(filter->has_domain && filter->is_below && slice_equals(filter->domain, "example.com"));
    ck_assert(filter->without[BY_DOMAIN].is_set && !filter->without[BY_DOMAIN].is_below);
    ck_assert(slice_equals(filter->without[BY_DOMAIN].text, "www.example.com"));
    ck_assert(filter->terms[BY_WORKER].is_set && filter->terms[BY_WORKER].text.len == 0);
    ck_assert(filter->without[BY_WORKER].is_set && slice_equals(filter->without[BY_WORKER].text, "w 1"));
    ck_assert(!filter->has_error && slice_equals(filter->without[BY_ERROR].text, "timeout"));
    ck_assert(!filter->order_id && filter->without[BY_ORDER].number == INT64_C(9007199254740991));
    ck_assert(!filter->user_id && filter->without[BY_USER].number == 7);
    ck_assert(filter->without[BY_PORT].is_set && filter->without[BY_PORT].number == 0);
    ck_assert(filter->without[BY_IP_OUT].ip.len == 16 &&
              !memcmp(filter->without[BY_IP_OUT].ip.bytes, "\x20\x01\x0d\xb8", 4));
    ck_assert(filter->without[BY_IP_FROM].is_set && filter->without[BY_IP_FROM].ip.len == 0);
    ck_assert(!filter->without[BY_PEER].is_set && !filter->without[BY_PROTOCOL].is_set);
}
END_TEST

static const struct {
    const char *query; /* the value of domain= */
    const char *domain;
    bool is_below;
} wildcards[] = {
    {"*.example.com", "example.com", true},
    {"%2A.com", "com", true},
    {"https://*.Example.com:443/", "example.com", true},
    {"*.*.com", "*.com", true},
    {"*", "*", false},
    {"*.", "*", false},
    {".example.com", ".example.com", false},
    {"*example.com", "*example.com", false},
    {"a.*.com", "a.*.com", false},
};

START_TEST(reads_wildcards)
{
    char query[128];
    snprintf(query, sizeof query, RANGE "&domain=%s", wildcards[_i].query);
    ck_assert_int_eq(params_parse(query, &every, &params, &fault), OK);
    ck_assert_msg(slice_equals(params.filter.domain, wildcards[_i].domain) &&
                      params.filter.is_below == wildcards[_i].is_below,
                  "%s: %s, %d", query, params.filter.domain.data, params.filter.is_below);
}
END_TEST

static const struct {
    const char *query;
    enum granularity granularity;
} widths[] = {
    {"from=2026-03-15&to=2026-03-15", GRANULARITY_15M},
    {"from=2026-03-15&to=2026-03-16T00:00:01", GRANULARITY_HOUR},
    {"from=2026-03-15&to=2026-03-21", GRANULARITY_HOUR},
    {"from=2026-03-15&to=2026-03-22T00:00:01", GRANULARITY_DAY},
    {"from=2026-03-15&to=2026-03-15&granularity=15m", GRANULARITY_15M},
    {"from=2026-03-15&to=2026-03-15&granularity=hour", GRANULARITY_HOUR},
    {"from=2026-03-15&to=2026-03-15&granularity=day", GRANULARITY_DAY},
    {"from=2026-03-15&to=2026-03-15&granularity=week", GRANULARITY_WEEK},
    {"from=2026-10-25&to=2026-10-25" KYIV, GRANULARITY_15M}, /* 25 hours, but a day */
    {"from=2026-10-19&to=2026-10-25" KYIV, GRANULARITY_HOUR},
    {"from=2026-10-19&to=2026-10-26T00:00:01" KYIV, GRANULARITY_DAY},
    {"from=2026-03-28T12:00:00Z&to=2026-03-29T12:00:00Z" KYIV, GRANULARITY_15M}, /* 24 hours, 25 on the clock */
};

START_TEST(chooses_widths)
{
    ck_assert_int_eq(params_parse(widths[_i].query, &every, &params, &fault), OK);
    ck_assert_msg(params.granularity == widths[_i].granularity, "%s", widths[_i].query);
}
END_TEST

/* A route ignores parameters that it does not have. */
START_TEST(ignores_others)
{
    ck_assert_int_eq(params_parse(RANGE "&limit=x&page=0&page=&domain=%00&fill=?", &range_only, &params, &fault), OK);
    ck_assert(!params.filter.has_domain);
}
END_TEST

/* ---- sizes ---- */

/* "from=…&to=…&x=" and then `fill` bytes. */
static void long_query(char *text, size_t len)
{
    memset(text, 'a', len);
    memcpy(text, RANGE "&x=", sizeof RANGE "&x=" - 1);
    text[len] = '\0';
}

START_TEST(bounds_length)
{
    static char text[LIMIT_QUERY_STRING_BYTES + 2];

    long_query(text, LIMIT_QUERY_STRING_BYTES);
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), OK);
    long_query(text, LIMIT_QUERY_STRING_BYTES + 1);
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), ERR_QUERY_INVALID);
}
END_TEST

START_TEST(bounds_number)
{
    char text[512] = RANGE;

    for (size_t i = 2; i < LIMIT_PARAMETERS; i++)
        memcpy(text + strlen(text), "&a=1", 5);
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), OK);
    memcpy(text + strlen(text), "&a", 3);
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), ERR_QUERY_INVALID);
}
END_TEST

START_TEST(bounds_domain)
{
    char text[512];
    int start = snprintf(text, sizeof text, RANGE "&domain=");

    memset(text + start, 'a', 254);
    text[start + 253] = '\0';
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), OK);
    ck_assert_uint_eq(params.filter.domain.len, 253);
    text[start + 253] = '.';
    text[start + 254] = '\0';
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), OK);
    text[start + 253] = 'a';
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), ERR_PARAMETER_INVALID);
}
END_TEST

START_TEST(bounds_search)
{
    char text[512];
    int start = snprintf(text, sizeof text, RANGE "&q=");
    memset(text + start, 'A', 257);
    text[start + 256] = '\0';
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), OK);
    ck_assert(params.q.len == 256 && !memcmp(params.q.data, text + start, 256));
    text[start + 256] = 'A';
    text[start + 257] = '\0';
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), ERR_PARAMETER_INVALID);
    ck_assert_str_eq(fault.parameter, "q");
}
END_TEST

START_TEST(bounds_error)
{
    char text[512];
    int start = snprintf(text, sizeof text, RANGE "&error=");

    memset(text + start, 'a', 257);
    text[start + 256] = '\0';
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), OK);
    ck_assert_uint_eq(params.filter.error.len, 256);
    text[start + 256] = 'a';
    text[start + 257] = '\0';
    ck_assert_int_eq(params_parse(text, &every, &params, &fault), ERR_PARAMETER_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("params");
    TCase *tcase = suite_case(suite, "params");

    tcase_add_loop_test(tcase, refuses, 0, ROWS(refused));
    tcase_add_loop_test(tcase, reads_ranges, 0, ROWS(ranges));
    tcase_add_loop_test(tcase, reads_ranges_in_zones, 0, ROWS(zone_ranges));
    tcase_add_loop_test(tcase, chooses_widths, 0, ROWS(widths));
    tcase_add_test(tcase, has_defaults);
    tcase_add_test(tcase, reads_everything);
    tcase_add_test(tcase, reads_durations);
    tcase_add_test(tcase, reads_exclusions);
    tcase_add_loop_test(tcase, reads_wildcards, 0, ROWS(wildcards));
    tcase_add_test(tcase, ignores_others);
    tcase_add_test(tcase, bounds_length);
    tcase_add_test(tcase, bounds_number);
    tcase_add_test(tcase, bounds_domain);
    tcase_add_test(tcase, bounds_error);
    tcase_add_test(tcase, bounds_search);
    return suite_run_together(suite);
}
