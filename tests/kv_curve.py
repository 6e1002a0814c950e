#!/usr/bin/env python3
"""kv_curve.py -- lines of `duet kv --json` as a picture, or as a table for the README.

    build/duet kv MODEL --length 4096 --rows 64,256,1024 --json > lines
    tests/kv_curve.py --light lines > curve.svg      # or --dark
    tests/kv_curve.py --table lines

Across: what of the cache is read for a token, as a share of f16. Upwards: mean KL divergence from
f16, less is better. The index of the flash tier has a line a text, a point for each number of
rows; q4 and q8 are a point a text. One panel a model and length: NAME=FILE names it."""
import json, math, sys

COLOURS = {
    "--light": {"ground": "#ffffff", "ink": "#1f2328", "faint": "#d0d7de",
                "prose": "#0969da", "code": "#bc4c00", "copy": "#1a7f37",
                "needle": "#8250df", "keys": "#9a6700"},
    "--dark": {"ground": "#0d1117", "ink": "#e6edf3", "faint": "#30363d",
               "prose": "#58a6ff", "code": "#f0883e", "copy": "#3fb950",
               "needle": "#bc8cff", "keys": "#d29922"},
}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 380, 330, 52, 34, 14, 44
X_MIN, X_MAX, Y_MIN, Y_MAX = 2.0, 110.0, 3e-4, 1.0
TEXTS = ("prose", "code", "copy")


def read(words):
    panels = []
    for word in words:
        name, _, path = word.rpartition("=")
        with open(path) as f:
            rows = [json.loads(line) for line in f if line.strip()]
        for length in sorted({r["length"] for r in rows}):
            title = f"{name + ', ' if name else ''}{length:,} tokens"
            panels.append((title, [r for r in rows if r["length"] == length]))
    return panels


def spot(row):
    x = math.log(row["read_pct"] / X_MIN) / math.log(X_MAX / X_MIN)
    y = math.log(min(max(row["kld"], Y_MIN), Y_MAX) / Y_MIN) / math.log(Y_MAX / Y_MIN)
    return (round(LEFT + x * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM), 1))


def text(x, y, words, fill, anchor="start", size=12, more=""):
    return (f'<text x="{x}" y="{y}" fill="{fill}" text-anchor="{anchor}" font-size="{size}"{more}>'
            f"{words}</text>")


def axes(title, c):
    out = [text(LEFT, 20, title, c["ink"], size=13, more=' font-weight="bold"')]
    for share in (2, 5, 10, 20, 50, 100):
        x, bottom = spot({"read_pct": share, "kld": Y_MIN})
        out.append(f'<path d="M{x} {TOP}V{bottom}" stroke="{c["faint"]}"/>')
        out.append(text(x, bottom + 16, share, c["ink"], "middle"))
    for kld in (0.001, 0.01, 0.1, 1):
        left, y = spot({"read_pct": X_MIN, "kld": kld})
        out.append(f'<path d="M{left} {y}H{WIDTH - RIGHT}" stroke="{c["faint"]}"/>')
        out.append(text(left - 6, y + 4, f"{kld:g}", c["ink"], "end"))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "read for a token, % of f16", c["ink"],
                    "middle"))
    out.append(text(14, (TOP + HEIGHT - BOTTOM) / 2, "KL divergence from f16", c["ink"], "middle",
                    more=f' transform="rotate(-90 14 {(TOP + HEIGHT - BOTTOM) / 2})"'))
    return out


def mark(row, colour, c):
    x, y = spot(row)
    if row["tier"] == "flash":
        return f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>'
    return (f'<rect x="{x - 3.5}" y="{y - 3.5}" width="7" height="7" fill="{c["ground"]}" '
            f'stroke="{colour}" stroke-width="1.5"/>')


def memory(rows, tier):
    shares = [r["share_pct"] for r in rows if r["tier"] == tier and r["text"] in TEXTS]
    return sum(shares) / len(shares) if shares else 0


def panel(title, rows, c):
    out = axes(title, c)
    for i, name in enumerate(TEXTS):
        mine = [r for r in rows if r["text"] == name and r["tier"] != "f16"]
        index = sorted((r for r in mine if r["tier"] == "flash"), key=lambda r: r["read_pct"])
        path = " ".join(f"{x},{y}" for x, y in map(spot, index))
        out.append(f'<polyline points="{path}" fill="none" stroke="{c[name]}" stroke-width="1.5"/>')
        out += [mark(r, c[name], c) for r in mine]
        out.append(text(WIDTH - RIGHT - 6, TOP + 16 + 16 * i, name, c[name], "end"))
    out.append(text(LEFT + 8, HEIGHT - BOTTOM - 10,
                    f"index: {memory(rows, 'flash'):.1f} % in memory", c["ink"]))
    for tier in ("q4", "q8"):
        mine = [r for r in rows if r["tier"] == tier and r["text"] in TEXTS]
        if mine:
            x, y = spot(max(mine, key=lambda r: r["kld"]))
            out.append(text(x, y - 10, f"{tier}: {memory(rows, tier):.0f} %", c["ink"], "middle"))
    return out


def picture(panels, c):
    across = 2 if len(panels) > 1 else 1
    down = (len(panels) + across - 1) // across
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * across}" '
          f'height="{HEIGHT * down}" font-family="sans-serif">')
    print(f'<rect width="100%" height="100%" rx="6" fill="{c["ground"]}"/>')
    for i, (title, rows) in enumerate(panels):
        print(f'<g transform="translate({i % across * WIDTH} {i // across * HEIGHT})">')
        print("\n".join(panel(title, rows, c)))
        print("</g>")
    print("</svg>")


def table(panels):
    print("| | tier | rows | in memory | read | " +
          " | ".join(f"{t} ppl ×, KLD, top-1" for t in TEXTS) + " | needles, keys found (f16) |")
    print("|---|---|---|---|---|" + "---|" * (len(TEXTS) + 1))
    for title, rows in panels:
        ways = dict.fromkeys((r["tier"], r["rows_asked"]) for r in rows if r["tier"] != "f16")
        for way in ways:
            mine = {r["text"]: r for r in rows if (r["tier"], r["rows_asked"]) == way}
            some = [r for r in mine.values() if r["text"] in TEXTS] or list(mine.values())
            of = lambda name: sum(r[name] for r in some) / len(some)
            cells = [f"{r['ppl_ratio']:.3f}, {r['kld']:.4f}, {r['top1']:.3f}" if r else ""
                     for r in (mine.get(t) for t in TEXTS)]
            found = [f"{round(r['recall'] * r['asked'])} ({round(r['recall_f16'] * r['asked'])}) "
                     f"of {r['asked']}" for r in (mine.get("needle"), mine.get("keys")) if r]
            tier, asked = way
            print(f"| {title} | {tier} | {asked or ('by share' if tier == 'flash' else '')} | "
                  f"{of('share_pct'):.1f} % | {of('read_pct'):.1f} % | " + " | ".join(cells) +
                  f" | {', '.join(found)} |")


if len(sys.argv) < 3 or sys.argv[1] not in ("--table", *COLOURS):
    sys.exit(__doc__)
if sys.argv[1] == "--table":
    table(read(sys.argv[2:]))
else:
    picture(read(sys.argv[2:]), COLOURS[sys.argv[1]])
