/* path.c: where things stand in the data folder. Knows what init makes for people to read, the files of keys; what the
 * databases are called stands in lib/db/files.h. */
#include "ctl/ctl.h"

#include <stdio.h>

#include "base/banned.h"

int ctl_path_in(const struct ctl *ctl, const char *name, char ret_path[CTL_PATH_BYTES])
{
    int len = snprintf(ret_path, CTL_PATH_BYTES, "%s/%s", ctl->data_dir, name);
    return len < CTL_PATH_BYTES ? CTL_OK : ctl_fail("the path of the data folder is too long: %d bytes", len);
}

const char *ctl_key_file(enum role role, char ret_name[CTL_KEY_FILE_BYTES])
{
    snprintf(ret_name, CTL_KEY_FILE_BYTES, CTL_KEY_FOLDER "/%s.key", role_name(role));
    return ret_name;
}
