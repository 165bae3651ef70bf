/*
 * troupe_chain.c - workloads in which one message is under way per chain: ping-pong,
 * pairs, rings, ask.
 */
#include "bench.h"

#define MESSAGES 4000000u
#define PAIRS 1000u
#define ROUND_TRIPS 2000000u

/* ---- Ping-pong, pairs and rings: pass the ball on to the next ------------- */

struct player {
    tr_pid next;
    tr_pid referee;
};

static tr_err player_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct player *)state)->referee = *(const tr_pid *)arg;
    return TR_OK;
}

static tr_err player_on_peer(tr_ctx *ctx, struct player *self, const struct peer *msg)
{
    (void)ctx;
    self->next = msg->pid;
    return TR_OK;
}

static tr_err player_on_ball(tr_ctx *ctx, struct player *self, const struct ball *msg)
{
    if (msg->left == 0)
        tr_send(ctx, self->referee, done);
    else
        tr_send(ctx, self->next, ball, .left = msg->left - 1);
    return TR_OK;
}

#define PLAYER_HANDLERS(ON)  \
    ON(ball, player_on_ball) \
    ON(peer, player_on_peer)
TR_DISPATCH(player, PLAYER_HANDLERS);

static const struct tr_actor player_actor = {
    .name = "player",
    .state_size = sizeof(struct player),
    .arg_size = sizeof(tr_pid),
    .init = player_init,
    .receive = player_receive,
    .accepts = player_accepts,
};

/* Spawns a ring of `size` players and returns its first. */
static tr_pid spawn_ring(struct run *run, unsigned size, tr_pid referee)
{
    tr_pid first = bench_spawn(run, &player_actor, &referee);
    tr_pid last = first;
    for (unsigned i = 1; i < size; i++) {
        tr_pid next = bench_spawn(run, &player_actor, &referee);
        tr_send(run->root, last, peer, .pid = next);
        last = next;
    }
    tr_send(run->root, last, peer, .pid = first);
    return first;
}

static void run_rings(struct run *run, unsigned size, unsigned count)
{
    tr_pid firsts[PAIRS];
    uint64_t each = bench_count(run, MESSAGES, count) / count;
    tr_pid referee = bench_spawn_referee(run, count);
    for (unsigned i = 0; i < count; i++)
        firsts[i] = spawn_ring(run, size, referee);
    run->units = each * count;
    bench_begin(run);
    for (unsigned i = 0; i < count; i++)
        tr_send(run->root, firsts[i], ball, .left = each - 1);
    bench_await();
}

void run_ping_pong(struct run *run)
{
    run_rings(run, 2, 1);
}

void run_pairs(struct run *run)
{
    run_rings(run, 2, PAIRS);
}

void run_ring_100(struct run *run)
{
    run_rings(run, 100, 1);
}

void run_ring_503(struct run *run)
{
    run_rings(run, 503, 1);
}

/* ---- Ask: one actor asks another, one question at a time ------------------- */

struct question {
    uint64_t value;
};
struct answer {
    uint64_t value;
};
TR_TYPE(question);
TR_TYPE(answer);

#define ANSWER_TIMEOUT_MS 30000

struct server {
    uint64_t asked;
};

static tr_err server_on_question(tr_ctx *ctx, struct server *self, const struct question *msg)
{
    self->asked++;
    tr_reply(ctx, answer, .value = msg->value + 1);
    return TR_OK;
}

#define SERVER_HANDLERS(ON) ON(question, server_on_question)
TR_DISPATCH(server, SERVER_HANDLERS);

static const struct tr_actor server_actor = {
    .name = "server",
    .state_size = sizeof(struct server),
    .receive = server_receive,
    .accepts = server_accepts,
};

struct client_args {
    tr_pid server;
    uint64_t round_trips;
};
struct client {
    struct client_args args;
};

static tr_err client_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct client *)state)->args = *(const struct client_args *)arg;
    return TR_OK;
}

static tr_err client_on_go(tr_ctx *ctx, struct client *self, const struct go *msg)
{
    (void)msg;
    tr_request(ctx, self->args.server, ANSWER_TIMEOUT_MS, question, .value = 0);
    return TR_OK;
}

static tr_err client_on_answer(tr_ctx *ctx, struct client *self, const struct answer *msg)
{
    if (msg->value == self->args.round_trips)
        bench_finish();
    else
        tr_request(ctx, self->args.server, ANSWER_TIMEOUT_MS, question, .value = msg->value);
    return TR_OK;
}

static tr_err client_on_failed(tr_ctx *ctx, struct client *self,
                               const struct tr_request_failed *msg)
{
    (void)ctx;
    (void)self;
    bench_die("ask: a request failed: %s", tr_strerror(msg->reason));
}

#define CLIENT_HANDLERS(ON)      \
    ON(answer, client_on_answer) \
    ON(go, client_on_go)         \
    ON(tr_request_failed, client_on_failed)
TR_DISPATCH(client, CLIENT_HANDLERS);

static const struct tr_actor client_actor = {
    .name = "client",
    .state_size = sizeof(struct client),
    .arg_size = sizeof(struct client_args),
    .init = client_init,
    .receive = client_receive,
    .accepts = client_accepts,
};

void run_ask(struct run *run)
{
    struct client_args args = {.server = bench_spawn(run, &server_actor, NULL),
                               .round_trips = bench_count(run, ROUND_TRIPS, 1)};
    tr_pid client = bench_spawn(run, &client_actor, &args);
    run->units = args.round_trips;
    bench_begin(run);
    tr_send(run->root, client, go);
    bench_await();
}
