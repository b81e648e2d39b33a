/* banned.h: functions that parse or copy without a bound. Every source file includes it last (a lint checks that),
 * because system headers may name them. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H
#undef sprintf /* macros of clang's fortified headers */
#undef vsprintf
#pragma GCC poison atoi atol atoll atof strtol strtoll strtoul strtoull strtod sscanf strcpy strcat strncpy strncat
#pragma GCC poison sprintf vsprintf gets strtok gmtime localtime asctime ctime
#endif
