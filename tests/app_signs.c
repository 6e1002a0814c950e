/* app_signs.c -- what /unicode tells. What could break: a disagreement with the terminal that is
 * not told, or one that is none. */
#include <locale.h>

#include "tests/test.h"

#include "app/signs.h"
#include "ui/text.h"

/* A terminal that agrees, but draws one text in this many cells. */
struct terminal {
    const char *other;
    int cells;
};

static int measure(void *data, const char *text, size_t bytes)
{
    const struct terminal *t = data;
    return t->other && strcmp(t->other, text) == 0 ? t->cells : text_cells(text, bytes);
}

static void tells(const char *text, struct terminal *t, const char *want)
{
    struct buf out = {0};
    signs_tell(text, t ? measure : NULL, t, &out);
    assert_string_equal(buf_text(&out), want);
    buf_release(&out);
}

void test_signs_tell(void **state)
{
    (void)state;
    struct terminal good = {NULL, 0}, wide = {"…", 2}, silent = {"x", -1};
    setlocale(LC_ALL, "C.UTF-8");
    tells("ae\u0301", &good,
          "a  U+0061: 1 cell, as this terminal draws it\n"
          "e\u0301  U+0065 U+0301: 1 cell, as this terminal draws it\n");
    tells("x…", &wide, "x  U+0078: 1 cell, as this terminal draws it\n"
                       "…  U+2026: 1 cell, THIS TERMINAL DRAWS 2\n");
    tells("x", &silent, "x  U+0078: 1 cell\n");
    tells("👍\U0001F3FD\033", NULL, "👍  U+1F44D U+1F3FD: 2 cells, 4 by the C library\n"
                                    "^[  U+001B: 2 cells, unknown to the C library\n");
    tells("", &good, "this terminal draws all 16 signs whose width programs disagree about as wide "
                     "as duet takes them to be\n");
    tells("", &wide, "…  U+2026: 1 cell, THIS TERMINAL DRAWS 2\n");
    char many[60];
    memset(many, 'a', 59);
    many[59] = 0;
    struct buf out = {0};
    signs_tell(many, NULL, NULL, &out);
    assert_non_null(strstr(buf_text(&out), "\nand 19 bytes more\n"));
    buf_release(&out);
}
