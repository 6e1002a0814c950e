/* json.c -- the only file of app/ that knows cJSON.
 *
 * Writing needs no tree: it appends to a buffer. What it writes is always valid JSON in UTF-8;
 * bytes that are not UTF-8 become U+FFFD. Reading refuses everything that is not, before cJSON
 * sees it, and counts the nesting, which cJSON follows by recursion. */
#include "app/json.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NESTING_MAX = 32 };
#define WHOLE_MAX ((int64_t)1 << 53) /* whole numbers below it survive a double */

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/* Bytes of the well-formed character at s (RFC 3629: no surrogates, no overlong forms, nothing
 * beyond U+10FFFF); 0 if it is none. n > 0 bytes can be read. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    static const struct { unsigned char first, last, low, high; } row[] = {
        {0xC2, 0xDF, 0x80, 0xBF}, {0xE0, 0xE0, 0xA0, 0xBF}, {0xE1, 0xEC, 0x80, 0xBF},
        {0xED, 0xED, 0x80, 0x9F}, {0xEE, 0xEF, 0x80, 0xBF}, {0xF0, 0xF0, 0x90, 0xBF},
        {0xF1, 0xF3, 0x80, 0xBF}, {0xF4, 0xF4, 0x80, 0x8F},
    };
    if (s[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (s[0] < row[i].first || s[0] > row[i].last)
            continue;
        size_t length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
        if (n < length || s[1] < row[i].low || s[1] > row[i].high)
            return 0;
        for (size_t k = 2; k < length; k++)
            if ((s[k] & 0xC0) != 0x80)
                return 0;
        return length;
    }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void quote(struct buf *out, const char *text, size_t bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    buf_append(out, "\"", 1);
    for (size_t i = 0, n; i < bytes; i += n) {
        n = utf8_length(s + i, bytes - i);
        if (n == 0) {
            n = 1;
            buf_puts(out, "\xEF\xBF\xBD");
        } else if (s[i] == '"' || s[i] == '\\') {
            buf_printf(out, "\\%c", s[i]);
        } else if (s[i] == '\n') {
            buf_puts(out, "\\n");
        } else if (s[i] == '\t') {
            buf_puts(out, "\\t");
        } else if (s[i] < 32 || s[i] == 127) {
            buf_printf(out, "\\u%04x", s[i]);
        } else {
            buf_append(out, text + i, n);
        }
    }
    buf_append(out, "\"", 1);
}

/* The comma before a member, and its name if it has one. */
static void member(struct json_line *j, const char *name)
{
    assert(j->depth > 0);
    if (!j->first)
        buf_puts(j->out, ", ");
    j->first = false;
    if (name) {
        quote(j->out, name, strlen(name));
        buf_puts(j->out, ": ");
    }
}

void json_begin(struct json_line *j, struct buf *out)
{
    *j = (struct json_line){.out = out, .depth = 1, .first = true};
    buf_puts(out, "{");
}

void json_end(struct json_line *j)
{
    assert(j->depth == 1);
    j->depth = 0;
    buf_puts(j->out, "}\n");
}

void json_text(struct json_line *j, const char *name, const char *value)
{
    json_text_n(j, name, value, strlen(value));
}

void json_text_n(struct json_line *j, const char *name, const char *value, size_t bytes)
{
    member(j, name);
    quote(j->out, value, bytes);
}

void json_int(struct json_line *j, const char *name, int64_t value)
{
    assert(value > -WHOLE_MAX && value < WHOLE_MAX);
    member(j, name);
    buf_printf(j->out, "%lld", (long long)value);
}

void json_u64(struct json_line *j, const char *name, uint64_t value)
{
    member(j, name);
    buf_printf(j->out, "\"%llu\"", (unsigned long long)value);
}

/* The shorter of two forms that reads back as the same number; null for what JSON cannot say. */
void json_double(struct json_line *j, const char *name, double value)
{
    char text[64];
    member(j, name);
    if (!isfinite(value)) {
        buf_puts(j->out, "null");
        return;
    }
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    /* The locale may have another decimal point, of several bytes. */
    size_t whole = strspn(text, "+-0123456789e"), point = strcspn(text + whole, "+-0123456789e");
    buf_append(j->out, text, whole);
    if (point)
        buf_puts(j->out, ".");
    buf_puts(j->out, text + whole + point);
}

void json_bool(struct json_line *j, const char *name, bool value)
{
    member(j, name);
    buf_puts(j->out, value ? "true" : "false");
}

void json_ids(struct json_line *j, const char *name, const int32_t *id, int n)
{
    member(j, name);
    buf_puts(j->out, "[");
    for (int i = 0; i < n; i++)
        buf_printf(j->out, i ? ",%d" : "%d", id[i]);
    buf_puts(j->out, "]");
}

void json_open(struct json_line *j, const char *name, char bracket)
{
    assert(bracket == '{' || bracket == '[');
    member(j, name);
    buf_append(j->out, &bracket, 1);
    j->depth++;
    j->first = true;
}

void json_close(struct json_line *j, char bracket)
{
    assert(j->depth > 1 && (bracket == '}' || bracket == ']'));
    buf_append(j->out, &bracket, 1);
    j->depth--;
    j->first = false;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const cJSON *tree(const struct json *j)
{
    return (const cJSON *)(const void *)j;
}

static const struct json *value(const cJSON *c)
{
    return (const struct json *)(const void *)c;
}

/* Valid UTF-8, and brackets outside of strings nested no deeper than we allow. */
static bool is_readable(const char *text, size_t bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    bool string = false;
    int depth = 0;
    for (size_t i = 0, n; i < bytes; i += n) {
        n = utf8_length(s + i, bytes - i);
        if (n == 0 || s[i] == 0)
            return false;
        if (s[i] == '"')
            string = !string;
        else if (string && s[i] == '\\' && i + 1 < bytes && s[i + 1] < 0x80)
            n = 2;
        else if (!string && (s[i] == '{' || s[i] == '['))
            depth++;
        else if (!string && (s[i] == '}' || s[i] == ']'))
            depth--;
        if (depth > NESTING_MAX)
            return false;
    }
    return true;
}

static void *parse_alloc(size_t bytes)
{
    return mem_grow(NULL, bytes);
}

void json_init(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = parse_alloc, .free_fn = free});
}

struct json *json_parse(const char *text, size_t bytes)
{
    if (!is_readable(text, bytes))
        return NULL;
    /* A terminated copy: cJSON before 1.7.18 may read one byte too far when given a length. */
    char *copy = mem_new(bytes + 1);
    memcpy(copy, text, bytes);
    cJSON *c = cJSON_ParseWithOpts(copy, NULL, true);
    free(copy);
    return (struct json *)(void *)c;
}

void json_free(struct json **j)
{
    cJSON_Delete((cJSON *)(void *)*j);
    *j = NULL;
}

const struct json *json_get(const struct json *j, const char *name)
{
    return value(cJSON_GetObjectItemCaseSensitive(tree(j), name));
}

const struct json *json_first(const struct json *j)
{
    return j ? value(tree(j)->child) : NULL;
}

const struct json *json_next(const struct json *j)
{
    return value(tree(j)->next);
}

bool json_is_array(const struct json *j)
{
    return cJSON_IsArray(tree(j));
}

const char *json_string(const struct json *j, const char *name)
{
    return cJSON_GetStringValue(tree(json_get(j, name)));
}

bool json_number(const struct json *j, const char *name, double *out)
{
    const cJSON *c = tree(json_get(j, name));
    if (!cJSON_IsNumber(c) || !isfinite(c->valuedouble))
        return false;
    *out = c->valuedouble;
    return true;
}

/* Whole and |v| < 2^53. */
static bool whole_number(double v, int64_t *out)
{
    if (!(v > -(double)WHOLE_MAX && v < (double)WHOLE_MAX) || v != floor(v))
        return false;
    *out = (int64_t)v;
    return true;
}

bool json_integer(const struct json *j, const char *name, int64_t *out)
{
    double v;
    return json_number(j, name, &v) && whole_number(v, out);
}

bool json_boolean(const struct json *j, const char *name, bool *out)
{
    const cJSON *v = tree(json_get(j, name));
    if (!cJSON_IsBool(v))
        return false;
    *out = cJSON_IsTrue(v);
    return true;
}

bool json_unsigned(const struct json *j, const char *name, uint64_t *out)
{
    const char *s = json_string(j, name);
    size_t digits = s ? strspn(s, "0123456789") : 0;
    if (digits == 0 || s[digits] != 0)
        return false;
    errno = 0;
    unsigned long long v = strtoull(s, NULL, 10);
    if (errno == ERANGE)
        return false;
    *out = v;
    return true;
}

bool json_id_list(const struct json *j, const char *name, int32_t **id, int *n)
{
    const struct json *list = json_get(j, name);
    if (!list || !json_is_array(list))
        return false;
    int count = cJSON_GetArraySize(tree(list)), i = 0;
    int32_t *a = mem_new((size_t)count * sizeof *a + 1);
    for (const cJSON *c = tree(list)->child; c; c = c->next) {
        int64_t v;
        if (!cJSON_IsNumber(c) || !whole_number(c->valuedouble, &v) || v < 0 || v > INT32_MAX) {
            free(a);
            return false;
        }
        a[i++] = (int32_t)v;
    }
    *id = a;
    *n = count;
    return true;
}

/* ---- any value ------------------------------------------------------------------------------- */

/* The bytes of a number at s by RFC 8259; 0: it is none. */
static size_t number_length(const char *s, size_t n)
{
    static const char digits[] = "0123456789";
    size_t i = n > 0 && s[0] == '-', from = i;
    while (i < n && s[i] && strchr(digits, s[i]))
        i++;
    if (i == from || (s[from] == '0' && i > from + 1))
        return 0;
    if (i < n && s[i] == '.') {
        from = ++i;
        while (i < n && s[i] && strchr(digits, s[i]))
            i++;
        if (i == from)
            return 0;
    }
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        i += 1 + (i + 1 < n && (s[i + 1] == '+' || s[i + 1] == '-'));
        from = i;
        while (i < n && s[i] && strchr(digits, s[i]))
            i++;
        if (i == from)
            return 0;
    }
    return i;
}

/* What cJSON lets pass: numbers of other forms, controls in strings and between values. */
static bool is_strict(const char *s, size_t bytes)
{
    bool string = false;
    for (size_t i = 0, n; i < bytes; i += n) {
        unsigned char c = (unsigned char)s[i];
        n = 1;
        if (string) {
            if (c < 32)
                return false;
            if (c == '\\')
                n = 2;
            string = c != '"';
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            n = number_length(s + i, bytes - i);
            if (n == 0)
                return false;
        } else if (c >= 127 || (c < 32 && c != '\t' && c != '\n' && c != '\r')) {
            return false;
        } else {
            string = c == '"';
        }
    }
    return true;
}

bool json_valid(const char *text, size_t bytes)
{
    if (!is_strict(text, bytes))
        return false;
    struct json *j = json_parse(text, bytes);
    bool valid = j != NULL;
    json_free(&j);
    return valid;
}

static int by_name(const void *a, const void *b)
{
    const cJSON *const *x = a, *const *y = b;
    return strcmp((*x)->string, (*y)->string);
}

static void canonical(struct buf *out, const cJSON *c);

/* The members in the order of their names, elements in theirs. */
static void canonical_inside(struct buf *out, const cJSON *c)
{
    bool object = cJSON_IsObject(c);
    size_t n = (size_t)cJSON_GetArraySize(c), i = 0;
    const cJSON **item = mem_new(n * sizeof *item + 1);
    for (const cJSON *k = c->child; k; k = k->next)
        item[i++] = k;
    if (object)
        qsort(item, n, sizeof *item, by_name);
    buf_puts(out, object ? "{" : "[");
    for (i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        if (object) {
            quote(out, item[i]->string, strlen(item[i]->string));
            buf_puts(out, ":");
        }
        canonical(out, item[i]);
    }
    buf_puts(out, object ? "}" : "]");
    free(item);
}

static void canonical(struct buf *out, const cJSON *c)
{
    if (cJSON_IsString(c))
        quote(out, c->valuestring, strlen(c->valuestring));
    else if (cJSON_IsNumber(c))
        buf_printf(out, "%.17g", c->valuedouble + 0.0); /* -0 becomes 0 */
    else if (cJSON_IsArray(c) || cJSON_IsObject(c))
        canonical_inside(out, c);
    else
        buf_puts(out, cJSON_IsTrue(c) ? "true" : cJSON_IsFalse(c) ? "false" : "null");
}

void json_canonical(struct buf *out, const struct json *j)
{
    canonical(out, tree(j));
}

bool json_has(const struct json *j, const char *name, size_t bytes)
{
    const cJSON *c = tree(j);
    if (cJSON_IsArray(c))
        c = c->child;
    for (const cJSON *k = cJSON_IsObject(c) ? c->child : NULL; k; k = k->next)
        if (strlen(k->string) == bytes && memcmp(k->string, name, bytes) == 0)
            return true;
    return false;
}
