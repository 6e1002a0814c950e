#!/usr/bin/env python3
"""picture.py -- a screen with its colours (tmux capture-pane -e -p) as an SVG of a few kB.

    tmux capture-pane -e -p | tests/picture.py [--light] > picture.svg

The sixteen colours are those of a common palette, 256 as xterm has them. One <text> a row, one
<tspan> for each run of a style; every run is as long as its cells.
"""
import re
import sys
import unicodedata
from xml.sax.saxutils import escape

CELL_W, CELL_H, PAD = 8.4, 18, 12
DARK = ("#1e1e2a", "#d8d8d8", [
    "#000000", "#cd3131", "#0dbc79", "#c5b000", "#3b78ff", "#bc3fbc", "#11a8cd", "#e5e5e5",
    "#808080", "#f14c4c", "#23d18b", "#f5e543", "#5c9dff", "#d670d6", "#29c8eb", "#ffffff"])
LIGHT = ("#fdfdfa", "#303030", [
    "#000000", "#b01020", "#107c10", "#8a6a00", "#0451a5", "#a020a0", "#0a7a94", "#c8c8c8",
    "#6a6a6a", "#cd3131", "#14a314", "#a88500", "#0066cc", "#bc05bc", "#0598bc", "#f0f0f0"])


def color(n, palette):
    if n < 16:
        return palette[n]
    if n >= 232:
        return "#%02x%02x%02x" % ((8 + 10 * (n - 232),) * 3)
    n -= 16
    return "#%02x%02x%02x" % tuple(0 if v == 0 else 55 + 40 * v
                                   for v in (n // 36, n // 6 % 6, n % 6))


def cells(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF"
               else 1 for c in text)


def apply(style, codes):
    """A copy of the style as these SGR numbers change it."""
    style = dict(style)
    codes = [int(c or 0) for c in codes.split(";")]
    while codes:
        c = codes.pop(0)
        if c == 0:
            style = {}
        elif c in (38, 48) and codes[:1] == [5]:
            style["fg" if c == 38 else "bg"] = codes[1]
            codes = codes[2:]
        elif 30 <= c <= 37 or 90 <= c <= 97:
            style["fg"] = c - 30 if c < 90 else c - 82
        elif 40 <= c <= 47 or 100 <= c <= 107:
            style["bg"] = c - 40 if c < 100 else c - 92
        elif c in (39, 49):
            style.pop("fg" if c == 39 else "bg", None)
        else:
            style[c] = True
    return style


def runs(line, style):
    out = []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            style = apply(style, part[2:-1])
        elif part:
            out.append((re.sub(r"\x1b.", "", part), style))
    return out, style


def draw(lines, theme):
    ground, text, palette = theme
    body, style, widest = [], {}, 0
    for row, line in enumerate(lines):
        parts, style = runs(line, style)
        y, col, spans = PAD + row * CELL_H, 0, []
        for chars, s in parts:
            n = cells(chars)
            fg = color(s["fg"], palette) if "fg" in s else text
            bg = color(s["bg"], palette) if "bg" in s else None
            if 7 in s:
                fg, bg = bg or ground, fg
            if bg:
                body.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>' %
                            (PAD + col * CELL_W, y, n * CELL_W, CELL_H, bg))
            if chars.strip():
                looks = "".join((' fill="%s"' % fg if fg != text else "",
                                 ' font-weight="bold"' if 1 in s else "",
                                 ' opacity=".65"' if 2 in s else "",
                                 ' font-style="italic"' if 3 in s else "",
                                 ' text-decoration="underline"' if 4 in s else ""))
                lead = len(chars) - len(chars.lstrip())
                shown = chars.strip()
                spans.append('<tspan x="%.1f" textLength="%.1f"%s>%s</tspan>' %
                             (PAD + (col + lead) * CELL_W, cells(shown) * CELL_W, looks,
                              escape(shown)))
            col += n
        widest = max(widest, col)
        if spans:
            body.append('<text y="%d">%s</text>' % (y + 13, "".join(spans)))
    width, height = 2 * PAD + widest * CELL_W, 2 * PAD + len(lines) * CELL_H
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
            'font-family="monospace" font-size="14" fill="%s" xml:space="preserve">\n'
            '<rect width="100%%" height="100%%" rx="6" fill="%s"/>\n%s\n</svg>\n'
            % (width, height, text, ground, "\n".join(body)))


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    sys.stdout.write(draw(lines, LIGHT if "--light" in sys.argv else DARK))


if __name__ == "__main__":
    main()
