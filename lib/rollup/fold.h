/* fold.h: sums over groups of logs, in memory: rows with the same key become one. Knows no SQL. */
#ifndef ROLLUP_FOLD_H
#define ROLLUP_FOLD_H

#include "base/err.h"
#include "base/index.h"
#include "report/report.h"
#include "rollup/tier.h"

#include <stddef.h>
#include <stdint.h>

/* Which group. Unused members are 0. */
struct fold_key {
    int64_t tier;
    int64_t bucket;
    int64_t user_id;
    int64_t domain; /* name ids */
    int64_t error;  /* 0: all logs; else those that name it */
    int64_t order_id;
};

struct fold_entry {
    struct fold_key key;
    struct totals totals;
    uint32_t slot; /* fold.c's own */
};

struct fold {
    struct fold_entry *entries;
    size_t count;
    size_t cap;
    bool is_sorted; /* the entries are in order, all of them */
    struct index index;
};

/* An all-zero struct fold is an empty one. */
void fold_release(struct fold *fold);

/* Forgets the entries, keeps the memory within reason. */
void fold_clear(struct fold *fold);

/* Adds `totals` to the entry of `key`. OK, or ERR_UNAVAILABLE when out of memory. */
enum err fold_add(struct fold *fold, const struct fold_key *key, const struct totals *totals);

/* Sorts the entries by their members in order, but all entries without an error before all with one. Afterwards only
 * fold_clear, fold_release and fold_sort, which then costs nothing, may follow. */
void fold_sort(struct fold *fold);

/* Compares in that order: negative, 0 or positive, like strcmp. */
int fold_order(const struct fold_key *a, const struct fold_key *b);

#endif
