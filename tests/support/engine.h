/* engine.h: the engine of the service under test. As for the programs, the environment names it: ANALYTICS_ENGINE and
 * ANALYTICS_CLICKHOUSE_…, which tests/clickhouse/with_servers.sh sets. */
#ifndef SUPPORT_ENGINE_H
#define SUPPORT_ENGINE_H

#include <sqlite3.h>
#include <stdbool.h>

bool engine_is_clickhouse(void);

/* Skips the rest of a test that needs what only SQLite has, with a message. */
#define ONLY_SQLITE(reason)                                                                                            \
    do {                                                                                                               \
        if (engine_is_clickhouse()) {                                                                                  \
            engine_tell_skipped(__func__, reason);                                                                     \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
void engine_tell_skipped(const char *test, const char *reason);

/* Gives programs that are started from now on a database for this folder in ClickHouse. Nothing changes for SQLite. */
void engine_choose_database(const char *folder);

/* Waits until the whole spool is shipped. From then on, `raw_log` is a temporary table of this connection with the rows
 * of ClickHouse (batch_id is 1, and line numbers the rows), and `log` is a view of it. If the file is no spool, nothing
 * changes. */
void engine_show(sqlite3 *db);

#endif
