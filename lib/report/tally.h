/* tally.h: sums by domain, or by domain and error, while a report reads. The writing side folds by more (fold.h); a
 * report adds up some ten thousand entries in a millisecond, so its own entries are as small as can be. Knows no SQL.
 */
#ifndef REPORT_TALLY_H
#define REPORT_TALLY_H

#include "base/err.h"
#include "base/index.h"
#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Name ids; 0 where a report does not tell them apart. */
struct tally_key {
    int64_t domain;
    int64_t error;
};

struct tally_entry {
    struct tally_key key;
    struct totals totals;
};

/* All-zero is an empty one. */
struct tally {
    struct tally_entry *entries; /* in the order in which their keys came */
    size_t count;
    size_t cap;
    struct index index;
};
void tally_release(struct tally *tally);

/* Forgets all entries, keeps the memory. */
void tally_clear(struct tally *tally);

/* Adds `totals` to the entry of `key`; *ret_index is where it stands. OK, or ERR_UNAVAILABLE when out of memory. */
enum err tally_add(struct tally *tally, struct tally_key key, const struct totals *totals, size_t *ret_index);

/* Makes *ret_copy hold the same; nothing is kept of what it held. With `fixed` it takes no more memory than that, and
 * nothing can be added to it. OK, or ERR_UNAVAILABLE, and then it is empty. */
enum err tally_copy(const struct tally *tally, bool fixed, struct tally *ret_copy);

/* The memory that it takes. */
size_t tally_bytes(const struct tally *tally);

/* The value that `rank` others are greater than or come before, of `count` values: rank 0 is the greatest. Puts the
 * values in another order. Takes time in proportion to their number. */
int64_t tally_nth_greatest(int64_t *values, size_t count, size_t rank);

#endif
