/* tzif.c: the bytes of a time zone file (RFC 8536) as a zone. Knows the file's layout and the TZ string at its end.
 * Trusts no number in it. */
#include "time/tzif.h"

#include "time/when.h"

#include <string.h>

#include "base/banned.h"

#define HEADER_BYTES 44
#define TYPE_BYTES 6 /* utoff, isdst, desigidx */

/* Nothing of ours happened before 1970; a chart's month may begin in December 1969. */
#define FIRST_SHIFT (INT64_C(-365) * WHEN_DAY)

/* ---- the blocks ---- */

static uint32_t big32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t big64(const unsigned char *at)
{
    return (int64_t)((uint64_t)big32(at) << 32 | big32(at + 4));
}

/* The counts of a header, and the bytes that follow it. */
struct block {
    uint32_t utcs, standards, leaps, times, types, chars;
    const unsigned char *data;
};

bool tzif_begins(const unsigned char *bytes, size_t size)
{
    return size >= HEADER_BYTES && memcmp(bytes, "TZif", 4) == 0;
}

/* Every count is under 2^32, so that the sum of these products can't overflow. */
static uint64_t block_bytes(const struct block *block, unsigned time_bytes)
{
    return (uint64_t)block->times * time_bytes + block->times + (uint64_t)block->types * TYPE_BYTES + block->chars +
           (uint64_t)block->leaps * (time_bytes + 4) + block->standards + block->utcs;
}

/* Takes a header and its block off the front. */
static bool take_block(const unsigned char **at, const unsigned char *end, unsigned time_bytes, struct block *ret_block)
{
    if (!tzif_begins(*at, (size_t)(end - *at)))
        return false;
    const unsigned char *counts = *at + 20;
    *ret_block = (struct block){.utcs = big32(counts),
                                .standards = big32(counts + 4),
                                .leaps = big32(counts + 8),
                                .times = big32(counts + 12),
                                .types = big32(counts + 16),
                                .chars = big32(counts + 20),
                                .data = *at + HEADER_BYTES};
    uint64_t bytes = block_bytes(ret_block, time_bytes);
    if (bytes > (uint64_t)(end - ret_block->data))
        return false;
    *at = ret_block->data + bytes;
    return true;
}

static bool type_offset(const struct block *block, uint32_t type, int64_t *ret_offset)
{
    if (type >= block->types)
        return false;
    const unsigned char *types = block->data + (size_t)block->times * 9;
    *ret_offset = (int32_t)big32(types + (size_t)type * TYPE_BYTES);
    return *ret_offset > -ZONE_MAX_OFFSET && *ret_offset < ZONE_MAX_OFFSET;
}

/* Before the first change, type 0 holds (RFC 8536, 3.2). */
static bool read_shifts(const struct block *block, struct zone *zone)
{
    const unsigned char *times = block->data, *types = times + (size_t)block->times * 8;
    zone->rule.after = INT64_MIN;
    int64_t offset;
    if (!type_offset(block, 0, &offset) || !zone_push(zone->shifts, ZONE_SHIFTS, &zone->count, INT64_MIN, offset))
        return false;
    for (uint32_t i = 0; i < block->times; i++) {
        int64_t at = big64(times + (size_t)i * 8);
        if ((i > 0 && at <= zone->rule.after) || !type_offset(block, types[i], &offset))
            return false;
        if (!zone_push(zone->shifts, ZONE_SHIFTS, &zone->count, at < FIRST_SHIFT ? INT64_MIN : at, offset))
            return false;
        zone->rule.after = at;
    }
    return true;
}

/* ---- the TZ string (POSIX, Base Definitions, 8.3; RFC 8536, 3.3.1) ---- */

struct rule_reader {
    const char *at;
    const char *end;
};

static bool take(struct rule_reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static bool take_number(struct rule_reader *reader, int min, int max, int *ret_value)
{
    int value = 0, digits = 0;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9' && digits < 4; digits++)
        value = value * 10 + (*reader->at++ - '0');
    *ret_value = value;
    return digits > 0 && value >= min && value <= max;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* An abbreviation: at least three letters, or anything in <>. */
static bool skip_name(struct rule_reader *reader)
{
    const char *begin = reader->at;
    if (take(reader, '<')) {
        while (reader->at < reader->end && *reader->at != '>')
            reader->at++;
        return take(reader, '>');
    }
    while (reader->at < reader->end && is_letter(*reader->at))
        reader->at++;
    return reader->at - begin >= 3;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool take_seconds(struct rule_reader *reader, int max_hours, int64_t *ret_seconds)
{
    bool negative = take(reader, '-');
    if (!negative)
        take(reader, '+');
    int hour;
    if (!take_number(reader, 0, max_hours, &hour))
        return false;
    int minute = 0;
    if (take(reader, ':') && !take_number(reader, 0, 59, &minute))
        return false;
    int second = 0;
    if (take(reader, ':') && !take_number(reader, 0, 59, &second))
        return false;
    int64_t seconds = hour * INT64_C(3600) + minute * 60 + second;
    *ret_seconds = negative ? -seconds : seconds;
    return true;
}

/* ,date[/time]; without a time it is 02:00:00. */
static bool take_day(struct rule_reader *reader, struct zone_day *ret_day)
{
    struct zone_day day = {.second = 2 * WHEN_HOUR};
    if (!take(reader, ','))
        return false;
    if (take(reader, 'M')) {
        day.form = ZONE_WEEKDAY;
        if (!take_number(reader, 1, 12, &day.month) || !take(reader, '.') || !take_number(reader, 1, 5, &day.week) ||
            !take(reader, '.') || !take_number(reader, 0, 6, &day.day))
            return false;
    } else {
        day.form = take(reader, 'J') ? ZONE_DAY_FROM_1 : ZONE_DAY_FROM_0;
        if (!take_number(reader, day.form == ZONE_DAY_FROM_1, 365, &day.day))
            return false;
    }
    if (take(reader, '/') && !take_seconds(reader, 167, &day.second))
        return false;
    *ret_day = day;
    return true;
}

/* The rule's offsets count west of Greenwich as positive. */
static bool take_rule(struct rule_reader *reader, struct zone_rule *ret_rule)
{
    struct zone_rule rule = {.is_there = true, .after = ret_rule->after};
    int64_t standard;
    if (!skip_name(reader) || !take_seconds(reader, 24, &standard))
        return false;
    rule.standard = -standard;
    rule.summer = rule.standard + WHEN_HOUR;
    int64_t summer;
    if (reader->at == reader->end) {
        *ret_rule = (struct zone_rule){0}; /* no summer time: the last offset stays */
        return true;
    }
    if (!skip_name(reader))
        return false;
    if (reader->at < reader->end && *reader->at != ',') {
        if (!take_seconds(reader, 24, &summer))
            return false;
        rule.summer = -summer;
    }
    if (!take_day(reader, &rule.begin) || !take_day(reader, &rule.end) || reader->at < reader->end)
        return false;
    *ret_rule = rule;
    return true;
}

/* Changes are months apart in every place. A date of a rule moves by up to 6 days from year to year, so two that are
 * this far apart in three years never change places. */
#define APART (INT64_C(15) * WHEN_DAY)

/* False when changes come too close. "XXX3EDT4,0/0,J365/23" is how summer time all the year round is written: then one
 * offset stays for ever. */
static bool settle_rule(struct zone *zone)
{
    struct zone_shift shifts[6], changes[2];
    size_t count = 0;
    for (int year = 2000; zone->rule.is_there && year < 2003; year++) {
        zone_rule_year(&zone->rule, year, changes);
        for (int i = 0; i < 2; i++)
            zone_push(shifts, 6, &count, changes[i].at, changes[i].offset);
    }
    if (count <= 2)
        zone->rule.is_there = false;
    for (size_t i = 1; zone->rule.is_there && i < count; i++)
        if (shifts[i].at - shifts[i - 1].at < APART)
            return false;
    return true;
}

/* "\n<TZ string>\n"; an empty one says that nobody knows. */
static bool read_footer(const unsigned char *at, const unsigned char *end, struct zone *zone)
{
    if (end - at < 2 || at[0] != '\n' || end[-1] != '\n')
        return false;
    struct rule_reader reader = {(const char *)at + 1, (const char *)end - 1};
    if (reader.at == reader.end)
        return true;
    return take_rule(&reader, &zone->rule) && settle_rule(zone);
}

bool tzif_parse(const unsigned char *bytes, size_t size, struct zone *ret_zone)
{
    const unsigned char *at = bytes, *end = bytes + size;
    struct block block;
    *ret_zone = (struct zone){0};
    if (!take_block(&at, end, 4, &block) || bytes[4] < '2')
        return false;
    if (!take_block(&at, end, 8, &block) || block.leaps > 0)
        return false;
    return read_shifts(&block, ret_zone) && read_footer(at, end, ret_zone);
}
