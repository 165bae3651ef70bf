/* Timers: cancelling, repeating, the receive timeout, and their bounds. */
#include "doer.h"

#include "base/atomic.h"
#include "core/cold.h"
#include "core/ctx.h"
#include "core/timers.h"

#include <limits.h>

static tr_timer timers[4];
static bool answers[4];

static tr_err two_later(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    timers[0] = tr_after(ctx, 10, item, .n = 1);
    timers[1] = tr_after(ctx, 20, item, .n = 2);
    return TR_OK;
}
static tr_err cancel_all(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (int i = 0; i < 4; i++)
        answers[i] = tr_cancel(ctx, timers[i]);
    return TR_OK;
}

static void only_a_pending_timer_is_cancelled(void **state)
{
    (void)state;
    tr_pid a = doer(), b = doer();
    timers[2] = (tr_timer){0};
    timers[3] = (tr_timer){(uint64_t)7 << 16 | 5}; /* Never given out. */
    does(b, cancel_all);                           /* It never had a timer. */
    for (int i = 0; i < 4; i++)
        assert_false(answers[i]);
    does(a, two_later);
    does(b, cancel_all); /* Another's. */
    assert_false(answers[0] || answers[1]);
    pass_ms(15);
    assert_trace("item1");
    does(a, cancel_all); /* The first has fired; the second has not. */
    assert_true(!answers[0] && answers[1] && !answers[2] && !answers[3]);
    pass_ms(20);
    assert_trace("");
    does(a, cancel_all);
    assert_false(answers[1]);
    does(a, two_later); /* Handles are not used again, though places are. */
    timers[2] = timers[0];
    pass_ms(30);
    assert_trace("item1 item2");
    does(a, two_later);
    timers[1] = timers[3] = (tr_timer){0};
    assert_false(timers[2].bits == timers[0].bits);
    timers[0] = timers[2];
    does(a, cancel_all);
    assert_false(answers[0] || answers[2]);
    pass_ms(30);
    assert_trace("item1 item2");
}

static tr_err every_ten(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    timers[0] = tr_every(ctx, 10, item, .n = (uint32_t)(tr_now_ns(ctx) / 1000000 % 1000));
    return TR_OK;
}

/* Ticks that were missed are left out, and the next comes where it would have come anyway. */
static void repeating_keeps_its_grid(void **state)
{
    (void)state;
    tr_pid a = doer();
    does(a, every_ten);
    pass_ms(20);
    assert_trace("item0 item0");
    now_ns += 35000000; /* 30 and 40 and 50 in one. */
    run();
    assert_trace("item0");
    pass_ms(4);
    assert_trace("");
    pass_ms(1); /* 60 */
    assert_trace("item0");
    timers[1] = timers[2] = timers[3] = (tr_timer){0};
    does(a, cancel_all);
    assert_true(answers[0]);
    pass_ms(50);
    assert_trace("");
}

static uint32_t set, refused;
static tr_err too_many(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (uint32_t i = 0; i < TRI_TIMERS_MAX + 10; i++) {
        if (tr_after(ctx, 1000 + i % 100, act, .fn = NULL).bits)
            set++;
        else
            refused++;
    }
    return TR_OK;
}

static void timers_of_one_actor_are_bounded(void **state)
{
    (void)state;
    tr_pid a = doer();
    set = refused = 0;
    does(a, too_many);
    assert_int_equal(set, TRI_TIMERS_MAX);
    assert_int_equal(refused, 10);
    assert_int_equal(system_accounts().dead[TR_DEAD_MEMORY], 10);
    stop(a); /* They end with it. */
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    assert_int_equal(stats.timers, 0);
}

/* ---- Receive timeout ------------------------------------------------------------- */

static tr_err idle_5(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_receive_timeout(ctx, 5);
}
static tr_err idle_20(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_receive_timeout(ctx, 20);
}
static tr_err idle_off(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_receive_timeout(ctx, 0);
}
static tr_err fail_it(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_fail(ctx, TR_EIO, "as told");
}

static void silence_is_measured_from_the_last_message(void **state)
{
    (void)state;
    tr_pid bounded = tr_spawn(root, &doer_actor, .mailbox_max = 3);
    tr_pid batches = doer();
    const tr_pid all[] = {doer(), bounded, batches};
    for (int i = 0; i < 3; i++) {
        does(all[i], idle_off); /* Turning off what is not on. */
        does(all[i], idle_5);
        for (int n = 0; n < 5; n++) {
            pass_ms(4);
            tr_send(root, all[i], item, .n = 1);
            run();
        }
        assert_trace("item1 item1 item1 item1 item1");
        pass_ms(6);
        assert_trace("idle");
        does(all[i], idle_20); /* Another time, while the timer runs. */
        pass_ms(18);
        assert_trace("");
        pass_ms(3);
        assert_trace("idle");
        does(all[i], idle_off);
        pass_ms(100);
        assert_trace("");
    }
}

/* While it waits to be restarted nothing is silence, and the restart turns it off. */
static void a_failed_actor_is_not_idle(void **state)
{
    static const struct tr_supervision later = {
        .restarts_max = 5, .within_ms = 1000, .backoff_ms_min = 50};
    (void)state;
    tr_pid a = tr_spawn(root, &doer_actor, .supervise = &later);
    does(a, idle_5);
    does(a, fail_it);
    pass_ms(45);
    assert_trace("");
    pass_ms(60);
    assert_true(tr_alive(root, a));
    tr_send(root, a, item, .n = 3);
    run();
    assert_trace("item3");
    pass_ms(100);
    assert_trace("");
}

/* ---- A timer that is due but not handled yet ------------------------------------------ */

static TRI_ATOMIC(bool) cancelled;

/* Waits in its handler until another worker has found its timer due: one that slept when it was
 * set, and is woken for it. */
static tr_err cancel_when_due(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_timer one = tr_after(ctx, 1, item, .n = 1);
    tr_timer many = tr_every(ctx, 1, item, .n = 2);
    while (!tri_load(&ctx->cell->sys, TRI_ACQUIRE))
        tri_thread_yield();
    uint64_t due = tr_now_ns(ctx) + 5000000;
    while (tr_now_ns(ctx) < due) /* And the other one. */
        tri_thread_yield();
    bool both = tr_cancel(ctx, one) && tr_cancel(ctx, many);
    tri_store(&cancelled, both, TRI_RELEASE);
    return TR_OK;
}
static void cancelled_is_cancelled_also_when_it_is_due(void **state)
{
    const struct tr_config config = {.workers = 2, .log = tr_log_none, .watchdog_ms = UINT_MAX};
    (void)state;
    trace_size = 0;
    trace[0] = '\0';
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    root = tr_root(sys);
    tr_pid a = tr_spawn(root, &doer_actor);
    struct tr_stats stats;
    do { /* Both workers are asleep. */
        tri_thread_yield();
        tr_system_stats(sys, &stats);
    } while (stats.workers_parked < 2);
    tr_send(root, a, act, .fn = cancel_when_due);
    run();
    assert_true(tri_load(&cancelled, TRI_ACQUIRE));
    struct item answer;
    /* Whatever its timers had to say it has said by now. */
    assert_int_equal(tr_ask(root, a, TR_INTO(item, &answer), 20, item, .n = 9), TR_ETIMEDOUT);
    run();
    assert_trace("item9");
    assert_int_equal(tear_down(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_a_pending_timer_is_cancelled),
        TEST(repeating_keeps_its_grid),
        TEST(timers_of_one_actor_are_bounded),
        TEST(silence_is_measured_from_the_last_message),
        TEST(a_failed_actor_is_not_idle),
        cmocka_unit_test(cancelled_is_cancelled_also_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
