#define _GNU_SOURCE /* sched_setaffinity(), pthread_getname_np() */
/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "os/clock.h"
#include "os/thread.h"

#include <sched.h>
#include <signal.h>

#include <cmocka.h>

struct seen {
    char name[32];
    bool term_blocked, segv_blocked, rt_blocked;
};

static void look(void *arg)
{
    struct seen *seen = arg;
    (void)pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->term_blocked = sigismember(&mask, SIGTERM) == 1;
    seen->segv_blocked = sigismember(&mask, SIGSEGV) == 1;
    seen->rt_blocked = sigismember(&mask, SIGRTMIN + 3) == 1;
}

static void threads_have_names_and_take_no_stray_signals(void **state)
{
    (void)state;
    sigset_t before, after;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    struct seen seen;
    struct tri_thread t;
    assert_true(tri_thread_create(&t, "worker-7", look, &seen));
    tri_thread_join(&t);
    assert_string_equal(seen.name, "worker-7");
    assert_true(seen.term_blocked && !seen.segv_blocked && !seen.rt_blocked);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
    assert_true(tri_thread_create(&t, "a-name-that-is-too-long", look, &seen));
    tri_thread_join(&t);
    assert_string_equal(seen.name, "a-name-that-is-");
}

static void affinity_limits_the_processors(void **state)
{
    (void)state;
    unsigned all = tri_cpu_count();
    assert_true(all >= 1);
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_true(all <= (unsigned)CPU_COUNT(&before));
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(tri_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(tri_cpu_count(), all);
}

static void quotas_are_understood(void **state)
{
    (void)state;
    assert_int_equal(tri_cpu_quota("max 100000\n"), 0);
    assert_int_equal(tri_cpu_quota("200000 100000\n"), 2);
    assert_int_equal(tri_cpu_quota("150000 100000"), 2);
    assert_int_equal(tri_cpu_quota("1000 100000"), 1);
    assert_int_equal(tri_cpu_quota("0 100000"), 0);
    assert_int_equal(tri_cpu_quota("100 0"), 0);
    assert_int_equal(tri_cpu_quota("9999999999999999999 1"), 0);
    assert_int_equal(tri_cpu_quota("9999999999999999999 9999999999999999998"), 2);
    assert_int_equal(tri_cpu_quota(""), 0);
    assert_int_equal(tri_cpu_quota("junk"), 0);
}

struct box {
    tri_mutex mutex;
    tri_cond cond;
    int waiting, woken, open;
};

static void wait_in_box(void *arg)
{
    struct box *box = arg;
    tri_mutex_lock(&box->mutex);
    box->waiting++;
    tri_cond_broadcast(&box->cond);
    while (!box->open)
        tri_cond_wait(&box->cond, &box->mutex);
    box->woken++;
    tri_mutex_unlock(&box->mutex);
}

static void conditions_wake_everyone_and_time_out(void **state)
{
    (void)state;
    struct box box = {.open = 0};
    tri_mutex_init(&box.mutex);
    tri_cond_init(&box.cond);
    struct tri_thread threads[3];
    for (int i = 0; i < 3; i++)
        assert_true(tri_thread_create(&threads[i], "box", wait_in_box, &box));
    tri_mutex_lock(&box.mutex);
    while (box.waiting < 3)
        tri_cond_wait(&box.cond, &box.mutex);
    assert_int_equal(box.woken, 0);
    uint64_t start = tri_clock_mono_ns();
    while (tri_cond_wait_for(&box.cond, &box.mutex, 5000000))
        continue;
    assert_true(tri_clock_mono_ns() - start >= 5000000);
    assert_false(tri_cond_wait_for(&box.cond, &box.mutex, 0));
    box.open = 1;
    tri_cond_signal(&box.cond);
    tri_cond_broadcast(&box.cond);
    tri_mutex_unlock(&box.mutex);
    for (int i = 0; i < 3; i++)
        tri_thread_join(&threads[i]);
    assert_int_equal(box.woken, 3);
    tri_cond_fini(&box.cond);
    tri_mutex_fini(&box.mutex);
}

static TRI_THREAD_LOCAL int mine = 1;

static void change_mine(void *arg)
{
    mine = 2;
    *(int *)arg = mine;
    tri_thread_yield();
}

static void thread_locals_are_per_thread(void **state)
{
    (void)state;
    int theirs = 0;
    struct tri_thread t;
    assert_true(tri_thread_create(&t, "local", change_mine, &theirs));
    tri_thread_join(&t);
    assert_int_equal(theirs, 2);
    assert_int_equal(mine, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_have_names_and_take_no_stray_signals),
        cmocka_unit_test(affinity_limits_the_processors),
        cmocka_unit_test(quotas_are_understood),
        cmocka_unit_test(conditions_wake_everyone_and_time_out),
        cmocka_unit_test(thread_locals_are_per_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
