/* app_open.c -- what the environment says of the engine: what could break is that it wins over the
 * command line, or that a name that means nothing is not told, or not where it stands. */
#include "tests/test.h"

#include "app/open.h"

/* Which kernels the engine takes; NULL: none, *err. */
static const char *taken(const char *variable, const char *option, struct err *err)
{
    static char name[16];
    struct engine *e;
    struct engine_opts how = {.n_threads = 1, .kernels = option};
    setenv("DUET_KERNELS", variable, 1);
    if (!open_engine(&e, test_fixture("tiny-llama.gguf"), &how, err)) {
        assert_null(e);
        return NULL;
    }
    snprintf(name, sizeof name, "%s", engine_info(e)->kernels);
    engine_close(&e);
    return name;
}

void test_open_kernels(void **state)
{
    (void)state;
    struct err err;
    char best[16];
    const char *had = getenv("DUET_KERNELS");
    char *old = had ? strdup(had) : NULL;
    snprintf(best, sizeof best, "%s", taken("", NULL, &err));
    assert_string_equal(taken("c", NULL, &err), "c");
    assert_string_equal(taken("c", "amx", &err), best);
    assert_string_equal(taken("sse9", "c", &err), "c");
    assert_null(taken("sse9", NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.msg, "DUET_KERNELS: unknown kernels 'sse9'"));
    assert_non_null(strstr(err.msg, "c"));
    if (old)
        setenv("DUET_KERNELS", old, 1);
    else
        unsetenv("DUET_KERNELS");
    free(old);
}
