/* Routing decisions alone: pure functions of what is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/prng.h"
#include "core/route.h"

#define KEYS 100000u

static void round_robin_takes_all_in_turn(void **state)
{
    (void)state;
    for (uint64_t turn = 0; turn < 30; turn++)
        assert_int_equal(tri_route_round_robin(turn, 7), turn % 7);
    assert_int_equal(tri_route_round_robin(UINT64_MAX, 1), 0);
}

static void random_is_even_and_in_bounds(void **state)
{
    (void)state;
    assert_int_equal(tri_route_random(0, 3), 0);
    assert_int_equal(tri_route_random(UINT64_MAX, 3), 2);
    struct tri_prng prng;
    tri_prng_seed(&prng, 7);
    uint32_t hits[5] = {0};
    for (uint32_t i = 0; i < KEYS; i++)
        hits[tri_route_random(tri_prng_next(&prng), 5)]++;
    for (int i = 0; i < 5; i++)
        assert_in_range(hits[i], KEYS / 5 * 97 / 100, KEYS / 5 * 103 / 100);
}

static void least_loaded_takes_the_smallest_and_equals_in_turn(void **state)
{
    (void)state;
    const uint64_t loads[] = {3, 1, 2, 1};
    assert_int_equal(tri_route_least(loads, 4, 0), 1);
    assert_int_equal(tri_route_least(loads, 4, 2), 3);
    assert_int_equal(tri_route_least(loads, 4, 3), 3);
    assert_int_equal(tri_route_least(loads, 4, 6), 3); /* 6 is place 2 */
    const uint64_t idle[] = {0, 0, 0};
    for (uint32_t start = 0; start < 6; start++)
        assert_int_equal(tri_route_least(idle, 3, start), start % 3);
    const uint64_t gone[] = {UINT64_MAX, 9};
    assert_int_equal(tri_route_least(gone, 2, 0), 1);
    assert_int_equal(tri_route_least(loads, 1, 17), 0);
}

/* Builds a circle of ids 1 … count but `without`, and asks it for all keys. */
static uint32_t *owners(uint32_t count, uint64_t without)
{
    uint64_t ids[64];
    uint32_t n = 0;
    for (uint64_t id = 1; id <= count; id++) {
        if (id != without)
            ids[n++] = id;
    }
    struct tri_route_circle circle = {0};
    assert_true(tri_route_circle_build(&circle, ids, n));
    uint32_t *owner = calloc(KEYS, sizeof *owner);
    assert_non_null(owner);
    for (uint32_t key = 0; key < KEYS; key++)
        owner[key] = (uint32_t)ids[tri_route_circle_find(&circle, key)];
    tri_route_circle_fini(&circle);
    return owner;
}

static void hashing_is_even_and_always_the_same(void **state)
{
    (void)state;
    uint32_t *one = owners(8, 0), *two = owners(8, 0);
    uint32_t hits[9] = {0};
    for (uint32_t key = 0; key < KEYS; key++) {
        assert_int_equal(one[key], two[key]);
        hits[one[key]]++;
    }
    for (uint32_t id = 1; id <= 8; id++)
        assert_in_range(hits[id], KEYS / 8 * 70 / 100, KEYS / 8 * 130 / 100);
    free(one);
    free(two);
}

static void hashing_moves_only_the_keys_of_who_leaves_or_joins(void **state)
{
    (void)state;
    uint32_t *before = owners(8, 0), *after = owners(8, 3), *more = owners(9, 0);
    uint32_t moved = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        if (before[key] != 3)
            assert_int_equal(before[key], after[key]);
        if (before[key] != more[key]) {
            assert_int_equal(more[key], 9);
            moved++;
        }
    }
    assert_in_range(moved, KEYS / 9 * 70 / 100, KEYS / 9 * 130 / 100);
    free(before);
    free(after);
    free(more);
}

static void a_circle_without_memory_stays_as_it_was(void **state)
{
    (void)state;
    struct tri_route_circle circle = {0};
    const uint64_t ids[] = {1, 2};
    assert_true(tri_route_circle_build(&circle, ids, 1));
    tri_alloc_fail_after(0);
    assert_false(tri_route_circle_build(&circle, ids, 2));
    tri_alloc_fail_after(-1);
    assert_int_equal(circle.count, TRI_ROUTE_POINTS);
    assert_int_equal(tri_route_circle_find(&circle, 42), 0);
    assert_true(tri_route_circle_build(&circle, ids, 0));
    assert_int_equal(circle.count, 0);
    tri_route_circle_fini(&circle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_takes_all_in_turn),
        cmocka_unit_test(random_is_even_and_in_bounds),
        cmocka_unit_test(least_loaded_takes_the_smallest_and_equals_in_turn),
        cmocka_unit_test(hashing_is_even_and_always_the_same),
        cmocka_unit_test(hashing_moves_only_the_keys_of_who_leaves_or_joins),
        cmocka_unit_test(a_circle_without_memory_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
