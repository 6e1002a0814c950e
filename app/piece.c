/* piece.c -- see piece.h. */
#include "app/piece.h"

#include <assert.h>
#include <string.h>

#include "app/json.h"
#include "ui/buf.h"
#include "ui/text.h"

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_wordly(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 128;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool starts(struct piece p, const char *what)
{
    size_t n = strlen(what);
    return p.bytes >= n && memcmp(p.s, what, n) == 0;
}

static struct piece from(struct piece p, size_t n)
{
    return (struct piece){p.s + n, p.bytes - n};
}

struct piece piece_of(const char *text)
{
    return (struct piece){text, strlen(text)};
}

struct piece piece_trim(struct piece p)
{
    while (p.bytes && is_space(p.s[0]))
        p = from(p, 1);
    while (p.bytes && is_space(p.s[p.bytes - 1]))
        p.bytes--;
    return p;
}

bool piece_equal(struct piece a, struct piece b)
{
    struct buf x = {0}, y = {0};
    text_fold(&x, a.s, a.bytes);
    text_fold(&y, b.s, b.bytes);
    bool same = x.bytes == y.bytes && (x.bytes == 0 || memcmp(x.data, y.data, x.bytes) == 0);
    buf_release(&x);
    buf_release(&y);
    return same;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Takes the first line off *rest, without its line end; false: there is none. */
static bool next_line(struct piece *rest, struct piece *line)
{
    if (rest->bytes == 0)
        return false;
    const char *end = memchr(rest->s, '\n', rest->bytes);
    size_t n = end ? (size_t)(end - rest->s) : rest->bytes;
    *line = (struct piece){rest->s, n};
    *rest = from(*rest, n + (end != NULL));
    return true;
}

static size_t indent(struct piece line)
{
    size_t n = 0;
    while (n < line.bytes && (line.s[n] == ' ' || line.s[n] == '\t'))
        n++;
    return n;
}

/* The bytes of a list mark at the beginning of a trimmed line; 0: none. *numbered: which kind. */
static size_t list_mark(struct piece line, bool *numbered)
{
    size_t n = 0;
    *numbered = false;
    if (starts(line, "\xE2\x80\xA2"))
        n = 3;
    else if (starts(line, "-") || starts(line, "*") || starts(line, "+"))
        n = 1;
    else {
        while (n < line.bytes && n < 4 && is_digit(line.s[n]))
            n++;
        if (n == 0 || n == line.bytes || (line.s[n] != '.' && line.s[n] != ')'))
            return 0;
        n++;
        *numbered = true;
    }
    return n < line.bytes && is_space(line.s[n]) && piece_trim(from(line, n)).bytes ? n : 0;
}

static bool counts_item(enum piece_unit unit, bool numbered)
{
    return unit == PIECE_ITEM || numbered == (unit == PIECE_NUMBERED);
}

static int count_items(struct piece text, enum piece_unit unit)
{
    size_t outermost = (size_t)-1;
    int n = 0;
    struct piece line;
    while (next_line(&text, &line)) {
        bool numbered;
        size_t depth = indent(line);
        if (!list_mark(piece_trim(line), &numbered) || !counts_item(unit, numbered))
            continue;
        if (depth < outermost) {
            outermost = depth;
            n = 0;
        }
        n += depth == outermost;
    }
    return n;
}

static int count_lines(struct piece text)
{
    struct piece line;
    int n = 0;
    while (next_line(&text, &line)) {
        line = piece_trim(line);
        n += line.bytes > 0 && !starts(line, "```");
    }
    return n;
}

static int count_paragraphs(struct piece text)
{
    struct piece line;
    bool open = false;
    int n = 0;
    while (next_line(&text, &line)) {
        bool blank = piece_trim(line).bytes == 0;
        n += !blank && !open;
        open = !blank;
    }
    return n;
}

/* ---- words and sentences --------------------------------------------------------------------- */

static bool is_break_sign(uint32_t ch)
{
    return ch == 0x2013 || ch == 0x2014 || ch == 0x3000 || ch == 0xA0 ||
           (ch < 128 && is_space((char)ch));
}

/* Signs that make no word by themselves: beyond ASCII the marks of punctuation and symbols. */
static bool makes_word(uint32_t ch)
{
    if (ch < 128)
        return is_wordly((char)ch);
    return ch != 0xFFFD && !(ch >= 0xA1 && ch <= 0xBF) && !(ch >= 0x2000 && ch <= 0x2BFF) &&
           !(ch >= 0x3001 && ch <= 0x303F) && !(ch >= 0xFE00 && ch <= 0xFE0F) &&
           !(ch >= 0xFF00 && ch <= 0xFF0F) && !(ch >= 0x1F000 && ch <= 0x1FAFF);
}

static bool is_ideograph(uint32_t ch)
{
    return (ch >= 0x3040 && ch <= 0x30FF) || (ch >= 0x3400 && ch <= 0x9FFF) ||
           (ch >= 0x20000 && ch <= 0x3FFFF);
}

/* Words of one line. An ideograph is a word of its own: such text has no blanks. */
static int count_line_words(struct piece line)
{
    int n = 0;
    bool word = false;
    for (size_t used; line.bytes; line = from(line, used)) {
        uint32_t ch = text_decode(line.s, line.bytes, &used);
        if (is_break_sign(ch)) {
            word = false;
        } else if (is_ideograph(ch)) {
            n++;
            word = false;
        } else if (makes_word(ch) && !word) {
            word = true;
            n++;
        }
    }
    return n;
}

static int count_words(struct piece text)
{
    struct piece line;
    int n = 0;
    while (next_line(&text, &line)) {
        bool numbered;
        line = piece_trim(line);
        n += count_line_words(from(line, list_mark(line, &numbered)));
    }
    return n;
}

static bool has_capitals(struct piece text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (text.s[i] >= 'A' && text.s[i] <= 'Z')
            return true;
    return false;
}

/* True if the word before a full stop is one that a full stop does not end. */
static bool is_abbreviation(struct piece before)
{
    static const char *const row[] = {"mr", "mrs", "ms", "dr", "st", "vs", "prof", "no", "fig"};
    size_t n = 0;
    while (n < before.bytes && is_wordly(before.s[before.bytes - 1 - n]))
        n++;
    struct piece word = from(before, before.bytes - n);
    bool dotted = n < before.bytes && before.s[before.bytes - 1 - n] == '.';
    if (n == 1 && (dotted || (word.s[0] >= 'A' && word.s[0] <= 'Z' && word.s[0] != 'I')))
        return true;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (n == strlen(row[i]) && n < 5) {
            size_t k = 0;
            while (k < n && lower(word.s[k]) == row[i][k])
                k++;
            if (k == n)
                return true;
        }
    return false;
}

/* The bytes of an end of sentence at the beginning of p, all its signs; 0: none. */
static size_t end_signs(struct piece p)
{
    static const char *const sign[] = {".", "!", "?", "\xE2\x80\xA6", "\xE3\x80\x82",
                                       "\xEF\xBC\x81", "\xEF\xBC\x9F"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof sign / sizeof *sign;) {
        if (starts(from(p, n), sign[i])) {
            n += strlen(sign[i]);
            i = 0;
        } else {
            i++;
        }
    }
    return n;
}

static bool ends_here(struct piece text, size_t at, size_t signs, bool capitals)
{
    if ((unsigned char)text.s[at] >= 0xE3) /* full-width signs need no blank after them */
        return true;
    size_t next = at + signs;
    while (next < text.bytes && strchr("\"')*_]`", text.s[next]) && text.s[next])
        next++;
    while (next + 2 < text.bytes && (starts(from(text, next), "\xE2\x80\x9D") ||
                                     starts(from(text, next), "\xE2\x80\x99")))
        next += 3;
    if (next >= text.bytes)
        return true;
    if (!is_space(text.s[next]))
        return false;
    if (signs == 1 && text.s[at] == '.' && is_abbreviation((struct piece){text.s, at}))
        return false;
    while (next < text.bytes && is_space(text.s[next]))
        next++;
    char c = next < text.bytes ? text.s[next] : 'A';
    return !capitals || c < 'a' || c > 'z';
}

/* The bytes of text that stand before the next paragraph or list item. */
static size_t block_bytes(struct piece text)
{
    struct piece rest = text, line;
    bool any = false, numbered;
    while (rest.bytes) {
        size_t at = text.bytes - rest.bytes;
        next_line(&rest, &line);
        line = piece_trim(line);
        if (any && (line.bytes == 0 || list_mark(line, &numbered)))
            return at;
        any = any || line.bytes > 0;
    }
    return text.bytes;
}

static int count_block_sentences(struct piece text, bool capitals)
{
    int n = 0;
    bool words = false;
    bool numbered;
    text = piece_trim(text);
    for (size_t i = list_mark(text, &numbered); i < text.bytes;) {
        size_t signs = end_signs(from(text, i));
        if (signs && words && ends_here(text, i, signs, capitals)) {
            n++;
            words = false;
        }
        size_t used;
        uint32_t ch = text_decode(text.s + i, text.bytes - i, &used);
        words = words || (signs == 0 && makes_word(ch));
        i += signs ? signs : used;
    }
    return n + words;
}

static int count_sentences(struct piece text)
{
    bool capitals = has_capitals(text);
    int n = 0;
    while (text.bytes) {
        size_t block = block_bytes(text);
        n += count_block_sentences((struct piece){text.s, block}, capitals);
        text = from(text, block);
    }
    return n;
}

static int count_characters(struct piece text)
{
    int n = 0;
    text = piece_trim(text);
    for (size_t used; text.bytes; text = from(text, used), n++)
        text_decode(text.s, text.bytes, &used);
    return n;
}

int piece_count(struct piece text, enum piece_unit unit)
{
    switch (unit) {
    case PIECE_WORD: return count_words(text);
    case PIECE_SENTENCE: return count_sentences(text);
    case PIECE_LINE: return count_lines(text);
    case PIECE_PARAGRAPH: return count_paragraphs(text);
    case PIECE_BULLET:
    case PIECE_NUMBERED:
    case PIECE_ITEM: return count_items(text, unit);
    case PIECE_CHARACTER: return count_characters(text);
    default: break;
    }
    assert(!"a unit");
    return 0;
}

const char *piece_unit_name(enum piece_unit unit, int n)
{
    static const char *const name[PIECE_UNITS][2] = {
        {"word", "words"}, {"sentence", "sentences"}, {"line", "lines"},
        {"paragraph", "paragraphs"}, {"bullet point", "bullet points"},
        {"numbered item", "numbered items"}, {"list item", "list items"},
        {"character", "characters"},
    };
    return name[unit][n != 1];
}

/* ---- occurrences ----------------------------------------------------------------------------- */

int piece_occurs(struct piece text, struct piece what, bool inside)
{
    struct buf t = {0}, w = {0};
    text_fold(&t, text.s, text.bytes);
    text_fold(&w, what.s, what.bytes);
    int n = 0;
    const char *s = buf_text(&t), *end = s + t.bytes;
    while (w.bytes && (size_t)(end - s) >= w.bytes) {
        s = memchr(s, w.data[0], (size_t)(end - s) - w.bytes + 1);
        if (!s)
            break;
        bool left = s > t.data && is_wordly(s[-1]) && is_wordly(w.data[0]);
        bool right = s + w.bytes < end && is_wordly(s[w.bytes]) && is_wordly(w.data[w.bytes - 1]);
        bool here = memcmp(s, w.data, w.bytes) == 0 && (inside || (!left && !right));
        n += here;
        s += here ? w.bytes : 1;
    }
    buf_release(&t);
    buf_release(&w);
    return n;
}

/* ---- code and JSON --------------------------------------------------------------------------- */

struct fence {
    struct piece language, body;
};

/* Takes the next closed code block off *rest. */
static bool next_fence(struct piece *rest, struct fence *f)
{
    struct piece line;
    bool open = false;
    while (rest->bytes) {
        const char *begin = rest->s;
        next_line(rest, &line);
        line = piece_trim(line);
        if (!starts(line, "```"))
            continue;
        if (open) {
            f->body.bytes = (size_t)(begin - f->body.s);
            return true;
        }
        open = true;
        f->language = piece_trim(from(line, 3));
        f->body.s = rest->s;
    }
    return false;
}

static bool is_structure(struct piece p)
{
    return p.bytes > 1 && (p.s[0] == '{' || p.s[0] == '[') && json_valid(p.s, p.bytes);
}

static bool between_brackets(struct piece text, struct piece *json)
{
    size_t first = 0;
    while (first < text.bytes && text.s[first] != '{' && text.s[first] != '[')
        first++;
    if (first == text.bytes)
        return false;
    char close = text.s[first] == '{' ? '}' : ']';
    size_t last = text.bytes;
    while (last > first && text.s[last - 1] != close)
        last--;
    *json = (struct piece){text.s + first, last - first};
    return is_structure(*json);
}

bool piece_json(struct piece text, struct piece *json)
{
    *json = piece_trim(text);
    if (is_structure(*json))
        return true;
    struct piece rest = text;
    struct fence f;
    while (next_fence(&rest, &f)) {
        *json = piece_trim(f.body);
        if (is_structure(*json))
            return true;
    }
    return between_brackets(text, json);
}

/* The name under which a language is compared. */
static struct piece language_name(struct piece p)
{
    static const struct { const char *alias, *name; } row[] = {
        {"py", "python"}, {"python3", "python"}, {"js", "javascript"}, {"ts", "typescript"},
        {"cpp", "c++"}, {"cxx", "c++"}, {"sh", "bash"}, {"shell", "bash"}, {"zsh", "bash"},
        {"golang", "go"}, {"rs", "rust"}, {"rb", "ruby"}, {"cs", "c#"}, {"csharp", "c#"},
        {"yml", "yaml"}, {"md", "markdown"},
    };
    p.bytes = p.bytes && memchr(p.s, ' ', p.bytes) ?
        (size_t)((const char *)memchr(p.s, ' ', p.bytes) - p.s) : p.bytes;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (piece_equal(p, piece_of(row[i].alias)))
            return piece_of(row[i].name);
    return p;
}

bool piece_code(struct piece text, const char *language)
{
    struct fence f;
    while (next_fence(&text, &f))
        if (*language == 0 ||
            piece_equal(language_name(f.language), language_name(piece_of(language))))
            return true;
    return false;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* True if the run of n digits that stands for a letter of a shape exists as month, day, hour. */
static bool in_range(char letter, bool minutes, const char *s, size_t n)
{
    int value = 0;
    for (size_t i = 0; i < n && i < 4; i++)
        value = 10 * value + (s[i] - '0');
    switch (lower(letter)) {
    case 'm': return minutes ? value < 60 : value >= 1 && value <= 12;
    case 'd': return value >= 1 && value <= 31;
    case 'h': return value < 24;
    case 's': return value < 60;
    default: return true;
    }
}

/* The bytes at the beginning of p that have a shape; 0: none. After hours, M means minutes. */
static size_t shape_bytes(struct piece p, const char *shape)
{
    size_t n = strlen(shape);
    bool hours = false;
    if (p.bytes < n)
        return 0;
    for (size_t i = 0, run; i < n; i += run) {
        run = 1;
        if (!strchr("YMDHSymdhs", shape[i])) {
            if (p.s[i] != shape[i])
                return 0;
            continue;
        }
        while (lower(shape[i + run]) == lower(shape[i]))
            run++;
        for (size_t k = i; k < i + run; k++)
            if (!is_digit(p.s[k]))
                return 0;
        if (!in_range(shape[i], hours, p.s + i, run))
            return 0;
        hours = hours || lower(shape[i]) == 'h';
    }
    return n;
}

static bool is_mail_sign(char c)
{
    return (is_wordly(c) && (unsigned char)c < 128) || (c && strchr("._%+-", c));
}

/* The bytes at the beginning of p that are an address: name@host.domain. */
static size_t mail_bytes(struct piece p)
{
    size_t n = 0;
    while (n < p.bytes && is_mail_sign(p.s[n]))
        n++;
    if (n == 0 || n >= p.bytes || p.s[n] != '@')
        return 0;
    size_t host = ++n;
    while (n < p.bytes && is_mail_sign(p.s[n]))
        n++;
    while (n > host && p.s[n - 1] == '.')
        n--;
    size_t top = n;
    while (top > host && p.s[top - 1] != '.')
        top--;
    return top > host + 1 && n - top >= 2 ? n : 0;
}

bool piece_shape(struct piece text, const char *shape, struct piece *found)
{
    bool mail = strcmp(shape, "e-mail") == 0, any = false;
    for (size_t i = 0, n; i < text.bytes; i += n) {
        n = 1;
        if (i > 0 && (is_wordly(text.s[i - 1]) || (mail && is_mail_sign(text.s[i - 1]))))
            continue;
        struct piece rest = from(text, i);
        size_t bytes = mail ? mail_bytes(rest) : shape_bytes(rest, shape);
        if (bytes == 0 || (bytes < rest.bytes && is_wordly(rest.s[bytes])))
            continue;
        *found = (struct piece){rest.s, bytes};
        any = true;
        n = bytes;
    }
    return any;
}
