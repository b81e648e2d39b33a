/* index.h: finds the entries of an array by their hash. Knows numbers of entries, and not what they are: whoever has
 * the array says which hash an entry has, and whether it is the one that is looked for. */
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Open addressing with linear probing. All-zero is an empty one, which has room for nothing. */
struct index {
    uint32_t *slots; /* an entry's number + 1, or 0 */
    size_t count;    /* a power of two, or 0 */
};

void index_release(struct index *index);

/* Half of the slots stay free, so that no search is long. */
static inline bool index_is_full(const struct index *index, size_t entries)
{
    return entries * 2 >= index->count;
}

/* Twice as many slots, or `first`, all of them free: the entries must be put again. False, and all is as it was, when
 * out of memory. */
bool index_grow(struct index *index, size_t first);

/* Forgets all entries, keeps the memory. */
void index_clear(struct index *index);

/* A free slot for an entry with this hash that is not there yet. */
static inline uint32_t *index_free_slot(const struct index *index, uint64_t hash)
{
    size_t at = (size_t)hash & (index->count - 1);
    while (index->slots[at])
        at = (at + 1) & (index->count - 1);
    return &index->slots[at];
}

static inline void index_put(struct index *index, uint64_t hash, size_t entry)
{
    *index_free_slot(index, hash) = (uint32_t)(entry + 1);
}

/* The slot of the entry of `table` for which is_it(table, entry, key) holds, or the free one where it belongs. `hash`
 * is the key's. The index must have slots. */
__attribute__((always_inline)) static inline uint32_t *
index_find(const struct index *index, uint64_t hash, bool (*is_it)(const void *table, size_t entry, const void *key),
           const void *table, const void *key)
{
    size_t at = (size_t)hash & (index->count - 1);
    while (index->slots[at] && !is_it(table, index->slots[at] - 1, key))
        at = (at + 1) & (index->count - 1);
    return &index->slots[at];
}

/* A text that is looked for, with its hash. */
struct index_text {
    uint32_t hash;
    struct slice text;
};

static inline bool index_text_is(const struct index_text *wanted, uint32_t hash, const char *text, size_t len)
{
    return wanted->hash == hash && wanted->text.len == len && memcmp(wanted->text.data, text, len) == 0;
}

#endif
