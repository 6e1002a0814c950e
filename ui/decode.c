/* decode.c -- see decode.h. */
#include "ui/decode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ui/text.h"

enum { ESC = 27, SEQUENCE_MAX = 64, OSC_MAX = 4096, PARAMS_MAX = 4 };

/* What the bytes at the front of the input turned out to be. */
enum found {
    FOUND_KEY,
    FOUND_NOTHING, /* bytes that mean nothing: skip them */
    FOUND_PART,    /* more must come */
};

/* One attempt: how many bytes it takes, and the key. */
struct token {
    enum found found;
    size_t bytes;
    struct key key;
};

static struct token part(void)
{
    return (struct token){.found = FOUND_PART};
}

static struct token skip(size_t bytes)
{
    return (struct token){.found = FOUND_NOTHING, .bytes = bytes};
}

static struct token is_key(size_t bytes, enum key_code code, unsigned mod, uint32_t ch)
{
    return (struct token){FOUND_KEY, bytes, {.code = code, .mod = mod, .ch = ch}};
}

/* ---- single characters -------------------------------------------------------------------- */

static struct token decode_control(unsigned char c)
{
    switch (c) {
    case '\r':
        return is_key(1, KEYCODE_ENTER, 0, 0);
    case '\t':
        return is_key(1, KEYCODE_TAB, 0, 0);
    case '\b':
    case 127:
        return is_key(1, KEYCODE_BACKSPACE, 0, 0);
    case 0:
        return is_key(1, KEYCODE_CHAR, KEY_CTRL, ' ');
    default:
        return is_key(1, KEYCODE_CHAR, KEY_CTRL, c <= 26 ? c + 96u : c + 64u);
    }
}

/* A character that is not ESC. */
static struct token decode_char(const char *s, size_t bytes)
{
    unsigned char c = (unsigned char)s[0];
    if (c < 0x20 || c == 127)
        return decode_control(c);
    if (!text_whole(s, bytes < 4 ? bytes : 4) && c >= 0xC0)
        return part();
    size_t used;
    uint32_t ch = text_decode(s, bytes, &used);
    if ((used == 1 && c >= 0x80) || (ch >= 0x80 && ch < 0xA0))
        return skip(used);
    return is_key(used, KEYCODE_CHAR, 0, ch);
}

/* ---- escape sequences --------------------------------------------------------------------- */

struct csi {
    int param[PARAMS_MAX];
    int n;
    char first, last; /* a private sign such as '<' or 0; the final byte */
};

/* The keys of "ESC [ 1 ; MOD letter" and "ESC O letter". */
static enum key_code letter_key(char c)
{
    switch (c) {
    case 'A': return KEYCODE_UP;
    case 'B': return KEYCODE_DOWN;
    case 'C': return KEYCODE_RIGHT;
    case 'D': return KEYCODE_LEFT;
    case 'H': return KEYCODE_HOME;
    case 'F': return KEYCODE_END;
    case 'M': return KEYCODE_ENTER; /* keypad, after ESC O */
    default: return c >= 'P' && c <= 'S' ? KEYCODE_FN : KEYCODE_NONE;
    }
}

/* The keys of "ESC [ NUMBER ~". */
static struct key tilde_key(int n)
{
    static const struct {
        int n;
        enum key_code code;
    } keys[] = {{1, KEYCODE_HOME}, {2, KEYCODE_INSERT}, {3, KEYCODE_DELETE}, {4, KEYCODE_END},
                {5, KEYCODE_PGUP}, {6, KEYCODE_PGDN},   {7, KEYCODE_HOME},   {8, KEYCODE_END}};
    static const int fn[] = {11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].n == n)
            return (struct key){.code = keys[i].code};
    for (size_t i = 0; i < sizeof fn / sizeof fn[0]; i++)
        if (fn[i] == n)
            return (struct key){.code = KEYCODE_FN, .ch = (uint32_t)i + 1};
    return (struct key){0};
}

/* xterm sends 1 + (Shift 1, Alt 2, Ctrl 4, Meta 8). */
static unsigned modifiers(int param)
{
    unsigned m = param > 1 ? (unsigned)param - 1 : 0;
    return (m & 1 ? KEY_SHIFT : 0) | (m & 10 ? KEY_ALT : 0) | (m & 4 ? KEY_CTRL : 0);
}

/* A key named by its character, as kitty ("CSI 13;2u") and xterm ("CSI 27;2;13~") send them to
 * programs that ask, and to others where the user has set it so. */
static struct key code_key(int ch, unsigned mod)
{
    struct key k = {.mod = mod};
    switch (ch) {
    case 13: k.code = KEYCODE_ENTER; break;
    case 27: k.code = KEYCODE_ESC; break;
    case 8:
    case 127: k.code = KEYCODE_BACKSPACE; break;
    case 9:
        k.code = mod & KEY_SHIFT ? KEYCODE_BACKTAB : KEYCODE_TAB;
        k.mod &= ~(unsigned)KEY_SHIFT;
        break;
    default:
        if (ch < 32 || (ch >= 0x80 && ch < 0xA0) || ch >= 0xE000)
            return (struct key){0};
        k.code = KEYCODE_CHAR;
        k.ch = (uint32_t)ch;
        if ((mod & KEY_CTRL) && ch >= 'A' && ch <= 'Z')
            k.ch += 32;
        else if ((mod & KEY_SHIFT) && !(mod & KEY_CTRL) && ch >= 'a' && ch <= 'z')
            k.ch -= 32;
        k.mod &= ~(unsigned)KEY_SHIFT;
    }
    return k;
}

/* "ESC [ < BUTTON ; COLUMN ; ROW M", m where it is let go. With a modifier it is the terminal's. */
static struct key mouse_key(const struct csi *c)
{
    struct key k = {0};
    if (c->last == 'M' && (c->param[0] == 64 || c->param[0] == 65))
        k.code = c->param[0] == 64 ? KEYCODE_WHEEL_UP : KEYCODE_WHEEL_DOWN;
    if (c->last == 'M' && c->n == 2 && c->param[0] == 0 && c->param[1] > 0 && c->param[2] > 0) {
        k.code = KEYCODE_CLICK;
        k.col = c->param[1] - 1;
        k.row = c->param[2] - 1;
    }
    return k;
}

static bool says_sync(const struct csi *c)
{
    return c->last == 'y' && c->param[0] == 2026 && (c->param[1] == 1 || c->param[1] == 2);
}

/* "ESC [ ? 997 ; 1 n": its colours are dark now, 2 = light (mode 2031). */
static struct key told_key(const struct csi *c)
{
    bool colors = c->last == 'n' && c->param[0] == 997 && c->n == 1;
    return (struct key){.code = says_sync(c)                 ? KEYCODE_SYNC
                                : colors && c->param[1] == 1 ? KEYCODE_DARK
                                : colors && c->param[1] == 2 ? KEYCODE_LIGHT
                                                             : KEYCODE_NONE};
}

static struct key csi_key(const struct csi *c)
{
    struct key k = {0};
    if (c->first == '?')
        return told_key(c);
    if (c->first == '<')
        return mouse_key(c);
    if (c->first)
        return k;
    if (c->last == 'Z')
        return (struct key){.code = KEYCODE_BACKTAB};
    if (c->last == 'u')
        return code_key(c->param[0], modifiers(c->param[1]));
    if (c->last == '~' && c->param[0] == 27)
        return code_key(c->param[2], modifiers(c->param[1]));
    if (c->last == '~' || c->last == '^' || c->last == '@') {
        k = tilde_key(c->param[0]);
        k.mod = c->last == '~' ? modifiers(c->param[1]) : c->last == '^' ? KEY_CTRL
                                                                        : KEY_CTRL | KEY_SHIFT;
        return k;
    }
    /* "ESC [ 1 ; 1 R" is no F3 but the answer where the cursor stands. */
    if (c->last == 'R' && (c->param[0] > 1 || c->param[1] == 1)) {
        bool place = c->n == 1 && c->param[1] > 0;
        return (struct key){.code = place ? KEYCODE_PLACE : KEYCODE_NONE, .row = c->param[0] - 1,
                            .col = c->param[1] - 1};
    }
    k.code = c->last == 'M' ? KEYCODE_NONE : letter_key(c->last);
    k.ch = k.code == KEYCODE_FN ? (uint32_t)(c->last - 'P') + 1 : 0;
    k.mod = modifiers(c->param[1]);
    return k;
}

/* Reads "ESC [" ... final. Returns its bytes, 0 if it is unfinished, and says if it is none. */
static size_t scan_csi(const char *s, size_t bytes, struct csi *c, bool *bad)
{
    size_t i = 2;
    *c = (struct csi){0};
    *bad = false;
    if (i < bytes && s[i] >= '<' && s[i] <= '?')
        c->first = s[i++];
    for (; i < bytes && i < SEQUENCE_MAX; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (ch >= '0' && ch <= '9') {
            if (c->n < PARAMS_MAX && c->param[c->n] < 0x110000)
                c->param[c->n] = c->param[c->n] * 10 + (ch - '0');
        } else if (ch == ';') {
            c->n++;
        } else if (ch >= 0x40 && ch <= 0x7E) {
            c->last = (char)ch;
            return i + 1;
        } else if (ch < 0x20 || ch > 0x7E) {
            *bad = true;
            return i;
        }
    }
    *bad = i >= SEQUENCE_MAX;
    return *bad ? i : 0;
}

static struct token key_token(size_t bytes, struct key k)
{
    return k.code == KEYCODE_NONE ? skip(bytes) : (struct token){FOUND_KEY, bytes, k};
}

static struct token decode_csi(const char *s, size_t bytes)
{
    struct csi c;
    bool bad;
    size_t n = scan_csi(s, bytes, &c, &bad);
    if (!n)
        return part();
    if (bad)
        return skip(n);
    if (c.last == '[' && n == 3) { /* the Linux console: ESC [ [ A is F1 */
        if (bytes < 4)
            return part();
        bool fn = s[3] >= 'A' && s[3] <= 'E';
        return fn ? is_key(4, KEYCODE_FN, 0, (uint32_t)(s[3] - 'A') + 1) : skip(4);
    }
    if (c.last == '~' && c.param[0] == 200)
        return is_key(n, KEYCODE_PASTE, 0, 0);
    return key_token(n, csi_key(&c));
}

/* ESC O: keys of the application mode, some with a modifier before the letter. */
static struct token decode_ss3(const char *s, size_t bytes)
{
    size_t i = 2;
    unsigned mod = 0;
    if (i < bytes && s[i] >= '1' && s[i] <= '9')
        mod = modifiers(s[i++] - '0');
    if (i >= bytes)
        return part();
    enum key_code code = letter_key(s[i]);
    if (code == KEYCODE_NONE && s[i] >= 'j' && s[i] <= 'y') /* the keypad's signs */
        return is_key(i + 1, KEYCODE_CHAR, 0, (uint32_t)s[i] - 64);
    struct key k = {.code = code, .mod = mod};
    k.ch = code == KEYCODE_FN ? (uint32_t)(s[i] - 'P') + 1 : 0;
    return key_token(i + 1, k);
}

static struct token decode_own(const struct decode *d, const char *s, size_t bytes)
{
    struct token t = skip(0);
    for (int i = 0; i < d->n_own; i++) {
        size_t n = d->own[i].n, have = n < bytes ? n : bytes;
        if (memcmp(d->own[i].bytes, s, have) != 0)
            continue;
        if (have == n && n > t.bytes)
            t = (struct token){FOUND_KEY, n, d->own[i].key};
        else if (have < n && t.found != FOUND_KEY)
            t = part();
    }
    return t;
}

/* One of the three numbers of a colour, 0 to 1: one to four hexadecimal digits. */
static bool color_part(const char **at, const char *end, double *out)
{
    unsigned v = 0, most = 0;
    for (int n = 0; n < 4 && *at < end && strchr("0123456789abcdefABCDEF", **at) && **at; n++) {
        char digit = *(*at)++;
        v = v * 16 + (unsigned)(digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
        most = most * 16 + 15;
    }
    *out = most ? (double)v / most : 0;
    return most > 0;
}

/* "rgb:1c1c/1c1c/1c1c" or "rgba:...": its brightness as the eye weighs it. */
static bool color_light(const char *at, const char *end, bool *light)
{
    static const double weight[] = {0.2126, 0.7152, 0.0722};
    double sum = 0, part_of;
    if (end - at < 4 || memcmp(at, "rgb", 3) != 0)
        return false;
    at += 3 + (at[3] == 'a');
    for (int i = 0; i < 3; i++) {
        if (at == end || *at++ != (i ? '/' : ':') || !color_part(&at, end, &part_of))
            return false;
        sum += weight[i] * part_of;
    }
    *light = sum > 0.5;
    return true;
}

static const char color_answer[] = "\033]11;";

static bool is_color_answer(const char *s, size_t bytes)
{
    size_t n = sizeof color_answer - 1;
    return bytes >= n && memcmp(s, color_answer, n) == 0;
}

/* The colour behind the text, said when nobody waited for it any more, as a terminal tells a change
 * of its colours; other answers are nothing. */
static struct token osc_token(const char *s, size_t bytes)
{
    struct key k = {0};
    bool light = false;
    if (is_color_answer(s, bytes) && color_light(s + sizeof color_answer - 1, s + bytes, &light))
        k.code = light ? KEYCODE_LIGHT : KEYCODE_DARK;
    return key_token(bytes, k);
}

/* "ESC ] NUMBER ... BEL" or "... ESC \\": a late answer of the terminal. */
static struct token decode_osc(const char *s, size_t bytes)
{
    for (size_t i = 2; i < bytes && i < OSC_MAX; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '\a')
            return osc_token(s, i + 1);
        if (c == ESC && i + 1 == bytes)
            return part();
        if (c == ESC)
            return s[i + 1] == '\\' ? osc_token(s, i + 2) : skip(i);
        if (c < 0x20 || c == 127)
            return skip(i);
    }
    return bytes < OSC_MAX ? part() : skip(OSC_MAX);
}

static struct token decode_escape(const struct decode *d, const char *s, size_t bytes)
{
    if (bytes == 1)
        return part();
    struct token t = decode_own(d, s, bytes);
    if (t.found != FOUND_NOTHING)
        return t;
    if (s[1] == '[')
        return decode_csi(s, bytes);
    if (s[1] == 'O')
        return decode_ss3(s, bytes);
    if (s[1] == ']' && (bytes == 2 || (s[2] >= '0' && s[2] <= '9')))
        return bytes == 2 ? part() : decode_osc(s, bytes);
    if (s[1] == ESC) {
        /* Alt with a key that is a sequence itself; two times Esc otherwise. */
        if (bytes == 2)
            return part();
        t = s[2] == '[' || s[2] == 'O' ? decode_escape(d, s + 1, bytes - 1)
                                              : is_key(1, KEYCODE_ESC, 0, 0);
        if (t.bytes > 1)
            t.bytes++, t.key.mod |= KEY_ALT;
        return t;
    }
    t = decode_char(s + 1, bytes - 1);
    t.bytes += t.found != FOUND_PART;
    t.key.mod |= KEY_ALT;
    return t;
}

/* The rest of an unfinished sequence did not come. */
static struct token give_up(const char *s, size_t bytes)
{
    if (s[0] != ESC)
        return skip(bytes);
    if (bytes == 1 || s[1] == ESC)
        return is_key(1, KEYCODE_ESC, 0, 0);
    if (bytes == 2 && (s[1] == '[' || s[1] == 'O' || s[1] == ']'))
        return is_key(2, KEYCODE_CHAR, KEY_ALT, (uint32_t)s[1]);
    return skip(bytes);
}

/* ---- pastes ------------------------------------------------------------------------------- */

static const char paste_end[] = "\033[201~";

/* CR and CR LF become LF; other controls have no place in a text. */
static void paste_clean(struct buf *b)
{
    size_t used, to = 0;
    for (size_t at = 0; at < b->bytes; at += used) {
        uint32_t ch = text_decode(b->data + at, b->bytes - at, &used);
        if (ch == '\r') {
            if (at + 1 < b->bytes && b->data[at + 1] == '\n')
                continue;
            b->data[to++] = '\n';
        } else if (ch == '\n' || ch == '\t' || (ch >= 0x20 && !(ch >= 0x7F && ch < 0xA0))) {
            if (used == 1 && ch >= 0x80)
                continue; /* a byte that is no UTF-8 */
            memmove(b->data + to, b->data + at, used);
            to += used;
        }
    }
    if (b->data)
        b->data[to] = 0;
    b->bytes = to;
}

static void paste_keep(struct decode *d, size_t n)
{
    size_t room = DECODE_PASTE_MAX - d->paste.bytes;
    buf_append(&d->paste, d->in.data + d->at, n < room ? n : room);
    d->at += n;
}

static bool paste_done(struct decode *d, struct key *k)
{
    d->pasting = false;
    paste_clean(&d->paste);
    *k = (struct key){.code = KEYCODE_PASTE, .text = buf_text(&d->paste), .bytes = d->paste.bytes};
    return true;
}

/* Moves what is there into the paste; true when its end has come or is given up. */
static bool paste_collect(struct decode *d, bool late, struct key *k)
{
    const size_t n_end = sizeof paste_end - 1;
    while (d->at < d->in.bytes) {
        const char *s = d->in.data + d->at, *e = memchr(s, ESC, d->in.bytes - d->at);
        size_t left = d->in.bytes - d->at;
        if (!e) {
            paste_keep(d, left);
            break;
        }
        paste_keep(d, (size_t)(e - s));
        left = d->in.bytes - d->at;
        if (memcmp(e, paste_end, left < n_end ? left : n_end) != 0 || (late && left < n_end)) {
            paste_keep(d, 1);
        } else if (left < n_end) {
            return false;
        } else {
            d->at += n_end;
            return paste_done(d, k);
        }
    }
    return late && paste_done(d, k);
}

/* ---- answers ------------------------------------------------------------------------------ */

void decode_answers(const char *bytes, size_t n, struct decode_answers *a)
{
    *a = (struct decode_answers){0};
    for (size_t i = 0; i + 1 < n; i++) {
        const char *s = bytes + i;
        struct csi c = {0};
        bool bad;
        if (*s != ESC)
            continue;
        if (is_color_answer(s, n - i))
            a->background = color_light(s + sizeof color_answer - 1, bytes + n, &a->light) ||
                            a->background;
        if (s[1] != '[' || !scan_csi(s, n - i, &c, &bad) || bad || c.first != '?')
            continue;
        a->attributes = a->attributes || c.last == 'c';
        a->sync = a->sync || says_sync(&c);
    }
}

int decode_column(const char *bytes, size_t n, int row)
{
    int column = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        struct csi c = {0};
        bool bad;
        if (bytes[i] != ESC || bytes[i + 1] != '[' || !scan_csi(bytes + i, n - i, &c, &bad) || bad)
            continue;
        if (c.last == 'R' && !c.first && c.n == 1 && c.param[0] == row)
            column = c.param[1];
    }
    return column;
}

/* ---- the door ----------------------------------------------------------------------------- */

void decode_release(struct decode *d)
{
    buf_release(&d->in);
    buf_release(&d->paste);
    *d = (struct decode){0};
}

void decode_define(struct decode *d, const char *sequence, struct key key)
{
    size_t n = strlen(sequence);
    if (n < 2 || n > sizeof d->own[0].bytes || sequence[0] != ESC || d->n_own == DECODE_SEQUENCES)
        return;
    memcpy(d->own[d->n_own].bytes, sequence, n);
    d->own[d->n_own].n = n;
    d->own[d->n_own++].key = key;
}

void decode_feed(struct decode *d, const char *bytes, size_t n, int64_t now_ms)
{
    if (d->at == d->in.bytes) {
        buf_clear(&d->in);
        d->at = 0;
    }
    buf_append(&d->in, bytes, n);
    d->fed_ms = now_ms;
}

static int64_t patience_ms(const struct decode *d)
{
    if (d->pasting)
        return DECODE_PASTE_MS;
    size_t n = d->in.bytes - d->at;
    if (n < 2)
        return DECODE_ESC_MS;
    const char *s = d->in.data + d->at;
    if (is_color_answer(s, n) || (n > 2 && s[0] == ESC && s[1] == '[' && s[2] == '?'))
        return DECODE_ANSWER_MS;
    bool sequence = s[0] == ESC && !(n == 2 && s[1] == ESC);
    return sequence ? DECODE_SEQUENCE_MS : DECODE_ESC_MS;
}

bool decode_key(struct decode *d, int64_t now_ms, struct key *k)
{
    for (;;) {
        bool late = now_ms - d->fed_ms >= patience_ms(d);
        if (d->pasting)
            return paste_collect(d, late, k);
        size_t left = d->in.bytes - d->at;
        if (!left)
            return false;
        const char *s = d->in.data + d->at;
        struct token t = s[0] == ESC ? decode_escape(d, s, left) : decode_char(s, left);
        if (t.found == FOUND_PART && late)
            t = give_up(s, left);
        if (t.found == FOUND_PART)
            return false;
        assert(t.bytes && t.bytes <= left);
        d->at += t.bytes;
        if (t.found == FOUND_NOTHING)
            continue;
        if (t.key.code == KEYCODE_PASTE) {
            d->pasting = true;
            buf_clear(&d->paste);
            continue;
        }
        *k = t.key;
        return true;
    }
}

bool decode_burst(const char *bytes, size_t n)
{
    enum { BURST_BYTES = 32 };
    size_t at = 0;
    while (at < n && bytes[at] != '\r' && bytes[at] != '\n')
        at++;
    return n >= BURST_BYTES && at + 1 < n && !memchr(bytes, ESC, n);
}

int decode_wait_ms(const struct decode *d, int64_t now_ms)
{
    if (!d->pasting && d->at == d->in.bytes)
        return -1;
    int64_t left = d->fed_ms + patience_ms(d) - now_ms;
    return left > 0 ? (int)left : 0;
}
