/* keys.h: API keys of the bundled authentication, in keys.db. The key's text exists only when it is made. */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "base/err.h"
#include "base/limit.h"
#include "base/text.h"
#include "keys/role.h"

#include <stdbool.h>
#include <stdint.h>

#define KEY_TEXT_BYTES 69 /* "fnp_" + 64 hex digits + NUL */

struct api_key {
    int64_t id;
    int64_t caller_id; /* whose idempotency keys it uses: the first key of its line, itself unless it was rotated */
    enum role role;
    int64_t user_id; /* 0 unless role is ROLE_USER */
    char name[LIMIT_KEY_NAME_BYTES + 1];
    char filters[LIMIT_KEY_FILTERS_BYTES + 1]; /* of ROLE_VIEWER: what its reports are bound to, as a query string */
    int64_t created_at;                        /* Unix seconds */
    int64_t expires_at;                        /* 0: never */
    int64_t revoked_at;                        /* 0: not */
    int64_t last_used_at;                      /* 0: never */
};

struct key_store; /* opaque; one thread's */

/* Opens DIR/keys.db; `create` makes it when missing and brings its schema up to date. */
enum err key_store_open(const char *data_dir, bool create, struct key_store **ret_store, struct fault *fault);
void key_store_close(struct key_store *store);

/* Is the open file no longer DIR/keys.db, because a restore put another one in its place? Costs a stat(). */
bool key_store_has_moved(struct key_store *store);

/* Makes a key: role, user_id, name, filters and expires_at are taken from *key; id, caller_id and created_at are filled
 * in. The key's text goes to `ret_text` and nowhere else. Name must be UTF-8 without control characters, 1 …
 * LIMIT_KEY_NAME_BYTES bytes.
 */
enum err key_store_add(struct key_store *store, struct api_key *key, int64_t now, char ret_text[KEY_TEXT_BYTES],
                       struct fault *fault);

/* Stores a key whose text somebody else made, "fnp_" and 64 hex digits; *key as for key_store_add. If it is stored
 * already, is in force, and has that role and user, *key becomes that key and *ret_is_new is false. ERR_UNAUTHORIZED
 * when it is stored and revoked, expired or for something else: nothing brings it back. */
enum err key_store_adopt(struct key_store *store, struct slice text, struct api_key *key, int64_t now, bool *ret_is_new,
                         struct fault *fault);

/* Whose key is `text`, and is it good at `now`? OK and *ret_key, or ERR_UNAUTHORIZED (unknown, malformed, expired,
 * revoked: the caller is not told which). Compares in constant time. Notes the use when the noted one is over an hour
 * old; when that can't be written now (busy, read-only) the answer is the same. */
enum err key_store_find(struct key_store *store, struct slice text, int64_t now, struct api_key *ret_key,
                        struct fault *fault);

/* ERR_NOT_FOUND when there is no such key. */
enum err key_store_get(struct key_store *store, int64_t id, struct api_key *ret_key, struct fault *fault);

/* In force at once. ERR_NOT_FOUND when there is no such key; revoking twice is fine and keeps the first time. */
enum err key_store_revoke(struct key_store *store, int64_t id, int64_t now, struct fault *fault);

/* Replaces key `id` by a new one, in one transaction. The new key has the same role, user, filters, name and caller, so
 * that a batch sent with the old key and again with the new one counts once. It is good until `expires_at` (0: for
 * ever); when that is negative, until the newest key of its line ends. The old key ends `grace_seconds` from now, if
 * not sooner; with 0 it is revoked. *ret_before is the old key as it was, *ret_key the new one. ERR_NOT_FOUND when
 * there is no such key. */
enum err key_store_rotate(struct key_store *store, int64_t id, int64_t expires_at, int64_t grace_seconds, int64_t now,
                          struct api_key *ret_before, struct api_key *ret_key, char ret_text[KEY_TEXT_BYTES],
                          struct fault *fault);

/* Undoes a rotation whose new key nobody has seen: revokes the new key, and the old one ends when it would have
 * ended. */
enum err key_store_unrotate(struct key_store *store, const struct api_key *before, int64_t new_id, int64_t now,
                            struct fault *fault);

/* Calls `each` for every key, by id. `each` returns OK to go on. */
enum err key_store_list(struct key_store *store, enum err (*each)(void *ctx, const struct api_key *key), void *ctx,
                        struct fault *fault);

#endif
