/* answers.h: does every report over HTTP say what plain SQL over raw_log says? */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "support/stack.h"

/* Asks for each report, each width and several filters, about the logs of tests/support/ledger.h, and compares every
 * byte of the answer. Nothing may be written meanwhile. Returns how many answers were compared. */
int answers_check(const struct stack *stack);

#endif
