/* Watching, links and subscriptions where nothing is there, is there twice, or has gone. */
#include "doer.h"

#include "core/cold.h"
#include "core/slots.h"

static tr_err watch(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_watch(ctx, other);
    return TR_OK;
}
static tr_err unwatch(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_unwatch(ctx, other);
    return TR_OK;
}

static void nobody_and_the_dead_are_down_at_once(void **state)
{
    (void)state;
    tr_pid a = doer();
    other = TR_NOBODY;
    does(a, watch);
    assert_trace("down:no such actor");
    other = doer();
    stop(other);
    does(a, watch);
    assert_trace("down:no such actor");
}

static void who_does_not_watch_any_more_hears_nothing(void **state)
{
    (void)state;
    tr_pid a = doer();
    other = doer();
    does(a, unwatch); /* Watches nobody, and never did. */
    does(a, watch);
    does(a, watch);
    does(a, unwatch);
    does(a, unwatch);
    stop(other);
    assert_trace("");
    other = doer();
    does(a, watch);
    stop(other);
    assert_trace("down:success"); /* Watched twice or not: once. */
}

/* Unwatched while the word of the end is on its way. */
static tr_err stop_and_unwatch(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_stop(ctx, other);
    tr_unwatch(ctx, other);
    return TR_OK;
}
static void unwatching_crosses_the_end(void **state)
{
    (void)state;
    tr_pid a = doer();
    other = doer();
    does(a, watch);
    does(a, stop_and_unwatch);
    assert_trace("");
    assert_false(tr_alive(root, other));
}

/* ---- Links --------------------------------------------------------------------- */

static tr_err link_it(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_link(ctx, other);
}
static tr_err unlink_it(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_unlink(ctx, other);
    return TR_OK;
}
static tr_err fail_it(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_fail(ctx, TR_EIO, "as told");
}
static tr_err listen_failures(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_subscribe(ctx, tr_actor_failed);
}

static void untied_actors_fail_alone(void **state)
{
    (void)state;
    tr_pid listening = doer();
    does(listening, listen_failures);
    tr_pid a = doer();
    other = doer();
    does(a, unlink_it); /* Nothing to untie. */
    does(a, link_it);
    does(a, unlink_it);
    does(a, unlink_it);
    does(other, fail_it);
    assert_trace("failure:input or output failed:as told");
    /* The end of an actor that was never tied reaches nobody either. */
    stop(other);
    assert_trace("");
}

static void a_link_to_nobody_or_to_oneself_is_refused(void **state)
{
    (void)state;
    tr_pid listening = doer();
    does(listening, listen_failures);
    tr_pid a = doer();
    other = TR_NOBODY;
    does(a, link_it);
    assert_trace("failure:no such actor:cannot link to nobody: no such actor");
    other = a;
    does(a, link_it);
    assert_non_null(strstr(trace, "cannot be linked to itself"));
    trace_size = 0;
    trace[0] = '\0';
}

/* ---- Calls that wait for an actor that ends --------------------------------------- */

static tr_err ask_it(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    (void)tr_request(ctx, other, 60000, item, .n = 1);
    return TR_OK;
}

/* Those who wait for an answer are kept by the one they wait for; if they end first, they are
 * forgotten, so that the set stays as large as the number of those who live. */
static void ended_askers_are_forgotten(void **state)
{
    (void)state;
    other = doer();
    tr_pid last = TR_NOBODY;
    for (int i = 0; i < 200; i++) {
        last = doer();
        does(last, ask_it);
        pass_ms(25); /* By now it is asked to tell of its end. */
        if (i % 10)
            stop(last);
    }
    const struct tri_cell *cell = tri_pid_cell(&tr_system_of(root)->slots, other);
    assert_non_null(cell);
    assert_true(cell->cold->probers.count >= 20 && cell->cold->probers.capacity <= 64);
    trace_size = 0;
    trace[0] = '\0';
    stop(other);
    /* 20 were alive, and each is told. */
    int told = 0;
    for (const char *p = trace; (p = strstr(p, "failed:no such actor")); p++)
        told++;
    assert_int_equal(told, 20);
    trace_size = 0;
    trace[0] = '\0';
}

/* ---- Subscriptions --------------------------------------------------------------- */

static tr_err listen_items(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_subscribe(ctx, item);
}
static tr_err listen_items_no_more(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_unsubscribe(ctx, item);
    return TR_OK;
}

static void many_subscribers_all_hear_it(void **state)
{
    (void)state;
    tr_pid pids[150];
    for (int i = 0; i < 150; i++) {
        pids[i] = doer();
        does(pids[i], listen_items);
        does(pids[i], listen_items); /* Once is enough. */
    }
    tr_publish(root, item, .n = 7);
    run();
    int heard = 0;
    for (const char *p = trace; (p = strstr(p, "item7")); p++)
        heard++;
    assert_int_equal(heard, 150);
    for (int i = 0; i < 149; i++)
        stop(pids[i]); /* An end is an end of all subscriptions. */
    trace_size = 0;
    trace[0] = '\0';
    tr_publish(root, item, .n = 8);
    run();
    assert_trace("item8");
}

static void one_type_is_left_without_the_others(void **state)
{
    (void)state;
    tr_pid a = doer(), b = doer();
    does(a, listen_items);
    does(b, listen_items);
    does(a, listen_dead);
    does(a, listen_items_no_more);
    tr_publish(root, item, .n = 1);
    run();
    assert_trace("item1"); /* b's */
    tr_send(root, TR_NOBODY, item, .n = 2);
    run();
    assert_trace("dead:item:no-actor"); /* a's */
    does(b, listen_items_no_more);
    tr_publish(root, item, .n = 3);
    run();
    assert_trace("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_and_the_dead_are_down_at_once),
        TEST(who_does_not_watch_any_more_hears_nothing),
        TEST(unwatching_crosses_the_end),
        TEST(untied_actors_fail_alone),
        TEST(a_link_to_nobody_or_to_oneself_is_refused),
        TEST(ended_askers_are_forgotten),
        TEST(many_subscribers_all_hear_it),
        TEST(one_type_is_left_without_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
