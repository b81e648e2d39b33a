/* offline.c: chunks of an import straight into the database. Knows groups and upkeep. Knows no file. */
#include "ctl/engine.h"
#include "ctl/import.h"
#include "db/files.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

struct offline {
    struct store_writer *writer;
    int64_t now;
};

static int say_refused(const struct chunk *chunk, const struct store_item *item)
{
    if (item->result == ERR_UNAVAILABLE)
        return ctl_fail("%s", item->fault.detail);
    if (item->result == ERR_IMPORT_UNCLEAR)
        return ctl_chunk_unclear(chunk, item->fault.detail);
    return ctl_chunk_refused(chunk, item->fault.detail);
}

/* The upkeep that the service does after each group. */
static int maintain(struct offline *offline)
{
    struct fault fault = {0};
    struct watch watch = {.is_stopped = ctl_watch_is_stopped};
    return sqlite_tend(sqlite_writer_of(offline->writer), offline->now, &watch, &fault) ? ctl_fault(&fault) : CTL_OK;
}

static int put(void *ctx, struct chunk *chunks, size_t count, size_t *ret_stored)
{
    struct offline *offline = ctx;
    struct store_item items[IMPORT_GROUP];
    char keys[IMPORT_GROUP][IMPORT_BATCH_KEY_BYTES];
    struct store_times times;
    for (size_t i = 0; i < count; i++) {
        import_batch_format(&chunks[i].piece, keys[i]);
        items[i] =
            (struct store_item){.batch = &chunks[i].batch, .caller = STORE_IMPORT_CALLER, .idempotency_key = keys[i]};
    }
    store_write(offline->writer, items, count, offline->now, &times);
    for (*ret_stored = 0; *ret_stored < count; ++*ret_stored) {
        if (items[*ret_stored].result)
            return say_refused(&chunks[*ret_stored], &items[*ret_stored]);
        chunks[*ret_stored].already = items[*ret_stored].already;
    }
    return maintain(offline);
}

static int finish(void *ctx)
{
    struct offline *offline = ctx;
    struct fault fault = {0};
    struct watch watch = {.is_stopped = ctl_watch_is_stopped};
    return sqlite_settle(sqlite_writer_of(offline->writer), offline->now, &watch, &fault) ? ctl_fault(&fault) : CTL_OK;
}

static void close_offline(void *ctx)
{
    struct offline *offline = ctx;
    if (!offline)
        return;
    store_writer_close(offline->writer);
    free(offline);
}

/* The writer would make what is missing; but a misspelt folder should not become a database. */
static int check_folder(const struct ctl *ctl)
{
    char path[CTL_PATH_BYTES];
    int status = ctl_path_in(ctl, FILE_LOGS, path);
    if (status || access(path, F_OK) == 0)
        return status;
    return errno == ENOENT ? ctl_fail("there is no %s; analyticsctl init makes it", path)
                           : ctl_fail("%s: %s", path, strerror(errno));
}

static int open_writer(const struct ctl *ctl, struct offline *offline)
{
    struct fault fault = {0};
    int64_t pid;
    char name[LOCK_HOLDER_BYTES];
    int status = ctl_become_owner(ctl->data_dir);
    if (!status)
        status = check_folder(ctl);
    if (!status)
        status = ctl_refuse_spool(ctl, "import without --url",
                                  "give --url and --key-file, so that the service takes the logs");
    if (status)
        return status;
    sqlite_setup(true);
    if (!store_writer_open(store_in(ctl->data_dir), &offline->writer, &fault))
        return CTL_OK;
    return sqlite_lock_holder(ctl->data_dir, &pid, name)
               ? ctl_fail("%s; or import through it, with --url", fault.detail)
               : ctl_fault(&fault);
}

int ctl_offline_open(const struct ctl *ctl, struct import_target *ret_target)
{
    struct offline *offline = calloc(1, sizeof *offline);
    if (!offline)
        return ctl_fail("out of memory");
    offline->now = ctl->now;
    int status = open_writer(ctl, offline);
    if (status) {
        close_offline(offline);
        return status;
    }
    *ret_target = (struct import_target){.ctx = offline, .put = put, .finish = finish, .close = close_offline};
    return CTL_OK;
}
