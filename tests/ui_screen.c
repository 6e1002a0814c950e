/* ui_screen.c -- lists and whole frames. The frames are compared with tests/screens/NAME.screen;
 * with DUET_SCREENS=write they are written instead, to be read in the diff. */
#include "tests/ui.h"
#include "ui/layout.h"
#include "ui/screen.h"
#include "ui/status.h"

static enum list_result press(struct list *l, const char *name)
{
    struct key k;
    if (!key_parse(name, &k))
        fail_msg("no key: %s", name);
    return list_key(l, &k);
}

static struct list *fruits(bool choose)
{
    struct list *l = list_new("Sessions", choose);
    assert_int_equal(list_add(l, "Apple", "today"), 0);
    assert_int_equal(list_add(l, "Banana", "yesterday"), 1);
    assert_int_equal(list_add(l, "Straße", "12 May"), 2);
    assert_int_equal(list_add(l, "漢字", ""), 3);
    return l;
}

static void draws(struct list *l, int rows, int cols, const char *expect)
{
    struct grid g;
    struct buf out = {0};
    grid_init(&g, rows, cols);
    list_draw(l, &g, 0, 0, rows, cols);
    grid_dump(&g, false, &out);
    assert_string_equal(buf_text(&out), expect);
    buf_release(&out);
    grid_release(&g);
}

/* In a text to read the first row that is found can be asked for. */
void test_list_first(void **state)
{
    (void)state;
    ui_locale();
    struct list *l = list_new("Help", false);
    assert_int_equal(list_first(l), -1);
    list_add(l, "F1", "this help");
    list_add(l, "F2", "another mode");
    assert_int_equal(list_first(l), 0);
    list_filter_set(l, "mode");
    assert_int_equal(list_first(l), 1);
    assert_int_equal(list_chosen(l), -1);
    list_filter_set(l, "nothing");
    assert_int_equal(list_first(l), -1);
    list_free(&l);
}

void test_list_moves(void **state)
{
    (void)state;
    ui_locale();
    struct list *l = fruits(true);
    draws(l, 3, 30, "Sessions\n> Apple                 today\n  Banana            yesterday↓\n");
    assert_int_equal(list_chosen(l), 0);
    press(l, "Up");
    assert_int_equal(list_chosen(l), 0);
    press(l, "Down");
    press(l, "Down");
    draws(l, 3, 30, "Sessions\n  Banana            yesterday↑\n> Straße               12 May↓\n");
    press(l, "End");
    assert_int_equal(list_chosen(l), 3);
    press(l, "PgUp");
    assert_int_equal(list_chosen(l), 1);
    press(l, "Home");
    assert_int_equal(list_chosen(l), 0);
    assert_int_equal(press(l, "Enter"), LIST_CHOSEN);
    assert_int_equal(press(l, "Esc"), LIST_CLOSED);
    for (int rows = 1; rows < 8; rows++)
        for (int cols = 1; cols < 40; cols++) {
            struct grid g;
            grid_init(&g, rows, cols);
            list_draw(l, &g, 0, 0, rows, cols);
            grid_release(&g);
        }
    list_free(&l);
    list_free(&l);
}

void test_list_filter(void **state)
{
    (void)state;
    ui_locale();
    struct list *l = fruits(true);
    press(l, "S");
    press(l, "s");
    assert_int_equal(list_chosen(l), 2); /* ss finds ß */
    press(l, "Backspace");
    press(l, "Backspace");
    assert_int_equal(list_chosen(l), 0);
    press(l, "漢");
    draws(l, 3, 30, "Sessions  / 漢\n> 漢字\n\n");
    assert_int_equal(list_add(l, "more 漢", ""), 4);
    assert_int_equal(list_add(l, "none", ""), 5);
    press(l, "Down");
    assert_int_equal(list_chosen(l), 4);
    press(l, "x");
    assert_int_equal(list_chosen(l), -1);
    assert_int_equal(press(l, "Enter"), LIST_MORE);
    draws(l, 2, 30, "Sessions  / 漢x\n  no match\n");
    press(l, "Backspace");
    press(l, "Backspace");
    press(l, "Backspace"); /* one too many */
    assert_int_equal(list_chosen(l), 0);
    list_free(&l);

    list_free(&l);
}

/* A row that the caller knows to fit is shown until the filter changes, in its place. */
void test_list_found(void **state)
{
    (void)state;
    ui_locale();
    struct list *l = fruits(true);
    list_filter_set(l, "Ban");
    list_found(l, 3);
    list_found(l, 0);
    assert_string_equal(list_filter(l), "Ban");
    draws(l, 4, 30, "Sessions  / Ban\n> Apple                 today\n"
                    "  Banana            yesterday\n  漢字\n");
    list_go(l, 3);
    assert_int_equal(list_chosen(l), 3);
    list_go(l, 2); /* not shown */
    assert_int_equal(list_chosen(l), 3);
    list_found(l, 2); /* the bar stays on its row */
    assert_int_equal(list_chosen(l), 3);
    press(l, "a");
    draws(l, 2, 30, "Sessions  / Bana\n> Banana            yesterday\n");
    list_title(l, "New title: x");
    draws(l, 1, 30, "New title: x  / Bana\n");
    list_free(&l);
}

/* Where both texts of a row do not fit, the right one loses pieces from its end; the first one
 * stays, if it is short, and the left text is cut. */
void test_list_narrow(void **state)
{
    (void)state;
    ui_locale();
    struct list *l = list_new("Sessions", true);
    list_add(l, "How do I reverse a list?", "2026-11-26     2 turns    1.4 kB");
    list_add(l, "Short", "17:04    12 turns     20 kB");
    list_add(l, "A piece of the context", "at most 300 tokens, about 2 s");
    draws(l, 4, 61, "Sessions\n> How do I reverse a list?  2026-11-26     2 turns    1.4 kB\n"
                    "  Short                          17:04    12 turns     20 kB\n"
                    "  A piece of the context       at most 300 tokens, about 2 s\n");
    draws(l, 4, 40, "Sessions\n> How do I reverse a list?   2026-11-26\n"
                    "  Short     17:04    12 turns     20 kB\n"
                    "  A piece of the context\n");
    draws(l, 3, 30, "Sessions\n> How do I rever…  2026-11-26\n"
                    "  Short     17:04    12 turns↓\n");
    list_ascii(l, true);
    draws(l, 3, 30, "Sessions\n> How do I rev...  2026-11-26\n"
                    "  Short     17:04    12 turnsv\n");
    press(l, "End");
    draws(l, 3, 30, "Sessions\n  Short     17:04    12 turns^\n> A piece of the context\n");
    list_free(&l);
}

void test_layout_split(void **state)
{
    (void)state;
    struct rect pane[2];
    for (int rows = 1; rows < 60; rows++)
        for (int cols = 1; cols < 240; cols += 7) {
            const struct rect all = {3, 2, rows, cols};
            layout_split(&all, pane);
            bool beside = pane[1].rows && pane[1].col > 2, below = pane[1].rows && !beside;
            assert_int_equal(beside, cols >= LAYOUT_BESIDE_COLS);
            assert_int_equal(below, !beside && rows >= LAYOUT_BELOW_ROWS);
            assert_int_equal(pane[0].cols + (beside ? pane[1].cols + 1 : 0), cols);
            assert_int_equal(pane[0].rows + (below ? pane[1].rows : 0), rows);
            assert_int_equal(pane[0].row, 3);
            assert_int_equal(pane[0].col, 2);
        }
}

/* A text to read: wrapped beside the left part, or below it where that is too wide. */
void test_list_text(void **state)
{
    (void)state;
    ui_locale();
    struct list *l = list_new("Help", false);
    list_add(l, "F1", "This help");
    list_add(l, "F2 Ctrl+T  /toggle", "Switch between Flash and Pro-Max, during a reply too");
    list_add(l, "/a-command-that-is LONGER", "Say something");
    list_add(l, "/none", "");
    draws(l, 7, 50,
          "Help\n  F1                    This help\n"
          "  F2 Ctrl+T  /toggle    Switch between Flash and\n"
          "                        Pro-Max, during a reply\n"
          "                        too\n  /a-command-that-is LONGER\n"
          "                        Say something            ↓\n");
    press(l, "Down");
    draws(l, 7, 50,
          "Help\n"
          "  F2 Ctrl+T  /toggle    Switch between Flash and ↑\n"
          "                        Pro-Max, during a reply\n"
          "                        too\n  /a-command-that-is LONGER\n"
          "                        Say something\n  /none\n");
    press(l, "Down");
    press(l, "End");
    draws(l, 3, 50, "Help\n  F2 Ctrl+T  /toggle    Switch between Flash and ↑\n"
                    "                        Pro-Max, during a reply  ↓\n");
    press(l, "End");
    draws(l, 3, 50, "Help\n  /none                                          ↑\n\n");
    draws(l, 5, 30, "Help\n  /a-command-that-is LONGER  ↑\n    Say something\n  /none\n\n");
    assert_int_equal(list_chosen(l), -1);
    assert_int_equal(press(l, "Enter"), LIST_CLOSED);
    for (int rows = 1; rows < 8; rows++)
        for (int cols = 1; cols < 60; cols++) {
            struct grid g;
            grid_init(&g, rows, cols);
            list_draw(l, &g, 0, 0, rows, cols);
            grid_release(&g);
        }
    list_free(&l);
}

void test_status_count(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {{0, "0"}, {999, "999"}, {1000, "1k"}, {1240, "1.2k"},
                {8192, "8.2k"}, {9949, "9.9k"}, {9999, "10k"}, {1049, "1k"}, {1050, "1.1k"},
                {10000, "10k"}, {131072, "131k"}, {1500000, "1.5M"}, {UINT64_MAX, "18446744074G"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[32];
        status_count(out, sizeof out, rows[i].n);
        assert_string_equal(out, rows[i].text);
    }
    static const struct {
        uint64_t n;
        const char *text;
    } sizes[] = {{0, "0 kB"}, {1, "0.1 kB"}, {999, "1.0 kB"}, {32768, "33 kB"}, {999499, "999 kB"},
                 {999500, "1.0 MB"}, {1234567, "1.2 MB"}, {9949999, "9.9 MB"}, {28311552, "28 MB"},
                 {1500000000, "1.5 GB"}, {UINT64_MAX, "18446744074 GB"}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char out[32];
        status_bytes(out, sizeof out, sizes[i].n);
        assert_string_equal(out, sizes[i].text);
    }
}

/* ---- frames ------------------------------------------------------------------------------- */

static void say(struct transcript *t, enum entry_kind kind, const char *label, enum style s,
                const char *text)
{
    transcript_append(t, transcript_add(t, kind, label, s), text, strlen(text));
}

static struct transcript *talk(void)
{
    struct transcript *t = transcript_new();
    say(t, ENTRY_NOTE, "", STYLE_LABEL, "A new conversation. F1 shows the keys.");
    say(t, ENTRY_USER, "you", STYLE_USER, "Why does this deadlock?");
    say(t, ENTRY_ANSWER, "Flash", STYLE_FLASH,
        "Two threads take the locks in opposite order: each holds what the other waits for, and "
        "neither gives up what it has.\n\n```c\nlock(&a);\nlock(&b);   /* 漢字 */\n```\nTake them in "
        "one order everywhere.\n");
    say(t, ENTRY_USER, "you", STYLE_USER, "And the second path?");
    say(t, ENTRY_THINKING, "Pro-Max", STYLE_PRO_MAX, "Hm. The second path ...");
    transcript_summary(t, 4, "thought 812 tok, 9.4 s  (t unfolds)");
    say(t, ENTRY_ANSWER, "", STYLE_PRO_MAX,
        "It takes the same two locks, but through the callback, so it does not show in the code "
        "of the caller.");
    say(t, ENTRY_ERROR, "", STYLE_ERROR, "the context is full: 8192 of 8192 tokens");
    return t;
}

static struct view idle_view(struct transcript *t, bool ascii)
{
    static const char draft[] = "What about 漢字 in the draft?\nA second line.";
    return (struct view){
        .ascii = ascii, .mode = "Pro-Max", .mode_style = STYLE_PRO_MAX, .thinks = true,
        .title = "deadlock in the lock order", .model = "SmolLM2-135M", .ctx_used = 1234,
        .ctx_total = 8192, .kv_bytes = 28311552, .transcript = t,
        .draft = {.text = draft, .bytes = sizeof draft - 1, .caret = 11}, .state = "idle",
        .tok_s = 41.03, .re_read = 0,
        .hint = "F1 help  F2 mode  F4 sessions",
    };
}

/* The frame is that of the file; the cursor is told in *row, *col. */
static void drawn(const char *name, const struct view *v, int rows, int cols, int *row, int *col)
{
    struct grid g;
    struct buf out = {0};
    char path[100];
    grid_init(&g, rows, cols);
    screen_draw(&g, v, row, col);
    grid_dump(&g, true, &out);
    grid_release(&g);
    snprintf(path, sizeof path, "tests/screens/%s.screen", name);
    const char *mode = getenv("DUET_SCREENS");
    if (mode && strcmp(mode, "write") == 0)
        test_write_file(path, out.data, out.bytes);
    char *expect = test_read_file(path, NULL);
    if (strcmp(expect, out.data) != 0)
        fail_msg("%s differs; the screen is now:\n%s", path, out.data);
    free(expect);
    buf_release(&out);
}

static void matches(const char *name, const struct view *v, int rows, int cols, int at_row,
                    int at_col)
{
    int row, col;
    drawn(name, v, rows, cols, &row, &col);
    assert_int_equal(row, at_row);
    assert_int_equal(col, at_col);
}

/* The cursor is in the last rows, behind a search or in the draft, or hidden. */
static void shows(const char *name, const struct view *v, int rows, int cols)
{
    int row, col;
    drawn(name, v, rows, cols, &row, &col);
    if (v->reader || v->list)
        assert_int_equal(row, v->search_typed ? rows - 1 : -1);
    else
        assert_in_range(row, rows - 5, rows - 2); /* a notice may take three rows */
    assert_in_range(col, 0, cols - 1);
}

void test_screen_frames(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = talk();
    struct view v = idle_view(t, false);
    matches("idle-80x24", &v, 24, 80, 21, 13);
    v.draft_tokens = 10357; /* more than there is room for */
    v.first_s = 2;
    matches("draft-long-80x24", &v, 24, 80, 21, 13);
    v.draft_tokens = 0;
    static const char long_draft[] = "1\n2\n3\n4\n5\n6\n7\n8";
    const struct editor_view usual = v.draft;
    v.draft = (struct editor_view){.text = long_draft, .bytes = sizeof long_draft - 1, .caret = 12};
    matches("draft-rows-40x12", &v, 12, 40, 10, 2);
    v.draft = usual;
    matches("idle-40x12", &v, 12, 40, 9, 13);
    matches("idle-200x60", &v, 60, 200, 57, 13);
    v.ascii = true;
    matches("idle-80x24-ascii", &v, 24, 80, 21, 13);
    matches("idle-40x12-ascii", &v, 12, 40, 9, 13);
    matches("idle-200x60-ascii", &v, 60, 200, 57, 13);
    transcript_free(&t);
}

void test_screen_busy(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = talk();
    struct view v = idle_view(t, false);
    v.draft = (struct editor_view){.text = ""};
    v.state = "reading";
    v.done = 512;
    v.total = 2048;
    v.queued = 2;
    v.re_read = -1;
    v.tok_s = 0;
    v.accepted = 41;
    v.drafted = 56;
    matches("reading-80x24", &v, 24, 80, 22, 2);
    v.held = 300;
    v.read_tok_s = 96;
    v.queued = 0;
    v.kv_bytes = 2400000;
    v.kv_share = 0.047;
    matches("reading-speed-80x24", &v, 24, 80, 22, 2);
    v.held = 0;
    v.read_tok_s = 0;
    v.queued = 2;
    v.kv_bytes = 28311552;
    v.kv_share = 0;
    v.ascii = true;
    v.message = "cannot write /home/me/.local/share/duet/sessions/1/log.jsonl: No space left";
    v.message_is_error = true;
    v.hint = "Tab back  j k [ ] move  / search  y Y copy  t thinking  F1 help";
    v.reader = true;
    matches("reader-60x14-ascii", &v, 14, 60, -1, 2);
    transcript_scroll(t, -5);
    v.ascii = v.message_is_error = false;
    v.message = "";
    matches("reader-60x14", &v, 14, 60, -1, 2);
    v.list = fruits(true);
    matches("list-40x12", &v, 12, 40, -1, 2);
    list_free(&v.list);
    transcript_free(&t);
}

/* Rows above the draft: cut at their right end; none where the transcript would have no room. */
void test_screen_rows(void **state)
{
    (void)state;
    ui_locale();
    static const struct view_row rows[] = {
        {"  1 then 60 - 3 = 57, and six packs of four make 24, so that in the end 81",
         "101 tok", false},
        {"* 2 81", "3 agree  -0.17  98 tok", true},
        {"  3 \033[2Jno", "", false},
    };
    struct transcript *t = talk();
    struct view v = idle_view(t, false);
    v.row = rows;
    v.n_row = 3;
    v.state = "choosing";
    matches("rows-80x24", &v, 24, 80, 21, 13);
    matches("rows-40x12", &v, 12, 40, 9, 13);
    transcript_free(&t);
}

void test_screen_search(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = talk();
    struct view v = idle_view(t, false);
    transcript_find(t, "LOCK", 4);
    v.draft = (struct editor_view){.text = ""};
    v.reader = v.search_typed = true;
    v.search = "LOCK";
    v.hint = "Esc end  Enter keep";
    v.found = transcript_found(t, &v.found_now);
    matches("search-80x24", &v, 24, 80, 23, 6);
    v.search_typed = false;
    transcript_find_next(t, true);
    v.found = transcript_found(t, &v.found_now);
    matches("search-60x14", &v, 14, 60, -1, 2);
    v.search = "nowhere";
    v.message = "answer: 1234 bytes copied by wl-copy, a long message";
    matches("message-40x12", &v, 12, 40, -1, 2);
    v.message = "";
    v.found = 0;
    v.search_typed = true;
    matches("search-40x12", &v, 12, 40, 11, 9);
    v.search = "a text that is longer than the row has room for";
    matches("search-long-40x12", &v, 12, 40, 11, 19);
    v.search_typed = false;
    v.state = "answering";
    matches("search-long-60x14", &v, 14, 60, -1, 2);
    transcript_free(&t);
}

void test_screen_empty(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = transcript_new();
    struct view v = idle_view(t, false);
    v.draft = (struct editor_view){.text = ""};
    v.empty = list_new("A new conversation", false);
    list_add(v.empty, "Enter", "Send the message");
    v.waiting[0] = "first of two\nmore of it";
    v.waiting[1] = "second, which is longer than the row of a narrow screen";
    matches("empty-40x12", &v, 12, 40, 10, 2);
    say(t, ENTRY_USER, "you", STYLE_USER, "It is empty no more.");
    matches("waiting-40x12", &v, 12, 40, 10, 2);
    list_free(&v.empty);
    transcript_free(&t);
}

void test_screen_beside(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = talk(), *other = transcript_new();
    struct view v = idle_view(t, false);
    say(other, ENTRY_USER, "you", STYLE_USER, "An earlier question?");
    say(other, ENTRY_ANSWER, "Flash", STYLE_FLASH, "And what was *said* then.");
    v.draft = (struct editor_view){.text = ""};
    v.beside = other;
    v.heading = "the other one";
    v.list = fruits(true);
    matches("beside-80x24", &v, 24, 80, -1, 2);
    matches("beside-120x14", &v, 14, 120, -1, 2);
    v.ascii = true;
    matches("beside-40x12-ascii", &v, 12, 40, -1, 2);
    list_free(&v.list);
    v.ascii = false;
    v.heading_first = "1 the first one";
    v.accepted = 41;
    v.drafted = 56;
    matches("panes-120x14", &v, 14, 120, 12, 2);
    matches("panes-80x24", &v, 24, 80, 22, 2);
    matches("panes-40x12", &v, 12, 40, 10, 2);
    v.second_alone = true;
    matches("panes-second-40x12", &v, 12, 40, 10, 2);
    transcript_free(&t);
    transcript_free(&other);
}

/* No size and no draft is too small or too large. */
void test_screen_sizes(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = talk();
    struct view v = idle_view(t, false);
    struct buf draft = {0};
    static const struct view_row wide = {"漢字漢字漢字漢字漢字", "漢字漢字", true};
    v.heading = "漢字";
    for (int i = 0; i < 40; i++)
        buf_puts(&draft, "a 漢\n");
    struct list *l = fruits(true);
    for (int rows = 1; rows < 30; rows++)
        for (int cols = 1; cols < 90; cols++) {
            struct grid g;
            int row, col;
            grid_init(&g, rows, cols);
            v.draft = (struct editor_view){
                .text = buf_text(&draft), .bytes = draft.bytes, .caret = draft.bytes / 2};
            v.list = (rows + cols) % 3 ? NULL : l;
            v.beside = cols % 2 ? NULL : t;
            v.heading_first = cols % 4 ? "first" : NULL;
            v.second_alone = rows % 2;
            v.row = &wide;
            v.n_row = rows % 2;
            screen_draw(&g, &v, &row, &col);
            if (v.list)
                assert_int_equal(row, -1);
            else
                assert_true(row >= 0 && row < rows && col >= 0 && col < cols);
            grid_release(&g);
        }
    assert_int_equal(screen_editor_cols(1), 1);
    assert_int_equal(screen_editor_cols(80), 77);
    buf_release(&draft);
    list_free(&l);
    transcript_free(&t);
}

/* ---- random sizes while an answer comes --------------------------------------------------- */

static void add_piece(struct transcript *t, int entry, struct ui_random *r, struct buf *all)
{
    static const char *const pieces[] = {"word ", "漢字 ", "\n\n", "- item\n", "```c\nint x;\n```\n",
                                         "**bold** ", "| a | b |\n|---|---|\n| 1 | 2 |\n\n",
                                         "a line long enough to be wrapped more than once "};
    const char *p = pieces[ui_random(r, sizeof pieces / sizeof *pieces)];
    transcript_append(t, entry, p, strlen(p));
    buf_puts(all, p);
}

/* What the same conversation gives when nothing of it was ever drawn before. */
static void drawn_anew(const struct buf *all, const struct view *like, int rows, int cols,
                       struct buf *out)
{
    struct grid g;
    struct view v = *like;
    int row, col;
    v.transcript = transcript_new();
    say(v.transcript, ENTRY_USER, "you", STYLE_USER, "Tell me.");
    say(v.transcript, ENTRY_ANSWER, "Flash", STYLE_FLASH, buf_text(all));
    grid_init(&g, rows, cols);
    screen_draw(&g, &v, &row, &col);
    grid_dump(&g, true, out);
    grid_release(&g);
    transcript_free(&v.transcript);
}

void test_screen_resizes(void **state)
{
    (void)state;
    ui_locale();
    const char *many = getenv("DUET_ROUNDS");
    struct ui_random r = {31};
    struct transcript *t = transcript_new();
    struct view v = idle_view(t, false);
    struct buf all = {0};
    v.draft = (struct editor_view){.text = ""};
    say(t, ENTRY_USER, "you", STYLE_USER, "Tell me.");
    int entry = transcript_add(t, ENTRY_ANSWER, "Flash", STYLE_FLASH);
    for (int i = 0, n = many ? atoi(many) : 300; i < n; i++) {
        struct buf once = {0}, now = {0};
        struct grid g;
        int rows = 1 + (int)ui_random(&r, 60), cols = 1 + (int)ui_random(&r, 150), row, col;
        add_piece(t, entry, &r, &all);
        grid_init(&g, rows, cols);
        screen_draw(&g, &v, &row, &col);
        grid_dump(&g, true, &now);
        grid_release(&g);
        drawn_anew(&all, &v, rows, cols, &once);
        if (strcmp(buf_text(&now), buf_text(&once)) != 0)
            fail_msg("%dx%d, %s\nis not\n%s", rows, cols, buf_text(&now), buf_text(&once));
        buf_release(&once);
        buf_release(&now);
    }
    transcript_free(&t);
    buf_release(&all);
}

/* ---- every view at three sizes ------------------------------------------------------------- */

static const struct view_row candidates[] = {
    {"  1 then 60 - 3 = 57, and six packs of four make 24, so that in the end 81", "101 tok",
     false},
    {"* 2 81", "3 agree  -0.17  98 tok", true},
};
static struct slice pieces[] = {{300, STYLE_USER, SLICE_EXACT}, {800, STYLE_FLASH, SLICE_INDEX},
                                {400, STYLE_USER, SLICE_CODED}, {900, STYLE_PRO_MAX, SLICE_CODED}};

static void make_draft(struct view *v)
{
    static const char draft[] = "What about 漢字 in the draft?\nA second line.";
    v->draft = (struct editor_view){.text = draft, .bytes = sizeof draft - 1, .caret = 11};
    v->draft_tokens = 14;
    v->first_s = 0.4;
    v->chip = "F7 Pro-Max  F8 no  (3 sentences: can be checked)";
}

static void make_unfolded(struct view *v)
{
    transcript_fold(v->transcript, false);
    v->reader = true;
    v->hint = "Tab back  j k [ ] move  / search  y Y copy  t thinking  F1 help";
}

static void make_list(struct view *v)
{
    v->list = fruits(true);
    v->hint = "Esc back  Enter take it";
}

static void make_themes(struct view *v)
{
    make_unfolded(v);
    make_list(v);
    v->list_rows = 6;
    v->hint = "Esc back  Enter take it";
}

static void make_help(struct view *v)
{
    v->list = list_new("Help", false);
    list_add(v->list, "Enter", "Send the message; while busy it waits its turn");
    list_add(v->list, "F2 Ctrl+T  /toggle", "Switch between Flash and Pro-Max, during a reply too");
    list_add(v->list, "/import FILE", "Open an exported conversation as a new session");
    list_add(v->list, "(reader)", "");
    v->hint = "Esc back  PgDn more  type to find";
}

static void make_slices(struct view *v)
{
    v->list = list_new("Context", true);
    list_add(v->list, "turn 1, you", "300 tokens, exact");
    list_add(v->list, "turn 1, Flash", "800 tokens, flash, 2.1 s to read again");
    list_go(v->list, 1);
    v->strip.mark_from = 300;
    v->strip.mark_to = 1100;
    v->hint = "Esc back  Enter read it again exactly";
}

static void make_exact(struct view *v)
{
    make_slices(v);
    list_free(&v->list);
    v->list = list_new("Hold turn 1, Flash exactly?", true);
    list_add(v->list, "Yes, read it again", "832 tokens, about 2.1 s, up to 18.7 MB more");
    list_add(v->list, "No", "");
}

static void make_sessions(struct view *v)
{
    make_list(v);
    v->beside = transcript_new();
    v->heading = "the other one";
    say(v->beside, ENTRY_USER, "you", STYLE_USER, "An earlier question?");
    say(v->beside, ENTRY_ANSWER, "Flash", STYLE_FLASH, "And what was *said* then.");
    v->hint = "Esc back  Enter open  F2 rename  Del delete  ^U undo";
}

static void make_panes(struct view *v)
{
    make_sessions(v);
    list_free(&v->list);
    v->heading_first = "1 Flash  40 tok  0.5 s  done  kv 1.2 MB";
    v->heading = "2 Pro-Max  172 tok  1.8 s  done  kv 1.9 MB";
    v->hint = "Esc keep 1  1 2 keep  b both  Tab flip";
}

static void make_second(struct view *v)
{
    make_panes(v);
    v->second_alone = true;
}

static void make_candidates(struct view *v)
{
    v->row = candidates;
    v->n_row = 2;
    v->state = "choosing";
}

static void make_typed(struct view *v)
{
    transcript_find(v->transcript, "LOCK", 4);
    v->reader = v->search_typed = true;
    v->search = "LOCK";
    v->hint = "Esc end  Enter keep";
    v->found = transcript_found(v->transcript, &v->found_now);
}

static void make_found(struct view *v)
{
    make_typed(v);
    v->search_typed = false;
    transcript_find_next(v->transcript, true);
    v->found = transcript_found(v->transcript, &v->found_now);
    v->hint = "Tab back  n N next  / search  [ ] turns";
}

static void make_reading(struct view *v)
{
    v->state = "reading";
    v->done = 512;
    v->total = 2048;
    v->re_read = -1;
    v->tok_s = 0;
    v->queued = 2;
    v->waiting[0] = "first of two\nmore of it";
    v->waiting[1] = "second, which is longer than the row of a narrow screen";
}

static void make_message(struct view *v)
{
    v->message = "answer: 1234 bytes copied by wl-copy";
}

static void make_error(struct view *v)
{
    v->message = "cannot write /home/me/.local/share/duet/sessions/1/log.jsonl: No space left";
    v->message_is_error = true;
}

/* A notice that leaves the keys of a list their room. */
static void make_deleted(struct view *v)
{
    make_sessions(v);
    v->message = "a walk through the old town is deleted; Ctrl+U brings it back";
}

static void make_naming(struct view *v)
{
    make_sessions(v);
    list_title(v->list, "New title: a walk");
    v->hint = "Esc as it was  Enter take it";
}

/* The candidates of an answer that is over, to be taken from. */
static void make_tray(struct view *v)
{
    v->list = list_new("Candidates", true);
    for (int i = 0; i < 2; i++)
        list_add(v->list, candidates[i].left, candidates[i].right);
    v->hint = "Esc back  Enter take it";
}

static void make_settings(struct view *v)
{
    v->settings = "think 16, seed 7, temp 0.7";
}

static void make_back(struct view *v)
{
    v->reader = true;
    v->hint = "Tab back  j k [ ] move  / search  y Y copy  t thinking  F1 help";
    transcript_scroll(v->transcript, -4);
}

static void make_empty(struct view *v)
{
    transcript_clear(v->transcript);
    v->title = "new conversation";
    v->ctx_used = 0;
    v->strip.n = 0;
    v->re_read = -1;
    v->tok_s = 0;
    v->empty = list_new("Welcome to duet", false);
    list_add(v->empty, "", "One conversation, two ways of answering.");
    list_add(v->empty, "Flash", "answers at once");
    list_add(v->empty, "F2 Ctrl+T", "Switch between Flash and Pro-Max, during a reply too");
}

/* What the last answer was unsure of, with the bar on the second place. */
static void make_doubt(struct view *v)
{
    static const struct stretch marks[] = {{5, 3, 5, STYLE_DOUBT}, {5, 34, 11, STYLE_DOUBT_NOW},
                                           {5, 61, 8, STYLE_DOUBT_MUCH}};
    v->list = list_new("What the last answer was unsure of", true);
    list_add(v->list, "7 %  the callback, so it [does not] show in the code", "");
    list_add(v->list, "19 %  same two locks, but [through the] callback", "");
    list_add(v->list, "44 %  It [takes] the same two locks", "");
    list_go(v->list, 1);
    v->list_rows = 3;
    v->reader = true;
    v->hint = "Esc back  Enter ask Pro-Max about it";
    transcript_mark(v->transcript, marks, 3);
}

/* What has to be left says how, whatever the size and whatever notice is there. */
static void leads_back(const struct view *like)
{
    struct view v = *like;
    static const char *const notices[] = {"", "short", "a notice that takes a row for itself",
                                          "a notice that takes so many rows that it has to be cut, "
                                          "because there is more to say than three of them hold, "
                                          "as it is the case with the path of a file"};
    if (!v.list && !v.reader && !v.search && !v.heading_first)
        return;
    for (int n = 0; n < 4 * 130; n++) {
        int cols = 20 + n / 4, rows = 8 + n % 20, row, col;
        struct grid g;
        struct buf out = {0};
        char first[40];
        v.message = v.search_typed ? "" : notices[n % 4];
        snprintf(first, sizeof first, "%.*s", (int)(strstr(v.hint, "  ") - v.hint), v.hint);
        grid_init(&g, rows, cols);
        screen_draw(&g, &v, &row, &col);
        grid_dump(&g, false, &out);
        if (!strstr(buf_text(&out), first))
            fail_msg("no '%s' at %dx%d:\n%s", first, cols, rows, buf_text(&out));
        buf_release(&out);
        grid_release(&g);
    }
}

/* Every view at the three sizes. A row of the dump has its text and, for each cell, its role: dark
 * and light give these other colours, so one dump stands for all themes; that each of them has all
 * roles is tests/ui_theme.c's. */
void test_screen_views(void **state)
{
    (void)state;
    static const int sizes[][2] = {{24, 80}, {12, 40}, {60, 200}};
    static const struct {
        const char *name;
        void (*make)(struct view *v);
    } views[] = {{"draft", make_draft}, {"unfolded", make_unfolded}, {"themes", make_themes},
                 {"list", make_list}, {"help", make_help}, {"slices", make_slices},
                 {"exact", make_exact}, {"doubt", make_doubt},
                 {"sessions", make_sessions}, {"panes", make_panes},
                 {"second", make_second}, {"candidates", make_candidates}, {"typed", make_typed},
                 {"found", make_found}, {"reading", make_reading}, {"message", make_message},
                 {"error", make_error}, {"back", make_back}, {"empty", make_empty},
                 {"deleted", make_deleted}, {"naming", make_naming}, {"tray", make_tray},
                 {"settings", make_settings}};
    ui_locale();
    for (size_t n = 0; n < sizeof views / sizeof views[0] * 6; n++) {
        const int *size = sizes[n / 2 % 3];
        bool ascii = n % 2;
        struct transcript *t = talk();
        struct view v = idle_view(t, ascii);
        char name[60];
        v.strip = (struct strip){.slice = pieces, .n = 4, .total = 8192};
        v.draft = (struct editor_view){.text = ""};
        views[n / 6].make(&v);
        snprintf(name, sizeof name, "view-%s-%dx%d%s", views[n / 6].name, size[1], size[0],
                 ascii ? "-ascii" : "");
        shows(name, &v, size[0], size[1]);
        leads_back(&v);
        list_free(&v.list);
        list_free(&v.empty);
        transcript_free(&v.beside);
        transcript_free(&t);
    }
}

/* Pointing: the row of a list, then its choice; a thought; where the parts are said to be. */
void test_screen_points(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = talk();
    struct view v = idle_view(t, false);
    struct spots s;
    struct grid g;
    int row, col;
    grid_init(&g, 24, 80);
    v.spots = &s;
    v.strip = (struct strip){.slice = pieces, .n = 4, .total = 8192};
    screen_draw(&g, &v, &row, &col);
    assert_int_equal(s.list.rows, 0);
    assert_int_equal(s.beside.rows, 0);
    assert_int_equal(s.transcript.row, 1);
    assert_int_equal(s.strip.row, 0);
    assert_string_equal(g.cell[s.strip.col].text, "░");
    assert_string_equal(g.cell[s.strip.col - 1].text, "[");
    assert_string_equal(g.cell[s.strip.col + s.strip.cols].text, "]");
    int thought = 0;
    while (!strstr(g.cell[(size_t)(thought * 80 + 8)].text, "▸"))
        thought++;
    assert_false(transcript_point(t, thought - s.transcript.row + 1));
    assert_false(transcript_point(t, 100));
    assert_true(transcript_point(t, thought - s.transcript.row));
    screen_draw(&g, &v, &row, &col);
    assert_string_equal(g.cell[(size_t)(thought * 80 + 8)].text, "H");
    transcript_fold(t, true);
    screen_draw(&g, &v, &row, &col);
    assert_string_equal(g.cell[(size_t)(thought * 80 + 8)].text, "▸");
    v.list = fruits(true);
    screen_draw(&g, &v, &row, &col);
    assert_int_equal(s.list.row, 1);
    assert_false(list_point(v.list, 0));
    assert_false(list_point(v.list, 3));
    assert_int_equal(list_chosen(v.list), 2);
    assert_true(list_point(v.list, 3));
    assert_false(list_point(v.list, 9));
    list_free(&v.list);
    v.list = fruits(false);
    assert_false(list_point(v.list, 1)); /* a text to read */
    list_free(&v.list);
    transcript_free(&t);
    grid_release(&g);
}
