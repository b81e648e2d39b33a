/* csv.h: comma-separated values (RFC 4180), piece by piece, into records of cells. Strict about quotation marks; takes
 * LF for CRLF. Knows no column. */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include "base/buf.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_CELLS 256u /* in one record */

enum csv_event {
    CSV_MORE,   /* all input is read and no record ended */
    CSV_RECORD, /* the last byte ended a record: see csv_cell */
    CSV_ERROR   /* this is no CSV: see `wrong` and `at_line`. Every later call says so too */
};

struct csv {
    int64_t line;      /* where the record begins, from 1 */
    int64_t at_line;   /* where the next byte stands */
    size_t cell_count; /* of the record that ended */
    const char *wrong; /* after CSV_ERROR; static */

    /* Private. */
    uint8_t state;
    bool ended;            /* a record was handed out: the next byte begins another */
    size_t max_bytes;      /* of a record's cells */
    struct buf text;       /* the record's cells, one after the other */
    size_t end[CSV_CELLS]; /* where each ends in it */
};

/* A record with more than `max_bytes` in its cells is an error, so that a quotation mark that is never closed takes no
 * memory. */
void csv_init(struct csv *csv, size_t max_bytes);
void csv_release(struct csv *csv);

/* Reads on to the end of a record or of the piece. *ret_used is how many bytes were read; call again with the rest. An
 * empty line is no record. */
enum csv_event csv_feed(struct csv *csv, const char *data, size_t len, size_t *ret_used);

/* Ends the file: CSV_RECORD when the last line had no end, CSV_MORE when there is nothing left, or CSV_ERROR. */
enum csv_event csv_finish(struct csv *csv);

/* A cell of the record that ended; borrowed until the next call. */
struct slice csv_cell(const struct csv *csv, size_t index);

#endif
