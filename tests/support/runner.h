/* runner.h: what every test program in C is: a suite of cases, which is run and gives an exit status. Knows libcheck.
 * Knows nothing of the project. */
#ifndef SUPPORT_RUNNER_H
#define SUPPORT_RUNNER_H

#include "support/check.h"
#include <stdbool.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

/* A case of the suite. Its limit of time is for what hangs, not for what is slow: no test fails by a machine's speed.
 */
TCase *suite_case(Suite *suite, const char *name);

/* Runs the suite; main() returns what it gives. */
int suite_run(Suite *suite);

/* The same, of cases that leave nothing behind for the next one: under sanitizers all of them in one process. There the
 * beginning and the end of a process, which looks for leaks, cost 50 ms, and some suites have hundreds of cases. */
int suite_run_together(Suite *suite);

/* A variable that `make check` sets, ANALYTICS_SRCDIR for one. The test fails without it. */
const char *environment(const char *name);

/* Whether `make stress` asks for hours and not for seconds: ANALYTICS_LONG=1. */
bool is_long_run(void);

/* Whether this is a build with sanitizers: some ten times slower. */
bool is_sanitized(void);

/* How often a test with random figures runs, each time with another seed: `usual` times, but 20 times in a long run and
 * once under sanitizers. */
int seed_runs(int usual);

/* How often a test repeats something, in which of the three runs: the plain suite, the suite under sanitizers, which
 * look at each way through the code and not at each number, and a long run. */
int rounds(int plain, int sanitized, int in_long_run);

#endif
