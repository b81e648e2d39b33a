/* stack.c: the whole service as an operator runs it, and a client for it. Knows processes, libcurl and the error shape.
 * Knows no report. */
#include "support/stack.h"
#include "support/engine.h"
#include "support/parts.h"

#include "support/exchanges.h"

#include <ctype.h>
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stack shared;

#define FOLDERS "/tmp/analytics-test."

/* libcheck runs each test in a child of this process. */
static pid_t main_process;
static bool failed; /* a failure that libcheck does not see */

static void __attribute__((constructor)) note_main_process(void)
{
    main_process = getpid();
}

#define MAX_ARGUMENTS 24

int64_t stack_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void stack_nap(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000}, NULL);
}

static bool is_free(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    bool free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return free;
}

/* A port below those that the kernel gives to clients: it could give one away between our check and nginx's bind. */
int stack_free_port(void)
{
    unsigned short random;
    int port = 0;
    do {
        ck_assert_int_eq(getrandom(&random, sizeof random, 0), sizeof random);
        port = 10000 + random % 22000;
    } while (!is_free(port));
    return port;
}

/* ---- files ---- */

char *stack_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    char piece[65536];
    if (!memory)
        abort();
    for (size_t n; file && (n = fread(piece, 1, sizeof piece, file)) > 0;)
        fwrite(piece, 1, n, memory);
    if (file)
        fclose(file);
    fclose(memory);
    if (ret_len)
        *ret_len = len;
    return text;
}

char *stack_log(const struct stack *stack)
{
    return stack_file(stack->log, NULL);
}

static void read_key(const struct stack *stack, const char *name, char ret_key[80])
{
    char path[128];
    snprintf(path, sizeof path, "%s/data/keys/%s.key", stack->dir, name);
    char *text = stack_file(path, NULL);
    text[strcspn(text, "\n")] = '\0';
    ck_assert_msg(strlen(text) == 68, "%s holds no key", path);
    snprintf(ret_key, 80, "%s", text);
    free(text);
}

static void put_replaced(FILE *file, const char *text, const char *const *replace)
{
    while (*text) {
        const char *const *pair = replace;
        while (*pair && strncmp(text, pair[0], strlen(pair[0])) != 0)
            pair += 2;
        fputs(*pair ? pair[1] : (char[]){*text, '\0'}, file);
        text += *pair ? strlen(pair[0]) : 1;
    }
}

void stack_auth_file(const struct stack *stack, const char *name, const char *before, const char *const *replace,
                     char ret_path[128])
{
    char path[4096];
    snprintf(path, sizeof path, "%s/nginx/%s", environment("ANALYTICS_SRCDIR"), name);
    snprintf(ret_path, 128, "%s/auth.conf", stack->dir);
    char *text = stack_file(path, NULL);
    FILE *file = fopen(ret_path, "w");
    ck_assert_msg(*text && file, "%s", path);
    fputs(before, file);
    put_replaced(file, text, replace);
    fclose(file);
    ck_assert_int_eq(chmod(ret_path, 0644), 0);
    free(text);
}

static void kill_all(const struct stack *stack);

/* ---- start and stop ---- */

static void exec_serve(const struct stack *stack, const char *const *arguments)
{
    char serve[4096], supervisor[4096], port[8], data[80];
    const char *argv[MAX_ARGUMENTS] = {serve,    "--no-setup", "--build-dir", environment("ANALYTICS_BUILDDIR"),
                                       "--port", port,         "--data",      data};
    size_t count = 8;
    snprintf(serve, sizeof serve, "%s/serve", environment("ANALYTICS_SRCDIR"));
    snprintf(port, sizeof port, "%d", stack->port);
    snprintf(data, sizeof data, "%s/data", stack->dir);
    snprintf(supervisor, sizeof supervisor, "--supervisor=%s/tests/support/keep_going.sh",
             environment("ANALYTICS_SRCDIR"));
    for (; arguments && *arguments && count < MAX_ARGUMENTS - 1; arguments++)
        argv[count++] = strcmp(*arguments, KEEP_GOING) == 0 ? supervisor : *arguments;
    int log = open(stack->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    setsid();
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(log, 1);
    dup2(log, 2);
    execv(serve, (char *const *)argv);
    _exit(127);
}

static long health(const struct stack *stack)
{
    struct reply reply = stack_send(stack, &(struct request_spec){.path = "/analytics/health"});
    long status = reply.status;
    reply_release(&reply);
    return status;
}

static void wait_until_healthy(struct stack *stack)
{
    int64_t until = stack_now_ms() + HANG_MS;
    while (health(stack) != 200) {
        bool ended = waitpid(stack->pid, NULL, WNOHANG) != 0;
        if (ended || stack_now_ms() > until) {
            char *log = stack_log(stack);
            ck_abort_msg("./serve %s:\n%s", ended ? "ended" : "is not healthy", log);
        }
        stack_nap(50);
    }
}

/* libcheck's own handlers, which end the whole test, must not run in this child, not even before its exec. Ignored
 * signals stay ignored, as for a person who starts ./serve. Not so SIGHUP: the tests may run under nohup, but ./serve
 * must hear it. */
static void forget_handlers(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action;
        sigaction(signals[i], NULL, &action);
        if (action.sa_handler != SIG_IGN || signals[i] == SIGHUP)
            signal(signals[i], SIG_DFL);
    }
}

void stack_spawn(struct stack *stack, const char *const *arguments)
{
    sigset_t all, before;
    engine_choose_database(stack->dir);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    stack->pid = fork();
    if (stack->pid == 0) {
        forget_handlers();
        sigprocmask(SIG_SETMASK, &before, NULL);
        exec_serve(stack, arguments);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    ck_assert_int_ge(stack->pid, 0);
}

void stack_launch(struct stack *stack, const char *const *arguments)
{
    stack->port = stack_free_port();
    stack_spawn(stack, arguments);
    wait_until_healthy(stack);
    read_key(stack, "admin", stack->admin_key);
    read_key(stack, "worker", stack->worker_key);
}

void stack_folder(struct stack *stack)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(stack->dir, sizeof stack->dir, FOLDERS "%d.XXXXXX", (int)main_process);
    ck_assert_ptr_nonnull(mkdtemp(stack->dir));
    ck_assert_int_eq(chmod(stack->dir, 0755), 0);
    snprintf(stack->log, sizeof stack->log, "%s/log", stack->dir);
    engine_choose_database(stack->dir);
}

void stack_start(struct stack *stack, const char *const *arguments)
{
    if (!stack->dir[0])
        stack_folder(stack);
    stack_launch(stack, arguments);
}

bool stack_wait(struct stack *stack, int seconds, int *ret_status)
{
    pid_t ended = 0;
    int64_t until = stack_now_ms() + seconds * 1000;
    while ((ended = waitpid(stack->pid, ret_status, WNOHANG)) == 0 && stack_now_ms() < until)
        stack_nap(20);
    return ended == stack->pid;
}

/* libcheck reports no failure of an unchecked teardown, which runs in the process of all tests. There, we print the
 * failure and set the exit status ourselves. */
static void fail_end(const char *what, const char *log)
{
    if (getpid() != main_process)
        ck_abort_msg("./serve %s:\n%s", what, log);
    fprintf(stderr, "./serve %s:\n%s\n", what, log);
    failed = true;
}

void stack_end(struct stack *stack, int signal)
{
    int status = 0;
    kill(stack->pid, signal);
    bool ended = stack_wait(stack, HANG_SECONDS, &status);
    if (!ended)
        kill_all(stack);
    char *log = stack_log(stack);
    if (!ended)
        fail_end("did not stop", log);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_end("did not stop with status 0", log);
    if (strstr(log, "ERROR: AddressSanitizer") || strstr(log, "runtime error:") || strstr(log, "LeakSanitizer"))
        fail_end("heard a sanitizer", log);
    free(log);
}

void stack_remove(struct stack *stack)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", stack->dir);
    if (system(command) != 0)
        fail_end("left files that can't be removed", stack->dir);
    stack->dir[0] = '\0';
}

void stack_stop(struct stack *stack)
{
    stack_end(stack, SIGTERM);
    stack_remove(stack);
}

void stack_restart(struct stack *stack, const char *const *arguments)
{
    stack_end(stack, SIGTERM);
    stack_launch(stack, arguments);
}

void stack_start_shared(void)
{
    stack_start(&shared, NULL);
}

void stack_stop_shared(void)
{
    stack_stop(&shared);
}

struct TCase *stack_case(struct Suite *suite, const char *name, void (*setup)(void), void (*teardown)(void))
{
    exchanges_begin();
    TCase *tcase = suite_case(suite, name);
    tcase_add_unchecked_fixture(tcase, setup, teardown);
    return tcase;
}

/* ---- processes ---- */

static bool file_has(pid_t pid, const char *file, const char *text)
{
    char path[64];
    size_t len = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    char *content = stack_file(path, &len);
    bool found = memmem(content, len, text, strlen(text)) != NULL;
    free(content);
    return found;
}

/* From a file such as /proc/PID/stat, "PID (name) state ppid …"; 'Z' when it is gone. */
static char read_state(const char *path, int *ret_parent)
{
    char state = 'Z';
    char *content = stack_file(path, NULL);
    const char *after_name = strrchr(content, ')');
    if (!after_name || sscanf(after_name, ") %c %d", &state, ret_parent) != 2)
        state = 'Z';
    free(content);
    return state;
}

pid_t stack_parent(pid_t pid)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return read_state(path, &parent) == 'Z' ? 0 : parent;
}

static bool has_moving_thread(pid_t pid)
{
    char pattern[64];
    glob_t found;
    int parent;
    bool moves = false;
    snprintf(pattern, sizeof pattern, "/proc/%d/task/*/stat", (int)pid);
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++)
        moves |= !strchr("TZ", read_state(found.gl_pathv[i], &parent));
    globfree(&found);
    return moves;
}

void stack_freeze(const pid_t *pids)
{
    for (const pid_t *pid = pids; *pid; pid++)
        ck_assert_int_eq(kill(*pid, SIGSTOP), 0);
    int64_t until = stack_now_ms() + HANG_MS;
    for (const pid_t *pid = pids; *pid; pid++)
        while (has_moving_thread(*pid)) {
            ck_assert_msg(stack_now_ms() < until, "process %d does not stop", (int)*pid);
            stack_nap(5);
        }
}

static bool is_named(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    char *program = stack_file(path, NULL);
    const char *slash = strchr(program, ' ') ? NULL : strrchr(program, '/'); /* "nginx: master process /usr/…" */
    bool named = !strncmp(slash ? slash + 1 : program, name, strlen(name));
    free(program);
    return named;
}

static bool is_among(const pid_t *pids, pid_t pid)
{
    while (*pids && *pids != pid)
        pids++;
    return *pids != 0;
}

/* Goes through all processes once, and adds those of the service. */
static size_t add_processes(const struct stack *stack, pid_t pids[STACK_MAX_PROCESSES], size_t count)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        abort();
    for (struct dirent *entry; (entry = readdir(proc)) && count < STACK_MAX_PROCESSES - 1;) {
        pid_t pid = (pid_t)atoi(entry->d_name), parent = pid > 0 ? stack_parent(pid) : 0;
        if (parent == 0 || is_among(pids, pid))
            continue;
        if (pid == stack->pid || is_among(pids, parent) || file_has(pid, "cmdline", stack->dir) ||
            file_has(pid, "environ", stack->dir))
            pids[count++] = pid;
    }
    closedir(proc);
    return count;
}

size_t stack_processes(const struct stack *stack, const char *name, pid_t ret_pids[STACK_MAX_PROCESSES])
{
    pid_t all[STACK_MAX_PROCESSES] = {0};
    size_t count = 0, before = 1, named = 0;
    while (before != count) { /* until no more descendants are found */
        before = count;
        count = add_processes(stack, all, count);
    }
    for (size_t i = 0; i < count; i++)
        if (!name || is_named(all[i], name))
            ret_pids[named++] = all[i];
    ret_pids[named] = 0;
    return named;
}

void stack_await_processes(const struct stack *stack, const char *name, size_t count,
                           pid_t ret_pids[STACK_MAX_PROCESSES])
{
    int64_t until = stack_now_ms() + HANG_MS;
    size_t there;
    while ((there = stack_processes(stack, name, ret_pids)) != count) {
        ck_assert_msg(stack_now_ms() < until, "%zu processes are %s, and not %zu", there, name, count);
        stack_nap(20);
    }
}

size_t stack_alive(const pid_t *pids)
{
    size_t alive = 0;
    for (; *pids; pids++)
        alive += stack_parent(*pids) != 0;
    return alive;
}

/* Kills again and again, because some processes start others meanwhile. */
static void kill_all(const struct stack *stack)
{
    pid_t pids[STACK_MAX_PROCESSES];
    for (int i = 0; i < 50 && stack_processes(stack, NULL, pids) > 0; i++) {
        for (pid_t *pid = pids; *pid; pid++)
            kill(*pid, SIGKILL);
        stack_nap(10);
    }
}

/* At the end, removes what failed tests have left behind. libcheck is over then: no ck_… from here. */
static void __attribute__((destructor)) clean_up(void)
{
    glob_t found;
    struct stack stack = {0};
    if (getpid() != main_process)
        return;
    snprintf(stack.dir, sizeof stack.dir, FOLDERS "%d.*", (int)main_process);
    if (glob(stack.dir, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            snprintf(stack.dir, sizeof stack.dir, "%s", found.gl_pathv[i]);
            kill_all(&stack);
            stack_remove(&stack);
        }
        globfree(&found);
    }
    fflush(NULL);
    if (failed)
        _exit(EXIT_FAILURE);
}

/* ---- analyticsctl ---- */

char *stack_ctl(const struct stack *stack, const char *arguments)
{
    char command[8192], path[128];
    engine_choose_database(stack->dir);
    snprintf(path, sizeof path, "%s/ctl.out", stack->dir);
    snprintf(command, sizeof command, "'%s/analyticsctl' --data '%s/data' %s >'%s'", environment("ANALYTICS_BUILDDIR"),
             stack->dir, arguments, path);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
    char *text = stack_file(path, NULL);
    unlink(path); /* there may be a key in it */
    size_t len = strlen(text);
    if (len && text[len - 1] == '\n')
        text[len - 1] = '\0';
    return text;
}

void stack_key(const struct stack *stack, const char *role_arguments, char ret_key[80])
{
    char arguments[256];
    snprintf(arguments, sizeof arguments, "key add --name test %s", role_arguments);
    char *text = stack_ctl(stack, arguments);
    const char *last = strrchr(text, '\n');
    last = last ? last + 1 : text;
    ck_assert_uint_eq(strlen(last), 68);
    snprintf(ret_key, 80, "%s", last);
    free(text);
}

/* ---- HTTP ---- */

static size_t to_memory(char *data, size_t size, size_t n, void *file)
{
    return fwrite(data, size, n, file);
}

struct source {
    const char *start, *data;
    size_t left;
};

static size_t from_memory(char *room, size_t size, size_t n, void *ctx)
{
    struct source *source = ctx;
    size_t len = size * n < source->left ? size * n : source->left;
    memcpy(room, source->data, len);
    source->data += len;
    source->left -= len;
    return len;
}

/* For libcurl, which sends a request again if the server has closed an idle connection without reading it. */
static int rewind_memory(void *ctx, curl_off_t offset, int origin)
{
    struct source *source = ctx;
    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_FAIL;
    source->left += (size_t)(source->data - source->start);
    source->data = source->start;
    return CURL_SEEKFUNC_OK;
}

static struct curl_slist *make_headers(const struct request_spec *spec)
{
    char line[512];
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    if (spec->chunked)
        list = curl_slist_append(list, "Transfer-Encoding: chunked");
    if (spec->key) {
        snprintf(line, sizeof line, "x-api-key: %s", spec->key);
        list = curl_slist_append(list, line);
    }
    for (const char *const *header = spec->headers; header && *header; header++)
        list = curl_slist_append(list, *header);
    return list;
}

static void set_body(CURL *curl, const struct request_spec *spec, struct source *source)
{
    *source = (struct source){spec->body, spec->body, spec->body_len};
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, from_memory);
    curl_easy_setopt(curl, CURLOPT_READDATA, source);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind_memory);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, source);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, spec->chunked ? (curl_off_t)-1 : (curl_off_t)spec->body_len);
}

static void lower_names(char *headers)
{
    bool in_name = true;
    for (char *p = headers; *p; p++) {
        if (*p == '\n')
            in_name = true;
        else if (*p == ':')
            in_name = false;
        else if (in_name)
            *p = (char)tolower((unsigned char)*p);
    }
}

struct reply stack_send(const struct stack *stack, const struct request_spec *spec)
{
    struct reply reply = {0};
    size_t headers_len = 0;
    struct source source;
    char url[16384];
    CURL *curl = spec->connection ? spec->connection : curl_easy_init();
    struct curl_slist *list = make_headers(spec);
    FILE *body = open_memstream(&reply.body, &reply.body_len);
    FILE *headers = open_memstream(&reply.headers, &headers_len);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", stack->port, spec->path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 120L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, to_memory);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, to_memory);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, headers);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    if (spec->body)
        set_body(curl, spec, &source);
    if (spec->method && !strcmp(spec->method, "HEAD"))
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (spec->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, spec->method);
    CURLcode code = curl_easy_perform(curl); /* status 0 when there was no answer: the caller compares it */
    long new_connections = 1;
    reply.cut = code == CURLE_OK ? NULL : curl_easy_strerror(code);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &new_connections);
    reply.reused = new_connections == 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
    fclose(body);
    fclose(headers);
    lower_names(reply.headers);
    exchanges_note(spec, &reply);
    if (spec->connection)
        curl_easy_reset(curl); /* keeps its connections */
    else
        curl_easy_cleanup(curl);
    curl_slist_free_all(list);
    return reply;
}

void reply_release(struct reply *reply)
{
    free(reply->headers);
    free(reply->body);
    *reply = (struct reply){0};
}

char *reply_header(const struct reply *reply, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = reply->headers; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : "")
        if (!strncmp(line, name, len) && line[len] == ':')
            return strndup(line + len + 2, strcspn(line + len + 2, "\r\n"));
    return NULL;
}

json_object *stack_get(const struct stack *stack, const char *path)
{
    struct reply reply = stack_send(stack, &(struct request_spec){.path = path, .key = stack->admin_key});
    ck_assert_msg(reply.status == 200, "%s: %ld %s", path, reply.status, reply.body);
    json_object *object = json_tokener_parse(reply.body);
    ck_assert_msg(object != NULL, "%s: not JSON: %s", path, reply.body);
    reply_release(&reply);
    return object;
}

struct reply stack_post(const struct stack *stack, const char *body, size_t len, const char *const *headers)
{
    const char *all[16] = {"Content-Type: application/json"};
    for (size_t i = 1; headers && *headers && i < 15; i++)
        all[i] = *headers++;
    struct request_spec spec = {
        .path = "/analytics/ingest", .key = stack->worker_key, .headers = all, .body = body, .body_len = len};
    return stack_send(stack, &spec);
}

const char *member(json_object *object, const char *name)
{
    json_object *value = NULL;
    ck_assert_msg(json_object_object_get_ex(object, name, &value), "no member %s in %s", name,
                  json_object_to_json_string(object));
    return json_object_get_string(value);
}

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

void check_error(const struct reply *reply, long status, const char *message, const char *path, const char *detail_part)
{
    ck_assert_msg(reply->status == status, "expected %ld %s, got %ld %s", status, message, reply->status, reply->body);
    json_object *body = json_tokener_parse(reply->body);
    ck_assert_msg(body != NULL, "not JSON: %s", reply->body);
    ck_assert_msg(!strcmp(member(body, "message"), message), "expected %s, got %s", message, reply->body);
    ck_assert_str_eq(member(body, "path"), path);
    ck_assert_msg(
        matches(member(body, "timestamp"), "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$"),
        "timestamp: %s", reply->body);
    if (detail_part)
        ck_assert_msg(strstr(member(body, "detail"), detail_part) != NULL, "expected '%s' in %s", detail_part,
                      reply->body);
    char *type = reply_header(reply, "content-type");
    ck_assert_msg(type && !strncmp(type, "application/json", 16), "content type %s", type);
    free(type);
    char *retry = reply_header(reply, "retry-after");
    ck_assert_msg((status == 503 || status == 429) == (retry != NULL), "%ld and Retry-After %s", status, retry);
    free(retry);
    json_object_put(body);
}

/* ---- the database, and raw bytes ---- */

sqlite3 *stack_database(const struct stack *stack)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/data/analytics.db", stack->dir);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    parts_show(db);
    engine_choose_database(stack->dir);
    engine_show(db);
    return db;
}

int64_t stack_i64(const struct stack *stack, const char *sql)
{
    sqlite3 *db = stack_database(stack);
    sqlite3_stmt *statement = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

void stack_await_closed(const struct stack *stack, int64_t hour)
{
    int64_t until = stack_now_ms() + HANG_MS;
    while (stack_i64(stack, "SELECT closed_hour FROM closing") < hour && stack_now_ms() < until)
        stack_nap(20);
    ck_assert_int_ge(stack_i64(stack, "SELECT closed_hour FROM closing"), hour);
}

int stack_connect(const struct stack *stack, int seconds)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)stack->port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct timeval wait = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

char *stack_raw(const struct stack *stack, const char *bytes, size_t len, int seconds)
{
    char piece[4096], *text = NULL;
    size_t text_len = 0;
    int fd = stack_connect(stack, seconds);
    FILE *memory = open_memstream(&text, &text_len);
    ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    for (ssize_t n; (n = recv(fd, piece, sizeof piece, 0)) > 0;)
        fwrite(piece, 1, (size_t)n, memory);
    close(fd);
    fclose(memory);
    return text;
}

/* Reads the answer in `text`; false if it is not whole. */
static bool parse_reply(const char *text, struct reply *reply)
{
    while (!strncmp(text, "HTTP/1.1 1", 10) && strstr(text, "\r\n\r\n"))
        text = strstr(text, "\r\n\r\n") + 4;
    const char *end = strstr(text, "\r\n\r\n");
    if (!end || strncmp(text, "HTTP/1.1 ", 9) != 0)
        return false;
    *reply = (struct reply){.status = strtol(text + 9, NULL, 10), .headers = strndup(text, (size_t)(end - text) + 2)};
    lower_names(reply->headers);
    char *length = reply_header(reply, "content-length");
    reply->body_len = length ? strtoul(length, NULL, 10) : 0;
    free(length);
    bool whole = strlen(end + 4) >= reply->body_len;
    reply->body = strndup(end + 4, reply->body_len);
    if (!whole)
        reply_release(reply);
    return whole;
}

struct reply stack_talk(const struct stack *stack, const char *bytes, size_t len, int seconds)
{
    struct reply reply = {0};
    char text[1 << 18] = ""; /* the metrics of all routes have over 64 KiB */
    size_t got = 0;
    int fd = stack_connect(stack, seconds);
    ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    while (!parse_reply(text, &reply)) {
        ssize_t n = recv(fd, text + got, sizeof text - 1 - got, 0);
        if (n <= 0)
            break;
        got += (size_t)n;
        text[got] = '\0';
    }
    close(fd);
    return reply;
}

sqlite3 *stack_lock_database(const struct stack *stack)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/data/analytics.db", stack->dir);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 60000);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

void stack_move_socket(const struct stack *stack, const char *name, bool away)
{
    char here[128], there[128];
    snprintf(here, sizeof here, "%s/data/run/%s.sock", stack->dir, name);
    snprintf(there, sizeof there, "%s/data/run/%s.gone", stack->dir, name);
    ck_assert_int_eq(away ? rename(here, there) : rename(there, here), 0);
}
