/* ingest.c: POST /analytics/ingest. Knows which headers a batch may come with, and the way of its body: socket,
 * inflate, parse, queue. The body is never held whole. Knows no socket and no SQL. */
#include "endpoint/endpoints.h"

#include "time/mono.h"
#include "format/gunzip.h"
#include "format/json_logs.h"
#include "base/limit.h"
#include "service/writer.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define PIECE_BYTES (64u << 10)

_Static_assert(STORE_BODY_HASH_BYTES == crypto_generichash_BYTES, "the body hash is BLAKE2b-256");

/* One body on its way in. */
struct upload {
    const struct request *request;
    struct batch batch;
    struct json_logs *reader;
    struct gunzip *gunzip; /* NULL: the body is not compressed */
    bool hashing;          /* there is an idempotency key */
    crypto_generichash_state hash;
    char *piece; /* PIECE_BYTES */
    int64_t received_bytes;
};

/* ---- the headers ---- */

static bool is_json(const char *content_type)
{
    size_t len = strcspn(content_type, ";");
    while (len > 0 && (content_type[len - 1] == ' ' || content_type[len - 1] == '\t'))
        len--;
    return slice_equals_nocase((struct slice){content_type, len}, "application/json");
}

static bool is_gzip(const char *content_encoding)
{
    return slice_equals_nocase(slice_of(content_encoding), "gzip") ||
           slice_equals_nocase(slice_of(content_encoding), "x-gzip"); /* RFC 9110, 8.4.1.3: the same */
}

static bool encoding_supported(const char *content_encoding)
{
    return content_encoding[0] == '\0' || is_gzip(content_encoding) ||
           slice_equals_nocase(slice_of(content_encoding), "identity");
}

/* 1 to 255 visible ASCII characters. */
static bool idempotency_key_valid(const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++) {
        if (key[i] < 0x21 || key[i] > 0x7e)
            return false;
    }
    return len > 0 && len <= LIMIT_IDEMPOTENCY_KEY_BYTES;
}

/* A header's value, as a message quotes it. */
static const char *quote(const char *value, char ret_text[TEXT_QUOTE_BYTES])
{
    return *value ? text_quote(slice_of(value), ret_text) : "missing";
}

static enum err check_headers(const struct request *request, struct fault *fault)
{
    char quoted[TEXT_QUOTE_BYTES];
    if (!is_json(request->content_type))
        return fault_set(fault, ERR_CONTENT_TYPE_UNSUPPORTED, "Content-Type must be application/json, but is %s",
                         quote(request->content_type, quoted));
    if (!encoding_supported(request->content_encoding))
        return fault_set(fault, ERR_CONTENT_ENCODING_UNSUPPORTED,
                         "Content-Encoding must be gzip or identity, but is %s",
                         quote(request->content_encoding, quoted));
    if (request->idempotency_key && !idempotency_key_valid(request->idempotency_key))
        return fault_set_parameter(fault, ERR_PARAMETER_INVALID, "idempotency_key",
                                   "Idempotency-Key must be given once, and be 1 to %u visible ASCII characters",
                                   LIMIT_IDEMPOTENCY_KEY_BYTES);
    if (request->content_length > (int64_t)LIMIT_BODY_BYTES)
        return fault_set(fault, ERR_BODY_TOO_LARGE, "a body must have at most %u bytes, but Content-Length is %lld",
                         LIMIT_BODY_BYTES, (long long)request->content_length);
    return OK;
}

/* ---- the body ---- */

/* Takes decoded bytes. */
static enum err take_json(void *ctx, const char *data, size_t len, struct fault *fault)
{
    struct upload *upload = ctx;
    if (upload->hashing)
        crypto_generichash_update(&upload->hash, (const unsigned char *)data, len);
    return json_logs_feed(upload->reader, data, len, fault);
}

/* Takes bytes as sent. */
static enum err take_sent(struct upload *upload, const char *data, size_t len, struct fault *fault)
{
    upload->received_bytes += (int64_t)len;
    if (upload->received_bytes > (int64_t)LIMIT_BODY_BYTES)
        return fault_set(fault, ERR_BODY_TOO_LARGE, "a body must have at most %u bytes, but this one has more",
                         LIMIT_BODY_BYTES);
    int64_t length = upload->request->content_length;
    if (length >= 0 && upload->received_bytes > length)
        return fault_set(fault, ERR_BODY_INVALID, "the body must have the %lld bytes of Content-Length, but has more",
                         (long long)length);
    if (upload->gunzip)
        return gunzip_feed(upload->gunzip, data, len, fault);
    return take_json(upload, data, len, fault);
}

static enum err finish_body(struct upload *upload, bool broken, struct fault *fault)
{
    /* nginx has the whole body before it hands on the first byte, so this is not the sender's fault: nginx died, or
     * this process was frozen while it read, which libfcgi takes for the end. The sender must try again, not give up.
     */
    if (broken)
        return fault_set(fault, ERR_UNAVAILABLE, "the connection broke at byte %lld of the body",
                         (long long)upload->received_bytes);
    if (upload->received_bytes < upload->request->content_length)
        return fault_set(fault, ERR_BODY_INVALID, "the body must have the %lld bytes of Content-Length, but has %lld",
                         (long long)upload->request->content_length, (long long)upload->received_bytes);
    enum err err = OK;
    if (upload->gunzip)
        err = gunzip_finish(upload->gunzip, fault);
    if (!err)
        err = json_logs_finish(upload->reader, fault);
    return err;
}

static enum err read_body(struct upload *upload, struct fault *fault)
{
    const struct request *request = upload->request;
    ptrdiff_t got = request->read_body(request->read_ctx, upload->piece, PIECE_BYTES);
    while (got > 0) {
        enum err err = take_sent(upload, upload->piece, (size_t)got, fault);
        if (err)
            return err;
        got = request->read_body(request->read_ctx, upload->piece, PIECE_BYTES);
    }
    return finish_body(upload, got < 0, fault);
}

static enum err upload_init(struct upload *upload, const struct request *request, struct batch_budget *budget,
                            struct fault *fault)
{
    upload->request = request;
    upload->hashing = request->idempotency_key != NULL;
    batch_init(&upload->batch, budget);
    crypto_generichash_init(&upload->hash, NULL, 0, STORE_BODY_HASH_BYTES);
    upload->piece = malloc(PIECE_BYTES);
    upload->reader = json_logs_open(&upload->batch);
    bool gzip = is_gzip(request->content_encoding);
    if (gzip)
        upload->gunzip = gunzip_open(LIMIT_BODY_BYTES, take_json, upload);
    if (!upload->piece || !upload->reader || (gzip && !upload->gunzip))
        return fault_set(fault, ERR_UNAVAILABLE, "no memory to read a body");
    return OK;
}

static void upload_release(struct upload *upload)
{
    gunzip_close(upload->gunzip);
    json_logs_close(upload->reader);
    free(upload->piece);
    batch_release(&upload->batch);
}

/* ---- the answer ---- */

static void put_log_fault(struct json_out *out, const struct log_fault *log_fault)
{
    json_out_begin_object(out);
    json_out_name(out, "index");
    json_out_number(out, log_fault->index);
    json_out_name(out, "field");
    json_out_cstr(out, log_fault->field);
    json_out_name(out, "message");
    json_out_cstr(out, log_fault->message);
    json_out_end_object(out);
}

static void put_log_faults(struct json_out *out, const void *ctx)
{
    uint32_t shown = 0;
    uint64_t total = 0;
    const struct log_fault *faults = json_logs_faults(ctx, &shown, &total);
    json_out_name(out, "errors");
    json_out_begin_array(out);
    for (uint32_t i = 0; i < shown; i++)
        put_log_fault(out, &faults[i]);
    json_out_end_array(out);
    json_out_name(out, "error_count");
    json_out_number(out, (int64_t)total);
}

static enum err write_batch(struct writer *writer, struct upload *upload, struct response *response,
                            struct fault *fault)
{
    struct store_item item = {.batch = &upload->batch,
                              .caller = upload->request->caller,
                              .idempotency_key = upload->request->idempotency_key};
    crypto_generichash_final(&upload->hash, item.body_hash, sizeof item.body_hash);
    struct writer_times times = {0};
    enum err err = writer_write(writer, &item, &times);
    response_span(response, "queue_ms", times.queue_us);
    response_span(response, "raw_ms", times.store.raw_us);
    response_span(response, "rollup_ms", times.store.rollup_us);
    response_span(response, "commit_ms", times.store.commit_us);
    *fault = item.fault;
    response->status = 204;
    if (!err && item.replayed)
        response_header(response, "Idempotency-Replayed", "true");
    if (!err && item.already > 0) {
        char already[16];
        snprintf(already, sizeof already, "%u", item.already);
        response_header(response, "Analytics-Import-Already", already);
    }
    return err;
}

static enum err receive(struct service *service, struct upload *upload, struct response *response, struct fault *fault)
{
    enum err err = upload_init(upload, upload->request, service->budget, fault);
    int64_t start_us = mono_us();
    if (!err)
        err = read_body(upload, fault);
    response_span(response, "read_ms", mono_us() - start_us);
    if (!err)
        err = write_batch(service->writer, upload, response, fault);
    return err;
}

enum err ingest_post(struct service *service, const struct request *request, const struct params *params,
                     struct response *response, struct fault *fault)
{
    (void)params;
    enum err err = check_headers(request, fault);
    if (err)
        return err;
    struct upload upload = {.request = request};
    err = receive(service, &upload, response, fault);
    if (err == ERR_LOGS_INVALID) {
        response_error_with(response, request, fault, put_log_faults, upload.reader);
        err = OK;
    }
    upload_release(&upload);
    return err;
}
