#!/bin/sh
# length.sh -- how long the functions are. It informs; a number out of range is a question in
# review (median 15, 95th percentile 60, over 70 with a reason, 5 % of the lines in functions over
# 100). A function begins at the line with its name and ends at "}" in the first column.
cd "$(dirname "$0")/.." || exit 2

measure() {
    awk '
        FNR == 1 { name = "" }
        /^[A-Za-z_].*\(/ && !/;[ ]*$/ { name = $0; start = FNR }
        /^\{/ && name != "" { body = 1 }
        /^\}/ && body {
            sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
            print FNR - start + 1, FILENAME ":" start, name
            name = ""; body = 0
        }' "$@" /dev/null | sort -n
}
summary() {
    awk -v room="$1" '
        { n[NR] = $1; sum += $1; if ($1 > 70) over++; if ($1 > 100) long += $1 }
        END {
            if (NR)
                printf "%-7s %5d functions  median %2d  p95 %3d  longest %3d  over 70: %d  " \
                    "lines in functions over 100: %.1f %%\n", room, NR, n[int((NR + 1) / 2)],
                    n[int(NR * 0.95 + 0.999)], n[NR], over, 100 * long / sum
        }'
}

for room in engine ui app tests; do
    measure $room/*.c | summary $room
done
measure engine/*.c ui/*.c app/*.c tests/*.c | awk '$1 > 70 { print "        " $0 }'
