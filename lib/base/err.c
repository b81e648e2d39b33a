/* err.c: error names to message keys and HTTP statuses, and filling a fault. Knows no caller. */
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

struct err_row {
    const char *key;
    int status;
};

static const struct err_row rows[] = {[OK] = {"", 200},
#define ERR_ROW(name, key, status) [name] = {key, status},
                                      ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

static const struct err_row *row_of(enum err err)
{
    assert((size_t)err < sizeof rows / sizeof rows[0]);
    return &rows[err];
}

const char *err_key(enum err err)
{
    return row_of(err)->key;
}

int err_status(enum err err)
{
    return row_of(err)->status;
}

/* How many bytes the UTF-8 sequence wants that `lead` begins; 1 for anything else. */
static size_t sequence_length(unsigned char lead)
{
    if (lead >= 0xf0)
        return 4;
    if (lead >= 0xe0)
        return 3;
    return lead >= 0xc0 ? 2 : 1;
}

/* Drops a sequence that the end of the buffer cut in two. */
static void drop_cut_sequence(char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    start--;
    if (start + sequence_length((unsigned char)text[start]) > len)
        text[start] = '\0';
}

static void put_detail(struct fault *fault, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void put_detail(struct fault *fault, const char *format, va_list arguments)
{
    int wanted = vsnprintf(fault->detail, sizeof fault->detail, format, arguments);
    if (wanted < 0)
        fault->detail[0] = '\0';
    if (wanted >= (int)sizeof fault->detail)
        drop_cut_sequence(fault->detail, sizeof fault->detail - 1);
}

enum err fault_set(struct fault *fault, enum err err, const char *format, ...)
{
    fault->err = err;
    fault->is_stopped = false;
    fault->parameter[0] = '\0';
    va_list arguments;
    va_start(arguments, format);
    put_detail(fault, format, arguments);
    va_end(arguments);
    return err;
}

enum err fault_stopped(struct fault *fault)
{
    fault_set(fault, ERR_UNAVAILABLE, "stopped");
    fault->is_stopped = true;
    return fault->err;
}

enum err fault_set_parameter(struct fault *fault, enum err err, const char *parameter, const char *format, ...)
{
    assert(err == ERR_PARAMETER_INVALID || err == ERR_PARAMETER_REQUIRED);
    fault->err = err;
    fault->is_stopped = false;
    snprintf(fault->parameter, sizeof fault->parameter, "%s", parameter);
    va_list arguments;
    va_start(arguments, format);
    put_detail(fault, format, arguments);
    va_end(arguments);
    return err;
}
