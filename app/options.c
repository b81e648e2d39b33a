/* options.c: the command line of the two FastCGI programs. Knows option names and ranges. */
#include "options.h"

#include "config.h"
#include "text.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banned.h"

struct integer_option {
    unsigned bit;
    const char *name;
    size_t field; /* in struct options */
    int64_t min;
    int64_t max;
    const char *help;
};

static const struct integer_option integer_options[] = {
    {OPTION_THREADS, "--threads", offsetof(struct options, threads), 1, 256, "requests handled at once"},
    {OPTION_QUERY_TIMEOUT, "--query-timeout-ms", offsetof(struct options, query_timeout_ms), 1, 3600000,
     "a report that runs longer is ended"},
    {OPTION_IDEMPOTENCY_DAYS, "--idempotency-days", offsetof(struct options, idempotency_days), 1, 3650,
     "how long idempotency keys are kept"},
    {OPTION_WAL_LIMIT, "--wal-limit-mib", offsetof(struct options, wal_limit_mib), 1, 65536,
     "batches are refused when readers keep analytics.db-wal longer"},
};
#define INTEGER_OPTIONS (sizeof integer_options / sizeof *integer_options)

static int64_t *field_of(struct options *options, const struct integer_option *option)
{
    return (int64_t *)(void *)((char *)options + option->field);
}

static void print_help(const char *program, unsigned has, struct options *options)
{
    (void)printf("usage: %s --data DIR [options]\n\n"
                 "A FastCGI program: a process manager starts it with a listening Unix socket as descriptor 0.\n\n"
                 "  --data DIR              where the databases are (or $ANALYTICS_DATA)\n",
                 program);
    for (size_t i = 0; i < INTEGER_OPTIONS; i++) {
        const struct integer_option *option = &integer_options[i];

        if ((has & option->bit) != 0)
            (void)printf("  %-19s N   %s (%lld to %lld, default %lld)\n", option->name, option->help,
                         (long long)option->min, (long long)option->max, (long long)*field_of(options, option));
    }
    (void)printf("  --log-level LEVEL       debug, info (default), warn or error; debug logs every request\n"
                 "  --help, --version\n");
}

static bool set_integer(struct options *options, const struct integer_option *option, const char *value)
{
    if (text_to_i64(slice_of(value), option->min, option->max, field_of(options, option)))
        return true;
    (void)fprintf(stderr, "%s must be an integer from %lld to %lld\n", option->name, (long long)option->min,
                  (long long)option->max);
    return false;
}

static bool set_option(unsigned has, struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--data") == 0) {
        options->data_dir = value;
        return true;
    }
    if (strcmp(name, "--log-level") == 0 && log_level_parse(slice_of(value), &options->log_level))
        return true;
    for (size_t i = 0; i < INTEGER_OPTIONS; i++) {
        if ((has & integer_options[i].bit) != 0 && strcmp(name, integer_options[i].name) == 0)
            return set_integer(options, &integer_options[i], value);
    }
    (void)fprintf(stderr, "unknown option %s %s: see --help\n", name, value);
    return false;
}

/* --help and --version: true when there was one. */
static bool tell(int argc, char **argv, unsigned has, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help(argv[0], has, options);
            return true;
        }
        if (strcmp(argv[i], "--version") == 0) {
            (void)printf("%s\n", PACKAGE_VERSION);
            return true;
        }
    }
    return false;
}

bool options_parse(int argc, char **argv, unsigned has, struct options *options, int *ret_exit)
{
    *ret_exit = 0;
    if (tell(argc, argv, has, options))
        return false;
    *ret_exit = 2;
    options->data_dir = getenv("ANALYTICS_DATA");
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) {
            (void)fprintf(stderr, "%s needs a value, or is unknown: see --help\n", argv[i]);
            return false;
        }
        if (!set_option(has, options, argv[i], argv[i + 1]))
            return false;
    }
    if (options->data_dir == NULL || options->data_dir[0] == '\0') {
        (void)fprintf(stderr, "where are the databases? Give --data DIR or set ANALYTICS_DATA\n");
        return false;
    }
    return true;
}
