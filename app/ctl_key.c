/* ctl_key.c: analyticsctl key add, list, revoke. Knows the words of the command line and the table that is shown. Knows
 * no SQL and no hashing: lib/store_keys.c does. */
#include "ctl.h"

#include "limit.h"
#include "store_keys.h"
#include "text.h"
#include "when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "banned.h"

#define YEAR_3000 INT64_C(32503680000)

/* A folder that is missing, and keys that nobody made, get words of their own. */
static int open_keys(const struct ctl *ctl, bool create, struct key_store **ret_store)
{
    struct stat dir;
    struct fault fault;
    if (stat(ctl->data_dir, &dir) < 0 && errno == ENOENT)
        return ctl_fail("there is no folder %s; analyticsctl init makes it", ctl->data_dir);
    if (key_store_open(ctl->data_dir, create, ret_store, &fault))
        return ctl_fault(&fault);
    return CTL_OK;
}

/* What is shown for an instant, UTC; `never` for 0. A time that only a damaged file can hold is "?". */
static void format_time(int64_t seconds, const char *never, char ret_text[WHEN_TEXT_BYTES])
{
    if (seconds > 0 && seconds < YEAR_3000)
        when_format(seconds, ret_text);
    else
        snprintf(ret_text, WHEN_TEXT_BYTES, "%s", seconds == 0 ? never : "?");
}

/* ---- key add ---- */

static int parse_user_id(const struct ctl *ctl, enum role role, int64_t *ret_user_id)
{
    const char *text = ctl->option[CTL_USER_ID];
    if (role == ROLE_USER && !text)
        return ctl_misuse("--role user needs --user-id");
    if (role != ROLE_USER && text)
        return ctl_misuse("--user-id goes with --role user only");
    if (text && !text_to_i64(slice_of(text), 1, LIMIT_ID, ret_user_id))
        return ctl_misuse("--user-id is an integer from 1 to %lld", (long long)LIMIT_ID);
    return CTL_OK;
}

/* A date alone is good to the end of its day. */
static int parse_expires(const struct ctl *ctl, int64_t *ret_expires_at)
{
    struct when when;
    const char *text = ctl->option[CTL_EXPIRES];
    if (!text)
        return CTL_OK;
    if (!when_parse(slice_of(text), &when))
        return ctl_misuse("--expires is a date, YYYY-MM-DD, or an ISO 8601 date-time");
    int64_t expires_at = when.seconds + (when.date_only ? WHEN_DAY : 0);
    if (expires_at <= ctl->now)
        return ctl_misuse("--expires is in the past");
    *ret_expires_at = expires_at;
    return CTL_OK;
}

static int parse_key(const struct ctl *ctl, struct api_key *ret_key)
{
    const char *name = ctl->option[CTL_NAME];
    struct api_key key = {.role = role_parse(slice_of(ctl->option[CTL_ROLE]))};
    if (key.role == ROLE_NONE)
        return ctl_misuse("--role is worker, user or admin");
    if (strlen(name) > LIMIT_KEY_NAME_BYTES)
        return ctl_misuse("--name is at most %u bytes", LIMIT_KEY_NAME_BYTES);
    memcpy(key.name, name, strlen(name));
    int status = parse_user_id(ctl, key.role, &key.user_id);
    if (!status)
        status = parse_expires(ctl, &key.expires_at);
    if (!status)
        *ret_key = key;
    return status;
}

static void say_key(const struct api_key *key)
{
    char user[32] = "", expires[WHEN_TEXT_BYTES];
    if (key->role == ROLE_USER)
        snprintf(user, sizeof user, " %lld", (long long)key->user_id);
    format_time(key->expires_at, "never", expires);
    ctl_say("Key %lld, \"%s\": role %s%s, expires %s%s.", (long long)key->id, key->name, role_name(key->role), user,
            expires, key->expires_at ? " UTC" : "");
    ctl_say("It is shown this once, below; only its hash is kept.");
}

/* A key that could not be shown is known to nobody, so it is taken back. */
static int show_key(const struct ctl *ctl, struct key_store *store, const struct api_key *key, const char *text)
{
    struct fault fault;
    say_key(key);
    puts(text);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CTL_OK;
    ctl_fail("can't write to standard output: %s; key %lld is revoked", strerror(errno), (long long)key->id);
    return key_store_revoke(store, key->id, ctl->now, &fault) ? ctl_fault(&fault) : CTL_FAILED;
}

int ctl_key_add(const struct ctl *ctl)
{
    struct api_key key;
    struct fault fault;
    struct key_store *store = NULL;
    char text[KEY_TEXT_BYTES];
    int status = parse_key(ctl, &key);
    if (!status)
        status = open_keys(ctl, true, &store);
    if (status)
        return status;
    if (key_store_add(store, &key, ctl->now, text, &fault))
        status = ctl_fault(&fault);
    else
        status = show_key(ctl, store, &key, text);
    explicit_bzero(text, sizeof text);
    key_store_close(store);
    return status;
}

/* ---- key list ---- */

#define CELL_BYTES (LIMIT_KEY_NAME_BYTES + 1) /* the name is the longest cell */

enum column { ID, ROLE, USER, NAME, CREATED, EXPIRES, LAST_USED, STATE, COLUMNS };
static const char *const titles[COLUMNS] = {
    [ID] = "ID",           [ROLE] = "ROLE",       [USER] = "USER",           [NAME] = "NAME",
    [CREATED] = "CREATED", [EXPIRES] = "EXPIRES", [LAST_USED] = "LAST USED", [STATE] = "STATE"};

struct key_list {
    struct api_key *keys;
    size_t count;
    size_t cap;
};

static enum err collect_key(void *ctx, const struct api_key *key)
{
    struct key_list *list = ctx;
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        struct api_key *keys = reallocarray(list->keys, cap, sizeof *keys);
        if (!keys)
            return ERR_UNAVAILABLE;
        list->keys = keys;
        list->cap = cap;
    }
    list->keys[list->count++] = *key;
    return OK;
}

static const char *key_state(const struct api_key *key, int64_t now)
{
    if (key->revoked_at)
        return "revoked";
    return key->expires_at && key->expires_at <= now ? "expired" : "active";
}

static void fill_cells(const struct api_key *key, int64_t now, char cells[COLUMNS][CELL_BYTES])
{
    snprintf(cells[ID], CELL_BYTES, "%lld", (long long)key->id);
    snprintf(cells[ROLE], CELL_BYTES, "%s", role_name(key->role));
    snprintf(cells[USER], CELL_BYTES, key->role == ROLE_USER ? "%lld" : "-", (long long)key->user_id);
    snprintf(cells[NAME], CELL_BYTES, "%s", key->name);
    ctl_printable(cells[NAME]);
    format_time(key->created_at, "?", cells[CREATED]);
    format_time(key->expires_at, "never", cells[EXPIRES]);
    format_time(key->last_used_at, "never", cells[LAST_USED]);
    snprintf(cells[STATE], CELL_BYTES, "%s", key_state(key, now));
}

/* Characters, not bytes: UTF-8 continuation bytes take no room. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void widen(int widths[COLUMNS], char cells[COLUMNS][CELL_BYTES])
{
    for (int i = 0; i < COLUMNS; i++)
        if (text_width(cells[i]) > widths[i])
            widths[i] = text_width(cells[i]);
}

static void print_row(const int widths[COLUMNS], char cells[COLUMNS][CELL_BYTES])
{
    for (int i = 0; i < COLUMNS - 1; i++)
        printf("%s%*s", cells[i], widths[i] - text_width(cells[i]) + 2, "");
    printf("%s\n", cells[COLUMNS - 1]);
}

static void print_keys(const struct key_list *list, int64_t now)
{
    char cells[COLUMNS][CELL_BYTES];
    int widths[COLUMNS] = {0};
    for (size_t i = 0; i < list->count; i++) {
        fill_cells(&list->keys[i], now, cells);
        widen(widths, cells);
    }
    for (int i = 0; i < COLUMNS; i++)
        snprintf(cells[i], CELL_BYTES, "%s", titles[i]);
    widen(widths, cells);
    print_row(widths, cells);
    for (size_t i = 0; i < list->count; i++) {
        fill_cells(&list->keys[i], now, cells);
        print_row(widths, cells);
    }
}

int ctl_key_list(const struct ctl *ctl)
{
    struct fault fault;
    struct key_list list = {0};
    struct key_store *store = NULL;
    int status = open_keys(ctl, false, &store);
    if (status)
        return status;
    if (key_store_list(store, collect_key, &list, &fault))
        status = ctl_fault(&fault);
    else
        print_keys(&list, ctl->now);
    free(list.keys);
    key_store_close(store);
    return status;
}

/* ---- key revoke ---- */

int ctl_key_revoke(const struct ctl *ctl)
{
    int64_t id;
    struct fault fault;
    struct key_store *store = NULL;
    if (!text_to_i64(slice_of(ctl->operand[0]), 1, INT64_MAX, &id))
        return ctl_misuse("ID is the number of a key, as key list shows it");
    int status = open_keys(ctl, false, &store);
    if (status)
        return status;
    if (key_store_revoke(store, id, ctl->now, &fault))
        status = ctl_fault(&fault);
    else
        ctl_say("Key %lld is revoked.", (long long)id);
    key_store_close(store);
    return status;
}
