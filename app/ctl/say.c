/* say.c: how analyticsctl speaks: lines that do no harm to a terminal, whatever text from outside is in them. Knows
 * terminals and UTF-8. Knows no command. */
#include "ctl/ctl.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* UTF-8 sequences that show nothing themselves but act on a terminal or on the order of text: a lead, and the range of
 * the last byte. */
static const struct {
    const char *lead;
    unsigned char first;
    unsigned char last;
} unprintable[] = {
    {"\xc2", 0x80, 0x9f},         /* U+0080 … U+009F: C1 controls */
    {"\xd8", 0x9c, 0x9c},         /* U+061C: Arabic letter mark */
    {"\xe2\x80", 0x8b, 0x8f},     /* U+200B … U+200F: zero width, direction marks */
    {"\xe2\x80", 0xa8, 0xae},     /* U+2028 … U+202E: line separators, embeddings, overrides */
    {"\xe2\x81", 0xa0, 0xaf},     /* U+2060 … U+206F: isolates and other invisible marks */
    {"\xef\xbb", 0xbf, 0xbf},     /* U+FEFF: byte order mark */
    {"\xef\xbf", 0xb9, 0xbb},     /* U+FFF9 … U+FFFB: interlinear annotation */
    {"\xf3\xa0\x80", 0x80, 0xbf}, /* U+E0000 … U+E003F: tags */
    {"\xf3\xa0\x81", 0x80, 0xbf}, /* U+E0040 … U+E007F */
};

/* How many bytes at `at` make one unprintable character; 0 when it may be shown. */
static size_t unprintable_bytes(const char *at, bool utf8)
{
    unsigned char first = (unsigned char)*at;
    if (first < 0x20 || first == 0x7f || (first >= 0x80 && !utf8))
        return 1;
    for (size_t i = 0; i < sizeof unprintable / sizeof *unprintable; i++) {
        size_t lead = strlen(unprintable[i].lead);
        if (strncmp(at, unprintable[i].lead, lead) != 0)
            continue;
        unsigned char last = (unsigned char)at[lead];
        if (last >= unprintable[i].first && last <= unprintable[i].last)
            return lead + 1;
    }
    return 0;
}

void ctl_printable(char *text)
{
    bool utf8 = text_is_utf8(text, strlen(text));
    char *out = text;
    while (*text) {
        size_t skip = unprintable_bytes(text, utf8);
        *out++ = skip ? '?' : *text;
        text += skip ? skip : 1;
    }
    *out = '\0';
}

static void __attribute__((format(printf, 3, 0)))
put_line(FILE *out, const char *before, const char *format, va_list args, const char *after)
{
    char *line = NULL;
    if (vasprintf(&line, format, args) < 0)
        line = NULL;
    if (line)
        ctl_printable(line);
    fprintf(out, "%s%s%s\n", before, line ? line : "out of memory", after);
    free(line);
}

void ctl_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(stdout, "", format, args, "");
    va_end(args);
}

int ctl_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(stderr, "analyticsctl: ", format, args, "");
    va_end(args);
    return CTL_FAILED;
}

int ctl_misuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_line(stderr, "analyticsctl: ", format, args, " (see analyticsctl --help)");
    va_end(args);
    return CTL_USAGE;
}

int ctl_fault(const struct fault *fault)
{
    if (fault->err == ERR_PARAMETER_INVALID || fault->err == ERR_PARAMETER_REQUIRED)
        return ctl_misuse("%s", fault->detail);
    return ctl_fail("%s", fault->detail);
}

bool ctl_confirm(const char *question)
{
    char answer[8] = "";
    fprintf(stderr, "%s [y/N] ", question);
    return fgets(answer, sizeof answer, stdin) && (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0);
}
