/* exchanges.h: notes what a test asked and what it was answered, one JSON object a line, for the test that compares all
 * of it with the description of the API (tests/contract/). */
#ifndef SUPPORT_EXCHANGES_H
#define SUPPORT_EXCHANGES_H

#include "http/http.h"
#include "support/stack.h"

/* Begins this program's file anew: $ANALYTICS_BUILDDIR/tests/e2e/exchanges/PROGRAM.ndjson. */
void exchanges_begin(void);

/* Adds one that was answered. */
void exchanges_note(const struct request_spec *spec, const struct reply *reply);

/* The same for a test that asks the endpoints without a socket, behind an engine: PROGRAM.ENGINE.ndjson. */
void exchanges_begin_behind(const char *engine);
void exchanges_note_behind(const char *engine, const struct request *request, const struct response *response);

#endif
