/* os/random.h - random numbers fit for secrets, from the operating system. Any thread. */
#ifndef TROUPE_OS_RANDOM_H
#define TROUPE_OS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* May block early in the machine's boot, never later. */
void tri_random_bytes(void *buffer, size_t size);
uint64_t tri_random_u64(void);

#endif
