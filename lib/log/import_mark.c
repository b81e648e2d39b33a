/* import_mark.c: the running hash over the logs of an import, and the hash of one. Knows what of a log is hashed. Knows
 * no file and no store.
 */
#include "log/import_mark.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define PREFIX "analyticsctl-import-1:" /* the number changes if the hash ever does */
#define COUNT_DIGITS 16                 /* of LIMIT_ID */
#define KEY_CHARS (sizeof PREFIX - 1 + COUNT_DIGITS + 1 + 2 * (size_t)IMPORT_HASH_BYTES)
_Static_assert(KEY_CHARS < IMPORT_KEY_BYTES, "a key has room");
_Static_assert(IMPORT_HASH_BYTES == crypto_generichash_BYTES, "the hash is BLAKE2b-256");

#define NUMBERS 10

/* Everything of a log but its texts. */
struct packed {
    unsigned char bytes[NUMBERS * 8 + 2 * 17];
    size_t len;
};

static void pack_number(struct packed *packed, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        packed->bytes[packed->len++] = (unsigned char)(number >> 8 * i);
}

static void pack_ip(struct packed *packed, const struct ip *ip)
{
    packed->bytes[packed->len++] = ip->len;
    memcpy(packed->bytes + packed->len, ip->bytes, ip->len);
    packed->len += ip->len;
}

static void pack(const struct log_record *log, struct packed *ret_packed)
{
    const int64_t numbers[NUMBERS] = {
        log->ts,          log->user_id,     log->order_id,        log->count, log->bytes_sent, log->bytes_received,
        log->error_count, log->duration_ms, log->max_concurrency, log->port};
    ret_packed->len = 0;
    for (int i = 0; i < NUMBERS; i++)
        pack_number(ret_packed, (uint64_t)numbers[i]);
    pack_ip(ret_packed, &log->ip_out);
    pack_ip(ret_packed, &log->ip_from);
}

static size_t hash_text(crypto_generichash_state *state, struct slice text)
{
    struct packed len = {.len = 0};
    pack_number(&len, text.len);
    crypto_generichash_update(state, len.bytes, len.len);
    crypto_generichash_update(state, (const unsigned char *)text.data, text.len);
    return len.len + text.len;
}

/* Everything of a log; returns how many bytes that are. */
static size_t hash_log(crypto_generichash_state *state, const struct log_text *log)
{
    struct packed packed;
    pack(log->record, &packed);
    size_t bytes = packed.len;
    crypto_generichash_update(state, packed.bytes, packed.len);
    for (int i = 0; i < NAME_FIELDS; i++)
        bytes += hash_text(state, log->name[i]);
    return bytes;
}

static struct log_text text_as_sent(const struct batch *batch, uint32_t line)
{
    struct log_text log = {.record = &batch->logs[line]};
    for (int i = 0; i < NAME_FIELDS; i++)
        log.name[i] = batch_as_sent(batch, log.record, (enum name_field)i);
    return log;
}

size_t import_mark_add(struct import_mark *mark, const struct batch *batch, uint32_t line)
{
    crypto_generichash_state state;
    struct log_text log = text_as_sent(batch, line);
    crypto_generichash_init(&state, NULL, 0, IMPORT_HASH_BYTES);
    crypto_generichash_update(&state, mark->hash, IMPORT_HASH_BYTES);
    size_t bytes = hash_log(&state, &log);
    crypto_generichash_final(&state, mark->hash, IMPORT_HASH_BYTES);
    mark->logs++;
    return bytes;
}

int64_t import_text_hash(const struct log_text *log)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    uint64_t number = 0;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    hash_log(&state, log);
    crypto_generichash_final(&state, hash, sizeof hash);
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)hash[i] << 8 * i;
    return (int64_t)number;
}

int64_t import_log_hash(const struct batch *batch, uint32_t line)
{
    struct log_text log = {.record = &batch->logs[line]};
    for (int i = 0; i < NAME_FIELDS; i++)
        log.name[i] = batch_name(batch, log.record->name[i]);
    return import_text_hash(&log);
}

void import_mark_format(const struct import_mark *mark, char ret_key[IMPORT_KEY_BYTES])
{
    char hex[2 * IMPORT_HASH_BYTES + 1];
    text_hex(mark->hash, IMPORT_HASH_BYTES, hex);
    snprintf(ret_key, IMPORT_KEY_BYTES, PREFIX "%0*lld:%s", COUNT_DIGITS, (long long)mark->logs, hex);
}

static bool parse_count(const char *digits, int64_t *ret_count)
{
    int64_t count = 0;
    for (int i = 0; i < COUNT_DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        count = count * 10 + (digits[i] - '0');
    }
    *ret_count = count;
    return count <= LIMIT_ID;
}

bool import_mark_parse(struct slice key, struct import_mark *ret_mark)
{
    struct import_mark mark;
    char again[IMPORT_KEY_BYTES];
    const size_t prefix = sizeof PREFIX - 1;
    size_t bytes = 0;
    if (key.len != KEY_CHARS || memcmp(key.data, PREFIX, prefix) != 0 || !parse_count(key.data + prefix, &mark.logs) ||
        sodium_hex2bin(mark.hash, sizeof mark.hash, key.data + prefix + COUNT_DIGITS + 1, 2 * sizeof mark.hash, NULL,
                       &bytes, NULL) != 0 ||
        bytes != sizeof mark.hash)
        return false;
    import_mark_format(&mark, again); /* in one way only: lower case, a colon */
    if (memcmp(again, key.data, key.len) != 0)
        return false;
    *ret_mark = mark;
    return true;
}
