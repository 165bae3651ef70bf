/*
 * tests/lib/stepped.h - a system that the test drives step by step, with a clock of its own: no
 * threads, no waiting, the same result every time.
 */
#ifndef TROUPE_TESTS_STEPPED_H
#define TROUPE_TESTS_STEPPED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "troupe/troupe.h"

#include <stdio.h>

static uint64_t now_ns;
static tr_system *sys;
static tr_ctx *root;

/* What the actors of a test saw, as words in order: compared as one string. */
static char trace[8192];
static size_t trace_size;

static inline void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void note(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (trace_size)
        trace_size += (size_t)snprintf(trace + trace_size, sizeof trace - trace_size, " ");
    trace_size += (size_t)vsnprintf(trace + trace_size, sizeof trace - trace_size, fmt, args);
    va_end(args);
    assert_true(trace_size < sizeof trace - 1);
}

/* Asserts what has been noted, and forgets it. */
#define assert_trace(want)                \
    do {                                  \
        assert_string_equal(trace, want); \
        trace_size = 0;                   \
        trace[0] = '\0';                  \
    } while (0)

static uint64_t stepped_clock(void *user)
{
    (void)user;
    return now_ns;
}

/* What the configuration leaves open is as tests want it. */
static inline int stepped_start_with(struct tr_config config)
{
    now_ns = 1000000000;
    trace_size = 0;
    trace[0] = '\0';
    config.manual = true;
    config.clock.mono_ns = stepped_clock;
    if (!config.log)
        config.log = tr_log_none;
    if (!config.seed)
        config.seed = 1;
    if (tr_system_create(&sys, &config))
        return -1;
    root = tr_root(sys);
    return 0;
}

static inline int stepped_start(const struct tr_middleware *const *middleware)
{
    return stepped_start_with((struct tr_config){.middleware = middleware});
}

static inline int set_up(void **state)
{
    (void)state;
    return stepped_start(NULL);
}

/* A cap that a test reaches. */
static inline int small_memory(void **state)
{
    (void)state;
    return stepped_start_with((struct tr_config){.memory_max = (size_t)1 << 20});
}

/* The accounts balance at the end of every test, and nothing is left. */
static inline int tear_down(void **state)
{
    (void)state;
    tr_err err = tr_system_stop(sys, 30000);
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    tr_system_destroy(sys);
    if (err || !tr_accounts_balance(&a) || a.queued) {
        fprintf(stderr, "stop: %s; accepted %" PRIu64 " processed %" PRIu64 " queued %" PRIu64 "\n",
                tr_strerror(err), a.accepted, a.processed, a.queued);
        return -1;
    }
    return 0;
}

static inline void run(void)
{
    tr_system_run(sys);
}

/* A millisecond at a time, so that timers that set timers are on time. */
static inline void pass_ms(unsigned ms)
{
    while (ms--) {
        now_ns += 1000000;
        tr_system_run(sys);
    }
}

static inline struct tr_accounts accounts_of(tr_pid pid)
{
    struct tr_accounts a = {0};
    assert_int_equal(tr_actor_accounts(root, pid, &a), TR_OK);
    assert_true(tr_accounts_balance(&a));
    return a;
}

static inline struct tr_accounts system_accounts(void)
{
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    assert_true(tr_accounts_balance(&a));
    return a;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define SMALL_TEST(fn) cmocka_unit_test_setup_teardown(fn, small_memory, tear_down)

#endif
