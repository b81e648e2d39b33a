/* test_verify.c: verify finds every damage to every table, and nothing in a sound database; rebuild mends derived
 * tables. The results are compared with tests/support/recount.c, plain SQL over the raw logs, and with the tables
 * before the damage.
 *
 * Planted to see it fail: a rebuild that does not empty traffic_hour ("recount() == 4926", "2464 differences"), a
 * verify that does not look at the total ("0 differences"), or not at the order of a part's logs (logs_out_of_order).
 */
#include "support/ledger.h"
#include "support/fixture.h"
#include "support/tape.h"
#include "support/recount.h"
#include "part/part.h"
#include "rollup/pack.h"
#include "store/sqlite/write/writer.h"
#include "time/when.h"
#include "store/sqlite/care/care.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- databases to damage ---- */

/* Thirty-six days: more than two periods of 16 days. At the end, a day and an hour are not closed. */
static const struct ledger long_ledger = {.logs = 8, .pause = 11 * 3600};
#define LONG_BATCHES 80

/* Two days, for tests that try everything. */
static const struct ledger short_ledger = {.logs = 9, .pause = 3600};
#define SHORT_BATCHES 50

static struct image late_ground;  /* the long one as a service leaves it: late logs were merged into closed periods */
static struct image ground;       /* the long one, rebuilt */
static struct image short_ground; /* the short one, rebuilt */

static void upkeep(struct store_writer *writer, int slices)
{
    bool more = true;
    struct fault fault;
    while (more && slices-- > 0)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
}

/* Upkeep has the smallest slices, and too few of them, so that logs come while periods are half packed. */
static void write_ledger(const struct ledger *ledger, int batches)
{
    struct store_writer *writer = open_writer(folder);
    for (int i = 0; i < batches; i++) {
        sqlite_set_slice(sqlite_writer_of(writer), 1);
        ck_assert_int_eq(ledger_write(writer, ledger, i).result, OK);
        upkeep(writer, i % 9);
    }
    store_writer_close(writer);
}

static void finish_upkeep(void)
{
    struct store_writer *writer = open_writer(folder);
    upkeep(writer, INT_MAX);
    store_writer_close(writer);
}

/* ---- verify and rebuild ---- */

/* The differences that were reported. The texts that `first` borrowed are gone; these are copies. */
struct told {
    struct sqlite_difference first;
    char words[256], domain[64], error[64];
    size_t count;
};

static void keep_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static void tell(void *ctx, const struct sqlite_difference *difference)
{
    struct told *told = ctx;
    if (told->count++ > 0)
        return;
    told->first = *difference;
    keep_text(told->words, sizeof told->words, difference->words);
    keep_text(told->domain, sizeof told->domain, difference->domain);
    keep_text(told->error, sizeof told->error, difference->error);
}

static struct sqlite_verified verify(struct told *told, size_t entries_at_once)
{
    struct sqlite_verified verified = {0};
    struct fault fault = {0};
    struct sqlite_verify_options options = {.entries_at_once = entries_at_once, .ctx = told, .difference = tell};
    struct watch watch = {0};
    *told = (struct told){0};
    ck_assert_msg(sqlite_verify(folder, &options, &watch, &verified, &fault) == OK, "%s", fault.detail);
    ck_assert_uint_eq(told->count, verified.differences < VERIFY_DIFFERENCES_TOLD ? (size_t)verified.differences
                                                                                  : VERIFY_DIFFERENCES_TOLD);
    return verified;
}

static void ck_verify_clean(const char *about)
{
    struct told told;
    struct sqlite_verified verified = verify(&told, 0);
    ck_assert_msg(verified.differences == 0,
                  "%s: %lld differences; %s: %s, bucket %lld, user %lld, order %lld, domain %s", about,
                  (long long)verified.differences, told.first.table, told.words, (long long)told.first.bucket,
                  (long long)told.first.user_id, (long long)told.first.order_id, told.domain);
    ck_assert(!verified.facts_differ);
}

static struct sqlite_rebuilt rebuild(void)
{
    struct sqlite_rebuilt rebuilt = {0};
    struct fault fault = {0};
    struct watch watch = {0};
    ck_assert_msg(sqlite_rebuild(folder, LEDGER_NOW, &watch, &rebuilt, &fault) == OK, "%s", fault.detail);
    return rebuilt;
}

/* ---- plain SQL ---- */

/* Returns how many rows were changed. */
static int plain_exec(const char *sql)
{
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READWRITE);
    int before = sqlite3_total_changes(db);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    int changes = sqlite3_total_changes(db) - before;
    sqlite3_close(db);
    return changes;
}

static int64_t plain_i64(const char *sql)
{
    return ask_plain(folder, sql);
}

static int64_t recount(void)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READONLY);
    int64_t differences = recount_unless_known(db);
    sqlite3_close(db);
    return differences;
}

/* A hash over all rows of the derived tables, column by column, byte by byte. */
static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t add_rows(uint64_t hash, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            int len = sqlite3_column_bytes(statement, i);
            hash = add_bytes(add_bytes(hash, &len, sizeof len), sqlite3_column_blob(statement, i), (size_t)len);
        }
    ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
    return hash;
}

static uint64_t derived_bytes(void)
{
    static const char *const tables[] = {
        "* FROM traffic_quarter",
        "* FROM traffic_hour",
        "* FROM traffic_day",
        "* FROM rollup_chunk",
        "closed_hour, closed_day FROM closing", /* not `changes`: a rebuild adds one, so that readers read again */
        "* FROM value_day",
        "* FROM value_gap",
        "* FROM total",
        "* FROM order_user",
    };
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READONLY);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT %s", tables[i]);
        hash = add_rows(hash, db, sql);
    }
    sqlite3_close(db);
    return hash;
}

/* ---- sound databases ---- */

START_TEST(a_sound_database_is_silent)
{
    static const struct image *const grounds[] = {&late_ground, &ground, &short_ground};
    static const size_t at_once[] = {0, 1000, 50, 3}; /* 3: fewer than the entries of one user in an hour */
    struct told told;
    image_write(grounds[_i], folder);
    ck_assert_int_eq(recount(), 0);
    for (size_t i = 0; i < sizeof at_once / sizeof *at_once; i += (size_t)rounds(1, 3, 1)) {
        struct sqlite_verified verified = verify(&told, at_once[i]);
        ck_assert_msg(verified.differences == 0, "%zu at once: %s: %s", at_once[i], told.first.table, told.words);
        ck_assert_int_eq(verified.logs, plain_i64("SELECT count(*) FROM raw_log"));
    }
}
END_TEST

START_TEST(an_empty_database_is_silent)
{
    struct fault fault;
    ck_assert_int_eq(sqlite_create(folder, &fault), OK);
    ck_verify_clean("empty");
    ck_assert_int_eq(rebuild().logs, 0);
    ck_verify_clean("empty, rebuilt");
    ck_assert_int_eq(plain_i64("SELECT closed_hour FROM closing"), 0);
}
END_TEST

START_TEST(half_packed_periods_are_silent)
{
    struct store_writer *writer = open_writer(folder);
    for (int i = 0; i < SHORT_BATCHES; i++)
        ck_assert_int_eq(ledger_write(writer, &short_ledger, i).result, OK);
    bool more = true;
    struct fault fault;
    int half_packed = 0, slices = 0;
    sqlite_set_slice(sqlite_writer_of(writer), 1);
    while (more) {
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
        sqlite3 *db = open_bare(folder, SQLITE_OPEN_READONLY);
        half_packed += recount_half_packed(db) > 0;
        sqlite3_close(db);
        if (slices++ % rounds(4, 7, 1) == 0)
            ck_verify_clean("in the middle of upkeep");
    }
    ck_assert_int_gt(half_packed, 3);
    store_writer_close(writer);
}
END_TEST

/* ---- every table, every column, in turn ---- */

#define TRAFFIC_COLUMNS "count", "bytes_sent", "bytes_received", "errors", "max_concurrency"

#define MAX_COLUMNS 10

/* A derived table of plain rows. */
static const struct {
    const char *table;
    const char *key;
    const char *stray;                /* a row that should not be there */
    const char *columns[MAX_COLUMNS]; /* NULL behind the last */
    enum sqlite_period period;
} plain_tables[] = {
    {"traffic_quarter",
     "bucket, user_id",
     "SELECT bucket, 77, 1, 1, 1, 1, 1, 1, 1, 1 FROM traffic_quarter LIMIT 1 OFFSET 30",
     {TRAFFIC_COLUMNS, "first_second", "last_second"},
     PERIOD_QUARTER},
    {"traffic_hour",
     "bucket, user_id, order_id",
     "SELECT bucket, 0, 77, 1, 1, 1, 1, 1, 1 FROM traffic_hour LIMIT 1 OFFSET 30",
     {TRAFFIC_COLUMNS},
     PERIOD_HOUR},
    {"traffic_day",
     "user_id, order_id, bucket",
     "SELECT 2, 77, bucket, 1, 1, 1, 1, 1, 1 FROM traffic_day LIMIT 1 OFFSET 7",
     {TRAFFIC_COLUMNS},
     PERIOD_DAY},
    {"value_day",
     "dimension, bucket, value",
     "SELECT 4, bucket, 77, 1, 1, 1, 1, 1, 1 FROM value_day LIMIT 1 OFFSET 7",
     {TRAFFIC_COLUMNS},
     PERIOD_DAY},
    {"total", "id", NULL, {"count", "bytes_sent", "bytes_received", "errors"}, PERIOD_NONE},
    {"order_user", "order_id, user_id", "SELECT 77, 1", {NULL}, PERIOD_NONE},
};
#define PLAIN_TABLES (sizeof plain_tables / sizeof *plain_tables)

static void check_mended(const char *sql, uint64_t before)
{
    ck_assert_int_gt(rebuild().logs, 0);
    ck_verify_clean(sql);
    ck_assert_int_eq(recount(), 0);
    ck_assert_msg(derived_bytes() == before, "%s: rebuilt, and yet other bytes", sql);
}

/* verify and the recount find this damage and no other, and rebuild restores the table byte by byte. Its work does not
 * depend on which row is damaged, so it runs only if `first`, or in a long run. */
static void check_damage(const char *sql, const char *table, bool first, struct told *told)
{
    uint64_t before = derived_bytes();
    ck_assert_msg(plain_exec(sql) == 1, "%s: does not change exactly one row", sql);
    ck_assert_msg(recount() > 0, "%s: the recount does not see it", sql);
    struct sqlite_verified verified = verify(told, 0);
    ck_assert_msg(verified.differences == 1, "%s: %lld differences", sql, (long long)verified.differences);
    ck_assert_msg(!strcmp(told->first.table, table), "%s: told of %s", sql, told->first.table);
    ck_assert(!verified.facts_differ);
    if (first || is_long_run())
        check_mended(sql, before);
}

static const int64_t *measure(const struct totals *totals, const char *column)
{
    static const char *const names[] = {TRAFFIC_COLUMNS, "first_second", "last_second"};
    const int64_t *const values[] = {&totals->count,  &totals->bytes_sent,      &totals->bytes_received,
                                     &totals->errors, &totals->max_concurrency, &totals->first,
                                     &totals->last};
    for (size_t i = 0; i < 7; i++)
        if (!strcmp(names[i], column))
            return values[i];
    ck_abort_msg("%s", column);
    return NULL;
}

START_TEST(a_changed_figure_is_named)
{
    struct told told;
    for (int c = 0; c < MAX_COLUMNS && plain_tables[_i].columns[c]; c += rounds(2, 6, 1)) {
        char sql[512];
        const char *table = plain_tables[_i].table, *column = plain_tables[_i].columns[c];
        int offset = plain_tables[_i].period == PERIOD_NONE ? 0 : 40 + c;
        snprintf(sql, sizeof sql,
                 "UPDATE %s SET %s = %s + 1 WHERE (%s) = (SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET %d)", table,
                 column, column, plain_tables[_i].key, plain_tables[_i].key, table, plain_tables[_i].key, offset);
        image_write(&ground, folder);
        check_damage(sql, table, c == 0, &told);
        ck_assert_int_eq(told.first.period, plain_tables[_i].period);
        if (told.first.period != PERIOD_NONE) {
            ck_assert(told.first.is_there && told.first.is_due);
            ck_assert_int_eq(*measure(&told.first.there, column), *measure(&told.first.due, column) + 1);
        }
    }
}
END_TEST

START_TEST(a_missing_row_is_named)
{
    struct told told;
    char sql[512];
    const char *table = plain_tables[_i].table, *key = plain_tables[_i].key;
    image_write(&ground, folder);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    int64_t rows = plain_i64(sql);
    for (int offset = 0; offset < 200 && offset < rows; offset += 79) {
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE (%s) = (SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET %d)",
                 table, key, key, table, key, offset);
        image_write(&ground, folder);
        check_damage(sql, table, offset == 0, &told);
        ck_assert(plain_tables[_i].period == PERIOD_NONE || (!told.first.is_there && told.first.is_due));
    }
}
END_TEST

START_TEST(a_row_too_many_is_named)
{
    struct told told;
    char sql[512];
    if (!plain_tables[_i].stray)
        return;
    snprintf(sql, sizeof sql, "INSERT INTO %s %s", plain_tables[_i].table, plain_tables[_i].stray);
    image_write(&ground, folder);
    check_damage(sql, plain_tables[_i].table, true, &told);
    ck_assert(plain_tables[_i].period == PERIOD_NONE || (told.first.is_there && !told.first.is_due));
}
END_TEST

/* ---- damage that is more than a row ---- */

#define CHUNK_KEY "(tier, bucket, user_id, kind, domain)"
#define NTH_CHUNK(where, n)                                                                                            \
    "(SELECT tier, bucket, user_id, kind, domain FROM rollup_chunk WHERE " where                                       \
    " ORDER BY 1, 2, 3, 4, 5 LIMIT 1 OFFSET " n ")"
#define DROP_CHUNK(where, n) "DELETE FROM rollup_chunk WHERE " CHUNK_KEY " = " NTH_CHUNK(where, n)
#define COPY_CHUNK(tier, bucket, user, kind)                                                                           \
    "INSERT INTO rollup_chunk SELECT " tier ", " bucket ", " user ", " kind ", domain, entries FROM rollup_chunk"      \
    " WHERE " CHUNK_KEY " = " NTH_CHUNK("tier = 1", "5")
#define HOUR_ROW(bucket) "INSERT INTO traffic_hour VALUES (" bucket ", 0, 1, 1, 1, 1, 1, 1, 1)"
#define DAY_ROW(bucket) "INSERT INTO traffic_day VALUES (1, 1, " bucket ", 1, 1, 1, 1, 1, 1)"
#define QUARTER_ROW(bucket) "INSERT INTO traffic_quarter VALUES (" bucket ", 1, 1, 1, 1, 1, 1, 0, 0, 1)"

static const struct {
    const char *sql;
    const char *table; /* of the first difference */
    const char *words; /* a part of its text */
    bool is_fact;
} damages[] = {
    {DROP_CHUNK("tier = 1", "100"), "rollup_chunk", "", false},
    {DROP_CHUNK("tier = 1 AND user_id = 0 AND kind = 1", "10"), "rollup_chunk", "", false},
    {DROP_CHUNK("tier = 2", "100"), "rollup_chunk", "", false},
    {DROP_CHUNK("tier = 3", "50"), "rollup_chunk", "", false},
    {DROP_CHUNK("tier = 4", "20"), "rollup_chunk", "", false},
    {"DELETE FROM rollup_chunk", "rollup_chunk", "", false},
    {"DELETE FROM rollup_chunk WHERE tier = 4", "rollup_chunk", "", false},
    {"DELETE FROM traffic_hour", "traffic_hour", "", false},
    {"DELETE FROM traffic_day", "traffic_day", "", false},
    {"DELETE FROM traffic_quarter", "traffic_quarter", "", false},
    {"DELETE FROM order_user", "order_user", "is missing", false},
    {"UPDATE traffic_hour SET count = count + 1", "traffic_hour", "", false},
    {COPY_CHUNK("2", "bucket / 24", "77", "kind"), "rollup_chunk", "", false},
    {COPY_CHUNK("tier", "bucket", "-1", "kind"), "rollup_chunk", "", false},
    {COPY_CHUNK("tier", "bucket", "user_id", "7"), "rollup_chunk", "its kind is unknown", false},
    {COPY_CHUNK("1", "(SELECT closed_hour FROM closing)", "0", "0"), "rollup_chunk", "", false},
    {COPY_CHUNK("1", "(SELECT closed_hour + 1000 FROM closing)", "0", "0"), "rollup_chunk", "", false},
    {COPY_CHUNK("2", "(SELECT closed_day + 1 FROM closing)", "1", "0"), "rollup_chunk", "", false},
    {COPY_CHUNK("3", "1", "1", "0"), "rollup_chunk", "", false},
    {COPY_CHUNK("5", "1", "1", "0"), "rollup_chunk", "of no known period", false},
    {COPY_CHUNK("0", "1", "1", "0"), "rollup_chunk", "of no known period", false},
    {COPY_CHUNK("4", "-1", "1", "0"), "rollup_chunk", "of no time", false},
    {COPY_CHUNK("1", "9223372036854775807", "1", "0"), "rollup_chunk", "of no time", false},
    {"UPDATE rollup_chunk SET entries = x'' WHERE " CHUNK_KEY " = " NTH_CHUNK("tier = 2", "30"), "rollup_chunk",
     "it is empty", false},
    {"UPDATE rollup_chunk SET entries = CAST(entries || entries AS BLOB) WHERE " CHUNK_KEY
     " = " NTH_CHUNK("tier = 2", "30"),
     "rollup_chunk", "", false},
    {"UPDATE rollup_chunk SET domain = domain + 1 WHERE " CHUNK_KEY " = " NTH_CHUNK("tier = 2 AND kind = 0", "30"),
     "rollup_chunk", "its first entry is of another domain", false},
    {"UPDATE rollup_chunk SET kind = 1 WHERE " CHUNK_KEY " = " NTH_CHUNK("tier = 2 AND user_id = 4 AND kind = 0", "0"),
     "rollup_chunk", "it mixes entries", false},
    {HOUR_ROW("(SELECT closed_hour FROM closing)"), "traffic_hour", "", false},
    {HOUR_ROW("1"), "traffic_hour", "", false},
    {HOUR_ROW("-1"), "traffic_hour", "of no time", false},
    {DAY_ROW("(SELECT closed_day + 1 FROM closing)"), "traffic_day", "", false},
    {DAY_ROW("1"), "traffic_day", "", false},
    {DAY_ROW("1000000000000"), "traffic_day", "of no time", false},
    {QUARTER_ROW("(SELECT closed_hour * 4 + 1000 FROM closing)"), "traffic_quarter", "", false},
    {QUARTER_ROW("1"), "traffic_quarter", "", false},
    {QUARTER_ROW("-9223372036854775807"), "traffic_quarter", "of no time", false},
    {"UPDATE closing SET closed_hour = closed_hour + 1", "traffic_hour", "", false},
    {"UPDATE closing SET closed_hour = closed_hour - 1", "traffic_hour", "", false},
    {"UPDATE closing SET closed_day = closed_day - 2", "traffic_day", "", false},
    {"UPDATE closing SET closed_day = closed_day + 1, closed_hour = closed_day * 24 + 24", "closing",
     "but the newest log is of", false},
    {"UPDATE closing SET closed_day = closed_day + 1", "closing", "but hours before", false},
    {"UPDATE closing SET closed_hour = closed_hour + 5000", "closing", "but the newest log is of", false},
    {"UPDATE closing SET closed_hour = 9223372036854775807, closed_day = 9223372036854775807", "closing",
     "a time that can't be", false},
    {"UPDATE closing SET closed_hour = 0, closed_day = -9223372036854775807", "closing", "a time that can't be", false},
    {"UPDATE closing SET closed_hour = 0, closed_day = 0", "traffic_hour", "", false},
    {"DELETE FROM value_day WHERE dimension = 5", "value_day", "ip_out \"", false},
    {"INSERT INTO value_gap SELECT dimension, bucket FROM value_day WHERE dimension = 1 LIMIT 1", "value_day", "worker",
     false},
    {"INSERT INTO value_gap SELECT 4, bucket FROM value_day WHERE dimension = 1 LIMIT 1 OFFSET 9", "value_day", "port",
     false},
    {"INSERT INTO value_gap VALUES (4, 1)", "value_gap", "port should not be there: the logs have at most 1000", false},
    {"INSERT INTO value_gap VALUES (7, 1)", "value_gap", "of no known period", false},
    {"UPDATE value_day SET bucket = -1 WHERE dimension = 4 AND bucket = (SELECT min(bucket) FROM value_day)",
     "value_day", "of no time", false},
    {"DELETE FROM closing", "closing", "its row is missing", false},
    {"DELETE FROM total", "total", "its row is missing", false},
    {"UPDATE batch SET logs = logs + 1 WHERE id = 10", "raw_log", "of batch 10 there are", true},
    {"DELETE FROM batch WHERE id = 11", "batch", "batch 11 is missing", true},
    {"DELETE FROM main.raw_log WHERE (batch_id, line) = (80, 0)", "raw_log", "of batch 80 there are", true},
    {"UPDATE main.raw_log SET batch_id = 14 WHERE (batch_id, line) = (80, 0)", "raw_log", "of batch 14 there are",
     true},
};

/* Every damage is named, under sanitizers every second. rebuild does not look at what it replaces, so it is asked after
 * one damage of three, under sanitizers of eight, in a long run after each; verify with 20 entries at once, which takes
 * longest, after half of these. */
START_TEST(damage_is_named_and_mended)
{
    struct told told;
    const char *sql = damages[_i].sql;
    if (_i % rounds(1, 2, 1) != 0)
        return;
    image_write(&ground, folder);
    uint64_t before = derived_bytes();
    ck_assert_msg(plain_exec(sql) > 0, "%s: changed nothing", sql);
    struct sqlite_verified verified = verify(&told, 0);
    ck_assert_msg(verified.differences > 0, "%s: not seen", sql);
    ck_assert_msg(!strcmp(told.first.table, damages[_i].table), "%s: told of %s", sql, told.first.table);
    ck_assert_msg(strstr(told.words, damages[_i].words) != NULL, "%s: '%s'", sql, told.words);
    ck_assert_int_eq(verified.facts_differ, damages[_i].is_fact);
    if (_i % rounds(3, 8, 1) != 0)
        return;
    if (_i % rounds(6, 16, 1) == 0)
        ck_assert_msg(verify(&told, 20).differences > 0, "%s: not seen, 20 entries at once", sql);
    rebuild();
    ck_assert_int_eq(recount(), 0);
    if (damages[_i].is_fact) { /* derived tables are made from the damaged facts */
        ck_assert(verify(&told, 0).facts_differ);
        ck_assert_str_eq(told.first.table, damages[_i].table);
        return;
    }
    ck_verify_clean(sql);
    ck_assert_msg(derived_bytes() == before, "%s: rebuilt, and yet other bytes", sql);
}
END_TEST

/* There are as many differences as rows, of which ten are reported (see verify()). */
START_TEST(all_differences_are_counted)
{
    struct told told;
    image_write(&ground, folder);
    ck_assert_int_gt(plain_exec("UPDATE traffic_hour SET errors = errors + 1"), 100);
    ck_assert_int_eq(verify(&told, 0).differences, plain_i64("SELECT count(*) FROM traffic_hour"));
    ck_assert_uint_eq(told.count, 10);
}
END_TEST

/* ---- the bytes of a chunk ---- */

/* One chunk of the short database, and its right bytes. */
struct victim {
    sqlite3 *db;
    sqlite3_stmt *update;
    int64_t key[5];
    unsigned char bytes[4096];
    size_t len;
};

static int64_t base_of(const struct victim *victim)
{
    static const int64_t widths[] = {0, WHEN_HOUR, WHEN_DAY, INT64_C(4) * WHEN_DAY, INT64_C(16) * WHEN_DAY};
    return victim->key[1] * widths[victim->key[0]];
}

static void pick_victim(struct victim *victim, const char *where)
{
    char sql[256];
    sqlite3_stmt *statement = NULL;
    victim->db = open_bare(folder, SQLITE_OPEN_READWRITE);
    snprintf(sql, sizeof sql, "SELECT tier, bucket, user_id, kind, domain, entries FROM rollup_chunk WHERE %s LIMIT 1",
             where);
    ck_assert_int_eq(sqlite3_prepare_v2(victim->db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_msg(sqlite3_step(statement) == SQLITE_ROW, "no chunk where %s", where);
    for (int i = 0; i < 5; i++)
        victim->key[i] = sqlite3_column_int64(statement, i);
    victim->len = (size_t)sqlite3_column_bytes(statement, 5);
    ck_assert_uint_lt(victim->len, sizeof victim->bytes);
    memcpy(victim->bytes, sqlite3_column_blob(statement, 5), victim->len);
    sqlite3_finalize(statement);
    ck_assert_int_eq(sqlite3_prepare_v2(victim->db, "INSERT OR REPLACE INTO rollup_chunk VALUES (?, ?, ?, ?, ?, ?)", -1,
                                        &victim->update, NULL),
                     SQLITE_OK);
}

static void put_chunk(struct victim *victim, int64_t domain, const void *bytes, size_t len)
{
    for (int i = 0; i < 4; i++)
        sqlite3_bind_int64(victim->update, i + 1, victim->key[i]);
    sqlite3_bind_int64(victim->update, 5, domain);
    sqlite3_bind_blob(victim->update, 6, bytes, (int)len, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(victim->update), SQLITE_DONE);
    sqlite3_reset(victim->update);
}

static void let_go(struct victim *victim)
{
    sqlite3_finalize(victim->update);
    sqlite3_close(victim->db);
}

/* verify reports this chunk, in any words. */
static void check_found(const struct victim *victim, const char *what, size_t at)
{
    struct told told;
    ck_assert_msg(verify(&told, 0).differences > 0, "%s at byte %zu is not seen: tier %lld, user %lld, kind %lld", what,
                  at, (long long)victim->key[0], (long long)victim->key[2], (long long)victim->key[3]);
    ck_assert_str_eq(told.first.table, "rollup_chunk");
    ck_assert_int_eq(told.first.bucket, base_of(victim));
    ck_assert_int_eq(told.first.user_id, victim->key[2]);
}

static const char *const victims[] = {
    "tier = 1 AND user_id = 0 AND kind = 0 AND length(entries) > 100",
    "tier = 1 AND user_id = 0 AND kind = 1 AND length(entries) > 50",
    "tier = 2 AND user_id > 0 AND kind = 0 AND length(entries) > 50",
    "tier = 2 AND user_id = 0 AND kind = 1",
    "tier = 2 AND user_id = 3 AND kind = 0",
    "tier = 2 AND user_id = 2 AND kind = 1",
};

START_TEST(any_bit_of_a_chunk_matters)
{
    struct victim victim;
    image_write(&short_ground, folder);
    pick_victim(&victim, victims[_i]);
    for (size_t at = 0; at < victim.len; at += (size_t)rounds(7, 41, 1)) {
        unsigned char was = victim.bytes[at];
        victim.bytes[at] ^= (unsigned char)(1 << (at * 5 + at / 8) % 8);
        put_chunk(&victim, victim.key[4], victim.bytes, victim.len);
        check_found(&victim, "a flipped bit", at);
        victim.bytes[at] = was;
        put_chunk(&victim, victim.key[4], victim.bytes, at);
        check_found(&victim, "an end", at);
    }
    put_chunk(&victim, victim.key[4], victim.bytes, victim.len);
    ck_verify_clean("as it was");
    let_go(&victim);
}
END_TEST

/* The first byte of the first sum of a chunk that begins with a group: behind the mark, the short tag, domain and error
 * (pack.h). */
static size_t first_sum(const struct victim *victim)
{
    return 4 + (victim->bytes[1] & 7u) + (victim->bytes[1] >> 3 & 7u);
}

START_TEST(sums_before_orders_matter)
{
    struct victim victim;
    struct told told;
    image_write(&short_ground, folder);
    /* In a group of several orders, 13 stands for the length of the order in the short tag: in bits 6 to 9. */
    pick_victim(&victim, "tier = 2 AND kind = 0 AND user_id > 0 AND hex(substr(entries, 2, 2)) GLOB '[4-7]??[37BF]'");
    victim.bytes[first_sum(&victim)] ^= 1;
    put_chunk(&victim, victim.key[4], victim.bytes, victim.len);
    ck_assert_int_gt(recount(), 0);
    check_found(&victim, "a sum", first_sum(&victim));
    ck_assert_int_eq(verify(&told, 0).differences, 1);
    ck_assert_str_eq(told.words, "the sums before a user's orders");
    ck_assert(told.first.is_there && told.first.is_due && told.first.has_times);
    ck_assert_int_eq(llabs(told.first.there.count - told.first.due.count), 1);
    ck_assert_int_eq(told.first.there.bytes_sent, told.first.due.bytes_sent);
    let_go(&victim);
    rebuild();
    ck_verify_clean("rebuilt");
}
END_TEST

#define MAX_ENTRIES_OF_VICTIM 512

static size_t unpack(const struct victim *victim, struct fold_entry entries[MAX_ENTRIES_OF_VICTIM])
{
    struct pack_reader reader;
    size_t count = 0;
    pack_open(&reader, victim->bytes, victim->len, base_of(victim), true);
    while (count < MAX_ENTRIES_OF_VICTIM && pack_next(&reader, &entries[count].totals))
        entries[count++].key = reader.key;
    ck_assert(!reader.damaged);
    return count;
}

static void pack(struct victim *victim, int64_t domain, const struct fold_entry *entries, size_t count)
{
    struct pack_writer writer;
    pack_writer_init(&writer, 1 << 20);
    pack_begin(&writer, base_of(victim));
    for (size_t i = 0, n; i < count; i += n) {
        n = pack_group_length(&entries[i], count - i);
        pack_put(&writer, &entries[i], n);
    }
    put_chunk(victim, domain, writer.bytes.data, writer.bytes.len);
    pack_writer_release(&writer);
}

/* The second of two orders of a domain that is not the chunk's first. */
static size_t second_order(const struct fold_entry *entries, size_t count)
{
    for (size_t i = 2; i < count; i++)
        if (entries[i].key.domain == entries[i - 1].key.domain && entries[i].key.domain != entries[0].key.domain)
            return i;
    ck_abort_msg("no domain with two orders");
    return 0;
}

/* All sums are right, but a report of one domain reads one chunk only. */
START_TEST(a_domain_over_two_chunks_is_named)
{
    static struct fold_entry entries[MAX_ENTRIES_OF_VICTIM];
    struct victim victim;
    struct told told;
    image_write(&ground, folder);
    pick_victim(&victim, "tier = 4 AND kind = 0 AND user_id > 0 AND length(entries) > 300");
    size_t count = unpack(&victim, entries), cut = second_order(entries, count);
    pack(&victim, victim.key[4], entries, cut);
    pack(&victim, entries[cut].key.domain, entries + cut, count - cut);
    let_go(&victim);
    ck_assert_int_eq(verify(&told, 0).differences, 1);
    ck_assert_str_eq(told.words, "its first domain is in the chunk before, too");
    rebuild();
    ck_verify_clean("rebuilt");
}
END_TEST

START_TEST(entries_out_of_order_are_named)
{
    static struct fold_entry entries[MAX_ENTRIES_OF_VICTIM];
    struct victim victim;
    struct told told;
    image_write(&ground, folder);
    pick_victim(&victim, "tier = 4 AND kind = 0 AND user_id > 0 AND length(entries) > 300");
    size_t count = unpack(&victim, entries), second = second_order(entries, count);
    struct fold_entry swapped = entries[second];
    entries[second] = entries[second - 1];
    entries[second - 1] = swapped;
    pack(&victim, victim.key[4], entries, count);
    let_go(&victim);
    ck_assert_int_gt(verify(&told, 0).differences, 0);
    ck_assert_str_eq(told.first.table, "rollup_chunk");
    rebuild();
    ck_verify_clean("rebuilt");
}
END_TEST

/* ---- the file ---- */

/* Overwrites the first place where these bytes are; false when there is none. */
static bool overwrite(struct image *image, const char *bytes, const char *with)
{
    struct image_file *file = &image->file[DISK_DB];
    unsigned char *at = memmem(file->bytes, file->len, bytes, strlen(bytes));
    if (at)
        memcpy(at, with, strlen(with));
    return at != NULL;
}

/* The short database without a WAL, and without free pages. */
static void take_packed_file(struct image *image)
{
    image_write(&short_ground, folder);
    plain_exec("PRAGMA wal_checkpoint(TRUNCATE)");
    plain_exec("VACUUM");
    plain_exec("PRAGMA wal_checkpoint(TRUNCATE)");
    image_read(image, folder);
    ck_assert_uint_eq(image->file[DISK_WAL].len, 0);
}

/* Writes a whole part with the right hash, whose logs are in reverse order, as by a program that sorts wrongly. */
static void turn_logs_round(sqlite3 *db)
{
    static struct part part;
    static struct part_log logs[PART_LOGS];
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    sqlite3_stmt *pick = NULL, *put = NULL;
    sqlite3_prepare_v2(db, "SELECT id, columns FROM log_part WHERE last_second > first_second LIMIT 1", -1, &pick,
                       NULL);
    sqlite3_prepare_v2(db, "UPDATE log_part SET columns = ?2 WHERE id = ?1", -1, &put, NULL);
    ck_assert_int_eq(sqlite3_step(pick), SQLITE_ROW);
    ck_assert(part_open(&part, sqlite3_column_blob(pick, 1), (size_t)sqlite3_column_bytes(pick, 1)));
    for (size_t i = 0; i < part.logs; i++)
        part_log(&part, i, &logs[part.logs - 1 - i]);
    ck_assert_int_eq(part_write(&bytes, logs, part.logs), OK);
    sqlite3_bind_int64(put, 1, sqlite3_column_int64(pick, 0));
    sqlite3_bind_blob(put, 2, bytes.data, (int)bytes.len, SQLITE_STATIC);
    sqlite3_finalize(pick);
    ck_assert_int_eq(sqlite3_step(put), SQLITE_DONE);
    sqlite3_finalize(put);
    buf_release(&bytes);
}

START_TEST(logs_out_of_order_are_named)
{
    struct told told;
    image_write(&ground, folder);
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    turn_logs_round(db);
    sqlite3_close(db);
    ck_assert_int_gt(verify(&told, 0).differences, 0);
    ck_assert_str_eq(told.first.table, "log_part");
    ck_assert_msg(strstr(told.words, "its logs are not in order of time") != NULL, "%s", told.words);
}
END_TEST

/* The text of a name is in the table and in its index. One of the two is changed. */
START_TEST(an_index_that_lies_is_named)
{
    struct image image = {0};
    struct told told;
    take_packed_file(&image);
    ck_assert(overwrite(&image, "error 3", "error 8"));
    image_write(&image, folder);
    image_release(&image);
    ck_assert_int_gt(verify(&told, 0).differences, 0);
    ck_assert_str_eq(told.first.table, "file");
    ck_assert_ptr_nonnull(strstr(told.words, "sqlite_autoindex_name_1"));
}
END_TEST

/* A damaged page is reported, or the file is refused: verify never finds it sound. */
START_TEST(a_damaged_page_is_seen)
{
    struct image image = {0};
    struct sqlite_verified verified = {0};
    struct fault fault = {0};
    struct sqlite_verify_options options = {0};
    struct watch watch = {0};
    take_packed_file(&image);
    for (size_t page = 1; page * 4096 < image.file[DISK_DB].len; page += (size_t)rounds(1, 3, 1)) {
        unsigned char *bytes = image.file[DISK_DB].bytes + page * 4096, was[8];
        memcpy(was, bytes, sizeof was);
        memcpy(bytes, "\x0d\xff\xff\xff\xff\xff\xff\xff", sizeof was);
        image_write(&image, folder);
        memcpy(bytes, was, sizeof was);
        enum err err = sqlite_verify(folder, &options, &watch, &verified, &fault);
        ck_assert_msg(err || (verified.differences > 0 && verified.facts_differ), "page %zu", page);
    }
    image_release(&image);
}
END_TEST

START_TEST(what_is_no_database_is_refused)
{
    struct sqlite_verified verified;
    struct sqlite_rebuilt rebuilt;
    struct fault fault = {0};
    struct sqlite_verify_options options = {0};
    struct watch watch = {0};
    ck_assert_int_eq(sqlite_verify(folder, &options, &watch, &verified, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, "analytics.db: No such file") != NULL, "%s", fault.detail);
    ck_assert_int_eq(sqlite_rebuild(folder, LEDGER_NOW, &watch, &rebuilt, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, "analytics.db: No such file") != NULL, "%s", fault.detail);
    ck_assert_int_eq(sqlite_create(folder, &fault), OK);
    plain_exec("PRAGMA user_version = 999");
    ck_assert_int_eq(sqlite_verify(folder, &options, &watch, &verified, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, "newer version") != NULL, "%s", fault.detail);
    ck_assert_int_eq(sqlite_rebuild(folder, LEDGER_NOW, &watch, &rebuilt, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, "newer version") != NULL, "%s", fault.detail);
}
END_TEST

/* ---- while a writer runs ---- */

/* Runs until hours were closed during many of the runs. */
START_TEST(beside_a_writer_nothing_seems_wrong)
{
    static const size_t at_once[] = {0, 200, 20};
    static const char sixteen_bytes[16];
    struct told told;
    static const struct ledger ledger = {.logs = 20, .pause = 1800};
    int pipe_end, status;
    pid_t writer = ledger_start_writer(&ledger, folder, &pipe_end);
    for (int runs = 0, moved = 0; runs < rounds(10, 4, 40) || moved < rounds(4, 2, 15); runs++) {
        int64_t closed = plain_i64("SELECT closed_hour FROM closing");
        ck_assert_int_eq(write(pipe_end, sixteen_bytes, 16), 16);
        struct sqlite_verified verified = verify(&told, at_once[runs % 3]);
        moved += plain_i64("SELECT closed_hour FROM closing") > closed;
        ck_assert_msg(verified.differences == 0, "%s: %s, bucket %lld, user %lld: %lld and %lld", told.first.table,
                      told.words, (long long)told.first.bucket, (long long)told.first.user_id,
                      (long long)told.first.there.count, (long long)told.first.due.count);
    }
    close(pipe_end);
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(recount(), 0);
    ck_verify_clean("when the writer is gone");
}
END_TEST

/* Something that is done between two read transactions of verify, at the `at`th of those moments. */
struct intruder {
    void (*act)(void);
    bool in_statement; /* progress was told of: the next question comes from within a statement */
    int asked, at;     /* between transactions */
};

/* All its logs are of days that had none. They are closed at once. */
static void write_earlier_days(void)
{
    static const struct ledger earlier = {.logs = 9, .begin = LEDGER_BEGIN - 4 * (int64_t)WHEN_DAY};
    struct store_writer *writer = open_writer(folder);
    struct store_item item = ledger_write(writer, &earlier, SHORT_BATCHES);
    ck_assert_msg(item.result == OK, "%s", item.fault.detail);
    upkeep(writer, INT_MAX);
    store_writer_close(writer);
}

static void keep_less(const struct store_retention *keep)
{
    struct store_writer *writer = open_writer(folder);
    store_writer_set_retention(writer, keep);
    upkeep(writer, INT_MAX);
    store_writer_close(writer);
}

static void keep_logs_of_two_days(void)
{
    keep_less(&(struct store_retention){.raw_days = 2});
}

static void keep_all_of_two_days(void)
{
    keep_less(&(struct store_retention){.raw_days = 2, .hour_days = 2, .day_days = 2});
}

static void (*const acts[])(void) = {write_earlier_days, keep_logs_of_two_days, keep_all_of_two_days};

static void note_statement(void *ctx, const struct progress *progress)
{
    (void)progress;
    ((struct intruder *)ctx)->in_statement = true;
}

static bool intrude(void *ctx)
{
    struct intruder *intruder = ctx;
    bool between = !intruder->in_statement;
    intruder->in_statement = false;
    if (between && intruder->asked++ == intruder->at)
        intruder->act();
    return false;
}

START_TEST(what_changes_meanwhile_seems_right)
{
    struct intruder intruder = {.act = acts[_i]};
    for (; intruder.at <= intruder.asked; intruder.at += rounds(5, 17, 1)) {
        struct told told = {0};
        struct sqlite_verified verified = {0};
        struct fault fault = {0};
        struct sqlite_verify_options options = {.ctx = &told, .difference = tell};
        struct watch watch = {.ctx = &intruder, .is_stopped = intrude, .progress = note_statement};
        image_write(&short_ground, folder);
        intruder.asked = 0;
        ck_assert_msg(sqlite_verify(folder, &options, &watch, &verified, &fault) == OK, "%s", fault.detail);
        ck_assert_msg(verified.differences == 0, "at moment %d: %s: %s, bucket %lld", intruder.at, told.first.table,
                      told.words, (long long)told.first.bucket);
    }
    ck_assert_int_gt(intruder.at, 100);
}
END_TEST

START_TEST(rebuild_waits_for_no_writer)
{
    struct sqlite_rebuilt rebuilt;
    struct fault fault = {0};
    struct watch watch = {0};
    struct store_writer *writer = open_writer(folder);
    ck_assert_int_eq(sqlite_rebuild(folder, LEDGER_NOW, &watch, &rebuilt, &fault), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(fault.detail, "held by another process (pid ") != NULL, "%s", fault.detail);
    ck_assert_msg(strstr(fault.detail, "test_verify") != NULL, "%s", fault.detail);
    store_writer_close(writer);
    ck_assert_int_eq(rebuild().logs, 0);
}
END_TEST

/* ---- stopped ---- */

static bool count_down(void *ctx)
{
    int *left = ctx;
    return --*left < 0;
}

/* A rebuild is stopped when it asks for the n-th time whether to go on: all is as right as before. */
START_TEST(a_stop_leaves_all_as_right_as_before)
{
    struct sqlite_verified verified;
    struct sqlite_rebuilt rebuilt;
    struct fault fault = {0};
    struct sqlite_verify_options options = {0};
    bool done = false;
    for (int questions = 0; !done; questions += rounds(1 + questions / 6, 1 + questions / 3, 1)) {
        int left = questions;
        struct watch watch = {.ctx = &left, .is_stopped = count_down};
        image_write(&ground, folder);
        enum err err = sqlite_rebuild(folder, LEDGER_NOW, &watch, &rebuilt, &fault);
        done = err == OK;
        ck_assert_msg(done || fault.is_stopped, "%s", fault.detail);
        ck_assert_msg(recount() == 0, "stopped after %d questions", questions);
        ck_assert(!done || questions > 50);
        if (questions % 3 == 0) {
            ck_verify_clean("stopped");
            ck_assert_int_gt(rebuild().logs, 0);
            ck_verify_clean("stopped, and done again");
        }
        left = questions;
        ck_assert_int_eq(sqlite_verify(folder, &options, &watch, &verified, &fault), left < 0 ? ERR_UNAVAILABLE : OK);
    }
}
END_TEST

/* In the middle of a rebuild everything is open, so answers come from the logs. */
START_TEST(reports_are_right_in_the_middle)
{
    struct store_reader *reader = NULL;
    struct sqlite_rebuilt rebuilt;
    struct fault fault = {0};
    struct report_filter filter = {.from = LEDGER_BEGIN - 5 * (int64_t)WHEN_DAY,
                                   .to = LEDGER_BEGIN + 60 * (int64_t)WHEN_DAY};
    image_write(&ground, folder);
    int64_t sum = plain_i64("SELECT sum(count) FROM raw_log");
    for (int questions = 40; questions < 200; questions += 20) {
        struct chart chart = {0};
        int left = questions;
        struct watch watch = {.ctx = &left, .is_stopped = count_down};
        sqlite_rebuild(folder, LEDGER_NOW, &watch, &rebuilt, &fault);
        ck_assert_int_eq(store_reader_open(store_in(folder), &reader, &fault), OK);
        ck_assert_int_eq(store_chart(reader, &filter, GRANULARITY_MONTH, false, &chart, &fault), OK);
        for (size_t i = 0; i < chart.count; i++)
            sum -= chart.points[i].totals.count;
        ck_assert_int_eq(sum, 0);
        for (size_t i = 0; i < chart.count; i++)
            sum += chart.points[i].totals.count;
        chart_release(&chart);
        store_reader_close(reader);
    }
}
END_TEST

/* ---- main ---- */

static void make_grounds(void)
{
    folder_make();
    write_ledger(&long_ledger, LONG_BATCHES);
    finish_upkeep();
    image_read(&late_ground, folder);
    rebuild();
    image_read(&ground, folder);
    folder_remove();
    folder_make();
    write_ledger(&short_ledger, SHORT_BATCHES);
    rebuild();
    image_read(&short_ground, folder);
    folder_remove();
}

static void release_grounds(void)
{
    image_release(&late_ground);
    image_release(&ground);
    image_release(&short_ground);
}

int main(void)
{
    Suite *suite = suite_create("verify");
    TCase *tcase = suite_case(suite, "verify");
    tcase_add_unchecked_fixture(tcase, make_grounds, release_grounds);
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_loop_test(tcase, a_sound_database_is_silent, 0, 3);
    tcase_add_test(tcase, an_empty_database_is_silent);
    tcase_add_test(tcase, half_packed_periods_are_silent);
    tcase_add_loop_test(tcase, a_changed_figure_is_named, 0, PLAIN_TABLES);
    tcase_add_loop_test(tcase, a_missing_row_is_named, 0, PLAIN_TABLES);
    tcase_add_loop_test(tcase, a_row_too_many_is_named, 0, PLAIN_TABLES);
    tcase_add_loop_test(tcase, damage_is_named_and_mended, 0, sizeof damages / sizeof *damages);
    tcase_add_test(tcase, all_differences_are_counted);
    tcase_add_loop_test(tcase, any_bit_of_a_chunk_matters, 0, sizeof victims / sizeof *victims);
    tcase_add_test(tcase, sums_before_orders_matter);
    tcase_add_test(tcase, a_domain_over_two_chunks_is_named);
    tcase_add_test(tcase, entries_out_of_order_are_named);
    tcase_add_test(tcase, logs_out_of_order_are_named);
    tcase_add_test(tcase, an_index_that_lies_is_named);
    tcase_add_test(tcase, a_damaged_page_is_seen);
    tcase_add_test(tcase, what_is_no_database_is_refused);
    tcase_add_test(tcase, beside_a_writer_nothing_seems_wrong);
    tcase_add_loop_test(tcase, what_changes_meanwhile_seems_right, 0, sizeof acts / sizeof *acts);
    tcase_add_test(tcase, rebuild_waits_for_no_writer);
    tcase_add_test(tcase, a_stop_leaves_all_as_right_as_before);
    tcase_add_test(tcase, reports_are_right_in_the_middle);
    return suite_run(suite);
}
