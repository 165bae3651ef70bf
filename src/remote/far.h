/*
 * remote/far.h - actors of other nodes, as this one knows them: proxies in the PID table, found by
 * link and id or by PID.
 *
 * One is made when it is asked for by name or when it sends something, and stays while somebody
 * here waits for it or it watches somebody here; those that only sent something are forgotten
 * when they have not been used for a while. Futures of protoactor-go, one per request, are not
 * kept at all: one proxy per link stands for all of them, and the call's number says which.
 */
#ifndef TROUPE_REMOTE_FAR_H
#define TROUPE_REMOTE_FAR_H

#include "core/cold.h"
#include "remote/link.h"

/* An actor here, or behind a route of ours, that it watches, and the id by which it knows it. */
struct tri_watched {
    struct tri_watched *next;
    tr_pid pid;
    uint32_t id_size;
    char id[];
};

/* Somebody here waits for it: it is watched or linked, or a call wants to know of its end. */
#define TRI_FAR_WATCHED 1u
#define TRI_FAR_PROBED 2u

struct tri_far {
    struct tri_proxy proxy;
    struct tri_link *link;
    tr_pid pid;
    /* Under the table's lock. */
    struct tri_far *by_id_next, *by_pid_next;
    struct tri_far *link_next, *link_prev;
    struct tri_watched *watched;
    bool kept;                     /* asked for by name */
    TRI_ATOMIC(uint32_t) used_s;   /* of the node's clock */
    TRI_ATOMIC(uint32_t) interest; /* TRI_FAR_…: written by the worker */
    TRI_ATOMIC(bool) leaving;      /* it is out of the table */
    struct tri_far *held_next;     /* under the link's lock, as `held` */
    bool held;
    uint32_t hash;
    uint32_t id_size;
    char id[];
};

/* What a context knows of an actor that it has sent to, so that it need not look it up again. That
 * never becomes wrong: a PID has one link and one id for ever. */
struct tri_known {
    tr_pid pid; /* nobody: nothing is known here */
    struct tri_link *link;
    struct tri_route route; /* of the last message */
    uint32_t id_size;
    char id[TRI_ID_SIZE_MAX + 1];
};
/* Of each context, by slot. */
#define TRI_KNOWN_COUNT 128u

/* Parts of the transport port (far.c). */
int tri_far_carry(void *self, struct tr_ctx *ctx, const struct tri_outward *out);
tr_err tri_far_room(void *self, struct tr_ctx *ctx, tr_pid pid);

tr_err tri_table_init(struct tr_remote *remote);
void tri_table_fini(struct tr_remote *remote);

/* The link to an address; made if need be. `admitted`: whoever is there has shown a name that is
 * allowed, so the address need not be. NULL and *ret_err: TR_EDENIED, TR_EFULL, TR_ENOMEM,
 * TR_ECLOSING, TR_EINVAL. Any thread. */
struct tri_link *tri_table_link(struct tr_remote *remote, struct tri_name address, bool admitted,
                                tr_err *ret_err);
/* The same if it is there already. */
struct tri_link *tri_table_find(struct tr_remote *remote, struct tri_name address);
/* "host:port" with a port, or a client's name. */
bool tri_table_is_address(struct tri_name address);
/* Calls `each` for all links to the node with that member id, under the lock. */
void tri_table_member(struct tr_remote *remote, const char *member_id,
                      void (*each)(void *user, struct tri_link *link), void *user);

/* The proxy of an actor; `kept`: until the end of the system. Nobody: see tri_table_link(). */
tr_pid tri_far_get(struct tri_link *link, struct tr_ctx *ctx, struct tri_name id, bool kept);
/* The same if it is there already. */
tr_pid tri_far_find(struct tri_link *link, struct tri_name id);
tr_pid tri_far_find_locked(struct tri_link *link, struct tri_name id);
/* The one that stands for the link's futures. */
tr_pid tri_far_future(struct tri_link *link, struct tr_ctx *ctx);
/* The link of a remote PID; NULL if it is none (any more). */
struct tri_link *tri_far_link(struct tr_remote *remote, tr_pid pid);
/* Address and id of a remote PID; false if it is none (any more). `ret_link` may be NULL. */
bool tri_far_name(struct tr_remote *remote, tr_pid pid, char id[TRI_ID_SIZE_MAX + 1],
                  uint32_t *ret_id_size, struct tri_link **ret_link);

/* An actor there watches one of ours. TR_EFULL, TR_ENOMEM. */
tr_err tri_far_watches(struct tri_link *link, struct tr_ctx *ctx, tr_pid far, tr_pid local,
                       struct tri_name local_id);
void tri_far_unwatches(struct tri_link *link, struct tr_ctx *ctx, tr_pid far, tr_pid local);

/* Whether somebody here waits for an actor of that link. */
bool tri_far_awaited(struct tri_link *link);
/* Who waits here for actors of that link is told that they are gone. */
void tri_far_down(struct tri_link *link, struct tr_ctx *ctx, tr_err reason);
/* What actors of that link watch here is not watched any more; whether there was any. */
bool tri_far_forget_watches(struct tri_link *link, struct tr_ctx *ctx);

/* Forgets some that have not been used. */
void tri_table_sweep(struct tr_remote *remote, struct tr_ctx *ctx, uint32_t now_s);
/* Ends all. No link or proxy is made any more. */
void tri_table_close(struct tr_remote *remote, struct tr_ctx *ctx);

/* What an actor of another node does with what it is sent (far.c). */
extern const struct tri_proxy tri_far_proxy;

#endif
