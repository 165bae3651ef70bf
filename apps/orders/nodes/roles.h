/* roles.h - what the three nodes do with what their desks take in. */
#ifndef ORDERS_NODES_ROLES_H
#define ORDERS_NODES_ROLES_H

#include "messages.h"
#include "nodes/desk.h"
#include "store.h"

/* ---- Gateway: takes orders in ---------------------------------------------- */

/*
 * An order is accepted, and acknowledged, when it is in the gateway's database together with the
 * parcel for processing. The database knows accepted orders by their number, and how they ended.
 */
struct role_gateway;
struct role_gateway_options {
    const char *path;
    struct dict *products, *countries; /* borrowed; filled with what the database knows */
    struct gate *gate;                 /* lets go of documents that are on disk */
    void (*acknowledge)(void *user, const char *key); /* after the commit; may be NULL */
    void *acknowledge_user;
    void (*complain)(void *user, const struct doc *doc); /* likewise, of a refusal */
    void *complain_user;
};
struct role_gateway *role_gateway_open(const struct role_gateway_options *options,
                                       struct outbox **ret_outbox, struct ord_error *error);
void role_gateway_close(struct role_gateway *self);
extern const struct desk_ops role_gateway_ops;

/* To the gateway's desk: an order, whose document is the sender's again when the gate moves on. */
struct gateway_submit {
    struct doc *doc;
};
TR_TYPE(gateway_submit);

struct role_gateway_figures {
    uint64_t accepted, ended; /* ever; refusals are both */
    uint64_t entered, entered_lines, known, known_lines, refused, refused_lines; /* since start */
};
/* Any thread. */
void role_gateway_figures(struct role_gateway *self, struct role_gateway_figures *ret_figures);

/* ---- Processing: validation and payment ------------------------------------ */

struct role_processing;
struct role_processing_options {
    const char *path;
    int64_t window_s; /* repeated baskets closer than this are parked; 0: never */
    tr_pid validation, payment;
};
struct role_processing *role_processing_open(const struct role_processing_options *options,
                                             struct outbox **ret_outbox, struct ord_error *error);
void role_processing_close(struct role_processing *self);
extern const struct desk_ops role_processing_ops;

/* ---- Ledger: stock, books, notices ----------------------------------------- */

struct role_ledger;
struct role_ledger_options {
    const char *path;
    int64_t stock;
    bool stock_given;
};
struct role_ledger *role_ledger_open(const struct role_ledger_options *options,
                                     struct outbox **ret_outbox, struct ord_error *error);
void role_ledger_close(struct role_ledger *self);
/* Who is told of entered orders, and those that were not told of before. */
int64_t role_ledger_noticed(const struct role_ledger *self);
bool role_ledger_notify(struct role_ledger *self, tr_ctx *ctx, tr_pid notification,
                        struct ord_error *error);
extern const struct desk_ops role_ledger_ops;

#endif
