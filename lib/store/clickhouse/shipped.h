/* shipped.h: "something was shipped": from the process that ships to those that wait for it, by a counter in
 * DIR/shipped that all of them map. Missing one is no loss: whoever waits looks again soon all the same. */
#ifndef STORE_CLICKHOUSE_SHIPPED_H
#define STORE_CLICKHOUSE_SHIPPED_H

#include <stdbool.h>
#include <stdint.h>

/* All-zero is a closed one, of which nobody is told. */
struct shipped {
    _Atomic uint32_t *counter;
};

/* For the one who tells, makes the file. Where it can't be had, nobody is told. */
void shipped_open(const char *data_dir, bool tells, struct shipped *ret_shipped);
void shipped_close(struct shipped *shipped);

/* Changes whenever something was shipped. */
uint32_t shipped_count(const struct shipped *shipped);
void shipped_tell(const struct shipped *shipped);

/* Returns once the count is another one, or after a while. */
void shipped_await(const struct shipped *shipped, uint32_t count);

#endif
