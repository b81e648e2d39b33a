/* body_expect.c: the second opinion on a body: accepted or not, and every value. Written from docs/api.md and from
 * tests/unit/test_json_logs.c. Uses the product's own code for times only, which fuzz_when.c tests. */
#include "body.h"

#include "fuzz.h"
#include "rfc8259.h"
#include "time/when.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <json-c/json.h>

#define DEPTH 32
#define LOG_BYTES 65536

enum kind { NUMBER, TIME, DOMAIN, TEXT, ADDRESS };

static const struct member {
    const char *name;
    enum kind kind;
    bool required;
    int64_t min;
    int64_t max; /* of a number; of a text its bytes */
    size_t offset;
} members[] = {
    {"ts", TIME, true, 0, 0, offsetof(struct log_record, ts)},
    {"user_id", NUMBER, true, 1, 9007199254740991, offsetof(struct log_record, user_id)},
    {"order_id", NUMBER, true, 1, 9007199254740991, offsetof(struct log_record, order_id)},
    {"port", NUMBER, false, 0, 65535, offsetof(struct log_record, port)},
    {"protocol", TEXT, false, 0, 32, offsetof(struct log_record, name[NAME_PROTOCOL])},
    {"ip_out", ADDRESS, false, 0, 0, offsetof(struct log_record, ip_out)},
    {"ip_from", ADDRESS, false, 0, 0, offsetof(struct log_record, ip_from)},
    {"peer_id", TEXT, false, 0, 128, offsetof(struct log_record, name[NAME_PEER])},
    {"worker", TEXT, false, 0, 128, offsetof(struct log_record, name[NAME_WORKER])},
    {"domain", DOMAIN, true, 0, 253, offsetof(struct log_record, name[NAME_DOMAIN])},
    {"error", TEXT, false, 0, 256, offsetof(struct log_record, name[NAME_ERROR])},
    {"count", NUMBER, true, 0, 9007199254740991, offsetof(struct log_record, count)},
    {"bytes_sent", NUMBER, false, 0, 9007199254740991, offsetof(struct log_record, bytes_sent)},
    {"bytes_received", NUMBER, false, 0, 9007199254740991, offsetof(struct log_record, bytes_received)},
    {"error_count", NUMBER, false, 0, 9007199254740991, offsetof(struct log_record, error_count)},
    {"duration_ms", NUMBER, false, 0, 9007199254740991, offsetof(struct log_record, duration_ms)},
    {"max_concurrency", NUMBER, false, 0, 9007199254740991, offsetof(struct log_record, max_concurrency)},
};
#define MEMBERS (sizeof members / sizeof members[0])

/* The opinion on a body, formed log by log. */
struct opinion {
    uint32_t index;  /* of the log */
    uint64_t faults; /* so far */
    const struct outcome *outcome;
};

/* Writes the pair at `at` as UTF-8, when json-c 0.16 would get it wrong: a character whose lower 16 bits look like half
 * a pair, such as \ud936\udc00, U+5D800, becomes U+FFFD there. Returns the bytes written, or 0. */
static size_t put_pair(const char *at, char *ret_bytes)
{
    unsigned high, low;
    if (sscanf(at, "\\u%4x\\u%4x", &high, &low) != 2 || (high & 0xfc3eu) != 0xd836u)
        return 0;
    unsigned point = 0x10000u + ((high & 0x3ffu) << 10) + (low & 0x3ffu);
    ret_bytes[0] = (char)(0xf0u | point >> 18);
    ret_bytes[1] = (char)(0x80u | (point >> 12 & 0x3fu));
    ret_bytes[2] = (char)(0x80u | (point >> 6 & 0x3fu));
    ret_bytes[3] = (char)(0x80u | (point & 0x3fu));
    return 4;
}

/* A copy of the text, ended by NUL, in which put_pair() has replaced what json-c would misread. The caller frees it. */
static char *copy_for_json_c(struct json_span text, size_t *ret_len)
{
    char *whole = malloc(text.len + 1), *copy = malloc(text.len + 1), *to = copy;
    CHECK(whole && copy);
    memcpy(whole, text.data, text.len);
    whole[text.len] = '\0';
    for (size_t i = 0; i < text.len;) {
        bool escape = whole[i] == '\\';
        size_t pair = escape ? put_pair(whole + i, to) : 0;
        size_t plain = pair ? 0 : escape ? 2 : 1;
        memcpy(to, whole + i, plain);
        to += pair + plain;
        i += pair ? strlen("\\ud836\\udc00") : plain;
    }
    *to = '\0';
    free(whole);
    *ret_len = (size_t)(to - copy);
    return copy;
}

/* json-c's reading of a name or a scalar whose grammar is right. Names and scalars are read one by one, because in a
 * whole body json-c takes a name "logs\u0000" for "logs", and keeps only the last of equal names. The NUL ends a
 * number.
 */
static json_object *decode(struct json_span text)
{
    struct json_tokener *tokener = json_tokener_new();
    size_t len;
    char *copy = copy_for_json_c(text, &len);
    CHECK(tokener);
    json_object *value = json_tokener_parse_ex(tokener, copy, (int)len + 1);
    CHECK(json_tokener_get_error(tokener) == json_tokener_success);
    free(copy);
    json_tokener_free(tokener);
    return value;
}

static struct json_span string_of(json_object *value)
{
    return (struct json_span){json_object_get_string(value), (size_t)json_object_get_string_len(value)};
}

static bool spans_equal(struct json_span one, struct json_span other)
{
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

static void expect_fault(struct opinion *opinion, const char *field)
{
    const struct outcome *outcome = opinion->outcome;
    uint64_t place = opinion->faults++;
    if (place >= outcome->shown)
        return;
    CHECK(outcome->faults[place].index == opinion->index);
    CHECK(strcmp(outcome->faults[place].field, field) == 0);
    CHECK(outcome->faults[place].message[0] != '\0');
}

/* The rules of the fields. Each returns whether the value is good, and compares it with the stored one if there is a
 * log (`place` is not NULL). */

static bool good_number(const struct member *member, struct json_span source, const void *place)
{
    for (size_t i = 0; i < source.len; i++)
        if (source.data[i] < '0' || source.data[i] > '9')
            return false;
    json_object *value = decode(source);
    CHECK(json_object_is_type(value, json_type_int));
    int64_t number = json_object_get_int64(value);
    json_object_put(value);
    if (number < member->min || number > member->max)
        return false;
    if (place && member->max == 65535)
        CHECK(*(const uint16_t *)place == number);
    else if (place)
        CHECK(*(const int64_t *)place == number);
    return true;
}

static bool good_time(struct json_span text, const void *place)
{
    struct when when;
    if (!when_parse((struct slice){text.data, text.len}, &when))
        return false;
    CHECK(!place || *(const int64_t *)place == when.seconds);
    return true;
}

static bool good_address(struct json_span text, const void *place)
{
    unsigned char bytes[16] = {0};
    uint8_t len = 0;
    if (text.len > 0 && inet_pton(AF_INET, text.data, bytes) == 1)
        len = 4;
    else if (text.len > 0 && inet_pton(AF_INET6, text.data, bytes) == 1)
        len = 16;
    else if (text.len > 0)
        return false;
    const struct ip *ip = place;
    CHECK(!ip || (ip->len == len && memcmp(ip->bytes, bytes, len) == 0));
    return true;
}

static void check_name(const struct opinion *opinion, const void *place, struct json_span wanted)
{
    if (!place)
        return;
    struct slice name = batch_name(&opinion->outcome->batch, *(const uint32_t *)place);
    CHECK(spans_equal((struct json_span){name.data, name.len}, wanted));
}

/* It may be a URL, have a port, or blanks around it. */
static bool is_more_than_a_name(struct json_span text)
{
    return text.len > 0 && (memchr(text.data, ':', text.len) || memchr(text.data, '[', text.len) ||
                            text.data[0] == ' ' || memchr(text.data, ' ', text.len));
}

/* What is kept of such a text must be a part of it. tests/unit/test_batch.c tests which part. */
static bool good_part(const struct opinion *opinion, struct json_span text, const void *place)
{
    if (!place)
        return true;
    struct slice name = batch_name(&opinion->outcome->batch, *(const uint32_t *)place);
    bool found = name.len == 0;
    for (size_t i = 0; !found && i + name.len <= text.len; i++)
        found = strncasecmp(text.data + i, name.data, name.len) == 0;
    CHECK(found && name.len <= 253 && !memchr(name.data, '\n', name.len));
    return true;
}

static bool good_domain(const struct opinion *opinion, struct json_span text, const void *place)
{
    char lower[253];
    if (is_more_than_a_name(text) && opinion->outcome->err != ERR_LOGS_INVALID)
        return good_part(opinion, text, place);
    while (text.len > 0 && text.data[text.len - 1] == '.')
        text.len--;
    if (text.len > sizeof lower)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == 0x7f)
            return false;
        lower[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
    }
    check_name(opinion, place, (struct json_span){lower, text.len});
    return true;
}

static bool good_string(const struct opinion *opinion, const struct member *member, struct json_span text,
                        const void *place)
{
    if (memchr(text.data, '\0', text.len))
        return false;
    if (member->kind == TIME)
        return good_time(text, place);
    if (member->kind == ADDRESS)
        return good_address(text, place);
    if (member->kind == DOMAIN)
        return good_domain(opinion, text, place);
    if (text.len > (size_t)member->max)
        return false;
    check_name(opinion, place, text);
    return true;
}

/* Where the member is stored in the outcome's batch; NULL if the body was refused. */
static const void *place_of(const struct opinion *opinion, const struct member *member)
{
    const struct batch *batch = &opinion->outcome->batch;
    if (opinion->outcome->err)
        return NULL;
    CHECK(opinion->index < batch->log_count);
    return (const char *)&batch->logs[opinion->index] + member->offset;
}

static bool good_value(const struct opinion *opinion, const struct member *member, struct json_span source)
{
    const void *place = place_of(opinion, member);
    if (member->kind == NUMBER)
        return good_number(member, source, place);
    if (source.data[0] != '"')
        return false;
    json_object *value = decode(source);
    CHECK(json_object_is_type(value, json_type_string));
    bool good = good_string(opinion, member, string_of(value), place);
    json_object_put(value);
    return good;
}

/* A member that is not there has 0 or "". */
static void check_default(const struct opinion *opinion, const struct member *member)
{
    static const unsigned char zeros[sizeof(struct ip)];
    const void *place = place_of(opinion, member);
    size_t bytes = member->kind == ADDRESS ? sizeof(struct ip)
                   : member->kind == TEXT  ? 4
                   : member->max == 65535  ? 2
                                           : 8;
    CHECK(!place || memcmp(place, zeros, bytes) == 0);
}

/* The member of that name (with its quotes), or NULL. */
static const struct member *member_called(struct json_span name)
{
    const struct member *found = NULL;
    json_object *decoded = decode(name);
    for (size_t i = 0; i < MEMBERS; i++)
        if (spans_equal(string_of(decoded), (struct json_span){members[i].name, strlen(members[i].name)}))
            found = &members[i];
    json_object_put(decoded);
    return found;
}

/* A name in small letters, without '_' and '-': the same for all spellings of a name. */
static void squeeze(struct json_span name, char *ret_name, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < name.len && len + 1 < size; i++)
        if (name.data[i] != '_' && name.data[i] != '-')
            ret_name[len++] = (char)tolower((unsigned char)name.data[i]);
    memset(ret_name + len, 0, size - len);
}

/* `name` is unknown: marks the member of which it is another spelling. */
static void mark_resembled(struct json_span name, bool *resembled)
{
    char wanted[64], squeezed[64];
    json_object *decoded = decode(name);
    squeeze(string_of(decoded), squeezed, sizeof squeezed);
    for (size_t i = 0; i < MEMBERS; i++) {
        squeeze((struct json_span){members[i].name, strlen(members[i].name)}, wanted, sizeof wanted);
        resembled[i] |=
            memcmp(wanted, squeezed, sizeof wanted) == 0 && !memchr(string_of(decoded).data, 0, string_of(decoded).len);
    }
    json_object_put(decoded);
}

/* The faults of a log: bad values and repeated members, in the order of the text, then missing members. */
static void expect_log(struct opinion *opinion, struct json_span log)
{
    struct json_span name, value;
    bool seen[MEMBERS] = {false}, resembled[MEMBERS] = {false};
    if (log.data[0] != '{' || log.len > LOG_BYTES) {
        expect_fault(opinion, "");
        return;
    }
    for (const char *at = NULL; rfc8259_next_member(log, &at, &name, &value);) {
        const struct member *member = member_called(name);
        if (member && (seen[member - members] || !good_value(opinion, member, value)))
            expect_fault(opinion, member->name);
        if (member)
            seen[member - members] = true;
        else
            mark_resembled(name, resembled);
    }
    for (size_t m = 0; m < MEMBERS; m++) {
        if (!seen[m] && (members[m].required || resembled[m]))
            expect_fault(opinion, members[m].name);
        else if (!seen[m])
            check_default(opinion, &members[m]);
    }
}

/* json-c, strict, takes it too. */
static void check_strict(struct json_span text)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH + 8);
    CHECK(tokener);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *value = json_tokener_parse_ex(tokener, text.data, (int)text.len);
    CHECK(json_tokener_get_error(tokener) == json_tokener_success);
    json_object_put(value);
    json_tokener_free(tokener);
}

static void expect_logs(const struct outcome *outcome, struct json_span array)
{
    struct opinion opinion = {.outcome = outcome};
    struct json_span log;
    for (const char *at = NULL; rfc8259_next_element(array, &at, &log); opinion.index++)
        expect_log(&opinion, log);
    CHECK(outcome->err == (opinion.faults ? ERR_LOGS_INVALID : OK));
    CHECK(outcome->total == opinion.faults);
    CHECK(outcome->err || outcome->batch.log_count == opinion.index);
}

/* The one member called "logs"; false when there is none, or another. */
static bool find_logs(struct json_span body, struct json_span *ret_logs)
{
    struct json_span name, value;
    size_t found = 0;
    for (const char *at = NULL; rfc8259_next_member(body, &at, &name, &value);) {
        json_object *decoded = decode(name);
        if (spans_equal(string_of(decoded), (struct json_span){"logs", 4}) && ++found)
            *ret_logs = value;
        json_object_put(decoded);
    }
    return found == 1;
}

void outcome_check(const struct outcome *outcome, const char *data, size_t len)
{
    struct json_span body, logs;
    if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark is passed over */
        data += 3;
        len -= 3;
    }
    if (!rfc8259_value((struct json_span){data, len}, DEPTH, &body) || body.data[0] != '{' || !find_logs(body, &logs) ||
        logs.data[0] != '[') {
        CHECK(outcome->err == ERR_BODY_INVALID);
        return;
    }
    check_strict((struct json_span){data, len});
    expect_logs(outcome, logs);
}
