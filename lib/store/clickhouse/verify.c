/* verify.c: everything that the spool remembers against everything that ClickHouse has of it, and the sums there
 * against the logs. Leaves the comparing of blocks to audit.c. */
#include "store/clickhouse/care.h"

#include "store/clickhouse/ask.h"
#include "store/clickhouse/audit.h"
#include "store/clickhouse/kept.h"
#include "store/clickhouse/schema.h"
#include "store/clickhouse/session.h"
#include "store/clickhouse/sql.h"
#include "store/clickhouse/sum_block.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

#define SQL_BYTES ((size_t)1 << 20)
#define WORDS_BYTES 1024
#define TRIES 10 /* logs and their sums come one after the other: what is seen between these is looked at again */
#define TRY_NS 300000000L
#define TOLD 10 /* differences of a month */

struct verifying {
    struct session session;
    struct kept_state kept;
    struct work work;
    struct clickhouse_verified verified;
    void (*tell)(void *ctx, const char *words);
    void *ctx;
};

/* ---- blocks ---- */

static enum err compare_blocks(struct verifying *verifying, struct fault *fault)
{
    struct session *session = &verifying->session;
    struct audit audit = {.client = session->client,
                          .config = session->deleting.config,
                          .servers = &session->servers,
                          .spool = session->spool,
                          .url = deleting_url(&session->deleting, 0),
                          .until = session->position.newest_block,
                          .settled_before = INT64_MAX,
                          .tell = verifying->tell,
                          .ctx = verifying->ctx};
    struct audited audited = {.seen = 1};
    enum err err = OK;
    work_step(&verifying->work, "comparing", "blocks", audit.until);
    while (!err && audited.seen > 0) {
        err = work_go_on(&verifying->work, fault);
        if (!err)
            err = audit_next(&audit, &audited, fault);
        if (err)
            break;
        audit.after = verifying->work.progress.done = audited.until;
        verifying->verified.blocks += audited.blocks;
        verifying->verified.logs += audited.logs;
        verifying->verified.differences += audited.differences;
    }
    return err;
}

/* ---- sums ---- */

static void put_days(const struct verifying *verifying, struct buf *sql, const char *month)
{
    const struct kept_state *kept = &verifying->kept;
    buf_printf(sql, " " CLICKHOUSE_MONTH " = %s AND day >= %" PRId64, month, kept->from_day);
    for (size_t i = 0; i < kept->count; i++)
        buf_printf(sql, "%s%" PRId64 "%s", i ? ", " : " AND day NOT IN (", kept->days[i].day,
                   i + 1 == kept->count ? ")" : "");
}

/* Groups that the sums and the logs do not have alike. Aliases of both sides stand for the same, so that the least and
 * the greatest of two are equal where they agree. */
static const char *put_question(const struct verifying *verifying, struct buf *sql, enum sum_kind kind,
                                const char *month)
{
    bool is_quarter = kind == SUM_QUARTER;
    buf_clear(sql);
    buf_puts(sql, "SELECT b, v, w FROM (SELECT bucket AS b, domain AS v, error AS w, " SQL_MEASURES_OF_SUMS
                  " FROM " CLICKHOUSE_SUMS " WHERE");
    put_days(verifying, sql, month);
    buf_printf(sql, " AND kind = %d GROUP BY b, v, w UNION ALL SELECT intDiv(ts, %d) * %d AS b, %s AS v, %s AS w, ",
               (int)kind, is_quarter ? WHEN_QUARTER : WHEN_DAY, is_quarter ? WHEN_QUARTER : WHEN_DAY,
               is_quarter ? "''" : "domain", is_quarter ? "''" : "error");
    buf_puts(sql, SQL_MEASURES " FROM " CLICKHOUSE_LOGS " WHERE");
    put_days(verifying, sql, month);
    buf_printf(sql,
               " GROUP BY b, v, w) GROUP BY b, v, w HAVING count() != 2 OR min(c) != max(c) OR min(s) != max(s) OR"
               " min(r) != max(r) OR min(e) != max(e) OR min(m) != max(m) OR min(d) != max(d) OR min(a) != max(a) OR "
               "min(z) != max(z)"
               " ORDER BY b, v, w LIMIT %d" ROWS_FORMAT,
               TOLD);
    return buf_cstr(sql);
}

static enum err tell_rows(struct verifying *verifying, const char *url, enum sum_kind kind, const struct rows *rows,
                          struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < rows->count; i++) {
        int64_t at = 0;
        const char *domain = "", *error = "";
        err = rows_i64(rows, i, 0, &at, fault);
        if (!err)
            err = rows_text(rows, i, 1, &domain, fault);
        if (!err)
            err = rows_text(rows, i, 2, &error, fault);
        if (err)
            break;
        char time[WHEN_TEXT_BYTES], words[WORDS_BYTES];
        when_format(at, time);
        if (kind == SUM_QUARTER)
            snprintf(words, sizeof words,
                     "%s: the sums of the quarter of an hour from %s UTC are not those of its logs", url, time);
        else
            snprintf(words, sizeof words,
                     "%s: the sums of the day from %s UTC, domain \"%s\", error \"%s\", are not those of its logs", url,
                     time, domain, error);
        verifying->verified.differences++;
        verifying->tell(verifying->ctx, words);
    }
    return err;
}

static enum err compare_sums(struct verifying *verifying, const char *url, enum sum_kind kind, const char *month,
                             struct fault *fault)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES);
    const char *text = put_question(verifying, &sql, kind, month);
    enum err err = text ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    struct rows rows = {.count = 1};
    for (int i = 0; !err && rows.count > 0 && i < TRIES; i++) {
        if (i > 0) {
            rows_release(&rows);
            nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
        }
        err = work_go_on(&verifying->work, fault);
        rows = (struct rows){0};
        if (!err)
            err =
                ask_rows(verifying->session.client, &(struct http_statement){.url = url, .sql = text}, 3, &rows, fault);
    }
    if (!err)
        err = tell_rows(verifying, url, kind, &rows, fault);
    rows_release(&rows);
    buf_release(&sql);
    return err;
}

static enum err compare_month(struct verifying *verifying, const char *url, const char *month, struct fault *fault)
{
    enum err err = compare_sums(verifying, url, SUM_QUARTER, month, fault);
    if (!err)
        err = compare_sums(verifying, url, SUM_DOMAIN, month, fault);
    verifying->verified.months++;
    verifying->work.progress.done++;
    return err;
}

static enum err compare_months(struct verifying *verifying, const char *url, struct fault *fault)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT DISTINCT toString(" CLICKHOUSE_MONTH ") AS month FROM " CLICKHOUSE_LOGS
             " ORDER BY month" ROWS_FORMAT);
    struct rows rows;
    enum err err =
        ask_rows(verifying->session.client, &(struct http_statement){.url = url, .sql = sql}, 1, &rows, fault);
    if (err)
        return err;
    for (size_t i = 0; !err && i < rows.count; i++) {
        const char *month = NULL;
        err = rows_text(&rows, i, 0, &month, fault);
        if (!err)
            err = compare_month(verifying, url, month, fault);
    }
    rows_release(&rows);
    return err;
}

static enum err compare_all_sums(struct verifying *verifying, struct fault *fault)
{
    struct session *session = &verifying->session;
    enum err err = kept_read(session->client, deleting_url(&session->deleting, 0), 0, &verifying->kept, fault);
    work_step(&verifying->work, "comparing", "months", 0);
    for (size_t shard = 0; !err && shard < session->servers.shard_count; shard++)
        err = compare_months(verifying, deleting_url(&session->deleting, shard), fault);
    kept_release(&verifying->kept);
    return err;
}

enum err clickhouse_verify(const struct store_place *place, const struct watch *watch,
                           void (*tell)(void *ctx, const char *words), void *ctx,
                           struct clickhouse_verified *ret_verified, struct fault *fault)
{
    struct verifying verifying = {.work = {.watch = watch}, .tell = tell, .ctx = ctx};
    enum err err = session_open(place, &verifying.session, fault);
    if (err)
        return err;
    err = compare_blocks(&verifying, fault);
    if (!err)
        err = compare_all_sums(&verifying, fault);
    session_close(&verifying.session);
    if (!err)
        *ret_verified = verifying.verified;
    return err;
}
