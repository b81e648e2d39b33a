/* runner.c: a suite of cases, its limits of time, and its exit status. Knows libcheck and the environment. */
#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_SECONDS 600
#define LONG_LIMIT_SECONDS 7200

const char *environment(const char *name)
{
    const char *value = getenv(name);
    ck_assert_msg(value != NULL, "%s is not set: run the tests through make check", name);
    return value;
}

bool is_long_run(void)
{
    const char *value = getenv("ANALYTICS_LONG");
    return value && *value && strcmp(value, "0") != 0;
}

bool is_sanitized(void)
{
    const char *value = getenv("ANALYTICS_SANITIZED");
    return value && *value && strcmp(value, "no") != 0;
}

int seed_runs(int usual)
{
    return rounds(usual, 1, 20);
}

int rounds(int plain, int sanitized, int in_long_run)
{
    if (is_long_run())
        return in_long_run;
    return is_sanitized() ? sanitized : plain;
}

TCase *suite_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, is_long_run() ? LONG_LIMIT_SECONDS : LIMIT_SECONDS);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static int run(Suite *suite, bool together)
{
    SRunner *runner = srunner_create(suite);
    if (together)
        srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int suite_run(Suite *suite)
{
    return run(suite, false);
}

int suite_run_together(Suite *suite)
{
    return run(suite, is_sanitized());
}
