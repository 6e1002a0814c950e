/* ui_hostile.c -- whatever a model, a file or a server says, on the screen. What could break: one
 * place that draws a text without making it fit to be shown. */
#include "tests/hostile.h"
#include "tests/ui.h"
#include "ui/list.h"
#include "ui/screen.h"
#include "ui/text.h"
#include "ui/theme.h"

enum { TEXTS = 10 };

static void clean(const char *what, const char *text, size_t bytes)
{
    const char *bad = hostile_find(text, bytes);
    if (bad)
        fail_msg("%s: byte %02x at %d of '%s'", what, (unsigned char)*bad, (int)(bad - text),
                 text);
}

static void clean_grid(const char *what, const struct grid *g)
{
    for (size_t i = 0, n = (size_t)g->rows * (size_t)g->cols; i < n; i++) {
        clean(what, g->cell[i].text, strlen(g->cell[i].text));
        assert_false(strchr(g->cell[i].text, '\n') || strchr(g->cell[i].text, '\t'));
        assert_true(g->cell[i].width <= 2 && g->cell[i].style < STYLE_COUNT);
    }
}

static struct transcript *hostile_talk(const struct buf *text)
{
    struct transcript *t = transcript_new();
    for (int i = 0; i < 5; i++) {
        transcript_add(t, (enum entry_kind)i, buf_text(&text[i]), STYLE_LABEL);
        transcript_append(t, i, buf_text(&text[i + 1]), text[i + 1].bytes);
        transcript_summary(t, i, buf_text(&text[i + 2]));
    }
    return t;
}

static void draw(const struct view *v, struct ui_random *r)
{
    struct grid g;
    int row, col;
    grid_init(&g, 1 + (int)ui_random(r, 40), 1 + (int)ui_random(r, 120));
    screen_draw(&g, v, &row, &col);
    clean_grid("screen", &g);
    grid_release(&g);
}

void test_hostile_screen(void **state)
{
    (void)state;
    ui_locale();
    struct ui_random r = {11};
    uint64_t seed = 4;
    for (int round = 0; round < 60; round++) {
        struct buf text[TEXTS] = {{0}}, plain = {0};
        for (int i = 0; i < TEXTS; i++)
            hostile_text(&text[i], &seed, 1 + ui_random(&r, 300));
        struct transcript *t = hostile_talk(text);
        struct view v = {.ascii = round % 2,
                         .mode = buf_text(&text[0]),
                         .title = buf_text(&text[1]),
                         .model = buf_text(&text[2]),
                         .ctx_total = 10,
                         .transcript = t,
                         .draft = {buf_text(&text[3]), text[3].bytes, 0},
                         .search = round % 3 ? NULL : buf_text(&text[4]),
                         .state = buf_text(&text[5]),
                         .hint = buf_text(&text[6]),
                         .message = round % 3 ? "" : buf_text(&text[6]),
                         .message_is_error = round % 5 == 0};
        if (round % 7 == 0)
            transcript_find(t, "w", 1);
        transcript_fold(t, round % 2);
        draw(&v, &r);
        v.list = list_new(buf_text(&text[7]), round % 2);
        for (int i = 0; i < 5; i++)
            list_add(v.list, buf_text(&text[i]), buf_text(&text[i + 3]));
        struct key k = {.code = KEYCODE_CHAR, .ch = 0x202E};
        list_key(v.list, &k);
        draw(&v, &r);
        transcript_plain(t, 1 + round % 50, &plain);
        clean("plain", buf_text(&plain), plain.bytes);
        list_free(&v.list);
        transcript_free(&t);
        buf_release(&plain);
        for (int i = 0; i < TEXTS; i++)
            buf_release(&text[i]);
    }
}

/* A message about a file quotes it. */
void test_hostile_messages(void **state)
{
    (void)state;
    ui_locale();
    uint64_t seed = 9;
    for (int round = 0; round < 200; round++) {
        struct buf text = {0}, json = {0};
        struct theme t;
        char msg[200] = "";
        hostile_text(&text, &seed, 40);
        for (size_t i = 0; i < text.bytes; i++)
            if (text.data[i] == '"' || text.data[i] == '\\' || (unsigned char)text.data[i] < 0x20)
                text.data[i] = '\x7f';
        buf_printf(&json, "{\"name\": \"x\", \"roles\": {\"%s\": {}}}", buf_text(&text));
        assert_false(theme_parse(&t, json.data, json.bytes, "my.json", msg, sizeof msg));
        clean("theme", msg, text_whole(msg, strlen(msg)));
        buf_release(&text);
        buf_release(&json);
    }
}
