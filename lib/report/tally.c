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
    free(tally->slots);
    *tally = (struct tally){0};
}

/* The slot of `key`: the one that holds it, or the free one where it belongs. */
static uint32_t *find_slot(const struct tally *tally, struct tally_key key)
{
    uint64_t hash = hash_mix((uint64_t)key.domain ^ hash_secret(), (uint64_t)key.error ^ UINT64_C(0x9e3779b97f4a7c15));
    size_t mask = tally->slot_count - 1;
    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        uint32_t index = tally->slots[at];
        if (!index)
            return &tally->slots[at];
        const struct tally_key *there = &tally->entries[index - 1].key;
        if (there->domain == key.domain && there->error == key.error)
            return &tally->slots[at];
    }
}

static enum err grow(struct tally *tally)
{
    size_t slot_count = tally->slot_count ? tally->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    struct tally_entry *entries = realloc(tally->entries, slot_count / 2 * sizeof *entries);
    if (entries) {
        tally->entries = entries;
        tally->cap = slot_count / 2;
    }
    if (!slots || !entries) {
        free(slots);
        return ERR_UNAVAILABLE;
    }
    free(tally->slots);
    tally->slots = slots;
    tally->slot_count = slot_count;
    for (size_t i = 0; i < tally->count; i++)
        *find_slot(tally, tally->entries[i].key) = (uint32_t)(i + 1);
    return OK;
}

enum err tally_add(struct tally *tally, struct tally_key key, const struct totals *totals, size_t *ret_index)
{
    if (tally->count * 2 >= tally->slot_count && grow(tally))
        return ERR_UNAVAILABLE;
    uint32_t *slot = find_slot(tally, key);
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
    return tally->cap * sizeof *tally->entries + tally->slot_count * sizeof *tally->slots;
}

enum err tally_copy(const struct tally *tally, bool fixed, struct tally *ret_copy)
{
    struct tally copy = *tally;
    *ret_copy = (struct tally){0};
    if (tally->slot_count == 0)
        return OK;
    copy.cap = fixed ? tally->count : tally->slot_count / 2;
    copy.entries = malloc(copy.cap * sizeof *copy.entries);
    copy.slots = malloc(tally->slot_count * sizeof *copy.slots);
    if (!copy.entries || !copy.slots) {
        tally_release(&copy);
        return ERR_UNAVAILABLE;
    }
    memcpy(copy.entries, tally->entries, tally->count * sizeof *copy.entries);
    memcpy(copy.slots, tally->slots, tally->slot_count * sizeof *copy.slots);
    *ret_copy = copy;
    return OK;
}

static void swap(int64_t *a, int64_t *b)
{
    int64_t kept = *a;
    *a = *b;
    *b = kept;
}

/* Hoare's partition around a pivot that is not to be foreseen, so nobody can send values for which this takes long. The
 * values up to the returned place are at least the pivot, those after it at most. */
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
