/* values.h: which breakdowns the table value_day answers, and for which days. Private to this room. */
#ifndef STORE_SQLITE_READ_VALUES_H
#define STORE_SQLITE_READ_VALUES_H

#include "store/sqlite/read/pass.h"

/* Is nothing asked but what value_day knows: everyone's logs by this dimension? */
bool values_answer(const struct scan *scan, enum dimension by);

/* ERR_LOGS_PRUNED where such a question is about a day that has neither logs any more nor rows in value_day. */
enum err values_check_kept(struct sqlite_reader *reader, const struct scan *scan, enum dimension by,
                           struct fault *fault);

/* The days from `begin` on, at most to `end`, that all have rows in value_day (*ret_kept), or of which only logs tell.
 */
enum err values_run(const struct pass *pass, int64_t begin, int64_t end, int64_t *ret_end, bool *ret_kept);

#endif
