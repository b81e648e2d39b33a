/* engine.c: which engine has the logs of the data folder. Knows that a spool has none. */
#include "ctl/engine.h"

#include "db/files.h"
#include "store/sqlite/spool/spool.h"

#include <string.h>

#include "base/banned.h"

int ctl_find_place(const struct ctl *ctl, struct settings *settings, struct store_place *ret_place)
{
    *settings = (struct settings){0};
    *ret_place = store_in(ctl->data_dir);
    if (!spool_is_used(ctl->data_dir))
        return CTL_OK;
    if (!settings_load("analyticsctl", ctl->option[CTL_CONFIG], settings))
        return CTL_USAGE;
    if (strcmp(settings->values[SETTING_ENGINE].text, "clickhouse") != 0)
        return ctl_fail("%s/" FILE_LOGS
                        " is the spool of the engine clickhouse, but the settings say engine = %s; give "
                        "--config FILE",
                        ctl->data_dir, settings->values[SETTING_ENGINE].text);
    *ret_place = settings_place(settings);
    ret_place->data_dir = ctl->data_dir;
    return CTL_OK;
}

int ctl_refuse_spool(const struct ctl *ctl, const char *command, const char *instead)
{
    if (!spool_is_used(ctl->data_dir))
        return CTL_OK;
    return ctl_fail("%s is for the engine sqlite, and %s/" FILE_LOGS " is the spool of the engine clickhouse: %s",
                    command, ctl->data_dir, instead);
}
