#!/usr/bin/env bash
# container.sh: what a container of the image runs. Makes what is missing in the data folder, shows the keys that the first
# start makes, and goes over to supervise.sh. Knows the image's folders, the environment and secrets. Knows no engine.
#
# ANALYTICS_THREADS and the other settings of analytics.conf(5) reach the programs as they are. Of this script's own:
#   ANALYTICS_QUERY_PROCESSES  processes that answer reports, 1 to 1000 (4)
#   ANALYTICS_RATE_INGEST      batches a second per key, 1 to 1000000 (1000)
#   ANALYTICS_RATE_READS       reads a second per key, 1 to 1000000 (200)
#   ANALYTICS_AUTH             nginx configuration that says who is asking (default: analytics-auth-keys.conf)
# and the secrets analytics_admin_key and analytics_worker_key: API keys to use instead of new ones.
set -euo pipefail
trap 'exit 143' TERM INT HUP # the first process has no default for them
exec >&2                     # one log
umask 077
DATA=${ANALYTICS_DATA:?}
SECRETS=/run/secrets
export NGINX_CONF=/usr/share/fonproxy-analytics/nginx

die() {
    printf 'fonproxy-analytics: %s\n' "$*"
    exit 1
}

# number VARIABLE VALUE MAX
number() {
    [[ $2 =~ ^[1-9][0-9]{0,6}$ ]] && [ "$2" -le "$3" ] || die "\$$1 must be an integer from 1 to $3, but is \"$2\""
}

check_settings() {
    local program words
    number ANALYTICS_QUERY_PROCESSES "$QUERY_PROCESSES" 1000
    number ANALYTICS_RATE_INGEST "$RATE_INGEST" 1000000
    number ANALYTICS_RATE_READS "$RATE_READS" 1000000
    [ -r "$AUTH" ] || die "can't read \$ANALYTICS_AUTH, $AUTH"
    for program in analytics-ingest analytics-query; do
        words=$("$program" --config /dev/null --check-config 2>&1) || die "$words"
    done
}

check_data() {
    local user group
    user=$(id -u) group=$(id -g)
    [ -d "$DATA" ] || die "there is no folder $DATA: mount a volume there"
    [ -r "$DATA" ] && [ -w "$DATA" ] && [ -x "$DATA" ] ||
        die "user $user can't write to the volume at $DATA, which is user $(stat -c %u "$DATA")'s, mode $(stat -c %a "$DATA");" \
            "on the host, run: chown -R $user:$group FOLDER, with the folder that is mounted there"
}

# Makes what is missing. A key file that was not there before is shown, once: at the next start it is there.
make_data() {
    local role file shown=() options=()
    for role in admin worker; do
        [ ! -e "$SECRETS/analytics_${role}_key" ] || options+=("--$role-key" "$SECRETS/analytics_${role}_key")
        [ -e "$DATA/keys/$role.key" ] || shown+=("$role")
    done
    analyticsctl init "${options[@]}" >/dev/null
    for role in "${shown[@]}"; do
        file=$DATA/keys/$role.key
        [ ! -e "$file" ] || printf 'New API key of role %s, shown this once and kept in %s:\n%s\n' "$role" "$file" "$(<"$file")"
    done
}

export AUTH=${ANALYTICS_AUTH:-$NGINX_CONF/analytics-auth-keys.conf} QUERY_PROCESSES=${ANALYTICS_QUERY_PROCESSES:-4}
export RATE_INGEST=${ANALYTICS_RATE_INGEST:-1000} RATE_READS=${ANALYTICS_RATE_READS:-200}
check_settings
check_data
make_data
export DATA SHOWN_DATA=$DATA BIN=/usr/bin ADDRESS=0.0.0.0 PORT=8080
export READY="Serving on port $PORT of the container; the dashboard is at /analytics/dashboard/."
exec /usr/lib/fonproxy-analytics/supervise.sh
