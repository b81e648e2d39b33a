/* log_lines.c: the grammar of our log lines, read strictly. Knows no service and no request. */
#include "support/log_lines.h"

#include "support/stack.h"

#include <ctype.h>
#include <string.h>

static bool skip_time(const char **at)
{
    static const char shape[] = "0000-00-00T00:00:00.000Z";
    for (const char *s = shape; *s; s++, (*at)++)
        if (*s == '0' ? !isdigit((unsigned char)**at) : **at != *s)
            return false;
    return true;
}

static bool skip_word(const char **at, const char *of)
{
    size_t len = strspn(*at, of);
    *at += len;
    return len > 0;
}

#define NAME "abcdefghijklmnopqrstuvwxyz0123456789_"

static bool skip_quoted(const char **at)
{
    for ((*at)++; **at && **at != '"'; (*at)++) {
        if ((unsigned char)**at < 0x20 || **at == 0x7f)
            return false;
        if (**at == '\\' && !*++*at)
            return false;
    }
    return *(*at)++ == '"';
}

static bool skip_value(const char **at)
{
    size_t len = 0;
    if (**at == '"')
        return skip_quoted(at);
    while ((unsigned char)(*at)[len] > 0x20 && (unsigned char)(*at)[len] < 0x7f && (*at)[len] != '"')
        len++;
    *at += len;
    return len > 0;
}

static bool is_fields(const char *at)
{
    while (*at == ' ') {
        at++;
        if (!skip_word(&at, NAME) || *at++ != '=' || !skip_value(&at))
            return false;
    }
    return *at == '\0';
}

bool log_is_program_line(const char *at)
{
    static const char *const levels[] = {" debug ", " info ", " warn ", " error "};
    if (!skip_time(&at))
        return false;
    for (int i = 0; i < ROWS(levels); i++) {
        if (strncmp(at, levels[i], strlen(levels[i])) != 0)
            continue;
        at += strlen(levels[i]);
        return skip_word(&at, NAME) && is_fields(at);
    }
    return false;
}

bool log_is_access_line(const char *at)
{
    if (strncmp(at, "time=", 5) != 0)
        return false;
    at += 5;
    return skip_time(&at) && !strncmp(at, " event=http ", 12) && is_fields(at);
}

bool log_is_other_line(const char *at)
{
    static const char *const beginnings[] = {"Serving on ", "API keys: ", "Post the ",
                                             "  curl ",     "Read it ",   "Look at "};
    for (int i = 0; i < ROWS(beginnings); i++)
        if (!strncmp(at, beginnings[i], strlen(beginnings[i])))
            return true;
    if (!strncmp(at, "20", 2) && at[4] == '/' && strstr(at, " ["))
        for (; *at; at++)
            if ((unsigned char)*at < 0x20 || *at == 0x7f)
                return false;
    return *at == '\0';
}
