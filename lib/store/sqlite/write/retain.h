/* retain.h: retention: moves horizons, and deletes what lies before them. */
#ifndef STORE_SQLITE_WRITE_RETAIN_H
#define STORE_SQLITE_WRITE_RETAIN_H

#include "store/sqlite/write/writer.h"

/* Moves a horizon that is due at `now`, or deletes some of what lies before one, or gives some pages back, in a
 * transaction of its own; *ret_more when there may be more to do. */
enum err sqlite_retain_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

/* The day that the newest log lies in, or `now` if that is earlier; -1: there are no logs. */
enum err sqlite_retain_today(struct sqlite_writer *writer, int64_t now, int64_t *ret_day, struct fault *fault);

/* Everything before the day goes, whatever the retention says, and all free pages are given back. */
void sqlite_retain_from(struct sqlite_writer *writer, int64_t day);

/* Is a service deleting now? */
bool sqlite_retain_is_busy(const struct sqlite_writer *writer);

#endif
