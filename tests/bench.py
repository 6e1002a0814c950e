#!/usr/bin/env python3
"""bench.py -- how fast duet and its peers are on the same file, on this machine, in one run.

    bench.py [--model FILE|NAME] [--threads 2] [--prefill 512] [--depths 0,4096,8128] [--gen 32]
             [--reps 3] [--json]

Peers are the Python packages of llama.cpp (pip install llama-cpp-python) and OpenVINO GenAI
(pip install openvino-genai openvino-tokenizers), where they are installed; PYTHON names the
interpreter that has them. Token ids are i * 7919 mod the size of the vocabulary. Prefill: one call
with N ids into an empty cache. Decode at depth D: the cache holds D ids, then `gen` calls with one
token, the next one being the largest logit; the cache is f16. OpenVINO GenAI takes no ids and keeps
prompts: it reads text of about N tokens that differs from its first word on.

Each repetition runs every program once, one after the other, so that what else the machine does
falls on all of them. Figures are medians of tokens a second, with the least and the most; ratios
are of medians. A machine that is busy shows in the range: such a run says little.
"""
import argparse
import ctypes
import datetime
import json
import os
import statistics
import subprocess
import sys
import time

PEERS = ("llama.cpp", "OpenVINO")


def numbers(text):
    return [int(x) for x in text.split(",") if x]


def model_path(name):
    """A file, or the name of a model that `make chat` fetches."""
    if "/" in name:
        return name
    data = os.environ.get("XDG_DATA_HOME", "")
    data = data if data.startswith("/") else os.path.expanduser("~/.local/share")
    return os.path.join(data, "duet/models", name + ".gguf")


def options(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--model", type=model_path, default="smollm2-135m")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--prefill", type=numbers, default=[512])
    p.add_argument("--depths", type=numbers, default=[0, 4096, 8128])
    p.add_argument("--gen", type=int, default=32)
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--json", action="store_true", help="one object a figure, no table")
    p.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    return p.parse_args(argv)


# ---- one repetition of one program: {(what, n or depth): tokens a second} ---------------------------

def run_duet(a):
    program = os.path.join(os.environ.get("BUILD", "build"), "duet")
    out = subprocess.run(
        [program, "bench", a.model, "--json", "--threads", str(a.threads), "--gen", str(a.gen),
         "--reps", "1", "--prefill", ",".join(map(str, a.prefill)), "--depths",
         ",".join(map(str, a.depths))], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {}
    for line in out.splitlines():
        f = json.loads(line)
        at = f["n"] if f["what"] == "prefill" else f["at"]
        found[f["what"], at] = f["tok_s"]
    return found


class Llama:
    """llama.cpp's library on one model."""

    def __init__(self, a):
        import llama_cpp
        import numpy
        self.lib, self.np = llama_cpp, numpy
        self.quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            a.model.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit("llama.cpp cannot load " + a.model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        p = llama_cpp.llama_context_default_params()
        p.n_ctx = max(a.depths + a.prefill + [0]) + a.gen + 64
        p.n_batch = max(a.prefill + [512])
        p.n_ubatch = 512
        p.n_threads = p.n_threads_batch = a.threads
        self.context = llama_cpp.llama_init_from_model(self.model, p)
        self.memory = llama_cpp.llama_get_memory(self.context)

    def feed(self, ids):
        tokens = (self.lib.llama_token * len(ids))(*ids)     # borrowed by the batch
        if self.lib.llama_decode(self.context, self.lib.llama_batch_get_one(tokens, len(ids))):
            sys.exit("llama.cpp does not decode")

    def largest(self):
        logits = self.lib.llama_get_logits_ith(self.context, -1)
        return int(self.np.ctypeslib.as_array(logits, shape=(self.n_vocab,)).argmax())

    def ids(self, n):
        return [i * 7919 % self.n_vocab for i in range(n)]

    def prefill(self, n):
        self.lib.llama_memory_clear(self.memory, True)
        start = time.perf_counter()
        self.feed(self.ids(n))
        self.largest()
        return n / (time.perf_counter() - start)

    def decode(self, depth, gen):
        self.lib.llama_memory_clear(self.memory, True)
        for i in range(0, depth, 512):
            self.feed(self.ids(depth)[i:i + 512])
        token, start = 1, time.perf_counter()
        for _ in range(gen):
            self.feed([token])
            token = self.largest()
        return gen / (time.perf_counter() - start)


def run_llama(a):
    peer = Llama(a)
    peer.feed(peer.ids(64))                                  # warm
    found = {("prefill", n): peer.prefill(n) for n in a.prefill}
    found.update({("decode", d): peer.decode(d, a.gen) for d in a.depths})
    return found


def run_openvino(a):
    import openvino_genai
    pipe = openvino_genai.LLMPipeline(a.model, "CPU", INFERENCE_NUM_THREADS=a.threads)

    def generate(n_prompt, n_new):
        words = " ".join(str(time.time_ns() + i)[-4:] for i in range(n_prompt // 4))
        tokens = pipe.get_tokenizer().encode(words).input_ids.shape[1]
        config = openvino_genai.GenerationConfig(max_new_tokens=n_new, ignore_eos=True)
        return tokens, pipe.generate([words], config).perf_metrics

    generate(64, 4)                                          # warm
    found = {}
    for n in a.prefill:
        tokens, metrics = generate(n, 1)
        found["prefill", n] = tokens / metrics.get_ttft().mean * 1000
    if 0 in a.depths:
        found["decode", 0] = generate(8, a.gen)[1].get_throughput().mean
    return found


RUN = {"llama.cpp": run_llama, "OpenVINO": run_openvino}


def run_peer(a, name):
    """A repetition in a process of its own: no program sees the threads of another."""
    argv = [os.environ.get("PYTHON", sys.executable), os.path.abspath(__file__), "--peer", name,
            "--model", a.model, "--threads", str(a.threads), "--gen", str(a.gen),
            "--prefill", ",".join(map(str, a.prefill)), "--depths", ",".join(map(str, a.depths))]
    out = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if out.returncode:
        return None, (out.stderr.strip().splitlines() or ["failed"])[-1]
    return {(what, at): rate for what, at, rate in json.loads(out.stdout)}, None


# ---- the table -------------------------------------------------------------------------------------

def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return f"{names[0] if names else 'unknown CPU'}, {os.cpu_count()} processors, " \
           f"load {os.getloadavg()[0]:.1f}"


def measure(a):
    """{program: {figure: [rates]}}"""
    rates, peers = {"duet": {}}, list(PEERS)
    for rep in range(a.reps):
        for name in ["duet"] + peers[:]:
            found, why = (run_duet(a), None) if name == "duet" else run_peer(a, name)
            if why:
                print(f"{name}: {why}", file=sys.stderr)
                peers.remove(name)
                continue
            for figure, rate in found.items():
                rates.setdefault(name, {}).setdefault(figure, []).append(rate)
    return rates


def tell(a, rates):
    ours = {figure: statistics.median(r) for figure, r in rates["duet"].items()}
    if not a.json:
        print(f"{os.path.basename(a.model)}, {a.threads} threads, {a.reps} repetitions, f16 cache")
        print(f"{machine()}, {datetime.date.today()}")
        print(f"{'':<14} {'':<10} {'tok/s':>9} {'least':>9} {'most':>9} {'duet is':>9}")
    for figure in ours:
        for name, found in rates.items():
            if figure not in found:
                continue
            middle, r = statistics.median(found[figure]), found[figure]
            if a.json:
                print(json.dumps({"program": name, "model": os.path.basename(a.model),
                                  "threads": a.threads, "what": figure[0], "at": figure[1],
                                  "tok_s": round(middle, 2), "min": round(min(r), 2),
                                  "max": round(max(r), 2),
                                  "ratio": round(ours[figure] / middle, 3)}))
            else:
                times = "" if name == "duet" else f"{ours[figure] / middle:8.2f}x"
                print(f"{figure[0] + ' ' + str(figure[1]):<14} {name:<10} {middle:9.1f} "
                      f"{min(r):9.1f} {max(r):9.1f} {times:>9}")


def main():
    a = options(sys.argv[1:])
    if a.peer:
        print(json.dumps([[*figure, rate] for figure, rate in RUN[a.peer](a).items()]))
        return
    tell(a, measure(a))


if __name__ == "__main__":
    main()
