/* test_when.c: the calendar and ISO 8601. Expected instants are well-known ones or worked out by hand. Days and random
 * instants are compared with glibc's timegm and gmtime_r. */
#include "support/runner.h"
#include "time/when.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BYTES(literal) literal, sizeof(literal) - 1
#define END_OF_2999 INT64_C(32503679999)

static const struct {
    const char *bytes;
    size_t len;
} refused_rows[] = {
    {BYTES("")},
    {BYTES("2")},
    {BYTES("\0")},
    {BYTES("2026")},
    {BYTES("2026-03")},
    {BYTES("2026-3-15")},
    {BYTES("2026-03-5")},
    {BYTES("20260315")},
    {BYTES("2026/03/15")},
    {BYTES(" 2026-03-15")},
    {BYTES("2026-03-15 ")},
    {BYTES("2026-03-15\n")},
    {BYTES("2026-03-15\0")},
    {BYTES("2026-03-15T")},
    {BYTES("2026-03-15Z")},
    {BYTES("2026-03-15+02:00")},
    {BYTES("2026-03-15  10:00:00")},
    {BYTES("2026-03-15_10:00:00")},
    {BYTES("2026-03-15T10")},
    {BYTES("2026-03-15T10Z")},
    {BYTES("2026-03-15T10:")},
    {BYTES("2026-03-15T10:0")},
    {BYTES("2026-03-15T10:00:")},
    {BYTES("2026-03-15T10:00:0")},
    {BYTES("2026-03-15T1000")},
    {BYTES("2026-03-15T100000")},
    {BYTES("2026-03-15T24:00:00")},
    {BYTES("2026-03-15T23:60:00")},
    {BYTES("2026-06-30T23:59:60Z")}, /* a leap second */
    {BYTES("2026-03-15T-1:00:00")},
    {BYTES("2026-03-15T10:00.5")}, /* fractions are of seconds only */
    {BYTES("2026-03-15T10:00:00.")},
    {BYTES("2026-03-15T10:00:00.Z")},
    {BYTES("2026-03-15T10:00:00.1234567890")},
    {BYTES("2026-03-15T10:00:00.5.5")},
    {BYTES("2026-03-15T10:00:00ZZ")},
    {BYTES("2026-03-15T10:00:00 Z")},
    {BYTES("2026-03-15T10:00:00 02:00")}, /* a '+' that a query string turned into a blank */
    {BYTES("2026-03-15T10:00:00+")},
    {BYTES("2026-03-15T10:00:00+2")},
    {BYTES("2026-03-15T10:00:00+02:")},
    {BYTES("2026-03-15T10:00:00+02:0")},
    {BYTES("2026-03-15T10:00:00+020")},
    {BYTES("2026-03-15T10:00:00+02:00:00")},
    {BYTES("2026-03-15T10:00:00+02:60")},
    {BYTES("2026-03-15T10:00:00+14:01")},
    {BYTES("2026-03-15T10:00:00+15:00")},
    {BYTES("2026-03-15T10:00:00-14:01")},
    {BYTES("2026-03-15T10:00:00+-2:00")},
    {BYTES("2026-00-15")},
    {BYTES("2026-13-15")},
    {BYTES("2026-01-00")},
    {BYTES("2026-01-32")},
    {BYTES("2026-04-31")},
    {BYTES("2026-02-29")},
    {BYTES("2100-02-29")}, /* a century that is no leap year */
    {BYTES("2024-02-30")},
    {BYTES("1969-12-31")},
    {BYTES("3000-01-01")},
    {BYTES("0000-01-01")},
    {BYTES("9999-12-31")},
    {BYTES("-2026-01-01")},
    {BYTES("+2026-01-01")},
    {BYTES("12026-01-01")},
    {BYTES("1970-01-01T00:00:00+00:01")}, /* before the epoch */
    {BYTES("1970-01-01T13:59:59+14:00")},
    {BYTES("2999-12-31T23:59:59-00:01")}, /* in the year 3000, UTC */
    {BYTES("2026-W11-7")},
    {BYTES("2026-074")},
    {BYTES("\xef\xbb\xbf"
           "2026-03-15")},
    {BYTES("\xd9\xa2\xd9\xa0"
           "26-03-15")},
};

START_TEST(refused)
{
    struct when when = {.seconds = -77};
    char *exact = malloc(refused_rows[_i].len ? refused_rows[_i].len : 1);
    memcpy(exact, refused_rows[_i].bytes, refused_rows[_i].len);
    ck_assert_msg(!when_parse((struct slice){exact, refused_rows[_i].len}, &when), "%s", refused_rows[_i].bytes);
    ck_assert_int_eq(when.seconds, -77);
    free(exact);
}
END_TEST

static const struct {
    const char *text;
    struct when when;
} parsed_rows[] = {
    {"1970-01-01", {0, false, true, 0, false}},
    {"1970-01-01 00:00:00", {0, false, false, 0, false}},
    {"1970-01-01T14:00:00+14:00", {0, false, false, 50400, true}},
    {"1970-01-02", {86400, false, true, 0, false}},
    {"2000-02-29", {951782400, false, true, 0, false}},            /* 11016 days: 30 years, 7 leap days, 31 + 28 days */
    {"2001-09-09T01:46:40Z", {1000000000, false, false, 0, true}}, /* a well-known instant */
    {"2009-02-13T23:31:30Z", {1234567890, false, false, 0, true}}, /* another */
    {"2038-01-19T03:14:07Z", {2147483647, false, false, 0, true}}, /* the end of 32 bits */
    {"2038-01-19T03:14:08Z", {INT64_C(2147483648), false, false, 0, true}},
    {"2106-02-07 06:28:15", {INT64_C(4294967295), false, false, 0, false}},
    {"2999-12-31T23:59:59", {END_OF_2999, false, false, 0, false}},
    {"2999-12-31T23:59:59.999999999Z", {END_OF_2999, true, false, 0, true}},
    {"2026-03-15 10:15:00", {1773569700, false, false, 0, false}}, /* 56 years, 14 leap days, 31 + 28 + 14 days */
    {"2026-03-15T10:15", {1773569700, false, false, 0, false}},
    {"2026-03-15 10:15Z", {1773569700, false, false, 0, true}},
    {"2026-03-15t10:15:00z", {1773569700, false, false, 0, true}},
    {"2026-03-15T12:15:00+02:00", {1773569700, false, false, 7200, true}},
    {"2026-03-15T12:15:00+0200", {1773569700, false, false, 7200, true}},
    {"2026-03-15T12:15:00+02", {1773569700, false, false, 7200, true}},
    {"2026-03-15T12:15+02", {1773569700, false, false, 7200, true}},
    {"2026-03-15T04:45:00-05:30", {1773569700, false, false, -19800, true}},
    {"2026-03-15T10:15:00-00:00", {1773569700, false, false, 0, true}},
    {"2026-03-14T20:15:00-14:00", {1773569700, false, false, -50400, true}},
    {"2026-03-15T10:15:00.0", {1773569700, false, false, 0, false}},
    {"2026-03-15T10:15:00.000000000Z", {1773569700, false, false, 0, true}},
    {"2026-03-15T10:15:00.000000001Z", {1773569700, true, false, 0, true}},
    {"2026-03-15 10:15:00,5+00:00", {1773569700, true, false, 0, true}},
    {"2026-03-15T10:15:00.999999999Z", {1773569700, true, false, 0, true}}, /* rounded down */
};

START_TEST(parsed)
{
    struct when when;
    const struct when *wanted = &parsed_rows[_i].when;
    ck_assert_msg(when_parse(slice_of(parsed_rows[_i].text), &when), "%s", parsed_rows[_i].text);
    ck_assert_int_eq(when.seconds, wanted->seconds);
    ck_assert_int_eq(when.has_fraction, wanted->has_fraction);
    ck_assert_int_eq(when.date_only, wanted->date_only);
    ck_assert_int_eq(when.offset_seconds, wanted->offset_seconds);
    ck_assert_int_eq(when.has_zone, wanted->has_zone);
}
END_TEST

/* Days that are easy to get wrong, with their number since 1970, counted by hand or well known. */
static const struct {
    struct civil civil;
    int64_t days;
} day_rows[] = {
    {{1970, 1, 1}, 0},        {{1970, 12, 31}, 364},   {{1971, 1, 1}, 365},    {{1972, 2, 29}, 789},
    {{1972, 3, 1}, 790},      {{1999, 12, 31}, 10956}, {{2000, 1, 1}, 10957},  {{2000, 2, 29}, 11016},
    {{2000, 3, 1}, 11017},    {{2000, 12, 31}, 11322}, {{2024, 2, 28}, 19781}, {{2024, 2, 29}, 19782},
    {{2024, 3, 1}, 19783},    {{2024, 12, 31}, 20088}, {{2025, 1, 1}, 20089},  {{2026, 2, 28}, 20512},
    {{2026, 3, 1}, 20513},    {{2100, 2, 28}, 47540},  {{2100, 3, 1}, 47541},  {{2400, 2, 29}, 157113},
    {{2999, 12, 31}, 376199},
};

START_TEST(days)
{
    struct civil civil = when_civil_from_days(day_rows[_i].days);
    ck_assert_int_eq(when_days_from_civil(day_rows[_i].civil), day_rows[_i].days);
    ck_assert_int_eq(civil.year, day_rows[_i].civil.year);
    ck_assert_int_eq(civil.month, day_rows[_i].civil.month);
    ck_assert_int_eq(civil.day, day_rows[_i].civil.day);
}
END_TEST

static bool reads_as(const char *text, int64_t seconds)
{
    struct when when;
    return when_parse(slice_of(text), &when) && when.seconds == seconds;
}

/* In these two tests, libcheck hears only of failures: it would write a line for each of millions of checks. */
START_TEST(every_day_against_glibc)
{
    for (int64_t day = 0; day * WHEN_DAY <= END_OF_2999; day++) {
        time_t instant = (time_t)(day * WHEN_DAY);
        struct tm tm;
        gmtime_r(&instant, &tm);
        struct civil civil = when_civil_from_days(day);
        bool same = civil.year == tm.tm_year + 1900 && civil.month == tm.tm_mon + 1 && civil.day == tm.tm_mday;
        if (!same || when_days_from_civil(civil) != day)
            ck_abort_msg("day %lld is %d-%d-%d", (long long)day, (int)civil.year, (int)civil.month, (int)civil.day);
    }
}
END_TEST

START_TEST(random_instants_against_glibc)
{
    srandom(20260315);
    for (int i = 0; i < 200000; i++) {
        int64_t seconds = (int64_t)(((uint64_t)random() << 31 ^ (uint64_t)random()) % (uint64_t)(END_OF_2999 + 1));
        time_t instant = (time_t)seconds;
        struct tm tm;
        char wanted[64], text[WHEN_TEXT_BYTES], iso[WHEN_ISO_BYTES];
        gmtime_r(&instant, &tm);
        strftime(wanted, sizeof wanted, "%Y-%m-%d %H:%M:%S", &tm);
        when_format(seconds, text);
        bool same = timegm(&tm) == instant && !strcmp(text, wanted) && reads_as(wanted, seconds);
        strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S.042Z", &tm);
        when_format_iso_ms(seconds * 1000 + 42, iso);
        if (!same || strcmp(iso, wanted) != 0 || !reads_as(wanted, seconds))
            ck_abort_msg("%lld is %s and %s, not %s", (long long)seconds, text, iso, wanted);
    }
}
END_TEST

static const struct {
    int64_t ms;
    const char *text;
} iso_rows[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {999, "1970-01-01T00:00:00.999Z"},
    {1000, "1970-01-01T00:00:01.000Z"},
    {-1, "1969-12-31T23:59:59.999Z"}, /* a clock before 1970 must not break the log */
    {INT64_C(1775044800000), "2026-04-01T12:00:00.000Z"},
    {INT64_C(32503679999999), "2999-12-31T23:59:59.999Z"},
};

START_TEST(iso_milliseconds)
{
    char text[WHEN_ISO_BYTES];
    when_format_iso_ms(iso_rows[_i].ms, text);
    ck_assert_str_eq(text, iso_rows[_i].text);
}
END_TEST

/* Whatever the clock shows, the text has its fixed length. */
static const int64_t wild_rows[] = {-1, -62135596801, INT64_C(-1000000000000), END_OF_2999 + 1, INT64_C(1000000000000)};

START_TEST(wild)
{
    char text[WHEN_TEXT_BYTES], iso[WHEN_ISO_BYTES];
    when_format(wild_rows[_i], text);
    ck_assert_uint_eq(strlen(text), WHEN_TEXT_BYTES - 1);
    when_format_iso_ms(wild_rows[_i] * 1000, iso);
    ck_assert_uint_eq(strlen(iso), WHEN_ISO_BYTES - 1);
}
END_TEST

static const struct {
    struct civil from;
    int months;
    struct civil to;
} month_rows[] = {
    {{2026, 1, 31}, 2, {2026, 3, 31}},   {{2026, 1, 31}, 1, {2026, 2, 28}},  {{2024, 1, 31}, 1, {2024, 2, 29}},
    {{2000, 1, 31}, 1, {2000, 2, 29}},   {{2100, 1, 31}, 1, {2100, 2, 28}},  {{2025, 12, 31}, 2, {2026, 2, 28}},
    {{2023, 12, 29}, 2, {2024, 2, 29}},  {{2026, 12, 1}, 1, {2027, 1, 1}},   {{2026, 11, 30}, 1, {2026, 12, 30}},
    {{2026, 8, 31}, 1, {2026, 9, 30}},   {{2026, 3, 31}, -1, {2026, 2, 28}}, {{2026, 1, 15}, -1, {2025, 12, 15}},
    {{2026, 1, 31}, -2, {2025, 11, 30}}, {{2024, 2, 29}, 12, {2025, 2, 28}}, {{2024, 2, 29}, 48, {2028, 2, 29}},
    {{2026, 5, 5}, 0, {2026, 5, 5}},     {{2026, 1, 1}, -12, {2025, 1, 1}},  {{2026, 12, 31}, -13, {2025, 11, 30}},
};

START_TEST(months)
{
    struct civil moved = when_add_months(month_rows[_i].from, month_rows[_i].months);
    ck_assert_int_eq(moved.year, month_rows[_i].to.year);
    ck_assert_int_eq(moved.month, month_rows[_i].to.month);
    ck_assert_int_eq(moved.day, month_rows[_i].to.day);
}
END_TEST

static const struct {
    int64_t seconds, width, floor, ceil;
} rounding_rows[] = {
    {0, 900, 0, 0},
    {1, 900, 0, 900},
    {899, 900, 0, 900},
    {900, 900, 900, 900},
    {901, 900, 900, 1800},
    {-1, 900, -900, 0},
    {-900, 900, -900, -900},
    {-901, 900, -1800, -900},
    {1773569700, 3600, 1773568800, 1773572400},
    {1773569700, 86400, 1773532800, 1773619200},
};

START_TEST(rounding)
{
    ck_assert_int_eq(when_floor(rounding_rows[_i].seconds, rounding_rows[_i].width), rounding_rows[_i].floor);
    ck_assert_int_eq(when_ceil(rounding_rows[_i].seconds, rounding_rows[_i].width), rounding_rows[_i].ceil);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("when");
    TCase *tc = suite_case(s, "when");
    tcase_add_loop_test(tc, refused, 0, ROWS(refused_rows));
    tcase_add_loop_test(tc, parsed, 0, ROWS(parsed_rows));
    tcase_add_loop_test(tc, days, 0, ROWS(day_rows));
    tcase_add_test(tc, every_day_against_glibc);
    tcase_add_test(tc, random_instants_against_glibc);
    tcase_add_loop_test(tc, iso_milliseconds, 0, ROWS(iso_rows));
    tcase_add_loop_test(tc, wild, 0, ROWS(wild_rows));
    tcase_add_loop_test(tc, months, 0, ROWS(month_rows));
    tcase_add_loop_test(tc, rounding, 0, ROWS(rounding_rows));
    return s;
}

int main(void)
{
    return suite_run_together(suite());
}
