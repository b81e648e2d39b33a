/* test_delete.c: whatever happens in the middle of a delete, reports are right about the logs that are left, nothing
 * but what was to be deleted is gone, and the next run finishes it: then every table holds what an undisturbed run
 * leaves. The power is cut after one operation after another, each kind of call fails, or the delete is stopped. In one
 * database all logs are kept, in another the old ones are pruned and only their sums are left.
 *
 * Planted to see it fail: logs deleted in one transaction, and their sums in the next ("cut behind operation 39, …: the
 * batches do not say how many logs there are", and for writes that fail, too).
 */
#include "support/campaign.h"
#include "support/fixture.h"
#include "support/parts.h"
#include "support/ledger.h"
#include "support/recount.h"
#include "store/sqlite/care/care.h"
#include "store/sqlite/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCHES 26
#define PAUSE (11 * 3600) /* twelve days */
#define USER 2

static const struct ledger ledger = {.logs = 4, .pause = PAUSE};
static const struct sqlite_delete_options options = {.to = INT64_MAX, .user_id = USER};
static char aside[64], done[64];
static struct image ground; /* each period that is over is closed */
static bool has_horizons;

/* ---- what is there ---- */

static void attach(sqlite3 *db, const char *path, const char *name)
{
    char sql[128];
    snprintf(sql, sizeof sql, "ATTACH '%s/analytics.db' AS %s", path, name);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* The store, with two more databases attached: as it was before, and as it must become. */
static sqlite3 *open_all(void)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    attach(db, aside, "aside");
    attach(db, done, "done");
    return db;
}

static void check_nothing(sqlite3 *db, const char *about, const char *what, const char *sql)
{
    ck_assert_msg(recount_i64(db, sql) == 0, "%s: %s", about, what);
}

static void check_sound(const char *about)
{
    sqlite3 *db = open_all();
    check_nothing(db, about, "another user's log is missing",
                  "SELECT count(*) FROM (SELECT * FROM aside.raw_log WHERE user_id <> 2 EXCEPT SELECT * FROM "
                  "raw_log)");
    check_nothing(db, about, "a log came from nowhere",
                  "SELECT count(*) FROM (SELECT * FROM raw_log EXCEPT SELECT * FROM aside.raw_log)");
    check_nothing(db, about, "a name is missing",
                  "SELECT count(*) FROM raw_log WHERE domain NOT IN (SELECT id FROM main.name) OR error NOT IN"
                  " (SELECT id FROM main.name)");
    if (!has_horizons)
        check_nothing(db, about, "the batches do not say how many logs there are",
                      "SELECT (SELECT sum(logs) FROM main.batch) - (SELECT logs FROM main.retention)"
                      " - (SELECT count(*) FROM raw_log)");
    int64_t differences = has_horizons ? 0 : recount_unless_known(db);
    ck_assert_msg(differences == 0, "%s: %lld differences", about, (long long)differences);
    sqlite3_close(db);
    verify_clean(folder, 0, about);
}

/* Each table is as an undisturbed run leaves it. (closing.changes may differ: it only tells readers to read again.) */
static void check_done(const char *about)
{
    static const char *const tables[] = {"name",         "batch",           "batch_key",    "order_user",
                                         "total",        "traffic_quarter", "traffic_hour", "traffic_day",
                                         "rollup_chunk", "retention"};
    sqlite3 *db = open_all();
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "SELECT (SELECT count(*) FROM (SELECT * FROM main.%s EXCEPT SELECT * FROM done.%s))"
                 " + (SELECT count(*) FROM (SELECT * FROM done.%s EXCEPT SELECT * FROM main.%s))",
                 tables[i], tables[i], tables[i], tables[i]);
        check_nothing(db, about, tables[i], sql);
    }
    check_nothing(db, about, "logs",
                  "SELECT (SELECT count(*) FROM (SELECT * FROM raw_log EXCEPT SELECT * FROM done.raw_log))"
                  " + (SELECT count(*) FROM (SELECT * FROM done.raw_log EXCEPT SELECT * FROM raw_log))");
    check_nothing(db, about, "closing",
                  "SELECT (SELECT closed_hour * 100000 + closed_day FROM main.closing)"
                  " - (SELECT closed_hour * 100000 + closed_day FROM done.closing)");
    sqlite3_close(db);
}

/* ---- trouble ---- */

static enum err delete_logs(const struct watch *watch, struct fault *fault)
{
    struct sqlite_deleted deleted;
    return sqlite_delete(folder, &options, LEDGER_NOW, watch, &deleted, fault);
}

static void finish(const char *about)
{
    struct fault fault = {0};
    ck_assert_msg(delete_logs(&(struct watch){0}, &fault) == OK, "%s: %s", about, fault.detail);
    check_sound(about);
    check_done(about);
}

static void reopen(const char *about)
{
    (void)about;
    store_writer_close(open_writer(folder));
}

static const struct campaign campaign = {.ground = &ground, .run = delete_logs, .check = check_sound, .finish = finish};

START_TEST(each_power_cut)
{
    tape_seed(5);
    campaign_cut(&campaign, 120, 100, reopen, 5);
}
END_TEST

START_TEST(each_fault)
{
    campaign_fail(&campaign, _i);
}
END_TEST

START_TEST(a_stop_at_any_moment)
{
    campaign_stop(&campaign);
}
END_TEST

/* ---- main ---- */

static void make_ground(const struct store_retention *keep)
{
    bool more = true;
    struct fault fault;
    struct store_writer *writer = open_writer(folder);
    store_writer_set_retention(writer, keep);
    for (int i = 0; i < BATCHES; i++)
        ck_assert_int_eq(ledger_write(writer, &ledger, i).result, OK);
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    store_writer_close(writer);
}

/* Moves the logs of a folder's database to its raw_log, for plain SQL. */
static void show_all_logs(const char *in)
{
    sqlite3 *db = open_bare(in, SQLITE_OPEN_READWRITE);
    parts_to_rows(db, "main");
    sqlite3_close(db);
}

static void set_up(const struct store_retention *keep)
{
    struct fault fault = {0};
    disk_install(NULL);
    folder_make();
    temporary_folder(aside);
    temporary_folder(done);
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
    show_all_logs(aside);
    show_all_logs(done);
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
    tcase_add_loop_test(tcase, each_fault, 0, CAMPAIGN_FAULTS);
    tcase_add_test(tcase, a_stop_at_any_moment);
}

int main(void)
{
    Suite *suite = suite_create("delete");
    add_case(suite, "all_logs", set_up_all);
    add_case(suite, "horizons", set_up_horizons);
    return suite_run(suite);
}
