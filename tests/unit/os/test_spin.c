/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "os/spin.h"
#include "os/thread.h"

static void locks_and_unlocks(void **state)
{
    (void)state;
    struct tri_spin s;
    tri_spin_init(&s);
    tri_spin_lock(&s);
    assert_false(tri_spin_try_lock(&s));
    tri_spin_unlock(&s);
    assert_true(tri_spin_try_lock(&s));
    tri_spin_unlock(&s);
}

#define ROUNDS 100000
#define THREADS 4 /* more than small machines have cores: the holder gets preempted */

struct counter {
    struct tri_spin lock;
    long a, b;
    bool differed;
};

static void count(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        tri_spin_lock(&c->lock);
        c->a++;
        c->b++;
        if (c->a != c->b)
            c->differed = true;
        tri_spin_unlock(&c->lock);
    }
}

static void keeps_others_out(void **state)
{
    (void)state;
    struct counter c = {.a = 0};
    tri_spin_init(&c.lock);
    struct tri_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_true(tri_thread_create(&threads[i], "count", count, &c));
    for (int i = 0; i < THREADS; i++)
        tri_thread_join(&threads[i]);
    assert_int_equal(c.a, THREADS * ROUNDS);
    assert_int_equal(c.b, THREADS * ROUNDS);
    assert_false(c.differed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_and_unlocks),
        cmocka_unit_test(keeps_others_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
