/* app_choose.c -- votes, early stop, checks and the revision. What could break: a winner that
 * depends on the order in which candidates finish, a stop while the leader can still be caught, a
 * revision that wins without votes, and the arithmetic of voting that the modes rest on. */
#include "tests/test.h"

#include <math.h>

#include "app/choose.h"

static const char *const names[] = {"r", "a", "b", "c", "d", "e", "f", "g", "h"};
enum { ANSWERS = 9 }; /* one right, eight wrong */

/* ---- the known answers of voting ------------------------------------------------------------- */

/* Single try p; votes of 3, 5 and 10; mean tries of a vote of 5 with early stop; a rule check with
 * 4 and with 5 tries and its mean tries. In the second of a pair half of the wrong mass lies on
 * one answer. */
static const struct known {
    double p, vote3[2], vote5[2], vote10[2], tries5[2], check[2], checks[2];
} known[] = {
    {.05, {.047, .039}, {.035, .022}, {.022, .007}, {4.94, 4.61}, {.185, .226}, {3.71, 4.52}},
    {.15, {.156, .138}, {.172, .128}, {.198, .092}, {4.94, 4.69}, {.478, .556}, {3.19, 3.71}},
    {.30, {.345, .321}, {.446, .372}, {.598, .399}, {4.86, 4.72}, {.760, .832}, {2.53, 2.77}},
    {.40, {.478, .455}, {.622, .546}, {.805, .633}, {4.74, 4.64}, {.870, .922}, {2.18, 2.31}},
    {.50, {.609, .589}, {.769, .704}, {.926, .818}, {4.55, 4.49}, {.938, .969}, {1.88, 1.94}},
    {.60, {.732, .717}, {.878, .832}, {.979, .931}, {4.30, 4.27}, {.974, .990}, {1.62, 1.65}},
    {.80, {.924, .919}, {.985, .975}, {1.00, .998}, {3.67, 3.66}, {.998, 1.00}, {1.25, 1.25}},
};
enum { KNOWN = sizeof known / sizeof *known };

/* The probability of answer i of one try. */
static double mass(double p, bool lumped, int i)
{
    if (i == 0)
        return p;
    if (!lumped)
        return (1 - p) / 8;
    return i == 1 ? (1 - p) / 2 : (1 - p) / 14;
}

static void expect_near(double found, double expected, double within, const char *what, double p)
{
    if (fabs(found - expected) > within)
        fail_msg("%s at p = %.2f: %.4f, not %.3f", what, p, found, expected);
}

/* Every sequence of n tries, stopped early: P(the right answer wins) and the mean of tries. A full
 * vote over the same sequence must have the same winner. */
static void enumerate(int n, double win[KNOWN][2], double tries[KNOWN][2])
{
    long all = lround(pow(ANSWERS, n));
    for (long s = 0; s < all; s++) {
        struct vote early, full;
        struct tally t = {0};
        int answer[5], used = 0;
        vote_begin(&early, n);
        vote_begin(&full, n);
        long rest = s;
        for (int i = 0; i < n; i++, rest /= ANSWERS)
            answer[i] = (int)(rest % ANSWERS);
        while (!t.decided && used < n) {
            vote_cast(&early, used, names[answer[used]], 0, 0);
            vote_tally(&early, &t);
            used++;
        }
        for (int i = 0; i < n; i++)
            vote_cast(&full, i, names[answer[i]], 0, 0);
        struct tally whole;
        vote_tally(&full, &whole);
        assert_int_equal(answer[t.leader], answer[whole.leader]);
        for (int k = 0; k < KNOWN; k++)
            for (int lumped = 0; lumped < 2; lumped++) {
                double mine = 1;
                for (int i = 0; i < n; i++)
                    mine *= mass(known[k].p, lumped, answer[i]);
                win[k][lumped] += answer[t.leader] == 0 ? mine : 0;
                tries[k][lumped] += mine * used;
            }
        vote_release(&early);
        vote_release(&full);
    }
}

void test_vote_arithmetic(void **state)
{
    (void)state;
    static double win[2][KNOWN][2], tries[2][KNOWN][2];
    memset(win, 0, sizeof win);
    memset(tries, 0, sizeof tries);
    enumerate(3, win[0], tries[0]);
    enumerate(5, win[1], tries[1]);
    for (int k = 0; k < KNOWN; k++)
        for (int lumped = 0; lumped < 2; lumped++) {
            expect_near(win[0][k][lumped], known[k].vote3[lumped], .001, "vote-3", known[k].p);
            expect_near(win[1][k][lumped], known[k].vote5[lumped], .001, "vote-5", known[k].p);
            expect_near(tries[1][k][lumped], known[k].tries5[lumped], .006, "tries", known[k].p);
        }
}

/* The winner's share of one count of votes: of the answers tied at the top each was seen first
 * equally often, so the vote is held once for each of them in front. */
static double right_share(const int count[ANSWERS], int n)
{
    int most = 0, tied = 0, wins = 0;
    for (int i = 0; i < ANSWERS; i++)
        most = count[i] > most ? count[i] : most;
    for (int first = 0; first < ANSWERS; first++) {
        if (count[first] != most)
            continue;
        struct vote v;
        struct tally t;
        int at = 0;
        vote_begin(&v, n);
        for (int i = 0; i < ANSWERS; i++)
            for (int k = 0; k < count[(first + i) % ANSWERS]; k++)
                vote_cast(&v, at++, names[(first + i) % ANSWERS], 0, 0);
        vote_tally(&v, &t);
        wins += strcmp(v.ballot[t.leader].answer, names[0]) == 0;
        tied++;
        vote_release(&v);
    }
    return (double)wins / tied;
}

/* Adds the share of every way to give `left` votes to the answers from i on. */
static void enumerate_counts(int count[ANSWERS], int i, int left, int n, double win[KNOWN][2])
{
    if (i < ANSWERS - 1) {
        for (count[i] = 0; count[i] <= left; count[i]++)
            enumerate_counts(count, i + 1, left - count[i], n, win);
        return;
    }
    count[i] = left;
    double share = right_share(count, n);
    for (int k = 0; share > 0 && k < KNOWN; k++)
        for (int lumped = 0; lumped < 2; lumped++) {
            double mine = lgamma(n + 1.0);
            for (int a = 0; a < ANSWERS; a++)
                mine += count[a] * log(mass(known[k].p, lumped, a)) - lgamma(count[a] + 1.0);
            win[k][lumped] += share * exp(mine);
        }
}

void test_vote_arithmetic_of_ten(void **state)
{
    (void)state;
    static double win[KNOWN][2];
    int count[ANSWERS];
    memset(win, 0, sizeof win);
    enumerate_counts(count, 0, 10, 10, win);
    for (int k = 0; k < KNOWN; k++)
        for (int lumped = 0; lumped < 2; lumped++)
            expect_near(win[k][lumped], known[k].vote10[lumped], .001, "vote-10", known[k].p);
}

/* A rule check stops at the first pass: every sequence of passes and failures. */
void test_choose_check_arithmetic(void **state)
{
    (void)state;
    static const char prompt[] = "Reply with JSON.";
    for (int cap = 4; cap <= 5; cap++) {
        double win[KNOWN] = {0}, tries[KNOWN] = {0};
        for (int s = 0; s < 1 << cap; s++) {
            struct choose c;
            struct choose_result r;
            int used = 0;
            choose_begin(&c, prompt, sizeof prompt - 1, cap);
            for (enum choose_step step = CHOOSE_MORE; step == CHOOSE_MORE; used++) {
                struct choose_reply reply = {(s >> used) & 1 ? "{}" : "no", 2, 0, false};
                step = choose_candidate(&c, used, &reply);
            }
            choose_result(&c, &r);
            assert_int_equal(r.passed, s != 0);
            for (int k = 0; k < KNOWN; k++) {
                double mine = 1;
                for (int i = 0; i < cap; i++)
                    mine *= (s >> i) & 1 ? known[k].p : 1 - known[k].p;
                win[k] += r.passed ? mine : 0;
                tries[k] += mine * used;
            }
            choose_release(&c);
        }
        for (int k = 0; k < KNOWN; k++) {
            expect_near(win[k], known[k].check[cap - 4], .001, "check", known[k].p);
            expect_near(tries[k], known[k].checks[cap - 4], .006, "checks", known[k].p);
        }
    }
}

/* ---- the rules of a vote --------------------------------------------------------------------- */

struct cast {
    const char *answer;
    double logprob;
    int rank;
};

static void tally_of(const struct cast *cast, int in, int n, struct tally *t)
{
    struct vote v;
    vote_begin(&v, n);
    for (int i = 0; i < in; i++)
        vote_cast(&v, i, cast[i].answer, cast[i].logprob, cast[i].rank);
    vote_tally(&v, t);
    vote_release(&v);
}

void test_vote_tally(void **state)
{
    (void)state;
    static const struct {
        struct cast cast[5];
        int in, n, leader, votes, second, outstanding;
        bool decided, tied, split;
    } row[] = {
        {{{0}}, 0, 5, -1, 0, 0, 5, false, false, false},
        {{{"x", 0, 0}}, 1, 5, 0, 1, 0, 4, false, false, false},
        {{{"x", 0, 0}, {"x", 0, 0}}, 2, 5, 0, 2, 0, 3, false, false, false},
        {{{"x", 0, 0}, {"x", 0, 0}, {"x", 0, 0}}, 3, 5, 0, 3, 0, 2, true, false, false},
        {{{"x", 0, 0}, {"y", 0, 0}, {"y", 0, 0}, {"y", 0, 0}}, 4, 5, 1, 3, 1, 1, true, false,
         false},
        {{{"x", 0, 0}, {"y", 0, 0}, {"y", 0, 0}}, 3, 4, 1, 2, 1, 1, false, false, false},
        {{{"x", -2, 0}, {"y", -1, 0}}, 2, 2, 1, 1, 1, 0, false, true, true},
        {{{"x", -1, 0}, {"y", -1, 0}}, 2, 2, 0, 1, 1, 0, false, true, true},
        {{{"x", -1, 0}, {"y", NAN, 0}}, 2, 2, 0, 1, 1, 0, false, true, true},
        {{{"x", NAN, 0}, {"y", -9, 0}}, 2, 2, 1, 1, 1, 0, false, true, true},
        {{{NULL, 0, 0}, {"", 0, 0}, {"y", -5, 0}}, 3, 3, 2, 1, 0, 0, true, false, false},
        {{{NULL, 0, 0}, {"", 0, 0}}, 2, 2, -1, 0, 0, 0, false, false, false},
        {{{"x", -3, 0}, {"x", -1, 0}, {"x", -2, 1}}, 3, 3, 2, 3, 0, 0, true, false, false},
        {{{"x", -3, 0}, {"x", -1, 0}, {"x", -2, 0}}, 3, 3, 1, 3, 0, 0, true, false, false},
        {{{"x", 0, 0}, {"x", 0, 0}, {"y", 0, 0}, {"y", 0, 0}, {"z", 0, 0}}, 5, 5, 0, 2, 2, 0, false,
         true, true},
        {{{"x", 0, 0}, {"x", 0, 0}, {"y", 0, 0}, {"w", 0, 0}, {"z", 0, 0}}, 5, 5, 0, 2, 1, 0, true,
         false, true},
        {{{"x", 0, 0}, {"x", 0, 0}, {"x", 0, 0}, {"y", 0, 0}, {"y", 0, 0}}, 5, 5, 0, 3, 2, 0, true,
         false, false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct tally t;
        tally_of(row[i].cast, row[i].in, row[i].n, &t);
        bool right = t.leader == row[i].leader && t.votes == row[i].votes &&
                     t.second == row[i].second && t.outstanding == row[i].outstanding &&
                     t.decided == row[i].decided && t.tied == row[i].tied &&
                     t.split == row[i].split;
        if (!right)
            fail_msg("row %zu: leader %d with %d, second %d, %d out, %d %d %d", i, t.leader,
                     t.votes, t.second, t.outstanding, t.decided, t.tied, t.split);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 10;
}

static void shuffle(int *order, int n, uint32_t *seed)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int k = (int)(next_random(seed) % (uint32_t)(i + 1)), old = order[i];
        order[i] = order[k];
        order[k] = old;
    }
}

/* In whatever order candidates finish, the same one speaks for the winner; and numbered anew,
 * the same answer wins unless only the candidate number broke the tie. */
void test_vote_order_does_not_matter(void **state)
{
    (void)state;
    uint32_t seed = 2026;
    for (int run = 0; run < 3000; run++) {
        int n = 1 + (int)(next_random(&seed) % 5), order[5];
        struct cast cast[5], moved[5];
        struct tally t, u;
        struct vote v;
        for (int i = 0; i < n; i++) {
            const char *answer = next_random(&seed) % 6 ? names[next_random(&seed) % 3] : NULL;
            cast[i] = (struct cast){answer, -(double)(next_random(&seed) % 1000), 0};
            for (int k = 0; k < i; k++) /* no two alike */
                cast[i].logprob -= cast[i].logprob == cast[k].logprob ? 1000 + i : 0;
        }
        tally_of(cast, n, n, &t);
        shuffle(order, n, &seed);
        vote_begin(&v, n);
        for (int i = 0; i < n; i++)
            vote_cast(&v, order[i], cast[order[i]].answer, cast[order[i]].logprob, 0);
        vote_tally(&v, &u);
        assert_memory_equal(&t, &u, sizeof t);
        vote_release(&v);
        for (int i = 0; i < n; i++)
            moved[i] = cast[order[i]];
        tally_of(moved, n, n, &u);
        assert_int_equal(t.leader < 0, u.leader < 0);
        if (t.leader >= 0)
            assert_string_equal(cast[t.leader].answer, moved[u.leader].answer);
    }
}

/* ---- choosing -------------------------------------------------------------------------------- */

static enum choose_step finish(struct choose *c, int k, const char *text, double logprob)
{
    struct choose_reply r = {text, strlen(text), logprob, false};
    return choose_candidate(c, k, &r);
}

static void begin(struct choose *c, const char *prompt)
{
    choose_begin(c, prompt, strlen(prompt), CHOOSE_MAX);
}

static void expect_line(const struct choose *c, const char *line)
{
    struct buf b = {0};
    choose_describe(c, &b);
    assert_string_equal(buf_text(&b), line);
    buf_release(&b);
}

static int winner(const struct choose *c)
{
    struct choose_result r;
    choose_result(c, &r);
    return r.winner;
}

void test_choose_open_text_spends_nothing(void **state)
{
    (void)state;
    struct choose c;
    begin(&c, "Why is the sky blue?");
    assert_int_equal(c.method, CHOOSE_FIRST);
    assert_int_equal(c.n0, 1);
    assert_int_equal(winner(&c), -1);
    assert_int_equal(finish(&c, 0, "Because.", -1), CHOOSE_STOP);
    assert_int_equal(winner(&c), 0);
    assert_false(choose_revises(&c));
    expect_line(&c, "1 candidate: nothing to compare by");
    choose_release(&c);
}

void test_choose_check_stops_at_first_pass(void **state)
{
    (void)state;
    struct choose c;
    struct choose_mark m;
    begin(&c, "Write exactly 3 words. Include the word \"owl\".");
    assert_int_equal(c.method, CHOOSE_CHECK);
    assert_int_equal(c.n0, CHOOSE_MAX);
    expect_line(&c, "no candidate has finished");
    assert_int_equal(finish(&c, 2, "Birds fly high up.", -0.1), CHOOSE_MORE);
    assert_int_equal(finish(&c, 0, "The owl flies off.", -0.5), CHOOSE_MORE);
    assert_int_equal(winner(&c), 0);
    expect_line(&c, "candidate 1 keeps 1 of 2 demands");
    choose_mark(&c, 0, &m);
    assert_string_equal(m.why, "4 words, not exactly 3 words\n");
    assert_int_equal(m.kept, 1);
    assert_int_equal(finish(&c, 4, "One owl flies.", -9), CHOOSE_STOP);
    assert_int_equal(winner(&c), 4);
    expect_line(&c, "candidate 5 keeps all 2 demands");
    choose_mark(&c, 1, &m);
    assert_false(m.in);
    choose_release(&c);
}

/* A reply that was cut off passes nothing, whatever it says; an empty one is the last resort. */
void test_choose_capped_and_empty(void **state)
{
    (void)state;
    struct choose c;
    struct choose_reply capped = {"One owl flies.", 14, 0, true};
    begin(&c, "Write at least 3 words.");
    assert_int_equal(choose_candidate(&c, 0, &capped), CHOOSE_MORE);
    expect_line(&c, "candidate 1 was cut off");
    assert_int_equal(finish(&c, 1, " \n", 0), CHOOSE_MORE);
    assert_int_equal(winner(&c), 0);
    assert_int_equal(finish(&c, 2, "Owls.", -3), CHOOSE_MORE);
    assert_int_equal(winner(&c), 2);
    choose_release(&c);

    begin(&c, "How many owls are there?");
    capped = (struct choose_reply){"7", 1, 0, true};
    for (int k = 0; k < 4; k++)
        assert_int_equal(choose_candidate(&c, k, &capped), CHOOSE_MORE);
    assert_int_equal(finish(&c, 4, "I cannot say.", -1), CHOOSE_STOP);
    assert_int_equal(winner(&c), 4);
    expect_line(&c, "no candidate gave an answer to compare");
    assert_false(choose_revises(&c));
    choose_release(&c);
}

void test_choose_vote_stops_early(void **state)
{
    (void)state;
    struct choose c;
    struct choose_mark m;
    begin(&c, "How many owls are there?");
    assert_int_equal(c.method, CHOOSE_VOTE);
    assert_int_equal(c.n0, CHOOSE_MAX);
    assert_int_equal(finish(&c, 3, "The answer is 7.", -2), CHOOSE_MORE);
    assert_int_equal(finish(&c, 0, "3 and 4 make 7.0", -1), CHOOSE_MORE);
    choose_mark(&c, 3, &m);
    assert_string_equal(m.answer, "7");
    assert_int_equal(m.agree, 2);
    assert_int_equal(finish(&c, 1, "seven", -5), CHOOSE_STOP);
    assert_int_equal(winner(&c), 0);
    expect_line(&c, "3 of 3 say 7");
    choose_release(&c);
}

/* Of those that agree the one speaks that also kept to the form. */
void test_choose_vote_prefers_form(void **state)
{
    (void)state;
    struct choose c;
    begin(&c, "How many owls are there? Answer with a single number.");
    assert_int_equal(c.method, CHOOSE_VOTE);
    finish(&c, 0, "There are 7 of them.", -0.1);
    finish(&c, 1, "7", -4);
    assert_int_equal(finish(&c, 2, "I see 7.", -0.2), CHOOSE_STOP);
    assert_int_equal(winner(&c), 1);
    choose_release(&c);
}

static void split_vote(struct choose *c)
{
    static const char *const text[] = {"7", "8", "8", "7", "9"};
    begin(c, "How many owls are there?");
    for (int k = 0; k < 5; k++) {
        assert_false(choose_revises(c));
        finish(c, k, text[k], k == 0 ? -1 : -2);
    }
}

void test_choose_revision(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool capped;
        double logprob;
        int winner;
        const char *line;
    } row[] = {
        {"8", false, -3, 1, "3 of 6 say 8, after revision"},
        {"8", false, -1, 5, "3 of 6 say 8, after revision"},
        {"7", false, -3, 0, "3 of 6 say 7, after revision"},
        {"10", false, 0, 0, "2 of 6 say 7, a tie: the more probable one, revision outvoted"},
        {"8", true, 0, 0, "2 of 5 say 7, a tie: the more probable one, revision outvoted"},
        {"", false, 0, 0, "2 of 5 say 7, a tie: the more probable one, revision outvoted"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct choose c;
        split_vote(&c);
        assert_true(choose_revises(&c));
        assert_int_equal(winner(&c), 0);
        expect_line(&c, "2 of 5 say 7, a tie: the more probable one");
        struct choose_reply r = {row[i].text, strlen(row[i].text), row[i].logprob, row[i].capped};
        choose_revision(&c, &r);
        assert_false(choose_revises(&c)); /* never a second round */
        assert_int_equal(winner(&c), row[i].winner);
        expect_line(&c, row[i].line);
        choose_release(&c);
    }
}

/* A tie of options goes to the one whose text is likelier, if one was weighed; votes come first. */
void test_choose_likely_option(void **state)
{
    (void)state;
    static const char *const text[] = {"A", "(B)", "B", "A", "C"};
    struct choose c;
    begin(&c, "Which of them is a planet? A) the sun B) mars C) the moon");
    for (int k = 0; k < 5; k++) {
        assert_false(choose_weighs(&c));
        finish(&c, k, text[k], k == 0 ? -1 : -2);
    }
    assert_int_equal(winner(&c), 0);
    assert_true(choose_weighs(&c));
    const double probability[] = {0.2, 0.5, 0.9};
    for (int i = 0; i < 3; i++)
        choose_weigh(&c, i, probability[i]);
    assert_int_equal(winner(&c), 1);
    expect_line(&c, "2 of 5 say B, a tie: the likelier option");
    assert_false(choose_weighs(&c));
    choose_release(&c);
    split_vote(&c);
    assert_false(choose_weighs(&c));        /* no options */
    choose_release(&c);
}

void test_choose_no_revision_without_a_split(void **state)
{
    (void)state;
    struct choose c;
    begin(&c, "How many owls are there?");
    finish(&c, 0, "7", 0);
    finish(&c, 1, "8", 0);
    finish(&c, 2, "8", 0);
    finish(&c, 3, "7", 0);
    finish(&c, 4, "7", 0);
    assert_false(choose_revises(&c));
    choose_release(&c);
    begin(&c, "Reply with JSON.");
    for (int k = 0; k < 5; k++)
        finish(&c, k, k % 2 ? "no" : "none", 0);
    assert_false(choose_revises(&c));
    choose_release(&c);
}

/* Random replies in random orders: without an early stop the same candidate wins. */
void test_choose_order_does_not_matter(void **state)
{
    (void)state;
    static const char *const prompt[] = {"How many?", "Is it? Answer yes or no.",
                                         "Write exactly 2 words. Use the word \"owl\"."};
    static const char *const text[] = {"7", "The answer is 8.", "yes", "No.", "", "an owl",
                                       "owl", "an owl flies", "\xFF\xFE"};
    uint32_t seed = 7;
    for (int run = 0; run < 600; run++) {
        struct choose_reply reply[CHOOSE_MAX];
        int order[CHOOSE_MAX], first = -2;
        for (int k = 0; k < CHOOSE_MAX; k++) {
            const char *s = text[next_random(&seed) % (sizeof text / sizeof *text)];
            reply[k] = (struct choose_reply){s, strlen(s), -(double)(next_random(&seed) % 3),
                                             next_random(&seed) % 8 == 0};
        }
        for (int again = 0; again < 4; again++) {
            struct choose c;
            begin(&c, prompt[run % 3]);
            shuffle(order, CHOOSE_MAX, &seed);
            for (int k = 0; k < CHOOSE_MAX; k++)
                choose_candidate(&c, order[k], &reply[order[k]]);
            first = again ? first : winner(&c);
            assert_int_equal(winner(&c), first);
            choose_release(&c);
        }
    }
}
