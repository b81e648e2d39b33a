/* batch.c: log records and their texts in growing arrays, under a shared memory budget; the rules for addresses.
 * Knows no JSON, no SQL. */
#include "log/batch.h"

#include "base/hash.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "base/banned.h"

#define FIRST_LOGS 8u
#define FIRST_NAMES 16u
#define FIRST_TEXT_BYTES 512u

void batch_init(struct batch *batch, struct batch_budget *budget)
{
    *batch = (struct batch){.budget = budget};
}

static bool budget_take(struct batch *batch, size_t bytes)
{
    struct batch_budget *budget = batch->budget;
    if (budget) {
        size_t before = atomic_fetch_add(&budget->used_bytes, bytes);
        if (before > budget->max_bytes || bytes > budget->max_bytes - before) {
            atomic_fetch_sub(&budget->used_bytes, bytes);
            return false;
        }
    }
    batch->reserved_bytes += bytes;
    return true;
}

static void budget_give(struct batch *batch, size_t bytes)
{
    if (batch->budget)
        atomic_fetch_sub(&batch->budget->used_bytes, bytes);
    batch->reserved_bytes -= bytes;
}

void batch_release(struct batch *batch)
{
    free(batch->logs);
    free(batch->names);
    index_release(&batch->name_index);
    free(batch->name_text);
    budget_give(batch, batch->reserved_bytes);
    batch_init(batch, batch->budget);
}

/* Makes the array of `old` bytes `new` bytes long. NULL, and the array as it was, when memory or budget is used up. */
static void *grow(struct batch *batch, void *array, size_t old, size_t new)
{
    if (!budget_take(batch, new - old))
        return NULL;
    void *grown = realloc(array, new);
    if (!grown)
        budget_give(batch, new - old);
    return grown;
}

static enum err grow_logs(struct batch *batch)
{
    uint32_t cap = batch->log_cap ? batch->log_cap * 2 : FIRST_LOGS;
    if (cap < batch->log_cap)
        return ERR_UNAVAILABLE;
    void *logs = grow(batch, batch->logs, sizeof *batch->logs * batch->log_cap, sizeof *batch->logs * cap);
    if (!logs)
        return ERR_UNAVAILABLE;
    batch->logs = logs;
    batch->log_cap = cap;
    return OK;
}

static enum err grow_text(struct batch *batch, size_t len)
{
    if (len > UINT32_MAX - batch->text_len) /* offsets have 32 bits */
        return ERR_UNAVAILABLE;
    size_t cap = batch->text_cap ? batch->text_cap : FIRST_TEXT_BYTES;
    while (cap < batch->text_len + len)
        cap *= 2;
    void *text = grow(batch, batch->name_text, batch->text_cap, cap);
    if (!text)
        return ERR_UNAVAILABLE;
    batch->name_text = text;
    batch->text_cap = cap;
    return OK;
}

static void index_names(struct batch *batch)
{
    index_clear(&batch->name_index);
    for (uint32_t i = 1; i < batch->name_count; i++)
        index_put(&batch->name_index, batch->names[i].hash, i);
}

/* Doubles the names, and keeps two slots for each. names[0], the empty text, comes with the first growth; it needs no
 * slot. */
static enum err grow_names(struct batch *batch)
{
    uint32_t cap = batch->name_cap ? batch->name_cap * 2 : FIRST_NAMES;
    if (cap > UINT32_MAX / 2)
        return ERR_UNAVAILABLE;
    struct index *index = &batch->name_index;
    size_t slot_count = (size_t)cap * 2;
    void *slots = grow(batch, index->slots, sizeof *index->slots * index->count, sizeof *index->slots * slot_count);
    if (!slots)
        return ERR_UNAVAILABLE;
    *index = (struct index){slots, slot_count};
    index_names(batch);
    void *names = grow(batch, batch->names, sizeof *batch->names * batch->name_cap, sizeof *batch->names * cap);
    if (!names)
        return ERR_UNAVAILABLE;
    batch->names = names;
    batch->name_cap = cap;
    if (batch->name_count == 0)
        batch->names[batch->name_count++] = (struct batch_name){0};
    return OK;
}

enum err batch_add(struct batch *batch, const struct log_record *log)
{
    if (batch->name_count == 0 && grow_names(batch))
        return ERR_UNAVAILABLE;
    if (batch->log_count == batch->log_cap && grow_logs(batch))
        return ERR_UNAVAILABLE;
    batch->logs[batch->log_count++] = *log;
    return OK;
}

static uint32_t hash_of(struct slice text)
{
    uint64_t secret = hash_secret();
    uint64_t hash = secret ^ text.len;
    uint64_t word;
    const char *at = text.data;
    size_t left = text.len;
    for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = hash_mix(hash ^ word, secret ^ UINT64_C(0x9e3779b97f4a7c15));
    }
    word = 0;
    memcpy(&word, at, left);
    hash = hash_mix(hash ^ word, secret ^ UINT64_C(0xe7037ed1a0b428db));
    return (uint32_t)(hash ^ hash >> 32);
}

static bool is_wanted(const void *table, size_t entry, const void *key)
{
    const struct batch *batch = table;
    const struct batch_name *name = &batch->names[entry];
    return index_text_is(key, name->hash, batch->name_text + name->offset, name->len);
}

/* The index of `text`, or 0 when it is not there. */
static uint32_t find_name(const struct batch *batch, struct slice text, uint32_t hash)
{
    if (batch->name_index.count == 0)
        return 0;
    uint32_t number = *index_find(&batch->name_index, hash, is_wanted, batch, &(struct index_text){hash, text});
    return number ? number - 1 : 0;
}

static enum err add_name(struct batch *batch, struct slice text, uint32_t hash, uint32_t *ret_index)
{
    if (batch->name_count == batch->name_cap && grow_names(batch))
        return ERR_UNAVAILABLE;
    if (text.len > batch->text_cap - batch->text_len && grow_text(batch, text.len))
        return ERR_UNAVAILABLE;
    uint32_t index = batch->name_count++;
    batch->names[index] = (struct batch_name){(uint32_t)batch->text_len, (uint32_t)text.len, hash};
    memcpy(batch->name_text + batch->text_len, text.data, text.len);
    batch->text_len += text.len;
    index_put(&batch->name_index, hash, index);
    *ret_index = index;
    return OK;
}

enum err batch_intern(struct batch *batch, struct slice text, uint32_t *ret_index)
{
    if (text.len == 0) {
        *ret_index = 0;
        return OK;
    }
    uint32_t hash = hash_of(text);
    uint32_t index = find_name(batch, text, hash);
    if (index == 0)
        return add_name(batch, text, hash, ret_index);
    *ret_index = index;
    return OK;
}

static bool is_entry(const void *table, size_t entry, const void *key)
{
    (void)table;
    return entry == *(const uint32_t *)key;
}

/* The last entry can be removed from an open-addressing table without a trace: no later entry was moved past it. */
void batch_drop_names(struct batch *batch, uint32_t count)
{
    while (batch->name_count > count && batch->name_count > 1) {
        const struct batch_name *name = &batch->names[--batch->name_count];
        *index_find(&batch->name_index, name->hash, is_entry, NULL, &batch->name_count) = 0;
        batch->text_len = name->offset;
    }
}

enum err batch_set_aside(struct batch *batch, struct slice text, struct batch_text *ret_text)
{
    if (batch->text_cap - batch->text_len < text.len && grow_text(batch, text.len))
        return ERR_UNAVAILABLE;
    memcpy(batch->name_text + batch->text_len, text.data, text.len);
    *ret_text = (struct batch_text){(uint32_t)batch->text_len, (uint32_t)text.len};
    batch->text_len += text.len;
    return OK;
}

struct slice batch_as_sent(const struct batch *batch, const struct log_record *log, enum name_field field)
{
    if (field == NAME_DOMAIN && log->domain_sent.len > 0)
        return (struct slice){batch->name_text + log->domain_sent.offset, log->domain_sent.len};
    return batch_name(batch, log->name[field]);
}

struct slice batch_name(const struct batch *batch, uint32_t index)
{
    if (index == 0)
        return (struct slice){"", 0};
    return (struct slice){batch->name_text + batch->names[index].offset, batch->names[index].len};
}

bool ip_parse(struct slice text, struct ip *ret_ip)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len >= sizeof copy)
        return false;
    struct ip ip = {0};
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
        copy[text.len] = '\0';
        bool v6 = memchr(copy, ':', text.len) != NULL;
        if (strlen(copy) != text.len || inet_pton(v6 ? AF_INET6 : AF_INET, copy, ip.bytes) != 1)
            return false;
        ip.len = v6 ? 16 : 4;
    }
    *ret_ip = ip;
    return true;
}

/* What inet_ntop writes, in a tenth of the time: reports and exports write many of these. */
static void format_v4(const uint8_t bytes[4], char *ret_text)
{
    char *at = ret_text;
    for (int i = 0; i < 4; i++) {
        uint8_t byte = bytes[i];
        if (byte >= 100)
            *at++ = (char)('0' + byte / 100);
        if (byte >= 10)
            *at++ = (char)('0' + byte / 10 % 10);
        *at++ = (char)('0' + byte % 10);
        *at++ = i < 3 ? '.' : '\0';
    }
}

void ip_format(const struct ip *ip, char *ret_text)
{
    ret_text[0] = '\0';
    if (ip->len == 4)
        format_v4(ip->bytes, ret_text);
    else if (ip->len > 0)
        inet_ntop(AF_INET6, ip->bytes, ret_text, INET6_ADDRSTRLEN);
}

int64_t ip_number(const struct ip *ip)
{
    uint32_t narrow;
    if (ip->len != sizeof narrow)
        return 0;
    memcpy(&narrow, ip->bytes, sizeof narrow);
    return (int64_t)be32toh(narrow) + 1;
}

struct ip ip_of_number(int64_t number)
{
    struct ip ip = {0};
    if (number > 0) {
        uint32_t narrow = htobe32((uint32_t)(number - 1));
        ip.len = sizeof narrow;
        memcpy(ip.bytes, &narrow, sizeof narrow);
    }
    return ip;
}
