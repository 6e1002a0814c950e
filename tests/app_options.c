/* app_options.c -- options: what could break is a value that is taken where it is none, a message
 * that does not say what is wrong, or help that forgets a row of a table. */
#include "tests/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "app/mode.h"
#include "app/options.h"
#include "ui/keymap.h"

/* Parses up to three arguments. */
static bool parse(struct options *o, struct err *err, const char *a, const char *b, const char *c)
{
    static char copies[3][256];
    char *argv[5] = {NULL};
    const char *const given[] = {a, b, c};
    int argc = 1;
    options_init(o);
    for (int i = 0; i < 3 && given[i]; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", given[i]);
        argv[argc++] = copies[i];
    }
    return options_parse(o, argc, argv, err);
}

void test_options_defaults(void **state)
{
    (void)state;
    struct options o;
    assert_true(parse(&o, NULL, NULL, NULL, NULL));
    assert_null(o.prompt);
    assert_null(o.mode);
    assert_false(o.json || o.seed_given || o.resume);
    assert_int_equal(o.threads + o.ctx + o.max_tokens, 0);
}

void test_options_forms(void **state)
{
    (void)state;
    struct options o;
    assert_true(parse(&o, NULL, "--prompt", "-x --y", "--json"));
    assert_string_equal(o.prompt, "-x --y");
    assert_true(o.json);
    assert_true(parse(&o, NULL, "--prompt=a=b", "-m", "PRO-max"));
    assert_string_equal(o.prompt, "a=b");
    assert_string_equal(o.mode, "PRO-max");
    assert_true(parse(&o, NULL, "--system=", "-t4", "-cj"));
    assert_string_equal(o.system, "");
    assert_int_equal(o.threads, 4);
    assert_true(o.resume && o.json);
    assert_true(parse(&o, NULL, "-jp", "text", NULL));
    assert_string_equal(o.prompt, "text");
    assert_true(parse(&o, NULL, "--seed", "18446744073709551615", "--ctx=1048576"));
    assert_true(o.seed == UINT64_MAX && o.seed_given);
    assert_int_equal(o.ctx, 1048576);
}

void test_options_refused(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *msg;
    } bad[] = {
        {"--ctx", "abc", "--ctx: 'abc' is not a number"},
        {"--ctx=", NULL, "--ctx: '' is not a number"},
        {"--ctx", "12k", "--ctx: '12k' is not a number"},
        {"--ctx", " 1", "--ctx: ' 1' is not a number"},
        {"--ctx", "1048577", "--ctx: 1048577 is out of range: 0 to 1048576"},
        {"--max-tokens=1048577", NULL, "--max-tokens: 1048577 is out of range: 0 to 1048576"},
        {"--threads", "65", "--threads: 65 is out of range: 0 to 64"},
        {"-t", "-1", "-t: -1 is out of range: 0 to 64"},
        {"-t", "99999999999999999999999", "-t: 99999999999999999999999 is out of range: 0 to 64"},
        {"-t", "-", "-t: '-' is not a number"},
        {"--seed", "-1", "--seed: '-1' is not a number from 0 to 18446744073709551615"},
        {"--seed", "18446744073709551616",
         "--seed: '18446744073709551616' is not a number from 0 to 18446744073709551615"},
        {"--mode", "turbo", "--mode: 'turbo' is not a mode; there are: flash, pro, pro-max"},
        {"--mode", NULL, "--mode: NAME is missing behind it"},
        {"-p", NULL, "-p: TEXT is missing behind it"},
        {"--json=yes", NULL, "--json: takes no value, but got 'yes'"},
        {"--nope", NULL, "there is no option '--nope'; --help lists them"},
        {"--promp", "x", "there is no option '--promp'; --help lists them"},
        {"--", NULL, "'--' is not an option; a question goes behind -p"},
        {"-", NULL, "'-' is not an option; a question goes behind -p"},
        {"-cy", NULL, "there is no option '-y'; --help lists them"},
        {"hello", NULL, "'hello' is not an option; a question goes behind -p"},
        {"", NULL, "'' is not an option; a question goes behind -p"},
        {"--\x1b[31m", NULL, "there is no option '--?[31m'; --help lists them"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct options o;
        struct err err;
        assert_false(parse(&o, &err, bad[i].a, bad[i].b, NULL));
        assert_int_equal(err.code, ERR_INPUT);
        assert_string_equal(err.msg, bad[i].msg);
    }
}

static bool config(struct options *o, const char *text, size_t bytes, struct err *err)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config", test_folder());
    test_write_file(path, text, bytes);
    options_init(o);
    return options_config(o, path, err);
}

void test_options_config(void **state)
{
    (void)state;
    static const char text[] = "# a comment\n\n  mode = pro\r\nsystem =  Be # brief = yes  \n"
                               "ascii=yes\nplain = off\nthreads = 2\nmodel =\nseed = 5";
    struct options o;
    struct err err;
    if (!config(&o, text, strlen(text), &err))
        fail_msg("%s", err.msg);
    assert_string_equal(o.mode, "pro");
    assert_string_equal(o.system, "Be # brief = yes");
    assert_string_equal(o.model, "");
    assert_true(o.ascii && !o.plain && o.seed_given);
    assert_int_equal(o.threads, 2);
    assert_int_equal(o.seed, 5);
    options_init(&o);
    assert_true(options_config(&o, "/no/such/config", &err));
    assert_true(options_config(&o, "/dev/null/config", &err));
}

void test_options_config_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *msg;
    } bad[] = {
        {"nonsense", "line 1: 'nonsense' is not 'name = value'"},
        {"\n\nascii = maybe\n", "line 3: ascii: 'maybe' is neither yes nor no"},
        {"#\nthreads = many\n", "line 2: threads: 'many' is not a number"},
        {"mode = turbo", "line 1: mode: 'turbo' is not a mode; there are: flash, pro, pro-max"},
        {"color = 1", "line 1: there is no option 'color'"},
        {"= 1", "line 1: there is no option ''"},
        {"prompt = hello", "line 1: 'prompt' belongs on the command line"},
    };
    struct options o;
    struct err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(config(&o, bad[i].text, strlen(bad[i].text), &err));
        const char *line = strstr(err.msg, "/config, line ");
        assert_non_null(line);
        assert_string_equal(line + strlen("/config, "), bad[i].msg);
    }
    assert_false(config(&o, "mode = pro\0x\n", 13, &err));
    assert_non_null(strstr(err.msg, "line 1: holds a zero byte"));
    assert_false(options_config(&o, test_folder(), &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.msg, "not a regular file"));
}

/* Any bytes are either a config or a clear error. */
void test_options_config_hostile(void **state)
{
    (void)state;
    uint32_t x = 1;
    char path[128];
    snprintf(path, sizeof path, "%s/config", test_folder());
    for (int i = 0; i < 500; i++) {
        char text[200];
        struct options o;
        struct err err = {0};
        for (size_t k = 0; k < sizeof text; k++) {
            x = x * 1664525u + 1013904223u;
            text[k] = i % 2 ? (char)(x >> 24) : "mode=pro\n# threads"[(x >> 24) % 18];
        }
        test_write_file(path, text, sizeof text);
        options_init(&o);
        if (!options_config(&o, path, &err))
            assert_true(strlen(err.msg) > 0 && err.code == ERR_INPUT);
    }
}

void test_options_help(void **state)
{
    (void)state;
    char *help = options_help();
    static const char *const names[] = {
#define OPTION(field, type, name, ...) "--" name,
#include "app/options.def"
#undef OPTION
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(strstr(help, names[i]));
    for (int i = 0; i < MODE_COUNT; i++)
        assert_non_null(strstr(help, mode_get((enum mode_id)i)->help));
    for (int i = ACTION_NONE + 1; i < ACTION_COUNT; i++)
        assert_non_null(strstr(help, keymap_help((enum action)i)->command));
    assert_non_null(strstr(help, "\n  -p, --prompt TEXT         Answer TEXT on standard output "));
    assert_non_null(strstr(help, "\n  /mode NAME                Answer in this mode from now"));
    for (char *line = strtok(help, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 80);
    free(help);
}
