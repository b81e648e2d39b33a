/* report.h: what a report asks and what it answers, typed. Knows no SQL, no HTTP, no JSON. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "base/err.h"
#include "base/limit.h"
#include "base/text.h"
#include "log/batch.h"
#include "report/dimension.h"
#include "time/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Logs with this value: the member of the dimension's kind counts. */
struct report_term {
    bool is_set;
    bool is_below;     /* of a domain: and all domains below it */
    struct slice text; /* borrowed; may be empty, for logs without a value */
    int64_t number;
    struct ip ip;
};

/* Which logs count. */
struct report_filter {
    int64_t from; /* Unix seconds; from <= ts < to */
    int64_t to;
    int64_t user_id;     /* 0: everyone */
    int64_t order_id;    /* 0: every order */
    bool has_domain;     /* false: every domain */
    bool is_below;       /* and all domains below it */
    struct slice domain; /* normalised by domain_normalise; borrowed */
    bool has_error;      /* false: every log, with an error or without */
    struct slice error;  /* not empty; borrowed */
    struct report_term terms[TERMS];
    struct report_term without[DIMENSIONS]; /* no logs with one of these */
    const struct zone *zone;                /* whose clocks cut a chart into buckets; NULL: UTC; borrowed */
    bool sums_only;                         /* a chart's max_concurrency is not looked at, and may be too high */
    bool durations;                         /* duration_ms is looked at */
};

/* Is it filtered by what only single logs know? Logs without an error stand in no sums of their own. With `of_errors`,
 * only logs that name one are asked for. */
bool filter_needs_logs(const struct report_filter *filter, bool of_errors);

/* Does it ask for everyone's logs, whatever they are? */
bool filter_is_empty(const struct report_filter *filter);

/* Says ERR_LOGS_PRUNED: what is asked is answered from `kept` on, Unix seconds. */
enum err filter_refuse(const struct report_filter *filter, int64_t kept, struct fault *fault);

/* What it asks for of any dimension, as a term. */
struct report_term filter_term(const struct report_filter *filter, enum dimension by);

/* Does it exclude anything, or ask for all domains below one? */
bool filter_has_conditions(const struct report_filter *filter);

/* How wide a chart's buckets are. Weeks start on Monday. */
enum granularity {
    GRANULARITY_1M,
    GRANULARITY_5M,
    GRANULARITY_15M,
    GRANULARITY_HOUR,
    GRANULARITY_DAY,
    GRANULARITY_WEEK,
    GRANULARITY_MONTH
};

/* Of sums that do not know how long their logs took. */
#define DURATION_UNKNOWN INT64_C(-1)

/* The measures of a group of logs. All but max_concurrency, first and last are sums. */
struct totals {
    int64_t count;
    int64_t bytes_sent;
    int64_t bytes_received;
    int64_t errors;
    int64_t max_concurrency; /* the highest single value reported */
    int64_t duration_ms;     /* in an answer perhaps DURATION_UNKNOWN */
    int64_t first;           /* ts of the earliest and the latest log; INT64_MAX and INT64_MIN for no logs */
    int64_t last;
};

/* The totals of no logs. */
#define TOTALS_NONE ((struct totals){.first = INT64_MAX, .last = INT64_MIN})

static inline bool totals_are_none(const struct totals *totals)
{
    return totals->first == INT64_MAX;
}

/* Adds `more`. Sums can't overflow: the store refuses a batch that would take its grand total past 2^63-1. (What a
 * damaged file holds may; it wraps.) */
void totals_add(struct totals *totals, const struct totals *more);

/* The same, but false when a sum would pass 2^63-1, or that of the bytes both ways would; then nothing is added. */
bool totals_add_within(struct totals *totals, const struct totals *more);

/* Both ways. */
int64_t totals_bytes(const struct totals *totals);

struct chart_point {
    int64_t bucket; /* its beginning as the zone's clocks show it (zone_clock); may lie before `from` */
    struct totals totals;
};

/* Ascending in time. In an hour that the clocks show twice, two have the same `bucket`. */
struct chart {
    struct chart_point *points;
    size_t count;
};
void chart_release(struct chart *chart);

enum list_order { ORDER_BYTES, ORDER_COUNT, ORDER_ERRORS, ORDER_ERROR_RATE, ORDER_DURATION };

/* Errors for a thousand million requests, rounded down; INT64_MAX for errors without requests. What lists by error rate
 * are ranked by. */
int64_t totals_error_rate(const struct totals *totals);

/* Milliseconds a request, rounded down: what lists by duration are ranked by. 0 without requests, and for
 * DURATION_UNKNOWN. */
int64_t totals_avg_duration(const struct totals *totals);

#define LIST_ALL UINT64_MAX

/* Which list, in which order (descending, ties by name in byte order), and which of its rows. Totals and the sums of
 * other rows are those of the list. */
struct list_ask {
    enum dimension by;
    bool samples; /* of BY_ERROR: only logs that name an error count, and each row has samples */
    enum list_order order;
    struct slice containing; /* only values that contain it, by slice_contains_nocase; empty: all; borrowed */
    uint64_t offset;
    uint64_t limit; /* LIST_ALL: to the end */
};

/* Can only single logs answer it? Everyone's sums tell by the day what value they have in most dimensions. */
bool list_needs_logs(const struct report_filter *filter, const struct list_ask *ask);

/* All of it is borrowed while a sink has it. */
struct list_row {
    const char *name; /* the value as text: NUL-terminated UTF-8 */
    struct totals totals;
    const char *const *samples; /* domains, those with the most such errors first */
    size_t sample_count;
};

/* Takes a list, row by row, so that nobody has to hold it. An error ends the list, and is its outcome. */
struct list_sink {
    enum err (*begin)(void *ctx, uint64_t total, struct fault *fault); /* distinct values, on all pages */
    enum err (*row)(void *ctx, const struct list_row *row, struct fault *fault);
    void *ctx;
};

/* docs/api.md, Charts: up to 24 h 15 minutes, up to 7 days an hour, longer a day. */
enum granularity granularity_for(int64_t from, int64_t to);

#endif
