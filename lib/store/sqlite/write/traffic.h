/* traffic.h: sums on their way into traffic_quarter, traffic_hour and traffic_day. */
#ifndef STORE_SQLITE_WRITE_TRAFFIC_H
#define STORE_SQLITE_WRITE_TRAFFIC_H

#include "db/db.h"
#include "rollup/fold.h"
#include "store/sqlite/write/closed.h"

struct writer_traffic {
    struct db *db; /* the writer's */
    const struct writer_closed *closed;
    struct fold sums;
};

/* Notes a log for its quarter of an hour: everyone, its user. */
enum err sqlite_quarter_add(struct writer_traffic *traffic, int64_t quarter, int64_t user_id,
                            const struct totals *totals);

/* Notes a log of a closed hour, or one that is being closed: everyone, its user, its order. */
enum err sqlite_traffic_add(struct writer_traffic *traffic, int64_t user_id, int64_t order_id,
                            const struct totals *totals);

/* Adds what was noted to the tables, and forgets it. */
enum err sqlite_traffic_put(struct writer_traffic *traffic, struct fault *fault);

/* The same, but an hour's sums are not added to its day. */
enum err sqlite_traffic_put_alone(struct writer_traffic *traffic, struct fault *fault);

#endif
