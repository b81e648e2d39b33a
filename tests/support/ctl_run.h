/* ctl_run.h: analyticsctl as an operator runs it, for tests: $ANALYTICSCTL with --data, its exit status and its output.
 */
#ifndef SUPPORT_CTL_RUN_H
#define SUPPORT_CTL_RUN_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define CTL_RUN_BYTES 16384

struct ctl_run {
    pid_t pid;
    FILE *out, *err;
    int terminal; /* where its standard error goes, or -1 */
};

/* Starts it on the data folder; the arguments, at most 10, end with NULL. */
struct ctl_run ctl_run_start(const char *folder, bool on_terminal, const char *const *arguments);

/* The exit status; of a signal, its negative number. */
int ctl_run_finish(struct ctl_run *run);

/* Starts it without a terminal, and waits for its end. */
int ctl_run(const char *folder, const char *const *arguments);

extern char ctl_out[CTL_RUN_BYTES], ctl_err[CTL_RUN_BYTES]; /* of the last one that finished */

/* Runs it on the test's own `folder`. */
#define CTL(...) ctl_run(folder, (const char *const[]){__VA_ARGS__, NULL})
#define ck_status(expected, ...)                                                                                       \
    do {                                                                                                               \
        int status_ = CTL(__VA_ARGS__);                                                                                \
        ck_assert_msg(status_ == (expected), "status %d: %s%s", status_, ctl_out, ctl_err);                            \
    } while (0)
#define ck_has(text, part) ck_assert_msg(strstr(text, part) != NULL, "no '%s' in '%s'", part, text)

#endif
