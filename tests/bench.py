#!/usr/bin/env python3
"""bench.py -- the figures duet is meant to reach, beside its peers, on the same files, in one run.

    bench.py [--model NAME|FILE]... [--threads 2] [--reps 3] [--gen 32] [--minutes 12] [--all]
             [--skip short,deep,lookup,toggle,memory,idle] [--json]

Prints a table in Markdown: what, what is asked, what was reached. Models are those that `make chat`
fetches, or files; without --model smollm2-135m and, where it lies there, qwen2.5-coder-1.5b.

Peers are the Python packages of llama.cpp (pip install llama-cpp-python) and OpenVINO GenAI
(pip install openvino-genai openvino-tokenizers), where they are installed; PYTHON names the
interpreter that has them, or several with spaces between. Each is started once for a model and
waits while another one works. Token ids are i * 7919 mod the size of the vocabulary. Prefill: N ids
into an empty cache. Decode at depth D: the cache holds D ids, then `gen` calls with one token, the
next one being the largest logit. Caches are f16, but for the rows that say flash and for OpenVINO's,
which is what it chooses. OpenVINO keeps prompts: each begins with another id; it decodes at 0 only.

A repetition runs every program once, one after the other, so that what else the machine does falls
on all of them. Figures are medians of tokens a second, with the least and the most; ratios are of
medians. A machine that is busy shows in the range: such a run says little. Depths and prompts beyond
512 are measured once, and for the first model (--all: for every one). No further repetition is
begun that would end after `minutes`; what is interrupted tells what it has.

Toggle: how much later the next token of a reply comes for a change of mode in its middle, and the next
one chosen, behind 7,600 tokens that are held as the chat holds them.
Look-up: a reply that writes a text of the prompt again, with tokens tried ahead and one by one.
Memory: the most that `duet bench` held, beside weights and cache. Idle: processor time of an open
chat in ten seconds.
"""
import argparse
import ctypes
import datetime
import json
import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = ("llama.cpp", "OpenVINO")
MODULES = {"llama.cpp": "llama_cpp", "OpenVINO": "openvino_genai"}
STAGES = ("short", "lookup", "toggle", "memory", "idle", "deep")
SHORT = {"prefill": [512], "depths": [0]}
DEEP = {"prefill": [8000], "depths": [8128, 4096]}
FLASH = {"prefill": [64], "depths": [8128, 4096], "tier": "flash"}

# At least so many times a peer's rate, and so large a share of the bandwidth of reading.
ASKED = {
    ("smollm2-135m", "decode", 0, "f16"): {"llama.cpp": 1.8, "bandwidth": 0.60},
    ("qwen2.5-coder-1.5b", "decode", 0, "f16"): {"llama.cpp": 1.1, "bandwidth": 0.92},
    ("smollm2-135m", "decode", 8128, "f16"): {"llama.cpp": 2.5},
    ("smollm2-135m", "prefill", 512, "f16"): {"llama.cpp": 7, "OpenVINO": 1.1},
    ("qwen2.5-coder-1.5b", "prefill", 512, "f16"): {"llama.cpp": 2.2, "OpenVINO": 1.2},
    ("smollm2-135m", "prefill", 8000, "f16"): {"llama.cpp": 7},
}
LOOKUP_ASKED = 1.8
TOGGLE_ASKED = 50   # milliseconds
TOGGLE_AT = 7600
COPIED = "themes/dark.json"
LOOKUP_PROMPT = "Write this file again, word for word, with nothing before or after it:\n\n%s"


# ---- what is asked for --------------------------------------------------------------------------

def model_path(name):
    """A file, or the name of a model that `make chat` fetches."""
    if "/" in name:
        return name
    data = os.environ.get("XDG_DATA_HOME", "")
    data = data if data.startswith("/") else os.path.expanduser("~/.local/share")
    return os.path.join(data, "duet/models", name + ".gguf")


def model_name(path):
    return os.path.basename(path).removesuffix(".gguf")


def options(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--model", dest="models", type=model_path, action="append")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--gen", type=int, default=32)
    p.add_argument("--minutes", type=float, default=12)
    p.add_argument("--all", action="store_true", help="long prompts of every model")
    p.add_argument("--skip", type=lambda text: text.split(","), default=[], help=", ".join(STAGES))
    p.add_argument("--json", action="store_true", help="one object a figure, no table")
    p.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    a = p.parse_args(argv)
    if not a.models:
        a.models = [model_path("smollm2-135m")]
        a.models += [m for m in [model_path("qwen2.5-coder-1.5b")] if os.path.exists(m)]
    return a


# ---- the peers, each in a process of its own ------------------------------------------------------

class Llama:
    """llama.cpp's library on one model. What the cache holds of the ids is not read twice."""

    def __init__(self, a):
        import llama_cpp
        import numpy
        self.lib, self.np, self.held = llama_cpp, numpy, 0
        self.quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            a.models[0].encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit("cannot load " + a.models[0])
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        p = llama_cpp.llama_context_default_params()
        p.n_ctx = max(DEEP["depths"]) + a.gen + 64
        p.n_batch, p.n_ubatch = max(DEEP["prefill"]), 512
        p.n_threads = p.n_threads_batch = a.threads
        self.context = llama_cpp.llama_init_from_model(self.model, p)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.prefill(64)                                     # warm

    def feed(self, ids):
        tokens = (self.lib.llama_token * len(ids))(*ids)     # borrowed by the batch
        if self.lib.llama_decode(self.context, self.lib.llama_batch_get_one(tokens, len(ids))):
            sys.exit("does not decode")

    def largest(self):
        logits = self.lib.llama_get_logits_ith(self.context, -1)
        return int(self.np.ctypeslib.as_array(logits, shape=(self.n_vocab,)).argmax())

    def hold(self, n):
        """The cache holds the first n ids."""
        keep = min(self.held, n)
        if keep:
            self.lib.llama_memory_seq_rm(self.memory, 0, keep, -1)
        else:
            self.lib.llama_memory_clear(self.memory, True)
        if n > keep:
            self.feed([i * 7919 % self.n_vocab for i in range(keep, n)])
        self.held = n

    def prefill(self, n):
        self.held, start = 0, time.perf_counter()
        self.hold(n)
        self.largest()
        return n / (time.perf_counter() - start)

    def decode(self, depth, gen):
        self.hold(depth)
        token, start = 1, time.perf_counter()
        for _ in range(gen):
            self.feed([token])
            token = self.largest()
        return gen / (time.perf_counter() - start)


class OpenVINO:
    def __init__(self, a):
        import numpy
        import openvino
        import openvino_genai
        self.numpy, self.tensor, self.genai = numpy, openvino.Tensor, openvino_genai
        self.pipe = openvino_genai.LLMPipeline(a.models[0], "CPU", INFERENCE_NUM_THREADS=a.threads)
        self.n_vocab = len(self.pipe.get_tokenizer().get_vocab())
        self.first = 0
        self.generate(64, 4)                                 # warm

    def generate(self, n_prompt, n_new):
        self.first += 1
        ids = self.numpy.array([[(self.first + i) * 7919 % self.n_vocab for i in range(n_prompt)]],
                               dtype=self.numpy.int64)
        prompt = self.genai.TokenizedInputs(self.tensor(ids),
                                            self.tensor(self.numpy.ones_like(ids)))
        config = self.genai.GenerationConfig(max_new_tokens=n_new, ignore_eos=True)
        return self.pipe.generate(prompt, config).perf_metrics

    def prefill(self, n):
        return n / self.generate(n, 1).get_ttft().mean * 1000

    def decode(self, depth, gen):
        return self.generate(8, gen).get_throughput().mean if depth == 0 else None


def serve(a):
    """Answers each line of standard input, figures to measure, with a line of rates."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                                            # libraries may print
    peer = {"llama.cpp": Llama, "OpenVINO": OpenVINO}[a.peer](a)
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        group = json.loads(line)
        found = [["prefill", n, peer.prefill(n)] for n in group["prefill"]]
        found += [["decode", d, peer.decode(d, a.gen)] for d in group["depths"]]
        print(json.dumps(found), file=out, flush=True)


class Peer:
    def __init__(self, name, model, a):
        self.name = name
        self.errors = tempfile.TemporaryFile("w+")
        pythons = os.environ.get("PYTHON", sys.executable).split()
        has = "import importlib.util, sys; sys.exit(not importlib.util.find_spec('%s'))"
        python = next((p for p in pythons
                       if not subprocess.run([p, "-c", has % MODULES[name]], check=False).returncode),
                      pythons[0])
        self.process = subprocess.Popen(
            [python, os.path.abspath(__file__), "--peer", name, "--model", model,
             "--threads", str(a.threads), "--gen", str(a.gen)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.ready = self.process.stdout.readline() == "ready\n"

    def run(self, group):
        """{(what, at, tier): rate}, or None once it has failed."""
        if not self.ready or group.get("tier"):
            return {}
        self.process.stdin.write(json.dumps(group) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.ready = bool(line)
        return {(what, at, "f16"): rate for what, at, rate in json.loads(line or "[]") if rate}

    def why(self):
        """The last thing it said before it failed."""
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors if line.strip()]
        return lines[-1] if lines else "ended"

    def close(self):
        if not self.ready:
            print(f"{self.name}: {self.why()}", file=sys.stderr)
        self.process.kill()
        self.process.wait()


# ---- duet -----------------------------------------------------------------------------------------

def program():
    return os.path.join(os.environ.get("BUILD", "build"), "duet")


def duet_bench(model, a, *more):
    """The objects that `duet bench` prints, and the most memory it held."""
    p = subprocess.Popen([program(), "bench", model, "--json", "--threads", str(a.threads), *more],
                         stdout=subprocess.PIPE, text=True)
    with p.stdout:
        lines = [json.loads(line) for line in p.stdout]
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = status
    if status:
        sys.exit("duet bench failed")
    return lines, usage.ru_maxrss * 1024


class Run:
    """All that was measured."""

    def __init__(self, a):
        self.a = a
        self.rates = {}     # {(model, what, at, tier): {program: [rates]}}
        self.shares = {}    # {(model, what, at, tier): [shares of the bandwidth]}
        self.memory = {}    # {(model, tokens): bytes}
        self.lookup = {}    # {model: object of duet bench}
        self.toggle = {}    # {model: objects of duet bench}
        self.idle = None    # seconds of processor time in ten
        self.end = time.monotonic() + a.minutes * 60

    def add(self, model, figure, name, rate):
        self.rates.setdefault((model, *figure), {}).setdefault(name, []).append(rate)

    def duet(self, model, group):
        numbers = {k: ",".join(map(str, group[k])) for k in ("prefill", "depths")}
        tier = group.get("tier", "f16")
        lines, held = duet_bench(model, self.a, "--gen", str(self.a.gen), "--reps", "1", "--prefill",
                                 numbers["prefill"], "--depths", numbers["depths"], "--tier", tier)
        name = model_name(model)
        for f in lines:
            figure = (f["what"], f["n"] if f["what"] == "prefill" else f["at"], tier)
            if group is FLASH and f["what"] == "prefill":
                continue
            self.add(name, figure, "duet", f["tok_s"])
            if "bandwidth_share" in f:
                self.shares.setdefault((name, *figure), []).append(f["bandwidth_share"])
        if tier == "f16":
            most = max(group["prefill"] + [d + self.a.gen for d in group["depths"]])
            self.memory[name, most] = max(held, self.memory.get((name, most), 0))

    def stage(self, model, groups, reps):
        """reps times each group by every program, in turn."""
        peers = [Peer(name, model, self.a) for name in PEERS]
        try:
            took = 0
            for rep in range(reps):
                start = time.monotonic()
                if rep and start + took > self.end:
                    break
                for group in groups:
                    self.duet(model, group)
                    for peer in peers:
                        for figure, rate in peer.run(group).items():
                            self.add(model_name(model), figure, peer.name, rate)
                took = time.monotonic() - start
                print(f"{model_name(model)}: {rep + 1} of {reps} after {took:.0f} s",
                      file=sys.stderr)
        finally:
            for peer in peers:
                peer.close()

    def look_up(self, model):
        with open(COPIED, encoding="utf-8") as f, tempfile.NamedTemporaryFile("w") as prompt:
            prompt.write(LOOKUP_PROMPT % f.read())
            prompt.flush()
            lines, _ = duet_bench(model, self.a, "--lookup", prompt.name, "--gen", "400",
                                  "--reps", "1")
        self.lookup[model_name(model)] = lines[0]

    def change_mode(self, model):
        lines, _ = duet_bench(model, self.a, "--toggle", str(TOGGLE_AT), "--tier", "flash")
        self.toggle[model_name(model)] = lines

    def stay_idle(self, model):
        with tempfile.TemporaryDirectory() as tmp:
            self.idle = idle_seconds(model, tmp)

    def all(self):
        a = self.a
        wanted = [s for s in STAGES if s not in a.skip]
        for model in a.models:
            if "short" in wanted:
                self.stage(model, [SHORT], a.reps)
            if "lookup" in wanted:
                self.look_up(model)
            if "toggle" in wanted:
                self.change_mode(model)
        if "idle" in wanted:
            self.stay_idle(a.models[0])
        if "deep" in wanted:
            for model in a.models if a.all else a.models[:1]:
                self.stage(model, [DEEP, FLASH], 1)


def idle_seconds(model, tmp):
    """Processor time that a chat with nothing to do takes in ten seconds."""
    for name in ("DATA", "STATE", "CONFIG"):
        os.environ[f"XDG_{name}_HOME"] = tmp
    os.environ["TERM"] = "xterm-256color"
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(program(), [program(), "--model", model, "--no-save", "--theme", "dark"])

    def drain(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([fd], [], [], 0.05)[0]:
                os.read(fd, 65536)

    def used():
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    drain(3)
    before = used()
    drain(10)
    took = used() - before
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    os.close(fd)
    return took


# ---- the table --------------------------------------------------------------------------------------

def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return f"{names[0] if names else 'unknown CPU'}, {os.cpu_count()} processors, " \
           f"load {os.getloadavg()[0]:.1f}"


def spread(rates):
    """The median, with the least and the most."""
    if len(rates) == 1:
        return f"{rates[0]:.1f}"
    return f"{statistics.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f})"


def speed_rows(run):
    """(what, asked, reached, duet, peer) of all figures; with what was not asked for."""
    for figure, programs in run.rates.items():
        model, what, at, tier = figure
        text = f"{model}, {'reading' if what == 'prefill' else 'decoding at'} {at:,}" + \
               (f", {tier}" if what == "decode" and (at or tier != "f16") else "")
        ours, asked = programs.get("duet", []), ASKED.get(figure, {})
        if tier != "f16":   # beside the peers' f16
            programs = {**run.rates.get((model, what, at, "f16"), {}), "duet": ours}
        for name, rates in programs.items():
            if name == "duet" or not ours:
                continue
            ratio = statistics.median(ours) / statistics.median(rates)
            yield (text, f"{asked[name]} × {name}" if name in asked else f"– × {name}",
                   f"{ratio:.2f}", f"{spread(ours)} tok/s", spread(rates))
        if len(programs) == 1:
            yield text, "–", "", f"{spread(ours)} tok/s", ""
        if "bandwidth" in asked and figure in run.shares:
            yield (text, f"{asked['bandwidth']:.0%} of the bandwidth",
                   f"{statistics.median(run.shares[figure]):.0%}", "", "")


def memory_rows(run):
    for (name, tokens), held in run.memory.items():
        model = next(m for m in run.a.models if model_name(m) == name)
        facts = json.loads(subprocess.run([program(), "inspect", model, "--json"], check=True,
                                          stdout=subprocess.PIPE, text=True).stdout)
        cache = facts["kv_bytes_per_token"]["f16"] * tokens
        most = (facts["file_bytes"] + cache) * 1.1 + 64e6
        yield (f"{name}, memory at {tokens:,}, f16", f"at most {most / 1e6:.0f} MB",
               f"{held / 1e6:.0f} MB",
               f"weights {facts['file_bytes'] / 1e6:.0f} MB, cache {cache / 1e6:.0f} MB", "")


def other_rows(run):
    for name, f in run.lookup.items():
        yield (f"{name}, a file written again, look-up", f"{LOOKUP_ASKED} × without",
               f"{f['gain']:.2f}", f"{f['tok_s']:.1f} tok/s, {f['n']} tokens",
               f"{f['one_by_one_tok_s']:.1f}")
    for name, lines in run.toggle.items():
        for f in lines:
            later = {k: f[k] - f["ordinary_ms"] for k in ("next_ms", "chosen_ms")}
            yield (f"{name}, {f['from']} to {f['to']} at {f['at']:,}, the next token",
                   f"at most {TOGGLE_ASKED} ms later, 0 re-read",
                   f"{later['next_ms']:.0f} ms, {f['re_read']} re-read",
                   f"{f['put']} put in, the next one chosen {later['chosen_ms']:.0f} ms later",
                   f"an ordinary one {f['ordinary_ms']:.0f} ms")
    if "memory" not in run.a.skip:
        yield from memory_rows(run)
    if run.idle is not None:
        yield "an open chat with nothing to do", "0 % of a processor", f"{run.idle * 10:.1f} %", "", ""


def tell(run):
    rows = [*speed_rows(run), *other_rows(run)]
    if run.a.json:
        for row in rows:
            print(json.dumps(dict(zip(("what", "asked", "reached", "duet", "peer"), row))))
        return
    print(f"{machine()}, {run.a.threads} threads, {datetime.date.today()}\n")
    print("| what | asked | reached | duet | peer |\n|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def main():
    a = options(sys.argv[1:])
    if a.peer:
        serve(a)
        return
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("ended"))
    run = Run(a)
    try:
        run.all()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        tell(run)


if __name__ == "__main__":
    main()
