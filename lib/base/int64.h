/* int64.h: 64-bit integers compared. */
#ifndef BASE_INT64_H
#define BASE_INT64_H

#include <stdint.h>

static inline int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Negative, 0 or positive, like strcmp. */
static inline int compare64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

#endif
