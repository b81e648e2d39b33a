/* rows.h: a group's logs as rows of raw_log. */
#ifndef STORE_SQLITE_WRITE_ROWS_H
#define STORE_SQLITE_WRITE_ROWS_H

#include "store/sqlite/write/writer.h"

/* Queues the batch's logs in writer->rows, but for those that are known. NULL: none is. */
enum err sqlite_queue_rows(struct sqlite_writer *writer, const struct batch *batch, const bool *known, int64_t batch_id,
                           struct fault *fault);

/* Stores what is queued, and leaves it queued, sorted. */
enum err sqlite_put_rows(struct sqlite_writer *writer, struct fault *fault);

/* The same for a writer that spools, in the order in which they came. */
enum err sqlite_spool_rows(struct sqlite_writer *writer, struct fault *fault);

#endif
