/* code.c -- see code.h.
 *
 * What a language is stands in its row: comments to the end of a line, spans with a begin and an
 * end (strings, block comments, tags), words, and a few habits. State is 0, or the number of the
 * span that is open plus one; a raw string of Rust adds the number of its signs. */
#include "ui/code.h"

#include <string.h>

enum { N_SPANS = 6, N_LINES = 3, STATE_SPAN = 15, STATE_COUNT_SHIFT = 4, RAW_SIGNS_MAX = 255,
       ESCAPE_BYTES_MAX = 16 };

enum habit {
    ANY_CASE = 1,      /* words in any case */
    DIRECTIVES = 2,    /* "#word" at the start of a line */
    KEYS_COLON = 4,    /* a word or string before ":" names a field */
    KEYS_EQUAL = 8,    /* a word before "=" names a field */
    DOLLARS = 16,      /* $name */
    TICKS = 32,        /* 'a' is a character, 'a alone is not */
    DASHES = 64,       /* words may hold "-" */
    AT_WORDS = 128,    /* @word belongs to the language */
    LINES = 256,       /* a whole line has one colour, by what it begins with */
    HASHES = 512,      /* r#"raw strings"# */
    BLANK_BEFORE = 1024, /* a comment sign counts only at the start of a word */
    CAPITALS = 2048,   /* capitalised words are types */
};

struct span {
    const char *open, *close;
    enum style style;
    bool escapes; /* a backslash takes the next sign */
    bool lines;   /* may go on in the next line */
};

struct code_lang {
    const char *names; /* the first one is shown */
    const char *comment[N_LINES];
    struct span span[N_SPANS];
    const char *words, *types, *constants; /* separated by blanks */
    unsigned habits;
};

#define STRINGS {"\"", "\"", STYLE_STRING, true, false}, {"'", "'", STYLE_STRING, true, false}
#define C_COMMENT {"/*", "*/", STYLE_COMMENT, false, true}
#define C_WORDS "auto break case const continue default do else enum extern for goto if inline " \
    "register restrict return sizeof static struct switch typedef union volatile while _Atomic " \
    "_Static_assert _Thread_local "
#define C_TYPES "bool char double float int long short signed unsigned void size_t ssize_t " \
    "ptrdiff_t intptr_t uintptr_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t " \
    "uint64_t FILE "

static const struct code_lang languages[] = {
    {"", {"//", "#", "--"}, {STRINGS, {"`", "`", STYLE_STRING, true, false}, C_COMMENT}, "", "",
     "true false null", BLANK_BEFORE},
    {"text txt plain plaintext console output log", {0}, {{0}}, "", "", "", 0},
    {"c h", {"//"}, {STRINGS, C_COMMENT}, C_WORDS, C_TYPES, "NULL true false", DIRECTIVES},
    {"c++ cpp cc cxx hpp cuda cu arduino objective-c objc", {"//"},
     {{"R\"(", ")\"", STYLE_STRING, false, true}, STRINGS, C_COMMENT},
     C_WORDS "alignas alignof and asm catch class concept consteval constexpr constinit co_await "
     "co_return co_yield decltype delete dynamic_cast explicit export friend import module "
     "mutable namespace new noexcept not operator or private protected public reinterpret_cast "
     "requires static_assert static_cast template this throw try typeid typename using virtual",
     C_TYPES "string vector map set pair wchar_t char8_t char16_t char32_t",
     "NULL nullptr true false", DIRECTIVES},
    {"python py python3 ipython", {"#"},
     {{"\"\"\"", "\"\"\"", STYLE_STRING, true, true}, {"'''", "'''", STYLE_STRING, true, true},
      STRINGS},
     "and as assert async await break case class continue def del elif else except finally for "
     "from global if import in is lambda match nonlocal not or pass raise return try while with "
     "yield", "bool bytes complex dict float frozenset int list object set str tuple type",
     "None True False self cls", AT_WORDS},
    {"sh bash shell zsh ksh fish dockerfile docker", {"#"},
     {{"\"", "\"", STYLE_STRING, true, true}, {"'", "'", STYLE_STRING, false, true}},
     "case do done elif else esac exit export fi for function if in local readonly return set "
     "shift source then trap unset until while FROM RUN CMD COPY ADD ENV WORKDIR ENTRYPOINT "
     "EXPOSE ARG", "alias cat cd chmod cp echo grep kill ls mkdir mv printf read rm sed sudo test",
     "true false", DOLLARS | BLANK_BEFORE},
    {"js javascript jsx mjs node ts typescript tsx", {"//"},
     {STRINGS, {"`", "`", STYLE_STRING, true, true}, C_COMMENT},
     "abstract as async await break case catch class const continue debugger declare default "
     "delete do else enum export extends finally for from function get if implements import in "
     "infer instanceof interface is keyof let namespace new of package private protected public "
     "readonly return satisfies set static super switch this throw try type typeof var void "
     "while with yield", "any bigint boolean never number object string symbol unknown Array Map "
     "Promise Record Set", "true false null undefined NaN Infinity", AT_WORDS},
    {"json jsonc json5 jsonl", {"//"}, {STRINGS, C_COMMENT}, "", "", "true false null",
     KEYS_COLON},
    {"go golang", {"//"}, {STRINGS, {"`", "`", STYLE_STRING, false, true}, C_COMMENT},
     "break case chan const continue default defer else fallthrough for func go goto if import "
     "interface map package range return select struct switch type var",
     "any bool byte complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune "
     "string uint uint8 uint16 uint32 uint64 uintptr", "true false nil iota", 0},
    {"rust rs", {"//"}, {{"\"", "\"", STYLE_STRING, true, true}, C_COMMENT},
     "as async await break const continue crate dyn else enum extern fn for if impl in let loop "
     "match mod move mut pub ref return static struct super trait type union unsafe use where "
     "while", "bool char f32 f64 i8 i16 i32 i64 i128 isize str u8 u16 u32 u64 u128 usize String "
     "Vec Option Result Box Self", "true false self None Some Ok Err", TICKS | HASHES},
    {"java kotlin kt scala c# cs csharp swift dart", {"//"},
     {{"\"\"\"", "\"\"\"", STYLE_STRING, true, true}, STRINGS, C_COMMENT},
     "abstract as assert async await break case catch class const continue data def default "
     "defer do else enum export extends final finally for foreach fun func get guard if "
     "implements import in init inout instanceof interface internal is lateinit let lock match "
     "module namespace native new object open operator out override package params private "
     "protected public readonly record ref return sealed set static strictfp struct super switch "
     "synchronized this throw throws trait transient try using val var virtual volatile when "
     "where while with yield", "boolean bool byte char decimal double float int long short "
     "string void", "true false null nil self", AT_WORDS | CAPITALS},
    {"html xml svg xhtml vue markdown-html", {0},
     {{"<!--", "-->", STYLE_COMMENT, false, true}, {"</", ">", STYLE_KEYWORD, false, true},
      {"<", ">", STYLE_KEYWORD, false, true}, {"&", ";", STYLE_NUMBER, false, false}},
     "", "", "", 0},
    {"css scss less", {"//"}, {STRINGS, C_COMMENT}, "important", "", "", KEYS_COLON | DASHES |
     AT_WORDS},
    {"sql sqlite mysql postgresql postgres plsql", {"--"},
     {{"'", "'", STYLE_STRING, false, true}, {"\"", "\"", STYLE_STRING, false, false}, C_COMMENT},
     "add all alter and as asc begin between by cascade case check column commit constraint "
     "create cross database default delete desc distinct drop else end except exists explain "
     "foreign from full grant group having if in index inner insert intersect into is join key "
     "left like limit not offset on or order outer over partition primary references replace "
     "returning right rollback select set table then transaction trigger truncate union unique "
     "update using values view when where with", "bigint blob boolean char date datetime decimal "
     "double float int integer json numeric real serial smallint text time timestamp uuid "
     "varchar", "true false null", ANY_CASE},
    {"make makefile mk cmake", {"#"}, {STRINGS, {"$(", ")", STYLE_STRING, false, false}},
     "define else endef endif export ifdef ifeq ifndef ifneq include override undefine unexport "
     "vpath if elseif foreach function set project", "", "", DOLLARS | KEYS_COLON | KEYS_EQUAL |
     DASHES},
    {"yaml yml", {"#"}, {STRINGS}, "", "", "true false null yes no on off", KEYS_COLON | DASHES |
     BLANK_BEFORE},
    {"toml ini conf cfg properties", {"#", ";"},
     {{"\"\"\"", "\"\"\"", STYLE_STRING, true, true}, {"'''", "'''", STYLE_STRING, false, true},
      STRINGS, {"[", "]", STYLE_KEYWORD, false, false}}, "", "", "true false", KEYS_EQUAL |
     DASHES | BLANK_BEFORE},
    {"diff patch", {0}, {{0}}, "", "", "", LINES},
    {"lua", {"--"},
     {{"--[[", "]]", STYLE_COMMENT, false, true}, {"[[", "]]", STYLE_STRING, false, true},
      STRINGS},
     "and break do else elseif end for function goto if in local not or repeat return then until "
     "while", "", "true false nil self", 0},
    {"ruby rb perl pl elixir crystal", {"#"}, {{"=begin", "=end", STYLE_COMMENT, false, true},
     STRINGS},
     "alias and begin break case class def do else elsif end ensure extend for foreach if "
     "include in last local lambda module my next not or our package private proc protected "
     "public raise redo require rescue retry return sub super then undef unless until use when "
     "while yield", "Array Hash Integer String Symbol", "true false nil self", DOLLARS | AT_WORDS},
    {"php", {"//", "#"}, {STRINGS, C_COMMENT, {"<?php", " ", STYLE_KEYWORD, false, false},
     {"?>", " ", STYLE_KEYWORD, false, false}},
     "abstract and array as break case catch class clone const continue declare default do echo "
     "else elseif empty enum extends final finally fn for foreach function global if implements "
     "include instanceof interface isset list match namespace new or print private protected "
     "public readonly require require_once return static switch throw trait try unset use var "
     "while yield", "bool float int iterable mixed object string void", "true false null TRUE "
     "FALSE NULL self parent", DOLLARS},
};

enum { N_LANGUAGES = (int)(sizeof languages / sizeof languages[0]) };

/* ---- words -------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same(const char *a, const char *b, size_t n, bool any_case)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && !(any_case && lower(a[i]) == lower(b[i])))
            return false;
    return true;
}

/* Is the word one of those that blanks separate in `list`? */
static bool listed(const char *list, const char *word, size_t bytes, bool any_case)
{
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        if (n == bytes && n && same(at, word, n, any_case))
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

const struct code_lang *code_lang(const char *name, size_t bytes)
{
    for (int i = 1; i < N_LANGUAGES; i++)
        if (listed(languages[i].names, name, bytes, true))
            return &languages[i];
    return &languages[0];
}

const char *code_lang_name(const struct code_lang *l)
{
    static char name[16];
    size_t n = strcspn(l->names, " ");
    memcpy(name, l->names, n < sizeof name ? n : sizeof name - 1);
    name[n < sizeof name ? n : sizeof name - 1] = 0;
    return name;
}

const struct code_lang *code_lang_at(int i)
{
    return i >= 0 && i < N_LANGUAGES ? &languages[i] : NULL;
}

/* ---- what stands at a place --------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The line from `at` on. */
struct rest {
    const char *s;
    size_t bytes;
};

static struct rest rest_of(const struct code_line *c, size_t at)
{
    return (struct rest){c->line + at, c->bytes - at};
}

static bool begins(struct rest r, const char *with)
{
    size_t n = strlen(with);
    return n && r.bytes >= n && memcmp(r.s, with, n) == 0;
}

static size_t word_bytes(const struct code_line *c, size_t at)
{
    bool dashes = c->lang->habits & DASHES;
    size_t n = at;
    while (n < c->bytes && (is_letter(c->line[n]) || is_digit(c->line[n]) ||
                            (dashes && c->line[n] == '-')))
        n++;
    return n - at;
}

/* Digits with what may stand among them: 0x1F, 1_000, 1.5e-3, 10px. */
static size_t number_bytes(struct rest r)
{
    size_t n = 1;
    while (n < r.bytes) {
        char c = r.s[n], before = r.s[n - 1];
        bool sign = (c == '-' || c == '+') && (before == 'e' || before == 'E') &&
                    !(r.bytes > 1 && (r.s[1] == 'x' || r.s[1] == 'X'));
        bool point = c == '.' && n + 1 < r.bytes && is_digit(r.s[n + 1]);
        if (!is_digit(c) && !(is_letter(c) && (unsigned char)c < 0x80) && !sign && !point)
            break;
        n++;
    }
    return n;
}

/* Bytes up to and with the end of the span, or *closed = false and the whole rest. */
static size_t span_bytes(const struct span *s, struct rest r, size_t at, bool *closed)
{
    size_t n = strlen(s->close);
    *closed = true;
    while (at < r.bytes) {
        if (s->escapes && r.s[at] == '\\' && at + 1 < r.bytes) {
            at += 2;
            continue;
        }
        if (r.bytes - at >= n && memcmp(r.s + at, s->close, n) == 0)
            return at + n;
        at++;
    }
    *closed = false;
    return r.bytes;
}

/* A raw string goes on: its end is a quote and as many signs as it began with. */
static size_t raw_bytes(struct rest r, unsigned signs, bool *closed)
{
    for (size_t at = 0; at < r.bytes; at++) {
        if (r.s[at] != '"')
            continue;
        size_t n = 0;
        while (n < signs && at + 1 + n < r.bytes && r.s[at + 1 + n] == '#')
            n++;
        *closed = n == signs;
        if (*closed)
            return at + 1 + n;
    }
    *closed = false;
    return r.bytes;
}

/* 'x' or '\...' : a character; 0 = a tick of another kind. */
static size_t tick_bytes(struct rest r)
{
    size_t at = 1;
    if (at < r.bytes && r.s[at] == '\\') {
        for (at += 2; at < r.bytes && at < ESCAPE_BYTES_MAX; at++)
            if (r.s[at] == '\'')
                return at + 1;
        return 0;
    }
    for (at++; at < r.bytes && ((unsigned char)r.s[at] & 0xC0) == 0x80;)
        at++;
    return at < r.bytes && r.s[at] == '\'' ? at + 1 : 0;
}

/* ---- pieces ------------------------------------------------------------------------------- */

struct piece {
    size_t bytes; /* 0 = not one of these */
    enum style style;
};

static struct piece line_piece(const struct code_line *c)
{
    enum style s = STYLE_BLOCK;
    struct rest r = rest_of(c, 0);
    if (begins(r, "@@") || begins(r, "diff ") || begins(r, "index ") || begins(r, "+++ ") ||
        begins(r, "--- "))
        s = STYLE_KEYWORD;
    else if (begins(r, "+") || begins(r, ">"))
        s = STYLE_ADDED;
    else if (begins(r, "-") || begins(r, "<"))
        s = STYLE_REMOVED;
    return (struct piece){c->bytes, s};
}

/* What an earlier line has left open. */
static struct piece open_piece(struct code_line *c)
{
    bool closed;
    struct rest r = rest_of(c, c->at);
    unsigned i = (c->state & STATE_SPAN) - 1, signs = c->state >> STATE_COUNT_SHIFT;
    struct piece p;
    if (i == N_SPANS)
        p = (struct piece){raw_bytes(r, signs, &closed), STYLE_STRING};
    else
        p = (struct piece){span_bytes(&c->lang->span[i], r, 0, &closed), c->lang->span[i].style};
    if (closed)
        c->state = 0;
    return p;
}

static struct piece comment_piece(const struct code_line *c)
{
    bool apart = !c->at || is_blank(c->line[c->at - 1]);
    for (int i = 0; i < N_LINES; i++) {
        const char *sign = c->lang->comment[i];
        if (sign && begins(rest_of(c, c->at), sign) &&
            (apart || !(c->lang->habits & BLANK_BEFORE)))
            return (struct piece){c->bytes - c->at, STYLE_COMMENT};
    }
    return (struct piece){0};
}

/* Does a sign that ends a name follow, blanks aside? */
static bool names_field(const struct code_line *c, size_t at)
{
    while (at < c->bytes && is_blank(c->line[at]))
        at++;
    if (at == c->bytes)
        return false;
    bool colon = c->line[at] == ':' && !begins(rest_of(c, at), "::");
    return (c->lang->habits & KEYS_COLON && colon) ||
           (c->lang->habits & KEYS_EQUAL && c->line[at] == '=');
}

static struct piece span_piece(struct code_line *c)
{
    struct rest r = rest_of(c, c->at);
    for (unsigned i = 0; i < N_SPANS && c->lang->span[i].open; i++) {
        const struct span *s = &c->lang->span[i];
        bool closed;
        if (!begins(r, s->open))
            continue;
        if (c->unclosed & 1u << i)
            return (struct piece){strlen(s->open), STYLE_BLOCK};
        size_t n = span_bytes(s, r, strlen(s->open), &closed);
        if (!closed && !s->lines) {
            c->unclosed |= 1u << i;
            return (struct piece){strlen(s->open), STYLE_BLOCK};
        }
        if (!closed)
            c->state = i + 1;
        bool field = s->style == STYLE_STRING && names_field(c, c->at + n);
        return (struct piece){n, field ? STYLE_TYPE : s->style};
    }
    return (struct piece){0};
}

/* r"..." and r#"..."#; b before it or not. */
static struct piece raw_piece(struct code_line *c)
{
    size_t at = c->at, signs = 0;
    bool closed;
    at += c->line[at] == 'b';
    if (at == c->bytes || c->line[at] != 'r')
        return (struct piece){0};
    for (at++; at < c->bytes && c->line[at] == '#' && signs < RAW_SIGNS_MAX; at++)
        signs++;
    if (at == c->bytes || c->line[at] != '"')
        return (struct piece){0};
    size_t n = raw_bytes(rest_of(c, at + 1), (unsigned)signs, &closed);
    if (!closed)
        c->state = (unsigned)signs << STATE_COUNT_SHIFT | (N_SPANS + 1);
    return (struct piece){at + 1 + n - c->at, STYLE_STRING};
}

static bool first_in_line(const struct code_line *c)
{
    for (size_t i = 0; i < c->at; i++)
        if (!is_blank(c->line[i]))
            return false;
    return true;
}

/* $name, @name, #name and 'c', as the language has them. */
static struct piece sign_piece(const struct code_line *c)
{
    unsigned habits = c->lang->habits;
    char sign = c->line[c->at];
    size_t n = word_bytes(c, c->at + 1);
    if (sign == '\'' && habits & TICKS) {
        n = tick_bytes(rest_of(c, c->at));
        return (struct piece){n ? n : 1, n ? STYLE_STRING : STYLE_BLOCK};
    }
    if (sign == '$' && habits & DOLLARS && n)
        return (struct piece){n + 1, STYLE_TYPE};
    if (sign == '@' && habits & AT_WORDS && n)
        return (struct piece){n + 1, STYLE_KEYWORD};
    if (sign == '#' && habits & DIRECTIVES && n && first_in_line(c))
        return (struct piece){n + 1, STYLE_KEYWORD};
    return (struct piece){0};
}

static struct piece word_piece(const struct code_line *c)
{
    const char *s = c->line + c->at;
    size_t n = word_bytes(c, c->at);
    bool any = c->lang->habits & ANY_CASE;
    struct piece p = {n, STYLE_BLOCK};
    if (!n || !is_letter(*s))
        p.bytes = 0;
    else if (names_field(c, c->at + n))
        p.style = STYLE_TYPE;
    else if (listed(c->lang->words, s, n, any))
        p.style = STYLE_KEYWORD;
    else if (listed(c->lang->types, s, n, any))
        p.style = STYLE_TYPE;
    else if (listed(c->lang->constants, s, n, any))
        p.style = STYLE_NUMBER;
    else if (c->lang->habits & CAPITALS && *s >= 'A' && *s <= 'Z')
        p.style = STYLE_TYPE;
    return p;
}

static struct piece next_piece(struct code_line *c)
{
    if (c->lang->habits & LINES)
        return line_piece(c);
    if (c->state)
        return open_piece(c);
    struct piece p = span_piece(c); /* before comments: --[[ of Lua */
    if (!p.bytes)
        p = comment_piece(c);
    if (!p.bytes && c->lang->habits & HASHES)
        p = raw_piece(c);
    if (!p.bytes)
        p = sign_piece(c);
    if (!p.bytes && is_digit(c->line[c->at]))
        p = (struct piece){number_bytes(rest_of(c, c->at)), STYLE_NUMBER};
    if (!p.bytes)
        p = word_piece(c);
    return p.bytes ? p : (struct piece){1, STYLE_BLOCK};
}

bool code_next(struct code_line *c, size_t *bytes, enum style *s)
{
    if (c->at >= c->bytes)
        return false;
    size_t start = c->at;
    struct piece p = next_piece(c);
    c->at += p.bytes;
    /* Signs in a row make one piece. */
    while (p.style == STYLE_BLOCK && c->at < c->bytes) {
        struct code_line ahead = *c;
        struct piece more = next_piece(&ahead);
        if (more.style != STYLE_BLOCK)
            break;
        c->unclosed = ahead.unclosed;
        c->at += more.bytes;
    }
    *bytes = c->at - start;
    *s = p.style;
    return true;
}
