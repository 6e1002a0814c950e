#!/usr/bin/env python3
"""compare_logits.py -- the engine's logits beside llama.cpp's, on real models and text.

    compare_logits.py MODEL                  both engines on the same ids: perplexity, best tokens
    compare_logits.py MODEL --decoded        llama.cpp has the weights decoded to floats
    compare_logits.py MODEL --freeze FILE    and keeps some of llama.cpp's numbers in FILE
    compare_logits.py MODEL --check FILE     the engine alone, against such numbers

With weights of few bits llama.cpp rounds activations to 8 bits, as this engine does, but not the
same ones: after some layers the two roundings have nothing in common, and each engine is as far
from exact arithmetic as from the other. --decoded is nearer to the truth, and four times as big.

All but --check needs llama-cpp-python (pip install llama-cpp-python). BUILD is the folder of
`probe` (default build). Three texts: prose (a licence of Debian's), code (of this project), and
one that says everything twice. The status is 0 if for each the perplexities are within 0.5 % and
the best token is the same at 99 % of the positions where llama.cpp's choice is clear by 0.1.
"""
import argparse
import ctypes
import json
import math
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PROSE = "/usr/share/common-licenses/GFDL-1.3"
CODE = ("engine/pool.c", "engine/kv.c", "engine/sampler.c", "ui/wrap.c", "ui/decode.c")
GAP = 0.1


def read(path):
    with open(os.path.join(HERE, "..", path), encoding="utf-8") as f:
        return f.read()


def texts():
    prose, code = read(PROSE), "\n".join(read(p) for p in CODE)
    half = prose[20000:22000] + code[3000:5000]
    return {"prose": prose, "code": code, "copy": (half + "\n\n") * 12}


def probe(model, ids, every, options=()):
    """What our engine says: {pos: (lse, [[id, logit], ...])} and the mean log likelihood."""
    program = os.path.join(os.environ.get("BUILD", os.path.join(HERE, "..", "build")), "probe")
    out = subprocess.run([program, model, "--ids", ",".join(map(str, ids)), "--every", str(every),
                          *options], stdout=subprocess.PIPE, check=True).stdout
    said = json.loads(out)
    return {p["pos"]: (p["lse"], p["top"]) for p in said["positions"]}, said["nll"] / said["n"]


class Peer:
    """llama.cpp."""

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
            self.load(model, n_ctx)

    def load(self, model, n_ctx):
        llama_cpp = self.lib
        self.model = llama_cpp.llama_model_load_from_file(
            model.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit("llama.cpp cannot load " + model)
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self.vocab)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch = n_ctx, 256
        params.flash_attn_type = 0            # off: it sums in half precision
        self.context = llama_cpp.llama_init_from_model(self.model, params)

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
                sys.exit("llama.cpp does not decode")
            lib.llama_batch_free(batch)
            for i in range(len(part)):
                row = lib.llama_get_logits_ith(self.context, i)
                yield np.ctypeslib.as_array(row, shape=(self.n_vocab,)).astype(np.float64)


def expected(peer, ids):
    """[(lse, log likelihood of the next id, [[id, logit] x 16])] by llama.cpp."""
    np, rows = peer.np, []
    for i, row in enumerate(peer.logits(ids)):
        lse = float(np.logaddexp.reduce(row))
        top = np.argpartition(-row, 16)[:16]
        top = sorted(((int(t), float(row[t])) for t in top), key=lambda x: (-x[1], x[0]))
        rows.append((lse, float(row[ids[i + 1]]) - lse if i + 1 < len(ids) else 0.0, top))
    return rows


def compare(model, n, decoded, options):
    peer, good, frozen = Peer(model, n, decoded), True, {}
    for name, text in texts().items():
        ids = peer.tokenize(text, n)
        theirs = expected(peer, ids)
        ours, mean = probe(model, ids, 1, options)
        ratio = math.exp(mean + sum(r[1] for r in theirs) / (len(ids) - 1))
        clear = [i for i, r in enumerate(theirs) if r[2][0][1] - r[2][1][1] > GAP]
        same = sum(ours[i][1][0][0] == theirs[i][2][0][0] for i in clear) / len(clear)
        # Difference of log probabilities of llama.cpp's best token.
        off = []
        for i, (lse, _, top) in enumerate(theirs):
            x = dict(map(tuple, ours[i][1])).get(top[0][0])
            if x is not None:
                off.append(abs((x - ours[i][0]) - (top[0][1] - lse)))
        good &= abs(ratio - 1) <= 0.005 and same >= 0.99
        print("%-5s %4d tokens  perplexity %8.4f  ratio %.5f  best token %6.2f %% of %d  "
              "log p: median %.1e  max %.1e" % (
                  name, len(ids), math.exp(mean), ratio, 100 * same, len(clear),
                  sorted(off)[len(off) // 2], max(off)), flush=True)
        frozen[name] = {"ids": ids[:FROZEN], "positions": [
            {"pos": i, "lse": round(theirs[i][0], 4),
             "top": [[t, round(x, 4)] for t, x in theirs[i][2][:4]]}
            for i in range(FROZEN_EVERY - 1, min(FROZEN, len(ids)), FROZEN_EVERY)]}
    return good, frozen


FROZEN, FROZEN_EVERY = 256, 32


def check(model, golden, options):
    """The engine beside frozen numbers. Activations are rounded differently, hence the room."""
    with open(golden, encoding="utf-8") as f:
        frozen = json.load(f)
    if os.path.getsize(model) != frozen["bytes"]:
        sys.exit("%s is not the file of %d bytes that %s is about" % (
            model, frozen["bytes"], golden))
    n = wrong = 0
    for name, text in frozen["texts"].items():
        ours, _ = probe(model, text["ids"], 1, options)
        for p in text["positions"]:
            lse, top = ours[p["pos"]]
            x = dict(map(tuple, top))
            clear = p["top"][0][1] - p["top"][1][1] > 0.5
            same = top[0][0] == p["top"][0][0] or not clear
            near = all(t in x and abs((x[t] - lse) - (l - p["lse"])) < 0.75
                       for t, l in p["top"][:2])
            n += 1
            if not (same and near):
                wrong += 1
                print("%s, position %d: %s, expected %s" % (name, p["pos"], top[:4], p["top"]))
    print("%d passed, %d failed" % (n - wrong, wrong))
    return wrong == 0


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model")
    p.add_argument("--tokens", type=int, default=2048)
    p.add_argument("--decoded", action="store_true")
    p.add_argument("--freeze", metavar="FILE")
    p.add_argument("--check", metavar="FILE")
    p.add_argument("--kernels", help="the kernel set to use at most")
    a = p.parse_args()
    options = ["--kernels", a.kernels] if a.kernels else []
    if a.check:
        return 0 if check(a.model, a.check, options) else 1
    good, frozen = compare(a.model, a.tokens, a.decoded, options)
    if a.freeze:
        with open(a.freeze, "w", encoding="utf-8") as f:
            json.dump({"bytes": os.path.getsize(a.model), "texts": frozen}, f,
                      separators=(",", ":"))
            f.write("\n")
    return 0 if good else 1


sys.exit(main())
