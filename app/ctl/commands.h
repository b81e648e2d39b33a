/* commands.h: the commands of analyticsctl, as one table: what each is called, what it takes, and what its help
 * says.
 */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/ctl.h"

#include <stddef.h>
#include <stdint.h>

struct command {
    const char *name;    /* one word or two */
    const char *usage;   /* what follows the name */
    const char *operand; /* its first operand, where it can't do without one */
    const char *about;   /* one sentence or two */
    const char *more;    /* what its own help says beside, or NULL */
    uint64_t options;    /* CTL_BITs it takes; data, help and version go without saying */
    uint64_t required;   /* CTL_BITs it can't do without */
    int min_operands;
    int max_operands;
    int (*run)(const struct ctl *ctl);
};

extern const struct command ctl_commands[];
extern const size_t ctl_command_count;

#endif
