/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "base/histogram.h"
#include "base/prng.h"

#include <stdlib.h>

#include <cmocka.h>

static struct tri_histogram h, other;

static int empty(void **state)
{
    (void)state;
    tri_histogram_init(&h);
    tri_histogram_init(&other);
    return 0;
}

static void empty_is_zero(void **state)
{
    (void)state;
    assert_int_equal(tri_histogram_count(&h), 0);
    assert_int_equal(tri_histogram_max(&h), 0);
    assert_int_equal(tri_histogram_quantile(&h, 0.5), 0);
    assert_true(tri_histogram_mean(&h) == 0.0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t v = 1; v <= 100; v++)
        tri_histogram_record(&h, v);
    assert_int_equal(tri_histogram_count(&h), 100);
    assert_int_equal(tri_histogram_max(&h), 100);
    assert_true(tri_histogram_mean(&h) == 50.5);
    assert_int_equal(tri_histogram_quantile(&h, 0.0), 1);
    assert_int_equal(tri_histogram_quantile(&h, -3.0), 1);
    assert_int_equal(tri_histogram_quantile(&h, 0.5), 50);
    assert_int_equal(tri_histogram_quantile(&h, 0.99), 99);
    assert_int_equal(tri_histogram_quantile(&h, 0.991), 100);
    assert_int_equal(tri_histogram_quantile(&h, 1.0), 100);
    assert_int_equal(tri_histogram_quantile(&h, 7.0), 100);
}

/* One value beside a larger one: its bucket's value, not the maximum, is the answer. */
static void check_error(uint64_t value)
{
    tri_histogram_init(&h);
    tri_histogram_record(&h, value);
    tri_histogram_record(&h, UINT64_MAX);
    uint64_t seen = tri_histogram_quantile(&h, 0.5);
    uint64_t error = seen > value ? seen - value : value - seen;
    assert_true(error <= value / 100);
}

static void error_is_below_one_percent_everywhere(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t v = (uint64_t)1 << bit;
        check_error(v);
        check_error(v - 1);
        check_error(v + v / 3);
    }
    check_error(UINT64_MAX);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

#define COUNT 20000

static void quantiles_match_a_sorted_list(void **state)
{
    (void)state;
    static uint64_t values[COUNT];
    struct tri_prng prng;
    tri_prng_seed(&prng, 3);
    for (int i = 0; i < COUNT; i++) {
        values[i] = tri_prng_next(&prng) >> tri_prng_below(&prng, 60);
        tri_histogram_record(i % 2 ? &h : &other, values[i]);
    }
    tri_histogram_merge(&h, &other);
    assert_int_equal(tri_histogram_count(&h), COUNT);
    qsort(values, COUNT, sizeof values[0], compare);
    assert_true(tri_histogram_max(&h) == values[COUNT - 1]);
    for (int i = 1; i < COUNT; i += 100) {
        uint64_t exact = values[i - 1];
        uint64_t seen = tri_histogram_quantile(&h, (double)i / COUNT - 1e-9);
        assert_in_range(seen, exact - exact / 100, exact + exact / 100);
    }
}

static void merging_keeps_the_larger_maximum_and_the_mean(void **state)
{
    (void)state;
    tri_histogram_record(&h, 10);
    tri_histogram_record(&other, 1000);
    tri_histogram_record(&other, 1990);
    tri_histogram_merge(&h, &other);
    assert_int_equal(tri_histogram_max(&h), 1990);
    assert_true(tri_histogram_mean(&h) == 1000.0);
    tri_histogram_merge(&other, &h);
    assert_int_equal(tri_histogram_count(&other), 5);
    assert_int_equal(tri_histogram_max(&other), 1990);
}

static void the_sum_does_not_wrap(void **state)
{
    (void)state;
    tri_histogram_record(&h, UINT64_MAX);
    tri_histogram_record(&h, UINT64_MAX);
    assert_true(tri_histogram_mean(&h) > 9e18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty_is_zero, empty),
        cmocka_unit_test_setup(small_values_are_exact, empty),
        cmocka_unit_test_setup(error_is_below_one_percent_everywhere, empty),
        cmocka_unit_test_setup(quantiles_match_a_sorted_list, empty),
        cmocka_unit_test_setup(merging_keeps_the_larger_maximum_and_the_mean, empty),
        cmocka_unit_test_setup(the_sum_does_not_wrap, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
