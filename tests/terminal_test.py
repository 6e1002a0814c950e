#!/usr/bin/env python3
"""terminal_test.py -- the program as a person sees it: a real terminal (tmux, a server of its own),
keys in, screens out as text, compared with tests/screens/terminal/. On a fixture model, so that
what it answers means nothing but is always the same.

What could break: any screen, the draft, a toggle during a reply, leaving and coming back, sizes,
signals, the terminal left behind.

    tests/terminal_test.py [--update] [NAME...]    BUILD = folder of the program (default build)

--update writes the screens instead of comparing them: read the diff before you commit it. Nothing
sleeps for a fixed time: every step waits until the screen says what is waited for.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", "build")
DUET = os.path.join(TOP, BUILD, "duet")
FIXTURES = os.environ.get("DUET_FIXTURES") or next(
    d for d in (os.path.join(TOP, "../shared/fixtures"), os.path.join(TOP, "tests/fixtures"))
    if os.path.isdir(d))
MODEL = os.path.join(FIXTURES, "tiny-llama-q8_0.gguf")
SCREENS = os.path.join(TOP, "tests/screens/terminal")
PATIENCE = 60  # seconds until a screen that does not come is a failure
UPDATE = "--update" in sys.argv


class Failed(Exception):
    pass


class Terminal:
    """A shell in a tmux pane, with a home of its own."""

    def __init__(self, rows=24, cols=80, env=None, home=None):
        self.home = home or tempfile.mkdtemp(prefix="duet-terminal-")
        self.socket = os.path.join(self.home, "tmux")
        shown = {k: v for k, v in os.environ.items()
                 if k not in ("TMUX", "NO_COLOR", "EDITRC", "DUET_TRACE", "COLORFGBG", "TERM",
                              "VISUAL", "EDITOR", "PAGER", "DISPLAY", "WAYLAND_DISPLAY")}
        for kind in ("DATA", "CONFIG", "STATE"):
            shown["XDG_%s_HOME" % kind] = os.path.join(self.home, kind.lower())
        shown.update(HOME=self.home, LC_ALL="C.UTF-8", PS1="$ ", TERM="xterm-256color",
                     ENV="/dev/null")
        self.env = shown
        self.inner = env or {}
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(cols), "-y", str(rows),
                  "-c", self.home, "env", "TERM=%s" % self.inner.get("TERM", "screen-256color"),
                  *["%s=%s" % p for p in self.inner.items() if p[0] != "TERM"], "sh")
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("set-option", "-s", "set-clipboard", "on")
        self.tmux("resize-window", "-x", str(cols), "-y", str(rows))
        self.wait("shell", lambda s: s.rstrip().endswith("$"))

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", self.socket, *args], env=self.env, check=True,
                              capture_output=True, text=True).stdout

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def screen(self, *flags):
        return self.tmux("capture-pane", "-p", *flags)

    def wait(self, what, ok):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            s = self.screen()
            if ok(s):
                return s
            time.sleep(0.01)
        raise Failed("waited for %s; the screen is\n%s" % (what, self.screen()))

    def duet(self, *args):
        """Starts the program and waits for its first frame with a model."""
        self.type(" ".join([DUET, "--model", MODEL, "--kernels c", "--threads 1", *args]))
        self.keys("Enter")

    def idle(self):
        return self.wait("idle", lambda s: re.search(r"^ idle", s, re.M))

    def resize(self, cols, rows):
        self.tmux("resize-window", "-x", str(cols), "-y", str(rows))

    def shell(self):
        """Waits until the shell is back."""
        return self.wait("the shell", lambda s: s.rstrip().endswith("$"))

    def pid(self):
        shell = self.tmux("list-panes", "-F", "#{pane_pid}").strip()
        out = subprocess.run(["pgrep", "-P", shell, "-x", "duet"], capture_output=True, text=True)
        return int(out.stdout.split()[0]) if out.stdout.strip() else 0

    def logs(self):
        out = []
        top = os.path.join(self.home, "data/duet/sessions")
        for name in sorted(os.listdir(top)):
            with open(os.path.join(top, name, "log.jsonl"), encoding="utf-8") as f:
                out.append([json.loads(line) for line in f])
        return out

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.env,
                       capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)


def steady(text):
    """What a clock or a date brought in is replaced by as many signs."""
    text = re.sub(r"\d+(\.\d+)?k? tok/s", lambda m: "#" * (len(m[0]) - 6) + " tok/s", text)
    text = re.sub(r"#+ tok/s", "### tok/s", text)
    text = re.sub(r" · ahead \d+/\d+", "", text)
    text = re.sub(r" · ~\d+\.\d+ s to the first word", "", text)
    text = re.sub(r"\d+\.\d+ s\b", "#.# s", text)
    text = re.sub(r"\d{8}-\d{6}-\w+", "SESSION", text)
    text = re.sub(r"\b\d\d:\d\d\b", "##:##", text)
    # How much of the hint fits depends on the width of the figures before it.
    text = re.sub(r" {2,}(q back).*$", r"  \1", text, flags=re.M)
    return "".join(re.sub(r" {2,}(\S)", r"  \1", line.rstrip()) + "\n" if " · re-read " in line
                   else line.rstrip() + "\n" for line in text.splitlines())


def same(name, text):
    path = os.path.join(SCREENS, name + ".screen")
    text = steady(text)
    if UPDATE:
        os.makedirs(SCREENS, exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return
    with open(path, encoding="utf-8") as f:
        want = f.read()
    if text != want:
        raise Failed("screen '%s' is\n%s\nand should be\n%s" % (name, text, want))


def without_status(text):
    """The last row has a rate in it, which moves and shortens what stands beside it."""
    return text.rstrip("\n").rsplit("\n", 1)[0] + "\n"


def true(what, condition):
    if not condition:
        raise Failed("not so: " + what)


# ---- the tests ---------------------------------------------------------------------------------

COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|[34]8|9[0-7]|10[0-7])[;m]")


def ask(t, text, enter=True):
    t.type(text)
    t.wait("the draft", lambda s: text.split()[-1] in s)
    if enter:
        t.keys("Enter")


def answered(t, n):
    """Waits until n answers are in the log and the screen is idle with an empty draft again."""
    def ok(s):
        return re.search(r"^ idle", s, re.M) and re.search(r"^[❯»>]$", s, re.M) and \
            sum(e["type"] == "reply" for log in t.logs() for e in log) >= n
    return t.wait("answer %d" % n, ok)


def test_conversation_and_resume(t):
    """Ask, toggle, toggle during a reply, leave, come back: the second program knows all of it."""
    t.duet("--max-tokens 24", "--session one")
    same("first", t.idle())
    ask(t, "What do you know about rivers?")
    same("answered", answered(t, 1))
    t.keys("F2")
    t.wait("Pro-Max", lambda s: s.startswith(" Pro-Max"))
    same("toggled", t.wait("its cost", lambda s: "re-read 0" in s))
    ask(t, "and about lakes?")
    answered(t, 2)
    t.type("and the sea?")
    t.keys("Enter", "F2")  # the second key comes while the first one's answer is on its way
    answered(t, 3)
    t.wait("Flash in the header", lambda s: s.startswith(" Flash"))
    t.type("/quit")
    t.keys("Enter")
    s = t.shell()
    true("the session is named when leaving, and what was said last:\n" + s,
         re.search("^you:\nand the sea\\?\n\n(.*\n)+\nsaved: duet --session one$", s, re.M))
    replies = [e for e in t.logs()[0] if e["type"] == "reply"]
    true("no turn read a token again", all(r["usage"]["re_read_tokens"] == 0 for r in replies))
    toggles = [e for e in t.logs()[0] if e["type"] in ("toggle", "mode")]
    true("the toggles are in the log", len(toggles) >= 2)

    t.duet("--max-tokens 24", "--session one")
    s = t.wait("what the resume did", lambda s: "tokens back in" in s)
    true("nothing was re-read:\n" + s, re.search(r"\d tokens back in [0-9.]+ s, 0 re-read", s))
    true("the conversation is shown", "and the sea?" in s)
    ask(t, "Which of them was the first?")
    answered(t, 4)
    last = [e for e in t.logs()[0] if e["type"] == "reply"][-1]
    true("the history came from the file: %s" % last["usage"],
         last["usage"]["re_read_tokens"] == 0 and
         last["usage"]["reused_tokens"] >= last["usage"]["prompt_tokens"] - 60)


def whole(t, draft, cols, rows):
    """Waits for a screen of this size from its first row to its last, with this draft."""
    return t.wait("%dx%d" % (cols, rows),
                  lambda s: len(s.splitlines()) == rows and re.search("^── [^─]+ ─{%d,}$" % (cols - 12), s, re.M) and
                  re.search(r"^ idle · draft ~", s.splitlines()[-1]) and
                  re.search("^❯ %s$" % draft, s, re.M))


def test_sizes(t):
    """80x24, 40x12, 200x60, tiny, and back: nothing is lost, no size crashes."""
    t.duet("--max-tokens 24")
    t.idle()
    ask(t, "A question that is long enough to need more than one row on a narrow screen")
    answered(t, 1)
    for cols, rows in ((40, 12), (200, 60), (80, 24)):
        t.resize(cols, rows)
        t.type("x")
        same("size-%dx%d" % (cols, rows), whole(t, "x", cols, rows))
        t.keys("BSpace")
        t.wait("an empty draft", lambda s: not re.search(r"^[❯»] x$", s, re.M))
    for cols, rows in ((5, 2), (1, 1), (12, 3), (80, 24)):
        t.resize(cols, rows)
    t.type("still here")
    t.wait("the draft after tiny sizes", lambda s: "still here" in s)


def test_resize_storm(t):
    """Sizes that change while an answer comes: what stands there at the end is what a full redraw
    shows. DUET_RESIZES=6000 does it for a minute."""
    t.duet("--max-tokens 1900")
    t.idle()
    ask(t, "go on for ever")
    seed = 7
    for i in range(int(os.environ.get("DUET_RESIZES", "60"))):
        seed = (seed * 1103515245 + 12345) % 2 ** 31
        t.resize(20 + seed // 7 % 120, 5 + seed // 1009 % 45)
    t.resize(80, 24)
    t.wait("the end", lambda s: re.search(r"^ idle", s, re.M) and len(s.splitlines()) == 24)
    t.type("x")
    before = whole(t, "x", 80, 24)
    t.keys("C-l", "y")
    after = whole(t, "xy", 80, 24)
    true("a full redraw shows\n%s\nand not\n%s" % (after, before),
         after.replace("❯ xy", "❯ x").splitlines()[:-1] == before.splitlines()[:-1])


def test_draft(t):
    """More lines, history, a paste, a command that does not exist, help."""
    t.duet("--max-tokens 8")
    t.idle()
    t.type("one")
    t.keys("M-Enter")
    t.type("two")
    t.keys("C-j")
    t.type("three")
    same("draft-lines", t.wait("three lines", lambda s: "three" in s))
    t.keys("C-c")
    t.wait("an empty draft", lambda s: "three" not in s)
    t.keys("Up")
    t.wait("the draft from the history", lambda s: "three" in s)
    t.keys("C-c")
    t.wait("an empty draft", lambda s: "three" not in s)
    t.tmux("set-buffer", "pasted line one\npasted line two")
    t.tmux("paste-buffer", "-p")
    t.wait("the paste", lambda s: "pasted line two" in s and " idle" in s)
    t.keys("C-c")
    t.type("/nonsense")
    t.keys("Enter")
    t.wait("an error line", lambda s: "there is no command /nonsense" in s)
    t.keys("F1")
    same("help", t.wait("the help", lambda s: "Switch between Flash" in s))
    t.keys("Escape")
    t.wait("no help", lambda s: "Switch between Flash" not in s)
    true("nothing was asked", not os.path.exists(os.path.join(t.home, "data/duet/sessions")))


def paged(t, text):
    seen = [f for f in os.listdir(t.home) if f.startswith("duet-") and f.endswith(".md")]
    return len(seen) == 1 and text in open(os.path.join(t.home, seen[0]), encoding="utf-8").read()


def test_reader(t):
    """Search, turns, copying, the bare view, the pager."""
    t.duet("--max-tokens 8", "--session reader")
    t.idle()
    for n, text in enumerate(("a zebra here", "another Zebra there")):
        ask(t, text)
        answered(t, n + 1)
    t.keys("Tab")
    t.wait("the reader", lambda s: "/ search" in s)
    t.type("/zeb")
    t.wait("the hits", lambda s: "/zeb  1 of 2" in s)
    t.keys("Enter", "n")
    t.wait("the second", lambda s: "/zeb  2 of 2" in s)
    t.type("N")
    t.wait("the first", lambda s: "/zeb  1 of 2" in s)
    t.type("y3")
    t.wait("no block", lambda s: "there is no block 3 to copy" in s)
    t.type("Y")
    s = t.wait("the road", lambda s: "bytes copied by tmux" in s or "sent to the terminal's" in s)
    answer = [e for e in t.logs()[0] if e["type"] == "reply"][-1]["parts"][-1]["text"]
    # A tool that a busy machine keeps from ending in time makes it the other road, to the same place.
    t.wait("the answer in the clipboard", lambda s: t.tmux("show-buffer").strip() == answer.strip())
    t.type("v")
    s = t.wait("the bare view", lambda s: "any key leads back" in s)
    true("plain:\n" + s, "another Zebra there" in s and "F1 help" not in s)
    t.keys("Space")
    t.wait("the screen again", lambda s: "/zeb  1 of 2" in s)
    t.type("o")
    t.wait("the pager, which had the conversation", lambda s: paged(t, "another Zebra there"))
    t.wait("the screen after the pager", lambda s: "/zeb  1 of 2" in s)
    t.type("/")
    t.keys("Escape")
    t.wait("the reader", lambda s: "y Y copy" in s)
    t.type("?")
    same("help-reader", t.wait("the help", lambda s: "Help for the reader" in s))
    t.keys("Escape")
    t.wait("the reader", lambda s: "Help for the reader" not in s)
    t.type("q")
    t.wait("the editor", lambda s: "F1 help" in s and "zeb  " not in s)
    t.resize(40, 12)
    t.wait("the narrow screen", lambda s: s.startswith(" Flash · a zebra here  "))
    t.keys("PPage", "PPage")
    t.wait("an earlier place", lambda s: "more ─" in s)
    t.keys("Tab")
    t.type("c")
    t.wait("what is said below the view", lambda s: "more ─" in s and
           " ".join(s.splitlines()[-2:]).startswith(" idle · reader · the last answer had no"))
    t.type("q/export md far.md")
    t.keys("Enter")
    t.wait("the view at the end", lambda s: "more ─" not in s and
           "bytes written to far.md" in s)


test_reader.env = {"PAGER": "cp -t ."}


def last_row(s):
    return s.rstrip("\n").split("\n")[-1]


def test_notices(t):
    """On a small screen: what a key or a command did is said, where it is seen, and how to go back."""
    t.resize(40, 12)
    t.duet("--max-tokens 8", "--session notices")
    t.idle()
    true("the keys do not fit", "F1  " not in t.screen())
    t.keys("NPage", "NPage")
    t.wait("the last of them", lambda s: re.search(r"^ +F1 +all keys", s, re.M))
    ask(t, "one")
    answered(t, 1)
    t.keys("Tab")
    t.type("r")
    answered(t, 2)
    t.type("q")
    ask(t, "two")
    answered(t, 3)
    t.keys("PPage", "PPage")
    t.wait("an earlier place", lambda s: "more ─" in s)
    t.type("/repro")
    t.keys("Enter")
    t.wait("what /repro found", lambda s: re.search(r"again:\s+the same, all", s) and "more ─" not in s)
    t.keys("F8")
    t.wait("F8", lambda s: "no other mode is suggested" in s)
    t.keys("Tab")
    t.type(">")
    s = t.wait("no other answer", lambda s: "there is no other answer" in " ".join(s.split()))
    true("it stays where it is:\n" + s, "made again" in s and "q back" in last_row(s))
    t.type("t")
    t.wait("t", lambda s: "there is no thinking" in s)
    t.type("/one")
    t.wait("the hit", lambda s: "/one  1 of 1" in s)
    t.keys("Enter")
    t.wait("it stays", lambda s: "/one  1 of 1" in s and "q back" in last_row(s))
    t.type("q")
    t.wait("the editor", lambda s: "/one" not in s)
    t.keys("Tab")
    t.wait("the reader, which looks for nothing", lambda s: re.search(r"^ idle · reader +q back", s, re.M))
    t.type("n")
    t.wait("n, which goes on with it", lambda s: "/one  1 of 1" in s)
    t.type("[[[")
    t.wait("the beginning", lambda s: "the conversation begins here" in " ".join(s.split()))
    t.type(">")
    s = t.wait("the other answer", lambda s: "a branch of notices, which is as it was" in
               " ".join(s.split()))
    true("the first one:\n" + s, "answer 1 of 2" in s)
    t.type("q")
    for key, views in (("F4", "Sessions"), ("F1", "Help"), ("F6", "Context"), ("C-r", "Drafts")):
        t.keys(key)
        t.wait(views, lambda s: re.search("^" + views, s, re.M) and "Esc back" in last_row(s))
        t.keys("Escape")
        t.wait("no " + views, lambda s: not re.search("^" + views, s, re.M))
    t.keys("Tab")
    t.type("v")
    s = t.wait("the bare view", lambda s: "any key leads back" in s)
    true("words are whole:\n" + s, "is as it\nwas" in s or "as it was" in s)
    t.keys("Space")
    t.wait("the screen", lambda s: "any key leads" not in s)


def test_editor_comforts(t):
    """The draft in an editor, drafts of before, completion, a folded paste."""
    t.duet("--max-tokens 8", "--session editor")
    t.idle()
    ask(t, "a question to find again")
    answered(t, 1)
    t.type("my draft")
    t.keys("C-x", "C-e")
    t.wait("the edited draft", lambda s: "my edited" in s and " idle" in s and
           "the draft is as the editor left it" in s)
    t.keys("C-x", "x")
    t.wait("a sequence that is none", lambda s: re.search(r"^❯ my editedx?$", s, re.M))
    t.keys("C-c")
    t.wait("an empty draft", lambda s: re.search(r"^❯$", s, re.M))
    t.keys("C-r")
    t.wait("the drafts", lambda s: s.startswith(" ") and "\nDrafts" in s)
    t.type("find")
    t.wait("one of them", lambda s: "> a question to find again" in s and "> my" not in s)
    t.keys("Enter")
    t.wait("the draft from before", lambda s: "❯ a question to find again" in s)
    t.keys("C-c")
    t.type("/tog")
    t.keys("Tab")
    t.wait("the command", lambda s: "❯ /toggle" in s)
    t.keys("C-c")
    t.tmux("set-buffer", "\n".join("line %d" % i for i in range(30)))
    t.tmux("paste-buffer", "-p")
    t.wait("the stub", lambda s: "❯ [paste: 30 lines, 229 bytes]" in s)
    t.keys("BSpace")
    t.wait("an empty draft", lambda s: "[paste" not in s)
    t.type("/export md out.md")
    t.keys("Enter")
    t.wait("the export", lambda s: "bytes written to out.md" in s)
    with open(os.path.join(t.home, "out.md"), encoding="utf-8") as f:
        true("the export", "## You\n\na question to find again\n" in f.read())


test_editor_comforts.env = {"EDITOR": "sed -i s/draft/edited/"}


def test_sessions(t):
    """The list of sessions: text of others, the preview, a new title, deleting and taking back."""
    for n, name, text in ((1, "soup", "a zebra in the soup"), (2, "bread", "no animals here")):
        t.duet("--max-tokens 8", "--session", name)
        t.idle()
        ask(t, text)
        answered(t, n)
        t.type("/quit")
        t.keys("Enter")
        t.shell()
        t.type("clear")
        t.keys("Enter")
    t.duet("--max-tokens 8")
    t.idle()
    t.keys("F4")
    t.wait("both", lambda s: "a zebra" in s and "no animals" in s and "cache" in s)
    t.type("zebra")
    s = t.wait("one of them", lambda s: "> a zebra in the soup" in s and "no animals" not in s and
               re.search(r"^── soup ", s, re.M))
    same("sessions", re.sub(r"[0-9.]+ kB", "# kB", s))
    t.keys("F2", "BSpace", "BSpace", "BSpace", "BSpace")
    t.type("stew")
    t.wait("the new title", lambda s: "New title: a zebra in the stew" in s)
    t.keys("Enter")
    t.wait("the list again", lambda s: "> a zebra in the stew" in s)
    t.keys("DC")
    t.wait("no such session", lambda s: "brings it back" in s and "no match" in s)
    t.keys("C-u")
    t.wait("the session is back", lambda s: "> a zebra in the stew" in s)
    t.keys("Enter")
    s = t.wait("the place", lambda s: "/zebra  1 of 1" in s and "tokens back" in s and
               s.startswith(" Flash · a zebra in the stew"))
    true("from its cache", re.search(r"[0-9] tokens back in [0-9.]+ s, 0 re-read", s))


def test_waiting(t):
    """Messages typed while an answer is written are shown as they wait; the last comes back to be
    written otherwise, and all are asked in turn."""
    t.duet("--max-tokens 1900", "--session waiting")
    t.idle()
    for text in ("go on for ever", "the second", "the third"):
        t.type(text)
        t.keys("Enter")
    t.wait("two that wait", lambda s: re.search(r"^waits +the second\nwaits +the third$", s, re.M)
           and "queued 2" in last_row(s))
    t.keys("Up")
    t.wait("one in the draft", lambda s: "❯ the third" in s and "queued 1" in last_row(s))
    t.type(" indeed")
    t.keys("Enter")
    t.wait("it waits", lambda s: re.search(r"^waits +the third indeed$", s, re.M))
    t.type("/stop")
    t.keys("Enter")
    t.wait("none is lost in silence", lambda s: "2 waiting messages dropped" in s)


def test_history_of_all(t):
    """Ctrl+R finds what was written in another session, by another program."""
    for name, text in (("one", "a zebra in the soup"), ("two", "no animals here")):
        t.duet("--max-tokens 8", "--session", name)
        t.idle()
        ask(t, text)
        answered(t, 1 if name == "one" else 2)
        if name == "one":
            t.keys("C-d")
            t.shell()
            t.type("clear")
            t.keys("Enter")
    t.keys("C-r")
    t.type("zeb")
    t.wait("that of the other", lambda s: "> a zebra in the soup" in s and "> no" not in s)
    t.keys("Enter")
    t.wait("the draft", lambda s: "❯ a zebra in the soup" in s)
    t.wait("what it will take", lambda s: re.search(
        r"^ idle · draft ~\d+ tok · re-read 0 · ~[0-9.]+ s to the first word", s, re.M))


def test_branches(t):
    """Both answers are kept, one in a branch; branches stand below what they come from, and say what
    of their cache is shared."""
    t.duet("--max-tokens 12", "--session trunk")
    t.idle()
    ask(t, "What is a lake?")
    answered(t, 1)
    t.type("/fork")
    t.keys("Enter")
    t.wait("a branch", lambda s: "a branch of trunk" in s)
    t.keys("F4")
    t.wait("shared with what it comes from", lambda s: re.search(r"cache [0-9.]+ kB, shared", s))
    t.keys("Escape")
    t.wait("no list", lambda s: "\nSessions" not in s)
    ask(t, "And a sea?", False)
    t.keys("F3")
    t.wait("two answers", lambda s: "b both" in s)
    t.type("b")
    t.wait("the other branch", lambda s: "goes on in /open" in s)
    t.keys("F4")
    s = t.wait("the tree", lambda s: s.count(" from turn ") == 2)
    true("below what they come from:\n" + s, re.search(
        r"^[ >] What is a lake\?.*\n[ >]   \+ from turn 2: .*\n[ >]     \+ from turn 2: ", s, re.M))


def test_siblings(t):
    """A second answer in the other mode, flipping, comparing, a question asked otherwise."""
    t.duet("--max-tokens 12", "--seed 1", "--session siblings")
    t.idle()
    ask(t, "What is a lake?")
    answered(t, 1)
    t.keys("Tab")
    t.type("R")
    t.wait("the second answer", lambda s: "answer 2 of 2" in s and re.search(r"^ idle", s, re.M))
    t.type("<")
    s = t.wait("the first answer", lambda s: "answer 1 of 2" in s and "Pro-Max" not in s and
               "tokens back" in s)
    same("flipped", without_status(re.sub("\n.*tokens back.*", "\n", s)))
    t.type("m")
    s = answered(t, 3)
    true("of an earlier question's answers no keys are told:\n" + s, "< > flip" not in s)
    asked = [e for e in t.logs()[0] if e["type"] == "ask"][-1]
    true("Pro-Max is asked, and the other is quoted: %s" % asked, asked["mode"] == "pro-max" and
         asked["text"].count("Answer 2:\n") == 1 and "Answer 3" not in asked["text"])
    t.type("u")
    t.wait("the question before", lambda s: "answer 1 of 2" in s and "Answer 2" not in s and
           "question 2 is taken back" in s)
    t.type("D")
    t.wait("both compared", lambda s: "answer 1 (Flash, -) and answer 2 (Pro-Max, +)" in s)
    t.type("e")
    t.wait("the question", lambda s: "a branch of siblings" in s and "❯ What is a lake?" in s)
    t.type(" A big one?")
    t.keys("Enter")
    answered(t, 4)
    logs = t.logs()
    branch = next(log for log in logs if log[0].get("parent"))
    true("the branch says where it comes from", branch[0]["parent"] == "siblings")
    true("and reads nothing again", [e for e in branch if e["type"] == "reply"][-1]["usage"]
         ["re_read_tokens"] == 0)


def thought(t):
    """How the last thought is to be shown, by the log."""
    parts = [p for e in t.logs()[0] if e["type"] == "reply" for p in e["parts"]]
    return "thought %d tok" % [p["tokens"] for p in parts if p["kind"] == "thinking"][-1]


def test_thought(t):
    """Its meter counts all of its tokens, while it grows, when it is over and when it is back."""
    t.duet("--max-tokens 12", "--mode pro", "--keep-thoughts", "--session thought")
    t.idle()
    ask(t, "What is a lake?")
    answered(t, 1)
    true("as it was counted", thought(t) in t.screen())
    t.keys("C-d")
    t.shell()
    t.duet("--session thought")
    t.wait("all back", lambda s: "tokens back" in s)
    true("as before", thought(t) in t.screen())


def test_both(t):
    """Two answers at once, side by side, below each other, one at a time; the second is kept."""
    t.duet("--max-tokens 12", "--seed 1", "--session both")
    t.idle()
    t.type("What is a lake?")
    t.wait("the draft", lambda s: "a lake?" in s)
    t.keys("F3")
    s = t.wait("two answers", lambda s: s.count("  done") == 2 and "1 2 keep  b both" in s)
    true("nothing that is for the reader:\n" + s, "< > flip" not in s)
    true("why each ended:\n" + s, s.count("budget is used up") == 2)
    true("the thought as it was counted:\n" + s, thought(t) in s)
    s = re.sub(r"B ─+", "B ──", re.sub(r"[0-9.]+ ([kM]B|tok|s)\b", r"# \1", s))
    same("both-80x24", s[:s.index("\nPro-Max ")])  # what is sampled is another thing
    t.resize(120, 24)
    t.wait("side by side", lambda s: re.search(r"^1 Flash .*│2 Pro-Max", s, re.M))
    t.resize(40, 12)
    s = t.wait("one of them", lambda s: re.search(r"^1 Flash .* 2 Pro-Max$", s, re.M))
    true("all keys:\n" + s, s.splitlines()[-1].endswith("Tab flip"))
    t.keys("Tab")
    t.wait("the other", lambda s: re.search(r"^2 Pro-Max .* 1 Flash$", s, re.M))
    t.resize(80, 24)
    t.wait("both again", lambda s: re.search("^── 2 Pro-Max", s, re.M))
    t.type("2")
    t.wait("the second alone", lambda s: "answer 1 of 2" in s and "tokens back" in s)
    true("the thought as before", thought(t) in t.screen())
    ask(t, "and a sea?")
    answered(t, 3)
    last = [e for e in t.logs()[0] if e["type"] == "reply"][-1]
    true("nothing was re-read", last["usage"]["re_read_tokens"] == 0)
    true("the choice is in the log", any(e["type"] == "choose" for e in t.logs()[0]))


def test_stop_keeps_what_was_done(t):
    t.duet("--max-tokens 1900")
    t.idle()
    t.type("go on for ever")
    t.keys("Enter", "Escape")
    t.wait("the end", lambda s: re.search(r"^ idle", s, re.M) and "stop" in s)
    ask(t, "and now?")
    answered(t, 1)
    true("nothing was re-read", [e for e in t.logs()[0] if e["type"] == "reply"][-1]["usage"]
         ["re_read_tokens"] == 0)


def test_suspend(t):
    t.duet("--max-tokens 8")
    t.idle()
    t.type("half a dra")
    t.wait("the draft", lambda s: "half a dra" in s)
    t.keys("C-z")
    t.wait("the shell's word", lambda s: "topped" in s)
    t.type("fg")
    t.keys("Enter")
    t.wait("the draft again", lambda s: "half a dra" in s and " idle" in s)
    t.type("ft")
    t.wait("a living editor", lambda s: "half a draft" in s)
    os.kill(t.pid(), signal.SIGSTOP)  # by another's hand: the terminal is left as it is
    t.wait("the shell's word", lambda s: "topped" in s)
    t.type("stty sane; clear; fg")
    t.keys("C-j")  # Enter is no end of a line in that state
    t.wait("all of the screen", lambda s: "half a draft" in s and " idle" in s and "fg" not in s)
    t.type(" more")
    t.keys("Left", "Left")
    t.type("X")
    t.wait("a living editor", lambda s: "half a draft moXre" in s)


def modes(t):
    """Alternate screen, cursor, bracketed paste of the pane, as tmux sees them."""
    return t.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{pane_in_mode}")


def stty(t):
    t.type("clear; stty -a; echo end-of-stty")
    t.keys("Enter")
    return t.wait("stty", lambda s: "\nend-of-stty" in s).split("end-of-stty")[0]


def test_every_way_out_restores_the_terminal(t):
    before, flags = stty(t), modes(t)
    ways = ("/quit", signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT,
            signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
    for way in ways:
        t.type("clear")
        t.keys("Enter")
        t.duet("--max-tokens 8")
        t.idle()
        if isinstance(way, str):
            t.type(way)
            t.keys("Enter")
        else:
            os.kill(t.pid(), way)
        t.wait("the shell after %s" % way, lambda s: " idle" not in s and
               s.rstrip().endswith("$"))
        true("the modes after %s" % way, modes(t) == flags)
        true("the settings after %s" % way, stty(t) == before)


def test_no_color(t):
    t.duet("--max-tokens 8")
    t.idle()
    s = t.screen("-e")
    true("no colour is sent: %r" % s[:300], not COLOUR.search(s))


test_no_color.env = {"NO_COLOR": "1"}


def test_themes(t):
    """The light theme draws the same signs; another colour of the header."""
    seen = []
    for theme in ("dark", "light"):
        t.duet("--max-tokens 8", "--no-save", "--theme", theme)
        t.idle()
        seen.append((t.screen("-e"), t.screen()))
        t.type("/quit")
        t.keys("Enter")
        t.shell()
        t.type("clear")
        t.keys("Enter")
    true("the themes differ", seen[0][0] != seen[1][0])
    true("in colour alone", seen[0][1] == seen[1][1])


def test_theme_list(t):
    """A theme is shown while the bar is on it; Esc leads back, Enter keeps it."""
    t.duet("--max-tokens 8", "--theme dark")
    t.idle()
    cyan = "\x1b[46m"  # behind the last row of sixteen, not of dark
    true("dark", cyan not in t.screen("-e"))
    t.type("/theme")
    t.keys("Enter")
    t.wait("the list", lambda s: "> dark" in s and "  solarized-light" in s)
    t.keys("End", "Up", "Up")
    t.wait("another bar", lambda s: "> sixteen" in s)
    t.wait("its colours", lambda s: cyan in t.screen("-e"))
    t.keys("Escape")
    t.wait("no list", lambda s: "Themes" not in s)
    t.wait("the colours of before", lambda s: cyan not in t.screen("-e"))
    t.type("/theme mono")
    t.keys("Enter")
    t.wait("its name", lambda s: "theme mono; a line 'theme = mono'" in s)
    t.type("/theme no-such")
    t.keys("Enter")
    t.wait("an error", lambda s: "theme 'no-such': No such file" in s)


def test_colors_change(t):
    """The terminal tells that it is light now (mode 2031): so is the theme, unless one was chosen."""
    told = {"light": "\033[?997;2n", "dark": "\033[?997;1n"}
    t.duet("--max-tokens 8", "--no-save")
    t.idle()
    dark = t.screen("-e")
    t.type(told["light"])
    t.wait("other colours", lambda s: t.screen("-e") != dark)
    light = t.screen("-e")
    t.type(told["dark"])
    t.wait("those of before", lambda s: t.screen("-e") == dark)
    t.type("\033]11;rgb:ffff/ffff/ffff\033\\x")  # its answer to the first question, late
    t.wait("no text of it", lambda s: re.search("^❯ x$", s, re.M))
    t.keys("BSpace")
    head = lambda s: s.splitlines()[0]  # noqa: E731
    t.wait("the light ones", lambda s: head(t.screen("-e")) == head(light))
    t.type("\033]11;rgb:0000/0000/0000\007")
    t.wait("those of before", lambda s: head(t.screen("-e")) == head(dark))
    t.type("/theme dark")
    t.keys("Enter")
    t.wait("it is chosen", lambda s: "theme dark; a line" in s)
    t.type(told["light"] + "x")
    t.wait("the draft", lambda s: re.search("^❯ x$", s, re.M))
    true("a chosen theme stays", t.screen("-e").splitlines()[0] == dark.splitlines()[0])
    t.keys("BSpace")
    t.type("/theme auto")
    t.keys("Enter")
    t.wait("the light one", lambda s: t.screen("-e").splitlines()[0] == light.splitlines()[0])


def test_unicode(t):
    """How wide signs are, as this terminal draws them too; one that draws ours wide gets ASCII."""
    t.duet("--max-tokens 8", "--no-save")
    t.idle()
    t.type("/unicode a漢")
    t.keys("Enter")
    t.wait("both signs", lambda s: "漢  U+6F22: 2 cells, as this terminal draws it" in s and
           "a  U+0061: 1 cell, as this terminal draws it" in s)
    t.type("/unicode")
    t.keys("Enter")
    t.wait("the disputed ones", lambda s: "draws all 16 signs whose width" in s)
    t.type("\033[2;9R")
    t.wait("ASCII signs", lambda s: "ASCII signs instead" in s and "\n-- Flash ---" in s and
           "─" not in s.replace("… and ─ wide", ""))


def test_mouse(t):
    """Asked for, the wheel is the program's; the terminal has it back at the end."""
    flag = lambda: t.tmux("display-message", "-p", "#{mouse_any_flag}").strip()  # noqa: E731
    for args, want in (("", "0"), ("--mouse", "1")):
        t.duet("--max-tokens 8", args)
        t.idle()
        true("mouse %s with '%s'" % (flag(), args), flag() == want)
        for key, at in (("F9", "on" if want == "0" else "off"), ("F9", "off" if want == "0" else "on")):
            t.keys(key)
            t.wait("what was done", lambda s: "mouse " + at in s)
            true("mouse %s" % at, flag() == ("1" if at == "on" else "0"))
        for typed, at in (("on", "1"), ("maybe", "1"), ("off", "0"), ("on", "1")):
            t.type("/mouse " + typed)
            t.keys("Enter")
            t.wait("what was done", lambda s: "/mouse on or off" in s if typed == "maybe" else
                   "mouse " + typed in s.splitlines()[-1] and "❯ /" not in s)
            true("mouse " + typed, flag() == at)
        if want == "1":
            os.kill(t.pid(), signal.SIGSEGV)
        else:
            t.type("/quit")
        t.keys("Enter")
        t.shell()
        true("no mouse behind it", flag() == "0")
        t.type("clear")
        t.keys("Enter")


def click(t, col, row):
    t.type("\033[<0;%d;%dM" % (col, row))


def test_reread(t):
    """A piece of the context is read again and held exactly: by command, by key, by clicks. What it
    takes is said first."""
    t.duet("--max-tokens 8 --far q8 --mouse --session reread")
    t.idle()
    ask(t, "What is a lake, and what is a sea, and what is a pond?")
    s = answered(t, 1)
    gauge = s.splitlines()[0].index("[") + 2
    click(t, gauge, 1)
    t.wait("the pieces", lambda s: "\nContext" in s and "> the beginning" in s)
    click(t, 5, 4)
    t.wait("the bar there", lambda s: "> turn 1, you" in s and re.search(r"tokens, q8", s))
    click(t, 5, 4)
    t.wait("the question", lambda s: "Hold turn 1, you exactly?" in s and
           re.search(r"> Yes, read it again +at most [0-9]+ tokens", s))
    t.keys("Down", "Enter")
    t.wait("no list", lambda s: "Hold turn" not in s and "held exactly" not in s)
    t.type("/reread 1")
    t.keys("Enter")
    t.wait("the question", lambda s: "Hold turn 1 exactly?" in s)
    t.keys("Enter")
    t.wait("it is done", lambda s: re.search(r"tokens read again in [0-9.]+ s and held exactly", s))
    t.keys("F6")
    t.wait("exact", lambda s: re.search(r"turn 1, you +[0-9]+ tokens, exact", s))
    t.keys("Escape")
    t.wait("no list", lambda s: "\nContext" not in s)
    t.keys("Tab")
    t.wait("the reader", lambda s: "/ search" in s)
    t.type("X")
    t.wait("nothing more", lambda s: "turn 1 is held exactly" in s)


def test_dumb_terminal(t):
    """No screen there: plain lines."""
    t.duet("--max-tokens 8")
    t.wait("the prompt", lambda s: "flash>" in s)
    t.type("hello")
    t.keys("Enter")
    t.wait("an answer", lambda s: "[Flash]" in s and "re-read" in s)
    with open(os.path.join(t.home, "question"), "w", encoding="utf-8") as f:
        f.write("and again\n")
    for command, wanted in (("/search HELL", "- turn 1, you: hello\n- found in 1 line\n"),
                            ("/bare", "you:\nhello\n\nFlash:"),
                            ("/copy", "bytes copied by tmux"),
                            ("/copy 7", "! there is no block 7 to copy"),
                            ("/history", "- hello\n- /search HELL"),
                            ("/fold", "- thinking is not printed"),
                            ("/rename a new name", "- this conversation is now called: a new"),
                            ("/theme dark", "! plain lines have no colours"),
                            ("/pager", "flash> /pager\nflash>"),
                            ("/edit", "- length: 8 tokens")):
        t.type(command)
        t.keys("Enter")
        t.wait(command, lambda s: wanted in s)
    true("the pager had it", "hello" in open(os.path.join(t.home, [
        f for f in os.listdir(t.home) if f.endswith(".md")][0]), encoding="utf-8").read())
    t.type("/quit")
    t.keys("Enter")
    t.shell()
    true("the editor's text was sent", t.logs()[0][-1]["type"] == "reply")


test_dumb_terminal.env = {"TERM": "dumb", "PAGER": "cp -t .", "EDITOR": "cp question"}


def test_accessible(t):
    """For a screen reader: plain lines, with the same commands, and nothing but text."""
    t.duet("--max-tokens 8")
    t.wait("the prompt", lambda s: "flash>" in s)
    true("no other screen", modes(t).startswith("0 1"))
    t.type("hello")
    t.keys("Enter")
    t.wait("an answer", lambda s: "[Flash]" in s and "re-read" in s)
    t.type("/toggle")
    t.keys("Enter")
    t.wait("the other mode", lambda s: s.rstrip().endswith("pro-max>"))
    true("no colour is sent", not COLOUR.search(t.screen("-e")))


test_accessible.env = {"ACCESSIBLE": "1"}


def test_lines(t):
    """Plain lines: what is said comes before the prompt, each thing on a line of its own, no word is
    parted, no key is named."""
    t.resize(50, 200)
    t.duet("--plain", "--max-tokens 24", "--mode pro")
    say = lambda text: (t.type(text), t.keys("Enter"))
    t.wait("the prompt", lambda s: "pro>" in s)
    say("What is a lake?")
    s = t.wait("the fold", lambda s: re.search(r"folded out of the\n  context.*\npro>$", s.rstrip(), re.S))
    true("one prompt behind it:\n" + s, s.count("pro>") == 2)
    say("/bare")
    t.wait("a thought that is marked", lambda s: "Pro thinks:\n" in s and "\nPro:\n" in s)
    say("/toggle")
    s = t.wait("the mode", lambda s: "0 tokens re-read\npro-max>" in s)
    true("no prompt before it", s.count("pro-max>") == 1)
    say("/cost")
    s = t.wait("what it took", lambda s: "deepseek-v4-pro" in s and s.rstrip().endswith("pro-max>"))
    cost = s[s.index("/cost"):]
    true("whole words:\n" + cost, re.search(r"answered,\s+\d+\s+thought,\s+0\s+of\s+candidates", cost)
         and not re.search(r"[^\s]{51}", cost) and "candid\n" not in cost)
    say("/slices")
    t.wait("the pieces", lambda s: "- turn 1, you: " in s)
    say("/help")
    s = t.wait("the help", lambda s: "/quit" in s)
    s = s[s.index("/help"):]
    true("no keys:\n" + s, not re.search(r"Ctrl\+[^C]|F\d|Tab|Esc|PgUp", s))
    say("/edit")
    t.wait("nothing is sent", lambda s: "nothing is sent" in s)


def test_lines_while_busy(t):
    """What a command says during a reply stands on lines of its own; the text goes on behind it."""
    t.resize(80, 200)
    t.duet("--plain", "--max-tokens 1900")
    t.wait("the prompt", lambda s: "flash>" in s)
    t.type("go on for ever\n/retry\n/stop\n")
    s = t.wait("the end", lambda s: re.search(r"^- cancelled|^- stopped before", s, re.M))
    true("a line of its own:\n" + s,
         re.search(r"^! not while (reading|answering): stop it first \(/stop\)$", s, re.M))
    t.type("and on\n")
    t.wait("a reply", lambda s: s.count("[Flash] ") > 0)
    for n in range(5):
        t.type("/ctx\n")
        t.wait("what it says", lambda s: s.count("- context: ") > n)
    t.type("/stop\n")
    s = t.wait("the end", lambda s: s.rstrip().endswith("flash>"))
    true("lines of their own:\n" + s, len(re.findall(r"^- context: ", s, re.M)) == 5)


test_lines.env = {"EDITOR": "true"}


def test_keys_conflict(t):
    """What is wrong with the keys file is said at the start; the first of two lines holds."""
    os.makedirs(os.path.join(t.home, "config/duet"))
    with open(os.path.join(t.home, "config/duet/keys"), "w", encoding="utf-8") as f:
        f.write("editor F5 help\neditor F5 open\n")
    t.duet("--max-tokens 8")
    t.idle()
    t.wait("the conflict", lambda s: "duet/keys: line 2: F5 in the editor" in s and
           "has an action from line 1" in s)
    t.keys("F5")
    t.wait("the first action", lambda s: "\nHelp" in s)


def test_doubt(t):
    """What an answer was unsure of: the list over the marked answer, the next place, asking."""
    t.duet("--max-tokens 24", "--session doubt")
    t.idle()
    ask(t, "What do you know about rivers?")
    answered(t, 1)
    t.type("/doubt")
    t.keys("Enter")
    same("doubt", t.wait("the places", lambda s: "unsure of" in s and "ask Pro-Max" in s))
    t.keys("Escape")
    t.wait("no list", lambda s: "unsure of" not in s)
    t.keys("Tab")
    t.wait("the reader", lambda s: "/ search" in s)
    t.resize(40, 12)
    t.type("d")
    same("doubt-40x12", t.wait("the places", lambda s: "unsure of" in s and len(s.splitlines()) == 12))
    t.resize(80, 24)
    t.keys("Down")
    t.wait("the second", lambda s: re.search(r"^  \d+ %.*\n> \d+ %", s, re.M))
    t.keys("Enter")
    answered(t, 2)
    asked = [e for e in t.logs()[0] if e["type"] == "ask"][-1]
    true("it is asked in Pro-Max: %s" % asked, asked["mode"] == "pro-max" and
         "Look at this place of it again" in asked["text"])


def test_doubt_no_color(t):
    """Without colours the places are underlined and the one of the list is reversed."""
    t.duet("--max-tokens 24")
    t.idle()
    ask(t, "What do you know about rivers?")
    answered(t, 1)
    t.type("/doubt")
    t.keys("Enter")
    places = t.wait("the places", lambda s: "unsure of" in s and "ask Pro-Max" in s)
    s = t.screen("-e")
    true("no colour is sent: %r" % s[:300], not COLOUR.search(s))
    now = re.search(r"^> +<?\d+ %.*?\[(.+?)\]", places, re.M).group(1)
    marked = {word: set(re.findall(r"\d+", codes))
              for codes, word in re.findall(r"((?:\x1b\[[0-9;]*m)+)([^\x1b\n]+)", s)}
    true("the place %r is reversed: %r" % (now, s), any("7" in codes and now in word
                                                       for word, codes in marked.items()))
    true("another is underlined: %r" % s, any("4" in codes for codes in marked.values()))


test_doubt_no_color.env = {"NO_COLOR": "1"}


def test_suggestion(t):
    """By the draft, then by the answer's first token; F8 dismisses it, F7 answers again."""
    question = "Who was that? Answer with the name only."
    t.duet("--max-tokens 8")
    t.idle()
    ask(t, question, enter=False)
    t.wait("by the draft", lambda s: "F7 Pro-Max  F8 no  (a short answer: several tries" in s)
    t.keys("Enter")
    answered(t, 1)
    t.wait("by the first token", lambda s: re.search(r"F8 no  .its first word is \d+ % sure", s))
    t.keys("F8")
    t.wait("dismissed, and that it was", lambda s: "F8 no" not in s and " · dismissed;" in s)
    ask(t, question)
    answered(t, 2)
    t.wait("by the first token", lambda s: re.search(r"F8 no  .its first word is \d+ % sure", s))
    t.keys("F7")
    answered(t, 3)
    again = [e for e in t.logs()[0] if e["type"] == "reply"][-1]
    true("it was answered again: %s" % again, again["turn"] == 1 and again["mode"] == "pro-max")


def test_session_in_use(t):
    """A second program on the same session is told so in one line."""
    t.duet("--max-tokens 8", "--session shared")
    t.idle()
    second = Terminal(home=tempfile.mkdtemp(prefix="duet-terminal-"))
    try:
        second.type("export XDG_DATA_HOME=%s/data" % t.home)
        second.keys("Enter")
        second.duet("--session shared")
        s = second.wait("a message", lambda s: "duet:" in s)
        true("it names the session", "shared" in s.split("duet:")[1])
    finally:
        second.close()


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    tests = [(n[5:], f) for n, f in sorted(globals().items()) if n.startswith("test_")]
    passed = failed = 0
    for name, test in tests:
        if names and name not in names:
            continue
        t = None
        try:
            t = Terminal(env=getattr(test, "env", None))
            test(t)
            passed += 1
            print("ok: " + name)
        except (Failed, OSError, subprocess.CalledProcessError, KeyError, IndexError) as e:
            failed += 1
            print("failed: %s: %s" % (name, e))
        finally:
            if t:
                t.close()
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
