/* auth.c: whose key is this? For reads in the request itself; for batches by answering nginx's auth_request. Knows keys
 * and what they stand for. Sees the key, so it logs nothing and answers nothing with it. */
#include "endpoint/auth.h"

#include "http/access.h"
#include "endpoint/endpoints.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static enum err find_key(struct service *service, const struct request *request, struct api_key *ret_key,
                         struct fault *fault)
{
    if (request->api_key[0] == '\0')
        return fault_set(fault, ERR_UNAUTHORIZED, "no API key was given");
    struct key_store *keys = NULL;
    enum err err = service_take_keys(service, &keys, fault);
    if (!err)
        err = key_store_find(keys, slice_of(request->api_key), request->now_ms / 1000, ret_key, fault);
    service_give_keys(service, err);
    return err;
}

/* By the first key of its line: a batch that was sent with a key and is sent again with the one that took its place
 * must be known. */
static void name_caller(const struct api_key *key, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "key:%lld", (long long)key->caller_id);
}

enum err auth_identify(struct service *service, struct request *request, struct fault *fault)
{
    if (request->role != ROLE_NONE || request->api_key[0] == '\0')
        return OK;
    struct api_key key;
    enum err err = find_key(service, request, &key, fault);
    if (err)
        return err;
    name_caller(&key, request->key_caller, sizeof request->key_caller);
    request->caller = request->key_caller;
    request->role = key.role;
    request->user_id = key.user_id;
    memcpy(request->key_filters, key.filters, sizeof key.filters);
    return OK;
}

/* The headers that nginx passes on as FastCGI parameters. */
static void put_identity(struct response *response, const struct api_key *key)
{
    response->status = 204;
    response_header(response, "Cache-Control", "no-store");
    response_header(response, "X-Analytics-Role", role_name(key->role));
    char caller[HTTP_KEY_CALLER_BYTES];
    name_caller(key, caller, sizeof caller);
    response_header(response, "X-Analytics-Caller", caller);
}

enum err auth_check(struct service *service, const struct request *request, const struct params *params,
                    struct response *response, struct fault *fault)
{
    struct api_key key = {0};
    enum err err = find_key(service, request, &key, fault);
    (void)params;
    if (err)
        return err;
    if (!access_allows(key.role, RIGHT_INGEST))
        return fault_set(fault, ERR_FORBIDDEN, "key %lld has the role %s, which may not %s", (long long)key.id,
                         role_name(key.role), access_what(RIGHT_INGEST));
    put_identity(response, &key);
    return OK;
}
