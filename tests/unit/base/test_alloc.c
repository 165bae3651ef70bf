/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "base/alloc.h"

#include <string.h>

#include <cmocka.h>

static void gives_memory(void **state)
{
    (void)state;
    char *p = tri_malloc(0);
    assert_non_null(p);
    p = tri_realloc(p, 3);
    assert_non_null(p);
    memcpy(p, "ab", 3);
    p = tri_realloc(p, 4096);
    assert_string_equal(p, "ab");
    tri_free(p);
    unsigned char *zeroes = tri_calloc(16, 8);
    for (int i = 0; i < 128; i++)
        assert_int_equal(zeroes[i], 0);
    tri_free(zeroes);
    char *copy = tri_strdup("text");
    assert_string_equal(copy, "text");
    tri_free(copy);
    tri_free(NULL);
}

static void refuses_products_that_overflow(void **state)
{
    (void)state;
    volatile size_t half = SIZE_MAX / 2 + 1; /* Hidden from the compiler, which would warn. */
    assert_null(tri_calloc(half, 2));
    assert_null(tri_calloc(2, half));
}

static void fails_the_nth_once(void **state)
{
    (void)state;
    tri_alloc_fail_after(2);
    void *a = tri_malloc(1);
    void *b = tri_calloc(1, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(tri_alloc_fail_pending());
    assert_null(tri_strdup("x"));
    assert_false(tri_alloc_fail_pending());
    void *c = tri_malloc(1);
    assert_non_null(c);
    tri_free(a);
    tri_free(b);
    tri_free(c);
}

static void fails_every_kind_of_allocation(void **state)
{
    (void)state;
    tri_alloc_fail_after(0);
    assert_null(tri_malloc(1));
    tri_alloc_fail_after(0);
    assert_null(tri_calloc(1, 1));
    char *kept = tri_strdup("kept");
    tri_alloc_fail_after(0);
    assert_null(tri_realloc(kept, 100));
    assert_string_equal(kept, "kept");
    tri_free(kept);
    tri_alloc_fail_after(0);
    assert_false(tri_alloc_allowed());
    assert_true(tri_alloc_allowed());
}

static void can_be_switched_off(void **state)
{
    (void)state;
    tri_alloc_fail_after(0);
    tri_alloc_fail_after(-1);
    assert_false(tri_alloc_fail_pending());
    void *p = tri_malloc(1);
    assert_non_null(p);
    tri_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_memory),        cmocka_unit_test(refuses_products_that_overflow),
        cmocka_unit_test(fails_the_nth_once),  cmocka_unit_test(fails_every_kind_of_allocation),
        cmocka_unit_test(can_be_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
