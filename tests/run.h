/* run.h -- the one main() of the test programs. run_<room>.c defines TESTS as the name of its
 * list and includes this. A list holds TEST(name) lines; test_name is a cmocka test. */
#include <ftw.h>
#include <limits.h>
#include <unistd.h>
#include <sys/stat.h>

#include "tests/test.h"

#define TEST(name) void test_##name(void **state);
#include TESTS
#undef TEST

static char folders[256][64];
static int n_folders;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void remove_folders(void)
{
    for (int i = 0; i < n_folders; i++)
        nftw(folders[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_folder(void)
{
    assert_true(n_folders < 256);
    char *f = folders[n_folders];
    snprintf(f, sizeof folders[0], "/tmp/duet-test-XXXXXX");
    assert_non_null(mkdtemp(f));
    n_folders++;
    return f;
}

const char *test_fixtures(void)
{
    const char *dir = getenv("DUET_FIXTURES");
    if (dir)
        return dir;
    return access("../shared/fixtures", R_OK) == 0 ? "../shared/fixtures" : "tests/fixtures";
}

const char *test_fixture(const char *name)
{
    static char path[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", test_fixtures(), name);
    if (access(path[next], R_OK) != 0) /* made here, and in no other folder */
        snprintf(path[next], sizeof path[next], "tests/fixtures/%s", name);
    return path[next];
}

char *test_read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long n = ftell(f);
    assert_true(n >= 0);
    rewind(f);
    char *data = malloc((size_t)n + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)n, f), n);
    fclose(f);
    data[n] = 0;
    if (bytes)
        *bytes = (size_t)n;
    return data;
}

void test_write_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        fail_msg("cannot write %s", path);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_##name),
#include TESTS
#undef TEST
    };
    atexit(remove_folders);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* e.g. '*kv*' */
    return cmocka_run_group_tests_name(TESTS, tests, NULL, NULL);
}
