/* ui_code.c -- colours of code. What could break: a colour runs on beyond its string, a line has
 * other colours when it is lexed from the state before it, a line that never ends. */
#include "tests/ui.h"
#include "ui/buf.h"
#include "ui/code.h"

/* The letters of the styles, one a byte, a line for each line of code. */
static void paint(const char *lang, const char *code, struct buf *out)
{
    const struct code_lang *l = code_lang(lang, strlen(lang));
    unsigned open = 0;
    for (const char *at = code; *at;) {
        size_t n = strcspn(at, "\n"), bytes, sum = 0;
        struct code_line c = {.lang = l, .state = open, .line = at, .bytes = n};
        enum style s;
        while (code_next(&c, &bytes, &s)) {
            assert_true(bytes > 0);
            for (size_t i = 0; i < bytes; i++)
                buf_append(out, s == STYLE_BLOCK ? "." : style_name(s), 1);
            sum += bytes;
        }
        assert_int_equal(sum, n);
        buf_puts(out, "\n");
        open = c.state;
        at += n + (at[n] == '\n');
    }
}

static void paints(const char *lang, const char *code, const char *expect)
{
    struct buf out = {0};
    paint(lang, code, &out);
    assert_string_equal(buf_text(&out), expect);
    buf_release(&out);
}

void test_code_languages(void **state)
{
    (void)state;
    paints("c", "#include <a.h>\nint x = 0x1F; // y\n", "kkkkkkkk......\nttt.....nnnn..cccc\n");
    paints("python", "def f(x): # no\n    return 'a\\'b' + None",
           "kkk.......cccc\n....kkkkkk.ssssss...nnnn\n");
    paints("sh", "if [ \"$x\" ]; then echo ${y}#z # c", "kk...ssss....kkkk.tttt........ccc\n");
    paints("json", "{\"a\": \"b\", \"c\": [1.5e-3, true]}", ".ttt..sss..ttt...nnnnnn..nnnn..\n");
    paints("go", "x := `a\nb` + y", ".....ss\nss....\n");
    paints("rust", "fn f<'a>(c: char) { '\\n'; 'x' }", "kk..........tttt....ssss..sss..\n");
    paints("rust", "r#\"a\"b\nc\"# d", "ssssss\nsss..\n");
    paints("java", "@Override public List<Foo> f()", "kkkkkkkkk.kkkkkk.tttt.ttt.....\n");
    paints("html", "<a href=\"x\">T</a><!-- c\n--> &amp;", "kkkkkkkkkkkk.kkkkcccccc\nccc.nnnnn\n");
    paints("css", "a { color: #fff; } /* x */", "....ttttt..........ccccccc\n");
    paints("SQL", "select a FROM t -- x", "kkkkkk...kkkk...cccc\n");
    paints("make", "all: $(X) # y\nV := 1", "ttt..ssss.ccc\nt....n\n");
    paints("yaml", "my-key: true # x\n- a: 'b'", "tttttt..nnnn.ccc\n..t..sss\n");
    paints("toml", "[a.b]\nkey = \"v\"", "kkkkk\nttt...sss\n");
    paints("diff", "+a\n-b\n c\n@@ 1\n--- a/x", "aa\nrr\n..\nkkkk\nkkkkkkk\n");
    paints("lua", "--[[ a\nb ]] local x -- c", "cccccc\ncccc.kkkkk...cccc\n");
    paints("ruby", "@x = :y unless nil # z", "kk......kkkkkk.nnn.ccc\n");
    paints("php", "<?php echo $a;", "kkkkkkkkkk.tt.\n");
    paints("ts", "const x: number = `a\n${b}`;", "kkkkk....tttttt...ss\nsssss.\n");
    paints("c++", "auto s = R\"(a\nb)\"; nullptr", "kkkk.....ssss\nsss..nnnnnnn\n");
    paints("text", "if \"x\" 12", ".......nn\n");
    paints("", "if \"x\" 12 # c", "...sss.nn.ccc\n");
    paints("no-such", "'open\nnext 1", ".....\n.....n\n");
}

/* Every language is found by all its names, and lexes anything, the same from any line on. */
void test_code_lines(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\"", "'", "`", "/*", "*/", "//", "#", "--", "[[", "]]",
                                         "\"\"\"", "\\", "x", "12", " ", "\n", "r#\"", "\"#", "<",
                                         ">", "<!--", "-->", "$", "@", ":", "=", "漢", "\xff",
                                         "if", "--[[", "{", "R\"(", ")\""};
    struct ui_random r = {11};
    for (int i = 0; code_lang_at(i); i++) {
        const char *name = code_lang_name(code_lang_at(i));
        assert_ptr_equal(code_lang(name, strlen(name)), code_lang_at(i));
        for (int round = 0; round < 60; round++) {
            struct buf code = {0}, out = {0};
            for (int k = 0; k < 60; k++)
                buf_puts(&code, pieces[ui_random(&r, sizeof pieces / sizeof pieces[0])]);
            paint(name, buf_text(&code), &out);
            buf_release(&code);
            buf_release(&out);
        }
    }
}

/* Lines of one sign that never closes anything: the work grows with the line, not its square. */
void test_code_pieces(void **state)
{
    (void)state;
    static const char *const signs[] = {"\"", "'", "&", "[", "<", "$(", "'\\", "a ", "#a", "{"};
    for (int i = 0; code_lang_at(i); i++)
        for (size_t k = 0; k < sizeof signs / sizeof signs[0]; k++) {
            struct buf line = {0}, out = {0};
            while (line.bytes < 40000)
                buf_puts(&line, signs[k]);
            paint(code_lang_name(code_lang_at(i)), buf_text(&line), &out);
            assert_int_equal(out.bytes, line.bytes + 1);
            buf_release(&line);
            buf_release(&out);
        }
}
