/* health.c: can this program do its work? Knows reader and writer, and what may be told without authentication. */
#include "endpoint/endpoints.h"

#include "service/writer.h"

#include <stdio.h>

#include "base/banned.h"

struct health {
    struct service *service;
    enum err read;
    enum err write;
    int schema_version;
};

static enum err check_read(struct service *service, int *ret_schema_version, struct fault *fault)
{
    struct store_reader *reader = NULL;
    enum err err = service_take_reader(service, &reader, fault);
    if (!err)
        err = store_reader_health(reader, ret_schema_version, fault);
    service_give_reader(service, err);
    return err;
}

static const char *trouble(const struct health *health)
{
    if (health->read && health->write)
        return "the database can be neither read nor written";
    return health->read ? "the database can't be read" : "the database can't be written";
}

static void put_detail(struct json_out *out, const void *ctx)
{
    json_out_name(out, "detail");
    json_out_cstr(out, trouble(ctx));
}

static void put_ok(struct response *response, const struct health *health)
{
    response->content_type = "application/json";
    response_header(response, "Cache-Control", "no-store");
    struct json_out out;
    json_out_init(&out, &response->body);
    json_out_begin_object(&out);
    json_out_name(&out, "status");
    json_out_cstr(&out, "ok");
    json_out_name(&out, "read");
    json_out_bool(&out, true);
    if (health->service->writer) {
        json_out_name(&out, "write");
        json_out_bool(&out, true);
    }
    json_out_name(&out, "schema_version");
    json_out_number(&out, health->schema_version);
    json_out_end_object(&out);
}

/* The client learns which of the two is in trouble; the log, the first reason. */
enum err health_get(struct service *service, const struct request *request, const struct params *params,
                    struct response *response, struct fault *fault)
{
    struct health health = {.service = service};
    (void)params;
    health.read = check_read(service, &health.schema_version, fault);
    struct fault write_fault = {0};
    if (service->writer)
        health.write = writer_health(service->writer, &write_fault);
    if (!health.read && !health.write) {
        put_ok(response, &health);
        return OK;
    }
    if (!health.read)
        *fault = write_fault;
    fault->err = ERR_UNAVAILABLE;
    response_error_with(response, request, fault, put_detail, &health);
    return OK;
}
