/* clock.c: what time it is. Knows the wall clock of POSIX. Knows no calendar. */
#include "process/clock.h"

#include <time.h>

#include "base/banned.h"

int64_t clock_wall_ms(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now); /* can't fail with a valid clock id (POSIX) */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
