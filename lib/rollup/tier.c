/* tier.c: rollup arithmetic. Knows buckets of time. Knows no SQL, HTTP, JSON, or what time it is. */
#include "rollup/tier.h"

#include "base/int64.h"
#include "time/when.h"

#include <assert.h>

#include "base/banned.h"

static const int64_t widths[TIER_COUNT] = {
    [TIER_QUARTER] = WHEN_QUARTER,
    [TIER_HOUR] = WHEN_HOUR,
    [TIER_DAY] = WHEN_DAY,
    [TIER_4_DAYS] = INT64_C(4) * WHEN_DAY,
    [TIER_16_DAYS] = INT64_C(16) * WHEN_DAY,
};

int64_t tier_width(enum tier tier)
{
    return widths[tier];
}

int64_t tier_bucket(enum tier tier, int64_t seconds)
{
    return when_floor(seconds, widths[tier]) / widths[tier];
}

bool piece_is_partial(const struct piece *piece)
{
    return piece->from_second != 0 || piece->to_second != WHEN_QUARTER;
}

static bool usable(enum tier tier, int64_t at, int64_t to, const struct tier_set *tiers)
{
    int64_t end = at + widths[tier];
    return at % widths[tier] == 0 && at >= tiers->from[tier] && end <= to &&
           (tier == TIER_QUARTER || end <= tiers->until[tier]);
}

int64_t tier_snap(const struct tier_set *tiers, int64_t at)
{
    if (at >= tiers->raw_from)
        return at;
    for (int tier = TIER_QUARTER; tier <= TIER_DAY; tier++)
        if (at >= tiers->from[tier])
            return when_ceil(at, widths[tier]);
    return tiers->from[TIER_DAY];
}

/* The widest whole bucket that begins at `at`; TIER_COUNT when not even a quarter fits. */
static enum tier widest(int64_t at, int64_t to, const struct tier_set *tiers)
{
    for (int tier = TIER_COUNT - 1; tier >= 0; tier--)
        if (usable((enum tier)tier, at, to, tiers))
            return (enum tier)tier;
    return TIER_COUNT;
}

/* The part of one quarter that begins at `at`. */
static struct piece partial(int64_t at, int64_t to)
{
    int64_t quarter = at / WHEN_QUARTER, start = quarter * WHEN_QUARTER;
    return (struct piece){.tier = TIER_QUARTER,
                          .begin = quarter,
                          .end = quarter + 1,
                          .from_second = (int)(at - start),
                          .to_second = (int)min64(to - start, WHEN_QUARTER)};
}

static bool extends(const struct piece *last, const struct piece *next)
{
    return last->tier == next->tier && last->end == next->begin && !piece_is_partial(last) && !piece_is_partial(next);
}

static struct piece next_piece(int64_t at, int64_t to, const struct tier_set *tiers)
{
    enum tier tier = widest(at, to, tiers);
    if (tier == TIER_COUNT)
        return partial(at, to);
    int64_t bucket = at / widths[tier];
    return (struct piece){.tier = tier, .begin = bucket, .end = bucket + 1, .to_second = WHEN_QUARTER};
}

size_t tier_cover(int64_t from, int64_t to, const struct tier_set *tiers, struct piece ret_pieces[PIECE_MAX])
{
    size_t count = 0;
    to = tier_snap(tiers, to);
    for (int64_t at = tier_snap(tiers, from); at < to;) {
        struct piece next = next_piece(at, to, tiers);
        at = piece_is_partial(&next) ? next.begin * WHEN_QUARTER + next.to_second : next.end * widths[next.tier];
        if (count > 0 && extends(&ret_pieces[count - 1], &next)) {
            ret_pieces[count - 1].end = next.end;
            continue;
        }
        assert(count < PIECE_MAX);
        ret_pieces[count++] = next;
    }
    return count;
}
