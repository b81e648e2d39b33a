/* compact.h: the logs of days whose hours are closed, moved from rows into parts. */
#ifndef STORE_SQLITE_WRITE_COMPACT_H
#define STORE_SQLITE_WRITE_COMPACT_H

#include "store/sqlite/write/writer.h"

void sqlite_parts_init(struct parts_slice *parts);
void sqlite_parts_release(struct parts_slice *parts);

/* Looks for a day whose hours are all closed and which has rows; *ret_found when there is one, and then some of these
 * are the question. */
enum err sqlite_parts_ask(struct sqlite_writer *writer, bool *ret_found, struct fault *fault);
enum err sqlite_parts_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault);
enum err sqlite_parts_write(struct sqlite_writer *writer, struct fault *fault);

/* For a transaction that wants to delete some of them: makes rows of the logs of a user and day again. */
enum err sqlite_uncompact(struct sqlite_writer *writer, int64_t day, int64_t user_id, struct fault *fault);

#endif
