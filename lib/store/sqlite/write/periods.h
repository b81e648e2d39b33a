/* periods.h: everyone's days, and wider periods of all, packed from the tier below. */
#ifndef STORE_SQLITE_WRITE_PERIODS_H
#define STORE_SQLITE_WRITE_PERIODS_H

#include "store/sqlite/write/writer.h"

/* Everyone's sums of the day that waits; then it is the turn of its users (write/users.h). */
void sqlite_day_ask(struct sqlite_writer *writer);
enum err sqlite_day_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault);
enum err sqlite_day_write(struct sqlite_writer *writer, struct fault *fault);

/* Some users of the period of this tier that ends with the day; user 0 is everyone. */
void sqlite_period_ask(struct sqlite_writer *writer, enum tier tier);
enum err sqlite_period_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault);
enum err sqlite_period_write(struct sqlite_writer *writer, struct fault *fault);

/* Packs a user's entries of a period that has no rows of the user, from those of the tier below. */
enum err sqlite_pack_user(struct sqlite_writer *writer, enum tier tier, int64_t bucket, int64_t user,
                          struct fault *fault);

#endif
