/* pack.c: a run of rollup entries as a few bytes each. Knows the byte format. Knows no SQL and no tiers. */
#include "pack.h"

#include "banned.h"

#define MAX_VARINT_BYTES 10

static void put_varint(struct buf *buf, uint64_t value)
{
    unsigned char bytes[MAX_VARINT_BYTES];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (unsigned char)(value | 0x80);
    bytes[n++] = (unsigned char)value;
    buf_put(buf, bytes, n);
}

/* Small differences of either sign become small numbers. */
static void put_difference(struct buf *buf, int64_t *last, int64_t value)
{
    uint64_t difference = (uint64_t)value - (uint64_t)*last;
    put_varint(buf, difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0));
    *last = value;
}

void pack_put(struct buf *buf, struct fold_key *last, int64_t base, const struct fold_entry *entry)
{
    const struct totals *totals = &entry->totals;
    put_difference(buf, &last->domain, entry->key.domain);
    put_difference(buf, &last->error, entry->key.error);
    put_difference(buf, &last->order_id, entry->key.order_id);
    put_varint(buf, (uint64_t)totals->count);
    put_varint(buf, (uint64_t)totals->bytes_sent);
    put_varint(buf, (uint64_t)totals->bytes_received);
    put_varint(buf, (uint64_t)totals->errors);
    put_varint(buf, (uint64_t)totals->max_concurrency);
    put_varint(buf, (uint64_t)(totals->first - base));
    put_varint(buf, (uint64_t)(totals->last - totals->first));
}

void pack_open(struct pack_reader *reader, const void *bytes, size_t len, int64_t base)
{
    *reader = (struct pack_reader){.at = bytes, .base = base};
    reader->end = len ? reader->at + len : reader->at;
}

static uint64_t get_varint(struct pack_reader *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        unsigned char byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    reader->damaged = true;
    return 0;
}

static int64_t get_sum(struct pack_reader *reader)
{
    return (int64_t)(get_varint(reader) & INT64_MAX);
}

static void get_difference(struct pack_reader *reader, int64_t *last)
{
    uint64_t value = get_varint(reader);
    *last = (int64_t)((uint64_t)*last + (value >> 1 ^ (value & 1 ? UINT64_MAX : 0)));
}

bool pack_next(struct pack_reader *reader, struct totals *ret_totals)
{
    if (reader->at >= reader->end)
        return false;
    struct totals totals;
    get_difference(reader, &reader->key.domain);
    get_difference(reader, &reader->key.error);
    get_difference(reader, &reader->key.order_id);
    totals.count = get_sum(reader);
    totals.bytes_sent = get_sum(reader);
    totals.bytes_received = get_sum(reader);
    totals.errors = get_sum(reader);
    totals.max_concurrency = get_sum(reader);
    totals.first = (int64_t)((uint64_t)reader->base + get_varint(reader));
    totals.last = (int64_t)((uint64_t)totals.first + get_varint(reader));
    *ret_totals = totals;
    return !reader->damaged;
}
