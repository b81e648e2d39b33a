/* index.c: the memory of an index. */
#include "base/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

void index_release(struct index *index)
{
    free(index->slots);
    *index = (struct index){0};
}

bool index_grow(struct index *index, size_t first)
{
    size_t count = index->count ? index->count * 2 : first;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    free(index->slots);
    *index = (struct index){slots, count};
    return true;
}

void index_clear(struct index *index)
{
    if (index->slots)
        memset(index->slots, 0, index->count * sizeof *index->slots);
}
