/*
 * core/stash.h - messages that an actor has put aside.
 *
 * The block of a message that is being handled is still the end of the mailbox's queue, so it
 * cannot be moved. What is put aside is an envelope that shares its body. Every such message
 * has a number from when it was first put aside; both lists are kept in its order.
 */
#ifndef TROUPE_CORE_STASH_H
#define TROUPE_CORE_STASH_H

#include "core/ctx.h"

struct tri_stash_list {
    struct tri_block *first;
    struct tri_block *last;
    uint32_t count;
};

struct tri_stash {
    struct tri_stash_list aside;
    struct tri_stash_list again; /* taken out: to be handled before the mailbox */
    uint64_t number;             /* of the last message that was put aside for the first time */
    struct tri_block *current;   /* one of `again` that is being handled now */
    struct tri_block *newest;    /* put aside by the handler that is running */
};

/* After a handler that has put its message aside (ctx->stashed): true if it stays aside, false
 * if the handler failed and has consumed it. */
bool tri_stash_settle(struct tr_ctx *ctx, struct tri_cell *cell, bool failed);

/* The next message to handle before the mailbox, which the caller hands back when it is
 * handled; NULL: none. */
struct tri_block *tri_stash_next(struct tr_ctx *ctx, struct tri_cell *cell);
void tri_stash_handled(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block);

/* A restart: everything is to be handled. */
void tri_stash_restart(struct tri_cell *cell);
/* The end: everything becomes dead letters. */
void tri_stash_end(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid self);

/* Messages of the actor that wait here. */
uint32_t tri_stash_waiting(const struct tri_cell *cell);

#endif
