/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "base/hash.h"

/* From the reference implementations: draft-eastlake-fnv and the SipHash authors' vectors. */
static void fnv_meets_its_reference(void **state)
{
    (void)state;
    assert_int_equal(tri_fnv1a32("", 0), 0x811c9dc5u);
    assert_int_equal(tri_fnv1a32("a", 1), 0xe40c292cu);
    assert_int_equal(tri_fnv1a32("foobar", 6), 0xbf9cf968u);
    assert_true(tri_fnv1a64("", 0) == 0xcbf29ce484222325u);
    assert_true(tri_fnv1a64("a", 1) == 0xaf63dc4c8601ec8cu);
    assert_true(tri_fnv1a64("foobar", 6) == 0x85944171f73967e8u);
}

static void siphash_meets_its_reference(void **state)
{
    (void)state;
    uint8_t key[16], data[15];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        data[i] = i;
    assert_true(tri_siphash(key, data, 0) == 0x726fdb47dd0e0e31u);
    assert_true(tri_siphash(key, data, 1) == 0x74f839c593dc67fdu);
    assert_true(tri_siphash(key, data, 8) == 0x93f5f5799a932462u);
    assert_true(tri_siphash(key, data, 15) == 0xa129ca6149be45e5u);
}

static void siphash_depends_on_its_key(void **state)
{
    (void)state;
    const uint8_t one[16] = {1}, two[16] = {2};
    assert_true(tri_siphash(one, "name", 4) != tri_siphash(two, "name", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fnv_meets_its_reference),
        cmocka_unit_test(siphash_meets_its_reference),
        cmocka_unit_test(siphash_depends_on_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
