/* kv_exact.c -- see kv_exact.h. */
#include "engine/kv_exact.h"

#include <assert.h>

bool kv_exact_begin(struct kv *kv, int pos, int n, int *from, int *to, struct err *err)
{
    struct kv_block *b = &kv->blocks[pos / KV_BLOCK], fresh;
    assert(pos < n && pos / KV_BLOCK < kv->n_blocks);
    *from = pos - pos % KV_BLOCK;
    *to = *from + KV_BLOCK < n ? *from + KV_BLOCK : n;
    if (!kv_make_block(kv, KV_ROWS, &fresh, err))
        return false;
    fresh.at = *from + kv->base.shift;
    fresh.pinned = true;
    kv->far.aside = *b;
    kv->far.aside_index = kv->far.use_index;
    kv->far.use_index = false;   /* exactly: from all rows before it */
    *b = fresh;
    return true;
}

void kv_exact_end(struct kv *kv, int from, bool keep)
{
    struct kv_block *b = &kv->blocks[from / KV_BLOCK];
    kv->far.use_index = kv->far.aside_index;
    kv_drop_block(keep ? &kv->far.aside : b);
    if (!keep)
        *b = kv->far.aside;
    else if (kv->far.n_settled > from / KV_BLOCK)
        kv->far.n_settled = from / KV_BLOCK;   /* its index is made anew */
    kv->far.aside = (struct kv_block){0};
}

int kv_exact_stretch(const struct kv *kv, int from, int n, bool *exact)
{
    int i = from / KV_BLOCK;
    *exact = i < kv->n_blocks && kv->blocks[i].form == KV_ROWS;
    while (i < kv->n_blocks && (kv->blocks[i].form == KV_ROWS) == *exact)
        i++;
    return i * KV_BLOCK < n && i < kv->n_blocks ? i * KV_BLOCK : n;
}
