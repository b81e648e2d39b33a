/* test_metrics.c: GET /analytics/metrics of a running service with a pool of four. The test counts what it sends; the
 * figures must have grown by exactly that, whichever process answered. Prometheus's own promtool accepts the text. And
 * docs/metrics.md, the alerts and the dashboard name the metrics that exist, and no others.
 *
 * Seen to fail, each with a line or two changed:
 *   metrics/file.c: MAP_PRIVATE, or a new file at each start -> figures_are_exact, "analytics_batches_total: expected
 *     10 more, got 0"; restarts_are_counted
 *   writer.c: replays counted as stored -> "analytics_batches_total: expected 10 more, got 13"
 *   writer.c: healthy whatever the store says -> trouble_shows, "analytics_writer_healthy stays 1"
 *   http.c: response->err left out -> "…reason="analytics.idempotency_key_reused"}: expected 2 more, got 0"
 *   access.c: the right for users too -> only_an_admin_sees_it
 *   metrics_text.c: a bucket without those before it -> histograms_are_whole, "a bucket has fallen"
 *   metrics.h: analytics_replays -> promtool, "counter metrics should have "_total" suffix"
 *   alerts.yml: analytics_writer_health -> "monitoring/alerts.yml names analytics_writer_health, which is no metric"
 *   docs/metrics.md: a row less -> "docs/metrics.md has not, or not in its place: …"
 *   grafana-dashboard.json: mim() for min() -> the_dashboard_is_one, by promtool
 *   analytics.conf: the example without its role -> "expected 200, got 401"; without deny -> "expected 403, got 200" */
#include "support/stack.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POOL 4
#define RANGE "?from=2026-03-01&to=2026-03-31"
#define NAMES_MAX 100

static char user_key[80];

/* ---- a scrape ---- */

static char *scrape(void)
{
    struct reply reply =
        stack_send(&shared, &(struct request_spec){.path = "/analytics/metrics", .key = shared.admin_key});
    ck_assert_msg(reply.status == 200, "%ld %s", reply.status, reply.body);
    char *text = strdup(reply.body);
    reply_release(&reply);
    return text;
}

/* The value of a sample, whose name and labels are given as in the text; 0 if the text does not have it. */
static double value(const char *text, const char *sample)
{
    size_t len = strlen(sample);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, sample, len) && line[len] == ' ')
            return strtod(line + len + 1, NULL);
    return 0;
}

static char *scrape_until(const char *sample, double wanted)
{
    int64_t until = stack_now_ms() + HANG_MS;
    char *text = scrape();
    while (value(text, sample) != wanted) {
        ck_assert_msg(stack_now_ms() < until, "%s stays %g", sample, value(text, sample));
        free(text);
        stack_nap(50);
        text = scrape();
    }
    return text;
}

/* The sum over all samples that begin so. */
static double sum_of(const char *text, const char *beginning)
{
    double sum = 0;
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, beginning, strlen(beginning)))
            sum += strtod(strrchr(line, ' ') < line ? line : line + strcspn(line, " ") + 1, NULL);
    return sum;
}

static void expect_value(const char *text, const char *sample, double expected)
{
    ck_assert_msg(value(text, sample) == expected, "%s: expected %g, got %g", sample, expected, value(text, sample));
}

/* ---- what is sent, and what must be counted ---- */

static long post(const char *body, const char *key, const char *type, const char *idempotency_key)
{
    char type_line[64], key_line[64];
    const char *headers[] = {type_line, idempotency_key ? key_line : NULL, NULL};
    snprintf(type_line, sizeof type_line, "Content-Type: %s", type);
    snprintf(key_line, sizeof key_line, "Idempotency-Key: %s", idempotency_key ? idempotency_key : "");
    struct reply reply = stack_send(
        &shared,
        &(struct request_spec){
            .path = "/analytics/ingest", .key = key, .headers = headers, .body = body, .body_len = strlen(body)});
    long status = reply.status;
    reply_release(&reply);
    return status;
}

#define JSON_TYPE "application/json"
#define A_LOG "{\"ts\":\"2026-03-15 10:15:00\",\"user_id\":1,\"order_id\":1,\"domain\":\"a.example\",\"count\":1}"
#define ONE "{\"logs\":[" A_LOG "]}"
#define TWO "{\"logs\":[" A_LOG "," A_LOG "]}"

enum who { WORKER, USER, ADMIN, NOBODY, STRANGER };

static const struct {
    enum who who;
    int times;
    const char *body, *type, *idempotency_key;
    long status;
} posts[] = {
    {WORKER, 7, TWO, JSON_TYPE, NULL, 204},
    {ADMIN, 2, "{\"logs\":[]}", JSON_TYPE, NULL, 204},
    {WORKER, 4, ONE, JSON_TYPE, "again", 204}, /* one batch, three replays */
    {WORKER, 2, TWO, JSON_TYPE, "again", 422},
    {WORKER, 3, "{\"logs\":[", JSON_TYPE, NULL, 400},
    {WORKER, 5, "{\"logs\":[{}]}", JSON_TYPE, NULL, 400},
    {WORKER, 2, ONE, "text/plain", NULL, 415},
    {USER, 2, ONE, JSON_TYPE, NULL, 403},
    {NOBODY, 1, ONE, JSON_TYPE, NULL, 401}, /* nginx asks for the right first, and passes nothing on */
    {STRANGER, 3, ONE, JSON_TYPE, NULL, 401},
};

static const struct {
    enum who who;
    int times;
    const char *method, *path;
    long status;
} reads[] = {
    {ADMIN, 20, "GET", "/analytics/traffic" RANGE, 200},
    {ADMIN, 3, "HEAD", "/analytics/traffic" RANGE, 200},
    {USER, 6, "GET", "/analytics/errors" RANGE, 200},
    {ADMIN, 4, "GET", "/analytics/traffic", 400},
    {ADMIN, 2, "GET", "/analytics/domains" RANGE "&limit=0", 400},
    {ADMIN, 3, "GET", "/analytics/domains?from=2026-01-01&to=2026-06-01", 400},
    {WORKER, 5, "GET", "/analytics/requests" RANGE, 403},
    {STRANGER, 2, "GET", "/analytics/websites" RANGE, 401},
    {ADMIN, 3, "GET", "/analytics/nothing", 404},
    {ADMIN, 2, "DELETE", "/analytics/errors" RANGE, 405},
};

static const struct {
    const char *sample;
    double more;
} expected[] = {
    {"analytics_batches_total", 7 + 2 + 1},
    {"analytics_logs_total", 14 + 1},
    {"analytics_replays_total", 3},
    {"analytics_refusals_total{program=\"ingest\",reason=\"analytics.idempotency_key_reused\"}", 2},
    {"analytics_refusals_total{program=\"ingest\",reason=\"analytics.body_invalid\"}", 3},
    {"analytics_refusals_total{program=\"ingest\",reason=\"analytics.logs_invalid\"}", 5},
    {"analytics_refusals_total{program=\"ingest\",reason=\"analytics.content_type_unsupported\"}", 2},
    {"analytics_refusals_total{program=\"ingest\",reason=\"auth.forbidden\"}", 2},
    {"analytics_refusals_total{program=\"ingest\",reason=\"auth.unauthorized\"}", 4},
    {"analytics_refusals_total{program=\"ingest\",reason=\"analytics.unavailable\"}", 0},
    {"analytics_refusals_total{program=\"query\",reason=\"analytics.parameter_required\"}", 4},
    {"analytics_refusals_total{program=\"query\",reason=\"analytics.parameter_invalid\"}", 2},
    {"analytics_refusals_total{program=\"query\",reason=\"analytics.range_too_long\"}", 3},
    {"analytics_refusals_total{program=\"query\",reason=\"auth.forbidden\"}", 5},
    {"analytics_refusals_total{program=\"query\",reason=\"auth.unauthorized\"}", 2},
    {"analytics_refusals_total{program=\"query\",reason=\"analytics.not_found\"}", 3},
    {"analytics_refusals_total{program=\"query\",reason=\"analytics.method_not_allowed\"}", 2},
    {"analytics_http_requests_total{program=\"ingest\",route=\"/analytics/ingest\",method=\"POST\",code=\"204\"}", 13},
    {"analytics_http_requests_total{program=\"ingest\",route=\"/analytics/ingest\",method=\"POST\",code=\"422\"}", 2},
    {"analytics_http_requests_total{program=\"ingest\",route=\"/analytics/ingest\",method=\"POST\",code=\"400\"}", 8},
    {"analytics_http_requests_total{program=\"ingest\",route=\"/analytics/ingest\",method=\"POST\",code=\"415\"}", 2},
    {"analytics_http_requests_total{program=\"ingest\",route=\"/analytics/ingest\",method=\"POST\",code=\"403\"}", 2},
    {"analytics_http_requests_total{program=\"ingest\",route=\"/analytics/ingest\",method=\"POST\",code=\"401\"}", 3},
    {"analytics_http_requests_total{program=\"ingest\",route=\"/_analytics/auth\",method=\"GET\",code=\"204\"}", 0},
    {"analytics_http_requests_total{program=\"ingest\",route=\"/_analytics/auth\",method=\"GET\",code=\"401\"}", 1},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/traffic\",method=\"GET\",code=\"200\"}", 20},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/traffic\",method=\"HEAD\",code=\"200\"}", 3},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/traffic\",method=\"GET\",code=\"400\"}", 4},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/errors\",method=\"GET\",code=\"200\"}", 6},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/errors\",method=\"OTHER\",code=\"405\"}", 2},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/domains\",method=\"GET\",code=\"400\"}", 5},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/requests\",method=\"GET\",code=\"403\"}", 5},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/websites\",method=\"GET\",code=\"401\"}", 2},
    {"analytics_http_requests_total{program=\"query\",route=\"other\",method=\"GET\",code=\"404\"}", 3},
    {"analytics_http_requests_total{program=\"query\",route=\"/analytics/metrics\",method=\"GET\",code=\"200\"}", 1},
    {"analytics_http_request_duration_seconds_count{program=\"ingest\",route=\"/analytics/ingest\"}", 30},
    {"analytics_http_request_duration_seconds_count{program=\"ingest\",route=\"/_analytics/auth\"}", 1},
    {"analytics_http_request_duration_seconds_count{program=\"query\",route=\"/analytics/traffic\"}", 27},
    {"analytics_http_request_duration_seconds_count{program=\"query\",route=\"other\"}", 3},
    {"analytics_queue_wait_seconds_count", 13 + 2},
    {"analytics_group_batches_sum", 13 + 2},
    {"analytics_group_logs_sum", 15},
    {"analytics_failed_groups_total", 0},
    {"analytics_failed_upkeep_total", 0},
    {"analytics_process_starts_total{program=\"ingest\"}", 0},
    {"analytics_process_starts_total{program=\"query\"}", 0},
};

static const char *key_of(enum who who)
{
    static const char wrong[] = "fnp_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const char *const keys[] = {[WORKER] = shared.worker_key,
                                [USER] = user_key,
                                [ADMIN] = shared.admin_key,
                                [NOBODY] = NULL,
                                [STRANGER] = wrong};
    return keys[who];
}

static void send_posts(void)
{
    for (int i = 0; i < ROWS(posts); i++)
        for (int k = 0; k < posts[i].times; k++) {
            long status = post(posts[i].body, key_of(posts[i].who), posts[i].type, posts[i].idempotency_key);
            ck_assert_msg(status == posts[i].status, "post %d: expected %ld, got %ld", i, posts[i].status, status);
        }
}

static void send_reads(int first, int step)
{
    for (int i = 0; i < ROWS(reads); i++)
        for (int k = first; k < reads[i].times; k += step) {
            struct reply reply = stack_send(
                &shared,
                &(struct request_spec){.method = reads[i].method, .path = reads[i].path, .key = key_of(reads[i].who)});
            ck_assert_msg(reply.status == reads[i].status, "read %d: expected %ld, got %ld", i, reads[i].status,
                          reply.status);
            reply_release(&reply);
        }
}

/* Sends all at once, so that every process of the pool gets some. */
static void send_all(void)
{
    pid_t pids[POOL];
    for (int i = 0; i < POOL; i++)
        if ((pids[i] = fork()) == 0) {
            send_reads(i, POOL);
            _exit(0);
        }
    send_posts();
    for (int i = 0; i < POOL; i++) {
        int status = -1;
        waitpid(pids[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
}

/* No counter, no bucket and no sum of a histogram has fallen. */
static void expect_monotone(const char *before, const char *after)
{
    int compared = 0;
    for (const char *line = before; line && *line; line = strchr(line, '\n') + 1) {
        char sample[256];
        size_t len = strcspn(line, "{ \n");
        bool grows = memmem(line, len, "_total", 6) || memmem(line, len, "_bucket", 7) ||
                     memmem(line, len, "_sum", 4) || memmem(line, len, "_count", 6);
        if (*line == '#' || !grows)
            continue;
        snprintf(sample, sizeof sample, "%.*s", (int)strcspn(line, " "), line);
        ck_assert_msg(value(after, sample) >= value(before, sample), "%s has fallen from %g to %g", sample,
                      value(before, sample), value(after, sample));
        compared++;
    }
    ck_assert_int_gt(compared, 200);
}

START_TEST(figures_are_exact)
{
    time_t at = time(NULL);
    char *before = scrape();
    send_all();
    char *after = scrape();
    for (int i = 0; i < ROWS(expected); i++) {
        double more = value(after, expected[i].sample) - value(before, expected[i].sample);
        ck_assert_msg(more == expected[i].more, "%s: expected %g more, got %g", expected[i].sample, expected[i].more,
                      more);
    }
    double total = sum_of(after, "analytics_refusals_total") - sum_of(before, "analytics_refusals_total");
    ck_assert_msg(total == 2 + 3 + 5 + 2 + 2 + 4 + 4 + 2 + 3 + 5 + 2 + 3 + 2, "%g refusals", total);
    ck_assert(value(after, "analytics_last_batch_timestamp_seconds") >= (double)at);
    ck_assert(value(after, "analytics_last_batch_timestamp_seconds") <= (double)time(NULL));
    expect_monotone(before, after);
    free(before);
    free(after);
}
END_TEST

/* ---- the text ---- */

struct named {
    char name[80], type[16], labels[80]; /* labels: as docs/metrics.md has them */
};

static struct named metrics[NAMES_MAX];
static int metric_count;

/* The names of the labels of a metric's first sample, but for le. */
static void find_labels(const char *text, struct named *metric)
{
    char beginning[96];
    metric->labels[0] = '\0';
    snprintf(beginning, sizeof beginning, "\n%s%s{", metric->name, !strcmp(metric->type, "histogram") ? "_bucket" : "");
    const char *at = strstr(text, beginning);
    for (at = at ? at + strlen(beginning) : NULL; at && *at != '}';) {
        size_t len = strcspn(at, "=");
        if (strncmp(at, "le=", 3) != 0)
            sprintf(metric->labels + strlen(metric->labels), "%s`%.*s`", *metric->labels ? ", " : "", (int)len, at);
        at = strchr(at + len + 2, '"') + 1;
        at += *at == ',';
    }
    if (*metric->labels)
        strcat(metric->labels, " ");
}

static void list_metrics(const char *text)
{
    metric_count = 0;
    for (const char *at = text; (at = strstr(at, "# TYPE ")); at++, metric_count++) {
        struct named *metric = &metrics[metric_count];
        ck_assert_int_lt(metric_count, NAMES_MAX);
        ck_assert_int_eq(sscanf(at, "# TYPE %79s %15s", metric->name, metric->type), 2);
        find_labels(text, metric);
    }
    ck_assert_int_ge(metric_count, 20);
}

/* Buckets never fall, and the last is the count. Returns how many series there were. */
static int check_histogram(const char *text, const char *name)
{
    char bucket[96];
    int series = 0;
    double last = 0;
    snprintf(bucket, sizeof bucket, "%s_bucket{", name);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, bucket, strlen(bucket)) != 0)
            continue;
        double now = strtod(strchr(line, ' ') + 1, NULL);
        ck_assert_msg(now >= last, "a bucket has fallen: %.*s", (int)strcspn(line, "\n"), line);
        last = now;
        if (!memmem(line, strcspn(line, "\n"), "le=\"+Inf\"", 9))
            continue;
        char sample[256], labels[160];
        size_t len = strcspn(line, "}") - strlen(bucket) - strlen("le=\"+Inf\"");
        snprintf(labels, sizeof labels, "%.*s", (int)(len ? len - 1 : 0), line + strlen(bucket));
        snprintf(sample, sizeof sample, *labels ? "%s_count{%s}" : "%s_count", name, labels);
        expect_value(text, sample, now);
        series++;
        last = 0;
    }
    return series;
}

/* The histogram of every route counts its requests. Neither has the request of this scrape. */
static void check_requests(const char *text)
{
    double all = 0;
    const char *count = "analytics_http_request_duration_seconds_count{";
    for (const char *line = text; (line = strstr(line, count)); line++) {
        char requests[200];
        size_t len = strcspn(line + strlen(count), "}");
        snprintf(requests, sizeof requests, "analytics_http_requests_total{%.*s,", (int)len, line + strlen(count));
        double counted = strtod(strchr(line, ' ') + 1, NULL);
        ck_assert_msg(counted == sum_of(text, requests), "%s: %g requests, %g times", requests, sum_of(text, requests),
                      counted);
        all += counted;
    }
    ck_assert(all > 80);
    ck_assert(all == sum_of(text, "analytics_http_requests_total{"));
}

START_TEST(histograms_are_whole)
{
    char *text = scrape();
    int histograms = 0;
    list_metrics(text);
    for (int i = 0; i < metric_count; i++)
        if (!strcmp(metrics[i].type, "histogram")) {
            ck_assert_int_ge(check_histogram(text, metrics[i].name), 1);
            histograms++;
        }
    ck_assert_int_ge(histograms, 7);
    check_requests(text);
    ck_assert(strstr(text, "le=\"0.0001\"") && strstr(text, "le=\"10\"") && strstr(text, "le=\"0.25\""));
    free(text);
}
END_TEST

static void write_file(const char *name, const char *text, char ret_path[160])
{
    snprintf(ret_path, 160, "%s/%s", shared.dir, name);
    FILE *file = fopen(ret_path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* promtool must end with status 0 and print nothing. */
static void expect_silence(const char *command)
{
    char line[1024], path[160];
    snprintf(path, sizeof path, "%s/said", shared.dir);
    snprintf(line, sizeof line, "%s >'%s' 2>&1", command, path);
    int status = system(line);
    char *said = stack_file(path, NULL);
    ck_assert_msg(status == 0, "%s: %s", command, said);
    ck_assert_msg(!*said || strstr(said, "SUCCESS"), "%s: %s", command, said);
    free(said);
}

START_TEST(promtool_has_nothing_to_say)
{
    char path[160], command[512];
    char *text = scrape();
    write_file("scrape", text, path);
    snprintf(command, sizeof command, "promtool check metrics <'%s'", path);
    expect_silence(command);
    free(text);
}
END_TEST

START_TEST(it_says_what_it_is)
{
    struct reply reply =
        stack_send(&shared, &(struct request_spec){.path = "/analytics/metrics", .key = shared.admin_key});
    char *type = reply_header(&reply, "content-type"), *cache = reply_header(&reply, "cache-control");
    ck_assert_str_eq(type, "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_str_eq(cache, "no-store");
    ck_assert_uint_gt(reply.body_len, 1000);
    ck_assert_int_eq(reply.body[reply.body_len - 1], '\n');
    ck_assert_ptr_null(strstr(reply.body, "fnp_"));
    free(type);
    free(cache);
    reply_release(&reply);
}
END_TEST

/* ---- who may see it ---- */

static const struct {
    enum who who;
    const char *method;
    long status;
} rights[] = {
    {ADMIN, "GET", 200}, {ADMIN, "HEAD", 200},  {ADMIN, "POST", 405}, {WORKER, "GET", 403},   {USER, "GET", 403},
    {USER, "HEAD", 403}, {WORKER, "POST", 403}, {NOBODY, "GET", 401}, {STRANGER, "GET", 401},
};

START_TEST(only_an_admin_sees_it)
{
    struct reply reply = stack_send(&shared, &(struct request_spec){.method = rights[_i].method,
                                                                    .path = "/analytics/metrics",
                                                                    .key = key_of(rights[_i].who)});
    ck_assert_int_eq(reply.status, rights[_i].status);
    ck_assert(reply.status == 200 || !strstr(reply.body, "analytics_batches"));
    reply_release(&reply);
}
END_TEST

/* A bearer token, as in monitoring/prometheus.yml. */
START_TEST(a_bearer_will_do)
{
    char header[128];
    const char *const headers[] = {header, NULL};
    snprintf(header, sizeof header, "Authorization: Bearer %s", shared.admin_key);
    struct reply reply = stack_send(&shared, &(struct request_spec){.path = "/analytics/metrics", .headers = headers});
    ck_assert_int_eq(reply.status, 200);
    reply_release(&reply);
}
END_TEST

/* ---- the gauges ---- */

static double file_size(const char *name)
{
    char path[128];
    struct stat about;
    snprintf(path, sizeof path, "%s/data/%s", shared.dir, name);
    ck_assert_int_eq(stat(path, &about), 0);
    return (double)about.st_size;
}

/* A scrape before and after which the files have the same sizes: upkeep may change them at any time. */
static char *scrape_of_sizes(double *ret_database, double *ret_wal)
{
    for (int i = 0; i < 100; i++) {
        *ret_database = file_size("analytics.db");
        *ret_wal = file_size("analytics.db-wal");
        char *text = scrape();
        if (file_size("analytics.db") == *ret_database && file_size("analytics.db-wal") == *ret_wal)
            return text;
        free(text);
        stack_nap(50);
    }
    ck_abort_msg("the files keep growing");
}

START_TEST(gauges_are_true)
{
    double database = 0, wal = 0;
    char *text = scrape_of_sizes(&database, &wal);
    expect_value(text, "analytics_queue_batches", 0);
    expect_value(text, "analytics_in_flight_batches", 0);
    expect_value(text, "analytics_queue_limit_batches", 64);
    expect_value(text, "analytics_writer_healthy", 1);
    expect_value(text, "analytics_database_readable", 1);
    expect_value(text, "analytics_metrics_shared", 1);
    expect_value(text, "analytics_wal_limit_bytes", 1073741824);
    expect_value(text, "analytics_database_bytes", database);
    expect_value(text, "analytics_wal_bytes", wal);
    double used = value(text, "analytics_wal_used_bytes"), free_bytes = value(text, "analytics_disk_free_bytes");
    ck_assert_msg(used > 0 && used <= wal, "%g bytes of the WAL in use", used);
    ck_assert(free_bytes > 0 && free_bytes < value(text, "analytics_disk_size_bytes"));
    double beat = value(text, "analytics_writer_heartbeat_timestamp_seconds");
    ck_assert_msg(beat >= (double)time(NULL) - 20 && beat <= (double)time(NULL), "heartbeat %f", beat);
    expect_value(text, "analytics_process_starts_total{program=\"ingest\"}", 1);
    expect_value(text, "analytics_process_starts_total{program=\"query\"}", POOL);
    ck_assert_ptr_nonnull(strstr(text, "\nanalytics_build_info{version=\""));
    free(text);
}
END_TEST

/* ---- trouble ---- */

/* Locks the database for writing until it is closed. */
static sqlite3 *occupy(void)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/data/analytics.db", shared.dir);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 20000);
    ck_assert_msg(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    return db;
}

#define REFUSED "analytics_refusals_total{program=\"ingest\",reason=\"analytics.unavailable\"}"
#define ANSWERED_503                                                                                                   \
    "analytics_http_requests_total{program=\"ingest\",route=\"/analytics/ingest\",method=\"POST\",code=\"503\"}"
#define LAST_ERROR "analytics_last_error_timestamp_seconds{program=\"ingest\",reason=\"analytics.unavailable\"}"

START_TEST(trouble_shows)
{
    double at = (double)time(NULL);
    char *before = scrape();
    expect_value(before, LAST_ERROR, 0);
    sqlite3 *db = occupy();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(post(ONE, shared.worker_key, JSON_TYPE, NULL), 503);
    char *text = scrape_until("analytics_writer_healthy", 0);
    expect_value(text, REFUSED, value(before, REFUSED) + 2);
    expect_value(text, ANSWERED_503, value(before, ANSWERED_503) + 2);
    expect_value(text, "analytics_failed_groups_total", value(before, "analytics_failed_groups_total") + 2);
    expect_value(text, "analytics_batches_total", value(before, "analytics_batches_total"));
    ck_assert(value(text, LAST_ERROR) >= at && value(text, LAST_ERROR) <= (double)time(NULL));
    free(text);
    sqlite3_close(db);
    free(scrape_until("analytics_writer_healthy", 1));
    ck_assert_int_eq(post(ONE, shared.worker_key, JSON_TYPE, NULL), 204);
    text = scrape();
    expect_value(text, "analytics_batches_total", value(before, "analytics_batches_total") + 1);
    free(text);
    free(before);
}
END_TEST

static long health(void)
{
    struct reply reply = stack_send(&shared, &(struct request_spec){.path = "/analytics/health"});
    long status = reply.status;
    reply_release(&reply);
    return status;
}

/* Programs are killed: the counters keep their values, and the starts are counted. */
START_TEST(restarts_are_counted)
{
    pid_t pids[STACK_MAX_PROCESSES];
    char *before = scrape();
    ck_assert_uint_eq(stack_processes(&shared, "analytics-query", pids), POOL);
    kill(pids[0], SIGKILL);
    kill(pids[1], SIGKILL);
    ck_assert_uint_eq(stack_processes(&shared, "analytics-ingest", pids), 1);
    kill(pids[0], SIGKILL);
    free(scrape_until("analytics_process_starts_total{program=\"query\"}", POOL + 2));
    char *after = scrape_until("analytics_process_starts_total{program=\"ingest\"}", 2);
    expect_monotone(before, after);
    expect_value(after, "analytics_batches_total", value(before, "analytics_batches_total"));
    while (health() != 200)
        stack_nap(20);
    ck_assert_int_eq(post(ONE, shared.worker_key, JSON_TYPE, NULL), 204);
    free(after);
    after = scrape();
    expect_value(after, "analytics_batches_total", value(before, "analytics_batches_total") + 1);
    free(before);
    free(after);
}
END_TEST

/* ---- the metrics in monitoring/ and in the documents ---- */

static char *source_file(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", environment("ANALYTICS_SRCDIR"), name);
    char *text = stack_file(path, NULL);
    ck_assert_msg(*text, "%s is empty, or not there", path);
    return text;
}

static const struct named *find_metric(const char *name, size_t len)
{
    static const char *const suffixes[] = {"", "_bucket", "_sum", "_count"};
    for (int i = 0; i < metric_count; i++)
        for (int k = 0; k < (strcmp(metrics[i].type, "histogram") ? 1 : ROWS(suffixes)); k++) {
            char full[96];
            snprintf(full, sizeof full, "%s%s", metrics[i].name, suffixes[k]);
            if (strlen(full) == len && !strncmp(full, name, len))
                return &metrics[i];
        }
    return NULL;
}

/* Every word that looks like a metric must be one. Returns how many words there were. */
static int check_names(const char *text, const char *file)
{
    int words = 0;
    for (const char *at = text; (at = strstr(at, "analytics_"));) {
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
        ck_assert_msg(find_metric(at, len) != NULL, "%s names %.*s, which is no metric", file, (int)len, at);
        at += len;
        words++;
    }
    return words;
}

static void check_names_in(const char *file)
{
    char *text = source_file(file);
    ck_assert_int_ge(check_names(text, file), 8);
    free(text);
}

/* One row for each metric, in the same order, with its type and labels. */
static void check_table(void)
{
    char *text = source_file("docs/metrics.md");
    const char *at = text;
    int rows = 0;
    for (int i = 0; i < metric_count; i++) {
        char row[256];
        snprintf(row, sizeof row, "\n| `%.79s` | %.15s | %.79s| ", metrics[i].name, metrics[i].type, metrics[i].labels);
        const char *found = strstr(at, row);
        ck_assert_msg(found != NULL, "docs/metrics.md has not, or not in its place: %s", row + 1);
        at = found + 1;
    }
    for (at = text; (at = strstr(at, "\n| `analytics_")); at++)
        rows++;
    ck_assert_int_eq(rows, metric_count);
    free(text);
}

START_TEST(documents_name_what_is_there)
{
    char *text = scrape();
    list_metrics(text);
    check_names_in("monitoring/alerts.yml");
    check_names_in("tests/monitoring/alerts_test.yml");
    check_names_in("monitoring/grafana-dashboard.json");
    check_table();
    free(text);
}
END_TEST

/* A query of the dashboard as a rule that promtool can check. */
static int put_query(FILE *file, const char *query, int number)
{
    fprintf(file, "      - record: 'panel:%d'\n        expr: '", number);
    for (const char *at = query; *at; at++) {
        const char *variable = "$__rate_interval";
        if (!strncmp(at, variable, strlen(variable))) {
            fputs("5m", file);
            at += strlen(variable) - 1;
        } else {
            ck_assert_int_ne(*at, '\'');
            fputc(*at, file);
        }
    }
    fputs("'\n", file);
    return number + 1;
}

static int put_panel(FILE *file, json_object *panel, int number)
{
    json_object *targets = NULL, *source = NULL;
    ck_assert_str_ne(member(panel, "title"), "");
    ck_assert_str_ne(member(panel, "gridPos"), "");
    if (!strcmp(member(panel, "type"), "row"))
        return number;
    ck_assert(json_object_object_get_ex(panel, "targets", &targets));
    for (size_t i = 0; i < json_object_array_length(targets); i++) {
        json_object *target = json_object_array_get_idx(targets, i);
        ck_assert(json_object_object_get_ex(target, "datasource", &source));
        ck_assert_str_eq(member(source, "uid"), "${datasource}");
        number = put_query(file, member(target, "expr"), number);
    }
    return number;
}

START_TEST(the_dashboard_is_one)
{
    char path[160], command[512];
    char *text = source_file("monitoring/grafana-dashboard.json");
    json_object *dashboard = json_tokener_parse(text), *panels = NULL;
    int queries = 0;
    ck_assert_msg(dashboard != NULL, "the dashboard is not JSON");
    ck_assert_int_ge(atoi(member(dashboard, "schemaVersion")), 36);
    ck_assert_ptr_nonnull(strstr(member(dashboard, "templating"), "\"datasource\""));
    ck_assert(json_object_object_get_ex(dashboard, "panels", &panels));
    write_file("queries.yml", "groups:\n  - name: panels\n    rules:\n", path);
    FILE *file = fopen(path, "a");
    for (size_t i = 0; i < json_object_array_length(panels); i++)
        queries = put_panel(file, json_object_array_get_idx(panels, i), queries);
    fclose(file);
    ck_assert_int_ge(queries, 20);
    snprintf(command, sizeof command, "promtool check rules '%s'", path);
    expect_silence(command);
    json_object_put(dashboard);
    free(text);
}
END_TEST

/* ---- without a key ---- */

/* Switches the commented example of analytics.conf on, in nginx's copy of the file, and reloads nginx. */
static void let_in(const char *address)
{
    char command[1024];
    pid_t pids[STACK_MAX_PROCESSES];
    snprintf(
        command, sizeof command,
        "cd '%s/data/run/nginx' && sed -i -e '/#location = .analytics.metrics/,/#}/s/#//' -e 's/^ *allow .*;/allow "
        "%s;/' analytics.conf && grep -q '^    location = /analytics/metrics' analytics.conf",
        shared.dir, address);
    ck_assert_msg(system(command) == 0, "analytics.conf has no such example");
    ck_assert_uint_ge(stack_processes(&shared, "nginx: master", pids), 1);
    kill(pids[0], SIGHUP);
}

static void expect_without_key(const char *path, long status)
{
    struct reply reply = {0};
    int64_t until = stack_now_ms() + HANG_MS;
    do {
        reply_release(&reply);
        stack_nap(50);
        reply = stack_send(&shared, &(struct request_spec){.path = path});
    } while (reply.status != status && stack_now_ms() < until);
    ck_assert_msg(reply.status == status, "%s without a key: expected %ld, got %ld", path, status, reply.status);
    ck_assert(status != 200 || strstr(reply.body, "\nanalytics_batches_total "));
    reply_release(&reply);
}

START_TEST(nginx_may_let_an_address_in)
{
    expect_without_key("/analytics/metrics", 401);
    let_in("127.0.0.1");
    expect_without_key("/analytics/metrics", 200);
    expect_without_key("/analytics/traffic" RANGE, 401);
    let_in("192.0.2.10");
    expect_without_key("/analytics/metrics", 403);
}
END_TEST

/* ---- the service ---- */

/* The service is healthy as soon as one process of a pool answers; the others' starts would be counted later. */
static void start(void)
{
    stack_start(&shared, (const char *const[]){"--query-processes", "4", NULL});
    free(scrape_until("analytics_process_starts_total{program=\"ingest\"}", 1));
    free(scrape_until("analytics_process_starts_total{program=\"query\"}", POOL));
    stack_key(&shared, "--role user --user-id 1", user_key);
}

static void stop(void)
{
    stack_stop(&shared);
}

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, figures_are_exact);
    tcase_add_test(tcase, histograms_are_whole);
    tcase_add_test(tcase, promtool_has_nothing_to_say);
    tcase_add_test(tcase, it_says_what_it_is);
    tcase_add_loop_test(tcase, only_an_admin_sees_it, 0, ROWS(rights));
    tcase_add_test(tcase, a_bearer_will_do);
    tcase_add_test(tcase, gauges_are_true);
    tcase_add_test(tcase, documents_name_what_is_there);
    tcase_add_test(tcase, the_dashboard_is_one);
    tcase_add_test(tcase, trouble_shows);
    tcase_add_test(tcase, restarts_are_counted);
    tcase_add_test(tcase, nginx_may_let_an_address_in);
}

int main(void)
{
    Suite *suite = suite_create("metrics");
    add_tests(stack_case(suite, "pool", start, stop));
    return suite_run(suite);
}
