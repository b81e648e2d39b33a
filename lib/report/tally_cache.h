/* tally_cache.h: the last few tallies, each under its question. A tally of closed hours stays true until a late log
 * comes for one of them; each such change has a number, which is part of the question (see `changes`). So no entry is
 * ever out of date: it is only no longer asked for. Knows no SQL. */
#ifndef REPORT_TALLY_CACHE_H
#define REPORT_TALLY_CACHE_H

#include "report/tally.h"

#include <stddef.h>
#include <stdint.h>

#define TALLY_DOMAIN_BYTES (LIMIT_DOMAIN_BYTES + 3)

/* What was added up. It has no padding, because its bytes are compared. */
struct tally_question {
    int64_t source; /* enum scan_source */
    int64_t user_id;
    int64_t order_id;
    int64_t domain;
    int64_t error;
    int64_t without_user, without_order, without_error;
    int64_t from, to; /* whole closed hours, Unix seconds */
    int64_t changes;  /* of closed hours, up to the moment that the report sees (schema/, table closing) */
    char below[TALLY_DOMAIN_BYTES];
    char without_domain[TALLY_DOMAIN_BYTES];
};
_Static_assert(TALLY_DOMAIN_BYTES % sizeof(int64_t) == 0, "no padding");

#define TALLY_CACHE_ENTRIES 16
#define TALLY_CACHE_BYTES ((size_t)10 << 20) /* all of them; a tally over half of it is not kept */

/* All-zero is an empty one. One thread's. */
struct tally_cache {
    struct {
        struct tally_question question;
        struct tally tally;
        uint64_t used; /* when last; 0: free */
    } entries[TALLY_CACHE_ENTRIES];
    uint64_t clock;
};
void tally_cache_release(struct tally_cache *cache);

/* NULL when it is not there; else fixed, and valid until the next tally_cache_keep. */
const struct tally *tally_cache_find(struct tally_cache *cache, const struct tally_question *question);

/* Keeps a copy, unless there is nothing in it, in place of those that were not used for longest. Does nothing when
 * memory is short. */
void tally_cache_keep(struct tally_cache *cache, const struct tally_question *question, const struct tally *tally);

#endif
