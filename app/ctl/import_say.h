/* import_say.h: what an import says at its end. */
#ifndef CTL_IMPORT_SAY_H
#define CTL_IMPORT_SAY_H

#include "ctl/import_input.h"

#include <stdbool.h>
#include <stddef.h>

/* Each file's counts and error, and what was ignored, as lines or as JSON; returns the command's exit status, which was
 * `status` before a signal is looked at. */
int input_say(const struct import_input *inputs, size_t count, const struct log_unknown *unknown, bool as_json,
              int status);

#endif
