/* client.h: many HTTP/1.1 clients in one thread, with keep-alive, cheap enough to share a machine with the server. */
#ifndef CLIENT_H
#define CLIENT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define CLIENT_PARTS 4
#define CLIENT_KINDS 2

/* A whole request in pieces that are borrowed until its answer is there. */
struct outgoing {
    struct iovec part[CLIENT_PARTS];
    int parts;
    int kind;       /* 0 … CLIENT_KINDS - 1: measured apart */
    int64_t weight; /* logs in it */
};

struct plan {
    int port; /* on 127.0.0.1 */
    int clients;
    int expected_status;
    int64_t warm_us;      /* before measuring begins */
    int64_t measure_us;   /* the longest time to measure */
    int64_t max_requests; /* measured ones; 0: no bound */
    double rate;          /* requests a second, at fixed times (latency counts from the time when each was due); 0: each
                             client sends as soon as it has its answer */

    /* Fills the next request; false when there are no more. `head` is the caller's room for the request's head. */
    bool (*next)(void *ctx, char *head, size_t head_size, struct outgoing *ret_out);
    void (*begin)(void *ctx); /* called when measuring begins, and `end` when it ends; NULL for no call */
    void (*end)(void *ctx);
    void *ctx;
};

struct samples {
    uint32_t *us; /* latencies, ascending after client_run */
    size_t count, cap;
};

struct measured {
    double seconds;
    struct samples latency[CLIENT_KINDS];
    int64_t weight;                           /* of the answers that were as expected */
    int64_t refused_503, refused_429, failed; /* the other answers */
};

/* Set by a signal handler: ends the measuring. */
extern volatile sig_atomic_t client_stop;

/* Runs the plan. Any failure of a socket ends the program with a message. */
void client_run(const struct plan *plan, struct measured *ret_measured);
void measured_release(struct measured *measured);

/* A quantile (0 … 1) in microseconds; 0 for no samples. */
double samples_quantile(const struct samples *samples, double quantile);

int64_t clock_us(void); /* monotonic */

#endif
