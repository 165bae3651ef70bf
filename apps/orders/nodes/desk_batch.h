/* desk_batch.h - what the desk's actor and its writer share: one batch. */
#ifndef ORDERS_NODES_DESK_BATCH_H
#define ORDERS_NODES_DESK_BATCH_H

#include "nodes/desk.h"

struct desk_batch {
    struct desk_job *job;
};
struct desk_batch_written {
    bool good;
    struct ord_error why;
};
TR_TYPE(desk_batch);
TR_TYPE(desk_batch_written);

/* One batch; the writer's while the desk is busy. It outlives the desk: an actor may be stopped while
 * the writer works. */
struct desk_job {
    const struct desk_config *config;
    struct desk_item *items;
    bool writes;
    struct {
        uint64_t meet, forget, applied; /* 0: nothing of the kind */
        uint64_t after, window, bytes;  /* what may be sent */
    } peer[ROLE_COUNT];
    struct outbox_parcel *fetched;
};

/* How many there were. */
uint64_t desk_items_free(struct desk_item *items);
/* Runs on an offload thread; the job and the database are its own until it returns. */
tr_err desk_write_batch(const void *arg, void *result);

#endif
