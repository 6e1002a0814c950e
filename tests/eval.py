#!/usr/bin/env python3
"""Compares modes on questions whose demands can be checked: tests/eval.py MODEL [options].

The questions come from a generator with a fixed seed, families in turn, so that the first N of them are
the same however many are asked. Each is asked by `duet -p` in each mode with the same text. An answer is
right if it keeps what was demanded; the rules here are this script's own and know how a question was
made, while duet sees its text alone. Prints a line per question and mode, then points, tokens and
seconds (CPU seconds too) of each mode, and of the first and the last mode what only one of them got.
"""
import argparse
import json
import math
import os
import random
import re
import resource
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOPICS = ["rivers", "bread", "winter", "bicycles", "libraries", "bees", "mountains", "tea", "trains", "rain",
          "gardens", "clocks", "bridges", "salt", "wool", "owls", "harbours", "maps", "soap", "kites"]
WORDS = ["careful", "bright", "slowly", "always", "north", "seven", "market", "window", "silver", "quiet"]
ENDINGS = ["That is all.", "Thank you for reading.", "More tomorrow.", "End of note."]


def words(text):
    return re.findall(r"[A-Za-z0-9'’-]+", text)


def bullets(rng):
    n, topic = rng.randint(2, 6), rng.choice(TOPICS)
    mark = re.compile(r"^\s*[-*•+]\s+\S")
    return (f"Write about {topic} in exactly {n} bullet points.",
            lambda a: sum(bool(mark.match(l)) for l in a.splitlines()) == n)


def include(rng):
    need, topic = rng.sample(WORDS, 2), rng.choice(TOPICS)
    return (f'Write two sentences about {topic}. Your answer must contain the words "{need[0]}" and '
            f'"{need[1]}".', lambda a: all(re.search(rf"\b{w}\b", a, re.I) for w in need))


def avoid(rng):
    topic = rng.choice(TOPICS)
    no = rng.choice(["the", "and", "is", "of"])
    return (f'Write one sentence about {topic}. Do not use the word "{no}".',
            lambda a: bool(words(a)) and not re.search(rf"\b{no}\b", a, re.I))


def record(rng):
    keys = rng.sample(["name", "colour", "price", "year", "place", "size"], 3)

    def right(a):
        body = re.sub(r"^```\w*\n|\n?```\s*$", "", a.strip())
        try:
            return set(keys) <= set(json.loads(body))
        except (ValueError, TypeError):
            return False
    return (f"Describe a thing you know about {rng.choice(TOPICS)} as a JSON object with the keys "
            f'"{keys[0]}", "{keys[1]}" and "{keys[2]}".', right)


def count(rng):
    n = rng.randint(5, 12)
    return (f"Write a sentence about {rng.choice(TOPICS)} of exactly {n} words.",
            lambda a: len(words(a)) == n)


def lower(rng):
    return (f"Write one sentence about {rng.choice(TOPICS)}, all in lowercase letters.",
            lambda a: bool(words(a)) and a == a.lower())


def upper(rng):
    return (f"Write one sentence about {rng.choice(TOPICS)}, all in capital letters.",
            lambda a: bool(words(a)) and a == a.upper())


def ending(rng):
    end = rng.choice(ENDINGS)
    return (f'Write two sentences about {rng.choice(TOPICS)}. End your answer with "{end}"',
            lambda a: a.strip().strip('"').endswith(end))


def sums(rng):
    a, b, c = rng.randint(12, 60), rng.randint(3, 9), rng.randint(2, 9)
    who = rng.choice(["Ann", "Omar", "Lena", "Tom"])
    return (f"{who} has {a} stamps, gives {b} away and then buys {c} packs of {b + 1} stamps. How many stamps "
            f"does {who} have now? Answer with one number.", lambda t: final_number(t) == a - b + c * (b + 1))


def chain(rng):
    n = [rng.randint(2, 40) for _ in range(4)]
    return (f"What is {n[0]} + {n[1]} - {n[2]} + {n[3]}? Answer with one number.",
            lambda t: final_number(t) == n[0] + n[1] - n[2] + n[3])


def final_number(text):
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
    return float(found[-1].replace(",", "")) if found else None


FAMILIES = [bullets, sums, include, record, count, chain, lower, avoid, ending, upper]


def ask(args, mode, question):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    command = [args.duet, "-M", args.model, "--mode", mode, "--seed", str(args.seed), "--json", "--no-save",
               "--threads", str(args.threads), "--max-tokens", str(args.max_tokens), "-p", question]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    events = [json.loads(line) for line in run.stdout.splitlines()]
    done = next(e for e in events if e["type"] == "done")
    usage = next(e for e in events if e["type"] == "usage")
    why = next((e["why"] for e in events if e["type"] == "chosen"), "")
    tokens = usage["answer_tokens"] + usage["thinking_tokens"] + usage["losing_tokens"]
    return {"answer": done["answer"].strip(), "tokens": tokens, "why": why,
            "seconds": time.monotonic() - start, "cpu": after.ru_utime - before.ru_utime}


def mcnemar(b, c):
    """Exact, two-sided."""
    tail = sum(math.comb(b + c, i) for i in range(min(b, c) + 1))
    return min(1.0, 2 * tail / 2 ** (b + c))


def report(modes, results):
    n = len(results)
    print(f"\n{n} questions\n{'mode':10} {'right':>6} {'points':>7} {'tokens':>8} {'seconds':>8} {'CPU s':>8}")
    for m in modes:
        rows = [r[m] for r in results]
        right = sum(r["right"] for r in rows)
        print(f"{m:10} {right:6} {100 * right / n:7.1f} {sum(r['tokens'] for r in rows):8} "
              f"{sum(r['seconds'] for r in rows):8.0f} {sum(r['cpu'] for r in rows):8.0f}")
    first, last = modes[0], modes[-1]
    b = sum(r[last]["right"] and not r[first]["right"] for r in results)
    c = sum(r[first]["right"] and not r[last]["right"] for r in results)
    print(f"only {last}: {b}, only {first}: {c}, p = {mcnemar(b, c):.4f}")
    for family in FAMILIES:
        rows = [r for r in results if r["family"] == family.__name__]
        print(f"  {family.__name__:10} {len(rows):3}  " +
              "  ".join(f"{m} {sum(r[m]['right'] for r in rows)}" for m in modes))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model")
    p.add_argument("--duet", default=os.path.join(TOP, "build", "duet"))
    p.add_argument("--n", type=int, default=100)
    p.add_argument("--items", type=int, default=1, help="seed of the questions")
    p.add_argument("--seed", type=int, default=1, help="seed of the answers")
    p.add_argument("--modes", default="flash,pro-max")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--max-tokens", type=int, default=200)
    p.add_argument("--wrong", action="store_true", help="print answers that are wrong")
    p.add_argument("--until", type=float, default=0, help="stop after so many seconds, 0 = never")
    args = p.parse_args()
    rng, modes, results, start = random.Random(args.items), args.modes.split(","), [], time.monotonic()
    for i in range(args.n):
        if args.until and time.monotonic() - start > args.until:
            break
        family = FAMILIES[i % len(FAMILIES)]
        question, right = family(rng)
        result = {"family": family.__name__}
        for m in modes:
            r = result[m] = ask(args, m, question)
            r["right"] = bool(right(r["answer"]))
            print(f"{i:3} {m:8} {'right' if r['right'] else 'wrong'} {r['tokens']:5} tok {r['seconds']:6.1f} s"
                  f"  {question[:60]}  {r['why']}", flush=True)
            if args.wrong and not r["right"]:
                print("    " + r["answer"].replace("\n", "\n    "), flush=True)
        results.append(result)
    if not results:
        sys.exit("no question was asked")
    report(modes, results)


main()
