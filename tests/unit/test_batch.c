/* test_batch.c: the batch in memory, its budget, domains and addresses. */
#include "log/batch.h"
#include "log/domain.h"
#include "support/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) literal, sizeof(literal) - 1

/* Domains (docs/api.md: lower-case, no trailing dot, at most 253 bytes, no control characters) */

static const struct {
    const char *bytes;
    size_t len;
    const char *wanted; /* NULL: refused */
} domain_rows[] = {
    {BYTES(""), ""},
    {BYTES("\0"), NULL},
    {BYTES("a\0b"), NULL},
    {BYTES("a\n"), NULL},
    {BYTES("a\x7f"), NULL},
    {BYTES("\x1f."), NULL},
    {BYTES("\xff"), NULL},
    {BYTES("a\xc3"), NULL},
    {BYTES("\xc0\xae"), NULL}, /* an overlong dot */
    {BYTES("\xed\xa0\x80"), NULL},
    {BYTES("."), ""},
    {BYTES(".."), ""},
    {BYTES("google.com"), "google.com"},
    {BYTES("Google.COM"), "google.com"},
    {BYTES("google.com."), "google.com"},
    {BYTES("google.com.."), "google.com"},
    {BYTES(".google.com"), ".google.com"},
    {BYTES("a b"), "a b"},
    {BYTES(" google.com  "), "google.com"},
    {BYTES("   "), ""},
    {BYTES("\tgoogle.com"), NULL},
    {BYTES("google.com:443"), "google.com"},
    {BYTES("google.com.:443"), "google.com"},
    {BYTES("google.com:"), "google.com"},
    {BYTES("google.com:65535"), "google.com"},
    {BYTES("google.com:65536"), "google.com:65536"},
    {BYTES("google.com:000443"), "google.com:000443"},
    {BYTES("google.com:4x"), "google.com:4x"},
    {BYTES("1.2.3.4:80"), "1.2.3.4"},
    {BYTES(":443"), ":443"},
    {BYTES("::1"), "::1"}, /* no port 1 */
    {BYTES("2001:DB8::443"), "2001:db8::443"},
    {BYTES("::"), "::"},
    {BYTES("[::1]:443"), "::1"},
    {BYTES("[2001:db8::1]"), "2001:db8::1"},
    {BYTES("[]:443"), "[]"},
    {BYTES("[a]b]:443"), "[a]b]"},
    {BYTES("https://Google.COM"), "google.com"},
    {BYTES("HTTPS://google.com:8443/a/b?c=d#e"), "google.com"},
    {BYTES("http://user:p@ss@google.com./"), "google.com"},
    {BYTES("https://[::1]:443/"), "::1"},
    {BYTES("https://google.com?x=https://b.com"), "google.com"},
    {BYTES("https://"), ""},
    {BYTES(" https:// google.com /"), "google.com"},
    {BYTES("https:/google.com"), "https:/google.com"},
    {BYTES("1https://google.com"), "1https://google.com"},
    {BYTES("google.com/path"), "google.com/path"}, /* no URL */
    {BYTES("user@google.com"), "user@google.com"},
    {BYTES("\0://a"), NULL},
    {BYTES("XN--E1AFMKFD.XN--P1AI"), "xn--e1afmkfd.xn--p1ai"},
    {BYTES("\xd0\x9a\xd0\x98.UA"), "\xd0\x9a\xd0\x98.ua"}, /* ASCII only */
};

START_TEST(domain)
{
    char text[LIMIT_DOMAIN_BYTES + 1];
    size_t len = 77;
    const char *why = NULL;
    char *exact = malloc(domain_rows[_i].len ? domain_rows[_i].len : 1);
    memcpy(exact, domain_rows[_i].bytes, domain_rows[_i].len);
    bool good = domain_normalise((struct slice){exact, domain_rows[_i].len}, text, &len, &why);
    free(exact);
    ck_assert_int_eq(good, domain_rows[_i].wanted != NULL);
    if (!good) {
        ck_assert_uint_eq(len, 77);
        ck_assert_uint_gt(strlen(why), 5);
        return;
    }
    ck_assert_ptr_null(why);
    ck_assert_str_eq(text, domain_rows[_i].wanted);
    ck_assert_uint_eq(len, strlen(domain_rows[_i].wanted));
}
END_TEST

static const struct {
    size_t len;
    bool dot;
    bool good;
} domain_length_rows[] = {{252, false, true}, {253, false, true}, {254, false, false},
                          {253, true, true},  {254, true, false}, {1000, false, false}};

START_TEST(domain_length)
{
    char in[1002], out[LIMIT_DOMAIN_BYTES + 1];
    size_t len = domain_length_rows[_i].len, out_len = 0;
    const char *why = NULL;
    memset(in, 'A', sizeof in);
    in[len] = '.';
    struct slice text = {in, len + domain_length_rows[_i].dot};
    ck_assert_int_eq(domain_normalise(text, out, &out_len, &why), domain_length_rows[_i].good);
    ck_assert_uint_eq(out_len, domain_length_rows[_i].good ? len : 0);
    ck_assert(!domain_length_rows[_i].good || strspn(out, "a") == len);
}
END_TEST

START_TEST(domain_of_nothing)
{
    char out[LIMIT_DOMAIN_BYTES + 1];
    size_t len;
    const char *why;
    ck_assert(domain_normalise((struct slice){NULL, 0}, out, &len, &why));
    ck_assert_uint_eq(len, 0);
}
END_TEST

/* Addresses */

static const struct {
    const char *bytes;
    size_t len;
    int wanted_len; /* -1: refused */
    const char *wanted;
} ip_rows[] = {
    {BYTES(""), 0, ""},
    {BYTES(" "), -1, NULL},
    {BYTES("\0"), -1, NULL},
    {BYTES("1.2.3.4\0"), -1, NULL},
    {BYTES("1.2.3.4\0x"), -1, NULL},
    {BYTES("::1\0"), -1, NULL},
    {BYTES("1"), -1, NULL},
    {BYTES("1.2.3"), -1, NULL},
    {BYTES("1.2.3."), -1, NULL},
    {BYTES("1.2.3.4.5"), -1, NULL},
    {BYTES("1.2.3.4 "), -1, NULL},
    {BYTES(" 1.2.3.4"), -1, NULL},
    {BYTES("1.2.3.256"), -1, NULL},
    {BYTES("1.2.3.-4"), -1, NULL},
    {BYTES("1.2.3.04"), -1, NULL}, /* octal somewhere else */
    {BYTES("0x1.2.3.4"), -1, NULL},
    {BYTES("1.2.3.4/24"), -1, NULL},
    {BYTES("1.2.3.4:80"), -1, NULL},
    {BYTES("localhost"), -1, NULL},
    {BYTES("fe80::1%eth0"), -1, NULL},
    {BYTES("[::1]"), -1, NULL},
    {BYTES(":"), -1, NULL},
    {BYTES(":::"), -1, NULL},
    {BYTES("1:2:3:4:5:6:7"), -1, NULL},
    {BYTES("1:2:3:4:5:6:7:8:9"), -1, NULL},
    {BYTES("12345::"), -1, NULL},
    {BYTES("g::"), -1, NULL},
    {BYTES("0000:0000:0000:0000:0000:ffff:255.255.255.2555"), -1, NULL}, /* 46 bytes */
    {BYTES("0.0.0.0"), 4, "0.0.0.0"},
    {BYTES("255.255.255.255"), 4, "255.255.255.255"},
    {BYTES("185.199.100.10"), 4, "185.199.100.10"},
    {BYTES("::"), 16, "::"},
    {BYTES("::1"), 16, "::1"},
    {BYTES("2001:DB8::A"), 16, "2001:db8::a"},
    {BYTES("2001:0db8:0000:0000:0000:0000:0000:000a"), 16, "2001:db8::a"},
    {BYTES("::ffff:1.2.3.4"), 16, "::ffff:1.2.3.4"},
    {BYTES("0000:0000:0000:0000:0000:ffff:255.255.255.255"), 16, "::ffff:255.255.255.255"}, /* 45 bytes */
};

START_TEST(address)
{
    struct ip ip = {.len = 99};
    char text[46];
    char *exact = malloc(ip_rows[_i].len ? ip_rows[_i].len : 1);
    memcpy(exact, ip_rows[_i].bytes, ip_rows[_i].len);
    bool good = ip_parse((struct slice){exact, ip_rows[_i].len}, &ip);
    free(exact);
    ck_assert_int_eq(good, ip_rows[_i].wanted_len >= 0);
    ck_assert_int_eq(ip.len, good ? ip_rows[_i].wanted_len : 99);
    if (!good)
        return;
    ip_format(&ip, text);
    ck_assert_str_eq(text, ip_rows[_i].wanted);
}
END_TEST

START_TEST(address_bytes)
{
    struct ip ip;
    ck_assert(ip_parse(slice_of("1.2.3.255"), &ip));
    ck_assert_mem_eq(ip.bytes, "\x01\x02\x03\xff\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    ck_assert(ip_parse((struct slice){NULL, 0}, &ip));
    ck_assert_int_eq(ip.len, 0);
}
END_TEST

/* Each byte in each place, as printf writes it. */
START_TEST(address_in_digits)
{
    char text[46], wanted[46];
    for (int i = 0; i < 4 * 256; i++) {
        struct ip ip = {.len = 4, .bytes = {9, 10, 99, 100}};
        ip.bytes[i / 256] = (uint8_t)i;
        ip_format(&ip, text);
        snprintf(wanted, sizeof wanted, "%d.%d.%d.%d", ip.bytes[0], ip.bytes[1], ip.bytes[2], ip.bytes[3]);
        ck_assert_str_eq(text, wanted);
    }
}
END_TEST

/* The batch */

START_TEST(empty_batch)
{
    struct batch batch;
    batch_init(&batch, NULL);
    ck_assert_uint_eq(batch_name(&batch, 0).len, 0);
    ck_assert_uint_eq(batch.log_count, 0);
    batch_release(&batch);
    batch_release(&batch);
}
END_TEST

START_TEST(empty_text_is_0)
{
    struct batch batch;
    struct log_record log = {.count = 5};
    uint32_t index = 99;
    batch_init(&batch, NULL);
    ck_assert_int_eq(batch_intern(&batch, (struct slice){NULL, 0}, &index), OK);
    ck_assert_uint_eq(index, 0);
    ck_assert_int_eq(batch_add(&batch, &log), OK);
    ck_assert_uint_eq(batch.name_count, 1); /* names[0] is there as soon as a log is */
    ck_assert_uint_eq(batch.names[0].len, 0);
    ck_assert_int_eq(batch_intern(&batch, slice_of("x"), &index), OK);
    ck_assert_uint_eq(index, 1);
    batch_release(&batch);
}
END_TEST

START_TEST(texts_are_kept_once)
{
    static const struct slice texts[] = {{BYTES("a")},  {BYTES("b")},        {BYTES("a\0")},       {BYTES("a\0\0")},
                                         {BYTES("\0")}, {BYTES("12345678")}, {BYTES("12345678a")}, {BYTES("1234567")},
                                         {BYTES("A")},  {BYTES("aa")}};
    struct batch batch;
    uint32_t index;
    batch_init(&batch, NULL);
    for (int round = 0; round < 3; round++)
        for (uint32_t i = 0; i < ROWS(texts); i++) {
            ck_assert_int_eq(batch_intern(&batch, texts[i], &index), OK);
            ck_assert_uint_eq(index, i + 1);
        }
    ck_assert_uint_eq(batch.name_count, ROWS(texts) + 1);
    for (uint32_t i = 0; i < ROWS(texts); i++) {
        struct slice name = batch_name(&batch, i + 1);
        ck_assert_uint_eq(name.len, texts[i].len);
        ck_assert_mem_eq(name.data, texts[i].data, name.len);
    }
    batch_release(&batch);
}
END_TEST

START_TEST(many_texts)
{
    struct batch batch;
    char text[32];
    batch_init(&batch, NULL);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 250000; i++) {
            uint32_t index;
            int len = snprintf(text, sizeof text, "host-%u.example", i);
            ck_assert_int_eq(batch_intern(&batch, (struct slice){text, (size_t)len}, &index), OK);
            if (index != i + 1) /* an assertion for each text would be slow */
                ck_abort_msg("text %u has index %u", i, index);
        }
    ck_assert_uint_eq(batch.name_count, 250001);
    batch_release(&batch);
}
END_TEST

START_TEST(same_hash_in_every_batch)
{
    struct batch one, other;
    uint32_t index;
    batch_init(&one, NULL);
    batch_init(&other, NULL);
    batch_intern(&other, slice_of("first"), &index);
    batch_intern(&one, slice_of("example.com"), &index);
    batch_intern(&other, slice_of("example.com"), &index);
    ck_assert_uint_eq(one.names[1].hash, other.names[2].hash);
    ck_assert_uint_ne(other.names[1].hash, other.names[2].hash);
    batch_release(&one);
    batch_release(&other);
}
END_TEST

START_TEST(logs_are_kept)
{
    struct batch batch;
    batch_init(&batch, NULL);
    for (int i = 0; i < 50000; i++) {
        struct log_record log = {.ts = i, .count = -i, .port = 7};
        ck_assert_int_eq(batch_add(&batch, &log), OK);
    }
    ck_assert_uint_eq(batch.log_count, 50000);
    for (int i = 0; i < 50000; i++)
        ck_assert(batch.logs[i].ts == i && batch.logs[i].count == -i && batch.logs[i].port == 7);
    batch_release(&batch);
    ck_assert_uint_eq(batch.log_count, 0);
}
END_TEST

/* The budget */

/* Adds logs until one is refused. */
static void fill(struct batch *batch)
{
    struct log_record log = {0};
    char text[32];
    for (uint32_t i = 0;; i++) {
        uint32_t index;
        int len = snprintf(text, sizeof text, "%u", i);
        if (batch_intern(batch, (struct slice){text, (size_t)len}, &index) != OK || batch_add(batch, &log) != OK)
            return;
        ck_assert_uint_eq(index, i + 1);
    }
}

static const size_t budget_rows[] = {0, 1, 127, 128, 1000, 1024, 5000, 100000, 1 << 20};

START_TEST(budget)
{
    struct batch_budget shared = {0, budget_rows[_i]};
    struct batch batch;
    uint32_t index = 0;
    batch_init(&batch, &shared);
    fill(&batch);
    ck_assert_uint_le(shared.used_bytes, shared.max_bytes);
    ck_assert_uint_eq(shared.used_bytes, batch.reserved_bytes);
    /* After a refusal, the batch still has what it had. */
    for (uint32_t i = 0; i + 1 < batch.name_count; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "%u", i);
        ck_assert_int_eq(batch_intern(&batch, (struct slice){text, (size_t)len}, &index), OK);
        ck_assert_uint_eq(index, i + 1);
    }
    fill(&batch);
    ck_assert_uint_le(shared.used_bytes, shared.max_bytes);
    batch_release(&batch);
    ck_assert_uint_eq(shared.used_bytes, 0);
}
END_TEST

START_TEST(budget_is_shared)
{
    struct batch_budget shared = {0, 1 << 20};
    struct batch one, other;
    struct log_record log = {0};
    batch_init(&one, &shared);
    batch_init(&other, &shared);
    while (batch_add(&one, &log) == OK)
        continue;
    size_t taken = shared.used_bytes;
    while (batch_add(&other, &log) == OK)
        continue;
    ck_assert_uint_le(shared.used_bytes, shared.max_bytes);
    batch_release(&other);
    ck_assert_uint_eq(shared.used_bytes, taken);
    batch_release(&one);
    ck_assert_uint_eq(shared.used_bytes, 0);
    ck_assert_int_eq(batch_add(&other, &log), OK);
    batch_release(&other);
}
END_TEST

/* A budget that is overdrawn, or as large as possible, must not overflow. */
START_TEST(budget_overflow)
{
    struct batch_budget shared = {SIZE_MAX, 100};
    struct log_record log = {0};
    struct batch batch;
    batch_init(&batch, &shared);
    ck_assert_int_eq(batch_add(&batch, &log), ERR_UNAVAILABLE);
    ck_assert_uint_eq(shared.used_bytes, SIZE_MAX);
    shared = (struct batch_budget){0, SIZE_MAX};
    ck_assert_int_eq(batch_add(&batch, &log), OK);
    batch_release(&batch);
    ck_assert_uint_eq(shared.used_bytes, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("batch");
    TCase *tc = suite_case(s, "fields");
    tcase_add_loop_test(tc, domain, 0, ROWS(domain_rows));
    tcase_add_loop_test(tc, domain_length, 0, ROWS(domain_length_rows));
    tcase_add_test(tc, domain_of_nothing);
    tcase_add_loop_test(tc, address, 0, ROWS(ip_rows));
    tcase_add_test(tc, address_bytes);
    tcase_add_test(tc, address_in_digits);
    tc = suite_case(s, "batch");
    tcase_add_test(tc, empty_batch);
    tcase_add_test(tc, empty_text_is_0);
    tcase_add_test(tc, texts_are_kept_once);
    tcase_add_test(tc, many_texts);
    tcase_add_test(tc, same_hash_in_every_batch);
    tcase_add_test(tc, logs_are_kept);
    tcase_add_loop_test(tc, budget, 0, ROWS(budget_rows));
    tcase_add_test(tc, budget_is_shared);
    tcase_add_test(tc, budget_overflow);
    return s;
}

int main(void)
{
    return suite_run_together(suite());
}
