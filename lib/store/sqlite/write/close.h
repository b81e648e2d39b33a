/* close.h: closes hours and days. */
#ifndef STORE_SQLITE_WRITE_CLOSE_H
#define STORE_SQLITE_WRITE_CLOSE_H

#include "store/sqlite/write/writer.h"

/* Closes the next hour or day when it is due at `now`, in a transaction of its own; *ret_more when another may be due.
 */
enum err sqlite_close_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

#endif
