/* native.c: one block of ClickHouse's Native format. Knows how values are written. Knows no table. */
#include "store/clickhouse/native.h"

#include "base/banned.h"

void native_begin(struct native_block *block, const struct native_column *table, size_t column_count)
{
    block->table = table;
    block->column_count = column_count;
    block->rows = 0;
    for (size_t i = 0; i < column_count; i++) {
        block->columns[i].max = NATIVE_BODY_BYTES;
        buf_clear(&block->columns[i]);
    }
}

void native_release(struct native_block *block)
{
    for (size_t i = 0; i < block->column_count; i++)
        buf_release(&block->columns[i]);
}

/* LEB128. Returns where it ends. */
static char *write_length(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}

#define LENGTH_BYTES 10 /* at most */

static void put_length(struct buf *buf, uint64_t value)
{
    char *at = buf_reserve(buf, LENGTH_BYTES);
    if (at)
        buf->len += (size_t)(write_length(at, value) - at);
}

void native_put_text(struct buf *column, struct slice text)
{
    char *at = buf_reserve(column, LENGTH_BYTES + text.len);
    if (!at)
        return;
    char *end = write_length(at, text.len);
    if (text.len > 0)
        memcpy(end, text.data, text.len);
    column->len += (size_t)(end - at) + text.len;
}

enum err native_end(const struct native_block *block, struct buf *ret_body)
{
    bool failed = false;
    put_length(ret_body, block->column_count);
    put_length(ret_body, block->rows);
    for (size_t i = 0; i < block->column_count; i++) {
        native_put_text(ret_body, slice_of(block->table[i].name));
        native_put_text(ret_body, slice_of(block->table[i].type));
        buf_put(ret_body, block->columns[i].data, block->columns[i].len);
        failed |= block->columns[i].failed;
    }
    return failed || ret_body->failed ? ERR_UNAVAILABLE : OK;
}
