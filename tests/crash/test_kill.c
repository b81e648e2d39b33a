/* test_kill.c: kill -9 of every process of the service, at random moments, while senders post and readers read.
 * Afterwards each acknowledged batch counts once in raw logs and in every report, each other one once or not at all.
 *
 * The service is ./serve with a supervisor that starts again whatever ends, as a production process manager does: real
 * nginx, spawn-fcgi and multiwatch. (multiwatch gives up on a program that ends ten times in a row within half a second
 * of its start. When it has none left it ends, and is started again, too.) Each kill falls into a burst of batches;
 * after one in four, another follows while the service comes back. The time of recovery is measured from the last kill
 * to the first acknowledged batch and answered report, both sent after it.
 *
 * ANALYTICS_LONG=1 kills 480 times, on eight databases. ANALYTICS_SEED repeats a run's choices, though not its timing.
 *
 * Seen to fail on four planted bugs, in lib/store/sqlite/write/:
 *
 *   The answer before the commit: "batch k120: acknowledged twice as if it were new"
 *
 *   The key in a commit of its own, before the batch's: "batch 0 is neither whole nor absent: 0 of 27 logs, 0 times,
 *   key 1"
 *
 *   No key stored at all: "batch k1: acknowledged twice as if it were new"
 *
 *   Raw logs in a commit of their own, before the rollups': "/analytics/traffic?granularity=15m&…: status 200, differs
 *   at byte 9433: by SQL …" */
#include "answers.h"
#include "support/runner.h"
#include "swarm.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SENDERS 16
#define READERS 2
#define QUERIES 3
#define BURST 36 /* batches around each kill */
#define KILLS 60 /* in a round of the long form */
#define SHORT_KILLS 40
#define SHORT_MS 40000 /* ends the short form; a slow machine kills less often, */
#define LEAST_KILLS 8  /* but so often at least */
#define ROUNDS 8

static struct stack stack;
static struct ledger ledger;
static uint64_t seed;
static int rolls; /* of the dice so far */

static int64_t roll(int64_t n)
{
    return numbered_dice(seed, rolls++, 2, n);
}

/* ---- victims ---- */

static const struct {
    const char *name; /* "": everything but ./serve */
    int weight;
    bool all; /* all processes of that name at once, not one of them */
} victims[] = {
    {"analytics-ingest", 6, true}, {"analytics-query", 2, false}, {"analytics-query", 2, true},
    {"nginx: worker", 2, false},   {"nginx: worker", 2, true},    {"nginx: master", 2, true},
    {"multiwatch", 2, false},      {"multiwatch", 1, true},       {"", 1, true},
};

static struct tally {
    int kills, returns, worst_ms;
    int64_t sum_ms;
} tallies[ROWS(victims)];

static int pick_victim(void)
{
    int sum = 0, victim = 0;
    for (int i = 0; i < ROWS(victims); i++)
        sum += victims[i].weight;
    for (int64_t at = roll(sum); at >= victims[victim].weight; victim++)
        at -= victims[victim].weight;
    return victim;
}

/* Not a victim: the shell of ./serve, and the processes of its pipes. */
static bool is_victim(pid_t pid)
{
    static const char *const names[] = {"analytics-", "nginx", "multiwatch"};
    char path[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    char *comm = stack_file(path, NULL);
    for (int i = 0; i < ROWS(names); i++)
        found |= !strncmp(comm, names[i], strlen(names[i]));
    free(comm);
    return found;
}

/* Looked up before the nap: /proc takes too long to read to kill at a chosen moment. */
static void find_victims(int victim, pid_t ret_pids[STACK_MAX_PROCESSES])
{
    size_t count = stack_processes(&stack, *victims[victim].name ? victims[victim].name : NULL, ret_pids), kept = 0;
    for (size_t i = 0; i < count; i++)
        if (is_victim(ret_pids[i]))
            ret_pids[kept++] = ret_pids[i];
    if (!victims[victim].all && kept > 1) {
        ret_pids[0] = ret_pids[roll((int64_t)kept)];
        kept = 1;
    }
    ret_pids[kept] = 0;
}

/* Kills them, and waits until they are gone: on its way to its end a process still takes a connection, and counts as
 * one that is there. Returns whether any was still there. */
static bool strike(const pid_t *pids)
{
    bool struck = false;
    for (const pid_t *pid = pids; *pid; pid++)
        struck |= kill(*pid, SIGKILL) == 0;
    for (int64_t until_ms = stack_now_ms() + HANG_MS; stack_alive(pids) > 0; stack_nap(1))
        ck_assert_int_lt(stack_now_ms(), until_ms);
    return struck;
}

/* ---- a kill ---- */

static void nap_us(int64_t us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* Waits until a batch is acknowledged and a report answered. Returns the milliseconds since `since_ms`. */
static int await_service(int64_t since_ms)
{
    struct request_spec spec = {.path = "/analytics/errors?from=2027-12-20&to=2028-02-19", .key = stack.admin_key};
    long status = 0;
    swarm_send_one();
    while (status != 200) {
        struct reply reply = stack_send(&stack, &spec);
        status = reply.status;
        reply_release(&reply);
        ck_assert_int_lt(stack_now_ms() - since_ms, HANG_MS);
    }
    return (int)(stack_now_ms() - since_ms);
}

static void note_return(int victim, int took_ms)
{
    struct tally *tally = &tallies[victim];
    tally->returns++;
    tally->sum_ms += took_ms;
    if (took_ms > tally->worst_ms)
        tally->worst_ms = took_ms;
}

/* One kill or several, and the recovery from the last one. Returns how many. */
static int kill_some(void)
{
    pid_t pids[STACK_MAX_PROCESSES];
    int kills = 0, burst = BURST, last = 0;
    int64_t last_ms = 0, until_ms = stack_now_ms() + HANG_MS;
    bool struck;
    do {
        int victim = pick_victim();
        find_victims(victim, pids);
        swarm_release(burst);
        burst = 0;
        nap_us(roll(60000));
        int64_t at_ms = stack_now_ms();
        struck = strike(pids);
        if (struck) {
            kills++;
            tallies[victim].kills++;
            last = victim;
            last_ms = at_ms;
        }
        ck_assert_msg(at_ms < until_ms, "there is nothing left to kill");
    } while (kills == 0 || (struck && roll(4) == 0));
    note_return(last, await_service(last_ms));
    return kills;
}

/* ---- a round ---- */

static bool is_among(pid_t pid, const pid_t *pids)
{
    while (*pids && *pids != pid)
        pids++;
    return *pids != 0;
}

/* Is there one master with its workers? Workers of a master that was killed answer for a moment, and then end. */
static bool has_one_nginx(void)
{
    pid_t pids[STACK_MAX_PROCESSES];
    size_t masters = 0, count = stack_processes(&stack, "nginx", pids);
    for (const pid_t *pid = pids; *pid; pid++)
        masters += !is_among(stack_parent(*pid), pids);
    return masters == 1 && count > 1;
}

static void expect_all_there(void)
{
    pid_t pids[STACK_MAX_PROCESSES];
    int64_t until_ms = stack_now_ms() + HANG_MS;
    while (stack_processes(&stack, "analytics-ingest", pids) != 1 ||
           stack_processes(&stack, "analytics-query", pids) != QUERIES || !has_one_nginx()) {
        ck_assert_msg(stack_now_ms() < until_ms, "not all processes came back");
        stack_nap(50);
    }
    await_service(stack_now_ms());
}

/* All checks of what is stored: first through the running service, then of its files. */
static int check_the_end(const char *about)
{
    char data[128];
    int compared = answers_check(&stack);
    stack_end(&stack, SIGTERM);
    snprintf(data, sizeof data, "%s/data", stack.dir);
    ledger_check(&ledger, data, about);
    return compared;
}

static void print_figures(const char *about, const struct swarm_figures *figures, int kills, int compared)
{
    int whole = 0;
    for (int i = 0; i < ledger.count; i++)
        whole += ledger.fate[i] == WHOLE;
    printf(
        "%s: %d kills, %d batches acknowledged (%d by a repeated answer), %d in doubt (%d of them stored), %d requests,"
        " %d refused, %d unanswered, %d reads, slowest %d ms, %d answers equal to SQL\n",
        about, kills, figures->acknowledged, figures->replayed, figures->unknown, whole - figures->acknowledged,
        figures->requests, figures->refused, figures->unanswered, figures->reads, figures->worst_ms, compared);
    fflush(stdout);
}

/* Waits until ./serve has seen the service healthy: before that, it ends when a program dies. */
static void start_service(void)
{
    bool announced = false;
    int64_t until_ms = stack_now_ms() + HANG_MS;
    stack_start(&stack, (const char *const[]){KEEP_GOING, "--query-processes", "3", NULL});
    while (!announced) {
        char *log = stack_log(&stack);
        announced = strstr(log, "Serving on ") != NULL;
        free(log);
        ck_assert_int_lt(stack_now_ms(), until_ms);
        stack_nap(20);
    }
}

static int play_round(int number, int kills)
{
    char about[64];
    int done = 0;
    int64_t until_ms = stack_now_ms() + SHORT_MS;
    snprintf(about, sizeof about, "seed %" PRIu64 ", round %d", seed, number);
    ledger = (struct ledger){.logs = 20, .pause = 600};
    start_service();
    swarm_start(&(struct swarm_options){
        .stack = &stack, .ledger = &ledger, .seed = seed + (uint64_t)number, .senders = SENDERS, .readers = READERS});
    while (done < kills && (is_long_run() || done < LEAST_KILLS || stack_now_ms() < until_ms))
        done += kill_some();
    struct swarm_figures figures = swarm_stop();
    expect_all_there();
    print_figures(about, &figures, done, check_the_end(about));
    stack_remove(&stack);
    return done;
}

static void print_tallies(int kills)
{
    int worst_ms = 0;
    for (int i = 0; i < ROWS(victims); i++) {
        const struct tally *tally = &tallies[i];
        printf("%-17s%-4s %3d kills, service back after %" PRId64 " ms on average, %d ms at worst\n",
               *victims[i].name ? victims[i].name : "everything", victims[i].all ? " all" : "", tally->kills,
               tally->returns ? tally->sum_ms / tally->returns : 0, tally->worst_ms);
        worst_ms = tally->worst_ms > worst_ms ? tally->worst_ms : worst_ms;
    }
    printf("%d kills, service back after %d ms at worst\n", kills, worst_ms);
}

START_TEST(nothing_acknowledged_is_lost_or_doubled)
{
    int kills = 0;
    seed = numbered_seed();
    for (int i = 0; i < (is_long_run() ? ROUNDS : 1); i++)
        kills += play_round(i, is_long_run() ? KILLS : SHORT_KILLS);
    print_tallies(kills);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kill");
    TCase *tcase = suite_case(suite, "kill");
    tcase_add_test(tcase, nothing_acknowledged_is_lost_or_doubled);
    return suite_run(suite);
}
