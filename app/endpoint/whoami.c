/* whoami.c: GET /analytics/whoami: what the service takes the caller for, so that no client has to guess it from what
 * it is shown. Knows keys and roles. Knows no report. */
#include "endpoint/endpoints.h"

#include "http/access.h"

#include "base/banned.h"

/* NULL: the web server says who it is. */
static void put_key(struct json_out *out, const struct api_key *key)
{
    json_out_name(out, "key");
    if (!key) {
        json_out_null(out);
        return;
    }
    json_out_begin_object(out);
    json_out_name(out, "id");
    json_out_number(out, key->id);
    json_out_name(out, "name");
    json_out_cstr(out, key->name);
    json_out_name(out, "expires");
    if (key->expires_at)
        json_out_time(out, key->expires_at);
    else
        json_out_null(out);
    json_out_end_object(out);
}

/* What a report of the caller may be filtered and broken down by, as `by` names it. */
static void put_dimensions(struct json_out *out, const struct service *service, enum role role)
{
    json_out_name(out, "dimensions");
    json_out_begin_array(out);
    for (enum dimension by = 0; by < DIMENSIONS; by++)
        if (access_to_dimension(role, service->users_see_network, by))
            json_out_cstr(out, dimensions[by].name);
    json_out_end_array(out);
}

static void put_identity(struct response *response, const struct service *service, const struct request *request,
                         const struct api_key *key)
{
    struct json_out out;
    response->content_type = "application/json";
    response_header(response, "Cache-Control", "no-store");
    json_out_init(&out, &response->body);
    json_out_begin_object(&out);
    json_out_name(&out, "role");
    json_out_cstr(&out, role_name(request->role));
    json_out_name(&out, "user_id");
    if (request->role == ROLE_USER)
        json_out_number(&out, request->user_id);
    else
        json_out_null(&out);
    put_key(&out, key);
    json_out_name(&out, "filters");
    if (request->role == ROLE_VIEWER)
        json_out_cstr(&out, request->key_filters);
    else
        json_out_null(&out);
    put_dimensions(&out, service, request->role);
    json_out_end_object(&out);
}

enum err whoami_get(struct service *service, const struct request *request, const struct params *params,
                    struct response *response, struct fault *fault)
{
    bool has_key = request->caller == request->key_caller; /* else the web server says who it is */
    struct key_store *keys = NULL;
    struct api_key key;
    (void)params;
    if (!has_key) {
        put_identity(response, service, request, NULL);
        return OK;
    }
    enum err err = service_take_keys(service, &keys, fault);
    if (!err)
        err = key_store_find(keys, slice_of(request->api_key), request->now_ms / 1000, &key, fault);
    service_give_keys(service, err);
    if (!err)
        put_identity(response, service, request, &key);
    return err;
}
