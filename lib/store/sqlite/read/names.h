/* names.h: texts and their ids. Private to this room. */
#ifndef STORE_SQLITE_READ_NAMES_H
#define STORE_SQLITE_READ_NAMES_H

#include "store/sqlite/read/reader.h"

/* The id of a name: INT64_MIN for a text that no log has. */
enum err scan_find_name(struct sqlite_reader *reader, struct slice text, int64_t *ret_id, struct fault *fault);

/* The text of a name, to be freed. */
enum err scan_name(struct sqlite_reader *reader, int64_t id, char **ret_text, struct fault *fault);

#endif
