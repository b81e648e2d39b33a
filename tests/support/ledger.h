/* ledger.h: numbered batches, and what must be found of them in a database: each one whole, once and with its key, or
 * nothing of it. Knows the store by store.h and looks into its tables in plain SQL. */
#ifndef SUPPORT_LEDGER_H
#define SUPPORT_LEDGER_H

#include "store/store.h"

#include <sys/types.h>

#define LEDGER_BATCHES 4096
#define LEDGER_BEGIN INT64_C(1829606400) /* the first batch's logs are of 2027-12-24 */
#define LEDGER_NOW INT64_C(4000000000)   /* later than every log */
#define LEDGER_KEEP INT64_C(4000000000)  /* keys are not forgotten */

/* What is known of a batch. */
enum fate { ABSENT, WHOLE, EITHER };

struct ledger {
    int count; /* numbers in use */
    unsigned char fate[LEDGER_BATCHES];
    int logs;      /* about so many in a batch */
    int pause;     /* seconds between a batch's logs and the next one's */
    int64_t begin; /* of the first batch's logs; 0: LEDGER_BEGIN */
};

/* The item of batch `number`: always the same logs, two of three batches with a key, now and then an empty one. */
struct ledger_batch {
    struct batch batch;
    char key[16];
};
void ledger_batch_make(struct ledger_batch *made, const struct ledger *ledger, int number);
struct store_item ledger_item(const struct ledger_batch *made, int number);

/* Writes batch `number` alone. */
struct store_item ledger_write(struct store_writer *writer, const struct ledger *ledger, int number);

/* A process that writes FOLDER/analytics.db: batch after batch, one for each byte that comes through the pipe, with
 * more or less upkeep between them, until the pipe is closed; then it ends with status 0. The file is there on return.
 */
pid_t ledger_start_writer(const struct ledger *ledger, const char *folder, int *ret_pipe_end);

/* Looks at FOLDER/analytics.db: fails the test, naming `about`, unless every batch is there as its fate says, the file
 * is sound and rollups equal raw logs. Afterwards EITHER has become what was found. */
void ledger_check(struct ledger *ledger, const char *folder, const char *about);

/* FOLDER's database is removed, and the folder. */
void ledger_remove_folder(const char *folder);

#endif
