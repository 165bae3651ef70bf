/* Who waits for whose mailbox, in numbers: many senders, long chains, ends in the middle. */
#include "doer.h"

#include "core/bound.h"
#include "core/delay.h"
#include "core/slots.h"

static uint32_t items;
static tr_err count_items(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    if (tr_as(msg, act))
        return tr_as(msg, act)->fn(ctx, msg);
    items++;
    return TR_OK;
}
static const struct tr_actor counter = {.name = "counter", .receive = count_items};

static tr_pid bounded(enum tr_overflow overflow)
{
    tr_pid pid = tr_spawn(root, &counter, .mailbox_max = 1, .overflow = overflow);
    run();
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

/* One more than there is room for. Whom: what `to` says when the sender's turn comes. */
struct send_two {
    tr_pid to;
    uint32_t count;
};
TR_TYPE_FLAGS(send_two, TR_TYPE_CONTROL);
static uint32_t done;
static tr_err sender_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct send_two *two = tr_as(msg, send_two);
    (void)state;
    if (!two) {
        items++;
        return TR_OK;
    }
    done++;
    for (uint32_t i = 0; i < two->count; i++)
        tr_send(ctx, two->to, item, .n = i);
    return TR_OK;
}
static const struct tr_actor sender_actor = {.name = "sender", .receive = sender_receive};

/* A receiver that does not run: it is in the middle of a failure, its supervisor waits. */
static const struct tr_supervision wait_long = {
    .restarts_max = 60, .within_ms = 1000, .backoff_ms_min = 1000};
static tr_err fail_it(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_fail(ctx, TR_EIO, "as told");
}
static tr_pid paused(void)
{
    tr_pid pid = tr_spawn(root, &counter, .mailbox_max = 1, .overflow = TR_DELAY,
                          .supervise = &wait_long);
    does(pid, fail_it);
    return pid;
}

static uint64_t delays(void)
{
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    return stats.delays;
}
static const struct tri_bound *bound_of(tr_pid pid)
{
    return tri_cell_bound(&sys->slots, tri_slot_cell(&sys->slots, (uint32_t)pid.bits));
}

#define MANY 300u
static tr_pid senders[MANY];

static void hold(tr_pid receiver, uint32_t count)
{
    items = done = 0;
    for (uint32_t i = 0; i < count; i++) {
        senders[i] = tr_spawn(root, &sender_actor);
        tr_send(root, senders[i], send_two, .to = receiver, .count = 2);
        run();
        tr_send(root, senders[i], send_two, .to = receiver, .count = 0); /* When it goes on. */
        run();
    }
}

static void many_wait_for_one_and_all_go_on(void **state)
{
    (void)state;
    tr_pid receiver = paused();
    hold(receiver, MANY);
    assert_int_equal(delays(), MANY);
    assert_int_equal(bound_of(receiver)->delayed, MANY);
    assert_int_equal(done, MANY);
    pass_ms(1100); /* It runs again. */
    assert_int_equal(items, 2 * MANY);
    assert_int_equal(done, 2 * MANY);
    assert_int_equal(bound_of(receiver)->delayed, 0);
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(tri_delay_over(root, senders[i]));
}

/* Out of the middle, the end and the beginning of those who wait. */
static void who_ends_waits_no_more(void **state)
{
    static const uint32_t order[] = {2, 1, 4, 0, 3};
    (void)state;
    tr_pid receiver = paused();
    hold(receiver, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(bound_of(receiver)->delayed, 5 - i);
        stop(senders[order[i]]);
        assert_false(tr_alive(root, senders[order[i]]));
    }
    assert_int_equal(bound_of(receiver)->delayed, 0);
    assert_null(bound_of(receiver)->waiters);
    assert_null(bound_of(receiver)->waiters_last);
    hold(receiver, 1); /* The list is whole. */
    pass_ms(1100);
    assert_int_equal(done, 2);
    assert_int_equal(items, 12);
}

static void the_end_of_a_receiver_frees_all(void **state)
{
    (void)state;
    tr_pid receiver = paused();
    hold(receiver, 150);
    stop(receiver);
    assert_int_equal(done, 300);
    assert_int_equal(items, 0);
    assert_int_equal(system_accounts().dead[TR_DEAD_STOPPED], 300);
}

/* Everyone waits for the next one. A search that would take too long takes it for a circle, and
 * the sender is not held: better than to hold it for ever. */
static void a_chain_that_is_too_long_counts_as_a_circle(void **state)
{
    enum { LENGTH = 4200 };
    static tr_pid chain[LENGTH + 1];
    (void)state;
    items = done = 0;
    chain[LENGTH] = paused();
    for (int i = LENGTH - 1; i >= 0; i--) {
        chain[i] = tr_spawn(root, &sender_actor, .mailbox_max = 1, .overflow = TR_DELAY);
        tr_send(root, chain[i], send_two, .to = chain[i + 1], .count = 2);
        run();
    }
    uint64_t held = delays();
    assert_true(held > 4000 && held < LENGTH);
    assert_false(tri_delay_over(root, chain[LENGTH - 1]));
    assert_true(tri_delay_over(root, chain[0]));
    pass_ms(1100);
    assert_int_equal(items, 2 * LENGTH);
    assert_int_equal(done, LENGTH);
}

static void policies_are_the_senders_choice_no_more(void **state)
{
    (void)state;
    /* Outside threads are never held, nor is who sends to itself. */
    tr_pid receiver = bounded(TR_DELAY);
    for (int i = 0; i < 5; i++)
        tr_send(root, receiver, item, .n = 1);
    items = 0;
    run();
    assert_int_equal(items, 5);
    tr_pid self = tr_spawn(root, &sender_actor, .mailbox_max = 1, .overflow = TR_DELAY);
    items = done = 0;
    tr_send(root, self, send_two, .to = self, .count = 5);
    run();
    assert_int_equal(items, 5);
    assert_int_equal(delays(), 0);
}

/* ---- Drop oldest ------------------------------------------------------------------------ */

struct precious {
    uint32_t n;
};
TR_TYPE(precious);
static const struct tr_overflow_rule keep_precious[] = {{&precious_type, TR_QUEUE}, {NULL, 0}};

/* Behind more messages that must stay than are looked at, nothing is found to drop: then it is
 * the new one. */
static void the_oldest_is_looked_for_near_the_front(void **state)
{
    (void)state;
    tr_pid receiver = tr_spawn(root, &counter, .mailbox_max = 4, .overflow = TR_DROP_OLDEST,
                               .overflow_rules = keep_precious);
    run();
    for (uint32_t i = 0; i < TRI_BOUND_LOOK_MAX + 5; i++)
        tr_send(root, receiver, precious, .n = i);
    tr_send(root, receiver, item, .n = 1);
    struct tr_accounts a = {0};
    assert_int_equal(tr_actor_accounts(root, receiver, &a), TR_OK);
    assert_int_equal(a.dropped_newest, 1);
    assert_int_equal(a.dropped_oldest, 0);
    items = 0;
    run();
    assert_int_equal(items, TRI_BOUND_LOOK_MAX + 5);
}

static void poison_in_a_bounded_mailbox_goes_with_it(void **state)
{
    (void)state;
    tr_pid receiver = bounded(TR_REFUSE);
    tr_send(root, receiver, item, .n = 1);
    tr_poison(root, receiver);
    tr_send(root, receiver, item, .n = 2); /* Refused: there is no room. */
    tr_stop(root, receiver);
    run();
    assert_false(tr_alive(root, receiver));
    struct tr_accounts a = system_accounts();
    assert_int_equal(a.dead[TR_DEAD_REFUSED], 1);
    assert_int_equal(a.dead[TR_DEAD_STOPPED], 1);
    assert_int_equal(a.processed, 1); /* The poison. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_wait_for_one_and_all_go_on),
        TEST(who_ends_waits_no_more),
        TEST(the_end_of_a_receiver_frees_all),
        TEST(a_chain_that_is_too_long_counts_as_a_circle),
        TEST(policies_are_the_senders_choice_no_more),
        TEST(the_oldest_is_looked_for_near_the_front),
        TEST(poison_in_a_bounded_mailbox_goes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
