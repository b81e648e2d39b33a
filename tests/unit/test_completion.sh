#!/usr/bin/env bash
# test_completion.sh: what bash completes after `analyticsctl …`. tests/lint/test_manual.sh compares the table of
# commands and options with the program.
#
# Seen to fail:
#   given never filled -> "FAIL analyticsctl verify --json --: completes '--data,--help,--json,…"
#   no jump over an option's value -> "FAIL analyticsctl --data key key : completes '', not 'add,list,revoke'"
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
COMPLETION=$PWD/completion/analyticsctl
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir data 'data 2'
touch 'a batch.json' data.txt

# completes EXPECTED WORD…: the cursor is in the last word. Words are split as by bash: "=" is a word of its own.
completes() {
    local expected=$1 got
    shift
    got=$(bash -c '
        . "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _analyticsctl 2>&1
        printf "%s\n" "${COMPREPLY[@]}" | sort | paste -sd,' "$COMPLETION" analyticsctl "$@")
    verdict "analyticsctl $*" "$([ "$got" = "$expected" ] || echo "completes '$got', not '$expected'")"
}

# ---- commands
completes init ini
completes verify v
completes key k
completes add,list,revoke,rotate key ''
completes revoke,rotate key r
completes '' key add ''
completes '' nonsense ''
completes '' init init ''
completes add,list,revoke,rotate --data key key ''
completes add,list,revoke,rotate -- key ''

# ---- options
completes --config,--data,--expires,--help,--name,--role,--user-id,--version key add --
completes --role key add --r
completes --config,--data,--help,--skip-file-check,--version verify --json --
completes --config,--data,--help,--json,--version key list --
completes --config,--data,--help,--version --
completes '' -- --
completes config conf

# ---- values
completes admin,user,worker key add --role ''
completes admin key add --role a
completes admin key add --role = a
completes admin,user,worker key add --role =
completes '' key add --name ''
completes '' key add --expires 2
completes root init --owner roo
completes csv,json,ndjson import --format ''
completes csv,ndjson export --format ''
completes 'a batch.json' import --format json --url http://localhost a
completes 'a batch.json' import --key-file a
completes 'a batch.json' restore --force a
completes '' key rotate 2 --grace ''
completes 'data,data 2' --data d
completes 'data,data 2' --data = d
completes 'data,data 2' key list --data d
completes 'a batch.json' config --config a

# ---- how bash-completion loads it
verdict 'the function' "$(bash -c '. "$0"; complete -p analyticsctl' "$COMPLETION" | contains -x 'complete -F _analyticsctl analyticsctl' || echo 'is not bound to the name')"
verdict 'loaded twice, with strict settings' "$(bash -c 'set -u; . "$0"; . "$0"; COMP_WORDS=(analyticsctl ""); COMP_CWORD=1; _analyticsctl' "$COMPLETION" 2>&1)"
finish
