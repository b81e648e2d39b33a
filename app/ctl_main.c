/* ctl_main.c: analyticsctl, the operator's tool. Knows the table of commands, how a command line is read against it,
 * and how to speak to a terminal. Knows nothing of what a command does. */
#include "config.h"

#include "ctl.h"

#include "settings.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "banned.h"

#define DEFAULT_DATA_DIR "./data"

struct command {
    const char *name;    /* one word or two */
    const char *usage;   /* what follows the name */
    const char *operand; /* its first operand, where it can't do without one */
    const char *about;   /* one sentence or two */
    const char *more;    /* what its own help says beside, or NULL */
    uint64_t options;    /* CTL_BITs it takes; data, help and version go without saying */
    uint64_t required;   /* CTL_BITs it can't do without */
    int min_operands;
    int max_operands;
    int (*run)(const struct ctl *ctl);
};

static const struct command commands[] = {
    {
        .name = "config",
        .usage = "[--json]",
        .about = "Show all settings as the programs see them, and where each comes from. Checks them too.",
        .more = "Options on the command lines of the programs themselves can't be seen from here.\n"
                "--json: one JSON object on standard output.",
        .options = CTL_BIT(CTL_JSON),
        .run = ctl_config,
    },
    {
        .name = "init",
        .usage = "[--owner USER]",
        .about = "Make what is missing: the data folder, its databases, a first admin key and worker key in DIR/keys.",
        .options = CTL_BIT(CTL_OWNER),
        .run = ctl_init,
    },
    {
        .name = "status",
        .usage = "[--sizes] [--json]",
        .about = "Show what the database holds, how large it is, what came in lately, and who writes it.",
        .more = "The tables' sizes take a look at every page: left out where that takes longer than 2 s, unless "
                "--sizes is given. While it reads, the write-ahead log can only grow. Times are UTC.\n"
                "--json: the exact figures as one JSON object on standard output; null: not known.",
        .options = CTL_BIT(CTL_SIZES) | CTL_BIT(CTL_JSON),
        .run = ctl_status,
    },
    {
        .name = "doctor",
        .usage = "[--sockets DIR] [--url URL] [--json]",
        .about = "Look at everything that the service needs, and say what to do about what is wrong. Best run as root.",
        .more = "Folder and files, disk room, clock, both programs by their sockets in DIR (default: "
                "/run/fonproxy-analytics; of ./serve, data/run), whether nginx may use these, databases, keys. With "
                "--url, also what nginx answers there: URL/analytics/health. Each line is ok, warn or FAIL. Exit "
                "status 1 when something FAILs. --json: the findings as one JSON object.",
        .options = CTL_BIT(CTL_SOCKETS) | CTL_BIT(CTL_URL) | CTL_BIT(CTL_JSON),
        .run = ctl_doctor,
    },
    {
        .name = "key add",
        .usage = "--role worker|user|admin [--user-id N] --name NAME [--expires DATE]",
        .about = "Make an API key and show it, this once, on the last line. Role user needs --user-id.",
        .options = CTL_BIT(CTL_ROLE) | CTL_BIT(CTL_USER_ID) | CTL_BIT(CTL_NAME) | CTL_BIT(CTL_EXPIRES),
        .required = CTL_BIT(CTL_ROLE) | CTL_BIT(CTL_NAME),
        .run = ctl_key_add,
    },
    {
        .name = "key list",
        .usage = "[--json]",
        .about = "Show all keys: whose they are, how long they last, when they were last used. Times are UTC.",
        .options = CTL_BIT(CTL_JSON),
        .run = ctl_key_list,
    },
    {
        .name = "key revoke",
        .usage = "ID",
        .operand = "ID",
        .about = "Refuse a key from this moment on.",
        .min_operands = 1,
        .max_operands = 1,
        .run = ctl_key_revoke,
    },
    {
        .name = "key rotate",
        .usage = "ID [--grace HOURS] [--expires DATE]",
        .operand = "ID",
        .about = "Make a key that takes another's place, and show it, this once, on the last line.",
        .more = "It has the role, user, name and end of key ID (of its newest successor, where that was rotated "
                "before), unless --expires says otherwise. The old key "
                "ends 24 hours from now, or after --grace HOURS, if not sooner; --grace 0 revokes it at once. Both "
                "count as one caller: a batch that was sent with the old key and is sent again, under the same "
                "Idempotency-Key, with the new one counts once. (After key add and key revoke it would count twice.)",
        .options = CTL_BIT(CTL_GRACE) | CTL_BIT(CTL_EXPIRES),
        .min_operands = 1,
        .max_operands = 1,
        .run = ctl_key_rotate,
    },
    {
        .name = "verify",
        .usage = "[--json] [--skip-file-check]",
        .about = "Check the database: add all logs up again and compare every rollup. Only reads, beside the service.",
        .more = "First comes SQLite's own check of the file: quick_check, and integrity_check of the tables with an "
                "index. It takes some seconds per GB, and as long the write-ahead log can only grow; --skip-file-check "
                "leaves it out. All else is read a little at a time. The first 10 differences are told, the others "
                "counted. Exit status: 0 all is well, 1 something differs, 2 it could not be done. --json: the result "
                "as one JSON object on standard output.",
        .options = CTL_BIT(CTL_JSON) | CTL_BIT(CTL_SKIP_FILE_CHECK),
        .run = ctl_verify,
    },
    {
        .name = "rebuild",
        .usage = "[--json]",
        .about = "Make all rollups again from the logs. Stop analytics-ingest first; reports may go on meanwhile.",
        .more = "Until it is done reports stay right, but take longer; the longest may time out (503). It may be "
                "interrupted at any moment: run it again, or start analytics-ingest, which finishes the work.\n"
                "--json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_JSON),
        .run = ctl_rebuild,
    },
    {
        .name = "prune",
        .usage = "--older-than 90d [--dry-run] [--json] [--yes]",
        .about =
            "Delete all logs and sums older than so many days, and give their space back. Stop analytics-ingest first.",
        .more = "Days are whole, UTC, and counted back from the newest log, or from now if that is earlier; the newest "
                "day always stays. --dry-run only tells what would be deleted, and may run beside the service. A "
                "terminal asks before anything is deleted, unless --yes is given. It may be interrupted at any moment: "
                "run it again, or start analytics-ingest, which finishes the work. What is deleted is not reported "
                "from the first moment on. --json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_OLDER_THAN) | CTL_BIT(CTL_DRY_RUN) | CTL_BIT(CTL_JSON) | CTL_BIT(CTL_YES),
        .required = CTL_BIT(CTL_OLDER_THAN),
        .run = ctl_prune,
    },
    {
        .name = "backup",
        .usage = "FILE [--force] [--json]",
        .operand = "FILE",
        .about = "Write both databases, as they are at this moment, into one file, and check it. Beside the service.",
        .more = "FILE is there only when it is whole, checked and on the disk; until then it is FILE.partial. It is a "
                "SQLite database like analytics.db, with the API keys (hashed, as in keys.db) beside, and restore "
                "reads it. While it copies, some seconds per GB, the write-ahead log can only grow.\n"
                "--force: FILE may replace an older backup, never another file.\n"
                "--json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_FORCE) | CTL_BIT(CTL_JSON),
        .min_operands = 1,
        .max_operands = 1,
        .run = ctl_backup,
    },
    {
        .name = "restore",
        .usage = "FILE [--force] [--json]",
        .operand = "FILE",
        .about = "Put a backup's databases into the data folder. Stop analytics-ingest first; reports may go on.",
        .more = "The backup is copied into the data folder and checked before anything is changed. Databases that are "
                "there already need --force, and are kept in the folder DIR/before-restore-…: remove it when all is "
                "well. Keys are those of the backup again: revoke anew what was revoked since. It may be interrupted "
                "at any moment: then nothing has changed, or analytics-ingest finishes it "
                "when it starts (so does analyticsctl init). --json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_FORCE) | CTL_BIT(CTL_JSON),
        .min_operands = 1,
        .max_operands = 1,
        .run = ctl_restore,
    },
    {
        .name = "import",
        .usage = "[--format json|ndjson|csv] [--skip-bad] [--ignore-unknown] [--json]\n"
                 "         [--url URL --key-file FILE [--retry-seconds N]] FILE...",
        .operand = "FILE",
        .about = "Store the logs of files, or of standard input (FILE is -), each once however often it is run.",
        .more = "Formats, told by the name (.json, .ndjson, .jsonl, .csv, each with .gz or without) or by --format:\n"
                "json    bodies as POST /analytics/ingest takes them, one after the other,\n"
                "        of any length\n"
                "ndjson  one log on each line\n"
                "csv     the first line names the members, in any order (RFC 4180,\n"
                "        comma, UTF-8). An empty cell leaves a number or a time out. A\n"
                "        column that no log has is refused without --ignore-unknown\n"
                "What is compressed with gzip is inflated. Logs are checked as the service checks them.\n"
                "\n"
                "A record that is no log ends the import with its line and what is wrong; --skip-bad counts it and "
                "goes on. Text that is not the format at all ends it in any case. Until then logs are stored by the "
                "5000, those of a file's last part when its end is read.\n"
                "\n"
                "Run it again after an error, a signal, or a crash, with the same file or with one to which logs were "
                "added at the end: what is stored is found and not counted again, under whatever name or format the "
                "same logs come, by either way. A log that was changed, put in or taken out makes all after it new, so "
                "import what --skip-bad left out from a file of its own; and a file that lost logs at its end since it "
                "was imported counts up to 4999 of its last ones again. Only what was imported is known: logs that "
                "came in otherwise, from workers or by demo, count twice when an export of them is imported here.\n"
                "\n"
                "Without --url the data folder's database is written, and analytics-ingest must not run. With --url "
                "(http://127.0.0.1:8080) the logs go through that service, with the API key (role worker or admin) on "
                "the first line of --key-file. While it can't be reached or answers 429 or 5xx, it is tried again for "
                "--retry-seconds (300) before the import ends. Exit status: 0 all is stored, 1 not all of it.\n"
                "--json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_FORMAT) | CTL_BIT(CTL_SKIP_BAD) | CTL_BIT(CTL_IGNORE_UNKNOWN) | CTL_BIT(CTL_JSON) |
                   CTL_BIT(CTL_URL) | CTL_BIT(CTL_KEY_FILE) | CTL_BIT(CTL_RETRY_SECONDS),
        .min_operands = 1,
        .max_operands = INT_MAX,
        .run = ctl_import,
    },
    {
        .name = "export",
        .usage = "--from DATE --to DATE --format csv|ndjson [--user-id N] [--order-id N]",
        .about = "Write the logs of a range to standard output, in order of time. Only reads, beside the service.",
        .more = "--from is included, --to is not; --to as a date alone goes to the end of that day. Any length of "
                "range. csv: RFC 4180, a first line of names, lines end with CRLF. ndjson: an object on each line. "
                "Members as POST /analytics/ingest takes them, so import reads either. Logs that come in meanwhile may "
                "be among them; those that were there before all are, each once.",
        .options =
            CTL_BIT(CTL_FROM) | CTL_BIT(CTL_TO) | CTL_BIT(CTL_FORMAT) | CTL_BIT(CTL_USER_ID) | CTL_BIT(CTL_ORDER_ID),
        .required = CTL_BIT(CTL_FROM) | CTL_BIT(CTL_TO) | CTL_BIT(CTL_FORMAT),
        .run = ctl_export,
    },
    {
        .name = "demo",
        .usage = "[--days N] [--logs N] [--seed N] [--until DATE] [--owner USER]",
        .about = "Fill a data folder that has no logs, made if need be, with believable traffic, to look at charts.",
        .more = "The last --days (30) days up to --until (now), --logs (200000) in all: 20 users with their orders, "
                "300 domains, nights and weekends, a customer that grows, an outage. The same --seed (1) and --until "
                "give the same logs. Folder and keys are made as by init; when root makes the folder and www-data "
                "exists, it becomes that user's, as whom ./serve runs, unless --owner names another.",
        .options = CTL_BIT(CTL_DAYS) | CTL_BIT(CTL_LOGS) | CTL_BIT(CTL_SEED) | CTL_BIT(CTL_UNTIL) | CTL_BIT(CTL_OWNER),
        .run = ctl_demo,
    },
};
#define COMMANDS (sizeof commands / sizeof *commands)

/* ---- speaking ---- */

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
    for (size_t i = 0; i < COMMANDS; i++) {
        int used = match_words(commands[i].name, words, count);
        if (used > 0) {
            *ret_used = used;
            return &commands[i];
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
    for (size_t i = 0; i < COMMANDS; i++)
        if (is_in_group(&commands[i], word))
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
    for (size_t i = 0; i < COMMANDS; i++)
        if (command ? command == &commands[i] : !group || is_in_group(&commands[i], group))
            print_command(&commands[i]);
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
        return ctl_misuse("option --%s is given twice", long_options[option].name);
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

/* Where --data says, else where the environment or the file of settings does. */
static int choose_data_dir(struct ctl *ctl, struct settings *settings)
{
    ctl->data_dir = ctl->option[CTL_DATA];
    if (ctl->data_dir)
        return *ctl->data_dir ? CTL_OK : ctl_misuse("--data is empty");
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
    struct settings settings = {0};
    ctl->operand += used;
    ctl->operand_count -= used;
    int status = check_options(command, ctl);
    if (!status)
        status = check_operands(command, ctl);
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
