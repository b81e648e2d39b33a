/* test_serve.c: the life of ./serve: the files that it makes and their owners, what it refuses, how it ends, and what
 * happens when one of its processes dies. */
#include "support/stack.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ "/analytics/requests?from=2026-03-15&to=2026-03-15&granularity=day"

static const char batch[] = "{\"logs\":[{\"ts\":\"2026-03-15 10:15:00\",\"user_id\":1,\"order_id\":10,"
                            "\"domain\":\"a.example\",\"count\":7}]}";

static void post(const struct stack *stack)
{
    struct reply reply = stack_post(stack, batch, strlen(batch), NULL);
    ck_assert_msg(reply.status == 204, "%ld %s", reply.status, reply.body);
    reply_release(&reply);
}

static void expect_count(const struct stack *stack, const char *count)
{
    json_object *body = stack_get(stack, READ);
    ck_assert_msg(strstr(json_object_to_json_string(body), count) != NULL, "no %s in %s", count,
                  json_object_to_json_string(body));
    json_object_put(body);
}

/* These processes are gone, the port is closed, and no socket is left. */
static void expect_nothing_left(const struct stack *stack, const pid_t *pids)
{
    char path[128];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)stack->port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    pid_t left[STACK_MAX_PROCESSES];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_uint_eq(stack_alive(pids), 0);
    ck_assert_uint_eq(stack_processes(stack, NULL, left), 0);
    ck_assert_int_ne(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    snprintf(path, sizeof path, "%s/data/run/ingest.sock", stack->dir);
    ck_assert_int_ne(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/data/run/query.sock", stack->dir);
    ck_assert_int_ne(access(path, F_OK), 0);
}

/* ---- what it makes ---- */

static const struct {
    const char *path;
    mode_t mode;
} files[] = {
    {"data", S_IFDIR | 0700},
    {"data/keys", S_IFDIR | 0700},
    {"data/keys/admin.key", S_IFREG | 0600},
    {"data/keys/worker.key", S_IFREG | 0600},
    {"data/keys.db", S_IFREG | 0600},
    {"data/analytics.db", S_IFREG | 0600},
    {"data/run", S_IFDIR | 0700},
    {"data/run/ingest.sock", S_IFSOCK | 0660},
    {"data/run/query.sock", S_IFSOCK | 0660},
};

START_TEST(files_are_private)
{
    char path[128];
    struct stat status, data;
    snprintf(path, sizeof path, "%s/%s", shared.dir, files[_i].path);
    ck_assert_msg(lstat(path, &status) == 0, "%s is not there", path);
    ck_assert_msg(status.st_mode == files[_i].mode, "%s has mode %o", path, status.st_mode);
    snprintf(path, sizeof path, "%s/data", shared.dir);
    ck_assert_int_eq(stat(path, &data), 0);
    ck_assert_uint_eq(status.st_uid, data.st_uid);
}
END_TEST

static int check_mode(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)type, (void)ftw;
    ck_assert_msg((status->st_mode & 0007) == 0, "%s is open to everyone: %o", path, status->st_mode);
    return 0;
}

START_TEST(nothing_is_open_to_everyone)
{
    char path[128];
    post(&shared);
    snprintf(path, sizeof path, "%s/data", shared.dir);
    ck_assert_int_eq(nftw(path, check_mode, 16, FTW_PHYS), 0);
}
END_TEST

/* "Uid:\t33\t33\t33\t33" */
static bool has_user(pid_t pid, uid_t user)
{
    char path[64], wanted[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    snprintf(wanted, sizeof wanted, "Uid:\t%u\t%u\t%u\t%u\n", user, user, user, user);
    char *text = stack_file(path, NULL);
    /* The supervisor's shell makes short-lived children: one that has ended by now does not count. */
    bool found = strstr(text, wanted) != NULL || *text == '\0' || strstr(text, "State:\tZ") != NULL;
    free(text);
    return found;
}

START_TEST(all_runs_as_one_unprivileged_user)
{
    char path[128];
    struct stat data;
    pid_t pids[STACK_MAX_PROCESSES];
    snprintf(path, sizeof path, "%s/data", shared.dir);
    ck_assert_int_eq(stat(path, &data), 0);
    ck_assert_uint_ne(data.st_uid, 0);
    if (geteuid() != 0)
        ck_assert_uint_eq(data.st_uid, geteuid());
    ck_assert_uint_gt(stack_processes(&shared, NULL, pids), 6);
    for (pid_t *pid = pids; *pid; pid++)
        ck_assert_msg(has_user(*pid, data.st_uid), "process %d", (int)*pid);
}
END_TEST

/* One ingest, as many query processes as were asked for, a multiwatch for each of the two, and one nginx. */
START_TEST(as_many_processes_as_was_said)
{
    pid_t pids[STACK_MAX_PROCESSES];
    stack_await_processes(&shared, "analytics-ingest", 1, pids);
    stack_await_processes(&shared, "analytics-query", 3, pids);
    stack_await_processes(&shared, "multiwatch", 2, pids);
    stack_await_processes(&shared, "nginx: master", 1, pids);
}
END_TEST

/* ---- a process that dies is replaced ---- */

static long try(bool ingest)
{
    struct reply reply;
    if (ingest)
        reply = stack_post(&shared, batch, strlen(batch), NULL);
    else
        reply = stack_send(&shared, &(struct request_spec){.path = READ, .key = shared.admin_key});
    long status = reply.status;
    ck_assert_msg(status == 200 || status == 204 || status == 503, "%ld %s", status, reply.body);
    reply_release(&reply);
    return status;
}

static void expect_service(void)
{
    int64_t until = stack_now_ms() + HANG_MS;
    for (int ingest = 0; ingest < 2; ingest++)
        while (try(ingest) == 503)
            ck_assert_int_lt(stack_now_ms(), until);
}

static const struct {
    const char *program;
    size_t there, kill;
    int signal;
} deaths[] = {
    {"analytics-ingest", 1, 1, SIGKILL}, {"analytics-ingest", 1, 1, SIGQUIT}, {"analytics-ingest", 1, 1, SIGTERM},
    {"analytics-query", 3, 1, SIGKILL},  {"analytics-query", 3, 3, SIGKILL},  {"analytics-query", 3, 2, SIGABRT},
    {"nginx: worker", 0, 1, SIGKILL},
};

START_TEST(what_dies_comes_again)
{
    pid_t pids[STACK_MAX_PROCESSES], serve = shared.pid;
    size_t count = stack_processes(&shared, deaths[_i].program, pids);
    ck_assert_uint_ge(count, deaths[_i].there);
    for (size_t i = 0; i < deaths[_i].kill; i++)
        ck_assert_int_eq(kill(pids[i], deaths[_i].signal), 0);
    pids[deaths[_i].kill] = 0;
    while (stack_alive(pids))
        stack_nap(5);
    expect_service();
    stack_await_processes(&shared, deaths[_i].program, count, pids);
    ck_assert_int_eq(kill(serve, 0), 0);
}
END_TEST

/* What was answered with 204 is there after the program was killed. */
START_TEST(what_was_stored_outlives_a_kill)
{
    pid_t pids[STACK_MAX_PROCESSES];
    int64_t before = stack_i64(&shared, "SELECT count(*) FROM raw_log");
    for (int i = 0; i < 5; i++) {
        post(&shared);
        stack_processes(&shared, "analytics-ingest", pids);
        kill(pids[0], SIGKILL);
        stack_nap(500); /* multiwatch gives up on a program that ends sooner ten times in a row */
        stack_await_processes(&shared, "analytics-ingest", 1, pids);
    }
    post(&shared);
    ck_assert_int_eq(stack_i64(&shared, "SELECT count(*) FROM raw_log"), before + 6);
}
END_TEST

/* ---- how it ends ---- */

static const struct {
    int signal;
    const char *stopped; /* a program that hangs */
    bool busy;           /* a request is half sent */
} endings[] = {
    {SIGTERM, NULL, false},
    {SIGINT, NULL, false},
    {SIGHUP, NULL, false},
    {SIGTERM, NULL, true},
    {SIGTERM, "analytics-query", false},
    {SIGINT, "analytics-ingest", true},
};

static int send_half_a_batch(const struct stack *stack)
{
    char request[512];
    int len = snprintf(request, sizeof request,
                       "POST /analytics/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "x-api-key: %s\r\nContent-Length: 1000\r\n\r\n{\"logs\":[",
                       stack->worker_key);
    int fd = stack_connect(stack, 1);
    ck_assert_int_eq(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    return fd;
}

/* A second start on the same folder goes on where the first ended. */
START_TEST(a_signal_ends_all_of_it)
{
    struct stack stack = {0};
    pid_t pids[STACK_MAX_PROCESSES], hanging[STACK_MAX_PROCESSES] = {0};
    stack_start(&stack, NULL);
    post(&stack);
    stack_processes(&stack, NULL, pids);
    if (endings[_i].stopped)
        stack_processes(&stack, endings[_i].stopped, hanging);
    stack_freeze(hanging);
    int fd = endings[_i].busy ? send_half_a_batch(&stack) : -1;
    stack_end(&stack, endings[_i].signal); /* in time, and with status 0 */
    expect_nothing_left(&stack, pids);
    close(fd);
    char key[80];
    memcpy(key, stack.admin_key, sizeof key);
    stack_launch(&stack, NULL);
    ck_assert_str_eq(stack.admin_key, key);
    expect_count(&stack, "\"7\"");
    post(&stack);
    expect_count(&stack, "\"14\"");
    stack_stop(&stack);
}
END_TEST

/* A script that starts it in the background makes it ignore SIGINT. */
START_TEST(an_ignored_interrupt_ends_it_too)
{
    struct stack stack = {0};
    signal(SIGINT, SIG_IGN);
    stack_start(&stack, NULL);
    stack_end(&stack, SIGINT);
    stack_remove(&stack);
}
END_TEST

static const struct {
    const char *file; /* the start has come so far that this file is in the data folder; NULL: it has only begun */
    long nap_ms;      /* and then this much further */
    int signal;
} early[] = {
    {NULL, 0, SIGTERM},
    {NULL, 0, SIGHUP},
    {NULL, 40, SIGTERM},
    {NULL, 80, SIGTERM},
    {NULL, 40, SIGINT},
    {NULL, 80, SIGINT},
    {"run/serve.lock", 0, SIGTERM},
    {"run/serve.lock", 0, SIGINT},
    {"analytics.db", 0, SIGTERM},
    {"analytics.db", 0, SIGINT},
    {"run/nginx.conf", 0, SIGTERM},
    {"run/nginx.conf", 2, SIGTERM}, /* in its first moments, nginx ignores SIGQUIT */
    {"run/nginx.conf", 5, SIGTERM},
    {"run/nginx.conf", 10, SIGTERM},
    {"run/nginx.conf", 15, SIGTERM},
    {"run/nginx.conf", 20, SIGINT},
    {"run/nginx.pid", 0, SIGTERM},
    {"run/ingest.sock", 0, SIGTERM},
    {"run/ingest.sock", 10, SIGHUP},
    {"run/query.sock", 0, SIGTERM},
    {"run/query.sock", 50, SIGINT},
    {"run/query.sock", 200, SIGTERM},
};

static void expect_file(const struct stack *stack, const char *name)
{
    char path[128];
    int64_t until = stack_now_ms() + HANG_MS;
    snprintf(path, sizeof path, "%s/%s", stack->dir, name);
    while (access(path, F_OK) != 0) {
        ck_assert_msg(stack_now_ms() < until, "%s does not come", path);
        stack_nap(1);
    }
}

START_TEST(a_signal_while_starting_leaves_nothing)
{
    struct stack stack = {0};
    pid_t pids[STACK_MAX_PROCESSES];
    char file[64];
    int status;
    stack_folder(&stack);
    stack.port = stack_free_port();
    stack_spawn(&stack, NULL);
    snprintf(file, sizeof file, "data/%s", early[_i].file ? early[_i].file : "");
    if (early[_i].file)
        expect_file(&stack, file);
    stack_nap(early[_i].nap_ms);
    kill(stack.pid, early[_i].signal);
    ck_assert(stack_wait(&stack, HANG_SECONDS, &status));
    int64_t until = stack_now_ms() + HANG_MS; /* a short-lived child may just be ending */
    while (stack_processes(&stack, NULL, pids) && stack_now_ms() < until)
        stack_nap(20);
    expect_nothing_left(&stack, pids);
    char *log = stack_log(&stack);
    ck_assert_msg(!strstr(log, "did not stop"), "a part did not hear that it must stop: %s", log);
    free(log);
    stack_launch(&stack, NULL); /* files that are half made are no obstacle */
    stack_stop(&stack);
}
END_TEST

#define DEAF_NPROC "#!/bin/sh\necho 2\nexec >&-\ntouch \"${0%/*}/began\"\nsleep 3\n"

/* A command in $( ) closes its output, but lives on: bash loses a SIGINT that comes while it waits for its end. */
START_TEST(an_interrupt_between_words_is_heard)
{
    struct stack stack = {0};
    char path[4200];
    int status;
    stack_folder(&stack);
    stack.port = stack_free_port();
    snprintf(path, sizeof path, "%s/nproc", stack.dir);
    FILE *file = fopen(path, "w");
    ck_assert(file && fputs(DEAF_NPROC, file) >= 0 && fclose(file) == 0 && chmod(path, 0755) == 0);
    snprintf(path, sizeof path, "%s:%s", stack.dir, getenv("PATH"));
    setenv("PATH", path, 1);
    stack_spawn(&stack, NULL);
    expect_file(&stack, "began");
    kill(stack.pid, SIGINT);
    ck_assert(stack_wait(&stack, HANG_SECONDS, &status));
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 130, "%d", status);
    snprintf(path, sizeof path, "%s/data", stack.dir);
    ck_assert_msg(access(path, F_OK) != 0, "it went on");
    stack_remove(&stack);
}
END_TEST

/* When the supervisor is killed, the kernel signals its children to stop. The next start finds no obstacle. */
START_TEST(a_killed_supervisor_leaves_nothing)
{
    struct stack stack = {0};
    pid_t pids[STACK_MAX_PROCESSES];
    int status;
    stack_start(&stack, NULL);
    post(&stack);
    stack_processes(&stack, NULL, pids);
    kill(stack.pid, SIGKILL);
    ck_assert(stack_wait(&stack, HANG_SECONDS, &status));
    int64_t until = stack_now_ms() + HANG_MS;
    while (stack_alive(pids) && stack_now_ms() < until)
        stack_nap(20);
    ck_assert_uint_eq(stack_alive(pids), 0);
    stack_launch(&stack, NULL);
    expect_count(&stack, "\"7\"");
    stack_stop(&stack);
}
END_TEST

static const char *const watchers[] = {"multiwatch", "nginx: master"};

/* When a process that restarts the programs is killed itself, all of ./serve ends, with a message and a status. */
START_TEST(it_ends_when_a_part_is_gone_for_good)
{
    struct stack stack = {0};
    pid_t pids[STACK_MAX_PROCESSES], victims[STACK_MAX_PROCESSES];
    int status = 0;
    stack_start(&stack, NULL);
    stack_processes(&stack, NULL, pids);
    ck_assert_uint_gt(stack_processes(&stack, watchers[_i % ROWS(watchers)], victims), 0);
    kill(victims[0], SIGKILL); /* at once: also before ./serve begins to wait for it */
    ck_assert(stack_wait(&stack, HANG_SECONDS, &status));
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%d", status);
    int64_t until = stack_now_ms() + HANG_MS;
    while (stack_alive(pids) && stack_now_ms() < until)
        stack_nap(20);
    expect_nothing_left(&stack, pids);
    char *log = stack_log(&stack);
    ck_assert_msg(strstr(log, "serve: ") || strstr(log, " ended"), "%s", log);
    free(log);
    stack_remove(&stack);
}
END_TEST

/* ---- what it refuses: one line, status 1, nothing running, nothing changed ---- */

/* Runs it to its end. Its log is emptied first. */
static void expect_refusal(struct stack *stack, const char *const *arguments, const char *part)
{
    int status = 0;
    pid_t pids[STACK_MAX_PROCESSES];
    ck_assert(truncate(stack->log, 0) == 0 || access(stack->log, F_OK) != 0);
    stack_spawn(stack, arguments);
    bool ended = stack_wait(stack, HANG_SECONDS, &status);
    char *log = stack_log(stack);
    if (!ended)
        kill(stack->pid, SIGTERM);
    ck_assert_msg(ended && WIFEXITED(status) && WEXITSTATUS(status) != 0, "%d: %s", status, log);
    const char *end = strchr(log, '\n');
    ck_assert_msg(end && end[1] == '\0' && strstr(log, part), "expected one line with '%s': %s", part, log);
    ck_assert_uint_eq(stack_processes(stack, NULL, pids), 0);
    free(log);
}

static const struct {
    const char *arguments[4];
    const char *part;
} refused[] = {
    {{"--port", "0", NULL}, "--port"},
    {{"--port", "80", NULL}, "--port"},
    {{"--port", "65536", NULL}, "--port"},
    {{"--port", "8080x", NULL}, "--port"},
    {{"--port", "", NULL}, "--port"},
    {{"--port", "-1", NULL}, "--port"},
    {{"--port", "1e4", NULL}, "--port"},
    {{"--port=99999999999999999999", NULL}, "--port"},
    {{"--port", NULL}, "--port"},
    {{"--query-processes", "0", NULL}, "--query-processes"},
    {{"--query-processes", "many", NULL}, "--query-processes"},
    {{"--rate-reads", "-1", NULL}, "--rate-reads"},
    {{"--rate-ingest", "1;x", NULL}, "--rate-ingest"},
    {{"--auth", "/nonexistent/auth.conf", NULL}, "/nonexistent/auth.conf"},
    {{"--auth", "", NULL}, "read"},
    {{"--build-dir", "/nonexistent/build", NULL}, "/nonexistent/build"},
    {{"--build-dir", "/tmp", NULL}, "/tmp"},
    {{"--nonsense", "1", NULL}, "--nonsense"},
    {{"--nonsense", NULL}, "--nonsense"},
    {{"nonsense", "1", NULL}, "nonsense"},
    {{"--data", "", NULL}, "--data"},
    {{"--data", "/proc/analytics", NULL}, "/proc/analytics"},
    {{"--data", "/proc/analytics/data", NULL}, "/proc/analytics"},
    {{"--data", "/dev/null", NULL}, "/dev/null"},
    {{"--data", "/dev/null/data", NULL}, "/dev/null"},
    {{"--data", "/tmp/a\"b", NULL}, "quote"},
    {{"--data", "/tmp/a'b", NULL}, "quote"},
    {{"--data", "/tmp/a$b", NULL}, "quote"},
    {{"--data", "/tmp/a\nb", NULL}, "control"},
};

START_TEST(bad_options_are_refused)
{
    struct stack stack = {0};
    stack_folder(&stack);
    stack.port = stack_free_port();
    expect_refusal(&stack, refused[_i].arguments, refused[_i].part);
    stack_remove(&stack);
}
END_TEST

static int listen_on(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    return fd;
}

START_TEST(a_port_in_use_is_refused)
{
    struct stack stack = {0};
    char port[16];
    stack_folder(&stack);
    stack.port = stack_free_port();
    snprintf(port, sizeof port, "port %d", stack.port);
    int fd = listen_on(stack.port);
    expect_refusal(&stack, NULL, port);
    close(fd);
    stack_remove(&stack);
}
END_TEST

START_TEST(a_folder_in_use_is_refused)
{
    struct stack second = shared;
    snprintf(second.log, sizeof second.log, "%s/second", shared.dir);
    second.port = stack_free_port();
    int status = 0;
    stack_spawn(&second, NULL);
    ck_assert(stack_wait(&second, HANG_SECONDS, &status));
    char *log = stack_file(second.log, NULL);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%d: %s", status, log);
    ck_assert_msg(strstr(log, "served already") && strchr(log, '\n') && strchr(log, '\n')[1] == '\0', "%s", log);
    free(log);
    ck_assert_int_eq(unlink(second.log), 0);
    ck_assert_int_ne(try(true), 503); /* the first goes on */
}
END_TEST

/* Root may write anywhere: for root, the owner of the folder decides. */
START_TEST(an_unwritable_folder_is_refused)
{
    struct stack stack = {0};
    char path[128];
    stack_folder(&stack);
    stack.port = stack_free_port();
    snprintf(path, sizeof path, "%s/data", stack.dir);
    ck_assert_int_eq(mkdir(path, 0500), 0);
    if (geteuid() == 0) { /* an empty one is given to the service's user */
        snprintf(path, sizeof path, "%s/data/somebody's", stack.dir);
        ck_assert_int_eq(mkdir(path, 0500), 0);
    }
    expect_refusal(&stack, NULL, "/data");
    stack_remove(&stack);
}
END_TEST

/* Root's own, as after mkdir or on a new file system, is given to the service's user. */
START_TEST(an_empty_folder_is_adopted)
{
    struct stack stack = {0};
    char path[128];
    stack_folder(&stack);
    stack.port = stack_free_port();
    snprintf(path, sizeof path, "%s/data", stack.dir);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/data/lost+found", stack.dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    stack_launch(&stack, NULL);
    post(&stack);
    stack_stop(&stack);
}
END_TEST

START_TEST(a_file_in_place_of_the_folder_is_refused)
{
    struct stack stack = {0};
    char path[128];
    stack_folder(&stack);
    stack.port = stack_free_port();
    snprintf(path, sizeof path, "%s/data", stack.dir);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    expect_refusal(&stack, NULL, "/data");
    stack_remove(&stack);
}
END_TEST

/* A Unix socket's path has 107 bytes. */
START_TEST(a_path_too_long_for_a_socket_is_refused)
{
    struct stack stack = {0};
    char path[256];
    stack_folder(&stack);
    stack.port = stack_free_port();
    int len = snprintf(path, sizeof path, "%s/", stack.dir);
    memset(path + len, 'd', 100);
    path[len + 100] = '\0';
    expect_refusal(&stack, (const char *const[]){"--data", path, NULL}, "too long");
    stack_remove(&stack);
}
END_TEST

static void run_sql(const struct stack *stack, const char *name, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/data/%s", stack->dir, name);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static const char *const databases[] = {"analytics.db", "keys.db"};

START_TEST(a_database_of_a_newer_program_is_refused)
{
    struct stack stack = {0};
    stack_start(&stack, NULL);
    post(&stack);
    int version = (int)stack_i64(&stack, "PRAGMA user_version");
    stack_end(&stack, SIGTERM);
    run_sql(&stack, databases[_i], "PRAGMA user_version = 999");
    expect_refusal(&stack, NULL, "999");
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
    if (_i == 0) { /* the database was not changed */
        run_sql(&stack, databases[_i], sql);
        stack_launch(&stack, NULL);
        expect_count(&stack, "\"7\"");
        stack_end(&stack, SIGTERM);
    }
    stack_remove(&stack);
}
END_TEST

START_TEST(a_damaged_database_is_refused)
{
    struct stack stack = {0};
    char path[128];
    stack_start(&stack, NULL);
    post(&stack);
    stack_end(&stack, SIGTERM);
    snprintf(path, sizeof path, "%s/data/%s", stack.dir, databases[_i]);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", file);
    fclose(file);
    strcat(path, "-wal"); /* which may hold good pages */
    unlink(path);
    expect_refusal(&stack, NULL, databases[_i]);
    stack_remove(&stack);
}
END_TEST

/* ---- what it says ---- */

static void expect_said(const struct stack *stack, const char *part)
{
    int64_t until = stack_now_ms() + HANG_MS;
    char *log = stack_log(stack);
    while (!strstr(log, part) && stack_now_ms() < until) {
        stack_nap(20);
        free(log);
        log = stack_log(stack);
    }
    ck_assert_msg(strstr(log, part), "'%s' was not said: %s", part, log);
    free(log);
}

/* ./serve listens on the server's loopback interface, but the browser is on another machine. */
START_TEST(over_ssh_it_shows_the_way)
{
    struct stack stack = {0};
    char tunnel[128];
    setenv("SSH_CONNECTION", "198.51.100.7 50000 192.0.2.1 2222", 1);
    stack_start(&stack, NULL);
    snprintf(tunnel, sizeof tunnel, "ssh -L %d:127.0.0.1:%d -p 2222 ", stack.port, stack.port);
    expect_said(&stack, tunnel);
    expect_said(&stack, "@192.0.2.1\n");
    stack_stop(&stack);
}
END_TEST

/* ---- several ---- */

START_TEST(two_services_at_once)
{
    struct stack other = {0};
    stack_start(&other, (const char *const[]){"--query-processes", "1", NULL});
    post(&other);
    expect_count(&other, "\"7\"");
    ck_assert_str_ne(other.admin_key, shared.admin_key);
    struct reply reply = stack_send(&other, &(struct request_spec){.path = READ, .key = shared.admin_key});
    check_error(&reply, 401, "auth.unauthorized", "/analytics/requests", NULL);
    reply_release(&reply);
    stack_stop(&other);
    ck_assert_int_eq(try(false), 200); /* the end of one does not touch the other */
}
END_TEST

/* Posts the sample and reads it back by the two commands that ./serve prints, as they are printed. */
static void run_shown_commands(const struct stack *stack)
{
    char command[512], path[128];
    expect_said(stack, "Look at it");
    snprintf(command, sizeof command, "grep '^  curl ' '%s' | sed 's/curl/curl -fsS/' | bash >'%s/out' 2>&1",
             stack->log, stack->dir);
    ck_assert_int_eq(system(command), 0);
    snprintf(path, sizeof path, "%s/out", stack->dir);
    char *out = stack_file(path, NULL);
    ck_assert_msg(strstr(out, " 204 ") && strstr(out, "\"data\":[{\"bucket\":"), "%s", out);
    free(out);
}

/* A name that needs quoting in nginx's configuration and in the commands that are shown. */
START_TEST(a_folder_with_spaces_and_more)
{
    struct stack stack = {0};
    char path[128];
    stack_folder(&stack);
    stack.port = stack_free_port();
    snprintf(path, sizeof path, "%s/a b;{c}#d &e|(f)\xc3\xa9", stack.dir);
    stack_spawn(&stack, (const char *const[]){"--data", path, NULL});
    run_shown_commands(&stack);
    stack_end(&stack, SIGTERM);
    stack_remove(&stack);
}
END_TEST

static bool root_may_mount(void)
{
    return geteuid() == 0 && system("unshare --mount true 2>/dev/null") == 0;
}

/* Root's home is closed to the service's user: ./serve copies what that user needs to another place. Seen to fail:
 * tools/supervise.sh was not copied, "install: cannot stat ''". */
START_TEST(root_serves_what_root_alone_may_enter)
{
    struct stack stack = {0};
    char path[128];
    if (!root_may_mount())
        return;
    stack_folder(&stack);
    stack.port = stack_free_port();
    snprintf(path, sizeof path, "%s/closed", stack.dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    strcat(path, "/data");
    stack_spawn(&stack, (const char *const[]){"--data", path, _i ? KEEP_GOING : NULL, NULL});
    run_shown_commands(&stack);
    stack_end(&stack, SIGINT);
    stack_remove(&stack);
}
END_TEST

static void start(void)
{
    stack_start(&shared, (const char *const[]){"--query-processes", "3", NULL});
}

static void stop(void)
{
    stack_stop(&shared);
}

static void add_running(TCase *tcase)
{
    tcase_add_unchecked_fixture(tcase, start, stop);
    tcase_add_loop_test(tcase, files_are_private, 0, ROWS(files));
    tcase_add_test(tcase, nothing_is_open_to_everyone);
    tcase_add_test(tcase, all_runs_as_one_unprivileged_user);
    tcase_add_test(tcase, as_many_processes_as_was_said);
    tcase_add_loop_test(tcase, what_dies_comes_again, 0, ROWS(deaths));
    tcase_add_test(tcase, what_was_stored_outlives_a_kill);
    tcase_add_test(tcase, a_folder_in_use_is_refused);
    tcase_add_test(tcase, over_ssh_it_shows_the_way);
    tcase_add_test(tcase, two_services_at_once);
}

static void add_endings(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_signal_ends_all_of_it, 0, ROWS(endings));
    tcase_add_test(tcase, an_ignored_interrupt_ends_it_too);
    tcase_add_loop_test(tcase, a_signal_while_starting_leaves_nothing, 0, ROWS(early));
    tcase_add_test(tcase, an_interrupt_between_words_is_heard);
    tcase_add_test(tcase, a_killed_supervisor_leaves_nothing);
    tcase_add_loop_test(tcase, it_ends_when_a_part_is_gone_for_good, 0, 3 * ROWS(watchers));
}

static void add_refusals(TCase *tcase)
{
    tcase_add_loop_test(tcase, bad_options_are_refused, 0, ROWS(refused));
    tcase_add_test(tcase, a_port_in_use_is_refused);
    tcase_add_test(tcase, an_unwritable_folder_is_refused);
    tcase_add_test(tcase, an_empty_folder_is_adopted);
    tcase_add_test(tcase, a_file_in_place_of_the_folder_is_refused);
    tcase_add_test(tcase, a_path_too_long_for_a_socket_is_refused);
    tcase_add_loop_test(tcase, a_database_of_a_newer_program_is_refused, 0, ROWS(databases));
    tcase_add_loop_test(tcase, a_damaged_database_is_refused, 0, ROWS(databases));
    tcase_add_test(tcase, a_folder_with_spaces_and_more);
    tcase_add_loop_test(tcase, root_serves_what_root_alone_may_enter, 0, 2);
}

int main(void)
{
    Suite *suite = suite_create("serve");
    add_running(suite_case(suite, "running"));
    add_endings(suite_case(suite, "ending"));
    add_refusals(suite_case(suite, "refusing"));
    return suite_run(suite);
}
