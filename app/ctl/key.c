/* key.c: analyticsctl key add, rotate, list, revoke. Knows the words of the command line, and how keys are shown.
 * Knows no SQL and no hashing: lib/keys/keys.c does. */
#include "ctl/ctl.h"

#include "ctl/json.h"
#include "ctl/text.h"
#include "base/limit.h"
#include "keys/keys.h"
#include "base/text.h"
#include "time/when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/banned.h"

#define GRACE_HOURS 24
#define MAX_GRACE_HOURS 8760 /* a year */

/* A missing folder gets a message of its own. */
static int open_keys(const struct ctl *ctl, bool create, struct key_store **ret_store)
{
    struct stat dir;
    if (stat(ctl->data_dir, &dir) < 0 && errno == ENOENT)
        return ctl_fail("there is no folder %s; analyticsctl init makes it", ctl->data_dir);
    struct fault fault;
    if (key_store_open(ctl->data_dir, create, ret_store, &fault))
        return ctl_fault(&fault);
    return CTL_OK;
}

/* ---- key add ---- */

static int parse_user_id(const struct ctl *ctl, enum role role, int64_t *ret_user_id)
{
    const char *text = ctl->option[CTL_USER_ID];
    if (role == ROLE_USER && !text)
        return ctl_misuse("--role user needs --user-id");
    if (role != ROLE_USER && text)
        return ctl_misuse("--user-id goes with --role user only");
    return ctl_parse_id(text, "--user-id", ret_user_id);
}

/* A date alone is good to the end of its day. */
static int parse_expires(const struct ctl *ctl, int64_t *ret_expires_at)
{
    const char *text = ctl->option[CTL_EXPIRES];
    if (!text)
        return CTL_OK;
    struct when when;
    int status = ctl_parse_when(text, "--expires", &when);
    if (status)
        return status;
    int64_t expires_at = when.seconds + (when.date_only ? WHEN_DAY : 0);
    if (expires_at <= ctl->now)
        return ctl_must_be("--expires", text, "a time that is still to come");
    *ret_expires_at = expires_at;
    return CTL_OK;
}

static int parse_key(const struct ctl *ctl, struct api_key *ret_key)
{
    const char *name = ctl->option[CTL_NAME];
    struct api_key key = {.role = role_parse(slice_of(ctl->option[CTL_ROLE]))};
    if (key.role == ROLE_NONE ||
        key.role == ROLE_VIEWER) /* an admin makes these on the dashboard, with their filters */
        return ctl_must_be("--role", ctl->option[CTL_ROLE], "worker, user or admin");
    if (strlen(name) > LIMIT_KEY_NAME_BYTES)
        return ctl_misuse("--name must have at most %u bytes, but has %zu", LIMIT_KEY_NAME_BYTES, strlen(name));
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
    char user[32] = "", expires[CTL_FIGURE_BYTES];
    if (key->role == ROLE_USER)
        snprintf(user, sizeof user, " %lld", (long long)key->user_id);
    ctl_say("Key %lld, \"%s\": role %s%s, expires %s.", (long long)key->id, key->name, role_name(key->role), user,
            ctl_time_text(key->expires_at, "never", expires));
    ctl_say("It is shown this once, below; only its hash is kept.");
}

/* A key that could not be shown is known to nobody: the caller takes it back. */
static int show_key(const struct api_key *key, const char *text)
{
    say_key(key);
    puts(text);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CTL_OK;
    return ctl_fail("can't write to standard output: %s; key %lld is revoked", strerror(errno), (long long)key->id);
}

int ctl_key_add(const struct ctl *ctl)
{
    struct api_key key;
    struct key_store *store = NULL;
    int status = parse_key(ctl, &key);
    if (!status)
        status = open_keys(ctl, true, &store);
    if (status)
        return status;
    struct fault fault;
    char text[KEY_TEXT_BYTES];
    if (key_store_add(store, &key, ctl->now, text, &fault))
        status = ctl_fault(&fault);
    else if ((status = show_key(&key, text)) != CTL_OK && key_store_revoke(store, key.id, ctl->now, &fault))
        ctl_fault(&fault);
    explicit_bzero(text, sizeof text);
    key_store_close(store);
    return status;
}

/* ---- key rotate ---- */

struct rotation {
    int64_t id;
    int64_t expires_at; /* of the new key; -1: as the old one */
    int64_t grace_hours;
};

static int parse_id(const struct ctl *ctl, int64_t *ret_id)
{
    if (text_to_i64(slice_of(ctl->operand[0]), 1, INT64_MAX, ret_id))
        return CTL_OK;
    return ctl_must_be("ID", ctl->operand[0], "the number of a key, as key list shows it");
}

static int parse_rotation(const struct ctl *ctl, struct rotation *ret_rotation)
{
    struct rotation rotation = {.expires_at = -1, .grace_hours = GRACE_HOURS};
    int status = parse_id(ctl, &rotation.id);
    if (!status)
        status = ctl_parse_integer(ctl->option[CTL_GRACE], "--grace", 0, MAX_GRACE_HOURS, &rotation.grace_hours);
    if (!status)
        status = parse_expires(ctl, &rotation.expires_at);
    if (!status)
        *ret_rotation = rotation;
    return status;
}

/* Says until when the old key is valid. */
static void say_old_key(const struct api_key *before, int64_t grace_hours, int64_t now)
{
    long long id = (long long)before->id;
    int64_t expires_at = now + grace_hours * WHEN_HOUR;
    if (before->expires_at != 0 && before->expires_at < expires_at)
        expires_at = before->expires_at;
    char end[CTL_FIGURE_BYTES];
    if (before->revoked_at != 0)
        ctl_say("Key %lld was revoked before.", id);
    else if (grace_hours == 0)
        ctl_say("Key %lld is revoked.", id);
    else if (expires_at <= now)
        ctl_say("Key %lld expired at %s.", id, ctl_time_text(expires_at, "?", end));
    else
        ctl_say("Key %lld goes on until %s.", id, ctl_time_text(expires_at, "?", end));
}

/* A new key without an end of its own would have ended with the old one. */
static int rotate_fault(const struct rotation *rotation, const struct fault *fault)
{
    if (fault->err != ERR_PARAMETER_INVALID || strcmp(fault->parameter, "expires") != 0)
        return ctl_fault(fault);
    return ctl_fail("key %lld has expired, and the new key would end with it: give --expires DATE",
                    (long long)rotation->id);
}

static int rotate(const struct ctl *ctl, struct key_store *store, const struct rotation *rotation,
                  char text[KEY_TEXT_BYTES])
{
    struct fault fault;
    struct api_key before, key;
    if (key_store_rotate(store, rotation->id, rotation->expires_at, rotation->grace_hours * WHEN_HOUR, ctl->now,
                         &before, &key, text, &fault))
        return rotate_fault(rotation, &fault);
    say_old_key(&before, rotation->grace_hours, ctl->now);
    int status = show_key(&key, text);
    if (status && key_store_unrotate(store, &before, key.id, ctl->now, &fault))
        ctl_fault(&fault);
    return status;
}

int ctl_key_rotate(const struct ctl *ctl)
{
    struct rotation rotation;
    struct key_store *store = NULL;
    int status = parse_rotation(ctl, &rotation);
    if (!status)
        status = open_keys(ctl, false, &store);
    if (status)
        return status;
    char text[KEY_TEXT_BYTES];
    status = rotate(ctl, store, &rotation, text);
    explicit_bzero(text, sizeof text);
    key_store_close(store);
    return status;
}

/* ---- key list ---- */

#define CELL_BYTES (LIMIT_KEY_NAME_BYTES + 1) /* the name is the longest cell */

enum list_column { ID, ROLE, USER, NAME, CREATED, EXPIRES, LAST_USED, STATE, COLUMNS };
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
    ctl_put_clock(key->created_at, "?", cells[CREATED]);
    ctl_put_clock(key->expires_at, "never", cells[EXPIRES]);
    ctl_put_clock(key->last_used_at, "never", cells[LAST_USED]);
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

static void put_key(struct json_object *list, const struct api_key *key, int64_t now)
{
    struct json_object *json = ctl_json_item(list);
    ctl_json_count(json, "id", key->id);
    ctl_json_text(json, "role", role_name(key->role));
    ctl_json_count(json, "user_id", key->role == ROLE_USER ? key->user_id : -1);
    ctl_json_text(json, "name", key->name);
    ctl_json_count(json, "caller_id", key->caller_id);
    ctl_json_time(json, "created_at", key->created_at);
    ctl_json_time(json, "expires_at", key->expires_at);
    ctl_json_time(json, "revoked_at", key->revoked_at);
    ctl_json_time(json, "last_used_at", key->last_used_at);
    ctl_json_text(json, "state", key_state(key, now));
    if (key->role == ROLE_VIEWER)
        ctl_json_text(json, "filters", key->filters);
    else
        ctl_json_null(json, "filters");
}

static int print_json(const struct key_list *list, int64_t now)
{
    struct json_object *json = ctl_json_new();
    struct json_object *keys = ctl_json_array(json, "keys");
    for (size_t i = 0; i < list->count; i++)
        put_key(keys, &list->keys[i], now);
    return ctl_say_json(json);
}

static int show_list(const struct ctl *ctl, const struct key_list *list)
{
    if (ctl->option[CTL_JSON])
        return print_json(list, ctl->now);
    print_keys(list, ctl->now);
    return CTL_OK;
}

int ctl_key_list(const struct ctl *ctl)
{
    struct key_store *store = NULL;
    int status = open_keys(ctl, false, &store);
    if (status)
        return status;
    struct fault fault;
    struct key_list list = {0};
    if (key_store_list(store, collect_key, &list, &fault))
        status = ctl_fault(&fault);
    else
        status = show_list(ctl, &list);
    free(list.keys);
    key_store_close(store);
    return status;
}

/* ---- key revoke ---- */

int ctl_key_revoke(const struct ctl *ctl)
{
    int64_t id;
    struct key_store *store = NULL;
    int status = parse_id(ctl, &id);
    if (!status)
        status = open_keys(ctl, false, &store);
    if (status)
        return status;
    struct fault fault;
    if (key_store_revoke(store, id, ctl->now, &fault))
        status = ctl_fault(&fault);
    else
        ctl_say("Key %lld is revoked.", (long long)id);
    key_store_close(store);
    return status;
}
