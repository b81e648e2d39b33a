/* probe.c: one question by FastCGI, and one by HTTP. Knows as much of FastCGI (fastcgi-archives.github.io, version
 * 1) as a request without a body takes, and leaves HTTP and TLS to curl(1). */
#include "ctl/probe.h"

#include "base/buf.h"
#include "process/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

#define WAIT_SECONDS 5
#define ANSWER_BYTES (64u << 10)
#define HEADER_BYTES 8

enum record { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

/* ---- the question ---- */

static void put_record(struct buf *out, enum record type, const void *content, size_t len)
{
    const unsigned char header[HEADER_BYTES] = {
        1, (unsigned char)type, 0, 1, (unsigned char)(len >> 8), (unsigned char)len, 0, 0};
    buf_put(out, header, sizeof header);
    buf_put(out, content, len);
}

/* Names and values shorter than 128 bytes. */
static void put_param(struct buf *out, const char *name, const char *value)
{
    buf_putc(out, (char)strlen(name));
    buf_putc(out, (char)strlen(value));
    buf_puts(out, name);
    buf_puts(out, value);
}

static void put_request(struct buf *out)
{
    static const unsigned char responder[8] = {0, 1};
    struct buf params;
    buf_init(&params, 1024);
    put_param(&params, "REQUEST_METHOD", "GET");
    put_param(&params, "DOCUMENT_URI", "/analytics/health");
    put_param(&params, "REQUEST_URI", "/analytics/health");
    put_param(&params, "QUERY_STRING", "");
    put_param(&params, "CONTENT_LENGTH", "");
    put_record(out, BEGIN_REQUEST, responder, sizeof responder);
    put_record(out, PARAMS, params.data, params.len);
    put_record(out, PARAMS, "", 0);
    put_record(out, STDIN, "", 0);
    buf_release(&params);
}

/* ---- the answer ---- */

/* All of it, or minus an error number. */
static int receive(int fd, void *bytes, size_t len, int64_t until)
{
    char *at = bytes;
    while (len > 0) {
        ssize_t n = clock_mono_us() / 1000000 >= until ? 0 : recv(fd, at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? (clock_mono_us() / 1000000 >= until ? -ETIMEDOUT : -ECONNRESET)
                          : (errno == EAGAIN ? -ETIMEDOUT : -errno);
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* What the program writes, to the end of its answer. */
static int receive_answer(int fd, struct buf *answer)
{
    static unsigned char content[65536 + 256];
    unsigned char header[HEADER_BYTES] = {0};
    int64_t until = clock_mono_us() / 1000000 + WAIT_SECONDS;
    int failed = 0;
    while (!failed && header[1] != END_REQUEST) {
        failed = receive(fd, header, sizeof header, until);
        size_t len = (size_t)header[4] << 8 | header[5];
        if (!failed)
            failed = receive(fd, content, len + header[6], until);
        if (!failed && header[1] == STDOUT)
            buf_put(answer, content, len);
    }
    return failed;
}

/* "Status: 200 OK\r\n…\r\n\r\nbody": the number, and the body's beginning. */
static int read_answer(struct buf *answer, char ret_words[PROBE_WORDS_BYTES])
{
    const char *text = buf_cstr(answer);
    int64_t status = 0;
    if (!text || strncmp(text, "Status: ", 8) != 0 || !text_to_i64((struct slice){text + 8, 3}, 100, 599, &status))
        return -EPROTO;
    const char *body = strstr(text, "\r\n\r\n");
    snprintf(ret_words, PROBE_WORDS_BYTES, "%s", body ? body + 4 : "");
    return (int)status;
}

static int ask(int fd, char ret_words[PROBE_WORDS_BYTES])
{
    struct buf request, answer;
    buf_init(&request, 4096);
    buf_init(&answer, ANSWER_BYTES);
    put_request(&request);
    bool sent = !request.failed && send(fd, request.data, request.len, MSG_NOSIGNAL) == (ssize_t)request.len;
    int status = sent ? receive_answer(fd, &answer) : -errno;
    if (status == 0)
        status = read_answer(&answer, ret_words);
    buf_release(&request);
    buf_release(&answer);
    return status;
}

int probe_socket(const char *path, char ret_words[PROBE_WORDS_BYTES])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval wait = {.tv_sec = WAIT_SECONDS};
    ret_words[0] = '\0';
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    int status = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? ask(fd, ret_words) : -errno;
    close(fd);
    return status == -EAGAIN ? -ETIMEDOUT : status;
}

/* ---- by HTTP ---- */

static void run_curl(const char *url, int out)
{
    char whole[2048];
    int null = open("/dev/null", O_RDWR);
    snprintf(whole, sizeof whole, "%s/analytics/health", url);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execlp("curl", "curl", "-q", "-sS", "-o", "/dev/null", "-m", "10", "--proto", "=http,https", "-w",
           "%{stderr}\n%{http_code}", "--url", whole, (char *)NULL);
    _exit(127);
}

/* Everything that comes, as far as there is room. */
static void read_all(int fd, char *text, size_t size)
{
    char rest[512];
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0) {
        bool room = len < size - 1;
        n = room ? read(fd, text + len, size - 1 - len) : read(fd, rest, sizeof rest);
        len += room && n > 0 ? (size_t)n : 0;
    }
    text[len] = '\0';
}

/* What curl says of a failure comes first, then the status in a line of its own: 000 for none. */
static int read_curl(char *text, char ret_words[PROBE_WORDS_BYTES])
{
    int64_t status = 0;
    char *last = strrchr(text, '\n');
    if (last && !text_to_i64(slice_of(last + 1), 100, 599, &status))
        status = 0;
    text[strcspn(text, "\n")] = '\0';
    snprintf(ret_words, PROBE_WORDS_BYTES, "%.*s", PROBE_WORDS_BYTES - 1, text);
    return (int)status;
}

int probe_url(const char *url, char ret_words[PROBE_WORDS_BYTES])
{
    int ends[2], status;
    char text[1024];
    ret_words[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    pid_t child = fork();
    if (child == 0)
        run_curl(url, ends[1]);
    close(ends[1]);
    read_all(ends[0], text, sizeof text);
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return -1;
    return read_curl(text, ret_words);
}
