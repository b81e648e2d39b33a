/* json.h: what --json prints. Wraps json-c, whose containers own what is put into them and whose constructors answer
 * NULL without memory: here every object and array is borrowed from the result that it is in, and what could not be
 * made is remembered until the result is printed. */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* A result: an object, to be handed to ctl_say_json, or to ctl_json_drop where there is nothing to say. NULL may be
 * dropped. */
struct json_object *ctl_json_new(void);
void ctl_json_drop(struct json_object *result);

/* A member that is an object, or an array; and an object at an array's end. */
struct json_object *ctl_json_object(struct json_object *object, const char *name);
struct json_object *ctl_json_array(struct json_object *object, const char *name);
struct json_object *ctl_json_item(struct json_object *array);

/* Members. A time is null where there is none (0); so is a count below 0. */
void ctl_json_number(struct json_object *object, const char *name, int64_t value);
void ctl_json_count(struct json_object *object, const char *name, int64_t count);
void ctl_json_text(struct json_object *object, const char *name, const char *text);
void ctl_json_bool(struct json_object *object, const char *name, bool value);
void ctl_json_time(struct json_object *object, const char *name, int64_t seconds);
void ctl_json_log_time(struct json_object *object, const char *name, int64_t seconds); /* null: below 0 */
void ctl_json_null(struct json_object *object, const char *name);

/* A number at an array's end. */
void ctl_json_push(struct json_object *array, int64_t value);

/* Prints the result as one line, and releases it. Returns CTL_OK, or CTL_FAILED when memory was short. */
int ctl_say_json(struct json_object *result);

#endif
