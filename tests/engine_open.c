/* engine_open.c -- opening models. What could break: a damaged or hostile file that crashes, takes
 * endless memory, or opens as something else; an allocation that fails half way; a message that
 * does not say what is wrong with which file. */
#include "tests/engine_model.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/mem.h"
#include "tests/engine_vocab.h"

static const char *const models[] = {
    "tiny-llama.gguf", "tiny-llama-f16.gguf", "tiny-llama-bf16.gguf", "tiny-llama-q8_0.gguf",
    "tiny-llama-q4_0.gguf", "tiny-llama-q4_1.gguf", "tiny-llama-q5_0.gguf",
    "tiny-llama-q5_1.gguf", "tiny-llama-iq4_nl.gguf", "tiny-llama-q2_k.gguf",
    "tiny-llama-q3_k.gguf", "tiny-llama-q4_k.gguf", "tiny-llama-q5_k.gguf",
    "tiny-llama-q6_k.gguf", "tiny-qwen2.gguf", "tiny-qwen3.gguf", "tiny-qwen3moe.gguf",
    "tiny-gemma3.gguf", "tiny-deepseek4.gguf", "tiny-deepseek4-mixed.gguf",
};
#define N_MODELS (sizeof models / sizeof *models)

/* Spoilt files per model. One thread runs there: the thread sanitizer, slow, has little to find. */
#ifdef __SANITIZE_THREAD__
#define N_SPOILT 100
#else
#define N_SPOILT 700
#endif

#define MEMORY_MAX ((uint64_t)64 << 20)  /* far above what a small model needs */

void test_engine_info(void **state)
{
    (void)state;
    struct engine *e = model_open("tiny-llama-q4_1", 2, NULL), *same, *other;
    const struct engine_info *i = engine_info(e);
    assert_string_equal(i->name, "tiny llama");
    assert_string_equal(i->arch, "llama");
    assert_string_equal(i->template_name, "chatml");
    assert_non_null(strstr(i->path, "tiny-llama-q4_1.gguf"));
    assert_true(i->n_layer == 2 && i->d_model == 128 && i->n_head == 4 && i->n_kv_head == 2);
    assert_true(i->head_dim == 32 && i->d_ff == 160 && i->n_vocab == 512);
    assert_true(i->n_ctx_train == 2048 && i->n_threads == 2);
    assert_in_range(i->weight_bytes, 150000, 190000);
    same = model_open("tiny-llama-q4_1", 1, "c");
    other = model_open("tiny-llama-q4_0", 1, NULL);
    assert_string_equal(engine_info(same)->kernels, "c");
    assert_true(engine_info(same)->fingerprint == i->fingerprint);
    assert_true(engine_info(other)->fingerprint != i->fingerprint);
    engine_close(&e);
    engine_close(&same);
    engine_close(&other);
    engine_close(&other);
}

/* Opening fails with this code, and the message has these words. */
static void check_fails(const char *path, const struct engine_opts *opts, enum err_code code,
                        const char *words, const char *more)
{
    struct engine *e = (struct engine *)&code;
    struct err err = {0};
    assert_false(engine_open(&e, path, opts, &err));
    assert_null(e);
    if (err.code != code || !strstr(err.msg, words) || !strstr(err.msg, more))
        fail_msg("%d: %s", err.code, err.msg);
}

/* A model of an architecture that there is not. */
static const char *unknown_model(void)
{
    static const char key[] = "general.architecture";
    static char path[256];
    size_t bytes, at = 0;
    char *data = test_read_file(test_fixture("tiny-llama.gguf"), &bytes);
    while (memcmp(data + at, key, strlen(key)) != 0)
        at++;
    memcpy(data + at + strlen(key) + 4 + 8, "lhama", 5);  /* behind type and length */
    snprintf(path, sizeof path, "%s/unknown", test_folder());
    test_write_file(path, data, bytes);
    free(data);
    return path;
}

void test_engine_open_errors(void **state)
{
    (void)state;
    const char *good = test_fixture("tiny-llama.gguf");
    check_fails("/nowhere/model.gguf", NULL, ERR_IO, "/nowhere/model.gguf", "No such file");
    check_fails("/tmp", NULL, ERR_IO, "/tmp", "folder");
    check_fails("Makefile", NULL, ERR_FORMAT, "Makefile", "GGUF");
    check_fails(unknown_model(), NULL, ERR_UNSUPPORTED, "'lhama'", "llama, qwen2");
    check_fails(good, &(struct engine_opts){ .n_threads = -1 }, ERR_INPUT, "-1", "64");
    check_fails(good, &(struct engine_opts){ .n_threads = 65 }, ERR_INPUT, "65", "64");
    check_fails(good, &(struct engine_opts){ .kernels = "sse9" }, ERR_INPUT, "sse9", "c, avx2");
}

/* Weights for fewer tokens than the vocabulary has: the shape of the embeddings is made smaller. */
void test_engine_other_vocabulary(void **state)
{
    (void)state;
    static const char name[] = "token_embd.weight";
    char path[256];
    size_t bytes, at = 0, tail = sizeof name - 1;
    snprintf(path, sizeof path, "%s/model", test_folder());
    char *data = test_read_file(test_fixture("tiny-llama.gguf"), &bytes);
    while (memcmp(data + at, name, tail) != 0)
        at++;
    uint64_t fewer = 256;                       /* behind the number of dimensions and the first */
    memcpy(data + at + tail + sizeof(uint32_t) + sizeof(uint64_t), &fewer, sizeof fewer);
    test_write_file(path, data, bytes);
    check_fails(path, NULL, ERR_FORMAT, "512", "256");
    free(data);
}

/* The n-th allocation fails, for n = 0, 1, 2, ... until all is well. */
static void check_out_of_memory(const char *path)
{
    uint64_t before = mem_bytes();
    for (int n = 0;; n++) {
        struct engine *e = NULL;
        struct session *s = NULL;
        struct err err = {0};
        struct engine_opts opts = { .n_threads = 2 };
        int32_t ids[3] = { 1, 2, 3 };
        assert_true(n < 100);
        mem_fail_after(n);
        bool ok = engine_open(&e, path, &opts, &err) && session_new(&s, e, NULL, &err) &&
                  session_read(s, ids, 3, &err) == 3;
        mem_fail_after(-1);
        if (!ok)
            assert_int_equal(err.code, ERR_NOMEM);
        session_free(&s);
        engine_close(&e);
        assert_int_equal(mem_bytes(), before);
        if (ok) {
            assert_true(n > 10);
            return;
        }
    }
}

void test_engine_out_of_memory(void **state)
{
    (void)state;
    check_out_of_memory(test_fixture("tiny-llama-q8_0.gguf"));
    check_out_of_memory(test_fixture("tiny-qwen3moe.gguf"));
    check_out_of_memory(test_fixture("tiny-deepseek4-mixed.gguf"));
}

/* Opens what may be anything; if it opens, reads and chooses some tokens. */
static void try_file(const char *path)
{
    struct engine *e;
    struct session *s;
    struct err err = {0};
    struct engine_opts opts = { .n_threads = 1 };
    struct session_opts small = { .n_ctx = 16, .chunk = 16 };
    if (!engine_open(&e, path, &opts, &err)) {
        assert_true(strlen(err.msg) > 0 && strstr(err.msg, path));
        return;
    }
    assert_true(mem_bytes() < MEMORY_MAX);
    if (engine_info(e)->n_ctx_train >= small.n_ctx && session_bytes(e, &small) < MEMORY_MAX) {
        int32_t ids[9] = { 1, 0, 1, 0, 1, 0, 0, 1, 0 };
        struct sampling how = { .temperature = 1, .top_p = 0.9f, .repeat_penalty = 1 };
        struct session_token t;
        assert_true(session_new(&s, e, &small, &err));
        assert_int_equal(session_read(s, ids, 9, &err), 9);
        assert_int_equal(session_next(s, &how, &t, 1, &err), 1);
        assert_int_equal(session_next(s, &how, &t, 1, &err), 1);
        assert_in_range(t.id, 0, engine_info(e)->n_vocab - 1);
        session_free(&s);
    }
    engine_close(&e);
}

void test_engine_truncated_models(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/model", test_folder());
    for (size_t i = 0; i < N_MODELS; i++) {
        size_t bytes;
        char *data = test_read_file(test_fixture(models[i]), &bytes);
        for (int c = 0; c < 200; c++) {
            struct engine *e;
            struct err err = {0};
            test_write_file(path, data, bytes * (size_t)c / 200);
            assert_false(engine_open(&e, path, NULL, &err));
            assert_int_equal(err.code, ERR_FORMAT);
            assert_non_null(strstr(err.msg, path));
        }
        free(data);
    }
}

/* One to eight spoilt bytes in a file, put right again afterwards. Three of four lie in the header
 * of the small models. */
static void spoil(int fd, const char *path, const char *data, size_t bytes, uint64_t *random)
{
    size_t at[8];
    int n = 1 + (int)(test_random(random) % 8);
    for (int i = 0; i < n; i++) {
        uint64_t r = test_random(random);
        at[i] = (size_t)(r >> 16) % (r % 4 ? 24000 : bytes);
        char spoilt = data[at[i]] ^ (char)(1 << (r >> 8 & 7));
        assert_int_equal(pwrite(fd, &spoilt, 1, (off_t)at[i]), 1);
    }
    try_file(path);
    for (int i = 0; i < n; i++)
        assert_int_equal(pwrite(fd, data + at[i], 1, (off_t)at[i]), 1);
}

void test_engine_spoilt_models(void **state)
{
    (void)state;
    char path[256];
    uint64_t random = 1;
    snprintf(path, sizeof path, "%s/model", test_folder());
    for (size_t i = 0; i < N_MODELS; i++) {
        size_t bytes;
        char *data = test_read_file(test_fixture(models[i]), &bytes);
        test_write_file(path, data, bytes);
        int fd = open(path, O_WRONLY);
        assert_true(fd >= 0);
        for (int c = 0; c < N_SPOILT; c++)
            spoil(fd, path, data, bytes, &random);
        close(fd);
        free(data);
    }
}
