/* cut.h: what the logs of some batches add up to, by month and shard: each such sum is to be a block. Knows the table
 * spool_log. Private to the spool. */
#ifndef STORE_SQLITE_SPOOL_CUT_H
#define STORE_SQLITE_SPOOL_CUT_H

#include "report/report.h"

struct sqlite_writer; /* store/sqlite/write/writer.h */

#define CUT_MONTHS ((2100 - 1970) * 12) /* from January 1970 on; the last has all that is later, too */

/* A block on its way. */
struct cut_share {
    int64_t logs;
    struct totals sums;
};

/* All-zero is an empty one. */
struct cut {
    int64_t shards;
    struct cut_share *months[CUT_MONTHS]; /* owned; `shards` of them each. NULL: it has no log */
};
void cut_release(struct cut *cut);

/* Adds up the logs of the batches `first` … `last`, each in the shard user_id modulo `shards`. ERR_UNAVAILABLE. */
enum err cut_add_up(struct sqlite_writer *writer, int64_t first, int64_t last, int64_t shards, struct cut *ret_cut,
                    struct fault *fault);

/* The number of a month: 202603. */
int64_t cut_month(size_t month);

#endif
