/* engine_try.c -- see engine_try.h. */
#include "tests/engine_try.h"

#include <string.h>

#include "engine/chat.h"
#include "engine/gguf.h"
#include "engine/parts.h"
#include "engine/tokenizer.h"

bool vocab_try(const uint8_t *data, size_t bytes, struct err *err)
{
    struct gguf gguf = {0};
    struct tokenizer *tokenizer = NULL;
    struct chat chat = {0};
    struct tokens ids = {0};
    const char *text = "Hello, <|im_end|> w\xc3\xb6rld 123\n\xff";
    bool ok = gguf_parse(data, bytes, &gguf, err) &&
              tokenizer_open(&tokenizer, &gguf, err) &&
              tokenizer_encode(tokenizer, text, strlen(text), false, &ids, err) &&
              chat_init(&chat, &gguf, tokenizer, NULL, err);
    for (enum chat_part part = CHAT_BEGIN; ok && part <= CHAT_END; part++)
        ok = chat_append(&chat, part, text, strlen(text), &ids, err);
    for (int i = 0; ok && i < ids.n; i++) {
        size_t n;
        const char *piece = tokenizer_piece(tokenizer, ids.id[i], true, &n);
        ok = n == 0 || memchr(piece, piece[n - 1], n) != NULL; /* reads its last byte */
    }
    tokens_release(&ids);
    chat_release(&chat);
    tokenizer_close(&tokenizer);
    gguf_release(&gguf);
    return ok;
}

static const char *const names[] = {
    "tests/fixtures/vocab/spm.gguf", "tests/fixtures/vocab/spm-plain.gguf",
    "tests/fixtures/tiny-llama.gguf", "tests/fixtures/tiny-deepseek4.gguf",
};
#define N_NAMES (sizeof names / sizeof *names)

static struct tokenizer *open_once(size_t i, struct err *err)
{
    static struct tokenizer *tokenizers[N_NAMES];
    static struct parts files[N_NAMES];
    if (!tokenizers[i] && parts_open(&files[i], names[i], err) &&
        tokenizer_open(&tokenizers[i], &files[i].gguf, err))
        tokenizer_guard(tokenizers[i], "<start_of_turn>");
    return tokenizers[i];
}

/* Compares the ids' bytes with the text. */
static bool check_back(const struct tokenizer *t, const struct tokens *ids, const char *text,
                       size_t bytes, struct err *err)
{
    size_t at = 0, n;
    for (int i = 0; i < ids->n; i++) {
        int32_t id = ids->id[i];
        const char *piece = tokenizer_piece(t, id, true, &n);
        if (tokenizer_marker_at(t, piece, n, &(size_t){0}) == id)
            return err_set(err, ERR_FORMAT, "text became token %d", id);
        piece = tokenizer_piece_after(t, i > 0 ? ids->id[i - 1] : -1, id, true, &n);
        if (n > bytes - at || memcmp(piece, text + at, n) != 0)
            return err_set(err, ERR_FORMAT, "token %d is not the text at byte %zu", id, at);
        at += n;
    }
    return at == bytes || err_set(err, ERR_FORMAT, "text lost behind byte %zu", at);
}

bool text_try(const uint8_t *data, size_t bytes, struct err *err)
{
    struct tokens ids = {0};
    if (bytes == 0)
        return true;
    struct tokenizer *t = open_once(data[0] % N_NAMES, err);
    const char *text = (const char *)data + 1;
    bool ok = t && tokenizer_encode(t, text, bytes - 1, false, &ids, err) &&
              check_back(t, &ids, text, bytes - 1, err);
    tokens_release(&ids);
    return ok;
}
