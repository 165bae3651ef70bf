/* The mailbox: its functions alone, and inside of whole turns with system messages. */
#include "harness.h"

#include "core/mailbox.h"
#include "core/send.h"
#include "world.h"

/* ---- The queue alone ------------------------------------------------------ */

#define MESSAGES 2

struct mail {
    struct tri_block block;
    uint32_t from, number;
    bool freed;
};

static struct tri_cell cell;
static struct mail mails[3][MESSAGES];
static uint32_t per_sender;
static uint32_t taken, next_of[3];

static void reset(void)
{
    memset(&cell, 0, sizeof cell);
    memset(mails, 0, sizeof mails);
    memset(next_of, 0, sizeof next_of);
    taken = 0;
}

/* What the owner of the cell does: plain accesses, so two owners at a time would race. */
static void own(void)
{
    struct tri_block *block = cell.first;
    while (block) {
        struct tri_block *next;
        if (block != tri_cell_stub(&cell)) {
            struct mail *mail = (struct mail *)(void *)block;
            TRI_EXPECT(mail->number == next_of[mail->from]);
            TRI_EXPECT(!mail->freed);
            next_of[mail->from]++;
            taken++;
            next = tri_mailbox_next(&cell, block);
            /* Freed and used again at once: nobody may touch it now. */
            memset((void *)mail, 0xee, sizeof *mail);
        } else {
            next = tri_mailbox_next(&cell, block);
            if (next)
                tri_store(&cell.stub, NULL, TRI_RELAXED);
        }
        block = next;
    }
}

static void send_all(uint32_t from)
{
    for (uint32_t i = 0; i < per_sender; i++) {
        struct mail *mail = &mails[from][i];
        mail->from = from;
        mail->number = i;
        if (tri_mailbox_push(&cell, &mail->block))
            own();
    }
}
/* Both messages at once. */
static void train(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        mails[0][i].from = 0;
        mails[0][i].number = i;
    }
    tri_store(&mails[0][0].block.next, &mails[0][1].block, TRI_RELAXED);
    if (tri_mailbox_push_all(&cell, &mails[0][0].block, &mails[0][1].block))
        own();
}
static void sender0(void)
{
    send_all(0);
}
static void sender1(void)
{
    send_all(1);
}
static void sender2(void)
{
    send_all(2);
}
static void claimer(void)
{
    if (tri_mailbox_claim(&cell))
        own();
}

static void all_taken(void)
{
    TRI_EXPECT(tri_load(&cell.head, TRI_RELAXED) == NULL);
    TRI_EXPECT(taken == (next_of[0] + next_of[1] + next_of[2]));
    for (int i = 0; i < 3; i++)
        TRI_EXPECT(next_of[i] == 0 || next_of[i] == per_sender);
}
static void two_took_all(void)
{
    all_taken();
    TRI_EXPECT(taken == 2 * per_sender);
}
static void three_took_all(void)
{
    all_taken();
    TRI_EXPECT(taken == 3 * per_sender);
}

static const struct tri_program two_senders = {.name = "mailbox: 2 senders",
                                               .set_up = reset,
                                               .threads = {sender0, sender1},
                                               .check = two_took_all};
static const struct tri_program with_train = {.name = "mailbox: a train and a sender",
                                              .set_up = reset,
                                              .threads = {train, sender1},
                                              .check = two_took_all};
static const struct tri_program three_senders = {.name = "mailbox: 3 senders, 1 message each",
                                                 .set_up = reset,
                                                 .threads = {sender0, sender1, sender2},
                                                 .check = three_took_all};
static const struct tri_program with_claim = {.name = "mailbox: 2 senders and a claim",
                                              .set_up = reset,
                                              .threads = {sender0, sender1, claimer},
                                              .check = two_took_all};

static void every_message_is_taken_once_in_order_by_one_owner(void **state)
{
    (void)state;
    per_sender = 2;
    explore_clean(&two_senders);
    explore_clean(&with_train);
    per_sender = 1;
    explore_clean(&with_claim);
    explore_clean(&three_senders);
}

static void a_weaker_order_is_found(void **state)
{
    /* Sequentially consistent for the system queue's sake: see the turns below. */
    static const char *const spared[] = {"tri_mailbox_claim cas failing", NULL};
    static const struct tri_program *const programs[] = {&two_senders, &with_claim, NULL};
    (void)state;
    per_sender = 1;
    explore_weakened(programs, spared);
}

/* ---- Turns ----------------------------------------------------------------- */

struct note {
    uint32_t n;
};
TR_TYPE(note);

static tr_system *sys;
static tr_ctx *outside;
static tr_pid actor;
static uint32_t handled, downs;

static tr_err on_note(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx;
    (void)state;
    if (tr_as(msg, note))
        handled++;
    else
        downs++;
    return TR_OK;
}
static const struct tr_actor note_actor = {.name = "note", .receive = on_note};

static void turn_reset(void)
{
    sys = world_system(1);
    outside = tr_attach(sys);
    actor = tr_spawn(tr_root(sys), &note_actor);
    world_drain(sys);
    handled = downs = 0;
}

/* The worker, without sleeping: it ends when it finds nothing. */
static void work(void)
{
    while (tri_worker_step(sys->workers[0], 64) != UINT64_MAX)
        ;
}
static void send_note(void)
{
    tr_send(tr_root(sys), actor, note, .n = 1);
}
/* One turn, begun by the sender itself: the worker's hand-off place is not used. */
static void send_and_work(void)
{
    tr_send(&sys->workers[0]->ctx, actor, note, .n = 1);
    work();
}
static void stop_it(void)
{
    tri_sys_send(outside, actor, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}

static void ended_and_balanced(void)
{
    struct tr_accounts a;
    world_drain(sys);
    TRI_EXPECT(!tr_alive(outside, actor));
    tr_system_accounts(sys, &a);
    TRI_EXPECT(a.accepted == a.processed + a.dead[TR_DEAD_STOPPED] + a.dead[TR_DEAD_NO_ACTOR]);
    TRI_EXPECT(handled == a.processed);
}
static void all_handled(void)
{
    world_drain(sys);
    TRI_EXPECT(handled == 2);
}

static const struct tri_program note_and_stop = {.name = "turn: a message, a stop, the worker",
                                                 .set_up = turn_reset,
                                                 .threads = {send_and_work, stop_it},
                                                 .check = ended_and_balanced};
static const struct tri_program note_from_outside = {.name = "turn: messages from two threads",
                                                     .set_up = turn_reset,
                                                     .threads = {send_and_work, send_note},
                                                     .check = all_handled};

static void a_turn_loses_no_message_and_no_system_message(void **state)
{
    (void)state;
    struct tri_program p = note_and_stop;
    p.executions_max = bound(30000);
    explore_clean(&p);
    p = note_from_outside;
    p.executions_max = bound(30000);
    explore_clean(&p);
}

static tr_ctx *outside_too;
static void turn_reset_three(void)
{
    turn_reset();
    outside_too = tr_attach(sys);
}
static void stop_too(void)
{
    tri_sys_send(outside_too, actor, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}
static const struct tri_program note_and_two_stops = {.name = "turn: a message and two stops",
                                                      .set_up = turn_reset_three,
                                                      .threads = {send_and_work, stop_it, stop_too},
                                                      .check = ended_and_balanced};
static const struct tri_program two_notes_and_stop = {
    .name = "turn: messages from two threads and a stop",
    .set_up = turn_reset_three,
    .threads = {send_and_work, send_note, stop_too},
    .check = ended_and_balanced};

static void so_do_turns_of_three_threads(void **state)
{
    (void)state;
    struct tri_program p = note_and_two_stops;
    p.executions_max = bound_of_turns(20000);
    explore_clean(&p);
    p = two_notes_and_stop;
    p.executions_max = bound_of_turns(20000);
    explore_clean(&p);
}

static void weaker_turns_are_found(void **state)
{
    /* Only what keeps the wake-up of a cell: the rest has tests of its own. */
    static const char *const only[] = {"tri_mailbox_claim cas failing", "tri_turn_recheck load",
                                       "tri_mailbox_leave cas",         "tri_sys_push cas",
                                       "tri_life_drain_sys rmw",        NULL};
    static const struct tri_program *const programs[] = {&note_and_stop, &note_from_outside, NULL};
    (void)state;
    explore_weakened_only(programs, only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_is_taken_once_in_order_by_one_owner),
        cmocka_unit_test(a_weaker_order_is_found),
        cmocka_unit_test(a_turn_loses_no_message_and_no_system_message),
        cmocka_unit_test(so_do_turns_of_three_threads),
        cmocka_unit_test(weaker_turns_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
