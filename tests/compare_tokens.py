#!/usr/bin/env python3
"""Compares token ids with llama.cpp's on 10,000 lines of mixed text.

    tests/compare_tokens.py MODEL...          compare, with the package llama-cpp-python
    tests/compare_tokens.py --freeze MODEL... and write the hashes to tests/golden/tokens.json

The lines come from a fixed seed: prose, code, 24 scripts, emoji, numbers, markup, spaces of all
kinds, control characters. build/probe (BUILD=folder) makes our ids. tests/tokens_test.py compares
our ids with the frozen hashes and needs no package.

Left out of the lines on purpose: the spelling of control tokens and of user-defined ones of
byte-level vocabularies, which llama.cpp takes from any text and we do not; and U+2581, which
SentencePiece confuses with the space and we do not.
"""
import hashlib
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FROZEN = os.path.join(TOP, "tests", "golden", "tokens.json")
N_LINES = 10000

PROSE = """The lamp at the end of the pier had gone out again, and nobody on the island could say
why. "It's the salt," said Mrs. O'Connor; "we've told you'd better clean it." They'll come, I'm
sure, by the 3rd of May -- or they won't. In 1999 the ferry carried 12,345 people (about 7.5%),
mostly on Sundays! Don't ask: who's counting? THE SHIP'S LOG READS: "WE'RE LATE". A naive cafe owner
sent her resume... co-operation, mother-in-law, state-of-the-art; e.g. this, i.e. that, etc.
Antidisestablishmentarianism and pneumonoultramicroscopicsilicovolcanoconiosis are long words."""

CODE = r"""int main(void) { return 0; }
for (size_t i = 0; i < n; i++) { sum += a[i] * b[i]; }
    if (x != NULL && x->next == y) goto out;
#define MAX(a, b) ((a) > (b) ? (a) : (b))
def f(self, *args, **kwargs) -> dict[str, int]:
        return {k: v for k, v in zip(a, b) if v is not None}
SELECT id, COUNT(*) FROM users WHERE name LIKE '%foo_bar%' GROUP BY id HAVING COUNT(*) >= 10;
const f = async (x) => { await fetch(`https://example.com/?q=${x}&n=1`); };
<div class="row"><a href="#top">&nbsp;top</a><br/></div>
	printf("%d\t%s\n", n, s);
let v: Vec<u8> = vec![0x1f, 0b1010, 0o17, 1_000_000, 1e-9, 3.14f32];
{"key": [1, 2.5, null, true], "other": {"a": "\u00e9\n"}}
$ grep -rn 'TODO|FIXME' src/ | awk '{print $1}' | sort -u > /tmp/out.txt 2>&1
\frac{1}{2} \sum_{i=0}^{n} x_i^2 \leq \int_0^\infty e^{-t}\,dt
camelCaseName snake_case_name SCREAMING_CASE kebab-case-name __init__ $HOME @decorator
!@#$%^&*()_+-=[]{}|;':",./<>?~` ...--->>> ==> != <= >= && || :: -> <- /* */ //"""

SCRIPTS = """Les élèves naïfs çà et là œuvrent à Noël
Größe, Straße, Äpfel, Öl und Übermut
Zażółć gęślą jaźń, źdźbło trawy
Příliš žluťoučký kůň úpěl ďábelské ódy
Şişli'de çağdaş İstanbul ığdır
Tiếng Việt có dấu: nghiêng ngả
Съешь же ещё этих мягких французских булок
Є ґанок, їжак і щур
Η γρήγορη αλεπού πηδά πάνω
Բարեւ աշխարհ, ինչպես ես
გამარჯობა მსოფლიო
שָׁלוֹם עוֹלָם ועוד מילים
مرحبا بالعالم، كيف الحال؟ ١٢٣
سلام دنیا، چطوری؟ ۱۲۳
नमस्ते दुनिया, आप कैसे हैं? १२३
বাংলা ভাষায় লেখা ১২৩
ਪੰਜਾਬੀ ਵਿੱਚ ਲਿਖਤ
தமிழ் மொழியில் எழுத்து
తెలుగు లిపిలో రాత
ಕನ್ನಡ ಭಾಷೆ
മലയാളം എഴുത്ത്
සිංහල අකුරු
ภาษาไทยไม่มีวรรคระหว่างคำ
ພາສາລາວ
မြန်မာဘာသာစကား
ភាសាខ្មែរ
བོད་སྐད་ཀྱི་ཡི་གེ
አማርኛ ፊደል ነው
ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ
今日はとても良い天気ですね。カタカナ、ひらがな
中文文本，没有空格。繁體字也有！
한국어 문장은 띄어쓰기가 있다. ㅋㅋㅋ
Монгол хэл ᠮᠣᠩᠭᠣᠯ
ꯃꯤꯇꯩ ꯂꯣꯟ"""

EMOJI = ["😀", "🎉", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "❤️", "☃", "🧑🏿‍🚀", "🫠", "✅", "→", "∑", "½", "²", "①", "Ⅷ",
         "𝔘𝔫𝔦", "ﬁ", "Å", "é", "ẛ̣", "『』", "…", "—", "“”", "‘’", "€", "£", "№", "™", "\ufffd", "\u00ad", "🂡"]

SPACES = [" ", "  ", "   ", "    ", "        ", "\n", "\n\n", "\n\n\n", "\r\n", "\r", "\t", "\t\t", " \n",
          "\n ", " \t ", "\u00a0", "\u3000", "\u2003", "\u200b", "\u2028", "\u0085", "\u202f", "\ufeff", "\v", "\f"]

HTML = ["<table>", "</td>", "<b>", "</b>", "<h1>", "<code>", "</div>", "<li>", "<img>", "<a>", "<br>", "<html>"]

CONTROL = [chr(c) for c in range(1, 32)] + ["\x7f", "\x80", "\x9f", "\u200d", "\u202e", "\ue000", "\U000e0041"]


class Random:
    """SplitMix64: the same everywhere."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & (2**64 - 1)
        return (z ^ z >> 31) % n

    def of(self, items):
        return items[self.below(len(items))]


def words(r, text, most):
    parts = text.split(" ")
    at = r.below(len(parts))
    return " ".join(parts[at:at + 1 + r.below(most)])


def number(r):
    digits = "".join(r.of("0123456789") for _ in range(1 + r.below(12)))
    return r.of([digits, digits[:2] + "." + digits, "-" + digits, "0x" + digits, digits + "%", "v1." + digits])


def any_characters(r):
    """From anywhere in the first planes, without surrogates, U+2581 and the zero byte."""
    out = ""
    while len(out) < 1 + r.below(6):
        c = r.of([r.below(0x80), r.below(0x3000), r.below(0x10000), r.below(0x1FB00)])
        out += chr(c) if c != 0 and c != 0x2581 and not 0xD800 <= c < 0xE000 else "."
    return out


def part(r):
    kind = r.below(14)
    if kind < 3:
        return words(r, PROSE.replace("\n", " "), 12)
    if kind < 5:
        return r.of(CODE.split("\n"))
    if kind < 7:
        return words(r, r.of(SCRIPTS.split("\n")), 6)
    return [lambda: r.of(SCRIPTS.split("\n")), lambda: "".join(r.of(EMOJI) for _ in range(1 + r.below(3))),
            lambda: number(r), lambda: "".join(r.of(SPACES) for _ in range(1 + r.below(4))),
            lambda: r.of(HTML) + r.of(["", "x", " "]) + r.of(HTML), lambda: r.of(CONTROL),
            lambda: any_characters(r)][kind - 7]()


def lines():
    r = Random(5)
    return ["".join(part(r) + r.of(["", " ", " ", "\n", "  "]) for _ in range(1 + r.below(6)))
            for _ in range(N_LINES)]


def our_ids(model, texts):
    probe = os.path.join(TOP, os.environ.get("BUILD", "build"), "probe")
    data = b"".join(t.encode() + b"\0" for t in texts)
    out = subprocess.run([probe, model, "--tokenize"], input=data, stdout=subprocess.PIPE, check=True)
    return json.loads(out.stdout)


def hash_of(ids):
    return hashlib.sha256(json.dumps(ids, separators=(",", ":")).encode()).hexdigest()


def their_ids(model, texts):
    import llama_cpp
    vocabulary = llama_cpp.Llama(model, vocab_only=True, verbose=False)
    return [vocabulary.tokenize(t.encode(), add_bos=False, special=False) for t in texts]


def compare(model, texts):
    ours, theirs = our_ids(model, texts), their_ids(model, texts)
    differ = [i for i in range(len(texts)) if ours[i] != theirs[i]]
    for i in differ[:10]:
        print(f"  {texts[i]!r}\n    ours   {ours[i]}\n    theirs {theirs[i]}")
    print(f"{os.path.basename(model)}: {len(texts) - len(differ)} of {len(texts)} lines equal, "
          f"{sum(map(len, ours))} ids, sha256 {hash_of(ours)}")
    return not differ, hash_of(ours)


def main(args):
    freeze = args[:1] == ["--freeze"]
    models = args[freeze:]
    if not models:
        sys.exit(__doc__)
    texts, good = lines(), True
    frozen = json.load(open(FROZEN)) if os.path.exists(FROZEN) else {}
    for model in models:
        equal, digest = compare(model, texts)
        good &= equal
        if equal:
            frozen[os.path.basename(model)] = digest
    if freeze and good:
        with open(FROZEN, "w") as f:
            json.dump(frozen, f, indent=1, sort_keys=True)
            f.write("\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
