/* selection.h: what care/delete.c is told to delete, in the ids of the database. */
#ifndef STORE_SQLITE_CARE_SELECTION_H
#define STORE_SQLITE_CARE_SELECTION_H

#include "store/sqlite/care/care.h"
#include "store/sqlite/write/take.h"
#include "db/db.h"

/* A name that is not stored selects no log. */
enum err selection_find(struct db *db, const struct sqlite_delete_options *options, struct selection *ret_selection,
                        struct fault *fault);

/* Days before the horizon of logs. */
struct sums_span {
    int64_t from, to; /* of these days, the selected logs can be taken out of the sums */
};

/* Which days these are, and *ret_deleted's `left`. */
enum err selection_of_sums(struct db *db, const struct selection *selection, struct sums_span *ret_span,
                           struct sqlite_deleted *ret_deleted, struct fault *fault);

#endif
