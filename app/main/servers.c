/* servers.c: --check-config for an engine that has servers. Knows how it is told. Leaves asking to
 * lib/store/clickhouse/look.c. */
#include "main/servers.h"

#include "store/clickhouse/care.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

struct telling {
    const char *program;
    bool failed;
};

static void tell(void *ctx, const struct clickhouse_finding *finding)
{
    struct telling *telling = ctx;
    if (finding->level == CLICKHOUSE_FINE)
        return;
    bool is_trouble = finding->level == CLICKHOUSE_TROUBLE;
    fprintf(stderr, "%s: %s%s; %s\n", telling->program, is_trouble ? "" : "warning: ", finding->words, finding->advice);
    telling->failed |= is_trouble;
}

bool servers_check(const char *program, enum settings_reader reader, const struct settings *settings)
{
    struct telling telling = {.program = program};
    struct clickhouse_look look = {.as_writer = reader == SETTINGS_INGEST,
                                   .as_reports = reader == SETTINGS_QUERY,
                                   .now = time(NULL),
                                   .ctx = &telling,
                                   .tell = tell};
    if (strcmp(settings->values[SETTING_ENGINE].text, "clickhouse") == 0)
        clickhouse_look(&settings->clickhouse, &look);
    return !telling.failed;
}
