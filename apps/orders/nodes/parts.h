/*
 * parts.h - the roles of one node, put together: databases opened, actors spawned, desks told where
 * the others are. node.c gives them a process with threads, sockets and signals; the simulator
 * gives them its own clock, network and disk (tests/sim/pipeline).
 *
 * All of it on the thread of the system's root, except where it says otherwise.
 */
#ifndef ORDERS_NODES_PARTS_H
#define ORDERS_NODES_PARTS_H

#include "intake.h"
#include "nodes/node.h"

#include "troupe/remote.h"

struct parts {
    const struct node_options *options;
    struct ord_error *error;
    struct gate gate;
    tr_ctx *root;
    struct desk_config config[ROLE_COUNT];
    struct desk_board board[ROLE_COUNT];
    char path[ROLE_COUNT][1024];
    tr_pid desk[ROLE_COUNT];
    struct role_gateway *gateway; /* NULL for those that this node has not */
    struct role_processing *processing;
    struct role_ledger *ledger;
    struct dict *products, *countries;
    struct intake *intake;
    struct doc *docs;
    uint32_t under_way;  /* docs */
    uint64_t seq, lines; /* taken in so far */
};

/* Options and error outlive the parts. False: nothing to be undone. */
bool parts_init(struct parts *parts, const struct node_options *options, struct ord_error *error);
/* After the end of the system that they were opened on. */
void parts_fini(struct parts *parts);

bool parts_has(const struct parts *parts, enum node_role role);
/* Opens the databases and spawns the actors. */
bool parts_open(struct parts *parts, tr_ctx *root);
/* What the node's remote must be like; where it listens is the caller's to say. */
struct tr_remote_config parts_remote(void);
/* Once there is a remote: tells each desk here where the others are. */
bool parts_connect(struct parts *parts);

/* The intake, which may have a thread of its own. Whether there is room for another order; */
bool parts_may_take(struct parts *parts);
/* the same, waiting for it (false: the node has failed); */
bool parts_await_room(struct parts *parts);
/* and takes the next one in. */
enum intake_result parts_take(struct parts *parts, tr_ctx *ctx, struct ord_error *broken);

/* What a desk has last told about itself. Any thread. */
struct desk_board parts_look(struct parts *parts, enum node_role role);
/* Nothing is being written, and nothing acknowledged is left in the outboxes. Any thread. */
bool parts_settled(struct parts *parts);

#endif
