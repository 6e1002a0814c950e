/* recall.c -- see recall.h. */
#include "app/recall.h"

#include <stdio.h>
#include <string.h>

enum { FACT_BYTES = 80, NEEDLES = 10, KEYS = RECALL_MAX };

static const char *const places[NEEDLES] = {
    "harbour", "lighthouse", "orchard", "museum", "bakery",
    "observatory", "railway station", "vineyard", "town hall", "windmill",
};

/* splitmix64: the n-th number of a seed. */
static uint64_t random_at(uint64_t seed, uint64_t n)
{
    uint64_t x = seed + (n + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* A fact: what is asked, and the whole of it. */
struct fact {
    char question[FACT_BYTES], whole[FACT_BYTES + 16];
};

static struct fact needle(uint64_t seed, int i)
{
    struct fact f;
    unsigned number = (unsigned)(random_at(seed, (uint64_t)i) % 90000 + 10000);
    snprintf(f.question, sizeof f.question, "\nThe secret number of the %s is", places[i]);
    snprintf(f.whole, sizeof f.whole, "%s %u", f.question, number);
    return f;
}

/* Line i. Keys are three syllables, and no two are the same: a step that shares no factor with the
 * number of keys goes through all of them. */
static struct fact line(uint64_t seed, int i)
{
    static const char consonants[] = "bdfgklmnprstvz", vowels[] = "aeiou";
    enum { SYLLABLES = 14 * 5, ALL = SYLLABLES * SYLLABLES * SYLLABLES, STEP = 123457 };
    unsigned key = (unsigned)((seed + (uint64_t)i * STEP) % ALL);
    unsigned number = (unsigned)(random_at(seed, (uint64_t)i) % 9000 + 1000);
    char name[8] = {0};
    struct fact f;
    for (int at = 0; at < 6; at += 2, key /= SYLLABLES) {
        name[at] = consonants[key % SYLLABLES / 5];
        name[at + 1] = vowels[key % 5];
    }
    snprintf(f.question, sizeof f.question, "\n%s =", name);
    snprintf(f.whole, sizeof f.whole, "%s %u", f.question, number);
    return f;
}

static bool add_text(const struct engine *e, const char *text, struct tokens *out, struct err *err)
{
    return engine_tokenize(e, text, strlen(text), out, err);
}

/* The question is what the tokens of question and whole have in common. */
static bool add_ask(struct recall *r, const struct engine *e, const struct fact *f,
                    struct err *err)
{
    struct recall_ask *ask = &r->ask[r->n++];
    struct tokens question = {0};
    bool ok = add_text(e, f->whole, &ask->ids, err) && add_text(e, f->question, &question, err);
    while (ok && ask->n_question < question.n &&
           ask->ids.id[ask->n_question] == question.id[ask->n_question])
        ask->n_question++;
    tokens_release(&question);
    return ok;
}

static bool ends_line(const struct engine *e, int32_t id)
{
    size_t bytes;
    const char *piece = engine_piece(e, id, false, &bytes);
    return bytes > 0 && piece[bytes - 1] == '\n';
}

/* Hay from *at on until the text has n tokens, and then to the end of a line that is near. */
static bool add_hay(struct recall *r, const struct engine *e, const struct recall_opts *o, int *at,
                    int n, struct err *err)
{
    enum { NEAR = 200 };
    int from = *at, most = o->n_text - r->text.n;
    int take = n > r->text.n ? n - r->text.n : 0;
    most = take + NEAR < most ? take + NEAR : most;
    while (take < most && (take == 0 || !ends_line(e, o->hay[from + take - 1])))
        take++;
    *at = from + take;
    return tokens_append(&r->text, o->hay + from, take, err);
}

static bool make_needles(struct recall *r, const struct engine *e, const struct recall_opts *o,
                         struct err *err)
{
    int at = 0;
    for (int i = 0; i < NEEDLES; i++) {
        struct fact f = needle(o->seed, i);
        if (!add_hay(r, e, o, &at, (int)((int64_t)o->n_text * (2 * i + 1) / (2 * NEEDLES)), err) ||
            !add_text(e, f.whole, &r->text, err) || !add_text(e, ".\n", &r->text, err) ||
            !add_ask(r, e, &f, err))
            return false;
    }
    if (r->text.n >= o->n_text)
        return err_set(err, ERR_INPUT, "%d tokens are too few for %d facts", o->n_text, NEEDLES);
    return add_hay(r, e, o, &at, o->n_text, err);
}

static bool make_keys(struct recall *r, const struct engine *e, const struct recall_opts *o,
                      struct err *err)
{
    int n = 0, held;
    do {
        struct fact f = line(o->seed, n++);
        held = r->text.n;
        if (!add_text(e, f.whole, &r->text, err))
            return false;
    } while (r->text.n < o->n_text);
    n -= r->text.n > o->n_text;
    r->text.n = r->text.n > o->n_text ? held : r->text.n;
    if (n < KEYS)
        return err_set(err, ERR_INPUT, "%d tokens are too few for %d lines", o->n_text, KEYS);
    for (int i = 0; i < KEYS; i++) {
        struct fact f = line(o->seed, n * (2 * i + 1) / (2 * KEYS));
        if (!add_ask(r, e, &f, err))
            return false;
    }
    return true;
}

bool recall_make(struct recall *r, const struct engine *e, const struct recall_opts *o,
                 struct err *err)
{
    *r = (struct recall){0};
    return o->kind == RECALL_NEEDLE ? make_needles(r, e, o, err) : make_keys(r, e, o, err);
}

void recall_release(struct recall *r)
{
    for (int i = 0; i < r->n; i++)
        tokens_release(&r->ask[i].ids);
    tokens_release(&r->text);
    *r = (struct recall){0};
}
