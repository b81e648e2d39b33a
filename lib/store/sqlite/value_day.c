/* value_day.c: values of the table value_day as keys of sums in memory. Knows how a value is stored. */
#include "store/sqlite/value_day.h"

#include <string.h>

#include "base/banned.h"

struct fold_key value_key(int dimension, int64_t number)
{
    return (struct fold_key){.tier = dimension, .domain = number};
}

struct fold_key value_key_of_address(int dimension, const void *bytes, size_t len)
{
    int64_t halves[2] = {0};
    len = len <= sizeof halves ? len : sizeof halves;
    if (len)
        memcpy(halves, bytes, len);
    return (struct fold_key){.tier = dimension, .domain = halves[0], .error = halves[1], .order_id = (int64_t)len};
}

struct fold_key value_of_column(int dimension, sqlite3_stmt *statement, int column)
{
    if (dimension != VALUE_OF_IP_OUT)
        return value_key(dimension, sqlite3_column_int64(statement, column));
    const void *bytes = sqlite3_column_blob(statement, column);
    return value_key_of_address(dimension, bytes, (size_t)sqlite3_column_bytes(statement, column));
}

void value_bind(sqlite3_stmt *statement, int index, const struct fold_key *key)
{
    const int64_t halves[2] = {key->domain, key->error};
    if (key->tier == VALUE_OF_IP_OUT)
        sqlite3_bind_blob(statement, index, halves, (int)key->order_id, SQLITE_TRANSIENT);
    else
        sqlite3_bind_int64(statement, index, key->domain);
}
