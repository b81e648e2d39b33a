/* fold.c: sums over groups of logs, in memory. Knows keys and totals. Knows no SQL and not which groups are wanted. */
#include "rollup/fold.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define FIRST_SLOTS 1024u
#define KEPT_SLOTS (1u << 20) /* a larger table is given back when it is cleared */

void fold_release(struct fold *fold)
{
    free(fold->entries);
    free(fold->slots);
    *fold = (struct fold){0};
}

/* A table that was once large is not wiped for a few entries. */
void fold_clear(struct fold *fold)
{
    if (fold->count > fold->slot_count / 16)
        memset(fold->slots, 0, fold->slot_count * sizeof *fold->slots);
    else
        for (size_t i = 0; i < fold->count; i++)
            fold->slots[fold->entries[i].slot] = 0;
    fold->count = 0;
    if (fold->slot_count > KEPT_SLOTS)
        fold_release(fold);
}

static size_t key_hash(const struct fold_key *key)
{
    uint64_t secret = hash_secret();
    uint64_t hash = hash_mix((uint64_t)key->bucket ^ secret, (uint64_t)key->user_id ^ UINT64_C(0x9e3779b97f4a7c15));
    hash = hash_mix(hash ^ (uint64_t)key->domain, secret ^ (uint64_t)key->order_id);
    return (size_t)hash_mix(hash ^ (uint64_t)key->error, secret ^ (uint64_t)key->tier);
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

static void take_slot(struct fold *fold, uint32_t *slot, size_t index)
{
    *slot = (uint32_t)(index + 1);
    fold->entries[index].slot = (uint32_t)(slot - fold->slots);
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
        take_slot(fold, find_slot(fold, &fold->entries[i].key), i);
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
    take_slot(fold, slot, fold->count++);
    return OK;
}

static int compare64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
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
    if (fold->count > 1)
        qsort(fold->entries, fold->count, sizeof *fold->entries, compare_entries);
}
