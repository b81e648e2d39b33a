/* memory.c: counts allocations and refuses some. One thread. */
#include "support/memory.h"

#include "support/check.h"
#include <sqlite3.h>
#include <stdlib.h>

static sqlite3_mem_methods real;

static bool armed, inside, for_ever;
static enum memory_user victim;
static size_t to_go, failed;

void memory_fail(enum memory_user user, size_t n, bool always)
{
    armed = true;
    victim = user;
    to_go = n;
    for_ever = always;
    failed = 0;
}

void memory_enter(void)
{
    inside = true;
}

void memory_leave(void)
{
    inside = false;
}

size_t memory_failed(void)
{
    return failed;
}

void memory_mend(void)
{
    armed = false;
}

static bool refuse(enum memory_user user)
{
    if (!armed || !inside || user != victim)
        return false;
    if (to_go > 0)
        to_go--;
    if (to_go > 0 || (failed > 0 && !for_ever))
        return false;
    failed++;
    return true;
}

/* ---- inside SQLite ---- */

static void *sqlite_malloc(int bytes)
{
    return refuse(MEMORY_SQLITE) ? NULL : real.xMalloc(bytes);
}

static void *sqlite_realloc(void *memory, int bytes)
{
    return refuse(MEMORY_SQLITE) ? NULL : real.xRealloc(memory, bytes);
}

void memory_install(void)
{
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
    sqlite3_mem_methods mine = real;
    mine.xMalloc = sqlite_malloc;
    mine.xRealloc = sqlite_realloc;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &mine), SQLITE_OK);
}

/* ---- ours: the linker turns each call of malloc() into __wrap_malloc(), and __real_malloc() into malloc() ---- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t bytes)
{
    return refuse(MEMORY_OURS) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return refuse(MEMORY_OURS) ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return refuse(MEMORY_OURS) ? NULL : __real_realloc(memory, bytes);
}

char *__wrap_strdup(const char *text)
{
    return refuse(MEMORY_OURS) ? NULL : __real_strdup(text);
}
