/* exchanges.h: notes the requests of a test and their answers, one JSON object a line. tests/contract/ compares all of
 * them with docs/openapi.json. */
#ifndef SUPPORT_EXCHANGES_H
#define SUPPORT_EXCHANGES_H

#include "http/http.h"
#include "support/stack.h"

/* Empties this program's file: $ANALYTICS_BUILDDIR/tests/e2e/exchanges/PROGRAM.ndjson. */
void exchanges_begin(void);

/* Adds an exchange, unless there was no answer, or a large one. */
void exchanges_note(const struct request_spec *spec, const struct reply *reply);

/* The same for a test that calls the endpoints without a socket, with some engine: PROGRAM.ENGINE.ndjson. */
void exchanges_begin_behind(const char *engine);
void exchanges_note_behind(const char *engine, const struct request *request, const struct response *response);

#endif
