/* hostile.c -- see hostile.h. Judges by its own list, not by ui/text.c. */
#include "tests/hostile.h"

#include <string.h>

static unsigned next(uint64_t *random, unsigned n)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*random >> 33) % n;
}

void hostile_text(struct buf *out, uint64_t *random, size_t bytes)
{
    static const char *const pieces[] = {
        "\033[2J", "\033]0;title\a", "\033]52;c;ZXZpbA==\a", "\033P+q544e\033\\", "\033[?1049l",
        "\033[6n", "\033c", "\x9b" "31m", "\xC2\x9B" "31m", "\xC2\x85", "\b\b\b", "\r", "\r\n",
        "\n", "\t", "\x7f", "\x0e", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x80\x8F", "\xE2\x80\xA8",
        "\xF3\xA0\x81\x81", "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9", "\xE6\xBC\xA2",
        "\xE6\xBC", "\xFF\xFE", "\xED\xA0\x80", "\xC0\xAF", "e\xCC\x81\xCC\x81\xCC\x81\xCC\x81"
        "\xCC\x81\xCC\x81", "word ", "`code`", "```c\n", "**", "| a | b |\n|---|---|\n", "- ",
        "> ", "# ", "<b>", "&#27;[31m", "&#x9b;", "&#x202e;", "[a](\033[2J)", "\xEF\xB7\x90",
        "\xE2\x80\x8B", "\xEF\xBB\xBF"};
    enum { N = sizeof pieces / sizeof *pieces };
    while (out->bytes < bytes) {
        char byte = (char)(1 + next(random, 255));
        unsigned i = next(random, N + N / 2);
        if (i < N)
            buf_puts(out, pieces[i]);
        else
            buf_append(out, &byte, 1);
    }
}

/* The character at s, 0 if it is none; *used its bytes. */
static uint32_t character(const unsigned char *s, size_t bytes, size_t *used)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *s < 0x80 ? 1 : *s >= 0xF0 ? 4 : *s >= 0xE0 ? 3 : *s >= 0xC0 ? 2 : 0;
    *used = n;
    if (!n || n > bytes)
        return 0;
    uint32_t ch = n == 1 ? *s : *s & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        ch = ch << 6 | (s[i] & 0x3F);
    }
    return ch < least[n] || ch > 0x10FFFF || (ch >= 0xD800 && ch < 0xE000) ? 0 : ch;
}

static bool harms(uint32_t ch)
{
    return (ch < 0x20 && ch != '\n' && ch != '\t') || (ch >= 0x7F && ch < 0xA0) ||
           ch == 0x061C || ch == 0x200E || ch == 0x200F || (ch >= 0x2028 && ch <= 0x202E) ||
           (ch >= 0x2066 && ch <= 0x206F) || (ch >= 0xFFF9 && ch <= 0xFFFB) ||
           (ch >= 0xE0000 && ch <= 0xE007F);
}

const char *hostile_find(const char *text, size_t bytes)
{
    for (size_t at = 0, used; at < bytes; at += used) {
        uint32_t ch = character((const unsigned char *)text + at, bytes - at, &used);
        if (!ch || harms(ch))
            return text + at;
    }
    return NULL;
}
