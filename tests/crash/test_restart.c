/* test_restart.c: an upgrade under load: both programs are restarted one process after the other (SIGTERM; multiwatch
 * starts the next one, and the listening socket stays open meanwhile), and nginx reloads. No client notices: no 502 or
 * 503, no connection that ends without an answer, nothing lost or counted twice. HTTP itself has one exception: nginx
 * closes idle connections when it reloads, and a request may be on its way on one of them. It gets no byte of an
 * answer, and is sent again, as by every client that keeps connections open.
 *
 * ANALYTICS_LONG=1 does this forty times instead of three.
 *
 * Seen to fail on two planted bugs, in app/http/fcgi.c:
 *
 *   A stop ends the process at once: "14 requests were refused"
 *
 *   A connection that is accepted while the process stops is closed: "2 requests were refused" */
#include "answers.h"
#include "support/runner.h"
#include "swarm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERIES 3
#define BURST 60 /* batches around each restart */
#define LONG_BURST 18
#define MULTIWATCH_MS 600 /* a program that ends sooner counts as one that can't start */

static struct stack stack;
static struct ledger ledger;
static int restarts, worst_ms;

static size_t find(const char *name, pid_t ret_pids[STACK_MAX_PROCESSES])
{
    return stack_processes(&stack, name, ret_pids);
}

static bool has(const char *name, pid_t pid)
{
    pid_t pids[STACK_MAX_PROCESSES];
    size_t count = find(name, pids);
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* Stops a process; waits until it is gone and there are as many as before. */
static void restart(const char *name, size_t count, pid_t pid)
{
    pid_t pids[STACK_MAX_PROCESSES];
    swarm_release(is_long_run() ? LONG_BURST : BURST);
    int64_t since_ms = stack_now_ms();
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    while (has(name, pid) || find(name, pids) != count) {
        ck_assert_msg(stack_now_ms() - since_ms < HANG_MS, "%s does not come back", name);
        stack_nap(5);
    }
    restarts++;
    if (stack_now_ms() - since_ms > worst_ms)
        worst_ms = (int)(stack_now_ms() - since_ms);
}

static void restart_all(const char *name, size_t count)
{
    pid_t pids[STACK_MAX_PROCESSES];
    stack_await_processes(&stack, name, count, pids);
    for (size_t i = 0; i < count; i++)
        restart(name, count, pids[i]);
}

/* Waits until the old workers are gone. */
static void reload_nginx(void)
{
    pid_t master[STACK_MAX_PROCESSES], workers[STACK_MAX_PROCESSES];
    int64_t until_ms = stack_now_ms() + HANG_MS;
    ck_assert_uint_eq(find("nginx: master", master), 1);
    ck_assert_uint_gt(find("nginx: worker", workers), 0);
    swarm_release(is_long_run() ? LONG_BURST : BURST);
    ck_assert_int_eq(kill(master[0], SIGHUP), 0);
    while (stack_alive(workers)) {
        ck_assert_msg(stack_now_ms() < until_ms, "nginx does not reload");
        stack_nap(5);
    }
    restarts++;
}

static void upgrade(void)
{
    restart_all("analytics-ingest", 1);
    restart_all("analytics-query", QUERIES);
    reload_nginx();
    stack_nap(MULTIWATCH_MS);
}

START_TEST(nobody_notices)
{
    char data[128];
    int times = is_long_run() ? 40 : 3;
    stack = (struct stack){0};
    ledger = (struct ledger){.logs = 20, .pause = 600};
    stack_start(&stack, (const char *const[]){"--query-processes", "3", NULL});
    swarm_start(&(struct swarm_options){.stack = &stack,
                                        .ledger = &ledger,
                                        .seed = numbered_seed(),
                                        .senders = 12,
                                        .readers = 4,
                                        .pause_ms = 5,
                                        .keep_alive = _i == 1});
    for (int i = 0; i < times; i++)
        upgrade();
    struct swarm_figures figures = swarm_stop();
    int compared = answers_check(&stack);
    stack_end(&stack, SIGTERM);
    printf("%s: %d restarts, the longest %d ms; %d requests, %d batches acknowledged, %d refused, %d unanswered, %d "
           "crossed"
           " a reload, slowest %d ms, %d answers equal to SQL\n",
           _i ? "keep-alive" : "a connection for each request", restarts, worst_ms, figures.requests,
           figures.acknowledged, figures.refused, figures.unanswered, figures.crossed, figures.worst_ms, compared);
    ck_assert_msg(figures.refused == 0 && figures.unanswered == 0, "%d requests were refused, %d unanswered: %s",
                  figures.refused, figures.unanswered, figures.why);
    snprintf(data, sizeof data, "%s/data", stack.dir);
    ledger_check(&ledger, data, "after restarts");
    stack_remove(&stack);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restart");
    TCase *tcase = suite_case(suite, "restart");
    tcase_add_loop_test(tcase, nobody_notices, 0, 2);
    return suite_run(suite);
}
