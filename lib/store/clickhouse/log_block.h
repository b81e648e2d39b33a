/* log_block.h: logs as a block of the table of logs. Knows its columns and their types. */
#ifndef STORE_CLICKHOUSE_LOG_BLOCK_H
#define STORE_CLICKHOUSE_LOG_BLOCK_H

#include "log/text.h"
#include "store/clickhouse/native.h"

void log_block_begin(struct native_block *block);

/* Adds a log. `number` is the block's: the column that tells blocks apart. */
void log_block_put(struct native_block *block, uint64_t number, const struct log_text *log);

/* The columns' names in the order of the block, between commas: for the INSERT. */
const char *log_block_columns(void);

#endif
