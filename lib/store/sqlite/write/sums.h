/* sums.h: sums on their way into the rollups that are made of logs. */
#ifndef STORE_SQLITE_WRITE_SUMS_H
#define STORE_SQLITE_WRITE_SUMS_H

#include "store/sqlite/write/pack.h"

/* An all-zero one is empty. */
struct sums {
    struct fold traffic; /* for traffic_quarter, traffic_hour and traffic_day */
    struct fold entries; /* for rollup_chunk */
};

void sqlite_sums_clear(struct sums *sums);
void sqlite_sums_release(struct sums *sums);

/* Notes a log for its quarter of an hour: everyone, its user. */
enum err sqlite_quarter_add(struct sums *sums, int64_t quarter, int64_t user_id, const struct totals *totals);

/* Notes a log for the key's bucket of an hour or more: for everyone if the key has no user and no order, else for the
 * user and the order. */
enum err sqlite_sums_add(struct sums *sums, const struct fold_key *key, const struct totals *totals);

/* Adds what was noted to the tables, and forgets it. `fresh`: as for sqlite_pack. */
enum err sqlite_sums_put(struct writer_pack *pack, struct sums *sums, bool fresh, struct fault *fault);

#endif
