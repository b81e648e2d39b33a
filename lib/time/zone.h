/* zone.h: time zones: what the clocks of a place show at an instant. Knows no file, no name, and not what time it is
 * now. */
#ifndef TIME_ZONE_H
#define TIME_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_SHIFTS 512             /* changes since 1970 that a file may list; Hebron has 275 in tzdata 2025b */
#define ZONE_MAX_OFFSET (26 * 3600) /* RFC 8536, 3.2: utoff */

/* From the instant `at` on, clocks are `offset` seconds ahead of UTC. */
struct zone_shift {
    int64_t at;
    int64_t offset;
};

/* A day of every year, as POSIX's TZ variable writes it, and a time on it. */
enum zone_day_form { ZONE_WEEKDAY, ZONE_DAY_FROM_1, ZONE_DAY_FROM_0 };
struct zone_day {
    enum zone_day_form form;
    int month; /* ZONE_WEEKDAY: in this month … */
    int week;  /* … the first, …, fourth or (5) last … */
    int day;   /* … Sunday (0) to Saturday (6). ZONE_DAY_FROM_1: 1 … 365, 29 February never counts. ZONE_DAY_FROM_0:
                  0 … 365 */
    int64_t second; /* of that day, on the clock as it was before; may be negative or beyond the day */
};

/* How a zone goes on after its last listed change. */
struct zone_rule {
    bool is_there;
    int64_t after;              /* the last listed change, which `shifts` may leave out; INT64_MIN: none is listed */
    int64_t standard, summer;   /* offsets */
    struct zone_day begin, end; /* of summer time */
};

/* All that a zone's clocks do. `shifts` ascend; the first one's `at` is INT64_MIN, and neighbours differ. */
struct zone {
    size_t count;
    struct zone_shift shifts[ZONE_SHIFTS];
    struct zone_rule rule;
};

/* In all of these NULL stands for UTC. */

/* True when its clocks show UTC, ever since 1970. */
bool zone_is_utc(const struct zone *zone);

/* The longest time around `at` in which the offset stays the same: begin <= at < end. */
struct zone_span {
    int64_t begin, end;
    int64_t offset;
};
struct zone_span zone_span_at(const struct zone *zone, int64_t at);

/* What the clocks show at `at`, as seconds since 1970-01-01 00:00:00 on them. */
int64_t zone_clock(const struct zone *zone, int64_t at);

/* The first instant at which the clocks show `clock` or later: of a time that comes twice the earlier one, and for one
 * that is left out the moment of the jump. Never falls as `clock` rises. */
int64_t zone_first(const struct zone *zone, int64_t clock);

/* ---- for who makes one (tzif.c) ---- */

/* Adds a change at or after the last one: one at the same moment takes its place, one that changes nothing is left out.
 * False when there is no room. */
bool zone_push(struct zone_shift *shifts, size_t cap, size_t *count, int64_t at, int64_t offset);

/* The changes of one year by the rule, in order. */
void zone_rule_year(const struct zone_rule *rule, int year, struct zone_shift ret_shifts[2]);

#endif
