/* answer.c: what the service says when it refuses. Knows the members of an error body. */
#include "ctl/answer.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/banned.h"

/* The member's text; NULL where it is none. Borrowed. */
static const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;
    if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, name, &member) ||
        !json_object_is_type(member, json_type_string))
        return NULL;
    return json_object_get_string(member);
}

/* The first of the refused logs: {"index": 3, "field": "ts", "message": "…"}. */
static void read_first(struct json_object *body, struct answer *answer)
{
    struct json_object *errors = NULL, *index = NULL;
    if (!json_object_object_get_ex(body, "errors", &errors) || !json_object_is_type(errors, json_type_array))
        return;
    struct json_object *first = json_object_array_get_idx(errors, 0);
    const char *field = text_of(first, "field"), *message = text_of(first, "message");
    if (!field || !message || !json_object_object_get_ex(first, "index", &index))
        return;
    answer->index = json_object_get_int64(index);
    snprintf(answer->field, sizeof answer->field, "%s", field);
    snprintf(answer->words, sizeof answer->words, "%s", message);
}

static void read_error(struct json_object *body, struct answer *answer)
{
    const char *detail = text_of(body, "detail"), *message = text_of(body, "message");
    if (detail || message)
        snprintf(answer->words, sizeof answer->words, "%s", detail ? detail : message);
    read_first(body, answer);
}

void answer_read(struct buf *body, struct answer *ret_answer)
{
    const char *text = buf_cstr(body);
    *ret_answer = (struct answer){.index = -1};
    snprintf(ret_answer->words, sizeof ret_answer->words, "%.200s", text ? text : "");
    struct json_object *object = text ? json_tokener_parse(text) : NULL;
    if (json_object_is_type(object, json_type_object))
        read_error(object, ret_answer);
    json_object_put(object);
}
