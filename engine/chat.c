/* chat.c -- see chat.h. First the tables: thoughts, families, end tokens; then recognising; then
 * appending.
 *
 * Texts of one part are tokenised together where no control token stands between them: "user\n"
 * and what the person wrote are one text to the models' own tokenizers, too, so the ids are those
 * of the rendered template. */
#include "engine/chat.h"

#include <stdio.h>
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

/* SmolLM 3: one line break behind a thought. */
static const struct thought smollm_thought = {
    "<think>\n", "<think>\n\n</think>\n", "\n</think>\n", "\n<think>\n", "<think>", "</think>",
};

/* DeepSeek from V3.1 on: one marker behind the header either way, no line breaks. */
static const struct thought deepseek_thought = {
    "<think>", "</think>", "</think>", "<think>", "<think>", "</think>",
};

#define DS_EOS  "<\uff5cend\u2581of\u2581sentence\uff5c>"
#define DS_USER "<\uff5cUser\uff5c>"
#define DS_BOT  "<\uff5cAssistant\uff5c>"

/* One way to write a conversation. Rows are tried in order: of two that fit, the one that asks for
 * more stands first. */
struct chat_family {
    const char *name;
    const char *marker[2];       /* all must occur in the template */
    const char *arch;            /* or: the architecture of files that come without a template */
    const char *special[4];      /* control tokens it cannot do without */
    const char *system[2];       /* in front of the system message and behind it */
    const char *user[2];
    const char *reply;
    const char *end;             /* from its first control token on it closes a reply */
    const struct thought *thought; /* used if the template or the architecture has it */
    const char *instead;         /* the system message of a conversation that has none, if it is
                                  * not to be found in the template */
    unsigned flags;
};

/* TRIM, TRIM_SYSTEM  the template removes spaces around these texts
 * TRIM_TURN          it trims the whole turn: not the front of a text behind a system message
 * JOIN               the system message has no turn of its own: it opens the first user's, so
 *                    that system[0] stands in the place of user[0]
 * ALWAYS             it writes a system turn even if there is no message */
enum { TRIM = 1, TRIM_SYSTEM = 2, TRIM_TURN = 4, JOIN = 8, ALWAYS = 16 };

static const struct chat_family families[] = {
    {"phi4", {"<|im_sep|>"}, NULL, {"<|im_start|>", "<|im_sep|>", "<|im_end|>"},
     {"<|im_start|>system<|im_sep|>", "<|im_end|>"}, {"<|im_start|>user<|im_sep|>", "<|im_end|>"},
     "<|im_start|>assistant<|im_sep|>", "<|im_end|>", NULL, NULL, 0},
    {"smollm3", {"<|im_start|>", "/system_override"}, NULL, {"<|im_start|>", "<|im_end|>"},
     {"<|im_start|>system\n", "<|im_end|>\n"}, {"<|im_start|>user\n", "<|im_end|>\n"},
     "<|im_start|>assistant\n", "<|im_end|>\n", &smollm_thought,
     "You are a helpful AI assistant named SmolLM, trained by Hugging Face.", 0},
    {"chatml", {"<|im_start|>"}, NULL, {"<|im_start|>", "<|im_end|>"},
     {"<|im_start|>system\n", "<|im_end|>\n"}, {"<|im_start|>user\n", "<|im_end|>\n"},
     "<|im_start|>assistant\n", "<|im_end|>\n", &tagged_thought, NULL, 0},
    {"llama3.1", {"<|start_header_id|>", "Cutting Knowledge Date: December 2023"}, NULL,
     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
     {"<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
      "Today Date: 26 Jul 2024\n\n", "<|eot_id|>"},
     {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
     "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", NULL, NULL,
     TRIM | TRIM_SYSTEM | ALWAYS},
    {"llama3", {"<|start_header_id|>"}, NULL,
     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
     {"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
     {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
     "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", NULL, NULL,
     TRIM | TRIM_SYSTEM},
    {"deepseek-r1", {DS_BOT "<think>"}, NULL, {DS_USER, DS_BOT, DS_EOS},
     {"", ""}, {DS_USER, ""}, DS_BOT, DS_EOS, &tagged_thought, NULL, 0},
    {"deepseek", {DS_USER, DS_BOT}, "deepseek4", {DS_USER, DS_BOT, DS_EOS},
     {"", ""}, {DS_USER, ""}, DS_BOT, DS_EOS, &deepseek_thought, NULL, 0},
    {"deepseek2", {"User: ", "Assistant:"}, NULL, {DS_EOS},
     {"", "\n\n"}, {"User: ", "\n\n"}, "Assistant:", DS_EOS, NULL, NULL, 0},
    {"gemma", {"<start_of_turn>"}, NULL, {"<start_of_turn>", "<end_of_turn>"},
     {"<start_of_turn>user\n", "\n\n"}, {"<start_of_turn>user\n", "<end_of_turn>\n"},
     "<start_of_turn>model\n", "<end_of_turn>\n", NULL, NULL, TRIM | JOIN},
    {"phi4-mini", {"<|tool|>", "<|end|>"}, NULL, {"<|user|>", "<|assistant|>", "<|end|>"},
     {"<|system|>", "<|end|>"}, {"<|user|>", "<|end|>"}, "<|assistant|>", "<|end|>", NULL, NULL, 0},
    {"phi3", {"<|assistant|>", "<|end|>"}, NULL, {"<|user|>", "<|assistant|>", "<|end|>"},
     {"<|system|>\n", "<|end|>\n"}, {"<|user|>\n", "<|end|>\n"},
     "<|assistant|>\n", "<|end|>\n", NULL, NULL, 0},
    {"zephyr", {"<|user|>", "eos_token"}, NULL, {"</s>"},
     {"<|system|>\n", "</s>\n"}, {"<|user|>\n", "</s>\n"}, "<|assistant|>\n", "</s>\n", NULL, NULL,
     0},
    {"granite", {"<|start_of_role|>"}, NULL,
     {"<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"},
     {"<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"},
     {"<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"},
     "<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>\n", NULL, NULL, 0},
    {"mistral-v7", {"[SYSTEM_PROMPT] ", "[INST] "}, NULL,
     {"[INST]", "[/INST]", "[SYSTEM_PROMPT]", "</s>"},
     {"[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"}, {"[INST] ", "[/INST]"}, "", "</s>", NULL, NULL, 0},
    {"mistral-v7-tekken", {"[SYSTEM_PROMPT]", "[INST]"}, NULL,
     {"[INST]", "[/INST]", "[SYSTEM_PROMPT]", "</s>"},
     {"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"}, {"[INST]", "[/INST]"}, "", "</s>", NULL, NULL, 0},
    {"llama2", {"[INST] ", "<<SYS>>"}, NULL, {"<s>", "</s>"},
     {"[INST] <<SYS>>\n", "\n<</SYS>>\n\n"}, {"[INST] ", " [/INST]"}, "", " </s><s>", NULL, NULL,
     TRIM | TRIM_TURN | JOIN},
    {"mistral-v1", {" [INST] "}, NULL, {"</s>"},
     {" [INST] ", "\n\n"}, {" [INST] ", " [/INST]"}, "", "</s>", NULL, NULL, JOIN},
    {"mistral", {"[INST] ", " [/INST]"}, NULL, {"</s>"},
     {"[INST] ", "\n\n"}, {"[INST] ", " [/INST]"}, "", "</s>", NULL, NULL, JOIN},
    {"mistral-v3", {"[INST] "}, NULL, {"[INST]", "[/INST]", "</s>"},
     {"[INST] ", "\n\n"}, {"[INST] ", "[/INST]"}, "", "</s>", NULL, NULL, JOIN},
    {"mistral-v3-tekken", {"[INST]"}, NULL, {"[INST]", "[/INST]", "</s>"},
     {"[INST]", "\n\n"}, {"[INST]", "[/INST]"}, "", "</s>", NULL, NULL, JOIN},
};
#define N_FAMILIES (sizeof families / sizeof *families)

static const struct chat_family no_family = {
    "none", {NULL}, NULL, {NULL}, {"", "\n\n"}, {"", ""}, "", "\n\n", NULL, NULL, 0,
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

/* The first control token of the family that the vocabulary lacks; NULL if it has all. */
static const char *missing_special(const struct chat_family *f, const struct tokenizer *t)
{
    for (size_t i = 0; i < sizeof f->special / sizeof *f->special && f->special[i]; i++) {
        if (tokenizer_special(t, f->special[i]) < 0)
            return f->special[i];
    }
    return NULL;
}

static bool has_markers(const struct chat_family *f, struct gguf_str template)
{
    for (size_t i = 0; i < sizeof f->marker / sizeof *f->marker && f->marker[i]; i++) {
        if (!contains(template, f->marker[i]))
            return false;
    }
    return true;
}

static const struct chat_family *recognise(struct gguf_str template, struct gguf_str arch,
                                           const struct tokenizer *t)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        const struct chat_family *f = &families[i];
        bool by_arch = template.bytes == 0 && f->arch && gguf_str_is(arch, f->arch);
        if ((by_arch || has_markers(f, template)) && !missing_special(f, t))
            return f;
    }
    return &no_family;
}

static const struct chat_family *named(const char *name)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (strcmp(name, families[i].name) == 0)
            return &families[i];
    }
    return strcmp(name, no_family.name) == 0 ? &no_family : NULL;
}

bool chat_check_name(const char *name, struct err *err)
{
    char known[256];
    return named(name) || err_set(err, ERR_INPUT, "no chat template '%.16s'; there are %s", name,
                                  chat_names(known, sizeof known));
}

/* The family of this name, if the vocabulary has what it needs. NULL with an error. */
static const struct chat_family *force(const char *name, const struct tokenizer *t,
                                       struct err *err)
{
    if (!chat_check_name(name, err))
        return NULL;
    const struct chat_family *f = named(name);
    const char *missing = missing_special(f, t);
    if (!missing)
        return f;
    err_set(err, ERR_UNSUPPORTED, "chat template '%s' needs the token '%s', which this model's "
            "vocabulary does not have", f->name, missing);
    return NULL;
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
    size_t n = f->instead ? strlen(f->instead) : 0;
    char *out = malloc(SYSTEM_MAX + 1);
    if (!out) {
        err_set(err, ERR_NOMEM, "not enough memory for the chat template");
        return NULL;
    }
    if (n > 0)
        memcpy(out, f->instead, n);
    bool marked = f->system[0][0] && f->system[1][0] && !(f->flags & JOIN);
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

/* The control tokens at the end of a reply: the first ends one. */
static bool find_close(struct chat *c, struct err *err)
{
    const char *end = c->family->end;
    size_t bytes;
    while (*end && tokenizer_marker_at(c->tokenizer, end, strlen(end), &bytes) < 0)
        end++;
    return tokenizer_encode_special(c->tokenizer, end, strlen(end), &c->close, err);
}

static void find_ends(struct chat *c)
{
    const struct tokenizer *t = c->tokenizer;
    add_end(c, tokenizer_eos(t));
    add_end(c, tokenizer_eot(t));
    if (c->close.n > 0)
        add_end(c, c->close.id[0]);
    for (size_t i = 0; i < N_END_TOKENS; i++) {
        int32_t id = tokenizer_special(t, end_tokens[i]);
        if (tokenizer_type(t, id) == TOKEN_CONTROL)
            add_end(c, id);
    }
}

/* The markers of thoughts. A model may write them without its template saying so. */
static void find_think(struct chat *c)
{
    const struct thought *own = c->thought->end ? c->thought : &tagged_thought;
    c->thinks = c->thought->end != NULL;
    c->think_begin = tokenizer_special(c->tokenizer, own->begin);
    c->think_end = tokenizer_special(c->tokenizer, own->end);
    if (c->think_begin < 0 || c->think_end < 0)
        c->think_begin = c->think_end = -1;
}

/* What a person types must not become a mark of turns or thoughts, whatever its type in the
 * file. */
static void guard_marks(struct tokenizer *t, const struct chat *c)
{
    const struct chat_family *f = c->family;
    for (size_t i = 0; i < sizeof f->special / sizeof *f->special && f->special[i]; i++)
        tokenizer_guard(t, f->special[i]);
    tokenizer_guard(t, tagged_thought.begin);
    tokenizer_guard(t, tagged_thought.end);
}

bool chat_init(struct chat *out, const struct gguf *g, struct tokenizer *t, const char *name,
               struct err *err)
{
    struct gguf_str template, arch;
    *out = (struct chat){0};
    if (!gguf_string_or(g, "tokenizer.chat_template", "", &template, err) ||
        !gguf_string_or(g, "general.architecture", "", &arch, err))
        return false;
    const struct chat_family *f = name ? force(name, t, err) : recognise(template, arch, t);
    char *system = f ? find_system(f, template, err) : NULL;
    if (!system)
        return false;
    const struct thought *thought =
        find_thought(f, name ? (struct gguf_str){"", 0} : template, t);
    *out = (struct chat){.family = f, .thought = thought, .tokenizer = t, .system = system};
    out->begins = begins_with_bos(f, template, t);
    find_think(out);
    guard_marks(t, out);
    if (!find_close(out, err)) {
        chat_release(out);
        return false;
    }
    find_ends(out);
    return true;
}

void chat_release(struct chat *c)
{
    tokens_release(&c->close);
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

/* Adds a message between its marks. front, back: without the spaces there. */
static bool add_message(struct part *p, const char *const marks[2], bool front, bool back,
                        const char *text, size_t bytes, struct err *err)
{
    while (back && bytes > 0 && is_space(text[bytes - 1]))
        bytes--;
    for (; front && bytes > 0 && is_space(*text); text++)
        bytes--;
    return add_own(p, marks[0], err) && add_text(p, text, bytes, err) &&
           add_own(p, marks[1], err);
}

static bool add_begin(struct part *p, const struct chat *c, const char *text, size_t bytes,
                      struct err *err)
{
    const struct chat_family *f = c->family;
    int32_t bos = tokenizer_bos(c->tokenizer);
    if (c->begins && !tokens_append(p->out, &bos, 1, err))
        return false;
    if (bytes == 0) {
        text = c->system;
        bytes = strlen(text);
    }
    bool trim = f->flags & TRIM_SYSTEM;
    return (bytes == 0 && !(f->flags & ALWAYS)) ||
           add_message(p, f->system, trim, trim, text, bytes, err);
}

/* Whether the timeline ends in a system message that opened the user's turn: it is neither empty,
 * but for a bos token, nor does it end in what closes a reply. */
static bool is_open(const struct chat *c, const struct tokens *line)
{
    const struct tokens *close = &c->close;
    int n = line->n - close->n;
    bool begun = line->n > 1 || (line->n == 1 && line->id[0] != tokenizer_bos(c->tokenizer));
    bool closed = n >= 0 && close->n > 0 &&
                  memcmp(line->id + n, close->id, (size_t)close->n * sizeof *close->id) == 0;
    return (c->family->flags & JOIN) && begun && !closed;
}

static bool add_user(struct part *p, const struct chat *c, const char *text, size_t bytes,
                     struct err *err)
{
    const struct chat_family *f = c->family;
    bool open = is_open(c, p->out), trim = f->flags & TRIM;
    const char *const marks[2] = {open ? "" : f->user[0], f->user[1]};
    return add_message(p, marks, trim && !(open && f->flags & TRIM_TURN), trim, text, bytes, err);
}

/* What closes the open thought: the model's own marker also where only the model opened it so. */
static const struct thought *closing(const struct chat *c, const struct tokens *line)
{
    for (int i = line->n - 1; i >= 0 && !c->thinks; i--) {
        if (chat_is_think_begin(c, line->id[i]))
            return &tagged_thought;
        if (chat_is_think_end(c, line->id[i]) || chat_is_end(c, line->id[i]))
            break;
    }
    return c->thought;
}

static bool add_part(struct part *p, const struct chat *c, enum chat_part part, const char *text,
                     size_t bytes, struct err *err)
{
    switch (part) {
    case CHAT_BEGIN:       return add_begin(p, c, text, bytes, err);
    case CHAT_USER:        return add_user(p, c, text, bytes, err);
    case CHAT_REPLY:       return add_own(p, c->family->reply, err);
    case CHAT_THINK_OPEN:  return add_own(p, c->thought->open, err);
    case CHAT_THINK_SKIP:  return add_own(p, c->thought->skip, err);
    case CHAT_THINK_CLOSE: return add_own(p, closing(c, p->out)->close, err);
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

const char *chat_names(char *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < N_FAMILIES && n < room; i++)
        n += (size_t)snprintf(out + n, room - n, "%s, ", families[i].name);
    if (n < room)
        snprintf(out + n, room - n, "%s", no_family.name);
    return out;
}

bool chat_is_end(const struct chat *c, int32_t id)
{
    for (int i = 0; i < c->n_ends; i++) {
        if (c->ends[i] == id)
            return true;
    }
    return false;
}

bool chat_is_think_begin(const struct chat *c, int32_t id)
{
    return id >= 0 && id == c->think_begin;
}

bool chat_is_think_end(const struct chat *c, int32_t id)
{
    return id >= 0 && id == c->think_end;
}
