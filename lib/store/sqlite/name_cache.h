/* name_cache.h: remembers the ids that texts have in the database. Bounded, because clients choose the texts. Knows no
 * SQL. */
#ifndef STORE_SQLITE_NAME_CACHE_H
#define STORE_SQLITE_NAME_CACHE_H

#include "base/index.h"
#include "base/text.h"

#include <stdint.h>

struct name_cache_entry {
    uint32_t hash;
    uint32_t len;
    size_t offset;
    int64_t id;
};

struct name_cache {
    struct name_cache_entry *entries;
    size_t count;
    struct index index;
    char *text;
    size_t text_len;
    size_t text_cap;
};

/* An all-zero struct is an empty cache. */
void name_cache_release(struct name_cache *cache);

/* Forgets everything: ids that were given in a transaction are not valid after its rollback. */
void name_cache_clear(struct name_cache *cache);

/* The id, or 0 when not remembered. `hash` is any hash of the text, always the same one for a text. */
int64_t name_cache_find(const struct name_cache *cache, uint32_t hash, struct slice text);

/* Remembers. When full or out of memory it forgets others, or does nothing. id > 0. */
void name_cache_add(struct name_cache *cache, uint32_t hash, struct slice text, int64_t id);

#endif
