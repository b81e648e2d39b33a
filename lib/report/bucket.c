/* bucket.c: a chart's buckets on the clocks of a zone. Knows how they lie where clocks are changed. Knows no logs and
 * no SQL. */
#include "report/bucket.h"

#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

static int64_t month_start(int64_t seconds, int months_later)
{
    struct civil civil = when_civil_from_days(when_floor(seconds, WHEN_DAY) / WHEN_DAY);
    civil.day = 1;
    return when_days_from_civil(when_add_months(civil, months_later)) * WHEN_DAY;
}

/* 1970-01-01 was a Thursday: Monday-based weeks begin 3 days before it. */
static int64_t week_start(int64_t seconds)
{
    return when_floor(seconds + 3 * WHEN_DAY, 7 * WHEN_DAY) - 3 * WHEN_DAY;
}

static int64_t floor_of(enum granularity granularity, int64_t seconds)
{
    switch (granularity) {
    case GRANULARITY_1M:
        return when_floor(seconds, 60);
    case GRANULARITY_5M:
        return when_floor(seconds, 300);
    case GRANULARITY_15M:
        return when_floor(seconds, WHEN_QUARTER);
    case GRANULARITY_HOUR:
        return when_floor(seconds, WHEN_HOUR);
    case GRANULARITY_DAY:
        return when_floor(seconds, WHEN_DAY);
    case GRANULARITY_WEEK:
        return week_start(seconds);
    case GRANULARITY_MONTH:
        return month_start(seconds, 0);
    }
    return seconds;
}

static int64_t next_of(enum granularity granularity, int64_t bucket)
{
    switch (granularity) {
    case GRANULARITY_1M:
        return bucket + 60;
    case GRANULARITY_5M:
        return bucket + 300;
    case GRANULARITY_15M:
        return bucket + WHEN_QUARTER;
    case GRANULARITY_HOUR:
        return bucket + WHEN_HOUR;
    case GRANULARITY_DAY:
        return bucket + WHEN_DAY;
    case GRANULARITY_WEEK:
        return bucket + 7 * WHEN_DAY;
    case GRANULARITY_MONTH:
        return month_start(bucket, 1);
    }
    return bucket;
}

/* Minutes, quarters and hours. Where the clocks are changed, one ends and another begins. */
static struct bucket narrow(const struct zone *zone, enum granularity granularity, int64_t at)
{
    struct zone_span span = zone_span_at(zone, at);
    int64_t label = floor_of(granularity, at + span.offset);
    int64_t begin = label - span.offset, end = next_of(granularity, label) - span.offset;
    return (struct bucket){label, begin > span.begin ? begin : span.begin, end < span.end ? end : span.end};
}

/* Days and wider. Where clocks went back over midnight, the new day has begun all the same. */
static struct bucket wide(const struct zone *zone, enum granularity granularity, int64_t at)
{
    int64_t label = floor_of(granularity, zone_clock(zone, at));
    int64_t next = next_of(granularity, label), end = zone_first(zone, next);
    while (end <= at) {
        label = next;
        next = next_of(granularity, label);
        end = zone_first(zone, next);
    }
    return (struct bucket){label, zone_first(zone, label), end};
}

struct bucket bucket_at(const struct zone *zone, enum granularity granularity, int64_t at)
{
    if (granularity <= GRANULARITY_HOUR)
        return narrow(zone, granularity, at);
    return wide(zone, granularity, at);
}

enum granularity bucket_granularity(const struct zone *zone, int64_t from, int64_t to)
{
    int64_t lasts = to - from, shown = zone_clock(zone, to) - zone_clock(zone, from);
    return granularity_for(0, shown < lasts ? shown : lasts);
}

/* ---- charts of empty buckets ---- */

static size_t count_buckets(const struct report_filter *filter, enum granularity granularity)
{
    size_t count = 0;
    for (int64_t at = filter->from; at < filter->to; at = bucket_at(filter->zone, granularity, at).end)
        count++;
    return count;
}

enum err chart_make(const struct report_filter *filter, enum granularity granularity, struct chart *ret_chart,
                    struct fault *fault)
{
    size_t count = count_buckets(filter, granularity);
    struct chart chart = {.points = calloc(count ? count : 1, sizeof *chart.points)};
    if (!chart.points)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (int64_t at = filter->from; chart.count < count;) {
        struct bucket bucket = bucket_at(filter->zone, granularity, at);
        chart.points[chart.count++] = (struct chart_point){.bucket = bucket.label, .totals = TOTALS_NONE};
        at = bucket.end;
    }
    *ret_chart = chart;
    return OK;
}

void chart_drop_empty(struct chart *chart)
{
    size_t kept = 0;
    for (size_t i = 0; i < chart->count; i++)
        if (!totals_are_none(&chart->points[i].totals))
            chart->points[kept++] = chart->points[i];
    chart->count = kept;
}
