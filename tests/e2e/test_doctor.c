/* test_doctor.c: analyticsctl doctor with the running service, and with one thing broken at a time: doctor names this
 * fault and no other. Each fault is mended again. */
#include "support/stack.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char out[32768];

/* Runs doctor. Returns its exit status; its output is in `out`. $D is the data folder, $U the URL. */
static int doctor_with(const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof command,
             "D='%s/data'; U=http://127.0.0.1:%d; \"$ANALYTICSCTL\" --data \"$D\" doctor --sockets \"$D/run\" %s 2>&1",
             shared.dir, shared.port, arguments);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t n = fread(out, 1, sizeof out - 1, pipe);
    out[n] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int doctor(const char *arguments)
{
    char all[256];
    snprintf(all, sizeof all, "--url $U %s", arguments);
    return doctor_with(all);
}

static void shell(const char *words)
{
    char command[1024];
    snprintf(command, sizeof command, "set -e; D='%s/data'; %s", shared.dir, words);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static int count(const char *words)
{
    int found = 0;
    for (const char *at = out; (at = strstr(at, words)); at += strlen(words))
        found++;
    return found;
}

START_TEST(all_is_well)
{
    static const char *const lines[] = {
        "ok    version ", "ok    folder ", "ok    files ",    "ok    disk ", "ok    ingest ", "ok    query ",
        "ok    url ",     "ok    wal ",    "ok    database ", "ok    keys ", "ok    nginx ",
    };
    ck_assert_msg(doctor("") == 0, "%s", out);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(out, lines[i]) != NULL, "no '%s' in\n%s", lines[i], out);
    ck_assert_int_eq(count("FAIL"), 0);
    ck_assert_int_eq(doctor("--json"), 0);
    json_object *result = json_tokener_parse(out), *value = NULL;
    ck_assert_msg(result != NULL, "%s", out);
    ck_assert(json_object_object_get_ex(result, "ok", &value) && json_object_get_boolean(value));
    ck_assert_str_eq(member(result, "failures"), "0");
    json_object_put(result);
}
END_TEST

/* A fault, the line that doctor must print for it, and the number of all FAIL lines. */
static const struct {
    const char *break_it, *mend_it, *line;
    int status, failures;
} rows[] = {
    {"chmod 750 $D", "chmod 700 $D", "is open to other users (mode 0750)", 1, 1},
    {"chmod 644 $D/analytics.db", "chmod 600 $D/analytics.db", "analytics.db is open to other users (mode 0644)", 1, 1},
    {"chmod 640 $D/keys.db $D/keys/admin.key", "chmod 600 $D/keys.db $D/keys/admin.key",
     "keys/admin.key is open to other users", 1, 2},
    {"mv $D/keys.db $D/kept", "mv $D/kept $D/keys.db", "warn  keys      there is no keys.db", 0, 0},
    {"mv $D/keys.db $D/kept; echo damaged damaged damaged >$D/keys.db; chmod --reference=$D/kept $D/keys.db;"
     " chown --reference=$D/kept $D/keys.db",
     "mv $D/kept $D/keys.db", "FAIL  keys ", 1, 1},
    {"mv $D/analytics.db $D/kept", "mv $D/kept $D/analytics.db", "FAIL  database ", 1, 5},
    {"mv $D/run/query.sock $D/kept", "mv $D/kept $D/run/query.sock", "FAIL  query ", 1, 2},
    {"mv $D/run/query.sock $D/kept; : >$D/run/query.sock", "mv $D/kept $D/run/query.sock", "query.sock is no socket", 1,
     2},
    {"chmod 666 $D/run/ingest.sock", "chmod 660 $D/run/ingest.sock", "ingest.sock is open to everyone (mode 0666)", 1,
     1},
    {"mkdir -p $D/restore.ready", "rmdir $D/restore.ready", "warn  files     a restore was interrupted", 0, 0},
};

START_TEST(one_thing_broken)
{
    shell(rows[_i].break_it);
    int status = doctor("");
    shell(rows[_i].mend_it);
    ck_assert_msg(strstr(out, rows[_i].line) != NULL, "no '%s' in\n%s", rows[_i].line, out);
    ck_assert_msg(count("FAIL") == rows[_i].failures, "%s", out);
    ck_assert_msg(status == rows[_i].status, "status %d:\n%s", status, out);
    ck_assert_msg(doctor("") == 0, "not mended:\n%s", out);
}
END_TEST

/* A socket of another user and group: nginx answers 503, and doctor says why. */
START_TEST(nginx_is_kept_out)
{
    if (geteuid() != 0) {
        puts("skipped: a socket of another user needs root");
        return;
    }
    shell("stat -c %u:%g $D/run/query.sock >$D/owner; chown 0:0 $D/run/query.sock; chmod 600 $D/run/query.sock");
    int status = doctor("");
    shell("chown $(cat $D/owner) $D/run/query.sock; chmod 660 $D/run/query.sock; rm $D/owner");
    ck_assert_int_eq(status, 1);
    ck_assert_msg(strstr(out, "query.sock is of group root, mode 0600") != NULL, "%s", out);
    ck_assert_msg(strstr(out, "/analytics/health answers 503: analytics-query does not answer") != NULL, "%s", out);
    ck_assert_int_eq(count("FAIL"), 2);
}
END_TEST

/* A second nginx of another user, which may not use our sockets, and whose worker is older than ours. */
#define START_DECOY                                                                                                    \
    "mkdir $D/decoy; chmod 755 $D/decoy; printf '%s\\n' 'user nobody nogroup;' 'pid decoy.pid;'"                       \
    " 'error_log error.log;' 'worker_processes 1;' 'events {}' 'http {' 'access_log off;'"                             \
    " 'client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;'"                                 \
    " 'uwsgi_temp_path uwsgi; scgi_temp_path scgi;' 'server { listen unix:decoy.sock; return 204; }' '}'"              \
    " >$D/decoy/nginx.conf; nginx -p $D/decoy -e error.log -c nginx.conf; nginx=$(cat $D/run/nginx.pid);"              \
    " old=$(grep -lsE \"^PPid:[[:space:]]+$nginx$\" /proc/[0-9]*/status | cut -d/ -f3); kill -HUP $nginx;"             \
    " for i in $(seq 100); do alive=; for pid in $old; do [ ! -d /proc/$pid ] || alive=yes; done;"                     \
    " [ -n \"$alive\" ] || break; sleep 0.1; done; [ -z \"$alive\" ]"
#define STOP_DECOY                                                                                                     \
    "pid=$(cat $D/decoy/decoy.pid); kill $pid; for i in $(seq 100); do [ -d /proc/$pid ] || break; sleep 0.1; done;"   \
    " rm -r $D/decoy"

START_TEST(another_nginx_is_not_blamed)
{
    if (geteuid() != 0) {
        puts("skipped: an nginx of another user needs root");
        return;
    }
    char port[32];
    snprintf(port, sizeof port, ", port %d) may use ", shared.port);
    shell(START_DECOY);
    int with_url = doctor("");
    int fails = count("FAIL"), named = count(port);
    int without_url = doctor_with("");
    shell("chmod 600 $D/run/query.sock; chown 0:0 $D/run/query.sock");
    doctor_with("");
    shell("chown --reference=$D/run/ingest.sock $D/run/query.sock; chmod 660 $D/run/query.sock; " STOP_DECOY);
    ck_assert_int_eq(with_url, 0);
    ck_assert_int_eq(fails, 0);
    ck_assert_int_eq(named, 2);
    ck_assert_int_eq(without_url, 0);
    ck_assert_msg(strstr(out, "nginx run here, and none of them can reach ") && strstr(out, "give --url"), "%s", out);
}
END_TEST

/* $P: a port. */
#define START_TLS                                                                                                      \
    "mkdir $D/tls; cd $D/tls; openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout key"       \
    " -out cert 2>/dev/null; printf '%s\\n' 'pid tls.pid;' 'error_log error.log;' 'events {}' 'http {'"                \
    " 'access_log off;' 'client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;'"               \
    " 'uwsgi_temp_path uwsgi; scgi_temp_path scgi;' \"server { listen 127.0.0.1:$P ssl;\""                             \
    " 'ssl_certificate cert; ssl_certificate_key key; return 200; }' '}' >nginx.conf;"                                 \
    " nginx -p $D/tls -e error.log -c nginx.conf"
#define STOP_TLS                                                                                                       \
    "pid=$(cat $D/tls/tls.pid); kill $pid; for i in $(seq 600); do [ -d /proc/$pid ] || break; sleep 0.1; done;"       \
    " rm -r $D/tls"

/* A server with a certificate that nobody trusts is not "nginx does not run". Seen to fail: no second try that ignores
 * the certificate, "FAIL  url ". */
START_TEST(a_certificate_that_is_not_trusted)
{
    char words[1024], arguments[64];
    int port = stack_free_port();
    snprintf(words, sizeof words, "P=%d; %s", port, START_TLS);
    shell(words);
    snprintf(arguments, sizeof arguments, "--url https://127.0.0.1:%d", port);
    doctor_with(arguments);
    shell(STOP_TLS);
    ck_assert_msg(strstr(out, "warn  url ") && strstr(out, "if the certificate is your own"), "%s", out);
    ck_assert_msg(strstr(out, "ok    url ") && !strstr(out, "FAIL  url "), "%s", out);
}
END_TEST

/* Programs that are stopped (SIGSTOP), so that they answer nothing. */
START_TEST(programs_that_hang)
{
    pid_t pids[STACK_MAX_PROCESSES];
    size_t number = stack_processes(&shared, "analytics-ingest", pids);
    ck_assert_uint_eq(number, 1);
    stack_freeze(pids);
    int status = doctor("");
    ck_assert_int_eq(kill(pids[0], SIGCONT), 0);
    ck_assert_int_eq(status, 1);
    ck_assert_msg(strstr(out, "ingest.sock: no answer in 5 s") != NULL, "%s", out);
    ck_assert_msg(doctor("") == 0, "%s", out);
}
END_TEST

START_TEST(keys_that_end)
{
    char *text = stack_ctl(&shared, "key add --role worker --name soon --expires \"$(date -u -d '3 days' +%F)\"");
    long id = strtol(text + strlen("Key "), NULL, 10);
    char rotate[64];
    free(text);
    ck_assert_msg(doctor("") == 0 && strstr(out, "warn  keys      key ") && strstr(out, "\"soon\") ends at "), "%s",
                  out);
    snprintf(rotate, sizeof rotate, "key rotate %ld --expires 2099-01-01", id);
    free(stack_ctl(&shared, rotate));
    ck_assert_msg(doctor("") == 0 && !strstr(out, "\"soon\") ends at "), "%s", out);
}
END_TEST

START_TEST(nothing_is_there)
{
    char command[256];
    snprintf(command, sizeof command, "\"$ANALYTICSCTL\" --data '%s/none' doctor --sockets '%s/none' >/dev/null 2>&1",
             shared.dir, shared.dir);
    int status = system(command);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    ck_assert_int_eq(system("\"$ANALYTICSCTL\" doctor --url ftp://x >/dev/null 2>&1") >> 8, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor");
    TCase *tcase = suite_case(suite, "doctor");
    tcase_add_unchecked_fixture(tcase, stack_start_shared, stack_stop_shared);
    tcase_add_test(tcase, all_is_well);
    tcase_add_loop_test(tcase, one_thing_broken, 0, ROWS(rows));
    tcase_add_test(tcase, nginx_is_kept_out);
    tcase_add_test(tcase, another_nginx_is_not_blamed);
    tcase_add_test(tcase, a_certificate_that_is_not_trusted);
    tcase_add_test(tcase, programs_that_hang);
    tcase_add_test(tcase, keys_that_end);
    tcase_add_test(tcase, nothing_is_there);
    return suite_run(suite);
}
