/* test_delete.c: whatever happens in the middle of a delete, reports are right about the logs that are left, nothing
 * but what was to be deleted is gone, and the next run finishes it: then every table holds what an undisturbed run
 * leaves. The power is cut behind one operation after another, each kind of call fails, or somebody wants it to stop;
 * where all logs are kept, and where of old ones only sums are.
 *
 * Planted to see it fail: logs deleted in one transaction, and their sums in the next ("cut behind operation 39, …: the
 * batches do not say how many logs there are", and for writes that fail, too).
 */
#include "support/recount.h"
#include "support/runner.h"
#include "support/disk.h"
#include "support/ledger.h"
#include "support/runner.h"
#include "store/sqlite/sqlite.h"
#include "support/tape.h"
#include "store/sqlite/care/care.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCHES 26
#define PAUSE (11 * 3600) /* twelve days */
#define USER 2

static const struct ledger ledger = {.logs = 4, .pause = PAUSE};
static const struct sqlite_delete_options options = {.to = INT64_MAX, .user_id = USER};
static char folder[64], aside[64], done[64];
static struct image ground; /* all closed that is over */
static bool has_horizons;

/* ---- what is there ---- */

static void attach(sqlite3 *db, const char *path, const char *name)
{
    char sql[128];
    snprintf(sql, sizeof sql, "ATTACH '%s/analytics.db' AS %s", path, name);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* The store; as it was before, and as it should become. */
static sqlite3 *open_plain(void)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    attach(db, aside, "aside");
    attach(db, done, "done");
    return db;
}

static void check_verify(const char *about)
{
    struct sqlite_verified verified = {0};
    struct fault fault = {0};
    ck_assert_msg(sqlite_verify(folder, &(struct sqlite_verify_options){0}, &(struct watch){0}, &verified, &fault) ==
                      OK,
                  "%s: %s", about, fault.detail);
    ck_assert_msg(verified.differences == 0, "%s: verify: %lld differences", about, (long long)verified.differences);
}

static void check_nothing(sqlite3 *db, const char *about, const char *what, const char *sql)
{
    ck_assert_msg(recount_i64(db, sql) == 0, "%s: %s", about, what);
}

static void check_sound(const char *about)
{
    sqlite3 *db = open_plain();
    check_nothing(db, about, "another user's log is missing",
                  "SELECT count(*) FROM (SELECT * FROM aside.raw_log WHERE user_id <> 2 EXCEPT SELECT * FROM "
                  "main.raw_log)");
    check_nothing(db, about, "a log came from nowhere",
                  "SELECT count(*) FROM (SELECT * FROM main.raw_log EXCEPT SELECT * FROM aside.raw_log)");
    check_nothing(db, about, "a name is missing",
                  "SELECT count(*) FROM main.raw_log WHERE domain NOT IN (SELECT id FROM main.name) OR error NOT IN"
                  " (SELECT id FROM main.name)");
    if (!has_horizons)
        check_nothing(db, about, "the batches do not say how many logs there are",
                      "SELECT (SELECT sum(logs) FROM main.batch) - (SELECT logs FROM main.retention)"
                      " - (SELECT count(*) FROM main.raw_log)");
    int64_t differences = has_horizons ? 0 : recount_differences(db);
    ck_assert_msg(differences == 0, "%s: %lld differences", about, (long long)differences);
    sqlite3_close(db);
    check_verify(about);
}

/* Every table, but for how often readers were told. */
static void check_done(const char *about)
{
    static const char *const tables[] = {"name",        "batch",        "batch_key",       "raw_log",
                                         "order_user",  "total",        "traffic_quarter", "traffic_hour",
                                         "traffic_day", "rollup_chunk", "retention"};
    sqlite3 *db = open_plain();
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "SELECT (SELECT count(*) FROM (SELECT * FROM main.%s EXCEPT SELECT * FROM done.%s))"
                 " + (SELECT count(*) FROM (SELECT * FROM done.%s EXCEPT SELECT * FROM main.%s))",
                 tables[i], tables[i], tables[i], tables[i]);
        check_nothing(db, about, tables[i], sql);
    }
    check_nothing(db, about, "closing",
                  "SELECT (SELECT closed_hour * 100000 + closed_day FROM main.closing)"
                  " - (SELECT closed_hour * 100000 + closed_day FROM done.closing)");
    sqlite3_close(db);
}

static enum err delete_logs(struct fault *fault, const struct watch *watch)
{
    struct sqlite_deleted deleted;
    return sqlite_delete(folder, &options, LEDGER_NOW, watch, &deleted, fault);
}

static void finish(const char *about)
{
    struct fault fault = {0};
    ck_assert_msg(delete_logs(&fault, &(struct watch){0}) == OK, "%s: %s", about, fault.detail);
    check_sound(about);
    check_done(about);
}

/* ---- power cuts ---- */

static const struct cut cuts[] = {{100, 0, 0}, {0, 0, 0}, {50, 30, 0}, {90, 50, 20}, {50, 100, 50}, {15, 20, 100}};
#define CUTS (sizeof cuts / sizeof *cuts)

static struct store_writer *open_writer(const char *about)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    ck_assert_msg(store_writer_open(store_in(folder), &writer, &fault) == OK, "%s: %s", about, fault.detail);
    return writer;
}

static void try_cut(size_t length, size_t style)
{
    char about[96];
    struct image image = {0};
    struct cut cut = cuts[style % CUTS];
    snprintf(about, sizeof about, "cut behind operation %zu, kept %d%%, torn %d%%, noise %d%%", length, cut.kept,
             cut.torn, cut.noise);
    tape_cut(length, cut, &image);
    image_write(&image, folder);
    image_release(&image);
    store_writer_close(open_writer(about));
    check_sound(about);
    if (style % 5 == 0)
        finish(about);
}

START_TEST(each_power_cut)
{
    struct fault fault = {0};
    tape_seed(5);
    image_write(&ground, folder);
    tape_begin(&ground);
    disk_install(tape_hook);
    ck_assert_msg(delete_logs(&fault, &(struct watch){0}) == OK, "%s", fault.detail);
    disk_install(NULL);
    size_t count = is_sanitized() ? 40 : 120, length = tape_length();
    ck_assert_uint_gt(length, 100);
    for (size_t i = 0; i <= count; i++)
        try_cut(length * i / count, i);
    printf("%zu cuts of %zu operations\n", count, length);
    tape_release();
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
    snprintf(about, sizeof about, "%s %zu fails", rows[row].name, n);
    image_write(&ground, folder);
    calls_left = n;
    disk_install(fail_call);
    enum err err = delete_logs(&fault, &(struct watch){0});
    bool struck = calls_left == 0;
    disk_install(NULL);
    ck_assert_msg(!err || struck, "%s: %s", about, fault.detail);
    check_sound(about);
    if (n % 4 == 0)
        finish(about);
    return struck;
}

START_TEST(each_fault)
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
        size_t left = n;
        struct watch watch = {.ctx = &left, .is_stopped = stop_later};
        snprintf(about, sizeof about, "stopped when asked %zu times", n);
        image_write(&ground, folder);
        enum err err = delete_logs(&fault, &watch);
        check_sound(about);
        if (!err)
            break;
        ck_assert_msg(fault.is_stopped, "%s: %s", about, fault.detail);
        finish(about);
    }
    ck_assert_uint_gt(stops, 3);
}
END_TEST

/* ---- main ---- */

static void make_folder(char path[64])
{
    snprintf(path, 64, "%s/test_delete.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

static void make_ground(const struct store_retention *keep)
{
    bool more = true;
    struct fault fault;
    struct store_writer *writer = open_writer("the ground");
    store_writer_set_retention(writer, keep);
    for (int i = 0; i < BATCHES; i++)
        ck_assert_int_eq(ledger_write(writer, &ledger, i).result, OK);
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    store_writer_close(writer);
}

static void set_up(const struct store_retention *keep)
{
    struct fault fault = {0};
    disk_install(NULL);
    make_folder(folder);
    make_folder(aside);
    make_folder(done);
    make_ground(keep);
    image_read(&ground, folder);
    image_write(&ground, aside);
    struct sqlite_deleted deleted;
    image_write(&ground, done);
    ck_assert_msg(sqlite_delete(done, &options, LEDGER_NOW, &(struct watch){0}, &deleted, &fault) == OK, "%s",
                  fault.detail);
    ck_assert_int_gt(deleted.logs, 0);
    ck_assert_int_gt(deleted.names, 0);
    ck_assert_int_eq(deleted.sums.count > 0, has_horizons);
}

static void set_up_all(void)
{
    has_horizons = false;
    set_up(&(struct store_retention){0});
}

static void set_up_horizons(void)
{
    has_horizons = true;
    set_up(&(struct store_retention){4, 7, 0});
}

static void tear_down(void)
{
    disk_install(NULL);
    image_release(&ground);
    ledger_remove_folder(folder);
    ledger_remove_folder(aside);
    ledger_remove_folder(done);
}

static void add_case(Suite *suite, const char *name, void (*begin)(void))
{
    TCase *tcase = suite_case(suite, name);
    tcase_add_checked_fixture(tcase, begin, tear_down);
    tcase_add_test(tcase, each_power_cut);
    tcase_add_loop_test(tcase, each_fault, 0, ROWS(rows));
    tcase_add_test(tcase, a_stop_at_any_moment);
}

int main(void)
{
    Suite *suite = suite_create("delete");
    add_case(suite, "all_logs", set_up_all);
    add_case(suite, "horizons", set_up_horizons);
    return suite_run(suite);
}
