/* test_faults.c: the n-th read, write, sync, truncate, open, lock or allocation fails, once or from then on, for every
 * n until the work gets through. Each batch is stored and counted once, or refused and nothing of it is there, also
 * after a restart. Writing goes on by itself once the fault is over, except after a failed sync, which needs a restart.
 * ANALYTICS_LONG=1 tries every allocation, not some.
 *
 * Seen to fail on four bugs, each of which the store once had:
 *
 *   store_write() without withdraw(): "sync 2 fails once: refused batch 6 is there", and the same of a write that was
 *   done though it failed.
 *
 *   withdraw() with synchronous=FULL: "sync 5 fails for ever: refused batch 6 is there"
 *
 *   store_writer_probe() that sets a row to the value it has: "write 3 fails for ever: still, and yet health is well"
 *
 *   db_begin() without the rollback: "memory of SQLite 5615 fails for ever: it is over, and yet: …/analytics.db: cannot
 *   start a transaction within a transaction" */
#include "support/campaign.h"
#include "support/fixture.h"
#include "support/ledger.h"
#include "support/lists.h"
#include "support/memory.h"
#include "store/sqlite/write/writer.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct image ground;         /* files with some batches, a part of them still in the WAL */
static struct ledger ground_ledger; /* what is in them */

/* ---- faults ---- */

struct fault_row {
    const char *name;
    int calls;  /* enum disk_call, or 0: an allocation */
    int answer; /* the result that SQLite gets */
    bool do_it; /* the call is done, although it reports a failure */
    enum memory_user user;
};

static const struct fault_row rows[] = {
    {.name = "write", .calls = DISK_WRITE, .answer = SQLITE_IOERR_WRITE},
    {.name = "write, done yet", .calls = DISK_WRITE, .answer = SQLITE_IOERR_WRITE, .do_it = true},
    {.name = "disk full", .calls = DISK_WRITE, .answer = SQLITE_FULL},
    {.name = "sync", .calls = DISK_SYNC, .answer = SQLITE_IOERR_FSYNC},
    {.name = "truncate", .calls = DISK_TRUNCATE, .answer = SQLITE_IOERR_TRUNCATE},
    {.name = "open", .calls = DISK_OPEN, .answer = SQLITE_CANTOPEN},
    {.name = "delete", .calls = DISK_DELETE, .answer = SQLITE_IOERR_DELETE},
    {.name = "read", .calls = DISK_READ, .answer = SQLITE_IOERR_READ},
    {.name = "lock", .calls = DISK_LOCK, .answer = SQLITE_IOERR_LOCK},
    {.name = "map", .calls = DISK_MAP, .answer = SQLITE_IOERR_SHMMAP},
    {.name = "memory of SQLite", .user = MEMORY_SQLITE},
    {.name = "memory of ours", .user = MEMORY_OURS},
};

/* The fault of this run. */
static const struct fault_row *row;
static enum duration { ONCE, FOR_EVER, ONCE_THEN_RESTART, UNTIL_RESTART, DURATIONS } duration;
static const char *const durations[] = {"once", "for ever", "once, then a restart", "until a restart"};
static bool armed;
static size_t calls, fail_at, failed;
static char about[128];

static bool is_lasting(void)
{
    return duration == FOR_EVER || duration == UNTIL_RESTART;
}

static int fail_call(struct disk_event *event)
{
    if (!armed || !((int)event->call & row->calls))
        return SQLITE_OK;
    calls++;
    if (calls < fail_at || (calls > fail_at && !is_lasting()))
        return SQLITE_OK;
    failed++;
    event->do_it = row->do_it;
    return row->answer;
}

static void arm(size_t n)
{
    calls = failed = 0;
    fail_at = n;
    armed = true;
    if (!row->calls)
        memory_fail(row->user, n, is_lasting());
    snprintf(about, sizeof about, "%s %zu fails %s", row->name, n, durations[duration]);
}

static void mend(void)
{
    armed = false;
    memory_mend();
}

static bool has_failed(void)
{
    return row->calls ? failed > 0 : memory_failed() > 0;
}

/* ---- the work: batches made beforehand, so that only the store meets the fault ---- */

#define GROUND_BATCHES 6
#define BATCHES 8 /* after these, in groups of one or two; the last one tries whether writing works again */

static struct ledger_batch made[GROUND_BATCHES + BATCHES];
static int64_t counts[GROUND_BATCHES + BATCHES]; /* the requests in each */
static int64_t errors[GROUND_BATCHES + BATCHES]; /* and the failed ones of its logs that name an error */

static struct ledger ledger; /* of this run */
static bool sync_failed;

static void make_batches(const struct ledger *of)
{
    for (int i = 0; i < GROUND_BATCHES + BATCHES; i++) {
        ledger_batch_make(&made[i], of, i);
        counts[i] = errors[i] = 0;
        for (uint32_t j = 0; j < made[i].batch.log_count; j++) {
            const struct log_record *log = &made[i].batch.logs[j];
            counts[i] += log->count;
            errors[i] += batch_name(&made[i].batch, log->name[NAME_ERROR]).len ? log->error_count : 0;
        }
    }
}

/* Of `each`, which is counts or errors, those of the batches that are stored. */
static int64_t stored_sum(const int64_t *each)
{
    int64_t sum = 0;
    for (int i = 0; i < ledger.count; i++)
        sum += ledger.fate[i] == WHOLE ? each[i] : 0;
    return sum;
}

/* Called after each write. Health reports a refused group until the next one, and a failed sync until a restart. */
static void look_at_health(struct store_writer *writer, bool refused)
{
    struct fault fault = {0};
    if (row->calls == DISK_SYNC && has_failed())
        sync_failed = true;
    enum err health = store_writer_health(writer, &fault);
    ck_assert_msg((health != OK) == (refused || sync_failed), "%s: health says %d: %s", about, health, fault.detail);
}

/* A disk that writes but reports a failure, until the end: the refused batch cannot be taken back, and may
 * be stored. */
static enum fate refused_fate(void)
{
    return row->do_it && duration == UNTIL_RESTART ? EITHER : ABSENT;
}

static void write_group(struct store_writer *writer, int count)
{
    struct store_item items[2];
    struct store_times times;
    int first = ledger.count;
    bool over = has_failed() && (!is_lasting() || !armed) && !sync_failed, was_stopped = sync_failed;
    ledger.count += count;
    for (int i = 0; i < count; i++)
        items[i] = ledger_item(&made[first + i], first + i);
    memory_enter();
    store_write(writer, items, (size_t)count, 1000, &times);
    memory_leave();
    for (int i = 0; i < count; i++) {
        ledger.fate[first + i] = (unsigned char)(items[i].result == OK ? WHOLE : refused_fate());
        ck_assert_msg(items[i].result == items[0].result, "%s: half a group", about);
        ck_assert_msg(items[i].result == OK || items[i].result == ERR_UNAVAILABLE, "%s: %d", about, items[i].result);
    }
    ck_assert_msg(!over || items[0].result == OK, "%s: it is over, and yet: %s", about, items[0].fault.detail);
    ck_assert_msg(!was_stopped || items[0].result != OK, "%s: written after a failed sync", about);
    look_at_health(writer, items[0].result != OK);
}

/* Hours, days and a checkpoint. */
static void upkeep(struct store_writer *writer, int slices)
{
    struct fault fault;
    bool more = true;
    for (int i = 0; more && i < slices; i++) {
        sqlite_writer_of(writer)->wal.checkpoint_at = i == slices / 2 ? 1 : INT_MAX;
        memory_enter();
        enum err err = store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault);
        memory_leave();
        if (err)
            look_at_health(writer, true);
    }
}

static int64_t chart_sum(struct store_reader *reader, const struct report_filter *filter)
{
    struct chart chart = {0};
    struct fault fault;
    int64_t sum = 0;
    if (store_chart(reader, filter, GRANULARITY_HOUR, true, &chart, &fault))
        return -1;
    for (size_t i = 0; i < chart.count; i++)
        sum += chart.points[i].totals.count;
    chart_release(&chart);
    return sum;
}

static int64_t domains_sum(struct store_reader *reader, const struct report_filter *filter)
{
    struct list list = {0};
    struct fault fault;
    int64_t sum = 0;
    if (list_domains(reader, filter, ORDER_COUNT, 0, 1000, &list, &fault))
        return -1;
    for (size_t i = 0; i < list.count; i++)
        sum += list.rows[i].totals.count;
    list_release(&list);
    return sum;
}

static int64_t summary_sum(struct store_reader *reader, const struct report_filter *filter)
{
    struct totals totals = {0};
    struct fault fault;
    return store_summary(reader, filter, &totals, &fault) ? -1 : totals.count;
}

/* Asks for a single row: all other values are in `other`. */
static int64_t breakdown_sum(struct store_reader *reader, const struct report_filter *filter, enum dimension by)
{
    struct list breakdown = {0};
    struct fault fault;
    if (list_read(reader, filter, &(struct list_ask){.by = by, .order = ORDER_COUNT, .limit = 1}, &breakdown, &fault))
        return -1;
    int64_t sum = breakdown.other.count;
    for (size_t i = 0; i < breakdown.count; i++)
        sum += breakdown.rows[i].totals.count;
    list_release(&breakdown);
    return sum;
}

static int64_t errors_sum(struct store_reader *reader, const struct report_filter *filter)
{
    struct list list = {0};
    struct fault fault;
    int64_t sum = 0;
    if (list_errors(reader, filter, 100, &list, &fault))
        return -1;
    for (size_t i = 0; i < list.count; i++)
        sum += list.rows[i].totals.errors;
    list_release(&list);
    return sum;
}

static void check_sum(const char *report, int64_t sum, const int64_t *each)
{
    ck_assert_msg(sum == stored_sum(each) || (sum < 0 && has_failed()), "%s: %s says %lld instead of %lld", about,
                  report, (long long)sum, (long long)stored_sum(each));
}

/* A report is right, or fails. */
static void read_reports(void)
{
    struct store_reader *reader = NULL;
    struct fault fault;
    int64_t chart = -1, domains = -1, summary = -1, addresses = -1, orders = -1, failures = -1;
    struct report_filter filter = {.from = LEDGER_BEGIN - 4 * INT64_C(86400), .to = LEDGER_BEGIN + 4 * INT64_C(86400)};
    memory_enter();
    enum err err = store_reader_open(store_in(folder), &reader, &fault);
    if (!err) {
        chart = chart_sum(reader, &filter);
        domains = domains_sum(reader, &filter);
        summary = summary_sum(reader, &filter);
        addresses = breakdown_sum(reader, &filter, BY_IP_OUT);
        orders = breakdown_sum(reader, &filter, BY_ORDER);
        failures = errors_sum(reader, &filter);
    }
    store_reader_close(reader);
    memory_leave();
    ck_assert_msg(!err || has_failed(), "%s: %s", about, fault.detail);
    check_sum("the chart", chart, counts);
    check_sum("the list of domains", domains, counts);
    check_sum("the summary", summary, counts);
    check_sum("the breakdown by address", addresses, counts);
    check_sum("the breakdown by order", orders, counts);
    check_sum("the list of errors", failures, errors);
}

/* As long as writes or syncs fail, a probe does not report the writer as healthy. */
static void probe(struct store_writer *writer)
{
    struct fault fault;
    bool failing = armed && is_lasting() && row->calls == DISK_WRITE && has_failed();
    memory_enter();
    store_writer_probe(writer);
    memory_leave();
    sync_failed |= row->calls == DISK_SYNC && has_failed();
    ck_assert_msg(!(failing || sync_failed) || store_writer_health(writer, &fault) != OK,
                  "%s: still, and yet health is well", about);
}

static bool is_stopped(void)
{
    return duration >= ONCE_THEN_RESTART && has_failed();
}

static void work(struct store_writer *writer)
{
    write_group(writer, 2);
    for (int i = 0; i < 3 && !is_stopped(); i++) {
        upkeep(writer, 6);
        if (!is_stopped())
            write_group(writer, 1);
        if (i == 0)
            read_reports();
        if (!is_stopped())
            probe(writer);
    }
}

/* The fault is over: writing works again without a restart, unless a sync has failed. */
static void recover(struct store_writer *writer)
{
    struct fault fault;
    mend();
    if (!sync_failed) {
        store_writer_probe(writer);
        ck_assert_msg(store_writer_health(writer, &fault) == OK, "%s: it is over, and yet: %s", about, fault.detail);
    }
    write_group(writer, 1);
    ck_assert_msg((ledger.fate[ledger.count - 1] == WHOLE) == !sync_failed, "%s: last batch", about);
}

/* Opened again, the database holds what was answered OK and nothing else. The first batch of the run can be sent again.
 */
static void check_stored(void)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    ck_assert_msg(store_writer_open(store_in(folder), &writer, &fault) == OK, "%s: %s", about, fault.detail);
    ledger_check(&ledger, folder, about);
    struct store_item item = ledger_write(writer, &ledger, GROUND_BATCHES);
    ck_assert_int_eq(item.result, OK);
    ck_assert_int_eq(item.replayed, ledger.count > GROUND_BATCHES && ledger.fate[GROUND_BATCHES] == WHOLE);
    store_writer_close(writer);
}

/* Returns whether the fault has struck. */
static bool try_fault(size_t n)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    image_write(&ground, folder);
    ledger = ground_ledger;
    sync_failed = false;
    arm(n);
    memory_enter();
    enum err err = store_writer_open(store_in(folder), &writer, &fault);
    memory_leave();
    if (!err) {
        sync_failed = row->calls == DISK_SYNC && has_failed();
        sqlite_set_slice(sqlite_writer_of(writer), 1);
        work(writer);
    }
    if (!err && !is_stopped())
        recover(writer);
    mend();
    store_writer_close(writer);
    bool struck = has_failed();
    ck_assert_msg(writer || struck, "%s: %s", about, fault.detail);
    check_stored();
    return struck;
}

/* ---- tests ---- */

static void set_up(void)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    struct fault_row none = {0};
    row = &none;
    memory_install();
    disk_install(fail_call);
    folder_make();
    ground_ledger = (struct ledger){.logs = 3, .pause = 5 * 3600};
    make_batches(&ground_ledger);
    ck_assert_int_eq(store_writer_open(store_in(folder), &writer, &fault), OK);
    for (; ground_ledger.count < GROUND_BATCHES; ground_ledger.count++) {
        ck_assert_int_eq(ledger_write(writer, &ground_ledger, ground_ledger.count).result, OK);
        ground_ledger.fate[ground_ledger.count] = WHOLE;
    }
    store_writer_close(writer);
    image_read(&ground, folder);
    row = &rows[0];
}

static void tear_down(void)
{
    disk_install(NULL);
    for (int i = 0; i < GROUND_BATCHES + BATCHES; i++)
        batch_release(&made[i].batch);
    image_release(&ground);
    ledger_remove_folder(folder);
}

/* Of SQLite's allocations fewer: it makes thousands, mostly while it prepares statements. */
static size_t next_n(size_t n)
{
    return campaign_next(n, !row->calls && row->user == MEMORY_SQLITE ? 14 : 18);
}

START_TEST(each_fault)
{
    size_t tried = 0, n = 1;
    row = &rows[_i / DURATIONS];
    duration = (enum duration)(_i % DURATIONS);
    sqlite3_int64 used = sqlite3_memory_used();
    while (try_fault(n)) {
        ck_assert_msg(sqlite3_memory_used() == used, "%s: a leak of %lld bytes", about,
                      (long long)(sqlite3_memory_used() - used));
        n = next_n(n);
        tried++;
    }
    printf("%s, %s: %zu faults, the last of them n = %zu\n", row->name, durations[duration], tried, n - 1);
}
END_TEST

/* The database is made, or it can be made later. */
static bool try_making(size_t n)
{
    static const struct image nothing;
    struct fault fault;
    image_write(&nothing, folder);
    ledger = (struct ledger){.logs = 3, .pause = 3600};
    arm(n);
    memory_enter();
    enum err err = sqlite_create(folder, &fault);
    memory_leave();
    mend();
    ck_assert_msg(!err || has_failed(), "%s: %s", about, fault.detail);
    err = sqlite_create(folder, &fault);
    ck_assert_msg(err == OK, "%s: %s", about, fault.detail);
    check_stored();
    return has_failed();
}

START_TEST(each_fault_while_the_database_is_made)
{
    size_t n = 1;
    row = &rows[_i / DURATIONS];
    duration = (enum duration)(_i % DURATIONS);
    if (duration > FOR_EVER)
        return;
    while (try_making(n))
        n = next_n(n);
}
END_TEST

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Not an injected fault: the kernel refuses to make the WAL longer, as on a full disk. */
START_TEST(a_full_disk)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    disk_install(NULL);
    image_write(&ground, folder);
    ledger = ground_ledger;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(store_writer_open(store_in(folder), &writer, &fault), OK);
    write_group(writer, 1);
    limit_files(5000); /* the WAL was restarted, and has one group in it */
    for (int i = 0; i < 2; i++) {
        write_group(writer, 1);
        ck_assert_int_eq(ledger.fate[ledger.count - 1], ABSENT);
        store_writer_probe(writer);
        read_reports();
    }
    limit_files(4500);
    store_writer_probe(writer);
    ck_assert_int_ne(store_writer_health(writer, &fault), OK);
    limit_files(before.rlim_cur);
    write_group(writer, 1); /* by itself */
    ck_assert_int_eq(ledger.fate[ledger.count - 1], WHOLE);
    store_writer_close(writer);
    check_stored();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *tcase = suite_case(suite, "faults");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, each_fault, 0, DURATIONS * ROWS(rows));
    tcase_add_loop_test(tcase, each_fault_while_the_database_is_made, 0, DURATIONS * ROWS(rows));
    tcase_add_test(tcase, a_full_disk);
    return suite_run(suite);
}
