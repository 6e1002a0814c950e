/* engine_model.h -- what the tests of the engine's arithmetic share: opening fixture models and
 * reading what another engine computed for them. */
#ifndef DUET_TESTS_ENGINE_MODEL_H
#define DUET_TESTS_ENGINE_MODEL_H

#include <cjson/cJSON.h>

#include "engine/engine.h"
#include "engine/kernels.h"
#include "tests/test.h"

#define FIXTURE_VOCAB 512   /* tokens of every small model */

/* Opens a fixture by its name without ".gguf". kernels may be NULL. Fails the test if that is
 * impossible. */
struct engine *model_open(const char *name, int n_threads, const char *kernels);
struct engine *model_open_with(const char *name, const struct engine_opts *opts);

struct session *model_session(struct engine *e, enum kv_type kv, int chunk);

/* Reads the whole prefix. */
void model_read(struct session *s, const int32_t *ids, int n);

/* The next token, greedily. */
int32_t model_greedy(struct session *s);

/* The numbers for a model, owned by the caller: golden/<name>.json. */
cJSON *golden_open(const char *name);

/* A case by its name; the ids of a case into out, returns how many. */
const cJSON *golden_case(const cJSON *golden, const char *name);
int golden_ids(const cJSON *one, int32_t *out, int max);

/* The FIXTURE_VOCAB logits of a case under this name. False if it has none. */
bool golden_logits(const cJSON *one, const char *key, float *out);

/* The largest absolute difference; |a - b| / |b| over all. */
double max_difference(const float *a, const float *b, int n);
double relative_l2(const float *a, const float *b, int n);

/* Calls check() with each set of kernels that this machine has, and with models of others where
 * there is AVX2. */
void for_each_kernels(void (*check)(const struct kernels *set));

#endif
