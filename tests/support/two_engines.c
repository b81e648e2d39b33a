/* two_engines.c: the same batches for two engines, and then the same random questions, in several time zones. */
#include "support/two_engines.h"

#include "format/log_out.h"
#include "service/writer.h"
#include "support/lists.h"
#include "support/memory_store.h"
#include "support/fixture.h"
#include "time/mono.h"
#include "time/when.h"
#include "time/zone_file.h"

#include "support/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

#define BEGIN INT64_C(1824336000) /* 2027-10-24. Until 2027-11-22: summer time ends meanwhile */
#define DAYS 30
#define BATCH_LOGS 12
#define PATIENCE_MS 120000
#define EXPORT_EACH 3 /* an export in every third round: exports take longest */

static const char *const domains[] = {"a.example", "b.example", "www.a.example", "xa.example", ""};
static const char *const errors[] = {"", "", "timeout", "refused"};
static const char *const peers[] = {"", "peer-1", "peer-2"};
static const char *const addresses[] = {"", "1.2.3.4", "2001:db8::1", "::"};
static const char *const zone_names[] = {"UTC", "Europe/Kyiv", "America/St_Johns", "Asia/Kolkata"};
static struct zone zones[4];

static void must(enum err err, const struct fault *fault)
{
    ck_assert_msg(!err, "%s: %s", err_key(err), fault->detail);
}

enum { TESTED, MEMORY, ENGINES };
static struct store_place places[ENGINES];
static struct store_writer *writers[ENGINES];
static struct writer *thread; /* the thread that has the tested engine's writer; NULL: the test's own has it */
static struct store_reader *readers[ENGINES];

static void open_tested_writer(bool in_thread)
{
    const struct writer_options options = {
        .queue_batches = 8, .group_logs = 20000, .wait_ms = 60000, .idempotency_seconds = WHEN_DAY};
    struct fault fault;
    must(store_writer_open(places[TESTED], &writers[TESTED], &fault), &fault);
    if (in_thread)
        must(writer_start(writers[TESTED], &options, &thread, &fault), &fault);
}

void two_engines_begin(struct store_place tested, bool in_thread)
{
    struct fault fault;
    places[TESTED] = tested;
    places[MEMORY] = memory_store_place();
    open_tested_writer(in_thread);
    must(store_writer_open(places[MEMORY], &writers[MEMORY], &fault), &fault);
    for (int i = 0; i < ENGINES; i++)
        must(store_reader_open(places[i], &readers[i], &fault), &fault);
    for (int64_t i = 0; i < ROWS(zone_names); i++)
        ck_assert_int_eq(zone_load(slice_of(zone_names[i]), &zones[i], &fault), OK);
}

void two_engines_end(void)
{
    for (int i = 0; i < ENGINES; i++)
        store_reader_close(readers[i]);
    if (thread)
        writer_stop(thread);
    else
        store_writer_close(writers[TESTED]);
    thread = NULL;
    store_writer_close(writers[MEMORY]);
    memory_store_clear();
}

void two_engines_restart(void)
{
    ck_assert_ptr_nonnull(thread);
    writer_stop(thread);
    open_tested_writer(true);
}

/* ---- the same batches ---- */

static void add_log(struct batch *batch, int64_t newest)
{
    int64_t ts = newest - pick(pick(8) ? WHEN_HOUR : 3 * (int64_t)WHEN_DAY);
    struct log_record log = {.ts = pick(3) ? ts : ts - ts % WHEN_QUARTER,
                             .user_id = 1 + pick(3),
                             .order_id = 1 + pick(4),
                             .port = pick(2) ? 443 : 80,
                             .count = 1 + pick(50),
                             .bytes_sent = pick(100000),
                             .bytes_received = pick(100000),
                             .error_count = pick(3),
                             .duration_ms = pick(5) ? pick(90000) : 0,
                             .max_concurrency = pick(10)};
    log.name[NAME_DOMAIN] = intern(batch, domains[pick(ROWS(domains))]);
    log.name[NAME_ERROR] = intern(batch, errors[pick(ROWS(errors))]);
    log.name[NAME_PEER] = intern(batch, peers[pick(ROWS(peers))]);
    ck_assert(ip_parse(slice_of(addresses[pick(ROWS(addresses))]), &log.ip_out));
    ck_assert(ip_parse(slice_of(addresses[pick(ROWS(addresses))]), &log.ip_from));
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

static void write_one(int which, struct store_item *item)
{
    struct writer_times times;
    if (which == TESTED && thread)
        writer_write(thread, item, &times);
    else
        store_write(writers[which], item, 1, 1000, &times.store);
}

/* Writes to both, which must give the same result. */
static struct store_item write_both(const struct batch *batch, const char *key, int body)
{
    struct store_item items[ENGINES];
    for (int i = 0; i < ENGINES; i++) {
        items[i] = (struct store_item){
            .batch = batch, .caller = "worker", .idempotency_key = key, .body_hash = {(unsigned char)body}};
        write_one(i, &items[i]);
    }
    ck_assert_int_eq(items[TESTED].result, items[MEMORY].result);
    ck_assert_int_eq(items[TESTED].replayed, items[MEMORY].replayed);
    return items[MEMORY];
}

static void maintain_tested(int slices)
{
    struct fault fault;
    bool more = !thread;
    for (int slice = 0; more && slice < slices; slice++)
        must(store_maintain(writers[TESTED], BEGIN + 90 * WHEN_DAY, INT32_MAX, &more, &fault), &fault);
}

void two_engines_write(int batches)
{
    static int written;
    for (int i = written; i < written + batches; i++) {
        struct batch batch;
        char key[16];
        batch_init(&batch, NULL);
        for (int j = 0; j < BATCH_LOGS; j++)
            add_log(&batch, BEGIN + 4 * (int64_t)WHEN_DAY + pick((DAYS - 4) * (int64_t)WHEN_DAY));
        snprintf(key, sizeof key, "key-%d", i);
        ck_assert_int_eq(write_both(&batch, key, 1).result, OK);
        if (i % 4 == 0) {
            ck_assert(write_both(&batch, key, 1).replayed);
            ck_assert_int_eq(write_both(&batch, key, 2).result, ERR_IDEMPOTENCY_KEY_REUSED);
        }
        maintain_tested((int)pick(5));
        batch_release(&batch);
    }
    written += batches;
}

/* ---- the same questions ---- */

static void check_sum(const char *what, const char *sum, int64_t a, int64_t b)
{
    ck_assert_msg(a == b, "%s: %lld and %lld %s", what, (long long)a, (long long)b, sum);
}

static void check_sums(const char *what, const struct report_filter *filter, const struct totals *a,
                       const struct totals *b)
{
    check_sum(what, "requests", a->count, b->count);
    check_sum(what, "bytes sent", a->bytes_sent, b->bytes_sent);
    check_sum(what, "bytes received", a->bytes_received, b->bytes_received);
    check_sum(what, "errors", a->errors, b->errors);
    check_sum(what, "connections at most", a->max_concurrency, b->max_concurrency);
    if (filter->durations)
        check_sum(what, "ms", a->duration_ms, b->duration_ms);
}

static struct report_filter random_filter(void)
{
    static const int64_t grids[] = {WHEN_DAY, WHEN_HOUR, WHEN_QUARTER, 1};
    int64_t a = BEGIN + pick(DAYS * (int64_t)WHEN_DAY), b = pick(3) ? BEGIN + pick(DAYS * (int64_t)WHEN_DAY) : a + 700;
    a -= a % grids[pick(4)];
    b -= b % grids[pick(4)];
    return (struct report_filter){.from = a < b ? a : b,
                                  .to = (a < b ? b : a) + 1,
                                  .user_id = pick(2) ? 0 : 1 + pick(4),
                                  .order_id = pick(3) ? 0 : 1 + pick(5),
                                  .has_domain = pick(3) == 0,
                                  .domain = slice_of(domains[pick(ROWS(domains))]),
                                  .has_error = pick(4) == 0,
                                  .error = slice_of(errors[2 + pick(2)]),
                                  .zone = &zones[pick(ROWS(zone_names))],
                                  .durations = pick(2)};
}

/* In half of the cases none; else one or several, some with values that no log has. */
static void add_terms(struct report_filter *filter)
{
    struct report_term *terms = filter->terms;
    if (pick(2))
        return;
    for (int by = 0; by < TERMS; by++)
        terms[by].is_set = pick(3) == 0;
    terms[BY_PEER].text = slice_of(peers[pick(ROWS(peers))]);
    terms[BY_WORKER].text = slice_of(pick(4) ? "" : "unknown");
    terms[BY_PORT].number = pick(4) ? 443 : 81;
    ck_assert(ip_parse(slice_of(addresses[pick(ROWS(addresses))]), &terms[BY_IP_OUT].ip));
    ck_assert(ip_parse(slice_of(addresses[pick(ROWS(addresses))]), &terms[BY_IP_FROM].ip));
}

/* In half of the cases nothing; else values of one or several dimensions, or all domains below one. */
static void exclude(struct report_filter *filter)
{
    struct report_term *without = filter->without;
    filter->is_below = filter->domain.len > 0 && pick(2);
    if (pick(2))
        return;
    for (int by = 0; by < DIMENSIONS; by++)
        without[by].is_set = pick(4) == 0;
    without[BY_DOMAIN].text = slice_of(pick(3) ? domains[pick(ROWS(domains))] : "example");
    without[BY_DOMAIN].is_below = without[BY_DOMAIN].text.len > 0 && pick(2);
    without[BY_ERROR].text = slice_of(errors[2 + pick(2)]);
    without[BY_PEER].text = slice_of(peers[pick(ROWS(peers))]);
    without[BY_WORKER].text = without[BY_PROTOCOL].text = slice_of(pick(4) ? "unknown" : "");
    without[BY_PORT].number = pick(4) ? 81 : 443;
    without[BY_ORDER].number = 1 + pick(5);
    without[BY_USER].number = 1 + pick(4);
    ck_assert(ip_parse(slice_of(addresses[pick(ROWS(addresses))]), &without[BY_IP_OUT].ip));
    ck_assert(ip_parse(slice_of(addresses[pick(ROWS(addresses))]), &without[BY_IP_FROM].ip));
}

/* Two answers differ, and the test is about to fail: tells whether the tested one was too early, or logs are lost. */
static void tell_later_answer(const struct report_filter *filter)
{
    struct totals later;
    struct fault fault;
    two_engines_await();
    must(store_summary(readers[TESTED], filter, &later, &fault), &fault);
    printf("asked again: %lld requests\n", (long long)later.count);
    fflush(stdout);
}

static void compare_summaries(const struct report_filter *filter)
{
    struct totals totals[ENGINES];
    struct fault fault;
    for (int i = 0; i < ENGINES; i++)
        must(store_summary(readers[i], filter, &totals[i], &fault), &fault);
    if (totals[TESTED].count != totals[MEMORY].count)
        tell_later_answer(filter);
    check_sums("summary", filter, &totals[0], &totals[1]);
    ck_assert_int_eq(totals[0].first, totals[1].first);
    ck_assert_int_eq(totals[0].last, totals[1].last);
}

static void compare_charts(const struct report_filter *filter)
{
    struct chart charts[ENGINES];
    struct fault fault;
    enum granularity granularity = (enum granularity)(GRANULARITY_15M + pick(5));
    bool fill_zero = pick(2);
    for (int i = 0; i < ENGINES; i++)
        must(store_chart(readers[i], filter, granularity, fill_zero, &charts[i], &fault), &fault);
    ck_assert_uint_eq(charts[0].count, charts[1].count);
    for (size_t i = 0; i < charts[0].count; i++) {
        ck_assert_int_eq(charts[0].points[i].bucket, charts[1].points[i].bucket);
        check_sums("chart", filter, &charts[0].points[i].totals, &charts[1].points[i].totals);
    }
    for (int i = 0; i < ENGINES; i++)
        chart_release(&charts[i]);
}

/* An order by duration needs a filter that asks for durations. */
static enum list_order pick_order(const struct report_filter *filter)
{
    return (enum list_order)pick(filter->durations ? ORDER_DURATION + 1 : ORDER_DURATION);
}

static void compare_breakdowns(const struct report_filter *filter)
{
    struct list lists[ENGINES];
    struct fault fault;
    enum dimension by = (enum dimension)pick(DIMENSIONS);
    enum list_order order = pick_order(filter);
    static const char *const parts[] = {"", "", "a", "WWW", ".EX", "1", ":", "zz"};
    const struct list_ask ask = {
        .by = by, .order = order, .containing = slice_of(parts[pick(ROWS(parts))]), .limit = 1 + (uint64_t)pick(4)};
    for (int i = 0; i < ENGINES; i++)
        must(list_read(readers[i], filter, &ask, &lists[i], &fault), &fault);
    ck_assert_uint_eq(lists[0].count, lists[1].count);
    ck_assert_uint_eq(lists[0].total, lists[1].total);
    check_sums("other", filter, &lists[0].other, &lists[1].other);
    for (size_t i = 0; i < lists[0].count; i++) {
        ck_assert_str_eq(lists[0].rows[i].name, lists[1].rows[i].name);
        check_sums("breakdown", filter, &lists[0].rows[i].totals, &lists[1].rows[i].totals);
    }
    for (int i = 0; i < ENGINES; i++)
        list_release(&lists[i]);
}

static void compare_domains(const struct report_filter *filter)
{
    struct list lists[ENGINES];
    struct fault fault;
    enum list_order order = pick_order(filter);
    uint64_t offset = (uint64_t)pick(3);
    for (int i = 0; i < ENGINES; i++)
        must(list_domains(readers[i], filter, order, offset, 2, &lists[i], &fault), &fault);
    ck_assert_uint_eq(lists[0].count, lists[1].count);
    ck_assert_uint_eq(lists[0].total, lists[1].total);
    for (size_t i = 0; i < lists[0].count; i++) {
        ck_assert_str_eq(lists[0].rows[i].name, lists[1].rows[i].name);
        check_sums("domains", filter, &lists[0].rows[i].totals, &lists[1].rows[i].totals);
    }
    for (int i = 0; i < ENGINES; i++)
        list_release(&lists[i]);
}

static void compare_error(const struct report_filter *filter, const struct listed *a, const struct listed *b)
{
    ck_assert_str_eq(a->name, b->name);
    ck_assert_int_eq(a->totals.errors, b->totals.errors);
    ck_assert_int_eq(a->totals.count, b->totals.count);
    ck_assert(!filter->durations || a->totals.duration_ms == b->totals.duration_ms);
    ck_assert_int_eq(a->totals.first, b->totals.first);
    ck_assert_int_eq(a->totals.last, b->totals.last);
    ck_assert_uint_eq(a->sample_count, b->sample_count);
    for (size_t i = 0; i < a->sample_count; i++)
        ck_assert_str_eq(a->samples[i], b->samples[i]);
}

static void compare_errors(const struct report_filter *filter)
{
    struct list lists[ENGINES];
    struct fault fault;
    const struct list_ask ask = {.by = BY_ERROR,
                                 .samples = true,
                                 .order = ORDER_ERRORS,
                                 .containing = slice_of(pick(3) ? "" : "TIME"),
                                 .limit = 1 + (uint64_t)pick(3)};
    for (int i = 0; i < ENGINES; i++)
        must(list_read(readers[i], filter, &ask, &lists[i], &fault), &fault);
    ck_assert_uint_eq(lists[0].count, lists[1].count);
    for (size_t i = 0; i < lists[0].count; i++)
        compare_error(filter, &lists[0].rows[i], &lists[1].rows[i]);
    for (int i = 0; i < ENGINES; i++)
        list_release(&lists[i]);
}

/* ---- the same logs out ---- */

#define MOST_LINES 20000

struct lines {
    char *text[MOST_LINES];
    size_t count;
    int64_t newest;
};

static bool take_line(void *ctx, const struct log_text *log)
{
    struct lines *lines = ctx;
    struct buf buf;
    buf_init(&buf, 4096);
    log_put_json(&buf, log);
    ck_assert_uint_lt(lines->count, MOST_LINES);
    ck_assert_int_ge(log->record->ts, lines->newest);
    lines->newest = log->record->ts;
    lines->text[lines->count] = strdup(buf_cstr(&buf));
    ck_assert_ptr_nonnull(lines->text[lines->count++]);
    buf_release(&buf);
    return true;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void export_all(struct store_place place, const struct store_export_filter *filter, struct lines *lines)
{
    struct store_export *export = NULL;
    struct fault fault;
    *lines = (struct lines){.newest = INT64_MIN};
    must(store_export_open(place, filter, &export, &fault), &fault);
    for (int64_t at = filter->from; at < filter->to;)
        must(store_export_next(export, take_line, lines, &at, &fault), &fault);
    store_export_close(export);
    if (lines->count)
        qsort(lines->text, lines->count, sizeof *lines->text, by_text); /* within a second, in any order */
}

static void compare_exports(const struct report_filter *report)
{
    static struct lines lines[ENGINES];
    struct store_export_filter filter = {report->from, report->to, report->user_id, report->order_id};
    for (int i = 0; i < ENGINES; i++)
        export_all(places[i], &filter, &lines[i]);
    ck_assert_uint_eq(lines[0].count, lines[1].count);
    for (size_t i = 0; i < lines[0].count; i++) {
        ck_assert_str_eq(lines[0].text[i], lines[1].text[i]);
        free(lines[0].text[i]);
        free(lines[1].text[i]);
    }
}

void two_engines_await(void)
{
    struct report_filter filter = {.from = BEGIN, .to = BEGIN + 1};
    struct totals totals;
    struct fault fault;
    int64_t deadline_ms = mono_ms() + PATIENCE_MS;
    while (store_summary(readers[TESTED], &filter, &totals, &fault)) {
        ck_assert_msg(mono_ms() < deadline_ms, "%s", fault.detail);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* some refusals come at once */
    }
}

void two_engines_ask(int questions)
{
    for (int i = 0; i < questions; i++) {
        struct report_filter filter = random_filter();
        add_terms(&filter);
        exclude(&filter);
        compare_summaries(&filter);
        compare_charts(&filter);
        compare_breakdowns(&filter);
        compare_domains(&filter);
        compare_errors(&filter);
        if (i % EXPORT_EACH == 0)
            compare_exports(&filter);
    }
}

void two_engines_compare_states(void)
{
    struct report_filter filter = {.from = BEGIN, .to = BEGIN + DAYS * WHEN_DAY};
    struct store_state before[ENGINES], again, after;
    struct batch batch;
    struct fault fault;
    batch_init(&batch, NULL);
    add_log(&batch, BEGIN + WHEN_DAY);
    for (int i = 0; i < ENGINES; i++) {
        must(store_hold(readers[i], &filter, &before[i], &fault), &fault);
        must(store_hold(readers[i], &filter, &again, &fault), &fault);
        ck_assert_mem_eq(before[i].bytes, again.bytes, sizeof again.bytes);
        store_let_go(readers[i]);
    }
    ck_assert_int_eq(write_both(&batch, NULL, 0).result, OK);
    for (int i = 0; i < ENGINES; i++) {
        must(store_hold(readers[i], &filter, &after, &fault), &fault);
        ck_assert_mem_ne(before[i].bytes, after.bytes, sizeof after.bytes);
        store_let_go(readers[i]);
    }
    batch_release(&batch);
}
