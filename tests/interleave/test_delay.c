/*
 * Delays: a sender that overfilled a mailbox is not run until its receiver has caught up. Sender
 * and receiver run on two workers, so the mailbox may drain, or its owner end, at any step of the
 * sender's way into the graph of who waits for whom.
 */
#include "harness.h"

#include "base/plant.h"
#include "core/delay.h"
#include "core/send.h"
#include "world.h"

struct note {
    uint32_t n;
};
struct go {
    tr_pid to;
    uint32_t count;
};
TR_TYPE(note);
TR_TYPE_FLAGS(go, TR_TYPE_CONTROL); /* Always finds room, also where a mailbox is full. */

static tr_system *sys;
static tr_ctx *outside;
static tr_pid a, b, c;
static uint32_t notes[WORLD_SLOTS], gos[WORLD_SLOTS]; /* by slot; the actor's owner writes them */
static uint64_t delays_seen;                          /* in all executions */

static tr_err receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct go *go = tr_as(msg, go);
    uint32_t self = (uint32_t)tr_self(ctx).bits;
    (void)state;
    if (!go) {
        notes[self]++;
        return TR_OK;
    }
    gos[self]++;
    for (uint32_t i = 0; i < go->count; i++)
        tr_send(ctx, go->to, note, .n = i);
    return TR_OK;
}
static const struct tr_actor some_actor = {.name = "some", .receive = receive};

static tr_pid bounded(void)
{
    return tr_spawn(tr_root(sys), &some_actor, .mailbox_max = 1, .overflow = TR_DELAY);
}
static void set_up(void)
{
    sys = world_system(3);
    outside = tr_attach(sys);
    a = bounded();
    b = bounded();
    c = bounded();
    world_drain(sys);
    memset(notes, 0, sizeof notes);
    memset(gos, 0, sizeof gos);
}

static void work(uint32_t worker)
{
    while (tri_worker_step(sys->workers[worker], 64) != UINT64_MAX)
        ;
}
/* `actor` sends two messages, one more than there is room for, and then gets another order. */
static void two_from(uint32_t worker, tr_pid actor, tr_pid to)
{
    tr_ctx *ctx = &sys->workers[worker]->ctx;
    tr_send(ctx, actor, go, .to = to, .count = 2);
    work(worker);
    tr_send(ctx, actor, go, .to = to, .count = 0);
    work(worker);
}
static void a_to_b(void)
{
    two_from(0, a, b);
}
static void b_to_a(void)
{
    two_from(1, b, a);
}
static void c_to_b(void)
{
    two_from(1, c, b);
}
/* The receiver is at work on the other worker when the messages come. */
static void b_works(void)
{
    tr_send(&sys->workers[1]->ctx, b, note, .n = 9);
    work(1);
}
static void b_ends(void)
{
    tri_sys_send(&sys->workers[1]->ctx, b, TRI_SYS_STOP, TR_NOBODY, TR_OK);
    work(1);
}
static void stop_a(void)
{
    tri_sys_send(outside, a, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}

static uint32_t slot(tr_pid pid)
{
    return (uint32_t)pid.bits;
}

/* Nothing is left in a mailbox, and nobody waits for anybody. */
static struct tr_accounts at_rest(void)
{
    const tr_pid all[] = {a, b, c};
    struct tr_accounts sum;
    struct tr_stats stats;
    world_drain(sys);
    tr_system_accounts(sys, &sum);
    tr_system_stats(sys, &stats);
    delays_seen += stats.delays;
    TRI_EXPECT(tr_accounts_balance(&sum) && sum.queued == 0);
    for (int i = 0; i < 3; i++) {
        struct tri_cell *cell = tri_slot_cell(&sys->slots, slot(all[i]));
        const struct tri_bound *bound = tri_cell_bound(&sys->slots, cell);
        TRI_EXPECT(!(cell->flags & TRI_CELL_DELAYED));
        TRI_EXPECT(tri_delay_over(outside, all[i]));
        TRI_EXPECT(!bound->waiters && bound->delayed == 0);
        TRI_EXPECT(tri_bound_count(sys, cell) == 0);
    }
    return sum;
}
static void a_went_on(void)
{
    (void)at_rest();
    TRI_EXPECT(gos[slot(a)] == 2 && notes[slot(b)] == 3);
}
static void both_went_on(void)
{
    (void)at_rest();
    TRI_EXPECT(gos[slot(a)] == 2 && gos[slot(b)] == 2);
    TRI_EXPECT(notes[slot(a)] == 2 && notes[slot(b)] == 2);
}
static void two_went_on(void)
{
    (void)at_rest();
    TRI_EXPECT(gos[slot(a)] == 2 && gos[slot(c)] == 2 && notes[slot(b)] == 4);
}
static void a_outlived_b(void)
{
    struct tr_accounts sum = at_rest();
    TRI_EXPECT(gos[slot(a)] == 2 && !tr_alive(outside, b));
    TRI_EXPECT(notes[slot(b)] + sum.dead[TR_DEAD_STOPPED] + sum.dead[TR_DEAD_NO_ACTOR] == 2);
}
static void b_outlived_a(void)
{
    struct tr_accounts sum = at_rest();
    TRI_EXPECT(!tr_alive(outside, a));
    TRI_EXPECT(gos[slot(a)] + sum.dead[TR_DEAD_STOPPED] + sum.dead[TR_DEAD_NO_ACTOR] == 2);
    TRI_EXPECT(notes[slot(b)] == 1 || notes[slot(b)] == 3);
}

static const struct tri_program one_waits = {.name = "delay: a sender, its receiver at work",
                                             .set_up = set_up,
                                             .threads = {a_to_b, b_works},
                                             .check = a_went_on};
static const struct tri_program circle = {.name = "delay: two that send to each other",
                                          .set_up = set_up,
                                          .threads = {a_to_b, b_to_a},
                                          .check = both_went_on};
static const struct tri_program two_wait = {.name = "delay: two senders, one receiver",
                                            .set_up = set_up,
                                            .threads = {a_to_b, c_to_b},
                                            .check = two_went_on};
static const struct tri_program end_of_receiver = {.name = "delay: the receiver ends",
                                                   .set_up = set_up,
                                                   .threads = {a_to_b, b_ends},
                                                   .check = a_outlived_b};
static const struct tri_program end_of_sender = {
    .name = "delay: the sender ends, its receiver at work",
    .set_up = set_up,
    .threads = {a_to_b, b_works, stop_a},
    .check = b_outlived_a};

static const struct tri_program *const programs[] = {&one_waits,       &circle,        &two_wait,
                                                     &end_of_receiver, &end_of_sender, NULL};

/* ---- The protocol alone ------------------------------------------------------ */

static struct tri_cell *cell_of(tr_pid pid)
{
    return tri_slot_cell(&sys->slots, slot(pid));
}

/* The threads own the cells all the time, so no turn and no run queue is in the way. */
static void bare_set_up(void)
{
    set_up();
    bool claimed = tri_mailbox_claim(cell_of(a)) && tri_mailbox_claim(cell_of(b)) &&
                   tri_mailbox_claim(cell_of(c));
    TRI_EXPECT(claimed);
}

/* As in a handler of `from`: one message more than there is room for. */
static void send_two_as(uint32_t worker, tr_pid from, tr_pid to)
{
    tr_ctx *ctx = &sys->workers[worker]->ctx;
    tri_ctx_enter(ctx, cell_of(from));
    tr_send(ctx, to, note, .n = 1);
    tr_send(ctx, to, note, .n = 2);
    tri_ctx_leave(ctx);
}
static void take_all_as(uint32_t worker, tr_pid self)
{
    struct tri_block *block;
    tr_ctx *ctx = &sys->workers[worker]->ctx;
    while (tri_bound_take(ctx, cell_of(self), NULL, &block, 1)) {
        notes[slot(self)]++;
        tri_block_free(ctx, block);
    }
}
static void as_a(void)
{
    send_two_as(0, a, b);
}
static void as_b(void)
{
    send_two_as(1, b, a);
}
static void as_c(void)
{
    send_two_as(1, c, b);
}
static void b_takes(void)
{
    take_all_as(1, b);
    take_all_as(1, b);
}
static void b_takes_there(void) /* On a third worker. */
{
    take_all_as(2, b);
}
static void b_closes(void)
{
    tri_bound_close(&sys->workers[1]->ctx, cell_of(b), b);
}
static void a_and_gone(void)
{
    send_two_as(0, a, b);
    tri_delay_forget(&sys->workers[0]->ctx, a);
}

/* Whoever still waits is told when the mailboxes are empty: once for each time it was held. */
static void all_are_told(void)
{
    const tr_pid all[] = {a, b, c};
    struct tr_stats stats;
    uint64_t told = 0;
    TRI_EXPECT(tri_delay_over(outside, a) || tri_delay_over(outside, b)); /* No circle. */
    for (int i = 0; i < 3; i++) {
        if (tri_cell_bound(&sys->slots, cell_of(all[i]))->gen)
            take_all_as(1, all[i]);
    }
    for (int i = 0; i < 3; i++) {
        const struct tri_bound *bound = tri_cell_bound(&sys->slots, cell_of(all[i]));
        struct tri_block *sys_message = tri_load(&cell_of(all[i])->sys, TRI_RELAXED);
        TRI_EXPECT(tri_delay_over(outside, all[i]));
        TRI_EXPECT(!bound->waiters && !bound->waiters_last && bound->delayed == 0);
        for (; sys_message; sys_message = tri_load(&sys_message->next, TRI_RELAXED))
            told += sys_message->flags == TRI_SYS_UNDELAY;
    }
    tr_system_stats(sys, &stats);
    delays_seen += stats.delays;
    TRI_EXPECT(told == stats.delays);
}
/* It may have been told, or not: nobody is there to hear it. */
static void none_waits(void)
{
    struct tr_stats stats;
    const struct tri_bound *bound = tri_cell_bound(&sys->slots, cell_of(b));
    TRI_EXPECT(tri_delay_over(outside, a));
    TRI_EXPECT(!bound->waiters && !bound->waiters_last && bound->delayed == 0);
    tr_system_stats(sys, &stats);
    delays_seen += stats.delays;
}

static const struct tri_program bare_wait = {.name = "delay alone: a sender, a receiver",
                                             .set_up = bare_set_up,
                                             .threads = {as_a, b_takes},
                                             .check = all_are_told};
static const struct tri_program bare_circle = {.name = "delay alone: two that send to each other",
                                               .set_up = bare_set_up,
                                               .threads = {as_a, as_b},
                                               .check = all_are_told};
static const struct tri_program bare_two = {.name = "delay alone: two senders, then a receiver",
                                            .set_up = bare_set_up,
                                            .threads = {as_a, as_c},
                                            .check = all_are_told};
static const struct tri_program bare_three = {.name = "delay alone: two senders, a receiver",
                                              .set_up = bare_set_up,
                                              .threads = {as_a, as_c, b_takes_there},
                                              .check = all_are_told};
static const struct tri_program bare_end = {.name = "delay alone: the receiver ends",
                                            .set_up = bare_set_up,
                                            .threads = {as_a, b_closes},
                                            .check = all_are_told};
static const struct tri_program bare_forget = {.name = "delay alone: the sender ends",
                                               .set_up = bare_set_up,
                                               .threads = {a_and_gone, b_takes},
                                               .check = none_waits};

static void the_protocol_loses_nobody(void **state)
{
    static const struct tri_program *const bare[] = {
        &bare_wait, &bare_circle, &bare_two, &bare_end, &bare_forget, &bare_three, NULL};
    (void)state;
    for (int i = 0; bare[i]; i++) {
        struct tri_program p = *bare[i];
        p.executions_max = bound(3000);
        delays_seen = 0;
        explore_clean(&p);
        assert_true(delays_seen > 0); /* Else it proved nothing. */
    }
}

/* ---- In whole turns ------------------------------------------------------------ */

static void who_waits_goes_on(void **state)
{
    (void)state;
    for (int i = 0; programs[i]; i++) {
        struct tri_program p = *programs[i];
        p.executions_max = long_bounds() ? 20000 : 1000; /* Each takes milliseconds. */
        delays_seen = 0;
        explore_clean(&p);
        assert_true(delays_seen > 0); /* Else it proved nothing. */
    }
}

static void planted_bugs_are_found(void **state)
{
    static const struct tri_program *const waits[] = {&bare_wait, NULL};
    static const struct tri_program *const ends[] = {&bare_end, NULL};
    static const struct tri_program *const circles[] = {&bare_circle, NULL};
    static const struct tri_program *const stops[] = {&bare_forget, NULL};
    (void)state;
    tri_raced = TRI_RACE_DELAY_DRAINED;
    explore_planted("waits for a mailbox that has drained", waits);
    tri_raced = TRI_RACE_DELAY_FORGOTTEN;
    explore_planted("a sender that ends leaves its edge", stops);
    tri_raced = TRI_RACE_NONE;
    tri_planted = TRI_PLANT_CIRCLE;
    explore_planted("delays may close a circle", circles);
    tri_planted = TRI_PLANT_WAITERS_KEPT;
    explore_planted("the end of a receiver lets nobody go on", ends);
    tri_planted = TRI_PLANT_NONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_protocol_loses_nobody),
        cmocka_unit_test(who_waits_goes_on),
        cmocka_unit_test(planted_bugs_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
