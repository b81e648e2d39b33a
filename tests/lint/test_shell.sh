#!/usr/bin/env bash
# test_shell.sh: shellcheck finds no fault in our scripts, and no pipe ends in a reader that may leave early.
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"

if ! command -v shellcheck >/dev/null; then
    echo 'shellcheck is not installed'
    exit 77
fi
mapfile -t scripts < <(find tools tests -name '*.sh' | sort)
for file in serve check bench package completion/analyticsctl .ci/run "${scripts[@]}"; do
    verdict "$file" "$(shellcheck "$file" 2>&1 || true)"
done
# With pipefail, a writer that is not done when grep has found what it looks for fails the pipe, now and then.
mapfile -t strict < <(grep -lE 'pipefail|support/totals.sh' serve check bench package "${scripts[@]}")
verdict 'grep -q behind a pipe' "$(grep -nE '[^|]\| *grep (-[a-zA-Z]+ )*-[a-zA-Z]*q' "${strict[@]}" || true)"

finish
