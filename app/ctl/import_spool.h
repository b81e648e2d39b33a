/* import_spool.h: the logs of a file in order of time, however many. They go to a temporary file in sorted runs, which
 * are merged as they are read, so memory does not grow with the file. Knows no target. */
#ifndef CTL_IMPORT_SPOOL_H
#define CTL_IMPORT_SPOOL_H

#include "log/batch.h"
#include "log/import_key.h"
#include "log/import_mark.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct import_spool; /* opaque */

/* The temporary file is made with the first log, in TMPDIR or /var/tmp, and has no name. */
enum err import_spool_open(struct import_spool **ret_spool, struct fault *fault);
void import_spool_close(struct import_spool *spool); /* takes NULL */

/* Adds log `index` of `batch`, from that line of its file. */
enum err import_spool_add(struct import_spool *spool, const struct batch *batch, uint32_t index, int64_t line,
                          struct fault *fault);

/* The file was read to its end. */
enum err import_spool_finish(struct import_spool *spool, struct fault *fault);

int64_t import_spool_logs(const struct import_spool *spool);

/* What is true of the file as a piece of its source: where it may begin and end, whether it has equal logs in one
 * second. */
void import_spool_describe(const struct import_spool *spool, struct import_batch *ret_piece);

/* Begins at the first log; any number of times, after import_spool_finish. */
enum err import_spool_rewind(struct import_spool *spool, struct fault *fault);

/* A batch for an import: whole seconds, as long as these are of one day and fewer than IMPORT_CHUNK_LOGS or
 * IMPORT_CHUNK_BYTES / 2 are in it; a second that is larger comes in parts. `batch` is empty before, and after the last
 * one. ret_lines has room for SPOOL_BATCH_LOGS. Sets ret_piece->is_part and base. */
#define SPOOL_BATCH_LOGS (2 * IMPORT_CHUNK_LOGS)
enum err import_spool_next(struct import_spool *spool, struct batch *batch, int64_t *ret_lines,
                           struct import_batch *ret_piece, struct fault *fault);

#endif
