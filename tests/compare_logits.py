#!/usr/bin/env python3
"""compare_logits.py -- the engine's logits beside llama.cpp's, on real models and text.

    compare_logits.py MODEL                  both engines on the same ids: perplexity, best tokens
    compare_logits.py MODEL --exact          and the engine without rounding of activations
    compare_logits.py MODEL --freeze FILE    keeps some of llama.cpp's numbers in FILE
    compare_logits.py MODEL --check FILE     the engine alone, against such numbers

All but --check needs llama-cpp-python (pip install llama-cpp-python); --keep FOLDER keeps what it
said, for the next time. BUILD is the folder of `probe` (default build). Three texts of 2,048 tokens:
prose (a licence of Debian's), code (some of this project's, as it was), and one that says everything
twice.

What is compared with what. The reference is llama.cpp on the weights decoded to 32-bit floats, with
a cache of floats and no flash attention: nothing is rounded there. On a file of few bits llama.cpp
rounds activations to 8 bits, as this engine does, but not to the same ones; so on the file as it is
each engine is some way from the reference, and they are further from each other than that. How far
llama.cpp is, is told too.

The status is 0 if for each text the engine's perplexity is within 0.5 % of the reference's, and its
best token the same at 99 % of the positions where the reference's is clear: where its logit is
ahead by 0.1.
"""
import argparse
import ctypes
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GAP, RATIO, SAME = 0.1, 0.005, 0.99

# --check holds the engine to the same. Without rounding so many first tokens must be the same too,
# and their log probabilities so near. GELU, which llama.cpp looks up in a table of half precision,
# costs the most of that.
EXACT, EXACT_LOGP = 256, 1e-2


def read(path):
    with open(os.path.join(HERE, path), encoding="utf-8") as f:
        return f.read()


def texts():
    prose, code = read("/usr/share/common-licenses/GFDL-1.3"), read("golden/code.txt")
    half = prose[20000:22000] + code[3000:5000]
    return {"prose": prose, "code": code, "copy": (half + "\n\n") * 3}


def run_probe(model, *options, data=None):
    program = os.path.join(os.environ.get("BUILD", os.path.join(HERE, "..", "build")), "probe")
    out = subprocess.run([program, model, *options], input=data, stdout=subprocess.PIPE, check=True)
    return json.loads(out.stdout)


def ours(model, ids, options=()):
    """What our engine says of these ids; see Peer.say()."""
    said = run_probe(model, "--ids", ",".join(map(str, ids)), "--every", "1", *options)
    return {"nll": said["nll"], "lse": [p["lse"] for p in said["positions"]],
            "top": [p["top"] for p in said["positions"]]}


class Peer:
    """llama.cpp, on the file as it is, or on its weights as floats."""

    def __init__(self, model, n_ctx, decoded):
        import llama_cpp
        import numpy
        self.lib, self.np = llama_cpp, numpy
        self.quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        with tempfile.TemporaryDirectory() as folder:
            if decoded:
                path = os.path.join(folder, "decoded.gguf")
                self.decode(model, path)
                model = path
            self.load(model, n_ctx, decoded)

    def load(self, model, n_ctx, decoded):
        lib = self.lib
        self.model = lib.llama_model_load_from_file(model.encode(),
                                                    lib.llama_model_default_params())
        if not self.model:
            sys.exit("llama.cpp cannot load " + model)
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.n_vocab = lib.llama_vocab_n_tokens(self.vocab)
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch = n_ctx, 256
        params.flash_attn_type = 0            # off: it sums in half precision
        if decoded:
            params.type_k = params.type_v = lib.GGML_TYPE_F32
        self.context = lib.llama_init_from_model(self.model, params)

    def decode(self, model, path):
        """Writes the model with all weights in F32."""
        params = self.lib.llama_model_quantize_default_params()
        params.ftype, params.allow_requantize = 0, True
        if self.lib.llama_model_quantize(model.encode(), path.encode(), params):
            sys.exit("llama.cpp does not decode " + model)

    def tokenize(self, text, n):
        data = text.encode()
        out = (self.lib.llama_token * (len(data) + 2))()
        got = self.lib.llama_tokenize(self.vocab, data, len(data), out, len(out), True, False)
        return list(out[:min(n, got)])

    def logits(self, ids):
        """Rows of logits, one a position."""
        lib, np = self.lib, self.np
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)
        for at in range(0, len(ids), 256):
            part = ids[at:at + 256]
            batch = lib.llama_batch_init(len(part), 0, 1)
            batch.n_tokens = len(part)
            for i, t in enumerate(part):
                batch.token[i], batch.pos[i], batch.logits[i] = t, at + i, 1
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            if lib.llama_decode(self.context, batch):
                sys.exit("llama.cpp does not compute")
            lib.llama_batch_free(batch)
            for i in range(len(part)):
                row = lib.llama_get_logits_ith(self.context, i)
                yield np.ctypeslib.as_array(row, shape=(self.n_vocab,)).astype(np.float64)

    def say(self, ids):
        """Per position lse = log of the sum of exp(logit) and top = [[id, logit] x 8], and nll =
        the negative log likelihood of all ids but the first."""
        np, lse, top, nll = self.np, [], [], 0.0
        for i, row in enumerate(self.logits(ids)):
            most = row.max()
            lse.append(round(float(most + np.log(np.exp(row - most).sum())), 6))
            best = [(int(t), round(float(row[t]), 6)) for t in np.argpartition(-row, 8)[:8]]
            top.append(sorted(best, key=lambda x: (-x[1], x[0])))
            nll += lse[-1] - float(row[ids[i + 1]]) if i + 1 < len(ids) else 0.0
        return {"nll": nll, "lse": lse, "top": top}


class Reference:
    """What llama.cpp says of the texts, kept in a folder if there is one."""

    def __init__(self, model, n, folder):
        self.model, self.n, self.folder, self.peer = model, n, folder, {}

    def say(self, name, decoded):
        path = os.path.join(self.folder or "", "%s-%s-%d-%s.json" % (
            os.path.basename(self.model), name, self.n, "decoded" if decoded else "file"))
        if self.folder and os.path.exists(path):
            return json.loads(read(path))
        if decoded not in self.peer:
            self.peer = {decoded: Peer(self.model, self.n, decoded)}
        peer = self.peer[decoded]
        ids = peer.tokenize(texts()[name], self.n)
        said = dict(peer.say(ids), ids=ids)
        if self.folder:
            with open(path, "w", encoding="utf-8") as f:
                json.dump(said, f)
        return said


def is_clear(top):
    return top[0][1] - top[1][1] > GAP


def measure(said, reference):
    """Ratio of the perplexities, share of equal best tokens, differences of the log probability of
    the reference's best tokens."""
    n = len(reference["top"])
    ratio = math.exp((said["nll"] - reference["nll"]) / (n - 1))
    clear = [i for i in range(n) if is_clear(reference["top"][i])]
    same = sum(said["top"][i][0][0] == reference["top"][i][0][0] for i in clear) / len(clear)
    off = []
    for i in range(n):
        best, logit = reference["top"][i][0]
        x = dict(map(tuple, said["top"][i])).get(best)
        if x is not None:
            off.append(abs((x - said["lse"][i]) - (logit - reference["lse"][i])))
    return ratio, same, sorted(off)


def tell(name, what, said, reference):
    ratio, same, off = measure(said, reference)
    print("%-5s  %-32s ratio %.5f  best token %6.2f %%  log p: median %.1e  max %.1e" % (
        name, what, ratio, 100 * same, off[len(off) // 2], off[-1]), flush=True)
    return abs(ratio - 1) <= RATIO and same >= SAME


def compare(a, options):
    reference, good = Reference(a.model, a.tokens, a.keep), True
    for name in texts():
        exact = reference.say(name, True)
        mine = ours(a.model, exact["ids"], options)
        print("%-5s  %d tokens, perplexity of the reference %.4f" % (
            name, len(exact["ids"]), math.exp(exact["nll"] / (len(exact["ids"]) - 1))))
        good &= tell(name, "duet / reference", mine, exact)
        if a.exact:
            said = ours(a.model, exact["ids"], [*options, "--exact", "--kv", "f32"])
            good &= tell(name, "duet --exact / reference", said, exact)
        theirs = reference.say(name, False)
        tell(name, "llama.cpp, same file / reference", theirs, exact)
        tell(name, "duet / llama.cpp, same file", mine, theirs)
    return good


# ---- frozen numbers ---------------------------------------------------------------------------


def hash_of(ids):
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def freeze(a):
    """Per text: the ids' hash, the perplexity, the best token of each position or -1 where none is
    clear, and the log probability of the best of the first ones."""
    reference, frozen = Reference(a.model, a.tokens, a.keep), {}
    for name in texts():
        said = reference.say(name, True)
        logp = [round(t[0][1] - lse, 4) for t, lse in zip(said["top"], said["lse"])]
        frozen[name] = {
            "n": len(said["ids"]), "first": said["ids"][0], "ids": hash_of(said["ids"]),
            "nll": round(said["nll"], 3), "logp": logp[:EXACT],
            "best": [t[0][0] if is_clear(t) else -1 for t in said["top"]]}
    with open(a.freeze, "w", encoding="utf-8") as f:
        json.dump({"bytes": os.path.getsize(a.model), "texts": frozen}, f, separators=(",", ":"))
        f.write("\n")
    return True


def ids_of(model, text, frozen):
    """Our ids of the text, behind the token that begins every text of some models."""
    ids = run_probe(model, "--tokenize", data=text.encode() + b"\0")[0]
    return ([] if ids[0] == frozen["first"] else [frozen["first"]]) + ids


def share_of_best(said, best):
    clear = [i for i in range(len(said["top"])) if best[i] >= 0]
    return sum(said["top"][i][0][0] == best[i] for i in clear) / len(clear)


def check_text(model, text, frozen, options):
    """Yields what is checked: (good, what was found)."""
    ids = ids_of(model, text, frozen)[:frozen["n"]]
    yield hash_of(ids) == frozen["ids"], "%d token ids" % len(ids)
    said = ours(model, ids, options)
    ratio = math.exp((said["nll"] - frozen["nll"]) / (len(ids) - 1))
    yield abs(ratio - 1) <= RATIO, "perplexity: %.5f of the reference" % ratio
    same = share_of_best(said, frozen["best"])
    yield same >= SAME, "best token: %.2f %% the same" % (100 * same)
    said = ours(model, ids[:EXACT], [*options, "--exact", "--kv", "f32"])
    same = share_of_best(said, frozen["best"])
    yield same == 1, "best token, nothing rounded: %.2f %% the same" % (100 * same)
    off = max(abs(t[0][1] - lse - p)
              for t, lse, p in zip(said["top"], said["lse"], frozen["logp"]))
    yield off <= EXACT_LOGP, "log probability, nothing rounded: off by %.1e at most" % off


def check(a, options):
    frozen = json.loads(read(os.path.abspath(a.check)))
    if os.path.getsize(a.model) != frozen["bytes"]:
        sys.exit("%s is not the file of %d bytes that %s is about" % (
            a.model, frozen["bytes"], a.check))
    passed = failed = 0
    for name, numbers in frozen["texts"].items():
        for good, what in check_text(a.model, texts()[name], numbers, options):
            print("%s  %-5s  %s" % ("ok    " if good else "FAILED", name, what), flush=True)
            passed, failed = passed + good, failed + (not good)
    print("%d passed, %d failed" % (passed, failed))
    return failed == 0


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model")
    p.add_argument("--tokens", type=int, default=2048)
    p.add_argument("--exact", action="store_true", help="the engine without rounding too: slow")
    p.add_argument("--keep", metavar="FOLDER", help="where llama.cpp's numbers are kept")
    p.add_argument("--freeze", metavar="FILE")
    p.add_argument("--check", metavar="FILE")
    p.add_argument("--kernels", help="the kernel set to use at most")
    p.add_argument("--threads", help="of the engine")
    a = p.parse_args()
    options = [x for name in ("kernels", "threads") if getattr(a, name)
               for x in ("--" + name, getattr(a, name))]
    if a.check:
        good = check(a, options)
    else:
        good = freeze(a) if a.freeze else compare(a, options)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
