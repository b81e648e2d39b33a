/* two_engines.h: an engine beside the one in memory, which counts every report anew from all logs: the same batches go
 * to both, and then both are asked the same random questions. Answers that differ fail the test. */
#ifndef SUPPORT_TWO_ENGINES_H
#define SUPPORT_TWO_ENGINES_H

#include "store/store.h"

/* Opens both. `in_thread`: the tested engine's writer is a service's thread, which an engine needs that has work to do
 * while it is asked; else its upkeep is done between batches, some slices at a time. */
void two_engines_begin(struct store_place tested, bool in_thread);
void two_engines_end(void);

/* Stops and starts the tested engine's thread. */
void two_engines_restart(void);

/* More batches. Every fourth comes twice, and then with another body. */
void two_engines_write(int batches);

/* Waits until the tested engine answers. */
void two_engines_await(void);

/* Asks. */
void two_engines_ask(int questions);

/* Before and after a batch, what is stored is not the same; without one it is. */
void two_engines_compare_states(void);

#endif
