/* pack.h: a run of rollup entries as a few bytes each. Knows the byte format and nothing of what the numbers mean to a
 * report. A packed chunk is read thirty times as fast as the same numbers in rows, and takes half the room.
 *
 * Entries with the same domain and error are a group, one entry for each order. Who asks for no order reads the sums of
 * the group, which stand before its orders, and skips them.
 *
 * A chunk: the byte 9; groups.
 *
 * A group of one order: its entry. Of several: an entry of their sums, without an order; 4 bytes: how long all that
 * follows is; an entry for each order, in order, without domain and error.
 *
 * An entry: a tag, which tells how many bytes each of its numbers has, the first lowest; then the numbers, least byte
 * first, without their leading zero bytes (so 0 has none). There are two tags:
 *   5 bytes: 3 bits for domain, error, first and last, 4 for the others. For the order 0 … 8, or 15: an entry of sums.
 *   3 bytes, where all lengths fit: 3 bits for domain and error, 4 for the order, 2 each for count, bytes_sent and
 *   bytes_received, 1 each for errors and max_concurrency, 2 for the others. For the order 9 more than its length,
 *   which is 0 … 3, or 13: an entry of sums.
 *
 * The numbers: domain - that of the entry before, error - that of the entry before (zigzag), order, count, bytes_sent,
 * bytes_received, errors, max_concurrency, duration_ms, first - base, last - first.
 *
 * Versions up to 0.2.0 knew no duration: their chunks begin with an entry at once, have 4 bits for each length, and
 * their durations are read as 0. To these versions a chunk that begins with 9 is damaged. */
#ifndef ROLLUP_PACK_H
#define ROLLUP_PACK_H

#include "base/buf.h"
#include "rollup/fold.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes a chunk, group by group. */
struct pack_writer {
    struct buf bytes; /* the chunk so far; the caller takes them and clears it */
    struct buf orders;
    struct fold_key last; /* of the group before */
    int64_t base;         /* start of the bucket, Unix seconds: no log is older */
};

/* `max_bytes` is the ceiling of a chunk. Nothing is allocated. */
void pack_writer_init(struct pack_writer *writer, size_t max_bytes);
void pack_writer_release(struct pack_writer *writer);

/* Begins a chunk. */
void pack_begin(struct pack_writer *writer, int64_t base);

/* Adds one group: entries that differ by their order alone, in fold_sort's order, after those of all groups before. A
 * chunk that grew over its ceiling, or has an id over 2^55, is known by bytes.failed. */
void pack_put(struct pack_writer *writer, const struct fold_entry *entries, size_t count);

/* How many of the entries, at least one, are the first's group. */
size_t pack_group_length(const struct fold_entry *entries, size_t count);

#define PACK_TAIL_BYTES 220

/* Reads a chunk from its beginning. */
struct pack_reader {
    const unsigned char *at;
    const unsigned char *end;
    int64_t base;
    bool by_order; /* every order; else every group, as order 0 */
    bool has_durations;
    bool in_tail;                        /* the rest of the chunk was copied into `tail` */
    bool damaged;                        /* the bytes are not a chunk */
    struct fold_key key;                 /* of the entry read last: only domain, error and order_id are set */
    unsigned char tail[PACK_TAIL_BYTES]; /* entries are read 8 bytes at a time, also at the chunk's end */
};
void pack_open(struct pack_reader *reader, const void *bytes, size_t len, int64_t base, bool by_order);

/* False at the end, or when the rest is damaged. */
bool pack_next(struct pack_reader *reader, struct totals *ret_totals);

#endif
