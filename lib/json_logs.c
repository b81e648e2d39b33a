/* json_logs.c: {"logs": [{…}, …]} into a batch. Knows the members of a log and what each may hold. Knows no SQL, no
 * HTTP, and no more of the body than one log's text at a time.
 *
 * json_scan walks the envelope and checks every byte; the text of a log is gathered on the way, and json_walk finds the
 * members in what is then known to be sound JSON. Nobody reads what stands in arrays and objects inside a log, so they
 * lose their content on the way ("x":[1,2] is gathered as "x":[]). */
#include "json_logs.h"

#include "buf.h"
#include "json_scan.h"
#include "json_walk.h"
#include "text.h"
#include "when.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banned.h"

/* The depths of the envelope: the body's object is at 0, its members' values are at 1, the logs at 2. */
#define DEPTH_BODY 0
#define DEPTH_MEMBER 1
#define DEPTH_LOG 2

enum field_kind { FIELD_TIME, FIELD_INTEGER, FIELD_PORT, FIELD_DOMAIN, FIELD_TEXT, FIELD_IP };

struct field {
    const char *name;
    size_t name_len;
    enum field_kind kind;
    bool required;
    int64_t min;
    int64_t max; /* of a number its value, of a text its bytes */
    size_t offset;
};

#define FIELD(name, ...)                                                                                               \
    {                                                                                                                  \
        name, sizeof name - 1, __VA_ARGS__                                                                             \
    }
#define AT(member) offsetof(struct log_record, member)

/* docs/api.md. In the order of its example, which is the order that clients write. */
static const struct field fields[] = {
    FIELD("ts", FIELD_TIME, true, 0, 0, AT(ts)),
    FIELD("user_id", FIELD_INTEGER, true, 1, LIMIT_ID, AT(user_id)),
    FIELD("order_id", FIELD_INTEGER, true, 1, LIMIT_ID, AT(order_id)),
    FIELD("port", FIELD_PORT, false, 0, LIMIT_PORT, AT(port)),
    FIELD("protocol", FIELD_TEXT, false, 0, LIMIT_PROTOCOL_BYTES, AT(name[NAME_PROTOCOL])),
    FIELD("ip_out", FIELD_IP, false, 0, 0, AT(ip_out)),
    FIELD("ip_from", FIELD_IP, false, 0, 0, AT(ip_from)),
    FIELD("peer_id", FIELD_TEXT, false, 0, LIMIT_PEER_BYTES, AT(name[NAME_PEER])),
    FIELD("worker", FIELD_TEXT, false, 0, LIMIT_WORKER_BYTES, AT(name[NAME_WORKER])),
    FIELD("domain", FIELD_DOMAIN, true, 0, 0, AT(name[NAME_DOMAIN])),
    FIELD("error", FIELD_TEXT, false, 0, LIMIT_ERROR_BYTES, AT(name[NAME_ERROR])),
    FIELD("count", FIELD_INTEGER, true, 0, LIMIT_ID, AT(count)),
    FIELD("bytes_sent", FIELD_INTEGER, false, 0, LIMIT_ID, AT(bytes_sent)),
    FIELD("bytes_received", FIELD_INTEGER, false, 0, LIMIT_ID, AT(bytes_received)),
    FIELD("error_count", FIELD_INTEGER, false, 0, LIMIT_ID, AT(error_count)),
    FIELD("duration_ms", FIELD_INTEGER, false, 0, LIMIT_ID, AT(duration_ms)),
    FIELD("max_concurrency", FIELD_INTEGER, false, 0, LIMIT_ID, AT(max_concurrency)),
};
#define FIELDS (sizeof fields / sizeof fields[0])
_Static_assert(FIELDS <= 32, "a set of fields is a uint32_t");

struct json_logs {
    struct batch *batch; /* borrowed */
    struct json_scan scan;
    size_t body_bytes;    /* read so far */
    size_t body_end;      /* offset of the body's last brace */
    bool in_logs;         /* the member being read is `logs` */
    bool has_logs;        /* it was seen */
    bool gathering;       /* the bytes being read belong to `text` */
    bool in_log;          /* … or would, were they not skipped */
    uint32_t log_index;   /* of the log being read; their number once the array has ended */
    size_t log_start;     /* its offset in the body */
    struct buf text;      /* its text */
    struct buf unescaped; /* the name or string being read, where it has escapes */
    struct fault fault;   /* why the body was refused; OK in it so far */
    uint64_t fault_count;
    struct log_fault faults[LIMIT_LOG_ERRORS];
};

struct json_logs *json_logs_open(struct batch *batch)
{
    struct json_logs *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->batch = batch;
    json_scan_init(&reader->scan, DEPTH_MEMBER);
    buf_init(&reader->text, 2 * LIMIT_LOG_TEXT_BYTES); /* a piece of the body may end beyond the limit */
    buf_init(&reader->unescaped, LIMIT_LOG_TEXT_BYTES);
    return reader;
}

void json_logs_close(struct json_logs *reader)
{
    if (!reader)
        return;
    buf_release(&reader->text);
    buf_release(&reader->unescaped);
    free(reader);
}

/* Refusals. */

static void refuse(struct json_logs *reader, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes what is wrong with a field of the current log, or with the log itself ("" for the field). */
static void refuse(struct json_logs *reader, const char *field, const char *format, ...)
{
    uint64_t place = reader->fault_count++;
    va_list arguments;
    if (place == 0) /* nobody will read the batch: let its memory go */
        batch_release(reader->batch);
    if (place >= LIMIT_LOG_ERRORS)
        return;
    struct log_fault *fault = &reader->faults[place];
    fault->index = reader->log_index;
    snprintf(fault->field, sizeof fault->field, "%s", field);
    va_start(arguments, format);
    vsnprintf(fault->message, sizeof fault->message, format, arguments);
    va_end(arguments);
}

static enum err out_of_memory(struct json_logs *reader)
{
    return fault_set(&reader->fault, ERR_UNAVAILABLE, "no memory to read the body");
}

static enum err expected_at(struct json_logs *reader, size_t offset, const char *expected)
{
    return fault_set(&reader->fault, ERR_BODY_INVALID, "byte %zu: expected %s", offset, expected);
}

/* The value of one member. What is wrong with it is refused; only memory is an error. */

static void read_number(struct json_logs *reader, const struct field *field, const struct json_member *member,
                        void *place)
{
    int64_t number = 0;
    if (member->kind != JSON_NUMBER || !text_to_i64(member->value.raw, field->min, field->max, &number))
        refuse(reader, field->name, "must be an integer from %" PRId64 " to %" PRId64, field->min, field->max);
    else if (field->kind == FIELD_PORT)
        *(uint16_t *)place = (uint16_t)number;
    else
        *(int64_t *)place = number;
}

static void read_time(struct json_logs *reader, const struct field *field, struct slice text, int64_t *ret_seconds)
{
    struct when when;
    if (when_parse(text, &when))
        *ret_seconds = when.seconds;
    else
        refuse(reader, field->name, "must be a date and time such as 2026-03-15 10:15:00, years 1970 to 2999");
}

static void read_ip(struct json_logs *reader, const struct field *field, struct slice text, struct ip *ret_ip)
{
    if (!ip_parse(text, ret_ip))
        refuse(reader, field->name, "must be an IPv4 or IPv6 address, or empty");
}

static enum err intern(struct json_logs *reader, struct slice text, uint32_t *ret_index)
{
    if (reader->fault_count > 0)
        return OK;
    return batch_intern(reader->batch, text, ret_index);
}

static enum err read_text(struct json_logs *reader, const struct field *field, struct slice text, uint32_t *ret_index)
{
    if (text.len <= (size_t)field->max)
        return intern(reader, text, ret_index);
    refuse(reader, field->name, "must be at most %" PRId64 " bytes", field->max);
    return OK;
}

static enum err read_domain(struct json_logs *reader, const struct field *field, struct slice text, uint32_t *ret_index)
{
    char domain[LIMIT_DOMAIN_BYTES + 1];
    size_t len;
    const char *why;
    if (domain_normalise(text, domain, &len, &why))
        return intern(reader, (struct slice){domain, len}, ret_index);
    refuse(reader, field->name, "%s", why);
    return OK;
}

/* The text that is meant; borrowed until the next call. */
static enum err meant(struct json_logs *reader, const struct json_text *text, struct slice *ret_text)
{
    *ret_text = text->raw;
    if (!text->escaped)
        return OK;
    buf_clear(&reader->unescaped);
    char *room = buf_reserve(&reader->unescaped, text->raw.len);
    if (!room)
        return ERR_UNAVAILABLE;
    *ret_text = (struct slice){room, json_unescape(text->raw, room)};
    return OK;
}

static enum err read_string(struct json_logs *reader, const struct field *field, const struct json_member *member,
                            void *place)
{
    struct slice text;
    if (member->kind != JSON_STRING) {
        refuse(reader, field->name, "must be a string");
        return OK;
    }
    if (meant(reader, &member->value, &text))
        return ERR_UNAVAILABLE;
    if (member->value.escaped && memchr(text.data, '\0', text.len)) {
        refuse(reader, field->name, "must not contain the NUL character, \\u0000");
        return OK;
    }
    if (field->kind == FIELD_TEXT)
        return read_text(reader, field, text, place);
    if (field->kind == FIELD_DOMAIN)
        return read_domain(reader, field, text, place);
    if (field->kind == FIELD_IP)
        read_ip(reader, field, text, place);
    else
        read_time(reader, field, text, place);
    return OK;
}

/* Reads a member into its place in the log. OK, also when it was refused; else ERR_UNAVAILABLE. */
static enum err read_value(struct json_logs *reader, const struct field *field, const struct json_member *member,
                           struct log_record *log)
{
    void *place = (char *)log + field->offset;
    if (field->kind != FIELD_INTEGER && field->kind != FIELD_PORT)
        return read_string(reader, field, member, place);
    read_number(reader, field, member, place);
    return OK;
}

/* The index of the field called `name`, or FIELDS. Looks first at `guess`, the one after the last found: clients write
 * their members in the same order each time. */
static size_t find_field(struct slice name, size_t guess)
{
    for (size_t n = 0; n < FIELDS; n++) {
        size_t i = guess + n < FIELDS ? guess + n : guess + n - FIELDS;
        if (fields[i].name_len == name.len && memcmp(fields[i].name, name.data, name.len) == 0)
            return i;
    }
    return FIELDS;
}

static void refuse_missing(struct json_logs *reader, uint32_t seen)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].required && !(seen >> i & 1))
            refuse(reader, fields[i].name, "is required");
}

/* Unknown members are ignored. `seen` has a bit for each field that has come, `guess` the field that is likely next. */
static enum err read_member(struct json_logs *reader, const struct json_member *member, struct log_record *log,
                            uint32_t *seen, size_t *guess)
{
    struct slice name;
    if (meant(reader, &member->name, &name))
        return ERR_UNAVAILABLE;
    size_t i = find_field(name, *guess);
    if (i == FIELDS)
        return OK;
    *guess = i + 1 < FIELDS ? i + 1 : 0;
    if (*seen >> i & 1) {
        refuse(reader, fields[i].name, "stands twice");
        return OK;
    }
    *seen |= UINT32_C(1) << i;
    return read_value(reader, &fields[i], member, log);
}

static enum err read_log(struct json_logs *reader)
{
    struct log_record log = {0};
    struct json_member member;
    struct json_walk walk;
    uint32_t seen = 0;
    size_t guess = 0;
    if (reader->text.failed)
        return out_of_memory(reader);
    json_walk_begin(&walk, (struct slice){reader->text.data, reader->text.len});
    while (json_walk_next(&walk, &member))
        if (read_member(reader, &member, &log, &seen, &guess))
            return out_of_memory(reader);
    refuse_missing(reader, seen);
    if (reader->fault_count > 0)
        return OK;
    return batch_add(reader->batch, &log) == OK ? OK : out_of_memory(reader);
}

/* The envelope, event by event. */

static enum err begin_log(struct json_logs *reader)
{
    if (reader->log_index == LIMIT_LOGS)
        return fault_set(&reader->fault, ERR_BODY_TOO_LARGE, "more than %u logs", LIMIT_LOGS);
    buf_clear(&reader->text);
    reader->log_start = reader->scan.offset;
    reader->in_log = reader->gathering = reader->scan.kind == '{';
    return OK;
}

static enum err end_log(struct json_logs *reader)
{
    enum err err = OK;
    if (!reader->in_log)
        refuse(reader, "", "must be an object");
    else if (reader->scan.offset - reader->log_start > LIMIT_LOG_TEXT_BYTES)
        refuse(reader, "", "must be at most %u bytes of JSON", LIMIT_LOG_TEXT_BYTES);
    else
        err = read_log(reader);
    reader->log_index++;
    reader->in_log = reader->gathering = false;
    return err;
}

static enum err end_name(struct json_logs *reader)
{
    const struct json_scan *scan = &reader->scan;
    reader->in_logs = scan->name_len == 4 && memcmp(scan->name, "logs", 4) == 0;
    if (reader->in_logs && reader->has_logs)
        return expected_at(reader, scan->offset, "only one member \"logs\"");
    reader->has_logs |= reader->in_logs;
    return OK;
}

static enum err begin_value(struct json_logs *reader)
{
    struct json_scan *scan = &reader->scan;
    if (scan->depth == DEPTH_LOG)
        return begin_log(reader);
    if (scan->depth == DEPTH_BODY && scan->kind != '{')
        return expected_at(reader, scan->offset, "an object with a member \"logs\"");
    if (scan->depth == DEPTH_MEMBER && reader->in_logs && scan->kind != '[')
        return expected_at(reader, scan->offset, "an array, the value of \"logs\"");
    if (scan->depth == DEPTH_MEMBER)
        scan->watch = reader->in_logs ? DEPTH_LOG : DEPTH_MEMBER;
    return OK;
}

static enum err end_value(struct json_logs *reader)
{
    if (reader->scan.depth == DEPTH_LOG)
        return end_log(reader);
    reader->scan.watch = DEPTH_MEMBER;
    reader->in_logs = false;
    if (reader->scan.depth == DEPTH_BODY)
        reader->body_end = reader->scan.offset - 1;
    return OK;
}

/* Appends to the log's text, up to the length at which it is refused anyway. */
static void gather(struct json_logs *reader, const char *data, size_t len)
{
    if (reader->scan.offset - reader->log_start <= LIMIT_LOG_TEXT_BYTES)
        buf_put(&reader->text, data, len);
}

static enum err handle(struct json_logs *reader, enum json_event event, const char *last)
{
    switch (event) {
    case JSON_MORE:
        return OK;
    case JSON_NAME:
        return end_name(reader);
    case JSON_BEGIN:
        return begin_value(reader);
    case JSON_END:
        return end_value(reader);
    case JSON_NEST:
        reader->gathering = false;
        return OK;
    case JSON_UNNEST:
        reader->gathering = reader->in_log;
        if (reader->in_log)
            gather(reader, last, 1);
        return OK;
    case JSON_ERROR:
        return expected_at(reader, reader->scan.offset, reader->scan.expected);
    }
    return OK;
}

static enum err feed(struct json_logs *reader, const char *data, size_t len)
{
    enum err err = OK;
    while (len > 0 && !err) {
        size_t used;
        enum json_event event = json_scan_feed(&reader->scan, data, len, &used);
        if (reader->gathering)
            gather(reader, data, used);
        data += used;
        len -= used;
        err = handle(reader, event, data - 1);
    }
    return err;
}

enum err json_logs_feed(struct json_logs *reader, const char *data, size_t len, struct fault *fault)
{
    size_t room = LIMIT_BODY_BYTES - reader->body_bytes;
    size_t piece = len < room ? len : room;
    enum err err = reader->fault.err;
    if (!err)
        err = feed(reader, data, piece);
    reader->body_bytes += piece;
    if (!err && len > room)
        err = fault_set(&reader->fault, ERR_BODY_TOO_LARGE, "the body is larger than %u bytes", LIMIT_BODY_BYTES);
    if (err)
        *fault = reader->fault;
    return err;
}

static enum err finish(struct json_logs *reader)
{
    struct json_scan *scan = &reader->scan;
    if (!json_scan_finish(scan))
        return fault_set(&reader->fault, ERR_BODY_INVALID, "byte %zu: the body ends here, expected %s", scan->offset,
                         scan->expected);
    if (!reader->has_logs)
        return expected_at(reader, reader->body_end, "a member \"logs\"");
    if (reader->fault_count == 0)
        return OK;
    return fault_set(&reader->fault, ERR_LOGS_INVALID, "%" PRIu64 " fields of the logs are not valid",
                     reader->fault_count);
}

enum err json_logs_finish(struct json_logs *reader, struct fault *fault)
{
    enum err err = reader->fault.err ? reader->fault.err : finish(reader);
    if (err)
        *fault = reader->fault;
    return err;
}

const struct log_fault *json_logs_faults(const struct json_logs *reader, uint32_t *ret_shown, uint64_t *ret_total)
{
    *ret_shown = reader->fault_count < LIMIT_LOG_ERRORS ? (uint32_t)reader->fault_count : LIMIT_LOG_ERRORS;
    *ret_total = reader->fault_count;
    return reader->faults;
}
