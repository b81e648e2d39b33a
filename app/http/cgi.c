/* cgi.c: CGI variables in, CGI header lines out. Knows which variables the web server sets and which of them say who is
 * asking (never one that begins with HTTP_). Knows no FastCGI and no endpoint. */
#include "http/cgi.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

enum variable {
    CGI_REQUEST_METHOD,
    CGI_DOCUMENT_URI,
    CGI_REQUEST_URI,
    CGI_QUERY_STRING,
    CGI_CONTENT_TYPE,
    CGI_CONTENT_LENGTH,
    CGI_HTTP_CONTENT_ENCODING,
    CGI_HTTP_IDEMPOTENCY_KEY,
    CGI_HTTP_ACCEPT,
    CGI_HTTP_IF_NONE_MATCH,
    CGI_ANALYTICS_ROLE,
    CGI_ANALYTICS_USER_ID,
    CGI_ANALYTICS_CALLER,
    CGI_ANALYTICS_API_KEY,
    VARIABLES
};

static const char *const variable_names[VARIABLES] = {
    [CGI_REQUEST_METHOD] = "REQUEST_METHOD",
    [CGI_DOCUMENT_URI] = "DOCUMENT_URI",
    [CGI_REQUEST_URI] = "REQUEST_URI",
    [CGI_QUERY_STRING] = "QUERY_STRING",
    [CGI_CONTENT_TYPE] = "CONTENT_TYPE",
    [CGI_CONTENT_LENGTH] = "CONTENT_LENGTH",
    [CGI_HTTP_CONTENT_ENCODING] = "HTTP_CONTENT_ENCODING",
    [CGI_HTTP_IDEMPOTENCY_KEY] = "HTTP_IDEMPOTENCY_KEY",
    [CGI_HTTP_ACCEPT] = "HTTP_ACCEPT",
    [CGI_HTTP_IF_NONE_MATCH] = "HTTP_IF_NONE_MATCH",
    [CGI_ANALYTICS_ROLE] = "ANALYTICS_ROLE",
    [CGI_ANALYTICS_USER_ID] = "ANALYTICS_USER_ID",
    [CGI_ANALYTICS_CALLER] = "ANALYTICS_CALLER",
    [CGI_ANALYTICS_API_KEY] = "ANALYTICS_API_KEY",
};

/* Stands for a header field that came more than once: no media type, encoding, number, tag or key looks like this. */
static const char given_twice[] = ", ";

/* The variable that `entry` sets, or VARIABLES; *ret_value is what follows the '='. */
static enum variable find_variable(const char *entry, const char **ret_value)
{
    size_t len = strcspn(entry, "=");
    if (entry[len] == '\0')
        return VARIABLES;
    *ret_value = entry + len + 1;
    for (enum variable v = 0; v < VARIABLES; v++) {
        if (slice_equals((struct slice){entry, len}, variable_names[v]))
            return v;
    }
    return VARIABLES;
}

/* Gathers the variables we know. Returns one that tells the identity and came twice, or VARIABLES. */
static enum variable gather(const char *const *env, const char *values[VARIABLES])
{
    enum variable doubtful = VARIABLES;
    for (; *env; env++) {
        const char *value = NULL;
        enum variable v = find_variable(*env, &value);
        if (v == VARIABLES)
            continue;
        if (values[v] && v >= CGI_ANALYTICS_ROLE)
            doubtful = v;
        values[v] = values[v] ? given_twice : value;
    }
    return doubtful;
}

static enum http_method method_parse(const char *text)
{
    for (enum http_method method = HTTP_GET; method < HTTP_OTHER; method++) {
        if (strcmp(text, http_method_name(method)) == 0)
            return method;
    }
    return HTTP_OTHER;
}

static struct slice path_of(const char *request_uri, const char *document_uri)
{
    if (request_uri[0] == '\0')
        return slice_of(document_uri);
    return (struct slice){request_uri, strcspn(request_uri, "?")};
}

/* "worker", "admin", "user:<id>": whose idempotency keys these are, when the server does not say. */
static void make_caller(struct cgi_room *room, enum role role, int64_t user_id)
{
    if (role == ROLE_USER)
        snprintf(room->caller, sizeof room->caller, "user:%lld", (long long)user_id);
    else
        snprintf(room->caller, sizeof room->caller, "%s", role_name(role));
}

/* A value of the server's as a message shows it. */
static const char *quote(const char *value, char ret_text[TEXT_QUOTE_BYTES])
{
    return *value ? text_quote(slice_of(value), ret_text) : "none";
}

/* The server's configuration is to be mended, so its operator has to learn which variable it is. A key that came along
 * counts no more. */
static void __attribute__((format(printf, 3, 4)))
distrust(struct cgi_room *room, struct request *request, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(room->distrust, sizeof room->distrust, format, args);
    va_end(args);
    request->distrust = room->distrust;
    request->api_key = "";
}

/* Sets role, user_id and caller together, or none of them. */
static void read_identity(const char *values[VARIABLES], struct cgi_room *room, struct request *request)
{
    const char *role_text = values[CGI_ANALYTICS_ROLE], *user_text = values[CGI_ANALYTICS_USER_ID];
    if (!*role_text && !*user_text)
        return;
    char given[TEXT_QUOTE_BYTES];
    enum role role = role_parse(slice_of(role_text));
    if (role == ROLE_NONE || role == ROLE_VIEWER) { /* what a viewer is bound to stands with its key alone */
        distrust(room, request, "ANALYTICS_ROLE must be worker, user or admin, but the web server gives %s",
                 quote(role_text, given));
        return;
    }
    int64_t user_id = 0;
    if (role == ROLE_USER && !text_to_i64(slice_of(user_text), 1, LIMIT_ID, &user_id)) {
        distrust(room, request,
                 "for the role user ANALYTICS_USER_ID must be an integer from 1 to %lld, but the web server gives %s",
                 (long long)LIMIT_ID, quote(user_text, given));
        return;
    }
    struct slice caller = slice_of(values[CGI_ANALYTICS_CALLER]);
    if (caller.len > LIMIT_CALLER_BYTES || text_has_control(caller.data, caller.len)) {
        distrust(room, request,
                 "ANALYTICS_CALLER must have at most %u bytes and no control character, but has %zu bytes: %s",
                 LIMIT_CALLER_BYTES, caller.len, quote(caller.data, given));
        return;
    }
    make_caller(room, role, user_id);
    request->caller = caller.len > 0 ? caller.data : room->caller;
    request->role = role;
    request->user_id = user_id;
}

static int64_t length_parse(const char *text)
{
    int64_t length;
    if (!text_to_i64(slice_of(text), 0, INT64_MAX, &length))
        return -1;
    return length;
}

void cgi_request(const char *const *env, struct cgi_room *room, struct request *ret_request)
{
    const char *values[VARIABLES] = {NULL};
    enum variable doubtful = gather(env, values);
    const char *idempotency_key = values[CGI_HTTP_IDEMPOTENCY_KEY];
    for (enum variable v = 0; v < VARIABLES; v++) {
        if (!values[v])
            values[v] = "";
    }
    *ret_request = (struct request){
        .method = method_parse(values[CGI_REQUEST_METHOD]),
        .route = values[CGI_DOCUMENT_URI],
        .path = path_of(values[CGI_REQUEST_URI], values[CGI_DOCUMENT_URI]),
        .query_string = values[CGI_QUERY_STRING],
        .content_type = values[CGI_CONTENT_TYPE],
        .content_encoding = values[CGI_HTTP_CONTENT_ENCODING],
        .accept = values[CGI_HTTP_ACCEPT],
        .if_none_match = values[CGI_HTTP_IF_NONE_MATCH],
        .idempotency_key = idempotency_key,
        .content_length = length_parse(values[CGI_CONTENT_LENGTH]),
        .role = ROLE_NONE,
        .caller = "",
        .api_key = values[CGI_ANALYTICS_API_KEY],
    };
    if (doubtful != VARIABLES)
        distrust(room, ret_request, "%s must be given once, but the web server gives it more often",
                 variable_names[doubtful]);
    else
        read_identity(values, room, ret_request);
}

void cgi_put_head(const struct response *response, bool is_whole, struct buf *out)
{
    buf_printf(out, "Status: %d %s\r\n", response->status, http_reason(response->status));
    for (size_t i = 0; i < response->header_count; i++) {
        buf_puts(out, response->headers[i].name);
        buf_puts(out, ": ");
        buf_puts(out, response->headers[i].value);
        buf_puts(out, "\r\n");
    }
    if (response->content_type)
        buf_printf(out, "Content-Type: %s\r\n", response->content_type);
    if (response->content_type && is_whole)
        buf_printf(out, "Content-Length: %zu\r\n", response->body.len);
    buf_puts(out, "\r\n");
}
