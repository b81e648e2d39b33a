/* test_confined.c: the service works under the restrictions of its systemd units. Both programs run as ./serve starts
 * them, but through confine, which reads the units that `make install` installs: the sample batch is posted and read
 * back, then a load, and a program is killed. A system call outside the filter kills the program here, so that none is
 * overlooked. Under strace, the sample and the load once more: each call is in the filter. A probe in the place of a
 * program tries what an intruder would.
 *
 * Seen to fail:
 *   the unit's filter without fdatasync -> "./serve ended: …": the programs are killed as they start
 *   no PrivateNetwork= in the unit -> "analytics-ingest is in our own net namespace"
 *   no ProtectSystem= -> "probe: file in /tmp: expected Read-only file system, got file in /tmp: worked"
 *   socket permitted -> "probe: unix socket: expected Operation not permitted, got unix socket: worked"
 *   the filter without flock -> under strace: "analytics-ingest calls what its unit does not permit: flock" */
#include "support/engine.h"
#include "support/stack.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 6
#define ROUNDS 25

static const char *const programs[] = {"analytics-ingest", "analytics-query"};
static const char *const units[] = {"analytics-ingest.service", "analytics-query@.service"};

/* Runs a command of the shell; fails unless it ends with 0. */
__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
    char command[8192];
    va_list values;
    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

/* ---- the folder of programs that ./serve is given: each is a script around the real one ---- */

static char build[4096], source[4096]; /* the real ones */

static void copy_programs(void)
{
    if (!build[0]) {
        snprintf(build, sizeof build, "%s", getenv("ANALYTICS_BUILDDIR"));
        snprintf(source, sizeof source, "%s", getenv("ANALYTICS_SRCDIR"));
    }
    stack_folder(&shared);
    run("cd '%s' && umask 022 && mkdir -p bin/real && mkdir -m 777 reports && cp '%s'/analytics-ingest"
        " '%s'/analytics-query '%s'/analyticsctl bin/real && cp '%s'/analyticsctl bin",
        shared.dir, build, build, build, build);
    run("cd '%s'/bin && cp '%s'/tests/confine/confine '%s'/systemd/*.service .", shared.dir, build, build);
    for (size_t i = 0; i < 2; i++)
        run("cd '%s'/bin && bash '%s'/tests/confine/allowed.sh %s >%s.allowed", shared.dir, source, units[i],
            programs[i]);
}

/* The script for a program: `before` stands before the real one's path. */
__attribute__((format(printf, 2, 3))) static void write_script(const char *program, const char *before, ...)
{
    char path[256];
    va_list values;
    snprintf(path, sizeof path, "%s/bin/%s", shared.dir, program);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("#!/bin/sh\nASAN_OPTIONS=detect_leaks=0 CONFINE_KILL=1; export ASAN_OPTIONS CONFINE_KILL\nexec ", file);
    va_start(values, before);
    vfprintf(file, before, values);
    va_end(values);
    fprintf(file, " %s/bin/real/%s \"$@\"\n", shared.dir, program);
    fclose(file);
    ck_assert_int_eq(chmod(path, 0755), 0);
}

static void start_scripts(void)
{
    char bin[128];
    snprintf(bin, sizeof bin, "%s/bin", shared.dir);
    setenv("ANALYTICS_BUILDDIR", bin, 1);
    stack_start(&shared, (const char *const[]){"--query-processes", "3", NULL});
}

static void start_confined(void)
{
    copy_programs();
    for (size_t i = 0; i < 2; i++)
        write_script(programs[i], "%s/bin/confine %s/bin/%s %s/bin/%s.allowed %s/reports/%s.$$", shared.dir, shared.dir,
                     units[i], shared.dir, programs[i], shared.dir, programs[i]);
    start_scripts();
}

static void start_traced(void)
{
    copy_programs();
    for (size_t i = 0; i < 2; i++)
        write_script(programs[i], "strace -D -f -qq -e signal=none -o %s/reports/trace.%s.$$", shared.dir, programs[i]);
    start_scripts();
}

static void stop(void)
{
    stack_stop(&shared);
}

/* ---- the load ---- */

static void expect_status(struct reply reply, long status)
{
    ck_assert_msg(reply.status == status, "expected %ld, got %ld %s", status, reply.status, reply.body);
    reply_release(&reply);
}

static void post_logs(int count, int seed)
{
    char *body = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&body, &len);
    fputs("{\"logs\":[", file);
    for (int i = 0; i < count; i++)
        fprintf(file,
                "%s{\"ts\":\"2026-04-%02d %02d:00:00\",\"user_id\":%d,\"order_id\":1,\"domain\":\"d%d.example\","
                "\"count\":1,\"error\":\"e%d\"}",
                i ? "," : "", 1 + (i + seed) % 28, i % 24, 1 + i % 50, (i * 7 + seed) % 5000, i % 3);
    fputs("]}", file);
    fclose(file);
    expect_status(stack_post(&shared, body, len, NULL), 204);
    free(body);
}

static void read_all(void)
{
    static const char *const paths[] = {"traffic",  "requests", "concurrency", "domains", "errors",
                                        "websites", "summary",  "breakdown",   "metrics"};
    for (int i = 0; i < ROWS(paths); i++) {
        char path[128];
        snprintf(path, sizeof path, "/analytics/%s?by=peer&from=2026-04-01&to=2026-04-28%s", paths[i],
                 i % 2 ? "&domain=d7.example&timezone=Europe/Kyiv" : "");
        expect_status(stack_send(&shared, &(struct request_spec){.path = path, .key = shared.admin_key}), 200);
    }
}

/* A client is a child process; its status tells load() of a failed check. */
static pid_t start_client(int seed)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < ROUNDS; i++) {
            post_logs(1 + 37 * seed, seed + i);
            read_all();
        }
        _exit(0);
    }
    return pid;
}

static void load(void)
{
    pid_t clients[CLIENTS];
    int status = -1;
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start_client(i);
    post_logs(50000, 1);
    for (int i = 0; i < CLIENTS; i++) {
        waitpid(clients[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
}

/* Posts examples/sample-batch.json; a report must say what the README says. */
static void post_sample(void)
{
    char path[4200];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/examples/sample-batch.json", source);
    char *body = stack_file(path, &len);
    ck_assert_uint_gt(len, 0);
    expect_status(stack_post(&shared, body, len, NULL), 204);
    free(body);
    struct reply reply = stack_send(&shared, &(struct request_spec){.path = "/analytics/traffic?from=2026-03-15"
                                                                            "&to=2026-03-15",
                                                                    .key = shared.admin_key});
    ck_assert_str_eq(reply.body,
                     "{\"data\":[{\"bucket\":\"2026-03-15 10:15:00\",\"total_bytes_sent\":\"10240\","
                     "\"total_bytes_received\":\"524800\",\"bytes_total\":\"535040\",\"total_count\":\"12\"}]}");
    reply_release(&reply);
}

static void expect_healthy_soon(void)
{
    struct reply reply = stack_send(&shared, &(struct request_spec){.path = "/analytics/health"});
    for (int i = 0; i < 200 && reply.status != 200; i++) {
        reply_release(&reply);
        stack_nap(50);
        reply = stack_send(&shared, &(struct request_spec){.path = "/analytics/health"});
    }
    expect_status(reply, 200);
}

/* ---- under the units ---- */

static void expect_in_status(pid_t pid, const char *line, const char *program)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    char *status = stack_file(path, NULL);
    ck_assert_msg(strstr(status, line) != NULL, "%s has not %s: %s", program, line + 1, status);
    free(status);
}

static bool was_applied(const char *program, pid_t pid, const char *directive)
{
    char path[256], line[128];
    snprintf(path, sizeof path, "%s/reports/%s.%d", shared.dir, program, (int)pid);
    snprintf(line, sizeof line, "%s: applied\n", directive);
    char *report = stack_file(path, NULL);
    ck_assert_msg(*report, "%s left no report", program);
    bool applied = strstr(report, line) != NULL;
    const char *reason = strstr(report, directive);
    if (!applied)
        printf("%s %.*s\n", program, (int)strcspn(reason ? reason : "", "\n"), reason ? reason : "");
    free(report);
    return applied;
}

static void expect_other_namespace(pid_t pid, const char *name, const char *program)
{
    char path[64], ours[64] = "", theirs[64] = "";
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
    ck_assert_int_gt(readlink(path, theirs, sizeof theirs - 1), 0);
    snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    ck_assert_int_gt(readlink(path, ours, sizeof ours - 1), 0);
    ck_assert_msg(strcmp(ours, theirs) != 0, "%s is in our own %s namespace", program, name);
}

static void expect_confined(pid_t pid, const char *program)
{
    bool namespaces = was_applied(program, pid, "PrivateUsers");
    expect_in_status(pid, "\nSeccomp:\t2\n", program);
    expect_in_status(pid, "\nNoNewPrivs:\t1\n", program);
    expect_in_status(pid, "\nCapEff:\t0000000000000000\n", program);
    if (namespaces) {
        expect_in_status(pid, "\nCapBnd:\t0000000000000000\n", program);
        expect_other_namespace(pid, "net", program);
        expect_other_namespace(pid, "mnt", program);
        expect_other_namespace(pid, "ipc", program);
    } else {
        printf("%s: no user namespaces here, so the unit's namespaces were not tried\n", program);
    }
}

static size_t program_pids(size_t program, pid_t ret_pids[STACK_MAX_PROCESSES])
{
    return stack_processes(&shared, programs[program], ret_pids);
}

START_TEST(it_works_under_its_units)
{
    pid_t before[2][STACK_MAX_PROCESSES], after[2][STACK_MAX_PROCESSES];
    post_sample();
    for (size_t i = 0; i < 2; i++) {
        stack_await_processes(&shared, programs[i], i ? 3 : 1, before[i]);
        for (pid_t *pid = before[i]; *pid; pid++)
            expect_confined(*pid, programs[i]);
    }
    load();
    for (size_t i = 0; i < 2; i++) { /* none was killed for what it called */
        ck_assert_uint_eq(program_pids(i, after[i]), i ? 3 : 1);
        for (size_t k = 0; k < (i ? 3 : 1); k++)
            ck_assert_msg(before[i][k] == after[i][k], "%s ended under the load", programs[i]);
    }
}
END_TEST

START_TEST(it_recovers_under_its_units)
{
    pid_t pids[STACK_MAX_PROCESSES];
    int64_t logs = stack_i64(&shared, "SELECT count(*) FROM log");
    ck_assert_uint_eq(program_pids(0, pids), 1);
    kill(pids[0], SIGKILL);
    stack_nap(200);
    expect_healthy_soon();
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM log"), logs);
    post_logs(100, 3);
    read_all();
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM log"), logs + 100);
}
END_TEST

/* ---- what an intruder in a program could do ---- */

#define NO "Operation not permitted"
static const struct {
    const char *what, *answer;
    bool needs_namespaces; /* without them, the answer depends on the user's rights */
} attempts[] = {
    {"file in the data folder", "worked", false},
    {"file in /tmp", "Read-only file system", true},
    {"file in /etc", "Read-only file system", true},
    {"chmod 0600", "worked", false},
    {"chmod 4755", NO, false},
    {"chown", NO, false},
    {"unix socket", NO, false},
    {"tcp socket", NO, false},
    {"memory", "worked", false},
    {"writable code", NO, false},
    {"namespace", NO, false},
    {"mount", NO, false},
    {"ptrace", NO, false},
    {"kill", NO, false},
    {"execveat", NO, false},
    {"set user", NO, false},
    {"priority", NO, false},
    {"keyring", NO, false},
};

/* As the service's user, on its data folder. */
static char *run_probe(size_t program)
{
    char path[128];
    const char *as = geteuid() ? "" : "setpriv --reuid www-data --regid www-data --init-groups --no-new-privs";
    run("cd '%s' && ASAN_OPTIONS=detect_leaks=0 %s bin/confine bin/%s bin/%s.allowed reports/probe.%s probe --data "
        "'%s/data' >probed",
        shared.dir, as, units[program], programs[program], programs[program], shared.dir);
    snprintf(path, sizeof path, "%s/probed", shared.dir);
    return stack_file(path, NULL);
}

static bool has_namespaces(size_t program)
{
    char path[256];
    snprintf(path, sizeof path, "%s/reports/probe.%s", shared.dir, programs[program]);
    char *report = stack_file(path, NULL);
    bool has = strstr(report, "ProtectSystem: not applied") == NULL;
    free(report);
    return has;
}

START_TEST(an_intruder_finds_nothing)
{
    char *answers = run_probe((size_t)_i);
    bool namespaces = has_namespaces((size_t)_i);
    for (int i = 0; i < ROWS(attempts); i++) {
        char line[128];
        snprintf(line, sizeof line, "%s: %s\n", attempts[i].what, attempts[i].answer);
        const char *got = strstr(answers, attempts[i].what);
        ck_assert_msg(got != NULL, "probe: nothing of '%s' in %s", attempts[i].what, answers);
        if (namespaces || !attempts[i].needs_namespaces)
            ck_assert_msg(!strncmp(got, line, strlen(line)), "probe: %s: expected %s, got %.*s", attempts[i].what,
                          attempts[i].answer, (int)strcspn(got, "\n"), got);
    }
    free(answers);
}
END_TEST

/* ---- under strace ---- */

/* Writes two files: `called`, the calls in the traces, and `outside`, those of them that the filter does not permit. */
static void list_calls(size_t program)
{
    run("cd '%s' && sed -n 's/^[0-9]* *\\([a-z0-9_]*\\)(.*/\\1/p' reports/trace.%s.* | sort -u >called &&"
        " LC_ALL=C comm -23 called bin/%s.allowed >outside",
        shared.dir, programs[program], programs[program]);
}

static char *read_back(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", shared.dir, name);
    char *text = stack_file(path, NULL);
    for (char *p = text; *p; p++)
        if (*p == '\n')
            *p = ' ';
    return text;
}

/* Not stack_end: only the process that started ./serve, which is not this test, can wait for it. */
static void end_and_wait(void)
{
    pid_t pids[STACK_MAX_PROCESSES];
    int64_t until = stack_now_ms() + HANG_MS;
    kill(shared.pid, SIGTERM);
    while (stack_processes(&shared, NULL, pids) > 0 && stack_now_ms() < until)
        stack_nap(50);
    ck_assert_msg(stack_now_ms() < until, "./serve goes on");
}

START_TEST(nothing_outside_the_filter_is_called)
{
    post_sample();
    load();
    end_and_wait(); /* its end is looked at too */
    for (size_t i = 0; i < 2; i++) {
        list_calls(i);
        char *called = read_back("called"), *outside = read_back("outside");
        ck_assert_msg(strstr(called, "accept4 ") != NULL, "%s: strace saw nothing: %s", programs[i], called);
        ck_assert_msg(!*outside, "%s calls what its unit does not permit: %s", programs[i], outside);
        printf("%s calls %s\n", programs[i], called);
        free(called);
        free(outside);
    }
    fflush(stdout);
}
END_TEST

/* strace may be kept from attaching, by Yama or in a container; sanitizers call what our programs do not. */
static bool can_trace(void)
{
    if (is_sanitized())
        printf("not under strace: the sanitizers' own calls would be found\n");
    else if (system("strace -D -f -qq -o /dev/null true") != 0)
        printf("not under strace: it may not attach to a process here\n");
    else
        return true;
    fflush(stdout);
    return false;
}

int main(void)
{
    if (engine_is_clickhouse()) {
        puts("skipped: the units permit no network; the engine clickhouse has it by systemd/clickhouse.conf");
        return 77;
    }
    Suite *suite = suite_create("confined");
    TCase *tcase = stack_case(suite, "units", start_confined, stop);
    tcase_add_test(tcase, it_works_under_its_units);
    tcase_add_test(tcase, it_recovers_under_its_units);
    tcase_add_loop_test(tcase, an_intruder_finds_nothing, 0, 2);
    if (can_trace())
        tcase_add_test(stack_case(suite, "strace", start_traced, stop), nothing_outside_the_filter_is_called);
    return suite_run(suite);
}
