/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "os/clock.h"
#include "os/park.h"
#include "os/thread.h"

#include <stdlib.h>

#include <cmocka.h>

static void a_token_is_kept_and_counts_once(void **state)
{
    (void)state;
    struct tri_park p;
    tri_park_init(&p);
    assert_false(tri_park_wait(&p, 0));
    tri_park_wake(&p);
    tri_park_wake(&p);
    assert_true(tri_park_wait(&p, -1));
    assert_false(tri_park_wait(&p, 0));
    assert_false(tri_park_wait(&p, 1));
}

static void a_wait_ends_with_its_time(void **state)
{
    (void)state;
    struct tri_park p;
    tri_park_init(&p);
    uint64_t start = tri_clock_mono_ns();
    assert_false(tri_park_wait(&p, 5000000));
    assert_true(tri_clock_mono_ns() - start >= 5000000);
    tri_park_wake(&p); /* The place is in order again. */
    assert_true(tri_park_wait(&p, 5000000));
}

#define ROUNDS 50000

struct ping_pong {
    struct tri_park ping, pong;
    int64_t timeout_ns;
    int plain; /* written without atomics: the tokens must carry it over */
};

static void wait_for(struct tri_park *p, int64_t timeout_ns)
{
    while (!tri_park_wait(p, timeout_ns))
        continue;
}

static void answer(void *arg)
{
    struct ping_pong *pp = arg;
    for (int i = 0; i < ROUNDS; i++) {
        wait_for(&pp->ping, pp->timeout_ns);
        pp->plain++;
        tri_park_wake(&pp->pong);
    }
}

/* Timeouts around the time a wake-up takes meet it at every point. */
static void play(int64_t timeout_ns)
{
    struct ping_pong pp = {.timeout_ns = timeout_ns};
    tri_park_init(&pp.ping);
    tri_park_init(&pp.pong);
    struct tri_thread other;
    assert_true(tri_thread_create(&other, "answer", answer, &pp));
    for (int i = 0; i < ROUNDS; i++) {
        pp.plain++;
        tri_park_wake(&pp.ping);
        wait_for(&pp.pong, timeout_ns);
    }
    tri_thread_join(&other);
    assert_int_equal(pp.plain, 2 * ROUNDS);
}

static void no_wake_up_is_lost(void **state)
{
    (void)state;
    play(-1);
}

static void no_wake_up_is_lost_beside_timeouts(void **state)
{
    (void)state;
    play(3000);
    play(30000);
}

static void wake_it(void *arg)
{
    tri_park_wake(arg);
}

/* Under the address sanitizer this finds a waker that touches the place too late. */
static void the_place_may_go_with_the_token(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        struct tri_park *p = malloc(sizeof *p);
        assert_non_null(p);
        tri_park_init(p);
        struct tri_thread waker;
        assert_true(tri_thread_create(&waker, "waker", wake_it, p));
        assert_true(tri_park_wait(p, -1));
        free(p);
        tri_thread_join(&waker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_kept_and_counts_once),
        cmocka_unit_test(a_wait_ends_with_its_time),
        cmocka_unit_test(no_wake_up_is_lost),
        cmocka_unit_test(no_wake_up_is_lost_beside_timeouts),
        cmocka_unit_test(the_place_may_go_with_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
