/* file.c: the log database as a file. Knows paths, the lock and the settings a database is born with. Knows no
 * table. */
#include "store/sqlite/file.h"

#include "store/sqlite/packed_log.h"
#include "store/sqlite/sqlite.h"
#include "db/files.h"
#include "db/swap.h"
#include "base/text.h"
#include "time/mono.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define LOOK_AGAIN_NS 20000000L

bool sqlite_path(const char *data_dir, const char *name, char ret_path[STORE_PATH_BYTES])
{
    int len = snprintf(ret_path, STORE_PATH_BYTES, "%s/%s", data_dir, name);
    return len > 0 && len < STORE_PATH_BYTES;
}

int64_t sqlite_file_bytes(const char *data_dir, const char *name)
{
    char path[STORE_PATH_BYTES];
    struct stat about;
    return sqlite_path(data_dir, name, path) && stat(path, &about) == 0 ? (int64_t)about.st_size : 0;
}

enum err sqlite_file_find(const char *data_dir, char ret_path[STORE_PATH_BYTES], struct fault *fault)
{
    if (!sqlite_path(data_dir, FILE_LOGS, ret_path))
        return fault_set(fault, ERR_UNAVAILABLE, "the data folder's name is too long");
    return access(ret_path, F_OK) == 0 ? OK : fault_set(fault, ERR_UNAVAILABLE, "%s: %s", ret_path, strerror(errno));
}

enum err sqlite_file_open_any(const char *data_dir, int busy_ms, struct db *ret_db, struct fault *fault)
{
    char path[STORE_PATH_BYTES];
    enum err err = sqlite_file_find(data_dir, path, fault);
    if (!err)
        err = db_open(ret_db, path, DB_READ_ONLY, busy_ms, fault);
    if (err)
        return err;
    err = sqlite_know_packed_log(ret_db, fault);
    if (err)
        db_close(ret_db);
    return err;
}

enum err sqlite_file_open_reader(const char *data_dir, struct db *ret_db, struct fault *fault)
{
    enum err err = sqlite_file_open_any(data_dir, STORE_READER_BUSY_MS, ret_db, fault);
    if (err)
        return err;
    err = db_check_version(ret_db, &schema_analytics, fault);
    if (err)
        db_close(ret_db);
    return err;
}

enum err sqlite_file_open_logs(const char *data_dir, struct db *ret_db, struct fault *fault)
{
    int64_t is_spool = 0;
    enum err err = sqlite_file_open_reader(data_dir, ret_db, fault);
    if (err)
        return err;
    err = db_get_i64(ret_db, "SELECT is_spool FROM spool", 0, &is_spool, fault);
    if (!err && is_spool)
        err = fault_set(fault, ERR_UNAVAILABLE, "%s is the spool of the engine clickhouse, which has the logs",
                        ret_db->path);
    if (err)
        db_close(ret_db);
    return err;
}

enum err sqlite_file_version(struct db *db, int *ret_version, struct fault *fault)
{
    int64_t version = 0;
    enum err err = db_read_version(db, &schema_analytics, &version, fault);
    if (!err && version == 0)
        err = fault_set(fault, ERR_UNAVAILABLE, "%s: has no tables yet", db->path);
    if (!err)
        *ret_version = (int)version;
    return err;
}

void sqlite_setup(bool one_thread)
{
    sqlite3_config(one_thread ? SQLITE_CONFIG_SINGLETHREAD : SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int sqlite_schema_version(void)
{
    return schema_analytics.steps[schema_analytics.step_count - 1].version;
}

static bool is_behind(const char *data_dir)
{
    struct db db;
    struct fault ignored;
    int version = 0;
    if (sqlite_file_open_any(data_dir, STORE_READER_BUSY_MS, &db, &ignored))
        return false;
    enum err err = sqlite_file_version(&db, &version, &ignored);
    db_close(&db);
    return !err && version < sqlite_schema_version();
}

void sqlite_await_upgrade(const char *data_dir, int64_t milliseconds)
{
    const int64_t deadline_ms = mono_ms() + milliseconds;
    while (is_behind(data_dir) && mono_ms() < deadline_ms)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NS}, NULL);
}

/* A file that root makes in a folder of the service's user must be the service's. */
static void give_to_folder_owner(const char *data_dir, int fd)
{
    struct stat folder;
    if (geteuid() == 0 && stat(data_dir, &folder) == 0 && fchown(fd, folder.st_uid, folder.st_gid) != 0)
        return; /* its user will be told when it can't open the file */
}

/* The name under which the program was started, without its folder; "" when it cannot be found out. */
static void program_name(const char *pid, char *ret_name, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char line[STORE_PATH_BYTES] = "";
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
    line[n > 0 ? n : 0] = '\0'; /* the name ends with the first NUL */
    const char *slash = strrchr(line, '/');
    snprintf(ret_name, size, "%s", slash ? slash + 1 : line);
    if (fd >= 0)
        close(fd);
}

#define PID_BYTES 16

/* Reads the holder from the lock's file; "" when the file does not name one. */
static void read_holder(int fd, char pid[PID_BYTES], char name[LOCK_HOLDER_BYTES])
{
    ssize_t n = pread(fd, pid, PID_BYTES - 1, 0);
    pid[n > 0 ? n : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    name[0] = '\0';
    if (*pid)
        program_name(pid, name, LOCK_HOLDER_BYTES);
}

bool sqlite_lock_holder(const char *data_dir, int64_t *ret_pid, char ret_name[LOCK_HOLDER_BYTES])
{
    char path[STORE_PATH_BYTES], pid[PID_BYTES];
    int fd = sqlite_path(data_dir, FILE_LOCK, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
    *ret_pid = 0;
    if (held) {
        read_holder(fd, pid, ret_name);
        text_to_i64(slice_of(pid), 1, INT64_MAX, ret_pid);
    }
    if (fd >= 0)
        close(fd);
    return held;
}

static enum err held_by(int fd, const char *path, struct fault *fault)
{
    char pid[PID_BYTES], name[LOCK_HOLDER_BYTES];
    read_holder(fd, pid, name);
    return fault_set(fault, ERR_UNAVAILABLE,
                     "%s: held by another process (pid %s%s%s) that writes this database; it must end first", path,
                     *pid ? pid : "unknown", *name ? ", " : "", name);
}

/* A process that only asks who holds the lock shares it for a moment. */
static bool take_lock(int fd)
{
    const struct timespec nap = {.tv_nsec = 10000000};
    bool taken = flock(fd, LOCK_EX | LOCK_NB) == 0;
    for (int i = 0; !taken && i < 5; i++) {
        nanosleep(&nap, NULL);
        taken = flock(fd, LOCK_EX | LOCK_NB) == 0;
    }
    return taken;
}

/* A restore may have been killed in its last step. */
static enum err finish_restore(const char *data_dir, int fd, struct fault *fault)
{
    if (!swap_is_pending(data_dir))
        return OK;
    char ignored[STORE_KEPT_NAME_BYTES];
    enum err err = swap_finish(data_dir, ignored, fault);
    if (err)
        close(fd);
    return err;
}

enum err sqlite_lock(const char *data_dir, int *ret_fd, struct fault *fault)
{
    char path[STORE_PATH_BYTES];
    if (!sqlite_path(data_dir, FILE_LOCK, path))
        return fault_set(fault, ERR_UNAVAILABLE, "the data folder's name is too long");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_set(fault, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (!take_lock(fd)) {
        enum err err = held_by(fd, path, fault);
        close(fd);
        return err;
    }
    give_to_folder_owner(data_dir, fd);
    /* The number is only for held_by's message, which does without it on a full disk. */
    bool noted = ftruncate(fd, 0) == 0 && dprintf(fd, "%ld\n", (long)getpid()) >= 0;
    (void)noted;
    enum err err = finish_restore(data_dir, fd, fault);
    if (!err)
        *ret_fd = fd;
    return err;
}

/* Without shared memory SQLite reports no error: it answers with another journal mode. */
static enum err set_wal(struct db *db, struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode=WAL", -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, db->path, fault);
    enum err err = sqlite3_step(statement) == SQLITE_ROW ? OK : db_fault(db, db->path, fault);
    if (!err && strcmp((const char *)sqlite3_column_text(statement, 0), "wal") != 0)
        err = fault_set(fault, ERR_UNAVAILABLE,
                        "%s: can't have a write-ahead log here: is it on a network file system?", db->path);
    sqlite3_finalize(statement);
    return err;
}

/* Page size and auto_vacuum must be set before the first table, WAL mode after them. The limit is the size to which a
 * WAL that a long report let grow is cut back. */
static enum err settle(struct db *db, struct fault *fault)
{
    enum err err = db_exec(
        db, "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_size_limit=67108864;", fault);
    if (!err)
        err = set_wal(db, fault);
    if (!err)
        err = db_migrate(db, &schema_analytics, fault);
    return err;
}

enum err sqlite_file_open_writer(const char *data_dir, struct db *ret_db, struct fault *fault)
{
    char path[STORE_PATH_BYTES];
    if (!sqlite_path(data_dir, FILE_LOGS, path))
        return fault_set(fault, ERR_UNAVAILABLE, "the data folder's name is too long");
    struct db db = {0};
    enum err err = db_open(&db, path, DB_CREATE, STORE_WRITER_BUSY_MS, fault);
    if (!err)
        err = settle(&db, fault);
    if (!err)
        err = sqlite_know_packed_log(&db, fault);
    if (!err)
        *ret_db = db;
    else
        db_close(&db);
    return err;
}

static bool is_current(const char *data_dir)
{
    struct db db = {0};
    struct fault ignored;
    if (sqlite_file_open_reader(data_dir, &db, &ignored))
        return false;
    db_close(&db);
    return true;
}

static void give_file(const char *data_dir, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    give_to_folder_owner(data_dir, fd);
    close(fd);
}

static enum err create(const char *data_dir, const char *path, struct fault *fault)
{
    struct db db = {0};
    enum err err = sqlite_file_open_writer(data_dir, &db, fault);
    if (err)
        return err;
    /* This is the only connection: closing it removes the WAL and its index, so that no file of root's is left. */
    sqlite3_db_config(db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    db_close(&db);
    give_file(data_dir, path);
    return OK;
}

enum err sqlite_create(const char *data_dir, struct fault *fault)
{
    char path[STORE_PATH_BYTES];
    if (!sqlite_path(data_dir, FILE_LOGS, path))
        return fault_set(fault, ERR_UNAVAILABLE, "the data folder's name is too long");
    if (!swap_is_pending(data_dir) && is_current(data_dir))
        return OK;
    int lock = -1;
    enum err err = sqlite_lock(data_dir, &lock, fault);
    if (err)
        return err;
    err = create(data_dir, path, fault);
    close(lock);
    return err;
}
