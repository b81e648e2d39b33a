/* value_day.h: the table value_day, sums by the day and the value of a dimension: its dimensions, and its values as
 * keys of sums in memory. Private to the SQLite engine. */
#ifndef STORE_SQLITE_VALUE_DAY_H
#define STORE_SQLITE_VALUE_DAY_H

#include "db/db.h"
#include "report/dimension.h"
#include "rollup/fold.h"

/* As they are stored. */
enum value_dimension {
    VALUE_OF_WORKER = 1,
    VALUE_OF_PEER = 2,
    VALUE_OF_PROTOCOL = 3,
    VALUE_OF_PORT = 4,
    VALUE_OF_IP_OUT = 5,
    VALUE_OF_ERROR = 6
};
#define VALUE_DIMENSIONS 6 /* 1 … 6 */

/* A dimension of a day with more different values has no rows, and stands in value_gap. */
#define VALUES_OF_DAY 1000

/* In a statement that reads logs: value_of_column takes the column before these. */
#define VALUE_COLUMNS "worker, peer, protocol, port, ip_out, error"

/* 0: it stands in logs alone, or in rollups of its own. */
static inline int value_dimension(enum dimension by)
{
    static const int numbers[DIMENSIONS] = {
        [BY_WORKER] = VALUE_OF_WORKER, [BY_PEER] = VALUE_OF_PEER,     [BY_PROTOCOL] = VALUE_OF_PROTOCOL,
        [BY_PORT] = VALUE_OF_PORT,     [BY_IP_OUT] = VALUE_OF_IP_OUT, [BY_ERROR] = VALUE_OF_ERROR,
    };
    return numbers[by];
}

/* The key of a value: `tier` is the dimension, `domain` a name.id or number. An address stands in `domain` and `error`,
 * and its length in `order_id`. */
struct fold_key value_key(int dimension, int64_t number);
struct fold_key value_key_of_address(int dimension, const void *bytes, size_t len);

/* The same of a column. */
struct fold_key value_of_column(int dimension, sqlite3_stmt *statement, int column);

/* Binds the value of a key. */
void value_bind(sqlite3_stmt *statement, int index, const struct fold_key *key);

#endif
