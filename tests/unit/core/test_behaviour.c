/* Become, links, receive timeouts, and what a restart makes of them. */
#include "base/alloc.h"
#include "core/kind.h"
#include "core/send.h"
#include "stepped.h"

struct item {
    uint32_t n;
};
struct order {
    int what;
    tr_pid to;
};
TR_TYPE(item);
TR_TYPE(order);

enum {
    BECOME_MANY,
    BECOME,
    STACK,
    BACK,
    STACK_ALL,
    FAIL,
    LINK,
    UNLINK,
    STOP,
    WATCH,
    IDLE,
    RESUME_FAIL,
    SPAWN
};

struct door {
    uint32_t count;
};

static tr_err obey(tr_ctx *ctx, const struct order *msg);

static tr_err on_item(tr_ctx *ctx, struct door *self, const struct item *msg)
{
    self->count++;
    note("%s%u", tr_behaviour_name(ctx) ? tr_behaviour_name(ctx) : "door", msg->n);
    return TR_OK;
}

static tr_err on_order(tr_ctx *ctx, struct door *self, const struct order *msg)
{
    (void)self;
    return obey(ctx, msg);
}

static tr_err on_down(tr_ctx *ctx, struct door *self, const struct tr_down *msg)
{
    (void)ctx;
    (void)self;
    note("down:%d", msg->reason);
    return TR_OK;
}

static tr_err on_failed(tr_ctx *ctx, struct door *self, const struct tr_actor_failed *msg)
{
    (void)ctx;
    (void)self;
    note("failed:%d:%s:%d", msg->code, msg->actor->name, msg->directive);
    if (msg->code == TR_ELINK)
        assert_non_null(strstr(msg->text, tr_strerror(TR_EUSER)));
    return TR_OK;
}

static tr_err on_idle(tr_ctx *ctx, struct door *self, const struct tr_idle *msg)
{
    (void)self;
    note("%s:%u", tr_behaviour_name(ctx) ? tr_behaviour_name(ctx) : "door", msg->after_ms);
    return TR_OK;
}

#define DOOR_HANDLERS(ON)          \
    ON(item, on_item)              \
    ON(order, on_order)            \
    ON(tr_down, on_down)           \
    ON(tr_actor_failed, on_failed) \
    ON(tr_idle, on_idle)
TR_DISPATCH(door, DOOR_HANDLERS);

#define OPEN_HANDLERS(ON) ON(item, on_item) ON(order, on_order)
TR_BEHAVIOUR(open, door, OPEN_HANDLERS);
#define SHUT_HANDLERS(ON) ON(order, on_order)
TR_BEHAVIOUR(shut, door, SHUT_HANDLERS);

static void door_stop(tr_ctx *ctx, void *state)
{
    (void)state;
    assert_true(tr_pid_is_nobody(tr_sender(ctx)));
    note("stop");
}

static tr_err on_items(tr_ctx *ctx, struct door *self, const struct item *const *items,
                       size_t count)
{
    (void)ctx;
    (void)self;
    (void)items;
    note("batch:%zu", count);
    return TR_OK;
}
TR_BATCH(door, item, on_items);

static const struct tr_actor door_actor = {
    .name = "door", .state_size = sizeof(struct door), .receive = door_receive};
static const struct tr_actor loud_actor = {
    .name = "loud", .state_size = sizeof(struct door), .receive = door_receive, .stop = door_stop};
static const struct tr_actor batch_actor = {.name = "batch",
                                            .state_size = sizeof(struct door),
                                            .receive = door_receive,
                                            .receive_batch = door_receive_batch,
                                            .batch_type = &item_type,
                                            .batch_max = 8};

static tr_pid suspended, linked; /* While the first waits for this decision, the other fails. */

static enum tr_directive resume_or_restart(tr_err code)
{
    if (suspended.bits)
        tri_sys_send(root, suspended, TRI_SYS_LINK_FAILED, linked, TR_EUSER);
    suspended = TR_NOBODY;
    return code == TR_EIO ? TR_RESUME : TR_RESTART;
}
static const struct tr_supervision supervision = {
    .decide = resume_or_restart, .restarts_max = 5, .within_ms = 1000};
static const struct tr_supervision resume_all = {.on_failure = TR_RESUME};
static const struct tr_supervision to_the_end = {.on_failure = TR_STOP};

static tr_err become_many(tr_ctx *ctx);

static tr_err stack_all(tr_ctx *ctx)
{
    for (uint32_t i = 0; i < TR_BEHAVIOURS_MAX; i++) {
        tr_err err = tr_become_stacked(ctx, i % 2 ? &shut : &open);
        if (err)
            return err;
    }
    assert_int_equal(tr_become_stacked(ctx, &open), TR_EFULL);
    assert_int_equal(tr_become(ctx, NULL), TR_EINVAL);
    assert_int_equal(tr_become_stacked(ctx, &(struct tr_behaviour){.name = "none"}), TR_EINVAL);
    for (uint32_t i = 0; i < TR_BEHAVIOURS_MAX; i++)
        assert_int_equal(tr_unbecome(ctx), TR_OK);
    assert_null(tr_behaviour_name(ctx));
    return tr_unbecome(ctx); /* Nothing is below. */
}

static tr_pid child;

static tr_err obey(tr_ctx *ctx, const struct order *msg)
{
    switch (msg->what) {
    case BECOME_MANY:
        return become_many(ctx);
    case BECOME:
        return tr_become(ctx, msg->to.bits ? &shut : &open);
    case STACK:
        return tr_become_stacked(ctx, msg->to.bits ? &shut : &open);
    case BACK:
        return tr_unbecome(ctx);
    case STACK_ALL:
        return stack_all(ctx);
    case LINK:
        return tr_link(ctx, msg->to);
    case UNLINK:
        tr_unlink(ctx, msg->to);
        return TR_OK;
    case STOP:
        tr_stop(ctx, tr_self(ctx));
        return TR_OK;
    case WATCH:
        tr_watch(ctx, msg->to);
        return tr_subscribe(ctx, tr_actor_failed);
    case IDLE:
        return tr_receive_timeout(ctx, 10);
    case SPAWN:
        child = tr_spawn(ctx, &door_actor,
                         .supervise = &(const struct tr_supervision){.on_failure = TR_ESCALATE});
        return tr_pid_err(child);
    case RESUME_FAIL:
        return tr_fail(ctx, TR_EIO, "to be resumed");
    default:
        return tr_fail(ctx, TR_EUSER, "as told");
    }
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

static const tr_pid open_it = {0}, shut_it = {1};

/* ---- Become -------------------------------------------------------------- */

static void the_newest_behaviour_handles_the_next_message(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &supervision);
    item(a, 1);
    tr_send(root, a, order, .what = BECOME, .to = open_it);
    tr_send(root, a, item, .n = 2); /* In the same turn: the next message already. */
    run();
    order(a, BECOME, shut_it);
    item(a, 3); /* It is shut: a dead letter. */
    assert_trace("door1 open2");
    assert_int_equal(accounts_of(a).dead[TR_DEAD_UNHANDLED], 1);
    order(a, BACK, open_it); /* Nothing was stacked: back to its own. */
    item(a, 4);
    assert_trace("door4");
}

static void stacked_behaviours_come_back(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &supervision);
    order(a, STACK, open_it);
    item(a, 1);
    order(a, STACK, shut_it);
    item(a, 2);
    order(a, BACK, open_it);
    item(a, 3);
    order(a, BACK, open_it);
    item(a, 4);
    assert_trace("open1 open3 door4");
    order(a, STACK_ALL, open_it);
    item(a, 5);
    assert_trace("door5");
}

static void a_restart_resets_and_a_resume_does_not(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &supervision);
    order(a, STACK, open_it);
    order(a, RESUME_FAIL, TR_NOBODY);
    item(a, 1);
    order(a, FAIL, TR_NOBODY);
    item(a, 2);
    order(a, BACK, TR_NOBODY);
    item(a, 3);
    assert_trace("open1 door2 door3");
}

static void batches_are_the_own_behaviours_alone(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &batch_actor, .supervise = &supervision);
    for (uint32_t n = 1; n <= 3; n++)
        tr_send(root, a, item, .n = n);
    tr_send(root, a, order, .what = STACK, .to = open_it);
    for (uint32_t n = 4; n <= 5; n++)
        tr_send(root, a, item, .n = n);
    tr_send(root, a, order, .what = BACK);
    tr_send(root, a, item, .n = 6);
    run();
    assert_trace("batch:3 open4 open5 batch:1");
}

static struct tr_behaviour many[TRI_KINDS_MAX + 1];
static uint32_t became;

static tr_err become_many(tr_ctx *ctx)
{
    for (became = 0; became <= TRI_KINDS_MAX; became++) {
        many[became] = open;
        tr_err err = tr_become(ctx, &many[became]);
        if (err)
            return err;
    }
    return TR_OK;
}

static void different_behaviours_are_bounded(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &supervision);
    order(a, BECOME_MANY, TR_NOBODY); /* Fails, and is restarted. */
    assert_int_equal(became, TRI_KINDS_MAX);
    item(a, 1);
    assert_trace("door1");
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &resume_all);
    for (int64_t n = 0; n < 4; n++) {
        tr_send(root, a, order, .what = STACK, .to = open_it);
        tri_alloc_fail_after(n);
        run();
        tri_alloc_fail_after(-1);
        item(a, 1);
        order(a, BACK, TR_NOBODY);
    }
    assert_non_null(strstr(trace, "door1 ")); /* It could not become. */
    assert_non_null(strstr(trace, "open1"));  /* Then it could. */
    trace_size = 0;
}

/* ---- Links --------------------------------------------------------------- */

static void a_restart_reaches_the_linked_actor_once(void **state)
{
    (void)state;
    tr_pid watcher = tr_spawn(root, &door_actor);
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &supervision);
    tr_pid b = tr_spawn(root, &door_actor, .supervise = &supervision);
    order(watcher, WATCH, b);
    order(a, LINK, b);
    order(a, LINK, b); /* Idempotent. */
    order(a, FAIL, TR_NOBODY);
    assert_trace("failed:20:door:0 failed:12:door:0");
    order(a, FAIL, TR_NOBODY); /* The link is used up. */
    assert_trace("failed:20:door:0");
    assert_true(tr_alive(root, a) && tr_alive(root, b));
}

static void links_hold_both_ways_and_circles_come_to_rest(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &loud_actor, .supervise = &supervision);
    tr_pid b = tr_spawn(root, &loud_actor, .supervise = &supervision);
    tr_pid c = tr_spawn(root, &loud_actor, .supervise = &supervision);
    order(a, LINK, b);
    order(b, LINK, c);
    order(c, LINK, a);
    order(b, FAIL, TR_NOBODY);
    assert_trace("stop stop stop"); /* Each of them once. */
    order(a, LINK, b);
    order(b, FAIL, TR_NOBODY); /* From the side that was linked to. */
    assert_trace("stop stop");
}

static void an_end_without_error_unties_and_a_failure_does_not(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &to_the_end);
    tr_pid b = tr_spawn(root, &loud_actor, .supervise = &to_the_end);
    tr_pid c = tr_spawn(root, &door_actor, .supervise = &to_the_end);
    tr_pid watcher = tr_spawn(root, &door_actor);
    order(watcher, WATCH, c);
    order(a, LINK, b);
    order(b, STOP, TR_NOBODY);
    assert_true(tr_alive(root, a));
    assert_trace("stop");
    order(a, LINK, c);
    order(a, FAIL, TR_NOBODY);
    assert_false(tr_alive(root, a) || tr_alive(root, c));
    char want[128];
    snprintf(want, sizeof want, "failed:%d:door:%d failed:%d:door:%d down:%d", TR_EUSER, TR_STOP,
             TR_ELINK, TR_STOP, TR_ELINK);
    assert_trace(want);
}

static void who_is_gone_fails_whoever_links_to_him(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &loud_actor, .supervise = &to_the_end);
    tr_pid gone = tr_spawn(root, &door_actor);
    tr_stop(root, gone);
    run();
    order(a, LINK, gone);
    assert_false(tr_alive(root, a));
    tr_pid b = tr_spawn(root, &loud_actor, .supervise = &to_the_end);
    order(b, LINK, TR_NOBODY); /* Its handler fails: TR_ENOACTOR. */
    tr_pid c = tr_spawn(root, &loud_actor, .supervise = &to_the_end);
    order(c, LINK, c);
    assert_false(tr_alive(root, b) || tr_alive(root, c));
    assert_trace("stop stop stop");
}

static void unlinked_is_unlinked_on_both_sides(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &loud_actor, .supervise = &to_the_end);
    tr_pid b = tr_spawn(root, &loud_actor, .supervise = &to_the_end);
    order(a, LINK, b);
    order(a, UNLINK, b);
    order(a, FAIL, TR_NOBODY);
    assert_true(tr_alive(root, b));
    assert_trace("stop");
}

/* The linked actor has failed itself and waits for its supervisor, which then resumes it: the
 * link's failure is not lost meanwhile. */
static void a_link_fails_also_who_is_suspended(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &to_the_end);
    tr_pid b = tr_spawn(root, &loud_actor, .supervise = &supervision);
    order(a, LINK, b);
    suspended = b;
    linked = a;
    order(b, RESUME_FAIL, TR_NOBODY);
    assert_trace("stop"); /* It was resumed, failed by the link, and was restarted. */
    assert_true(tr_alive(root, b));
}

/* ---- Receive timeout ----------------------------------------------------- */

static void silence_is_told_in_any_behaviour_and_not_after_a_restart(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &door_actor, .supervise = &supervision);
    order(a, IDLE, TR_NOBODY);
    pass_ms(5);
    item(a, 1); /* Begins anew. */
    pass_ms(9);
    assert_trace("door1");
    pass_ms(3);
    assert_trace("door:10");
    order(a, FAIL, TR_NOBODY);
    pass_ms(30);
    assert_trace("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_behaviour_handles_the_next_message),
        TEST(stacked_behaviours_come_back),
        TEST(a_restart_resets_and_a_resume_does_not),
        TEST(batches_are_the_own_behaviours_alone),
        TEST(different_behaviours_are_bounded),
        TEST(without_memory_nothing_changes),
        TEST(a_restart_reaches_the_linked_actor_once),
        TEST(links_hold_both_ways_and_circles_come_to_rest),
        TEST(an_end_without_error_unties_and_a_failure_does_not),
        TEST(who_is_gone_fails_whoever_links_to_him),
        TEST(unlinked_is_unlinked_on_both_sides),
        TEST(a_link_fails_also_who_is_suspended),
        TEST(silence_is_told_in_any_behaviour_and_not_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
