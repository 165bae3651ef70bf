/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "os/random.h"

#include <string.h>

#include <cmocka.h>

static void fills_exactly_what_was_asked_for(void **state)
{
    (void)state;
    unsigned char seen[300] = {0}, buffer[302];
    /* Any byte is zero in all of 20 rounds with a chance of 2^-160. */
    for (int round = 0; round < 20; round++) {
        memset(buffer, 0xee, sizeof buffer);
        tri_random_bytes(buffer + 1, 300);
        assert_int_equal(buffer[0], 0xee);
        assert_int_equal(buffer[301], 0xee);
        for (int i = 0; i < 300; i++)
            seen[i] |= buffer[i + 1];
    }
    for (int i = 0; i < 300; i++)
        assert_int_not_equal(seen[i], 0);
    tri_random_bytes(buffer, 0);
}

static void numbers_differ_and_use_all_bits(void **state)
{
    (void)state;
    uint64_t ones = 0, zeroes = 0, last = tri_random_u64();
    for (int i = 0; i < 200; i++) {
        uint64_t x = tri_random_u64();
        assert_true(x != last);
        last = x;
        ones |= x;
        zeroes |= ~x;
    }
    assert_true(ones == UINT64_MAX && zeroes == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_exactly_what_was_asked_for),
        cmocka_unit_test(numbers_differ_and_use_all_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
