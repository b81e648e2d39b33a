/* http.c: statements to a ClickHouse server, over its HTTP interface. Knows libcurl, users and time-outs, and how a
 * server says no. Knows no tables. */
#include "store/clickhouse/http.h"

#include "base/text.h"
#include "store/clickhouse/rows.h"
#include "store/clickhouse/servers.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define CONNECT_MS 3000L
#define ANSWER_BYTES ((size_t)256 << 20)
#define KEPT_ANSWER_BYTES ((size_t)1 << 20) /* the memory of a longer one is freed before the next */
#define PASSWORD_BYTES 256
#define HEADER_BYTES (PASSWORD_BYTES + 64)
#define URL_BYTES (64u << 10)
#define SETTINGS_BYTES 128
#define KNOWN_SERVERS (SERVERS_SHARDS * SERVERS_REPLICAS)

/* A server that was asked what it knows. */
struct known_server {
    char url[SERVERS_URL_BYTES];
    char settings[SETTINGS_BYTES]; /* of newer_settings, those that it has: as a part of a URL */
};

struct http_client {
    const struct clickhouse_config *config;
    struct known_server known[KNOWN_SERVERS];
    size_t known_count;
    CURL *curl;
    struct curl_slist *headers;
    struct buf url;
    struct buf answer;
    char complaint[CURL_ERROR_SIZE];
};

/* ---- opening ---- */

static void start_libcurl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* The first line of the file. */
static enum err read_password(const char *path, char ret_password[PASSWORD_BYTES], struct fault *fault)
{
    ret_password[0] = '\0';
    if (path[0] == '\0')
        return OK;
    FILE *file = fopen(path, "re");
    if (!file)
        return fault_set(fault, ERR_UNAVAILABLE, "can't read the password in %s: %s", path, strerror(errno));
    bool read = fgets(ret_password, PASSWORD_BYTES, file) != NULL;
    fclose(file);
    ret_password[strcspn(ret_password, "\r\n")] = '\0';
    if (!read || text_has_control(ret_password, strlen(ret_password)))
        return fault_set(fault, ERR_UNAVAILABLE, "%s must hold a password in its first line", path);
    return OK;
}

static bool add_header(struct http_client *client, const char *name, const char *value)
{
    char header[HEADER_BYTES];
    int len = snprintf(header, sizeof header, "%s: %s", name, value);
    struct curl_slist *longer = len < (int)sizeof header ? curl_slist_append(client->headers, header) : NULL;
    explicit_bzero(header, sizeof header);
    if (longer)
        client->headers = longer;
    return longer != NULL;
}

/* In headers and not in the URL, which servers write into their logs. */
static enum err add_headers(struct http_client *client, enum http_user user, struct fault *fault)
{
    const struct clickhouse_config *config = client->config;
    bool reads = user == HTTP_REPORTS;
    char password[PASSWORD_BYTES];
    enum err err = read_password(reads ? config->reports_password_file : config->password_file, password, fault);
    if (!err && (!add_header(client, "X-ClickHouse-User", reads ? config->reports_user : config->user) ||
                 !add_header(client, "X-ClickHouse-Key", password) || !add_header(client, "Expect", "")))
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    explicit_bzero(password, sizeof password);
    return err;
}

static size_t take_answer(char *data, size_t size, size_t count, void *ctx)
{
    struct buf *answer = ctx;
    buf_put(answer, data, size * count);
    return answer->failed ? 0 : size * count;
}

static void set_options(struct http_client *client)
{
    CURL *curl = client->curl;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &client->answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->complaint);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    if (client->config->ca_file[0])
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->config->ca_file);
}

enum err http_client_open(const struct clickhouse_config *config, enum http_user user, struct http_client **ret_client,
                          struct fault *fault)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_libcurl);
    struct http_client *client = calloc(1, sizeof *client);
    if (!client)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    client->config = config;
    buf_init(&client->url, URL_BYTES);
    buf_init(&client->answer, ANSWER_BYTES);
    client->curl = curl_easy_init();
    enum err err = client->curl ? add_headers(client, user, fault) : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (err) {
        http_client_close(client);
        return err;
    }
    set_options(client);
    *ret_client = client;
    return OK;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    buf_release(&client->url);
    buf_release(&client->answer);
    free(client);
}

/* ---- one statement ---- */

/* An error comes with the status of the answer only if the server has it before it begins to answer. A shard that is
 * away is an error, and no part of an answer; so is one whose replicas all lag by HTTP_LAG_SECONDS or more, as a
 * replica does that comes back. */
#define SETTINGS                                                                                                       \
    "wait_end_of_query=1&output_format_json_quote_64bit_integers=1&insert_deduplicate=1&skip_unavailable_shards=0"     \
    "&max_replica_delay_for_distributed_queries=" HTTP_LAG_SECONDS                                                     \
    "&fallback_to_stale_replicas_for_distributed_queries=0"

/* An INSERT is to be one block, in its table when it is acknowledged, and there once. From version 26.2 on async_insert
 * is on by default, and deduplicate_insert overrides insert_deduplicate. Older ones refuse what they do not know. */
static const struct {
    const char *name, *value;
} newer_settings[] = {{"async_insert", "0"}, {"deduplicate_insert", "enable"}};
#define ASK_NEWER "SELECT name FROM system.settings WHERE name IN ('async_insert', 'deduplicate_insert')" ROWS_FORMAT

static void put_escaped(struct buf *url, CURL *curl, const char *text)
{
    char *escaped = curl_easy_escape(curl, text, 0);
    if (escaped)
        buf_puts(url, escaped);
    else
        url->failed = true;
    curl_free(escaped);
}

/* With a body, the statement goes into the URL. */
static const char *make_url(struct http_client *client, const struct http_statement *statement, const char *settings)
{
    struct buf *url = &client->url;
    buf_clear(url);
    buf_puts(url, statement->url);
    buf_puts(url, "/?" SETTINGS);
    buf_puts(url, settings);
    buf_puts(url, "&database=");
    put_escaped(url, client->curl, statement->database ? statement->database : client->config->database);
    if (statement->body) {
        buf_puts(url, "&query=");
        put_escaped(url, client->curl, statement->sql);
    }
    return buf_cstr(url);
}

/* "Code: 193, e.displayText() = DB::Exception: Wrong password for user analytics, e.what() = …": its number, and where
 * its words begin and end. */
static struct slice parse_complaint(const char *body, int *ret_code)
{
    static const char head[] = "Code: ", mark[] = "DB::Exception: ";
    *ret_code = 0;
    if (strncmp(body, head, sizeof head - 1) == 0) {
        size_t digits = strspn(body + sizeof head - 1, "0123456789");
        int64_t code = 0;
        if (text_to_i64((struct slice){body + sizeof head - 1, digits}, 1, INT32_MAX, &code))
            *ret_code = (int)code;
    }
    const char *words = strstr(body, mark);
    words = words ? words + sizeof mark - 1 : body;
    const char *end = strstr(words, ", e.what()");
    return (struct slice){words, end ? (size_t)(end - words) : strcspn(words, "\r\n")};
}

static enum err refused(const struct http_statement *statement, const char *body, long status,
                        struct http_reply *ret_reply, struct fault *fault)
{
    struct slice words = parse_complaint(body, &ret_reply->code);
    ret_reply->outcome = HTTP_REFUSED;
    return fault_set(fault, ERR_UNAVAILABLE, "ClickHouse at %s refused with status %ld: %.*s", statement->url, status,
                     (int)words.len, words.data);
}

static enum err away(const struct http_client *client, const struct http_statement *statement, CURLcode code,
                     struct http_reply *ret_reply, struct fault *fault)
{
    ret_reply->outcome = HTTP_AWAY;
    ret_reply->timed_out = code == CURLE_OPERATION_TIMEDOUT;
    return fault_set(fault, ret_reply->timed_out ? ERR_QUERY_TIMEOUT : ERR_UNAVAILABLE,
                     "no answer of ClickHouse at %s: %s", statement->url,
                     client->complaint[0] ? client->complaint : curl_easy_strerror(code));
}

static enum err run(struct http_client *client, const struct http_statement *statement, const char *settings,
                    struct http_reply *ret_reply, struct fault *fault)
{
    CURL *curl = client->curl;
    const char *url = make_url(client, statement, settings);
    if (!url)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (client->answer.cap > KEPT_ANSWER_BYTES)
        buf_release(&client->answer);
    buf_clear(&client->answer);
    client->complaint[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, statement->body ? statement->body : statement->sql);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)(statement->body ? statement->body_bytes : strlen(statement->sql)));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     (long)(statement->timeout_ms ? statement->timeout_ms : client->config->timeout_ms));
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    ret_reply->answered = status != 0;
    const char *body = code == CURLE_OK ? buf_cstr(&client->answer) : NULL;
    if (!body)
        return away(client, statement, code, ret_reply, fault);
    if (status != 200)
        return refused(statement, body, status, ret_reply, fault);
    *ret_reply =
        (struct http_reply){.outcome = HTTP_DONE, .answered = true, .body = body, .body_bytes = client->answer.len};
    return OK;
}

/* ---- what a server knows ---- */

static struct known_server *find_known(struct http_client *client, const char *url)
{
    for (size_t i = 0; i < client->known_count; i++)
        if (strcmp(client->known[i].url, url) == 0)
            return &client->known[i];
    return NULL;
}

static enum err take_settings(const struct rows *rows, char ret_settings[SETTINGS_BYTES], struct fault *fault)
{
    enum err err = OK;
    ret_settings[0] = '\0';
    for (size_t row = 0; !err && row < rows->count; row++) {
        const char *name = "";
        err = rows_text(rows, row, 0, &name, fault);
        for (size_t i = 0; !err && i < sizeof newer_settings / sizeof *newer_settings; i++) {
            size_t len = strlen(ret_settings);
            if (strcmp(name, newer_settings[i].name) == 0)
                snprintf(ret_settings + len, SETTINGS_BYTES - len, "&%s=%s", name, newer_settings[i].value);
        }
    }
    return err;
}

/* Asked once, and again after each failure: it may be another version then. */
static enum err learn(struct http_client *client, const struct http_statement *statement, struct http_reply *ret_reply,
                      const char **ret_settings, struct fault *fault)
{
    struct http_statement question = {
        .url = statement->url, .database = "system", .sql = ASK_NEWER, .timeout_ms = statement->timeout_ms};
    struct known_server *known = find_known(client, statement->url);
    struct rows rows;
    if (known) {
        *ret_settings = known->settings;
        return OK;
    }
    enum err err = run(client, &question, "", ret_reply, fault);
    if (!err)
        err = rows_parse(ret_reply->body, ret_reply->body_bytes, 1, &rows, fault);
    if (err)
        return err;
    if (client->known_count == KNOWN_SERVERS)
        client->known_count = 0;
    known = &client->known[client->known_count];
    err = take_settings(&rows, known->settings, fault);
    rows_release(&rows);
    if (err)
        return err;
    snprintf(known->url, sizeof known->url, "%s", statement->url);
    client->known_count++;
    *ret_settings = known->settings;
    return OK;
}

enum err http_run(struct http_client *client, const struct http_statement *statement, struct http_reply *ret_reply,
                  struct fault *fault)
{
    const char *settings = "";
    *ret_reply = (struct http_reply){.outcome = HTTP_AWAY};
    enum err err = learn(client, statement, ret_reply, &settings, fault);
    ret_reply->outcome = HTTP_AWAY; /* the statement itself was not sent yet */
    if (err)
        return err;
    ret_reply->answered = false;
    err = run(client, statement, settings, ret_reply, fault);
    if (ret_reply->outcome == HTTP_AWAY)
        client->known_count = 0;
    return err;
}
