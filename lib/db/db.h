/* db.h: how every store file talks to SQLite: connections hardened one way, statements prepared at start, results
 * turned into errors in one place. For the databases' own rooms; nobody else includes sqlite3.h. */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db {
    sqlite3 *handle;
    sqlite3_stmt **statements; /* one per row of the list given to db_prepare */
    size_t statement_count;
    const char *path; /* owned; for messages */
};

enum db_access {
    DB_CREATE,     /* read and write, made when missing, mode 0600 */
    DB_READ_WRITE, /* read and write, must exist */
    DB_READ_ONLY,  /* query_only too */
};

/* One numbered step of a schema; see schema/. */
struct schema_step {
    int version; /* 1, 2, 3, … without holes */
    const char *name;
    const char *sql;
};
struct schema {
    int application_id; /* PRAGMA application_id of the file */
    const struct schema_step *steps;
    size_t step_count;
};

/* Made at build time from schema/: the log database, and the API keys. */
extern const struct schema schema_analytics;
extern const struct schema schema_keys;

/* Opens `path` with DEFENSIVE, TRUSTED_SCHEMA off, NO_CKPT_ON_CLOSE, wal_autocheckpoint 0, synchronous FULL and a busy
 * timeout of `busy_ms`. On error *ret_db is closed and *fault names the file: ERR_UNAVAILABLE. */
enum err db_open(struct db *ret_db, const char *path, enum db_access access, int busy_ms, struct fault *fault);
void db_close(struct db *db); /* takes an all-zero one too */

/* Prepares every statement of the list, in order, so that a typing error stops the start. */
enum err db_prepare(struct db *db, const char *const *sql, size_t count, struct fault *fault);

/* Brings the schema to its newest step, each step in a transaction of its own. A newer user_version than the program
 * knows, or another application's file: ERR_UNAVAILABLE and a line that says so. */
enum err db_migrate(struct db *db, const struct schema *schema, struct fault *fault);

/* The schema's step that the file is at, 0 for none. A newer one than the program knows, or another application's file:
 * ERR_UNAVAILABLE. */
enum err db_read_version(struct db *db, const struct schema *schema, int64_t *ret_version, struct fault *fault);

/* Checks without changing: the file is at the schema's newest step. */
enum err db_check_version(struct db *db, const struct schema *schema, struct fault *fault);

/* The file has lost the name that it was opened by. */
bool db_has_moved(struct db *db);

/* While a statement runs, SQLite calls `tick` again and again, a few times a millisecond. Anything but 0 ends the
 * statement with ERR_QUERY_TIMEOUT. */
void db_watch(struct db *db, int (*tick)(void *ctx), void *ctx);
void db_unwatch(struct db *db);

/* Runs SQL text of our own (never with values in it). */
enum err db_exec(struct db *db, const char *sql, struct fault *fault);

/* BEGIN IMMEDIATE / COMMIT / ROLLBACK. A failed COMMIT is rolled back. */
enum err db_begin(struct db *db, struct fault *fault);
enum err db_commit(struct db *db, struct fault *fault);
void db_rollback(struct db *db);

/* ERR_UNAVAILABLE with "<doing>: <SQLite's words>" in *fault, from the connection's last error. An interrupted
 * statement is ERR_QUERY_TIMEOUT. */
enum err db_fault(struct db *db, const char *doing, struct fault *fault);

/* Runs a statement that returns no row (its values bound by the caller) and resets it. */
enum err db_run(struct db *db, sqlite3_stmt *statement, const char *doing, struct fault *fault);

/* Steps: OK with *ret_row true on a row, false at the end (then it is reset). On error it is reset too. */
enum err db_step(struct db *db, sqlite3_stmt *statement, const char *doing, bool *ret_row, struct fault *fault);

/* Runs a statement (its values bound by the caller) and resets it. *ret_value is the first column of the first row, or
 * `otherwise` when there is no row or the column is NULL. */
enum err db_step_i64(struct db *db, sqlite3_stmt *statement, const char *doing, int64_t otherwise, int64_t *ret_value,
                     struct fault *fault);

/* One integer from SQL text of our own, or `otherwise` when there is no row or it is NULL. */
enum err db_get_i64(struct db *db, const char *sql, int64_t otherwise, int64_t *ret_value, struct fault *fault);

#endif
