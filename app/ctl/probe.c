/* probe.c: one question by FastCGI, and one by HTTP. Knows as much of FastCGI (fastcgi-archives.github.io, version
 * 1) as a request without a body takes, and leaves HTTP and TLS to libcurl. */
#include "ctl/probe.h"

#include "ctl/answer.h"
#include "base/buf.h"
#include "ctl/curl.h"
#include "time/mono.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

#define WAIT_SECONDS 5
#define URL_SECONDS 10L
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
        ssize_t n = mono_us() / 1000000 >= until ? 0 : recv(fd, at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? (mono_us() / 1000000 >= until ? -ETIMEDOUT : -ECONNRESET)
                          : (errno == EAGAIN ? -ETIMEDOUT : -errno);
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* All that the program writes, to the end of its answer. */
static int receive_answer(int fd, struct buf *answer)
{
    static unsigned char content[65536 + 256];
    unsigned char header[HEADER_BYTES] = {0};
    int64_t until = mono_us() / 1000000 + WAIT_SECONDS;
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

/* The plain words in the body. */
static void read_words(const char *body, char ret_words[PROBE_WORDS_BYTES])
{
    struct buf text;
    buf_init(&text, ANSWER_BYTES);
    buf_puts(&text, body);
    struct answer answer;
    answer_read(&text, &answer);
    snprintf(ret_words, PROBE_WORDS_BYTES, "%.*s", PROBE_WORDS_BYTES - 1, answer.words);
    buf_release(&text);
}

/* "Status: 200 OK\r\n…\r\n\r\nbody": the number, and the body's words. */
static int read_answer(struct buf *answer, char ret_words[PROBE_WORDS_BYTES])
{
    const char *text = buf_cstr(answer);
    int64_t status = 0;
    if (!text || strncmp(text, "Status: ", 8) != 0 || !text_to_i64((struct slice){text + 8, 3}, 100, 599, &status))
        return -EPROTO;
    const char *body = strstr(text, "\r\n\r\n");
    read_words(body ? body + 4 : "", ret_words);
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

/* A body that is too long for the buffer is not from our programs, and is ignored. */
static size_t take(char *data, size_t size, size_t count, void *ctx)
{
    buf_put(ctx, data, size * count);
    return size * count;
}

static CURLcode get(CURL *curl, bool trust_anyone, char ret_words[PROBE_WORDS_BYTES])
{
    char error[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, trust_anyone ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, trust_anyone ? 0L : 2L);
    CURLcode code = curl_easy_perform(curl);
    if (code)
        snprintf(ret_words, PROBE_WORDS_BYTES, "%s", *error ? error : curl_easy_strerror(code));
    return code;
}

/* A certificate that this machine does not trust is told, and asked past: it says nothing of what is behind it. */
static int ask_url(CURL *curl, char ret_distrust[PROBE_WORDS_BYTES], char ret_words[PROBE_WORDS_BYTES])
{
    long status = 0;
    CURLcode code = get(curl, false, ret_words);
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        memcpy(ret_distrust, ret_words, PROBE_WORDS_BYTES);
        ret_words[0] = '\0';
        code = get(curl, true, ret_words);
    }
    if (code)
        return 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

int probe_url(const char *url, char ret_distrust[PROBE_WORDS_BYTES], char ret_words[PROBE_WORDS_BYTES])
{
    char whole[2048];
    snprintf(whole, sizeof whole, "%s/analytics/health", url);
    ret_distrust[0] = ret_words[0] = '\0';
    CURL *curl = ctl_curl_open(whole);
    if (!curl) {
        snprintf(ret_words, PROBE_WORDS_BYTES, "out of memory");
        return 0;
    }
    struct buf body;
    buf_init(&body, ANSWER_BYTES);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, URL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    int status = ask_url(curl, ret_distrust, ret_words);
    const char *text = buf_cstr(&body);
    if (status > 0 && text && *text == '{')
        read_words(text, ret_words);
    buf_release(&body);
    curl_easy_cleanup(curl);
    return status;
}

int probe_port(const char *url)
{
    int64_t port = 0;
    char *text = NULL;
    CURLU *parts = curl_url();
    if (parts && !curl_url_set(parts, CURLUPART_URL, url, 0) &&
        !curl_url_get(parts, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT) &&
        !text_to_i64(slice_of(text), 1, UINT16_MAX, &port))
        port = 0;
    curl_free(text);
    curl_url_cleanup(parts);
    return (int)port;
}
