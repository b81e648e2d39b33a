/* fuzz_fcgi.c: a FastCGI connection, byte for byte, into app/http/fcgi.c's own serving code and libfcgi behind it.
 * Whatever the bytes: one connection is at most one request and one answer, which is sound FastCGI; nothing of one
 * request's body becomes another's; the connection is closed. A request that is whole and plain reaches the handler as
 * it was sent.
 *
 * Two kinds of input are kept from libfcgi 2.4.2, because they end it. Four names in one FCGI_GET_VALUES record
 * overwrite its stack, at any place of the stream. And it asks malloc for as many bytes as a name or a value claims to
 * have, and exits when it gets none. (It does not skip the padding of a begin record, and takes the content of a record
 * with id 0 as part of the stream: so defuse() removes the one, and looks at the other.) Whoever can write to the
 * socket is trusted (ARCHITECTURE.md). nginx sends neither of the two, and puts what a client sends into params and
 * body only.
 *
 * Planted to see it fail, and found: keepConnection left at 1, a role other than responder answered, a body
 * that is cut off taken for whole. */
#include "fuzz.h"

#include "http/fcgi.c"

#define MOST_BYTES (32u << 10) /* a socket holds as much without a reader */
#define GET_VALUES 9
#define UNKNOWN_TYPE 11
#define REQUEST_COMPLETE 0 /* the other END records refuse a second request at once, or a role */
#define ANSWER "the answer"

enum record_type { BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7 };

struct record {
    unsigned type;
    unsigned id;
    size_t len;
    size_t padding;
    const unsigned char *content;
};

/* libfcgi 2.4.2 loses 48 bytes with each record of a type that it does not know; nginx sends none. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfcgi.so\n";
}

/* What the handler got. */
static struct {
    unsigned calls;
    bool broken;
    size_t body_len;
    char body[MOST_BYTES];
} seen;

static void handle(void *ctx, const struct request *request, struct response *response)
{
    ptrdiff_t got;
    CHECK(ctx == &seen);
    CHECK(request->route && request->query_string && request->content_type && request->caller);
    seen.calls++;
    while ((got = request->read_body(request->read_ctx, seen.body + seen.body_len, 1 + seen.body_len % 97)) > 0) {
        seen.body_len += (size_t)got;
        CHECK(seen.body_len + 97 < sizeof seen.body);
        if (strcmp(request->query_string, "refuse") == 0) /* an early answer leaves the rest unread */
            break;
    }
    seen.broken = got < 0;
    response->content_type = "text/plain";
    buf_puts(&response->body, ANSWER);
}

/* The record that begins at `at`; false when no whole one begins there. */
static bool next_record(const unsigned char **at, const unsigned char *end, struct record *ret_record)
{
    const unsigned char *head = *at;
    if (end - head < 8 || head[0] != 1)
        return false;
    size_t len = (size_t)head[4] << 8 | head[5];
    if ((size_t)(end - head) < 8 + len + head[6])
        return false;
    *ret_record = (struct record){head[1], (unsigned)head[2] << 8 | head[3], len, head[6], head + 8};
    *at = head + 8 + len + head[6];
    return true;
}

/* Keeps lengths of names and values below 64 KiB: each begins with a bit 7, in four bytes. */
static void shorten_lengths(unsigned char *content, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (content[i] < 0x80)
            continue;
        content[i] = i + 1 < len ? 0x80 : 0x7f;
        if (i + 1 < len)
            content[i + 1] = 0;
    }
}

/* Changes the records that would end libfcgi, and that only a trusted peer can send: see above. */
static void defuse(unsigned char *data, size_t size)
{
    for (size_t at = 0, len; at + 8 <= size; at += 8 + len + data[at + 6]) {
        len = (size_t)data[at + 4] << 8 | data[at + 5];
        if (data[at + 1] == GET_VALUES)
            data[at + 1] = UNKNOWN_TYPE + 1;
        if (data[at + 1] == BEGIN)
            data[at + 6] = 0;
        if (data[at + 1] == PARAMS || (data[at + 2] == 0 && data[at + 3] == 0))
            shorten_lengths(data + at + 8, len < size - at - 8 ? len : size - at - 8);
    }
}

/* Takes the records of one type up to the empty one that ends them; adds up their contents. False when there is another
 * record before, or none. (libfcgi does not skip the padding of the empty one.) */
static bool take_stream(const unsigned char **at, const unsigned char *end, unsigned type, unsigned id,
                        char *ret_content, size_t *ret_len)
{
    const unsigned char *next = *at;
    struct record record;
    *ret_len = 0;
    while (next_record(&next, end, &record) && record.type == type && record.id == id) {
        if (record.len == 0 && record.padding > 0)
            return false;
        *at = next;
        if (record.len == 0)
            return true;
        memcpy(ret_content + *ret_len, record.content, record.len);
        *ret_len += record.len;
    }
    return false;
}

enum kind { OTHER, WHOLE, CUT };

/* A request as nginx sends it: begin, params, body, and nothing else; or the same, cut off before the body's end.
 * Params are sound pairs of short lengths, so that they need no second parser here. */
static enum kind find_request(const unsigned char *data, size_t len, char *ret_body, size_t *ret_body_len)
{
    static char params[MOST_BYTES];
    const unsigned char *at = data, *end = data + len;
    struct record begin;
    size_t params_len, pair = 0;
    if (!next_record(&at, end, &begin) || begin.type != BEGIN || begin.len != 8 || begin.id == 0)
        return OTHER;
    if (begin.content[0] != 0 || begin.content[1] != RESPONDER)
        return OTHER;
    if (!take_stream(&at, end, PARAMS, begin.id, params, &params_len))
        return OTHER;
    while (pair + 2 <= params_len && (unsigned char)params[pair] < 128 && (unsigned char)params[pair + 1] < 128)
        pair += 2u + (unsigned char)params[pair] + (unsigned char)params[pair + 1];
    if (pair != params_len || memmem(params, params_len, "refuse", 6))
        return OTHER;
    if (take_stream(&at, end, STDIN, begin.id, ret_body, ret_body_len))
        return at == end ? WHOLE : OTHER;
    return at == end ? CUT : OTHER;
}

static void check_request(const unsigned char *data, size_t len)
{
    static char body[MOST_BYTES];
    size_t body_len;
    bool other_role = len >= 16 && data[0] == 1 && data[1] == BEGIN && data[9] != RESPONDER;
    CHECK(!other_role || seen.calls == 0);
    enum kind kind = find_request(data, len, body, &body_len);
    if (kind == OTHER)
        return;
    CHECK(seen.calls == 1 && seen.broken == (kind == CUT));
    CHECK(kind == CUT ? seen.body_len <= body_len
                      : seen.body_len == body_len); /* the last piece of a cut one is dropped */
    CHECK(memcmp(seen.body, body, seen.body_len) == 0);
}

/* The answer is sound records. They hold the handler's answer exactly if it was called. */
static void check_answer(const unsigned char *data, size_t len)
{
    static const char head[] = "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n";
    static char text[MOST_BYTES * 4];
    const unsigned char *at = data, *end = data + len;
    struct record record;
    size_t text_len = 0;
    unsigned ends = 0;
    while (next_record(&at, end, &record)) {
        CHECK(ends == 0);
        CHECK(record.type == STDOUT || record.type == STDERR || record.type == END || record.type == UNKNOWN_TYPE);
        ends += record.type == END && record.content[4] == REQUEST_COMPLETE;
        if (record.type != STDOUT)
            continue;
        memcpy(text + text_len, record.content, record.len);
        text_len += record.len;
    }
    CHECK(at == end);
    CHECK(seen.calls == 0 || ends == 1);
    CHECK(seen.calls > 0 || text_len == 0);
    if (seen.calls == 0 || text_len < sizeof head - 1)
        return; /* or a HEAD request */
    CHECK(memcmp(text, head, sizeof head - 1) == 0);
    CHECK(text_len == sizeof head - 1 || strncmp(text + sizeof head - 1, ANSWER, text_len - (sizeof head - 1)) == 0);
}

static size_t read_all(int fd, unsigned char *ret_data, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while (len < size && (got = read(fd, ret_data + len, size - len)) > 0)
        len += (size_t)got;
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char sent[MOST_BYTES / 2], answer[MOST_BYTES * 4];
    struct fcgi fcgi = {.handler = handle, .ctx = &seen};
    int ends[2];
    if (size > sizeof sent || FCGX_Init() != 0)
        return 0;
    (void)signal(SIGPIPE, SIG_IGN);
    memcpy(sent, data, size);
    defuse(sent, size);
    memset(&seen, 0, offsetof(__typeof__(seen), body));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(size == 0 || write(ends[0], sent, size) == (ssize_t)size);
    CHECK(shutdown(ends[0], SHUT_WR) == 0);
    serve_connection(&fcgi, ends[1]);
    CHECK(fcntl(ends[1], F_GETFD) == -1);
    CHECK(seen.calls <= 1);
    size_t answer_len = read_all(ends[0], answer, sizeof answer);
    (void)close(ends[0]);
    check_answer(answer, answer_len);
    check_request(sent, size);
    return 0;
}
