/* json_logs.c: {"logs": [{…}, …]} into a batch. Knows the members of a log and what each may hold. Knows no SQL, no
 * HTTP, and no more of the body than one log's text at a time.
 *
 * json_scan walks the envelope and checks every byte; the text of a log is gathered on the way, and json-c builds an
 * object of what is then known to be sound JSON. What no member of a log may be is kept from json-c, which would spend
 * 264 times its text on it: arrays and objects inside a log lose their content ("x":[1,2] reaches it as "x":[]). */
#include "json_logs.h"

#include "buf.h"
#include "json_scan.h"
#include "text.h"
#include "when.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banned.h"

/* The depths of the envelope: the body's object is at 0, its members' values are at 1, the logs at 2. */
#define DEPTH_BODY 0
#define DEPTH_MEMBER 1
#define DEPTH_LOG 2

#define TOKENER_DEPTH 8 /* a log and its emptied members; json-c counts one more than there are */
#define FIRST_STRING_BYTES 1024u

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
    size_t body_bytes;  /* read so far */
    size_t body_end;    /* offset of the body's last brace */
    bool in_logs;       /* the member being read is `logs` */
    bool has_logs;      /* it was seen */
    bool gathering;     /* the bytes being read belong to `text` */
    bool in_log;        /* … or would, were they not skipped */
    uint32_t log_index; /* of the log being read; their number once the array has ended */
    size_t log_start;   /* its offset in the body */
    struct buf text;    /* its text */
    struct json_tokener *tokener;
    size_t string_bytes; /* what json-c's string buffer holds for certain */
    struct fault fault;  /* why the body was refused; OK in it so far */
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
    buf_init(&reader->text, 2 * LIMIT_LOG_TEXT_BYTES); /* it may grow a little beyond its text: see minus_zero */
    reader->tokener = json_tokener_new_ex(TOKENER_DEPTH);
    if (reader->tokener)
        return reader;
    json_logs_close(reader);
    return NULL;
}

void json_logs_close(struct json_logs *reader)
{
    if (!reader)
        return;
    if (reader->tokener)
        json_tokener_free(reader->tokener);
    buf_release(&reader->text);
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

static void read_number(struct json_logs *reader, const struct field *field, json_object *value, void *place)
{
    /* json-c saturates what 64 bits do not hold, so the range refuses it. */
    int64_t number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : field->min - 1;
    if (number < field->min || number > field->max)
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

static enum err read_string(struct json_logs *reader, const struct field *field, json_object *value, void *place)
{
    if (!json_object_is_type(value, json_type_string)) {
        refuse(reader, field->name, "must be a string");
        return OK;
    }
    struct slice text = {json_object_get_string(value), (size_t)json_object_get_string_len(value)};
    if (memchr(text.data, '\0', text.len)) {
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
static enum err read_member(struct json_logs *reader, const struct field *field, json_object *value,
                            struct log_record *log)
{
    void *place = (char *)log + field->offset;
    if (field->kind != FIELD_INTEGER && field->kind != FIELD_PORT)
        return read_string(reader, field, value, place);
    read_number(reader, field, value, place);
    return OK;
}

/* The index of the field called `name`, or FIELDS. Looks first at `guess`, the one after the last found: clients write
 * their members in the same order each time. */
static size_t find_field(const char *name, size_t guess)
{
    size_t len = strlen(name);
    for (size_t n = 0; n < FIELDS; n++) {
        size_t i = guess + n < FIELDS ? guess + n : guess + n - FIELDS;
        if (fields[i].name_len == len && memcmp(fields[i].name, name, len) == 0)
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

static enum err read_members(struct json_logs *reader, json_object *object, struct log_record *log)
{
    uint32_t seen = 0;
    size_t guess = 0;
    struct json_object_iterator at = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        size_t i = find_field(json_object_iter_peek_name(&at), guess);
        if (i == FIELDS)
            continue;
        guess = i + 1 < FIELDS ? i + 1 : 0;
        seen |= UINT32_C(1) << i;
        if (read_member(reader, &fields[i], json_object_iter_peek_value(&at), log) != OK)
            return out_of_memory(reader);
    }
    refuse_missing(reader, seen);
    return OK;
}

/* json-c keeps the last of equal names; the scanner has counted them all. */
static bool has_all_members(const struct json_logs *reader, json_object *object)
{
    return (uint32_t)json_object_object_length(object) == reader->scan.members;
}

static enum err read_object(struct json_logs *reader, json_object *object)
{
    struct log_record log = {0};
    if (!has_all_members(reader, object)) {
        refuse(reader, "", "a member stands twice");
        return OK;
    }
    enum err err = read_members(reader, object, &log);
    if (err || reader->fault_count > 0)
        return err;
    return batch_add(reader->batch, &log) == OK ? OK : out_of_memory(reader);
}

/* json-c 0.16 silently drops bytes of a string when its buffer can't grow. So we make it grow, where that can be seen.
 */
static bool widen_string_buffer(struct json_logs *reader, size_t need)
{
    if (need < reader->string_bytes)
        return true;
    size_t bytes = FIRST_STRING_BYTES;
    while (bytes <= need)
        bytes *= 2;
    if (printbuf_memset(reader->tokener->pb, (int)bytes, 0, 1) < 0)
        return false;
    reader->string_bytes = bytes;
    return true;
}

/* The log's text is known to be sound, so NULL means that memory failed. */
static json_object *parse(struct json_logs *reader)
{
    json_tokener_reset(reader->tokener);
    return json_tokener_parse_ex(reader->tokener, reader->text.data, (int)reader->text.len);
}

static enum err read_log(struct json_logs *reader)
{
    if (reader->text.failed || !widen_string_buffer(reader, reader->text.len))
        return out_of_memory(reader);
    json_object *object = parse(reader);
    if (object && !has_all_members(reader, object)) {
        /* json-c 0.16 also loses members silently when memory fails. Equal names are still equal the second time. */
        json_object_put(object);
        object = parse(reader);
    }
    if (!object)
        return out_of_memory(reader);
    enum err err = read_object(reader, object);
    json_object_put(object);
    return err;
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
    else if (reader->scan.nul_in_name)
        refuse(reader, "", "a name must not contain the NUL character, \\u0000"); /* json-c would cut it there */
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
    case JSON_MINUS_ZERO:
        /* An integer to json-c, not to us: as -0e0 it is none for json-c either. */
        if (reader->in_log)
            gather(reader, "e0", 2);
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
