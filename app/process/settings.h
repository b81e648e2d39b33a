/* settings.h: what the operator may set. One table of settings; each may stand in a file, in the environment and on the
 * command line, and the later of these wins. Every value knows where it came from. */
#ifndef PROCESS_SETTINGS_H
#define PROCESS_SETTINGS_H

#include "store/clickhouse/clickhouse.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting {
    SETTING_DATA,
    SETTING_THREADS,
    SETTING_QUERY_TIMEOUT_MS,
    SETTING_USERS_SEE_NETWORK,
    SETTING_IDEMPOTENCY_DAYS,
    SETTING_WAL_LIMIT_MIB,
    SETTING_RAW_DAYS,
    SETTING_HOUR_DAYS,
    SETTING_DAY_DAYS,
    SETTING_LOG_LEVEL,
    SETTING_ENGINE,
    SETTING_CLICKHOUSE_URLS,
    SETTING_CLICKHOUSE_DATABASE,
    SETTING_CLICKHOUSE_CLUSTER,
    SETTING_CLICKHOUSE_USER,
    SETTING_CLICKHOUSE_PASSWORD_FILE,
    SETTING_CLICKHOUSE_REPORTS_USER,
    SETTING_CLICKHOUSE_REPORTS_PASSWORD_FILE,
    SETTING_CLICKHOUSE_CA_FILE,
    SETTING_CLICKHOUSE_NODE,
    SETTING_CLICKHOUSE_SHIP_MS,
    SETTING_CLICKHOUSE_SPOOL_LIMIT_MIB,
    SETTING_CLICKHOUSE_TIMEOUT_MS,
    SETTING_COUNT
};

/* The programs that read a setting, as bits. */
enum settings_reader { SETTINGS_INGEST = 1, SETTINGS_QUERY = 2 };

/* A setting's row in the table, for those who list them all. Static. */
struct setting_row {
    const char *name;     /* in the file; ANALYTICS_NAME in the environment, --name with dashes on the command line */
    const char *accepts;  /* "an integer from 1 to 256" */
    const char *about;    /* what it is for, in a few words */
    unsigned readers;     /* enum settings_reader */
    bool is_text;         /* only `text` holds it */
    bool is_switch;       /* yes is the number 1, no is 0 */
    int64_t min, max;     /* of numbers */
    const char *fallback; /* the value where nothing sets it; NULL: none */
};
const struct setting_row *settings_row(enum setting which);

/* The file that is read where none is named: SYSCONFDIR/fonproxy-analytics/analytics.conf. It need not exist. */
const char *settings_default_file(void);

struct settings {
    struct {
        char *text; /* as given; owned; NULL: not set, and without a default */
        int64_t number;
        char *origin; /* "default", "FILE:12", "$ANALYTICS_THREADS" or "--threads"; owned */
    } values[SETTING_COUNT];
    char *file;                          /* the one that was read; owned; NULL: none */
    struct clickhouse_config clickhouse; /* of the values; borrows from them */
};

/* The defaults, then the file, then the environment. `file`: the one to read, which must be there; NULL: the one that
 * $ANALYTICS_CONFIG names, else the default file. Tells each thing that is wrong in a line on standard error, beginning
 * with `program`. False when anything was; what is wrong keeps the value from before. */
bool settings_load(const char *program, const char *file, struct settings *ret_settings);
void settings_release(struct settings *settings);

/* Where the logs are. Borrows from the settings. */
struct store_place settings_place(const struct settings *settings);

/* The folder is on a file system that is mounted read-only, as systemd mounts whatever a unit may not write. False
 * where there is no folder. SETTINGS_READ_ONLY is what to say of it: a printf format that takes the folder's name. */
bool settings_is_read_only(const char *data_dir);
#define SETTINGS_READ_ONLY                                                                                             \
    "%s is mounted read-only; under systemd, name it in ReadWritePaths= of analytics-ingest.service and "              \
    "analytics-query@.service (analytics.conf(5) shows how)"

/* raw_days, hour_days and day_days, which fit together once settings_load or settings_of_program was content. */
struct store_retention settings_retention(const struct settings *settings);

/* What --check-config looks at beyond the settings: false when something is wrong, which it has told on standard
 * error, in lines that begin with `program`. */
typedef bool (*settings_check)(const char *program, enum settings_reader reader, const struct settings *settings);

/* The same for one of the two FastCGI programs, then its command line: an option for each setting that it reads,
 * --config FILE, --check-config, --help, --version. False when the program is to end with *ret_exit: 0 after --help,
 * --version and a good --check-config; 2 when something is wrong. */
bool settings_of_program(enum settings_reader reader, int argc, char **argv, settings_check check,
                         struct settings *ret_settings, int *ret_exit);

#endif
