/* test_delete.c: what is deleted is gone from logs, rollups, totals and names, and nothing else is. Two stores get the
 * same random batches. In one, lib/store/sqlite/care/delete.c deletes logs, again and again, with more batches and
 * upkeep in between. In the other (the twin), plain SQL deletes by the same conditions, from raw_log only; what is left
 * there says what every table of the first store must hold. Where the first has pruned its logs and keeps only sums,
 * the twin keeps all logs.
 *
 * Planted to see it fail: no note for readers ("readers are not told"), hours that stay closed after the newest log
 * ("hours are closed before …, but there are no logs"), 16 days not packed again ("273 differences"), (order, user)
 * pairs that stay ("1 differences"), errors that are no names (logs lose theirs), quarters of everyone not made again
 * where only sums are left ("14 differences"), no VACUUM ("91" traces of the erased name).
 */
#include "support/fixture.h"
#include "support/ledger.h"
#include "support/parts.h"
#include "support/lists.h"
#include "support/recount.h"
#include "store/sqlite/care/care.h"
#include "store/sqlite/sqlite.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGIN INT64_C(1829606400) /* 2027-12-24: no period of 4 or 16 days begins with it */
#define DAYS 40
#define LATE LEDGER_NOW

static char twin[64];

/* ---- two stores ---- */

static void set_up(void)
{
    folder_make();
    temporary_folder(twin);
}

static void tear_down(void)
{
    ledger_remove_folder(folder);
    ledger_remove_folder(twin);
}

/* The first store, with the other one attached as `twin`. All logs of the twin are in twin.raw_log. */
static sqlite3 *open_twin(void)
{
    char sql[160];
    sqlite3 *db = open_bare(folder, SQLITE_OPEN_READWRITE);
    snprintf(sql, sizeof sql, "ATTACH '%s/analytics.db' AS twin", twin);
    plain_run(db, sql);
    parts_to_rows(db, "twin");
    return db;
}

/* The same, with the logs of the first store as `stored`. */
static sqlite3 *open_both(void)
{
    sqlite3 *db = open_twin();
    parts_show_as(db, "stored");
    return db;
}

static int64_t ask(const char *sql)
{
    sqlite3 *db = strstr(sql, "stored") ? open_both() : open_twin();
    int64_t value = recount_i64(db, sql);
    sqlite3_close(db);
    return value;
}

/* ---- random logs ---- */

/* The name with this number; 0: the empty name. */
static uint32_t intern_numbered(struct batch *batch, const char *prefix, int64_t number)
{
    char text[32] = "";
    if (number)
        snprintf(text, sizeof text, "%s%d", prefix, (int)number);
    return intern(batch, text);
}

/* The days advance from step to step; one log in five belongs to any earlier day. */
#define STEPS 40

static struct log_record random_log(int step)
{
    int64_t newest = BEGIN + (int64_t)(step + 1) * DAYS * WHEN_DAY / STEPS;
    int64_t ts = newest - 1 - pick(pick(5) ? WHEN_DAY : newest - BEGIN);
    return (struct log_record){.ts = pick(2) ? ts - ts % WHEN_QUARTER : ts,
                               .user_id = 1 + pick(4),
                               .order_id = 1 + pick(5),
                               .count = pick(9),
                               .bytes_sent = pick(100000),
                               .bytes_received = pick(100000),
                               .error_count = pick(4),
                               .max_concurrency = pick(50)};
}

static void make_batch(struct batch *batch, int step)
{
    batch_init(batch, NULL);
    for (int64_t i = 1 + pick(60); i > 0; i--) {
        struct log_record log = random_log(step);
        log.name[NAME_DOMAIN] = intern_numbered(batch, "d", 1 + pick(15));
        log.name[NAME_ERROR] = intern_numbered(batch, "e", pick(2) ? 0 : pick(4));
        log.name[NAME_WORKER] = intern_numbered(batch, "w", pick(5));
        log.name[NAME_PEER] = intern_numbered(batch, "p", pick(9));
        log.name[NAME_PROTOCOL] = intern_numbered(batch, "http", pick(3));
        ck_assert_int_eq(batch_add(batch, &log), OK);
    }
}

static void write_batch(struct store_writer *writer, const struct batch *batch, const char *key, bool is_replay)
{
    struct store_item item = {.batch = batch, .caller = "worker", .idempotency_key = key};
    struct store_times times;
    store_write(writer, &item, 1, BEGIN, &times);
    ck_assert_msg(item.result == OK, "%s", item.fault.detail);
    ck_assert_int_eq(item.replayed, is_replay);
}

static void upkeep(struct store_writer *writer, int64_t slices)
{
    bool more = true;
    struct fault fault;
    while (more && slices-- > 0)
        ck_assert_msg(store_maintain(writer, LATE, LATE, &more, &fault) == OK, "%s", fault.detail);
}

/* Some days are closed meanwhile, and some are half closed. */
static void write_steps(int first, int end, const struct store_retention *retention)
{
    struct store_writer *writers[] = {open_writer(folder), open_writer(twin)};
    store_writer_set_retention(writers[0], retention);
    sqlite_set_slice(sqlite_writer_of(writers[0]), 100);
    for (int step = first; step < end; step++) {
        struct batch batch;
        char key[16];
        snprintf(key, sizeof key, "k%d", step);
        make_batch(&batch, step);
        for (int i = 0; i < 2; i++)
            write_batch(writers[i], &batch, key, false);
        batch_release(&batch);
        upkeep(writers[0], pick(3) ? 1000 : pick(20));
    }
    for (int i = 0; i < 2; i++)
        store_writer_close(writers[i]);
}

/* ---- what to delete ---- */

struct question {
    struct sqlite_delete_options options;
    char domain[16], worker[16];
    char where[512]; /* the same condition in SQL, on a log with its names */
    bool by_user_only;
    bool by_coarse; /* only by what sums of days know */
};

static void narrow(struct question *question, const char *before, int64_t value, const char *after)
{
    size_t len = strlen(question->where);
    snprintf(question->where + len, sizeof question->where - len, " AND %s%" PRId64 "%s", before, value, after);
}

static void narrow_names(struct question *question)
{
    if (pick(4) == 0) {
        int64_t domain = 1 + pick(16);
        snprintf(question->domain, sizeof question->domain, "d%d", (int)domain);
        question->options.domain = question->domain;
        question->by_user_only = false;
        narrow(question, "domain = 'd", domain, "'");
    }
    if (pick(4) == 0) {
        int64_t worker = 1 + pick(5);
        snprintf(question->worker, sizeof question->worker, "w%d", (int)worker);
        question->options.worker = question->worker;
        question->by_user_only = question->by_coarse = false;
        narrow(question, "worker = 'w", worker, "'");
    }
}

static void narrow_ids(struct question *question)
{
    struct sqlite_delete_options *options = &question->options;
    if (pick(3) == 0) {
        options->user_id = 1 + pick(5);
        narrow(question, "user_id = ", options->user_id, "");
    }
    if (pick(4) == 0) {
        options->order_id = 1 + pick(5);
        question->by_user_only = false;
        narrow(question, "order_id = ", options->order_id, "");
    }
    if (pick(4) == 0) {
        options->first_batch = 1 + pick(STEPS);
        options->last_batch = options->first_batch + pick(4);
        question->by_user_only = question->by_coarse = false;
        narrow(question, "batch_id >= ", options->first_batch, "");
        narrow(question, "batch_id <= ", options->last_batch, "");
    }
}

static int64_t random_edge(void)
{
    static const int64_t grids[] = {WHEN_DAY, WHEN_HOUR, WHEN_QUARTER, 1};
    int64_t at = BEGIN - WHEN_DAY + pick((DAYS + 2) * (int64_t)WHEN_DAY);
    return at - at % grids[pick(4)];
}

static void narrow_span(struct question *question)
{
    struct sqlite_delete_options *options = &question->options;
    int64_t a = random_edge(), b = random_edge();
    if (pick(3))
        options->from = a < b ? a : b;
    if (pick(3))
        options->to = a < b ? b : a;
    narrow(question, "ts >= ", options->from, "");
    narrow(question, "ts < ", options->to, "");
}

static void random_question(struct question *question)
{
    *question = (struct question){.options = {.to = INT64_MAX}, .where = "1", .by_user_only = true, .by_coarse = true};
    narrow_ids(question);
    narrow_names(question);
    if (pick(2) || strlen(question->where) == 1)
        narrow_span(question);
}

/* ---- the same delete in SQL ---- */

static const char log_of_twin[] =
    "CREATE TEMP VIEW IF NOT EXISTS log_of_twin AS SELECT r.quarter * 900 + second AS ts, quarter, user_id, order_id,"
    " batch_id, line, r.domain AS domain_id, d.text AS domain, w.text AS worker FROM twin.raw_log AS r"
    " JOIN twin.name AS d ON d.id = r.domain JOIN twin.name AS w ON w.id = r.worker";

/* A log of which the first store has only sums is deleted if the delete covers its whole day, and the sums of days know
 * all that the delete asks for. */
static void delete_in_sql(const struct question *question)
{
    char sql[1600];
    sqlite3 *db = open_twin();
    plain_run(db, log_of_twin);
    snprintf(sql, sizeof sql,
             "DELETE FROM twin.raw_log WHERE (quarter, user_id, domain, order_id, batch_id, line) IN"
             " (SELECT quarter, user_id, domain_id, order_id, batch_id, line FROM log_of_twin, main.retention WHERE %s"
             " AND (ts >= raw_from * 86400 OR (ts / 86400 < %s AND ts - ts %% 86400 >= %" PRId64
             " AND ts - ts %% 86400 <= %" PRId64 " - 86400)))",
             question->where,
             question->by_user_only ? "raw_from"
             : question->by_coarse  ? "hour_from"
                                    : "0",
             question->options.from, question->options.to);
    plain_run(db, sql);
    sqlite3_close(db);
}

/* The logs that are left in the twin, as a temporary table that hides raw_log, with the name ids of the first store. */
static void make_again(sqlite3 *db)
{
    plain_run(
        db, "CREATE TEMP TABLE raw_log AS SELECT quarter, user_id, d.id AS domain, order_id, batch_id, line, second,"
            " port, p.id AS protocol, ip_out, ip_from, e.id AS peer, w.id AS worker, x.id AS error, count, bytes_sent,"
            " bytes_received, error_count, duration_ms, max_concurrency FROM twin.raw_log AS r"
            " LEFT JOIN main.name AS d ON d.text = (SELECT text FROM twin.name WHERE id = r.domain)"
            " LEFT JOIN main.name AS p ON p.text = (SELECT text FROM twin.name WHERE id = r.protocol)"
            " LEFT JOIN main.name AS e ON e.text = (SELECT text FROM twin.name WHERE id = r.peer)"
            " LEFT JOIN main.name AS w ON w.text = (SELECT text FROM twin.name WHERE id = r.worker)"
            " LEFT JOIN main.name AS x ON x.text = (SELECT text FROM twin.name WHERE id = r.error)");
}

#define KEPT(schema, table) "SELECT * FROM " schema "." table " WHERE quarter / 96 >= (SELECT raw_from FROM retention)"

static const char *const nothing[] = {
    "SELECT count(*) FROM (" KEPT("temp", "raw_log") " EXCEPT " KEPT("temp", "stored") ")",
    "SELECT count(*) FROM (" KEPT("temp", "stored") " EXCEPT " KEPT("temp", "raw_log") ")",
    ("SELECT (SELECT sum(logs) FROM batch) + (SELECT batch_logs - logs FROM retention)"
     " - (SELECT count(*) FROM stored)"),
};

/* The names that are still needed. Sums have the domain and the error of logs that are pruned, value_day the others. */
#define NEEDED                                                                                                         \
    "SELECT 0 UNION SELECT domain FROM temp.raw_log UNION SELECT error FROM temp.raw_log"                              \
    " UNION SELECT worker FROM stored UNION SELECT peer FROM stored UNION SELECT protocol FROM "                       \
    "stored UNION SELECT caller FROM batch UNION SELECT caller FROM batch_key UNION SELECT value FROM main.value_day"  \
    " WHERE dimension NOT IN (4, 5)"

static const char *const names_to_spare[] = {
    "SELECT count(*) FROM (SELECT id FROM main.name EXCEPT SELECT * FROM (" NEEDED "))",
    "SELECT count(*) FROM (SELECT * FROM (" NEEDED ") EXCEPT SELECT id FROM main.name)",
};

static void check_store(const char *about, bool just_deleted)
{
    sqlite3 *db = open_both();
    make_again(db);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        ck_assert_msg(recount_i64(db, nothing[i]) == 0, "%s: %s is %" PRId64, about, nothing[i],
                      recount_i64(db, nothing[i]));
    for (int i = 0; just_deleted && i < 2; i++)
        ck_assert_msg(recount_i64(db, names_to_spare[i]) == 0, "%s: %s", about,
                      i ? "a name is missing" : "a name is left over");
    int64_t differences = recount_unless_known(db);
    ck_assert_msg(differences == 0, "%s: %" PRId64 " differences", about, differences);
    sqlite3_close(db);
}

/* ---- a reader that is older than the delete ---- */

static struct store_reader *reader;

/* Such a reader must read closed hours again, instead of the sums that it has kept of them. */
static void check_reader(const char *about)
{
    struct report_filter filter = {.from = BEGIN - WHEN_DAY, .to = BEGIN + 2 * DAYS * INT64_C(86400)};
    struct list list = {0};
    struct fault fault = {0};
    int64_t count = 0;
    ck_assert_msg(list_domains(reader, &filter, ORDER_BYTES, 0, 100, &list, &fault) == OK, "%s: %s", about,
                  fault.detail);
    for (size_t i = 0; i < list.count; i++)
        count += list.rows[i].totals.count;
    ck_assert_msg(count == ask("SELECT ifnull(sum(count), 0) FROM twin.raw_log"), "%s: a reader counts %" PRId64, about,
                  count);
    ck_assert_msg((int64_t)list.count == ask("SELECT count(DISTINCT domain) FROM twin.raw_log"),
                  "%s: a reader knows %zu domains", about, list.count);
    list_release(&list);
}

/* ---- deleting ---- */

static int64_t changes(void)
{
    return ask("SELECT changes FROM main.closing");
}

/* The plan and the delete report the same, and readers are told of the change. */
static void delete_and_check(const struct question *question, const char *about)
{
    struct sqlite_deleted plan, deleted;
    struct fault fault = {0};
    struct watch watch = {0};
    int64_t logs = ask("SELECT count(*) FROM stored"), before = changes();
    ck_assert_msg(sqlite_delete_plan(folder, &question->options, &watch, &plan, &fault) == OK, "%s: %s", about,
                  fault.detail);
    ck_assert_msg(sqlite_delete(folder, &question->options, LATE, &watch, &deleted, &fault) == OK, "%s: %s", about,
                  fault.detail);
    delete_in_sql(question);
    ck_assert_msg(plan.logs == deleted.logs, "%s: %" PRId64 " planned, %" PRId64 " deleted", about, plan.logs,
                  deleted.logs);
    ck_assert_mem_eq(&plan.totals, &deleted.totals, sizeof plan.totals);
    ck_assert_msg(deleted.logs == 0 || changes() > before, "%s: readers are not told", about);
    ck_assert_msg(ask("SELECT raw_from FROM main.retention") || logs - deleted.logs == ask("SELECT count(*) FROM"
                                                                                           " stored"),
                  "%s: %" PRId64 " were deleted", about, deleted.logs);
    ck_assert(deleted.wal_is_empty);
    check_store(about, true);
    check_reader(about);
    verify_clean(folder, 0, about);
}

/* A batch whose logs were deleted is still a replay under its key. */
static void check_replay(int64_t seeded)
{
    struct store_writer *writer = open_writer(folder);
    struct batch batch;
    seed((uint64_t)seeded);
    (void)pick(3);
    make_batch(&batch, 0);
    write_batch(writer, &batch, "k0", true);
    batch_release(&batch);
    store_writer_close(writer);
}

/* ---- the bytes of the files ---- */

/* How often the files have the text. */
static int count_traces(const char *text)
{
    static const char *const names[] = {"analytics.db", "analytics.db-wal"};
    int traces = 0;
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        FILE *file = fopen(path, "rb");
        ck_assert_ptr_nonnull(file);
        fseek(file, 0, SEEK_END);
        size_t len = (size_t)ftell(file), text_len = strlen(text);
        unsigned char *bytes = calloc(len + 1, 1);
        rewind(file);
        ck_assert_uint_eq(fread(bytes, 1, len, file), len);
        fclose(file);
        for (unsigned char *at = bytes; (at = memmem(at, len - (size_t)(at - bytes), text, text_len)); at++)
            traces++;
        free(bytes);
    }
    return traces;
}

/* Users 1 to 20 visit domains of their own, in random order, so that names are inserted between others. */
static void write_visits(struct store_writer *writer, int round)
{
    struct batch batch;
    batch_init(&batch, NULL);
    for (int64_t i = 0; i < 100; i++) {
        char text[48];
        int64_t user = 1 + pick(20);
        snprintf(text, sizeof text, "%08x.of-%s-%d.example", (unsigned)pick(1 << 30), user == 7 ? "erased" : "other",
                 (int)user);
        struct log_record log = {
            .ts = BEGIN + round * INT64_C(1000) + i, .user_id = user, .order_id = user, .count = 1};
        ck_assert_int_eq(batch_intern(&batch, slice_of(text), &log.name[NAME_DOMAIN]), OK);
        ck_assert_int_eq(batch_add(&batch, &log), OK);
    }
    write_batch(writer, &batch, NULL, false);
    batch_release(&batch);
}

START_TEST(no_byte_of_an_erased_name_is_left)
{
    struct sqlite_deleted deleted;
    struct fault fault = {0};
    struct store_writer *writer = open_writer(folder);
    seed(1);
    for (int round = 0; round < 200; round++)
        write_visits(writer, round);
    upkeep(writer, 1000);
    store_writer_close(writer);
    int before = count_traces("of-erased-7");
    ck_assert_int_gt(before, 1000);
    struct sqlite_delete_options options = {.to = INT64_MAX, .user_id = 7, .vacuum = true};
    ck_assert_msg(sqlite_delete(folder, &options, LATE, &(struct watch){0}, &deleted, &fault) == OK, "%s",
                  fault.detail);
    ck_assert(deleted.wal_is_empty);
    ck_assert_int_eq(count_traces("of-erased-7"), 0);
    ck_assert_int_gt(count_traces("of-other-8"), 0);
    verify_clean(folder, 0, "erased");
}
END_TEST

/* ---- keys ---- */

/* Batch 1 has a second to itself, 2 and 3 share one. */
static bool write_with_key(const char *key, int64_t now)
{
    struct store_writer *writer = open_writer(folder);
    struct batch batch;
    struct store_times times;
    seed((uint64_t)key[1]);
    make_batch(&batch, 0);
    struct store_item item = {.batch = &batch, .caller = "worker", .idempotency_key = key};
    store_write(writer, &item, 1, now, &times);
    ck_assert_int_eq(item.result, OK);
    batch_release(&batch);
    store_writer_close(writer);
    return item.replayed;
}

static const struct {
    struct sqlite_delete_options options;
    int64_t keys_left;
    bool is_replay[3]; /* is each of the three batches a replay when it is sent again? */
} key_rows[] = {
    {{.first_batch = 1, .last_batch = 1}, 0, {true, true, true}},
    {{.first_batch = 1, .last_batch = 1, .forget_keys = true}, 0, {false, true, true}},
    {{.first_batch = 2, .last_batch = 2, .forget_keys = true}, 2, {true, true, true}},
    {{.first_batch = 1, .last_batch = 2, .forget_keys = true}, 2, {false, true, true}},
    {{.first_batch = 2, .last_batch = 3, .forget_keys = true}, 0, {true, false, false}},
    {{.first_batch = 1, .last_batch = 3, .forget_keys = true}, 0, {false, false, false}},
    {{.first_batch = 1, .last_batch = 3, .user_id = 1, .forget_keys = true}, 0, {true, true, true}},
    {{.forget_keys = true}, 0, {true, true, true}},
};

START_TEST(keys_of_whole_batches_are_forgotten)
{
    static const char *const keys[] = {"k1", "k2", "k3"};
    struct sqlite_deleted deleted;
    struct fault fault = {0};
    struct sqlite_delete_options options = key_rows[_i].options;
    options.to = INT64_MAX;
    for (int i = 0; i < 3; i++)
        ck_assert(!write_with_key(keys[i], BEGIN + (i > 0)));
    ck_assert_msg(sqlite_delete(folder, &options, BEGIN + 9, &(struct watch){0}, &deleted, &fault) == OK, "%s",
                  fault.detail);
    ck_assert_int_eq(deleted.keys_left, key_rows[_i].keys_left);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(write_with_key(keys[i], BEGIN + 10 + i), key_rows[_i].is_replay[i]);
    verify_clean(folder, 0, "keys");
}
END_TEST

static const struct store_retention keeps[] = {{0, 0, 0}, {0, 0, 0}, {10, 20, 0}, {15, 15, 0}, {5, 30, 0}};

START_TEST(what_is_deleted_is_gone_and_nothing_else)
{
    char about[640];
    struct question question;
    const struct store_retention *keep = &keeps[_i % 5];
    seed((uint64_t)_i);
    (void)pick(3);
    for (int step = 0; step < STEPS; step += 10) {
        write_steps(step, step + 10, keep);
        check_store("before", false);
        if (!reader)
            ck_assert_int_eq(store_reader_open(store_in(folder), &reader, &(struct fault){0}), OK);
        check_reader("before");
        for (int64_t n = pick(3); n >= 0; n--) {
            random_question(&question);
            snprintf(about, sizeof about, "seed %d, step %d, WHERE %s", _i, step, question.where);
            delete_and_check(&question, about);
        }
    }
    store_reader_close(reader);
    reader = NULL;
    check_replay(_i);
}
END_TEST

/* ---- main ---- */

int main(void)
{
    Suite *suite = suite_create("delete");
    TCase *tcase = suite_case(suite, "delete");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, what_is_deleted_is_gone_and_nothing_else, 0, rounds(9, 3, 60));
    tcase_add_loop_test(tcase, keys_of_whole_batches_are_forgotten, 0, ROWS(key_rows));
    tcase_add_test(tcase, no_byte_of_an_erased_name_is_left);
    return suite_run(suite);
}
