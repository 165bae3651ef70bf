/* The timer wheel against a plain sorted list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "core/wheel.h"

#define NODES 400

static void fires_in_order_and_never_early(void **state)
{
    static struct tri_wheel wheel;
    static struct tri_wheel_node nodes[NODES];
    struct tri_prng prng;
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t start = seed * 7919;
        tri_prng_seed(&prng, seed);
        tri_wheel_init(&wheel, start);
        for (int i = 0; i < NODES; i++) {
            uint64_t reach = (uint64_t)1 << tri_prng_next(&prng) % 30;
            tri_wheel_add(&wheel, &nodes[i], start + tri_prng_next(&prng) % reach);
        }
        int removed = 0;
        for (int i = 0; i < NODES; i += 7)
            removed += tri_wheel_remove(&wheel, &nodes[i]);
        assert_int_equal(removed, (NODES + 6) / 7);
        assert_false(tri_wheel_remove(&wheel, &nodes[0]));

        uint64_t now = start, last = 0;
        int fired = 0;
        while (wheel.count) {
            uint64_t next = tri_wheel_next(&wheel);
            assert_true(next != TRI_WHEEL_NEVER && next >= now);
            now += 1 + tri_prng_next(&prng) % 100000;
            struct tri_wheel_node *node;
            while ((node = tri_wheel_pop(&wheel, now))) {
                assert_true(node->tick <= now);
                assert_true(node->tick >= last);
                assert_null(node->prev);
                last = node->tick;
                fired++;
            }
            assert_true(tri_wheel_next(&wheel) > now || wheel.count == 0);
        }
        assert_int_equal(fired, NODES - removed);
        assert_true(tri_wheel_next(&wheel) == TRI_WHEEL_NEVER);
    }
}

static void takes_the_past_and_the_far_future(void **state)
{
    static struct tri_wheel wheel;
    struct tri_wheel_node past = {0}, far = {0};
    (void)state;
    tri_wheel_init(&wheel, 1000);
    tri_wheel_add(&wheel, &past, 3);
    tri_wheel_add(&wheel, &far, UINT64_MAX);
    assert_ptr_equal(tri_wheel_pop(&wheel, 1000), &past);
    assert_null(tri_wheel_pop(&wheel, 1000));
    assert_ptr_equal(tri_wheel_pop(&wheel, TRI_WHEEL_SPAN), &far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_in_order_and_never_early),
        cmocka_unit_test(takes_the_past_and_the_far_future),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
