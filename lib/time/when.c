/* when.c: civil dates to days and back, ISO 8601 in and out. Knows the proleptic Gregorian calendar. Knows no clock, no
 * time zone but a fixed offset. */
#include "time/when.h"

#include "base/banned.h"

#define FIRST_YEAR 1970
#define LAST_YEAR 2999
#define END_OF_TIME INT64_C(32503680000) /* 3000-01-01 00:00:00 UTC */
#define MAX_OFFSET (14 * WHEN_HOUR)

/* Days of a 400 year cycle, and from 0000-03-01 to 1970-01-01. Years begin in March here, so that the leap day is the
 * last of its year and a month's first day is a linear function of its number. */
#define ERA_YEARS 400
#define ERA_DAYS 146097
#define EPOCH_SHIFT 719468

int64_t when_floor(int64_t seconds, int64_t width)
{
    int64_t rest = seconds % width;
    return rest < 0 ? seconds - rest - width : seconds - rest;
}

int64_t when_ceil(int64_t seconds, int64_t width)
{
    int64_t rest = seconds % width;
    return rest > 0 ? seconds - rest + width : seconds - rest;
}

int64_t when_days_from_civil(struct civil civil)
{
    int64_t year = civil.month <= 2 ? civil.year - 1 : civil.year;
    int64_t month = civil.month <= 2 ? civil.month + 9 : civil.month - 3; /* March is 0 */
    int64_t era_start = when_floor(year, ERA_YEARS);
    int64_t year_of_era = year - era_start;
    int64_t day_of_year = (153 * month + 2) / 5 + civil.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era_start / ERA_YEARS * ERA_DAYS + day_of_era - EPOCH_SHIFT;
}

struct civil when_civil_from_days(int64_t days)
{
    int64_t shifted = days + EPOCH_SHIFT;
    int64_t era_start = when_floor(shifted, ERA_DAYS);
    int64_t day_of_era = shifted - era_start;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* March is 0 */
    int64_t day = day_of_year - (153 * month + 2) / 5 + 1;
    int64_t year = era_start / ERA_DAYS * ERA_YEARS + year_of_era + (month >= 10 ? 1 : 0);
    return (struct civil){(int)year, (int)(month >= 10 ? month - 9 : month + 3), (int)day};
}

static int month_length(int year, int month)
{
    static const int lengths[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : lengths[month];
}

struct civil when_add_months(struct civil civil, int months)
{
    int64_t month_count = (int64_t)civil.year * 12 + civil.month - 1 + months;
    int64_t year_start = when_floor(month_count, 12);
    struct civil moved = {(int)(year_start / 12), (int)(month_count - year_start) + 1, civil.day};
    int last = month_length(moved.year, moved.month);
    if (moved.day > last)
        moved.day = last;
    return moved;
}

/* The text still to be read. */
struct when_reader {
    const char *at;
    const char *end;
};

static bool at_digit(const struct when_reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

/* Takes one character if it is one of `wanted`. */
static bool take(struct when_reader *reader, const char *wanted)
{
    if (reader->at == reader->end)
        return false;
    for (; *wanted; wanted++)
        if (*reader->at == *wanted) {
            reader->at++;
            return true;
        }
    return false;
}

/* Takes exactly `digits` digits whose value is in [min, max]. */
static bool take_number(struct when_reader *reader, int digits, int min, int max, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!at_digit(reader))
            return false;
        value = value * 10 + (*reader->at++ - '0');
    }
    *ret_value = value;
    return value >= min && value <= max;
}

static bool take_date(struct when_reader *reader, struct civil *ret_civil)
{
    struct civil civil;
    if (!take_number(reader, 4, FIRST_YEAR, LAST_YEAR, &civil.year) || !take(reader, "-"))
        return false;
    if (!take_number(reader, 2, 1, 12, &civil.month) || !take(reader, "-"))
        return false;
    if (!take_number(reader, 2, 1, month_length(civil.year, civil.month), &civil.day))
        return false;
    *ret_civil = civil;
    return true;
}

/* 1 to 9 digits after the point. */
static bool take_fraction(struct when_reader *reader, bool *ret_nonzero)
{
    bool nonzero = false;
    int count = 0;
    for (; at_digit(reader); count++)
        nonzero |= *reader->at++ != '0';
    *ret_nonzero = nonzero;
    return count >= 1 && count <= 9;
}

/* HH:MM[:SS[.fraction]] */
static bool take_time(struct when_reader *reader, int *ret_seconds, bool *ret_fraction)
{
    int hour, minute;
    if (!take_number(reader, 2, 0, 23, &hour) || !take(reader, ":") || !take_number(reader, 2, 0, 59, &minute))
        return false;
    bool has_second = take(reader, ":");
    int second = 0;
    if (has_second && !take_number(reader, 2, 0, 59, &second))
        return false;
    bool fraction = false;
    if (has_second && take(reader, ".,") && !take_fraction(reader, &fraction))
        return false;
    *ret_seconds = hour * WHEN_HOUR + minute * 60 + second;
    *ret_fraction = fraction;
    return true;
}

/* Nothing, Z, or ±hh[[:]mm]. */
static bool take_zone(struct when_reader *reader, int *ret_offset)
{
    *ret_offset = 0;
    if (reader->at == reader->end || take(reader, "Zz"))
        return true;
    bool west = *reader->at == '-';
    int hour;
    if (!take(reader, "+-") || !take_number(reader, 2, 0, 14, &hour))
        return false;
    bool wants_minute = take(reader, ":") || reader->at < reader->end;
    int minute = 0;
    if (wants_minute && !take_number(reader, 2, 0, 59, &minute))
        return false;
    int offset = hour * WHEN_HOUR + minute * 60;
    *ret_offset = west ? -offset : offset;
    return offset <= MAX_OFFSET;
}

bool when_parse(struct slice text, struct when *ret_when)
{
    struct when when = {.date_only = true};
    if (text.len == 0)
        return false;
    struct when_reader reader = {text.data, text.data + text.len};
    struct civil civil;
    if (!take_date(&reader, &civil))
        return false;
    int second_of_day = 0;
    if (reader.at < reader.end) {
        when.date_only = false;
        if (!take(&reader, "Tt ") || !take_time(&reader, &second_of_day, &when.has_fraction))
            return false;
        when.has_zone = reader.at < reader.end;
        if (!take_zone(&reader, &when.offset_seconds) || reader.at < reader.end)
            return false;
    }
    when.seconds = when_days_from_civil(civil) * WHEN_DAY + second_of_day - when.offset_seconds;
    if (when.seconds < 0 || when.seconds >= END_OF_TIME)
        return false;
    *ret_when = when;
    return true;
}

/* ---- what is wrong ---- */

static bool is_digits(struct slice text)
{
    struct when_reader reader = {text.data, text.data + text.len};
    while (at_digit(&reader))
        reader.at++;
    return text.len > 0 && reader.at == reader.end;
}

/* For a text that begins like a date: "2026-02-30". */
static const char *date_fault(struct when_reader *reader)
{
    int year, month, day;
    if (!take_number(reader, 4, 0, 9999, &year) || !take(reader, "-") || !take_number(reader, 2, 0, 99, &month) ||
        !take(reader, "-") || !take_number(reader, 2, 0, 99, &day))
        return "it does not begin with a date such as 2026-03-15";
    if (year < FIRST_YEAR || year > LAST_YEAR)
        return "the year is not from 1970 to 2999";
    if (month < 1 || month > 12)
        return "there is no such month";
    return day < 1 || day > month_length(year, month) ? "the month has no such day" : NULL;
}

/* Of what follows the date. */
static const char *time_fault(struct when_reader *reader)
{
    int hour, minute;
    if (!take(reader, "Tt ") || !take_number(reader, 2, 0, 99, &hour) || !take(reader, ":") ||
        !take_number(reader, 2, 0, 99, &minute))
        return "no time such as 10:15:00 follows the date";
    if (hour == 24)
        return "24:00 is written 00:00 of the next day";
    int second = 0;
    if (take(reader, ":") && !take_number(reader, 2, 0, 99, &second))
        return "the seconds have no two digits";
    if (second == 60)
        return "second 60 (a leap second) is not accepted";
    if (hour > 23 || minute > 59 || second > 59)
        return "there is no such time of day";
    bool fraction = false;
    if (take(reader, ".,") && !take_fraction(reader, &fraction))
        return "the fraction of a second has no 1 to 9 digits";
    int offset;
    if (!take_zone(reader, &offset) || reader->at < reader->end)
        return "the zone is neither Z nor an offset such as +03:00, at most 14:00";
    return "it is before 1970 or after 2999 in UTC";
}

const char *when_fault(struct slice text)
{
    struct when_reader reader = {text.data, text.data + text.len};
    if (text.len == 0)
        return "it is empty";
    if (is_digits(text) && text.len >= 9)
        return text.len >= 12 ? "it looks like milliseconds since 1970" : "it looks like seconds since 1970";
    const char *fault = date_fault(&reader);
    return fault ? fault : time_fault(&reader);
}

/* Writes the last `width` decimal digits of `value`, which is not negative; returns the place after them. */
static char *put_digits(char *at, int width, int64_t value)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

/* "YYYY-MM-DD" <separator> "HH:MM:SS"; returns the place after it. */
static char *put_date_time(char *at, int64_t seconds, char separator)
{
    int64_t midnight = when_floor(seconds, WHEN_DAY);
    int64_t second = seconds - midnight;
    struct civil civil = when_civil_from_days(midnight / WHEN_DAY);
    at = put_digits(at, 4, civil.year < 0 ? 0 : civil.year);
    *at++ = '-';
    at = put_digits(at, 2, civil.month);
    *at++ = '-';
    at = put_digits(at, 2, civil.day);
    *at++ = separator;
    at = put_digits(at, 2, second / WHEN_HOUR);
    *at++ = ':';
    at = put_digits(at, 2, second / 60 % 60);
    *at++ = ':';
    return put_digits(at, 2, second % 60);
}

void when_format(int64_t seconds, char ret_text[WHEN_TEXT_BYTES])
{
    *put_date_time(ret_text, seconds, ' ') = '\0';
}

void when_format_iso_ms(int64_t milliseconds, char ret_text[WHEN_ISO_BYTES])
{
    int64_t whole = when_floor(milliseconds, 1000);
    char *at = put_date_time(ret_text, whole / 1000, 'T');
    *at++ = '.';
    at = put_digits(at, 3, milliseconds - whole);
    *at++ = 'Z';
    *at = '\0';
}
