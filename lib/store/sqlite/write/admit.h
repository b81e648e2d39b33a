/* admit.h: which batches of a group are let in. */
#ifndef STORE_SQLITE_WRITE_ADMIT_H
#define STORE_SQLITE_WRITE_ADMIT_H

#include "store/sqlite/write/writer.h"

/* Lets an item in: its key is claimed, its batch stored and its logs queued; or sets its result to why not. `sums`
 * become the total with it. An error is the whole group's. */
enum err sqlite_admit(struct sqlite_writer *writer, struct store_item *item, int64_t now, struct totals *sums,
                      struct fault *fault);

/* The sums over everything become these. */
enum err sqlite_put_total(struct sqlite_writer *writer, const struct totals *sums, struct fault *fault);

/* Forgets some keys that came before a time, Unix seconds; *ret_more when there may be others. */
enum err sqlite_expire_keys(struct sqlite_writer *writer, int64_t before, bool *ret_more, struct fault *fault);

#endif
