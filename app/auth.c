/* auth.c: answers nginx's auth_request: whose key is this, and may it do what is asked? Knows keys and rights. Sees the
 * key, so it logs nothing and answers nothing with it. */
#include "endpoints.h"

#include "access.h"

#include <stdio.h>
#include <string.h>

#include "banned.h"

static bool right_parse(const char *need, enum right *ret_right)
{
    if (strcmp(need, "read") == 0) {
        *ret_right = RIGHT_READ;
        return true;
    }
    if (strcmp(need, "ingest") == 0) {
        *ret_right = RIGHT_INGEST;
        return true;
    }
    return false;
}

static enum err find_key(struct service *service, const struct request *request, struct api_key *ret_key,
                         struct fault *fault)
{
    struct key_store *keys = NULL;
    enum err err;

    if (request->api_key[0] == '\0')
        return fault_set(fault, ERR_UNAUTHORIZED, "no API key was given");
    err = service_take_keys(service, &keys, fault);
    if (err == OK)
        err = key_store_find(keys, slice_of(request->api_key), request->now_ms / 1000, ret_key, fault);
    service_give_keys(service, err);
    return err;
}

/* What nginx hands on as FastCGI parameters. */
static void put_identity(struct response *response, const struct api_key *key)
{
    char text[32];

    response->status = 204;
    response_header(response, "Cache-Control", "no-store");
    response_header(response, "X-Analytics-Role", role_name(key->role));
    if (key->role == ROLE_USER) {
        (void)snprintf(text, sizeof text, "%lld", (long long)key->user_id);
        response_header(response, "X-Analytics-User-Id", text);
    }
    (void)snprintf(text, sizeof text, "key:%lld", (long long)key->id);
    response_header(response, "X-Analytics-Caller", text);
}

ENDPOINT(auth_check)
{
    struct api_key key = {0};
    enum right right;
    enum err err = find_key(service, request, &key, fault);

    (void)params;
    if (err != OK)
        return err;
    if (!right_parse(request->need, &right) || !access_allows(key.role, right))
        return fault_set(fault, ERR_FORBIDDEN, "the role of key %lld does not allow that", (long long)key.id);
    put_identity(response, &key);
    return OK;
}
