/* beside.h: reads a slice of closing in a thread of its own, while batches are written. Knows threads. */
#ifndef STORE_SQLITE_WRITE_BESIDE_H
#define STORE_SQLITE_WRITE_BESIDE_H

#include "store/engine.h"
#include "store/sqlite/write/slice.h"

/* Starts the thread, which reads the file by a connection of its own, and tells `wake` when a slice is read.
 * ERR_UNAVAILABLE. */
struct closing_thread;
enum err sqlite_beside_start(const char *path, const struct store_wake *wake, struct closing_thread **ret_beside,
                             struct fault *fault);
void sqlite_beside_stop(struct closing_thread *beside); /* takes NULL too */

/* Begins to read it. It is the thread's until sqlite_beside_is_done. */
void sqlite_beside_begin(struct closing_thread *beside, struct closing_slice *slice);

/* True once it is read: *ret_err is OK, or why it could not be read, and *fault says more. */
bool sqlite_beside_is_done(struct closing_thread *beside, enum err *ret_err, struct fault *fault);

#endif
