/* engine.h: the engine that the service under test has. Tests learn it from the environment, as the programs do:
 * ANALYTICS_ENGINE and ANALYTICS_CLICKHOUSE_…, which tests/clickhouse/with_servers.sh sets. */
#ifndef SUPPORT_ENGINE_H
#define SUPPORT_ENGINE_H

#include <sqlite3.h>
#include <stdbool.h>

bool engine_is_clickhouse(void);

/* Leaves the test, and says why, where it is about what only SQLite has. */
#define ONLY_SQLITE(reason)                                                                                            \
    do {                                                                                                               \
        if (engine_is_clickhouse()) {                                                                                  \
            engine_tell_skipped(__func__, reason);                                                                     \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
void engine_tell_skipped(const char *test, const char *reason);

/* Programs that are started from now on use a database of the folder's own. Nothing changes for SQLite. */
void engine_choose_database(const char *folder);

/* Waits until everything that the file took was shipped. From then on `raw_log` is a temporary table of this connection
 * with the rows that ClickHouse has, in place of batch and line whatever is one row's own, and `log` a view of it. Of a
 * file that is no spool nothing changes. */
void engine_show(sqlite3 *db);

#endif
