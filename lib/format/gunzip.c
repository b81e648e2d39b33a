/* gunzip.c: gzip members, one after the other, inflated piece by piece into a sink. Knows RFC 1952 by way of zlib.
 * Knows nothing of what comes out. */
#include "format/gunzip.h"

#include <stdbool.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/banned.h"

#define OUT_BYTES (32u << 10)
#define MOST_AT_ONCE (1u << 30)    /* zlib counts in unsigned int */
#define GZIP_ONLY (16 + MAX_WBITS) /* inflateInit2: a gzip header, the greatest window */

struct gunzip {
    z_stream stream;
    gunzip_sink sink;
    void *ctx;
    size_t in_bytes;  /* read so far */
    size_t out_bytes; /* handed to the sink so far */
    size_t max_bytes;
    bool in_member; /* a member has begun and not ended */
    bool any;       /* a member has ended */
    unsigned char out[OUT_BYTES];
};

struct gunzip *gunzip_open(size_t max_bytes, gunzip_sink sink, void *ctx)
{
    struct gunzip *gunzip = calloc(1, sizeof *gunzip);
    if (!gunzip)
        return NULL;
    gunzip->sink = sink;
    gunzip->ctx = ctx;
    gunzip->max_bytes = max_bytes;
    if (inflateInit2(&gunzip->stream, GZIP_ONLY) == Z_OK)
        return gunzip;
    free(gunzip);
    return NULL;
}

void gunzip_close(struct gunzip *gunzip)
{
    if (!gunzip)
        return;
    inflateEnd(&gunzip->stream);
    free(gunzip);
}

static enum err deliver(struct gunzip *gunzip, size_t len, struct fault *fault)
{
    if (len > gunzip->max_bytes - gunzip->out_bytes)
        return fault_set(fault, ERR_BODY_TOO_LARGE, "the body is larger than %zu bytes once inflated",
                         gunzip->max_bytes);
    gunzip->out_bytes += len;
    return len > 0 ? gunzip->sink(gunzip->ctx, (const char *)gunzip->out, len, fault) : OK;
}

/* What inflate's answer means for the client; OK to go on. */
static enum err judge(struct gunzip *gunzip, int answer, struct fault *fault)
{
    if (answer == Z_OK || answer == Z_BUF_ERROR || answer == Z_STREAM_END)
        return OK;
    if (answer == Z_MEM_ERROR)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory while inflating the body");
    return fault_set(fault, ERR_BODY_INVALID, "byte %zu of the compressed body: expected %s (%s)", gunzip->in_bytes,
                     gunzip->any ? "another gzip member or the end" : "gzip data",
                     gunzip->stream.msg ? gunzip->stream.msg : "not gzip");
}

/* One call of inflate: as much as the input or the output buffer holds. */
static enum err inflate_some(struct gunzip *gunzip, struct fault *fault)
{
    z_stream *stream = &gunzip->stream;
    uInt given = stream->avail_in;
    stream->next_out = gunzip->out;
    stream->avail_out = OUT_BYTES;
    gunzip->in_member = true;
    int answer = inflate(stream, Z_NO_FLUSH);
    gunzip->in_bytes += given - stream->avail_in;
    /* Output from before the fault may be wrong as well. The fault is reported however the body is split. */
    enum err err = deliver(gunzip, OUT_BYTES - stream->avail_out, fault);
    if (!err)
        err = judge(gunzip, answer, fault);
    if (err || answer != Z_STREAM_END)
        return err;
    gunzip->in_member = false;
    gunzip->any = true;
    inflateReset(stream);
    return OK;
}

enum err gunzip_feed(struct gunzip *gunzip, const char *data, size_t len, struct fault *fault)
{
    z_stream *stream = &gunzip->stream;
    enum err err = OK;
    while (len > 0 && !err) {
        uInt piece = len < MOST_AT_ONCE ? (uInt)len : MOST_AT_ONCE;
        stream->next_in = (const Bytef *)data;
        stream->avail_in = piece;
        data += piece;
        len -= piece;
        while (stream->avail_in > 0 && !err)
            err = inflate_some(gunzip, fault);
    }
    return err;
}

enum err gunzip_finish(struct gunzip *gunzip, struct fault *fault)
{
    if (gunzip->any && !gunzip->in_member)
        return OK;
    return fault_set(fault, ERR_BODY_INVALID, "byte %zu of the compressed body: it ends here, expected more gzip data",
                     gunzip->in_bytes);
}
