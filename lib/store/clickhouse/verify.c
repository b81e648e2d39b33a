/* verify.c: everything that the spool remembers against everything that ClickHouse has of it. Leaves the comparing to
 * audit.c. */
#include "store/clickhouse/care.h"

#include "store/clickhouse/audit.h"

#include <string.h>

#include "base/banned.h"

/* The spool and the servers, while they are asked. */
struct verifying {
    struct servers servers;
    struct audit audit;
    struct work work;
};

static enum err compare_all(struct verifying *verifying, struct clickhouse_verified *verified, struct fault *fault)
{
    struct audited audited = {.blocks = 1};
    enum err err = OK;
    while (!err && audited.blocks > 0) {
        err = work_go_on(&verifying->work, fault);
        if (!err)
            err = audit_next(&verifying->audit, &audited, fault);
        if (err)
            break;
        verifying->audit.after = audited.until;
        verifying->work.progress.done = audited.until;
        verified->blocks += audited.blocks;
        verified->logs += audited.logs;
        verified->differences += audited.differences;
    }
    return err;
}

static enum err begin(struct verifying *verifying, const struct store_place *place, struct fault *fault)
{
    struct spool_position position;
    enum err err = servers_parse(place->clickhouse->urls, &verifying->servers, fault);
    if (!err)
        err = http_client_open(place->clickhouse, HTTP_WRITER, &verifying->audit.client, fault);
    if (!err)
        err = spool_reader_open(place->data_dir, &verifying->audit.spool, fault);
    if (!err)
        err = spool_position(verifying->audit.spool, &position, fault);
    if (err)
        return err;
    verifying->audit.until = position.newest_block;
    work_step(&verifying->work, "comparing", "blocks", position.newest_block);
    return OK;
}

enum err clickhouse_verify(const struct store_place *place, const struct watch *watch,
                           void (*tell)(void *ctx, const char *words), void *ctx,
                           struct clickhouse_verified *ret_verified, struct fault *fault)
{
    struct verifying verifying = {
        .audit = {.config = place->clickhouse, .settled_before = INT64_MAX, .tell = tell, .ctx = ctx},
        .work = {.watch = watch}};
    struct clickhouse_verified verified = {0};
    verifying.audit.servers = &verifying.servers;
    enum err err = begin(&verifying, place, fault);
    if (!err)
        err = compare_all(&verifying, &verified, fault);
    http_client_close(verifying.audit.client);
    spool_reader_close(verifying.audit.spool);
    if (!err)
        *ret_verified = verified;
    return err;
}
