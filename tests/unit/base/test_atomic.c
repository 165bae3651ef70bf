/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "base/atomic.h"

#include <pthread.h>

#include <cmocka.h>

struct shared {
    TRI_ATOMIC(uint64_t) number;
    TRI_ATOMIC(int *) pointer;
    TRI_ATOMIC(bool) flag;
};

static void operations_do_what_they_say(void **state)
{
    (void)state;
    struct shared s = {.number = 5};
    assert_int_equal(tri_fetch_add(&s.number, 3u, TRI_RELAXED), 5);
    assert_int_equal(tri_fetch_sub(&s.number, 1u, TRI_ACQ_REL), 8);
    assert_int_equal(tri_fetch_or(&s.number, 8u, TRI_RELEASE), 7);
    assert_int_equal(tri_fetch_and(&s.number, 12u, TRI_ACQUIRE), 15);
    assert_int_equal(tri_xchg(&s.number, 1u, TRI_SEQ_CST), 12);
    uint64_t expected = 2;
    assert_false(tri_cas_strong(&s.number, &expected, 9u, TRI_ACQ_REL, TRI_RELAXED));
    assert_int_equal(expected, 1);
    assert_true(tri_cas_strong(&s.number, &expected, 9u, TRI_ACQ_REL, TRI_RELAXED));
    const struct shared *view = &s;
    assert_int_equal(tri_load(&view->number, TRI_ACQUIRE), 9);
    tri_store(&s.flag, true, TRI_RELEASE);
    assert_true(tri_load(&view->flag, TRI_RELAXED));
}

static void pointers_can_be_null(void **state)
{
    (void)state;
    int x = 1;
    struct shared s = {.pointer = &x};
    assert_ptr_equal(tri_xchg(&s.pointer, NULL, TRI_ACQUIRE), &x);
    tri_store(&s.pointer, &x, TRI_RELAXED);
    int *expected = &x;
    while (!tri_cas_weak(&s.pointer, &expected, NULL, TRI_RELEASE, TRI_RELAXED))
        assert_ptr_equal(expected, &x);
    assert_null(tri_load(&s.pointer, TRI_RELAXED));
    tri_store(&s.pointer, NULL, TRI_RELAXED);
    assert_null(tri_load(&s.pointer, TRI_RELAXED));
}

#define ROUNDS 100000u

static void *count(void *arg)
{
    struct shared *s = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        tri_fetch_add(&s->number, 1u, TRI_RELAXED);
        uint64_t seen = tri_load(&s->number, TRI_RELAXED);
        while (!tri_cas_weak(&s->number, &seen, seen + 1, TRI_RELAXED, TRI_RELAXED))
            tri_pause();
    }
    return NULL;
}

static void no_update_is_lost_between_threads(void **state)
{
    (void)state;
    struct shared s = {.number = 0};
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, count, &s), 0);
    (void)count(&s);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(tri_load(&s.number, TRI_RELAXED), 4 * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_do_what_they_say),
        cmocka_unit_test(pointers_can_be_null),
        cmocka_unit_test(no_update_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
