/* ledger.c: makes numbered batches, and looks for them with plain SQL. The port of a log is its batch's number. */
#include "support/ledger.h"
#include "support/fixture.h"

#include "support/recount.h"
#include "store/sqlite/write/writer.h"
#include "time/when.h"

#include "support/check.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- making ---- */

/* The same numbers every time, so that a batch can be made again from its number. */
static int64_t scatter(int number, int line, int salt, int64_t n)
{
    uint64_t x = (uint64_t)number * 1000003 + (uint64_t)line * 7919 + (uint64_t)salt * 104729 + 12345;
    x = (x ^ (x >> 31)) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (int64_t)((x ^ (x >> 32)) % (uint64_t)n);
}

static int log_count(const struct ledger *ledger, int number)
{
    return number % 15 == 7 ? 0 : 1 + (int)scatter(number, 0, 0, ledger->logs * 2);
}

static bool has_key(int number)
{
    return number % 3 != 2;
}

/* One log in six is late by up to three days: it may meet closed hours and days. */
static void add_log(struct batch *batch, const struct ledger *ledger, int number, int line)
{
    char domain[32], error[32] = "";
    int64_t late = scatter(number, line, 1, 6) ? 3 * WHEN_HOUR : 3 * (int64_t)WHEN_DAY;
    int64_t begin = ledger->begin ? ledger->begin : LEDGER_BEGIN;
    struct log_record log = {.ts = begin + (int64_t)number * ledger->pause - scatter(number, line, 2, late),
                             .user_id = 1 + scatter(number, line, 3, 4),
                             .order_id = 1 + scatter(number, line, 4, 5),
                             .count = 1 + scatter(number, line, 5, 9),
                             .bytes_sent = scatter(number, line, 6, 100000),
                             .bytes_received = scatter(number, line, 7, 100000),
                             .error_count = scatter(number, line, 8, 3),
                             .max_concurrency = scatter(number, line, 12, 60),
                             .duration_ms = scatter(number, line, 13, 90000),
                             .port = (uint16_t)number};
    snprintf(domain, sizeof domain, "d%" PRId64 ".example", scatter(number, line, 9, 10 + number));
    if (scatter(number, line, 10, 4) == 0)
        snprintf(error, sizeof error, "error %" PRId64, scatter(number, line, 11, 5));
    log.name[NAME_DOMAIN] = intern(batch, domain);
    log.name[NAME_ERROR] = intern(batch, error);
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

void ledger_batch_make(struct ledger_batch *made, const struct ledger *ledger, int number)
{
    batch_init(&made->batch, NULL);
    snprintf(made->key, sizeof made->key, "k%d", number);
    for (int line = 0; line < log_count(ledger, number); line++)
        add_log(&made->batch, ledger, number, line);
}

struct store_item ledger_item(const struct ledger_batch *made, int number)
{
    struct store_item item = {
        .batch = &made->batch, .caller = "worker", .idempotency_key = has_key(number) ? made->key : NULL};
    memset(item.body_hash, number & 255, sizeof item.body_hash);
    return item;
}

struct store_item ledger_write(struct store_writer *writer, const struct ledger *ledger, int number)
{
    struct ledger_batch made;
    struct store_times times;
    ledger_batch_make(&made, ledger, number);
    struct store_item item = ledger_item(&made, number);
    store_write(writer, &item, 1, 1000, &times);
    batch_release(&made.batch);
    item.batch = NULL;
    item.idempotency_key = NULL;
    return item;
}

/* ---- a process that writes ---- */

/* Logs come late, hours and days are closed in large and small slices, the WAL is checkpointed and restarted. */
static void write_as_told(const struct ledger *ledger, const char *in, int pipe_end)
{
    struct store_writer *writer = open_writer(in);
    struct fault fault;
    char byte;
    for (int i = 0; read(pipe_end, &byte, 1) == 1; i++) {
        bool more = true;
        ck_assert_int_eq(ledger_write(writer, ledger, i).result, OK);
        sqlite_set_slice(sqlite_writer_of(writer), i % 3 ? 1 : 1000);
        for (int slices = i % 40; more && slices > 0; slices--) {
            sqlite_writer_of(writer)->wal.checkpoint_at = 200;
            ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
        }
    }
    store_writer_close(writer);
}

pid_t ledger_start_writer(const struct ledger *ledger, const char *in, int *ret_pipe_end)
{
    int ends[2];
    store_writer_close(open_writer(in));
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        close(ends[1]);
        write_as_told(ledger, in, ends[0]);
        _exit(0);
    }
    close(ends[0]);
    *ret_pipe_end = ends[1];
    return writer;
}

/* ---- looking ---- */

struct found {
    int64_t logs, batches, count, bytes;
    bool key;
};

static void check_integrity(sqlite3 *db, const char *about)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL);
    if (!rc)
        rc = sqlite3_step(statement);
    ck_assert_msg(rc == SQLITE_ROW, "%s: integrity_check: %s", about, sqlite3_errmsg(db));
    const char *words = (const char *)sqlite3_column_text(statement, 0);
    ck_assert_msg(!strcmp(words, "ok"), "%s: integrity_check: %s", about, words);
    sqlite3_finalize(statement);
}

static void find_logs(sqlite3 *db, struct found *found)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db,
                       "SELECT port, count(*), count(DISTINCT batch_id), sum(count), sum(bytes_sent + bytes_received)"
                       " FROM raw_log GROUP BY port",
                       -1, &statement, NULL);
    while (sqlite3_step(statement) == SQLITE_ROW)
        found[sqlite3_column_int(statement, 0) % LEDGER_BATCHES] =
            (struct found){.logs = sqlite3_column_int64(statement, 1),
                           .batches = sqlite3_column_int64(statement, 2),
                           .count = sqlite3_column_int64(statement, 3),
                           .bytes = sqlite3_column_int64(statement, 4)};
    ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
}

static void find_keys(sqlite3 *db, struct found *found)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db, "SELECT substr(key, 2) FROM batch_key", -1, &statement, NULL);
    while (sqlite3_step(statement) == SQLITE_ROW)
        found[sqlite3_column_int(statement, 0) % LEDGER_BATCHES].key = true;
    ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
}

static bool is_whole(const struct ledger *ledger, int number, const struct found *found)
{
    struct ledger_batch made;
    int64_t count = 0, bytes = 0;
    ledger_batch_make(&made, ledger, number);
    uint32_t logs = made.batch.log_count;
    for (uint32_t i = 0; i < logs; i++) {
        count += made.batch.logs[i].count;
        bytes += made.batch.logs[i].bytes_sent + made.batch.logs[i].bytes_received;
    }
    batch_release(&made.batch);
    return found->logs == logs && found->batches == (logs > 0) && found->count == count && found->bytes == bytes &&
           found->key == has_key(number);
}

/* A batch without logs and without a key leaves no trace. */
static void check_batch(struct ledger *ledger, int number, const struct found *found, const char *about)
{
    enum fate fate = ledger->fate[number];
    bool traceless = log_count(ledger, number) == 0 && !has_key(number);
    bool nothing = found->logs == 0 && !found->key;
    if (traceless) {
        ck_assert(nothing);
        return;
    }
    ck_assert_msg(nothing || is_whole(ledger, number, found),
                  "%s: batch %d is neither whole nor absent: %" PRId64 " of %d logs, %" PRId64 " times, key %d", about,
                  number, found->logs, log_count(ledger, number), found->batches, found->key);
    ck_assert_msg(fate != WHOLE || !nothing, "%s: acknowledged batch %d is lost", about, number);
    ck_assert_msg(fate != ABSENT || nothing, "%s: refused batch %d is there", about, number);
    ledger->fate[number] = nothing ? ABSENT : WHOLE;
}

/* The table batch has the number of logs of each batch. */
static const char miscounted[] = "SELECT count(*) FROM batch LEFT JOIN (SELECT batch_id, count(*) AS n FROM raw_log"
                                 " GROUP BY batch_id) ON batch_id = id WHERE logs <> ifnull(n, 0)";

/* A report of the store has the sum of the raw logs. */
static void check_report(const struct ledger *ledger, const char *in, sqlite3 *db, const char *about)
{
    struct store_reader *reader = NULL;
    struct fault fault;
    struct chart chart = {0};
    struct report_filter filter = {.from = LEDGER_BEGIN - 4 * (int64_t)WHEN_DAY,
                                   .to = LEDGER_BEGIN + (int64_t)ledger->count * ledger->pause};
    int64_t sum = 0;
    ck_assert_msg(store_reader_open(store_in(in), &reader, &fault) == OK, "%s: %s", about, fault.detail);
    ck_assert_msg(store_chart(reader, &filter, GRANULARITY_DAY, false, &chart, &fault) == OK, "%s: %s", about,
                  fault.detail);
    for (size_t i = 0; i < chart.count; i++)
        sum += chart.points[i].totals.count;
    ck_assert_msg(sum == recount_i64(db, "SELECT ifnull(sum(count), 0) FROM raw_log"), "%s: the chart differs", about);
    chart_release(&chart);
    store_reader_close(reader);
}

void ledger_check(struct ledger *ledger, const char *in, const char *about)
{
    static struct found found[LEDGER_BATCHES];
    memset(found, 0, sizeof found);
    sqlite3 *db = open_plain(in, SQLITE_OPEN_READONLY);
    check_integrity(db, about);
    find_logs(db, found);
    find_keys(db, found);
    for (int i = 0; i < ledger->count; i++)
        check_batch(ledger, i, &found[i], about);
    for (int i = ledger->count; i < LEDGER_BATCHES; i++)
        ck_assert_msg(!found[i].logs && !found[i].key, "%s: a batch that never was", about);
    ck_assert_msg(recount_i64(db, miscounted) == 0, "%s: logs of a batch are missing", about);
    ck_assert_msg(recount_unless_known(db) == 0, "%s: rollups differ from raw logs", about);
    check_report(ledger, in, db, about);
    sqlite3_close(db);
}

void ledger_remove_folder(const char *in)
{
    static const char *const files[] = {"analytics.db", "analytics.db-wal", "analytics.db-shm", "analytics.db-journal",
                                        "lock"};
    char path[256];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", in, files[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(in), 0);
}
