/* part.c: a part read: where its columns are, and what their numbers are. */
#include "part/part.h"

#include "part/form.h"

#include "base/hash.h"

#include "base/banned.h"

uint64_t part_hash(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ len;
    for (; len >= 16; at += 16, len -= 16) {
        uint64_t words[2];
        memcpy(words, at, sizeof words);
        hash = hash_mix(le64toh(words[0]) ^ hash, le64toh(words[1]) ^ UINT64_C(0xe7037ed1a0b428db));
    }
    uint64_t rest[2] = {0};
    memcpy(rest, at, len);
    return hash_mix(le64toh(rest[0]) ^ hash, le64toh(rest[1]) ^ UINT64_C(0x8ebc6af09c88c6e3));
}

/* ---- opening ---- */

/* Bytes from `at` on; `at` is NULL once they were not as they should be. */
struct part_bytes {
    const unsigned char *at, *end;
};

static bool fail(struct part_bytes *cursor)
{
    cursor->at = NULL;
    return false;
}

static bool get_varint(struct part_bytes *cursor, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        if (cursor->at == cursor->end)
            return fail(cursor);
        unsigned char byte = *cursor->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *ret_value = value;
            return true;
        }
    }
    return fail(cursor);
}

static const unsigned char *get_bytes(struct part_bytes *cursor, size_t len)
{
    const unsigned char *bytes = cursor->at;
    if (len > (size_t)(cursor->end - cursor->at)) {
        fail(cursor);
        return NULL;
    }
    cursor->at += len;
    return bytes;
}

/* What the width could count beyond the last entry is the last entry. */
static bool get_table(struct part_bytes *cursor, struct part_numbers *numbers, int64_t *table)
{
    uint64_t more, step, entry = numbers->least;
    if (numbers->width > PART_TABLE_BITS || !get_varint(cursor, &more) || more > numbers->mask)
        return fail(cursor);
    table[0] = (int64_t)entry;
    for (size_t i = 1; i <= numbers->mask; i++) {
        if (i <= more && !get_varint(cursor, &step))
            return false;
        entry += i <= more ? step : 0;
        table[i] = (int64_t)entry;
    }
    numbers->table = table;
    return true;
}

static bool get_head(struct part_bytes *cursor, struct part_numbers *numbers, int64_t *table)
{
    const unsigned char *first = get_bytes(cursor, 1);
    if (!first || !get_varint(cursor, &numbers->least))
        return false;
    numbers->width = *first & (PART_HAS_TABLE - 1);
    numbers->mask = (UINT64_C(1) << numbers->width) - 1;
    numbers->table = NULL;
    if (numbers->width > PART_MAX_WIDTH || *first >= 2 * PART_HAS_TABLE)
        return fail(cursor);
    return *first < PART_HAS_TABLE || get_table(cursor, numbers, table);
}

static bool get_counts(struct part_bytes *cursor, struct part *part)
{
    const unsigned char *format = get_bytes(cursor, 1);
    uint64_t logs, wide;
    if (!format || *format != PART_FORMAT || !get_varint(cursor, &logs) || !get_varint(cursor, &wide))
        return false;
    if (logs == 0 || logs > PART_LOGS || wide > 2 * logs)
        return false;
    part->logs = (size_t)logs;
    part->wide_count = (size_t)wide;
    part->wide = get_bytes(cursor, part->wide_count * 16);
    return part->wide != NULL;
}

static bool is_whole(const void *bytes, size_t len)
{
    uint64_t hash;
    if (len < 2 * sizeof hash)
        return false;
    memcpy(&hash, (const char *)bytes + len - sizeof hash, sizeof hash);
    return le64toh(hash) == part_hash(bytes, len - sizeof hash);
}

bool part_open(struct part *part, const void *bytes, size_t len)
{
    if (!is_whole(bytes, len))
        return false;
    struct part_bytes cursor = {bytes, (const unsigned char *)bytes + len - 2 * sizeof(uint64_t)};
    if (!get_counts(&cursor, part))
        return false;
    for (int i = 0; i < PART_COLUMNS; i++)
        if (!get_head(&cursor, &part->columns[i], part->tables[i]))
            return false;
    for (int i = 0; i < PART_COLUMNS; i++) {
        part->columns[i].bits = get_bytes(&cursor, (part->logs * part->columns[i].width + 7) / 8);
        if (!part->columns[i].bits)
            return false;
    }
    return cursor.at == cursor.end;
}

/* ---- reading ---- */

bool part_find(const struct part *part, enum part_column column, int64_t number, uint64_t *ret_code)
{
    const struct part_numbers *numbers = &part->columns[column];
    *ret_code = (uint64_t)number - numbers->least;
    if (!numbers->table)
        return *ret_code <= numbers->mask;
    for (size_t i = 0; i <= numbers->mask; i++) {
        *ret_code = i;
        if (numbers->table[i] == number)
            return true;
    }
    return false;
}

struct ip part_ip(const struct part *part, int64_t number)
{
    if (number < PART_WIDE)
        return ip_of_number(number);
    struct ip ip = {.len = sizeof ip.bytes};
    size_t wide = (size_t)(number - PART_WIDE);
    if (wide >= part->wide_count)
        return (struct ip){0};
    memcpy(ip.bytes, part->wide + wide * sizeof ip.bytes, sizeof ip.bytes);
    return ip;
}

int64_t part_ip_number(const struct part *part, const struct ip *ip)
{
    if (ip->len != 16)
        return ip_number(ip);
    for (size_t i = 0; i < part->wide_count; i++)
        if (memcmp(part->wide + i * 16, ip->bytes, 16) == 0)
            return PART_WIDE + (int64_t)i;
    return -1;
}

void part_log(const struct part *part, size_t log, struct part_log *ret_log)
{
    for (enum part_column column = 0; column < PART_COLUMNS; column++)
        ret_log->numbers[column] = part_number(part, column, log);
    ret_log->ip_out = part_ip(part, ret_log->numbers[PART_IP_OUT]);
    ret_log->ip_from = part_ip(part, ret_log->numbers[PART_IP_FROM]);
}
