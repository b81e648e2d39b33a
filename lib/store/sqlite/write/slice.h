/* slice.h: a slice of closing. It is read first, then written in one transaction. Reading asks only what stands here
 * and changes nothing else, so a thread of its own can do it (write/beside.h). */
#ifndef STORE_SQLITE_WRITE_SLICE_H
#define STORE_SQLITE_WRITE_SLICE_H

#include "base/buf.h"
#include "db/db.h"
#include "part/part.h"
#include "store/sqlite/value_day.h"
#include "store/sqlite/write/closed.h"
#include "store/sqlite/write/sums.h"
#include "time/when.h"

/* What stored logs are read with. */
struct log_reading {
    struct db *db; /* with the writer's statements */
    struct part part;
};

/* Sums of everyone by the value of a dimension: write/values.h. */
struct day_values {
    struct fold sums; /* of one day */
    int64_t day;
    int64_t found[VALUE_DIMENSIONS + 1]; /* values of each dimension; over VALUES_OF_DAY: no more are noted */
};

/* Hours of one day: write/hours.h. */
struct hours_slice {
    int64_t first, until;
    bool has_values; /* value_day has this day */
    struct day_values values;
    int64_t end; /* the hour behind the last one that was read */
    int64_t logs;
};

/* Rows of a day that become parts: write/compact.h. */
struct new_part {
    int64_t user_id, first_second, last_second, logs;
    size_t at, len; /* in parts_slice.bytes */
};
struct parts_slice {
    int64_t day;
    int64_t user;                       /* rows of users up to this one */
    int64_t rows[WHEN_QUARTERS_OF_DAY]; /* how many each quarter has */
    struct part_log *logs;              /* these, and those of parts that were small */
    size_t count, cap;
    int64_t *small; /* rows of log_part */
    size_t small_count, small_cap;
    struct new_part *parts;
    size_t part_count, part_cap;
    struct buf bytes;
};

/* Everyone's day, or users of a wider period: write/periods.h. */
struct period_slice {
    enum tier tier;
    int64_t bucket;
    struct user_list listed; /* by this slice, if it is the period's first one */
    const int64_t *users;    /* those of users[next] … users[end - 1] were read */
    size_t count, next, end;
};

enum slice_kind { SLICE_HOURS, SLICE_PARTS, SLICE_DAY, SLICE_USERS, SLICE_PERIOD };

/* The memory is kept from slice to slice. */
struct closing_slice {
    enum slice_kind kind;
    int64_t from, until; /* quarters of an hour: a log between them that comes while the slice is read spoils it */
    size_t entries;      /* so many packed entries are enough */
    int64_t most;        /* or so many logs */
    struct sums sums;
    struct hours_slice hours;
    struct parts_slice parts;
    struct user_walk walk;
    struct period_slice period;
};

#endif
