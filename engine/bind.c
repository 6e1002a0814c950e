/* bind.c -- see bind.h. */
#include "engine/bind.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void bind_append(char *text, size_t room, const char *more)
{
    size_t n = strlen(text);
    snprintf(text + n, room - n, "%s%s", n ? ", " : "", more);
}

/* ---- numbers ------------------------------------------------------------------------------- */

bool bind_int(const struct gguf *g, const char *arch, const char *key, int fallback, int max,
              int *out, struct err *err)
{
    char name[96];
    uint32_t v = 0;
    snprintf(name, sizeof name, "%s.%s", arch, key);
    if (!(fallback < 0 ? gguf_u32(g, name, &v, err)
                       : gguf_u32_or(g, name, (uint32_t)fallback, &v, err)))
        return false;
    if (v < 1 || v > (uint32_t)max)
        return err_set(err, ERR_FORMAT, "'%s' is %u, expected 1 to %d", name, v, max);
    *out = (int)v;
    return true;
}

bool bind_float(const struct gguf *g, const char *arch, const char *key, float fallback,
                float *out, struct err *err)
{
    char name[96];
    float v = 0;
    snprintf(name, sizeof name, "%s.%s", arch, key);
    if (!(fallback < 0 ? gguf_f32(g, name, &v, err) : gguf_f32_or(g, name, fallback, &v, err)))
        return false;
    if (!(v > 0 && v < 1e30f))
        return err_set(err, ERR_FORMAT, "'%s' is %g, expected a positive number", name, (double)v);
    *out = v;
    return true;
}

/* ---- tensors ------------------------------------------------------------------------------- */

static bool bad_format(const struct gguf_tensor *t, struct err *err)
{
    char known[160] = "";
    for (int w = 0; w < WEIGHT_N; w++)
        bind_append(known, sizeof known, weight_info((enum weight)w)->name);
    return err_set(err, ERR_UNSUPPORTED, "tensor '%.*s' has weights of type %s; supported are %s",
                   (int)t->name.bytes, t->name.data, t->type->name, known);
}

bool bind_shape(const struct gguf_tensor *t, int rows, int cols, int stack, struct err *err)
{
    if (t->n_dims <= 3 && t->dims[0] == (uint64_t)cols && t->dims[1] == (uint64_t)rows &&
        t->dims[2] == (uint64_t)stack)
        return true;
    return err_set(err, ERR_FORMAT,
                   "tensor '%.*s' has shape %llu x %llu x %llu%s, expected %d x %d x %d",
                   (int)t->name.bytes, t->name.data, (unsigned long long)t->dims[0],
                   (unsigned long long)t->dims[1], (unsigned long long)t->dims[2],
                   t->n_dims > 3 ? " x ..." : "", cols, rows, stack);
}

static bool aligned(const struct gguf_tensor *t, struct err *err)
{
    return (uintptr_t)t->data % sizeof(float) == 0 ||
           err_set(err, ERR_FORMAT, "tensor '%.*s' is not aligned to %zu bytes",
                   (int)t->name.bytes, t->name.data, sizeof(float));
}

bool bind_vector(const struct gguf_tensor *t, int n, const float **out, struct err *err)
{
    if (t->type->id != GGUF_F32)
        return bad_format(t, err);
    if (!bind_shape(t, 1, n, 1, err) || !aligned(t, err))
        return false;
    *out = (const void *)t->data;
    return true;
}

bool bind_matrix(const struct gguf_tensor *t, int rows, int cols, int stack, struct matrix *out,
                 struct err *err)
{
    enum weight type = weight_of_gguf(t->type->id);
    if (type == WEIGHT_N)
        return bad_format(t, err);
    if (!bind_shape(t, rows, cols, stack, err) || !aligned(t, err))
        return false;
    *out = (struct matrix){ type, t->data, rows, cols, weight_row_bytes(type, (size_t)cols),
                            stack, NULL };
    assert(out->row_bytes * (size_t)rows * (size_t)stack == t->bytes);
    return true;
}
