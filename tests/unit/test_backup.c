/* test_backup.c: analyticsctl backup and restore: every row comes back, whatever the service does meanwhile; a process
 * that is killed leaves the old state or the new one, and nothing between; and what is not possible is refused, with
 * nothing changed. Rows are compared in plain SQL. restore is killed at each of its calls that change a folder, which
 * the linker redirects (--wrap).
 */
#include "support/ctl_run.h"
#include "support/parts.h"
#include "support/fixture.h"
#include "support/ledger.h"
#include "support/recount.h"
#include "service/service.h"
#include "store/sqlite/care/backup.h"
#include "keys/keys.h"
#include "time/mono.h"
#include "time/when.h"
#include "store/sqlite/sqlite.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534

static char top[64];   /* everything is below it */
static char data[96];  /* a data folder */
static char other[96]; /* where a backup is restored to */
static char file[96];  /* the backup */
static char partial[112];

/* ---- folders and files ---- */

static void make_top(void)
{
    temporary_folder(top);
    snprintf(data, sizeof data, "%s/data", top);
    ck_assert_uint_lt((size_t)snprintf(folder, sizeof folder, "%s", data), sizeof folder); /* of CTL */
    snprintf(other, sizeof other, "%s/other", top);
    snprintf(file, sizeof file, "%s/logs.backup", top);
    snprintf(partial, sizeof partial, "%s.partial", file);
    ck_assert_int_eq(mkdir(data, 0700), 0);
    ck_assert_int_eq(mkdir(other, 0700), 0);
}

static void remove_all(const char *path)
{
    char command[160];
    ck_assert_ptr_nonnull(strstr(path, "/analytics-test."));
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    ck_assert_int_eq(system(command), 0);
}

static void remove_top(void)
{
    remove_all(top);
}

static void __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* The names in a folder, sorted: "a b c". */
static const char *names_in(const char *path)
{
    static char names[1024];
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    ck_assert_int_ge(count, 0);
    names[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            strcat(strcat(names, *names ? " " : ""), entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return names;
}

/* The folder that keeps what was there before a restore; there is one. */
static const char *kept_in(const char *path)
{
    static char kept[192];
    const char *name = strstr(names_in(path), "before-restore-");
    ck_assert_ptr_nonnull(name);
    ck_assert_ptr_null(strstr(name + 1, "before-restore-"));
    snprintf(kept, sizeof kept, "%s/%.*s", path, (int)strcspn(name, " "), name);
    return kept;
}

/* ---- databases ---- */

static struct ledger ledger;

static void write_with(struct store_writer *writer, int from, int count)
{
    struct fault fault;
    bool more = true;
    for (int i = from; i < from + count; i++) {
        ck_assert_int_eq(ledger_write(writer, &ledger, i).result, OK);
        ledger.fate[i] = WHOLE;
    }
    ledger.count = from + count;
    while (more)
        ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
}

static void write_batches(const char *path, int from, int count)
{
    struct store_writer *writer = open_writer(path);
    write_with(writer, from, count);
    store_writer_close(writer);
}

/* Makes a database of so many batches, some of them in the write-ahead log only, and keys. */
static void make_data(int batches)
{
    ledger = (struct ledger){.logs = 8, .pause = 3600};
    ck_status(0, "init");
    write_batches(data, 0, batches);
    ck_status(0, "key", "rotate", "2");
}

/* Such a database of 30 batches and its backup, made once, for cases that begin with both. */
static char ground[64];

static void make_ground(void)
{
    make_top();
    make_data(30);
    ck_status(0, "backup", file);
    snprintf(ground, sizeof ground, "%s", top);
}

static void remove_ground(void)
{
    remove_all(ground);
}

static void take_ground(void)
{
    shell("rmdir '%s'; cp -a '%s/data' '%s'", data, ground, data);
}

static sqlite3 *open_any(const char *path, const char *name)
{
    char whole[256];
    sqlite3 *db = NULL;
    snprintf(whole, sizeof whole, "%s%s%s", path, name ? "/" : "", name ? name : "");
    ck_assert_int_eq(sqlite3_open_v2(whole, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return db;
}

static void plain_exec(const char *path, const char *name, const char *sql)
{
    sqlite3 *db = open_any(path, name);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int64_t count_logs(const char *path, const char *name)
{
    sqlite3 *db = open_any(path, name);
    parts_show(db);
    int64_t logs = recount_i64(db, "SELECT count(*) FROM raw_log");
    sqlite3_close(db);
    return logs;
}

/* All tables of both have the same rows. */
static void check_equal(const char *one, const char *two, const char *name)
{
    char sql[512];
    sqlite3_stmt *tables = NULL;
    sqlite3 *db = open_any(one, name);
    int count = 0;
    snprintf(sql, sizeof sql, "ATTACH '%s/%s' AS two", two, name);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(recount_i64(db, "SELECT count(*) FROM (SELECT name, sql FROM main.sqlite_schema EXCEPT"
                                     " SELECT name, sql FROM two.sqlite_schema)"),
                     0);
    ck_assert_int_eq(recount_i64(db, "SELECT (SELECT count(*) FROM main.sqlite_schema) -"
                                     " (SELECT count(*) FROM two.sqlite_schema)"),
                     0);
    ck_assert_int_eq(
        sqlite3_prepare_v2(db, "SELECT name FROM main.sqlite_schema WHERE type = 'table'", -1, &tables, NULL),
        SQLITE_OK);
    for (; sqlite3_step(tables) == SQLITE_ROW; count++) {
        const char *table = (const char *)sqlite3_column_text(tables, 0);
        snprintf(sql, sizeof sql,
                 "SELECT (SELECT count(*) FROM (SELECT * FROM main.%s EXCEPT SELECT * FROM two.%s)) +"
                 " abs((SELECT count(*) FROM main.%s) - (SELECT count(*) FROM two.%s))",
                 table, table, table, table);
        ck_assert_msg(recount_i64(db, sql) == 0, "%s of %s differs", table, name);
    }
    ck_assert_int_gt(count, 1);
    sqlite3_finalize(tables);
    sqlite3_close(db);
}

static void check_same(const char *one, const char *two)
{
    check_equal(one, two, "analytics.db");
    check_equal(one, two, "keys.db");
}

#define ck_restore(expected, path, ...)                                                                                \
    do {                                                                                                               \
        int status_ = ctl_run(path, (const char *const[]){"restore", file, __VA_ARGS__});                              \
        ck_assert_msg(status_ == (expected), "status %d: %s%s", status_, ctl_out, ctl_err);                            \
    } while (0)

static void verify(const char *path)
{
    int status = ctl_run(path, (const char *const[]){"verify", NULL});
    ck_assert_msg(status == 0, "status %d: %s%s", status, ctl_out, ctl_err);
}

/* ---- there and back ---- */

START_TEST(every_row_comes_back)
{
    struct stat st;
    char words[64];
    make_data(60);
    ck_status(0, "backup", file);
    snprintf(words, sizeof words, "It holds %lld logs and 3 keys (", (long long)count_logs(data, "analytics.db"));
    ck_has(ctl_out, words);
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_str_eq(names_in(top), "data logs.backup other");
    ck_restore(0, other, NULL);
    ck_has(ctl_out, " logs and 3 keys (");
    ck_assert_str_eq(names_in(other), "analytics.db keys.db lock");
    check_same(data, other);
    ledger_check(&ledger, other, "restored");
    verify(other);
    write_batches(other, 60, 5); /* the service starts */
    ledger_check(&ledger, other, "gone on");
}
END_TEST

/* --force replaces an older backup, and restores into a folder that has databases already. */
START_TEST(replaced_when_told)
{
    char kept[192];
    make_data(20);
    ck_status(0, "backup", file, "--json");
    ck_assert_int_eq(strncmp(ctl_out, "{\"ok\":true,\"file\":\"", 19), 0);
    ck_has(ctl_out, ",\"schema_version\":");
    ck_has(ctl_out, ",\"keys\":3}\n");
    write_batches(data, 20, 20);
    ck_status(1, "backup", file);
    ck_has(ctl_err, "is there already; --force replaces an older backup");
    ck_assert_int_lt(count_logs(file, NULL), count_logs(data, "analytics.db"));
    ck_status(0, "backup", file, "--force");
    ck_assert_int_eq(count_logs(file, NULL), count_logs(data, "analytics.db"));
    ck_assert_int_eq(ctl_run(other, (const char *const[]){"init", NULL}), 0);
    write_batches(other, 0, 3);
    shell("cp -r '%s' '%s/copy'", other, top);
    ck_restore(1, other, NULL);
    ck_has(ctl_err, "is there already; --force puts");
    ck_restore(0, other, "--force", "--json", NULL);
    snprintf(kept, sizeof kept, "\"kept\":\"%s\",\"keys_good_again\":[", strrchr(kept_in(other), '/') + 1);
    ck_has(ctl_out, kept);
    check_same(data, other);
    snprintf(kept, sizeof kept, "%s/copy", top);
    check_same(kept, kept_in(other));
}
END_TEST

START_TEST(without_keys)
{
    char path[128];
    snprintf(path, sizeof path, "%s/keys.db", data);
    make_data(5);
    ck_assert_int_eq(unlink(path), 0);
    ck_status(0, "backup", file);
    ck_has(ctl_out, " logs and no keys.db (");
    ck_assert_int_eq(ctl_run(other, (const char *const[]){"init", NULL}), 0);
    shell("cp -r '%s' '%s/copy'", other, top);
    ck_restore(0, other, "--force", NULL);
    ck_has(ctl_out, "The keys were left as they are.");
    check_equal(data, other, "analytics.db");
    snprintf(path, sizeof path, "%s/copy", top);
    check_equal(path, other, "keys.db");
}
END_TEST

/* The backup of an older program: a restore upgrades its keys.db. */
START_TEST(an_older_key_file_is_upgraded)
{
    make_data(5);
    plain_exec(data, "keys.db", "ALTER TABLE api_key DROP COLUMN caller_id; PRAGMA user_version = 1");
    ck_status(0, "backup", file);
    ck_restore(0, other, NULL);
    ck_assert_int_eq(ctl_run(other, (const char *const[]){"key", "list", NULL}), 0);
}
END_TEST

/* ---- while the service runs ---- */

/* A backup has the state of one moment: all that was acknowledged before it began, and no batch in part. */
START_TEST(beside_a_writer)
{
    static const char bytes[16];
    int pipe_end, status;
    ledger = (struct ledger){.logs = 20, .pause = 1800};
    ck_status(0, "init");
    pid_t writer = ledger_start_writer(&ledger, data, &pipe_end);
    for (int round = 0; round < rounds(12, 4, 12); round++) {
        ledger.count += ROWS(bytes);
        memset(ledger.fate, EITHER, (size_t)ledger.count);
        ck_assert_int_eq(write(pipe_end, bytes, sizeof bytes), sizeof bytes);
        int64_t before = count_logs(data, "analytics.db");
        ck_status(0, "backup", file, "--force");
        int64_t after = count_logs(data, "analytics.db"), held = count_logs(file, NULL);
        ck_assert(before <= held && held <= after);
        ck_restore(0, other, "--force", NULL);
        ledger_check(&ledger, other, "beside a writer");
        remove_all(other);
        ck_assert_int_eq(mkdir(other, 0700), 0);
    }
    ck_restore(0, other, NULL);
    verify(other);
    ck_restore(1, data, "--force", NULL); /* the writer has the lock */
    ck_has(ctl_err, "held by another process");
    close(pipe_end);
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    memset(ledger.fate, WHOLE, (size_t)ledger.count);
    ledger_check(&ledger, data, "the writer");
}
END_TEST

/* Nothing that is committed after its beginning is in a backup. */
START_TEST(holds_its_moment)
{
    struct sqlite_backup *backup = NULL;
    struct sqlite_backup_facts facts;
    struct watch watch = {0};
    struct fault fault;
    make_data(20);
    int64_t logs = count_logs(data, "analytics.db");
    struct store_writer *writer = open_writer(data); /* opened before: later, it would wait for the end of the backup */
    ck_assert_int_eq(sqlite_backup_begin(data, &watch, &backup, &fault), OK);
    write_with(writer, 20, 20);
    ck_assert_int_gt(count_logs(data, "analytics.db"), logs);
    ck_assert_msg(sqlite_backup_write(backup, file, false, 1, &facts, &fault) == OK, "%s", fault.detail);
    sqlite_backup_end(backup);
    store_writer_close(writer);
    ck_assert_int_eq(facts.logs, logs);
    ck_restore(0, other, NULL);
    memset(ledger.fate + 20, ABSENT, 20);
    ledger_check(&ledger, other, "as it was");
}
END_TEST

static int64_t chart_count(struct service *service)
{
    struct store_reader *reader = NULL;
    struct chart chart = {0};
    struct fault fault;
    struct report_filter filter = {.from = LEDGER_BEGIN - WHEN_DAY, .to = LEDGER_BEGIN + 50 * (int64_t)WHEN_DAY};
    int64_t sum = 0;
    ck_assert_msg(service_take_reader(service, &reader, &fault) == OK, "%s", fault.detail);
    ck_assert_int_eq(store_chart(reader, &filter, GRANULARITY_DAY, false, &chart, &fault), OK);
    service_give_reader(service, OK);
    for (size_t i = 0; i < chart.count; i++)
        sum += chart.points[i].totals.count;
    chart_release(&chart);
    return sum;
}

static bool knows_key(struct service *service, const char *text)
{
    struct key_store *keys = NULL;
    struct api_key key;
    struct fault fault;
    ck_assert_msg(service_take_keys(service, &keys, &fault) == OK, "%s", fault.detail);
    enum err err = key_store_find(keys, slice_of(text), time(NULL), &key, &fault);
    service_give_keys(service, OK);
    return err == OK;
}

/* The last line of the output: the text of a key that was just made. */
static void last_line(char ret_text[80])
{
    ctl_out[strlen(ctl_out) - 1] = '\0';
    snprintf(ret_text, 80, "%s", strrchr(ctl_out, '\n') + 1);
}

/* A running query process answers its next request from the restored databases. */
START_TEST(readers_notice)
{
    struct service service;
    char lost[80], kept[80];
    make_data(10);
    ck_status(0, "key", "add", "--role", "admin", "--name", "kept");
    last_line(kept);
    service_init(&service, PROGRAM_QUERY, store_in(data), 1000);
    int64_t before = chart_count(&service);
    ck_status(0, "backup", file);
    ck_status(0, "key", "add", "--role", "admin", "--name", "lost");
    last_line(lost);
    write_batches(data, 10, 20);
    ck_assert_int_gt(chart_count(&service), before);
    ck_assert(knows_key(&service, lost) && knows_key(&service, kept));
    ck_restore(0, data, "--force", NULL);
    ck_assert_int_eq(chart_count(&service), before);
    ck_assert(!knows_key(&service, lost) && knows_key(&service, kept));
    service_release(&service);
}
END_TEST

/* A key that was revoked after the backup, because it had leaked, must not become valid again unnoticed. */
START_TEST(keys_that_come_back_are_named)
{
    static const char row[] = "UPDATE api_key SET revoked_at = 1 WHERE id = 1";
    char kept[192];
    make_data(3);
    plain_exec(data, "keys.db", row); /* before the backup: stays revoked */
    ck_status(0, "key", "add", "--role", "worker", "--name", "leaks");
    ck_status(0, "key", "add", "--role", "worker", "--name", "rotates");
    ck_status(0, "backup", file);
    ck_status(0, "key", "revoke", "4");
    ck_status(0, "key", "rotate", "5");
    ck_status(0, "key", "add", "--role", "worker", "--name", "dead on arrival");
    ck_status(0, "key", "revoke", "7");
    ck_restore(0, data, "--force", NULL);
    ck_has(ctl_out, "Key 4 was revoked or shortened since");
    ck_has(ctl_out, "Key 5 was revoked or shortened since");
    ck_has(ctl_out, "made since, and are gone: 1.\n");
    ck_assert_ptr_null(strstr(ctl_out, "Key 1 "));
    ck_assert_ptr_null(strstr(ctl_out, "Key 3 "));
    snprintf(kept, sizeof kept, "%s", kept_in(data));
    remove_all(kept);
    ck_status(0, "key", "revoke", "4");
    ck_restore(0, data, "--force", "--json", NULL);
    ck_has(ctl_out, ",\"keys_good_again\":[4],\"keys_gone\":0}\n");
    remove_all(kept_in(data));
    shell("echo damaged >'%s/keys.db'", data);
    ck_restore(0, data, "--force", NULL);
    ck_has(ctl_out, "revoked since are good again");
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *make; /* a command of the shell: $1 is a good backup, $2 the data folder, $3 what it makes */
    const char *says;
} bad_backups[] = {
    {"true", "No such file"},
    {": >$3", "this is no backup"},
    {"head -c 100000 /dev/zero >$3", "this is no backup"},
    {"mkdir $3", "this is no backup"},
    {"mkfifo $3", "this is no backup"},
    {"ln -s nowhere $3", "No such file"},
    {"cp $2/analytics.db $3", "this is no backup"},
    {"cp $2/keys.db $3", "this is no backup"},
    {"head -c -1 $1 >$3", "not as long as it says"},
    {"head -c 8192 $1 >$3", "not as long as it says"},
    {"cp $1 $3; echo >>$3", "not as long as it says"},
    {"cp $1 $3; sqlite3 $3 'UPDATE total SET count = count + 1'", "the backup is damaged"},
    {"cp $1 $3; sqlite3 $3 'DELETE FROM raw_log WHERE line = 0'", "the backup is damaged"},
    {"cp $1 $3; sqlite3 $3 'DELETE FROM batch_key'", "the backup is damaged"},
    {"cp $1 $3; sqlite3 $3 'DELETE FROM backup'", "the backup is damaged"},
    {"cp $1 $3; sqlite3 $3 'DROP TABLE raw_log'", "no such table"},
    {"cp $1 $3; sqlite3 $3 \"UPDATE backup SET keys = x'00'\"", "keys have no table"},
    {"cp $1 $3; sqlite3 $3 'PRAGMA user_version = 999'", "the backup is damaged"},
    {"cp $1 $3; sqlite3 $3 \"PRAGMA user_version = 999; UPDATE backup SET figures = replace(figures, 'schema ' ||"
     " substr(figures, 8, instr(figures, ',') - 8), 'schema 999')\"",
     "newer version"},
    /* The second half of the file is a copy of its first half. */
    {"cp $1 $3; n=$(($(stat -c %s $1) / 8192)); dd if=$1 of=$3 bs=4096 count=$n seek=$n conv=notrunc status=none",
     "damaged|malformed"},
};

static bool says_any(const char *text, const char *words)
{
    char all[128];
    snprintf(all, sizeof all, "%s", words);
    for (char *rest = NULL, *word = strtok_r(all, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
        if (strstr(text, word))
            return true;
    return false;
}

/* After a refusal, nothing has changed. */
START_TEST(bad_backup)
{
    char good[128], before[1024];
    take_ground();
    snprintf(good, sizeof good, "%s/good", top);
    shell("cp '%s/logs.backup' '%s'", ground, good);
    if (strncmp(bad_backups[_i].make, "cp $1 $3; sqlite3", 17) == 0 && system("command -v sqlite3 >/dev/null") != 0)
        return;
    shell("set -e; set -- '%s' '%s' '%s'; %s", good, data, file, bad_backups[_i].make);
    shell("cp -r '%s' '%s/copy'", data, top);
    strcpy(before, names_in(data));
    ck_restore(1, data, "--force", NULL);
    ck_assert_msg(says_any(ctl_err, bad_backups[_i].says), "%s", ctl_err);
    ck_assert_str_eq(names_in(data), before);
    shell("rm '%s/lock' '%s/copy/lock'; diff -r -x '*-shm' '%s' '%s/copy'", data, top, data, top);
}
END_TEST

static const struct {
    const char *make; /* $1 is the file, $2 the data folder */
    const char *says;
} bad_targets[] = {
    {"mkdir $1", "is no backup"},
    {"echo precious >$1", "is no backup"},
    {": >$1", "is no backup"},
    {"cp $2/analytics.db $1", "is no backup"},
    {"ln -s $2/analytics.db $1", "is no backup"},
    {"ln $2/keys.db $1", "is no backup"},
    {"ln -s $2/keys.db $1.partial", "Too many levels"},
    {"ln $2/keys.db $1.partial", "no plain file"},
    {"mkdir $1.partial", "Is a directory"},
    {"mkfifo $1.partial", "no plain file"},
};

/* Nothing but an older backup is ever overwritten. */
START_TEST(bad_target)
{
    take_ground();
    shell("set -e; set -- '%s' '%s'; %s", file, data, bad_targets[_i].make);
    shell("cp -a '%s' '%s/copy'", data, top);
    char before[1024];
    strcpy(before, names_in(top));
    ck_status(1, "backup", file, "--force");
    ck_has(ctl_err, bad_targets[_i].says);
    ck_assert_str_eq(names_in(top), before);
    shell("diff -r -x '*-shm' '%s' '%s/copy'", data, top);
}
END_TEST

START_TEST(nothing_to_back_up)
{
    ck_status(1, "backup", file);
    ck_has(ctl_err, "analytics.db: No such file");
    ck_status(2, "backup", "");
    snprintf(file, sizeof file, "%s/no/such", top);
    make_data(1);
    ck_status(1, "backup", file);
    ck_has(ctl_err, "No such file");
    ck_assert_str_eq(names_in(top), "data other");
}
END_TEST

/* ---- no room ---- */

/* The exit status of analyticsctl if no file may be longer than that. */
static int limited(rlim_t bytes, const char *path, const char *command, const char *target)
{
    char words[512];
    snprintf(words, sizeof words, "prlimit --fsize=%lu \"$ANALYTICSCTL\" --data '%s' %s '%s' >/dev/null 2>&1",
             (unsigned long)bytes, path, command, target);
    int status = system(words);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Files may not grow beyond a size. At each size, nothing is left of the backup. */
START_TEST(files_that_may_not_grow)
{
    char before[1024];
    struct stat st;
    make_data(60);
    ck_status(0, "backup", file);
    ck_assert_int_eq(stat(file, &st), 0);
    for (rlim_t bytes = 4096; bytes < (rlim_t)st.st_size; bytes += (rlim_t)st.st_size / 7) {
        char second[112];
        snprintf(second, sizeof second, "%s/second", top);
        ck_assert_int_eq(limited(bytes, data, "backup", second), 1);
        ck_assert_str_eq(names_in(top), "data logs.backup other");
        strcpy(before, names_in(data));
        ck_assert_int_eq(limited(bytes, data, "restore --force", file), 1);
        ck_assert_str_eq(names_in(data), before);
    }
    ledger_check(&ledger, data, "after it had no room");
}
END_TEST

/* Mounts need root. Where they are not permitted, the test is skipped. */
static bool mount_small(const char *path)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", path, "tmpfs", 0, "size=120k,mode=700") == 0;
}

START_TEST(full_disk)
{
    char small[96], target[112];
    snprintf(small, sizeof small, "%s/small", top);
    snprintf(target, sizeof target, "%s/b", small);
    make_data(60);
    ck_status(0, "backup", file);
    if (!mount_small(small)) {
        fprintf(stderr, "no mounts here: full_disk is left out\n");
        return;
    }
    ck_status(1, "backup", target);
    ck_has(ctl_err, "no room: it takes ");
    ck_assert_str_eq(names_in(small), "");
    ck_restore(1, small, NULL);
    ck_has(ctl_err, "no room: it takes ");
    ck_assert_str_eq(names_in(small), "lock");
    umount(small);
}
END_TEST

/* ---- stopped and killed ---- */

static void make_much(void)
{
    ledger = (struct ledger){.logs = 100, .pause = 3600};
    ck_status(0, "init");
    write_batches(data, 0, 50);
}

/* Ends the command by the signal, at moments from its beginning to its end. Calls `check` after each. */
static void end_at_any_moment(const char *path, const char *const *arguments, int number, void (*check)(int status))
{
    int64_t start_us = mono_us();
    int ended = 0, parts = rounds(15, 4, 15);
    check(ctl_run(path, arguments));
    int64_t took_us = mono_us() - start_us;
    for (int i = 1; i < parts; i++) {
        struct ctl_run run = ctl_run_start(path, false, arguments);
        usleep((useconds_t)(took_us * i * i / (parts * parts)));
        kill(run.pid, number);
        int status = ctl_run_finish(&run);
        ended += status != 0;
        check(status);
    }
    ck_assert_int_gt(ended, 0);
}

/* There is a whole backup, or none; a stopped command leaves no other file. */
static void check_backup(int status)
{
    ck_assert_msg(status == 0 || status == 130 || status == -SIGKILL || status == -SIGINT, "status %d: %s", status,
                  ctl_err);
    ck_assert(is_there(file) == (status == 0) || status == -SIGKILL);
    ck_assert(status == -SIGKILL || !is_there(partial));
    if (!is_there(file))
        return;
    ck_restore(0, other, NULL);
    check_equal(data, other, "analytics.db");
    remove_all(other);
    ck_assert_int_eq(mkdir(other, 0700), 0);
    ck_assert_int_eq(unlink(file), 0);
}

static const int ends[] = {SIGINT, SIGKILL};

START_TEST(backup_ended_at_any_moment)
{
    make_much();
    end_at_any_moment(data, (const char *const[]){"backup", file, NULL}, ends[_i], check_backup);
    ck_status(0, "backup", file); /* replaces what a killed one has left */
    check_backup(0);
}
END_TEST

/* The file is the older backup, or the new one. */
static void check_replaced(int status)
{
    (void)status;
    int64_t held = count_logs(file, NULL);
    ck_assert(held == 1 || held == count_logs(data, "analytics.db"));
    shell("cp '%s/old' '%s'", top, file);
}

START_TEST(older_backup_is_whole_or_replaced)
{
    char path[128];
    ledger = (struct ledger){.logs = 100, .pause = 3600};
    ck_assert_int_eq(ctl_run(other, (const char *const[]){"init", NULL}), 0);
    plain_exec(other, "analytics.db", "INSERT INTO raw_log VALUES (1,1,0,1,1,0,0,0,0,x'',x'',0,0,0,1,1,1,0,0,0)");
    snprintf(path, sizeof path, "%s/old", top);
    ck_assert_int_eq(ctl_run(other, (const char *const[]){"backup", path, NULL}), 0);
    make_much();
    shell("cp '%s/old' '%s'", top, file);
    end_at_any_moment(data, (const char *const[]){"backup", file, "--force", NULL}, SIGKILL, check_replaced);
}
END_TEST

/* After a start, which finishes an interrupted restore, the folder has the old databases, or those of the backup. Then
 * the old ones are in before-restore-…. */
static void check_restored(int status)
{
    struct fault fault;
    ck_assert_msg(status == 0 || status == 130 || status == -SIGKILL || status == -SIGINT, "status %d: %s", status,
                  ctl_err);
    ck_assert_msg(sqlite_create(data, &fault) == OK, "%s", fault.detail);
    bool restored = strstr(names_in(data), "before-restore-") != NULL;
    ck_assert(restored == (status == 0) || status == -SIGKILL);
    ck_assert(status == -SIGKILL || !strstr(names_in(data), "restore.partial"));
    check_equal(restored ? kept_in(data) : data, other, "analytics.db");
    if (restored)
        ck_assert_int_eq(count_logs(data, "analytics.db"), count_logs(file, NULL));
    remove_all(data);
    shell("cp -a '%s' '%s'", other, data);
}

START_TEST(restore_ended_at_any_moment)
{
    make_much();
    ck_status(0, "backup", file);
    write_batches(data, 50, 5);
    remove_all(other);
    shell("cp -a '%s' '%s'", data, other);
    end_at_any_moment(data, (const char *const[]){"restore", file, "--force", NULL}, ends[_i], check_restored);
}
END_TEST

START_TEST(progress_on_a_terminal)
{
    static char text[CTL_RUN_BYTES];
    size_t len = 0;
    ssize_t n;
    make_much();
    struct ctl_run run = ctl_run_start(data, true, (const char *const[]){"backup", file, NULL});
    while (len < sizeof text - 1 && (n = read(run.terminal, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    ck_assert_int_eq(ctl_run_finish(&run), 0);
    ck_has(text, "\rreading it back: ");
    ck_has(text, "\rchecking the copy: ");
    ck_assert_ptr_null(strchr(text, '\n'));
}
END_TEST

/* ---- killed at each step of a restore ---- */

#define KILLED 77

static int calls_left; /* the process ends at the last of so many calls; 0: it does not end */

static void count_call(void)
{
    if (calls_left > 0 && --calls_left == 0)
        _exit(KILLED);
}

#define WRAP(name, parameters, ...)                                                                                    \
    int __real_##name parameters;                                                                                      \
    int __wrap_##name parameters;                                                                                      \
    int __wrap_##name parameters                                                                                       \
    {                                                                                                                  \
        count_call();                                                                                                  \
        return __real_##name(__VA_ARGS__);                                                                             \
    }
WRAP(fsync, (int fd), fd)
WRAP(mkdir, (const char *path, mode_t mode), path, mode)
WRAP(mkdirat, (int dir, const char *path, mode_t mode), dir, path, mode)
WRAP(renameat, (int from_dir, const char *from, int to_dir, const char *to), from_dir, from, to_dir, to)
WRAP(unlinkat, (int dir, const char *path, int flags), dir, path, flags)

static int in_child(int calls, int (*work)(void))
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        calls_left = calls;
        _exit(work());
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "%x", (unsigned)status);
    return WEXITSTATUS(status);
}

static int restore_now(void)
{
    struct watch watch = {0};
    struct sqlite_backup_facts facts;
    char kept[STORE_KEPT_BYTES];
    struct fault fault;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    return fd < 0 || sqlite_restore(data, fd, true, &watch, &facts, kept, &fault) ? 1 : 0;
}

static int start_now(void)
{
    struct fault fault;
    return sqlite_create(data, &fault) ? 1 : 0;
}

/* Old databases, whose newest batches and key are only in their write-ahead logs. */
static void make_old_and_new(void)
{
    char path[128];
    make_data(30);
    ck_status(0, "backup", file);
    shell("cp -a '%s' '%s/new'", data, top);
    write_batches(data, 30, 2);
    ck_status(0, "key", "add", "--role", "admin", "--name", "newest");
    snprintf(path, sizeof path, "%s/analytics.db-wal", data);
    struct stat wal;
    ck_assert(stat(path, &wal) == 0 && wal.st_size > 0);
    shell("rm '%s/analytics.db-shm'; cp -a '%s' '%s/old'", data, data, top);
}

static void check_old_or_new(bool is_new)
{
    char old[96], new[96];
    snprintf(old, sizeof old, "%s/old", top);
    snprintf(new, sizeof new, "%s/new", top);
    if (is_new)
        check_same(old, kept_in(data));
    check_same(is_new ? new : old, data);
    ck_assert_ptr_null(strstr(names_in(data), "restore."));
}

/* Kills the restore at its n-th call, and the start that finishes it at its m-th (0: there is none). Then an
 * undisturbed start follows. Returns whether the new databases are there. */
static bool kill_twice(int n, int m, int *ret_first, int *ret_second)
{
    remove_all(data);
    shell("cp -a '%s/old' '%s'", top, data);
    *ret_first = in_child(n, restore_now);
    *ret_second = m > 0 ? in_child(m, start_now) : 0;
    ck_assert_int_eq(in_child(0, start_now), 0);
    bool is_new = strstr(names_in(data), "before-restore-") != NULL;
    if (!is_new)
        shell("rm -rf '%s/restore.partial'", data);
    check_old_or_new(is_new);
    return is_new;
}

START_TEST(killed_at_each_step)
{
    int first = KILLED, second, finished = 0, undone = 0;
    make_old_and_new();
    for (int n = 1; first == KILLED; n++) {
        bool is_new = kill_twice(n, 0, &first, &second);
        ck_assert(is_new || first == KILLED);
        finished += is_new;
        undone += !is_new;
        second = is_new && first == KILLED ? KILLED : 0;
        for (int m = 1; second == KILLED; m += rounds(1, 8, 1))
            ck_assert(kill_twice(n, m, &first, &second));
    }
    ck_assert_int_gt(finished, 5);
    ck_assert_int_gt(undone, 2);
}
END_TEST

/* In the middle of a restore, no key can be made in a keys.db that will be replaced. */
START_TEST(no_key_is_made_half_way)
{
    make_old_and_new();
    char ready[128];
    snprintf(ready, sizeof ready, "%s/restore.ready", data);
    for (int n = 1, status = KILLED; status == KILLED && !is_there(ready); n++) {
        remove_all(data);
        shell("cp -a '%s/old' '%s'", top, data);
        status = in_child(n, restore_now);
    }
    ck_assert(is_there(ready));
    ck_status(1, "key", "add", "--role", "admin", "--name", "x");
    ck_has(ctl_err, "a restore was interrupted: analyticsctl init finishes it");
    ck_status(0, "init");
    check_old_or_new(true);
}
END_TEST

/* ---- whose files ---- */

START_TEST(as_root)
{
    struct stat st;
    char path[128];
    if (geteuid() != 0) {
        puts("skipped: backup by root needs root");
        return;
    }
    make_data(5);
    shell("rm -f '%s'/*-shm '%s'/*-wal; chown -R %d:%d '%s'; chmod 755 '%s'; chown %d '%s'", data, data, NOBODY, NOBODY,
          data, top, NOBODY, other);
    ck_status(0, "backup", file); /* the folder is root's */
    ck_assert(stat(file, &st) == 0 && st.st_uid == 0 && (st.st_mode & 07777) == 0600);
    snprintf(path, sizeof path, "%s/theirs", other);
    ck_status(0, "backup", path); /* this one is not */
    ck_assert(stat(path, &st) == 0 && st.st_uid == NOBODY);
    shell("test -z \"$(find '%s' ! -user %d)\"", data, NOBODY);
    ck_assert_int_eq(unlink(path), 0);
    ck_restore(0, other, NULL);
    shell("test -z \"$(find '%s' ! -user %d)\"", other, NOBODY);
    check_same(data, other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backup");
    TCase *tcase = suite_case(suite, "backup");
    tcase_add_unchecked_fixture(tcase, make_ground, remove_ground);
    tcase_add_checked_fixture(tcase, make_top, remove_top);
    tcase_add_test(tcase, every_row_comes_back);
    tcase_add_test(tcase, replaced_when_told);
    tcase_add_test(tcase, without_keys);
    tcase_add_test(tcase, an_older_key_file_is_upgraded);
    tcase_add_test(tcase, keys_that_come_back_are_named);
    tcase_add_test(tcase, beside_a_writer);
    tcase_add_test(tcase, holds_its_moment);
    tcase_add_test(tcase, readers_notice);
    tcase_add_loop_test(tcase, bad_backup, 0, ROWS(bad_backups));
    tcase_add_loop_test(tcase, bad_target, 0, ROWS(bad_targets));
    tcase_add_test(tcase, nothing_to_back_up);
    tcase_add_test(tcase, files_that_may_not_grow);
    tcase_add_test(tcase, full_disk);
    tcase_add_loop_test(tcase, backup_ended_at_any_moment, 0, ROWS(ends));
    tcase_add_test(tcase, older_backup_is_whole_or_replaced);
    tcase_add_loop_test(tcase, restore_ended_at_any_moment, 0, ROWS(ends));
    tcase_add_test(tcase, progress_on_a_terminal);
    tcase_add_test(tcase, killed_at_each_step);
    tcase_add_test(tcase, no_key_is_made_half_way);
    tcase_add_test(tcase, as_root);
    return suite_run(suite);
}
