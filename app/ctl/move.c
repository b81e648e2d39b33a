/* move.c: analyticsctl move: the logs of the data folder into another folder, of either engine. Knows pages, and that
 * each of them is stored once. Does not know how an engine stores logs.
 *
 * A page is always the same logs, because nothing writes to the folder while it is read. It is stored as a batch, whose
 * idempotency key is the page's number and whose hash is that of the logs. So a move that was interrupted goes over
 * what it did, and stores no page twice. */
#include "ctl/engine.h"

#include "ctl/json.h"
#include "db/files.h"
#include "ctl/text.h"
#include "log/import_mark.h"
#include "rollup/fold.h"
#include "store/clickhouse/care.h"
#include "store/clickhouse/clickhouse.h"
#include "store/sqlite/care/move.h"
#include "store/sqlite/spool/spool.h"
#include "store/sqlite/sqlite.h"
#include "time/mono.h"
#include "time/when.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define CALLER "analyticsctl move"
#define PAGE_LOGS 10000
#define KEY_BYTES 32
#define KEEP_SECONDS (INT64_C(1) << 40) /* no idempotency key is forgotten meanwhile */
#define NAP_NS 5000000L
#define STUCK_MS 60000 /* a server that takes nothing for so long is told, and the move ends */

/* How many logs, and their sums, by day and user. */
struct ledger_of_days {
    struct fold fold;
    int64_t logs;
    bool failed; /* memory was short */
};

struct moving {
    const struct ctl *ctl;
    struct store_place from, to;
    struct store_export *export;
    struct store_writer *writer;
    struct batch page;
    int64_t page_number;
    struct ledger_of_days read, stored;
    int64_t sums_until; /* Unix seconds: before, the folder has sums alone */
    int64_t replayed;   /* pages that were there already */
};

/* ---- the ledger ---- */

enum { OF_SUMS, OF_LOGS };

static void note(struct ledger_of_days *ledger, int64_t day, int64_t user_id, int64_t logs, const struct totals *totals)
{
    struct fold_key key = {.tier = OF_SUMS, .bucket = day, .user_id = user_id};
    struct totals sums = {.count = totals->count,
                          .bytes_sent = totals->bytes_sent,
                          .bytes_received = totals->bytes_received,
                          .errors = totals->errors};
    ledger->failed |= fold_add(&ledger->fold, &key, &sums) != OK;
    key.tier = OF_LOGS;
    ledger->failed |= fold_add(&ledger->fold, &key, &(struct totals){.count = logs}) != OK;
    ledger->logs += logs;
}

static void note_log(struct ledger_of_days *ledger, const struct log_record *log)
{
    note(ledger, log->ts / WHEN_DAY, log->user_id, 1,
         &(struct totals){.count = log->count,
                          .bytes_sent = log->bytes_sent,
                          .bytes_received = log->bytes_received,
                          .errors = log->error_count});
}

static bool is_same(struct ledger_of_days *a, struct ledger_of_days *b, int64_t *ret_day, int64_t *ret_user)
{
    fold_sort(&a->fold);
    fold_sort(&b->fold);
    size_t most = a->fold.count > b->fold.count ? a->fold.count : b->fold.count;
    for (size_t i = 0; i < most; i++) {
        const struct fold_entry *x = i < a->fold.count ? &a->fold.entries[i] : &b->fold.entries[i];
        const struct fold_entry *y = i < b->fold.count ? &b->fold.entries[i] : NULL;
        *ret_day = x->key.bucket;
        *ret_user = x->key.user_id;
        if (i >= a->fold.count || !y || fold_order(&x->key, &y->key) != 0 ||
            memcmp(&x->totals, &y->totals, sizeof x->totals) != 0)
            return false;
    }
    return true;
}

/* ---- one page ---- */

static int maintain(struct moving *moving)
{
    struct fault fault = {0};
    bool more = false;
    if (store_maintain(moving->writer, moving->ctl->now, KEEP_SECONDS, &more, &fault))
        return ctl_fault(&fault);
    return ctl_watch_is_stopped(NULL) ? CTL_FAILED : CTL_OK;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

static void describe_page(const struct moving *moving, char key[KEY_BYTES], struct store_item *ret_item)
{
    struct import_mark mark = {0};
    for (uint32_t i = 0; i < moving->page.log_count; i++)
        import_mark_add(&mark, &moving->page, i);
    snprintf(key, KEY_BYTES, "page %lld", (long long)moving->page_number);
    *ret_item = (struct store_item){.batch = &moving->page, .caller = CALLER, .idempotency_key = key};
    _Static_assert(sizeof mark.hash == STORE_BODY_HASH_BYTES, "one is the other");
    memcpy(ret_item->body_hash, mark.hash, sizeof mark.hash);
}

/* A spool that is full has room again once something was shipped. */
static int store_page(struct moving *moving)
{
    char key[KEY_BYTES];
    struct store_item item;
    int64_t deadline_ms = mono_ms() + STUCK_MS;
    describe_page(moving, key, &item);
    for (;;) {
        struct store_times times;
        store_write(moving->writer, &item, 1, moving->ctl->now, &times);
        int status = maintain(moving);
        if (status || !item.result)
            return status;
        if (item.result == ERR_IDEMPOTENCY_KEY_REUSED)
            return ctl_fail("the logs are not those that a move into %s began with; give an empty folder",
                            moving->to.data_dir);
        if (item.result != ERR_UNAVAILABLE || !ctl_is_clickhouse(&moving->to) || mono_ms() > deadline_ms)
            return ctl_fail("%s", item.fault.detail);
        nap();
    }
}

static bool take_log(void *ctx, const struct log_text *log)
{
    struct moving *moving = ctx;
    struct log_record record = *log->record;
    record.domain_sent = (struct batch_text){0};
    for (int field = 0; field < NAME_FIELDS; field++)
        moving->read.failed |= batch_intern(&moving->page, log->name[field], &record.name[field]) != OK;
    moving->read.failed |= batch_add(&moving->page, &record) != OK;
    note_log(&moving->read, &record);
    return moving->page.log_count < PAGE_LOGS;
}

static int end_page(struct moving *moving)
{
    int status = moving->read.failed ? ctl_fail("out of memory") : CTL_OK;
    if (!status && moving->page.log_count > 0)
        status = store_page(moving);
    moving->page_number++;
    batch_release(&moving->page);
    batch_init(&moving->page, NULL);
    return status;
}

static void tell_progress(const struct moving *moving)
{
    struct progress progress = {.step = "moving", .unit = "logs", .done = moving->read.logs};
    ctl_watch_progress(NULL, &progress);
}

static int move_pages(struct moving *moving)
{
    int64_t at = 0;
    int status = CTL_OK;
    while (!status && at < INT64_MAX) {
        struct fault fault;
        if (store_export_next(moving->export, take_log, moving, &at, &fault))
            return ctl_fault(&fault);
        if (moving->page.log_count >= PAGE_LOGS || at == INT64_MAX)
            status = end_page(moving);
        tell_progress(moving);
    }
    return status;
}

/* ---- until all of it is there ---- */

static int await_shipment(struct moving *moving, struct spool_reader *reader)
{
    struct spool_position spool = {.waiting_logs = 1};
    int64_t waiting = INT64_MAX, deadline_ms = 0;
    int status = CTL_OK;
    while (!status && (spool.waiting_logs > 0 || !spool.target.mark)) {
        struct fault fault;
        status = maintain(moving);
        if (!status && spool_position(reader, &spool, &fault))
            return ctl_fault(&fault);
        if (spool.waiting_logs < waiting)
            deadline_ms = mono_ms() + STUCK_MS;
        waiting = spool.waiting_logs;
        if (mono_ms() > deadline_ms)
            return ctl_fail("ClickHouse takes nothing: %s", spool.target.trouble);
        struct progress progress = {.step = "shipping", .unit = "logs left", .done = spool.waiting_logs};
        ctl_watch_progress(NULL, &progress);
        nap();
    }
    if (!status && spool.aside > 0)
        return ctl_fail("ClickHouse refused %lld blocks: see analyticsctl --data %s blocks", (long long)spool.aside,
                        moving->to.data_dir);
    return status;
}

static int settle(struct moving *moving)
{
    struct fault fault = {0};
    struct spool_reader *reader = NULL;
    if (!ctl_is_clickhouse(&moving->to)) {
        struct watch watch = {.is_stopped = ctl_watch_is_stopped, .progress = ctl_watch_progress};
        return sqlite_settle(sqlite_writer_of(moving->writer), moving->ctl->now, &watch, &fault) ? ctl_fault(&fault)
                                                                                                 : CTL_OK;
    }
    if (spool_reader_open(moving->to.data_dir, &reader, &fault))
        return ctl_fault(&fault);
    int status = await_shipment(moving, reader);
    spool_reader_close(reader);
    return status;
}

/* ---- is it there? ---- */

static bool take_stored(void *ctx, const struct log_text *log)
{
    note_log(ctx, log->record);
    return true;
}

static void take_day(void *ctx, int64_t day, int64_t user_id, int64_t logs, const struct totals *totals)
{
    note(ctx, day, user_id, logs, totals);
}

static int read_stored(struct moving *moving)
{
    struct store_export_filter all = {.to = INT64_MAX};
    struct store_export *export = NULL;
    struct fault fault;
    if (ctl_is_clickhouse(&moving->to))
        return clickhouse_sum_days(&moving->to, take_day, &moving->stored, &fault) ? ctl_fault(&fault) : CTL_OK;
    if (store_export_open(moving->to, &all, &export, &fault))
        return ctl_fault(&fault);
    int status = CTL_OK;
    for (int64_t at = 0; !status && at < INT64_MAX;)
        if (store_export_next(export, take_stored, &moving->stored, &at, &fault))
            status = ctl_fault(&fault);
    store_export_close(export);
    return status;
}

static int verify(struct moving *moving)
{
    int64_t day = 0, user = 0;
    int status = read_stored(moving);
    if (status)
        return status;
    if (moving->stored.failed)
        return ctl_fail("out of memory");
    if (is_same(&moving->read, &moving->stored, &day, &user))
        return CTL_OK;
    char time[WHEN_TEXT_BYTES];
    when_format(day * WHEN_DAY, time);
    return ctl_fail(
        "%s has %lld logs, and %lld were read; the first difference is on %.10s, of user %lld. Was it empty?",
        moving->to.data_dir, (long long)moving->stored.logs, (long long)moving->read.logs, time, (long long)user);
}

static int copy_known(struct moving *moving)
{
    struct sqlite_writer *spool = clickhouse_spool_of(moving->writer);
    struct fault fault;
    if (sqlite_copy_known(moving->ctl->data_dir, spool ? spool : sqlite_writer_of(moving->writer), CALLER, &fault))
        return ctl_fault(&fault);
    return CTL_OK;
}

/* ---- the command ---- */

static int say_result(const struct moving *moving)
{
    char logs[CTL_FIGURE_BYTES], until[WHEN_TEXT_BYTES];
    when_format(moving->sums_until, until);
    if (moving->ctl->option[CTL_JSON]) {
        struct json_object *json = ctl_json_new();
        ctl_json_bool(json, "ok", true);
        ctl_json_number(json, "logs", moving->read.logs);
        if (moving->sums_until)
            ctl_json_time(json, "not_moved_before", moving->sums_until);
        return ctl_say_json(json);
    }
    ctl_say("Moved %s logs, and compared them by day and user.", ctl_count_text(moving->read.logs, logs));
    if (moving->sums_until)
        ctl_say("Of before %s UTC only sums are kept, which cannot move: keep %s for reports of that time.", until,
                moving->ctl->data_dir);
    ctl_say("Now set data = %s and engine = %s, and copy " FILE_KEYS " there.", moving->to.data_dir,
            ctl_is_clickhouse(&moving->to) ? "clickhouse" : "sqlite");
    return CTL_OK;
}

/* The thread that ships may have something to collect: maintain() comes by soon. */
static void wake(void *ctx)
{
    (void)ctx;
}

static int open_target(struct moving *moving)
{
    struct fault fault;
    if (store_writer_open(moving->to, &moving->writer, &fault) ||
        store_writer_set_wake(moving->writer, &(struct store_wake){.wake = wake}, &fault))
        return ctl_fault(&fault);
    return CTL_OK;
}

static int move_all(struct moving *moving)
{
    struct store_export_filter all = {.to = INT64_MAX};
    struct fault fault;
    if (store_export_open(moving->from, &all, &moving->export, &fault))
        return ctl_fault(&fault);
    int status = open_target(moving);
    if (!status)
        status = move_pages(moving);
    if (!status)
        status = settle(moving);
    if (!status)
        status = verify(moving);
    if (!status)
        status = copy_known(moving);
    ctl_watch_end();
    return status;
}

static int find_target(const struct ctl *ctl, const struct settings *settings, struct store_place *ret_place)
{
    const char *engine = ctl->option[CTL_TO];
    struct fault fault;
    *ret_place = store_in(ctl->option[CTL_INTO]);
    if (strcmp(engine, "sqlite") == 0)
        return CTL_OK;
    if (strcmp(engine, "clickhouse") != 0)
        return ctl_must_be("--to", engine, "sqlite or clickhouse");
    if (clickhouse_config_check(&settings->clickhouse, &fault))
        return ctl_fault(&fault);
    *ret_place = settings_place(settings);
    ret_place->engine = store_engine_find(engine);
    ret_place->data_dir = ctl->option[CTL_INTO];
    return CTL_OK;
}

/* The folder is that of the owner of the other one, as everything in it will be. By descriptor, so that a link put in
 * its place meanwhile gains nobody anything. */
static int make_folder(const struct ctl *ctl)
{
    const char *path = ctl->option[CTL_INTO];
    struct stat owner;
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? CTL_OK : ctl_fail("can't make %s: %s", path, strerror(errno));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool done = fd >= 0 && stat(ctl->data_dir, &owner) == 0 && fchown(fd, owner.st_uid, owner.st_gid) == 0;
    if (fd >= 0)
        close(fd);
    return done ? CTL_OK : ctl_fail("can't give %s to the owner of %s: %s", path, ctl->data_dir, strerror(errno));
}

static int run(const struct ctl *ctl, struct moving *moving)
{
    int lock = -1;
    struct fault fault;
    if (sqlite_freeze(ctl->data_dir, &lock, &fault) || sqlite_sums_until(ctl->data_dir, &moving->sums_until, &fault))
        return ctl_fault(&fault);
    ctl_watch_begin(false);
    batch_init(&moving->page, NULL);
    int status = move_all(moving);
    if (status && ctl_watch_is_stopped(NULL)) {
        ctl_fail("stopped; run the same again to finish it");
        status = ctl_watch_status();
    }
    store_export_close(moving->export);
    store_writer_close(moving->writer);
    batch_release(&moving->page);
    fold_release(&moving->read.fold);
    fold_release(&moving->stored.fold);
    close(lock);
    return status ? status : say_result(moving);
}

int ctl_move(const struct ctl *ctl)
{
    struct moving moving = {.ctl = ctl};
    struct settings settings = {0}, source = {0};
    int status = make_folder(ctl);
    if (!status)
        status = ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    sqlite_setup(false);
    if (!settings_load("analyticsctl", ctl->option[CTL_CONFIG], &settings))
        status = CTL_USAGE;
    if (!status)
        status = find_target(ctl, &settings, &moving.to);
    if (!status)
        status = ctl_find_place(ctl, &source, &moving.from);
    if (!status)
        status = run(ctl, &moving);
    settings_release(&source);
    settings_release(&settings);
    return status;
}
