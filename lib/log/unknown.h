/* unknown.h: members of logs (or columns) that no log has, while a file is imported: refused, or ignored and counted by
 * name. Knows no format. */
#ifndef LOG_UNKNOWN_H
#define LOG_UNKNOWN_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNKNOWN_NAMES 20      /* so many are counted by themselves */
#define UNKNOWN_NAME_BYTES 64 /* longer names are cut */

struct log_unknown {
    bool is_ignored;
    const char *advice; /* how it can be ignored, for the refusal: "--ignore-unknown ignores it" */
    struct {
        char name[UNKNOWN_NAME_BYTES];
        int64_t count; /* of logs, or of their records in CSV */
    } names[UNKNOWN_NAMES];
    size_t count;
    int64_t others; /* how often further names came */
};

/* Where a name that is ignored is counted; and counts it there once more. */
size_t log_unknown_find(struct log_unknown *unknown, struct slice name);
void log_unknown_count(struct log_unknown *unknown, size_t place);

/* The name as it can be shown: cut, in one line, without control characters. */
void log_unknown_show(struct slice name, char ret_text[UNKNOWN_NAME_BYTES]);

#endif
