/* etag.c: entity tags of reports, and the header that asks with them. Knows what an answer depends on: the program, the
 * question, who asks, the zone's clocks, what is stored. Knows no SQL and no report. */
#include "config.h"

#include "http/etag.h"

#include <sodium.h>
#include <string.h>

#include "base/banned.h"

#define TAG_BYTES crypto_generichash_BYTES_MIN
_Static_assert(ETAG_BYTES == 2 * TAG_BYTES + 3, "hex digits, two quotes, a NUL");

/* With its NUL, which separates it from the next: no text has one inside. */
static void add_text(crypto_generichash_state *hash, const char *text)
{
    crypto_generichash_update(hash, (const unsigned char *)text, strlen(text) + 1);
}

static void add_numbers(crypto_generichash_state *hash, const int64_t *numbers, size_t count)
{
    crypto_generichash_update(hash, (const unsigned char *)numbers, count * sizeof *numbers);
}

/* All that its clocks do, so that new rules give new tags. */
static void add_zone(crypto_generichash_state *hash, const struct zone *zone)
{
    const struct zone_rule *rule = &zone->rule;
    const struct zone_day *begin = &rule->begin, *end = &rule->end;
    const int64_t numbers[] = {
        (int64_t)zone->count, rule->is_there, rule->after,   rule->standard, rule->summer, begin->form, begin->month,
        begin->week,          begin->day,     begin->second, end->form,      end->month,   end->week,   end->day,
        end->second};
    add_numbers(hash, numbers, sizeof numbers / sizeof *numbers);
    for (size_t i = 0; i < zone->count; i++)
        add_numbers(hash, (const int64_t[]){zone->shifts[i].at, zone->shifts[i].offset}, 2);
}

/* The question goes in as it was asked: a new parameter can't be forgotten here, and who asks in other words has
 * another tag for the same answer, which is no harm. */
void etag_make(const struct request *request, const struct params *params, const struct store_state *state,
               char ret_etag[ETAG_BYTES])
{
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, TAG_BYTES);
    add_text(&hash, PACKAGE_VERSION);
    add_text(&hash, request->route);
    add_text(&hash, request->query_string);
    add_text(&hash, request->accept);
    add_numbers(&hash, &params->filter.user_id, 1);
    crypto_generichash_update(&hash, state->bytes, sizeof state->bytes);
    if (params->filter.zone)
        add_zone(&hash, params->filter.zone);
    unsigned char bytes[TAG_BYTES];
    crypto_generichash_final(&hash, bytes, sizeof bytes);
    ret_etag[0] = '"';
    text_hex(bytes, sizeof bytes, ret_etag + 1);
    memcpy(ret_etag + 1 + 2 * sizeof bytes, "\"", 2);
}

static const char *skip(const char *at, const char *these)
{
    return at + strspn(at, these);
}

/* The end of the opaque tag that begins at `at`, or NULL when none does. */
static const char *tag_end(const char *at)
{
    if (*at != '"')
        return NULL;
    for (at++; *at != '"'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c <= ' ' || c == 0x7f)
            return NULL;
    }
    return at + 1;
}

bool etag_matches(const char *if_none_match, const char *etag)
{
    const char *at = skip(if_none_match ? if_none_match : "", " \t");
    if (*at == '*')
        return *skip(at + 1, " \t") == '\0';
    for (at = skip(at, " \t,"); *at != '\0'; at = skip(at, " \t,")) {
        const char *tag = strncmp(at, "W/", 2) == 0 ? at + 2 : at;
        const char *end = tag_end(tag);
        if (!end || (*skip(end, " \t") != ',' && *skip(end, " \t") != '\0'))
            return false;
        if (slice_equals((struct slice){tag, (size_t)(end - tag)}, etag))
            return true;
        at = end;
    }
    return false;
}
