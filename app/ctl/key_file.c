/* key_file.c: reads an API key from a file. Knows no key's form but that it is one printable word. */
#include "ctl/key_file.h"

#include "ctl/ctl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static bool is_word(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return false;
    return len > 0 && len <= KEY_FILE_MAX;
}

/* Without a buffer of stdio's, in which the key would stay. */
int key_file_read(const char *path, char ret_text[KEY_FILE_MAX + 1])
{
    char text[KEY_FILE_MAX + 2] = "";
    FILE *file = fopen(path, "re");
    if (!file)
        return ctl_fail("can't open %s: %s", path, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0);
    bool good = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    size_t len = strcspn(text, "\r\n");
    text[len] = '\0';
    good = good && is_word(text, len);
    if (good)
        memcpy(ret_text, text, len + 1);
    explicit_bzero(text, sizeof text);
    return good ? CTL_OK : ctl_fail("%s: its first line is no API key", path);
}
