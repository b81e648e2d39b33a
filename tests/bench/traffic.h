/* traffic.h: believable proxy traffic, the same for the same seed: users with orders, each order with 3 to 300 targets
 * of its own from a long-tailed list of 20,000 domains; stamps every 15 minutes; 5 % errors. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "log/batch.h"
#include "base/buf.h"

#include <stdint.h>

#define TRAFFIC_USERS 250
#define TRAFFIC_ORDERS 1000
#define TRAFFIC_DOMAINS 20000

struct traffic; /* opaque */

/* `logs_per_quarter` logs share each stamp; the first stamp is `begin` (Unix seconds). NULL when out of memory. */
struct traffic *traffic_open(uint64_t seed, int64_t begin, int64_t logs_per_quarter);
void traffic_close(struct traffic *traffic);

/* The next log: what it says, and its texts. Borrowed until the next call. */
struct traffic_log {
    struct log_record record; /* its names are not set */
    const char *text[NAME_FIELDS];
};
const struct traffic_log *traffic_next(struct traffic *traffic);

/* Its JSON, as a worker sends it. */
void traffic_put_log(const struct traffic_log *log, struct buf *body);

/* The next `count` logs as a batch, or as a request body. */
enum err traffic_batch(struct traffic *traffic, uint32_t count, struct batch *batch);
void traffic_body(struct traffic *traffic, uint32_t count, struct buf *body);

#endif
