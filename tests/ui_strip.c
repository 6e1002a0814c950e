/* ui_strip.c -- the context as cells. What could break: a piece that is not to be seen, a cell of
 * another mode, an inexact stretch that looks exact. */
#include "tests/ui.h"
#include "ui/strip.h"

static void draws(const struct strip *s, int cells, bool ascii, const char *expect)
{
    struct grid g;
    struct buf out = {0};
    grid_init(&g, 1, cells);
    assert_int_equal(strip_draw(s, &g, 0, 0, cells, ascii), cells);
    grid_dump(&g, true, &out);
    assert_string_equal(buf_text(&out), expect);
    buf_release(&out);
    grid_release(&g);
}

void test_strip(void **state)
{
    (void)state;
    ui_locale();
    const struct slice s[] = {{10, STYLE_NOTE, true},  {30, STYLE_USER, true},
                              {60, STYLE_FLASH, false}, {99, STYLE_PRO_MAX, true},
                              {1, STYLE_USER, true},    {1, STYLE_FLASH, true}};
    draws(&(struct strip){s, 6, 400}, 8, false, "▒▒▓▓▓░░░\n|ufppfggg\n");
    draws(&(struct strip){s, 6, 400}, 8, true, "==###...\n|ufppfggg\n");
    draws(&(struct strip){s, 0, 400}, 3, false, "░░░\n|ggg\n");
    draws(&(struct strip){s, 6, 0}, 2, false, "▓▓\n|nn\n");
    draws(&(struct strip){s, 6, 100}, 3, false, "▓▒▒\n|uff\n"); /* fuller than full */
    draws(&(struct strip){s, 6, 3}, 6, false, "▓▓▓▓▓▓\n|nnnnnn\n");
}
