#!/bin/sh
# screen_bench.sh -- what the screen costs: the figures of tests/screen_bench.c, and two of the
# whole program on a pty: when its first frame came, how often it wakes up with nothing to do.
#
#   tests/screen_bench.sh [MODEL]     BUILD = folder of the programs (default build)
set -u
cd "$(dirname "$0")/.." || exit 2
build=${BUILD:-build}
model=${1:-tests/fixtures/tiny-llama-q8_0.gguf}
"$build/tests/screen_bench" || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export XDG_DATA_HOME="$tmp" XDG_STATE_HOME="$tmp" XDG_CONFIG_HOME="$tmp" TERM=xterm-256color
python3 - "$build/duet" "$model" "$tmp/trace" <<'PYTHON'
import os, pty, re, select, signal, sys, time

duet, model, trace = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ["DUET_TRACE"] = trace
    os.execv(duet, [duet, "--model", model, "--no-save", "--theme", "dark"])


def drain(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.05)[0]:
            os.read(fd, 65536)


def switches():
    with open("/proc/%d/status" % pid, encoding="utf-8") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M)[1])


drain(3)
before, seconds = switches(), 5
drain(seconds)
wakes = (switches() - before) / seconds
os.kill(pid, signal.SIGTERM)
os.waitpid(pid, 0)
with open(trace, encoding="utf-8") as f:
    first = next(float(line.split()[0]) for line in f if " frame " in line)
for what, value, unit, limit in (("first frame after the start", first, "ms", 50),
                                 ("wake-ups a second when idle", wakes, "", 0.2)):
    print("%-44s %10.3f %-6s at most %g%s" % (what, value, unit, limit,
                                              "" if value <= limit else "  TOO MUCH"))
PYTHON
