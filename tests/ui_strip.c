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
    const struct slice s[] = {{10, STYLE_NOTE, SLICE_EXACT},  {30, STYLE_USER, SLICE_EXACT},
                              {60, STYLE_FLASH, SLICE_CODED}, {99, STYLE_PRO_MAX, SLICE_EXACT},
                              {1, STYLE_USER, SLICE_EXACT},   {1, STYLE_FLASH, SLICE_EXACT}};
    const struct slice index[] = {{50, STYLE_FLASH, SLICE_INDEX}, {50, STYLE_USER, SLICE_CODED}};
    draws(&(struct strip){s, 6, 400, 0, 0}, 8, false, "▒▒▓▓▓···\n|ufppfggg\n");
    draws(&(struct strip){s, 6, 400, 0, 0}, 8, true, "==###...\n|ufppfggg\n");
    draws(&(struct strip){s, 0, 400, 0, 0}, 3, false, "···\n|ggg\n");
    draws(&(struct strip){s, 6, 0, 0, 0}, 2, false, "▓▓\n|nn\n");
    draws(&(struct strip){s, 6, 100, 0, 0}, 3, false, "▓▒▒\n|uff\n"); /* fuller than full */
    draws(&(struct strip){s, 6, 3, 0, 0}, 6, false, "▓▓▓▓▓▓\n|nnnnnn\n");
    draws(&(struct strip){index, 2, 200, 0, 0}, 4, false, "░▒··\n|fugg\n");
    draws(&(struct strip){index, 2, 200, 50, 51}, 4, true, "-=..\n|fsgg\n"); /* one is marked */
    static const int slices[] = {0, 1, -1, -1};
    for (int cell = 0; cell < 4; cell++)
        assert_int_equal(strip_slice(&(struct strip){index, 2, 200, 0, 0}, cell, 4), slices[cell]);
    assert_int_equal(strip_slice(&(struct strip){s, 6, 400, 0, 0}, 2, 8), 3);
}
