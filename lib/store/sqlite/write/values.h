/* values.h: sums of everyone by worker, peer, protocol, port, exit address and error, into value_day. */
#ifndef STORE_SQLITE_WRITE_VALUES_H
#define STORE_SQLITE_WRITE_VALUES_H

#include "store/sqlite/write/logs.h"
#include "store/sqlite/write/writer.h"

/* Does value_day have this day? */
bool sqlite_values_are_kept(const struct sqlite_writer *writer, int64_t day);

/* The next logs to be noted are of this day; none is where `are_kept` is false. Always followed by sqlite_values_put,
 * before anything else changes the day's rows. */
enum err sqlite_values_begin(struct day_values *values, struct db *db, int64_t day, bool are_kept, struct fault *fault);

/* A log_sink: notes a log of a closed hour, or one that is being closed, in a struct day_values. */
enum err sqlite_values_add(void *ctx, const struct stored_log *log);

/* Adds what was noted to value_day, and forgets it. */
enum err sqlite_values_put(struct sqlite_writer *writer, struct day_values *values, struct fault *fault);

/* Adds those logs of writer->rows that are late. */
enum err sqlite_values_late(struct sqlite_writer *writer, struct fault *fault);

/* Makes the day again from its logs. */
enum err sqlite_values_redo(struct sqlite_writer *writer, int64_t day, struct fault *fault);

/* The day's logs are gone, and its sums have changed: which values they had can't be told any more. */
enum err sqlite_values_forget(struct sqlite_writer *writer, int64_t day, struct fault *fault);

#endif
