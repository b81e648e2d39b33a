/* import.h: what of an import's chunk is stored already, and the mark that it leaves. */
#ifndef STORE_SQLITE_WRITE_IMPORT_H
#define STORE_SQLITE_WRITE_IMPORT_H

#include "log/import_mark.h"
#include "store/sqlite/write/writer.h"

/* A chunk of an import, that begins at a mark: sets item->already, and *ret_end, its end's mark. */
enum err sqlite_import_find(struct sqlite_writer *writer, struct store_item *item, const struct import_mark *begin,
                            struct import_mark *ret_end, struct fault *fault);

/* What ends there is stored. */
enum err sqlite_import_mark(struct sqlite_writer *writer, const struct import_mark *end, int64_t now,
                            struct fault *fault);

#endif
