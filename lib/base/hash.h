/* hash.h: the mixing step and the secret of our hash tables. Clients choose texts and ids, so nobody outside may be
 * able to make ones that collide. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

/* Drawn once per process; never 0. */
uint64_t hash_secret(void);

__extension__ typedef unsigned __int128 hash_wide;

/* The two halves of a 128-bit product, mixed: every bit of either factor reaches every bit of the result (the idea of
 * wyhash). */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    hash_wide product = (hash_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
