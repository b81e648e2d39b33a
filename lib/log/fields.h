/* fields.h: the members of a log, and what each may hold, whatever text they come in: JSON or CSV. Knows no
 * format. */
#ifndef LOG_FIELDS_H
#define LOG_FIELDS_H

#include "log/batch.h"
#include "log/unknown.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum log_field_kind { FIELD_TIME, FIELD_INTEGER, FIELD_PORT, FIELD_DOMAIN, FIELD_TEXT, FIELD_IP };

struct log_field {
    const char *name;
    size_t name_len;
    enum log_field_kind kind;
    bool required;
    int64_t min;
    int64_t max;   /* of a number its value, of a text its bytes */
    size_t offset; /* in struct log_record */
};

/* docs/api.md. In the order of its example, which is the order that clients write. */
#define LOG_FIELDS 17
extern const struct log_field log_fields[LOG_FIELDS];

/* The field of which `name` is another spelling (slice_resembles), or LOG_FIELDS. */
size_t log_field_resembled(struct slice name);

/* How the value of a member was written. */
enum log_value {
    LOG_STRING,  /* JSON's, known to be UTF-8 without NUL */
    LOG_ESCAPED, /* JSON's, with escapes, now undone */
    LOG_NUMBER,  /* JSON's, as written */
    LOG_OTHER,   /* JSON's true, false, null, array or object */
    LOG_CELL     /* of CSV: any bytes; an empty one leaves a number or a time out */
};

#define LOG_MESSAGE_BYTES 256
#define LOG_SPELLING_BYTES 32

/* One log on its way into a batch. */
struct log_reader {
    struct batch *batch;                                               /* borrowed */
    void (*refuse)(void *ctx, const char *field, const char *message); /* "" for the field: the log as a whole */
    void *ctx;
    struct log_unknown *unknown; /* borrowed; NULL: they are ignored, as docs/api.md says of batches */
    struct log_record log;
    uint32_t seen;      /* a bit for each field that has come */
    uint32_t resembled; /* a bit for each field whose name came in another spelling, which is kept below, cut */
    char spelling[LOG_FIELDS][LOG_SPELLING_BYTES];
    size_t guess;   /* the field that is likely next */
    uint32_t names; /* in the batch, before this log */
    bool refused;   /* something was; no log and no text is added any more, until the caller clears it */
};

/* Begins the next log. */
void log_reader_begin(struct log_reader *reader);

/* The index of the field called `name`, or LOG_FIELDS. Looks first at the field after the last found: clients write
 * their members in the same order each time. (Here because it is called for each member of each log.) */
static inline size_t log_reader_find(struct log_reader *reader, struct slice name)
{
    for (size_t n = 0; n < LOG_FIELDS; n++) {
        size_t i = reader->guess + n < LOG_FIELDS ? reader->guess + n : reader->guess + n - LOG_FIELDS;
        if (log_fields[i].name_len == name.len && memcmp(log_fields[i].name, name.data, name.len) == 0) {
            reader->guess = i + 1 < LOG_FIELDS ? i + 1 : 0;
            return i;
        }
    }
    return LOG_FIELDS;
}

/* Takes a field's value. OK, also when it was refused; else ERR_UNAVAILABLE: out of memory. */
enum err log_reader_put(struct log_reader *reader, size_t field, enum log_value value, struct slice text);

/* Takes the name of a member that no log has. Where reader->unknown is given, that says whether it is refused. Where
 * not, it is ignored, unless it resembles a field (slice_resembles) that the log lacks: then the log is refused at its
 * end, since a counter under another name would count as 0. */
void log_reader_unknown(struct log_reader *reader, struct slice name);

/* Ends the log: adds it to the batch, unless something was refused. OK, or ERR_UNAVAILABLE. */
enum err log_reader_end(struct log_reader *reader);

/* Refuses the log, or a field of it. */
void log_refuse(struct log_reader *reader, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
