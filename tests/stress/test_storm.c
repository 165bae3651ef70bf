/*
 * Everything at once on several workers: chains of messages, floods, actors that spawn, fail and
 * end, watchers, timers, requests, and outside threads that ask. Right if the sums are right
 * and the accounts balance; run under the thread sanitizer, also if no access races.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/thread.h"
#include "troupe/troupe.h"

#define OUTSIDERS 3
#define ASKS 300
#define PARENTS 8
#define CHILDREN 200
#define FLOOD 3000

struct token {
    uint32_t left;
};
struct go {
    tr_pid to;
    uint32_t count;
};
struct add {
    uint32_t n;
};
struct get_sum {
    char none;
};
struct sum {
    uint64_t n;
};
struct child_go {
    bool fail;
};
TR_TYPE(token);
TR_TYPE(go);
TR_TYPE(add);
TR_TYPE(get_sum);
TR_TYPE(sum);
TR_TYPE(child_go);

/* ---- A sink that counts -------------------------------------------------- */

struct sink {
    uint64_t n;
};

static tr_err on_add(tr_ctx *ctx, struct sink *self, const struct add *msg)
{
    (void)ctx;
    self->n += msg->n;
    return TR_OK;
}

static tr_err on_get_sum(tr_ctx *ctx, struct sink *self, const struct get_sum *msg)
{
    (void)msg;
    tr_reply(ctx, sum, .n = self->n);
    return TR_OK;
}

#define SINK_HANDLERS(ON) ON(add, on_add) ON(get_sum, on_get_sum)
TR_DISPATCH(sink, SINK_HANDLERS);
static const struct tr_actor sink_actor = {
    .name = "sink", .state_size = sizeof(struct sink), .receive = sink_receive};

/* ---- Players pass a token, flood a sink, and ask it ----------------------- */

struct player {
    uint64_t answers;
};

static tr_err on_token(tr_ctx *ctx, struct player *self, const struct token *msg)
{
    (void)self;
    if (msg->left)
        tr_send(ctx, tr_sender(ctx), token, .left = msg->left - 1);
    return TR_OK;
}

static tr_err on_go(tr_ctx *ctx, struct player *self, const struct go *msg)
{
    (void)self;
    for (uint32_t i = 0; i < msg->count; i++)
        tr_send(ctx, msg->to, add, .n = 1);
    (void)tr_request(ctx, msg->to, 10000, get_sum);
    return TR_OK;
}

static tr_err on_sum(tr_ctx *ctx, struct player *self, const struct sum *msg)
{
    (void)ctx;
    (void)msg;
    self->answers++;
    return TR_OK;
}

static tr_err on_no_sum(tr_ctx *ctx, struct player *self, const struct tr_request_failed *msg)
{
    (void)ctx;
    (void)self;
    return msg->reason;
}

static tr_err on_start_chain(tr_ctx *ctx, struct player *self, const struct child_go *msg)
{
    (void)self;
    (void)msg;
    tr_pid other = tr_lookup(ctx, "partner");
    tr_send(ctx, other, token, .left = 20000);
    return TR_OK;
}

#define PLAYER_HANDLERS(ON)          \
    ON(token, on_token)              \
    ON(go, on_go)                    \
    ON(sum, on_sum)                  \
    ON(tr_request_failed, on_no_sum) \
    ON(child_go, on_start_chain)
TR_DISPATCH(player, PLAYER_HANDLERS);
static const struct tr_actor player_actor = {
    .name = "player", .state_size = sizeof(struct player), .receive = player_receive};

/* ---- Parents with children that fail or end ------------------------------- */

struct child {
    bool again;
};

static tr_err on_child_go(tr_ctx *ctx, struct child *self, const struct child_go *msg)
{
    (void)self;
    if (msg->fail)
        return tr_fail(ctx, TR_EUSER, "as told");
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

#define CHILD_HANDLERS(ON) ON(child_go, on_child_go)
TR_DISPATCH(child, CHILD_HANDLERS);
static const struct tr_actor child_actor = {
    .name = "child", .state_size = sizeof(struct child), .receive = child_receive};
static const struct tr_supervision end_it = {.on_failure = TR_STOP};

struct parent {
    tr_pid sink;
    uint32_t downs;
};

static tr_err on_spawn_all(tr_ctx *ctx, struct parent *self, const struct go *msg)
{
    self->sink = msg->to;
    for (uint32_t i = 0; i < msg->count; i++) {
        tr_pid c = tr_spawn(ctx, &child_actor, .supervise = &end_it);
        if (tr_pid_err(c))
            return tr_pid_err(c);
        tr_watch(ctx, c);
        if (i % 3 == 0)
            tr_stop(ctx, c);
        else
            tr_send(ctx, c, child_go, .fail = i % 3 == 1);
    }
    (void)tr_after(ctx, 1, add, .n = 0);
    return TR_OK;
}

static tr_err on_down(tr_ctx *ctx, struct parent *self, const struct tr_down *msg)
{
    (void)msg;
    self->downs++;
    tr_send(ctx, self->sink, add, .n = 1);
    return TR_OK;
}

static tr_err on_tick(tr_ctx *ctx, struct parent *self, const struct add *msg)
{
    (void)msg;
    tr_send(ctx, self->sink, add, .n = 1);
    return TR_OK;
}

#define PARENT_HANDLERS(ON) ON(go, on_spawn_all) ON(tr_down, on_down) ON(add, on_tick)
TR_DISPATCH(parent, PARENT_HANDLERS);
static const struct tr_actor parent_actor = {
    .name = "parent", .state_size = sizeof(struct parent), .receive = parent_receive};

/* ---- Outside threads ------------------------------------------------------ */

struct outsider {
    tr_system *sys;
    tr_pid sink;
    unsigned answered;
};

static void ask_often(void *arg)
{
    struct outsider *self = arg;
    tr_ctx *ctx = tr_attach(self->sys);
    for (int i = 0; i < ASKS; i++) {
        struct sum s;
        tr_send(ctx, self->sink, add, .n = 1);
        self->answered += tr_ask(ctx, self->sink, TR_INTO(sum, &s), 20000, get_sum) == TR_OK;
    }
    tr_detach(ctx);
}

/* ---- The storm ------------------------------------------------------------ */

static void storm(unsigned workers)
{
    tr_system *sys;
    const struct tr_config config = {.workers = workers, .log = tr_log_none};
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    tr_ctx *root = tr_root(sys);
    tr_pid sink = tr_spawn(root, &sink_actor);
    tr_pid players[4];
    for (int i = 0; i < 4; i++)
        players[i] = tr_spawn(root, &player_actor, .name = i == 0 ? "partner" : NULL);
    for (int i = 1; i < 4; i++) {
        tr_send(root, players[i], child_go);
        tr_send(root, players[i], go, .to = sink, .count = FLOOD);
    }
    for (int i = 0; i < PARENTS; i++) {
        tr_pid p = tr_spawn(root, &parent_actor);
        tr_send(root, p, go, .to = sink, .count = CHILDREN);
    }
    struct outsider outsiders[OUTSIDERS];
    struct tri_thread threads[OUTSIDERS];
    for (int i = 0; i < OUTSIDERS; i++) {
        outsiders[i] = (struct outsider){.sys = sys, .sink = sink};
        assert_true(tri_thread_create(&threads[i], "outsider", ask_often, &outsiders[i]));
    }
    for (int i = 0; i < OUTSIDERS; i++) {
        tri_thread_join(&threads[i]);
        assert_int_equal(outsiders[i].answered, ASKS);
    }
    /* The timers' messages too: ask until all of it has arrived. */
    const uint64_t want = 3ull * FLOOD + (uint64_t)PARENTS * (CHILDREN + 1) +
                          (uint64_t)OUTSIDERS * ASKS;
    struct sum s = {0};
    for (int i = 0; i < 100000 && s.n < want; i++)
        assert_int_equal(tr_ask(root, sink, TR_INTO(sum, &s), 20000, get_sum), TR_OK);
    assert_true(s.n == want);

    assert_int_equal(tr_system_stop(sys, 20000), TR_OK);
    struct tr_accounts accounts;
    struct tr_stats stats;
    tr_system_accounts(sys, &accounts);
    tr_system_stats(sys, &stats);
    assert_true(tr_accounts_balance(&accounts));
    assert_true(accounts.queued == 0);
    assert_true(stats.actors == 0);
    tr_system_destroy(sys);
}

static void one_worker(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        storm(1);
}

static void several_workers(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        storm(2);
        storm(4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_worker),
        cmocka_unit_test(several_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
