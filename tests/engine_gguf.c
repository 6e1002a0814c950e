/* engine_gguf.c -- the container. What could break: a length, count, offset or shape of a hostile
 * file that leads outside the bytes; a value read as another type; a message that says nothing. */
#include "tests/test.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/engine_vocab.h"

static const char *const models[] = {
    "tiny-llama.gguf", "tiny-llama-f16.gguf", "tiny-llama-bf16.gguf", "tiny-llama-q8_0.gguf",
    "tiny-llama-q4_0.gguf", "tiny-llama-q4_1.gguf", "tiny-qwen3.gguf", "tiny-gemma3.gguf",
    "tiny-deepseek4.gguf",
};
#define N_MODELS (sizeof models / sizeof *models)

static const char *const vocabularies[] = {
    "vocab/ggml-vocab-gpt-2.gguf", "vocab/ggml-vocab-llama-bpe.gguf",
};

/* ---- files -------------------------------------------------------------------------------- */

void test_mapfile(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct mapfile m;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/file", test_folder());

    assert_false(mapfile_open(&m, path, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.msg, path));
    test_write_file(path, "", 0);
    assert_false(mapfile_open(&m, path, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_non_null(strstr(err.msg, "is empty"));
    assert_false(mapfile_open(&m, "/tmp", &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.msg, "is a folder"));
    assert_false(mapfile_open(&m, "/dev/null", &err));
    assert_non_null(strstr(err.msg, "not a regular file"));

    test_write_file(path, "abc", 3);
    assert_true(mapfile_open(&m, path, &err));
    assert_int_equal(m.bytes, 3);
    assert_memory_equal(m.data, "abc", 3);
    mapfile_close(&m);
    mapfile_close(&m);
}

void test_mapfile_pipe(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct mapfile m;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/pipe", test_folder());
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(mapfile_open(&m, path, &err)); /* and does not wait for a writer */
    assert_non_null(strstr(err.msg, "not a regular file"));
}

void test_gguf_reads_model(void **state)
{
    (void)state;
    struct mapfile m;
    struct gguf g;
    struct err err = {0};
    uint32_t u = 0;
    float f = 0;
    struct gguf_str s;
    assert_true(mapfile_open(&m, test_fixture("tiny-llama-q4_1.gguf"), &err));
    assert_true(gguf_parse(m.data, m.bytes, &g, &err));
    assert_int_equal(g.version, 3);
    assert_int_equal(g.n_tensors, 20);
    assert_true(gguf_u32(&g, "llama.block_count", &u, &err));
    assert_int_equal(u, 2);
    assert_true(gguf_f32(&g, "llama.attention.layer_norm_rms_epsilon", &f, &err));
    assert_true(f > 0.9e-5f && f < 1.1e-5f);
    assert_true(gguf_string(&g, "general.architecture", &s, &err));
    assert_true(gguf_str_is(s, "llama"));
    assert_false(gguf_str_is(s, "llam"));

    const struct gguf_tensor *t = gguf_find_tensor(&g, "blk.0.ffn_down.weight");
    assert_non_null(t);
    assert_string_equal(t->type->name, "Q4_1");
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dims[0], 160);
    assert_int_equal(t->dims[1], 128);
    assert_int_equal(t->dims[2], 1);
    assert_int_equal(t->row_bytes, 160 / 32 * 20);
    assert_int_equal(t->bytes, 160 / 32 * 20 * 128);
    assert_ptr_equal(t->data, m.data + t->offset);
    assert_true(t->offset >= g.header_bytes && t->offset + t->bytes <= m.bytes);
    assert_null(gguf_find_tensor(&g, "blk.2.ffn_down.weight"));
    gguf_release(&g);
    mapfile_close(&m);
}

void test_gguf_types(void **state)
{
    (void)state;
    assert_string_equal(gguf_type_info(GGUF_F32)->name, "F32");
    assert_int_equal(gguf_type_info(GGUF_Q6_K)->block_bytes, 210);
    assert_int_equal(gguf_type_info(GGUF_MXFP4)->block_bytes, 17);
    assert_null(gguf_type_info(4));
    assert_null(gguf_type_info(UINT32_MAX));
}

/* ---- values ------------------------------------------------------------------------------- */

/* Keys of all kinds, for the getters. */
static void make_values(struct maker *m)
{
    static const int32_t numbers[] = {-5, 0, 7};
    static const char *const words[] = {"a", "", "ccc"};
    double d = 2.5;
    int64_t minus = -1;
    uint64_t big = UINT64_MAX;
    uint8_t two = 2;
    maker_start(m, 2);
    maker_key_u32(m, "u32", 42);
    maker_key_bool(m, "yes", true);
    maker_key_string(m, "text", "abc");
    maker_key_strings(m, "words", words, 3);
    maker_key_i32s(m, "numbers", numbers, 3);
    maker_key(m, "f64", GGUF_V_F64);
    maker_bytes(m, &d, sizeof d);
    maker_key(m, "minus", GGUF_V_I64);
    maker_bytes(m, &minus, sizeof minus);
    maker_key(m, "big", GGUF_V_U64);
    maker_bytes(m, &big, sizeof big);
    maker_key(m, "u8", GGUF_V_U8);
    maker_bytes(m, &two, 1);
    maker_key(m, "maybe", GGUF_V_BOOL);
    maker_bytes(m, &two, 1);
    maker_key(m, "bigs", GGUF_V_ARRAY);
    maker_u32(m, GGUF_V_U64);
    maker_u64(m, 1);
    maker_u64(m, big);
    maker_key(m, "doubles", GGUF_V_ARRAY);
    maker_u32(m, GGUF_V_F64);
    maker_u64(m, 1);
    maker_bytes(m, &d, sizeof d);
    maker_finish(m);
}

void test_gguf_values(void **state)
{
    (void)state;
    struct maker m;
    struct gguf g;
    struct err err = {0};
    uint32_t u = 0;
    uint64_t u64 = 0;
    float f = 0;
    bool b = false;
    struct gguf_str s;
    make_values(&m);
    if (!gguf_parse(m.data, m.n, &g, &err))
        fail_msg("%s", err.msg);
    assert_true(gguf_u32(&g, "u32", &u, &err) && u == 42);
    assert_true(gguf_u32(&g, "u8", &u, &err) && u == 2);
    assert_true(gguf_u64(&g, "big", &u64, &err) && u64 == UINT64_MAX);
    assert_true(gguf_f32(&g, "f64", &f, &err) && f == 2.5f);
    assert_true(gguf_bool(&g, "yes", &b, &err) && b);
    assert_true(gguf_string(&g, "text", &s, &err) && gguf_str_is(s, "abc"));
    assert_true(gguf_u32_or(&g, "none", 7, &u, &err) && u == 7);
    assert_true(gguf_u32_or(&g, "u32", 7, &u, &err) && u == 42);
    assert_true(gguf_f32_or(&g, "none", 1.5f, &f, &err) && f == 1.5f);
    assert_true(gguf_bool_or(&g, "none", true, &b, &err) && b);
    assert_true(gguf_string_or(&g, "none", "x", &s, &err) && gguf_str_is(s, "x"));
    gguf_release(&g);
    maker_release(&m);
}

void test_gguf_arrays(void **state)
{
    (void)state;
    struct maker m;
    struct gguf g;
    struct err err = {0};
    struct gguf_str *words;
    int32_t *numbers;
    float *floats;
    size_t n = 0;
    make_values(&m);
    assert_true(gguf_parse(m.data, m.n, &g, &err));
    assert_true(gguf_strings(&g, "words", &words, &n, &err));
    assert_int_equal(n, 3);
    assert_true(gguf_str_is(words[0], "a") && words[1].bytes == 0 && gguf_str_is(words[2], "ccc"));
    assert_true(gguf_i32s(&g, "numbers", &numbers, &n, &err));
    assert_int_equal(n, 3);
    assert_true(numbers[0] == -5 && numbers[1] == 0 && numbers[2] == 7);
    assert_true(gguf_f32s(&g, "doubles", &floats, &n, &err));
    assert_true(n == 1 && floats[0] == 2.5f);
    free(words);
    free(numbers);
    free(floats);
    gguf_release(&g);
    maker_release(&m);
}

void test_gguf_wrong_values(void **state)
{
    (void)state;
    struct maker m;
    struct gguf g;
    struct err err = {0};
    uint32_t u;
    uint64_t u64;
    float f;
    bool b;
    struct gguf_str s, *words;
    int32_t *numbers;
    size_t n;
    make_values(&m);
    assert_true(gguf_parse(m.data, m.n, &g, &err));
#define WRONG(call, text)                                                        \
    do {                                                                         \
        err = (struct err){0};                                                   \
        assert_false(call);                                                      \
        assert_int_equal(err.code, ERR_FORMAT);                                  \
        assert_string_equal(err.msg, text);                                      \
    } while (0)
    WRONG(gguf_u32(&g, "none", &u, &err), "key 'none' is missing");
    WRONG(gguf_u32(&g, "text", &u, &err), "key 'text' is of type string, expected an integer");
    WRONG(gguf_u32_or(&g, "yes", 1, &u, &err), "key 'yes' is of type bool, expected an integer");
    WRONG(gguf_u32(&g, "big", &u, &err), "key 'big' is 18446744073709551615, too large");
    WRONG(gguf_u64(&g, "minus", &u64, &err), "key 'minus' is negative");
    WRONG(gguf_f32(&g, "u32", &f, &err), "key 'u32' is of type u32, expected a float");
    WRONG(gguf_bool(&g, "maybe", &b, &err), "key 'maybe' is of type bool, expected a bool of 0 "
          "or 1");
    WRONG(gguf_string(&g, "words", &s, &err),
          "key 'words' is an array of string, expected a string");
    WRONG(gguf_strings(&g, "numbers", &words, &n, &err),
          "key 'numbers' is an array of i32, expected an array of strings");
    WRONG(gguf_i32s(&g, "bigs", &numbers, &n, &err), "key 'bigs' has element 0 out of range");
    WRONG(gguf_i32s(&g, "words", &numbers, &n, &err),
          "key 'words' is an array of string, expected an array of integers");
#undef WRONG
    gguf_release(&g);
    maker_release(&m);
}

/* ---- damage ------------------------------------------------------------------------------- */

/* The bytes must be refused with a message that contains text. Frees them. */
static void check_refused(struct maker *m, enum err_code code, const char *text)
{
    struct gguf g;
    struct err err = {0};
    uint8_t *exact = malloc(m->n ? m->n : 1); /* so that a sanitizer sees the first byte behind */
    assert_non_null(exact);
    memcpy(exact, m->data, m->n);
    if (gguf_parse(exact, m->n, &g, &err))
        fail_msg("accepted, expected: %s", text);
    if (!strstr(err.msg, text) || err.code != code)
        fail_msg("'%s' (%d), expected '%s'", err.msg, err.code, text);
    assert_null(g.keys);
    free(exact);
    maker_release(m);
}

void test_gguf_bad_header(void **state)
{
    (void)state;
    struct maker m;
    maker_start(&m, 3);
    m.data[0] = 'X';
    check_refused(&m, ERR_FORMAT, "not a GGUF file");
    maker_start(&m, 4);
    check_refused(&m, ERR_UNSUPPORTED, "version 4, supported are 2 and 3");
    maker_start(&m, 3u << 24);
    check_refused(&m, ERR_UNSUPPORTED, "big-endian");
    maker_start(&m, 3);
    m.n_keys = GGUF_KEYS_MAX + 1;
    maker_finish(&m);
    check_refused(&m, ERR_LIMIT, "8193 keys");
    maker_start(&m, 3);
    m.n_tensors = UINT64_MAX;
    maker_finish(&m);
    check_refused(&m, ERR_LIMIT, "18446744073709551615 tensors");
    maker_start(&m, 3);
    m.n = 20;
    check_refused(&m, ERR_FORMAT, "cut short");
    maker_start(&m, 3);
    m.n = 3;
    check_refused(&m, ERR_FORMAT, "cut short");
}

void test_gguf_bad_keys(void **state)
{
    (void)state;
    static const uint8_t more[64];
    struct maker m;
    maker_start(&m, 3);
    maker_key_u32(&m, "twice", 1);
    maker_key_u32(&m, "twice", 2);
    maker_finish(&m);
    check_refused(&m, ERR_FORMAT, "key 'twice' occurs twice");
    maker_start(&m, 3);
    maker_key_u32(&m, "", 1);
    maker_finish(&m);
    check_refused(&m, ERR_FORMAT, "a key's name of 0 bytes");
    maker_start(&m, 3);
    maker_key(&m, "odd", 13);
    maker_finish(&m);
    check_refused(&m, ERR_FORMAT, "key 'odd' has the unknown type 13");
    maker_start(&m, 3);
    maker_u64(&m, UINT64_MAX); /* a name's length that wraps every sum */
    m.n_keys = 1;
    maker_finish(&m);
    check_refused(&m, ERR_FORMAT, "cut short");
    for (uint32_t type = GGUF_V_U8; type <= GGUF_V_F64; type++) {
        if (type == GGUF_V_ARRAY)
            continue;
        maker_start(&m, 3);
        maker_key(&m, "list", GGUF_V_ARRAY);
        maker_u32(&m, type);
        maker_u64(&m, UINT64_MAX / 4 + 2); /* times 4 or 8 it is small again */
        maker_bytes(&m, more, sizeof more);
        maker_finish(&m);
        check_refused(&m, ERR_FORMAT, "cut short");
    }
    maker_start(&m, 3);
    maker_key(&m, "deep", GGUF_V_ARRAY);
    maker_u32(&m, GGUF_V_ARRAY);
    maker_u64(&m, 1);
    maker_finish(&m);
    check_refused(&m, ERR_UNSUPPORTED, "key 'deep' is an array of arrays");
    maker_start(&m, 3);
    maker_key_u32(&m, "general.alignment", 48);
    maker_finish(&m);
    check_refused(&m, ERR_FORMAT, "key 'general.alignment' is 48");
    maker_start(&m, 3);
    maker_key_string(&m, "general.alignment", "32");
    maker_finish(&m);
    check_refused(&m, ERR_FORMAT, "key 'general.alignment' is of type string");
}

/* A file with this one row in its tensor table and 4 KiB behind the header. */
static void make_tensor(struct maker *m, uint32_t n_dims, const uint64_t *dims, uint32_t type,
                        uint64_t offset)
{
    static const uint8_t zeros[4096];
    maker_start(m, 3);
    maker_tensor(m, "w", n_dims, dims, type, offset);
    maker_bytes(m, zeros, sizeof zeros);
    maker_finish(m);
}

void test_gguf_bad_tensors(void **state)
{
    (void)state;
    struct maker m;
    uint64_t dims[5] = {32, 4, 1, 1, 1};
    make_tensor(&m, 0, dims, GGUF_F32, 0);
    check_refused(&m, ERR_FORMAT, "tensor 'w' has 0 dimensions");
    make_tensor(&m, 5, dims, GGUF_F32, 0);
    check_refused(&m, ERR_FORMAT, "tensor 'w' has 5 dimensions, expected 1 to 4");
    make_tensor(&m, 2, dims, 4, 0);
    check_refused(&m, ERR_UNSUPPORTED, "tensor 'w' has the unknown weight format 4");
    make_tensor(&m, 2, dims, GGUF_Q4_K, 0);
    check_refused(&m, ERR_FORMAT, "rows of 32, no multiple of 256 (Q4_K)");
    make_tensor(&m, 2, dims, GGUF_F32, 8);
    check_refused(&m, ERR_FORMAT, "tensor 'w' is not aligned to 32 bytes");
    make_tensor(&m, 2, dims, GGUF_F32, 4096);
    check_refused(&m, ERR_FORMAT, "tensor 'w' reaches beyond the end");
    make_tensor(&m, 2, dims, GGUF_F32, UINT64_MAX - 31);
    check_refused(&m, ERR_FORMAT, "tensor 'w' reaches beyond the end");
    dims[1] = 0;
    make_tensor(&m, 2, dims, GGUF_F32, 0);
    check_refused(&m, ERR_FORMAT, "tensor 'w' has an impossible shape");
    dims[0] = dims[1] = dims[2] = dims[3] = 65536; /* their product is 2^64 */
    make_tensor(&m, 4, dims, GGUF_F32, 0);
    check_refused(&m, ERR_FORMAT, "tensor 'w' has an impossible shape");
    dims[0] = (uint64_t)1 << 62;
    make_tensor(&m, 1, dims, GGUF_F32, 0);
    check_refused(&m, ERR_FORMAT, "tensor 'w' has an impossible size");
    dims[0] = 32;
    maker_start(&m, 3);
    maker_tensor(&m, "w", 1, dims, GGUF_F32, 0);
    maker_tensor(&m, "w", 1, dims, GGUF_F32, 0);
    maker_finish(&m);
    check_refused(&m, ERR_FORMAT, "tensor 'w' occurs twice");
}

void test_gguf_edge_tensors(void **state)
{
    (void)state;
    struct maker m;
    struct gguf g;
    struct err err = {0};
    uint64_t dims[1] = {32};
    make_tensor(&m, 1, dims, GGUF_F32, 0);
    assert_true(gguf_parse(m.data, m.n, &g, &err));
    uint64_t start = g.tensors[0].offset;
    assert_true(start % 32 == 0 && start >= g.header_bytes);
    gguf_release(&g);
    m.n = (size_t)start + 128; /* the tensor's last byte is the file's */
    assert_true(gguf_parse(m.data, m.n, &g, &err));
    gguf_release(&g);
    m.n--;
    assert_false(gguf_parse(m.data, m.n, &g, &err));
    maker_release(&m);
}

/* Every file cut at 200 places is refused with words. */
void test_gguf_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        size_t n;
        char *whole = test_read_file(test_fixture(models[i]), &n);
        for (size_t k = 0; k < 200; k++) {
            /* Half of the places in the first 16 KiB, where the header is. */
            size_t cut = k < 100 ? k * 16384 / 100 : (k - 100) * n / 100;
            uint8_t *part = malloc(cut + 1);
            assert_non_null(part);
            memcpy(part, whole, cut);
            struct err err = {0};
            if (vocab_try(part, cut, &err) || err.msg[0] == 0)
                fail_msg("%s cut at %zu", models[i], cut);
            free(part);
        }
        free(whole);
    }
}

/* Spoils a few places of data[0..n) and remembers what was there. */
struct spoil {
    size_t at;
    uint8_t old[8];
};

static void spoil(uint8_t *data, size_t n, uint64_t *seed, struct spoil *s)
{
    static const uint64_t values[] = {
        0, 1, 2, 0xff, 0x7fffffff, 0xffffffff, UINT64_MAX, INT64_MAX, 1ull << 32, 1ull << 61,
    };
    uint64_t r = test_random(seed);
    s->at = (size_t)(test_random(seed) % (n - 8));
    memcpy(s->old, data + s->at, 8);
    uint64_t v = values[r >> 8 & 7];
    if (r % 4 == 0)
        memcpy(data + s->at, &v, 8);
    else if (r % 4 == 1)
        memcpy(data + s->at, &v, 4);
    else
        data[s->at] ^= (uint8_t)(1u << (r >> 16 & 7));
}

/* Tries a file in n_tries spoilt forms: any outcome but a crash or an empty message is right. */
static void check_spoilt(const char *name, int n_tries, bool header_alone)
{
    struct mapfile m;
    struct gguf g;
    struct err err = {0};
    uint64_t seed = 7;
    if (access(test_fixture(name), F_OK) != 0) {
        print_message("           not here, not tested: %s\n", name);
        return;
    }
    assert_true(mapfile_open(&m, test_fixture(name), &err));
    assert_true(gguf_parse(m.data, m.bytes, &g, &err));
    size_t header = g.header_bytes;
    gguf_release(&g);
    uint8_t *data = malloc(m.bytes);
    assert_non_null(data);
    memcpy(data, m.data, m.bytes);
    for (int i = 0; i < n_tries; i++) {
        struct spoil s[4];
        int n = 1 + (int)(test_random(&seed) % 4);
        for (int k = 0; k < n; k++)
            spoil(data, i % 3 ? header : 2048, &seed, &s[k]);
        err = (struct err){0};
        bool ok = header_alone ? gguf_parse(data, m.bytes, &g, &err)
                               : vocab_try(data, m.bytes, &err);
        if (!ok && err.msg[0] == 0)
            fail_msg("%s, try %d: no message", name, i);
        if (ok && header_alone)
            gguf_release(&g);
        while (n-- > 0)
            memcpy(data + s[n].at, s[n].old, 8);
    }
    assert_memory_equal(data, m.data, m.bytes);
    free(data);
    mapfile_close(&m);
}

void test_gguf_spoilt_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++)
        check_spoilt(models[i], 2000, false);
}

void test_gguf_spoilt_vocabularies(void **state)
{
    (void)state;
    check_spoilt(vocabularies[0], 1000, true);
    check_spoilt(vocabularies[0], 50, false); /* opening these takes its time */
    check_spoilt(vocabularies[1], 100, true);
    check_spoilt(vocabularies[1], 5, false);
}
