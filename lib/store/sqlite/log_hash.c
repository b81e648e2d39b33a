/* log_hash.c: log_hash(ts, user_id, …, worker) for SQL: a row of raw_log, with its names, as the log that it came as.
 */
#include "store/sqlite/log_hash.h"

#include "log/domain.h"
#include "log/import_mark.h"

#include <string.h>

#include "base/banned.h"

enum { NUMBERS = 10, ADDRESSES = 2, ARGUMENTS = NUMBERS + ADDRESSES + NAME_FIELDS };

static struct ip ip_of(sqlite3_value *value)
{
    struct ip ip = {0};
    int len = sqlite3_value_bytes(value);
    if (len > 0 && (size_t)len <= sizeof ip.bytes) {
        ip.len = (uint8_t)len;
        memcpy(ip.bytes, sqlite3_value_blob(value), ip.len);
    }
    return ip;
}

static struct log_record record_of(sqlite3_value **values)
{
    int64_t number[NUMBERS];
    for (int i = 0; i < NUMBERS; i++)
        number[i] = sqlite3_value_int64(values[i]);
    return (struct log_record){.ts = number[0],
                               .user_id = number[1],
                               .order_id = number[2],
                               .count = number[3],
                               .bytes_sent = number[4],
                               .bytes_received = number[5],
                               .error_count = number[6],
                               .duration_ms = number[7],
                               .max_concurrency = number[8],
                               .port = (uint16_t)number[9],
                               .ip_out = ip_of(values[NUMBERS]),
                               .ip_from = ip_of(values[NUMBERS + 1])};
}

static void log_hash(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct log_record record = record_of(values);
    struct log_text log = {.record = &record};
    char domain[LIMIT_DOMAIN_BYTES + 1];
    size_t len = 0;
    const char *why;
    for (int i = NUMBERS + ADDRESSES; i < count; i++) {
        const char *text = (const char *)sqlite3_value_text(values[i]);
        log.name[i - NUMBERS - ADDRESSES] = (struct slice){text ? text : "", (size_t)sqlite3_value_bytes(values[i])};
    }
    /* Versions up to 0.2.0 kept domains as they were sent. */
    if (domain_normalise(log.name[NAME_DOMAIN], domain, &len, &why))
        log.name[NAME_DOMAIN] = (struct slice){domain, len};
    sqlite3_result_int64(context, import_text_hash(&log));
}

enum err sqlite_log_hash_register(struct db *db, struct fault *fault)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    if (sqlite3_create_function_v2(db->handle, "log_hash", ARGUMENTS, flags, NULL, log_hash, NULL, NULL, NULL))
        return db_fault(db, "log_hash", fault);
    return OK;
}
