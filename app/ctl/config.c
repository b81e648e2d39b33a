/* config.c: analyticsctl config: every setting, its value, and where that comes from. Knows how to show them. Does
 * not know what they do. */
#include "ctl/ctl.h"

#include "ctl/json.h"
#include "process/settings.h"

#include <stdio.h>

#include "base/banned.h"

#define OUTPUT_BYTES (1u << 20)

/* --data stands for itself: it goes before all else, as it does for every command. */
static bool is_option(const struct ctl *ctl, enum setting which)
{
    return which == SETTING_DATA && ctl->option[CTL_DATA];
}

static const char *value_of(const struct ctl *ctl, const struct settings *settings, enum setting which)
{
    if (is_option(ctl, which))
        return ctl->option[CTL_DATA];
    return settings->values[which].text ? settings->values[which].text : "";
}

static const char *origin_of(const struct ctl *ctl, const struct settings *settings, enum setting which)
{
    if (is_option(ctl, which))
        return "--data";
    return settings->values[which].origin ? settings->values[which].origin : "not set";
}

static void show(const struct ctl *ctl, const struct settings *settings)
{
    ctl_say("%-18s %-24s %s", "SETTING", "VALUE", "FROM");
    for (enum setting i = 0; i < SETTING_COUNT; i++)
        ctl_say("%-18s %-24s %s", settings_row(i)->name, value_of(ctl, settings, i), origin_of(ctl, settings, i));
    if (settings->file)
        ctl_say("The file of settings is %s.", settings->file);
    else
        ctl_say("There is no file of settings (%s).", settings_default_file());
}

static void put_setting(struct json_object *list, const struct ctl *ctl, const struct settings *settings,
                        enum setting which)
{
    const struct setting_row *row = settings_row(which);
    struct json_object *json = ctl_json_item(list);
    ctl_json_text(json, "name", row->name);
    ctl_json_text(json, "value", value_of(ctl, settings, which));
    ctl_json_text(json, "from", origin_of(ctl, settings, which));
    ctl_json_text(json, "accepts", row->accepts);
    ctl_json_text(json, "about", row->about);
}

static int show_json(const struct ctl *ctl, const struct settings *settings)
{
    struct json_object *json = ctl_json_new();
    ctl_json_text(json, "file", settings->file ? settings->file : "");
    struct json_object *list = ctl_json_array(json, "settings");
    for (enum setting i = 0; i < SETTING_COUNT; i++)
        put_setting(list, ctl, settings, i);
    return ctl_say_json(json);
}

int ctl_config(const struct ctl *ctl)
{
    struct settings settings;
    int status = CTL_USAGE;
    if (settings_load("analyticsctl", ctl->option[CTL_CONFIG], &settings)) {
        status = CTL_OK;
        if (ctl->option[CTL_JSON])
            status = show_json(ctl, &settings);
        else
            show(ctl, &settings);
    }
    settings_release(&settings);
    return status;
}
