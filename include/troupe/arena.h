/*
 * troupe/arena.h - memory that belongs to an actor and goes with its state.
 */
#ifndef TROUPE_ARENA_H
#define TROUPE_ARENA_H

#include "troupe/api.h"

TR_BEGIN_DECLS

/* Most bytes in one actor's arena. */
#define TR_ARENA_MAX ((size_t)64 << 20)

/*
 * `size` zeroed bytes, aligned to 16, of the current actor. There is no free: all of it goes at
 * once, when the actor restarts (after its hooks), when it ends, and, if it is contained, when
 * it faults. So it is for what lives as long as the state does; what comes and goes belongs
 * into messages, or on the heap (and is lost with a fault). The first bytes cost a page.
 *
 * NULL above TR_ARENA_MAX in sum, at the system's memory cap, and outside of actors. Actors only.
 */
TR_API void *tr_alloc(tr_ctx *ctx, size_t size) TR_MUST_USE;

TR_END_DECLS

#endif
