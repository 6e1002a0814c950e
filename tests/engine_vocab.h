/* engine_vocab.h -- what the tests of the engine's text half share: opening a fixture's
 * vocabulary, and writing small GGUF files in memory. */
#ifndef DUET_TESTS_ENGINE_VOCAB_H
#define DUET_TESTS_ENGINE_VOCAB_H

#include "engine/chat.h"
#include "engine/gguf.h"
#include "engine/mapfile.h"
#include "engine/tokenizer.h"
#include "tests/engine_try.h"
#include "tests/test.h"

/* A fixture with all that the text half makes of it. */
struct vocab {
    struct mapfile file;
    struct gguf gguf;
    struct tokenizer *tokenizer;
    struct chat chat;
};

/* Opens a fixture by its name in the fixtures' folder. False, with a line that says so, if it is
 * not there; fails the test if it is there and cannot be opened. */
bool vocab_open(struct vocab *v, const char *name);
void vocab_close(struct vocab *v);

/* The text of ids, control tokens by name, without the spaces that encoding put in front of texts;
 * terminated; owned by the caller. */
char *vocab_text(const struct tokenizer *t, const struct tokens *ids, size_t *bytes);

/* The text must give these ids. */
void vocab_encodes(const struct vocab *v, const char *text, const int32_t *ids, int n);
#define ENCODES(v, text, ...) vocab_encodes(v, text, (const int32_t[]){__VA_ARGS__}, \
    (int)(sizeof (const int32_t[]){__VA_ARGS__} / sizeof(int32_t)))

/* The next number of a fixed sequence (SplitMix64). */
uint64_t test_random(uint64_t *state);

/* ---- a GGUF file being written ---- */

struct maker {
    uint8_t *data;
    size_t n, cap;
    uint64_t n_keys, n_tensors;
};

void maker_start(struct maker *m, uint32_t version);
void maker_bytes(struct maker *m, const void *data, size_t bytes);
void maker_u32(struct maker *m, uint32_t v);
void maker_u64(struct maker *m, uint64_t v);
void maker_string(struct maker *m, const char *text);

/* The name and type of a key; the value follows. */
void maker_key(struct maker *m, const char *name, uint32_t type);
void maker_key_u32(struct maker *m, const char *name, uint32_t v);
void maker_key_bool(struct maker *m, const char *name, bool v);
void maker_key_string(struct maker *m, const char *name, const char *text);
void maker_key_strings(struct maker *m, const char *name, const char *const *text, size_t n);
void maker_key_i32s(struct maker *m, const char *name, const int32_t *v, size_t n);

void maker_key_f32s(struct maker *m, const char *name, const float *v, size_t n);

/* A row of the tensor table. */
void maker_tensor(struct maker *m, const char *name, uint32_t n_dims, const uint64_t *dims,
                  uint32_t type, uint64_t offset);

/* Writes the counts into the header. */
void maker_finish(struct maker *m);
void maker_release(struct maker *m);

/* A vocabulary of the 256 bytes, then these special tokens (type control) from id 256 on, then
 * one merge, of two line breaks. NULL ends the list. pre and the template may be NULL. The file is
 * left open for more keys. */
void maker_vocab(struct maker *m, const char *pre, const char *template,
                 const char *const *specials);

#define TOKENS(m, ...) maker_key_strings(m, "tokenizer.ggml.tokens",            \
    (const char *const[]){__VA_ARGS__},                                         \
    sizeof (const char *const[]){__VA_ARGS__} / sizeof(char *))
#define MERGES(m, ...) maker_key_strings(m, "tokenizer.ggml.merges",            \
    (const char *const[]){__VA_ARGS__},                                         \
    sizeof (const char *const[]){__VA_ARGS__} / sizeof(char *))
#define TYPES(m, ...) maker_key_i32s(m, "tokenizer.ggml.token_type",            \
    (const int32_t[]){__VA_ARGS__},                                             \
    sizeof (const int32_t[]){__VA_ARGS__} / sizeof(int32_t))
#define SCORES(m, ...) maker_key_f32s(m, "tokenizer.ggml.scores",               \
    (const float[]){__VA_ARGS__}, sizeof (const float[]){__VA_ARGS__} / sizeof(float))

/* What was written must be refused as a tokenizer with a message that contains text. Releases
 * it. */
void maker_refused(struct maker *m, enum err_code code, const char *text);

/* The same as a SentencePiece vocabulary: the bytes, the special tokens, one token for the space; a
 * space goes in front of a text. */
void maker_spm(struct maker *m, const char *template, const char *const *specials);

/* Opens what was written; fails the test if that is impossible. Borrows m's bytes. */
void maker_open(struct maker *m, struct vocab *v);

#endif
