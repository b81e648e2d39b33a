/* test_metrics.c: the numbers that all processes share, and the life of their file: made by many processes at once,
 * damaged, of another layout, truncated while processes count, in a folder that cannot be written. The tests use real
 * processes.
 *
 * Seen to fail, each with a line or two changed:
 *   metrics/file.c: no lock -> many_start_at_once, "batches(metrics) == 1000"; the_lock_is_not_waited_for_long
 *   no handler of SIGBUS -> cut_short_under_us, "Received signal 7 (Bus error)"
 *   no O_NOFOLLOW -> a_damaged_file_is_made_anew:8; no look at the size -> :1, :2; none at the header -> :3 to :6
 *   no has_room in open_old -> holes_are_filled
 *   metrics.c: the layout without the routes' paths -> other_routes_are_another_layout
 *   bring_along left out -> the_folder_comes_later, "requests(metrics) == 1"; cut_short_under_us
 *   >= for > in metrics_observe -> a_value_has_one_bucket
 *   metrics_text.c: no look at the heartbeat -> a_silent_writer_is_not_well:2
 *   a plain store for the atomic addition of a sum -> threads_lose_nothing */
#include "metrics/metrics.h"
#include "support/runner.h"

#include "metrics/file.h"
#include "process/clock.h"
#include "endpoint/routes.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

static const struct metrics_route counted[] = {
    {PROGRAM_INGEST, "/analytics/ingest", HTTP_POST, 204},
    {PROGRAM_QUERY, "/analytics/traffic", HTTP_GET, 200},
    {PROGRAM_QUERY, "/analytics/errors", HTTP_GET, 200},
};
static char dir[64], path[96];

static void set_up(void)
{
    memcpy(dir, "/tmp/test_metrics.XXXXXX", sizeof "/tmp/test_metrics.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/metrics", dir);
}

static void tear_down(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static struct metrics *open_program(enum program program)
{
    struct metrics *metrics = metrics_open(dir, program, counted, 3);

    ck_assert_ptr_nonnull(metrics);
    return metrics;
}

static struct metrics *open_shared(void)
{
    struct metrics *metrics = open_program(PROGRAM_QUERY);

    ck_assert(metrics_is_shared(metrics));
    return metrics;
}

/* Runs `work` in a process of its own. await() fails unless the process ends with status 0. */
static pid_t start(void (*work)(int), int number)
{
    pid_t pid = fork();

    if (pid == 0) {
        work(number);
        _exit(0);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

static void await(pid_t pid)
{
    int status = -1;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "a process ended with 0x%x", (unsigned)status);
}

static uint64_t batches(const struct metrics *metrics)
{
    return metrics_value(metrics, METRIC_BATCHES, 0);
}

static void count_seven(int number)
{
    (void)number;
    metrics_add(open_shared(), METRIC_BATCHES, 0, 7);
}

/* ---- one file ---- */

START_TEST(one_counts_and_another_reads)
{
    struct metrics *metrics = open_shared();
    struct stat about;

    await(start(count_seven, 0));
    ck_assert_uint_eq(batches(metrics), 7);
    metrics_add(metrics, METRIC_BATCHES, 0, 1);
    metrics_close(metrics);
    metrics = open_shared(); /* meanwhile, no process has mapped it */
    ck_assert_uint_eq(batches(metrics), 8);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_STARTS, PROGRAM_QUERY), 3);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_STARTS, PROGRAM_INGEST), 0);
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    ck_assert_int_ge(about.st_blocks * 512, about.st_size);
    metrics_close(metrics);
}
END_TEST

static int gate[2];

static void start_with_others(int number)
{
    struct metrics *metrics;
    char byte;

    (void)close(gate[1]);
    ck_assert_int_eq(read(gate[0], &byte, 1), 0); /* until the parent closes it */
    metrics = metrics_open(dir, number % 5 ? PROGRAM_QUERY : PROGRAM_INGEST, counted, 3);
    ck_assert(metrics_is_shared(metrics));
    for (int i = 0; i < 1000; i++)
        metrics_add(metrics, METRIC_BATCHES, 0, 1);
}

/* No process may count in a file that another one has replaced. */
static void start_at_once(void)
{
    pid_t pids[10];
    struct metrics *metrics;

    ck_assert_int_eq(pipe(gate), 0);
    for (int i = 0; i < 10; i++)
        pids[i] = start(start_with_others, i);
    (void)close(gate[1]);
    for (int i = 0; i < 10; i++)
        await(pids[i]);
    (void)close(gate[0]);
    metrics = open_shared();
    ck_assert_uint_eq(batches(metrics), 10000);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_STARTS, PROGRAM_INGEST), 2);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_STARTS, PROGRAM_QUERY), 9);
    metrics_close(metrics);
}

START_TEST(many_start_at_once)
{
    for (int i = 0; i < 20; i++) {
        start_at_once();
        ck_assert_int_eq(i % 2 ? truncate(path, 100) : unlink(path), 0);
    }
}
END_TEST

static void *count_many(void *metrics)
{
    for (int i = 0; i < 20000; i++) {
        metrics_add(metrics, METRIC_LOGS, 0, 1);
        metrics_observe(metrics, METRIC_COMMIT, 0, 300);
    }
    return NULL;
}

START_TEST(threads_lose_nothing)
{
    struct metrics *metrics = open_shared();
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_many, metrics), 0);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_LOGS, 0), 80000);
    ck_assert_uint_eq(metrics_bucket(metrics, METRIC_COMMIT, 0, 2), 80000); /* up to 500 us */
    ck_assert_uint_eq(metrics_sum(metrics, METRIC_COMMIT, 0), 24000000);
    metrics_close(metrics);
}
END_TEST

/* ---- a damaged file ---- */

static void write_at(off_t at, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
    (void)close(fd);
}

static off_t size_now(void)
{
    struct stat about;

    ck_assert_int_eq(stat(path, &about), 0);
    return about.st_size;
}

static void make_empty(void)
{
    ck_assert_int_eq(truncate(path, 0), 0);
}
static void make_short(void)
{
    ck_assert_int_eq(truncate(path, size_now() - 1), 0);
}
static void make_long(void)
{
    ck_assert_int_eq(truncate(path, size_now() + 8), 0);
}
static void spoil_magic(void)
{
    write_at(3, "x", 1);
}
static void spoil_layout(void)
{
    write_at(9, "\x5a", 1);
}
static void spoil_size(void)
{
    write_at(17, "\x5a", 1);
}
static void spoil_rest(void)
{
    write_at(60, "\x5a", 1);
}
static void make_zeroes(void)
{
    off_t size = size_now();

    make_empty();
    ck_assert_int_eq(truncate(path, size), 0);
}
static void make_link(void)
{
    char other[96];

    (void)snprintf(other, sizeof other, "%s/other", dir);
    ck_assert_int_eq(rename(path, other), 0);
    ck_assert_int_eq(symlink(other, path), 0);
}
static void make_fifo(void)
{
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
}
static void leave_half(void)
{
    char half[96];

    (void)snprintf(half, sizeof half, "%s/metrics.new", dir);
    ck_assert_int_eq(rename(path, half), 0);
    ck_assert_int_eq(truncate(half, 5000), 0);
}

static void (*const damages[])(void) = {make_empty, make_short,  make_long, spoil_magic, spoil_layout, spoil_size,
                                        spoil_rest, make_zeroes, make_link, make_fifo,   leave_half};

START_TEST(a_damaged_file_is_made_anew)
{
    struct metrics *metrics = open_shared();
    struct stat about;
    char half[96];

    metrics_add(metrics, METRIC_BATCHES, 0, 5);
    metrics_close(metrics);
    damages[_i]();
    metrics = open_shared();
    ck_assert_uint_eq(batches(metrics), 0);
    await(start(count_seven, 0));
    ck_assert_uint_eq(batches(metrics), 7);
    ck_assert_int_eq(lstat(path, &about), 0);
    ck_assert(S_ISREG(about.st_mode));
    (void)snprintf(half, sizeof half, "%s/metrics.new", dir);
    ck_assert_int_ne(access(half, F_OK), 0);
    metrics_close(metrics);
}
END_TEST

/* A copy of a file may have holes in place of zeros. The file is long enough for holes in places that are never
 * written. */
START_TEST(holes_are_filled)
{
    const char *why = "";
    struct metrics_area *area = metrics_file_map(dir, 1, 100000, true, &why);
    struct metrics_area head;
    struct stat about;
    off_t size = size_now();

    ck_assert_ptr_nonnull(area);
    memcpy(&head, area, sizeof head);
    ck_assert_int_eq(unlink(path), 0);
    write_at(0, &head, sizeof head);
    ck_assert_int_eq(truncate(path, size), 0);
    ck_assert_ptr_nonnull(metrics_file_map(dir, 1, 100000, true, &why));
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_ge(about.st_blocks * 512, size);
}
END_TEST

/* ---- another layout, while processes with the old one go on ---- */

static void open_other_layout(int count)
{
    struct metrics *metrics = metrics_open(dir, PROGRAM_QUERY, counted, (size_t)count);

    ck_assert(metrics_is_shared(metrics));
    metrics_add(metrics, METRIC_BATCHES, 0, 100);
    ck_assert_uint_eq(batches(metrics), 100);
}

START_TEST(another_layout_has_another_file)
{
    struct metrics *metrics = open_shared();

    metrics_add(metrics, METRIC_BATCHES, 0, 5);
    await(start(open_other_layout, 2));
    metrics_add(metrics, METRIC_BATCHES, 0, 5);
    ck_assert_uint_eq(batches(metrics), 10);
    metrics_close(metrics);
    metrics = open_shared();
    ck_assert_uint_eq(batches(metrics), 0);
    metrics_close(metrics);
}
END_TEST

/* The same number of routes, but other ones. */
START_TEST(other_routes_are_another_layout)
{
    struct metrics_route others[3];
    struct metrics *metrics = open_shared();

    metrics_add(metrics, METRIC_BATCHES, 0, 5);
    metrics_close(metrics);
    memcpy(others, counted, sizeof counted);
    others[1].path = "/analytics/traffik";
    metrics = metrics_open(dir, PROGRAM_QUERY, others, 3);
    ck_assert_uint_eq(batches(metrics), 0);
    metrics_close(metrics);
}
END_TEST

/* ---- without a file, and back ---- */

static struct metrics_request request_at(int64_t now_ms)
{
    return (struct metrics_request){
        .route = 1, .method = HTTP_GET, .status = 503, .err = ERR_QUERY_TIMEOUT, .took_us = 1500, .now_ms = now_ms};
}

static uint64_t requests(const struct metrics *metrics)
{
    size_t status = 0;

    while (metrics_statuses[status] != 503)
        status++;
    return metrics_value(metrics, METRIC_REQUESTS, metrics_series_request(1, HTTP_GET, status));
}

static uint64_t timeouts(const struct metrics *metrics)
{
    return metrics_value(metrics, METRIC_REFUSALS, metrics_series_reason(PROGRAM_QUERY, ERR_QUERY_TIMEOUT - 1));
}

/* A process counts alone at first. After 10 seconds, once `mend` has made that possible, it counts with the others. */
static void count_alone(struct metrics *metrics, void (*mend)(void))
{
    int64_t now_ms = clock_wall_ms();
    struct metrics_request request = request_at(now_ms);

    ck_assert(!metrics_is_shared(metrics));
    metrics_request(metrics, &request);
    metrics_set(metrics, METRIC_WAL_LIMIT, 0, 77);
    ck_assert_uint_eq(requests(metrics), 1);
    mend();
    await(start(count_seven, 0));
    request = request_at(now_ms + 9000); /* not yet */
    metrics_request(metrics, &request);
    ck_assert(!metrics_is_shared(metrics));
    ck_assert_uint_eq(batches(metrics), 0);
    request = request_at(now_ms + 11000);
    metrics_request(metrics, &request);
    ck_assert(metrics_is_shared(metrics));
    ck_assert_uint_eq(batches(metrics), 7);
    ck_assert_uint_eq(requests(metrics), 3);
    ck_assert_uint_eq(timeouts(metrics), 3);
    ck_assert_uint_eq(metrics_bucket(metrics, METRIC_REQUEST_TIME, 1, 4), 3); /* up to 2.5 ms */
    ck_assert_uint_eq(metrics_sum(metrics, METRIC_REQUEST_TIME, 1), 4500);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_WAL_LIMIT, 0), 77);
    ck_assert_uint_eq(
        metrics_value(metrics, METRIC_LAST_ERROR, metrics_series_reason(PROGRAM_QUERY, ERR_QUERY_TIMEOUT - 1)),
        (uint64_t)((now_ms + 11000) / 1000));
    metrics_close(metrics);
}

static void make_dir(void)
{
    ck_assert_int_eq(mkdir(dir, 0700), 0);
}

START_TEST(the_folder_comes_later)
{
    ck_assert_int_eq(rmdir(dir), 0);
    count_alone(open_program(PROGRAM_QUERY), make_dir);
}
END_TEST

/* As on a full disk: no file may grow beyond this size. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void make_room(void)
{
    limit_files(RLIM_INFINITY);
}

START_TEST(room_comes_later)
{
    struct metrics *metrics;

    limit_files(100);
    metrics = open_program(PROGRAM_QUERY);
    ck_assert_int_ne(access(path, F_OK), 0);
    count_alone(metrics, make_room);
}
END_TEST

static void put_folder_there(void)
{
    char inside[128];

    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(inside, sizeof inside, "%s/x", path);
    ck_assert_int_eq(mkdir(inside, 0700), 0);
}

static void take_folder_away(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -r '%s'", path);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(something_else_has_the_name)
{
    put_folder_there();
    count_alone(open_program(PROGRAM_QUERY), take_folder_away);
}
END_TEST

/* Without root's rights. */
static void open_read_only(int number)
{
    struct metrics *metrics;

    (void)number;
    ck_assert_int_eq(chmod(dir, 0555), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    metrics = open_program(PROGRAM_QUERY);
    ck_assert(!metrics_is_shared(metrics));
    metrics_add(metrics, METRIC_BATCHES, 0, 3);
    ck_assert_uint_eq(batches(metrics), 3);
}

START_TEST(the_folder_is_read_only)
{
    await(start(open_read_only, 0));
    ck_assert_int_eq(chmod(dir, 0700), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* A start waits for the lock for a second, a running process does not wait. */
START_TEST(the_lock_is_not_waited_for_long)
{
    struct metrics *metrics;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *why = "";

    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    metrics = open_program(PROGRAM_QUERY);
    ck_assert(!metrics_is_shared(metrics));
    ck_assert_ptr_null(metrics_file_map(dir, 1, 1, false, &why));
    ck_assert_str_ne(why, "");
    metrics_close(metrics);
    (void)close(fd);
    metrics_close(open_shared());
}
END_TEST

/* ---- a page that is lost ---- */

static void put_file_back(void)
{
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(cut_short_under_us)
{
    struct metrics *metrics = open_shared();
    struct metrics_request request = request_at(clock_wall_ms());

    metrics_add(metrics, METRIC_BATCHES, 0, 5);
    ck_assert_int_eq(truncate(path, 0), 0);
    metrics_add(metrics, METRIC_LOGS, 0, 1); /* SIGBUS, once */
    ck_assert_uint_eq(metrics_value(metrics, METRIC_LOGS, 0), 1);
    metrics_add(metrics, METRIC_LOGS, 0, 1);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_LOGS, 0), 2);
    metrics_request(metrics, &request); /* notices it */
    ck_assert(!metrics_is_shared(metrics));
    put_file_back();
    request.now_ms += 11000;
    metrics_request(metrics, &request);
    ck_assert(metrics_is_shared(metrics));
    ck_assert_uint_eq(metrics_value(metrics, METRIC_LOGS, 0), 2);
    await(start(count_seven, 0));
    ck_assert_uint_eq(batches(metrics), 7);
    metrics_close(metrics);
}
END_TEST

static void die_of_another(int number)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct metrics_area *other;
    const char *why;

    (void)number;
    metrics_close(open_shared());
    (void)close(fd);
    other = metrics_file_map(dir, 1, 600, true, &why); /* from now on, the SIGBUS handler guards this file */
    ck_assert_ptr_nonnull(other);
    (void)raise(SIGBUS);
    (void)raise(SIGBUS);
}

START_TEST(a_stranger_s_bus_error_still_kills)
{
    int status = 0;
    pid_t pid = start(die_of_another, 0);

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}
END_TEST

/* ---- buckets ---- */

static const struct {
    enum metric metric;
    int64_t value;
    size_t bucket;
} values[] = {
    {METRIC_COMMIT, 0, 0},           {METRIC_COMMIT, 100, 0},       {METRIC_COMMIT, 101, 1},
    {METRIC_COMMIT, 10000000, 15},   {METRIC_COMMIT, 10000001, 16}, {METRIC_COMMIT, INT64_C(86400000000), 16},
    {METRIC_GROUP_BATCHES, 1, 0},    {METRIC_GROUP_BATCHES, 2, 1},  {METRIC_GROUP_BATCHES, 64, 6},
    {METRIC_GROUP_BATCHES, 65, 7},   {METRIC_GROUP_LOGS, 0, 0},     {METRIC_GROUP_LOGS, 100000, 9},
    {METRIC_GROUP_LOGS, 100001, 10},
};

START_TEST(a_value_has_one_bucket)
{
    struct metrics *metrics = open_shared();

    metrics_observe(metrics, values[_i].metric, 0, values[_i].value);
    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        ck_assert_uint_eq(metrics_bucket(metrics, values[_i].metric, 0, i), i == values[_i].bucket);
    ck_assert_uint_eq(metrics_sum(metrics, values[_i].metric, 0), (uint64_t)values[_i].value);
    metrics_close(metrics);
}
END_TEST

/* ---- the answer ---- */

static struct response response;

/* The answer of /analytics/metrics. */
static const char *ask(struct metrics *metrics)
{
    struct service service;
    struct request request = {.route = "/analytics/metrics",
                              .path = slice_of("/analytics/metrics"),
                              .query_string = "",
                              .role = ROLE_ADMIN,
                              .caller = "admin",
                              .api_key = "",
                              .now_ms = clock_wall_ms()};

    service_init(&service, PROGRAM_QUERY, store_in(dir), 1000);
    service.metrics = metrics;
    response_init(&response);
    routes_answer(&service, &request, &response);
    service_release(&service);
    metrics_close(metrics);
    return buf_cstr(&response.body);
}

static void expect_line(const char *text, const char *line)
{
    ck_assert_msg(strstr(text, line) != NULL, "no %s", line + 1);
}

START_TEST(it_answers_without_a_database)
{
    const char *text = ask(routes_open_metrics(dir, PROGRAM_QUERY));

    ck_assert_int_eq(response.status, 200);
    expect_line(text, "\nanalytics_database_readable 0\n");
    expect_line(text, "\nanalytics_database_bytes 0\n");
    expect_line(text, "\nanalytics_writer_healthy 0\n");
    expect_line(text, "\nanalytics_disk_free_bytes ");
    expect_line(text, "\nanalytics_metrics_shared 1\n");
    response_release(&response);
}
END_TEST

/* Without a folder, figures that need it are left out. */
START_TEST(it_answers_without_a_folder)
{
    const char *text;

    ck_assert_int_eq(rmdir(dir), 0);
    text = ask(routes_open_metrics(dir, PROGRAM_QUERY));
    ck_assert_int_eq(response.status, 200);
    expect_line(text, "\nanalytics_metrics_shared 0\n");
    expect_line(text, "\n# TYPE analytics_disk_free_bytes gauge\n#");
    expect_line(text, "\nanalytics_process_starts_total{program=\"query\"} 1\n");
    response_release(&response);
}
END_TEST

START_TEST(nobody_counts_nobody_answers)
{
    (void)ask(NULL);
    ck_assert_int_eq(response.status, 503);
    response_release(&response);
}
END_TEST

/* The last heartbeat of a writer that was killed. One from the future means that the clock was set back. */
static const struct {
    int64_t age;
    const char *line;
} signs[] = {{0, "\nanalytics_writer_healthy 1\n"},
             {29, "\nanalytics_writer_healthy 1\n"},
             {32, "\nanalytics_writer_healthy 0\n"},
             {-100, "\nanalytics_writer_healthy 1\n"}};

START_TEST(a_silent_writer_is_not_well)
{
    struct metrics *metrics = routes_open_metrics(dir, PROGRAM_QUERY);

    metrics_set(metrics, METRIC_HEALTHY, 0, 1);
    metrics_set(metrics, METRIC_HEARTBEAT, 0, (uint64_t)(clock_wall_ms() / 1000 - signs[_i].age));
    expect_line(ask(metrics), signs[_i].line);
    response_release(&response);
}
END_TEST

START_TEST(nobody_counts)
{
    struct metrics_request request = request_at(0);

    metrics_add(NULL, METRIC_BATCHES, 0, 1);
    metrics_set(NULL, METRIC_QUEUED, 0, 1);
    metrics_observe(NULL, METRIC_COMMIT, 0, 1);
    metrics_fail(NULL, ERR_UNAVAILABLE, 0);
    metrics_request(NULL, &request);
    metrics_close(NULL);
}
END_TEST

static void add_file_tests(TCase *tcase)
{
    tcase_add_test(tcase, one_counts_and_another_reads);
    tcase_add_test(tcase, many_start_at_once);
    tcase_add_test(tcase, threads_lose_nothing);
    tcase_add_loop_test(tcase, a_damaged_file_is_made_anew, 0, ROWS(damages));
    tcase_add_test(tcase, holes_are_filled);
    tcase_add_test(tcase, another_layout_has_another_file);
    tcase_add_test(tcase, other_routes_are_another_layout);
    tcase_add_test(tcase, the_folder_comes_later);
    tcase_add_test(tcase, room_comes_later);
    tcase_add_test(tcase, something_else_has_the_name);
    tcase_add_test(tcase, the_folder_is_read_only);
    tcase_add_test(tcase, the_lock_is_not_waited_for_long);
    tcase_add_test(tcase, cut_short_under_us);
    tcase_add_test(tcase, a_stranger_s_bus_error_still_kills);
}

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = suite_case(suite, "metrics");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    add_file_tests(tcase);
    tcase_add_loop_test(tcase, a_value_has_one_bucket, 0, ROWS(values));
    tcase_add_test(tcase, it_answers_without_a_database);
    tcase_add_test(tcase, it_answers_without_a_folder);
    tcase_add_test(tcase, nobody_counts_nobody_answers);
    tcase_add_loop_test(tcase, a_silent_writer_is_not_well, 0, ROWS(signs));
    tcase_add_test(tcase, nobody_counts);
    return suite_run_together(suite);
}
