/* beside.c: the thread that reads slices of closing. Knows whose the slice is. Does not know what is read. */
#include "store/sqlite/write/beside.h"

#include "store/sqlite/file.h"
#include "store/sqlite/packed_log.h"
#include "store/sqlite/write/kinds.h"
#include "store/sqlite/write/sql.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/banned.h"

struct closing_thread {
    struct store_wake wake;
    struct db db;               /* the thread's alone */
    struct log_reading reading; /* likewise */
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work;
    struct closing_slice *slice; /* to be read; NULL: none */
    bool stopping;
    enum err err; /* of the last one */
    struct fault fault;
};

/* ---- the thread ---- */

/* In one transaction: a slice is one moment's truth. */
static enum err read_slice(struct closing_thread *beside, struct closing_slice *slice, struct fault *fault)
{
    enum err err = db_exec(&beside->db, "BEGIN", fault);
    if (err)
        return err;
    err = sqlite_slice_read(slice, &beside->reading, fault);
    db_rollback(&beside->db);
    return err;
}

/* The next one, or NULL to stop. */
static struct closing_slice *await(struct closing_thread *beside)
{
    pthread_mutex_lock(&beside->lock);
    while (!beside->slice && !beside->stopping)
        pthread_cond_wait(&beside->work, &beside->lock);
    struct closing_slice *slice = beside->stopping ? NULL : beside->slice;
    pthread_mutex_unlock(&beside->lock);
    return slice;
}

static void hand_back(struct closing_thread *beside, enum err err, const struct fault *fault)
{
    pthread_mutex_lock(&beside->lock);
    beside->err = err;
    beside->fault = *fault;
    beside->slice = NULL;
    pthread_mutex_unlock(&beside->lock);
    beside->wake.wake(beside->wake.ctx);
}

static void *work(void *ctx)
{
    struct closing_thread *beside = ctx;
    for (struct closing_slice *slice; (slice = await(beside));) {
        struct fault fault = {0};
        enum err err = read_slice(beside, slice, &fault);
        hand_back(beside, err, &fault);
    }
    return NULL;
}

/* ---- the writer's thread ---- */

void sqlite_beside_begin(struct closing_thread *beside, struct closing_slice *slice)
{
    pthread_mutex_lock(&beside->lock);
    assert(!beside->slice);
    beside->slice = slice;
    pthread_cond_signal(&beside->work);
    pthread_mutex_unlock(&beside->lock);
}

bool sqlite_beside_is_done(struct closing_thread *beside, enum err *ret_err, struct fault *fault)
{
    pthread_mutex_lock(&beside->lock);
    bool is_done = !beside->slice;
    if (is_done)
        *ret_err = beside->err;
    if (is_done && beside->err)
        *fault = beside->fault;
    pthread_mutex_unlock(&beside->lock);
    return is_done;
}

/* ---- start and stop ---- */

static void release(struct closing_thread *beside)
{
    db_close(&beside->db);
    pthread_cond_destroy(&beside->work);
    pthread_mutex_destroy(&beside->lock);
    free(beside);
}

static enum err open_file(struct closing_thread *beside, const char *path, struct fault *fault)
{
    enum err err = db_open(&beside->db, path, DB_READ_ONLY, STORE_READER_BUSY_MS, fault);
    if (!err)
        err = sqlite_know_packed_log(&beside->db, fault);
    return err ? err : sqlite_writer_prepare(&beside->db, fault);
}

enum err sqlite_beside_start(const char *path, const struct store_wake *wake, struct closing_thread **ret_beside,
                             struct fault *fault)
{
    struct closing_thread *beside = calloc(1, sizeof *beside);
    if (!beside)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    beside->wake = *wake;
    beside->reading.db = &beside->db;
    int failed = pthread_mutex_init(&beside->lock, NULL);
    failed |= pthread_cond_init(&beside->work, NULL);
    assert(!failed);
    enum err err = open_file(beside, path, fault);
    if (!err && pthread_create(&beside->thread, NULL, work, beside))
        err = fault_set(fault, ERR_UNAVAILABLE, "can't start a thread");
    if (err)
        release(beside);
    else
        *ret_beside = beside;
    return err;
}

void sqlite_beside_stop(struct closing_thread *beside)
{
    if (!beside)
        return;
    pthread_mutex_lock(&beside->lock);
    beside->stopping = true;
    pthread_cond_signal(&beside->work);
    pthread_mutex_unlock(&beside->lock);
    pthread_join(beside->thread, NULL);
    release(beside);
}
