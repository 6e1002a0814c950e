/* command.c -- see command.h. */
#include "app/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/diff.h"
#include "app/cost.h"
#include "app/export.h"
#include "app/import.h"
#include "app/merge.h"
#include "app/number.h"
#include "app/repro.h"
#include "app/set.h"
#include "app/slices.h"
#include "app/tier.h"
#include "ui/status.h"

static void cmd_mode(struct talk *t, const char *args)
{
    const struct mode *m = mode_find(args, strlen(args));
    if (m) {
        talk_mode(t, m->id);
        return;
    }
    if (*args)
        talk_say(t, true, "there is no mode '%.40s'", args);
    for (int i = 0; i < mode_count(); i++) {
        const struct mode *row = settings_row(&t->c.settings, (enum mode_id)i);
        talk_say(t, false, "%s%s: %s", row->name, (int)t->c.mode == i ? " (now)" : "",
                 mode_describe(row));
    }
}

/* Answers the last question again in the mode that was suggested for it; while it is answered, that
 * answer goes on in it. */
static void suggest_take(struct talk *t)
{
    if (!t->suggestion.any || t->c.n_turn == 0) {
        talk_say(t, true, "no other mode is suggested for the last question");
    } else if (t->turn >= 0) {
        talk_mode(t, t->suggestion.mode);
        t->suggestion.any = false;
    } else if (talk_idle(t)) {
        talk_mode(t, t->suggestion.mode);
        t->suggestion.any = false;
        talk_send(t, t->c.n_turn - 1, t->c.mode, 0);
    }
}

static void cmd_suggest(struct talk *t, const char *args)
{
    bool on = strcmp(args, "on") == 0, off = strcmp(args, "off") == 0;
    if (on || off)
        t->suggests = on;
    if (strcmp(args, "yes") == 0)
        suggest_take(t);
    else if (strcmp(args, "no") == 0)
        t->suggestion.any = false;
    else if (*args && !on && !off)
        talk_say(t, true, "/suggest yes, no, on or off");
    else
        talk_say(t, false, "a mode that suits a question better is %s", t->suggests ? "suggested"
                                                                             : "not suggested");
}

static void cmd_stop(struct talk *t)
{
    if (!talk_stop(t))
        talk_say(t, false, "there is nothing to stop");
}

static void cmd_fit(struct talk *t, const char *args)
{
    enum fit_choice c = fit_find(args);
    if (c == FIT_NONE)
        talk_say(t, true, "/fit needs drop, summary, go or stop");
    else if (talk_idle(t))
        fit_choose(t, c);
}

static void cmd_rename(struct talk *t, const char *args)
{
    if (!*args) {
        talk_say(t, true, "/rename needs a title");
        return;
    }
    talk_rename(t, args);
    talk_say(t, false, "this conversation is now called: %s", t->c.title);
}

static void cmd_system(struct talk *t, const char *args)
{
    if (!*args) {
        talk_say(t, false, "system message: %s", *t->c.system ? t->c.system : "the model's own");
        return;
    }
    if (t->c.n_turn > 0) {
        talk_say(t, true, "the system message stands before the history: /new first");
        return;
    }
    free(t->c.system);
    t->c.system = mem_dup(args);
    talk_say(t, false, "system message of this conversation: %s", args);
}

static void cmd_set(struct talk *t, const char *args)
{
    size_t n = strcspn(args, " ");
    if (!*args)
        set_all(t, "");
    else if (!set_one(t, args, n, args + n + strspn(args + n, " ")))
        talk_say(t, true, "there is no setting '%.40s'; /settings shows them", args);
}

/* A command that is a setting's name. */
static void cmd_setting(struct talk *t, enum action a, const char *args)
{
    const char *name = keymap_help(a)->command + 1;
    bool known = set_one(t, name, strlen(name), args);
    (void)known; /* the tests see to it */
}

/* False: they are to be listed. */
static bool cmd_candidates(struct talk *t, const char *args)
{
    uint64_t k;
    if (!*args && t->tray.n > 1)
        return false;
    if (*args && number_read(args, TRAY_MAX, &k))
        talk_candidate(t, (int)k - 1);
    else if (*args)
        talk_say(t, true, "/candidates: '%.40s' is not the number of one", args);
    else
        talk_say(t, false, "the last answer had no candidates");
    return true;
}

/* Three figures, kept apart: what the context takes in memory, what a token reads of it, what lies
 * in a file. */
static void say_context(struct talk *t)
{
    const struct far_stats *f = &t->far;
    double whole = f->f16_bytes ? (double)f->f16_bytes : 1;
    char held[16];
    status_bytes(held, sizeof held, t->kv_bytes);
    talk_say(t, false, "context: %d of %d tokens; held as %s: %s in memory", t->ctx_used,
        t->info.n_ctx, tier_name(f->tier), held);
    if (f->f16_bytes == 0 || f->tier == KV_TIER_EXACT)
        return;
    talk_say(t, false, "of f16: %.1f %% in memory, %.1f %% read for a token, %.1f %% in a file",
        100 * (double)f->memory_bytes / whole, 100 * (double)f->read_bytes / whole,
        100 * (double)f->disk_bytes / whole);
    if (f->by_index)
        talk_say(t, false, "by index: %.0f rows a key head, with %.1f %% of the attention",
            f->chosen, 100 * f->mass);
}

static void say_gate(struct talk *t)
{
    struct buf text = {0};
    gate_describe(&t->gate, &text);
    if (text.bytes > 0)
        talk_say(t, false, "%s", buf_text(&text));
    buf_release(&text);
}

static void cmd_cost(struct talk *t)
{
    struct buf text = {0};
    cost_describe(&t->c, &text);
    for (const char *line = buf_text(&text); *line; line += strcspn(line, "\n") + 1)
        talk_say(t, false, "%.*s", (int)strcspn(line, "\n"), line);
    buf_release(&text);
}

static void cmd_context(struct talk *t)
{
    if (t->state == TALK_LOADING || t->state == TALK_FAILED) {
        talk_say(t, true, "no model is open");
        return;
    }
    say_context(t);
    say_gate(t);
    char size[16];
    status_bytes(size, sizeof size, t->info.weight_bytes);
    talk_say(t, false, "model: %s (%s, template %s, %s), %d thread%s, kernels %s",
        t->info.name, t->info.kind, t->info.template_name, size,
        t->info.n_threads, t->info.n_threads == 1 ? "" : "s", t->info.kernels);
    talk_say(t, false, "session: %s", t->stored ? t->store.folder : "not saved");
}

static void cmd_export(struct talk *t, const char *args)
{
    struct err err;
    char msg[256];
    bool good = export_write(&t->c, args, msg, sizeof msg, &err);
    talk_say(t, !good, "%s", good ? msg : err.msg);
}

char *command_branch(struct talk *t, const char *args, int at)
{
    uint64_t n = (uint64_t)at + 1;
    if (t->c.n_turn == 0) {
        talk_say(t, true, "there is no question yet");
        return NULL;
    }
    bool known = at >= 0 && (!*args || number_read(args, INT32_MAX, &n));
    if (!known || n < 1 || n > (uint64_t)t->c.n_turn) {
        talk_say(t, true, "/branch N: " TURNS_TOLD, TURNS_TOLD_OF(t->c.n_turn));
        return NULL;
    }
    char *text = mem_dup(t->c.turn[n - 1].question);
    if (talk_branch(t, (int)n - 1))
        return text;
    free(text);
    return NULL;
}

bool command_diff(struct talk *t, struct buf *heading, struct buf *lines)
{
    const struct turn *last = t->c.n_turn ? &t->c.turn[t->c.n_turn - 1] : NULL;
    if (!last || last->chosen < 0 || last->n_reply < 2) {
        talk_say(t, true, "there is one answer: /retry, /other or /both gives a second");
        return false;
    }
    int b = last->chosen > 0 ? last->chosen : 1, a = b - 1;
    char *first = reply_join(&last->reply[a], PART_ANSWER);
    char *second = reply_join(&last->reply[b], PART_ANSWER);
    buf_printf(heading, "answer %d (%s, -) and answer %d (%s, +)", a + 1,
               mode_get(last->reply[a].mode)->title, b + 1, mode_get(last->reply[b].mode)->title);
    diff_words(lines, first, second);
    free(first);
    free(second);
    return true;
}

static void cmd_choose(struct talk *t, const char *args)
{
    uint64_t n;
    if (number_read(args, INT32_MAX, &n) && n > 0)
        talk_choose(t, (int)n - 1);
    else
        talk_say(t, true, "/choose N: the number of an answer to the last question");
}

/* Without a number the next one to that which is chosen. */
static void cmd_split(struct talk *t, const char *args)
{
    const struct turn *last = t->c.n_turn ? &t->c.turn[t->c.n_turn - 1] : NULL;
    uint64_t n = last && last->n_reply ? (uint64_t)((last->chosen + 1) % last->n_reply) + 1 : 1;
    if (!*args || (number_read(args, INT32_MAX, &n) && n > 0))
        talk_split(t, (int)n - 1);
    else
        talk_say(t, true, "/split N: the number of an answer to the last question");
}

bool command_reread(struct talk *t, const char *args, struct reread *out)
{
    struct slices s = {0};
    uint64_t n = 0;
    size_t digits = strspn(args, "0123456789");
    char number_text[24] = "";
    if (digits < sizeof number_text)
        memcpy(number_text, args, digits);
    const char *rest = args + digits + strspn(args + digits, " ");
    *out = (struct reread){.to = t->ctx_used, .yes = strcmp(rest, "yes") == 0};
    slices_build(&s, &t->c, t->ctx_used, t->c.mode, SLICE_CODED, &t->exact);
    bool good = (digits == 0 || number_read(number_text, INT32_MAX, &n)) && (!*rest || out->yes) &&
                (digits == 0 || slices_turn(&s, (int)n - 1, &out->from, &out->to));
    slices_release(&s);
    if (!good) {
        talk_say(t, true, "/reread N: the number of a turn, or nothing for all of the context");
        return false;
    }
    if (digits)
        snprintf(out->what, sizeof out->what, "turn %d", (int)n);
    else
        snprintf(out->what, sizeof out->what, "the context");
    if (t->far.tier != KV_TIER_EXACT)
        out->tokens = slices_cost(&t->exact, out->from, out->to, t->ctx_used);
    slices_price(out->tokens, t->read_tok_s, &t->far, t->ctx_used, out->price, sizeof out->price);
    return true;
}

/* False: the front asks first. */
static bool cmd_reread(struct talk *t, const char *args)
{
    struct reread r;
    if (!command_reread(t, args, &r))
        return true;
    if (!r.tokens)
        talk_say(t, false, "%s is held exactly: there is nothing to read again", r.what);
    else if (r.yes)
        talk_exact(t, r.from, r.to);
    return !r.tokens || r.yes;
}

static bool has_answer(const struct reply *r)
{
    for (int i = 0; i < r->n_part; i++)
        if (r->part[i].kind == PART_ANSWER && *r->part[i].text)
            return true;
    return false;
}

const struct reply *command_doubts(struct talk *t, struct doubts *out)
{
    const struct turn *last = t->c.n_turn ? &t->c.turn[t->c.n_turn - 1] : NULL;
    if (t->turn >= 0 || !last || last->chosen < 0) {
        talk_say(t, true,
                 t->turn >= 0 ? "not while an answer is written" : "there is no answer yet");
        return NULL;
    }
    const struct reply *r = &last->reply[last->chosen];
    if (!has_answer(r))
        talk_say(t, true, "the last reply ended before its answer");
    else if (!doubts_find(r, out))
        talk_say(t, true, "how sure the model was of this answer was not kept with it");
    else if (out->n == 0)
        talk_say(t, false, "no word of the last answer was less certain than one half");
    return out->n ? r : NULL;
}

void command_doubt(struct talk *t, const struct reply *r, const struct doubt *d)
{
    struct buf question = {0};
    doubt_question(r, d, &question);
    talk_ask(t, buf_text(&question), MODE_PRO_MAX);
    buf_release(&question);
}

/* False: the places are to be shown. */
static bool cmd_doubt(struct talk *t, const char *args)
{
    struct doubts d = {0};
    uint64_t k;
    if (!*args)
        return false;
    const struct reply *r = command_doubts(t, &d);
    if (r && number_read(args, INT32_MAX, &k) && k > 0 && k <= (uint64_t)d.n)
        command_doubt(t, r, &d.place[k - 1]);
    else if (r)
        talk_say(t, true, "/doubt N: there are places 1 to %d", d.n);
    doubts_release(&d);
    return true;
}

static void cmd_merge(struct talk *t)
{
    struct buf question = {0};
    const struct turn *last = t->c.n_turn ? &t->c.turn[t->c.n_turn - 1] : NULL;
    if (!talk_idle(t))
        return;
    if (last && merge_question(last, &question))
        talk_ask(t, buf_text(&question), MODE_PRO_MAX);
    else
        talk_say(t, true, "there are no two answers to the last question: /retry, /other or /both "
                          "gives a second");
    buf_release(&question);
}

static void cmd_delete(struct talk *t, const char *args)
{
    struct err err;
    char id[80];
    if (!*args)
        talk_say(t, true, "/delete needs the name of a session: /open lists them");
    else if (!store_find(t->paths.sessions, args, id, &err))
        talk_say(t, true, "%s", err.msg);
    else if (t->stored && strcmp(id, t->store.id) == 0)
        talk_say(t, true, "this session is the open one: /new or /open NAME first");
    else if (!store_delete(t->paths.sessions, id, &err))
        talk_say(t, true, "%s", err.msg);
    else
        talk_say(t, false, "%s is deleted; /undelete brings it back, for %d days", id,
                 STORE_KEPT_DAYS);
}

static void cmd_undelete(struct talk *t)
{
    struct err err;
    char id[80];
    if (store_undelete(t->paths.sessions, id, &err))
        talk_say(t, false, "%s is back", id);
    else
        talk_say(t, true, "%s", err.msg);
}

static void cmd_import(struct talk *t, const char *args)
{
    struct err err;
    char id[80];
    struct import_report report;
    if (!*args)
        talk_say(t, true, "/import needs a file");
    else if (t->options->no_save)
        talk_say(t, true, "/import makes a session, and --no-save writes none");
    else if (!talk_idle(t))
        return;
    else if (!import_file(t->paths.sessions, args, id, &report, &err))
        talk_say(t, true, "%s", err.msg);
    else if (talk_switch(t, id)) {
        if (*report.mode_gone)
            talk_say(t, true, MODE_GONE, report.mode_gone);
        talk_say(t, false, "imported from %s", args);
    }
}

/* Carries out what is the conversation's; the rest is the front's. */
static enum action carry_out(struct talk *t, enum action a, const char *args)
{
    switch (a) {
    case ACTION_MODE: cmd_mode(t, args); return ACTION_NONE;
    case ACTION_TOGGLE: talk_mode(t, mode_toggle(t->c.mode)); return ACTION_NONE;
    case ACTION_STOP: cmd_stop(t); return ACTION_NONE;
    case ACTION_SUGGEST: cmd_suggest(t, args); return ACTION_NONE;
    case ACTION_NEW: talk_switch(t, NULL); return ACTION_NONE;
    case ACTION_OPEN:
        if (!*args)
            return a;
        talk_switch(t, args);
        return ACTION_NONE;
    case ACTION_FIT: cmd_fit(t, args); return ACTION_NONE;
    case ACTION_REFOLD: fold_command(t, args); return ACTION_NONE;
    case ACTION_RENAME: cmd_rename(t, args); return ACTION_NONE;
    case ACTION_UNDO: talk_undo(t); return ACTION_NONE;
    case ACTION_RETRY: talk_retry(t); return ACTION_NONE;
    case ACTION_OTHER: talk_other(t); return ACTION_NONE;
    case ACTION_COST: cmd_cost(t); return ACTION_NONE;
    case ACTION_CANDIDATES: return cmd_candidates(t, args) ? ACTION_NONE : a;
    case ACTION_DOUBT: return cmd_doubt(t, args) ? ACTION_NONE : a;
    case ACTION_REPRO: repro_command(t, args); return ACTION_NONE;
    case ACTION_MERGE: cmd_merge(t); return ACTION_NONE;
    case ACTION_FLIP: talk_flip(t, 1); return ACTION_NONE;
    case ACTION_FLIP_BACK: talk_flip(t, -1); return ACTION_NONE;
    case ACTION_CHOOSE: cmd_choose(t, args); return ACTION_NONE;
    case ACTION_SPLIT: cmd_split(t, args); return ACTION_NONE;
    case ACTION_FORK: talk_branch(t, t->c.n_turn); return ACTION_NONE;
    case ACTION_REREAD: return cmd_reread(t, args) ? ACTION_NONE : a;
    case ACTION_SYSTEM: cmd_system(t, args); return ACTION_NONE;
    case ACTION_SET: cmd_set(t, args); return ACTION_NONE;
    case ACTION_SETTINGS: set_all(t, args); return ACTION_NONE;
    case ACTION_THINK:
    case ACTION_BEST:
    case ACTION_TEMP:
    case ACTION_TOP_P:
    case ACTION_SEED: cmd_setting(t, a, args); return ACTION_NONE;
    case ACTION_CONTEXT: cmd_context(t); return ACTION_NONE;
    case ACTION_DELETE: cmd_delete(t, args); return ACTION_NONE;
    case ACTION_UNDELETE: cmd_undelete(t); return ACTION_NONE;
    case ACTION_IMPORT: cmd_import(t, args); return ACTION_NONE;
    case ACTION_EXPORT: cmd_export(t, args); return ACTION_NONE;
    default: return a;
    }
}

enum action command_line(struct talk *t, const char *line, const char **args)
{
    *args = "";
    line += strspn(line, " \t\n");
    if (*line != '/' || line[1] == '/') {
        line += *line == '/';
        if (*line)
            talk_ask(t, line, t->c.mode);
        return ACTION_NONE;
    }
    size_t n = strcspn(line + 1, " \t\n");
    const char *rest = line + 1 + n;
    rest += strspn(rest, " \t\n");
    const struct mode *m = mode_find(line + 1, n);
    if (m) {
        if (*rest)
            talk_ask(t, rest, m->id);
        else
            talk_mode(t, m->id);
        return ACTION_NONE;
    }
    enum action a = keymap_command(line + 1, n);
    if (a == ACTION_NONE) {
        talk_say(t, true, "there is no command /%.*s (// sends a line that begins with /)",
            (int)(n < 40 ? n : 40), line + 1);
        return ACTION_NONE;
    }
    *args = rest;
    return carry_out(t, a, rest);
}
