/* values.h: sums of everyone by worker, peer, protocol, port, exit address and error, into value_day. */
#ifndef STORE_SQLITE_WRITE_VALUES_H
#define STORE_SQLITE_WRITE_VALUES_H

#include "store/sqlite/write/logs.h"

/* The next logs to be noted are of this day. Always followed by sqlite_values_put in the same transaction. */
enum err sqlite_values_begin(struct sqlite_writer *writer, int64_t day, struct fault *fault);

/* The same, but what is noted stays. */
enum err sqlite_values_resume(struct sqlite_writer *writer, int64_t day, struct fault *fault);

/* A log_sink of the writer: notes a log of a closed hour, or one that is being closed. */
enum err sqlite_values_add(void *ctx, const struct stored_log *log);

/* Adds what was noted to value_day, and forgets it. */
enum err sqlite_values_put(struct sqlite_writer *writer, struct fault *fault);

/* Adds those logs of writer->rows that are late. */
enum err sqlite_values_late(struct sqlite_writer *writer, struct fault *fault);

/* Makes the day again from its logs. */
enum err sqlite_values_redo(struct sqlite_writer *writer, int64_t day, struct fault *fault);

/* The day's logs are gone, and its sums have changed: which values they had can't be told any more. */
enum err sqlite_values_forget(struct sqlite_writer *writer, int64_t day, struct fault *fault);

#endif
