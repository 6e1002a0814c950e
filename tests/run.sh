#!/bin/sh
# run.sh -- runs test programs and scripts one after the other and counts.
#
#   tests/run.sh PROGRAM...     BUILD = the folder of the programs under test (default build)
#
# A cmocka program is counted by its closing lines. A script (*.sh, *.py) ends with a line
# "N passed, N failed" of its own. The log of one that fails is printed whole; so is a program that
# ran no test, died, said nothing that can be counted, or did not end within LIMIT seconds (600):
# each is a failure. The last line is the sum over all; with TALLY=FILE it is appended to that file
# too.
set -u
export BUILD="${BUILD:-build}"
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM HUP

[ $# -gt 0 ] || { echo "run.sh: no programs were named" >&2; exit 2; }

# "passed failed skipped" of one log; nothing where there is nothing to count.
count() {
    case $1 in
    *.sh|*.py)
        sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1
        ;;
    *)
        awk '!match($0, /[0-9]+ test\(s\)/) { next }
             { n = substr($0, RSTART) + 0 }
             /^\[  PASSED  \]/ { p += n }
             /^\[  FAILED  \]/ { f += n }
             /^\[  SKIPPED \]/ { s += n }
             END { print p + 0, f + 0, s + 0 }' "$log"
        ;;
    esac
}

for program; do
    started=$(date +%s)
    timeout -k 10 "${LIMIT:-600}" "$program" >"$log" 2>&1 </dev/null
    status=$?
    set -- $(count "$program")
    p=${1:-0} f=${2:-0} s=${3:-0}
    [ $((p + f)) -gt 0 ] || f=1
    [ $status = 0 ] || [ "$f" -gt 0 ] || f=1
    if [ "$f" -gt 0 ]; then
        echo "---- $program (exit status $status)"
        cat "$log"
        echo "----"
    else
        grep -E '^\[  PASSED  \]' "$log"
    fi
    printf '%-32s %4d passed, %d failed%s  (%d s)\n' "$program:" "$p" "$f" \
        "$([ "$s" = 0 ] || echo ", $s skipped")" $(($(date +%s) - started))
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

[ -z "${TALLY:-}" ] || echo "$passed $failed" >>"$TALLY"
[ $skipped = 0 ] && more= || more=", $skipped skipped"
echo "$passed passed, $failed failed$more"
[ $failed = 0 ]
