/* memory_store.c: logs in an array, and reports by going through all of it. Does its own sums; takes only the buckets
 * of a zone from lib/. */
#include "support/memory_store.h"

#include "report/bucket.h"
#include "store/engine.h"

#include "support/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/banned.h"

struct kept_log {
    struct log_record record; /* its names are those beside it */
    char *name[NAME_FIELDS];
};

struct kept_key {
    char *caller, *key;
    unsigned char hash[STORE_BODY_HASH_BYTES];
};

static struct kept_log *logs;
static size_t log_count;
static struct kept_key *keys;
static size_t key_count;
static int64_t batches;
static bool knows_durations = true;

static const struct store_engine memory_engine;

/* Room for one more; the room doubles. */
static void *grown(void *array, size_t count, size_t bytes)
{
    if (count & (count - 1))
        return array;
    void *more = realloc(array, (count ? 2 * count : 1) * bytes);
    ck_assert_ptr_nonnull(more);
    return more;
}

static char *copy_of(const char *text, size_t len)
{
    char *copy = strndup(text, len);
    ck_assert_ptr_nonnull(copy);
    return copy;
}

void memory_store_clear(void)
{
    for (size_t i = 0; i < log_count; i++)
        for (int field = 0; field < NAME_FIELDS; field++)
            free(logs[i].name[field]);
    for (size_t i = 0; i < key_count; i++) {
        free(keys[i].caller);
        free(keys[i].key);
    }
    free(logs);
    free(keys);
    logs = NULL;
    keys = NULL;
    log_count = key_count = 0;
    batches++; /* so that store_hold() does not take the empty store for an earlier state */
}

void memory_store_knows_durations(bool knows)
{
    knows_durations = knows;
}

struct store_place memory_store_place(void)
{
    return (struct store_place){.engine = &memory_engine};
}

/* ---- writing ---- */

static enum err open_writer(const struct store_place *place, struct store_writer **ret_writer, struct fault *fault)
{
    static struct store_writer writer = {&memory_engine};
    (void)place;
    (void)fault;
    *ret_writer = &writer;
    return OK;
}

static void close_writer(struct store_writer *writer)
{
    (void)writer;
}

static const struct kept_key *find_key(const struct store_item *item)
{
    for (size_t i = 0; i < key_count; i++)
        if (strcmp(keys[i].caller, item->caller) == 0 && strcmp(keys[i].key, item->idempotency_key) == 0)
            return &keys[i];
    return NULL;
}

/* Is the item known by its key? Then its result is set. */
static bool is_known(struct store_item *item)
{
    const struct kept_key *key = item->idempotency_key ? find_key(item) : NULL;
    if (!key)
        return false;
    item->replayed = memcmp(key->hash, item->body_hash, sizeof key->hash) == 0;
    if (!item->replayed)
        item->result = fault_set(&item->fault, ERR_IDEMPOTENCY_KEY_REUSED, "this key came with another body");
    return true;
}

static void keep_key(const struct store_item *item)
{
    keys = grown(keys, key_count, sizeof *keys);
    struct kept_key *key = &keys[key_count++];
    *key = (struct kept_key){.caller = copy_of(item->caller, strlen(item->caller)),
                             .key = copy_of(item->idempotency_key, strlen(item->idempotency_key))};
    memcpy(key->hash, item->body_hash, sizeof key->hash);
}

static void keep_log(const struct batch *batch, const struct log_record *record)
{
    logs = grown(logs, log_count, sizeof *logs);
    struct kept_log *log = &logs[log_count++];
    log->record = *record;
    for (int field = 0; field < NAME_FIELDS; field++) {
        struct slice name = batch_name(batch, record->name[field]);
        log->name[field] = copy_of(name.len ? name.data : "", name.len);
    }
}

static void write_items(struct store_writer *writer, struct store_item *items, size_t count, int64_t now,
                        struct store_times *ret_times)
{
    (void)writer;
    (void)now;
    *ret_times = (struct store_times){0};
    for (struct store_item *item = items; item < items + count; item++) {
        item->result = OK;
        item->replayed = false;
        item->already = 0;
        if (is_known(item))
            continue;
        for (uint32_t i = 0; i < item->batch->log_count; i++)
            keep_log(item->batch, &item->batch->logs[i]);
        if (item->idempotency_key)
            keep_key(item);
        batches++;
    }
}

static enum err maintain(struct store_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    (void)writer;
    (void)now;
    (void)idempotency_seconds;
    (void)fault;
    *ret_more = false;
    return OK;
}

static enum err set_wake(struct store_writer *writer, const struct store_wake *wake, struct fault *fault)
{
    (void)writer;
    (void)wake;
    (void)fault;
    return OK;
}

static void set_retention(struct store_writer *writer, const struct store_retention *retention)
{
    (void)writer;
    (void)retention;
}

static enum err writer_health(struct store_writer *writer, struct fault *fault)
{
    (void)writer;
    (void)fault;
    return OK;
}

static void probe(struct store_writer *writer)
{
    (void)writer;
}

static const struct store_writer_ops writer_ops = {
    .open = open_writer,
    .close = close_writer,
    .write = write_items,
    .maintain = maintain,
    .set_wake = set_wake,
    .set_retention = set_retention,
    .health = writer_health,
    .probe = probe,
};

/* ---- counting ---- */

static bool is_text(const char *text, struct slice wanted)
{
    return strlen(text) == wanted.len && (wanted.len == 0 || memcmp(text, wanted.data, wanted.len) == 0);
}

static bool is_ip(const struct ip *ip, const struct ip *wanted)
{
    return ip->len == wanted->len && memcmp(ip->bytes, wanted->bytes, ip->len) == 0;
}

/* Is it the name, or does it end with a dot and the name? */
static bool is_domain(const char *domain, struct slice name, bool is_below)
{
    size_t len = strlen(domain);
    bool is_longer = len > name.len && domain[len - name.len - 1] == '.';
    return is_text(domain, name) || (is_below && is_longer && is_text(domain + len - name.len, name));
}

static bool has_value(const struct kept_log *log, enum dimension by, const struct report_term *term)
{
    switch (by) {
    case BY_WORKER:
        return is_text(log->name[NAME_WORKER], term->text);
    case BY_PEER:
        return is_text(log->name[NAME_PEER], term->text);
    case BY_PROTOCOL:
        return is_text(log->name[NAME_PROTOCOL], term->text);
    case BY_ERROR:
        return is_text(log->name[NAME_ERROR], term->text);
    case BY_DOMAIN:
        return is_domain(log->name[NAME_DOMAIN], term->text, term->is_below);
    case BY_PORT:
        return log->record.port == term->number;
    case BY_ORDER:
        return log->record.order_id == term->number;
    case BY_USER:
        return log->record.user_id == term->number;
    case BY_IP_OUT:
        return is_ip(&log->record.ip_out, &term->ip);
    case BY_IP_FROM:
        return is_ip(&log->record.ip_from, &term->ip);
    case DIMENSIONS:
        break;
    }
    return false;
}

static bool matches_terms(const struct kept_log *log, const struct report_filter *filter)
{
    for (enum dimension by = 0; by < DIMENSIONS; by++) {
        if (by < TERMS && filter->terms[by].is_set && !has_value(log, by, &filter->terms[by]))
            return false;
        if (filter->without[by].is_set && has_value(log, by, &filter->without[by]))
            return false;
    }
    return true;
}

static bool matches(const struct kept_log *log, const struct report_filter *filter)
{
    const struct log_record *record = &log->record;
    return record->ts >= filter->from && record->ts < filter->to &&
           (!filter->user_id || record->user_id == filter->user_id) &&
           (!filter->order_id || record->order_id == filter->order_id) &&
           (!filter->has_domain || is_domain(log->name[NAME_DOMAIN], filter->domain, filter->is_below)) &&
           (!filter->has_error || is_text(log->name[NAME_ERROR], filter->error)) && matches_terms(log, filter);
}

static void add_log(struct totals *totals, const struct log_record *record)
{
    totals->count += record->count;
    totals->bytes_sent += record->bytes_sent;
    totals->bytes_received += record->bytes_received;
    totals->errors += record->error_count;
    totals->duration_ms += record->duration_ms;
    if (record->max_concurrency > totals->max_concurrency)
        totals->max_concurrency = record->max_concurrency;
    if (record->ts < totals->first)
        totals->first = record->ts;
    if (record->ts > totals->last)
        totals->last = record->ts;
}

/* Answers have no durations unless the filter asks for them, so that no caller relies on them. */
static void keep_duration(const struct report_filter *filter, struct totals *totals)
{
    if (!filter->durations || !knows_durations)
        totals->duration_ms = DURATION_UNKNOWN;
}

/* Some logs by the text that they share. */
struct group {
    char *text;
    struct totals totals;
    int64_t measure;
};

struct groups {
    struct group *rows;
    size_t count;
};

static void add_to(struct groups *groups, const char *text, const struct log_record *record)
{
    size_t i = 0;
    while (i < groups->count && strcmp(groups->rows[i].text, text) != 0)
        i++;
    if (i == groups->count) {
        groups->rows = grown(groups->rows, groups->count++, sizeof *groups->rows);
        groups->rows[i] = (struct group){.text = copy_of(text, strlen(text)), .totals = TOTALS_NONE};
    }
    add_log(&groups->rows[i].totals, record);
}

static int by_measure(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    if (a->measure != b->measure)
        return a->measure > b->measure ? -1 : 1;
    return strcmp(a->text, b->text);
}

static void sort(struct groups *groups, enum list_order order)
{
    for (size_t i = 0; i < groups->count; i++) {
        const struct totals *totals = &groups->rows[i].totals;
        int64_t measures[] = {[ORDER_BYTES] = totals->bytes_sent + totals->bytes_received,
                              [ORDER_COUNT] = totals->count,
                              [ORDER_ERRORS] = totals->errors,
                              [ORDER_ERROR_RATE] = totals->count    ? totals->errors * 1000000000 / totals->count
                                                   : totals->errors ? INT64_MAX
                                                                    : 0,
                              [ORDER_DURATION] =
                                  totals->count && knows_durations ? totals->duration_ms / totals->count : 0};
        groups->rows[i].measure = measures[order];
    }
    if (groups->count)
        qsort(groups->rows, groups->count, sizeof *groups->rows, by_measure);
}

static void release(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        free(groups->rows[i].text);
    free(groups->rows);
}

/* ---- reports ---- */

static enum err open_reader(const struct store_place *place, struct store_reader **ret_reader, struct fault *fault)
{
    static struct store_reader reader = {&memory_engine};
    (void)place;
    (void)fault;
    *ret_reader = &reader;
    return OK;
}

static void close_reader(struct store_reader *reader)
{
    (void)reader;
}

static bool is_stale(struct store_reader *reader)
{
    (void)reader;
    return false;
}

static void set_timeout(struct store_reader *reader, int64_t milliseconds)
{
    (void)reader;
    (void)milliseconds;
}

static enum err hold(struct store_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                     struct fault *fault)
{
    (void)reader;
    (void)filter;
    (void)fault;
    *ret_state = (struct store_state){0};
    memcpy(ret_state->bytes, &batches, sizeof batches);
    return OK;
}

static void let_go(struct store_reader *reader)
{
    (void)reader;
}

/* Sums up the logs of a part of the filter's range. Returns how many there are. */
static size_t sum_part(const struct report_filter *filter, int64_t from, int64_t to, struct totals *ret_totals)
{
    struct report_filter part = *filter;
    size_t found = 0;
    part.from = from;
    part.to = to < filter->to ? to : filter->to;
    *ret_totals = TOTALS_NONE;
    for (size_t i = 0; i < log_count; i++)
        if (matches(&logs[i], &part)) {
            add_log(ret_totals, &logs[i].record);
            found++;
        }
    keep_duration(filter, ret_totals);
    return found;
}

static enum err chart(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                      bool fill_zero, struct chart *ret_chart, struct fault *fault)
{
    struct chart chart = {0};
    (void)reader;
    (void)fault;
    for (int64_t at = filter->from; at < filter->to;) {
        struct bucket bucket = bucket_at(filter->zone, granularity, at);
        struct chart_point point = {.bucket = bucket.label};
        if (sum_part(filter, at, bucket.end, &point.totals) || fill_zero) {
            chart.points = grown(chart.points, chart.count, sizeof *chart.points);
            chart.points[chart.count++] = point;
        }
        at = bucket.end;
    }
    *ret_chart = chart;
    return OK;
}

static enum err summary(struct store_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                        struct fault *fault)
{
    (void)reader;
    (void)fault;
    sum_part(filter, filter->from, filter->to, ret_totals);
    return OK;
}

/* The value of a dimension as text. `number` is room for a number. */
static const char *value_of(const struct kept_log *log, enum dimension by, char number[64])
{
    static const enum name_field fields[DIMENSIONS] = {[BY_WORKER] = NAME_WORKER,
                                                       [BY_PEER] = NAME_PEER,
                                                       [BY_PROTOCOL] = NAME_PROTOCOL,
                                                       [BY_ERROR] = NAME_ERROR,
                                                       [BY_DOMAIN] = NAME_DOMAIN};
    if (by == BY_IP_OUT || by == BY_IP_FROM)
        ip_format(by == BY_IP_OUT ? &log->record.ip_out : &log->record.ip_from, number);
    else if (by == BY_PORT)
        snprintf(number, 64, "%d", log->record.port);
    else if (by == BY_ORDER || by == BY_USER)
        snprintf(number, 64, "%lld", (long long)(by == BY_ORDER ? log->record.order_id : log->record.user_id));
    else
        return log->name[fields[by]];
    return number;
}

static void add_sums(struct totals *totals, const struct totals *more)
{
    totals->count += more->count;
    totals->bytes_sent += more->bytes_sent;
    totals->bytes_received += more->bytes_received;
    totals->errors += more->errors;
    totals->duration_ms += more->duration_ms;
    if (more->max_concurrency > totals->max_concurrency)
        totals->max_concurrency = more->max_concurrency;
}

/* Ignores the case of ASCII letters. All names are UTF-8, in which no part of another character looks like one. */
static bool contains(const char *text, struct slice part)
{
    for (size_t left = strlen(text); left >= part.len; text++, left--)
        if (strncasecmp(text, part.data, part.len) == 0)
            return true;
    return false;
}

/* Does the log count for the list? */
static bool is_listed(const struct kept_log *log, const struct report_filter *filter, const struct list_ask *ask)
{
    char number[64];
    return matches(log, filter) && (!ask->samples || *log->name[NAME_ERROR]) &&
           (!ask->containing.len || contains(value_of(log, ask->by, number), ask->containing));
}

static void group_samples(const struct report_filter *filter, const char *error, struct groups *ret_groups)
{
    *ret_groups = (struct groups){0};
    for (size_t i = 0; i < log_count; i++)
        if (matches(&logs[i], filter) && strcmp(logs[i].name[NAME_ERROR], error) == 0)
            add_to(ret_groups, logs[i].name[NAME_DOMAIN], &logs[i].record);
    sort(ret_groups, ORDER_ERRORS);
}

static enum err give_group(const struct group *group, const struct report_filter *filter, const struct list_ask *ask,
                           const struct list_sink *sink, struct fault *fault)
{
    struct groups domains = {0};
    const char *samples[LIMIT_SAMPLE_DOMAINS];
    struct list_row row = {.name = group->text, .totals = group->totals, .samples = samples};
    keep_duration(filter, &row.totals);
    if (ask->samples)
        group_samples(filter, group->text, &domains);
    for (; row.sample_count < domains.count && row.sample_count < LIMIT_SAMPLE_DOMAINS; row.sample_count++)
        samples[row.sample_count] = domains.rows[row.sample_count].text;
    enum err err = sink->row(sink->ctx, &row, fault);
    release(&domains);
    return err;
}

static enum err list(struct store_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                     const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    struct groups groups = {0};
    char number[64];
    (void)reader;
    for (size_t i = 0; i < log_count; i++)
        if (is_listed(&logs[i], filter, ask))
            add_to(&groups, value_of(&logs[i], ask->by, number), &logs[i].record);
    sort(&groups, ask->order);
    *ret_other = TOTALS_NONE;
    enum err err = sink->begin(sink->ctx, groups.count, fault);
    for (size_t i = 0; !err && i < groups.count; i++)
        if (i >= ask->offset && i - ask->offset < ask->limit)
            err = give_group(&groups.rows[i], filter, ask, sink, fault);
        else
            add_sums(ret_other, &groups.rows[i].totals);
    keep_duration(filter, ret_other);
    release(&groups);
    return err;
}

/* That of SQLite, because answers with the version are compared. */
static int schema_version(void)
{
    return 6;
}

static enum err reader_health(struct store_reader *reader, int *ret_schema_version, struct fault *fault)
{
    (void)reader;
    (void)fault;
    *ret_schema_version = schema_version();
    return OK;
}

static const struct store_reader_ops reader_ops = {
    .open = open_reader,
    .close = close_reader,
    .is_stale = is_stale,
    .set_timeout = set_timeout,
    .hold = hold,
    .let_go = let_go,
    .chart = chart,
    .summary = summary,
    .list = list,
    .health = reader_health,
};

/* ---- export ---- */

struct memory_export {
    struct store_export base;
    struct store_export_filter filter;
};

static enum err open_export(const struct store_place *place, const struct store_export_filter *filter,
                            struct store_export **ret_export, struct fault *fault)
{
    struct memory_export *export = malloc(sizeof *export);
    ck_assert_ptr_nonnull(export);
    *export = (struct memory_export){{&memory_engine}, *filter};
    (void)place;
    (void)fault;
    *ret_export = &export->base;
    return OK;
}

static void close_export(struct store_export *export)
{
    free(export);
}

static bool give(const struct kept_log *log, store_log_sink sink, void *ctx)
{
    struct log_text text = {.record = &log->record};
    for (int field = 0; field < NAME_FIELDS; field++)
        text.name[field] = slice_of(log->name[field]);
    return sink(ctx, &text);
}

/* Gives the logs of one second. */
static enum err give_next(struct store_export *base, store_log_sink sink, void *ctx, int64_t *ret_at,
                          struct fault *fault)
{
    struct store_export_filter *filter = &((struct memory_export *)base)->filter;
    int64_t next = filter->to;
    (void)fault;
    for (size_t i = 0; i < log_count; i++)
        if (logs[i].record.ts >= filter->from && logs[i].record.ts < next)
            next = logs[i].record.ts;
    *ret_at = next;
    for (size_t i = 0; i < log_count && next < filter->to; i++) {
        const struct log_record *record = &logs[i].record;
        if (record->ts == next && (!filter->user_id || record->user_id == filter->user_id) &&
            (!filter->order_id || record->order_id == filter->order_id) && !give(&logs[i], sink, ctx))
            return OK;
    }
    *ret_at = filter->from = next < filter->to ? next + 1 : filter->to;
    return OK;
}

static const struct store_export_ops export_ops = {.open = open_export, .close = close_export, .next = give_next};

/* ---- the engine ---- */

static void measure(const struct store_place *place, struct store_size *ret_size)
{
    (void)place;
    *ret_size = (struct store_size){.data = (int64_t)(log_count * sizeof *logs)};
}

static const struct store_engine memory_engine = {.name = "memory",
                                                  .schema_version = schema_version,
                                                  .measure = measure,
                                                  .writer = &writer_ops,
                                                  .reader = &reader_ops,
                                                  .export = &export_ops};
