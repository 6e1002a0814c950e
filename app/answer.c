/* answer.c -- see answer.h. First the place where the answer stands, then its normal form. */
#include "app/answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "app/words.h"
#include "ui/text.h"

enum {
    DIGITS_MAX = 300,      /* of a number that is compared */
    EXPONENT_MAX = 300,
    SHORT_WORDS_MAX = 6,
    SHORT_BYTES_MAX = 120,
    READ_MAX = 1 << 16,    /* of a longer reply its end is read */
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 128;
}

static char at(struct piece p, size_t i)
{
    return i < p.bytes ? p.s[i] : 0;
}

static bool starts(struct piece p, size_t i, const char *what)
{
    size_t n = strlen(what);
    return i <= p.bytes && n <= p.bytes - i && memcmp(p.s + i, what, n) == 0;
}

static struct piece from(struct piece p, size_t n)
{
    return (struct piece){p.s + n, p.bytes - n};
}

/* Without quotes, emphasis, brackets and the marks of a sentence around it. */
static struct piece bare(struct piece p)
{
    static const char left[] = "\"'*_`([:;,->#", right[] = "\"'*_`)].,;:!";
    for (bool more = true; more;) {
        struct piece old = p = piece_trim(p);
        while (p.bytes && *p.s && strchr(left, *p.s) && !(*p.s == '-' && is_digit(at(p, 1))))
            p = from(p, 1);
        while (p.bytes && p.s[p.bytes - 1] && strchr(right, p.s[p.bytes - 1]))
            p.bytes--;
        if (starts(p, 0, "\xE2\x80\x9C") || starts(p, 0, "\xE2\x80\x98"))
            p = from(p, 3);
        if (p.bytes >= 3 && (starts(p, p.bytes - 3, "\xE2\x80\x9D") ||
                             starts(p, p.bytes - 3, "\xE2\x80\x99")))
            p.bytes -= 3;
        more = p.bytes != old.bytes;
    }
    return p;
}

static struct piece first_line(struct piece p)
{
    const char *end = p.bytes ? memchr(p.s, '\n', p.bytes) : NULL;
    return end ? (struct piece){p.s, (size_t)(end - p.s)} : p;
}

static struct piece last_line(struct piece p)
{
    p = piece_trim(p);
    size_t i = p.bytes;
    while (i > 0 && p.s[i - 1] != '\n')
        i--;
    return from(p, i);
}

/* ---- where the answer stands ----------------------------------------------------------------- */

/* What the last \boxed{...} holds. */
static bool find_boxed(struct piece text, struct piece *out)
{
    static const char boxed[] = "\\boxed{";
    size_t n = sizeof boxed - 1;
    for (size_t i = text.bytes; i-- > 0;) {
        if (!starts(text, i, boxed))
            continue;
        int depth = 1;
        for (size_t k = i + n; k < text.bytes; k++) {
            depth += text.s[k] == '{';
            depth -= text.s[k] == '}';
            if (depth == 0) {
                *out = (struct piece){text.s + i + n, k - i - n};
                return piece_trim(*out).bytes > 0;
            }
        }
        return false;
    }
    return false;
}

static bool starts_folded(struct piece p, size_t i, const char *what)
{
    size_t n = strlen(what);
    if (i > p.bytes || n > p.bytes - i)
        return false;
    for (size_t k = 0; k < n; k++) {
        char c = p.s[i + k];
        if ((c >= 'A' && c <= 'Z' ? (char)(c | 32) : c) != what[k])
            return false;
    }
    return true;
}

/* The bytes of what announces an answer at i: "answer:", "answer is", "result =", "####" before a
 * number (elsewhere it is a heading); 0: none. */
static size_t announcement(struct piece text, size_t i)
{
    size_t n = starts_folded(text, i, "answer") || starts_folded(text, i, "result") ? 6 : 0;
    if (starts(text, i, "#### ") && (is_digit(at(text, i + 5)) || at(text, i + 5) == '-' ||
                                     at(text, i + 5) == '$'))
        return 5;
    if (n == 0 || (i > 0 && is_letter(text.s[i - 1])))
        return 0;
    size_t k = i + n;
    while (at(text, k) == '*' || at(text, k) == '_' || at(text, k) == ' ')
        k++;
    if (at(text, k) == ':' || at(text, k) == '=')
        return k + 1 - i;
    return starts_folded(text, i, "answer") && starts_folded(text, k, "is") &&
           !is_letter(at(text, k + 2)) ? k + 2 - i : 0;
}

/* What follows the last announcement: its line, or the next one that is not blank. */
static bool find_marked(struct piece text, struct piece *out)
{
    for (size_t i = text.bytes; i-- > 0;) {
        size_t n = announcement(text, i);
        if (n == 0)
            continue;
        struct piece rest = from(text, i + n);
        while (rest.bytes && *rest.s && strchr("*_: \t\r\n", *rest.s))
            rest = from(rest, 1);
        *out = piece_trim(first_line(rest));
        if (out->bytes)
            return true;
    }
    return false;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* The signs of a number and its digits, the point left out; point: how many stand after it. */
struct number {
    bool negative;
    char digit[DIGITS_MAX];
    int n, point;
    struct piece under;  /* the digits of a denominator; 0 bytes: none */
    const char *sign;    /* of a unit, NULL = none */
};

/* A minus at i, its bytes; 0: none. */
static size_t minus(struct piece p, size_t i)
{
    return at(p, i) == '-' ? 1 : starts(p, i, "\xE2\x88\x92") ? 3 : 0;
}

static const char *unit_sign(struct piece p, size_t i)
{
    for (int k = 0; demand_sign(k); k++)
        if (starts(p, i, demand_sign(k)))
            return demand_sign(k);
    return NULL;
}

static bool put_digit(struct number *v, char c)
{
    if (v->n == DIGITS_MAX)
        return false;
    v->digit[v->n++] = c;
    return true;
}

/* Digits with "," between groups of three; the place behind them, i if there are none. */
static size_t read_digits(struct piece p, size_t i, struct number *v)
{
    size_t group = 0;
    bool commas = false;
    for (; i < p.bytes; i++) {
        bool three = is_digit(at(p, i + 1)) && is_digit(at(p, i + 2)) && is_digit(at(p, i + 3)) &&
                     !is_digit(at(p, i + 4));
        if (p.s[i] == ',' && group > 0 && three && (commas ? group == 3 : group <= 3)) {
            commas = true;
            group = 0;
        } else if (is_digit(p.s[i]) && put_digit(v, p.s[i])) {
            group++;
        } else {
            break;
        }
    }
    return i;
}

/* "e5" or "E-5" at i, if it is one: moves the point. */
static bool read_exponent(struct piece p, size_t *i, struct number *v)
{
    size_t k = *i + 1;
    bool negative = at(p, k) == '-';
    int value = 0;
    k += negative || at(p, k) == '+';
    if ((at(p, *i) | 32) != 'e' || !is_digit(at(p, k)))
        return true;
    for (; is_digit(at(p, k)) && value <= EXPONENT_MAX; k++)
        value = 10 * value + (p.s[k] - '0');
    if (value > EXPONENT_MAX)
        return false;
    v->point += negative ? value : -value;
    for (; v->point < 0; v->point++)
        if (!put_digit(v, '0'))
            return false;
    *i = k;
    return true;
}

/* Reads a number at i; the place behind it, or i if there is none. Letters must not touch it, but
 * for a unit ("12kg"). */
static size_t read_number(struct piece p, size_t i, struct number *v)
{
    size_t k = i;
    *v = (struct number){0};
    for (int part = 0; part < 2; part++) { /* "-$12" and "$-12" */
        size_t n = minus(p, k);
        if (n && !v->negative) {
            v->negative = true;
            k += n;
        } else if (!v->sign && unit_sign(p, k) && strcmp(unit_sign(p, k), "%") != 0) {
            v->sign = unit_sign(p, k);
            k += strlen(v->sign);
        }
    }
    size_t digits = k;
    k = read_digits(p, k, v);
    if (at(p, k) == '.' && is_digit(at(p, k + 1)))
        for (k++; is_digit(at(p, k)) && put_digit(v, p.s[k]); k++)
            v->point++;
    if (k == digits || is_digit(at(p, k)) || !read_exponent(p, &k, v))
        return i;
    if (v->point == 0 && at(p, k) == '/' && is_digit(at(p, k + 1))) {
        v->under.s = p.s + k + 1;
        for (k++; is_digit(at(p, k)); k++)
            v->under.bytes++;
    }
    if (unit_sign(p, k) && !v->sign) {
        v->sign = unit_sign(p, k);
        k += strlen(v->sign);
    }
    return starts_folded(p, k, "st") || starts_folded(p, k, "nd") || starts_folded(p, k, "rd") ||
           starts_folded(p, k, "th") ? i : k;
}

/* True if the unit was asked for, so that it need not be said. */
static bool is_asked(const struct demands *d, const char *sign)
{
    for (int k = 0; demand_sign(k); k++)
        if (strcmp(demand_sign(k), sign) == 0)
            return (d->signs >> k) & 1;
    return false;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static bool whole(const char *s, size_t n, uint64_t *out)
{
    enum { SAFE = 18 }; /* digits that 64 bits always hold */
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out = 10 * *out + (uint64_t)(s[i] - '0');
    return n <= SAFE;
}

/* As a fraction in lowest terms; false: too long for that, or divided by zero. */
static bool put_fraction(const struct number *v, struct buf *out)
{
    uint64_t over, under = 1;
    if (!whole(v->digit, (size_t)v->n, &over) || v->point > 18 || v->under.bytes > 18)
        return false;
    if (v->under.bytes)
        whole(v->under.s, v->under.bytes, &under);
    for (int i = 0; i < v->point; i++)
        under *= 10;
    if (under == 0)
        return false;
    uint64_t divisor = common_divisor(over, under);
    buf_printf(out, "%s%llu", v->negative && over ? "-" : "", (unsigned long long)(over / divisor));
    if (under / divisor != 1)
        buf_printf(out, "/%llu", (unsigned long long)(under / divisor));
    return true;
}

static bool is_zero(const struct number *v)
{
    for (int i = 0; i < v->n; i++)
        if (v->digit[i] != '0')
            return false;
    return true;
}

/* Without zeros that say nothing: "0.50" is 0.5, "-0" is 0. */
static void put_decimal(const struct number *v, struct buf *out)
{
    int first = 0, last = v->n, units = v->n - v->point;
    while (first < units && v->digit[first] == '0')
        first++;
    while (last > units && last > 0 && v->digit[last - 1] == '0')
        last--;
    if (is_zero(v)) {
        buf_puts(out, "0");
        return;
    }
    buf_puts(out, v->negative ? "-" : "");
    if (first >= units)
        buf_puts(out, "0");
    else
        buf_append(out, v->digit + first, (size_t)(units - first));
    if (last > units) {
        buf_puts(out, ".");
        for (int i = units; i < 0; i++)
            buf_puts(out, "0");
        int begin = units > 0 ? units : 0;
        buf_append(out, v->digit + begin, (size_t)(last - begin));
    }
}

static void put_number(const struct demands *d, const struct number *v, struct buf *out)
{
    bool said = v->sign && !is_asked(d, v->sign);
    if (said && *v->sign != '%')
        buf_puts(out, v->sign);
    if (!d->fractions || !put_fraction(v, out)) {
        put_decimal(v, out);
        if (v->under.bytes) {
            buf_puts(out, "/");
            buf_append(out, v->under.s, v->under.bytes);
        }
    }
    if (said && *v->sign == '%')
        buf_puts(out, v->sign);
}

bool answer_number(const struct demands *d, struct piece text, struct buf *out)
{
    struct number v;
    text = bare(text);
    size_t n = read_number(text, 0, &v);
    int word = n == 0 ? words_value(text.s, text.bytes) : -1;
    if (word >= 0) {
        buf_printf(out, "%d", word);
        return true;
    }
    if (n == 0 || n != text.bytes)
        return false;
    put_number(d, &v, out);
    return true;
}

/* The sign of a product, "17*3"; other stars are emphasis. */
static bool is_times(struct piece p, size_t i)
{
    return at(p, i) == '*' && i > 0 && is_digit(p.s[i - 1]) && is_digit(at(p, i + 1));
}

/* "\frac{1}{2}" as "1/2", "\$" as "$", without the marks of TeX around. */
static void plain_math(struct piece p, struct buf *out)
{
    for (size_t i = 0; i < p.bytes;) {
        size_t n = starts(p, i, "\\frac{") ? 6 : starts(p, i, "\\dfrac{") ? 7 : 0;
        if (n) {
            i += n;
        } else if (starts(p, i, "}{")) {
            buf_puts(out, "/");
            i += 2;
        } else {
            if (!strchr("{}\\*", p.s[i]) || p.s[i] == 0 || is_times(p, i))
                buf_append(out, p.s + i, 1);
            i++;
        }
    }
}

/* The last number of a text, or the first one, after the last "=" if there is one. A factor of a
 * product that is not worked out is none. */
static bool number_in(const struct demands *d, struct piece p, bool last, struct buf *out)
{
    struct number v, found;
    bool any = false;
    for (size_t i = 0; !last && i < p.bytes; i++)
        if (p.s[i] == '=' && i + 1 < p.bytes)
            return number_in(d, from(p, i + 1), false, out);
    for (size_t i = 0, end; i < p.bytes; i = end > i ? end : i + 1) {
        char left = i > 0 ? p.s[i - 1] : ' ';
        end = i;
        if (is_digit(left) || is_letter(left) || left == '_' || left == '*' ||
            (minus(p, i) && (left == ')' || left == '.')))
            continue;
        end = read_number(p, i, &v);
        if (end == i || is_times(p, end))
            continue;
        found = v;
        any = true;
        if (!last)
            break;
    }
    if (any)
        put_number(d, &found, out);
    return any;
}

static bool read_number_answer(const struct demands *d, struct piece p, bool marked,
                               struct buf *out)
{
    struct buf plain = {0};
    plain_math(p, &plain);
    struct piece text = {buf_text(&plain), plain.bytes};
    bool any = answer_number(d, text, out) || number_in(d, text, !marked, out);
    buf_release(&plain);
    return any;
}

/* ---- options --------------------------------------------------------------------------------- */

static void put_choice(const struct choice *c, struct buf *out)
{
    if (c->letter)
        buf_append(out, &c->letter, 1);
    else
        text_fold(out, c->text, strlen(c->text));
}

static const struct choice *choice_of_letter(const struct demands *d, char letter)
{
    char upper = letter >= 'a' && letter <= 'z' ? (char)(letter - 32) : letter;
    for (int i = 0; i < d->n_choice; i++)
        if (d->choice[i].letter && d->choice[i].letter == upper)
            return &d->choice[i];
    return NULL;
}

static const struct choice *choice_of_text(const struct demands *d, struct piece p)
{
    for (int i = 0; i < d->n_choice; i++)
        if (*d->choice[i].text && piece_equal(bare(piece_of(d->choice[i].text)), p))
            return &d->choice[i];
    return NULL;
}

/* "B", "(B)", "B. Paris", "Option B": a letter that the text begins with. After a letter alone a
 * text may follow only if it is the option's own: "A cat" is no answer A. */
static const struct choice *leading_letter(const struct demands *d, struct piece p)
{
    static const char *const before[] = {"option ", "choice ", "letter "};
    p = bare(p);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (starts_folded(p, 0, before[i]))
            p = bare(from(p, strlen(before[i])));
    const struct choice *c = p.bytes ? choice_of_letter(d, p.s[0]) : NULL;
    if (!c || is_letter(at(p, 1)) || is_digit(at(p, 1)))
        return NULL;
    if (p.bytes == 1 || (at(p, 1) && strchr(").:,;*-\n", p.s[1])))
        return c;
    return piece_equal(bare(from(p, 1)), bare(piece_of(c->text))) ? c : NULL;
}

/* The option whose text the reply begins with, up to a mark: "Yes, because ...". */
static const struct choice *leading_text(const struct demands *d, struct piece p)
{
    p = bare(p);
    size_t n = 0;
    while (n < p.bytes && !(p.s[n] && strchr(".,;:!\n", p.s[n])))
        n++;
    return choice_of_text(d, bare((struct piece){p.s, n}));
}

/* The only option that is named: by its text, or by its letter in brackets or bold. */
static const struct choice *only_named(const struct demands *d, struct piece p)
{
    const struct choice *found = NULL;
    for (int i = 0; i < d->n_choice; i++) {
        const struct choice *c = &d->choice[i];
        char round[] = {'(', c->letter, ')', 0}, bold[] = {'*', c->letter, '*', 0};
        bool named = bare(piece_of(c->text)).bytes > 1 &&
                     piece_occurs(p, bare(piece_of(c->text)), false) > 0;
        named = named || (c->letter && (piece_occurs(p, piece_of(round), true) > 0 ||
                                        piece_occurs(p, piece_of(bold), true) > 0));
        if (named && found)
            return NULL;
        if (named)
            found = c;
    }
    return found;
}

static bool read_choice(const struct demands *d, struct piece p, struct buf *out)
{
    const struct choice *c = choice_of_text(d, bare(p));
    if (!c)
        c = leading_letter(d, p);
    if (!c)
        c = leading_text(d, p);
    if (!c)
        c = only_named(d, p);
    if (!c)
        c = leading_letter(d, last_line(p));
    if (!c)
        c = only_named(d, last_line(p));
    if (c)
        put_choice(c, out);
    return c != NULL;
}

/* ---- the other kinds ------------------------------------------------------------------------- */

/* A few words on one line, folded, blanks made one, without an article before them. */
static bool read_short(const struct demands *d, struct piece p, struct buf *out)
{
    p = bare(p);
    if (p.bytes == 0 || p.bytes > SHORT_BYTES_MAX || memchr(p.s, '\n', p.bytes) ||
        piece_count(p, PIECE_WORD) > SHORT_WORDS_MAX)
        return false;
    if (answer_number(d, p, out))
        return true;
    static const char *const article[] = {"the ", "a ", "an "};
    for (size_t i = 0; i < sizeof article / sizeof *article; i++)
        if (starts_folded(p, 0, article[i])) {
            p = bare(from(p, strlen(article[i])));
            break;
        }
    struct buf folded = {0};
    text_fold(&folded, p.s, p.bytes);
    const char *s = buf_text(&folded);
    for (size_t i = 0; i < folded.bytes; i++)
        if (s[i] != ' ' || (i > 0 && s[i - 1] != ' '))
            buf_append(out, s + i, 1);
    bool any = folded.bytes > 0;
    buf_release(&folded);
    return any;
}

static bool read_shape(const struct demands *d, struct piece p, struct buf *out)
{
    const struct demand *shape = demands_find(d, DEMAND_SHAPE);
    struct piece found;
    if (!shape || !piece_shape(p, shape->text, &found))
        return false;
    text_fold(out, found.s, found.bytes);
    return true;
}

static bool read_json(struct piece p, struct buf *out)
{
    struct piece text;
    struct json *json = piece_json(p, &text) ? json_parse(text.s, text.bytes) : NULL;
    if (!json)
        return false;
    json_canonical(out, json);
    json_free(&json);
    return true;
}

static bool read_kind(const struct demands *d, enum answer_kind kind, struct piece p, bool marked,
                      struct buf *out)
{
    switch (kind) {
    case ANSWER_NUMBER: return read_number_answer(d, p, marked, out);
    case ANSWER_CHOICE: return read_choice(d, p, out);
    case ANSWER_SHORT: return read_short(d, p, out);
    case ANSWER_SHAPE: return read_shape(d, p, out);
    case ANSWER_JSON: return read_json(p, out);
    default: return false;
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

enum answer_kind answer_kind(const struct demands *d)
{
    if (demands_find(d, DEMAND_JSON))
        return ANSWER_JSON;
    if (demands_find(d, DEMAND_CHOICE))
        return ANSWER_CHOICE;
    if (demands_find(d, DEMAND_NUMBER))
        return ANSWER_NUMBER;
    if (demands_find(d, DEMAND_SHAPE))
        return ANSWER_SHAPE;
    if (d->asks_number)
        return ANSWER_NUMBER;
    for (int i = 0; i < d->n; i++)
        if (!demand_decides(&d->demand[i]))
            return ANSWER_SHORT;
    return ANSWER_OPEN;
}

const char *answer_kind_name(enum answer_kind kind)
{
    static const char *const name[] = {"text", "number", "option", "short answer", "form", "JSON"};
    return name[kind];
}

bool answer_read(const struct demands *d, enum answer_kind kind, struct piece reply,
                 struct buf *out)
{
    struct piece final;
    if (kind != ANSWER_JSON && reply.bytes > READ_MAX)
        reply = from(reply, reply.bytes - READ_MAX);
    if (kind != ANSWER_JSON && (find_boxed(reply, &final) || find_marked(reply, &final)) &&
        read_kind(d, kind, final, true, out))
        return true;
    return read_kind(d, kind, reply, false, out);
}
