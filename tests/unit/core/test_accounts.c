/* The message accounts of actors that wait, and of handlers that put aside, fail and end at once;
 * and the system's own figures. */
#include "doer.h"

#include <limits.h>

static const struct tr_supervision later = {
    .restarts_max = 60, .within_ms = 1000, .backoff_ms_min = 100};

static tr_err fail_it(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_fail(ctx, TR_EIO, "as told");
}

/* Mail of actors that wait for their restart is queued: in their account and the system's. */
static void the_mail_of_who_waits_is_queued(void **state)
{
    (void)state;
    tr_pid plain = tr_spawn(root, &doer_actor, .supervise = &later);
    tr_pid bounded = tr_spawn(root, &doer_actor, .supervise = &later, .mailbox_max = 4);
    tr_pid at_rest = doer();
    does(plain, fail_it);
    does(bounded, fail_it);
    for (uint32_t i = 1; i <= 3; i++) {
        tr_send(root, plain, item, .n = i);
        tr_send(root, bounded, item, .n = 10 + i);
    }
    run();
    assert_trace("");
    assert_int_equal(accounts_of(plain).queued, 3);
    assert_int_equal(accounts_of(bounded).queued, 3);
    assert_int_equal(accounts_of(at_rest).queued, 0);
    assert_int_equal(system_accounts().queued, 6);
    pass_ms(120);
    assert_true(strstr(trace, "item1 item2 item3") && strstr(trace, "item11 item12 item13"));
    trace_size = 0;
    trace[0] = '\0';
    assert_int_equal(system_accounts().queued, 0);
    assert_int_equal(accounts_of(plain).processed, 4);
}

static tr_err look_at_own(tr_ctx *ctx, const tr_msg *msg)
{
    struct tr_accounts a;
    (void)msg;
    assert_int_equal(tr_actor_accounts(ctx, tr_self(ctx), &a), TR_OK);
    assert_true(tr_accounts_balance(&a));
    note("queued%u", (unsigned)a.queued);
    return TR_OK;
}
static void an_actor_sees_what_waits_for_it(void **state)
{
    (void)state;
    for (unsigned max = 0; max <= 5; max += 5) {
        tr_pid a = tr_spawn(root, &doer_actor, .mailbox_max = max);
        run();
        tr_send(root, a, act, .fn = look_at_own);
        tr_send(root, a, item, .n = 1);
        tr_send(root, a, item, .n = 2);
        tr_send(root, a, act, .fn = look_at_own);
        run();
        assert_trace("queued3 item1 item2 queued0");
    }
}

/* ---- Putting aside, and then … ------------------------------------------------------------ */

static bool aside = true;
static tr_err put_aside(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    if (!aside) {
        note("again");
        return TR_OK;
    }
    assert_int_equal(tr_stash(ctx), TR_OK);
    assert_int_equal(tr_stash(ctx), TR_EINVAL); /* It is aside already. */
    return TR_OK;
}
static tr_err put_aside_and_fail(tr_ctx *ctx, const tr_msg *msg)
{
    (void)put_aside(ctx, msg);
    return fail_it(ctx, msg);
}
static tr_err put_aside_and_refuse(tr_ctx *ctx, const tr_msg *msg)
{
    (void)put_aside(ctx, msg);
    return tr_unhandled(ctx);
}
static tr_err put_aside_take_and_fail(tr_ctx *ctx, const tr_msg *msg)
{
    (void)put_aside(ctx, msg);
    note("took%zu", tr_unstash(ctx, SIZE_MAX));
    return fail_it(ctx, msg);
}
static tr_err put_aside_and_stop(tr_ctx *ctx, const tr_msg *msg)
{
    tr_stop(ctx, tr_self(ctx));
    return put_aside(ctx, msg);
}
static tr_err take_all(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    aside = false;
    size_t took = tr_unstash(ctx, SIZE_MAX);
    note("took%zu left%zu", took, tr_stashed(ctx));
    return TR_OK;
}
static const struct tr_supervision resume = {.on_failure = TR_RESUME};

static void what_failed_is_not_put_aside(void **state)
{
    (void)state;
    /* On the short path, and with a bounded mailbox. */
    for (unsigned max = 0; max <= 5; max += 5) {
        tr_pid a = tr_spawn(root, &doer_actor, .supervise = &resume, .mailbox_max = max);
        run();
        aside = true;
        does(a, put_aside);
        does(a, put_aside);
        does(a, put_aside_and_fail); /* The newest of three. */
        assert_int_equal(accounts_of(a).queued, 2);
        does(a, put_aside_and_refuse);
        assert_int_equal(accounts_of(a).queued, 2);
        assert_int_equal(accounts_of(a).dead[TR_DEAD_UNHANDLED], 1);
        does(a, put_aside);
        does(a, take_all);
        assert_trace("took3 left0 again again again");
        /* Taken out by the handler that put it aside, which fails: it is not handled again. */
        aside = true;
        does(a, put_aside);
        does(a, put_aside_take_and_fail);
        assert_trace("took2");
        assert_int_equal(accounts_of(a).queued, 1); /* The other one has put itself aside again. */
        does(a, take_all);
        assert_trace("took1 left0 again");
        assert_int_equal(accounts_of(a).queued, 0);
        /* Its last message goes with it. */
        uint64_t before = system_accounts().dead[TR_DEAD_STOPPED];
        aside = true;
        does(a, put_aside_and_stop);
        assert_false(tr_alive(root, a));
        assert_int_equal(system_accounts().dead[TR_DEAD_STOPPED], before + 1);
    }
}

/* Without a message there is nothing to put aside. */
static tr_err stashes_in_init(tr_ctx *ctx, void *self, const void *arg)
{
    (void)self, (void)arg;
    assert_int_equal(tr_stashed(ctx), 0);
    assert_int_equal(tr_unstash(ctx, 1), 0);
    return tr_stash(ctx) == TR_EINVAL ? TR_OK : TR_EUSER;
}
static tr_err stashes_a_batch(tr_ctx *ctx, void *self, const struct tr_batch *batch)
{
    (void)self;
    note("batch%zu:%s", batch->count, tr_stash(ctx) == TR_EINVAL ? "no" : "yes");
    return TR_OK;
}
static const struct tr_actor batch_actor = {.name = "batch",
                                            .init = stashes_in_init,
                                            .receive = doer_receive,
                                            .receive_batch = stashes_a_batch,
                                            .batch_type = &item_type,
                                            .batch_max = 4};
static tr_err answer_items(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_reply(ctx, item, .n = 9);
    return TR_OK;
}
static tr_err ask_other(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    (void)tr_request(ctx, other, 1000, act, .fn = answer_items);
    return TR_OK;
}

/* An answer of the batch's type comes alone: it belongs to a call. */
static void batches_are_of_plain_messages(void **state)
{
    (void)state;
    other = doer();
    for (unsigned max = 0; max <= 9; max += 9) {
        tr_pid a = tr_spawn(root, &batch_actor, .mailbox_max = max);
        run();
        assert_true(tr_alive(root, a));
        tr_send(root, a, act, .fn = ask_other);
        tr_send(root, a, item, .n = 1);
        tr_send(root, a, item, .n = 2);
        run();
        assert_trace("batch2:no item9");
        for (uint32_t i = 0; i < 5; i++)
            tr_send(root, a, item, .n = i);
        tr_send(root, a, act, .fn = look_at_own);
        tr_send(root, a, item, .n = 6);
        run();
        assert_trace("batch4:no batch1:no queued1 batch1:no");
        assert_int_equal(accounts_of(a).processed, 11);
        stop(a);
    }
}

/* ---- Ends ---------------------------------------------------------------------------------- */

static tr_err stops_in_init(tr_ctx *ctx, void *self, const void *arg)
{
    (void)self, (void)arg;
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}
static const struct tr_actor short_lived = {
    .name = "short_lived", .state_size = 8, .init = stops_in_init, .receive = doer_receive};

static void an_end_in_init_comes_before_the_first_message(void **state)
{
    (void)state;
    (void)listener();
    tr_pid a = tr_spawn(root, &short_lived);
    tr_send(root, a, item, .n = 1);
    run();
    assert_false(tr_alive(root, a));
    assert_trace("dead:item:stopped");
}

static tr_err fail_and_stop(tr_ctx *ctx, const tr_msg *msg)
{
    tr_stop(ctx, tr_self(ctx));
    return fail_it(ctx, msg);
}
static tr_err refuse_and_stop(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_stop(ctx, tr_self(ctx));
    return tr_unhandled(ctx);
}
static tr_err watch_other(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_watch(ctx, other);
    return TR_OK;
}
static void an_end_with_a_failure_tells_of_it(void **state)
{
    (void)state;
    tr_pid watcher = doer();
    other = doer();
    does(watcher, watch_other);
    does(other, fail_and_stop);
    assert_false(tr_alive(root, other));
    assert_trace("down:input or output failed");
    other = doer();
    does(watcher, watch_other);
    does(other, refuse_and_stop);
    assert_false(tr_alive(root, other));
    assert_trace("down:success");
}

/* ---- The system ------------------------------------------------------------------------------ */

static const struct tr_supervision escalate = {.on_failure = TR_ESCALATE};
static const struct tr_actor nameless = {.state_size = 8, .receive = doer_receive};
static tr_err fail_silently(tr_ctx *ctx, const tr_msg *msg)
{
    (void)ctx, (void)msg;
    return TR_EUSER;
}
static void the_first_failure_is_the_systems(void **state)
{
    char text[256] = "";
    (void)state;
    tr_pid a = tr_spawn(root, &nameless, .supervise = &escalate);
    tr_pid b = tr_spawn(root, &doer_actor, .supervise = &escalate);
    run();
    tr_send(root, b, act, .fn = fail_it);
    tr_send(root, a, act, .fn = fail_silently); /* Made runnable last: it runs first. */
    run();
    assert_int_equal(tr_system_failure(sys, NULL, 0), TR_EUSER);
    assert_int_equal(tr_system_failure(sys, text, 0), TR_EUSER);
    assert_string_equal(text, "");
    assert_int_equal(tr_system_failure(sys, text, sizeof text), TR_EUSER);
    assert_non_null(strstr(text, "actor ? ("));
    assert_null(strstr(text, "as told"));
    assert_false(tr_alive(root, a) || tr_alive(root, b));
}

static int64_t wall_clock(void *user)
{
    return *(int64_t *)user;
}
static void ports_and_places(void **state)
{
    int64_t now_us = 1234567;
    const struct tr_config config = {
        .manual = true, .log = tr_log_none, .clock = {.wall_us = wall_clock, .user = &now_us}};
    tr_system *mine;
    tr_ctx *attached[TR_OUTSIDE_MAX];
    (void)state;
    assert_int_equal(tr_system_create(&mine, &config), TR_OK);
    assert_int_equal(tr_wall_us(tr_root(mine)), 1234567);
    assert_true(tr_wall_us(root) > 1600000000000000); /* The machine's. */
    assert_true(tr_system_of(tr_root(mine)) == mine);
    uint32_t count = 0;
    while (count < TR_OUTSIDE_MAX && (attached[count] = tr_attach(mine)))
        count++;
    assert_int_equal(count, TR_OUTSIDE_MAX);
    assert_null(tr_attach(mine));
    tr_detach(attached[7]);
    assert_ptr_equal(tr_attach(mine), attached[7]); /* Places are used again. */
    while (count)
        tr_detach(attached[--count]);
    tr_system_destroy(mine);
    tr_system_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_mail_of_who_waits_is_queued),
        TEST(an_actor_sees_what_waits_for_it),
        TEST(what_failed_is_not_put_aside),
        TEST(batches_are_of_plain_messages),
        TEST(an_end_in_init_comes_before_the_first_message),
        TEST(an_end_with_a_failure_tells_of_it),
        TEST(the_first_failure_is_the_systems),
        TEST(ports_and_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
