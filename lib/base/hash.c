/* hash.c: the secret of our hash tables. Knows where randomness comes from. */
#include "base/hash.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

#include "base/banned.h"

uint64_t hash_secret(void)
{
    static _Atomic uint64_t secret;
    uint64_t known = atomic_load_explicit(&secret, memory_order_relaxed);
    if (known)
        return known;
    uint64_t drawn;
    struct timespec now = {0, 0};
    if (getrandom(&drawn, sizeof drawn, GRND_NONBLOCK) != (ssize_t)sizeof drawn) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        drawn = ((uint64_t)now.tv_nsec << 32) ^ (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)&secret;
    }
    drawn |= 1;
    return atomic_compare_exchange_strong(&secret, &known, drawn) ? drawn : known;
}
