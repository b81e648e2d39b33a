/* share.c: POST /analytics/shares: an admin makes a key that only reads, only within filters, and only for a while.
 * Knows parameters and keys. Knows no report. Logs nothing: the answer is the only place where the key's text stands.
 */
#include "endpoint/endpoints.h"

#include "http/pairs.h"
#include "time/when.h"

#include <string.h>

#include "base/banned.h"

static const struct param_set share_params = {
    .takes = {[PARAM_NAME] = true, [PARAM_EXPIRES] = true PARAM_TAKE_FILTERS}};

/* The filters as they were written, to be part of every question with the key. Other parameters are ignored, as
 * everywhere. But an encoded name would pass for a filter when it is read, and then be missing here. */
static enum err keep_filters(const char *query, char ret_filters[LIMIT_KEY_FILTERS_BYTES + 1], struct fault *fault)
{
    while (*query) {
        struct slice pair = pairs_next(&query), name = pairs_name(pair);
        if (memchr(name.data, '%', name.len))
            return fault_set(fault, ERR_QUERY_INVALID, "the names of parameters must not be encoded here");
        if (params_is_filter(name) && !pairs_add(ret_filters, LIMIT_KEY_FILTERS_BYTES + 1, pair))
            return fault_set(fault, ERR_QUERY_INVALID, "the filters of a key must have at most %u bytes",
                             LIMIT_KEY_FILTERS_BYTES);
    }
    return OK;
}

static enum err read_share(const char *query, struct api_key *key, struct fault *fault)
{
    struct params params;
    enum err err = params_parse(query, &share_params, &params, fault);
    if (!err)
        err = keep_filters(query, key->filters, fault);
    if (err)
        return err;
    key->expires_at = params.expires.seconds + (params.expires.date_only ? WHEN_DAY : 0);
    memcpy(key->name, params.name, sizeof key->name);
    return OK;
}

static void put_share(struct response *response, const struct api_key *key, const char *text)
{
    struct json_out out;
    response->content_type = "application/json";
    response_header(response, "Cache-Control", "no-store");
    json_out_init(&out, &response->body);
    json_out_begin_object(&out);
    json_out_name(&out, "id");
    json_out_number(&out, key->id);
    json_out_name(&out, "key");
    json_out_cstr(&out, text);
    json_out_name(&out, "name");
    json_out_cstr(&out, key->name);
    json_out_name(&out, "expires");
    json_out_time(&out, key->expires_at);
    json_out_name(&out, "filters");
    json_out_cstr(&out, key->filters);
    json_out_end_object(&out);
}

/* A caller without a key is known to the web server alone, and so would be whoever brings a new key. */
enum err share_post(struct service *service, const struct request *request, const struct params *params,
                    struct response *response, struct fault *fault)
{
    struct api_key key = {.role = ROLE_VIEWER};
    struct key_store *keys = NULL;
    char text[KEY_TEXT_BYTES];
    (void)params;
    if (request->caller != request->key_caller)
        return fault_set(fault, ERR_FORBIDDEN, "the web server says who is asking: there are no API keys here");
    enum err err = read_share(request->query_string, &key, fault);
    if (err)
        return err;
    err = service_take_keys(service, &keys, fault);
    if (!err)
        err = key_store_add(keys, &key, request->now_ms / 1000, text, fault);
    service_give_keys(service, err);
    if (!err)
        put_share(response, &key, text);
    explicit_bzero(text, sizeof text);
    return err;
}
