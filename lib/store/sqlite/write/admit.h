/* admit.h: which batches of a group are let in. */
#ifndef STORE_SQLITE_WRITE_ADMIT_H
#define STORE_SQLITE_WRITE_ADMIT_H

#include "store/sqlite/write/writer.h"

/* Lets an item in: claims its key, stores its batch, queues its logs and adds them to `sums`. Or sets the item's result
 * to the reason why not. An error concerns the whole group. */
enum err sqlite_admit(struct sqlite_writer *writer, struct store_item *item, int64_t now, struct totals *sums,
                      struct fault *fault);

/* Stores the sums over everything. */
enum err sqlite_put_total(struct sqlite_writer *writer, const struct totals *sums, struct fault *fault);

/* Forgets some keys from before a time, Unix seconds; *ret_more when there may be others. */
enum err sqlite_expire_keys(struct sqlite_writer *writer, int64_t before, bool *ret_more, struct fault *fault);

#endif
