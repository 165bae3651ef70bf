/*
 * Pools, the stash, behaviours, links and failures on several workers at once. Right if every
 * job is done or accounted for and the accounts balance; run under the thread sanitizer, also if
 * no access races.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "troupe/troupe.h"

#define JOBS 20000u
#define PAIRS 64u
#define ROUNDS 200u

struct job {
    uint32_t n;
};
struct start {
    tr_pid to;
};
struct open_up {
    char none;
};
struct trip {
    uint32_t round;
};
TR_TYPE(job);
TR_TYPE(start);
TR_TYPE(open_up);
TR_TYPE(trip);

static TRI_ATOMIC(uint64_t) done;
static TRI_ATOMIC(uint64_t) failed;

/* ---- Workers that fail now and then --------------------------------------- */

struct worker {
    uint32_t count;
};

static tr_err on_job(tr_ctx *ctx, struct worker *self, const struct job *msg)
{
    tri_fetch_add(&done, 1u, TRI_RELAXED); /* Read when the system is at rest. */
    if (++self->count % 1000 == 0)
        return tr_fail(ctx, TR_EUSER, "job %u is the thousandth", msg->n);
    return TR_OK;
}

#define WORKER_HANDLERS(ON) ON(job, on_job)
TR_DISPATCH(worker, WORKER_HANDLERS);
static const struct tr_actor worker_actor = {
    .name = "worker", .state_size = sizeof(struct worker), .receive = worker_receive};

/* ---- Sources, which are stashed until they may start ----------------------- */

struct source {
    tr_pid to;
};

static tr_err on_job_opened(tr_ctx *ctx, struct source *self, const struct job *msg)
{
    tr_send(ctx, self->to, job, .n = msg->n);
    return TR_OK;
}
#define OPENED_HANDLERS(ON) ON(job, on_job_opened)
TR_BEHAVIOUR(opened, source, OPENED_HANDLERS);

static tr_err on_job_closed(tr_ctx *ctx, struct source *self, const struct job *msg)
{
    (void)self;
    (void)msg;
    return tr_stash(ctx);
}

static tr_err on_start(tr_ctx *ctx, struct source *self, const struct start *msg)
{
    (void)ctx;
    self->to = msg->to;
    return TR_OK;
}

static tr_err on_open_up(tr_ctx *ctx, struct source *self, const struct open_up *msg)
{
    (void)self;
    (void)msg;
    (void)tr_unstash(ctx, SIZE_MAX);
    return tr_become(ctx, &opened);
}

#define SOURCE_HANDLERS(ON) ON(job, on_job_closed) ON(start, on_start) ON(open_up, on_open_up)
TR_DISPATCH(source, SOURCE_HANDLERS);
static const struct tr_actor source_actor = {.name = "source",
                                             .state_size = sizeof(struct source),
                                             .receive = source_receive,
                                             .stash_max = JOBS};

static uint64_t by_number(const tr_msg *msg)
{
    const struct job *job = tr_as(msg, job);
    return job ? job->n : 0;
}

static const struct tr_supervision keep_up = {.restarts_max = 63, .within_ms = 1};

/* Jobs through a source and a router, with the router's size changing all the time. */
static void pools_lose_nothing(void **state)
{
    (void)state;
    for (enum tr_route how = TR_ROUTE_ROUND_ROBIN; how <= TR_ROUTE_PULL; how++) {
        tr_system *sys;
        assert_int_equal(
            tr_system_create(&sys, &(struct tr_config){.workers = 4, .log = tr_log_none}), TR_OK);
        tr_ctx *root = tr_root(sys);
        tri_store(&done, 0u, TRI_RELAXED);
        tr_pid pool = tr_spawn(root, &worker_actor, .pool = 4, .route = how, .route_key = by_number,
                               .supervise = &keep_up);
        tr_pid source = tr_spawn(root, &source_actor);
        tr_send(root, source, start, .to = pool);
        for (uint32_t n = 0; n < JOBS; n++) {
            tr_send(root, source, job, .n = n);
            if (n == JOBS / 2)
                tr_send(root, source, open_up);
            if (n % 1000 == 0)
                assert_int_equal(tr_pool_resize(root, pool, 1 + n / 1000 % 7), TR_OK);
        }
        tr_system_run(sys);
        uint64_t sum = tri_load(&done, TRI_RELAXED);
        if (how == TR_ROUTE_BROADCAST)
            assert_true(sum >= JOBS);
        else
            assert_int_equal(sum, JOBS);
        assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
        struct tr_accounts a;
        tr_system_accounts(sys, &a);
        assert_true(tr_accounts_balance(&a));
        assert_int_equal(a.queued, 0);
        tr_system_destroy(sys);
    }
}

/* ---- Linked pairs that fail each other -------------------------------------- */

struct half {
    tr_pid other;
};

static tr_err half_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct half *self = state;
    self->other = *(const tr_pid *)arg;
    return tr_pid_is_nobody(self->other) ? TR_OK : tr_link(ctx, self->other);
}

static tr_err on_trip(tr_ctx *ctx, struct half *self, const struct trip *msg)
{
    (void)self;
    return tr_fail(ctx, TR_EUSER, "round %u", msg->round);
}

static void half_restarting(tr_ctx *ctx, void *state, tr_err why)
{
    (void)ctx;
    (void)state;
    tri_fetch_add(&failed, (uint64_t)(why == TR_ELINK), TRI_RELAXED);
}

#define HALF_HANDLERS(ON) ON(trip, on_trip)
TR_DISPATCH(half, HALF_HANDLERS);
static const struct tr_actor half_actor = {.name = "half",
                                           .state_size = sizeof(struct half),
                                           .arg_size = sizeof(tr_pid),
                                           .init = half_init,
                                           .receive = half_receive,
                                           .restarting = half_restarting};

static void linked_pairs_fail_each_other_and_come_back(void **state)
{
    (void)state;
    static const struct tr_supervision for_ever = {.restarts_max = UINT32_MAX};
    tr_system *sys;
    assert_int_equal(tr_system_create(&sys, &(struct tr_config){.workers = 4, .log = tr_log_none}),
                     TR_OK);
    tr_ctx *root = tr_root(sys);
    tr_pid halves[2 * PAIRS];
    for (uint32_t i = 0; i < PAIRS; i++) {
        tr_pid none = TR_NOBODY;
        halves[2 * i] = tr_spawn(root, &half_actor, .arg = &none, .supervise = &for_ever);
        halves[2 * i + 1] = tr_spawn(root, &half_actor, .arg = &halves[2 * i],
                                     .supervise = &for_ever);
    }
    tr_system_run(sys);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < 2 * PAIRS; i++)
            tr_send(root, halves[i], trip, .round = round);
    }
    tr_system_run(sys);
    for (uint32_t i = 0; i < 2 * PAIRS; i++)
        assert_true(tr_alive(root, halves[i]));
    assert_true(tri_load(&failed, TRI_RELAXED) > 0);
    /* At rest every pair is linked: a last failure reaches the other half, once each. */
    tri_store(&failed, 0u, TRI_RELAXED);
    for (uint32_t i = 0; i < PAIRS; i++)
        tr_send(root, halves[2 * i], trip, .round = ROUNDS);
    tr_system_run(sys);
    assert_int_equal(tri_load(&failed, TRI_RELAXED), PAIRS);
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    assert_true(tr_accounts_balance(&a));
    tr_system_destroy(sys);
}

/* ---- Middleware around all of it ------------------------------------------- */

static TRI_ATOMIC(uint64_t) shown_sends;
static TRI_ATOMIC(uint64_t) shown_receives;

static void count_send(void *user, tr_ctx *ctx, tr_pid to, const tr_msg *msg,
                       const struct tr_next *next)
{
    (void)user;
    tri_fetch_add(&shown_sends, (uint64_t)(msg->type == &job_type), TRI_RELAXED);
    tr_next_send(next, ctx, to);
}

static tr_err count_receive(void *user, tr_ctx *ctx, const tr_msg *msg, const struct tr_next *next)
{
    (void)user;
    tri_fetch_add(&shown_receives, (uint64_t)(msg->type == &job_type), TRI_RELAXED);
    return tr_next_receive(next, ctx, msg);
}

static const struct tr_middleware counting = {.receive = count_receive, .send = count_send};
static const struct tr_middleware *const chain[] = {&counting, NULL};

static void middleware_sees_every_message_on_all_workers(void **state)
{
    (void)state;
    tr_system *sys;
    const struct tr_config config = {.workers = 4, .log = tr_log_none, .middleware = chain};
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    tr_ctx *root = tr_root(sys);
    tri_store(&done, 0u, TRI_RELAXED);
    tr_pid pool = tr_spawn(root, &worker_actor, .pool = 4, .route = TR_ROUTE_LEAST_LOADED,
                           .supervise = &keep_up);
    tr_pid source = tr_spawn(root, &source_actor);
    tr_send(root, source, start, .to = pool);
    tr_send(root, source, open_up);
    for (uint32_t n = 0; n < JOBS; n++)
        tr_send(root, source, job, .n = n);
    tr_system_run(sys);
    assert_int_equal(tri_load(&done, TRI_RELAXED), JOBS);
    /* To the source, the router and the worker. */
    assert_int_equal(tri_load(&shown_sends, TRI_RELAXED), 3 * JOBS);
    assert_int_equal(tri_load(&shown_receives, TRI_RELAXED), 3 * JOBS);
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    assert_true(tr_accounts_balance(&a));
    tr_system_destroy(sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_lose_nothing),
        cmocka_unit_test(linked_pairs_fail_each_other_and_come_back),
        cmocka_unit_test(middleware_sees_every_message_on_all_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
