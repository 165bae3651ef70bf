/*
 * troupe/node.h - a node: an actor system, its place among others, signals, and an orderly end,
 * put together.
 *
 *     struct tr_node_config config = {.remote = {.types = types, .listen = "127.0.0.1:9000"}};
 *     tr_node *node;
 *     struct tr_error error;
 *     if (tr_node_start(&node, &config, &error)) …
 *     tr_pid shop = tr_spawn(tr_node_ctx(node), &shop_actor, .name = "shop");
 *     tr_err err = tr_node_run(node);
 *     tr_node_destroy(node);
 *
 * Link with libtroupe_node.
 */
#ifndef TROUPE_NODE_H
#define TROUPE_NODE_H

#include "troupe/remote.h"
#include "troupe/system.h"

TR_BEGIN_DECLS

typedef struct tr_node tr_node;

/* All zero: a system with one worker per core that others on this machine can reach. */
struct tr_node_config {
    struct tr_config system;
    struct tr_remote_config remote;
    bool local;       /* no remoting: nobody can reach it, and it reaches nobody */
    bool no_signals;  /* SIGINT and SIGTERM stay the program's */
    unsigned stop_ms; /* for an orderly end; 0: 10,000 */
};

/*
 * Sets a field of the configuration from a text, as command lines and files have it: "listen",
 * "advertise", "workers", "memory-max", "queue-bytes", "queue-messages", "batch-bytes",
 * "overflow" (refuse, drop-newest, drop-oldest, delay, queue), "backoff-ms-min",
 * "backoff-ms-max", "give-up-ms", "idle-ms", "lost-ms", "io-threads", "plaintext" (yes, no),
 * "stop-ms". Sizes may end in k, m or g. Texts are borrowed. TR_EINVAL;
 * `error` (may be NULL) then names key, value and what is wanted.
 */
TR_API TR_MUST_USE tr_err tr_node_configure(struct tr_node_config *config, const char *key,
                                            const char *value, struct tr_error *error);

/*
 * Starts system and remoting. Before other threads of the program, unless no_signals is set, since
 * it holds SIGINT and SIGTERM back for tr_node_run(). Errors of tr_system_create_() and
 * tr_remote_start(); then nothing is left behind.
 */
TR_API TR_MUST_USE tr_err tr_node_start(tr_node **ret_node, const struct tr_node_config *config,
                                        struct tr_error *error);

TR_API tr_system *tr_node_system(tr_node *node);
/* The context of the thread that started the node. */
TR_API tr_ctx *tr_node_ctx(tr_node *node);
/* NULL if the node is local. */
TR_API tr_remote *tr_node_remote(tr_node *node);

/*
 * Returns when the node is to end: SIGINT, SIGTERM or tr_node_quit() (TR_OK), or the system has
 * failed (its error, tr_system_failure() says more). Of the thread that started it.
 */
TR_API tr_err tr_node_run(tr_node *node);

/* Makes tr_node_run() return. Any thread, also an actor's. */
TR_API void tr_node_quit(tr_node *node);

/*
 * The orderly end, within stop_ms: leaves the other nodes, then stops the system, which works off
 * what is queued. A signal that comes meanwhile ends the process. TR_OK, or TR_ETIMEDOUT: what was
 * left has become dead letters. Again it does nothing. Of the thread that started it.
 */
TR_API tr_err tr_node_stop(tr_node *node);

/* Frees everything; stops first if need be. NULL is fine. */
TR_API void tr_node_destroy(tr_node *node);

TR_END_DECLS

#endif
