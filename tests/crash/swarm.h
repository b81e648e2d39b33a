/* swarm.h: senders and readers of a running service, in threads, that keep a ledger of the answers. Knows what a sender
 * may rely on. Knows no process.
 *
 * A batch with an idempotency key is sent until it is acknowledged; some senders give up at the first failure, as if
 * they had died; some send an acknowledged batch once more, and it must be answered as a repetition. A batch without a
 * key is sent once and only once: sent again, it would be another batch. So an acknowledged batch must be there, whole
 * and once; any other must be there once or not at all. What a reader has seen must still be there when it looks again.
 */
#ifndef SWARM_H
#define SWARM_H

#include "support/stack.h"
#include "numbered.h"

struct swarm_options {
    const struct stack *stack;
    struct ledger *ledger;
    uint64_t seed;
    int senders, readers;
    int pause_ms;    /* of a sender between two batches */
    bool keep_alive; /* connections are used again */
};

/* The answers that the senders and readers got. */
struct swarm_figures {
    int requests;     /* sent, reads too */
    int acknowledged; /* batches */
    int replayed;     /* of these, as a repetition: the first answer was lost, or the batch was sent once more */
    int refused;      /* 503 */
    int unanswered;   /* no answer, or not a whole one */
    const char *why;  /* the last of these, by libcurl */
    int crossed;      /* no answer on a connection used before: nginx was just closing it (RFC 9112, 9.5) */
    int unknown;      /* batches that may be stored or not */
    int reads;
    int worst_ms; /* the slowest request that was answered */
};

void swarm_start(const struct swarm_options *options);

/* Lets the senders send so many batches more. */
void swarm_release(int batches);

/* Waits until they have sent them all; fails the test when an answer broke a promise, or none came. */
void swarm_drain(void);

/* Sends a batch with a key from the calling thread, now, until it is acknowledged. */
void swarm_send_one(void);

/* Drains, then ends the threads. */
struct swarm_figures swarm_stop(void);

#endif
