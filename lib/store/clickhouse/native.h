/* native.h: logs as one block of ClickHouse's Native format, which a server takes whole or not at all: TSV and
 * RowBinary that are cut short are stored by half. Knows the columns of the table of logs and their types. */
#ifndef STORE_CLICKHOUSE_NATIVE_H
#define STORE_CLICKHOUSE_NATIVE_H

#include "base/buf.h"
#include "log/text.h"

#include <stddef.h>
#include <stdint.h>

#define NATIVE_COLUMNS 19
#define NATIVE_BODY_BYTES ((size_t)256 << 20)

/* A block on its way: a column after the other. */
struct native_block {
    uint64_t number; /* of the block: the column that tells blocks apart */
    size_t rows;
    struct buf columns[NATIVE_COLUMNS];
};

void native_begin(struct native_block *block, uint64_t number);
void native_release(struct native_block *block);

/* Adds a log. */
void native_put(struct native_block *block, const struct log_text *log);

/* The block as bytes. The same logs in the same order give the same bytes. ERR_UNAVAILABLE when memory was short. */
enum err native_end(struct native_block *block, struct buf *ret_body);

/* The columns' names in the order of the block, between commas: for the INSERT. */
const char *native_columns(void);

#endif
