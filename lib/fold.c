/* fold.c: sums over groups of logs, in memory. Knows keys and totals. Knows no SQL and not which groups are wanted. */
#include "fold.h"

#include <stdlib.h>
#include <string.h>

#include "banned.h"

#define FIRST_SLOTS 1024u

void fold_release(struct fold *fold)
{
    free(fold->entries);
    free(fold->slots);
    *fold = (struct fold){0};
}

void fold_clear(struct fold *fold)
{
    fold->count = 0;
    if (fold->slots)
        memset(fold->slots, 0, fold->slot_count * sizeof *fold->slots);
}

static uint64_t mix(uint64_t hash, int64_t value)
{
    hash = (hash ^ (uint64_t)value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

static size_t key_hash(const struct fold_key *key)
{
    uint64_t hash = mix((uint64_t)key->tier, key->bucket);
    hash = mix(hash, key->user_id);
    hash = mix(hash, key->error);
    hash = mix(hash, key->domain);
    return (size_t)mix(hash, key->order_id);
}

static bool key_equals(const struct fold_key *a, const struct fold_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* The slot of `key`: the one that holds it, or the free one where it belongs. */
static uint32_t *find_slot(const struct fold *fold, const struct fold_key *key)
{
    size_t at = key_hash(key) & (fold->slot_count - 1);
    while (fold->slots[at] && !key_equals(&fold->entries[fold->slots[at] - 1].key, key))
        at = (at + 1) & (fold->slot_count - 1);
    return &fold->slots[at];
}

static enum err grow(struct fold *fold)
{
    size_t slot_count = fold->slot_count ? fold->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    struct fold_entry *entries = realloc(fold->entries, slot_count / 2 * sizeof *entries);
    if (entries) {
        fold->entries = entries;
        fold->cap = slot_count / 2;
    }
    if (!slots || !entries) {
        free(slots);
        return ERR_UNAVAILABLE;
    }
    free(fold->slots);
    fold->slots = slots;
    fold->slot_count = slot_count;
    for (size_t i = 0; i < fold->count; i++)
        *find_slot(fold, &fold->entries[i].key) = (uint32_t)(i + 1);
    return OK;
}

enum err fold_add(struct fold *fold, const struct fold_key *key, const struct totals *totals)
{
    if (fold->count * 2 >= fold->slot_count) {
        enum err err = grow(fold);
        if (err)
            return err;
    }
    uint32_t *slot = find_slot(fold, key);
    if (*slot) {
        totals_add(&fold->entries[*slot - 1].totals, totals);
        return OK;
    }
    fold->entries[fold->count] = (struct fold_entry){.key = *key, .totals = *totals};
    *slot = (uint32_t)++fold->count;
    return OK;
}

static int compare64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_entries(const void *left, const void *right)
{
    const struct fold_key *a = left, *b = right; /* the key is the entry's first member */
    int order = compare64(a->tier, b->tier);
    order = order ? order : compare64(a->bucket, b->bucket);
    order = order ? order : compare64(a->user_id, b->user_id);
    order = order ? order : (a->error != 0) - (b->error != 0);
    order = order ? order : compare64(a->domain, b->domain);
    order = order ? order : compare64(a->error, b->error);
    return order ? order : compare64(a->order_id, b->order_id);
}

void fold_sort(struct fold *fold)
{
    if (fold->count > 1)
        qsort(fold->entries, fold->count, sizeof *fold->entries, compare_entries);
}
