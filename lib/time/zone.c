/* zone.c: time zones: what the clocks of a place show at an instant. Knows changes of clocks, and the rules by which
 * they go on for ever. */
#include "time/zone.h"

#include "time/when.h"

#include "base/banned.h"

/* ---- changes ---- */

bool zone_push(struct zone_shift *shifts, size_t cap, size_t *count, int64_t at, int64_t offset)
{
    if (*count > 0 && shifts[*count - 1].at == at)
        (*count)--;
    if (*count > 0 && shifts[*count - 1].offset == offset)
        return true;
    if (*count == cap)
        return false;
    shifts[(*count)++] = (struct zone_shift){at, offset};
    return true;
}

static int64_t days_to(int year, int month)
{
    return when_days_from_civil((struct civil){year, month, 1});
}

/* The month's first, …, fourth or last such weekday. 1970-01-01 was a Thursday. */
static int64_t find_weekday(int year, const struct zone_day *day)
{
    int64_t first = days_to(year, day->month);
    int64_t next_month = day->month == 12 ? days_to(year + 1, 1) : days_to(year, day->month + 1);
    int64_t weekday = first + 4 - when_floor(first + 4, 7);
    int64_t found = first + (day->day - weekday + 7) % 7 + INT64_C(7) * (day->week - 1);
    return found < next_month ? found : found - 7;
}

/* Midnight of that day and the seconds after it, on the clock. */
static int64_t day_of_year(int year, const struct zone_day *day)
{
    int64_t new_year = days_to(year, 1), march = days_to(year, 3);
    bool is_leap = march - new_year == 60;
    switch (day->form) {
    case ZONE_WEEKDAY:
        return find_weekday(year, day) * WHEN_DAY + day->second;
    case ZONE_DAY_FROM_1:
        return (new_year + day->day - 1 + (is_leap && day->day >= 60)) * WHEN_DAY + day->second;
    case ZONE_DAY_FROM_0:
        break;
    }
    return (new_year + day->day) * WHEN_DAY + day->second;
}

void zone_rule_year(const struct zone_rule *rule, int year, struct zone_shift ret_shifts[2])
{
    struct zone_shift begin = {day_of_year(year, &rule->begin) - rule->standard, rule->summer};
    struct zone_shift end = {day_of_year(year, &rule->end) - rule->summer, rule->standard};
    bool north = begin.at <= end.at;
    ret_shifts[0] = north ? begin : end;
    ret_shifts[1] = north ? end : begin;
}

/* ---- spans ---- */

static struct zone_span span_in(const struct zone_shift *shifts, size_t count, int64_t at)
{
    size_t low = 0, high = count; /* shifts[low].at <= at < shifts[high].at */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (shifts[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return (struct zone_span){shifts[low].at, high < count ? shifts[high].at : INT64_MAX, shifts[low].offset};
}

/* After the last listed change: the changes that the rule makes in the year before, this year and the next, without
 * those that come before the last listed one. */
static struct zone_span span_by_rule(const struct zone *zone, int64_t at)
{
    struct zone_shift around[7] = {zone->shifts[zone->count - 1]}, changes[2];
    size_t count = 1;
    int64_t after = zone->rule.after, there = at > after ? at : after;
    int year = when_civil_from_days(when_floor(there, WHEN_DAY) / WHEN_DAY).year;
    for (int y = year - 1; y <= year + 1; y++) {
        zone_rule_year(&zone->rule, y, changes);
        for (int i = 0; i < 2; i++)
            if (changes[i].at > after)
                zone_push(around, 7, &count, changes[i].at, changes[i].offset);
    }
    return span_in(around, count, at);
}

struct zone_span zone_span_at(const struct zone *zone, int64_t at)
{
    if (!zone)
        return (struct zone_span){INT64_MIN, INT64_MAX, 0};
    if (zone->rule.is_there && at >= zone->shifts[zone->count - 1].at)
        return span_by_rule(zone, at);
    return span_in(zone->shifts, zone->count, at);
}

bool zone_is_utc(const struct zone *zone)
{
    return !zone || (zone->count == 1 && zone->shifts[0].offset == 0 && !zone->rule.is_there);
}

int64_t zone_clock(const struct zone *zone, int64_t at)
{
    return at + zone_span_at(zone, at).offset;
}

int64_t zone_first(const struct zone *zone, int64_t clock)
{
    int64_t at = clock - ZONE_MAX_OFFSET - 1; /* no clock can show it yet */
    for (;;) {
        struct zone_span span = zone_span_at(zone, at);
        int64_t reached = clock - span.offset;
        if (reached < span.end)
            return reached > span.begin ? reached : span.begin;
        at = span.end;
    }
}
