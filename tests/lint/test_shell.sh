#!/usr/bin/env bash
# test_shell.sh: shellcheck has nothing to say about our scripts.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"

if ! command -v shellcheck >/dev/null; then
    echo 'shellcheck is not installed'
    exit 77
fi
mapfile -t scripts < <(find tools tests -name '*.sh' | sort)
for file in serve check bench package completion/analyticsctl .ci/run "${scripts[@]}"; do
    verdict "$file" "$(shellcheck "$file" 2>&1 || true)"
done

finish
