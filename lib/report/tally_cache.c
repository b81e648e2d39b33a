/* tally_cache.c: which tallies are kept. Knows sizes and ages. Does not know what is asked or why. */
#include "report/tally_cache.h"

#include <string.h>

#include "base/banned.h"

void tally_cache_release(struct tally_cache *cache)
{
    for (size_t i = 0; i < TALLY_CACHE_ENTRIES; i++)
        tally_release(&cache->entries[i].tally);
    *cache = (struct tally_cache){0};
}

const struct tally *tally_cache_find(struct tally_cache *cache, const struct tally_question *question)
{
    for (size_t i = 0; i < TALLY_CACHE_ENTRIES; i++) {
        if (!cache->entries[i].used || memcmp(&cache->entries[i].question, question, sizeof *question) != 0)
            continue;
        cache->entries[i].used = ++cache->clock;
        return &cache->entries[i].tally;
    }
    return NULL;
}

static size_t bytes_in_use(const struct tally_cache *cache)
{
    size_t bytes = 0;
    for (size_t i = 0; i < TALLY_CACHE_ENTRIES; i++)
        bytes += tally_bytes(&cache->entries[i].tally);
    return bytes;
}

/* The entry that has not been used for longest, among those that hold a tally; with `or_free`, a free one is
 * preferred. */
static size_t oldest(const struct tally_cache *cache, bool or_free)
{
    size_t found = TALLY_CACHE_ENTRIES;
    for (size_t i = 0; i < TALLY_CACHE_ENTRIES; i++)
        if ((or_free || cache->entries[i].used) &&
            (found == TALLY_CACHE_ENTRIES || cache->entries[i].used < cache->entries[found].used))
            found = i;
    return found;
}

static void give_up(struct tally_cache *cache, size_t i)
{
    tally_release(&cache->entries[i].tally);
    cache->entries[i].used = 0;
}

void tally_cache_keep(struct tally_cache *cache, const struct tally_question *question, const struct tally *tally)
{
    struct tally copy;
    if (tally->count == 0 || tally_copy(tally, true, &copy))
        return;
    size_t bytes = tally_bytes(&copy);
    if (bytes > TALLY_CACHE_BYTES / 2) {
        tally_release(&copy);
        return;
    }
    while (bytes_in_use(cache) > TALLY_CACHE_BYTES - bytes)
        give_up(cache, oldest(cache, false));
    size_t i = oldest(cache, true);
    give_up(cache, i);
    cache->entries[i].question = *question;
    cache->entries[i].tally = copy;
    cache->entries[i].used = ++cache->clock;
}
