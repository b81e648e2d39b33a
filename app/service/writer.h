/* writer.h: the one thread that writes the database, and the bounded queue before it (group commit). */
#ifndef SERVICE_WRITER_H
#define SERVICE_WRITER_H

#include "base/err.h"
#include "metrics/metrics.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct writer_options {
    size_t queue_batches;        /* waiting batches beyond this are refused */
    size_t group_logs;           /* a group takes batches up to this many logs, and always one */
    int64_t wait_ms;             /* a batch that waits longer for its turn is withdrawn */
    int64_t idempotency_seconds; /* how long idempotency keys are kept */
    struct metrics *metrics;     /* NULL: nobody counts */
};

/* Where the time of one batch went, microseconds. */
struct writer_times {
    int64_t queue_us;
    struct store_times store; /* of its whole group */
};

struct writer; /* opaque */

/* Starts the thread. `store` belongs to the writer from now on, on an error too. ERR_UNAVAILABLE. */
enum err writer_start(struct store_writer *store, const struct writer_options *options, struct writer **ret_writer,
                      struct fault *fault);

/* Writes what is queued, ends the thread, closes the store. Those in writer_write get their answer; nobody may come
 * later. Takes NULL. */
void writer_stop(struct writer *writer);

/* Queues the item and waits for what becomes of it; item->result, replayed and fault are set. Thread-safe. Returns the
 * result: that of store_write, or ERR_UNAVAILABLE when the queue is full or its turn did not come in time (then nothing
 * of it is or will be stored). */
enum err writer_write(struct writer *writer, struct store_item *item, struct writer_times *ret_times);

/* Can it write? As store_writer_health says, and not stuck in one write. Thread-safe. */
enum err writer_health(struct writer *writer, struct fault *fault);

#endif
