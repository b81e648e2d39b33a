/* import_key.c: analyticsctl-import-2:ACTION:FLAGS:BEGINS:ENDS:BASE:SOURCE. What of the source is no letter, digit,
 * dot, underscore or hyphen is written as % and two hexadecimal digits. */
#include "log/import_key.h"

#include "base/limit.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define PREFIX "analyticsctl-import-2"
#define FIELDS 7
#define NUMBER_MAX INT64_C(99999999999) /* of a time, and of a count */
#define NUMBER_CHARS 11
_Static_assert(sizeof PREFIX + sizeof "refuse:rmp:" + 3 * (NUMBER_CHARS + 1) + 3 * IMPORT_SOURCE_BYTES <=
                   IMPORT_BATCH_KEY_BYTES,
               "a key has room");
_Static_assert(IMPORT_BATCH_KEY_BYTES == LIMIT_IDEMPOTENCY_KEY_BYTES + 1, "as long as keys may be");

/* Rows in the order of enum import_overlap. */
static const char *const actions[] = {[IMPORT_REFUSE] = "refuse", [IMPORT_SKIP] = "skip", [IMPORT_COUNT] = "count"};
#define ACTIONS (sizeof actions / sizeof *actions)
#define CHECK "check"

int import_edges(const struct import_batch *batch, int64_t second)
{
    return (second <= batch->begins_until ? IMPORT_BEGINS : 0) | (second >= batch->ends_from ? IMPORT_ENDS : 0);
}

/* ---- to text ---- */

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static void put_source(const char *source, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (; *source; source++) {
        unsigned char c = (unsigned char)*source;
        if (is_plain(c)) {
            *ret_text++ = *source;
            continue;
        }
        *ret_text++ = '%';
        *ret_text++ = digits[c >> 4];
        *ret_text++ = digits[c & 15];
    }
    *ret_text = '\0';
}

void import_batch_format(const struct import_batch *batch, char ret_key[IMPORT_BATCH_KEY_BYTES])
{
    char source[3 * IMPORT_SOURCE_BYTES + 1];
    put_source(batch->source, source);
    snprintf(ret_key, IMPORT_BATCH_KEY_BYTES, PREFIX ":%s:%s%s%s:%lld:%lld:%lld:%s",
             batch->check ? CHECK : actions[batch->overlap], batch->repeats ? "r" : "", batch->mixed ? "m" : "",
             batch->is_part ? "p" : "", (long long)batch->begins_until, (long long)batch->ends_from,
             (long long)batch->base, source);
}

/* ---- from text ---- */

/* The text up to the next colon, which *at passes; the last field takes what is left. */
static struct slice next_field(struct slice *at, bool is_last)
{
    const char *colon = is_last ? NULL : memchr(at->data, ':', at->len);
    struct slice field = {at->data, colon ? (size_t)(colon - at->data) : at->len};
    size_t used = field.len + (colon != NULL);
    *at = (struct slice){at->data + used, at->len - used};
    return field;
}

static bool parse_action(struct slice text, struct import_batch *batch)
{
    batch->check = slice_equals(text, CHECK);
    batch->overlap = IMPORT_REFUSE;
    for (size_t i = 0; i < ACTIONS && !batch->check; i++)
        if (slice_equals(text, actions[i])) {
            batch->overlap = (enum import_overlap)i;
            return true;
        }
    return batch->check;
}

static void parse_flags(struct slice text, struct import_batch *batch)
{
    batch->repeats = memchr(text.data, 'r', text.len) != NULL;
    batch->mixed = memchr(text.data, 'm', text.len) != NULL;
    batch->is_part = memchr(text.data, 'p', text.len) != NULL;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_source(struct slice text, struct import_batch *batch)
{
    char name[IMPORT_SOURCE_BYTES + 1];
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (len == IMPORT_SOURCE_BYTES)
            return false;
        name[len] = text.data[i];
        if (text.data[i] == '%') {
            int high = i + 2 < text.len ? digit_of(text.data[i + 1]) : -1;
            int low = high >= 0 ? digit_of(text.data[i + 2]) : -1;
            if (low < 0)
                return false;
            name[len] = (char)(high << 4 | low);
            i += 2;
        }
        len++;
    }
    return import_source_parse((struct slice){name, len}, batch->source);
}

bool import_source_parse(struct slice name, char ret_source[IMPORT_SOURCE_BYTES + 1])
{
    if (name.len > IMPORT_SOURCE_BYTES || text_has_control(name.data, name.len) || !text_is_utf8(name.data, name.len))
        return false;
    memcpy(ret_source, name.data, name.len);
    ret_source[name.len] = '\0';
    return true;
}

bool import_batch_parse(struct slice key, struct import_batch *ret_batch)
{
    struct import_batch batch = {.check = false};
    struct slice field[FIELDS], at = key;
    char again[IMPORT_BATCH_KEY_BYTES];
    for (int i = 0; i < FIELDS; i++)
        field[i] = next_field(&at, i == FIELDS - 1);
    if (!slice_equals(field[0], PREFIX) || !parse_action(field[1], &batch) ||
        !text_to_i64(field[3], -NUMBER_MAX, NUMBER_MAX, &batch.begins_until) ||
        !text_to_i64(field[4], -NUMBER_MAX, NUMBER_MAX, &batch.ends_from) ||
        !text_to_i64(field[5], 0, NUMBER_MAX, &batch.base) || !parse_source(field[6], &batch))
        return false;
    parse_flags(field[2], &batch);
    import_batch_format(&batch, again); /* in one way only */
    if (!slice_equals(key, again))
        return false;
    *ret_batch = batch;
    return true;
}
