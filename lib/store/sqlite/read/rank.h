/* rank.h: the page of a list: some of many sums, in order. Private to this room. */
#ifndef STORE_SQLITE_READ_RANK_H
#define STORE_SQLITE_READ_RANK_H

#include "store/sqlite/read/scan.h"

struct ranked {
    int64_t measure;
    const struct tally_entry *entry;
    char *name; /* owned */
};

/* What one page shows: the rows from `begin` on of those that may stand on it. */
struct rank_page {
    struct ranked *rows; /* in order; more than the page where rows of equal measure begin before it or end after it */
    size_t count;
    size_t begin, end; /* of the page within rows */
};

typedef int64_t (*rank_measure_fn)(const struct totals *totals);

/* What a list ranks: some entries, by a measure, descending, ties by name. */
struct ranking {
    const struct tally_entry *entries;
    const uint32_t *chosen; /* indexes of entries; NULL: all of them */
    size_t count;
    rank_measure_fn measure;
    enum err (*name)(struct sqlite_reader *reader, const void *ctx, const struct tally_key *key, char **ret_name,
                     struct fault *fault); /* to be freed */
    const void *ctx;
};

rank_measure_fn rank_measure(enum domain_order order);

/* The rows [begin, end) of the list, which has them. To be released in any case. */
enum err rank_find(struct sqlite_reader *reader, const struct ranking *ranking, size_t begin, size_t end,
                   struct rank_page *ret_page, struct fault *fault);
void rank_release(struct rank_page *page);

/* The row's name, which the page then no longer owns. */
char *rank_take_name(struct ranked *row);

#endif
