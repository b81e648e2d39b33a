/* crowd.h: many clients of the service at once, a thread for each and a new connection for each request, and how long
 * their requests took. Knows no attack. */
#ifndef CROWD_H
#define CROWD_H

#include "book.h"

struct crowd_plan {
    const struct stack *stack;
    int clients;
    struct book *book; /* posts batches of it; NULL: reads `path` */
    int logs;          /* in a batch */
    int pause;         /* seconds of log time from batch to batch */
    const char *path;  /* read with the admin's key */
    long nap_ms;       /* between two requests of a client */
    int most;          /* requests of each client; 0: until crowd_stop */
};

struct crowd_result {
    int requests;
    int good;              /* 204 or 200 */
    int refused;           /* 503 or 429 with Retry-After */
    int silent;            /* no answer */
    int bad;               /* anything else */
    double p50, p99, most; /* ms, of the good ones */
};

struct crowd; /* opaque */
struct crowd *crowd_start(const struct crowd_plan *plan);

/* Waits until each client has ended its current request, and ends the crowd. */
struct crowd_result crowd_stop(struct crowd *crowd);

/* Waits until each client has made its `most` requests, and ends the crowd. */
struct crowd_result crowd_wait(struct crowd *crowd);

void crowd_print(const char *what, const struct crowd_result *result);

#endif
