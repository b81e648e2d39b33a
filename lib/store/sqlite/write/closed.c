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
    const int64_t *users = packing->listed.users;
    size_t low = packing->next, high = packing->listed.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (users[middle] < user)
            low = middle + 1;
        else
            high = middle;
    }
    return low < packing->listed.count && users[low] == user;
}

/* Has the walk come past this log of the user? */
static bool is_behind(const struct user_walk *walk, int64_t at, int64_t user)
{
    return user < walk->user_from || (user <= walk->user_to && at / WHEN_QUARTER < walk->quarter);
}

/* Users of the period that is being packed count as packed once their turn is over, or when they had no logs in it.
 * Narrower periods that end with the same day are packed for all users. */
static bool is_packed_so_far(const struct writer_closed *closed, enum tier tier, int64_t at, int64_t user)
{
    const struct packing *packing = &closed->packing;
    int64_t bucket = tier_bucket(tier, at);
    if (!packing->active || tier > packing->tier)
        return false;
    if (tier == packing->tier && tier == TIER_DAY)
        return bucket == packing->bucket && closed->walk.is_active && is_behind(&closed->walk, at, user);
    if (tier == packing->tier)
        return bucket == packing->bucket && !is_waiting(packing, user);
    int64_t last = (packing->bucket + 1) * (tier_width(packing->tier) / tier_width(tier)) - 1;
    return bucket == last;
}

/* Everyone has sums of each closed hour, users of those whose logs are gone, or about to go. */
static bool is_hour_packed(const struct writer_closed *closed, int64_t at, int64_t user)
{
    int64_t hour = at / WHEN_HOUR;
    if (user == 0)
        return hour < closed->hour;
    const struct user_walk *walk = &closed->walk;
    bool is_walked = walk->is_active && walk->tier == TIER_HOUR && hour == walk->bucket;
    return hour < closed->user_hour || (is_walked && is_behind(walk, at, user));
}

bool sqlite_is_packed(const struct writer_closed *closed, enum tier tier, int64_t at, int64_t user)
{
    int64_t bucket = tier_bucket(tier, at);
    if (!sqlite_is_kept(closed, tier, bucket))
        return false;
    if (tier == TIER_HOUR)
        return is_hour_packed(closed, at, user);
    int64_t end = (bucket + 1) * tier_width(tier);
    return end <= closed->day * WHEN_DAY || is_packed_so_far(closed, tier, at, user);
}

bool sqlite_day_waits(const struct writer_closed *closed)
{
    return closed->day < closed->hour / 24;
}

void sqlite_reopen(struct writer_closed *closed)
{
    closed->hour = closed->horizons.raw_from * 24;
    closed->day = closed->horizons.raw_from;
    closed->packing.active = closed->walk.is_active = false;
    sqlite_forget_user_hours(closed);
}

void sqlite_forget_user_hours(struct writer_closed *closed)
{
    closed->user_hour = closed->horizons.raw_from * 24;
    closed->walk.is_active = closed->walk.is_active && closed->walk.tier != TIER_HOUR;
}
