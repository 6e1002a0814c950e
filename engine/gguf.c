/* gguf.c -- the reader of gguf.h.
 *
 * Layout, all little-endian: "GGUF", u32 version, u64 tensor count, u64 key count; the keys (name,
 * u32 type, value); the tensor table (name, u32 dimensions, u64 each, u32 type, u64 offset); then
 * padding to the alignment and the tensors, whose offsets count from there. A string is a u64
 * length and its bytes; an array is u32 type, u64 count and the elements.
 *
 * One cursor reads all of it. Its functions check what is left before they touch a byte, so a
 * file that was cut short or made up can only lead to a message. */
#include "engine/gguf.h"

#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "values are copied from the file as they are: little-endian machines only"
#endif

#define ALIGNMENT_DEFAULT 32
#define ALIGNMENT_MAX     65536
#define ALIGNMENT_MIN     8

/* ---- tables ------------------------------------------------------------------------------- */

static const struct gguf_type types[] = {
    {GGUF_F32, "F32", 1, 4},
    {GGUF_F16, "F16", 1, 2},
    {GGUF_Q4_0, "Q4_0", 32, 18},
    {GGUF_Q4_1, "Q4_1", 32, 20},
    {GGUF_Q5_0, "Q5_0", 32, 22},
    {GGUF_Q5_1, "Q5_1", 32, 24},
    {GGUF_Q8_0, "Q8_0", 32, 34},
    {GGUF_Q8_1, "Q8_1", 32, 36},
    {GGUF_Q2_K, "Q2_K", 256, 84},
    {GGUF_Q3_K, "Q3_K", 256, 110},
    {GGUF_Q4_K, "Q4_K", 256, 144},
    {GGUF_Q5_K, "Q5_K", 256, 176},
    {GGUF_Q6_K, "Q6_K", 256, 210},
    {GGUF_Q8_K, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {GGUF_IQ4_NL, "IQ4_NL", 32, 18},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {GGUF_IQ4_XS, "IQ4_XS", 256, 136},
    {GGUF_I8, "I8", 1, 1},
    {GGUF_I16, "I16", 1, 2},
    {GGUF_I32, "I32", 1, 4},
    {GGUF_I64, "I64", 1, 8},
    {GGUF_F64, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},
    {GGUF_BF16, "BF16", 1, 2},
    {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},
    {GGUF_MXFP4, "MXFP4", 32, 17},
};

/* Value types by their number in the file. bytes 0: not of a fixed size. */
static const struct {
    const char *name;
    unsigned bytes;
} values[] = {
    [GGUF_V_U8] = {"u8", 1},    [GGUF_V_I8] = {"i8", 1},         [GGUF_V_U16] = {"u16", 2},
    [GGUF_V_I16] = {"i16", 2},  [GGUF_V_U32] = {"u32", 4},       [GGUF_V_I32] = {"i32", 4},
    [GGUF_V_F32] = {"f32", 4},  [GGUF_V_BOOL] = {"bool", 1},     [GGUF_V_STRING] = {"string", 0},
    [GGUF_V_ARRAY] = {"array", 0}, [GGUF_V_U64] = {"u64", 8},    [GGUF_V_I64] = {"i64", 8},
    [GGUF_V_F64] = {"f64", 8},
};
#define N_VALUES (sizeof values / sizeof *values)

const struct gguf_type *gguf_type_info(uint32_t id)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].id == id)
            return &types[i];
    }
    return NULL;
}

/* ---- the cursor --------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *data;
    size_t at;
    size_t bytes;
    struct err *err;
};

static bool cut_short(const struct cursor *c, const char *what)
{
    return err_set(c->err, ERR_FORMAT, "cut short: it ends at byte %zu, inside %s", c->bytes, what);
}

/* The next n bytes, or NULL with an error. */
static const uint8_t *take(struct cursor *c, uint64_t n, const char *what)
{
    if (n > c->bytes - c->at) {
        cut_short(c, what);
        return NULL;
    }
    const uint8_t *p = c->data + c->at;
    c->at += (size_t)n;
    return p;
}

static bool take_u32(struct cursor *c, uint32_t *out, const char *what)
{
    const uint8_t *p = take(c, sizeof *out, what);
    if (p)
        memcpy(out, p, sizeof *out);
    return p != NULL;
}

static bool take_u64(struct cursor *c, uint64_t *out, const char *what)
{
    const uint8_t *p = take(c, sizeof *out, what);
    if (p)
        memcpy(out, p, sizeof *out);
    return p != NULL;
}

static bool take_string(struct cursor *c, struct gguf_str *out, const char *what)
{
    uint64_t n;
    if (!take_u64(c, &n, what))
        return false;
    const uint8_t *p = take(c, n, what);
    if (!p)
        return false;
    *out = (struct gguf_str){(const char *)p, (size_t)n};
    return true;
}

static bool take_name(struct cursor *c, struct gguf_str *out, const char *what)
{
    if (!take_string(c, out, what))
        return false;
    if (out->bytes == 0 || out->bytes > GGUF_NAME_MAX)
        return err_set(c->err, ERR_FORMAT, "%s of %zu bytes at byte %zu, expected 1 to %d", what,
                       out->bytes, c->at - out->bytes, GGUF_NAME_MAX);
    return true;
}

/* ---- names to positions ------------------------------------------------------------------- */

/* Both tables of names are open addressing with linear steps, at most half full; a slot holds
 * the position or -1. */

static size_t slots_for(int n)
{
    size_t slots = 8;
    while (slots < 2 * (size_t)n)
        slots *= 2;
    return slots;
}

static uint64_t hash(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, then a mix of the high bits into the low ones */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

static int *slots_new(int n)
{
    size_t bytes = slots_for(n) * sizeof(int);
    int *slots = malloc(bytes);
    if (slots)
        memset(slots, 0xff, bytes);
    return slots;
}

/* The name at position i of an array of structs that begin with their name. */
static struct gguf_str name_at(const void *items, size_t item_bytes, int i)
{
    struct gguf_str s;
    memcpy(&s, (const char *)items + (size_t)i * item_bytes, sizeof s);
    return s;
}

/* The slot of the name: its own, or the empty one where it would go. */
static int *slot_of(int *slots, int n, const void *items, size_t item_bytes, struct gguf_str name)
{
    size_t mask = slots_for(n) - 1;
    for (size_t i = hash(name.data, name.bytes) & mask;; i = (i + 1) & mask) {
        if (slots[i] < 0)
            return &slots[i];
        struct gguf_str s = name_at(items, item_bytes, slots[i]);
        if (s.bytes == name.bytes && memcmp(s.data, name.data, s.bytes) == 0)
            return &slots[i];
    }
}

/* Enters item i, which must not have the name of an earlier one. */
static bool slot_enter(int *slots, int n, const void *items, size_t item_bytes, int i,
                       const char *what, struct err *err)
{
    struct gguf_str name = name_at(items, item_bytes, i);
    int *slot = slot_of(slots, n, items, item_bytes, name);
    if (*slot >= 0)
        return err_set(err, ERR_FORMAT, "%s '%.*s' occurs twice", what, (int)name.bytes,
                       name.data);
    *slot = i;
    return true;
}

/* ---- parsing ------------------------------------------------------------------------------ */

/* Steps over n elements of one type, checking each. */
static bool skip_elements(struct cursor *c, enum gguf_value type, uint64_t n)
{
    uint64_t bytes = values[type].bytes;
    if (bytes > 0) {
        if (n > c->bytes / bytes)
            return cut_short(c, "a value");
        return take(c, n * bytes, "a value") != NULL;
    }
    struct gguf_str s;
    for (uint64_t i = 0; i < n; i++) {
        if (!take_string(c, &s, "a string"))
            return false;
    }
    return true;
}

static bool take_type(struct cursor *c, enum gguf_value *out, struct gguf_str key)
{
    uint32_t type;
    if (!take_u32(c, &type, "a value's type"))
        return false;
    if (type >= N_VALUES)
        return err_set(c->err, ERR_FORMAT, "key '%.*s' has the unknown type %u", (int)key.bytes,
                       key.data, type);
    *out = (enum gguf_value)type;
    return true;
}

static bool parse_key(struct cursor *c, struct gguf_key *k)
{
    if (!take_name(c, &k->name, "a key's name") || !take_type(c, &k->type, k->name))
        return false;
    k->element = k->type;
    k->n = 1;
    if (k->type == GGUF_V_ARRAY) {
        if (!take_type(c, &k->element, k->name) || !take_u64(c, &k->n, "an array's length"))
            return false;
        if (k->element == GGUF_V_ARRAY)
            return err_set(c->err, ERR_UNSUPPORTED, "key '%.*s' is an array of arrays",
                           (int)k->name.bytes, k->name.data);
    }
    k->data = c->data + c->at;
    return skip_elements(c, k->element, k->n);
}

static bool parse_keys(struct cursor *c, struct gguf *g)
{
    g->keys = calloc((size_t)g->n_keys + 1, sizeof *g->keys);
    g->key_slots = slots_new(g->n_keys);
    if (!g->keys || !g->key_slots)
        return err_set(c->err, ERR_NOMEM, "not enough memory for %d keys", g->n_keys);
    for (int i = 0; i < g->n_keys; i++) {
        if (!parse_key(c, &g->keys[i]) ||
            !slot_enter(g->key_slots, g->n_keys, g->keys, sizeof *g->keys, i, "key", c->err))
            return false;
    }
    return true;
}

/* Reads the dimensions and their product. */
static bool parse_dims(struct cursor *c, struct gguf_tensor *t)
{
    uint32_t n;
    if (!take_u32(c, &n, "a tensor's dimensions"))
        return false;
    if (n == 0 || n > GGUF_DIMS_MAX)
        return err_set(c->err, ERR_FORMAT, "tensor '%.*s' has %u dimensions, expected 1 to %d",
                       (int)t->name.bytes, t->name.data, n, GGUF_DIMS_MAX);
    t->n_dims = (int)n;
    t->n_elements = 1;
    for (int i = 0; i < GGUF_DIMS_MAX; i++) {
        t->dims[i] = 1;
        if (i < t->n_dims && !take_u64(c, &t->dims[i], "a tensor's dimensions"))
            return false;
        if (t->dims[i] == 0 || t->dims[i] > INT64_MAX / t->n_elements)
            return err_set(c->err, ERR_FORMAT, "tensor '%.*s' has an impossible shape",
                           (int)t->name.bytes, t->name.data);
        t->n_elements *= t->dims[i];
    }
    return true;
}

/* Reads the type and works out the bytes of a row and of the tensor. */
static bool parse_type(struct cursor *c, struct gguf_tensor *t)
{
    uint32_t id;
    if (!take_u32(c, &id, "a tensor's type"))
        return false;
    t->type = gguf_type_info(id);
    if (!t->type)
        return err_set(c->err, ERR_UNSUPPORTED, "tensor '%.*s' has the unknown weight format %u",
                       (int)t->name.bytes, t->name.data, id);
    if (t->dims[0] % t->type->block_elements != 0)
        return err_set(c->err, ERR_FORMAT, "tensor '%.*s' has rows of %llu, no multiple of %u (%s)",
                       (int)t->name.bytes, t->name.data, (unsigned long long)t->dims[0],
                       t->type->block_elements, t->type->name);
    uint64_t blocks = t->dims[0] / t->type->block_elements, rows = t->n_elements / t->dims[0];
    if (blocks > INT64_MAX / t->type->block_bytes ||
        rows > INT64_MAX / (blocks * t->type->block_bytes))
        return err_set(c->err, ERR_FORMAT, "tensor '%.*s' has an impossible size",
                       (int)t->name.bytes, t->name.data);
    t->row_bytes = blocks * t->type->block_bytes;
    t->bytes = rows * t->row_bytes;
    return true;
}

static bool parse_tensors(struct cursor *c, struct gguf *g)
{
    g->tensors = calloc((size_t)g->n_tensors + 1, sizeof *g->tensors);
    g->tensor_slots = slots_new(g->n_tensors);
    if (!g->tensors || !g->tensor_slots)
        return err_set(c->err, ERR_NOMEM, "not enough memory for %d tensors", g->n_tensors);
    for (int i = 0; i < g->n_tensors; i++) {
        struct gguf_tensor *t = &g->tensors[i];
        if (!take_name(c, &t->name, "a tensor's name") || !parse_dims(c, t) ||
            !parse_type(c, t) || !take_u64(c, &t->offset, "a tensor's offset") ||
            !slot_enter(g->tensor_slots, g->n_tensors, g->tensors, sizeof *t, i, "tensor", c->err))
            return false;
    }
    return true;
}

static bool parse_alignment(struct gguf *g, struct err *err)
{
    if (!gguf_u32_or(g, "general.alignment", ALIGNMENT_DEFAULT, &g->alignment, err))
        return false;
    uint32_t a = g->alignment;
    if (a < ALIGNMENT_MIN || a > ALIGNMENT_MAX || (a & (a - 1)) != 0)
        return err_set(err, ERR_FORMAT, "key 'general.alignment' is %u, expected a power of two "
                       "from %d to %d", a, ALIGNMENT_MIN, ALIGNMENT_MAX);
    return true;
}

/* Turns offsets from the data section into offsets from the file's start, inside the file. */
static bool place_tensors(struct gguf *g, struct err *err)
{
    uint64_t start = ((uint64_t)g->header_bytes + g->alignment - 1) & ~(uint64_t)(g->alignment - 1);
    for (int i = 0; i < g->n_tensors; i++) {
        struct gguf_tensor *t = &g->tensors[i];
        if (t->offset % g->alignment != 0)
            return err_set(err, ERR_FORMAT, "tensor '%.*s' is not aligned to %u bytes",
                           (int)t->name.bytes, t->name.data, g->alignment);
        uint64_t room = g->bytes < start ? 0 : g->bytes - start;
        if (t->offset > room || t->bytes > room - t->offset)
            return err_set(err, ERR_FORMAT, "cut short: tensor '%.*s' reaches beyond the end, "
                           "byte %zu", (int)t->name.bytes, t->name.data, g->bytes);
        t->offset += start;
        t->data = g->data + t->offset;
    }
    return true;
}

static bool parse_version(struct cursor *c, struct gguf *g)
{
    const uint8_t *magic = take(c, 4, "its first four bytes");
    if (!magic)
        return false;
    if (memcmp(magic, "GGUF", 4) != 0)
        return err_set(c->err, ERR_FORMAT, "not a GGUF file: it begins with '%.4s', not 'GGUF'",
                       (const char *)magic);
    if (!take_u32(c, &g->version, "its version"))
        return false;
    if (g->version == 2u << 24 || g->version == 3u << 24)
        return err_set(c->err, ERR_UNSUPPORTED, "a big-endian GGUF file");
    if (g->version != 2 && g->version != 3)
        return err_set(c->err, ERR_UNSUPPORTED, "GGUF version %u, supported are 2 and 3",
                       g->version);
    return true;
}

static bool parse_counts(struct cursor *c, struct gguf *g)
{
    uint64_t n_tensors, n_keys;
    if (!take_u64(c, &n_tensors, "its tensor count") || !take_u64(c, &n_keys, "its key count"))
        return false;
    if (n_tensors > GGUF_TENSORS_MAX)
        return err_set(c->err, ERR_LIMIT, "%llu tensors, at most %d are read",
                       (unsigned long long)n_tensors, GGUF_TENSORS_MAX);
    if (n_keys > GGUF_KEYS_MAX)
        return err_set(c->err, ERR_LIMIT, "%llu keys, at most %d are read",
                       (unsigned long long)n_keys, GGUF_KEYS_MAX);
    g->n_tensors = (int)n_tensors;
    g->n_keys = (int)n_keys;
    return true;
}

bool gguf_parse(const uint8_t *data, size_t bytes, struct gguf *out, struct err *err)
{
    struct cursor c = {data, 0, bytes, err};
    *out = (struct gguf){.data = data, .bytes = bytes};
    bool ok = parse_version(&c, out) && parse_counts(&c, out) && parse_keys(&c, out) &&
              parse_alignment(out, err) && parse_tensors(&c, out);
    out->header_bytes = c.at;
    if (ok && place_tensors(out, err))
        return true;
    gguf_release(out);
    return false;
}

void gguf_release(struct gguf *g)
{
    free(g->keys);
    free(g->key_slots);
    free(g->tensors);
    free(g->tensor_slots);
    *g = (struct gguf){0};
}

static bool enter_all(int *slots, const struct gguf_tensor *t, int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        if (!slot_enter(slots, n, t, sizeof *t, i, "tensor", err))
            return false;
    }
    return true;
}

bool gguf_join(struct gguf *g, const struct gguf *more, struct err *err)
{
    int n = g->n_tensors + more->n_tensors;
    if (n > GGUF_TENSORS_MAX)
        return err_set(err, ERR_LIMIT, "%d tensors in all, at most %d are read", n,
                       GGUF_TENSORS_MAX);
    struct gguf_tensor *all = calloc((size_t)n + 1, sizeof *all);
    int *slots = slots_new(n);
    bool ok = (all && slots) || err_set(err, ERR_NOMEM, "not enough memory for %d tensors", n);
    if (ok) {
        memcpy(all, g->tensors, (size_t)g->n_tensors * sizeof *all);
        memcpy(all + g->n_tensors, more->tensors, (size_t)more->n_tensors * sizeof *all);
        ok = enter_all(slots, all, n, err);
    }
    if (!ok) {
        free(all);
        free(slots);
        return false;
    }
    free(g->tensors);
    free(g->tensor_slots);
    g->tensors = all;
    g->tensor_slots = slots;
    g->n_tensors = n;
    return true;
}

/* ---- looking up --------------------------------------------------------------------------- */

const struct gguf_key *gguf_find_key(const struct gguf *g, const char *name)
{
    struct gguf_str s = {name, strlen(name)};
    int i = *slot_of(g->key_slots, g->n_keys, g->keys, sizeof *g->keys, s);
    return i < 0 ? NULL : &g->keys[i];
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name)
{
    struct gguf_str s = {name, strlen(name)};
    int i = *slot_of(g->tensor_slots, g->n_tensors, g->tensors, sizeof *g->tensors, s);
    return i < 0 ? NULL : &g->tensors[i];
}

bool gguf_str_is(struct gguf_str s, const char *text)
{
    return s.bytes == strlen(text) && memcmp(s.data, text, s.bytes) == 0;
}

/* ---- typed values ------------------------------------------------------------------------- */

/* An integer of any type in the file: the sign apart, so that all of u64 and i64 fit. */
struct integer {
    bool negative;
    uint64_t bits;   /* two's complement where negative */
};

static bool is_integer(enum gguf_value type)
{
    return type <= GGUF_V_I32 || type == GGUF_V_U64 || type == GGUF_V_I64;
}

static bool is_signed(enum gguf_value type)
{
    return type == GGUF_V_I8 || type == GGUF_V_I16 || type == GGUF_V_I32 || type == GGUF_V_I64;
}

static struct integer read_integer(enum gguf_value type, const uint8_t *p)
{
    struct integer v = {false, 0};
    unsigned bytes = values[type].bytes;
    memcpy(&v.bits, p, bytes);
    v.negative = is_signed(type) && (v.bits >> (8 * bytes - 1) & 1);
    if (v.negative && bytes < 8)
        v.bits |= ~(uint64_t)0 << 8 * bytes;
    return v;
}

static float read_float(enum gguf_value type, const uint8_t *p)
{
    float f;
    double d;
    if (type == GGUF_V_F32) {
        memcpy(&f, p, sizeof f);
        return f;
    }
    memcpy(&d, p, sizeof d);
    return (float)d;
}

static const char *type_name(const struct gguf_key *k)
{
    return values[k->type].name;
}

static bool wrong_type(const struct gguf_key *k, const char *expected, struct err *err)
{
    bool array = k->type == GGUF_V_ARRAY;
    return err_set(err, ERR_FORMAT, "key '%.*s' is %s%s, expected %s", (int)k->name.bytes,
                   k->name.data, array ? "an array of " : "of type ",
                   array ? values[k->element].name : type_name(k), expected);
}

/* The key, or NULL with an error. */
static const struct gguf_key *required(const struct gguf *g, const char *name, struct err *err)
{
    const struct gguf_key *k = gguf_find_key(g, name);
    if (!k)
        err_set(err, ERR_FORMAT, "key '%s' is missing", name);
    return k;
}

bool gguf_u64(const struct gguf *g, const char *name, uint64_t *out, struct err *err)
{
    const struct gguf_key *k = required(g, name, err);
    if (!k)
        return false;
    if (!is_integer(k->type))
        return wrong_type(k, "an integer", err);
    struct integer v = read_integer(k->type, k->data);
    if (v.negative)
        return err_set(err, ERR_FORMAT, "key '%s' is negative", name);
    *out = v.bits;
    return true;
}

bool gguf_u32(const struct gguf *g, const char *name, uint32_t *out, struct err *err)
{
    uint64_t v = 0;
    if (!gguf_u64(g, name, &v, err))
        return false;
    if (v > UINT32_MAX)
        return err_set(err, ERR_FORMAT, "key '%s' is %llu, too large", name,
                       (unsigned long long)v);
    *out = (uint32_t)v;
    return true;
}

bool gguf_f32(const struct gguf *g, const char *name, float *out, struct err *err)
{
    const struct gguf_key *k = required(g, name, err);
    if (!k)
        return false;
    if (k->type != GGUF_V_F32 && k->type != GGUF_V_F64)
        return wrong_type(k, "a float", err);
    *out = read_float(k->type, k->data);
    return true;
}

bool gguf_bool(const struct gguf *g, const char *name, bool *out, struct err *err)
{
    const struct gguf_key *k = required(g, name, err);
    if (!k)
        return false;
    if (k->type != GGUF_V_BOOL || *k->data > 1)
        return wrong_type(k, "a bool of 0 or 1", err);
    *out = *k->data == 1;
    return true;
}

/* The string whose length is at p. It was checked when the file was parsed. */
static struct gguf_str string_at(const uint8_t *p)
{
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return (struct gguf_str){(const char *)p + sizeof n, (size_t)n};
}

bool gguf_string(const struct gguf *g, const char *name, struct gguf_str *out, struct err *err)
{
    const struct gguf_key *k = required(g, name, err);
    if (!k)
        return false;
    if (k->type != GGUF_V_STRING)
        return wrong_type(k, "a string", err);
    *out = string_at(k->data);
    return true;
}

bool gguf_u32_or(const struct gguf *g, const char *name, uint32_t fallback, uint32_t *out,
                 struct err *err)
{
    if (gguf_find_key(g, name))
        return gguf_u32(g, name, out, err);
    *out = fallback;
    return true;
}

bool gguf_f32_or(const struct gguf *g, const char *name, float fallback, float *out,
                 struct err *err)
{
    if (gguf_find_key(g, name))
        return gguf_f32(g, name, out, err);
    *out = fallback;
    return true;
}

bool gguf_bool_or(const struct gguf *g, const char *name, bool fallback, bool *out,
                  struct err *err)
{
    if (gguf_find_key(g, name))
        return gguf_bool(g, name, out, err);
    *out = fallback;
    return true;
}

bool gguf_string_or(const struct gguf *g, const char *name, const char *fallback,
                    struct gguf_str *out, struct err *err)
{
    if (gguf_find_key(g, name))
        return gguf_string(g, name, out, err);
    *out = (struct gguf_str){fallback, strlen(fallback)};
    return true;
}

/* ---- arrays ------------------------------------------------------------------------------- */

/* A new list for the n elements of k. NULL with an error. */
static void *list_new(const struct gguf_key *k, size_t element_bytes, struct err *err)
{
    void *list = NULL;
    if (k->n < SIZE_MAX / element_bytes - 1)
        list = malloc(((size_t)k->n + 1) * element_bytes);
    if (!list)
        err_set(err, ERR_NOMEM, "not enough memory for the %llu elements of '%.*s'",
                (unsigned long long)k->n, (int)k->name.bytes, k->name.data);
    return list;
}

bool gguf_strings(const struct gguf *g, const char *name, struct gguf_str **out, size_t *n,
                  struct err *err)
{
    const struct gguf_key *k = required(g, name, err);
    if (!k)
        return false;
    if (k->type != GGUF_V_ARRAY || k->element != GGUF_V_STRING)
        return wrong_type(k, "an array of strings", err);
    struct gguf_str *list = list_new(k, sizeof *list, err);
    if (!list)
        return false;
    const uint8_t *p = k->data;
    for (uint64_t i = 0; i < k->n; i++) {
        list[i] = string_at(p);
        p += sizeof(uint64_t) + list[i].bytes;
    }
    *out = list;
    *n = (size_t)k->n;
    return true;
}

bool gguf_i32s(const struct gguf *g, const char *name, int32_t **out, size_t *n,
               struct err *err)
{
    const struct gguf_key *k = required(g, name, err);
    if (!k)
        return false;
    if (k->type != GGUF_V_ARRAY || !is_integer(k->element))
        return wrong_type(k, "an array of integers", err);
    int32_t *list = list_new(k, sizeof *list, err);
    if (!list)
        return false;
    for (uint64_t i = 0; i < k->n; i++) {
        struct integer v = read_integer(k->element, k->data + i * values[k->element].bytes);
        bool fits = v.negative ? v.bits >= (uint64_t)(int64_t)INT32_MIN : v.bits <= INT32_MAX;
        if (!fits) {
            free(list);
            return err_set(err, ERR_FORMAT, "key '%s' has element %llu out of range", name,
                           (unsigned long long)i);
        }
        list[i] = (int32_t)(int64_t)v.bits;
    }
    *out = list;
    *n = (size_t)k->n;
    return true;
}

bool gguf_f32s(const struct gguf *g, const char *name, float **out, size_t *n, struct err *err)
{
    const struct gguf_key *k = required(g, name, err);
    if (!k)
        return false;
    if (k->type != GGUF_V_ARRAY || (k->element != GGUF_V_F32 && k->element != GGUF_V_F64))
        return wrong_type(k, "an array of floats", err);
    float *list = list_new(k, sizeof *list, err);
    if (!list)
        return false;
    for (uint64_t i = 0; i < k->n; i++)
        list[i] = read_float(k->element, k->data + i * values[k->element].bytes);
    *out = list;
    *n = (size_t)k->n;
    return true;
}
