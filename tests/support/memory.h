/* memory.h: makes the n-th allocation fail, inside SQLite or in our own code. A program that uses this must be linked
 * with --wrap, which redirects our own calls (see Makefile.am). */
#ifndef SUPPORT_MEMORY_H
#define SUPPORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum memory_user { MEMORY_SQLITE, MEMORY_OURS };

/* To be called before any other call of SQLite. */
void memory_install(void);

/* From now on the n-th allocation of `user` fails (1 is the next), and all after it if `for_ever`. */
void memory_fail(enum memory_user user, size_t n, bool for_ever);

/* Only allocations between these two count and fail, not those of the test itself and of libcheck. */
void memory_enter(void);
void memory_leave(void);

/* How many have failed. */
size_t memory_failed(void);

/* No allocation fails any more. */
void memory_mend(void);

#endif
