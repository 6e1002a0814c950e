/* app_paths.c -- where things lie: what could break is that a relative or missing variable puts
 * private files somewhere else, or that a model's name means another file than it says. */
#include "tests/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "app/paths.h"

/* Sets the four variables; NULL unsets. */
static void environment(const char *home, const char *data, const char *config, const char *state)
{
    const char *const name[] = {"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"};
    const char *const value[] = {home, data, config, state};
    for (int i = 0; i < 4; i++) {
        if (value[i])
            setenv(name[i], value[i], 1);
        else
            unsetenv(name[i]);
    }
}

/* Keeps the environment for the tests behind this one. */
struct saved {
    char *value[4];
};

static struct saved environment_save(void)
{
    const char *const name[] = {"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"};
    struct saved s;
    for (int i = 0; i < 4; i++)
        s.value[i] = getenv(name[i]) ? strdup(getenv(name[i])) : NULL;
    return s;
}

static void environment_restore(struct saved *s)
{
    environment(s->value[0], s->value[1], s->value[2], s->value[3]);
    for (int i = 0; i < 4; i++)
        free(s->value[i]);
}

void test_paths_xdg(void **state)
{
    (void)state;
    struct saved old = environment_save();
    struct paths p;
    environment("/h", "/d", NULL, "relative");
    assert_true(paths_init(&p, NULL));
    assert_string_equal(p.data, "/d/duet");
    assert_string_equal(p.config, "/h/.config/duet");
    assert_string_equal(p.state, "/h/.local/state/duet");
    assert_string_equal(p.sessions, "/d/duet/sessions");
    assert_string_equal(p.models, "/d/duet/models");
    assert_string_equal(p.history, "/h/.local/state/duet/history");
    environment("/h", "", NULL, NULL);
    assert_true(paths_init(&p, NULL));
    assert_string_equal(p.data, "/h/.local/share/duet");
    environment_restore(&old);
}

void test_paths_no_home(void **state)
{
    (void)state;
    struct saved old = environment_save();
    struct paths p;
    struct err err;
    environment(NULL, "/d", "/c", "/s");
    assert_true(paths_init(&p, NULL));
    environment("relative/home", "/d", "/c", NULL);
    assert_false(paths_init(&p, &err));
    assert_string_equal(err.msg, "HOME is not set, nor is XDG_STATE_HOME: no place for files");
    char path[1000];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    environment(path, NULL, NULL, NULL);
    assert_false(paths_init(&p, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    environment("/h", path, NULL, NULL);
    assert_false(paths_init(&p, &err));
    path[395] = 0;
    environment("/h", path, NULL, NULL);
    assert_false(paths_init(&p, &err));
    path[394] = 0;
    environment("/h", path, NULL, NULL);
    assert_true(paths_init(&p, &err));
    assert_int_equal(strlen(p.sessions), 399 + 9);
    environment_restore(&old);
}

void test_paths_make(void **state)
{
    (void)state;
    const char *folder = test_folder();
    char path[256], file[256];
    struct stat st;
    struct err err;
    snprintf(path, sizeof path, "%s/a//b/c/", folder);
    assert_true(paths_make(path, NULL));
    assert_true(paths_make(path, NULL));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snprintf(file, sizeof file, "%s/file", folder);
    test_write_file(file, "", 0);
    snprintf(path, sizeof path, "%s/file/d", folder);
    assert_false(paths_make(path, &err));
    assert_non_null(strstr(err.msg, file));
    assert_false(paths_make(file, &err));
    assert_false(paths_make("", &err));
}

void test_paths_model(void **state)
{
    (void)state;
    struct paths p = {0};
    struct err err;
    char out[512], file[480];
    snprintf(p.models, sizeof p.models, "%s", test_folder());
    snprintf(file, sizeof file, "%s/own.gguf", p.models);
    test_write_file(file, "x", 1);
    assert_true(paths_model(&p, "own", out, sizeof out, NULL));
    assert_string_equal(out, file);
    assert_true(paths_model(&p, file, out, sizeof out, NULL));
    assert_string_equal(out, file);
    assert_true(paths_model(&p, p.models, out, sizeof out, NULL)); /* the engine says what it is */

    assert_false(paths_model(&p, "smollm2-135m", out, sizeof out, &err));
    assert_non_null(strstr(err.msg, "app/fetch.sh smollm2-135m"));
    assert_false(paths_model(&p, "gpt-17", out, sizeof out, &err));
    assert_non_null(strstr(err.msg, "'gpt-17'; here: own; to be fetched: smollm2-135m, qwen"));
    assert_false(paths_model(&p, "/no/such/file", out, sizeof out, &err));
    assert_string_equal(err.msg, "cannot read the model '/no/such/file': "
                                 "No such file or directory");
    assert_false(paths_model(&p, "no-such.gguf", out, sizeof out, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_false(paths_model(&p, "", out, sizeof out, &err));
    assert_false(paths_model(&p, "own", out, 20, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}
