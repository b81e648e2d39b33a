/* users.h: the sums of users in an hour or a day, made of their logs, which stand in parts but for late ones. */
#ifndef STORE_SQLITE_WRITE_USERS_H
#define STORE_SQLITE_WRITE_USERS_H

#include "store/sqlite/write/writer.h"

/* Begins with the users of a period, TIER_HOUR or TIER_DAY, of which none has sums there. */
void sqlite_users_begin(struct sqlite_writer *writer, enum tier tier, int64_t bucket);

/* Adds up the logs of some of them, in the caller's transaction; after the last, walk.is_done. */
enum err sqlite_users_next(struct sqlite_writer *writer, struct fault *fault);

/* Makes the sums of one user in a day again from what logs there are. */
enum err sqlite_users_redo(struct sqlite_writer *writer, int64_t day, int64_t user, struct fault *fault);

#endif
