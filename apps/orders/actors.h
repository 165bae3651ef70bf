/* actors.h - the six roles, as the flow spawns them. */
#ifndef ORDERS_ACTORS_H
#define ORDERS_ACTORS_H

#include "gate.h"
#include "messages.h"
#include "store.h"

/* One per order, spawned by the intake; ends when its customer has been told. */
struct order_peers {
    tr_pid validation, payment, inventory, ledger, notification;
    struct gate *gate;
};
extern const struct tr_actor order_actor;

extern const struct tr_actor validation_actor;

struct payment_args {
    struct payment_provider *provider;
};
extern const struct tr_actor payment_actor;

/* Reserves in the order of doc->seq, so that a run repeated after a crash ends the same. */
struct inventory_args {
    const struct store *store; /* read in init only, before the first order */
    const struct dict *products;
    uint32_t window; /* documents under way at most; a power of two */
};
extern const struct tr_actor inventory_actor;

/* Enters in the order of doc->seq, in batches, on an offload thread. */
struct ledger_args {
    struct store *store;
    struct gate *gate;
    uint32_t window;
};
extern const struct tr_actor ledger_actor;

struct notification_args {
    int64_t position; /* notices up to this order were delivered */
    tr_pid ledger;
    /* False: the notice is not on its way, and the run must not go on as if. NULL: only count. */
    bool (*deliver)(void *user, const struct notice *notice);
    void *user;
};
extern const struct tr_actor notification_actor;

#endif
