/* post.c: chunks of an import through a running service, one request each. Knows
 * which answers mean "later". A chunk that is sent twice counts once, so whatever is in doubt is sent again. */
#include "ctl/import.h"
#include "ctl/key_file.h"

#include "ctl/answer.h"
#include "ctl/curl.h"
#include "time/mono.h"
#include "format/log_out.h"
#include "base/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define INGEST "/analytics/ingest"
#define ANSWER_BYTES (256u << 10)
#define ANSWER_SECONDS 60L /* longer than the service lets a batch wait */
#define RETRY_SECONDS 300  /* unless --retry-seconds says otherwise */
#define FIRST_WAIT_MS 250
#define MOST_WAIT_MS 15000

struct post {
    CURL *curl;
    char *url;
    struct buf body;
    struct buf answer;
    char api_key[sizeof "x-api-key: " + KEY_FILE_MAX];
    int64_t retry_ms;
    int64_t already; /* of the answer */
};

/* ---- the request ---- */

static void put_body(const struct chunk *chunk, struct buf *body)
{
    const struct batch *batch = &chunk->batch;
    buf_clear(body);
    buf_puts(body, "{\"logs\":[");
    for (uint32_t i = 0; i < batch->log_count; i++) {
        struct log_text log = {.record = &batch->logs[i]};
        for (int name = 0; name < NAME_FIELDS; name++)
            log.name[name] = batch_name(batch, batch->logs[i].name[name]);
        if (i > 0)
            buf_putc(body, ',');
        log_put_json(body, &log);
    }
    buf_puts(body, "]}");
}

/* Keeps what fits: it is only for a message. */
static size_t take_answer(char *data, size_t size, size_t count, void *ctx)
{
    struct post *post = ctx;
    buf_put(&post->answer, data, size * count);
    return size * count;
}

static size_t take_header(char *data, size_t size, size_t count, void *ctx)
{
    static const char name[] = "Analytics-Import-Already: ";
    struct post *post = ctx;
    size_t len = size * count, skip = sizeof name - 1;
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
        len--;
    if (len > skip && strncasecmp(data, name, skip) == 0)
        text_to_i64((struct slice){data + skip, len - skip}, 0, SPOOL_BATCH_LOGS, &post->already);
    return size * count;
}

static int is_stopped(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)ctx, (void)a, (void)b, (void)c, (void)d;
    return ctl_watch_is_stopped(NULL);
}

static struct curl_slist *make_headers(const struct post *post, const struct chunk *chunk)
{
    char key[sizeof "Idempotency-Key: " + IMPORT_BATCH_KEY_BYTES] = "Idempotency-Key: ";
    const char *lines[] = {post->api_key, key, "Content-Type: application/json", "Expect:"};
    struct curl_slist *headers = NULL;
    import_batch_format(&chunk->piece, key + strlen(key));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct curl_slist *more = curl_slist_append(headers, lines[i]);
        if (!more) {
            curl_slist_free_all(headers);
            return NULL;
        }
        headers = more;
    }
    return headers;
}

static CURLcode send_once(struct post *post, const struct chunk *chunk)
{
    struct curl_slist *headers = make_headers(post, chunk);
    if (!headers)
        return CURLE_OUT_OF_MEMORY;
    post->already = 0;
    buf_clear(&post->answer);
    curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, post->body.data);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body.len);
    CURLcode code = curl_easy_perform(post->curl);
    curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return code;
}

/* ---- the answer ---- */

/* May the same request succeed later? */
static bool is_passing(CURLcode code, long status)
{
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
        code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_PARTIAL_FILE)
        return true;
    return code == CURLE_OK && (status == 429 || status == 500 || status == 502 || status == 503 || status == 504);
}

#define STATUS_UNCLEAR 409

static int say_refusal(struct post *post, const struct chunk *chunk, long status)
{
    struct answer answer;
    char words[ANSWER_WORDS_BYTES + 256];
    answer_read(&post->answer, &answer);
    if (status == STATUS_UNCLEAR)
        return ctl_chunk_unclear(chunk, answer.words);
    if (answer.index >= 0 && answer.index < chunk->batch.log_count)
        return ctl_fail("%s: line %lld: %s: %s (%s answered %ld)", chunk->file, (long long)chunk->lines[answer.index],
                        answer.field, answer.words, post->url, status);
    snprintf(words, sizeof words, "%.200s answered %ld: %s", post->url, status, answer.words);
    return ctl_chunk_refused(chunk, words);
}

static int say_failure(struct post *post, const struct chunk *chunk, CURLcode code, long status)
{
    char words[512];
    if (code == CURLE_OK)
        return say_refusal(post, chunk, status);
    snprintf(words, sizeof words, "%.200s: %s", post->url, curl_easy_strerror(code));
    return ctl_chunk_refused(chunk, words);
}

/* Sleeps, unless a signal ends the program. */
static void wait_ms(int64_t ms)
{
    struct progress progress = {.step = "waiting for the service"};
    int64_t until = mono_us() + ms * 1000, now;
    while ((now = mono_us()) < until && !ctl_watch_is_stopped(NULL)) {
        int64_t left_us = until - now < 200000 ? until - now : 200000;
        struct timespec slice = {.tv_nsec = left_us * 1000};
        ctl_watch_progress(NULL, &progress);
        nanosleep(&slice, NULL);
    }
}

/* Twice as long each time; as long as the service asks for, if that is longer. */
static int64_t next_wait_ms(struct post *post, int64_t last_ms)
{
    curl_off_t asked = 0;
    int64_t ms = last_ms == 0 ? FIRST_WAIT_MS : last_ms * 2;
    curl_easy_getinfo(post->curl, CURLINFO_RETRY_AFTER, &asked);
    if (ms > MOST_WAIT_MS)
        ms = MOST_WAIT_MS;
    return asked > 0 && asked < 3600 && asked * 1000 > ms ? (int64_t)asked * 1000 : ms;
}

static int send_chunk(struct post *post, struct chunk *chunk)
{
    int64_t last_us = mono_us() + post->retry_ms * 1000, waited_ms = 0;
    put_body(chunk, &post->body);
    if (post->body.failed)
        return ctl_fail("out of memory");
    for (;;) {
        long status = 0;
        CURLcode code = send_once(post, chunk);
        curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &status);
        if (ctl_watch_is_stopped(NULL))
            return ctl_watch_status();
        if (code == CURLE_OK && status == 204) {
            chunk->already = (uint32_t)post->already;
            return CTL_OK;
        }
        waited_ms = next_wait_ms(post, waited_ms);
        if (!is_passing(code, status) || mono_us() + waited_ms * 1000 > last_us)
            return say_failure(post, chunk, code, status);
        wait_ms(waited_ms);
    }
}

static int put(void *ctx, struct chunk *chunks, size_t count, size_t *ret_stored)
{
    int status = CTL_OK;
    for (*ret_stored = 0; *ret_stored < count; ++*ret_stored) {
        status = send_chunk(ctx, &chunks[*ret_stored]);
        if (status)
            break;
    }
    return status;
}

static int finish(void *ctx)
{
    (void)ctx;
    return CTL_OK;
}

/* ---- start and end ---- */

static void close_post(void *ctx)
{
    struct post *post = ctx;
    if (!post)
        return;
    curl_easy_cleanup(post->curl);
    buf_release(&post->body);
    buf_release(&post->answer);
    free(post->url);
    explicit_bzero(post, sizeof *post);
    free(post);
}

/* The key is nowhere else, and in no message. */
static int read_key(const char *path, struct post *post)
{
    char text[KEY_FILE_MAX + 1];
    int status = key_file_read(path, text);
    if (!status)
        snprintf(post->api_key, sizeof post->api_key, "x-api-key: %s", text);
    explicit_bzero(text, sizeof text);
    return status;
}

static int make_url(const char *base, struct post *post)
{
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    if (strncasecmp(base, "http://", 7) != 0 && strncasecmp(base, "https://", 8) != 0)
        return ctl_must_be("--url", base, "an address that begins with http:// or https://");
    if (base[strcspn(base, "?#")] != '\0')
        return ctl_must_be("--url", base, "the service's address alone, such as http://127.0.0.1:8080");
    return asprintf(&post->url, "%.*s" INGEST, (int)len, base) < 0 ? ctl_fail("out of memory") : CTL_OK;
}

static int read_patience(const char *text, struct post *post)
{
    int64_t seconds = RETRY_SECONDS;
    int status = ctl_parse_integer(text, "--retry-seconds", 0, 1000000, &seconds);
    post->retry_ms = seconds * 1000;
    return status;
}

static int set_up(struct post *post)
{
    post->curl = ctl_curl_open(post->url);
    if (!post->curl)
        return ctl_fail("out of memory");
    CURL *curl = post->curl;
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_SECONDS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, post);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, post);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_stopped);
    return CTL_OK;
}

int ctl_post_open(const struct ctl *ctl, struct import_target *ret_target)
{
    struct post *post = calloc(1, sizeof *post);
    if (!post)
        return ctl_fail("out of memory");
    buf_init(&post->body, LIMIT_BODY_BYTES);
    buf_init(&post->answer, ANSWER_BYTES);
    int status = make_url(ctl->option[CTL_URL], post);
    if (!status)
        status = read_patience(ctl->option[CTL_RETRY_SECONDS], post);
    if (!status)
        status = read_key(ctl->option[CTL_KEY_FILE], post);
    if (!status)
        status = set_up(post);
    if (status) {
        close_post(post);
        return status;
    }
    *ret_target = (struct import_target){.ctx = post, .put = put, .finish = finish, .close = close_post};
    return CTL_OK;
}
