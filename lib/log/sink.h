/* sink.h: where the logs of a file go, one by one, while it is read piece by piece. */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include "base/err.h"
#include "log/fields.h"

#include <stdint.h>

/* A record that is not a log, and what is wrong with it first. */
struct log_bad {
    int64_t line;   /* of the file, from 1: where the record begins */
    char field[24]; /* "" when the log itself is at fault */
    char message[LOG_MESSAGE_BYTES];
};

/* Anything but OK stops the reading and is returned. */
struct log_sink {
    void *ctx;
    enum err (*take)(void *ctx, int64_t line, struct fault *fault); /* a log was added to the batch */
    enum err (*bad)(void *ctx, const struct log_bad *bad, struct fault *fault);
};

#endif
