/*
 * Actors through the public interface, on a system that the test drives step by step with a
 * clock of its own: no threads, no waiting, the same result every time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "troupe/troupe.h"

struct note {
    int64_t value;
};
struct ask_value {
    char none;
};
struct value {
    int64_t sum;
    uint32_t inits;
    uint32_t batches;
    tr_pid down;
    tr_err reason;
};
struct watch_it {
    tr_pid who;
};
struct later {
    unsigned delay_ms;
    bool repeat;
    bool cancel;
};
struct ask_other {
    tr_pid who;
    unsigned timeout_ms;
};
struct spawn_child {
    char none;
};
struct double_it {
    int64_t value;
};
TR_TYPE(note);
TR_TYPE(ask_value);
TR_TYPE(value);
TR_TYPE(watch_it);
TR_TYPE(later);
TR_TYPE(ask_other);
TR_TYPE(spawn_child);
TR_TYPE(double_it);

static uint64_t now_ns;
static uint32_t inits;
static uint32_t stops;

static uint64_t test_clock(void *user)
{
    (void)user;
    return now_ns;
}

struct probe {
    struct value seen;
    tr_timer timer;
};

static tr_err probe_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct probe *self = state;
    (void)ctx;
    (void)arg;
    self->seen.inits = ++inits;
    return TR_OK;
}

static void probe_stop(tr_ctx *ctx, void *state)
{
    (void)ctx;
    (void)state;
    stops++;
}

static tr_err on_note(tr_ctx *ctx, struct probe *self, const struct note *msg)
{
    if (msg->value < 0)
        return tr_fail(ctx, TR_EINVAL, "value is %" PRId64, msg->value);
    self->seen.sum += msg->value;
    return TR_OK;
}

static tr_err on_ask_value(tr_ctx *ctx, struct probe *self, const struct ask_value *msg)
{
    (void)msg;
    tr_reply(ctx, value, .sum = self->seen.sum, .inits = self->seen.inits,
             .batches = self->seen.batches, .down = self->seen.down, .reason = self->seen.reason);
    return TR_OK;
}

static tr_err on_watch_it(tr_ctx *ctx, struct probe *self, const struct watch_it *msg)
{
    (void)self;
    tr_watch(ctx, msg->who);
    return TR_OK;
}

static tr_err on_down(tr_ctx *ctx, struct probe *self, const struct tr_down *msg)
{
    (void)ctx;
    self->seen.sum++;
    self->seen.down = msg->who;
    self->seen.reason = msg->reason;
    return TR_OK;
}

static tr_err on_later(tr_ctx *ctx, struct probe *self, const struct later *msg)
{
    if (msg->cancel)
        return tr_cancel(ctx, self->timer) ? TR_OK : TR_ENOACTOR;
    self->timer = msg->repeat ? tr_every(ctx, msg->delay_ms, note, .value = 1)
                              : tr_after(ctx, msg->delay_ms, note, .value = 1);
    return TR_OK;
}

static tr_err on_ask_other(tr_ctx *ctx, struct probe *self, const struct ask_other *msg)
{
    (void)self;
    (void)tr_request(ctx, msg->who, msg->timeout_ms, ask_value);
    return TR_OK;
}

static tr_err on_value(tr_ctx *ctx, struct probe *self, const struct value *msg)
{
    (void)ctx;
    self->seen.sum += msg->sum;
    return TR_OK;
}

static tr_err on_failed(tr_ctx *ctx, struct probe *self, const struct tr_request_failed *msg)
{
    (void)ctx;
    self->seen.reason = msg->reason;
    self->seen.down = msg->to;
    return TR_OK;
}

static tr_err on_spawn_child(tr_ctx *ctx, struct probe *self, const struct spawn_child *msg);

static tr_err twice(const void *arg, void *result)
{
    const struct double_it *in = arg;
    if (in->value < 0)
        return TR_EUSER;
    ((struct note *)result)->value = 2 * in->value;
    return TR_OK;
}

static tr_err on_double_it(tr_ctx *ctx, struct probe *self, const struct double_it *msg)
{
    (void)self;
    (void)tr_offload(ctx, twice, note, double_it, .value = msg->value);
    return TR_OK;
}

static tr_err on_idle(tr_ctx *ctx, struct probe *self, const struct tr_idle *msg)
{
    (void)ctx;
    self->seen.sum += msg->after_ms;
    return TR_OK;
}

static tr_err on_dead_letter(tr_ctx *ctx, struct probe *self, const struct tr_dead_letter *msg)
{
    (void)ctx;
    self->seen.down = msg->to;
    self->seen.sum += 100;
    return TR_OK;
}

#define PROBE_HANDLERS(ON)           \
    ON(note, on_note)                \
    ON(ask_value, on_ask_value)      \
    ON(watch_it, on_watch_it)        \
    ON(tr_down, on_down)             \
    ON(later, on_later)              \
    ON(ask_other, on_ask_other)      \
    ON(value, on_value)              \
    ON(tr_request_failed, on_failed) \
    ON(spawn_child, on_spawn_child)  \
    ON(double_it, on_double_it)      \
    ON(tr_idle, on_idle)             \
    ON(tr_dead_letter, on_dead_letter)
TR_DISPATCH(probe, PROBE_HANDLERS);

static const struct tr_actor probe_actor = {
    .name = "probe",
    .state_size = sizeof(struct probe),
    .init = probe_init,
    .receive = probe_receive,
    .stop = probe_stop,
    .accepts = probe_accepts,
};

static tr_err on_spawn_child(tr_ctx *ctx, struct probe *self, const struct spawn_child *msg)
{
    (void)msg;
    self->seen.down = tr_spawn(ctx, &probe_actor);
    return tr_pid_err(self->seen.down);
}

/* ---- Fixture ------------------------------------------------------------- */

struct fixture {
    tr_system *sys;
    tr_ctx *root;
};

static int set_up(void **state)
{
    static struct fixture f;
    now_ns = 1000000000;
    inits = stops = 0;
    const struct tr_config config = {
        .manual = true, .log = tr_log_none, .clock = {.mono_ns = test_clock}, .seed = 1};
    if (tr_system_create(&f.sys, &config))
        return -1;
    f.root = tr_root(f.sys);
    *state = &f;
    return 0;
}

/* Every test ends with balanced accounts and no actor left. */
static int tear_down(void **state)
{
    struct fixture *f = *state;
    tr_err err = tr_system_stop(f->sys, 30000);
    struct tr_accounts a;
    struct tr_stats s;
    tr_system_accounts(f->sys, &a);
    tr_system_stats(f->sys, &s);
    tr_system_destroy(f->sys);
    return err || !tr_accounts_balance(&a) || a.queued || s.actors ? -1 : 0;
}

static struct value look(struct fixture *f, tr_pid pid)
{
    struct value v = {0};
    assert_int_equal(tr_ask(f->root, pid, TR_INTO(value, &v), 1000, ask_value), TR_OK);
    return v;
}

static void pass_ms(struct fixture *f, unsigned ms)
{
    now_ns += ms * 1000000ull;
    tr_system_run(f->sys);
}

/* ---- Tests --------------------------------------------------------------- */

static void messages_arrive_in_order_and_answers_come_back(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor, .name = "a");
    assert_int_equal(tr_pid_err(a), TR_OK);
    for (int i = 1; i <= 100; i++)
        tr_send(f->root, a, note, .value = i);
    assert_true(look(f, a).sum == 5050);
    assert_true(tr_pid_equal(tr_lookup(f->root, "a"), a));
    struct tr_accounts acc;
    assert_int_equal(tr_actor_accounts(f->root, a, &acc), TR_OK);
    assert_true(tr_accounts_balance(&acc));
    assert_true(acc.accepted == 101 && acc.processed == 101);
}

static void a_taken_name_is_an_error_and_free_again_at_the_end(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor, .name = "a");
    assert_int_equal(tr_pid_err(tr_spawn(f->root, &probe_actor, .name = "a")), TR_EEXIST);
    tr_stop(f->root, a);
    tr_system_run(f->sys);
    assert_true(tr_pid_is_nobody(tr_lookup(f->root, "a")));
    assert_int_equal(tr_pid_err(tr_spawn(f->root, &probe_actor, .name = "a")), TR_OK);
    assert_int_equal(tr_pid_err(tr_spawn(f->root, &probe_actor, .name = "")), TR_EINVAL);
}

static void a_failing_actor_restarts_with_its_pid_and_mailbox(void **state)
{
    static const struct tr_supervision twice_a_second = {.restarts_max = 2, .within_ms = 1000};
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor, .supervise = &twice_a_second);
    tr_send(f->root, a, note, .value = 5);
    tr_send(f->root, a, note, .value = -1);
    tr_send(f->root, a, note, .value = 7);
    struct value v = look(f, a);
    assert_true(v.sum == 7 && v.inits == 2);
    tr_send(f->root, a, note, .value = -1);
    tr_send(f->root, a, note, .value = -1);
    tr_system_run(f->sys);
    assert_false(tr_alive(f->root, a)); /* The third failure is over the budget. */
    assert_int_equal(tr_ask(f->root, a, TR_INTO(value, &v), 1000, ask_value), TR_ENOACTOR);
}

static void backoff_delays_the_restart(void **state)
{
    static const struct tr_supervision slowly = {
        .restarts_max = 9, .within_ms = 60000, .backoff_ms_min = 100};
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor, .supervise = &slowly);
    tr_send(f->root, a, note, .value = -1);
    tr_send(f->root, a, note, .value = 3);
    tr_system_run(f->sys);
    pass_ms(f, 99);
    assert_int_equal(inits, 1);
    pass_ms(f, 2);
    assert_int_equal(inits, 2);
    assert_true(look(f, a).sum == 3);
}

static void watchers_are_told_once_and_also_when_too_late(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor);
    tr_pid w = tr_spawn(f->root, &probe_actor);
    tr_send(f->root, w, watch_it, .who = a);
    tr_send(f->root, w, watch_it, .who = a);
    tr_system_run(f->sys);
    tr_stop(f->root, a);
    tr_system_run(f->sys);
    struct value v = look(f, w);
    assert_true(v.sum == 1 && tr_pid_equal(v.down, a) && v.reason == TR_OK);
    tr_send(f->root, w, watch_it, .who = a);
    v = look(f, w);
    tr_system_run(f->sys);
    v = look(f, w);
    assert_true(v.sum == 2 && v.reason == TR_ENOACTOR);
}

static void poison_waits_for_the_mailbox_and_stop_does_not(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor);
    tr_pid b = tr_spawn(f->root, &probe_actor);
    for (int i = 0; i < 3; i++) {
        tr_send(f->root, a, note, .value = 1);
        tr_send(f->root, b, note, .value = 1);
    }
    tr_poison(f->root, a);
    tr_stop(f->root, b);
    tr_system_run(f->sys);
    struct tr_accounts acc;
    tr_system_accounts(f->sys, &acc);
    assert_true(acc.dead[TR_DEAD_STOPPED] == 3); /* b's */
    assert_true(acc.processed == 4);             /* a's and the poison */
    assert_int_equal(stops, 1);                  /* b never started */
}

static void timers_fire_on_time_repeat_and_cancel(void **state)
{
    struct fixture *f = *state;
    tr_pid once = tr_spawn(f->root, &probe_actor);
    tr_pid often = tr_spawn(f->root, &probe_actor);
    tr_send(f->root, once, later, .delay_ms = 50);
    tr_send(f->root, often, later, .delay_ms = 10, .repeat = true);
    tr_system_run(f->sys);
    for (int i = 0; i < 49; i++)
        pass_ms(f, 1);
    assert_true(look(f, once).sum == 0);
    assert_true(look(f, often).sum == 4);
    pass_ms(f, 1);
    assert_true(look(f, once).sum == 1);
    assert_true(look(f, often).sum == 5);
    tr_send(f->root, often, later, .cancel = true);
    tr_system_run(f->sys);
    pass_ms(f, 100);
    assert_true(look(f, often).sum == 5);
}

static void requests_are_answered_time_out_or_fail(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor);
    tr_pid b = tr_spawn(f->root, &probe_actor);
    tr_send(f->root, b, note, .value = 11);
    tr_send(f->root, a, ask_other, .who = b, .timeout_ms = 100);
    assert_true(look(f, a).sum == 0);
    tr_system_run(f->sys);
    assert_true(look(f, a).sum == 11);
    tr_stop(f->root, b);
    tr_system_run(f->sys);
    tr_send(f->root, a, ask_other, .who = b, .timeout_ms = 100);
    tr_system_run(f->sys);
    assert_int_equal(look(f, a).reason, TR_ENOACTOR);
}

static void offloaded_work_answers_or_fails(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor);
    tr_send(f->root, a, double_it, .value = 21);
    tr_system_run(f->sys);
    assert_true(look(f, a).sum == 42);
    tr_send(f->root, a, double_it, .value = -1);
    tr_system_run(f->sys);
    assert_int_equal(look(f, a).reason, TR_EUSER);
}

static void children_end_with_their_parent(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor);
    tr_send(f->root, a, spawn_child);
    tr_send(f->root, a, spawn_child);
    tr_pid child = look(f, a).down;
    assert_true(tr_alive(f->root, child));
    tr_stop(f->root, a);
    tr_system_run(f->sys);
    assert_false(tr_alive(f->root, child));
    assert_int_equal(stops, 3);
}

static void what_nobody_handles_is_a_dead_letter(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor);
    const tr_pid all[] = {a, a, TR_NOBODY};
    tr_broadcast(f->root, all, 3, note, .value = 4);
    assert_true(look(f, a).sum == 8);
    struct tr_accounts acc;
    tr_system_accounts(f->sys, &acc);
    assert_true(acc.dead[TR_DEAD_NO_ACTOR] == 1);
    assert_int_equal(tr_try_send(f->root, TR_NOBODY, note, .value = 1), TR_ENOACTOR);
    struct value v;
    assert_int_equal(tr_ask(f->root, a, TR_INTO(value, &v), 20000, tr_actor_failed), TR_EUNHANDLED);
}

static void a_bounded_mailbox_refuses(void **state)
{
    struct fixture *f = *state;
    tr_pid a = tr_spawn(f->root, &probe_actor, .mailbox_max = 2);
    assert_int_equal(tr_try_send(f->root, a, note, .value = 1), TR_OK);
    assert_int_equal(tr_try_send(f->root, a, note, .value = 1), TR_OK);
    assert_int_equal(tr_try_send(f->root, a, note, .value = 1), TR_EFULL);
    tr_send(f->root, a, note, .value = 1);
    tr_system_run(f->sys);
    assert_int_equal(tr_try_send(f->root, a, note, .value = 1), TR_OK);
    tr_system_run(f->sys);
    struct tr_accounts acc;
    tr_system_accounts(f->sys, &acc);
    assert_true(acc.dead[TR_DEAD_REFUSED] == 1);
    assert_true(look(f, a).sum == 3);
}

struct mute {
    char none;
};
static tr_err on_ask_mute(tr_ctx *ctx, struct mute *self, const struct ask_value *msg)
{
    (void)ctx;
    (void)self;
    (void)msg;
    return TR_OK;
}
#define MUTE_HANDLERS(ON) ON(ask_value, on_ask_mute)
TR_DISPATCH(mute, MUTE_HANDLERS);
static const struct tr_actor mute_actor = {
    .name = "mute", .state_size = sizeof(struct mute), .receive = mute_receive};

/* Nobody can move this test's clock while it waits: it must not wait for ever. */
static void asking_ends_although_the_clock_stands_still(void **state)
{
    struct fixture *f = *state;
    struct value v;
    tr_pid mute = tr_spawn(f->root, &mute_actor);
    assert_int_equal(tr_ask(f->root, mute, TR_INTO(value, &v), 60000, ask_value), TR_ETIMEDOUT);
    tr_pid a = tr_spawn(f->root, &probe_actor);
    assert_true(look(f, a).sum == 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_arrive_in_order_and_answers_come_back),
        TEST(a_taken_name_is_an_error_and_free_again_at_the_end),
        TEST(a_failing_actor_restarts_with_its_pid_and_mailbox),
        TEST(backoff_delays_the_restart),
        TEST(watchers_are_told_once_and_also_when_too_late),
        TEST(poison_waits_for_the_mailbox_and_stop_does_not),
        TEST(timers_fire_on_time_repeat_and_cancel),
        TEST(requests_are_answered_time_out_or_fail),
        TEST(offloaded_work_answers_or_fails),
        TEST(children_end_with_their_parent),
        TEST(what_nobody_handles_is_a_dead_letter),
        TEST(a_bounded_mailbox_refuses),
        TEST(asking_ends_although_the_clock_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
