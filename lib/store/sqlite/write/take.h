/* take.h: deletes logs that are selected. */
#ifndef STORE_SQLITE_WRITE_TAKE_H
#define STORE_SQLITE_WRITE_TAKE_H

#include "store/sqlite/write/writer.h"

/* From … to, both among them. */
struct id_range {
    int64_t from, to;
};

/* Logs of which all is true. */
struct selection {
    int64_t from, to; /* from <= ts < to, Unix seconds */
    struct id_range users, orders, batches;
    struct id_range domains, workers; /* name ids */
    bool by_import;                   /* only what imports of this source have stored */
    int64_t source;                   /* name.id */

    bool forget_imports; /* imports may store them again */
};

/* The parameters of the condition SELECTED. */
#define SELECTED_VALUES 15
void sqlite_selected_values(const struct selection *selection, int64_t quarter, int64_t ret_values[SELECTED_VALUES]);

/* What was taken. */
struct taken {
    int64_t logs;
    struct totals totals; /* of those; all but max_concurrency */
};

/* Deletes some of the selected logs, from a quarter of an hour on, in a transaction of its own. *quarter moves on; it
 * is INT64_MAX at the end. What is taken is added to *taken. */
enum err sqlite_take_logs(struct sqlite_writer *writer, const struct selection *selection, int64_t *quarter,
                          struct taken *taken, struct fault *fault);

/* The work in a transaction, and a checkpoint when that is due. After a failure everything is as before. */
enum err sqlite_take_in_transaction(struct sqlite_writer *writer,
                                    enum err (*work)(struct sqlite_writer *writer, void *ctx, struct fault *fault),
                                    void *ctx, struct fault *fault);

/* Takes it out of the table total, in such a transaction. */
enum err sqlite_take_total(struct sqlite_writer *writer, const struct totals *totals, struct fault *fault);

#endif
