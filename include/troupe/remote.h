/*
 * troupe/remote.h - actors of other nodes.
 *
 * A node speaks the protocol of Proto.Actor (gRPC over HTTP/2): other Troupe nodes, protoactor-go
 * of both of its dialects, and Proto.Actor for .NET. Its actors have PIDs like all others, so
 * everything that takes a PID works across nodes: sending, requests, replies, watching, stopping.
 * What crosses has a codec (troupe/codec.h); everything else becomes a dead letter here.
 *
 * Messages between two actors keep their order and arrive at most once. What was queued for a
 * node that cannot be reached becomes dead letters (TR_DEAD_LINK); what was written to a link that
 * then broke is counted as unknown (tr_accounts), because nobody can know.
 *
 * Calls are for any thread unless they say otherwise. Link with libtroupe_node.
 */
#ifndef TROUPE_REMOTE_H
#define TROUPE_REMOTE_H

#include "troupe/actor.h"
#include "troupe/request.h"
#include "troupe/system.h"

TR_BEGIN_DECLS

typedef struct tr_remote tr_remote;

/* ---- Configuration ------------------------------------------------------- */

/* How a peer speaks. Detected and remembered per address unless it is given. */
enum tr_dialect {
    TR_DIALECT_DETECT,
    TR_DIALECT_A,     /* protoactor-go until 2025-08-12: targets are PIDs */
    TR_DIALECT_B,     /* protoactor-go since then: targets are ids */
    TR_DIALECT_DOTNET /* as B, with the names and codes of Proto.Actor for .NET */
};

struct tr_remote_peer {
    const char *address; /* "host:port" */
    enum tr_dialect dialect;
};

/* An actor that other nodes may spawn here by the name of its kind (tr_remote_spawn). */
struct tr_remote_kind {
    const char *kind;
    struct tr_spawn_args args; /* borrowed as for tr_spawn(); `name` is not used */
};

/*
 * An actor of another node that peers may reach through this one, as if it were ours. Nodes that
 * cannot talk to each other can that way, above all those of the two dialects of protoactor-go.
 *
 *     {"ledger", "ledger@10.0.0.7:8090"}    the actor `ledger` here stands for that one
 *     {"b/", "10.0.0.7:8090"}               `b/NAME` here stands for NAME there, for every NAME
 *
 * Messages pass unread, types that this node does not know as well. Each side knows the actors of
 * the other by names of this node only, so answers, watches, stops and failures find their way back
 * as they found it there; PIDs within messages of the user's are not rewritten. Actors of our own
 * come before routes of the same name, exact names before others, and long ones before short ones.
 * The address must be the one that the other node gives itself. From one Troupe node to another
 * only routes that end in '/' pass on, so that nothing goes in circles.
 */
struct tr_remote_route {
    const char *name;         /* "$…" and "/…" are not possible */
    const char *to;           /* "id@host:port"; "host:port" if the name ends in '/' */
    const char *const *types; /* NULL-terminated names of message types that may pass; NULL: all */
};

/* What peers may do to our actors besides sending messages. */
#define TR_REMOTE_WATCH 1u /* be told when one ends */
#define TR_REMOTE_STOP 2u  /* Stop and PoisonPill */
#define TR_REMOTE_SPAWN 4u /* spawn the kinds of the configuration */
#define TR_REMOTE_LIST 8u  /* ask which actors there are */
#define TR_REMOTE_DEFAULT (TR_REMOTE_WATCH | TR_REMOTE_STOP | TR_REMOTE_SPAWN | TR_REMOTE_LIST)
#define TR_REMOTE_NOTHING (1u << 31) /* for `allow`: none of them */

/* TLS for both directions; all paths are of PEM files. */
struct tr_remote_tls {
    const char *certificate_file; /* with the chain behind it */
    const char *key_file;
    const char *ca_file; /* peers must have a certificate of these */
};

/*
 * All zero is a node that can be reached from this machine only. Texts and arrays are copied,
 * what they point to as types, kinds and actors is borrowed for the life of the system.
 */
struct tr_remote_config {
    const char *listen;         /* "host:port"; NULL: "127.0.0.1:0", any free port */
    const char *advertise;      /* "host:port" by which others reach us; NULL: what we listen on */
    const char *const *aliases; /* NULL-terminated: further addresses that mean this node */
    bool dial_only;             /* cannot be reached: replies come over the links we make */
    bool plaintext;             /* allow plaintext on addresses beyond loopback */
    const struct tr_remote_tls *tls;

    const struct tr_type *const *types;         /* NULL-terminated: message types that may cross */
    const struct tr_type *const *types_refused; /* of these, what may only go out */
    const struct tr_remote_kind *kinds;         /* ends with kind NULL */
    const struct tr_remote_peer *peers;         /* ends with address NULL: known dialects */
    const struct tr_remote_route *routes;       /* ends with name NULL; at most 1,024 */
    /* Addresses that we dial and that may connect, NULL-terminated: "host:port", "host:*", or a
     * name of a certificate. NULL: all. */
    const char *const *peers_allowed;
    unsigned allow; /* TR_REMOTE_…; 0: TR_REMOTE_DEFAULT */

    /* Links. The overflow policy is of what finds the queue full: TR_REFUSE (dead letter),
     * TR_DROP_NEWEST, or TR_QUEUE (up to queue_bytes_total). With TR_DELAY and TR_DROP_OLDEST the
     * newest queue_messages for each actor there wait as in a bounded mailbox of its own: what
     * comes beyond holds its sender back, or drops the oldest of them. Control messages and types
     * marked durable are never dropped. tr_try_send() returns TR_EFULL in all cases, and a little
     * earlier, so that what others send beside it finds room. */
    size_t queue_bytes;       /* per link; 0: 16 MiB */
    size_t queue_bytes_total; /* all links together; 0: 256 MiB */
    uint32_t queue_messages;  /* per actor there, beside the queue; 0: 1,024 */
    enum tr_overflow overflow;
    size_t batch_bytes;      /* most bytes of one batch we send; 0: 64 KiB; 16 KiB … 4,000,000 */
    unsigned backoff_ms_min; /* first delay before dialling again; 0: 100 */
    unsigned backoff_ms_max; /* 0: 10,000 */
    unsigned give_up_ms;     /* what is queued for a node that cannot be reached is given up after
                                so long; 0: 5,000 */
    unsigned idle_ms;        /* a link with nothing to do for so long is closed; 0: 300,000 */
    /* A link whose peer's host answers nothing for so long is lost, give or take a sixth of it, also
     * when there is nothing to send; so is one whose peer takes nothing off our hands. 0: 120,000;
     * 2,000 to 600,000. */
    unsigned lost_ms;

    /* Bounds on what peers can make us hold. */
    size_t message_bytes;        /* most bytes of one incoming gRPC message; 0: 64 MiB */
    unsigned links_max;          /* addresses known at a time; 0: 4,096 */
    unsigned remote_pids_max;    /* actors of other nodes known at a time; 0: 1,048,576 */
    unsigned watches_max;        /* by one peer on our actors; 0: 65,536 */
    unsigned remote_spawned_max; /* actors that peers have spawned here; 0: 65,536 */

    unsigned io_threads; /* 0: 1 */
};

/* ---- Start and stop ------------------------------------------------------ */

/*
 * Makes `sys` a node: listens, and serves. At most once per system; of the thread that created it.
 * The system owns *ret_remote, which is valid until tr_system_destroy(). TR_EINVAL (a value out of
 * its bounds, plaintext beyond loopback), TR_EIO (cannot listen), TR_EEXIST, TR_ENOMEM; `error`
 * (may be NULL) then says which value and why.
 */
TR_API TR_MUST_USE tr_err tr_remote_start(tr_system *sys, const struct tr_remote_config *config,
                                          tr_remote **ret_remote, struct tr_error *error);

/*
 * Leaves: tells the peers, writes what is queued, closes all links. What is left at the deadline
 * becomes dead letters; actors of other nodes are gone then, and their watchers told. TR_OK, or
 * TR_ETIMEDOUT. Before tr_system_stop(), of the thread that created the system. Again it does
 * nothing.
 */
TR_API tr_err tr_remote_stop(tr_remote *remote, unsigned deadline_ms);

/* The advertised address, and the id that peers know this run of the node by; for as long as the
 * remote. */
TR_API const char *tr_remote_address(const tr_remote *remote);
TR_API const char *tr_remote_system_id(const tr_remote *remote);

/* ---- Actors of other nodes ----------------------------------------------- */

/*
 * The actor `id` of the node at `address` ("host:port", at most TR_ADDRESS_SIZE_MAX bytes). Never
 * blocks: whether they exist is found out by sending or watching. An address of this node gives
 * the local actor. tr_lookup(ctx, "id@host:port") is the same. Nobody (tr_pid_err()): TR_EINVAL,
 * TR_EDENIED (no allowed peer), TR_EFULL (links_max, remote_pids_max), TR_ENOMEM, TR_ECLOSING,
 * TR_ENOACTOR (none of ours).
 */
TR_API tr_pid tr_remote_pid(tr_ctx *ctx, const char *address, const char *id) TR_MUST_USE;
#define TR_ADDRESS_SIZE_MAX 255u

/*
 * Writes "id@host:port" of an actor, as other nodes know it, cut to `text_size` bytes; returns
 * whether it is known. Local actors without a name have an id that begins with '$'.
 */
TR_API bool tr_pid_text(tr_ctx *ctx, tr_pid pid, char *ret_text, size_t text_size);

/*
 * Spawns an actor of `kind` at another node; `name` may be "" (the node chooses). A request whose
 * answer is a tr_remote_spawned; tr_request_failed comes instead as for tr_request(). Returns the
 * call's number. Actors only.
 */
TR_API uint64_t tr_remote_spawn(tr_ctx *ctx, const char *address, const char *kind,
                                const char *name, unsigned timeout_ms);

struct tr_remote_spawned {
    tr_pid pid; /* with TR_OK and TR_EEXIST */
    tr_err err; /* TR_EEXIST: the name is taken; TR_EPEER: the node could not; TR_ETIMEDOUT;
                    TR_ENOACTOR: it spawns nothing */
    int status; /* as the node sent it */
};
TR_API extern const struct tr_type tr_remote_spawned_type;

/*
 * Which of its named actors another node has: a request whose answer is a tr_remote_listing;
 * tr_request_failed comes instead as for tr_request(). `pattern` is a part of the name ("": all),
 * with `exact` the whole of it. TR_ENOTSUP unless the node is known to be one of Troupe's, which
 * it is once there has been a link to it: nodes of protoactor-go end when they are asked this.
 * TR_EDENIED: it does not tell us. Returns the call's number. Actors only.
 */
TR_API uint64_t tr_remote_list(tr_ctx *ctx, const char *address, const char *pattern, bool exact,
                               unsigned timeout_ms);

struct tr_remote_listing {
    uint32_t count;     /* at most 10,000 */
    uint32_t text_size; /* bytes of the ids, which follow */
};
/* The ids, one after the other, each with a NUL behind it. */
static inline const char *tr_remote_listing_ids(const struct tr_remote_listing *listing)
{
    return (const char *)(listing + 1);
}
TR_API extern const struct tr_type tr_remote_listing_type;

/* Reads the files of `tls` anew, for connections from now on; on failure all stays as it was.
 * TR_ENOTSUP without TLS, else the errors of tr_remote_start(). */
TR_API TR_MUST_USE tr_err tr_remote_reload_tls(tr_remote *remote, struct tr_error *error);

/* The node that has that system id is refused from now on; links with it end within a second or
 * two. For good: a node that is started anew has another id. TR_EFULL, TR_ENOMEM. */
TR_API TR_MUST_USE tr_err tr_remote_block(tr_remote *remote, const char *system_id);

/* ---- Links --------------------------------------------------------------- */

enum tr_link_state {
    TR_LINK_IDLE,
    TR_LINK_CONNECTING,
    TR_LINK_UP,
    TR_LINK_WAITING,
    TR_LINK_CLOSING
};

/* Figures of one link: each is exact, they are read one after the other. */
struct tr_link_stats {
    char address[TR_ADDRESS_SIZE_MAX + 1];
    char system_id[64]; /* of the peer; "": it has not accepted us yet */
    enum tr_link_state state;
    enum tr_dialect dialect; /* TR_DIALECT_DETECT: not known yet */
    unsigned attempts;       /* failed in a row */
    uint64_t sent;           /* messages written */
    uint64_t received;
    uint64_t batches_sent;
    uint64_t batches_received;
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t queued;       /* messages */
    uint64_t queued_bytes; /* of their encoding */
    uint64_t refused;      /* found the queue full */
    uint64_t dead;         /* queued, and never written */
    uint64_t unknown;      /* written to a link that broke */
    uint64_t rejected;     /* incoming messages not taken: type, peer or limit */
    uint64_t connects;     /* handshakes done */
    uint64_t forwarded;    /* messages of other nodes taken on for this one (routes) */
};

/* Fills in up to `count_max` links; how many there are. */
TR_API size_t tr_remote_links(tr_remote *remote, struct tr_link_stats *ret_links, size_t count_max);

TR_END_DECLS

#endif
