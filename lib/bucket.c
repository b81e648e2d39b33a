/* bucket.c: a chart's buckets on the clocks of a zone. Knows how they lie where clocks are changed. Knows no logs and
 * no SQL. */
#include "bucket.h"

#include "tier.h"

#include "banned.h"

/* Quarters and hours. Where the clocks are changed, one ends and another begins. */
static struct bucket narrow(const struct zone *zone, enum granularity granularity, int64_t at)
{
    struct zone_span span = zone_span_at(zone, at);
    int64_t label = granularity_floor(granularity, at + span.offset);
    int64_t begin = label - span.offset, end = granularity_next(granularity, label) - span.offset;
    return (struct bucket){label, begin > span.begin ? begin : span.begin, end < span.end ? end : span.end};
}

/* Days and wider. Where clocks went back over midnight, the new day has begun all the same. */
static struct bucket wide(const struct zone *zone, enum granularity granularity, int64_t at)
{
    int64_t label = granularity_floor(granularity, zone_clock(zone, at));
    int64_t next = granularity_next(granularity, label), end = zone_first(zone, next);
    while (end <= at) {
        label = next;
        next = granularity_next(granularity, label);
        end = zone_first(zone, next);
    }
    return (struct bucket){label, zone_first(zone, label), end};
}

struct bucket bucket_at(const struct zone *zone, enum granularity granularity, int64_t at)
{
    if (granularity == GRANULARITY_15M || granularity == GRANULARITY_HOUR)
        return narrow(zone, granularity, at);
    return wide(zone, granularity, at);
}

enum granularity bucket_granularity(const struct zone *zone, int64_t from, int64_t to)
{
    int64_t lasts = to - from, shown = zone_clock(zone, to) - zone_clock(zone, from);
    return granularity_for(0, shown < lasts ? shown : lasts);
}
