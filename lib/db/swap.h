/* swap.h: the last step of a restore: new databases, ready in a folder within the data folder, change places with
 * those that are there. For the databases' own rooms. */
#ifndef DB_SWAP_H
#define DB_SWAP_H

#include "base/err.h"

#include <stdbool.h>

#define STORE_PARTIAL "restore.partial" /* where they are made; worth nothing when its maker is gone */
#define STORE_READY                                                                                                    \
    "restore.ready" /* the same folder once they are whole and synced: from this rename on, they are the databases */
#define STORE_KEPT_NAME_BYTES 64

/* There is a folder STORE_READY: a restore was interrupted in its last step. */
bool swap_is_pending(const char *data_dir);

/* STORE_PARTIAL, in which everything is synced, becomes STORE_READY. */
enum err swap_commit(const char *data_dir, struct fault *fault);

/* Finishes a pending restore; the lock must be held. Moves the old databases and their journals into the folder
 * DIR/before-restore-<when>, and the new ones into their place. Needs no room on the disk. It may be interrupted at any
 * moment, and run again. *ret_kept is that folder's name, "" when there were no old databases. */
enum err swap_finish(const char *data_dir, char ret_kept[STORE_KEPT_NAME_BYTES], struct fault *fault);

#endif
