/* replay.c: a fuzz target without a fuzzer: runs it over every file of its corpus, tests/fuzz/corpus/NAME, where the
 * program is called replay_NAME. Each file in a process of its own, so that one that fails does not hide the next. An
 * empty corpus is a failure. Knows no target. */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES (4u << 20)
#define SECONDS_PER_FILE 60

static int run_file(const char *path)
{
    static char data[FILE_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file)
        return EXIT_FAILURE;
    size_t len = fread(data, 1, sizeof data, file);
    fclose(file);
    char *exact = fuzz_copy(data, len);
    alarm(SECONDS_PER_FILE);
    int result = LLVMFuzzerTestOneInput((const uint8_t *)exact, len);
    free(exact);
    return result;
}

/* True when the target found no broken promise. */
static bool replay(const char *path)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        exit(run_file(path)); /* not _exit: a leak is found at exit */
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The folder named, or tests/fuzz/corpus/NAME. */
static void find_corpus(int argc, char **argv, char *ret_folder, size_t size)
{
    const char *source = getenv("ANALYTICS_SRCDIR");
    const char *name = strstr(argv[0], "replay_");
    if (argc > 1)
        snprintf(ret_folder, size, "%s", argv[1]);
    else
        snprintf(ret_folder, size, "%s/tests/fuzz/corpus/%s", source ? source : ".", name ? name + 7 : "");
}

int main(int argc, char **argv)
{
    char folder[2000], path[4000];
    struct dirent **entries;
    int failures = 0;
    find_corpus(argc, argv, folder, sizeof folder);
    int count = scandir(folder, &entries, is_file, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (!replay(path) && ++failures)
            printf("FAIL %s\n", path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    printf("Checks: %d, Failures: %d, Errors: 0\n", count < 0 ? 0 : count, failures);
    return count > 0 && failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
