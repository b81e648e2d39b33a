/* tally.c: sums by domain and error; the n-th of many values. Knows keys and totals. Knows no names and no SQL. */
#include "report/tally.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define FIRST_SLOTS 1024u

void tally_release(struct tally *tally)
{
    free(tally->entries);
    index_release(&tally->index);
    *tally = (struct tally){0};
}

void tally_clear(struct tally *tally)
{
    tally->count = 0;
    index_clear(&tally->index);
}

static uint64_t key_hash(const struct tally_key *key)
{
    return hash_mix((uint64_t)key->domain ^ hash_secret(), (uint64_t)key->error ^ UINT64_C(0x9e3779b97f4a7c15));
}

static bool has_key(const void *entries, size_t entry, const void *key)
{
    const struct tally_key *there = &((const struct tally_entry *)entries)[entry].key, *wanted = key;
    return there->domain == wanted->domain && there->error == wanted->error;
}

static enum err grow(struct tally *tally)
{
    size_t cap = tally->index.count ? tally->index.count : FIRST_SLOTS / 2;
    struct tally_entry *entries = realloc(tally->entries, cap * sizeof *entries);
    if (!entries)
        return ERR_UNAVAILABLE;
    tally->entries = entries;
    tally->cap = cap;
    if (!index_grow(&tally->index, FIRST_SLOTS))
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < tally->count; i++)
        index_put(&tally->index, key_hash(&entries[i].key), i);
    return OK;
}

enum err tally_add(struct tally *tally, struct tally_key key, const struct totals *totals, size_t *ret_index)
{
    if (index_is_full(&tally->index, tally->count) && grow(tally))
        return ERR_UNAVAILABLE;
    uint32_t *slot = index_find(&tally->index, key_hash(&key), has_key, tally->entries, &key);
    if (*slot) {
        totals_add(&tally->entries[*slot - 1].totals, totals);
    } else {
        tally->entries[tally->count] = (struct tally_entry){key, *totals};
        *slot = (uint32_t)++tally->count;
    }
    *ret_index = *slot - 1;
    return OK;
}

size_t tally_bytes(const struct tally *tally)
{
    return tally->cap * sizeof *tally->entries + tally->index.count * sizeof *tally->index.slots;
}

enum err tally_copy(const struct tally *tally, bool fixed, struct tally *ret_copy)
{
    struct tally copy = *tally;
    *ret_copy = (struct tally){0};
    if (tally->index.count == 0)
        return OK;
    copy.cap = fixed ? tally->count : tally->index.count / 2;
    copy.entries = malloc(copy.cap * sizeof *copy.entries);
    copy.index.slots = malloc(tally->index.count * sizeof *copy.index.slots);
    if (!copy.entries || !copy.index.slots) {
        tally_release(&copy);
        return ERR_UNAVAILABLE;
    }
    memcpy(copy.entries, tally->entries, tally->count * sizeof *copy.entries);
    memcpy(copy.index.slots, tally->index.slots, tally->index.count * sizeof *copy.index.slots);
    *ret_copy = copy;
    return OK;
}

static void swap(int64_t *a, int64_t *b)
{
    int64_t kept = *a;
    *a = *b;
    *b = kept;
}

/* Hoare's partition. The pivot is random, so nobody can send values for which this takes long. Values up to the
 * returned place are at least the pivot, those after it at most. */
static size_t partition(int64_t *values, size_t low, size_t high, uint64_t random)
{
    int64_t pivot = values[low + (size_t)(random % (high - low))]; /* never the last one: both parts get something */
    size_t left = low, right = high;
    for (;;) {
        while (values[left] > pivot)
            left++;
        while (values[right] < pivot)
            right--;
        if (left >= right)
            return right;
        swap(&values[left++], &values[right--]);
    }
}

int64_t tally_nth_greatest(int64_t *values, size_t count, size_t rank)
{
    size_t low = 0, high = count - 1;
    uint64_t random = hash_secret();
    while (low < high) {
        random = hash_mix(random ^ high, UINT64_C(0x9e3779b97f4a7c15) ^ low);
        size_t middle = partition(values, low, high, random);
        if (rank <= middle)
            high = middle;
        else
            low = middle + 1;
    }
    return values[low];
}
