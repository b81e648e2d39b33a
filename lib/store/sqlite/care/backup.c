/* backup.c: both databases into one file, beside a service. Knows how a moment is held while it is copied, and
 * that the file's name stands for a whole and checked backup only. Leaves the way back to care/restore.c. */
#include "store/sqlite/care/backup.h"

#include "db/files.h"
#include "store/sqlite/care/backup_file.h"
#include "store/sqlite/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define STEP_PAGES 1024 /* 4 MiB: how often it is asked whether to go on */
#define MIB (INT64_C(1) << 20)
#define BUSY_MS 5000
#define PIECE_BYTES (1u << 20)

/* Where a file's header says how it is written: 1, a rollback journal; 2, WAL. */
#define HEADER_FORMAT_AT 18

struct sqlite_backup {
    struct db logs; /* with a read transaction under way */
    struct work work;
    char figures[BACKUP_FIGURES_BYTES];
    struct sqlite_backup_facts facts;
    unsigned char *keys; /* keys.db as a file; NULL: none */
    sqlite3_int64 keys_bytes;
};

/* The file that is being written. */
struct target {
    const char *file; /* what it will be called */
    char *partial;    /* its name until then; never one that SQLite takes for a URI */
    int fd;
    int folder;
};

/* ---- the moment ---- */

static enum err open_logs(struct sqlite_backup *backup, const char *data_dir, struct fault *fault)
{
    struct db *db = &backup->logs;
    enum err err = sqlite_file_open_any(data_dir, BUSY_MS, db, fault);
    if (!err)
        err = db_exec(db, "BEGIN", fault);
    if (!err)
        err = sqlite_file_version(db, &backup->facts.schema_version, fault);
    int64_t pages = 0;
    if (!err)
        err = db_get_i64(db, "PRAGMA page_count", 0, &pages, fault);
    int64_t page_bytes = 0;
    if (!err)
        err = db_get_i64(db, "PRAGMA page_size", 0, &page_bytes, fault);
    backup->facts.bytes = pages * page_bytes;
    return err;
}

static enum err read_figures(struct sqlite_backup *backup, struct fault *fault)
{
    db_watch(&backup->logs, work_tick, &backup->work);
    work_step(&backup->work, "counting the logs", "", 0);
    enum err err = backup_figures(&backup->logs, backup->figures, &backup->facts.logs, fault);
    db_unwatch(&backup->logs);
    return err;
}

static enum err copy_keys(struct sqlite_backup *backup, struct db *db, struct fault *fault)
{
    int64_t version = 0;
    enum err err = db_exec(db, "BEGIN", fault);
    if (!err)
        err = db_read_version(db, &schema_keys, &version, fault);
    if (err || version == 0)
        return err; /* a file that nobody has made keys in */
    err = db_get_i64(db, "SELECT count(*) FROM api_key", 0, &backup->facts.keys, fault);
    if (!err)
        backup->keys = sqlite3_serialize(db->handle, "main", &backup->keys_bytes, 0);
    if (!err && !backup->keys)
        err = fault_set(fault, ERR_UNAVAILABLE, "%s: can't be read into memory", db->path);
    return err;
}

/* Reads keys.db after the log database's transaction has begun. So every caller that has batches there has its key
 * here, and no id is used twice. */
static enum err read_keys(struct sqlite_backup *backup, const char *data_dir, struct fault *fault)
{
    char path[STORE_PATH_BYTES];
    if (!sqlite_path(data_dir, FILE_KEYS, path))
        return fault_set(fault, ERR_UNAVAILABLE, "the data folder's name is too long");
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return OK;
    struct db db = {0};
    enum err err = db_open(&db, path, DB_READ_WRITE, BUSY_MS, fault); /* to undo what a killed process left */
    if (!err)
        err = copy_keys(backup, &db, fault);
    db_close(&db);
    return err;
}

enum err sqlite_backup_begin(const char *data_dir, const struct watch *watch, struct sqlite_backup **ret_backup,
                             struct fault *fault)
{
    struct sqlite_backup *backup = calloc(1, sizeof *backup);
    if (!backup)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    backup->work.watch = watch;
    backup->facts.keys = -1;
    enum err err = open_logs(backup, data_dir, fault);
    if (!err)
        err = read_keys(backup, data_dir, fault);
    if (!err)
        err = read_figures(backup, fault);
    if (err)
        sqlite_backup_end(backup);
    else
        *ret_backup = backup;
    return err;
}

void sqlite_backup_end(struct sqlite_backup *backup)
{
    if (!backup)
        return;
    db_close(&backup->logs);
    sqlite3_free(backup->keys);
    free(backup);
}

/* ---- the file ---- */

static bool is_backup(const char *path)
{
    unsigned char header[72];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, header, sizeof header) : -1;
    if (fd >= 0)
        close(fd);
    return n == sizeof header && memcmp(header, "SQLite format 3", 16) == 0 &&
           (header[68] << 24 | header[69] << 16 | header[70] << 8 | header[71]) == BACKUP_APPLICATION_ID;
}

static enum err check_name(const char *file, bool replace, struct fault *fault)
{
    struct stat there;
    if (lstat(file, &there) != 0)
        return errno == ENOENT ? OK : backup_file_fault(file, fault);
    if (!replace)
        return fault_set(fault, ERR_UNAVAILABLE, "%s is there already; --force replaces an older backup", file);
    if (is_backup(file))
        return OK;
    return fault_set(fault, ERR_UNAVAILABLE, "%s is there already, and is no backup: it is not replaced", file);
}

static int open_folder(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *name = slash ? strndup(file, slash == file ? 1 : (size_t)(slash - file)) : strdup(".");
    int fd = name ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(name);
    return fd;
}

/* The file that was opened may have got its final name before its lock was ours. */
static bool is_still(const char *path, const struct stat *opened)
{
    struct stat there;
    return lstat(path, &there) == 0 && there.st_ino == opened->st_ino && there.st_dev == opened->st_dev;
}

/* A file that a killed process left is taken over; one that another process writes is not. */
static enum err open_partial(struct target *target, struct fault *fault)
{
    target->fd = open(target->partial, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (target->fd < 0)
        return backup_file_fault(target->partial, fault);
    struct stat there;
    if (fstat(target->fd, &there) != 0)
        return backup_file_fault(target->partial, fault);
    if (flock(target->fd, LOCK_EX | LOCK_NB) != 0 || !is_still(target->partial, &there))
        return fault_set(fault, ERR_UNAVAILABLE, "%s: another backup is writing it", target->partial);
    if (!S_ISREG(there.st_mode) || there.st_nlink != 1)
        return fault_set(fault, ERR_UNAVAILABLE, "%s is there already, and is no plain file", target->partial);
    if (fchmod(target->fd, 0600) != 0 || ftruncate(target->fd, 0) != 0)
        return backup_file_fault(target->partial, fault);
    return OK;
}

static enum err open_target(struct target *target, const char *file, struct fault *fault)
{
    *target = (struct target){.file = file, .fd = -1};
    target->folder = open_folder(file);
    if (target->folder < 0)
        return backup_file_fault(file, fault);
    if (asprintf(&target->partial, "%s%s.partial", *file == '/' ? "" : "./", file) < 0) {
        target->partial = NULL;
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    }
    return open_partial(target, fault);
}

/* ---- copying ---- */

static enum err copy_pages(struct sqlite_backup *backup, struct db *copy, struct fault *fault)
{
    sqlite3_backup *pages = sqlite3_backup_init(copy->handle, "main", backup->logs.handle, "main");
    if (!pages)
        return db_fault(copy, copy->path, fault);
    work_step(&backup->work, "copying", "MiB", backup->facts.bytes / MIB);
    int rc = SQLITE_OK;
    enum err err = OK;
    while (!err && (rc = sqlite3_backup_step(pages, STEP_PAGES)) == SQLITE_OK) {
        int64_t left = sqlite3_backup_remaining(pages), all = sqlite3_backup_pagecount(pages);
        backup->work.progress.done = backup->facts.bytes / MIB * (all - left) / all;
        err = work_go_on(&backup->work, fault);
    }
    sqlite3_backup_finish(pages);
    if (!err && rc != SQLITE_DONE)
        err = fault_set(fault, ERR_UNAVAILABLE, "%s: %s", copy->path, sqlite3_errstr(rc));
    return err;
}

/* Keeps the journal in memory: a file that is not whole is thrown away. (Being DEFENSIVE, SQLite refuses to do without
 * a journal.) */
static enum err open_copy(struct db *db, const char *path, struct fault *fault)
{
    enum err err = db_open(db, path, DB_READ_WRITE, 0, fault);
    return err ? err : db_exec(db, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF", fault);
}

static enum err copy_logs(struct sqlite_backup *backup, struct target *target, struct fault *fault)
{
    struct db copy = {0};
    const char no_wal[2] = {1, 1};
    enum err err = open_copy(&copy, target->partial, fault);
    if (!err)
        err = copy_pages(backup, &copy, fault);
    db_close(&copy);
    db_close(&backup->logs); /* the write-ahead log may restart */
    if (!err && pwrite(target->fd, no_wal, sizeof no_wal, HEADER_FORMAT_AT) != sizeof no_wal)
        err = backup_file_fault(target->partial, fault);
    return err;
}

static enum err insert_row(struct sqlite_backup *backup, struct db *copy, struct fault *fault)
{
    sqlite3_stmt *insert = NULL;
    if (sqlite3_prepare_v2(copy->handle, "INSERT INTO backup (id, made_at, figures, keys) VALUES (1, ?1, ?2, ?3)", -1,
                           &insert, NULL) != SQLITE_OK)
        return db_fault(copy, copy->path, fault);
    sqlite3_bind_int64(insert, 1, backup->facts.made_at);
    sqlite3_bind_text(insert, 2, backup->figures, -1, SQLITE_STATIC);
    if (backup->keys)
        sqlite3_bind_blob64(insert, 3, backup->keys, (sqlite3_uint64)backup->keys_bytes, SQLITE_STATIC);
    enum err err = db_run(copy, insert, copy->path, fault);
    sqlite3_finalize(insert);
    return err;
}

/* Makes the copy a backup. */
static enum err stamp(struct sqlite_backup *backup, struct target *target, struct fault *fault)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d", BACKUP_APPLICATION_ID);
    struct db copy = {0};
    enum err err = open_copy(&copy, target->partial, fault);
    if (!err)
        err = db_begin(&copy, fault);
    if (!err)
        err = db_exec(&copy, BACKUP_TABLE, fault);
    if (!err)
        err = insert_row(backup, &copy, fault);
    if (!err)
        err = db_exec(&copy, sql, fault);
    if (!err)
        err = db_commit(&copy, fault);
    db_close(&copy);
    return err;
}

/* ---- checking ---- */

static enum err check_row(struct sqlite_backup *backup, struct db *copy, struct fault *fault)
{
    sqlite3_stmt *select = NULL;
    if (sqlite3_prepare_v2(copy->handle, "SELECT keys FROM backup WHERE id = 1", -1, &select, NULL) != SQLITE_OK)
        return db_fault(copy, copy->path, fault);
    bool row = false;
    enum err err = db_step(copy, select, copy->path, &row, fault);
    const void *keys = !err && row ? sqlite3_column_blob(select, 0) : NULL;
    int64_t bytes = keys ? sqlite3_column_bytes(select, 0) : 0;
    if (!err && (!row || bytes != backup->keys_bytes || (keys && memcmp(keys, backup->keys, (size_t)bytes) != 0)))
        err = fault_set(fault, ERR_UNAVAILABLE, "the copy is damaged: the keys are not those of " FILE_KEYS);
    sqlite3_finalize(select);
    return err;
}

static enum err check_figures(struct sqlite_backup *backup, struct db *copy, struct fault *fault)
{
    char figures[BACKUP_FIGURES_BYTES];
    int64_t logs;
    enum err err = backup_figures(copy, figures, &logs, fault);
    if (!err && strcmp(figures, backup->figures) != 0)
        err = fault_set(fault, ERR_UNAVAILABLE, "the copy is damaged: it has %s", figures);
    return err;
}

/* Reads the file back from the disk, as far as the kernel drops what is left of writing it in memory. It reads in the
 * order that a disk reads fast; SQLite then finds the pages in memory. */
static enum err read_back(struct sqlite_backup *backup, struct target *target, struct fault *fault)
{
    char *piece = malloc(PIECE_BYTES);
    if (!piece)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    enum err err = OK;
    if (fsync(target->fd) != 0)
        err = backup_file_fault(target->partial, fault);
    posix_fadvise(target->fd, 0, 0, POSIX_FADV_DONTNEED);
    work_step(&backup->work, "reading it back", "MiB", backup->facts.bytes / MIB);
    for (ssize_t n = 1, at = 0; !err && n > 0; at += n) {
        n = pread(target->fd, piece, PIECE_BYTES, at);
        backup->work.progress.done = at / MIB;
        err = n < 0 ? backup_file_fault(target->partial, fault) : work_go_on(&backup->work, fault);
    }
    free(piece);
    return err;
}

static enum err check(struct sqlite_backup *backup, struct target *target, struct fault *fault)
{
    struct db copy = {0};
    enum err err = read_back(backup, target, fault);
    if (!err)
        err = db_open(&copy, target->partial, DB_READ_ONLY, 0, fault);
    if (!err)
        db_watch(&copy, work_tick, &backup->work);
    if (!err)
        err = backup_check_file(&copy, &backup->work, fault);
    if (!err)
        err = check_figures(backup, &copy, fault);
    if (!err)
        err = check_row(backup, &copy, fault);
    db_close(&copy);
    return err;
}

/* ---- the whole ---- */

/* Where the file system cannot rename without replacing, check_name has looked already. */
static enum err put_in_place(struct target *target, bool replace, struct fault *fault)
{
    int failed = renameat2(AT_FDCWD, target->partial, AT_FDCWD, target->file, replace ? 0 : RENAME_NOREPLACE);
    if (failed && errno == EINVAL)
        failed = rename(target->partial, target->file);
    if (failed || fsync(target->folder) != 0)
        return backup_file_fault(target->file, fault);
    return OK;
}

static enum err write_target(struct sqlite_backup *backup, struct target *target, struct fault *fault)
{
    enum err err = backup_check_room(target->fd, target->file, backup->facts.bytes + backup->keys_bytes, fault);
    if (!err)
        err = copy_logs(backup, target, fault);
    if (!err)
        err = stamp(backup, target, fault);
    if (!err)
        err = check(backup, target, fault);
    struct stat written;
    if (!err && fstat(target->fd, &written) == 0)
        backup->facts.bytes = written.st_size;
    return err;
}

static void close_target(struct target *target, bool keep)
{
    if (target->fd >= 0 && !keep)
        unlink(target->partial);
    if (target->fd >= 0)
        close(target->fd);
    if (target->folder >= 0)
        close(target->folder);
    free(target->partial);
}

enum err sqlite_backup_write(struct sqlite_backup *backup, const char *file, bool replace, int64_t now,
                             struct sqlite_backup_facts *ret_facts, struct fault *fault)
{
    backup->facts.made_at = now;
    enum err err = check_name(file, replace, fault);
    if (err)
        return err;
    struct target target;
    err = open_target(&target, file, fault);
    bool ours = !err;
    if (!err)
        err = write_target(backup, &target, fault);
    if (!err)
        err = put_in_place(&target, replace, fault);
    if (err && watch_is_stopped(backup->work.watch))
        fault_stopped(fault);
    close_target(&target, !err || !ours);
    if (!err)
        *ret_facts = backup->facts;
    return err;
}
