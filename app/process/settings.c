/* settings.c: the table of settings, and where their values come from. Knows files, the environment and command lines.
 * Does not know what a setting does. */
#include "process/settings.h"

#include "config.h"
#include "base/limit.h"
#include "process/log.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/banned.h"

#define DEFAULT_FILE SYSCONFDIR "/fonproxy-analytics/analytics.conf"
#define NAME_BYTES 64 /* of a setting in the environment or on the command line */

#define STRINGIFY(value) #value
#define TEXT_OF(value) STRINGIFY(value)
#define INTEGER(low, high) .min = (low), .max = (high), .accepts = "an integer from " #low " to " #high

#define KEPT_DAYS INTEGER(0, 36500)
_Static_assert(STORE_RETENTION_MAX_DAYS == 36500, "what KEPT_DAYS says");

static const struct setting_row rows[SETTING_COUNT] = {
    [SETTING_DATA] = {.name = "data",
                      .accepts = "a path",
                      .about = "the data folder",
                      .readers = SETTINGS_INGEST | SETTINGS_QUERY,
                      .is_text = true},
    [SETTING_ENGINE] = {.name = "engine",
                        .accepts = "sqlite or clickhouse",
                        .about = "where logs are kept",
                        .readers = SETTINGS_INGEST | SETTINGS_QUERY,
                        .fallback = "sqlite"},
    [SETTING_THREADS] = {.name = "threads",
                         INTEGER(1, 256),
                         .about = "how many batches are read at the same time",
                         .readers = SETTINGS_INGEST,
                         .fallback = "64"},
    [SETTING_QUERY_TIMEOUT_MS] = {.name = "query_timeout_ms",
                                  INTEGER(1, 3600000),
                                  .about = "the time limit for a report",
                                  .readers = SETTINGS_QUERY,
                                  .fallback = "10000"},
    [SETTING_USERS_SEE_NETWORK] = {.name = "users_see_network",
                                   .accepts = "yes or no",
                                   .about = "whether users may ask by worker, peer and address",
                                   .readers = SETTINGS_QUERY,
                                   .is_switch = true,
                                   .fallback = "no"},
    [SETTING_IDEMPOTENCY_DAYS] = {.name = "idempotency_days",
                                  INTEGER(1, 3650),
                                  .about = "how many days idempotency keys are kept",
                                  .readers = SETTINGS_INGEST,
                                  .fallback = "7"},
    [SETTING_WAL_LIMIT_MIB] = {.name = "wal_limit_mib",
                               INTEGER(1, 65536),
                               .about = "the size of the write-ahead log at which batches are refused",
                               .readers = SETTINGS_INGEST,
                               .fallback = TEXT_OF(LIMIT_WAL_MIB)},
    [SETTING_RAW_DAYS] = {.name = "raw_days",
                          KEPT_DAYS,
                          .about = "how many days logs are kept; 0: for ever",
                          .readers = SETTINGS_INGEST,
                          .fallback = "0"},
    [SETTING_HOUR_DAYS] = {.name = "hour_days",
                           KEPT_DAYS,
                           .about = "how many days sums by the hour are kept; 0: for ever",
                           .readers = SETTINGS_INGEST,
                           .fallback = "0"},
    [SETTING_DAY_DAYS] = {.name = "day_days",
                          KEPT_DAYS,
                          .about = "how many days sums by the day are kept; 0: for ever",
                          .readers = SETTINGS_INGEST,
                          .fallback = "0"},
    [SETTING_LOG_LEVEL] = {.name = "log_level",
                           .accepts = "debug, info, warn or error",
                           .about = "the least severe level that is logged; debug logs every request",
                           .readers = SETTINGS_INGEST | SETTINGS_QUERY,
                           .fallback = "info"},
    [SETTING_CLICKHOUSE_URLS] = {.name = "clickhouse_urls",
                                 .accepts = "URLs: replicas between commas, shards between blanks",
                                 .about = "its servers, by their HTTP ports",
                                 .readers = SETTINGS_INGEST | SETTINGS_QUERY,
                                 .is_text = true},
    [SETTING_CLICKHOUSE_DATABASE] = {.name = "clickhouse_database",
                                     .accepts = "a name",
                                     .about = "where its tables are",
                                     .readers = SETTINGS_INGEST | SETTINGS_QUERY,
                                     .is_text = true,
                                     .fallback = "analytics"},
    [SETTING_CLICKHOUSE_CLUSTER] = {.name = "clickhouse_cluster",
                                    .accepts = "a name",
                                    .about = "where there are several shards: their cluster in its configuration",
                                    .readers = SETTINGS_INGEST | SETTINGS_QUERY,
                                    .is_text = true},
    [SETTING_CLICKHOUSE_USER] = {.name = "clickhouse_user",
                                 .accepts = "a name",
                                 .about = "who writes there",
                                 .readers = SETTINGS_INGEST,
                                 .is_text = true,
                                 .fallback = "analytics"},
    [SETTING_CLICKHOUSE_PASSWORD_FILE] = {.name = "clickhouse_password_file",
                                          .accepts = "a path",
                                          .about = "a file whose first line is that user's password",
                                          .readers = SETTINGS_INGEST,
                                          .is_text = true},
    [SETTING_CLICKHOUSE_REPORTS_USER] = {.name = "clickhouse_reports_user",
                                         .accepts = "a name",
                                         .about = "who reads there",
                                         .readers = SETTINGS_QUERY,
                                         .is_text = true,
                                         .fallback = "analytics_reports"},
    [SETTING_CLICKHOUSE_REPORTS_PASSWORD_FILE] = {.name = "clickhouse_reports_password_file",
                                                  .accepts = "a path",
                                                  .about = "a file whose first line is that user's password",
                                                  .readers = SETTINGS_QUERY,
                                                  .is_text = true},
    [SETTING_CLICKHOUSE_CA_FILE] = {.name = "clickhouse_ca_file",
                                    .accepts = "a path",
                                    .about = "who signed its certificates, if not who the system trusts",
                                    .readers = SETTINGS_INGEST | SETTINGS_QUERY,
                                    .is_text = true},
    [SETTING_CLICKHOUSE_NODE] = {.name = "clickhouse_node",
                                 INTEGER(0, 1023),
                                 .about = "another number for each machine that takes batches",
                                 .readers = SETTINGS_INGEST,
                                 .fallback = "0"},
    [SETTING_CLICKHOUSE_SHIP_MS] = {.name = "clickhouse_ship_ms",
                                    INTEGER(10, 60000),
                                    .about =
                                        "what comes in is shipped so late, unless a report asks or 50,000 logs came",
                                    .readers = SETTINGS_INGEST,
                                    .fallback = "1000"},
    [SETTING_CLICKHOUSE_SPOOL_LIMIT_MIB] = {.name = "clickhouse_spool_limit_mib",
                                            INTEGER(1, 16777216),
                                            .about = "batches are refused while more than this waits to be shipped",
                                            .readers = SETTINGS_INGEST,
                                            .fallback = "10240"},
    [SETTING_CLICKHOUSE_TIMEOUT_MS] = {.name = "clickhouse_timeout_ms",
                                       INTEGER(100, 3600000),
                                       .about = "a server that takes longer is tried again, or another one",
                                       .readers = SETTINGS_INGEST | SETTINGS_QUERY,
                                       .fallback = "30000"},
};
_Static_assert(CLICKHOUSE_NODES == 1024, "what clickhouse_node accepts");

const struct setting_row *settings_row(enum setting which)
{
    return &rows[which];
}

const char *settings_default_file(void)
{
    return DEFAULT_FILE;
}

/* "threads" → "ANALYTICS_THREADS". */
static void name_in_environment(enum setting which, char ret_name[NAME_BYTES])
{
    snprintf(ret_name, NAME_BYTES, "ANALYTICS_%s", rows[which].name);
    for (char *c = ret_name; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
}

/* "wal_limit_mib" → "--wal-limit-mib". */
static void name_of_option(enum setting which, char ret_name[NAME_BYTES])
{
    snprintf(ret_name, NAME_BYTES, "--%s", rows[which].name);
    for (char *c = ret_name; *c != '\0'; c++)
        *c = *c == '_' ? '-' : *c;
}

/* ---- what is wrong ---- */

/* One reading of all sources. */
struct settings_reading {
    const char *program;
    struct settings *settings;
    bool in_file[SETTING_COUNT]; /* what the file has set so far */
    bool failed;
};

static void __attribute__((format(printf, 2, 3))) complain(struct settings_reading *reading, const char *format, ...)
{
    va_list args;

    reading->failed = true;
    fprintf(stderr, "%s: ", reading->program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static const char *quote(const char *text, char ret_text[TEXT_QUOTE_BYTES])
{
    return text_quote(slice_of(text), ret_text);
}

/* ---- one value ---- */

static bool parse_switch(const char *text, int64_t *ret_number)
{
    *ret_number = strcmp(text, "yes") == 0;
    return *ret_number || strcmp(text, "no") == 0;
}

static bool parse_value(enum setting which, const char *text, int64_t *ret_number)
{
    if (which == SETTING_LOG_LEVEL) {
        enum log_level level;
        if (!log_level_parse(slice_of(text), &level))
            return false;
        *ret_number = level;
        return true;
    }
    const struct setting_row *row = &rows[which];
    if (which == SETTING_ENGINE)
        return store_engine_find(text) != NULL;
    if (row->is_text)
        return text[0] != '\0';
    if (row->is_switch)
        return parse_switch(text, ret_number);
    return text_to_i64(slice_of(text), row->min, row->max, ret_number);
}

static void set(struct settings_reading *reading, enum setting which, const char *text, const char *origin)
{
    char *copy = strdup(text);
    char *origin_copy = strdup(origin);
    if (!copy || !origin_copy) {
        complain(reading, "out of memory");
        free(copy);
        free(origin_copy);
        return;
    }
    free(reading->settings->values[which].text);
    free(reading->settings->values[which].origin);
    reading->settings->values[which].text = copy;
    reading->settings->values[which].origin = origin_copy;
}

/* `words`: how to name what was set, in a complaint. */
static void take(struct settings_reading *reading, enum setting which, const char *text, const char *origin,
                 const char *words)
{
    char quoted[TEXT_QUOTE_BYTES];
    if (!parse_value(which, text, &reading->settings->values[which].number))
        complain(reading, "%s must be %s, but is %s", words, rows[which].accepts, quote(text, quoted));
    else
        set(reading, which, text, origin);
}

/* ---- the file ---- */

static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

/* A comment is a line that begins with '#', or what follows a blank and a '#'. */
static void cut_comment(char *line)
{
    for (char *c = line; *c != '\0'; c++) {
        if (*c == '#' && (c == line || c[-1] == ' ' || c[-1] == '\t')) {
            *c = '\0';
            return;
        }
    }
}

static bool find_setting(const char *name, enum setting *ret_which)
{
    for (enum setting i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            *ret_which = i;
            return true;
        }
    }
    return false;
}

static void list_settings(char *ret_list, size_t size)
{
    size_t len = 0;
    for (enum setting i = 0; i < SETTING_COUNT && len < size; i++)
        len += (size_t)snprintf(ret_list + len, size - len, "%s%s", i > 0 ? ", " : "", rows[i].name);
}

static void take_line(struct settings_reading *reading, const char *path, int number, char *line)
{
    char place[PATH_MAX + 16], words[PATH_MAX + 16 + NAME_BYTES], known[1024], quoted[TEXT_QUOTE_BYTES];
    char *equals = strchr(line, '=');
    snprintf(place, sizeof place, "%s:%d", path, number);
    if (!equals) {
        complain(reading, "%s: a line must be \"name = value\", but is %s", place, quote(line, quoted));
        return;
    }
    *equals = '\0';
    enum setting which;
    if (!find_setting(trim(line), &which)) {
        list_settings(known, sizeof known);
        complain(reading, "%s: there is no setting %s; there are %s", place, quote(trim(line), quoted), known);
        return;
    }
    snprintf(words, sizeof words, "%s: %s", place, rows[which].name);
    if (reading->in_file[which])
        complain(reading, "%s must stand in the file once, but stands there again", words);
    else if (which == SETTING_DATA && *trim(equals + 1) != '/')
        complain(reading, "%s must be an absolute path in this file, but is %s", words,
                 quote(trim(equals + 1), quoted));
    else
        take(reading, which, trim(equals + 1), place, words);
    reading->in_file[which] = true;
}

static void take_lines(struct settings_reading *reading, const char *path, FILE *file)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    for (int number = 1; (len = getline(&line, &room, file)) >= 0; number++) {
        if (strlen(line) != (size_t)len) {
            complain(reading, "%s:%d: a line must have no NUL byte, but this one has", path, number);
            continue;
        }
        cut_comment(line);
        char *text = trim(line);
        if (*text != '\0')
            take_line(reading, path, number, text);
    }
    if (ferror(file))
        complain(reading, "can't read %s: %s", path, strerror(errno));
    free(line);
}

static void take_file(struct settings_reading *reading, const char *path, bool must_exist)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        if (must_exist || errno != ENOENT)
            complain(reading, "can't read %s: %s", path, strerror(errno));
        return;
    }
    reading->settings->file = strdup(path);
    take_lines(reading, path, file);
    fclose(file);
}

/* ---- all sources ---- */

static void take_defaults(struct settings_reading *reading)
{
    for (enum setting i = 0; i < SETTING_COUNT; i++) {
        if (rows[i].fallback)
            take(reading, i, rows[i].fallback, "default", rows[i].name);
    }
}

/* An empty variable counts as not set. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

static void take_environment(struct settings_reading *reading)
{
    for (enum setting i = 0; i < SETTING_COUNT; i++) {
        char name[NAME_BYTES], origin[NAME_BYTES + 1];
        name_in_environment(i, name);
        snprintf(origin, sizeof origin, "$%s", name);
        const char *value = variable(name);
        if (value)
            take(reading, i, value, origin, origin);
    }
}

static void load(struct settings_reading *reading, const char *file)
{
    const char *named = file ? file : variable("ANALYTICS_CONFIG");
    take_defaults(reading);
    take_file(reading, named ? named : DEFAULT_FILE, named != NULL);
    take_environment(reading);
}

static const char *text_of(const struct settings *settings, enum setting which)
{
    const char *text = settings->values[which].text;
    return text ? text : "";
}

static struct clickhouse_config clickhouse_of(const struct settings *settings)
{
    return (struct clickhouse_config){
        .urls = text_of(settings, SETTING_CLICKHOUSE_URLS),
        .database = text_of(settings, SETTING_CLICKHOUSE_DATABASE),
        .cluster = text_of(settings, SETTING_CLICKHOUSE_CLUSTER),
        .user = text_of(settings, SETTING_CLICKHOUSE_USER),
        .password_file = text_of(settings, SETTING_CLICKHOUSE_PASSWORD_FILE),
        .reports_user = text_of(settings, SETTING_CLICKHOUSE_REPORTS_USER),
        .reports_password_file = text_of(settings, SETTING_CLICKHOUSE_REPORTS_PASSWORD_FILE),
        .ca_file = text_of(settings, SETTING_CLICKHOUSE_CA_FILE),
        .node = settings->values[SETTING_CLICKHOUSE_NODE].number,
        .ship_interval_ms = settings->values[SETTING_CLICKHOUSE_SHIP_MS].number,
        .spool_limit_mib = settings->values[SETTING_CLICKHOUSE_SPOOL_LIMIT_MIB].number,
        .timeout_ms = settings->values[SETTING_CLICKHOUSE_TIMEOUT_MS].number,
    };
}

struct store_place settings_place(const struct settings *settings)
{
    return (struct store_place){.engine = store_engine_find(text_of(settings, SETTING_ENGINE)),
                                .data_dir = settings->values[SETTING_DATA].text,
                                .clickhouse = &settings->clickhouse};
}

static bool is_clickhouse(const struct settings *settings)
{
    return strcmp(text_of(settings, SETTING_ENGINE), "clickhouse") == 0;
}

/* Values that are valid alone, but not together. */
static void check_together(struct settings_reading *reading)
{
    struct store_retention retention = settings_retention(reading->settings);
    struct fault fault;
    if (store_retention_check(&retention, &fault))
        complain(reading, "%s", fault.detail);
    reading->settings->clickhouse = clickhouse_of(reading->settings);
    if (is_clickhouse(reading->settings) &&
        (retention.hour_days != retention.raw_days || retention.day_days != retention.raw_days))
        complain(reading,
                 "hour_days and day_days must equal raw_days with the engine clickhouse, whose sums go with the"
                 " logs");
    if (is_clickhouse(reading->settings) && clickhouse_config_check(&reading->settings->clickhouse, &fault))
        complain(reading, "%s", fault.detail);
}

struct store_retention settings_retention(const struct settings *settings)
{
    return (struct store_retention){.raw_days = settings->values[SETTING_RAW_DAYS].number,
                                    .hour_days = settings->values[SETTING_HOUR_DAYS].number,
                                    .day_days = settings->values[SETTING_DAY_DAYS].number};
}

bool settings_load(const char *program, const char *file, struct settings *ret_settings)
{
    struct settings_reading reading = {.program = program, .settings = ret_settings};
    *ret_settings = (struct settings){0};
    load(&reading, file);
    if (!reading.failed)
        check_together(&reading);
    return !reading.failed;
}

void settings_release(struct settings *settings)
{
    for (enum setting i = 0; i < SETTING_COUNT; i++) {
        free(settings->values[i].text);
        free(settings->values[i].origin);
    }
    free(settings->file);
    *settings = (struct settings){0};
}

/* ---- the command line of a program ---- */

static void print_help(const char *program, enum settings_reader reader)
{
    printf("usage: %s [--config FILE] --data DIR [options]\n\n"
           "A FastCGI program: a process manager starts it with a listening Unix socket as descriptor 0.\n\n",
           program);
    for (enum setting i = 0; i < SETTING_COUNT; i++) {
        char name[NAME_BYTES];
        name_of_option(i, name);
        if ((rows[i].readers & reader) != 0)
            printf("  %-22s %s (%s%s%s)\n", name, rows[i].about, rows[i].accepts, rows[i].fallback ? "; default " : "",
                   rows[i].fallback ? rows[i].fallback : "");
    }
    printf("  %-22s the file of settings; default $ANALYTICS_CONFIG, else\n"
           "  %-22s " DEFAULT_FILE ", where it exists\n"
           "  %-22s report invalid settings, and exit\n"
           "  --help, --version\n\n"
           "Each setting can also be given in that file (wal_limit_mib = 512) or in the environment\n"
           "(ANALYTICS_WAL_LIMIT_MIB=512). The command line overrides the environment, and that the file.\n",
           "--config FILE", "", "--check-config");
}

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], word) == 0)
            return true;
    }
    return false;
}

/* --help and --version: true when there was one. */
static bool tell(enum settings_reader reader, int argc, char **argv)
{
    if (has_word(argc, argv, "--help")) {
        print_help(argv[0], reader);
        return true;
    }
    if (has_word(argc, argv, "--version")) {
        printf("%s\n", PACKAGE_VERSION);
        return true;
    }
    return false;
}

/* The option's value; "--name=value" and "--name value" are the same. False when it is not that option. */
static bool match_option(const char *name, char **argv, int *at, const char **ret_value)
{
    size_t len = strlen(name);
    if (strncmp(argv[*at], name, len) != 0 || (argv[*at][len] != '\0' && argv[*at][len] != '='))
        return false;
    *ret_value = argv[*at][len] == '=' ? argv[*at] + len + 1 : argv[++*at];
    return true;
}

static bool match_setting(enum settings_reader reader, char **argv, int *at, enum setting *ret_which,
                          const char **ret_value)
{
    for (enum setting i = 0; i < SETTING_COUNT; i++) {
        char name[NAME_BYTES];
        name_of_option(i, name);
        if ((rows[i].readers & reader) != 0 && match_option(name, argv, at, ret_value)) {
            *ret_which = i;
            return true;
        }
    }
    return false;
}

/* One argument, and the next where it is its value. With a NULL `ret_file` sets settings, else looks for --config. */
static void take_argument(struct settings_reading *reading, enum settings_reader reader, char **argv, int *at,
                          const char **ret_file)
{
    const char *word = argv[*at];
    const char *value = "";
    enum setting which = SETTING_COUNT;
    char name[NAME_BYTES], quoted[TEXT_QUOTE_BYTES];
    bool is_file = match_option("--config", argv, at, &value);
    bool is_known = is_file || strcmp(word, "--check-config") == 0 || match_setting(reader, argv, at, &which, &value);
    if (ret_file)
        *ret_file = is_file && value ? value : *ret_file;
    else if (!is_known)
        complain(reading, "unknown option %s: see --help", quote(word, quoted));
    else if (!value)
        complain(reading, "%s needs a value: see --help", word);
    else if (which != SETTING_COUNT) {
        name_of_option(which, name);
        take(reading, which, value, name, name);
    }
}

/* Ends at the first that is wrong: what follows may be its value. */
static void take_arguments(struct settings_reading *reading, enum settings_reader reader, int argc, char **argv,
                           const char **ret_file)
{
    bool failed_before = reading->failed;
    for (int i = 1; i < argc && reading->failed == failed_before; i++)
        take_argument(reading, reader, argv, &i, ret_file);
}

bool settings_is_read_only(const char *data_dir)
{
    struct statvfs about;
    return statvfs(data_dir, &about) == 0 && (about.f_flag & ST_RDONLY);
}

/* Reports are read from a read-only folder, too. */
static void check_data(struct settings_reading *reading, enum settings_reader reader)
{
    const char *data_dir = reading->settings->values[SETTING_DATA].text;
    if (!data_dir)
        complain(reading, "no data folder is set: give --data DIR, set ANALYTICS_DATA, or write data = DIR into the "
                          "file of settings");
    else if (reader == SETTINGS_INGEST && settings_is_read_only(data_dir))
        complain(reading, SETTINGS_READ_ONLY, data_dir);
}

bool settings_of_program(enum settings_reader reader, int argc, char **argv, settings_check check,
                         struct settings *ret_settings, int *ret_exit)
{
    *ret_settings = (struct settings){0};
    *ret_exit = 0;
    if (tell(reader, argc, argv))
        return false;
    const char *program = reader == SETTINGS_INGEST ? "analytics-ingest" : "analytics-query";
    struct settings_reading reading = {.program = program, .settings = ret_settings};
    const char *file = NULL;
    take_arguments(&reading, reader, argc, argv, &file);
    load(&reading, file);
    take_arguments(&reading, reader, argc, argv, NULL);
    if (!reading.failed)
        check_together(&reading);
    if (!reading.failed)
        check_data(&reading, reader);
    bool is_check = has_word(argc, argv, "--check-config");
    if (reading.failed || (is_check && !check(program, reader, ret_settings))) {
        *ret_exit = 2;
        return false;
    }
    if (!is_check)
        return true;
    printf("%s: the settings are good%s%s\n", program, ret_settings->file ? ": " : "",
           ret_settings->file ? ret_settings->file : "");
    return false;
}
