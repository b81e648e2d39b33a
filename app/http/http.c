/* http.c: responses. Knows status codes and the one shape of our errors. Knows no socket, no FastCGI, no endpoint. */
#include "http/http.h"

#include "base/limit.h"
#include "time/when.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define RETRY_AFTER_SECONDS "1"

const char *http_method_name(enum http_method method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST", [HTTP_OTHER] = "OTHER"};
    return names[method];
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

void response_init(struct response *response)
{
    *response = (struct response){.status = 200};
    buf_init(&response->body, LIMIT_RESPONSE_BYTES);
}

void response_release(struct response *response)
{
    buf_release(&response->body);
}

void response_header(struct response *response, const char *name, const char *value)
{
    assert(response->header_count < HTTP_MAX_HEADERS);
    assert(!text_has_control(value, strlen(value)));
    response->headers[response->header_count].name = name;
    snprintf(response->headers[response->header_count].value, sizeof response->headers->value, "%s", value);
    response->header_count++;
}

bool response_flush(struct response *response)
{
    if (!response->send || response->body.failed)
        return true;
    bool taken = response->send(response->send_ctx, response);
    response->begun = true;
    buf_clear(&response->body);
    return taken;
}

void response_span(struct response *response, const char *name, int64_t microseconds)
{
    assert(response->span_count < HTTP_MAX_SPANS);
    response->spans[response->span_count].name = name;
    response->spans[response->span_count].us = microseconds;
    response->span_count++;
}

/* Writes the message key, with the parameter where its template has %s. */
static void put_message(struct json_out *out, const struct fault *fault)
{
    const char *key = err_key(fault->err);
    const char *hole = strstr(key, "%s");
    if (!hole) {
        json_out_cstr(out, key);
        return;
    }
    char message[96];
    snprintf(message, sizeof message, "%.*s%s%s", (int)(hole - key), key, fault->parameter, hole + 2);
    json_out_cstr(out, message);
}

/* The detail that the client gets beside the message key, or NULL. */
static const char *public_detail(const struct fault *fault)
{
    if (fault->err == ERR_QUERY_TIMEOUT)
        return "the report took longer than this server allows: ask for a shorter range";
    if (err_status(fault->err) >= 500 || fault->detail[0] == '\0')
        return NULL;
    return fault->detail;
}

static void put_error_body(struct json_out *out, const struct request *request, const struct fault *fault)
{
    char timestamp[WHEN_ISO_BYTES];
    when_format_iso_ms(request->now_ms, timestamp);
    json_out_name(out, "message");
    put_message(out, fault);
    json_out_name(out, "path");
    json_out_text(out, request->path);
    json_out_name(out, "timestamp");
    json_out_cstr(out, timestamp);
    const char *detail = public_detail(fault);
    if (detail) {
        json_out_name(out, "detail");
        json_out_cstr(out, detail);
    }
}

void response_error_with(struct response *response, const struct request *request, const struct fault *fault,
                         http_put_members more, const void *ctx)
{
    response->err = fault->err;
    snprintf(response->fault_text, sizeof response->fault_text, "%s", fault->detail);
    buf_clear(&response->body);
    response->broken = response->begun;
    if (response->begun)
        return;
    response->header_count = 0;
    response->status = err_status(fault->err);
    response->content_type = "application/json";
    response_header(response, "Cache-Control", "no-store");
    if (response->status == 401)
        response_header(response, "WWW-Authenticate", "Bearer realm=\"analytics\""); /* RFC 9110, 15.5.2 */
    if (fault->err == ERR_CONTENT_ENCODING_UNSUPPORTED)
        response_header(response, "Accept-Encoding", "gzip, identity"); /* RFC 9110, 15.5.16 */
    if (response->status == 503)
        response_header(response, "Retry-After", RETRY_AFTER_SECONDS);

    struct json_out out;
    json_out_init(&out, &response->body);
    json_out_begin_object(&out);
    put_error_body(&out, request, fault);
    if (more)
        more(&out, ctx);
    json_out_end_object(&out);
}

void response_error(struct response *response, const struct request *request, const struct fault *fault)
{
    response_error_with(response, request, fault, NULL, NULL);
}
