/* summary.c: the totals of a whole range, and when its first and its last log was. Knows how a log's second is
 * found from sums that don't tell it. Knows no tables: read/scan.c finds the rows. */
#include "store/sqlite/read/scan.h"

#include "time/when.h"

#include "base/banned.h"

struct span {
    int64_t from, to;
};

/* Rows of SCAN_TRAFFIC have only their bucket. `first` and `last` are then buckets in which to look for the log. */
static enum err bucket_sink(void *ctx, const struct scan_row *row)
{
    struct totals totals = row->totals;
    totals.first = totals.last = row->at;
    totals_add(ctx, &totals);
    return OK;
}

static enum err log_sink(void *ctx, const struct scan_row *row)
{
    totals_add(ctx, &row->totals);
    return OK;
}

static enum err add_up(struct sqlite_reader *reader, const struct scan *scan, enum scan_source source, enum tier widest,
                       const struct span *span, struct totals *totals, struct fault *fault)
{
    struct scan_order order = {.source = source,
                               .widest = widest,
                               .from = span->from,
                               .to = span->to,
                               .sink = source == SCAN_TRAFFIC ? bucket_sink : log_sink,
                               .ctx = totals};
    *totals = TOTALS_NONE;
    return scan_run(reader, scan, &order, fault);
}

/* The bucket of the tier that begins at `at`, as far as the range goes. */
static struct span clip(const struct report_filter *filter, int64_t at, enum tier tier)
{
    int64_t end = at + tier_width(tier);
    return (struct span){at > filter->from ? at : filter->from, end < filter->to ? end : filter->to};
}

/* The first and last second as the quarter's row has them, in *ret_totals. None when the range asks for a part of the
 * quarter, for one order, or for some of the users. Where logs are gone, a range always has the whole quarter. */
static enum err ask_quarter(struct sqlite_reader *reader, const struct scan *scan, const struct span *span,
                            struct totals *ret_totals, struct fault *fault)
{
    *ret_totals = TOTALS_NONE;
    bool whole = span->from % WHEN_QUARTER == 0 && span->to - span->from == WHEN_QUARTER;
    bool is_kept = span->from >= scan->hour_from; /* else it may be there still, and waits to be deleted */
    bool is_one = scan->user_count == 1 && !scan->filter->order_id; /* row that has all its logs */
    if (!is_one || !is_kept || (!whole && span->from >= scan->raw_from))
        return OK;
    int64_t first = 0, last = -1;
    enum err err = scan_seconds(reader, scan->users[0], span->from / WHEN_QUARTER, &first, &last, fault);
    if (!err && last >= 0) {
        ret_totals->first = span->from + first;
        ret_totals->last = span->from + last;
    }
    return err;
}

/* The first and the last second of the logs in what is left to look at. */
static enum err find_seconds(struct sqlite_reader *reader, const struct scan *scan, enum tier tier,
                             const struct span *span, struct totals *ret_totals, struct fault *fault)
{
    *ret_totals = TOTALS_NONE;
    enum err err = tier == TIER_QUARTER ? ask_quarter(reader, scan, span, ret_totals, fault) : OK;
    if (err || ret_totals->first != INT64_MAX)
        return err;
    return add_up(reader, scan, SCAN_DOMAINS, tier, span, ret_totals, fault);
}

/* `at` is the bucket that the log lies in, at most a day wide. A wider bucket is searched by its hours, and these by
 * their quarters. Where those are not kept, the sums by domain have the time. */
static enum err find_log(struct sqlite_reader *reader, const struct scan *scan, bool last, int64_t at,
                         int64_t *ret_second, struct fault *fault)
{
    enum tier tier = TIER_DAY;
    struct span span = clip(scan->filter, at, tier);
    struct totals totals = TOTALS_NONE;
    enum err err = OK;
    while (!err && tier > TIER_QUARTER) {
        err = add_up(reader, scan, SCAN_TRAFFIC, tier - 1, &span, &totals, fault);
        if (err || totals_are_none(&totals))
            break;
        span = clip(scan->filter, last ? totals.last : totals.first, --tier);
    }
    if (!err)
        err = find_seconds(reader, scan, tier, &span, &totals, fault);
    if (!err)
        *ret_second = last ? totals.last : totals.first;
    return err;
}

static enum err sum_traffic(struct sqlite_reader *reader, const struct scan *scan, const struct span *span,
                            struct totals *totals, struct fault *fault)
{
    enum err err = add_up(reader, scan, SCAN_TRAFFIC, TIER_DAY, span, totals, fault);
    if (err || totals_are_none(totals))
        return err;
    err = find_log(reader, scan, false, totals->first, &totals->first, fault);
    return err ? err : find_log(reader, scan, true, totals->last, &totals->last, fault);
}

enum err sqlite_summary(struct sqlite_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                        struct fault *fault)
{
    struct span all = {filter->from, filter->to};
    struct totals totals = TOTALS_NONE;
    struct scan scan;
    enum err err = scan_begin(reader, filter, false, &scan, fault);
    enum scan_source source = scan_source_of(filter);
    if (!err && source == SCAN_TRAFFIC)
        err = sum_traffic(reader, &scan, &all, &totals, fault);
    else if (!err)
        err = add_up(reader, &scan, source, TIER_16_DAYS, &all, &totals, fault);
    scan_end(reader, &scan);
    if (!err)
        *ret_totals = scan_answer(reader, &totals);
    return err;
}
