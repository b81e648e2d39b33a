/* close.h: closes hours and days. */
#ifndef STORE_SQLITE_WRITE_CLOSE_H
#define STORE_SQLITE_WRITE_CLOSE_H

#include "store/sqlite/write/writer.h"

/* Closes the next hours when they are due at `now` (Unix seconds), or a part of them, in a transaction of its own; *ret_more
 * when others may be due. */
enum err sqlite_close_hours(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

/* The same of the day that waits, whose logs stand in parts but for late ones. */
enum err sqlite_close_day(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault);

/* Packs a user's entries of a period that has no rows of the user, from those of the tier below. */
enum err sqlite_pack_user(struct sqlite_writer *writer, enum tier tier, int64_t bucket, int64_t user,
                          struct fault *fault);

/* For a transaction that deleted logs: opens again what is closed after the newest log, because an hour is over by the
 * logs' own time. */
enum err sqlite_open_again(struct sqlite_writer *writer, struct fault *fault);

#endif
