/* engine_inspect.c -- the facts of a file that is not opened. What could break: numbers that are
 * not the file's, a file that cannot be run and does not say so, or says nothing at all because
 * of it. */
#include "tests/test.h"

#include "engine/engine.h"
#include "tests/engine_vocab.h"

static void inspect(struct engine_facts *f, const char *path)
{
    struct err err;
    if (!engine_inspect(f, path, &err))
        fail_msg("%s", err.msg);
}

/* What it says of a file that can be run is what the open model says. */
void test_inspect_model(void **state)
{
    (void)state;
    static const char *const names[] = {
        "tiny-llama-q4_1.gguf", "tiny-qwen3.gguf", "tiny-gemma3.gguf",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct engine_facts f;
        struct engine *e;
        struct err err;
        uint64_t bytes = 0;
        inspect(&f, test_fixture(names[i]));
        assert_true(engine_open(&e, test_fixture(names[i]), NULL, &err));
        const struct engine_info *info = engine_info(e);
        assert_int_equal(f.n_refused, 0);
        assert_string_equal(f.arch, info->arch);
        assert_string_equal(f.name, info->name);
        assert_string_equal(f.template_name, info->template_name);
        assert_int_equal(f.n_layer, info->n_layer);
        assert_int_equal(f.n_vocab, info->n_vocab);
        assert_int_equal(f.n_ctx_train, info->n_ctx_train);
        assert_int_equal(f.weight_bytes, info->weight_bytes);
        uint64_t row = (uint64_t)info->n_layer * 2 * (uint64_t)(info->n_kv_head * info->head_dim);
        assert_int_equal(f.kv_f16_bytes, row * 2);
        assert_int_equal(f.kv_f32_bytes, row * 4);
        assert_int_equal(f.kv_tier_bytes[KV_TIER_EXACT], 64 * row * 2);
        assert_int_equal(f.kv_tier_bytes[KV_TIER_Q8], 64 * row / 32 * 34);
        for (int t = KV_TIER_Q8; t <= KV_TIER_FLASH; t++)
            assert_true(f.kv_tier_bytes[t] > 0 && f.kv_tier_bytes[t] < f.kv_tier_bytes[t - 1]);
        for (int k = 0; k < f.n_formats; k++) {
            assert_true(f.format[k].supported);
            assert_true(k == 0 || f.format[k].bytes <= f.format[k - 1].bytes);
            bytes += f.format[k].bytes;
        }
        assert_int_equal(bytes, f.weight_bytes);
        engine_close(&e);
    }
}

void test_inspect_formats(void **state)
{
    (void)state;
    struct engine_facts f;
    inspect(&f, test_fixture("tiny-llama-q4_1.gguf"));
    assert_string_equal(f.format[0].name, "Q4_1");
    assert_string_equal(f.tokenizer, "byte-level BPE, llama-bpe");
    assert_int_equal(f.n_files, 1);
    assert_true(f.file_bytes > f.weight_bytes && f.has_template && !f.thinks);
    inspect(&f, test_fixture("tiny-deepseek4.gguf"));
    assert_true(f.thinks && f.n_expert == 8 && f.n_expert_used == 2 && f.kv_f16_bytes > 0);
    assert_int_equal(f.kv_tier_bytes[KV_TIER_EXACT], 64 * f.kv_f16_bytes);
    assert_int_equal(f.kv_tier_bytes[KV_TIER_FLASH], 0);
}

void test_inspect_vocabulary(void **state)
{
    (void)state;
    struct engine_facts f;
    inspect(&f, test_fixture("vocab/spm-plain.gguf"));
    assert_string_equal(f.tokenizer, "SentencePiece");
    assert_string_equal(f.template_name, "gemma");
    assert_int_equal(f.n_tensors, 0);
    assert_int_equal(f.kv_f16_bytes, 0);
    assert_int_equal(f.n_refused, 1);
    assert_string_equal(f.refused[0], "it has no weights: a vocabulary alone");
}

/* A file of an unknown kind in an unsupported format still says what it is, and all that is in the
 * way. */
void test_inspect_refused(void **state)
{
    (void)state;
    static const uint8_t block[256];
    struct maker m;
    struct engine_facts f;
    char path[128];
    maker_start(&m, 3);
    maker_key_string(&m, "general.architecture", "mam\nba");
    maker_key_u32(&m, "mam?ba.block_count", 7);
    maker_key_string(&m, "tokenizer.ggml.model", "rwkv");
    maker_tensor(&m, "a", 1, (const uint64_t[]){256}, 23, 0); /* IQ4_XS, 136 bytes */
    maker_bytes(&m, block, 64 - m.n % 32);
    maker_bytes(&m, block, 160);
    maker_finish(&m);
    snprintf(path, sizeof path, "%s/m.gguf", test_folder());
    test_write_file(path, m.data, m.n);
    maker_release(&m);
    inspect(&f, path);
    assert_string_equal(f.arch, "mam?ba");
    assert_int_equal(f.n_layer, 7);
    assert_string_equal(f.format[0].name, "IQ4_XS");
    assert_false(f.format[0].supported);
    assert_string_equal(f.tokenizer, "rwkv");
    assert_int_equal(f.n_refused, 2);
    assert_non_null(strstr(f.refused[0], "models of type 'mam?ba' are not supported"));
    assert_non_null(strstr(f.refused[1], "tokenizer 'rwkv' is not supported"));
}

void test_inspect_no_file(void **state)
{
    (void)state;
    struct engine_facts f;
    struct err err = {0};
    assert_false(engine_inspect(&f, "/nowhere/at/all.gguf", &err));
    assert_non_null(strstr(err.msg, "/nowhere/at/all.gguf"));
    assert_false(engine_inspect(&f, "README.md", &err));
    assert_non_null(strstr(err.msg, "README.md: not a GGUF file"));
}
