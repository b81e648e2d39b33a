/* health.h: what becomes of the writer when a write fails. */
#ifndef STORE_SQLITE_WRITE_HEALTH_H
#define STORE_SQLITE_WRITE_HEALTH_H

#include "store/sqlite/write/writer.h"

/* False, with the reason, after a failed sync and while the WAL is too long. */
bool sqlite_may_write(struct sqlite_writer *writer, struct fault *fault);

/* Rolls back, and forgets what was remembered of the transaction. */
void sqlite_undo(struct sqlite_writer *writer, const struct fault *fault);

/* Overwrites the first frame of a group whose commit failed. Such a group may stand in the WAL as a whole, and a
 * restart would count it as committed. The overwritten frame breaks the chain of checksums, so nothing of the group is
 * valid. */
void sqlite_withdraw(struct sqlite_writer *writer);

#endif
