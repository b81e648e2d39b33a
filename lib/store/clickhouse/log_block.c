/* log_block.c: logs as a block of the table of logs. Knows its columns and their types. */
#include "store/clickhouse/log_block.h"

#include "time/when.h"

#include "base/banned.h"

/* X(column, type), in the order of the block. */
#define COLUMNS(X)                                                                                                     \
    X(day, "UInt32")                                                                                                   \
    X(ts, "Int64")                                                                                                     \
    X(user_id, "Int64")                                                                                                \
    X(order_id, "Int64")                                                                                               \
    X(count, "Int64")                                                                                                  \
    X(bytes_sent, "Int64")                                                                                             \
    X(bytes_received, "Int64")                                                                                         \
    X(error_count, "Int64")                                                                                            \
    X(duration_ms, "Int64")                                                                                            \
    X(max_concurrency, "Int64")                                                                                        \
    X(port, "UInt16")                                                                                                  \
    X(domain, "String")                                                                                                \
    X(error, "String")                                                                                                 \
    X(protocol, "String")                                                                                              \
    X(peer_id, "String")                                                                                               \
    X(worker, "String")                                                                                                \
    X(ip_out, "String")                                                                                                \
    X(ip_from, "String")                                                                                               \
    X(block, "UInt64")

enum log_column { COLUMNS(NATIVE_ENUM) COLUMN_COUNT };
_Static_assert(COLUMN_COUNT <= NATIVE_COLUMNS, "native.h has room");

static const struct native_column columns[] = {COLUMNS(NATIVE_ROW)};

const char *log_block_columns(void)
{
    return NATIVE_NAMES(COLUMNS);
}

void log_block_begin(struct native_block *block)
{
    native_begin(block, columns, COLUMN_COUNT);
}

static void put_address(struct buf *buf, const struct ip *ip)
{
    char text[46];
    ip_format(ip, text);
    native_put_text(buf, slice_of(text));
}

static void put_numbers(struct buf *to, const struct log_record *log)
{
    native_put_uint(&to[COLUMN_day], (uint64_t)(log->ts / WHEN_DAY), 4);
    native_put_uint(&to[COLUMN_ts], (uint64_t)log->ts, 8);
    native_put_uint(&to[COLUMN_user_id], (uint64_t)log->user_id, 8);
    native_put_uint(&to[COLUMN_order_id], (uint64_t)log->order_id, 8);
    native_put_uint(&to[COLUMN_count], (uint64_t)log->count, 8);
    native_put_uint(&to[COLUMN_bytes_sent], (uint64_t)log->bytes_sent, 8);
    native_put_uint(&to[COLUMN_bytes_received], (uint64_t)log->bytes_received, 8);
    native_put_uint(&to[COLUMN_error_count], (uint64_t)log->error_count, 8);
    native_put_uint(&to[COLUMN_duration_ms], (uint64_t)log->duration_ms, 8);
    native_put_uint(&to[COLUMN_max_concurrency], (uint64_t)log->max_concurrency, 8);
    native_put_uint(&to[COLUMN_port], log->port, 2);
}

void log_block_put(struct native_block *block, uint64_t number, const struct log_text *log)
{
    struct buf *to = block->columns;
    put_numbers(to, log->record);
    native_put_text(&to[COLUMN_domain], log->name[NAME_DOMAIN]);
    native_put_text(&to[COLUMN_error], log->name[NAME_ERROR]);
    native_put_text(&to[COLUMN_protocol], log->name[NAME_PROTOCOL]);
    native_put_text(&to[COLUMN_peer_id], log->name[NAME_PEER]);
    native_put_text(&to[COLUMN_worker], log->name[NAME_WORKER]);
    put_address(&to[COLUMN_ip_out], &log->record->ip_out);
    put_address(&to[COLUMN_ip_from], &log->record->ip_from);
    native_put_uint(&to[COLUMN_block], number, 8);
    block->rows++;
}
