/* log_lines.h: whether a line of the log is whole. "time level event name=value …" is a program's; nginx's access line
 * is "time=… event=http name=value …". A value is a word or a quoted text in which every control character is escaped.
 */
#ifndef SUPPORT_LOG_LINES_H
#define SUPPORT_LOG_LINES_H

#include <stdbool.h>

bool log_is_program_line(const char *line);
bool log_is_access_line(const char *line);

/* nginx's own complaints, "2026/11/23 15:06:45 [error] …", in ./serve only; and what ./serve itself says. */
bool log_is_other_line(const char *line);

#endif
