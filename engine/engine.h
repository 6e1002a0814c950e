/* engine.h -- the only door into the engine.
 *
 * struct engine   one loaded model: weights, tokenizer, chat template. Read-only once open, so any
 *                 number of sessions may use it.
 * struct session  one timeline: its token ids, its KV cache.
 *
 * Threads   An engine may be used from any thread. A session belongs to one thread at a time;
 *           session_cancel() alone may be called from another. Two sessions of one engine share
 *           its compute pool: their calls are serialised inside.
 * Errors    Functions that can fail return false (or -1) and fill *err. On failure the object is
 *           as it was before the call, unless the comment says otherwise.
 * Memory    open/close, new/free, init/release go in pairs. A const pointer returned is borrowed
 *           and lives as long as its object, unless the comment says otherwise.
 * Units     _bytes, _tokens, _us (microseconds). Positions start at 0.
 * Quiet     Nothing here prints, reads the environment, handles signals or ends the program. */
#ifndef DUET_ENGINE_ENGINE_H
#define DUET_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"

struct engine;
struct session;

/* ---- token lists -------------------------------------------------------------------------- */

/* A growable list of token ids. Zero-initialise, then release. Growing a list that does not fit
 * in memory is reported as ERR_NOMEM by the function that grows it. */
struct tokens {
    int32_t *id;  /* [n], owned */
    int n;
    int cap;
};

bool tokens_append(struct tokens *t, const int32_t *ids, int n, struct err *err);
void tokens_release(struct tokens *t);

/* ---- the model ---------------------------------------------------------------------------- */

struct engine_opts {
    int n_threads;          /* compute threads, 1..64; 0 = the number of online CPUs */
    const char *kernels;    /* kernel set to use at most: "c", "avx2", ...; NULL = the best here */
    const char *template_name; /* chat template to use: "chatml", ...; NULL = the file's */
    bool exact;             /* weights meet float activations, not 8-bit ones: the arithmetic of the
                             * model's reference, several times slower */
};

/* What a person wants to know about an open model. Strings are printable, never NULL. */
struct engine_info {
    const char *path;
    const char *name;           /* general.name, or the file's name */
    const char *arch;           /* "llama" */
    const char *template_name;  /* "chatml", "llama3", ...; "none" = plain continuation */
    const char *kernels;        /* the kernel set in use: "c", "avx2" */
    int n_layer, d_model, n_head, n_kv_head, head_dim, d_ff;
    int n_vocab;
    int n_ctx_train;
    int n_threads;
    bool thinks;                /* has thinking markers of its own, such as <think> */
    uint64_t weight_bytes;
    uint64_t token_bytes;       /* of them, read for one token: not the other rows of an embedding
                                 * that is not the output too, nor the experts not chosen */
    uint64_t fingerprint;       /* of the file's size, header and tensor table; stable over runs */
};

/* Opens a GGUF file: maps it, checks every length, prepares the weights.
 *
 * opts    NULL = defaults.
 * errors  ERR_IO (no such file, a directory), ERR_FORMAT (damaged), ERR_UNSUPPORTED (architecture
 *         or weight format: the message lists what is supported), ERR_INPUT (opts), ERR_NOMEM.
 *         *out is NULL then. */
bool engine_open(struct engine **out, const char *path, const struct engine_opts *opts,
                 struct err *err);

/* True if there is a set of kernels of this name; else ERR_INPUT, which lists them. */
bool engine_check_kernels(const char *name, struct err *err);

/* Closes and sets *e to NULL. All its sessions must be freed before. NULL is allowed. */
void engine_close(struct engine **e);

const struct engine_info *engine_info(const struct engine *e);

/* Bytes a second that this machine reads from the mapped weights with the engine's threads: the
 * best of some passes, of which the last `reps` were not better. The limit of decoding; takes a
 * fraction of a second a pass. */
double engine_bandwidth(struct engine *e, int reps);

/* How the context of a session is held. In all tiers but the exact one, keys and values are rows of
 * 8 bits as soon as they are computed.
 *
 *   q4     blocks of 64 tokens before the last two, but the first, in 4 bits: what is cut off
 *          inside one of these is read again from its beginning
 *   flash  an index of full blocks in memory, their rows in a file without a name */
enum kv_tier { KV_TIER_EXACT, KV_TIER_Q8, KV_TIER_Q4, KV_TIER_FLASH };

/* ---- a model that is not opened ----------------------------------------------------------- */

#define FACTS_FORMATS_MAX 40
#define FACTS_REFUSED_MAX 4

/* The weights in one format. */
struct engine_format {
    const char *name;       /* "Q4_K" */
    int n_tensors;
    uint64_t bytes;
    bool supported;
};

/* What a file says, whether it can be run or not. Texts are printable; 0 and "" where the file says
 * nothing. */
struct engine_facts {
    char arch[64], name[128];
    char tokenizer[80];         /* "byte-level BPE, qwen2" */
    char template_name[32];     /* "none": there is none, or none that is known */
    bool has_template;
    bool thinks;
    int n_files, n_tensors;
    uint64_t file_bytes, weight_bytes, n_parameters;
    int n_layer, d_model, d_ff, n_head, n_kv_head, n_expert, n_expert_used, n_vocab, n_ctx_train;
    struct engine_format format[FACTS_FORMATS_MAX];  /* [n_formats], the most bytes first */
    int n_formats;
    uint64_t kv_f16_bytes;      /* of one more token in a cache of f16; 0 = not known */
    uint64_t kv_f32_bytes;
    /* Of 64 more tokens in the middle of a long cache, in memory, by enum kv_tier (the exact one as
     * f16); 0 = there is no such tier for this model, or it is not known. */
    uint64_t kv_tier_bytes[KV_TIER_FLASH + 1];
    char refused[FACTS_REFUSED_MAX][256];  /* [n_refused] why engine_open() would fail */
    int n_refused;
};

/* Reads the header of a GGUF file, and no weights.
 *
 * errors  ERR_IO, ERR_FORMAT, ERR_UNSUPPORTED, ERR_NOMEM: the header cannot be read at all. All
 *         else that is wrong with the file is told in *out. */
bool engine_inspect(struct engine_facts *out, const char *path, struct err *err);

/* ---- text and tokens ---------------------------------------------------------------------- */

/* Appends the ids of untrusted text: control tokens are never recognised in it, whatever it
 * spells. No token is added in front. Any bytes are allowed, invalid UTF-8 too. */
bool engine_tokenize(const struct engine *e, const char *text, size_t bytes, struct tokens *out,
                     struct err *err);

/* The bytes of one token, not terminated, maybe a part of a UTF-8 character; *bytes may be 0.
 * Control tokens give their name only where control is true, else nothing. */
const char *engine_piece(const struct engine *e, int32_t id, bool control, size_t *bytes);

/* The same, without the names of control tokens, for a token that stands behind another, -1 = at
 * the beginning of a text: without the space that some vocabularies put in front of a text. */
const char *engine_piece_after(const struct engine *e, int32_t before, int32_t id, size_t *bytes);

/* True for ids that end a reply: end of turn, end of text. */
bool engine_is_end(const struct engine *e, int32_t id);

/* Holds back the unfinished UTF-8 character at the end of a stream. Zero-initialise. */
struct utf8_hold {
    unsigned char byte[4];
    int n;
};

/* Adds n bytes to the stream and writes what may be shown to out: whole characters, each invalid
 * byte as U+FFFD. out has room for 3 * (n + 4) bytes. Returns the bytes written. flush = true
 * also turns a held back rest into U+FFFD. */
size_t utf8_hold_add(struct utf8_hold *h, const char *bytes, size_t n, bool flush, char *out);

/* ---- chat --------------------------------------------------------------------------------- */

/* The parts a conversation is made of. Each is appended once, at the tail, and never rendered
 * again: history is kept as ids. Everything that depends on a mode is in the CHAT_THINK_ parts,
 * and they stand after the history.
 *
 *   BEGIN(system)  { USER(text) REPLY  [THINK_OPEN | THINK_SKIP] ..generated.. END }
 *
 * A model that thinks by itself has its markers in THINK_OPEN, _CLOSE and _SKIP. For a model
 * that does not, THINK_OPEN is a line that starts a step-by-step answer, THINK_CLOSE one that
 * leads to the final answer, THINK_SKIP is nothing. THINK_AGAIN opens a thought in the middle of
 * an answer (escalation). */
enum chat_part {
    CHAT_BEGIN,        /* text = the system message, may be empty: the template's default */
    CHAT_USER,         /* text = what the person wrote */
    CHAT_REPLY,        /* the header of the assistant's message */
    CHAT_THINK_OPEN,
    CHAT_THINK_SKIP,
    CHAT_THINK_CLOSE,
    CHAT_THINK_AGAIN,
    CHAT_END,          /* the end of the assistant's message */
};

/* Appends one part to the timeline so far. Control tokens come from the template alone; text is
 * tokenised as untrusted. text is ignored by the parts that take none. */
bool engine_chat(const struct engine *e, enum chat_part part, const char *text, size_t bytes,
                 struct tokens *out, struct err *err);

/* True if id opens a thought by the model's own marker (<think>). */
bool engine_is_think_begin(const struct engine *e, int32_t id);

/* True if id closes a thought by the model's own marker (</think>). */
bool engine_is_think_end(const struct engine *e, int32_t id);

/* ---- a timeline --------------------------------------------------------------------------- */

enum kv_type { KV_F16, KV_F32 };

#define SESSION_ROWS     672    /* see session_set_rows() */
#define SESSION_ROWS_AT  8192
#define SESSION_ROWS_MAX 4096

struct far_opts {
    enum kv_tier tier;
    const char *folder;  /* for the file of the flash tier, at most 511 bytes; NULL: none. Where it
                          * cannot be written, what comes is held in the q4 tier */
};

struct session_opts {
    int n_ctx;          /* positions, 1..n_ctx_train; 0 = n_ctx_train */
    enum kv_type kv;    /* element type of the exact cache; KV_F16 is the default */
    int chunk;          /* tokens session_read() takes in one call, 1..512; 0 = 64 */
    struct far_opts far;
};

/* The memory a full session takes, in bytes: asked before it is taken. */
uint64_t session_bytes(const struct engine *e, const struct session_opts *opts);

bool session_new(struct session **out, struct engine *e, const struct session_opts *opts,
                 struct err *err);
void session_free(struct session **s);

/* Makes the session hold exactly ids[0..n), reading at most one chunk per call. What it already
 * holds is kept; what differs is cut off first. Blocks of the cache are allocated as the timeline
 * grows; nothing else is.
 *
 * ids     the whole prefix, n >= 1, borrowed during the call.
 * return  how many of them it holds now: n = done, and logits for the next token exist; fewer =
 *         call again (also after a cancel, which is not an error: what was read stays). -1: *err.
 * errors  ERR_LIMIT: n > n_ctx. ERR_INPUT: an id outside the vocabulary. */
int session_read(struct session *s, const int32_t *ids, int n, struct err *err);

/* The same where ids[n_text..n) belong to a reply that is being written: some were chosen, others
 * are put between them. They are read as chosen ones are, in one pass with those that wait: on
 * processors that read text in another arithmetic, few of them come sooner so. 0 <= n_text <= n. */
int session_read_reply(struct session *s, const int32_t *ids, int n_text, int n, struct err *err);

/* How a token is chosen. The random number of a position is a function of (seed, position), so
 * the same prompt, seed and settings give the same tokens however the cache came about. */
struct sampling {
    float temperature;  /* 0 = greedy: the largest logit, the lower id on a tie */
    int top_k;          /* 0 = off */
    float top_p;        /* 1 = off */
    float min_p;        /* 0 = off */
    float repeat_penalty; /* 1 = off; divides (multiplies) positive (negative) logits of ids seen
                           * in the last 64 positions */
    bool no_end;        /* true: end tokens cannot be chosen (inside a thought) */
    uint64_t seed;
};

#define SESSION_NEXT_MAX 8

struct session_token {
    int32_t id;
    float logprob;      /* natural log of its probability before any of the filters */
};

/* Chooses the next token or, where the timeline says what may follow (it quotes, edits or repeats
 * what stands in it), several, and appends them. The last one is read by the call after this one,
 * so a reply can stop at any token for nothing. Several tokens are the same, to the last bit of
 * the logits, as one by one; an end token or a marker of thoughts is always the last of a call.
 *
 * out     [max], max >= 1. max = 1 drafts nothing; more than SESSION_NEXT_MAX are never chosen.
 * return  how many were chosen, 1..max. 0: cancelled, the timeline is as before. -1: *err.
 * errors  ERR_LIMIT: the context is full. Calling it on an empty session is our fault. */
int session_next(struct session *s, const struct sampling *p, struct session_token *out, int max,
                 struct err *err);

/* A second timeline that begins with all that s holds. It costs no copy of the cache: blocks are
 * shared, and copied only where one of the two writes. Its counters and its memory of what was cut
 * off begin anew. Each may be freed before the other.
 *
 * errors  ERR_UNSUPPORTED: the model's kind of cache cannot be shared. ERR_NOMEM. */
bool session_fork(const struct session *s, struct session **out, struct err *err);

/* Exchanges what two sessions of one engine with the same options hold: tokens, cache, logits. What
 * belongs to the handle stays with it: the cancel flag, which another thread may be setting, the
 * counters, and what it remembers as cut off, to which comes what it gives away. Costs nothing. */
void session_swap(struct session *a, struct session *b);

/* Several timelines of one engine, one token each in one pass: the weights are read once for all.
 * What each of them chooses does not depend on the others. */
struct batch;
bool batch_new(struct batch **out, struct engine *e, int n_max, struct err *err);
void batch_free(struct batch **b);

/* session_next() for n different sessions, 1 <= n <= n_max, each with its own settings.
 *
 * out     [n]
 * return  n. 0: s[0] was cancelled; some of the others may have read their last token, none has
 *         chosen one. -1: *err; ERR_LIMIT: one of the contexts is full. */
int batch_next(struct batch *b, struct session *const *s, int n, const struct sampling *how,
               struct session_token *out, struct err *err);

/* The timeline: ids [session_len]. The last one may not have been read yet. Borrowed until the
 * next call on s. */
const int32_t *session_ids(const struct session *s);
int session_len(const struct session *s);
int session_ctx(const struct session *s);

/* How many ids of the prefix ids[0..n) the cache holds already: what session_read() will not
 * read. */
int session_held(const struct session *s, const int32_t *ids, int n);

/* Keeps the first n tokens, 0 <= n <= session_len(). Costs nothing. A cache that cannot be cut at
 * any position (deepseek4) may hold less than n then: the next call reads the rest again, and
 * counts it; session_held() tells. */
void session_cut(struct session *s, int n);

/* Takes the tokens [*from, to) out of the timeline, to < session_len() and read, and reads nothing
 * again: what stands behind them keeps its distances to what follows, what stands before them moves
 * up to it. *from is raised, by fewer than 64, to a position where the cache can be cut out. Logits
 * stay those of before. False: nothing has changed.
 *
 * errors  ERR_UNSUPPORTED: the model's kind of cache cannot do that. ERR_INPUT: fewer than 64
 *         tokens would go. ERR_NOMEM. */
bool session_drop(struct session *s, int *from, int to, struct err *err);
bool session_can_drop(const struct session *s);

/* Makes the running or next session_read()/session_next() return early, within a layer's time.
 * May be called from any thread and from a signal handler. The flag is cleared by the call that
 * sees it, or by session_cancel(s, false). */
void session_cancel(struct session *s, bool on);

/* Brings all that the session holds, and what comes, into a tier. Nothing is read again: from f16
 * or f32 rows to 8 bits and on to the others, or back, as far as the bits go.
 *
 * errors  ERR_UNSUPPORTED: the model's cache has one form only. ERR_NOMEM: what was not brought
 *         over stays as it was, and the session goes on in the tier asked for. */
bool session_set_far(struct session *s, const struct far_opts *far, struct err *err);

/* In the flash tier: true = a token reads the few rows that the index finds for it, and the means
 * of the rest; false = all rows. May change between any two calls; nothing is read again. */
void session_set_index(struct session *s, bool on);

/* How many rows a key head reads at most because the index says so, of up to SESSION_ROWS_AT tokens
 * (of more, as many times more, but SESSION_ROWS_MAX at most): 1 to SESSION_ROWS_MAX. 0, as in a
 * new session: so many that all a token reads of the cache, index included, comes to just under 8 %
 * of f16; at less than about SESSION_ROWS_AT tokens, as many rows as there. They are about
 * SESSION_ROWS. More cost time and nothing else. */
void session_set_rows(struct session *s, int n);

/* Reads the tokens [from, to) again, where they are, and holds them as f16 (or f32) rows from then
 * on, whatever the tier; what stands behind them is kept as it is, and so are logits. 64 tokens a
 * call at most, from a multiple of 64 on, from all rows before them. What is held exactly already
 * is passed over.
 *
 * return  the position it has come to: >= to, or the end = done; less = call again from there
 *         (after a cancel: nothing of that call's has changed). -1: *err.
 * errors  ERR_UNSUPPORTED: the model's cache has one form only. ERR_NOMEM. */
enum { SESSION_EXACT_TOKENS = 64 };
int session_read_exact(struct session *s, int from, int to, struct err *err);

/* The end of the tokens from `from` on that are held exactly all, or all not; at most
 * session_len(). */
int session_exact(const struct session *s, int from, bool *exact);

/* What a session holds and reads, as shares of nothing: bytes. */
struct far_stats {
    enum kv_tier tier;      /* the one it is held in */
    char why[256];          /* why that is not the one asked for; "": it is */
    bool by_index;          /* the last token was read by the index */
    uint64_t f16_bytes;     /* the same tokens as f16 rows */
    uint64_t memory_bytes;  /* of the cache in memory, but for rows of files */
    uint64_t disk_bytes;    /* of rows in files; the page cache may hold some of them */
    uint64_t read_bytes;    /* of the cache, read for the last token, by the whole network */
    double chosen;          /* by index: keys read for the last token by one key head, the newest
                             * included, on average */
    double values;          /* and values */
    double allowed;         /* and how many more than the first and the newest it might have read:
                             * what session_set_rows() means, or the share comes to */
    double mass;            /* and the share of all attention that went to what was read */
};
void session_far(const struct session *s, struct far_stats *out);

/* Bytes of the cache's rows in files that the kernel's page cache holds at this moment, measured:
 * it may drop them when memory is wanted. */
uint64_t session_resident(const struct session *s);

/* Counted by the engine since session_new(); all monotonic. */
struct session_stats {
    uint64_t n_read;        /* tokens run through the model */
    uint64_t n_re_read;     /* of these: tokens that the timeline had already held at the same
                             * position after the same prefix, and had been cut off since. A
                             * last token that is run again for its logits is one of them; one
                             * that was chosen anew is not, though it was chosen before too */
    uint64_t n_sampled;
    uint64_t n_drafted;     /* tokens that session_next() tried because they might follow ... */
    uint64_t n_accepted;    /* ... and of these, those that were chosen then */
    uint64_t read_us;       /* time in session_read() */
    uint64_t next_us;       /* time in session_next() */
    uint64_t kv_bytes;      /* bytes of the cache's blocks in use now */
};
void session_stats(const struct session *s, struct session_stats *out);

/* The logits of the last position read, [n_vocab]; NULL if there are none. Borrowed until the
 * next call on s. For measuring: a chat never needs them. */
const float *session_logits(const struct session *s);

/* A hash of these bytes: two runs that differ in any logit's bits differ here. 0: no logits. */
uint64_t session_logits_hash(const struct session *s);

/* Like session_read() of the whole prefix at once from an empty timeline, but calls sees every
 * position's logits: for probes and perplexity. want(pos) decides which rows are computed. */
bool session_score(struct session *s, const int32_t *ids, int n,
                   bool (*want)(int pos, int n, void *data),
                   void (*row)(int pos, const float *logits, void *data), void *data,
                   struct err *err);

/* Writes the cache and its ids to a file: temporary file beside it, fsync, rename, fsync of the
 * folder, mode 0600. On failure an older file is untouched and no temporary one is left. */
bool session_save(struct session *s, const char *path, struct err *err);

/* Takes the cache back from a file that session_save() wrote for the same model: full blocks are
 * mapped, not read, but for those of deepseek4. The session must be empty.
 *
 * errors  ERR_IO: no such file. ERR_FORMAT: damaged, cut, foreign, another version. ERR_LIMIT: it
 *         does not fit n_ctx. The session is then empty and usable. */
bool session_load(struct session *s, const char *path, struct err *err);

#endif
