#!/bin/sh
# deps.sh -- the house plan, checked: which room may include what, which file owns a library, what
# the engine must never do, and the outer form of the text.
#
#   tests/deps.sh [FOLDER]      default: the tree this script is in
#
# Every violation is one line "file:line: what"; the exit status is 1 if there is one. Comments do
# not count: the compiler's preprocessor removes them first.
set -u
here=$(dirname "$0")
[ $# = 0 ] || here=$1/tests
cd "$here/.." || exit 2
export LC_ALL=C.UTF-8
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

say() {
    sed "s|\$|: $1|" >>"$tmp/found"
}

sources() {
    find engine ui app tests -name '*.[ch]' -o -name '*.def' | sort
}

# "file:line: code" of all sources without comments.
code() {
    for f in $(sources); do
        gcc -fpreprocessed -dD -E -x c "$f" 2>/dev/null | awk -v f="$f" '
            /^# [0-9]+ "/ { n = $2 - 1; next }
            { n++; if ($0 ~ /[^ \t]/) print f ":" n ": " $0 }'
    done
}
code >"$tmp/code"

# in ROOM PATTERN: its lines; both are regular expressions.
in_room() {
    grep -E "^$1" "$tmp/code" | grep -E "^[^:]*:[0-9]+: .*$2"
}
without() {
    grep -Ev "$1"
}
place() {
    sed 's/^\([^:]*:[0-9]*\):.*/\1/'
}

# ---- rooms ---------------------------------------------------------------------------------------

own='# *include "'
text='kernels, formats and CPU flags may include each other alone'
in_room 'app/' "$own" | without "$own(app/|ui/|engine/engine\.h|engine/err\.h)" | place |
    say 'app/ may include app/*, ui/*, engine/engine.h and engine/err.h'
in_room 'ui/' "$own" | without "$own(ui/)" | place | say 'ui/ may include ui/* alone'
in_room 'engine/' "$own" | without "$own(engine/)" | place |
    say 'engine/ may include engine/* alone'
in_room 'engine/(kernels|quant|codec|cpu)' "$own" |
    without "$own(engine/(kernels|quant|codec|cpu))" | place | say "$text"

# ---- libraries -----------------------------------------------------------------------------------

# door HEADERS FILES: only these files of the three rooms include these headers.
door() {
    in_room '(engine|ui|app)/' "# *include <($1)>" | without "^($2):" | place |
        say "belongs to $(echo "$2" | sed 's/\\//g; s/|/, /g') alone"
}
door '(n?curses(w/.*)?|ncursesw/.*|term|panel)(\.h)?' 'ui/term\.c'
door 'histedit\.h|editline/.*|pty\.h' 'ui/editor\.c'
door 'md4c.*' 'ui/markdown\.c'
door 'utf8proc\.h' 'ui/text\.c|engine/tokenizer\.c'
door 'pcre2\.h' 'engine/pretok\.c'
door 'cblas\.h|f77blas\.h|openblas.*' 'engine/matmul\.c'
door 'xxhash\.h' 'engine/kv_file\.c|app/store\.c'
door '(cjson/)?cJSON\.h' 'app/json\.c|ui/theme\.c'
door 'curl/.*' 'app/http\.c'
door 'pthread\.h|threads\.h' 'app/worker\.c|engine/pool\.c|engine/spool\.c'
door '.*intrin\.h' 'engine/kernels_[a-z0-9_]*\.[ch]'
door 'cpuid\.h|asm/.*' 'engine/cpu\.c'
door 'cmocka\.h' 'tests/test\.h'
in_room 'tests/' '# *include <cmocka' | without '^tests/test\.h:' | place |
    say 'belongs to tests/test.h alone'

# ---- what a room must never do -------------------------------------------------------------------

call='(^|[^A-Za-z0-9_>.])'
end='([^A-Za-z0-9_]|$)'
in_room 'engine/' "$call(v?f?printf|v?dprintf|puts|putchar|fputs|fputc|perror|psignal) *\(" |
    place | say 'the engine never prints'
in_room 'engine/' "$call(stdout|stderr|stdin)$end" | place | say 'the engine never prints'
in_room 'engine/' "$call(_?exit|_Exit|quick_exit|abort|atexit) *\(" | place |
    say 'the engine never ends the program'
in_room 'engine/' "$call(secure_getenv|getenv|setenv|putenv|environ)$end" | place |
    say 'the engine never reads the environment'
in_room 'engine/' "$call(signal|sigaction|sigprocmask|pthread_sigmask|raise|kill) *\(" | place |
    say 'the engine never handles signals'
in_room '(engine|ui|app)/' "$call(system|popen|gets|strcpy|strcat|sprintf|vsprintf|alloca) *\(" |
    place | say 'is not used in this house'
in_room '(engine|ui|app)/' '(_mm[0-9]*_|__m(128|256|512)|__builtin_ia32_|_tile_)' |
    without '^engine/(kernels_[a-z0-9_]*\.[ch]|cpu\.c):' | place |
    say 'intrinsics belong to engine/kernels_*'

# ---- form ----------------------------------------------------------------------------------------

lines() {
    grep -nE "$2" "$1" | sed "s|^\([0-9]*\):.*|$1:\1|" | say "$3"
}
tab=$(printf '\t')
for f in $(sources); do
    lines "$f" "$tab" 'a tab'
done
for f in $(sources) app/*.sh tests/*.sh .ci/run; do
    [ -f "$f" ] || continue
    case $f in *.def) ;; *) lines "$f" '^.{101,}' 'longer than 100 characters' ;; esac
    lines "$f" '[[:space:]]+$' 'blanks at the end of the line'
done

# A file that is not in the Makefile does not exist, and must not lie about.
for f in engine/*.c ui/*.c app/*.c; do
    [ -f "$f" ] || continue
    grep -qw -- "$f" Makefile || echo "$f:1" | say 'is not in the Makefile'
done

# Every option, command and mode has its place in the man page.
first_name() {
    [ ! -f "$1" ] || sed -n 's/^[A-Z]*([^"]*"\([^"][^"]*\)".*/\1/p' "$1"
}
manual() {  # SIGN PATTERN: names on standard input
    while read -r name; do
        grep -qE -- "$2$name( |\$)" man/duet.1 || echo man/duet.1:1 | say "says nothing of $1$name"
    done
}
if [ -f man/duet.1 ]; then
    first_name app/options.def | manual -- '^\.It Fl .*-'
    first_name app/mode.def | manual '' '^\.It Cm '
    sed -n 's/^ACTION([A-Z_]*, *"\([a-z][^"]*\)".*/\1/p' ui/action.def 2>/dev/null |
        manual / '^\.It Ic .*/'
fi

[ -s "$tmp/found" ] || exit 0
sort -u "$tmp/found"
exit 1
