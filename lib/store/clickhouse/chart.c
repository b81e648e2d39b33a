/* chart.c: groups of seconds into charts. Knows how wide a group may be, so that it lies in one bucket. The buckets of
 * local clocks are made by report/: ClickHouse's own time zones may have other rules. */
#include "store/clickhouse/reader.h"

#include "report/bucket.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define GROUP_BYTES 64

/* Where each bucket begins, beside the chart. */
struct grid {
    struct chart chart;
    int64_t *begins;
    int64_t width; /* of a group, seconds */
};

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The widest groups, from 1970 on, of which none lies in two buckets. Edges of the range need no care: seconds outside
 * of it are in no group. */
static int64_t group_width(const struct grid *grid)
{
    int64_t width = WHEN_DAY;
    for (size_t i = 1; i < grid->chart.count; i++)
        width = common_divisor(width, grid->begins[i]);
    return width;
}

static enum err make_grid(const struct report_filter *filter, enum granularity granularity, struct grid *ret_grid,
                          struct fault *fault)
{
    enum err err = chart_make(filter, granularity, &ret_grid->chart, fault);
    if (err)
        return err;
    ret_grid->begins = calloc(ret_grid->chart.count + 1, sizeof *ret_grid->begins);
    if (!ret_grid->begins)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    int64_t at = filter->from;
    for (size_t i = 0; i < ret_grid->chart.count; i++) {
        struct bucket bucket = bucket_at(filter->zone, granularity, at);
        ret_grid->begins[i] = bucket.begin;
        at = bucket.end;
    }
    ret_grid->width = group_width(ret_grid);
    return OK;
}

static void release_grid(struct grid *grid)
{
    chart_release(&grid->chart);
    free(grid->begins);
}

/* The last bucket that begins at or before `at`. */
static size_t find_bucket(const struct grid *grid, int64_t at)
{
    size_t low = 0, high = grid->chart.count;
    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (grid->begins[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static enum err add_rows(struct grid *grid, const struct report_filter *filter, const struct rows *rows,
                         struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < rows->count; i++) {
        int64_t group = 0;
        err = rows_i64(rows, i, 0, &group, fault);
        struct totals totals;
        if (!err)
            err = reader_totals(rows, i, 1, &totals, fault);
        if (!err && (totals.first < filter->from || totals.last >= filter->to))
            err = fault_set(fault, ERR_UNAVAILABLE, "ClickHouse answered with logs outside of the range");
        if (!err)
            totals_add(&grid->chart.points[find_bucket(grid, totals.first)].totals, &totals);
    }
    return err;
}

static enum err fill(struct clickhouse_reader *reader, const struct report_filter *filter, enum granularity granularity,
                     struct grid *grid, struct fault *fault)
{
    struct buf *sql;
    enum err err = reader_begin(reader, &sql, fault);
    struct report_filter kept;
    if (!err)
        err = reader_clip(reader, filter, granularity < GRANULARITY_15M || filter_needs_logs(filter, false), &kept,
                          fault);
    if (err || kept.from >= kept.to)
        return err;
    char by_logs[GROUP_BYTES], by_sums[GROUP_BYTES];
    snprintf(by_logs, sizeof by_logs, "intDiv(ts, %" PRId64 ") AS b", grid->width);
    snprintf(by_sums, sizeof by_sums, "intDiv(bucket, %" PRId64 ") AS b", grid->width);
    struct cover_ask ask = reader_cover(reader, &kept);
    ask.by_logs = by_logs;
    ask.by_sums = by_sums;
    ask.group = "b";
    ask.width = grid->width;
    cover_put(sql, &ask);
    struct rows rows;
    err = reader_ask(reader, 1 + SQL_MEASURE_COUNT, &rows, fault);
    if (err)
        return err;
    err = add_rows(grid, filter, &rows, fault);
    rows_release(&rows);
    return err;
}

enum err clickhouse_chart(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                          bool fill_zero, struct chart *ret_chart, struct fault *fault)
{
    struct grid grid = {0};
    enum err err = make_grid(filter, granularity, &grid, fault);
    if (!err && filter->from < filter->to)
        err = fill(clickhouse_reader_of(reader), filter, granularity, &grid, fault);
    if (!err) {
        *ret_chart = grid.chart;
        grid.chart = (struct chart){0};
        if (!fill_zero)
            chart_drop_empty(ret_chart);
    }
    release_grid(&grid);
    return err;
}

/* ---- everything in one row ---- */

/* Without a group, and with a constant one, there would be a row of no logs. */
#define ONE_GROUP "toInt64(day < 0) AS b"

static enum err add_all(const struct rows *rows, struct totals *totals, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < rows->count; i++) {
        struct totals more;
        err = reader_totals(rows, i, 1, &more, fault);
        if (!err)
            totals_add(totals, &more);
    }
    return err;
}

enum err clickhouse_summary(struct store_reader *base, const struct report_filter *filter, struct totals *ret_totals,
                            struct fault *fault)
{
    struct clickhouse_reader *reader = clickhouse_reader_of(base);
    struct totals totals = TOTALS_NONE;
    struct buf *sql;
    enum err err = reader_begin(reader, &sql, fault);
    struct report_filter kept;
    if (!err)
        err = reader_clip(reader, filter, filter_needs_logs(filter, false), &kept, fault);
    if (err)
        return err;
    struct cover_ask ask = reader_cover(reader, &kept);
    ask.by_logs = ask.by_sums = ONE_GROUP;
    ask.group = "b";
    if (cover_put(sql, &ask) > 0) {
        struct rows rows;
        err = reader_ask(reader, 1 + SQL_MEASURE_COUNT, &rows, fault);
        if (err)
            return err;
        err = add_all(&rows, &totals, fault);
        rows_release(&rows);
    }
    if (!err)
        *ret_totals = totals;
    return err;
}
