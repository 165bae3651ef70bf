/*
 * base/alloc.h - the heap, with a switch that lets tests run it dry.
 *
 * All functions return NULL when memory is out. Any thread.
 */
#ifndef TROUPE_BASE_ALLOC_H
#define TROUPE_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Uninitialised; never NULL for size 0 unless memory is out. */
void *tri_malloc(size_t size) __attribute__((malloc, warn_unused_result));
/* Zeroed; NULL too when count × size does not fit into size_t. */
void *tri_calloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
/* On failure `p` stays as it was. */
void *tri_realloc(void *p, size_t size) __attribute__((warn_unused_result));
void tri_free(void *p);
char *tri_strdup(const char *text) __attribute__((malloc, warn_unused_result));

/* For tests: the next `n` allocations succeed and the one after them fails, once. -1: off. */
void tri_alloc_fail_after(int64_t n);
/* For tests: false once that allocation has failed (or when it is off). */
bool tri_alloc_fail_pending(void);
/* For other sources of memory: false if this allocation is the one to fail. */
bool tri_alloc_allowed(void);

#endif
