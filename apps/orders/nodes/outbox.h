/*
 * outbox.h - what a node keeps in its database for its peers, in the same transaction as its own
 * state: parcels until they are acknowledged, and up to which number each peer's have their
 * effect here (the inbox). The desk's writer uses it, on one thread at a time.
 */
#ifndef ORDERS_NODES_OUTBOX_H
#define ORDERS_NODES_OUTBOX_H

#include "text.h"

/* Stored in the database: append only. */
enum node_role { ROLE_NONE, ROLE_GATEWAY, ROLE_PROCESSING, ROLE_LEDGER, ROLE_COUNT };
const char *node_role_name(enum node_role role);
/* ROLE_NONE: no such role. */
enum node_role node_role_of(const char *name);

/* What a parcel holds; stored, too. */
enum parcel_kind {
    PARCEL_ORDER = 1, /* gateway to processing, processing to ledger: an order or a refusal */
    PARCEL_ENDS = 2,  /* ledger to gateway: how orders have ended */
    PARCEL_REFUND = 3 /* ledger to processing: give back what was captured */
};

#define PARCEL_SIZE_MAX (48u << 20)

struct sqlite3;
struct outbox;

/* Opens or creates the database of a gateway or processing node: `schema` makes its own tables. */
struct outbox *outbox_open(const char *path, enum node_role role, const char *schema,
                           struct ord_error *error);
/* The same within a database that someone else has opened and will close: the ledger's. */
struct outbox *outbox_within(struct sqlite3 *db, const char *path, enum node_role role,
                             struct ord_error *error);
void outbox_close(struct outbox *outbox); /* NULL is fine */

struct sqlite3 *outbox_connection(struct outbox *outbox);
/* Says why SQLite refused; returns false. */
bool outbox_failed(struct outbox *outbox, const char *doing, struct ord_error *error);

/* A random number that the database was given when it was made. */
uint64_t outbox_identity(const struct outbox *outbox);

/* What is known of a peer. */
struct outbox_peer {
    uint64_t identity; /* of its database; 0: never met */
    uint64_t kept;     /* number of the last parcel for it */
    uint64_t acked;    /* up to here they are no longer here */
    uint64_t applied;  /* up to here its parcels have their effect */
};
const struct outbox_peer *outbox_peer(const struct outbox *outbox, enum node_role peer);

bool outbox_begin(struct outbox *outbox, struct ord_error *error);
bool outbox_commit(struct outbox *outbox, struct ord_error *error);
void outbox_rollback(struct outbox *outbox);

/* Within a transaction. */
bool outbox_put(struct outbox *outbox, enum node_role to, enum parcel_kind kind, const void *body,
                size_t size, struct ord_error *error);
bool outbox_applied(struct outbox *outbox, enum node_role from, uint64_t number,
                    struct ord_error *error);
bool outbox_meet(struct outbox *outbox, enum node_role peer, uint64_t identity,
                 struct ord_error *error);
bool outbox_forget(struct outbox *outbox, enum node_role to, uint64_t number,
                   struct ord_error *error);

/* A parcel out of the outbox. */
struct outbox_parcel {
    struct outbox_parcel *next;
    uint64_t number;
    enum node_role to;
    enum parcel_kind kind;
    uint32_t size;
    uint8_t body[];
};
/* At most `count` parcels after `number`, in order, no more than `bytes` but for the first one.
 * They are added after *tail, one malloc() each; the new tail is returned, NULL on failure. */
struct outbox_parcel **outbox_fetch(struct outbox *outbox, enum node_role to, uint64_t number,
                                    uint64_t count, uint64_t bytes, struct outbox_parcel **tail,
                                    struct ord_error *error);

#endif
