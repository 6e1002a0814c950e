#!/usr/bin/env python3
"""Writes the fixture tests/fixtures/chain.gguf: a model whose next token follows from the last one.

Embeddings are unit vectors, the layer adds nothing, and row n(t) of the output matrix has t's vector:
after t the model says n(t), whatever was before. It has the marks of ChatML and of thoughts, and a
template that names no thoughts. What it says:

    a line break        <think> h m </think> o k, end
    two line breaks     y e s, end
    <think>             h m </think> o k, end
"""
import os
import struct

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NORMAL, CONTROL, USER = 1, 3, 4
BREAK, BREAKS, SPACE = "\u010a", "\u010a\u010a", "\u0120"
LETTERS = list("abcdefghijklmnopqrstuvwxyzLA.:,") + [SPACE, BREAK, BREAKS]
SPECIALS = {"<|endoftext|>": CONTROL, "<|im_start|>": CONTROL, "<|im_end|>": CONTROL, "<think>": USER,
            "</think>": USER}
TOKENS = LETTERS + list(SPECIALS)
TOKENS += [f"<unused{i}>" for i in range(-len(TOKENS) % 32)]
N = len(TOKENS)
NEXT = {BREAK: "<think>", "<think>": "h", "h": "m", "m": "</think>", "</think>": "o", "o": "k",
        "k": "<|im_end|>", BREAKS: "y", "y": "e", "e": "s", "s": "<|im_end|>", ":": "y"}
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
    for row, col in ones:
        values[row * cols + col] = 1.0
    return struct.pack(f"<{rows * cols}f", *values)


def main():
    at = {t: i for i, t in enumerate(TOKENS)}
    keys = {"general.architecture": "llama", "general.name": "chain", "llama.context_length": 4096,
            "llama.embedding_length": N, "llama.block_count": 1, "llama.feed_forward_length": 32,
            "llama.attention.head_count": 1, "llama.attention.key_length": 32,
            "llama.attention.value_length": 32, "llama.attention.layer_norm_rms_epsilon": 1e-5,
            "llama.rope.dimension_count": 32, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2",
            "tokenizer.ggml.tokens": TOKENS,
            "tokenizer.ggml.token_type": [SPECIALS.get(t, NORMAL) if not t.startswith("<unused") else 5
                                          for t in TOKENS],
            "tokenizer.ggml.merges": [BREAK + " " + BREAK], "tokenizer.ggml.eos_token_id": at["<|endoftext|>"],
            "tokenizer.ggml.add_bos_token": False, "tokenizer.chat_template": TEMPLATE}
    tensors = [("token_embd.weight", (N, N), [(i, i) for i in range(N)]),
               ("output.weight", (N, N), [(at[to], at[t]) for t, to in NEXT.items()]),
               ("output_norm.weight", (1, N), [(0, i) for i in range(N)])]
    tensors += [(f"blk.0.{name}.weight", shape, []) for name, shape in
                {"attn_norm": (1, N), "attn_q": (32, N), "attn_k": (32, N), "attn_v": (32, N),
                 "attn_output": (N, 32), "ffn_norm": (1, N), "ffn_gate": (32, N), "ffn_up": (32, N),
                 "ffn_down": (N, 32)}.items()]
    table, data = b"", b""
    for name, (rows, cols), ones in tensors:
        dims = (cols,) if rows == 1 else (cols, rows)
        table += string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, 0, len(data))
        data += matrix(rows, cols, ones)
        data += b"\0" * (-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(string(k) + value(v) for k, v in keys.items()) + table
    with open(os.path.join(TOP, "tests", "fixtures", "chain.gguf"), "wb") as f:
        f.write(head + b"\0" * (-len(head) % 32) + data)


main()
