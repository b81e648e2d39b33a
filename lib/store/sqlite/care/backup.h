/* backup.h: one file that holds both databases of a data folder, as they are at one moment; and a data folder
 * made from such a file.
 *
 * The file is the log database as SQLite has it, with one table more, which holds when it was made, some figures to
 * check it by, and keys.db as it is. Its application id is another, so that no program takes it for the log database.
 */
#ifndef STORE_SQLITE_CARE_BACKUP_H
#define STORE_SQLITE_CARE_BACKUP_H

#include "store/store.h"
#include "base/work.h"

/* What a backup holds. */
struct sqlite_backup_facts {
    int64_t made_at; /* Unix seconds */
    int64_t bytes;   /* of the file */
    int64_t logs;    /* rows of raw_log */
    int64_t keys;    /* API keys, revoked ones too; -1: there was no keys.db */
    int schema_version;
};

struct sqlite_backup; /* opaque; one thread's */

/* Opens the databases for reading, beside a service or without one, and holds a read transaction. Until
 * sqlite_backup_write has copied it, the write-ahead log cannot restart. */
enum err sqlite_backup_begin(const char *data_dir, const struct watch *watch, struct sqlite_backup **ret_backup,
                             struct fault *fault);

/* Writes FILE.partial, checks it, syncs it and renames it. At every moment FILE is a whole backup or what it was
 * before. No other file is left, unless the process is killed. `replace`: FILE may be an older backup; nothing else is
 * ever overwritten. ERR_UNAVAILABLE: not done. `now`: Unix seconds. */
enum err sqlite_backup_write(struct sqlite_backup *backup, const char *file, bool replace, int64_t now,
                             struct sqlite_backup_facts *ret_facts, struct fault *fault);
void sqlite_backup_end(struct sqlite_backup *backup);

#define STORE_KEPT_BYTES 64

/* Puts the backup that stands in the file `fd` into the place of the data folder's databases. Takes the writer's lock;
 * readers may go on, and turn to the new ones by themselves. Without `replace` there must be none. Those that were
 * there are kept: *ret_kept is the name of their folder in the data folder, "" for none. A backup without keys
 * leaves those that are there alone.
 *
 * All is copied into the data folder and checked before anything is changed. Then the databases change places by
 * renaming; whoever takes the lock next finishes that, should the process be killed meanwhile. ERR_UNAVAILABLE: nothing
 * is changed, or the fault says that the restore is still to be finished. */
enum err sqlite_restore(const char *data_dir, int fd, bool replace, const struct watch *watch,
                        struct sqlite_backup_facts *ret_facts, char ret_kept[STORE_KEPT_BYTES], struct fault *fault);

#endif
