/*
 * The PID table: slots taken and given back by several contexts, a table that grows while others
 * look up, and a PID whose slot gets a new tenant while messages to the old one are on their way.
 */
#include "harness.h"

#include "core/send.h"
#include "core/slots.h"
#include "world.h"

struct note {
    uint32_t n;
};
TR_TYPE(note);

static tr_system *sys;
static tr_ctx *outside[2];
static tr_pid old_pid, new_pid;
static uint32_t old_sent, old_got, new_got, ends;

/* ---- Taking and giving ------------------------------------------------------ */

static struct tri_cell *held[3];

static void reset(void)
{
    sys = world_system(1);
    for (int i = 0; i < 2; i++)
        outside[i] = tr_attach(sys);
    memset(held, 0, sizeof held);
}

static void take_two(uint32_t who)
{
    struct tri_cell *first = tri_slot_take(outside[who]);
    held[who] = tri_slot_take(outside[who]);
    TRI_EXPECT(first && held[who] && first != held[who]);
    first->taken = who; /* Plainly: two who got the same one would race. */
    held[who]->taken = who;
    tri_store(&first->head, NULL, TRI_SEQ_CST);
    tri_slot_give(outside[who], first->slot);
    tri_slots_flush(outside[who]);
}
static void taker0(void)
{
    take_two(0);
}
static void taker1(void)
{
    take_two(1);
}
/* Looks up what may be added at this moment. */
static void looker(void)
{
    for (uint32_t slot = 4; slot <= 8; slot += 4) {
        struct tri_cell *cell = tri_slot_cell(&sys->slots, slot);
        if (cell)
            TRI_EXPECT(tri_load(&cell->gen, TRI_RELAXED) != 0);
    }
}
static void both_hold_their_own(void)
{
    TRI_EXPECT(held[0] != held[1]);
    TRI_EXPECT(held[0]->taken == 0 && held[1]->taken == 1);
}

/* No slot is left: the next one makes the table grow. */
static void reset_full(void)
{
    reset();
    while (sys->slots.free_count > 0)
        (void)tri_slot_take(outside[1]);
}

static const struct tri_program two_take = {.name = "slots: two take and give back",
                                            .set_up = reset,
                                            .threads = {taker0, taker1},
                                            .check = both_hold_their_own};
static const struct tri_program growing = {.name = "slots: a look-up while the table grows",
                                           .set_up = reset_full,
                                           .threads = {taker0, looker}};

static void a_slot_has_one_holder(void **state)
{
    (void)state;
    explore_clean(&two_take);
    explore_clean(&growing);
}

static void a_weaker_order_is_found(void **state)
{
    /* The claim is the mailbox's: here each slot comes to its taker through the lock. */
    static const char *const spared[] = {"tri_mailbox_claim cas", "tri_mailbox_claim cas failing",
                                         "take_two store", NULL};
    static const struct tri_program *const programs[] = {&two_take, &growing, NULL};
    (void)state;
    explore_weakened(programs, spared);
}

/* ---- A new tenant ------------------------------------------------------------ */

static tr_err on_old(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx, (void)state, (void)msg;
    old_got++;
    return TR_OK;
}
static tr_err on_new(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx, (void)state;
    TRI_EXPECT(tr_as(msg, note) && tr_as(msg, note)->n == 2);
    new_got++;
    return TR_OK;
}
static void on_end(tr_ctx *ctx, void *state)
{
    (void)ctx, (void)state;
    ends++;
}
static const struct tr_actor old_actor = {.name = "old", .receive = on_old, .stop = on_end};
static const struct tr_actor new_actor = {.name = "new", .receive = on_new, .stop = on_end};

static void tenant_reset(void)
{
    sys = world_system(1);
    for (int i = 0; i < 2; i++)
        outside[i] = tr_attach(sys);
    old_pid = tr_spawn(tr_root(sys), &old_actor);
    world_drain(sys);
    new_pid = TR_NOBODY;
    old_sent = old_got = new_got = ends = 0;
    tri_sys_send(tr_root(sys), old_pid, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}

/* Ends the old one, and gives its slot to the new one at once. */
static void replace(void)
{
    struct tri_worker *w = sys->workers[0];
    while (tri_worker_step(w, 64) != UINT64_MAX)
        ;
    new_pid = tr_spawn(&w->ctx, &new_actor);
    while (tri_worker_step(w, 64) != UINT64_MAX)
        ;
    tr_send(&w->ctx, new_pid, note, .n = 2);
    while (tri_worker_step(w, 64) != UINT64_MAX)
        ;
}
static void sends_to_old(void)
{
    old_sent = 1;
    tr_send(outside[0], old_pid, note, .n = 1);
}
static void stops_old(void)
{
    tri_sys_send(outside[1], old_pid, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}

static void only_their_own_mail(void)
{
    struct tr_accounts a;
    world_drain(sys);
    tr_system_accounts(sys, &a);
    TRI_EXPECT(new_got == 1 && ends == 1);
    TRI_EXPECT(tr_alive(outside[0], new_pid) && !tr_alive(outside[0], old_pid));
    TRI_EXPECT(old_got + a.dead[TR_DEAD_NO_ACTOR] + a.dead[TR_DEAD_STOPPED] == old_sent);
    TRI_EXPECT(tr_accounts_balance(&a) && a.queued == 0);
}

static const struct tri_program late_message = {.name = "slots: a message to the last tenant",
                                                .set_up = tenant_reset,
                                                .threads = {replace, sends_to_old},
                                                .check = only_their_own_mail};
static const struct tri_program late_stop = {.name = "slots: a stop to the last tenant",
                                             .set_up = tenant_reset,
                                             .threads = {replace, stops_old},
                                             .check = only_their_own_mail};
static const struct tri_program late_both = {.name = "slots: a message and a stop",
                                             .set_up = tenant_reset,
                                             .threads = {replace, sends_to_old, stops_old},
                                             .check = only_their_own_mail};

static void a_new_tenant_gets_nothing_of_the_last_one(void **state)
{
    static const struct tri_program *const programs[] = {&late_message, &late_stop, &late_both,
                                                         NULL};
    (void)state;
    for (int i = 0; programs[i]; i++) {
        struct tri_program p = *programs[i];
        p.executions_max = bound_of_turns(10000);
        explore_clean(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_has_one_holder),
        cmocka_unit_test(a_weaker_order_is_found),
        cmocka_unit_test(a_new_tenant_gets_nothing_of_the_last_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
