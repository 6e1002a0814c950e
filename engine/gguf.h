/* gguf.h -- the GGUF container: keys and a tensor list, read from bytes in memory.
 *
 * gguf_parse() is pure: no file is opened, nothing is copied but the two tables. All that points
 * into the file (names, strings, tensor data) is borrowed from the bytes given to it.
 *
 * After a successful parse every name, value and tensor range lies inside the bytes; no key and
 * no tensor name occurs twice; products and sums were computed without overflow. The reader knows
 * the file format and no model: which keys must exist is asked by whoever needs them. */
#ifndef DUET_ENGINE_GGUF_H
#define DUET_ENGINE_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"

#define GGUF_KEYS_MAX    8192
#define GGUF_TENSORS_MAX 65536
#define GGUF_NAME_MAX    255      /* bytes of a key's or tensor's name */
#define GGUF_DIMS_MAX    4

/* The ggml type numbers this program has names for. Others may be in the table too. */
enum gguf_type_id {
    GGUF_F32 = 0, GGUF_F16 = 1, GGUF_Q4_0 = 2, GGUF_Q4_1 = 3, GGUF_Q5_0 = 6, GGUF_Q5_1 = 7,
    GGUF_Q8_0 = 8, GGUF_Q8_1 = 9, GGUF_Q2_K = 10, GGUF_Q3_K = 11, GGUF_Q4_K = 12, GGUF_Q5_K = 13,
    GGUF_Q6_K = 14, GGUF_Q8_K = 15, GGUF_IQ4_NL = 20, GGUF_IQ4_XS = 23, GGUF_I8 = 24,
    GGUF_I16 = 25, GGUF_I32 = 26, GGUF_I64 = 27, GGUF_F64 = 28, GGUF_BF16 = 30, GGUF_MXFP4 = 39,
};

/* How a tensor's elements are stored: rows are cut into blocks of block_elements elements, each
 * of block_bytes bytes. */
struct gguf_type {
    uint32_t id;
    const char *name;          /* "Q4_0" */
    uint32_t block_elements;
    uint32_t block_bytes;
};

/* NULL if the id is unknown. Static storage. */
const struct gguf_type *gguf_type_info(uint32_t id);

/* Bytes inside the file, not terminated. Print with "%.*s", (int)s.bytes, s.data. */
struct gguf_str {
    const char *data;
    size_t bytes;
};

enum gguf_value {
    GGUF_V_U8, GGUF_V_I8, GGUF_V_U16, GGUF_V_I16, GGUF_V_U32, GGUF_V_I32, GGUF_V_F32, GGUF_V_BOOL,
    GGUF_V_STRING, GGUF_V_ARRAY, GGUF_V_U64, GGUF_V_I64, GGUF_V_F64,
};

struct gguf_key {
    struct gguf_str name;
    enum gguf_value type;
    enum gguf_value element;   /* of an array; else the same as type */
    uint64_t n;                /* elements of an array; else 1 */
    const uint8_t *data;       /* the first element, any alignment */
};

struct gguf_tensor {
    struct gguf_str name;
    const struct gguf_type *type;    /* never NULL */
    int n_dims;                      /* 1..GGUF_DIMS_MAX */
    uint64_t dims[GGUF_DIMS_MAX];    /* dims[0] is the row, contiguous; 1 from n_dims on */
    uint64_t n_elements;             /* the product of dims, > 0 */
    uint64_t row_bytes;              /* bytes of dims[0] elements */
    uint64_t bytes;
    uint64_t offset;                 /* from the start of the file it is in */
    const uint8_t *data;             /* [bytes], borrowed from the file, aligned as the file says */
};

struct gguf {
    const uint8_t *data;             /* [bytes], borrowed */
    size_t bytes;
    uint32_t version;                /* 2 or 3 */
    uint32_t alignment;
    size_t header_bytes;             /* magic, keys and tensor table: [0, header_bytes) */
    struct gguf_key *keys;           /* [n_keys], owned, in file order */
    int n_keys;
    struct gguf_tensor *tensors;     /* [n_tensors], owned, in file order */
    int n_tensors;
    int *key_slots;                  /* open addressing over the names, owned; see gguf.c */
    int *tensor_slots;
};

/* Reads the header. data is borrowed until gguf_release().
 *
 * errors  ERR_FORMAT, ERR_UNSUPPORTED (version, byte order, tensor type), ERR_LIMIT, ERR_NOMEM.
 *         *out is then zeroed. The message does not name the file: the caller knows it. */
bool gguf_parse(const uint8_t *data, size_t bytes, struct gguf *out, struct err *err);
void gguf_release(struct gguf *g);

/* Takes the tensors of another file over, behind those of g; its keys are left out. Both files'
 * bytes are borrowed from then on. errors: ERR_FORMAT (a name that g has too), ERR_LIMIT,
 * ERR_NOMEM; both are then as before. */
bool gguf_join(struct gguf *g, const struct gguf *more, struct err *err);

/* NULL if there is no such key or tensor. */
const struct gguf_key *gguf_find_key(const struct gguf *g, const char *name);
const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name);

/* Values. A missing key is ERR_FORMAT, a value of another type or range too; the message names
 * the key. Integers are taken from any integer type that can hold them, floats from F32 and F64.
 * *out is untouched on failure. */
bool gguf_u32(const struct gguf *g, const char *name, uint32_t *out, struct err *err);
bool gguf_u64(const struct gguf *g, const char *name, uint64_t *out, struct err *err);
bool gguf_f32(const struct gguf *g, const char *name, float *out, struct err *err);
bool gguf_bool(const struct gguf *g, const char *name, bool *out, struct err *err);
bool gguf_string(const struct gguf *g, const char *name, struct gguf_str *out, struct err *err);

/* The same for keys that may be absent: *out is then the fallback. A key that is there but of the
 * wrong type is an error all the same. */
bool gguf_u32_or(const struct gguf *g, const char *name, uint32_t fallback, uint32_t *out,
                 struct err *err);
bool gguf_f32_or(const struct gguf *g, const char *name, float fallback, float *out,
                 struct err *err);
bool gguf_bool_or(const struct gguf *g, const char *name, bool fallback, bool *out,
                  struct err *err);
bool gguf_string_or(const struct gguf *g, const char *name, const char *fallback,
                    struct gguf_str *out, struct err *err);

/* Arrays: *out is a new list of *n elements for the caller to free() (never NULL, even when
 * *n is 0); the bytes of strings are borrowed from the file. */
bool gguf_strings(const struct gguf *g, const char *name, struct gguf_str **out, size_t *n,
                  struct err *err);
bool gguf_i32s(const struct gguf *g, const char *name, int32_t **out, size_t *n,
               struct err *err);
bool gguf_f32s(const struct gguf *g, const char *name, float **out, size_t *n, struct err *err);

/* True if s is exactly this text. */
bool gguf_str_is(struct gguf_str s, const char *text);

#endif
