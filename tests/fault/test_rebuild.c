/* test_rebuild.c: whatever happens in the middle of a rebuild, the rollups are as right as before. The n-th call of
 * each kind on the files fails, once or from then on (which leaves what a kill leaves), or the n-th allocation fails;
 * or the power is cut, and the disk keeps any part of what was not synced. The database is sound before, so a recount
 * of it in plain SQL must find no difference, every time. And when the calls of verify fail, it must not report a
 * difference.
 *
 * Seen to fail:
 *   closing reset in a transaction of its own -> "write 50 fails once: 1862 differences"
 *   order_user emptied in its own -> "write 40 fails once: 20 differences"
 *   a quarter dropped and added in two -> "write 32 fails once: 2 differences"
 */
#include "support/campaign.h"
#include "support/fixture.h"
#include "support/ledger.h"
#include "support/memory.h"
#include "support/recount.h"
#include "store/sqlite/care/care.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCHES 30

static struct image ground; /* three days; each period that is over is closed */
static int64_t raw_logs;

/* ---- what may fail ---- */

static const struct {
    const char *name;
    int calls;  /* enum disk_call, or 0: an allocation */
    int answer; /* the result that SQLite gets */
    bool do_it; /* the call is done, although it reports a failure */
    enum memory_user user;
} rows[] = {
    {.name = "write", .calls = DISK_WRITE, .answer = SQLITE_IOERR_WRITE},
    {.name = "write, done yet", .calls = DISK_WRITE, .answer = SQLITE_IOERR_WRITE, .do_it = true},
    {.name = "disk full", .calls = DISK_WRITE, .answer = SQLITE_FULL},
    {.name = "sync", .calls = DISK_SYNC, .answer = SQLITE_IOERR_FSYNC},
    {.name = "read", .calls = DISK_READ, .answer = SQLITE_IOERR_READ},
    {.name = "lock", .calls = DISK_LOCK, .answer = SQLITE_IOERR_LOCK},
    {.name = "map", .calls = DISK_MAP, .answer = SQLITE_IOERR_SHMMAP},
    {.name = "memory of SQLite", .user = MEMORY_SQLITE},
    {.name = "memory of ours", .user = MEMORY_OURS},
};

static int row; /* of this run */

/* ---- what is there ---- */

static void check_sound(const char *about)
{
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    int64_t differences = recount_unless_known(db), logs = recount_i64(db, "SELECT count(*) FROM raw_log");
    ck_assert_msg(differences == 0, "%s: %lld differences", about, (long long)differences);
    ck_assert_msg(logs == raw_logs, "%s: %lld logs of %lld", about, (long long)logs, (long long)raw_logs);
    sqlite3_close(db);
}

static enum err rebuild(struct fault *fault)
{
    struct sqlite_rebuilt rebuilt = {0};
    struct watch watch = {0};
    memory_enter();
    enum err err = sqlite_rebuild(folder, LEDGER_NOW, &watch, &rebuilt, fault);
    memory_leave();
    ck_assert(err || rebuilt.logs == raw_logs);
    return err;
}

static enum err verify(int64_t *ret_differences, struct fault *fault)
{
    struct sqlite_verify_options options = {.entries_at_once = 100};
    struct sqlite_verified verified = {0};
    struct watch watch = {0};
    memory_enter();
    enum err err = sqlite_verify(folder, &options, &watch, &verified, fault);
    memory_leave();
    *ret_differences = verified.differences;
    return err;
}

static void finish(const char *about)
{
    struct fault fault = {0};
    int64_t differences = -1;
    ck_assert_msg(rebuild(&fault) == OK, "%s: %s", about, fault.detail);
    ck_assert_msg(verify(&differences, &fault) == OK, "%s: %s", about, fault.detail);
    ck_assert_msg(differences == 0, "%s: %lld differences at the end", about, (long long)differences);
}

/* ---- faults ---- */

static bool armed, lasting;
static size_t calls, fail_at, failed;

static int fail_call(struct disk_event *event)
{
    if (!armed || !((int)event->call & rows[row].calls))
        return SQLITE_OK;
    calls++;
    if (calls < fail_at || (calls > fail_at && !lasting))
        return SQLITE_OK;
    failed++;
    event->do_it = rows[row].do_it;
    return rows[row].answer;
}

static void arm(size_t n)
{
    calls = failed = 0;
    fail_at = n;
    armed = true;
    if (!rows[row].calls)
        memory_fail(rows[row].user, n, lasting);
}

/* Returns whether the fault has struck. */
static bool mend(void)
{
    armed = false;
    memory_mend();
    return rows[row].calls ? failed > 0 : memory_failed() > 0;
}

static bool try_rebuild(size_t n)
{
    char about[96];
    struct fault fault = {0};
    snprintf(about, sizeof about, "%s %zu fails %s", rows[row].name, n, lasting ? "for ever" : "once");
    image_write(&ground, folder);
    arm(n);
    enum err err = rebuild(&fault);
    bool struck = mend();
    ck_assert_msg(!err || struck, "%s: %s", about, fault.detail);
    check_sound(about);
    if (n % 4 == 0 && err)
        finish(about);
    return struck;
}

/* verify finds no difference, or fails. */
static bool try_verify(size_t n)
{
    struct fault fault = {0};
    int64_t differences = 0;
    image_write(&ground, folder);
    arm(n);
    enum err err = verify(&differences, &fault);
    bool struck = mend();
    ck_assert_msg(!err || struck, "%s %zu: %s", rows[row].name, n, fault.detail);
    ck_assert_msg(differences == 0, "%s %zu fails: %lld differences", rows[row].name, n, (long long)differences);
    return struck;
}

static void try_all(const char *what, bool (*try_one)(size_t n), size_t dense)
{
    size_t n = 1, tried = 0;
    disk_install(fail_call);
    for (; try_one(n); tried++)
        n = campaign_next(n, dense);
    printf("%s: %s, %s: %zu faults, the last of them n = %zu\n", what, rows[row].name, lasting ? "for ever" : "once",
           tried, n);
    disk_install(NULL);
}

START_TEST(each_fault_of_a_rebuild)
{
    row = _i / 2;
    lasting = _i % 2;
    try_all("rebuild", try_rebuild, 10);
}
END_TEST

START_TEST(each_fault_of_a_verify)
{
    row = _i / 2;
    lasting = _i % 2;
    try_all("verify", try_verify, 30);
}
END_TEST

/* ---- power cuts ---- */

static enum err rebuild_watched(const struct watch *watch, struct fault *fault)
{
    (void)watch;
    return rebuild(fault);
}

static void reopen(const char *about)
{
    (void)about;
    store_writer_close(open_writer(folder));
}

START_TEST(each_power_cut)
{
    static const struct campaign campaign = {
        .ground = &ground, .run = rebuild_watched, .check = check_sound, .finish = finish};
    tape_seed(7);
    campaign_cut(&campaign, 200, 150, reopen, 7);
}
END_TEST

/* ---- main ---- */

static void set_up(void)
{
    static const struct ledger ledger = {.logs = 5, .pause = 2 * 3600};
    struct store_writer *writer = NULL;
    struct fault fault;
    bool more = true;
    memory_install();
    disk_install(NULL);
    folder_make();
    ck_assert_int_eq(store_writer_open(store_in(folder), &writer, &fault), OK);
    for (int i = 0; i < BATCHES; i++)
        ck_assert_int_eq(ledger_write(writer, &ledger, i).result, OK);
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    store_writer_close(writer);
    image_read(&ground, folder);
    sqlite3 *db = open_plain(folder, SQLITE_OPEN_READWRITE);
    raw_logs = recount_i64(db, "SELECT count(*) FROM raw_log");
    ck_assert_int_gt(recount_i64(db, "SELECT count(*) FROM rollup_chunk WHERE tier = 2"), 10);
    sqlite3_close(db);
}

static void tear_down(void)
{
    disk_install(NULL);
    image_release(&ground);
    ledger_remove_folder(folder);
}

int main(void)
{
    Suite *suite = suite_create("rebuild");
    TCase *tcase = suite_case(suite, "rebuild");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, each_fault_of_a_rebuild, 0, 2 * ROWS(rows));
    tcase_add_loop_test(tcase, each_fault_of_a_verify, 0, 2 * ROWS(rows));
    tcase_add_test(tcase, each_power_cut);
    return suite_run(suite);
}
