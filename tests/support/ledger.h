/* ledger.h: numbered batches, and a check that a database has each of them whole, once and with its key, or nothing of
 * it. Knows the store by store.h and looks into its tables in plain SQL. */
#ifndef SUPPORT_LEDGER_H
#define SUPPORT_LEDGER_H

#include "store/store.h"

#include <sys/types.h>

#define LEDGER_BATCHES 4096
#define LEDGER_BEGIN INT64_C(1829606400) /* the first batch's logs are of 2027-12-24 */
#define LEDGER_NOW INT64_C(4000000000)   /* later than every log */
#define LEDGER_KEEP INT64_C(4000000000)  /* keys are not forgotten */

/* What must be found of a batch. */
enum fate { ABSENT, WHOLE, EITHER };

struct ledger {
    int count; /* numbers in use */
    unsigned char fate[LEDGER_BATCHES];
    int logs;      /* about so many in a batch */
    int pause;     /* seconds between a batch's logs and the next one's */
    int64_t begin; /* of the first batch's logs; 0: LEDGER_BEGIN */
};

/* Batch `number`, always with the same logs. Two of three batches have a key; a few are empty. */
struct ledger_batch {
    struct batch batch;
    char key[16];
};
void ledger_batch_make(struct ledger_batch *made, const struct ledger *ledger, int number);
struct store_item ledger_item(const struct ledger_batch *made, int number);

/* Writes batch `number` alone. */
struct store_item ledger_write(struct store_writer *writer, const struct ledger *ledger, int number);

/* A process that writes FOLDER/analytics.db: a batch for each byte that comes through the pipe, with more or less
 * upkeep between them. It ends with status 0 when the pipe is closed. The file is there on return. */
pid_t ledger_start_writer(const struct ledger *ledger, const char *folder, int *ret_pipe_end);

/* Fails the test, naming `about`, unless FOLDER/analytics.db is sound, has every batch as its fate says, and its
 * rollups equal the raw logs. Afterwards each fate EITHER is the one that was found. */
void ledger_check(struct ledger *ledger, const char *folder, const char *about);

/* Removes the folder and its database. */
void ledger_remove_folder(const char *folder);

#endif
