/* import_mark.h: how far an import has come: so many logs from a file's beginning, and a hash of all of them. Two files
 * that begin with the same logs, in whatever format, have the same marks; so a mark that is stored says that these logs
 * are stored, and a second import of them counts nothing.
 *
 * A file is cut into chunks; what is stored of it is stored by the chunk, and leaves the mark of the chunk's end. Where
 * chunks end, and how marks are made, must never change: the marks of an older version would not be found. */
#ifndef LOG_IMPORT_MARK_H
#define LOG_IMPORT_MARK_H

#include "log/batch.h"
#include "log/text.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A chunk ends with the log that makes it so many, or so large. A file's last one is what is left. The second figure
 * keeps the JSON of any chunk below LIMIT_BODY_BYTES: escaping makes a text at most six times as long, and the names of
 * the members are 300 bytes for each log. */
#define IMPORT_CHUNK_LOGS 5000u
#define IMPORT_CHUNK_BYTES (2u << 20)

#define IMPORT_HASH_BYTES 32

struct import_mark {
    int64_t logs;
    unsigned char hash[IMPORT_HASH_BYTES];
};

/* The mark of a file's beginning is all zero. Moves the mark behind one more log of a file, line `line` of `batch`. The
 * hash is BLAKE2b-256 of the hash before and of the log: its numbers (64 bits, little-endian), addresses and texts,
 * each after its length. Returns how many bytes that were; they count towards IMPORT_CHUNK_BYTES. */
size_t import_mark_add(struct import_mark *mark, const struct batch *batch, uint32_t line);

/* The hash of a log by itself: the first 64 bits, little-endian, of BLAKE2b-128 of the same bytes. Like marks it must
 * never change. */
int64_t import_log_hash(const struct batch *batch, uint32_t line);
int64_t import_text_hash(const struct log_text *log);

/* The mark as an idempotency key: that of the chunk that begins there, and of what is stored up to there. Keys of marks
 * sort by the number of logs. */
#define IMPORT_KEY_BYTES 108
void import_mark_format(const struct import_mark *mark, char ret_key[IMPORT_KEY_BYTES]);

/* False when the key is no mark. */
bool import_mark_parse(struct slice key, struct import_mark *ret_mark);

#endif
