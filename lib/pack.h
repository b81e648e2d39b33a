/* pack.h: a run of rollup entries as a few bytes each. Knows the byte format and nothing of what the numbers mean to a
 * report. A packed chunk is read twenty times as fast as the same numbers in rows, and takes half the room.
 *
 * Format: for each entry the differences of domain, error and order to the entry before (zigzag), then count,
 * bytes_sent, bytes_received, errors, max_concurrency, first - base and last - first, all as LEB128 varints. */
#ifndef PACK_H
#define PACK_H

#include "buf.h"
#include "fold.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes one entry. `last` is the key of the entry before it in the chunk (all zero for the first) and becomes this
 * one's. Entries come in fold_sort's order. `base` is the start of the bucket, Unix seconds: no log is older. */
void pack_put(struct buf *buf, struct fold_key *last, int64_t base, const struct fold_entry *entry);

/* Reads a chunk from its beginning. */
struct pack_reader {
    const unsigned char *at;
    const unsigned char *end;
    int64_t base;
    struct fold_key key; /* of the entry read last: only domain, error and order_id are set */
    bool damaged;        /* the bytes are not a chunk */
};
void pack_open(struct pack_reader *reader, const void *bytes, size_t len, int64_t base);

/* False at the end, or when the rest is damaged. */
bool pack_next(struct pack_reader *reader, struct totals *ret_totals);

#endif
