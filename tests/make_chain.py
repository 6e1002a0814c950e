#!/usr/bin/env python3
"""Writes fixtures whose next token follows from the last one: tests/fixtures/chain.gguf and dice.gguf.

Embeddings are unit vectors, the layer adds nothing, and row n of the output matrix has a weight in the
column of each t that it may follow: after t the model says the n of the largest weight, or rolls dice
where it samples, whatever was before. Both have the marks of ChatML and of thoughts, and a template
that names no thoughts. What chain.gguf says:

    a line break        <think> h m </think> o k, end
    two line breaks     y e s, end
    <think>             h m </think> o k, end

What dice.gguf says (the first is what it says greedily):

    a line break        <think>
    <think>             h m </think>, seldom x x x ...
    </think>, :         1 or 2 or 3, end; seldom a space, end; seldom z z z ...
    two line breaks     2, end
"""
import os
import struct

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NORMAL, CONTROL, USER = 1, 3, 4
BREAK, BREAKS, SPACE = "\u010a", "\u010a\u010a", "\u0120"
LETTERS = list("abcdefghijklmnopqrstuvwxyzLA.:,") + [SPACE, BREAK, BREAKS]
SPECIALS = {"<|endoftext|>": CONTROL, "<|im_start|>": CONTROL, "<|im_end|>": CONTROL, "<think>": USER,
            "</think>": USER}
N = 64
CHAIN = {BREAK: "<think>", "<think>": "h", "h": "m", "m": "</think>", "</think>": "o", "o": "k",
         "k": "<|im_end|>", BREAKS: "y", "y": "e", "e": "s", "s": "<|im_end|>", ":": "y"}
ROLL = {"1": 1.0, "2": 0.99, "3": 0.98, SPACE: 0.8, "z": 0.8}
DICE = {BREAK: "<think>", "<think>": {"h": 1.0, "x": 0.8}, "h": "m", "m": "</think>", "</think>": ROLL, ":": ROLL,
        "1": "<|im_end|>", "2": "<|im_end|>", "3": "<|im_end|>", SPACE: "<|im_end|>", "z": "z", "x": "x",
        BREAKS: "2"}
TEMPLATE = ("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
            "{% endfor %}{{ '<|im_start|>assistant\n' }}")


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(v):
    if isinstance(v, bool):
        return struct.pack("<I?", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    body = b"".join(map(string, v)) if isinstance(v[0], str) else struct.pack(f"<{len(v)}i", *v)
    return struct.pack("<IIQ", 9, 8 if isinstance(v[0], str) else 5, len(v)) + body


def matrix(rows, cols, ones):
    values = [0.0] * (rows * cols)
    for row, col, weight in ones:
        values[row * cols + col] = weight
    return struct.pack(f"<{rows * cols}f", *values)


def write(name, letters, follows):
    tokens = letters + list(SPECIALS)
    tokens += [f"<unused{i}>" for i in range(N - len(tokens))]
    at = {t: i for i, t in enumerate(tokens)}
    keys = {"general.architecture": "llama", "general.name": name, "llama.context_length": 4096,
            "llama.embedding_length": N, "llama.block_count": 1, "llama.feed_forward_length": 32,
            "llama.attention.head_count": 1, "llama.attention.key_length": 32,
            "llama.attention.value_length": 32, "llama.attention.layer_norm_rms_epsilon": 1e-5,
            "llama.rope.dimension_count": 32, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": [SPECIALS.get(t, NORMAL) if not t.startswith("<unused") else 5
                                          for t in tokens],
            "tokenizer.ggml.merges": [BREAK + " " + BREAK], "tokenizer.ggml.eos_token_id": at["<|endoftext|>"],
            "tokenizer.ggml.add_bos_token": False, "tokenizer.chat_template": TEMPLATE}
    weights = [(at[to], at[t], w) for t, next in follows.items()
               for to, w in (next if isinstance(next, dict) else {next: 1.0}).items()]
    tensors = [("token_embd.weight", (N, N), [(i, i, 1.0) for i in range(N)]),
               ("output.weight", (N, N), weights),
               ("output_norm.weight", (1, N), [(0, i, 1.0) for i in range(N)])]
    tensors += [(f"blk.0.{part}.weight", shape, []) for part, shape in
                {"attn_norm": (1, N), "attn_q": (32, N), "attn_k": (32, N), "attn_v": (32, N),
                 "attn_output": (N, 32), "ffn_norm": (1, N), "ffn_gate": (32, N), "ffn_up": (32, N),
                 "ffn_down": (N, 32)}.items()]
    table, data = b"", b""
    for tensor, (rows, cols), ones in tensors:
        dims = (cols,) if rows == 1 else (cols, rows)
        table += string(tensor) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, 0, len(data))
        data += matrix(rows, cols, ones)
        data += b"\0" * (-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(string(k) + value(v) for k, v in keys.items()) + table
    with open(os.path.join(TOP, "tests", "fixtures", name + ".gguf"), "wb") as f:
        f.write(head + b"\0" * (-len(head) % 32) + data)


write("chain", LETTERS, CHAIN)
write("dice", LETTERS + list("123"), DICE)
