#!/bin/sh
# inspect_test.sh -- `duet inspect` as a person and a program see it: what it prints, what it
# refuses, its exit status. The facts themselves are tested in engine_inspect.c.
set -u
duet=${BUILD:-build}/duet
passed=0 failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME="$dir" XDG_DATA_HOME="$dir/data" XDG_CONFIG_HOME="$dir/config"
export XDG_STATE_HOME="$dir/state"

# check STATUS TEXT ARGUMENTS...: the exit status, and a text that is printed on either channel.
check() {
    status=$1 text=$2
    shift 2
    out=$("$duet" "$@" 2>&1)
    if [ $? = "$status" ] && printf '%s\n' "$out" | grep -q -e "$text"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '  FAILED  duet %s: expected %s and "%s":\n%s\n' "$*" "$status" "$text" "$out"
    fi
}

model=tests/fixtures/tiny-llama-q4_1.gguf
check 0 '^architecture  *llama$' inspect $model
check 0 '^formats  *Q4_1 .*%.* MB\|kB in' inspect $model
check 0 '^tokenizer  *byte-level BPE, llama-bpe$' inspect $model
check 0 '^template  *chatml$' inspect $model
check 0 '^cache .* for each token (f16)$' inspect $model
check 0 '^  *.* (flash, [0-9.]* %)$' inspect $model
check 0 '"kv_bytes_per_token": {"f16": 512, "f32": 1024, "q8": 272,' inspect $model --json
check 0 '^runs  *yes$' inspect $model
check 0 '^refused  *it has no weights' inspect tests/fixtures/vocab/spm.gguf
check 0 '"runs": true, "refused": \[\]}$' inspect $model --json
check 0 '"refused": \["it has no weights: a vocabulary alone"\]' \
    inspect --json tests/fixtures/vocab/spm.gguf
check 0 'thinks by itself$' inspect tests/fixtures/tiny-deepseek4.gguf
check 3 'README.md: not a GGUF file' inspect ./README.md
check 3 'nowhere' inspect ./nowhere.gguf
check 2 'inspect: which model?' inspect
check 2 "inspect: there is no option '--all'" inspect $model --all
check 2 'inspect: one model at a time' inspect $model $model

echo "$passed passed, $failed failed"
[ $failed = 0 ]
