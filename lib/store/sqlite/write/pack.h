/* pack.h: entries on their way into rollup_chunk. */
#ifndef STORE_SQLITE_WRITE_PACK_H
#define STORE_SQLITE_WRITE_PACK_H

#include "db/db.h"
#include "rollup/fold.h"
#include "rollup/pack.h"

struct writer_pack {
    struct db *db;             /* the writer's */
    struct fold chunk;         /* the entries of one chunk, merged */
    struct pack_writer packer; /* the chunk being written */
};

void sqlite_pack_init(struct writer_pack *pack, struct db *db);
void sqlite_pack_release(struct writer_pack *pack);

/* Adds the entries to rollup_chunk, and forgets them. `fresh`: none of their buckets and users has chunks yet, so there
 * is nothing to merge with. */
enum err sqlite_pack(struct writer_pack *pack, struct fold *entries, bool fresh, struct fault *fault);

#endif
