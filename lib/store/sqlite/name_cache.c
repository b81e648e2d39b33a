/* name_cache.c: remembers the ids that texts have in the database. Knows a ceiling. Knows no SQL. */
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
    index_release(&cache->index);
    *cache = (struct name_cache){0};
}

void name_cache_clear(struct name_cache *cache)
{
    cache->count = 0;
    cache->text_len = 0;
    index_clear(&cache->index);
}

static bool is_wanted(const void *table, size_t entry, const void *key)
{
    const struct name_cache *cache = table;
    const struct name_cache_entry *there = &cache->entries[entry];
    return index_text_is(key, there->hash, cache->text + there->offset, there->len);
}

int64_t name_cache_find(const struct name_cache *cache, uint32_t hash, struct slice text)
{
    if (cache->count == 0)
        return 0;
    uint32_t number = *index_find(&cache->index, hash, is_wanted, cache, &(struct index_text){hash, text});
    return number ? cache->entries[number - 1].id : 0;
}

static bool grow_entries(struct name_cache *cache)
{
    size_t cap = cache->index.count ? cache->index.count : FIRST_SLOTS / 2;
    struct name_cache_entry *entries = realloc(cache->entries, cap * sizeof *entries);
    if (!entries)
        return false;
    cache->entries = entries;
    if (!index_grow(&cache->index, FIRST_SLOTS))
        return false;
    for (size_t i = 0; i < cache->count; i++)
        index_put(&cache->index, entries[i].hash, i);
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
    if (index_is_full(&cache->index, cache->count) && !grow_entries(cache))
        return;
    if (!grow_text(cache, text.len))
        return;
    uint32_t *slot = index_find(&cache->index, hash, is_wanted, cache, &(struct index_text){hash, text});
    if (*slot)
        return;
    cache->entries[cache->count] =
        (struct name_cache_entry){.hash = hash, .len = (uint32_t)text.len, .offset = cache->text_len, .id = id};
    *slot = (uint32_t)++cache->count;
    memcpy(cache->text + cache->text_len, text.data, text.len);
    cache->text_len += text.len;
}
