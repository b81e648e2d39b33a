#!/bin/sh
# test_ctl.sh: runs $ANALYTICSCTL through every usage and every error of init and key, and through the messages of prune
# and delete. Prints ok/FAIL lines; exits 1 when one failed. Tests of ownership run as root only.
set -u
umask 022
ctl=${ANALYTICSCTL:?is the path of the built analyticsctl}
case $ctl in /*) ;; *) ctl=$PWD/$ctl ;; esac
unset ANALYTICS_DATA POSIXLY_CORRECT
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
data=$tmp/data
failures=0
tab=$(printf '\t')

report() # report WHAT STATUS
{
    if [ "$2" -eq 0 ]; then
        echo "ok $1"
    else
        echo "FAIL $1"
        failures=$((failures + 1))
    fi
}

check() # check WHAT COMMAND…: the command succeeds
{
    what=$1
    shift
    "$@"
    report "$what" $?
}

# run STATUS WHAT ARGUMENT…: checks the exit status. An error must be one line on standard error that begins with the
# name of the program; without an error, standard error must be empty.
run()
{
    want=$1 what=$2
    shift 2
    "$ctl" "$@" >"$tmp/out" 2>"$tmp/err"
    got=$?
    lines=$(wc -l <"$tmp/err")
    if [ "$want" -eq 0 ]; then
        [ "$got" -eq 0 ] && [ "$lines" -eq 0 ]
    else
        [ "$got" -eq "$want" ] && [ "$lines" -eq 1 ] && grep -q '^analyticsctl: .' "$tmp/err"
    fi
    status=$?
    report "$what (exit $want)" $status
    [ $status -eq 0 ] || sed "s/^/    exit $got: /" "$tmp/err"
}

out_has() # out_has REGEX: standard output of the last run
{
    grep -Eq -e "$1" "$tmp/out"
    report "  prints $1" $?
}

err_has()
{
    grep -Eq -e "$1" "$tmp/err"
    report "  says $1" $?
}

last_line_is_key()
{
    tail -n 1 "$tmp/out" | grep -Eqx 'fnp_[0-9a-f]{64}'
    report "  the key is alone on the last line" $?
    [ "$(grep -c fnp_ "$tmp/out")" -eq 1 ]
    report "  and nowhere else" $?
}

mode_is() # mode_is MODE PATH
{
    [ "$(stat -c %a "$2" 2>&1)" = "$1" ]
    report "  mode $1 of ${2##*/}" $?
}

key_row() # key_row ID REGEX: the key's row in the list
{
    "$ctl" --data "$data" key list | grep -E "^$1 " | grep -Eq -e "$2"
    report "  key $1 is listed as $2" $?
}

# ---- help, version, and command lines that make no sense ----

run 0 'help' --help
out_has '^Usage: analyticsctl'
out_has 'key add .*--user-id'
out_has '^  init'
out_has 'ANALYTICS_DATA'
run 0 'short help' -h
run 0 'help of a group' key --help
out_has 'key revoke ID'
check '  without other commands' test "$(grep -c '^  init' "$tmp/out")" -eq 0
for command in 'init' 'key add' 'key list' 'key revoke' 'key rotate' 'verify' 'rebuild' 'prune' 'delete' \
    'status' 'backup' 'restore' 'doctor'; do
    # shellcheck disable=SC2086 # two words
    run 0 "help of $command" $command --help
    out_has "^  $command"
    # shellcheck disable=SC2086
    run 0 "help before $command" --help $command
done
run 0 'help wins over what is missing' key add --help --role nonsense
run 0 'version' --version
check '  one line' test "$(wc -l <"$tmp/out")" -eq 1
out_has '^analyticsctl [^ ]'
check '  help and version make nothing' test ! -e "$data"

while IFS=$tab read -r words says; do
    # shellcheck disable=SC2086 # split on purpose
    run 2 "misuse: analyticsctl $words" $words
    err_has "$says"
done <<END
	a command is needed
frob	unknown command 'frob'
frob --help	unknown command 'frob'
key	not a whole command
key frob	unknown command 'key frob'
ke add	unknown command 'ke'
add key	unknown command 'add'
--frob	unknown option --frob
-x	unknown option -x
key list -dx	unknown option -d
--data	--data needs a value
key list --data	--data needs a value
--help=yes	--help takes no value
--data a --data b key list	--data must be given once, but is given again
--data= key list	--data must name a folder, but is empty
key list --role admin	key list does not take --role
key list more	key list does not take 'more'
key list -- --help	key list does not take '--help'
init --name n	init does not take --name
init more	init does not take 'more'
verify more	verify does not take 'more'
verify --json=yes	--json takes no value
verify --name n	verify does not take --name
rebuild more	rebuild does not take 'more'
rebuild --skip-file-check	rebuild does not take --skip-file-check
status more	status does not take 'more'
status --force	status does not take --force
backup	backup needs FILE
backup a b	backup does not take 'b'
restore	restore needs FILE
restore a --grace 1	restore does not take --grace
doctor more	doctor does not take 'more'
doctor --url localhost	--url must be an address that begins with http:// or https:// and ends before /analytics, but is "localhost"
key revoke	key revoke needs ID
key revoke 1 2	key revoke does not take '2'
key revoke x	ID must be the number of a key, as key list shows it, but is "x"
key revoke 0	ID must be the number of a key, as key list shows it, but is "0"
key revoke -- -1	ID must be the number of a key, as key list shows it, but is "-1"
key revoke 1x	ID must be the number of a key, as key list shows it, but is "1x"
key revoke 01	ID must be the number of a key, as key list shows it, but is "01"
key revoke 9223372036854775808	ID must be the number of a key, as key list shows it, but is "9223372036854775808"
key rotate	key rotate needs ID
key rotate 1 2	key rotate does not take '2'
key rotate x	ID must be the number of a key, as key list shows it, but is "x"
key rotate 1 --grace	--grace needs a value
key rotate 1 --grace x	--grace must be an integer from 0 to 8760, but is "x"
key rotate 1 --grace -1	--grace must be an integer from 0 to 8760, but is "-1"
key rotate 1 --grace 8761	--grace must be an integer from 0 to 8760, but is "8761"
key rotate 1 --expires 2001-01-01	--expires must be a time that is still to come, but is "2001-01-01"
key rotate 1 --name n	key rotate does not take --name
key list --json=yes	--json takes no value
key add	key add needs --name
key add --name n	key add needs --role
key add --role admin	key add needs --name
key add --role root --name n	--role must be worker, user or admin, but is "root"
key add --role Admin --name n	--role must be worker, user or admin, but is "Admin"
key add --role= --name n	--role must be worker, user or admin, but is ""
key add --role user --name n	--role user needs --user-id
key add --role admin --name n --user-id 1	--user-id goes with
key add --role worker --name n --user-id 1	--user-id goes with
key add --role user --name n --user-id 0	--user-id must be an integer from 1 to 9007199254740991, but is "0"
key add --role user --name n --user-id=-1	--user-id must be an integer from 1 to 9007199254740991, but is "-1"
key add --role user --name n --user-id 7x	--user-id must be an integer from 1 to 9007199254740991, but is "7x"
key add --role user --name n --user-id=	--user-id must be an integer from 1 to 9007199254740991, but is ""
key add --role user --name n --user-id 9007199254740992	--user-id must be an integer from 1 to 9007199254740991, but is "9007199254740992"
key add --role admin --name n --expires tomorrow	--expires must be a date or a time, such as 2026-03-15 or 2026-03-15T10:15:00Z, but is "tomorrow"
key add --role admin --name n --expires=	--expires must be a date or a time, such as 2026-03-15 or 2026-03-15T10:15:00Z, but is ""
key add --role admin --name n --expires 2026-02-30	--expires must be a date or a time, such as 2026-03-15 or 2026-03-15T10:15:00Z, but is "2026-02-30"
key add --role admin --name n --expires 2001-01-01	--expires must be a time that is still to come, but is "2001-01-01"
key add --role admin --name n --expires 2001-01-01T00:00:00Z	--expires must be a time that is still to come, but is "2001-01-01T00:00:00Z"
key add --role admin --name n --name m	--name must be given once, but is given again
END
yesterday=$(date -u -d '1 day ago' +%F)
run 2 'expired since the end of yesterday' key add --role admin --name n --expires "$yesterday"
long=$(printf '%0129d' 0)
run 2 'a name of 129 bytes' key add --role admin --name "$long"
err_has '--name must have at most 128 bytes, but has 129'

# ---- no folder, no keys ----

run 1 'key add without the folder' --data "$data" key add --role admin --name n
err_has "there is no folder $data"
check '  which it does not make' test ! -e "$data"
run 1 'key list without the folder' --data "$data" key list
run 1 'key revoke without the folder' --data "$data" key revoke 1
mkdir "$tmp/empty" && : >"$tmp/file"
run 1 'key list without keys.db' --data "$tmp/empty" key list
check '  which it does not make' test ! -e "$tmp/empty/keys.db"
run 1 'key revoke without keys.db' --data "$tmp/empty" key revoke 1
run 1 'a file for a folder' --data "$tmp/file" key list
run 1 'init in a file' --data "$tmp/file" init
err_has 'is not a folder'
run 1 'init below nothing' --data "$tmp/no/such" init
err_has "can't make folder"
run 1 'init for nobody we know' --data "$data" init --owner 'no such user'
check '  makes nothing' test ! -e "$data"
run 1 'a name that acts on the terminal, in an error' --data "$(printf '/no\033[2Jwhere\nelse')" key list
err_has 'there is no folder /no\?\[2Jwhere\?else'

# ---- init ----

run 0 'init' --data "$data" init
out_has "^made $data\$"
out_has "^made $data/analytics.db\$"
out_has "^made $data/keys.db\$"
out_has "^made $data/keys/admin.key \(key 1, role admin\)\$"
out_has "^made $data/keys/worker.key \(key 2, role worker\)\$"
check '  shows no key' test "$(grep -c fnp_ "$tmp/out")" -eq 0
mode_is 700 "$data"
mode_is 700 "$data/keys"
mode_is 600 "$data/keys.db"
mode_is 600 "$data/keys/admin.key"
mode_is 600 "$data/keys/worker.key"
for role in admin worker; do
    check "  $role.key is a key and a newline" test "$(wc -c <"$data/keys/$role.key")" -eq 69
    grep -Eqx 'fnp_[0-9a-f]{64}' "$data/keys/$role.key"
    report "  $role.key is well formed" $?
done
check '  leaves no drafts' test "$(find "$data/keys" -type f | wc -l)" -eq 2
key_row 1 'admin +- +admin .* never +never +active$'
key_row 2 'worker +- +worker .* never +never +active$'
sum=$(cat "$data"/keys/*.key | cksum)
run 0 'init again' --data "$data" init
check '  makes nothing' test ! -s "$tmp/out"
check '  changes no key' test "$(cat "$data"/keys/*.key | cksum)" = "$sum"
# init makes keys once: it makes neither a deleted file nor a revoked key again, also not in a folder that was moved.
rm "$data/keys/admin.key" "$data/keys/worker.key"
"$ctl" --data "$data" key revoke 1 >/dev/null
mv "$data" "$data.moved"
run 0 'init where the key files were deleted' --data "$data.moved" init
check '  makes nothing' test ! -s "$tmp/out"
check '  no file, no key' test "$(find "$data.moved/keys" -type f | wc -l) $("$ctl" --data "$data.moved" key list | grep -c '^[0-9]')" = '0 2'
"$ctl" --data "$data.moved" backup "$tmp/keys.backup" >/dev/null
mkdir -m 700 "$tmp/restored"
run 0 'restore into a folder of its own' --data "$tmp/restored" restore "$tmp/keys.backup"
run 0 'init after a restore' --data "$tmp/restored" init
check '  makes no key' test "$("$ctl" --data "$tmp/restored" key list | grep -c '^[0-9]')" -eq 2
mv "$data.moved" "$data"
run 0 'a lost admin key is replaced by a command' --data "$data" key add --role admin --name admin
mkdir "$tmp/wanting" && "$ctl" --data "$tmp/wanting" key add --role worker --name w >/dev/null
run 0 'init beside a worker key' --data "$tmp/wanting" init
check '  makes the admin key alone' test "$(find "$tmp/wanting/keys" -type f)" = "$tmp/wanting/keys/admin.key"
# Keys of the operator's own.
given=fnp_$(printf '%064d' 7)
echo "$given" >"$tmp/given.key"
echo "fnp_$(printf '%064d' 8)" >"$tmp/later.key"
own=$tmp/own
run 0 'init with an admin key' --data "$own" init --admin-key "$tmp/given.key"
out_has "the key in $tmp/given.key is key 1, role admin"
check '  makes the worker key alone' test "$(find "$own/keys" -type f)" = "$own/keys/worker.key"
check '  says no key' test "$(cat "$tmp/out" "$tmp/err" | grep -c fnp_)" -eq 0
run 0 'init with it again' --data "$own" init --admin-key "$tmp/given.key"
check '  makes nothing' test ! -s "$tmp/out"
run 0 'init with another one later' --data "$own" init --admin-key "$tmp/later.key"
run 0 'the keys' --data "$own" key list
out_has '^1 +admin .* active$'
out_has '^3 +admin .* active$'
"$ctl" --data "$own" key revoke 1 >/dev/null
run 1 'init with a key that was revoked' --data "$own" init --admin-key "$tmp/given.key"
err_has "$tmp/given.key: it is key 1, which was revoked"
run 1 'init with an admin key for workers' --data "$own" init --worker-key "$tmp/later.key"
err_has "it is key 3, of role admin"
echo fnp_short >"$tmp/bad.key"
run 1 'init with a key that is none' --data "$own" init --admin-key "$tmp/bad.key"
err_has '64 hex digits'
run 1 'init without the file' --data "$own" init --admin-key "$tmp/no.key"
err_has "can't open $tmp/no.key"
mkdir "$tmp/blocked" && : >"$tmp/blocked/keys"
run 1 'init where keys is a file' --data "$tmp/blocked" init
err_has "can't write $tmp/blocked/keys/admin.key"
"$ctl" --data "$tmp/blocked" key list | grep -Eq '^1 .* revoked$'
report '  takes the unwritten key back' $?

# ---- key add, list, revoke ----

run 0 'key add, admin' --data "$data" key add --role admin --name 'an admin'
last_line_is_key
out_has '^Key 4, "an admin": role admin, expires never\.$'
run 0 'key add, user, data last' key add --role user --user-id 7 --name 'Панель' --expires 2099-12-31 --data "$data"
last_line_is_key
key_row 5 'user +7 +Панель .* 2100-01-01 00:00:00 +never +active$'
run 0 'key add, worker, data between' key --data "$data" add --role worker --name w --expires '2099-01-01T02:00:00+02:00'
last_line_is_key
key_row 6 'worker +- +w .* 2099-01-01 00:00:00 '
run 0 'the greatest user id' "--data=$data" key add --role user --user-id 9007199254740991 --name=big
today=$(date -u +%F)
run 0 'expires at the end of today' --data "$data" key add --role admin --name today --expires "$today"
key_row 8 'active$'
run 2 'an empty name' --data "$data" key add --role admin --name ''
run 2 'a newline in the name' --data "$data" key add --role admin --name "$(printf 'a\nb')"
run 2 'an escape in the name' --data "$data" key add --role admin --name "$(printf 'a\033[2Jb')"
run 2 'a C1 control in the name' --data "$data" key add --role admin --name "$(printf 'a\302\2332Jb')"
run 2 'a name that is not UTF-8' --data "$data" key add --role admin --name "$(printf 'a\377')"
run 0 'a name that turns text around' --data "$data" key add --role admin --name "$(printf 'x\342\200\256nimda')"
out_has '"x\?nimda"'
key_row 9 'x\?nimda '
run 0 'a name that looks like an option' --data "$data" key add --role admin --name --help
key_row 10 ' --help '

run 0 'key list' --data "$data" key list
check '  a title and a line for each key' test "$(wc -l <"$tmp/out")" -eq 11
out_has '^ID +ROLE +USER +NAME +CREATED +EXPIRES +LAST USED +STATE$'
check '  shows no key' test "$(grep -c fnp_ "$tmp/out")" -eq 0
# Without UTF-8 continuation bytes, a byte is a character.
[ "$(LC_ALL=C tr -d '\200-\277' <"$tmp/out" | LC_ALL=C awk '{ print match($0, /(STATE|active|revoked)$/) }' |
    sort -u | wc -l)" -eq 1 ]
report '  its last column is aligned' $?

run 0 'key revoke' --data "$data" key revoke 5
key_row 5 'revoked$'
run 0 'key revoke again' --data "$data" key revoke 5
run 1 'key revoke of no key' --data "$data" key revoke 4000
err_has 'there is no API key 4000'

ANALYTICS_DATA=$data "$ctl" key list >"$tmp/out" 2>&1
report 'the folder from ANALYTICS_DATA' $?
out_has '^1 +admin'
ANALYTICS_DATA=$tmp/empty "$ctl" --data "$data" key list >/dev/null 2>&1
report '--data goes before ANALYTICS_DATA' $?
(cd "$tmp" && ANALYTICS_DATA='' "$ctl" key list) >/dev/null 2>&1
report 'the folder is ./data otherwise' $?
POSIXLY_CORRECT=1 "$ctl" key list --data "$data" >/dev/null 2>&1
report 'options after the command, POSIXLY_CORRECT or not' $?

# ---- key rotate ----

rotated=$tmp/rotated
run 0 'init, to rotate' --data "$rotated" init
run 0 'key rotate' --data "$rotated" key rotate 2
last_line_is_key
out_has '^Key 2 goes on until .* UTC\.$'
out_has '^Key 3, "worker": role worker, expires never\.$'
row_is() # row_is ID REGEX, of the folder whose keys are rotated
{
    "$ctl" --data "$rotated" key list | grep -E "^$1 " | grep -Eq -e "$2"
    report "  key $1 is listed as $2" $?
}
row_is 2 "$(date -u -d '24 hours' +'%F %H:').* active\$"
row_is 3 'never +never +active$'
run 0 'key rotate, at once' --data "$rotated" key rotate 3 --grace 0 --expires 2099-12-31
out_has '^Key 3 is revoked\.$'
row_is 3 'never +never +revoked$'
row_is 4 '2100-01-01 00:00:00 +never +active$'
run 0 'key rotate of a revoked key' --data "$rotated" key rotate 3 --grace 5
out_has '^Key 3 was revoked before\.$'
row_is 5 '2100-01-01 00:00:00 +never +active$'
run 0 'the old key is revoked, too' --data "$rotated" key revoke 2
run 1 'key rotate of no key' --data "$rotated" key rotate 77
err_has 'there is no API key 77'
run 1 'key rotate without keys.db' --data "$tmp/empty" key rotate 1
run 0 'key list --json' --data "$rotated" key list --json
check '  one line' test "$(wc -l <"$tmp/out")" -eq 1
out_has '^\{"keys":\[\{"id":1,"role":"admin","user_id":null,"name":"admin","caller_id":1,"created_at":"20'
out_has '"id":2,"role":"worker",.*"caller_id":2,.*"revoked_at":"20[^}]*"state":"revoked","filters":null\},\{"id":3,'
out_has '"id":4,"role":"worker","user_id":null,"name":"worker","caller_id":2,[^}]*"expires_at":"2100-01-01 00:00:00","revoked_at":null,"last_used_at":null,"state":"active","filters":null'
check '  shows no key' test "$(grep -c fnp_ "$tmp/out")" -eq 0
run 0 'a user' --data "$rotated" key add --role user --user-id 42 --name u
run 0 '  and its rotation' --data "$rotated" key rotate 6
run 0 '  in JSON' --data "$rotated" key list --json
out_has '"id":7,"role":"user","user_id":42,"name":"u","caller_id":6,'
if [ -w /dev/full ]; then
    "$ctl" --data "$rotated" key rotate 1 --grace 0 >/dev/full 2>"$tmp/err"
    check 'a rotated key that could not be shown fails' test $? -eq 1
    err_has 'key 8 is revoked'
    row_is 1 'never +never +active$'
    row_is 8 'revoked$'
fi

# ---- output that can't be written ----

if [ -w /dev/full ]; then
    "$ctl" --data "$data" key add --role admin --name lost >/dev/full 2>"$tmp/err"
    check 'a key that could not be shown fails' test $? -eq 1
    err_has 'key 11 is revoked'
    key_row 11 'lost .* revoked$'
    "$ctl" --data "$data" key list >/dev/full 2>"$tmp/err"
    check 'a list that could not be shown fails' test $? -eq 1
    err_has "can't write to standard output"
fi

# ---- prune: its messages; tests of lib/ show what it does ----

run 0 'a folder to prune' --data "$tmp/prune" init
for age in '' 90 d 0d -1d 1.5d 36501d 90days 9999999999999999999d ' 1d'; do
    run 2 "prune of the age '$age'" --data "$tmp/prune" prune --older-than "$age"
    err_has '--older-than must be an age in days, from 1d to 36500d, but is'
done
run 2 'prune without an age' --data "$tmp/prune" prune
err_has 'needs --older-than'
run 1 'prune of nothing' --data "$tmp/nowhere" prune --older-than 1d --yes
run 0 'a dry run of an empty database' --data "$tmp/prune" prune --older-than 1d --dry-run
out_has '^Nothing is older than 1 days.$'
run 0 'prune of an empty database' --data "$tmp/prune" prune --older-than 1d --yes
out_has '^Nothing is older than 1 days.$'
run 0 'a dry run as JSON' --data "$tmp/prune" prune --older-than 36500d --dry-run --json
out_has '^\{"ok":true,"dry_run":true,"tables":\[\{"table":"raw_log","rows":0,"about_bytes":0\},'
run 0 'prune, as JSON' --data "$tmp/prune" prune --older-than 1d --json --yes
out_has '^\{"ok":true,"dry_run":false,.*"file_bytes_before":[0-9]+,"file_bytes_after":[0-9]+\}$'

# On a terminal, prune asks first.
prune_on_terminal() # prune_on_terminal ANSWER OPTION…
{
    echo "$1" | script -qec "'$ctl' --data '$tmp/prune' prune --older-than 1d $2" /dev/null >"$tmp/out" 2>&1
}
check 'a terminal that says no' test "$(prune_on_terminal n ''; echo $?)" -eq 1
out_has 'older than 1 days .* will be deleted for good'
out_has 'analyticsctl: nothing was deleted'
check 'a terminal that says nothing' test "$(prune_on_terminal '' ''; echo $?)" -eq 1
check 'a terminal that says yes' test "$(prune_on_terminal y ''; echo $?)" -eq 0
out_has 'Nothing is older than 1 days'
check 'a terminal that said --yes' test "$(prune_on_terminal n --yes; echo $?)" -eq 0
run 0 'no terminal' --data "$tmp/prune" prune --older-than 1d </dev/null

# ---- delete: its messages; tests of lib/ show what it does ----

run 0 'a folder to delete from' --data "$tmp/delete" init
run 2 'delete of everything' --data "$tmp/delete" delete --yes
err_has 'needs to be told which logs'
while IFS='|' read -r words says; do
    # shellcheck disable=SC2086 # words are several
    run 2 "delete $words" --data "$tmp/delete" delete $words
    err_has "$says"
done <<'END'
--user-id 0|--user-id must be an integer from 1 to 9007199254740991, but is .0
--order-id x|--order-id must be an integer from 1 to 9007199254740991, but is .x
--batch 0|--batch must be the number of a batch
--batch 4-2|--batch must be the number of a batch
--batch 4-|--batch must be the number of a batch
--batch -4|--batch must be the number of a batch
--from 2026-13-01|--from must be a date or a time.*, but is .2026-13-01.: there is no such month
--to yesterday|--to must be a date or a time.*, but is .yesterday
--from 2026-03-02 --to 2026-02-01|--from .2026-03-02. must not be after --to .2026-02-01.
--user-id 1 --older-than 3d|delete does not take --older-than
END
cat >"$tmp/wrong.ndjson" <<'END'
{"ts":"2026-03-15 10:00:00","user_id":1,"order_id":3,"domain":"a.example","worker":"w1","count":2,"bytes_sent":10,"error_count":1}
{"ts":"2026-03-15 10:20:00","user_id":1,"order_id":3,"domain":"b.example","worker":"w1","count":3,"bytes_received":20}
{"ts":"2026-03-15 11:00:00","user_id":2,"order_id":4,"domain":"B.example.","worker":"w2","count":4}
END
run 0 '  which has logs' --data "$tmp/delete" import "$tmp/wrong.ndjson"
run 0 'a dry run of a delete' --data "$tmp/delete" delete --user-id 1 --dry-run
out_has '^2 logs would be deleted, of 2026-03-15 10:00:00 UTC to 2026-03-15 10:20:00 UTC:$'
out_has '^  requests  *5$'
out_has '^  errors  *1$'
out_has '^  bytes sent  *10$'
out_has '^  bytes received  *20$'
out_has '^They came in 1 batch:$'
out_has '^  batch 1, received 20.* UTC from analyticsctl import: 2$'
out_has '^It takes about 1 s, while analytics-ingest is stopped\.$'
run 0 '  in JSON' --data "$tmp/delete" delete --worker w2 --domain b.EXAMPLE --batch 1-9 --order-id 4 --dry-run --json
out_has '^\{"ok":true,"dry_run":true,"logs":1,"count":4,"bytes_sent":0,"bytes_received":0,"errors":0,"first":"2026-03-15 11:00:00","last":"2026-03-15 11:00:00","sums_left":\[\],"batches":1,"first_batches":\[\{"batch":1,"received_at":"20[^"]*","caller":"analyticsctl import","logs":1\}\],"about_seconds":1\}$'
run 0 '  of a day' --data "$tmp/delete" delete --from 2026-03-15 --to 2026-03-15 --dry-run
out_has '^3 logs would be'
run 0 '  until an instant' --data "$tmp/delete" delete --to 2026-03-15T10:20:00Z --dry-run
out_has '^1 log would be'
run 0 '  of what is not there' --data "$tmp/delete" delete --worker W1 --dry-run
out_has '^No log would be deleted: none is as described\.$'

# On a terminal, delete shows what it would delete, and asks.
delete_on_terminal() # delete_on_terminal ANSWER OPTION…
{
    echo "$1" | script -qec "'$ctl' --data '$tmp/delete' delete --domain a.example $2" /dev/null >"$tmp/out" 2>&1
}
check 'a terminal that says no' test "$(delete_on_terminal n ''; echo $?)" -eq 1
out_has '^1 log would be deleted, of 2026-03-15 10:00:00 UTC to 2026-03-15 10:00:00 UTC:'
out_has '^Delete them for good\? \[y/N\]'
out_has 'analyticsctl: nothing was deleted'
check 'a terminal that says yes' test "$(delete_on_terminal y ''; echo $?)" -eq 0
out_has '1 log is deleted, of 2026-03-15 10:00:00 UTC'
out_has '^1 name is deleted that no log has any more\.'
run 0 'verify after that' --data "$tmp/delete" verify
out_has '^All is well: the rollups hold what the 2 logs say\.$'
run 0 'delete, in JSON' --data "$tmp/delete" delete --user 1 --vacuum --yes --json
out_has '^\{"ok":true,"dry_run":false,"logs":1,.*"sums":\{"count":0,"bytes_sent":0,"bytes_received":0,"errors":0,"first":null,"last":null\},"keys_left":0,"names":1,"wal_is_empty":true\}$'
run 0 'delete once more' --data "$tmp/delete" delete --user-id 1 </dev/null
out_has '^No log is deleted: none is as described\.$'
run 0 'what was deleted is stored already' --data "$tmp/delete" import "$tmp/wrong.ndjson"
out_has ' 0 logs stored, 3 were there already'
for source in a b; do
    run 0 "an import of source $source" --data "$tmp/delete" import --source "$source" "$tmp/wrong.ndjson"
    out_has ' 3 logs stored, 0 were there already'
done
run 0 'delete of an import' --data "$tmp/delete" delete --import a --yes
out_has '^3 logs are deleted'
run 0 '  which stays known' --data "$tmp/delete" import --source a "$tmp/wrong.ndjson"
out_has ' 0 logs stored, 3 were there already'
run 0 'delete of another, with its keys' --data "$tmp/delete" delete --import b --worker w1 --forget-keys --yes
out_has '^2 logs are deleted'
out_has '^Idempotency keys stay: a batch may have other logs\. --forget-keys forgets them if --batch is the only condition\.$'
run 0 '  which may come again' --data "$tmp/delete" import --source b "$tmp/wrong.ndjson"
out_has ' 2 logs stored, 1 (was|were) there already'
run 0 'delete of imports without a source' --data "$tmp/delete" delete --import '' --dry-run
out_has '^1 log would be deleted'
run 0 'delete of no import' --data "$tmp/delete" delete --import c --dry-run
out_has '^No log would be deleted'
run 0 'delete of all that is left' --data "$tmp/delete" delete --from 1970-01-01 --yes
run 0 '  which verify does not mind' --data "$tmp/delete" verify

# The holder of the lock reads from a pipe, and ends when its other end is closed.
mkfifo "$tmp/hold"
flock "$tmp/prune/lock" cat "$tmp/hold" &
exec 9>"$tmp/hold"
while flock -n "$tmp/prune/lock" true; do sleep 0.1; done
run 1 'delete beside a writer' --data "$tmp/prune" delete --user-id 1 --yes
err_has 'held by another process .* --dry-run may run beside it'
run 0 'its dry run beside a writer' --data "$tmp/prune" delete --user-id 1 --dry-run
run 1 'prune beside a writer' --data "$tmp/prune" prune --older-than 1d --yes
err_has 'held by another process'
run 0 'a dry run beside a writer' --data "$tmp/prune" prune --older-than 1d --dry-run
exec 9>&-
wait

# ---- a database of a newer program ----

sqlite3 "$tmp/prune/analytics.db" 'PRAGMA user_version = 1003'
for command in init verify rebuild 'prune --older-than 1d --yes' 'prune --older-than 1d --dry-run' \
    'delete --user-id 1 --yes' 'delete --user-id 1 --dry-run'; do
    want=1
    [ "$command" != verify ] || want=2
    # shellcheck disable=SC2086 # split on purpose
    run $want "$command of a newer program's database" --data "$tmp/prune" $command
    err_has 'analytics.db: made by a newer version of this program \(schema 1003, this program knows [0-9]+\): upgrade'
done

# ---- retention: a combination that makes no sense prevents the start ----

while IFS=$tab read -r options says; do
    # shellcheck disable=SC2086 # split on purpose
    "${ctl%/*}/analytics-ingest" --data "$tmp/prune" $options >"$tmp/out" 2>"$tmp/err" </dev/null
    check "analytics-ingest $options does not start" test $? -eq 2
    err_has "$says"
done <<EOF
--hour-days 90${tab}hour_days is 90, so raw_days must be set as well, to
--raw-days 30 --hour-days 7${tab}hour_days must be at least raw_days, which is 30, but is 7
--raw-days 7 --day-days 30${tab}day_days is 30, so hour_days must be set as well, to
--raw-days 36501${tab}must be an integer from 0 to 36500
EOF

# ---- a log of the first second of 1970 ----

mkdir "$tmp/first" && "$ctl" --data "$tmp/first" init >/dev/null
echo '{"ts":"1970-01-01 00:00:00","user_id":1,"order_id":1,"domain":"a","count":1}' >"$tmp/first.ndjson"
run 0 'import of the first second' --data "$tmp/first" import "$tmp/first.ndjson"
run 0 'status of the first second' --data "$tmp/first" status
out_has '^Logs +1, from 1970-01-01 00:00:00 UTC to 1970-01-01 00:00:00 UTC$'
run 0 'the same as JSON' --data "$tmp/first" status --json
out_has '"first_log":"1970-01-01 00:00:00","last_log":"1970-01-01 00:00:00"'

# ---- two at once ----

for i in 1 2 3 4 5; do
    for j in 1 2 3 4; do
        "$ctl" --data "$tmp/race$i" init >"$tmp/race$i.$j" 2>&1 &
    done
    wait
    check "four inits at once, round $i" test "$(cat "$tmp/race$i".* | grep -c 'key$\|key (')" -eq 2
    check '  one good key of each' test "$("$ctl" --data "$tmp/race$i" key list | grep -c 'active$')" -eq 2
    complaints=$(cat "$tmp/race$i".* | grep '^analyticsctl' | grep -vc 'held by another process')
    check '  the slower ones complain of the lock at most' test "$complaints" -eq 0
done

# ---- owners ----

if [ "$(id -u)" -eq 0 ] && id nobody >/dev/null 2>&1; then
    chmod 755 "$tmp"
    run 0 'init for another user' --data "$tmp/owned" init --owner nobody
    check '  all of it is that user'\''s' test -z "$(find "$tmp/owned" ! -user nobody)"
    run 0 'init again, without --owner' --data "$tmp/owned" init
    rm "$tmp/owned/keys/admin.key"
    run 0 'init of what is missing, without --owner' --data "$tmp/owned" init
    run 0 'key add by root' --data "$tmp/owned" key add --role admin --name root
    check '  all of it is still that user'\''s' test -z "$(find "$tmp/owned" ! -user nobody)"
    mkdir "$tmp/given" && chown nobody "$tmp/given"
    run 0 'the first key, by root' --data "$tmp/given" key add --role admin --name root
    check '  is that user'\''s file' test -z "$(find "$tmp/given" ! -user nobody)"
    # A folder above that is closed to the owner, as root's home is.
    mkdir -m 700 "$tmp/closed" && run 0 'init below a closed folder' --data "$tmp/closed/data" init --owner nobody
    for command in status verify 'key list' 'export --format csv --from 2026-03-01 --to 2026-03-02' 'prune --older-than 1d --dry-run' \
        "backup $tmp/closed.backup"; do
        # shellcheck disable=SC2086
        run 0 "$command below a closed folder" --data "$tmp/closed/data" $command
    done
    check '  all of it is still that user'\''s' test -z "$(find "$tmp/closed/data" ! -user nobody)"
    if command -v setpriv >/dev/null; then
        setpriv --bounding-set -dac_read_search,-dac_override,-setpcap --inh-caps -dac_read_search,-dac_override,-setpcap "$ctl" --data "$tmp/closed/data" status >"$tmp/out" 2>"$tmp/err"
        report '  status without the right to pass' $(($? != 1))
        err_has "is closed to its owner .* by $tmp/closed: chmod"
    fi
    mkdir "$tmp/roots"
    run 1 'init --owner in a folder of root' --data "$tmp/roots" init --owner nobody
    err_has "run: chown nobody $tmp/roots"
    check '  makes nothing' test -z "$(find "$tmp/roots" -mindepth 1)"
fi

[ $failures -eq 0 ] || echo "$failures failed"
[ $failures -eq 0 ]
