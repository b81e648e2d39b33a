/* ctl.h: what the commands of analyticsctl share: their options, their way to speak, their exit statuses. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "base/err.h"
#include "keys/role.h"
#include "store/store.h"
#include "base/work.h"

#include <stdbool.h>
#include <stdint.h>

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/* verify's own: what was compared differs, or could not be compared. */
enum { CTL_DIFFERENT = 1, CTL_UNDONE = 2 };

/* Every option of every command. X(name, text, has_arg) */
#define CTL_OPTION_LIST(X)                                                                                             \
    X(CTL_ADMIN_KEY, "admin-key", required_argument)                                                                   \
    X(CTL_BATCH, "batch", required_argument)                                                                           \
    X(CTL_CONFIG, "config", required_argument)                                                                         \
    X(CTL_DATA, "data", required_argument)                                                                             \
    X(CTL_DAYS, "days", required_argument)                                                                             \
    X(CTL_DOMAIN, "domain", required_argument)                                                                         \
    X(CTL_DRY_RUN, "dry-run", no_argument)                                                                             \
    X(CTL_EXPIRES, "expires", required_argument)                                                                       \
    X(CTL_FORCE, "force", no_argument)                                                                                 \
    X(CTL_FORGET_KEYS, "forget-keys", no_argument)                                                                     \
    X(CTL_FORMAT, "format", required_argument)                                                                         \
    X(CTL_FROM, "from", required_argument)                                                                             \
    X(CTL_GRACE, "grace", required_argument)                                                                           \
    X(CTL_HELP, "help", no_argument)                                                                                   \
    X(CTL_IGNORE_UNKNOWN, "ignore-unknown", no_argument)                                                               \
    X(CTL_IMPORT, "import", required_argument)                                                                         \
    X(CTL_INTO, "into", required_argument)                                                                             \
    X(CTL_JSON, "json", no_argument)                                                                                   \
    X(CTL_KEY_FILE, "key-file", required_argument)                                                                     \
    X(CTL_LOGS, "logs", required_argument)                                                                             \
    X(CTL_NAME, "name", required_argument)                                                                             \
    X(CTL_OLDER_THAN, "older-than", required_argument)                                                                 \
    X(CTL_ORDER_ID, "order-id", required_argument)                                                                     \
    X(CTL_OVERLAP, "overlap", required_argument)                                                                       \
    X(CTL_OWNER, "owner", required_argument)                                                                           \
    X(CTL_RETRY, "retry", no_argument)                                                                                 \
    X(CTL_RETRY_SECONDS, "retry-seconds", required_argument)                                                           \
    X(CTL_ROLE, "role", required_argument)                                                                             \
    X(CTL_SEED, "seed", required_argument)                                                                             \
    X(CTL_SIZES, "sizes", no_argument)                                                                                 \
    X(CTL_SKIP_BAD, "skip-bad", no_argument)                                                                           \
    X(CTL_SKIP_FILE_CHECK, "skip-file-check", no_argument)                                                             \
    X(CTL_SOCKETS, "sockets", required_argument)                                                                       \
    X(CTL_SOURCE, "source", required_argument)                                                                         \
    X(CTL_TO, "to", required_argument)                                                                                 \
    X(CTL_UNTIL, "until", required_argument)                                                                           \
    X(CTL_URL, "url", required_argument)                                                                               \
    X(CTL_USER_ID, "user-id", required_argument)                                                                       \
    X(CTL_VACUUM, "vacuum", no_argument)                                                                               \
    X(CTL_VERSION, "version", no_argument)                                                                             \
    X(CTL_WORKER, "worker", required_argument)                                                                         \
    X(CTL_WORKER_KEY, "worker-key", required_argument)                                                                 \
    X(CTL_YES, "yes", no_argument)

enum ctl_option {
#define CTL_OPTION_ENUM(name, text, has_arg) name,
    CTL_OPTION_LIST(CTL_OPTION_ENUM)
#undef CTL_OPTION_ENUM
        CTL_OPTIONS
};
_Static_assert(CTL_OPTIONS <= 64, "a set of options is a uint64_t");
#define CTL_BIT(option) (UINT64_C(1) << (option))

/* One command line, checked against its command's row. */
struct ctl {
    const char *data_dir;
    const char *option[CTL_OPTIONS]; /* the value as given, "" for an option without one; NULL: not given */
    char **operand;                  /* what follows the command's name */
    int operand_count;
    int64_t now; /* Unix seconds */
};

/* The commands: each returns one of enum ctl_exit. */
int ctl_blocks(const struct ctl *ctl);
int ctl_config(const struct ctl *ctl);
int ctl_delete(const struct ctl *ctl);
int ctl_demo(const struct ctl *ctl);
int ctl_export(const struct ctl *ctl);
int ctl_import(const struct ctl *ctl);
int ctl_init(const struct ctl *ctl);
int ctl_move(const struct ctl *ctl);
int ctl_key_add(const struct ctl *ctl);
int ctl_key_list(const struct ctl *ctl);
int ctl_key_revoke(const struct ctl *ctl);
int ctl_key_rotate(const struct ctl *ctl);
int ctl_status(const struct ctl *ctl);
int ctl_verify(const struct ctl *ctl);
int ctl_backup(const struct ctl *ctl);
int ctl_restore(const struct ctl *ctl);
int ctl_doctor(const struct ctl *ctl);
int ctl_rebuild(const struct ctl *ctl);
int ctl_prune(const struct ctl *ctl);

/* Root goes on as the owner of the folder. Then everything made in it is the owner's, SQLite's files too, and root
 * writes nothing where another user could have put a link. Where a folder above is closed to the owner, the right to
 * pass through it is kept. An error is said, and its status returned. */
int ctl_become_owner(const char *path);

/* For root that is another user for a while (seteuid): lets it through to the folder, as ctl_become_owner does. */
void ctl_pass_closed(const char *path);

/* ---- ctl/parse.c: values of options; CTL_OK, or what was misused is said. NULL leaves *ret as it is ---- */

/* A date, or an instant. As an end, a date is its end. */
int ctl_parse_time(const char *text, const char *option, bool is_end, int64_t *ret_seconds);
struct when;
int ctl_parse_when(const char *text, const char *option, struct when *ret_when);

int ctl_parse_integer(const char *text, const char *option, int64_t min, int64_t max, int64_t *ret_value);
int ctl_parse_id(const char *text, const char *option, int64_t *ret_id);

/* Says "OPTION must be RULE, but is "TEXT"", and returns CTL_USAGE. The format is that of the rule. */
int ctl_must_be(const char *option, const char *text, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- ctl/path.c ---- */

#define CTL_PATH_BYTES 4096
#define CTL_KEY_FOLDER "keys" /* of the files that init makes; each holds a key as text */
#define CTL_KEY_FILE_BYTES 32

/* DIR/NAME; what does not fit is said. */
int ctl_path_in(const struct ctl *ctl, const char *name, char ret_path[CTL_PATH_BYTES]);

/* "keys/admin.key": where init writes the key that it makes for a role. Returns `ret_name`. */
const char *ctl_key_file(enum role role, char ret_name[CTL_KEY_FILE_BYTES]);

/* ---- ctl/watch.c: a long command while it works ---- */

/* Signals that end a program are caught from now on: they end it at once, or set what ctl_watch_is_stopped says. A
 * second one always ends it at once. The exit status is the shell's, 128 + the signal's number. */
void ctl_watch_begin(bool at_once);

/* A line on standard error, if that is a terminal: how far it is, how fast, how long yet. */
void ctl_watch_progress(void *ctx, const struct progress *progress);

/* Takes that line away. */
void ctl_watch_end(void);

bool ctl_watch_is_stopped(void *ctx);
int ctl_watch_status(void); /* 0: not stopped */

/* One line on standard output, with what ctl_printable says about its text. */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line on standard error, "analyticsctl: …"; returns CTL_FAILED. */
int ctl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a command line that makes no sense; points at --help and returns CTL_USAGE. */
int ctl_misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for what lib/ reported: a refused parameter is misuse, all else is failure. */
int ctl_fault(const struct fault *fault);

/* The same for long work that a signal may have stopped: then `stopped` says what became of it, and the status is the
 * signal's. */
int ctl_fault_of_work(const struct fault *fault, const char *stopped);

/* Asks the terminal; true for a yes. */
bool ctl_confirm(const char *question);

/* Puts '?' in place of everything in `text` that could act on a terminal or reorder what it shows: control characters,
 * bytes that are not UTF-8, invisible and direction marks. Never longer than before. */
void ctl_printable(char *text);

#endif
