/* test_marks.c: the marks of imports: their hashes, which must never change (the expected ones are from Python's
 * hashlib, over the bytes that import_mark.h describes); which logs of a chunk are stored; and that marks are kept
 * longer than other keys.
 *
 * Planted to see it fail, and found: a number hashed with its bytes turned round; texts without their lengths; marks
 * found by their place alone; marks that are forgotten like other keys, and other keys that are kept like marks; a
 * search for old keys that goes on from the last one though the clock was set back. */
#include "format/ndjson.h"
#include "log/batch.h"
#include "log/import_mark.h"
#include "store/store.h"
#include "support/fixture.h"
#include "support/parts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY INT64_C(86400)
#define NOW (20000 * DAY)

static struct store_writer *writer;

static void setup(void)
{
    struct fault fault;
    strcpy(folder, "/tmp/test_marks.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_msg(store_writer_open(store_in(folder), &writer, &fault) == OK, "%s", fault.detail);
}

static void teardown(void)
{
    static const char *const files[] = {"analytics.db", "analytics.db-wal", "analytics.db-shm", "lock"};
    char path[128];
    store_writer_close(writer);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static int64_t ask(const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s/analytics.db", folder);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    parts_show(db);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

/* ---- the text of a mark ---- */

START_TEST(hashes_are_as_described)
{
    static const char first[] = "analyticsctl-import-1:0000000000000001:"
                                "061f57898a9efb0f339447825128c8871f4d21f5e23e41c7b977098f112f2bf6";
    static const char second[] = "analyticsctl-import-1:0000000000000002:"
                                 "57e72998d3c48b84409693eec3f49d33816aca6a6eb2258994214852531588bd";
    struct batch batch;
    struct import_mark mark = {0}, again;
    char key[IMPORT_KEY_BYTES];
    batch_init(&batch, NULL);
    struct log_record log = {.ts = 1773569700,
                             .user_id = 1,
                             .order_id = 3,
                             .count = 12,
                             .bytes_sent = 10240,
                             .bytes_received = 524800,
                             .duration_ms = 15000,
                             .max_concurrency = 5,
                             .port = 443};
    ck_assert(ip_parse(slice_of("185.199.100.10"), &log.ip_out) && ip_parse(slice_of("2001:db8::7"), &log.ip_from));
    log.name[NAME_DOMAIN] = intern(&batch, "google.com");
    log.name[NAME_PROTOCOL] = intern(&batch, "HTTPS");
    log.name[NAME_PEER] = intern(&batch, "peer-001");
    log.name[NAME_WORKER] = intern(&batch, "worker-01");
    ck_assert_int_eq(batch_add(&batch, &log), OK);
    log = (struct log_record){.user_id = LIMIT_ID, .order_id = 1};
    log.name[NAME_DOMAIN] = intern(&batch, "\xc3\xa9.example");
    log.name[NAME_ERROR] = intern(&batch, "x");
    ck_assert_int_eq(batch_add(&batch, &log), OK);

    /* Ten numbers, two addresses and five texts with their lengths. */
    ck_assert_uint_eq(import_mark_add(&mark, &batch, 0), 80 + 5 + 17 + 40 + strlen("google.comHTTPSpeer-001worker-01"));
    import_mark_format(&mark, key);
    ck_assert_str_eq(key, first);
    import_mark_add(&mark, &batch, 1);
    import_mark_format(&mark, key);
    ck_assert_str_eq(key, second);
    ck_assert(import_mark_parse(slice_of(key), &again) && memcmp(&again, &mark, sizeof mark) == 0);
    key[strlen(key) - 1] = '\0';
    ck_assert(!import_mark_parse(slice_of(key), &again));
    batch_release(&batch);
}
END_TEST

/* Names that were dropped leave no trace: the next text gets the next index. */
static enum err take(void *ctx, int64_t line, struct fault *fault)
{
    (void)ctx;
    (void)line;
    (void)fault;
    return OK;
}

static enum err take_bad(void *ctx, const struct log_bad *bad, struct fault *fault)
{
    (void)ctx;
    (void)fault;
    ck_abort_msg("line %d: %s", (int)bad->line, bad->message);
    return OK;
}

/* Logs that versions up to 0.2.0 imported are found, although these versions kept the port in a domain. */
START_TEST(a_mark_has_the_domain_of_old)
{
    static const char line[] = "{\"ts\":\"1970-01-01 00:00:07\",\"user_id\":1,\"order_id\":3,\"count\":12,"
                               "\"domain\":\" https://Google.com.:443 \"}";
    const struct log_sink sink = {.take = take, .bad = take_bad};
    struct log_unknown unknown = {.is_ignored = false};
    struct batch old, now;
    struct import_mark expected = {0}, mark = {0};
    struct fault fault;
    batch_init(&old, NULL);
    batch_init(&now, NULL);
    struct log_record log = {.ts = 7, .user_id = 1, .order_id = 3, .count = 12};
    log.name[NAME_DOMAIN] = intern(&old, " https://google.com.:443 ");
    ck_assert_int_eq(batch_add(&old, &log), OK);
    struct ndjson *reader = ndjson_open(&now, &unknown, &sink);
    ck_assert_int_eq(ndjson_feed(reader, line, sizeof line - 1, &fault), OK);
    ck_assert_int_eq(ndjson_finish(reader, &fault), OK);
    ndjson_close(reader);
    import_mark_add(&expected, &old, 0);
    import_mark_add(&mark, &now, 0);
    ck_assert_mem_eq(mark.hash, expected.hash, sizeof mark.hash);
    ck_assert(slice_equals(batch_name(&now, now.logs[0].name[NAME_DOMAIN]), "google.com"));
    batch_release(&old);
    batch_release(&now);
}
END_TEST

START_TEST(names_are_dropped)
{
    struct batch batch;
    char text[32];
    batch_init(&batch, NULL);
    for (uint32_t kept = 0; kept < 300; kept += 7) {
        for (uint32_t i = 1; i <= kept + 100; i++) {
            snprintf(text, sizeof text, "name %u", i);
            ck_assert_uint_eq(intern(&batch, text), i);
        }
        batch_drop_names(&batch, kept + 1);
        ck_assert_uint_eq(batch.name_count, kept + 1);
        snprintf(text, sizeof text, "name %u", kept + 1);
        ck_assert_uint_eq(intern(&batch, text), kept + 1);
        ck_assert_uint_eq(batch.text_len, batch.names[kept + 1].offset + strlen(text));
    }
    batch_release(&batch);
    batch_drop_names(&batch, 0);
}
END_TEST

/* ---- the effect of marks ---- */

/* Imports logs `from` … `to` - 1 of file `file`, as a chunk that begins at its log `from`. */
static struct store_item import(char file, int from, int to, int64_t now)
{
    struct batch batch;
    struct import_mark mark = {0};
    struct store_times times;
    char key[IMPORT_KEY_BYTES], domain[2] = {file, '\0'};
    struct store_item item = {.batch = &batch, .caller = "whoever", .idempotency_key = key};
    batch_init(&batch, NULL);
    for (int i = 0; i < to; i++) {
        struct log_record log = {.ts = i * 60, .user_id = 1, .order_id = 1, .count = i};
        if (i == from) {
            import_mark_format(&mark, key);
            batch_release(&batch);
        }
        log.name[NAME_DOMAIN] = intern(&batch, domain);
        ck_assert_int_eq(batch_add(&batch, &log), OK);
        import_mark_add(&mark, &batch, batch.log_count - 1);
    }
    store_write(writer, &item, 1, now, &times);
    ck_assert_int_eq(item.result, OK);
    batch_release(&batch);
    return item;
}

static const struct {
    char file;
    int from, to;
    uint32_t already;
    int64_t logs; /* afterwards, in all */
} chunks[] = {
    {'a', 0, 10, 0, 10},  {'a', 0, 10, 10, 10},  {'b', 0, 10, 0, 20},  {'a', 0, 15, 10, 25}, {'a', 0, 15, 15, 25},
    {'a', 0, 10, 10, 25}, {'a', 0, 20, 15, 30},  {'a', 20, 30, 0, 40}, {'b', 20, 30, 0, 50}, {'a', 20, 40, 10, 60},
    {'b', 10, 20, 0, 70}, {'a', 10, 20, 10, 70}, {'b', 0, 10, 10, 70}, {'c', 0, 1, 0, 71},   {'c', 0, 2, 1, 72},
    {'c', 1, 2, 1, 72},   {'a', 15, 16, 0, 73},
};

START_TEST(what_is_stored_is_not_stored_again)
{
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct store_item item = import(chunks[i].file, chunks[i].from, chunks[i].to, NOW);
        ck_assert_msg(item.already == chunks[i].already, "row %zu: %u", i, item.already);
        ck_assert_int_eq(item.replayed, (int)item.already == chunks[i].to - chunks[i].from);
        ck_assert_int_eq(ask("SELECT count(*) FROM raw_log"), chunks[i].logs);
        ck_assert_int_eq(ask("SELECT sum(logs) FROM batch"), chunks[i].logs);
    }
    ck_assert_int_eq(ask("SELECT count(*) FROM batch WHERE logs = 0"), 0);
    ck_assert_int_eq(
        ask("SELECT count(*) FROM raw_log AS r WHERE line >= (SELECT logs FROM batch WHERE id = batch_id)"), 0);
}
END_TEST

static void write_keyed(const char *key, int64_t now)
{
    struct batch batch;
    struct store_times times;
    struct store_item item = {.batch = &batch, .caller = "whoever", .idempotency_key = key};
    batch_init(&batch, NULL);
    store_write(writer, &item, 1, now, &times);
    ck_assert_int_eq(item.result, OK);
}

/* Upkeep as in the service; keys are kept for a week. */
static void maintain(int64_t now)
{
    bool more = true;
    struct fault fault;
    while (more)
        ck_assert_int_eq(store_maintain(writer, now, 7 * DAY, &more, &fault), OK);
}

START_TEST(marks_outlive_other_keys)
{
    write_keyed("old", NOW);
    import('a', 0, 10, NOW);
    for (int i = 0; i < 600; i++) /* more than upkeep looks at in one slice */
        import((char)('A' + i % 26), i / 26, i / 26 + 1, NOW + 1);
    write_keyed("older", NOW - DAY);
    int64_t marks = ask("SELECT count(*) - 2 FROM batch_key");
    maintain(NOW + 7 * DAY);
    ck_assert_int_eq(ask("SELECT count(*) FROM batch_key WHERE key = 'older'"), 0);
    ck_assert_int_eq(ask("SELECT count(*) FROM batch_key WHERE key = 'old'"), 1);
    maintain(NOW + 8 * DAY);
    ck_assert_int_eq(ask("SELECT count(*) FROM batch_key"), marks);
    write_keyed("new", NOW + 7 * DAY);
    maintain(NOW + 14 * DAY);
    ck_assert_int_eq(ask("SELECT count(*) FROM batch_key WHERE key = 'new'"), 1);
    maintain(NOW + 365 * DAY);
    ck_assert_int_eq(ask("SELECT count(*) FROM batch_key"), marks);
    ck_assert_uint_eq(import('a', 0, 10, NOW + 365 * DAY).already, 10);
    write_keyed("back", NOW - 1); /* the clock was set back */
    maintain(NOW + 7 * DAY);
    maintain(NOW + 365 * DAY);
    ck_assert_int_eq(ask("SELECT count(*) FROM batch_key"), marks);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marks");
    TCase *plain = suite_case(suite, "hashes"), *stored = suite_case(suite, "stored");
    tcase_add_test(plain, hashes_are_as_described);
    tcase_add_test(plain, names_are_dropped);
    tcase_add_test(plain, a_mark_has_the_domain_of_old);
    tcase_add_checked_fixture(stored, setup, teardown);
    tcase_add_test(stored, what_is_stored_is_not_stored_again);
    tcase_add_test(stored, marks_outlive_other_keys);
    return suite_run_together(suite);
}
