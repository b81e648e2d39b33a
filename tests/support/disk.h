/* disk.h: a VFS that stands between SQLite and the real files, and asks before it does anything to them. Knows the
 * three files of a database. Doesn't know what for: tape.c writes down what is done, test_faults.c makes calls fail. */
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
    bool do_it;     /* set it, and the call is done although the hook's answer says that it failed */
};

/* SQLITE_OK: do it. Anything else is what SQLite is told. */
typedef int (*disk_hook)(struct disk_event *event);

/* The default VFS from now on. Files without a name are not shown to the hook. Nothing waits for a device: a sync is
 * told to the hook and not passed on. NULL: no hook. */
void disk_install(disk_hook hook);

#endif
