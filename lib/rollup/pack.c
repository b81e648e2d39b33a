/* pack.c: a run of rollup entries as a few bytes each. Knows the byte format. Knows no SQL and no tiers. */
#include "rollup/pack.h"

#include <endian.h>
#include <string.h>

#include "base/banned.h"

enum { DOMAIN, ERROR, ORDER, COUNT, SENT, RECEIVED, ERRORS, MAX_CONCURRENCY, DURATION, FIRST, LAST, NUMBERS };

/* How an entry may look. */
enum form { OLD, LONG, SHORT, FORMS };

/* How many bits each number's length takes. Domains, errors and times need no 8 bytes; of an OLD entry no duration is
 * known. */
static const unsigned char length_bits[FORMS][NUMBERS] = {[OLD] = {4, 4, 4, 4, 4, 4, 4, 4, 0, 4, 4},
                                                          [LONG] = {3, 3, 4, 4, 4, 4, 4, 4, 4, 3, 3},
                                                          [SHORT] = {3, 3, 4, 2, 2, 2, 1, 1, 2, 2, 2}};
static const unsigned char tag_bytes[FORMS] = {[OLD] = 5, [LONG] = 5, [SHORT] = 3};

/* What stands for the length of the order: the length, and in an entry of several orders the last of these. */
#define SHORT_ORDER 9 /* 9 … 12: a SHORT entry, the length is 0 … 3 */
static const unsigned char several_orders[FORMS] = {[OLD] = 15, [LONG] = 15, [SHORT] = 13};

#define MARK 9       /* begins a chunk with durations */
#define SIZE_BYTES 4 /* of a group's orders */
#define TIME_BITS 40 /* seconds of any year we know need 36 */
#define ENTRY_BYTES (5 + NUMBERS * 8)
#define ENTRY_REACH (ENTRY_BYTES + SIZE_BYTES + 8) /* how far from its beginning the reading of an entry looks */

_Static_assert(PACK_TAIL_BYTES >= 2 * ENTRY_REACH, "an entry that begins in the tail is read within it");

/* ---- writing ---- */

static unsigned length_of(uint64_t number)
{
    return number ? (unsigned)(64 - __builtin_clzll(number) + 7) / 8 : 0;
}

static void put_bytes(char **at, uint64_t number, unsigned length)
{
    uint64_t little = htole64(number);
    memcpy(*at, &little, sizeof little);
    *at += length;
}

/* Whether each length can be told. */
static bool fits(const unsigned char lengths[NUMBERS], enum form form)
{
    bool is_told = form != SHORT || lengths[ORDER] <= 3;
    for (int i = 0; i < NUMBERS; i++)
        is_told &= lengths[i] >> length_bits[form][i] == 0;
    return is_told;
}

static uint64_t tag_of(const unsigned char lengths[NUMBERS], enum form form, bool several)
{
    uint64_t tag = 0;
    unsigned order = several ? several_orders[form] : lengths[ORDER] + (form == SHORT ? SHORT_ORDER : 0u);
    for (int i = 0, shift = 0; i < NUMBERS; shift += length_bits[form][i++])
        tag |= (uint64_t)(i == ORDER ? order : lengths[i]) << shift;
    return tag;
}

static void put_numbers(struct buf *buf, const uint64_t numbers[NUMBERS], bool several)
{
    char bytes[ENTRY_REACH], *at = bytes;
    unsigned char lengths[NUMBERS];
    for (int i = 0; i < NUMBERS; i++)
        lengths[i] = (unsigned char)length_of(numbers[i]);
    enum form form = fits(lengths, SHORT) ? SHORT : LONG;
    buf->failed |= !fits(lengths, form);
    put_bytes(&at, tag_of(lengths, form, several), tag_bytes[form]);
    for (int i = 0; i < NUMBERS; i++)
        put_bytes(&at, numbers[i], length_of(numbers[i]));
    buf_put(buf, bytes, (size_t)(at - bytes));
}

/* Writes an entry; `numbers` has the domain's and the error's step and the order. */
static void put_entry(struct buf *buf, uint64_t numbers[NUMBERS], bool several, const struct totals *totals,
                      int64_t base)
{
    numbers[COUNT] = (uint64_t)totals->count;
    numbers[SENT] = (uint64_t)totals->bytes_sent;
    numbers[RECEIVED] = (uint64_t)totals->bytes_received;
    numbers[ERRORS] = (uint64_t)totals->errors;
    numbers[MAX_CONCURRENCY] = (uint64_t)totals->max_concurrency;
    numbers[DURATION] = (uint64_t)totals->duration_ms;
    numbers[FIRST] = (uint64_t)totals->first - (uint64_t)base;
    numbers[LAST] = (uint64_t)totals->last - (uint64_t)totals->first;
    put_numbers(buf, numbers, several);
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
    buf_put(&writer->bytes, &(char){MARK}, 1);
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

/* The orders of a group into writer->orders; their sum. */
static struct totals gather_orders(struct pack_writer *writer, const struct fold_entry *entries, size_t count)
{
    buf_clear(&writer->orders);
    struct totals sum = TOTALS_NONE;
    for (size_t i = 0; i < count; i++) {
        uint64_t numbers[NUMBERS] = {[ORDER] = (uint64_t)entries[i].key.order_id};
        totals_add(&sum, &entries[i].totals);
        put_entry(&writer->orders, numbers, false, &entries[i].totals, writer->base);
    }
    return sum;
}

void pack_put(struct pack_writer *writer, const struct fold_entry *entries, size_t count)
{
    const struct fold_key *key = &entries[0].key;
    uint64_t error_step = (uint64_t)key->error - (uint64_t)writer->last.error;
    uint64_t numbers[NUMBERS] = {[DOMAIN] = (uint64_t)key->domain - (uint64_t)writer->last.domain,
                                 [ERROR] = error_step << 1 ^ (error_step >> 63 ? UINT64_MAX : 0),
                                 [ORDER] = count == 1 ? (uint64_t)key->order_id : 0};
    struct totals sum = count == 1 ? entries[0].totals : gather_orders(writer, entries, count);
    writer->last = *key;
    put_entry(&writer->bytes, numbers, count > 1, &sum, writer->base);
    if (count == 1)
        return;
    uint32_t size = htole32((uint32_t)writer->orders.len);
    buf_put(&writer->bytes, &size, SIZE_BYTES);
    buf_put(&writer->bytes, writer->orders.data, writer->orders.len);
    writer->bytes.failed |= writer->orders.failed;
}

/* ---- reading ---- */

void pack_open(struct pack_reader *reader, const void *bytes, size_t len, int64_t base, bool by_order)
{
    reader->at = bytes;
    reader->end = len ? reader->at + len : reader->at;
    reader->base = base;
    reader->by_order = by_order;
    reader->has_durations = len && *reader->at == MARK;
    reader->at += reader->has_durations;
    reader->in_tail = reader->damaged = false;
    reader->key = (struct fold_key){0};
}

static bool damage(struct pack_reader *reader)
{
    reader->damaged = true;
    reader->at = reader->end;
    return false;
}

/* Goes on in a copy that may be read beyond its end. */
static void enter_tail(struct pack_reader *reader)
{
    size_t left = (size_t)(reader->end - reader->at);
    memset(reader->tail, 0, sizeof reader->tail);
    memcpy(reader->tail, reader->at, left);
    reader->at = reader->tail;
    reader->end = reader->tail + left;
    reader->in_tail = true;
}

static inline uint64_t load(const unsigned char *at)
{
    uint64_t little;
    memcpy(&little, at, sizeof little);
    return le64toh(little);
}

/* A number whose length is in so many of the tag's lowest bits. No branch: the lengths are random to the processor. */
static inline uint64_t take(const unsigned char **at, uint64_t *tag, unsigned bits)
{
    static const uint64_t masks[9] = {0,
                                      0xff,
                                      0xffff,
                                      0xffffff,
                                      0xffffffff,
                                      UINT64_C(0xffffffffff),
                                      UINT64_C(0xffffffffffff),
                                      UINT64_C(0xffffffffffffff),
                                      UINT64_MAX};
    unsigned length = (unsigned)(*tag & ((1u << bits) - 1));
    uint64_t number = load(*at) & masks[length];
    *at += length;
    *tag >>= bits;
    return number;
}

/* Some length is over 8 bytes: the bits that say so, and those that may not stand beside them. */
static inline bool is_impossible(uint64_t tag, enum form form)
{
    static const uint64_t lowest[FORMS] = {
        [OLD] = UINT64_C(0x1111111111), [LONG] = UINT64_C(0x0044444440), [SHORT] = 0};
    return (tag >> 3 & (tag >> 2 | tag >> 1 | tag) & lowest[form]) != 0;
}

/* A number that must not pass 2^63-1: *all_bits tells in the end whether one did. */
static inline int64_t take_sum(const unsigned char **at, uint64_t *tag, unsigned bits, uint64_t *all_bits)
{
    uint64_t number = take(at, tag, bits);
    *all_bits |= number;
    return (int64_t)(number & INT64_MAX);
}

/* The sums and times of an entry. False when they are none that we write. */
static inline bool take_totals(const unsigned char **at, uint64_t *tag, int64_t base, enum form form,
                               struct totals *ret_totals)
{
    const unsigned char *bits = length_bits[form];
    uint64_t all_bits = 0, all_times = 0;
    ret_totals->count = take_sum(at, tag, bits[COUNT], &all_bits);
    ret_totals->bytes_sent = take_sum(at, tag, bits[SENT], &all_bits);
    ret_totals->bytes_received = take_sum(at, tag, bits[RECEIVED], &all_bits);
    ret_totals->errors = take_sum(at, tag, bits[ERRORS], &all_bits);
    ret_totals->max_concurrency = take_sum(at, tag, bits[MAX_CONCURRENCY], &all_bits);
    ret_totals->duration_ms = take_sum(at, tag, bits[DURATION], &all_bits);
    ret_totals->first = (int64_t)((uint64_t)base + (uint64_t)take_sum(at, tag, bits[FIRST], &all_times));
    ret_totals->last = (int64_t)((uint64_t)ret_totals->first + (uint64_t)take_sum(at, tag, bits[LAST], &all_times));
    return !(all_bits >> 63) && !(all_times >> TIME_BITS);
}

/* Past the orders of a group, or to the first of them. */
static bool enter_group(struct pack_reader *reader)
{
    uint32_t size;
    memcpy(&size, reader->at, sizeof size);
    size = le32toh(size);
    if (reader->end - reader->at < SIZE_BYTES || size == 0 || size > (size_t)(reader->end - reader->at) - SIZE_BYTES)
        return damage(reader);
    reader->at += SIZE_BYTES;
    reader->at += reader->by_order ? 0 : size;
    return true;
}

/* What a tag has in place of the length of the order. */
static inline unsigned order_in(uint64_t tag, enum form form)
{
    return (unsigned)(tag >> (length_bits[form][DOMAIN] + length_bits[form][ERROR])) & 15;
}

/* The lengths of an entry, that of the order as the others; *ret_several when it is the sum of several orders. */
static inline uint64_t take_tag(const unsigned char **at, enum form form, bool *ret_several)
{
    uint64_t tag = load(*at) & ((UINT64_C(1) << tag_bytes[form] * 8) - 1);
    unsigned order = order_in(tag, form), shift = length_bits[form][DOMAIN] + length_bits[form][ERROR];
    *ret_several = order == several_orders[form];
    unsigned length = *ret_several ? 0 : order - (form == SHORT ? SHORT_ORDER : 0);
    *at += tag_bytes[form];
    return tag ^ (uint64_t)(order ^ length) << shift;
}

static inline bool take_entry(struct pack_reader *reader, enum form form, struct totals *ret_totals, bool *ret_several)
{
    const unsigned char *at = reader->at, *bits = length_bits[form];
    uint64_t tag = take_tag(&at, form, ret_several);
    if (is_impossible(tag, form))
        return damage(reader);
    reader->key.domain = (int64_t)((uint64_t)reader->key.domain + take(&at, &tag, bits[DOMAIN]));
    uint64_t error_step = take(&at, &tag, bits[ERROR]);
    reader->key.error = (int64_t)((uint64_t)reader->key.error + (error_step >> 1 ^ (error_step & 1 ? UINT64_MAX : 0)));
    reader->key.order_id = (int64_t)take(&at, &tag, bits[ORDER]);
    if (!take_totals(&at, &tag, reader->base, form, ret_totals) || at > reader->end)
        return damage(reader);
    reader->at = at;
    return true;
}

/* One entry. Each form by itself, so that the lengths are constants in each. */
static bool next_entry(struct pack_reader *reader, struct totals *ret_totals, bool *ret_several)
{
    if (reader->end - reader->at < ENTRY_REACH && !reader->in_tail)
        enter_tail(reader);
    if (!reader->has_durations)
        return take_entry(reader, OLD, ret_totals, ret_several);
    unsigned order = order_in(load(reader->at), SHORT);
    return order >= SHORT_ORDER && order <= several_orders[SHORT] ? take_entry(reader, SHORT, ret_totals, ret_several)
                                                                  : take_entry(reader, LONG, ret_totals, ret_several);
}

bool pack_next(struct pack_reader *reader, struct totals *ret_totals)
{
    bool several = false;
    if (reader->at >= reader->end || !next_entry(reader, ret_totals, &several))
        return false;
    if (!several)
        return true;
    if (!enter_group(reader))
        return false;
    if (!reader->by_order)
        return true;
    return next_entry(reader, ret_totals, &several) && (!several || damage(reader));
}
