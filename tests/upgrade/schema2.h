/* schema2.h: what is in tests/upgrade/schema2.db.gz, written by version 0.2.0: logs 0 … 49 of file "a", imported
 * without the service, in two chunks; logs 0 … 29 of file "b", imported through it; and logs 50 … 59 of file "a", which
 * a worker sent. */
#ifndef SCHEMA2_H
#define SCHEMA2_H

#include "log/batch.h"
#include "log/import_mark.h"

#include <check.h>

#define SCHEMA2_BEGIN INT64_C(1773569700) /* 2026-03-15 10:15:00 */
#define SCHEMA2_A 50
#define SCHEMA2_B 30
#define SCHEMA2_WORKER 10
#define SCHEMA2_LOGS (SCHEMA2_A + SCHEMA2_B + SCHEMA2_WORKER)

/* Log i of a file. Three logs share a second, two of them are equal. The texts fill every field. */
static inline void schema2_add(struct batch *batch, const char *file, int i)
{
    struct log_record log = {.ts = SCHEMA2_BEGIN + i / 3,
                             .user_id = 1,
                             .order_id = 2,
                             .count = i % 3 != 1,
                             .bytes_sent = i / 3,
                             .bytes_received = 7,
                             .error_count = 1,
                             .duration_ms = 3,
                             .max_concurrency = 4,
                             .port = 443};
    const char *const texts[NAME_FIELDS] = {file, "refused", "HTTPS", "peer", "worker"};
    for (int field = 0; field < NAME_FIELDS; field++)
        ck_assert_int_eq(batch_intern(batch, slice_of(texts[field]), &log.name[field]), OK);
    ck_assert(ip_parse(slice_of("192.0.2.1"), &log.ip_out) && ip_parse(slice_of("2001:db8::7"), &log.ip_from));
    ck_assert_int_eq(batch_add(batch, &log), OK);
}

/* The mark of the place where log `end` of the file begins. */
static inline struct import_mark schema2_mark(const char *file, int end)
{
    struct import_mark mark = {0};
    struct batch batch;
    batch_init(&batch, NULL);
    for (int i = 0; i < end; i++) {
        schema2_add(&batch, file, i);
        import_mark_add(&mark, &batch, (uint32_t)i);
    }
    batch_release(&batch);
    return mark;
}

#endif
