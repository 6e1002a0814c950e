#!/usr/bin/env python3
"""kill_test.py -- kill -9 at random moments of starting, resuming, reading, answering and saving.

What could break: text that was acknowledged (an answer whose end was told, a question whose answer
began) is not in the log; a session does not open again; its cache is damaged instead of old; what a
crash leaves behind stays or piles up.

    tests/kill_test.py [ROUNDS [SEED [MODEL]]]   BUILD = folder of the program (default build)

Moments are a function of SEED. 50 rounds take seconds on the fixture model; run 1000 by hand.
"""
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DUET = os.path.join(TOP, os.environ.get("BUILD", "build"), "duet")
FIXTURES = os.environ.get("DUET_FIXTURES") or next(
    d for d in (os.path.join(TOP, "../shared/fixtures"), os.path.join(TOP, "tests/fixtures"))
    if os.path.isdir(d))
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
MODEL = sys.argv[3] if len(sys.argv) > 3 else os.path.join(FIXTURES, "tiny-llama-q8_0.gguf")
MAX_TURNS = 12      # of a session; then another one begins
KEPT = {"log.jsonl", "kv", "meta.json", "lock"}
MODES = ("flash", "pro", "pro-max")
TIERS = ([], ["--far", "f16"], ["--far", "q8"], ["--far", "q4"], ["--far", "flash"])


class Failed(Exception):
    pass


def check(ok, text):
    if not ok:
        raise Failed(text)


class Session:
    """What the person was told of one session."""

    def __init__(self, name):
        self.name = name
        self.turns = []     # [question, [(tokens, text or None)]]
        self.saved = False  # its cache has been written once


class Home:
    """A home of its own for the program, removed at the end."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="duet-kill-")
        self.tmp = os.path.join(self.dir, "tmp")
        os.mkdir(self.tmp)
        self.env = dict(os.environ, XDG_DATA_HOME=self.dir + "/data", TMPDIR=self.tmp,
                        XDG_STATE_HOME=self.dir + "/state", XDG_CONFIG_HOME=self.dir + "/config")
        self.sessions = self.dir + "/data/duet/sessions"

    def start(self, session, arguments, given):
        command = [DUET, "--model", MODEL, "--session", session.name, "--max-tokens", "8",
                   "--threads", "1", "--fit", "drop"] + arguments
        p = subprocess.Popen(command, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        try:
            p.stdin.write(given.encode())
            p.stdin.close()
        except BrokenPipeError:
            pass
        return p

    def log(self, session):
        """The turns of a log, the number of whole lines; every whole line must be JSON."""
        turns = []
        try:
            with open(os.path.join(self.sessions, session.name, "log.jsonl"), "rb") as f:
                data = f.read()
        except FileNotFoundError:
            return turns
        for line in data.split(b"\n")[:-1]:
            e = json.loads(line)
            if e["type"] == "ask":
                check(e["turn"] == len(turns), "question %d stands at %d" % (e["turn"], len(turns)))
                turns.append([e["text"], []])
            elif e["type"] == "cut":
                del turns[e["turns"]:]
            elif e["type"] == "reply":
                text = "".join(p["text"] for p in e["parts"])
                turns[e["turn"]][1].append((e["usage"]["answer_tokens"], text))
        return turns


# ---- a run that is killed ---------------------------------------------------------------------

def output_until(p, n_lines, delay):
    """The output, the program killed `delay` after its n-th line (or its end)."""
    lines = []
    while len(lines) < n_lines:
        line = p.stdout.readline()
        if not line:
            break
        lines.append(line)
    time.sleep(delay)
    p.kill()
    lines += p.stdout.readlines()
    p.wait()
    whole = [l.decode("utf-8", "replace") for l in lines if l.endswith(b"\n")]
    return whole


def check_said(session, line):
    """A complaint is allowed only about a cache that was never written."""
    check(not session.saved and "/kv': No such file" in line, "said: %s" % line)


def told_json(session, question, lines):
    """Takes over what events acknowledge."""
    text, began = "", False
    for line in lines:
        if not line.startswith("{"):
            check(line.startswith("duet: "), "not an event: %s" % line)
            continue
        e = json.loads(line)
        if e["type"] == "error":
            check_said(session, e["text"])
        if e["type"] in ("token", "thinking", "prefill") and not began:
            began = True
            session.turns.append([question, []])
        if e["type"] in ("token", "thinking"):
            text += e["text"]
        if e["type"] == "usage":
            tokens = e["answer_tokens"]
        if e["type"] == "done":
            check(began, "an answer without a beginning")
            session.turns[-1][1].append((tokens, text))


def told_plain(session, script, lines):
    """The same of plain lines: an answer begins with its mode, and ends with its counts."""
    at, began = 0, False
    for line in lines:
        if line.startswith("!"):
            check_said(session, line)
        if re.match(r"\[(Flash|Pro|Pro-Max)( thinks)?\] ", line) and not began:
            while script[at].startswith("/rename"):
                at += 1
            began = True
            if script[at] != "/retry":
                session.turns.append([script[at], []])
        done = re.match(r"- (stop|length|loop): (\d+) tokens answered", line)
        if done:
            session.turns[-1][1].append((int(done.group(2)), None))
            at, began = at + 1, False


def options(rng):
    """The mode, and how the cache holds what is far back: each change converts it."""
    return ["--mode", rng.choice(MODES)] + rng.choice(TIERS)


def run_json(home, session, rng, moment):
    question = "question %d?" % rng.randrange(1000)
    p = home.start(session, ["--json", "-p", question] + options(rng), "")
    lines = output_until(p, *moment(rng, 12))
    told_json(session, question, lines)


def run_plain(home, session, rng, moment):
    script = []
    for _ in range(rng.randrange(1, 4)):
        script.append("question %d?" % rng.randrange(1000))
        if rng.random() < 0.3:
            script.append("/retry")
        if rng.random() < 0.3:
            script.append("/rename name %d" % rng.randrange(1000))
    p = home.start(session, ["--plain"] + options(rng), "\n".join(script) + "\n")
    lines = output_until(p, *moment(rng, 2 * len(script) + 2))
    told_plain(session, script, lines)


def run_undo(home, session, rng, moment):
    """Takes the last turn back: it is there or not, and not if that was told."""
    p = home.start(session, ["--plain"], "/undo\n")
    lines = output_until(p, *moment(rng, 3))
    n = len(home.log(session))
    told = sum(line.startswith("- now in:") for line in lines) > 1
    check(not told or n < len(session.turns) or not n, "what was taken back is there again")
    if n < len(session.turns):
        session.turns.pop()


def run_resume(home, session, rng, moment):
    """Comes back and leaves again: what is killed is the resume or the save."""
    p = home.start(session, ["--plain"], "/rename again %d\n" % rng.randrange(1000))
    output_until(p, *moment(rng, 2))


RUNS = (run_json, run_json, run_plain, run_plain, run_resume, run_undo)


def moment_of(seconds):
    """A function that chooses when to kill: so long after so many lines."""
    def moment(rng, n_lines):
        if rng.random() < 0.3:
            return 0, rng.random() * seconds
        return rng.randrange(1, n_lines + 1), rng.random() ** 3 * seconds / 3
    return moment


# ---- what must hold then ----------------------------------------------------------------------

def check_log(home, session):
    turns = home.log(session)
    check(len(turns) >= len(session.turns), "%d turns were told, %d are there" %
          (len(session.turns), len(turns)))
    for (question, told), (logged, answers) in zip(session.turns, turns):
        check(question == logged, "question %r became %r" % (question, logged))
        check(len(answers) >= len(told), "%r: %d answers were told, %d are there" %
              (question, len(told), len(answers)))
        for (tokens, text), (n, there) in zip(told, answers):
            check(tokens == n, "%r: %d tokens were told, %d are there" % (question, tokens, n))
            check(text is None or text == there, "%r: %r became %r" % (question, text, there))
    session.turns = [[q, list(a)] for q, a in turns]


def check_opens(home, session):
    """It opens, takes its cache, leaves; the folder holds what it should and nothing else."""
    p = home.start(session, ["--plain"], "/rename closed\n")
    out = p.stdout.read().decode("utf-8", "replace")
    check(p.wait() == 0, "does not open (%s): %s" % (p.returncode, out))
    for line in re.findall("^!.*", out, re.M):
        check_said(session, line)
    session.saved = len(session.turns) > 0
    folder = os.path.join(home.sessions, session.name)
    check(os.path.isdir(folder) or not session.turns, "the folder is gone")
    there = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    check(there <= KEPT, "left behind: %s" % ", ".join(sorted(there - KEPT)))
    left = [f for f in os.listdir(home.tmp) if os.path.getsize(os.path.join(home.tmp, f)) > 0]
    check(left == [], "left in the folder for temporary files: %s" % left) # a name may be: no bytes


def check_cut_short(home):
    """Another program cuts the mapped cache short: a clear end, nothing lost."""
    session = Session("cut-short")
    script = "".join("a question that is long enough to fill blocks %d\n" % i for i in range(8))
    p = home.start(session, ["--plain"], script)
    told_plain(session, script.split("\n")[:-1],
               p.stdout.read().decode("utf-8", "replace").splitlines())
    check(p.wait() == 0 and len(session.turns) == 8, "8 questions: %s" % session.turns)
    p = subprocess.Popen([DUET, "--model", MODEL, "--session", session.name, "--plain"],
                         env=home.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    while b"tokens back" not in p.stdout.readline():
        pass
    os.truncate(os.path.join(home.sessions, session.name, "kv"), 0)
    out, err = p.communicate(b"and now?\n")
    check(p.returncode == 1 and err.count(b"\n") == 1 and b"was cut short" in err,
          "cut short: %s, %r" % (p.returncode, err))
    check_log(home, session)
    session.saved = False
    p = home.start(session, ["--plain"], "/rename closed\n")
    out = p.stdout.read()
    check(p.wait() == 0 and out.count(b"\n!") == 1, "cut short, again: %s" % out)
    session.saved = True
    check_opens(home, session)


def main():
    rng = random.Random(SEED)
    home = Home()
    counts = collections.Counter()
    n_sessions = 0
    session = None
    began = time.time()
    failed = 0
    try:
        seconds = 0.06
        for i in range(ROUNDS):
            if session is None or len(session.turns) >= MAX_TURNS:
                n_sessions += 1
                session = Session("s%d" % n_sessions)
                if rng.random() < 0.7:  # else the first run is killed, too
                    start = time.time()
                    check_opens(home, session)
                    seconds = max(0.02, time.time() - start)
            run = rng.choice(RUNS if session.turns else RUNS[:-1])
            run(home, session, rng, moment_of(seconds))
            check_log(home, session)
            check_opens(home, session)
            counts[run.__name__] += 1
        names = set(os.listdir(home.sessions))
        check(names <= {"s%d" % k for k in range(1, n_sessions + 1)}, "folders: %s" % names)
        check_cut_short(home)
        counts["run_cut short"] += 1
    except Failed as e:
        failed = 1
        print("failed: round %d of seed %d: %s" % (i, SEED, e))
    print("%s in %.1f s, %d sessions" % (", ".join("%d %s" % (n, k[4:]) for k, n in
                                                   sorted(counts.items())),
                                         time.time() - began, n_sessions))
    if failed:
        print("kept: %s" % home.dir)
    else:
        shutil.rmtree(home.dir)
    print("%d passed, %d failed" % (sum(counts.values()), failed))
    return failed


if __name__ == "__main__":
    sys.exit(main())
