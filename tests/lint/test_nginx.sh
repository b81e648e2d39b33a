#!/usr/bin/env bash
# test_nginx.sh: nginx accepts every configuration of ours, alone and in the TLS example, and its limits are the
# program's.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
PATH=$PATH:/usr/sbin:/sbin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for tool in nginx openssl; do
    if ! command -v $tool >/dev/null; then
        echo "$tool is not installed"
        exit 77
    fi
done

# ---- limit.h and nginx say the same

limit() { # NAME: in bytes; understands N and (N << M)
    local text
    text=$(sed -n "s/^#define $1 \([^/]*\).*/\1/p" lib/base/limit.h | tr -d 'u')
    echo $((text))
}
bytes() { # nginx's 16m, 512k, 8192
    case $1 in
    *m) echo $((${1%m} * 1048576)) ;;
    *k) echo $((${1%k} * 1024)) ;;
    *) echo "$1" ;;
    esac
}
equal() { [ "$1" -eq "$2" ] || echo "$1 there, $2 in lib/base/limit.h"; }

body=$(sed -n '/location = .analytics.ingest /,/}/s/^ *client_max_body_size \([0-9]*[mk]\);/\1/p' nginx/analytics.conf)
verdict client_max_body_size "$(equal "$(bytes "$body")" "$(limit LIMIT_BODY_BYTES)")"
small=$(sed -n '/location = .analytics.ingest-small /,/}/s/^ *client_max_body_size \([0-9]*[mk]\);/\1/p' nginx/analytics.conf)
verdict 'client_max_body_size of small batches' "$(equal "$(bytes "$small")" "$(limit LIMIT_SMALL_BODY_BYTES)")"
for file in nginx/quickstart.conf.in nginx/tls-server.conf.example nginx/front-nodes.conf.example; do
    line=$(sed -n 's/^ *large_client_header_buffers [0-9]* \([0-9]*k\);.*/\1/p' "$file")
    needed=$(($(limit LIMIT_QUERY_STRING_BYTES) + 4096))
    verdict "$file" "$([ "$(bytes "$line")" -ge "$needed" ] || echo "a request line of $line is less than $needed bytes")"
done

# ---- nginx -t

accepts() { # NAME FILE
    mkdir -p "$dir/tmp"
    verdict "$1" "$(nginx -t -q -p "$dir" -c "$2" 2>&1 | grep -v 'the "user" directive makes sense only' || true)"
}
# A main configuration around the one to be tested. It has no ports, because other tests may use them.
around() {
    echo "pid $dir/pid; error_log stderr; events {} http {"
    for kind in client_body fastcgi proxy scgi uwsgi; do echo "${kind}_temp_path $dir/tmp;"; done
    cat
    echo '}'
}
here() { # our files, with what belongs to an installed system pointed into $dir
    sed -e "s|/var/log/nginx|$dir|; s|/usr/local/share/fonproxy-analytics/nginx|$dir|" \
        -e "s|/etc/ssl/analytics.example.com|$dir|" \
        -e "s|listen \[::\]:\([0-9]*\)|listen unix:$dir/6-\1.sock|; s|listen \([0-9]\+\)|listen unix:$dir/\1.sock|" "$1"
}
for file in nginx/*.conf nginx/*.example; do
    here "$file" >"$dir/${file##*/}"
done
here nginx/analytics-dashboard.conf.in | sed "s|@dashboarddir@|$PWD/nginx/dashboard|" >"$dir/analytics-dashboard.conf"
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=analytics.example.com \
    -keyout "$dir/privkey.pem" -out "$dir/fullchain.pem" 2>/dev/null

for auth in analytics-auth-keys.conf analytics-auth-own.conf.example; do
    around >"$dir/drop-in.conf" <<END
include $dir/analytics-upstream.conf;
include $dir/analytics-http.conf;
server { listen unix:$dir/drop-in.sock; include $dir/$auth; include $dir/analytics.conf; include $dir/analytics-dashboard.conf; }
END
    accepts "the drop-in with $auth" "$dir/drop-in.conf"
done
echo "include $dir/tls-server.conf.example;" | around >"$dir/tls.conf"
accepts 'the TLS example' "$dir/tls.conf"
echo "include $dir/front-nodes.conf.example;" | around >"$dir/front.conf"
accepts 'the example of a front' "$dir/front.conf"

# ---- no location where a request can end falls back to a log with the query in it

for file in nginx/analytics.conf nginx/analytics-dashboard.conf.in nginx/analytics-early-errors.conf; do
    verdict "$file" "$(awk '
        /^location/ { name = $0; access = internal = 0 }
        /^    access_log .*analytics buffer=64k flush=1s;$/ { access = 1 }
        /^    internal;$/ { internal = 1 }
        /^}/ && !access && !internal { print name " has no access_log of its own" }' "$file")"
done

finish
