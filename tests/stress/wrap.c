/* wrap.c: see wrap.h. */
#include "support/runner.h"
#include "wrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void write_script(const char *folder, const char *program, const struct wrapping *wrapping)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, program);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "#!/bin/sh\n%s\nexec '%s/real/%s' \"$@\" %s\n", wrapping->before ? wrapping->before : "", folder,
            program, wrapping->options ? wrapping->options : "");
    fclose(file);
    ck_assert_int_eq(chmod(path, 0755), 0);
}

static void copy_programs(const char *folder)
{
    char command[8192];
    const char *from = getenv("ANALYTICS_BUILDDIR");
    ck_assert_msg(from != NULL, "ANALYTICS_BUILDDIR is not set: run the tests through make check");
    snprintf(command, sizeof command,
             "mkdir -p '%s/real' && cp '%s'/analytics-ingest '%s'/analytics-query '%s'/analyticsctl '%s/real/' &&"
             " chmod -R a+rX '%s'",
             folder, from, from, from, folder, folder);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

void wrap_start(struct stack *stack, const struct wrapping *wrapping)
{
    static const struct wrapping as_usual;
    char folder[96];
    if (!stack->dir[0])
        stack_folder(stack);
    snprintf(folder, sizeof folder, "%s/bin", stack->dir);
    copy_programs(folder);
    write_script(folder, "analytics-ingest", wrapping);
    write_script(folder, "analytics-query", &as_usual);
    write_script(folder, "analyticsctl", &as_usual);
    stack_start(stack, (const char *[]){"--build-dir", folder, NULL});
}

void wrap_restart(struct stack *stack)
{
    char folder[96];
    snprintf(folder, sizeof folder, "%s/bin", stack->dir);
    stack_restart(stack, (const char *[]){"--build-dir", folder, NULL});
}

static void add(Suite *suite, const struct attack *attack)
{
    TCase *tcase = suite_case(suite, attack->name);
    tcase_add_test(tcase, attack->test);
}

int run_attacks(const char *suite_name, const struct attack *attacks, size_t count)
{
    Suite *suite = suite_create(suite_name);
    setlinebuf(stdout); /* so that the output of a test that fails is not lost */
    for (size_t i = 0; i < count; i++)
        if (is_long_run() || !attacks[i].only_long)
            add(suite, &attacks[i]);
    return suite_run(suite);
}
