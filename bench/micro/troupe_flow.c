/*
 * troupe_flow.c - workloads in which many messages are under way: counting, fork-join
 * throughput, fan-in, fan-out.
 */
#include "bench.h"

#define COUNTING_MESSAGES 1000000u
#define COUNTING_WINDOW 1000u
#define WORKERS 60u
#define FLOW_MESSAGES 1200000u
#define FAN_IN_WINDOW 100u
#define SINKS 1000u
#define FAN_OUT_MESSAGES 2000000u

/* ---- Counting and fan-in: producers, one sink, optionally a window --------- */

struct item {
    uint64_t number; /* of this producer's, from 1 */
    uint32_t ack;    /* 1: the producer waits for an `accepted` */
};
struct accepted {
    uint64_t number;
};
TR_TYPE(item);
TR_TYPE(accepted);

struct sink {
    uint64_t left;
};

static tr_err sink_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct sink *)state)->left = *(const uint64_t *)arg;
    return TR_OK;
}

static tr_err sink_on_item(tr_ctx *ctx, struct sink *self, const struct item *msg)
{
    if (msg->ack)
        tr_reply(ctx, accepted, .number = msg->number);
    if (--self->left == 0)
        bench_finish();
    return TR_OK;
}

#define SINK_HANDLERS(ON) ON(item, sink_on_item)
TR_DISPATCH(sink, SINK_HANDLERS);

static const struct tr_actor sink_actor = {
    .name = "sink",
    .state_size = sizeof(struct sink),
    .arg_size = sizeof(uint64_t),
    .init = sink_init,
    .receive = sink_receive,
    .accepts = sink_accepts,
};

struct producer_args {
    tr_pid sink;
    uint64_t count;
    uint64_t window; /* 0: everything at once */
};
struct producer {
    struct producer_args args;
};

static tr_err producer_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct producer *)state)->args = *(const struct producer_args *)arg;
    return TR_OK;
}

/* Sends the items after `sent` up to the end of the window. */
static tr_err produce(tr_ctx *ctx, const struct producer *self, uint64_t sent)
{
    uint64_t last = self->args.count;
    if (self->args.window && sent + self->args.window < last)
        last = sent + self->args.window;
    for (uint64_t number = sent + 1; number <= last; number++)
        tr_send(ctx, self->args.sink, item, .number = number,
                .ack = number == last && last < self->args.count);
    return TR_OK;
}

static tr_err producer_on_go(tr_ctx *ctx, struct producer *self, const struct go *msg)
{
    (void)msg;
    return produce(ctx, self, 0);
}

static tr_err producer_on_accepted(tr_ctx *ctx, struct producer *self, const struct accepted *msg)
{
    return produce(ctx, self, msg->number);
}

#define PRODUCER_HANDLERS(ON)          \
    ON(accepted, producer_on_accepted) \
    ON(go, producer_on_go)
TR_DISPATCH(producer, PRODUCER_HANDLERS);

static const struct tr_actor producer_actor = {
    .name = "producer",
    .state_size = sizeof(struct producer),
    .arg_size = sizeof(struct producer_args),
    .init = producer_init,
    .receive = producer_receive,
    .accepts = producer_accepts,
};

static void run_producers(struct run *run, unsigned count, uint64_t messages, uint64_t window)
{
    tr_pid producers[WORKERS];
    uint64_t total = messages / count * count;
    struct producer_args args = {
        .sink = bench_spawn(run, &sink_actor, &total), .count = messages / count, .window = window};
    for (unsigned i = 0; i < count; i++)
        producers[i] = bench_spawn(run, &producer_actor, &args);
    run->units = total;
    bench_begin(run);
    for (unsigned i = 0; i < count; i++)
        tr_send(run->root, producers[i], go);
    bench_await();
}

void run_counting(struct run *run)
{
    run_producers(run, 1, bench_count(run, COUNTING_MESSAGES, 1), 0);
}

void run_counting_windowed(struct run *run)
{
    run_producers(run, 1, bench_count(run, COUNTING_MESSAGES, 1), COUNTING_WINDOW);
}

void run_fan_in(struct run *run)
{
    run_producers(run, WORKERS, bench_count(run, FLOW_MESSAGES, WORKERS), 0);
}

void run_fan_in_windowed(struct run *run)
{
    run_producers(run, WORKERS, bench_count(run, FLOW_MESSAGES, WORKERS), FAN_IN_WINDOW);
}

/* ---- Fork-join throughput: one actor deals to many in turn ----------------- */

struct deal_args {
    tr_pid workers[WORKERS];
    uint64_t each;
};
struct dealer {
    struct deal_args args;
};

static tr_err dealer_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct dealer *)state)->args = *(const struct deal_args *)arg;
    return TR_OK;
}

static tr_err dealer_on_go(tr_ctx *ctx, struct dealer *self, const struct go *msg)
{
    (void)msg;
    for (uint64_t left = self->args.each; left-- > 0;)
        for (unsigned i = 0; i < WORKERS; i++)
            tr_send(ctx, self->args.workers[i], ball, .left = left);
    return TR_OK;
}

#define DEALER_HANDLERS(ON) ON(go, dealer_on_go)
TR_DISPATCH(dealer, DEALER_HANDLERS);

static const struct tr_actor dealer_actor = {
    .name = "dealer",
    .state_size = sizeof(struct dealer),
    .arg_size = sizeof(struct deal_args),
    .init = dealer_init,
    .receive = dealer_receive,
    .accepts = dealer_accepts,
};

struct worker {
    tr_pid referee;
    uint64_t sum;
};

static tr_err worker_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct worker *)state)->referee = *(const tr_pid *)arg;
    return TR_OK;
}

static tr_err worker_on_ball(tr_ctx *ctx, struct worker *self, const struct ball *msg)
{
    self->sum += msg->left;
    if (msg->left == 0)
        tr_send(ctx, self->referee, done);
    return TR_OK;
}

#define WORKER_HANDLERS(ON) ON(ball, worker_on_ball)
TR_DISPATCH(worker, WORKER_HANDLERS);

static const struct tr_actor worker_actor = {
    .name = "worker",
    .state_size = sizeof(struct worker),
    .arg_size = sizeof(tr_pid),
    .init = worker_init,
    .receive = worker_receive,
    .accepts = worker_accepts,
};

void run_fork_join_throughput(struct run *run)
{
    struct deal_args args = {.each = bench_count(run, FLOW_MESSAGES, WORKERS) / WORKERS};
    tr_pid referee = bench_spawn_referee(run, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        args.workers[i] = bench_spawn(run, &worker_actor, &referee);
    tr_pid dealer = bench_spawn(run, &dealer_actor, &args);
    run->units = args.each * WORKERS;
    bench_begin(run);
    tr_send(run->root, dealer, go);
    bench_await();
}

/* ---- Fan-out: to a thousand, and all answer, round by round ----------------- */

struct echo {
    uint64_t count;
};

static tr_err echo_on_ball(tr_ctx *ctx, struct echo *self, const struct ball *msg)
{
    (void)msg;
    self->count++;
    tr_reply(ctx, done);
    return TR_OK;
}

#define ECHO_HANDLERS(ON) ON(ball, echo_on_ball)
TR_DISPATCH(echo, ECHO_HANDLERS);

static const struct tr_actor echo_actor = {
    .name = "echo",
    .state_size = sizeof(struct echo),
    .receive = echo_receive,
    .accepts = echo_accepts,
};

struct source_args {
    const tr_pid *sinks; /* SINKS; outlives the round */
    uint64_t rounds;
};
struct source {
    struct source_args args;
    uint64_t waiting;
};

static tr_err source_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct source *)state)->args = *(const struct source_args *)arg;
    return TR_OK;
}

static tr_err source_on_go(tr_ctx *ctx, struct source *self, const struct go *msg)
{
    (void)msg;
    self->waiting = SINKS;
    for (unsigned i = 0; i < SINKS; i++)
        tr_send(ctx, self->args.sinks[i], ball, .left = self->args.rounds);
    return TR_OK;
}

static tr_err source_on_done(tr_ctx *ctx, struct source *self, const struct done *msg)
{
    (void)msg;
    if (--self->waiting)
        return TR_OK;
    if (--self->args.rounds)
        return source_on_go(ctx, self, NULL);
    bench_finish();
    return TR_OK;
}

#define SOURCE_HANDLERS(ON)  \
    ON(done, source_on_done) \
    ON(go, source_on_go)
TR_DISPATCH(source, SOURCE_HANDLERS);

static const struct tr_actor source_actor = {
    .name = "source",
    .state_size = sizeof(struct source),
    .arg_size = sizeof(struct source_args),
    .init = source_init,
    .receive = source_receive,
    .accepts = source_accepts,
};

void run_fan_out(struct run *run)
{
    tr_pid sinks[SINKS];
    struct source_args args = {
        .sinks = sinks, .rounds = bench_count(run, FAN_OUT_MESSAGES, 2 * SINKS) / (2 * SINKS)};
    for (unsigned i = 0; i < SINKS; i++)
        sinks[i] = bench_spawn(run, &echo_actor, NULL);
    tr_pid source = bench_spawn(run, &source_actor, &args);
    run->units = args.rounds * 2 * SINKS;
    bench_begin(run);
    tr_send(run->root, source, go);
    bench_await();
}
