/* utf8.c -- decoding, and the hold that keeps a stream from breaking characters. */
#include "engine/utf8.h"

#include <string.h>

#include "engine/engine.h"

static const char replacement[3] = "\xef\xbf\xbd";

/* The bytes of a character by its first byte, and the range its second byte must be in. */
static int lead(unsigned char c, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (c == 0xe0)
        *low = 0xa0; /* overlong below */
    if (c == 0xed)
        *high = 0x9f; /* surrogates above */
    if (c == 0xf0)
        *low = 0x90; /* overlong below */
    if (c == 0xf4)
        *high = 0x8f; /* beyond U+10FFFF above */
    return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

int utf8_decode(const char *s, size_t n, uint32_t *cp)
{
    unsigned char low, high, c = (unsigned char)s[0];
    int len = lead(c, &low, &high);
    if (len == 0)
        return -1;
    uint32_t value = len == 1 ? c : c & (0x7fu >> len);
    for (int i = 1; i < len; i++) {
        if ((size_t)i == n)
            return 0;
        c = (unsigned char)s[i];
        if (c < low || c > high)
            return -1;
        low = 0x80;
        high = 0xbf;
        value = value << 6 | (c & 0x3f);
    }
    *cp = value;
    return len;
}

size_t utf8_valid(const char *s, size_t n)
{
    size_t i = 0;
    uint32_t cp;
    while (i < n) {
        int len = utf8_decode(s + i, n - i, &cp);
        if (len <= 0)
            break;
        i += (size_t)len;
    }
    return i;
}

int utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    int len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (int i = len - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)((0xf00 >> len & 0xff) | cp);
    return len;
}

bool utf8_printable(uint32_t cp)
{
    /* Controls of both kinds, what turns or breaks text, what annotates it, tags. */
    static const uint32_t refused[][2] = {
        { 0, 0x1f }, { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200e, 0x200f }, { 0x2028, 0x202e },
        { 0x2066, 0x206f }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f } };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (cp >= refused[i][0] && cp <= refused[i][1])
            return false;
    return true;
}

/* The character at the front of the hold, as far as it is decided: the bytes it takes, or 0 if
 * more must come. *shown is what to write for it, *n its bytes. */
static int hold_front(const struct utf8_hold *h, bool flush, const char **shown, size_t *n)
{
    uint32_t cp;
    int len = utf8_decode((const char *)h->byte, (size_t)h->n, &cp);
    if (len > 0) {
        *shown = (const char *)h->byte;
        *n = (size_t)len;
        return len;
    }
    *shown = replacement;
    *n = sizeof replacement;
    return len < 0 || flush;
}

/* Writes all that is decided in the hold and returns the bytes written. */
static size_t hold_drain(struct utf8_hold *h, bool flush, char *out)
{
    size_t written = 0;
    while (h->n > 0) {
        const char *shown;
        size_t n;
        int used = hold_front(h, flush, &shown, &n);
        if (used == 0)
            break;
        memcpy(out + written, shown, n);
        written += n;
        h->n -= used;
        memmove(h->byte, h->byte + used, (size_t)h->n);
    }
    return written;
}

size_t utf8_hold_add(struct utf8_hold *h, const char *bytes, size_t n, bool flush, char *out)
{
    size_t written = 0;
    for (size_t i = 0; i < n; i++) {
        h->byte[h->n++] = (unsigned char)bytes[i];
        written += hold_drain(h, false, out + written);
    }
    return flush ? written + hold_drain(h, true, out + written) : written;
}

void utf8_copy_printable(char *out, size_t room, const char *s, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp = 0;
        int len = utf8_decode(s + i, n - i, &cp);
        bool ok = len > 0 && utf8_printable(cp);
        size_t take = len > 0 ? (size_t)len : 1, put = ok ? take : 1;
        if (used + put >= room)
            break;
        memcpy(out + used, ok ? s + i : "?", put);
        used += put;
        i += take;
    }
    out[used] = 0;
}
