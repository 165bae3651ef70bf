/*
 * More set-up paths with their 1st, 2nd, … nth allocation failing: what ties actors to each other,
 * what they put aside, routers, middleware, delays, growing tables. Nothing is lost silently:
 * either it works, or the error, the message that says so, or the accounts tell.
 */
#include "sweep.h"

struct note {
    uint32_t n;
};
TR_TYPE(note);

struct doer {
    uint32_t marks;
};

/* Run by the actor that gets it, as its handler. */
struct act {
    tr_err (*fn)(tr_ctx *ctx, const tr_msg *msg);
};
TR_TYPE(act);

static struct {
    uint32_t notes, order_broken, last, downs, failed, inits, deads, ticks;
    tr_err result, reason;
} seen;
static tr_pid first, second;

static void sweep_forget(void)
{
    memset(&seen, 0, sizeof seen);
}

static tr_err on_start(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx, (void)state, (void)arg;
    seen.inits++;
    return TR_OK;
}

static tr_err receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    if (tr_as(msg, act))
        return tr_as(msg, act)->fn(ctx, msg);
    if (tr_as(msg, note)) {
        seen.notes++;
        seen.order_broken += tr_as(msg, note)->n < seen.last;
        seen.last = tr_as(msg, note)->n;
    } else if (tr_as(msg, tr_down)) {
        seen.downs++;
    } else if (tr_as(msg, tr_request_failed)) {
        seen.failed++;
        seen.reason = tr_as(msg, tr_request_failed)->reason;
    } else if (tr_as(msg, tr_dead_letter)) {
        seen.deads++;
    }
    return TR_OK;
}

static const struct tr_actor doer_actor = {
    .name = "doer", .state_size = sizeof(struct doer), .init = on_start, .receive = receive};

static void stop(tr_pid pid)
{
    if (!tr_pid_is_nobody(pid))
        tr_stop(root, pid);
    tr_system_run(sys);
}

static tr_err stop_two(tr_err err)
{
    stop(first);
    stop(second);
    return err;
}

/* Two actors, the second with `bound`; the first runs `fn`. */
static tr_err told_with(tr_err (*fn)(tr_ctx *, const tr_msg *), unsigned bound,
                        enum tr_overflow overflow)
{
    first = tr_spawn(root, &doer_actor);
    second = tr_spawn(root, &doer_actor, .mailbox_max = bound, .overflow = overflow);
    tr_system_run(sys);
    seen.inits = 0;
    if (tr_pid_is_nobody(first) || tr_pid_is_nobody(second) ||
        tr_try_send(root, first, act, .fn = fn))
        return TR_ENOMEM;
    tr_system_run(sys);
    return TR_OK;
}
static tr_err told(tr_err (*fn)(tr_ctx *, const tr_msg *))
{
    return told_with(fn, 0, TR_REFUSE);
}

static uint64_t dead_letters(enum tr_dead_reason reason)
{
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    assert_true(tr_accounts_balance(&a));
    return a.dead[reason];
}

/* ---- Ties ----------------------------------------------------------------------- */

static tr_err fail_now(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_fail(ctx, TR_EUSER, "as told");
}
static tr_err link_second(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    seen.result = tr_link(ctx, second);
    return TR_OK;
}
/* A link that holds on one side only would be worse than none: both hear of it. */
static tr_err link_path(void)
{
    if (told(link_second))
        return stop_two(TR_ENOMEM);
    bool failed_at_once = seen.inits > 0;
    seen.inits = 0;
    if (tr_try_send(root, second, act, .fn = fail_now))
        return stop_two(TR_ENOMEM);
    tr_system_run(sys);
    if (seen.result)
        return stop_two(seen.result);
    /* Both restarted, or the link failed and so did who asked for it. A failure that nobody had
     * the memory to write down is an end. */
    bool ended = !tr_alive(root, first) || !tr_alive(root, second);
    assert_true(seen.inits == 2 || failed_at_once || ended);
    return stop_two(seen.inits == 2 ? TR_OK : TR_ENOMEM);
}

static tr_err ask_second(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    (void)tr_request(ctx, second, 60000, note, .n = 1);
    return TR_OK;
}
/* Without memory to look after its target the call still ends, by its timeout. */
static tr_err probe_path(void)
{
    if (told(ask_second))
        return stop_two(TR_ENOMEM);
    pass_ms(40);
    stop(second);
    pass_ms(5);
    bool early = seen.failed == 1;
    now_ns += 60000000000ull;
    pass_ms(5);
    assert_int_equal(seen.failed, 1);
    assert_true(!early || seen.reason == TR_ENOACTOR || seen.reason == TR_EFULL);
    return stop_two(early && seen.reason == TR_ENOACTOR ? TR_OK : TR_ENOMEM);
}

static tr_err listen(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    seen.result = tr_subscribe(ctx, note);
    return TR_OK;
}
static tr_err publish_path(void)
{
    if (told(listen))
        return stop_two(TR_ENOMEM);
    uint64_t before = dead_letters(TR_DEAD_MEMORY);
    tr_publish(root, note, .n = 1);
    tr_system_run(sys);
    if (!seen.result)
        assert_int_equal(seen.notes + dead_letters(TR_DEAD_MEMORY) - before, 1);
    return stop_two(seen.notes ? TR_OK : TR_ENOMEM);
}

static const struct tr_supervision all_for_one = {
    .restarts_max = 60, .within_ms = 1000, .strategy = TR_ALL_FOR_ONE};
static tr_pid children[3];
static tr_err spawn_three(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (int i = 0; i < 3; i++) {
        children[i] = tr_spawn(ctx, &doer_actor, .supervise = &all_for_one);
        seen.result = seen.result ? seen.result : tr_pid_err(children[i]);
    }
    return TR_OK;
}
/* A sibling that has no memory to be restarted with ends, and so does who fails without any. */
static tr_err siblings_path(void)
{
    if (told(spawn_three))
        return stop_two(TR_ENOMEM);
    seen.inits = 0;
    if (seen.result || tr_try_send(root, children[1], act, .fn = fail_now))
        return stop_two(TR_ENOMEM);
    tr_system_run(sys);
    uint32_t alive = 0;
    for (int i = 0; i < 3; i++)
        alive += tr_alive(root, children[i]);
    assert_true(seen.inits == alive || seen.inits == 0);
    return stop_two(seen.inits == 3 ? TR_OK : TR_ENOMEM);
}

static void ties(void **state)
{
    (void)state;
    sweep("link", link_path, TR_ENOMEM);
    sweep("probe", probe_path, TR_ENOMEM);
    sweep("publish", publish_path, TR_ENOMEM);
    sweep("siblings", siblings_path, TR_ENOMEM);
}

/* ---- Messages kept and passed on ---------------------------------------------------- */

static bool take_up;
static tr_err stash_or_take(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    if (take_up)
        seen.notes++;
    else
        seen.result = tr_stash(ctx);
    return TR_OK;
}
static tr_err unstash(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    take_up = true;
    assert_int_equal(tr_unstash(ctx, SIZE_MAX), seen.result ? 0 : 1);
    return TR_OK;
}
static tr_err stash_path(void)
{
    struct tr_accounts a;
    take_up = false;
    if (told(stash_or_take))
        return stop_two(TR_ENOMEM);
    tr_system_accounts(sys, &a);
    assert_int_equal(a.queued, seen.result ? 0 : 1);
    if (tr_try_send(root, first, act, .fn = unstash))
        return stop_two(TR_ENOMEM);
    tr_system_run(sys);
    tr_system_accounts(sys, &a);
    assert_int_equal(a.queued, 0);
    assert_int_equal(seen.notes, seen.result ? 0 : 1);
    return stop_two(seen.result ? TR_ENOMEM : TR_OK);
}

static tr_err forward_second(tr_ctx *ctx, const tr_msg *msg)
{
    if (tr_pid_equal(tr_self(ctx), second))
        seen.notes++; /* It has arrived. */
    else
        tr_forward(ctx, second, msg);
    return TR_OK;
}
static tr_err forward_path(void)
{
    uint64_t before = dead_letters(TR_DEAD_MEMORY);
    if (told(forward_second))
        return stop_two(TR_ENOMEM);
    assert_int_equal(seen.notes + dead_letters(TR_DEAD_MEMORY) - before, 1);
    return stop_two(seen.notes ? TR_OK : TR_ENOMEM);
}

static tr_err send_four(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (uint32_t i = 1; i <= 4; i++)
        tr_send(ctx, second, note, .n = i);
    return TR_OK;
}
/* Without memory for the edge the sender goes on; its messages are queued all the same. */
static tr_err delay_path(void)
{
    uint64_t before = dead_letters(TR_DEAD_MEMORY);
    if (told_with(send_four, 1, TR_DELAY))
        return stop_two(TR_ENOMEM);
    assert_int_equal(seen.notes + dead_letters(TR_DEAD_MEMORY) - before, 4);
    assert_int_equal(seen.order_broken, 0);
    struct tr_stats s;
    tr_system_stats(sys, &s);
    return stop_two(seen.notes == 4 && s.delays > 0 ? TR_OK : TR_ENOMEM);
}

static void messages(void **state)
{
    (void)state;
    sweep("stash", stash_path, TR_ENOMEM);
    sweep("forward", forward_path, TR_ENOMEM);
    sweep("delay", delay_path, TR_ENOMEM);
}

/* ---- Tables that grow ----------------------------------------------------------------- */

#define MANY 40u

static tr_err many_timers(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (uint32_t i = 0; i < MANY; i++)
        seen.ticks += tr_after(ctx, 1 + i % 7, note, .n = 0).bits != 0;
    return TR_OK;
}
static tr_err timers_path(void)
{
    uint64_t before = dead_letters(TR_DEAD_MEMORY);
    if (told(many_timers))
        return stop_two(TR_ENOMEM);
    pass_ms(10);
    assert_int_equal(seen.notes, seen.ticks);
    assert_int_equal(seen.notes + dead_letters(TR_DEAD_MEMORY) - before, MANY);
    return stop_two(seen.notes == MANY ? TR_OK : TR_ENOMEM);
}

static tr_err tick(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    (void)tr_every(ctx, 1, note, .n = 0);
    return TR_OK;
}
static tr_err every_path(void)
{
    uint64_t before = dead_letters(TR_DEAD_MEMORY);
    if (told(tick))
        return stop_two(TR_ENOMEM);
    pass_ms(20);
    assert_true(seen.notes >= 19 || dead_letters(TR_DEAD_MEMORY) > before);
    return stop_two(seen.notes >= 19 ? TR_OK : TR_ENOMEM);
}

/* One failure for each that is not sent, one for each that nobody answers. */
static tr_err many_calls(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (uint32_t i = 0; i < MANY; i++)
        (void)tr_request(ctx, second, 10, note, .n = 0);
    return TR_OK;
}
static tr_err calls_path(void)
{
    if (told(many_calls))
        return stop_two(TR_ENOMEM);
    pass_ms(15);
    assert_int_equal(seen.failed, MANY);
    return stop_two(seen.notes == MANY ? TR_OK : TR_ENOMEM);
}

static tr_err names_path(void)
{
    static tr_pid pids[90];
    tr_err err = TR_OK;
    char name[16];
    for (int i = 0; i < 90; i++) {
        snprintf(name, sizeof name, "doer-%d", i);
        pids[i] = tr_spawn(root, &doer_actor, .name = name);
        tr_err e = tr_pid_err(pids[i]);
        err = err ? err : e;
        assert_int_equal(tr_lookup(root, name).bits, e ? 0 : pids[i].bits);
    }
    for (int i = 0; i < 90; i++)
        stop(pids[i]);
    for (int i = 0; i < 90; i++) {
        snprintf(name, sizeof name, "doer-%d", i);
        assert_true(tr_pid_is_nobody(tr_lookup(root, name)));
    }
    return err == TR_EFULL ? TR_ENOMEM : err;
}

static void tables(void **state)
{
    (void)state;
    sweep("40 timers", timers_path, TR_ENOMEM);
    sweep("a repeating timer", every_path, TR_ENOMEM);
    sweep("40 requests", calls_path, TR_ENOMEM);
    sweep("90 names", names_path, TR_ENOMEM);
}

/* ---- Kinds of actors -------------------------------------------------------------------- */

static tr_err pass_on(void *user, tr_ctx *ctx, const tr_msg *msg, const struct tr_next *next)
{
    (void)user;
    seen.ticks += tr_as(msg, note) != NULL;
    return tr_next_receive(next, ctx, msg);
}
static const struct tr_middleware counting = {.name = "counting", .receive = pass_on};
static const struct tr_middleware *const chain[] = {&counting, NULL};

/* Sends a note to a new actor, which ends; how many notes were handled. */
static tr_err note_to(tr_pid pid)
{
    if (tr_pid_is_nobody(pid))
        return tr_pid_err(pid) == TR_EFULL ? TR_ENOMEM : tr_pid_err(pid);
    tr_system_run(sys);
    uint64_t before = dead_letters(TR_DEAD_MEMORY);
    tr_send(root, pid, note, .n = 1);
    tr_system_run(sys);
    assert_int_equal(seen.notes + dead_letters(TR_DEAD_MEMORY) - before, 1);
    tr_err err = seen.notes == 1 ? TR_OK : TR_ENOMEM;
    stop(pid);
    return err;
}
static tr_err middleware_path(void)
{
    tr_err err = note_to(tr_spawn(root, &doer_actor, .middleware = chain));
    assert_int_equal(seen.ticks, seen.notes);
    return err;
}

/* Takes 40 KiB in pieces, each twice as large; zeroed, and its own. */
static tr_err use_arena(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    char *before = NULL;
    for (size_t size = 100; size < 40000; size *= 2) {
        char *p = tr_alloc(ctx, size);
        seen.result = p ? seen.result : TR_ENOMEM;
        if (!p)
            continue;
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0x77, size);
        assert_true(!before || *before == 0x77);
        before = p;
    }
    return TR_OK;
}
static tr_err arena_path(void)
{
    if (told(use_arena))
        return stop_two(TR_ENOMEM);
    return stop_two(seen.result);
}

static const struct tr_actor contained_actor = {.name = "contained",
                                                .state_size = sizeof(struct doer),
                                                .init = on_start,
                                                .receive = receive,
                                                .flags = TR_ACTOR_CONTAINED};
static tr_err contained_path(void)
{
    return note_to(tr_spawn(root, &contained_actor));
}

/* Without memory for it the actor does what it did. */
static tr_err changed_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    seen.ticks += tr_as(msg, note) != NULL;
    return receive(ctx, state, msg);
}
static const struct tr_behaviour changed = {.name = "changed", .receive = changed_receive};
static tr_err become_changed(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    seen.result = tr_become_stacked(ctx, &changed);
    return TR_OK;
}
static tr_err become_path(void)
{
    if (told(become_changed))
        return stop_two(TR_ENOMEM);
    uint64_t before = dead_letters(TR_DEAD_MEMORY);
    tr_send(root, first, note, .n = 1);
    tr_system_run(sys);
    assert_int_equal(seen.notes + dead_letters(TR_DEAD_MEMORY) - before, 1);
    assert_int_equal(seen.ticks, seen.result ? 0 : seen.notes);
    return stop_two(seen.result ? seen.result : seen.notes ? TR_OK : TR_ENOMEM);
}

/* A pool whose start finds no memory is restarted, and no job is lost meanwhile. */
static tr_err pool_path(void)
{
    return note_to(tr_spawn(root, &doer_actor, .pool = 12));
}
/* A pool that cannot grow fails, is restarted with the size it began with, and works. */
static tr_err resize_path(void)
{
    tr_pid pool = tr_spawn(root, &doer_actor, .pool = 2);
    if (tr_pid_is_nobody(pool))
        return tr_pid_err(pool) == TR_EFULL ? TR_ENOMEM : tr_pid_err(pool);
    tr_system_run(sys);
    tr_err err = tr_pool_resize(root, pool, 20);
    tr_system_run(sys);
    tr_err noted = note_to(pool);
    return err ? err : noted;
}
static uint64_t key_of(const tr_msg *msg)
{
    return (uintptr_t)msg->type;
}
static tr_err group_path(void)
{
    first = tr_spawn(root, &doer_actor);
    second = tr_spawn(root, &doer_actor);
    tr_system_run(sys);
    if (tr_pid_is_nobody(first) || tr_pid_is_nobody(second))
        return stop_two(TR_ENOMEM);
    tr_pid group = tr_spawn_group(root, &first, 1, .route = TR_ROUTE_HASH, .route_key = key_of);
    if (!tr_pid_is_nobody(group))
        assert_int_equal(tr_group_add(root, group, second), TR_OK);
    return stop_two(note_to(group));
}

static void kinds(void **state)
{
    (void)state;
    sweep("spawn with middleware", middleware_path, TR_ENOMEM);
    sweep("arena", arena_path, TR_ENOMEM);
    sweep("contained", contained_path, TR_ENOMEM);
    sweep("become", become_path, TR_ENOMEM);
    sweep("pool of 12", pool_path, TR_ENOMEM);
    sweep("pool that grows", resize_path, TR_ENOMEM);
    sweep("group with keys", group_path, TR_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties),
        cmocka_unit_test(messages),
        cmocka_unit_test(tables),
        cmocka_unit_test(kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
