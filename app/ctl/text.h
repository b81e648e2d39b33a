/* text.h: figures as people read them, and members of a JSON result, for the commands of analyticsctl. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include "format/json_out.h"

#include <stdbool.h>
#include <stdint.h>

#define CTL_FIGURE_BYTES 32

/* "17 bytes", "3.4 MiB", "1.2 GiB": three digits or so. */
const char *ctl_size_text(int64_t bytes, char ret_text[CTL_FIGURE_BYTES]);

/* "1,234,567". */
const char *ctl_count_text(int64_t count, char ret_text[CTL_FIGURE_BYTES]);

/* "40 s", "3 min", "26 h", "5 days": rounded down. */
const char *ctl_span_text(int64_t seconds, char ret_text[CTL_FIGURE_BYTES]);

/* "YYYY-MM-DD HH:MM:SS UTC", `none` for 0; a time that only a damaged file can hold is "?". */
const char *ctl_time_text(int64_t seconds, const char *none, char ret_text[CTL_FIGURE_BYTES]);

/* Members. A time is null where there is none; so is a number below 0. */
void ctl_json_number(struct json_out *out, const char *name, int64_t value);
void ctl_json_cstr(struct json_out *out, const char *name, const char *text);
void ctl_json_bool(struct json_out *out, const char *name, bool value);
void ctl_json_time(struct json_out *out, const char *name, int64_t seconds);

/* Prints a result as one line, and releases the buffer. Returns CTL_OK or CTL_FAILED. */
int ctl_say_json(struct buf *text);

#endif
