/* memory_store.h: a second engine, for tests: it has all logs in memory, and counts each report from all of them. It
 * has no rollups, so the answers of another engine are compared with its own. A program has one such store; the folder
 * of a place is ignored. It forgets no log and no key, and treats marks of imports like any other key. */
#ifndef SUPPORT_MEMORY_STORE_H
#define SUPPORT_MEMORY_STORE_H

#include "store/store.h"

#include <stdbool.h>

/* A place of the memory engine. */
struct store_place memory_store_place(void);

/* Forgets everything. */
void memory_store_clear(void);

/* Sets whether it knows durations (at first it does). If not, all durations are DURATION_UNKNOWN, as they are when the
 * filter does not ask for them. */
void memory_store_knows_durations(bool knows);

#endif
