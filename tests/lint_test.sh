#!/bin/bash
# lint_test.sh -- what could break: a check of deps.sh that no longer sees what it is for. Plants
# one violation after the other in a small tree and looks for the line that tells of it; a clean
# tree must stay silent.
set -u
cd "$(dirname "$0")/.." || exit 2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
passed=0 failed=0

plant() {   # FILE TEXT...: a tree whose only file says this
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/{engine,ui,app,tests,man}
    echo 'SOURCES := engine/a.c ui/a.c ui/term.c app/a.c engine/kernels_c.c engine/cpu.c' \
        >"$tree/Makefile"
    printf '%s\n' "${@:2}" >"$tree/$1"
}
count() {   # NAME CONDITION
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $1"
    fi
}
caught() {  # FILE LINE MESSAGE
    plant "$1" 'int ok;' "$2"
    tests/deps.sh "$tree" | grep -qF "$1:2: $3"
    count "$1: $2" $?
}
clean() {   # FILE TEXT...
    plant "$@"
    tests/deps.sh "$tree"
    count "clean $1: ${*:2}" $?
}

caught app/a.c '#include "engine/kv.h"' 'app/ may include'
caught app/a.c '#include "a.h"' 'app/ may include'
caught ui/a.c '#include "engine/err.h"' 'ui/ may include'
caught ui/a.h '#include "app/mode.h"' 'ui/ may include'
caught engine/a.c '#include "ui/buf.h"' 'engine/ may include'
caught engine/kernels_c.c '#include "engine/model.h"' 'kernels, formats and CPU flags'
caught ui/a.c '#include <curses.h>' 'belongs to ui/term.c alone'
caught ui/a.c '#include <ncursesw/curses.h>' 'belongs to ui/term.c alone'
caught ui/term.c '#include <histedit.h>' 'belongs to ui/editor.c alone'
caught engine/a.c '#include <pcre2.h>' 'belongs to engine/pretok.c alone'
caught app/a.c '#include <cjson/cJSON.h>' 'belongs to app/json.c, ui/theme.c alone'
caught engine/a.c '#include <pthread.h>' 'belongs to app/worker.c, engine/pool.c alone'
caught tests/a.c '#include <cmocka.h>' 'belongs to tests/test.h alone'
caught engine/a.c '    fprintf(f, "x");' 'the engine never prints'
caught engine/a.c '    fflush(stderr);' 'the engine never prints'
caught engine/a.c '    exit(1);' 'the engine never ends the program'
caught engine/a.c '    abort();' 'the engine never ends the program'
caught engine/a.c '    const char *v = getenv("X");' 'the engine never reads the environment'
caught engine/a.c '    sigaction(SIGINT, &a, 0);' 'the engine never handles signals'
caught app/a.c '    strcpy(a, b);' 'is not used in this house'
caught engine/a.c '    __m256i v = _mm256_setzero_si256();' 'intrinsics belong to'
caught engine/a.c '#include <immintrin.h>' 'belongs to engine/kernels_'
caught ui/a.c $'\tint x;' 'a tab'
caught ui/a.c "$(printf '%0101d' 0)" 'longer than 100 characters'
caught ui/a.c 'int x; ' 'blanks at the end of the line'

plant engine/forgotten.c 'int x;'
tests/deps.sh "$tree" | grep -q 'engine/forgotten.c:1: is not in the Makefile'
count 'a file that is not listed' $?
plant app/options.def 'OPTION(max_tokens, INT, "max-tokens", 0, "N", 0, 1, "help")'
echo '.It Fl -max-bytes Ar N' >"$tree/man/duet.1"
tests/deps.sh "$tree" | grep -q 'man/duet.1:1: says nothing of --max-tokens'
count 'an option without a place in the man page' $?
plant ui/action.def 'ACTION(RENAME, "rename", "TITLE", "", "", "Give a title")'
echo '.It Ic /renamed Ar TITLE' >"$tree/man/duet.1"
tests/deps.sh "$tree" | grep -q 'man/duet.1:1: says nothing of /rename'
count 'a command without a place in the man page' $?
plant app/mode.def 'MODE(PRO, "pro", "Pro", PRO)'
echo '.It Cm pro-max' >"$tree/man/duet.1"
tests/deps.sh "$tree" | grep -q 'man/duet.1:1: says nothing of pro'
count 'a mode without a place in the man page' $?

clean engine/a.c '#include "engine/kv.h"' '#include <stdio.h>' 'int n = snprintf(s, 9, "%d", 1);' \
    '/* getenv() and exit(1) are words in a comment */' 's->kill(1); p.exit(0);'
clean app/a.c '#include "app/mode.h"' '#include "ui/buf.h"' '#include "engine/engine.h"'
clean ui/term.c '#include <curses.h>' "$(printf 'char s[] = "%080d";' 0)"
clean ui/a.c "/* $(printf 'ä%.0s' {1..90}) */"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
