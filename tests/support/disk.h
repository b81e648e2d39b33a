/* disk.h: a VFS between SQLite and the real files, which asks a hook before it does anything to them. Knows the three
 * files of a database. Does not know the hooks: tape.c records the calls, tests of faults make them fail. */
#ifndef SUPPORT_DISK_H
#define SUPPORT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_call {
    DISK_OPEN = 1,
    DISK_READ = 2,
    DISK_WRITE = 4,
    DISK_TRUNCATE = 8,
    DISK_SYNC = 16,
    DISK_DELETE = 32,
    DISK_LOCK = 64, /* of the file or of the WAL's index */
    DISK_MAP = 128, /* of the WAL's index */
};

enum disk_file { DISK_DB, DISK_WAL, DISK_JOURNAL, DISK_FILES };

/* What each file's name ends with, after the database's own. */
extern const char *const disk_suffixes[DISK_FILES];

struct disk_event {
    enum disk_call call;
    enum disk_file file;
    int64_t offset;   /* write; of a truncate, the new size */
    const void *data; /* write: `len` bytes, borrowed */
    size_t len;
    bool directory; /* sync, delete: the folder is synced too */
    bool made;      /* open: it was not there before */
    bool do_it;     /* the hook sets it to have the call done although it returns a failure */
};

/* SQLITE_OK: the call is done. Any other result is what SQLite gets instead. */
typedef int (*disk_hook)(struct disk_event *event);

/* Makes this the default VFS. NULL: no hook. Calls on files without a name do not go to the hook. Syncs go to the hook
 * only, so nothing waits for a device. */
void disk_install(disk_hook hook);

#endif
