/* stack.h: the whole service as an operator runs it (./serve: nginx, both programs, real sockets and files) on a free
 * port and in a folder of its own, and a client for it. Every failure ends the test. */
#ifndef SUPPORT_STACK_H
#define SUPPORT_STACK_H

#include "support/runner.h"

#include <json-c/json.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stack {
    pid_t pid;
    int port;
    char dir[64];
    char log[80]; /* what ./serve and the programs wrote */
    char admin_key[80];
    char worker_key[80];
};

/* Makes the folder without a start, so that a test can put files there first. */
void stack_folder(struct stack *stack);

/* Starts ./serve with these more arguments (NULL-terminated; NULL for none) and waits until it is healthy. With
 * KEEP_GOING among them, whatever ends starts again. */
#define KEEP_GOING "keep going"
void stack_start(struct stack *stack, const char *const *arguments);

/* SIGTERM; fails unless everything ends with status 0. Removes the folder. */
void stack_stop(struct stack *stack);

/* Stops it in the same way, but keeps the folder, and starts it again on the same data. */
void stack_restart(struct stack *stack, const char *const *arguments);

/* Writes a file for --auth: `before`, then nginx/NAME with text replaced: from, to, …, NULL. */
void stack_auth_file(const struct stack *stack, const char *name, const char *before, const char *const *replace,
                     char ret_path[128]);

/* The parts of these functions: ends ./serve with a signal and keeps the folder; starts it on the folder; removes the
 * folder. */
void stack_end(struct stack *stack, int signal);
void stack_launch(struct stack *stack, const char *const *arguments);
void stack_remove(struct stack *stack);

/* Starts ./serve and does not wait for anything. */
void stack_spawn(struct stack *stack, const char *const *arguments);

/* Waits for the end of ./serve; false when it still runs after `seconds`. */
bool stack_wait(struct stack *stack, int seconds, int *ret_status);

/* The processes of the service: those that name its folder, and their descendants; 0 ends the list. Only those whose
 * program's file name starts with `name`, unless that is NULL. Returns how many. */
#define STACK_MAX_PROCESSES 256
size_t stack_processes(const struct stack *stack, const char *name, pid_t ret_pids[STACK_MAX_PROCESSES]);

/* Waits until there are `count` of them. A service is healthy as soon as one process of each pool answers: the others
 * may be about to start. */
void stack_await_processes(const struct stack *stack, const char *name, size_t count,
                           pid_t ret_pids[STACK_MAX_PROCESSES]);

/* Opens the service's database and locks it for writing until it is closed. */
sqlite3 *stack_lock_database(const struct stack *stack);

/* Takes a program's socket away, as if the program were gone, or puts it back. */
void stack_move_socket(const struct stack *stack, const char *name, bool away);

/* The parent of a process; 0 when it is gone or a zombie. */
pid_t stack_parent(pid_t pid);

/* How many of these (0-terminated) are running. */
size_t stack_alive(const pid_t *pids);

/* SIGSTOP to these (0-terminated), and waits until all their threads stand still: until then one of them may answer. */
void stack_freeze(const pid_t *pids);

/* How long a test waits for what must come: far longer than any machine needs, so that none fails for being slow. */
#define HANG_SECONDS 60
#define HANG_MS (HANG_SECONDS * 1000)

int64_t stack_now_ms(void); /* monotonic */
void stack_nap(long milliseconds);
int stack_free_port(void);

/* A whole file, NUL-terminated, to be freed; "" when it can't be read. */
char *stack_file(const char *path, size_t *ret_len);

/* Runs analyticsctl on the folder; its standard output without the last newline, to be freed. */
char *stack_ctl(const struct stack *stack, const char *arguments);

/* A new key. */
void stack_key(const struct stack *stack, const char *role_arguments, char ret_key[80]);

/* What ./serve and the programs wrote so far, to be freed. */
char *stack_log(const struct stack *stack);

struct request_spec {
    const char *method;         /* NULL: GET */
    const char *path;           /* with the query; sent as it stands */
    const char *key;            /* as x-api-key; NULL: none */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const void *body;           /* NULL: none */
    size_t body_len;
    bool chunked;     /* no Content-Length */
    void *connection; /* a CURL * that keeps its connections between requests; NULL: one for this request */
};

struct reply {
    long status;
    char *headers; /* "name: value\n…", names in lower case */
    char *body;    /* NUL-terminated */
    size_t body_len;
    const char *cut; /* why nothing came, or not the whole answer; else NULL */
    bool reused;     /* the connection had served a request before */
};

struct reply stack_send(const struct stack *stack, const struct request_spec *spec);
void reply_release(struct reply *reply);

/* The value of a header, or NULL. To be freed. */
char *reply_header(const struct reply *reply, const char *name);

/* GET with the admin's key; fails unless it is 200 and JSON. To be put back with json_object_put. */
json_object *stack_get(const struct stack *stack, const char *path);

/* POST to /analytics/ingest with the worker's key and content type application/json; `headers` may be NULL. */
struct reply stack_post(const struct stack *stack, const char *body, size_t len, const char *const *headers);

/* A member that must be there. */
const char *member(json_object *object, const char *name);

/* Checks an error answer: status, message key, the shape of docs/api.md, and `detail_part` within detail (NULL: any).
 */
void check_error(const struct reply *reply, long status, const char *message, const char *path,
                 const char *detail_part);

/* The service's database, read-only; and the first column of the first row of a query of it. */
sqlite3 *stack_database(const struct stack *stack);
int64_t stack_i64(const struct stack *stack, const char *sql);

/* Waits until the hours before this one (Unix time / 3600) are closed, which the service does when it comes to it. Not
 * for an engine that closes none. */
void stack_await_closed(const struct stack *stack, int64_t hour);

/* Sends raw bytes to the port. Returns all that comes back until the server closes or `seconds` pass; to be freed. */
char *stack_raw(const struct stack *stack, const char *bytes, size_t len, int seconds);

/* The same, but ends as soon as a whole answer is there (by its Content-Length; interim 1xx answers are passed over).
 * Status 0 when none came within `seconds`. */
struct reply stack_talk(const struct stack *stack, const char *bytes, size_t len, int seconds);

/* A connection to the port. */
int stack_connect(const struct stack *stack, int seconds);

/* A test case around a service that `setup` starts and `teardown` stops, with 5 minutes for each test. */
struct Suite;
struct TCase;
struct TCase *stack_case(struct Suite *suite, const char *name, void (*setup)(void), void (*teardown)(void));

/* For main(): runs the suite of one test case around one service that all tests share (`shared`). */
extern struct stack shared;
void stack_start_shared(void);
void stack_stop_shared(void);

#endif
