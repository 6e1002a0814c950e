#!/usr/bin/env python3
"""Writes the SentencePiece fixtures tests/fixtures/vocab/spm.gguf and spm-plain.gguf.

Both have 256 byte tokens and pieces learned from the texts of compare_tokens.py, the more frequent
pair first, with scores by that order (every eighth score equal to the one before it).

spm        as Llama 2's: <unk>, <s>, </s>, a space in front of a text, a bos token
spm-plain  as Gemma's: no space in front, runs of line breaks, tabs and spaces and HTML tags as
           user-defined tokens, turn markers
"""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import compare_tokens as texts  # noqa: E402

NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
SPACE = "\u2581"


def learn(n):
    """The n first merges of byte pair encoding, as texts."""
    source = (texts.PROSE + "\n" + texts.CODE + "\n" + texts.SCRIPTS).replace("\n", " ")
    rows = [[SPACE] + list(word) for word in source.split()]
    pieces = sorted({c for row in rows for c in row})
    while len(pieces) < n:
        count = {}
        for row in rows:
            for pair in zip(row, row[1:]):
                count[pair] = count.get(pair, 0) + 1
        pair = max(sorted(count), key=lambda p: count[p])
        for row in rows:
            for i in range(len(row) - 1, 0, -1):
                if tuple(row[i - 1:i + 1]) == pair:
                    row[i - 1:i + 1] = ["".join(pair)]
        if "".join(pair) not in pieces:
            pieces.append("".join(pair))
    return pieces


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(v):
    if isinstance(v, bool):
        return struct.pack("<I?", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    kind, form = (8, None) if isinstance(v[0], str) else (6, "f") if isinstance(v[0], float) else (5, "i")
    body = b"".join(map(string, v)) if form is None else struct.pack(f"<{len(v)}{form}", *v)
    return struct.pack("<IIQ", 9, kind, len(v)) + body


def write(name, first, last, more):
    tokens = first + [(f"<0x{b:02X}>", BYTE, 0.0) for b in range(256)]
    taken = {t for t, _, _ in tokens + last}
    pieces = [p for p in learn(700) + ["<s", "</s"] if p not in taken]
    tokens += [(p, NORMAL, -float(i - (i % 8 == 7))) for i, p in enumerate(pieces)] + last
    keys = {"general.architecture": "llama", "general.name": name, "tokenizer.ggml.model": "llama",
            "llama.context_length": 64, "llama.embedding_length": 32, "llama.block_count": 1,
            "llama.attention.head_count": 1, "llama.feed_forward_length": 32,
            "tokenizer.ggml.tokens": [t for t, _, _ in tokens],
            "tokenizer.ggml.scores": [s for _, _, s in tokens],
            "tokenizer.ggml.token_type": [k for _, k, _ in tokens], **more}
    body = b"".join(string(k) + value(v) for k, v in keys.items())
    path = os.path.join(texts.TOP, "tests", "fixtures", "vocab", name + ".gguf")
    with open(path, "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + body)


write("spm", [("<unk>", UNKNOWN, 0.0), ("<s>", CONTROL, 0.0), ("</s>", CONTROL, 0.0)], [], {})
write("spm-plain",
      [("<pad>", CONTROL, -1000.0), ("<eos>", CONTROL, -1000.0), ("<bos>", CONTROL, -1000.0),
       ("<unk>", CONTROL, -1000.0)],
      [("<start_of_turn>", USER, -1000.0), ("<end_of_turn>", USER, -1000.0)] +
      [(c * n, USER, -1000.0) for c in "\n\t" for n in range(1, 8)] +
      [(" " * n, USER, -1000.0) for n in range(2, 9)] +
      [(h, USER, -1000.0) for h in texts.HTML],
      {"tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.bos_token_id": 2,
       "tokenizer.ggml.eos_token_id": 1, "tokenizer.ggml.unknown_token_id": 3,
       "tokenizer.ggml.add_bos_token": True,
       "tokenizer.chat_template": "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' }}{% endfor %}"})
