/* engine_try.c -- see engine_try.h. */
#include "tests/engine_try.h"

#include <string.h>

#include "engine/chat.h"
#include "engine/gguf.h"
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
              chat_init(&chat, &gguf, tokenizer, err);
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
