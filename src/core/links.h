/*
 * core/links.h - actors that fail together.
 *
 * Both sides keep the other on a list. Who loses his state by a failure (a restart, or an end
 * with an error) tells all on his list and forgets them; who is told and still has the sender on
 * his list crosses him out and fails. So it happens exactly once, and a circle of links comes to
 * rest. Who ends without an error is only crossed out.
 */
#ifndef TROUPE_CORE_LINKS_H
#define TROUPE_CORE_LINKS_H

#include "core/ctx.h"

/* LINK and UNLINK, at the other side. */
void tri_links_handle(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block);
/* LINK_FAILED: `who` has lost its state by `err`. */
void tri_links_failed(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid who, tr_err err);
/* The actor was suspended and goes on: a failure that came meanwhile is not lost. */
void tri_links_resumed(struct tr_ctx *ctx, struct tri_cell *cell);
/* `self` has lost its state by `reason`, or has ended (TR_OK). */
void tri_links_tell(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid self, tr_err reason);

#endif
