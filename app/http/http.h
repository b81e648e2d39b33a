/* http.h: a request and a response as plain values. Knows no socket, no FastCGI, no endpoint. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limit.h"
#include "format/json_out.h"
#include "keys/role.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OTHER };

/* "GET", "HEAD", "POST", "OTHER". Static. */
const char *http_method_name(enum http_method method);

/* "No Content" for 204, and so on; "Unknown" for a status we never send. Static. */
const char *http_reason(int status);

/* Reads up to `size` bytes of the body: the number read, 0 at its end, -1 when the peer broke off or went silent. */
typedef ptrdiff_t (*http_read_body)(void *ctx, char *ret_data, size_t size);

#define HTTP_KEY_CALLER_BYTES 32 /* "key:" and a 64-bit number */

/* Everything an endpoint may know of a request. Text is borrowed until the response is sent; a member the server did
 * not give is "" (idempotency_key apart: NULL). */
struct request {
    enum http_method method;
    const char *route; /* DOCUMENT_URI: decoded and normalised by the server; what routes are compared with */
    struct slice path; /* REQUEST_URI up to '?': as the client wrote it; for messages only */
    const char *query_string;
    const char *content_type;
    const char *content_encoding;
    const char *accept;
    const char *if_none_match; /* may be NULL too */
    const char *idempotency_key;
    int64_t content_length; /* -1: absent or not a number */
    enum role role;         /* ANALYTICS_ROLE: never from a header; ROLE_NONE unless the identity is whole */
    int64_t user_id;        /* ANALYTICS_USER_ID; 0 without */
    const char *caller;     /* ANALYTICS_CALLER, else made from role and user id */
    const char *distrust;   /* what is wrong with these three, in words; NULL: nothing, or none was given */
    const char *api_key;    /* ANALYTICS_API_KEY: to be looked up where the server gives no role */
    char key_caller[HTTP_KEY_CALLER_BYTES];        /* room for the caller that a key's number makes */
    char key_filters[LIMIT_KEY_FILTERS_BYTES + 1]; /* of ROLE_VIEWER: what all its questions are bound to */
    int64_t now_ms;                                /* when it came, Unix milliseconds */
    http_read_body read_body;
    void *read_ctx;
};

#define HTTP_MAX_HEADERS 8
#define HTTP_MAX_SPANS 6

struct response;

/* Sends head and body as far as they are there; false when the peer is gone. */
typedef bool (*http_send)(void *ctx, const struct response *response);

/* Built whole, then sent: until then, status and all else can still change. A long list is the exception: it is sent in
 * pieces (response_flush). */
struct response {
    int status;
    enum err err; /* what the status stands for, when it is an error */
    struct {
        const char *name;
        char value[192];
    } headers[HTTP_MAX_HEADERS];
    size_t header_count;
    const char *content_type; /* NULL: no body */
    struct buf body;
    char fault_text[sizeof((struct fault){0}.detail)]; /* for the request's log line: why it was refused */
    struct {
        const char *name;
        int64_t us;
    } spans[HTTP_MAX_SPANS]; /* for the log line of a slow request: where the time went */
    size_t span_count;
    http_send send; /* NULL: an answer is held until it is whole */
    void *send_ctx;
    bool begun;  /* some of it is sent: the head, too */
    bool broken; /* it can't be ended well: whoever gets it must see that it is not whole */
};

/* An empty 200. The body may grow to LIMIT_RESPONSE_BYTES. */
void response_init(struct response *response);
void response_release(struct response *response);

/* Adds a header; `value` must be free of control characters (asserted: our own text) and is cut at 191 bytes. */
void response_header(struct response *response, const char *name, const char *value);

/* Sends what is there of the answer and forgets it; the head is settled from then on. False when nobody is there to
 * take it. Does nothing where an answer is held until it is whole. */
bool response_flush(struct response *response);

/* Notes where time went; `name` is static. */
void response_span(struct response *response, const char *name, int64_t microseconds);

/* Turns the response into the error body of docs/api.md, whatever it held: status, message, path, timestamp, and detail
 * when the fault has one. Of an answer that was begun it can only be seen that it is broken. 401 carries
 * WWW-Authenticate, 503 Retry-After. Faults of the server's own (5xx) keep their detail from the client: it goes to the
 * log. */
void response_error(struct response *response, const struct request *request, const struct fault *fault);

/* The same with more members, which `more` writes at the end. */
typedef void (*http_put_members)(struct json_out *out, const void *ctx);
void response_error_with(struct response *response, const struct request *request, const struct fault *fault,
                         http_put_members more, const void *ctx);

#endif
