/* users.h: the sums of users in an hour or a day, made of their logs, which stand in parts but for late ones. */
#ifndef STORE_SQLITE_WRITE_USERS_H
#define STORE_SQLITE_WRITE_USERS_H

#include "store/sqlite/write/writer.h"

/* Begins with the users of a period, TIER_HOUR or TIER_DAY, of which none has sums there. */
void sqlite_users_begin(struct sqlite_writer *writer, enum tier tier, int64_t bucket);

/* A slice of them; after the last, closed.walk.is_done. */
void sqlite_users_ask(struct sqlite_writer *writer);
enum err sqlite_users_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault);
enum err sqlite_users_write(struct sqlite_writer *writer, struct fault *fault);

/* Makes the sums of one user in a day again from what logs there are. */
enum err sqlite_users_redo(struct sqlite_writer *writer, int64_t day, int64_t user, struct fault *fault);

#endif
