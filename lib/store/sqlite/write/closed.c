/* closed.c: what is closed, packed and kept, for those who pack and those who add late logs. Knows no table. */
#include "store/sqlite/write/closed.h"

#include "time/when.h"

#include "base/banned.h"

bool sqlite_is_kept(const struct writer_closed *closed, enum tier tier, int64_t bucket)
{
    int64_t day = tier <= TIER_HOUR ? closed->horizons.hour_from : closed->horizons.day_from;
    return bucket * tier_width(tier) >= day * tier_width(TIER_DAY);
}

static bool is_waiting(const struct packing *packing, int64_t user)
{
    size_t low = packing->next, high = packing->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (packing->users[middle] < user)
            low = middle + 1;
        else
            high = middle;
    }
    return low < packing->count && packing->users[low] == user;
}

/* Users of the period that is being packed count as packed once their turn is over, or when they had no logs in it.
 * Narrower periods that end with the same day are packed for all users. */
static bool is_packed_so_far(const struct packing *packing, enum tier tier, int64_t bucket, int64_t user)
{
    if (!packing->active || tier > packing->tier)
        return false;
    if (tier == packing->tier)
        return bucket == packing->bucket && !is_waiting(packing, user);
    int64_t last = (packing->bucket + 1) * (tier_width(packing->tier) / tier_width(tier)) - 1;
    return bucket == last;
}

bool sqlite_is_packed(const struct writer_closed *closed, enum tier tier, int64_t bucket, int64_t user)
{
    if (!sqlite_is_kept(closed, tier, bucket))
        return false;
    int64_t end = (bucket + 1) * tier_width(tier);
    if (tier == TIER_HOUR)
        return end <= closed->hour * WHEN_HOUR;
    return end <= closed->day * WHEN_DAY || is_packed_so_far(&closed->packing, tier, bucket, user);
}

void sqlite_reopen(struct writer_closed *closed)
{
    closed->hour = closed->horizons.raw_from * 24;
    closed->day = closed->horizons.raw_from;
    closed->packing.active = false;
}
