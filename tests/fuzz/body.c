/* body.c: see body.h. The reading itself; body_expect.c has the second opinion. */
#include "body.h"

#include "fuzz.h"
#include "format/gunzip.h"

/* How a body is cut: the first piece has `first` bytes, the others `piece`. */
struct cut {
    size_t first;
    size_t piece;
};

static enum err take_json(void *ctx, const char *data, size_t len, struct fault *fault)
{
    char *exact = fuzz_copy(data, len);
    enum err err = json_logs_feed(ctx, exact, len, fault);
    free(exact);
    return err;
}

static enum err feed_pieces(struct json_logs *reader, struct gunzip *gunzip, const char *body, size_t len,
                            struct cut cut, struct fault *fault)
{
    enum err err = OK;
    for (size_t at = 0, here; at < len && !err; at += here) {
        here = at < cut.first ? cut.first - at : cut.piece;
        here = here < len - at ? here : len - at;
        char *exact = fuzz_copy(body + at, here);
        err = gunzip ? gunzip_feed(gunzip, exact, here, fault) : json_logs_feed(reader, exact, here, fault);
        free(exact);
    }
    return err;
}

static enum err finish(struct json_logs *reader, struct gunzip *gunzip, struct fault *fault)
{
    enum err err = gunzip ? gunzip_finish(gunzip, fault) : OK;
    return err ? err : json_logs_finish(reader, fault);
}

/* A refusal is final. A batch with a bad log is emptied at once, because nobody will read it. */
static void check_refusal(struct json_logs *reader, const struct outcome *outcome)
{
    struct fault again = {0};
    CHECK(outcome->detail[0] != '\0');
    CHECK(outcome->err != ERR_LOGS_INVALID || outcome->total > 0);
    CHECK(outcome->total == 0 || outcome->batch.log_count == 0);
    enum err err = json_logs_finish(reader, &again);
    CHECK(again.err == err);
    CHECK(!err || json_logs_feed(reader, " ", 1, &again) == err);
}

static void read_cut(const char *body, size_t len, struct cut cut, bool gzip, struct outcome *ret_outcome)
{
    struct fault fault = {0};
    struct outcome *outcome = ret_outcome;
    memset(outcome, 0, sizeof *outcome);
    batch_init(&outcome->batch, NULL);
    struct json_logs *reader = json_logs_open(&outcome->batch);
    struct gunzip *gunzip = gzip ? gunzip_open(LIMIT_BODY_BYTES, take_json, reader) : NULL;
    CHECK(reader && (gunzip || !gzip));
    outcome->err = feed_pieces(reader, gunzip, body, len, cut, &fault);
    if (!outcome->err)
        outcome->err = finish(reader, gunzip, &fault);
    CHECK(fault.err == outcome->err);
    memcpy(outcome->detail, fault.detail, sizeof outcome->detail);
    const struct log_fault *faults = json_logs_faults(reader, &outcome->shown, &outcome->total);
    CHECK(outcome->shown <= LIMIT_LOG_ERRORS && outcome->shown <= outcome->total);
    memcpy(outcome->faults, faults, outcome->shown * sizeof *faults);
    if (outcome->err)
        check_refusal(reader, outcome);
    gunzip_close(gunzip);
    json_logs_close(reader);
}

void outcome_release(struct outcome *outcome)
{
    batch_release(&outcome->batch);
}

static bool same_ip(const struct ip *one, const struct ip *other)
{
    return one->len == other->len && memcmp(one->bytes, other->bytes, one->len) == 0;
}

static void check_same_log(const struct log_record *one, const struct log_record *other)
{
    CHECK(one->ts == other->ts && one->user_id == other->user_id && one->order_id == other->order_id);
    CHECK(one->count == other->count && one->error_count == other->error_count && one->port == other->port);
    CHECK(one->bytes_sent == other->bytes_sent && one->bytes_received == other->bytes_received);
    CHECK(one->duration_ms == other->duration_ms && one->max_concurrency == other->max_concurrency);
    CHECK(memcmp(one->name, other->name, sizeof one->name) == 0);
    CHECK(same_ip(&one->ip_out, &other->ip_out) && same_ip(&one->ip_from, &other->ip_from));
}

static void check_same_batch(const struct batch *one, const struct batch *other)
{
    CHECK(one->log_count == other->log_count && one->name_count == other->name_count);
    CHECK(one->text_len == other->text_len);
    CHECK(one->text_len == 0 || memcmp(one->name_text, other->name_text, one->text_len) == 0);
    for (uint32_t i = 0; i < one->log_count; i++)
        check_same_log(&one->logs[i], &other->logs[i]);
}

void outcomes_check_same(const struct outcome *one, const struct outcome *other)
{
    CHECK(one->err == other->err);
    CHECK(strcmp(one->detail, other->detail) == 0);
    CHECK(one->shown == other->shown && one->total == other->total);
    for (uint32_t i = 0; i < one->shown; i++) {
        CHECK(one->faults[i].index == other->faults[i].index);
        CHECK(strcmp(one->faults[i].field, other->faults[i].field) == 0);
        CHECK(strcmp(one->faults[i].message, other->faults[i].message) == 0);
    }
    if (!one->err)
        check_same_batch(&one->batch, &other->batch);
}

void body_read(const char *body, size_t len, bool gzip, struct outcome *ret_outcome)
{
    uint32_t place = fuzz_number(body, len);
    const struct cut cuts[] = {{0, 1}, {len ? place % len : 0, SIZE_MAX}, {place % 8, 1 + place / 8 % 24}};
    read_cut(body, len, (struct cut){0, SIZE_MAX}, gzip, ret_outcome);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct outcome other;
        read_cut(body, len, cuts[i], gzip, &other);
        outcomes_check_same(ret_outcome, &other);
        outcome_release(&other);
    }
}
