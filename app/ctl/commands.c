/* commands.c: the table of analyticsctl's commands, with their help. Knows no command line and not what a command
 * does. */
#include "ctl/commands.h"
#include "db/files.h"

#include <limits.h>

#include "base/banned.h"

const struct command ctl_commands[] = {
    {
        .name = "config",
        .usage = "[--json]",
        .about = "Show all settings as the programs see them, and where each comes from. Invalid ones are reported.",
        .more = "It does not see the options on the programs' own command lines.\n"
                "--json: one JSON object on standard output.",
        .options = CTL_BIT(CTL_JSON),
        .run = ctl_config,
    },
    {
        .name = "init",
        .usage = "[--owner USER] [--admin-key FILE] [--worker-key FILE]",
        .about = "Make what is missing: the data folder, its databases, a first admin key and worker key in DIR/keys.",
        .more =
            "--admin-key, --worker-key: the key on the first line of FILE (fnp_ and 64 hex digits) instead of a new "
            "one. Another key there later is one more key.",
        .options = CTL_BIT(CTL_OWNER) | CTL_BIT(CTL_ADMIN_KEY) | CTL_BIT(CTL_WORKER_KEY),
        .run = ctl_init,
    },
    {
        .name = "status",
        .usage = "[--sizes] [--json]",
        .about = "Show what the database holds, how large it is, what came in lately, and who writes it.",
        .more = "To measure the tables it reads every page. Where that takes longer than 2 s, the sizes are left out "
                "unless --sizes is given. While it reads, the write-ahead log can only grow. Times are UTC.\n"
                "--json: the exact figures as one JSON object on standard output; null: not known.",
        .options = CTL_BIT(CTL_SIZES) | CTL_BIT(CTL_JSON),
        .run = ctl_status,
    },
    {
        .name = "doctor",
        .usage = "[--sockets DIR] [--url URL] [--json]",
        .about = "Check everything that the service needs, and say what to do about each fault. Best run as root.",
        .more =
            "It checks folder and files, disk room, the clock, both programs through their sockets in DIR (default: "
            "/run/fonproxy-analytics; for ./serve, data/run), nginx's right to use these, databases and keys. With "
            "--url, it also checks what nginx answers at URL/analytics/health; where several nginx run, it looks at "
            "the one that listens there. Each line is ok, warn or FAIL. The exit status is 1 if there is a FAIL.\n"
            "--json: the findings as one JSON object.",
        .options = CTL_BIT(CTL_SOCKETS) | CTL_BIT(CTL_URL) | CTL_BIT(CTL_JSON),
        .run = ctl_doctor,
    },
    {
        .name = "key add",
        .usage = "--role worker|user|admin [--user-id N] --name NAME [--expires DATE]",
        .about = "Make an API key and show it once, on the last line. The role user needs --user-id.",
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
        .about = "Make a key that replaces another, and show it once, on the last line.",
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
        .about =
            "Check the database: sum up all logs again and compare every rollup. It only reads, beside the service.",
        .more = "First comes SQLite's own check of the file: quick_check, and integrity_check of the tables with an "
                "index. It takes some seconds per GB; meanwhile, the write-ahead log can only grow. --skip-file-check "
                "leaves it out. All else is read in small pieces. The first 10 differences are shown, the others "
                "counted. Exit status: 0 all is well, 1 something differs, 2 the check could not be made. --json: the "
                "result "
                "as one JSON object on standard output. With the engine clickhouse it compares each block that was "
                "shipped in the last week with what every replica has of it.",
        .options = CTL_BIT(CTL_JSON) | CTL_BIT(CTL_SKIP_FILE_CHECK),
        .run = ctl_verify,
    },
    {
        .name = "blocks",
        .usage = "[--retry] [--json]",
        .about = "Show the blocks of logs that ClickHouse refused for what they hold, and why. Only with the engine "
                 "clickhouse.",
        .more = "Such a block is put aside in the spool, so that it does not hold up the others; reports do not count "
                "its logs. --retry lets all of them be sent again, once what was wrong is mended: stop "
                "analytics-ingest first. A block that is in ClickHouse already, or in part, is not sent.\n"
                "--json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_RETRY) | CTL_BIT(CTL_JSON),
        .run = ctl_blocks,
    },
    {
        .name = "move",
        .usage = "--to sqlite|clickhouse --into DIR [--json]",
        .about = "Copy all logs into the folder DIR, which another engine keeps, each once however often it is "
                 "interrupted. Stop analytics-ingest first; reports may go on.",
        .more =
            "DIR is made, or is that of a move that was interrupted. With --to clickhouse it becomes the spool of "
            "the servers that the settings name, whose tables must be empty; with --to sqlite it gets a database. "
            "Idempotency keys and what imports know come along. At the end, logs and sums are compared by day and "
            "user. The data folder itself is not changed: nothing is lost if the new one is removed.\n"
            "\n"
            "Then set data and engine, and copy " FILE_KEYS ". Where logs are no longer kept, their sums cannot move; "
            "the old folder still answers for that time. Where several machines take batches, let all of them "
            "ship what they have and stop, and move one of their folders.\n"
            "--json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_TO) | CTL_BIT(CTL_INTO) | CTL_BIT(CTL_JSON),
        .required = CTL_BIT(CTL_TO) | CTL_BIT(CTL_INTO),
        .run = ctl_move,
    },
    {
        .name = "rebuild",
        .usage = "[--json]",
        .about = "Make all rollups again from the logs. Stop analytics-ingest first; reports may go on.",
        .more = "Reports stay right meanwhile, but take longer; the longest may time out (503). It may be "
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
                "day always stays. --dry-run only shows what would be deleted, and may run beside the service. On a "
                "terminal, it asks before it deletes, unless --yes is given. It may be interrupted at any moment: "
                "run it again, or start analytics-ingest, which finishes the work. Reports leave out what is deleted "
                "from the first moment on. --json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_OLDER_THAN) | CTL_BIT(CTL_DRY_RUN) | CTL_BIT(CTL_JSON) | CTL_BIT(CTL_YES),
        .required = CTL_BIT(CTL_OLDER_THAN),
        .run = ctl_prune,
    },
    {
        .name = "delete",
        .usage = "[--user-id N] [--order-id N] [--domain NAME] [--worker NAME] [--batch N|N-N]\n"
                 "         [--import SOURCE] [--from DATE] [--to DATE] [--forget-keys] [--dry-run] [--vacuum]\n"
                 "         [--json] [--yes]",
        .about =
            "Take back the logs of which all that is given is true, as if they had never come. Stop analytics-ingest "
            "first; reports may go on.",
        .more =
            "--from is included, --to is not; --to as a date alone goes to the end of that day. --dry-run tells how "
            "many logs that are, their sums, their times and the batches that they came in, and may run beside the "
            "service. A terminal is told the same, and asked, unless --yes is given.\n"
            "\n"
            "Logs, rollups and totals are right about the logs that are left at each moment. It may be interrupted "
            "at any moment: run it again to finish it. Where logs are no longer kept, their sums know users, orders "
            "and domains, of whole days; what can't be taken out of them is told, and stays. Names that no log has "
            "any more are deleted too. Idempotency keys stay: a batch that is sent again is a replay, and an import of "
            "the same logs stores none. --forget-keys lets imports store the logs again. If --batch is the only "
            "condition, it also forgets the idempotency keys of these batches; with any other condition, a batch may "
            "have logs left that would be stored twice, so its key stays.\n"
            "\n"
            "What is deleted is overwritten in the file. --vacuum also writes the file anew, so that no copy is left "
            "in the gaps of its pages, from when rows moved; that takes as much room again for a while. Backups are "
            "not changed. --json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_USER_ID) | CTL_BIT(CTL_ORDER_ID) | CTL_BIT(CTL_DOMAIN) | CTL_BIT(CTL_WORKER) |
                   CTL_BIT(CTL_BATCH) | CTL_BIT(CTL_IMPORT) | CTL_BIT(CTL_FORGET_KEYS) | CTL_BIT(CTL_FROM) |
                   CTL_BIT(CTL_TO) | CTL_BIT(CTL_DRY_RUN) | CTL_BIT(CTL_VACUUM) | CTL_BIT(CTL_JSON) | CTL_BIT(CTL_YES),
        .run = ctl_delete,
    },
    {
        .name = "backup",
        .usage = "FILE [--force] [--json]",
        .operand = "FILE",
        .about = "Write both databases, as they are now, into one file, and check it. The service may go on.",
        .more =
            "FILE appears when it is whole, checked and on the disk; until then it is FILE.partial. It is a "
            "SQLite database like " FILE_LOGS ", with the API keys (hashed, as in " FILE_KEYS ") beside, and restore "
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
                "well. The keys are those of the backup: revoke again what was revoked since. It may be interrupted "
                "at any moment: then nothing has changed, or the next start of analytics-ingest finishes it (so does "
                "analyticsctl init). --json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_FORCE) | CTL_BIT(CTL_JSON),
        .min_operands = 1,
        .max_operands = 1,
        .run = ctl_restore,
    },
    {
        .name = "import",
        .usage = "[--format json|ndjson|csv] [--source NAME] [--overlap skip|count] [--skip-bad]\n"
                 "         [--ignore-unknown] [--json] [--url URL --key-file FILE [--retry-seconds N]] FILE...",
        .operand = "FILE",
        .about = "Store the logs of files, or of standard input (FILE is -), each once however often it is imported.",
        .more = "Formats, told by the name (.json, .ndjson, .jsonl, .csv, each with .gz or without) or by --format:\n"
                "json    bodies as POST /analytics/ingest takes them, one after the other,\n"
                "        of any length\n"
                "ndjson  one log on each line\n"
                "csv     the first line names the members, in any order (RFC 4180,\n"
                "        comma, UTF-8). An empty cell leaves a number or a time out.\n"
                "What is compressed with gzip is inflated. Logs are checked as the service checks them. "
                "A member or column that no log has is refused, since it may be a misspelt one; with --ignore-unknown "
                "it is ignored, and each such name is told once, with the number of records that had it.\n"
                "\n"
                "A log is known by its time and its content, so it counts once in whatever file, order or format it "
                "comes: files that overlap, that grew, that were rotated, concatenated or compressed, and the same "
                "file again after an error, a signal or a crash. Equal logs of one second count as often as one file "
                "has them. --source NAME tells programs apart that write equal logs: what is imported under one name "
                "is not compared with what is imported under another. Only what was imported is known: logs that came "
                "in otherwise, from workers or by demo, count twice when an export of them is imported here.\n"
                "\n"
                "It can't always be told whether a log was imported before. A file may end, and the next one begin, "
                "within a second, with equal logs on both sides. Or a second has logs in common with what is stored, "
                "and others in either. Then the import names the time, stores nothing of the file, and ends with "
                "status 1. --overlap=skip takes equal logs for the same ones, --overlap=count for others, for these "
                "seconds alone.\n"
                "\n"
                "A file is read to its end before any of it is stored, and lies meanwhile in a temporary file in "
                "TMPDIR (/var/tmp). A record that is no log ends the import with its line and what is wrong; "
                "--skip-bad counts it and goes on. Text that is not the format at all ends it in any case.\n"
                "\n"
                "Without --url the data folder's database is written, and analytics-ingest must not run. With --url "
                "(http://127.0.0.1:8080) the logs go through that service, with the API key (role worker or admin) on "
                "the first line of --key-file. While it can't be reached or answers 429 or 5xx, it is tried again for "
                "--retry-seconds (300) before the import ends. Exit status: 0 all is stored, 1 not all of it.\n"
                "--json: the result as one JSON object on standard output.",
        .options = CTL_BIT(CTL_FORMAT) | CTL_BIT(CTL_SOURCE) | CTL_BIT(CTL_OVERLAP) | CTL_BIT(CTL_SKIP_BAD) |
                   CTL_BIT(CTL_IGNORE_UNKNOWN) | CTL_BIT(CTL_JSON) | CTL_BIT(CTL_URL) | CTL_BIT(CTL_KEY_FILE) |
                   CTL_BIT(CTL_RETRY_SECONDS),
        .min_operands = 1,
        .max_operands = INT_MAX,
        .run = ctl_import,
    },
    {
        .name = "export",
        .usage = "--from DATE --to DATE --format csv|ndjson [--user-id N] [--order-id N]",
        .about = "Write the logs of a range to standard output, ordered by time. It only reads, beside the service.",
        .more = "--from is included, --to is not; --to as a date alone goes to the end of that day. Any length of "
                "range. csv: RFC 4180, a first line of names, lines end with CRLF. ndjson: an object on each line. "
                "Members as POST /analytics/ingest takes them, so import reads either. The logs that were there "
                "before are all written, each once; logs that come in meanwhile may be among them.",
        .options =
            CTL_BIT(CTL_FROM) | CTL_BIT(CTL_TO) | CTL_BIT(CTL_FORMAT) | CTL_BIT(CTL_USER_ID) | CTL_BIT(CTL_ORDER_ID),
        .required = CTL_BIT(CTL_FROM) | CTL_BIT(CTL_TO) | CTL_BIT(CTL_FORMAT),
        .run = ctl_export,
    },
    {
        .name = "demo",
        .usage = "[--days N] [--logs N] [--seed N] [--until DATE] [--owner USER]",
        .about = "Fill a data folder without logs with plausible traffic, to look at charts. A missing folder is made.",
        .more = "The last --days (30) days up to --until (now), --logs (200000) in all: 20 users with their orders, "
                "300 domains, nights and weekends, a customer that grows, an outage. The same --seed (1) and --until "
                "give the same logs. Folder and keys are made as by init. If root makes the folder, it belongs to "
                "www-data, as whom ./serve runs, where that user exists and --owner names no other.",
        .options = CTL_BIT(CTL_DAYS) | CTL_BIT(CTL_LOGS) | CTL_BIT(CTL_SEED) | CTL_BIT(CTL_UNTIL) | CTL_BIT(CTL_OWNER),
        .run = ctl_demo,
    },
};

const size_t ctl_command_count = sizeof ctl_commands / sizeof *ctl_commands;
