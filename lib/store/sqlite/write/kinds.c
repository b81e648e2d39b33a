/* kinds.c: which file reads and writes which kind of slice. Knows no table. */
#include "store/sqlite/write/kinds.h"

#include "store/sqlite/write/compact.h"
#include "store/sqlite/write/hours.h"
#include "store/sqlite/write/periods.h"
#include "store/sqlite/write/users.h"

#include <stdlib.h>

#include "base/banned.h"

static const struct {
    enum err (*read)(struct closing_slice *slice, struct log_reading *reading, struct fault *fault);
    enum err (*write)(struct sqlite_writer *writer, struct fault *fault);
} kinds[] = {
    [SLICE_HOURS] = {sqlite_hours_read, sqlite_hours_write},    [SLICE_PARTS] = {sqlite_parts_read, sqlite_parts_write},
    [SLICE_DAY] = {sqlite_day_read, sqlite_day_write},          [SLICE_USERS] = {sqlite_users_read, sqlite_users_write},
    [SLICE_PERIOD] = {sqlite_period_read, sqlite_period_write},
};

enum err sqlite_slice_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault)
{
    sqlite_sums_clear(&slice->sums);
    enum err err = kinds[slice->kind].read(slice, reading, fault);
    fold_sort(&slice->sums.traffic); /* here, so that no batch waits for it */
    fold_sort(&slice->sums.entries);
    return err;
}

enum err sqlite_slice_write(struct sqlite_writer *writer, struct fault *fault)
{
    return kinds[writer->closing.slice.kind].write(writer, fault);
}

void sqlite_slice_init(struct closing_slice *slice)
{
    sqlite_parts_init(&slice->parts);
}

void sqlite_slice_release(struct closing_slice *slice)
{
    sqlite_sums_release(&slice->sums);
    fold_release(&slice->hours.values.sums);
    sqlite_parts_release(&slice->parts);
    free(slice->period.listed.users);
}
