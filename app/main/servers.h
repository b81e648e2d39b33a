/* servers.h: --check-config for an engine that has servers. */
#ifndef MAIN_SERVERS_H
#define MAIN_SERVERS_H

#include "process/settings.h"

/* A settings_check: asks each server of the settings' engine as the program would. */
bool servers_check(const char *program, enum settings_reader reader, const struct settings *settings);

#endif
