/* test_prune.c: whatever happens in the middle of pruning, nothing is half gone: what lies before a horizon is no more
 * looked at, all else is as it was, and the next run, or a service's upkeep, finishes the work. The power is cut behind
 * one operation after another, each kind of call fails, or somebody wants it to stop. All logs as they were are kept
 * aside, and the rollups that are left are recounted from them in plain SQL.
 *
 * Planted to see it fail: rows deleted before the horizon moves ("47 differences" at the first cut), no upkeep after a
 * restart, traffic_day gone through from the wrong row on after one. */
#include "support/recount.h"
#include "support/disk.h"
#include "support/fixture.h"
#include "support/ledger.h"
#include "store/sqlite/write/writer.h"
#include "support/tape.h"
#include "store/sqlite/care/care.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCHES 26
#define PAUSE (11 * 3600) /* twelve days */
#define AGE 4             /* days that the command keeps */

static const struct ledger ledger = {.logs = 4, .pause = PAUSE};
static const struct store_retention keep = {2, 4, 6};
static char aside[64];
static struct image ground; /* all closed that is over */

/* ---- what is there ---- */

static sqlite3 *open_both(void)
{
    char sql[128];
    sqlite3 *db = NULL;
    snprintf(sql, sizeof sql, "%s/analytics.db", folder);
    ck_assert_int_eq(sqlite3_open_v2(sql, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    snprintf(sql, sizeof sql, "ATTACH '%s/analytics.db' AS aside", aside);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

/* Returns the first day that has logs. */
static int64_t check_sound(const char *about)
{
    static const char *const nothing[] = {
        "SELECT count(*) FROM (SELECT * FROM aside.raw_log WHERE quarter / 96 >= (SELECT raw_from FROM retention)"
        " EXCEPT SELECT * FROM main.raw_log)",
        "SELECT (SELECT count(*) FROM aside.raw_log) - (SELECT count(*) FROM main.raw_log) - (SELECT logs FROM "
        "retention)",
        "SELECT (SELECT sum(logs) FROM aside.batch) - (SELECT sum(logs) FROM main.batch)"
        " - (SELECT batch_logs FROM retention)",
        "SELECT (SELECT ifnull(sum(count), 0) FROM aside.raw_log WHERE quarter / 96 < (SELECT raw_from FROM retention))"
        " - (SELECT count FROM retention)",
    };
    sqlite3 *db = open_both();
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        ck_assert_msg(recount_i64(db, nothing[i]) == 0, "%s: %s is not 0", about, nothing[i]);
    ck_assert_int_eq(sqlite3_exec(db, "CREATE TEMP TABLE raw_log AS SELECT * FROM aside.raw_log", NULL, NULL, NULL),
                     SQLITE_OK);
    int64_t differences = recount_differences(db), from = recount_i64(db, "SELECT raw_from FROM retention");
    ck_assert_msg(differences == 0, "%s: %lld differences", about, (long long)differences);
    sqlite3_close(db);
    return from;
}

static void check_verify(const char *about)
{
    struct sqlite_verified verified = {0};
    struct fault fault = {0};
    ck_assert_msg(sqlite_verify(folder, &(struct sqlite_verify_options){0}, &(struct watch){0}, &verified, &fault) ==
                      OK,
                  "%s: %s", about, fault.detail);
    ck_assert_msg(verified.differences == 0, "%s: %lld differences, says verify", about,
                  (long long)verified.differences);
}

static struct store_writer *open_at(const char *about)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    ck_assert_msg(store_writer_open(store_in(folder), &writer, &fault) == OK, "%s: %s", about, fault.detail);
    return writer;
}

static void upkeep(struct store_writer *writer)
{
    bool more = true;
    struct fault fault;
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
}

static enum err prune(struct fault *fault, const struct watch *watch, struct sqlite_pruned *pruned)
{
    *pruned = (struct sqlite_pruned){0};
    return sqlite_prune(folder, LEDGER_NOW, AGE, watch, pruned, fault);
}

static int64_t last_day(void)
{
    sqlite3 *db = open_both();
    int64_t day = recount_i64(db, "SELECT max(quarter) / 96 FROM aside.raw_log");
    sqlite3_close(db);
    return day;
}

/* Begun, it ends by itself, whoever goes on; else it begins. */
static void finish(const char *about, bool by_service)
{
    struct sqlite_pruned pruned;
    struct fault fault = {0};
    if (by_service) {
        struct store_writer *writer = open_at(about);
        store_writer_set_retention(writer, &keep);
        upkeep(writer);
        store_writer_close(writer);
    } else {
        ck_assert_msg(prune(&fault, &(struct watch){0}, &pruned) == OK, "%s: %s", about, fault.detail);
    }
    int64_t from = check_sound(about), kept = by_service ? keep.raw_days : AGE;
    ck_assert_msg(from >= last_day() - kept, "%s: not finished", about);
    sqlite3 *db = open_both();
    ck_assert_int_eq(recount_i64(db, "SELECT count(*) FROM main.raw_log, retention WHERE quarter < raw_from * 96"), 0);
    ck_assert_int_eq(recount_i64(db, "SELECT count(*) FROM main.traffic_day, retention WHERE bucket < day_from"), 0);
    sqlite3_close(db);
    check_verify(about);
}

/* ---- power cuts ---- */

static const struct cut cuts[] = {{100, 0, 0}, {0, 0, 0}, {50, 30, 0}, {90, 50, 20}, {50, 100, 50}, {15, 20, 100}};
#define CUTS (sizeof cuts / sizeof *cuts)

static void try_cut(size_t length, size_t style, bool by_service)
{
    char about[96];
    struct image image = {0};
    struct cut cut = cuts[style % CUTS];
    snprintf(about, sizeof about, "cut behind operation %zu, kept %d%%, torn %d%%, noise %d%%", length, cut.kept,
             cut.torn, cut.noise);
    tape_cut(length, cut, &image);
    image_write(&image, folder);
    image_release(&image);
    store_writer_close(open_at(about));
    check_sound(about);
    if (style % 5 == 0)
        finish(about, by_service);
}

static void cut_all(bool by_service)
{
    size_t count = is_sanitized() ? 40 : 120, length = tape_length();
    disk_install(NULL);
    for (size_t i = 0; i <= count; i++)
        try_cut(length * i / count, i, by_service);
    printf("%zu cuts of %zu operations\n", count, length);
    tape_release();
}

START_TEST(each_power_cut_of_a_service)
{
    tape_seed(3);
    image_write(&ground, folder);
    tape_begin(&ground);
    disk_install(tape_hook);
    struct store_writer *writer = open_at("the run");
    store_writer_set_retention(writer, &keep);
    sqlite_set_slice(sqlite_writer_of(writer), 1000);
    upkeep(writer);
    store_writer_close(writer);
    ck_assert_uint_gt(tape_length(), 200);
    cut_all(true);
}
END_TEST

START_TEST(each_power_cut_of_the_command)
{
    struct fault fault = {0};
    struct sqlite_pruned pruned;
    tape_seed(4);
    image_write(&ground, folder);
    tape_begin(&ground);
    disk_install(tape_hook);
    ck_assert_msg(prune(&fault, &(struct watch){0}, &pruned) == OK, "%s", fault.detail);
    cut_all(false);
}
END_TEST

/* ---- faults ---- */

static const struct {
    const char *name;
    int calls;
    int answer;
} rows[] = {
    {"write", DISK_WRITE, SQLITE_IOERR_WRITE},
    {"disk full", DISK_WRITE, SQLITE_FULL},
    {"sync", DISK_SYNC, SQLITE_IOERR_FSYNC},
    {"read", DISK_READ, SQLITE_IOERR_READ},
    {"truncate", DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE},
};

static int row;
static size_t calls_left;

static int fail_call(struct disk_event *event)
{
    if (!((int)event->call & rows[row].calls) || calls_left == 0 || --calls_left > 0)
        return SQLITE_OK;
    return rows[row].answer;
}

/* Returns whether the fault has struck. */
static bool try_fault(size_t n)
{
    char about[64];
    struct fault fault = {0};
    struct sqlite_pruned pruned;
    snprintf(about, sizeof about, "%s %zu fails", rows[row].name, n);
    image_write(&ground, folder);
    calls_left = n;
    disk_install(fail_call);
    enum err err = prune(&fault, &(struct watch){0}, &pruned);
    bool struck = calls_left == 0;
    disk_install(NULL);
    ck_assert_msg(!err || struck, "%s: %s", about, fault.detail);
    check_sound(about);
    if (n % 4 == 0)
        finish(about, false);
    return struck;
}

START_TEST(each_fault_of_the_command)
{
    size_t n = 1, tried = 0;
    row = _i;
    for (; try_fault(n); tried++)
        n += 1 + n / (is_sanitized() ? 4 : 10);
    printf("%s: %zu faults, the last of them n = %zu\n", rows[row].name, tried, n);
}
END_TEST

/* ---- a stop ---- */

static bool stop_later(void *ctx)
{
    size_t *asked = ctx;
    return *asked == 0 || --*asked == 0;
}

START_TEST(a_stop_at_any_moment)
{
    size_t stops = 0;
    for (size_t n = 1;; n += 1 + n / 8, stops++) {
        char about[64];
        struct fault fault = {0};
        struct sqlite_pruned pruned;
        size_t left = n;
        struct watch watch = {.ctx = &left, .is_stopped = stop_later};
        snprintf(about, sizeof about, "stopped when asked %zu times", n);
        image_write(&ground, folder);
        enum err err = prune(&fault, &watch, &pruned);
        check_sound(about);
        if (!err)
            break;
        ck_assert_msg(fault.is_stopped, "%s: %s", about, fault.detail);
        finish(about, n % 2);
    }
    ck_assert_uint_gt(stops, 3);
}
END_TEST

/* ---- main ---- */

static void set_up(void)
{
    disk_install(NULL);
    folder_make();
    temporary_folder(aside);
    struct store_writer *writer = open_at("the ground");
    for (int i = 0; i < BATCHES; i++)
        ck_assert_int_eq(ledger_write(writer, &ledger, i).result, OK);
    upkeep(writer);
    store_writer_close(writer);
    image_read(&ground, folder);
    image_write(&ground, aside);
}

static void tear_down(void)
{
    disk_install(NULL);
    image_release(&ground);
    ledger_remove_folder(folder);
    ledger_remove_folder(aside);
}

int main(void)
{
    Suite *suite = suite_create("prune");
    TCase *tcase = suite_case(suite, "prune");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_power_cut_of_a_service);
    tcase_add_test(tcase, each_power_cut_of_the_command);
    tcase_add_loop_test(tcase, each_fault_of_the_command, 0, ROWS(rows));
    tcase_add_test(tcase, a_stop_at_any_moment);
    return suite_run(suite);
}
