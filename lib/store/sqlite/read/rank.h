/* rank.h: lists: some of many sums, in order. Private to this room. */
#ifndef STORE_SQLITE_READ_RANK_H
#define STORE_SQLITE_READ_RANK_H

#include "store/sqlite/read/scan.h"

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

/* Takes a row; the name is borrowed. */
typedef enum err (*rank_take)(void *ctx, const struct tally_entry *entry, const char *name, struct fault *fault);

rank_measure_fn rank_measure(const struct sqlite_reader *reader, enum list_order order);

/* Takes what is not in question out of the ranking: names that do not contain `part`, unless that is empty.
 * *ret_chosen, which the ranking borrows, is to be freed; NULL after an error and where all rows stay. */
enum err rank_choose(struct sqlite_reader *reader, struct ranking *ranking, struct slice part, uint32_t **ret_chosen,
                     struct fault *fault);

/* Gives the rows [begin, end) of the list, which has them. */
enum err rank_each(struct sqlite_reader *reader, const struct ranking *ranking, size_t begin, size_t end,
                   rank_take take, void *ctx, struct fault *fault);

/* What is asked for, to the sink; and the sums over all other rows. The ranking is used up. */
enum err rank_list(struct sqlite_reader *reader, struct ranking *ranking, const struct list_ask *ask,
                   const struct list_sink *sink, struct totals *ret_other, struct fault *fault);

/* The rows of the list that are asked for: [*ret_begin, *ret_end). */
void rank_bounds(const struct ranking *ranking, const struct list_ask *ask, size_t *ret_begin, size_t *ret_end);

/* A list by what is not in the sums by domain: read/breakdown.c. */
enum err list_values(struct sqlite_reader *reader, struct scan *scan, const struct list_ask *ask,
                     const struct list_sink *sink, struct totals *ret_other, struct fault *fault);

#endif
