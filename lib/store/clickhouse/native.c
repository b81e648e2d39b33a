/* native.c: one block of ClickHouse's Native format. Knows how values are written. Knows no table. */
#include "store/clickhouse/native.h"

#include <endian.h>

#include "base/banned.h"

void native_begin(struct native_block *block, const struct native_column *table, size_t column_count)
{
    block->table = table;
    block->column_count = column_count;
    block->rows = 0;
    for (size_t i = 0; i < column_count; i++)
        buf_init(&block->columns[i], NATIVE_BODY_BYTES);
}

void native_release(struct native_block *block)
{
    for (size_t i = 0; i < block->column_count; i++)
        buf_release(&block->columns[i]);
}

/* Least byte first, as the format has it. */
void native_put_uint(struct buf *column, uint64_t value, size_t bytes)
{
    uint64_t least_first = htole64(value);
    buf_put(column, &least_first, bytes);
}

/* LEB128. */
static void put_length(struct buf *buf, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_putc(buf, (char)(value | 0x80));
    buf_putc(buf, (char)value);
}

void native_put_text(struct buf *column, struct slice text)
{
    put_length(column, text.len);
    buf_put(column, text.data, text.len);
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
