/* clock.h: what time it is. The only file that asks. */
#ifndef PROCESS_CLOCK_H
#define PROCESS_CLOCK_H

#include <stdint.h>

/* Unix time, milliseconds. May jump. */
int64_t clock_wall_ms(void);

/* Microseconds since some start. Never jumps; for durations and deadlines. */
int64_t clock_mono_us(void);

#endif
