/* app_candidates.c -- several candidates of one turn, on a model that rolls dice. What could break:
 * a change of mode or an end that reads tokens again or chooses nothing; a candidate whose tokens
 * depend on its company; a timeline that is not the chosen reply's; a bad reply that wins. */
#include "tests/app_run.h"

#include "app/strand.h"

static const char vote[] = "What is 3 + 4? Answer with one number.";
static const char check[] = "Say something. Your answer must contain the word \"2\".";
static const char bullets[] = "Answer in exactly 3 bullet points.";

static const char *answer_of(const struct reply *r)
{
    static char text[4][64];
    static int next;
    char *all = reply_join(r, PART_ANSWER);
    next = (next + 1) % 4;
    snprintf(text[next], sizeof text[next], "%s", all);
    free(all);
    return text[next];
}

/* What holds after each turn, whatever came between: nothing was read again; the ids of prompt and
 * replies are the timeline; the chosen reply is the last one, and the next turn reuses it. */
static void check_after(struct run *r, int turn)
{
    const struct turn *t = &r->c.turn[turn];
    run_nothing_re_read(r);
    if (r->all % 4 == 0) /* of so many that is enough */
        run_logged(r);
    if (t->chosen < 0)
        return;
    assert_int_equal(t->chosen, t->n_reply - 1);
    int n = r->c.begin.n + t->ids.n + t->reply[t->chosen].ids.n;
    assert_int_equal(r->done.ctx_used, n);
    r->change_at = r->cancel_at = -1;
    run_ask(r, "and then?", MODE_FLASH);
    run_nothing_re_read(r);
    assert_true(r->done.usage.reused_tokens >= n - 8); /* the end of the message was not read */
}

/* How many tokens the turn takes that nothing disturbs. */
static int tokens_of(const char *question, enum mode_id mode, uint64_t seed, int max)
{
    struct run r;
    run_open(&r, "dice.gguf");
    r.seed = seed;
    r.max = max;
    run_ask(&r, question, mode);
    int n = r.all;
    run_close(&r);
    return n;
}

static int together, revised;

static void check_toggle(const char *question, uint64_t seed, enum mode_id from, enum mode_id to)
{
    int end = tokens_of(question, from, seed, 10);
    for (int at = 0; at <= end; at++) {
        struct run r;
        run_open(&r, "dice.gguf");
        r.seed = seed;
        r.max = 10;
        r.change_at = at;
        r.change_to = to;
        int t = run_ask(&r, question, from);
        together += r.running > 1;
        revised += r.revising;
        assert_true(r.done.reason == REASON_STOP || r.done.reason == REASON_LENGTH);
        check_after(&r, t);
        run_close(&r);
    }
}

/* Options that are tied are scored by their texts, on forks: the tokens read for that are counted,
 * none is read again, and the timeline is the chosen reply's. */
void test_candidates_likely_option(void **state)
{
    (void)state;
    static const char options[] = "Which of them is it? Answer with 1, 2 or 3.";
    int tied = 0;
    for (uint64_t seed = 1; seed <= 40 && !tied; seed++) {
        struct run r;
        run_open(&r, "dice.gguf");
        r.seed = seed;
        r.max = 10;
        int t = run_ask(&r, options, MODE_PRO_MAX);
        if (strstr(buf_text(&r.tray.why), ", a tie: the likelier option")) {
            tied++;
            check_after(&r, t);
        }
        assert_null(strstr(buf_text(&r.tray.why), ", a tie: the more probable one"));
        run_close(&r);
    }
    assert_int_equal(tied, 1);
}

/* Each pair of modes at every token of a turn, candidates and revisions included. */
void test_candidates_toggle(void **state)
{
    (void)state;
    for (int from = 0; from < MODE_COUNT; from++)
        for (int to = 0; to < MODE_COUNT; to++) {
            check_toggle(vote, 1, (enum mode_id)from, (enum mode_id)to);
            check_toggle(vote, 4, (enum mode_id)from, (enum mode_id)to); /* a split vote */
            check_toggle(check, 4, (enum mode_id)from, (enum mode_id)to);
        }
    assert_true(together > 50);
    assert_true(revised > 5);
}

/* "Answer now": the leader so far, or the oldest one alone. */
void test_candidates_answer_now(void **state)
{
    (void)state;
    int leaders = 0, alone = 0;
    for (int at = 0; at < 40; at++) {
        struct run r;
        run_open(&r, "dice.gguf");
        r.seed = 9; /* one of them thinks on and on */
        r.change_at = at;
        r.change_to = MODE_FLASH;
        run_ask(&r, vote, MODE_PRO_MAX);
        bool had = false;
        for (int k = 0; k < r.tray.n; k++)
            had = had || r.tray.row[k].mark.state == CANDIDATE_FINISHED;
        if (had && r.modes && r.running > 0) {
            assert_true(r.tray.row[r.tray.chosen].mark.state == CANDIDATE_FINISHED);
            assert_true(r.all <= at + 5);
            leaders++;
        } else if (r.running == 5) {
            assert_int_equal(r.tray.chosen, 0);
            assert_int_equal(r.modes, 1);
            alone++;
        }
        run_close(&r);
    }
    assert_true(leaders > 5);
    assert_true(alone > 2);
}

/* Stopped at every token: a reply that can be gone on from. One that had finished is whole. */
void test_candidates_cancel(void **state)
{
    (void)state;
    static const char *const question[] = {vote, check};
    int whole = 0;
    for (int q = 0; q < 2; q++)
        for (int at = 0, end = tokens_of(question[q], MODE_PRO_MAX, 4, 0); at < end; at++) {
            struct run r;
            run_open(&r, "dice.gguf");
            r.seed = 4;
            r.cancel_at = at;
            int t = run_ask(&r, question[q], MODE_PRO_MAX);
            assert_true(r.done.reason == REASON_STOP || r.done.reason == REASON_CANCELLED);
            if (r.done.reason == REASON_STOP && r.running > 0) {
                assert_true(r.tray.told);
                whole++;
            }
            check_after(&r, t);
            run_close(&r);
        }
    assert_true(whole > 3);
}

static void keep(const struct run *r, int turn, struct ids kept[TRAY_MAX])
{
    for (int k = 1; k < r->tray.n; k++) {
        int i = r->tray.row[k].sibling;
        if (i >= 0 && r->tray.row[k].mark.from < 0)
            ids_append(&kept[k], r->c.turn[turn].reply[i].ids.id, r->c.turn[turn].reply[i].ids.n);
    }
}

static void same(const struct ids *a, const struct ids *b, int *n)
{
    if (a->n == 0 || b->n == 0)
        return;
    (*n)++;
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->id, b->id, (size_t)a->n * sizeof *a->id);
}

/* A candidate says the same beside candidate 0, behind one that was escalated, or where others stop
 * earlier. */
void test_candidates_are_independent(void **state)
{
    (void)state;
    static const char *const fixture[] = {"dice.gguf", "tiny-qwen3.gguf"};
    int compared = 0;
    for (int f = 0; f < 2; f++)
        for (uint64_t seed = 1; seed < (f ? 3 : 20); seed++) {
            struct ids kept[2][TRAY_MAX] = {0};
            for (int i = 0; i < 2; i++) {
                struct run r;
                run_open(&r, fixture[f]);
                r.seed = seed;
                r.max = 20;
                r.change_at = i ? 1 : -1;
                r.change_to = MODE_PRO_MAX;
                keep(&r, run_ask(&r, vote, i ? MODE_FLASH : MODE_PRO_MAX), kept[i]);
                run_close(&r);
            }
            for (int k = 1; k < TRAY_MAX; k++) {
                same(&kept[0][k], &kept[1][k], &compared);
                ids_release(&kept[0][k]);
                ids_release(&kept[1][k]);
            }
        }
    assert_true(compared > 20);
}

void test_candidates_seeds(void **state)
{
    (void)state;
    assert_true(strand_seed(7, 3, 0) == 7);
    assert_true(strand_seed(7, 3, 1) != strand_seed(7, 3, 2));
    assert_true(strand_seed(7, 3, 1) != strand_seed(7, 4, 1));
    assert_true(strand_seed(8, 3, 1) != strand_seed(7, 3, 1));
    assert_true(strand_seed(7, 3, 1) == strand_seed(7, 3, 1));
}

/* A whole reply wins over cut off and empty ones, whatever the dice say. */
void test_candidates_winner(void **state)
{
    (void)state;
    int others = 0, bad = 0, rounds = 0;
    for (uint64_t seed = 1; seed < 80; seed++) {
        struct run r;
        run_open(&r, "dice.gguf");
        r.seed = seed;
        r.max = 6;
        int t = run_ask(&r, vote, MODE_PRO_MAX), good = 0;
        assert_true(r.tray.told);
        for (int k = 0; k < r.tray.n; k++) {
            const struct candidate_mark *m = &r.tray.row[k].mark;
            good += m->agree > 0;
            bad += m->capped || m->empty;
            rounds += m->from >= 0;
        }
        const struct candidate_mark *m = &r.tray.row[r.tray.chosen].mark;
        assert_true(good > 0); /* the first one is greedy, and says 1 */
        assert_true(m->agree > 0 && !m->capped && !m->empty);
        assert_true(strchr("123", answer_of(run_reply(&r, t))[0]) != NULL);
        others += r.tray.chosen > 0;
        run_close(&r);
    }
    assert_true(others > 5);
    assert_true(bad > 5);
    assert_true(rounds > 5);
}

/* Demands: those that failed are siblings of the first that passed; no more begin than needed. */
void test_candidates_check(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "dice.gguf");
    int t = run_ask(&r, check, MODE_PRO_MAX);
    assert_true(r.tray.chosen > 0);
    assert_string_equal(answer_of(run_reply(&r, t)), "2");
    assert_non_null(strstr(buf_text(&r.tray.why), "keeps the demand"));
    assert_string_equal(answer_of(&r.c.turn[t].reply[0]), "1");
    assert_true(r.done.usage.losing_tokens > 0);
    run_close(&r);
    run_open(&r, "dice.gguf");
    t = run_ask(&r, "Say something. Your answer must contain the word \"1\".", MODE_PRO_MAX);
    assert_int_equal(r.tray.n, 1);
    assert_int_equal(r.c.turn[t].n_reply, 1);
    assert_int_equal(r.done.usage.losing_tokens, 0);
    run_close(&r);
}

/* How many of its replies thought; this model opens a thought by itself too, which is closed. */
static int thoughts_of(const struct turn *t)
{
    int n = 0;
    for (int k = 0; k < t->n_reply; k++) {
        char *thought = reply_join(&t->reply[k], PART_THINKING);
        n += *thought != 0;
        free(thought);
    }
    return n;
}

/* Retries of what a rule checks answer without a thought of their own, where the first had one;
 * what is voted on has one each. */
void test_candidates_retries_are_direct(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "dice.gguf");
    int t = run_ask(&r, bullets, MODE_PRO_MAX);
    assert_int_equal(r.c.turn[t].n_reply, 5);
    assert_int_equal(thoughts_of(&r.c.turn[t]), 1);
    r.seed = 9;
    t = run_ask(&r, vote, MODE_PRO_MAX);
    assert_true(r.c.turn[t].n_reply > 1);
    assert_int_equal(thoughts_of(&r.c.turn[t]), r.c.turn[t].n_reply);
    run_close(&r);
}

void test_candidates_all_fail(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 12; seed++) {
        struct run r;
        run_open(&r, "dice.gguf");
        r.seed = seed;
        int t = run_ask(&r, bullets, MODE_PRO_MAX);
        assert_int_equal(r.tray.n, 5);
        assert_int_equal(r.c.turn[t].n_reply, 5);
        assert_non_null(strstr(buf_text(&r.tray.why), "keeps 0 of 1 demand"));
        check_after(&r, t);
        run_close(&r);
    }
}

/* Open text spends nothing more and says so; a mode with one candidate says nothing. */
void test_candidates_open_text(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "dice.gguf");
    run_ask(&r, "Tell me of the sea.", MODE_PRO_MAX);
    assert_int_equal(r.tray.n, 1);
    assert_string_equal(buf_text(&r.tray.why), "1 candidate: nothing to compare by");
    run_ask(&r, vote, MODE_PRO);
    assert_int_equal(r.tray.n, 1);
    assert_false(r.tray.told);
    run_close(&r);
}

/* Room for an answer and no thought, and for hardly that. */
void test_candidates_little_room(void **state)
{
    (void)state;
    for (int ctx = 100; ctx < 180; ctx += 7) {
        struct run r;
        run_open_as(&r, "dice.gguf", NULL);
        r.b->ops->close(&r.b);
        r.o.ctx = ctx;
        r.b = local_new(test_fixture("dice.gguf"), &r.o);
        struct err err;
        assert_true(r.b->ops->open(r.b, &r.list, &err));
        run_take(&r, -1);
        r.seed = 4;
        int t = run_ask(&r, vote, MODE_PRO_MAX);
        assert_true(r.done.reason == REASON_STOP || r.done.reason == REASON_CONTEXT ||
                    r.done.reason == REASON_LENGTH);
        assert_true(r.done.ctx_used <= ctx + 8);
        assert_true(run_reply(&r, t)->n_part > 0);
        run_nothing_re_read(&r);
        run_close(&r);
    }
}

/* A cache that cannot be shared: one candidate, and a line that says why. */
void test_candidates_without_forks(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "tiny-deepseek4.gguf");
    r.max = 8;
    int t = run_ask(&r, vote, MODE_PRO_MAX);
    assert_int_equal(r.c.turn[t].n_reply, 1);
    assert_non_null(strstr(buf_text(&r.notes), "1 candidate: the cache of deepseek4"));
    run_nothing_re_read(&r);
    run_close(&r);
}

/* What the rows say, while they run and when all is over. */
void test_candidates_rows(void **state)
{
    (void)state;
    struct run r;
    struct buf left = {0}, right = {0}, all = {0};
    run_open(&r, "dice.gguf");
    r.seed = 9;
    int t = run_ask(&r, vote, MODE_PRO_MAX);
    for (int k = 0; k < r.tray.n; k++) {
        buf_clear(&left);
        buf_clear(&right);
        tray_line(&r.tray, k, run_reply(&r, t), &left, &right);
        buf_printf(&all, "%s|%s\n", buf_text(&left), buf_text(&right));
        assert_non_null(strstr(buf_text(&right), " tok"));
    }
    assert_non_null(strstr(buf_text(&all), "* 2 2|3 agree  -"));
    assert_non_null(strstr(buf_text(&all), "  1 1|"));
    run_ask(&r, bullets, MODE_PRO_MAX);
    buf_clear(&left);
    tray_line(&r.tray, 0, NULL, &left, &right);
    assert_non_null(strstr(buf_text(&left), "keeps 0 of 1; not: "));
    buf_clear(&left);
    r.tray.over = false;
    r.tray.told = false;
    r.tray.row[1].mark.state = CANDIDATE_BEGUN;
    reply_text(&r.tray.row[1].reply, PART_THINKING, MODE_PRO_MAX, "so\n\n it  is", 11);
    tray_line(&r.tray, 1, NULL, &left, &right);
    assert_string_equal(buf_text(&left), "  2 so it is");
    buf_release(&left);
    buf_release(&right);
    buf_release(&all);
    run_close(&r);
}
