/* auth_service.c: an operator's own authentication service, played by a child process. Knows as much HTTP as that
 * needs.
 * Knows no report and no key. */
#include "support/auth_service.h"

#include <arpa/inet.h>
#include "support/check.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct auth_seen *auth_seen;

static pid_t service;
static int service_port;

/* Makes a role ("worker", "admin", "user N") into a script for answer_script: what a correct service would answer. */
static const char *script_of(const char *role, bool ingest, char ret_script[128])
{
    int len = (int)strcspn(role, " \r"), user_id = 0;
    bool is_user = sscanf(role, "user %d", &user_id) == 1;
    bool may = !strncmp(role, "admin", 5) || ingest == !strncmp(role, "worker", 6);
    int end = snprintf(ret_script, 128, "%s|X-Analytics-Role: %.*s", may ? "200" : "403 No", len, role);
    if (is_user)
        end += snprintf(ret_script + end, 128 - (size_t)end, "|X-Analytics-User-Id: %d", user_id);
    snprintf(ret_script + end, 128 - (size_t)end, "\r");
    return ret_script;
}

static void answer_script(int fd, const char *script)
{
    char answer[2048], *out = answer;
    if (!strncmp(script, "hangup", 6))
        return;
    if (!strncmp(script, "garbage", 7)) {
        send(fd, "garbage\r\n\r\n", 11, MSG_NOSIGNAL);
        return;
    }
    if (!strncmp(script, "silent", 6)) { /* until nginx hangs up */
        char byte;
        while (recv(fd, &byte, 1, 0) > 0)
            ;
        return;
    }
    if (!strncmp(script, "slow", 4)) {
        stack_nap(300);
        script = "200|X-Analytics-Role: admin\r";
    }
    out += sprintf(out, "HTTP/1.1 ");
    for (; *script && *script != '\r' && out < answer + sizeof answer - 64; script++)
        out += sprintf(out, *script == '|' ? "\r\n" : "%c", *script);
    out += sprintf(out, "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    send(fd, answer, (size_t)(out - answer), MSG_NOSIGNAL);
}

static void answer_one(int fd)
{
    char request[sizeof auth_seen->request] = "", made[128];
    size_t len = 0;
    for (ssize_t n; !strstr(request, "\r\n\r\n") && len < sizeof request - 1; len += (size_t)n)
        if ((n = recv(fd, request + len, sizeof request - 1 - len, 0)) <= 0)
            return;
    const char *script = strstr(request, "\r\nX-Script: ");
    bool by_role = script && !strncmp(script + 12, "role ", 5);
    if (!by_role)
        stack_nap(5); /* time for a body to come after the headers, which there must not be */
    ssize_t more = recv(fd, request + len, sizeof request - 1 - len, MSG_DONTWAIT); /* stays in the buffer */
    memcpy(auth_seen->request, request, sizeof request);
    (void)more;
    auth_seen->count++;
    if (by_role)
        script = script_of(script + 17, strcasestr(request, "\r\nX-Analytics-Need: ingest\r\n") != NULL, made);
    else
        script = script ? script + 12 : "401 Unknown\r";
    answer_script(fd, script);
}

static void serve(int listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            _exit(1);
        answer_one(fd);
        close(fd);
    }
}

void auth_service_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auth_seen = mmap(NULL, sizeof *auth_seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(auth_seen, MAP_FAILED);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 64), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    service_port = ntohs(address.sin_port);
    service = fork();
    ck_assert_int_ge(service, 0);
    if (service == 0)
        serve(listener);
    close(listener);
}

void auth_service_stop(void)
{
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
}

void auth_service_stop_both(void)
{
    stack_stop(&shared);
    auth_service_stop();
}

void auth_service_file(const struct stack *stack, const char *before, char ret_path[128])
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", service_port);
    stack_auth_file(
        stack, "analytics-auth-own.conf.example", before,
        (const char *const[]){"127.0.0.1:9000", address, "proxy_read_timeout 10s", "proxy_read_timeout 1s", NULL},
        ret_path);
}
