/* Functions around every spawn, receive and send. */
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
struct order {
    int what;
    tr_pid to;
};
TR_TYPE(item);
TR_TYPE(question);
TR_TYPE(answer);
TR_TYPE(order);

enum { SEND, ASK, BECOME, FAIL, SPAWN, TIMER };

struct plain {
    uint32_t count;
};

static tr_pid spawned;

static tr_err on_item(tr_ctx *ctx, struct plain *self, const struct item *msg)
{
    (void)ctx;
    self->count++;
    note("got%u", msg->n);
    return TR_OK;
}

static tr_err on_items(tr_ctx *ctx, struct plain *self, const struct item *const *items,
                       size_t count)
{
    (void)ctx;
    (void)items;
    self->count += (uint32_t)count;
    note("batch%zu", count);
    return TR_OK;
}

static tr_err on_question(tr_ctx *ctx, struct plain *self, const struct question *msg)
{
    (void)self;
    tr_reply(ctx, answer, .n = msg->n + 1);
    return TR_OK;
}

static tr_err on_answer(tr_ctx *ctx, struct plain *self, const struct answer *msg)
{
    (void)ctx;
    (void)self;
    note("answer%u", msg->n);
    return TR_OK;
}

static tr_err on_failed(tr_ctx *ctx, struct plain *self, const struct tr_request_failed *msg)
{
    (void)ctx;
    (void)self;
    note("failed%d", msg->reason);
    return TR_OK;
}

static tr_err on_order(tr_ctx *ctx, struct plain *self, const struct order *msg);

#define PLAIN_HANDLERS(ON)    \
    ON(item, on_item)         \
    ON(question, on_question) \
    ON(answer, on_answer)     \
    ON(order, on_order)       \
    ON(tr_request_failed, on_failed)
TR_DISPATCH(plain, PLAIN_HANDLERS);
TR_BATCH(plain, item, on_items);

static tr_err on_item_changed(tr_ctx *ctx, struct plain *self, const struct item *msg)
{
    (void)ctx;
    (void)self;
    note("changed%u", msg->n);
    return TR_OK;
}
#define CHANGED_HANDLERS(ON) ON(item, on_item_changed) ON(order, on_order)
TR_BEHAVIOUR(changed, plain, CHANGED_HANDLERS);

static const struct tr_actor plain_actor = {
    .name = "plain", .state_size = sizeof(struct plain), .receive = plain_receive};
static const struct tr_actor batch_actor = {.name = "batch",
                                            .state_size = sizeof(struct plain),
                                            .receive = plain_receive,
                                            .receive_batch = plain_receive_batch,
                                            .batch_type = &item_type,
                                            .batch_max = 8};

static tr_err on_order(tr_ctx *ctx, struct plain *self, const struct order *msg)
{
    (void)self;
    switch (msg->what) {
    case SEND:
        tr_send(ctx, msg->to, item, .n = 1);
        return TR_OK;
    case ASK:
        (void)tr_request(ctx, msg->to, 1000, question, .n = 1);
        return TR_OK;
    case BECOME:
        return tr_become(ctx, &changed);
    case SPAWN:
        spawned = tr_spawn(ctx, &plain_actor);
        return tr_pid_err(spawned);
    case TIMER:
        (void)tr_after(ctx, 5, item, .n = 9);
        return TR_OK;
    default:
        return tr_fail(ctx, TR_EUSER, "as told");
    }
}

/* ---- The chain ----------------------------------------------------------- */

static struct {
    bool refuse, fail, twice;
    const struct tr_type *drop;
    tr_pid redirect;
} act;

static tr_err outer_receive(void *user, tr_ctx *ctx, const tr_msg *msg, const struct tr_next *next)
{
    note("%s<%s", (const char *)user, msg->type->name);
    if (act.refuse)
        return TR_OK;
    if (act.fail)
        return tr_fail(ctx, TR_EDENIED, "%s is not allowed", msg->type->name);
    tr_err err = tr_next_receive(next, ctx, msg);
    note("%d>", err);
    return err;
}

static tr_err outer_batch(void *user, tr_ctx *ctx, const struct tr_batch *batch,
                          const struct tr_next *next)
{
    note("%s<%zu", (const char *)user, batch->count);
    return tr_next_receive_batch(next, ctx, batch);
}

static void outer_send(void *user, tr_ctx *ctx, tr_pid to, const tr_msg *msg,
                       const struct tr_next *next)
{
    (void)user;
    note("->%s", msg->type->name);
    if (act.drop == msg->type)
        return;
    tr_next_send(next, ctx, act.redirect.bits ? act.redirect : to);
    if (act.twice)
        tr_next_send(next, ctx, to); /* Does nothing. */
}

/* Sends a message of its own, which it is not shown. */
static void inner_send(void *user, tr_ctx *ctx, tr_pid to, const tr_msg *msg,
                       const struct tr_next *next)
{
    tr_pid other = *(const tr_pid *)user;
    if (!tr_pid_is_nobody(other) && msg->type == &item_type)
        tr_send(ctx, other, item, .n = 100);
    tr_next_send(next, ctx, to);
}

static const struct tr_supervision to_the_end = {.on_failure = TR_STOP};

static tr_pid outer_spawn(void *user, tr_ctx *ctx, const struct tr_spawn_args *args,
                          const struct tr_next *next)
{
    (void)user;
    note("spawn:%s", args->actor ? args->actor->name : "group");
    if (act.refuse)
        return tr_nobody(TR_EDENIED);
    struct tr_spawn_args changed_args = *args;
    changed_args.supervise = &to_the_end;
    return tr_next_spawn(next, ctx, &changed_args);
}

static tr_pid ear;
static const struct tr_middleware own = {.receive = outer_receive, .user = (void *)"own"};
static const struct tr_middleware outer = {
    .receive = outer_receive, .receive_batch = outer_batch, .user = (void *)"sys"};
static const struct tr_middleware sender = {.send = outer_send};
static const struct tr_middleware chatty = {.send = inner_send, .user = &ear};
static const struct tr_middleware spawner = {.spawn = outer_spawn};

static const struct tr_middleware *const receivers[] = {&outer, NULL};
static const struct tr_middleware *const senders[] = {&sender, &chatty, NULL};
static const struct tr_middleware *const spawners[] = {&spawner, NULL};
static const struct tr_middleware *const own_chain[] = {&sender, &own, NULL};

static int start(const struct tr_middleware *const *chain)
{
    memset(&act, 0, sizeof act);
    ear = TR_NOBODY;
    return stepped_start(chain);
}
static int with_none(void **state)
{
    (void)state;
    return start(NULL);
}
static int with_receivers(void **state)
{
    (void)state;
    return start(receivers);
}
static int with_senders(void **state)
{
    (void)state;
    return start(senders);
}
static int with_spawners(void **state)
{
    (void)state;
    return start(spawners);
}

static void order(tr_pid to, int what, tr_pid other)
{
    tr_send(root, to, order, .what = what, .to = other);
    run();
}

static void item(tr_pid to, uint32_t n)
{
    tr_send(root, to, item, .n = n);
    run();
}

static void forget_trace(void)
{
    trace_size = 0;
    trace[0] = '\0';
}

/* ---- Receive ------------------------------------------------------------- */

static void an_actors_chain_is_around_its_handlers_alone(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &plain_actor, .middleware = own_chain);
    tr_pid b = tr_spawn(root, &plain_actor);
    item(a, 1);
    item(b, 2);
    assert_trace("own<item got1 0> got2");
    order(a, BECOME, TR_NOBODY); /* Another behaviour is inside the same chain. */
    item(a, 3);
    assert_trace("own<order 0> own<item changed3 0>");
    order(a, FAIL, TR_NOBODY); /* And is gone after a restart, the chain is not. */
    item(a, 4);
    assert_trace("own<order 20> own<item got4 0>");
}

static void what_is_not_passed_on_is_processed(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &plain_actor, .middleware = own_chain);
    act.refuse = true;
    item(a, 1);
    act.refuse = false;
    act.fail = true;
    item(a, 2);
    act.fail = false;
    item(a, 3);
    assert_trace("own<item own<item own<item got3 0>");
    assert_int_equal(accounts_of(a).processed, 3);
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    assert_int_equal(stats.actors_failed, 1);
}

static void the_systems_chain_is_around_the_actors(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &plain_actor, .middleware = own_chain);
    tr_pid b = tr_spawn(root, &plain_actor);
    item(a, 1);
    item(b, 2);
    assert_trace("sys<item own<item got1 0> 0> sys<item got2 0>");
}

static void batches_are_shown_as_such(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &batch_actor, .middleware = own_chain);
    for (uint32_t n = 1; n <= 3; n++)
        tr_send(root, a, item, .n = n);
    run();
    assert_trace("sys<3 batch3"); /* The actor's own chain has no receive_batch. */
}

static void pools_give_their_chain_to_the_routees(void **state)
{
    (void)state;
    tr_pid p = tr_spawn(root, &plain_actor, .pool = 2, .middleware = own_chain);
    run();
    item(p, 1);
    assert_trace("sys<item 0> sys<item own<item got1 0> 0>");
}

/* ---- Send ---------------------------------------------------------------- */

static void every_send_is_shown_once(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &plain_actor, .mailbox_max = 8);
    tr_pid b = tr_spawn(root, &plain_actor);
    item(a, 1);
    assert_int_equal(tr_try_send(root, a, item, .n = 2), TR_OK);
    run();
    assert_trace("->item got1 ->item got2");
    order(a, ASK, b);
    assert_trace("->order ->question ->answer answer2");
    order(a, TIMER, TR_NOBODY);
    pass_ms(6);
    assert_trace("->order ->item got9");
    tr_poison(root, a);
    run();
    assert_false(tr_alive(root, a));
    assert_trace("");
    item(a, 3); /* To nobody: shown, and a dead letter. */
    assert_trace("->item");
    assert_int_equal(system_accounts().dead[TR_DEAD_NO_ACTOR], 1);
}

static void what_it_sends_itself_is_not_shown(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &plain_actor);
    ear = tr_spawn(root, &plain_actor);
    tr_send(root, a, item, .n = 1);
    run();
    assert_non_null(strstr(trace, "got100"));
    assert_non_null(strstr(trace, "got1"));
    assert_null(strstr(strstr(trace, "->item") + 1, "->item"));
    forget_trace();
    ear = TR_NOBODY;
}

static void sends_can_be_dropped_redirected_and_not_doubled(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &plain_actor);
    tr_pid b = tr_spawn(root, &plain_actor);
    order(a, BECOME, TR_NOBODY);
    forget_trace();
    act.redirect = a;
    item(b, 1);
    act.redirect = TR_NOBODY;
    act.twice = true;
    item(b, 2);
    act.twice = false;
    assert_trace("->item changed1 ->item got2");
    act.drop = &item_type;
    item(b, 3);
    assert_int_equal(tr_try_send(root, b, item, .n = 4), TR_OK);
    act.drop = NULL;
    run();
    assert_trace("->item ->item");
    assert_int_equal(system_accounts().dropped, 2);
    /* Who waits for an answer to a dropped question is told. */
    struct answer answer;
    act.drop = &question_type;
    assert_int_equal(tr_ask(root, b, TR_INTO(answer, &answer), 20000, question), TR_EDENIED);
    assert_trace("->question ->tr_request_failed");
}

static void bounds_hold_behind_the_middleware(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &plain_actor, .mailbox_max = 2);
    run();
    for (uint32_t n = 1; n <= 2; n++)
        assert_int_equal(tr_try_send(root, a, item, .n = n), TR_OK);
    assert_int_equal(tr_try_send(root, a, item, .n = 3), TR_EFULL);
    tr_send(root, a, item, .n = 4);
    run();
    assert_trace("->item ->item ->item got1 got2");
    assert_int_equal(system_accounts().dead[TR_DEAD_REFUSED], 1);
}

/* ---- Spawn --------------------------------------------------------------- */

static void spawns_are_shown_changed_and_refused(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &plain_actor);
    order(a, SPAWN, TR_NOBODY);
    assert_true(tr_alive(root, spawned));
    order(spawned, FAIL, TR_NOBODY);
    assert_false(tr_alive(root, spawned)); /* It got another supervision. */
    tr_pid p = tr_spawn(root, &plain_actor, .pool = 2);
    run();
    assert_trace("spawn:plain spawn:plain spawn:plain spawn:plain spawn:plain");
    tr_stop(root, p);
    run();
    act.refuse = true;
    assert_int_equal(tr_pid_err(tr_spawn(root, &plain_actor)), TR_EDENIED);
    act.refuse = false;
    assert_trace("spawn:plain");
}

static void chains_are_bounded(void **state)
{
    (void)state;
    const struct tr_middleware *many[TR_MIDDLEWARE_MAX + 2];
    for (uint32_t i = 0; i < TR_MIDDLEWARE_MAX + 1; i++)
        many[i] = &chatty;
    many[TR_MIDDLEWARE_MAX + 1] = NULL;
    assert_int_equal(tr_pid_err(tr_spawn(root, &plain_actor, .middleware = many)), TR_EINVAL);
    tr_system *other = NULL;
    struct tr_error error;
    assert_int_equal(
        tr_system_create_(&other, &(struct tr_config){.manual = true, .middleware = many}, &error),
        TR_EINVAL);
    assert_non_null(strstr(error.text, "64"));
}

#define WITH(set_up_fn, fn) cmocka_unit_test_setup_teardown(fn, set_up_fn, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(with_none, an_actors_chain_is_around_its_handlers_alone),
        WITH(with_none, what_is_not_passed_on_is_processed),
        WITH(with_receivers, the_systems_chain_is_around_the_actors),
        WITH(with_receivers, batches_are_shown_as_such),
        WITH(with_receivers, pools_give_their_chain_to_the_routees),
        WITH(with_senders, every_send_is_shown_once),
        WITH(with_senders, what_it_sends_itself_is_not_shown),
        WITH(with_senders, sends_can_be_dropped_redirected_and_not_doubled),
        WITH(with_senders, bounds_hold_behind_the_middleware),
        WITH(with_spawners, spawns_are_shown_changed_and_refused),
        WITH(with_none, chains_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
