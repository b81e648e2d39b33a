/* compact.h: the logs of days whose hours are closed, moved from rows into parts. */
#ifndef STORE_SQLITE_WRITE_COMPACT_H
#define STORE_SQLITE_WRITE_COMPACT_H

#include "store/sqlite/write/writer.h"

void sqlite_compact_init(struct writer_compact *compact);
void sqlite_compact_release(struct writer_compact *compact);

/* Moves some logs of days whose hours are all closed into parts, in a transaction of its own, from the time in the table
 * upgrade on; *ret_more when there may be others. `now`: Unix seconds. */
enum err sqlite_compact_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

/* For a transaction that wants to delete some of them: makes rows of the logs of a user and day again. */
enum err sqlite_uncompact(struct sqlite_writer *writer, int64_t day, int64_t user_id, struct fault *fault);

#endif
