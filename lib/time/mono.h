/* mono.h: the clock that never jumps, for durations and deadlines. Does not know what time it is. */
#ifndef TIME_MONO_H
#define TIME_MONO_H

#include <stdint.h>
#include <time.h>

/* Microseconds since some start. */
static inline int64_t mono_us(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now); /* can't fail with a valid clock id (POSIX) */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t mono_ms(void)
{
    return mono_us() / 1000;
}

#endif
