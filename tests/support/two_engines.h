/* two_engines.h: compares an engine with the one in memory, which counts every report from all logs: both get the same
 * batches, and then the same random questions. Answers that differ fail the test. */
#ifndef SUPPORT_TWO_ENGINES_H
#define SUPPORT_TWO_ENGINES_H

#include "store/store.h"

/* Opens both. `in_thread`: the tested engine's writer is in a thread, as in the service, for an engine that must work
 * while it is asked. Otherwise, its upkeep is done between batches, some slices at a time. */
void two_engines_begin(struct store_place tested, bool in_thread);
void two_engines_end(void);

/* Stops and starts the tested engine's thread. */
void two_engines_restart(void);

/* Writes more batches. Every fourth is sent again, and then again with another body. */
void two_engines_write(int batches);

/* Waits until the tested engine answers. */
void two_engines_await(void);

/* Asks each of them so many random questions. */
void two_engines_ask(int questions);

/* A batch changes the state that store_hold() gives; without one it stays the same. */
void two_engines_compare_states(void);

#endif
