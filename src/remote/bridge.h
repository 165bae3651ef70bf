/*
 * remote/bridge.h - routes: actors of other nodes that peers reach through this one.
 *
 * A message for the name of a route goes to the proxy of the actor behind it, unread, and from
 * there like any other. Nothing is remembered about who talks to whom: an actor of one side is told
 * to the other by the name of a route that leads to it, or else by an id that says all,
 *
 *     $via/CODE/SIZE/ADDRESS/ID         SIZE: of the address
 *
 * CODE is a keyed hash of the rest, so that peers reach nobody but those that were told to them.
 * Ids of an earlier run of this node do not fit its key: they lead to nobody.
 *
 * A loop is made of nodes of this library, which alone pass on, and of steps that do not shorten the
 * id, as "b/" does. Such a step is not taken from one of our nodes to another, so loops end.
 */
#ifndef TROUPE_REMOTE_BRIDGE_H
#define TROUPE_REMOTE_BRIDGE_H

#include "remote/inbound.h"

#define TRI_ROUTES_MAX 1024u

/* A tr_remote_route, taken apart. */
struct tri_bridge {
    char *name;
    char *id; /* NULL: the name ends in '/', and what follows is the id */
    char *address;
    char **types; /* NULL: all */
};

/* A message on its way through: its type's name and its encoding follow. */
struct tri_passing {
    uint32_t serializer_id;
    uint32_t type_size;
    uint64_t type_key;
};
extern const struct tr_type tri_passing_type;

/* Copies the routes. TR_EINVAL, TR_ENOMEM; `error` says which. */
tr_err tri_bridge_init(struct tr_remote *remote, const struct tr_remote_route *routes,
                       struct tr_error *error);
void tri_bridge_fini(struct tr_remote *remote);
/* TR_EINVAL: a route leads back to this node, whose addresses are known by now. */
tr_err tri_bridge_check(const struct tr_remote *remote, struct tr_error *error);
/* Whether a route leads to the node at `address`. */
bool tri_bridge_leads_to(const struct tr_remote *remote, const char *address);

/* The actor of another node behind an id of ours; nobody if there is none. `member_id` is of the
 * peer that asks. *ret_call is of a future there, or 0. */
tr_pid tri_bridge_find(struct tri_remote_io *io, const char *member_id, struct tri_name id,
                       uint64_t *ret_call);
/* The same of "$via/…" only. */
tr_pid tri_bridge_open(struct tri_remote_io *io, struct tri_name id, uint64_t *ret_call);

/*
 * How the actor `id` at `home` is told to the node of `to`: true if by an id of this node, which
 * then is in `id`; its size is 0 if it would be too long.
 */
bool tri_bridge_rename(const struct tri_link *to, const struct tri_link *home,
                       char id[TRI_ID_SIZE_MAX + 1], uint32_t *size);
/* Whether `from`, an actor of another node or nobody, can be told to the node of `to`. */
bool tri_bridge_can_tell(struct tr_remote *remote, tr_pid to, tr_pid from);

/* Passes on what has arrived for a remote PID; false: there is no room for it, and it may `wait`. */
bool tri_bridge_pass(const struct tri_arrival *arrival, bool wait);
/* What leaves of a message on its way through. */
void tri_bridge_unpack(const void *body, size_t size, struct tri_outgoing *out);

#endif
