/* node.h - one node of the order system, or all three in one process, put together and run. */
#ifndef ORDERS_NODES_NODE_H
#define ORDERS_NODES_NODE_H

#include "messages.h"
#include "nodes/desk.h"
#include "nodes/roles.h"
#include "source.h"

#include "troupe/remote.h"

struct node_options {
    enum node_role role; /* ROLE_NONE: all of them */
    const char
        *db; /* all: of the ledger; with "-gateway" and "-processing" after it of the others */
    const char *listen;              /* HOST:PORT; NULL: a free port of this machine */
    const char *peer[ROLE_COUNT];    /* HOST:PORT */
    const struct tr_remote_tls *tls; /* NULL: plaintext, of this machine only */
    unsigned workers;
    uint64_t backlog_max; /* 0: DESK_BACKLOG_MAX */
    unsigned under_way;   /* orders between the intake and the database at most; 0: 4,096 */

    struct ord_source *source; /* gateway: orders to take in; NULL: none; borrowed */
    const char *name;          /* of the source */
    bool until_done;           /* end when they all have ended, too */
    int64_t window_s;          /* processing */
    struct payment_provider *provider;
    int64_t stock; /* ledger */
    bool stock_given;
    bool (*deliver)(void *user, const struct notice *notice); /* on a worker; may be NULL */

    void (*acknowledge)(void *user, const char *key); /* on a worker; may be NULL */
    void (*complain)(void *user, const char *sentence);
    void (*say)(void *user, enum node_role role, const char *sentence); /* on any thread */
    void *user;
};

struct node_result {
    bool has[ROLE_COUNT];
    struct role_gateway_figures gateway;
    struct desk_peer_status peer[ROLE_COUNT][ROLE_COUNT];
    uint64_t batches[ROLE_COUNT];
    double seconds; /* of the intake, from the first order to the last end; 0: none */
    bool broken;    /* the source broke off; *error says why */
    bool accounts_balance;
};

/*
 * Runs until SIGTERM or SIGINT, which it blocks for the whole process, or until_done. False: it
 * could not go on; *error says why, and started again it goes on where it was.
 */
bool node_run(const struct node_options *options, struct node_result *ret_result,
              struct ord_error *error);

#endif
