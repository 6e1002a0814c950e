/* inspect.c -- `duet inspect MODEL`: what a file holds, and what would be refused and why. */
#include <stdio.h>
#include <string.h>

#include "app/fronts.h"
#include "app/json.h"
#include "app/out.h"
#include "app/subcommand.h"
#include "app/tier.h"
#include "engine/engine.h"

static bool read_arguments(int argc, char **argv, const char **model, bool *json, struct err *err)
{
    *model = NULL;
    *json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
            *json = true;
        else if (argv[i][0] == '-' && argv[i][1])
            return err_set(err, ERR_INPUT, "inspect: there is no option '%s'", argv[i]);
        else if (*model)
            return err_set(err, ERR_INPUT, "inspect: one model at a time");
        else
            *model = argv[i];
    }
    return *model || err_set(err, ERR_INPUT, "inspect: which model? duet inspect FILE|NAME");
}

/* ---- for a person ------------------------------------------------------------------------- */

/* "98.4 MB", "1.12 GB". */
static const char *size_text(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    int u = 0;
    while (v >= 1000 && u < 4) {
        v /= 1000;
        u++;
    }
    snprintf(out, 32, "%.*f %s", u == 0 ? 0 : v < 10 ? 2 : 1, v, units[u]);
    return out;
}

static void line(const char *what, const char *text)
{
    if (text[0])
        out_printf(stdout, "%-13s %s\n", what, text);
}

static void number_line(const char *what, int n)
{
    if (n > 0)
        out_printf(stdout, "%-13s %d\n", what, n);
}

static void tell_shape(const struct engine_facts *f)
{
    number_line("layers", f->n_layer);
    number_line("width", f->d_model);
    if (f->n_head > 0)
        out_printf(stdout, "%-13s %d, %d of them with keys\n", "heads", f->n_head,
               f->n_kv_head ? f->n_kv_head : f->n_head);
    number_line("network", f->d_ff);
    if (f->n_expert > 0)
        out_printf(stdout, "%-13s %d, %d at a time\n", "experts", f->n_expert, f->n_expert_used);
    number_line("context", f->n_ctx_train);
}

static void tell_weights(const struct engine_facts *f)
{
    char size[32];
    out_printf(stdout, "%-13s %s in %d file%s, %.1f million parameters in %d tensors\n", "size",
               size_text(f->file_bytes, size), f->n_files, f->n_files == 1 ? "" : "s",
               (double)f->n_parameters / 1e6, f->n_tensors);
    for (int i = 0; i < f->n_formats; i++) {
        const struct engine_format *m = &f->format[i];
        out_printf(stdout, "%-13s %-6s %5.1f %%  %s in %d tensors%s\n", i == 0 ? "formats" : "",
                   m->name, 100 * (double)m->bytes / (double)f->weight_bytes,
                   size_text(m->bytes, size), m->n_tensors,
                   m->supported ? "" : "  (not supported)");
    }
}

/* Of one token, rounded up. */
static uint64_t tier_bytes(const struct engine_facts *f, int tier)
{
    return (f->kv_tier_bytes[tier] + 63) / 64;
}

static void tell(const struct engine_facts *f)
{
    char size[32];
    line("name", f->name);
    line("architecture", f->arch);
    tell_shape(f);
    tell_weights(f);
    line("tokenizer", f->tokenizer);
    number_line("vocabulary", f->n_vocab);
    bool other = f->has_template && strcmp(f->template_name, "none") == 0;
    out_printf(stdout, "%-13s %s%s%s\n", "template", f->template_name,
               other ? " that is known here; the file has one" : "",
               f->thinks ? ", thinks by itself" : "");
    if (f->kv_f16_bytes > 0)
        out_printf(stdout, "%-13s %s for each token (f16)\n", "cache",
                   size_text(f->kv_f16_bytes, size));
    for (int i = KV_TIER_EXACT + 1; i < TIER_COUNT && f->kv_tier_bytes[i] > 0; i++)
        out_printf(stdout, "%-13s %s (%s, %.1f %%)\n", "", size_text(tier_bytes(f, i), size),
                   tier_name((enum kv_tier)i),
                   100 * (double)f->kv_tier_bytes[i] / (double)f->kv_tier_bytes[KV_TIER_EXACT]);
    for (int i = 0; i < f->n_refused; i++)
        line(i == 0 ? "refused" : "", f->refused[i]);
    if (f->n_refused == 0)
        line("runs", "yes");
}

/* ---- for a program ------------------------------------------------------------------------ */

static void json_formats(struct json_line *j, const struct engine_facts *f)
{
    json_open(j, "formats", '[');
    for (int i = 0; i < f->n_formats; i++) {
        const struct engine_format *m = &f->format[i];
        json_open(j, NULL, '{');
        json_text(j, "name", m->name);
        json_int(j, "bytes", (int64_t)m->bytes);
        json_int(j, "tensors", m->n_tensors);
        json_double(j, "share", (double)m->bytes / (double)f->weight_bytes);
        json_bool(j, "supported", m->supported);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_numbers(struct json_line *j, const struct engine_facts *f)
{
    json_int(j, "files", f->n_files);
    json_int(j, "file_bytes", (int64_t)f->file_bytes);
    json_int(j, "weight_bytes", (int64_t)f->weight_bytes);
    json_int(j, "parameters", (int64_t)f->n_parameters);
    json_int(j, "tensors", f->n_tensors);
    json_int(j, "layers", f->n_layer);
    json_int(j, "width", f->d_model);
    json_int(j, "network", f->d_ff);
    json_int(j, "heads", f->n_head);
    json_int(j, "kv_heads", f->n_kv_head);
    json_int(j, "experts", f->n_expert);
    json_int(j, "experts_used", f->n_expert_used);
    json_int(j, "vocabulary", f->n_vocab);
    json_int(j, "context", f->n_ctx_train);
}

static void tell_json(const struct engine_facts *f)
{
    struct buf out = {0};
    struct json_line j;
    json_begin(&j, &out);
    json_text(&j, "name", f->name);
    json_text(&j, "architecture", f->arch);
    json_numbers(&j, f);
    json_formats(&j, f);
    json_text(&j, "tokenizer", f->tokenizer);
    json_text(&j, "template", f->template_name);
    json_bool(&j, "has_template", f->has_template);
    json_bool(&j, "thinks", f->thinks);
    json_open(&j, "kv_bytes_per_token", '{');
    if (f->kv_f16_bytes > 0) {
        json_int(&j, "f16", (int64_t)f->kv_f16_bytes);
        json_int(&j, "f32", (int64_t)f->kv_f32_bytes);
    }
    for (int i = KV_TIER_EXACT + 1; i < TIER_COUNT && f->kv_tier_bytes[i] > 0; i++)
        json_int(&j, tier_name((enum kv_tier)i), (int64_t)tier_bytes(f, i));
    json_close(&j, '}');
    json_bool(&j, "runs", f->n_refused == 0);
    json_open(&j, "refused", '[');
    for (int i = 0; i < f->n_refused; i++)
        json_text(&j, NULL, f->refused[i]);
    json_close(&j, ']');
    json_end(&j);
    fwrite(buf_text(&out), 1, out.bytes, stdout);
    buf_release(&out);
}

int inspect_run(const struct paths *p, int argc, char **argv)
{
    static struct engine_facts facts;
    const char *model;
    char path[1024];
    bool json;
    struct err err;
    int status = STATUS_OK;
    if (!read_arguments(argc, argv, &model, &json, &err))
        status = STATUS_USAGE;
    else if (!paths_model(p, model, path, sizeof path, &err) || !engine_inspect(&facts, path, &err))
        status = STATUS_MODEL;
    if (status != STATUS_OK)
        out_printf(stderr, "duet: %s\n", err.msg);
    else if (json)
        tell_json(&facts);
    else
        tell(&facts);
    return status;
}
