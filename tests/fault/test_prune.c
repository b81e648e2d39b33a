/* test_prune.c: whatever happens in the middle of pruning, nothing is half gone: data before a horizon are ignored, all
 * other data are as they were, and the next run, or the upkeep of a service, finishes the work. The power is cut after
 * one operation after another, each kind of call fails, or the pruning is stopped. A copy of all logs is kept aside,
 * and the rollups that are left are recounted from it in plain SQL.
 *
 * Planted to see it fail: rows deleted before the horizon moves ("47 differences" at the first cut), no upkeep after a
 * restart, traffic_day gone through from the wrong row on after one. */
#include "support/campaign.h"
#include "support/parts.h"
#include "support/fixture.h"
#include "support/ledger.h"
#include "support/recount.h"
#include "store/sqlite/care/care.h"
#include "store/sqlite/write/writer.h"

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
static struct image ground; /* each period that is over is closed */

/* ---- what is there ---- */

static sqlite3 *open_both(void)
{
    char sql[128];
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READWRITE);
    snprintf(sql, sizeof sql, "ATTACH '%s/analytics.db' AS aside", aside);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    parts_show_as(db, "stored");
    parts_to_rows(db, "aside");
    return db;
}

/* Nothing is half gone. Returns the first day whose logs are kept. */
static int64_t check_days(const char *about)
{
    static const char *const nothing[] = {
        "SELECT count(*) FROM (SELECT * FROM aside.raw_log WHERE quarter / 96 >= (SELECT raw_from FROM retention)"
        " EXCEPT SELECT * FROM stored)",
        "SELECT (SELECT count(*) FROM aside.raw_log) - (SELECT count(*) FROM stored) - (SELECT logs FROM "
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
    int64_t differences = recount_unless_known(db), from = recount_i64(db, "SELECT raw_from FROM retention");
    ck_assert_msg(differences == 0, "%s: %lld differences", about, (long long)differences);
    sqlite3_close(db);
    return from;
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

static int64_t last_day(void)
{
    sqlite3 *db = open_both();
    int64_t day = recount_i64(db, "SELECT max(quarter) / 96 FROM aside.raw_log");
    sqlite3_close(db);
    return day;
}

/* The pruning is complete; the logs of `kept` days are kept. */
static void check_finished(const char *about, int64_t kept)
{
    int64_t from = check_days(about);
    ck_assert_msg(from >= last_day() - kept, "%s: not finished", about);
    sqlite3 *db = open_both();
    ck_assert_int_eq(recount_i64(db, "SELECT count(*) FROM stored, retention WHERE quarter < raw_from * 96"), 0);
    ck_assert_int_eq(recount_i64(db, "SELECT count(*) FROM main.traffic_day, retention WHERE bucket < day_from"), 0);
    sqlite3_close(db);
    verify_clean(folder, 0, about);
}

static void check_sound(const char *about)
{
    check_days(about);
}

static void reopen(const char *about)
{
    store_writer_close(open_at(about));
}

/* ---- by a service, in its upkeep ---- */

static void serve(const char *about, size_t slice)
{
    struct store_writer *writer = open_at(about);
    store_writer_set_retention(writer, &keep);
    if (slice)
        sqlite_set_slice(sqlite_writer_of(writer), slice);
    upkeep(writer);
    store_writer_close(writer);
}

static enum err prune_as_service(const struct watch *watch, struct fault *fault)
{
    (void)watch;
    (void)fault;
    serve("the run", 1000);
    return OK;
}

/* Upkeep finishes a pruning that was begun, or begins one. */
static void finish_as_service(const char *about)
{
    serve(about, 0);
    check_finished(about, keep.raw_days);
}

static const struct campaign service = {
    .ground = &ground, .run = prune_as_service, .check = check_sound, .finish = finish_as_service};

START_TEST(each_power_cut_of_a_service)
{
    tape_seed(3);
    campaign_cut(&service, 120, 200, reopen, 5);
}
END_TEST

/* ---- by the command ---- */

static enum err prune(const struct watch *watch, struct fault *fault)
{
    struct sqlite_pruned pruned = {0};
    return sqlite_prune(folder, LEDGER_NOW, AGE, watch, &pruned, fault);
}

static void finish(const char *about)
{
    struct fault fault = {0};
    ck_assert_msg(prune(&(struct watch){0}, &fault) == OK, "%s: %s", about, fault.detail);
    check_finished(about, AGE);
}

static const struct campaign command = {.ground = &ground, .run = prune, .check = check_sound, .finish = finish};

START_TEST(each_power_cut_of_the_command)
{
    tape_seed(4);
    campaign_cut(&command, 120, 100, reopen, 5);
}
END_TEST

START_TEST(each_fault_of_the_command)
{
    campaign_fail(&command, _i);
}
END_TEST

/* In turns, a service or the next run of the command goes on where the command was stopped. */
static void finish_by_turns(const char *about)
{
    static bool by_service;
    by_service = !by_service;
    if (by_service)
        finish_as_service(about);
    else
        finish(about);
}

START_TEST(a_stop_at_any_moment)
{
    struct campaign stopped = command;
    stopped.finish = finish_by_turns;
    campaign_stop(&stopped);
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
    tcase_add_loop_test(tcase, each_fault_of_the_command, 0, CAMPAIGN_FAULTS);
    tcase_add_test(tcase, a_stop_at_any_moment);
    return suite_run(suite);
}
