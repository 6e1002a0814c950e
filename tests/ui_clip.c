/* ui_clip.c -- copying text out. What could break: the wrong road is taken, or the right one is
 * said to have worked when it has not. */
#include <sys/stat.h>

#include "tests/ui.h"
#include "ui/clip.h"

/* A program of that name in the folder; what it is given goes to the file "got" beside it. */
static void tool(const char *folder, const char *name, const char *script)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    test_write_file(path, script, strlen(script));
    assert_int_equal(chmod(path, 0700), 0);
}

void test_clip_roads(void **state)
{
    (void)state;
    static char big[300000];
    char msg[200], file[200], got[200], path[300], *text;
    size_t n;
    const char *folder = test_folder(), *old = getenv("PATH");
    char *before = strdup(old ? old : "");
    snprintf(file, sizeof file, "%s/copied", folder);
    snprintf(got, sizeof got, "%s/got", folder);
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", folder);
    setenv("PATH", path, 1);
    setenv("GOT", got, 1);
    unsetenv("WAYLAND_DISPLAY");
    unsetenv("DISPLAY");
    unsetenv("TMUX");
    memset(big, 'x', sizeof big);

    /* No terminal, no tool: the file, or nothing. */
    assert_false(clip_copy("text", 4, NULL, msg, sizeof msg));
    assert_true(clip_copy("text", 4, file, msg, sizeof msg));
    assert_non_null(strstr(msg, "4 bytes written to"));
    text = test_read_file(file, &n);
    assert_string_equal(text, "text");
    free(text);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(clip_copy("text", 4, "/no/such/folder", msg, sizeof msg));
    assert_non_null(strstr(msg, "No such file"));

    /* A tool whose display is not there is not asked; one that fails is not believed. */
    tool(folder, "xclip", "#!/bin/sh\ncat >\"$GOT\"\n");
    assert_true(clip_copy("text", 4, file, msg, sizeof msg));
    assert_non_null(strstr(msg, "written"));
    setenv("DISPLAY", ":9", 1);
    assert_true(clip_copy(big, sizeof big, file, msg, sizeof msg));
    assert_string_equal(msg, "300000 bytes copied by xclip");
    text = test_read_file(got, &n);
    assert_int_equal(n, sizeof big);
    free(text);
    tool(folder, "xclip", "#!/bin/sh\nexit 1\n");
    tool(folder, "xsel", "#!/bin/sh\nexit 1\n");
    assert_true(clip_copy(big, sizeof big, file, msg, sizeof msg));
    assert_non_null(strstr(msg, "written"));
    unsetenv("DISPLAY");
    setenv("PATH", before, 1);
    free(before);
}
