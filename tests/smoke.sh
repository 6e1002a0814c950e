#!/bin/bash
# smoke.sh -- what could break: that a person who fetched the default model gets an answer. Talks to
# the real model through `duet -p`: events, sessions, toggles, resume, exit codes. Answers are
# greedy; what they say is checked only where even a small model is sure.
#
#   tests/smoke.sh      BUILD = folder of the program (default build)
set -u
cd "$(dirname "$0")/.." || exit 2
duet=${BUILD:-build}/duet
models=${XDG_DATA_HOME:-$HOME/.local/share}/duet/models
[ -x "$duet" ] || { echo "there is no $duet"; exit 1; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# A home of its own, with the models that are there.
export XDG_DATA_HOME=$dir/data XDG_CONFIG_HOME=$dir/config XDG_STATE_HOME=$dir/state
mkdir -p "$XDG_DATA_HOME/duet"
ln -s "$models" "$XDG_DATA_HOME/duet/models"

check() {   # NAME, after a condition
    if [ $? = 0 ]; then
        passed=$((passed + 1))
        echo "ok: $1"
    else
        failed=$((failed + 1))
        echo "failed: $1"
        head -c 2000 "$dir/out" "$dir/err"
    fi
}
ask() {     # OPTIONS... TEXT
    "$duet" "${@:1:$#-1}" -p "${@: -1}" >"$dir/out" 2>"$dir/err" </dev/null
}
# events EXPRESSION: of Python, about the events of the last ask --json:
#   answer = its text, thought, use = the usage event, last = the done event, of(TYPE) = a list
events() {
    python3 - "$dir/out" "$1" <<'PY'
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1], encoding="utf-8")]
of = lambda t: [e for e in lines if e["type"] == t]
answer = "".join(e["text"] for e in of("token"))
thought = "".join(e["text"] for e in of("thinking"))
use, last = of("usage")[-1], lines[-1]
sys.exit(0 if eval(sys.argv[2]) else "not so: %s\nusage %s\nlast %s" % (sys.argv[2], use, last))
PY
}
status() {  # NUMBER NAME OPTIONS...: this exit status, and for a failure one line that says why
    local want=$1 name=$2
    "$duet" "${@:3}" >"$dir/out" 2>"$dir/err" </dev/null
    [ $? = "$want" ] && { [ "$want" = 0 ] || [ "$(grep -c . "$dir/err")" = 1 ]; }
    check "exit $want: $name"
}

status 0 'the version' --version
status 0 'the help' --help
status 2 'an option that does not exist' --nonsense
status 2 'a mode that does not exist' --mode turbo -p x
status 3 'a model that does not exist' --model nowhere -p x
status 3 'a model that is a folder' --model "$dir/" -p x
status 3 'a model that is something else' --model "$duet" -p x

question='What is the capital of France? Answer in one sentence.'
ask "$question"
[ $? = 0 ] && grep -q Paris "$dir/out"
check 'the answer alone on standard output'
cp "$dir/out" "$dir/first"
[ ! -e "$XDG_DATA_HOME/duet/sessions" ]
check 'one question leaves no session'
ask --threads 1 "$question" && cmp -s "$dir/out" "$dir/first"
check 'the same answer with one thread'
ask --threads 3 "$question" && cmp -s "$dir/out" "$dir/first"
check 'the same answer with three threads'
ask --kernels c "$question" && grep -q Paris "$dir/out"
check 'an answer of the plain kernels'
ask --exact --json "$question" &&
    events '"Paris" in answer and "exact" in of("model")[0]["kernels"]'
check 'an answer without rounding on the way'
echo 'The parrot is called Quito.' | "$duet" -p 'What is the name of the parrot?' \
    >"$dir/out" 2>"$dir/err" && grep -q Quito "$dir/out"
check 'standard input is attached'

ask --json "$question"
[ $? = 0 ] && events 'of("model") and last["type"] == "done"'
check 'events: the model, and the end'
events 'answer.strip() == open("'"$dir/first"'").read().strip()'
check 'events: the same answer'
events 'use["re_read_tokens"] == 0 and use["prompt_tokens"] > 10 and use["answer_tokens"] > 3'
check 'events: usage'
events 'use["read_tokens"] >= use["prompt_tokens"] and use["reused_tokens"] == 0'
check 'events: all of a new prompt is read'
events 'last["reason"] == "stop"'
check 'events: it ended by itself'
ask --json --max-tokens 4 "$question" &&
    events 'last["reason"] == "length" and use["answer_tokens"] == 4'
check 'events: the limit of an answer'

head -c 5000 README.md | "$duet" --json -p 'What is this?' >"$dir/out" 2>"$dir/err"
[ $? = 0 ] && events 'of("prefill")[-1]["done"] == of("prefill")[-1]["total"] > 1000'
check 'events: how far a long prompt is read'

ask --session smoke --json 'Rex is a dog. Say that.'
[ $? = 0 ] && events 'answer'
check 'a session begins'
ask --session smoke --json --mode pro 'Say it again.'
[ $? = 0 ] && events '"Rex" in answer + thought'
check 'it is continued, and knows what was said'
events 'of("resumed") and of("resumed")[0]["tokens_back"] > 20'
check 'its cache comes back'
events 'use["re_read_tokens"] == 0 and of("resumed")[0]["re_read_tokens"] == 0'
check 'and nothing is read again, in another mode'
events 'use["thinking_tokens"] > 0 and thought'
check 'the other mode thinks'
rm "$XDG_DATA_HOME"/duet/sessions/smoke/kv
ask --continue --json 'Say it once more.'
[ $? = 0 ] && events '"Rex" in answer and not use["re_read_tokens"]'
check 'without its cache it is read anew and still known'
[ "$(wc -l <"$XDG_DATA_HOME/duet/sessions/smoke/log.jsonl")" -ge 7 ]
check 'the log holds all of it'
printf 'xxxxxxxx' | dd of="$XDG_DATA_HOME/duet/sessions/smoke/kv" bs=1 seek=5000 conv=notrunc \
    status=none
ask --session smoke --json 'Thank you.'
[ $? = 0 ] && events 'answer'
check 'a damaged cache costs nothing but time'
status 4 'a session name that is none' --session 'no/such session' -p x

tests/compare_logits.py "$models/smollm2-135m.gguf" --check tests/golden/logits-smollm2-135m.json \
    >"$dir/out" 2>"$dir/err"
check 'the logits of the reference on 2,048 tokens of three texts'

echo "$passed passed, $failed failed"
[ $failed = 0 ]
