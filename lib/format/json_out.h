/* json_out.h: JSON text, written straight into a buffer. Puts the commas; allocates nothing of its own. */
#ifndef FORMAT_JSON_OUT_H
#define FORMAT_JSON_OUT_H

#include "base/buf.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct json_out {
    struct buf *buf; /* borrowed */
    bool comma;      /* the next name or value needs one before it */
};

void json_out_init(struct json_out *out, struct buf *buf);

void json_out_begin_object(struct json_out *out);
void json_out_end_object(struct json_out *out);
void json_out_begin_array(struct json_out *out);
void json_out_end_array(struct json_out *out);

/* A member's name: our own word, written as it is. */
void json_out_name(struct json_out *out, const char *name);

void json_out_text(struct json_out *out, struct slice text); /* escaped */
void json_out_cstr(struct json_out *out, const char *text);  /* escaped */
void json_out_number(struct json_out *out, int64_t value);
void json_out_decimal(struct json_out *out, int64_t value); /* a string of digits: "1542" */
void json_out_time(struct json_out *out, int64_t seconds);  /* "YYYY-MM-DD HH:MM:SS" */
void json_out_bool(struct json_out *out, bool value);
void json_out_null(struct json_out *out);

#endif
