/* test_zone.c: time zones. The rows were worked out by hand from the rules of governments, as the sources of tzdata
 * describe and date them (the files africa, antarctica, asia, australasia, europe, northamerica, southamerica). Then
 * every zone of the system is compared with the C library, in both forms of files; and there are hostile names and
 * files. */
#include "report/bucket.h"
#include "support/fixture.h"
#include "time/tzif.h"
#include "time/when.h"
#include "time/zone_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct zone zone;
static struct fault fault;

static const struct zone *load(const char *name)
{
    enum err err = zone_load(slice_of(name), &zone, &fault);
    ck_assert_msg(err == OK, "%s: %d %s", name, (int)err, fault.detail);
    return &zone;
}

/* The C library's reading of "YYYY-MM-DD HH:MM:SS" as UTC. */
static int64_t utc(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    ck_assert_msg(end && !*end, "%s", text);
    return timegm(&tm);
}

/* ---- what clocks show ---- */

static const struct {
    const char *zone;
    const char *utc;
    const char *shows;
} clocks[] = {
    {"UTC", "2026-03-15 10:15:00", "2026-03-15 10:15:00"},
    {"Etc/UTC", "2026-03-15 10:15:00", "2026-03-15 10:15:00"},
    {"GMT", "2026-07-15 10:15:00", "2026-07-15 10:15:00"},
    {"Etc/GMT+3", "2026-03-15 00:00:00", "2026-03-14 21:00:00"}, /* POSIX's sign: west */
    /* The Union's rule: the last Sundays of March and October at 01:00 UTC. Ukraine follows it. */
    {"Europe/Kyiv", "2026-03-29 00:59:59", "2026-03-29 02:59:59"},
    {"Europe/Kyiv", "2026-03-29 01:00:00", "2026-03-29 04:00:00"},
    {"Europe/Kyiv", "2026-10-25 00:59:59", "2026-10-25 03:59:59"},
    {"Europe/Kyiv", "2026-10-25 01:00:00", "2026-10-25 03:00:00"},
    /* Beyond the years that files list: 31 March 2126 and 27 October 2126 are Sundays. */
    {"Europe/Kyiv", "2126-03-31 00:59:59", "2126-03-31 02:59:59"},
    {"Europe/Kyiv", "2126-03-31 01:00:00", "2126-03-31 04:00:00"},
    {"Europe/Kyiv", "2126-10-27 01:00:00", "2126-10-27 03:00:00"},
    {"Europe/Kyiv", "2999-12-31 21:59:59", "2999-12-31 23:59:59"},
    /* For tzdata, Ireland's winter is a "summer time" of −1 hour. */
    {"Europe/Dublin", "2026-01-15 12:00:00", "2026-01-15 12:00:00"},
    {"Europe/Dublin", "2026-07-15 12:00:00", "2026-07-15 13:00:00"},
    {"Asia/Kolkata", "2026-03-15 18:29:59", "2026-03-15 23:59:59"},
    {"Asia/Kolkata", "2026-03-15 18:30:00", "2026-03-16 00:00:00"},
    {"Asia/Kathmandu", "2026-03-15 18:15:00", "2026-03-16 00:00:00"},
    {"Asia/Kathmandu", "1985-12-31 18:29:59", "1985-12-31 23:59:59"}, /* 05:30 until 1986 … */
    {"Asia/Kathmandu", "1985-12-31 18:30:00", "1986-01-01 00:15:00"}, /* … 05:45 since */
    /* The first Sundays of April and October at 2:00; by half an hour: +10:30 and +11. */
    {"Australia/Lord_Howe", "2026-04-04 14:59:59", "2026-04-05 01:59:59"},
    {"Australia/Lord_Howe", "2026-04-04 15:00:00", "2026-04-05 01:30:00"},
    {"Australia/Lord_Howe", "2026-10-03 15:29:59", "2026-10-04 01:59:59"},
    {"Australia/Lord_Howe", "2026-10-03 15:30:00", "2026-10-04 02:30:00"},
    /* Chatham, +12:45: the first Sunday of April and the last of September, at 2:45 standard time. */
    {"Pacific/Chatham", "2026-04-04 13:59:59", "2026-04-05 03:44:59"},
    {"Pacific/Chatham", "2026-04-04 14:00:00", "2026-04-05 02:45:00"},
    /* Brazil, 2018: from 4 November to 17 February, at 0:00. None since 2019. */
    {"America/Sao_Paulo", "2018-11-04 02:59:59", "2018-11-03 23:59:59"},
    {"America/Sao_Paulo", "2018-11-04 03:00:00", "2018-11-04 01:00:00"},
    {"America/Sao_Paulo", "2019-02-17 01:59:59", "2019-02-16 23:59:59"},
    {"America/Sao_Paulo", "2019-02-17 02:00:00", "2019-02-16 23:00:00"},
    {"America/Sao_Paulo", "2026-01-15 12:00:00", "2026-01-15 09:00:00"},
    /* Samoa crossed the date line at the end of 29 December 2011: from −10 (summer) to +14. */
    {"Pacific/Apia", "2011-12-30 09:59:59", "2011-12-29 23:59:59"},
    {"Pacific/Apia", "2011-12-30 10:00:00", "2011-12-31 00:00:00"},
    /* Morocco, +1, is at +0 around Ramadan: 2026 from 15 February 3:00 to 22 March 2:00. */
    {"Africa/Casablanca", "2026-02-15 01:59:59", "2026-02-15 02:59:59"},
    {"Africa/Casablanca", "2026-02-15 02:00:00", "2026-02-15 02:00:00"},
    {"Africa/Casablanca", "2026-03-22 01:59:59", "2026-03-22 01:59:59"},
    {"Africa/Casablanca", "2026-03-22 02:00:00", "2026-03-22 03:00:00"},
    /* Turkey: summer time of 2015 ended on 8 November because of an election, that of 2016 stayed for good. */
    {"Europe/Istanbul", "2015-11-08 00:59:59", "2015-11-08 03:59:59"},
    {"Europe/Istanbul", "2015-11-08 01:00:00", "2015-11-08 03:00:00"},
    {"Europe/Istanbul", "2016-12-01 12:00:00", "2016-12-01 15:00:00"},
    /* Liberia kept −0:44:30 until 7 January 1972, 0:00. */
    {"Africa/Monrovia", "1972-01-07 00:44:29", "1972-01-06 23:59:59"},
    {"Africa/Monrovia", "1972-01-07 00:44:30", "1972-01-07 00:44:30"},
    /* Troll: Norway's summer time in summer, UTC in winter: two hours at once. */
    {"Antarctica/Troll", "2026-03-29 00:59:59", "2026-03-29 00:59:59"},
    {"Antarctica/Troll", "2026-03-29 01:00:00", "2026-03-29 03:00:00"},
    {"Antarctica/Troll", "2026-10-25 00:59:59", "2026-10-25 02:59:59"},
    {"Antarctica/Troll", "2026-10-25 01:00:00", "2026-10-25 01:00:00"},
    /* Venezuela: −4:30 from 9 December 2007, 3:00, to 1 May 2016, 2:30. */
    {"America/Caracas", "2007-12-09 07:00:00", "2007-12-09 02:30:00"},
    {"America/Caracas", "2016-05-01 07:00:00", "2016-05-01 03:00:00"},
    /* North Korea: half an hour back on 15 August 2015, forth on 4 May 2018 at 23:30. */
    {"Asia/Pyongyang", "2015-08-14 15:00:00", "2015-08-14 23:30:00"},
    {"Asia/Pyongyang", "2018-05-04 15:00:00", "2018-05-05 00:00:00"},
    /* Newfoundland: in 2006 the last Sunday of October, at 0:01. */
    {"America/St_Johns", "2006-10-29 02:30:59", "2006-10-29 00:00:59"},
    {"America/St_Johns", "2006-10-29 02:31:00", "2006-10-28 23:01:00"},
};

START_TEST(clocks_show)
{
    const struct zone *z = load(clocks[_i].zone);
    int64_t shown = zone_clock(z, utc(clocks[_i].utc));
    char text[WHEN_TEXT_BYTES];
    when_format(shown, text);
    ck_assert_msg(shown == utc(clocks[_i].shows), "%s at %s: %s", clocks[_i].zone, clocks[_i].utc, text);
}
END_TEST

/* ---- how long days are, and when times are ---- */

static const struct {
    const char *zone;
    const char *day;
    int64_t seconds;
} days[] = {
    {"UTC", "2026-03-29 00:00:00", 24 * 3600},
    {"Europe/Kyiv", "2026-03-28 00:00:00", 24 * 3600},
    {"Europe/Kyiv", "2026-03-29 00:00:00", 23 * 3600},
    {"Europe/Kyiv", "2026-10-25 00:00:00", 25 * 3600},
    {"Europe/Istanbul", "2016-10-30 00:00:00", 24 * 3600},
    {"Africa/Casablanca", "2026-02-15 00:00:00", 25 * 3600},
    {"Africa/Casablanca", "2026-03-22 00:00:00", 23 * 3600},
    {"Australia/Lord_Howe", "2026-04-05 00:00:00", 24 * 3600 + 1800},
    {"Australia/Lord_Howe", "2026-10-04 00:00:00", 24 * 3600 - 1800},
    {"Antarctica/Troll", "2026-03-29 00:00:00", 22 * 3600},
    {"Antarctica/Troll", "2026-10-25 00:00:00", 26 * 3600},
    {"America/Sao_Paulo", "2018-11-04 00:00:00", 23 * 3600},
    {"America/Sao_Paulo", "2019-02-16 00:00:00", 25 * 3600},
    {"Asia/Beirut", "2026-03-29 00:00:00", 23 * 3600}, /* from 0:00 to 1:00 */
    {"America/Havana", "2026-11-01 00:00:00", 25 * 3600},
    {"Asia/Pyongyang", "2015-08-14 00:00:00", 24 * 3600 + 1800},
    {"Pacific/Apia", "2011-12-29 00:00:00", 24 * 3600},
    {"Pacific/Apia", "2011-12-30 00:00:00", 0},
    {"Pacific/Apia", "2011-12-31 00:00:00", 24 * 3600},
    {"Pacific/Kwajalein", "1993-08-21 00:00:00", 0}, /* crossed the date line too */
    {"Africa/Monrovia", "1972-01-07 00:00:00", 24 * 3600 - 2670},
    /* A day begins when its date is shown first, even if the clocks then go back to the day before: by an hour at 0:01,
     * and
     * (Casey, 5 March 2010) by three at 2:00. */
    {"America/St_Johns", "2006-10-28 00:00:00", 24 * 3600},
    {"America/St_Johns", "2006-10-29 00:00:00", 25 * 3600},
    {"America/St_Johns", "2006-04-02 00:00:00", 23 * 3600},
    {"Antarctica/Casey", "2010-03-04 00:00:00", 24 * 3600},
    {"Antarctica/Casey", "2010-03-05 00:00:00", 27 * 3600},
};

START_TEST(days_last)
{
    const struct zone *z = load(days[_i].zone);
    int64_t day = utc(days[_i].day), begin = zone_first(z, day), end = zone_first(z, day + 86400);
    ck_assert_msg(end - begin == days[_i].seconds, "%s %s: %" PRId64, days[_i].zone, days[_i].day, end - begin);
    struct bucket bucket = bucket_at(z, GRANULARITY_DAY, begin);
    ck_assert_int_eq(bucket.begin, begin);
    ck_assert_int_eq(bucket.label, days[_i].seconds ? day : day + 86400);
    if (days[_i].seconds)
        ck_assert_int_eq(bucket.end, end);
}
END_TEST

static const struct {
    const char *zone;
    const char *clock;
    const char *first; /* UTC */
} firsts[] = {
    {"Europe/Kyiv", "2026-03-29 02:59:59", "2026-03-29 00:59:59"},
    {"Europe/Kyiv", "2026-03-29 03:00:00", "2026-03-29 01:00:00"}, /* does not exist: the jump */
    {"Europe/Kyiv", "2026-03-29 03:30:00", "2026-03-29 01:00:00"},
    {"Europe/Kyiv", "2026-03-29 04:00:00", "2026-03-29 01:00:00"},
    {"Europe/Kyiv", "2026-03-29 04:00:01", "2026-03-29 01:00:01"},
    {"Europe/Kyiv", "2026-10-25 02:59:59", "2026-10-24 23:59:59"},
    {"Europe/Kyiv", "2026-10-25 03:00:00", "2026-10-25 00:00:00"}, /* comes twice: the earlier */
    {"Europe/Kyiv", "2026-10-25 03:59:59", "2026-10-25 00:59:59"},
    {"Europe/Kyiv", "2026-10-25 04:00:00", "2026-10-25 02:00:00"},
    {"America/Sao_Paulo", "2018-11-04 00:00:00", "2018-11-04 03:00:00"},
    {"America/Havana", "2026-11-01 00:00:00", "2026-11-01 04:00:00"},
    {"America/Havana", "2026-11-01 00:30:00", "2026-11-01 04:30:00"},
    {"Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 10:00:00"},
    {"Pacific/Kiritimati", "2026-01-01 00:00:00", "2025-12-31 10:00:00"}, /* +14 */
    {"Etc/GMT+12", "2026-01-01 00:00:00", "2026-01-01 12:00:00"},
    {"Europe/Kyiv", "1970-01-01 00:00:00", "1969-12-31 21:00:00"}, /* Moscow's time, +3 */
    {"Europe/Kyiv", "2126-03-31 03:30:00", "2126-03-31 01:00:00"},
};

START_TEST(times_are)
{
    int64_t first = zone_first(load(firsts[_i].zone), utc(firsts[_i].clock));
    char text[WHEN_TEXT_BYTES];
    when_format(first, text);
    ck_assert_msg(first == utc(firsts[_i].first), "%s %s: %s", firsts[_i].zone, firsts[_i].clock, text);
}
END_TEST

/* ---- buckets ---- */

static const struct {
    const char *zone;
    enum granularity granularity;
    const char *at, *label, *begin, *end;
} buckets[] = {
    {"UTC", GRANULARITY_WEEK, "2026-03-15 10:00:00", "2026-03-09 00:00:00", "2026-03-09 00:00:00",
     "2026-03-16 00:00:00"},
    /* the hour from 3:00 to 4:00 twice, and never */
    {"Europe/Kyiv", GRANULARITY_HOUR, "2026-10-25 00:10:00", "2026-10-25 03:00:00", "2026-10-25 00:00:00",
     "2026-10-25 01:00:00"},
    {"Europe/Kyiv", GRANULARITY_HOUR, "2026-10-25 01:10:00", "2026-10-25 03:00:00", "2026-10-25 01:00:00",
     "2026-10-25 02:00:00"},
    {"Europe/Kyiv", GRANULARITY_HOUR, "2026-03-29 01:10:00", "2026-03-29 04:00:00", "2026-03-29 01:00:00",
     "2026-03-29 02:00:00"},
    {"Europe/Kyiv", GRANULARITY_WEEK, "2026-03-25 00:00:00", "2026-03-23 00:00:00", "2026-03-22 22:00:00",
     "2026-03-29 21:00:00"},
    {"Europe/Kyiv", GRANULARITY_MONTH, "2026-10-31 21:59:59", "2026-10-01 00:00:00", "2026-09-30 21:00:00",
     "2026-10-31 22:00:00"},
    {"Europe/Kyiv", GRANULARITY_MONTH, "2026-10-31 22:00:00", "2026-11-01 00:00:00", "2026-10-31 22:00:00",
     "2026-11-30 22:00:00"},
    {"Asia/Kolkata", GRANULARITY_HOUR, "2026-03-15 10:29:59", "2026-03-15 15:00:00", "2026-03-15 09:30:00",
     "2026-03-15 10:30:00"},
    {"Asia/Kathmandu", GRANULARITY_HOUR, "2026-03-15 10:15:00", "2026-03-15 16:00:00", "2026-03-15 10:15:00",
     "2026-03-15 11:15:00"},
    {"Asia/Kathmandu", GRANULARITY_15M, "2026-03-15 10:14:59", "2026-03-15 15:45:00", "2026-03-15 10:00:00",
     "2026-03-15 10:15:00"},
    /* half an hour that comes twice, and half an hour that never comes */
    {"Australia/Lord_Howe", GRANULARITY_HOUR, "2026-04-04 14:30:00", "2026-04-05 01:00:00", "2026-04-04 14:00:00",
     "2026-04-04 15:00:00"},
    {"Australia/Lord_Howe", GRANULARITY_HOUR, "2026-04-04 15:00:00", "2026-04-05 01:00:00", "2026-04-04 15:00:00",
     "2026-04-04 15:30:00"},
    {"Australia/Lord_Howe", GRANULARITY_HOUR, "2026-10-03 15:30:00", "2026-10-04 02:00:00", "2026-10-03 15:30:00",
     "2026-10-03 16:00:00"},
    {"America/Sao_Paulo", GRANULARITY_DAY, "2018-11-04 03:00:00", "2018-11-04 00:00:00", "2018-11-04 03:00:00",
     "2018-11-05 02:00:00"},
    /* 1 January 1972 began by a clock that was 44:30 behind */
    {"Africa/Monrovia", GRANULARITY_MONTH, "1972-01-20 00:00:00", "1972-01-01 00:00:00", "1972-01-01 00:44:30",
     "1972-02-01 00:00:00"},
    {"Africa/Monrovia", GRANULARITY_15M, "1972-01-06 12:00:00", "1972-01-06 11:15:00", "1972-01-06 11:59:30",
     "1972-01-06 12:14:30"},
    {"Africa/Monrovia", GRANULARITY_15M, "1972-01-07 00:44:30", "1972-01-07 00:30:00", "1972-01-07 00:44:30",
     "1972-01-07 00:45:00"},
    {"America/St_Johns", GRANULARITY_DAY, "2006-10-29 03:00:00", "2006-10-29 00:00:00", "2006-10-29 02:30:00",
     "2006-10-30 03:30:00"},
};

START_TEST(buckets_lie)
{
    struct bucket bucket = bucket_at(load(buckets[_i].zone), buckets[_i].granularity, utc(buckets[_i].at));
    char label[WHEN_TEXT_BYTES], begin[WHEN_TEXT_BYTES], end[WHEN_TEXT_BYTES];
    when_format(bucket.label, label);
    when_format(bucket.begin, begin);
    when_format(bucket.end, end);
    ck_assert_str_eq(label, buckets[_i].label);
    ck_assert_str_eq(begin, buckets[_i].begin);
    ck_assert_str_eq(end, buckets[_i].end);
}
END_TEST

static const struct {
    const char *zone, *from, *to; /* UTC */
    enum granularity granularity;
} widths[] = {
    {"UTC", "2026-10-25 00:00:00", "2026-10-26 00:00:00", GRANULARITY_15M},
    {"UTC", "2026-10-25 00:00:00", "2026-10-26 00:00:01", GRANULARITY_HOUR},
    {"Europe/Kyiv", "2026-10-24 21:00:00", "2026-10-25 22:00:00", GRANULARITY_15M}, /* one day of 25 hours */
    {"Europe/Kyiv", "2026-10-24 21:00:00", "2026-10-25 22:00:01", GRANULARITY_HOUR},
    {"Europe/Kyiv", "2026-03-28 12:00:00", "2026-03-29 12:00:00",
     GRANULARITY_15M}, /* 24 hours, though 25 by the clock */
    {"Europe/Kyiv", "2026-10-18 21:00:00", "2026-10-25 22:00:00", GRANULARITY_HOUR}, /* seven days */
    {"Europe/Kyiv", "2026-10-18 21:00:00", "2026-10-25 22:00:01", GRANULARITY_DAY},
};

START_TEST(widths_follow_the_clock)
{
    ck_assert_int_eq(bucket_granularity(load(widths[_i].zone), utc(widths[_i].from), utc(widths[_i].to)),
                     widths[_i].granularity);
}
END_TEST

/* ---- every zone of the system, against the C library ---- */

/* Mostly in years that reports are about. */
static int64_t random_instant(void)
{
    int64_t end = pick(4) ? utc("2040-01-01 00:00:00") : utc("2999-12-31 00:00:00");
    int64_t at = (int64_t)(((uint64_t)pick(INT64_C(1) << 31) << 31 | (uint64_t)pick(INT64_C(1) << 31)) % (uint64_t)end);
    return pick(3) ? at - at % 1800 : at;
}

/* "YYYY-MM-DD HH:MM:SS" and the offset, as the C library has them for TZ. */
static void libc_clock(int64_t at, char ret_text[32], long *ret_offset)
{
    time_t t = (time_t)at;
    struct tm tm;
    ck_assert_ptr_nonnull(localtime_r(&t, &tm));
    strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S", &tm);
    *ret_offset = tm.tm_gmtoff;
}

static void check_instant(const char *name, const struct zone *z, int64_t at)
{
    char expected[32], shown[WHEN_TEXT_BYTES];
    long offset;
    struct zone_span span = zone_span_at(z, at);
    libc_clock(at, expected, &offset);
    when_format(zone_clock(z, at), shown);
    ck_assert_msg(!strcmp(shown, expected), "%s at %" PRId64 ": %s, not %s", name, at, shown, expected);
    ck_assert_msg(span.offset == offset && span.begin <= at && at < span.end, "%s at %" PRId64, name, at);
    if (span.begin > 0) { /* the second before belongs to another span */
        libc_clock(span.begin - 1, expected, &offset);
        ck_assert_msg(span.offset != offset, "%s: no change at %" PRId64, name, span.begin);
    }
    int64_t first = zone_first(z, at + span.offset);
    ck_assert_msg(first <= at && zone_clock(z, first) == at + span.offset, "%s: first at %" PRId64, name, at);
    ck_assert_msg(zone_clock(z, first - 1) < at + span.offset, "%s: not the first at %" PRId64, name, at);
}

/* Buckets follow one another, and the C library's times in one begin with its label. Where clocks went back to the day
 * before, a day keeps its label. */
static void check_buckets(const char *name, const struct zone *z, int64_t at)
{
    static const int cut[] = {[GRANULARITY_15M] = 14, [GRANULARITY_HOUR] = 13, [GRANULARITY_DAY] = 10};
    enum granularity granularity = (enum granularity)(GRANULARITY_15M + pick(5));
    struct bucket bucket = bucket_at(z, granularity, at), next = bucket_at(z, granularity, bucket.end);
    char label[WHEN_TEXT_BYTES], shown[32];
    long offset;
    ck_assert_msg(bucket.begin <= at && at < bucket.end, "%s at %" PRId64, name, at);
    ck_assert_msg(next.begin == bucket.end, "%s at %" PRId64, name, at);
    ck_assert_msg(next.label > bucket.label || granularity < GRANULARITY_DAY, "%s at %" PRId64, name, at);
    struct bucket again = bucket_at(z, granularity, bucket.end - 1);
    ck_assert_msg(again.begin == bucket.begin && again.label == bucket.label, "%s at %" PRId64, name, at);
    when_format(bucket.label, label);
    libc_clock(at, shown, &offset);
    bool went_back = granularity == GRANULARITY_DAY && strcmp(shown, label) < 0;
    if (granularity <= GRANULARITY_DAY && !went_back)
        ck_assert_msg(!strncmp(label, shown, (size_t)cut[granularity]), "%s at %" PRId64 ": %s", name, at, label);
    else if (granularity == GRANULARITY_MONTH && strcmp(shown, label) >= 0)
        ck_assert_msg(!strncmp(label, shown, 7) && !strcmp(label + 7, "-01 00:00:00"), "%s at %" PRId64, name, at);
}

/* The zones in the third column of zone1970.tab, and some that it leaves out. */
static size_t list_zones(char names[][64], size_t cap)
{
    static const char *const more[] = {"Etc/GMT-14", "Etc/GMT+12", "EST5EDT", "Asia/Calcutta", "Europe/Kiev", "MET"};
    char line[512];
    size_t count = 0;
    FILE *file = fopen("/usr/share/zoneinfo/zone1970.tab", "r");
    ck_assert_ptr_nonnull(file);
    while (count + 6 < cap && fgets(line, sizeof line, file)) {
        char *at = line[0] == '#' ? NULL : strchr(line, '\t');
        at = at ? strchr(at + 1, '\t') : NULL;
        if (at)
            (void)snprintf(names[count++], 64, "%.*s", (int)strcspn(at + 1, "\t\n"), at + 1);
    }
    fclose(file);
    for (int i = 0; i < ROWS(more); i++)
        (void)snprintf(names[count++], 64, "%s", more[i]);
    return count;
}

static void check_every_zone(int instants)
{
    static char names[600][64];
    size_t count = list_zones(names, 600);
    ck_assert_uint_gt(count, 300);
    for (size_t i = 0; i < count; i++) {
        const struct zone *z = load(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (int n = 0; n < instants; n++) {
            int64_t at = random_instant();
            check_instant(names[i], z, at);
            check_buckets(names[i], z, at);
            struct zone_span span = zone_span_at(z, at); /* the next change is tried as well */
            int64_t near = span.end < utc("2999-12-31 00:00:00") ? span.end + pick(4 * 3600) - 2 * 3600 : at;
            check_instant(names[i], z, near < 0 ? 0 : near);
            check_buckets(names[i], z, near < 0 ? 0 : near);
        }
    }
}

START_TEST(every_zone_is_as_the_c_library_has_it)
{
    seed(7);
    check_every_zone(60);
}
END_TEST

static void in_folder(const char *command)
{
    char line[512];
    (void)snprintf(line, sizeof line, "cd %s && PATH=$PATH:/usr/sbin && %s", folder, command);
    ck_assert_int_eq(system(line), 0);
}

static void make_zones(void)
{
    folder_make();
    setenv("TZDIR", folder, 1);
}

static void remove_zones(void)
{
    folder_remove();
    unsetenv("TZDIR");
}

/* Slim files list only the changes that their rule does not give: the default of newer versions of zic, but not
 * Debian's. */
START_TEST(slim_files_say_the_same)
{
    in_folder("zic -b slim -d . /usr/share/zoneinfo/tzdata.zi");
    seed(8);
    check_every_zone(30);
}
END_TEST

/* ---- hostile names and files ---- */

static const char *const no_zones[] = {
    "",
    " ",
    "/",
    ".",
    "..",
    "utc",
    "EUROPE/KYIV",
    "europe/kyiv",
    "Europe",
    "Europe/",
    "/Europe/Kyiv",
    "Europe//Kyiv",
    "Europe/Kyiv/",
    "Europe/../Europe/Kyiv",
    "../zoneinfo/Europe/Kyiv",
    "/usr/share/zoneinfo/Europe/Kyiv",
    "./Europe/Kyiv",
    "Europe/Kyiv ",
    "Europe/Kyiv\n",
    ":Europe/Kyiv",
    "UTC0",
    "UTC+3",
    "EET-2EEST,M3.5.0/3,M10.5.0/4",
    "<+03>-3",
    "+03:00",
    "posix/Europe/Kyiv",
    "right/Europe/Kyiv",
    "right/UTC",
    "posixrules",
    "localtime",
    "tzdata.zi",
    "zone.tab",
    "leapseconds",
    "leap-seconds.list",
    "SystemV/EST5EDT",
    "Europe/Kyiv%00",
    "Europe\\Kyiv",
    "Europe/Київ",
    "Mars/Olympus_Mons",
    "Etc/GMT+15",
    "America/Argentina",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

START_TEST(no_such_zone)
{
    ck_assert_msg(zone_load(slice_of(no_zones[_i]), &zone, &fault) == ERR_PARAMETER_INVALID, "%s", no_zones[_i]);
}
END_TEST

START_TEST(a_name_ends_where_it_ends)
{
    ck_assert_int_eq(zone_load((struct slice){"Europe/Kyivx", 11}, &zone, &fault), OK);
    ck_assert_int_eq(zone_load((struct slice){"Europe/Kyiv\0x", 13}, &zone, &fault), ERR_PARAMETER_INVALID);
    ck_assert_int_eq(zone_load((struct slice){"UTCx", 3}, &zone, &fault), OK);
}
END_TEST

static const struct {
    const char *command; /* makes the file x from a good zone, g */
    enum err err;
} files[] = {
    {"mkfifo x", ERR_PARAMETER_INVALID},
    {"mkdir x", ERR_PARAMETER_INVALID},
    {"ln -s /dev/zero x", ERR_PARAMETER_INVALID},
    {"ln -s x y && ln -s y x", ERR_UNAVAILABLE},
    {"ln -s nowhere x", ERR_PARAMETER_INVALID},
    {"touch x", ERR_PARAMETER_INVALID},
    {"echo TZif >x", ERR_PARAMETER_INVALID},
    {"echo Etc/UTC >x", ERR_PARAMETER_INVALID},
    {"cat g g g g g g g g g g >x", ERR_UNAVAILABLE},
    {"head -c 200 g >x", ERR_UNAVAILABLE},
    {"head -c -1 g >x", ERR_UNAVAILABLE},
    {"cp /usr/share/zoneinfo/right/Europe/Kyiv x", ERR_UNAVAILABLE},
    {"ln -s g x", OK},
};

START_TEST(files_that_are_no_zones)
{
    char command[128];
    in_folder("mkdir Etc && cp /usr/share/zoneinfo/Etc/UTC Etc && cp /usr/share/zoneinfo/Europe/Kyiv g");
    (void)snprintf(command, sizeof command, "%s", files[_i].command);
    in_folder(command);
    fault = (struct fault){0};
    enum err err = zone_load(slice_of("x"), &zone, &fault);
    ck_assert_msg(err == files[_i].err, "%s: %d %s", command, (int)err, fault.detail);
    ck_assert_msg((err == ERR_UNAVAILABLE) == (fault.detail[0] != '\0'), "%s", command);
}
END_TEST

START_TEST(no_database_is_the_servers_fault)
{
    ck_assert_int_eq(zone_load(slice_of("Europe/Kyiv"), &zone, &fault), ERR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fault.detail, "tzdata"));
    ck_assert_int_eq(zone_load(slice_of("UTC"), &zone, &fault), OK);
    ck_assert_int_eq(zone_load(slice_of("../x"), &zone, &fault), ERR_PARAMETER_INVALID);
}
END_TEST

static size_t read_file(const char *path, unsigned char ret_bytes[ZONE_FILE_BYTES])
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(ret_bytes, 1, ZONE_FILE_BYTES, file);
    fclose(file);
    return size;
}

/* Parses a copy of exactly so many bytes, so that a sanitizer sees a read beyond them. */
static bool parse(const unsigned char *bytes, size_t size)
{
    unsigned char *exact = malloc(size ? size : 1);
    memcpy(exact, bytes, size);
    bool taken = tzif_parse(exact, size, &zone);
    free(exact);
    return taken;
}

START_TEST(damaged_files)
{
    unsigned char bytes[ZONE_FILE_BYTES];
    size_t size = read_file("/usr/share/zoneinfo/Europe/Kyiv", bytes);
    for (size_t cut = 0; cut < size; cut++)
        ck_assert(!parse(bytes, cut));
    ck_assert(parse(bytes, size));
    bytes[4] = '\0'; /* version 1 has no times beyond 2038 */
    ck_assert(!parse(bytes, size));
    bytes[4] = '2';
    seed(9);
    for (size_t i = 0; i < 20000; i++) {
        size_t at = pick(3) ? (size_t)pick((int64_t)size) : (size_t)(pick(2) ? pick(44) : (int64_t)size - 1 - pick(24));
        unsigned char before = bytes[at];
        bytes[at] = (unsigned char)pick(256);
        if (parse(bytes, size)) { /* an accepted file must give a sound zone */
            int64_t t = random_instant(), clock = zone_clock(&zone, t);
            ck_assert_int_le(zone_first(&zone, clock), t);
            struct bucket bucket = bucket_at(&zone, GRANULARITY_DAY, t);
            ck_assert(bucket.begin <= t && t < bucket.end);
        }
        bytes[at] = before;
    }
}
END_TEST

/* ---- the string at the end of a file ---- */

/* A file of version 2 without changes, whose one type is `offset`. */
static bool parse_rule(const char *rule, int32_t offset)
{
    static const unsigned char header[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4};
    unsigned char bytes[300], *at = bytes;
    for (int block = 0; block < 2; block++) {
        memcpy(at, header, 44);
        at += 44;
        for (int shift = 24; shift >= 0; shift -= 8)
            *at++ = (unsigned char)((uint32_t)offset >> shift);
        memcpy(at, "\0\0ABC", 6);
        at += 6;
    }
    int len = snprintf((char *)at, 150, "\n%s\n", rule);
    return parse(bytes, (size_t)(at - bytes) + (size_t)len);
}

static const struct {
    const char *rule;
    bool taken;
} rules[] = {
    {"", true},
    {"EET-2", true},
    {"<+02>-2", true},
    {"EET-2EEST,M3.5.0/3,M10.5.0/4", true},
    {"EST5EDT,M3.2.0,M11.1.0", true},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", true},
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", true},
    {"EET-2EEST,J60,J300/167:59:59", true},
    {"EET-2EEST,0,300", true},
    {"XXX3EDT4,0/0,J365/23", true},
    {"EET", false},
    {"ET-2", false},
    {"<+02-2", false},
    {"EET-25", false},
    {"EET-2:60", false},
    {"EET-2EEST", false}, /* POSIX leaves the rule to the system; files must not */
    {"EET-2EEST,M3.5.0/3", false},
    {"EET-2EEST,M3.5.0/3,", false},
    {"EET-2EEST,M13.5.0/3,M10.5.0/4", false},
    {"EET-2EEST,M3.0.0/3,M10.5.0/4", false},
    {"EET-2EEST,M3.6.0/3,M10.5.0/4", false},
    {"EET-2EEST,M3.5.7/3,M10.5.0/4", false},
    {"EET-2EEST,M3.5.0/168,M10.5.0/4", false},
    {"EET-2EEST,J0,J300", false},
    {"EET-2EEST,366,0", false},
    {"EET-2EEST,M3.5.0/3,M10.5.0/4x", false},
    {"EET-2EEST,M3.5.0/3,M10.5.0/4\n", false},
    {"EET-99999999999999999999", false},
    {"EET-2EEST,M3.1.0,M3.4.0", true},
    {"EET-2EEST,M3.1.0,M3.2.0", false},        /* a summer of a week */
    {"EET-2EEST,M1.1.0/0,M12.5.6/167", false}, /* in some years it begins before the last one ends */
    {"EET-2EEST,0/0,J365/25", true},
    {"EET-2EEST,0/0,J365/24", false}, /* an hour without summer time at New Year */
};

START_TEST(rules_are_read_whole)
{
    ck_assert_msg(parse_rule(rules[_i].rule, 7200) == rules[_i].taken, "%s", rules[_i].rule);
}
END_TEST

/* 2028 is a leap year: J60 is 1 March in every year, day 59 only where there is no 29 February. */
static const struct {
    const char *rule;
    const char *year_begins, *change; /* UTC */
} changes[] = {
    {"EET-2EEST,J60/0,J300", "2027-01-01 00:00:00", "2027-02-28 22:00:00"},
    {"EET-2EEST,J60/0,J300", "2028-01-01 00:00:00", "2028-02-29 22:00:00"},
    {"EET-2EEST,59/0,300", "2027-01-01 00:00:00", "2027-02-28 22:00:00"},
    {"EET-2EEST,59/0,300", "2028-01-01 00:00:00", "2028-02-28 22:00:00"},
    {"EET-2EEST,M2.5.2/0,M10.5.0", "2028-01-01 00:00:00", "2028-02-28 22:00:00"}, /* the last Tuesday, the 29th */
    {"EET-2EEST,M3.5.0/-24,M10.5.0", "2026-01-01 00:00:00", "2026-03-27 22:00:00"},
    {"EET-2EEST,M3.1.0/3:30:30,M10.5.0", "2026-01-01 00:00:00", "2026-03-01 01:30:30"},
};

START_TEST(rules_change)
{
    ck_assert(parse_rule(changes[_i].rule, 7200));
    struct zone_span span = zone_span_at(&zone, utc(changes[_i].year_begins));
    char end[WHEN_TEXT_BYTES];
    when_format(span.end, end);
    ck_assert_int_eq(span.offset, 7200);
    ck_assert_str_eq(end, changes[_i].change);
    ck_assert_int_eq(zone_span_at(&zone, span.end).offset, 10800);
}
END_TEST

static const struct {
    const char *name;
    bool is_utc;
} plain[] = {{"UTC", true},
             {"Etc/UTC", true},
             {"GMT", true},
             {"Zulu", true},
             {"Etc/GMT+1", false},
             {"Europe/London", false},
             {"Africa/Abidjan", true},
             {"Africa/Monrovia", false},
             {"Europe/Kyiv", false},
             {"Asia/Kolkata", false}};

START_TEST(some_zones_are_utc)
{
    ck_assert_int_eq(zone_is_utc(load(plain[_i].name)), plain[_i].is_utc);
    ck_assert(zone_is_utc(NULL));
    ck_assert_int_eq(zone_clock(NULL, 5), 5);
    ck_assert_int_eq(zone_first(NULL, 5), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zone");
    TCase *tcase = suite_case(suite, "system");
    tcase_add_loop_test(tcase, clocks_show, 0, ROWS(clocks));
    tcase_add_loop_test(tcase, days_last, 0, ROWS(days));
    tcase_add_loop_test(tcase, times_are, 0, ROWS(firsts));
    tcase_add_loop_test(tcase, buckets_lie, 0, ROWS(buckets));
    tcase_add_loop_test(tcase, widths_follow_the_clock, 0, ROWS(widths));
    tcase_add_test(tcase, every_zone_is_as_the_c_library_has_it);
    tcase_add_loop_test(tcase, no_such_zone, 0, ROWS(no_zones));
    tcase_add_test(tcase, a_name_ends_where_it_ends);
    tcase_add_test(tcase, damaged_files);
    tcase_add_loop_test(tcase, rules_are_read_whole, 0, ROWS(rules));
    tcase_add_loop_test(tcase, rules_change, 0, ROWS(changes));
    tcase_add_loop_test(tcase, some_zones_are_utc, 0, ROWS(plain));
    tcase = suite_case(suite, "folder");
    tcase_add_checked_fixture(tcase, make_zones, remove_zones);
    tcase_add_test(tcase, slim_files_say_the_same);
    tcase_add_loop_test(tcase, files_that_are_no_zones, 0, ROWS(files));
    tcase_add_test(tcase, no_database_is_the_servers_fault);
    return suite_run_together(suite);
}
