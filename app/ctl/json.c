/* json.c: what --json prints. The only file of the commands that calls json-c's constructors. */
#include "ctl/json.h"

#include "ctl/ctl.h"
#include "ctl/text.h"
#include "time/when.h"

#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>

#include "base/banned.h"

/* Something that a result should hold could not be made. */
static bool failed;

/* `value` belongs to the object from now on. */
static struct json_object *add(struct json_object *object, const char *name, struct json_object *value)
{
    if (value && json_object_object_add(object, name, value) == 0)
        return value;
    json_object_put(value);
    failed = true;
    return NULL;
}

static struct json_object *push(struct json_object *array, struct json_object *value)
{
    if (value && json_object_array_add(array, value) == 0)
        return value;
    json_object_put(value);
    failed = true;
    return NULL;
}

struct json_object *ctl_json_new(void)
{
    struct json_object *object = json_object_new_object();
    failed = !object;
    return object;
}

void ctl_json_drop(struct json_object *result)
{
    json_object_put(result);
}

struct json_object *ctl_json_object(struct json_object *object, const char *name)
{
    return add(object, name, json_object_new_object());
}

struct json_object *ctl_json_array(struct json_object *object, const char *name)
{
    return add(object, name, json_object_new_array());
}

struct json_object *ctl_json_item(struct json_object *array)
{
    return push(array, json_object_new_object());
}

void ctl_json_number(struct json_object *object, const char *name, int64_t value)
{
    add(object, name, json_object_new_int64(value));
}

void ctl_json_count(struct json_object *object, const char *name, int64_t count)
{
    if (count < 0)
        ctl_json_null(object, name);
    else
        ctl_json_number(object, name, count);
}

void ctl_json_text(struct json_object *object, const char *name, const char *text)
{
    add(object, name, json_object_new_string(text));
}

void ctl_json_bool(struct json_object *object, const char *name, bool value)
{
    add(object, name, json_object_new_boolean(value));
}

static void add_time(struct json_object *object, const char *name, bool is_time, int64_t seconds)
{
    if (!is_time) {
        ctl_json_null(object, name);
        return;
    }
    char text[WHEN_TEXT_BYTES];
    when_format(seconds, text);
    ctl_json_text(object, name, text);
}

void ctl_json_time(struct json_object *object, const char *name, int64_t seconds)
{
    add_time(object, name, ctl_is_time(seconds), seconds);
}

void ctl_json_log_time(struct json_object *object, const char *name, int64_t seconds)
{
    add_time(object, name, seconds == 0 || ctl_is_time(seconds), seconds);
}

/* json-c's null is NULL, which nothing can tell from a failure: so this does not go by add(). */
void ctl_json_null(struct json_object *object, const char *name)
{
    if (!object || json_object_object_add(object, name, NULL) != 0)
        failed = true;
}

void ctl_json_push(struct json_object *array, int64_t value)
{
    push(array, json_object_new_int64(value));
}

int ctl_say_json(struct json_object *result)
{
    const char *text =
        failed ? NULL : json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    int status = CTL_OK;
    if (text)
        ctl_say("%s", text);
    else
        status = ctl_fail("out of memory");
    json_object_put(result);
    return status;
}
