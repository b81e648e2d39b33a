/* sum_block.h: the sums over everyone of a block of logs, as a block of the table of sums: by the quarter of an hour,
 * and by the day, domain and error. Knows that table's columns and what its rows stand for. */
#ifndef STORE_CLICKHOUSE_SUM_BLOCK_H
#define STORE_CLICKHOUSE_SUM_BLOCK_H

#include "log/text.h"
#include "report/tally.h"
#include "store/clickhouse/native.h"
#include "store/sqlite/spool/spool.h"

/* What a row of the table is; its column `kind`. */
enum sum_kind {
    SUM_BLOCK = 0, /* one of each block, so that it can be told whether that is there; `bucket` is the block's number */
    SUM_QUARTER = 1, /* of a quarter of an hour, which begins at `bucket` */
    SUM_DOMAIN = 2,  /* of a day, which begins at `bucket`, a domain and an error, "" for logs that name none */
};

/* All-zero is an empty one. */
struct sum_block {
    struct tally sums; /* texts by their numbers in the spool's block */
    struct native_block rows;
    struct totals all;
    int64_t day; /* of the first log */
    bool failed; /* memory was short */
};

void sum_block_begin(struct sum_block *block);
void sum_block_release(struct sum_block *block);

/* Adds a log. */
void sum_block_put(struct sum_block *block, const struct log_text *log);

/* The block as bytes: the same for the same logs in the same order. `number` makes its hash its own; `spool` has just
 * read them. ERR_UNAVAILABLE when memory was short. */
enum err sum_block_end(struct sum_block *block, uint64_t number, const struct spool_reader *spool,
                       struct buf *ret_body);

/* As log_block_columns. */
const char *sum_block_columns(void);

#endif
