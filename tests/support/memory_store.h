/* memory_store.h: a second engine, for tests: all logs in memory, each report counted anew from every one of them.
 * Knows no rollups, so its answers are what another engine's should be. There is one store of it in a program; a
 * place's folder is not looked at. Nothing is ever old to it, and marks of imports are keys like any other. */
#ifndef SUPPORT_MEMORY_STORE_H
#define SUPPORT_MEMORY_STORE_H

#include "store/store.h"

#include <stdbool.h>

/* A place of the memory engine. */
struct store_place memory_store_place(void);

/* Forgets everything. */
void memory_store_clear(void);

/* Does it know how long logs took (as it does at first)? Else durations are DURATION_UNKNOWN, as they are when the
 * filter does not ask for them. */
void memory_store_knows_durations(bool knows);

#endif
