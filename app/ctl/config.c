/* config.c: analyticsctl config: every setting, its value, and where that comes from. Knows how to show them. Does
 * not know what they do. */
#include "ctl/ctl.h"

#include "format/json_out.h"
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

static void put_setting(struct json_out *out, const struct ctl *ctl, const struct settings *settings,
                        enum setting which)
{
    const struct setting_row *row = settings_row(which);
    json_out_begin_object(out);
    json_out_name(out, "name");
    json_out_cstr(out, row->name);
    json_out_name(out, "value");
    json_out_cstr(out, value_of(ctl, settings, which));
    json_out_name(out, "from");
    json_out_cstr(out, origin_of(ctl, settings, which));
    json_out_name(out, "accepts");
    json_out_cstr(out, row->accepts);
    json_out_name(out, "about");
    json_out_cstr(out, row->about);
    json_out_end_object(out);
}

static int show_json(const struct ctl *ctl, const struct settings *settings)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, OUTPUT_BYTES);
    json_out_init(&out, &buf);
    json_out_begin_object(&out);
    json_out_name(&out, "file");
    json_out_cstr(&out, settings->file ? settings->file : "");
    json_out_name(&out, "settings");
    json_out_begin_array(&out);
    for (enum setting i = 0; i < SETTING_COUNT; i++)
        put_setting(&out, ctl, settings, i);
    json_out_end_array(&out);
    json_out_end_object(&out);
    const char *text = buf_cstr(&buf);
    if (text)
        puts(text);
    buf_release(&buf);
    return text ? CTL_OK : ctl_fail("out of memory");
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
