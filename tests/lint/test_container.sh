#!/usr/bin/env bash
# test_container.sh: Containerfile, compose.yaml and tools/container.sh agree with each other and with the tree. The image
# itself is built and run by `make check-container`.
#
# Seen to fail:
#   no libsodium23 in Containerfile -> "FAIL Containerfile: < libsodium23"
#   no `data` in .dockerignore -> "FAIL .dockerignore: lacks data"
#   another port in compose.yaml -> "FAIL port: 8081 in compose.yaml, 8080 in tools/container.sh"
#   ANALYTICS_RATE_READ in compose.yaml -> "FAIL compose.yaml: ANALYTICS_RATE_READ is no setting"
#   another interval in compose.yaml -> "FAIL health check: interval: 30s in Containerfile, 10s in compose.yaml"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
BUILD=${ANALYTICS_BUILDDIR:?is not set: run the tests through make check}

# ---- the packages are those of `packages`, and of the libraries that the programs are linked with

libraries() {
    local library
    for library in $(readelf -d "$BUILD"/analytics{ctl,-ingest,-query} | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u); do
        dpkg -S "*/lib/*-linux-gnu/$library" 2>/dev/null | sed 's/:.*//' | grep -v '^libc6$\|^libc6-' || true
    done
}
installed() { sed -n '/^FROM debian:bookworm-slim$/,/rm -rf/p' Containerfile | sed -n 's/^        \(.*\) \(\\\|&& \\\)$/\1/p' | tr ' ' '\n' | grep -v '^apt-get$\|^install$\|^-\|^&&$'; }
if command -v dpkg >/dev/null; then
    verdict Containerfile "$(diff <({ awk '$1 == "run" && $3 != "util-linux" { print $3 }' packages; libraries; } | sort -u) <(installed | sort) | grep '^[<>]' || true)"
fi

# ---- one port, one folder, one health check

port=$(sed -n 's/.* PORT=\([0-9]*\)\( .*\)*$/\1/p' tools/container.sh)
for file in Containerfile compose.yaml; do
    is=$(sed -n 's/^EXPOSE //p; s/.*"127\.0\.0\.1:[0-9]*:\([0-9]*\)".*/\1/p' $file)
    verdict port "$([ "$is" = "$port" ] || echo "$is in $file, $port in tools/container.sh")"
done
folder=$(sed -n 's/^VOLUME //p' Containerfile)
verdict 'the data folder' "$(grep -qx "ENV ANALYTICS_DATA=$folder" Containerfile || echo "is not the volume $folder")"
verdict 'the data folder' "$(grep -qx "      - data:$folder" compose.yaml || echo "$folder is not in compose.yaml")"
same() { # WHAT IN-CONTAINERFILE IN-COMPOSE
    verdict "health check: $1" "$([ -n "$2" ] && [ "$2" = "$3" ] || echo "$2 in Containerfile, $3 in compose.yaml")"
}
for time in interval timeout start-period; do
    same $time "$(sed -n "s/^HEALTHCHECK.*--$time=\([0-9a-z]*\).*/\1/p" Containerfile)" "$(sed -n "s/^      ${time/-/_}: //p" compose.yaml)"
done
asks=$(sed -n 's/^    CMD \(\[.*\]\)$/\1/p' Containerfile)
same command "$asks" "$(sed -n 's/^ *test: \["CMD", /[/p' compose.yaml)"
verdict 'health check' "$([[ $asks == *127.0.0.1:$port/* ]] || echo "does not ask port $port")"

# ---- names: settings, secrets, files

own=$(grep -oE 'ANALYTICS_(QUERY_PROCESSES|RATE_[A-Z]+|AUTH)' tools/container.sh | sort -u)
settings=$("$BUILD/analytics-ingest" --help | sed -n 's/^  --\([a-z-]*\) .*/ANALYTICS_\1/p' | tr a-z- A-Z_)
while read -r name; do
    verdict compose.yaml "$(grep -qx "$name" <<<"$own"$'\n'"$settings" || echo "$name is no setting")"
done < <(grep -oE 'ANALYTICS_[A-Z_]+' compose.yaml)
for name in $own analytics_admin_key analytics_worker_key; do
    verdict docs/operating.md "$(grep -q "$name" docs/operating.md || echo "does not tell $name")"
done
for role in admin worker; do
    verdict compose.yaml "$(grep -q "^#  analytics_${role}_key:" compose.yaml || echo "no secret for the $role key")"
done
for file in $(sed -n 's/^COPY \([^-].*\) .*/\1/p; s/.*\/fonproxy-analytics \(tools.*\) &&.*/\1/p' Containerfile) nginx; do
    verdict Containerfile "$([ -e "$file" ] || echo "there is no $file")"
done

# ---- what git leaves out is not sent to the engine either

while read -r pattern; do
    verdict .dockerignore "$(grep -qxF -- "$pattern" .dockerignore || echo "lacks $pattern")"
done < <([ ! -e .gitignore ] || sed -e '/^#/d; /^$/d; s|/$||' -e 's|^\([^/]\)|**/\1|; s|^/||' .gitignore; echo .git)
finish
