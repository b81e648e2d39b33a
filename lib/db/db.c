/* db.c: how every store file talks to SQLite. Knows connections, statements, schema steps and SQLite's errors.
 * Knows no table. */
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/banned.h"

/* Of SQLite's virtual machine: some tenths of a millisecond. */
#define TICK_INSTRUCTIONS 10000

enum err db_fault(struct db *db, const char *doing, struct fault *fault)
{
    int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
    if (code == SQLITE_INTERRUPT)
        return fault_set(fault, ERR_QUERY_TIMEOUT, "the report took longer than allowed");
    const char *words = db->handle ? sqlite3_errmsg(db->handle) : "out of memory";
    return fault_set(fault, ERR_UNAVAILABLE, "%s: %s", doing, words);
}

enum err db_exec(struct db *db, const char *sql, struct fault *fault)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_fault(db, db->path, fault);
    return OK;
}

/* Facts about the connection that every one of ours shares; see SECURITY in sqlite.org/security.html. */
static enum err harden(struct db *db, enum db_access access, int busy_ms, struct fault *fault)
{
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, busy_ms);
    enum err err = db_exec(db,
                           "PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF;"
                           "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF;",
                           fault);
    if (!err && access == DB_READ_ONLY)
        err = db_exec(db, "PRAGMA query_only=ON", fault);
    return err;
}

enum err db_open(struct db *ret_db, const char *path, enum db_access access, int busy_ms, struct fault *fault)
{
    struct db db = {.path = strdup(path)};
    if (!db.path)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    /* NOMUTEX: each connection belongs to one thread. */
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    flags |= access == DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    flags |= access == DB_CREATE ? SQLITE_OPEN_CREATE : 0;
    mode_t old_mask = umask(0177); /* databases, and the journals that copy their mode, are their owner's alone */
    enum err err = OK;
    if (sqlite3_open_v2(path, &db.handle, flags, NULL) != SQLITE_OK)
        err = db_fault(&db, path, fault);
    if (!err)
        err = harden(&db, access, busy_ms, fault);
    umask(old_mask);
    if (err)
        db_close(&db);
    else
        *ret_db = db;
    return err;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < db->statement_count; i++)
        sqlite3_finalize(db->statements[i]);
    free(db->statements);
    sqlite3_close(db->handle);
    free((char *)db->path);
    *db = (struct db){0};
}

bool db_has_moved(struct db *db)
{
    int moved = 0;
    return sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

void db_watch(struct db *db, int (*tick)(void *ctx), void *ctx)
{
    sqlite3_progress_handler(db->handle, TICK_INSTRUCTIONS, tick, ctx);
}

void db_unwatch(struct db *db)
{
    sqlite3_progress_handler(db->handle, 0, NULL, NULL);
}

enum err db_prepare(struct db *db, const char *const *sql, size_t count, struct fault *fault)
{
    db->statements = calloc(count, sizeof *db->statements);
    if (!db->statements)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (db->statement_count = 0; db->statement_count < count; db->statement_count++) {
        size_t i = db->statement_count;
        if (sqlite3_prepare_v3(db->handle, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[i], NULL) !=
            SQLITE_OK)
            return db_fault(db, sql[i], fault);
    }
    return OK;
}

enum err db_read_version(struct db *db, const struct schema *schema, int64_t *ret_version, struct fault *fault)
{
    int64_t version = 0, application = 0;
    enum err err = db_get_i64(db, "PRAGMA user_version", 0, &version, fault);
    if (!err)
        err = db_get_i64(db, "PRAGMA application_id", 0, &application, fault);
    if (err)
        return err;
    if (version != 0 && application != schema->application_id)
        return fault_set(fault, ERR_UNAVAILABLE, "%s: not a file of this program", db->path);
    if (version > schema->steps[schema->step_count - 1].version)
        return fault_set(fault, ERR_UNAVAILABLE,
                         "%s: made by a newer version of this program (schema %lld, this program knows %d): upgrade",
                         db->path, (long long)version, schema->steps[schema->step_count - 1].version);
    *ret_version = version;
    return OK;
}

static enum err apply_step(struct db *db, const struct schema *schema, const struct schema_step *step,
                           struct fault *fault)
{
    char stamp[96];
    snprintf(stamp, sizeof stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d", schema->application_id,
             step->version);
    enum err err = db_exec(db, step->sql, fault);
    if (!err)
        err = db_exec(db, stamp, fault);
    return err;
}

static enum err run_step(struct db *db, const struct schema *schema, const struct schema_step *step,
                         struct fault *fault)
{
    int64_t version = 0;
    enum err err = db_begin(db, fault);
    if (!err)
        err =
            db_read_version(db, schema, &version, fault); /* again: another process may have done this step meanwhile */
    if (!err && version < step->version)
        err = apply_step(db, schema, step, fault);
    if (!err)
        return db_commit(db, fault);
    db_rollback(db);
    return err;
}

enum err db_migrate(struct db *db, const struct schema *schema, struct fault *fault)
{
    int64_t version = 0;
    enum err err = db_read_version(db, schema, &version, fault);
    for (size_t i = 0; !err && i < schema->step_count; i++)
        if (schema->steps[i].version > version)
            err = run_step(db, schema, &schema->steps[i], fault);
    return err;
}

enum err db_check_version(struct db *db, const struct schema *schema, struct fault *fault)
{
    int64_t version = 0;
    enum err err = db_read_version(db, schema, &version, fault);
    if (err)
        return err;
    int newest = schema->steps[schema->step_count - 1].version;
    if (version < newest)
        return fault_set(fault, ERR_UNAVAILABLE,
                         "%s: schema %lld, not upgraded to %d yet: start analytics-ingest, or run analyticsctl init",
                         db->path, (long long)version, newest);
    return OK;
}

/* First ends a transaction whose rollback failed: a rollback needs memory too. */
enum err db_begin(struct db *db, struct fault *fault)
{
    db_rollback(db);
    return db_exec(db, "BEGIN IMMEDIATE", fault);
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

enum err db_commit(struct db *db, struct fault *fault)
{
    enum err err = db_exec(db, "COMMIT", fault);
    if (err)
        db_rollback(db);
    return err;
}

enum err db_step(struct db *db, sqlite3_stmt *statement, const char *doing, bool *ret_row, struct fault *fault)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *ret_row = true;
        return OK;
    }
    enum err err = rc == SQLITE_DONE ? OK : db_fault(db, doing, fault);
    sqlite3_reset(statement);
    if (!err)
        *ret_row = false;
    return err;
}

enum err db_step_i64(struct db *db, sqlite3_stmt *statement, const char *doing, int64_t otherwise, int64_t *ret_value,
                     struct fault *fault)
{
    bool row = false;
    enum err err = db_step(db, statement, doing, &row, fault);
    if (err)
        return err;
    bool has_value = row && sqlite3_column_type(statement, 0) != SQLITE_NULL;
    *ret_value = has_value ? sqlite3_column_int64(statement, 0) : otherwise;
    sqlite3_reset(statement);
    return OK;
}

enum err db_get_i64(struct db *db, const char *sql, int64_t otherwise, int64_t *ret_value, struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, db->path, fault);
    enum err err = db_step_i64(db, statement, db->path, otherwise, ret_value, fault);
    sqlite3_finalize(statement);
    return err;
}

enum err db_run(struct db *db, sqlite3_stmt *statement, const char *doing, struct fault *fault)
{
    int rc = sqlite3_step(statement);
    enum err err = rc == SQLITE_DONE ? OK : db_fault(db, doing, fault);
    sqlite3_reset(statement);
    return err;
}
