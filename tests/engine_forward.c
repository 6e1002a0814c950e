/* engine_forward.c -- the forward pass against the logits of another engine. What could break: a
 * weight decoder, a kernel, rotary angles, head grouping, masks at block borders; results that
 * depend on how a prompt is cut, on the threads, or on the kernel set beyond rounding. */
#include "tests/engine_model.h"

#include "engine/kernels.h"

#define MAX_IDS 400

/* Prompts by their names; the longest ones have what is expected at positions on the way. */
struct prompts {
    int n;
    const char *name[10], *longest;
};

static const struct prompts dense = { 6, { "a1", "a2", "a17", "a64", "a200", "b64" }, "a200" };
static const struct prompts deepseek4 = {
    10, { "a1", "a3", "a4", "a5", "a127", "a128", "a129", "a260", "a400", "b260" }, "a400",
};

/* How far a model may be from what is expected, with any set of kernels: the suggested limits of
 * the folder the fixtures are from. */
static const struct model_row {
    const char *name;
    const char *key;         /* which logits are expected */
    double limit;            /* absolute; 0: only the relative one holds */
    double limit_relative;
    double limit_positions;  /* absolute, of the best logits at positions on the way */
    double limit_f16_cache;  /* absolute, from the F32 cache: twice what was observed there */
    bool exact_batch;        /* cutting the prompt changes no bit */
    const struct prompts *prompts;
} models[] = {
    { "tiny-llama",        "logits",         5e-4, 1e-3, 5e-4, 0.05, false, &dense },
    { "tiny-llama-f16",    "logits_dequant", 5e-4, 1e-3, 5e-4, 0.05, false, &dense },
    { "tiny-llama-bf16",   "logits_dequant", 5e-4, 1e-3, 5e-4, 0.05, false, &dense },
    { "tiny-llama-q8_0",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q4_0",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q4_1",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q5_0",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q5_1",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-iq4_nl", "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q2_k",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q3_k",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q4_k",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q5_k",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-llama-q6_k",   "logits_dequant", 0,    0.15, 1,    0.95, true, &dense },
    { "tiny-qwen2",        "logits",         5e-4, 1e-3, 5e-4, 0.035, false, &dense },
    { "tiny-qwen3",        "logits",         5e-4, 1e-3, 5e-4, 0.036, false, &dense },
    /* In the other engine half precision changes the choice of an expert. */
    { "tiny-qwen3moe",     "logits",         5e-4, 1e-3, 5e-4, 9.1,  false, &dense },
    /* The other engine looks GELU up in a table of half precision, but not in "_f64". */
    { "tiny-gemma3",       "logits_f64",     5e-4, 1e-3, 1e-2, 0.02, false, &dense },
    { "tiny-deepseek4",    "logits",         5e-4, 1e-3, 5e-4, 0.21, false, &deepseek4 },
    /* Its activations stay floats, whatever the weights are. */
    { "tiny-deepseek4-mixed", "logits_dequant", 5e-4, 1e-3, 5e-4, 0.21, false, &deepseek4 },
};
#define N_MODELS (sizeof models / sizeof *models)

/* The same prompt in one batch, one token at a time, and in uneven chunks. */
static const int one_batch[] = { 512 }, steps[] = { 1 }, uneven[] = { 7, 130, 1, 1, 2, 64 };
static const struct { const int *n; int count; } cuts[] = {
    { one_batch, 1 }, { uneven, 6 }, { steps, 1 },
};

static void read_cut(struct session *s, const int32_t *ids, int n, int cut)
{
    for (int i = 0, held = 0; held < n; i++) {
        int next = held + cuts[cut].n[i % cuts[cut].count];
        held = next < n ? next : n;
        model_read(s, ids, held);
    }
}

/* The ids of the longest prompt, [MAX_IDS]; returns how many. */
static int longest_ids(const struct model_row *m, int32_t *ids)
{
    cJSON *golden = golden_open(m->name);
    int n = golden_ids(golden_case(golden, m->prompts->longest), ids, MAX_IDS);
    cJSON_Delete(golden);
    return n;
}

static void check(const struct model_row *m, const char *what, const float *got,
                  const float *expected)
{
    double d = max_difference(got, expected, FIXTURE_VOCAB);
    double r = relative_l2(got, expected, FIXTURE_VOCAB);
    if ((m->limit > 0 && !(d <= m->limit)) || !(r <= m->limit_relative))
        fail_msg("%s %s: off by %g, relative %g", m->name, what, d, r);
}

/* What is asked of the row where no activation is rounded: what is asked of floats. */
static struct model_row exact_row(const struct model_row *m)
{
    struct model_row row = *m;
    if (row.limit == 0) {
        row.limit = row.limit_positions = 5e-4;
        row.limit_relative = 1e-3;
        row.exact_batch = false;
    }
    return row;
}

/* All cases of a model with these options, cut in the first n_cuts ways. */
static void check_model(const struct model_row *m, const struct engine_opts *opts, int n_cuts)
{
    struct engine *e = model_open_with(m->name, opts);
    struct session *s = model_session(e, KV_F32, 512);
    cJSON *golden = golden_open(m->name);
    for (int c = 0; c < m->prompts->n; c++) {
        int32_t ids[MAX_IDS];
        float expected[FIXTURE_VOCAB], first[FIXTURE_VOCAB];
        const cJSON *one = golden_case(golden, m->prompts->name[c]);
        int n = golden_ids(one, ids, MAX_IDS);
        bool known = golden_logits(one, m->key, expected);
        for (int cut = 0; cut < n_cuts; cut++) {
            session_cut(s, 0);
            read_cut(s, ids, n, cut);
            const float *got = session_logits(s);
            assert_non_null(got);
            if (known)
                check(m, m->prompts->name[c], got, expected);
            if (cut == 0)
                memcpy(first, got, sizeof first);
            assert_true(max_difference(got, first, FIXTURE_VOCAB) <= (m->exact_batch ? 0 : 2e-4));
        }
    }
    cJSON_Delete(golden);
    session_free(&s);
    engine_close(&e);
}

/* Every set of kernels but the best, which the next test takes, from the plain one on. All of them
 * are held to the same limits. */
void test_forward_golden_sets(void **state)
{
    (void)state;
    char names[64];
    snprintf(names, sizeof names, "%s", kernels_names());
    for (char *rest, *set = strtok_r(names, ", ", &rest); set; set = strtok_r(NULL, ", ", &rest))
        for (size_t i = 0; i < N_MODELS && *rest; i++)
            check_model(&models[i], &(struct engine_opts){ .n_threads = 2, .kernels = set }, 3);
}

/* The best kernels of this machine. */
void test_forward_golden_best(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++)
        check_model(&models[i], &(struct engine_opts){ .n_threads = 2 }, 3);
}

/* Formats of few bits, with activations that are not rounded: only the weights' decoders and float
 * sums are left. */
void test_forward_golden_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        struct model_row row = exact_row(&models[i]);
        if (models[i].limit == 0)
            check_model(&row, &(struct engine_opts){ .n_threads = 2, .exact = true }, 2);
    }
}

/* ---- every position ------------------------------------------------------------------------ */

struct positions {
    const struct model_row *m;
    const cJSON *list;
    int n_checked;
    double worst;
};

static const cJSON *position(const struct positions *p, int pos)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, p->list)
        if (cJSON_GetObjectItem(one, "pos")->valueint == pos)
            return one;
    return NULL;
}

static bool want_listed(int pos, int n, void *data)
{
    (void)n;
    return position(data, pos) != NULL;
}

static void check_top(int pos, const float *logits, void *data)
{
    struct positions *p = data;
    const cJSON *one = position(p, pos), *id;
    int i = 0;
    cJSON_ArrayForEach(id, cJSON_GetObjectItem(one, "top_ids")) {
        float x = (float)cJSON_GetArrayItem(cJSON_GetObjectItem(one, "top_logits"), i++)
                      ->valuedouble;
        double d = max_difference(&logits[id->valueint], &x, 1);
        p->worst = d > p->worst ? d : p->worst;
    }
    p->n_checked++;
}

static void check_positions(const struct model_row *m, bool exact)
{
    struct engine *e = model_open_with(m->name, &(struct engine_opts){ .n_threads = 2,
                                                                       .exact = exact });
    struct session *s = model_session(e, KV_F32, 64);
    cJSON *golden = golden_open(m->name);
    struct err err;
    int32_t ids[MAX_IDS];
    const cJSON *one = golden_case(golden, m->prompts->longest);
    int n = golden_ids(one, ids, MAX_IDS);
    bool decoded = strcmp(m->key, "logits_dequant") == 0;
    const char *key = decoded ? "dequant_positions" : "positions";
    struct positions p = { .m = m, .list = cJSON_GetObjectItem(one, key) };
    assert_true(session_score(s, ids, n, want_listed, check_top, &p, &err));
    assert_true(p.n_checked >= 3);
    if (!(p.worst <= m->limit_positions))
        fail_msg("%s: off by %g at some position", m->name, p.worst);
    cJSON_Delete(golden);
    session_free(&s);
    engine_close(&e);
}

/* The best logits at the listed positions of the longest cases, by session_score(). */
void test_forward_golden_positions(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        struct model_row row = exact_row(&models[i]);
        check_positions(&models[i], false);
        if (models[i].limit == 0)
            check_positions(&row, true);
    }
}

/* ---- what must not matter ------------------------------------------------------------------ */

/* One thread and two give the same bits, with dot products and with OpenBLAS. */
void test_forward_threads(void **state)
{
    (void)state;
    int32_t ids[MAX_IDS];
    for (size_t i = 0; i < N_MODELS; i++) {
        int n = longest_ids(&models[i], ids);
        for (int cut = 0; cut < 2; cut++) {
            float first[FIXTURE_VOCAB];
            for (int threads = 1; threads <= 2; threads++) {
                struct engine *e = model_open(models[i].name, threads, NULL);
                struct session *s = model_session(e, KV_F16, 512);
                read_cut(s, ids, n, cut);
                if (threads == 1)
                    memcpy(first, session_logits(s), sizeof first);
                assert_memory_equal(session_logits(s), first, sizeof first);
                session_free(&s);
                engine_close(&e);
            }
        }
    }
}

/* The F16 cache is as near to the F32 cache as in the other engine, and not the same. */
void test_forward_f16_cache(void **state)
{
    (void)state;
    int32_t ids[MAX_IDS];
    for (size_t i = 0; i < N_MODELS; i++) {
        int n = longest_ids(&models[i], ids);
        struct engine *e = model_open(models[i].name, 2, NULL);
        struct session *exact = model_session(e, KV_F32, 64), *half = model_session(e, KV_F16, 64);
        model_read(exact, ids, n);
        model_read(half, ids, n);
        double d = max_difference(session_logits(exact), session_logits(half), FIXTURE_VOCAB);
        if (!(d > 0 && d <= models[i].limit_f16_cache))
            fail_msg("%s: off by %g", models[i].name, d);
        session_free(&exact);
        session_free(&half);
        engine_close(&e);
    }
}

/* The greedy continuation that the other engine found with float32 activations. */
void test_forward_greedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        int32_t ids[MAX_IDS];
        cJSON *golden = golden_open(models[i].name);
        const cJSON *greedy = cJSON_GetObjectItem(golden, "greedy"), *id;
        const char *after = cJSON_GetObjectItem(greedy, "after")->valuestring;
        int n = golden_ids(golden_case(golden, after), ids, MAX_IDS);
        struct engine *e = model_open_with(models[i].name, &(struct engine_opts){
            .n_threads = 2, .exact = models[i].limit == 0 });
        struct session *s = model_session(e, KV_F32, 64);
        model_read(s, ids, n);
        cJSON_ArrayForEach(id, cJSON_GetObjectItem(greedy, "ids"))
            assert_int_equal(model_greedy(s), id->valueint);
        session_free(&s);
        engine_close(&e);
        cJSON_Delete(golden);
    }
}
