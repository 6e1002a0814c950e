/* pretok.c -- see pretok.h. The patterns are those of the models' own tokenizer.json files, with
 * the letters' case in contractions written out. The only file that knows PCRE2. */
#include "engine/pretok.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "engine/utf8.h"

#define PASSES_MAX 6

/* ---- patterns ----------------------------------------------------------------------------- */

#define GPT2_WORDS \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"

#define CONTRACTIONS "'[sStTmMdD]|'[rR][eE]|'[vV][eE]|'[lL][lL]|"

/* Runs of whitespace: up to the last newline; all but the last character; the rest. */
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

#define LLAMA3_WORDS \
    CONTRACTIONS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES

#define QWEN2_WORDS \
    CONTRACTIONS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES

/* Words that begin with capitals and go on in small letters; letters without case are both. */
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define ENDING "(?:'[sStTmMdD]|'[rR][eE]|'[vV][eE]|'[lL][lL])?"
#define SIGNS " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|"

#define O200K_WORDS                                                                            \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" ENDING                                        \
    "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" ENDING "|\\p{N}{1,3}|" SIGNS SPACES

#define TEKKEN_WORDS                                                                           \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*"     \
    "|\\p{N}|" SIGNS SPACES

#define QWEN35_WORDS                                               \
    CONTRACTIONS "[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|"   \
                 " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES

#define DEEPSEEK3_WORDS                                                              \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                         \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES

/* Letters of the scripts that have case, as the first DeepSeek tokenizers list them. */
#define CASED                                                                              \
    "A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}"         \
    "\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}" \
    "\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}"          \
    "\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}"               \
    "\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}"         \
    "\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}"         \
    "\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}" \
    "\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}\\x{1fbe}" \
    "\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}"         \
    "\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}"          \
    "\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}"           \
    "\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}" \
    "\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}" \
    "\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}"          \
    "\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}"         \
    "\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}"       \
    "\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}" \
    "\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}"

/* As published: U+3000 is a sign here, and the wide spaces stand among the CJK letters below,
 * though they are spaces too; llama.cpp takes them for spaces alone. */
#define WIDE_PUNCTUATION \
    "!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}"

#define CJK "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"
#define HAN_KANA "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"

/* The published form is \s+$. From every space of a long run inside the text that looks to the
 * run's end in vain, which is quadratic; a match can only begin where the run begins. */
#define TRAILING_SPACES "(?<!\\s)\\s++\\z"

static const struct row {
    const char *name;                  /* tokenizer.ggml.pre */
    bool whole_pieces;
    bool adds_bos;
    const char *pattern[PASSES_MAX];
} rows[] = {
    {"default", false, false, {"[\\p{P}$+<=>^~|]+", GPT2_WORDS, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"gpt-2", false, false, {GPT2_WORDS}},
    {"llama-bpe", true, true, {LLAMA3_WORDS}},
    {"smollm", false, false, {"\\p{N}", GPT2_WORDS}},
    {"qwen2", false, false, {QWEN2_WORDS}},
    {"qwen35", false, false, {QWEN35_WORDS}},
    {"gpt-4o", false, false, {O200K_WORDS}},
    {"tekken", true, true, {TEKKEN_WORDS}},
    {"deepseek-llm", false, false,
     {"[\\r\\n]", "\\s?[" CASED "]+", "\\s?[" WIDE_PUNCTUATION "]+", TRAILING_SPACES, CJK,
      "\\p{N}+"}},
    {"deepseek-coder", false, false, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}"}},
    {"deepseek-v3", false, false, {"\\p{N}{1,3}", HAN_KANA, DEEPSEEK3_WORDS}},
    {"falcon", false, false, {"[\\p{P}$+<=>^~|`]+", GPT2_WORDS, "[0-9][0-9][0-9]"}},
    /* Other names of the same patterns. */
    {"joyai-llm", false, false, {"\\p{N}{1,3}", HAN_KANA, DEEPSEEK3_WORDS}},
    {"llama3", true, true, {LLAMA3_WORDS}},
    {"llama-v3", true, true, {LLAMA3_WORDS}},
    {"falcon3", true, true, {LLAMA3_WORDS}},
    {"dbrx", false, false, {LLAMA3_WORDS}},
    {"smaug-bpe", false, false, {LLAMA3_WORDS}},
    {"chatglm-bpe", false, false, {LLAMA3_WORDS}},
    {"glm4", false, false, {LLAMA3_WORDS}},
    {"llama4", false, false, {O200K_WORDS}},
    {"stablelm2", false, false, {QWEN2_WORDS}},
    {"deepseek-r1-qwen", false, false, {QWEN2_WORDS}},
    {"hunyuan", false, false, {QWEN2_WORDS}},
    {"starcoder", false, false, {"\\p{N}", GPT2_WORDS}},
    {"refact", false, false, {"\\p{N}", GPT2_WORDS}},
    {"command-r", false, false, {"\\p{N}", GPT2_WORDS}},
    {"codeshell", false, false, {"\\p{N}", GPT2_WORDS}},
    {"exaone", false, false, {"\\p{N}", GPT2_WORDS}},
    {"minerva-7b", false, false, {"\\p{N}", GPT2_WORDS}},
    {"phi-2", false, false, {GPT2_WORDS}},
    {"mpt", false, false, {GPT2_WORDS}},
    {"olmo", false, false, {GPT2_WORDS}},
    {"jais", false, false, {GPT2_WORDS}},
    {"mellum", false, false, {GPT2_WORDS}},
};
#define N_ROWS (sizeof rows / sizeof *rows)

struct pretok {
    const struct row *row;
    pcre2_code *code[PASSES_MAX];
    pcre2_match_context *limits;
    int n_passes;
};

/* ---- open and close ----------------------------------------------------------------------- */

/* As many of the names as fit; those that stand in front are the ones that tell most. */
static bool unknown_name(struct gguf_str name, struct err *err)
{
    char known[160] = "", more[24] = "";
    size_t n = 0, i = 0;
    for (; i < N_ROWS && n + strlen(rows[i].name) + 3 < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i > 0 ? ", " : "",
                              rows[i].name);
    if (i < N_ROWS)
        snprintf(more, sizeof more, " and %zu more", N_ROWS - i);
    int shown = name.bytes > 40 ? 40 : (int)name.bytes;
    return err_set(err, ERR_UNSUPPORTED, "unknown pre-tokenizer '%.*s'; known are %s%s", shown,
                   name.data, known, more);
}

static const struct row *find_row(struct gguf_str name)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (gguf_str_is(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

/* Compiles every pattern of the row. They are ours, so failing means no memory. */
static bool compile(struct pretok *p, struct err *err)
{
    p->limits = pcre2_match_context_create(NULL);
    if (!p->limits)
        return err_set(err, ERR_NOMEM, "not enough memory for the pre-tokenizer");
    /* Backtracking is linear here, but its steps grow with the text: no fixed limit fits. */
    pcre2_set_match_limit(p->limits, UINT32_MAX);
    for (int i = 0; i < PASSES_MAX && p->row->pattern[i]; i++) {
        int code;
        PCRE2_SIZE at;
        p->code[i] = pcre2_compile((PCRE2_SPTR)p->row->pattern[i], PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
        if (!p->code[i])
            return err_set(err, ERR_NOMEM, "the pre-tokenizer '%s' cannot be prepared (%d)",
                           p->row->name, code);
        p->n_passes++;
        /* Without it (no executable memory) pcre2_match() interprets the pattern: same result. */
        pcre2_jit_compile(p->code[i], PCRE2_JIT_COMPLETE);
    }
    return true;
}

bool pretok_open(struct pretok **out, struct gguf_str name, struct err *err)
{
    *out = NULL;
    const struct row *row = find_row(name);
    if (!row)
        return unknown_name(name, err);
    struct pretok *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(err, ERR_NOMEM, "not enough memory for the pre-tokenizer");
    p->row = row;
    if (!compile(p, err)) {
        pretok_close(&p);
        return false;
    }
    *out = p;
    return true;
}

void pretok_close(struct pretok **p)
{
    if (!*p)
        return;
    for (int i = 0; i < (*p)->n_passes; i++)
        pcre2_code_free((*p)->code[i]);
    pcre2_match_context_free((*p)->limits);
    free(*p);
    *p = NULL;
}

bool pretok_whole_pieces(const struct pretok *p)
{
    return p->row->whole_pieces;
}

bool pretok_adds_bos(const struct pretok *p)
{
    return p->row->adds_bos;
}

/* ---- splitting ---------------------------------------------------------------------------- */

void pieces_release(struct pieces *p)
{
    free(p->end);
    *p = (struct pieces){0};
}

static bool add_end(struct pieces *p, size_t end, struct err *err)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 64;
        size_t *list = realloc(p->end, cap * sizeof *list);
        if (!list)
            return err_set(err, ERR_NOMEM, "not enough memory to split a text");
        p->end = list;
        p->cap = cap;
    }
    p->end[p->n++] = end;
    return true;
}

/* One pattern on its way over one piece. */
struct pass {
    const pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match;
};

/* Finds the next match at or behind from in s[0..n). Returns 1 and its borders, 0 for none, -1
 * with an error. */
static int next_match(const struct pass *p, const char *s, size_t n, size_t from, size_t *start,
                      size_t *end, struct err *err)
{
    uint32_t flags = PCRE2_NO_UTF_CHECK;
    int rc = pcre2_match(p->code, (PCRE2_SPTR)s, n, from, flags, p->match, p->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter's stack is on the heap */
        rc = pcre2_match(p->code, (PCRE2_SPTR)s, n, from, flags | PCRE2_NO_JIT, p->match,
                         p->limits);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        err_set(err, rc == PCRE2_ERROR_NOMEMORY ? ERR_NOMEM : ERR_LIMIT,
                "a text of %zu bytes cannot be split (%d)", n, rc);
        return -1;
    }
    const PCRE2_SIZE *borders = pcre2_get_ovector_pointer(p->match);
    *start = borders[0];
    *end = borders[1];
    return *end > *start;
}

/* Cuts the piece text[from..to), which is well-formed. */
static bool split_piece(const struct pass *p, const char *text, size_t from, size_t to,
                        struct pieces *out, struct err *err)
{
    const char *s = text + from;
    size_t n = to - from, at = 0, start, end;
    while (at < n) {
        int found = next_match(p, s, n, at, &start, &end, err);
        if (found < 0)
            return false;
        if (!found)
            return add_end(out, to, err);
        if ((start > at && !add_end(out, from + start, err)) || !add_end(out, from + end, err))
            return false;
        at = end;
    }
    return true;
}

/* The length of the run at s that is well-formed (or, where the first byte is not, that is
 * not). *valid tells which. */
static size_t run(const char *s, size_t n, bool *valid)
{
    size_t len = utf8_valid(s, n);
    *valid = len > 0;
    uint32_t cp;
    if (!*valid) {
        do
            len++;
        while (len < n && utf8_decode(s + len, n - len, &cp) <= 0);
    }
    return len;
}

/* The text's runs, well-formed or not, as the pieces to start from. */
static bool split_runs(const char *text, size_t bytes, struct pieces *out, struct err *err)
{
    bool valid;
    for (size_t at = 0; at < bytes;) {
        at += run(text + at, bytes - at, &valid);
        if (!add_end(out, at, err))
            return false;
    }
    return true;
}

/* Cuts every piece of in that is text. Pieces of invalid bytes stay whole. */
static bool split_pieces(const struct pass *p, const char *text, const struct pieces *in,
                         struct pieces *out, struct err *err)
{
    size_t from = 0;
    uint32_t cp;
    out->n = 0;
    for (size_t i = 0; i < in->n; i++) {
        size_t to = in->end[i];
        bool is_text = utf8_decode(text + from, to - from, &cp) > 0;
        if (!(is_text ? split_piece(p, text, from, to, out, err) : add_end(out, to, err)))
            return false;
        from = to;
    }
    return true;
}

bool pretok_split(const struct pretok *p, const char *text, size_t bytes, struct pieces *out,
                  struct err *err)
{
    out->n = 0;
    struct pieces other = {0};
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    bool ok = match || err_set(err, ERR_NOMEM, "not enough memory to split a text");
    ok = ok && split_runs(text, bytes, out, err);
    for (int i = 0; ok && i < p->n_passes; i++) {
        struct pass pass = {p->code[i], p->limits, match};
        ok = split_pieces(&pass, text, out, &other, err);
        struct pieces swap = *out;
        *out = other;
        other = swap;
    }
    pcre2_match_data_free(match);
    pieces_release(&other);
    return ok;
}
