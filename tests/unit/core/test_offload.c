/* Work that blocks: how many threads it gets, that all results come, and what an end does. */
#include "doer.h"

#include "base/atomic.h"
#include "os/thread.h"

struct nothing {
    char none;
};
TR_TYPE(nothing);

static TRI_ATOMIC(uint32_t) at_work, most_at_work, done_count;
static TRI_ATOMIC(bool) gate;

/* Blocks until the test opens the gate. */
static tr_err wait_at_gate(const void *arg, void *result)
{
    uint32_t now = tri_fetch_add(&at_work, 1u, TRI_SEQ_CST) + 1;
    uint32_t most = tri_load(&most_at_work, TRI_SEQ_CST);
    while (now > most && !tri_cas_weak(&most_at_work, &most, now, TRI_SEQ_CST, TRI_SEQ_CST))
        ;
    while (!tri_load(&gate, TRI_SEQ_CST))
        tri_thread_yield();
    tri_fetch_sub(&at_work, 1u, TRI_SEQ_CST);
    tri_fetch_add(&done_count, 1u, TRI_SEQ_CST);
    ((struct item *)result)->n = ((const struct item *)arg)->n;
    return TR_OK;
}
static tr_err fails(const void *arg, void *result)
{
    (void)arg, (void)result;
    return TR_EIO;
}

static tr_err three_jobs(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (uint32_t i = 1; i <= 3; i++)
        assert_true(tr_offload(ctx, wait_at_gate, item, item, .n = i) != 0);
    return TR_OK;
}
static tr_err failing_job(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    assert_true(tr_offload(ctx, fails, nothing, item, .n = 1) != 0);
    return TR_OK;
}

static void threaded(unsigned threads)
{
    const struct tr_config config = {.workers = 1, .log = tr_log_none, .offload_threads = threads};
    trace_size = 0;
    trace[0] = '\0';
    tri_store(&gate, false, TRI_SEQ_CST);
    tri_store(&at_work, 0u, TRI_SEQ_CST);
    tri_store(&most_at_work, 0u, TRI_SEQ_CST);
    tri_store(&done_count, 0u, TRI_SEQ_CST);
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    root = tr_root(sys);
}
static void await_at_work(uint32_t count)
{
    while (tri_load(&at_work, TRI_SEQ_CST) < count)
        tri_thread_yield();
}

static void no_more_threads_than_allowed(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        threaded(threads);
        tr_pid a = tr_spawn(root, &doer_actor);
        tr_send(root, a, act, .fn = three_jobs);
        await_at_work(threads < 3 ? threads : 3);
        tri_store(&gate, true, TRI_SEQ_CST);
        run();
        assert_int_equal(tri_load(&most_at_work, TRI_SEQ_CST), threads < 3 ? threads : 3);
        assert_int_equal(tri_load(&done_count, TRI_SEQ_CST), 3);
        for (int i = 1; i <= 3; i++) {
            char word[8];
            snprintf(word, sizeof word, "item%d", i);
            assert_non_null(strstr(trace, word));
        }
        /* Idle threads take what comes next. */
        trace_size = 0;
        trace[0] = '\0';
        tr_send(root, a, act, .fn = failing_job);
        run();
        assert_trace("failed:input or output failed");
        tr_send(root, a, act, .fn = three_jobs);
        run();
        assert_int_equal(tri_load(&done_count, TRI_SEQ_CST), 6);
        assert_int_equal(tear_down(NULL), 0);
    }
}

static void open_gate(void *arg)
{
    (void)arg;
    tr_ctx *ctx = tr_attach(sys);
    await_at_work(1);
    tri_store(&gate, true, TRI_SEQ_CST);
    tr_detach(ctx);
}

/* The deadline passes with one job under way and two that wait: the end waits for the first. */
static void an_end_waits_for_the_job_under_way(void **state)
{
    struct tri_thread helper = {0};
    (void)state;
    threaded(1);
    tr_pid a = tr_spawn(root, &doer_actor);
    tr_send(root, a, act, .fn = three_jobs);
    await_at_work(1);
    assert_int_equal(tr_system_stop(sys, 20), TR_ETIMEDOUT);
    assert_int_equal(tri_load(&done_count, TRI_SEQ_CST), 0);
    assert_true(tri_thread_create(&helper, "helper", open_gate, NULL));
    tri_thread_join(&helper);
    tr_system_destroy(sys);
    assert_true(tri_load(&done_count, TRI_SEQ_CST) >= 1);
    assert_int_equal(tri_load(&at_work, TRI_SEQ_CST), 0);
}

/* Stepped systems run jobs as steps; what was not stepped goes with the system. */
static void a_stepped_system_drops_what_was_not_stepped(void **state)
{
    (void)state;
    tr_pid a = doer();
    tri_store(&gate, true, TRI_SEQ_CST);
    tri_store(&done_count, 0u, TRI_SEQ_CST);
    does(a, three_jobs);
    assert_int_equal(tri_load(&done_count, TRI_SEQ_CST), 3);
    assert_trace("item1 item2 item3");
    tr_send(root, a, act, .fn = three_jobs);
    assert_int_equal(tr_system_step(sys, 1), 1);
    uint32_t before = tri_load(&done_count, TRI_SEQ_CST);
    assert_true(before <= 4);
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK); /* Works off what there is. */
    assert_int_equal(tri_load(&done_count, TRI_SEQ_CST), 6);
    trace_size = 0;
    trace[0] = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_threads_than_allowed),
        cmocka_unit_test(an_end_waits_for_the_job_under_way),
        TEST(a_stepped_system_drops_what_was_not_stepped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
