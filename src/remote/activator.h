/*
 * remote/activator.h - spawning for other nodes, and by them.
 *
 * The activator is an actor: what peers have it spawn are its children. It is known to others as
 * `activator`, and as `$activator` to nodes of .NET, which have other status codes.
 */
#ifndef TROUPE_REMOTE_ACTIVATOR_H
#define TROUPE_REMOTE_ACTIVATOR_H

#include "remote/node.h"

/* Both ways: from a peer to the activator, and from an actor here to that of a peer. */
struct tri_spawn_request {
    bool dotnet;
    char kind[TR_NAME_SIZE_MAX + 1];
    char name[TR_NAME_SIZE_MAX + 1];
};
extern const struct tr_type tri_spawn_request_type;

/* What the activator answers; a peer gets it as an ActorPidResponse. */
struct tri_spawn_answer {
    tr_pid pid;
    int32_t status; /* as the asker's kind of node counts them */
};
extern const struct tr_type tri_spawn_answer_type;

/* Starts it. Nobody: see tr_pid_err(). */
tr_pid tri_activator_spawn(struct tr_remote *remote, tr_ctx *ctx);
/* What a peer's status means here. */
tr_err tri_spawn_status_err(int32_t status, bool dotnet);

#endif
