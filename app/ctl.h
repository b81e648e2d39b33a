/* ctl.h: what the commands of analyticsctl share: their options, their way to speak, their exit statuses. */
#ifndef CTL_H
#define CTL_H

#include "err.h"

#include <stdint.h>

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/* Every option of every command. X(name, text, has_arg) */
#define CTL_OPTION_LIST(X)                                                                                             \
    X(CTL_DATA, "data", required_argument)                                                                             \
    X(CTL_EXPIRES, "expires", required_argument)                                                                       \
    X(CTL_HELP, "help", no_argument)                                                                                   \
    X(CTL_NAME, "name", required_argument)                                                                             \
    X(CTL_OWNER, "owner", required_argument)                                                                           \
    X(CTL_ROLE, "role", required_argument)                                                                             \
    X(CTL_USER_ID, "user-id", required_argument)                                                                       \
    X(CTL_VERSION, "version", no_argument)

enum ctl_option {
#define CTL_OPTION_ENUM(name, text, has_arg) name,
    CTL_OPTION_LIST(CTL_OPTION_ENUM)
#undef CTL_OPTION_ENUM
        CTL_OPTIONS
};
#define CTL_BIT(option) (1u << (option))

/* One command line, checked against its command's row. */
struct ctl {
    const char *data_dir;
    const char *option[CTL_OPTIONS]; /* the value as given, "" for an option without one; NULL: not given */
    char **operand;                  /* what follows the command's name */
    int operand_count;
    int64_t now; /* Unix seconds */
};

/* The commands: each returns one of enum ctl_exit. */
int ctl_init(const struct ctl *ctl);
int ctl_key_add(const struct ctl *ctl);
int ctl_key_list(const struct ctl *ctl);
int ctl_key_revoke(const struct ctl *ctl);

/* One line on standard output, with what ctl_printable says about its text. */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line on standard error, "analyticsctl: …"; returns CTL_FAILED. */
int ctl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a command line that makes no sense; points at --help and returns CTL_USAGE. */
int ctl_misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for what lib/ reported: a refused parameter is misuse, all else is failure. */
int ctl_fault(const struct fault *fault);

/* Puts '?' in place of everything in `text` that could act on a terminal or reorder what it shows: control characters,
 * bytes that are not UTF-8, invisible and direction marks. Never longer than before. */
void ctl_printable(char *text);

#endif
