/* import.h: what the files of analyticsctl import share: the chunks that the logs of a file are cut into, and where
 * they go. */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "ctl/ctl.h"
#include "ctl/import_spool.h"
#include "log/batch.h"
#include "log/import_key.h"

#include <stddef.h>

/* A run of logs of one file, in order of time. */
struct chunk {
    struct batch batch;
    struct import_batch piece;       /* what is said of them */
    const char *file;                /* for messages */
    int64_t lines[SPOOL_BATCH_LOGS]; /* of the file: where each log stands */
    uint32_t already;                /* so many of its logs were stored before */
};

/* So many chunks are stored in one transaction. */
#define IMPORT_GROUP 4

/* The database's file, or a service. Functions return one of enum ctl_exit; a failure has been said. */
struct import_target {
    void *ctx;

    /* Stores (or checks) chunks, in order, each whole or not at all, and sets `already` in each. *ret_stored: how many
     * are stored, on a failure too. */
    int (*put)(void *ctx, struct chunk *chunks, size_t count, size_t *ret_stored);

    int (*finish)(void *ctx);
    void (*close)(void *ctx); /* takes NULL for the ctx */
};

/* ctl/offline.c: the data folder's database; nobody else may write it meanwhile. */
int ctl_offline_open(const struct ctl *ctl, struct import_target *ret_target);

/* ctl/post.c: the service at --url, with the key in --key-file. */
int ctl_post_open(const struct ctl *ctl, struct import_target *ret_target);

/* ctl/import.c: says that a chunk was refused, in the words of the store: all of it, or ERR_IMPORT_UNCLEAR. Returns
 * CTL_FAILED. */
int ctl_chunk_refused(const struct chunk *chunk, const char *words);
int ctl_chunk_unclear(const struct chunk *chunk, const char *words);

#endif
