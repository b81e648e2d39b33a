/* test_disk.c: a full disk, files that may not grow (RLIMIT_FSIZE), and syncs that fail, under the running service:
 * batches get 503 and nothing of them is stored, reads go on, health says so, and writing works again by itself when
 * there is room. Only a failed sync needs a restart. The full disk is a small tmpfs, in the long form an ext4 as well;
 * without root or the right to mount, these tests are skipped, with a message. ANALYTICS_LONG=1 goes on for minutes.
 *
 * Bugs that were planted to see it fail, and what it printed:
 *   SIGXFSZ not ignored: "batches are accepted where there is no room": the program had died and been restarted
 *   nothing is tried while nothing comes in: the same, "or health is well"
 *   a failed sync is forgotten: "book_post(book, &stack, 1000, 60) == 204, 503 == 503", once syncs succeed again
 *   a refused group is not withdrawn from the WAL: "batch 1, refused: 1000 of its 1000 logs are stored"
 *   an hour counts as closed although that failed: "closed_hour … == 0, hour == 492649"
 *   a start needs room for a checkpoint: "health is not 200 after 30 s" */
#include "crowd.h"
#include "wrap.h"

#include "support/check.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT "/analytics/websites?from=2026-03-15&to=2026-05-14"
#define HOUR 3600

static struct stack stack;
static struct book *book;

/* ---- what must hold ---- */

/* The status of /analytics/health; 0: no answer. */
static long health(void)
{
    struct reply reply = stack_send(&stack, &(struct request_spec){.path = "/analytics/health"});
    long status = reply.status;
    if (status != 200 && status != 0)
        check_error(&reply, 503, "analytics.unavailable", "/analytics/health", NULL);
    reply_release(&reply);
    return status;
}

/* Waits for this status, for 30 s. */
static void await_health(long expected)
{
    int64_t until = stack_now_ms() + HANG_MS;
    while (health() != expected && stack_now_ms() < until)
        stack_nap(20);
    ck_assert_msg(health() == expected, "health is not %ld after 30 s", expected);
}

static int logged(const char *words)
{
    int count = 0;
    char *log = stack_log(&stack);
    for (const char *at = log; (at = strstr(at, words)); at++)
        count++;
    free(log);
    return count;
}

/* How many requests a report of everything counts. */
static int64_t reported(void)
{
    int64_t sum = 0;
    json_object *answer = stack_get(&stack, "/analytics/requests?from=2026-03-15&to=2026-05-14"), *data = NULL;
    ck_assert(json_object_object_get_ex(answer, "data", &data));
    for (size_t i = 0; i < json_object_array_length(data); i++)
        sum += atoll(member(json_object_array_get_idx(data, i), "total_count"));
    json_object_put(answer);
    return sum;
}

/* The next batch is refused, and health says so. Reads go on, and are right. */
static void check_refusing(void)
{
    ck_assert_int_eq(book_post(book, &stack, 1000, 60), 503);
    await_health(503);
    json_object_put(stack_get(&stack, REPORT));
    ck_assert_int_eq(reported(), stack_i64(&stack, "SELECT sum(count) FROM raw_log"));
}

/* Once there is no room left, batches are refused, and health says so. A few may still be accepted: after a checkpoint,
 * the WAL's own room can be used again. `take`, or NULL, takes what has become free. */
static void check_no_room(void (*take)(void))
{
    bool refusing = false;
    for (int i = 0; i < 300 && !refusing; i++) {
        if (take)
            take();
        refusing = book_post(book, &stack, 1000, 60) == 503 && health() == 503;
    }
    ck_assert_msg(refusing, "batches are accepted where there is no room, or health is well");
    json_object_put(stack_get(&stack, REPORT));
    ck_assert_int_eq(reported(), stack_i64(&stack, "SELECT sum(count) FROM raw_log"));
}

static void await_recovery(void)
{
    int64_t until = stack_now_ms() + HANG_MS;
    await_health(200); /* without a batch */
    while (book_post(book, &stack, 100, 60) != 204)
        ck_assert_msg(stack_now_ms() < until, "batches are refused 30 s after there is room again");
    await_health(200);
}

static bool post_until_refused(int batches)
{
    int refused = book_counts(book).refused;
    for (int i = 0; i < batches && book_counts(book).refused == refused; i++)
        book_post(book, &stack, 1000, 60);
    return book_counts(book).refused > refused;
}

static pid_t ingest(void)
{
    pid_t pids[STACK_MAX_PROCESSES];
    ck_assert_uint_eq(stack_processes(&stack, "analytics-ingest", pids), 1);
    return pids[0];
}

static void begin(void)
{
    stack = (struct stack){0};
    book = book_open();
}

static void finish(const char *about)
{
    book_check(book, &stack, about);
    book_close(book);
    stack_stop(&stack);
}

/* ---- files that may not grow ---- */

/* Sets it as the owner of the process, who may change its limits. Root may not do so everywhere. */
static void set_limit(pid_t pid, rlim_t bytes)
{
    char path[64];
    struct stat owner;
    struct rlimit limit;
    int status = -1;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    ck_assert_int_eq(stat(path, &owner), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(owner.st_gid) != 0 || setuid(owner.st_uid) != 0))
            _exit(1);
        bool got = prlimit(pid, RLIMIT_FSIZE, NULL, &limit) == 0;
        limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
        _exit(got && prlimit(pid, RLIMIT_FSIZE, &limit, NULL) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "the limit of process %d can't be changed", (int)pid);
}

static void limit_files(const char *program, rlim_t bytes)
{
    pid_t pids[STACK_MAX_PROCESSES];
    stack_processes(&stack, program, pids);
    for (pid_t *pid = pids; *pid; pid++)
        set_limit(*pid, bytes);
}

static rlim_t wal_bytes(void)
{
    char path[128];
    struct stat file;
    snprintf(path, sizeof path, "%s/data/analytics.db-wal", stack.dir);
    ck_assert_int_eq(stat(path, &file), 0);
    return (rlim_t)file.st_size;
}

/* In each round there is room for a part of a group, or for none. In every fourth round, the limit is below the size of
 * the files, so existing pages cannot be overwritten either. */
START_TEST(files_may_not_grow)
{
    begin();
    stack_start(&stack, NULL);
    pid_t before = ingest();
    ck_assert(!post_until_refused(3));
    for (int i = 0; i < rounds(8, 4, 24); i++) {
        rlim_t limit = i % 4 == 3 ? (rlim_t)i : wal_bytes() + (rlim_t)(i * 12345 % 500000);
        limit_files("analytics-", limit);
        ck_assert_msg(post_until_refused(300), "round %d: accepted although no file may grow past %lld", i,
                      (long long)limit);
        check_no_room(NULL);
        limit_files("analytics-", RLIM_INFINITY);
        await_recovery();
    }
    ck_assert_int_eq(ingest(), before); /* it has not died of SIGXFSZ */
    printf("RLIMIT_FSIZE: groups that could not be written %d times, upkeep %d\n", logged(" write_failed"),
           logged(" upkeep_failed"));
    finish("files may not grow");
}
END_TEST

/* Room for one small batch, but not for closing the hour, or the day, that is over since its logs. */
static void close_without_room(int pause, const char *about)
{
    begin();
    stack_start(&stack, NULL);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(book_post(book, &stack, 1000, 0), 204);
    int64_t hour = stack_i64(&stack, "SELECT max(quarter) / 4 FROM raw_log");
    limit_files("analytics-ingest", wal_bytes() + 80000);
    ck_assert_int_eq(book_post(book, &stack, 10, pause), 204);
    await_health(503);
    ck_assert_int_ge(logged(" upkeep_failed"), 1);
    ck_assert_int_eq(reported(), stack_i64(&stack, "SELECT sum(count) FROM raw_log"));
    limit_files("analytics-ingest", RLIM_INFINITY);
    await_recovery();
    stack_await_closed(&stack, hour + 1);
    finish(about);
}

START_TEST(no_room_to_close_an_hour)
{
    close_without_room(2 * HOUR, "no room to close an hour");
}
END_TEST

START_TEST(no_room_to_close_a_day)
{
    close_without_room(50 * HOUR, "no room to close a day");
}
END_TEST

/* ---- a full disk ---- */

/* Mounts are made in a mount namespace of this process and its children, and end with them. */
static bool may_mount(void)
{
    if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        return true;
    printf("skipped: a full disk needs root and mounts: %s\n", strerror(errno));
    return false;
}

static void shell(const char *command)
{
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

static void mount_data(bool ext4)
{
    char command[512];
    stack_folder(&stack);
    if (ext4)
        snprintf(
            command, sizeof command,
            "cd '%s' && mkdir data && truncate -s 100M image && mkfs.ext4 -q -m 0 image && mount -o loop image data"
            " && rmdir data/lost+found",
            stack.dir);
    else
        snprintf(command, sizeof command, "cd '%s' && mkdir data && mount -t tmpfs -o size=100m,mode=700 none data",
                 stack.dir);
    shell(command);
}

/* Takes all room but about `left` bytes. */
static void fill(int64_t left)
{
    char path[128], zeros[65536] = {0};
    struct statvfs fs;
    snprintf(path, sizeof path, "%s/data/ballast", stack.dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    size_t piece = sizeof zeros;
    while (piece > 0 && fstatvfs(fd, &fs) == 0 && (int64_t)(fs.f_bavail * fs.f_frsize) > left)
        if (write(fd, zeros, piece) < 0)
            piece = piece > 512 ? piece / 2 : 0;
    fsync(fd);
    close(fd);
}

static void make_room(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data/ballast", stack.dir);
    ck_assert_int_eq(unlink(path), 0);
}

static void take_all_room(void)
{
    fill(0);
}

/* A start may fail for lack of room, with a status other than 0. Nothing is lost. */
static void start_on_full_disk(void)
{
    int status = 0;
    stack_end(&stack, SIGTERM);
    fill(0);
    stack.port = stack_free_port();
    stack_spawn(&stack, NULL);
    int64_t until = stack_now_ms() + HANG_MS;
    bool ended = false;
    while (!ended && health() == 0 && stack_now_ms() < until)
        ended = stack_wait(&stack, 0, &status);
    if (ended) {
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        printf("a start on a full disk: refused\n");
    } else {
        check_no_room(take_all_room);
        printf("a start on a full disk: it reads, and refuses to write\n");
        stack_end(&stack, SIGTERM);
    }
    make_room();
    stack_launch(&stack, NULL);
    await_recovery();
}

/* Makes the WAL as long as it gets between checkpoints. From then on it needs no more room, but a checkpoint does. */
static void fill_wal(void)
{
    for (int i = 0; i < 300 && wal_bytes() < 16u << 20; i++)
        ck_assert_int_eq(book_post(book, &stack, 1000, 60), 204);
}

/* While a process ends, it refuses too: until another is there, an answer says nothing about a new one. */
static void await_successor(pid_t before)
{
    pid_t pids[STACK_MAX_PROCESSES];
    int64_t until = stack_now_ms() + HANG_MS;
    while (stack_alive((pid_t[]){before, 0}) || stack_processes(&stack, "analytics-ingest", pids) != 1) {
        ck_assert_msg(stack_now_ms() < until, "analytics-ingest does not come back");
        stack_nap(20);
    }
}

/* The program ends on a full disk, and its process manager starts it again: it answers, and waits for room. */
static void restart_on_full_disk(void)
{
    check_no_room(take_all_room);
    pid_t pid = ingest();
    kill(pid, SIGTERM);
    await_successor(pid);
    check_no_room(take_all_room); /* it answers again */
    make_room();
    await_recovery();
}

static void fill_and_empty(int round)
{
    fill(round % 3 ? round * 1234567 % 3000000 : 0);
    ck_assert_msg(post_until_refused(300), "300 batches accepted on a full disk");
    check_no_room(take_all_room);
    make_room();
    await_recovery();
}

static void full_disk(bool ext4, const char *about)
{
    begin();
    if (!may_mount())
        return;
    mount_data(ext4);
    stack_start(&stack, NULL);
    int rounds = is_long_run() ? 24 : 4;
    pid_t before = ingest();
    fill_wal();
    for (int i = 0; i < rounds; i++)
        fill_and_empty(i);
    ck_assert_int_eq(ingest(), before);
    printf("%s: groups that could not be written %d times, upkeep %d, checkpoints %d\n", about, logged(" write_failed"),
           logged(" upkeep_failed"), logged("upkeep_failed error=analytics.unavailable detail=\"checkpoint"));
    restart_on_full_disk();
    start_on_full_disk();
    book_check(book, &stack, about);
    book_close(book);
    stack_end(&stack, SIGTERM);
    char command[128];
    snprintf(command, sizeof command, "umount '%s/data'", stack.dir);
    shell(command);
    stack_remove(&stack);
}

START_TEST(a_full_tmpfs)
{
    full_disk(false, "a full tmpfs");
}
END_TEST

START_TEST(a_full_ext4)
{
    full_disk(true, "a full ext4");
}
END_TEST

/* ---- a sync that fails ---- */

START_TEST(a_failed_sync)
{
    char before[512], flag[96];
    const char *build = getenv("ANALYTICS_BUILDDIR");
    begin();
    stack_folder(&stack);
    snprintf(flag, sizeof flag, "%s/fail", stack.dir);
    snprintf(before, sizeof before, "cp '%s/tests/stress/failing_sync.so' '%s/' && chmod a+r '%s/failing_sync.so'",
             build, stack.dir, stack.dir);
    shell(before);
    snprintf(before, sizeof before,
             "export LD_PRELOAD='%s/failing_sync.so' FAIL_SYNC='%s'"
             " ASAN_OPTIONS=\"${ASAN_OPTIONS:-}:verify_asan_link_order=0\"",
             stack.dir, flag);
    wrap_start(&stack, &(struct wrapping){.before = before});
    ck_assert_int_eq(book_post(book, &stack, 1000, 60), 204);
    close(open(flag, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    check_refusing();
    unlink(flag);
    stack_nap(2500); /* time for probes and upkeep: a sync that succeeds later must not count as a recovery */
    check_refusing();
    wrap_restart(&stack); /* the whole service: the WAL is read from the disk, and must not hold what was refused */
    await_recovery();
    finish("a failed sync");
}
END_TEST

int main(void)
{
    const struct attack attacks[] = {
        {"a_failed_sync", a_failed_sync, false},
        {"files_may_not_grow", files_may_not_grow, false},
        {"no_room_to_close_an_hour", no_room_to_close_an_hour, false},
        {"no_room_to_close_a_day", no_room_to_close_a_day, false},
        {"a_full_tmpfs", a_full_tmpfs, false},
        {"a_full_ext4", a_full_ext4, true},
    };
    return run_attacks("disk", attacks, sizeof attacks / sizeof *attacks);
}
