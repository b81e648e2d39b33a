/* import.c: analyticsctl import. Knows the command line, files, how they are cut into chunks, and what is said at
 * the end. Knows neither database nor network: a target takes the chunks. */
#include "ctl/import.h"

#include "format/gunzip.h"
#include "ctl/json.h"
#include "format/log_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define PIECE_BYTES (256u << 10)
#define MAGIC_BYTES 2

/* What became of a file. */
struct imported {
    int64_t stored;  /* logs, by this run */
    int64_t already; /* logs, by an earlier one */
    int64_t skipped; /* records that are no logs */
    struct log_bad first_bad;
    char error[400]; /* why it was not read to its end; "" when it was */
};

struct source {
    const char *name; /* "-": standard input */
    enum log_format format;
    int fd;
    int64_t size; /* bytes; 0: nobody knows */
    bool opened;
    struct imported result;
};

struct import {
    bool skip_bad;
    struct log_unknown unknown; /* members that no log has */
    struct import_target target;
    struct source *sources;
    size_t source_count;
    char *piece; /* PIECE_BYTES */

    /* The file being read. */
    struct source *source;
    int64_t read_bytes;
    struct batch batch; /* the chunk being filled */
    size_t batch_bytes;
    int64_t first_line, last_line; /* of that chunk, so far */
    struct import_mark begin, end;
    struct chunk chunks[IMPORT_GROUP];
    size_t chunk_count;
    int status; /* what the target said */
};

static const char *shown_name(const struct source *source)
{
    return strcmp(source->name, "-") == 0 ? "standard input" : source->name;
}

/* ---- chunks ---- */

static void forget_chunks(struct import *import)
{
    for (size_t i = 0; i < import->chunk_count; i++)
        batch_release(&import->chunks[i].batch);
    import->chunk_count = 0;
}

static int store_chunks(struct import *import)
{
    size_t stored = 0;
    struct imported *result = &import->source->result;
    if (import->chunk_count > 0)
        import->status = import->target.put(import->target.ctx, import->chunks, import->chunk_count, &stored);
    for (size_t i = 0; i < stored; i++) {
        result->already += import->chunks[i].already;
        result->stored += import->chunks[i].batch.log_count - import->chunks[i].already;
    }
    forget_chunks(import);
    return import->status;
}

static int end_chunk(struct import *import)
{
    import->chunks[import->chunk_count++] = (struct chunk){.batch = import->batch,
                                                           .begin = import->begin,
                                                           .file = shown_name(import->source),
                                                           .first_line = import->first_line,
                                                           .last_line = import->last_line};
    batch_init(&import->batch, NULL);
    import->batch_bytes = 0;
    import->begin = import->end;
    return import->chunk_count == IMPORT_GROUP ? store_chunks(import) : CTL_OK;
}

static enum err take_log(void *ctx, int64_t line, struct fault *fault)
{
    struct import *import = ctx;
    uint32_t last = import->batch.log_count - 1;
    if (last == 0)
        import->first_line = line;
    import->last_line = line;
    import->batch_bytes += import_mark_add(&import->end, &import->batch, last);
    if (import->batch.log_count < IMPORT_CHUNK_LOGS && import->batch_bytes < IMPORT_CHUNK_BYTES)
        return OK;
    if (end_chunk(import) || ctl_watch_is_stopped(NULL))
        return fault_set(fault, ERR_UNAVAILABLE, "stopped");
    return OK;
}

static enum err take_bad(void *ctx, const struct log_bad *bad, struct fault *fault)
{
    struct import *import = ctx;
    struct imported *result = &import->source->result;
    if (result->skipped++ == 0)
        result->first_bad = *bad;
    if (import->skip_bad)
        return OK;
    result->skipped = 0;
    return fault_set(fault, ERR_LOGS_INVALID,
                     "line %" PRId64 ": %s%s%s. Mend it and run the same again, or leave it out with --skip-bad",
                     bad->line, bad->field, *bad->field ? ": " : "", bad->message);
}

/* ---- reading ---- */

static void tell_progress(const struct import *import)
{
    struct progress progress = {
        .step = "importing", .unit = "MiB", .done = import->read_bytes >> 20, .total = import->source->size >> 20};
    ctl_watch_progress(NULL, &progress);
}

/* At least MAGIC_BYTES, unless the file ends before. Less than 0 on an error; a signal that ends the program is none.
 */
static ssize_t read_piece(struct import *import)
{
    size_t len = 0;
    while (len < MAGIC_BYTES && !ctl_watch_is_stopped(NULL)) {
        ssize_t got = read(import->source->fd, import->piece + len, PIECE_BYTES - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    import->read_bytes += (int64_t)len;
    tell_progress(import);
    return (ssize_t)len;
}

static enum err feed(void *ctx, const char *data, size_t len, struct fault *fault)
{
    return log_stream_feed(ctx, data, len, fault);
}

static bool ends_with_gz(const char *name)
{
    size_t len = strlen(name);
    return len > 3 && strcasecmp(name + len - 3, ".gz") == 0;
}

static bool is_gzip(const struct import *import, ssize_t len)
{
    return (len >= MAGIC_BYTES && memcmp(import->piece, "\x1f\x8b", MAGIC_BYTES) == 0) ||
           ends_with_gz(import->source->name);
}

static enum err read_error(struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "can't read it: %s", strerror(errno));
}

/* All of the file through the stream, inflated where `gunzip` is given. The first piece is read already. */
static enum err read_file(struct import *import, struct log_stream *stream, struct gunzip *gunzip, ssize_t len,
                          struct fault *fault)
{
    enum err err = OK;
    for (; len > 0 && !err; len = err ? 0 : read_piece(import))
        err = gunzip ? gunzip_feed(gunzip, import->piece, (size_t)len, fault)
                     : log_stream_feed(stream, import->piece, (size_t)len, fault);
    if (!err && len < 0)
        err = read_error(fault);
    if (!err && ctl_watch_is_stopped(NULL))
        err = fault_set(fault, ERR_UNAVAILABLE, "stopped");
    if (!err && gunzip)
        err = gunzip_finish(gunzip, fault);
    return err ? err : log_stream_finish(stream, fault);
}

static enum err open_and_read(struct import *import, struct fault *fault)
{
    struct log_sink sink = {.ctx = import, .take = take_log, .bad = take_bad};
    struct log_stream *stream = log_stream_open(import->source->format, &import->unknown, &import->batch, &sink);
    struct gunzip *gunzip = NULL;
    ssize_t len = read_piece(import);
    bool gzip = len >= 0 && is_gzip(import, len);
    if (gzip)
        gunzip = gunzip_open(SIZE_MAX, feed, stream);
    enum err err = len < 0 ? read_error(fault) : OK;
    if (!stream || (gzip && !gunzip))
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err)
        err = read_file(import, stream, gunzip, len, fault);
    gunzip_close(gunzip);
    log_stream_close(stream);
    return err;
}

/* One import of a file after the other. While it grows, a first one that waits for the service holds a shorter last
 * chunk than a second one that comes later; were the longer one stored first, the shorter one could not be told from
 * logs of its own. Where a file can't be locked, there is no turn to take. */
static void take_turn(const struct source *source)
{
    const struct timespec nap = {.tv_nsec = 100000000};
    struct progress progress = {.step = "waiting for another import of this file"};
    struct stat file;
    bool said = false;
    if (fstat(source->fd, &file) != 0 || !S_ISREG(file.st_mode))
        return;
    while (flock(source->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK && !ctl_watch_is_stopped(NULL)) {
        if (!said)
            fprintf(stderr, "analyticsctl: %s: waiting until another program ends that has locked it\n",
                    shown_name(source));
        said = true;
        ctl_watch_progress(NULL, &progress);
        nanosleep(&nap, NULL);
    }
}

/* The file's last chunk is stored only when the file was read to its end: what comes after a bad record, once mended,
 * belongs to it. */
static int import_file(struct import *import)
{
    struct fault fault = {0};
    import->read_bytes = 0;
    import->begin = import->end = (struct import_mark){0};
    batch_init(&import->batch, NULL);
    take_turn(import->source);
    enum err err = open_and_read(import, &fault);
    if (!err && import->batch.log_count > 0)
        end_chunk(import);
    batch_release(&import->batch);
    import->batch_bytes = 0;
    if (!import->status && !ctl_watch_is_stopped(NULL))
        store_chunks(import);
    forget_chunks(import);
    flock(import->source->fd, LOCK_UN);
    ctl_watch_end();
    if (import->status || ctl_watch_is_stopped(NULL))
        return import->status;
    if (err)
        snprintf(import->source->result.error, sizeof import->source->result.error, "%s", fault.detail);
    return err ? CTL_FAILED : CTL_OK;
}

/* ---- what is said ---- */

static void say_file(const struct source *source)
{
    const struct imported *result = &source->result;
    const char *name = shown_name(source);
    if (!source->opened)
        return;
    ctl_say("%s: %" PRId64 " logs stored, %" PRId64 " were there already.", name, result->stored, result->already);
    if (result->skipped > 0)
        ctl_say("%s: %" PRId64 " bad %s skipped, the first in line %" PRId64 ": %s%s%s", name, result->skipped,
                result->skipped == 1 ? "record" : "records", result->first_bad.line, result->first_bad.field,
                *result->first_bad.field ? ": " : "", result->first_bad.message);
}

/* Once for all files. */
static void say_unknown(const struct log_unknown *unknown)
{
    for (size_t i = 0; i < unknown->count; i++)
        ctl_say("Ignored: '%s', which no log has, in %" PRId64 " %s.", unknown->names[i].name, unknown->names[i].count,
                unknown->names[i].count == 1 ? "record" : "records");
    if (unknown->others > 0)
        ctl_say("Ignored: other names that no log has, %" PRId64 " times.", unknown->others);
}

static void put_unknown(struct json_object *json, const struct log_unknown *unknown)
{
    struct json_object *list = ctl_json_array(json, "ignored");
    for (size_t i = 0; i < unknown->count; i++) {
        struct json_object *item = ctl_json_item(list);
        ctl_json_text(item, "name", unknown->names[i].name);
        ctl_json_number(item, "records", unknown->names[i].count);
    }
    ctl_json_number(json, "ignored_others", unknown->others);
}

static void say_error(const struct source *source)
{
    if (*source->result.error)
        ctl_fail("%s: %s", shown_name(source), source->result.error);
}

static void put_bad(struct json_object *json, const struct log_bad *bad)
{
    struct json_object *first = ctl_json_object(json, "first_bad");
    ctl_json_number(first, "line", bad->line);
    ctl_json_text(first, "field", bad->field);
    ctl_json_text(first, "message", bad->message);
}

static void put_counts(struct json_object *json, const struct imported *counts)
{
    ctl_json_number(json, "stored", counts->stored);
    ctl_json_number(json, "already", counts->already);
    ctl_json_number(json, "skipped", counts->skipped);
}

static void put_file(struct json_object *json, const struct source *source)
{
    ctl_json_text(json, "file", source->name);
    put_counts(json, &source->result);
    if (source->result.first_bad.line > 0)
        put_bad(json, &source->result.first_bad);
    if (*source->result.error)
        ctl_json_text(json, "error", source->result.error);
}

static struct imported add_up(const struct import *import)
{
    struct imported sums = {0};
    for (size_t i = 0; i < import->source_count; i++) {
        sums.stored += import->sources[i].result.stored;
        sums.already += import->sources[i].result.already;
        sums.skipped += import->sources[i].result.skipped;
    }
    return sums;
}

static int say_json(const struct import *import, bool ok)
{
    struct imported sums = add_up(import);
    struct json_object *json = ctl_json_new();
    ctl_json_bool(json, "ok", ok);
    put_counts(json, &sums);
    struct json_object *files = ctl_json_array(json, "files");
    for (size_t i = 0; i < import->source_count; i++)
        if (import->sources[i].opened)
            put_file(ctl_json_item(files), &import->sources[i]);
    if (import->unknown.is_ignored)
        put_unknown(json, &import->unknown);
    return ctl_say_json(json);
}

static int say_result(const struct import *import, bool as_json, int status)
{
    if (as_json)
        say_json(import, status == CTL_OK);
    for (size_t i = 0; i < import->source_count && !as_json; i++)
        say_file(&import->sources[i]);
    if (!as_json)
        say_unknown(&import->unknown);
    for (size_t i = 0; i < import->source_count; i++)
        say_error(&import->sources[i]);
    if (ctl_watch_is_stopped(NULL)) {
        ctl_fail("stopped; what is said to be stored is. Run the same again to go on");
        return ctl_watch_status();
    }
    return status;
}

/* ---- the command line ---- */

static enum log_format format_of(const struct ctl *ctl, const char *name)
{
    return ctl->option[CTL_FORMAT] ? log_format_parse(ctl->option[CTL_FORMAT]) : log_format_of_file(name);
}

static int check_sources(const struct ctl *ctl, struct import *import)
{
    int inputs = 0;
    if (ctl->option[CTL_FORMAT] && log_format_parse(ctl->option[CTL_FORMAT]) == LOG_FORMAT_NONE)
        return ctl_misuse("--format is json, ndjson or csv");
    for (size_t i = 0; i < import->source_count; i++) {
        struct source *source = &import->sources[i];
        *source = (struct source){.name = ctl->operand[i], .format = format_of(ctl, ctl->operand[i]), .fd = -1};
        inputs += strcmp(source->name, "-") == 0;
        if (source->format == LOG_FORMAT_NONE)
            return ctl_misuse("what format is %s? Say --format json, ndjson or csv", shown_name(source));
    }
    return inputs > 1 ? ctl_misuse("standard input is named twice") : CTL_OK;
}

static int open_source(struct source *source)
{
    struct stat file;
    source->fd = strcmp(source->name, "-") == 0 ? STDIN_FILENO : open(source->name, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0 || fstat(source->fd, &file) < 0)
        return ctl_fail("can't open %s: %s", source->name, strerror(errno));
    if (S_ISDIR(file.st_mode))
        return ctl_fail("%s is a folder", source->name);
    source->size = S_ISREG(file.st_mode) ? (int64_t)file.st_size : 0;
    return CTL_OK;
}

/* All of them before anything is stored: one that is not there ends it early; and the files are the caller's, while the
 * database may be another user's, whom root goes on as. */
static int open_sources(struct import *import)
{
    struct rlimit limit;
    int status = CTL_OK;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (size_t i = 0; i < import->source_count && !status; i++)
        status = open_source(&import->sources[i]);
    return status;
}

static void close_sources(struct import *import)
{
    for (size_t i = 0; i < import->source_count; i++)
        if (import->sources[i].fd > STDERR_FILENO)
            close(import->sources[i].fd);
}

static int import_files(struct import *import)
{
    int status = CTL_OK;
    for (size_t i = 0; i < import->source_count && !status && !ctl_watch_is_stopped(NULL); i++) {
        import->source = &import->sources[i];
        import->source->opened = true;
        status = import_file(import);
    }
    int finished = ctl_watch_is_stopped(NULL) ? CTL_OK : import->target.finish(import->target.ctx);
    return status ? status : finished;
}

static int open_target(const struct ctl *ctl, struct import_target *ret_target)
{
    if (!ctl->option[CTL_URL] != !ctl->option[CTL_KEY_FILE])
        return ctl_misuse("--url and --key-file go together");
    return ctl->option[CTL_URL] ? ctl_post_open(ctl, ret_target) : ctl_offline_open(ctl, ret_target);
}

static int run(const struct ctl *ctl, struct import *import)
{
    int status = check_sources(ctl, import);
    if (!status)
        status = open_sources(import);
    if (!status)
        status = open_target(ctl, &import->target);
    if (status)
        return status;
    ctl_watch_begin(false);
    status = import_files(import);
    import->target.close(import->target.ctx);
    return say_result(import, ctl->option[CTL_JSON] != NULL, status);
}

int ctl_import(const struct ctl *ctl)
{
    struct import import = {
        .skip_bad = ctl->option[CTL_SKIP_BAD] != NULL,
        .unknown = {.is_ignored = ctl->option[CTL_IGNORE_UNKNOWN] != NULL, .advice = "--ignore-unknown ignores it"},
        .source_count = (size_t)ctl->operand_count};
    import.sources = calloc(import.source_count, sizeof *import.sources);
    import.piece = malloc(PIECE_BYTES);
    int status = import.sources && import.piece ? run(ctl, &import) : ctl_fail("out of memory");
    if (import.sources)
        close_sources(&import);
    free(import.sources);
    free(import.piece);
    return status;
}
