/* demo_traffic.h: made-up traffic of a small proxy operator, the same for the same seed and times. */
#ifndef CTL_DEMO_TRAFFIC_H
#define CTL_DEMO_TRAFFIC_H

#include "log/batch.h"
#include "base/err.h"

#include <stdint.h>

struct demo_plan {
    uint64_t seed;
    int64_t from, until; /* Unix seconds; whole quarters of an hour */
    int64_t logs;        /* in all */
};

struct demo_traffic; /* opaque */

/* NULL when out of memory. */
struct demo_traffic *demo_open(const struct demo_plan *plan);
void demo_close(struct demo_traffic *traffic);

/* Adds the next logs, in order of time, `count` or as many as are left; none are left when none are added. OK, or
 * ERR_UNAVAILABLE: out of memory. */
enum err demo_next(struct demo_traffic *traffic, uint32_t count, struct batch *batch);

#endif
