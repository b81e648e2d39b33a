/* answer.h: what the service says when it refuses: the error body of docs/api.md, read by json-c. */
#ifndef CTL_ANSWER_H
#define CTL_ANSWER_H

#include "base/buf.h"

#include <stdint.h>

#define ANSWER_WORDS_BYTES 512

struct answer {
    char words[ANSWER_WORDS_BYTES]; /* in plain words: the detail, else the message key, else what stands there */
    int64_t index;                  /* of the first log that is refused, from 0; -1: none is named */
    char field[64];                 /* of that log; "": none is named */
};

/* Reads a body of any kind: one that is no such error is cut to its first words. */
void answer_read(struct buf *body, struct answer *ret_answer);

#endif
