/* talk.h -- the running conversation: what a typed line, a key or an event does to it.
 *
 * Owns conversation, session folder and worker; belongs to the UI thread. It shows nothing itself:
 * the front (screen, plain lines, one answer) is told through a few calls and draws what it likes.
 * Everything a front may want to show of the state stands in struct talk, to be read. */
#ifndef DUET_APP_TALK_H
#define DUET_APP_TALK_H

#include <stdbool.h>

#include "app/conversation.h"
#include "app/fit.h"
#include "app/fold.h"
#include "app/options.h"
#include "app/paths.h"
#include "app/replay.h"
#include "app/store.h"
#include "app/suggest.h"
#include "app/tray.h"
#include "app/worker.h"

enum talk_state {
    TALK_LOADING,   /* the model is being opened */
    TALK_RESUMING,  /* the conversation is being taken back */
    TALK_IDLE,
    TALK_READING,
    TALK_THINKING,
    TALK_ANSWERING,
    TALK_CHOOSING,  /* the reply that is shown has ended, other candidates go on */
    TALK_EXACT,     /* a stretch of the context is read again, to be held exactly */
    TALK_REPRO,     /* an answer is made again */
    TALK_FAILED,    /* the model could not be opened: nothing can be answered */
};
const char *talk_state_name(enum talk_state s);

/* How many questions there are. */
#define TURNS_TOLD "there %s %d question%s"
#define TURNS_TOLD_OF(n) (n) == 1 ? "is" : "are", (n), (n) == 1 ? "" : "s"

struct talk;

/* How a conversation is shown. Each may be NULL. data is the front's own. */
struct front {
    void *data;
    bool keys;             /* there are keys to be named, and not commands alone */
    void (*question)(void *data, const struct talk *t, int turn);    /* it was sent */
    void (*suggested)(void *data, const struct talk *t); /* a mode, by the answer's first token */
    void (*part)(void *data, enum part_kind kind, enum mode_id mode); /* one begins */
    /* of the part that began; what a model likes to begin with, blanks, is left out */
    void (*text)(void *data, enum part_kind kind, const char *text, size_t bytes);
    void (*tokens)(void *data, const struct talk *t, const struct event *e); /* taken over */
    void (*chosen)(void *data, const struct talk *t); /* among candidates: t->tray; before done */
    void (*done)(void *data, const struct talk *t, const struct event *e); /* of a turn */
    void (*folded)(void *data, const struct talk *t, const struct event *e); /* thoughts */
    void (*note)(void *data, bool error, const char *text);
    void (*reset)(void *data, const struct talk *t); /* show the conversation anew */
    void (*flipped)(void *data, const struct talk *t); /* another answer of the last turn */
    void (*event)(void *data, const struct event *e); /* every event, before it is carried out */
};

struct talk {
    const struct options *options;
    struct paths paths;
    struct front front;
    struct worker *worker;
    struct conversation c;
    struct store store;
    bool stored;            /* the session's folder is open */
    bool fresh_branch;      /* nothing was said in it yet, and it took no turn with it */
    bool begun;             /* its log has a first line: something was said */
    bool save_refused;      /* it could not be written: said once */
    enum talk_state state;
    struct backend_info info; /* valid once loaded */
    int turn;               /* being answered; -1 = none */
    bool replying;          /* it has a reply already */
    bool part_fresh;        /* no text of its last part was shown yet */
    struct tray tray;       /* the candidates of the last turn */
    enum mode_id turn_mode; /* the mode it is in, or was told to be in */
    enum mode_id toggle_from; /* and was in before the last change */
    uint64_t turn_seed;
    unsigned turn_how;      /* SEND_ flags */
    struct fold fold;       /* thoughts of finished turns */
    struct fit fit;         /* a question that does not fit into the context */
    int epoch;              /* counts the conversations shown: events of an older one are dropped */
    bool suggests;          /* other modes are suggested */
    struct suggestion suggestion; /* for the last question */
    uint64_t seed;
    bool seed_given;
    int max_tokens;
    struct question *queue, *queue_tail; /* typed while busy */
    int n_queue;
    int done, total;        /* progress of reading */
    int held;               /* of done: held before it began */
    double reading_from;    /* when it began, by the clock */
    double reading_tok_s;   /* how fast it goes; 0 = not known yet */
    int ctx_used;
    uint64_t kv_bytes;
    struct far_stats far;     /* how it is held and read */
    struct ids exact;         /* pairs of positions: what is held exactly although far says less */
    struct gate_report gate;  /* what that costs, where it was measured */
    int re_read;            /* by the last turn or change of mode; -1 = nothing measured yet */
    bool costing;           /* EVENT_COST is to come: a mode was changed while idle */
    double tok_s;           /* of the last turn */
    double read_tok_s;      /* reading a text, measured; 0 = not yet */
    double few_tok_s;       /* the same of a few tokens, each of which takes longer */
    int drafted, accepted;  /* by the last turn: ids looked up and tried, and those that followed */
    int repro_turn;         /* TALK_REPRO: whose answer it is */
    int saves;              /* writes of the cache under way */
    bool both;              /* the last turn was asked in two modes at once: candidates 0 and 1 */
    bool resumes_file;      /* what is taken back comes from the file of the cache */
    bool kept;              /* the file of the cache holds all that was said */
    char link_from[540], link_to[540]; /* files of caches, to be linked once written; "" = none */
    enum err_code failed;   /* why the model could not be opened */
};

/* Reads the session that the options name into t->c (or a new one), without a model yet. The
 * options live as long as t. errors: ERR_INPUT no such session, ERR_BUSY, ERR_FORMAT, ERR_IO. */
bool talk_open(struct talk *t, const struct options *o, const struct front *f, struct err *err);

/* Starts the worker on this backend (takes it over). */
bool talk_start(struct talk *t, struct backend *b, struct err *err);

/* Stops what runs, writes cache and session, ends the worker. Safe after a failed talk_open(). */
void talk_close(struct talk *t);

/* Asks now, or when what runs is over. The text is sent as it is: see command.h for commands. */
void talk_ask(struct talk *t, const char *text, enum mode_id mode);

/* Asks in Flash and in the mode that it toggles to, both at once; "" answers the last question so.
 * Not while something runs. False: said why not. */
bool talk_both(struct talk *t, const char *text);

/* Takes the worker's events and carries them out. */
void talk_events(struct talk *t);

void talk_mode(struct talk *t, enum mode_id mode); /* from now on, in a running reply too */
bool talk_busy(const struct talk *t);              /* a turn runs or waits */

/* Something that was asked for runs and is no turn: reading again, making again. */
bool talk_reads(const struct talk *t);

/* How long reading n tokens will take, by what was measured; 0 = nothing was yet. */
double talk_read_seconds(const struct talk *t, int n);

/* What waits its turn: message i, NULL behind the last. And the last one taken out, malloc'd, as it
 * would be typed; NULL if none waits. */
const char *talk_queued(const struct talk *t, int i);
char *talk_unqueue(struct talk *t);

/* Stops the running turn, resume or reading; false: there was nothing to stop. */
bool talk_stop(struct talk *t);

/* True if nothing runs; else says so. The next ones need that and say what they miss. */
bool talk_idle(struct talk *t);
void talk_undo(struct talk *t);   /* takes the last turn back */
void talk_retry(struct talk *t);  /* answers it again: one more sibling */
void talk_other(struct talk *t);  /* the same in the other mode than that of the chosen answer */
void talk_candidate(struct talk *t, int k); /* chooses candidate k of the last turn, from 0 */
void talk_flip(struct talk *t, int step); /* chooses another sibling: the next, the one before */
void talk_choose(struct talk *t, int sibling); /* or this one, counted from 0 */

/* Keeps the chosen answer here, and another sibling in a branch that has all turns before it. */
void talk_split(struct talk *t, int sibling);

/* Goes on in a new session that has the first n_turn turns; the one it comes from stays as it is.
 * The cache is kept: nothing is read again. False: said through note(). */
bool talk_branch(struct talk *t, int n_turn);

/* Reads positions [from, to) of the context again, which are held exactly from then on. */
void talk_exact(struct talk *t, int from, int to);
void talk_rename(struct talk *t, const char *title);

/* Opens another session by name; NULL = a new one. False: said through note(). */
bool talk_switch(struct talk *t, const char *name);

/* ---- for fit.c, fold.c and repro.c --------------------------------------------------------- */

enum { TALK_SUMMARY_TOKENS = 256 };

/* How a turn is answered: not as it was before; in both modes; in what room there is. */
enum { SEND_VARY = 1, SEND_BOTH = 2, SEND_TIGHT = 4 };
void talk_send(struct talk *t, int turn, enum mode_id mode, unsigned how);
void talk_ask_now(struct talk *t, const char *text, enum mode_id mode, unsigned how);

/* Takes the worker's events and carries them out, and begins nothing. */
void talk_take(struct talk *t);

/* Says once why the disk cannot be written, until it can; returns ok. */
bool talk_saved(struct talk *t, bool ok, const struct err *err);

/* One line to the front's note(). */
void talk_say(struct talk *t, bool error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
