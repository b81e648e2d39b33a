/* write.c: logs into a part. Knows which form of a column is the shortest. */
#include "part/form.h"
#include "part/part.h"

#include "base/hash.h"
#include "base/int64.h"

#include <stdlib.h>

#include "base/banned.h"

/* Columns of few distinct numbers: a table may be shorter. */
static const bool may_have_table[PART_COLUMNS] = {
    [PART_ORDER] = true,   [PART_PORT] = true, [PART_PROTOCOL] = true, [PART_IP_OUT] = true,
    [PART_IP_FROM] = true, [PART_PEER] = true, [PART_WORKER] = true,   [PART_ERROR] = true};

#define VARINT_BYTES 10

static void put_varint(struct buf *buf, uint64_t value)
{
    char bytes[VARINT_BYTES];
    size_t len = 0;
    for (; value >= 128; value >>= 7)
        bytes[len++] = (char)(value | 128);
    bytes[len++] = (char)value;
    buf_put(buf, bytes, len);
}

static size_t varint_len(uint64_t value)
{
    size_t len = 1;
    for (; value >= 128; value >>= 7)
        len++;
    return len;
}

static unsigned width_of(uint64_t greatest)
{
    return greatest ? (unsigned)(64 - __builtin_clzll(greatest)) : 0;
}

/* ---- addresses ---- */

/* The IPv6 addresses of a part. */
struct wide {
    struct ip *ips;
    size_t count;
    struct index index;
};

static uint64_t ip_hash(const struct ip *ip)
{
    uint64_t halves[2];
    memcpy(halves, ip->bytes, sizeof halves);
    return hash_mix(halves[0] ^ hash_secret(), halves[1] ^ UINT64_C(0x9e3779b97f4a7c15));
}

static bool is_ip(const void *table, size_t entry, const void *key)
{
    return memcmp(((const struct ip *)table)[entry].bytes, ((const struct ip *)key)->bytes, 16) == 0;
}

static enum err prepare_wide(struct wide *wide, size_t logs)
{
    wide->ips = calloc(logs * 2, sizeof *wide->ips);
    return wide->ips && index_grow(&wide->index, PART_LOGS * 4) ? OK : ERR_UNAVAILABLE;
}

static enum err number_of(struct wide *wide, size_t logs, const struct ip *ip, int64_t *ret_number)
{
    if (ip->len != sizeof ip->bytes) {
        *ret_number = ip_number(ip);
        return OK;
    }
    enum err err = wide->ips ? OK : prepare_wide(wide, logs);
    if (err)
        return err;
    uint32_t *slot = index_find(&wide->index, ip_hash(ip), is_ip, wide->ips, ip);
    if (!*slot) {
        wide->ips[wide->count++] = *ip;
        *slot = (uint32_t)wide->count;
    }
    *ret_number = PART_WIDE + *slot - 1;
    return OK;
}

static enum err number_addresses(struct wide *wide, struct part_log *logs, size_t count)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < count; i++) {
        err = number_of(wide, count, &logs[i].ip_out, &logs[i].numbers[PART_IP_OUT]);
        if (!err)
            err = number_of(wide, count, &logs[i].ip_from, &logs[i].numbers[PART_IP_FROM]);
    }
    return err;
}

/* ---- columns ---- */

/* How a column is going to be stored. */
struct column_form {
    int64_t least, greatest;
    unsigned width;
    size_t entries; /* of the table; 0: none */
    int64_t table[PART_TABLE_ENTRIES];
};

#define SLOTS (PART_TABLE_ENTRIES * 4)

/* The distinct numbers of a column, as they come; 0 when there are more than a table holds. */
static size_t list_distinct(const struct part_log *logs, size_t count, enum part_column column, int64_t *ret_table)
{
    uint16_t slots[SLOTS] = {0}; /* an entry's number + 1 */
    size_t entries = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t number = logs[i].numbers[column];
        size_t at = hash_mix((uint64_t)number ^ hash_secret(), UINT64_C(0x9e3779b97f4a7c15)) % SLOTS;
        while (slots[at] && ret_table[slots[at] - 1] != number)
            at = (at + 1) % SLOTS;
        if (slots[at])
            continue;
        if (entries == PART_TABLE_ENTRIES)
            return 0;
        ret_table[entries++] = number;
        slots[at] = (uint16_t)entries;
    }
    return entries;
}

static int by_value(const void *left, const void *right)
{
    return compare64(*(const int64_t *)left, *(const int64_t *)right);
}

static size_t table_bytes(const struct column_form *plan)
{
    size_t bytes = varint_len(plan->entries - 1);
    for (size_t i = 1; i < plan->entries; i++)
        bytes += varint_len((uint64_t)(plan->table[i] - plan->table[i - 1]));
    return bytes;
}

static void try_table(struct column_form *plan, const struct part_log *logs, size_t count, enum part_column column)
{
    plan->entries = list_distinct(logs, count, column, plan->table);
    if (plan->entries == 0)
        return;
    qsort(plan->table, plan->entries, sizeof *plan->table, by_value);
    unsigned width = width_of(plan->entries - 1);
    if (table_bytes(plan) * 8 + count * width < count * plan->width)
        plan->width = width;
    else
        plan->entries = 0;
}

static void make_plan(struct column_form *plan, const struct part_log *logs, size_t count, enum part_column column)
{
    plan->least = plan->greatest = logs[0].numbers[column];
    plan->entries = 0;
    for (size_t i = 1; i < count; i++) {
        plan->least = min64(plan->least, logs[i].numbers[column]);
        plan->greatest = max64(plan->greatest, logs[i].numbers[column]);
    }
    plan->width = width_of((uint64_t)(plan->greatest - plan->least));
    if (may_have_table[column] && plan->width > 1)
        try_table(plan, logs, count, column);
}

static void put_head(struct buf *buf, const struct column_form *plan)
{
    buf_putc(buf, (char)(plan->width | (plan->entries ? PART_HAS_TABLE : 0)));
    put_varint(buf, (uint64_t)plan->least);
    if (plan->entries == 0)
        return;
    put_varint(buf, plan->entries - 1);
    for (size_t i = 1; i < plan->entries; i++)
        put_varint(buf, (uint64_t)(plan->table[i] - plan->table[i - 1]));
}

static uint64_t code_of(const struct column_form *plan, int64_t number)
{
    if (plan->entries == 0)
        return (uint64_t)(number - plan->least);
    const int64_t *entry = bsearch(&number, plan->table, plan->entries, sizeof number, by_value);
    return (uint64_t)(entry - plan->table);
}

static void put_numbers(struct buf *buf, const struct column_form *plan, const struct part_log *logs, size_t count,
                        enum part_column column)
{
    size_t len = (count * plan->width + 7) / 8;
    char *at = buf_reserve(buf, len + sizeof(uint64_t)); /* each number is written as 8 bytes */
    if (!at)
        return;
    memset(at, 0, len + sizeof(uint64_t));
    for (size_t i = 0; plan->width && i < count; i++) {
        uint64_t bytes;
        size_t bit = i * plan->width;
        memcpy(&bytes, at + bit / 8, sizeof bytes);
        bytes |= htole64(code_of(plan, logs[i].numbers[column]) << bit % 8);
        memcpy(at + bit / 8, &bytes, sizeof bytes);
    }
    buf->len += len;
}

static void put_columns(struct buf *buf, struct column_form plans[PART_COLUMNS], const struct part_log *logs,
                        size_t count)
{
    for (enum part_column column = 0; column < PART_COLUMNS; column++) {
        make_plan(&plans[column], logs, count, column);
        put_head(buf, &plans[column]);
    }
    for (enum part_column column = 0; column < PART_COLUMNS; column++)
        put_numbers(buf, &plans[column], logs, count, column);
}

static void put_part(struct buf *buf, const struct wide *wide, struct column_form plans[PART_COLUMNS],
                     const struct part_log *logs, size_t count)
{
    size_t begin = buf->len;
    buf_putc(buf, PART_FORMAT);
    put_varint(buf, count);
    put_varint(buf, wide->count);
    for (size_t i = 0; i < wide->count; i++)
        buf_put(buf, wide->ips[i].bytes, sizeof wide->ips[i].bytes);
    put_columns(buf, plans, logs, count);
    uint64_t zeros = 0;
    buf_put(buf, &zeros, sizeof zeros);
    if (buf->failed)
        return;
    uint64_t hash = htole64(part_hash(buf->data + begin, buf->len - begin));
    buf_put(buf, &hash, sizeof hash);
}

enum err part_write(struct buf *buf, struct part_log *logs, size_t count)
{
    struct wide wide = {0};
    struct column_form *plans = malloc(PART_COLUMNS * sizeof *plans);
    enum err err = plans ? number_addresses(&wide, logs, count) : ERR_UNAVAILABLE;
    if (!err)
        put_part(buf, &wide, plans, logs, count);
    index_release(&wide.index);
    free(wide.ips);
    free(plans);
    return err || buf->failed ? ERR_UNAVAILABLE : OK;
}
