/*
 * core/watch.h - who is told when an actor ends.
 *
 * Both sides keep a list: the watched one of its watchers, the watcher of whom it watches. The
 * end of an actor reaches its watchers as a system message; a watcher that still has the actor
 * on its list crosses it out and sends itself the tr_down. So it comes exactly once.
 */
#ifndef TROUPE_CORE_WATCH_H
#define TROUPE_CORE_WATCH_H

#include "core/ctx.h"

/* WATCH, UNWATCH and PROBE, at the watched actor. */
void tri_watch_handle(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block);
/* DOWN, at the watcher. */
void tri_watch_down(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid who, tr_err reason);

#endif
