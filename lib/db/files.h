/* files.h: what the databases are called in the data folder. The one place that knows; paths and messages use it. */
#ifndef DB_FILES_H
#define DB_FILES_H

#define FILE_LOGS "analytics.db"
#define FILE_LOGS_WAL FILE_LOGS "-wal" /* while it is open, and after a crash */
#define FILE_LOGS_SHM FILE_LOGS "-shm"
#define FILE_KEYS "keys.db"
#define FILE_LOCK "lock" /* held by whoever writes the logs */

#endif
