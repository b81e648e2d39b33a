/* pass.h: one reading of one piece of the range, and what becomes of each row. Private to this room. */
#ifndef STORE_SQLITE_READ_PASS_H
#define STORE_SQLITE_READ_PASS_H

#include "store/sqlite/read/ready.h"

/* One reading of one piece of the range. */
struct pass {
    struct sqlite_reader *reader;
    const struct scan *scan;
    enum scan_source source;
    enum dimension by;
    int64_t user;
    scan_sink sink;
    void *ctx;
    struct fault *fault;
};

/* Gives the contents of one row to the sink. `start` is the beginning of the bucket that is read. */
typedef enum err (*pass_take)(const struct pass *pass, sqlite3_stmt *statement, int64_t start);

enum err pass_take_traffic(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
enum err pass_take_raw(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
enum err pass_take_log(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
enum err pass_take_value(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
enum err pass_take_owner(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
enum err pass_take_chunk(const struct pass *pass, sqlite3_stmt *statement, int64_t start);

/* For statements that use the aggregate: it has given their logs to the sink already. */
enum err pass_take_nothing(const struct pass *pass, sqlite3_stmt *statement, int64_t start);

/* Registers the aggregate "tally", which the statements for breakdowns use: it takes a value and the measures of one
 * log. SQLite steps through ten million logs a third faster this way than row by row. */
enum err pass_make_aggregate(struct sqlite_reader *reader, struct fault *fault);

#endif
