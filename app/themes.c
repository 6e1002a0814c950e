/* themes.c -- see themes.h. */
#include "app/themes.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/buf.h"
#include "ui/text.h"

static const char suffix[] = ".json";

void names_release(struct names *l)
{
    while (l->n)
        free(l->name[--l->n]);
    free(l->name);
    *l = (struct names){0};
}

static void names_add(struct names *l, const char *name)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->name = mem_grow(l->name, (size_t)l->cap * sizeof *l->name);
    }
    l->name[l->n++] = mem_dup(name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void theme_names(const struct paths *p, struct names *out)
{
    char folder[440];
    for (int i = 0; theme_builtin_name(i); i++)
        names_add(out, theme_builtin_name(i));
    int first = out->n;
    snprintf(folder, sizeof folder, "%s/themes", p->config);
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        size_t n = strlen(e->d_name);
        if (n < sizeof suffix || strcmp(e->d_name + n - (sizeof suffix - 1), suffix) != 0)
            continue;
        e->d_name[n - (sizeof suffix - 1)] = 0;
        if (!theme_builtin(e->d_name))
            names_add(out, e->d_name);
    }
    if (d)
        closedir(d);
    if (out->n > first)
        qsort(out->name + first, (size_t)(out->n - first), sizeof *out->name, by_name);
}

/* The person's own theme of that name, or else the file. */
static FILE *theme_open(const struct paths *p, const char *name)
{
    char path[800];
    FILE *f = NULL;
    if (!strchr(name, '/')) {
        snprintf(path, sizeof path, "%s/themes/%.300s%s", p->config, name, suffix);
        f = fopen(path, "re");
    }
    return f ? f : fopen(name, "re");
}

bool theme_load(struct theme *t, const struct paths *p, const char *name, char *msg,
                size_t msg_bytes)
{
    const char *text = theme_builtin(name);
    if (text)
        return theme_parse(t, text, strlen(text), name, msg, msg_bytes);
    struct buf b = {0};
    char part[4096];
    size_t n;
    FILE *f = theme_open(p, name);
    if (!f) {
        buf_puts(&b, "theme '");
        text_display(&b, name, strlen(name));
        buf_printf(&b, "': %s; /theme lists them", strerror(errno));
        snprintf(msg, msg_bytes, "%s", buf_text(&b));
        buf_release(&b);
        return false;
    }
    while (b.bytes < 1 << 20 && (n = fread(part, 1, sizeof part, f)) > 0)
        buf_append(&b, part, n);
    fclose(f);
    bool ok = theme_parse(t, buf_text(&b), b.bytes, name, msg, msg_bytes);
    buf_release(&b);
    return ok;
}
