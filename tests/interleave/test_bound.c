/*
 * Bounded mailboxes: a list under a lock beside the lock-free queue that decides who runs. What is
 * to be shown is what the lock does not give: that a cell which goes idle misses no message, that
 * the bound holds, and that an end and a new tenant take and leave what is theirs.
 */
#include "harness.h"

#include "base/plant.h"
#include "core/bound.h"
#include "core/send.h"
#include "world.h"

struct note {
    uint32_t n;
};
TR_TYPE(note);

static tr_system *sys;
static tr_ctx *outside[2];
static tr_pid sink;
static enum tr_overflow policy;
static uint32_t handled, accepted, last_of[3];

static tr_err on_note(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx, (void)state;
    const struct note *note = tr_as(msg, note);
    TRI_EXPECT(note->n > last_of[note->n / 10]); /* In the order of each sender. */
    last_of[note->n / 10] = note->n;
    handled++;
    return TR_OK;
}
static const struct tr_actor sink_actor = {.name = "sink", .receive = on_note};

static void set_up(enum tr_overflow overflow)
{
    policy = overflow;
    sys = world_system(1);
    for (int i = 0; i < 2; i++)
        outside[i] = tr_attach(sys);
    sink = tr_spawn(tr_root(sys), &sink_actor, .mailbox_max = 1, .overflow = policy);
    world_drain(sys);
    handled = accepted = 0;
    memset(last_of, 0, sizeof last_of);
    last_of[1] = 10;
    last_of[2] = 20;
}
static void refusing(void)
{
    set_up(TR_REFUSE);
}
static void dropping(void)
{
    set_up(TR_DROP_OLDEST);
}

static void work(void)
{
    while (tri_worker_step(sys->workers[0], 64) != UINT64_MAX)
        ;
}
static void send_and_work(void)
{
    tr_send(&sys->workers[0]->ctx, sink, note, .n = 1);
    work();
}
static void send_twice_and_work(void)
{
    tr_send(&sys->workers[0]->ctx, sink, note, .n = 1);
    work();
    tr_send(&sys->workers[0]->ctx, sink, note, .n = 2);
    work();
}
static void send0(void)
{
    tr_send(outside[0], sink, note, .n = 11);
}
static void send0_twice(void)
{
    tr_send(outside[0], sink, note, .n = 11);
    tr_send(outside[0], sink, note, .n = 12);
}
static void send1(void)
{
    tr_send(outside[1], sink, note, .n = 21);
}
static void stop1(void)
{
    tri_sys_send(outside[1], sink, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}
static void try0(void)
{
    tr_err err = tr_try_send(outside[0], sink, note, .n = 11);
    TRI_EXPECT(err == TR_OK || err == TR_EFULL);
    accepted = err == TR_OK;
}

/* Everything that was sent was handled, dropped or refused; nothing waits for a wake-up. */
static struct tr_accounts at_rest(void)
{
    struct tr_accounts a;
    world_drain(sys);
    tr_system_accounts(sys, &a);
    TRI_EXPECT(tr_accounts_balance(&a) && a.queued == 0);
    TRI_EXPECT(handled == a.processed);
    struct tri_cell *cell = tri_slot_cell(&sys->slots, (uint32_t)sink.bits);
    TRI_EXPECT(tri_bound_count(sys, cell) == 0);
    return a;
}
static void two_sent(void)
{
    struct tr_accounts a = at_rest();
    TRI_EXPECT(handled > 0 && handled + a.dead[TR_DEAD_REFUSED] == 2);
}
static void three_sent(void)
{
    struct tr_accounts a = at_rest();
    TRI_EXPECT(handled > 0);
    TRI_EXPECT(handled + a.dead[TR_DEAD_REFUSED] + a.dropped_oldest == 3);
}
/* The newest is never the one that is dropped. */
static void newest_survived(void)
{
    three_sent();
    TRI_EXPECT(last_of[0] == 1 || last_of[1] == 12);
}
static void one_tried(void)
{
    struct tr_accounts a = at_rest();
    TRI_EXPECT(handled == accepted + 1 - a.dead[TR_DEAD_REFUSED]);
}
static void ended(void)
{
    struct tr_accounts a = at_rest();
    TRI_EXPECT(!tr_alive(outside[0], sink));
    TRI_EXPECT(handled + a.dead[TR_DEAD_REFUSED] + a.dead[TR_DEAD_STOPPED] +
                   a.dead[TR_DEAD_NO_ACTOR] ==
               2);
}

static const struct tri_program two_threads = {.name = "bound: messages from two threads",
                                               .set_up = refusing,
                                               .threads = {send_and_work, send0},
                                               .check = two_sent};
static const struct tri_program idle_twice = {.name = "bound: idle between two messages",
                                              .set_up = refusing,
                                              .threads = {send_twice_and_work, send0},
                                              .check = three_sent};
static const struct tri_program three_threads = {.name = "bound: messages from three threads",
                                                 .set_up = refusing,
                                                 .threads = {send_and_work, send0, send1},
                                                 .check = three_sent};
static const struct tri_program drop_oldest = {.name = "bound: the oldest is dropped by a sender",
                                               .set_up = dropping,
                                               .threads = {send_and_work, send0_twice},
                                               .check = newest_survived};
static const struct tri_program tries = {.name = "bound: a sender that asks whether there is room",
                                         .set_up = refusing,
                                         .threads = {send_and_work, try0},
                                         .check = one_tried};
static const struct tri_program and_stop = {.name = "bound: messages and a stop",
                                            .set_up = refusing,
                                            .threads = {send_and_work, send0, stop1},
                                            .check = ended};

static void no_message_waits_for_a_wake_up(void **state)
{
    static const struct tri_program *const programs[] = {
        &two_threads, &idle_twice, &drop_oldest, &tries, &and_stop, &three_threads, NULL};
    (void)state;
    for (int i = 0; programs[i]; i++) {
        struct tri_program p = *programs[i];
        p.executions_max = bound(4000);
        explore_clean(&p);
    }
}

/* ---- A new tenant ------------------------------------------------------------ */

static tr_pid next_sink;
static uint32_t next_handled;

static tr_err on_next(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx, (void)state;
    TRI_EXPECT(tr_as(msg, note)->n == 2); /* Nothing of the last tenant's. */
    next_handled++;
    return TR_OK;
}
static const struct tr_actor next_actor = {.name = "next", .receive = on_next};

static void tenant_set_up(void)
{
    set_up(TR_REFUSE);
    next_handled = 0;
    tri_sys_send(tr_root(sys), sink, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}
/* Ends the old one; a bounded one takes its slot at once, or another one while a late message is
 * being turned away there. */
static void replace(void)
{
    struct tri_worker *w = sys->workers[0];
    work();
    next_sink = tr_spawn(&w->ctx, &next_actor, .mailbox_max = 1);
    work();
    tr_send(&w->ctx, next_sink, note, .n = 2);
    work();
}
static void only_its_own(void)
{
    struct tr_accounts a;
    world_drain(sys);
    tr_system_accounts(sys, &a);
    TRI_EXPECT(next_handled == 1);
    TRI_EXPECT(handled + a.dead[TR_DEAD_NO_ACTOR] + a.dead[TR_DEAD_STOPPED] == 1);
    TRI_EXPECT(tr_accounts_balance(&a) && a.queued == 0);
}
static const struct tri_program tenant = {.name = "bound: a message to the last tenant",
                                          .set_up = tenant_set_up,
                                          .threads = {replace, send0},
                                          .check = only_its_own};

static void a_new_tenant_gets_nothing_of_the_last_one(void **state)
{
    (void)state;
    struct tri_program p = tenant;
    p.executions_max = bound(4000);
    explore_clean(&p);
}

/* ---- That it can fail ---------------------------------------------------------- */

static void planted_bugs_are_found(void **state)
{
    static const struct tri_program *const idle[] = {&two_threads, NULL};
    static const struct tri_program *const late[] = {&tenant, NULL};
    (void)state;
    tri_raced = TRI_RACE_BOUND_IDLE;
    explore_planted("a cell goes idle without a look", idle);
    tri_raced = TRI_RACE_BOUND_TENANT;
    explore_planted("a mailbox takes the last tenant's mail", late);
    tri_raced = TRI_RACE_NONE;
    tri_planted = TRI_PLANT_MAIL_UNCOUNTED;
    static const struct tri_program *const end[] = {&and_stop, NULL};
    explore_planted("what waits at an end is in no account", end);
    tri_planted = TRI_PLANT_NONE;
}

static void a_weaker_order_is_found(void **state)
{
    /* The two halves of "put it in, then look whether he is idle; go idle, then look whether
     * something is in". */
    static const char *const only[] = {"append store", "wake load", "tri_bound_count load",
                                       "tri_mailbox_leave cas", NULL};
    static const struct tri_program *const programs[] = {&two_threads, &idle_twice, NULL};
    (void)state;
    explore_weakened_only(programs, only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_waits_for_a_wake_up),
        cmocka_unit_test(a_new_tenant_gets_nothing_of_the_last_one),
        cmocka_unit_test(planted_bugs_are_found),
        cmocka_unit_test(a_weaker_order_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
