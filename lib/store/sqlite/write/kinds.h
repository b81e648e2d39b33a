/* kinds.h: a slice of closing read, and written, whatever its kind. */
#ifndef STORE_SQLITE_WRITE_KINDS_H
#define STORE_SQLITE_WRITE_KINDS_H

#include "store/sqlite/write/writer.h"

/* Answers the question. Changes nothing but *slice and *reading. */
enum err sqlite_slice_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault);

/* Puts what was read, writer->closing.slice, where it belongs, in the caller's transaction. */
enum err sqlite_slice_write(struct sqlite_writer *writer, struct fault *fault);

void sqlite_slice_init(struct closing_slice *slice);
void sqlite_slice_release(struct closing_slice *slice);

#endif
