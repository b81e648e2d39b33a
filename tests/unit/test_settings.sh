#!/usr/bin/env bash
# test_settings.sh: the file of settings, the environment and the command line, by --check-config and analyticsctl config:
# their precedence, and the message for each fault. Starts no service.
#
# Seen to fail:
#   environment read before the file -> "FAIL the environment goes before the file: threads=9 from FILE:1"
#   no check for a second line -> "FAIL twice in the file: exit 0: analytics-ingest: the settings are good"
#   default of wal_limit_mib changed -> "FAIL the shipped file tells the default of wal_limit_mib: 1024"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for name in $(compgen -e ANALYTICS_ || true); do unset "$name"; done
conf=$tmp/analytics.conf
ingest=$BUILD/analytics-ingest query=$BUILD/analytics-query ctl=$BUILD/analyticsctl

# setting NAME [VARIABLE=VALUE…]: "value from origin", from the file $conf and the environment.
setting() {
    local name=$1
    shift
    env "$@" "$ctl" --config "$conf" config 2>&1 | sed -n -E "s|^$name +([^ ]*) +(.*)|\1 from \2|p" | sed "s|$conf|FILE|"
}

is() { # WHAT EXPECTED GOT
    verdict "$1" "$([ "$3" = "$2" ] || echo "$3, not $2")"
}

# ---- precedence

printf 'threads = 7\ndata=/srv/data # where it is\n' >"$conf"
is 'a default' '1024 from default' "$(setting wal_limit_mib)"
is 'the file goes before the default' '7 from FILE:1' "$(setting threads)"
is 'a comment behind a value' '/srv/data from FILE:2' "$(setting data)"
is 'the environment goes before the file' "9 from \$ANALYTICS_THREADS" "$(setting threads ANALYTICS_THREADS=9)"
is 'an empty variable is none' '7 from FILE:1' "$(setting threads ANALYTICS_THREADS=)"
is 'the data folder from the environment' "/x from \$ANALYTICS_DATA" "$(setting data ANALYTICS_DATA=/x)"
printf '\n  # a comment\n\tthreads\t=\t8\t\r\n\nlog_level = warn' >"$conf"
is 'blanks, comments, CR and no newline at the end' '8 from FILE:3' "$(setting threads)"
is 'the last line without a newline' 'warn from FILE:5' "$(setting log_level)"
is 'the file that the environment names' '8' "$(ANALYTICS_CONFIG=$conf "$ctl" config --json | sed 's/.*"threads","value":"\([0-9]*\).*/\1/')"
is '--data goes before all' '/y from --data' "$(ANALYTICS_DATA=/x "$ctl" --config "$conf" --data /y config | sed -n -E 's|^data +([^ ]*) +(.*)|\1 from \2|p')"
is 'an empty file' '64 from default' "$(: >"$conf" && setting threads)"

# ---- faults: exit 2, and a line that says where, what, and what is allowed

refuse() { # WHAT WORDS COMMAND…: the words are the whole of standard error; FILE stands for the file's path
    local what=$1 words=$2 got status=0
    shift 2
    got=$("$@" 2>&1 >/dev/null) || status=$?
    got=${got//"$conf"/FILE}
    verdict "$what" "$([ "$status" = 2 ] && [ "$got" = "$words" ] || echo "exit $status: $got")"
}
in_file() { # WHAT LINES WORDS
    printf %b "$2" >"$conf"
    refuse "$1" "$3" "$ingest" --config "$conf" --check-config
}
known='data, threads, query_timeout_ms, users_see_network, idempotency_days, wal_limit_mib, raw_days, hour_days, day_days, log_level, engine'
known+=$(printf ', clickhouse_%s' urls database cluster user password_file reports_user reports_password_file ca_file node ship_ms \
    spool_limit_mib timeout_ms)
in_file 'an unknown setting' 'data = /x\nthread = 8\n' 'analytics-ingest: FILE:2: there is no setting "thread"; there are '"$known"
in_file 'a bad number' 'data = /x\n\nthreads = 257\n' 'analytics-ingest: FILE:3: threads must be an integer from 1 to 256, but is "257"'
in_file 'a setting of the other program' 'data = /x\nquery_timeout_ms = 1s\n' 'analytics-ingest: FILE:2: query_timeout_ms must be an integer from 1 to 3600000, but is "1s"'
in_file 'a bad switch' 'data = /x\nusers_see_network = true\n' 'analytics-ingest: FILE:2: users_see_network must be yes or no, but is "true"'
in_file 'a bad level' 'data = /x\nlog_level = all\n' 'analytics-ingest: FILE:2: log_level must be debug, info, warn or error, but is "all"'
in_file 'an engine that there is not' 'data = /x\nengine = mysql\n' 'analytics-ingest: FILE:2: engine must be sqlite or clickhouse, but is "mysql"'
in_file 'clickhouse without servers' 'data = /x\nengine = clickhouse\n' 'analytics-ingest: the engine clickhouse needs clickhouse_urls, such as http://ch1:8123,http://ch2:8123'
in_file 'retention that clickhouse would not do' 'data = /x\nengine = clickhouse\nclickhouse_urls = http://a:1\nraw_days = 30\n' 'analytics-ingest: hour_days and day_days must equal raw_days with the engine clickhouse, whose sums go with the logs'
in_file 'a server that is no URL' 'data = /x\nengine = clickhouse\nclickhouse_urls = ch1:8123\n' 'analytics-ingest: clickhouse_urls: "ch1:8123" must be http://HOST:PORT or https://HOST:PORT'
in_file 'shards without a cluster' 'data = /x\nengine = clickhouse\nclickhouse_urls = http://a:1 http://b:1\n' 'analytics-ingest: clickhouse_urls has 2 shards, so clickhouse_cluster must name their cluster'
in_file 'a database that would be SQL' 'data = /x\nengine = clickhouse\nclickhouse_urls = http://a:1\nclickhouse_database = a;b\n' 'analytics-ingest: clickhouse_database and clickhouse_cluster must be names of letters, digits and _ that begin with no digit'
in_file 'no equals sign' 'data /x\n' 'analytics-ingest: FILE:1: a line must be "name = value", but is "data /x"'
in_file 'an empty value' 'data =\n' 'analytics-ingest: FILE:1: data must be an absolute path in this file, but is ""'
in_file 'a relative folder' 'data = x\n' 'analytics-ingest: FILE:1: data must be an absolute path in this file, but is "x"'
in_file 'twice in the file' 'data = /x\nthreads = 8\nthreads = 8\n' 'analytics-ingest: FILE:3: threads must stand in the file once, but stands there again'
in_file 'a NUL byte' 'data = /x\nthreads = \0008\n' 'analytics-ingest: FILE:2: a line must have no NUL byte, but this one has'
in_file 'a control character' 'data = /x\n\033[2J = 1\n' 'analytics-ingest: FILE:2: there is no setting "?[2J"; there are '"$known"
in_file 'all that is wrong at once' 'data = /x\nthreads = 0\nwal_limit_mib = x\n' 'analytics-ingest: FILE:2: threads must be an integer from 1 to 256, but is "0"
analytics-ingest: FILE:3: wal_limit_mib must be an integer from 1 to 65536, but is "x"'
in_file 'no data folder' 'threads = 8\n' 'analytics-ingest: no data folder is set: give --data DIR, set ANALYTICS_DATA, or write data = DIR into the file of settings'
in_file 'what is wrong together' 'data = /x\nraw_days = 30\nhour_days = 7\n' 'analytics-ingest: hour_days must be at least raw_days, which is 30, but is 7 (finer data cannot outlive coarser)'
in_file 'a very long line' "data = /x\nthreads = $(printf '%05000d' 0)\n" "analytics-ingest: FILE:2: threads must be an integer from 1 to 256, but is \"$(printf '%060d' 0)…\""
printf 'data = /x\n' >"$conf"
refuse 'a bad variable' "analytics-ingest: \$ANALYTICS_THREADS must be an integer from 1 to 256, but is \"many\"" \
    env ANALYTICS_THREADS=many "$ingest" --config "$conf" --check-config
refuse 'a bad option' 'analytics-ingest: --threads must be an integer from 1 to 256, but is "0"' "$ingest" --config "$conf" --threads 0 --check-config
refuse 'an option without its value' 'analytics-ingest: --threads needs a value: see --help' "$ingest" --config "$conf" --threads
refuse 'an unknown option' 'analytics-query: unknown option "--thraeds": see --help' "$query" --thraeds 5 --config "$conf"
refuse 'an option of the other program' 'analytics-query: unknown option "--threads": see --help' "$query" --config "$conf" --threads 5
refuse 'no such file' "analytics-query: can't read $tmp/none: No such file or directory" "$query" --config "$tmp/none" --check-config
refuse 'a folder' "analytics-query: can't read $tmp: Is a directory" "$query" --config "$tmp" --data /x --check-config
printf 'data = x\n' >"$conf"
refuse 'analyticsctl says it too' 'analyticsctl: FILE:1: data must be an absolute path in this file, but is "x"' "$ctl" --config "$conf" key list
refuse 'and analyticsctl config' 'analyticsctl: FILE:1: data must be an absolute path in this file, but is "x"' "$ctl" --config "$conf" config

# ---- a read-only data folder, as a unit sees it without ReadWritePaths=

mkdir "$tmp/ro"
read_only() { # COMMAND…: runs it with a folder that is read-only for this command
    # shellcheck disable=SC2016 # that shell expands them
    unshare --mount --propagation private bash -c 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"' - "$tmp/ro" "$@"
}
words="$tmp/ro is mounted read-only; under systemd, name it in ReadWritePaths= of analytics-ingest.service and analytics-query@.service (analytics.conf(5) shows how)"
if read_only true 2>/dev/null; then
    refuse 'a read-only data folder' "analytics-ingest: $words" read_only "$ingest" --data "$tmp/ro" --check-config
    verdict 'reports are read there' "$(read_only "$query" --data "$tmp/ro" --check-config 2>&1 | grep -v 'the settings are good')"
    says_read_only() { # WHAT LINE COMMAND…: its output has this line
        local what=$1 line=$2
        shift 2
        verdict "$what" "$({ read_only "$@" || true; } 2>&1 | contains -F -- "$line" || echo 'has other words')"
    }
    says_read_only 'init says it too' "analyticsctl: $words" "$ctl" --data "$tmp/ro" init
    says_read_only 'and of a folder to make' "analyticsctl: ${words/ is//new is}" "$ctl" --data "$tmp/ro/new" init
    says_read_only 'and doctor' "FAIL  disk      $tmp/ro is mounted read-only" "$ctl" --data "$tmp/ro" doctor
else
    echo 'skipped: a read-only folder needs root'
fi

# ---- another data folder without ReadWritePaths=: doctor asks systemctl, which is a script here
# Seen to fail: no signs are skipped -> "the unit's folder, with signs"; no end of a name -> "a neighbour of it"

mkdir "$tmp/bin" "$tmp/served"
ln -s served "$tmp/linked"
printf 'data = %s\n' "$tmp/served" >"$conf"
# shellcheck disable=SC2016 # that shell expands them
printf '#!/bin/sh\n[ "$1" = show ] && printf "%%b" "$PROPERTIES"\n' >"$tmp/bin/systemctl"
chmod 755 "$tmp/bin/systemctl"
doctor() { # PROPERTIES OPTION…: its lines about systemd
    PROPERTIES=$1 PATH=$tmp/bin:$PATH "$ctl" --config "$conf" "${@:2}" doctor 2>&1 | grep ' systemd ' || true
}
says() { # WHAT LINE PROPERTIES OPTION…
    local said
    said=$(doctor "${@:3}")
    verdict "$1" "$(if [ -z "$2" ]; then printf %s "$said"; else grep -qF -- "$2" <<<"$said" || echo "no '$2' in: $said"; fi)"
}
strict='ProtectSystem=strict\nStateDirectory=fonproxy-analytics\nReadWritePaths='
says 'a folder that no unit may write to' "FAIL  systemd   analytics-ingest.service may not write to $tmp/served — run systemctl edit" "$strict\n"
says 'the reports, too' 'FAIL  systemd   analytics-query@1.service' "$strict\n"
says 'a folder that the units may write to' "ok    systemd   analytics-ingest.service may write to $tmp/served" "$strict$tmp/served\n"
says 'a folder above it' 'ok    systemd ' "$strict/nowhere $tmp/\n"
says "the unit's folder, with signs" 'ok    systemd ' "$strict-/nowhere -+$tmp/served\n"
says 'a link to it' 'ok    systemd ' "$strict$tmp/linked\n"
says 'a neighbour of it' 'FAIL  systemd ' "$strict$tmp/serve $tmp/served2 $tmp/served/below\n"
says 'a unit that may write anywhere' '' 'ProtectSystem=full\nReadWritePaths=\n'
says 'no such unit' '' 'ProtectSystem=no\nReadWritePaths=\nStateDirectory=\n'
says 'no systemd' '' ''
says 'a folder of ./serve' '' "$strict\n" --data "$tmp/served"
printf 'data = %s\n' /var/lib/fonproxy-analytics >"$conf"
says "the package's own folder" 'ok    systemd   analytics-query@1.service may write to /var/lib/fonproxy-analytics' "$strict\n"

# ---- the engine clickhouse without its drop-in; lines as systemd 252 prints them
# Seen to fail: PrivateNetwork= is not looked at -> "the units as they are"; "~" permits nothing -> "a unit without limits"

network='LoadState=loaded\nPrivateNetwork=no\nRestrictAddressFamilies='
says 'the embedded engine' '' "$network\n"
printf '%s\n' 'engine = clickhouse' 'clickhouse_urls = http://127.0.0.1:1' >>"$conf"
says 'the units as they are' 'FAIL  systemd   analytics-ingest.service may not connect to ClickHouse: it has no network — install the drop-in clickhouse.conf (docs/scaling.md,' \
    "${network/=no/=yes}\n"
says 'the reports as they are' 'FAIL  systemd   analytics-query@1.service' "${network/=no/=yes}\n"
says 'with the drop-in' 'ok    systemd   analytics-ingest.service may connect to ClickHouse' "${network}AF_UNIX AF_INET AF_INET6\n"
says 'a network of its own' 'FAIL  systemd ' "${network/=no/=yes}AF_UNIX AF_INET AF_INET6\n"
says 'no family of addresses' 'FAIL  systemd ' "$network\n"
says 'another family' 'FAIL  systemd ' "${network}AF_UNIX AF_INETX\n"
says 'all families but one of these' 'FAIL  systemd ' "$network~AF_INET\n"
says 'all families but another' 'ok    systemd ' "$network~AF_PACKET\n"
says 'a unit without limits' 'ok    systemd ' "$network~\n"
says 'no such unit' '' "${network/loaded/not-found}~\n"

# ---- good settings

accept() { # WHAT WORDS COMMAND…
    local what=$1 words=$2 got status=0
    shift 2
    got=$("$@" 2>&1) || status=$?
    verdict "$what" "$([ "$status" = 0 ] && [ "${got//"$conf"/FILE}" = "$words" ] || echo "exit $status: $got")"
}
printf 'data = /x\n' >"$conf"
accept '--check-config' 'analytics-ingest: the settings are good: FILE' "$ingest" --check-config --config "$conf"
accept '--name=value' 'analytics-ingest: the settings are good: FILE' "$ingest" --check-config "--config=$conf" --threads=256
accept 'an empty file and an option' 'analytics-query: the settings are good: /dev/null' "$query" --check-config --config /dev/null --data x

# ---- the file that is installed

cp config/analytics.conf "$conf"
accept 'the shipped file is good' 'analytics-ingest: the settings are good: FILE' "$ingest" --check-config --config "$conf"
while read -r name value origin; do
    [ "$name" != SETTING ] && [ "$name" != The ] || continue
    if [ "$name" = data ]; then
        is 'the data folder of the shipped file' '/var/lib/fonproxy-analytics' "$value"
    elif [ "$value" = not ]; then # "not set": the file has only an example
        verdict "the shipped file has an example of $name" "$(grep -q "^#$name = ." "$conf" || echo none)"
        verdict "--help tells of $name" "$({ "$ingest" --help && "$query" --help; } | grep -- "^  --${name//_/-} " >/dev/null || echo no)"
    else
        verdict "the shipped file tells the default of $name" "$(grep -qx "#$name = $value" "$conf" && [ "$origin" = default ] || echo "$value")"
        verdict "--help tells the default of $name" "$({ "$ingest" --help && "$query" --help; } | grep -- "^  --${name//_/-} .*default $value)" >/dev/null || echo "$value")"
    fi
done < <("$ctl" --config "$conf" config)
sed -i 's/^#\([a-z_]* = \)/\1/' "$conf"
accept 'and with every line of it in force' 'analytics-query: the settings are good: FILE' "$query" --check-config --config "$conf"
verdict 'config --json is one JSON object' "$("$ctl" --config "$conf" config --json >"$tmp/json" &&
    sqlite3 :memory: "SELECT json_valid(readfile('$tmp/json'))" 2>&1 | grep -vx 1 || true)"
finish
