/* The parts of the core that decide without side effects: states, supervision, calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/calls.h"
#include "core/state.h"
#include "core/supervise.h"

#define MS 1000000ull

static void states_follow_the_table(void **state)
{
    (void)state;
    assert_true(tri_state_may(TRI_FREE, TRI_STARTING));
    assert_true(tri_state_may(TRI_STARTING, TRI_RUNNING));
    assert_true(tri_state_may(TRI_STOPPING, TRI_FREE));
    assert_false(tri_state_may(TRI_STOPPING, TRI_RUNNING));
    assert_false(tri_state_may(TRI_FREE, TRI_STOPPING));
    assert_false(tri_state_may(TRI_BACKOFF, TRI_RUNNING));
    assert_false(tri_state_may(TRI_STATE_COUNT, TRI_RUNNING));
    assert_false(tri_state_may(TRI_RUNNING, TRI_STATE_COUNT));
    for (int s = 0; s < TRI_STATE_COUNT; s++)
        assert_false(tri_state_may((enum tri_state)s, (enum tri_state)s));
    assert_string_equal(tri_state_name(TRI_BACKOFF), "backoff");
    assert_string_equal(tri_state_name(TRI_STATE_COUNT), "unknown");
}

static void budget_is_a_sliding_window(void **state)
{
    const struct tr_supervision p = {.restarts_max = 2, .within_ms = 100};
    struct tri_restarts r = {0};
    (void)state;
    assert_int_equal(tri_supervise(&p, &r, TR_EINVAL, 1000 * MS, 0).directive, TR_RESTART);
    assert_int_equal(tri_supervise(&p, &r, TR_EINVAL, 1050 * MS, 0).directive, TR_RESTART);
    /* The first one has left the window. */
    assert_int_equal(tri_supervise(&p, &r, TR_EINVAL, 1101 * MS, 0).directive, TR_RESTART);
    struct tri_decision d = tri_supervise(&p, &r, TR_EINVAL, 1102 * MS, 0);
    assert_int_equal(d.directive, TR_STOP);
    assert_int_equal(d.failures, 3);
}

static enum tr_directive no_directive(tr_err code)
{
    return (enum tr_directive)(40 + (int)code);
}

static void what_is_no_directive_means_stop(void **state)
{
    const struct tr_supervision bogus = {.decide = no_directive};
    const struct tr_supervision resumed = {
        .restarts_max = 1, .within_ms = 10, .over_budget = TR_RESUME};
    const struct tr_supervision for_ever = {.restarts_max = 1}; /* Never forgets. */
    struct tri_restarts r = {0}, q = {0}, f = {0};
    (void)state;
    assert_int_equal(tri_supervise(&bogus, &r, TR_EIO, MS, 0).directive, TR_STOP);
    assert_int_equal(tri_supervise(&resumed, &q, TR_EIO, MS, 0).directive, TR_RESTART);
    assert_int_equal(tri_supervise(&resumed, &q, TR_EIO, MS, 0).directive, TR_STOP);
    assert_int_equal(tri_supervise(&for_ever, &f, TR_EIO, MS, 0).directive, TR_RESTART);
    assert_int_equal(tri_supervise(&for_ever, &f, TR_EIO, 86400000 * MS, 0).directive, TR_STOP);
}

static void the_longest_delay_is_not_exceeded(void **state)
{
    const struct tr_supervision p = {.restarts_max = 60,
                                     .within_ms = 1000,
                                     .backoff_ms_min = UINT32_MAX,
                                     .backoff_jitter_permille = 1000};
    struct tri_restarts r = {0};
    (void)state;
    assert_int_equal(tri_supervise(&p, &r, TR_EIO, MS, 12345).delay_ms, UINT32_MAX);
    assert_int_equal(tri_supervise(&p, &r, TR_EIO, MS, 12345).delay_ms, UINT32_MAX);
}

static enum tr_directive by_code(tr_err code)
{
    return code == TR_ETIMEDOUT ? TR_RESUME : TR_ESCALATE;
}

static void decider_and_default(void **state)
{
    const struct tr_supervision p = {.decide = by_code};
    struct tri_restarts r = {0};
    (void)state;
    assert_int_equal(tri_supervise(&p, &r, TR_ETIMEDOUT, 1, 0).directive, TR_RESUME);
    assert_int_equal(tri_supervise(&p, &r, TR_EIO, 2, 0).directive, TR_ESCALATE);
    struct tri_restarts d = {0};
    for (int i = 0; i < 10; i++)
        assert_int_equal(tri_supervise(NULL, &d, TR_EIO, 5 * MS, 0).directive, TR_RESTART);
    assert_int_equal(tri_supervise(NULL, &d, TR_EIO, 5 * MS, 0).directive, TR_STOP);
}

static void backoff_doubles_up_to_its_maximum_and_resets(void **state)
{
    const struct tr_supervision p = {.restarts_max = 60,
                                     .within_ms = 1000,
                                     .backoff_ms_min = 10,
                                     .backoff_ms_max = 50,
                                     .backoff_jitter_permille = 100};
    struct tri_restarts r = {0};
    const unsigned want[] = {10, 20, 40, 50, 50};
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(tri_supervise(&p, &r, TR_EIO, i * MS, 0).delay_ms, want[i]);
    unsigned stretched = tri_supervise(&p, &r, TR_EIO, 6 * MS, 5).delay_ms;
    assert_int_equal(stretched, 55);
    assert_int_equal(tri_supervise(&p, &r, TR_EIO, 5000 * MS, 0).delay_ms, 10);
}

static void bad_policies_are_named(void **state)
{
    (void)state;
    assert_null(tri_supervision_invalid(NULL));
    assert_null(tri_supervision_invalid(&(struct tr_supervision){0}));
    assert_non_null(tri_supervision_invalid(&(struct tr_supervision){.on_failure = 9}));
    assert_non_null(tri_supervision_invalid(&(struct tr_supervision){.over_budget = 9}));
    assert_non_null(tri_supervision_invalid(&(struct tr_supervision){.strategy = 9}));
    assert_non_null(
        tri_supervision_invalid(&(struct tr_supervision){.restarts_max = 64, .within_ms = 1}));
    assert_non_null(
        tri_supervision_invalid(&(struct tr_supervision){.backoff_jitter_permille = 1001}));
    assert_non_null(tri_supervision_invalid(
        &(struct tr_supervision){.backoff_ms_min = 9, .backoff_ms_max = 8}));
}

static void calls_end_once_and_are_bounded(void **state)
{
    struct tri_calls calls = {0};
    static uint64_t numbers[TRI_CALLS_MAX];
    tr_pid to = {42};
    (void)state;
    for (uint32_t i = 0; i < TRI_CALLS_MAX; i++) {
        numbers[i] = tri_calls_add(&calls, to, i, 0);
        assert_true(numbers[i] != 0);
    }
    assert_true(tri_calls_add(&calls, to, 0, 0) == 0);
    assert_true(tri_calls_end(&calls, numbers[7]));
    assert_false(tri_calls_end(&calls, numbers[7]));
    assert_false(tri_calls_end(&calls, 0));
    uint64_t again = tri_calls_add(&calls, to, 0, 0);
    assert_true(again != 0 && again != numbers[7]); /* The place is reused, the number not. */
    assert_false(tri_calls_end(&calls, numbers[7]));
    uint32_t cursor = 0, count = 0;
    while (tri_calls_next(&calls, &cursor))
        count++;
    assert_int_equal(count, TRI_CALLS_MAX);
    tri_calls_fini(&calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_the_table),
        cmocka_unit_test(budget_is_a_sliding_window),
        cmocka_unit_test(what_is_no_directive_means_stop),
        cmocka_unit_test(the_longest_delay_is_not_exceeded),
        cmocka_unit_test(decider_and_default),
        cmocka_unit_test(backoff_doubles_up_to_its_maximum_and_resets),
        cmocka_unit_test(bad_policies_are_named),
        cmocka_unit_test(calls_end_once_and_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
