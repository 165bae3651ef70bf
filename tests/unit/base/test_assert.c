/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format on */

#include "base/assert.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct outer {
    int before;
    long inner;
};

static void helpers_compute(void **state)
{
    (void)state;
    int numbers[7];
    assert_int_equal(TRI_ARRAY_COUNT(numbers), 7);
    struct outer outer = {1, 2};
    assert_ptr_equal(TRI_CONTAINER_OF(&outer.inner, struct outer, inner), &outer);
    assert_true(TRI_LIKELY(2) && !TRI_UNLIKELY(0));
}

static void holds_evaluates_once(void **state)
{
    (void)state;
    int count = 0;
    TRI_ASSERT(++count == 1);
    assert_int_equal(count, 1);
}

static void break_assertion(void)
{
    TRI_ASSERT(1 + 1 == 3);
}

static void reach_unreachable(void)
{
    TRI_UNREACHABLE("no such case");
}

/* Runs `fn` in a child; returns its wait status, and what it wrote to stderr. */
static int run(void (*fn)(void), char *text, size_t size)
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(pipe_fds[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    (void)close(pipe_fds[1]);
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(pipe_fds[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    (void)close(pipe_fds[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void failure_says_what_and_where_and_aborts(void **state)
{
    (void)state;
    char text[512];
    int status = run(break_assertion, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "test_assert.c:"));
    assert_non_null(strstr(text, "break_assertion: assertion failed: 1 + 1 == 3\n"));
    status = run(reach_unreachable, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "unreachable: no such case\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(helpers_compute),
        cmocka_unit_test(holds_evaluates_once),
        cmocka_unit_test(failure_says_what_and_where_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
