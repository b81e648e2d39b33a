/* log.h: one structured line per event on stderr, in logfmt:
 *
 *   2026-04-01T12:00:00.000Z info request method=GET path="/analytics/traffic" status=200 ms=1.2
 *
 * Each line is one write(2), so lines of many threads and processes never mix. Text from outside is escaped. Callers
 * never pass a query string or a key. */
#ifndef PROCESS_LOG_H
#define PROCESS_LOG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

/* Lines below `level` are dropped. Call before there are threads; LEVEL_INFO until then. */
void log_set_level(enum log_level level);

/* "debug", "info", "warn", "error"; false for any other text. */
bool log_level_parse(struct slice text, enum log_level *ret_level);

struct log_line {
    struct buf text;
    bool wanted;
};

/* log_begin, any number of fields, log_end. `event` and `name` are our own words. */
void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_slice(struct log_line *line, const char *name, struct slice value); /* escaped; long text is cut */
void log_cstr(struct log_line *line, const char *name, const char *value);   /* the same */
void log_word(struct log_line *line, const char *name, const char *value);   /* our own word: not quoted */
void log_i64(struct log_line *line, const char *name, int64_t value);
void log_ms(struct log_line *line, const char *name, int64_t microseconds); /* as milliseconds, one decimal */
void log_end(struct log_line *line);

/* A whole line: the event and why. */
void log_fault(enum log_level level, const char *event, const struct fault *fault);

#endif
