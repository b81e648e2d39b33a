/* test_spool.c: the spool cuts what came into blocks that have each log once, and lets them go once they are settled.
 * The expected logs are counted while they are made.
 *
 * Planted to see it fail: cutting that goes on while batches come, blocks whose last batch is left out, a name that
 * stands for another one, and months of 30 days.
 */
#include "support/fixture.h"
#include "support/recount.h"
#include "store/sqlite/spool/spool.h"
#include "store/sqlite/write/writer.h"
#include "time/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN INT64_C(1772323200) /* 2026-03-01 */
#define SHARDS 3
#define MANY_BATCHES 10001 /* one more than a block takes */

static struct sqlite_writer *writer;
static struct spool_reader *reader;
static int64_t written; /* logs */

static void set_up(void)
{
    struct fault fault;
    folder_make();
    ck_assert_msg(sqlite_writer_open(folder, true, &writer, &fault) == OK, "%s", fault.detail);
    ck_assert_msg(spool_reader_open(folder, &reader, &fault) == OK, "%s", fault.detail);
    written = 0;
    seed(1);
}

static void tear_down(void)
{
    spool_reader_close(reader);
    sqlite_writer_close(writer);
    folder_remove();
}

/* What a log with this port has in a field: many texts, few, or none. */
static const char *text_of(enum name_field field, uint16_t port)
{
    static const int different[NAME_FIELDS] = {[NAME_DOMAIN] = 1500, [NAME_ERROR] = 3, [NAME_WORKER] = 40};
    static char text[32];
    int n = different[field] ? port % different[field] : 0;
    snprintf(text, sizeof text, "%c%d.example", 'a' + (int)field, n);
    return n ? text : "";
}

static void set_names(struct batch *batch, struct log_record *log)
{
    for (enum name_field field = 0; field < NAME_FIELDS; field++)
        log->name[field] = intern(batch, text_of(field, log->port));
}

/* Logs of users 1 to 9, spread over the first `days` days. Each has a port of its own, modulo 65,536. */
static void fill(struct batch *batch, int logs, int64_t days)
{
    batch_init(batch, NULL);
    for (int i = 0; i < logs; i++) {
        struct log_record log = {.ts = BEGIN + pick(days * WHEN_DAY),
                                 .user_id = 1 + pick(9),
                                 .order_id = 1,
                                 .count = 1 + pick(5),
                                 .bytes_sent = pick(1000),
                                 .bytes_received = pick(1000),
                                 .error_count = pick(2),
                                 .port = (uint16_t)written++};
        set_names(batch, &log);
        ck_assert_int_eq(batch_add(batch, &log), OK);
    }
}

/* In one transaction. */
static void write_batches(int count, int logs, int64_t days)
{
    struct batch *batches = calloc((size_t)count, sizeof *batches);
    struct store_item *items = calloc((size_t)count, sizeof *items);
    struct store_times times;
    ck_assert(batches && items);
    for (int i = 0; i < count; i++) {
        fill(&batches[i], logs, days);
        items[i] = (struct store_item){.batch = &batches[i], .caller = "worker"};
    }
    sqlite_write(writer, items, (size_t)count, BEGIN, &times);
    for (int i = 0; i < count; i++) {
        ck_assert_msg(items[i].result == OK, "%s", items[i].fault.detail);
        batch_release(&batches[i]);
    }
    free(batches);
    free(items);
}

/* Returns whether more may have come. */
static bool cut_some(enum spool_cutting which, int64_t shards)
{
    struct fault fault;
    bool more = false;
    ck_assert_msg(spool_cut(writer, which, shards, &more, &fault) == OK, "%s", fault.detail);
    return more;
}

static bool cut(int64_t shards)
{
    return cut_some(SPOOL_CUT_ALL, shards);
}

static bool next(int64_t after, struct spool_block *ret_block)
{
    struct fault fault;
    bool found = false;
    ck_assert_msg(spool_next(reader, after, &found, ret_block, &fault) == OK, "%s", fault.detail);
    return found;
}

static int waiting(void)
{
    struct spool_block block = {0};
    int count = 0;
    while (next(block.number, &block))
        count++;
    return count;
}

static void settle(const struct spool_outcome *outcome, int64_t now)
{
    struct fault fault;
    ck_assert_msg(spool_settle(writer, outcome, 1, now, &fault) == OK, "%s", fault.detail);
}

/* ---- cutting ---- */

/* What the logs of a block add up to, and whether they belong there. */
struct seen {
    const struct spool_block *block;
    struct totals sums;
    int64_t logs;
    unsigned char times[UINT16_MAX + 1]; /* by port */
};

static void see(void *ctx, const struct log_text *log)
{
    struct seen *seen = ctx;
    const struct log_record *record = log->record;
    struct civil civil = when_civil_from_days(record->ts / WHEN_DAY);
    int month = civil.year * 100 + civil.month;
    ck_assert_int_eq(month < SPOOL_LAST_MONTH ? month : SPOOL_LAST_MONTH, seen->block->month);
    for (enum name_field field = 0; field < NAME_FIELDS; field++) {
        const char *text = text_of(field, record->port);
        ck_assert_uint_eq(log->name[field].len, strlen(text));
        ck_assert_mem_eq(log->name[field].data, text, strlen(text));
    }
    ck_assert_int_eq(record->user_id % SHARDS, seen->block->shard);
    seen->logs++;
    seen->sums.count += record->count;
    seen->sums.bytes_sent += record->bytes_sent;
    seen->sums.bytes_received += record->bytes_received;
    seen->sums.errors += record->error_count;
    seen->times[record->port]++;
}

/* Reads all waiting blocks: each log is in one of them, and each block has the sums of its logs. */
static void check_blocks(void)
{
    static struct seen seen;
    struct spool_block block = {0};
    struct fault fault;
    int64_t logs = 0;
    memset(&seen, 0, sizeof seen);
    seen.block = &block;
    while (next(block.number, &block)) {
        seen.logs = 0;
        seen.sums = (struct totals){0};
        ck_assert_msg(spool_read(reader, &block, see, &seen, &fault) == OK, "%s", fault.detail);
        ck_assert_int_eq(seen.logs, block.logs);
        ck_assert_int_le(seen.logs, SPOOL_BLOCK_LOGS);
        ck_assert_int_eq(seen.sums.count, block.sums.count);
        ck_assert_int_eq(seen.sums.bytes_sent, block.sums.bytes_sent);
        ck_assert_int_eq(seen.sums.bytes_received, block.sums.bytes_received);
        ck_assert_int_eq(seen.sums.errors, block.sums.errors);
        logs += seen.logs;
    }
    ck_assert_int_eq(logs, written);
    for (int64_t port = 0; port < written; port++)
        ck_assert_msg(seen.times[port] == 1, "log %lld is there %d times", (long long)port, seen.times[port]);
}

START_TEST(a_log_is_in_one_block)
{
    for (int round = 0; round < 4; round++) {
        write_batches(3, 700, 40); /* March and April */
        ck_assert(!cut(SHARDS));
    }
    ck_assert_int_eq(waiting(), 4 * 2 * SHARDS);
    check_blocks();
    ck_assert(!cut(SHARDS));
    ck_assert_int_eq(waiting(), 4 * 2 * SHARDS);
}
END_TEST

/* The first and the last second of a month, and what lies beyond the last one. */
START_TEST(a_month_ends_with_its_last_second)
{
    static const char *const times[] = {"2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z", "2026-12-31T23:59:59Z",
                                        "2027-01-01T00:00:00Z", "2028-02-29T23:59:59Z", "2028-03-01T00:00:00Z",
                                        "2099-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "2999-12-31T23:59:59Z"};
    struct batch batch;
    struct store_item item = {.batch = &batch, .caller = "worker"};
    struct store_times took;
    batch_init(&batch, NULL);
    for (size_t i = 0; i < ROWS(times); i++) {
        struct when when;
        ck_assert(when_parse(slice_of(times[i]), &when));
        struct log_record log = {
            .ts = when.seconds, .user_id = 1, .order_id = 1, .count = 1, .port = (uint16_t)written++};
        set_names(&batch, &log);
        ck_assert_int_eq(batch_add(&batch, &log), OK);
    }
    sqlite_write(writer, &item, 1, BEGIN, &took);
    ck_assert_msg(item.result == OK, "%s", item.fault.detail);
    batch_release(&batch);
    ck_assert(!cut(SHARDS));
    ck_assert_int_eq(waiting(), 6);
    check_blocks();
}
END_TEST

/* One that is full ends before the batch that would be too much. */
START_TEST(a_block_has_an_end)
{
    struct spool_block block;
    write_batches(3, 20000, 1);
    ck_assert(cut(1));
    ck_assert(!cut(1));
    ck_assert(next(0, &block));
    ck_assert_int_eq(block.logs, 40000);
    ck_assert(next(block.number, &block));
    ck_assert_int_eq(block.logs, 20000);
    ck_assert(!next(block.number, &block));
}
END_TEST

/* Many small batches are more than one block, too. What comes between two cuts is not waited for. */
START_TEST(cutting_ends_with_what_had_come)
{
    write_batches(MANY_BATCHES, 1, 1);
    ck_assert(cut(1));
    write_batches(1, 5, 1);
    ck_assert(!cut(1));
    write_batches(1, 5, 1);
    ck_assert_int_eq(waiting(), 2);
    ck_assert(!cut(1));
    ck_assert_int_eq(waiting(), 3);
    ck_assert(!cut(1));
    ck_assert_int_eq(waiting(), 3);
}
END_TEST

START_TEST(only_full_blocks_are_cut)
{
    struct spool_block block;
    write_batches(2, 20000, 1);
    ck_assert(!cut_some(SPOOL_CUT_FULL, 1));
    ck_assert(!next(0, &block));
    write_batches(1, 20000, 1);
    ck_assert(cut_some(SPOOL_CUT_FULL, 1));
    ck_assert(!cut_some(SPOOL_CUT_FULL, 1));
    ck_assert(next(0, &block));
    ck_assert_int_eq(block.logs, 40000);
    ck_assert(!next(block.number, &block));
    ck_assert(!cut(1));
    ck_assert_int_eq(waiting(), 2);
}
END_TEST

/* ---- settling ---- */

START_TEST(what_is_taken_waits_no_more)
{
    struct spool_block block;
    struct spool_position position;
    struct fault fault;
    bool more = true;
    for (int i = 0; i < 3; i++) {
        write_batches(1, 10, 1);
        cut(1);
    }
    settle(&(struct spool_outcome){.number = 1, .state = SPOOL_TAKEN}, 1000);
    settle(&(struct spool_outcome){.number = 2, .state = SPOOL_ASIDE, .detail = "why"}, 1000);
    ck_assert(next(0, &block));
    ck_assert_int_eq(block.number, 3);
    ck_assert_int_eq(spool_position(reader, &position, &fault), OK);
    ck_assert_int_eq(position.waiting_logs, 10);
    ck_assert_int_eq(position.aside, 1);
    ck_assert_int_eq(position.shipped_until, 2);
    while (more)
        ck_assert_int_eq(spool_forget(writer, 1001, &more, &fault), OK);
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READONLY);
    ck_assert_int_eq(recount_i64(db, "SELECT count(*) FROM spool_log"), 20); /* the one that waits, the one put aside */
    sqlite3_close(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *tcase = suite_case(suite, "spool");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_log_is_in_one_block);
    tcase_add_test(tcase, a_month_ends_with_its_last_second);
    tcase_add_test(tcase, a_block_has_an_end);
    tcase_add_test(tcase, cutting_ends_with_what_had_come);
    tcase_add_test(tcase, only_full_blocks_are_cut);
    tcase_add_test(tcase, what_is_taken_waits_no_more);
    return suite_run(suite);
}
