/* Batches, kept and forwarded messages, events, receive timeouts, group restarts, escalation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "troupe/troupe.h"

struct item {
    uint32_t n;
};
struct command {
    int what;
    tr_pid to;
};
TR_TYPE(item);
TR_TYPE(command);

enum { KEEP, SEND_KEPT, FORWARD, LISTEN, IDLE, SPAWN_TWO, FAIL };

static uint64_t now_ns;
static uint64_t test_clock(void *user)
{
    (void)user;
    return now_ns;
}

/* What all actors of a test saw; the system runs on the test's thread. */
static struct {
    uint32_t sum, batches, largest, idles, dead, failures, inits;
    tr_pid children[2];
} seen;

struct worker {
    tr_ref kept;
    bool keep;
};

static tr_err on_item(tr_ctx *ctx, struct worker *self, const struct item *msg)
{
    seen.sum += msg->n;
    if (self->keep) {
        self->kept = tr_msg_ref(ctx, tr_msg_of(msg));
        self->keep = false;
    }
    return TR_OK;
}

static tr_err on_items(tr_ctx *ctx, struct worker *self, const struct item *const *items,
                       size_t count)
{
    (void)ctx;
    (void)self;
    seen.batches++;
    seen.largest = count > seen.largest ? (uint32_t)count : seen.largest;
    for (size_t i = 0; i < count; i++)
        seen.sum += items[i]->n;
    return TR_OK;
}

static tr_err on_command(tr_ctx *ctx, struct worker *self, const struct command *msg);

static tr_err on_idle(tr_ctx *ctx, struct worker *self, const struct tr_idle *msg)
{
    (void)self;
    (void)msg;
    return ++seen.idles == 2 ? tr_receive_timeout(ctx, 0) : TR_OK;
}

static tr_err on_dead(tr_ctx *ctx, struct worker *self, const struct tr_dead_letter *msg)
{
    (void)ctx;
    (void)self;
    seen.dead += msg->type == &item_type && msg->reason == TR_DEAD_NO_ACTOR;
    return TR_OK;
}

static tr_err on_failure(tr_ctx *ctx, struct worker *self, const struct tr_actor_failed *msg)
{
    (void)ctx;
    (void)self;
    seen.failures += msg->code == TR_EUSER;
    return TR_OK;
}

#define WORKER_HANDLERS(ON)     \
    ON(item, on_item)           \
    ON(command, on_command)     \
    ON(tr_idle, on_idle)        \
    ON(tr_dead_letter, on_dead) \
    ON(tr_actor_failed, on_failure)
TR_DISPATCH(worker, WORKER_HANDLERS);
TR_BATCH(worker, item, on_items);

static tr_err worker_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    (void)state;
    (void)arg;
    seen.inits++;
    return TR_OK;
}

static const struct tr_actor worker_actor = {.name = "worker",
                                             .state_size = sizeof(struct worker),
                                             .init = worker_init,
                                             .receive = worker_receive};
static const struct tr_actor batch_actor = {.name = "batch",
                                            .state_size = sizeof(struct worker),
                                            .receive = worker_receive,
                                            .receive_batch = worker_receive_batch,
                                            .batch_type = &item_type,
                                            .batch_max = 8};
static const struct tr_supervision all_for_one = {
    .restarts_max = 5, .within_ms = 1000, .strategy = TR_ALL_FOR_ONE};
static const struct tr_supervision escalate = {.on_failure = TR_ESCALATE};

static tr_err on_command(tr_ctx *ctx, struct worker *self, const struct command *msg)
{
    switch (msg->what) {
    case KEEP:
        self->keep = true;
        return TR_OK;
    case SEND_KEPT:
        tr_send_ref(ctx, msg->to, self->kept);
        tr_msg_unref(ctx, self->kept);
        return TR_OK;
    case FORWARD:
        if (!tr_pid_is_nobody(msg->to) && !tr_pid_equal(msg->to, tr_self(ctx)))
            tr_forward(ctx, msg->to, tr_msg_of(msg));
        else
            seen.sum++;
        return TR_OK;
    case LISTEN:
        if (tr_subscribe(ctx, tr_dead_letter))
            return TR_EINVAL;
        return tr_subscribe(ctx, tr_actor_failed);
    case IDLE:
        return tr_receive_timeout(ctx, 10);
    case SPAWN_TWO:
        for (int i = 0; i < 2; i++)
            seen.children[i] = tr_spawn(ctx, &worker_actor, .supervise = &all_for_one);
        return tr_pid_err(seen.children[1]);
    default:
        return tr_fail(ctx, TR_EUSER, "as told");
    }
}

/* ---- Fixture ------------------------------------------------------------- */

static tr_system *sys;
static tr_ctx *root;

static int set_up(void **state)
{
    (void)state;
    now_ns = 1000000000;
    memset(&seen, 0, sizeof seen);
    const struct tr_config config = {
        .manual = true, .log = tr_log_none, .clock = {.mono_ns = test_clock}, .seed = 1};
    if (tr_system_create(&sys, &config))
        return -1;
    root = tr_root(sys);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tr_err err = tr_system_stop(sys, 30000);
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    tr_system_destroy(sys);
    return err || !tr_accounts_balance(&a) || a.queued ? -1 : 0;
}

static void command(tr_pid to, int what, tr_pid arg)
{
    tr_send(root, to, command, .what = what, .to = arg);
    tr_system_run(sys);
}

/* ---- Tests --------------------------------------------------------------- */

static void batches_hold_all_messages_in_order(void **state)
{
    (void)state;
    tr_pid b = tr_spawn(root, &batch_actor);
    for (uint32_t i = 1; i <= 20; i++)
        tr_send(root, b, item, .n = i);
    tr_send(root, b, command, .what = KEEP);
    tr_send(root, b, item, .n = 1000);
    tr_system_run(sys);
    assert_int_equal(seen.sum, 1210);
    assert_int_equal(seen.batches, 4); /* 8 + 8 + 4, and one after the command */
    assert_int_equal(seen.largest, 8);
}

static void kept_and_taken_messages(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &worker_actor);
    tr_pid b = tr_spawn(root, &worker_actor);
    command(a, KEEP, TR_NOBODY);
    struct item *big = tr_msg_new(root, &item_type, 300000);
    assert_non_null(big);
    big->n = 7;
    tr_send_take(root, a, big);
    tr_system_run(sys);
    command(a, SEND_KEPT, b);
    assert_int_equal(seen.sum, 14);
    tr_msg_free(root, tr_msg_new(root, &item_type, 100));
    assert_null(tr_msg_new(root, &item_type, TR_MESSAGE_SIZE_MAX + 1));
    command(a, FORWARD, b);
    assert_int_equal(seen.sum, 15);
}

static void events_reach_their_subscribers(void **state)
{
    (void)state;
    tr_pid listener = tr_spawn(root, &worker_actor);
    tr_pid a = tr_spawn(root, &worker_actor);
    command(listener, LISTEN, TR_NOBODY);
    command(listener, LISTEN, TR_NOBODY); /* once is enough */
    tr_send(root, TR_NOBODY, item, .n = 1);
    command(a, FAIL, TR_NOBODY);
    assert_int_equal(seen.dead, 1);
    assert_int_equal(seen.failures, 1);
}

static void silence_is_told_until_turned_off(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &worker_actor);
    command(a, IDLE, TR_NOBODY);
    for (int i = 0; i < 50; i++) {
        now_ns += 1000000;
        tr_system_run(sys);
    }
    assert_int_equal(seen.idles, 2);
}

static void all_for_one_restarts_the_siblings(void **state)
{
    (void)state;
    tr_pid parent = tr_spawn(root, &worker_actor);
    command(parent, SPAWN_TWO, TR_NOBODY);
    assert_int_equal(seen.inits, 3);
    command(seen.children[0], FAIL, TR_NOBODY);
    assert_int_equal(seen.inits, 5);
    assert_true(tr_alive(root, seen.children[0]) && tr_alive(root, seen.children[1]));
}

static void escalation_to_the_root_ends_all_with_a_report(void **state)
{
    (void)state;
    char text[256];
    tr_pid a = tr_spawn(root, &worker_actor, .supervise = &escalate);
    tr_pid b = tr_spawn(root, &worker_actor);
    assert_int_equal(tr_system_failure(sys, text, sizeof text), TR_OK);
    command(a, FAIL, TR_NOBODY);
    assert_int_equal(tr_system_failure(sys, text, sizeof text), TR_EUSER);
    assert_non_null(strstr(text, "as told"));
    assert_false(tr_alive(root, a) || tr_alive(root, b));
    assert_int_equal(tr_pid_err(tr_spawn(root, &worker_actor)), TR_ECLOSING);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batches_hold_all_messages_in_order),
        TEST(kept_and_taken_messages),
        TEST(events_reach_their_subscribers),
        TEST(silence_is_told_until_turned_off),
        TEST(all_for_one_restarts_the_siblings),
        TEST(escalation_to_the_root_ends_all_with_a_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
