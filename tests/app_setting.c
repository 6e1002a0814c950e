/* app_setting.c -- settings and modes of one's own: what could break is a value that is taken where
 * it is none, a change that does not come back, or a config file that keeps the program from
 * starting. */
#include "tests/test.h"

#include "app/mode_config.h"
#include "app/options.h"
#include "app/setting.h"

void test_setting_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *got; /* got NULL: refused */
    } row[] = {
        {"think", "0", "0"}, {"think", "32768", "32768"}, {"think", "32769", NULL},
        {"think", "-1", NULL}, {"think", "1.5", NULL}, {"think", "", NULL},
        {"think", "99999999999999999999999", NULL}, {"answer", "0", NULL}, {"best", "5", "5"},
        {"best", "6", NULL}, {"best", "0", NULL}, {"temp", "0.7", "0.7"}, {"temp", ".5", "0.5"},
        {"temp", "nan", NULL}, {"temp", "inf", NULL}, {"temp", "0x1", NULL}, {"temp", "1e1", NULL},
        {"temp", "5.1", NULL}, {"temp", ".", NULL}, {"top-p", "0", NULL}, {"top-p", "1", "1"},
        {"choose", "vote", "vote"}, {"choose", "vot", NULL}, {"choose", "votes", NULL},
        {"choose", "none check", NULL}, {"choose", "", NULL}, {"far", "index", "index"},
        {"ahead", "none", "none"}, {"repeat", "1.1", "1.1"}, {"min-p", "0.05", "0.05"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct mode m = *mode_get(MODE_PRO);
        struct buf got = {0};
        struct err err = {0};
        const struct setting *s = setting_find(row[i].name, strlen(row[i].name));
        assert_non_null(s);
        bool ok = setting_put(s, &m, row[i].value, &err);
        setting_get(s, &m, &got);
        if (ok != (row[i].got != NULL) || (ok && strcmp(buf_text(&got), row[i].got) != 0))
            fail_msg("%s = '%s': %d '%s'", row[i].name, row[i].value, ok, buf_text(&got));
        assert_true(ok || strncmp(err.msg, row[i].name, strlen(row[i].name)) == 0);
        assert_int_equal(m.think == MODE_THINK_NONE, m.think_tokens == 0);
        buf_release(&got);
    }
    assert_null(setting_find("thin", 4));
    assert_null(setting_find("", 0));
}

void test_setting_changes(void **state)
{
    (void)state;
    struct settings s = {0};
    struct buf text = {0};
    const struct setting *think = setting_find("think", 5), *temp = setting_find("temp", 4);
    assert_ptr_equal(settings_row(&s, MODE_FLASH), mode_get(MODE_FLASH));
    assert_true(settings_put(&s, MODE_FLASH, think, "99", NULL));
    assert_true(settings_put(&s, MODE_FLASH, temp, "0.2", NULL));
    assert_false(settings_put(&s, MODE_FLASH, think, "x", NULL));
    assert_int_equal(settings_row(&s, MODE_FLASH)->think_tokens, 99);
    assert_int_equal(settings_row(&s, MODE_FLASH)->think, MODE_THINK_ONE);
    assert_int_equal(settings_row(&s, MODE_PRO)->think_tokens, 256);
    settings_describe(&s, MODE_FLASH, &text);
    assert_string_equal(buf_text(&text), "think 99, temp 0.2");
    assert_true(settings_put(&s, MODE_FLASH, think, "0", NULL)); /* as the row has it */
    assert_false(settings_changed(&s, MODE_FLASH, think));
    assert_true(settings_put(&s, MODE_FLASH, temp, NULL, NULL));
    assert_ptr_equal(settings_row(&s, MODE_FLASH), mode_get(MODE_FLASH));
    assert_int_equal(mode_get(MODE_FLASH)->think, MODE_THINK_NONE);
    buf_release(&text);
}

/* ---- modes of one's own -------------------------------------------------------------------- */

static char path[128];

static void config_begin(void)
{
    snprintf(path, sizeof path, "%s/config", test_folder());
}

static bool read_config(struct options *o, const char *text, size_t bytes, struct err *err)
{
    test_write_file(path, text, bytes);
    mode_forget();
    options_init(o);
    return options_config(o, path, err);
}

void test_mode_config(void **state)
{
    (void)state;
    static const char text[] = "mode = careful\nthreads = 2\n\n[mode careful]\nbase = pro\n"
                               "# slow\ntitle = Very careful\nthink = 900\r\ntemp=0.25\n"
                               "choose = check\nbest=3\n help = takes its time \n"
                               "[mode  short ]\nbase = careful\nthink = 0\nremote = small\n";
    struct options o;
    struct err err;
    config_begin();
    if (!read_config(&o, text, strlen(text), &err))
        fail_msg("%s", err.msg);
    assert_null(o.said);
    assert_string_equal(o.mode, "careful");
    assert_int_equal(o.threads, 2);
    assert_int_equal(mode_count(), MODE_COUNT + 2);
    const struct mode *m = mode_find("Careful", 7), *n = mode_find("short", 5);
    assert_int_equal(m->id, MODE_COUNT);
    assert_string_equal(m->title, "Very careful");
    assert_string_equal(m->help, "takes its time");
    assert_string_equal(m->remote, "deepseek-v4-pro");
    assert_int_equal(m->think_tokens, 900);
    assert_int_equal(m->answer_tokens, mode_get(MODE_PRO)->answer_tokens);
    assert_int_equal(m->choose, MODE_CHOOSE_CHECK);
    assert_int_equal(m->candidates, 3);
    assert_int_equal(m->style, mode_get(MODE_PRO)->style);
    assert_string_equal(n->title, "short");
    assert_int_equal(n->think, MODE_THINK_NONE);
    assert_int_equal(n->candidates, 3);
    assert_string_equal(n->remote, "small");
    char *help = options_help();
    assert_non_null(strstr(help, "takes its time"));
    free(help);
    mode_forget();
    assert_int_equal(mode_count(), MODE_COUNT);
}

/* A mistake leaves its mode out and is told; the rest of the file holds. */
void test_mode_config_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"[mode x]\nthnk = 5\n", "line 2: mode 'x': a mode has no 'thnk' (options stand above the "
                                 "first [mode ...])"},
        {"[mode x]\nthink = many\nbest = 9\n",
         "line 2: mode 'x': think: 'many' is not a number from 0 to 32768 (and 1 more)"},
        {"#\n[mode flash]\n", "line 2: mode 'flash': there is a mode 'flash' already"},
        {"[mode X]\n", "line 1: mode 'X': 'X' cannot name a mode: small letters, digits, '-' and "
                       "'_', at most 24"},
        {"[mode ]\n", "line 1: '' cannot name a mode: small letters, digits, '-' and '_', at most "
                      "24"},
        {"[mode]\n", "line 1: '[mode]' is not [mode NAME]"},
        {"[x]\nthink = 5\n", "line 1: '[x]' is not [mode NAME]"},
        {"[", "line 1: '[' is not [mode NAME]"},
        {"[mode help]\n", "line 1: mode 'help': /help is a command"},
        {"[mode x]\nthink\n", "line 2: mode 'x': 'think' is not 'name = value'"},
        {"[mode x]\nbase = x\n", "line 2: mode 'x': base: there is no mode 'x'"},
        {"[mode x]\nthink = 9\nbase = pro\n", "line 3: mode 'x': base: has to stand first"},
        {"[mode x]\ntitle =\n", "line 2: mode 'x': title: 1 to 60 bytes, not 0"},
        {"[mode x]\ntitle = a\x1b[2J\n", "line 2: mode 'x': title: holds a control character"},
    };
    config_begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[400];
        struct options o;
        struct err err;
        snprintf(text, sizeof text, "ascii = yes\n%s%s[mode good]\n", bad[i].text,
                 bad[i].text[strlen(bad[i].text) - 1] == '\n' ? "" : "\n");
        assert_true(read_config(&o, text + 12, strlen(text) - 12, &err));
        assert_non_null(o.said);
        const char *line = strstr(o.said, "/config, ");
        assert_non_null(line);
        assert_string_equal(line + strlen("/config, "), bad[i].said);
        assert_non_null(mode_find("good", 4));
        assert_int_equal(mode_count(), MODE_COUNT + 1);
        assert_true(read_config(&o, text, strlen(text), &err));
        assert_true(o.ascii);
    }
    mode_forget();
}

void test_mode_config_too_many(void **state)
{
    (void)state;
    struct buf text = {0};
    struct options o;
    struct err err;
    config_begin();
    for (int i = 0; i < 20; i++)
        buf_printf(&text, "[mode m%d]\n", i);
    assert_true(read_config(&o, text.data, text.bytes, &err));
    assert_int_equal(mode_count(), MODE_MAX);
    assert_non_null(strstr(o.said, "mode 'm13': there are 16 modes already (and 6 more)"));
    assert_true(read_config(&o, "[mode z]\ntitle = a\0b\n", 21, &err));
    assert_non_null(strstr(o.said, "holds a control character"));
    mode_forget();
    buf_release(&text);
}

/* Any bytes behind a head: the program starts. */
void test_mode_config_hostile(void **state)
{
    (void)state;
    static const char *const piece[] = {"[mode ", "]\n", "think", "=", "\n", "best = 2\n",
                                        "base = ", "pro\n", "\x1b", "\xff", "[", "# x\n",
                                        "title = ",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    uint32_t x = 1;
    config_begin();
    for (int i = 0; i < 400; i++) {
        struct buf text = {0};
        struct options o;
        struct err err;
        buf_puts(&text, "[mode a]\n");
        for (int k = 0; k < 20; k++) {
            x = x * 1664525u + 1013904223u;
            buf_puts(&text, piece[(x >> 16) % (sizeof piece / sizeof *piece)]);
        }
        assert_true(read_config(&o, text.data, text.bytes, &err));
        assert_true(mode_count() <= MODE_MAX);
        buf_release(&text);
    }
    mode_forget();
}
