/* chart.c: rows into charts. Knows buckets on any zone's clocks, and how to fill them from tables that are cut by
 * UTC. Knows no tables: read/scan.c finds the rows. */
#include "store/sqlite/read/scan.h"

#include "report/bucket.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* A chart on its way. */
struct filling {
    struct sqlite_reader *reader;
    const struct scan *scan;
    const struct report_filter *filter;
    enum granularity granularity;
    enum scan_source source;
    enum tier widest;   /* that is read */
    struct chart chart; /* every bucket of the range, ascending */
    int64_t *starts;    /* of the buckets, Unix seconds */
    size_t near;        /* where the last row went: rows come nearly in order */
    struct fault *fault;
};

/* The widest tier whose buckets nest in a chart's. */
static enum tier widest_tier(enum granularity granularity)
{
    if (granularity <= GRANULARITY_15M)
        return TIER_QUARTER;
    return granularity == GRANULARITY_HOUR ? TIER_HOUR : TIER_DAY;
}

/* ---- one reading of the whole range ---- */

static void add_row(struct totals *totals, const struct scan_row *row)
{
    struct totals more = row->totals;
    more.first = more.last = row->at; /* marks them as those of some logs */
    totals_add(totals, &more);
}

/* The last bucket that begins at or before `at`. */
static size_t find_bucket(const struct filling *filling, int64_t at)
{
    size_t i = filling->starts[filling->near] <= at ? filling->near : 0;
    while (i + 1 < filling->chart.count && filling->starts[i + 1] <= at)
        i++;
    return i;
}

static enum err range_sink(void *ctx, const struct scan_row *row)
{
    struct filling *filling = ctx;
    filling->near = find_bucket(filling, row->at);
    add_row(&filling->chart.points[filling->near].totals, row);
    return OK;
}

static enum err scan_part(const struct filling *filling, int64_t from, int64_t to, scan_sink sink, void *ctx)
{
    struct scan_order order = {
        .source = filling->source, .widest = filling->widest, .from = from, .to = to, .sink = sink, .ctx = ctx};
    return from < to ? scan_run(filling->reader, filling->scan, &order, filling->fault) : OK;
}

/* ---- other clocks: bucket by bucket, from the widest tiers that lie in each ---- */

static enum err sum_sink(void *ctx, const struct scan_row *row)
{
    add_row(ctx, row);
    return OK;
}

static enum err add_part(const struct filling *filling, int64_t from, int64_t to, struct totals *totals)
{
    return scan_part(filling, from, to, sum_sink, totals);
}

/* A day without one part of it. False when the difference cannot decide it: whether any logs are left when the sums are
 * 0, and how high max_concurrency is when the part has the day's. */
static bool subtract(const struct report_filter *filter, const struct totals *day, const struct totals *part,
                     struct totals *ret_rest)
{
    struct totals rest = *day;
    if (totals_are_none(part)) {
        *ret_rest = rest;
        return true;
    }
    rest.count -= part->count;
    rest.bytes_sent -= part->bytes_sent;
    rest.bytes_received -= part->bytes_received;
    rest.errors -= part->errors;
    rest.duration_ms -= part->duration_ms;
    if (rest.count == 0 && rest.bytes_sent == 0 && rest.bytes_received == 0 && rest.errors == 0)
        return false;
    if (!filter->sums_only && day->max_concurrency > 0 && part->max_concurrency == day->max_concurrency)
        return false;
    *ret_rest = rest;
    return true;
}

/* The two parts of the UTC day `day`, before and after the instant `cut`. Reads only the hours of the shorter part if
 * the difference to the day's row gives the other. */
static enum err split_day(const struct filling *filling, int64_t day, int64_t cut, struct totals *ret_before,
                          struct totals *ret_after)
{
    int64_t end = day + WHEN_DAY;
    bool after_is_short = end - cut < cut - day;
    struct totals whole = TOTALS_NONE, part = TOTALS_NONE;
    enum err err = add_part(filling, day, end, &whole);
    if (!err && !totals_are_none(&whole))
        err = add_part(filling, after_is_short ? cut : day, after_is_short ? end : cut, &part);
    struct totals rest = TOTALS_NONE;
    if (!err && !subtract(filling->filter, &whole, &part, &rest))
        err = add_part(filling, after_is_short ? day : cut, after_is_short ? cut : end, &rest);
    *ret_before = after_is_short ? rest : part;
    *ret_after = after_is_short ? part : rest;
    return err;
}

/* Adds what lies between *done and `end`, where a bucket ends; the next bucket ends at `next_end`. Where `end` cuts a
 * closed day, the whole day is done at once, and *ret_after is the next bucket's share. */
static enum err add_until(const struct filling *filling, int64_t *done, int64_t end, int64_t next_end,
                          struct totals *totals, struct totals *ret_after)
{
    int64_t day = when_floor(end, WHEN_DAY), day_end = day + WHEN_DAY;
    bool splits = end > day && day >= *done && day_end <= next_end && day_end <= filling->filter->to &&
                  day_end <= filling->scan->closed_day * WHEN_DAY;
    *ret_after = TOTALS_NONE;
    enum err err = add_part(filling, *done, splits ? day : end, totals);
    struct totals before = TOTALS_NONE;
    if (!err && splits)
        err = split_day(filling, day, end, &before, ret_after);
    totals_add(totals, &before);
    *done = splits ? day_end : end;
    return err;
}

static enum err fill_wide(struct filling *filling)
{
    const struct report_filter *filter = filling->filter;
    struct totals carried = TOTALS_NONE;
    int64_t done = filter->from, at = filter->from;
    enum err err = OK;
    for (size_t i = 0; !err && at < filter->to; i++) {
        int64_t end = bucket_at(filter->zone, filling->granularity, at).end;
        int64_t next_end = bucket_at(filter->zone, filling->granularity, end).end;
        struct totals *totals = &filling->chart.points[i].totals;
        totals_add(totals, &carried);
        err = add_until(filling, &done, end < filter->to ? end : filter->to, next_end, totals, &carried);
        at = end;
    }
    return err;
}

static enum err fill_narrow(struct filling *filling)
{
    const struct report_filter *filter = filling->filter;
    int64_t at = filter->from;
    enum err err = OK;
    for (size_t i = 0; !err && at < filter->to; i++) {
        int64_t end = bucket_at(filter->zone, filling->granularity, at).end;
        err = add_part(filling, at, end < filter->to ? end : filter->to, &filling->chart.points[i].totals);
        at = end;
    }
    return err;
}

/* Where the buckets begin; the first one counts from the range's beginning on. */
static enum err find_starts(struct filling *filling)
{
    const struct report_filter *filter = filling->filter;
    filling->starts = calloc(filling->chart.count + 1, sizeof *filling->starts);
    if (!filling->starts)
        return fault_set(filling->fault, ERR_UNAVAILABLE, "out of memory");
    int64_t at = filter->from;
    for (size_t i = 0; at < filter->to; i++) {
        filling->starts[i] = at;
        at = bucket_at(filter->zone, filling->granularity, at).end;
    }
    return OK;
}

/* Do the tier's buckets nest in the chart's? */
static bool nests(const struct filling *filling, enum tier tier)
{
    for (size_t i = 1; i < filling->chart.count; i++)
        if (filling->starts[i] % tier_width(tier) != 0)
            return false;
    return true;
}

/* Buckets of an hour and less on other clocks than UTC begin with a quarter of an hour, if not with an hour. Those
 * narrower than a quarter are cut out of single logs, which have their second. */
static enum err fill(struct filling *filling)
{
    const struct report_filter *filter = filling->filter;
    filling->widest = widest_tier(filling->granularity);
    while (filling->widest > TIER_QUARTER && filling->granularity < GRANULARITY_DAY && !nests(filling, filling->widest))
        filling->widest--;
    bool is_nested = filling->granularity < GRANULARITY_15M || nests(filling, filling->widest);
    if (filter->from < filter->to && is_nested)
        return scan_part(filling, filter->from, filter->to, range_sink, filling);
    return filling->granularity < GRANULARITY_DAY ? fill_narrow(filling) : fill_wide(filling);
}

/* A bucket narrower than a quarter is cut out of single logs. */
static enum scan_source chart_source(const struct report_filter *filter, enum granularity granularity)
{
    enum scan_source source = scan_source_of(filter);
    return source == SCAN_TRAFFIC && granularity < GRANULARITY_15M ? SCAN_DOMAINS : source;
}

enum err sqlite_chart(struct sqlite_reader *reader, const struct report_filter *filter, enum granularity granularity,
                      bool fill_zero, struct chart *ret_chart, struct fault *fault)
{
    struct scan scan;
    struct filling filling = {.reader = reader,
                              .scan = &scan,
                              .filter = filter,
                              .granularity = granularity,
                              .source = chart_source(filter, granularity),
                              .fault = fault};
    enum err err = scan_begin(reader, filter, false, &scan, fault);
    if (!err && granularity < GRANULARITY_15M)
        err = scan_check_kept(&scan, fault);
    if (!err)
        err = chart_make(filter, granularity, &filling.chart, fault);
    if (!err)
        err = find_starts(&filling);
    if (!err)
        err = fill(&filling);
    free(filling.starts);
    scan_end(reader, &scan);
    if (err) {
        chart_release(&filling.chart);
        return err;
    }
    if (!fill_zero)
        chart_drop_empty(&filling.chart);
    for (size_t i = 0; i < filling.chart.count; i++)
        filling.chart.points[i].totals = scan_answer(reader, &filling.chart.points[i].totals);
    *ret_chart = filling.chart;
    return OK;
}
