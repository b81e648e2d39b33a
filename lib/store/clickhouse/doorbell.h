/* doorbell.h: "ship now": from the processes that answer reports to the one that ships, by a datagram to DIR/ship.sock.
 * Losing one is no loss: what waits is shipped soon all the same. */
#ifndef STORE_CLICKHOUSE_DOORBELL_H
#define STORE_CLICKHOUSE_DOORBELL_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Asks. Nobody may be listening. */
void doorbell_ring(const char *data_dir);

/* Listens; the descriptor is *ret_fd, to be closed. ERR_UNAVAILABLE. */
enum err doorbell_listen(const char *data_dir, int *ret_fd, struct fault *fault);

/* Waits so long for someone who asks, or until `wake_fd` can be read. True: someone asked. */
bool doorbell_wait(int fd, int wake_fd, int64_t milliseconds);

#endif
