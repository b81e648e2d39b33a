/* close.h: closes hours and days, and moves the logs of closed days into parts. */
#ifndef STORE_SQLITE_WRITE_CLOSE_H
#define STORE_SQLITE_WRITE_CLOSE_H

#include "store/sqlite/write/writer.h"

/* One step of what is due at `now` (Unix seconds), in a transaction of its own; *ret_more when there may be others.
 * While a thread reads for the next step, which writer->closing.is_read_beside tells, there are none. */
enum err sqlite_close_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

/* From now on every slice is read where it is written; what a thread has begun is given up. */
void sqlite_close_alone(struct sqlite_writer *writer);

/* A log of this quarter of an hour came. */
void sqlite_close_note(struct writer_closing *closing, int64_t quarter);

/* For a transaction that deleted logs: opens again what is closed after the newest log, because an hour is over by the
 * logs' own time. */
enum err sqlite_open_again(struct sqlite_writer *writer, struct fault *fault);

#endif
