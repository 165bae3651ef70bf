/*
 * core/contain.h - the functions of an actor, called so that a contained actor's faults are its
 * failures (TR_ACTOR_CONTAINED). Contained actors are off the short path; others pay a test of
 * their flags on the slow one.
 */
#ifndef TROUPE_CORE_CONTAIN_H
#define TROUPE_CORE_CONTAIN_H

#include "base/assert.h"
#include "core/ctx.h"

enum tri_call_kind {
    TRI_CALL_INIT,
    TRI_CALL_RECEIVE,
    TRI_CALL_BATCH,
    TRI_CALL_STOP,
    TRI_CALL_RESTARTING,
    TRI_CALL_RESTARTED,
    TRI_CALL_STOPPING
};

/* Calls a function that the actor has. `what`: the message or the batch; `why`: of a restart. */
tr_err tri_actor_call(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_call_kind kind,
                      const void *what, tr_err why);

/*
 * The same for a contained actor. TR_EFAULT or TR_ELOOP if the function was abandoned; then the
 * context's failure text says what happened, the arena is empty, and the state is not to be used
 * any more: no hook will see it, and no resume. A hook's fault is logged, too.
 */
tr_err tri_contained_call(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_call_kind kind,
                          const void *what, tr_err why);

static inline tr_err tri_call(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_call_kind kind,
                              const void *what, tr_err why)
{
    if (TRI_UNLIKELY(cell->flags & TRI_CELL_CONTAINED))
        return tri_contained_call(ctx, cell, kind, what, why);
    return tri_actor_call(ctx, cell, kind, what, why);
}

/* A contained actor is being spawned: says once per system if faults will not be trapped. */
void tri_contain_spawned(struct tr_ctx *ctx);

#endif
