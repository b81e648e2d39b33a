/* fuzz_gzip.c: compressed bodies. An input that begins like gzip is used as it is. Of any other input, the first four
 * bytes say how the rest is compressed, in one member or two, and which byte is changed, so that most inputs get past
 * the checksums. The outcome is compared with zlib's inflate over the whole, and with that of the same body
 * uncompressed.
 *
 * Planted to see it fail, and found: bytes after the last member taken, a stream cut within its second member taken for
 * whole, an error of zlib's passed over. It found that a stream with two faults was answered by how it was cut. */
#include "body.h"
#include "fuzz.h"

#include <zlib.h>

#define HEADER_BYTES 4
#define MOST_BYTES 8192
#define MOST_PACKED_BYTES (MOST_BYTES * 2)
#define MOST_INFLATED_BYTES (2u << 20) /* of one input, so that a decompression bomb does not take a minute */

struct bytes {
    size_t len;
    unsigned char data[MOST_PACKED_BYTES];
};

static void pack_member(const uint8_t *data, size_t len, int level, struct bytes *out)
{
    z_stream stream = {0};
    CHECK(deflateInit2(&stream, level, Z_DEFLATED, 16 + 9, 1, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)len;
    stream.next_out = out->data + out->len;
    stream.avail_out = (uInt)(sizeof out->data - out->len);
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out->len += stream.total_out;
    deflateEnd(&stream);
}

/* The four bytes: the levels, the place where the second member begins, the place of the changed byte, and
 * the change. */
static void pack(const uint8_t *data, size_t size, struct bytes *ret_packed)
{
    const uint8_t *body = data + HEADER_BYTES;
    size_t len = size - HEADER_BYTES, first = len * data[1] / 255;
    ret_packed->len = 0;
    pack_member(body, first, data[0] % 4, ret_packed);
    if (data[1] < 255)
        pack_member(body + first, len - first, data[0] / 4 % 4, ret_packed);
    unsigned char *spoiled = &ret_packed->data[ret_packed->len * data[2] / 256];
    *spoiled = (unsigned char)(*spoiled + data[3]);
}

/* Inflates every member at once. The length; SIZE_MAX when it is not all sound gzip; SIZE_MAX - 1 when it is
 * too much. */
static size_t inflate_whole(const unsigned char *data, size_t len, char *ret_text)
{
    z_stream stream = {0};
    int answer = Z_STREAM_END;
    CHECK(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)len;
    stream.next_out = (Bytef *)ret_text;
    stream.avail_out = MOST_INFLATED_BYTES;
    while (answer == Z_STREAM_END && stream.avail_in > 0) {
        CHECK(inflateReset(&stream) == Z_OK);
        answer = inflate(&stream, Z_FINISH);
    }
    bool whole = answer == Z_STREAM_END && len > 0;
    size_t inflated = MOST_INFLATED_BYTES - stream.avail_out;
    inflateEnd(&stream);
    return whole ? inflated : stream.avail_out == 0 ? SIZE_MAX - 1 : SIZE_MAX;
}

/* The outcome is that of the same body uncompressed. */
static void check_same_as_plain(const struct outcome *packed, const char *text, size_t len)
{
    struct outcome plain;
    body_read(text, len, false, &plain);
    outcomes_check_same(packed, &plain);
    outcome_check(&plain, text, len);
    outcome_release(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bytes packed;
    static char text[MOST_INFLATED_BYTES];
    struct outcome outcome;
    if (size < HEADER_BYTES || size > MOST_BYTES)
        return 0;
    packed.len = size;
    memcpy(packed.data, data, size);
    if (data[0] != 0x1f || data[1] != 0x8b)
        pack(data, size, &packed);
    size_t len = inflate_whole(packed.data, packed.len, text);
    if (len == SIZE_MAX - 1)
        return 0;
    body_read((const char *)packed.data, packed.len, true, &outcome);
    if (len == SIZE_MAX) /* too large: it may have too many logs before its fault */
        CHECK(outcome.err == ERR_BODY_INVALID || outcome.err == ERR_BODY_TOO_LARGE);
    else if (len < MOST_BYTES)
        check_same_as_plain(&outcome, text, len);
    outcome_release(&outcome);
    return 0;
}
