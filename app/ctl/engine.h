/* engine.h: which engine has the logs of the data folder. */
#ifndef CTL_ENGINE_H
#define CTL_ENGINE_H

#include "ctl/ctl.h"
#include "process/settings.h"

/* Where the logs are: in the folder, or where the settings say whose spool it is. *settings is loaded in the second
 * case, and to be released in any. After ctl_become_owner and sqlite_setup. CTL_OK, or what is wrong is said. */
int ctl_find_place(const struct ctl *ctl, struct settings *settings, struct store_place *ret_place);

static inline bool ctl_is_clickhouse(const struct store_place *place)
{
    return place->clickhouse != NULL;
}

/* For commands that are about the database of the embedded engine: CTL_OK unless the folder is a spool. `instead`: what
 * to do there. */
int ctl_refuse_spool(const struct ctl *ctl, const char *command, const char *instead);

/* Commands of these names where ClickHouse has the logs, their options parsed. */
int ctl_verify_clickhouse(const struct ctl *ctl, const struct store_place *place);
int ctl_prune_clickhouse(const struct ctl *ctl, const struct store_place *place, int64_t days);
struct report_filter;
int ctl_delete_clickhouse(const struct ctl *ctl, const struct store_place *place, const struct report_filter *filter);

#endif
