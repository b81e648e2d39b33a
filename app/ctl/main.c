/* main.c: analyticsctl, the operator's tool. Knows how a command line is read against the table of commands, and
 * how help is laid out. Knows nothing of what a command does. */
#include "config.h"

#include "ctl/commands.h"

#include "process/settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

#define DEFAULT_DATA_DIR "./data"

/* ---- commands by name ---- */

/* How many of `words` make the whole name of the command; 0 when they don't. */
static int match_words(const char *name, char **words, int count)
{
    for (int i = 0; i < count; i++) {
        size_t len = strcspn(name, " ");
        if (strlen(words[i]) != len || memcmp(words[i], name, len) != 0)
            return 0;
        if (name[len] == '\0')
            return i + 1;
        name += len + 1;
    }
    return 0;
}

static const struct command *find_command(char **words, int count, int *ret_used)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        int used = match_words(ctl_commands[i].name, words, count);
        if (used > 0) {
            *ret_used = used;
            return &ctl_commands[i];
        }
    }
    return NULL;
}

/* True when `word` is the first of the command's two words. */
static bool is_in_group(const struct command *command, const char *word)
{
    size_t len = strlen(word);
    return strncmp(command->name, word, len) == 0 && command->name[len] == ' ';
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < ctl_command_count; i++)
        if (is_in_group(&ctl_commands[i], word))
            return true;
    return false;
}

/* ---- help ---- */

#define HELP_COLUMNS 80
#define HELP_INDENT 6

/* Filled to the width of a terminal; a line break in the text stays one. */
static void put_filled(const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t gap = strspn(text, " ");
        size_t word = strcspn(text + gap, " \n");
        if (column > 0 && column + gap + word > HELP_COLUMNS) {
            putchar('\n');
            column = 0;
            text += gap;
            gap = 0;
        }
        if (column == 0 && word > 0)
            column = (size_t)printf("%*s", HELP_INDENT, "");
        printf("%.*s", (int)(gap + word), text);
        column += gap + word;
        text += gap + word;
        if (*text == '\n') {
            putchar('\n');
            text++;
            column = 0;
        }
    }
    putchar('\n');
}

static void print_command(const struct command *command)
{
    printf("  %s%s%s\n", command->name, *command->usage ? " " : "", command->usage);
    put_filled(command->about);
}

static void print_options(void)
{
    printf("\nOptions of every command, before or after its name:\n"
           "  --data DIR     the data folder; default: $ANALYTICS_DATA, else what the file\n"
           "                 of settings says, else " DEFAULT_DATA_DIR "\n"
           "  --config FILE  the file of settings; default: $ANALYTICS_CONFIG, else\n"
           "                 %s\n"
           "  --help         this text, or that of the command\n"
           "  --version      the version of the program\n"
           "\nDATE is YYYY-MM-DD (to the end of that day, UTC) or an ISO 8601 date-time.\n"
           "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
           settings_default_file());
}

/* Of one command, of a group of them (its first word), or, with neither, of all. */
static void print_help(const struct command *command, const char *group)
{
    printf("Usage: analyticsctl [--data DIR] COMMAND\n\n");
    for (size_t i = 0; i < ctl_command_count; i++)
        if (command ? command == &ctl_commands[i] : !group || is_in_group(&ctl_commands[i], group))
            print_command(&ctl_commands[i]);
    if (command && command->more)
        put_filled(command->more);
    print_options();
}

/* ---- the command line ---- */

#define LONG_BASE 256 /* above every character, so that getopt's '?' and ':' are no option of ours */

static const struct option long_options[] = {
#define LONG_OPTION(name, text, has_arg) {text, has_arg, NULL, LONG_BASE + name},
    CTL_OPTION_LIST(LONG_OPTION)
#undef LONG_OPTION
        {0}};

static int bad_option(int c, const char *word)
{
    if (c == ':')
        return ctl_misuse("option %s needs a value", word);
    if (optopt >= LONG_BASE)
        return ctl_misuse("option --%s takes no value", long_options[optopt - LONG_BASE].name);
    if (optopt)
        return ctl_misuse("unknown option -%c", optopt);
    return ctl_misuse("unknown option %s", word);
}

static int take_option(struct ctl *ctl, int c, char **argv)
{
    if (c == 'h')
        c = LONG_BASE + CTL_HELP;
    if (c < LONG_BASE)
        return bad_option(c, argv[optind - 1]);
    int option = c - LONG_BASE;
    if (ctl->option[option])
        return ctl_misuse("option --%s must be given once, but is given again", long_options[option].name);
    ctl->option[option] = optarg ? optarg : "";
    return CTL_OK;
}

/* Options may stand anywhere before "--", whatever POSIXLY_CORRECT says: the '-' has getopt return other words as 1. */
static int read_command_line(int argc, char **argv, struct ctl *ctl)
{
    int c, status = CTL_OK;
    opterr = 0;
    while (!status && (c = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1) {
        if (c == 1)
            ctl->operand[ctl->operand_count++] = optarg;
        else
            status = take_option(ctl, c, argv);
    }
    while (!status && optind < argc)
        ctl->operand[ctl->operand_count++] = argv[optind++];
    return status;
}

/* From --data, else from the environment or the file of settings. */
static int choose_data_dir(struct ctl *ctl, struct settings *settings)
{
    ctl->data_dir = ctl->option[CTL_DATA];
    if (ctl->data_dir)
        return *ctl->data_dir ? CTL_OK : ctl_misuse("--data must name a folder, but is empty");
    if (!settings_load("analyticsctl", ctl->option[CTL_CONFIG], settings))
        return CTL_USAGE;
    ctl->data_dir = settings->values[SETTING_DATA].text;
    if (!ctl->data_dir)
        ctl->data_dir = DEFAULT_DATA_DIR;
    return CTL_OK;
}

static int check_options(const struct command *command, const struct ctl *ctl)
{
    uint64_t taken =
        command->options | CTL_BIT(CTL_CONFIG) | CTL_BIT(CTL_DATA) | CTL_BIT(CTL_HELP) | CTL_BIT(CTL_VERSION);
    for (int i = 0; i < CTL_OPTIONS; i++) {
        if (ctl->option[i] && !(taken & CTL_BIT(i)))
            return ctl_misuse("%s does not take --%s", command->name, long_options[i].name);
        if (!ctl->option[i] && (command->required & CTL_BIT(i)))
            return ctl_misuse("%s needs --%s", command->name, long_options[i].name);
    }
    return CTL_OK;
}

static int check_operands(const struct command *command, const struct ctl *ctl)
{
    if (ctl->operand_count < command->min_operands)
        return ctl_misuse("%s needs %s", command->name, command->operand);
    if (ctl->operand_count > command->max_operands)
        return ctl_misuse("%s does not take '%s'", command->name, ctl->operand[command->max_operands]);
    return CTL_OK;
}

static int no_command(const struct ctl *ctl)
{
    if (ctl->operand_count == 0)
        return ctl_misuse("a command is needed");
    if (!is_group(ctl->operand[0]))
        return ctl_misuse("unknown command '%s'", ctl->operand[0]);
    if (ctl->operand_count == 1)
        return ctl_misuse("'%s' is not a whole command", ctl->operand[0]);
    return ctl_misuse("unknown command '%s %s'", ctl->operand[0], ctl->operand[1]);
}

static int run_command(const struct command *command, int used, struct ctl *ctl)
{
    ctl->operand += used;
    ctl->operand_count -= used;
    int status = check_options(command, ctl);
    if (!status)
        status = check_operands(command, ctl);
    struct settings settings = {0};
    if (!status)
        status = choose_data_dir(ctl, &settings);
    if (!status)
        status = command->run(ctl);
    settings_release(&settings);
    return status;
}

static int dispatch(struct ctl *ctl)
{
    int used = 0;
    const struct command *command = find_command(ctl->operand, ctl->operand_count, &used);
    const char *group = ctl->operand_count == 1 && is_group(ctl->operand[0]) ? ctl->operand[0] : NULL;
    if (ctl->option[CTL_VERSION]) {
        printf("analyticsctl %s\n", PACKAGE_VERSION);
        return CTL_OK;
    }
    if (ctl->option[CTL_HELP] && (command || group || ctl->operand_count == 0)) {
        print_help(command, group);
        return CTL_OK;
    }
    return command ? run_command(command, used, ctl) : no_command(ctl);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.now = time(NULL)};
    char **words = calloc((size_t)argc + 1, sizeof *words);
    if (!words)
        return ctl_fail("out of memory");
    ctl.operand = words;
    int status = read_command_line(argc, argv, &ctl);
    if (!status)
        status = dispatch(&ctl);
    free(words);
    if ((fflush(stdout) || ferror(stdout)) && status == CTL_OK)
        status = ctl_fail("can't write to standard output: %s", strerror(errno));
    return status;
}
