#define _GNU_SOURCE /* MADV_… */
#include "os/memory.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/atomic.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; older kernels refuse it, which does no harm. */
#endif

size_t tri_mem_page_size(void)
{
    static TRI_ATOMIC(size_t) size;
    size_t known = tri_load(&size, TRI_RELAXED);
    if (TRI_UNLIKELY(known == 0)) {
        known = (size_t)sysconf(_SC_PAGESIZE);
        tri_store(&size, known, TRI_RELAXED);
    }
    return known;
}

/* 0 when it does not fit into size_t. */
static size_t round_up(size_t size)
{
    size_t page = tri_mem_page_size();
    return size > SIZE_MAX - page ? 0 : (size + page - 1) & ~(page - 1);
}

static void unmap(void *p, size_t size)
{
    if (size != 0)
        TRI_ASSERT(munmap(p, size) == 0);
}

/* Maps whole pages at a multiple of `align`; what lies before and after goes back. */
static void *map_aligned(size_t bytes, size_t align, int access, int flags)
{
    TRI_ASSERT(align != 0 && (align & (align - 1)) == 0);
    size_t page = tri_mem_page_size();
    size_t slack = align > page ? align - page : 0;
    if (bytes == 0 || bytes > SIZE_MAX - slack || !tri_alloc_allowed())
        return NULL;
    char *raw = mmap(NULL, bytes + slack, access, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    size_t lead = (size_t)(-(uintptr_t)raw & (align - 1));
    if (slack == 0)
        lead = 0;
    unmap(raw, lead);
    unmap(raw + lead + bytes, slack - lead);
    return raw + lead;
}

void *tri_mem_map(size_t size, size_t align, bool populate)
{
    size_t bytes = round_up(size);
    void *p = map_aligned(bytes, align, PROT_READ | PROT_WRITE, 0);
    if (p && populate)
        tri_mem_populate(p, bytes);
    return p;
}

void *tri_mem_reserve(size_t size, size_t align)
{
    /* Without access it does not count as memory that the system has promised. */
    return map_aligned(round_up(size), align, PROT_NONE, MAP_NORESERVE);
}

bool tri_mem_commit(void *p, size_t size)
{
    uintptr_t mask = tri_mem_page_size() - 1;
    uintptr_t first = (uintptr_t)p & ~mask;
    size_t bytes = (((uintptr_t)p + size + mask) & ~mask) - first;
    return tri_alloc_allowed() && mprotect((void *)first, bytes, PROT_READ | PROT_WRITE) == 0;
}

void tri_mem_unmap(void *p, size_t size)
{
    if (p)
        unmap(p, round_up(size));
}

void tri_mem_populate(void *p, size_t size)
{
    (void)madvise(p, size, MADV_POPULATE_WRITE);
}

void tri_mem_prefer_huge(void *p, size_t size)
{
    (void)madvise(p, size, MADV_HUGEPAGE);
}

void tri_mem_discard(void *p, size_t size)
{
    TRI_ASSERT(((uintptr_t)p | size) % tri_mem_page_size() == 0);
    if (size != 0)
        TRI_ASSERT(madvise(p, size, MADV_DONTNEED) == 0);
}

uint64_t tri_mem_rss_bytes(void)
{
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    char text[128];
    ssize_t size = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    unsigned long long resident;
    if (sscanf(text, "%*u %llu", &resident) != 1)
        return 0;
    return resident * tri_mem_page_size();
}
