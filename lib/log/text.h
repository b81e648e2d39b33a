/* text.h: a log by itself, outside of any batch. */
#ifndef LOG_TEXT_H
#define LOG_TEXT_H

#include "base/text.h"
#include "log/batch.h"

/* A log, and its texts beside it: record->name is not looked at. */
struct log_text {
    const struct log_record *record;
    struct slice name[NAME_FIELDS];
    uint32_t number[NAME_FIELDS]; /* of its texts; set and used only where its reader says so */
};

#endif
