/* check.c -- see check.h. A row of functions, one for each kind of demand. */
#include "app/check.h"

#include <string.h>
#include <wctype.h>

#include "app/answer.h"
#include "app/json.h"
#include "ui/text.h"

/* What a check looks at and says. */
struct checked {
    const struct demands *all;
    const struct demand *d;
    struct piece text;
    struct buf *why;
};

/* Says what was found and hands the result on. */
static bool say(const struct checked *c, bool kept, const char *text)
{
    buf_puts(c->why, text);
    return kept;
}

static bool check_json(const struct checked *c)
{
    struct piece json;
    bool kept = piece_json(c->text, &json);
    return say(c, kept, kept ? "valid JSON" : "no valid JSON");
}

static bool check_only(const struct checked *c)
{
    struct piece json, text = piece_trim(c->text);
    bool kept = piece_json(text, &json) && json.bytes == text.bytes;
    return say(c, kept, kept ? "nothing but JSON" : "more than JSON alone");
}

static bool check_key(const struct checked *c)
{
    struct piece text;
    struct json *json = piece_json(c->text, &text) ? json_parse(text.s, text.bytes) : NULL;
    bool kept = json && json_has(json, c->d->text, strlen(c->d->text));
    buf_printf(c->why, "%s key \"%s\"", kept ? "has" : "lacks", c->d->text);
    json_free(&json);
    return kept;
}

static bool check_code(const struct checked *c)
{
    bool kept = piece_code(c->text, c->d->text);
    buf_printf(c->why, "%s %s%scode block", kept ? "has a" : "no closed", c->d->text,
               *c->d->text ? " " : "");
    return kept;
}

static bool check_count(const struct checked *c)
{
    int n = piece_count(c->text, c->d->unit);
    bool kept = n >= c->d->min && n <= c->d->max;
    buf_printf(c->why, "%d %s", n, piece_unit_name(c->d->unit, n));
    if (!kept) {
        buf_puts(c->why, ", not ");
        demand_describe(c->d, c->why);
    }
    return kept;
}

static bool check_occurs(const struct checked *c)
{
    int n = piece_occurs(c->text, piece_of(c->d->text), c->d->inside);
    bool kept = n >= c->d->min && n <= c->d->max;
    if (n == 0)
        buf_printf(c->why, "\"%s\" is not in it", c->d->text);
    else
        buf_printf(c->why, "\"%s\" is in it %d time%s", c->d->text, n, n == 1 ? "" : "s");
    return kept;
}

/* Letters beyond ASCII are judged as the locale does. */
static bool has_letter(struct piece text, bool upper)
{
    for (size_t used; text.bytes; text.s += used, text.bytes -= used) {
        wint_t ch = (wint_t)text_decode(text.s, text.bytes, &used);
        if (upper ? iswupper(ch) : iswlower(ch))
            return true;
    }
    return false;
}

static bool check_lower(const struct checked *c)
{
    bool kept = !has_letter(c->text, true);
    return say(c, kept, kept ? "no capital letters" : "has capital letters");
}

static bool check_upper(const struct checked *c)
{
    bool kept = !has_letter(c->text, false);
    return say(c, kept, kept ? "no small letters" : "has small letters");
}

/* The bytes of a quote or of emphasis at s, which do not count at a beginning or an end. */
static size_t wrapping(const char *s, size_t n)
{
    if (n > 0 && strchr("\"'*_` \t\n", *s) && *s)
        return 1;
    return n >= 3 && memcmp(s, "\xE2\x80", 2) == 0 && (unsigned char)s[2] >= 0x98 &&
           (unsigned char)s[2] <= 0x9D ? 3 : 0;
}

static struct piece unwrap(struct piece p)
{
    p = piece_trim(p);
    for (size_t n; (n = wrapping(p.s, p.bytes)) > 0; p.bytes -= n)
        p.s += n;
    while (p.bytes) {
        size_t n = p.bytes >= 3 ? wrapping(p.s + p.bytes - 3, 3) : 0;
        if (n != 3)
            n = wrapping(p.s + p.bytes - 1, 1);
        if (n == 0)
            break;
        p.bytes -= n;
    }
    return p;
}

static bool is_wordly(char ch)
{
    return (ch >= '0' && ch <= '9') || ((ch | 32) >= 'a' && (ch | 32) <= 'z') ||
           (unsigned char)ch >= 128;
}

static bool check_begins(const struct checked *c)
{
    struct piece text = unwrap(c->text), what = unwrap(piece_of(c->d->text));
    struct piece begin = {text.s, what.bytes};
    bool kept = what.bytes <= text.bytes && piece_equal(begin, what) &&
                (what.bytes == text.bytes || what.bytes == 0 ||
                 !is_wordly(what.s[what.bytes - 1]) || !is_wordly(text.s[what.bytes]));
    buf_printf(c->why, "%s with \"%s\"", kept ? "begins" : "does not begin", c->d->text);
    return kept;
}

/* After a last word a full stop may follow; a text that ends in a mark must end in it. */
static bool check_ends(const struct checked *c)
{
    struct piece text = unwrap(c->text), what = unwrap(piece_of(c->d->text));
    bool word = what.bytes && is_wordly(what.s[what.bytes - 1]);
    while (word && text.bytes && strchr(".!?", text.s[text.bytes - 1]) && text.s[text.bytes - 1])
        text = unwrap((struct piece){text.s, text.bytes - 1});
    bool kept = what.bytes <= text.bytes;
    if (kept) {
        struct piece end = {text.s + (text.bytes - what.bytes), what.bytes};
        kept = piece_equal(end, what) &&
               (end.s == text.s || !is_wordly(end.s[-1]) || !is_wordly(what.s[0]));
    }
    buf_printf(c->why, "%s with \"%s\"", kept ? "ends" : "does not end", c->d->text);
    return kept;
}

static bool check_answer(const struct checked *c, enum answer_kind kind, const char *none)
{
    struct buf answer = {0};
    bool kept = answer_read(c->all, kind, c->text, &answer);
    buf_puts(c->why, kept ? buf_text(&answer) : none);
    buf_release(&answer);
    return kept;
}

static bool check_choice(const struct checked *c)
{
    return check_answer(c, ANSWER_CHOICE, "none of the options");
}

static bool check_number(const struct checked *c)
{
    struct buf answer = {0};
    bool kept = answer_number(c->all, c->text, &answer);
    buf_puts(c->why, kept ? buf_text(&answer) : "not one number");
    buf_release(&answer);
    return kept;
}

static bool check_shape(const struct checked *c)
{
    struct piece found;
    bool kept = piece_shape(c->text, c->d->text, &found);
    buf_printf(c->why, kept ? "has the form %s" : "nothing of the form %s", c->d->text);
    return kept;
}

static bool check_short(const struct checked *c)
{
    return check_answer(c, ANSWER_SHORT, "more than a few words");
}

bool demand_check(const struct demands *d, int i, struct piece text, struct buf *why)
{
    static bool (*const row[DEMAND_KINDS])(const struct checked *) = {
        [DEMAND_JSON] = check_json, [DEMAND_ONLY] = check_only, [DEMAND_KEY] = check_key,
        [DEMAND_CODE] = check_code, [DEMAND_COUNT] = check_count,
        [DEMAND_OCCURS] = check_occurs, [DEMAND_LOWER] = check_lower,
        [DEMAND_UPPER] = check_upper, [DEMAND_BEGINS] = check_begins,
        [DEMAND_ENDS] = check_ends, [DEMAND_CHOICE] = check_choice,
        [DEMAND_NUMBER] = check_number, [DEMAND_SHAPE] = check_shape,
        [DEMAND_SHORT] = check_short,
    };
    struct buf unread = {0};
    struct checked c = {d, &d->demand[i], text, why ? why : &unread};
    bool kept = row[c.d->kind](&c);
    buf_release(&unread);
    return kept;
}

int demands_check(const struct demands *d, struct piece text, struct buf *why)
{
    if (piece_trim(text).bytes == 0) {
        if (why)
            buf_puts(why, "empty\n");
        return 0;
    }
    int n = 0;
    for (int i = 0; i < d->n; i++) {
        struct buf line = {0};
        bool kept = demand_check(d, i, text, &line);
        n += kept;
        if (why && !kept)
            buf_printf(why, "%s\n", buf_text(&line));
        buf_release(&line);
    }
    return n;
}
