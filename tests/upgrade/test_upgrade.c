/* test_upgrade.c: a database of each released schema becomes one of the newest and answers as before; an upgrade
 * that is interrupted anywhere goes on; a file of a newer program is refused in plain words.
 *
 * schema1.db.gz was written by version 0.1.0. (Its maker needs the folders of that version, and is in the repository's
 * history only.) tests/support/ledger.c can make its batches again from their numbers, and its answers are recounted
 * from its raw logs in plain SQL. schema2.db.gz was written by 0.2.0 (make_schema2.sh); schema2.h knows its logs, whose
 * imports must stay known.
 *
 * Planted to see it fail: a step that commits before it says its version ("table retention already exists", at the
 * first cut between the two), and a program that knows the next schema; imports through the service that are not taken
 * over; logs of workers that are; logs taken over twice; a rebuild that leaves `durations_from` as it is; a
 * `durations_from` that follows a log of the future. */
#include "support/campaign.h"
#include "support/fixture.h"
#include "support/ledger.h"
#include "support/lists.h"
#include "support/recount.h"
#include "schema1.h"
#include "schema2.h"

#include "log/import_key.h"
#include "service/service.h"
#include "db/db.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/care/backup.h"
#include "store/sqlite/care/care.h"
#include "store/sqlite/status.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

/* A file of an old version, and the check of its contents after an upgrade. */
struct fixture {
    const char *file;
    int version;
    void (*check)(const char *about);
};

static const struct fixture *fixture;
static struct image ground; /* the fixture's file */

static void inflate_fixture(void)
{
    char path[512], bytes[65536];
    const char *source = getenv("ANALYTICS_SRCDIR");
    int n;
    snprintf(path, sizeof path, "%s/tests/upgrade/%s", source ? source : ".", fixture->file);
    gzFile in = gzopen(path, "rb");
    ck_assert_msg(in != NULL, "%s", path);
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    while ((n = gzread(in, bytes, sizeof bytes)) > 0)
        ck_assert_uint_eq(fwrite(bytes, 1, (size_t)n, out), (size_t)n);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(fclose(out), 0);
    gzclose(in);
}

static void set_up(const struct fixture *which)
{
    fixture = which;
    folder_make();
    inflate_fixture();
    disk_install(NULL);
    image_read(&ground, folder);
}

static void tear_down(void)
{
    disk_install(NULL);
    image_release(&ground);
    ledger_remove_folder(folder);
}

static int64_t ask(const char *sql)
{
    return ask_plain(folder, sql);
}

static struct store_writer *open_at(const char *about)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    ck_assert_msg(store_writer_open(store_in(folder), &writer, &fault) == OK, "%s: %s", about, fault.detail);
    return writer;
}

/* Every batch is there, whole and once, in the logs, in the rollups and in a report. */
static void check_ledger(const char *about)
{
    struct ledger ledger = SCHEMA1_LEDGER;
    ledger.count = SCHEMA1_BATCHES;
    memset(ledger.fate, WHOLE, (size_t)ledger.count);
    ledger_check(&ledger, folder, about);
}

static void check_verify(void)
{
    struct sqlite_verified verified = verify_clean(folder, 0, "the end");
    ck_assert_int_eq(verified.logs, ask("SELECT count(*) FROM raw_log"));
}

/* The logs are there, and the batches that came by imports are marked. */
static void check_imports(const char *about)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    ck_assert_msg(recount_i64(db, "SELECT count(*) FROM raw_log") == SCHEMA2_LOGS, "%s: the logs", about);
    ck_assert_msg(recount_i64(db, "SELECT count(*) FROM import_batch WHERE is_old AND source = 0") == 3 &&
                      recount_i64(db, "SELECT sum(batch_id) FROM import_batch") == 1 + 2 + 4,
                  "%s: the batches", about);
    ck_assert_msg(recount_i64(db, "SELECT has_old FROM import_state") == 1, "%s: the state", about);
    sqlite3_close(db);
}

static const struct fixture first = {"schema1.db.gz", 1, check_ledger}, second = {"schema2.db.gz", 2, check_imports};

static void set_up_first(void)
{
    set_up(&first);
}

static void set_up_second(void)
{
    set_up(&second);
}

/* ---- old to new ---- */

/* All tables as one text. */
static char *schema_of(const char *in)
{
    sqlite3 *db = open_plain(in, SQLITE_OPEN_READWRITE);
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db,
                       "SELECT group_concat(type || name || ifnull(sql, ''), char(10)) FROM (SELECT * FROM"
                       " sqlite_schema ORDER BY type, name)",
                       -1, &statement, NULL);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    char *text = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return text;
}

START_TEST(an_old_schema_becomes_the_newest)
{
    char fresh[] = "/tmp/test_upgrade_fresh.XXXXXX";
    struct fault fault;
    ck_assert_int_eq(ask("PRAGMA user_version"), fixture->version);
    ck_assert_int_eq(ask("PRAGMA auto_vacuum"), 2);
    store_writer_close(open_at("upgrade"));
    fixture->check("upgraded");
    check_verify();
    ck_assert_ptr_nonnull(mkdtemp(fresh));
    ck_assert_int_eq(sqlite_create(fresh, &fault), OK);
    char *made = schema_of(fresh), *upgraded = schema_of(folder);
    ck_assert_str_eq(upgraded, made);
    sqlite3 *db = open_plain(fresh, SQLITE_OPEN_READWRITE);
    ck_assert_int_eq(ask("PRAGMA user_version"), recount_i64(db, "PRAGMA user_version"));
    sqlite3_close(db);
    free(made);
    free(upgraded);
    ledger_remove_folder(fresh);
}
END_TEST

/* An upgraded file can do all that a new one can. */
START_TEST(an_upgraded_file_is_used_on)
{
    struct ledger ledger = SCHEMA1_LEDGER;
    struct fault fault;
    bool more = true;
    struct store_writer *writer = open_at("upgrade");
    ck_assert(ledger_write(writer, &ledger, 0).replayed); /* keys are known */
    ck_assert_int_eq(ledger_write(writer, &ledger, SCHEMA1_BATCHES + 1).result, OK);
    int64_t pages = ask("PRAGMA page_count"), logs = ask("SELECT count(*) FROM raw_log");
    store_writer_set_retention(writer, &(struct store_retention){3, 3, 3});
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    store_writer_close(writer);
    ck_assert_int_lt(ask("SELECT count(*) FROM raw_log") * 3, logs);
    ck_assert_int_lt(ask("PRAGMA page_count") + 10, pages);
}
END_TEST

static int64_t duration_of(int64_t from, int64_t to)
{
    struct report_filter filter = {.from = from, .to = to, .durations = true};
    struct store_reader *reader = NULL;
    struct totals totals;
    struct list list = {0};
    struct fault fault;
    ck_assert_int_eq(store_reader_open(store_in(folder), &reader, &fault), OK);
    ck_assert_int_eq(store_summary(reader, &filter, &totals, &fault), OK);
    ck_assert_int_eq(list_domains(reader, &filter, ORDER_DURATION, 0, 1000, &list, &fault), OK);
    int64_t sum = 0;
    for (size_t i = 0; i < list.count; i++)
        sum = list.rows[i].totals.duration_ms == DURATION_UNKNOWN ? DURATION_UNKNOWN
                                                                  : sum + list.rows[i].totals.duration_ms;
    ck_assert_int_eq(sum, totals.duration_ms);
    list_release(&list);
    store_reader_close(reader);
    return totals.duration_ms;
}

static void keep_up(struct store_writer *writer)
{
    struct fault fault;
    bool more = true;
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
}

/* Gives each log a duration; returns their sum. */
static int64_t give_durations(void)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    plain_run(db, "UPDATE raw_log SET duration_ms = 1 + (quarter + line) % 1000");
    sqlite3_close(db);
    return ask("SELECT sum(duration_ms) FROM raw_log");
}

/* Version 0.1.0 stored durations in logs, but not in sums. So the durations of that time are read from the logs, as
 * long as they are kept. Later ones are in the sums. */
START_TEST(durations_of_an_upgraded_file)
{
    struct ledger ledger = SCHEMA1_LEDGER;
    int64_t due = give_durations();
    int64_t from = ask("SELECT min(quarter) * 900 FROM raw_log"),
            to = ask("SELECT max(quarter) * 900 + 900 FROM raw_log");
    struct store_writer *writer = open_at("upgrade");
    ck_assert_int_eq(duration_of(from, to), due);
    int64_t half = from + (to - from) / 2;
    ck_assert_int_eq(duration_of(from, half) + duration_of(half, to), due);
    ck_assert_int_eq(ledger_write(writer, &ledger, SCHEMA1_BATCHES + 1).result, OK);
    store_writer_set_retention(writer, &(struct store_retention){.raw_days = 3});
    keep_up(writer);
    store_writer_close(writer);
    ck_assert_int_eq(duration_of(from, to), DURATION_UNKNOWN);
    check_verify();
}
END_TEST

/* A rebuild adds the durations up, so they outlive their logs. */
START_TEST(a_rebuild_brings_durations_back)
{
    struct sqlite_rebuilt rebuilt;
    struct fault fault;
    int64_t due = give_durations();
    int64_t from = ask("SELECT min(quarter) / 96 * 86400 FROM raw_log"),
            to = ask("SELECT max(quarter) / 96 * 86400 + 86400 FROM raw_log");
    store_writer_close(open_at("upgrade"));
    ck_assert_int_gt(ask("SELECT durations_from FROM upgrade"), 0);
    ck_assert_msg(sqlite_rebuild(folder, LEDGER_NOW, &(struct watch){0}, &rebuilt, &fault) == OK, "%s", fault.detail);
    ck_assert_int_eq(ask("SELECT durations_from FROM upgrade"), 0);
    ck_assert_int_eq(ask("SELECT duration_ms FROM total"), due);
    check_verify();
    struct store_writer *writer = open_writer(folder);
    store_writer_set_retention(writer, &(struct store_retention){.raw_days = 3});
    keep_up(writer);
    store_writer_close(writer);
    ck_assert_int_lt(ask("SELECT sum(duration_ms) FROM raw_log"), due);
    ck_assert_int_eq(duration_of(from, to), due);
}
END_TEST

/* A log of next week, from a wrong clock, does not mean that sums have durations only from next week on. Its own sums
 * have its duration. */
START_TEST(durations_beside_a_log_of_the_future)
{
    static const char future[] = "SELECT sum(duration_ms) FROM traffic_quarter WHERE bucket = (SELECT max(quarter) FROM"
                                 " raw_log)";
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    plain_run(db, "CREATE TEMP TABLE t AS SELECT * FROM raw_log LIMIT 1;"
                  "UPDATE t SET quarter = max((SELECT max(quarter) FROM raw_log), unixepoch() / 900) + 672, line = "
                  "1000, duration_ms = 4321;"
                  "INSERT INTO raw_log SELECT * FROM t;"
                  "INSERT INTO traffic_quarter SELECT quarter, u, count, bytes_sent, bytes_received, error_count,"
                  " max_concurrency, second, second FROM t, (SELECT 0 AS u UNION SELECT user_id FROM t);"
                  "UPDATE batch SET logs = logs + 1 WHERE id = (SELECT batch_id FROM t);"
                  "UPDATE total SET count = total.count + t.count, bytes_sent = total.bytes_sent + t.bytes_sent,"
                  " bytes_received = total.bytes_received + t.bytes_received, errors = errors + error_count FROM t");
    sqlite3_close(db);
    store_writer_close(open_at("upgrade"));
    ck_assert_int_eq(ask(future), 2 * 4321); /* of everyone, of the user */
    ck_assert_int_lt(ask("SELECT durations_from * 3600 FROM upgrade"),
                     ask("SELECT max(closed_hour * 3600, unixepoch()) + 7200 FROM closing"));
    check_verify();
}
END_TEST

/* Version 0.1.0 made sums of users by the hour. They are deleted, but for those of logs that are deleted, too. */
START_TEST(user_hours_of_an_upgraded_file)
{
    static const char hours[] = "SELECT (SELECT count(*) FROM traffic_hour WHERE user_id > 0)"
                                " + (SELECT count(*) FROM rollup_chunk WHERE tier = 1 AND user_id > 0)";
    struct fault fault;
    bool more = true;
    ck_assert_int_gt(ask(hours), 100);
    struct store_writer *writer = open_at("upgrade");
    ck_assert_int_eq(store_maintain(writer, 0, LEDGER_KEEP, &more, &fault),
                     OK); /* not at once: processes of 0.1.0 may still read them */
    ck_assert_int_gt(ask(hours), 100);
    for (more = true; more;)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    ck_assert_int_eq(ask(hours), 0);
    store_writer_set_retention(writer, &(struct store_retention){.raw_days = 3});
    for (more = true; more;)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    ck_assert_int_gt(ask(hours), 100);
    store_writer_close(writer);
    check_verify();
    store_writer_close(open_at("once more"));
    ck_assert_int_gt(ask(hours), 100);
}
END_TEST

/* The counts of everyone's breakdown by worker, added up; -1 if it is refused. */
static int64_t count_by_worker(int64_t from)
{
    struct report_filter filter = {.from = from, .to = LEDGER_NOW};
    struct store_reader *reader = open_reader(folder);
    struct list list = {0};
    struct fault fault;
    enum err err = list_read(
        reader, &filter, &(struct list_ask){.by = BY_WORKER, .order = ORDER_COUNT, .limit = LIST_ALL}, &list, &fault);
    int64_t sum = err ? -1 : 0;
    ck_assert_msg(!err || err == ERR_LOGS_PRUNED, "%s", fault.detail);
    for (size_t i = 0; i < list.count; i++)
        sum += list.rows[i].totals.count;
    list_release(&list);
    store_reader_close(reader);
    return sum;
}

#define KNOWN_FROM "(SELECT (durations_from + 23) / 24 FROM upgrade)"

/* Days that were closed before the upgrade have no sums by value. They are counted from the logs, as long as these are
 * kept; a rebuild makes the sums. */
START_TEST(values_of_an_upgraded_file)
{
    struct ledger ledger = SCHEMA1_LEDGER;
    struct sqlite_rebuilt rebuilt;
    struct fault fault;
    struct store_writer *writer = open_at("upgrade");
    for (int i = 1; i <= 12; i++)
        ck_assert_int_eq(ledger_write(writer, &ledger, SCHEMA1_BATCHES + i).result, OK);
    keep_up(writer);
    int64_t known = ask("SELECT " KNOWN_FROM), count = ask("SELECT count FROM total");
    ck_assert_int_eq(ask("SELECT count(*) FROM value_day WHERE bucket < " KNOWN_FROM), 0);
    ck_assert_int_gt(ask("SELECT count(*) FROM value_day WHERE bucket >= " KNOWN_FROM), 0);
    ck_assert_int_eq(count_by_worker(0), count);
    check_verify();
    store_writer_close(writer);
    if (_i)
        ck_assert_int_eq(sqlite_rebuild(folder, LEDGER_NOW, &(struct watch){0}, &rebuilt, &fault), OK);
    writer = open_writer(folder);
    store_writer_set_retention(writer, &(struct store_retention){.raw_days = 2});
    keep_up(writer);
    store_writer_close(writer);
    ck_assert_int_lt(known, ask("SELECT raw_from FROM retention"));
    ck_assert_int_eq(count_by_worker(0), _i ? count : -1);
    ck_assert_int_eq(count_by_worker(known * 86400 - 86400) >= 0, _i == 1);
    ck_assert_int_gt(count_by_worker(known * 86400), 0);
    check_verify();
}
END_TEST

/* A query process may have waited long enough for the writer: it answers 503 until the file is upgraded. */
START_TEST(a_reader_waits_for_the_upgrade)
{
    struct service service;
    struct store_reader *reader = NULL;
    struct fault fault = {0};
    service_init(&service, PROGRAM_QUERY, store_in(folder), 1000);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(service_take_reader(&service, &reader, &fault), ERR_UNAVAILABLE);
        service_give_reader(&service, ERR_UNAVAILABLE);
        ck_assert_msg(strstr(fault.detail, "schema 1") != NULL, "%s", fault.detail);
    }
    store_writer_close(open_at("upgrade"));
    ck_assert_msg(service_take_reader(&service, &reader, &fault) == OK, "%s", fault.detail);
    int version = 0;
    ck_assert_int_eq(store_reader_health(reader, &version, &fault), OK);
    ck_assert_int_eq(version, ask("PRAGMA user_version"));
    service_give_reader(&service, OK);
    service_release(&service);
}
END_TEST

/* ---- imports of old versions stay known ---- */

/* Imports logs `from` … `to` - 1 of a file, as a piece of their own. */
static struct store_item import(struct store_writer *writer, const char *file, int from, int to,
                                const struct import_batch *about, struct fault *ret_fault)
{
    struct batch batch;
    struct store_times times;
    char key[IMPORT_BATCH_KEY_BYTES];
    struct import_batch piece = *about;
    struct store_item item = {.batch = &batch, .caller = "whoever", .idempotency_key = key};
    piece.repeats = true;
    piece.begins_until = SCHEMA2_BEGIN + from / 3;
    piece.ends_from = SCHEMA2_BEGIN + (to - 1) / 3;
    import_batch_format(&piece, key);
    batch_init(&batch, NULL);
    for (int i = from; i < to; i++)
        schema2_add(&batch, file, i);
    store_write(writer, &item, 1, LEDGER_NOW, &times);
    batch_release(&batch);
    *ret_fault = item.fault;
    return item;
}

START_TEST(imported_logs_are_known)
{
    static const struct {
        const char *file, *source;
        int from, to;
        uint32_t already;
    } rows[] = {
        {"b", "", 0, SCHEMA2_B, SCHEMA2_B},
        {"a", "", 10, 30, 20},
        {"a", "", 40, 60, 10}, /* logs that a worker sent are no imports */
        {"a", "", 0, 60, 60},
        {"a", "node", 0, 50, 0}, /* old versions knew no sources */
        {"a", "node", 0, 50, 50},
    };
    struct fault fault;
    struct store_writer *writer = open_at("upgrade");
    int64_t logs = SCHEMA2_LOGS;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct import_batch about = {.check = false};
        ck_assert(import_source_parse(slice_of(rows[i].source), about.source));
        struct store_item item = import(writer, rows[i].file, rows[i].from, rows[i].to, &about, &fault);
        ck_assert_msg(item.result == OK && item.already == rows[i].already, "row %zu: %u %s", i, item.already,
                      fault.detail);
        logs += rows[i].to - rows[i].from - (int64_t)rows[i].already;
        ck_assert_int_eq(ask("SELECT count(*) FROM raw_log"), logs);
    }
    store_writer_close(writer);
    check_verify();
}
END_TEST

/* An old analyticsctl imports beside a new one. */
START_TEST(an_old_program_goes_on)
{
    struct fault fault;
    struct batch batch;
    struct store_times times;
    char key[IMPORT_KEY_BYTES];
    struct store_writer *writer = open_at("upgrade");
    struct import_mark mark = schema2_mark("a", 40);
    struct store_item item = {.batch = &batch, .caller = "key 7", .idempotency_key = key};
    import_mark_format(&mark, key);
    batch_init(&batch, NULL);
    for (int i = 40; i < 60; i++)
        schema2_add(&batch, "a", i);
    store_write(writer, &item, 1, LEDGER_NOW, &times);
    ck_assert_int_eq(item.result, OK);
    ck_assert_uint_eq(item.already, 10);
    batch_release(&batch);
    ck_assert_uint_eq(import(writer, "a", 0, 60, &(struct import_batch){.check = true}, &fault).already, 60);
    ck_assert_uint_eq(import(writer, "a", 50, 70, &(struct import_batch){.check = true}, &fault).already, 10);
    ck_assert_int_eq(ask("SELECT count(*) FROM raw_log"), SCHEMA2_LOGS + 10);
    store_writer_close(writer);
    check_verify();
}
END_TEST

/* Where logs are pruned, it is unknown what an old version imported: an import of that time is refused, and
 * says why. */
START_TEST(what_is_pruned_cannot_be_told)
{
    struct fault fault;
    bool more = true;
    struct store_writer *writer = open_at("upgrade");
    struct ledger ledger = SCHEMA1_LEDGER;
    ck_assert_int_eq(ledger_write(writer, &ledger, 1).result, OK); /* logs of a later day */
    store_writer_set_retention(writer, &(struct store_retention){.raw_days = 3});
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    ck_assert_int_eq(import(writer, "a", 0, 50, &(struct import_batch){.check = true}, &fault).result,
                     ERR_IMPORT_UNCLEAR);
    ck_assert_msg(strstr(fault.detail, "logs of 2026-03-15 10:15:00 to 2026-03-15 10:15:16 may have been imported by an"
                                       " earlier version of this program") != NULL,
                  "%s", fault.detail);
    struct import_batch skip = {.overlap = IMPORT_SKIP}, count = {.overlap = IMPORT_COUNT}, refuse = {.check = false};
    ck_assert_uint_eq(import(writer, "a", 0, 50, &skip, &fault).already, 50);
    ck_assert_uint_eq(import(writer, "a", 0, 50, &count, &fault).already, 0);
    ck_assert_uint_eq(import(writer, "a", 0, 50, &count, &fault).already, 50);
    ck_assert_uint_eq(import(writer, "a", 0, 50, &refuse, &fault).already, 50);
    struct import_batch named = {.source = "node"};
    ck_assert_int_eq(import(writer, "a", 0, 50, &named, &fault).result, OK);
    store_writer_close(writer);
    check_verify();
}
END_TEST

/* ---- interrupted ---- */

static void finish(const char *about)
{
    store_writer_close(open_at(about));
    fixture->check(about);
    ck_assert_int_gt(ask("PRAGMA user_version"), fixture->version);
}

/* analytics-query starts at the same time as analytics-ingest, which brings the file up to date. */
START_TEST(a_start_waits_for_the_upgrade)
{
    int status = 0;
    struct fault fault;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        usleep(200000);
        _exit(sqlite_create(folder, &fault) == OK ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    sqlite_await_upgrade(folder, INT64_C(600) * 1000);
    int64_t version = ask("PRAGMA user_version");
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(version, ask("PRAGMA user_version"));
    ck_assert_int_gt(version, fixture->version);
    sqlite_await_upgrade(folder, INT64_C(600) * 1000); /* not for one that is up to date */
}
END_TEST

/* Before an upgrade, people look at the status and make a backup. Found: a figure of the status that read a table of
 * the newest schema. */
START_TEST(an_old_file_is_looked_at_and_backed_up)
{
    struct sqlite_status status = {0};
    struct sqlite_backup *backup = NULL;
    struct sqlite_backup_facts facts = {0};
    struct watch watch = {0};
    struct fault fault = {0};
    char file[128];
    snprintf(file, sizeof file, "%s/copy.backup", folder);
    ck_assert_msg(sqlite_status_read(folder, LEDGER_NOW, &watch, &status, &fault) == OK, "%s", fault.detail);
    ck_assert_int_eq(status.schema_version, fixture->version);
    ck_assert_int_eq(status.first_log, ask("SELECT min(quarter * 900 + second) FROM raw_log"));
    ck_assert_int_eq(status.last_log, ask("SELECT max(quarter * 900 + second) FROM raw_log"));
    ck_assert_msg(sqlite_backup_begin(folder, &watch, &backup, &fault) == OK, "%s", fault.detail);
    ck_assert_msg(sqlite_backup_write(backup, file, false, LEDGER_NOW, &facts, &fault) == OK, "%s", fault.detail);
    sqlite_backup_end(backup);
    ck_assert_int_eq(facts.logs, ask("SELECT count(*) FROM raw_log"));
    ck_assert_int_eq(facts.schema_version, fixture->version);
    ck_assert_int_eq(unlink(file), 0);
}
END_TEST

/* After each operation (under sanitizers, each 13th): in turns, a kill, which leaves all that was written, the loss of
 * all that was not synced, and power cuts between these. In a long run, all of them after each operation. */
START_TEST(each_cut_of_an_upgrade)
{
    static const struct cut cuts[] = {{100, 0, 0}, {0, 0, 0}, {50, 30, 0}, {90, 50, 20}, {50, 100, 50}, {15, 20, 100}};
    struct fault fault;
    struct image image = {0};
    image_write(&ground, folder);
    tape_seed(1);
    tape_begin(&ground);
    disk_install(tape_hook);
    ck_assert_int_eq(sqlite_create(folder, &fault), OK);
    disk_install(NULL);
    size_t length = tape_length(), each = (size_t)rounds(3, 2, 1);
    ck_assert_uint_gt(length, 10);
    for (size_t at = 0; at <= length; at += (size_t)rounds(1, 13, 1))
        for (size_t i = at % each; i < sizeof cuts / sizeof *cuts; i += each) {
            char about[96];
            snprintf(about, sizeof about, "cut %zu behind operation %zu of %zu", i, at, length);
            tape_cut(at, cuts[i], &image);
            image_write(&image, folder);
            finish(about);
        }
    printf("%zu operations\n", length);
    image_release(&image);
    tape_release();
}
END_TEST

static int failing;
static size_t calls_left;

static int fail_call(struct disk_event *event)
{
    if (!((int)event->call & failing) || calls_left == 0 || --calls_left > 0)
        return SQLITE_OK;
    return event->call == DISK_WRITE ? SQLITE_FULL : SQLITE_IOERR;
}

START_TEST(each_fault_of_an_upgrade)
{
    static const int kinds[] = {DISK_OPEN, DISK_READ, DISK_WRITE, DISK_SYNC, DISK_LOCK, DISK_MAP};
    failing = kinds[_i];
    for (size_t n = 1;; n = campaign_next(n, 30)) {
        char about[64];
        struct fault fault = {0};
        snprintf(about, sizeof about, "call %zu of kind %d fails", n, failing);
        image_write(&ground, folder);
        calls_left = n;
        disk_install(fail_call);
        enum err err = sqlite_create(folder, &fault);
        disk_install(NULL);
        finish(about);
        if (calls_left > 0)
            break; /* there were not so many */
        ck_assert_msg(err == OK || fault.detail[0], "%s: no word of it", about);
    }
}
END_TEST

/* ---- new to old ---- */

static enum err try_create(struct fault *fault)
{
    return sqlite_create(folder, fault);
}

static enum err try_writer(struct fault *fault)
{
    struct store_writer *writer = NULL;
    return store_writer_open(store_in(folder), &writer, fault);
}

static enum err try_reader(struct fault *fault)
{
    struct store_reader *reader = NULL;
    return store_reader_open(store_in(folder), &reader, fault);
}

static enum err try_verify(struct fault *fault)
{
    struct sqlite_verified verified;
    return sqlite_verify(folder, &(struct sqlite_verify_options){0}, &(struct watch){0}, &verified, fault);
}

static enum err try_rebuild(struct fault *fault)
{
    struct sqlite_rebuilt rebuilt;
    return sqlite_rebuild(folder, LEDGER_NOW, &(struct watch){0}, &rebuilt, fault);
}

static enum err try_plan(struct fault *fault)
{
    struct sqlite_pruned pruned;
    return sqlite_prune_plan(folder, LEDGER_NOW, 1, &(struct watch){0}, &pruned, fault);
}

static enum err try_prune(struct fault *fault)
{
    struct sqlite_pruned pruned;
    return sqlite_prune(folder, LEDGER_NOW, 1, &(struct watch){0}, &pruned, fault);
}

static const struct sqlite_delete_options everything = {.to = INT64_MAX};

static enum err try_delete_plan(struct fault *fault)
{
    struct sqlite_deleted deleted;
    return sqlite_delete_plan(folder, &everything, &(struct watch){0}, &deleted, fault);
}

static enum err try_delete(struct fault *fault)
{
    struct sqlite_deleted deleted;
    return sqlite_delete(folder, &everything, LEDGER_NOW, &(struct watch){0}, &deleted, fault);
}

static enum err (*const tries[])(struct fault *) = {try_create, try_writer, try_reader,      try_verify, try_rebuild,
                                                    try_plan,   try_prune,  try_delete_plan, try_delete};
#define TRIES (int)(sizeof tries / sizeof *tries)

/* A file with the number of a later schema: this program leaves it as it is. */
START_TEST(a_newer_file_is_refused)
{
    struct fault fault = {0};
    struct image before = {0}, after = {0};
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version = 1003", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    image_read(&before, folder);
    ck_assert_int_eq(tries[_i](&fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, "analytics.db: made by a newer version of this program (schema 1003, this"
                                       " program knows ") != NULL,
                  "%s", fault.detail);
    image_read(&after, folder);
    ck_assert_uint_eq(after.file[DISK_DB].len, before.file[DISK_DB].len);
    ck_assert_mem_eq(after.file[DISK_DB].bytes, before.file[DISK_DB].bytes, before.file[DISK_DB].len);
    image_release(&before);
    image_release(&after);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, SFun set_up_case)
{
    TCase *tcase = suite_case(suite, name);
    tcase_add_checked_fixture(tcase, set_up_case, tear_down);
    tcase_add_test(tcase, an_old_schema_becomes_the_newest);
    tcase_add_test(tcase, an_old_file_is_looked_at_and_backed_up);
    tcase_add_test(tcase, a_start_waits_for_the_upgrade);
    tcase_add_test(tcase, each_cut_of_an_upgrade);
    tcase_add_loop_test(tcase, each_fault_of_an_upgrade, 0, 6);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("upgrade");
    TCase *schema1 = add_case(suite, "schema 1", set_up_first), *schema2 = add_case(suite, "schema 2", set_up_second);
    tcase_add_test(schema1, an_upgraded_file_is_used_on);
    tcase_add_test(schema1, durations_of_an_upgraded_file);
    tcase_add_test(schema1, a_rebuild_brings_durations_back);
    tcase_add_test(schema1, durations_beside_a_log_of_the_future);
    tcase_add_test(schema1, user_hours_of_an_upgraded_file);
    tcase_add_loop_test(schema1, values_of_an_upgraded_file, 0, 2);
    tcase_add_test(schema1, a_reader_waits_for_the_upgrade);
    tcase_add_loop_test(schema1, a_newer_file_is_refused, 0, TRIES);
    tcase_add_test(schema2, imported_logs_are_known);
    tcase_add_test(schema2, an_old_program_goes_on);
    tcase_add_test(schema2, what_is_pruned_cannot_be_told);
    return suite_run(suite);
}
