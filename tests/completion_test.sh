#!/bin/sh
# completion_test.sh -- what `duet completion` prints is taken by the shells that are here, and bash
# completes options, subcommands, modes and sessions with it.
set -u
cd "$(dirname "$0")/.." || exit 2
duet=$PWD/${BUILD:-build}/duet
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export XDG_DATA_HOME="$tmp" XDG_CONFIG_HOME="$tmp" XDG_STATE_HOME="$tmp"
mkdir "$tmp/bin" && ln -s "$duet" "$tmp/bin/duet"
export PATH="$tmp/bin:$PATH"
passed=0
failed=0

# check WHAT WANTED GOT
check() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "completion: $1: expected '$2', got '$3'"
    fi
}

# complete WORD...: what bash makes of the line that ends there.
complete() {
    bash -c 'eval "$(duet completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _duet
             echo "${COMPREPLY[@]}"' bash "$@"
}

check option "--session" "$(complete duet --ses)"
check subcommand "completion" "$(complete duet comp)"
check mode "pro pro-max" "$(complete duet --mode p)"
check letter "flash" "$(complete duet -m fl)"
check theme "solarized-dark solarized-light" "$(complete duet --theme sol)"
model=tests/fixtures/tiny-llama-q8_0.gguf
duet --session one --model $model --max-tokens 2 --command hello >/dev/null
check session "$(duet --list | cut -d' ' -f1)" "$(complete duet --session '')"
for shell in bash zsh fish; do
    duet completion $shell >"$tmp/$shell" && [ -s "$tmp/$shell" ]
    check "$shell is printed" 0 $?
    command -v $shell >/dev/null || continue
    $shell -n "$tmp/$shell"
    check "$shell reads it" 0 $?
done
duet completion tcsh >/dev/null 2>&1
check "another shell" 2 $?

echo "$passed passed, $failed failed"
[ $failed = 0 ]
