/* import_log.h: which logs of a batch its source has brought before, and what is remembered of the others. */
#ifndef STORE_SQLITE_WRITE_IMPORT_LOG_H
#define STORE_SQLITE_WRITE_IMPORT_LOG_H

#include "log/import_key.h"
#include "store/sqlite/write/writer.h"

/* Looks at the batch of an import: sets item->already, writer->import.known of each log, and what sqlite_import_record
 * is to remember. Where it can't be told, item->result is ERR_IMPORT_UNCLEAR, and its text says of which time. */
enum err sqlite_import_compare(struct sqlite_writer *writer, struct store_item *item, const struct import_batch *batch,
                               struct fault *fault);

/* The same for a chunk with a mark, of which item->already logs are known. */
enum err sqlite_import_note(struct sqlite_writer *writer, const struct store_item *item, struct fault *fault);

/* Remembers that the logs which were not known are stored. batch_id 0: none was stored, as all of them were known. */
enum err sqlite_import_record(struct sqlite_writer *writer, int64_t batch_id, struct fault *fault);

/* Takes over into import_log what versions before it imported of this quarter, while the logs are there. */
enum err sqlite_import_take_over(struct sqlite_writer *writer, int64_t quarter, struct fault *fault);

/* Forgets `count` logs of this hash (import_log_hash), as many as there are: an import may store them again. For who
 * deletes them. `source` and the hash of a row of raw_log: IMPORTED_LOGS and LOG_HASH in store/sqlite/log_hash.h. */
enum err sqlite_import_forget(struct sqlite_writer *writer, int64_t source, int64_t second, int64_t hash, int64_t count,
                              struct fault *fault);

/* Frees the memory. */
void sqlite_import_release(struct writer_import *import);

#endif
