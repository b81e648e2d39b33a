/* rebuild.c: analyticsctl rebuild. Knows what is said of it. Leaves the work to lib/store/sqlite/care/rebuild.c. */
#include "ctl/ctl.h"
#include "ctl/engine.h"

#include "ctl/json.h"
#include "time/when.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/care/care.h"

#include "base/banned.h"

static int say_json(const struct sqlite_rebuilt *rebuilt)
{
    struct json_object *json = ctl_json_new();
    ctl_json_bool(json, "ok", true);
    ctl_json_number(json, "logs", rebuilt->logs);
    ctl_json_time(json, "closed_until", rebuilt->closed_until);
    return ctl_say_json(json);
}

static void say_words(const struct sqlite_rebuilt *rebuilt)
{
    char until[WHEN_TEXT_BYTES];
    when_format(rebuilt->closed_until, until);
    if (rebuilt->closed_until)
        ctl_say("Made again from %lld logs; closed until %s UTC.", (long long)rebuilt->logs, until);
    else
        ctl_say("Made again from %lld logs; no hour of them is over yet.", (long long)rebuilt->logs);
}

int ctl_rebuild(const struct ctl *ctl)
{
    struct watch watch = {.is_stopped = ctl_watch_is_stopped, .progress = ctl_watch_progress};
    int status = ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    sqlite_setup(true);
    status = ctl_refuse_spool(ctl, "rebuild", "its sums are made as logs are shipped");
    if (status)
        return status;
    ctl_watch_begin(false);
    struct fault fault;
    struct sqlite_rebuilt rebuilt;
    enum err err = sqlite_rebuild(ctl->data_dir, ctl->now, &watch, &rebuilt, &fault);
    ctl_watch_end();
    if (err)
        return ctl_fault_of_work(
            &fault, "stopped; reports stay right. Run rebuild again, or start analytics-ingest, to finish it");
    if (ctl->option[CTL_JSON])
        return say_json(&rebuilt);
    say_words(&rebuilt);
    return CTL_OK;
}
