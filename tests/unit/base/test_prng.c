/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "base/prng.h"

/* From the authors' C code. */
static void sequences_meet_their_reference(void **state)
{
    (void)state;
    uint64_t seed = 1234567;
    assert_true(tri_splitmix64(&seed) == 6457827717110365317u);
    assert_true(tri_splitmix64(&seed) == 3203168211198807973u);
    struct tri_prng p = {{1, 2, 3, 4}};
    assert_true(tri_prng_next(&p) == 11520u);
    assert_true(tri_prng_next(&p) == 0u);
    assert_true(tri_prng_next(&p) == 1509978240u);
    assert_true(tri_prng_next(&p) == 1215971899390074240u);
}

static void equal_seeds_give_equal_sequences(void **state)
{
    (void)state;
    struct tri_prng a, b, c;
    tri_prng_seed(&a, 0);
    tri_prng_seed(&b, 0);
    tri_prng_seed(&c, 1);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = tri_prng_next(&a);
        assert_true(x == tri_prng_next(&b));
        same += x == tri_prng_next(&c);
    }
    assert_true(same < 2);
}

static void below_stays_below_and_is_even(void **state)
{
    (void)state;
    struct tri_prng p;
    tri_prng_seed(&p, 7);
    unsigned counts[6] = {0};
    for (int i = 0; i < 60000; i++) {
        uint64_t x = tri_prng_below(&p, 6);
        assert_true(x < 6);
        counts[x]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(counts[i], 9500, 10500);
    for (int i = 0; i < 1000; i++)
        assert_true(tri_prng_below(&p, ((uint64_t)1 << 63) + 1) <= (uint64_t)1 << 63);
    assert_true(tri_prng_below(&p, 1) == 0);
    assert_true(tri_prng_below(&p, 0) == 0);
}

static void doubles_fill_the_unit_interval(void **state)
{
    (void)state;
    struct tri_prng p;
    tri_prng_seed(&p, 8);
    double sum = 0, least = 1, most = 0;
    for (int i = 0; i < 100000; i++) {
        double x = tri_prng_double(&p);
        assert_true(x >= 0.0 && x < 1.0);
        sum += x;
        least = x < least ? x : least;
        most = x > most ? x : most;
    }
    assert_true(sum > 49500 && sum < 50500);
    assert_true(least < 0.001 && most > 0.999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_meet_their_reference),
        cmocka_unit_test(equal_seeds_give_equal_sequences),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(doubles_fill_the_unit_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
