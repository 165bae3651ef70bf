/* core/offload.h - threads for work that blocks. */
#ifndef TROUPE_CORE_OFFLOAD_H
#define TROUPE_CORE_OFFLOAD_H

#include "core/ctx.h"

struct tri_offload;

/* No thread starts before the first job. */
struct tri_offload *tri_offload_create(struct tr_system *sys, unsigned threads_max);
/* Waits for the jobs under way; those that wait are dropped with the system. */
void tri_offload_destroy(struct tri_offload *offload);
/* Manual systems: runs waiting job `index`, the oldest being 0, on the caller's thread; false if
 * there is none. */
bool tri_offload_step(struct tri_offload *offload, struct tr_ctx *ctx, size_t index);
/* Manual systems: how many of the waiting jobs could be under way now. */
size_t tri_offload_ready(struct tri_offload *offload);

#endif
