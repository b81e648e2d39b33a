/* restore.c: a data folder's databases from a backup. Knows how they are made and checked beside the old ones.
 * Leaves the change of places to db/swap.c. */
#include "store/sqlite/care/backup.h"
#include "store/sqlite/care/backup_file.h"
#include "store/sqlite/file.h"
#include "db/files.h"
#include "db/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define MIB (INT64_C(1) << 20)
#define PIECE_BYTES (1u << 20)
#define HEADER_BYTES 72

struct restore {
    const char *data_dir;
    int from; /* the backup */
    int64_t bytes;
    struct work work;
    struct sqlite_backup_facts facts;
    char folder[STORE_PATH_BYTES]; /* STORE_PARTIAL */
    char logs[STORE_PATH_BYTES];
    char keys[STORE_PATH_BYTES];
};

/* ---- before anything is written ---- */

static enum err name_paths(struct restore *restore, struct fault *fault)
{
    if (sqlite_path(restore->data_dir, STORE_PARTIAL, restore->folder) &&
        sqlite_path(restore->data_dir, STORE_PARTIAL "/" FILE_LOGS, restore->logs) &&
        sqlite_path(restore->data_dir, STORE_PARTIAL "/" FILE_KEYS, restore->keys))
        return OK;
    return fault_set(fault, ERR_UNAVAILABLE, "the data folder's name is too long");
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Checks the first bytes (sqlite.org/fileformat2.html). They also show whether the file has lost its end. */
static enum err check_header(struct restore *restore, struct fault *fault)
{
    struct stat file;
    unsigned char header[HEADER_BYTES];
    if (fstat(restore->from, &file) != 0 || !S_ISREG(file.st_mode) ||
        pread(restore->from, header, sizeof header, 0) != sizeof header || memcmp(header, "SQLite format 3", 16) != 0 ||
        big_endian(header + 68) != BACKUP_APPLICATION_ID)
        return fault_set(fault, ERR_UNAVAILABLE, "this is no backup: analyticsctl backup makes them");
    int64_t page_bytes = header[16] << 8 | header[17];
    restore->bytes = file.st_size;
    if (file.st_size != (page_bytes == 1 ? 65536 : page_bytes) * (int64_t)big_endian(header + 28))
        return fault_set(fault, ERR_UNAVAILABLE, "the backup is damaged: it is not as long as it says");
    return OK;
}

static enum err check_place(const struct restore *restore, bool replace, struct fault *fault)
{
    static const char *const names[] = {FILE_LOGS, FILE_LOGS_WAL, FILE_KEYS};
    char path[STORE_PATH_BYTES];
    struct stat there;
    for (size_t i = 0; !replace && i < sizeof names / sizeof *names; i++)
        if (sqlite_path(restore->data_dir, names[i], path) && lstat(path, &there) == 0)
            return fault_set(
                fault, ERR_UNAVAILABLE,
                "%s is there already; --force puts the backup in its place, and keeps what is there in a folder", path);
    return OK;
}

/* Removes what a killed restore has left, or this one when it fails. */
static void remove_partial(const struct restore *restore)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[STORE_PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(path, sizeof path, "%s%s", restore->logs, suffixes[i]);
        unlink(path);
        snprintf(path, sizeof path, "%s%s", restore->keys, suffixes[i]);
        unlink(path);
    }
    rmdir(restore->folder);
}

/* ---- copying ---- */

static enum err write_all(int to, const char *path, const char *bytes, size_t len, struct fault *fault)
{
    while (len > 0) {
        ssize_t n = write(to, bytes, len);
        if (n < 0 && errno != EINTR)
            return backup_file_fault(path, fault);
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return OK;
}

static enum err copy_bytes(struct restore *restore, int to, char *piece, struct fault *fault)
{
    work_step(&restore->work, "copying", "MiB", restore->bytes / MIB);
    enum err err = OK;
    for (int64_t at = 0; !err && at < restore->bytes;) {
        ssize_t n = pread(restore->from, piece, PIECE_BYTES, at);
        if (n <= 0 && (n == 0 || errno != EINTR))
            return fault_set(fault, ERR_UNAVAILABLE, "the backup can't be read: %s",
                             n == 0 ? "it has become shorter" : strerror(errno));
        at += n > 0 ? n : 0;
        err = write_all(to, restore->logs, piece, n > 0 ? (size_t)n : 0, fault);
        restore->work.progress.done = at / MIB;
        if (!err)
            err = work_go_on(&restore->work, fault);
    }
    return err;
}

static int make_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static enum err copy_file(struct restore *restore, struct fault *fault)
{
    char *piece = malloc(PIECE_BYTES);
    int to = piece ? make_file(restore->logs) : -1;
    enum err err = OK;
    if (to < 0)
        err = piece ? backup_file_fault(restore->logs, fault) : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err)
        err = backup_check_room(to, restore->data_dir, restore->bytes, fault);
    if (!err)
        err = copy_bytes(restore, to, piece, fault);
    if (to >= 0)
        close(to);
    free(piece);
    return err;
}

/* ---- what is in it ---- */

static enum err write_keys(struct restore *restore, const void *bytes, size_t len, struct fault *fault)
{
    int to = make_file(restore->keys);
    if (to < 0)
        return backup_file_fault(restore->keys, fault);
    enum err err = write_all(to, restore->keys, bytes, len, fault);
    close(to);
    return err;
}

/* The figures that the database had must be those of the copy. */
static enum err check_row(struct restore *restore, struct db *db, sqlite3_stmt *row, struct fault *fault)
{
    char figures[BACKUP_FIGURES_BYTES];
    const char *wanted = (const char *)sqlite3_column_text(row, 1);
    enum err err = backup_figures(db, figures, &restore->facts.logs, fault);
    if (!err && (!wanted || strcmp(figures, wanted) != 0))
        return fault_set(fault, ERR_UNAVAILABLE, "the backup is damaged: it has %s", figures);
    restore->facts.made_at = sqlite3_column_int64(row, 0);
    const void *keys = sqlite3_column_blob(row, 2);
    if (!err && keys)
        err = write_keys(restore, keys, (size_t)sqlite3_column_bytes(row, 2), fault);
    restore->facts.keys = keys ? 0 : -1;
    return err;
}

static enum err read_row(struct restore *restore, struct db *db, struct fault *fault)
{
    sqlite3_stmt *select = NULL;
    if (sqlite3_prepare_v2(db->handle, "SELECT made_at, figures, keys FROM backup WHERE id = 1", -1, &select, NULL) !=
        SQLITE_OK)
        return db_fault(db, "the backup", fault);
    bool row = false;
    enum err err = db_step(db, select, "the backup", &row, fault);
    if (!err && !row)
        err = fault_set(fault, ERR_UNAVAILABLE, "the backup is damaged: it does not say what it holds");
    if (!err)
        err = check_row(restore, db, select, fault);
    sqlite3_finalize(select);
    return err;
}

static enum err check_logs(struct restore *restore, struct db *db, struct fault *fault)
{
    db_watch(db, work_tick, &restore->work);
    enum err err = backup_check_file(db, &restore->work, fault);
    if (!err)
        err = read_row(restore, db, fault);
    int64_t version = 0;
    if (!err)
        err = db_get_i64(db, "PRAGMA user_version", 0, &version, fault);
    db_unwatch(db);
    restore->facts.schema_version = (int)version;
    return err;
}

/* ---- the databases ---- */

static void close_alone(struct db *db)
{
    if (db->handle)
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    db_close(db);
}

/* A backup becomes a log database of this program's version. In WAL mode at once: the readers come first. */
static enum err unstamp(struct db *db, struct fault *fault)
{
    char sql[96];
    snprintf(sql, sizeof sql, "DROP TABLE backup; PRAGMA application_id=%d", schema_analytics.application_id);
    enum err err = db_begin(db, fault);
    if (!err)
        err = db_exec(db, sql, fault);
    if (!err)
        err = db_commit(db, fault);
    if (!err)
        err = db_migrate(db, &schema_analytics, fault);
    return err ? err : db_exec(db, "PRAGMA journal_mode=WAL", fault);
}

/* The only connection takes the WAL with it, unless it can't. */
static enum err check_closed(const struct restore *restore, struct fault *fault)
{
    char path[STORE_PATH_BYTES + 8];
    snprintf(path, sizeof path, "%s-wal", restore->logs);
    return access(path, F_OK) != 0 ? OK : fault_set(fault, ERR_UNAVAILABLE, "%s: can't be written back", path);
}

static enum err make_logs(struct restore *restore, struct fault *fault)
{
    struct db db = {0};
    enum err err = db_open(&db, restore->logs, DB_READ_WRITE, 0, fault);
    if (!err)
        err = check_logs(restore, &db, fault);
    if (!err)
        err = unstamp(&db, fault);
    close_alone(&db);
    return err ? err : check_closed(restore, fault);
}

static enum err make_keys(struct restore *restore, struct fault *fault)
{
    if (restore->facts.keys < 0)
        return OK;
    struct db db = {0};
    enum err err = db_open(&db, restore->keys, DB_READ_WRITE, 0, fault);
    if (!err)
        err = backup_check_file(&db, &restore->work, fault);
    int64_t version = 0;
    if (!err)
        err = db_read_version(&db, &schema_keys, &version, fault);
    if (!err && version == 0)
        err = fault_set(fault, ERR_UNAVAILABLE, "the backup is damaged: its keys have no table");
    if (!err)
        err = db_migrate(&db, &schema_keys, fault);
    if (!err)
        err = db_get_i64(&db, "SELECT count(*) FROM api_key", 0, &restore->facts.keys, fault);
    db_close(&db);
    return err;
}

static enum err sync_file(const char *path, struct fault *fault)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    enum err err = synced ? OK : backup_file_fault(path, fault);
    if (fd >= 0)
        close(fd);
    return err;
}

/* ---- the whole ---- */

static enum err make_databases(struct restore *restore, struct fault *fault)
{
    remove_partial(restore);
    if (mkdir(restore->folder, 0700) != 0)
        return backup_file_fault(restore->folder, fault);
    enum err err = copy_file(restore, fault);
    if (!err)
        err = make_logs(restore, fault);
    if (!err)
        err = make_keys(restore, fault);
    work_step(&restore->work, "writing it to the disk", "", 0);
    if (!err)
        err = work_go_on(&restore->work, fault);
    if (!err)
        err = sync_file(restore->logs, fault);
    if (!err && restore->facts.keys >= 0)
        err = sync_file(restore->keys, fault);
    return err;
}

static enum err run(struct restore *restore, bool replace, char ret_kept[STORE_KEPT_BYTES], struct fault *fault)
{
    enum err err = name_paths(restore, fault);
    if (!err)
        err = check_header(restore, fault);
    if (!err)
        err = check_place(restore, replace, fault);
    if (err)
        return err;
    err = make_databases(restore, fault);
    if (!err)
        err = swap_commit(restore->data_dir, fault);
    if (err) {
        remove_partial(restore);
        return err;
    }
    err = swap_finish(restore->data_dir, ret_kept, fault);
    if (!err)
        return OK;
    struct fault why = *fault;
    return fault_set(fault, err,
                     "the restore is not finished (analyticsctl init, or a start of analytics-ingest, does that): %s",
                     why.detail);
}

enum err sqlite_restore(const char *data_dir, int fd, bool replace, const struct watch *watch,
                        struct sqlite_backup_facts *ret_facts, char ret_kept[STORE_KEPT_BYTES], struct fault *fault)
{
    struct restore restore = {.data_dir = data_dir, .from = fd, .work.watch = watch};
    int lock = -1;
    enum err err = sqlite_lock(data_dir, &lock, fault);
    if (err)
        return err;
    err = run(&restore, replace, ret_kept, fault);
    if (err && !swap_is_pending(data_dir) && watch_is_stopped(restore.work.watch))
        fault_stopped(fault);
    close(lock);
    restore.facts.bytes = restore.bytes;
    if (!err)
        *ret_facts = restore.facts;
    return err;
}
