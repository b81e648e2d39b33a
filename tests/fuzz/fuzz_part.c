/* fuzz_part.c: a damaged part with the right hash. Whatever the bytes: they are refused, or give logs that come back
 * when they are written and read again. And any logs that are written come back.
 *
 * Planted to see it fail, and found: a table longer than its width can count, more addresses than bytes, columns that
 * end beyond the part. */
#include "fuzz.h"
#include "part/form.h"
#include "part/part.h"

#include <stdbool.h>

static struct part part, again;
static struct part_log logs[PART_LOGS];

static bool is_whole(const struct part_log *log)
{
    for (int column = 0; column < PART_COLUMNS; column++)
        if (log->numbers[column] < 0 || log->numbers[column] > LIMIT_ID)
            return false;
    return true;
}

static void check_written_and_read(size_t count)
{
    struct buf bytes;
    buf_init(&bytes, 1u << 22);
    for (size_t i = 0; i < count; i++)
        if (!is_whole(&logs[i]))
            count = i;
    if (count > 0) {
        CHECK(part_write(&bytes, logs, count) == OK);
        CHECK(part_open(&again, bytes.data, bytes.len) && again.logs == count);
    }
    for (size_t i = 0; i < count; i++) {
        struct part_log log = {0};
        part_log(&again, i, &log);
        CHECK(memcmp(log.numbers, logs[i].numbers, sizeof log.numbers) == 0);
        CHECK(memcmp(&log.ip_out, &logs[i].ip_out, sizeof log.ip_out) == 0);
        CHECK(memcmp(&log.ip_from, &logs[i].ip_from, sizeof log.ip_from) == 0);
    }
    buf_release(&bytes);
}

/* Reads the input as a part: the bytes at its end, and the right hash, are added. */
static void read_as_part(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 2 * sizeof(uint64_t));
    CHECK(bytes != NULL);
    if (size)
        memcpy(bytes, data, size);
    memset(bytes + size, 0, sizeof(uint64_t));
    uint64_t hash = htole64(part_hash(bytes, size + sizeof hash));
    memcpy(bytes + size + sizeof hash, &hash, sizeof hash);
    bool is_part = part_open(&part, bytes, size + 2 * sizeof hash);
    for (size_t i = 0; is_part && i < part.logs; i++)
        part_log(&part, i, &logs[i]);
    if (is_part)
        check_written_and_read(part.logs);
    free(bytes);
}

/* Writes the input as logs: any numbers, any addresses. */
static void write_as_logs(const uint8_t *data, size_t size)
{
    static const uint8_t lengths[] = {0, 4, 16, 16};
    const size_t width = PART_COLUMNS * sizeof(uint64_t);
    size_t count = 0;
    for (; count < PART_LOGS && size >= width; data += width, size -= width) {
        struct part_log *log = &logs[count++];
        *log = (struct part_log){.ip_out.len = lengths[data[0] % 4], .ip_from.len = lengths[data[1] % 4]};
        memcpy(log->ip_out.bytes, data + 2, log->ip_out.len);
        memcpy(log->ip_from.bytes, data + 1, log->ip_from.len);
        for (int column = 0; column < PART_COLUMNS; column++) {
            uint64_t number;
            memcpy(&number, data + (size_t)column * sizeof number, sizeof number);
            log->numbers[column] = (int64_t)(number & LIMIT_ID);
        }
    }
    check_written_and_read(count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1u << 16)
        return 0;
    read_as_part(data, size);
    write_as_logs(data, size);
    return 0;
}
