/* chat.c -- see chat.h. First the tables: thoughts, families, end tokens; then recognising; then
 * appending.
 *
 * Texts of one part are tokenised together where no control token stands between them: "user\n"
 * and what the person wrote are one text to the models' own tokenizers, too, so the ids are those
 * of the rendered template. */
#include "engine/chat.h"

#include <stdlib.h>
#include <string.h>

#define SYSTEM_MAX 16384 /* bytes of a default system message */

/* ---- tables ------------------------------------------------------------------------------- */

/* What stands around a thought. end is the model's own closing marker, NULL if it has none. */
struct thought {
    const char *open, *skip, *close, *again;
    const char *begin, *end;
};

/* For models that do not think by themselves: lines that lead into steps and to an answer. */
static const struct thought plain_thought = {
    "Let me think step by step.\n", "", "\n\nAnswer:",
    "\n\nLet me check this step by step.\n", NULL, NULL,
};

/* Qwen 3 and its many followers; the empty thought is how their templates switch it off. */
static const struct thought tagged_thought = {
    "<think>\n", "<think>\n\n</think>\n\n", "\n</think>\n\n", "\n<think>\n", "<think>", "</think>",
};

/* DeepSeek from V3.1 on: one marker behind the header either way, no line breaks. */
static const struct thought deepseek_thought = {
    "<think>", "</think>", "</think>", "<think>", "<think>", "</think>",
};

#define DS_EOS  "<\uff5cend\u2581of\u2581sentence\uff5c>"
#define DS_USER "<\uff5cUser\uff5c>"
#define DS_BOT  "<\uff5cAssistant\uff5c>"

/* One way to write a conversation. Rows are tried in order. Families without a role for the
 * system message get it as a turn of the user's. */
struct chat_family {
    const char *name;
    const char *marker[2];       /* all must occur in the template */
    const char *arch;            /* or: the architecture of files that come without a template */
    const char *special[4];      /* control tokens it cannot do without */
    const char *system[2];       /* in front of the system message and behind it */
    const char *user[2];
    const char *reply;
    const char *end;             /* its first token ends a reply */
    const struct thought *thought; /* used if the template or the architecture has it */
    bool trim;                   /* the template removes spaces around texts */
};

static const struct chat_family families[] = {
    {"phi4", {"<|im_sep|>"}, NULL, {"<|im_start|>", "<|im_sep|>", "<|im_end|>"},
     {"<|im_start|>system<|im_sep|>", "<|im_end|>"}, {"<|im_start|>user<|im_sep|>", "<|im_end|>"},
     "<|im_start|>assistant<|im_sep|>", "<|im_end|>", NULL, false},
    {"chatml", {"<|im_start|>"}, NULL, {"<|im_start|>", "<|im_end|>"},
     {"<|im_start|>system\n", "<|im_end|>\n"}, {"<|im_start|>user\n", "<|im_end|>\n"},
     "<|im_start|>assistant\n", "<|im_end|>\n", &tagged_thought, false},
    {"llama3", {"<|start_header_id|>"}, NULL,
     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
     {"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
     {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
     "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", NULL, true},
    {"deepseek-r1", {DS_BOT "<think>"}, NULL, {DS_USER, DS_BOT, DS_EOS},
     {"", ""}, {DS_USER, ""}, DS_BOT, DS_EOS, &tagged_thought, false},
    {"deepseek", {DS_USER, DS_BOT}, "deepseek4", {DS_USER, DS_BOT, DS_EOS},
     {"", ""}, {DS_USER, ""}, DS_BOT, DS_EOS, &deepseek_thought, false},
    {"gemma", {"<start_of_turn>"}, NULL, {"<start_of_turn>", "<end_of_turn>"},
     {"<start_of_turn>user\n", "<end_of_turn>\n"}, {"<start_of_turn>user\n", "<end_of_turn>\n"},
     "<start_of_turn>model\n", "<end_of_turn>\n", NULL, true},
    {"phi3", {"<|assistant|>", "<|end|>"}, NULL, {"<|user|>", "<|assistant|>", "<|end|>"},
     {"<|system|>\n", "<|end|>\n"}, {"<|user|>\n", "<|end|>\n"},
     "<|assistant|>\n", "<|end|>\n", NULL, false},
    {"mistral-v7", {"[INST]", "[SYSTEM_PROMPT]"}, NULL,
     {"[INST]", "[/INST]", "[SYSTEM_PROMPT]", "</s>"},
     {"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"}, {"[INST]", "[/INST]"}, "", "</s>", NULL, false},
    {"llama2", {"[INST]", "<<SYS>>"}, NULL, {"<s>", "</s>"},
     {"[INST] <<SYS>>\n", "\n<</SYS>>\n\n [/INST]"}, {"[INST] ", " [/INST]"},
     "", "</s><s>", NULL, true},
    {"mistral", {"[INST]"}, NULL, {"[INST]", "[/INST]", "</s>"},
     {"[INST]", "[/INST]"}, {"[INST]", "[/INST]"}, "", "</s>", NULL, false},
};
#define N_FAMILIES (sizeof families / sizeof *families)

static const struct chat_family no_family = {
    "none", {NULL}, NULL, {NULL}, {"", "\n\n"}, {"", ""}, "", "\n\n", NULL, false,
};

/* Control tokens that end a text in some vocabulary, whatever the file names as its eos. */
static const char *const end_tokens[] = {
    "<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<|eot_id|>", "<end_of_turn>", "<|end|>",
    DS_EOS, "</s>",
};
#define N_END_TOKENS (sizeof end_tokens / sizeof *end_tokens)

/* ---- recognising -------------------------------------------------------------------------- */

static bool contains(struct gguf_str s, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= s.bytes; i++) {
        if (memcmp(s.data + i, text, n) == 0)
            return true;
    }
    return false;
}

static bool has_specials(const struct chat_family *f, const struct tokenizer *t)
{
    for (size_t i = 0; i < sizeof f->special / sizeof *f->special && f->special[i]; i++) {
        if (tokenizer_special(t, f->special[i]) < 0)
            return false;
    }
    return true;
}

static bool has_markers(const struct chat_family *f, struct gguf_str template)
{
    for (size_t i = 0; i < sizeof f->marker / sizeof *f->marker && f->marker[i]; i++) {
        if (!contains(template, f->marker[i]))
            return false;
    }
    return true;
}

static const struct chat_family *find_family(struct gguf_str template, struct gguf_str arch,
                                             const struct tokenizer *t)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        const struct chat_family *f = &families[i];
        bool by_arch = template.bytes == 0 && f->arch && gguf_str_is(arch, f->arch);
        if ((by_arch || has_markers(f, template)) && has_specials(f, t))
            return f;
    }
    return &no_family;
}

/* The model's own markers, if its template writes them (a file without a template is known by
 * its architecture) and its vocabulary has them. */
static const struct thought *find_thought(const struct chat_family *f, struct gguf_str template,
                                          const struct tokenizer *t)
{
    const struct thought *own = f->thought;
    if (own && (template.bytes == 0 || contains(template, own->end)) &&
        tokenizer_special(t, own->begin) >= 0 && tokenizer_special(t, own->end) >= 0)
        return own;
    return &plain_thought;
}

/* True if a conversation begins with the vocabulary's beginning of a text: the tokenizer puts it
 * there, or the template does, as DeepSeek's do whose vocabularies ask for none. */
static bool begins_with_bos(const struct chat_family *f, struct gguf_str template,
                            const struct tokenizer *t)
{
    bool by_template = contains(template, "bos_token") || (template.bytes == 0 && f->arch);
    return tokenizer_bos(t) >= 0 && (tokenizer_add_bos(t) || by_template);
}

/* How many bytes of s spell text as a Jinja string may: a line break as itself or as \n. 0 if
 * it does not. */
static size_t spells(const char *s, size_t n, const char *text)
{
    size_t i = 0;
    for (; *text; text++) {
        bool escaped = *text == '\n' && n - i >= 2 && s[i] == '\\' && s[i + 1] == 'n';
        if (i == n || (s[i] != *text && !escaped))
            return 0;
        i += escaped ? 2 : 1;
    }
    return i;
}

/* The rest of a Jinja string, up to the mark behind a system message, with its escapes undone.
 * quote is the character that ends the string. Returns the bytes written to out [n]; 0 if the
 * string is made of parts, so that this is no constant text. */
static size_t constant(const struct chat_family *f, const char *s, size_t n, char quote, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (spells(s + i, n - i, f->system[1]) > 0)
            return len;
        char c = s[i];
        /* A second mark in front also ends it: each place of a template is then read once. */
        if (c == quote || c == '{' || c == 0 || spells(s + i, n - i, f->system[0]) > 0)
            return 0;
        if (c == '\\' && i + 1 < n) {
            c = s[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        out[len++] = c;
    }
    return 0;
}

/* The system message that the template sets where a conversation has none: a constant between
 * the family's marks. Owned; empty if there is none. NULL with an error. */
static char *find_system(const struct chat_family *f, struct gguf_str template, struct err *err)
{
    char *out = malloc(SYSTEM_MAX + 1);
    if (!out) {
        err_set(err, ERR_NOMEM, "not enough memory for the chat template");
        return NULL;
    }
    size_t n = 0;
    bool marked = f->system[0][0] && f->system[1][0];
    for (size_t i = 0; marked && n == 0 && i < template.bytes; i++) {
        const char *s = template.data + i;
        size_t left = template.bytes - i, head = spells(s, left, f->system[0]);
        if (head == 0)
            continue;
        bool quoted = i > 0 && (s[-1] == '\'' || s[-1] == '"');
        left = left - head > SYSTEM_MAX ? SYSTEM_MAX : left - head;
        n = constant(f, s + head, left, quoted ? s[-1] : '{', out);
    }
    out[n] = 0;
    return out;
}

static void add_end(struct chat *c, int32_t id)
{
    if (id >= 0 && !chat_is_end(c, id) && c->n_ends < CHAT_ENDS_MAX)
        c->ends[c->n_ends++] = id;
}

static void find_ends(struct chat *c)
{
    const struct tokenizer *t = c->tokenizer;
    size_t bytes;
    add_end(c, tokenizer_eos(t));
    add_end(c, tokenizer_eot(t));
    if (c->family != &no_family)
        add_end(c, tokenizer_marker_at(t, c->family->end, strlen(c->family->end), &bytes));
    for (size_t i = 0; i < N_END_TOKENS; i++) {
        int32_t id = tokenizer_special(t, end_tokens[i]);
        if (tokenizer_type(t, id) == TOKEN_CONTROL)
            add_end(c, id);
    }
}

/* What a person types must not become a mark of turns or thoughts, whatever its type in the
 * file. */
static void guard_marks(struct tokenizer *t, const struct chat *c)
{
    const struct chat_family *f = c->family;
    for (size_t i = 0; i < sizeof f->special / sizeof *f->special && f->special[i]; i++)
        tokenizer_guard(t, f->special[i]);
    if (c->thought->end) {
        tokenizer_guard(t, c->thought->begin);
        tokenizer_guard(t, c->thought->end);
    }
}

bool chat_init(struct chat *out, const struct gguf *g, struct tokenizer *t, struct err *err)
{
    struct gguf_str template, arch;
    *out = (struct chat){0};
    if (!gguf_string_or(g, "tokenizer.chat_template", "", &template, err) ||
        !gguf_string_or(g, "general.architecture", "", &arch, err))
        return false;
    const struct chat_family *f = find_family(template, arch, t);
    char *system = find_system(f, template, err);
    if (!system)
        return false;
    const struct thought *thought = find_thought(f, template, t);
    *out = (struct chat){.family = f, .thought = thought, .tokenizer = t, .system = system};
    out->begins = begins_with_bos(f, template, t);
    out->thinks = thought->end != NULL;
    out->think_end = thought->end ? tokenizer_special(t, thought->end) : -1;
    guard_marks(t, out);
    find_ends(out);
    return true;
}

void chat_release(struct chat *c)
{
    free(c->system);
    *c = (struct chat){0};
}

/* ---- appending ---------------------------------------------------------------------------- */

/* A part on its way to ids: text that has not been tokenised yet, because more may join it. */
struct part {
    const struct tokenizer *tokenizer;
    struct tokens *out;
    char *text;
    size_t n, cap;
};

static bool add_text(struct part *p, const char *text, size_t bytes, struct err *err)
{
    if (bytes > p->cap - p->n) {
        size_t cap = 2 * p->cap + bytes + 64;
        char *longer = bytes < SIZE_MAX / 4 ? realloc(p->text, cap) : NULL;
        if (!longer)
            return err_set(err, ERR_NOMEM, "not enough memory for a message of %zu bytes", bytes);
        p->text = longer;
        p->cap = cap;
    }
    if (bytes > 0)
        memcpy(p->text + p->n, text, bytes);
    p->n += bytes;
    return true;
}

static bool flush(struct part *p, struct err *err)
{
    size_t n = p->n;
    bool follows = p->out->n > 0 &&
                   !tokenizer_starts_text(p->tokenizer, p->out->id[p->out->n - 1]);
    p->n = 0;
    return tokenizer_encode(p->tokenizer, n > 0 ? p->text : "", n, follows, p->out, err);
}

/* Adds text of the tables, in which control tokens count. */
static bool add_own(struct part *p, const char *s, struct err *err)
{
    size_t n = strlen(s);
    while (n > 0) {
        size_t bytes = 1;
        int32_t id = tokenizer_marker_at(p->tokenizer, s, n, &bytes);
        if (id < 0 ? !add_text(p, s, 1, err)
                   : !flush(p, err) || !tokens_append(p->out, &id, 1, err))
            return false;
        s += bytes;
        n -= bytes;
    }
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Adds a message between its marks. */
static bool add_message(struct part *p, const struct chat_family *f, const char *const marks[2],
                        const char *text, size_t bytes, struct err *err)
{
    while (f->trim && bytes > 0 && is_space(text[bytes - 1]))
        bytes--;
    for (; f->trim && bytes > 0 && is_space(*text); text++)
        bytes--;
    return add_own(p, marks[0], err) && add_text(p, text, bytes, err) &&
           add_own(p, marks[1], err);
}

static bool add_begin(struct part *p, const struct chat *c, const char *text, size_t bytes,
                      struct err *err)
{
    int32_t bos = tokenizer_bos(c->tokenizer);
    if (c->begins && !tokens_append(p->out, &bos, 1, err))
        return false;
    if (bytes == 0) {
        text = c->system;
        bytes = strlen(text);
    }
    return bytes == 0 || add_message(p, c->family, c->family->system, text, bytes, err);
}

static bool add_part(struct part *p, const struct chat *c, enum chat_part part, const char *text,
                     size_t bytes, struct err *err)
{
    switch (part) {
    case CHAT_BEGIN:       return add_begin(p, c, text, bytes, err);
    case CHAT_USER:        return add_message(p, c->family, c->family->user, text, bytes, err);
    case CHAT_REPLY:       return add_own(p, c->family->reply, err);
    case CHAT_THINK_OPEN:  return add_own(p, c->thought->open, err);
    case CHAT_THINK_SKIP:  return add_own(p, c->thought->skip, err);
    case CHAT_THINK_CLOSE: return add_own(p, c->thought->close, err);
    case CHAT_THINK_AGAIN: return add_own(p, c->thought->again, err);
    case CHAT_END:         return add_own(p, c->family->end, err);
    }
    return err_set(err, ERR_INPUT, "%d is no part of a conversation", (int)part);
}

bool chat_append(const struct chat *c, enum chat_part part, const char *text, size_t bytes,
                 struct tokens *out, struct err *err)
{
    int n_before = out->n;
    struct part p = {.tokenizer = c->tokenizer, .out = out};
    bool ok = add_part(&p, c, part, text, bytes, err) && flush(&p, err);
    free(p.text);
    if (!ok)
        out->n = n_before;
    return ok;
}

/* ---- asking ------------------------------------------------------------------------------- */

const char *chat_name(const struct chat *c)
{
    return c->family->name;
}

bool chat_is_end(const struct chat *c, int32_t id)
{
    for (int i = 0; i < c->n_ends; i++) {
        if (c->ends[i] == id)
            return true;
    }
    return false;
}

bool chat_is_think_end(const struct chat *c, int32_t id)
{
    return id >= 0 && id == c->think_end;
}
