/* json_out.c: JSON text into a buffer. Knows where commas go. Knows no endpoint. */
#include "format/json_out.h"

#include "time/when.h"

#include "base/banned.h"

void json_out_init(struct json_out *out, struct buf *buf)
{
    *out = (struct json_out){.buf = buf};
}

static void put_comma(struct json_out *out)
{
    if (out->comma)
        buf_putc(out->buf, ',');
    out->comma = true;
}

static void begin(struct json_out *out, char bracket)
{
    put_comma(out);
    buf_putc(out->buf, bracket);
    out->comma = false;
}

static void end(struct json_out *out, char bracket)
{
    buf_putc(out->buf, bracket);
    out->comma = true;
}

void json_out_begin_object(struct json_out *out)
{
    begin(out, '{');
}

void json_out_end_object(struct json_out *out)
{
    end(out, '}');
}

void json_out_begin_array(struct json_out *out)
{
    begin(out, '[');
}

void json_out_end_array(struct json_out *out)
{
    end(out, ']');
}

void json_out_name(struct json_out *out, const char *name)
{
    put_comma(out);
    buf_putc(out->buf, '"');
    buf_puts(out->buf, name);
    buf_put(out->buf, "\":", 2);
    out->comma = false;
}

void json_out_text(struct json_out *out, struct slice text)
{
    put_comma(out);
    text_put_json(out->buf, text);
}

void json_out_cstr(struct json_out *out, const char *text)
{
    json_out_text(out, slice_of(text));
}

void json_out_number(struct json_out *out, int64_t value)
{
    put_comma(out);
    buf_put_i64(out->buf, value);
}

void json_out_decimal(struct json_out *out, int64_t value)
{
    put_comma(out);
    buf_putc(out->buf, '"');
    buf_put_i64(out->buf, value);
    buf_putc(out->buf, '"');
}

void json_out_time(struct json_out *out, int64_t seconds)
{
    char text[WHEN_TEXT_BYTES];

    when_format(seconds, text);
    put_comma(out);
    buf_putc(out->buf, '"');
    buf_puts(out->buf, text);
    buf_putc(out->buf, '"');
}

void json_out_bool(struct json_out *out, bool value)
{
    put_comma(out);
    buf_puts(out->buf, value ? "true" : "false");
}

void json_out_null(struct json_out *out)
{
    put_comma(out);
    buf_puts(out->buf, "null");
}
