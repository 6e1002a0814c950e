/* app_attach.c -- files in messages, and the tally of kept answers. What could break: a fence that
 * the file's own text closes, bytes that are no text, counts of the wrong pair. */
#include <unistd.h>

#include "app/attach.h"
#include "app/tally.h"
#include "tests/test.h"

void test_attach_file(void **state)
{
    (void)state;
    struct buf out = {0};
    struct err err;
    char path[] = "/tmp/duet-attach-XXXXXX";
    close(mkstemp(path));
    test_write_file(path, "a\n```\nb", 7);
    assert_true(attach_file(path, &out, &err));
    char *name = strrchr(path, '/') + 1, want[100];
    snprintf(want, sizeof want, "%s:\n````\na\n```\nb\n````\n", name);
    assert_string_equal(buf_text(&out), want);
    buf_clear(&out);
    test_write_file(path, "x\n", 2);
    assert_true(attach_file(path, &out, &err));
    snprintf(want, sizeof want, "%s:\n```\nx\n```\n", name);
    assert_string_equal(buf_text(&out), want);
    test_write_file(path, "a\0b", 3);
    assert_false(attach_file(path, &out, &err));
    assert_int_equal(err.code, ERR_INPUT);
    unlink(path);
    assert_false(attach_file(path, &out, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_false(attach_file("", &out, &err));
    assert_string_equal(err.msg, "/attach needs a file");
    assert_string_equal(buf_text(&out), want);
    buf_release(&out);
}

void test_tally(void **state)
{
    (void)state;
    struct err err;
    char path[] = "/tmp/duet-tally-XXXXXX";
    int n[2];
    close(mkstemp(path));
    unlink(path);
    tally_count(path, "flash", "pro-max", n);
    assert_int_equal(n[0] + n[1], 0);
    for (int i = 0; i < 3; i++)
        assert_true(tally_add(path, "flash", i ? "pro-max" : "pro", &err));
    assert_true(tally_add(path, "pro-max", "flash", &err));
    tally_count(path, "flash", "pro-max", n);
    assert_int_equal(n[0], 2);
    assert_int_equal(n[1], 1);
    tally_count(path, "pro", "flash", n);
    assert_int_equal(n[0], 0);
    assert_int_equal(n[1], 1);
    unlink(path);
    assert_false(tally_add("/no/such/folder/kept", "flash", "pro", &err));
    assert_int_equal(err.code, ERR_IO);
}
