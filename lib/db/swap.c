/* swap.c: new databases take the place of the old ones, by renaming. Knows the order: wherever it is interrupted, the
 * next run can tell what is left to do, and no write-ahead log or journal ever stands beside a database that it does
 * not belong to.
 *
 * While the new database stands in STORE_READY, the data folder has the old one or none. The new one moves only when
 * all files of the old one are away, on the disk too. */
#include "db/swap.h"

#include "db/db.h"
#include "db/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define KEPT STORE_READY "/before"
#define NAME_BYTES 64
#define BUSY_MS 5000

static enum err folder_fault(const char *data_dir, const char *name, struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "%s/%s: %s", data_dir, name, strerror(errno));
}

static bool is_there(int folder, const char *name)
{
    struct stat there;
    return fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool sync_folder(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return synced;
}

bool swap_is_pending(const char *data_dir)
{
    int folder = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool pending = folder >= 0 && is_there(folder, STORE_READY);
    if (folder >= 0)
        close(folder);
    return pending;
}

enum err swap_commit(const char *data_dir, struct fault *fault)
{
    int folder = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return folder_fault(data_dir, "", fault);
    bool renamed = sync_folder(folder, STORE_PARTIAL) && renameat(folder, STORE_PARTIAL, folder, STORE_READY) == 0;
    bool done = renamed && fsync(folder) == 0;
    enum err err = done ? OK : folder_fault(data_dir, STORE_READY, fault);
    if (renamed && !done)
        renameat(folder, STORE_READY, folder, STORE_PARTIAL); /* as if it had not been */
    close(folder);
    return err;
}

/* ---- one database ---- */

/* Something may have taken the place of a file that was moved before an interruption. Neither is thrown away. */
static bool move_away(int folder, const char *name)
{
    char kept[NAME_BYTES + sizeof KEPT + 16];
    snprintf(kept, sizeof kept, KEPT "/%s", name);
    for (int i = 2; is_there(folder, kept); i++)
        snprintf(kept, sizeof kept, KEPT "/%s.%d", name, i);
    return renameat(folder, name, folder, kept) == 0 || errno == ENOENT;
}

/* The database moves first: whoever opens it meanwhile finds none, and not one without its log. */
static bool move_old(int folder, const char *database)
{
    static const char *const suffixes[] = {"", "-wal", "-journal"};
    char name[NAME_BYTES];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(name, sizeof name, "%s%s", database, suffixes[i]);
        if (is_there(folder, name) && !move_away(folder, name))
            return false;
    }
    snprintf(name, sizeof name, "%s-shm", database);
    return unlinkat(folder, name, 0) == 0 || errno == ENOENT;
}

static bool move_new(int folder, const char *database)
{
    char name[NAME_BYTES + sizeof STORE_READY];
    snprintf(name, sizeof name, STORE_READY "/%s", database);
    return renameat(folder, name, folder, database) == 0;
}

static bool is_new(int folder, const char *database)
{
    char name[NAME_BYTES + sizeof STORE_READY];
    snprintf(name, sizeof name, STORE_READY "/%s", database);
    return is_there(folder, name);
}

static enum err swap_one(int folder, const char *data_dir, const char *database, struct fault *fault)
{
    if (!is_new(folder, database))
        return OK;
    bool done = move_old(folder, database) && sync_folder(folder, KEPT) && fsync(folder) == 0 &&
                move_new(folder, database) && fsync(folder) == 0;
    return done ? OK : folder_fault(data_dir, database, fault);
}

/* A process that writes to keys.db at this moment would leave its journal beside the new one. One that has the old file
 * open later can't: SQLite makes no journal for a file that has lost its name. A file that is no database has no
 * writers. */
static enum err hold_keys(struct db *keys, const char *data_dir, struct fault *fault)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/" FILE_KEYS, data_dir) >= (int)sizeof path || access(path, F_OK) != 0)
        return OK;
    if (db_open(keys, path, DB_READ_WRITE, BUSY_MS, fault))
        return OK;
    int rc = sqlite3_exec(keys->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    return (rc & 0xff) == SQLITE_BUSY ? db_fault(keys, path, fault) : OK;
}

static enum err swap_keys(int folder, const char *data_dir, struct fault *fault)
{
    if (!is_new(folder, FILE_KEYS))
        return OK;
    struct db keys = {0};
    enum err err = hold_keys(&keys, data_dir, fault);
    if (!err)
        err = swap_one(folder, data_dir, FILE_KEYS, fault);
    db_close(&keys);
    return err;
}

/* ---- the end ---- */

/* DIR/before-restore-YYYYMMDD-HHMMSS, UTC. An empty folder goes. */
static bool keep_old(int folder, char ret_kept[STORE_KEPT_NAME_BYTES])
{
    time_t now = time(NULL);
    ret_kept[0] = '\0';
    if (unlinkat(folder, KEPT, AT_REMOVEDIR) == 0)
        return true;
    char name[STORE_KEPT_NAME_BYTES];
    struct tm tm;
    if (!gmtime_r(&now, &tm) || !strftime(name, sizeof name, "before-restore-%Y%m%d-%H%M%S", &tm))
        return false;
    size_t len = strlen(name);
    for (int i = 2; is_there(folder, name); i++)
        snprintf(name + len, sizeof name - len, "-%d", i);
    if (renameat(folder, KEPT, folder, name) != 0)
        return false;
    memcpy(ret_kept, name, sizeof name);
    return true;
}

static enum err swap(int folder, const char *data_dir, char ret_kept[STORE_KEPT_NAME_BYTES], struct fault *fault)
{
    if (mkdirat(folder, KEPT, 0700) != 0 && errno != EEXIST)
        return folder_fault(data_dir, KEPT, fault);
    enum err err = swap_one(folder, data_dir, FILE_LOGS, fault);
    if (!err)
        err = swap_keys(folder, data_dir, fault);
    if (err)
        return err;
    bool done = keep_old(folder, ret_kept) && unlinkat(folder, STORE_READY, AT_REMOVEDIR) == 0 && fsync(folder) == 0;
    return done ? OK : folder_fault(data_dir, STORE_READY, fault);
}

enum err swap_finish(const char *data_dir, char ret_kept[STORE_KEPT_NAME_BYTES], struct fault *fault)
{
    int folder = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return folder_fault(data_dir, "", fault);
    enum err err = swap(folder, data_dir, ret_kept, fault);
    close(folder);
    return err;
}
