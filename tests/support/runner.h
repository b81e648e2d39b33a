/* runner.h: what every test program in C is: a suite of cases, which is run and gives an exit status. Knows libcheck.
 * Knows nothing of the project. */
#ifndef SUPPORT_RUNNER_H
#define SUPPORT_RUNNER_H

#include "support/check.h"
#include <stdbool.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

/* A case of the suite. Its limit of time is for tests that hang: no test fails because the machine is slow. */
TCase *suite_case(Suite *suite, const char *name);

/* Runs the suite; main() returns what it gives. */
int suite_run(Suite *suite);

/* The same for cases that leave nothing behind for the next one. Under sanitizers, all of them run in one process: the
 * start and the end of a process, which looks for leaks, cost 50 ms there, and some suites have hundreds of cases. All
 * of them together then have the limit of one: what hangs ends the program, with status 1 and the case's name. */
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

/* How often a test repeats something: in the plain suite, under sanitizers (which need each way through the code, but
 * not each number), and in a long run. */
int rounds(int plain, int sanitized, int in_long_run);

#endif
