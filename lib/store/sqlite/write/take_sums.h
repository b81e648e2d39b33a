/* take_sums.h: takes selected logs out of sums, where the logs are no longer kept. */
#ifndef STORE_SQLITE_WRITE_TAKE_SUMS_H
#define STORE_SQLITE_WRITE_TAKE_SUMS_H

#include "store/sqlite/write/take.h"

/* Out of those of one whole day that is before the horizon of logs, in a transaction of its own. Selected by users,
 * orders and domains; where quarters of an hour are kept, by users alone. What is taken is added to *sums. */
enum err sqlite_take_sums(struct sqlite_writer *writer, const struct selection *selection, int64_t day,
                          struct totals *sums, struct fault *fault);

#endif
