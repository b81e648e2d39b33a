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

/* Gives what one row of a statement holds to the sink. `start` is where the bucket being read begins. */
typedef enum err (*pass_take)(const struct pass *pass, sqlite3_stmt *statement, int64_t start);

enum err pass_take_traffic(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
enum err pass_take_raw(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
enum err pass_take_owner(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
enum err pass_take_chunk(const struct pass *pass, sqlite3_stmt *statement, int64_t start);

/* Of statements that use the aggregate: their logs have gone to the sink by then. */
enum err pass_take_nothing(const struct pass *pass, sqlite3_stmt *statement, int64_t start);

/* The aggregate "tally" of the statements for breakdowns: a value and the measures of one log. Ten million logs are
 * stepped through inside of SQLite a third faster than row by row out here. */
enum err pass_make_aggregate(struct sqlite_reader *reader, struct fault *fault);

#endif
