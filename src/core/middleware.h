/*
 * core/middleware.h - how chains of middleware are called.
 *
 * receive: the cell's table is a tri_kind whose receive function walks the chain. send: all PIDs
 * of a system that wants it carry TRI_GEN_SHOWN, so that delivery leaves the short path. spawn:
 * asked for by every tr_spawn().
 */
#ifndef TROUPE_CORE_MIDDLEWARE_H
#define TROUPE_CORE_MIDDLEWARE_H

#include "core/ctx.h"
#include "troupe/middleware.h"

/* What the system's chain wants to see: bits of tr_system.shown. */
#define TRI_SHOW_RECEIVE 1u
#define TRI_SHOW_SEND 2u
#define TRI_SHOW_SPAWN 4u

uint32_t tri_middleware_shown(const struct tr_middleware *const *chain);
/* The number of elements; more than TR_MIDDLEWARE_MAX: too many. */
uint32_t tri_middleware_count(const struct tr_middleware *const *chain);

tr_err tri_middleware_receive(tr_ctx *ctx, void *state, const tr_msg *msg);
tr_err tri_middleware_receive_batch(tr_ctx *ctx, void *state, const struct tr_batch *batch);
/* `block` is taken, and was counted as accepted. */
void tri_middleware_send(struct tr_ctx *ctx, tr_pid to, struct tri_block *block);
tr_pid tri_middleware_spawn(struct tr_ctx *ctx, const struct tr_spawn_args *args);

#endif
