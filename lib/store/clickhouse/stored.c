/* stored.c: asks a replica for the sums of blocks. Reads no month that has none of them. */
#include "store/clickhouse/stored.h"

#include "base/int64.h"
#include "store/clickhouse/ask.h"
#include "store/clickhouse/blocks.h"
#include "store/clickhouse/schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define SQL_BYTES 131072 /* the days of a thousand months, and the rest */

/* ---- the statement ---- */

static int compare_months(const void *a, const void *b)
{
    return compare64(*(const int64_t *)a, *(const int64_t *)b);
}

/* The months of the blocks, ascending. Returns how many. */
static size_t find_months(const struct spool_block *blocks, size_t count, int64_t *ret_months)
{
    size_t months = 0;
    for (size_t i = 0; i < count; i++)
        ret_months[i] = blocks[i].month;
    qsort(ret_months, count, sizeof *ret_months, compare_months);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || ret_months[i] != ret_months[months - 1])
            ret_months[months++] = ret_months[i];
    return months;
}

/* A condition on the days, because that is what partitions are left out by. */
static enum err put_days(const struct stored_question *question, struct buf *sql)
{
    int64_t *months = calloc(question->count, sizeof *months);
    if (!months)
        return ERR_UNAVAILABLE;
    size_t count = find_months(question->blocks, question->count, months);
    for (size_t i = 0; i < count; i++)
        buf_printf(sql, "%s(day >= %" PRId64 " AND day < %" PRId64 ")", i ? " OR " : " AND (",
                   spool_first_day(months[i]), spool_end_day(months[i]));
    buf_puts(sql, ")");
    free(months);
    return OK;
}

/* `what`: a SELECT up to its WHERE and a first condition. `column`: where the block's wide number is. */
static enum err run(const struct stored_question *question, const char *what, const char *column, size_t columns,
                    struct rows *ret_rows, struct fault *fault)
{
    const struct spool_block *blocks = question->blocks;
    int64_t node = question->config->node;
    struct buf sql;
    buf_init(&sql, SQL_BYTES);
    buf_printf(&sql, "SELECT toInt64(%s - %" PRIu64 ") AS n", column, blocks_wide_number(node, 0));
    buf_puts(&sql, what);
    buf_printf(&sql, " AND %s >= %" PRIu64 " AND %s <= %" PRIu64, column, blocks_wide_number(node, blocks[0].number),
               column, blocks_wide_number(node, blocks[question->count - 1].number));
    enum err err = put_days(question, &sql);
    buf_puts(&sql, " GROUP BY n" ROWS_FORMAT);
    const char *text = buf_cstr(&sql);
    if (err || !text)
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err)
        err = ask_rows(question->client, &(struct http_statement){.url = question->url, .sql = text}, columns, ret_rows,
                       fault);
    buf_release(&sql);
    return err;
}

/* ---- the answer ---- */

enum { NUMBER, LOGS, COUNT, SENT, RECEIVED, ERRORS, COLUMNS };

static int by_number(const void *a, const void *b)
{
    return compare64(((const struct spool_block *)a)->number, ((const struct spool_block *)b)->number);
}

/* The place of a block of that number; `count` where it is none of them: those of other shards lie between them. */
static size_t find(const struct stored_question *question, int64_t number)
{
    const struct spool_block key = {.number = number};
    const struct spool_block *block =
        bsearch(&key, question->blocks, question->count, sizeof *question->blocks, by_number);
    return block ? (size_t)(block - question->blocks) : question->count;
}

static enum err take_row(const struct stored_question *question, const struct rows *rows, size_t row,
                         struct stored *ret_stored, struct fault *fault)
{
    int64_t value[COLUMNS] = {0};
    enum err err = OK;
    for (size_t column = 0; !err && column < COLUMNS; column++)
        err = rows_i64(rows, row, column, &value[column], fault);
    size_t at = find(question, value[NUMBER]);
    if (!err && at < question->count)
        ret_stored[at] = (struct stored){.logs = value[LOGS],
                                         .sums = {.count = value[COUNT],
                                                  .bytes_sent = value[SENT],
                                                  .bytes_received = value[RECEIVED],
                                                  .errors = value[ERRORS]}};
    return err;
}

enum err stored_ask(const struct stored_question *question, struct stored *ret_stored, struct fault *fault)
{
    static const char what[] = ", count(), sum(count), sum(bytes_sent), sum(bytes_received), sum(error_count)"
                               " FROM " CLICKHOUSE_LOGS " WHERE 1";
    struct rows rows;
    int64_t sync_ms = question->sync_ms ? question->sync_ms : question->config->timeout_ms;
    enum err err = blocks_sync(question->client, question->config, question->url, sync_ms, fault);
    if (!err)
        err = run(question, what, "block", COLUMNS, &rows, fault);
    if (err)
        return err;
    memset(ret_stored, 0, question->count * sizeof *ret_stored);
    for (size_t row = 0; !err && row < rows.count; row++)
        err = take_row(question, &rows, row, ret_stored, fault);
    rows_release(&rows);
    return err;
}

bool stored_is_whole(const struct spool_block *block, const struct stored *stored)
{
    const struct totals *due = &block->sums, *there = &stored->sums;
    return stored->logs == block->logs && there->count == due->count && there->bytes_sent == due->bytes_sent &&
           there->bytes_received == due->bytes_received && there->errors == due->errors;
}

enum err stored_ask_sums(const struct stored_question *question, bool *ret_stored, struct fault *fault)
{
    struct rows rows;
    _Static_assert(SUM_BLOCK == 0, "the statement");
    enum err err = run(question, " FROM " CLICKHOUSE_SUMS " WHERE kind = 0", "bucket", 1, &rows, fault);
    if (err)
        return err;
    memset(ret_stored, 0, question->count * sizeof *ret_stored);
    for (size_t row = 0; !err && row < rows.count; row++) {
        int64_t number = 0;
        err = rows_i64(&rows, row, 0, &number, fault);
        size_t at = find(question, number);
        if (!err && at < question->count)
            ret_stored[at] = true;
    }
    rows_release(&rows);
    return err;
}
