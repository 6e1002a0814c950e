/* app_corpus.c -- what the fuzzers of ui/ and app/ found worth keeping, tried again in every run of
 * the suite. What could break: a text that once led somewhere new now leads astray. */
#include <dirent.h>

#include "tests/screen_try.h"
#include "tests/store_try.h"
#include "tests/test.h"

static void each_file(const char *folder, const char *(*try)(const uint8_t *data, size_t bytes))
{
    DIR *dir = opendir(folder);
    int n = 0;
    if (!dir)
        fail_msg("cannot open %s", folder);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char path[512];
        size_t bytes;
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        char *data = test_read_file(path, &bytes);
        const char *wrong = try((const uint8_t *)data, bytes);
        if (wrong)
            fail_msg("%s: %s", path, wrong);
        free(data);
        n++;
    }
    closedir(dir);
    assert_true(n > 0);
}

void test_corpus_screen(void **state)
{
    (void)state;
    each_file("tests/corpus/fuzz_keys", keys_try);
    each_file("tests/corpus/fuzz_markdown", markdown_try);
    each_file("tests/corpus/fuzz_theme", theme_try);
    each_file("tests/corpus/fuzz_keyfile", keyfile_try);
    each_file("tests/corpus/fuzz_config", config_try);
    each_file("tests/corpus/fuzz_log", log_try);
    each_file("tests/corpus/fuzz_import", import_try);
}
