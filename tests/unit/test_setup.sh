#!/usr/bin/env bash
# test_setup.sh: tools/setup.sh with an apt-get, a make and a sudo of its own: its messages, and what is left behind when it
# is interrupted. Knows nothing of the real packages, and installs none.
# shellcheck disable=SC2016 # what another shell is to expand
. "${BASH_SOURCE[0]%/*}/../support/totals.sh"
WORK=$(mktemp -d /tmp/analytics-setup.XXXXXX)
trap 'touch "$WORK/go"; rm -rf "$WORK"' EXIT
mkdir -p "$WORK/bin" "$WORK/clone/tools" "$WORK/tmp"
export TMPDIR=$WORK/tmp # a failure leaves its log for the user
cp tools/setup.sh "$WORK/clone/tools/"
POLICY=$WORK/policy-rc.d

# apt-get: makes $WORK/began, and "installs" once $WORK/go exists.
# Without the trap, bash would ignore an interrupt that comes just after a sleep has ended: the test would hang.
cat >"$WORK/bin/apt-get" <<'END'
#!/bin/bash
trap 'trap - INT; kill -INT $$' INT
W=${0%/bin/*}
case " $* " in
*' update '*)
    [ -e "$W/offline" ] || exit 0
    for i in {1..100}; do echo "Err:$i http://mirror.example Temporary failure resolving 'mirror.example'"; done
    exit 100 ;;
*' -s '*) printf 'Inst nginx (1)\nInst libc (2)\nConf nginx (1)\n' ;;
*' --print-uris '*) printf "'http://x/a.deb' a.deb 1500000 SHA256:1\n'http://x/b.deb' b.deb 1500000 SHA256:2\n" ;;
*' install '*)
    touch "$W/began"
    until [ -e "$W/go" ]; do sleep 0.05; done
    printf '#!/bin/sh\n' >"$W/bin/frobnicate" && chmod 755 "$W/bin/frobnicate" ;;
esac
END
printf '#!/bin/sh\n[ "$1" = -v ] || exec "$@"\n' >"$WORK/bin/sudo"
printf '#!/bin/sh\necho "ar: libx.a: Success"\nexit 1\n' >"$WORK/bin/make"
chmod 755 "$WORK"/bin/*
printf 'run cmd:frobnicate frobnicator\n' >"$WORK/clone/packages"

# setup COMMAND: in a shell that has sourced setup.sh, with a process group of its own and signals as at a terminal.
setup() {
    PATH=$WORK/bin:$PATH REPO=${CLONE:-$WORK/clone} POLICY=$POLICY exec env --default-signal=INT setsid bash -c \
        'set -euo pipefail; policy=$POLICY; . "$REPO/tools/setup.sh"; POLICY=$policy; eval "$1"' setup "$1" >"$WORK/out" 2>"$WORK/err"
}
begin() { # starts a run that waits in apt-get install; SETUP is its process
    rm -f "$WORK"/{began,go,bin/frobnicate,out,err} "$POLICY"
    [ -z "${1:-}" ] || printf '%s\n' "$1" >"$POLICY"
    setup 'need_packages run' &
    SETUP=$!
    until_true '[ -e "$WORK/began" ]' 'apt-get begins'
}
until_true() { # CONDITION WHAT: within 20 s
    for _ in {1..400}; do
        eval "$1" && return
        sleep 0.05
    done
    verdict "$2" "not within 20 s: $(cat "$WORK/out" "$WORK/err")"
}
expect() { # WHAT FILE TEXT
    verdict "$1" "$(grep -qF -- "$3" "$2" || printf 'no "%s" in: %s' "$3" "$(cat "$2")")"
}

# ---- the file that keeps services from starting

for signal in INT TERM KILL; do
    begin
    expect "no service starts ($signal)" "$POLICY" 'exit 101'
    kill -$signal -- -$SETUP
    wait $SETUP 2>/dev/null || true
    touch "$WORK/go"
    until_true '[ ! -e "$POLICY" ]' "$signal leaves no policy-rc.d"
done
begin
kill -KILL $SETUP # apt-get goes on
wait $SETUP 2>/dev/null || true
verdict 'while apt-get runs no service starts' "$([ -e "$POLICY" ] || echo 'policy-rc.d is gone')"
touch "$WORK/go"
until_true '[ ! -e "$POLICY" ]' 'a killed run leaves no policy-rc.d'

begin "$(printf '#!/bin/sh\nexit 104')"
touch "$WORK/go"
wait $SETUP || verdict 'a run with a policy' 'failed'
expect "another's policy stays" "$POLICY" 'exit 104'

printf '#!/bin/sh\n# fonproxy-analytics: no service starts while packages install\nexit 101\n' >"$POLICY"
(setup 'need_packages run') || verdict 'with everything there' 'failed'
verdict 'what an earlier run left is cleared' "$([ ! -e "$POLICY" ] || echo 'is still there')"

# ---- messages

begin
until_true 'grep -q "Installing packages … 4 s" "$WORK/out"' 'a sign of life after 4 s'
touch "$WORK/go"
wait $SETUP || verdict 'a run' "failed: $(cat "$WORK/err")"
expect 'how much' "$WORK/out" '2 packages, 3 MB'
verdict 'the policy is gone at the end' "$([ ! -e "$POLICY" ] || echo 'is still there')"

# On a busy machine, a turn of the loop takes four seconds and a half, so it does not see most seconds.
printf '#!/bin/sh\nsleep 4\necho busy\n' >"$WORK/bin/tail"
chmod 755 "$WORK/bin/tail"
begin
verdict 'a line at once' "$(grep -qx 'Installing packages …' "$WORK/out" || cat "$WORK/out")"
until_true 'grep -q "Installing packages … [0-9]* s" "$WORK/out"' 'a sign of life on a busy machine'
touch "$WORK/go"
wait $SETUP || verdict 'a run on a busy machine' "failed: $(cat "$WORK/err")"
rm "$WORK/bin/tail"

rm "$WORK/bin/frobnicate" "$WORK/began"
verdict '--no-install ends' "$( (setup 'INSTALL=no; need_packages run') && echo 'with status 0')"
expect '--no-install says what is missing' "$WORK/err" 'frobnicator (2 packages, 3 MB'
verdict '--no-install installs nothing' "$([ ! -e "$WORK/began" ] || echo 'apt-get install was called')"

touch "$WORK/offline"
verdict 'without a network it ends' "$( (setup 'need_packages run') && echo 'with status 0')"
expect 'without a network' "$WORK/err" 'no network'
verdict 'without a network: one line' "$([ "$(wc -l <"$WORK/err")" -eq 1 ] || cat "$WORK/err")"

mkdir "$WORK/full"
verdict 'a full disk ends it' "$( (setup "make_in '$WORK/full' all") && echo 'with status 0')"
expect 'a full disk' "$WORK/err" 'the disk is full'

# ---- the list of packages: each kind is installed by a script that needs it

while read -r kind; do
    verdict packages "$(grep -hE "need_packages [a-z ]*\\b$kind\\b|\\(NEED\\) [a-z ]*\\b$kind\\b" serve check bench package tests/fuzz/fuzz.sh Makefile.am | contains . ||
        echo "nobody installs the kind '$kind'")"
done < <(sed -n 's/^\([a-z]*\) .*/\1/p' packages | sort -u)

# ---- what ./check and ./package refuse before they install anything

for command in './check --nonsense' './check --quick test_text' './package --nonsense' './package --build-dir'; do
    verdict "$command" "$($command >"$WORK/out" 2>"$WORK/err" && echo 'is taken')"
    verdict "$command: one line" "$([ "$(wc -l <"$WORK/err")" -eq 1 ] || cat "$WORK/err")"
done

# ---- places

mkdir -p "$WORK/a clone/tools"
cp tools/setup.sh "$WORK/a clone/tools/"
verdict 'a path with a space' "$( (CLONE="$WORK/a clone" setup 'check_places "$REPO/build"') && echo 'is taken')"
expect 'a path with a space' "$WORK/err" 'space'

touch "$WORK/clone/config.status"
verdict 'a clone configured in place' "$( (setup 'check_places "$REPO/build"') && echo 'is taken')"
expect 'a clone configured in place' "$WORK/err" "make -C $WORK/clone distclean"
rm "$WORK/clone/config.status"

# ---- a clone that was moved: all is built again

mkdir "$WORK/clone/build"
touch "$WORK"/clone/build/{a.o,config.status,notes} "$WORK/clone/Makefile.in"
printf 'abs_top_srcdir = /old\nabs_top_builddir = /old/build\n' >"$WORK/clone/build/Makefile"
printf '#!/bin/sh\nprintf "abs_top_srcdir = %%s\\nabs_top_builddir = %%s\\n" "${0%%/*}" "$PWD" >Makefile; touch config.status\n' >"$WORK/clone/configure"
chmod 755 "$WORK/clone/configure"
(setup 'configure_in "$REPO/build"') || verdict 'a moved clone' "failed: $(cat "$WORK/err")"
expect 'a moved clone is configured again' "$WORK/clone/build/Makefile" "abs_top_srcdir = $WORK/clone"
verdict 'its objects are gone' "$([ ! -e "$WORK/clone/build/a.o" ] || echo 'a.o is there')"
verdict 'other files stay' "$([ -e "$WORK/clone/build/notes" ] || echo 'notes is gone')"
touch "$WORK/clone/build/a.o"
(setup 'configure_in "$REPO/build"') || verdict 'a second run' "failed: $(cat "$WORK/err")"
verdict 'a clone that stays is not built again' "$([ -e "$WORK/clone/build/a.o" ] || echo 'a.o is gone')"

finish
