/* log_out.c: logs as JSON and as CSV. Knows how each kind of member is written. */
#include "format/log_out.h"

#include "log/fields.h"
#include "time/when.h"

#include <string.h>

#include "base/banned.h"

#define IP_TEXT_BYTES 46

/* A member as text: a number's digits, or what stands between quotation marks. */
struct value {
    bool is_number;
    int64_t number;
    struct slice text;
    char room[IP_TEXT_BYTES];
};

static size_t name_of(const struct log_field *field)
{
    return (field->offset - offsetof(struct log_record, name)) / sizeof(uint32_t);
}

static void get_value(const struct log_text *log, const struct log_field *field, struct value *ret_value)
{
    const void *place = (const char *)log->record + field->offset;
    ret_value->is_number = false;
    switch (field->kind) {
    case FIELD_TIME:
        when_format(*(const int64_t *)place, ret_value->room);
        break;
    case FIELD_IP:
        ip_format(place, ret_value->room);
        break;
    case FIELD_DOMAIN:
    case FIELD_TEXT:
        ret_value->text = log->name[name_of(field)];
        return;
    case FIELD_INTEGER:
        ret_value->is_number = true;
        ret_value->number = *(const int64_t *)place;
        return;
    case FIELD_PORT:
        ret_value->is_number = true;
        ret_value->number = *(const uint16_t *)place;
        return;
    }
    ret_value->text = slice_of(ret_value->room);
}

void log_put_json(struct buf *buf, const struct log_text *log)
{
    struct value value;
    for (size_t i = 0; i < LOG_FIELDS; i++) {
        get_value(log, &log_fields[i], &value);
        buf_puts(buf, i > 0 ? ",\"" : "{\"");
        buf_put(buf, log_fields[i].name, log_fields[i].name_len);
        buf_puts(buf, "\":");
        if (value.is_number)
            buf_put_i64(buf, value.number);
        else
            text_put_json(buf, value.text);
    }
    buf_putc(buf, '}');
}

void log_put_csv(struct buf *buf, const struct log_text *log)
{
    struct value value;
    for (size_t i = 0; i < LOG_FIELDS; i++) {
        get_value(log, &log_fields[i], &value);
        if (i > 0)
            buf_putc(buf, ',');
        if (value.is_number)
            buf_put_i64(buf, value.number);
        else
            text_put_csv(buf, value.text);
    }
    buf_puts(buf, "\r\n");
}

void log_put_csv_header(struct buf *buf)
{
    for (size_t i = 0; i < LOG_FIELDS; i++) {
        if (i > 0)
            buf_putc(buf, ',');
        buf_put(buf, log_fields[i].name, log_fields[i].name_len);
    }
    buf_puts(buf, "\r\n");
}
