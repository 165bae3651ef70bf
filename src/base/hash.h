/*
 * base/hash.h - hash functions. FNV-1a for names that the program chose, SipHash-2-4 for what
 * strangers may choose.
 */
#ifndef TROUPE_BASE_HASH_H
#define TROUPE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint32_t tri_fnv1a32(const void *data, size_t size);
uint64_t tri_fnv1a64(const void *data, size_t size);

/* The result is the same on all machines. */
uint64_t tri_siphash(const uint8_t key[16], const void *data, size_t size);

#endif
