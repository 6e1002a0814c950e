#!/usr/bin/env python3
"""walk.py -- every action of ui/action.def in a real terminal (tmux), by each of its keys and by its
command: is the program still there, did it know the command? The screen after each step is written
down, to be read.

    tests/walk.py [FOLDER] [--size 80x24] [--env NO_COLOR=1]... [--duet=--ascii]... [--lines]
                  [--colors]

Screens go to FOLDER (default build/walk); BUILD = folder of the program. --lines: the program has
no screen there (--plain, TERM=dumb), and only commands are typed. --colors: each screen once more with
its colours, NAME.ansi, of which tests/picture.py makes a picture.
"""
import argparse
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import terminal_test as tt  # noqa: E402

ROW = re.compile(r'^ACTION\((\w+),\s*"([^"]*)",\s*"([^"]*)",\s*"([^"]*)",\s*"([^"]*)",\s*"([^"]*)"\)')
KEYS = {"PgUp": "PPage", "PgDn": "NPage", "Esc": "Escape", "Del": "DC", "Ins": "IC"}
# What a command needs to do something.
ARGUMENTS = {"MODE": "pro", "RENAME": "a walk", "SYSTEM": "Be brief.", "SET": "seed 7",
             "THEME": "mono", "SEARCH": "question", "FIND": "question", "COPY": "1",
             "EXPORT": "md walk.md", "ATTACH": "walk.md", "IMPORT": "walk.md", "DELETE": "no-such", "BEST": "1",
             "THINK": "16", "CHOOSE": "1"}
# What is said before them, so that there is something to do: a second answer, a thought.
BEFORE = {"CHOOSE": "/retry", "SPLIT": "/retry", "MERGE": "/retry", "FLIP": "/retry",
          "FLIP_BACK": "/retry", "DIFF": "/retry", "FOLD": "/pro-max a question"}
LAST = ("SUSPEND", "QUIT")
# Behind these there may be nothing to talk about.
EMPTIES = ("NEW", "OPEN", "FIND", "UNDO", "FORK", "BRANCH", "IMPORT", "CHOOSE")


def actions():
    with open(os.path.join(tt.TOP, "ui/action.def"), encoding="utf-8") as f:
        return [m.groups() for m in map(ROW.match, f) if m]


def tmux_key(name):
    mods = ""
    for word, short in (("Ctrl+", "C-"), ("Alt+", "M-"), ("Shift+", "S-")):
        if name.startswith(word) and name != word:
            mods += short
            name = name[len(word):]
    name = KEYS.get(name, name)
    return mods + (name.lower() if mods.startswith("C-") and len(name) == 1 else name)


class Walk:
    def __init__(self, o):
        self.folder, self.steps, self.failed = o.folder, 0, []
        self.lines, self.options, self.colors = o.lines, o.duet, o.colors
        cols, rows = map(int, o.size.split("x"))
        os.makedirs(self.folder, exist_ok=True)
        self.t = tt.Terminal(rows, cols, env=dict({"EDITOR": "true", "PAGER": "true"},
                                                  **dict(e.split("=", 1) for e in o.env)))

    def settle(self):
        """The screen, once it has stayed the same for a moment."""
        last, since, end = None, time.monotonic(), time.monotonic() + tt.PATIENCE
        while time.monotonic() < end:
            s = self.t.screen()
            if s != last:
                last, since = s, time.monotonic()
            elif time.monotonic() - since > 0.4:
                return s
            time.sleep(0.05)
        return last

    def look(self, name):
        s = self.settle()
        self.steps += 1
        with open(os.path.join(self.folder, "%03d-%s.screen" % (self.steps, name)), "w",
                  encoding="utf-8") as f:
            f.write(s)
        if self.colors:
            with open(os.path.join(self.folder, "%03d-%s.ansi" % (self.steps, name)), "w",
                      encoding="utf-8") as f:
                f.write(self.t.screen("-e"))
        unknown = "there is no command" in s or ("needs the screen" in s and not self.lines)
        if not self.t.pid() or unknown:
            self.failed.append(name)
        return s

    def start(self):
        self.t.duet("--max-tokens 8", "--session walk%d" % self.steps, *self.options)
        self.t.wait("idle", lambda s: re.search(r"^\S+> *$" if self.lines else "^ idle", s, re.M))
        self.ask()

    def ask(self, text="a question"):
        self.t.type(text)
        self.t.keys("Enter")
        shown = r"tokens answered" if self.lines else r"^ (idle (·|-) (?!draft).*re-r|idle$|/)"
        self.t.wait("an answer", lambda s: re.search(shown, s, re.M))

    def home(self):
        """Back to an empty draft, whatever is open; a program that has left is started again."""
        if self.lines and self.t.pid():
            return
        for key in ("Escape", "Escape", "C-c"):
            self.t.keys(key)
            self.settle()
            if "again to leave" in self.t.screen():
                self.t.keys("x", "BSpace")
        if not self.t.pid():
            self.start()

    def press(self, what, keys, reader):
        if reader:
            self.t.keys("Tab")
            self.settle()
        for key in keys.split(",") if len(keys) > 1 else [keys]:
            if len(key) == 1 or key == "Shift+Enter":  # tmux has no name for the second
                self.t.type(key if len(key) == 1 else "\033[13;2u")
            else:
                self.t.keys(tmux_key(key))
        self.look(what)
        self.home()

    def command(self, what, text):
        self.t.type(text)
        self.t.keys("Enter")
        self.look(what)
        self.t.wait("idle", lambda s: re.search(r"^( idle| *\$|-- any)", s, re.M) or True)
        self.home()


def walk(w, row):
    name, command, _, editor, reader, _ = row
    if name in BEFORE:
        w.settle()
        w.ask(BEFORE[name])
        w.settle()
    for i, keys in enumerate([] if w.lines else editor.split()):
        if name in ("SEND", "COMPLETE"):
            w.t.type("/tog" if name == "COMPLETE" else "another question")
        w.press("%s-editor-%d" % (name.lower(), i), keys, False)
    for i, keys in enumerate([] if w.lines else reader.split()):
        w.press("%s-reader-%d" % (name.lower(), i), keys, True)
    if command:
        text = "/%s %s" % (command, ARGUMENTS.get(name, ""))
        w.command(name.lower() + "-command", text.strip())


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("folder", nargs="?", default=os.path.join(tt.TOP, tt.BUILD, "walk"))
    p.add_argument("--size", default="80x24")
    p.add_argument("--env", action="append", default=[])
    p.add_argument("--duet", action="append", default=[])
    p.add_argument("--lines", action="store_true")
    p.add_argument("--colors", action="store_true")
    return p.parse_args()


def main():
    w = Walk(arguments())
    try:
        w.start()
        for row in [r for r in actions() if r[0] not in LAST]:
            walk(w, row)
            if row[0] in EMPTIES:
                w.settle()
                w.ask()
        if not w.lines:
            w.t.keys("C-z")
            w.t.wait("the shell", lambda s: "topped" in s)
            w.t.type("fg")
            w.t.keys("Enter")
            w.look("suspend")
            w.home()
        w.t.type("/quit")
        w.t.keys("Enter")
        w.t.shell()
    finally:
        w.t.close()
    print("%d steps, screens in %s; wrong: %s" % (w.steps, w.folder, " ".join(w.failed) or "none"))
    return len(w.failed) > 0


if __name__ == "__main__":
    sys.exit(main())
