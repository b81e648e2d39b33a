/* close.h: closes hours and days. */
#ifndef STORE_SQLITE_WRITE_CLOSE_H
#define STORE_SQLITE_WRITE_CLOSE_H

#include "store/sqlite/write/writer.h"

/* Closes the next hour or day when it is due at `now`, in a transaction of its own; *ret_more when another may be due.
 */
enum err sqlite_close_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

/* Packs a user's entries of a period that has no rows of the user, from those of the tier below. */
enum err sqlite_pack_user(struct sqlite_writer *writer, enum tier tier, int64_t bucket, int64_t user,
                          struct fault *fault);

/* For a transaction that deleted logs: opens again what is closed after the newest log, because an hour is over by the
 * logs' own time. */
enum err sqlite_open_again(struct sqlite_writer *writer, struct fault *fault);

#endif
