/* test_powercut.c: whatever a power cut leaves of the files, every acknowledged batch is there, whole and counted once;
 * any other is there as a whole or not at all.
 *
 * A run writes groups of batches, with and without keys, closes hours and days in the smallest slices, checkpoints and
 * restarts the WAL, and is closed and opened in between; tape.c records every operation on the files. The run is cut
 * after one operation after another: the files are made as a disk could hold them then, and opened. A later run goes on
 * from such files. ANALYTICS_LONG=1 takes more cuts and runs.
 *
 * Seen to fail on five planted bugs, in lib/db/db.c and lib/store/sqlite/write/:
 *
 *   PRAGMA synchronous=NORMAL: "cut behind operation 82 of 375, kept 50%, torn 30%, noise 0%: acknowledged batch 0 is
 *   lost"
 *
 *   PRAGMA synchronous=OFF: "cut behind operation 10 of 359, kept 90%, torn 50%, noise 20%: …/analytics.db: file is not
 *   a database", and lost batches
 *
 *   The key in a commit of its own, before the batch's: "cut behind operation 78 of 465, kept 100%, torn 0%, noise 0%:
 *   batch 0 is neither whole nor absent: 0 of 3 logs, 0 times, key 1"
 *
 *   Rows deleted in one commit and their part stored in the next: "cut behind operation 376 of 590, kept 50%, torn
 *   30%, noise 0%: batch 2 is neither whole nor absent: 6 of 7 logs, 1 times, key 0"
 *
 *   No sqlite_wal_make_room() at the start: "cut behind operation 122 of 122, kept 100%, torn 0%, noise 0%:
 *   acknowledged batch 5 is lost", after a failed sync. The store had this one. */
#include "support/disk.h"
#include "support/fixture.h"
#include "support/ledger.h"
#include "store/sqlite/write/writer.h"
#include "support/tape.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- a run ---- */

static char live[64], cut_folder[64]; /* where the run is; where its images are opened */

static struct ledger ledger;
static size_t written_from[LEDGER_BATCHES], acknowledged[LEDGER_BATCHES]; /* operations on the tape */
static int first_of_run;

static int checkpoint_pages; /* 0: the store's own threshold */

static struct store_writer *open_sliced(const char *in, const char *about)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    ck_assert_msg(store_writer_open(store_in(in), &writer, &fault) == OK, "%s: %s", about, fault.detail);
    sqlite_set_slice(sqlite_writer_of(writer), 1);
    return writer;
}

static enum err upkeep(struct store_writer *writer, int slices)
{
    bool more = true;
    struct fault fault;
    enum err err = OK;
    while (!err && more && slices-- > 0) {
        if (checkpoint_pages && sqlite_writer_of(writer)->wal.checkpoint_at > checkpoint_pages)
            sqlite_writer_of(writer)->wal.checkpoint_at = checkpoint_pages;
        err = store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault);
    }
    return err;
}

#define MAX_GROUP 3

/* One batch or several. */
static enum err write_group(struct store_writer *writer)
{
    struct ledger_batch made[MAX_GROUP];
    struct store_item items[MAX_GROUP];
    struct store_times times;
    int first = ledger.count, count = 1 + (int)tape_pick(MAX_GROUP);
    ck_assert_int_le(first + count, LEDGER_BATCHES);
    ledger.count += count;
    for (int i = 0; i < count; i++) {
        written_from[first + i] = tape_length();
        ledger_batch_make(&made[i], &ledger, first + i);
        items[i] = ledger_item(&made[i], first + i);
    }
    store_write(writer, items, (size_t)count, 1000, &times);
    for (int i = 0; i < count; i++) {
        acknowledged[first + i] = items[i].result == OK ? tape_length() : SIZE_MAX;
        batch_release(&made[i].batch);
    }
    return items[0].result;
}

/* A reader in the middle of a report, which keeps pages from being checkpointed. */
static sqlite3 *hold(void)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/analytics.db", live);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM closing", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void run(int groups)
{
    struct store_writer *writer = open_sliced(live, "the run");
    sqlite3 *reader = NULL;
    first_of_run = ledger.count;
    for (int i = 0; i < groups; i++) {
        ck_assert_int_eq(write_group(writer), OK);
        ck_assert_int_eq(upkeep(writer, (int)tape_pick(12)), OK);
        sqlite3_close(reader);
        reader = tape_pick(4) ? NULL : hold();
        if (tape_pick(10) == 0) {
            sqlite3_close(reader); /* the next writer appends nothing to this WAL, and the reader prevents a restart */
            reader = NULL;
            store_writer_close(writer);
            writer = open_sliced(live, "the run");
        }
    }
    sqlite3_close(reader);
    store_writer_close(writer);
}

/* ---- cuts ---- */

/* In turn: nothing is lost; everything that can be is; and mixtures. */
static const struct cut cuts[] = {{100, 0, 0}, {0, 0, 0}, {50, 30, 0}, {90, 50, 20}, {50, 100, 50}, {15, 20, 100}};
#define CUTS (sizeof cuts / sizeof *cuts)

static size_t images, cut_count;

/* What is known after a cut behind `length` operations. */
static void foretell(struct ledger *expected, size_t length)
{
    *expected = ledger;
    for (int i = first_of_run; i < ledger.count; i++)
        expected->fate[i] = length >= acknowledged[i] ? WHOLE : length <= written_from[i] ? ABSENT : EITHER;
}

/* Clients send some batches again, stored or not: each counts once. */
static void send_again(struct store_writer *writer, struct ledger *found)
{
    for (int i = first_of_run; i < found->count; i++) {
        bool stored = found->fate[i] == WHOLE;
        if (i % 3 == 2 || (stored && tape_pick(8)) || (i + 3 < found->count && !stored && tape_pick(8)))
            continue;
        struct store_item item = ledger_write(writer, &ledger, i);
        ck_assert_int_eq(item.result, OK);
        ck_assert_int_eq(item.replayed, stored);
        found->fate[i] = WHOLE;
    }
}

/* Every fourth image is written to, too, and has some upkeep, or all of it. */
static void try_image(const struct image *image, struct ledger *expected, const char *about)
{
    image_write(image, cut_folder);
    struct store_writer *writer = open_sliced(cut_folder, about);
    ledger_check(expected, cut_folder, about);
    images++;
    if (images % 4 == 0) {
        struct ledger later = *expected;
        send_again(writer, &later);
        ck_assert_int_eq(upkeep(writer, images % 8 ? 3 : INT_MAX), OK);
        ledger_check(&later, cut_folder, about);
    }
    store_writer_close(writer);
}

static void try_cut(size_t length, struct cut cut, struct image *image, struct ledger *ret_found)
{
    char about[128];
    snprintf(about, sizeof about, "cut behind operation %zu of %zu, kept %d%%, torn %d%%, noise %d%%", length,
             tape_length(), cut.kept, cut.torn, cut.noise);
    tape_cut(length, cut, image);
    foretell(ret_found, length);
    try_image(image, ret_found, about);
}

/* Tries `count` cuts of the run, or all if it is shorter. One of the images becomes the ground of the next run. */
static void cut_run(size_t count, size_t styles, struct image *ret_image)
{
    struct image image = {0};
    struct ledger found;
    size_t length = tape_length(), chosen = length * 3 / 4 + (size_t)tape_pick((int64_t)(length / 4));
    bool taken = false;
    disk_install(NULL);
    if (count > length)
        count = length;
    for (size_t i = 0; i <= count; i++, cut_count++) {
        size_t at = length * i / count;
        for (size_t style = 0; style < styles; style++)
            try_cut(at, cuts[(style + (styles < CUTS ? cut_count * styles : 0)) % CUTS], &image, &found);
        if (!taken && at >= chosen) {
            taken = true;
            image_copy(ret_image, &image);
            ledger = found;
        }
    }
    image_release(&image);
}

/* ---- a sync that fails ---- */

static int syncs_to_failure;

static int fail_sync(struct disk_event *event)
{
    if (event->call != DISK_SYNC || event->file != DISK_WAL || --syncs_to_failure != 0)
        return tape_hook(event);
    tape_lose(event->file);
    return SQLITE_IOERR_FSYNC;
}

/* Writes until the n-th sync fails, restarts, and goes on. */
static void run_with_failure(int n)
{
    struct store_writer *writer = open_sliced(live, "the run");
    first_of_run = ledger.count;
    syncs_to_failure = n;
    while (write_group(writer) == OK)
        (void)upkeep(writer, 3);
    ck_assert_int_le(syncs_to_failure, 0);
    store_writer_close(writer);
    writer = open_sliced(live, "after a failed sync");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(write_group(writer), OK);
    store_writer_close(writer);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void campaign(const char *name, int runs, int groups, size_t count, size_t styles)
{
    struct image ground = {0};
    double start = seconds();
    size_t operations = 0, checkpoints = 0, begins = 0;
    struct fault fault;
    for (int i = 0; i < runs; i++) {
        tape_begin(&ground);
        image_write(&ground, live);
        disk_install(tape_hook);
        if (i == 0)
            ck_assert_int_eq(sqlite_create(live, &fault), OK);
        run(groups);
        operations += tape_length();
        checkpoints += tape_checkpoints();
        begins += tape_wal_begins();
        cut_run(count, styles, &ground);
    }
    printf("%s: %d runs, %d batches, %zu operations, %zu checkpoints, %zu new WALs, %zu cuts, %zu images, %.1f s\n",
           name, runs, ledger.count, operations, checkpoints, begins, cut_count, images, seconds() - start);
    ck_assert_uint_ge(checkpoints, (size_t)runs + 1); /* the first one belongs to the making of the file */
    ck_assert_uint_ge(begins, 2);
    image_release(&ground);
    tape_release();
}

/* ---- tests ---- */

static void set_up(void)
{
    temporary_folder(live);
    temporary_folder(cut_folder);
}

static void tear_down(void)
{
    disk_install(NULL);
    ledger_remove_folder(live);
    ledger_remove_folder(cut_folder);
}

/* Every operation from the making of the file on, cut in one of the ways in turn, in a long run in all; under
 * sanitizers, some operations. */
START_TEST(every_cut_of_a_short_run)
{
    tape_seed((uint64_t)_i + 1);
    ledger = (struct ledger){.logs = 4, .pause = 3 * 3600};
    checkpoint_pages = 60;
    campaign("every cut", is_sanitized() ? 1 : 2, is_long_run() ? 30 : 6, is_sanitized() ? 100 : SIZE_MAX,
             is_long_run() ? CUTS : 1);
}
END_TEST

/* The store's own threshold for checkpoints, so a WAL of 16 MiB. */
START_TEST(some_cuts_of_a_long_run)
{
    tape_seed((uint64_t)_i + 101);
    ledger = (struct ledger){.logs = 30, .pause = 3600};
    checkpoint_pages = 0;
    campaign("long runs", 2, 70, is_long_run() ? 1000 : is_sanitized() ? 3 : 10, is_long_run() ? CUTS : 1);
}
END_TEST

/* Many runs, each on what a cut of the one before has left. */
START_TEST(a_cut_after_a_cut)
{
    tape_seed((uint64_t)_i + 201);
    ledger = (struct ledger){.logs = 5, .pause = 3 * 3600};
    checkpoint_pages = 100;
    campaign("cut after cut", is_long_run() ? 40 : is_sanitized() ? 2 : 8, 8, is_long_run() ? 60 : 15, 2);
}
END_TEST

/* The kernel reports a lost page once, and afterwards shows it as if it were on the disk: nothing may rely on it. */
START_TEST(a_cut_after_a_failed_sync)
{
    struct image image = {0}, nothing = {0};
    struct ledger found;
    tape_seed(301);
    for (int n = 1; n <= rounds(15, 4, 200); n++) {
        ledger = (struct ledger){.logs = 5, .pause = 3 * 3600};
        tape_begin(&nothing);
        image_write(&nothing, live);
        disk_install(tape_hook);
        store_writer_close(open_sliced(live, "new"));
        disk_install(fail_sync);
        run_with_failure(n);
        disk_install(NULL);
        for (size_t style = 0; style < CUTS; style++) {
            try_cut(tape_length(), cuts[style], &image, &found);
            for (int i = 0; i < ledger.count; i++)
                ck_assert_msg((found.fate[i] == WHOLE) == (acknowledged[i] != SIZE_MAX), "sync %d: batch %d", n, i);
        }
    }
    printf("failed syncs: %zu images\n", images);
    image_release(&image);
    tape_release();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("powercut");
    TCase *tcase = suite_case(suite, "powercut");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, every_cut_of_a_short_run, 0, is_long_run() ? 10 : 1);
    tcase_add_loop_test(tcase, some_cuts_of_a_long_run, 0, is_long_run() ? 4 : 1);
    tcase_add_loop_test(tcase, a_cut_after_a_cut, 0, is_long_run() ? 10 : 1);
    tcase_add_test(tcase, a_cut_after_a_failed_sync);
    return suite_run(suite);
}
