#!/bin/bash
# load.sh DIR N: runs in the box. Sends batches through nginx, one after the other, and reads between them, until the
# file DIR/enough exists. A batch is repeated under its key until it is acknowledged, as docs/clients.md asks, 500 times
# at most. DIR/acknowledged.N has a line for each batch, DIR/other.N one for each answer that is not 204 or 200.
dir=$1 n=$2 url=http://127.0.0.1/analytics
worker=$(cat "$dir/worker.key") admin=$(cat "$dir/admin.key")
batch='{"logs":[{"ts":"2026-03-15 10:15:00","user_id":1,"order_id":3,"domain":"example.com","count":1}]}'
for ((i = 0; ; i++)); do
    tries=0
    until code=$(curl -s -m 20 -o /dev/null -w '%{http_code}' -H "x-api-key: $worker" -H "idempotency-key: $n-$$-$i" \
        -H 'content-type: application/json' -d "$batch" "$url/ingest") && [ "$code" = 204 ]; do
        echo "post $code" >>"$dir/other.$n"
        ((tries++ < 500)) || exit 1
        sleep 0.05
    done
    echo "$code" >>"$dir/acknowledged.$n"
    code=$(curl -s -m 20 -o /dev/null -w '%{http_code}' -H "x-api-key: $admin" "$url/traffic?from=2026-03-15&to=2026-03-15")
    [ "$code" = 200 ] || echo "get $code" >>"$dir/other.$n"
    [ ! -e "$dir/enough" ] || exit 0
done
