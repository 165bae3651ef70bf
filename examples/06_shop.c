/*
 * A shop that keeps going: a pool of workers that fail now and then, a till that puts orders
 * aside until it is open, and a middleware that counts. docs/guide/supervision.md explains it.
 */
#include <troupe/troupe.h>

#include <stdio.h>
#include <stdlib.h>

struct parcel {
    uint64_t order_id;
    uint32_t grams;
};
struct open_till {
    char none;
};
struct closing_time {
    char none;
};
struct till_get {
    char none;
};
struct till_total {
    uint32_t parcels;
    uint32_t refused;
};
TR_TYPE(parcel);
TR_TYPE(open_till);
TR_TYPE(closing_time);
TR_TYPE(till_get);
TR_TYPE(till_total);

/* ---- Workers: a pool, supervised ------------------------------------------ */

struct packer {
    uint32_t packed;
};

static tr_err on_parcel(tr_ctx *ctx, struct packer *self, const struct parcel *msg)
{
    if (msg->grams == 0)
        return tr_fail(ctx, TR_EINVAL, "order %" PRIu64 " weighs nothing", msg->order_id);
    self->packed++;
    return TR_OK;
}

#define PACKER_HANDLERS(ON) ON(parcel, on_parcel)
TR_DISPATCH(packer, PACKER_HANDLERS);

static const struct tr_actor packer_actor = {
    .name = "packer", .state_size = sizeof(struct packer), .receive = packer_receive};

/* A bad order is no reason to forget the others; anything else is. */
static enum tr_directive by_error(tr_err code)
{
    switch (code) {
    case TR_EINVAL:
        return TR_RESUME;
    case TR_ENOMEM:
        return TR_ESCALATE;
    default:
        return TR_RESTART;
    }
}

static const struct tr_supervision keep_packing = {
    .decide = by_error,
    .restarts_max = 5, /* in any 10 seconds; then it is stopped, and the pool replaces it */
    .within_ms = 10000,
    .backoff_ms_min = 10, /* 10, 20, 40 … 1000 ms, each up to a fifth longer */
    .backoff_ms_max = 1000,
    .backoff_jitter_permille = 200,
    .quiet_ms = 30000, /* so long without failure, and it is 10 ms again */
};

static uint64_t by_order(const tr_msg *msg)
{
    const struct parcel *parcel = tr_as(msg, parcel);
    return parcel ? parcel->order_id : 0;
}

/* ---- The till: closed at first -------------------------------------------- */

struct till {
    tr_pid packers;
    uint32_t parcels;
    uint32_t refused;
};

static tr_err till_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct till *self = state;
    (void)arg;
    self->packers = tr_spawn(ctx, &packer_actor, .pool = 4, .route = TR_ROUTE_HASH,
                             .route_key = by_order, .supervise = &keep_packing);
    return tr_pid_err(self->packers);
}

static tr_err on_parcel_open(tr_ctx *ctx, struct till *self, const struct parcel *msg)
{
    self->parcels++;
    tr_forward(ctx, self->packers, tr_msg_of(msg));
    return TR_OK;
}

static tr_err on_parcel_closing(tr_ctx *ctx, struct till *self, const struct parcel *msg)
{
    (void)ctx;
    (void)msg;
    self->refused++;
    return TR_OK;
}

static tr_err on_closing_time(tr_ctx *ctx, struct till *self, const struct closing_time *msg);
static tr_err on_till_get(tr_ctx *ctx, struct till *self, const struct till_get *msg)
{
    (void)msg;
    tr_reply(ctx, till_total, .parcels = self->parcels, .refused = self->refused);
    return TR_OK;
}

#define OPEN_HANDLERS(ON)      \
    ON(parcel, on_parcel_open) \
    ON(till_get, on_till_get)  \
    ON(closing_time, on_closing_time)
TR_BEHAVIOUR(till_open, till, OPEN_HANDLERS);

#define CLOSING_HANDLERS(ON)      \
    ON(parcel, on_parcel_closing) \
    ON(till_get, on_till_get)
TR_BEHAVIOUR(till_closing, till, CLOSING_HANDLERS);

static tr_err on_closing_time(tr_ctx *ctx, struct till *self, const struct closing_time *msg)
{
    (void)self;
    (void)msg;
    return tr_become(ctx, &till_closing);
}

/* Not open yet: parcels wait, in the order in which they came. */
static tr_err on_parcel_early(tr_ctx *ctx, struct till *self, const struct parcel *msg)
{
    (void)self;
    (void)msg;
    return tr_stash(ctx);
}

static tr_err on_open_till(tr_ctx *ctx, struct till *self, const struct open_till *msg)
{
    (void)self;
    (void)msg;
    (void)tr_unstash(ctx, SIZE_MAX);
    return tr_become(ctx, &till_open);
}

#define TILL_HANDLERS(ON)       \
    ON(parcel, on_parcel_early) \
    ON(open_till, on_open_till)
TR_DISPATCH(till, TILL_HANDLERS);

static const struct tr_actor till_actor = {.name = "till",
                                           .state_size = sizeof(struct till),
                                           .init = till_init,
                                           .receive = till_receive,
                                           .stash_max = 100};

/* ---- A middleware around every handler of the till -------------------------- */

static tr_err report_failures(void *user, tr_ctx *ctx, const tr_msg *msg,
                              const struct tr_next *next)
{
    tr_err err = tr_next_receive(next, ctx, msg);
    if (err)
        fprintf(stderr, "%s: %s: %s\n", (const char *)user, msg->type->name, tr_strerror(err));
    return err;
}
static const struct tr_middleware reporter = {.receive = report_failures, .user = (void *)"till"};
static const struct tr_middleware *const reporting[] = {&reporter, NULL};

int main(void)
{
    tr_system *sys;
    if (tr_system_create(&sys, &(struct tr_config){.workers = 2, .log = tr_log_none}))
        return 1;
    tr_ctx *root = tr_root(sys);
    tr_pid till = tr_spawn(root, &till_actor, .name = "till", .middleware = reporting);
    for (uint64_t id = 1; id <= 20; id++)
        tr_send(root, till, parcel, .order_id = id, .grams = id % 7 ? 500 : 0);
    tr_send(root, till, open_till);
    tr_send(root, till, parcel, .order_id = 21, .grams = 100);
    tr_send(root, till, closing_time);
    tr_send(root, till, parcel, .order_id = 22, .grams = 100);
    struct till_total total = {0};
    tr_err err = tr_ask(root, till, TR_INTO(till_total, &total), 5000, till_get);
    if (err) {
        fprintf(stderr, "%s\n", tr_strerror(err));
        return 1;
    }
    printf("%u parcels taken, %u too late\n", total.parcels, total.refused);
    tr_system_run(sys);
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    printf("%" PRIu64 " failures\n", stats.actors_failed); /* orders 7 and 14 */
    err = tr_system_stop(sys, 5000);
    tr_system_destroy(sys);
    return err || total.parcels != 21 || total.refused != 1 || stats.actors_failed != 2;
}
