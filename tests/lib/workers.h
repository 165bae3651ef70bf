/*
 * tests/lib/workers.h - what the tests of routers have in common: workers that remember what they
 * did, and how to tell them.
 */
#ifndef TROUPE_TESTS_WORKERS_H
#define TROUPE_TESTS_WORKERS_H

#include "stepped.h"

struct job {
    uint32_t n;
};
struct question {
    uint32_t n;
};
struct answer {
    uint32_t n;
    tr_pid by;
};
struct order {
    int what;
    tr_pid to;
    unsigned count;
};
TR_TYPE(job);
TR_TYPE(question);
TR_TYPE(answer);
TR_TYPE(order);

enum { FAIL, STOP, SEND_SELF, RESIZE, ADD, REMOVE, LISTEN, POOL };

#define HANDS_MAX 64u

/* Who handled what; the system runs on the test's thread. */
static struct {
    tr_pid who[HANDS_MAX]; /* in the order of their first job */
    uint32_t jobs[HANDS_MAX];
    uint32_t last[HANDS_MAX]; /* job that each has handled */
    uint32_t backwards;       /* jobs that came after a later one */
    uint32_t dead_jobs;
    uint32_t count;
    uint32_t inits;
    int32_t argument;
    tr_pid by_key[1024];
    tr_pid parent;
} seen;

static uint32_t hand(tr_pid pid)
{
    uint32_t i = 0;
    while (i < seen.count && !tr_pid_equal(seen.who[i], pid))
        i++;
    assert_true(i < HANDS_MAX);
    if (i == seen.count)
        seen.who[seen.count++] = pid;
    return i;
}

struct worker {
    int32_t argument;
};

static tr_err worker_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    (void)state;
    seen.inits++;
    seen.argument = *(const int32_t *)arg;
    return TR_OK;
}

static tr_err on_job(tr_ctx *ctx, struct worker *self, const struct job *msg)
{
    (void)self;
    uint32_t self_index = hand(tr_self(ctx));
    seen.jobs[self_index]++;
    seen.backwards += msg->n < seen.last[self_index];
    seen.last[self_index] = msg->n;
    seen.parent = tr_parent(ctx);
    if (msg->n < 1024)
        seen.by_key[msg->n] = tr_self(ctx);
    note("%u", msg->n);
    return TR_OK;
}

static tr_err on_question(tr_ctx *ctx, struct worker *self, const struct question *msg)
{
    (void)self;
    tr_reply(ctx, answer, .n = msg->n + 1, .by = tr_self(ctx));
    return TR_OK;
}

static tr_err on_order(tr_ctx *ctx, struct worker *self, const struct order *msg);

static tr_err on_dead(tr_ctx *ctx, struct worker *self, const struct tr_dead_letter *msg)
{
    (void)ctx;
    (void)self;
    seen.dead_jobs += msg->type == &job_type;
    return TR_OK;
}

static tr_err on_failure(tr_ctx *ctx, struct worker *self, const struct tr_actor_failed *msg)
{
    (void)ctx;
    (void)self;
    note("failed:%s:%d:%d", msg->actor->name, msg->code, msg->directive);
    return TR_OK;
}

static tr_err on_down(tr_ctx *ctx, struct worker *self, const struct tr_down *msg)
{
    (void)ctx;
    (void)self;
    note("down:%d", msg->reason);
    return TR_OK;
}

#define WORKER_HANDLERS(ON)         \
    ON(job, on_job)                 \
    ON(question, on_question)       \
    ON(order, on_order)             \
    ON(tr_dead_letter, on_dead)     \
    ON(tr_actor_failed, on_failure) \
    ON(tr_down, on_down)
TR_DISPATCH(worker, WORKER_HANDLERS);

static const struct tr_actor worker_actor = {.name = "worker",
                                             .state_size = sizeof(struct worker),
                                             .arg_size = sizeof(int32_t),
                                             .init = worker_init,
                                             .receive = worker_receive};
static const int32_t argument = 77;
static const struct tr_supervision one_failure = {
    .restarts_max = 1, .within_ms = 1000, .on_failure = TR_RESTART};
static enum tr_directive stop_routees(tr_err code)
{
    return code == TR_ERESTARTS ? TR_RESTART : TR_STOP;
}
static const struct tr_supervision stop_and_restart = {
    .decide = stop_routees, .restarts_max = 2, .within_ms = 1000};

static tr_err on_order(tr_ctx *ctx, struct worker *self, const struct order *msg)
{
    (void)self;
    switch (msg->what) {
    case STOP:
        tr_stop(ctx, tr_self(ctx));
        return TR_OK;
    case LISTEN:
        if (!tr_pid_is_nobody(msg->to))
            tr_watch(ctx, msg->to);
        if (tr_subscribe(ctx, tr_dead_letter))
            return TR_EFULL;
        return tr_subscribe(ctx, tr_actor_failed);
    case RESIZE:
        return tr_pool_resize(ctx, msg->to, msg->count);
    case SEND_SELF:
        tr_send(ctx, tr_self(ctx), job, .n = msg->count);
        return TR_OK;
    default:
        return tr_fail(ctx, TR_EUSER, "as told");
    }
}

static uint64_t key_of(const tr_msg *msg)
{
    const struct job *job = tr_as(msg, job);
    return job ? job->n : 0;
}

static int start(void **state)
{
    memset(&seen, 0, sizeof seen);
    return set_up(state);
}

static inline tr_pid pool(unsigned count, enum tr_route how)
{
    tr_pid pid = tr_spawn(root, &worker_actor, .arg = &argument, .pool = count, .route = how,
                          .route_key = key_of, .supervise = &one_failure);
    run();
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

static inline void jobs(tr_pid to, uint32_t first, uint32_t last)
{
    for (uint32_t n = first; n <= last; n++)
        tr_send(root, to, job, .n = n);
    run();
}

static inline void order(tr_pid to, int what)
{
    tr_send(root, to, order, .what = what);
    run();
}

static inline struct tr_router_status status_of(tr_pid router)
{
    struct tr_router_status s = {0};
    assert_int_equal(tr_ask(root, router, TR_INTO(tr_router_status, &s), 1000, tr_router_get),
                     TR_OK);
    return s;
}

static inline void resize(tr_pid router, unsigned count)
{
    assert_int_equal(tr_pool_resize(root, router, count), TR_OK);
    run();
}

static inline void forget_trace(void)
{
    trace_size = 0;
    trace[0] = '\0';
}

#define ROUTER_TEST(fn) cmocka_unit_test_setup_teardown(fn, start, tear_down)

#endif
