#!/usr/bin/env python3
"""hostile_test.py -- a conversation whose every text tries to do something to the terminal, through
every front, on a pty of its own. What could break: one print that forgets to spell it out.

    tests/hostile_test.py          BUILD = folder of the program (default build)
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import sys
import tempfile
import termios
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DUET = os.path.join(TOP, os.environ.get("BUILD", "build"), "duet")
FIXTURES = os.environ.get("DUET_FIXTURES") or next(
    d for d in (os.path.join(TOP, "../shared/fixtures"), os.path.join(TOP, "tests/fixtures"))
    if os.path.isdir(d))
MODEL = os.path.join(FIXTURES, "tiny-llama-q8_0.gguf")
PATIENCE = 60
EVIL = ("\x1b]0;owned\x07\x1b]52;c;ZXZpbA==\x07\x1b[31;7;5mred\x1bP+q544e\x1b\\\x1b[?1049l\x1b[6n"
        "\x9b31m\x85\x08\x0e\x7f\u202egnp.exe\u2066\u200f\U000e0041tag `x\x1b[2J` end")
# What curses and the program itself send for TERM=xterm-256color.
SENT = re.compile(rb"\x1b(\[[0-9;?]*[ABCDGHJKLMPSTXZ@bdfhlmrt]|[()][AB0]|[=>78M]|\[\?2026\$p|\[c"
                  rb"|\]11;\?\x1b\\)")
# How wide the terminal draws is asked once.
ASKED = "\x1b[2;1H…─▓❯\x1b[6n".encode()
PAYLOADS = [b"\x1b]0", b"\x1b]52", b"\x1b[31;7;5m", b"\x1bP", b"\x1b[6n", b"\x07", b"\xc2\x9b",
            b"\xc2\x85", b"\xe2\x80\xae", b"\xe2\x81\xa6", b"\xe2\x80\x8f", b"\xf3\xa0\x81"]


class Failed(Exception):
    pass


def run(home, args, steps=(), term="xterm-256color"):
    """Runs the program on a pty; each step is (text to wait for, keys to send then). All that it
    sent."""
    env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR", "DISPLAY")}
    env.update(HOME=home, LC_ALL="C.UTF-8", TERM=term, EDITRC="/dev/null")
    for kind in ("DATA", "CONFIG", "STATE"):
        env["XDG_%s_HOME" % kind] = os.path.join(home, kind.lower())
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execve(DUET, [DUET, *args], env)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    out, seen, steps, end = b"", 0, list(steps), time.monotonic() + PATIENCE
    while True:
        if steps and steps[0][0] in out[seen:]:
            seen = len(out)
            os.write(fd, steps.pop(0)[1])
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            os.kill(pid, 9)
            raise Failed("%s: waited for %r; so far %r" % (args, steps[:1], out[-2000:]))
        try:
            part = os.read(fd, 65536)
        except OSError:
            part = b""
        if not part:
            break
        out += part
    os.waitpid(pid, 0)
    os.close(fd)
    return out


def clean(what, out, screen=False):
    out = out.replace(ASKED, b"", 1) if screen else out
    for bad in PAYLOADS:
        if bad in out:
            raise Failed("%s: %r came raw: %r" % (what, bad, out[max(0, out.find(bad) - 80):
                                                                 out.find(bad) + 40]))
    text = (SENT.sub(b"", out) if screen else out).decode("utf-8")
    for i, c in enumerate(text):
        if (ord(c) < 32 and c not in "\r\n\t" + "\b" * screen) or 127 <= ord(c) < 160:
            raise Failed("%s: %r at %r" % (what, c, text[max(0, i - 40):i + 40]))


def spelled(what, out):
    if b"]0;owned" not in out:
        raise Failed("%s: nothing of it is shown: %r" % (what, out[-1500:]))


def corrupt(folder):
    """Every text of the log becomes the hostile one."""
    path = os.path.join(folder, "log.jsonl")
    with open(path, encoding="utf-8") as f:
        log = [json.loads(line) for line in f]

    def change(value, name=""):
        if isinstance(value, dict):
            return {k: change(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [change(v, name) for v in value]
        return EVIL if isinstance(value, str) and name in ("text", "title", "question") else value
    with open(path, "w", encoding="utf-8") as f:
        for event in log:
            f.write(json.dumps(change(event), ensure_ascii=False) + "\n")
    for name in ("kv", "meta.json"):
        if os.path.exists(os.path.join(folder, name)):
            os.unlink(os.path.join(folder, name))


def main():
    home = tempfile.mkdtemp(prefix="duet-hostile-")
    model = ["--model", MODEL, "--kernels", "c", "--threads", "1", "--max-tokens", "4"]
    passed = failed = 0
    try:
        run(home, [*model, "--plain", "--session", "evil"],
            [(b"flash> ", b"a question\n"), (b"re-read", b"/rename a title\n"),
             (b"flash> ", b"/quit\n")])
        corrupt(os.path.join(home, "data/duet/sessions/evil"))
        checks = [
            ("--list", False, lambda: run(home, ["--list"])),
            ("--plain", False, lambda: run(home, [*model, "--plain", "--session", "evil"],
                                           [(b"flash> ", b"/open\n"), (b"flash> ", b"/retry\n"),
                                            (b"re-read", b"/nosuch\x1b[2J\n"),
                                            (b"flash> ", b"/quit\n")])),
            ("-p", False, lambda: run(home, [*model, "-p", EVIL])),
            ("a model's name", False, lambda: run(home, ["--model", EVIL + ".gguf"])),
            ("an option", False, lambda: run(home, ["--" + EVIL])),
            ("the screen", True, lambda: run(home, [*model, "--session", "evil"],
                                             [(b"re-read", b"\x1bOS"), (b"Sessions", b"\x1b"),
                                              (b"\x1b[?25h", b"/quit\r")])),
        ]
        for what, screen, check in checks:
            try:
                out = check()
                clean(what, out, screen)
                if what in ("--list", "--plain", "the screen"):
                    spelled(what, out)
                passed += 1
                print("ok: " + what)
            except (Failed, UnicodeDecodeError) as e:
                failed += 1
                print("failed: %s" % e)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
