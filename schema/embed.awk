# embed.awk: turns schema steps into C. Usage: awk -v set=analytics -v application_id=N -f embed.awk FILE…
# Each file is named [set-]NNNN-what-it-does.sql; they come in order, without holes.
function base(path) { sub(/.*\//, "", path); return path }
FNR == 1 {
    name = base(FILENAME)
    match(name, /[0-9][0-9][0-9][0-9]/)
    version = substr(name, RSTART, 4) + 0
    if (version != ++count) { print FILENAME ": expected step " count > "/dev/stderr"; exit 1 }
    names[count] = name
}
{
    line = $0
    sub(/[ \t]*--.*$/, "", line)          # comments stay in the source; none of our SQL has "--" in a string
    if (line ~ /^[ \t]*$/) next
    gsub(/[ \t]+/, " ", line)             # nor two blanks
    gsub(/\\/, "\\\\", line); gsub(/"/, "\\\"", line)
    text[count] = text[count] "        \"" line "\\n\"\n"
}
END {
    printf "static const struct schema_step steps_%s[] = {\n", set
    for (i = 1; i <= count; i++) printf "    {%d, \"%s\",\n%s    },\n", i, names[i], text[i]
    printf "};\n"
    printf "const struct schema schema_%s = {%s, steps_%s, sizeof steps_%s / sizeof *steps_%s};\n", set, application_id, set, set, set
}
