/* engine_spm.c -- SentencePiece vocabularies. What could break: pairs joined in another order
 * than by score, a byte or a control token that a text spells, the space in front lost or
 * doubled, a file with wrong scores. Ids of whole texts are compared in tokens_test.py, round
 * trips in engine_tokenizer.c. */
#include "tests/test.h"

#include <math.h>

#include "tests/engine_vocab.h"

#define MODEL(m) maker_key_string(m, "tokenizer.ggml.model", "llama")
#define NO_SPACE(m) maker_key_bool(m, "tokenizer.ggml.add_space_prefix", false)

/* The better score goes first, the leftmost of equals; longer tokens come of shorter ones alone. */
void test_spm_order(void **state)
{
    (void)state;
    struct maker m;
    struct vocab v;
    maker_start(&m, 3);
    MODEL(&m);
    NO_SPACE(&m);
    TOKENS(&m, "a", "b", "c", "bc", "ab", "aa", "abc", "cab");
    SCORES(&m, 0, 0, 0, -1, -2, -2, -3, 9);
    maker_open(&m, &v);
    ENCODES(&v, "abc", 6);       /* bc, then a bc */
    ENCODES(&v, "ab", 4);
    ENCODES(&v, "aab", 5, 1);    /* aa and ab are equal */
    ENCODES(&v, "aaa", 5, 0);
    ENCODES(&v, "cab", 7);       /* ca is no token, c ab is */
    ENCODES(&v, "cabc", 2, 6);
    vocab_close(&v);
    maker_release(&m);
}

/* One line break and the letter x have byte tokens, y has nothing. */
static void make_bytes(struct maker *m, int32_t unknown)
{
    maker_start(m, 3);
    MODEL(m);
    NO_SPACE(m);
    TOKENS(m, "<unk>", "<0x0A>", "<0x78>", "<", "0", "x0", "A", ">", "<0", "<0x0", "<0x0A");
    TYPES(m, unknown, TOKEN_BYTE, TOKEN_BYTE, 1, 1, 1, 1, 1, 1, 1, 1);
    SCORES(m, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

void test_spm_bytes(void **state)
{
    (void)state;
    struct maker m;
    struct vocab v;
    make_bytes(&m, TOKEN_UNKNOWN);
    maker_open(&m, &v);
    ENCODES(&v, "\n0", 1, 4);
    ENCODES(&v, "x", 2);
    ENCODES(&v, "y0\xc3\xa9", 0, 4, 0);          /* one unknown token a character */
    ENCODES(&v, "\xff\n", 0, 1);
    ENCODES(&v, "<0x0A>", 10, 7);                 /* not the byte that it spells */
    vocab_close(&v);
    maker_release(&m);
    make_bytes(&m, TOKEN_CONTROL);                /* as in Gemma's: not for text */
    maker_open(&m, &v);
    ENCODES(&v, "0y\xc3\xa9\n", 4, 1);
    vocab_close(&v);
    maker_release(&m);
}

/* U+2581 is a character like others where a person typed it. */
void test_spm_stand_in(void **state)
{
    (void)state;
    struct maker m;
    struct vocab v;
    maker_start(&m, 3);
    MODEL(&m);
    NO_SPACE(&m);
    TOKENS(&m, "\xe2\x96\x81", "a", "\xe2\x96\x81" "a", "<0xE2>", "<0x96>", "<0x81>");
    TYPES(&m, 1, 1, 1, TOKEN_BYTE, TOKEN_BYTE, TOKEN_BYTE);
    SCORES(&m, 0, 0, 0, 0, 0, 0);
    maker_open(&m, &v);
    ENCODES(&v, " a a", 2, 2);
    ENCODES(&v, "\xe2\x96\x81" "a", 3, 4, 5, 1);
    ENCODES(&v, " \xe2\x96\x81 a", 0, 3, 4, 5, 2);
    vocab_close(&v);
    maker_release(&m);
}

static void check_text(const struct vocab *v, const char *text)
{
    struct tokens ids = {0};
    struct err err = {0};
    assert_true(tokenizer_encode_special(v->tokenizer, text, strlen(text), &ids, &err));
    char *back = vocab_text(v->tokenizer, &ids, NULL);
    assert_string_equal(back, text);
    free(back);
    tokens_release(&ids);
}

/* A space in front of each text, behind a marker too, and not in front of what goes on. */
void test_spm_space(void **state)
{
    (void)state;
    struct maker m;
    struct vocab v;
    struct tokens ids = {0};
    struct err err = {0};
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "<unk>", "<s>", "</s>", "\xe2\x96\x81", "a", "\xe2\x96\x81" "a");
    TYPES(&m, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL, 1, 1, 1);
    SCORES(&m, 0, 0, 0, 0, 0, 0);
    maker_open(&m, &v);
    ENCODES(&v, "a", 5);
    ENCODES(&v, " a", 3, 5);
    ENCODES(&v, "aa", 5, 4);
    assert_true(tokenizer_encode(v.tokenizer, "", 0, false, &ids, &err));
    assert_int_equal(ids.n, 0);
    assert_true(tokenizer_encode(v.tokenizer, "a", 1, true, &ids, &err));
    assert_true(ids.n == 1 && ids.id[0] == 4);
    tokens_release(&ids);
    check_text(&v, "a");
    check_text(&v, " a</s>a</s>  a");
    /* What the model says goes on, or begins behind a marker. */
    size_t n;
    tokenizer_piece_after(v.tokenizer, 4, 5, false, &n);
    assert_int_equal(n, 2);
    tokenizer_piece_after(v.tokenizer, 2, 5, false, &n);
    assert_int_equal(n, 1);
    tokenizer_piece_after(v.tokenizer, -1, 3, false, &n);
    assert_int_equal(n, 0);
    tokenizer_piece(v.tokenizer, 5, false, &n);
    assert_int_equal(n, 2);
    vocab_close(&v);
    maker_release(&m);
}

/* Where the file says nothing: ids 1 and 2, and a bos token in front. */
void test_spm_defaults(void **state)
{
    (void)state;
    struct vocab v;
    assert_true(vocab_open(&v, "vocab/spm.gguf"));
    assert_int_equal(tokenizer_bos(v.tokenizer), 1);
    assert_int_equal(tokenizer_eos(v.tokenizer), 2);
    assert_int_equal(tokenizer_eot(v.tokenizer), -1);
    assert_true(tokenizer_add_bos(v.tokenizer));
    assert_string_equal(tokenizer_about(v.tokenizer), "SentencePiece");
    vocab_close(&v);
    struct maker m;
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a");
    SCORES(&m, 0);
    maker_open(&m, &v); /* too small for them */
    assert_int_equal(tokenizer_bos(v.tokenizer), -1);
    assert_false(tokenizer_add_bos(v.tokenizer));
    vocab_close(&v);
    maker_release(&m);
}

/* User-defined tokens are text, but for those that mark turns. */
void test_spm_user_tokens(void **state)
{
    (void)state;
    struct vocab v;
    struct tokens ids = {0};
    struct err err = {0};
    const char *text = "<start_of_turn>\n\n<b></b><end_of_turn>";
    int n_user = 0;
    assert_true(vocab_open(&v, "vocab/spm-plain.gguf"));
    assert_string_equal(chat_name(&v.chat), "gemma");
    assert_true(tokenizer_encode(v.tokenizer, text, strlen(text), false, &ids, &err));
    for (int i = 0; i < ids.n; i++)
        n_user += tokenizer_type(v.tokenizer, ids.id[i]) == TOKEN_USER;
    assert_int_equal(n_user, 3); /* the line breaks, the tags */
    ids.n = 0;
    assert_true(tokenizer_encode_special(v.tokenizer, text, strlen(text), &ids, &err));
    assert_int_equal(ids.n, 5);
    tokens_release(&ids);
    vocab_close(&v);
}

void test_spm_bad(void **state)
{
    (void)state;
    struct maker m;
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b");
    maker_refused(&m, ERR_FORMAT, "key 'tokenizer.ggml.scores' is missing");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b");
    SCORES(&m, 0);
    maker_refused(&m, ERR_FORMAT, "1 scores for 2 tokens");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b");
    SCORES(&m, 0, NAN);
    maker_refused(&m, ERR_FORMAT, "the score of token 1 is not a number");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b");
    SCORES(&m, 0, 0);
    maker_key_u32(&m, "tokenizer.ggml.add_space_prefix", 1);
    maker_refused(&m, ERR_FORMAT, "key 'tokenizer.ggml.add_space_prefix' is of type u32");
    maker_start(&m, 3);
    MODEL(&m);
    TOKENS(&m, "a", "b");
    SCORES(&m, 0, 0);
    maker_key_string(&m, "tokenizer.ggml.unknown_token_id", "b");
    maker_refused(&m, ERR_FORMAT, "key 'tokenizer.ggml.unknown_token_id' is of type string");
}
