/* clang-format off: cmocka needs these first, in this order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/atomic.h"
#include "os/park.h"
#include "os/stack.h"
#include "os/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct busy {
    TRI_ATOMIC(bool) running;
    TRI_ATOMIC(bool) quit;
    struct tri_park park;
};

/* Not static, so that the dynamic symbol table may name it. */
void test_stack_spin_here(struct busy *busy);
__attribute__((noinline)) void test_stack_spin_here(struct busy *busy)
{
    tri_store(&busy->running, true, TRI_RELEASE);
    while (!tri_load(&busy->quit, TRI_ACQUIRE))
        tri_pause();
    tri_store(&busy->running, false, TRI_RELEASE);
}

static void spin(void *arg)
{
    test_stack_spin_here(arg);
}

static void sleep_in_park(void *arg)
{
    struct busy *busy = arg;
    tri_store(&busy->running, true, TRI_RELEASE);
    if (tri_park_wait(&busy->park, -1))
        tri_store(&busy->running, false, TRI_RELEASE);
}

static void wait_until_running(struct busy *busy)
{
    while (!tri_load(&busy->running, TRI_ACQUIRE))
        tri_thread_yield();
}

/* The address in "… [0x55…]" of one line. */
static bool frame_is_within(const char *text, void (*fn)(struct busy *), uintptr_t size)
{
    for (const char *at = strstr(text, "[0x"); at; at = strstr(at + 1, "[0x")) {
        unsigned long long address = strtoull(at + 1, NULL, 16);
        if (address >= (uintptr_t)fn && address < (uintptr_t)fn + size)
            return true;
    }
    return false;
}

static void shows_where_a_busy_thread_is(void **state)
{
    (void)state;
    struct busy busy = {.running = false};
    struct tri_thread t;
    assert_true(tri_thread_create(&t, "busy", spin, &busy));
    wait_until_running(&busy);
    char text[8192];
    bool ok = tri_stack_of(&t, text, sizeof text);
    tri_store(&busy.quit, true, TRI_RELEASE);
    tri_thread_join(&t);
    assert_true(ok);
    if (!frame_is_within(text, test_stack_spin_here, 4096))
        fail_msg("the spinning function is not in:\n%s", text);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void leaves_a_sleeping_thread_asleep(void **state)
{
    (void)state;
    struct busy busy = {.running = false};
    struct tri_thread t;
    tri_park_init(&busy.park);
    assert_true(tri_thread_create(&t, "asleep", sleep_in_park, &busy));
    wait_until_running(&busy);
    char text[4096];
    for (int i = 0; i < 100; i++) {
        assert_true(tri_stack_of(&t, text, sizeof text));
        assert_true(strlen(text) > 0);
    }
    assert_true(tri_load(&busy.running, TRI_ACQUIRE));
    tri_park_wake(&busy.park);
    tri_thread_join(&t);
    assert_false(tri_load(&busy.running, TRI_ACQUIRE));
}

static void short_buffers_hold_whole_lines(void **state)
{
    (void)state;
    struct busy busy = {.running = false};
    struct tri_thread t;
    assert_true(tri_thread_create(&t, "busy", spin, &busy));
    wait_until_running(&busy);
    for (size_t size = 1; size < 300; size += 13) {
        char text[300];
        memset(text, 'x', sizeof text);
        assert_true(tri_stack_of(&t, text, size));
        size_t length = strnlen(text, size);
        assert_true(length < size);
        assert_true(length == 0 || text[length - 1] == '\n');
        assert_int_equal(text[size], 'x');
    }
    tri_store(&busy.quit, true, TRI_RELEASE);
    tri_thread_join(&t);
}

static void spin_deaf(void *arg)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    test_stack_spin_here(arg);
    /* The signal that comes now is for a request that was given up. */
    (void)sigemptyset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void a_deaf_thread_costs_the_timeout_only(void **state)
{
    (void)state;
    struct busy deaf = {.running = false}, busy = {.running = false};
    struct tri_thread t, u;
    assert_true(tri_thread_create(&t, "deaf", spin_deaf, &deaf));
    wait_until_running(&deaf);
    char text[4096];
    assert_false(tri_stack_of(&t, text, sizeof text));
    assert_non_null(strstr(text, "did not answer"));
    assert_true(tri_thread_create(&u, "busy", spin, &busy));
    wait_until_running(&busy);
    tri_store(&deaf.quit, true, TRI_RELEASE);
    tri_thread_join(&t);
    assert_true(tri_stack_of(&u, text, sizeof text));
    tri_store(&busy.quit, true, TRI_RELEASE);
    tri_thread_join(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_where_a_busy_thread_is),
        cmocka_unit_test(leaves_a_sleeping_thread_asleep),
        cmocka_unit_test(short_buffers_hold_whole_lines),
        cmocka_unit_test(a_deaf_thread_costs_the_timeout_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
