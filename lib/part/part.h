/* part.h: logs by column, a few bits for each number. Knows the byte format and nothing of what the ids mean. A log
 * takes 20 bytes here and 65 as a row.
 *
 *   part      1 byte: the format, 1; the number of logs (varint); that of IPv6 addresses (varint), and their 16 bytes
 *             each; each column's head; each column's numbers, beginning with a byte; 8 bytes of zeros; 8 bytes: a hash
 *             of all before them
 *   head      1 byte: how many bits a number has, and 64 on top when it is an index into a table; varint: the least
 *             number. Before a table goes on: how many more entries it has (varint), and each one's distance from the
 *             one before (varints)
 *   numbers   their distance from the least, or an index; the lowest bits first. At most 57 bits, of an index 8
 *   address   0: none. 1 … 2^32: an IPv4 address (ip_number). From there on: an index into the IPv6 addresses
 *   varint    7 bits to a byte, the lowest first, 128 on top in all but the last; all integers are little-endian */
#ifndef PART_PART_H
#define PART_PART_H

#include "base/buf.h"
#include "log/batch.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The numbers of a log. Its day and its user are known to whoever has the part. */
enum part_column {
    PART_QUARTER, /* of the day, 0 … 95 */
    PART_SECOND,  /* of the quarter, 0 … 899 */
    PART_DOMAIN,
    PART_ORDER,
    PART_BATCH,
    PART_LINE,
    PART_PORT,
    PART_PROTOCOL,
    PART_IP_OUT, /* addresses */
    PART_IP_FROM,
    PART_PEER,
    PART_WORKER,
    PART_ERROR,
    PART_COUNT,
    PART_SENT,
    PART_RECEIVED,
    PART_ERRORS,
    PART_DURATION,
    PART_CONCURRENCY,
    PART_COLUMNS
};

/* A log on its way into a part, in order of time. Numbers are 0 … 2^53-1; those of addresses are made from `ip`. */
struct part_log {
    int64_t user_id; /* not stored */
    int64_t numbers[PART_COLUMNS];
    struct ip ip_out, ip_from;
};

#define PART_LOGS 2048u /* at most in one part */

/* Appends a part with these logs, 1 … PART_LOGS; `logs` gets the numbers of its addresses. OK, or ERR_UNAVAILABLE when
 * out of memory. */
enum err part_write(struct buf *buf, struct part_log *logs, size_t count);

/* A column as it is stored. */
struct part_numbers {
    const unsigned char *bits;
    uint64_t mask; /* of `width` bits */
    unsigned width;
    uint64_t least;
    const int64_t *table; /* NULL: none; as many entries as the width can count */
};

#define PART_TABLE_BITS 8u
#define PART_TABLE_ENTRIES (1u << PART_TABLE_BITS)

/* A part that is read. Its bytes are borrowed. */
struct part {
    size_t logs;
    const unsigned char *wide; /* IPv6 addresses */
    size_t wide_count;
    struct part_numbers columns[PART_COLUMNS];
    int64_t tables[PART_COLUMNS][PART_TABLE_ENTRIES];
};

/* False when the bytes are no part, or one of them is not as it was written. */
bool part_open(struct part *part, const void *bytes, size_t len);

/* What is stored for a log's number. */
static inline uint64_t part_code(const struct part_numbers *numbers, size_t log)
{
    uint64_t bytes;
    size_t bit = log * numbers->width;
    memcpy(&bytes, numbers->bits + bit / 8, sizeof bytes);
    return le64toh(bytes) >> bit % 8 & numbers->mask;
}

static inline int64_t part_decode(const struct part_numbers *numbers, uint64_t code)
{
    return numbers->table ? numbers->table[code] : (int64_t)(numbers->least + code);
}

static inline int64_t part_number(const struct part *part, enum part_column column, size_t log)
{
    const struct part_numbers *numbers = &part->columns[column];
    return part_decode(numbers, part_code(numbers, log));
}

/* What is stored for `number`. False when no log of the part has it. */
bool part_find(const struct part *part, enum part_column column, int64_t number, uint64_t *ret_code);

/* An address by its number, which from PART_WIDE on means one only in this part; and the number of an address here: -1
 * when no log has it. */
#define PART_WIDE (INT64_C(4294967296) + 1)
struct ip part_ip(const struct part *part, int64_t number);
int64_t part_ip_number(const struct part *part, const struct ip *ip);

/* The whole log `log`; user_id is left alone. */
void part_log(const struct part *part, size_t log, struct part_log *ret_log);

#endif
