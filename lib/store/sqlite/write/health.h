/* health.h: what becomes of the writer when a write fails. */
#ifndef STORE_SQLITE_WRITE_HEALTH_H
#define STORE_SQLITE_WRITE_HEALTH_H

#include "store/sqlite/write/writer.h"

/* False, with the reason, after a failed sync and while the WAL is too long. */
bool sqlite_may_write(struct sqlite_writer *writer, struct fault *fault);

/* Rolls back, and forgets everything that was remembered of a transaction that never was. */
void sqlite_undo(struct sqlite_writer *writer, const struct fault *fault);

/* A group whose commit failed, in its sync or at the very end, may stand in the WAL whole: after a restart it would
 * count as committed. A frame over its first one breaks the chain of checksums, so that nothing of it is left. */
void sqlite_withdraw(struct sqlite_writer *writer);

#endif
