#!/usr/bin/env python3
"""kv_test.py -- `duet kv` as a program sees it: the fields of its lines, what must hold between
them, what it refuses, how it stops. How good the tiers are is no matter of a test model."""
import json, os, signal, subprocess, sys, tempfile

DUET = os.path.join(os.environ.get("BUILD", "build"), "duet")
MODEL = "./tests/fixtures/tiny-llama-q4_1.gguf"
FIELDS = {"tier", "length", "text", "share_pct", "read_pct", "disk_pct", "resident_pct", "ppl",
          "ppl_ratio", "kld", "kld_p99", "top1", "tok_s", "rows_asked", "rows", "values", "mass"}
passed = failed = 0


def check(what, good, found=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"  FAILED  {what}: {found}")


def kv(*words):
    run = subprocess.run([DUET, "kv", MODEL, "--threads", "1", *words], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return run.returncode, run.stdout, run.stderr


def lines():
    status, out, err = kv("--json", "--length", "1700", "--rows", "16,256", "--text", "code",
                          "--text", "keys")
    rows = [json.loads(line) for line in out.splitlines()]
    check("status", status == 0, err)
    check("tiers", [r["tier"] for r in rows] == ["f16", "q8", "q4", "flash", "flash"] * 2, out)
    check("texts", [r["text"] for r in rows] == ["code"] * 5 + ["keys"] * 5, out)
    for r in rows:
        asked = {"asked", "recall", "recall_f16"} if r["text"] == "keys" else set()
        check("fields", set(r) == FIELDS | asked, sorted(r))
        check("length", r["length"] == 1700, r)
    for f16, q8, q4, few, many in (rows[:5], rows[5:]):
        check("f16 is what all are compared with",
              (f16["ppl_ratio"], f16["kld"], f16["top1"], f16["read_pct"]) == (1, 0, 1, 100), f16)
        check("memory", f16["share_pct"] > q8["share_pct"] > q4["share_pct"] > few["share_pct"])
        check("in a file", q8["disk_pct"] == q4["disk_pct"] == 0 < few["disk_pct"] < 60, few)
        check("resident", q8["resident_pct"] == 0 < few["resident_pct"] <= few["disk_pct"], few)
        check("8 bits are nearer than 4", 0 < q8["kld"] < q4["kld"], (q8["kld"], q4["kld"]))
        check("rows", 16 < few["rows"] < 200 < many["rows"] < 500, (few["rows"], many["rows"]))
        check("values", 16 < few["values"] <= few["rows"] and few["values"] < many["values"] < many["rows"],
              (few["values"], many["values"]))
        check("mass", 0 < few["mass"] < many["mass"] < 1, (few["mass"], many["mass"]))
        check("read", few["read_pct"] < many["read_pct"] < q8["read_pct"])
        check("same memory", few["share_pct"] == many["share_pct"])
        check("more rows are nearer", many["kld"] < few["kld"], (few["kld"], many["kld"]))


def refused(status, text, *words):
    found = kv(*words)
    check(" ".join(words), found[0] == status and text in found[2], found)


def stopped():
    """Opening the text's pipe means that the program waits for the text."""
    with tempfile.TemporaryDirectory() as folder:
        fifo = os.path.join(folder, "text")
        os.mkfifo(fifo)
        run = subprocess.Popen([DUET, "kv", MODEL, "--text", fifo], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with open(fifo, "w"):
            run.send_signal(signal.SIGINT)
        out, err = run.communicate()
        check("stopped", run.returncode == 130 and err == "duet: stopped\n", (run.returncode, err))


lines()
refused(2, "--rows cannot be '0'", "--rows", "0")
refused(2, "--length cannot be '100'", "--length", "100")
refused(2, "no option '--blocks'", "--blocks", "1")
refused(1, "cannot open './nowhere'", "--text", "./nowhere")
refused(1, "the model's context is", "--length", "1000000")
stopped()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
