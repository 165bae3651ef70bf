/*
 * ledger.c - enters orders in sequence, one transaction per batch, and acknowledges an order
 * only when its batch is on disk. While one batch is written (on an offload thread), the next
 * one gathers: a slow disk makes batches larger, a fast one keeps the waiting short.
 */
#include "actors.h"
#include "plant.h"
#include "sequence.h"

#include <stdio.h>

struct ledger_batch {
    struct store *store;
    struct doc **docs;
    size_t count;
    int64_t noticed;
};
struct ledger_written {
    bool good;
    struct ord_error why;
};
TR_TYPE(ledger_batch);
TR_TYPE(ledger_written);

struct ledger {
    struct store *store;
    struct gate *gate;
    struct sequence sequence;
    struct doc **docs; /* the batch being written */
    size_t count, docs_max;
    int64_t order_id; /* the last one acknowledged */
    int64_t noticed;
    bool writing;
};

static tr_err ledger_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct ledger *self = state;
    const struct ledger_args *args = arg;
    self->store = args->store;
    self->gate = args->gate;
    self->docs_max = args->window;
    self->docs = calloc(args->window, sizeof(*self->docs));
    self->order_id = store_orders(args->store);
    if (!self->docs || !sequence_init(&self->sequence, args->window)) {
        free(self->docs); /* What could not begin is not stopped. */
        return tr_fail(ctx, TR_ENOMEM, "no memory for a window of %u orders", args->window);
    }
    return TR_OK;
}

static void ledger_stop(tr_ctx *ctx, void *state)
{
    struct ledger *self = state;
    (void)ctx;
    free(self->docs);
    sequence_fini(&self->sequence);
}

/* Runs on an offload thread; the store and the documents are its own until it returns. */
static tr_err write_batch(const void *arg, void *result)
{
    const struct ledger_batch *batch = arg;
    struct ledger_written *written = result;
    if (batch->noticed > 0)
        store_noticed(batch->store, batch->noticed);
    written->good = store_write(batch->store, batch->docs, batch->count, &written->why);
    return TR_OK;
}

static void acknowledge(tr_ctx *ctx, struct ledger *self)
{
    for (size_t i = 0; i < self->count; i++) {
        struct doc *doc = self->docs[i];
        bool entered = doc->what == DOC_ORDER;
        self->order_id += entered;
        tr_send(ctx, doc->order, ledger_posted, .id = entered ? self->order_id : 0,
                .state = doc->state);
    }
}

static void write_next(tr_ctx *ctx, struct ledger *self)
{
    struct doc *doc;
    if (self->writing)
        return;
    self->count = 0;
    while (self->count < self->docs_max && (doc = sequence_take(&self->sequence)) != NULL)
        self->docs[self->count++] = doc;
    if (self->count == 0)
        return;
    self->writing = true;
    if (ORDERS_PLANTED(EARLY_ACK))
        acknowledge(ctx, self);
    tr_offload(ctx, write_batch, ledger_written, ledger_batch, .store = self->store,
               .docs = self->docs, .count = self->count, .noticed = self->noticed);
}

static tr_err on_posts(tr_ctx *ctx, struct ledger *self, const struct ledger_post *const *posts,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        sequence_put(&self->sequence, posts[i]->doc);
    write_next(ctx, self);
    return TR_OK;
}

static tr_err on_written(tr_ctx *ctx, struct ledger *self, const struct ledger_written *msg)
{
    if (!msg->good) {
        gate_fail(self->gate, msg->why.text); /* The run ends; nothing more is written. */
        return TR_OK;
    }
    if (!ORDERS_PLANTED(EARLY_ACK))
        acknowledge(ctx, self);
    gate_advance(self->gate, self->docs, self->count);
    self->writing = false;
    write_next(ctx, self);
    return TR_OK;
}

static tr_err on_write_lost(tr_ctx *ctx, struct ledger *self, const struct tr_request_failed *msg)
{
    char why[160];
    (void)ctx;
    snprintf(why, sizeof(why), "a batch could not be handed to the writer: %s",
             tr_strerror(msg->reason));
    gate_fail(self->gate, why);
    return TR_OK;
}

static tr_err on_noticed(tr_ctx *ctx, struct ledger *self, const struct ledger_noticed *msg)
{
    (void)ctx;
    self->noticed = msg->position;
    return TR_OK;
}

static tr_err on_post(tr_ctx *ctx, struct ledger *self, const struct ledger_post *msg)
{
    return on_posts(ctx, self, &msg, 1);
}

#define LEDGER_HANDLERS(ON)        \
    ON(ledger_post, on_post)       \
    ON(ledger_written, on_written) \
    ON(ledger_noticed, on_noticed) \
    ON(tr_request_failed, on_write_lost)
TR_DISPATCH(ledger, LEDGER_HANDLERS);
TR_BATCH(ledger, ledger_post, on_posts);

const struct tr_actor ledger_actor = {
    .name = "ledger",
    .state_size = sizeof(struct ledger),
    .arg_size = sizeof(struct ledger_args),
    .init = ledger_init,
    .receive = ledger_receive,
    .stop = ledger_stop,
    .accepts = ledger_accepts,
    .receive_batch = ledger_receive_batch,
    .batch_type = &ledger_post_type,
    .batch_max = 1024,
};
