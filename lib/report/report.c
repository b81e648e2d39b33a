/* report.c: what a report asks and what it answers. Knows arithmetic and ownership. Knows no SQL, no HTTP. */
#include "report/report.h"

#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* The store keeps all sums below 2^63; a damaged file may not, and then gives a wrong answer, not an undefined one. */
static int64_t sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

void totals_add(struct totals *totals, const struct totals *more)
{
    totals->count = sum(totals->count, more->count);
    totals->bytes_sent = sum(totals->bytes_sent, more->bytes_sent);
    totals->bytes_received = sum(totals->bytes_received, more->bytes_received);
    totals->errors = sum(totals->errors, more->errors);
    totals->duration_ms = sum(totals->duration_ms, more->duration_ms);
    if (more->max_concurrency > totals->max_concurrency)
        totals->max_concurrency = more->max_concurrency;
    if (more->first < totals->first)
        totals->first = more->first;
    if (more->last > totals->last)
        totals->last = more->last;
}

static bool fits(int64_t a, int64_t b)
{
    int64_t ignored;
    return !__builtin_add_overflow(a, b, &ignored);
}

bool totals_add_within(struct totals *totals, const struct totals *more)
{
    bool all_fit = fits(totals->count, more->count) && fits(totals->bytes_sent, more->bytes_sent) &&
                   fits(totals->bytes_received, more->bytes_received) && fits(totals->errors, more->errors) &&
                   fits(totals->duration_ms, more->duration_ms) &&
                   fits(totals->bytes_sent + more->bytes_sent, totals->bytes_received + more->bytes_received);
    if (all_fit)
        totals_add(totals, more);
    return all_fit;
}

int64_t totals_bytes(const struct totals *totals)
{
    return sum(totals->bytes_sent, totals->bytes_received);
}

int64_t totals_error_rate(const struct totals *totals)
{
    __extension__ typedef unsigned __int128 wide;
    if (totals->errors <= 0)
        return 0;
    if (totals->count <= 0)
        return INT64_MAX;
    wide rate = (wide)totals->errors * 1000000000u / (wide)totals->count;
    return rate < INT64_MAX ? (int64_t)rate : INT64_MAX;
}

int64_t totals_avg_duration(const struct totals *totals)
{
    return totals->count > 0 && totals->duration_ms > 0 ? totals->duration_ms / totals->count : 0;
}

bool filter_needs_logs(const struct report_filter *filter, bool of_errors)
{
    for (size_t i = 0; i < TERMS; i++)
        if (filter->terms[i].is_set || filter->without[i].is_set)
            return true;
    return filter->without[BY_ERROR].is_set && !filter->has_error && !of_errors;
}

struct report_term filter_term(const struct report_filter *filter, enum dimension by)
{
    if (by == BY_USER)
        return (struct report_term){.is_set = filter->user_id != 0, .number = filter->user_id};
    if (by == BY_ORDER)
        return (struct report_term){.is_set = filter->order_id != 0, .number = filter->order_id};
    if (by == BY_ERROR)
        return (struct report_term){.is_set = filter->has_error, .text = filter->error};
    if (by == BY_DOMAIN)
        return (struct report_term){filter->has_domain, filter->is_below, .text = filter->domain};
    return filter->terms[by];
}

bool filter_has_conditions(const struct report_filter *filter)
{
    for (size_t i = 0; i < DIMENSIONS; i++)
        if (filter->without[i].is_set)
            return true;
    return filter->has_domain && filter->is_below;
}

bool filter_is_empty(const struct report_filter *filter)
{
    return !filter->user_id && !filter->order_id && !filter->has_domain && !filter->has_error &&
           !filter_needs_logs(filter, false) && !filter_has_conditions(filter);
}

enum err filter_refuse(const struct report_filter *filter, int64_t kept, struct fault *fault)
{
    char asked_text[WHEN_TEXT_BYTES], kept_text[WHEN_TEXT_BYTES];
    when_format(filter->from, asked_text);
    when_format(kept, kept_text);
    return fault_set(fault, ERR_LOGS_PRUNED,
                     "from must be %s UTC or later, but is %s UTC: only single logs answer this, and older ones are no "
                     "longer kept",
                     kept_text, asked_text);
}

bool list_needs_logs(const struct report_filter *filter, const struct list_ask *ask)
{
    switch (ask->by) {
    case BY_IP_FROM:
        return true;
    case BY_ORDER:
    case BY_USER:
    case BY_DOMAIN:
        return filter_needs_logs(filter, false);
    default:
        return ask->samples ? filter_needs_logs(filter, true) : !filter_is_empty(filter);
    }
}

void chart_release(struct chart *chart)
{
    free(chart->points);
    *chart = (struct chart){0};
}

enum granularity granularity_for(int64_t from, int64_t to)
{
    if (to - from <= WHEN_DAY)
        return GRANULARITY_15M;
    return to - from <= INT64_C(7) * WHEN_DAY ? GRANULARITY_HOUR : GRANULARITY_DAY;
}
