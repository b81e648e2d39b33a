/* backup_file.h: what stands in a backup beside the log database, and how both ends check it. Private to
 * this room. */
#ifndef STORE_SQLITE_CARE_BACKUP_FILE_H
#define STORE_SQLITE_CARE_BACKUP_FILE_H

#include "db/db.h"
#include "base/work.h"

#define BACKUP_APPLICATION_ID 0x46504231 /* "FPB1" */
#define BACKUP_FIGURES_BYTES 512

/* The table that a backup has and the log database has not. */
#define BACKUP_TABLE                                                                                                   \
    "CREATE TABLE backup (id INTEGER PRIMARY KEY CHECK (id = 1), made_at INTEGER NOT NULL, figures TEXT NOT NULL,"     \
    " keys BLOB) STRICT"

/* Figures of every fact table, in one line: equal in the database and its copy. And the number of logs. */
enum err backup_figures(struct db *db, char ret_figures[BACKUP_FIGURES_BYTES], int64_t *ret_logs, struct fault *fault);

/* SQLite's own check of the file; ERR_UNAVAILABLE with what it finds. */
enum err backup_check_file(struct db *db, struct work *work, struct fault *fault);

/* What errno says of a file. */
enum err backup_file_fault(const char *path, struct fault *fault);

/* Free bytes in the folder of `fd` are enough, or ERR_UNAVAILABLE. */
enum err backup_check_room(int fd, const char *name, int64_t bytes, struct fault *fault);

#endif
