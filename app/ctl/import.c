/* import.c: analyticsctl import. Knows the command line, and the way of a file: into a spool, from there in chunks to a
 * target, which is asked first whether it can tell which logs it has. Knows neither database nor network. */
#include "ctl/import.h"

#include "ctl/import_input.h"
#include "ctl/import_say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/banned.h"

struct import {
    struct input_options options;
    struct import_batch piece; /* of the file: its source, and what is done with an overlap */
    struct import_target target;
    struct import_input *inputs;
    size_t input_count;

    /* The file that is being stored. */
    struct import_input *input;
    struct import_spool *spool;
    struct chunk *chunks; /* IMPORT_GROUP */
    size_t chunk_count;
    int64_t done; /* logs, in this pass over the spool */
};

/* ---- chunks ---- */

int ctl_chunk_refused(const struct chunk *chunk, const char *words)
{
    int64_t first = chunk->lines[0], last = first;
    for (uint32_t i = 1; i < chunk->batch.log_count; i++) {
        first = chunk->lines[i] < first ? chunk->lines[i] : first;
        last = chunk->lines[i] > last ? chunk->lines[i] : last;
    }
    return ctl_fail("%s: lines %lld to %lld: %s", chunk->file, (long long)first, (long long)last, words);
}

int ctl_chunk_unclear(const struct chunk *chunk, const char *words)
{
    return ctl_fail("%s: %s. %s. If logs that are equal to stored ones are the same logs, add --overlap=skip; if they "
                    "are others, add --overlap=count; if the file is another program's, name it with --source",
                    chunk->file, words,
                    chunk->piece.check ? "Nothing of the file is stored" : "What stands before them is stored");
}

static void forget_chunks(struct import *import)
{
    for (size_t i = 0; i < import->chunk_count; i++)
        batch_release(&import->chunks[i].batch);
    import->chunk_count = 0;
}

static void tell_progress(const struct import *import)
{
    struct progress progress = {.step = import->piece.check ? "comparing" : "storing",
                                .unit = "logs",
                                .done = import->done,
                                .total = import_spool_logs(import->spool)};
    ctl_watch_progress(NULL, &progress);
}

static int put_chunks(struct import *import)
{
    size_t stored = 0;
    struct imported *result = &import->input->result;
    int status = import->target.put(import->target.ctx, import->chunks, import->chunk_count, &stored);
    for (size_t i = 0; i < stored; i++) {
        const struct chunk *chunk = &import->chunks[i];
        import->done += chunk->batch.log_count;
        if (chunk->piece.check)
            continue;
        result->already += chunk->already;
        result->stored += chunk->batch.log_count - chunk->already;
    }
    forget_chunks(import);
    tell_progress(import);
    return status;
}

/* The next chunk of the spool; none at its end. */
static enum err next_chunk(struct import *import, bool *ret_any, struct fault *fault)
{
    struct chunk *chunk = &import->chunks[import->chunk_count];
    batch_init(&chunk->batch, NULL);
    chunk->piece = import->piece;
    chunk->file = input_name(import->input);
    enum err err = import_spool_next(import->spool, &chunk->batch, chunk->lines, &chunk->piece, fault);
    *ret_any = !err && chunk->batch.log_count > 0;
    if (*ret_any)
        import->chunk_count++;
    else
        batch_release(&chunk->batch);
    return err;
}

/* ---- a file ---- */

static int fail_input(struct import *import, const struct fault *fault)
{
    if (ctl_watch_is_stopped(NULL))
        return CTL_OK;
    snprintf(import->input->result.error, sizeof import->input->result.error, "%s", fault->detail);
    return CTL_FAILED;
}

/* All of the spool to the target. */
static int pass_over(struct import *import)
{
    struct fault fault = {0};
    bool any = true;
    int status = CTL_OK;
    enum err err = import_spool_rewind(import->spool, &fault);
    import->done = 0;
    while (!err && !status && any && !ctl_watch_is_stopped(NULL)) {
        err = next_chunk(import, &any, &fault);
        if (!err && import->chunk_count > 0 && (!any || import->chunk_count == IMPORT_GROUP))
            status = put_chunks(import);
    }
    forget_chunks(import);
    return err ? fail_input(import, &fault) : status;
}

/* Where the target has to tell what it has already, it is asked about the whole file before anything is stored. */
static int store_spool(struct import *import)
{
    int status = CTL_OK;
    import->piece.check = import->piece.overlap == IMPORT_REFUSE;
    if (import->piece.check)
        status = pass_over(import);
    import->piece.check = false;
    return status || ctl_watch_is_stopped(NULL) ? status : pass_over(import);
}

/* Nothing of a file is stored before it was read to its end. */
static int import_file(struct import *import)
{
    struct fault fault = {0};
    enum err err = import_spool_open(&import->spool, &fault);
    if (!err)
        err = input_read(import->input, &import->options, import->spool, &fault);
    if (!err)
        err = import_spool_finish(import->spool, &fault);
    if (!err)
        import_spool_describe(import->spool, &import->piece);
    int status = err ? fail_input(import, &fault) : store_spool(import);
    import_spool_close(import->spool);
    import->spool = NULL;
    ctl_watch_end();
    return status;
}

static int import_files(struct import *import)
{
    int status = CTL_OK;
    for (size_t i = 0; i < import->input_count && !status && !ctl_watch_is_stopped(NULL); i++) {
        import->input = &import->inputs[i];
        import->input->opened = true;
        status = import_file(import);
    }
    int finished = ctl_watch_is_stopped(NULL) ? CTL_OK : import->target.finish(import->target.ctx);
    return status ? status : finished;
}

/* ---- the command line ---- */

static int check_inputs(const struct ctl *ctl, struct import *import)
{
    int inputs = 0, status = CTL_OK;
    if (ctl->option[CTL_FORMAT] && log_format_parse(ctl->option[CTL_FORMAT]) == LOG_FORMAT_NONE)
        return ctl_misuse("--format is json, ndjson or csv");
    for (size_t i = 0; i < import->input_count && !status; i++) {
        status = input_init(ctl, ctl->operand[i], &import->inputs[i]);
        inputs += strcmp(ctl->operand[i], "-") == 0;
    }
    return !status && inputs > 1 ? ctl_misuse("standard input is named twice") : status;
}

static int read_options(const struct ctl *ctl, struct import *import)
{
    const char *source = ctl->option[CTL_SOURCE], *overlap = ctl->option[CTL_OVERLAP];
    import->options = (struct input_options){.skip_bad = ctl->option[CTL_SKIP_BAD] != NULL, .unknown = {
                                                 .is_ignored = ctl->option[CTL_IGNORE_UNKNOWN] != NULL,
                                                 .advice = "--ignore-unknown ignores it"
                                             }};
    if (source && (!*source || !import_source_parse(slice_of(source), import->piece.source)))
        return ctl_misuse("--source is a name of 1 to %u bytes, without control characters", IMPORT_SOURCE_BYTES);
    if (!overlap)
        return CTL_OK;
    import->piece.overlap = strcmp(overlap, "skip") == 0 ? IMPORT_SKIP : IMPORT_COUNT;
    if (import->piece.overlap == IMPORT_COUNT && strcmp(overlap, "count") != 0)
        return ctl_misuse("--overlap is skip or count");
    return CTL_OK;
}

/* All of them before anything is stored: one that is not there ends it early; and the files are the caller's, while the
 * database may be another user's, whom root goes on as. */
static int open_inputs(struct import *import)
{
    struct rlimit limit;
    int status = CTL_OK;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (size_t i = 0; i < import->input_count && !status; i++)
        status = input_open(&import->inputs[i]);
    return status;
}

static int open_target(const struct ctl *ctl, struct import_target *ret_target)
{
    if (!ctl->option[CTL_URL] != !ctl->option[CTL_KEY_FILE])
        return ctl_misuse("--url and --key-file go together");
    return ctl->option[CTL_URL] ? ctl_post_open(ctl, ret_target) : ctl_offline_open(ctl, ret_target);
}

static int run(const struct ctl *ctl, struct import *import)
{
    int status = read_options(ctl, import);
    if (!status)
        status = check_inputs(ctl, import);
    if (!status)
        status = open_inputs(import);
    if (!status)
        status = open_target(ctl, &import->target);
    if (status)
        return status;
    ctl_watch_begin(false);
    status = import_files(import);
    import->target.close(import->target.ctx);
    return input_say(import->inputs, import->input_count, &import->options.unknown, ctl->option[CTL_JSON] != NULL,
                     status);
}

int ctl_import(const struct ctl *ctl)
{
    struct import import = {.input_count = (size_t)ctl->operand_count};
    import.inputs = calloc(import.input_count, sizeof *import.inputs);
    import.chunks = calloc(IMPORT_GROUP, sizeof *import.chunks);
    int status = import.inputs && import.chunks ? run(ctl, &import) : ctl_fail("out of memory");
    for (size_t i = 0; import.inputs && i < import.input_count; i++)
        input_close(&import.inputs[i]);
    free(import.inputs);
    free(import.chunks);
    return status;
}
