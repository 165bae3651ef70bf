/* alloc.h - the order system's own allocations, made to fail. Included before all else by the
 * sources of the order system that the simulation compiles. */
#ifndef SIM_ORDERS_ALLOC_H
#define SIM_ORDERS_ALLOC_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void *sim_malloc(size_t size);
void *sim_calloc(size_t count, size_t size);
void *sim_realloc(void *memory, size_t size);
char *sim_strdup(const char *text);

/* The next `n` allocations succeed and the one after them fails, once. -1: off. Those of SQLite
 * count apart. */
void sim_alloc_fail(long n);
void sim_sqlite_alloc_fail(long n);
/* One is still to fail. */
bool sim_alloc_pending(void);
/* Before SQLite is used. */
void sim_alloc_install(void);

#ifdef SIM_ORDERS_ALLOC
#define malloc sim_malloc
#define calloc sim_calloc
#define realloc sim_realloc
#undef strdup
#define strdup sim_strdup
#endif

#endif
