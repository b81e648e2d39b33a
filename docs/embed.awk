# embed.awk: turns a text file into C, a string for each line, so that a program carries it along. Usage: awk -v name=N
# -f embed.awk FILE
{ gsub(/\\/, "&&"); gsub(/"/, "\\\""); lines = lines "    \"" $0 "\\n\",\n" }
END { printf "const char *const %s[] = {\n%s    0,\n};\n", name, lines }
