/* tests/interleave/hooks.h - included before everything that is explored: what the compiler's
 * hooks do not see, because it is a call into the C library. */
#ifndef TROUPE_TESTS_HOOKS_H
#define TROUPE_TESTS_HOOKS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* This comes before what the files themselves ask for. */
#endif
#include <string.h>

void *tri_model_memcpy(void *to, const void *from, size_t size);
void *tri_model_memmove(void *to, const void *from, size_t size);
void *tri_model_memset(void *p, int byte, size_t size);

#define memcpy tri_model_memcpy
#define memmove tri_model_memmove
#define memset tri_model_memset

#endif
