/* wrap.h: runs attacks, and starts the service with its programs wrapped in scripts: with more options, or with a
 * library loaded before the others. Knows libcheck, shell scripts and the environment variables of the tests. Knows no
 * attack. */
#ifndef WRAP_H
#define WRAP_H

#include "support/stack.h"

#include "support/check.h"

/* Shell commands before analytics-ingest, and more options for it; NULL for none. */
struct wrapping {
    const char *before;
    const char *options;
};

/* Makes the service's folder (unless it is there), copies the programs into it, each behind a script of its own name,
 * and starts the service with them. */
void wrap_start(struct stack *stack, const struct wrapping *wrapping);

/* The same programs once more, on the same data. */
void wrap_restart(struct stack *stack);

/* One test, in a case of its own: CK_RUN_CASE=NAME runs it alone. */
struct attack {
    const char *name;
    const TTest *test;
    bool only_long;
};

/* Runs the attacks. Returns the exit status of main(). */
int run_attacks(const char *suite, const struct attack *attacks, size_t count);

#endif
