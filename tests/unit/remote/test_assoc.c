/* What an association does next: every row of its drawing, and random events against the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "remote/assoc.h"

#define MS ((uint64_t)1000000)

static const struct tri_assoc_config config = {.backoff_ms_min = 100,
                                               .backoff_ms_max = 1000,
                                               .give_up_ms = 5000,
                                               .dial_ms = 10000,
                                               .shake_ms = 2000,
                                               .probe_ms = 3000,
                                               .close_ms = 4000};

static struct tri_assoc assoc;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    now = 1000 * MS;
    tri_assoc_init(&assoc, 7);
    return 0;
}

static uint32_t on(enum tri_assoc_event event)
{
    return tri_assoc_on(&assoc, &config, event, now);
}

static void assert_state(enum tri_assoc_state state)
{
    assert_string_equal(tri_assoc_state_name(assoc.state), tri_assoc_state_name(state));
}

/* Up, with a peer whose dialect is known. */
static void go_up(void)
{
    assert_int_equal(on(TRI_ASSOC_WANT), TRI_ASSOC_DIAL);
    assert_int_equal(on(TRI_ASSOC_OPENED), TRI_ASSOC_GREET);
    assert_int_equal(on(TRI_ASSOC_ACCEPTED), TRI_ASSOC_FLUSH);
    assert_state(TRI_ASSOC_UP);
    assert_int_equal(assoc.due_ns, UINT64_MAX);
}

static void it_dials_when_wanted(void **state)
{
    (void)state;
    assert_state(TRI_ASSOC_IDLE);
    assert_int_equal(on(TRI_ASSOC_WANT), TRI_ASSOC_DIAL);
    assert_int_equal(assoc.attempt_end_ns, now + 10000 * MS);
    assert_int_equal(assoc.due_ns, now + 5000 * MS); /* the patience of what is queued */
    assert_int_equal(on(TRI_ASSOC_WANT), 0);         /* Once is enough. */
    assert_int_equal(on(TRI_ASSOC_OPENED), TRI_ASSOC_GREET);
    assert_int_equal(assoc.due_ns, now + 2000 * MS);
    assert_int_equal(on(TRI_ASSOC_ACCEPTED), TRI_ASSOC_FLUSH);
    assert_int_equal(on(TRI_ASSOC_WANT), TRI_ASSOC_FLUSH);
}

static void an_unknown_dialect_is_probed(void **state)
{
    (void)state;
    (void)on(TRI_ASSOC_WANT);
    (void)on(TRI_ASSOC_OPENED);
    assert_int_equal(on(TRI_ASSOC_ACCEPTED_BLIND), TRI_ASSOC_PROBE);
    assert_state(TRI_ASSOC_PROBING);
    assert_int_equal(on(TRI_ASSOC_WANT), 0); /* What is queued waits for the answer. */
    assert_int_equal(on(TRI_ASSOC_DIALECT), TRI_ASSOC_FLUSH);
    assert_state(TRI_ASSOC_UP);
    assert_int_equal(on(TRI_ASSOC_DIALECT), 0);
}

static void without_an_answer_the_newer_is_assumed(void **state)
{
    (void)state;
    (void)on(TRI_ASSOC_WANT);
    (void)on(TRI_ASSOC_OPENED);
    (void)on(TRI_ASSOC_ACCEPTED_BLIND);
    now = assoc.due_ns;
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_ASSUME | TRI_ASSOC_FLUSH);
    assert_state(TRI_ASSOC_UP);
}

static void delays_double_up_to_a_bound(void **state)
{
    static const uint32_t ms[] = {100, 200, 400, 800, 1000, 1000};
    (void)state;
    assert_int_equal(on(TRI_ASSOC_WANT), TRI_ASSOC_DIAL);
    for (size_t i = 0; i < sizeof ms / sizeof ms[0]; i++) {
        assert_int_equal(on(TRI_ASSOC_LOST), 0);
        assert_state(TRI_ASSOC_WAITING);
        uint64_t delay = assoc.due_ns - now;
        assert_true(delay >= ms[i] * MS && delay < ms[i] * MS * 125 / 100);
        now += delay - 1;
        assert_int_equal(on(TRI_ASSOC_TIMER), 0); /* Too early. */
        now += 1;
        assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_DIAL);
    }
}

static void in_vain_for_too_long_is_given_up(void **state)
{
    (void)state;
    uint64_t began = now;
    uint32_t actions = on(TRI_ASSOC_WANT);
    for (int i = 0; i < 100 && assoc.state != TRI_ASSOC_IDLE; i++) {
        actions = on(assoc.state == TRI_ASSOC_DIALLING ? TRI_ASSOC_LOST : TRI_ASSOC_TIMER);
        if (assoc.state == TRI_ASSOC_WAITING)
            now = assoc.due_ns;
    }
    assert_int_equal(actions, TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    assert_true(now - began >= 5000 * MS && now - began < 7000 * MS);
    /* Wanted again, it waits for the delay to pass before it dials. */
    assert_int_equal(on(TRI_ASSOC_WANT), 0);
    assert_state(TRI_ASSOC_WAITING);
    now = assoc.due_ns;
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_DIAL);
    (void)on(TRI_ASSOC_OPENED);
    (void)on(TRI_ASSOC_ACCEPTED);
    assert_int_equal(assoc.attempts, 0);
}

static void handshakes_have_deadlines(void **state)
{
    (void)state;
    (void)on(TRI_ASSOC_WANT);
    now = assoc.attempt_end_ns - 3000 * MS;
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    assert_int_equal(on(TRI_ASSOC_WANT), 0);
    now = assoc.due_ns;
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_CANCEL);
    assert_int_equal(on(TRI_ASSOC_LOST), 0); /* The one that came last has patience left. */
    now = assoc.due_ns;
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_DIAL);
    (void)on(TRI_ASSOC_OPENED);
    now = assoc.attempt_end_ns;
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_CANCEL);
    /* Five seconds are over for that one, too. */
    assert_int_equal(on(TRI_ASSOC_LOST), TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    assert_state(TRI_ASSOC_IDLE);
}

/* A host that says nothing at all: what is queued has its patience, the attempt its own. */
static void a_long_attempt_outlives_what_it_was_for(void **state)
{
    (void)state;
    (void)on(TRI_ASSOC_WANT);
    uint64_t began = now;
    now = assoc.due_ns;
    assert_int_equal(now - began, 5000 * MS);
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    assert_state(TRI_ASSOC_DIALLING);
    assert_int_equal(assoc.due_ns, began + 10000 * MS);
    /* Who comes now has a patience of its own; the attempt is not made any longer by it. */
    now += 1000 * MS;
    assert_int_equal(on(TRI_ASSOC_WANT), 0);
    assert_int_equal(assoc.due_ns, began + 10000 * MS);
    /* It may still go well. */
    assert_int_equal(on(TRI_ASSOC_OPENED), TRI_ASSOC_GREET);
    assert_int_equal(on(TRI_ASSOC_ACCEPTED), TRI_ASSOC_FLUSH);
    assert_state(TRI_ASSOC_UP);
    /* In vain, with nobody left: no further attempt. */
    (void)on(TRI_ASSOC_LOST);
    now = assoc.retry_ns;
    assert_int_equal(on(TRI_ASSOC_WANT), TRI_ASSOC_DIAL);
    now = assoc.due_ns;
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    now = assoc.due_ns;
    assert_int_equal(on(TRI_ASSOC_TIMER), TRI_ASSOC_CANCEL);
    assert_int_equal(on(TRI_ASSOC_LOST), 0);
    assert_state(TRI_ASSOC_IDLE);
    assert_int_equal(assoc.due_ns, UINT64_MAX);
}

static void a_lost_link_loses_what_was_queued(void **state)
{
    (void)state;
    go_up();
    assert_int_equal(on(TRI_ASSOC_LOST), TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    assert_state(TRI_ASSOC_IDLE);
    assert_int_equal(on(TRI_ASSOC_WANT), 0); /* Not at once, or all would come at once. */
    assert_state(TRI_ASSOC_WAITING);
}

static void a_peer_that_leaves_is_hung_up(void **state)
{
    (void)state;
    go_up();
    assert_int_equal(on(TRI_ASSOC_PEER_LEAVES),
                     TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN | TRI_ASSOC_HANG_UP);
    assert_state(TRI_ASSOC_CLOSING);
    assert_int_equal(on(TRI_ASSOC_WANT), 0);
    assert_int_equal(on(TRI_ASSOC_LOST), 0);
    assert_state(TRI_ASSOC_WAITING); /* It was wanted meanwhile. */
}

static void a_refusal_is_not_asked_again_soon(void **state)
{
    (void)state;
    (void)on(TRI_ASSOC_WANT);
    (void)on(TRI_ASSOC_OPENED);
    assert_int_equal(on(TRI_ASSOC_REFUSED), TRI_ASSOC_CANCEL | TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    assert_int_equal(on(TRI_ASSOC_LOST), 0);
    assert_state(TRI_ASSOC_IDLE);
    assert_int_equal(on(TRI_ASSOC_WANT), 0);
    assert_int_equal(assoc.due_ns, now + 1000 * MS);
}

static void an_unused_link_is_closed_and_comes_back(void **state)
{
    (void)state;
    go_up();
    assert_int_equal(on(TRI_ASSOC_UNUSED), TRI_ASSOC_HANG_UP);
    assert_int_equal(on(TRI_ASSOC_LOST), 0);
    assert_state(TRI_ASSOC_IDLE);
    go_up(); /* At once: nothing has failed. */
}

static void leaving_sends_what_is_queued(void **state)
{
    (void)state;
    go_up();
    assert_int_equal(on(TRI_ASSOC_LEAVE), TRI_ASSOC_FLUSH | TRI_ASSOC_HANG_UP);
    assert_int_equal(on(TRI_ASSOC_CUT), TRI_ASSOC_CANCEL);
    assert_int_equal(on(TRI_ASSOC_LOST), TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN);
    assert_state(TRI_ASSOC_SHUT);
    for (unsigned event = 0; event < TRI_ASSOC_EVENT_COUNT; event++) {
        assert_int_equal(on((enum tri_assoc_event)event), 0);
        assert_state(TRI_ASSOC_SHUT);
    }
}

/* Any events in any order keep to the table (or an assertion fails), and end in SHUT. */
static void any_order_of_events_keeps_to_the_table(void **state)
{
    (void)state;
    struct tri_prng prng;
    tri_prng_seed(&prng, 99);
    uint64_t visits[TRI_ASSOC_STATE_COUNT] = {0};
    for (int run = 0; run < 2000; run++) {
        set_up(NULL);
        bool stream = false; /* Streams are lost once, and only when there is one. */
        for (int step = 0; step < 60; step++) {
            unsigned event = (unsigned)tri_prng_below(&prng, TRI_ASSOC_CUT + (step > 50));
            if (event == TRI_ASSOC_LOST && !stream)
                continue;
            enum tri_assoc_state before = assoc.state;
            now += tri_prng_below(&prng, 2000) * MS;
            uint32_t actions = on((enum tri_assoc_event)event);
            assert_true(tri_assoc_may(before, assoc.state));
            visits[assoc.state]++;
            if (event == TRI_ASSOC_LOST)
                stream = false;
            if (actions & TRI_ASSOC_DIAL) {
                assert_false(stream);
                stream = true;
            }
            if (actions & (TRI_ASSOC_GREET | TRI_ASSOC_PROBE | TRI_ASSOC_FLUSH | TRI_ASSOC_HANG_UP))
                assert_true(stream);
        }
        (void)on(TRI_ASSOC_CUT);
        if (stream)
            (void)on(TRI_ASSOC_LOST);
        assert_state(TRI_ASSOC_SHUT);
    }
    for (size_t i = 0; i < TRI_ASSOC_STATE_COUNT; i++)
        assert_true(visits[i] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_dials_when_wanted, set_up),
        cmocka_unit_test_setup(an_unknown_dialect_is_probed, set_up),
        cmocka_unit_test_setup(without_an_answer_the_newer_is_assumed, set_up),
        cmocka_unit_test_setup(delays_double_up_to_a_bound, set_up),
        cmocka_unit_test_setup(in_vain_for_too_long_is_given_up, set_up),
        cmocka_unit_test_setup(handshakes_have_deadlines, set_up),
        cmocka_unit_test_setup(a_long_attempt_outlives_what_it_was_for, set_up),
        cmocka_unit_test_setup(a_lost_link_loses_what_was_queued, set_up),
        cmocka_unit_test_setup(a_peer_that_leaves_is_hung_up, set_up),
        cmocka_unit_test_setup(a_refusal_is_not_asked_again_soon, set_up),
        cmocka_unit_test_setup(an_unused_link_is_closed_and_comes_back, set_up),
        cmocka_unit_test_setup(leaving_sends_what_is_queued, set_up),
        cmocka_unit_test_setup(any_order_of_events_keeps_to_the_table, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
