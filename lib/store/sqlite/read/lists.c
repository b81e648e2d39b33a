/* lists.c: rows into lists: domains, errors. Knows how rows add up and in which order lists come. Knows no tables:
 * read/scan.c finds the rows. */
#include "store/sqlite/read/rank.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* ---- adding up ---- */

static enum err tally_sink(void *ctx, const struct scan_row *row)
{
    size_t index;
    return tally_add(ctx, (struct tally_key){.domain = row->domain, .error = row->error}, &row->totals, &index);
}

static enum err domain_sink(void *ctx, const struct scan_row *row)
{
    size_t index;
    return tally_add(ctx, (struct tally_key){.domain = row->domain}, &row->totals, &index);
}

static enum err add_up(struct sqlite_reader *reader, const struct scan *scan, enum scan_source source, int64_t from,
                       int64_t to, struct tally *tally, struct fault *fault)
{
    struct scan_order order = {.source = source,
                               .widest = TIER_16_DAYS,
                               .from = from,
                               .to = to,
                               .sink = source == SCAN_ERRORS ? tally_sink : domain_sink,
                               .ctx = tally};
    return scan_run(reader, scan, &order, fault);
}

/* The closed hours [from, to), which most of the work is: from the cache where the same was asked lately. */
static enum err add_up_closed(struct sqlite_reader *reader, const struct scan *scan, enum scan_source source,
                              int64_t from, int64_t to, struct tally *tally, struct fault *fault)
{
    struct tally_question question = {.source = source,
                                      .user_id = scan->user_count == 1 ? scan->users[0] : 0,
                                      .order_id = scan->filter->order_id,
                                      .domain = scan->domain,
                                      .error = scan->error,
                                      .from = from,
                                      .to = to,
                                      .changes = scan->changes};
    bool cacheable = scan->user_count == 1 && to > from; /* an order that several users share is asked for seldom */
    const struct tally *known = cacheable ? tally_cache_find(&reader->cache, &question) : NULL;
    if (known)
        return tally_copy(known, false, tally) ? fault_set(fault, ERR_UNAVAILABLE, "out of memory") : OK;
    enum err err = add_up(reader, scan, source, from, to, tally, fault);
    if (!err && cacheable)
        tally_cache_keep(&reader->cache, &question, tally);
    return err;
}

/* The whole range; `tally` is empty. */
static enum err add_up_all(struct sqlite_reader *reader, const struct scan *scan, enum scan_source source,
                           struct tally *tally, struct fault *fault)
{
    int64_t closed_from, closed_to;
    scan_closed_part(scan, &closed_from, &closed_to);
    if (closed_from == closed_to)
        return add_up(reader, scan, source, scan->filter->from, scan->filter->to, tally, fault);
    enum err err = add_up_closed(reader, scan, source, closed_from, closed_to, tally, fault);
    if (!err)
        err = add_up(reader, scan, source, scan->filter->from, closed_from, tally, fault);
    return err ? err : add_up(reader, scan, source, closed_to, scan->filter->to, tally, fault);
}

static enum err domain_name(struct sqlite_reader *reader, const void *ctx, const struct tally_key *key, char **ret_name,
                            struct fault *fault)
{
    (void)ctx;
    return scan_name(reader, key->domain, ret_name, fault);
}

static enum err error_name(struct sqlite_reader *reader, const void *ctx, const struct tally_key *key, char **ret_name,
                           struct fault *fault)
{
    (void)ctx;
    return scan_name(reader, key->error, ret_name, fault);
}

static int64_t measure_errors(const struct totals *totals)
{
    return totals->errors;
}

/* ---- domains ---- */

static enum err take_domains(struct rank_page *page, struct domain_list *list, struct fault *fault)
{
    list->rows = calloc(page->end - page->begin + 1, sizeof *list->rows);
    if (!list->rows)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t i = page->begin; i < page->end; i++)
        list->rows[list->count++] =
            (struct domain_row){.domain = rank_take_name(&page->rows[i]), .totals = page->rows[i].entry->totals};
    return OK;
}

static enum err list_domains(struct sqlite_reader *reader, const struct tally *tally, enum domain_order order,
                             uint64_t offset, size_t limit, struct domain_list *ret_list, struct fault *fault)
{
    struct ranking ranking = {
        .entries = tally->entries, .count = tally->count, .measure = rank_measure(order), .name = domain_name};
    struct domain_list list = {.total = tally->count};
    struct rank_page page;
    size_t begin = offset < tally->count ? (size_t)offset : tally->count;
    size_t end = limit < tally->count - begin ? begin + limit : tally->count;
    enum err err = rank_find(reader, &ranking, begin, end, &page, fault);
    if (!err)
        err = take_domains(&page, &list, fault);
    rank_release(&page);
    if (!err)
        *ret_list = list;
    return err;
}

enum err sqlite_domains(struct sqlite_reader *reader, const struct report_filter *filter, enum domain_order order,
                        uint64_t offset, size_t limit, struct domain_list *ret_list, struct fault *fault)
{
    struct tally tally = {0};
    struct scan scan;
    enum err err = scan_begin(reader, filter, &scan, fault);
    if (!err)
        err = add_up_all(reader, &scan, filter->has_error ? SCAN_ERRORS : SCAN_DOMAINS, &tally, fault);
    if (!err)
        err = list_domains(reader, &tally, order, offset, limit, ret_list, fault);
    scan_end(reader, &scan);
    tally_release(&tally);
    return err;
}

/* ---- errors ---- */

/* The sums by error and domain; those by error; and which pairs belong to each error. */
struct error_sums {
    struct tally pairs;
    struct tally errors;
    uint32_t *error_of; /* pair → its error's index */
    uint32_t *order;    /* the pairs, error by error */
    uint32_t *begin;    /* error → where its pairs begin in `order`; they end where the next one's begin */
};

static void error_sums_release(struct error_sums *sums)
{
    tally_release(&sums->pairs);
    tally_release(&sums->errors);
    free(sums->error_of);
    free(sums->order);
    free(sums->begin);
}

/* Sums each error over its domains. */
static enum err sum_errors(struct error_sums *sums)
{
    sums->error_of = calloc(sums->pairs.count + 1, sizeof *sums->error_of);
    if (!sums->error_of)
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < sums->pairs.count; i++) {
        const struct tally_entry *pair = &sums->pairs.entries[i];
        size_t index;
        if (tally_add(&sums->errors, (struct tally_key){.error = pair->key.error}, &pair->totals, &index))
            return ERR_UNAVAILABLE;
        sums->error_of[i] = (uint32_t)index;
    }
    return OK;
}

/* A counting sort of the pairs by error. */
static enum err group_pairs(struct error_sums *sums)
{
    size_t pairs = sums->pairs.count, errors = sums->errors.count;
    sums->order = calloc(pairs + 1, sizeof *sums->order);
    sums->begin = calloc(errors + 2, sizeof *sums->begin);
    if (!sums->order || !sums->begin)
        return ERR_UNAVAILABLE;
    uint32_t *next = sums->begin + 1; /* where the error's next pair goes: in the end, where the following one begins */
    for (size_t i = 0; i < pairs; i++)
        next[sums->error_of[i] + 1]++;
    for (size_t e = 1; e <= errors; e++)
        next[e] += next[e - 1];
    for (size_t i = 0; i < pairs; i++)
        sums->order[next[sums->error_of[i]]++] = (uint32_t)i;
    return OK;
}

/* The domains with the most such errors. */
static enum err sample_domains(struct sqlite_reader *reader, const struct error_sums *sums, size_t error,
                               struct error_row *row, struct fault *fault)
{
    struct ranking ranking = {.entries = sums->pairs.entries,
                              .chosen = sums->order + sums->begin[error],
                              .count = sums->begin[error + 1] - sums->begin[error],
                              .measure = measure_errors,
                              .name = domain_name};
    struct rank_page page;
    size_t wanted = ranking.count < LIMIT_SAMPLE_DOMAINS ? ranking.count : LIMIT_SAMPLE_DOMAINS;
    enum err err = rank_find(reader, &ranking, 0, wanted, &page, fault);
    for (size_t i = 0; !err && i < wanted; i++)
        row->samples[row->sample_count++] = rank_take_name(&page.rows[i]);
    rank_release(&page);
    return err;
}

static enum err take_error(struct sqlite_reader *reader, const struct error_sums *sums, struct ranked *ranked,
                           struct error_list *list, struct fault *fault)
{
    const struct totals *totals = &ranked->entry->totals;
    struct error_row *row = &list->rows[list->count++];
    *row = (struct error_row){.error = rank_take_name(ranked),
                              .total_errors = totals->errors,
                              .first_seen = totals->first,
                              .last_seen = totals->last};
    return sample_domains(reader, sums, (size_t)(ranked->entry - sums->errors.entries), row, fault);
}

static enum err list_errors(struct sqlite_reader *reader, struct error_sums *sums, size_t limit,
                            struct error_list *ret_list, struct fault *fault)
{
    struct ranking ranking = {
        .entries = sums->errors.entries, .count = sums->errors.count, .measure = measure_errors, .name = error_name};
    struct error_list list = {0};
    struct rank_page page;
    size_t wanted = limit < ranking.count ? limit : ranking.count;
    enum err err = rank_find(reader, &ranking, 0, wanted, &page, fault);
    list.rows = calloc(wanted + 1, sizeof *list.rows);
    if (!err && !list.rows)
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t i = 0; !err && i < wanted; i++)
        err = take_error(reader, sums, &page.rows[i], &list, fault);
    rank_release(&page);
    if (err)
        error_list_release(&list);
    else
        *ret_list = list;
    return err;
}

enum err sqlite_errors(struct sqlite_reader *reader, const struct report_filter *filter, size_t limit,
                       struct error_list *ret_list, struct fault *fault)
{
    struct error_sums sums = {0};
    struct scan scan;
    enum err err = scan_begin(reader, filter, &scan, fault);
    if (!err)
        err = add_up_all(reader, &scan, SCAN_ERRORS, &sums.pairs, fault);
    if (!err && (sum_errors(&sums) || group_pairs(&sums)))
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err)
        err = list_errors(reader, &sums, limit, ret_list, fault);
    scan_end(reader, &scan);
    error_sums_release(&sums);
    return err;
}
