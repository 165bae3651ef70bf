/*
 * troupe_life.c - workloads about actors coming and going: fork-join create, churn, and
 * the memory of idle actors.
 */
#include "bench.h"

#include <malloc.h>
#include <stdatomic.h>
#include <time.h>

#define ACTORS 1000000u
#define LOOKS 12

/* ---- Fork-join create: a million, each handles one message and ends --------- */

/* Counts all children down. Relaxed is enough: it only finds the last one, and nothing
 * is read because of it. */
static atomic_uint_fast64_t children_left;

struct child {
    uint64_t handled;
};

static tr_err child_on_ball(tr_ctx *ctx, struct child *self, const struct ball *msg)
{
    self->handled += msg->left + 1;
    tr_stop(ctx, tr_self(ctx));
    if (atomic_fetch_sub_explicit(&children_left, 1, memory_order_relaxed) == 1)
        bench_finish();
    return TR_OK;
}

#define CHILD_HANDLERS(ON) ON(ball, child_on_ball)
TR_DISPATCH(child, CHILD_HANDLERS);

static const struct tr_actor child_actor = {
    .name = "child",
    .state_size = sizeof(struct child),
    .receive = child_receive,
    .accepts = child_accepts,
};

/* The same, but it stays: for the workload `million`. */
struct settler {
    uint64_t handled;
};

static tr_err settler_on_ball(tr_ctx *ctx, struct settler *self, const struct ball *msg)
{
    (void)ctx;
    self->handled += msg->left + 1;
    if (atomic_fetch_sub_explicit(&children_left, 1, memory_order_relaxed) == 1)
        bench_finish();
    return TR_OK;
}

#define SETTLER_HANDLERS(ON) ON(ball, settler_on_ball)
TR_DISPATCH(settler, SETTLER_HANDLERS);

static const struct tr_actor settler_actor = {
    .name = "settler",
    .state_size = sizeof(struct settler),
    .receive = settler_receive,
    .accepts = settler_accepts,
};

struct creator {
    uint64_t count;
    const struct tr_actor *kind;
};

static tr_err creator_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    *(struct creator *)state = *(const struct creator *)arg;
    return TR_OK;
}

static tr_err creator_on_go(tr_ctx *ctx, struct creator *self, const struct go *msg)
{
    (void)msg;
    for (uint64_t i = 0; i < self->count; i++) {
        tr_pid child = tr_spawn(ctx, self->kind);
        if (tr_pid_is_nobody(child))
            bench_die("cannot spawn child %" PRIu64 ": %s", i, tr_strerror(tr_pid_err(child)));
        tr_send(ctx, child, ball, .left = i);
    }
    return TR_OK;
}

#define CREATOR_HANDLERS(ON) ON(go, creator_on_go)
TR_DISPATCH(creator, CREATOR_HANDLERS);

static const struct tr_actor creator_actor = {
    .name = "creator",
    .state_size = sizeof(struct creator),
    .arg_size = sizeof(struct creator),
    .init = creator_init,
    .receive = creator_receive,
    .accepts = creator_accepts,
};

static void run_creator(struct run *run, const struct tr_actor *kind)
{
    struct creator args = {.count = bench_count(run, ACTORS, 1), .kind = kind};
    tr_pid creator = bench_spawn(run, &creator_actor, &args);
    atomic_store_explicit(&children_left, args.count, memory_order_relaxed);
    run->units = args.count;
    bench_begin(run);
    tr_send(run->root, creator, go);
    bench_await();
}

void run_fork_join_create(struct run *run)
{
    run_creator(run, &child_actor);
}

void run_million(struct run *run)
{
    run_creator(run, &settler_actor);
}

/* ---- Churn: one child at a time ------------------------------------------- */

struct mayfly {
    uint64_t handled;
};

static tr_err mayfly_on_ball(tr_ctx *ctx, struct mayfly *self, const struct ball *msg)
{
    self->handled += msg->left + 1;
    tr_reply(ctx, done);
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

#define MAYFLY_HANDLERS(ON) ON(ball, mayfly_on_ball)
TR_DISPATCH(mayfly, MAYFLY_HANDLERS);

static const struct tr_actor mayfly_actor = {
    .name = "mayfly",
    .state_size = sizeof(struct mayfly),
    .receive = mayfly_receive,
    .accepts = mayfly_accepts,
};

struct breeder {
    uint64_t left;
};

static tr_err breeder_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct breeder *)state)->left = *(const uint64_t *)arg;
    return TR_OK;
}

static tr_err breeder_on_go(tr_ctx *ctx, struct breeder *self, const struct go *msg)
{
    (void)msg;
    tr_pid child = tr_spawn(ctx, &mayfly_actor);
    if (tr_pid_is_nobody(child))
        bench_die("cannot spawn a child: %s", tr_strerror(tr_pid_err(child)));
    tr_send(ctx, child, ball, .left = self->left);
    return TR_OK;
}

static tr_err breeder_on_done(tr_ctx *ctx, struct breeder *self, const struct done *msg)
{
    (void)msg;
    if (--self->left)
        return breeder_on_go(ctx, self, NULL);
    bench_finish();
    return TR_OK;
}

#define BREEDER_HANDLERS(ON)  \
    ON(done, breeder_on_done) \
    ON(go, breeder_on_go)
TR_DISPATCH(breeder, BREEDER_HANDLERS);

static const struct tr_actor breeder_actor = {
    .name = "breeder",
    .state_size = sizeof(struct breeder),
    .arg_size = sizeof(uint64_t),
    .init = breeder_init,
    .receive = breeder_receive,
    .accepts = breeder_accepts,
};

void run_churn(struct run *run)
{
    uint64_t count = bench_count(run, ACTORS, 1);
    tr_pid breeder = bench_spawn(run, &breeder_actor, &count);
    run->units = count;
    bench_begin(run);
    tr_send(run->root, breeder, go);
    bench_await();
}

/* ---- Memory: idle actors that have handled one message --------------------- */

struct sleeper {
    uint64_t handled;
};

static tr_err sleeper_on_ball(tr_ctx *ctx, struct sleeper *self, const struct ball *msg)
{
    (void)ctx;
    self->handled += msg->left + 1;
    return TR_OK;
}

#define SLEEPER_HANDLERS(ON) ON(ball, sleeper_on_ball)
TR_DISPATCH(sleeper, SLEEPER_HANDLERS);

static const struct tr_actor sleeper_actor = {
    .name = "sleeper",
    .state_size = sizeof(struct sleeper),
    .receive = sleeper_receive,
    .accepts = sleeper_accepts,
};

/* Messages between two rests, so that message memory is not what is measured. */
#define SLEEPER_SLICE 1000u

static void spawn_sleepers(struct run *run, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        tr_pid pid = bench_spawn(run, &sleeper_actor, NULL);
        tr_send(run->root, pid, ball, .left = i);
        if (i % SLEEPER_SLICE == 0)
            tr_system_run(run->sys);
    }
    tr_system_run(run->sys);
}

/* The array of PIDs belongs to the caller, not to the actors: it is grown and touched
 * before the first reading. */
static void touch_pids(struct run *run, uint64_t count)
{
    spawn_sleepers(run, 1);
    while (run->spawned_capacity < count)
        run->spawned_capacity *= 2;
    run->spawned = realloc(run->spawned, run->spawned_capacity * sizeof(*run->spawned));
    if (!run->spawned)
        bench_die("no memory for %zu PIDs", run->spawned_capacity);
    memset(run->spawned + 1, 1, (run->spawned_capacity - 1) * sizeof(*run->spawned));
}

void run_idle_memory(struct run *run)
{
    uint64_t count = bench_count(run, ACTORS, 1);
    touch_pids(run, count + 1);
    uint64_t before = bench_resident();
    spawn_sleepers(run, count);
    uint64_t after = bench_resident();
    run->bytes = after > before ? (double)(after - before) / (double)count : 0;
}

void run_memory_left(struct run *run)
{
    uint64_t count = bench_count(run, ACTORS, 1);
    touch_pids(run, count + 1);
    uint64_t before = bench_resident();
    spawn_sleepers(run, count);
    for (size_t i = 0; i < run->spawned_count; i++)
        tr_stop(run->root, run->spawned[i]);
    run->spawned_count = 0;
    uint64_t after = UINT64_MAX;
    for (int look = 0; look < LOOKS; look++) { /* Workers give memory back when idle for a while. */
        tr_system_run(run->sys);
        malloc_trim(0);
        uint64_t now = bench_resident();
        after = now < after ? now : after;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    run->bytes = after > before ? (double)(after - before) / (double)count : 0;
}
