/* text.h: figures as people read them, for the commands of analyticsctl. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

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

/* The same without "UTC", for columns that say it once; written in any case. */
void ctl_put_clock(int64_t seconds, const char *none, char ret_text[CTL_FIGURE_BYTES]);

/* As ctl_time_text for the time of a log, which may be 0: 1970's first second. */
const char *ctl_log_time_text(int64_t seconds, char ret_text[CTL_FIGURE_BYTES]);

/* A time that a sound file can hold, and not 0, which stands for none. */
bool ctl_is_time(int64_t seconds);

#endif
