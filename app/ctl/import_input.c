/* import_input.c: the files that an import reads. Knows formats and gzip. Knows no target. */
#include "ctl/import_input.h"

#include "format/gunzip.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define PIECE_BYTES (256u << 10)
#define MAGIC_BYTES 2

/* A file being read. */
struct reading {
    struct import_input *input;
    struct input_options *options;
    struct import_spool *spool;
    struct batch batch; /* the log that was read last */
    char *piece;        /* PIECE_BYTES */
    int64_t read_bytes;
};

const char *input_name(const struct import_input *input)
{
    return strcmp(input->name, "-") == 0 ? "standard input" : input->name;
}

/* ---- one log ---- */

static enum err take_log(void *ctx, int64_t line, struct fault *fault)
{
    struct reading *reading = ctx;
    enum err err = import_spool_add(reading->spool, &reading->batch, reading->batch.log_count - 1, line, fault);
    batch_release(&reading->batch);
    batch_init(&reading->batch, NULL);
    return err;
}

static enum err take_bad(void *ctx, const struct log_bad *bad, struct fault *fault)
{
    struct reading *reading = ctx;
    struct imported *result = &reading->input->result;
    if (result->skipped++ == 0)
        result->first_bad = *bad;
    if (reading->options->skip_bad)
        return OK;
    result->skipped = 0;
    return fault_set(fault, ERR_LOGS_INVALID,
                     "line %" PRId64 ": %s%s%s. Mend it and run the same again, or leave it out with --skip-bad",
                     bad->line, bad->field, *bad->field ? ": " : "", bad->message);
}

/* ---- reading ---- */

static void tell_progress(const struct reading *reading)
{
    struct progress progress = {
        .step = "reading", .unit = "MiB", .done = reading->read_bytes >> 20, .total = reading->input->size >> 20};
    ctl_watch_progress(NULL, &progress);
}

/* At least MAGIC_BYTES, unless the file ends before. Less than 0 on an error; a signal that ends the program is none.
 */
static ssize_t read_piece(struct reading *reading)
{
    size_t len = 0;
    while (len < MAGIC_BYTES && !ctl_watch_is_stopped(NULL)) {
        ssize_t got = read(reading->input->fd, reading->piece + len, PIECE_BYTES - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    reading->read_bytes += (int64_t)len;
    tell_progress(reading);
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

static bool is_gzip(const struct reading *reading, ssize_t len)
{
    return (len >= MAGIC_BYTES && memcmp(reading->piece, "\x1f\x8b", MAGIC_BYTES) == 0) ||
           ends_with_gz(reading->input->name);
}

static enum err read_error(struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "can't read it: %s", strerror(errno));
}

/* All of the file through the stream, inflated where `gunzip` is given. The first piece is read already. */
static enum err read_file(struct reading *reading, struct log_stream *stream, struct gunzip *gunzip, ssize_t len,
                          struct fault *fault)
{
    enum err err = OK;
    for (; len > 0 && !err; len = err ? 0 : read_piece(reading))
        err = gunzip ? gunzip_feed(gunzip, reading->piece, (size_t)len, fault)
                     : log_stream_feed(stream, reading->piece, (size_t)len, fault);
    if (!err && len < 0)
        err = read_error(fault);
    if (!err && ctl_watch_is_stopped(NULL))
        err = fault_stopped(fault);
    if (!err && gunzip)
        err = gunzip_finish(gunzip, fault);
    return err ? err : log_stream_finish(stream, fault);
}

static enum err open_and_read(struct reading *reading, struct fault *fault)
{
    struct log_sink sink = {.ctx = reading, .take = take_log, .bad = take_bad};
    struct log_stream *stream =
        log_stream_open(reading->input->format, &reading->options->unknown, &reading->batch, &sink);
    struct gunzip *gunzip = NULL;
    ssize_t len = read_piece(reading);
    bool gzip = len >= 0 && is_gzip(reading, len);
    if (gzip)
        gunzip = gunzip_open(SIZE_MAX, feed, stream);
    enum err err = len < 0 ? read_error(fault) : OK;
    if (!stream || (gzip && !gunzip))
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err)
        err = read_file(reading, stream, gunzip, len, fault);
    gunzip_close(gunzip);
    log_stream_close(stream);
    return err;
}

enum err input_read(struct import_input *input, struct input_options *options, struct import_spool *spool,
                    struct fault *fault)
{
    struct reading reading = {.input = input, .options = options, .spool = spool, .piece = malloc(PIECE_BYTES)};
    if (!reading.piece)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    batch_init(&reading.batch, NULL);
    enum err err = open_and_read(&reading, fault);
    batch_release(&reading.batch);
    free(reading.piece);
    return err;
}

/* ---- open and close ---- */

int input_init(const struct ctl *ctl, const char *name, struct import_input *ret_input)
{
    const char *format = ctl->option[CTL_FORMAT];
    *ret_input = (struct import_input){
        .name = name, .format = format ? log_format_parse(format) : log_format_of_file(name), .fd = -1};
    return ret_input->format == LOG_FORMAT_NONE
               ? ctl_misuse("what format is %s? Say --format json, ndjson or csv", input_name(ret_input))
               : CTL_OK;
}

int input_open(struct import_input *input)
{
    struct stat file;
    input->fd = strcmp(input->name, "-") == 0 ? STDIN_FILENO : open(input->name, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || fstat(input->fd, &file) < 0)
        return ctl_fail("can't open %s: %s", input->name, strerror(errno));
    if (S_ISDIR(file.st_mode))
        return ctl_fail("%s is a folder", input->name);
    input->size = S_ISREG(file.st_mode) ? (int64_t)file.st_size : 0;
    return CTL_OK;
}

void input_close(struct import_input *input)
{
    if (input->fd > STDERR_FILENO)
        close(input->fd);
}
