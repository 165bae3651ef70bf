/* The bugs that a build may plant have names of their own, and other builds plant none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/plant.h"

static void names_are_listed_once(void **state)
{
    unsigned count = 0;
    (void)state;
    for (; tri_plant_word(count); count++) {
        for (unsigned i = 0; i < count; i++)
            assert_string_not_equal(tri_plant_word(i), tri_plant_word(count));
    }
    assert_int_equal(count, TRI_PLANT_COUNT - 1);
    assert_null(tri_plant_word(count + 1000));
}

static void only_what_is_planted_is_there(void **state)
{
    (void)state;
    assert_false(tri_plant("no such bug"));
#ifdef TROUPE_PLANTED
    assert_true(tri_plant("circle") && TRI_PLANTED(CIRCLE) && !TRI_PLANTED(LOST_WAKEUP));
    tri_planted = TRI_PLANT_NONE;
#else
    assert_false(tri_plant("circle"));
#endif
    assert_false(TRI_PLANTED(CIRCLE) || TRI_RACED(BOUND_IDLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_listed_once),
        cmocka_unit_test(only_what_is_planted_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
