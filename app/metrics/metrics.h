/* metrics.h: what the service counts of itself: one table of metrics, and numbers that any thread of any process of the
 * service may add to. No call fails or waits, and all take NULL for "nobody counts". */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "base/err.h"
#include "http/http.h"
#include "process/program.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* MEASURED: a gauge that has no number in the file, but is looked up when somebody asks. */
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_MEASURED, METRIC_HISTOGRAM };

/* What a number stands for. Times are kept in microseconds and shown in seconds. */
enum metric_unit { UNIT_ONE, UNIT_TIME, UNIT_BATCHES, UNIT_LOGS };

enum metric_labels {
    LABELS_NOTHING,
    LABELS_PROGRAM,
    LABELS_REASON,  /* program, reason: the message key */
    LABELS_FAILURE, /* the same, but only the reasons of a 5xx */
    LABELS_ROUTE,   /* program, route */
    LABELS_REQUEST, /* program, route, method, code */
    LABELS_BUILD    /* version, schema */
};

/* X(id, kind, unit, labels, name, help): names as Prometheus wants them; in this order they are shown. docs/metrics.md
 * has the same list; a test compares. */
#define METRICS_LIST(X)                                                                                                \
    X(METRIC_BATCHES, COUNTER, ONE, LABELS_NOTHING, "analytics_batches_total",                                         \
      "Batches stored, those of a repeated Idempotency-Key not among them.")                                           \
    X(METRIC_LOGS, COUNTER, ONE, LABELS_NOTHING, "analytics_logs_total", "Logs stored.")                               \
    X(METRIC_REPLAYS, COUNTER, ONE, LABELS_NOTHING, "analytics_replays_total",                                         \
      "Batches that had been stored before, by their Idempotency-Key.")                                                \
    X(METRIC_REFUSALS, COUNTER, ONE, LABELS_REASON, "analytics_refusals_total", "Requests refused, by message key.")   \
    X(METRIC_LAST_BATCH, GAUGE, ONE, LABELS_NOTHING, "analytics_last_batch_timestamp_seconds",                         \
      "When a batch was last stored, Unix time; 0: never.")                                                            \
    X(METRIC_QUEUED, GAUGE, ONE, LABELS_NOTHING, "analytics_queue_batches", "Batches that wait for the writer.")       \
    X(METRIC_QUEUE_LIMIT, GAUGE, ONE, LABELS_NOTHING, "analytics_queue_limit_batches",                                 \
      "More waiting batches than this are refused.")                                                                   \
    X(METRIC_IN_FLIGHT, GAUGE, ONE, LABELS_NOTHING, "analytics_in_flight_batches",                                     \
      "Batches that wait for the writer or are being written.")                                                        \
    X(METRIC_QUEUE_WAIT, HISTOGRAM, TIME, LABELS_NOTHING, "analytics_queue_wait_seconds",                              \
      "How long a batch waited for the writer.")                                                                       \
    X(METRIC_GROUP_BATCHES, HISTOGRAM, BATCHES, LABELS_NOTHING, "analytics_group_batches",                             \
      "Batches written in one transaction.")                                                                           \
    X(METRIC_GROUP_LOGS, HISTOGRAM, LOGS, LABELS_NOTHING, "analytics_group_logs", "Logs written in one transaction.")  \
    X(METRIC_GROUP_TIME, HISTOGRAM, TIME, LABELS_NOTHING, "analytics_group_duration_seconds",                          \
      "How long a transaction took, its commit included.")                                                             \
    X(METRIC_COMMIT, HISTOGRAM, TIME, LABELS_NOTHING, "analytics_commit_duration_seconds",                             \
      "How long a commit took, with its sync.")                                                                        \
    X(METRIC_CHECKPOINT, HISTOGRAM, TIME, LABELS_NOTHING, "analytics_checkpoint_duration_seconds",                     \
      "How long a checkpoint of the write-ahead log took.")                                                            \
    X(METRIC_FAILED_GROUPS, COUNTER, ONE, LABELS_NOTHING, "analytics_failed_groups_total",                             \
      "Transactions that failed and were rolled back: their batches were refused.")                                    \
    X(METRIC_FAILED_UPKEEP, COUNTER, ONE, LABELS_NOTHING, "analytics_failed_upkeep_total",                             \
      "Checkpoints and other upkeep that failed.")                                                                     \
    X(METRIC_HEALTHY, GAUGE, ONE, LABELS_NOTHING, "analytics_writer_healthy",                                          \
      "1 when batches can be written, 0 when not, or when the writer has not been heard of for 30 seconds.")           \
    X(METRIC_HEARTBEAT, GAUGE, ONE, LABELS_NOTHING, "analytics_writer_heartbeat_timestamp_seconds",                    \
      "When the writer was last heard of, Unix time; 0: never.")                                                       \
    X(METRIC_READABLE, MEASURED, ONE, LABELS_NOTHING, "analytics_database_readable",                                   \
      "1 when the process that answers can read the database, else 0.")                                                \
    X(METRIC_DATABASE, MEASURED, ONE, LABELS_NOTHING, "analytics_database_bytes", "The size of the database.")         \
    X(METRIC_WAL, MEASURED, ONE, LABELS_NOTHING, "analytics_wal_bytes", "The size of the write-ahead log's file.")     \
    X(METRIC_WAL_USED, GAUGE, ONE, LABELS_NOTHING, "analytics_wal_used_bytes",                                         \
      "How much of the write-ahead log is in use; it grows while reports run.")                                        \
    X(METRIC_WAL_LIMIT, GAUGE, ONE, LABELS_NOTHING, "analytics_wal_limit_bytes",                                       \
      "Over this, batches are refused until reports let the write-ahead log restart.")                                 \
    X(METRIC_DISK_FREE, MEASURED, ONE, LABELS_NOTHING, "analytics_disk_free_bytes",                                    \
      "Room that is left to the service on the data folder's file system.")                                            \
    X(METRIC_DISK, MEASURED, ONE, LABELS_NOTHING, "analytics_disk_size_bytes", "The size of that file system.")        \
    X(METRIC_SPOOL_LOGS, MEASURED, ONE, LABELS_NOTHING, "analytics_spool_logs",                                        \
      "Logs that wait on this machine for ClickHouse; 0 with the engine sqlite.")                                      \
    X(METRIC_SPOOL_SINCE, MEASURED, ONE, LABELS_NOTHING, "analytics_spool_oldest_timestamp_seconds",                   \
      "When the oldest of them came, Unix time; 0: none waits.")                                                       \
    X(METRIC_SPOOL_STUCK, MEASURED, ONE, LABELS_NOTHING, "analytics_spool_stuck",                                      \
      "1 when something keeps them from ClickHouse: analyticsctl status says what.")                                   \
    X(METRIC_SPOOL_ASIDE, MEASURED, ONE, LABELS_NOTHING, "analytics_spool_put_aside_blocks",                           \
      "Blocks of logs that ClickHouse refused for what they hold.")                                                    \
    X(METRIC_SPOOL_COMPARED, MEASURED, ONE, LABELS_NOTHING, "analytics_spool_compared_timestamp_seconds",              \
      "When shipped blocks were last compared with what every replica has, Unix time; 0: never.")                      \
    X(METRIC_SPOOL_DIFFERENCES, MEASURED, ONE, LABELS_NOTHING, "analytics_spool_differences",                          \
      "Differences found so since analytics-ingest started.")                                                          \
    X(METRIC_REQUESTS, COUNTER, ONE, LABELS_REQUEST, "analytics_http_requests_total",                                  \
      "Requests that the programs answered.")                                                                          \
    X(METRIC_REQUEST_TIME, HISTOGRAM, TIME, LABELS_ROUTE, "analytics_http_request_duration_seconds",                   \
      "How long an answer took, without nginx.")                                                                       \
    X(METRIC_STARTS, COUNTER, ONE, LABELS_PROGRAM, "analytics_process_starts_total", "Processes started.")             \
    X(METRIC_LAST_ERROR, GAUGE, ONE, LABELS_FAILURE, "analytics_last_error_timestamp_seconds",                         \
      "When a program last failed, Unix time, by the message key of its answer; 0: never.")                            \
    X(METRIC_SHARED, MEASURED, ONE, LABELS_NOTHING, "analytics_metrics_shared",                                        \
      "1 when these figures are of all processes; 0 when DIR/metrics can't be used, and they are of one alone.")       \
    X(METRIC_BUILD, MEASURED, ONE, LABELS_BUILD, "analytics_build_info", "Always 1: the program's version and schema.")

enum metric {
#define METRIC_ENUM(id, kind, unit, labels, name, help) id,
    METRICS_LIST(METRIC_ENUM)
#undef METRIC_ENUM
        METRICS
};

struct metric_row {
    enum metric_kind kind;
    enum metric_unit unit;
    enum metric_labels labels;
    const char *name;
    const char *help;
};
extern const struct metric_row metrics_rows[METRICS];

/* A route as far as it is counted. */
struct metrics_route {
    enum program program;
    const char *path;
    enum http_method method; /* this and the status are shown before the first such request */
    int status;
};
#define METRICS_MAX_ROUTES 40

/* The statuses that are told apart; the last, 0, stands for all others. */
#define METRICS_STATUSES 16
extern const int metrics_statuses[METRICS_STATUSES];

#define METRICS_METHODS 4

/* Reasons are all of ERR_LIST, from 0. */
#define METRICS_ONE(name, key, status) +1
enum { METRICS_REASONS = 0 ERR_LIST(METRICS_ONE) };
enum err metrics_reason(size_t reason);

struct metrics; /* opaque */

/* Shares DIR/metrics with the other processes, or counts alone where that can't be done (then it is tried again every
 * 10 seconds). `routes` is copied, what it points to is borrowed. Counts the start. NULL without memory. */
struct metrics *metrics_open(const char *data_dir, enum program program, const struct metrics_route *routes,
                             size_t route_count);
void metrics_close(struct metrics *metrics);

/* Counters: more of them. `series` counts through the labels' values: see metrics_series_…; 0 for LABELS_NOTHING. */
void metrics_add(struct metrics *metrics, enum metric metric, size_t series, uint64_t more);

/* Gauges: what it is now. */
void metrics_set(struct metrics *metrics, enum metric metric, size_t series, uint64_t value);

/* Histograms: one more value, microseconds for times. */
void metrics_observe(struct metrics *metrics, enum metric metric, size_t series, int64_t value);

/* The program failed, with no request to tell of it. */
void metrics_fail(struct metrics *metrics, enum err err, int64_t now_ms);

struct metrics_request {
    size_t route; /* its place in the routes, or METRICS_NO_ROUTE */
    enum http_method method;
    int status;
    enum err err; /* OK, or why it was refused */
    int64_t took_us;
    int64_t now_ms;
};
#define METRICS_NO_ROUTE SIZE_MAX

/* Counts an answered request. */
void metrics_request(struct metrics *metrics, const struct metrics_request *request);

/* ---- reading ---- */

/* How many series there are. */
size_t metrics_series_count(const struct metrics *metrics, enum metric metric);

bool metrics_is_shared(const struct metrics *metrics);
const struct metrics_route *metrics_routes(const struct metrics *metrics, size_t *ret_count);

/* A counter or a gauge. */
uint64_t metrics_value(const struct metrics *metrics, enum metric metric, size_t series);

/* Bucket `i` of a histogram: values up to its bound, and beyond the one before; the last has none. */
#define METRICS_BUCKETS 17
size_t metrics_bounds(enum metric metric, const int64_t **ret_bounds);
uint64_t metrics_bucket(const struct metrics *metrics, enum metric metric, size_t series, size_t i);
uint64_t metrics_sum(const struct metrics *metrics, enum metric metric, size_t series);

/* The series of some labels' values. Of a route that is none, each program has one, behind the routes. */
size_t metrics_series_reason(enum program program, size_t reason);
size_t metrics_series_request(size_t route, enum http_method method, size_t status);

#endif
