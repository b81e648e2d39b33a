/* rank.c: lists: some of many sums, in order. Knows measures, ties and names. Knows no tables. */
#include "store/sqlite/read/rank.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* ---- measures ---- */

static int64_t measure_count(const struct totals *totals)
{
    return totals->count;
}

static int64_t measure_bytes(const struct totals *totals)
{
    return totals_bytes(totals);
}

static int64_t measure_errors(const struct totals *totals)
{
    return totals->errors;
}

/* All tie. */
static int64_t measure_nothing(const struct totals *totals)
{
    (void)totals;
    return 0;
}

rank_measure_fn rank_measure(const struct sqlite_reader *reader, enum list_order order)
{
    switch (order) {
    case ORDER_DURATION:
        return reader->lacks_durations ? measure_nothing : totals_avg_duration;
    case ORDER_BYTES:
        return measure_bytes;
    case ORDER_COUNT:
        return measure_count;
    case ORDER_ERRORS:
        return measure_errors;
    case ORDER_ERROR_RATE:
        return totals_error_rate;
    }
    return measure_bytes;
}

/* ---- the rows that may be asked for, by measure ---- */

struct ranked {
    int64_t measure;
    const struct tally_entry *entry;
};

struct ranked_rows {
    struct ranked *rows; /* in order of measure; more than asked for where ties begin before them or end after them */
    size_t count;
    size_t begin, end; /* what is asked for */
};

static int by_measure(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    return (a->measure < b->measure) - (a->measure > b->measure);
}

static const struct tally_entry *ranked_entry(const struct ranking *ranking, size_t i)
{
    return &ranking->entries[ranking->chosen ? ranking->chosen[i] : i];
}

/* The measures of the first and the last row of [begin, end), which is not empty. */
static enum err find_bounds(const struct ranking *ranking, size_t begin, size_t end, int64_t *ret_most,
                            int64_t *ret_least)
{
    *ret_most = INT64_MAX;
    *ret_least = INT64_MIN;
    if (begin == 0 && end == ranking->count)
        return OK;
    int64_t *measures = calloc(ranking->count, sizeof *measures);
    if (!measures)
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < ranking->count; i++)
        measures[i] = ranking->measure(&ranked_entry(ranking, i)->totals);
    *ret_least = tally_nth_greatest(measures, ranking->count, end - 1);
    *ret_most = tally_nth_greatest(measures, ranking->count, begin);
    free(measures);
    return OK;
}

/* Takes the rows between the bounds; those above them come before what is asked for. */
static enum err take_between(const struct ranking *ranking, int64_t most, int64_t least, struct ranked_rows *rows)
{
    size_t above = 0, room = 0;
    for (size_t i = 0; i < ranking->count; i++) {
        int64_t measure = ranking->measure(&ranked_entry(ranking, i)->totals);
        above += measure > most;
        room += measure <= most && measure >= least;
    }
    rows->rows = calloc(room + 1, sizeof *rows->rows);
    if (!rows->rows)
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < ranking->count; i++) {
        const struct tally_entry *entry = ranked_entry(ranking, i);
        int64_t measure = ranking->measure(&entry->totals);
        if (measure <= most && measure >= least)
            rows->rows[rows->count++] = (struct ranked){.measure = measure, .entry = entry};
    }
    rows->begin -= above;
    rows->end -= above;
    return OK;
}

/* Only what may be asked for is put in order. */
static enum err rank_rows(const struct ranking *ranking, size_t begin, size_t end, struct ranked_rows *ret_rows)
{
    struct ranked_rows rows = {.begin = begin, .end = end};
    *ret_rows = (struct ranked_rows){0};
    if (begin >= end)
        return OK;
    int64_t most, least;
    if (find_bounds(ranking, begin, end, &most, &least) || take_between(ranking, most, least, &rows))
        return ERR_UNAVAILABLE;
    qsort(rows.rows, rows.count, sizeof *rows.rows, by_measure);
    *ret_rows = rows;
    return OK;
}

/* ---- ties, by name ---- */

struct named {
    const struct tally_entry *entry;
    char *name;
};

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct named *)left)->name, ((const struct named *)right)->name);
}

static void free_names(struct named *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i].name);
    free(names);
}

/* The rows [begin, end) have the same measure. */
static enum err name_ties(struct sqlite_reader *reader, const struct ranking *ranking, const struct ranked *ties,
                          size_t count, struct named **ret_names, struct fault *fault)
{
    struct named *names = calloc(count, sizeof *names);
    enum err err = names ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t i = 0; !err && i < count; i++) {
        names[i].entry = ties[i].entry;
        err = ranking->name(reader, ranking->ctx, &ties[i].entry->key, &names[i].name, fault);
    }
    if (err) {
        free_names(names, names ? count : 0);
        return err;
    }
    qsort(names, count, sizeof *names, by_name);
    *ret_names = names;
    return OK;
}

static size_t ties_end(const struct ranked_rows *rows, size_t begin)
{
    size_t end = begin + 1;
    while (end < rows->count && rows->rows[end].measure == rows->rows[begin].measure)
        end++;
    return end;
}

/* Only rows of one measure are named at a time: a long list needs no more memory for names than its longest tie. */
enum err rank_each(struct sqlite_reader *reader, const struct ranking *ranking, size_t begin, size_t end,
                   rank_take take, void *ctx, struct fault *fault)
{
    struct ranked_rows rows;
    if (rank_rows(ranking, begin, end, &rows))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    enum err err = OK;
    for (size_t at = 0, next; !err && at < rows.count; at = next) {
        struct named *names = NULL;
        next = ties_end(&rows, at);
        err = name_ties(reader, ranking, &rows.rows[at], next - at, &names, fault);
        for (size_t i = at; !err && i < next; i++)
            if (i >= rows.begin && i < rows.end)
                err = take(ctx, names[i - at].entry, names[i - at].name, fault);
        free_names(names, names ? next - at : 0);
    }
    free(rows.rows);
    return err;
}

/* ---- a list of sums ---- */

static enum err has_part(struct sqlite_reader *reader, const struct ranking *ranking, const struct tally_entry *entry,
                         struct slice part, bool *ret_has, struct fault *fault)
{
    char *name = NULL;
    if (scan_is_late(reader))
        return fault_set(fault, ERR_QUERY_TIMEOUT, "the report took longer than allowed");
    enum err err = ranking->name(reader, ranking->ctx, &entry->key, &name, fault);
    if (!err)
        *ret_has = slice_contains_nocase(slice_of(name), part);
    free(name);
    return err;
}

enum err rank_choose(struct sqlite_reader *reader, struct ranking *ranking, struct slice part, uint32_t **ret_chosen,
                     struct fault *fault)
{
    *ret_chosen = NULL;
    if (part.len == 0)
        return OK;
    uint32_t *chosen = calloc(ranking->count + 1, sizeof *chosen);
    enum err err = chosen ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    size_t count = 0;
    for (size_t i = 0; !err && i < ranking->count; i++) {
        bool has = false;
        err = has_part(reader, ranking, &ranking->entries[i], part, &has, fault);
        if (!err && has)
            chosen[count++] = (uint32_t)i;
    }
    if (err) {
        free(chosen);
        return err;
    }
    ranking->chosen = *ret_chosen = chosen;
    ranking->count = count;
    return OK;
}

void rank_bounds(const struct ranking *ranking, const struct list_ask *ask, size_t *ret_begin, size_t *ret_end)
{
    size_t begin = ask->offset < ranking->count ? (size_t)ask->offset : ranking->count;
    *ret_begin = begin;
    *ret_end = ask->limit < ranking->count - begin ? begin + (size_t)ask->limit : ranking->count;
}

struct giving {
    const struct sqlite_reader *reader;
    const struct ranking *ranking;
    const struct list_sink *sink;
    bool *listed; /* by entry */
};

static enum err give_row(void *ctx, const struct tally_entry *entry, const char *name, struct fault *fault)
{
    struct giving *giving = ctx;
    struct list_row row = {.name = name, .totals = scan_answer(giving->reader, &entry->totals)};
    giving->listed[entry - giving->ranking->entries] = true;
    return giving->sink->row(giving->sink->ctx, &row, fault);
}

static struct totals sum_others(const struct ranking *ranking, const bool *listed)
{
    struct totals other = TOTALS_NONE;
    for (size_t i = 0; i < ranking->count; i++) {
        const struct tally_entry *entry = ranked_entry(ranking, i);
        if (!listed[entry - ranking->entries])
            totals_add(&other, &entry->totals);
    }
    return other;
}

/* From here on the time is the receiver's, who has bounds of its own. */
static enum err give_list(struct sqlite_reader *reader, const struct ranking *ranking, const struct list_ask *ask,
                          const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    size_t entries = ranking->count ? (size_t)(ranked_entry(ranking, ranking->count - 1) - ranking->entries) + 1 : 1;
    struct giving giving = {reader, ranking, sink, calloc(entries, sizeof *giving.listed)};
    if (!giving.listed)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    size_t begin, end;
    rank_bounds(ranking, ask, &begin, &end);
    reader->deadline_ms = 0;
    enum err err = sink->begin(sink->ctx, ranking->count, fault);
    if (!err)
        err = rank_each(reader, ranking, begin, end, give_row, &giving, fault);
    if (!err)
        *ret_other = sum_others(ranking, giving.listed);
    *ret_other = scan_answer(reader, ret_other);
    free(giving.listed);
    return err;
}

enum err rank_list(struct sqlite_reader *reader, struct ranking *ranking, const struct list_ask *ask,
                   const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    uint32_t *chosen;
    enum err err = rank_choose(reader, ranking, ask->containing, &chosen, fault);
    if (!err)
        err = give_list(reader, ranking, ask, sink, ret_other, fault);
    free(chosen);
    return err;
}
