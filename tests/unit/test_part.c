/* test_part.c: logs by column: bytes worked out by hand from the format in part.h, random logs that come back, and
 * damaged bytes. tests/fuzz/fuzz_part.c tries random ones.
 *
 * Planted to see it fail: a width one bit too narrow, a table whose last entry is left out, IPv6 addresses numbered
 * from the greatest IPv4 address on, no hash. */
#include "part/part.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static struct part part;

/* A single log, so that each number is the least of its column, with the addresses 1.2.3.4 and none. */
static const char one_log[] = "\x01\x01\x00"
                              "\x00\x05\x00\x07\x00\x81\x01\x00\x09\x00\x0b\x00\x00" /* … line */
                              "\x00\xbb\x03\x00\x02\x00\x85\x86\x88\x08\x00\x00"     /* … ip_from */
                              "\x00\x03\x00\x04\x00\x00\x00\x01\x00\x0a\x00\x14\x00\x00\x00\x1e\x00\x28"
                              "\x00\x00\x00\x00\x00\x00\x00\x00";

START_TEST(one_log_by_hand)
{
    struct part_log log = {.numbers = {5, 7, 129, 9, 11, 0, 443, 2, 0, 0, 3, 4, 0, 1, 10, 20, 0, 30, 40},
                           .ip_out = {4, {1, 2, 3, 4}}};
    struct buf bytes;
    buf_init(&bytes, 1000);
    ck_assert_int_eq(part_write(&bytes, &log, 1), OK);
    ck_assert_uint_eq(bytes.len, sizeof one_log - 1 + 8);
    ck_assert_mem_eq(bytes.data, one_log, sizeof one_log - 1);
    ck_assert(part_open(&part, bytes.data, bytes.len));
    ck_assert_int_eq(part_number(&part, PART_DOMAIN, 0), 129);
    buf_release(&bytes);
}
END_TEST

/* ---- random logs ---- */

/* Numbers of so many bits. */
static int64_t number_of_bits(int64_t bits)
{
    return bits ? pick(INT64_C(1) << (bits < 31 ? bits : 31)) << (bits > 31 ? bits - 31 : 0) : 0;
}

static struct ip random_ip(int64_t variety)
{
    static const uint8_t lengths[] = {0, 4, 16};
    struct ip ip = {.len = lengths[pick(variety)]};
    for (int i = 0; i < ip.len; i++)
        ip.bytes[i] = (uint8_t)pick(i == 3 || i == 15 ? 200 : 2);
    return ip;
}

static void random_logs(struct part_log *logs, size_t count)
{
    int64_t bits[PART_COLUMNS], least[PART_COLUMNS], variety = 1 + pick(3);
    for (int column = 0; column < PART_COLUMNS; column++) {
        bits[column] = pick(54);
        least[column] = bits[column] < 50 ? pick(1000) : 0;
    }
    for (size_t i = 0; i < count; i++) {
        logs[i] = (struct part_log){.ip_out = random_ip(variety), .ip_from = random_ip(variety)};
        for (int column = 0; column < PART_COLUMNS; column++)
            logs[i].numbers[column] = least[column] + number_of_bits(bits[column]) * (pick(3) > 0);
    }
}

static void check_log(const struct part_log *due, size_t index)
{
    struct part_log log = {0};
    part_log(&part, index, &log);
    for (int column = 0; column < PART_COLUMNS; column++)
        if (column != PART_IP_OUT && column != PART_IP_FROM)
            ck_assert_msg(log.numbers[column] == due->numbers[column], "log %zu, column %d", index, column);
    ck_assert_mem_eq(&log.ip_out, &due->ip_out, sizeof log.ip_out);
    ck_assert_mem_eq(&log.ip_from, &due->ip_from, sizeof log.ip_from);
}

/* A number of a log is found, with the log's code. The number after it is found only in the logs that have it. */
static void check_find(enum part_column column, size_t index, size_t count)
{
    int64_t number = part_number(&part, column, index);
    uint64_t code = 0;
    ck_assert(part_find(&part, column, number, &code));
    ck_assert_uint_eq(code, part_code(&part.columns[column], index));
    if (!part_find(&part, column, number + 1, &code))
        return;
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(part_code(&part.columns[column], i) == code, part_number(&part, column, i) == number + 1);
}

START_TEST(logs_come_back)
{
    static struct part_log logs[PART_LOGS];
    size_t count = _i % 4 == 3 ? PART_LOGS : 1 + (size_t)pick(300);
    struct buf bytes;
    seed((uint64_t)_i + 1);
    buf_init(&bytes, 1u << 20);
    random_logs(logs, count);
    ck_assert_int_eq(part_write(&bytes, logs, count), OK);
    ck_assert(part_open(&part, bytes.data, bytes.len));
    ck_assert_uint_eq(part.logs, count);
    for (size_t i = 0; i < count; i++)
        check_log(&logs[i], i);
    for (enum part_column column = 0; column < PART_COLUMNS; column++)
        check_find(column, (size_t)pick((int64_t)count), count);
    ck_assert_int_eq(part_ip_number(&part, &logs[0].ip_out), part_number(&part, PART_IP_OUT, 0));
    buf_release(&bytes);
}
END_TEST

START_TEST(a_flipped_byte_is_seen)
{
    struct part_log logs[20];
    struct buf bytes;
    seed(7);
    buf_init(&bytes, 1u << 16);
    random_logs(logs, 20);
    ck_assert_int_eq(part_write(&bytes, logs, 20), OK);
    for (size_t i = 0; i < bytes.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] ^= (char)(1 << bit);
            ck_assert_msg(!part_open(&part, bytes.data, bytes.len), "byte %zu, bit %d", i, bit);
            bytes.data[i] ^= (char)(1 << bit);
        }
        ck_assert(!part_open(&part, bytes.data, i));
    }
    ck_assert(part_open(&part, bytes.data, bytes.len));
    buf_release(&bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("part");
    TCase *tcase = suite_case(suite, "part");
    tcase_add_test(tcase, one_log_by_hand);
    tcase_add_loop_test(tcase, logs_come_back, 0, 200);
    tcase_add_test(tcase, a_flipped_byte_is_seen);
    return suite_run_together(suite);
}
