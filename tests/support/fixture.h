/* fixture.h: what a test needs around the code under test: a folder, its database in plain SQLite or as a store, names
 * in a batch, random figures. Every failure ends the test. */
#ifndef SUPPORT_FIXTURE_H
#define SUPPORT_FIXTURE_H

#include "support/runner.h"

#include "store/sqlite/care/care.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdint.h>

/* A new folder, in memory if there is room: its contents are not needed after the test. */
void temporary_folder(char ret_path[64]);

/* The folder of a test that needs one. folder_remove() removes it with its contents. */
extern char folder[64];
void folder_make(void);
void folder_remove(void);

/* The folder's analytics.db, opened in plain SQLite with SQLITE_OPEN_READONLY or SQLITE_OPEN_READWRITE, with all logs
 * in `raw_log` (parts_show). This connection never makes a checkpoint. */
sqlite3 *open_plain(const char *in, int flags);

/* The same with the tables as they are: raw_log lacks the logs of log_part, which take most of the time to open. */
sqlite3 *open_bare(const char *in, int flags);

/* The first column of the first row of a SELECT or PRAGMA. If it names logs, raw_log has all of them. */
int64_t ask_plain(const char *in, const char *sql);

/* Runs a statement that gives no rows. */
void plain_run(sqlite3 *db, const char *sql);

/* A callback of sqlite_verify_options: keeps the first difference in `ctx`, 256 bytes that begin with an empty text. */
void keep_first_difference(void *ctx, const struct sqlite_difference *difference);

/* Fails, naming `about` and the first difference, unless verify finds none in a folder's database. Returns the result
 * of verify. entries_at_once: as in care.h; 0: the default. */
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
