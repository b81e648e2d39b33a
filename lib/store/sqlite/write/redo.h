/* redo.h: rollups made right again after logs were deleted. Two things always hold: the logs of one call are of one
 * day, and it is called in the transaction that deleted them. */
#ifndef STORE_SQLITE_WRITE_REDO_H
#define STORE_SQLITE_WRITE_REDO_H

#include "store/sqlite/write/writer.h"

/* Logs were deleted: `gone` has a key for each hour, user and order of them (tier, bucket, user_id, order_id), and is
 * sorted here. Makes their rollups again from what is left, and tells readers. */
enum err sqlite_redo(struct sqlite_writer *writer, struct fold *gone, struct fault *fault);

/* Sums of this day that are no longer kept log by log were taken out of its hours and of itself, as `gone` says by user
 * and order: the rest of it. */
enum err sqlite_redo_wider(struct sqlite_writer *writer, int64_t day, const struct fold *gone, struct fault *fault);

/* An hour or a day of which something is gone; of which users and orders, ascending. */
struct loss {
    enum tier tier;
    int64_t bucket;
    const struct fold_entry *gone;
    size_t count;
};

/* All that is left of it is added to writer->sums, which were empty: sums by user and order, and
 * packed entries. Then these take the place of its rows, of everyone and of those who lost some. */
enum err sqlite_redo_traffic(struct sqlite_writer *writer, const struct loss *loss, int64_t user, int64_t order,
                             const struct totals *totals);
enum err sqlite_redo_entry(struct sqlite_writer *writer, const struct loss *loss, int64_t user,
                           const struct fold_key *entry, const struct totals *totals);
enum err sqlite_redo_put(struct sqlite_writer *writer, const struct loss *loss, struct fault *fault);

#endif
