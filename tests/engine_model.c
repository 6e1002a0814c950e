/* engine_model.c -- see engine_model.h. */
#include "tests/engine_model.h"

#include <math.h>

struct engine *model_open_with(const char *name, const struct engine_opts *opts)
{
    char file[64];
    struct engine *e;
    struct err err = {0};
    snprintf(file, sizeof file, "%s.gguf", name);
    if (!engine_open(&e, test_fixture(file), opts, &err))
        fail_msg("%s", err.msg);
    return e;
}

struct engine *model_open(const char *name, int n_threads, const char *kernels)
{
    return model_open_with(name, &(struct engine_opts){ .n_threads = n_threads,
                                                        .kernels = kernels });
}

struct session *model_session(struct engine *e, enum kv_type kv, int chunk)
{
    struct session *s;
    struct err err = {0};
    struct session_opts opts = { .n_ctx = 512, .kv = kv, .chunk = chunk };
    if (!session_new(&s, e, &opts, &err))
        fail_msg("%s", err.msg);
    return s;
}

void model_read(struct session *s, const int32_t *ids, int n)
{
    struct err err = {0};
    for (int held = 0, before = -1; held < n; before = held) {
        held = session_read(s, ids, n, &err);
        if (held <= before)
            fail_msg("read %d of %d tokens: %s", held, n, err.msg);
    }
}

int32_t model_greedy(struct session *s)
{
    struct err err = {0};
    struct sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    struct session_token t;
    int n = session_next(s, &greedy, &t, 1, &err);
    if (n != 1)
        fail_msg("no next token: %d, %s", n, err.msg);
    return t.id;
}

cJSON *golden_open(const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "golden/%s.json", name);
    char *text = test_read_file(test_fixture(file), NULL);
    cJSON *root = cJSON_Parse(text);
    free(text);
    assert_non_null(root);
    return root;
}

const cJSON *golden_case(const cJSON *golden, const char *name)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(golden, "cases"))
        if (strcmp(cJSON_GetObjectItem(one, "name")->valuestring, name) == 0)
            return one;
    fail_msg("no case %s", name);
    return NULL;
}

int golden_ids(const cJSON *one, int32_t *out, int max)
{
    int n = 0;
    const cJSON *id;
    cJSON_ArrayForEach(id, cJSON_GetObjectItem(one, "tokens")) {
        assert_true(n < max);
        out[n++] = id->valueint;
    }
    assert_true(n > 0);
    return n;
}

bool golden_logits(const cJSON *one, const char *key, float *out)
{
    const cJSON *list = cJSON_GetObjectItem(one, key), *x;
    if (!list)
        return false;
    assert_int_equal(cJSON_GetArraySize(list), FIXTURE_VOCAB);
    cJSON_ArrayForEach(x, list)
        *out++ = (float)x->valuedouble;
    return true;
}

double max_difference(const float *a, const float *b, int n)
{
    double max = 0;
    for (int i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= max))  /* NaN too */
            max = d;
    }
    return max;
}

double relative_l2(const float *a, const float *b, int n)
{
    double diff = 0, all = 0;
    for (int i = 0; i < n; i++) {
        diff += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        all += (double)b[i] * (double)b[i];
    }
    return sqrt(diff / all);
}
