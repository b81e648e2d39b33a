/* tier.h: rollup arithmetic: how a time maps to a bucket of each tier, and from which tiers a range is answered. Knows
 * no SQL, HTTP, JSON, or what time it is. */
#ifndef ROLLUP_TIER_H
#define ROLLUP_TIER_H

#include "report/report.h"

#include <stddef.h>
#include <stdint.h>

/* Stored in the database: see schema/. */
enum tier { TIER_QUARTER, TIER_HOUR, TIER_DAY, TIER_4_DAYS, TIER_16_DAYS, TIER_COUNT };

/* Seconds. Each is a multiple of the one before. */
int64_t tier_width(enum tier tier);

/* The bucket that `seconds` lies in. */
int64_t tier_bucket(enum tier tier, int64_t seconds);

/* A run of whole buckets of one tier; or, where tier is TIER_QUARTER and `from_second`/`to_second` cut it, a part of
 * one quarter. */
struct piece {
    enum tier tier;
    int64_t begin;   /* first bucket */
    int64_t end;     /* the bucket after the last */
    int from_second; /* 0 … 899: seconds of the quarter before it do not count */
    int to_second;   /* 1 … 900 */
};

/* True for a part of a quarter: only raw_log can answer it. */
bool piece_is_partial(const struct piece *piece);

/* Which tiers a report may use. `until`: each has its buckets up to this time, Unix seconds (0: none; INT64_MAX: all).
 * TIER_QUARTER is always there. `from`: what is older was deleted. */
struct tier_set {
    int64_t until[TIER_COUNT];
    int64_t from[TIER_COUNT]; /* buckets that begin before it are gone. Whole days; never later for a wider tier */
    int64_t raw_from;         /* so are parts of a quarter; not before from[TIER_QUARTER] */
};

/* Moves an edge of a range to where the range can be cut. Where the logs are gone, the range counts in whole buckets of
 * the finest tier that is left, and a bucket belongs to the range that holds its start. So adjacent ranges still count
 * everything once. */
int64_t tier_snap(const struct tier_set *tiers, int64_t at);

#define PIECE_MAX                                                                                                      \
    24 /* partial, quarters, hours, days, 4 days, 16 days, and the same in reverse, with room for the closed edge */

/* Covers [from, to), its edges snapped, with the fewest pieces, in order of time. Returns how many of `ret_pieces` were
 * filled. */
size_t tier_cover(int64_t from, int64_t to, const struct tier_set *tiers, struct piece ret_pieces[PIECE_MAX]);

#endif
