/* traffic.h: sums on their way into traffic_quarter, traffic_hour and traffic_day. */
#ifndef STORE_SQLITE_WRITE_TRAFFIC_H
#define STORE_SQLITE_WRITE_TRAFFIC_H

#include "db/db.h"
#include "rollup/fold.h"

struct writer_traffic {
    struct db *db; /* the writer's */
    struct fold sums;
};

/* Notes a log for its quarter of an hour: everyone, its user. */
enum err sqlite_quarter_add(struct writer_traffic *traffic, int64_t quarter, int64_t user_id,
                            const struct totals *totals);

/* Notes a log for the hour or the day of the key: everyone's, or its user's and its order's. */
enum err sqlite_traffic_add(struct writer_traffic *traffic, const struct fold_key *key, const struct totals *totals);

/* Adds what was noted to the tables, and forgets it. */
enum err sqlite_traffic_put(struct writer_traffic *traffic, struct fault *fault);

#endif
