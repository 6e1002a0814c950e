/* engine_vocab.c -- see engine_vocab.h. */
#include "tests/engine_vocab.h"

#include <unistd.h>

#include "engine/utf8.h"

static void open_parts(struct vocab *v, const uint8_t *data, size_t bytes, const char *name)
{
    struct err err = {0};
    if (!gguf_parse(data, bytes, &v->gguf, &err) ||
        !tokenizer_open(&v->tokenizer, &v->gguf, &err) ||
        !chat_init(&v->chat, &v->gguf, v->tokenizer, NULL, &err))
        fail_msg("%s: %s", name, err.msg);
}

bool vocab_open(struct vocab *v, const char *name)
{
    *v = (struct vocab){0};
    const char *path = test_fixture(name);
    struct err err = {0};
    if (access(path, F_OK) != 0) {
        print_message("           not here, not tested: %s\n", path);
        return false;
    }
    if (!mapfile_open(&v->file, path, &err))
        fail_msg("%s", err.msg);
    open_parts(v, v->file.data, v->file.bytes, path);
    return true;
}

void vocab_close(struct vocab *v)
{
    chat_release(&v->chat);
    tokenizer_close(&v->tokenizer);
    gguf_release(&v->gguf);
    mapfile_close(&v->file);
}

char *vocab_text(const struct tokenizer *t, const struct tokens *ids, size_t *bytes)
{
    size_t total = 0, n;
    for (int i = 0; i < ids->n; i++) {
        tokenizer_piece(t, ids->id[i], true, &n);
        total += n; /* at most */
    }
    char *text = malloc(total + 1);
    assert_non_null(text);
    size_t at = 0;
    for (int i = 0; i < ids->n; i++) {
        int32_t before = i > 0 ? ids->id[i - 1] : -1;
        const char *piece = tokenizer_piece_after(t, before, ids->id[i], true, &n);
        memcpy(text + at, piece, n);
        at += n;
    }
    text[at] = 0;
    if (bytes)
        *bytes = at;
    return text;
}

void vocab_encodes(const struct vocab *v, const char *text, const int32_t *ids, int n)
{
    struct tokens got = {0};
    struct err err = {0};
    assert_true(tokenizer_encode(v->tokenizer, text, strlen(text), false, &got, &err));
    if (got.n != n || memcmp(got.id, ids, (size_t)n * sizeof *ids) != 0)
        fail_msg("'%s': %d ids, the first is %d", text, got.n, got.n ? got.id[0] : -1);
    tokens_release(&got);
}

uint64_t test_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- a GGUF file being written ------------------------------------------------------------ */

void maker_bytes(struct maker *m, const void *data, size_t bytes)
{
    if (bytes > m->cap - m->n) {
        m->cap = 2 * m->cap + bytes + 1024;
        m->data = realloc(m->data, m->cap);
        assert_non_null(m->data);
    }
    memcpy(m->data + m->n, data, bytes);
    m->n += bytes;
}

void maker_u32(struct maker *m, uint32_t v)
{
    maker_bytes(m, &v, sizeof v);
}

void maker_u64(struct maker *m, uint64_t v)
{
    maker_bytes(m, &v, sizeof v);
}

void maker_string(struct maker *m, const char *text)
{
    maker_u64(m, strlen(text));
    maker_bytes(m, text, strlen(text));
}

void maker_start(struct maker *m, uint32_t version)
{
    *m = (struct maker){0};
    maker_bytes(m, "GGUF", 4);
    maker_u32(m, version);
    maker_u64(m, 0);
    maker_u64(m, 0);
}

void maker_key(struct maker *m, const char *name, uint32_t type)
{
    maker_string(m, name);
    maker_u32(m, type);
    m->n_keys++;
}

void maker_key_u32(struct maker *m, const char *name, uint32_t v)
{
    maker_key(m, name, GGUF_V_U32);
    maker_u32(m, v);
}

void maker_key_bool(struct maker *m, const char *name, bool v)
{
    uint8_t byte = v;
    maker_key(m, name, GGUF_V_BOOL);
    maker_bytes(m, &byte, 1);
}

void maker_key_string(struct maker *m, const char *name, const char *text)
{
    maker_key(m, name, GGUF_V_STRING);
    maker_string(m, text);
}

void maker_key_strings(struct maker *m, const char *name, const char *const *text, size_t n)
{
    maker_key(m, name, GGUF_V_ARRAY);
    maker_u32(m, GGUF_V_STRING);
    maker_u64(m, n);
    for (size_t i = 0; i < n; i++)
        maker_string(m, text[i]);
}

void maker_key_i32s(struct maker *m, const char *name, const int32_t *v, size_t n)
{
    maker_key(m, name, GGUF_V_ARRAY);
    maker_u32(m, GGUF_V_I32);
    maker_u64(m, n);
    maker_bytes(m, v, n * sizeof *v);
}

void maker_key_f32s(struct maker *m, const char *name, const float *v, size_t n)
{
    maker_key(m, name, GGUF_V_ARRAY);
    maker_u32(m, GGUF_V_F32);
    maker_u64(m, n);
    maker_bytes(m, v, n * sizeof *v);
}

void maker_tensor(struct maker *m, const char *name, uint32_t n_dims, const uint64_t *dims,
                  uint32_t type, uint64_t offset)
{
    maker_string(m, name);
    maker_u32(m, n_dims);
    maker_bytes(m, dims, n_dims * sizeof *dims);
    maker_u32(m, type);
    maker_u64(m, offset);
    m->n_tensors++;
}

void maker_finish(struct maker *m)
{
    memcpy(m->data + 8, &m->n_tensors, 8);
    memcpy(m->data + 16, &m->n_keys, 8);
}

void maker_release(struct maker *m)
{
    free(m->data);
    *m = (struct maker){0};
}

void maker_vocab(struct maker *m, const char *pre, const char *template,
                 const char *const *specials)
{
    static char letter[256][4];
    const char *merge = "\xc4\x8a \xc4\x8a";
    const char *token[300];
    int32_t type[300];
    size_t n = 0;
    uint32_t next = 256;
    for (uint32_t b = 0; b < 256; b++, n++) {
        bool printable = (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
        int len = utf8_encode(printable ? b : next++, letter[b]);
        letter[b][len] = 0;
        token[n] = letter[b];
        type[n] = TOKEN_NORMAL;
    }
    for (; *specials; specials++, n++) {
        token[n] = *specials;
        type[n] = TOKEN_CONTROL;
    }
    token[n] = "\xc4\x8a\xc4\x8a"; /* two line breaks */
    type[n++] = TOKEN_NORMAL;
    maker_start(m, 3);
    maker_key_string(m, "tokenizer.ggml.model", "gpt2");
    if (pre)
        maker_key_string(m, "tokenizer.ggml.pre", pre);
    if (template)
        maker_key_string(m, "tokenizer.chat_template", template);
    maker_key_strings(m, "tokenizer.ggml.tokens", token, n);
    maker_key_i32s(m, "tokenizer.ggml.token_type", type, n);
    maker_key_strings(m, "tokenizer.ggml.merges", &merge, 1);
}

void maker_spm(struct maker *m, const char *template, const char *const *specials)
{
    static char byte[256][8];
    const char *token[300];
    int32_t type[300];
    float score[300] = {0};
    size_t n = 0;
    for (; n < 256; n++) {
        snprintf(byte[n], sizeof byte[n], "<0x%02X>", (unsigned)n);
        token[n] = byte[n];
        type[n] = TOKEN_BYTE;
    }
    for (; *specials; specials++, n++) {
        token[n] = *specials;
        type[n] = TOKEN_CONTROL;
    }
    token[n] = "\xe2\x96\x81";
    type[n++] = TOKEN_NORMAL;
    maker_start(m, 3);
    maker_key_string(m, "tokenizer.ggml.model", "llama");
    maker_key_string(m, "tokenizer.chat_template", template);
    maker_key_strings(m, "tokenizer.ggml.tokens", token, n);
    maker_key_i32s(m, "tokenizer.ggml.token_type", type, n);
    maker_key_f32s(m, "tokenizer.ggml.scores", score, n);
}

void maker_open(struct maker *m, struct vocab *v)
{
    *v = (struct vocab){0};
    maker_finish(m);
    open_parts(v, m->data, m->n, "the file made here");
}

void maker_refused(struct maker *m, enum err_code code, const char *text)
{
    struct gguf g;
    struct tokenizer *t;
    struct err err = {0};
    maker_finish(m);
    assert_true(gguf_parse(m->data, m->n, &g, &err));
    if (tokenizer_open(&t, &g, &err))
        fail_msg("accepted, expected: %s", text);
    if (!strstr(err.msg, text) || err.code != code)
        fail_msg("'%s' (%d), expected '%s'", err.msg, err.code, text);
    assert_null(t);
    gguf_release(&g);
    maker_release(m);
}
