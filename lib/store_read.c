/* store_read.c: rows into reports: charts, domains, errors. Knows how rows add up and in which order lists come. Knows
 * no tables: store_scan.c finds the rows. */
#include "store_reader.h"

#include <stdlib.h>
#include <string.h>

#include "banned.h"

/* ---- charts ---- */

struct chart_builder {
    struct chart chart; /* every bucket of the range, ascending */
    size_t near;        /* where the last row went: rows come nearly in order */
};

static size_t count_buckets(const struct report_filter *filter, enum granularity granularity)
{
    size_t count = 0;
    if (filter->from >= filter->to)
        return 0;
    for (int64_t at = granularity_floor(granularity, filter->from); at < filter->to;
         at = granularity_next(granularity, at))
        count++;
    return count;
}

static enum err make_buckets(struct chart *chart, const struct report_filter *filter, enum granularity granularity,
                             struct fault *fault)
{
    size_t count = count_buckets(filter, granularity);
    chart->points = calloc(count ? count : 1, sizeof *chart->points);
    if (!chart->points)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    int64_t at = granularity_floor(granularity, filter->from);
    for (; chart->count < count; at = granularity_next(granularity, at))
        chart->points[chart->count++] = (struct chart_point){.bucket = at, .totals = TOTALS_NONE};
    return OK;
}

/* The last bucket that begins at or before `at`. */
static size_t find_bucket(const struct chart *chart, size_t near, int64_t at)
{
    size_t i = near < chart->count && chart->points[near].bucket <= at ? near : 0;
    while (i + 1 < chart->count && chart->points[i + 1].bucket <= at)
        i++;
    return i;
}

static enum err chart_sink(void *ctx, const struct scan_row *row)
{
    struct chart_builder *builder = ctx;
    struct totals totals = row->totals;
    totals.first = totals.last = row->at; /* marks the bucket as one that has logs */
    builder->near = find_bucket(&builder->chart, builder->near, row->at);
    totals_add(&builder->chart.points[builder->near].totals, &totals);
    return OK;
}

static void drop_empty(struct chart *chart)
{
    size_t kept = 0;
    for (size_t i = 0; i < chart->count; i++)
        if (chart->points[i].totals.first != INT64_MAX)
            chart->points[kept++] = chart->points[i];
    chart->count = kept;
}

enum err store_chart(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                     bool fill_zero, struct chart *ret_chart, struct fault *fault)
{
    struct chart_builder builder = {0};
    struct scan scan;
    enum err err = scan_begin(reader, filter, &scan, fault);
    if (!err)
        err = make_buckets(&builder.chart, filter, granularity, fault);
    if (!err)
        err = scan_run(reader, &scan, filter->has_domain ? SCAN_DOMAINS : SCAN_TRAFFIC, granularity_tier(granularity),
                       chart_sink, &builder, fault);
    scan_end(reader, &scan);
    if (err) {
        chart_release(&builder.chart);
        return err;
    }
    if (!fill_zero)
        drop_empty(&builder.chart);
    *ret_chart = builder.chart;
    return OK;
}

/* ---- lists: ranked by a measure, ties by name ---- */

struct ranked {
    int64_t measure;
    const struct fold_entry *entry;
    char *name; /* filled in only where it is needed; owned */
};

static int by_measure(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    return (a->measure < b->measure) - (a->measure > b->measure);
}

static int by_measure_and_name(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    int order = by_measure(a, b);
    return order ? order : strcmp(a->name, b->name);
}

/* Widens [*begin, *end) to whole groups of equal measure. */
static void widen_to_ties(const struct ranked *list, size_t count, size_t *begin, size_t *end)
{
    while (*begin > 0 && *begin < count && list[*begin - 1].measure == list[*begin].measure)
        --*begin;
    while (*end > 0 && *end < count && list[*end - 1].measure == list[*end].measure)
        ++*end;
}

/* Names are fetched, and ties put in order, only around the page that is asked for. `name_of` gives an entry's id. */
static enum err rank_page(struct store_reader *reader, struct ranked *list, size_t count, size_t begin, size_t end,
                          int64_t (*name_of)(const struct fold_entry *), struct fault *fault)
{
    enum err err = OK;
    if (count > 1)
        qsort(list, count, sizeof *list, by_measure);
    widen_to_ties(list, count, &begin, &end);
    for (size_t i = begin; !err && i < end; i++)
        err = scan_name(reader, name_of(list[i].entry), &list[i].name, fault);
    if (!err && end > begin)
        qsort(list + begin, end - begin, sizeof *list, by_measure_and_name);
    return err;
}

static void free_ranked(struct ranked *list, size_t count)
{
    for (size_t i = 0; list && i < count; i++)
        free(list[i].name);
    free(list);
}

static enum err fold_sink(void *ctx, const struct scan_row *row)
{
    struct fold_key key = {.error = row->error, .domain = row->domain};
    return fold_add(ctx, &key, &row->totals);
}

static enum err domain_sink(void *ctx, const struct scan_row *row)
{
    struct fold_key key = {.domain = row->domain};
    return fold_add(ctx, &key, &row->totals);
}

static int64_t domain_of(const struct fold_entry *entry)
{
    return entry->key.domain;
}

static int64_t error_of(const struct fold_entry *entry)
{
    return entry->key.error;
}

static int64_t domain_measure(const struct totals *totals, enum domain_order order)
{
    return order == DOMAIN_BY_COUNT ? totals->count : totals->bytes_sent + totals->bytes_received;
}

/* ---- domains ---- */

static struct ranked *rank_domains(const struct fold *fold, enum domain_order order)
{
    struct ranked *list = calloc(fold->count ? fold->count : 1, sizeof *list);
    for (size_t i = 0; list && i < fold->count; i++)
        list[i] =
            (struct ranked){.measure = domain_measure(&fold->entries[i].totals, order), .entry = &fold->entries[i]};
    return list;
}

/* Takes the names of list[begin … end). */
static enum err take_domains(struct ranked *list, size_t begin, size_t end, struct domain_list *ret_list,
                             struct fault *fault)
{
    ret_list->rows = calloc(end - begin + 1, sizeof *ret_list->rows);
    if (!ret_list->rows)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t i = begin; i < end; i++) {
        ret_list->rows[ret_list->count++] =
            (struct domain_row){.domain = list[i].name, .totals = list[i].entry->totals};
        list[i].name = NULL;
    }
    return OK;
}

static enum err list_domains(struct store_reader *reader, const struct fold *fold, enum domain_order order,
                             uint64_t offset, size_t limit, struct domain_list *ret_list, struct fault *fault)
{
    struct domain_list page = {.total = fold->count};
    size_t begin = offset < fold->count ? (size_t)offset : fold->count;
    size_t end = limit < fold->count - begin ? begin + limit : fold->count;
    struct ranked *list = rank_domains(fold, order);
    if (!list)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    enum err err = rank_page(reader, list, fold->count, begin, end, domain_of, fault);
    if (!err)
        err = take_domains(list, begin, end, &page, fault);
    free_ranked(list, fold->count);
    if (!err)
        *ret_list = page;
    return err;
}

enum err store_domains(struct store_reader *reader, const struct report_filter *filter, enum domain_order order,
                       uint64_t offset, size_t limit, struct domain_list *ret_list, struct fault *fault)
{
    struct fold fold = {0};
    struct scan scan;
    enum err err = scan_begin(reader, filter, &scan, fault);
    if (!err)
        err = scan_run(reader, &scan, SCAN_DOMAINS, TIER_16_DAYS, domain_sink, &fold, fault);
    if (!err)
        err = list_domains(reader, &fold, order, offset, limit, ret_list, fault);
    scan_end(reader, &scan);
    fold_release(&fold);
    return err;
}

/* ---- errors ---- */

/* (error, domain) pairs, sorted by error: where each error's run begins and what it sums to. */
struct error_run {
    size_t begin;
    size_t end;
};

/* Sums each error over its domains: one entry per error in `ret_errors`. */
static enum err sum_errors(const struct fold *pairs, struct fold *ret_errors, struct fault *fault)
{
    for (size_t i = 0; i < pairs->count; i++) {
        struct fold_key key = {.error = pairs->entries[i].key.error};
        if (fold_add(ret_errors, &key, &pairs->entries[i].totals))
            return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    }
    return OK;
}

static int by_error(const void *left, const void *right)
{
    const struct fold_entry *a = left, *b = right;
    return (a->key.error > b->key.error) - (a->key.error < b->key.error);
}

static void sort_by_error(struct fold *pairs)
{
    if (pairs->count > 1)
        qsort(pairs->entries, pairs->count, sizeof *pairs->entries, by_error);
}

/* `pairs` is sorted: the run of one error. */
static struct error_run find_run(const struct fold *pairs, int64_t error)
{
    struct error_run run = {0};
    size_t high = pairs->count;
    while (run.begin < high) {
        size_t middle = run.begin + (high - run.begin) / 2;
        if (pairs->entries[middle].key.error < error)
            run.begin = middle + 1;
        else
            high = middle;
    }
    for (run.end = run.begin; run.end < pairs->count && pairs->entries[run.end].key.error == error;)
        run.end++;
    return run;
}

/* The domains with the most such errors. */
static enum err sample_domains(struct store_reader *reader, const struct fold *pairs, struct error_run run,
                               struct error_row *row, struct fault *fault)
{
    size_t count = run.end - run.begin, wanted = count < LIMIT_SAMPLE_DOMAINS ? count : LIMIT_SAMPLE_DOMAINS;
    struct ranked *list = calloc(count ? count : 1, sizeof *list);
    if (!list)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t i = 0; i < count; i++)
        list[i] = (struct ranked){.measure = pairs->entries[run.begin + i].totals.errors,
                                  .entry = &pairs->entries[run.begin + i]};
    enum err err = rank_page(reader, list, count, 0, wanted, domain_of, fault);
    for (size_t i = 0; !err && i < wanted; i++) {
        row->samples[row->sample_count++] = list[i].name;
        list[i].name = NULL;
    }
    free_ranked(list, count);
    return err;
}

static struct ranked *rank_errors(const struct fold *errors)
{
    struct ranked *list = calloc(errors->count ? errors->count : 1, sizeof *list);
    for (size_t i = 0; list && i < errors->count; i++)
        list[i] = (struct ranked){.measure = errors->entries[i].totals.errors, .entry = &errors->entries[i]};
    return list;
}

static enum err take_error(struct store_reader *reader, const struct fold *pairs, struct ranked *ranked,
                           struct error_list *list, struct fault *fault)
{
    const struct totals *totals = &ranked->entry->totals;
    struct error_row *row = &list->rows[list->count++];
    *row = (struct error_row){
        .error = ranked->name, .total_errors = totals->errors, .first_seen = totals->first, .last_seen = totals->last};
    ranked->name = NULL;
    return sample_domains(reader, pairs, find_run(pairs, ranked->entry->key.error), row, fault);
}

static enum err list_errors(struct store_reader *reader, struct fold *pairs, const struct fold *errors, size_t limit,
                            struct error_list *ret_list, struct fault *fault)
{
    struct error_list page = {0};
    size_t wanted = limit < errors->count ? limit : errors->count;
    struct ranked *list = rank_errors(errors);
    page.rows = calloc(wanted + 1, sizeof *page.rows);
    enum err err = list && page.rows ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err)
        err = rank_page(reader, list, errors->count, 0, wanted, error_of, fault);
    for (size_t i = 0; !err && i < wanted; i++)
        err = take_error(reader, pairs, &list[i], &page, fault);
    free_ranked(list, errors->count);
    if (err)
        error_list_release(&page);
    else
        *ret_list = page;
    return err;
}

enum err store_errors(struct store_reader *reader, const struct report_filter *filter, size_t limit,
                      struct error_list *ret_list, struct fault *fault)
{
    struct fold pairs = {0}, errors = {0};
    struct scan scan;
    enum err err = scan_begin(reader, filter, &scan, fault);
    if (!err)
        err = scan_run(reader, &scan, SCAN_ERRORS, TIER_16_DAYS, fold_sink, &pairs, fault);
    if (!err)
        err = sum_errors(&pairs, &errors, fault);
    sort_by_error(&pairs);
    if (!err)
        err = list_errors(reader, &pairs, &errors, limit, ret_list, fault);
    scan_end(reader, &scan);
    fold_release(&pairs);
    fold_release(&errors);
    return err;
}
