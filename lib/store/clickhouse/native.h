/* native.h: one block of ClickHouse's Native format, which a server takes whole or not at all: TSV and RowBinary that
 * are cut short are stored by half. Knows how values are written. Knows no table: log_block.h and sum_block.h have
 * those. */
#ifndef STORE_CLICKHOUSE_NATIVE_H
#define STORE_CLICKHOUSE_NATIVE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NATIVE_COLUMNS 19 /* at most */
#define NATIVE_BODY_BYTES ((size_t)256 << 20)

struct native_column {
    const char *name, *type;
};

/* A table is a list X(column, type), in the order of its block. These make of it the numbers of its columns, its rows
 * of struct native_column, and the names of its columns between commas. */
#define NATIVE_ENUM(name, type) COLUMN_##name,
#define NATIVE_ROW(name, type) {#name, type},
#define NATIVE_NAME(name, type) "," #name
#define NATIVE_NAMES(table) (&table(NATIVE_NAME)[1])

/* A block on its way: a column after the other. All-zero is an empty one. */
struct native_block {
    const struct native_column *table; /* borrowed */
    size_t column_count;
    size_t rows;
    struct buf columns[NATIVE_COLUMNS];
};

/* Forgets what it had, but for the memory. */
void native_begin(struct native_block *block, const struct native_column *table, size_t column_count);
void native_release(struct native_block *block);

/* A value of a column of 1 … 8 bytes, least byte first, as the format has it. A row is one of each, and
 * native_block.rows one more. */
static inline void native_put_uint(struct buf *column, uint64_t value, size_t bytes)
{
    uint64_t least_first = htole64(value);
    char *at = buf_reserve(column, sizeof least_first);
    if (!at)
        return;
    memcpy(at, &least_first, sizeof least_first);
    column->len += bytes;
}
void native_put_text(struct buf *column, struct slice text);

/* The block as bytes. The same rows in the same order give the same bytes. ERR_UNAVAILABLE when memory was short. */
enum err native_end(const struct native_block *block, struct buf *ret_body);

#endif
