/* names.h: the ids of names, new ones stored. Knows the table name and a cache of it. */
#ifndef STORE_SQLITE_WRITE_NAMES_H
#define STORE_SQLITE_WRITE_NAMES_H

#include "log/batch.h"
#include "db/db.h"
#include "store/sqlite/name_cache.h"

struct writer_names {
    struct db *db; /* the writer's */
    struct name_cache cache;
    int64_t *ids; /* of the group's batches, one after the other: index in a batch's names → name.id */
    size_t count, cap;
};

/* Appends the ids of a batch's names to names->ids. */
enum err sqlite_resolve_names(struct writer_names *names, const struct batch *batch, struct fault *fault);

/* The id of one text. */
enum err sqlite_resolve_text(struct writer_names *names, struct slice text, int64_t *ret_id, struct fault *fault);

#endif
