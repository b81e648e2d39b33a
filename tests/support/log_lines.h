/* log_lines.h: is a line of the log whole? A program's line is "time level event name=value …", nginx's access line is
 * "time=… event=http name=value …". A value is a word or a quoted text in which every control character is escaped. */
#ifndef SUPPORT_LOG_LINES_H
#define SUPPORT_LOG_LINES_H

#include <stdbool.h>

bool log_is_program_line(const char *line);
bool log_is_access_line(const char *line);

/* A line of nginx's error log, "2026/11/23 15:06:45 [error] …", which only ./serve writes into the same file, or one of
 * ./serve itself. */
bool log_is_other_line(const char *line);

#endif
