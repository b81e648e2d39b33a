/* fields.c: the table of a log's members, and the checks of their values. Knows no JSON, no CSV, and no store. */
#include "log/fields.h"

#include "log/domain.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define FIELD(name, ...)                                                                                               \
    {                                                                                                                  \
        name, sizeof name - 1, __VA_ARGS__                                                                             \
    }
#define AT(member) offsetof(struct log_record, member)

const struct log_field log_fields[LOG_FIELDS] = {
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
_Static_assert(LOG_FIELDS <= 32, "a set of fields is a uint32_t");

void log_refuse(struct log_reader *reader, const char *field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char message[LOG_MESSAGE_BYTES];
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    reader->refused = true;
    reader->refuse(reader->ctx, field, message);
}

void log_reader_begin(struct log_reader *reader)
{
    reader->log = (struct log_record){0};
    reader->seen = reader->resembled = 0;
    reader->guess = 0;
    reader->names = reader->batch->name_count;
}

/* What a member holds, in a message: a text in quotation marks, a number as it was written. */
static const char *seen(enum log_value value, struct slice text, char ret_seen[TEXT_QUOTE_BYTES])
{
    if (value == LOG_OTHER)
        return "true, false, null, an array or an object";
    text_quote(text, ret_seen);
    if (value != LOG_NUMBER)
        return ret_seen;
    ret_seen[strlen(ret_seen) - 1] = '\0';
    return ret_seen + 1;
}

/* The value of one member. What is wrong with it is refused; only memory is an error. */

static void read_number(struct log_reader *reader, const struct log_field *field, enum log_value value,
                        struct slice text, void *place)
{
    int64_t number = 0;
    char room[TEXT_QUOTE_BYTES];
    if ((value != LOG_NUMBER && value != LOG_CELL) || !text_to_i64(text, field->min, field->max, &number))
        log_refuse(reader, field->name, "must be an integer from %" PRId64 " to %" PRId64 ", but is %s", field->min,
                   field->max, seen(value, text, room));
    else if (field->kind == FIELD_PORT)
        *(uint16_t *)place = (uint16_t)number;
    else
        *(int64_t *)place = number;
}

static void read_time(struct log_reader *reader, const struct log_field *field, struct slice text, int64_t *ret_seconds)
{
    struct when when;
    char room[TEXT_QUOTE_BYTES];
    if (when_parse(text, &when))
        *ret_seconds = when.seconds;
    else
        log_refuse(reader, field->name, "must be a date and time such as 2026-03-15 10:15:00, but is %s: %s",
                   text_quote(text, room), when_fault(text));
}

static void read_ip(struct log_reader *reader, const struct log_field *field, struct slice text, struct ip *ret_ip)
{
    char room[TEXT_QUOTE_BYTES];
    if (!ip_parse(text, ret_ip))
        log_refuse(reader, field->name, "must be an IPv4 or IPv6 address, or empty, but is %s", text_quote(text, room));
}

static enum err intern(struct log_reader *reader, struct slice text, uint32_t *ret_index)
{
    if (reader->refused)
        return OK;
    return batch_intern(reader->batch, text, ret_index);
}

static enum err read_text(struct log_reader *reader, const struct log_field *field, struct slice text,
                          uint32_t *ret_index)
{
    if (text.len <= (size_t)field->max)
        return intern(reader, text, ret_index);
    log_refuse(reader, field->name, "must have at most %" PRId64 " bytes, but has %zu", field->max, text.len);
    return OK;
}

/* Where versions up to 0.2.0 would have kept another domain, that is set aside: marks of imports have it. */
static enum err set_old_aside(struct log_reader *reader, struct slice text, struct slice domain)
{
    char old[LIMIT_DOMAIN_BYTES + 1];
    size_t len;
    const char *why;
    if (!domain_fold(text, old, &len, &why) || (len == domain.len && memcmp(old, domain.data, len) == 0))
        return OK;
    return batch_set_aside(reader->batch, (struct slice){old, len}, &reader->log.domain_sent);
}

static enum err read_domain(struct log_reader *reader, const struct log_field *field, struct slice text,
                            uint32_t *ret_index)
{
    char room[LIMIT_DOMAIN_BYTES + 1];
    struct slice domain = {.data = room};
    const char *why;
    if (!domain_normalise(text, room, &domain.len, &why)) {
        log_refuse(reader, field->name, "%s", why);
        return OK;
    }
    enum err err = intern(reader, domain, ret_index);
    return err || reader->refused ? err : set_old_aside(reader, text, domain);
}

/* Are these bytes a text at all? JSON's strings without escapes are: the scanner took them. */
static bool is_text(struct log_reader *reader, const struct log_field *field, enum log_value value, struct slice text)
{
    if (value == LOG_STRING)
        return true;
    if (text.len > 0 && memchr(text.data, '\0', text.len))
        log_refuse(reader, field->name, "must not contain the NUL character, \\u0000");
    else if (value == LOG_CELL && !text_is_utf8(text.data, text.len))
        log_refuse(reader, field->name, "must be valid UTF-8");
    else
        return true;
    return false;
}

static enum err read_string(struct log_reader *reader, const struct log_field *field, enum log_value value,
                            struct slice text, void *place)
{
    if (value == LOG_NUMBER || value == LOG_OTHER) {
        char room[TEXT_QUOTE_BYTES];
        log_refuse(reader, field->name, "must be a string, but is %s", seen(value, text, room));
        return OK;
    }
    if (!is_text(reader, field, value, text))
        return OK;
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

static bool is_number(const struct log_field *field)
{
    return field->kind == FIELD_INTEGER || field->kind == FIELD_PORT;
}

enum err log_reader_put(struct log_reader *reader, size_t i, enum log_value value, struct slice text)
{
    const struct log_field *field = &log_fields[i];
    void *place = (char *)&reader->log + field->offset;
    if (value == LOG_CELL && text.len == 0 && (is_number(field) || field->kind == FIELD_TIME))
        return OK;
    if (reader->seen >> i & 1) {
        log_refuse(reader, field->name, "stands twice");
        return OK;
    }
    reader->seen |= UINT32_C(1) << i;
    if (!is_number(field))
        return read_string(reader, field, value, text, place);
    read_number(reader, field, value, text, place);
    return OK;
}

size_t log_field_resembled(struct slice name)
{
    size_t i = 0;
    while (i < LOG_FIELDS && !slice_resembles(name, log_fields[i].name))
        i++;
    return i;
}

static void refuse_unknown(struct log_reader *reader, struct slice name)
{
    char shown[UNKNOWN_NAME_BYTES];
    size_t meant = log_field_resembled(name);
    log_unknown_show(name, shown);
    if (meant < LOG_FIELDS)
        log_refuse(reader, "", "has '%s', which no log has; '%s' is probably meant; %s", shown, log_fields[meant].name,
                   reader->unknown->advice);
    else
        log_refuse(reader, "", "has '%s', which no log has; %s", shown, reader->unknown->advice);
}

void log_reader_unknown(struct log_reader *reader, struct slice name)
{
    if (reader->unknown && reader->unknown->is_ignored) {
        log_unknown_count(reader->unknown, log_unknown_find(reader->unknown, name));
        return;
    }
    if (reader->unknown) {
        refuse_unknown(reader, name);
        return;
    }
    size_t i = log_field_resembled(name);
    if (i == LOG_FIELDS)
        return;
    reader->resembled |= UINT32_C(1) << i;
    snprintf(reader->spelling[i], LOG_SPELLING_BYTES, "%.*s", (int)(name.len < 1000 ? name.len : 1000), name.data);
}

static void check_missing(struct log_reader *reader, size_t i)
{
    if (reader->seen >> i & 1)
        return;
    if (reader->resembled >> i & 1)
        log_refuse(reader, log_fields[i].name, "is missing; '%s' is probably meant to be it", reader->spelling[i]);
    else if (log_fields[i].required)
        log_refuse(reader, log_fields[i].name, "is required");
}

enum err log_reader_end(struct log_reader *reader)
{
    for (size_t i = 0; i < LOG_FIELDS; i++)
        check_missing(reader, i);
    if (!reader->refused)
        return batch_add(reader->batch, &reader->log);
    batch_drop_names(reader->batch, reader->names);
    return OK;
}
