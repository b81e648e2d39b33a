/* csv_logs.c: records of a CSV file into a batch. Knows what the first line means. Leaves quotation marks to csv.c and
 * values to log/fields.c. */
#include "format/csv_logs.h"

#include "format/csv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define IGNORED LOG_FIELDS /* a column that no log has, and on: where it is counted */

struct csv_logs {
    const struct log_sink *sink;
    bool has_header;
    size_t columns;
    size_t field[CSV_CELLS]; /* by column */
    struct csv csv;
    struct log_reader reader;
    struct log_bad bad; /* of this record */
};

/* The first fault is reported. */
static void note_refusal(void *ctx, const char *field, const char *message)
{
    struct csv_logs *reader = ctx;
    if (reader->bad.message[0])
        return;
    snprintf(reader->bad.field, sizeof reader->bad.field, "%s", field);
    snprintf(reader->bad.message, sizeof reader->bad.message, "%s", message);
}

struct csv_logs *csv_logs_open(struct batch *batch, struct log_unknown *unknown, const struct log_sink *sink)
{
    struct csv_logs *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->sink = sink;
    reader->reader = (struct log_reader){.batch = batch, .refuse = note_refusal, .ctx = reader, .unknown = unknown};
    csv_init(&reader->csv, LIMIT_LOG_TEXT_BYTES);
    return reader;
}

void csv_logs_close(struct csv_logs *reader)
{
    if (!reader)
        return;
    csv_release(&reader->csv);
    free(reader);
}

/* ---- the first line ---- */

static enum err unknown_column(const struct csv_logs *reader, struct slice name, struct fault *fault)
{
    char shown[UNKNOWN_NAME_BYTES];
    size_t meant = log_field_resembled(name);
    log_unknown_show(name, shown);
    if (reader->csv.cell_count == 1)
        return fault_set(fault, ERR_BODY_INVALID,
                         "line %" PRId64 ": no log has a column '%s'; columns are separated by commas",
                         reader->csv.line, shown);
    if (meant < LOG_FIELDS)
        return fault_set(fault, ERR_BODY_INVALID,
                         "line %" PRId64 ": no log has a column '%s'; '%s' is probably meant; %s", reader->csv.line,
                         shown, log_fields[meant].name, reader->reader.unknown->advice);
    return fault_set(fault, ERR_BODY_INVALID, "line %" PRId64 ": no log has a column '%s'; %s", reader->csv.line, shown,
                     reader->reader.unknown->advice);
}

static enum err read_name(struct csv_logs *reader, size_t column, uint32_t *seen, struct fault *fault)
{
    struct log_unknown *unknown = reader->reader.unknown;
    struct slice name = csv_cell(&reader->csv, column);
    size_t field = log_reader_find(&reader->reader, name);
    if (field == LOG_FIELDS && !unknown->is_ignored)
        return unknown_column(reader, name, fault);
    reader->field[column] = field < LOG_FIELDS ? field : IGNORED + log_unknown_find(unknown, name);
    if (field == LOG_FIELDS)
        return OK;
    if (*seen >> field & 1)
        return fault_set(fault, ERR_BODY_INVALID, "line %" PRId64 ": column '%s' stands twice", reader->csv.line,
                         log_fields[field].name);
    *seen |= UINT32_C(1) << field;
    return OK;
}

static enum err read_header(struct csv_logs *reader, struct fault *fault)
{
    reader->has_header = true;
    reader->columns = reader->csv.cell_count;
    uint32_t seen = 0;
    enum err err = OK;
    for (size_t i = 0; !err && i < reader->columns; i++)
        err = read_name(reader, i, &seen, fault);
    for (size_t i = 0; !err && i < LOG_FIELDS; i++)
        if (log_fields[i].required && !(seen >> i & 1))
            err = fault_set(fault, ERR_BODY_INVALID, "line %" PRId64 " names the columns: '%s' is required",
                            reader->csv.line, log_fields[i].name);
    return err;
}

/* ---- the others ---- */

static enum err read_cells(struct csv_logs *reader)
{
    log_reader_begin(&reader->reader);
    enum err err = OK;
    for (size_t i = 0; !err && i < reader->columns; i++)
        if (reader->field[i] < IGNORED)
            err = log_reader_put(&reader->reader, reader->field[i], LOG_CELL, csv_cell(&reader->csv, i));
        else
            log_unknown_count(reader->reader.unknown, reader->field[i] - IGNORED);
    return err ? err : log_reader_end(&reader->reader);
}

static enum err read_log(struct csv_logs *reader, struct fault *fault)
{
    reader->bad = (struct log_bad){.line = reader->csv.line};
    reader->reader.refused = false;
    enum err err = OK;
    if (reader->csv.cell_count != reader->columns)
        log_refuse(&reader->reader, "", "has %zu cells, but the first line has %zu", reader->csv.cell_count,
                   reader->columns);
    else
        err = read_cells(reader);
    if (err)
        return fault_set(fault, err, "line %" PRId64 ": out of memory", reader->bad.line);
    if (reader->reader.refused)
        return reader->sink->bad(reader->sink->ctx, &reader->bad, fault);
    return reader->sink->take(reader->sink->ctx, reader->bad.line, fault);
}

static enum err handle(struct csv_logs *reader, enum csv_event event, struct fault *fault)
{
    if (event == CSV_MORE)
        return OK;
    if (event == CSV_ERROR)
        return fault_set(fault, ERR_BODY_INVALID, "line %" PRId64 ": %s", reader->csv.line, reader->csv.wrong);
    return reader->has_header ? read_log(reader, fault) : read_header(reader, fault);
}

enum err csv_logs_feed(struct csv_logs *reader, const char *data, size_t len, struct fault *fault)
{
    enum err err = OK;
    while (len > 0 && !err) {
        size_t used;
        enum csv_event event = csv_feed(&reader->csv, data, len, &used);
        data += used;
        len -= used;
        err = handle(reader, event, fault);
    }
    return err;
}

enum err csv_logs_finish(struct csv_logs *reader, struct fault *fault)
{
    return handle(reader, csv_finish(&reader->csv), fault);
}
