# shellcheck shell=bash
# console.sh: sourced, after totals.sh, by the tests that run the examples of a text. Knows prompts, commands and their
# output. Knows no text and no command: the caller defines run_command COMMAND.

# matches EXPECTED ACTUAL: line by line; "…" within a line is any text, alone on a line any lines.
matches() {
    local pattern
    pattern=$(sed -e 's/[][\\.^$*+?(){}|]/\\&/g' -e 's/^…$/\x01/' -e 's/…/.*/g' <<<"$1" | tr '\n' '\002' |
        sed -e 's/\x01\x02/(.*\x02)?/g' -e 's/\x02$//')
    [[ "$(tr -d '\r' <<<"$2" | tr '\n' '\002')" =~ ^${pattern}$'\002'*$ ]]
}

# check_output COMMAND EXPECTED: in a subshell; without EXPECTED only the exit status counts.
check_output() {
    local output errors status=0
    errors=$(mktemp)
    output=$( (run_command "$1") 2>"$errors" </dev/null) || status=$?
    if [ "$status" -ne 0 ]; then
        verdict "$1" "ended with $status: $output $(tail -n 20 "$errors")"
    elif [ -n "$2" ] && ! matches "$2" "$output"; then
        verdict "$1" "printed: $output"
    else
        verdict "$1" ''
    fi
    rm -f "$errors"
}

# each_command FUNCTION: reads examples from standard input, lines of "$ COMMAND" followed by what it prints; an empty
# command ends an example. Calls FUNCTION COMMAND EXPECTED in this shell.
each_command() {
    local lines line command='' expected=''
    mapfile -t lines
    for line in "${lines[@]}" '$ '; do
        if [[ $line == '$ '* ]]; then
            [ -z "$command" ] || "$1" "$command" "$expected"
            command=${line#'$ '} expected=''
        else
            expected+=${expected:+$'\n'}$line
        fi
    done
}

# end_all_below FOLDER: kills the processes that the examples left, known by the folder in their command lines. Again
# and again until there are none: a multiwatch may be starting another child.
end_all_below() {
    for _ in {1..50}; do
        pkill -KILL -f -- "$1/" 2>/dev/null || break
        sleep 0.1
    done
}
