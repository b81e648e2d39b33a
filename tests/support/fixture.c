/* fixture.c: folders, opened stores, names in a batch and random figures for tests. Knows the store by store.h, and the
 * database's file name. */
#include "support/fixture.h"
#include "support/parts.h"
#include "support/recount.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM (UINT64_C(1) << 30)

char folder[64];

static uint64_t rng = 1;

/* In a container, /dev/shm has 64 MiB by default. */
static bool has_room(const char *path)
{
    struct statvfs room;
    return access(path, W_OK) == 0 && statvfs(path, &room) == 0 && room.f_bavail * room.f_frsize > ROOM;
}

void temporary_folder(char ret_path[64])
{
    snprintf(ret_path, 64, "%s/analytics-test.XXXXXX", has_room("/dev/shm") ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(ret_path));
}

void folder_make(void)
{
    temporary_folder(folder);
}

void folder_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

sqlite3 *open_bare(const char *in, int flags)
{
    char path[256];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/analytics.db", in);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, flags, NULL), SQLITE_OK);
    sqlite3_wal_autocheckpoint(db, 0);
    plain_run(db, "PRAGMA temp_store = MEMORY");
    return db;
}

sqlite3 *open_plain(const char *in, int flags)
{
    sqlite3 *db = open_bare(in, flags);
    parts_show(db);
    return db;
}

int64_t ask_plain(const char *in, const char *sql)
{
    sqlite3 *db = strstr(sql, "log") ? open_plain(in, SQLITE_OPEN_READONLY) : open_bare(in, SQLITE_OPEN_READONLY);
    int64_t value = recount_i64(db, sql);
    sqlite3_close(db);
    return value;
}

void plain_run(sqlite3 *db, const char *sql)
{
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

void keep_first_difference(void *ctx, const struct sqlite_difference *difference)
{
    char *first = ctx;
    if (!*first)
        snprintf(first, 256, "%s, period %d from %" PRId64 ", user %" PRId64 ": %s", difference->table,
                 difference->period, difference->bucket, difference->user_id,
                 difference->words ? difference->words : "another value");
}

struct sqlite_verified verify_clean(const char *in, size_t entries_at_once, const char *about)
{
    char first[256] = "";
    struct sqlite_verified verified = {0};
    struct fault fault = {0};
    struct sqlite_verify_options options = {
        .entries_at_once = entries_at_once, .ctx = first, .difference = keep_first_difference};
    ck_assert_msg(sqlite_verify(in, &options, &(struct watch){0}, &verified, &fault) == OK, "%s: %s", about,
                  fault.detail);
    ck_assert_msg(verified.differences == 0, "%s: %" PRId64 " differences: %s", about, verified.differences, first);
    return verified;
}

struct store_writer *open_writer(const char *in)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    ck_assert_msg(store_writer_open(store_in(in), &writer, &fault) == OK, "%s", fault.detail);
    return writer;
}

struct store_reader *open_reader(const char *in)
{
    struct store_reader *reader = NULL;
    struct fault fault;
    ck_assert_msg(store_reader_open(store_in(in), &reader, &fault) == OK, "%s", fault.detail);
    return reader;
}

uint32_t intern(struct batch *batch, const char *text)
{
    uint32_t index = 0;
    ck_assert_int_eq(batch_intern(batch, slice_of(text), &index), OK);
    return index;
}

void seed(uint64_t seed)
{
    rng = seed;
}

int64_t pick(int64_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((rng >> 33) % (uint64_t)n);
}
