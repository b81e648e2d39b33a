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

/* "*.example.com" for a domain and those below it, "=example.com" for one alone; "" for none. */
static void put_domain(const struct report_term *term, char ret_text[TALLY_DOMAIN_BYTES])
{
    if (!term->is_set)
        return;
    const char *mark = term->is_below ? "*." : "=";
    memcpy(ret_text, mark, strlen(mark));
    memcpy(ret_text + strlen(mark), term->text.data, term->text.len);
}

static struct tally_question question_of(const struct scan *scan, enum scan_source source, int64_t from, int64_t to)
{
    const struct report_filter *filter = scan->filter;
    struct tally_question question = {.source = source,
                                      .user_id = scan->user_count == 1 ? scan->users[0] : 0,
                                      .order_id = filter->order_id,
                                      .domain = scan->domain,
                                      .error = scan->error,
                                      .without_user = filter->without[BY_USER].number,
                                      .without_order = filter->without[BY_ORDER].number,
                                      .without_error = scan->match ? scan->match->without[BY_ERROR] : INT64_MIN,
                                      .from = from,
                                      .to = to,
                                      .changes = scan->changes};
    struct report_term domain = filter_term(filter, BY_DOMAIN);
    if (domain.is_below)
        put_domain(&domain, question.below);
    put_domain(&filter->without[BY_DOMAIN], question.without_domain);
    return question;
}

/* The closed hours [from, to), which most of the work is: from the cache where the same was asked lately. */
static enum err add_up_closed(struct sqlite_reader *reader, const struct scan *scan, enum scan_source source,
                              int64_t from, int64_t to, struct tally *tally, struct fault *fault)
{
    struct tally_question question = question_of(scan, source, from, to);
    bool cacheable = to > from && (scan->user_count == 1 ||
                                   !scan->filter->order_id); /* an order that several users share is asked for seldom */
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
    if (closed_from == closed_to || scan->has_terms)
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

/* ---- domains ---- */

static enum err list_domains(struct sqlite_reader *reader, const struct scan *scan, const struct list_ask *ask,
                             const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    struct tally tally = {0};
    enum err err = add_up_all(reader, scan, scan->filter->has_error ? SCAN_ERRORS : SCAN_DOMAINS, &tally, fault);
    struct ranking ranking = {.entries = tally.entries,
                              .count = tally.count,
                              .measure = rank_measure(reader, ask->order),
                              .name = domain_name};
    if (!err)
        err = rank_list(reader, &ranking, ask, sink, ret_other, fault);
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

/* Errors on their way out. */
struct error_giving {
    struct sqlite_reader *reader;
    const struct error_sums *sums;
    const struct list_sink *sink;
};

struct samples {
    char *domains[LIMIT_SAMPLE_DOMAINS];
    size_t count;
};

static enum err take_sample(void *ctx, const struct tally_entry *entry, const char *name, struct fault *fault)
{
    struct samples *samples = ctx;
    (void)entry;
    samples->domains[samples->count] = strdup(name);
    if (!samples->domains[samples->count])
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    samples->count++;
    return OK;
}

/* The domains with the most such errors. */
static enum err sample_domains(const struct error_giving *giving, size_t error, struct samples *samples,
                               struct fault *fault)
{
    const struct error_sums *sums = giving->sums;
    struct ranking ranking = {.entries = sums->pairs.entries,
                              .chosen = sums->order + sums->begin[error],
                              .count = sums->begin[error + 1] - sums->begin[error],
                              .measure = rank_measure(giving->reader, ORDER_ERRORS),
                              .name = domain_name};
    size_t wanted = ranking.count < LIMIT_SAMPLE_DOMAINS ? ranking.count : LIMIT_SAMPLE_DOMAINS;
    return rank_each(giving->reader, &ranking, 0, wanted, take_sample, samples, fault);
}

static enum err give_error(void *ctx, const struct tally_entry *entry, const char *name, struct fault *fault)
{
    const struct error_giving *giving = ctx;
    struct samples samples = {.count = 0};
    enum err err = sample_domains(giving, (size_t)(entry - giving->sums->errors.entries), &samples, fault);
    struct list_row row = {.name = name,
                           .totals = scan_answer(giving->reader, &entry->totals),
                           .samples = (const char *const *)samples.domains,
                           .sample_count = samples.count};
    if (!err)
        err = giving->sink->row(giving->sink->ctx, &row, fault);
    for (size_t i = 0; i < samples.count; i++)
        free(samples.domains[i]);
    return err;
}

static enum err give_errors(struct sqlite_reader *reader, const struct error_sums *sums, const struct list_ask *ask,
                            const struct list_sink *sink, struct fault *fault)
{
    struct error_giving giving = {reader, sums, sink};
    struct ranking ranking = {.entries = sums->errors.entries,
                              .count = sums->errors.count,
                              .measure = rank_measure(reader, ask->order),
                              .name = error_name};
    size_t begin, end;
    uint32_t *chosen;
    enum err err = rank_choose(reader, &ranking, ask->containing, &chosen, fault);
    if (err)
        return err;
    rank_bounds(&ranking, ask, &begin, &end);
    reader->deadline_ms = 0; /* as in rank_list */
    err = sink->begin(sink->ctx, ranking.count, fault);
    if (!err)
        err = rank_each(reader, &ranking, begin, end, give_error, &giving, fault);
    free(chosen);
    return err;
}

static enum err list_errors(struct sqlite_reader *reader, const struct scan *scan, const struct list_ask *ask,
                            const struct list_sink *sink, struct fault *fault)
{
    struct error_sums sums = {0};
    enum err err = add_up_all(reader, scan, SCAN_ERRORS, &sums.pairs, fault);
    if (!err && (sum_errors(&sums) || group_pairs(&sums)))
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err)
        err = give_errors(reader, &sums, ask, sink, fault);
    error_sums_release(&sums);
    return err;
}

/* ---- any list ---- */

enum err sqlite_list(struct sqlite_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                     const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    struct totals other = TOTALS_NONE;
    struct scan scan;
    enum err err = scan_begin(reader, filter, ask->samples, &scan, fault);
    if (!err && ask->samples)
        err = list_errors(reader, &scan, ask, sink, fault);
    else if (!err && ask->by == BY_DOMAIN)
        err = list_domains(reader, &scan, ask, sink, &other, fault);
    else if (!err)
        err = list_values(reader, &scan, ask, sink, &other, fault);
    scan_end(reader, &scan);
    if (!err)
        *ret_other = other;
    return err;
}
