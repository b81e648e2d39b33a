/* check.h: what SQLite's own checks find in a file. */
#ifndef DB_CHECK_H
#define DB_CHECK_H

#include "db/db.h"

/* Runs a pragma such as quick_check, and calls `damage` with each fault that SQLite reports, in its words.
 * ERR_UNAVAILABLE: the file could not be read to its end, so its state is unknown. */
enum err db_check(struct db *db, const char *pragma, void (*damage)(void *ctx, const char *words, int len), void *ctx,
                  struct fault *fault);

#endif
