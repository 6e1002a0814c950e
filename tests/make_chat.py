#!/usr/bin/env python3
"""Renders conversations with the publishers' templates (tests/templates/) by Jinja, set up as the
transformers library does, and freezes them in tests/golden/chat.json. Needs the package jinja2.

What stands at the end of a conversation: "reply", the header of an answer; "skip" or "open", the
same with the template's thinking switched off or on; "thought", an answer with a thought in front.
lead is what a model itself says first, where the template has it in front of past answers."""
import json
import os

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = os.path.dirname(os.path.abspath(__file__))
IM = ["<|im_start|>", "<|im_end|>"]
THINK = ["<think>", "</think>"]
HEADER = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
TURN = ["<start_of_turn>", "<end_of_turn>"]
PHI = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
INST = ["[INST]", "[/INST]"]
PROMPT = ["[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"]
DS = ["<｜User｜>", "<｜Assistant｜>"]
DS_BOS, DS_EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
ROLE = ["<|start_of_role|>", "<|end_of_role|>"]

# template, family, special tokens, bos, eos, lead, what it can do
CASES = [
    ("openhermes", "chatml", IM, "", "", "", "system turns"),
    ("smollm2", "chatml", IM, "", "", "", "system none turns"),
    ("qwen2.5", "chatml", IM, "", "", "", "system none turns"),
    ("qwen3", "chatml", IM + THINK, "", "", "", "system none turns skip thought"),
    ("smollm3", "smollm3", IM + THINK, "", "", "", "override skip"),
    ("llama-2", "llama2", [], "<s>", "</s>", " ", "system none turns"),
    ("llama-3", "llama3", HEADER, "<|begin_of_text|>", "", "", "system none turns"),
    ("llama-3.2", "llama3.1", HEADER, "<|begin_of_text|>", "", "", "system none turns"),
    ("mistral-7b-v0.1", "mistral", [], "<s>", "</s>", "", "none turns"),
    ("mistral-7b-v0.2", "mistral-v1", [], "<s>", "</s>", " ", "system none turns"),
    ("mistral-7b-v0.3", "mistral-v3", INST, "<s>", "</s>", " ", "system none"),
    ("mistral-nemo", "mistral-v3-tekken", INST, "<s>", "</s>", "", "system none"),
    ("mistral-large-2411", "mistral-v7", INST + PROMPT, "<s>", "</s>", " ", "system none turns"),
    ("mistral-small-2503", "mistral-v7-tekken", INST + PROMPT, "<s>", "</s>", "", "system none turns"),
    ("gemma", "gemma", TURN, "<bos>", "", "", "none turns"),
    ("gemma-3", "gemma", TURN, "<bos>", "", "", "system none turns"),
    ("phi-3-mini", "phi3", PHI, "<s>", "", "", "none turns"),
    ("phi-3.5-mini", "phi3", PHI, "", "", "", "system none turns"),
    ("phi-4", "phi4", IM + ["<|im_sep|>"], "", "", "", "system none turns"),
    ("phi-4-mini", "phi4-mini", PHI, "", "", "", "system none turns"),
    ("deepseek-v2", "deepseek2", [], DS_BOS, DS_EOS, " ", "system none turns"),
    ("deepseek-v3", "deepseek", DS, DS_BOS, DS_EOS, "", "system none turns"),
    ("deepseek-r1", "deepseek-r1", DS + THINK, DS_BOS, DS_EOS, "", "system none turns open"),
    ("deepseek-v3.1", "deepseek", DS + THINK, DS_BOS, DS_EOS, "", "system none skip open"),
    ("zephyr", "zephyr", [], "<s>", "</s>", "", "system none turns"),
    ("granite-3", "granite", ROLE + ["<|end_of_text|>"], "", "", "", "system none turns"),
]


def fail(text):
    raise jinja2.TemplateError(text)


def render(name, messages, bos, eos, prompt, variables):
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    env.globals["raise_exception"] = fail
    with open(os.path.join(HERE, "templates", name + ".jinja"), encoding="utf-8") as f:
        template = env.from_string(f.read())
    return template.render(messages=messages, bos_token=bos, eos_token=eos, add_generation_prompt=prompt,
                           **variables)


def case(row, system, turns, final):
    name, family, specials, bos, eos, lead, _ = row
    roles = ["user", "assistant"] * 3
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": r, "content": t} for r, t in zip(roles, turns)]
    variables = {"skip": {"enable_thinking": False, "thinking": False},
                 "open": {"enable_thinking": True, "thinking": True}}.get(final, {})
    if final == "thought":
        messages.append({"role": "assistant", "content": "So.", "reasoning_content": "Hm,\nwell."})
    text = render(name, messages, bos, eos, final != "thought", variables)
    spelled = "" if not system else system.replace("/system_override", "")
    return {"template": name, "family": family, "specials": specials + [t for t in (bos, eos) if t],
            "bos": bos, "system": spelled, "turns": turns, "lead": lead, "final": final, "rendered": text}


def cases(row):
    can = row[6].split()
    one, three = [" Hi, there \n"], ["Hi", "Hello!", " 2 + 2 ?"]
    final = "open" if row[1] == "deepseek-r1" else "reply"
    if "override" in can:
        return [case(row, "S./system_override", one, "reply"), case(row, "S./system_override", one, "skip")]
    out = []
    if row[1] != "deepseek" or "skip" not in can:
        out += [case(row, " Be brief.\n", one, final)] if "system" in can else []
        out += [case(row, None, one, final)] if "none" in can else []
        out += [case(row, "S", three, final)] if "turns" in can and "system" in can else []
        out += [case(row, None, three, final)] if "turns" in can else []
    for extra in ("skip", "open", "thought"):
        out += [case(row, "S", one, extra)] if extra in can and final != extra else []
    return out


def main():
    rows = [c for row in CASES for c in cases(row)]
    with open(os.path.join(HERE, "golden", "chat.json"), "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=1, ensure_ascii=True)
        f.write("\n")
    print(f"{len(rows)} conversations")


if __name__ == "__main__":
    main()
