/* bucket.h: a chart's buckets on the clocks of a zone. Knows no logs and no SQL. */
#ifndef REPORT_BUCKET_H
#define REPORT_BUCKET_H

#include "report/report.h"
#include "time/zone.h"

#include <stdint.h>

struct bucket {
    int64_t label;      /* its beginning on the clock, as zone_clock counts; what is printed */
    int64_t begin, end; /* instants */
};

/* The whole bucket that `at` lies in; the next one is that of its end. The buckets of a zone follow one another without
 * gap or overlap.
 *
 * A day (week, month) begins when the clocks first show its date, and lasts until they first show a later one's: it may
 * take 23 or 25 hours, and one that no clock showed is left out. Within an hour that comes twice, each time has buckets
 * of its own, with the same labels. */
struct bucket bucket_at(const struct zone *zone, enum granularity granularity, int64_t at);

/* docs/api.md, Charts, for a range of instants: a day is one of quarter hours, though it may take 25 hours. */
enum granularity bucket_granularity(const struct zone *zone, int64_t from, int64_t to);

/* Every bucket of the range, ascending, each with the totals of no logs. ERR_UNAVAILABLE when out of memory. */
enum err chart_make(const struct report_filter *filter, enum granularity granularity, struct chart *ret_chart,
                    struct fault *fault);

/* Leaves out the buckets that have the totals of no logs. */
void chart_drop_empty(struct chart *chart);

#endif
