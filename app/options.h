/* options.h: the command line of the two FastCGI programs. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "log.h"

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *data_dir; /* --data, else $ANALYTICS_DATA */
    int64_t threads;
    int64_t query_timeout_ms;
    int64_t idempotency_days;
    int64_t wal_limit_mib;
    enum log_level log_level;
};

/* Which options a program has: an option's bit, besides --data, --log-level, --help and --version. */
enum { OPTION_THREADS = 1, OPTION_QUERY_TIMEOUT = 2, OPTION_IDEMPOTENCY_DAYS = 4, OPTION_WAL_LIMIT = 8 };

/* Reads the command line into *options, which holds the defaults. False when the program is to end with *ret_exit (help
 * and version: 0; a bad command line: 2, after one line on stderr). */
bool options_parse(int argc, char **argv, unsigned has, struct options *options, int *ret_exit);

#endif
