/* keys.c: API keys in keys.db. Knows how a key is made, hashed and compared, and who must own the file. Knows no
 * HTTP, no command line, or what time it is.
 *
 * keys.db has a rollback journal: a write is rare, and all but rotating is a single statement, which SQLite runs as a
 * transaction of its own that waits for its turn as BEGIN IMMEDIATE does. Bound values are borrowed until the
 * statement is reset; binding them allocates nothing, so it can't fail. */
#include "keys/keys.h"

#include "db/db.h"
#include "db/files.h"
#include "db/swap.h"
#include "time/when.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define KEY_PREFIX "fnp_"
#define KEY_PREFIX_BYTES (sizeof KEY_PREFIX - 1)
#define KEY_RANDOM_BYTES 32
#define KEY_HASH_BYTES 32      /* BLAKE2b-256 */
#define KEY_BUSY_MS 2000       /* for whoever must have an answer */
#define KEY_MAKE_BUSY_MS 20000 /* for the steps of the schema, which several tools at once may want to take */
#define KEY_NOTE_BUSY_MS 5     /* for noting a use, which the next request can do as well */

static_assert(KEY_TEXT_BYTES == KEY_PREFIX_BYTES + 2 * KEY_RANDOM_BYTES + 1, "keys.h says how long a key is");

/* Every statement about keys. The columns of a key come first and in one order: see read_key. */
#define KEY_COLUMNS                                                                                                    \
    "id, role, user_id, name, created_at, expires_at, revoked_at, last_used_at, coalesce(caller_id, id),"              \
    " filters"
#define SQL_LIST(X)                                                                                                    \
    X(SQL_ADD, "INSERT INTO api_key (hash, name, role, user_id, created_at, expires_at, caller_id, filters)"           \
               " VALUES (?1, ?2, ?3, nullif(?4, 0), ?5, nullif(?6, 0), nullif(?7, 0), ?8)")                            \
    X(SQL_FIND, "SELECT " KEY_COLUMNS ", hash FROM api_key WHERE hash = ?1")                                           \
    X(SQL_NOTE_USE, "UPDATE api_key SET last_used_at = ?2 WHERE id = ?1")                                              \
    X(SQL_REVOKE, "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1")                            \
    X(SQL_BY_ID, "SELECT " KEY_COLUMNS " FROM api_key WHERE id = ?1")                                                  \
    X(SQL_LINE_END, "SELECT coalesce(expires_at, 0) FROM api_key WHERE caller_id = ?1 ORDER BY id DESC LIMIT 1")       \
    X(SQL_SET_END, "UPDATE api_key SET expires_at = nullif(?2, 0), revoked_at = nullif(?3, 0) WHERE id = ?1")          \
    X(SQL_ALL, "SELECT " KEY_COLUMNS " FROM api_key ORDER BY id")

enum sql {
#define SQL_ENUM(name, text) name,
    SQL_LIST(SQL_ENUM)
#undef SQL_ENUM
        SQL_COUNT
};

static const char *const sql_text[SQL_COUNT] = {
#define SQL_TEXT(name, text) [name] = text,
    SQL_LIST(SQL_TEXT)
#undef SQL_TEXT
};

enum key_column {
    COLUMN_ID,
    COLUMN_ROLE,
    COLUMN_USER_ID,
    COLUMN_NAME,
    COLUMN_CREATED_AT,
    COLUMN_EXPIRES_AT,
    COLUMN_REVOKED_AT,
    COLUMN_LAST_USED_AT,
    COLUMN_CALLER_ID,
    COLUMN_FILTERS,
    COLUMN_HASH
};

struct key_store {
    struct db db;
};

/* ---- opening ---- */

/* Makes an empty file, which SQLite takes for an empty database, unless there is one. Root makes it for the folder's
 * owner: the service runs as that user. Only a file that was made here changes hands, never what a link points at. */
static enum err make_file(const char *data_dir, const char *path, struct fault *fault)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return OK;
    if (fd < 0)
        return fault_set(fault, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    enum err err = OK;
    struct stat dir;
    if (geteuid() == 0 && (stat(data_dir, &dir) < 0 || fchown(fd, dir.st_uid, dir.st_gid) < 0)) {
        err = fault_set(fault, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
        unlink(path);
    }
    close(fd); /* before SQLite opens the file: closing any descriptor of it drops the process's locks */
    return err;
}

static enum err make_database(struct db *db, const char *data_dir, const char *path, struct fault *fault)
{
    if (swap_is_pending(data_dir))
        return fault_set(fault, ERR_UNAVAILABLE, "a restore was interrupted: analyticsctl init finishes it");
    enum err err = make_file(data_dir, path, fault);
    if (!err)
        err = db_open(db, path, DB_READ_WRITE, KEY_MAKE_BUSY_MS, fault);
    if (!err)
        err = db_exec(db, "PRAGMA journal_mode=DELETE", fault);
    if (!err)
        err = db_migrate(db, &schema_keys, fault);
    if (!err)
        sqlite3_busy_timeout(db->handle, KEY_BUSY_MS);
    return err;
}

/* A file that this process may only read is opened read-only by SQLite itself. */
static enum err open_database(struct db *db, const char *path, struct fault *fault)
{
    enum err err = db_open(db, path, DB_READ_WRITE, KEY_BUSY_MS, fault);
    if (!err)
        err = db_check_version(db, &schema_keys, fault);
    return err;
}

enum err key_store_open(const char *data_dir, bool create, struct key_store **ret_store, struct fault *fault)
{
    char *path = NULL;
    struct key_store *store = calloc(1, sizeof *store);
    if (!store || sodium_init() < 0 || asprintf(&path, "%s/" FILE_KEYS, data_dir) < 0) {
        free(store);
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    }
    enum err err = create ? make_database(&store->db, data_dir, path, fault) : open_database(&store->db, path, fault);
    if (!err)
        err = db_prepare(&store->db, sql_text, SQL_COUNT, fault);
    free(path);
    if (err)
        key_store_close(store);
    else
        *ret_store = store;
    return err;
}

void key_store_close(struct key_store *store)
{
    if (!store)
        return;
    db_close(&store->db);
    free(store);
}

bool key_store_has_moved(struct key_store *store)
{
    return db_has_moved(&store->db);
}

/* ---- reading rows ---- */

static struct slice column_slice(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return (struct slice){text ? text : "", text ? (size_t)sqlite3_column_bytes(row, column) : 0};
}

/* NULL reads as 0. Only another program can have written what is too long for ours: a name is cut, but filters that are
 * cut would show more, so such a key has no role. */
static void read_key(sqlite3_stmt *row, struct api_key *ret_key)
{
    struct slice name = column_slice(row, COLUMN_NAME), filters = column_slice(row, COLUMN_FILTERS);
    *ret_key = (struct api_key){.id = sqlite3_column_int64(row, COLUMN_ID),
                                .caller_id = sqlite3_column_int64(row, COLUMN_CALLER_ID),
                                .role = role_parse(column_slice(row, COLUMN_ROLE)),
                                .user_id = sqlite3_column_int64(row, COLUMN_USER_ID),
                                .created_at = sqlite3_column_int64(row, COLUMN_CREATED_AT),
                                .expires_at = sqlite3_column_int64(row, COLUMN_EXPIRES_AT),
                                .revoked_at = sqlite3_column_int64(row, COLUMN_REVOKED_AT),
                                .last_used_at = sqlite3_column_int64(row, COLUMN_LAST_USED_AT)};
    memcpy(ret_key->name, name.data, name.len < LIMIT_KEY_NAME_BYTES ? name.len : LIMIT_KEY_NAME_BYTES);
    if (filters.len <= LIMIT_KEY_FILTERS_BYTES)
        memcpy(ret_key->filters, filters.data, filters.len);
    else
        ret_key->role = ROLE_NONE;
}

/* ---- making a key ---- */

/* U+0080 … U+009F in UTF-8: control characters that some terminals obey. */
static bool has_c1_control(struct slice text)
{
    for (size_t i = 0; i + 1 < text.len; i++)
        if ((unsigned char)text.data[i] == 0xc2 && (unsigned char)text.data[i + 1] < 0xa0)
            return true;
    return false;
}

static bool name_is_good(struct slice name)
{
    return name.len >= 1 && name.len <= LIMIT_KEY_NAME_BYTES && text_is_utf8(name.data, name.len) &&
           !text_has_control(name.data, name.len) && !has_c1_control(name);
}

static bool user_id_suits_role(const struct api_key *key)
{
    if (key->role != ROLE_USER)
        return key->user_id == 0;
    return key->user_id >= 1 && key->user_id <= LIMIT_ID; /* 0 stands for all users in rollups */
}

/* As in a URL. Only a viewer's key has any. */
static bool filters_are_good(const struct api_key *key)
{
    size_t len = strnlen(key->filters, sizeof key->filters);
    for (size_t i = 0; i < len; i++)
        if (key->filters[i] <= ' ' || key->filters[i] > '~')
            return false;
    return len <= LIMIT_KEY_FILTERS_BYTES && (len == 0 || key->role == ROLE_VIEWER);
}

static enum err check_new_key(const struct api_key *key, int64_t now, struct fault *fault)
{
    if (key->role == ROLE_NONE)
        return fault_set_parameter(fault, ERR_PARAMETER_INVALID, "role", "the role is worker, user, admin or viewer");
    if (!user_id_suits_role(key))
        return fault_set_parameter(fault, ERR_PARAMETER_INVALID, "user_id",
                                   "a key of role user has a user id from 1 to 2^53-1, any other key has none");
    if (!filters_are_good(key))
        return fault_set_parameter(
            fault, ERR_PARAMETER_INVALID, "filters",
            "the filters of a viewer's key are at most %u bytes of a query string, and no other key has any",
            LIMIT_KEY_FILTERS_BYTES);
    struct slice name = {key->name, strnlen(key->name, sizeof key->name)};
    if (!name_is_good(name))
        return fault_set_parameter(fault, ERR_PARAMETER_INVALID, "name",
                                   "the name of a key is UTF-8 without control characters, 1 to %u bytes",
                                   LIMIT_KEY_NAME_BYTES);
    if (key->expires_at != 0 && key->expires_at <= now)
        return fault_set_parameter(fault, ERR_PARAMETER_INVALID, "expires", "the key would have expired already");
    return OK;
}

static void make_key_text(char ret_text[KEY_TEXT_BYTES])
{
    unsigned char random[KEY_RANDOM_BYTES];
    randombytes_buf(random, sizeof random);
    memcpy(ret_text, KEY_PREFIX, KEY_PREFIX_BYTES);
    text_hex(random, sizeof random, ret_text + KEY_PREFIX_BYTES);
    sodium_memzero(random, sizeof random);
}

static void hash_key_text(struct slice text, unsigned char ret_hash[KEY_HASH_BYTES])
{
    crypto_generichash(ret_hash, KEY_HASH_BYTES, (const unsigned char *)text.data, text.len, NULL, 0);
}

static enum err insert_key(struct db *db, struct api_key *key, const unsigned char hash[KEY_HASH_BYTES], int64_t now,
                           struct fault *fault)
{
    sqlite3_stmt *insert = db->statements[SQL_ADD];
    sqlite3_bind_blob(insert, 1, hash, KEY_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, key->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, role_name(key->role), -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 4, key->user_id);
    sqlite3_bind_int64(insert, 5, now);
    sqlite3_bind_int64(insert, 6, key->expires_at);
    sqlite3_bind_int64(insert, 7, key->caller_id);
    if (key->role == ROLE_VIEWER) /* else NULL */
        sqlite3_bind_text(insert, 8, key->filters, -1, SQLITE_STATIC);
    enum err err = db_run(db, insert, "adding an API key", fault);
    sqlite3_clear_bindings(insert);
    if (err)
        return err;
    key->id = sqlite3_last_insert_rowid(db->handle);
    key->caller_id = key->caller_id ? key->caller_id : key->id;
    key->created_at = now;
    return OK;
}

/* With caller_id 0 it is its own. */
static enum err add_key(struct db *db, struct api_key *key, int64_t now, char ret_text[KEY_TEXT_BYTES],
                        struct fault *fault)
{
    enum err err = check_new_key(key, now, fault);
    if (err)
        return err;
    char text[KEY_TEXT_BYTES];
    make_key_text(text);
    unsigned char hash[KEY_HASH_BYTES];
    hash_key_text(slice_of(text), hash);
    err = insert_key(db, key, hash, now, fault);
    if (!err)
        memcpy(ret_text, text, sizeof text);
    sodium_memzero(text, sizeof text);
    return err;
}

enum err key_store_add(struct key_store *store, struct api_key *key, int64_t now, char ret_text[KEY_TEXT_BYTES],
                       struct fault *fault)
{
    key->caller_id = 0;
    return add_key(&store->db, key, now, ret_text, fault);
}

/* ---- finding a key ---- */

static enum err select_by_hash(struct db *db, const unsigned char hash[KEY_HASH_BYTES], bool *ret_found,
                               struct api_key *ret_key, struct fault *fault)
{
    sqlite3_stmt *find = db->statements[SQL_FIND];
    sqlite3_bind_blob(find, 1, hash, KEY_HASH_BYTES, SQLITE_STATIC);
    bool row = false;
    enum err err = db_step(db, find, "looking up an API key", &row, fault);
    if (!err && row) {
        const void *stored = sqlite3_column_blob(find, COLUMN_HASH);
        row = stored && sqlite3_column_bytes(find, COLUMN_HASH) == KEY_HASH_BYTES &&
              sodium_memcmp(stored, hash, KEY_HASH_BYTES) == 0;
        read_key(find, ret_key);
    }
    sqlite3_reset(find); /* lets go of the lock on the file */
    sqlite3_clear_bindings(find);
    if (!err)
        *ret_found = row;
    return err;
}

/* A row that key_store_add would refuse is no key: with user id 0 it would see every user. */
static bool is_in_force(const struct api_key *key, int64_t now)
{
    return key->role != ROLE_NONE && user_id_suits_role(key) && key->revoked_at == 0 &&
           (key->expires_at == 0 || now < key->expires_at);
}

/* Failing is fine: the file may be read-only, or locked by another process that notes a use. */
static void note_use(struct db *db, const struct api_key *key, int64_t now)
{
    if (key->last_used_at > now - WHEN_HOUR)
        return;
    sqlite3_stmt *note = db->statements[SQL_NOTE_USE];
    sqlite3_bind_int64(note, 1, key->id);
    sqlite3_bind_int64(note, 2, now);
    sqlite3_busy_timeout(db->handle, KEY_NOTE_BUSY_MS);
    struct fault ignored;
    db_run(db, note, "noting the use of an API key", &ignored);
    sqlite3_busy_timeout(db->handle, KEY_BUSY_MS);
}

static enum err refuse(struct fault *fault)
{
    return fault_set(fault, ERR_UNAUTHORIZED, "the API key is not valid");
}

/* The search in the index is not in constant time, but it compares hashes, from which no part of a key follows. */
enum err key_store_find(struct key_store *store, struct slice text, int64_t now, struct api_key *ret_key,
                        struct fault *fault)
{
    if (text.len != KEY_TEXT_BYTES - 1)
        return refuse(fault);
    unsigned char hash[KEY_HASH_BYTES];
    hash_key_text(text, hash);
    bool found = false;
    struct api_key key;
    enum err err = select_by_hash(&store->db, hash, &found, &key, fault);
    if (err)
        return err;
    if (!found || !is_in_force(&key, now))
        return refuse(fault);
    note_use(&store->db, &key, now);
    *ret_key = key;
    return OK;
}

/* ---- adopting a key ---- */

static bool has_key_form(struct slice text)
{
    if (text.len != KEY_TEXT_BYTES - 1 || memcmp(text.data, KEY_PREFIX, KEY_PREFIX_BYTES) != 0)
        return false;
    for (size_t i = KEY_PREFIX_BYTES; i < text.len; i++)
        if (!strchr("0123456789abcdef", text.data[i]) || text.data[i] == '\0')
            return false;
    return true;
}

/* May a key that is already stored be used as the key that is asked for? */
static enum err check_known_key(const struct api_key *known, const struct api_key *wanted, int64_t now,
                                struct fault *fault)
{
    if (!is_in_force(known, now))
        return fault_set(fault, ERR_UNAUTHORIZED, "it is key %lld, which %s", (long long)known->id,
                         known->revoked_at ? "was revoked" : "has expired");
    if (known->role != wanted->role || known->user_id != wanted->user_id)
        return fault_set(fault, ERR_UNAUTHORIZED, "it is key %lld, of role %s", (long long)known->id,
                         role_name(known->role));
    return OK;
}

static enum err adopt(struct db *db, struct slice text, struct api_key *key, int64_t now, bool *ret_is_new,
                      struct fault *fault)
{
    unsigned char hash[KEY_HASH_BYTES];
    hash_key_text(text, hash);
    bool found = false;
    struct api_key known;
    enum err err = select_by_hash(db, hash, &found, &known, fault);
    if (!err)
        err = found ? check_known_key(&known, key, now, fault) : insert_key(db, key, hash, now, fault);
    if (err)
        return err;
    if (found)
        *key = known;
    *ret_is_new = !found;
    return OK;
}

enum err key_store_adopt(struct key_store *store, struct slice text, struct api_key *key, int64_t now, bool *ret_is_new,
                         struct fault *fault)
{
    enum err err = check_new_key(key, now, fault);
    if (err)
        return err;
    if (!has_key_form(text))
        return fault_set_parameter(fault, ERR_PARAMETER_INVALID, "key",
                                   "a key is " KEY_PREFIX " and 64 hex digits, 0 to 9 and a to f");
    key->caller_id = 0;
    err = db_begin(&store->db, fault);
    if (!err)
        err = adopt(&store->db, text, key, now, ret_is_new, fault);
    err = err ? err : db_commit(&store->db, fault);
    if (err)
        db_rollback(&store->db);
    return err;
}

/* ---- revoking ---- */

static enum err no_such_key(int64_t id, struct fault *fault)
{
    return fault_set(fault, ERR_NOT_FOUND, "there is no API key %lld", (long long)id);
}

enum err key_store_revoke(struct key_store *store, int64_t id, int64_t now, struct fault *fault)
{
    sqlite3_stmt *revoke = store->db.statements[SQL_REVOKE];
    sqlite3_bind_int64(revoke, 1, id);
    sqlite3_bind_int64(revoke, 2, now);
    enum err err = db_run(&store->db, revoke, "revoking an API key", fault);
    if (err)
        return err;
    return sqlite3_changes(store->db.handle) == 0 ? no_such_key(id, fault) : OK;
}

/* ---- rotating ---- */

static enum err read_by_id(struct db *db, int64_t id, struct api_key *ret_key, struct fault *fault)
{
    sqlite3_stmt *by_id = db->statements[SQL_BY_ID];
    sqlite3_bind_int64(by_id, 1, id);
    bool row = false;
    enum err err = db_step(db, by_id, "looking up an API key", &row, fault);
    if (!err && row)
        read_key(by_id, ret_key);
    sqlite3_reset(by_id);
    return err || row ? err : no_such_key(id, fault);
}

static enum err set_end(struct db *db, int64_t id, int64_t expires_at, int64_t revoked_at, struct fault *fault)
{
    sqlite3_stmt *end = db->statements[SQL_SET_END];
    sqlite3_bind_int64(end, 1, id);
    sqlite3_bind_int64(end, 2, expires_at);
    sqlite3_bind_int64(end, 3, revoked_at);
    return db_run(db, end, "ending an API key", fault);
}

enum err key_store_get(struct key_store *store, int64_t id, struct api_key *ret_key, struct fault *fault)
{
    return read_by_id(&store->db, id, ret_key, fault);
}

/* Never later than it would have ended. */
static enum err end_after_grace(struct db *db, const struct api_key *key, int64_t grace_seconds, int64_t now,
                                struct fault *fault)
{
    if (key->revoked_at != 0)
        return OK;
    if (grace_seconds == 0)
        return set_end(db, key->id, key->expires_at, now, fault);
    int64_t end = now + grace_seconds;
    bool sooner = key->expires_at != 0 && key->expires_at <= end;
    return sooner ? OK : set_end(db, key->id, end, 0, fault);
}

/* When the newest key of a line ends. Older ones end with their grace period, which nobody wanted for the new key. */
static enum err read_end_of_line(struct db *db, int64_t caller_id, int64_t *ret_end, struct fault *fault)
{
    sqlite3_stmt *end = db->statements[SQL_LINE_END];
    sqlite3_bind_int64(end, 1, caller_id);
    bool row = false;
    enum err err = db_step(db, end, "looking up an API key", &row, fault);
    if (!err && row)
        *ret_end = sqlite3_column_int64(end, 0);
    sqlite3_reset(end);
    return err;
}

/* The role and the user are the old key's, checked again: see is_in_force. */
static enum err rotate(struct db *db, int64_t expires_at, int64_t grace_seconds, int64_t now, struct api_key *before,
                       struct api_key *key, char ret_text[KEY_TEXT_BYTES], struct fault *fault)
{
    enum err err = read_by_id(db, before->id, before, fault);
    if (err)
        return err;
    *key = *before;
    if (expires_at >= 0)
        key->expires_at = expires_at;
    else
        err = read_end_of_line(db, before->caller_id, &key->expires_at, fault);
    if (err)
        return err;
    key->revoked_at = key->last_used_at = 0;
    err = add_key(db, key, now, ret_text, fault);
    return err ? err : end_after_grace(db, before, grace_seconds, now, fault);
}

enum err key_store_rotate(struct key_store *store, int64_t id, int64_t expires_at, int64_t grace_seconds, int64_t now,
                          struct api_key *ret_before, struct api_key *ret_key, char ret_text[KEY_TEXT_BYTES],
                          struct fault *fault)
{
    struct api_key before = {.id = id}, key;
    char text[KEY_TEXT_BYTES];
    enum err err = db_begin(&store->db, fault);
    if (!err)
        err = rotate(&store->db, expires_at, grace_seconds, now, &before, &key, text, fault);
    err = err ? err : db_commit(&store->db, fault);
    if (err) {
        db_rollback(&store->db);
    } else {
        *ret_before = before;
        *ret_key = key;
        memcpy(ret_text, text, sizeof text);
    }
    sodium_memzero(text, sizeof text);
    return err;
}

enum err key_store_unrotate(struct key_store *store, const struct api_key *before, int64_t new_id, int64_t now,
                            struct fault *fault)
{
    enum err err = db_begin(&store->db, fault);
    if (!err)
        err = key_store_revoke(store, new_id, now, fault);
    if (!err)
        err = set_end(&store->db, before->id, before->expires_at, before->revoked_at, fault);
    err = err ? err : db_commit(&store->db, fault);
    if (err)
        db_rollback(&store->db);
    return err;
}

/* ---- listing ---- */

enum err key_store_list(struct key_store *store, enum err (*each)(void *ctx, const struct api_key *key), void *ctx,
                        struct fault *fault)
{
    sqlite3_stmt *all = store->db.statements[SQL_ALL];
    bool row = false;
    enum err err = db_step(&store->db, all, "listing the API keys", &row, fault);
    while (!err && row) {
        struct api_key key;
        read_key(all, &key);
        err = each(ctx, &key);
        if (err)
            fault_set(fault, err, "the list of API keys was not read to its end");
        else
            err = db_step(&store->db, all, "listing the API keys", &row, fault);
    }
    sqlite3_reset(all);
    return err;
}
