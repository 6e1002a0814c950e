/* demand_read.c -- demands_read() of demand.h: rows of demand.def laid over the words of a prompt,
 * and what needs more than a pattern: lettered options, the keys of a JSON template, doubles. */
#include "app/demand.h"

#include <stdlib.h>
#include <string.h>

#include "app/pattern.h"
#include "ui/text.h"

enum {
    DEMANDS_MAX = 32,
    CHOICES_MAX = 26,
    OPTION_BYTES_MAX = 500,
    QUOTED_WORDS_MAX = 96,
    PLAIN_WORDS_MAX = 20, /* "in 300 words" means about as many */
};

/* What a row reads: a demand, or one of the readings after them. */
enum reading {
    READ_JSON = DEMAND_JSON, READ_ONLY = DEMAND_ONLY, READ_KEY = DEMAND_KEY,
    READ_CODE = DEMAND_CODE, READ_COUNT = DEMAND_COUNT, READ_OCCURS = DEMAND_OCCURS,
    READ_LOWER = DEMAND_LOWER, READ_UPPER = DEMAND_UPPER, READ_BEGINS = DEMAND_BEGINS,
    READ_ENDS = DEMAND_ENDS, READ_CHOICE = DEMAND_CHOICE, READ_NUMBER = DEMAND_NUMBER,
    READ_SHAPE = DEMAND_SHAPE, READ_SHORT = DEMAND_SHORT,
    READ_JSON_ONLY = DEMAND_KINDS, /* two demands */
    READ_NUMBERED, READ_BULLETS, READ_ITEMS, /* counts of a unit that the pattern names */
    READ_YES_NO, READ_TRUE_FALSE,
    READ_ASKS_NUMBER, READ_FRACTIONS, /* of the question, no demand */
};

enum relation {
    RELATE_NONE, RELATE_EXACTLY, RELATE_AT_MOST, RELATE_AT_LEAST, RELATE_LESS, RELATE_MORE,
    RELATE_BETWEEN, RELATE_ONCE, RELATE_TWICE, RELATE_EVER, RELATE_NEVER, RELATE_NEVER_LETTER,
    RELATE_NEVER_MARK,
    RELATE_LIST, /* two items or more */
    RELATE_OR,   /* joined by "or" */
};

enum refusal {
    REFUSE_NOTHING,
    REFUSE_CODE,   /* the clause is about code: it names what a program does */
    REFUSE_DATA,   /* the same, or about data that are kept in some form */
    REFUSE_TOLD,   /* the same, but that something is told about */
    REFUSE_COUNT,  /* counts of a part, conditions, negations */
    REFUSE_PLAIN,  /* the same; and a number without "exactly" means about as many, if large */
    REFUSE_LISTED, /* the same, and clauses about something else than what is to be listed */
    REFUSE_NOT,    /* negations */
    REFUSE_PART,   /* of a part of the answer, or of something described */
    REFUSE_TEXT,   /* the same of "a sentence that", where "that" is the answer */
    REFUSE_PARTLY, /* capitals of a part */
    REFUSE_MANY,   /* several dates have a shape, or those inside of JSON */
    REFUSE_OPEN,   /* a text is wanted, in which numbers are calculated */
};

struct row {
    enum reading what;
    enum relation relation;
    enum refusal refuse;
    const char *text;
    const char *pattern;
};

static const struct row rows[] = {
#define ROW(what, relation, refuse, text, pattern) \
    {READ_##what, RELATE_##relation, REFUSE_##refuse, text, pattern},
#include "app/demand.def"
#undef ROW
};

struct reader {
    struct words w;
    struct demands *out;
    bool *taken;    /* [w.n] */
    bool *material; /* [w.n_sentence] */
};

/* ---- sentences ------------------------------------------------------------------------------- */

static bool any_between(const struct words *w, int first, int end, const char *words)
{
    for (int i = first; i < end; i++)
        if (words_any(w, i, words))
            return true;
    return false;
}

static bool is_mark(const struct words *w, int i, const char *marks)
{
    return i >= 0 && i < w->n && w->word[i].kind == WORD_MARK && w->text[w->word[i].at] &&
           strchr(marks, w->text[w->word[i].at]);
}

/* The first word of the clause that word i stands in. */
static int clause_begin(const struct words *w, int i)
{
    while (words_same(w, i) && !is_mark(w, i - 1, ",;:("))
        i--;
    return i;
}

/* True if a verb at word i tells the reader to do something. */
static bool is_order(const struct words *w, int i)
{
    static const char *const verbs[] = {
        "answer|reply|respond|write|give|list|name|use|describe|explain|summarize|summarise|make",
        "create|compose|produce|provide|return|output|print|say|state|tell|generate|limit|keep",
        "include|contain|mention|begin|start|end|finish|ensure|avoid|rewrite|translate|convert",
        "format|choose|pick|select|put|do|dont|never|extract|classify|define|complete|repeat|find",
        "calculate|solve|no|only|let|suggest|recommend|draft|paraphrase|show|copy|insert|open",
        "label",
    };
    static const char before[] = "and|then|please|you|to|but|now|not|also|always|just|simply";
    for (size_t k = 0; k < sizeof verbs / sizeof *verbs; k++)
        if (words_any(w, i, verbs[k]))
            return !words_same(w, i) || w->word[i - 1].kind == WORD_BREAK ||
                   is_mark(w, i - 1, ",;:(-") || words_any(w, i - 1, before);
    return false;
}

/* True if a sentence asks for something rather than telling or asking about it. */
static bool asks(const struct words *w, int sentence)
{
    const struct sentence *s = &w->sentence[sentence];
    int first = s->first + (w->word[s->first].kind == WORD_BREAK);
    if (s->question && words_any(w, first, "is|are|was|were|does|do|did|has|have|had|should|am"))
        return false;
    if (s->question && words_any(w, first, "what|which|who|whom|whose|where|when|why|how|in"))
        return true;
    if (any_between(w, first, s->end, "must|should|shall|please|need|needs"))
        return true;
    static const char reply[] = "answer|response|reply|output|text|final|entire";
    for (int i = first; i < s->end; i++)
        if (is_order(w, i) || (words_any(w, i, "your") && words_any(w, i + 1, reply)))
            return true;
    return false;
}

/* The sentences from a label such as "Passage:" to the next blank line are material. */
static void find_material(struct reader *r)
{
    const struct words *w = &r->w;
    bool material = false;
    for (int k = 0; k < w->n_sentence; k++) {
        int first = w->sentence[k].first;
        bool line = w->word[first].kind == WORD_BREAK;
        if (line && w->word[first].value == 2)
            material = false;
        if (line && is_mark(w, first + 2, ":") &&
            words_any(w, first + 1, "passage|text|article|document|context|paragraph|story|review|"
                                    "email|source|transcript|excerpt|content"))
            material = true;
        r->material[k] = material;
    }
}

/* ---- what refuses a row ---------------------------------------------------------------------- */

#define NEGATIONS "not|dont|never|avoid|without|no|cannot|cant|instead"
/* What a clause about code has, and one about data on their way. */
#define CODE_WORDS "function|program|script|class|method|parser|api|how|endpoint|query|why|" \
    "explain|difference|not|dont"
#define DATA_WORDS CODE_WORDS "|way|ways|whether|when|where|server|client|store|stores|stored|" \
    "storing|save|saves|saved|saving|sends|sent|sending|parse|parsed|parsing|load|loads|loaded|" \
    "loading|returned|returns|returning|encoded|encoding|represented|represents|representing|" \
    "written|writing|read|reads|reading|passed|passing|exported|exporting|received|receiving|" \
    "converted|converting|serialize|serialized|serializing|formatted|formatting|using|handle|" \
    "handles|handling|import|export"
#define CONDITIONS "if|when|whether|unless|that|which|whose"

/* Words that refuse a row: in its clause before the match, in its clause and the match, in its
 * sentence, in the prompt. */
static const struct {
    const char *before, *clause, *sentence, *prompt;
} refusals[] = {
    [REFUSE_CODE] = {.clause = CODE_WORDS "|about"},
    [REFUSE_DATA] = {.clause = DATA_WORDS "|about"},
    [REFUSE_TOLD] = {.clause = DATA_WORDS},
    [REFUSE_COUNT] = {.before = NEGATIONS "|" CONDITIONS, .sentence = "each|every|per|apiece"},
    [REFUSE_PLAIN] = {.before = NEGATIONS "|" CONDITIONS, .sentence = "each|every|per|apiece"},
    [REFUSE_LISTED] = {.clause = NEGATIONS "|" CONDITIONS "|is|are|was|were|why|how",
                       .sentence = "each|every|per|apiece"},
    [REFUSE_NOT] = {.before = NEGATIONS},
    [REFUSE_PART] = {.before = NEGATIONS "|" CONDITIONS "|each|every|line|lines"},
    [REFUSE_TEXT] = {.before = NEGATIONS, .clause = NEGATIONS "|each|every|where"},
    [REFUSE_PARTLY] = {.before = NEGATIONS "|title|titles|heading|headings|first|name|names|words|"
                                 "key|keys|variable|variables|each|every|initial|if"},
    [REFUSE_MANY] = {.sentence = "dates|times|addresses|each|every|timestamps|all"},
    [REFUSE_OPEN] = {.prompt = "write|essay|story|poem|code|function|program|script|table|sql|"
                               "query|blog|python|algorithm|article"},
};

static bool refuses(const struct reader *r, const struct row *row, const struct pattern_match *m)
{
    const struct words *w = &r->w;
    const struct sentence *s = &w->sentence[w->word[m->first].sentence];
    int clause = clause_begin(w, m->first);
    const char *before = refusals[row->refuse].before, *inside = refusals[row->refuse].clause;
    const char *sentence = refusals[row->refuse].sentence, *prompt = refusals[row->refuse].prompt;
    if (row->refuse == REFUSE_PLAIN && (m->unit == PIECE_CHARACTER ||
                                        (m->unit == PIECE_WORD && m->number[0] > PLAIN_WORDS_MAX)))
        return true;
    if (row->refuse == REFUSE_MANY && demands_find(r->out, DEMAND_JSON))
        return true;
    return (before && any_between(w, clause, m->first, before)) ||
           (inside && any_between(w, clause, m->end, inside)) ||
           (sentence && any_between(w, s->first, s->end, sentence)) ||
           (prompt && any_between(w, 0, w->n, prompt));
}

/* Demands need a sentence that asks; what is read of the question itself needs any question. */
static bool is_meant(const struct reader *r, const struct row *row, const struct pattern_match *m)
{
    const struct words *w = &r->w;
    int sentence = w->word[m->first].sentence;
    const struct sentence *s = &w->sentence[sentence];
    int first = s->first + (w->word[s->first].kind == WORD_BREAK);
    if (row->what == READ_FRACTIONS)
        return true;
    if (row->what == READ_YES_NO || row->what == READ_TRUE_FALSE || row->what == READ_CHOICE ||
        row->what == READ_ASKS_NUMBER)
        return s->question || m->first == first || asks(w, sentence) ||
               is_mark(w, m->first - 1, "(");
    return asks(w, sentence) || (!s->question && m->first == first);
}

/* ---- adding ---------------------------------------------------------------------------------- */

static char *copy(const char *s, size_t bytes)
{
    struct buf b = {0};
    buf_append(&b, s, bytes);
    return buf_take(&b);
}

/* A stretch of the prompt on one line, not much longer than a line of the screen. */
static char *quote_words(const char *s, size_t bytes)
{
    struct buf b = {0};
    bool cut = bytes > QUOTED_WORDS_MAX;
    size_t n = cut ? text_whole(s, QUOTED_WORDS_MAX) : bytes;
    bool blank = false;
    for (size_t i = 0; i < n; i++) {
        bool space = s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r');
        if (!space)
            buf_append(&b, s + i, 1);
        else if (!blank)
            buf_puts(&b, " ");
        blank = space;
    }
    if (cut)
        buf_puts(&b, "\xE2\x80\xA6");
    return buf_take(&b);
}

static bool is_same(const struct demand *a, const struct demand *b)
{
    return a->kind == b->kind && a->unit == b->unit && a->min == b->min && a->max == b->max &&
           strcmp(a->text, b->text) == 0;
}

/* Adds a demand; text and words are copied. One that stands there already is left out. */
static void add(struct reader *r, struct demand d, struct pattern_item text)
{
    struct demands *out = r->out;
    if (out->n == DEMANDS_MAX || d.min > d.max)
        return;
    d.text = copy(text.s, text.bytes);
    d.words = quote_words(r->w.text + d.at, d.bytes);
    for (int i = 0; i < out->n; i++)
        if (is_same(&out->demand[i], &d)) {
            free(d.text);
            free(d.words);
            return;
        }
    out->demand = mem_grow(out->demand, ((size_t)out->n + 1) * sizeof *out->demand);
    out->demand[out->n++] = d;
}

static void add_choice(struct demands *out, char letter, const char *s, size_t bytes)
{
    if (out->n_choice == CHOICES_MAX)
        return;
    out->choice = mem_grow(out->choice, ((size_t)out->n_choice + 1) * sizeof *out->choice);
    out->choice[out->n_choice++] = (struct choice){letter, copy(s, bytes)};
}

static struct demand place(const struct words *w, enum demand_kind kind, int first, int end)
{
    size_t at = w->word[first].at, last = w->word[end - 1].at + w->word[end - 1].bytes;
    return (struct demand){.kind = kind, .at = at, .bytes = last - at};
}

/* ---- from a match to demands ----------------------------------------------------------------- */

static void bound(struct demand *d, enum relation relation, const struct pattern_match *m)
{
    int n = m->number[0];
    d->min = 0;
    d->max = DEMAND_MANY;
    switch (relation) {
    case RELATE_EXACTLY: d->min = d->max = n; break;
    case RELATE_AT_MOST: d->max = n; break;
    case RELATE_AT_LEAST: d->min = n; break;
    case RELATE_LESS: d->max = n - 1; break;
    case RELATE_MORE: d->min = n + 1; break;
    case RELATE_BETWEEN: d->min = n; d->max = m->number[1]; break;
    case RELATE_ONCE: d->min = d->max = 1; break;
    case RELATE_TWICE: d->min = d->max = 2; break;
    case RELATE_EVER: d->min = 1; break;
    case RELATE_NEVER:
    case RELATE_NEVER_LETTER:
    case RELATE_NEVER_MARK: d->max = 0; break;
    default: d->max = 0; break;
    }
}

/* A mark or a letter counts inside of words. */
static void add_items(struct reader *r, struct demand d, const struct row *row,
                      const struct pattern_match *m)
{
    d.inside = row->relation == RELATE_NEVER_LETTER || row->relation == RELATE_NEVER_MARK;
    for (int i = 0; i < m->n_item; i++)
        if (m->item[i].bytes > 0 &&
            (row->relation != RELATE_NEVER_LETTER || m->item[i].bytes == 1))
            add(r, d, m->item[i]);
}

/* The language of "a python code block": the word before "code", unless it names the block. */
static struct pattern_item language(const struct words *w, const struct pattern_match *m)
{
    int i = m->end - 3;
    if (is_mark(w, i, "+"))
        return (struct pattern_item){"c++", 3};
    static const char none[] = "a|an|one|single|in|inside|as|within|with|use|fenced|markdown";
    if (i < m->first || words_any(w, i, none))
        return (struct pattern_item){"", 0};
    return (struct pattern_item){w->text + w->word[i].at, w->word[i].bytes};
}

static char letter_of(const struct pattern_item *item)
{
    char c = item->bytes == 1 ? item->s[0] : 0;
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c >= 'A' && c <= 'Z' ? c : 0;
}

static void add_choices(struct reader *r, struct demand d, const struct row *row,
                        const struct pattern_match *m)
{
    static const struct pattern_item yes_no[] = {{"yes", 3}, {"no", 2}};
    static const struct pattern_item true_false[] = {{"true", 4}, {"false", 5}};
    const struct pattern_item *item = row->what == READ_YES_NO ? yes_no :
                                      row->what == READ_TRUE_FALSE ? true_false : m->item;
    int n = item == m->item ? m->n_item : 2;
    if (r->out->n_choice || n < 2)
        return;
    for (int i = 0; i < n; i++)
        add_choice(r->out, letter_of(&item[i]), item[i].s, item[i].bytes);
    d.kind = DEMAND_CHOICE;
    add(r, d, (struct pattern_item){"", 0});
}

static enum piece_unit unit_of(enum reading what, enum piece_unit matched)
{
    return what == READ_NUMBERED ? PIECE_NUMBERED : what == READ_BULLETS ? PIECE_BULLET :
           what == READ_ITEMS ? PIECE_ITEM : matched;
}

static void read_match(struct reader *r, const struct row *row, const struct pattern_match *m)
{
    struct pattern_item none = {"", 0};
    struct demand d = place(&r->w, (enum demand_kind)row->what, m->first, m->end);
    bound(&d, row->relation, m);
    switch (row->what) {
    case READ_ASKS_NUMBER: r->out->asks_number = true; break;
    case READ_FRACTIONS: r->out->fractions = true; break;
    case READ_YES_NO:
    case READ_TRUE_FALSE:
    case READ_CHOICE: add_choices(r, d, row, m); break;
    case READ_COUNT:
    case READ_NUMBERED:
    case READ_BULLETS:
    case READ_ITEMS:
        d.kind = DEMAND_COUNT;
        d.unit = unit_of(row->what, m->unit);
        add(r, d, none);
        break;
    case READ_KEY:
    case READ_OCCURS: add_items(r, d, row, m); break;
    case READ_BEGINS:
    case READ_ENDS:
        if (m->n_item == 1 && m->item[0].bytes > 0)
            add(r, d, m->item[0]);
        break;
    case READ_CODE: add(r, d, language(&r->w, m)); break;
    case READ_SHAPE: add(r, d, row->text ? (struct pattern_item){row->text, strlen(row->text)}
                                         : m->shape); break;
    case READ_JSON_ONLY:
        d.kind = DEMAND_JSON;
        add(r, d, none);
        d.kind = DEMAND_ONLY;
        add(r, d, none);
        break;
    default: add(r, d, none); break;
    }
}

static bool is_taken(const struct reader *r, const struct pattern_match *m)
{
    for (int i = m->first; i < m->end; i++)
        if (r->taken[i])
            return true;
    return false;
}

/* Lists must be long enough to be choices: else the words are free for other rows. */
static bool is_enough(const struct row *row, const struct pattern_match *m)
{
    if (row->relation == RELATE_OR)
        return m->is_or && m->n_item >= 2;
    return row->relation != RELATE_LIST || m->n_item >= 2;
}

static void read_row(struct reader *r, const struct row *row)
{
    struct pattern_match m;
    for (int i = 0; i < r->w.n; i++) {
        if (r->taken[i] || r->material[r->w.word[i].sentence] ||
            !pattern_match(&r->w, i, row->pattern, &m))
            continue;
        if (is_taken(r, &m) || !is_enough(row, &m) || !is_meant(r, row, &m))
            continue;
        memset(r->taken + m.first, 1, (size_t)(m.end - m.first));
        if (!refuses(r, row, &m))
            read_match(r, row, &m);
    }
}

/* ---- lettered options ------------------------------------------------------------------------ */

/* The bytes of a mark of option `letter` at s: "(B) ", "B) ", at a line's beginning also "B. " and
 * "B: "; small letters too, in brackets. 0: none. */
static size_t option_mark(const char *s, size_t n, char letter, bool line)
{
    size_t open = n > 0 && s[0] == '(';
    if (n < open + 3)
        return 0;
    char c = s[open], close = s[open + 1], blank = s[open + 2];
    bool small = c >= 'a' && c <= 'z';
    if ((small ? c - 32 : c) != letter || (blank != ' ' && blank != '\t'))
        return 0;
    if (close == ')')
        return open + 2;
    return !open && line && !small && (close == '.' || close == ':') ? 2 : 0;
}

/* Where an option's text ends: at the line's end or before the mark of the next letter. A longer
 * text than an option has is cut. */
static size_t option_end(const char *s, size_t n, char next)
{
    n = n < OPTION_BYTES_MAX ? n : OPTION_BYTES_MAX;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '\n' || (i > 0 && s[i - 1] == ' ' && option_mark(s + i, n - i, next, false)))
            return i;
    return n;
}

/* Reads "A) Paris B) Rome" or one a line, from letter A on. Returns the bytes read; 0: none. */
static size_t read_options(struct demands *out, const char *s, size_t n, bool line)
{
    size_t at = 0, end = 0;
    for (char letter = 'A'; letter <= 'Z'; letter++) {
        size_t mark = option_mark(s + at, n - at, letter, line);
        if (mark == 0)
            break;
        at += mark;
        size_t bytes = option_end(s + at, n - at, (char)(letter + 1));
        struct piece text = piece_trim((struct piece){s + at, bytes});
        while (text.bytes && strchr(",;", text.s[text.bytes - 1]))
            text.bytes--;
        add_choice(out, letter, text.s, text.bytes);
        end = at += bytes;
        line = at < n && s[at] == '\n';
        while (at < n && (s[at] == ' ' || s[at] == '\n' || s[at] == '\r' || s[at] == '\t' ||
                          s[at] == '-' || s[at] == '*'))
            line = line || s[at] == '\n', at++;
    }
    return out->n_choice >= 2 ? end : 0;
}

static bool is_choice_question(const struct words *w)
{
    for (int k = 0; k < w->n_sentence; k++)
        if (w->sentence[k].question)
            return true;
    return any_between(w, 0, w->n, "choose|select|pick|which|option|options|correct|answer");
}

/* Reads the list of options whose first mark holds word k, if there is one; returns its bytes. */
static size_t options_at(const struct words *w, int k, struct demands *found, size_t *at)
{
    const struct word *word = &w->word[k];
    *at = word->at;
    if (word->kind != WORD_PLAIN || word->bytes != 1 || (w->text[*at] | 32) != 'a')
        return 0;
    int open = *at > 0 && w->text[*at - 1] == '(';
    *at -= (size_t)open;
    bool line = k <= open || w->word[k - 1 - open].kind == WORD_BREAK;
    return read_options(found, w->text + *at, w->bytes - *at, line);
}

/* The last list of options of the part of the prompt that is read. */
static void find_options(struct reader *r)
{
    struct demand d = {.kind = DEMAND_CHOICE};
    for (int k = 0; k < r->w.n; k++) {
        struct demands found = {0};
        size_t at, bytes = options_at(&r->w, k, &found, &at);
        if (bytes && is_choice_question(&r->w)) {
            struct choice *old = r->out->choice;
            int n_old = r->out->n_choice;
            r->out->choice = found.choice;
            r->out->n_choice = found.n_choice;
            found.choice = old;
            found.n_choice = n_old;
            d.at = at;
            d.bytes = bytes;
        }
        demands_release(&found);
    }
    if (d.bytes)
        add(r, d, (struct pattern_item){"", 0});
}

/* ---- afterwards ------------------------------------------------------------------------------ */

/* The keys of a template such as {"name": "...", "age": ...} that the prompt calls a format. */
static void find_template(struct reader *r)
{
    static const char before[] = "format|form|schema|structure|shape|like|template";
    const struct words *w = &r->w;
    for (int i = 1; i < w->n; i++) {
        if (!is_mark(w, i, "{") || r->material[w->word[i].sentence] ||
            !any_between(w, i > 5 ? i - 5 : 0, i, before))
            continue;
        int depth = 0;
        for (int k = i; k < w->n; k++) {
            depth += is_mark(w, k, "{[");
            depth -= is_mark(w, k, "}]");
            if (depth == 0)
                break;
            if (depth == 1 && w->word[k].kind == WORD_QUOTED && is_mark(w, k + 1, ":"))
                add(r, place(w, DEMAND_KEY, k, k + 1),
                    (struct pattern_item){w->text + w->word[k].inner, w->word[k].inner_bytes});
        }
    }
}

/* Keys and "nothing else" mean something beside JSON alone. */
static void drop_lonely(struct demands *out)
{
    bool json = demands_find(out, DEMAND_JSON) != NULL;
    for (int i = out->n; i-- > 0;)
        if (!json && (out->demand[i].kind == DEMAND_KEY || out->demand[i].kind == DEMAND_ONLY))
            demands_drop(out, i);
}

/* The words that ask for unit i of demand_sign(). */
static const char *const sign_words[] = {
    "dollar|dollars|usd|$", "euro|euros|eur", "pound|pounds|gbp", "percent|percentage|%",
};

static bool holds(const struct words *w, const char *sign)
{
    size_t n = strlen(sign);
    for (int i = 0; i < w->n; i++)
        for (size_t k = 0; n > 1 && k + n <= w->word[i].bytes; k++)
            if (memcmp(w->text + w->word[i].at + k, sign, n) == 0)
                return true;
    return false;
}

static void find_signs(struct reader *r)
{
    for (int i = 0; demand_sign(i); i++)
        if (any_between(&r->w, 0, r->w.n, sign_words[i]) || holds(&r->w, demand_sign(i)))
            r->out->signs |= 1u << i;
}

/* ---- public ---------------------------------------------------------------------------------- */

void demands_read(struct demands *out, const char *prompt, size_t bytes)
{
    *out = (struct demands){0};
    struct reader r = {.out = out};
    words_read(&r.w, prompt, bytes);
    r.taken = mem_new((size_t)r.w.n + 1);
    r.material = mem_new((size_t)r.w.n_sentence + 1);
    find_material(&r);
    find_options(&r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        read_row(&r, &rows[i]);
    if (demands_find(out, DEMAND_JSON))
        find_template(&r);
    drop_lonely(out);
    find_signs(&r);
    free(r.taken);
    free(r.material);
    words_release(&r.w);
}
