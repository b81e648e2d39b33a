/* check.h: libcheck, made cheaper where a test checks in a loop. For each check that holds, libcheck writes its file
 * and line to a file of its own, to say where a test was when it crashed or hung. In tests of the store these writes
 * took 5 to 17 % of a sampling profile. So only the first MARK_ALL checks of a process are all written, and of the
 * later ones one in MARK_EACH: after a crash, "after this point" may be up to MARK_EACH checks too early. Failed checks
 * are always reported. */
#ifndef SUPPORT_CHECK_H
#define SUPPORT_CHECK_H

#include <check.h>

#define MARK_ALL 500
#define MARK_EACH 64

/* Takes the place of _mark_point(), which the macros of check.h call. */
void check_mark(const char *file, int line);
#define _mark_point(file, line) check_mark(file, line)

#endif
