/* Putting messages aside: order, bounds, accounts, restarts and ends. */
#include "stepped.h"

struct item {
    uint32_t n;
};
struct question {
    uint32_t n;
};
struct answer {
    uint32_t n;
};
enum {
    TAKE,
    PUT_ASIDE,
    OUT_ALL,
    OUT_ONE,
    OUT_AND_BACK,
    FAIL,
    FAIL_ASIDE,
    REFUSE_ASIDE,
    TWICE,
    ASK,
    LISTEN
};
struct order {
    int what;
    tr_pid to;
};
TR_TYPE(item);
TR_TYPE(question);
TR_TYPE(answer);
TR_TYPE(order);

struct box {
    int mode;
    int next; /* mode after the next message, if not 0 */
};

static tr_err handle(tr_ctx *ctx, struct box *self, uint32_t n)
{
    switch (self->mode) {
    case PUT_ASIDE:
        note("(%u)", n);
        return tr_stash(ctx);
    case FAIL_ASIDE:
        note("!%u", n);
        self->mode = TAKE;
        assert_int_equal(tr_stash(ctx), TR_OK);
        return tr_fail(ctx, TR_EUSER, "after putting it aside");
    case REFUSE_ASIDE:
        note("?%u", n);
        self->mode = TAKE;
        assert_int_equal(tr_stash(ctx), TR_OK);
        return tr_unhandled(ctx);
    case TWICE:
        self->mode = TAKE;
        assert_int_equal(tr_stash(ctx), TR_OK);
        assert_int_equal(tr_stash(ctx), TR_EINVAL);
        return TR_OK;
    case OUT_ONE: /* Takes out one more for each that it handles. */
        note("%u", n);
        (void)tr_unstash(ctx, 1);
        return TR_OK;
    default:
        note("%u", n);
        return TR_OK;
    }
}

static tr_err on_item(tr_ctx *ctx, struct box *self, const struct item *msg)
{
    tr_err err = handle(ctx, self, msg->n);
    if (self->next) {
        self->mode = self->next;
        self->next = 0;
    }
    return err;
}

static tr_err on_question(tr_ctx *ctx, struct box *self, const struct question *msg)
{
    if (self->mode == PUT_ASIDE)
        return tr_stash(ctx);
    tr_reply(ctx, answer, .n = msg->n + 1);
    return TR_OK;
}

static tr_err on_answer(tr_ctx *ctx, struct box *self, const struct answer *msg)
{
    if (self->mode == PUT_ASIDE)
        return tr_stash(ctx);
    note("answer:%u,call:%d", msg->n, tr_call(ctx) != 0);
    return TR_OK;
}

static tr_err on_order(tr_ctx *ctx, struct box *self, const struct order *msg)
{
    switch (msg->what) {
    case OUT_ALL:
        self->mode = TAKE;
        note("out:%zu", tr_unstash(ctx, SIZE_MAX));
        return TR_OK;
    case OUT_ONE:
        self->mode = TAKE;
        note("out:%zu", tr_unstash(ctx, 1));
        return TR_OK;
    case OUT_AND_BACK: /* It is put aside again at once. */
        self->mode = PUT_ASIDE;
        note("out:%zu", tr_unstash(ctx, 2));
        return TR_OK;
    case FAIL:
        self->mode = TAKE;
        return tr_fail(ctx, TR_EUSER, "as told");
    case ASK:
        (void)tr_request(ctx, msg->to, 1000, question, .n = 1);
        return TR_OK;
    case LISTEN:
        return tr_subscribe(ctx, tr_dead_letter);
    default:
        self->mode = msg->what;
        return TR_OK;
    }
}

static tr_err on_dead(tr_ctx *ctx, struct box *self, const struct tr_dead_letter *msg)
{
    (void)ctx;
    (void)self;
    note("dead:%s:%s", msg->type->name, tr_dead_reason_name(msg->reason));
    return TR_OK;
}

static tr_err on_failed(tr_ctx *ctx, struct box *self, const struct tr_request_failed *msg)
{
    (void)ctx;
    (void)self;
    note("failed:%d", msg->reason == TR_ENOACTOR);
    return TR_OK;
}

#define BOX_HANDLERS(ON)        \
    ON(item, on_item)           \
    ON(question, on_question)   \
    ON(answer, on_answer)       \
    ON(order, on_order)         \
    ON(tr_dead_letter, on_dead) \
    ON(tr_request_failed, on_failed)
TR_DISPATCH(box, BOX_HANDLERS);

static tr_err box_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    /* Neither of them has a message to speak of. */
    assert_int_equal(tr_stash(ctx), TR_EINVAL);
    assert_true(tr_pid_is_nobody(tr_sender(ctx)));
    return TR_OK;
}

static const struct tr_actor box_actor = {.name = "box",
                                          .state_size = sizeof(struct box),
                                          .init = box_init,
                                          .receive = box_receive,
                                          .stash_max = 5};

static uint32_t hoarded;

static tr_err hoarder_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    (void)msg;
    tr_err err = tr_stash(ctx);
    assert_true(err == TR_OK || err == TR_EFULL);
    hoarded += !err;
    return TR_OK; /* Or it would be restarted, and all taken out. */
}
static const struct tr_actor hoarder_actor = {
    .name = "hoarder", .receive = hoarder_receive, .stash_max = 1000000};

static void order(tr_pid to, int what)
{
    tr_send(root, to, order, .what = what);
}

static void items(tr_pid to, uint32_t first, uint32_t last)
{
    for (uint32_t n = first; n <= last; n++)
        tr_send(root, to, item, .n = n);
}

/* ---- Tests --------------------------------------------------------------- */

static void what_was_put_aside_comes_before_later_mail_in_order(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    order(a, PUT_ASIDE);
    items(a, 1, 3);
    order(a, OUT_ALL);
    items(a, 4, 5);
    run();
    assert_trace("(1) (2) (3) out:3 1 2 3 4 5");
}

static void one_at_a_time(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    order(a, PUT_ASIDE);
    items(a, 1, 3);
    order(a, OUT_ONE);
    items(a, 4, 4);
    run();
    assert_trace("(1) (2) (3) out:1 1 4");
    struct tr_accounts acc = accounts_of(a);
    assert_int_equal(acc.queued, 2);
    assert_int_equal(system_accounts().queued, 2);
    order(a, OUT_ALL);
    run();
    assert_trace("out:2 2 3");
    assert_int_equal(accounts_of(a).queued, 0);
    assert_int_equal(accounts_of(a).processed, 7);
}

static void put_aside_again_keeps_its_place(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    order(a, PUT_ASIDE);
    items(a, 1, 4);
    order(a, OUT_AND_BACK); /* 1 and 2 are still the oldest, before 3 and 4. */
    run();
    assert_trace("(1) (2) (3) (4) out:2 (1) (2)");
    assert_int_equal(accounts_of(a).queued, 4);
    order(a, OUT_ONE);
    run();
    assert_trace("out:1 1");
    order(a, OUT_ALL);
    items(a, 5, 5);
    run();
    assert_trace("out:3 2 3 4 5");
}

/* The handler of a message that was taken out puts it aside again and takes all out. */
static void around_and_around_in_order(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    order(a, PUT_ASIDE);
    items(a, 1, 4);
    run();
    assert_trace("(1) (2) (3) (4)");
    order(a, OUT_ALL);
    order(a, PUT_ASIDE); /* Comes after them all. */
    items(a, 5, 5);
    order(a, OUT_ALL);
    run();
    assert_trace("out:4 1 2 3 4 (5) out:1 5");
    order(a, PUT_ASIDE);
    items(a, 6, 8);
    order(a, OUT_ONE);
    order(a, OUT_ONE);
    order(a, OUT_ONE);
    run();
    assert_trace("(6) (7) (8) out:1 6 out:1 7 out:1 8");
    order(a, PUT_ASIDE);
    items(a, 1, 3);
    run();
    order(a, OUT_ONE);
    run();
    assert_trace("(1) (2) (3) out:1 1");
    order(a, OUT_ALL);
    run();
    assert_trace("out:2 2 3");
}

static void the_bound_fails_the_handler_and_says_so(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    order(a, PUT_ASIDE);
    items(a, 1, 5);
    run();
    assert_int_equal(accounts_of(a).queued, 5);
    items(a, 6, 6); /* One too many: the handler fails, is restarted, and all come back. */
    run();
    assert_trace("(1) (2) (3) (4) (5) (6) 1 2 3 4 5");
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    assert_int_equal(stats.actors_failed, 1);
    assert_int_equal(stats.actors_restarted, 1);
    assert_int_equal(accounts_of(a).processed, 7);
}

static void a_failing_or_refusing_handler_has_consumed_its_message(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    order(a, FAIL_ASIDE);
    items(a, 1, 2);
    run();
    assert_trace("!1 2");
    order(a, REFUSE_ASIDE);
    items(a, 3, 4);
    order(a, OUT_ALL);
    run();
    assert_trace("?3 4 out:0");
    struct tr_accounts acc = accounts_of(a);
    assert_int_equal(acc.dead[TR_DEAD_UNHANDLED], 1);
    assert_int_equal(acc.queued, 0);
    order(a, TWICE);
    items(a, 5, 5);
    order(a, OUT_ALL);
    run();
    assert_trace("out:1 5");
}

static void questions_can_wait_and_are_answered(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    tr_pid b = tr_spawn(root, &box_actor);
    order(b, PUT_ASIDE);
    tr_send(root, a, order, .what = ASK, .to = b);
    run();
    assert_trace("");
    order(b, OUT_ALL);
    run();
    assert_trace("out:1 answer:2,call:1");
    /* An answer can wait, too: its call is over, and it still has its number. */
    order(a, PUT_ASIDE);
    tr_send(root, a, order, .what = ASK, .to = b);
    run();
    order(a, OUT_ALL);
    run();
    assert_trace("out:1 answer:2,call:1");
}

static void the_end_makes_dead_letters(void **state)
{
    (void)state;
    tr_pid listener = tr_spawn(root, &box_actor);
    tr_pid a = tr_spawn(root, &box_actor);
    tr_pid b = tr_spawn(root, &box_actor);
    order(listener, LISTEN);
    order(b, PUT_ASIDE);
    tr_send(root, a, order, .what = ASK, .to = b);
    items(b, 1, 1);
    run();
    assert_trace("(1)");
    tr_stop(root, b);
    run();
    assert_string_equal(trace, "failed:1 dead:item:stopped dead:question:stopped");
    assert_int_equal(system_accounts().dead[TR_DEAD_STOPPED], 2);
    assert_int_equal(system_accounts().queued, 0);
}

static void a_restart_brings_all_back(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    order(a, PUT_ASIDE);
    items(a, 1, 3);
    order(a, FAIL);
    items(a, 4, 4);
    run();
    assert_trace("(1) (2) (3) 1 2 3 4");
}

static void bounded_mailboxes_have_a_stash_beside_them(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor, .mailbox_max = 4, .overflow = TR_DROP_NEWEST);
    order(a, PUT_ASIDE);
    items(a, 1, 3);
    run();
    items(a, 4, 4);
    order(a, OUT_ALL);
    items(a, 5, 6); /* Four wait: the bound counts what is in the mailbox alone. */
    run();
    assert_trace("(1) (2) (3) (4) out:4 1 2 3 4 5 6");
    assert_int_equal(accounts_of(a).queued, 0);
    order(a, PUT_ASIDE);
    items(a, 7, 7);
    order(a, FAIL);
    items(a, 8, 8);
    run();
    assert_trace("(7) 7 8");
    assert_int_equal(system_accounts().dropped, 0);
}

static void large_and_shared_bodies_wait_without_a_copy(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &box_actor);
    tr_pid b = tr_spawn(root, &box_actor);
    order(a, PUT_ASIDE);
    order(b, PUT_ASIDE);
    struct item *large = tr_msg_new(root, &item_type, 300000);
    assert_non_null(large);
    large->n = 7;
    tr_send_take(root, a, large);
    run();
    tr_broadcast(root, ((const tr_pid[]){a, b}), 2, item, .n = 8);
    run();
    assert_trace("(7) (8) (8)");
    order(a, OUT_ALL);
    run();
    order(b, OUT_ALL);
    run();
    assert_trace("out:2 7 8 out:1 8");
}

static void at_the_memory_cap_the_handler_is_told(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &hoarder_actor);
    uint32_t sent = 0;
    while (tr_try_send(root, a, item, .n = sent) == TR_OK)
        sent++;
    assert_true(sent > 1000); /* A megabyte of them. */
    run();                    /* Each handler asks for an envelope, until there is none. */
    struct tr_accounts acc = system_accounts();
    assert_true(hoarded > 0 && hoarded < sent);
    assert_int_equal(acc.queued, hoarded);
    assert_int_equal(acc.processed + acc.queued, acc.accepted);
    tr_stop(root, a);
    run();
    assert_int_equal(system_accounts().dead[TR_DEAD_STOPPED], hoarded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_aside_comes_before_later_mail_in_order),
        TEST(one_at_a_time),
        TEST(put_aside_again_keeps_its_place),
        TEST(around_and_around_in_order),
        TEST(the_bound_fails_the_handler_and_says_so),
        TEST(a_failing_or_refusing_handler_has_consumed_its_message),
        TEST(questions_can_wait_and_are_answered),
        TEST(the_end_makes_dead_letters),
        TEST(a_restart_brings_all_back),
        SMALL_TEST(at_the_memory_cap_the_handler_is_told),
        TEST(bounded_mailboxes_have_a_stash_beside_them),
        TEST(large_and_shared_bodies_wait_without_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
