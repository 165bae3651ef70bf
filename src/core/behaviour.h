/* core/behaviour.h - back to what the actor's own table says. */
#ifndef TROUPE_CORE_BEHAVIOUR_H
#define TROUPE_CORE_BEHAVIOUR_H

struct tr_ctx;
struct tri_cell;

/* Before a restart. */
void tri_behaviour_reset(struct tr_ctx *ctx, struct tri_cell *cell);

#endif
