/* native.c: logs as one block of ClickHouse's Native format. Knows the columns of the table of logs and their types. */
#include "store/clickhouse/native.h"

#include "time/when.h"

#include <string.h>

#include "base/banned.h"

/* X(column, type), in the order of the block. */
#define COLUMNS(X)                                                                                                     \
    X(day, UInt32)                                                                                                     \
    X(ts, Int64)                                                                                                       \
    X(user_id, Int64)                                                                                                  \
    X(order_id, Int64)                                                                                                 \
    X(count, Int64)                                                                                                    \
    X(bytes_sent, Int64)                                                                                               \
    X(bytes_received, Int64)                                                                                           \
    X(error_count, Int64)                                                                                              \
    X(duration_ms, Int64)                                                                                              \
    X(max_concurrency, Int64)                                                                                          \
    X(port, UInt16)                                                                                                    \
    X(domain, String)                                                                                                  \
    X(error, String)                                                                                                   \
    X(protocol, String)                                                                                                \
    X(peer_id, String)                                                                                                 \
    X(worker, String)                                                                                                  \
    X(ip_out, String)                                                                                                  \
    X(ip_from, String)                                                                                                 \
    X(block, UInt64)

enum log_column {
#define COLUMN_ENUM(name, type) COLUMN_##name,
    COLUMNS(COLUMN_ENUM)
#undef COLUMN_ENUM
        COLUMN_COUNT
};
_Static_assert(COLUMN_COUNT == NATIVE_COLUMNS, "native.h says how many");

static const struct {
    const char *name, *type;
} columns[] = {
#define COLUMN_ROW(name, type) {#name, #type},
    COLUMNS(COLUMN_ROW)
#undef COLUMN_ROW
};

const char *native_columns(void)
{
#define COLUMN_LIST(name, type) ", " #name
    return &COLUMNS(COLUMN_LIST)[sizeof ", " - 1];
#undef COLUMN_LIST
}

void native_begin(struct native_block *block, uint64_t number)
{
    block->number = number;
    block->rows = 0;
    for (int i = 0; i < NATIVE_COLUMNS; i++)
        buf_init(&block->columns[i], NATIVE_BODY_BYTES);
}

void native_release(struct native_block *block)
{
    for (int i = 0; i < NATIVE_COLUMNS; i++)
        buf_release(&block->columns[i]);
}

/* Least byte first, as the format has it. */
static void put_uint(struct buf *buf, uint64_t value, size_t bytes)
{
    char *at = buf_reserve(buf, bytes);
    if (!at)
        return;
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(value >> (8 * i) & 0xff);
    buf->len += bytes;
}

/* LEB128. */
static void put_length(struct buf *buf, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_putc(buf, (char)(value | 0x80));
    buf_putc(buf, (char)value);
}

static void put_text(struct buf *buf, struct slice text)
{
    put_length(buf, text.len);
    buf_put(buf, text.data, text.len);
}

static void put_address(struct buf *buf, const struct ip *ip)
{
    char text[46];
    ip_format(ip, text);
    put_text(buf, slice_of(text));
}

static void put_numbers(struct buf *to, const struct log_record *log)
{
    put_uint(&to[COLUMN_day], (uint64_t)(log->ts / WHEN_DAY), 4);
    put_uint(&to[COLUMN_ts], (uint64_t)log->ts, 8);
    put_uint(&to[COLUMN_user_id], (uint64_t)log->user_id, 8);
    put_uint(&to[COLUMN_order_id], (uint64_t)log->order_id, 8);
    put_uint(&to[COLUMN_count], (uint64_t)log->count, 8);
    put_uint(&to[COLUMN_bytes_sent], (uint64_t)log->bytes_sent, 8);
    put_uint(&to[COLUMN_bytes_received], (uint64_t)log->bytes_received, 8);
    put_uint(&to[COLUMN_error_count], (uint64_t)log->error_count, 8);
    put_uint(&to[COLUMN_duration_ms], (uint64_t)log->duration_ms, 8);
    put_uint(&to[COLUMN_max_concurrency], (uint64_t)log->max_concurrency, 8);
    put_uint(&to[COLUMN_port], log->port, 2);
}

void native_put(struct native_block *block, const struct log_text *log)
{
    struct buf *to = block->columns;
    put_numbers(to, log->record);
    put_text(&to[COLUMN_domain], log->name[NAME_DOMAIN]);
    put_text(&to[COLUMN_error], log->name[NAME_ERROR]);
    put_text(&to[COLUMN_protocol], log->name[NAME_PROTOCOL]);
    put_text(&to[COLUMN_peer_id], log->name[NAME_PEER]);
    put_text(&to[COLUMN_worker], log->name[NAME_WORKER]);
    put_address(&to[COLUMN_ip_out], &log->record->ip_out);
    put_address(&to[COLUMN_ip_from], &log->record->ip_from);
    put_uint(&to[COLUMN_block], block->number, 8);
    block->rows++;
}

enum err native_end(struct native_block *block, struct buf *ret_body)
{
    bool failed = false;
    put_length(ret_body, NATIVE_COLUMNS);
    put_length(ret_body, block->rows);
    for (int i = 0; i < NATIVE_COLUMNS; i++) {
        put_text(ret_body, slice_of(columns[i].name));
        put_text(ret_body, slice_of(columns[i].type));
        buf_put(ret_body, block->columns[i].data, block->columns[i].len);
        failed |= block->columns[i].failed;
    }
    return failed || ret_body->failed ? ERR_UNAVAILABLE : OK;
}
