/* Fault traps: every kind of fault, whose fault it is, and looking at a thread. */
#define _GNU_SOURCE
#undef NDEBUG /* assert() is one of the faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/critical.h"
#include "forked.h"
#include "os/fault.h"
#include "os/thread.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

static volatile uintptr_t where;
static volatile int zero;

static void read_null(void *arg)
{
    (void)arg;
    where = 8;
    (void)*(volatile int *)where;
}

static void write_wild(void *arg)
{
    static void *page;
    if (!page)
        page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    where = (uintptr_t)page;
    (void)arg;
    *(volatile int *)where = 1;
}

static void divide(void *arg)
{
    (void)arg;
#if defined(__x86_64__)
    zero = 7 / zero;
#else
    (void)raise(SIGFPE); /* This processor divides by zero without a fault. */
#endif
}

static void illegal(void *arg)
{
    (void)arg;
    __builtin_trap();
}

static void call_null(void *arg)
{
    (void)arg;
    where = 0;
    ((void (*)(void))where)();
}

static void fail_assertion(void *arg)
{
    (void)arg;
    assert(zero == 1);
}

static int depth(volatile char *above)
{
    volatile char here[1024];
    here[0] = *above;
    return zero == 2 ? 0 : depth(here) + here[0];
}

static void overflow(void *arg)
{
    (void)arg;
    volatile char start = 1;
    zero = depth(&start);
}

static void end_well(void *arg)
{
    *(int *)arg += 1;
}

static struct tri_fault run(void (*fn)(void *))
{
    struct tri_fault fault = {0};
    CHECK(!tri_fault_run(fn, NULL, &fault));
    /* And again, since the first may have broken the second. */
    struct tri_fault second = {0};
    CHECK(!tri_fault_run(fn, NULL, &second));
    CHECK(second.sig == fault.sig);
    int calls = 0;
    CHECK(tri_fault_run(end_well, &calls, &second) && calls == 1);
    return fault;
}

static void kinds(void)
{
    CHECK(tri_fault_prepare());
    struct tri_fault f = run(read_null);
    CHECK(f.sig == SIGSEGV && f.address == 8 && !f.stack);
    char text[256];
    tri_fault_describe(&f, text, sizeof text);
    CHECK(strstr(text, "SIGSEGV at address 0x8, code at "));
    f = run(write_wild);
    CHECK(f.sig == SIGSEGV && f.address == where);
    CHECK(run(divide).sig == SIGFPE);
    CHECK(run(illegal).sig == SIGILL);
    f = run(call_null);
    CHECK(f.sig == SIGSEGV && f.pc == 0);
    f = run(fail_assertion);
    CHECK(f.sig == SIGABRT);
    f = run(overflow);
    CHECK(f.sig == SIGSEGV && f.stack);
    tri_fault_describe(&f, text, sizeof text);
    CHECK(strstr(text, "stack overflow"));
}

static void on_thread(void *arg)
{
    (void)arg;
    kinds();
}

static void kinds_on_thread(void)
{
    struct tri_thread thread;
    for (int i = 0; i < 3; i++) {
        CHECK(tri_thread_create(&thread, "faulty", on_thread, NULL));
        tri_thread_join(&thread);
    }
}

/* ---- Not ours ------------------------------------------------------------ */

static void fault_outside(void)
{
    int calls = 0;
    struct tri_fault f;
    CHECK(tri_fault_prepare() && tri_fault_run(end_well, &calls, &f));
    read_null(NULL);
}

static void abort_outside(void)
{
    CHECK(tri_fault_prepare());
    abort();
}

static void be_critical(void *arg)
{
    tri_critical_enter();
    read_null(arg);
}

static void fault_in_critical(void)
{
    struct tri_fault f;
    CHECK(tri_fault_prepare());
    (void)tri_fault_run(be_critical, NULL, &f);
}

static void break_runtime(void *arg)
{
    (void)arg;
    where = 24;
    /* The runtime's own code follows a bad pointer. */
    tri_thread_join((struct tri_thread *)where);
}

static void fault_in_runtime(void)
{
    struct tri_fault f;
    CHECK(tri_fault_prepare());
    CHECK(tri_critical == 0); /* Only the address tells. */
    (void)tri_fault_run(break_runtime, NULL, &f);
}

static void send_to_self(void *arg)
{
    (void)arg;
    (void)kill(getpid(), SIGSEGV);
}

static void signal_from_outside(void)
{
    struct tri_fault f;
    CHECK(tri_fault_prepare());
    (void)tri_fault_run(send_to_self, NULL, &f);
}

static sigjmp_buf users_way_out;
static void users_handler(int sig)
{
    (void)sig;
    siglongjmp(users_way_out, 1);
}

static void users_handler_gets_it(void)
{
    (void)signal(SIGSEGV, users_handler);
    CHECK(tri_fault_prepare());
    if (sigsetjmp(users_way_out, 1) == 0) {
        read_null(NULL);
        CHECK(!"it went on");
    }
    CHECK(run(read_null).sig == SIGSEGV);
}

/* ---- Poking -------------------------------------------------------------- */

static struct {
    TRI_ATOMIC(struct tri_fault_thread *) thread;
    TRI_ATOMIC(uint32_t) pokes;
    TRI_ATOMIC(bool) end;
    TRI_ATOMIC(bool) ended;
    struct tri_fault fault;
    bool finished;
} loop;

static bool poked(void *user, const struct tri_poke *poke)
{
    bool end = tri_load(&loop.end, TRI_RELAXED);
    CHECK(user == &loop && poke->count >= 1 && (poke->may_end || end)); /* It may be over. */
    tri_fetch_add(&loop.pokes, 1u, TRI_RELAXED);
    return end;
}

static void loop_for_ever(void *arg)
{
    (void)arg;
    tri_store(&loop.thread, tri_fault_thread(poked, &loop), TRI_RELEASE);
    for (;;)
        zero++;
}

static void loop_main(void *arg)
{
    CHECK(tri_fault_prepare());
    loop.finished = tri_fault_run(loop_for_ever, arg, &loop.fault);
    tri_store(&loop.ended, true, TRI_RELEASE);
}

static void poke_until(struct tri_fault_thread *t, uint32_t pokes)
{
    while (tri_load(&loop.pokes, TRI_RELAXED) < pokes) {
        CHECK(tri_fault_poke(t));
        tri_thread_yield();
    }
}

static void loop_is_ended(void)
{
    struct tri_thread thread;
    CHECK(tri_thread_create(&thread, "loop", loop_main, NULL));
    struct tri_fault_thread *t;
    while (!(t = tri_load(&loop.thread, TRI_ACQUIRE)))
        tri_thread_yield();
    poke_until(t, 5);
    (void)raise(SIGURG); /* Nobody's poke: ignored, as by default, */
    poke_until(t, tri_load(&loop.pokes, TRI_RELAXED) + 5); /* and pokes still get through. */
    tri_store(&loop.end, true, TRI_RELAXED);
    while (!tri_load(&loop.ended, TRI_ACQUIRE)) {
        CHECK(tri_fault_poke(t)); /* One may come while the one before is being handled. */
        tri_thread_yield();
    }
    tri_thread_join(&thread);
    CHECK(!loop.finished && loop.fault.sig == 0 && loop.fault.pc != 0);
}

/* ---- Tests --------------------------------------------------------------- */

static void need_traps(void)
{
    if (tri_fault_off()) {
        print_message("skipped: %s\n", tri_fault_off());
        skip();
    }
}

static void test_kinds(void **state)
{
    (void)state;
    need_traps();
    assert_forked_ok(kinds);
    assert_forked_ok(kinds_on_thread);
}

static void test_not_ours(void **state)
{
    (void)state;
    need_traps();
    assert_forked_signal(fault_outside, SIGSEGV);
    assert_forked_signal(abort_outside, SIGABRT);
    assert_forked_signal(fault_in_critical, SIGSEGV);
    assert_forked_signal(fault_in_runtime, SIGSEGV);
    assert_forked_signal(signal_from_outside, SIGSEGV);
    assert_forked_ok(users_handler_gets_it);
}

static void test_poke(void **state)
{
    (void)state;
    need_traps();
    assert_forked_ok(loop_is_ended);
}

static void test_off(void **state)
{
    (void)state;
    /* Whether on or off: a function that does not fault is called once. */
    int calls = 0;
    struct tri_fault fault;
    assert_true(tri_fault_run(end_well, &calls, &fault));
    assert_int_equal(calls, 1);
    if (tri_fault_off())
        assert_false(tri_fault_prepare());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_poke),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
