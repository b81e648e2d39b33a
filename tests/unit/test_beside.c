/* test_beside.c: closing whose slices a thread reads while batches are written: what is closed equals the logs,
 * whatever comes meanwhile, and it gets on. Compared with a recount in plain SQL and with verify.
 *
 * Planted to see it fail: late logs that don't spoil a slice ("late logs"), a slice that is tried beside for ever
 * ("nothing is closed"). */
#include "support/fixture.h"
#include "support/lists.h"
#include "support/parts.h"
#include "support/recount.h"
#include "store/sqlite/sqlite.h"
#include "time/when.h"

#include <semaphore.h>
#include <stdio.h>

#define BEGIN INT64_C(1829606400) /* 2027-12-24 */
#define NOW (INT64_MAX / 4)       /* later than every log */

static struct store_writer *writer;
static sem_t slices; /* that were read */

static void note_slice(void *ctx)
{
    (void)ctx;
    sem_post(&slices);
}

static void begin(void)
{
    struct fault fault;
    writer = open_writer(folder);
    ck_assert_int_eq(store_writer_set_wake(writer, &(struct store_wake){.wake = note_slice}, &fault), OK);
}

static void set_up(void)
{
    ck_assert_int_eq(sem_init(&slices, 0, 0), 0);
    folder_make();
    begin();
}

static void tear_down(void)
{
    store_writer_close(writer);
    sem_destroy(&slices);
    folder_remove();
}

/* ---- logs ---- */

static void add(struct batch *batch, int64_t ts)
{
    static const char *const names[] = {"a.example", "b.example", "c.example", "d.example"};
    struct log_record log = {.ts = ts,
                             .user_id = 1 + pick(5),
                             .order_id = 1 + pick(3),
                             .port = (uint16_t)(1 + pick(3)),
                             .count = pick(9),
                             .bytes_sent = pick(1000),
                             .bytes_received = pick(1000),
                             .error_count = pick(2),
                             .max_concurrency = pick(50),
                             .duration_ms = pick(100)};
    log.name[NAME_WORKER] = intern(batch, names[pick(2)]);
    log.name[NAME_DOMAIN] = intern(batch, names[pick(4)]);
    log.name[NAME_ERROR] = intern(batch, pick(3) ? "" : "timeout");
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

/* `count` logs between from and to. */
static void write_logs(int count, int64_t from, int64_t to)
{
    struct batch batch;
    struct store_times times;
    batch_init(&batch, NULL);
    for (int i = 0; i < count; i++)
        add(&batch, from + pick(to - from));
    struct store_item item = {.batch = &batch, .caller = "worker"};
    store_write(writer, &item, 1, BEGIN, &times);
    ck_assert_msg(item.result == OK, "%s", item.fault.detail);
    batch_release(&batch);
}

/* One step of upkeep; true while it has more. */
static bool step(void)
{
    struct fault fault;
    bool more = false;
    ck_assert_msg(store_maintain(writer, NOW, NOW, &more, &fault) == OK, "%s", fault.detail);
    return more;
}

/* All that is due, as a service does it that has no batches. */
static void rest(void)
{
    do {
        while (sem_trywait(&slices) == 0)
            ;
        while (step())
            ;
    } while (sqlite_reads_beside(sqlite_writer_of(writer)) && sem_wait(&slices) == 0);
}

static int64_t closed(const char *what)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT %s FROM closing", what);
    return ask_plain(folder, sql);
}

static void check_all(const char *about)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    parts_show(db);
    ck_assert_msg(recount_differences(db) == 0, "%s", about);
    sqlite3_close(db);
    verify_clean(folder, 0, about);
}

/* ---- whatever comes meanwhile ---- */

/* Seventeen days, an hour at a time. Every few steps a log is late, by minutes or by days; the writer closes and opens.
 */
START_TEST(late_logs_and_restarts_spoil_nothing)
{
    int hours = 17 * 24;
    seed((uint64_t)_i + 1);
    sqlite_set_slice(sqlite_writer_of(writer), 40 + (size_t)_i * 60);
    for (int hour = 0; hour < hours; hour++) {
        int64_t at = BEGIN + hour * WHEN_HOUR;
        write_logs(1 + (int)pick(12), at, at + WHEN_HOUR);
        for (int64_t steps = pick(12); steps > 0; steps--) {
            step();
            if (hour > 0 && pick(5) == 0)
                write_logs(1 + (int)pick(3), pick(2) ? BEGIN : at - WHEN_HOUR, at);
            if (pick(3) == 0)
                sem_trywait(&slices);
        }
        if (pick(60) == 0) {
            store_writer_close(writer); /* perhaps a slice is being read */
            begin();
            sqlite_set_slice(sqlite_writer_of(writer), 40 + (size_t)_i * 60);
        }
    }
    rest();
    ck_assert_int_eq(closed("closed_day"), BEGIN / WHEN_DAY + 16);
    ck_assert_int_gt(ask_plain(folder, "SELECT count(*) FROM rollup_chunk WHERE tier = 4"), 0);
    check_all("late logs");
}
END_TEST

/* ---- it gets on ---- */

/* A log for the hour comes while each slice is read: it can't be used, and once that was so a few times, the writer
 * reads by itself. */
START_TEST(a_late_log_for_each_slice_does_not_keep_hours_open)
{
    write_logs(50, BEGIN, BEGIN + WHEN_HOUR);
    write_logs(1, BEGIN + 2 * WHEN_HOUR, BEGIN + 2 * WHEN_HOUR + 1);
    int spoiled = 0;
    for (; spoiled < 20 && closed("closed_hour") == 0; spoiled++) {
        step();
        bool is_beside = sqlite_reads_beside(sqlite_writer_of(writer));
        write_logs(1, BEGIN, BEGIN + WHEN_HOUR);
        if (is_beside)
            sem_wait(&slices);
    }
    ck_assert_msg(closed("closed_hour") > 0, "nothing is closed");
    ck_assert_int_gt(spoiled, 1); /* the first one was not used */
    rest();
    check_all("a late log for each slice");
}
END_TEST

/* Whoever has no batches to write does all at once, and leaves nothing to the thread. */
START_TEST(settling_waits_for_nobody)
{
    static const struct watch nobody;
    struct fault fault;
    write_logs(200, BEGIN, BEGIN + 5 * WHEN_DAY);
    write_logs(1, BEGIN + 6 * WHEN_DAY, BEGIN + 6 * WHEN_DAY + 1);
    step();
    ck_assert_int_eq(sqlite_settle(sqlite_writer_of(writer), NOW, &nobody, &fault), OK);
    ck_assert(!sqlite_reads_beside(sqlite_writer_of(writer)));
    ck_assert_int_ge(closed("closed_day"), BEGIN / WHEN_DAY + 5);
    check_all("settled");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("closing beside batches");
    TCase *cases = suite_case(suite, "closing");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, late_logs_and_restarts_spoil_nothing, 0, rounds(4, 2, 200));
    tcase_add_test(cases, a_late_log_for_each_slice_does_not_keep_hours_open);
    tcase_add_test(cases, settling_waits_for_nobody);
    return suite_run(suite);
}
