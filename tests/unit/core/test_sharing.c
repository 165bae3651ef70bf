/* When work is moved between workers, by what they have measured: decisions alone, no threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/sharing.h"

#define CYCLES_PER_US 3000u
#define LOOK_US 20u

static struct tri_sharing sharing;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    tri_sharing_init(&sharing);
    now = 0;
    return 0;
}

/* A look of one of `awake` workers, an operation of each of which costs so many cycles. */
static void look(uint32_t awake, uint32_t cycles)
{
    uint32_t cost = TRI_SHARING_COST(cycles);
    struct tri_sharing_look l = {.now = now += (uint64_t)LOOK_US * CYCLES_PER_US,
                                 .cycles_per_us = CYCLES_PER_US,
                                 .cost = cost,
                                 .awake = awake,
                                 .rate = awake * (TRI_SHARING_RATE / cost)};
    tri_sharing_note(&sharing, &l);
}

/* Looks like that until sharing is given up, at most `most`. */
static unsigned looks_until_off(unsigned most, uint32_t awake, uint32_t cycles)
{
    unsigned count = 0;
    while (count < most && tri_sharing_pays(&sharing)) {
        look(awake, cycles);
        count++;
    }
    return count;
}

/* Microseconds alone until it is tried again. */
static uint64_t us_until_on(uint32_t cycles)
{
    uint64_t began = now;
    while (!tri_sharing_pays(&sharing))
        look(1, cycles);
    return (now - began) / CYCLES_PER_US;
}

static void workers_that_get_more_done_go_on(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        look(1, 20);
    for (int i = 0; i < 10000; i++)
        look(2, 30); /* 1.33 times as fast as one. */
    assert_true(tri_sharing_pays(&sharing));
}

static void workers_that_hold_each_other_up_stop_and_try_again_later(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        look(1, 20);
    uint64_t before = 0;
    for (int i = 0; i < 10; i++) {
        assert_in_range(looks_until_off(100, 2, 60), 2, 10);
        uint64_t us = us_until_on(20);
        assert_true(us >= before && us >= 1000 && us <= 130000);
        before = us;
    }
    assert_true(before > 100000); /* It has grown, and has an end. */
    looks_until_off(100, 2, 25);
    assert_true(tri_sharing_pays(&sharing));
    looks_until_off(100, 2, 60);
    assert_true(us_until_on(20) < 5000); /* It had paid meanwhile: a short pause again. */
}

static void eight_may_each_be_slower_than_one(void **state)
{
    (void)state;
    look(1, 20);
    for (int i = 0; i < 1000; i++)
        look(8, 100); /* 1.6 times as fast as one. */
    assert_true(tri_sharing_pays(&sharing));
    assert_in_range(looks_until_off(100, 8, 200), 2, 10);
}

static void one_bad_look_says_nothing(void **state)
{
    (void)state;
    look(1, 20);
    for (int i = 0; i < 1000; i++) {
        look(2, 500);
        look(2, 500);
        look(2, 25);
    }
    assert_true(tri_sharing_pays(&sharing));
}

static void computation_is_always_shared(void **state)
{
    (void)state;
    look(1, 20);
    for (int i = 0; i < 1000; i++)
        look(2, 3000);
    assert_true(tri_sharing_pays(&sharing));
}

static void what_one_alone_does_is_found_out(void **state)
{
    (void)state;
    assert_in_range(looks_until_off(100, 2, 30), 2, 10);
    uint64_t us = us_until_on(20);
    assert_true(us < 5000);
    for (int i = 0; i < 1000; i++)
        look(2, 30);
    assert_true(tri_sharing_pays(&sharing));
}

static void other_work_is_tried_at_once(void **state)
{
    (void)state;
    look(1, 20);
    looks_until_off(100, 2, 60);
    assert_false(tri_sharing_pays(&sharing));
    assert_true(us_until_on(200) <= 10 * LOOK_US);
}

static void a_look_that_saw_too_little_ends_the_pause_all_the_same(void **state)
{
    (void)state;
    look(1, 20);
    looks_until_off(100, 2, 60);
    struct tri_sharing_look l = {
        .now = now + 1000000ull * CYCLES_PER_US, .cycles_per_us = CYCLES_PER_US, .awake = 1};
    tri_sharing_note(&sharing, &l);
    assert_true(tri_sharing_pays(&sharing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(workers_that_get_more_done_go_on, set_up),
        cmocka_unit_test_setup(workers_that_hold_each_other_up_stop_and_try_again_later, set_up),
        cmocka_unit_test_setup(eight_may_each_be_slower_than_one, set_up),
        cmocka_unit_test_setup(one_bad_look_says_nothing, set_up),
        cmocka_unit_test_setup(computation_is_always_shared, set_up),
        cmocka_unit_test_setup(what_one_alone_does_is_found_out, set_up),
        cmocka_unit_test_setup(other_work_is_tried_at_once, set_up),
        cmocka_unit_test_setup(a_look_that_saw_too_little_ends_the_pause_all_the_same, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
