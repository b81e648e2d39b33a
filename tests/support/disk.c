/* disk.c: the VFS of disk.h, a thin layer over SQLite's own. */
#include "support/disk.h"

#include "support/check.h"
#include <sqlite3.h>
#include <string.h>

const char *const disk_suffixes[DISK_FILES] = {"", "-wal", "-journal"};

struct handle {
    sqlite3_file base;
    enum disk_file file;
    bool named;
    bool new_in_folder; /* its first sync syncs the folder, as SQLite's VFS for Unix does with journals */
    sqlite3_file *real; /* in the memory behind this struct */
};

static sqlite3_vfs *real_vfs;
static disk_hook installed;

static struct handle *handle_of(sqlite3_file *file)
{
    return (struct handle *)(void *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return handle_of(file)->real;
}

static int ask(struct disk_event *event)
{
    return installed ? installed(event) : SQLITE_OK;
}

static int ask_about(sqlite3_file *file, struct disk_event *event)
{
    event->file = handle_of(file)->file;
    return handle_of(file)->named ? ask(event) : SQLITE_OK;
}

/* ---- a file ---- */

static int file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods ? real_of(file)->pMethods->xClose(real_of(file)) : SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 offset)
{
    int rc = ask_about(file, &(struct disk_event){.call = DISK_READ, .offset = offset, .len = (size_t)len});
    return rc ? rc : real_of(file)->pMethods->xRead(real_of(file), bytes, len, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    struct disk_event event = {.call = DISK_WRITE, .offset = offset, .data = bytes, .len = (size_t)len};
    int rc = ask_about(file, &event);
    if (rc && !event.do_it)
        return rc;
    int done = real_of(file)->pMethods->xWrite(real_of(file), bytes, len, offset);
    return rc ? rc : done;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = ask_about(file, &(struct disk_event){.call = DISK_TRUNCATE, .offset = size});
    return rc ? rc : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    int rc = ask_about(file, &(struct disk_event){.call = DISK_SYNC, .directory = handle_of(file)->new_in_folder});
    if (!rc)
        handle_of(file)->new_in_folder = false;
    return rc;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int file_lock(sqlite3_file *file, int level)
{
    int rc = ask_about(file, &(struct disk_event){.call = DISK_LOCK});
    return rc ? rc : real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_check_lock(sqlite3_file *file, int *ret_locked)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_locked);
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}

static int file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* ---- the WAL's index ---- */

static int shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret_address)
{
    int rc = ask_about(file, &(struct disk_event){.call = DISK_MAP});
    return rc ? rc : real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, ret_address);
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    int rc = flags & SQLITE_SHM_LOCK ? ask_about(file, &(struct disk_event){.call = DISK_LOCK}) : SQLITE_OK;
    return rc ? rc : real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shm_unmap(sqlite3_file *file, int delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* version 3 would read files by memory mapping */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the folder ---- */

static bool ends_with(const char *path, const char *suffix)
{
    size_t len = strlen(path), tail = strlen(suffix);
    return len >= tail && !strcmp(path + len - tail, suffix);
}

static enum disk_file which(const char *path)
{
    if (ends_with(path, disk_suffixes[DISK_WAL]))
        return DISK_WAL;
    return ends_with(path, disk_suffixes[DISK_JOURNAL]) ? DISK_JOURNAL : DISK_DB;
}

static bool is_missing(const char *path)
{
    int there = 0;
    return real_vfs->xAccess(real_vfs, path, SQLITE_ACCESS_EXISTS, &there) == SQLITE_OK && !there;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    struct handle *handle = handle_of(file);
    *handle = (struct handle){.real = (sqlite3_file *)(void *)(handle + 1), .named = path != NULL};
    handle->real->pMethods = NULL;
    if (path) {
        handle->file = which(path);
        handle->new_in_folder = (flags & SQLITE_OPEN_CREATE) && handle->file != DISK_DB;
        int rc = ask(&(struct disk_event){.call = DISK_OPEN, .file = handle->file, .made = is_missing(path)});
        if (rc)
            return rc;
    }
    int rc = real_vfs->xOpen(real_vfs, path, handle->real, flags, ret_flags);
    if (!rc)
        handle->base.pMethods = &methods;
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int directory)
{
    (void)vfs;
    int rc = ask(&(struct disk_event){.call = DISK_DELETE, .file = which(path), .directory = directory != 0});
    return rc ? rc : real_vfs->xDelete(real_vfs, path, 0);
}

void disk_install(disk_hook hook)
{
    static sqlite3_vfs vfs;
    installed = hook;
    if (real_vfs)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    ck_assert_ptr_nonnull(real_vfs);
    vfs = *real_vfs;
    vfs.zName = "disk";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct handle) + real_vfs->szOsFile;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    ck_assert_int_eq(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}
