/* table.h: the answer of a report as a table, and the two ways to write it: JSON, as docs/api.md shows it, and CSV by
 * RFC 4180. Knows what a row of a report may hold. Knows no report, no HTTP. */
#ifndef ENDPOINT_TABLE_H
#define ENDPOINT_TABLE_H

#include "base/buf.h"
#include "format/json_out.h"
#include "report/report.h"
#include "time/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row: what it is of, and its measures. All borrowed. */
struct table_row {
    int64_t bucket;   /* of a chart: what the clocks show at its beginning */
    const char *name; /* a domain, an error, a value */
    struct totals totals;
    const char *const *samples;
    size_t sample_count;
};

enum table_field {
    TABLE_BUCKET,
    TABLE_NAME,
    TABLE_COUNT,
    TABLE_ERRORS,
    TABLE_SENT,
    TABLE_RECEIVED,
    TABLE_BYTES,
    TABLE_CONCURRENCY,
    TABLE_DURATION,     /* null where it is not known */
    TABLE_AVG_DURATION, /* the same, and without requests */
    TABLE_FIRST,        /* null for no logs, as is the next */
    TABLE_LAST,
    TABLE_SAMPLES,
};

struct column {
    const char *name; /* of the member, and in the header line; our own word */
    enum table_field field;
};

/* A number that stands beside the rows in JSON. */
struct table_number {
    const char *name;
    int64_t value;
};

struct table {
    const struct column *columns;
    size_t column_count;
    const struct zone *zone; /* whose clocks show the times of logs */
    bool is_one_row;         /* and no list: an object in JSON */
};

/* A table on its way into a buffer, row by row. The buffer may be emptied between two rows. */
struct table_writer {
    const struct table *table;
    bool is_csv;
    struct json_out json;
    struct buf *buf;
};

/* In JSON {"data":[…], …}; in CSV a line with the columns' names, then a line for each row. Null is an empty field of
 * CSV; samples are joined by a space. */
void table_begin(struct table_writer *writer, const struct table *table, bool is_csv, struct buf *buf);
void table_put_row(struct table_writer *writer, const struct table_row *row);

/* What stands beside the rows: `other`, the sums over rows that are left out (NULL: the answer does not tell; it has no
 * name and no times), and numbers. CSV has nothing of it. */
void table_end(struct table_writer *writer, const struct totals *other, const struct table_number *numbers,
               size_t number_count);

#endif
