/* core/watch.h - who is told when an actor ends. */
#ifndef TROUPE_CORE_WATCH_H
#define TROUPE_CORE_WATCH_H

#include "core/ctx.h"

/* WATCH, UNWATCH and PROBE, at the watched actor. */
void tri_watch_handle(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block);
/* Sends one watcher its tr_down. */
void tri_watch_tell(struct tr_ctx *ctx, tr_pid watcher, tr_pid who, tr_err reason);

#endif
