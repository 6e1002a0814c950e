/* peaks.c -- see peaks.h. */
#include "engine/peaks.h"

#include <math.h>

/* The share of the squares of all scales that a value must be answerable for. The error of a block
 * is as its scale, so that much of the row's error goes with the value. With less there are more
 * peaks and hardly less error. */
#define SHARE 0.2f

/* The two largest of a block, the position of the first. */
struct block_top {
    size_t at;
    float first, second;
};

static struct block_top top_of_block(const float *x, size_t block)
{
    struct block_top top = { block * QUANT_BLOCK, 0, 0 };
    for (size_t i = block * QUANT_BLOCK; i < (block + 1) * QUANT_BLOCK; i++) {
        float a = fabsf(x[i]);
        if (a > top.first)
            top = (struct block_top){ i, a, top.first };
        else if (a > top.second)
            top.second = a;
    }
    return top;
}

static size_t largest(const float *x, size_t n)
{
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[at])
            at = i;
    return at;
}

void peaks_take(float *x, size_t n, float *scale, struct peaks *out)
{
    size_t n_blocks = n / QUANT_BLOCK;
    float sum = 0;
    for (size_t i = 0; i < n_blocks; i++)
        sum += scale[i] * scale[i];
    for (out->n = 0; out->n < PEAKS_MAX; out->n++) {
        size_t block = largest(scale, n_blocks);
        struct block_top top = top_of_block(x, block);
        float less = top.second / 127, gain = scale[block] * scale[block] - less * less;
        if (!(gain > SHARE * sum))
            return;
        out->col[out->n] = (int)top.at;
        out->value[out->n] = x[top.at];
        x[top.at] = 0;
        scale[block] = less;
        sum -= gain;
    }
}

/* The next tile will be wanted soon, and most likely has the column in the same slot. */
static void ask_for(const struct peak_tile *t, int slot)
{
    __builtin_prefetch(t->key);
    for (int i = 0; i < PEAKS_ROWS; i += 16)
        __builtin_prefetch(&t->w[slot][i]);
}

/* A slot that is given up: columns that are met often stay. */
static int free_slot(struct peak_tile *t)
{
    for (;; t->next = (t->next + 1) % PEAKS_SLOTS) {
        unsigned bit = 1u << t->next;
        if (!(t->used & bit))
            return t->next;
        t->used &= ~bit;
    }
}

const float *peaks_column(struct peak_tile *t, enum weight type, const void *w, size_t w_bytes,
                          int n_w, int col)
{
    for (int i = 0; i < PEAKS_SLOTS; i++)
        if (t->key[i] == col + 1) {
            t->used |= 1u << i;
            ask_for(t + 1, i);
            return t->w[i];
        }
    int slot = free_slot(t);
    t->next = (slot + 1) % PEAKS_SLOTS;
    t->key[slot] = col + 1;
    weight_info(type)->column(w, w_bytes, n_w, (size_t)col, t->w[slot]);
    return t->w[slot];
}
