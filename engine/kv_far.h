/* kv_far.h -- the tiers: which form each block of a cache has, and the change from one to another.
 *
 * A pass at position p reads blocks before p / KV_BLOCK - 1 as the tier has them; the block before
 * the newest and the newest are always read row by row. */
#ifndef DUET_ENGINE_KV_FAR_H
#define DUET_ENGINE_KV_FAR_H

#include "engine/kernels.h"
#include "engine/kv.h"

/* See session_set_far(); n tokens are held. */
bool kv_far_set(struct kv *kv, const struct far_opts *o, int n, int n_threads, struct err *err);

/* Brings the blocks of n tokens, in whatever forms, into those of the tier. */
bool kv_far_convert(struct kv *kv, int n, struct err *err);

/* Brings the blocks [0, n_full), which are full and of the form that is written, into the form of
 * the tier, as far as they are due. Where the file of the flash tier cannot be written, the tier
 * becomes q4. */
bool kv_settle(struct kv *kv, int n_full, struct err *err);

/* Makes a block anew in another form, on the heap, unless it has it. */
bool kv_recode(struct kv *kv, int block, enum kv_form form, struct err *err);

/* Two for blocks of q8 that may be written to, on the heap, of one owner and without an index. Keys
 * and values of a head, [KV_BLOCK][head_dim] each, one behind the other, until the next call; and
 * back into the head, whose block will stand at the place `at` (kv_block.at, to be set when all its
 * heads are done). */
float *kv_take_head(struct kv *kv, int layer, int block, int head);
void kv_put_head(struct kv *kv, int layer, int block, int head, int at);

/* Sets kv_block.at of a block that may be written to to -1: its keys get back what is taken out at
 * a place. */
void kv_forget_place(struct kv *kv, int block);

/* Keys and values, room for [KV_BLOCK][head_dim] each, of at least the first n tokens of a head in
 * a coded block. */
void kv_decode(const struct kv *kv, const struct kernels *k, int layer, int block, int head, int n,
               float *keys, float *values);

/* The form in which rows are written. */
enum kv_form kv_form_written(const struct kv *kv);

/* How many tokens a pass from here may read at most. */
int kv_pass(const struct kv *kv, int from);

/* An empty cache takes over the tier of another. */
bool kv_far_inherit(struct kv *kv, const struct kv *from, struct err *err);
void kv_far_release(struct kv *kv);

void kv_far_stats(const struct kv *kv, int n, struct far_stats *out);

/* Bytes of the blocks that lie in files, of which the page cache has a copy now. */
uint64_t kv_far_resident(const struct kv *kv);

#endif
