/* paths.c -- the XDG folders, and the file that a model's name means. */
#include "app/paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the folders ----------------------------------------------------------------------------- */

/* out = a + b; false: it does not fit. */
static bool path_join(char *out, size_t bytes, const char *a, const char *b)
{
    int n = snprintf(out, bytes, "%s%s", a, b);
    return n >= 0 && (size_t)n < bytes;
}

/* One folder: the variable if it is absolute, else a folder under home (NULL: there is none). */
static bool path_base(char *out, size_t bytes, const char *variable, const char *home,
                      const char *under, struct err *err)
{
    const char *base = getenv(variable);
    char fallback[400];
    if (!base || base[0] != '/') {
        if (!home)
            return err_set(err, ERR_INPUT, "HOME is not set, nor is %s: no place for files",
                           variable);
        if (!path_join(fallback, sizeof fallback, home, under))
            return err_set(err, ERR_LIMIT, "HOME is too long: '%.80s...'", home);
        base = fallback;
    }
    if (!path_join(out, bytes, base, "/duet"))
        return err_set(err, ERR_LIMIT, "%s is too long: '%.80s...'", variable, base);
    return true;
}

bool paths_init(struct paths *p, struct err *err)
{
    const char *home = getenv("HOME");
    if (home && home[0] != '/')
        home = NULL;
    *p = (struct paths){0};
    if (!path_base(p->data, sizeof p->data, "XDG_DATA_HOME", home, "/.local/share", err) ||
        !path_base(p->config, sizeof p->config, "XDG_CONFIG_HOME", home, "/.config", err) ||
        !path_base(p->state, sizeof p->state, "XDG_STATE_HOME", home, "/.local/state", err))
        return false;
    /* These are 40 bytes larger than what they are made from. */
    path_join(p->sessions, sizeof p->sessions, p->data, "/sessions");
    path_join(p->models, sizeof p->models, p->data, "/models");
    path_join(p->history, sizeof p->history, p->state, "/history");
    return true;
}

static bool folder_make(const char *path, struct err *err)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return chmod(path, 0700) == 0 || err_errno(err, "cannot use the folder", path); /* umask */
    if (errno != EEXIST)
        return err_errno(err, "cannot make the folder", path);
    if (stat(path, &st) < 0)
        return err_errno(err, "cannot use the folder", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, "'%s' is in the way: it is no folder", path);
    return true;
}

bool paths_make(const char *folder, struct err *err)
{
    char path[4096];
    if (!path_join(path, sizeof path, folder, ""))
        return err_set(err, ERR_LIMIT, "too long for a folder: '%.80s...'", folder);
    for (char *p = path + 1; path[0] && *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (!folder_make(path, err))
            return false;
        *p = '/';
    }
    return folder_make(path, err);
}

/* ---- models ---------------------------------------------------------------------------------- */

static const char *const model_names[] = {
#define MODEL(name, title, bytes, sha256, packages) name,
#include "app/models.def"
#undef MODEL
};
enum { N_MODEL = sizeof model_names / sizeof *model_names };

static bool name_ends(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n >= e && strcmp(name + n - e, end) == 0;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Adds ", item" to a list that is cut when full. */
static void list_add(char *list, size_t bytes, const char *item)
{
    size_t have = strlen(list);
    snprintf(list + have, bytes - have, "%s%s", have ? ", " : "", item);
}

/* The names of the models in a folder, in its order; "none" if there is none. */
static void models_here(const char *folder, char *list, size_t bytes)
{
    list[0] = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.' || !name_ends(e->d_name, ".gguf"))
            continue;
        e->d_name[strlen(e->d_name) - 5] = 0;
        list_add(list, bytes, e->d_name);
    }
    if (d)
        closedir(d);
    if (!list[0])
        list_add(list, bytes, "none");
}

static bool model_missing(const struct paths *p, const char *name, struct err *err)
{
    char known[160] = "", here[80];
    for (int i = 0; i < N_MODEL; i++) {
        if (strcmp(model_names[i], name) == 0)
            return err_set(err, ERR_INPUT, "model '%s' is not on this machine yet; fetch it with: "
                           "app/fetch.sh %s", name, name);
        list_add(known, sizeof known, model_names[i]);
    }
    models_here(p->models, here, sizeof here);
    return err_set(err, ERR_INPUT, "there is no model '%.40s'; here: %s; to be fetched: %s", name,
                   here, known);
}

bool paths_model(const struct paths *p, const char *value, char *out, size_t bytes,
                 struct err *err)
{
    bool file = strchr(value, '/') || name_ends(value, ".gguf") || is_file(value);
    if (!value[0])
        return err_set(err, ERR_INPUT, "the model has an empty name");
    int n = file ? snprintf(out, bytes, "%s", value)
                 : snprintf(out, bytes, "%s/%s.gguf", p->models, value);
    if (n < 0 || (size_t)n >= bytes)
        return err_set(err, ERR_LIMIT, "too long for a model: '%.80s...'", value);
    struct stat st;
    if (stat(out, &st) == 0)
        return true;
    if (!file && errno == ENOENT)
        return model_missing(p, value, err);
    return err_errno(err, "cannot read the model", out);
}
