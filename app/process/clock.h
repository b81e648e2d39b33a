/* clock.h: what time it is. The only file that asks. time/mono.h measures durations. */
#ifndef PROCESS_CLOCK_H
#define PROCESS_CLOCK_H

#include <stdint.h>

/* Unix time, milliseconds. May jump. */
int64_t clock_wall_ms(void);

#endif
