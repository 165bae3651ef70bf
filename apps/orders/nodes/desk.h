/*
 * desk.h - the actor through which a node keeps its state and speaks with its peers. It gathers
 * what is to be written, hands it to a writer thread in batches (one transaction each: the role's
 * own state, parcels for others, and which parcels have their effect), and then tells the peers.
 *
 *   parcel ─ taken ─→ role ─ ready ─→ in sequence ─→ written ─→ acknowledged
 *                                                       └→ outbox ─→ sent ─→ forgotten
 *
 * What a role does is in role_*.c.
 */
#ifndef ORDERS_NODES_DESK_H
#define ORDERS_NODES_DESK_H

#include "gate.h"
#include "nodes/outbox.h"
#include "nodes/parcel.h"
#include "nodes/post.h"

#include "troupe/troupe.h"

#include <pthread.h>

#define DESK_BATCH_MAX 1024u
#define DESK_TICK_MS 50u
/* Parcels kept for a peer at most, unless told otherwise; beyond that nothing more is taken on. */
#define DESK_BACKLOG_MAX UINT64_C(1000000)

struct door_order;

/* Something to be written: a parcel, or what comes from this node itself. */
struct desk_item {
    struct desk_item *next;
    enum node_role from; /* ROLE_NONE: from here */
    uint64_t number;     /* of the parcel */
    enum parcel_kind kind;
    bool ready;
    struct doc *doc;            /* from here: borrowed, or within `door` */
    struct door_order *door;    /* one that came as a message; owned */
    struct parcel_order *order; /* PARCEL_ORDER; owned */
    struct parcel_end *ends;    /* PARCEL_ENDS; owned */
    size_t end_count;
    struct parcel_refund refund;
    uint64_t call; /* the request that is out for it */
    unsigned attempts;
    uint8_t result;   /* the role's */
    int64_t order_id; /* the ledger's */
};

struct desk;
struct desk_job;

/* A role. `state` is its own; the desk passes it on. */
struct desk_ops {
    enum node_role role;
    const char *away[ROLE_COUNT]; /* what is not served while that peer is away, and what is */
    /* On the desk's worker. Takes a parcel in, sooner or later desk_ready(). False: no sense in it. */
    bool (*take)(tr_ctx *ctx, struct desk *desk, void *state, struct desk_item *item,
                 struct ord_error *error);
    /* Before a batch; true if the role has something to write besides items. May be NULL. */
    bool (*prepare)(void *state);
    /* On the writer's thread, within the transaction; a list of items, in sequence. */
    bool (*write)(void *state, struct outbox *outbox, struct desk_item *items,
                  struct ord_error *error);
    /* On the desk's worker, when it is on disk. The items are freed afterwards. */
    void (*written)(tr_ctx *ctx, struct desk *desk, void *state, struct desk_item *items);
    /* Other messages. */
    tr_err (*receive)(tr_ctx *ctx, struct desk *desk, void *state, const tr_msg *msg);
};

struct desk_peer_status {
    bool configured, up;
    enum post_trouble trouble;
    uint64_t kept, acked, applied, repeated, went_back;
};
/* What other threads may know, as of the last tick or batch. */
struct desk_board {
    pthread_mutex_t lock;
    struct desk_peer_status peer[ROLE_COUNT];
    uint64_t open; /* items taken on and not yet written */
    uint64_t batches;
    bool tidy; /* nothing acknowledged is left in the outbox */
    bool failed;
};

struct desk_config {
    const struct desk_ops *ops;
    void *state;
    struct outbox *outbox;
    struct gate *gate; /* fails when the database does */
    struct desk_board *board;
    uint64_t backlog_max;
    void (*say)(void *user, enum node_role role, const char *sentence); /* on a worker */
    void *user;
    struct desk_job *job; /* from desk_prepare() */
};
/* False when memory is short. */
bool desk_prepare(struct desk_config *config);
/* After the end of the system. */
void desk_fini(struct desk_config *config);

struct desk_args {
    const struct desk_config *config; /* outlives the desk */
};
extern const struct tr_actor desk_actor;

/* Where the desks of the peers are: TR_NOBODY for none. */
struct desk_peers {
    tr_pid pid[ROLE_COUNT];
};
TR_TYPE(desk_peers);

/* For roles, on the desk's worker. */
void desk_ready(tr_ctx *ctx, struct desk *self, struct desk_item *item);
/* Enters what comes from here; ready at once. `door` is *taken*; NULL where it is none. */
void desk_enter(tr_ctx *ctx, struct desk *self, struct doc *doc, struct door_order *door);

#endif
