/* os/memory.h - memory in pages, straight from the operating system. Any thread. */
#ifndef TROUPE_OS_MEMORY_H
#define TROUPE_OS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t tri_mem_page_size(void);

/*
 * `size` zeroed bytes, rounded up to pages, at a multiple of `align` (a power of two). With
 * `populate` the pages are there at once instead of at the first touch, if the system can.
 * NULL when memory is out.
 */
void *tri_mem_map(size_t size, size_t align, bool populate);

/* Addresses for `size` bytes at a multiple of `align`, that take no memory and must not be touched
 * before they are committed. NULL when the address space is full. */
void *tri_mem_reserve(size_t size, size_t align);

/* Gives memory, zeroed, to a part of what was reserved; it may be done twice. False when memory
 * is out. */
bool tri_mem_commit(void *p, size_t size);

/* `size` as given to tri_mem_map() or tri_mem_reserve(). NULL is fine. */
void tri_mem_unmap(void *p, size_t size);

/* Brings the pages into memory now instead of at the first touch, if the system can. */
void tri_mem_populate(void *p, size_t size);

/* Asks for large pages behind these addresses, which then come into memory as one. */
void tri_mem_prefer_huge(void *p, size_t size);

/* Gives back the pages and keeps the addresses: they read as zeroes. p and size: whole pages. */
void tri_mem_discard(void *p, size_t size);

/* Bytes of this process that are in memory now; 0 if the system does not tell. */
uint64_t tri_mem_rss_bytes(void);

#endif
