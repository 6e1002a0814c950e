/* conversation.c -- the messages: append, cut, and the copy of them that a backend gets.
 *
 * Arrays have no capacity field: they hold room for the next power of two, so that a long log is
 * read in linear time. */
#include "app/conversation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app/made.h"
#include "ui/buf.h"

enum {
    TITLE_CHARS = 60,      /* of a title made from a question */
    TITLE_CHARS_MAX = 200  /* of one that was given */
};

/* ---- ids ------------------------------------------------------------------------------------ */

void ids_append(struct ids *a, const int32_t *id, int n)
{
    assert(n >= 0 && n <= INT32_MAX - a->n);
    if (n == 0)
        return;
    if (a->n + n > a->cap) {
        int64_t cap = a->cap ? (int64_t)a->cap * 2 : 16;
        while (cap < a->n + n)
            cap *= 2;
        a->cap = cap < INT32_MAX ? (int)cap : INT32_MAX;
        a->id = mem_grow(a->id, (size_t)a->cap * sizeof *a->id);
    }
    memcpy(a->id + a->n, id, (size_t)n * sizeof *id);
    a->n += n;
}

void ids_release(struct ids *a)
{
    free(a->id);
    *a = (struct ids){0};
}

/* ---- replies -------------------------------------------------------------------------------- */

const char *reason_name(enum reply_reason r)
{
    static const char *const names[REASON_COUNT] = {
        [REASON_STOP] = "stop",           [REASON_LENGTH] = "length",
        [REASON_CONTEXT] = "context",     [REASON_CANCELLED] = "cancelled",
        [REASON_ERROR] = "error",         [REASON_LOOP] = "loop",
    };
    assert((int)r >= 0 && r < REASON_COUNT);
    return names[r];
}

/* Makes room for one more element of an array that holds n and returns the array. The new
 * element is zero. */
static void *array_grow(void *array, int n, size_t element)
{
    char *a = array;
    assert(n >= 0 && n < INT32_MAX / 2);
    if ((n & (n - 1)) == 0)
        a = mem_grow(a, (n ? (size_t)n * 2 : 1) * element);
    memset(a + (size_t)n * element, 0, element);
    return a;
}

void reply_release(struct reply *r)
{
    for (int i = 0; i < r->n_part; i++) {
        free(r->part[i].text);
        ids_release(&r->part[i].doubt);
    }
    free(r->part);
    free(r->said);
    ids_release(&r->ids);
    ids_release(&r->thought);
    made_free(&r->made);
    *r = (struct reply){0};
}

void reply_thought(struct reply *r, int from, int n)
{
    struct ids *t = &r->thought;
    const int32_t pair[] = {from, from + n};
    if (n == 0)
        return;
    if (t->n > 0 && t->id[t->n - 1] == from)
        t->id[t->n - 1] = from + n;
    else
        ids_append(t, pair, 2);
}

void reply_made(struct reply *r, const struct made *m)
{
    made_free(&r->made);
    r->made = made_copy(m);
}

bool reply_folds(const struct reply *r)
{
    bool thinks = false;
    for (int i = 0; i < r->n_part; i++)
        thinks = thinks || r->part[i].kind == PART_THINKING;
    return thinks && !r->folded && r->thought.n > 0;
}

void reply_context(const struct reply *r, bool folded, struct ids *out)
{
    int from = 0;
    for (int i = 0; folded && i < r->thought.n; i += 2) {
        ids_append(out, r->ids.id + from, r->thought.id[i] - from);
        from = r->thought.id[i + 1];
    }
    ids_append(out, r->ids.id + from, r->ids.n - from);
}

static struct part *reply_part(struct reply *r, enum part_kind kind, enum mode_id mode)
{
    struct part *last = r->n_part ? &r->part[r->n_part - 1] : NULL;
    if (last && last->kind == kind && last->mode == mode)
        return last;
    r->part = array_grow(r->part, r->n_part, sizeof *r->part);
    last = &r->part[r->n_part++];
    last->kind = kind;
    last->mode = mode;
    last->text = mem_dup("");
    return last;
}

struct part *reply_text(struct reply *r, enum part_kind kind, enum mode_id mode, const char *text,
                        size_t bytes)
{
    struct part *p = reply_part(r, kind, mode);
    size_t have = strlen(p->text);
    p->text = mem_grow(p->text, have + bytes + 1);
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != 0) /* a model may say byte 0; it would hide all that follows */
            p->text[have++] = text[i];
    p->text[have] = 0;
    return p;
}

char *reply_join(const struct reply *r, enum part_kind kind)
{
    struct buf b = {0};
    for (int i = 0; i < r->n_part; i++)
        if (r->part[i].kind == kind)
            buf_puts(&b, r->part[i].text);
    return buf_take(&b);
}

char *reply_answer(const struct reply *r)
{
    char *text = reply_join(r, PART_ANSWER);
    size_t blank = strspn(text, " \n");
    memmove(text, text + blank, strlen(text + blank) + 1);
    return text;
}

int reply_context_tokens(const struct reply *r)
{
    int n = r->ids.n;
    for (int i = 0; r->folded && i < r->thought.n; i += 2)
        n -= r->thought.id[i + 1] - r->thought.id[i];
    return n;
}

/* ---- the conversation ------------------------------------------------------------------------ */

void conversation_init(struct conversation *c)
{
    *c = (struct conversation){0};
    c->title = mem_dup("");
    c->system = mem_dup("");
    c->model = mem_dup("");
    c->parent = mem_dup("");
    c->mode = MODE_FLASH;
}

static void turn_release(struct turn *t)
{
    for (int i = 0; i < t->n_reply; i++)
        reply_release(&t->reply[i]);
    free(t->reply);
    free(t->question);
    free(t->why);
    ids_release(&t->ids);
}

void conversation_release(struct conversation *c)
{
    conversation_cut(c, 0);
    free(c->turn);
    free(c->title);
    free(c->system);
    free(c->model);
    free(c->parent);
    ids_release(&c->begin);
    ids_release(&c->kept);
    *c = (struct conversation){0};
}

/* Bytes of text that hold at most n characters. */
static size_t text_head(const char *text, size_t bytes, int n)
{
    size_t i = 0;
    while (i < bytes && (n > 0 || ((unsigned char)text[i] & 0xC0) == 0x80)) {
        if (((unsigned char)text[i] & 0xC0) != 0x80)
            n--;
        i++;
    }
    return i;
}

/* A control character counts as a blank. */
static bool is_blank(char c)
{
    return (unsigned char)c <= 32 || c == 127;
}

/* The first line of a text that says something, at most n characters, cut at a word if it has to
 * be cut; without control characters. */
static char *title_new(const char *text, int n)
{
    while (*text && is_blank(*text))
        text++;
    size_t line = strcspn(text, "\r\n"), bytes = text_head(text, line, n);
    if (bytes < line && !is_blank(text[bytes])) {
        size_t word = bytes;
        while (word > 0 && !is_blank(text[word - 1]))
            word--;
        if (word > 0)
            bytes = word;
    }
    while (bytes > 0 && is_blank(text[bytes - 1]))
        bytes--;
    struct buf b = {0};
    buf_append(&b, text, bytes);
    for (size_t i = 0; i < b.bytes; i++)
        if (is_blank(b.data[i]))
            b.data[i] = ' ';
    return buf_take(&b);
}

/* Behind a file that the text begins with, as attach_file() writes it: its name, a fence, the lines
 * between and the same fence. NULL: it begins with none. */
static const char *behind_file(const char *text)
{
    const char *open = strchr(text, '\n');
    if (!open || open == text || open[-1] != ':')
        return NULL;
    size_t n = strspn(++open, "`");
    for (const char *at = open; n >= 3 && (at = strchr(at, '\n'));)
        if (strspn(++at, "`") == n && (at[n] == '\n' || !at[n]))
            return at + n;
    return NULL;
}

/* What is asked about files says more than the name of the first. */
static const char *title_text(const char *question)
{
    const char *text = question + strspn(question, " \r\n"), *next;
    while ((next = behind_file(text)))
        text = next + strspn(next, " \r\n");
    return *text ? text : question;
}

void conversation_title(struct conversation *c, const char *title)
{
    char *made = title_new(title, TITLE_CHARS_MAX);
    free(c->title);
    c->title = made;
}

int conversation_ask(struct conversation *c, const char *question, enum mode_id mode)
{
    c->turn = array_grow(c->turn, c->n_turn, sizeof *c->turn);
    struct turn *t = &c->turn[c->n_turn];
    t->question = mem_dup(question);
    t->mode = mode;
    t->chosen = -1;
    if (c->title[0] == 0) {
        free(c->title);
        c->title = title_new(title_text(question), TITLE_CHARS);
    }
    return c->n_turn++;
}

struct reply *conversation_reply(struct conversation *c, int turn)
{
    assert(turn >= 0 && turn < c->n_turn);
    struct turn *t = &c->turn[turn];
    t->reply = array_grow(t->reply, t->n_reply, sizeof *t->reply);
    t->chosen = t->n_reply++;
    return &t->reply[t->chosen];
}

int conversation_put(struct conversation *c, int turn, struct reply *r)
{
    *conversation_reply(c, turn) = *r;
    *r = (struct reply){0};
    return c->turn[turn].chosen;
}

void conversation_pull(struct conversation *c, int turn, int i, struct reply *out)
{
    struct turn *t = &c->turn[turn];
    assert(i >= 0 && i < t->n_reply);
    *out = t->reply[i];
    memmove(t->reply + i, t->reply + i + 1, (size_t)(t->n_reply - i - 1) * sizeof *t->reply);
    t->chosen = --t->n_reply - 1;
}

void conversation_choice(struct conversation *c, int turn, int of, int candidate, const char *why)
{
    struct turn *t = &c->turn[turn];
    char *copy = mem_dup(why);
    free(t->why);
    t->why = copy;
    t->n_candidates = of;
    t->candidate = candidate;
}

void conversation_cut(struct conversation *c, int n_turn)
{
    assert(n_turn >= 0 && n_turn <= c->n_turn);
    while (c->n_turn > n_turn)
        turn_release(&c->turn[--c->n_turn]);
    if (n_turn < c->n_dropped)
        conversation_drop(c, 0, NULL, 0);
}

void conversation_drop(struct conversation *c, int n_turn, const int32_t *kept, int n)
{
    assert(n_turn >= 0 && n_turn <= c->n_turn);
    struct ids fresh = {0}; /* kept may be c->kept.id */
    ids_append(&fresh, kept, n);
    ids_release(&c->kept);
    c->kept = fresh;
    c->n_dropped = n_turn;
}

static void reply_drop_ids(struct reply *r)
{
    ids_release(&r->ids);
    ids_release(&r->thought);
}

static void conversation_drop_ids(struct conversation *c)
{
    ids_release(&c->begin);
    ids_release(&c->kept);
    for (int t = 0; t < c->n_turn; t++) {
        ids_release(&c->turn[t].ids);
        for (int r = 0; r < c->turn[t].n_reply; r++)
            reply_drop_ids(&c->turn[t].reply[r]);
    }
}

void conversation_model(struct conversation *c, const char *model, uint64_t fingerprint)
{
    if (c->fingerprint != fingerprint)
        conversation_drop_ids(c);
    c->fingerprint = fingerprint;
    char *name = mem_dup(model); /* model may be c->model */
    free(c->model);
    c->model = name;
}

/* ---- the prompt ------------------------------------------------------------------------------ */

static const struct reply *turn_reply(const struct turn *t)
{
    return t->chosen < 0 ? NULL : &t->reply[t->chosen];
}

static struct message *prompt_add(struct prompt *p, enum message_role role, char *text,
                                  const struct ids *ids)
{
    p->message = array_grow(p->message, p->n, sizeof *p->message);
    struct message *m = &p->message[p->n++];
    m->role = role;
    m->text = text;
    ids_append(&m->ids, ids->id, ids->n);
    return m;
}

static void prompt_make(const struct conversation *c, int turn, bool folded, struct prompt *out)
{
    *out = (struct prompt){0};
    struct message *begin = prompt_add(out, MESSAGE_SYSTEM, mem_dup(c->system), &c->begin);
    if (c->begin.n > 0)
        ids_append(&begin->ids, c->kept.id, c->kept.n);
    int n = turn < 0 ? c->n_turn : turn;
    for (int i = c->n_dropped; i < n; i++) {
        const struct turn *t = &c->turn[i];
        const struct reply *r = turn_reply(t);
        if (!r)
            continue;
        prompt_add(out, MESSAGE_USER, mem_dup(t->question), &t->ids);
        struct ids ids = {0};
        reply_context(r, r->folded || (folded && reply_folds(r)), &ids);
        prompt_add(out, MESSAGE_ASSISTANT, reply_join(r, PART_ANSWER), &ids);
        ids_release(&ids);
    }
    if (turn >= 0)
        prompt_add(out, MESSAGE_USER, mem_dup(c->turn[turn].question), &c->turn[turn].ids);
}

void conversation_prompt(const struct conversation *c, int turn, struct prompt *out)
{
    assert(turn >= -1 && turn < c->n_turn);
    prompt_make(c, turn, false, out);
}

void conversation_folded(const struct conversation *c, struct prompt *out)
{
    prompt_make(c, -1, true, out);
}

int conversation_folds(const struct conversation *c, int from)
{
    for (int i = from > c->n_dropped ? from : c->n_dropped; i < c->n_turn; i++) {
        const struct reply *r = turn_reply(&c->turn[i]);
        if (r && reply_folds(r))
            return i;
    }
    return -1;
}

void prompt_release(struct prompt *p)
{
    for (int i = 0; i < p->n; i++) {
        free(p->message[i].text);
        ids_release(&p->message[i].ids);
    }
    free(p->message);
    *p = (struct prompt){0};
}

/* The turn that message i (>= 1) of the prompt of that turn belongs to; *answer: it is its answer,
 * not its question. -1: the prompt has no such message. */
static int prompt_turn(const struct conversation *c, int turn, int i, bool *answer)
{
    int n = turn < 0 ? c->n_turn : turn;
    i--;
    *answer = i % 2 == 1;
    for (int k = c->n_dropped; k < n; k++) {
        if (c->turn[k].chosen < 0)
            continue;
        if (i < 2)
            return k;
        i -= 2;
    }
    return i == 0 ? turn : -1;
}

int conversation_rendered(struct conversation *c, int turn, int i, const int32_t *id, int n)
{
    assert(turn >= -1 && turn < c->n_turn && i >= 0);
    bool answer = false;
    int k = i == 0 ? -1 : prompt_turn(c, turn, i, &answer);
    if (i > 0 && k < 0)
        return -1;
    struct turn *t = i == 0 ? NULL : &c->turn[k];
    if (!t)
        ids_release(&c->kept); /* the backend did not know what they stood behind */
    if (answer)
        ids_release(&t->reply[t->chosen].thought); /* it is rendered without */
    struct ids *a = !t ? &c->begin : answer ? &t->reply[t->chosen].ids : &t->ids;
    a->n = 0;
    ids_append(a, id, n);
    return k;
}
