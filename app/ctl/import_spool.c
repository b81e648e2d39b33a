/* import_spool.c: sorted runs of logs in a temporary file, and their merging into batches. Knows how a log lies there,
 * and where a batch ends. */
#include "ctl/import_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define RUN_BYTES (16u << 20)    /* sorted in memory */
#define WINDOW_BYTES (64u << 10) /* of a run, while it is merged */
#define DAY INT64_C(86400)

/* A batch's JSON stays below LIMIT_BODY_BYTES: import_mark.h has the sum, with twice as many names of members. */
_Static_assert(6 * (size_t)IMPORT_CHUNK_BYTES + 300 * (size_t)SPOOL_BATCH_LOGS < LIMIT_BODY_BYTES, "a body has room");

/* A log as it lies in the file: this, and its texts. */
struct spooled {
    int64_t hash;
    int64_t line;
    struct log_record log;
    uint16_t name_len[NAME_FIELDS];
};

#define SPOOLED_MAX (sizeof(struct spooled) + NAME_FIELDS * 512)
_Static_assert(LIMIT_DOMAIN_BYTES <= 512 && SPOOLED_MAX < WINDOW_BYTES, "a log fits");

/* Of the run in memory. */
struct place {
    int64_t ts, hash;
    size_t offset;
};

/* A run in the file, and how far it was read. */
struct sorted_run {
    int64_t from, to; /* bytes of the file */
    int64_t at;       /* the window's first byte */
    char *window;
    size_t len, used;
    struct spooled head; /* the next log; its texts follow in the window */
};

struct import_spool {
    int fd;
    int64_t file_bytes;

    char *memory; /* RUN_BYTES */
    size_t memory_used;
    struct place *places;
    size_t place_count, place_cap;

    struct sorted_run *runs;
    size_t run_count, run_cap;
    struct sorted_run **heap; /* the runs that are not at their end, the next log's first */
    size_t heap_count;

    int64_t logs;
    int64_t first_ts, last_ts; /* of the file's first log; the greatest */
    int64_t back;              /* the most that a log is older than one before it, seconds */
    int64_t least_ts;
    bool repeats;

    /* Where the last batch ended. */
    int64_t ended_ts, ended_hash;
    int64_t equal; /* so many logs like its last one */
};

static enum err out_of_memory(struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
}

static const char *folder(void)
{
    const char *named = getenv("TMPDIR");
    return named && *named ? named : "/var/tmp";
}

static enum err file_error(const char *doing, struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "can't %s a temporary file in %s (TMPDIR names another folder): %s", doing,
                     folder(), strerror(errno));
}

enum err import_spool_open(struct import_spool **ret_spool, struct fault *fault)
{
    struct import_spool *spool = calloc(1, sizeof *spool);
    if (spool)
        spool->memory = malloc(RUN_BYTES);
    if (!spool || !spool->memory) {
        free(spool);
        return out_of_memory(fault);
    }
    spool->fd = -1;
    *ret_spool = spool;
    return OK;
}

void import_spool_close(struct import_spool *spool)
{
    if (!spool)
        return;
    for (size_t i = 0; i < spool->run_count; i++)
        free(spool->runs[i].window);
    if (spool->fd >= 0)
        close(spool->fd);
    free(spool->runs);
    free(spool->heap);
    free(spool->places);
    free(spool->memory);
    free(spool);
}

/* ---- in ---- */

/* For file systems that can't make one without a name: a kill right here would leave it behind. */
static enum err make_and_unlink(struct import_spool *spool, struct fault *fault)
{
    char *path = NULL;
    if (asprintf(&path, "%s/analyticsctl-import.XXXXXX", folder()) < 0)
        return out_of_memory(fault);
    spool->fd = mkostemp(path, O_CLOEXEC);
    enum err err = spool->fd < 0 || unlink(path) != 0 ? file_error("make", fault) : OK;
    free(path);
    return err;
}

/* Nobody else can open it, and it is gone when the program ends, however it ends. */
static enum err make_file(struct import_spool *spool, struct fault *fault)
{
    spool->fd = open(folder(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    return spool->fd < 0 ? make_and_unlink(spool, fault) : OK;
}

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->ts != b->ts)
        return a->ts < b->ts ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static enum err write_all(struct import_spool *spool, const char *data, size_t len, struct fault *fault)
{
    while (len > 0) {
        ssize_t done = pwrite(spool->fd, data, len, (off_t)spool->file_bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return file_error("write to", fault);
        data += done;
        len -= (size_t)done;
        spool->file_bytes += done;
    }
    return OK;
}

static size_t bytes_at(const char *spooled)
{
    struct spooled head;
    memcpy(&head, spooled, sizeof head);
    size_t bytes = sizeof head;
    for (int i = 0; i < NAME_FIELDS; i++)
        bytes += head.name_len[i];
    return bytes;
}

static enum err write_sorted(struct import_spool *spool, struct fault *fault)
{
    char *window = malloc(WINDOW_BYTES);
    size_t used = 0;
    enum err err = window ? OK : out_of_memory(fault);
    for (size_t i = 0; i < spool->place_count && !err; i++) {
        const char *log = spool->memory + spool->places[i].offset;
        size_t bytes = bytes_at(log);
        if (used + bytes > WINDOW_BYTES) {
            err = write_all(spool, window, used, fault);
            used = 0;
        }
        if (!err)
            memcpy(window + used, log, bytes);
        used += bytes;
    }
    if (!err)
        err = write_all(spool, window, used, fault);
    free(window);
    return err;
}

static enum err add_run(struct import_spool *spool, int64_t from, struct fault *fault)
{
    if (spool->run_count == spool->run_cap) {
        size_t cap = spool->run_cap ? spool->run_cap * 2 : 16;
        struct sorted_run *runs = realloc(spool->runs, cap * sizeof *runs);
        if (!runs)
            return out_of_memory(fault);
        spool->runs = runs;
        spool->run_cap = cap;
    }
    spool->runs[spool->run_count++] = (struct sorted_run){.from = from, .to = spool->file_bytes};
    return OK;
}

/* What is in memory becomes a run. */
static enum err end_run(struct import_spool *spool, struct fault *fault)
{
    int64_t from = spool->file_bytes;
    if (spool->place_count == 0)
        return OK;
    qsort(spool->places, spool->place_count, sizeof *spool->places, compare_places);
    for (size_t i = 1; i < spool->place_count && !spool->repeats; i++)
        spool->repeats =
            spool->places[i].ts == spool->places[i - 1].ts && spool->places[i].hash == spool->places[i - 1].hash;
    enum err err = spool->fd < 0 ? make_file(spool, fault) : OK;
    if (!err)
        err = write_sorted(spool, fault);
    if (!err)
        err = add_run(spool, from, fault);
    spool->place_count = spool->memory_used = 0;
    return err;
}

static enum err add_place(struct import_spool *spool, const struct spooled *log, struct fault *fault)
{
    if (spool->place_count == spool->place_cap) {
        size_t cap = spool->place_cap ? spool->place_cap * 2 : 1024;
        struct place *places = realloc(spool->places, cap * sizeof *places);
        if (!places)
            return out_of_memory(fault);
        spool->places = places;
        spool->place_cap = cap;
    }
    spool->places[spool->place_count++] =
        (struct place){.ts = log->log.ts, .hash = log->hash, .offset = spool->memory_used};
    return OK;
}

static void note_time(struct import_spool *spool, int64_t ts)
{
    if (spool->logs++ == 0)
        spool->first_ts = spool->last_ts = spool->least_ts = ts;
    if (ts > spool->last_ts)
        spool->last_ts = ts;
    if (ts < spool->least_ts)
        spool->least_ts = ts;
    if (spool->last_ts - ts > spool->back)
        spool->back = spool->last_ts - ts;
}

enum err import_spool_add(struct import_spool *spool, const struct batch *batch, uint32_t index, int64_t line,
                          struct fault *fault)
{
    struct spooled log = {.hash = import_log_hash(batch, index), .line = line, .log = batch->logs[index]};
    log.log.domain_sent = (struct batch_text){0}; /* for marks, which are of older versions */
    enum err err = spool->memory_used + SPOOLED_MAX > RUN_BYTES ? end_run(spool, fault) : OK;
    if (!err)
        err = add_place(spool, &log, fault);
    if (err)
        return err;
    char *at = spool->memory + spool->memory_used + sizeof log;
    for (int i = 0; i < NAME_FIELDS; i++) {
        struct slice name = batch_name(batch, log.log.name[i]);
        log.name_len[i] = (uint16_t)name.len;
        memcpy(at, name.data, name.len);
        at += name.len;
    }
    memcpy(spool->memory + spool->memory_used, &log, sizeof log);
    spool->memory_used = (size_t)(at - spool->memory);
    note_time(spool, log.log.ts);
    return OK;
}

enum err import_spool_finish(struct import_spool *spool, struct fault *fault)
{
    enum err err = end_run(spool, fault);
    free(spool->memory);
    spool->memory = NULL;
    return err;
}

int64_t import_spool_logs(const struct import_spool *spool)
{
    return spool->logs;
}

/* Logs may come a little out of order, each `back` seconds late at the most: so may those before the first line and
 * after the last one. With that, a file that is half as long says nothing about where it begins. */
void import_spool_describe(const struct import_spool *spool, struct import_batch *ret_piece)
{
    bool mixed = spool->back > 0 && 2 * spool->back >= spool->last_ts - spool->least_ts;
    ret_piece->repeats = spool->repeats;
    ret_piece->mixed = mixed;
    ret_piece->begins_until = mixed ? spool->least_ts - 1 : spool->first_ts + spool->back;
    ret_piece->ends_from = mixed ? spool->last_ts + 1 : spool->last_ts - spool->back;
}

/* ---- out ---- */

/* Moves what is left of the window to its front, and fills it up. */
static enum err fill_window(const struct import_spool *spool, struct sorted_run *run, struct fault *fault)
{
    run->len -= run->used;
    run->at += (int64_t)run->used;
    memmove(run->window, run->window + run->used, run->len);
    run->used = 0;
    while (run->len < WINDOW_BYTES && run->at + (int64_t)run->len < run->to) {
        int64_t left = run->to - run->at - (int64_t)run->len;
        size_t room = WINDOW_BYTES - run->len;
        ssize_t got = pread(spool->fd, run->window + run->len, left < (int64_t)room ? (size_t)left : room,
                            (off_t)(run->at + (int64_t)run->len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return file_error("read", fault);
        run->len += (size_t)got;
    }
    return OK;
}

static bool is_at_end(const struct sorted_run *run)
{
    return run->at + (int64_t)run->used == run->to;
}

/* Reads the next log's head, unless the run is at its end. */
static enum err look(const struct import_spool *spool, struct sorted_run *run, struct fault *fault)
{
    enum err err = OK;
    if (run->len - run->used < SPOOLED_MAX)
        err = fill_window(spool, run, fault);
    if (!err && !is_at_end(run))
        memcpy(&run->head, run->window + run->used, sizeof run->head);
    return err;
}

static bool comes_before(const struct sorted_run *a, const struct sorted_run *b)
{
    if (a->head.log.ts != b->head.log.ts)
        return a->head.log.ts < b->head.log.ts;
    if (a->head.hash != b->head.hash)
        return a->head.hash < b->head.hash;
    return a->from < b->from;
}

static void swap(struct sorted_run **a, struct sorted_run **b)
{
    struct sorted_run *was = *a;
    *a = *b;
    *b = was;
}

static void sink(struct import_spool *spool, size_t i)
{
    for (size_t least = i;; i = least) {
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < spool->heap_count; child++)
            if (comes_before(spool->heap[child], spool->heap[least]))
                least = child;
        if (least == i)
            return;
        swap(&spool->heap[i], &spool->heap[least]);
    }
}

static enum err begin_run(const struct import_spool *spool, struct sorted_run *run, struct fault *fault)
{
    if (!run->window)
        run->window = malloc(WINDOW_BYTES);
    if (!run->window)
        return out_of_memory(fault);
    run->at = run->from;
    run->len = run->used = 0;
    return look(spool, run, fault);
}

enum err import_spool_rewind(struct import_spool *spool, struct fault *fault)
{
    enum err err = OK;
    free(spool->heap);
    spool->heap = calloc(spool->run_count + 1, sizeof(struct sorted_run *));
    spool->heap_count = 0;
    spool->equal = 0;
    if (!spool->heap)
        return out_of_memory(fault);
    for (size_t i = 0; i < spool->run_count && !err; i++) {
        err = begin_run(spool, &spool->runs[i], fault);
        spool->heap[spool->heap_count++] = &spool->runs[i];
    }
    for (size_t i = spool->heap_count; i-- > 0 && !err;)
        sink(spool, i);
    return err;
}

static const struct spooled *next_log(const struct import_spool *spool)
{
    return spool->heap_count > 0 ? &spool->heap[0]->head : NULL;
}

static enum err pass(struct import_spool *spool, struct fault *fault)
{
    struct sorted_run *run = spool->heap[0];
    run->used += bytes_at(run->window + run->used);
    enum err err = look(spool, run, fault);
    if (!err && is_at_end(run))
        spool->heap[0] = spool->heap[--spool->heap_count];
    if (!err)
        sink(spool, 0);
    return err;
}

/* The next log into the batch; *bytes grow by what counts towards IMPORT_CHUNK_BYTES. */
static enum err take(struct import_spool *spool, struct batch *batch, int64_t *ret_line, size_t *bytes,
                     struct fault *fault)
{
    struct sorted_run *run = spool->heap[0];
    struct spooled *head = &run->head;
    const char *text = run->window + run->used + sizeof *head;
    bool like_last = spool->equal > 0 && head->log.ts == spool->ended_ts && head->hash == spool->ended_hash;
    enum err err = OK;
    for (int i = 0; i < NAME_FIELDS && !err; i++) {
        err = batch_intern(batch, (struct slice){text, head->name_len[i]}, &head->log.name[i]);
        text += head->name_len[i];
    }
    if (!err)
        err = batch_add(batch, &head->log);
    if (err)
        return out_of_memory(fault);
    *ret_line = head->line;
    *bytes += (size_t)(text - (run->window + run->used));
    spool->equal = like_last ? spool->equal + 1 : 1;
    spool->ended_ts = head->log.ts;
    spool->ended_hash = head->hash;
    return pass(spool, fault);
}

/* Does the batch end before this log? */
static bool is_full(const struct batch *batch, size_t bytes, const struct spooled *next)
{
    uint32_t count = batch->log_count;
    if (count == 0)
        return false;
    if (count == SPOOL_BATCH_LOGS || bytes + SPOOLED_MAX > IMPORT_CHUNK_BYTES)
        return true;
    if (next->log.ts == batch->logs[count - 1].ts)
        return false;
    return count >= IMPORT_CHUNK_LOGS || bytes >= IMPORT_CHUNK_BYTES / 2 || next->log.ts - batch->logs[0].ts >= DAY;
}

enum err import_spool_next(struct import_spool *spool, struct batch *batch, int64_t *ret_lines,
                           struct import_batch *ret_piece, struct fault *fault)
{
    enum err err = OK;
    size_t bytes = 0;
    const struct spooled *next = next_log(spool);
    bool goes_on = next && spool->equal > 0 && next->log.ts == spool->ended_ts;
    ret_piece->base = goes_on && next->hash == spool->ended_hash ? spool->equal : 0;
    while (!err && next && !is_full(batch, bytes, next)) {
        err = take(spool, batch, &ret_lines[batch->log_count], &bytes, fault);
        next = next_log(spool);
    }
    ret_piece->is_part = goes_on || (next && batch->log_count > 0 && next->log.ts == spool->ended_ts);
    return err;
}
