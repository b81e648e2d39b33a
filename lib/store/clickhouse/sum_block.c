/* sum_block.c: the sums over everyone of a block of logs. Knows the columns of the table of sums, and how ClickHouse
 * writes the state of a greatest and of a least value. */
#include "store/clickhouse/sum_block.h"

#include "time/when.h"

#include "base/banned.h"

#define GREATEST "AggregateFunction(max, Int64)"
#define LEAST "AggregateFunction(min, Int64)"

/* X(column, type), in the order of the block. `rows` is never 0, so that a row whose sums are is kept. */
#define COLUMNS(X)                                                                                                     \
    X(kind, "UInt8")                                                                                                   \
    X(day, "UInt32")                                                                                                   \
    X(bucket, "Int64")                                                                                                 \
    X(domain, "String")                                                                                                \
    X(error, "String")                                                                                                 \
    X(rows, "Int64")                                                                                                   \
    X(count, "Int64")                                                                                                  \
    X(bytes_sent, "Int64")                                                                                             \
    X(bytes_received, "Int64")                                                                                         \
    X(error_count, "Int64")                                                                                            \
    X(duration_ms, "Int64")                                                                                            \
    X(max_concurrency, GREATEST)                                                                                       \
    X(first_ts, LEAST)                                                                                                 \
    X(last_ts, GREATEST)

enum sum_column { COLUMNS(NATIVE_ENUM) COLUMN_COUNT };
_Static_assert(COLUMN_COUNT <= NATIVE_COLUMNS, "native.h has room");

static const struct native_column columns[] = {COLUMNS(NATIVE_ROW)};

const char *sum_block_columns(void)
{
    return NATIVE_NAMES(COLUMNS);
}

void sum_block_begin(struct sum_block *block)
{
    tally_clear(&block->sums);
    native_begin(&block->rows, columns, COLUMN_COUNT);
    block->all = TOTALS_NONE;
    block->failed = false;
}

void sum_block_release(struct sum_block *block)
{
    tally_release(&block->sums);
    native_release(&block->rows);
    *block = (struct sum_block){0};
}

/* ---- adding up ---- */

#define OF_QUARTERS (-1) /* in the place of an error */
#define DAY_SHIFT 32     /* days before the numbers of domains */

static void add(struct sum_block *block, struct tally_key key, const struct totals *totals)
{
    size_t at = 0;
    block->failed = block->failed || tally_add(&block->sums, key, totals, &at);
}

void sum_block_put(struct sum_block *block, const struct log_text *log)
{
    const struct log_record *record = log->record;
    struct totals totals = {.count = record->count,
                            .bytes_sent = record->bytes_sent,
                            .bytes_received = record->bytes_received,
                            .errors = record->error_count,
                            .max_concurrency = record->max_concurrency,
                            .duration_ms = record->duration_ms,
                            .first = record->ts,
                            .last = record->ts};
    if (totals_are_none(&block->all))
        block->day = record->ts / WHEN_DAY;
    totals_add(&block->all, &totals);
    add(block, (struct tally_key){record->ts / WHEN_QUARTER, OF_QUARTERS}, &totals);
    add(block,
        (struct tally_key){(record->ts / WHEN_DAY) << DAY_SHIFT | log->number[NAME_DOMAIN], log->number[NAME_ERROR]},
        &totals);
}

/* ---- as bytes ---- */

/* Whether there is a value, and the value. */
static void put_state(struct buf *column, int64_t value)
{
    native_put_uint(column, 1, 1);
    native_put_uint(column, (uint64_t)value, 8);
}

static void put_sums(struct native_block *native, const struct totals *totals)
{
    struct buf *to = native->columns;
    native_put_uint(&to[COLUMN_rows], 1, 8);
    native_put_uint(&to[COLUMN_count], (uint64_t)totals->count, 8);
    native_put_uint(&to[COLUMN_bytes_sent], (uint64_t)totals->bytes_sent, 8);
    native_put_uint(&to[COLUMN_bytes_received], (uint64_t)totals->bytes_received, 8);
    native_put_uint(&to[COLUMN_error_count], (uint64_t)totals->errors, 8);
    native_put_uint(&to[COLUMN_duration_ms], (uint64_t)totals->duration_ms, 8);
    put_state(&to[COLUMN_max_concurrency], totals->max_concurrency);
    put_state(&to[COLUMN_first_ts], totals->first);
    put_state(&to[COLUMN_last_ts], totals->last);
    native->rows++;
}

static void put_key(struct native_block *native, enum sum_kind kind, int64_t day, int64_t bucket)
{
    native_put_uint(&native->columns[COLUMN_kind], kind, 1);
    native_put_uint(&native->columns[COLUMN_day], (uint64_t)day, 4);
    native_put_uint(&native->columns[COLUMN_bucket], (uint64_t)bucket, 8);
}

static void put_names(struct native_block *native, struct slice domain, struct slice error)
{
    native_put_text(&native->columns[COLUMN_domain], domain);
    native_put_text(&native->columns[COLUMN_error], error);
}

static void put_entry(struct native_block *native, const struct tally_entry *entry, const struct spool_reader *spool)
{
    if (entry->key.error == OF_QUARTERS) {
        put_key(native, SUM_QUARTER, entry->key.domain * WHEN_QUARTER / WHEN_DAY, entry->key.domain * WHEN_QUARTER);
        put_names(native, slice_of(""), slice_of(""));
    } else {
        int64_t day = entry->key.domain >> DAY_SHIFT;
        put_key(native, SUM_DOMAIN, day, day * WHEN_DAY);
        put_names(native, spool_text(spool, (uint32_t)entry->key.domain),
                  spool_text(spool, (uint32_t)entry->key.error));
    }
    put_sums(native, &entry->totals);
}

enum err sum_block_end(struct sum_block *block, uint64_t number, const struct spool_reader *spool, struct buf *ret_body)
{
    if (block->failed)
        return ERR_UNAVAILABLE;
    struct native_block *rows = &block->rows;
    put_key(rows, SUM_BLOCK, block->day, (int64_t)number);
    put_names(rows, slice_of(""), slice_of(""));
    put_sums(rows, &block->all);
    for (size_t i = 0; i < block->sums.count; i++)
        put_entry(rows, &block->sums.entries[i], spool);
    return native_end(rows, ret_body);
}
