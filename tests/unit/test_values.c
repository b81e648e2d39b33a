/* test_values.c: sums of everyone by the value of a dimension (value_day): its rows, days with too many values, and the
 * answers when the logs are gone. Expected figures are worked out by hand, or counted in plain SQL over the logs.
 *
 * Planted to see it fail: late logs that are not added (1,000 rows in place of none), a limit of 1,001, sums deleted
 * without a gap (answered, not refused), a day that is not made again after a delete (a gap stays), gaps that are not
 * looked at (1 value, not 1,001; answered, not refused), a rebuild that does not empty value_day ("12 differences"). */
#include "support/fixture.h"
#include "support/lists.h"
#include "support/parts.h"
#include "support/recount.h"
#include "store/sqlite/sqlite.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN INT64_C(1829606400) /* 2027-12-24 */
#define LATE (INT64_MAX / 4)      /* later than every log */

static struct store_writer *writer;

static void set_up(void)
{
    folder_make();
    writer = open_writer(folder);
}

static void tear_down(void)
{
    store_writer_close(writer);
    folder_remove();
}

/* ---- logs ---- */

static struct batch batch;

static void begin_batch(void)
{
    batch_init(&batch, NULL);
}

static void add(struct log_record log, const char *worker, const char *peer, const char *protocol, const char *ip,
                const char *error)
{
    log.order_id = 1;
    log.name[NAME_WORKER] = intern(&batch, worker);
    log.name[NAME_PEER] = intern(&batch, peer);
    log.name[NAME_PROTOCOL] = intern(&batch, protocol);
    log.name[NAME_ERROR] = intern(&batch, error);
    log.name[NAME_DOMAIN] = intern(&batch, log.user_id == 2 ? "second.example" : "first.example");
    ck_assert(ip_parse(slice_of(ip), &log.ip_out));
    ck_assert_int_eq(batch_add(&batch, &log), OK);
}

static void write_batch(void)
{
    struct store_item item = {.batch = &batch, .caller = "worker"};
    struct store_times times;
    struct fault fault;
    bool more = true;
    store_write(writer, &item, 1, BEGIN, &times);
    ck_assert_int_eq(item.result, OK);
    batch_release(&batch);
    while (more)
        ck_assert_int_eq(store_maintain(writer, LATE, LATE, &more, &fault), OK);
}

/* Writes a log at 02:00 of each of these days, of user 1 and port 1: earlier days are closed. */
static void write_days(int first, int last)
{
    begin_batch();
    for (int day = first; day <= last; day++)
        add((struct log_record){.ts = BEGIN + day * WHEN_DAY + 2 * WHEN_HOUR, .user_id = 1, .port = 1, .count = 1}, "w",
            "", "", "", "");
    write_batch();
}

/* One log for each port, over the hours of day 0. */
static void write_ports(int first, int last, int64_t user)
{
    begin_batch();
    for (int port = first; port <= last; port++)
        add(
            (struct log_record){
                .ts = BEGIN + port % 24 * WHEN_HOUR, .user_id = user, .port = (uint16_t)port, .count = 1},
            "w", "", "", "", "");
    write_batch();
}

/* ---- what is stored ---- */

static void check_rows(const char *sql, const char *expected)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READONLY);
    sqlite3_stmt *statement = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), expected);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void check_recount(void)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    parts_show(db);
    ck_assert_int_eq(recount_differences(db), 0);
    sqlite3_close(db);
}

#define ROWS_OF_DAY_0                                                                                                  \
    "SELECT group_concat(line, ' ') FROM (SELECT dimension || ':' || CASE dimension WHEN 4 THEN value WHEN 5 THEN "    \
    "hex(value) ELSE (SELECT text FROM name WHERE id = value) END || '=' || count || ',' || bytes_sent || ',' ||"      \
    " bytes_received || ',' || errors || ',' || max_concurrency || ',' || duration_ms AS line FROM value_day"          \
    " WHERE bucket = 1829606400 / 86400 ORDER BY line)"

static const struct log_record full = {.ts = BEGIN + WHEN_HOUR + 5,
                                       .user_id = 1,
                                       .port = 80,
                                       .count = 2,
                                       .bytes_sent = 10,
                                       .bytes_received = 20,
                                       .error_count = 1,
                                       .max_concurrency = 3,
                                       .duration_ms = 7};
static const struct log_record bare = {.ts = BEGIN + 2 * WHEN_HOUR,
                                       .user_id = 2,
                                       .port = 443,
                                       .count = 1,
                                       .bytes_sent = 1,
                                       .bytes_received = 1,
                                       .max_concurrency = 9,
                                       .duration_ms = 5};

/* The sums have no open hours, but they have late logs at once. */
START_TEST(each_value_of_closed_hours_has_its_sums)
{
    struct log_record open = full;
    open.ts = BEGIN + 20 * WHEN_HOUR;
    begin_batch();
    add(full, "w", "p", "HTTP", "1.2.3.4", "x");
    add(bare, "w", "", "", "", "");
    add(open, "w", "p", "HTTP", "2001:db8::1", "x");
    write_batch();
    check_rows(ROWS_OF_DAY_0, "1:w=3,11,21,1,9,12 2:=1,1,1,0,9,5 2:p=2,10,20,1,3,7 3:=1,1,1,0,9,5"
                              " 3:HTTP=2,10,20,1,3,7 4:443=1,1,1,0,9,5 4:80=2,10,20,1,3,7 5:01020304=2,10,20,1,3,7"
                              " 5:=1,1,1,0,9,5 6:=1,1,1,0,9,5 6:x=2,10,20,1,3,7");
    begin_batch();
    add(bare, "w", "", "", "2001:db8::1", "");
    write_batch();
    check_rows(ROWS_OF_DAY_0, "1:w=4,12,22,1,9,17 2:=2,2,2,0,9,10 2:p=2,10,20,1,3,7 3:=2,2,2,0,9,10"
                              " 3:HTTP=2,10,20,1,3,7 4:443=2,2,2,0,9,10 4:80=2,10,20,1,3,7 5:01020304=2,10,20,1,3,7"
                              " 5:20010DB8000000000000000000000001=1,1,1,0,9,5 5:=1,1,1,0,9,5 6:=2,2,2,0,9,10"
                              " 6:x=2,10,20,1,3,7");
    check_recount();
}
END_TEST

/* ---- what is answered ---- */

/* `from` in days. Expected: the number of values and the sum of their counts, or the beginning of a refusal. */
static void check_breakdown(enum dimension by, int from, uint64_t values, int64_t count, const char *refusal)
{
    struct store_reader *reader = open_reader(folder);
    struct report_filter filter = {.from = BEGIN + from * WHEN_DAY, .to = BEGIN + 100 * WHEN_DAY};
    struct list list = {0};
    struct fault fault = {0};
    enum err err =
        list_read(reader, &filter, &(struct list_ask){.by = by, .order = ORDER_COUNT, .limit = 1}, &list, &fault);
    if (refusal) {
        ck_assert_int_eq(err, ERR_LOGS_PRUNED);
        ck_assert_msg(strncmp(fault.detail, refusal, strlen(refusal)) == 0, "%s", fault.detail);
    } else {
        ck_assert_msg(err == OK, "%s", fault.detail);
        ck_assert_uint_eq(list.total, values);
        ck_assert_int_eq(list.rows[0].totals.count + list.other.count, count);
    }
    list_release(&list);
    store_reader_close(reader);
}

#define GAPS "SELECT ifnull(group_concat(dimension || ':' || (bucket - 1829606400 / 86400)), '') FROM value_gap"
#define PORTS_OF_DAY_0 "SELECT count(*) FROM value_day WHERE dimension = 4 AND bucket = 1829606400 / 86400"

static void prune_logs(void)
{
    struct fault fault;
    bool more = true;
    store_writer_set_retention(writer, &(struct store_retention){.raw_days = 2});
    while (more)
        ck_assert_int_eq(store_maintain(writer, LATE, LATE, &more, &fault), OK);
    check_rows("SELECT raw_from - 1829606400 / 86400 FROM retention", "3");
}

/* A day may have 1,000 values; with more, none are kept. `late`: how many values come late, beyond the 1,000. */
START_TEST(a_day_may_have_too_many_values)
{
    static const int late[] = {0, 1, 500};
    write_ports(1, 1000, 1);
    write_days(1, 1);
    check_rows(PORTS_OF_DAY_0, "1000");
    check_rows(GAPS, "");
    if (late[_i]) {
        write_ports(1001, 1000 + late[_i], 2);
        check_rows(PORTS_OF_DAY_0, "0");
        check_rows(GAPS, "4:0");
        write_ports(1, 5, 2);
        check_rows(PORTS_OF_DAY_0, "0");
    }
    write_days(2, 5);
    check_recount();
    int64_t logs = 1005 + late[_i] + (late[_i] ? 5 : 0);
    check_breakdown(BY_PORT, 0, 1000 + (uint64_t)late[_i], logs, NULL);
    check_breakdown(BY_WORKER, 0, 1, logs, NULL);
    prune_logs();
    check_breakdown(BY_WORKER, 0, 1, logs, NULL);
    check_breakdown(BY_IP_FROM, 0, 0, 0,
                    "from must be 2027-12-27 00:00:00 UTC or later, but is 2027-12-24 00:00:00 UTC: ");
    check_breakdown(BY_PORT, 1, 1, 5, NULL);
    if (late[_i])
        check_breakdown(BY_PORT, 0, 0, 0,
                        "from must be 2027-12-25 00:00:00 UTC or later, but is 2027-12-24 00:00:00 UTC: ");
    else
        check_breakdown(BY_PORT, 0, 1000, logs, NULL);
}
END_TEST

/* An hour that has too many values by itself. */
START_TEST(an_hour_may_have_too_many_values)
{
    write_ports(1, 30000, 1);
    write_days(1, 2);
    check_rows(GAPS, "4:0");
    check_recount();
    check_breakdown(BY_PORT, 0, 30000, 30002, NULL);
}
END_TEST

/* ---- what is deleted ---- */

static void delete_user(int64_t user)
{
    struct sqlite_delete_options options = {.to = INT64_MAX, .user_id = user};
    struct sqlite_deleted deleted;
    struct fault fault;
    store_writer_close(writer);
    ck_assert_msg(sqlite_delete(folder, &options, LATE, &(struct watch){0}, &deleted, &fault) == OK, "%s",
                  fault.detail);
    writer = open_writer(folder);
}

/* After a delete, a day is made again from the logs that are left. Without logs, it becomes a gap. */
START_TEST(deleted_logs_are_in_no_value)
{
    write_ports(1, 1000, 1);
    write_ports(1001, 1003, 2);
    write_days(1, 5);
    check_rows(GAPS, "4:0");
    delete_user(2);
    check_rows(GAPS, "");
    check_rows(PORTS_OF_DAY_0, "1000");
    check_recount();
    begin_batch();
    add((struct log_record){.ts = BEGIN + WHEN_DAY, .user_id = 3, .port = 1, .count = 1}, "w", "", "", "", "");
    write_batch();
    prune_logs();
    check_breakdown(BY_PORT, 0, 1000, 1006, NULL);
    delete_user(3);
    check_breakdown(BY_PORT, 0, 0, 0,
                    "from must be 2027-12-26 00:00:00 UTC or later, but is 2027-12-24 00:00:00 UTC: ");
    check_breakdown(BY_ERROR, 1, 0, 0,
                    "from must be 2027-12-26 00:00:00 UTC or later, but is 2027-12-25 00:00:00 UTC: ");
    check_breakdown(BY_ERROR, 2, 1, 4, NULL);
    verify_clean(folder, 0, "deleted");
}
END_TEST

/* A rebuild makes the sums of the days that have logs, and leaves older sums as they are. */
START_TEST(a_rebuild_keeps_what_has_no_logs)
{
    struct sqlite_rebuilt rebuilt;
    struct fault fault;
    write_ports(1, 10, 1);
    write_days(1, 5);
    prune_logs();
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    plain_run(db, "UPDATE value_day SET count = count + 7 WHERE dimension = 4 AND bucket = 1829606400 / 86400 + 3");
    sqlite3_close(db);
    check_breakdown(BY_PORT, 0, 10, 22, NULL);
    store_writer_close(writer);
    ck_assert_msg(sqlite_rebuild(folder, LATE, &(struct watch){0}, &rebuilt, &fault) == OK, "%s", fault.detail);
    writer = open_writer(folder);
    verify_clean(folder, 0, "rebuilt");
    check_breakdown(BY_PORT, 0, 10, 15, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("values");
    TCase *tcase = suite_case(suite, "values");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_value_of_closed_hours_has_its_sums);
    tcase_add_loop_test(tcase, a_day_may_have_too_many_values, 0, 3);
    tcase_add_test(tcase, an_hour_may_have_too_many_values);
    tcase_add_test(tcase, deleted_logs_are_in_no_value);
    tcase_add_test(tcase, a_rebuild_keeps_what_has_no_logs);
    return suite_run(suite);
}
