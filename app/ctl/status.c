/* status.c: analyticsctl status. Knows how the figures are told, to people and to scripts. Leaves reading them to
 * lib/store/sqlite/status.c. */
#include "config.h"

#include "ctl/ctl.h"

#include "db/files.h"
#include "ctl/json.h"
#include "ctl/text.h"
#include "keys/keys.h"
#include "store/sqlite/spool/spool.h"
#include "store/sqlite/status.h"
#include "time/when.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define MAX_TABLES 32
#define TABLE_NAME_BYTES 64
#define TABLES_BOUND_MS 2000
#define ROLES (ROLE_ADMIN + 1)

struct table_size {
    char name[TABLE_NAME_BYTES];
    int64_t bytes;
    int64_t rows;
};

struct key_counts {
    int64_t active, expired, revoked;
};

struct figures {
    struct sqlite_status store;
    struct table_size tables[MAX_TABLES];
    size_t table_count;
    bool has_tables;
    struct key_counts keys[ROLES];
    bool has_keys;
    struct spool_position spool; /* is_used: batches go to another engine */
    int64_t now;
};

/* ---- reading ---- */

static void take_table(void *ctx, const struct sqlite_table *table)
{
    struct figures *figures = ctx;
    if (figures->table_count == MAX_TABLES)
        return;
    struct table_size *to = &figures->tables[figures->table_count++];
    snprintf(to->name, sizeof to->name, "%s", table->name);
    to->bytes = table->bytes;
    to->rows = table->rows;
}

static enum err count_key(void *ctx, const struct api_key *key)
{
    struct figures *figures = ctx;
    struct key_counts *counts = &figures->keys[key->role];
    if (key->revoked_at)
        counts->revoked++;
    else if (key->expires_at && key->expires_at <= figures->now)
        counts->expired++;
    else
        counts->active++;
    return OK;
}

/* Without them it is no less a service: another one may say who is asking. */
static void count_keys(const struct ctl *ctl, struct figures *figures)
{
    struct key_store *keys = NULL;
    struct fault ignored;
    if (key_store_open(ctl->data_dir, false, &keys, &ignored))
        return;
    figures->has_keys = !key_store_list(keys, count_key, figures, &ignored);
    key_store_close(keys);
}

/* A database of an older schema has none. */
static void read_spool(const struct ctl *ctl, struct figures *figures)
{
    struct spool_reader *reader = NULL;
    struct fault fault;
    if (spool_reader_open(ctl->data_dir, &reader, &fault))
        return;
    if (spool_position(reader, &figures->spool, &fault))
        figures->spool.is_used = false;
    spool_reader_close(reader);
}

static int read_figures(const struct ctl *ctl, struct figures *figures)
{
    struct watch watch = {.progress = ctl_watch_progress};
    figures->now = ctl->now;
    struct fault fault;
    if (sqlite_status_read(ctl->data_dir, ctl->now, &watch, &figures->store, &fault))
        return ctl_fault(&fault);
    int64_t bound_ms = ctl->option[CTL_SIZES] ? 0 : TABLES_BOUND_MS;
    enum err err = sqlite_status_tables(ctl->data_dir, bound_ms, &watch, take_table, figures, &fault);
    ctl_watch_end();
    if (err && err != ERR_QUERY_TIMEOUT)
        return ctl_fault(&fault);
    figures->has_tables = !err;
    count_keys(ctl, figures);
    read_spool(ctl, figures);
    return CTL_OK;
}

/* ---- in words ---- */

static void say_service(const struct sqlite_status *store)
{
    int number;
    const char *sqlite = sqlite_version(&number);
    ctl_say("Version      %s, schema %d, SQLite %s", PACKAGE_VERSION, store->schema_version, sqlite);
    if (!store->is_written)
        ctl_say("Written by   nobody: analytics-ingest does not run");
    else if (store->writer)
        ctl_say("Written by   %s (pid %lld)", *store->writer_name ? store->writer_name : "a process",
                (long long)store->writer);
    else
        ctl_say("Written by   an unknown process");
}

static void say_files(const struct ctl *ctl, const struct figures *figures)
{
    const struct sqlite_status *store = &figures->store;
    char size[CTL_FIGURE_BYTES], wal[CTL_FIGURE_BYTES], unused[CTL_FIGURE_BYTES], at[CTL_FIGURE_BYTES],
        ago[CTL_FIGURE_BYTES];
    ctl_say("Database     %s/" FILE_LOGS ": %s, of which %s are free", ctl->data_dir,
            ctl_size_text(store->file_bytes, size), ctl_size_text(store->free_bytes, unused));
    ctl_say("WAL          %s; last checkpoint %s, %s ago", ctl_size_text(store->wal_bytes, wal),
            ctl_time_text(store->checkpoint_at, "never", at), ctl_span_text(figures->now - store->checkpoint_at, ago));
}

static void say_logs(const struct figures *figures)
{
    const struct sqlite_status *store = &figures->store;
    char count[CTL_FIGURE_BYTES], first[CTL_FIGURE_BYTES], last[CTL_FIGURE_BYTES], ago[CTL_FIGURE_BYTES];
    const char *logs = store->logs < 0 ? "too many to count here" : ctl_count_text(store->logs, count);
    if (store->first_log >= 0)
        ctl_say("Logs         %s, from %s to %s", logs, ctl_log_time_text(store->first_log, first),
                ctl_log_time_text(store->last_log, last));
    else
        ctl_say("Logs         %s", logs);
    if (store->hours_closed)
        ctl_say("Closed       hours before %s, days before %s", ctl_time_text(store->hours_closed, "?", first),
                ctl_time_text(store->days_closed, "none", last));
    else
        ctl_say("Closed       nothing yet");
    if (store->last_batch)
        ctl_say("Last batch   %s, %s ago", ctl_time_text(store->last_batch, "?", last),
                ctl_span_text(figures->now - store->last_batch, ago));
    else
        ctl_say("Last batch   none yet");
}

static const char *const span_names[STORE_SPANS] = {"minute", "hour", "day"};

static void say_received(const struct sqlite_status *store)
{
    char logs[CTL_FIGURE_BYTES], batches[CTL_FIGURE_BYTES];
    for (int span = 0; span < STORE_SPANS; span++) {
        const struct sqlite_received *received = &store->received[span];
        if (received->logs < 0)
            ctl_say("Last %-7s too many batches to count here", span_names[span]);
        else
            ctl_say("Last %-7s %s logs in %s batches, %.1f logs/s", span_names[span],
                    ctl_count_text(received->logs, logs), ctl_count_text(received->batches, batches),
                    (double)received->logs / (double)sqlite_span_seconds[span]);
    }
}

static void say_keys(const struct figures *figures)
{
    if (!figures->has_keys) {
        ctl_say("Keys         no " FILE_KEYS " that can be read");
        return;
    }
    for (enum role role = ROLE_WORKER; role <= ROLE_ADMIN; role++) {
        const struct key_counts *counts = &figures->keys[role];
        ctl_say("Keys %-7s %lld active, %lld expired, %lld revoked", role_name(role), (long long)counts->active,
                (long long)counts->expired, (long long)counts->revoked);
    }
}

static void say_tables(const struct figures *figures)
{
    char size[CTL_FIGURE_BYTES], rows[CTL_FIGURE_BYTES];
    if (!figures->has_tables) {
        ctl_say("Tables       reading every page takes longer than 2 s here: --sizes does it");
        return;
    }
    ctl_say("%-16s %10s %18s", "TABLE", "SIZE", "ROWS");
    for (size_t i = 0; i < figures->table_count; i++)
        ctl_say("%-16s %10s %18s", figures->tables[i].name, ctl_size_text(figures->tables[i].bytes, size),
                ctl_count_text(figures->tables[i].rows, rows));
}

static void say_spool(const struct spool_position *spool, int64_t now)
{
    char logs[CTL_FIGURE_BYTES];
    if (!spool->is_used)
        return;
    ctl_say("Spool        %s logs wait for ClickHouse", ctl_count_text(spool->waiting_logs, logs));
    if (spool->waiting_logs > 0)
        ctl_say("             the oldest came %lld s ago", (long long)(now - spool->waiting_since));
    if (spool->aside > 0)
        ctl_say("             %lld blocks were refused and put aside", (long long)spool->aside);
    if (spool->target.trouble[0])
        ctl_say("             %s", spool->target.trouble);
}

static int say_words(const struct ctl *ctl, const struct figures *figures)
{
    say_service(&figures->store);
    say_files(ctl, figures);
    say_logs(figures);
    say_received(&figures->store);
    say_spool(&figures->spool, figures->now);
    say_keys(figures);
    say_tables(figures);
    return CTL_OK;
}

/* ---- as JSON ---- */

static void put_store(struct json_object *json, const struct sqlite_status *store)
{
    ctl_json_text(json, "version", PACKAGE_VERSION);
    int number;
    ctl_json_text(json, "sqlite_version", sqlite_version(&number));
    ctl_json_count(json, "schema_version", store->schema_version);
    ctl_json_bool(json, "written", store->is_written);
    ctl_json_count(json, "writer_pid", store->writer ? store->writer : -1);
    ctl_json_count(json, "database_bytes", store->file_bytes);
    ctl_json_count(json, "free_bytes", store->free_bytes);
    ctl_json_count(json, "wal_bytes", store->wal_bytes);
    ctl_json_time(json, "last_checkpoint", store->checkpoint_at);
    ctl_json_count(json, "logs", store->logs);
    ctl_json_log_time(json, "first_log", store->first_log);
    ctl_json_log_time(json, "last_log", store->last_log);
    ctl_json_time(json, "last_batch", store->last_batch);
    ctl_json_time(json, "hours_closed_until", store->hours_closed);
    ctl_json_time(json, "days_closed_until", store->days_closed);
}

static void put_received(struct json_object *json, const struct sqlite_status *store)
{
    struct json_object *received = ctl_json_object(json, "received");
    for (int span = 0; span < STORE_SPANS; span++) {
        struct json_object *one = ctl_json_object(received, span_names[span]);
        ctl_json_count(one, "batches", store->received[span].batches);
        ctl_json_count(one, "logs", store->received[span].logs);
    }
}

static void put_keys(struct json_object *json, const struct figures *figures)
{
    if (!figures->has_keys) {
        ctl_json_null(json, "keys");
        return;
    }
    struct json_object *keys = ctl_json_object(json, "keys");
    for (enum role role = ROLE_WORKER; role <= ROLE_ADMIN; role++) {
        struct json_object *of_role = ctl_json_object(keys, role_name(role));
        ctl_json_count(of_role, "active", figures->keys[role].active);
        ctl_json_count(of_role, "expired", figures->keys[role].expired);
        ctl_json_count(of_role, "revoked", figures->keys[role].revoked);
    }
}

static void put_tables(struct json_object *json, const struct figures *figures)
{
    if (!figures->has_tables) {
        ctl_json_null(json, "tables");
        return;
    }
    struct json_object *tables = ctl_json_array(json, "tables");
    for (size_t i = 0; i < figures->table_count; i++) {
        struct json_object *table = ctl_json_item(tables);
        ctl_json_text(table, "name", figures->tables[i].name);
        ctl_json_count(table, "bytes", figures->tables[i].bytes);
        ctl_json_count(table, "rows", figures->tables[i].rows);
    }
}

static void put_spool(struct json_object *json, const struct spool_position *spool)
{
    if (!spool->is_used)
        return;
    struct json_object *object = ctl_json_object(json, "spool");
    ctl_json_count(object, "waiting_logs", spool->waiting_logs);
    ctl_json_time(object, "waiting_since", spool->waiting_since < 0 ? 0 : spool->waiting_since);
    ctl_json_count(object, "blocks_put_aside", spool->aside);
    ctl_json_text(object, "trouble", spool->target.trouble);
}

static int say_json(const struct figures *figures)
{
    struct json_object *json = ctl_json_new();
    put_store(json, &figures->store);
    put_received(json, &figures->store);
    put_spool(json, &figures->spool);
    put_keys(json, figures);
    put_tables(json, figures);
    return ctl_say_json(json);
}

int ctl_status(const struct ctl *ctl)
{
    int status = ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    sqlite_setup(true);
    ctl_watch_begin(true); /* it only reads: nothing is left to tidy */
    static struct figures figures;
    status = read_figures(ctl, &figures);
    if (status)
        return status;
    return ctl->option[CTL_JSON] ? say_json(&figures) : say_words(ctl, &figures);
}
