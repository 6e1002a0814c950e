/* engine_tokenizer.c -- text to ids and back. What could break: ids that differ from the models'
 * own tokenizers, a text that does not come back, user text that spells a control token, a merge
 * that takes quadratic time, a vocabulary made up to crash. */
#include "tests/test.h"

#include <cjson/cJSON.h>
#include <pthread.h>

#include "engine/pretok.h"
#include "tests/engine_vocab.h"

/* ---- golden ids --------------------------------------------------------------------------- */

static cJSON *read_golden(void)
{
    char *text = test_read_file(test_fixture("golden/tokenizer.json"), NULL);
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    free(text);
    return json;
}

static const char *text_of(const cJSON *item, const char *key)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, key));
    assert_non_null(s);
    return s;
}

/* Opens a vocabulary of the golden file where it is. */
static bool open_golden(struct vocab *v, const cJSON *vocabulary)
{
    char name[256];
    const char *file = text_of(vocabulary, "file");
    const char *folder = strncmp(file, "tiny-", 5) == 0 ? "" : "vocab/";
    snprintf(name, sizeof name, "%s%s", folder, file);
    return vocab_open(v, name);
}

/* Whether the text spells a token that the reference takes from any text, and we do not. */
static bool spells_user_token(const struct tokenizer *t, const char *text)
{
    size_t bytes;
    for (; *text; text++) {
        int32_t id = tokenizer_marker_at(t, text, strlen(text), &bytes);
        if (id >= 0 && tokenizer_type(t, id) == TOKEN_USER)
            return true;
    }
    return false;
}

static void check_ids(const struct tokens *got, const cJSON *expected, int skip, const char *where)
{
    int n = cJSON_GetArraySize(expected) - skip;
    if (got->n != n)
        fail_msg("%s: %d ids, expected %d", where, got->n, n);
    for (int i = 0; i < n; i++) {
        int want = cJSON_GetArrayItem(expected, i + skip)->valueint;
        if (got->id[i] != want)
            fail_msg("%s: id %d is %d, expected %d", where, i, got->id[i], want);
    }
}

/* Whether text may become this token: normal ones, and user-defined ones that are no markers. */
static bool is_of_text(const struct tokenizer *t, int32_t id)
{
    size_t n, bytes;
    const char *name = tokenizer_piece(t, id, true, &n);
    enum token_type type = tokenizer_type(t, id);
    return type == TOKEN_NORMAL || type == TOKEN_BYTE ||
           (type == TOKEN_USER && tokenizer_marker_at(t, name, n, &bytes) != id);
}

/* Every id must be one that text may become, and together they must be the text. */
static void check_plain(const struct tokenizer *t, const struct tokens *ids, const char *text,
                        size_t bytes)
{
    size_t n;
    for (int i = 0; i < ids->n; i++) {
        if (!is_of_text(t, ids->id[i]))
            fail_msg("text became token %d", ids->id[i]);
    }
    char *back = vocab_text(t, ids, &n);
    assert_int_equal(n, bytes);
    assert_memory_equal(back, text, n);
    free(back);
}

void test_tokenizer_golden(void **state)
{
    (void)state;
    cJSON *golden = read_golden();
    const cJSON *texts = cJSON_GetObjectItem(golden, "texts"), *vocabulary;
    struct err err = {0};
    int n_strict = 0, n_vocabularies = 0;
    cJSON_ArrayForEach(vocabulary, cJSON_GetObjectItem(golden, "vocabularies")) {
        struct vocab v;
        if (!open_golden(&v, vocabulary))
            continue;
        n_vocabularies++;
        for (int i = 0; i < cJSON_GetArraySize(texts); i++) {
            struct tokens ids = {0};
            const cJSON *row = cJSON_GetArrayItem(texts, i);
            const char *text = text_of(row, "text");
            assert_true(tokenizer_encode(v.tokenizer, text, strlen(text), false, &ids, &err));
            check_plain(v.tokenizer, &ids, text, strlen(text));
            if (spells_user_token(v.tokenizer, text))
                n_strict++;
            else
                check_ids(&ids, cJSON_GetArrayItem(cJSON_GetObjectItem(vocabulary, "ids"), i), 0,
                          text_of(row, "name"));
            tokens_release(&ids);
        }
        vocab_close(&v);
    }
    assert_true(n_vocabularies >= 5);
    assert_int_equal(n_strict, 4); /* <think> in the four tiny ones */
    cJSON_Delete(golden);
}

static const char *text_named(const cJSON *golden, const char *name)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(golden, "texts")) {
        if (strcmp(text_of(row, "name"), name) == 0)
            return text_of(row, "text");
    }
    fail_msg("no text '%s'", name);
    return "";
}

/* With control tokens recognised and the bos token in front, where the model wants it. */
void test_tokenizer_golden_specials(void **state)
{
    (void)state;
    cJSON *golden = read_golden();
    const cJSON *vocabulary, *row;
    struct err err = {0};
    cJSON_ArrayForEach(vocabulary, cJSON_GetObjectItem(golden, "vocabularies")) {
        struct vocab v;
        if (!open_golden(&v, vocabulary))
            continue;
        cJSON_ArrayForEach(row, cJSON_GetObjectItem(vocabulary, "with_specials")) {
            struct tokens ids = {0};
            const char *text = text_named(golden, text_of(row, "text"));
            int32_t bos = tokenizer_bos(v.tokenizer);
            if (tokenizer_add_bos(v.tokenizer))
                assert_true(tokens_append(&ids, &bos, 1, &err));
            assert_true(tokenizer_encode_special(v.tokenizer, text, strlen(text), &ids, &err));
            check_ids(&ids, cJSON_GetObjectItem(row, "ids"), 0, text);
            tokens_release(&ids);
        }
        vocab_close(&v);
    }
    cJSON_Delete(golden);
}

/* ---- there and back ----------------------------------------------------------------------- */

static const char *const names[] = {
    "tiny-llama.gguf", "tiny-qwen3.gguf", "tiny-gemma3.gguf", "tiny-deepseek4.gguf",
    "vocab/ggml-vocab-gpt-2.gguf", "vocab/ggml-vocab-llama-bpe.gguf", "vocab/spm.gguf",
    "vocab/spm-plain.gguf",
};
#define N_NAMES (sizeof names / sizeof *names)

static void check_round_trip(const struct tokenizer *t, const char *text, size_t bytes)
{
    struct tokens ids = {0};
    struct err err = {0};
    if (!tokenizer_encode(t, text, bytes, false, &ids, &err))
        fail_msg("%s", err.msg);
    check_plain(t, &ids, text, bytes);
    tokens_release(&ids);
}

/* Random bytes: any, or mostly letters and spaces, or pieces of characters. */
static size_t random_text(uint64_t *seed, char *out, size_t max)
{
    static const char *const part[] = {
        " ", "\n", "a", "the", " the", "9", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", "'s",
        "\xf0\x9f", "\x80", "\xff", "<|im_end|>", "\xe2\x96\x81", "\0",
    };
    size_t n = 0, bytes = test_random(seed) % max;
    bool any = test_random(seed) % 3 == 0;
    while (n < bytes) {
        uint64_t r = test_random(seed);
        const char *s = part[r % 16];
        size_t len = r % 16 == 15 ? 1 : strlen(s);
        if (any || n + len > bytes) {
            out[n++] = (char)(r >> 8);
        } else {
            memcpy(out + n, s, len);
            n += len;
        }
    }
    return n;
}

void test_tokenizer_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct vocab v;
        uint64_t seed = 3;
        char text[200];
        if (!vocab_open(&v, names[i]))
            continue;
        for (int k = 0; k < 1000; k++)
            check_round_trip(v.tokenizer, text, random_text(&seed, text, sizeof text));
        for (int b = 0; b < 256; b++)
            check_round_trip(v.tokenizer, (char[]){(char)b}, 1);
        vocab_close(&v);
    }
}

/* All of the vocabulary's control and user-defined tokens, spelt in a text. */
void test_tokenizer_spelling_yields_no_control(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct vocab v;
        if (!vocab_open(&v, names[i]))
            continue;
        for (int32_t id = 0; id < tokenizer_n_vocab(v.tokenizer); id++) {
            if (tokenizer_type(v.tokenizer, id) == TOKEN_NORMAL)
                continue;
            size_t n;
            const char *name = tokenizer_piece(v.tokenizer, id, true, &n);
            char text[100];
            int len = snprintf(text, sizeof text, "a%.*s%.*s", (int)n, name, (int)n, name);
            check_round_trip(v.tokenizer, text + 1, (size_t)len - 1);
            check_round_trip(v.tokenizer, text, (size_t)len);
        }
        vocab_close(&v);
    }
}

/* A megabyte without a place to cut. Done in a quadratic way, each would take many minutes. */
void test_tokenizer_long_pieces(void **state)
{
    (void)state;
    size_t n = 1 << 20;
    char *text = malloc(n);
    assert_non_null(text);
    static const char *const of[] = {
        "tiny-llama.gguf", "vocab/ggml-vocab-gpt-2.gguf", "vocab/spm.gguf",
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct vocab v;
        uint64_t seed = 5;
        assert_true(vocab_open(&v, of[i]));
        memset(text, 'a', n);
        check_round_trip(v.tokenizer, text, n);
        memset(text, ' ', n);
        check_round_trip(v.tokenizer, text, n);
        memset(text, 0xff, n);
        check_round_trip(v.tokenizer, text, n);
        for (size_t k = 0; k < n; k++)
            text[k] = (char)('a' + test_random(&seed) % 26);
        check_round_trip(v.tokenizer, text, n);
        vocab_close(&v);
    }
    free(text);
}

/* ---- pieces ------------------------------------------------------------------------------- */

/* What an independent engine (Python's regex) makes of the published patterns. */
static const struct {
    const char *pre, *text, *pieces;
} splits[] = {
    {"gpt-2", "a\xe3\x80\x80\xe3\x80\x80" "b", "a|\xe3\x80\x80|\xe3\x80\x80|b"},
    {"gpt-2", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'s| I|'|LL| 1234| x|_|1| | a|\n\n| b|!!|\n  "},
    {"gpt-2", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3\x82"
     "\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa|\xe0\xb8\xb8|\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~|x| \xc3\xa9|\xcc\x81| "},
    {"llama-bpe", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'s| I|'LL| |123|4| x|_|1| | a|\n\n| b|!!\n|  "},
    {"llama-bpe", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3"
     "\x82\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa|\xe0\xb8\xb8\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~x| \xc3\xa9|\xcc\x81| "},
    {"smollm", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'s| I|'|LL| |1|2|3|4| x|_|1| | a|\n\n| b|!!|\n  "},
    {"smollm", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3\x82"
     "\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa|\xe0\xb8\xb8|\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~|x| \xc3\xa9|\xcc\x81| "},
    {"qwen2", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'s| I|'LL| |1|2|3|4| x|_|1| | a|\n\n| b|!!\n|  "},
    {"qwen2", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3\x82"
     "\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa|\xe0\xb8\xb8\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~x| \xc3\xa9|\xcc\x81| "},
    {"qwen35", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'s| I|'LL| |1|2|3|4| x|_|1| | a|\n\n| b|!!\n|  "},
    {"qwen35", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3\x82"
     "\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~x| \xc3\xa9\xcc\x81| "},
    {"deepseek-llm", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'|s| I|'|LL| |1234| x|_|1| | a|\n|\n| b|!!|\n|  "},
    {"deepseek-llm", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1"
     "\xe3\x82\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82| ABc|\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~|x| \xc3\xa9|\xcc\x81| "},
    {"deepseek-coder", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'|s| I|'|LL| |1|2|3|4| x|_|1| | a|\n|\n| b|!!|\n|  "},
    {"deepseek-coder", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1"
     "\xe3\x82\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa|\xe0\xb8\xb8|\xe0\xb8\x82| ABc|\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab"
     "\xe3\x83\x8a|\xef\xbc\x8c| ok|~|x| \xc3\xa9|\xcc\x81 "},
    {"joyai-llm", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'s| I|'LL| |123|4| x|_|1| | a|\n\n| b|!!\n|  "},
    {"joyai-llm", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3"
     "\x82\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82| ABc|\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~x| \xc3\xa9\xcc\x81| "},
    {"gpt-4o", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It's| I'LL| |123|4| x|_|1| | a|\n\n| b|!!\n|  "},
    {"gpt-4o", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3"
     "\x82\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~x| \xc3\xa9\xcc\x81| "},
    {"gpt-4o", "HelloWorld XMLHttp iPhone's ABC'd //\n/a/ 12345",
     "Hello|World| XMLHttp| i|Phone's| ABC'd| //\n/|a|/| |123|45"},
    {"tekken", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'s| I|'LL| |1|2|3|4| x|_|1| | a|\n\n| b|!!\n|  "},
    {"tekken", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3"
     "\x82\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~x| \xc3\xa9\xcc\x81| "},
    {"tekken", "HelloWorld XMLHttp iPhone's ABC'd //\n/a/ 12345",
     "Hello|World| XMLHttp| i|Phone|'s| ABC|'d| //\n/|a|/| |1|2|3|4|5"},
    {"falcon", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'|s| I|'|LL| |123|4| x|_|1| | a|\n\n| b|!!|\n  "},
    {"falcon", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3"
     "\x82\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa|\xe0\xb8\xb8|\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab"
     "\xe3\x83\x8a|\xef\xbc\x8c| ok|~|x| \xc3\xa9|\xcc\x81| "},
    {"falcon", "HelloWorld XMLHttp iPhone's ABC'd //\n/a/ 12345",
     "HelloWorld| XMLHttp| iPhone|'|s| ABC|'|d| |//|\n|/|a|/| |123|45"},
    {"default", "It's I'LL 1234 x_1  a\n\n b!!\n  ",
     "It|'|s| I|'|LL| |123|4| x|_|1| | a|\n\n| b|!!|\n  "},
    {"default", "\xe0\xb8\xaa\xe0\xb8\xb8\xe0\xb8\x82 ABc\xe4\xb8\xad\xe6\x96\x87" "1\xe3"
     "\x82\xab\xe3\x83\x8a\xef\xbc\x8c ok~x \xc3\xa9\xcc\x81 ",
     "\xe0\xb8\xaa|\xe0\xb8\xb8|\xe0\xb8\x82| ABc\xe4\xb8\xad\xe6\x96\x87|1|\xe3\x82\xab\xe3"
     "\x83\x8a|\xef\xbc\x8c| ok|~|x| \xc3\xa9|\xcc\x81| "},
};

void test_pretok_splits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        const char *text = splits[i].text;
        struct pretok *p;
        struct pieces pieces = {0};
        struct err err = {0};
        char got[300] = "";
        size_t n = 0, from = 0;
        struct gguf_str name = {splits[i].pre, strlen(splits[i].pre)};
        assert_true(pretok_open(&p, name, &err));
        assert_true(pretok_split(p, text, strlen(text), &pieces, &err));
        for (size_t k = 0; k < pieces.n; from = pieces.end[k++])
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%.*s", k ? "|" : "",
                                  (int)(pieces.end[k] - from), text + from);
        if (strcmp(got, splits[i].pieces) != 0)
            fail_msg("%s: %s\nexpected %s", splits[i].pre, got, splits[i].pieces);
        pieces_release(&pieces);
        pretok_close(&p);
    }
}

void test_pretok_invalid_bytes(void **state)
{
    (void)state;
    static const size_t expected[] = {1, 3, 4, 5, 8, 9};
    const char *text = "a\xff\xfe" "b \xe4\xb8\x80" "c"; /* a, ff fe, b, a space, U+4E00, c */
    struct pretok *p;
    struct pieces pieces = {0};
    struct err err = {0};
    assert_true(pretok_open(&p, (struct gguf_str){"joyai-llm", 9}, &err));
    assert_true(pretok_split(p, text, 9, &pieces, &err));
    assert_int_equal(pieces.n, 6);
    assert_memory_equal(pieces.end, expected, sizeof expected);
    assert_true(pretok_split(p, "", 0, &pieces, &err));
    assert_int_equal(pieces.n, 0);
    pieces_release(&pieces);
    pretok_close(&p);
}

void test_pretok_unknown(void **state)
{
    (void)state;
    struct pretok *p;
    struct err err = {0};
    assert_false(pretok_open(&p, (struct gguf_str){"mystery", 7}, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "'mystery'"));
    assert_non_null(strstr(err.msg, "default, gpt-2, llama-bpe, smollm"));
    assert_non_null(strstr(err.msg, " more"));
    assert_null(p);
}

/* ---- made-up vocabularies ----------------------------------------------------------------- */

#define MODEL(m) maker_key_string(m, "tokenizer.ggml.model", "gpt2")

void test_tokenizer_unsupported(void **state)
{
    (void)state;
    struct maker m;
    maker_start(&m, 3);
    maker_refused(&m, ERR_FORMAT, "key 'tokenizer.ggml.model' is missing");
    maker_start(&m, 3);
    maker_key_string(&m, "tokenizer.ggml.model", "t5");
    maker_refused(&m, ERR_UNSUPPORTED, "tokenizer 't5' is not supported; supported are 'gpt2' "
                  "(byte-level BPE), 'llama' (SentencePiece)");
    maker_start(&m, 3);
    MODEL(&m);
    maker_key_string(&m, "tokenizer.ggml.pre", "mystery");
    maker_refused(&m, ERR_UNSUPPORTED, "unknown pre-tokenizer 'mystery'");
    maker_start(&m, 3);
    MODEL(&m);
    maker_refused(&m, ERR_FORMAT, "key 'tokenizer.ggml.tokens' is missing");
}

void test_tokenizer_bad_tokens(void **state)
{
    (void)state;
    struct maker m;
    maker_start(&m, 3);
    MODEL(&m);
    maker_key_strings(&m, "tokenizer.ggml.tokens", NULL, 0);
    maker_refused(&m, ERR_FORMAT, "the vocabulary has 0 tokens");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b", "a");
    maker_refused(&m, ERR_FORMAT, "tokens 0 and 2 are both 'a'");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "");
    maker_refused(&m, ERR_FORMAT, "token 1 is empty");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b");
    TYPES(&m, 1);
    maker_refused(&m, ERR_FORMAT, "1 token types for 2 tokens");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b");
    TYPES(&m, 1, 7);
    maker_refused(&m, ERR_FORMAT, "token 1 has the unknown type 7");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "ab", "cd");
    maker_refused(&m, ERR_FORMAT, "no token for any single byte");
}

void test_tokenizer_bad_merges(void **state)
{
    (void)state;
    static const char *const bad[] = {"ab", "a ", " b", "a", "", "a c", "c b", "b a"};
    struct maker m;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        maker_start(&m, 3);
        MODEL(&m);
        TOKENS(&m, "a", "b", "ab");
        MERGES(&m, "a b", bad[i]);
        maker_refused(&m, ERR_FORMAT, "merge 1");
    }
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a");
    maker_refused(&m, ERR_FORMAT, "key 'tokenizer.ggml.merges' is missing");
}

void test_tokenizer_bad_ids(void **state)
{
    (void)state;
    struct maker m;
    static const char *const keys[] = {"bos", "eos", "eot"};
    for (size_t i = 0; i < 3; i++) {
        char key[64];
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", keys[i]);
        maker_start(&m, 3);
        MODEL(&m);
        TOKENS(&m, "a");
        maker_key_strings(&m, "tokenizer.ggml.merges", NULL, 0);
        maker_key_u32(&m, key, 1);
        maker_refused(&m, ERR_FORMAT, "is 1, outside the vocabulary of 1");
    }
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a");
    maker_key_strings(&m, "tokenizer.ggml.merges", NULL, 0);
    maker_key_bool(&m, "tokenizer.ggml.add_bos_token", true);
    maker_refused(&m, ERR_FORMAT, "key 'tokenizer.ggml.bos_token_id' is missing");
}

/* The earliest merge of the list goes first, the leftmost of equals; of a merge named twice the
 * first place counts. */
void test_tokenizer_merge_order(void **state)
{
    (void)state;
    struct maker m;
    struct vocab v;
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b", "c", "bc", "ab", "aa", "abc");
    MERGES(&m, "b c", "a b", "a a", "a bc", "b c");
    maker_open(&m, &v);
    ENCODES(&v, "abc", 6);
    ENCODES(&v, "ab", 4);
    ENCODES(&v, "aaa", 5, 0);
    ENCODES(&v, "aab", 0, 4);
    ENCODES(&v, "aabc", 5, 3);
    vocab_close(&v);
    maker_release(&m);
}

/* A merge that leads to a control or user-defined token is left out. */
void test_tokenizer_merge_to_control(void **state)
{
    (void)state;
    for (int32_t type = TOKEN_UNKNOWN; type <= TOKEN_UNUSED; type++) {
        struct maker m;
        struct vocab v;
        maker_start(&m, 3);
        MODEL(&m);
        maker_key_string(&m, "tokenizer.ggml.pre", "llama-bpe"); /* looks whole pieces up, too */
        TOKENS(&m, "a", "b", "ab", "aba");
        TYPES(&m, 1, 1, type, 1);
        MERGES(&m, "a b", "ab a");
        maker_open(&m, &v);
        ENCODES(&v, "ab", 0, 1);
        ENCODES(&v, "abab", 0, 1, 0, 1);
        vocab_close(&v);
        maker_release(&m);
    }
}

/* Llama 3 takes a piece that is a token as it is; the others only what merges lead to. */
void test_tokenizer_whole_pieces(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct maker m;
        struct vocab v;
        maker_start(&m, 3);
        MODEL(&m);
        maker_key_string(&m, "tokenizer.ggml.pre", whole ? "llama-bpe" : "gpt-2");
        TOKENS(&m, "a", "b", "\xc4\xa0", "\xc4\xa0" "ab");
        maker_key_strings(&m, "tokenizer.ggml.merges", NULL, 0);
        maker_open(&m, &v);
        if (whole)
            ENCODES(&v, " ab", 3);
        else
            ENCODES(&v, " ab", 2, 0, 1);
        vocab_close(&v);
        maker_release(&m);
    }
}

/* A vocabulary without some bytes: they are left out, and what stood on their two sides is not
 * joined. */
void test_tokenizer_missing_bytes(void **state)
{
    (void)state;
    static const char *const merge = "a a";
    struct maker m;
    struct vocab v;
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "\xc3\xaf", "aa"); /* a, 0xef, aa */
    maker_key_strings(&m, "tokenizer.ggml.merges", &merge, 1);
    maker_open(&m, &v);
    ENCODES(&v, "aa", 2);
    ENCODES(&v, "aba", 0, 0);
    ENCODES(&v, "a\xef\xbf\xbd" "a", 0, 1, 0);
    ENCODES(&v, "a\xff", 0);
    ENCODES(&v, "aba", 0, 0);
    vocab_close(&v);
    maker_release(&m);
}

/* ---- asking ------------------------------------------------------------------------------- */

static void check_piece(const struct vocab *v, int32_t id, bool control, const char *expected)
{
    size_t n;
    const char *piece = tokenizer_piece(v->tokenizer, id, control, &n);
    assert_non_null(piece);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(piece, expected, n);
}

void test_tokenizer_pieces(void **state)
{
    (void)state;
    struct vocab v;
    assert_true(vocab_open(&v, "tiny-llama.gguf"));
    check_piece(&v, 220, false, " ");
    check_piece(&v, 198, false, "\n");
    check_piece(&v, 502, false, "");
    check_piece(&v, 502, true, "<|im_end|>");
    check_piece(&v, 503, false, "<think>");
    check_piece(&v, 511, false, "");
    check_piece(&v, -1, true, "");
    check_piece(&v, 512, true, "");
    assert_int_equal(tokenizer_special(v.tokenizer, "<|im_end|>"), 502);
    assert_int_equal(tokenizer_special(v.tokenizer, "<think>"), 503);
    assert_int_equal(tokenizer_special(v.tokenizer, "a"), -1);
    assert_int_equal(tokenizer_special(v.tokenizer, "<|unused|>"), -1);
    assert_int_equal(tokenizer_bos(v.tokenizer), 509);
    assert_int_equal(tokenizer_eos(v.tokenizer), 502);
    assert_int_equal(tokenizer_eot(v.tokenizer), -1);
    assert_true(tokenizer_add_bos(v.tokenizer));
    assert_int_equal(tokenizer_type(v.tokenizer, 512), TOKEN_UNUSED);
    vocab_close(&v);
}

/* Of specials that begin alike the longest is taken, wherever it stands in the list. */
void test_tokenizer_longest_special(void **state)
{
    (void)state;
    static const char *const specials[] = {"<x", "<x>>", "<x>", NULL};
    static const int32_t expected[] = {257, 258, 256, 'a'};
    struct maker m;
    struct vocab v;
    struct tokens ids = {0};
    struct err err = {0};
    maker_vocab(&m, "gpt-2", NULL, specials);
    maker_open(&m, &v);
    assert_true(tokenizer_encode_special(v.tokenizer, "<x>><x><xa", 10, &ids, &err));
    assert_int_equal(ids.n, 4);
    assert_memory_equal(ids.id, expected, sizeof expected);
    tokens_release(&ids);
    vocab_close(&v);
    maker_release(&m);
}

void test_tokens_append(void **state)
{
    (void)state;
    struct tokens t = {0};
    struct err err = {0};
    assert_true(tokens_append(&t, NULL, 0, &err));
    assert_null(t.id);
    for (int32_t i = 0; i < 1000; i++)
        assert_true(tokens_append(&t, (const int32_t[]){i, -i}, 2, &err));
    assert_int_equal(t.n, 2000);
    assert_int_equal(t.id[1999], -999);
    int32_t one = 1;
    struct tokens full = {.n = INT32_MAX, .cap = INT32_MAX};
    assert_false(tokens_append(&full, &one, 1, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    tokens_release(&t);
    assert_null(t.id);
}

/* One tokenizer, four threads: all get the same. */
struct job {
    const struct tokenizer *t;
    const char *text;
    struct tokens out;
    bool ok;
};

static void *encode_often(void *data)
{
    struct job *job = data;
    job->ok = true;
    for (int i = 0; i < 50 && job->ok; i++) {
        job->out.n = 0;
        job->ok = tokenizer_encode(job->t, job->text, strlen(job->text), false,
                                   &job->out, NULL);
    }
    return NULL;
}

void test_tokenizer_threads(void **state)
{
    (void)state;
    struct vocab v;
    struct job job[4];
    pthread_t thread[4];
    assert_true(vocab_open(&v, "tiny-llama.gguf"));
    for (int i = 0; i < 4; i++) {
        job[i] = (struct job){.t = v.tokenizer, .text = "The same text, 1234 times over: it's\n"};
        assert_int_equal(pthread_create(&thread[i], NULL, encode_often, &job[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 4; i++) {
        assert_true(job[i].ok);
        assert_int_equal(job[i].out.n, job[0].out.n);
        assert_memory_equal(job[i].out.id, job[0].out.id, (size_t)job[0].out.n * sizeof(int32_t));
    }
    for (int i = 0; i < 4; i++)
        tokens_release(&job[i].out);
    vocab_close(&v);
}
