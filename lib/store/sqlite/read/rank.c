/* rank.c: the page of a list: some of many sums, in order. Knows measures, ties and names. Knows no tables. */
#include "store/sqlite/read/rank.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static int64_t measure_count(const struct totals *totals)
{
    return totals->count;
}

static int64_t measure_bytes(const struct totals *totals)
{
    return totals_bytes(totals);
}

rank_measure_fn rank_measure(enum domain_order order)
{
    return order == DOMAIN_BY_COUNT ? measure_count : measure_bytes;
}

static int by_measure_and_name(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    int order = (a->measure < b->measure) - (a->measure > b->measure);
    return order ? order : strcmp(a->name, b->name);
}

static const struct tally_entry *ranked_entry(const struct ranking *ranking, size_t i)
{
    return &ranking->entries[ranking->chosen ? ranking->chosen[i] : i];
}

/* The measures of the first and the last row of the page [begin, end), which is not empty. */
static enum err find_bounds(const struct ranking *ranking, size_t begin, size_t end, int64_t *ret_most,
                            int64_t *ret_least)
{
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

/* Takes the rows between the bounds; those above them come before the page. */
static enum err take_between(const struct ranking *ranking, int64_t most, int64_t least, struct rank_page *page)
{
    size_t above = 0, room = 0;
    for (size_t i = 0; i < ranking->count; i++) {
        int64_t measure = ranking->measure(&ranked_entry(ranking, i)->totals);
        above += measure > most;
        room += measure <= most && measure >= least;
    }
    page->rows = calloc(room + 1, sizeof *page->rows);
    if (!page->rows)
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < ranking->count; i++) {
        const struct tally_entry *entry = ranked_entry(ranking, i);
        int64_t measure = ranking->measure(&entry->totals);
        if (measure <= most && measure >= least)
            page->rows[page->count++] = (struct ranked){.measure = measure, .entry = entry};
    }
    page->begin -= above;
    page->end -= above;
    return OK;
}

void rank_release(struct rank_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        free(page->rows[i].name);
    free(page->rows);
    *page = (struct rank_page){0};
}

/* Names are fetched, and rows put in order, only for the page that is asked for and its ties. */
enum err rank_find(struct sqlite_reader *reader, const struct ranking *ranking, size_t begin, size_t end,
                   struct rank_page *ret_page, struct fault *fault)
{
    struct rank_page page = {.begin = begin, .end = end};
    int64_t most = 0, least = 0;
    *ret_page = (struct rank_page){0};
    if (begin >= end)
        return OK;
    if (find_bounds(ranking, begin, end, &most, &least) || take_between(ranking, most, least, &page))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    enum err err = OK;
    for (size_t i = 0; !err && i < page.count; i++)
        err = ranking->name(reader, ranking->ctx, &page.rows[i].entry->key, &page.rows[i].name, fault);
    if (err) {
        rank_release(&page);
        return err;
    }
    qsort(page.rows, page.count, sizeof *page.rows, by_measure_and_name);
    *ret_page = page;
    return OK;
}

char *rank_take_name(struct ranked *row)
{
    char *name = row->name;
    row->name = NULL;
    return name;
}
