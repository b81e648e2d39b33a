/* test_engines.c: two engines behind store.h: SQLite, and one that counts every report anew from all logs. The same
 * batches go to both; then both are asked the same random questions, on the clocks of several zones.
 *
 * Planted, and found: the two parts of a day that a zone's midnight cuts, changed for each other in chart.c. */
#include "format/log_out.h"
#include "support/lists.h"
#include "store/sqlite/sqlite.h"
#include "support/memory_store.h"
#include "support/runner.h"
#include "time/when.h"
#include "time/zone_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define BEGIN INT64_C(1824336000) /* 2027-10-24: to 2027-11-22, over the end of summer time */
#define DAYS 30
#define BATCHES 120
#define BATCH_LOGS 12
#define QUESTIONS 150

static const char *const domains[] = {"a.example", "b.example", "c.example", ""};
static const char *const errors[] = {"", "", "timeout", "refused"};
static const char *const peers[] = {"", "peer-1", "peer-2"};
static const char *const addresses[] = {"", "1.2.3.4", "2001:db8::1", "::"};
static const char *const zone_names[] = {"UTC", "Europe/Kyiv", "America/St_Johns", "Asia/Kolkata"};
static struct zone zones[4];

static unsigned long rng = 1;

static int64_t pick(int64_t n)
{
    rng = rng * 6364136223846793005ul + 1442695040888963407ul;
    return (int64_t)((rng >> 33) % (unsigned long)n);
}

enum { SQLITE, MEMORY, ENGINES };
static char folder[64];
static struct store_writer *writers[ENGINES];
static struct store_reader *readers[ENGINES];

static void set_up(void)
{
    struct fault fault;
    memcpy(folder, "/tmp/test_engines.XXXXXX", sizeof "/tmp/test_engines.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    const struct store_place places[ENGINES] = {store_in(folder), memory_store_place()};
    for (int i = 0; i < ENGINES; i++) {
        ck_assert_msg(store_writer_open(places[i], &writers[i], &fault) == OK, "%s", fault.detail);
        ck_assert_msg(store_reader_open(places[i], &readers[i], &fault) == OK, "%s", fault.detail);
    }
    for (int64_t i = 0; i < ROWS(zone_names); i++)
        ck_assert_int_eq(zone_load(slice_of(zone_names[i]), &zones[i], &fault), OK);
}

static void tear_down(void)
{
    static const char *const files[] = {"analytics.db", "analytics.db-wal", "analytics.db-shm", "lock"};
    char path[128];
    for (int i = 0; i < ENGINES; i++) {
        store_reader_close(readers[i]);
        store_writer_close(writers[i]);
    }
    memory_store_clear();
    for (int64_t i = 0; i < ROWS(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

/* ---- the same batches ---- */

static void intern(struct batch *batch, struct log_record *log, enum name_field field, const char *text)
{
    ck_assert_int_eq(batch_intern(batch, slice_of(text), &log->name[field]), OK);
}

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
                             .max_concurrency = pick(10)};
    intern(batch, &log, NAME_DOMAIN, domains[pick(ROWS(domains))]);
    intern(batch, &log, NAME_ERROR, errors[pick(ROWS(errors))]);
    intern(batch, &log, NAME_PEER, peers[pick(ROWS(peers))]);
    ck_assert(ip_parse(slice_of(addresses[pick(ROWS(addresses))]), &log.ip_out));
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

/* Both give the same result. */
static struct store_item write_both(const struct batch *batch, const char *key, int body)
{
    struct store_item items[ENGINES];
    struct store_times times;
    for (int i = 0; i < ENGINES; i++) {
        items[i] = (struct store_item){
            .batch = batch, .caller = "worker", .idempotency_key = key, .body_hash = {(unsigned char)body}};
        store_write(writers[i], &items[i], 1, 1000, &times);
    }
    ck_assert_int_eq(items[SQLITE].result, items[MEMORY].result);
    ck_assert_int_eq(items[SQLITE].replayed, items[MEMORY].replayed);
    return items[MEMORY];
}

static void maintain_both(int slices)
{
    struct fault fault;
    for (int i = 0; i < ENGINES; i++) {
        bool more = true;
        for (int slice = 0; more && slice < slices; slice++)
            ck_assert_int_eq(store_maintain(writers[i], BEGIN + 90 * WHEN_DAY, INT32_MAX, &more, &fault), OK);
    }
}

/* Every fourth comes twice, and then with another body. */
static void write_all(void)
{
    for (int i = 0; i < BATCHES; i++) {
        struct batch batch;
        char key[16];
        batch_init(&batch, NULL);
        for (int j = 0; j < BATCH_LOGS; j++)
            add_log(&batch, BEGIN + 4 * (int64_t)WHEN_DAY + (DAYS - 4) * (int64_t)WHEN_DAY * i / BATCHES);
        snprintf(key, sizeof key, "key-%d", i);
        ck_assert_int_eq(write_both(&batch, key, 1).result, OK);
        if (i % 4 == 0) {
            ck_assert(write_both(&batch, key, 1).replayed);
            ck_assert_int_eq(write_both(&batch, key, 2).result, ERR_IDEMPOTENCY_KEY_REUSED);
        }
        maintain_both((int)pick(5));
        batch_release(&batch);
    }
}

/* ---- the same questions ---- */

static void check_sums(const char *what, const struct totals *a, const struct totals *b)
{
    ck_assert_msg(a->count == b->count && a->bytes_sent == b->bytes_sent && a->bytes_received == b->bytes_received &&
                      a->errors == b->errors && a->max_concurrency == b->max_concurrency,
                  "%s: %lld and %lld logs", what, (long long)a->count, (long long)b->count);
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
                                  .zone = &zones[pick(ROWS(zone_names))]};
}

static void compare_summaries(const struct report_filter *filter)
{
    struct totals totals[ENGINES];
    struct fault fault;
    for (int i = 0; i < ENGINES; i++)
        ck_assert_int_eq(store_summary(readers[i], filter, &totals[i], &fault), OK);
    check_sums("summary", &totals[0], &totals[1]);
    ck_assert_int_eq(totals[0].first, totals[1].first);
    ck_assert_int_eq(totals[0].last, totals[1].last);
}

static void compare_charts(const struct report_filter *filter)
{
    struct chart charts[ENGINES];
    struct fault fault;
    enum granularity granularity = (enum granularity)pick(GRANULARITY_MONTH + 1);
    bool fill_zero = pick(2);
    for (int i = 0; i < ENGINES; i++)
        ck_assert_int_eq(store_chart(readers[i], filter, granularity, fill_zero, &charts[i], &fault), OK);
    ck_assert_uint_eq(charts[0].count, charts[1].count);
    for (size_t i = 0; i < charts[0].count; i++) {
        ck_assert_int_eq(charts[0].points[i].bucket, charts[1].points[i].bucket);
        check_sums("chart", &charts[0].points[i].totals, &charts[1].points[i].totals);
    }
    for (int i = 0; i < ENGINES; i++)
        chart_release(&charts[i]);
}

static void compare_breakdowns(const struct report_filter *filter)
{
    struct list lists[ENGINES];
    struct fault fault;
    enum dimension by = (enum dimension)pick(DIMENSIONS);
    enum list_order order = pick(2) ? ORDER_BYTES : ORDER_COUNT;
    size_t limit = 1 + (size_t)pick(4);
    for (int i = 0; i < ENGINES; i++)
        ck_assert_int_eq(list_read(readers[i], filter, &(struct list_ask){.by = by, .order = order, .limit = limit},
                                   &lists[i], &fault),
                         OK);
    ck_assert_uint_eq(lists[0].count, lists[1].count);
    ck_assert_uint_eq(lists[0].total, lists[1].total);
    check_sums("other", &lists[0].other, &lists[1].other);
    for (size_t i = 0; i < lists[0].count; i++) {
        ck_assert_str_eq(lists[0].rows[i].name, lists[1].rows[i].name);
        check_sums("breakdown", &lists[0].rows[i].totals, &lists[1].rows[i].totals);
    }
    for (int i = 0; i < ENGINES; i++)
        list_release(&lists[i]);
}

static void compare_domains(const struct report_filter *filter)
{
    struct list lists[ENGINES];
    struct fault fault;
    enum list_order order = pick(2) ? ORDER_BYTES : ORDER_COUNT;
    uint64_t offset = (uint64_t)pick(3);
    for (int i = 0; i < ENGINES; i++)
        ck_assert_int_eq(list_domains(readers[i], filter, order, offset, 2, &lists[i], &fault), OK);
    ck_assert_uint_eq(lists[0].count, lists[1].count);
    ck_assert_uint_eq(lists[0].total, lists[1].total);
    for (size_t i = 0; i < lists[0].count; i++) {
        ck_assert_str_eq(lists[0].rows[i].name, lists[1].rows[i].name);
        check_sums("domains", &lists[0].rows[i].totals, &lists[1].rows[i].totals);
    }
    for (int i = 0; i < ENGINES; i++)
        list_release(&lists[i]);
}

static void compare_error(const struct listed *a, const struct listed *b)
{
    ck_assert_str_eq(a->name, b->name);
    ck_assert_int_eq(a->totals.errors, b->totals.errors);
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
    for (int i = 0; i < ENGINES; i++)
        ck_assert_int_eq(list_errors(readers[i], filter, 1 + (size_t)(rng % 3), &lists[i], &fault), OK);
    ck_assert_uint_eq(lists[0].count, lists[1].count);
    for (size_t i = 0; i < lists[0].count; i++)
        compare_error(&lists[0].rows[i], &lists[1].rows[i]);
    for (int i = 0; i < ENGINES; i++)
        list_release(&lists[i]);
}

/* ---- the same logs out ---- */

#define MOST_LINES (BATCHES * BATCH_LOGS)

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
    ck_assert_int_eq(store_export_open(place, filter, &export, &fault), OK);
    for (int64_t at = filter->from; at < filter->to;)
        ck_assert_int_eq(store_export_next(export, take_line, lines, &at, &fault), OK);
    store_export_close(export);
    if (lines->count)
        qsort(lines->text, lines->count, sizeof *lines->text, by_text); /* within a second, in any order */
}

static void compare_exports(const struct report_filter *report)
{
    static struct lines lines[ENGINES];
    struct store_export_filter filter = {report->from, report->to, report->user_id, report->order_id};
    export_all(store_in(folder), &filter, &lines[SQLITE]);
    export_all(memory_store_place(), &filter, &lines[MEMORY]);
    ck_assert_uint_eq(lines[0].count, lines[1].count);
    for (size_t i = 0; i < lines[0].count; i++) {
        ck_assert_str_eq(lines[0].text[i], lines[1].text[i]);
        free(lines[0].text[i]);
        free(lines[1].text[i]);
    }
}

START_TEST(two_engines_answer_alike)
{
    write_all();
    for (int i = 0; i < QUESTIONS; i++) {
        struct report_filter filter = random_filter();
        compare_summaries(&filter);
        compare_charts(&filter);
        compare_breakdowns(&filter);
        compare_domains(&filter);
        compare_errors(&filter);
        compare_exports(&filter);
    }
}
END_TEST

/* Before and after a batch, what is stored is not the same. */
START_TEST(a_state_is_of_what_is_stored)
{
    struct report_filter filter = {.from = BEGIN, .to = BEGIN + DAYS * WHEN_DAY};
    struct store_state before[ENGINES], again, after;
    struct batch batch;
    struct fault fault;
    batch_init(&batch, NULL);
    add_log(&batch, BEGIN + WHEN_DAY);
    for (int i = 0; i < ENGINES; i++) {
        ck_assert_int_eq(store_hold(readers[i], &filter, &before[i], &fault), OK);
        ck_assert_int_eq(store_hold(readers[i], &filter, &again, &fault), OK);
        ck_assert_mem_eq(before[i].bytes, again.bytes, sizeof again.bytes);
        store_let_go(readers[i]);
    }
    ck_assert_int_eq(write_both(&batch, NULL, 0).result, OK);
    for (int i = 0; i < ENGINES; i++) {
        ck_assert_int_eq(store_hold(readers[i], &filter, &after, &fault), OK);
        ck_assert_mem_ne(before[i].bytes, after.bytes, sizeof after.bytes);
        store_let_go(readers[i]);
    }
    batch_release(&batch);
}
END_TEST

START_TEST(an_engine_has_a_name)
{
    ck_assert_ptr_eq(store_engine_find("sqlite"), store_in("").engine);
    ck_assert_ptr_null(store_engine_find("memory"));
    ck_assert_ptr_null(store_engine_find(""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engines");
    TCase *tcase = suite_case(suite, "alike");
    sqlite_setup(false);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, two_engines_answer_alike);
    tcase_add_test(tcase, a_state_is_of_what_is_stored);
    tcase_add_test(tcase, an_engine_has_a_name);
    return suite_run(suite);
}
