/* fixture.h: what a test puts around the code under test: a folder, its database in plain SQLite or as a store, names
 * in a batch, random figures. Every failure ends the test. */
#ifndef SUPPORT_FIXTURE_H
#define SUPPORT_FIXTURE_H

#include "support/runner.h"

#include "store/sqlite/care/care.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdint.h>

/* A new folder, in memory where the system has room for that: what is in it is of no worth afterwards. */
void temporary_folder(char ret_path[64]);

/* The folder of a test that needs one; and its end, with all that is in it. */
extern char folder[64];
void folder_make(void);
void folder_remove(void);

/* The folder's analytics.db beside the product, opened with SQLITE_OPEN_READONLY or SQLITE_OPEN_READWRITE. It never
 * moves the write-ahead log into the database. */
sqlite3 *open_plain(const char *in, int flags);

/* Runs a statement that gives no rows. */
void plain_run(sqlite3 *db, const char *sql);

/* As sqlite_verify_options has it: keeps the first difference in the 256 bytes of `ctx`, which begin empty. */
void keep_first_difference(void *ctx, const struct sqlite_difference *difference);

/* Verify finds no difference in a folder's database; its result. A failure names `about`, and the first difference.
 * entries_at_once: as in care.h; 0 is the usual. */
struct sqlite_verified verify_clean(const char *in, size_t entries_at_once, const char *about);

/* The store in a folder. */
struct store_writer *open_writer(const char *in);
struct store_reader *open_reader(const char *in);

/* The index of a name in the batch. */
uint32_t intern(struct batch *batch, const char *text);

/* The next random figure, from 0 to n - 1. The same seed gives the same figures on every machine. */
void seed(uint64_t seed);
int64_t pick(int64_t n);

#endif
