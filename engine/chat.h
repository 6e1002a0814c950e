/* chat.h -- the parts of a conversation as token ids, by the model's template.
 *
 * A GGUF file carries its chat template as a Jinja program. It is not run: the family it belongs
 * to is recognised by the markers in it, and each family is one table row of plain strings here.
 * A file without a template, or with one of no known family, or one whose markers are not in the
 * vocabulary, gets "none": plain continuation.
 *
 * Control tokens come from the table alone. What a person wrote is tokenised as untrusted text,
 * so it cannot open or close a turn. See enum chat_part in engine.h. */
#ifndef DUET_ENGINE_CHAT_H
#define DUET_ENGINE_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/err.h"
#include "engine/gguf.h"
#include "engine/tokenizer.h"

#define CHAT_ENDS_MAX 12

struct chat_family;
struct thought;

/* Read-only after chat_init(); any thread may use it. */
struct chat {
    const struct chat_family *family;   /* static storage */
    const struct thought *thought;      /* static storage */
    const struct tokenizer *tokenizer;  /* borrowed */
    char *system;                       /* the template's default system message, owned; "" */
    bool begins;                        /* a conversation begins with the bos token */
    bool thinks;                        /* its template has thinking markers of its own */
    int32_t think_begin, think_end;     /* the ids of the markers, -1 if it has none */
    struct tokens close;                /* what closes a reply, from its first control token on */
    int32_t ends[CHAT_ENDS_MAX];        /* [n_ends] ids that end a reply */
    int n_ends;
};

/* Guards the family's marks in the tokenizer (tokenizer_guard()), which must outlive the chat.
 *
 * name    of a family, to take that one whatever the file's template is; NULL = by the template.
 * errors  ERR_INPUT: as of chat_check_name(). ERR_UNSUPPORTED: the
 *         vocabulary lacks a control token that the named family needs. ERR_FORMAT, ERR_NOMEM.
 *         *out is then zeroed. */
bool chat_init(struct chat *out, const struct gguf *g, struct tokenizer *t, const char *name,
               struct err *err);
void chat_release(struct chat *c);

/* "chatml", "llama3", ..., "none". */
const char *chat_name(const struct chat *c);

/* ERR_INPUT, with a list, if no family has this name. */
bool chat_check_name(const char *name, struct err *err);

/* The names of all families, with commas, as far as there is room. Returns out. */
const char *chat_names(char *out, size_t room);

/* See engine_chat(). *out is the timeline so far, and unchanged on failure. */
bool chat_append(const struct chat *c, enum chat_part part, const char *text, size_t bytes,
                 struct tokens *out, struct err *err);

/* See engine_is_end(), engine_is_think_begin() and engine_is_think_end(). */
bool chat_is_end(const struct chat *c, int32_t id);
bool chat_is_think_begin(const struct chat *c, int32_t id);
bool chat_is_think_end(const struct chat *c, int32_t id);

#endif
