/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "os/clock.h"
#include "os/thread.h"

#include <time.h>

#include <cmocka.h>

static void mono_never_goes_back(void **state)
{
    (void)state;
    uint64_t last = tri_clock_mono_ns();
    for (int i = 0; i < 100000; i++) {
        uint64_t now = tri_clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void wall_is_the_systems_time(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL) - 2;
    int64_t us = tri_clock_wall_us();
    int64_t after = (int64_t)time(NULL) + 2;
    assert_true(us >= before * 1000000 && us <= after * 1000000);
}

static void ask_rate(void *arg)
{
    *(uint64_t *)arg = tri_cycles_per_us();
}

/* First, so that the threads meet in the measurement. */
static void all_threads_see_one_rate(void **state)
{
    (void)state;
    uint64_t rates[3] = {0};
    struct tri_thread threads[3];
    for (int i = 0; i < 3; i++)
        assert_true(tri_thread_create(&threads[i], "rate", ask_rate, &rates[i]));
    for (int i = 0; i < 3; i++)
        tri_thread_join(&threads[i]);
    assert_true(rates[0] > 0);
    assert_true(rates[0] == rates[1] && rates[1] == rates[2]);
    assert_true(rates[0] == tri_cycles_per_us());
}

static void cycles_run_at_the_stated_rate(void **state)
{
    (void)state;
    /* Read around each other: the interval of the one contains that of the other. */
    uint64_t ns1 = tri_clock_mono_ns();
    uint64_t c1 = tri_cycles();
    while (tri_clock_mono_ns() - ns1 < 20000000u)
        continue;
    uint64_t c2 = tri_cycles();
    uint64_t ns2 = tri_clock_mono_ns();
    uint64_t us = (c2 - c1) / tri_cycles_per_us();
    assert_true(us >= 19000 && us <= (ns2 - ns1) / 1000 * 105 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_threads_see_one_rate),
        cmocka_unit_test(mono_never_goes_back),
        cmocka_unit_test(wall_is_the_systems_time),
        cmocka_unit_test(cycles_run_at_the_stated_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
