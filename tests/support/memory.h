/* memory.h: makes the n-th allocation fail, inside SQLite or in our own code. Ours are reached by the linker's --wrap,
 * so a program that uses this is linked with it (see Makefile.am). */
#ifndef SUPPORT_MEMORY_H
#define SUPPORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum memory_user { MEMORY_SQLITE, MEMORY_OURS };

/* Before anything else asks SQLite for something. */
void memory_install(void);

/* From now on the n-th allocation of `user` fails (1 is the next), and all after it if `for_ever`. */
void memory_fail(enum memory_user user, size_t n, bool for_ever);

/* Only allocations between the two count: the test itself, and libcheck, go unharmed. */
void memory_enter(void);
void memory_leave(void);

/* How many have failed. */
size_t memory_failed(void);

/* No allocation fails any more. */
void memory_mend(void);

#endif
