/* import_key.h: what an import says of a batch, as an idempotency key. Knows no store and no protocol. */
#ifndef LOG_IMPORT_KEY_H
#define LOG_IMPORT_KEY_H

#include "base/text.h"
#include "log/import_match.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name of a source: UTF-8 without control characters; "" when none is given. */
#define IMPORT_SOURCE_BYTES 60u

/* A batch of an import: logs in order of time. It holds whole seconds of its piece, or a part of one second. */
struct import_batch {
    bool check; /* nothing is stored: would it be? */
    enum import_overlap overlap;
    bool repeats, mixed, is_part; /* of struct import_second */
    int64_t base;                 /* of the first second */
    int64_t begins_until;         /* the piece may have begun in seconds up to this one */
    int64_t ends_from;            /* it may have ended in seconds from this one on */
    char source[IMPORT_SOURCE_BYTES + 1];
};

/* The edges of a second of that piece: a set of enum import_edge. */
int import_edges(const struct import_batch *batch, int64_t second);

/* An idempotency key has at most LIMIT_IDEMPOTENCY_KEY_BYTES. */
#define IMPORT_BATCH_KEY_BYTES 256
void import_batch_format(const struct import_batch *batch, char ret_key[IMPORT_BATCH_KEY_BYTES]);

/* False when the key is none of these. */
bool import_batch_parse(struct slice key, struct import_batch *ret_batch);

/* Copies the name; false when it can't be one. */
bool import_source_parse(struct slice name, char ret_source[IMPORT_SOURCE_BYTES + 1]);

#endif
