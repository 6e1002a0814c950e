#!/bin/sh
# screen_bench.sh -- what the screen costs: the figures of tests/screen_bench.c, and those of the
# whole program on a pty that answers nothing: when its first frame came, with a theme that was
# chosen and with one that is asked for; how often it wakes up with nothing to do.
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


def start(theme):
    """On a terminal that never answers a question."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["DUET_TRACE"] = trace
        os.execv(duet, [duet, "--model", model, "--no-save", "--theme", theme])
    return pid, fd


def drain(fd, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.05)[0]:
            os.read(fd, 65536)


def first_frame(pid):
    """Ends it; when it drew."""
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    with open(trace, encoding="utf-8") as f:
        first = next(float(line.split()[0]) for line in f if " frame " in line)
    os.unlink(trace)
    return first


def switches(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M)[1])


pid, fd = start("dark")
drain(fd, 3)
before, seconds = switches(pid), 5
drain(fd, seconds)
wakes = (switches(pid) - before) / seconds
first = first_frame(pid)
pid, fd = start("auto")
drain(fd, 1)
silent = first_frame(pid)
for what, value, unit, limit in (("first frame after the start", first, "ms", 50),
                                 ("the same, colours asked for in vain", silent, "ms", 50),
                                 ("wake-ups a second when idle", wakes, "", 0.2)):
    print("%-44s %10.3f %-6s at most %g%s" % (what, value, unit, limit,
                                              "" if value <= limit else "  TOO MUCH"))
PYTHON
