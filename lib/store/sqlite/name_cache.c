/* name_cache.c: which id a text has in the database, remembered. Knows hashing and a ceiling. Knows no SQL. */
#include "store/sqlite/name_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define MAX_NAMES 262144u
#define MAX_TEXT_BYTES (16u << 20)
#define FIRST_SLOTS 4096u

void name_cache_release(struct name_cache *cache)
{
    free(cache->entries);
    free(cache->text);
    *cache = (struct name_cache){0};
}

void name_cache_clear(struct name_cache *cache)
{
    cache->count = 0;
    cache->text_len = 0;
    if (cache->entries)
        memset(cache->entries, 0, cache->slot_count * sizeof *cache->entries);
}

static bool matches(const struct name_cache *cache, const struct name_cache_entry *entry, uint32_t hash,
                    struct slice text)
{
    return entry->hash == hash && entry->len == text.len &&
           memcmp(cache->text + entry->offset, text.data, text.len) == 0;
}

static struct name_cache_entry *find_slot(const struct name_cache *cache, uint32_t hash, struct slice text)
{
    size_t at = hash & (cache->slot_count - 1);
    while (cache->entries[at].id && !matches(cache, &cache->entries[at], hash, text))
        at = (at + 1) & (cache->slot_count - 1);
    return &cache->entries[at];
}

int64_t name_cache_find(const struct name_cache *cache, uint32_t hash, struct slice text)
{
    return cache->slot_count ? find_slot(cache, hash, text)->id : 0;
}

static void reinsert(struct name_cache *cache, const struct name_cache_entry *entry)
{
    size_t at = entry->hash & (cache->slot_count - 1);
    while (cache->entries[at].id)
        at = (at + 1) & (cache->slot_count - 1);
    cache->entries[at] = *entry;
}

static bool grow_slots(struct name_cache *cache)
{
    size_t old_count = cache->slot_count, slot_count = old_count ? old_count * 2 : FIRST_SLOTS;
    struct name_cache_entry *old = cache->entries, *entries = calloc(slot_count, sizeof *entries);
    if (!entries)
        return false;
    cache->entries = entries;
    cache->slot_count = slot_count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].id)
            reinsert(cache, &old[i]);
    free(old);
    return true;
}

static bool grow_text(struct name_cache *cache, size_t more)
{
    if (cache->text_len + more <= cache->text_cap)
        return true;
    size_t cap = (cache->text_cap + more) * 2;
    char *text = realloc(cache->text, cap);
    if (!text)
        return false;
    cache->text = text;
    cache->text_cap = cap;
    return true;
}

void name_cache_add(struct name_cache *cache, uint32_t hash, struct slice text, int64_t id)
{
    if (cache->count >= MAX_NAMES || cache->text_len + text.len > MAX_TEXT_BYTES)
        name_cache_clear(cache);
    if (cache->count * 2 >= cache->slot_count && !grow_slots(cache))
        return;
    if (!grow_text(cache, text.len))
        return;
    struct name_cache_entry *slot = find_slot(cache, hash, text);
    if (slot->id)
        return;
    *slot = (struct name_cache_entry){.hash = hash, .len = (uint32_t)text.len, .offset = cache->text_len, .id = id};
    memcpy(cache->text + cache->text_len, text.data, text.len);
    cache->text_len += text.len;
    cache->count++;
}
