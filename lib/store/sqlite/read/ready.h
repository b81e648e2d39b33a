/* ready.h: a question made ready for reading, and the rows that answer it. Private to this room. */
#ifndef STORE_SQLITE_READ_READY_H
#define STORE_SQLITE_READ_READY_H

#include "store/sqlite/read/match.h"
#include "store/sqlite/read/names.h"
#include "store/sqlite/read/reader.h"

#define NAME_ANY INT64_C(-1)

/* A question made ready: names resolved, users known, and what the file holds at this moment. */
struct scan {
    const struct report_filter *filter;
    int64_t domain;       /* name.id, or NAME_ANY; those below one are in `match` */
    int64_t error;        /* the same; the sources that know errors are SCAN_ERRORS and SCAN_VALUES */
    bool has_terms;       /* only single logs know what is asked: all is read from them */
    int64_t names[TERMS]; /* of terms that are texts: name.id */
    struct match *match;  /* conditions that no statement has; NULL: none */
    int64_t closed_hour;  /* as of this read transaction */
    int64_t closed_day;
    int64_t changes;  /* of closed hours, ever */
    int64_t raw_from; /* what is older is gone, Unix seconds: raw logs, … */
    int64_t hour_from;
    int64_t day_from;
    int64_t durations_from;     /* sums of earlier times do not have them */
    int64_t row_from;           /* no row of raw_log is of an earlier quarter of an hour */
    int64_t part_from, part_to; /* and no part of another day */
    int64_t *users;             /* whose rows to read; a single 0 stands for everyone */
    size_t user_count;          /* 0: nothing can match */
};

/* What a report counts: all logs; all logs by domain; logs that name an error, by error and domain; all logs by the
 * value of a dimension. */
enum scan_source { SCAN_TRAFFIC, SCAN_DOMAINS, SCAN_ERRORS, SCAN_VALUES };

/* Some of the logs. `at` lies in the chart bucket that they count for. Rows of SCAN_TRAFFIC have no first and last,
 * rows of SCAN_VALUES neither these nor `at`. */
struct scan_row {
    int64_t at;
    int64_t error; /* name ids; 0 where the source does not tell */
    int64_t domain;
    int64_t value;   /* of SCAN_VALUES: a name id or a number; of an address: ip_number */
    struct slice ip; /* the bytes of an IPv6 address */
    struct totals totals;
};

/* The source that has all logs of the filter in the fewest rows. */
static inline enum scan_source scan_source_of(const struct report_filter *filter)
{
    if (filter->has_error)
        return SCAN_ERRORS;
    bool has_entries = filter->has_domain || filter->without[BY_DOMAIN].is_set || filter->without[BY_ORDER].is_set;
    return has_entries || filter_needs_logs(filter, false) ? SCAN_DOMAINS : SCAN_TRAFFIC;
}

/* ERR_LOGS_PRUNED where single logs have to tell, and some are gone: part of an answer would look like all of it. */
enum err scan_check_kept(const struct scan *scan, struct fault *fault);

typedef enum err (*scan_sink)(void *ctx, const struct scan_row *row);

/* Begins a read transaction, unless one is held, and the report's time. `of_errors`: only SCAN_ERRORS will be read.
 * Always followed by scan_end. */
enum err scan_begin(struct sqlite_reader *reader, const struct report_filter *filter, bool of_errors,
                    struct scan *ret_scan, struct fault *fault);
void scan_end(struct sqlite_reader *reader, struct scan *scan);

/* As it is told: of times that only sums of an older version know, without durations. */
struct totals scan_answer(const struct sqlite_reader *reader, const struct totals *totals);

/* Has the report under way used up its time? */
bool scan_is_late(const struct sqlite_reader *reader);

/* Turns a scan of everyone into one of each single user: packed entries have everyone only as a whole. */
enum err scan_split_users(struct sqlite_reader *reader, struct scan *scan, struct fault *fault);

#endif
