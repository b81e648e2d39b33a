/* fixture.c: folders, opened stores, names in a batch and random figures for tests. Knows the store by store.h, and the
 * database's file name. */
#include "support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM (UINT64_C(1) << 30)

char folder[64];

static uint64_t rng = 1;

/* A container's /dev/shm has 64 MiB unless it is told otherwise. */
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

sqlite3 *open_plain(const char *in, int flags)
{
    char path[256];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/analytics.db", in);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, flags, NULL), SQLITE_OK);
    sqlite3_wal_autocheckpoint(db, 0);
    return db;
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
