/* ctl_run.c: runs analyticsctl, with or without a terminal. */
#include "support/ctl_run.h"

#include "support/check.h"
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGUMENTS 10

char ctl_out[CTL_RUN_BYTES], ctl_err[CTL_RUN_BYTES];

/* Until the child has become analyticsctl, it has libcheck's handlers, and a signal would kill the test. */
static void block_signals(sigset_t *ret_old)
{
    sigset_t all;
    sigfillset(&all);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &all, ret_old), 0);
}

static void unblock_signals(const sigset_t *old, bool in_child)
{
    if (in_child) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, old, NULL);
}

static void exec_ctl(const char *folder, const char *const *arguments)
{
    const char *path = getenv("ANALYTICSCTL"), *argv[3 + MAX_ARGUMENTS + 1] = {"analyticsctl", "--data", folder};
    for (int i = 0; arguments[i] && i < MAX_ARGUMENTS; i++)
        argv[3 + i] = arguments[i];
    execv(path ? path : "build/analyticsctl", (char *const *)(intptr_t)argv);
    _exit(127);
}

struct ctl_run ctl_run_start(const char *folder, bool on_terminal, const char *const *arguments)
{
    struct ctl_run run = {.out = tmpfile(), .err = tmpfile(), .terminal = -1};
    sigset_t old;
    int other_end = -1;
    ck_assert(run.out && run.err);
    if (on_terminal)
        ck_assert_int_eq(openpty(&run.terminal, &other_end, NULL, NULL, NULL), 0);
    block_signals(&old);
    run.pid = fork();
    unblock_signals(&old, run.pid == 0);
    ck_assert_int_ge(run.pid, 0);
    if (run.pid == 0) {
        dup2(fileno(run.out), STDOUT_FILENO);
        dup2(on_terminal ? other_end : fileno(run.err), STDERR_FILENO);
        exec_ctl(folder, arguments);
    }
    if (other_end >= 0)
        close(other_end);
    return run;
}

static void read_file(FILE *file, char text[CTL_RUN_BYTES])
{
    rewind(file);
    text[fread(text, 1, CTL_RUN_BYTES - 1, file)] = '\0';
    fclose(file);
}

int ctl_run_finish(struct ctl_run *run)
{
    int status;
    ck_assert_int_eq(waitpid(run->pid, &status, 0), run->pid);
    read_file(run->out, ctl_out);
    read_file(run->err, ctl_err);
    if (run->terminal >= 0)
        close(run->terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int ctl_run(const char *folder, const char *const *arguments)
{
    struct ctl_run run = ctl_run_start(folder, false, arguments);
    return ctl_run_finish(&run);
}
