/* fold.c: sums over groups of logs, in memory. Knows keys and totals. Knows no SQL and not which groups are wanted. */
#include "rollup/fold.h"

#include "base/hash.h"
#include "base/int64.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define FIRST_SLOTS 1024u
#define KEPT_SLOTS (1u << 20) /* a larger table is given back when it is cleared */

void fold_release(struct fold *fold)
{
    free(fold->entries);
    index_release(&fold->index);
    *fold = (struct fold){0};
}

/* A table that was once large is not wiped for a few entries. */
void fold_clear(struct fold *fold)
{
    if (fold->count > fold->index.count / 16)
        index_clear(&fold->index);
    else
        for (size_t i = 0; i < fold->count; i++)
            fold->index.slots[fold->entries[i].slot] = 0;
    fold->count = 0;
    if (fold->index.count > KEPT_SLOTS)
        fold_release(fold);
}

static uint64_t key_hash(const struct fold_key *key)
{
    uint64_t secret = hash_secret();
    uint64_t hash = hash_mix((uint64_t)key->bucket ^ secret, (uint64_t)key->user_id ^ UINT64_C(0x9e3779b97f4a7c15));
    hash = hash_mix(hash ^ (uint64_t)key->domain, secret ^ (uint64_t)key->order_id);
    return hash_mix(hash ^ (uint64_t)key->error, secret ^ (uint64_t)key->tier);
}

static bool has_key(const void *entries, size_t entry, const void *key)
{
    return memcmp(&((const struct fold_entry *)entries)[entry].key, key, sizeof(struct fold_key)) == 0;
}

static void take_slot(struct fold *fold, uint32_t *slot, size_t entry)
{
    *slot = (uint32_t)(entry + 1);
    fold->entries[entry].slot = (uint32_t)(slot - fold->index.slots);
}

static enum err grow(struct fold *fold)
{
    size_t cap = fold->index.count ? fold->index.count : FIRST_SLOTS / 2;
    struct fold_entry *entries = realloc(fold->entries, cap * sizeof *entries);
    if (!entries)
        return ERR_UNAVAILABLE;
    fold->entries = entries;
    fold->cap = cap;
    if (!index_grow(&fold->index, FIRST_SLOTS))
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < fold->count; i++)
        take_slot(fold, index_free_slot(&fold->index, key_hash(&entries[i].key)), i);
    return OK;
}

enum err fold_add(struct fold *fold, const struct fold_key *key, const struct totals *totals)
{
    if (index_is_full(&fold->index, fold->count) && grow(fold))
        return ERR_UNAVAILABLE;
    uint32_t *slot = index_find(&fold->index, key_hash(key), has_key, fold->entries, key);
    if (*slot) {
        totals_add(&fold->entries[*slot - 1].totals, totals);
        return OK;
    }
    fold->is_sorted = false;
    fold->entries[fold->count] = (struct fold_entry){.key = *key, .totals = *totals};
    take_slot(fold, slot, fold->count++);
    return OK;
}

int fold_order(const struct fold_key *a, const struct fold_key *b)
{
    int order = compare64(a->tier, b->tier);
    order = order ? order : compare64(a->bucket, b->bucket);
    order = order ? order : compare64(a->user_id, b->user_id);
    order = order ? order : (a->error != 0) - (b->error != 0);
    order = order ? order : compare64(a->domain, b->domain);
    order = order ? order : compare64(a->error, b->error);
    return order ? order : compare64(a->order_id, b->order_id);
}

static int compare_entries(const void *left, const void *right)
{
    const struct fold_entry *a = left, *b = right;
    return fold_order(&a->key, &b->key);
}

void fold_sort(struct fold *fold)
{
    if (fold->count > 1 && !fold->is_sorted)
        qsort(fold->entries, fold->count, sizeof *fold->entries, compare_entries);
    fold->is_sorted = true;
}
