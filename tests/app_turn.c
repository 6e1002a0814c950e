/* app_turn.c -- the state machine of a turn. What could break: an answer without room after a
 * thought, a cap that is missed, a change of mode that closes or opens the wrong thing. */
#include "tests/test.h"

#include "app/turn.h"

static struct turn_state begun(enum mode_id mode, int room)
{
    struct turn_limits limits = {.room = room, .tail_tokens = 10};
    struct turn_state t;
    turn_begin(&t, mode, &limits);
    return t;
}

/* Feeds text tokens until the step is another one; returns how many were fed. */
static int feed(struct turn_state *t, enum turn_step *step)
{
    int n = 0;
    do {
        *step = turn_token(t, TURN_TOKEN_TEXT);
        n++;
    } while (*step == TURN_KEEP && n < 100000);
    return n;
}

void test_turn_flash_answers_at_once(void **state)
{
    (void)state;
    struct turn_state t = begun(MODE_FLASH, 5000);
    enum turn_step step;
    assert_int_equal(turn_opened(&t), TURN_SKIP);
    assert_int_equal(t.phase, TURN_ANSWER);
    assert_int_equal(feed(&t, &step), mode_get(MODE_FLASH)->answer_tokens);
    assert_int_equal(step, TURN_KEEP_END);
    assert_int_equal(t.reason, REASON_LENGTH);
}

/* What was changed of a row holds in the turn, and in a mode it changes to. */
void test_turn_rows_of_the_turn(void **state)
{
    (void)state;
    struct mode rows[MODE_MAX];
    enum turn_step step;
    for (int m = 0; m < MODE_COUNT; m++)
        rows[m] = *mode_get((enum mode_id)m);
    rows[MODE_FLASH].think = MODE_THINK_ONE;
    rows[MODE_FLASH].think_tokens = 30;
    rows[MODE_PRO].think_tokens = 50;
    rows[MODE_PRO].answer_tokens = 40;
    struct turn_limits limits = {.room = 5000, .tail_tokens = 10, .rows = rows};
    struct turn_state t;
    turn_begin(&t, MODE_FLASH, &limits);
    assert_int_equal(turn_opened(&t), TURN_OPEN);
    for (int i = 0; i < 10; i++)
        assert_int_equal(turn_token(&t, TURN_TOKEN_TEXT), TURN_KEEP);
    assert_int_equal(turn_mode(&t, MODE_PRO), TURN_NOTHING);
    assert_int_equal(feed(&t, &step), 40);
    assert_int_equal(step, TURN_KEEP_CLOSE);
    assert_int_equal(feed(&t, &step), 40);
    assert_int_equal(step, TURN_KEEP_END);
}

void test_turn_thought_is_capped_and_answered(void **state)
{
    (void)state;
    for (int m = MODE_PRO; m <= MODE_PRO_MAX; m++) {
        struct turn_state t = begun((enum mode_id)m, 8000);
        enum turn_step step;
        assert_int_equal(turn_opened(&t), TURN_OPEN);
        turn_tail(&t, 10);
        assert_int_equal(feed(&t, &step), mode_get((enum mode_id)m)->think_tokens);
        assert_int_equal(step, TURN_KEEP_CLOSE);
        assert_true(t.capped);
        assert_int_equal(t.phase, TURN_ANSWER);
        turn_tail(&t, 10);
        assert_int_equal(feed(&t, &step), mode_get((enum mode_id)m)->answer_tokens);
        assert_int_equal(step, TURN_KEEP_END);
    }
}

/* Whatever the room, a thought leaves half of it to the answer and the turn ends inside it. */
void test_turn_room_is_kept_for_the_answer(void **state)
{
    (void)state;
    for (int room = 1; room < 4000; room += 7) {
        struct turn_state t = begun(MODE_PRO_MAX, room);
        enum turn_step step;
        int thought = 0;
        if (turn_opened(&t) == TURN_OPEN) {
            turn_tail(&t, 10);
            thought = feed(&t, &step);
            assert_int_equal(step, TURN_KEEP_CLOSE);
            turn_tail(&t, 10);
        }
        int answer = feed(&t, &step);
        assert_int_equal(step, TURN_KEEP_END);
        assert_true(t.used <= room);
        assert_true(answer >= room / 2 || answer == mode_get(MODE_PRO_MAX)->answer_tokens);
        assert_true(thought == 0 || thought >= 16);
    }
}

void test_turn_end_tokens(void **state)
{
    (void)state;
    struct turn_state t = begun(MODE_PRO, 4000);
    assert_int_equal(turn_opened(&t), TURN_OPEN);
    assert_int_equal(turn_token(&t, TURN_TOKEN_END), TURN_DROP_CLOSE);
    assert_int_equal(t.phase, TURN_ANSWER);
    assert_int_equal(turn_token(&t, TURN_TOKEN_END), TURN_DROP_END);
    assert_int_equal(t.reason, REASON_STOP);

    t = begun(MODE_PRO, 4000);
    turn_opened(&t);
    assert_int_equal(turn_token(&t, TURN_TOKEN_THINK_END), TURN_KEEP);
    assert_int_equal(t.phase, TURN_ANSWER);
    assert_int_equal(turn_token(&t, TURN_TOKEN_TEXT), TURN_KEEP);
    assert_int_equal(t.n_think, 1);
    assert_int_equal(t.n_answer, 1);
}

void test_turn_max_tokens_and_context(void **state)
{
    (void)state;
    struct turn_limits limits = {.room = 5000, .tail_tokens = 10, .answer_tokens = 7};
    struct turn_state t;
    enum turn_step step;
    turn_begin(&t, MODE_FLASH, &limits);
    turn_opened(&t);
    assert_int_equal(feed(&t, &step), 7);
    assert_int_equal(t.reason, REASON_LENGTH);
    t = begun(MODE_FLASH, 40);
    turn_opened(&t);
    assert_int_equal(feed(&t, &step), 40);
    assert_int_equal(t.reason, REASON_CONTEXT);
}

/* Each pair of modes, in the middle of a thought or of an answer. */
void test_turn_mode_changes(void **state)
{
    (void)state;
    static const struct {
        enum mode_id from, to;
        enum turn_phase in;
        enum turn_step step;
        enum turn_phase after;
    } row[] = {
        {MODE_FLASH, MODE_PRO, TURN_ANSWER, TURN_AGAIN, TURN_THINK},
        {MODE_FLASH, MODE_PRO_MAX, TURN_ANSWER, TURN_AGAIN, TURN_THINK},
        {MODE_PRO, MODE_FLASH, TURN_THINK, TURN_CLOSE, TURN_ANSWER},
        {MODE_PRO_MAX, MODE_FLASH, TURN_THINK, TURN_CLOSE, TURN_ANSWER},
        {MODE_PRO, MODE_PRO_MAX, TURN_THINK, TURN_NOTHING, TURN_THINK},
        {MODE_PRO_MAX, MODE_PRO, TURN_THINK, TURN_NOTHING, TURN_THINK},
        {MODE_PRO_MAX, MODE_FLASH, TURN_ANSWER, TURN_NOTHING, TURN_ANSWER},
        {MODE_PRO, MODE_FLASH, TURN_ANSWER, TURN_NOTHING, TURN_ANSWER},
        {MODE_PRO, MODE_PRO_MAX, TURN_ANSWER, TURN_AGAIN, TURN_THINK},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct turn_state t = begun(row[i].from, 8000);
        turn_opened(&t);
        if (row[i].in == TURN_ANSWER && t.phase == TURN_THINK)
            turn_token(&t, TURN_TOKEN_END);
        for (int n = 0; n < 20; n++)
            assert_int_equal(turn_token(&t, TURN_TOKEN_TEXT), TURN_KEEP);
        assert_int_equal(t.phase, row[i].in);
        assert_int_equal(turn_mode(&t, row[i].to), row[i].step);
        assert_int_equal(t.phase, row[i].after);
        assert_int_equal(t.mode, row[i].to);
    }
}

void test_turn_mode_before_the_prompt_is_read(void **state)
{
    (void)state;
    struct turn_state t = begun(MODE_FLASH, 8000);
    assert_int_equal(turn_mode(&t, MODE_PRO_MAX), TURN_NOTHING);
    assert_int_equal(turn_opened(&t), TURN_OPEN);
    t = begun(MODE_PRO_MAX, 8000);
    assert_int_equal(turn_mode(&t, MODE_FLASH), TURN_NOTHING);
    assert_int_equal(turn_opened(&t), TURN_SKIP);
}

/* A smaller budget holds at once, even if the thought is already longer. */
void test_turn_smaller_budget_holds_at_once(void **state)
{
    (void)state;
    struct turn_state t = begun(MODE_PRO_MAX, 8000);
    enum turn_step step;
    turn_opened(&t);
    for (int n = 0; n < 300; n++)
        turn_token(&t, TURN_TOKEN_TEXT);
    turn_mode(&t, MODE_PRO);
    assert_int_equal(feed(&t, &step), 1);
    assert_int_equal(step, TURN_KEEP_CLOSE);

    t = begun(MODE_PRO, 8000);
    turn_opened(&t);
    for (int n = 0; n < 100; n++)
        turn_token(&t, TURN_TOKEN_TEXT);
    turn_mode(&t, MODE_PRO_MAX);
    assert_int_equal(feed(&t, &step), mode_get(MODE_PRO_MAX)->think_tokens - 100);
}

void test_turn_repeats(void **state)
{
    (void)state;
    int32_t ids[400];
    for (int period = 1; period <= 60; period++) {
        for (int i = 0; i < 400; i++)
            ids[i] = i < 100 ? 1000 + i : i % period;
        int need = 4 * period > 96 ? 4 * period : 96;
        for (int n = 1; n <= 400; n++)
            assert_int_equal(turn_repeats(ids, n), period <= 48 && n >= 100 + need);
    }
    struct turn_state t = begun(MODE_PRO, 4000);
    turn_opened(&t);
    assert_int_equal(turn_looped(&t), TURN_CLOSE);
    assert_true(t.capped);
    assert_int_equal(turn_looped(&t), TURN_NOTHING);
    assert_int_equal(t.phase, TURN_OVER);
    assert_int_equal(t.reason, REASON_LOOP);
}

/* A thought that the model opens in its answer: a thought of the mode's, or closed at once. */
void test_turn_own_thought(void **state)
{
    (void)state;
    struct turn_state t = begun(MODE_PRO, 5000);
    turn_opened(&t);
    turn_token(&t, TURN_TOKEN_THINK_END);
    assert_int_equal(turn_token(&t, TURN_TOKEN_TEXT), TURN_KEEP);
    assert_int_equal(turn_token(&t, TURN_TOKEN_THINK_BEGIN), TURN_KEEP);
    assert_int_equal(t.phase, TURN_THINK);
    assert_int_equal(turn_token(&t, TURN_TOKEN_THINK_BEGIN), TURN_KEEP); /* a word like others */
    assert_int_equal(turn_token(&t, TURN_TOKEN_THINK_END), TURN_KEEP);
    assert_int_equal(t.phase, TURN_ANSWER);
    t = begun(MODE_FLASH, 5000);
    turn_opened(&t);
    assert_int_equal(turn_token(&t, TURN_TOKEN_THINK_BEGIN), TURN_KEEP_CLOSE);
    assert_int_equal(t.phase, TURN_ANSWER);
    assert_int_equal(t.n_answer, 1);
    t = begun(MODE_FLASH, 12); /* no room to close it */
    turn_opened(&t);
    turn_token(&t, TURN_TOKEN_TEXT);
    assert_int_equal(turn_token(&t, TURN_TOKEN_THINK_BEGIN), TURN_KEEP);
    assert_int_equal(t.phase, TURN_ANSWER);
}
