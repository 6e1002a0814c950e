/* bind.h -- what all families of models share when they take their numbers and weights out of a
 * file: one number or one tensor at a time, checked.
 *
 * The ceilings are far above any model; products of two that are multiplied fit an int. */
#ifndef DUET_ENGINE_BIND_H
#define DUET_ENGINE_BIND_H

#include <stdbool.h>

#include "engine/err.h"
#include "engine/gguf.h"
#include "engine/matmul.h"

#define D_MAX       (1 << 20)
#define LAYERS_MAX  4096
#define HEADS_MAX   4096
#define HEAD_MAX    1024      /* values of one head */
#define CONTEXT_MAX (1 << 24)
#define EXPERTS_MAX 1024

/* Reads "<arch>.<key>" into *out and checks 1 <= *out <= max. fallback < 0: it must be there. */
bool bind_int(const struct gguf *g, const char *arch, const char *key, int fallback, int max,
              int *out, struct err *err);

/* The same for a positive finite float. */
bool bind_float(const struct gguf *g, const char *arch, const char *key, float fallback,
                float *out, struct err *err);

/* A tensor of n F32 values. */
bool bind_vector(const struct gguf_tensor *t, int n, const float **out, struct err *err);

/* A tensor of stack matrices [rows][cols] in any supported format. */
bool bind_matrix(const struct gguf_tensor *t, int rows, int cols, int stack, struct matrix *out,
                 struct err *err);

/* True if the tensor has this shape. */
bool bind_shape(const struct gguf_tensor *t, int rows, int cols, int stack, struct err *err);

/* Appends to a list in a message of limited room. */
void bind_append(char *text, size_t room, const char *more);

#endif
