/* engine_corpus.c -- what the fuzzers found worth keeping, tried again in every run of the suite.
 * What could break: a file or a text that once led somewhere new now leads astray. */
#include "tests/test.h"

#include <dirent.h>

#include "tests/engine_try.h"

/* Calls try() with each file of the folder; returns how many there are. */
static int each_file(const char *folder, bool (*try)(const uint8_t *, size_t, struct err *),
                     bool must_succeed)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int n = 0;
    if (!dir)
        fail_msg("cannot open %s", folder);
    while ((entry = readdir(dir))) {
        char path[512];
        size_t bytes;
        struct err err = {0};
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        char *data = test_read_file(path, &bytes);
        bool ok = try((const uint8_t *)data, bytes, &err);
        if ((!ok && must_succeed) || (!ok && !err.msg[0]))
            fail_msg("%s: '%s'", path, err.msg);
        free(data);
        n++;
    }
    closedir(dir);
    return n;
}

void test_corpus_files(void **state)
{
    (void)state;
    assert_true(each_file("tests/corpus/fuzz_gguf", vocab_try, false) > 100);
}

void test_corpus_texts(void **state)
{
    (void)state;
    assert_true(each_file("tests/corpus/fuzz_text", text_try, true) > 100);
}
