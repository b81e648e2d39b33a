/* moment.h: how long ago something was, never too short: also when the machine slept or was stopped meanwhile, of which
 * mono.h knows nothing. For what is true for a while only. */
#ifndef TIME_MOMENT_H
#define TIME_MOMENT_H

#include <stdint.h>
#include <time.h>

struct moment {
    int64_t running_ms; /* goes on while the machine sleeps, but not while a virtual one is stopped */
    int64_t wall_ms;    /* may be set, forward and back */
};

static inline int64_t moment_clock_ms(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now); /* can't fail with a valid clock id (POSIX) */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline struct moment moment_now(void)
{
    return (struct moment){moment_clock_ms(CLOCK_BOOTTIME), moment_clock_ms(CLOCK_REALTIME)};
}

/* Milliseconds since then, by the clock that says more. */
static inline int64_t moment_age_ms(const struct moment *then)
{
    struct moment now = moment_now();
    int64_t running = now.running_ms - then->running_ms, wall = now.wall_ms - then->wall_ms;
    return running > wall ? running : wall;
}

#endif
