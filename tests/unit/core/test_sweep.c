/*
 * Every set-up path with its 1st, 2nd, … nth allocation failing: no crash, no leak (under the
 * address sanitizer), the right error, and afterwards everything works.
 */
#include "sweep.h"

struct note {
    uint32_t n;
};
struct big {
    char bytes[500];
};
struct act {
    int what;
    tr_pid to;
};
TR_TYPE(note);
TR_TYPE(big);
TR_TYPE(act);

enum { WATCH, AFTER, REQUEST, SUBSCRIBE, OFFLOAD, IDLE, SPAWN, FAIL, STOP };

/* What the actor saw since it was told to act. */
static struct {
    uint32_t notes, downs, failed, idles, deads;
    tr_err reason, result, down;
} seen;

static tr_err work(const void *arg, void *result)
{
    ((struct note *)result)->n = ((const struct note *)arg)->n + 1;
    return TR_OK;
}

static const struct tr_actor plain_actor;

static tr_err act(tr_ctx *ctx, const struct act *msg)
{
    switch (msg->what) {
    case WATCH:
        tr_watch(ctx, msg->to);
        break;
    case AFTER:
        (void)tr_after(ctx, 5, note, .n = 1);
        break;
    case REQUEST:
        (void)tr_request(ctx, msg->to, 50, note, .n = 2);
        break;
    case SUBSCRIBE:
        seen.result = tr_subscribe(ctx, tr_dead_letter);
        break;
    case OFFLOAD:
        (void)tr_offload(ctx, work, note, note, .n = 3);
        break;
    case IDLE:
        seen.result = tr_receive_timeout(ctx, 5);
        break;
    case SPAWN:
        seen.result = tr_pid_err(tr_spawn(ctx, &plain_actor, .name = "child"));
        break;
    case FAIL:
        return tr_fail(ctx, TR_EUSER, "as told");
    default:
        tr_stop(ctx, tr_self(ctx));
    }
    return TR_OK;
}

static tr_err receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    if (tr_as(msg, act))
        return act(ctx, tr_as(msg, act));
    if (tr_as(msg, note)) {
        seen.notes++;
        if (tr_caller_of(ctx).call)
            tr_reply(ctx, note, .n = 9);
    } else if (tr_as(msg, tr_down)) {
        seen.downs++;
        seen.down = tr_as(msg, tr_down)->reason;
    } else if (tr_as(msg, tr_request_failed)) {
        seen.failed++;
        seen.reason = tr_as(msg, tr_request_failed)->reason;
    } else if (tr_as(msg, tr_idle)) {
        seen.idles++;
        return tr_receive_timeout(ctx, 0);
    } else if (tr_as(msg, tr_dead_letter)) {
        seen.deads++;
    }
    return TR_OK;
}

static const struct tr_actor plain_actor = {.name = "plain", .state_size = 16, .receive = receive};
static const struct tr_actor arg_actor = {
    .name = "arg", .state_size = 3000, .arg_size = sizeof(struct big), .receive = receive};
static const struct tr_actor huge_actor = {
    .name = "huge", .state_size = 200000, .receive = receive};

static void sweep_forget(void)
{
    memset(&seen, 0, sizeof seen);
}

/* ---- Spawning ----------------------------------------------------------------- */

static tr_err end_it(tr_pid pid)
{
    tr_err err = tr_pid_err(pid);
    tr_system_run(sys);
    if (!err)
        tr_stop(root, pid);
    tr_system_run(sys);
    return err;
}
static tr_err spawn_plain(void)
{
    return end_it(tr_spawn(root, &plain_actor));
}
static tr_err spawn_named(void)
{
    tr_err err = end_it(tr_spawn(root, &plain_actor, .name = "somebody"));
    assert_true(tr_pid_is_nobody(tr_lookup(root, "somebody")));
    return err;
}
static tr_err spawn_with_arg(void)
{
    static const struct big arg;
    return end_it(tr_spawn(root, &arg_actor, .arg = &arg));
}
static tr_err spawn_bounded(void)
{
    return end_it(tr_spawn(root, &plain_actor, .mailbox_max = 2));
}
static tr_err spawn_huge(void)
{
    return end_it(tr_spawn(root, &huge_actor));
}
/* More than a chunk of the table. */
static tr_err spawn_many(void)
{
    static tr_pid pids[1200];
    tr_err first = TR_OK;
    for (int i = 0; i < 1200; i++) {
        pids[i] = tr_spawn(root, &plain_actor);
        first = first ? first : tr_pid_err(pids[i]);
    }
    tr_system_run(sys);
    for (int i = 0; i < 1200; i++) {
        if (!tr_pid_err(pids[i]))
            tr_stop(root, pids[i]);
    }
    tr_system_run(sys);
    return first == TR_EFULL ? TR_ENOMEM : first; /* The table could not grow. */
}

static void spawning(void **state)
{
    (void)state;
    sweep("spawn", spawn_plain, TR_ENOMEM);
    sweep("spawn with a name", spawn_named, TR_ENOMEM);
    sweep("spawn with an argument", spawn_with_arg, TR_ENOMEM);
    sweep("spawn with a bound", spawn_bounded, TR_ENOMEM);
    sweep("spawn with a state of 200,000 bytes", spawn_huge, TR_ENOMEM);
    sweep("spawn 1,200", spawn_many, TR_ENOMEM);
}

/* ---- What actors set up ---------------------------------------------------------- */

/* Two actors; the first acts, in the second's view. */
static tr_pid first, second;

static bool spawn_two(void)
{
    first = tr_spawn(root, &plain_actor);
    second = tr_spawn(root, &plain_actor);
    tr_system_run(sys);
    return !tr_pid_is_nobody(first) && !tr_pid_is_nobody(second);
}

static tr_err stop_two(tr_err err)
{
    if (!tr_pid_is_nobody(first))
        tr_stop(root, first);
    if (!tr_pid_is_nobody(second))
        tr_stop(root, second);
    tr_system_run(sys);
    return err;
}

static tr_err told(int what)
{
    if (!spawn_two() || tr_try_send(root, first, act, .what = what, .to = second))
        return stop_two(TR_ENOMEM);
    tr_system_run(sys);
    return TR_OK;
}

static tr_err watch_path(void)
{
    if (told(WATCH))
        return TR_ENOMEM;
    tr_stop(root, second);
    tr_system_run(sys);
    assert_int_equal(seen.downs, 1); /* Exactly one, whatever happens. */
    return stop_two(seen.down);
}
static tr_err timer_path(void)
{
    if (told(AFTER))
        return TR_ENOMEM;
    pass_ms(10);
    return stop_two(seen.notes == 1 ? TR_OK : TR_ENOMEM);
}
/* One answer or one failure, always. */
static tr_err request_path(void)
{
    if (told(REQUEST))
        return TR_ENOMEM;
    pass_ms(60);
    assert_true(seen.notes == 2 || seen.failed == 1);
    return stop_two(seen.notes == 2 ? TR_OK : TR_ENOMEM);
}
static tr_err subscribe_path(void)
{
    if (told(SUBSCRIBE))
        return TR_ENOMEM;
    tr_send(root, TR_NOBODY, note, .n = 1);
    tr_system_run(sys);
    return stop_two(seen.result ? seen.result : seen.deads ? TR_OK : TR_ENOMEM);
}
static tr_err offload_path(void)
{
    if (told(OFFLOAD))
        return TR_ENOMEM;
    assert_true(seen.notes + seen.failed == 1);
    return stop_two(seen.failed ? TR_ENOMEM : TR_OK);
}
static tr_err idle_path(void)
{
    if (told(IDLE))
        return TR_ENOMEM;
    pass_ms(10);
    assert_int_equal(seen.idles, seen.result ? 0 : 1);
    return stop_two(seen.result);
}
static tr_err child_path(void)
{
    if (told(SPAWN))
        return TR_ENOMEM;
    return stop_two(seen.result == TR_EFULL ? TR_ENOMEM : seen.result);
}
/* A failing actor restarts, or ends when there is no memory to remember why. */
static tr_err failure_path(void)
{
    if (told(FAIL))
        return TR_ENOMEM;
    bool alive = tr_alive(root, first);
    return stop_two(alive ? TR_OK : TR_ENOMEM);
}

static void what_actors_set_up(void **state)
{
    (void)state;
    sweep("watch", watch_path, TR_ENOMEM);
    sweep("timer", timer_path, TR_ENOMEM);
    sweep("request", request_path, TR_ENOMEM);
    sweep("subscribe", subscribe_path, TR_ENOMEM);
    sweep("offload", offload_path, TR_ENOMEM);
    sweep("receive timeout", idle_path, TR_ENOMEM);
    sweep("named child", child_path, TR_ENOMEM);
    sweep("failure", failure_path, TR_ENOMEM);
}

/* ---- From outside ---------------------------------------------------------------- */

static tr_err attach_path(void)
{
    tr_ctx *ctx = tr_attach(sys);
    if (!ctx)
        return TR_ENOMEM;
    tr_send(ctx, TR_NOBODY, note, .n = 1);
    tr_detach(ctx);
    return TR_OK;
}
static tr_err ask_path(void)
{
    struct note answer;
    if (!spawn_two())
        return stop_two(TR_ENOMEM);
    tr_err err = tr_ask(root, first, TR_INTO(note, &answer), 10, note, .n = 1);
    return stop_two(err == TR_EFULL ? TR_ENOMEM : err);
}
static tr_err message_path(void)
{
    void *body = tr_msg_new(root, &big_type, 100000);
    if (!body)
        return TR_ENOMEM;
    tr_send_take(root, TR_NOBODY, body);
    return TR_OK;
}
static tr_err broadcast_path(void)
{
    if (!spawn_two())
        return stop_two(TR_ENOMEM);
    const tr_pid both[] = {first, second};
    seen.notes = 0;
    tr_broadcast(root, both, 2, note, .n = 1);
    tr_system_run(sys);
    return stop_two(seen.notes == 2 ? TR_OK : TR_ENOMEM);
}

static void from_outside(void **state)
{
    (void)state;
    sweep("attach", attach_path, TR_ENOMEM);
    sweep("ask", ask_path, TR_ENOMEM);
    sweep("a large message", message_path, TR_ENOMEM);
    sweep("broadcast", broadcast_path, TR_ENOMEM);
}

static void systems(void **state)
{
    (void)state;
    for (unsigned workers = 0; workers <= 2; workers++) {
        const struct tr_config config = {
            .workers = workers, .manual = workers == 0, .log = tr_log_none, .node = "swept"};
        int n = 0;
        bool all = false;
        for (; !all; n++) {
            struct tr_error error = {0};
            sys = NULL;
            tri_alloc_fail_after(n);
            tr_err err = tr_system_create_(&sys, &config, &error);
            all = tri_alloc_fail_pending();
            tri_alloc_fail_after(-1);
            if (err) {
                assert_int_equal(err, TR_ENOMEM);
                assert_int_equal(error.code, TR_ENOMEM);
                assert_true(strlen(error.text) > 0);
                assert_false(all);
            } else {
                tr_system_run(sys);
                tr_system_destroy(sys);
            }
            assert_true(n < 200);
        }
        printf("  system with %u workers: %d allocations\n", workers, n - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(systems),
        cmocka_unit_test(spawning),
        cmocka_unit_test(what_actors_set_up),
        cmocka_unit_test(from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
