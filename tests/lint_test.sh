#!/bin/bash
# lint_test.sh -- what could break: a check of deps.sh that no longer sees what it is for. Plants
# violations in a small tree and looks for the line that tells of each; a clean tree must stay
# silent.
set -u
cd "$(dirname "$0")/.." || exit 2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
passed=0 failed=0

plant() {   # FILE TEXT...: adds these lines to a file of the tree
    printf '%s\n' "${@:2}" >>"$tree/$1"
}
sow() {     # a tree with nothing in it
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/{engine,ui,app,tests,man}
    echo 'SOURCES := engine/a.c ui/a.c ui/term.c app/a.c engine/kernels_c.c engine/cpu.c' \
        >"$tree/Makefile"
    : >"$tree/expected"
}
caught() {  # FILE LINE MESSAGE: a violation, and what must be said of it
    plant "$1" "$2"
    echo "$1:$(wc -l <"$tree/$1"): $3" >>"$tree/expected"
}
count() {   # NAME, after a condition
    if [ $? = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $1"
    fi
}

sow
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
caught engine/a.c '#include <pthread.h>' 'belongs to app/worker.c, engine/pool.c, engine/spool.c'
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

caught engine/forgotten.c '' 'is not in the Makefile'
plant app/options.def 'OPTION(max_tokens, INT, "max-tokens", 0, "N", 0, 1, "help")'
plant ui/action.def 'ACTION(RENAME, "rename", "TITLE", "", "", "Give a title")'
plant app/mode.def 'MODE(PRO, "pro", "Pro", PRO)'
plant man/duet.1 '.It Fl -max-bytes Ar N' '.It Ic /renamed Ar TITLE' '.It Cm pro-max'
for what in --max-tokens /rename pro; do
    echo "man/duet.1:1: says nothing of $what" >>"$tree/expected"
done
tests/deps.sh "$tree" >"$tree/found"
[ $? = 1 ]
count 'violations are a failure'
while read -r line; do
    grep -qF -- "$line" "$tree/found"
    count "$line"
done <"$tree/expected"
[ "$(wc -l <"$tree/found")" = "$(wc -l <"$tree/expected")" ]
count 'and nothing else is found'

sow
plant engine/a.c '#include "engine/kv.h"' '#include <stdio.h>' 'int n = snprintf(s, 9, "%d", 1);' \
    '/* getenv() and exit(1) are words in a comment */' 's->kill(1); p.exit(0);'
plant app/a.c '#include "app/mode.h"' '#include "ui/buf.h"' '#include "engine/engine.h"'
plant ui/term.c '#include <curses.h>' "$(printf 'char s[] = "%080d";' 0)"
plant ui/a.c "/* $(printf 'ä%.0s' {1..90}) */"
plant engine/kernels_c.c '#include "engine/quant.h"' '#include <immintrin.h>' '__m256i x;'
plant app/options.def 'OPTION(max_tokens, INT, "max-tokens", 0, "N", 0, 1, "help")'
plant man/duet.1 '.It Fl t , -max-tokens Ar N'
tests/deps.sh "$tree"
count 'a clean tree is silent'

echo "$passed passed, $failed failed"
[ $failed = 0 ]
