/* move.h: what moving a folder's logs into another folder needs of this engine, besides its logs. */
#ifndef STORE_SQLITE_CARE_MOVE_H
#define STORE_SQLITE_CARE_MOVE_H

#include "store/sqlite/sqlite.h"

#include <stdint.h>

/* Keeps every program from writing to the folder: *ret_lock is a descriptor, to be closed. ERR_UNAVAILABLE names who
 * writes to it now. */
enum err sqlite_freeze(const char *data_dir, int *ret_lock, struct fault *fault);

/* Copies what tells a batch, or a log of an import, that came before: idempotency keys, but those of `caller`, and what
 * imports know. What is there already stays. ERR_UNAVAILABLE. */
enum err sqlite_copy_known(const char *from_dir, struct sqlite_writer *to, const char *caller, struct fault *fault);

/* Before this, Unix seconds, sums are kept and logs are not; 0: there is no such time. ERR_UNAVAILABLE. */
enum err sqlite_sums_until(const char *data_dir, int64_t *ret_until, struct fault *fault);

#endif
