/*
 * troupe_mix.c - workloads with a busy middle: chameneos, big, parallel.
 */
#include "bench.h"

#define CREATURES 100u
#define MEETINGS 500000u
#define BIG_ACTORS 120u
#define BIG_MESSAGES 2400000u
#define COMPUTERS 64u
/* As many steps of bench_limits as take a microsecond on the machine of the first figures. */
#define COMPUTE_STEPS 910u
#define PARALLEL_MESSAGES 64000u

/* ---- Chameneos: creatures meet in a mall and exchange colours ---------------- */

struct meet {
    uint32_t colour;
};
struct met {
    uint32_t colour; /* of the other one */
};
TR_TYPE(meet);
TR_TYPE(met);

struct creature_args {
    tr_pid mall;
    uint32_t colour;
};
struct creature {
    struct creature_args args;
};

static tr_err creature_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct creature *)state)->args = *(const struct creature_args *)arg;
    return TR_OK;
}

static tr_err creature_on_go(tr_ctx *ctx, struct creature *self, const struct go *msg)
{
    (void)msg;
    tr_send(ctx, self->args.mall, meet, .colour = self->args.colour);
    return TR_OK;
}

static tr_err creature_on_met(tr_ctx *ctx, struct creature *self, const struct met *msg)
{
    /* Two of one colour keep it; otherwise both take the third. */
    if (msg->colour != self->args.colour)
        self->args.colour = 3 - self->args.colour - msg->colour;
    tr_send(ctx, self->args.mall, meet, .colour = self->args.colour);
    return TR_OK;
}

#define CREATURE_HANDLERS(ON) \
    ON(met, creature_on_met)  \
    ON(go, creature_on_go)
TR_DISPATCH(creature, CREATURE_HANDLERS);

static const struct tr_actor creature_actor = {
    .name = "creature",
    .state_size = sizeof(struct creature),
    .arg_size = sizeof(struct creature_args),
    .init = creature_init,
    .receive = creature_receive,
    .accepts = creature_accepts,
};

struct mall {
    uint64_t left; /* meetings */
    tr_pid waiting;
    uint32_t colour;
};

static tr_err mall_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct mall *)state)->left = *(const uint64_t *)arg;
    return TR_OK;
}

static tr_err mall_on_meet(tr_ctx *ctx, struct mall *self, const struct meet *msg)
{
    if (self->left == 0)
        return TR_OK; /* Closed: whoever comes now waits for ever. */
    if (tr_pid_is_nobody(self->waiting)) {
        self->waiting = tr_sender(ctx);
        self->colour = msg->colour;
        return TR_OK;
    }
    tr_send(ctx, self->waiting, met, .colour = msg->colour);
    tr_send(ctx, tr_sender(ctx), met, .colour = self->colour);
    self->waiting = TR_NOBODY;
    if (--self->left == 0)
        bench_finish();
    return TR_OK;
}

#define MALL_HANDLERS(ON) ON(meet, mall_on_meet)
TR_DISPATCH(mall, MALL_HANDLERS);

static const struct tr_actor mall_actor = {
    .name = "mall",
    .state_size = sizeof(struct mall),
    .arg_size = sizeof(uint64_t),
    .init = mall_init,
    .receive = mall_receive,
    .accepts = mall_accepts,
};

void run_chameneos(struct run *run)
{
    tr_pid creatures[CREATURES];
    uint64_t meetings = bench_count(run, MEETINGS, 1);
    struct creature_args args = {.mall = bench_spawn(run, &mall_actor, &meetings)};
    for (unsigned i = 0; i < CREATURES; i++) {
        args.colour = i % 3;
        creatures[i] = bench_spawn(run, &creature_actor, &args);
    }
    run->units = meetings;
    bench_begin(run);
    for (unsigned i = 0; i < CREATURES; i++)
        tr_send(run->root, creatures[i], go);
    bench_await();
}

/* ---- Big: everyone pings random others --------------------------------------- */

struct ping {
    char none;
};
struct pong {
    char none;
};
TR_TYPE(ping);
TR_TYPE(pong);

struct big_args {
    const tr_pid *all; /* BIG_ACTORS; outlives the round */
    tr_pid referee;
    uint64_t pings;
    uint64_t seed;
};
struct big {
    struct big_args args;
};

static tr_err big_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct big *)state)->args = *(const struct big_args *)arg;
    return TR_OK;
}

static void big_ping(tr_ctx *ctx, struct big *self)
{
    self->args.seed = (self->args.seed * 1664525u + 1013904223u) & 0xffffffffu;
    tr_send(ctx, self->args.all[(self->args.seed >> 8) % BIG_ACTORS], ping);
}

static tr_err big_on_go(tr_ctx *ctx, struct big *self, const struct go *msg)
{
    (void)msg;
    big_ping(ctx, self);
    return TR_OK;
}

static tr_err big_on_ping(tr_ctx *ctx, struct big *self, const struct ping *msg)
{
    (void)self;
    (void)msg;
    tr_reply(ctx, pong);
    return TR_OK;
}

static tr_err big_on_pong(tr_ctx *ctx, struct big *self, const struct pong *msg)
{
    (void)msg;
    if (--self->args.pings)
        big_ping(ctx, self);
    else
        tr_send(ctx, self->args.referee, done);
    return TR_OK;
}

#define BIG_HANDLERS(ON)  \
    ON(ping, big_on_ping) \
    ON(pong, big_on_pong) \
    ON(go, big_on_go)
TR_DISPATCH(big, BIG_HANDLERS);

static const struct tr_actor big_actor = {
    .name = "big",
    .state_size = sizeof(struct big),
    .arg_size = sizeof(struct big_args),
    .init = big_init,
    .receive = big_receive,
    .accepts = big_accepts,
};

void run_big(struct run *run)
{
    tr_pid all[BIG_ACTORS];
    struct big_args args = {.all = all,
                            .referee = bench_spawn_referee(run, BIG_ACTORS),
                            .pings = bench_count(run, BIG_MESSAGES, 2 * BIG_ACTORS) /
                                     (2 * BIG_ACTORS)};
    for (unsigned i = 0; i < BIG_ACTORS; i++) {
        args.seed = i + 1;
        all[i] = bench_spawn(run, &big_actor, &args);
    }
    run->units = args.pings * 2 * BIG_ACTORS;
    bench_begin(run);
    for (unsigned i = 0; i < BIG_ACTORS; i++)
        tr_send(run->root, all[i], go);
    bench_await();
}

/* ---- Parallel: every message is a microsecond of work ------------------------- */

struct computer {
    tr_pid referee;
    uint64_t value;
};

static tr_err computer_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct computer *)state)->referee = *(const tr_pid *)arg;
    return TR_OK;
}

static tr_err computer_on_ball(tr_ctx *ctx, struct computer *self, const struct ball *msg)
{
    uint64_t value = self->value;
    for (unsigned i = 0; i < COMPUTE_STEPS; i++)
        value = (value * 1664525u + 1013904223u) & 0xffffffffu;
    self->value = value;
    if (msg->left == 0)
        tr_send(ctx, self->referee, done);
    else
        tr_send(ctx, tr_self(ctx), ball, .left = msg->left - 1);
    return TR_OK;
}

#define COMPUTER_HANDLERS(ON) ON(ball, computer_on_ball)
TR_DISPATCH(computer, COMPUTER_HANDLERS);

static const struct tr_actor computer_actor = {
    .name = "computer",
    .state_size = sizeof(struct computer),
    .arg_size = sizeof(tr_pid),
    .init = computer_init,
    .receive = computer_receive,
    .accepts = computer_accepts,
};

void run_parallel(struct run *run)
{
    tr_pid computers[COMPUTERS];
    uint64_t each = bench_count(run, PARALLEL_MESSAGES, COMPUTERS) / COMPUTERS;
    tr_pid referee = bench_spawn_referee(run, COMPUTERS);
    for (unsigned i = 0; i < COMPUTERS; i++)
        computers[i] = bench_spawn(run, &computer_actor, &referee);
    run->units = each * COMPUTERS;
    bench_begin(run);
    for (unsigned i = 0; i < COMPUTERS; i++)
        tr_send(run->root, computers[i], ball, .left = each - 1);
    bench_await();
}
