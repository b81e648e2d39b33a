/* fuzz_zone.c: the bytes of a time zone file. Whatever they are: they are refused, or give a zone whose changes are in
 * order, in which each instant has one offset, and whose buckets follow one another. An accepted file is refused
 * without its last byte.
 *
 * Planted to see it fail, and found: types not compared with their number, a block's length not compared with the
 * file's, times that fall. */
#include "report/bucket.h"
#include "fuzz.h"
#include "time/tzif.h"
#include "time/when.h"

static struct zone zone;

static void check_changes(void)
{
    CHECK(zone.count >= 1 && zone.count <= ZONE_SHIFTS && zone.shifts[0].at == INT64_MIN);
    for (size_t i = 0; i < zone.count; i++) {
        CHECK(zone.shifts[i].offset > -ZONE_MAX_OFFSET && zone.shifts[i].offset < ZONE_MAX_OFFSET);
        CHECK(i == 0 || zone.shifts[i].at > zone.shifts[i - 1].at);
        CHECK(i == 0 || zone.shifts[i].offset != zone.shifts[i - 1].offset);
    }
}

static void check_instant(int64_t at)
{
    struct zone_span span = zone_span_at(&zone, at);
    CHECK(span.begin <= at && at < span.end);
    CHECK(span.offset > -ZONE_MAX_OFFSET && span.offset < ZONE_MAX_OFFSET);
    CHECK(zone_clock(&zone, at) == at + span.offset);
    int64_t first = zone_first(&zone, at + span.offset);
    CHECK(first <= at && zone_clock(&zone, first) >= at + span.offset);
    CHECK(zone_first(&zone, at + span.offset + 1) >= first);
}

static void check_bucket(int64_t at, enum granularity granularity)
{
    struct bucket bucket = bucket_at(&zone, granularity, at), next = bucket_at(&zone, granularity, bucket.end);
    CHECK(bucket.begin <= at && at < bucket.end);
    CHECK(next.begin == bucket.end && next.end > bucket.end);
    CHECK(next.label > bucket.label || granularity < GRANULARITY_DAY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!tzif_parse(data, size, &zone))
        return 0;
    check_changes();
    uint32_t number = fuzz_number(data, size);
    for (int i = 0; i < 40; i++) {
        number = fuzz_number(&number, sizeof number);
        int64_t at = number * INT64_C(7) + number % 97; /* to the year 2922 */
        check_instant(at);
        check_bucket(at, (enum granularity)(number >> 8) % 5);
        int64_t end = zone_span_at(&zone, at).end;
        if (end > 0 && end < INT64_C(32503680000))
            check_instant(end - number % 2);
    }
    char *cut = fuzz_copy(data, size - 1);
    CHECK(!tzif_parse((const unsigned char *)cut, size - 1, &zone));
    free(cut);
    return 0;
}
