/* file.h: the log database as a file: its path, its lock, its settings. Private to the SQLite engine. */
#ifndef STORE_SQLITE_FILE_H
#define STORE_SQLITE_FILE_H

#include "db/db.h"

#define STORE_PATH_BYTES 4096
#define STORE_WRITER_BUSY_MS 1000 /* how long the writer waits for a lock */
#define STORE_READER_BUSY_MS 1000 /* and a reader: for another one to recover the WAL */

/* DIR/<name>. False when it would not fit. */
bool sqlite_path(const char *data_dir, const char *name, char ret_path[STORE_PATH_BYTES]);

/* The size of DIR/<name>; 0 when it is not there. */
int64_t sqlite_file_bytes(const char *data_dir, const char *name);

/* DIR/analytics.db. ERR_UNAVAILABLE when it is not there. */
enum err sqlite_file_find(const char *data_dir, char ret_path[STORE_PATH_BYTES], struct fault *fault);

/* Opens DIR/analytics.db for reading, whatever its schema. ERR_UNAVAILABLE when it is not there. */
enum err sqlite_file_open_any(const char *data_dir, int busy_ms, struct db *ret_db, struct fault *fault);

/* The same, for those who need the newest schema: ERR_UNAVAILABLE when it is another. */
enum err sqlite_file_open_reader(const char *data_dir, struct db *ret_db, struct fault *fault);

/* The same, for those who look for logs and rollups: ERR_UNAVAILABLE when it is another engine's spool, which has none.
 */
enum err sqlite_file_open_logs(const char *data_dir, struct db *ret_db, struct fault *fault);

/* Which step the schema is at. ERR_UNAVAILABLE when it has no tables yet, or is newer than this program. */
enum err sqlite_file_version(struct db *db, int *ret_version, struct fault *fault);

/* Takes DIR/lock exclusively, without waiting for another writer, and finishes a restore that was interrupted; the
 * descriptor is *ret_fd, and closing it lets go. ERR_UNAVAILABLE names the process that holds it. */
enum err sqlite_lock(const char *data_dir, int *ret_fd, struct fault *fault);

/* Opens DIR/analytics.db for writing, made and brought up to date; the lock must be held. */
enum err sqlite_file_open_writer(const char *data_dir, struct db *ret_db, struct fault *fault);

/* The schema's newest version that this program knows. */
int sqlite_schema_version(void);

#endif
