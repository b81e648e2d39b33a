/* test_gunzip.c: gzip streams whole, cut, doubled, broken, and bombs. Every stream is fed whole and byte by byte.
 * Streams are made with zlib's deflate, and one by hand from RFC 1951 and RFC 1952. */
#include "format/gunzip.h"
#include "support/runner.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LIMIT 1000u

/* Takes the inflated data. */
struct sink {
    char *data; /* NULL: only count */
    size_t len;
    size_t cap;
    size_t refuse_at; /* answer ERR_UNAVAILABLE from here on */
};

static enum err take(void *ctx, const char *data, size_t len, struct fault *fault)
{
    struct sink *sink = ctx;
    ck_assert_uint_gt(len, 0);
    if (sink->data) {
        ck_assert_uint_le(len, sink->cap - sink->len);
        memcpy(sink->data + sink->len, data, len);
    }
    sink->len += len;
    if (sink->len >= sink->refuse_at)
        return fault_set(fault, ERR_UNAVAILABLE, "the sink is full");
    return OK;
}

/* One gzip member. Returns its length. */
static size_t pack(const char *data, size_t len, unsigned char *ret_gzip, size_t cap)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)len;
    stream.next_out = ret_gzip;
    stream.avail_out = (uInt)cap;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t packed = stream.total_out;
    deflateEnd(&stream);
    return packed;
}

/* Feeds in pieces of `piece` bytes, then finishes; the first error or OK. */
static enum err run(const unsigned char *gzip, size_t len, size_t piece, size_t max, struct sink *sink,
                    struct fault *fault)
{
    struct gunzip *gunzip = gunzip_open(max, take, sink);
    enum err err = OK;
    ck_assert_ptr_nonnull(gunzip);
    memset(fault, 0, sizeof *fault);
    for (size_t at = 0; at < len && !err; at += piece)
        err = gunzip_feed(gunzip, (const char *)gzip + at, len - at < piece ? len - at : piece, fault);
    if (!err)
        err = gunzip_finish(gunzip, fault);
    gunzip_close(gunzip);
    ck_assert_int_eq(fault->err, err);
    return err;
}

static const size_t pieces[] = {1, 2, 7, SIZE_MAX / 2};

/* Runs with every piece size; all must agree. */
static void expect(const unsigned char *gzip, size_t len, enum err wanted, const char *text, size_t text_len)
{
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        char data[LIMIT];
        struct sink sink = {data, 0, sizeof data, SIZE_MAX};
        struct fault fault;
        ck_assert_int_eq(run(gzip, len, pieces[i], LIMIT, &sink, &fault), wanted);
        if (wanted == ERR_BODY_INVALID)
            ck_assert_ptr_nonnull(strstr(fault.detail, "byte "));
        if (wanted != OK)
            continue;
        ck_assert_uint_eq(sink.len, text_len);
        ck_assert_mem_eq(data, text, text_len);
    }
}

/* "a", stored, by hand: header; one final stored block of 1 byte; CRC-32 of "a" is e8b7be43; length 1. */
static const unsigned char by_hand[] = {0x1f, 0x8b, 8,    0,   0,    0,    0,    0,    0, 0xff, 0x01, 0x01,
                                        0x00, 0xfe, 0xff, 'a', 0x43, 0xbe, 0xb7, 0xe8, 1, 0,    0,    0};

START_TEST(stored_by_hand)
{
    expect(by_hand, sizeof by_hand, OK, "a", 1);
}
END_TEST

/* One byte of it is changed at a time. */
static const struct {
    size_t at;
    unsigned char byte;
    enum err wanted;
} broken_rows[] = {
    {0, 0x1e, ERR_BODY_INVALID},  /* magic */
    {1, 0x8c, ERR_BODY_INVALID},  /* magic */
    {2, 7, ERR_BODY_INVALID},     /* method */
    {3, 0x80, ERR_BODY_INVALID},  /* reserved flag */
    {3, 0x04, ERR_BODY_INVALID},  /* an extra field that is not there */
    {4, 0x77, OK},                /* time: of no consequence */
    {10, 0x07, ERR_BODY_INVALID}, /* block type 3 */
    {11, 0x02, ERR_BODY_INVALID}, /* length and its complement differ */
    {15, 'b', ERR_BODY_INVALID},  /* checksum */
    {16, 0, ERR_BODY_INVALID},    /* checksum */
    {20, 2, ERR_BODY_INVALID},    /* length */
    {23, 1, ERR_BODY_INVALID},    /* length */
};

START_TEST(broken)
{
    unsigned char gzip[sizeof by_hand];
    memcpy(gzip, by_hand, sizeof gzip);
    gzip[broken_rows[_i].at] = broken_rows[_i].byte;
    expect(gzip, sizeof gzip, broken_rows[_i].wanted, "a", 1);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
} not_gzip_rows[] = {
    {"", 0},
    {"\0", 1},
    {"\x1f", 1},
    {"\x1f\x8b", 2},
    {"{\"logs\":[]}", 11},
    {"PK\x03\x04", 4},
    {"BZh9", 4},
    {"\x78\x9c\x4b\x04\x00\x00\x62\x00\x62", 9}, /* zlib's own header */
    {"\x4b\x04\x00", 3},                         /* raw deflate */
};

START_TEST(not_gzip)
{
    expect((const unsigned char *)not_gzip_rows[_i].bytes, not_gzip_rows[_i].len, ERR_BODY_INVALID, NULL, 0);
}
END_TEST

/* Every way to cut a stream short, and every way to cut it in two. */
START_TEST(cut_and_split)
{
    char text[300];
    unsigned char gzip[1000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i * i % 23);
    size_t len = pack(text, sizeof text, gzip, sizeof gzip);
    for (size_t cut = 0; cut < len; cut++)
        expect(gzip, cut, ERR_BODY_INVALID, NULL, 0);
    expect(gzip, len, OK, text, sizeof text);
    for (size_t cut = 0; cut <= len; cut++) {
        char data[LIMIT];
        struct sink sink = {data, 0, sizeof data, SIZE_MAX};
        struct fault fault = {0};
        struct gunzip *gunzip = gunzip_open(LIMIT, take, &sink);
        ck_assert_int_eq(gunzip_feed(gunzip, (const char *)gzip, cut, &fault), OK);
        ck_assert_int_eq(gunzip_feed(gunzip, (const char *)gzip + cut, len - cut, &fault), OK);
        ck_assert_int_eq(gunzip_finish(gunzip, &fault), OK);
        ck_assert_uint_eq(sink.len, sizeof text);
        gunzip_close(gunzip);
    }
}
END_TEST

START_TEST(members)
{
    unsigned char gzip[3000];
    size_t len = 0;
    len += pack("first ", 6, gzip + len, sizeof gzip - len);
    len += pack("", 0, gzip + len, sizeof gzip - len);
    len += pack("second", 6, gzip + len, sizeof gzip - len);
    expect(gzip, len, OK, "first second", 12);
    expect(gzip, len - 1, ERR_BODY_INVALID, NULL, 0);
    for (int byte = 0; byte < 256; byte++) { /* any byte after the last member, two of them and ten */
        memset(gzip + len, byte, 10);
        expect(gzip, len + 1, ERR_BODY_INVALID, NULL, 0);
        expect(gzip, len + 2, ERR_BODY_INVALID, NULL, 0);
        expect(gzip, len + 10, ERR_BODY_INVALID, NULL, 0);
    }
}
END_TEST

START_TEST(nothing_in_it)
{
    unsigned char gzip[100];
    expect(gzip, pack("", 0, gzip, sizeof gzip), OK, "", 0);
}
END_TEST

START_TEST(ceiling)
{
    char text[LIMIT + 1];
    unsigned char gzip[3000];
    memset(text, 'x', sizeof text);
    expect(gzip, pack(text, LIMIT, gzip, sizeof gzip), OK, text, LIMIT);
    expect(gzip, pack(text, LIMIT + 1, gzip, sizeof gzip), ERR_BODY_TOO_LARGE, NULL, 0);
    size_t len = pack(text, LIMIT, gzip, sizeof gzip); /* members count together */
    len += pack("x", 1, gzip + len, sizeof gzip - len);
    expect(gzip, len, ERR_BODY_TOO_LARGE, NULL, 0);
}
END_TEST

START_TEST(bomb)
{
    size_t size = 64u << 20; /* 1000:1 */
    char *zeros = calloc(1, size);
    unsigned char *gzip = malloc(1u << 20);
    size_t len = pack(zeros, size, gzip, 1u << 20);
    free(zeros);
    ck_assert_uint_lt(len, size / 900);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct sink sink = {NULL, 0, 0, SIZE_MAX};
        struct fault fault;
        ck_assert_int_eq(run(gzip, len, pieces[i], 16u << 20, &sink, &fault), ERR_BODY_TOO_LARGE);
        ck_assert_uint_le(sink.len, 16u << 20);
        sink.len = 0;
        ck_assert_int_eq(run(gzip, len, pieces[i], size, &sink, &fault), OK);
        ck_assert_uint_eq(sink.len, size);
    }
    free(gzip);
}
END_TEST

/* Half a million empty members: work, but no output and no growth. */
START_TEST(many_members)
{
    unsigned char one[100];
    size_t len = pack("", 0, one, sizeof one);
    size_t count = 500000;
    unsigned char *gzip = malloc(len * count);
    for (size_t i = 0; i < count; i++)
        memcpy(gzip + i * len, one, len);
    struct sink sink = {NULL, 0, 0, SIZE_MAX};
    struct fault fault;
    ck_assert_int_eq(run(gzip, len * count, SIZE_MAX / 2, 0, &sink, &fault), OK);
    ck_assert_uint_eq(sink.len, 0);
    free(gzip);
}
END_TEST

/* Inflated data go to the sink before the checksum behind them is known, however the stream is cut: so the sink's error
 * is the same each time. */
START_TEST(sink_refuses_before_checksum)
{
    unsigned char gzip[sizeof by_hand];
    memcpy(gzip, by_hand, sizeof gzip);
    gzip[16] ^= 1;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct sink sink = {NULL, 0, 0, 1};
        struct fault fault;
        ck_assert_int_eq(run(gzip, sizeof gzip, pieces[i], LIMIT, &sink, &fault), ERR_UNAVAILABLE);
    }
}
END_TEST

START_TEST(sink_refuses)
{
    char *text = calloc(1, 200000);
    unsigned char gzip[5000];
    size_t len = pack(text, 200000, gzip, sizeof gzip);
    free(text);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct sink sink = {NULL, 0, 0, 1};
        struct fault fault;
        ck_assert_int_eq(run(gzip, len, pieces[i], 200000, &sink, &fault), ERR_UNAVAILABLE);
        ck_assert_str_eq(fault.detail, "the sink is full");
        ck_assert_uint_lt(sink.len, 200000); /* asked once */
    }
    gunzip_close(NULL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("gunzip");
    TCase *tc = suite_case(s, "gunzip");
    tcase_add_test(tc, stored_by_hand);
    tcase_add_loop_test(tc, broken, 0, ROWS(broken_rows));
    tcase_add_loop_test(tc, not_gzip, 0, ROWS(not_gzip_rows));
    tcase_add_test(tc, cut_and_split);
    tcase_add_test(tc, members);
    tcase_add_test(tc, nothing_in_it);
    tcase_add_test(tc, ceiling);
    tcase_add_test(tc, bomb);
    tcase_add_test(tc, many_members);
    tcase_add_test(tc, sink_refuses);
    tcase_add_test(tc, sink_refuses_before_checksum);
    return s;
}

int main(void)
{
    return suite_run_together(suite());
}
