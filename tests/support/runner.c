/* runner.c: a suite of cases, its limits of time, and its exit status. Knows libcheck and the environment. */
#include "support/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

static int limit_seconds(void)
{
    return is_long_run() ? LONG_LIMIT_SECONDS : LIMIT_SECONDS;
}

TCase *suite_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, limit_seconds());
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void say(const char *words)
{
    ssize_t ignored = write(STDERR_FILENO, words, strlen(words));
    (void)ignored;
}

/* Only what a handler of signals may call: the case may have been in malloc(), say. */
static void end_hung(int signal)
{
    (void)signal;
    say(program_invocation_short_name);
    say(": the case \"");
    say(tcase_name());
    say("\" was running when the limit of time for all cases together was over: it hangs\n");
    _exit(EXIT_FAILURE);
}

/* libcheck's limits are for cases in processes of their own. SIGALRM is libcheck's: at one it kills the process group,
 * and `make check` with it. */
static void limit_together(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    const struct itimerspec limit = {.it_value.tv_sec = limit_seconds()};
    timer_t timer;
    signal(SIGRTMIN, end_hung);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &limit, NULL))
        say("no limit of time: the timer cannot be made\n");
}

static int run(Suite *suite, bool together)
{
    SRunner *runner = srunner_create(suite);
    if (together) {
        srunner_set_fork_status(runner, CK_NOFORK);
        limit_together();
    }
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
