/* pack.c: a run of rollup entries as a few bytes each. Knows the byte format. Knows no SQL and no tiers. */
#include "pack.h"

#include <string.h>

#include "banned.h"

#define MAX_VARINT_BYTES 10

/* ---- writing ---- */

static void put_varint(struct buf *buf, uint64_t value)
{
    unsigned char bytes[MAX_VARINT_BYTES];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (unsigned char)(value | 0x80);
    bytes[n++] = (unsigned char)value;
    buf_put(buf, bytes, n);
}

static void put_totals(struct buf *buf, const struct totals *totals, int64_t base)
{
    put_varint(buf, (uint64_t)totals->count);
    put_varint(buf, (uint64_t)totals->bytes_sent);
    put_varint(buf, (uint64_t)totals->bytes_received);
    put_varint(buf, (uint64_t)totals->errors);
    put_varint(buf, (uint64_t)totals->max_concurrency);
    put_varint(buf, (uint64_t)(totals->first - base));
    put_varint(buf, (uint64_t)(totals->last - totals->first));
}

static void put_order(struct buf *buf, const struct fold_entry *entry, int64_t base)
{
    put_varint(buf, (uint64_t)entry->key.order_id);
    put_totals(buf, &entry->totals, base);
}

void pack_writer_init(struct pack_writer *writer, size_t max_bytes)
{
    *writer = (struct pack_writer){0};
    buf_init(&writer->bytes, max_bytes);
    buf_init(&writer->orders, max_bytes);
}

void pack_writer_release(struct pack_writer *writer)
{
    buf_release(&writer->bytes);
    buf_release(&writer->orders);
}

void pack_begin(struct pack_writer *writer, int64_t base)
{
    buf_clear(&writer->bytes);
    writer->last = (struct fold_key){0};
    writer->base = base;
}

size_t pack_group_length(const struct fold_entry *entries, size_t count)
{
    size_t n = 1;
    while (n < count && entries[n].key.domain == entries[0].key.domain && entries[n].key.error == entries[0].key.error)
        n++;
    return n;
}

static void put_orders(struct pack_writer *writer, const struct fold_entry *entries, size_t count)
{
    struct totals sum = TOTALS_NONE;
    buf_clear(&writer->orders);
    for (size_t i = 0; i < count; i++) {
        totals_add(&sum, &entries[i].totals);
        put_order(&writer->orders, &entries[i], writer->base);
    }
    put_totals(&writer->bytes, &sum, writer->base);
    put_varint(&writer->bytes, writer->orders.len);
    buf_put(&writer->bytes, writer->orders.data, writer->orders.len);
    writer->bytes.failed |= writer->orders.failed;
}

void pack_put(struct pack_writer *writer, const struct fold_entry *entries, size_t count)
{
    const struct fold_key *key = &entries[0].key;
    uint64_t domain_step = (uint64_t)key->domain - (uint64_t)writer->last.domain;
    uint64_t error_step = (uint64_t)key->error - (uint64_t)writer->last.error;
    put_varint(&writer->bytes, domain_step << 1 | (count > 1));
    put_varint(&writer->bytes, error_step << 1 ^ (error_step >> 63 ? UINT64_MAX : 0));
    writer->last = *key;
    if (count > 1)
        put_orders(writer, entries, count);
    else
        put_order(&writer->bytes, &entries[0], writer->base);
}

/* ---- reading ---- */

void pack_open(struct pack_reader *reader, const void *bytes, size_t len, int64_t base, bool by_order)
{
    *reader = (struct pack_reader){.at = bytes, .base = base, .by_order = by_order};
    reader->end = len ? reader->at + len : reader->at;
}

static uint64_t damage(struct pack_reader *reader)
{
    reader->damaged = true;
    reader->at = reader->end;
    return 0;
}

static uint64_t get_varint_bytewise(struct pack_reader *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        unsigned char byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    return damage(reader);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Most numbers of a kind are small, and then all are; else up to 8 bytes without a branch for each of them, since their
 * lengths are random to the processor. */
static inline uint64_t get_varint(struct pack_reader *reader)
{
    uint64_t word, last;
    if (reader->end - reader->at < (ptrdiff_t)sizeof word)
        return get_varint_bytewise(reader);
    if (*reader->at < 0x80)
        return *reader->at++;
    memcpy(&word, reader->at, sizeof word);
    last = ~word & UINT64_C(0x8080808080808080); /* its lowest bit: the end of the byte that ends the number */
    if (!last)
        return get_varint_bytewise(reader);
    reader->at += (__builtin_ctzll(last) >> 3) + 1;
    word &= last ^ (last - 1);
    word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
}
#else
static uint64_t get_varint(struct pack_reader *reader)
{
    return get_varint_bytewise(reader);
}
#endif

static inline int64_t get_sum(struct pack_reader *reader)
{
    return (int64_t)(get_varint(reader) & INT64_MAX);
}

static inline void get_totals(struct pack_reader *reader, struct totals *ret_totals)
{
    ret_totals->count = get_sum(reader);
    ret_totals->bytes_sent = get_sum(reader);
    ret_totals->bytes_received = get_sum(reader);
    ret_totals->errors = get_sum(reader);
    ret_totals->max_concurrency = get_sum(reader);
    ret_totals->first = (int64_t)((uint64_t)reader->base + get_varint(reader));
    ret_totals->last = (int64_t)((uint64_t)ret_totals->first + get_varint(reader));
}

static inline void get_order(struct pack_reader *reader, struct totals *ret_totals)
{
    reader->key.order_id = get_sum(reader);
    get_totals(reader, ret_totals);
}

/* The sums of a group of several orders; or its first order, where they are asked for. */
static void get_group(struct pack_reader *reader, struct totals *ret_totals)
{
    get_totals(reader, ret_totals);
    uint64_t len = get_varint(reader);
    if (len == 0 || len > (uint64_t)(reader->end - reader->at)) {
        damage(reader);
        return;
    }
    reader->key.order_id = 0;
    reader->orders_end = reader->at + len;
    if (reader->by_order)
        get_order(reader, ret_totals);
    else
        reader->at = reader->orders_end;
}

bool pack_next(struct pack_reader *reader, struct totals *ret_totals)
{
    if (reader->at >= reader->end)
        return false;
    if (reader->at < reader->orders_end) {
        get_order(reader, ret_totals);
        return !reader->damaged;
    }
    uint64_t head = get_varint(reader), error_step = get_varint(reader);
    reader->key.domain = (int64_t)((uint64_t)reader->key.domain + (head >> 1));
    reader->key.error = (int64_t)((uint64_t)reader->key.error + (error_step >> 1 ^ (error_step & 1 ? UINT64_MAX : 0)));
    if (head & 1)
        get_group(reader, ret_totals);
    else
        get_order(reader, ret_totals);
    return !reader->damaged;
}
